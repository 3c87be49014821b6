//! Terms made ready for two currencies: checked, and everything in smallest units.
//!
//! ```text
//! gained units = given units × (get × 10^target) / (give × 10^source)
//! ```
//!
//! A ratio is between printed units, an evaluation between smallest units, and the powers of
//! ten are put in here once. Whoever holds a [`Tariff`] holds terms whose every part is within
//! its limits, which is why pricing has only amounts to refuse.

use super::block::Block;
use super::extra::Extra;
use super::fee::{Charge, PaidIn};
use super::limit::{positive, positive_units};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::settlement::Purchase;
use super::stretch::{self, Curve, Piece, Stretch};
use super::terms::{Band, Denomination, Limits, Rate, Remainder, Terms};
use crate::points::amount::{MAX_UNITS, Scale, Scales};

/// Terms checked and in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub(super) source: Bounds,
    pub(super) destination: Bounds,
    /// Ascending and apart; empty when the card has no usable rate.
    pub(super) stretches: Vec<Stretch>,
    pub(super) remainder: Remainder,
    pub(super) block: Option<Block>,
    pub(super) extras: Vec<Extra>,
    pub(super) fee: Option<Charge>,
}

/// The amounts allowed on one side: from `min` to `max`, on a step counted from `origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub min: i64,
    pub max: i64,
    pub step: i64,
    pub origin: i64,
}

impl Tariff {
    /// The terms in smallest units. A priced card needs to know what its money buys; without
    /// that it has no rate, like a card that only records a shape.
    pub fn of(
        terms: &Terms,
        scales: Scales,
        purchase: Option<Purchase>,
    ) -> Result<Tariff, BadTerms> {
        let block = terms.block_bonus.as_ref().map(|block| block.units(scales));
        let fee = terms.fee.as_ref().map(|fee| fee.charge(scales));
        let extras = terms.bonuses.iter().enumerate();
        let extras = extras.map(|(at, bonus)| bonus.extra(scales, &format!("bonuses[{at}]")));
        let fee = fee.transpose()?;
        refuse_what_money_cannot_do(terms)?;
        let source = Bounds::of(&terms.source, scales.source, ["min", "max", "step"])?;
        let destination = Bounds::of(&terms.destination, scales.target, DESTINATION)?;
        let (source, destination) = beside_fee(source, destination, fee.as_ref())?;
        Ok(Tariff {
            source,
            destination,
            stretches: stretches(&terms.rate, scales, purchase)?,
            remainder: terms.remainder,
            block: block.transpose()?,
            extras: extras.collect::<Result<_, _>>()?,
            fee,
        })
    }

    /// The most that may be given of so much that it and a fee on top of it have to come from.
    pub fn within(&self, most: i64) -> i64 {
        match &self.fee {
            Some(fee) if fee.paid_in == PaidIn::Given => fee.within(most),
            Some(_) | None => most,
        }
    }

    /// Refuses terms under which no amount can be converted.
    pub(super) fn examined(&self) -> Result<(), BadTerms> {
        let source = &self.source;
        let on_step = source.min + (source.origin - source.min).rem_euclid(source.step);
        if on_step > source.max {
            return Err(BadTerms::new("step", Reason::NothingLegal));
        }
        let is_exact = |s: &Stretch| matches!(s.curve, Curve::Fixed(_)) || self.grid(s).is_some();
        if !self.stretches.iter().all(is_exact) {
            return Err(BadTerms::new("dest_step", Reason::TooFine));
        }
        if !self.stretches.is_empty() && self.smallest().is_none() {
            return Err(BadTerms::new("terms", Reason::NothingLegal));
        }
        Ok(())
    }
}

const DESTINATION: [&str; 3] = ["dest_min", "dest_max", "dest_step"];

impl Bounds {
    fn of(limits: &Limits, scale: Scale, fields: [&str; 3]) -> Result<Bounds, BadTerms> {
        let [min_field, max_field, step_field] = fields;
        let units = |limit: Option<Printed>, field, absent| {
            limit.map_or(Ok(absent), |limit| positive_units(limit, scale, field))
        };
        let min = units(limits.min, min_field, 1)?;
        let max = units(limits.max, max_field, MAX_UNITS)?;
        let step = units(limits.step, step_field, 1)?;
        let origin = limits.step_origin.map(|o| o.units(scale, "step_origin"));
        if max < min {
            return Err(BadTerms::new(max_field, Reason::BelowMinimum));
        }
        if limits.step.is_none() && limits.step_origin.is_some() {
            return Err(BadTerms::new("step_origin", Reason::NoStep));
        }
        Ok(Bounds {
            min,
            max,
            step,
            origin: origin.transpose()?.unwrap_or(0),
        })
    }
}

/// The amounts that a fee in points leaves: one on top has to fit as well, and one that is taken off
/// has to leave something of the base.
fn beside_fee(
    mut source: Bounds,
    mut destination: Bounds,
    fee: Option<&Charge>,
) -> Result<(Bounds, Bounds), BadTerms> {
    match fee.map(|fee| (fee, fee.paid_in)) {
        Some((fee, PaidIn::Given)) => source.max = source.max.min(fee.within(MAX_UNITS)),
        Some((fee, PaidIn::Gained)) => {
            let least = fee.least_base();
            let least = least.ok_or_else(|| BadTerms::new("fee", Reason::NothingLegal))?;
            destination.min = destination.min.max(least);
        }
        Some((_, PaidIn::Money)) | None => {}
    }
    Ok((source, destination))
}

/// Money is always floored to the settlement's increment, so a priced card neither divides
/// nor has a step of its own at the destination.
fn refuse_what_money_cannot_do(terms: &Terms) -> Result<(), BadTerms> {
    if terms.rate != Rate::Priced {
        return Ok(());
    }
    if terms.remainder != Remainder::Absorb {
        return Err(BadTerms::new("remainder", Reason::NotOfThisKind));
    }
    if terms.destination.step.is_some() {
        return Err(BadTerms::new("dest_step", Reason::NotOfThisKind));
    }
    Ok(())
}

fn stretches(
    rate: &Rate,
    scales: Scales,
    purchase: Option<Purchase>,
) -> Result<Vec<Stretch>, BadTerms> {
    match rate {
        Rate::Ratio { give, get } => stretch::slab(&[ratio(0, *give, *get, scales, "")?], "ratio"),
        Rate::Slab(bands) => stretch::slab(&pieces(bands, scales)?, "bands"),
        Rate::Marginal(bands) => stretch::marginal(&pieces(bands, scales)?, "bands"),
        Rate::Table(table) => denominations(table, scales),
        Rate::Priced => Ok(purchase.into_iter().map(bought).collect()),
        Rate::Unpriced => Ok(Vec::new()),
    }
}

fn pieces(bands: &[Band], scales: Scales) -> Result<Vec<Piece>, BadTerms> {
    let pieces = bands.iter().enumerate().map(|(at, band)| {
        let field = format!("bands[{at}].");
        let from = band.from.units(scales.source, &format!("{field}from"))?;
        ratio(from, band.give, band.get, scales, &field)
    });
    pieces.collect()
}

fn ratio(from: i64, give: i64, get: i64, scales: Scales, at: &str) -> Result<Piece, BadTerms> {
    positive(give, &format!("{at}give"))?;
    positive(get, &format!("{at}get"))?;
    Ok(Piece {
        from,
        num: i128::from(get) * i128::from(scales.target.factor()),
        den: i128::from(give) * i128::from(scales.source.factor()),
    })
}

fn denominations(table: &[Denomination], scales: Scales) -> Result<Vec<Stretch>, BadTerms> {
    if table.is_empty() {
        return Err(BadTerms::new("table", Reason::Empty));
    }
    let mut stretches = Vec::<Stretch>::with_capacity(table.len());
    for (at, line) in table.iter().enumerate() {
        let give_field = format!("table[{at}].give");
        let give = positive_units(line.give, scales.source, &give_field)?;
        let get = positive_units(line.get, scales.target, &format!("table[{at}].get"))?;
        if stretches.last().is_some_and(|before| before.last >= give) {
            return Err(BadTerms::new(give_field, Reason::NotAscending));
        }
        stretches.push(Stretch {
            first: give,
            last: give,
            curve: Curve::Fixed(get),
        });
    }
    Ok(stretches)
}

fn bought(purchase: Purchase) -> Stretch {
    Stretch {
        first: 0,
        last: MAX_UNITS,
        curve: Curve::Money(Box::new(purchase)),
    }
}
