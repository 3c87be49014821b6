//! Two cards one after the other: what is gained under the first is given, whole, under the second.
//!
//! ```text
//! given ──first card──▶ between ──second card──▶ gained       nothing of `between` is left over
//! ```
//!
//! Amounts are legal when the first card takes them and the second takes all of what they become. Most
//! amounts between are not on the second card's steps, so the next legal amount is looked for from step
//! to step of the second card, so often at most; what lies beyond is told as not there.
//!
//! Not every two cards join ([`Apart`]): what is between is nobody's for an instant, so a card that
//! makes it wait, or that looks at the balance or the past of who holds it, cannot be passed through.

use super::card::Card;
use super::fee::{Fee, PaidIn};
use super::price::price;
use super::refusal::{BadTerms, Nearest, Refusal};
use super::settlement::Exchange;
use super::spend;
use super::tariff::Tariff;
use crate::points::amount::Scales;

/// How many amounts are tried, each on another step of the second card.
const TRIES: usize = 128;

/// Why what is gained under one card cannot be given under another at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// The first lets nobody convert what it gives, or not yet.
    Onward,
    /// What the first gives arrives later.
    Delivery,
    /// The second counts what the member has done.
    Counted,
    /// The second looks at what else the member holds.
    Held,
    /// A sponsor pays a part of what the first or the second, 0 or 1, costs.
    Sponsored(usize),
    /// The first asks a fee in points, or one that covers a period.
    FirstFee,
    /// The second asks a fee for a partner that the member does not pay.
    SecondFee,
}

/// A card with what it is applied with.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub card: &'a Card,
    pub scales: Scales,
    pub exchange: Option<Exchange>,
}

impl Step<'_> {
    fn tariff(&self) -> Result<Tariff, BadTerms> {
        self.card.tariff(self.scales, self.exchange)
    }
}

/// Whether what is gained under `first` can be given under `second` at once.
pub fn join(first: &Card, second: &Card) -> Result<(), Apart> {
    let is_sponsored = |card: &Card| card.settlement.sponsor().is_some();
    let sponsored = [is_sponsored(first), is_sponsored(second)];
    let (first, second) = (&first.terms, &second.terms);
    let apart = [
        (sponsored[0], Apart::Sponsored(0)),
        (sponsored[1], Apart::Sponsored(1)),
        (first.onward.is_some(), Apart::Onward),
        (first.delivery.is_some(), Apart::Delivery),
        (!second.allowances.is_empty(), Apart::Counted),
        (
            second.keep.is_some() || !second.excludes.is_empty(),
            Apart::Held,
        ),
        (first.fee.as_ref().is_some_and(is_special), Apart::FirstFee),
        (second.fee.is_some(), Apart::SecondFee),
    ];
    match apart.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, apart)) => Err(apart),
        None => Ok(()),
    }
}

fn is_special(fee: &Fee) -> bool {
    fee.paid_in() != PaidIn::Money || fee.covers.is_some()
}

/// Two cards in smallest units.
#[derive(Debug, Clone)]
pub struct Chain {
    first: Tariff,
    second: Tariff,
}

impl Chain {
    pub fn of(first: Step<'_>, second: Step<'_>) -> Result<Chain, BadTerms> {
        Ok(Chain {
            first: first.tariff()?,
            second: second.tariff()?,
        })
    }

    /// What a legal amount becomes between and in the end.
    pub fn through(&self, given: i64) -> Option<(i64, i64)> {
        let between = price(&self.first, given).ok()?.total;
        let last = price(&self.second, between).ok()?;
        (last.left == 0).then_some((between, last.total))
    }

    /// The largest legal amount that is at most `units`.
    pub fn legal_down(&self, units: i64) -> Option<i64> {
        let mut given = self.first.legal_down(units)?;
        for _ in 0..TRIES {
            if self.through(given).is_some() {
                return Some(given);
            }
            let between = price(&self.first, given).ok()?.total;
            let wanted = self.second.legal_down(between)?;
            let beyond = spend::smallest_for(&self.first, wanted + 1).ok()?;
            given = self.first.legal_down(beyond.min(given) - 1)?;
        }
        None
    }

    /// The smallest legal amount that is at least `units`.
    pub fn legal_up(&self, units: i64) -> Option<i64> {
        let mut given = self.first.legal_up(units)?;
        for _ in 0..TRIES {
            if self.through(given).is_some() {
                return Some(given);
            }
            let between = price(&self.first, given).ok()?.total;
            let wanted = self.second.legal_up(between + 1)?;
            let next = spend::smallest_for(&self.first, wanted).ok()?;
            given = self.first.legal_up(next.max(given + 1))?;
        }
        None
    }

    /// The smallest legal amount that becomes at least `wanted` in the end.
    pub fn smallest_for(&self, wanted: i64) -> Result<i64, Refusal> {
        let between = spend::smallest_for(&self.second, wanted)?;
        let least = spend::smallest_for(&self.first, between)?;
        let mut given = self.legal_up(least);
        for _ in 0..TRIES {
            let Some(units) = given else { break };
            if self
                .through(units)
                .is_some_and(|(_, gained)| gained >= wanted)
            {
                return Ok(units);
            }
            given = self.legal_up(units + 1);
        }
        let most = self.legal_down(self.first.largest().unwrap_or(0));
        let most = most.and_then(|units| self.through(units));
        Err(Refusal::OutOfReach {
            most: most.map_or(0, |(_, gained)| gained),
        })
    }

    /// Why an amount is not legal, and which ones are.
    pub fn refusal(&self, given: i64) -> Refusal {
        let (down, up) = (self.legal_down(given), self.legal_up(given));
        match (down, up) {
            (None, Some(minimum)) => Refusal::BelowMinimum { minimum },
            (Some(maximum), None) => Refusal::AboveMaximum { maximum },
            (next_down, next_up) => Refusal::BadStep(Nearest { next_down, next_up }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::best::tests::terms;
    use super::*;

    fn chain(first: &str, second: &str) -> Chain {
        Chain {
            first: terms(first),
            second: terms(second),
        }
    }

    #[test]
    fn what_the_second_card_takes_whole_is_legal() {
        let plain = r#"{"kind":"ratio","give":1,"get":3}"#;
        let stepped = r#"{"kind":"ratio","give":10,"get":7,"min":200,"max":1000,"step":100}"#;
        let chain = chain(plain, stepped);
        assert_eq!(chain.through(100), Some((300, 210)));
        for (given, down, up) in [
            (1, None, Some(100)),
            (99, None, Some(100)),
            (100, Some(100), Some(100)),
            (101, Some(100), Some(200)),
            (333, Some(300), None),
            (999_999, Some(300), None),
        ] {
            assert_eq!((chain.legal_down(given), chain.legal_up(given)), (down, up));
        }
        assert_eq!(chain.refusal(7), Refusal::BelowMinimum { minimum: 100 });
        assert_eq!(chain.refusal(400), Refusal::AboveMaximum { maximum: 300 });
        let near = Nearest {
            next_down: Some(100),
            next_up: Some(200),
        };
        assert_eq!(chain.refusal(150), Refusal::BadStep(near));
        assert_eq!(chain.smallest_for(211), Ok(200));
        assert_eq!(
            chain.smallest_for(631),
            Err(Refusal::OutOfReach { most: 630 })
        );
    }

    #[test]
    fn cards_that_make_it_wait_or_look_at_the_holder_do_not_join() {
        let card = |more: &str| -> Card {
            let terms = format!(r#"{{"kind":"ratio","give":1,"get":1{more}}}"#);
            let settlement = r#"{"kind":"cost_plus","price":"0.01","commission":"0"}"#;
            serde_json::from_str(&format!(r#"{{"terms":{terms},"settlement":{settlement}}}"#))
                .unwrap()
        };
        let plain = card("");
        let fee = r#","fee":{"kind":"flat","amount":100,"currency":"USD"}"#;
        let limit = r#","allowances":[{"period":"day","times":1}]"#;
        for (first, second, expected) in [
            ("", "", Ok(())),
            (fee, "", Ok(())),
            (limit, r#","onward":"never""#, Ok(())),
            (r#","onward":{"after_days":1}"#, "", Err(Apart::Onward)),
            (r#","delivery":{"after_days":1}"#, "", Err(Apart::Delivery)),
            ("", limit, Err(Apart::Counted)),
            ("", r#","keep":100"#, Err(Apart::Held)),
            ("", r#","excludes":["bonus"]"#, Err(Apart::Held)),
            ("", fee, Err(Apart::SecondFee)),
            (
                r#","fee":{"kind":"flat","amount":1,"currency":"given"}"#,
                "",
                Err(Apart::FirstFee),
            ),
        ] {
            assert_eq!(
                join(&card(first), &card(second)),
                expected,
                "{first} {second}"
            );
        }
        assert_eq!(join(&plain, &plain), Ok(()));
    }

    fn any_plain() -> impl Strategy<Value = String> {
        (1..12_i64, 1..12_i64, 1..60_i64, 1..40_i64, any::<bool>()).prop_map(
            |(give, get, min, step, leaves)| {
                let remainder = if leaves { "leave_in_source" } else { "absorb" };
                format!(
                    r#"{{"kind":"ratio","give":{give},"get":{get},"min":{min},"max":400,"step":{step},"remainder":"{remainder}"}}"#
                )
            },
        )
    }

    proptest! {
        #[test]
        fn the_nearest_legal_amounts_are_those_that_trying_finds(
            (first, second) in (any_plain(), any_plain()), given in 1..450_i64, wanted in 1..2_000_i64,
        ) {
            let read = |json: &str| serde_json::from_str::<crate::rates::terms::Terms>(json).unwrap();
            let is_right = |json: &str| read(json).check(Scales::WHOLE).is_ok();
            prop_assume!(is_right(&first) && is_right(&second));
            let chain = chain(&first, &second);
            let exact = |units: &i64| {
                chain.first.legal_up(*units) == Some(*units) && chain.through(*units).is_some()
            };
            prop_assert_eq!(chain.legal_down(given), (1..=given).rev().find(exact));
            prop_assert_eq!(chain.legal_up(given), (given..=400).find(exact));
            let enough = |units: &i64| exact(units) && chain.through(*units).unwrap().1 >= wanted;
            prop_assert_eq!(chain.smallest_for(wanted).ok(), (1..=400).find(enough));
        }
    }
}
