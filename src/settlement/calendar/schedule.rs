//! The instants at which windows close.
//!
//! Several rhythms go side by side, such as a mall's every day and everybody's every month; the window closes
//! at each instant of any. A close that falls on a day without business is moved as its convention says (the
//! business day conventions of ISDA's definitions, section 4.12):
//!
//! | convention | a close on a day without business |
//! |---|---|
//! | `unadjusted` | stays |
//! | `following` | moves to the next business day |
//! | `modified_following` | the same, or back to the last business day where that would be another month |
//! | `preceding` | moves to the last business day before |
//!
//! Without a business day within 31 days it stays. A time of day that clocks skip is the first instant
//! after it; of one that they show twice it is the first.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use crate::clock::Timestamp;
use crate::partners::expiry::instant;

/// How far a close is moved.
const FURTHEST: u64 = 31;

/// How long before an instant a close may stand in the calendar that is moved behind it, and how long after it
/// the next one of every rhythm has come: in days.
const BEHIND: u64 = FURTHEST + 2;
const AHEAD: u64 = 2 * FURTHEST + 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub zone: Tz,
    pub closes: Vec<Close>,
    pub weekend: Vec<Weekday>,
    pub holidays: BTreeSet<NaiveDate>,
}

/// One rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    pub name: String,
    pub every: Every,
    pub at: NaiveTime,
    pub convention: Convention,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    Day,
    Week(Weekday),
    /// On the day of that number; on the last one in a month that has fewer.
    Month(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    Unadjusted,
    Following,
    ModifiedFollowing,
    Preceding,
}

impl Schedule {
    /// The first close after an instant, and which rhythms it is of.
    pub fn next(&self, after: Timestamp) -> Option<(Timestamp, Vec<&str>)> {
        let next = |close| Some((self.next_of(close, after)?, close));
        let all: Vec<(Timestamp, &Close)> = self.closes.iter().filter_map(next).collect();
        let first = all.iter().map(|(at, _)| *at).min()?;
        let of = all.into_iter().filter(|(at, _)| *at == first);
        Some((first, of.map(|(_, close)| close.name.as_str()).collect()))
    }

    fn next_of(&self, close: &Close, after: Timestamp) -> Option<Timestamp> {
        let today = after.with_timezone(&self.zone).date_naive();
        let begin = today.checked_sub_days(Days::new(BEHIND))?;
        let days = begin.iter_days().take((BEHIND + AHEAD) as usize);
        let days = days.filter(|day| close.every.has(*day));
        let moved = days.map(|day| self.moved(close.convention, day));
        let mut instants = moved.map(|day| instant(self.zone, day, close.at));
        instants.find(|at| *at > after)
    }

    fn is_business(&self, day: NaiveDate) -> bool {
        !self.weekend.contains(&day.weekday()) && !self.holidays.contains(&day)
    }

    fn moved(&self, convention: Convention, day: NaiveDate) -> NaiveDate {
        let forward = || self.nearest(day.iter_days());
        let back = || self.nearest(std::iter::successors(Some(day), NaiveDate::pred_opt));
        let found = match convention {
            Convention::Unadjusted => Some(day),
            Convention::Following => forward(),
            Convention::ModifiedFollowing => {
                let next = forward().filter(|next| next.month() == day.month());
                next.or_else(back)
            }
            Convention::Preceding => back(),
        };
        found.unwrap_or(day)
    }

    fn nearest(&self, days: impl Iterator<Item = NaiveDate>) -> Option<NaiveDate> {
        let mut near = days.take(FURTHEST as usize + 1);
        near.find(|day| self.is_business(*day))
    }
}

impl Every {
    fn has(self, day: NaiveDate) -> bool {
        match self {
            Every::Day => true,
            Every::Week(weekday) => day.weekday() == weekday,
            Every::Month(number) => {
                let is_last = day.succ_opt().is_none_or(|next| next.day() == 1);
                day.day() == number || is_last && day.day() < number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Asia};

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn close(every: Every, time: &str, convention: Convention) -> Close {
        Close {
            name: format!("{every:?}"),
            every,
            at: time.parse().expect(time),
            convention,
        }
    }

    fn schedule(zone: Tz, closes: Vec<Close>, holidays: &[&str]) -> Schedule {
        let day = |text: &&str| text.parse().expect("a date");
        Schedule {
            zone,
            closes,
            weekend: vec![Weekday::Sat, Weekday::Sun],
            holidays: holidays.iter().map(day).collect(),
        }
    }

    use Convention::{Following, ModifiedFollowing, Preceding, Unadjusted};

    #[test]
    fn each_rhythm_closes_where_clocks_show_its_time() {
        let next = |every, from: &str| {
            let close = close(every, "23:00:00", Unadjusted);
            let schedule = schedule(Asia::Hong_Kong, vec![close], &[]);
            schedule.next(at(from)).expect("a close").0
        };
        for (every, from, expected) in [
            (Every::Day, "2027-01-01T14:59:59Z", "2027-01-01T15:00:00Z"),
            (Every::Day, "2027-01-01T15:00:00Z", "2027-01-02T15:00:00Z"),
            (
                Every::Week(Weekday::Fri),
                "2027-01-01T15:00:00Z",
                "2027-01-08T15:00:00Z",
            ),
            (
                Every::Month(31),
                "2027-01-31T15:00:00Z",
                "2027-02-28T15:00:00Z",
            ),
            (
                Every::Month(31),
                "2028-02-01T00:00:00Z",
                "2028-02-29T15:00:00Z",
            ),
            (
                Every::Month(30),
                "2027-01-30T15:00:00Z",
                "2027-02-28T15:00:00Z",
            ),
            (
                Every::Month(1),
                "2027-12-01T15:00:00Z",
                "2028-01-01T15:00:00Z",
            ),
        ] {
            assert_eq!(next(every, from), at(expected), "{every:?} after {from}");
        }
    }

    #[test]
    fn a_day_without_business_moves_a_close_as_its_convention_says() {
        // 31 January 2027 is a Sunday; 6 to 9 February are the Lunar New Year's.
        let holidays = ["2027-02-08", "2027-02-09"];
        for (every, convention, from, expected) in [
            (Every::Month(31), Unadjusted, "2027-01-15", "2027-01-31"),
            (Every::Month(31), Following, "2027-01-15", "2027-02-01"),
            (
                Every::Month(31),
                ModifiedFollowing,
                "2027-01-15",
                "2027-01-29",
            ),
            (Every::Month(31), Preceding, "2027-01-15", "2027-01-29"),
            (Every::Month(6), Following, "2027-02-01", "2027-02-10"),
            (
                Every::Month(6),
                ModifiedFollowing,
                "2027-02-01",
                "2027-02-10",
            ),
            (Every::Month(9), Preceding, "2027-02-01", "2027-02-05"),
            // After the close that moved, the next is the month's after.
            (Every::Month(6), Following, "2027-02-11", "2027-03-08"),
            (Every::Day, Following, "2027-02-06", "2027-02-10"),
        ] {
            let close = close(every, "00:00:00", convention);
            let schedule = schedule(chrono_tz::UTC, vec![close], &holidays);
            let (found, _) = schedule.next(at(&format!("{from}T00:00:00Z"))).unwrap();
            assert_eq!(
                found.date_naive().to_string(),
                expected,
                "{every:?} {convention:?}"
            );
        }
    }

    #[test]
    fn rhythms_that_meet_close_once() {
        let closes = vec![
            close(Every::Day, "00:00:00", Unadjusted),
            close(Every::Month(1), "00:00:00", Unadjusted),
        ];
        let schedule = schedule(chrono_tz::UTC, closes, &[]);
        let (first, of) = schedule.next(at("2027-01-31T00:00:00Z")).unwrap();
        assert_eq!(first, at("2027-02-01T00:00:00Z"));
        assert_eq!(of, ["Day", "Month(1)"]);
        let (_, of) = schedule.next(first).unwrap();
        assert_eq!(of, ["Day"]);
    }

    #[test]
    fn a_time_that_clocks_skip_or_repeat_is_one_instant() {
        let daily = |time| vec![close(Every::Day, time, Unadjusted)];
        let new_york = |time| schedule(America::New_York, daily(time), &[]);
        let skipped = new_york("02:30:00");
        let (skipped, _) = skipped.next(at("2027-03-14T00:00:00Z")).unwrap();
        assert_eq!(skipped, at("2027-03-14T07:00:00Z"));
        let twice = new_york("01:30:00");
        let (first, _) = twice.next(at("2027-11-07T00:00:00Z")).unwrap();
        assert_eq!(first, at("2027-11-07T05:30:00Z"));
        assert_eq!(twice.next(first).unwrap().0, at("2027-11-08T06:30:00Z"));
    }

    #[test]
    fn without_a_business_day_near_a_close_stays() {
        let mut never = schedule(
            chrono_tz::UTC,
            vec![close(Every::Month(15), "00:00:00", Following)],
            &[],
        );
        let begin: NaiveDate = "2027-01-01".parse().unwrap();
        never.holidays = begin.iter_days().take(120).collect();
        let (found, _) = never.next(at("2027-01-02T00:00:00Z")).unwrap();
        assert_eq!(found, at("2027-01-15T00:00:00Z"));
        assert_eq!(schedule(chrono_tz::UTC, vec![], &[]).next(found), None);
    }
}
