//! How much or how often one member may convert under a card within a period.
//!
//! | JSON                                | says                                                     |
//! |-------------------------------------|----------------------------------------------------------|
//! | `{"period":"year","given":30000}`   | 30,000 given in a calendar year where the source's issuer is |
//! | `{"period":"month","times":5}`      | five conversions a calendar month                        |
//! | `{"months":12,"times":1}`           | once in any twelve months                                |
//! | `{"hours":24,"times":1}`            | once in any 24 hours: a cooldown                         |
//! | `{"period":"ever","times":1}`       | only once                                                |
//! | `"gained": 180000`                  | of what is gained, instead of what is given              |
//! | `"group": "airlines"`               | together with all cards of the source that name the group |
//! | `"from": "2026-02-01T00:00:00Z"`    | only from then on                                        |
//!
//! A member here is the wallet that gives. What is given counts with a fee on top of it, and what is gained
//! without one taken off it. Days, months and years are the calendar's in the zone of the
//! currency that is given; what was given exactly a rolling period ago counts no more.

use std::cmp::Ordering;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::limit::positive_units;
use super::period::{self, check_group, one_of};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use crate::clock::{self, Timestamp};
pub use crate::partners::period::{Calendar, Mark, Period, Standing};
use crate::points::amount::Scales;

/// A limit within a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenAllowance", into = "WrittenAllowance")]
pub struct Allowance {
    pub period: Period,
    pub most: Most,
    /// Counted together with every card of the source currency that names the group; alone where none.
    pub group: Option<String>,
    pub from: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    Given(Printed),
    Gained(Printed),
    Times(i64),
}

/// The most times.
const TIMES: i64 = 1_000_000;

impl Allowance {
    /// The limit in smallest units or times; `field` is its place in the terms.
    pub(super) fn most(&self, scales: Scales, field: &str) -> Result<i64, BadTerms> {
        match self.most {
            Most::Given(most) => positive_units(most, scales.source, &format!("{field}.given")),
            Most::Gained(most) => positive_units(most, scales.target, &format!("{field}.gained")),
            Most::Times(times) => match times {
                ..1 => Err(BadTerms::new(format!("{field}.times"), Reason::NotPositive)),
                1..=TIMES => Ok(times),
                _ => Err(BadTerms::new(format!("{field}.times"), Reason::TooLarge)),
            },
        }
    }

    /// The first instant that counts.
    pub fn begins(&self, zone: Tz, now: Timestamp) -> Timestamp {
        let begins = self.period.begins(zone, now);
        self.from.map_or(begins, |from| begins.max(from))
    }

    /// How much is used at `now`; none while the limit does not hold yet.
    pub fn standing(
        &self,
        scales: Scales,
        marks: &[Mark],
        (zone, now): (Tz, Timestamp),
    ) -> Option<Standing> {
        if self.from.is_some_and(|from| now < from) {
            return None;
        }
        let most = self.most(scales, "allowances").unwrap_or(0);
        let counted = (marks, |mark: &Mark| self.count(mark));
        let begins = self.begins(zone, now);
        Some(self.period.standing(most, counted, begins, zone))
    }

    /// How much of the same another allows: none where it counts another thing, or in another period.
    pub(super) fn grown(&self, other: &Allowance) -> Option<Ordering> {
        let counted = |it: &Allowance| (it.period, it.from);
        match (self.most, other.most) {
            _ if counted(self) != counted(other) || self.group != other.group => None,
            (Most::Given(most), Most::Given(other)) => Some(other.cmp(&most)),
            (Most::Gained(most), Most::Gained(other)) => Some(other.cmp(&most)),
            (Most::Times(most), Most::Times(other)) => Some(other.cmp(&most)),
            (Most::Given(_) | Most::Gained(_) | Most::Times(_), _) => None,
        }
    }

    /// Whether it limits what is given.
    pub fn is_of_given(&self) -> bool {
        matches!(self.most, Most::Given(_))
    }

    /// How much one use counts.
    pub fn count(&self, used: &Mark) -> i64 {
        match self.most {
            Most::Given(_) => used.given,
            Most::Gained(_) => used.gained,
            Most::Times(_) => used.times,
        }
    }
}

/// Refuses allowances that nothing could be converted under, or that say nothing.
pub(super) fn check(
    allowances: &[Allowance],
    scales: Scales,
    smallest: Option<i64>,
) -> Result<(), BadTerms> {
    for (at, allowance) in allowances.iter().enumerate() {
        let field = format!("allowances[{at}]");
        let most = allowance.most(scales, &field)?;
        let is_below = allowance.is_of_given() && smallest.is_some_and(|smallest| most < smallest);
        if is_below {
            return Err(BadTerms::new(
                format!("{field}.given"),
                Reason::BelowMinimum,
            ));
        }
        let earlier = &allowances[..at];
        if earlier.iter().any(|other| other.grown(allowance).is_some()) {
            return Err(BadTerms::new(field, Reason::SaidTwice));
        }
    }
    Ok(())
}

/// The JSON of an allowance: one flat object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAllowance {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Calendar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    months: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<Printed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gained: Option<Printed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
}

impl TryFrom<WrittenAllowance> for Allowance {
    type Error = BadTerms;

    fn try_from(written: WrittenAllowance) -> Result<Allowance, BadTerms> {
        let WrittenAllowance {
            period,
            hours,
            months,
            given,
            gained,
            times,
            group,
            from,
        } = written;
        let limits = [
            given.map(Most::Given),
            gained.map(Most::Gained),
            times.map(Most::Times),
        ];
        let period = period::of(period, hours, months, FIELD)?;
        let most = one_of(limits, FIELD, "given")?;
        if group.is_some() && matches!(most, Most::Gained(_)) {
            return Err(BadTerms::new(place("gained"), Reason::NotOfAGroup));
        }
        check_group(group.as_deref(), FIELD)?;
        if from.is_some_and(|from| !clock::is_sensible(from)) {
            return Err(BadTerms::new(place("from"), Reason::NotSensible));
        }
        Ok(Allowance {
            period,
            most,
            group,
            from,
        })
    }
}

impl From<Allowance> for WrittenAllowance {
    fn from(allowance: Allowance) -> WrittenAllowance {
        let Allowance {
            period,
            most,
            group,
            from,
        } = allowance;
        let (calendar, hours, months) = period::written(period);
        let (mut given, mut gained, mut times) = (None, None, None);
        match most {
            Most::Given(most) => given = Some(most),
            Most::Gained(most) => gained = Some(most),
            Most::Times(most) => times = Some(most),
        }
        WrittenAllowance {
            period: calendar,
            hours,
            months,
            given,
            gained,
            times,
            group,
            from,
        }
    }
}

const FIELD: &str = "allowances";

fn place(field: &str) -> String {
    format!("{FIELD}.{field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HONG_KONG: Tz = chrono_tz::Asia::Hong_Kong;

    fn allowance(json: &str) -> Allowance {
        serde_json::from_str(json).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn used(at_text: &str, given: i64) -> Mark {
        let at = at(at_text);
        Mark {
            at,
            given,
            gained: given / 2,
            times: 1,
        }
    }

    fn standing(json: &str, used: &[Mark], now: &str) -> Option<(i64, i64, Option<String>)> {
        let standing = allowance(json).standing(Scales::WHOLE, used, (HONG_KONG, at(now)))?;
        let renews = standing.renews_at.map(|at| at.format("%FT%TZ").to_string());
        Some((standing.used, standing.left(), renews))
    }

    #[test]
    fn a_period_counts_what_is_in_it() {
        let uses = [
            used("2026-12-31T15:59:59Z", 400),
            used("2026-12-31T16:00:00Z", 300),
            used("2027-01-15T00:00:00Z", 200),
        ];
        let renews = |at: &str| Some(at.to_owned());
        let now = "2027-01-31T04:00:00Z";
        let cases = [
            // The year begins at midnight where the issuer is.
            (
                r#"{"period":"year","given":1000}"#,
                (500, 500, renews("2027-12-31T16:00:00Z")),
            ),
            (
                r#"{"period":"month","gained":300}"#,
                (250, 50, renews("2027-01-31T16:00:00Z")),
            ),
            (r#"{"period":"day","times":1}"#, (0, 1, None)),
            (r#"{"period":"ever","given":100}"#, (900, 0, None)),
            (
                r#"{"months":1,"times":3}"#,
                (3, 0, renews("2027-01-31T15:59:59Z")),
            ),
            (r#"{"hours":388,"times":3}"#, (0, 3, None)),
            (
                r#"{"hours":389,"times":3}"#,
                (1, 2, renews("2027-01-31T05:00:00Z")),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(standing(json, &uses, now), Some(expected), "{json}");
        }
    }

    #[test]
    fn what_was_exactly_a_period_ago_counts_no_more() {
        let uses = [used("2027-01-01T00:00:00Z", 1)];
        let once = r#"{"hours":24,"times":1}"#;
        let left = |now| standing(once, &uses, now).unwrap().1;
        assert_eq!(left("2027-01-01T23:59:59.999999Z"), 0);
        assert_eq!(left("2027-01-02T00:00:00Z"), 1);
    }

    #[test]
    fn a_limit_with_a_beginning_does_not_count_what_was_before() {
        let from = r#"{"period":"month","times":5,"from":"2027-01-20T00:00:00Z"}"#;
        let uses = [
            used("2027-01-10T00:00:00Z", 1),
            used("2027-01-21T00:00:00Z", 1),
        ];
        assert_eq!(standing(from, &uses, "2027-01-19T00:00:00Z"), None);
        assert_eq!(standing(from, &uses, "2027-01-22T00:00:00Z").unwrap().0, 1);
    }

    #[test]
    fn what_was_taken_back_is_free_again() {
        let undone = Mark {
            given: -300,
            times: -1,
            ..used("2027-01-10T00:00:00Z", 0)
        };
        let uses = [used("2027-01-10T00:00:00Z", 300), undone];
        let year = r#"{"period":"year","given":1000}"#;
        assert_eq!(standing(year, &uses, "2027-02-01T00:00:00Z").unwrap().0, 0);
    }

    #[test]
    fn what_says_too_little_or_too_much_is_refused() {
        let cases = [
            (r#"{"given":5}"#, "allowances.period: is missing"),
            (r#"{"period":"day"}"#, "allowances.given: is missing"),
            (
                r#"{"period":"day","hours":3,"given":5}"#,
                "allowances.period: is said twice",
            ),
            (
                r#"{"period":"day","given":5,"times":1}"#,
                "allowances.given: is said twice",
            ),
            (
                r#"{"hours":0,"times":1}"#,
                "allowances.hours: must be at least 1",
            ),
            (
                r#"{"months":121,"times":1}"#,
                "allowances.months: is larger",
            ),
            (
                r#"{"period":"day","gained":5,"group":"a"}"#,
                "allowances.gained: is counted",
            ),
            (
                r#"{"period":"day","given":5,"group":"A b"}"#,
                "allowances.group: is not",
            ),
            (r#"{"period":"week","given":5}"#, "unknown variant `week`"),
        ];
        for (json, expected) in cases {
            let told = serde_json::from_str::<Allowance>(json)
                .unwrap_err()
                .to_string();
            assert!(told.contains(expected), "{json}: {told}");
        }
    }

    #[test]
    fn allowances_are_written_as_they_are_read() {
        for json in [
            r#"{"period":"year","given":30000,"group":"airlines"}"#,
            r#"{"hours":24,"times":1}"#,
            r#"{"months":12,"gained":"12.50","from":"2026-02-01T00:00:00Z"}"#,
        ] {
            assert_eq!(serde_json::to_string(&allowance(json)).unwrap(), json);
        }
    }

    #[test]
    fn nothing_is_allowed_that_no_amount_could_use() {
        let check = |json: &[&str]| {
            let all: Vec<Allowance> = json.iter().map(|json| allowance(json)).collect();
            check(&all, Scales::WHOLE, Some(1000)).map_err(|bad| bad.to_string())
        };
        let day = r#"{"period":"day","given":999}"#;
        assert_eq!(
            check(&[day]),
            Err("allowances[0].given: is below the minimum".into())
        );
        let (year, other) = (
            r#"{"period":"year","given":1000}"#,
            r#"{"period":"year","given":2000}"#,
        );
        assert_eq!(
            check(&[year, other]),
            Err("allowances[1]: is said twice".into())
        );
        assert_eq!(check(&[year, r#"{"period":"year","times":3}"#]), Ok(()));
    }
}
