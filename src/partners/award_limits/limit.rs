//! A limit of what a wallet is awarded for a reason within a period.
//!
//! | reason     | period        | most       | says                                    |
//! |------------|---------------|------------|-----------------------------------------|
//! | `check_in` | a day         | 1 time     | checking in pays once a day             |
//! | `check_in` | a day         | 10 points  | and no more than 10                     |
//! | `review`   | a month       | 50 points  | reviews pay 50 a month at the most      |
//!
//! An award keeps all limits of its reason, or is refused for the first that it does not.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::partners::period::{HOURS, MONTHS, Mark, Period, Standing};
use crate::points::amount::MAX_UNITS;

/// Why points are given. Loyalty is not only purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Purchase,
    Referral,
    CheckIn,
    Review,
    Share,
    Survey,
    Event,
    Birthday,
    Surprise,
    Adjustment,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::Purchase => "purchase",
            Reason::Referral => "referral",
            Reason::CheckIn => "check_in",
            Reason::Review => "review",
            Reason::Share => "share",
            Reason::Survey => "survey",
            Reason::Event => "event",
            Reason::Birthday => "birthday",
            Reason::Surprise => "surprise",
            Reason::Adjustment => "adjustment",
        }
    }
}

/// So much or so often for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwardLimit {
    pub reason: Reason,
    pub period: Period,
    pub most: Most,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Most {
    /// Smallest units.
    Units(i64),
    Times(i64),
}

/// An award would go over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub limit: AwardLimit,
    pub standing: Standing,
    pub needed: i64,
}

/// Which of some limits cannot be, by its place, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLimit {
    pub at: usize,
    pub field: &'static str,
    pub rule: &'static str,
}

/// The most limits of a currency.
const LIMITS: usize = 50;

/// The most times.
const TIMES: i64 = 1_000_000;

impl AwardLimit {
    /// The first instant that counts.
    pub fn begins(&self, zone: Tz, now: Timestamp) -> Timestamp {
        self.period.begins(zone, now)
    }

    /// How it stands for a wallet of which these awards are counted.
    pub fn standing(&self, marks: &[Mark], zone: Tz, now: Timestamp) -> Standing {
        let (Most::Units(most) | Most::Times(most)) = self.most;
        let counted = (marks, |mark: &Mark| self.count(mark));
        self.period
            .standing(most, counted, self.begins(zone, now), zone)
    }

    /// How much one award counts.
    fn count(&self, mark: &Mark) -> i64 {
        match self.most {
            Most::Units(_) => mark.gained,
            Most::Times(_) => mark.times,
        }
    }

    /// Whether another limits the same in the same period.
    fn is_of_the_same(&self, other: &AwardLimit) -> bool {
        let kind = std::mem::discriminant(&self.most) == std::mem::discriminant(&other.most);
        kind && (self.reason, self.period) == (other.reason, other.period)
    }
}

/// Refuses limits that say nothing, or the same twice.
pub fn check(limits: &[AwardLimit]) -> Result<(), BadLimit> {
    if limits.len() > LIMITS {
        let (field, rule) = ("reason", "at most 50 limits");
        return Err(BadLimit {
            at: LIMITS,
            field,
            rule,
        });
    }
    for (at, limit) in limits.iter().enumerate() {
        let bad = |field, rule| Err(BadLimit { at, field, rule });
        match limit.most {
            Most::Units(units) if !(1..=MAX_UNITS).contains(&units) => {
                return bad("amount", "an amount above zero");
            }
            Most::Times(times) if !(1..=TIMES).contains(&times) => {
                return bad("times", "1 to 1,000,000");
            }
            Most::Units(_) | Most::Times(_) => {}
        }
        match limit.period {
            Period::Hours(hours) if !(1..=HOURS).contains(&hours) => {
                return bad("hours", "1 hour to ten years of them");
            }
            Period::Months(months) if !(1..=MONTHS).contains(&months) => {
                return bad("months", "1 to 120 months");
            }
            Period::Hours(_) | Period::Months(_) | Period::Calendar(_) => {}
        }
        if limits[..at].iter().any(|other| other.is_of_the_same(limit)) {
            return bad("reason", "another limit than one before it");
        }
    }
    Ok(())
}

/// Refuses an award that goes over one of the limits of its reason, by what is counted of its wallet.
pub fn admit<'a>(
    limits: impl Iterator<Item = &'a AwardLimit>,
    marks: &[Mark],
    award: &Mark,
    (zone, now): (Tz, Timestamp),
) -> Result<(), Reached> {
    for limit in limits {
        let standing = limit.standing(marks, zone, now);
        let needed = limit.count(award);
        if needed > standing.left() {
            return Err(Reached {
                limit: *limit,
                standing,
                needed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partners::period::Calendar;
    use chrono::{DateTime, Duration};
    use proptest::prelude::*;

    const DAY: Period = Period::Calendar(Calendar::Day);

    fn limit(period: Period, most: Most) -> AwardLimit {
        AwardLimit {
            reason: Reason::CheckIn,
            period,
            most,
        }
    }

    /// Nine in the evening of 15 January 2027 in Hong Kong.
    fn evening() -> Timestamp {
        DateTime::from_timestamp(1_800_018_000, 0).unwrap()
    }

    fn award(at: Timestamp, units: i64) -> Mark {
        Mark {
            at,
            given: 0,
            gained: units,
            times: 1,
        }
    }

    #[test]
    fn limits_that_cannot_be_are_named() {
        let ten = limit(DAY, Most::Units(10));
        let once = limit(DAY, Most::Times(1));
        assert_eq!(
            check(&[ten, once, limit(Period::Hours(24), Most::Times(1))]),
            Ok(())
        );
        let cases = [
            (vec![limit(DAY, Most::Units(0))], 0, "amount"),
            (vec![ten, limit(DAY, Most::Times(0))], 1, "times"),
            (vec![limit(Period::Hours(0), Most::Times(1))], 0, "hours"),
            (
                vec![limit(Period::Months(121), Most::Times(1))],
                0,
                "months",
            ),
            (vec![ten, once, limit(DAY, Most::Units(20))], 2, "reason"),
            (vec![ten; 51], 50, "reason"),
        ];
        for (limits, at, field) in cases {
            let bad = check(&limits).unwrap_err();
            assert_eq!((bad.at, bad.field), (at, field), "{limits:?}");
        }
    }

    #[test]
    fn a_day_ends_where_the_currency_is_at_home() {
        let zone = chrono_tz::Asia::Hong_Kong;
        let now = evening();
        let limits = [limit(DAY, Most::Times(1)), limit(DAY, Most::Units(10))];
        let admit = |marks: &[Mark], units, hours| {
            let at = now + Duration::hours(hours);
            super::admit(limits.iter(), marks, &award(at, units), (zone, at))
        };
        assert_eq!(admit(&[], 10, 0), Ok(()));
        let reached = admit(&[], 11, 0).unwrap_err();
        assert_eq!((reached.standing.left(), reached.needed), (10, 11));
        assert_eq!(reached.standing.renews_at, None);
        let before = [award(now, 4)];
        let reached = admit(&before, 1, 2).unwrap_err();
        assert_eq!(reached.limit, limits[0]);
        let midnight = now + Duration::hours(3);
        assert_eq!(reached.standing.renews_at, Some(midnight));
        assert_eq!(admit(&before, 10, 3), Ok(()), "tomorrow");
        // What was taken back is as if it had not been.
        let back = Mark {
            at: now,
            given: 0,
            gained: -4,
            times: -1,
        };
        assert_eq!(admit(&[before[0], back], 10, 1), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_no_period_has_more(
            asks in prop::collection::vec((1..9_i64, 0..30_i64), 1..60), times in 1..4_i64, units in 1..20_i64, hours in 1..50_u32,
        ) {
            let zone = chrono_tz::Asia::Hong_Kong;
            let limits = [limit(Period::Hours(hours), Most::Times(times)), limit(Period::Hours(hours), Most::Units(units))];
            let (mut marks, mut now) = (Vec::new(), evening());
            for (units, later) in asks {
                now += Duration::hours(later);
                let one = award(now, units);
                if admit(limits.iter(), &marks, &one, (zone, now)).is_ok() {
                    marks.push(one);
                }
            }
            for (at, first) in marks.iter().enumerate() {
                let until = first.at + Duration::hours(hours.into());
                let within = || marks[at..].iter().filter(|mark| mark.at < until);
                prop_assert!(within().count() as i64 <= times);
                prop_assert!(within().map(|mark| mark.gained).sum::<i64>() <= units);
            }
        }
    }
}
