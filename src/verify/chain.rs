//! The chain of seals, taken group by group and change by change: each in one seal, in order, and
//! each seal with the hash that they give.

use std::collections::{BTreeMap, VecDeque};

use super::{Difference, Report};
use crate::access::audit::Change;
use crate::ledger::seals::anchors::Anchor;
use crate::ledger::seals::seal::{Group, Hashing, Link, Seal};

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
    /// Changes that come before a group that has not come.
    changes: VecDeque<Change>,
    changes_up_to: i64,
    unsealed: Option<i64>,
}

/// The seal whose groups are being read.
struct Open {
    seal: Seal,
    hashing: Hashing,
    /// The last number that was read.
    reached: i64,
    groups: i64,
    operations: i64,
    changes: i64,
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

    /// Changes that come next, behind those told before.
    pub fn expect_changes(&mut self, changes: Vec<Change>) {
        if let Some(last) = changes.last() {
            self.changes_up_to = last.position;
        }
        self.changes.extend(changes);
    }

    /// The last change that was read.
    pub fn changes_up_to(&self) -> i64 {
        self.changes_up_to
    }

    /// Whether every change before a group was read.
    pub fn has_changes_before(&self, group: i64) -> bool {
        let last = self.changes.back();
        last.is_some_and(|change| Link::Change(change).number() >= group)
    }

    /// The next group, in the order of ids, and the changes before it.
    pub fn take(&mut self, group: &Group, report: &mut Report) -> Result<(), Difference> {
        let is_before = |change: &mut Change| Link::Change(change).number() < group.id;
        while let Some(change) = self.changes.pop_front_if(is_before) {
            self.add(Link::Change(&change), report)?;
        }
        self.add(Link::Group(group), report)
    }

    fn add(&mut self, link: Link<'_>, report: &mut Report) -> Result<(), Difference> {
        let number = link.number();
        let is_behind = |open: &mut Open| number > open.seal.last_group;
        if let Some(open) = self.open.take_if(is_behind) {
            self.close(open, report)?;
        }
        if self.open.is_none() {
            self.begin(number)?;
        }
        match &mut self.open {
            Some(open) => open.add(link),
            None => {
                self.unsealed.get_or_insert(number);
                report.unsealed += i64::from(matches!(link, Link::Group(_)));
            }
        }
        report.changes += i64::from(matches!(link, Link::Change(_)));
        Ok(())
    }

    fn close(&mut self, open: Open, report: &mut Report) -> Result<(), Difference> {
        self.last = Some(open.finish()?);
        report.seals += 1;
        Ok(())
    }

    /// Opens the seal that begins here, if there is one.
    fn begin(&mut self, number: i64) -> Result<(), Difference> {
        let Some(seal) = self.ahead.pop_front_if(|seal| seal.first_group <= number) else {
            return Ok(());
        };
        if let Some(loose) = self.unsealed {
            return Err(Difference(format!(
                "group {loose} is in no seal, and seal {} comes after it",
                seal.id
            )));
        }
        if seal.first_group != number {
            return Err(begins_missing(&seal));
        }
        self.open = Some(Open {
            hashing: Hashing::begin(self.last.as_ref(), &seal),
            reached: number,
            seal,
            groups: 0,
            operations: 0,
            changes: 0,
        });
        Ok(())
    }

    /// After the last group: nothing that was sealed or anchored is missing.
    pub fn none_left(&mut self, report: &mut Report) -> Result<(), Difference> {
        while let Some(change) = self.changes.pop_front() {
            self.add(Link::Change(&change), report)?;
        }
        if let Some(open) = self.open.take() {
            self.close(open, report)?;
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
    fn add(&mut self, link: Link<'_>) {
        self.hashing.add(link);
        self.reached = link.number();
        match link {
            Link::Group(group) => {
                self.groups += 1;
                self.operations += i64::from(group.size);
            }
            Link::Change(_) => self.changes += 1,
        }
    }

    fn ends_missing(&self) -> Difference {
        Difference(format!(
            "seal {} ends with group {}, which is not there",
            self.seal.id, self.seal.last_group
        ))
    }

    /// What comes is behind it: is it what it says?
    fn finish(self) -> Result<Seal, Difference> {
        if self.reached != self.seal.last_group {
            return Err(self.ends_missing());
        }
        let Open {
            seal,
            hashing,
            reached: _,
            groups,
            operations,
            changes,
        } = self;
        let (id, first, last) = (seal.id, seal.first_group, seal.last_group);
        if (seal.groups, seal.operations, seal.changes) != (groups, operations, changes) {
            return Err(Difference(format!(
                "seal {id} is of {} groups with {} operations and of {} changes, and from group {first} to {last} there are {groups} with {operations} and {changes}",
                seal.groups, seal.operations, seal.changes
            )));
        }
        if seal.hash[..] != hashing.finish() {
            return Err(Difference(format!(
                "seal {id} does not have the hash of groups and changes {first} to {last} and the seal before: one of them was changed"
            )));
        }
        Ok(seal)
    }
}
