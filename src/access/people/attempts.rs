//! Five sign-ins a minute per account, right or wrong.
//!
//! Kept in the memory of one hub: with several, an account has five at each. A restart forgets.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::Duration;

use crate::clock::Timestamp;

const MOST: usize = 5;
const SPAN: Duration = Duration::minutes(1);

/// How many accounts are remembered before old attempts are swept out.
const CROWD: usize = 10_000;

/// When each account was last tried.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<String, Vec<Timestamp>>>);

impl Attempts {
    /// Counts an attempt, or says how many seconds to wait before the next.
    pub fn count(&self, login: &str, now: Timestamp) -> Result<(), u64> {
        let mut accounts = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if accounts.len() >= CROWD {
            accounts.retain(|_, tried| tried.iter().any(|at| now - *at < SPAN));
        }
        let tried = accounts.entry(login.to_owned()).or_default();
        tried.retain(|at| now - *at < SPAN);
        if tried.len() >= MOST {
            let free = tried[0] + SPAN - now;
            return Err(free.num_seconds().max(0).unsigned_abs() + 1);
        }
        tried.push(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn the_sixth_in_a_minute_waits_for_the_first_to_pass() {
        let attempts = Attempts::default();
        let start = clock::machine_now();
        for second in 0..5 {
            assert_eq!(
                attempts.count("ada", start + Duration::seconds(second)),
                Ok(())
            );
        }
        assert_eq!(
            attempts.count("ada", start + Duration::seconds(10)),
            Err(51)
        );
        assert_eq!(attempts.count("bob", start + Duration::seconds(10)), Ok(()));
        assert_eq!(attempts.count("ada", start + Duration::seconds(60)), Ok(()));
        assert!(
            attempts
                .count("ada", start + Duration::seconds(60))
                .is_err()
        );
    }
}
