//! Who does something: for the audit trail, for idempotency keys, for maker and checker.

use std::fmt;

use super::Role;
use crate::error::{Problem, Slug};
use crate::secret::Secrets;
use crate::web::once::Claim;
use crate::web::{Origin, RequestId, Write};

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
}

/// How a member last proved itself to the partner that acts, where that says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// When, in seconds since 1970.
    pub auth_time: Option<i64>,
    /// In which way: a class of authentication (OpenID Connect's `acr`) of the partner's own naming.
    pub acr: Option<String>,
}

/// Whether a text can name a class of authentication. Several are listed with spaces between, in quotes.
pub fn is_acr(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
}

/// One caller in one request.
#[derive(Debug, Clone)]
pub struct Who {
    /// The id of the credential or the person.
    pub principal: i64,
    pub party: Party,
    /// Of a member.
    pub proof: Proof,
    pub request: RequestId,
    /// Method and path, to which an Idempotency-Key belongs.
    pub endpoint: String,
    /// Whether the door asked that the principal is live; else the group of its command does.
    pub is_confirmed: bool,
    /// Whether a person gave a code of its second factor within the last ten minutes; so of all others.
    pub is_fresh: bool,
}

impl Who {
    /// Who works at the command line or fills a sample: a person, without a request.
    pub fn at_the_console(principal: i64, role: Role) -> Who {
        let request = RequestId {
            origin: Origin::Console,
            ..RequestId::fresh()
        };
        Who::just_proved(principal, role, request)
    }

    /// The hub by itself.
    pub fn the_hub() -> Who {
        Who::just_proved(0, Role::Operator, RequestId::fresh())
    }

    /// A person who is seen to be the one just now.
    pub fn just_proved(principal: i64, role: Role, request: RequestId) -> Who {
        Who {
            principal,
            party: Party::Person(role),
            proof: Proof::default(),
            request,
            endpoint: String::new(),
            is_confirmed: true,
            is_fresh: true,
        }
    }

    /// Refuses a person whose last proof is too old to decide something that needs a second person, or that
    /// gives power.
    pub fn must_be_fresh(&self) -> Result<(), Problem> {
        let detail = "this needs a fresh proof: send a code to POST /v1/sessions/current/step-up, then the same again";
        self.is_fresh
            .then_some(())
            .ok_or_else(|| Problem::new(Slug::StepUpNeeded, detail))
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
