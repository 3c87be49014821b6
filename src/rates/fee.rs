//! What a member pays for a conversion, in money or in points, in the smallest unit of either.
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
//!
//! | `currency` | what is paid           | counted on                | kinds                      |
//! |------------|------------------------|---------------------------|----------------------------|
//! | a money    | money                  | what is given, or `base`  | all                        |
//! | `given`    | points, on top of what is given | what is given    | all                        |
//! | `gained`   | points, off what is gained | the base              | `flat`, `per_unit` up to 1 |
//!
//! Points stay with who issues them, and are not taxed. More base always leaves more after a fee in what
//! is gained: that is why it has no steps, and why the base has to be more than the fee, whatever the
//! bonuses are.
//!
//! A flat fee may `cover` a period: paid once, it is not paid again for the same route, or the same group
//! of routes, while the period lasts ([`Cover`]). A fee is waived for some by a card without it, of a
//! higher priority, that is for them ([`super::condition`]).

use serde::{Deserialize, Serialize};

use super::bonus::On;
use super::limit::{fraction, positive, positive_units};
use super::period::{self, check_group};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::stretch::first_where;
use super::written::needed;
use crate::partners::period::{Calendar, Period};
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
    /// The code of a money, `given` or `gained`.
    pub currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<Cover>,
}

/// What a fee is paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaidIn {
    Money,
    /// Points like those that are given, on top of them.
    Given,
    /// Points like those that are gained, off them.
    Gained,
}

/// How long a fee that is paid need not be paid again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenCover", into = "WrittenCover")]
pub struct Cover {
    pub period: Period,
    /// For every route out of the currency given whose fee names the group; for the route where none.
    pub group: Option<String>,
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
    pub paid_in: PaidIn,
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

    /// The least base of which a fee in what is gained leaves something.
    pub fn least_base(&self) -> Option<i64> {
        let leaves = |base: i64| self.due(base, base).is_some_and(|due| due < base);
        first_where(1, MAX_UNITS, leaves)
    }

    /// The most that may be given where `most` has to do for that and for a fee on top of it.
    pub fn within(&self, most: i64) -> i64 {
        let is_more = |given: i64| {
            let due = self.due(given, given).unwrap_or(i64::MAX);
            given.saturating_add(due) > most
        };
        first_where(0, most, is_more).map_or(most, |more| more - 1)
    }

    /// Where the minimum ends and where the cap begins, in units of what the fee is counted on.
    pub fn cuts(&self) -> Vec<i64> {
        let Some((num, den)) = self.slope().filter(|(num, _)| *num > 0) else {
            return Vec::new();
        };
        let reached = |fee: i128, round: fn(Quotient) -> i128| {
            Some(round(Quotient::new(fee.checked_mul(den)?, num)?))
        };
        let above = reached(self.minimum, Quotient::floor).map(|last| last + 1);
        let cuts = [above, reached(self.cap, Quotient::ceil)];
        let fitting = cuts.into_iter().flatten().map(i64::try_from);
        fitting.filter_map(Result::ok).collect()
    }

    /// What the fee is at least between two cuts, where what it is counted on begins with `first`:
    /// so much for each unit of that, or so much in all.
    pub fn least(&self, first: i64) -> Least {
        let (low, high) = (self.minimum, self.cap);
        let flat = |fee: i128| Least::Flat(fee);
        match (self.rule, self.slope()) {
            (Rule::Flat(amount), _) => flat(i128::from(amount).max(low).min(high)),
            (_, Some((num, den))) => {
                let charge = i128::from(first) * num;
                match () {
                    () if charge >= high.saturating_mul(den) => flat(high),
                    () if charge <= low.saturating_mul(den) => flat(low),
                    () => Least::Each { num, den },
                }
            }
            (_, None) => flat(low),
        }
    }

    /// A fee that grows with what it is counted on, before it is rounded.
    fn slope(&self) -> Option<(i128, i128)> {
        match self.rule {
            Rule::Flat(_) => None,
            Rule::PerUnit { num, den } => Some((num, den)),
            Rule::PerStep { amount, step } => Some((amount.into(), step.into())),
        }
    }
}

/// What a fee is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Least {
    Flat(i128),
    Each { num: i128, den: i128 },
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
        let paid_in = self.paid_in();
        Ok(Charge {
            paid_in,
            rule,
            on,
            minimum,
            cap,
            tax,
        })
    }

    /// What the fee is counted on.
    pub fn on(&self) -> On {
        match self.paid_in() {
            PaidIn::Money => self.on.unwrap_or(On::Given),
            PaidIn::Given => On::Given,
            PaidIn::Gained => On::Base,
        }
    }

    pub fn paid_in(&self) -> PaidIn {
        match self.currency.as_str() {
            "given" => PaidIn::Given,
            "gained" => PaidIn::Gained,
            _ => PaidIn::Money,
        }
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
                if self.paid_in() == PaidIn::Gained && num > den {
                    return Err(BadTerms::new("fee.num", Reason::TooLarge));
                }
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
        let paid_in = self.paid_in();
        let is_points = paid_in != PaidIn::Money;
        let strays = [
            ("fee.kind", !flat && !unit && paid_in == PaidIn::Gained),
            ("fee.amount", unit && self.amount.is_some()),
            ("fee.num", !unit && self.num.is_some()),
            ("fee.den", !unit && self.den.is_some()),
            ("fee.step", (flat || unit) && self.step.is_some()),
            ("fee.on", (flat || is_points) && self.on.is_some()),
            ("fee.tax", is_points && self.tax.is_some()),
            ("fee.covers", !flat && self.covers.is_some()),
        ];
        let stray = strays.into_iter().find(|(_, is_stray)| *is_stray);
        if let Some((field, _)) = stray {
            return Err(BadTerms::new(field, Reason::NotOfThisKind));
        }
        // What was never paid covers nothing.
        if self.covers.is_some() && self.amount == Some(0) {
            return Err(BadTerms::new("fee.amount", Reason::NotPositive));
        }
        let is_code = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
        let is_currency =
            (1..=12).contains(&self.currency.len()) && self.currency.bytes().all(is_code);
        if !is_points && !is_currency {
            return Err(BadTerms::new("fee.currency", Reason::NotACurrency));
        }
        Ok(())
    }
}

/// The JSON of a cover: one flat object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCover {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Calendar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    months: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl TryFrom<WrittenCover> for Cover {
    type Error = BadTerms;

    fn try_from(written: WrittenCover) -> Result<Cover, BadTerms> {
        let WrittenCover {
            period,
            hours,
            months,
            group,
        } = written;
        check_group(group.as_deref(), "fee.covers")?;
        let period = period::of(period, hours, months, "fee.covers")?;
        Ok(Cover { period, group })
    }
}

impl From<Cover> for WrittenCover {
    fn from(Cover { period, group }: Cover) -> WrittenCover {
        let (period, hours, months) = period::written(period);
        WrittenCover {
            period,
            hours,
            months,
            group,
        }
    }
}

fn money(amount: i64, field: &str) -> Result<i64, BadTerms> {
    match amount {
        ..0 => Err(BadTerms::new(field, Reason::Negative)),
        0..=MAX_UNITS => Ok(amount),
        _ => Err(BadTerms::new(field, Reason::TooLarge)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(json: &str) -> Result<Charge, String> {
        let fee: Fee = serde_json::from_str(json).map_err(|why| why.to_string())?;
        fee.charge(Scales::WHOLE).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_fee_in_points_is_counted_on_what_it_is_paid_in() {
        let cases = [
            (r#"{"kind":"flat","amount":5,"currency":"given"}"#, 5),
            (
                r#"{"kind":"per_unit","num":1,"den":50,"currency":"given"}"#,
                21,
            ),
            (
                r#"{"kind":"per_unit","num":1,"den":50,"currency":"gained"}"#,
                5,
            ),
            (
                r#"{"kind":"per_unit","num":1,"den":50,"minimum":9,"currency":"gained"}"#,
                9,
            ),
            (
                r#"{"kind":"per_unit","num":1,"den":50,"cap":8,"currency":"given"}"#,
                8,
            ),
            (
                r#"{"kind":"per_step","amount":3,"step":500,"currency":"given"}"#,
                9,
            ),
        ];
        for (json, due) in cases {
            assert_eq!(charge(json).unwrap().due(1_001, 201), Some(due), "{json}");
        }
    }

    #[test]
    fn a_fee_that_cannot_be_counted_is_refused() {
        let cases = [
            (
                r#"{"kind":"per_step","amount":3,"step":500,"currency":"gained"}"#,
                "fee.kind: does not belong",
            ),
            (
                r#"{"kind":"per_unit","num":3,"den":2,"currency":"gained"}"#,
                "fee.num: is larger",
            ),
            (
                r#"{"kind":"per_unit","num":1,"den":2,"on":"base","currency":"given"}"#,
                "fee.on: does not belong",
            ),
            (
                r#"{"kind":"flat","amount":3,"tax":{"num":1,"den":2},"currency":"given"}"#,
                "fee.tax: does not belong",
            ),
            (
                r#"{"kind":"per_unit","num":1,"den":2,"currency":"USD","covers":{"period":"year"}}"#,
                "fee.covers: does not belong",
            ),
            (
                r#"{"kind":"flat","amount":0,"currency":"USD","covers":{"period":"year"}}"#,
                "fee.amount: must be at least 1",
            ),
            (
                r#"{"kind":"flat","amount":1,"currency":"USD","covers":{}}"#,
                "fee.covers.period: is missing",
            ),
            (
                r#"{"kind":"flat","amount":1,"currency":"USD","covers":{"period":"year","months":3}}"#,
                "fee.covers.period: is said twice",
            ),
            (
                r#"{"kind":"flat","amount":1,"currency":"USD","covers":{"months":0}}"#,
                "fee.covers.months: must be at least 1",
            ),
            (
                r#"{"kind":"flat","amount":1,"currency":"USD","covers":{"hours":9,"group":"A b"}}"#,
                "fee.covers.group: is not 1 to 40",
            ),
            (
                r#"{"kind":"flat","amount":1,"currency":"Given"}"#,
                "fee.currency: is not a currency code",
            ),
        ];
        for (json, expected) in cases {
            let told = charge(json).unwrap_err();
            assert!(told.contains(expected), "{json}: {told}");
        }
    }

    #[test]
    fn a_fee_is_written_as_it_is_read() {
        for json in [
            r#"{"kind":"flat","amount":5000,"currency":"SGD","covers":{"period":"year"}}"#,
            r#"{"kind":"flat","amount":5,"currency":"given","covers":{"months":12,"group":"auto"}}"#,
        ] {
            let fee: Fee = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&fee).unwrap(), json);
        }
    }

    #[test]
    fn what_may_be_given_leaves_room_for_the_fee() {
        let cases = [
            (r#"{"kind":"flat","amount":30,"currency":"given"}"#, 70),
            (
                r#"{"kind":"per_unit","num":1,"den":3,"currency":"given"}"#,
                75,
            ),
            (
                r#"{"kind":"per_step","amount":10,"step":40,"currency":"given"}"#,
                80,
            ),
            (r#"{"kind":"flat","amount":300,"currency":"given"}"#, -1),
        ];
        for (json, most) in cases {
            assert_eq!(charge(json).unwrap().within(100), most, "{json}");
        }
    }

    #[test]
    fn a_base_has_to_be_more_than_the_fee() {
        let least = |json: &str| charge(json).unwrap().least_base();
        assert_eq!(
            least(r#"{"kind":"flat","amount":30,"currency":"gained"}"#),
            Some(31)
        );
        let all = r#"{"kind":"per_unit","num":1,"den":1,"currency":"gained"#;
        assert_eq!(least(&format!("{all}\"}}")), None);
        assert_eq!(least(&format!("{all}\",\"cap\":8}}")), Some(9));
    }
}
