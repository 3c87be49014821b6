//! The limits of every number a card may write.
//!
//! | number                          | from | to   |
//! |---------------------------------|-----:|-----:|
//! | a part of a ratio, a denominator |   1 | 10⁹  |
//! | a numerator                     |    0 | 10⁹  |
//! | an amount, in smallest units    |    1 | 10¹⁵ |
//!
//! Within them every product of an evaluation fits 128 bits.

use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use crate::points::amount::Scale;

/// The largest part of a ratio or a fraction.
const MAX_PART: i64 = 1_000_000_000;

/// Refuses a fraction that is negative, over nothing, or of numbers too large.
pub(super) fn fraction(num: i64, den: i64, field: &str) -> Result<(), BadTerms> {
    let num_field = format!("{field}.num");
    if num < 0 {
        return Err(BadTerms::new(num_field, Reason::Negative));
    }
    if num > MAX_PART {
        return Err(BadTerms::new(num_field, Reason::TooLarge));
    }
    positive(den, &format!("{field}.den"))
}

/// Refuses a part of a ratio that is not 1 to 10⁹.
pub(super) fn positive(part: i64, field: &str) -> Result<(), BadTerms> {
    match part {
        ..1 => Err(BadTerms::new(field, Reason::NotPositive)),
        1..=MAX_PART => Ok(()),
        _ => Err(BadTerms::new(field, Reason::TooLarge)),
    }
}

/// An amount in smallest units, at least 1.
pub(super) fn positive_units(amount: Printed, scale: Scale, field: &str) -> Result<i64, BadTerms> {
    let units = amount.units(scale, field)?;
    if units < 1 {
        return Err(BadTerms::new(field, Reason::NotPositive));
    }
    Ok(units)
}
