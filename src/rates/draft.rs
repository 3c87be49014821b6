//! A draft, and why it cannot become a card.
//!
//! The model says more than the hub can post today: a bonus needs a lot and a funder of its own, a
//! fee an account. A card that promised them would be quoted and not kept, so it is refused here
//! and not when somebody converts.

use super::boundary::{Boundary, NotOneInstant};
use super::card::Card;
use super::refusal::BadTerms;
use super::terms::{Rate, Terms};
use super::version;
use crate::clock::{self, Timestamp};
use crate::points::account::Asset;
use crate::points::amount::Scales;
use crate::web::text::Name;

/// What somebody wants to agree on.
#[derive(Debug, Clone)]
pub struct Draft {
    pub from: Asset,
    pub to: Asset,
    pub card: Card,
    /// When it is to begin; when everybody has agreed, where nothing is said.
    pub valid_from: Option<Boundary>,
    /// When it is to end; never, where nothing is said.
    pub valid_to: Option<Boundary>,
    /// Where the terms come from, in a few words.
    pub origin: Option<Name>,
}

/// Why a draft is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    OneCurrency,
    Terms(BadTerms),
    NotPosted(NotPosted),
    Dates(BadDates),
}

/// What a card may say and the hub cannot carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPosted {
    BlockBonus,
    Bonuses,
    Fee,
    Unpriced,
}

/// Why a version cannot hold when it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadDates {
    NotSensible(&'static str),
    /// The clocks of the zone skip the time that is named, or show it twice.
    NotOneInstant(&'static str, NotOneInstant),
    BeginsInThePast,
    EndsBeforeItBegins,
    /// By the time everybody agreed its end had come.
    IsOver,
    /// It would be over before the notice that was promised is.
    EndsWithinNotice(Timestamp),
}

impl Draft {
    /// Refuses a draft that could not be quoted and carried out.
    pub fn check(&self, scales: Scales, now: Timestamp) -> Result<(), Refusal> {
        if self.from == self.to {
            return Err(Refusal::OneCurrency);
        }
        self.card.check(scales).map_err(Refusal::Terms)?;
        posted(&self.card.terms).map_err(Refusal::NotPosted)?;
        self.check_dates(now).map_err(Refusal::Dates)
    }

    fn check_dates(&self, now: Timestamp) -> Result<(), BadDates> {
        let instant = |boundary: &Option<Boundary>| boundary.as_ref().map(|boundary| boundary.at);
        let (start, end) = (instant(&self.valid_from), instant(&self.valid_to));
        let is_odd = |instant: Option<Timestamp>| instant.is_some_and(|at| !clock::is_sensible(at));
        if is_odd(start) {
            return Err(BadDates::NotSensible("valid_from"));
        }
        if is_odd(end) {
            return Err(BadDates::NotSensible("valid_to"));
        }
        if start.is_some_and(|start| start < now) {
            return Err(BadDates::BeginsInThePast);
        }
        ends_after(start.unwrap_or(now), end, BadDates::EndsBeforeItBegins)
    }

    /// What an approval of it binds to.
    pub fn approval_hash(&self) -> [u8; 32] {
        let content = version::content_hash(self.from, self.to, &self.card);
        version::approval_hash(&content, [self.valid_from.as_ref(), self.valid_to.as_ref()])
    }
}

/// Refuses a time that has no length.
pub fn ends_after(
    start: Timestamp,
    end: Option<Timestamp>,
    refusal: BadDates,
) -> Result<(), BadDates> {
    match end {
        Some(end) if end <= start => Err(refusal),
        Some(_) | None => Ok(()),
    }
}

fn posted(terms: &Terms) -> Result<(), NotPosted> {
    let Terms {
        rate,
        source: _,
        destination: _,
        block_bonus,
        bonuses,
        fee,
        remainder: _,
    } = terms;
    match (rate, block_bonus, bonuses.is_empty(), fee) {
        (Rate::Unpriced, ..) => Err(NotPosted::Unpriced),
        (_, Some(_), ..) => Err(NotPosted::BlockBonus),
        (_, _, false, _) => Err(NotPosted::Bonuses),
        (.., Some(_)) => Err(NotPosted::Fee),
        (_, None, true, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::version::tests::noon;
    use super::*;
    use chrono::Duration;

    fn draft(terms: &str) -> Draft {
        let settlement = r#"{"kind":"cost_plus","price":"0.014","commission":"0"}"#;
        let card = format!(r#"{{"terms":{terms},"settlement":{settlement}}}"#);
        let card = serde_json::from_str(&card).unwrap();
        Draft {
            from: 1001,
            to: 1002,
            card,
            valid_from: None,
            valid_to: None,
            origin: None,
        }
    }

    fn plain() -> Draft {
        draft(r#"{"kind":"ratio","give":5,"get":1}"#)
    }

    #[test]
    fn a_card_that_could_not_be_posted_is_refused() {
        let cases = [
            (r#"{"kind":"unpriced"}"#, NotPosted::Unpriced),
            (
                r#"{"kind":"ratio","give":5,"get":1,"block_bonus":{"block":60000,"bonus":5000,"mode":"once"}}"#,
                NotPosted::BlockBonus,
            ),
            (
                r#"{"kind":"ratio","give":5,"get":1,"bonuses":[{"kind":"percent","num":1,"den":5}]}"#,
                NotPosted::Bonuses,
            ),
            (
                r#"{"kind":"ratio","give":5,"get":1,"fee":{"kind":"flat","amount":5,"currency":"HKD"}}"#,
                NotPosted::Fee,
            ),
        ];
        for (terms, why) in cases {
            assert_eq!(
                draft(terms).check(Scales::WHOLE, noon()),
                Err(Refusal::NotPosted(why)),
                "{terms}"
            );
        }
        assert_eq!(plain().check(Scales::WHOLE, noon()), Ok(()));
    }

    #[test]
    fn a_currency_is_not_exchanged_for_itself() {
        let own = Draft {
            to: 1001,
            ..plain()
        };
        assert_eq!(own.check(Scales::WHOLE, noon()), Err(Refusal::OneCurrency));
    }

    #[test]
    fn dates_that_cannot_hold_are_refused() {
        let at = |hours| Some(noon() + Duration::hours(hours));
        let far = "2200-01-01T00:00:00Z".parse().ok();
        let cases = [
            (None, None, Ok(())),
            (at(1), at(2), Ok(())),
            (None, at(1), Ok(())),
            (at(-1), None, Err(BadDates::BeginsInThePast)),
            (at(2), at(2), Err(BadDates::EndsBeforeItBegins)),
            (None, at(-1), Err(BadDates::EndsBeforeItBegins)),
            (far, None, Err(BadDates::NotSensible("valid_from"))),
            (None, far, Err(BadDates::NotSensible("valid_to"))),
        ];
        for (valid_from, valid_to, expected) in cases {
            let boundary = |at: Option<Timestamp>| at.map(|at| Boundary { at, local: None });
            let dated = Draft {
                valid_from: boundary(valid_from),
                valid_to: boundary(valid_to),
                ..plain()
            };
            assert_eq!(
                dated.check(Scales::WHOLE, noon()),
                expected.map_err(Refusal::Dates)
            );
        }
    }

    #[test]
    fn a_day_makes_another_approval_and_so_does_the_clock_it_is_read_from() {
        let local = |zone: &str| {
            let sent = format!(r#"{{"local":"2027-03-01","zone":"{zone}"}}"#);
            serde_json::from_str(&sent).ok()
        };
        let ends = |local| Draft {
            valid_to: Some(Boundary { at: noon(), local }),
            ..plain()
        };
        let [none, hong_kong, perth] =
            [None, local("Asia/Hong_Kong"), local("Australia/Perth")].map(ends);
        let begins = Draft {
            valid_from: hong_kong.valid_to.clone(),
            ..plain()
        };
        let hashes = [&plain(), &none, &hong_kong, &perth, &begins].map(Draft::approval_hash);
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash), "{at}");
        }
    }
}
