//! A stretch of amounts on which what is gained follows one curve.
//!
//! ```text
//! line      gained = (slope × given + offset) / den        a ratio, a slab, a marginal band
//! fixed     gained = get                                   one denomination of a table
//! money     gained = what the net money buys               a priced card
//!
//! slab      from 0 at 2:1, from 10 000 at 1:1              two lines through the origin
//! marginal  from 0 at 2:1, from 10 000 at 1:1              the second starts where the first ends
//! ```
//!
//! On one stretch more given never gains less, so a search may halve it.

use super::refusal::{BadTerms, Reason};
use super::settlement::Purchase;
use crate::points::amount::MAX_UNITS;
use crate::points::ratio::{Quotient, gcd};

/// Larger slopes and denominators could leave 128 bits when multiplied by an amount.
const MAX_PART: i128 = 1_000_000_000_000_000_000;

/// The amounts `first..=last` and what each of them gains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub first: i64,
    pub last: i64,
    pub curve: Curve,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Curve {
    Line(Line),
    Fixed(i64),
    Money(Box<Purchase>),
}

impl Curve {
    /// What an amount gains before rounding, or nothing when the figure does not fit.
    pub fn at(&self, units: i64) -> Option<Quotient> {
        match self {
            Curve::Line(line) => line.at(units),
            Curve::Fixed(get) => Some(Quotient::whole((*get).into())),
            Curve::Money(purchase) => {
                let bought = purchase.units(units).ok()?;
                Some(Quotient::whole(bought.into()))
            }
        }
    }
}

/// `(slope × units + offset) / den`, in lowest terms, all within [`MAX_PART`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub slope: i128,
    pub offset: i128,
    pub den: i128,
}

impl Line {
    fn new(slope: i128, offset: i128, den: i128) -> Option<Line> {
        let shared = gcd(gcd(den, slope), offset.abs());
        let line = Line {
            slope: slope / shared,
            offset: offset / shared,
            den: den / shared,
        };
        (line.slope <= MAX_PART && line.den <= MAX_PART).then_some(line)
    }

    fn at(&self, units: i64) -> Option<Quotient> {
        let sum = self
            .slope
            .checked_mul(units.into())?
            .checked_add(self.offset)?;
        Quotient::new(sum, self.den)
    }

    /// The line of another slope that meets this one at `units`.
    fn bend(&self, units: i64, num: i128, den: i128) -> Option<Line> {
        let common = self.den.checked_mul(den / gcd(self.den, den))?;
        let slope = num.checked_mul(common / den)?;
        let here = self.at(units)?.num().checked_mul(common / self.den)?;
        let offset = here.checked_sub(slope.checked_mul(units.into())?)?;
        Line::new(slope, offset, common)
    }
}

/// A rate `num / den` in smallest units that holds from an amount on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub from: i64,
    pub num: i128,
    pub den: i128,
}

/// Bands that price the whole amount: each a line through the origin.
pub(super) fn slab(pieces: &[Piece], field: &str) -> Result<Vec<Stretch>, BadTerms> {
    let lines = pieces
        .iter()
        .map(|piece| Line::new(piece.num, 0, piece.den));
    stretches(pieces, lines.collect(), field)
}

/// Bands that price the part of the amount in them: each line starts where the last ended.
/// What lies below the first band gains nothing.
pub(super) fn marginal(pieces: &[Piece], field: &str) -> Result<Vec<Stretch>, BadTerms> {
    let nothing = Line {
        slope: 0,
        offset: 0,
        den: 1,
    };
    let lines = pieces.iter().scan(Some(nothing), |line, piece| {
        *line = line.and_then(|line| line.bend(piece.from, piece.num, piece.den));
        Some(*line)
    });
    stretches(pieces, lines.collect(), field)
}

fn stretches(
    pieces: &[Piece],
    lines: Option<Vec<Line>>,
    field: &str,
) -> Result<Vec<Stretch>, BadTerms> {
    if pieces.is_empty() {
        return Err(BadTerms::new(field, Reason::Empty));
    }
    let unsorted = pieces.windows(2).position(|two| two[0].from >= two[1].from);
    if let Some(at) = unsorted {
        let band = format!("{field}[{}].from", at + 1);
        return Err(BadTerms::new(band, Reason::NotAscending));
    }
    let lines = lines.ok_or_else(|| BadTerms::new(field, Reason::TooFine))?;

    let ends = pieces.iter().skip(1).map(|piece| piece.from - 1);
    let ends = ends.chain(std::iter::once(MAX_UNITS));
    let bands = pieces.iter().zip(lines).zip(ends);
    Ok(bands
        .map(|((piece, line), last)| Stretch {
            first: piece.from,
            last,
            curve: Curve::Line(line),
        })
        .collect())
}

/// The first number of `from..=to` for which `holds`, when it holds for all after it.
pub(super) fn first_where(from: i64, to: i64, holds: impl Fn(i64) -> bool) -> Option<i64> {
    if from > to || !holds(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_THEN_WHOLE: [Piece; 2] = [
        Piece {
            from: 0,
            num: 1,
            den: 2,
        },
        Piece {
            from: 10_001,
            num: 1,
            den: 1,
        },
    ];

    fn gained(stretches: &[Stretch], units: i64) -> Quotient {
        let covers = |s: &&Stretch| (s.first..=s.last).contains(&units);
        stretches
            .iter()
            .find(covers)
            .unwrap()
            .curve
            .at(units)
            .unwrap()
    }

    #[test]
    fn marginal_bands_meet_and_are_rounded_once() {
        let bands = marginal(&HALF_THEN_WHOLE, "bands").unwrap();
        assert_eq!(gained(&bands, 10_001), Quotient::new(10_001, 2).unwrap());
        assert_eq!(gained(&bands, 10_002).floor(), 5_001);
        assert_eq!(gained(&bands, 10_003).floor(), 5_002);
    }

    #[test]
    fn a_slab_prices_the_whole() {
        let bands = slab(&HALF_THEN_WHOLE, "bands").unwrap();
        assert_eq!(gained(&bands, 10_000).floor(), 5_000);
        assert_eq!(gained(&bands, 10_001).floor(), 10_001);
    }

    #[test]
    fn halving_finds_the_first() {
        assert_eq!(first_where(0, 100, |x| x * x >= 50), Some(8));
        assert_eq!(first_where(0, 5, |x| x * x >= 50), None);
        assert_eq!(first_where(9, 8, |_| true), None);
    }
}
