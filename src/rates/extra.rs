//! A bonus checked and in smallest units, ready to be counted.
//!
//! ```text
//! percent    one band from 0                 slab       lines through the origin
//! fixed      a number                        marginal   lines that meet
//! ```
//!
//! The bands are the same stretches a base rate has, read at the base, or for a slab at what
//! is given; the fraction is always one of the base.

use super::bonus::{Bonus, BonusBand, On};
use super::limit::{fraction, positive, positive_units};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::stretch::{self, Piece, Stretch};
use crate::points::amount::Scales;

/// A bonus checked and in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extra {
    pub min_given: i64,
    pub gain: Gain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gain {
    Fixed(i64),
    Banded { on: On, bands: Vec<Stretch> },
}

impl Extra {
    /// What is gained on top, or nothing when the figure does not fit.
    pub fn units(&self, given: i64, base: i64) -> Option<i64> {
        if given < self.min_given {
            return Some(0);
        }
        match &self.gain {
            Gain::Fixed(units) => Some(*units),
            Gain::Banded { on, bands } => {
                let read = match on {
                    On::Base => base,
                    On::Given => given,
                };
                let band = bands.iter().find(|b| (b.first..=b.last).contains(&read));
                let Some(band) = band else { return Some(0) };
                i64::try_from(band.curve.at(base)?.floor()).ok()
            }
        }
    }
}

impl Bonus {
    /// The bonus in smallest units; `field` is its place in the terms.
    pub(super) fn extra(&self, scales: Scales, field: &str) -> Result<Extra, BadTerms> {
        let (gain, min_given) = match self {
            Bonus::Percent {
                num,
                den,
                on,
                min_given,
            } => {
                only_on_base(*on, field)?;
                positive(*num, &format!("{field}.num"))?;
                let whole = [piece(0, *num, *den, field)?];
                (banded(*on, stretch::slab(&whole, field)?), min_given)
            }
            Bonus::Fixed { bonus, min_given } => {
                let units = positive_units(*bonus, scales.target, &format!("{field}.bonus"))?;
                (Gain::Fixed(units), min_given)
            }
            Bonus::Slab {
                on,
                bands,
                min_given,
            } => {
                let (pieces, field) = pieces(bands, *on, scales, field)?;
                (banded(*on, stretch::slab(&pieces, &field)?), min_given)
            }
            Bonus::Marginal {
                on,
                bands,
                min_given,
            } => {
                only_on_base(*on, field)?;
                let (pieces, field) = pieces(bands, *on, scales, field)?;
                (banded(*on, stretch::marginal(&pieces, &field)?), min_given)
            }
        };
        let threshold = |least: Printed| least.units(scales.source, &format!("{field}.min_given"));
        let min_given = min_given.map_or(Ok(0), threshold)?;
        Ok(Extra { min_given, gain })
    }
}

fn banded(on: On, bands: Vec<Stretch>) -> Gain {
    Gain::Banded { on, bands }
}

/// A part of the amount given is no part of the base, so only a slab may look at it.
fn only_on_base(on: On, field: &str) -> Result<(), BadTerms> {
    match on {
        On::Base => Ok(()),
        On::Given => Err(BadTerms::new(format!("{field}.on"), Reason::NotOfThisKind)),
    }
}

fn pieces(
    bands: &[BonusBand],
    on: On,
    scales: Scales,
    field: &str,
) -> Result<(Vec<Piece>, String), BadTerms> {
    let scale = match on {
        On::Base => scales.target,
        On::Given => scales.source,
    };
    let pieces = bands.iter().enumerate().map(|(at, band)| {
        let field = format!("{field}.bands[{at}]");
        let from = band.from.units(scale, &format!("{field}.from"))?;
        piece(from, band.num, band.den, &field)
    });
    Ok((pieces.collect::<Result<_, _>>()?, format!("{field}.bands")))
}

fn piece(from: i64, num: i64, den: i64, field: &str) -> Result<Piece, BadTerms> {
    fraction(num, den, field)?;
    Ok(Piece {
        from,
        num: num.into(),
        den: den.into(),
    })
}
