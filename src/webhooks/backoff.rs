//! When to try again.
//!
//! | what waits                       | n-th wait           | at most  | for how long |
//! |----------------------------------|---------------------|----------|--------------|
//! | an event that did not arrive     | 5 s · 4ⁿ⁻¹          | 8 hours  | 72 hours     |
//! | an endpoint that takes nothing   | 5 s · 2ⁿ⁻¹          | 5 minutes | 72 hours    |
//!
//! Each wait is between half and the whole of that, by chance, so that what failed together does not
//! come back together. An endpoint counts as taking nothing after four failures in a row: then
//! nothing more is taken out of the feed for it until one event has arrived.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// How many failures in a row make an endpoint rest.
pub const TIRED: i32 = 4;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(8 * 3600);
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// After which an event is given up, and an endpoint that took nothing all the while.
const GIVE_UP: TimeDelta = TimeDelta::hours(72);

/// How long an event waits after so many attempts. `chance` is between 0 and 1.
pub fn wait(attempts: i32, chance: f64) -> TimeDelta {
    grown(4, attempts, LONGEST_WAIT, chance)
}

/// How long an endpoint rests after so many failures in a row.
pub fn rest(failures: i32, chance: f64) -> TimeDelta {
    grown(2, failures - TIRED + 1, LONGEST_REST, chance)
}

fn grown(factor: u32, times: i32, most: Duration, chance: f64) -> TimeDelta {
    let growth = factor.saturating_pow(times.saturating_sub(1).max(0).unsigned_abs());
    let whole = FIRST.saturating_mul(growth).min(most);
    let jittered = whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    TimeDelta::from_std(jittered).unwrap_or(TimeDelta::hours(8))
}

/// Whether what began to fail then is given up now.
pub fn is_over(since: Timestamp, now: Timestamp) -> bool {
    now - since >= GIVE_UP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_eight_hours_and_rests_to_five_minutes() {
        let waits: Vec<i64> = (1..=8).map(|n| wait(n, 1.0).num_seconds()).collect();
        assert_eq!(waits, [5, 20, 80, 320, 1_280, 5_120, 20_480, 28_800]);
        let rests: Vec<i64> = (4..=11).map(|n| rest(n, 1.0).num_seconds()).collect();
        assert_eq!(rests, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(wait(i32::MAX, 1.0).num_hours(), 8);
        assert_eq!(rest(i32::MAX, 1.0).num_minutes(), 5);
        assert_eq!(wait(0, 1.0).num_seconds(), 5);
    }

    #[test]
    fn chance_takes_off_half_at_most() {
        for (chance, seconds) in [(0.0, 40), (0.5, 60), (1.0, 80), (-1.0, 40), (9.0, 80)] {
            assert_eq!(wait(3, chance).num_seconds(), seconds, "{chance}");
        }
    }

    #[test]
    fn after_72_hours_it_is_over() {
        let since = Timestamp::from_timestamp_micros(1_700_000_000_000_000).expect("an instant");
        let after = |hours| since + TimeDelta::hours(hours);
        assert!(!is_over(since, after(71)) && is_over(since, after(72)));
    }

    /// What the waits add up to before an event is given up.
    #[test]
    fn an_event_is_tried_about_fifteen_times() {
        let mut waited = TimeDelta::zero();
        let tries = (1..).find(|n| {
            waited += wait(*n, 0.5);
            waited >= GIVE_UP
        });
        assert!((12..=22).contains(&tries.expect("an end")), "{tries:?}");
    }
}
