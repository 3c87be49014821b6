//! Attempts to prove who one is, at most so many a minute for each account or address.
//!
//! Kept in the memory of one hub: with several, each counts its own. A restart forgets.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::Duration;

use crate::clock::Timestamp;

const SPAN: Duration = Duration::minutes(1);

/// How many accounts are remembered before old attempts are swept out.
const CROWD: usize = 10_000;

/// When each account was last tried.
pub(super) struct Attempts {
    most: usize,
    tried: Mutex<HashMap<String, Vec<Timestamp>>>,
}

impl Attempts {
    /// So many a minute.
    pub fn of(most: usize) -> Attempts {
        Attempts {
            most,
            tried: Mutex::default(),
        }
    }

    /// Whether there may be an attempt, or how many seconds to wait for one.
    pub fn check(&self, login: &str, now: Timestamp) -> Result<(), u64> {
        let accounts = self
            .tried
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let tried = accounts.get(login).into_iter().flatten();
        let recent: Vec<&Timestamp> = tried.filter(|at| now - **at < SPAN).collect();
        match recent.first().filter(|_| recent.len() >= self.most) {
            Some(first) => Err(seconds_until(**first + SPAN, now)),
            None => Ok(()),
        }
    }

    /// Counts an attempt, or says how many seconds to wait before the next.
    pub fn count(&self, login: &str, now: Timestamp) -> Result<(), u64> {
        let mut accounts = self
            .tried
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if accounts.len() >= CROWD {
            accounts.retain(|_, tried| tried.iter().any(|at| now - *at < SPAN));
        }
        let tried = accounts.entry(login.to_owned()).or_default();
        tried.retain(|at| now - *at < SPAN);
        if tried.len() >= self.most {
            return Err(seconds_until(tried[0] + SPAN, now));
        }
        tried.push(now);
        Ok(())
    }
}

fn seconds_until(end: Timestamp, now: Timestamp) -> u64 {
    (end - now).num_seconds().max(0).unsigned_abs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn the_sixth_in_a_minute_waits_for_the_first_to_pass() {
        let attempts = Attempts::of(5);
        let start = clock::machine_now();
        for second in 0..5 {
            assert_eq!(
                attempts.count("ada", start + Duration::seconds(second)),
                Ok(())
            );
        }
        let tenth = start + Duration::seconds(10);
        assert_eq!(attempts.check("ada", tenth), Err(51));
        assert_eq!(attempts.check("bob", tenth), Ok(()));
        assert_eq!(attempts.count("ada", tenth), Err(51));
        assert_eq!(attempts.count("bob", start + Duration::seconds(10)), Ok(()));
        assert_eq!(attempts.count("ada", start + Duration::seconds(60)), Ok(()));
        assert!(
            attempts
                .count("ada", start + Duration::seconds(60))
                .is_err()
        );
    }
}
