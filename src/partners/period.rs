//! A period of time that something is counted in, where a currency is at home, and what is counted.
//!
//! | period                    | holds what was done                            |
//! |---------------------------|------------------------------------------------|
//! | a day, a month, a year    | on that of the calendar in the zone            |
//! | ever                      | at any time                                    |
//! | any so many hours, months | less than that ago                             |
//!
//! What was exactly a rolling period ago is in it no more.

use std::fmt;

use chrono::{Datelike, Duration, Months};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::expiry::start_of_day;
use crate::clock::{self, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Calendar(Calendar),
    /// Any so many hours.
    Hours(u32),
    /// Any so many months.
    Months(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CalendarPeriod)]
pub enum Calendar {
    Day,
    Month,
    Year,
    Ever,
}

/// The most hours and months of a rolling period: ten years.
pub const HOURS: u32 = 10 * 366 * 24;
pub const MONTHS: u32 = 120;

/// Something done at an instant that is counted; below zero what was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub at: Timestamp,
    pub given: i64,
    pub gained: i64,
    pub times: i64,
}

/// How much of a limit is used at an instant, in smallest units or times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub most: i64,
    pub used: i64,
    /// When something of it comes back; none when nothing is used, or it never does.
    pub renews_at: Option<Timestamp>,
}

impl Standing {
    pub fn left(&self) -> i64 {
        (self.most - self.used).max(0)
    }
}

impl Period {
    /// The first instant that is in the period of `now`.
    pub fn begins(self, zone: Tz, now: Timestamp) -> Timestamp {
        let today = now.with_timezone(&zone).date_naive();
        let first = |day: Option<chrono::NaiveDate>| start_of_day(zone, day.unwrap_or(today));
        let just_after = |instant: Timestamp| instant + Duration::microseconds(1);
        match self {
            Period::Calendar(Calendar::Day) => start_of_day(zone, today),
            Period::Calendar(Calendar::Month) => first(today.with_day(1)),
            Period::Calendar(Calendar::Year) => first(today.with_ordinal(1)),
            Period::Calendar(Calendar::Ever) => clock::ALWAYS,
            Period::Hours(hours) => just_after(now - Duration::hours(hours.into())),
            Period::Months(months) => {
                let before = now
                    .with_timezone(&zone)
                    .checked_sub_months(Months::new(months));
                before.map_or(clock::ALWAYS, |before| just_after(before.to_utc()))
            }
        }
    }

    /// When what was at an instant is in it no more; none when it always is.
    pub fn ends(self, at: Timestamp, zone: Tz) -> Option<Timestamp> {
        let local = at.with_timezone(&zone);
        let day = local.date_naive();
        let next = |day: Option<chrono::NaiveDate>| day.map(|day| start_of_day(zone, day));
        match self {
            Period::Calendar(Calendar::Day) => next(day.succ_opt()),
            Period::Calendar(Calendar::Month) => {
                let first = day.with_day(1);
                next(first.and_then(|first| first.checked_add_months(Months::new(1))))
            }
            Period::Calendar(Calendar::Year) => {
                next(chrono::NaiveDate::from_ymd_opt(day.year() + 1, 1, 1))
            }
            Period::Calendar(Calendar::Ever) => None,
            Period::Hours(hours) => Some(at + Duration::hours(hours.into())),
            Period::Months(months) => {
                let months = Months::new(months);
                // A time of day that clocks skip or show twice is read from the clock of UTC.
                let there = local.checked_add_months(months);
                let there = there.map(|then| then.to_utc());
                there.or_else(|| at.checked_add_months(months))
            }
        }
    }

    /// How a limit of `most` stands by what was done in it, `count` of each mark, since it `begins`.
    pub fn standing(
        self,
        most: i64,
        (marks, count): (&[Mark], impl Fn(&Mark) -> i64),
        begins: Timestamp,
        zone: Tz,
    ) -> Standing {
        let counted = || marks.iter().filter(|mark| mark.at >= begins);
        let oldest = counted().map(|mark| mark.at).min();
        Standing {
            most,
            used: counted().map(count).sum(),
            renews_at: oldest.and_then(|oldest| self.ends(oldest, zone)),
        }
    }
}

impl fmt::Display for Period {
    /// A word that no other period has: what is counted by it is kept under it, so it never changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Calendar(Calendar::Day) => f.write_str("day"),
            Period::Calendar(Calendar::Month) => f.write_str("month"),
            Period::Calendar(Calendar::Year) => f.write_str("year"),
            Period::Calendar(Calendar::Ever) => f.write_str("ever"),
            Period::Hours(hours) => write!(f, "{hours}h"),
            Period::Months(months) => write!(f, "{months}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_period() -> impl Strategy<Value = Period> {
        let calendar = [
            Calendar::Day,
            Calendar::Month,
            Calendar::Year,
            Calendar::Ever,
        ];
        prop_oneof![
            proptest::sample::select(calendar.to_vec()).prop_map(Period::Calendar),
            (1..9_000_u32).prop_map(Period::Hours),
            (1..=MONTHS).prop_map(Period::Months),
        ]
    }

    proptest! {
        #[test]
        fn what_was_done_is_in_the_period_until_it_ends(
            period in any_period(), at in 1_800_000_000..1_900_000_000_i64, later in 0..40_000_000_i64,
        ) {
            let instant = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
            let zone = chrono_tz::Asia::Hong_Kong;
            let (at, now) = (instant(at), instant(at + later));
            let is_in = at >= period.begins(zone, now);
            // A month before the 31st may be the 30th, as may the month after it.
            let is_short = matches!(period, Period::Months(_));
            let ends = period.ends(at, zone);
            let is_open = ends.is_none_or(|end| now < end);
            let is_near = ends.is_some_and(|end| (end - now).abs() <= Duration::days(4));
            prop_assert!(is_in == is_open || is_short && is_near, "{ends:?}");
        }
    }
}
