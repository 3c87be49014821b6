//! A card: what it says about an amount, and what that costs the partners.
//!
//! | `terms.kind`  | `settlement.kind` | decided by                                        |
//! |---------------|-------------------|---------------------------------------------------|
//! | any but `priced`, `unpriced` | `cost_plus` | the card's rate; the money follows       |
//! | `priced`      | `priced`          | the money; the points follow                      |
//!
//! Its [`Condition`] says for whom it is, and nothing about what it pays: once it decides a quote, who
//! takes the quote need not meet it any more.
//!
//! [`evaluate`] is what a quote and a conversion both call, with the same arguments, so that a
//! member gets what the quote said.

use num_rational::BigRational;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::best;
use super::bonus::Bonus;
use super::condition::{self, Asker, Attester, Condition};
use super::fee::{Fee, PaidIn};
use super::funding::{self, Gift, Grant};
use super::notice;
use super::price::{Priced, price};
use super::refusal::{BadTerms, Reason, Refusal};
use super::settlement::{Exchange, FeeTo, Figures, SettlementTerms};
use super::spend;
use super::tariff::Tariff;
use super::terms::{Rate, Terms};
use crate::clock::Timestamp;
use crate::points::amount::Scales;

/// The terms of a card towards the member and between the partners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub terms: Terms,
    pub settlement: SettlementTerms,
    /// For whom it is; for everybody where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Of the cards of a pair whose conditions hold, the highest decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// How many days before it a change for the worse is agreed; see [`notice`].
    #[serde(default, skip_serializing_if = "is_none")]
    pub notice_days: u16,
}

fn is_zero(priority: &i32) -> bool {
    *priority == 0
}

fn is_none(days: &u16) -> bool {
    *days == 0
}

/// An amount evaluated, with what it costs the partners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    pub priced: Priced,
    /// The money of the base; each bonus is paid for by its own funder.
    pub figures: Figures,
    /// The bonuses, in parts.
    pub grants: Vec<Grant>,
    /// What each campaign adds, in their order: the last of the bonuses.
    pub gifts: Vec<i64>,
}

impl Card {
    /// A card as the database keeps it, part by part.
    pub fn kept(
        terms: Value,
        settlement: Value,
        condition: Option<Value>,
        priority: i32,
        notice_days: i16,
    ) -> anyhow::Result<Card> {
        Ok(Card {
            terms: serde_json::from_value(terms)?,
            settlement: serde_json::from_value(settlement)?,
            when: condition.map(serde_json::from_value).transpose()?,
            priority,
            notice_days: notice_days.try_into()?,
        })
    }

    /// Refuses a card that is wrong by itself.
    pub fn check(&self, scales: Scales) -> Result<(), BadTerms> {
        self.settled_as_priced()?;
        self.settlement.check(scales)?;
        self.terms.check(scales)?;
        funding::check(&self.terms, self.settlement.bonus_funders())?;
        self.fee_goes_somewhere()?;
        condition::check_priority(self.priority)?;
        notice::check(self.notice_days)?;
        self.when.as_ref().map_or(Ok(()), Condition::check)
    }

    /// Whether it is for who asks at `now`.
    pub fn is_for(&self, asker: Asker<'_>, now: Timestamp) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(asker, now))
    }

    /// Whether it asks for claims of that side's issuer.
    pub fn asks(&self, of: Attester) -> bool {
        self.when.as_ref().and_then(Condition::asks) == Some(of)
    }

    /// The card in smallest units, at the locked exchange rate where the moneys differ.
    pub fn tariff(&self, scales: Scales, exchange: Option<Exchange>) -> Result<Tariff, BadTerms> {
        self.settled_as_priced()?;
        Tariff::of(
            &self.terms,
            scales,
            self.settlement.purchase(scales, exchange)?,
        )
    }

    /// The same with the bonuses of campaigns, counted after the card's own.
    pub fn tariff_with<'a>(
        &self,
        bonuses: impl Iterator<Item = &'a Bonus>,
        scales: Scales,
        exchange: Option<Exchange>,
    ) -> Result<Tariff, BadTerms> {
        let mut tariff = self.tariff(scales, exchange)?;
        for bonus in bonuses {
            tariff.extras.push(bonus.extra(scales, "bonus")?);
        }
        Ok(tariff)
    }

    /// The same card for who has nothing to pay: who paid before for a period that is not over.
    pub fn without_fee(&self) -> Card {
        let terms = Terms {
            fee: None,
            ..self.terms.clone()
        };
        Card {
            terms,
            ..self.clone()
        }
    }

    /// The most a unit given becomes with these bonuses, over all legal amounts, both in smallest units:
    /// also for who paid a fee before that covers a period. None when nothing is legal.
    pub fn best<'a>(
        &self,
        bonuses: impl Iterator<Item = &'a Bonus>,
        scales: Scales,
        exchange: Option<Exchange>,
    ) -> Option<BigRational> {
        let card = Card {
            terms: self.terms.once_paid(),
            ..self.clone()
        };
        best::best(&card.tariff_with(bonuses, scales, exchange).ok()?)
    }

    fn fee_goes_somewhere(&self) -> Result<(), BadTerms> {
        let is_money = |fee: &Fee| fee.paid_in() == PaidIn::Money;
        match self.settlement.fee_to() {
            FeeTo::Partner => Ok(()),
            FeeTo::Hub if self.terms.fee.as_ref().is_some_and(is_money) => Ok(()),
            // Points stay with who issues them.
            FeeTo::Hub => Err(BadTerms::new("settlement.fee_to", Reason::NotOfThisKind)),
        }
    }

    fn settled_as_priced(&self) -> Result<(), BadTerms> {
        let by_money = self.terms.rate == Rate::Priced;
        match self.settlement {
            SettlementTerms::Priced { .. } if by_money => Ok(()),
            SettlementTerms::CostPlus { .. } if !by_money => Ok(()),
            SettlementTerms::Priced { .. } | SettlementTerms::CostPlus { .. } => {
                Err(BadTerms::new("settlement.kind", Reason::NotSettledSo))
            }
        }
    }
}

/// The smallest legal amount that becomes at least `wanted` units under a card and some campaigns.
pub fn smallest_for(
    card: &Card,
    gifts: &[Gift<'_>],
    scales: Scales,
    exchange: Option<Exchange>,
    wanted: i64,
) -> Result<i64, Refusal> {
    let bonuses = gifts.iter().map(|gift| gift.bonus);
    spend::smallest_for(&card.tariff_with(bonuses, scales, exchange)?, wanted)
}

/// What `given` units become under a card, and what that costs. `exchange` is the rate locked
/// in the quote, or nothing when both partners settle in one money.
pub fn evaluate(
    card: &Card,
    scales: Scales,
    exchange: Option<Exchange>,
    given: i64,
) -> Result<Evaluated, Refusal> {
    evaluate_with(card, &[], scales, exchange, given)
}

/// The same with what campaigns add, each counted by itself on the base.
pub fn evaluate_with(
    card: &Card,
    gifts: &[Gift<'_>],
    scales: Scales,
    exchange: Option<Exchange>,
    given: i64,
) -> Result<Evaluated, Refusal> {
    let bonuses = gifts.iter().map(|gift| gift.bonus);
    let tariff = card.tariff_with(bonuses, scales, exchange)?;
    let priced = price(&tariff, given)?;
    let figures = card
        .settlement
        .figures(priced.used, priced.base, scales, exchange)
        .map_err(|_| Refusal::TooLarge)?;
    let has_block = card.terms.block_bonus.is_some();
    let settlement = &card.settlement;
    let grants = funding::grants(settlement, has_block, gifts, &priced, scales, exchange)
        .map_err(|_| Refusal::TooLarge)?;
    let gifts = priced.bonuses[priced.bonuses.len() - gifts.len()..].to_vec();
    Ok(Evaluated {
        priced,
        figures,
        grants,
        gifts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::agreed::{Price, Share};
    use crate::points::amount::Scale;
    use crate::points::money::Micros;
    use crate::rates::spend::smallest_for;
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    const PRICED: &str = r#"{"kind":"priced"}"#;

    fn card(terms: &str, settlement: &str) -> Card {
        serde_json::from_str(&format!(r#"{{"terms":{terms},"settlement":{settlement}}}"#)).unwrap()
    }

    fn at_money(source: &str, target: &str) -> Card {
        let settlement = format!(
            r#"{{"kind":"priced","source_price":"{source}","target_price":"{target}","commission":"0.025"}}"#
        );
        card(PRICED, &settlement)
    }

    fn usd_hkd(source_is_base: bool) -> Option<Exchange> {
        let rate = Price::new(dec!(7.80000000)).unwrap();
        Some(Exchange {
            rate,
            source_is_base,
        })
    }

    fn row(card: &Card, exchange: Option<Exchange>, given: i64) -> (i64, [String; 6]) {
        let evaluated = evaluate(card, Scales::WHOLE, exchange, given).unwrap();
        let f = evaluated.figures;
        let all = [
            f.gross,
            f.commission,
            f.net,
            f.net_converted,
            f.value,
            f.residual,
        ];
        (evaluated.priced.total, all.map(|micros| micros.to_string()))
    }

    #[test]
    fn the_month_of_the_books_to_the_last_digit() {
        let five_to_one = card(
            r#"{"kind":"ratio","give":5,"get":1}"#,
            r#"{"kind":"cost_plus","price":"0.014000","commission":"0.025"}"#,
        );
        let cases = [
            (
                "C1",
                at_money("0.010000", "0.008000"),
                None,
                10_000,
                12_187,
                "100.000000 2.500000 97.500000 97.500000 97.496000 0.004000",
            ),
            (
                "C2",
                at_money("0.006000", "0.100000"),
                usd_hkd(true),
                5_000,
                2_281,
                "30.000000 0.750000 29.250000 228.150000 228.100000 0.050000",
            ),
            (
                "C3",
                at_money("0.080000", "0.014000"),
                usd_hkd(false),
                20_000,
                14_285,
                "1600.000000 40.000000 1560.000000 200.000000 199.990000 0.010000",
            ),
            (
                "C4",
                five_to_one,
                usd_hkd(false),
                20_000,
                4_000,
                "447.720000 10.920000 436.800000 56.000000 56.000000 0.000000",
            ),
        ];
        for (name, card, exchange, given, gained, figures) in cases {
            let (total, all) = row(&card, exchange, given);
            assert_eq!((total, all.join(" ").as_str()), (gained, figures), "{name}");
        }
    }

    #[test]
    fn what_is_for_everybody_is_written_as_if_there_were_no_conditions() {
        let plain = r#"{"terms":{"kind":"priced"},"settlement":{"kind":"priced","source_price":"1","target_price":"1","commission":"0"}}"#;
        let card: Card = serde_json::from_str(plain).unwrap();
        assert_eq!((&card.when, card.priority), (&None, 0));
        assert_eq!(serde_json::to_string(&card).unwrap(), plain);
    }

    #[test]
    fn a_priced_card_is_settled_by_its_prices_and_no_other() {
        let crossed = card(
            PRICED,
            r#"{"kind":"cost_plus","price":"1","commission":"0"}"#,
        );
        let reason = crossed.check(Scales::WHOLE).unwrap_err().reason;
        assert_eq!(reason, Reason::NotSettledSo);
    }

    fn any_exchange() -> impl Strategy<Value = Option<Exchange>> {
        let rate = (1..10_000_000_i64, 0..7_u32).prop_map(|(n, d)| Decimal::new(n, d));
        let exchange = (rate, any::<bool>()).prop_map(|(rate, source_is_base)| Exchange {
            rate: Price::new(rate).unwrap(),
            source_is_base,
        });
        proptest::option::of(exchange)
    }

    fn any_settlement() -> impl Strategy<Value = SettlementTerms> {
        let price = || (1..2_000_000_i64, 0..9_u32).prop_map(|(n, d)| Decimal::new(n, d));
        let share = (0..1_000_i64).prop_map(|n| Share::new(Decimal::new(n, 3)).unwrap());
        (price(), price(), share, any::<bool>()).prop_map(|(v, p, commission, by_money)| {
            let (source_price, target_price) = (Price::new(v).unwrap(), Price::new(p).unwrap());
            match by_money {
                true => SettlementTerms::Priced {
                    source_price,
                    target_price,
                    commission,
                    increment: None,
                    bonus_funders: Vec::new(),
                    fee_to: FeeTo::Partner,
                    sponsor: None,
                },
                false => SettlementTerms::CostPlus {
                    price: target_price,
                    commission,
                    bonus_funders: Vec::new(),
                    fee_to: FeeTo::Partner,
                    sponsor: None,
                },
            }
        })
    }

    proptest! {
        #[test]
        fn the_figures_always_add_up(
            settlement in any_settlement(), exchange in any_exchange(), given in 1..2_000_000_000_i64,
            scale in 0..5_u8,
        ) {
            let rate = match settlement {
                SettlementTerms::Priced { .. } => r#"{"kind":"priced"}"#,
                SettlementTerms::CostPlus { .. } => r#"{"kind":"ratio","give":7,"get":3}"#,
            };
            let terms = serde_json::from_str(rate).unwrap();
            let card = Card { terms, settlement, when: None, priority: 0, notice_days: 0 };
            let source = Scale::new(scale).unwrap();
            let scales = Scales { source, ..Scales::WHOLE };
            let Ok(evaluated) = evaluate(&card, scales, exchange, given) else { return Ok(()) };

            let f = evaluated.figures;
            prop_assert_eq!(Ok(f.gross), f.commission.plus(f.net));
            prop_assert_eq!(Ok(f.net_converted), f.value.plus(f.residual));
            let all = [f.gross, f.commission, f.net, f.net_converted, f.value, f.residual];
            prop_assert!(all.iter().all(|micros| *micros >= Micros::ZERO));
        }

        #[test]
        fn the_smallest_spend_of_a_priced_card_is_smallest(
            settlement in any_settlement(), exchange in any_exchange(), wanted in 1..1_000_000_i64,
        ) {
            let terms = serde_json::from_str(PRICED).unwrap();
            let card = Card { terms, settlement, when: None, priority: 0, notice_days: 0 };
            let Ok(tariff) = card.tariff(Scales::WHOLE, exchange) else { return Ok(()) };
            let Ok(spend) = smallest_for(&tariff, wanted) else { return Ok(()) };
            prop_assert!(price(&tariff, spend).unwrap().total >= wanted);
            if let Ok(less) = price(&tariff, spend - 1) {
                prop_assert!(less.total < wanted);
            }
        }
    }
}
