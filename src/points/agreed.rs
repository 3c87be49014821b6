//! Decimals two partners agreed on, stored exactly as written: prices, exchange rates, shares.
//!
//! | kind      | range          | example                          |
//! |-----------|----------------|----------------------------------|
//! | [`Price`] | above 0        | `0.014000` per point, `7.8` HKD per USD |
//! | [`Share`] | 0 up to, not 1 | `0.025` commission               |
//!
//! Both have at most 12 decimals and fewer than 19 digits, which keeps every product of
//! [`money`](super::money) inside 128 bits. In JSON they are strings: a JSON number would
//! pass through floating point in somebody's program.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::amount;

const MAX_DECIMALS: u32 = 12;
const MAX_MANTISSA: i128 = 1_000_000_000_000_000_000;

/// Why a decimal cannot be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDecimal {
    #[error("a price is a decimal string such as \"0.014\"")]
    NotADecimal,
    #[error("at most {MAX_DECIMALS} decimals and 18 digits")]
    TooLong,
    #[error("a price is above zero")]
    NotPositive,
    #[error("a share is at least 0 and below 1")]
    NotAShare,
}

/// A price or an exchange rate: above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(Decimal);

impl Price {
    /// A price within the limits.
    pub fn new(decimal: Decimal) -> Result<Price, BadDecimal> {
        let decimal = short(decimal)?;
        if decimal.mantissa() <= 0 {
            return Err(BadDecimal::NotPositive);
        }
        Ok(Price(decimal))
    }

    /// The decimal as agreed, trailing zeros and all.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// The digits and how many of them are decimals: `0.014` is (14, 3).
    pub(super) fn parts(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }
}

/// A part of a whole: at least 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(Decimal);

impl Share {
    /// Nothing of it.
    pub const NONE: Share = Share(Decimal::ZERO);

    /// A share within the limits.
    pub fn new(decimal: Decimal) -> Result<Share, BadDecimal> {
        let decimal = short(decimal)?;
        if decimal.mantissa() < 0 || decimal >= Decimal::ONE {
            return Err(BadDecimal::NotAShare);
        }
        Ok(Share(decimal))
    }

    /// The decimal as agreed.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// The digits and how many of them are decimals.
    pub(super) fn parts(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }
}

impl TryFrom<String> for Price {
    type Error = BadDecimal;

    fn try_from(text: String) -> Result<Price, BadDecimal> {
        Price::new(plain(&text)?)
    }
}

impl TryFrom<String> for Share {
    type Error = BadDecimal;

    fn try_from(text: String) -> Result<Share, BadDecimal> {
        Share::new(plain(&text)?)
    }
}

impl From<Price> for String {
    fn from(price: Price) -> String {
        price.0.to_string()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> String {
        share.0.to_string()
    }
}

/// A decimal of digits and one point; the library alone would also take `1_000` and `+1`.
fn plain(text: &str) -> Result<Decimal, BadDecimal> {
    amount::digits(text).map_err(|_| BadDecimal::NotADecimal)?;
    Decimal::from_str_exact(text).map_err(|_| BadDecimal::TooLong)
}

fn short(decimal: Decimal) -> Result<Decimal, BadDecimal> {
    let is_long = decimal.scale() > MAX_DECIMALS || decimal.mantissa().abs() >= MAX_MANTISSA;
    if is_long {
        return Err(BadDecimal::TooLong);
    }
    Ok(decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Result<Price, BadDecimal> {
        Price::try_from(text.to_owned())
    }

    #[test]
    fn a_price_is_kept_as_written() {
        let json = serde_json::to_string(&price("0.014000").unwrap()).unwrap();
        assert_eq!(json, "\"0.014000\"");
    }

    #[test]
    fn a_price_out_of_its_limits_is_refused() {
        assert_eq!(price("0"), Err(BadDecimal::NotPositive));
        assert_eq!(price("-1"), Err(BadDecimal::NotADecimal));
        assert_eq!(price("1_0"), Err(BadDecimal::NotADecimal));
        assert_eq!(price("0.0000000000001"), Err(BadDecimal::TooLong));
        assert_eq!(price("1000000000000000000"), Err(BadDecimal::TooLong));
    }

    #[test]
    fn a_share_is_below_one() {
        let share = |text: &str| Share::try_from(text.to_owned());
        assert!(share("0.025").is_ok() && share("0").is_ok());
        assert_eq!(share("1"), Err(BadDecimal::NotAShare));
    }
}
