//! A draft, and why it cannot become a card.
//!
//! A card that could be agreed to and not carried out would be quoted and not kept, so it is refused
//! here and not when somebody converts.

use super::boundary::{Boundary, NotOneInstant};
use super::card::Card;
use super::fee::{Fee, PaidIn};
use super::refusal::{BadTerms, Reason};
use super::settlement::FeeTo;
use super::terms::Rate;
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
    /// It records a shape without a usable rate.
    Unpriced,
    Dates(BadDates),
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
    ///
    /// `fee_money` is the money of the fee, where the hub knows it, and `source_money` that of the partner
    /// whose points are given.
    pub fn check(
        &self,
        scales: Scales,
        fee_money: Option<Asset>,
        source_money: Asset,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.from == self.to {
            return Err(Refusal::OneCurrency);
        }
        self.card.check(scales).map_err(Refusal::Terms)?;
        if self.card.terms.rate == Rate::Unpriced {
            return Err(Refusal::Unpriced);
        }
        self.check_fee(fee_money, source_money)
            .map_err(Refusal::Terms)?;
        self.check_dates(now).map_err(Refusal::Dates)
    }

    fn check_fee(&self, money: Option<Asset>, source: Asset) -> Result<(), BadTerms> {
        // Points need no money: whose they are is known.
        let in_money = |fee: &&Fee| fee.paid_in() == PaidIn::Money;
        let fee = self.card.terms.fee.as_ref().filter(in_money);
        let reason = match (fee, money, self.card.settlement.fee_to()) {
            (None, ..) | (Some(_), Some(_), FeeTo::Partner) => return Ok(()),
            (Some(_), Some(money), FeeTo::Hub) if money == source => return Ok(()),
            (Some(_), Some(_), FeeTo::Hub) => Reason::NotTheSourcesMoney,
            (Some(_), None, _) => Reason::NotAMoney,
        };
        Err(BadTerms::new("fee.currency", reason))
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

    const USD: Asset = 840;

    fn check(draft: &Draft) -> Result<(), Refusal> {
        let fee = draft.card.terms.fee.as_ref();
        let money = fee.and_then(|fee| match fee.currency.as_str() {
            "USD" => Some(USD),
            "HKD" => Some(344),
            _ => None,
        });
        draft.check(Scales::WHOLE, money, USD, noon())
    }

    #[test]
    fn a_card_that_could_not_be_carried_out_is_refused() {
        assert_eq!(check(&plain()), Ok(()));
        assert_eq!(
            check(&draft(r#"{"kind":"unpriced"}"#)),
            Err(Refusal::Unpriced)
        );
    }

    #[test]
    fn a_fee_is_in_money_or_points_and_the_hubs_in_the_money_of_the_source() {
        let with = |money: &str, to: &str| {
            let terms = format!(
                r#"{{"kind":"ratio","give":5,"get":1,"fee":{{"kind":"flat","amount":5,"currency":"{money}"}}}}"#
            );
            let mut fee = draft(&terms);
            let settlement =
                format!(r#"{{"kind":"cost_plus","price":"1","commission":"0","fee_to":"{to}"}}"#);
            fee.card.settlement = serde_json::from_str(&settlement).unwrap();
            check(&fee)
        };
        let bad = |reason| Err(Refusal::Terms(BadTerms::new("fee.currency", reason)));
        assert_eq!(with("HKD", "partner"), Ok(()));
        assert_eq!(with("USD", "hub"), Ok(()));
        assert_eq!(with("HKD", "hub"), bad(Reason::NotTheSourcesMoney));
        assert_eq!(with("PEARLS", "partner"), bad(Reason::NotAMoney));
        assert_eq!(with("given", "partner"), Ok(()));
        assert_eq!(with("gained", "partner"), Ok(()));
        let points = BadTerms::new("settlement.fee_to", Reason::NotOfThisKind);
        assert_eq!(with("given", "hub"), Err(Refusal::Terms(points)));
    }

    #[test]
    fn a_currency_is_not_exchanged_for_itself() {
        let own = Draft {
            to: 1001,
            ..plain()
        };
        assert_eq!(check(&own), Err(Refusal::OneCurrency));
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
            assert_eq!(check(&dated), expected.map_err(Refusal::Dates));
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
