//! What a partner should think about before a card is published, though nothing is wrong with it.
//!
//! | code             | says                                                       | acknowledged |
//! |------------------|------------------------------------------------------------|:------------:|
//! | `hard_to_say`    | a member has to keep more than [`LIGHT`] things in mind    | no           |
//! | `splitting_pays` | two conversions gain more than one of their sum            | by both partners |
//!
//! The second costs the partners points that nobody meant to give, so it has to be said to be known.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::card::Card;
use super::condition::Condition;
use super::printed::Printed;
use super::sentence::burden;
use super::split::{Parts, Split, split};
use super::tariff::Tariff;
use super::terms::Terms;
use crate::points::amount::Scales;

/// People keep about four things in mind at once, one more when they try; and of the 176 published
/// rules that this program is tested with, all but one ask for no more than five.
pub const LIGHT: usize = 5;

/// What to think about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lint {
    HardToSay { burden: usize },
    SplittingPays(Split),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RateCardLintCode)]
pub enum Code {
    HardToSay,
    SplittingPays,
}

impl Code {
    pub fn name(self) -> &'static str {
        match self {
            Code::HardToSay => "hard_to_say",
            Code::SplittingPays => "splitting_pays",
        }
    }

    /// Whether it has to be acknowledged.
    pub(super) fn is_grave(self) -> bool {
        match self {
            Code::HardToSay => false,
            Code::SplittingPays => true,
        }
    }
}

impl Lint {
    pub fn code(&self) -> Code {
        match self {
            Lint::HardToSay { .. } => Code::HardToSay,
            Lint::SplittingPays(_) => Code::SplittingPays,
        }
    }

    pub fn english(&self, scales: Scales) -> String {
        match self {
            Lint::HardToSay { burden } => format!(
                "a member has to keep {burden} things in mind; more than {LIGHT} do not fit a sentence"
            ),
            Lint::SplittingPays(Split { parts, whole, more }) => {
                let at = |units: i64| Printed::of(units, scales.source);
                let (whole, more) = (at(*whole), Printed::of(*more, scales.target));
                let parts = match *parts {
                    Parts::Two(one, other) => format!("{} and {}", at(one), at(other)),
                    Parts::Equal { times, part } => format!("{times} times {}", at(part)),
                };
                format!("{parts} gain {more} more than {whole} at once")
            }
        }
    }

    pub fn chinese(&self, scales: Scales) -> String {
        match self {
            Lint::HardToSay { burden } => {
                format!("會員要記住 {burden} 件事，超過 {LIGHT} 件就難以用一句話說清楚")
            }
            Lint::SplittingPays(Split { parts, whole, more }) => {
                let at = |units: i64| Printed::of(units, scales.source);
                let (whole, more) = (at(*whole), Printed::of(*more, scales.target));
                let parts = match *parts {
                    Parts::Two(one, other) => format!("分兩次以 {} 和 {} 兌換", at(one), at(other)),
                    Parts::Equal { times, part } => format!("分 {times} 次各以 {} 兌換", at(part)),
                };
                format!("{parts}，比一次以 {whole} 兌換多得 {more}")
            }
        }
    }
}

/// What is to be thought about of a card. Of a priced one whose moneys differ as if they did not: what
/// rewards splitting is in the terms, not in the rate of the day. Nor a fee that covers a period: the
/// second part pays it no more.
pub fn lints(card: &Card, scales: Scales) -> Vec<Lint> {
    let (terms, when) = (card.terms.once_paid(), card.when.as_ref());
    let repeated = Card {
        terms,
        ..card.clone()
    };
    let tariff = repeated.tariff(scales, None);
    tariff.map_or_else(|_| Vec::new(), |tariff| of(&card.terms, when, &tariff))
}

/// What is to be thought about of terms, and for whom they are. The tariff is that of who has paid a fee
/// that covers a period.
pub(super) fn of(terms: &Terms, when: Option<&Condition>, tariff: &Tariff) -> Vec<Lint> {
    let burden = burden(terms, when);
    let heavy = (burden > LIGHT).then_some(Lint::HardToSay { burden });
    let pays = split(terms, tariff).map(Lint::SplittingPays);
    heavy.into_iter().chain(pays).collect()
}

/// What has to be acknowledged of a card.
pub fn grave(card: &Card, scales: Scales) -> Vec<Code> {
    let codes = lints(card, scales).into_iter().map(|lint| lint.code());
    codes.filter(|code| code.is_grave()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(terms: &str) -> Card {
        let settlement = r#"{"kind":"cost_plus","price":"0.01","commission":"0"}"#;
        serde_json::from_str(&format!(r#"{{"terms":{terms},"settlement":{settlement}}}"#)).unwrap()
    }

    #[test]
    fn what_rewards_splitting_is_said_with_amounts() {
        let table =
            card(r#"{"kind":"table","table":[{"give":5000,"get":600},{"give":10000,"get":1100}]}"#);
        let lints = lints(&table, Scales::WHOLE);
        let told: Vec<_> = lints
            .iter()
            .map(|lint| {
                (
                    lint.code().name(),
                    lint.english(Scales::WHOLE),
                    lint.chinese(Scales::WHOLE),
                )
            })
            .collect();
        assert_eq!(
            told,
            [(
                "splitting_pays",
                "5,000 and 5,000 gain 100 more than 10,000 at once".to_owned(),
                "分兩次以 5,000 和 5,000 兌換，比一次以 10,000 兌換多得 100".to_owned()
            )]
        );
        assert_eq!(grave(&table, Scales::WHOLE), [Code::SplittingPays]);
    }

    #[test]
    fn a_card_with_too_much_to_say_is_told_so() {
        let heavy = card(
            r#"{"kind":"slab","min":100,"max":90000,"step":100,"bands":[{"from":0,"give":3,"get":1},{"from":1000,"give":2,"get":1},{"from":5000,"give":1,"get":1}]}"#,
        );
        assert_eq!(
            lints(&heavy, Scales::WHOLE),
            [Lint::HardToSay { burden: 6 }]
        );
        assert_eq!(grave(&heavy, Scales::WHOLE), []);
        let light = card(r#"{"kind":"ratio","give":5,"get":1,"min":5000,"step":1250,"max":90000}"#);
        assert_eq!(lints(&light, Scales::WHOLE), []);
    }
}
