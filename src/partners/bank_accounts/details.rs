//! The details of a bank account, each right by construction.
//!
//! | field | rule | source |
//! |---|---|---|
//! | `holder` | a name of 1 to 120 characters | `Nm` of ISO 20022 takes 140 |
//! | `currency` | the money that the partner settles in | ISO 4217 |
//! | `bic` | 8 or 11 characters, the bank's | ISO 9362 |
//! | `iban` | country, check digits, the length of that country | ISO 13616, ISO 7064 MOD 97-10 |
//! | `account_number` | instead, where there are no IBANs: 1 to 34 of A to Z, 0 to 9 and `-` | `Othr/Id` of ISO 20022 |

use iban::{Iban, IbanLike};
use serde::{Deserialize, Serialize};

use crate::web::text::Name;

/// Where money is paid to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub holder: Name,
    /// The ISO 4217 code of the account's money.
    pub currency: String,
    pub bic: Bic,
    pub number: Number,
}

/// A bank's identifier (ISO 9362).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bic(String);

/// What the bank calls the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// In its electronic form, without spaces.
    Iban(String),
    AccountNumber(String),
}

impl TryFrom<String> for Bic {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Bic, Self::Error> {
        let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let names_a_country = || text.as_bytes()[4..6].iter().all(u8::is_ascii_uppercase);
        match matches!(text.len(), 8 | 11) && text.bytes().all(is_plain) && names_a_country() {
            true => Ok(Bic(text)),
            false => Err("a BIC of 8 or 11 of A to Z and 0 to 9, the fifth and sixth a country"),
        }
    }
}

impl From<Bic> for String {
    fn from(bic: Bic) -> String {
        bic.0
    }
}

impl Number {
    /// An IBAN, written with spaces or without.
    pub fn iban(text: &str) -> Result<Number, &'static str> {
        let iban: Result<Iban, _> = text.parse();
        let iban = iban.map_err(
            |_| "an IBAN whose length is its country's and whose check digits are right",
        )?;
        Ok(Number::Iban(iban.electronic_str().to_owned()))
    }

    pub fn account_number(text: &str) -> Result<Number, &'static str> {
        let is_plain =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        let has_one = text.bytes().any(|byte| byte != b'-');
        match (1..=34).contains(&text.len()) && text.bytes().all(is_plain) && has_one {
            true => Ok(Number::AccountNumber(text.to_owned())),
            false => Err("1 to 34 of A to Z, 0 to 9 and -"),
        }
    }

    /// The last four characters: enough to tell accounts apart, too few to pay into one.
    pub fn ending(&self) -> &str {
        let (Number::Iban(text) | Number::AccountNumber(text)) = self;
        let end = text.len().saturating_sub(4).max(text.len() / 2);
        &text[end..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_is_checked_and_kept_without_spaces() {
        let kept = Number::Iban("GB82WEST12345698765432".to_owned());
        assert_eq!(
            Number::iban("GB82 WEST 1234 5698 7654 32"),
            Ok(kept.clone())
        );
        assert_eq!(Number::iban("GB82WEST12345698765432"), Ok(kept));
        for wrong in [
            "",
            "GB82",
            "GB83WEST12345698765432",
            "GB82WEST1234569876543",
            "gb82west12345698765432",
            "XX82WEST12345698765432",
            "GB82WEST12345698765432\0",
            "ＧＢ82WEST12345698765432",
        ] {
            assert!(Number::iban(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn other_numbers_and_bics_are_plain() {
        for number in ["012-345678-001", "0", "00812345678901"] {
            assert!(Number::account_number(number).is_ok(), "{number}");
        }
        for number in ["", "-", "12 34", "１２", "a1", "1\0", &"1".repeat(35)] {
            assert!(Number::account_number(number).is_err(), "{number:?}");
        }
        for bic in ["HSBCHKHH", "DEUTDEFF500"] {
            assert!(Bic::try_from(bic.to_owned()).is_ok(), "{bic}");
        }
        for bic in [
            "",
            "HSBCHKH",
            "HSBCHKHHXX",
            "hsbchkhh",
            "HSBC1KHH",
            "HSBÇHKHH",
        ] {
            assert!(Bic::try_from(bic.to_owned()).is_err(), "{bic:?}");
        }
    }

    #[test]
    fn the_ending_never_tells_more_than_half() {
        let ending = |text: &str| Number::AccountNumber(text.into()).ending().to_owned();
        assert_eq!(ending("012345678"), "5678");
        assert_eq!(ending("12345"), "345");
        assert_eq!(ending("1"), "1");
    }
}
