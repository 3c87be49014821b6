//! What an employee of the hub is there for. A handler names the roles it admits in its
//! signature: `Staff<Operator>`, `Staff<(Finance, Auditor)>`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Settlement, statements, reports.
    Finance,
    /// Partners, limits, cards, anomalies, adjustments.
    Operator,
    /// A member's masked timeline; never moves points.
    Support,
    /// Reads everything but personal data.
    Auditor,
}

/// Roles as a type, for signatures.
pub trait Roles: 'static {
    const ANY_OF: &'static [Role];
}

/// One role as a type.
pub trait IsRole: 'static {
    const ROLE: Role;
}

pub struct Finance;
pub struct Operator;
pub struct Support;
pub struct Auditor;

/// Whoever works for the hub.
pub struct AnyRole;

impl IsRole for Finance {
    const ROLE: Role = Role::Finance;
}

impl IsRole for Operator {
    const ROLE: Role = Role::Operator;
}

impl IsRole for Support {
    const ROLE: Role = Role::Support;
}

impl IsRole for Auditor {
    const ROLE: Role = Role::Auditor;
}

impl<A: IsRole> Roles for A {
    const ANY_OF: &'static [Role] = &[A::ROLE];
}

impl<A: IsRole, B: IsRole> Roles for (A, B) {
    const ANY_OF: &'static [Role] = &[A::ROLE, B::ROLE];
}

impl<A: IsRole, B: IsRole, C: IsRole> Roles for (A, B, C) {
    const ANY_OF: &'static [Role] = &[A::ROLE, B::ROLE, C::ROLE];
}

impl Roles for AnyRole {
    const ANY_OF: &'static [Role] = &[Role::Finance, Role::Operator, Role::Support, Role::Auditor];
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Finance => "finance",
            Role::Operator => "operator",
            Role::Support => "support",
            Role::Auditor => "auditor",
        }
    }

    pub fn named(name: &str) -> Option<Role> {
        AnyRole::ANY_OF
            .iter()
            .copied()
            .find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_its_name_in_json_and_in_the_database() {
        for role in AnyRole::ANY_OF {
            assert_eq!(Role::named(role.name()), Some(*role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert_eq!(Role::named("Operator"), None);
    }
}
