//! Who does something: for the audit trail, for idempotency keys, for maker and checker.

use std::fmt;

use super::Role;
use crate::secret::Secrets;
use crate::web::once::Claim;
use crate::web::{RequestId, Write};

/// Whose side somebody acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A partner, by its id.
    Partner(i64),
    /// A member, for whom a partner's program acts.
    Member(Acted),
    /// An employee of the hub.
    Person(Role),
}

impl Party {
    /// The partner that asks, also when it acts for a member.
    pub fn partner(self) -> Option<i64> {
        match self {
            Party::Partner(partner) => Some(partner),
            Party::Member(acted) => Some(acted.partner),
            Party::Person(_) => None,
        }
    }
}

/// A member for whom a partner's program acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acted {
    pub member: i64,
    /// The partner that acts, and what links the member to it.
    pub partner: i64,
    pub membership: i64,
    /// When the member last proved itself to that partner, in seconds since 1970, where that is known.
    pub auth_time: Option<i64>,
}

/// One caller in one request.
#[derive(Debug, Clone)]
pub struct Who {
    /// The id of the credential or the person.
    pub principal: i64,
    pub party: Party,
    pub request: RequestId,
    /// Method and path, to which an Idempotency-Key belongs.
    pub endpoint: String,
    /// Whether the door asked that the principal is live; else the group of its command does.
    pub is_confirmed: bool,
}

impl Who {
    /// Who works at the command line or fills a sample: a person, without a request.
    pub fn at_the_console(principal: i64, role: Role) -> Who {
        Who {
            principal,
            party: Party::Person(role),
            request: RequestId::fresh(),
            endpoint: "console".to_owned(),
            is_confirmed: true,
        }
    }

    /// The member that a partner's program acts for.
    pub fn acted(&self) -> Option<Acted> {
        match self.party {
            Party::Member(acted) => Some(acted),
            Party::Partner(_) | Party::Person(_) => None,
        }
    }

    /// The claim to the write's Idempotency-Key. A partner's key belongs to the partner, whichever
    /// of its credentials sends it; a member's to the member with that partner; a person's to the person.
    pub fn claim<T>(&self, secrets: &Secrets, write: &Write<T>) -> Claim {
        Claim::new(secrets, &self.to_string(), &self.endpoint, write)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.party {
            Party::Partner(partner) => write!(f, "partner:{partner}"),
            Party::Member(acted) => {
                write!(f, "member:{} of partner:{}", acted.member, acted.partner)
            }
            Party::Person(_) => write!(f, "person:{}", self.principal),
        }
    }
}
