//! A limit in slices: what each writer may let a partner owe without asking anybody.
//!
//! | | |
//! |-|-|
//! | owed, credited | what the position owes and was credited by a writer's doing |
//! | counted | what of that counts against the limit, at the haircut |
//! | granted | what that may rise to; none when the writer has to ask each time |
//! | left | the ceiling less what is counted over all writers |
//! | free | what is left less what others were granted and have not used |
//!
//! The ceiling is where the partner is warned, and above that the limit: so nobody passes the warning
//! without asking, and whoever does sees it. A writer that asks holds every slice locked. It is granted an
//! `EIGHTH` of what is free, so that
//! those who come later find something too and nobody's slice changes under them. When hardly anything is
//! free because others hold it, theirs are called back. When little is left, or the limit is passed, all
//! are, and every group asks: so the last unit is sold, whoever wants it.
//!
//! While anything is granted, what is granted or else counted sums to no more than the limit. Slices are
//! rounded up one by one, which counts no less than their sum does.

use std::collections::BTreeMap;

use super::owed::Owed;
use super::terms::Terms;
use crate::clock::Timestamp;

/// What part of what is free one writer is granted at a time.
const EIGHTH: i64 = 8;

/// Less than this part of the ceiling is little.
const LITTLE: i64 = 64;

/// Less than this part of what is left is hardly anything.
const HARDLY: i64 = 64;

/// A writer's part of a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slice {
    pub granted: Option<i64>,
    pub sums: Owed,
}

impl Slice {
    fn unused(&self, haircut: i16) -> i64 {
        let counted = self.sums.counted(haircut);
        self.granted.map_or(0, |granted| granted - counted)
    }
}

/// A limit with all its slices, by the slot of their writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub terms: Terms,
    /// Whether the partner is warned.
    pub is_warned: bool,
    pub slices: BTreeMap<i16, Slice>,
}

impl Whole {
    /// What the position owes and was credited, over all writers.
    pub fn sums(&self) -> Owed {
        let slices = self.slices.values();
        slices.fold(Owed::default(), |sum, slice| sum + slice.sums)
    }

    /// What is counted against the limit.
    pub fn counted(&self) -> i64 {
        self.sums().counted(self.terms.haircut)
    }

    /// Up to where slices are granted.
    fn ceiling(&self, now: Timestamp) -> i64 {
        match self.terms.warning(now) {
            warning if self.counted() < warning => warning,
            _ => self.terms.limit(now),
        }
    }

    /// The same after the writer in a slot made the position owe so much more, granted anew.
    pub fn after(mut self, slot: i16, change: Owed, now: Timestamp) -> Whole {
        self.slices.entry(slot).or_default().sums += change;

        let (ceiling, haircut) = (self.ceiling(now), self.terms.haircut);
        let slices = self.slices.values();
        let counted: i64 = slices.map(|slice| slice.sums.counted(haircut)).sum();
        let left = ceiling - counted;
        if left <= ceiling / LITTLE {
            self.call_back(|_| true);
            return self;
        }

        let others = self.slices.iter().filter(|(other, _)| **other != slot);
        let mut free = left - others.map(|(_, slice)| slice.unused(haircut)).sum::<i64>();
        if free < left / HARDLY {
            self.call_back(|other| other != slot);
            free = left;
        }
        let own = self.slices.entry(slot).or_default();
        own.granted = Some(own.sums.counted(haircut) + free / EIGHTH);
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
    use crate::clock::ALWAYS;
    use crate::points::money::Micros;

    fn whole(cap: i64, slices: &[(Option<i64>, i64)]) -> Whole {
        let slices = slices.iter().map(|(granted, owed)| Slice {
            granted: *granted,
            sums: owing(*owed),
        });
        Whole {
            terms: Terms {
                cap: Some(Micros(cap)),
                warn_at: 0,
                ..Terms::NONE
            },
            is_warned: true,
            slices: (0..).zip(slices).collect(),
        }
    }

    fn owing(owed: i64) -> Owed {
        let credited = 0;
        Owed { owed, credited }
    }

    fn after(whole: Whole, slot: i16, more: i64) -> Whole {
        whole.after(slot, owing(more), ALWAYS)
    }

    #[test]
    fn who_asks_is_granted_an_eighth_of_what_is_free() {
        let first = after(whole(900, &[(None, 100)]), 1, 0);
        assert_eq!(first, whole(900, &[(None, 100), (Some(100), 0)]));
        let second = after(first, 2, 0);
        let both = [(None, 100), (Some(100), 0), (Some(87), 0)];
        assert_eq!(second, whole(900, &both), "the first keeps its slice");
    }

    #[test]
    fn what_others_hold_and_do_not_use_is_called_back() {
        let held = whole(6400, &[(Some(6050), 50), (Some(300), 300)]);
        let anew = whole(6400, &[(None, 50), (Some(1056), 300)]);
        assert_eq!(after(held, 1, 0), anew);
    }

    #[test]
    fn when_little_is_left_or_the_cap_is_passed_everybody_asks() {
        let held = whole(6400, &[(Some(6000), 6000), (Some(400), 200)]);
        let asks = whole(6400, &[(None, 6000), (None, 300)]);
        assert_eq!(after(held.clone(), 1, 100), asks);
        let passed = whole(6400, &[(None, 6000), (None, 700)]);
        assert_eq!(after(held, 1, 500), passed);
        assert_eq!(passed.counted(), 6700);
        assert_eq!(after(whole(0, &[]), 0, 0), whole(0, &[(None, 0)]));
    }

    #[test]
    fn nobody_is_granted_what_lies_beyond_the_warning_before_it_is_passed() {
        let warned_at = |warn_at, owed| {
            let mut whole = whole(1_000, &[(None, owed)]);
            whole.terms.warn_at = warn_at;
            after(whole, 1, 0).slices[&1].granted
        };
        assert_eq!(warned_at(8_000, 0), Some(100), "an eighth of 800");
        assert_eq!(warned_at(8_000, 799), None, "little is left up to there");
        assert_eq!(warned_at(8_000, 800), Some(25), "an eighth of 200");
    }

    #[test]
    fn what_was_credited_counts_less_in_a_slice_too() {
        let mut whole = whole(1_000, &[]);
        whole.terms.haircut = 2_500;
        let credit = Owed {
            owed: -400,
            credited: 400,
        };
        let after = whole.after(0, credit, ALWAYS);
        assert_eq!(after.counted(), -300);
        // Up to where it is warned, which is at nothing here.
        assert_eq!(after.slices[&0].granted, Some(-300 + 300 / 8));
    }
}
