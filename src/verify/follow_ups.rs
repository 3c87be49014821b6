//! Follow-ups: what each did follows from what it follows, and from what followed that before.

use super::Difference;
use crate::ledger::follow_ups::{FollowUps, walk};
use crate::ledger::operation::Operation;
use crate::ledger::reversals::part::Part;
use crate::ledger::reversals::{Mirror, mirror};

/// Proves follow-ups in the order of what they follow, then of their ids.
#[derive(Default)]
pub struct Chain {
    followed: i64,
    so_far: FollowUps,
}

impl Chain {
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
            *self = Chain {
                followed: original.id,
                so_far: FollowUps::default(),
            };
        }

        let so_far = self.so_far.of(operation.kind).amount;
        let part = Part {
            before: so_far,
            after: so_far + operation.follow_up_amount(),
            whole: original.amount(),
        };
        if part.after > part.whole {
            return Err(wrong("makes more than the whole"));
        }
        self.so_far.add(operation);
        match is_mirror(original, operation, part) {
            true => Ok(()),
            false => Err(wrong("is not the mirror of its part")),
        }
    }
}

fn is_mirror(original: &Operation, operation: &Operation, part: Part) -> bool {
    let Mirror { out, into, figures } = mirror(original, part);
    let lots_are_right = into.is_none_or(|leg| {
        let back = walk(original.losses(leg.wallet), part.before, leg.amount);
        operation.gains(leg.wallet).eq(back)
    });
    lots_are_right
        && (operation.out, operation.into, operation.figures) == (out, into, figures)
        && (operation.card_id, operation.exchange_rate_id)
            == (original.card_id, original.exchange_rate_id)
}
