//! A writer's slot: rows that nobody else adds to, so that no two writers wait for one.

use std::collections::HashSet;

use super::caps::known::Known;
use super::transfer::{Pair, Sum, Sums};

/// Some of a group's sums.
pub(super) type Part<'s> = Vec<(&'s Pair, &'s Sum)>;

/// A writer's own rows of the totals and of the slices: nobody else adds to them while it has the slot.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub number: i16,
    window: i64,
    /// The sums that have a row in this window.
    begun: HashSet<Pair>,
    pub caps: Known,
}

impl Slot {
    pub fn of(number: i16) -> Slot {
        Slot {
            number,
            ..Slot::default()
        }
    }

    /// Sums that have a row in this window, and sums that have none yet.
    pub fn part<'s>(&mut self, window: i64, sums: &'s Sums) -> (Part<'s>, Part<'s>) {
        self.turn_to(window);
        sums.iter().partition(|(pair, _)| self.begun.contains(pair))
    }

    /// Remembers which sums have a row now.
    pub fn begin(&mut self, sums: Part<'_>) {
        self.begun.extend(sums.into_iter().map(|(pair, _)| *pair));
    }

    fn turn_to(&mut self, window: i64) {
        if self.window != window {
            self.window = window;
            self.begun.clear();
        }
    }
}
