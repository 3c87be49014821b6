//! Who may come in, and what to tell who may not.

use super::{Acted, Party, Proof, Role, ScopeSet};
use crate::error::{Problem, Slug};

/// Which partners an operation admits.
#[derive(Debug, Clone, Copy)]
pub enum Partners {
    None,
    All,
    With(&'static str),
}

impl Partners {
    /// Whether a token with these scopes is one of theirs.
    fn have(self, scopes: &ScopeSet) -> bool {
        match self {
            Partners::None => false,
            Partners::All => true,
            Partners::With(scope) => scopes.has(scope),
        }
    }
}

/// Whom an operation admits.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub partners: Partners,
    /// Whether members of such partners are admitted, too.
    pub members: bool,
    pub roles: &'static [Role],
}

/// What a good token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// A credential, by its id, whose it is, and what the token may be used for.
    Client {
        id: i64,
        partner: i64,
        scopes: ScopeSet,
    },
    /// A member, the credential that acts for it, and what the token may be used for.
    Member {
        client: i64,
        acted: Acted,
        proof: Proof,
        scopes: ScopeSet,
    },
    /// A person, by id, in a role.
    Person(i64, Role),
}

impl Bearer {
    /// The credential or the person that is to be live, and whose side it acts for.
    pub fn principal(&self) -> (i64, Party) {
        match self {
            Bearer::Client { id, partner, .. } => (*id, Party::Partner(*partner)),
            Bearer::Member { client, acted, .. } => (*client, Party::Member(*acted)),
            Bearer::Person(id, role) => (*id, Party::Person(*role)),
        }
    }

    /// How the bearer proved itself, of a member.
    pub fn proof(&self) -> Proof {
        match self {
            Bearer::Member { proof, .. } => proof.clone(),
            Bearer::Client { .. } | Bearer::Person(..) => Proof::default(),
        }
    }
}

impl Door {
    /// Lets the bearer pass, or says who would.
    pub fn admit(&self, bearer: &Bearer) -> Result<(), Problem> {
        let admitted = match bearer {
            Bearer::Client { scopes, .. } => self.partners.have(scopes),
            Bearer::Member { scopes, .. } => self.members && self.partners.have(scopes),
            Bearer::Person(_, role) => self.roles.contains(role),
        };
        admitted
            .then_some(())
            .ok_or_else(|| Problem::new(Slug::Forbidden, self.sentence()))
    }

    fn sentence(&self) -> String {
        let roles = self
            .roles
            .iter()
            .map(|role| role.name())
            .collect::<Vec<_>>()
            .join(" or ");
        let whose = match self.members {
            true => "a partner's or a member's token",
            false => "a partner's token",
        };
        let partner = match self.partners {
            Partners::None => None,
            Partners::All => Some(whose.to_owned()),
            Partners::With(scope) => Some(format!("{whose} with the scope {scope}")),
        };
        let person = (!roles.is_empty()).then(|| format!("a person with the role {roles}"));
        let who: Vec<String> = partner.into_iter().chain(person).collect();
        format!("this needs {}", who.join(", or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Bearer {
        Bearer::Client {
            id: 1,
            partner: 2,
            scopes: ScopeSet::parse("quotes:write").unwrap(),
        }
    }

    fn member() -> Bearer {
        Bearer::Member {
            client: 1,
            acted: Acted {
                member: 3,
                partner: 2,
                membership: 4,
            },
            proof: Proof::default(),
            scopes: ScopeSet::parse("quotes:write").unwrap(),
        }
    }

    #[test]
    fn the_refusal_names_who_would_pass() {
        let auditor = Bearer::Person(2, Role::Auditor);
        let cases = [
            (
                (Partners::With("awards:write"), false),
                &[][..],
                "this needs a partner's token with the scope awards:write",
            ),
            (
                (Partners::None, false),
                &[Role::Finance, Role::Operator][..],
                "this needs a person with the role finance or operator",
            ),
            (
                (Partners::With("ledger:read"), true),
                &[Role::Operator][..],
                "this needs a partner's or a member's token with the scope ledger:read, or a person with the role operator",
            ),
        ];
        for ((partners, members), roles, sentence) in cases {
            let door = Door {
                partners,
                members,
                roles,
            };
            for bearer in [client(), member(), auditor.clone()] {
                assert_eq!(door.admit(&bearer).unwrap_err().detail, sentence);
            }
        }
    }

    #[test]
    fn who_fits_passes() {
        let (client, member) = (client(), member());
        let door = |partners, roles| Door {
            partners,
            members: false,
            roles,
        };
        let open = |partners| Door {
            members: true,
            ..door(partners, &[])
        };
        assert!(open(Partners::All).admit(&member).is_ok());
        assert!(open(Partners::With("quotes:write")).admit(&member).is_ok());
        assert!(door(Partners::All, &[]).admit(&member).is_err());
        assert!(door(Partners::All, &[]).admit(&client).is_ok());
        assert!(
            door(Partners::With("quotes:write"), &[])
                .admit(&client)
                .is_ok()
        );
        assert!(
            door(Partners::None, &[Role::Support])
                .admit(&Bearer::Person(2, Role::Support))
                .is_ok()
        );
    }
}
