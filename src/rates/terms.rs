//! What a card says about an amount, as its two partners wrote it.
//!
//! | part          | says                                                                   |
//! |---------------|------------------------------------------------------------------------|
//! | [`Rate`]      | what the amount becomes: a ratio, bands, a table, or what money buys   |
//! | [`Limits`]    | which amounts may be given, and which may be gained                    |
//! | [`BlockBonus`]| extra points for whole blocks given                                    |
//! | [`Bonus`]     | extra points of a campaign, always counted on the base                 |
//! | [`Fee`]       | what the member pays, in money or in points                            |
//! | [`Remainder`] | what happens to the part that does not divide                          |
//! | [`Allowance`] | how much or how often within a period                                  |
//! | `keep`        | what of the balance has to stay                                        |
//! | [`Excluded`]  | which points may not be given                                          |
//! | [`Onward`], [`Delivery`] | when what is gained may be converted again, and when it arrives |
//!
//! Amounts are in printed units; a [`Tariff`] is the same terms checked
//! and in smallest units. The JSON is flat and its unknown fields are refused:
//! `{"kind":"ratio","give":5,"get":2,"min":5000,"step":1250}`.

use serde::{Deserialize, Serialize};

use super::allowance::{self, Allowance};
use super::block::BlockBonus;
use super::bonus::Bonus;
use super::fee::Fee;
use super::limit::positive_units;
use super::onward::{Delivery, Onward};
use super::price::price;
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::tariff::Tariff;
use super::written::Written;
use crate::points::amount::Scales;

/// Everything one card says about an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Terms {
    pub rate: Rate,
    pub source: Limits,
    pub destination: Limits,
    pub block_bonus: Option<BlockBonus>,
    pub bonuses: Vec<Bonus>,
    pub fee: Option<Fee>,
    pub remainder: Remainder,
    pub allowances: Vec<Allowance>,
    /// What of the wallet that gives has to stay.
    pub keep: Option<Printed>,
    pub excludes: Vec<Excluded>,
    pub onward: Option<Onward>,
    pub delivery: Option<Delivery>,
}

/// Points that a card does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excluded {
    /// Bonuses that a funder paid for.
    Bonus,
    /// Points that expire.
    Expiring,
}

/// What an amount becomes before any bonus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rate {
    /// So many printed units gained for so many given.
    Ratio { give: i64, get: i64 },
    /// The band the amount falls in prices the whole of it.
    Slab(Vec<Band>),
    /// Each band prices the part of the amount that lies in it; the sum is floored once.
    Marginal(Vec<Band>),
    /// Only these amounts, each with its own gain.
    Table(Vec<Denomination>),
    /// What the money of the settlement terms buys.
    Priced,
    /// A shape that is recorded and cannot be evaluated.
    Unpriced,
}

/// A ratio that holds from an amount on, up to the next band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    pub from: Printed,
    pub give: i64,
    pub get: i64,
}

/// One line of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denomination {
    pub give: Printed,
    pub get: Printed,
}

/// The amounts allowed on one side: `min ≤ amount ≤ max` and `amount − origin` on a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub min: Option<Printed>,
    pub max: Option<Printed>,
    pub step: Option<Printed>,
    /// Where the steps are counted from; zero where a card says nothing.
    pub step_origin: Option<Printed>,
}

/// What happens to the part of an amount that does not divide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// It is taken too, and the fraction it makes is dropped.
    #[default]
    Absorb,
    /// It stays with the member: only the largest legal amount that divides is taken.
    LeaveInSource,
}

impl Terms {
    /// One point for one, and nothing else to say.
    pub(super) fn one_for_one() -> Terms {
        Terms {
            rate: Rate::Ratio { give: 1, get: 1 },
            source: Limits::default(),
            destination: Limits::default(),
            block_bonus: None,
            bonuses: Vec::new(),
            fee: None,
            remainder: Remainder::Absorb,
            allowances: Vec::new(),
            keep: None,
            excludes: Vec::new(),
            onward: None,
            delivery: None,
        }
    }

    /// Refuses terms that are wrong by themselves or leave nothing to convert.
    ///
    /// What a priced card leaves depends on the exchange rate of the day, so of it only the
    /// source side is examined.
    pub fn check(&self, scales: Scales) -> Result<(), BadTerms> {
        let tariff = Tariff::of(self, scales, None)?;
        tariff.examined()?;
        let smallest = tariff
            .smallest()
            .and_then(|given| price(&tariff, given).ok());
        allowance::check(&self.allowances, scales, smallest.map(|it| it.taken))?;
        if let Some(keep) = self.keep {
            positive_units(keep, scales.source, "keep")?;
        }
        for (at, excluded) in self.excludes.iter().enumerate() {
            if self.excludes[..at].contains(excluded) {
                return Err(BadTerms::new(format!("excludes[{at}]"), Reason::SaidTwice));
            }
        }
        self.onward.map_or(Ok(()), Onward::check)?;
        self.delivery.map_or(Ok(()), Delivery::check)
    }

    /// The same for who paid a fee before that covers a period.
    pub fn once_paid(&self) -> Terms {
        let covers = |fee: &Fee| fee.covers.is_some();
        Terms {
            fee: self.fee.clone().filter(|fee| !covers(fee)),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> String {
        match serde_json::from_str::<Terms>(json) {
            Ok(terms) => terms
                .check(Scales::WHOLE)
                .map_or_else(|bad| bad.to_string(), |()| "none".into()),
            Err(unread) => unread.to_string(),
        }
    }

    #[test]
    fn bad_terms_are_refused_with_their_field_and_reason() {
        let cases = [
            (
                r#"{"kind":"ratio","give":0,"get":1}"#,
                "give: must be at least 1",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":-2}"#,
                "get: must be at least 1",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1000000001}"#,
                "get: is larger",
            ),
            (r#"{"kind":"ratio","give":1}"#, "get: is missing"),
            (r#"{"give":1,"get":1}"#, "kind: is missing"),
            (
                r#"{"kind":"ratio","give":1,"get":1,"table":[]}"#,
                "table: does not belong",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"mix":3}"#,
                "unknown field `mix`",
            ),
            (
                r#"{"kind":"ratio","give":1,"give":1,"get":1}"#,
                "duplicate field `give`",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":9,"max":8}"#,
                "max: is below the minimum",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":11,"max":19,"step":10}"#,
                "step: leaves no amount",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"step":0}"#,
                "step: must be at least 1",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"step_origin":3}"#,
                "step_origin: needs a step",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":"0.5"}"#,
                "min: has more decimals",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"max":1000000000000001}"#,
                "max: is larger",
            ),
            (
                r#"{"kind":"ratio","give":100,"get":1,"max":99}"#,
                "terms: leaves no amount",
            ),
            (r#"{"kind":"slab","bands":[]}"#, "bands: lists nothing"),
            (
                r#"{"kind":"marginal","bands":[{"from":5,"give":1,"get":1},{"from":5,"give":1,"get":1}]}"#,
                "bands[1].from: is not above",
            ),
            (
                r#"{"kind":"table","table":[{"give":5,"get":1},{"give":4,"get":1}]}"#,
                "table[1].give: is not above",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"bonuses":[{"kind":"percent","num":1,"den":0}]}"#,
                "bonuses[0].den: must be at least 1",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"flat","amount":5,"minimum":9,"cap":8,"currency":"USD"}}"#,
                "fee.cap: is below the minimum",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"flat","currency":"USD"}}"#,
                "fee.amount: is missing",
            ),
            (
                r#"{"kind":"priced","remainder":"leave_in_source"}"#,
                "remainder: does not belong",
            ),
            (r#"{"kind":"unpriced"}"#, "none"),
        ];
        for (json, expected) in cases {
            let told = fault(json);
            assert!(told.contains(expected), "{json}: {told}");
        }
    }

    #[test]
    fn terms_are_written_as_they_are_read() {
        let json = r#"{"kind":"ratio","give":5,"get":2,"min":5000,"step":1250,"block_bonus":{"block":50000,"bonus":5000,"mode":"once"}}"#;
        let terms: Terms = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&terms).unwrap(), json);
    }
}
