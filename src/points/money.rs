//! Money in millionths of its unit, rounded half-even once per figure.
//!
//! ```text
//! q6(x)                  x rounded half-even to 6 decimals
//! worth                  q6(units / 10^scale × price)
//! times, over, share     q6(money × rate), q6(money / rate), q6(money × share)
//! buys                   floor(money / price × 10^scale)
//! ```
//!
//! Every product is made exactly in 128 bits and rounded at the end. What does not fit is
//! [`TooLarge`], never a wrapped number.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::agreed::{Price, Share};
use super::amount::{self, BadAmount, Scale};
use super::ratio::Quotient;

/// One unit of money in millionths.
const ONE: i64 = 1_000_000;
const DECIMALS: u32 = 6;

/// The figure does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount of money is too large")]
pub struct TooLarge;

/// Millionths of a money's unit: `97.496000` is 97 496 000.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Micros(pub i64);

impl Micros {
    pub const ZERO: Micros = Micros(0);

    /// So many of a money's smallest units, of which one has `scale` decimals, 6 at the most.
    pub fn of_units(units: i64, scale: u8) -> Option<Micros> {
        let decimals = DECIMALS.checked_sub(scale.into())?;
        units.checked_mul(10_i64.pow(decimals)).map(Micros)
    }

    /// What so many points are worth at a price per printed unit.
    pub fn worth(units: i64, scale: Scale, price: Price) -> Result<Micros, TooLarge> {
        let (digits, decimals) = price.parts();
        let product = i128::from(units).checked_mul(digits).ok_or(TooLarge)?;
        half_even(product, DECIMALS, decimals + u32::from(scale.decimals()), 1)
    }

    /// The whole smallest units this buys at a price per printed unit, and no part of one.
    pub fn buys(self, price: Price, scale: Scale) -> Result<i64, TooLarge> {
        let (digits, decimals) = price.parts();
        let up = decimals + u32::from(scale.decimals());
        let units = shifted(self.0.into(), up, DECIMALS, digits)?.floor();
        i64::try_from(units).map_err(|_| TooLarge)
    }

    /// This converted at so many of the other money for one of this.
    pub fn times(self, rate: Price) -> Result<Micros, TooLarge> {
        let (digits, decimals) = rate.parts();
        let product = i128::from(self.0).checked_mul(digits).ok_or(TooLarge)?;
        half_even(product, 0, decimals, 1)
    }

    /// This converted at so many of this for one of the other money.
    pub fn over(self, rate: Price) -> Result<Micros, TooLarge> {
        let (digits, decimals) = rate.parts();
        half_even(self.0.into(), decimals, 0, digits)
    }

    /// A share of this, such as a commission.
    pub fn share(self, share: Share) -> Result<Micros, TooLarge> {
        let (digits, decimals) = share.parts();
        let product = i128::from(self.0).checked_mul(digits).ok_or(TooLarge)?;
        half_even(product, 0, decimals, 1)
    }

    /// The sum, unless it does not fit.
    pub fn plus(self, other: Micros) -> Result<Micros, TooLarge> {
        self.0.checked_add(other.0).map(Micros).ok_or(TooLarge)
    }

    /// The difference, unless it does not fit.
    pub fn minus(self, other: Micros) -> Result<Micros, TooLarge> {
        self.0.checked_sub(other.0).map(Micros).ok_or(TooLarge)
    }

    /// Reads a printed amount of money that is not negative, with at most 6 decimals.
    pub fn parse(text: &str) -> Result<Micros, BadAmount> {
        let (whole, decimals) = amount::digits(text)?;
        if decimals.len() > DECIMALS as usize {
            return Err(BadAmount::TooManyDecimals(6));
        }
        let micros = format!("{whole}{decimals:0<6}").parse();
        micros.map(Micros).map_err(|_| BadAmount::TooLarge)
    }
}

impl fmt::Display for Micros {
    /// Always 6 decimals: `100.000000`.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (size, one) = (self.0.unsigned_abs(), ONE.unsigned_abs());
        write!(to, "{sign}{}.{:06}", size / one, size % one)
    }
}

impl From<Micros> for String {
    fn from(micros: Micros) -> String {
        micros.to_string()
    }
}

impl TryFrom<String> for Micros {
    type Error = BadAmount;

    fn try_from(text: String) -> Result<Micros, BadAmount> {
        match text.strip_prefix('-') {
            Some(size) => Micros::parse(size).map(|micros| Micros(-micros.0)),
            None => Micros::parse(&text),
        }
    }
}

/// `num × 10^up / (10^down × den)` in millionths, half-even.
fn half_even(num: i128, up: u32, down: u32, den: i128) -> Result<Micros, TooLarge> {
    let micros = shifted(num, up, down, den)?.half_even();
    i64::try_from(micros).map(Micros).map_err(|_| TooLarge)
}

/// `num × 10^up / (10^down × den)`; the common power of ten is cancelled before multiplying.
fn shifted(num: i128, up: u32, down: u32, den: i128) -> Result<Quotient, TooLarge> {
    let common = up.min(down);
    let power = |digits: u32| 10_i128.checked_pow(digits);
    let num = power(up - common).and_then(|p| num.checked_mul(p));
    let den = power(down - common).and_then(|p| den.checked_mul(p));
    num.zip(den)
        .and_then(|(num, den)| Quotient::new(num, den))
        .ok_or(TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;
    use rust_decimal::dec;

    fn price(decimal: Decimal) -> Price {
        Price::new(decimal).unwrap()
    }

    #[test]
    fn the_figures_of_a_priced_conversion() {
        let gross = Micros::worth(10_000, Scale::WHOLE, price(dec!(0.010000))).unwrap();
        let commission = gross.share(Share::new(dec!(0.025)).unwrap()).unwrap();
        let net = gross.minus(commission).unwrap();
        assert_eq!(net.to_string(), "97.500000");
        assert_eq!(net.buys(price(dec!(0.008000)), Scale::WHOLE), Ok(12_187));
    }

    #[test]
    fn a_rate_multiplies_one_way_and_divides_the_other() {
        let rate = price(dec!(7.80000000));
        assert_eq!(Micros(29_250_000).times(rate), Ok(Micros(228_150_000)));
        assert_eq!(Micros(600_000_000).over(rate), Ok(Micros(76_923_077)));
    }

    #[test]
    fn half_a_millionth_goes_to_the_even_side() {
        let half = price(dec!(0.0000005));
        let worth = |units| Micros::worth(units, Scale::WHOLE, half).unwrap().0;
        assert_eq!([worth(1), worth(3), worth(5)], [0, 2, 2]);
    }

    #[test]
    fn cents_of_a_point_are_priced_per_printed_unit() {
        let two = Scale::new(2).unwrap();
        assert_eq!(
            Micros::worth(1_250, two, price(dec!(0.1))),
            Ok(Micros(1_250_000))
        );
        assert_eq!(Micros(1_250_000).buys(price(dec!(0.1)), two), Ok(1_250));
    }

    #[test]
    fn too_much_is_an_error_and_never_a_panic() {
        let dear = price(dec!(999999999999999999));
        assert_eq!(Micros::worth(i64::MAX, Scale::WHOLE, dear), Err(TooLarge));
        assert_eq!(Micros(i64::MAX).times(dear), Err(TooLarge));
        let cheap = price(dec!(0.000000000001));
        assert_eq!(Micros(i64::MAX).over(cheap), Err(TooLarge));
        assert_eq!(Micros(i64::MAX).buys(cheap, Scale::WHOLE), Err(TooLarge));
        assert_eq!(Micros(i64::MAX).plus(Micros(1)), Err(TooLarge));
    }

    #[test]
    fn money_prints_six_decimals_and_reads_at_most_six() {
        assert_eq!(Micros(-4_000).to_string(), "-0.004000");
        assert_eq!(Micros::parse("100.5"), Ok(Micros(100_500_000)));
        assert_eq!(
            Micros::parse("0.0000001"),
            Err(BadAmount::TooManyDecimals(6))
        );
    }
}
