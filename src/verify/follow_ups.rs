//! Follow-ups: what each did follows from what it follows, and from what followed that before.

use std::collections::BTreeMap;

use super::Difference;
use crate::ledger::deliveries;
use crate::ledger::follow_ups::{FollowUps, before, walk};
use crate::ledger::holds;
use crate::ledger::lot::LotKey;
use crate::ledger::operation::{Kind, Leg, Operation};
use crate::ledger::reversals::part::Part;
use crate::ledger::reversals::{Mirror, back, memo, mirror};

/// Proves follow-ups in the order of what they follow, then of how much followed that before.
#[derive(Default)]
pub struct Steps {
    followed: i64,
    so_far: FollowUps,
}

/// Among follow-ups that find as much undone of what they follow, a delivery comes first: it undoes nothing.
pub fn rank(operation: &Operation) -> i64 {
    match operation.kind {
        Kind::Delivery => -operation.id,
        _ => operation.id,
    }
}

impl Steps {
    pub fn take(
        &mut self,
        original: Option<&Operation>,
        operation: &Operation,
    ) -> Result<(), Difference> {
        let wrong = |what: &str| {
            let (kind, followed) = (operation.kind.name(), operation.follows.unwrap_or_default());
            Difference(format!(
                "{kind} {} of operation {followed} {what}",
                operation.id
            ))
        };
        let is_before = |original: &&Operation| {
            operation.followed() == Some((original.kind, original.id)) && original.id < operation.id
        };
        let original = original
            .filter(is_before)
            .ok_or_else(|| wrong("does not follow what can be followed so"))?;
        if self.followed != original.id {
            *self = Steps {
                followed: original.id,
                so_far: FollowUps::default(),
            };
        }

        let delivered = self.so_far.of(Kind::Delivery).amount;
        let so_far = self.so_far.total() - delivered;
        if before(operation) != Some(so_far) {
            return Err(wrong("does not follow on what came before it"));
        }
        if operation.kind == Kind::Delivery {
            self.so_far.add(operation);
            return match delivered == 0 && is_delivery(original, operation, so_far) {
                true => Ok(()),
                false => Err(wrong("is not what waited for its code")),
            };
        }
        let part = Part {
            before: so_far,
            after: so_far + operation.follow_up_amount(),
            whole: original.amount(),
        };
        if part.after > part.whole {
            return Err(wrong("makes more than the whole"));
        }
        self.so_far.add(operation);
        match (operation.kind, original.kind) {
            (Kind::Capture, _) if Some(operation.at) >= holds::ends_at(original) => {
                Err(wrong("came when the hold was over"))
            }
            (_, Kind::Hold) if is_step(original, operation, part) => Ok(()),
            (_, Kind::Hold) => Err(wrong("is not of the hold's next lots")),
            _ if is_mirror(original, operation, part) => Ok(()),
            _ => Err(wrong("is not the mirror of its part")),
        }
    }
}

/// A capture takes and a release gives back the units of the hold that come next.
fn is_step(hold: &Operation, operation: &Operation, part: Part) -> bool {
    let captures = operation.kind == Kind::Capture;
    let leg = hold.out.map(|leg| Leg {
        amount: part.after - part.before,
        ..leg
    });
    let (out, into) = if captures { (leg, None) } else { (None, leg) };
    let lots_are_right = leg.is_some_and(|leg| {
        let next = walk(hold.losses(leg.wallet), part.before, leg.amount);
        match captures {
            true => operation.losses(leg.wallet).eq(next),
            false => operation.gains(leg.wallet).eq(next),
        }
    });
    lots_are_right && (operation.out, operation.into, operation.figures) == (out, into, None)
}

/// A delivery takes all that waits for the code, in time, and gives it to somebody who can use it, bonuses
/// as bonuses. It moves no money.
fn is_delivery(conversion: &Operation, operation: &Operation, undone: i64) -> bool {
    let (Some(filled), Some(out), Some(into)) = (conversion.into, operation.out, operation.into)
    else {
        return false;
    };
    let waiting = deliveries::waiting(conversion, undone);
    let amount: i64 = waiting.iter().map(|(_, units)| units).sum();
    let per_class = |lots: &mut dyn Iterator<Item = (LotKey, i64)>| {
        let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
        lots.for_each(|(lot, units)| *sums.entry(lot.class).or_default() += units);
        sums
    };
    let was = per_class(&mut waiting.iter().copied());
    let is = per_class(&mut operation.gains(into.wallet));
    let owed = LotKey::RECEIVABLE.class;
    let is_kept = |(class, units): (&i64, &i64)| *class == owed || was.get(class) >= Some(units);
    let mut gained = operation.gains(into.wallet);
    let mut lots = waiting.iter();
    operation.losses(filled.wallet).eq(waiting.iter().copied())
        && lots.all(|(lot, _)| operation.at < lot.expires_at)
        && gained.all(|(lot, _)| lot == LotKey::RECEIVABLE || lot.is_usable(operation.at))
        && is.iter().all(is_kept)
        && into.wallet.asset() == filled.wallet.asset()
        && (out.wallet, out.amount, into.amount) == (filled.wallet, amount, amount)
        && (operation.figures, operation.transfers.is_empty()) == (None, true)
        && (operation.card_id, operation.exchange_rate_id) == (None, None)
}

fn is_mirror(original: &Operation, operation: &Operation, part: Part) -> bool {
    let Mirror {
        out,
        into,
        figures,
        transfers,
    } = mirror(original, part);
    let lots_are_right = into.is_none_or(|leg| {
        let (paid, gains): (Vec<_>, Vec<_>) = operation
            .gains(leg.wallet)
            .partition(|(lot, _)| *lot == LotKey::RECEIVABLE);
        let paid = paid.iter().map(|(_, units)| units).sum();
        gains == back(original, leg, part.before, paid)
    });
    lots_are_right
        && (operation.out, operation.into, operation.figures) == (out, into, figures)
        && operation.transfers == transfers
        && operation.memo.as_ref() == Some(&memo(original, part))
        && (operation.card_id, operation.exchange_rate_id)
            == (original.card_id, original.exchange_rate_id)
}
