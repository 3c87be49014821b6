//! What a member pays in money for a conversion, in the smallest unit of the fee's currency.
//!
//! ```text
//! flat        amount
//! per_unit    ceil(amount on × num / den)          0.0006 USD a point: 3/50 cent
//! per_step    amount × ceil(amount on / step)      HKD 100 per 5 000 miles or part
//!
//! fee = ceil(min(max(charge, minimum), cap) × (1 + tax))
//! ```
//!
//! Rounded up, then held to the minimum and the cap, then taxed, and the tax rounded up: the
//! order is the published one. `on` is what is given, unless the fee says `base`.

use serde::{Deserialize, Serialize};

use super::bonus::On;
use super::limit::{fraction, positive, positive_units};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::written::needed;
use crate::points::amount::{MAX_UNITS, Scales};
use crate::points::ratio::Quotient;

/// A fee as the card writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    pub kind: FeeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub den: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Printed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Tax>,
    pub currency: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeKind {
    Flat,
    PerUnit,
    PerStep,
}

/// A tax on the fee, as a fraction of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    pub num: i64,
    pub den: i64,
}

/// A fee checked and in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    rule: Rule,
    on: On,
    minimum: i128,
    cap: i128,
    tax: Tax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Flat(i64),
    PerUnit { num: i128, den: i128 },
    PerStep { amount: i64, step: i64 },
}

impl Charge {
    /// The fee, or nothing when the figure does not fit.
    pub fn due(&self, given: i64, base: i64) -> Option<i64> {
        let units = i128::from(match self.on {
            On::Given => given,
            On::Base => base,
        });
        let charge = match self.rule {
            Rule::Flat(amount) => amount.into(),
            Rule::PerUnit { num, den } => Quotient::new(units * num, den)?.ceil(),
            Rule::PerStep { amount, step } => {
                Quotient::new(units, step.into())?.ceil() * i128::from(amount)
            }
        };
        let held = charge.max(self.minimum).min(self.cap);
        let (num, den) = (i128::from(self.tax.num), i128::from(self.tax.den));
        let taxed = Quotient::new(held.checked_mul(num + den)?, den)?.ceil();
        i64::try_from(taxed).ok()
    }
}

impl Fee {
    /// The fee in smallest units.
    pub(super) fn charge(&self, scales: Scales) -> Result<Charge, BadTerms> {
        self.refuse_strays()?;
        let rule = self.rule(scales)?;
        let (minimum, cap) = self.bounds()?;
        let tax = self.tax.unwrap_or(Tax { num: 0, den: 1 });
        fraction(tax.num, tax.den, "fee.tax")?;
        let on = self.on();
        Ok(Charge {
            rule,
            on,
            minimum,
            cap,
            tax,
        })
    }

    /// What the fee is counted on.
    pub fn on(&self) -> On {
        self.on.unwrap_or(On::Given)
    }

    fn rule(&self, scales: Scales) -> Result<Rule, BadTerms> {
        let scale = match self.on() {
            On::Given => scales.source,
            On::Base => scales.target,
        };
        Ok(match self.kind {
            FeeKind::Flat => Rule::Flat(money(needed(self.amount, "fee.amount")?, "fee.amount")?),
            FeeKind::PerUnit => {
                let (num, den) = (needed(self.num, "fee.num")?, needed(self.den, "fee.den")?);
                positive(num, "fee.num")?;
                positive(den, "fee.den")?;
                let (num, den) = (num.into(), i128::from(den) * i128::from(scale.factor()));
                Rule::PerUnit { num, den }
            }
            FeeKind::PerStep => Rule::PerStep {
                amount: money(needed(self.amount, "fee.amount")?, "fee.amount")?,
                step: positive_units(needed(self.step, "fee.step")?, scale, "fee.step")?,
            },
        })
    }

    fn bounds(&self) -> Result<(i128, i128), BadTerms> {
        let minimum = self.minimum.map_or(Ok(0), |m| money(m, "fee.minimum"))?;
        let cap = self.cap.map_or(Ok(i64::MAX), |c| money(c, "fee.cap"))?;
        if cap < minimum {
            return Err(BadTerms::new("fee.cap", Reason::BelowMinimum));
        }
        Ok((minimum.into(), cap.into()))
    }

    fn refuse_strays(&self) -> Result<(), BadTerms> {
        let (flat, unit) = (self.kind == FeeKind::Flat, self.kind == FeeKind::PerUnit);
        let strays = [
            ("fee.amount", unit && self.amount.is_some()),
            ("fee.num", !unit && self.num.is_some()),
            ("fee.den", !unit && self.den.is_some()),
            ("fee.step", (flat || unit) && self.step.is_some()),
            ("fee.on", flat && self.on.is_some()),
        ];
        let stray = strays.into_iter().find(|(_, is_stray)| *is_stray);
        if let Some((field, _)) = stray {
            return Err(BadTerms::new(field, Reason::NotOfThisKind));
        }
        let is_code = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
        let is_currency =
            (1..=12).contains(&self.currency.len()) && self.currency.bytes().all(is_code);
        if !is_currency {
            return Err(BadTerms::new("fee.currency", Reason::NotACurrency));
        }
        Ok(())
    }
}

fn money(amount: i64, field: &str) -> Result<i64, BadTerms> {
    match amount {
        ..0 => Err(BadTerms::new(field, Reason::Negative)),
        0..=MAX_UNITS => Ok(amount),
        _ => Err(BadTerms::new(field, Reason::TooLarge)),
    }
}
