//! How a card writes a period of time that something is counted in, where the currency given is at home.
//!
//! | JSON                | says                                             |
//! |---------------------|--------------------------------------------------|
//! | `"period": "month"` | a day, a month or a year of the calendar; or `ever` |
//! | `"months": 12`      | any so many months                               |
//! | `"hours": 24`       | any so many hours                                |
//!
//! What was exactly a rolling period ago is in it no more.

use super::refusal::{BadTerms, Reason};
use super::written::needed;
use crate::partners::period::{Calendar, HOURS, MONTHS, Period};

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
pub(super) fn written(period: Period) -> (Option<Calendar>, Option<u32>, Option<u32>) {
    match period {
        Period::Calendar(of) => (Some(of), None, None),
        Period::Hours(count) => (None, Some(count), None),
        Period::Months(count) => (None, None, Some(count)),
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
