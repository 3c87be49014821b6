//! A period of time that something is counted in, where the currency given is at home.
//!
//! | JSON                | says                                             |
//! |---------------------|--------------------------------------------------|
//! | `"period": "month"` | a day, a month or a year of the calendar; or `ever` |
//! | `"months": 12`      | any so many months                               |
//! | `"hours": 24`       | any so many hours                                |
//!
//! What was exactly a rolling period ago is in it no more.

use chrono::{Datelike, Duration, Months};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::refusal::{BadTerms, Reason};
use super::written::needed;
use crate::clock::{self, Timestamp};
use crate::partners::expiry::start_of_day;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Calendar(Calendar),
    /// Any so many hours.
    Hours(u32),
    /// Any so many months.
    Months(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    Day,
    Month,
    Year,
    Ever,
}

/// The most hours and months of a rolling period: ten years.
const HOURS: u32 = 10 * 366 * 24;
const MONTHS: u32 = 120;

impl Period {
    /// Exactly one of the three ways to say it; `field` is where they stand.
    pub(super) fn of(
        calendar: Option<Calendar>,
        hours: Option<u32>,
        months: Option<u32>,
        field: &str,
    ) -> Result<Period, BadTerms> {
        let within = |count: u32, most: u32, name: &str| {
            let bad = |reason| Err(BadTerms::new(format!("{field}.{name}"), reason));
            match count {
                0 => bad(Reason::NotPositive),
                count if count > most => bad(Reason::TooLarge),
                count => Ok(count),
            }
        };
        let periods = [
            calendar.map(|calendar| Ok(Period::Calendar(calendar))),
            hours.map(|hours| within(hours, HOURS, "hours").map(Period::Hours)),
            months.map(|months| within(months, MONTHS, "months").map(Period::Months)),
        ];
        one_of(periods, field, "period")?
    }

    /// As it is written: one of the three.
    pub(super) fn written(self) -> (Option<Calendar>, Option<u32>, Option<u32>) {
        match self {
            Period::Calendar(of) => (Some(of), None, None),
            Period::Hours(count) => (None, Some(count), None),
            Period::Months(count) => (None, None, Some(count)),
        }
    }

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
}

/// Exactly one of some, named by the first when there is none.
pub(super) fn one_of<T, const N: usize>(
    all: [Option<T>; N],
    field: &str,
    first: &str,
) -> Result<T, BadTerms> {
    let place = format!("{field}.{first}");
    let mut said = all.into_iter().flatten();
    let one = needed(said.next(), &place)?;
    match said.next() {
        None => Ok(one),
        Some(_) => Err(BadTerms::new(place, Reason::SaidTwice)),
    }
}

/// Refuses a group that is not named by lowercase letters, digits and dashes, 1 to 40.
pub(super) fn check_group(group: Option<&str>, field: &str) -> Result<(), BadTerms> {
    let is_letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let is_word = |text: &str| (1..=40).contains(&text.len()) && text.bytes().all(is_letter);
    match group.is_none_or(is_word) {
        true => Ok(()),
        false => Err(BadTerms::new(format!("{field}.group"), Reason::NotAWord)),
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
