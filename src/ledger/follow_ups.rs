//! Follow-ups: operations that go on with an earlier one, in any number of parts. A reversal follows
//! what it undoes, a capture and a release follow their hold.
//!
//! What has followed so far is read under the locks and handed to the decision as a number of units,
//! per kind. Nothing else of it is needed: an operation's lots are walked in their order, so how many
//! units are done says which come next, and every figure of a part follows from how much was done
//! before it and after it. Each remembers how much was done before it, which says their order: ids of
//! groups that waited for each other do not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lot::LotKey;
use super::operation::{Kind, Operation};

/// What one kind of follow-ups has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoFar {
    /// The last of them.
    pub last: i64,
    /// In units of what the operation they follow took, or gave when it took nothing.
    pub amount: i64,
}

/// Everything that has followed one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FollowUps(BTreeMap<Kind, SoFar>);

pub(super) static NONE: FollowUps = FollowUps(BTreeMap::new());

impl FollowUps {
    pub fn of(&self, kind: Kind) -> SoFar {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    /// Of all kinds together.
    pub fn total(&self) -> i64 {
        self.0.values().map(|so_far| so_far.amount).sum()
    }

    /// The next that follows.
    pub fn add(&mut self, operation: &Operation) {
        self.insert(operation.kind, operation.id, operation.follow_up_amount());
    }

    /// Several of a kind at once: the last of them, and what they sum to.
    pub fn insert(&mut self, kind: Kind, last: i64, amount: i64) {
        let so_far = self.0.entry(kind).or_default();
        so_far.last = so_far.last.max(last);
        so_far.amount += amount;
    }
}

/// What a follow-up remembers.
pub fn memo(before: i64) -> Value {
    json!({ "before": before })
}

/// How much had followed before this, as it remembers.
pub fn before(operation: &Operation) -> Option<i64> {
    operation.memo.as_ref()?.get("before")?.as_i64()
}

/// Of units that lie in lots one after the other, those from `skip` on, `amount` of them.
pub fn walk(
    lots: impl Iterator<Item = (LotKey, i64)>,
    mut skip: i64,
    mut amount: i64,
) -> Vec<(LotKey, i64)> {
    let mut steps = Vec::new();
    for (lot, units) in lots {
        let passed = skip.min(units);
        let part = amount.min(units - passed);
        if part > 0 {
            steps.push((lot, part));
        }
        skip -= passed;
        amount -= part;
    }
    steps
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn lot(day: u32) -> LotKey {
        let at = chrono::Utc.with_ymd_and_hms(2027, 1, day, 0, 0, 0);
        LotKey::expiring(at.single().expect("a day"))
    }

    #[test]
    fn steps_of_a_walk_meet_every_unit_once() {
        let lots = [(lot(1), 10), (lot(2), 5), (lot(3), 20)];
        let steps = |skip, amount| walk(lots.into_iter(), skip, amount);

        assert_eq!(steps(0, 12), [(lot(1), 10), (lot(2), 2)]);
        assert_eq!(steps(12, 3), [(lot(2), 3)]);
        assert_eq!(steps(15, 20), [(lot(3), 20)]);
        assert_eq!(steps(3, 0), []);
    }
}
