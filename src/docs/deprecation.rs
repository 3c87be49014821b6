//! Operations that will go: since when not to begin with them, and from when on they may be gone.
//!
//! Every answer of such an operation says so, by `Deprecation` (RFC 9745) and `Sunset` (RFC 8594), with a
//! `Link` to what to do instead; the OpenAPI document marks it. At least half a year lies between the two.

use chrono::{Days, NaiveDate, NaiveTime};

/// The least time from the one day to the other.
pub const NOTICE: Days = Days::new(180);

/// An operation that will go.
#[derive(Debug, Clone, Copy)]
pub struct Deprecated {
    pub method: &'static str,
    /// As the OpenAPI document writes it: `/v1/partners/{partner}`.
    pub path: &'static str,
    pub since: NaiveDate,
    /// The first day on which it may be gone.
    pub sunset: NaiveDate,
    /// Where it is said what to do instead.
    pub instead: &'static str,
}

/// Every operation that will go.
pub const DEPRECATED: &[Deprecated] = &[];

impl Deprecated {
    /// Seconds since 1970, as a structured field writes a date.
    pub fn deprecation(&self) -> String {
        format!(
            "@{}",
            self.since.and_time(NaiveTime::MIN).and_utc().timestamp()
        )
    }

    /// As HTTP writes a date.
    pub fn sunset(&self) -> String {
        let sunset = self.sunset.and_time(NaiveTime::MIN).and_utc();
        sunset.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    pub fn link(&self) -> String {
        format!(
            "<{}>; rel=\"deprecation\"; type=\"text/html\"",
            self.instead
        )
    }

    /// Whether its users have the time that they were promised.
    pub fn gives_notice(&self) -> bool {
        self.since
            .checked_add_days(NOTICE)
            .is_some_and(|earliest| earliest <= self.sunset)
    }
}

/// The entry of an operation, when it will go.
pub fn find<'a>(all: &'a [Deprecated], method: &str, path: &str) -> Option<&'a Deprecated> {
    all.iter()
        .find(|one| one.method == method && one.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(since: &str, sunset: &str) -> Deprecated {
        Deprecated {
            method: "GET",
            path: "/v1/old/{id}",
            since: since.parse().unwrap(),
            sunset: sunset.parse().unwrap(),
            instead: "/docs/changelog",
        }
    }

    #[test]
    fn everything_that_will_go_gives_notice() {
        assert!(DEPRECATED.iter().all(Deprecated::gives_notice));
        assert!(operation("2027-01-01", "2027-06-30").gives_notice());
        assert!(!operation("2027-01-01", "2027-06-29").gives_notice());
    }

    #[test]
    fn dates_are_written_as_the_standards_want_them() {
        let operation = operation("2025-01-01", "2027-06-30");
        assert_eq!(operation.deprecation(), "@1735689600");
        assert_eq!(operation.sunset(), "Wed, 30 Jun 2027 00:00:00 GMT");
        assert!(find(&[operation], "GET", "/v1/old/{id}").is_some());
        assert!(find(&[operation], "POST", "/v1/old/{id}").is_none());
    }
}
