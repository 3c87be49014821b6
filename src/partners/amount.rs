//! Amounts of points and of money as JSON: a decimal string beside what it counts.
//!
//! A JSON number would pass through floating point in somebody's program.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Currency, Directory, Money};
use crate::error::{Problem, Slug};
use crate::points::amount::{self, BadAmount};
use crate::points::money::Micros;

/// Points of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "Amount")]
#[serde(deny_unknown_fields)]
pub struct AmountBody {
    /// Printed units, with at most as many decimals as the currency has.
    #[schema(example = "3000", pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$")]
    pub amount: String,
    /// The code of the currency.
    #[schema(example = "MILE")]
    pub currency: String,
}

/// Money of account, with six decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "Money")]
#[serde(deny_unknown_fields)]
pub struct MoneyBody {
    #[schema(example = "100.000000")]
    pub amount: String,
    /// The ISO 4217 code of the money.
    #[schema(example = "USD")]
    pub currency: String,
}

impl AmountBody {
    /// The currency and how many of its smallest units, more than zero. `pointer` is where in the
    /// body this stands.
    pub fn read<'d>(
        &self,
        directory: &'d Directory,
        pointer: &str,
    ) -> Result<(&'d Arc<Currency>, i64), Problem> {
        let unknown = || {
            Problem::field(
                format!("{pointer}/currency"),
                "the code of a currency; /v1/currencies lists them",
            )
        };
        let currency = directory.currency(&self.currency).ok_or_else(unknown)?;

        let at = format!("{pointer}/amount");
        match amount::parse(&self.amount, currency.scale) {
            Ok(0) => Err(Problem::field(at, "an amount above zero")),
            Ok(units) => Ok((currency, units)),
            Err(bad) => Err(refused(bad, at)),
        }
    }

    /// So many smallest units of a currency.
    pub fn of(currency: &Currency, units: i64) -> AmountBody {
        AmountBody {
            amount: amount::print(units, currency.scale),
            currency: currency.code.clone(),
        }
    }
}

impl MoneyBody {
    pub fn of(money: &Money, micros: Micros) -> MoneyBody {
        MoneyBody {
            amount: micros.to_string(),
            currency: money.code.clone(),
        }
    }
}

fn refused(bad: BadAmount, pointer: String) -> Problem {
    match bad {
        BadAmount::Empty | BadAmount::NotADecimal | BadAmount::LeadingZero => {
            Problem::field(pointer, bad.to_string())
        }
        BadAmount::TooManyDecimals(scale) => {
            Problem::new(Slug::AmountScale, format!("{pointer}: {bad}")).with("scale", scale)
        }
        BadAmount::TooLarge => Problem::new(Slug::AmountTooLarge, format!("{pointer}: {bad}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::partners::currency::{DisplayValue, Keeper};
    use crate::partners::expiry::ExpiryPolicy;
    use crate::points::amount::Scale;

    fn directory() -> Directory {
        let edollar = Currency {
            no: 1000,
            code: "EDOLLAR".into(),
            name: "eDollar".into(),
            name_zh: None,
            scale: Scale::new(2).unwrap(),
            issuer: 1,
            expiry: ExpiryPolicy::None {},
            notice_days: Default::default(),
            zone: chrono_tz::Asia::Hong_Kong,
            display_value: DisplayValue::try_from("1".to_owned()).unwrap(),
            kept_by: Keeper::Hub,
            award_limits: vec![],
            created_at: clock::ALWAYS,
        };
        Directory::new(vec![], vec![edollar], vec![])
    }

    fn refusal(amount: &str, currency: &str) -> Problem {
        let body = AmountBody {
            amount: amount.into(),
            currency: currency.into(),
        };
        body.read(&directory(), "/gives").expect_err(amount)
    }

    #[test]
    fn an_amount_comes_back_as_it_is_printed() {
        let (directory, body) = (
            directory(),
            AmountBody {
                amount: "12.5".into(),
                currency: "EDOLLAR".into(),
            },
        );
        let (currency, units) = body.read(&directory, "").unwrap();
        assert_eq!(units, 1250);
        assert_eq!(AmountBody::of(currency, units).amount, "12.50");
    }

    #[test]
    fn each_mistake_has_its_problem() {
        assert_eq!(refusal("1", "NONE").errors[0].pointer, "/gives/currency");
        assert_eq!(
            refusal("0.00", "EDOLLAR").errors[0].pointer,
            "/gives/amount"
        );
        assert_eq!(refusal("-1", "EDOLLAR").slug, Slug::InvalidField);
        assert_eq!(refusal("0.125", "EDOLLAR").facts["scale"], 2);
        assert_eq!(
            refusal("99999999999999", "EDOLLAR").slug,
            Slug::AmountTooLarge
        );
    }
}
