//! A calendar as JSON, in the API and in the database.

use chrono::{NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schedule::{Close, Convention, Every, Schedule};
use crate::web::body::objects;
use crate::web::text::Word;

/// The most closes and holidays of a calendar.
const MOST_CLOSES: usize = 12;
const MOST_HOLIDAYS: usize = 600;

/// When windows close by themselves: at every instant of any of its closes; never when there is none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = SettlementCalendar)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"zone": "Asia/Hong_Kong", "closes": [{"name": "monthly", "every": "month", "day": 31,
    "at": "23:00", "convention": "modified_following"}], "weekend": ["saturday", "sunday"], "holidays": ["2027-02-08"]}))]
pub struct CalendarBody {
    /// The IANA time zone of its times and days.
    zone: String,
    /// At most 12.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 12)]
    closes: Vec<CloseBody>,
    /// Days of the week without business.
    #[serde(default)]
    weekend: Vec<Day>,
    /// Other days without business: at most 600.
    #[serde(default)]
    #[schema(max_items = 600)]
    holidays: Vec<NaiveDate>,
}

/// A close that comes again and again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = SettlementClose)]
#[serde(deny_unknown_fields)]
pub struct CloseBody {
    /// What you call it: 1 to 40 of a to z, 0 to 9 and _.
    #[schema(value_type = String, pattern = "^[a-z0-9_]{1,40}$", example = "monthly")]
    name: Word,
    every: Rhythm,
    /// With `week`: which day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "friday")]
    weekday: Option<Day>,
    /// With `month`: the day of that number, or the last one in a month that has fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31, example = 31)]
    day: Option<u32>,
    /// What clocks show, as hours and minutes.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "23:00")]
    at: String,
    /// What becomes of it on a day without business; `unadjusted` when left out.
    #[serde(default)]
    convention: ConventionName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rhythm {
    Day,
    Week,
    Month,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DayOfWeek)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A business day convention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BusinessDayConvention)]
#[serde(rename_all = "snake_case")]
pub enum ConventionName {
    /// It stays.
    #[default]
    Unadjusted,
    /// It moves to the next business day.
    Following,
    /// The same, or back to the last business day where that would be another month.
    ModifiedFollowing,
    /// It moves to the last business day before.
    Preceding,
}

/// What is wrong, and where.
pub type Wrong = (String, String);

impl CalendarBody {
    pub fn read(&self) -> Result<Schedule, Wrong> {
        let wrong = |pointer: &str, rule: &str| (pointer.to_owned(), rule.to_owned());
        let zone = self.zone.parse();
        let zone = zone.map_err(|_| wrong("/zone", "an IANA time zone, such as Asia/Hong_Kong"))?;
        if self.closes.len() > MOST_CLOSES {
            return Err(wrong("/closes", "at most 12 closes"));
        }
        if self.weekend.len() > 6 {
            return Err(wrong("/weekend", "at most six days: one has business"));
        }
        if self.holidays.len() > MOST_HOLIDAYS {
            return Err(wrong("/holidays", "at most 600 days"));
        }
        let closes = self.closes.iter().enumerate().map(|(nth, close)| {
            let named = self.closes[..nth]
                .iter()
                .any(|other| other.name == close.name);
            let read = match named {
                true => Err(("name", "a name that no other close has")),
                false => close.read(),
            };
            read.map_err(|(field, rule)| wrong(&format!("/closes/{nth}/{field}"), rule))
        });
        Ok(Schedule {
            zone,
            closes: closes.collect::<Result<_, _>>()?,
            weekend: self.weekend.iter().map(|day| day.weekday()).collect(),
            holidays: self.holidays.iter().copied().collect(),
        })
    }
}

impl CloseBody {
    fn read(&self) -> Result<Close, (&'static str, &'static str)> {
        let every = match (self.every, self.weekday, self.day) {
            (Rhythm::Day, None, None) => Every::Day,
            (Rhythm::Week, Some(day), None) => Every::Week(day.weekday()),
            (Rhythm::Week, None, _) => return Err(("weekday", "a day of the week, with `week`")),
            (Rhythm::Month, None, Some(day @ 1..=31)) => Every::Month(day),
            (Rhythm::Month, None, _) => return Err(("day", "1 to 31, with `month`")),
            (_, Some(_), _) => return Err(("weekday", "only with `week`")),
            (_, None, Some(_)) => return Err(("day", "only with `month`")),
        };
        let is_short = self.at.len() == 5;
        let at = NaiveTime::parse_from_str(&self.at, "%H:%M")
            .ok()
            .filter(|_| is_short);
        Ok(Close {
            name: self.name.clone().into(),
            every,
            at: at.ok_or(("at", "hours and minutes, such as 23:00"))?,
            convention: match self.convention {
                ConventionName::Unadjusted => Convention::Unadjusted,
                ConventionName::Following => Convention::Following,
                ConventionName::ModifiedFollowing => Convention::ModifiedFollowing,
                ConventionName::Preceding => Convention::Preceding,
            },
        })
    }
}

impl Day {
    fn weekday(self) -> Weekday {
        match self {
            Day::Monday => Weekday::Mon,
            Day::Tuesday => Weekday::Tue,
            Day::Wednesday => Weekday::Wed,
            Day::Thursday => Weekday::Thu,
            Day::Friday => Weekday::Fri,
            Day::Saturday => Weekday::Sat,
            Day::Sunday => Weekday::Sun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(change: impl FnOnce(&mut Value)) -> Result<Schedule, String> {
        let mut body = json!({"zone": "Asia/Hong_Kong", "closes": [
            {"name": "daily", "every": "day", "at": "00:00"},
            {"name": "weekly", "every": "week", "weekday": "friday", "at": "18:00", "convention": "preceding"},
            {"name": "monthly", "every": "month", "day": 31, "at": "23:00"}]});
        change(&mut body);
        let body: CalendarBody = serde_json::from_value(body).map_err(|wrong| wrong.to_string())?;
        body.read().map_err(|(pointer, _)| pointer)
    }

    #[test]
    fn a_calendar_is_whole_and_what_is_wrong_is_named() {
        let right = read(|_| ()).unwrap();
        assert_eq!(right.closes[1].every, Every::Week(Weekday::Fri));
        assert_eq!(right.closes[1].convention, Convention::Preceding);
        assert_eq!(right.closes[2].convention, Convention::Unadjusted);
        assert!(read(|body| body["closes"] = json!([])).is_ok());
        let cases: [(&str, Value, &str); 9] = [
            ("/zone", json!("Hong Kong"), "/zone"),
            ("/closes/0/day", json!(1), "/closes/0/day"),
            ("/closes/0/weekday", json!("monday"), "/closes/0/weekday"),
            ("/closes/1/weekday", Value::Null, "/closes/1/weekday"),
            ("/closes/2/day", json!(32), "/closes/2/day"),
            ("/closes/2/day", json!(0), "/closes/2/day"),
            ("/closes/2/at", json!("24:00"), "/closes/2/at"),
            ("/closes/2/at", json!("9:00"), "/closes/2/at"),
            ("/closes/2/name", json!("daily"), "/closes/2/name"),
        ];
        for (at, value, pointer) in cases {
            let refused = read(|body| {
                let (parent, field) = at.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[field] = value.clone();
            });
            assert_eq!(refused, Err(pointer.to_owned()), "{at} {value}");
        }
    }
}
