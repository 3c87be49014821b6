//! The chain of seals, taken group by group: each group in one seal, in order, and each seal with
//! the hash that its groups give.

use std::collections::{BTreeMap, VecDeque};

use super::{Difference, Report};
use crate::ledger::seals::anchors::Anchor;
use crate::ledger::seals::seal::{Group, Hashing, Seal};

/// What is carried from one group to the next.
#[derive(Default)]
pub struct Chain {
    /// By seal, until it comes.
    anchors: BTreeMap<i64, Vec<Anchor>>,
    /// Seals whose groups have not begun.
    ahead: VecDeque<Seal>,
    open: Option<Open>,
    last: Option<Seal>,
    read_up_to: i64,
    unsealed: Option<i64>,
}

/// The seal whose groups are being read.
struct Open {
    seal: Seal,
    hashing: Hashing,
    groups: i64,
    operations: i64,
}

impl Chain {
    pub fn anchored_by(anchors: Vec<Anchor>) -> Chain {
        let mut chain = Chain::default();
        for anchor in anchors {
            chain.anchors.entry(anchor.seal).or_default().push(anchor);
        }
        chain
    }

    /// The last seal that was read.
    pub fn read_up_to(&self) -> i64 {
        self.read_up_to
    }

    /// Whether every seal that begins with a group or before it was read.
    pub fn is_ahead_of(&self, group: i64) -> bool {
        self.ahead
            .back()
            .is_some_and(|seal| seal.first_group > group)
    }

    /// The next seal, before its groups.
    pub fn expect(&mut self, seal: Seal, report: &mut Report) -> Result<(), Difference> {
        let Seal { id, .. } = seal;
        if id != self.read_up_to + 1 {
            return Err(Difference(format!(
                "seal {} is not there: the next one is seal {id}",
                self.read_up_to + 1
            )));
        }
        for anchor in self.anchors.remove(&id).unwrap_or_default() {
            if anchor != Anchor::of(&seal) {
                return Err(Difference(format!(
                    "seal {id} is not the one that was anchored: that one was made at {}, with hash {}",
                    anchor.at, anchor.hash
                )));
            }
            report.anchors += 1;
        }
        self.read_up_to = id;
        self.ahead.push_back(seal);
        Ok(())
    }

    /// The next group, in the order of ids.
    pub fn take(&mut self, group: &Group, report: &mut Report) -> Result<(), Difference> {
        if self.open.is_none() {
            self.begin(group)?;
        }
        let Some(mut open) = self.open.take() else {
            self.unsealed.get_or_insert(group.id);
            report.unsealed += 1;
            return Ok(());
        };
        if group.id > open.seal.last_group {
            return Err(open.ends_missing());
        }
        open.hashing.add(group);
        open.groups += 1;
        open.operations += i64::from(group.size);
        match group.id == open.seal.last_group {
            true => {
                self.last = Some(open.finish()?);
                report.seals += 1;
            }
            false => self.open = Some(open),
        }
        Ok(())
    }

    /// Opens the seal that begins here, if there is one.
    fn begin(&mut self, group: &Group) -> Result<(), Difference> {
        let Some(seal) = self.ahead.pop_front_if(|seal| seal.first_group <= group.id) else {
            return Ok(());
        };
        if let Some(loose) = self.unsealed {
            return Err(Difference(format!(
                "group {loose} is in no seal, and seal {} comes after it",
                seal.id
            )));
        }
        if seal.first_group != group.id {
            return Err(begins_missing(&seal));
        }
        self.open = Some(Open {
            hashing: Hashing::begin(self.last.as_ref(), &seal),
            seal,
            groups: 0,
            operations: 0,
        });
        Ok(())
    }

    /// After the last group: nothing that was sealed or anchored is missing.
    pub fn none_left(&self) -> Result<(), Difference> {
        if let Some(open) = &self.open {
            return Err(open.ends_missing());
        }
        if let Some(seal) = self.ahead.front() {
            return Err(begins_missing(seal));
        }
        match self.anchors.values().flatten().next() {
            None => Ok(()),
            Some(anchor) => Err(Difference(format!(
                "seal {} was anchored at {} and is not there: the end behind seal {} was cut off, or this is an older copy",
                anchor.seal, anchor.at, self.read_up_to
            ))),
        }
    }
}

fn begins_missing(seal: &Seal) -> Difference {
    Difference(format!(
        "seal {} begins with group {}, which is not there",
        seal.id, seal.first_group
    ))
}

impl Open {
    fn ends_missing(&self) -> Difference {
        Difference(format!(
            "seal {} ends with group {}, which is not there",
            self.seal.id, self.seal.last_group
        ))
    }

    /// Its last group is read: is it what it says?
    fn finish(self) -> Result<Seal, Difference> {
        let Open {
            seal,
            hashing,
            groups,
            operations,
        } = self;
        let (id, first, last) = (seal.id, seal.first_group, seal.last_group);
        if (seal.groups, seal.operations) != (groups, operations) {
            return Err(Difference(format!(
                "seal {id} is of {} groups with {} operations, and from group {first} to {last} there are {groups} with {operations}",
                seal.groups, seal.operations
            )));
        }
        if seal.hash[..] != hashing.finish() {
            return Err(Difference(format!(
                "seal {id} does not have the hash of groups {first} to {last} and the seal before: one of them was changed"
            )));
        }
        Ok(seal)
    }
}
