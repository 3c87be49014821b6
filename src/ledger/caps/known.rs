//! What a writer remembers of caps, so that a group that stays within its slices reads nothing of them.
//!
//! Memory may be wrong: a slice is written only as it is remembered, and when the database finds it
//! otherwise the group is rolled back, all is forgotten, and it is tried again. Which positions have a
//! cap is read again after each publication, as setting one is.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::room::{Room, Rooms};
use super::slice::{Slice, Whole};
use crate::points::account::Account;

#[derive(Debug, Default)]
pub struct Known {
    /// The publication that `capped` is as of.
    version: i64,
    capped: HashSet<Account>,
    /// The writer's own slices that it was granted something of.
    slices: HashMap<Account, Slice>,
    /// What the group under way has locked.
    locked: BTreeMap<Account, Whole>,
}

/// What a group does to slices.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// The writer's own, as they were and as they are then.
    pub within: Vec<(Account, Slice, Slice)>,
    /// By slot, of locked positions.
    pub anew: Vec<(Account, i16, Slice)>,
}

impl Known {
    pub fn is_as_of(&self, version: i64) -> bool {
        self.version == version
    }

    pub fn learn(&mut self, version: i64, capped: impl Iterator<Item = Account>) {
        self.forget();
        (self.version, self.capped) = (version, capped.collect());
    }

    pub fn forget(&mut self) {
        self.slices.clear();
        self.locked.clear();
    }

    /// Which of some positions are to be locked: those whose slice is not remembered, or `all` with a cap.
    pub fn to_lock(&self, positions: &[Account], all: bool) -> Vec<i64> {
        let asks = |position: &&Account| {
            self.capped.contains(position) && (all || !self.slices.contains_key(position))
        };
        let positions = positions.iter().filter(asks);
        positions.map(|position| position.0).collect()
    }

    pub fn lock(&mut self, locked: BTreeMap<Account, Whole>) {
        self.locked = locked;
    }

    /// The rooms a group begins with.
    pub fn rooms(&self, positions: &[Account]) -> Rooms {
        let room = |position: &Account| {
            let (left, is_all) = match self.locked.get(position) {
                Some(whole) => (whole.left(), true),
                None => {
                    let slice = self.slices.get(position)?;
                    (slice.granted? - slice.owed, false)
                }
            };
            let change = None;
            Some((
                *position,
                Room {
                    left,
                    is_all,
                    change,
                },
            ))
        };
        Rooms(positions.iter().filter_map(room).collect())
    }

    /// What is to be written after the commands of a group used the rooms.
    pub fn steps(&self, slot: i16, rooms: &Rooms) -> Steps {
        let mut steps = Steps::default();
        for (position, Room { change, .. }) in &rooms.0 {
            if let Some(whole) = self.locked.get(position) {
                let after = whole.clone().after(slot, change.unwrap_or(0));
                let after = after.slices.into_iter();
                let changed = after.filter(|(slot, slice)| whole.slices.get(slot) != Some(slice));
                let changed = changed.map(|(slot, slice)| (*position, slot, slice));
                steps.anew.extend(changed);
            } else if let Some((was, change)) = self.slices.get(position).zip(*change) {
                let owed = was.owed + change;
                steps.within.push((*position, *was, Slice { owed, ..*was }));
            }
        }
        steps
    }

    /// Remembers what was committed.
    pub fn keep(&mut self, slot: i16, steps: Steps) {
        self.locked.clear();
        let within = steps.within.into_iter();
        self.slices
            .extend(within.map(|(position, _, slice)| (position, slice)));
        let own = steps
            .anew
            .into_iter()
            .filter(|(_, other, _)| *other == slot);
        for (position, _, slice) in own {
            match slice.granted {
                Some(_) => self.slices.insert(position, slice),
                None => self.slices.remove(&position),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Account = Account(1);
    const SLOT: i16 = 3;

    /// A writer that was granted something of a cap of 6400, of which it used 100.
    fn known() -> Known {
        let mut known = Known::default();
        known.learn(7, [POSITION].into_iter());
        let whole = Whole {
            cap: 6_400,
            slices: BTreeMap::new(),
        };
        known.lock([(POSITION, whole)].into());
        known.keep(SLOT, known.steps(SLOT, &used(&known, Some(100))));
        known
    }

    fn used(known: &Known, change: Option<i64>) -> Rooms {
        let mut rooms = known.rooms(&[POSITION]);
        rooms.0.values_mut().for_each(|room| room.change = change);
        rooms
    }

    #[test]
    fn a_slice_is_remembered_until_a_publication_or_a_failure() {
        let mut known = known();
        assert!(known.to_lock(&[POSITION, Account(2)], false).is_empty());
        assert_eq!(known.to_lock(&[POSITION, Account(2)], true), [1]);
        let room = known.rooms(&[POSITION]).0[&POSITION];
        assert_eq!((room.left, room.is_all), (787, false));

        known.forget();
        assert_eq!(known.to_lock(&[POSITION], false), [1]);
        assert!(known.is_as_of(7) && !known.is_as_of(8));
        known.learn(8, std::iter::empty());
        assert!(known.to_lock(&[POSITION], true).is_empty());
    }

    #[test]
    fn a_slice_that_was_used_is_written_also_when_nothing_came_of_it() {
        let known = known();
        let within = |change| known.steps(SLOT, &used(&known, change)).within.len();
        assert_eq!([within(None), within(Some(0)), within(Some(5))], [0, 1, 1]);
    }
}
