//! When points expire: always at the end of a day in the currency's zone.
//!
//! | policy         | the last day                                             |
//! |----------------|----------------------------------------------------------|
//! | `none`         | there is none                                            |
//! | `fixed`        | that date, for everybody                                 |
//! | `rolling`      | so many months after the day they were earned            |
//! | `end_of_period`| the end of the period they were earned in, or of a later |
//! | `activity`     | so many months after the member's last activity          |
//!
//! The end of a day is 24:00, which is the first instant of the next. A month after 31 January is
//! the last day of February. Where clocks skip midnight, a day begins when they go on.

use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{self, Timestamp};

/// How points of a currency expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExpiryPolicy {
    /// They do not. (With braces, so that a field too many is refused here as elsewhere.)
    None {},
    /// All on one day.
    Fixed { on: NaiveDate },
    /// Some months after they were earned.
    Rolling {
        #[schema(minimum = 1, maximum = 600)]
        months: u32,
    },
    /// With the period they were earned in, or `after` periods later.
    EndOfPeriod {
        period: Period,
        #[schema(minimum = 0, maximum = 50)]
        after: u32,
    },
    /// Some months after the member last earned or spent; activity moves the day.
    Activity {
        #[schema(minimum = 1, maximum = 600)]
        months: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Month,
    Quarter,
    Year,
}

/// Which field of a policy cannot be, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPolicy {
    pub field: &'static str,
    pub rule: &'static str,
}

impl ExpiryPolicy {
    /// Whether the policy can work, seen from `now`.
    pub fn check(&self, zone: Tz, now: Timestamp) -> Result<(), BadPolicy> {
        let bad = |field, rule| Err(BadPolicy { field, rule });
        match *self {
            ExpiryPolicy::Fixed { on } if !(2000..2200).contains(&on.year()) => {
                bad("on", "a date before the year 2200")
            }
            ExpiryPolicy::Fixed { on } if end_of_day(zone, on) <= now => {
                bad("on", "a day that is not over")
            }
            ExpiryPolicy::Rolling { months } | ExpiryPolicy::Activity { months }
                if !(1..=600).contains(&months) =>
            {
                bad("months", "1 to 600 months")
            }
            ExpiryPolicy::EndOfPeriod { after, .. } if after > 50 => {
                bad("after", "0 to 50 periods")
            }
            ExpiryPolicy::None {}
            | ExpiryPolicy::Fixed { .. }
            | ExpiryPolicy::Rolling { .. }
            | ExpiryPolicy::EndOfPeriod { .. }
            | ExpiryPolicy::Activity { .. } => Ok(()),
        }
    }

    /// The instant at which points earned at `earned` are gone. For `activity` that is the
    /// member's last activity. A `fixed` day may be over by then.
    pub fn expires_at(&self, zone: Tz, earned: Timestamp) -> Timestamp {
        let day = business_day(zone, earned);
        match *self {
            ExpiryPolicy::None {} => clock::NEVER,
            ExpiryPolicy::Fixed { on } => end_of_day(zone, on),
            ExpiryPolicy::Rolling { months } | ExpiryPolicy::Activity { months } => {
                end_of_day(zone, later(day, months))
            }
            ExpiryPolicy::EndOfPeriod { period, after } => {
                let next = later(period.first_day(day), period.months() * (after + 1));
                start_of_day(zone, next)
            }
        }
    }

    /// Whether activity moves the day.
    pub fn moves_with_activity(&self) -> bool {
        matches!(self, ExpiryPolicy::Activity { .. })
    }
}

impl Period {
    fn months(self) -> u32 {
        match self {
            Period::Month => 1,
            Period::Quarter => 3,
            Period::Year => 12,
        }
    }

    /// The first day of the period that a day is in.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let into = day.month0() % self.months();
        let first = day.with_day(1).unwrap_or(day);
        first.checked_sub_months(Months::new(into)).unwrap_or(first)
    }
}

/// The same day some months later, or the last of that month when it is shorter.
fn later(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months))
        .unwrap_or(NaiveDate::MAX)
}

/// The instant after the last one of a day.
pub fn end_of_day(zone: Tz, day: NaiveDate) -> Timestamp {
    start_of_day(
        zone,
        day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX),
    )
}

/// What day it is in a zone.
pub fn business_day(zone: Tz, at: Timestamp) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The first instant of a day.
pub fn start_of_day(zone: Tz, day: NaiveDate) -> Timestamp {
    instant(zone, day, NaiveTime::MIN)
}

/// When clocks of a zone show a time on a day. Clocks that skip it make it the next minute there is; clocks
/// that repeat it make it the first of the two.
pub fn instant(zone: Tz, day: NaiveDate, time: NaiveTime) -> Timestamp {
    let shown = day.and_time(time);
    // The longest skip there was is one day: Samoa left out 30 December 2011.
    let minutes =
        (0..=48 * 60).filter_map(|minute| shown.checked_add_signed(Duration::minutes(minute)));
    let mut instants = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest());
    instants
        .next()
        .map_or_else(|| shown.and_utc(), |instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Africa, America, Asia, Pacific};

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn on(text: &str) -> NaiveDate {
        text.parse().expect(text)
    }

    const MONTH: ExpiryPolicy = ExpiryPolicy::Rolling { months: 1 };

    #[test]
    fn points_expire_at_the_end_of_a_day_where_their_issuer_is() {
        let to_the_end_of = |period, after| ExpiryPolicy::EndOfPeriod { period, after };
        let cases = [
            // 30 January, 23:59 and 31 January, 00:00 in Hong Kong.
            (
                MONTH,
                Asia::Hong_Kong,
                "2027-01-30T15:59:59Z",
                "2027-02-28T16:00:00Z",
            ),
            (
                MONTH,
                Asia::Hong_Kong,
                "2027-01-31T16:00:00Z",
                "2027-03-01T16:00:00Z",
            ),
            (
                MONTH,
                Asia::Taipei,
                "2028-01-31T10:00:00Z",
                "2028-02-29T16:00:00Z",
            ),
            // Clocks go forward on 14 March 2027 and back on 7 November.
            (
                MONTH,
                America::New_York,
                "2027-02-13T12:00:00Z",
                "2027-03-14T05:00:00Z",
            ),
            (
                MONTH,
                America::New_York,
                "2027-02-14T12:00:00Z",
                "2027-03-15T04:00:00Z",
            ),
            (
                MONTH,
                America::New_York,
                "2027-10-07T12:00:00Z",
                "2027-11-08T05:00:00Z",
            ),
            (
                to_the_end_of(Period::Month, 0),
                Asia::Hong_Kong,
                "2027-02-10T00:00:00Z",
                "2027-02-28T16:00:00Z",
            ),
            (
                to_the_end_of(Period::Quarter, 0),
                Asia::Taipei,
                "2027-03-31T15:59:59Z",
                "2027-03-31T16:00:00Z",
            ),
            (
                to_the_end_of(Period::Quarter, 1),
                Asia::Taipei,
                "2027-03-31T16:00:00Z",
                "2027-09-30T16:00:00Z",
            ),
            (
                to_the_end_of(Period::Year, 2),
                Asia::Hong_Kong,
                "2027-05-05T00:00:00Z",
                "2029-12-31T16:00:00Z",
            ),
            (
                ExpiryPolicy::Activity { months: 18 },
                Asia::Hong_Kong,
                "2027-08-31T00:00:00Z",
                "2029-02-28T16:00:00Z",
            ),
            (
                ExpiryPolicy::Fixed {
                    on: on("2027-12-31"),
                },
                Asia::Taipei,
                "2027-01-01T00:00:00Z",
                "2027-12-31T16:00:00Z",
            ),
        ];
        for (policy, zone, earned, gone) in cases {
            assert_eq!(
                policy.expires_at(zone, at(earned)),
                at(gone),
                "{policy:?} {zone} {earned}"
            );
        }
        assert_eq!(
            ExpiryPolicy::None {}.expires_at(Asia::Taipei, at("2027-01-01T00:00:00Z")),
            clock::NEVER
        );
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_when_clocks_go_on() {
        assert_eq!(
            start_of_day(Africa::Cairo, on("2024-04-26")),
            at("2024-04-25T22:00:00Z")
        );
        assert_eq!(
            start_of_day(America::Havana, on("2024-11-03")),
            at("2024-11-03T04:00:00Z")
        );
        assert_eq!(
            start_of_day(Pacific::Apia, on("2011-12-30")),
            start_of_day(Pacific::Apia, on("2011-12-31"))
        );
    }

    #[test]
    fn a_policy_that_cannot_work_is_refused_by_field() {
        let now = at("2027-06-15T12:00:00Z");
        let field =
            |policy: ExpiryPolicy| policy.check(Asia::Taipei, now).err().map(|bad| bad.field);
        assert_eq!(field(ExpiryPolicy::Rolling { months: 0 }), Some("months"));
        assert_eq!(
            field(ExpiryPolicy::Activity { months: 601 }),
            Some("months")
        );
        assert_eq!(
            field(ExpiryPolicy::EndOfPeriod {
                period: Period::Year,
                after: 51
            }),
            Some("after")
        );
        assert_eq!(
            field(ExpiryPolicy::Fixed {
                on: on("2027-06-14")
            }),
            Some("on")
        );
        assert_eq!(
            field(ExpiryPolicy::Fixed {
                on: on("2200-01-01")
            }),
            Some("on")
        );
        assert_eq!(
            field(ExpiryPolicy::Fixed {
                on: on("2027-06-15")
            }),
            None
        );
        assert_eq!(field(ExpiryPolicy::None {}), None);
    }

    #[test]
    fn a_policy_reads_as_it_is_written() {
        for json in [
            r#"{"policy":"none"}"#,
            r#"{"policy":"fixed","on":"2027-12-31"}"#,
            r#"{"policy":"end_of_period","period":"quarter","after":1}"#,
        ] {
            let policy: ExpiryPolicy = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
        }
        for json in [
            r#"{"policy":"none","months":1}"#,
            r#"{"policy":"rolling"}"#,
            r#"{"policy":"rolling","months":-1}"#,
        ] {
            assert!(
                serde_json::from_str::<ExpiryPolicy>(json).is_err(),
                "{json}"
            );
        }
    }
}
