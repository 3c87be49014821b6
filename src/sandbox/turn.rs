//! How far a clock may be turned.
//!
//! | asked | turns | refused |
//! |---|---|---|
//! | so many seconds | by them | when it is none, or backward |
//! | to an instant | by what lies between | when that is now or has been |
//!
//! A sandbox is never further ahead than [`FURTHEST`]: rate cards and limits are for years, not for centuries.

use chrono::Duration;

use crate::clock::Timestamp;

/// How far a sandbox's clock may be ahead of the true one.
pub const FURTHEST: Duration = Duration::days(3_653);

/// A sandbox's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What decides.
    pub now: Timestamp,
    /// How far that is ahead of the true time.
    pub ahead: Duration,
}

/// What somebody wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    By(Duration),
    To(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Time goes forward.
    NotForward,
    /// The latest instant that it can be turned to.
    TooFar(Timestamp),
}

impl Clock {
    /// The latest instant that it can be turned to.
    pub fn latest(self) -> Timestamp {
        self.now - self.ahead + FURTHEST
    }

    /// By how many whole seconds it is turned; to an instant, by so many that it is reached.
    pub fn turned(self, turn: Turn) -> Result<i64, Refusal> {
        let by = match turn {
            Turn::By(by) => by,
            Turn::To(at) => at - self.now,
        };
        if by <= Duration::zero() {
            return Err(Refusal::NotForward);
        }
        if by > FURTHEST - self.ahead {
            return Err(Refusal::TooFar(self.latest()));
        }
        let begun = i64::from(by.subsec_nanos() > 0);
        Ok(by.num_seconds() + begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_forward_and_not_too_far() {
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock {
            now,
            ahead: Duration::days(10),
        };
        let latest = now - Duration::days(10) + FURTHEST;
        let second = Duration::seconds(1);
        let cases = [
            (Turn::By(second), Ok(1)),
            (Turn::By(Duration::zero()), Err(Refusal::NotForward)),
            (Turn::By(-second), Err(Refusal::NotForward)),
            (Turn::To(now), Err(Refusal::NotForward)),
            (Turn::To(now + second), Ok(1)),
            (Turn::To(now + Duration::milliseconds(1500)), Ok(2)),
            (
                Turn::To(latest),
                Ok((FURTHEST - Duration::days(10)).num_seconds()),
            ),
            (Turn::To(latest + second), Err(Refusal::TooFar(latest))),
            (Turn::By(Duration::MAX), Err(Refusal::TooFar(latest))),
        ];
        for (turn, expected) in cases {
            assert_eq!(clock.turned(turn), expected, "{turn:?}");
        }
    }
}
