//! An amount of points: a whole count of a currency's smallest unit, printed as a decimal.
//!
//! | scale | printed  | units |
//! |------:|----------|------:|
//! |     0 | `3000`   |  3000 |
//! |     2 | `12.50`  |  1250 |
//! |     4 | `0.0001` |     1 |
//!
//! Printing always writes exactly `scale` decimals, so that one amount has one text. Reading
//! takes fewer decimals and refuses more, and takes nothing but ASCII digits and one point: a
//! sign, a space, an exponent or a leading zero is a mistake of the program that wrote it.

use serde::{Deserialize, Serialize};

/// The largest amount the hub takes, gives or names, in smallest units.
pub const MAX_UNITS: i64 = 1_000_000_000_000_000;

/// How many decimals a loyalty currency has: 0 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Scale(u8);

impl Scale {
    /// A currency without decimals.
    pub const WHOLE: Scale = Scale(0);

    /// A scale of 0 to 4 decimals, or nothing.
    pub fn new(decimals: u8) -> Option<Scale> {
        (decimals <= 4).then_some(Scale(decimals))
    }

    /// How many decimals.
    pub fn decimals(self) -> u8 {
        self.0
    }

    /// How many smallest units make one printed unit: 1, 10, 100, 1 000 or 10 000.
    pub fn factor(self) -> i64 {
        10_i64.pow(u32::from(self.0))
    }
}

impl TryFrom<u8> for Scale {
    type Error = &'static str;

    fn try_from(decimals: u8) -> Result<Scale, Self::Error> {
        Scale::new(decimals).ok_or("a scale is 0 to 4 decimals")
    }
}

impl From<Scale> for u8 {
    fn from(scale: Scale) -> u8 {
        scale.0
    }
}

/// The scales of the two currencies of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scales {
    pub source: Scale,
    pub target: Scale,
}

impl Scales {
    /// Two currencies without decimals.
    pub const WHOLE: Scales = Scales {
        source: Scale::WHOLE,
        target: Scale::WHOLE,
    };
}

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    #[error("the amount is empty")]
    Empty,
    #[error("an amount is written with the digits 0 to 9 and at most one point")]
    NotADecimal,
    #[error("an amount does not begin with a needless zero")]
    LeadingZero,
    #[error("the currency has {0} decimals, the amount more")]
    TooManyDecimals(u8),
    #[error("the amount is larger than {MAX_UNITS} smallest units")]
    TooLarge,
}

/// The smallest units a printed amount stands for, at most [`MAX_UNITS`]. Zero is an amount.
pub fn parse(text: &str, scale: Scale) -> Result<i64, BadAmount> {
    let (whole, decimals) = digits(text)?;
    let wanted = usize::from(scale.0);
    if decimals.len() > wanted {
        return Err(BadAmount::TooManyDecimals(scale.0));
    }

    let units = format!("{whole}{decimals:0<wanted$}")
        .parse::<i64>()
        .map_err(|_| BadAmount::TooLarge)?;

    if units > MAX_UNITS {
        return Err(BadAmount::TooLarge);
    }
    Ok(units)
}

/// The one text of an amount, or of a sum of amounts: exactly as many decimals as the scale.
pub fn print(units: impl Into<i128>, scale: Scale) -> String {
    let units = units.into();
    let sign = if units < 0 { "-" } else { "" };
    let factor = u128::from(scale.factor().unsigned_abs());
    let size = units.unsigned_abs();
    let (whole, decimals) = (size / factor, size % factor);
    match usize::from(scale.0) {
        0 => format!("{sign}{whole}"),
        width => format!("{sign}{whole}.{decimals:0width$}"),
    }
}

/// The digits before and after the point of a plain decimal.
pub(crate) fn digits(text: &str) -> Result<(&str, &str), BadAmount> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() {
        return Err(BadAmount::Empty);
    }
    if !is_number(whole) || !is_number(decimals) {
        return Err(BadAmount::NotADecimal);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(BadAmount::LeadingZero);
    }
    Ok((whole, if text.contains('.') { decimals } else { "" }))
}

/// How many printed units of one currency there are for a printed unit of another, rounded down to six
/// decimals. Both in smallest units; the second is above zero.
pub fn per_unit((one, scale): (i64, Scale), (other, other_scale): (i64, Scale)) -> String {
    let num = i128::from(one) * i128::from(other_scale.factor()) * 1_000_000;
    let den = i128::from(other.max(1)) * i128::from(scale.factor());
    let millionths = num / den;
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, decimals: u8) -> Result<i64, BadAmount> {
        parse(text, Scale::new(decimals).unwrap())
    }

    #[test]
    fn a_printed_amount_is_a_count_of_smallest_units() {
        let cases = [
            ("3000", 0, 3000),
            ("0", 0, 0),
            ("12.50", 2, 1250),
            ("12.5", 2, 1250),
            ("12", 2, 1200),
            ("0.0001", 4, 1),
            ("1000000000000000", 0, MAX_UNITS),
        ];
        for (text, decimals, units) in cases {
            assert_eq!(at(text, decimals), Ok(units), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_for_its_reason() {
        use BadAmount::*;
        let cases = [
            ("", 0, Empty),
            ("007", 0, LeadingZero),
            ("00", 0, LeadingZero),
            ("+7", 0, NotADecimal),
            ("-7", 0, NotADecimal),
            (" 7", 0, NotADecimal),
            ("1e3", 0, NotADecimal),
            ("1,000", 0, NotADecimal),
            ("١٢", 0, NotADecimal),
            ("１２", 0, NotADecimal),
            ("5.", 2, NotADecimal),
            (".5", 2, NotADecimal),
            ("1.2.3", 4, NotADecimal),
            ("12.5", 0, TooManyDecimals(0)),
            ("12.500", 2, TooManyDecimals(2)),
            ("1000000000000001", 0, TooLarge),
            ("99999999999999999999999", 0, TooLarge),
        ];
        for (text, decimals, reason) in cases {
            assert_eq!(at(text, decimals), Err(reason), "{text}");
        }
    }

    #[test]
    fn one_amount_has_one_text() {
        let two = Scale::new(2).unwrap();
        assert_eq!(print(1250, two), "12.50");
        assert_eq!(print(-5, two), "-0.05");
        assert_eq!(print(3000, Scale::WHOLE), "3000");
        assert_eq!(Scale::new(5), None);
    }
}
