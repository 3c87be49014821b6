//! What a partner's program was seen to do before the partner may go live.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::text::Name;

/// How many checks a report has at most.
pub const MOST: usize = 100;

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    #[schema(value_type = String, example = "a repeated award is answered as the first", max_length = 120)]
    pub name: Name,
    pub passed: bool,
}

/// A report passes when all its checks did.
pub fn passed(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_check_that_failed_fails_the_report() {
        let check = |passed| Check {
            name: "awards".to_owned().try_into().unwrap(),
            passed,
        };
        assert!(passed(&[check(true), check(true)]));
        assert!(!passed(&[check(true), check(false)]));
    }
}
