//! What becomes of points after a conversion: when they arrive, and when they may be converted on.
//!
//! | JSON                                | says                                                  |
//! |-------------------------------------|-------------------------------------------------------|
//! | `"onward":"never"`                  | what is gained is spent, and never converted again    |
//! | `"onward":{"after_days":21}`        | it may be converted again after so many times 24 hours |
//! | `"delivery":{"after_days":3}`       | it can be used from the start of the third day after  |
//! | `"delivery":{"day_of_month":15}`    | it can be used from the start of the next 15th        |
//! | `"delivery":{"code":{"valid_days":30}}` | it can be used once a code is presented, up to the end of the 30th day after |
//!
//! Days begin where the issuer of what is gained is. A month that has no such day delivers on its last.

use std::cmp::Ordering;

use chrono::{Datelike, Days, Duration, Months, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::refusal::{BadTerms, Reason};
use crate::clock::{self, Timestamp};
use crate::partners::expiry::start_of_day;

/// Whether what was gained may be converted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onward {
    Never,
    AfterDays(u16),
}

/// When what was gained arrives, or how; with the conversion where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delivery {
    AfterDays(u16),
    DayOfMonth(u8),
    /// When a code is presented, which can be done so many days.
    Code {
        valid_days: u16,
    },
}

/// How what is gained at an instant arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It can be used from then on.
    From(Timestamp),
    /// It can be used once its code is presented, and is gone when that was not done before then.
    ByCode { until: Timestamp },
}

/// The most days of either.
const DAYS: u16 = 3660;

impl Onward {
    pub(super) fn check(self) -> Result<(), BadTerms> {
        match self {
            Onward::Never => Ok(()),
            Onward::AfterDays(days) => within(days, DAYS, "onward.after_days"),
        }
    }

    /// How the wait compares with another; none of its own is the shortest.
    pub(super) fn grown(before: Option<Onward>, after: Option<Onward>) -> Ordering {
        let wait = |onward: Option<Onward>| match onward {
            None => (false, 0),
            Some(Onward::AfterDays(days)) => (false, days),
            Some(Onward::Never) => (true, 0),
        };
        wait(after).cmp(&wait(before))
    }

    /// From when on what is gained at `now` may be converted again.
    pub fn begins(self, now: Timestamp) -> Timestamp {
        match self {
            Onward::Never => clock::NEVER,
            Onward::AfterDays(days) => now + Duration::days(days.into()),
        }
    }
}

impl Delivery {
    pub(super) fn check(self) -> Result<(), BadTerms> {
        match self {
            Delivery::AfterDays(days) => within(days, DAYS, "delivery.after_days"),
            Delivery::DayOfMonth(day) => within(day.into(), 31, "delivery.day_of_month"),
            Delivery::Code { valid_days } => within(valid_days, DAYS, "delivery.code.valid_days"),
        }
    }

    /// After how many days what is gained arrives, at least and at most; none where it is for the member
    /// to say.
    pub(super) fn within(delivery: Option<Delivery>) -> Option<(u16, u16)> {
        match delivery {
            None => Some((0, 0)),
            Some(Delivery::AfterDays(days)) => Some((days, days)),
            Some(Delivery::DayOfMonth(_)) => Some((1, 31)),
            Some(Delivery::Code { .. }) => None,
        }
    }

    /// How what is gained at `now` arrives.
    pub fn arrives(self, zone: Tz, now: Timestamp) -> Arrival {
        let today = now.with_timezone(&zone).date_naive();
        let after = |days: u64| today.checked_add_days(Days::new(days));
        let start = |day: Option<NaiveDate>| day.map_or(now, |day| start_of_day(zone, day));
        match self {
            Delivery::AfterDays(days) => Arrival::From(start(after(days.into()))),
            Delivery::DayOfMonth(day) => Arrival::From(start(next(today, day.into()))),
            Delivery::Code { valid_days } => Arrival::ByCode {
                until: start(after(u64::from(valid_days) + 1)),
            },
        }
    }
}

fn within(count: u16, most: u16, field: &str) -> Result<(), BadTerms> {
    match count {
        0 => Err(BadTerms::new(field, Reason::NotPositive)),
        count if count > most => Err(BadTerms::new(field, Reason::TooLarge)),
        _ => Ok(()),
    }
}

/// The next such day of a month after a day.
fn next(today: NaiveDate, day: u32) -> Option<NaiveDate> {
    let in_month = |first: NaiveDate| {
        let end = first.checked_add_months(Months::new(1))?.pred_opt()?;
        first.with_day(day.min(end.day()))
    };
    let first = today.with_day(1)?;
    let here = in_month(first)?;
    if here > today {
        return Some(here);
    }
    in_month(first.checked_add_months(Months::new(1))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn points_arrive_when_a_day_begins_where_their_issuer_is() {
        let zone = chrono_tz::Asia::Hong_Kong;
        let cases = [
            (
                Delivery::AfterDays(1),
                "2027-01-31T15:59:59Z",
                "2027-01-31T16:00:00Z",
            ),
            (
                Delivery::AfterDays(1),
                "2027-01-31T16:00:00Z",
                "2027-02-01T16:00:00Z",
            ),
            (
                Delivery::DayOfMonth(15),
                "2027-01-14T10:00:00Z",
                "2027-01-14T16:00:00Z",
            ),
            (
                Delivery::DayOfMonth(15),
                "2027-01-15T10:00:00Z",
                "2027-02-14T16:00:00Z",
            ),
            (
                Delivery::DayOfMonth(31),
                "2027-01-31T10:00:00Z",
                "2027-02-27T16:00:00Z",
            ),
        ];
        for (delivery, now, expected) in cases {
            assert_eq!(
                delivery.arrives(zone, at(now)),
                Arrival::From(at(expected)),
                "{delivery:?} {now}"
            );
        }
    }

    #[test]
    fn a_code_holds_up_to_the_end_of_its_last_day_where_its_issuer_is() {
        let zone = chrono_tz::Asia::Hong_Kong;
        let cases = [
            (1, "2027-01-31T15:59:59Z", "2027-02-01T16:00:00Z"),
            (1, "2027-01-31T16:00:00Z", "2027-02-02T16:00:00Z"),
            (30, "2027-01-01T00:00:00Z", "2027-01-31T16:00:00Z"),
        ];
        for (valid_days, now, until) in cases {
            let until = at(until);
            let arrives = Delivery::Code { valid_days }.arrives(zone, at(now));
            assert_eq!(arrives, Arrival::ByCode { until }, "{valid_days} {now}");
        }
    }

    #[test]
    fn the_next_such_day_of_a_month_is_a_day_to_a_month_away() {
        let first: NaiveDate = "2027-01-01".parse().unwrap();
        for (today, day) in (0..1_500).flat_map(|nth| (1..=31).map(move |day| (nth, day))) {
            let today = first + Days::new(today);
            let away = (super::next(today, day).unwrap() - today).num_days();
            let within = Delivery::within(Some(Delivery::DayOfMonth(1)));
            let (least, most) = within.unwrap();
            assert!(
                (least.into()..=most.into()).contains(&away),
                "{today} {day}"
            );
        }
    }

    #[test]
    fn they_are_written_as_they_are_read() {
        let onward = |json: &str| serde_json::from_str::<Onward>(json).unwrap();
        assert_eq!(onward(r#""never""#), Onward::Never);
        assert_eq!(onward(r#"{"after_days":21}"#), Onward::AfterDays(21));
        let text = serde_json::to_string(&Delivery::DayOfMonth(15)).unwrap();
        assert_eq!(text, r#"{"day_of_month":15}"#);
        let code = r#"{"code":{"valid_days":30}}"#;
        let read: Delivery = serde_json::from_str(code).unwrap();
        assert_eq!(read, Delivery::Code { valid_days: 30 });
        assert_eq!(serde_json::to_string(&read).unwrap(), code);
        for wrong in [r#"{"code":{}}"#, r#"{"code":{"valid_days":1,"x":1}}"#] {
            assert!(serde_json::from_str::<Delivery>(wrong).is_err(), "{wrong}");
        }
        for (valid_days, is_right) in [(0, false), (1, true), (3660, true), (3661, false)] {
            let checked = Delivery::Code { valid_days }.check();
            assert_eq!(checked.is_ok(), is_right, "{valid_days}");
        }
        assert!(Onward::AfterDays(0).check().is_err() && Delivery::DayOfMonth(32).check().is_err());
    }
}
