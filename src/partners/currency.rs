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
    pub notice_days: NoticeDays,
    /// The zone of its business dates: its issuer's.
    pub zone: Tz,
    /// What its issuer says one printed unit is worth to a member, in the issuer's money.
    pub display_value: DisplayValue,
    pub kept_by: Keeper,
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
    pub notice_days: NoticeDays,
    pub display_value: DisplayValue,
    pub kept_by: Keeper,
}

/// Who keeps the balances of a currency. Fixed when it is issued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeper {
    #[default]
    Hub,
    /// Its issuer, who attests what it debits and credits what it is told to.
    Partner,
}

impl Keeper {
    pub fn name(self) -> &'static str {
        match self {
            Keeper::Hub => "hub",
            Keeper::Partner => "partner",
        }
    }

    pub fn of_name(name: &str) -> Option<Keeper> {
        let all = [Keeper::Hub, Keeper::Partner];
        all.into_iter().find(|keeper| keeper.name() == name)
    }
}

/// How many days before a lot expires its issuer is told: each at most a year, the most first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i16>", into = "Vec<i16>")]
pub struct NoticeDays(Vec<i16>);

impl NoticeDays {
    /// Days that the database kept.
    pub fn kept(days: Vec<i16>) -> NoticeDays {
        NoticeDays(days)
    }
}

impl Default for NoticeDays {
    fn default() -> NoticeDays {
        NoticeDays(vec![30, 7])
    }
}

impl TryFrom<Vec<i16>> for NoticeDays {
    type Error = &'static str;

    fn try_from(mut days: Vec<i16>) -> Result<NoticeDays, Self::Error> {
        days.sort_unstable_by_key(|day| std::cmp::Reverse(*day));
        let is_twice = days.windows(2).any(|two| two[0] == two[1]);
        match days.len() <= 5 && !is_twice && days.iter().all(|day| (1..=366).contains(day)) {
            true => Ok(NoticeDays(days)),
            false => Err("at most 5 different numbers of days, each 1 to 366"),
        }
    }
}

impl From<NoticeDays> for Vec<i16> {
    fn from(days: NoticeDays) -> Vec<i16> {
        days.0
    }
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
    fn days_of_notice_are_few_and_in_order() {
        let read = |days: &[i16]| NoticeDays::try_from(days.to_vec()).map(Vec::from);
        assert_eq!(read(&[7, 30]), Ok(vec![30, 7]));
        assert_eq!(read(&[]), Ok(vec![]));
        for days in [&[0][..], &[367], &[7, 7], &[1, 2, 3, 4, 5, 6]] {
            assert!(read(days).is_err(), "{days:?}");
        }
    }

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
