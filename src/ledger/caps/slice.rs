//! A cap in slices: what each writer may let a partner owe without asking anybody.
//!
//! | | |
//! |-|-|
//! | owed | what the position owes by a writer's doing; below zero when the hub owes it |
//! | granted | what that may rise to; none when the writer has to ask each time |
//! | left | the cap less what is owed over all writers |
//! | free | what is left less what others were granted and have not used |
//!
//! A writer that asks holds every slice locked. It is granted an `EIGHTH` of what is free, so that
//! those who come later find something too and nobody's slice changes under them. When hardly anything is
//! free because others hold it, theirs are called back. When little is left, or the cap is passed, all
//! are, and every group asks: so the last unit is sold, whoever wants it.
//!
//! While anything is granted, what is granted or else owed sums to no more than the cap.

use std::collections::BTreeMap;

/// What part of what is free one writer is granted at a time.
const EIGHTH: i64 = 8;

/// Less than this part of the cap is little.
const LITTLE: i64 = 64;

/// Less than this part of what is left is hardly anything.
const HARDLY: i64 = 64;

/// A writer's part of a cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slice {
    pub granted: Option<i64>,
    pub owed: i64,
}

impl Slice {
    fn unused(&self) -> i64 {
        self.granted.map_or(0, |granted| granted - self.owed)
    }
}

/// A cap with all its slices, by the slot of their writer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    pub cap: i64,
    pub slices: BTreeMap<i16, Slice>,
}

impl Whole {
    /// How much more may be owed; below zero when the cap is passed.
    pub fn left(&self) -> i64 {
        self.cap - self.slices.values().map(|slice| slice.owed).sum::<i64>()
    }

    /// The same after the writer in a slot made the position owe so much more, granted anew.
    pub fn after(mut self, slot: i16, change: i64) -> Whole {
        self.slices.entry(slot).or_default().owed += change;

        let left = self.left();
        if left <= self.cap / LITTLE {
            self.call_back(|_| true);
            return self;
        }

        let others = self.slices.iter().filter(|(other, _)| **other != slot);
        let mut free = left - others.map(|(_, slice)| slice.unused()).sum::<i64>();
        if free < left / HARDLY {
            self.call_back(|other| other != slot);
            free = left;
        }
        let own = self.slices.entry(slot).or_default();
        own.granted = Some(own.owed + free / EIGHTH);
        self
    }

    fn call_back(&mut self, whose: impl Fn(i16) -> bool) {
        let slices = self.slices.iter_mut();
        for (_, slice) in slices.filter(|(slot, _)| whose(**slot)) {
            slice.granted = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(cap: i64, slices: &[(Option<i64>, i64)]) -> Whole {
        let slices = slices.iter().map(|(granted, owed)| Slice {
            granted: *granted,
            owed: *owed,
        });
        Whole {
            cap,
            slices: (0..).zip(slices).collect(),
        }
    }

    #[test]
    fn who_asks_is_granted_an_eighth_of_what_is_free() {
        let first = whole(900, &[(None, 100)]).after(1, 0);
        assert_eq!(first, whole(900, &[(None, 100), (Some(100), 0)]));
        let second = first.after(2, 0);
        let both = [(None, 100), (Some(100), 0), (Some(87), 0)];
        assert_eq!(second, whole(900, &both), "the first keeps its slice");
    }

    #[test]
    fn what_others_hold_and_do_not_use_is_called_back() {
        let held = whole(6400, &[(Some(6050), 50), (Some(300), 300)]);
        let anew = whole(6400, &[(None, 50), (Some(1056), 300)]);
        assert_eq!(held.after(1, 0), anew);
    }

    #[test]
    fn when_little_is_left_or_the_cap_is_passed_everybody_asks() {
        let held = whole(6400, &[(Some(6000), 6000), (Some(400), 200)]);
        let asks = whole(6400, &[(None, 6000), (None, 300)]);
        assert_eq!(held.clone().after(1, 100), asks);
        let passed = whole(6400, &[(None, 6000), (None, 700)]);
        assert_eq!(held.after(1, 500), passed);
        assert_eq!(passed.left(), -300);
        assert_eq!(whole(0, &[]).after(0, 0), whole(0, &[(None, 0)]));
    }
}
