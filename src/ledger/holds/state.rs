//! What became of a hold.
//!
//! | something is left | captured | state |
//! |-------------------|----------|-------|
//! | yes, in time | | open |
//! | no | all | captured |
//! | no, or its time is over | some | partially_captured |
//! | its time is over, or it was by then | nothing | expired |
//! | no | nothing | released |

use crate::clock::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Story {
    pub amount: i64,
    pub captured: i64,
    pub released: i64,
    pub expires_at: Timestamp,
    /// The instant of the last release.
    pub released_at: Option<Timestamp>,
}

impl Story {
    pub fn open(&self) -> i64 {
        self.amount - self.captured - self.released
    }

    pub fn state(&self, now: Timestamp) -> &'static str {
        let end = match self.open() {
            0 => self.released_at,
            _ => Some(now),
        };
        let is_late = end.is_some_and(|end| self.expires_at <= end);
        match self.captured {
            _ if self.open() > 0 && !is_late => "open",
            captured if captured == self.amount => "captured",
            0 if is_late => "expired",
            0 => "released",
            _ => "partially_captured",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(second: i64) -> Timestamp {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("an instant")
    }

    #[test]
    fn a_hold_is_open_until_it_is_used_up_or_its_time_is_over() {
        // Captured, released and when, asked when; the hold is of 10 until second 100.
        let cases = [
            (0, 0, 0, 99, "open"),
            (3, 0, 0, 99, "open"),
            (3, 2, 50, 99, "open"),
            (0, 0, 0, 100, "expired"),
            (3, 0, 0, 100, "partially_captured"),
            (10, 0, 0, 200, "captured"),
            (3, 7, 50, 60, "partially_captured"),
            (3, 7, 160, 200, "partially_captured"),
            (0, 10, 50, 200, "released"),
            (0, 10, 100, 200, "expired"),
        ];
        for (captured, released, when, now, state) in cases {
            let story = Story {
                amount: 10,
                captured,
                released,
                expires_at: at(100),
                released_at: (released > 0).then(|| at(when)),
            };
            assert_eq!(story.state(at(now)), state, "{story:?}");
        }
    }
}
