//! Who may come in, and what to tell who may not.

use super::{Role, ScopeSet};
use crate::error::{Problem, Slug};

/// Which partners an operation admits.
#[derive(Debug, Clone, Copy)]
pub enum Partners {
    None,
    All,
    With(&'static str),
}

/// Whom an operation admits.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub partners: Partners,
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
    /// A person, by id, in a role.
    Person(i64, Role),
}

impl Door {
    /// Lets the bearer pass, or says who would.
    pub fn admit(&self, bearer: &Bearer) -> Result<(), Problem> {
        let admitted = match (bearer, self.partners) {
            (Bearer::Client { .. }, Partners::None) => false,
            (Bearer::Client { .. }, Partners::All) => true,
            (Bearer::Client { scopes, .. }, Partners::With(scope)) => scopes.has(scope),
            (Bearer::Person(_, role), _) => self.roles.contains(role),
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
        let partner = match self.partners {
            Partners::None => None,
            Partners::All => Some("a partner".to_owned()),
            Partners::With(scope) => Some(format!("a partner's token with the scope {scope}")),
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

    #[test]
    fn the_refusal_names_who_would_pass() {
        let client = client();
        let auditor = Bearer::Person(2, Role::Auditor);
        let cases = [
            (
                Partners::With("awards:write"),
                &[][..],
                "this needs a partner's token with the scope awards:write",
            ),
            (
                Partners::None,
                &[Role::Finance, Role::Operator][..],
                "this needs a person with the role finance or operator",
            ),
            (
                Partners::With("ledger:read"),
                &[Role::Operator][..],
                "this needs a partner's token with the scope ledger:read, or a person with the role operator",
            ),
        ];
        for (partners, roles, sentence) in cases {
            let door = Door { partners, roles };
            assert_eq!(door.admit(&client).unwrap_err().detail, sentence);
            assert_eq!(door.admit(&auditor).unwrap_err().detail, sentence);
        }
    }

    #[test]
    fn who_fits_passes() {
        let client = client();
        let door = |partners, roles| Door { partners, roles };
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
