//! Which amounts a card would convert, and the nearest of them.
//!
//! ```text
//! legal = within the source's limits, on its step, gaining at least one smallest unit,
//!         within the destination's limits, on its step, and dividing if the remainder stays;
//!         leaving something after a fee in what is gained
//! ```
//!
//! The same set answers four questions: what a refusal names, what is taken when the rest
//! stays in the source, what the smallest spend for a wish is, and whether a card leaves
//! anything to convert at all.

use super::grid::{Grid, Residue};
use super::stretch::{Curve, Stretch, first_where};
use super::tariff::Tariff;
use super::terms::Remainder;

impl Tariff {
    /// The smallest amount the card converts.
    pub fn smallest(&self) -> Option<i64> {
        self.legal_up(1)
    }

    /// The largest amount the card converts.
    pub fn largest(&self) -> Option<i64> {
        self.legal_down(self.source.max)
    }

    /// The smallest legal amount that is at least `units`.
    pub fn legal_up(&self, units: i64) -> Option<i64> {
        let ascending = self.stretches.iter();
        ascending
            .filter_map(|stretch| {
                let (first, last) = self.window(stretch)?;
                let first = first.max(units);
                let is_open = first <= last;
                let next = is_open.then(|| self.grid(stretch)?.at_least(first))??;
                (next <= last).then_some(next)
            })
            .next()
    }

    /// The largest legal amount that is at most `units`.
    pub fn legal_down(&self, units: i64) -> Option<i64> {
        let descending = self.stretches.iter().rev();
        descending
            .filter_map(|stretch| {
                let (first, last) = self.window(stretch)?;
                let last = last.min(units);
                let is_open = first <= last;
                let next = is_open.then(|| self.grid(stretch)?.at_most(last))??;
                (next >= first).then_some(next)
            })
            .next()
    }

    /// The amounts of a stretch within both sides' minimum and maximum.
    pub(super) fn window(&self, stretch: &Stretch) -> Option<(i64, i64)> {
        let first = stretch.first.max(self.source.min);
        let last = stretch.last.min(self.source.max);
        let gains = |units: i64| stretch.curve.at(units).map(|exact| exact.floor());
        let enough = |units| gains(units).is_none_or(|g| g >= self.destination.min.into());
        let too_much = |units| gains(units).is_none_or(|g| g > self.destination.max.into());

        let first = first_where(first, last, enough)?;
        let last = first_where(first, last, too_much).map_or(last, |beyond| beyond - 1);
        (first <= last).then_some((first, last))
    }

    /// The steps of both sides and the division; nothing when it cannot be evaluated exactly.
    pub(super) fn grid(&self, stretch: &Stretch) -> Option<Grid> {
        let exact = self.remainder == Remainder::LeaveInSource;
        let step = self.destination.step;
        let plain = Grid {
            step: self.source.step,
            origin: self.source.origin,
            residue: None,
        };
        match &stretch.curve {
            Curve::Line(line) if exact || step > 1 => Some(Grid {
                residue: Some(Residue::of(line, step, exact)?),
                ..plain
            }),
            Curve::Line(_) | Curve::Money(_) => Some(plain),
            Curve::Fixed(get) if get % step == 0 => Some(plain),
            Curve::Fixed(_) => None,
        }
    }
}
