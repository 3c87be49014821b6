//! What an amount becomes under a card: the one function a quote and a conversion both call.
//!
//! | step | what                                    | refuses                                 |
//! |-----:|-----------------------------------------|-----------------------------------------|
//! |    1 | the limits of what is given             | `below_min`, `above_max`, `bad_step`, `not_a_denomination` |
//! |    2 | base: the rate, floored once            | `too_little`, `too_large`               |
//! |    3 | the limits of what is gained            | `below_min`, `above_max`, `bad_step`    |
//! |    4 | the remainder: what is taken, what stays |                                        |
//! |    5 | block bonus and each campaign, each floored by itself on the base |               |
//! |    6 | fee: up, minimum, cap, tax; in points on top of what is given or off what is gained | |
//!
//! An amount wrong in two ways is refused for the first. What stays in the source was not
//! given: base, bonuses and fee are those of the amount taken, so pricing that amount again
//! answers the same.

use super::fee::{Charge, PaidIn};
use super::refusal::{Nearest, Refusal};
use super::stretch::{Curve, Stretch};
use super::tariff::Tariff;
use super::terms::Remainder;
use crate::points::amount::MAX_UNITS;
use crate::points::ratio::Quotient;

/// An amount evaluated, everything in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// What is converted of the source; `used + left` is what was offered.
    pub used: i64,
    /// What leaves the wallet: `used`, and a fee in the same points.
    pub taken: i64,
    /// What is not taken because it does not divide.
    pub left: i64,
    /// What `used` is worth before rounding; its fraction is what the floor drops.
    pub exact: Quotient,
    /// What is gained before any bonus.
    pub base: i64,
    /// The bonus for whole blocks, zero where the card has none.
    pub block_bonus: i64,
    /// One figure per bonus of the card, in its order, zero where it does not apply.
    pub bonuses: Vec<i64>,
    /// What the member gets: base and every bonus, less a fee in the same points.
    pub total: i64,
    /// In the smallest unit of what the fee is paid in, where the card has a fee.
    pub fee: Option<i64>,
}

/// Evaluates an amount, or says what would be legal.
pub fn price(tariff: &Tariff, given: i64) -> Result<Priced, Refusal> {
    let stretch = admit(tariff, given)?;
    gain(tariff, stretch, given)?;
    let used = taken(tariff, given)?;

    let stretch = tariff.covering(used).ok_or(Refusal::Unpriced)?;
    let exact = stretch.curve.at(used).ok_or(Refusal::TooLarge)?;
    let base = fits(exact.floor())?;

    let block = tariff.block.map_or(Some(0), |block| block.gain(used));
    let block_bonus = block.ok_or(Refusal::TooLarge)?;
    let bonuses = tariff.extras.iter().map(|extra| extra.units(used, base));
    let bonuses = bonuses
        .collect::<Option<Vec<_>>>()
        .ok_or(Refusal::TooLarge)?;
    let gains = [base, block_bonus]
        .into_iter()
        .chain(bonuses.iter().copied());
    let gains = gains.map(i128::from).sum::<i128>();

    let due = |fee: &Charge| fee.due(used, base).ok_or(Refusal::TooLarge);
    let fee = tariff.fee.as_ref().map(due).transpose()?;
    let paid_in = |points| tariff.fee.as_ref().is_some_and(|fee| fee.paid_in == points);
    let of = |points| i128::from(fee.filter(|_| paid_in(points)).unwrap_or(0));
    let taken = fits(i128::from(used) + of(PaidIn::Given))?;
    let total = fits(gains - of(PaidIn::Gained))?;
    Ok(Priced {
        used,
        taken,
        left: given - used,
        exact,
        base,
        block_bonus,
        bonuses,
        total,
        fee,
    })
}

impl Tariff {
    /// The stretch an amount falls in.
    pub(super) fn covering(&self, units: i64) -> Option<&Stretch> {
        let covers = |stretch: &&Stretch| (stretch.first..=stretch.last).contains(&units);
        self.stretches.iter().find(covers)
    }
}

/// The limits on the source side, and the stretch the amount is priced by.
fn admit(tariff: &Tariff, given: i64) -> Result<&Stretch, Refusal> {
    let first = tariff.stretches.first().ok_or(Refusal::Unpriced)?;
    let source = &tariff.source;
    let is_table = matches!(first.curve, Curve::Fixed(_));
    let minimum = if is_table {
        source.min
    } else {
        source.min.max(first.first)
    };

    if given < minimum {
        let minimum = tariff.smallest().unwrap_or(minimum);
        return Err(Refusal::BelowMinimum { minimum });
    }
    if given > source.max {
        let maximum = tariff.largest().unwrap_or(source.max);
        return Err(Refusal::AboveMaximum { maximum });
    }
    if (given - source.origin).rem_euclid(source.step) != 0 {
        return Err(Refusal::BadStep(nearest(tariff, given)));
    }
    let stretch = tariff.covering(given);
    stretch.ok_or_else(|| Refusal::NotADenomination(nearest(tariff, given)))
}

/// The limits on the destination side, before anything is left in the source.
fn gain(tariff: &Tariff, stretch: &Stretch, given: i64) -> Result<(), Refusal> {
    let exact = stretch.curve.at(given).ok_or(Refusal::TooLarge)?;
    let base = fits(exact.floor())?;
    let destination = &tariff.destination;

    if base < 1 {
        let smallest = tariff.legal_up(given);
        return Err(Refusal::TooLittle { smallest });
    }
    if base < destination.min {
        let minimum = tariff.legal_up(given);
        return Err(Refusal::BelowDestinationMinimum { minimum });
    }
    if base > destination.max {
        let maximum = tariff.legal_down(given);
        return Err(Refusal::AboveDestinationMaximum { maximum });
    }
    if base % destination.step != 0 && tariff.remainder == Remainder::Absorb {
        return Err(Refusal::BadDestinationStep(nearest(tariff, given)));
    }
    Ok(())
}

/// All of it, or the largest legal amount that divides.
fn taken(tariff: &Tariff, given: i64) -> Result<i64, Refusal> {
    match tariff.remainder {
        Remainder::Absorb => Ok(given),
        Remainder::LeaveInSource => tariff.legal_down(given).ok_or_else(|| Refusal::TooLittle {
            smallest: tariff.legal_up(given),
        }),
    }
}

fn nearest(tariff: &Tariff, given: i64) -> Nearest {
    Nearest {
        next_down: tariff.legal_down(given),
        next_up: tariff.legal_up(given),
    }
}

fn fits(units: i128) -> Result<i64, Refusal> {
    let fitting = i64::try_from(units)
        .ok()
        .filter(|units| *units <= MAX_UNITS);
    fitting.ok_or(Refusal::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::amount::{Scale, Scales};
    use crate::rates::best::tests::any_fee;
    use crate::rates::spend::smallest_for;
    use crate::rates::terms::Terms;
    use proptest::prelude::*;

    fn tariff(json: &str, source: u8) -> Tariff {
        let source = Scale::new(source).unwrap();
        let target = Scale::WHOLE;
        let terms: Terms = serde_json::from_str(json).unwrap();
        let scales = Scales { source, target };
        terms.check(scales).unwrap();
        Tariff::of(&terms, scales, None).unwrap()
    }

    #[test]
    fn an_amount_wrong_in_two_ways_is_refused_for_the_first() {
        let stepped = tariff(
            r#"{"kind":"ratio","give":5,"get":2,"min":5000,"step":1250,"max":100000}"#,
            0,
        );
        let near = |down, up| Nearest {
            next_down: Some(down),
            next_up: Some(up),
        };
        let cases = [
            (0, Refusal::BelowMinimum { minimum: 5_000 }),
            (1_251, Refusal::BelowMinimum { minimum: 5_000 }),
            (6_000, Refusal::BadStep(near(5_000, 6_250))),
            (100_001, Refusal::AboveMaximum { maximum: 100_000 }),
        ];
        for (given, refusal) in cases {
            assert_eq!(price(&stepped, given), Err(refusal), "{given}");
        }
    }

    #[test]
    fn the_remainder_stays_or_is_absorbed() {
        let absorbed = tariff(r#"{"kind":"ratio","give":3,"get":2}"#, 0);
        let stays = r#"{"kind":"ratio","give":3,"get":2,"remainder":"leave_in_source"}"#;
        let stays = tariff(stays, 0);
        let taken = |t, given| price(t, given).map(|p| (p.used, p.left, p.total));
        assert_eq!(taken(&absorbed, 2_000), Ok((2_000, 0, 1_333)));
        assert_eq!(taken(&stays, 2_000), Ok((1_998, 2, 1_332)));
        assert_eq!(
            taken(&stays, 2),
            Err(Refusal::TooLittle { smallest: Some(3) })
        );
    }

    #[test]
    fn a_step_at_the_destination_and_a_scale_of_two() {
        let miles = r#"{"kind":"ratio","give":1,"get":20,"min":"0.50","dest_step":1000}"#;
        let miles = tariff(miles, 2);
        assert_eq!(price(&miles, 80_000).map(|p| p.total), Ok(16_000));
        let near = Nearest {
            next_down: Some(5_004),
            next_up: Some(10_000),
        };
        assert_eq!(price(&miles, 5_100), Err(Refusal::BadDestinationStep(near)));
    }

    #[test]
    fn a_fee_is_rounded_up_then_capped_then_taxed() {
        let card = r#"{"kind":"ratio","give":1,"get":1,"bonuses":[{"kind":"percent","num":1,"den":3}],
            "fee":{"kind":"per_unit","num":3,"den":50,"cap":100,"tax":{"num":9,"den":100},"currency":"USD"}}"#;
        let card = tariff(card, 0);
        let paid = |given| price(&card, given).map(|p| (p.total, p.fee));
        assert_eq!(paid(50), Ok((66, Some(4))));
        assert_eq!(paid(10_000), Ok((13_333, Some(109))));
    }

    #[test]
    fn a_fee_in_points_is_taken_on_top_or_off() {
        let with = |fee: &str| {
            let card = r#"{"kind":"ratio","give":2,"get":1,"bonuses":[{"kind":"percent","num":1,"den":5}]"#;
            tariff(&format!(r#"{card},"fee":{fee}}}"#), 0)
        };
        let paid = |t: &Tariff, given| price(t, given).map(|p| (p.taken, p.total, p.fee));
        let on_top = with(r#"{"kind":"per_unit","num":1,"den":40,"minimum":5,"currency":"given"}"#);
        assert_eq!(paid(&on_top, 100), Ok((105, 60, Some(5))));
        assert_eq!(paid(&on_top, 1_001), Ok((1_027, 600, Some(26))));
        let off = with(r#"{"kind":"flat","amount":20,"currency":"gained"}"#);
        assert_eq!(paid(&off, 100), Ok((100, 40, Some(20))));
        // The base has to be more than the fee.
        assert_eq!(paid(&off, 42), Ok((42, 5, Some(20))));
        let minimum = Some(42);
        assert_eq!(
            paid(&off, 41),
            Err(Refusal::BelowDestinationMinimum { minimum })
        );
        assert_eq!(smallest_for(&off, 40), Ok(100));
        assert_eq!(smallest_for(&off, 41), Ok(102));
    }

    /// Ratio terms of every shape that does not fall, with something legal in them.
    fn ratio_terms() -> impl Strategy<Value = Tariff> {
        let parts = (
            1..400_i64,
            1..400_i64,
            1..90_i64,
            1..40_i64,
            1..9_i64,
            0..30_i64,
        );
        (parts, any::<bool>(), any_fee()).prop_filter_map("nothing legal", |(parts, stays, fee)| {
            let (give, get, min, step, dest_step, origin) = parts;
            let remainder = if stays { "leave_in_source" } else { "absorb" };
            let mut json = serde_json::json!({
                "kind": "ratio", "give": give, "get": get, "min": min, "step": step,
                "step_origin": origin, "dest_step": dest_step, "remainder": remainder,
                "bonuses": [{"kind": "percent", "num": 1, "den": 3}],
            });
            if let Some(fee) = fee.strip_prefix(r#","fee":"#) {
                json["fee"] = serde_json::from_str(fee).ok()?;
            }
            let terms: Terms = serde_json::from_value(json).ok()?;
            let tariff = Tariff::of(&terms, Scales::WHOLE, None).ok()?;
            tariff.smallest().map(|_| tariff)
        })
    }

    proptest! {
        #[test]
        fn the_floor_never_exceeds_the_exact_value(t in ratio_terms(), given in 0..1_000_000_i64) {
            let again = price(&t, given);
            prop_assert_eq!(price(&t, given), again.clone());
            let Ok(p) = again else { return Ok(()) };
            prop_assert_eq!(p.used + p.left, given);
            prop_assert!(i128::from(p.base) * p.exact.den() <= p.exact.num());
            prop_assert!(p.exact.num() < i128::from(p.base + 1) * p.exact.den());
            let taken = Priced { left: 0, ..p };
            prop_assert_eq!(price(&t, taken.used), Ok(taken));
        }

        #[test]
        fn splitting_is_never_rewarded(t in ratio_terms(), one in 1..500_000_i64, other in 1..500_000_i64) {
            let parts = price(&t, one).and_then(|a| price(&t, other).map(|b| a.total + b.total));
            if let (Ok(parts), Ok(whole)) = (parts, price(&t, one + other)) {
                prop_assert!(parts <= whole.total);
            }
        }

        #[test]
        fn more_given_never_gains_less(t in ratio_terms(), less in 1..500_000_i64, by in 0..500_000_i64) {
            if let (Ok(less), Ok(more)) = (price(&t, less), price(&t, less + by)) {
                prop_assert!(less.total <= more.total);
            }
        }

        #[test]
        fn the_smallest_spend_is_legal_enough_and_smallest(t in ratio_terms(), wanted in 1..100_000_i64) {
            let spend = smallest_for(&t, wanted).unwrap();
            let priced = price(&t, spend).unwrap();
            prop_assert_eq!(priced.left, 0);
            prop_assert!(priced.total >= wanted);
            if let Some(below) = t.legal_down(spend - 1) {
                prop_assert!(price(&t, below).unwrap().total < wanted);
            }
        }

        #[test]
        fn what_a_refusal_names_is_legal(t in ratio_terms(), given in 0..100_000_i64) {
            let (down, up) = (t.legal_down(given), t.legal_up(given));
            for named in [down, up].into_iter().flatten() {
                prop_assert_eq!(price(&t, named).map(|p| p.used), Ok(named));
            }
            prop_assert!(down <= Some(given) && up.is_none_or(|up| up >= given));
        }
    }
}
