//! Notice: what a version promises about the one after it.
//!
//! ```text
//! now = the last word        now + notice_days
//!   │                          │
//!   ├── as good or better: ────┼──▶ begins as its parties wanted
//!   └── anything worse: ───────▶│    begins here, or later where they wanted that
//! ```
//!
//! A member who saves towards a conversion has read the card, so a card may promise days of notice.
//! They count from the last word, because before it nothing is sure to change. What takes nothing from
//! anybody needs none; what cannot be decided exactly is taken to. An end that the version had from
//! the start was told with it and is no change. Halting and withdrawing are not successors: they work
//! at once, and what is halted promises nothing any more.

use chrono::Duration;

use super::changes::is_as_good;
use super::refusal::{BadTerms, Reason};
use super::version::Version;
use crate::clock::Timestamp;

/// The most days a card may promise: a leap year.
pub const MOST: u16 = 366;

/// Refuses more days than may be promised.
pub(super) fn check(days: u16) -> Result<(), BadTerms> {
    match days <= MOST {
        true => Ok(()),
        false => Err(BadTerms::new("notice_days", Reason::TooLarge)),
    }
}

/// When a version begins if its last word is given at `now`. `standing` are the versions of its pair
/// and priority that would hold but for a successor, oldest first.
pub(super) fn start(version: &Version, standing: &[Version], now: Timestamp) -> Timestamp {
    let wanted = version.start(now);
    standing.iter().fold(wanted, |start, before| {
        let is_cut_short = before.valid_from.is_some_and(|begun| begun < start);
        let notice = Duration::days(before.card.notice_days.into());
        match is_cut_short && !notice.is_zero() && !is_as_good(before, version) {
            true => start.max(now + notice),
            false => start,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::card::Card;
    use super::super::version::tests::{noon, version};
    use super::*;

    fn at(days: i64) -> Timestamp {
        noon() + Duration::days(days)
    }

    fn giving(give: i64, notice_days: u16, begins: i64) -> Version {
        let terms = format!(r#"{{"kind":"ratio","give":{give},"get":1}}"#);
        let version = version();
        Version {
            card: Card {
                terms: serde_json::from_str(&terms).unwrap(),
                notice_days,
                ..version.card
            },
            valid_from: Some(at(begins)),
            ..version
        }
    }

    #[test]
    fn what_takes_from_a_member_waits_for_its_notice() {
        let five = || giving(5, 30, -9);
        let cases = [
            ("worse", vec![five()], giving(6, 30, 0), 30),
            (
                "worse, and wanted later",
                vec![five()],
                giving(6, 30, 40),
                40,
            ),
            ("better", vec![five()], giving(4, 30, 0), 0),
            (
                "better, with less notice",
                vec![five()],
                giving(4, 29, 0),
                30,
            ),
            (
                "nothing is promised",
                vec![giving(5, 0, -9)],
                giving(6, 0, 0),
                0,
            ),
            ("nothing stands", vec![], giving(6, 0, 0), 0),
            (
                "it begins before",
                vec![giving(5, 30, 10)],
                giving(6, 30, 5),
                5,
            ),
            // Moved past the beginning of another, it is held to what that one promises.
            (
                "two stand",
                vec![five(), giving(5, 60, 20)],
                giving(6, 60, 0),
                60,
            ),
        ];
        for (name, standing, next, days) in cases {
            assert_eq!(start(&next, &standing, noon()), at(days), "{name}");
        }
    }
}
