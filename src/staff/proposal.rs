//! What somebody wants of a person who works for the hub, or shall.

use sha2::{Digest, Sha256};

use crate::access::Role;
use crate::access::people::Person;
use crate::clock::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The role that the person has from then on, employed or not before.
    Role(Role),
    /// A way in anew, for who lost the password or the authenticator.
    Renewal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub change: Change,
    pub at: Timestamp,
}

/// Whether a role may make and approve, and not only read: that takes two operators to give.
pub fn has_power(role: Role) -> bool {
    match role {
        Role::Operator | Role::Finance => true,
        Role::Support | Role::Auditor => false,
    }
}

impl Change {
    /// Whether one operator alone may do it to a person.
    pub fn needs_two(self, person: &Person) -> bool {
        match self {
            Change::Role(role) => has_power(role),
            Change::Renewal => has_power(person.role),
        }
    }

    /// What an approval of it binds to: the change, and the person as it is.
    pub fn content_hash(self, person: &Person) -> Vec<u8> {
        let role = match self {
            Change::Role(role) => Some(role),
            Change::Renewal => None,
        };
        let Person {
            id,
            login,
            name,
            role: present,
            is_active,
            ..
        } = person;
        let told = serde_json::json!(["person", id, login, name, present, is_active, role]);
        Sha256::digest(told.to_string()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person {
            id: 1,
            login: "ann".to_owned(),
            name: "Ann".to_owned(),
            role: Role::Support,
            is_active: true,
            created_at: crate::clock::ALWAYS,
            password_hash: None,
        }
    }

    #[test]
    fn what_gives_power_needs_two() {
        let operator = || Person {
            role: Role::Operator,
            ..person()
        };
        for (change, of, two) in [
            (Change::Role(Role::Operator), person(), true),
            (Change::Role(Role::Finance), operator(), true),
            (Change::Role(Role::Auditor), operator(), false),
            (Change::Renewal, operator(), true),
            (Change::Renewal, person(), false),
        ] {
            assert_eq!(change.needs_two(&of), two, "{change:?}");
        }
    }

    #[test]
    fn whatever_changes_is_another_proposal() {
        let change = Change::Role(Role::Operator);
        let whole = change.content_hash(&person());
        let others = [
            Change::Role(Role::Finance).content_hash(&person()),
            Change::Renewal.content_hash(&person()),
            change.content_hash(&Person { id: 2, ..person() }),
            change.content_hash(&Person {
                name: "Bob".to_owned(),
                ..person()
            }),
            change.content_hash(&Person {
                is_active: false,
                ..person()
            }),
            change.content_hash(&Person {
                role: Role::Auditor,
                ..person()
            }),
        ];
        assert!(others.iter().all(|other| *other != whole));
    }
}
