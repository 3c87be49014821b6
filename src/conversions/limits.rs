//! What a card holds a member to besides the amount: limits within a period, points it does not take,
//! what has to stay.
//!
//! The limits are counted in tallies of the ledger, one per route, or per group of routes out of one
//! currency. A quote looks at them to tell the member beforehand; the decision looks again, under the
//! locks, and is the one that counts.

use super::fee;
use crate::clock::Timestamp;
use crate::ledger::lot::{LotKey, Short};
use crate::ledger::tally::{Kept, Mark, TallyKey, Wanted};
use crate::partners::Currency;
use crate::points::account::{Account, Asset};
use crate::points::amount::Scales;
use crate::rates::allowance::{Allowance, Standing};
use crate::rates::terms::{Excluded, Terms};

/// A limit of a card as it stands for a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub allowance: Allowance,
    pub standing: Standing,
}

/// A conversion would go over a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub limit: Limit,
    pub needed: i64,
}

/// The tallies of a card, each once.
pub fn kept(terms: &Terms, from: Account, to: Asset) -> Vec<Kept> {
    let mut kept: Vec<Kept> = Vec::new();
    for allowance in &terms.allowances {
        let of = key(allowance, from, to);
        if kept.iter().all(|it| it.of != of) {
            kept.push(Kept { of, parts: None });
        }
    }
    kept
}

/// What has to be read to decide at `now` or later: of these, and of a fee that covers a period.
pub fn wanted(
    terms: &Terms,
    (from, wallet): (&Currency, Account),
    to: Asset,
    now: Timestamp,
) -> Vec<Wanted> {
    let allowances = terms.allowances.iter();
    let wanted = allowances.map(|allowance| Wanted {
        of: key(allowance, wallet, to),
        since: allowance.begins(from.zone, now),
    });
    let fee = fee::wanted(terms, (from, wallet), to, now);
    wanted.chain(fee).collect()
}

fn key(allowance: &Allowance, wallet: Account, to: Asset) -> TallyKey {
    let from = wallet.asset();
    let name = match &allowance.group {
        Some(group) => format!("{from}:{group}"),
        None => format!("{from}>{to}"),
    };
    TallyKey::named(wallet, &name)
}

/// The limits that hold now.
pub fn limits(
    terms: &Terms,
    scales: Scales,
    (from, wallet): (&Currency, Account),
    to: Asset,
    marks: impl Fn(TallyKey) -> Vec<Mark>,
    now: Timestamp,
) -> Vec<Limit> {
    let limit = |allowance: &Allowance| {
        let marks = marks(key(allowance, wallet, to));
        let standing = allowance.standing(scales, &marks, (from.zone, now))?;
        Some(Limit {
            allowance: allowance.clone(),
            standing,
        })
    };
    terms.allowances.iter().filter_map(limit).collect()
}

/// Refuses what would go over one of the limits.
pub fn check(limits: &[Limit], mark: Mark) -> Result<(), Reached> {
    for limit in limits {
        let needed = limit.allowance.count(&mark);
        if needed > limit.standing.left() {
            let limit = limit.clone();
            return Err(Reached { limit, needed });
        }
    }
    Ok(())
}

/// Whether a card takes points of a lot.
pub fn takes(terms: &Terms, lot: &LotKey, now: Timestamp) -> bool {
    let is_excluded = |excluded: &Excluded| match excluded {
        Excluded::Bonus => lot.is_bonus(),
        Excluded::Expiring => lot.expires_at != crate::clock::NEVER,
    };
    lot.is_convertible(now) && !terms.excludes.iter().any(is_excluded)
}

/// What of some usable lots a card would take: those it takes, without what has to stay of all.
pub fn usable(
    terms: &Terms,
    scales: Scales,
    lots: impl Iterator<Item = (LotKey, i64)>,
    now: Timestamp,
) -> i64 {
    let (mut all, mut taken) = (0, 0);
    for (lot, available) in lots.filter(|(lot, _)| lot.is_usable(now)) {
        all += available;
        if takes(terms, &lot, now) {
            taken += available;
        }
    }
    // What a draft was refused for is on no card.
    let keep = terms
        .keep
        .and_then(|keep| keep.units(scales.source, "keep").ok());
    taken.min((all - keep.unwrap_or(0)).max(0))
}

/// The most that may be given at once of so much, by the limits that count it.
pub fn most_given(limits: &[Limit], usable: i64) -> i64 {
    let counted = limits.iter().filter(|it| it.allowance.is_of_given());
    let left = counted.map(|limit| limit.standing.left()).min();
    left.map_or(usable, |left| left.min(usable))
}

/// Refuses more than a card would take.
pub fn must_be_usable(usable: i64, needed: i64) -> Result<(), Short> {
    match needed > usable {
        true => Err(Short {
            held: usable,
            needed,
        }),
        false => Ok(()),
    }
}
