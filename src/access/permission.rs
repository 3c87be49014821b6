//! Whom each operation admits, as one table.
//!
//! It is read out of the OpenAPI document, so that there is one statement of it: what an operation
//! says under `security`. `partner` names the scope it needs, or none when any token of a partner
//! will do; `member` names the same scope where a member's token will do, too; `person` names the roles, or none when every one will do; an empty requirement admits
//! anybody. What the handlers' signatures say is the same, as a test finds out by trying each
//! operation with each kind of token.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{AnyRole, Role, Roles};

/// Whom one operation admits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Permission {
    /// The `operationId` of the OpenAPI document.
    #[schema(example = "createAward")]
    pub operation: String,
    #[schema(example = "POST")]
    pub method: String,
    #[schema(example = "/v1/awards")]
    pub path: String,
    /// Whether it needs no token.
    pub anybody: bool,
    /// Whether partners are admitted, each to its own side and nothing else.
    pub partner: bool,
    /// Whether members are admitted, each to what is its own and nothing else.
    pub member: bool,
    /// The scope that a partner's or a member's token needs; null when any will do, or when none is admitted.
    #[schema(example = "awards:write")]
    pub scope: Option<String>,
    /// The roles of the hub's people that are admitted.
    pub roles: Vec<Role>,
}

/// A row for each operation of an OpenAPI document, in its order.
pub fn table(document: &Value) -> Vec<Permission> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of = |(path, methods): (&String, &Value)| {
        let path = path.clone();
        let methods = methods.as_object().cloned().unwrap_or_default();
        methods
            .into_iter()
            .map(move |(method, said)| permission(&path, &method, &said))
    };
    paths.flat_map(of).collect()
}

fn permission(path: &str, method: &str, said: &Value) -> Permission {
    let ways: Vec<&Value> = said["security"].as_array().into_iter().flatten().collect();
    let needs = |scheme: &str| ways.iter().find_map(|way| way[scheme].as_array());
    Permission {
        operation: said["operationId"].as_str().unwrap_or_default().to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        anybody: ways
            .iter()
            .any(|way| **way == Value::Object([].into_iter().collect())),
        partner: needs("partner").is_some(),
        member: needs("member").is_some(),
        scope: needs("partner").and_then(|scopes| scopes.first()?.as_str().map(str::to_owned)),
        roles: needs("person")
            .map(|names| roles(names))
            .unwrap_or_default(),
    }
}

fn roles(names: &[Value]) -> Vec<Role> {
    let is_meant = |role: &Role| names.is_empty() || names.iter().any(|name| name == role.name());
    AnyRole::ANY_OF.iter().copied().filter(is_meant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_says_what_the_document_says_under_security() {
        let cases = [
            (json!([{}]), (true, false, false, None, vec![])),
            (
                json!([{"partner": ["awards:write"]}]),
                (false, true, false, Some("awards:write"), vec![]),
            ),
            (
                json!([{"partner": ["ledger:read"]}, {"member": ["ledger:read"]}]),
                (false, true, true, Some("ledger:read"), vec![]),
            ),
            (
                json!([{"partner": []}, {"person": ["auditor", "finance"]}]),
                (false, true, false, None, vec![Role::Finance, Role::Auditor]),
            ),
            (
                json!([{"person": []}]),
                (false, false, false, None, AnyRole::ANY_OF.to_vec()),
            ),
            (json!([]), (false, false, false, None, vec![])),
        ];
        for (security, (anybody, partner, member, scope, roles)) in cases {
            let said = json!({"operationId": "x", "security": security});
            let rows = table(&json!({"paths": {"/x": {"post": said}}}));
            let row = Permission {
                operation: "x".into(),
                method: "POST".into(),
                path: "/x".into(),
                anybody,
                partner,
                member,
                scope: scope.map(str::to_owned),
                roles,
            };
            assert_eq!(rows, [row], "{security}");
        }
    }
}
