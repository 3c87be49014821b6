//! What a writer remembers of limits, so that a group that stays within its slices reads nothing of them.
//!
//! Memory may be wrong: a slice is written only as it is remembered, and when the database finds it
//! otherwise the group is rolled back, all is forgotten, and it is tried again. Which positions have a
//! limit is read again after each publication, as setting one is. A slice is good until the next of the
//! cover ends: after that its writer asks.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::room::{Most, Room, Rooms};
use super::slice::{Slice, Whole};
use crate::clock::Timestamp;
use crate::points::account::Account;

#[derive(Debug, Default)]
pub struct Known {
    /// The publication that `limited` is as of.
    version: i64,
    limited: HashSet<Account>,
    /// The writer's own slices that it was granted something of.
    slices: HashMap<Account, Own>,
    /// What the group under way has locked.
    locked: BTreeMap<Account, Whole>,
}

/// A writer's own slice.
#[derive(Debug, Clone, Copy)]
struct Own {
    slice: Slice,
    haircut: i16,
    /// When it is to be asked for again.
    until: Option<Timestamp>,
}

/// What a group does to slices, and to warnings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// The writer's own, as they were and as they are then.
    pub within: Vec<(Account, Slice, Slice)>,
    /// By slot, of locked positions.
    pub anew: Vec<(Account, i16, Slice)>,
    pub warnings: Vec<Warning>,
    /// Whose warning ends.
    pub calmed: Vec<Account>,
}

/// A position reached where its partner is warned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    pub position: Account,
    pub counted: i64,
    /// The lesser of cover and cap.
    pub most: i64,
}

impl Known {
    pub fn is_as_of(&self, version: i64) -> bool {
        self.version == version
    }

    pub fn learn(&mut self, version: i64, limited: impl Iterator<Item = Account>) {
        self.forget();
        (self.version, self.limited) = (version, limited.collect());
    }

    pub fn forget(&mut self) {
        self.slices.clear();
        self.locked.clear();
    }

    /// Which of some positions are to be locked: those whose slice is not remembered, or `all` with a limit.
    pub fn to_lock(&self, positions: &[Account], all: bool) -> Vec<i64> {
        let asks = |position: &&Account| {
            self.limited.contains(position) && (all || !self.slices.contains_key(position))
        };
        let positions = positions.iter().filter(asks);
        positions.map(|position| position.0).collect()
    }

    pub fn lock(&mut self, locked: BTreeMap<Account, Whole>) {
        self.locked = locked;
    }

    /// The rooms a group begins with.
    pub fn rooms(&self, positions: &[Account], now: Timestamp) -> Rooms {
        let room = |position: &Account| {
            let room = match self.locked.get(position) {
                Some(whole) => in_all(whole, now),
                None => self.slices.get(position)?.room(now),
            };
            Some((*position, room))
        };
        Rooms(positions.iter().filter_map(room).collect())
    }

    /// What is to be written after the commands of a group used the rooms.
    pub fn steps(&self, slot: i16, rooms: &Rooms, now: Timestamp) -> Steps {
        let mut steps = Steps::default();
        for (position, Room { change, .. }) in &rooms.0 {
            if let Some(whole) = self.locked.get(position) {
                let after = whole.clone().after(slot, change.unwrap_or_default(), now);
                steps.warn(*position, &after, now);
                let after = after.slices.into_iter();
                let changed = after.filter(|(slot, slice)| whole.slices.get(slot) != Some(slice));
                let changed = changed.map(|(slot, slice)| (*position, slot, slice));
                steps.anew.extend(changed);
            } else if let Some((own, change)) = self.slices.get(position).zip(*change) {
                let sums = own.slice.sums + change;
                let slice = Slice { sums, ..own.slice };
                steps.within.push((*position, own.slice, slice));
            }
        }
        steps
    }

    /// Remembers what was committed.
    pub fn keep(&mut self, slot: i16, steps: Steps, now: Timestamp) {
        for (position, _, slice) in steps.within {
            if let Some(own) = self.slices.get_mut(&position) {
                own.slice = slice;
            }
        }
        let anew = steps.anew.into_iter();
        for (position, _, slice) in anew.filter(|(_, other, _)| *other == slot) {
            let whole = self.locked.get(&position);
            let own = whole.filter(|_| slice.granted.is_some()).map(|whole| Own {
                slice,
                haircut: whole.terms.haircut,
                until: whole.terms.ends(now),
            });
            match own {
                Some(own) => self.slices.insert(position, own),
                None => self.slices.remove(&position),
            };
        }
        self.locked.clear();
    }
}

fn in_all(whole: &Whole, now: Timestamp) -> Room {
    let (cover, cap) = (whole.terms.covered(now), whole.terms.cap.map(|cap| cap.0));
    Room {
        sums: whole.sums(),
        haircut: whole.terms.haircut,
        most: Most::InAll { cover, cap },
        change: None,
    }
}

impl Own {
    fn room(&self, now: Timestamp) -> Room {
        let is_good = self.until.is_none_or(|until| now < until);
        let granted = self.slice.granted.filter(|_| is_good);
        Room {
            sums: self.slice.sums,
            haircut: self.haircut,
            most: Most::Granted(granted.unwrap_or(i64::MIN)),
            change: None,
        }
    }
}

impl Steps {
    /// Begins a warning, or ends one. A group that asks sees both.
    fn warn(&mut self, position: Account, after: &Whole, now: Timestamp) {
        let (counted, most) = (after.counted(), after.terms.limit(now));
        match (after.is_warned, counted >= after.terms.warning(now)) {
            (false, true) => self.warnings.push(Warning {
                position,
                counted,
                most,
            }),
            (true, false) => self.calmed.push(position),
            (true, true) | (false, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ALWAYS, NEVER};
    use crate::ledger::caps::owed::Owed;
    use crate::ledger::caps::terms::{CoverKind, Line, Terms};
    use crate::points::money::Micros;

    const POSITION: Account = Account(1);
    const SLOT: i16 = 3;

    /// A change that owes so much more and credits nothing.
    fn owing(owed: i64) -> Owed {
        let credited = 0;
        Owed { owed, credited }
    }

    fn whole(terms: Terms, owed: i64, is_warned: bool) -> Whole {
        let slice = Slice {
            granted: None,
            sums: owing(owed),
        };
        Whole {
            terms,
            is_warned,
            slices: [(0, slice)].into(),
        }
    }

    fn capped(cap: i64) -> Terms {
        Terms {
            cap: Some(Micros(cap)),
            ..Terms::NONE
        }
    }

    /// A writer that was granted something, of which it used 100.
    fn known(terms: Terms) -> Known {
        let mut known = Known::default();
        known.learn(7, [POSITION].into_iter());
        known.lock([(POSITION, whole(terms, 0, false))].into());
        let steps = known.steps(SLOT, &used(&known, Some(100)), ALWAYS);
        known.keep(SLOT, steps, ALWAYS);
        known
    }

    fn used(known: &Known, change: Option<i64>) -> Rooms {
        let mut rooms = known.rooms(&[POSITION], ALWAYS);
        let change = change.map(owing);
        rooms.0.values_mut().for_each(|room| room.change = change);
        rooms
    }

    #[test]
    fn a_slice_is_remembered_until_a_publication_or_a_failure() {
        let mut known = known(capped(8_000));
        assert!(known.to_lock(&[POSITION, Account(2)], false).is_empty());
        assert_eq!(known.to_lock(&[POSITION, Account(2)], true), [1]);
        let room = known.rooms(&[POSITION], ALWAYS).0[&POSITION];
        assert_eq!(room.most, Most::Granted(100 + 6_300 / 8));

        known.forget();
        assert_eq!(known.to_lock(&[POSITION], false), [1]);
        assert!(known.is_as_of(7) && !known.is_as_of(8));
        known.learn(8, std::iter::empty());
        assert!(known.to_lock(&[POSITION], true).is_empty());
    }

    #[test]
    fn a_slice_of_cover_that_has_ended_is_good_for_nothing() {
        let until = "2027-01-01T00:00:00Z".parse().expect("an instant");
        let line = Line {
            kind: CoverKind::Prefund,
            amount: Micros(8_000),
            until,
            rests_on: "a payment".to_owned(),
        };
        let known = known(Terms {
            cover: Some(vec![line]),
            ..Terms::NONE
        });
        let most = |now| known.rooms(&[POSITION], now).0[&POSITION].most;
        assert_eq!(most(ALWAYS), Most::Granted(100 + 6_300 / 8));
        assert_eq!(most(until), Most::Granted(i64::MIN));
        assert_eq!(most(NEVER), Most::Granted(i64::MIN));
    }

    #[test]
    fn a_slice_that_was_used_is_written_also_when_nothing_came_of_it() {
        let known = known(capped(8_000));
        let within = |change| {
            let steps = known.steps(SLOT, &used(&known, change), ALWAYS);
            steps.within.len()
        };
        assert_eq!([within(None), within(Some(0)), within(Some(5))], [0, 1, 1]);
    }

    #[test]
    fn a_warning_begins_once_and_ends_once() {
        let steps = |owed, is_warned, change| {
            let mut known = Known::default();
            known.learn(7, [POSITION].into_iter());
            known.lock([(POSITION, whole(capped(1_000), owed, is_warned))].into());
            let steps = known.steps(SLOT, &used(&known, Some(change)), ALWAYS);
            (steps.warnings.len(), steps.calmed.len())
        };
        let cases = [
            (700, false, 99, (0, 0)),
            (700, false, 100, (1, 0)),
            (800, true, 100, (0, 0)),
            (900, true, -100, (0, 0)),
            (900, true, -101, (0, 1)),
            (700, false, 0, (0, 0)),
        ];
        for (owed, is_warned, change, expected) in cases {
            assert_eq!(steps(owed, is_warned, change), expected, "{owed} {change}");
        }
    }
}
