//! The way back: the smallest legal spend that gains at least so much.
//!
//! ```text
//! total gained   ──────╮          ╭───     A slab bonus may fall as the amount grows, so the
//!                      ╰──────────╯        amounts are cut where anything can change; between
//!                cut   cut        cut      two cuts more given never gains less.
//! ```
//!
//! Piece by piece from below, the first amount that is enough is found by halving, each guess
//! moved up to the next legal amount and priced by the same function as a quote.

use super::bonus::On;
use super::extra::Gain;
use super::fee::PaidIn;
use super::price::price;
use super::refusal::Refusal;
use super::stretch::{Stretch, first_where};
use super::tariff::Tariff;

/// The smallest legal amount whose total reaches `wanted`, both in smallest units.
pub fn smallest_for(tariff: &Tariff, wanted: i64) -> Result<i64, Refusal> {
    if tariff.stretches.is_empty() {
        return Err(Refusal::Unpriced);
    }
    let found = tariff
        .stretches
        .iter()
        .flat_map(|stretch| {
            pieces(tariff, stretch)
                .into_iter()
                .map(move |p| (stretch, p))
        })
        .find_map(|(stretch, piece)| smallest_in(tariff, stretch, piece, wanted));
    found.ok_or_else(|| Refusal::OutOfReach { most: most(tariff) })
}

fn smallest_in(tariff: &Tariff, stretch: &Stretch, piece: Piece, wanted: i64) -> Option<i64> {
    let grid = tariff.grid(stretch)?;
    let last = grid.at_most(piece.last)?;
    let reaches = |units| match grid.at_least(units) {
        Some(legal) if legal <= last => gained(tariff, legal).is_none_or(|g| g >= wanted),
        _ => true,
    };
    let found = grid.at_least(first_where(piece.first, last, reaches)?)?;
    gained(tariff, found)
        .filter(|gained| *gained >= wanted)
        .map(|_| found)
}

/// The most any legal amount gains.
fn most(tariff: &Tariff) -> i64 {
    let ends = tariff.stretches.iter().flat_map(|stretch| {
        let pieces = pieces(tariff, stretch).into_iter();
        pieces.filter_map(|piece| {
            let last = tariff.grid(stretch)?.at_most(piece.last)?;
            (last >= piece.first).then(|| gained(tariff, last))?
        })
    });
    ends.max().unwrap_or(0)
}

fn gained(tariff: &Tariff, units: i64) -> Option<i64> {
    price(tariff, units).ok().map(|priced| priced.total)
}

/// Amounts among which the total never falls, no bonus begins, ends or changes its band, and no fee in
/// points leaves its minimum or reaches its cap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub first: i64,
    pub last: i64,
}

pub(super) fn pieces(tariff: &Tariff, stretch: &Stretch) -> Vec<Piece> {
    let Some((first, last)) = tariff.window(stretch) else {
        return Vec::new();
    };
    let mut firsts = cuts(tariff, stretch, first, last);
    firsts.retain(|cut| (first + 1..=last).contains(cut));
    firsts.push(first);
    firsts.sort_unstable();
    firsts.dedup();

    let lasts = firsts.iter().skip(1).map(|next| next - 1);
    let lasts = lasts.chain(std::iter::once(last)).collect::<Vec<_>>();
    let ends = firsts.into_iter().zip(lasts);
    ends.map(|(first, last)| Piece { first, last }).collect()
}

/// Where a bonus or a fee in points may begin to be counted otherwise, in units of the source.
fn cuts(tariff: &Tariff, stretch: &Stretch, first: i64, last: i64) -> Vec<i64> {
    let gaining = |base: i64| {
        let reaches = |units| {
            stretch
                .curve
                .at(units)
                .is_none_or(|g| g.floor() >= base.into())
        };
        first_where(first, last, reaches)
    };
    let of_bands = tariff.extras.iter().flat_map(|extra| match &extra.gain {
        Gain::Fixed(_) => Vec::new(),
        Gain::Banded {
            on: On::Given,
            bands,
        } => bands.iter().map(|b| b.first).collect(),
        Gain::Banded {
            on: On::Base,
            bands,
        } => bands.iter().filter_map(|b| gaining(b.first)).collect(),
    });
    let of_thresholds = tariff.extras.iter().map(|extra| extra.min_given);
    let of_block = tariff.block.and_then(|block| block.threshold());
    let of_fee = tariff.fee.iter().flat_map(|fee| match fee.paid_in {
        PaidIn::Money => Vec::new(),
        PaidIn::Given => fee.cuts(),
        PaidIn::Gained => fee.cuts().into_iter().filter_map(gaining).collect(),
    });
    let cuts = of_bands.chain(of_thresholds).chain(of_block);
    cuts.chain(of_fee).collect()
}
