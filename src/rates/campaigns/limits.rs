//! What a campaign has given, and whether it may give more.
//!
//! ```text
//! given + bonus ≤ budget      what a wallet had within a period + bonus ≤ most, or once more ≤ times
//! ```
//!
//! The limits of a wallet are [allowances](Allowance) as cards have them, of bonuses of the campaign and
//! of how often they were given; "once" and "at most 500" are such of all time. Days, months and years are
//! those of the zone in which the campaign tells its window.
//!
//! Asked when a quote is priced, of what is known then, and again when it is taken, of what is locked.

use chrono_tz::Tz;

use super::campaign::CampaignTerms;
use crate::clock::Timestamp;
use crate::partners::period::Mark;
use crate::points::amount::{Scale, Scales};
use crate::rates::allowance::{self, Allowance};
use crate::rates::printed::Printed;
use crate::rates::refusal::BadTerms;

/// What a campaign has given so far: in all, and to the wallet that gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub given: i64,
    pub used: Vec<Mark>,
}

/// What a campaign may give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// In smallest units.
    pub budget: Option<i64>,
    /// To one wallet.
    pub each: Vec<Allowance>,
    pub zone: Tz,
    /// Of what is gained.
    pub scale: Scale,
}

/// Why a bonus is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exhausted {
    /// What is left of the budget is less than the bonus.
    Budget { left: i64 },
    /// The wallet may have less more than the bonus, or not once more.
    Each(Allowance, allowance::Standing),
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            budget: None,
            each: Vec::new(),
            zone: Tz::UTC,
            scale: Scale::WHOLE,
        }
    }
}

impl Limits {
    /// The limits of terms whose bonus is in units of this scale.
    pub fn of(terms: &CampaignTerms, scale: Scale) -> Result<Limits, BadTerms> {
        let budget = |budget: Printed| budget.units(scale, "budget");
        Ok(Limits {
            budget: terms.budget.map(budget).transpose()?,
            each: terms.each(),
            zone: terms.zone(),
            scale,
        })
    }

    /// Refuses a bonus that does not fit whole.
    pub fn admit(&self, so_far: &Standing, units: i64, now: Timestamp) -> Result<(), Exhausted> {
        let bonus = Mark {
            at: now,
            given: 0,
            gained: units,
            times: 1,
        };
        for allowance in &self.each {
            let standing = allowance.standing(self.scales(), &so_far.used, (self.zone, now));
            let full = standing.filter(|it| allowance.count(&bonus) > it.left());
            if let Some(standing) = full {
                return Err(Exhausted::Each(allowance.clone(), standing));
            }
        }
        let left = self.budget.map(|budget| (budget - so_far.given).max(0));
        match left.filter(|left| units > *left) {
            Some(left) => Err(Exhausted::Budget { left }),
            None => Ok(()),
        }
    }

    /// How much one allows, in smallest units or times.
    pub fn most(&self, allowance: &Allowance) -> i64 {
        // What a draft was refused for is in no campaign.
        allowance.most(self.scales(), "allowances").unwrap_or(0)
    }

    /// What is given has no part in them.
    fn scales(&self) -> Scales {
        Scales {
            source: self.scale,
            target: self.scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::campaign::tests::terms;
    use super::*;
    use chrono::{DateTime, Duration};
    use proptest::prelude::*;

    fn at(hours: i64) -> Timestamp {
        // Midnight in Hong Kong.
        DateTime::from_timestamp(1_799_942_400, 0).unwrap() + Duration::hours(hours)
    }

    fn had(hours: i64, units: i64) -> Mark {
        Mark {
            at: at(hours),
            given: 0,
            gained: units,
            times: units.signum(),
        }
    }

    fn limits(more: &str) -> Limits {
        let bonus = r#""bonus":{"kind":"fixed","bonus":1}"#;
        Limits::of(&terms(&format!("{bonus},{more}")), Scale::WHOLE).unwrap()
    }

    /// The limits; what a wallet had; the bonus, at an hour; what is left where it is refused.
    type Case<'a> = (&'a str, &'a [Mark], i64, i64, Option<i64>);

    /// What is left where a bonus is refused.
    fn refused(limits: &Limits, used: &[Mark], given: i64, units: i64, now: i64) -> Option<i64> {
        let so_far = Standing {
            given,
            used: used.to_vec(),
        };
        match limits.admit(&so_far, units, at(now)) {
            Ok(()) => None,
            Err(Exhausted::Budget { left }) => Some(left),
            Err(Exhausted::Each(_, standing)) => Some(standing.left()),
        }
    }

    #[test]
    fn the_last_unit_is_given_and_no_more() {
        let limits = limits(r#""budget":100,"times":2,"most":60"#);
        let cases: [(&[Mark], i64, i64, Option<i64>); 6] = [
            (&[], 0, 60, None),
            (&[], 40, 60, None),
            (&[], 41, 60, Some(59)),
            (&[had(0, 1)], 1, 60, Some(59)),
            (&[had(0, 1), had(0, 1)], 2, 1, Some(0)),
            (&[], 200, 1, Some(0)),
        ];
        for (used, given, units, left) in cases {
            assert_eq!(
                refused(&limits, used, given, units, 1),
                left,
                "{used:?} {units}"
            );
        }
        let none = Limits::default();
        assert_eq!(refused(&none, &[had(0, 9)], 9, i64::MAX, 1), None);
    }

    #[test]
    fn a_period_is_of_the_zone_of_the_campaign() {
        let day = r#""allowances":[{"period":"day","gained":500}]"#;
        let once = r#""allowances":[{"period":"month","times":1}]"#;
        let cooldown = r#""allowances":[{"hours":24,"times":1}],"most":700"#;
        let cases: [Case<'_>; 9] = [
            (day, &[had(0, 400)], 100, 23, None),
            (day, &[had(0, 400)], 101, 23, Some(100)),
            (day, &[had(0, 400)], 500, 24, None),
            (day, &[had(0, 400), had(0, -400)], 500, 23, None),
            (day, &[had(0, 400), had(0, -150)], 251, 23, Some(250)),
            (once, &[had(0, 1)], 1, 24, Some(0)),
            (cooldown, &[had(0, 400)], 300, 24, None),
            (cooldown, &[had(0, 400)], 300, 23, Some(0)),
            (cooldown, &[had(0, 400)], 301, 24, Some(300)),
        ];
        for (more, used, units, now, left) in cases {
            let refused = refused(&limits(more), used, 0, units, now);
            assert_eq!(refused, left, "{more} {used:?} {units} {now}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_and_given_back_the_limits_hold(
            asks in prop::collection::vec((1..50_i64, 0..9_i64, any::<bool>()), 0..40),
            budget in 1..300_i64, times in 1..9_i64, most in 1..90_i64, a_day in 1..60_i64,
        ) {
            let day = format!(r#""allowances":[{{"period":"day","gained":{a_day}}}]"#);
            let limits = limits(&format!(r#""budget":{budget},"times":{times},"most":{most},{day}"#));
            let (mut so_far, mut now) = (Standing::default(), 0);
            for (units, later, gives_back) in asks {
                now += later;
                if limits.admit(&so_far, units, at(now)).is_ok() {
                    so_far.given += units;
                    so_far.used.push(had(now, units));
                }
                let last = so_far.used.last().copied();
                if let Some(last) = last.filter(|last| gives_back && last.gained > 0) {
                    so_far.given -= last.gained;
                    so_far.used.push(Mark { gained: -last.gained, times: -1, ..last });
                }
                let sum = |of: fn(&Mark) -> i64| so_far.used.iter().map(of).sum::<i64>();
                prop_assert!(so_far.given <= budget && so_far.given == sum(|used| used.gained));
                prop_assert!(sum(|used| used.times) <= times && sum(|used| used.gained) <= most);
                let today = so_far.used.iter().filter(|used| used.at >= at(now - now % 24));
                prop_assert!(today.map(|used| used.gained).sum::<i64>() <= a_day);
            }
        }
    }
}
