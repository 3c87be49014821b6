//! A loyalty currency: a row with a code, a scale and an issuer.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::award_limits::AwardLimit;
use super::expiry::ExpiryPolicy;
use crate::clock::Timestamp;
use crate::points::account::Asset;
use crate::points::amount::{self, Scale};
use crate::web::text::{Code, Name};

#[derive(Debug, Clone)]
pub struct Currency {
    /// Its number among assets: 1000 and up.
    pub no: Asset,
    pub code: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub scale: Scale,
    /// The id of the partner that issues it.
    pub issuer: i64,
    pub expiry: ExpiryPolicy,
    /// The zone of its business dates: its issuer's.
    pub zone: Tz,
    /// What its issuer says one printed unit is worth to a member, in the issuer's money.
    pub display_value: DisplayValue,
    /// How much and how often a member is awarded it for a reason.
    pub award_limits: Vec<AwardLimit>,
    pub created_at: Timestamp,
}

impl Currency {
    /// When points earned at this instant expire, [`crate::clock::NEVER`] when they do not.
    pub fn expires_at(&self, earned: Timestamp) -> Timestamp {
        self.expiry.expires_at(self.zone, earned)
    }
}

/// What an operator says about a currency to issue.
#[derive(Debug, Clone)]
pub struct NewCurrency {
    pub code: Code,
    pub name: Name,
    pub name_zh: Option<Name>,
    pub scale: Scale,
    pub issuer: i64,
    pub expiry: ExpiryPolicy,
    pub display_value: DisplayValue,
}

/// A settlement money.
#[derive(Debug, Clone)]
pub struct Money {
    /// Its ISO 4217 number.
    pub no: Asset,
    pub code: String,
    /// The decimals in which it is paid; books keep six.
    pub scale: u8,
}

/// What one printed unit is worth to a member: zero or more, with at most 12 decimals and 18
/// digits. In JSON a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayValue(Decimal);

impl DisplayValue {
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// A value that the database kept.
    pub fn kept(decimal: Decimal) -> DisplayValue {
        DisplayValue(decimal)
    }
}

impl TryFrom<String> for DisplayValue {
    type Error = &'static str;

    fn try_from(text: String) -> Result<DisplayValue, Self::Error> {
        const RULE: &str =
            "a value is a decimal string such as \"0.014\", with at most 12 decimals and 18 digits";
        let (whole, decimals) = amount::digits(&text).map_err(|_| RULE)?;
        if decimals.len() > 12 || whole.len() + decimals.len() > 18 {
            return Err(RULE);
        }
        Decimal::from_str_exact(&text)
            .map(DisplayValue)
            .map_err(|_| RULE)
    }
}

impl From<DisplayValue> for String {
    fn from(value: DisplayValue) -> String {
        value.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_as_written() {
        for text in ["0", "0.014", "0.1400", "123456.000000000001"] {
            assert_eq!(
                String::from(DisplayValue::try_from(text.to_owned()).unwrap()),
                text
            );
        }
        for text in [
            "",
            "-1",
            "1e3",
            "01",
            ".5",
            "0.0000000000001",
            "1234567890123456789",
        ] {
            assert!(DisplayValue::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
