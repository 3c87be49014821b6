//! Which amounts lie on a grid: on the source's steps, and dividing as the card asks.
//!
//! ```text
//! on a step          (x − origin) mod step = 0
//! gains a step       floor((a·x + b) / d) mod D = 0   ⇔   (a·x + b) mod d·D  <  d
//! divides            (a·x + b) / d is whole           ⇔   (a·x + b) mod d·D  =  0
//! ```
//!
//! The next such amount is found exactly and without trying: the smallest `k` with `low ≤ a·k
//! mod m ≤ high` comes out of Euclid's algorithm in about as many rounds as `m` has digits.

use super::stretch::Line;

/// A wider modulus could leave 128 bits when squared.
const MAX_MODULUS: i128 = 1_000_000_000_000_000_000;

/// Steps on the source side, and what the curve asks of the amount besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub step: i64,
    pub origin: i64,
    pub residue: Option<Residue>,
}

/// `(slope × x + offset) mod modulus ≤ width`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Residue {
    slope: i128,
    offset: i128,
    modulus: i128,
    width: i128,
}

impl Residue {
    /// Amounts whose gain lies on a step of the destination, and is whole when `exact`.
    /// Nothing when the numbers are too large.
    pub fn of(line: &Line, dest_step: i64, exact: bool) -> Option<Residue> {
        let modulus = line.den.checked_mul(dest_step.into())?;
        (modulus <= MAX_MODULUS).then_some(Residue {
            slope: line.slope.rem_euclid(modulus),
            offset: line.offset.rem_euclid(modulus),
            modulus,
            width: if exact { 0 } else { line.den - 1 },
        })
    }

    /// Amounts for which `slope × x` lies below a multiple of `modulus` by at least 1 and at most
    /// `reach`. Nothing when the numbers are too large.
    pub fn just_below(slope: i128, modulus: i128, reach: i128) -> Option<Residue> {
        let reach = reach.min(modulus - 1);
        (modulus <= MAX_MODULUS && reach > 0).then_some(Residue {
            slope: slope.rem_euclid(modulus),
            offset: reach,
            modulus,
            width: reach - 1,
        })
    }

    /// How many steps of `step` from `x` to the first amount that qualifies.
    fn steps(&self, x: i64, step: i64) -> Option<i128> {
        let m = self.modulus;
        let here = (self.slope * (i128::from(x) % m) + self.offset).rem_euclid(m);
        if here <= self.width {
            return Some(0);
        }
        let ahead = (self.slope * (i128::from(step) % m)).rem_euclid(m);
        first_multiple(ahead, m, m - here, m - here + self.width)
    }
}

impl Grid {
    /// The smallest amount on the grid that is at least `x`.
    pub fn at_least(&self, x: i64) -> Option<i64> {
        let on_step = x.checked_add((self.origin - x).rem_euclid(self.step))?;
        self.moved(on_step, self.step)
    }

    /// The largest amount on the grid that is at most `x`; it may be negative.
    pub fn at_most(&self, x: i64) -> Option<i64> {
        let on_step = x.checked_sub((x - self.origin).rem_euclid(self.step))?;
        self.moved(on_step, -self.step)
    }

    fn moved(&self, from: i64, step: i64) -> Option<i64> {
        let Some(residue) = self.residue else {
            return Some(from);
        };
        let way = residue.steps(from, step)?.checked_mul(step.into())?;
        i64::try_from(i128::from(from).checked_add(way)?).ok()
    }
}

/// The smallest `k ≥ 0` with `low ≤ a·k mod m ≤ high`, for `0 ≤ a < m`, `0 ≤ low ≤ high < m`.
///
/// Either a multiple of `a` lies in the range before the first wrap, or the wraps `y` must
/// satisfy the same question modulo `a`, which is smaller.
fn first_multiple(a: i128, m: i128, low: i128, high: i128) -> Option<i128> {
    if low == 0 {
        return Some(0);
    }
    if a == 0 {
        return None;
    }
    let before = (low + a - 1) / a;
    if before * a <= high {
        return Some(before);
    }
    let (low_wrap, high_wrap) = ((-high).rem_euclid(a), (-low).rem_euclid(a));
    let wraps = first_multiple(m % a, a, low_wrap, high_wrap)?;
    Some((low + m * wraps + a - 1) / a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_may_be_counted_from_an_origin() {
        let grid = Grid {
            step: 6,
            origin: 30_001,
            residue: None,
        };
        assert_eq!(grid.at_least(30_002), Some(30_007));
        assert_eq!(grid.at_most(30_006), Some(30_001));
        assert_eq!(grid.at_least(1), Some(1));
    }

    proptest! {
        #[test]
        fn the_grid_finds_what_trying_finds(
            slope in 1..60_i128, offset in -60..60_i128, den in 1..60_i128, dest_step in 1..12_i64,
            step in 1..12_i64, origin in 0..12_i64, x in 0..500_i64, exact: bool,
        ) {
            let line = Line { slope, offset, den };
            let grid = Grid { step, origin, residue: Residue::of(&line, dest_step, exact) };
            let qualifies = |x: &i64| {
                let sum = slope * i128::from(*x) + offset;
                let lands = sum.div_euclid(den).rem_euclid(dest_step.into()) == 0;
                let divides = !exact || sum.rem_euclid(den) == 0;
                (x - origin).rem_euclid(step) == 0 && lands && divides
            };
            prop_assert_eq!(grid.at_least(x), (x..x + 10_000).find(qualifies));
            prop_assert_eq!(grid.at_most(x), (x - 10_000..=x).rev().find(qualifies));
        }
    }
}
