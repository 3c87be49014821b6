//! Who pays for the bonuses of a card, and for those that campaigns add.
//!
//! ```text
//! 300 bonus, source 1 and target 2     100 the source pays for, 200 the target
//! cost of a part                       q6(units × the target's price)
//! ```
//!
//! Points are split, not money, so that each part is a number of points that somebody paid for. What a
//! part costs the target is owed also where the target pays for it itself: both sides are posted, and
//! its statement shows what its bonuses cost.

use serde::{Deserialize, Serialize};

use super::bonus::Bonus;
use super::price::Priced;
use super::refusal::{BadTerms, Reason};
use super::settlement::{Exchange, SettlementTerms, to_source};
use super::terms::Terms;
use crate::points::account::Account;
use crate::points::amount::Scales;
use crate::points::money::{Micros, TooLarge};
use crate::points::share::by_largest_remainder;

/// Who pays for a bonus, in whole parts: 1 and 2 are a third and two thirds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Funders {
    #[serde(default, skip_serializing_if = "is_none")]
    pub source: i64,
    #[serde(default, skip_serializing_if = "is_none")]
    pub target: i64,
}

impl Funders {
    /// Whether each pays the same share.
    pub(super) fn pays_as(self, other: Funders) -> bool {
        let times = |one: i64, other: i64| i128::from(one) * i128::from(other);
        times(self.source, other.target) == times(other.source, self.target)
    }
}

fn is_none(parts: &i64) -> bool {
    *parts == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Funder {
    Source,
    Target,
    /// Somebody else, by its position.
    Partner(Account),
}

/// One party's part of what a campaign costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub funder: Funder,
    pub weight: i64,
    /// From the funder's money to the target's; none when they are one.
    pub exchange: Option<Exchange>,
}

/// A bonus that a campaign adds to what the card gives.
#[derive(Debug, Clone, Copy)]
pub struct Gift<'a> {
    pub bonus: &'a Bonus,
    pub shares: &'a [Share],
}

/// A part of a bonus and who pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub funder: Funder,
    /// In the target's smallest unit, above zero.
    pub units: i64,
    /// What the target is owed for them, in its money.
    pub cost: Micros,
    /// The same in the funder's money, which it owes.
    pub charge: Micros,
}

/// The most parts there can be of a bonus.
const MOST: i64 = 1_000_000;

/// Refuses funders that do not fit the bonuses of the terms: one each, or one for all.
pub(super) fn check(terms: &Terms, funders: &[Funders]) -> Result<(), BadTerms> {
    let field = "settlement.bonus_funders";
    match (bonuses(terms), funders.len()) {
        (0, 0) => {}
        (0, _) => return Err(BadTerms::new(field, Reason::NotOfThisKind)),
        (_, 0) => return Err(BadTerms::new(field, Reason::Missing)),
        (_, 1) => {}
        (bonuses, named) if bonuses == named => {}
        (_, _) => return Err(BadTerms::new(field, Reason::NotOnePerBonus)),
    }
    for (at, Funders { source, target }) in funders.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let reason = match (source, target) {
            (..0, _) | (_, ..0) => Reason::Negative,
            (0, 0) => Reason::NotPositive,
            (source, target) if source.max(target) > &MOST => Reason::TooLarge,
            _ => continue,
        };
        return Err(BadTerms::new(field, reason));
    }
    Ok(())
}

fn bonuses(terms: &Terms) -> usize {
    usize::from(terms.block_bonus.is_some()) + terms.bonuses.len()
}

/// The parts of all bonuses of a conversion: the block bonus first, as funders are named, and then what
/// campaigns add, which `priced` counts last.
pub(super) fn grants(
    settlement: &SettlementTerms,
    has_block: bool,
    gifts: &[Gift<'_>],
    priced: &Priced,
    scales: Scales,
    exchange: Option<Exchange>,
) -> Result<Vec<Grant>, TooLarge> {
    let funders = settlement.bonus_funders();
    let block = has_block.then_some(priced.block_bonus);
    let own = priced.bonuses.len() - gifts.len();
    let (bonuses, given) = priced.bonuses.split_at(own);
    let bonuses = block.into_iter().chain(bonuses.iter().copied());
    let mut grants = Vec::new();
    for (at, units) in bonuses.enumerate() {
        let Some(named) = funders.get(at).or(funders.last()) else {
            continue;
        };
        let share = |funder, weight, exchange| Share {
            funder,
            weight,
            exchange,
        };
        let shares = [
            share(Funder::Source, named.source, exchange),
            share(Funder::Target, named.target, None),
        ];
        grants.extend(split(units, &shares, settlement, scales)?);
    }
    for (gift, units) in gifts.iter().zip(given) {
        grants.extend(split(*units, gift.shares, settlement, scales)?);
    }
    Ok(grants)
}

/// A bonus in the parts of those who pay for it.
fn split(
    units: i64,
    shares: &[Share],
    settlement: &SettlementTerms,
    scales: Scales,
) -> Result<Vec<Grant>, TooLarge> {
    let weights: Vec<i64> = shares.iter().map(|share| share.weight).collect();
    let parts = by_largest_remainder(units, &weights);
    let parts = shares.iter().zip(parts).filter(|(_, units)| *units > 0);
    parts
        .map(|(share, units)| {
            let cost = settlement.price_of(units, scales.target)?;
            Ok(Grant {
                funder: share.funder,
                units,
                cost,
                charge: to_source(cost, share.exchange)?,
            })
        })
        .collect()
}
