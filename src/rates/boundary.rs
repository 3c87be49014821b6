//! When a card begins or ends, as its parties wrote it.
//!
//! | written                                             | begins with                  | ends with                          |
//! |-----------------------------------------------------|------------------------------|------------------------------------|
//! | `"2027-03-01T00:00:00Z"`                            | that instant                 | that instant                       |
//! | `{"local":"2027-03-01","zone":"Asia/Hong_Kong"}`    | the first instant of the day | the first instant of the day after |
//! | `{"local":"2027-03-01T00:01","zone":"Asia/Kolkata"}` | that minute                 | that minute                        |
//!
//! What decides is the instant; the clock and the zone are kept beside it, because an agreement says
//! "until the end of March in Hong Kong" and its readers look for that. A time of day that clocks skip
//! or show twice is refused with the two instants it could mean: nobody should guess which.

use chrono::{Duration, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::partners::expiry::start_of_day;

/// An instant, and the clock it was read from where one was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    pub at: Timestamp,
    pub local: Option<Local>,
}

/// A date or a time of day on the clocks of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LocalTime)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// A day, or a day and a time: `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM` or `YYYY-MM-DDTHH:MM:SS`.
    #[schema(value_type = String, example = "2027-03-01")]
    local: Wall,
    /// An IANA time zone.
    #[schema(value_type = String, example = "Asia/Hong_Kong")]
    zone: Zone,
}

/// A boundary as it is sent: an instant, or a date or a time in a zone.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RateCardBoundary)]
pub enum Sent {
    #[schema(value_type = String, format = DateTime)]
    Instant(Timestamp),
    Local(Local),
}

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Begins,
    Ends,
}

/// A time of day that is not one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOneInstant {
    pub zone: Tz,
    pub wall: NaiveDateTime,
    /// Whether clocks show it twice, or never.
    pub is_twice: bool,
    /// What it could mean, the earlier first.
    pub candidates: [Timestamp; 2],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Wall {
    written: String,
    read: DayOrTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOrTime {
    Day(NaiveDate),
    Time(NaiveDateTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Zone(Tz);

impl Sent {
    /// The instant that is meant.
    pub fn read(self, side: Side) -> Result<Boundary, NotOneInstant> {
        Ok(match self {
            Sent::Instant(at) => Boundary { at, local: None },
            Sent::Local(local) => Boundary {
                at: local.instant(side)?,
                local: Some(local),
            },
        })
    }
}

impl NotOneInstant {
    /// What it could mean, with the time that clocks of the zone are ahead of UTC.
    pub fn told(&self) -> [String; 2] {
        self.candidates
            .map(|at| at.with_timezone(&self.zone).to_rfc3339())
    }
}

impl Boundary {
    /// The instant on the clock it was read from, or in UTC.
    pub(super) fn told(&self) -> String {
        let zone = self.local.as_ref().map_or(Tz::UTC, |local| local.zone.0);
        let at = self.at.with_timezone(&zone);
        format!("{} {zone}", at.format("%Y-%m-%d %H:%M:%S"))
    }
}

impl Local {
    fn instant(&self, side: Side) -> Result<Timestamp, NotOneInstant> {
        let zone = self.zone.0;
        let wall = match self.local.read {
            DayOrTime::Day(day) => {
                let day = match side {
                    Side::Begins => day,
                    Side::Ends => day.succ_opt().unwrap_or(NaiveDate::MAX),
                };
                return Ok(start_of_day(zone, day));
            }
            DayOrTime::Time(wall) => wall,
        };
        let (is_twice, candidates) = match zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => return Ok(at.with_timezone(&Utc)),
            LocalResult::Ambiguous(earlier, later) => {
                (true, [earlier, later].map(|at| at.with_timezone(&Utc)))
            }
            LocalResult::None => (false, around(zone, wall)),
        };
        Err(NotOneInstant {
            zone,
            wall,
            is_twice,
            candidates,
        })
    }
}

/// A time that clocks skip, by the clock after they were put forward and by the one before.
fn around(zone: Tz, wall: NaiveDateTime) -> [Timestamp; 2] {
    // No zone has put its clocks forward twice within a day of one another.
    let by_clock_of = |days: i64| {
        let near = zone.offset_from_utc_datetime(&(wall + Duration::days(days)));
        let at = wall - Duration::seconds(near.fix().local_minus_utc().into());
        at.and_utc()
    };
    [by_clock_of(1), by_clock_of(-1)]
}

impl TryFrom<String> for Wall {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Wall, Self::Error> {
        // The length keeps to four digits of a year and two of everything else.
        let read = match written.len() {
            10 => NaiveDate::parse_from_str(&written, "%Y-%m-%d").map(DayOrTime::Day),
            16 => time(&written, "%Y-%m-%dT%H:%M"),
            19 if !written.ends_with(":60") => time(&written, "%Y-%m-%dT%H:%M:%S"),
            _ => return Err(WALL),
        };
        let is_plain = written
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-T:".contains(&byte));
        match read {
            Ok(read) if is_plain => Ok(Wall { written, read }),
            Ok(_) | Err(_) => Err(WALL),
        }
    }
}

const WALL: &str = "a day such as 2027-03-01, or a day and a time such as 2027-03-01T00:01";

fn time(written: &str, form: &str) -> chrono::ParseResult<DayOrTime> {
    NaiveDateTime::parse_from_str(written, form).map(DayOrTime::Time)
}

impl From<Wall> for String {
    fn from(wall: Wall) -> String {
        wall.written
    }
}

impl TryFrom<String> for Zone {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Zone, Self::Error> {
        let zone = name.parse().map(Zone);
        zone.map_err(|_| "an IANA time zone such as Asia/Hong_Kong")
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0.name().to_owned()
    }
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Sent, D::Error> {
        from.deserialize_any(SentVisitor)
    }
}

struct SentVisitor;

impl<'de> Visitor<'de> for SentVisitor {
    type Value = Sent;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(
            "an instant such as \"2027-03-01T00:00:00Z\", or an object of `local` and `zone`",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Sent, E> {
        Timestamp::deserialize(text.into_deserializer()).map(Sent::Instant)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sent, A::Error> {
        Local::deserialize(MapAccessDeserializer::new(map)).map(Sent::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(sent: Value, side: Side) -> Result<String, String> {
        let sent: Sent = serde_json::from_value(sent).map_err(|error| error.to_string())?;
        let read = sent.read(side).map_err(|not| {
            let [earlier, later] = not.told();
            format!(
                "{} {earlier} {later}",
                if not.is_twice { "twice" } else { "never" }
            )
        });
        read.map(|boundary| boundary.at.to_rfc3339())
    }

    #[test]
    fn a_day_begins_and_ends_where_its_clocks_are() {
        let local = |local: &str, zone: &str| json!({"local": local, "zone": zone});
        let cases = [
            (
                local("2027-03-01", "Asia/Hong_Kong"),
                "2027-02-28T16:00:00+00:00",
                "2027-03-01T16:00:00+00:00",
            ),
            (
                local("2027-03-01T00:01", "Asia/Kolkata"),
                "2027-02-28T18:31:00+00:00",
                "2027-02-28T18:31:00+00:00",
            ),
            (
                local("2027-03-01T23:59:59", "UTC"),
                "2027-03-01T23:59:59+00:00",
                "2027-03-01T23:59:59+00:00",
            ),
            // The day on which clocks are put forward has 23 hours.
            (
                local("2027-03-28", "Europe/Berlin"),
                "2027-03-27T23:00:00+00:00",
                "2027-03-28T22:00:00+00:00",
            ),
            // Where they are put forward at midnight, a day begins at one.
            (
                local("2027-04-30", "Africa/Cairo"),
                "2027-04-29T22:00:00+00:00",
                "2027-04-30T21:00:00+00:00",
            ),
            (
                json!("2027-03-01T08:00:00+08:00"),
                "2027-03-01T00:00:00+00:00",
                "2027-03-01T00:00:00+00:00",
            ),
        ];
        for (sent, begins, ends) in cases {
            assert_eq!(
                read(sent.clone(), Side::Begins),
                Ok(begins.into()),
                "{sent}"
            );
            assert_eq!(read(sent.clone(), Side::Ends), Ok(ends.into()), "{sent}");
        }
    }

    #[test]
    fn a_time_that_is_no_instant_or_two_is_refused_with_both() {
        let berlin = |local: &str| {
            read(
                json!({"local": local, "zone": "Europe/Berlin"}),
                Side::Begins,
            )
        };
        assert_eq!(
            berlin("2027-03-28T02:30").unwrap_err(),
            "never 2027-03-28T01:30:00+01:00 2027-03-28T03:30:00+02:00"
        );
        assert_eq!(
            berlin("2027-10-31T02:30").unwrap_err(),
            "twice 2027-10-31T02:30:00+02:00 2027-10-31T02:30:00+01:00"
        );
        assert!(berlin("2027-03-28T03:00").is_ok());
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for local in [
            "2027-02-29",
            "2027-3-1",
            "2027-03-01T24:00",
            "2027-03-01T00:00:60",
            "2027-03-01 00:00",
            "+027-03-01",
            "2027-03-01Z",
            "10000-01-01",
            "tomorrow",
            "",
        ] {
            let sent = json!({"local": local, "zone": "UTC"});
            assert!(read(sent, Side::Begins).is_err(), "{local}");
        }
        for sent in [
            json!({"local": "2027-03-01"}),
            json!({"local": "2027-03-01", "zone": "Mars/Base"}),
            json!({"local": "2027-03-01", "zone": "UTC", "more": 1}),
            json!(["2027-03-01", "UTC"]),
            json!(1_800_000_000),
            json!("2027-03-01"),
        ] {
            assert!(read(sent.clone(), Side::Begins).is_err(), "{sent}");
        }
    }

    #[test]
    fn what_is_written_is_kept() {
        let written = json!({"local": "2027-03-01T00:01", "zone": "Asia/Kolkata"});
        let local: Local = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(json!(local), written);
    }
}
