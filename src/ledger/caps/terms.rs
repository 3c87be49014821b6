//! How much a partner may owe: its cap, its cover, and how both are counted against.
//!
//! A *cap* is what the hub's people let a partner owe; a *cover* is what stands behind it: amounts of
//! prefunding and collateral, each with what it rests on and until when. What is counted stays within
//! both. Cover that has ended covers nothing; who was to be covered and is not may owe nothing more.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::points::money::Micros;

/// What a partner may owe, as two operators agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub cap: Option<Micros>,
    /// None when none is asked for.
    pub cover: Option<Vec<Line>>,
    /// What part of credits does not count, in ten-thousandths.
    pub haircut: i16,
    /// At what part of the lesser of cap and cover the partner is warned, in ten-thousandths.
    pub warn_at: i16,
}

/// One amount of cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub kind: CoverKind,
    pub amount: Micros,
    /// The first instant at which it covers nothing any more.
    pub until: Timestamp,
    pub rests_on: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoverKind {
    /// Money that the partner paid in beforehand.
    Prefund,
    /// A guarantee, a letter of credit, securities.
    Collateral,
}

/// Which of the two limits does not let a partner owe more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Cover,
    Cap,
}

const WHOLE: i128 = 10_000;

impl Terms {
    /// A partner that may owe as much as it likes. It is warned at four fifths of what is set later.
    pub const NONE: Terms = Terms {
        cap: None,
        cover: None,
        haircut: 0,
        warn_at: 8_000,
    };

    pub fn is_limited(&self) -> bool {
        self.cap.is_some() || self.cover.is_some()
    }

    /// What is covered at an instant; none when no cover is asked for.
    pub fn covered(&self, now: Timestamp) -> Option<i64> {
        let lines = self.cover.as_ref()?.iter().filter(|line| now < line.until);
        Some(lines.map(|line| line.amount.0).fold(0, i64::saturating_add))
    }

    /// The lesser of cover and cap.
    pub fn limit(&self, now: Timestamp) -> i64 {
        let limits = [self.covered(now), self.cap.map(|cap| cap.0)];
        limits.into_iter().flatten().min().unwrap_or(i64::MAX)
    }

    /// From what is counted on the partner is warned.
    pub fn warning(&self, now: Timestamp) -> i64 {
        let part = i128::from(self.limit(now)) * i128::from(self.warn_at) / WHOLE;
        i64::try_from(part).unwrap_or(i64::MAX)
    }

    /// When the next of the cover ends.
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        let lines = self.cover.iter().flatten().map(|line| line.until);
        lines.filter(|until| now < *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ALWAYS, NEVER};

    fn terms(cap: Option<i64>, lines: Option<&[(i64, Timestamp)]>) -> Terms {
        let line = |(amount, until): &(i64, Timestamp)| Line {
            kind: CoverKind::Collateral,
            amount: Micros(*amount),
            until: *until,
            rests_on: "a guarantee".to_owned(),
        };
        Terms {
            cap: cap.map(Micros),
            cover: lines.map(|lines| lines.iter().map(line).collect()),
            ..Terms::NONE
        }
    }

    #[test]
    fn the_lesser_of_cap_and_cover_is_the_limit_and_ended_cover_is_none() {
        let day = |day| {
            let day: chrono::NaiveDate = day;
            day.and_hms_opt(0, 0, 0).expect("midnight").and_utc()
        };
        let [first, second, third] = ["2027-01-01", "2027-01-02", "2027-01-03"]
            .map(|text| day(text.parse().expect("a day")));
        let two = [(600, second), (300, third)];
        let cases = [
            (terms(Some(1_000), None), 1_000, None),
            (terms(Some(1_000), Some(&two)), 900, Some(second)),
            (terms(Some(500), Some(&two)), 500, Some(second)),
            (terms(None, Some(&two)), 900, Some(second)),
            (terms(Some(500), Some(&[])), 0, None),
            (terms(None, None), i64::MAX, None),
        ];
        for (terms, limit, ends) in cases {
            assert_eq!(
                (terms.limit(first), terms.ends(first)),
                (limit, ends),
                "{terms:?}"
            );
        }
        let terms = terms(Some(1_000), Some(&two));
        let at = |now| (terms.limit(now), terms.warning(now), terms.ends(now));
        assert_eq!(at(ALWAYS), (900, 720, Some(second)));
        assert_eq!(at(second), (300, 240, Some(third)));
        assert_eq!(at(NEVER), (0, 0, None));
    }
}
