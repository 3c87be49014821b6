//! What a campaign has given, and whether it may give more.
//!
//! ```text
//! given + bonus ≤ budget      a wallet's times < times      a wallet's units + bonus ≤ most
//! ```
//!
//! Asked when a quote is priced, of what is known then, and again when it is taken, of what is locked.

/// What a campaign has given so far: in all, and to the wallet that gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub given: i64,
    pub times: i64,
    pub units: i64,
}

/// What a campaign may give, in smallest units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub budget: Option<i64>,
    pub times: Option<i64>,
    pub most: Option<i64>,
}

/// Why a bonus is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// What is left of the budget is less than the bonus.
    Budget { left: i64 },
    /// The wallet has had it as often as it may.
    Times,
    /// The wallet may get less more than the bonus.
    Most { left: i64 },
}

impl Limits {
    /// Whether what it gives in all is counted.
    pub fn count_all(&self) -> bool {
        self.budget.is_some()
    }

    /// Whether what a wallet gets is counted.
    pub fn count_each(&self) -> bool {
        self.times.is_some() || self.most.is_some()
    }

    /// Refuses a bonus that does not fit whole.
    pub fn admit(&self, so_far: &Standing, units: i64) -> Result<(), Exhausted> {
        let left_of = |limit: i64, used: i64| limit.saturating_sub(used).max(0);
        if self.times.is_some_and(|times| so_far.times >= times) {
            return Err(Exhausted::Times);
        }
        if let Some(most) = self.most {
            let left = left_of(most, so_far.units);
            if units > left {
                return Err(Exhausted::Most { left });
            }
        }
        if let Some(budget) = self.budget {
            let left = left_of(budget, so_far.given);
            if units > left {
                return Err(Exhausted::Budget { left });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_unit_is_given_and_no_more() {
        let limits = Limits {
            budget: Some(100),
            times: Some(2),
            most: Some(60),
        };
        let so_far = |given, times, units| Standing {
            given,
            times,
            units,
        };
        let cases = [
            (so_far(0, 0, 0), 60, Ok(())),
            (so_far(40, 1, 0), 60, Ok(())),
            (so_far(41, 1, 0), 60, Err(Exhausted::Budget { left: 59 })),
            (so_far(0, 1, 1), 60, Err(Exhausted::Most { left: 59 })),
            (so_far(0, 2, 0), 1, Err(Exhausted::Times)),
            (so_far(200, 0, 0), 1, Err(Exhausted::Budget { left: 0 })),
        ];
        for (so_far, units, expected) in cases {
            assert_eq!(limits.admit(&so_far, units), expected, "{so_far:?} {units}");
        }
        assert_eq!(Limits::default().admit(&so_far(1, 1, 1), i64::MAX), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_the_limits_hold(
            asks in prop::collection::vec(1..50_i64, 0..40), budget in 1..300_i64, times in 1..9_i64, most in 1..90_i64,
        ) {
            let limits = Limits { budget: Some(budget), times: Some(times), most: Some(most) };
            let mut so_far = Standing::default();
            for units in asks {
                if limits.admit(&so_far, units).is_ok() {
                    so_far.given += units;
                    so_far.times += 1;
                    so_far.units += units;
                }
            }
            prop_assert!(so_far.given <= budget && so_far.times <= times && so_far.units <= most);
        }
    }
}
