//! Follow-ups: what each did follows from what it follows, and from what followed that before.

use super::Difference;
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

        let so_far = self.so_far.total();
        if before(operation) != Some(so_far) {
            return Err(wrong("does not follow on what came before it"));
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
