//! What somebody wants of a person who works for the hub, or shall.

use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::access::people::Person;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The role that the person has from then on, employed or not before.
    Role(Role),
    /// A way in anew, for who lost the password or the authenticator.
    Renewal,
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
}

/// What an approval of a change rests on: the person as it is.
pub fn basis(person: &Person) -> serde_json::Value {
    let Person {
        login,
        name,
        role,
        is_active,
        ..
    } = person;
    serde_json::json!([login, name, role, is_active])
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
    fn whatever_changes_of_the_person_is_another_basis() {
        let others = [
            Person {
                name: "Bob".to_owned(),
                ..person()
            },
            Person {
                is_active: false,
                ..person()
            },
            Person {
                role: Role::Auditor,
                ..person()
            },
        ];
        assert!(others.iter().all(|it| basis(it) != basis(&person())));
    }
}
