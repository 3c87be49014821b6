//! The most a card ever gives for a unit: its best ratio over all legal amounts, exactly.
//!
//! ```text
//! total(x) ≤ slope × x + offset      between two cuts, every bonus counted, nothing rounded away
//! taken(x) ≥ cost × x + flat         x itself, and a fee in the same points
//! best     = total / taken           largest at the first legal x or at the last: between them it only
//!                                    rises or only falls
//! ```
//!
//! A fee in points makes a circle poorer, so it counts: what is gained is less by it, or what is taken is
//! more. Before it is rounded up it is a straight line between two cuts, like a bonus; one by the step is
//! counted as if parts of a step were charged in part, which is what it comes to at whole steps. One that
//! covers a period is not counted: going round again costs nothing more. Nor is a fee in money.
//!
//! Rounding only ever takes from the member, so this is a bound; for a plain ratio, a table and what
//! begins at a legal amount it is what somebody gets. Of a priced card the money is rounded half-even
//! to millionths, which may give: then the bound is above its rate by as much as that can make.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::bonus::On;
use super::extra::{Extra, Gain};
use super::fee::{Least, PaidIn};
use super::grid::{Grid, Residue};
use super::price::price;
use super::settlement::Purchase;
use super::spend::{Piece, pieces};
use super::stretch::{Curve, Line, Stretch};
use super::tariff::Tariff;

/// How often rounding is looked at before it is taken to give.
const LOOKS: usize = 64;

/// What a unit of the source becomes at best, both in smallest units. None when nothing is legal.
pub(super) fn best(tariff: &Tariff) -> Option<BigRational> {
    let all = tariff.stretches.iter().flat_map(|stretch| {
        let pieces = pieces(tariff, stretch).into_iter();
        pieces.filter_map(move |piece| best_of(tariff, stretch, piece))
    });
    all.max()
}

fn best_of(tariff: &Tariff, stretch: &Stretch, piece: Piece) -> Option<BigRational> {
    let grid = tariff.grid(stretch)?;
    let (first, last) = (grid.at_least(piece.first)?, grid.at_most(piece.last)?);
    if first > last {
        return None;
    }
    let priced = price(tariff, first).ok()?;
    if first == last {
        return Some(fraction(priced.total, priced.taken));
    }

    let base = match &stretch.curve {
        Curve::Fixed(get) => Bound::flat(*get),
        Curve::Line(line) => Bound::of(line),
        Curve::Money(purchase) => Bound::bought(purchase, &grid, first, last),
    };
    let mut total = base.clone();
    if let Some(block) = tariff.block {
        let (per_unit, once) = block.bound(first);
        total = total.plus(&Bound {
            slope: fraction(per_unit.0, per_unit.1),
            offset: whole(once),
        });
    }
    for extra in &tariff.extras {
        total = total.plus(&extra_bound(extra, &base, first, priced.base));
    }
    let mut taken = Bound {
        slope: whole(1),
        offset: whole(0),
    };
    match tariff.fee.as_ref().map(|fee| (fee, fee.paid_in)) {
        Some((fee, PaidIn::Gained)) => {
            let least = Bound::least(fee.least(priced.base));
            total = total.less(&base.through(&least));
        }
        Some((fee, PaidIn::Given)) => taken = taken.plus(&Bound::least(fee.least(first))),
        Some((_, PaidIn::Money)) | None => {}
    }
    let falls = &total.offset * &taken.slope > &total.slope * &taken.offset;
    let at = whole(if falls { first } else { last });
    Some(total.at(&at) / taken.at(&at))
}

/// What a bonus adds at most, where its band is the one of `first`.
fn extra_bound(extra: &Extra, base: &Bound, first: i64, first_base: i64) -> Bound {
    if first < extra.min_given {
        return Bound::flat(0);
    }
    match &extra.gain {
        Gain::Fixed(units) => Bound::flat(*units),
        Gain::Banded { on, bands } => {
            let read = match on {
                On::Base => first_base,
                On::Given => first,
            };
            let band = bands.iter().find(|b| (b.first..=b.last).contains(&read));
            match band.map(|band| &band.curve) {
                Some(Curve::Line(line)) => base.through(&Bound::of(line)),
                Some(Curve::Fixed(_) | Curve::Money(_)) | None => Bound::flat(0),
            }
        }
    }
}

/// `slope × x + offset`.
#[derive(Debug, Clone)]
struct Bound {
    slope: BigRational,
    offset: BigRational,
}

impl Bound {
    fn flat(units: i64) -> Bound {
        Bound {
            slope: whole(0),
            offset: whole(units),
        }
    }

    fn of(line: &Line) -> Bound {
        Bound {
            slope: fraction(line.slope, line.den),
            offset: fraction(line.offset, line.den),
        }
    }

    fn least(fee: Least) -> Bound {
        let (slope, offset) = match fee {
            Least::Flat(units) => (whole(0), fraction(units, 1)),
            Least::Each { num, den } => (fraction(num, den), whole(0)),
        };
        Bound { slope, offset }
    }

    fn bought(purchase: &Purchase, grid: &Grid, first: i64, last: i64) -> Bound {
        let rate = purchase.rate();
        let extra = match rounded_up(purchase, grid, first, last) {
            Some(at) => purchase.rounding() / whole(at),
            None => whole(0),
        };
        Bound {
            slope: rate + extra,
            offset: whole(0),
        }
    }

    fn plus(&self, other: &Bound) -> Bound {
        Bound {
            slope: &self.slope + &other.slope,
            offset: &self.offset + &other.offset,
        }
    }

    fn less(&self, other: &Bound) -> Bound {
        Bound {
            slope: &self.slope - &other.slope,
            offset: &self.offset - &other.offset,
        }
    }

    fn at(&self, units: &BigRational) -> BigRational {
        &self.slope * units + &self.offset
    }

    /// The other of this.
    fn through(&self, other: &Bound) -> Bound {
        Bound {
            slope: &self.slope * &other.slope,
            offset: &self.offset * &other.slope + &other.offset,
        }
    }
}

/// The first amount for which the rounded money buys more than the exact money would. That takes an
/// exact gain so little below a whole increment that rounding reaches it.
fn rounded_up(purchase: &Purchase, grid: &Grid, first: i64, last: i64) -> Option<i64> {
    let rate = purchase.rate();
    let reach = (purchase.rounding() * BigRational::from(rate.denom().clone())).floor();
    if reach <= whole(0) {
        return None;
    }
    let modulus = rate.denom() * BigInt::from(purchase.increment());
    let parts = (rate.numer(), &modulus, reach.numer());
    let residue = match (parts.0.try_into(), parts.1.try_into(), parts.2.try_into()) {
        (Ok(num), Ok(modulus), Ok(reach)) => Residue::just_below(num, modulus, reach),
        _ => None,
    };
    let Some(residue) = residue else {
        return Some(first);
    };
    let near = Grid {
        residue: Some(residue),
        ..*grid
    };
    let mut at = first;
    for _ in 0..LOOKS {
        at = near.at_least(at).filter(|at| *at <= last)?;
        let bought = purchase.units(at).ok()?;
        if whole(bought) > &rate * whole(at) {
            return Some(at);
        }
        at += 1;
    }
    Some(at)
}

fn whole(units: i64) -> BigRational {
    BigRational::from(BigInt::from(units))
}

fn fraction(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigRational {
    BigRational::new(num.into(), den.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::points::amount::Scales;
    use crate::rates::card::Card;
    use proptest::prelude::*;

    pub(crate) fn terms(terms: &str) -> Tariff {
        let read: serde_json::Value = serde_json::from_str(terms).unwrap();
        let has_bonus = read
            .get("bonuses")
            .is_some_and(|it| it != &serde_json::json!([]))
            || read.get("block_bonus").is_some();
        let funders = if has_bonus { r#"[{"source":1}]"# } else { "[]" };
        let settlement = format!(
            r#"{{"kind":"cost_plus","price":"0.01","commission":"0","bonus_funders":{funders}}}"#
        );
        card(terms, &settlement)
    }

    fn card(terms: &str, settlement: &str) -> Tariff {
        let card = format!(r#"{{"terms":{terms},"settlement":{settlement}}}"#);
        let card: Card = serde_json::from_str(&card).unwrap();
        card.check(Scales::WHOLE).unwrap();
        card.tariff(Scales::WHOLE, None).unwrap()
    }

    fn priced(source: &str, target: &str, commission: &str) -> Tariff {
        let settlement = format!(
            r#"{{"kind":"priced","source_price":"{source}","target_price":"{target}","commission":"{commission}"}}"#
        );
        card(r#"{"kind":"priced"}"#, &settlement)
    }

    #[test]
    fn the_best_is_where_a_card_is_kindest() {
        let cases = [
            (r#"{"kind":"ratio","give":3,"get":2}"#, (2, 3)),
            // All that is legal is what is given best.
            (
                r#"{"kind":"table","table":[{"give":100,"get":50},{"give":5000,"get":2680}]}"#,
                (2680, 5000),
            ),
            (
                r#"{"kind":"slab","bands":[{"from":1,"give":2,"get":1},{"from":10000,"give":1,"get":1}]}"#,
                (1, 1),
            ),
            // A threshold bonus is worth most at the threshold, one per block at whole blocks.
            (
                r#"{"kind":"ratio","give":1,"get":1,"block_bonus":{"block":50000,"bonus":5000,"mode":"once"}}"#,
                (11, 10),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"block_bonus":{"block":60000,"bonus":5000,"mode":"per_block"}}"#,
                (13, 12),
            ),
            // Bonuses add up, each counted on the base.
            (
                r#"{"kind":"ratio","give":2,"get":1,"bonuses":[{"kind":"percent","num":1,"den":5},{"kind":"percent","num":1,"den":10}]}"#,
                (13, 20),
            ),
            // A fixed bonus is worth most for the least.
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":100,"bonuses":[{"kind":"fixed","bonus":7}]}"#,
                (107, 100),
            ),
            // What a fee in points leaves: off what is gained, on top of what is given, best where it
            // weighs least.
            (
                r#"{"kind":"ratio","give":1,"get":1,"max":100,"fee":{"kind":"flat","amount":10,"currency":"gained"}}"#,
                (9, 10),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"max":100,"fee":{"kind":"flat","amount":10,"currency":"given"}}"#,
                (10, 11),
            ),
            (
                r#"{"kind":"ratio","give":2,"get":1,"fee":{"kind":"per_unit","num":1,"den":50,"currency":"gained"}}"#,
                (49, 100),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_unit","num":1,"den":10,"minimum":10,"currency":"given"}}"#,
                (10, 11),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"max":1000,"fee":{"kind":"per_unit","num":1,"den":10,"cap":10,"currency":"gained"}}"#,
                (99, 100),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_step","amount":1,"step":10,"currency":"given"}}"#,
                (10, 11),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"flat","amount":500,"currency":"USD"}}"#,
                (1, 1),
            ),
            // The later band is better, and never quite reached.
            (
                r#"{"kind":"marginal","max":1000,"bands":[{"from":0,"give":2,"get":1},{"from":500,"give":1,"get":1}]}"#,
                (750, 1000),
            ),
        ];
        for (json, (num, den)) in cases {
            assert_eq!(best(&terms(json)), Some(fraction(num, den)), "{json}");
        }
    }

    #[test]
    fn a_priced_card_gives_what_its_money_buys() {
        assert_eq!(
            best(&priced("0.01", "0.008", "0.025")),
            Some(fraction(39, 32))
        );
        assert_eq!(best(&priced("0.014", "0.014", "0")), Some(fraction(1, 1)));
        // A price below what money counts is rounded to all of it.
        let tiny = best(&priced("0.0000006", "0.000001", "0")).unwrap();
        assert!(tiny >= fraction(1, 1), "{tiny}");
    }

    pub(crate) fn any_terms() -> impl Strategy<Value = String> {
        let rate = (1..40_i64, 1..40_i64, 1..300_i64, 0..3_u8).prop_map(|(give, get, cut, kind)| {
            let bands = format!(
                r#""bands":[{{"from":0,"give":{give},"get":{get}}},{{"from":{cut},"give":{get},"get":{give}}}]"#
            );
            match kind {
                0 => format!(r#""kind":"ratio","give":{give},"get":{get}"#),
                1 => format!(r#""kind":"slab",{bands}"#),
                _ => format!(r#""kind":"marginal",{bands}"#),
            }
        });
        let bonus = (1..9_i64, 1..9_i64, 1..300_i64, 0..5_u8).prop_map(|(num, den, cut, kind)| {
            let bands = format!(
                r#""bands":[{{"from":0,"num":{num},"den":{den}}},{{"from":{cut},"num":1,"den":{num}}}]"#
            );
            match kind {
                0 => format!(r#"{{"kind":"percent","num":{num},"den":{den}}}"#),
                1 => format!(r#"{{"kind":"fixed","bonus":{num},"min_given":{cut}}}"#),
                2 => format!(r#"{{"kind":"slab","on":"given",{bands}}}"#),
                3 => format!(r#"{{"kind":"slab",{bands}}}"#),
                _ => format!(r#"{{"kind":"marginal",{bands}}}"#),
            }
        });
        let block = (1..300_i64, 1..50_i64, any::<bool>()).prop_map(|(block, bonus, once)| {
            let mode = if once { "once" } else { "per_block" };
            format!(r#","block_bonus":{{"block":{block},"bonus":{bonus},"mode":"{mode}"}}"#)
        });
        let block = proptest::option::of(block).prop_map(Option::unwrap_or_default);
        let bonuses = proptest::collection::vec(bonus, 0..3);
        let limits = (1..20_i64, 1..9_i64);
        (rate, bonuses, block, any_fee(), limits).prop_map(|(rate, bonuses, block, fee, limits)| {
            let (bonuses, (min, step)) = (bonuses.join(","), limits);
            format!(
                r#"{{{rate},"min":{min},"max":600,"step":{step},"bonuses":[{bonuses}]{block}{fee}}}"#
            )
        })
    }

    /// A fee in points, or none.
    pub(crate) fn any_fee() -> impl Strategy<Value = String> {
        let parts = (1..40_i64, 1..60_i64, 0..30_i64, 0..60_i64, 0..5_u8);
        let fee = parts.prop_map(|(num, den, minimum, more, kind)| {
            let held = format!(r#""minimum":{minimum},"cap":{}"#, minimum + more);
            let (least, most) = (num.min(den), num.max(den));
            let fee = match kind {
                0 => format!(r#""kind":"flat","amount":{num},"currency":"given""#),
                1 => format!(r#""kind":"flat","amount":{num},"currency":"gained""#),
                2 => format!(
                    r#""kind":"per_unit","num":{num},"den":{den},{held},"currency":"given""#
                ),
                3 => format!(
                    r#""kind":"per_unit","num":{least},"den":{most},{held},"currency":"gained""#
                ),
                _ => format!(r#""kind":"per_step","amount":{num},"step":{den},"currency":"given""#),
            };
            format!(r#","fee":{{{fee}}}"#)
        });
        proptest::option::of(fee).prop_map(Option::unwrap_or_default)
    }

    fn most_of(tariff: &Tariff, amounts: std::ops::RangeInclusive<i64>) -> Option<BigRational> {
        let ratios = amounts.filter_map(|given| {
            let priced = price(tariff, given).ok()?;
            Some(fraction(priced.total, priced.taken))
        });
        ratios.max()
    }

    proptest! {
        #[test]
        fn no_amount_gets_more_and_nothing_is_promised_far_above(json in any_terms()) {
            let settlement = r#"{"kind":"cost_plus","price":"0.01","commission":"0"}"#;
            let card: Card = serde_json::from_str(
                &format!(r#"{{"terms":{json},"settlement":{settlement}}}"#)).unwrap();
            prop_assume!(card.terms.check(Scales::WHOLE).is_ok());
            let tariff = card.tariff(Scales::WHOLE, None).unwrap();

            let found = most_of(&tariff, 1..=600);
            let bound = best(&tariff);
            prop_assert!(bound >= found, "{bound:?} {found:?}");
            // Base, block and two bonuses are each rounded down by less than a unit. A fee by the step is
            // counted as if a part of one cost a part.
            let (bound, found) = (bound.unwrap(), found.unwrap());
            prop_assert!(json.contains("per_step") || bound <= found + whole(4), "a bound far above what anybody gets");
        }

        #[test]
        fn no_amount_of_a_priced_card_gets_more(
            source in 1..3_000_i64, target in 1..3_000_i64, decimals in 3..8_u32, commission in 0..90_i64,
        ) {
            let text = |digits: i64| rust_decimal::Decimal::new(digits, decimals).to_string();
            let commission = rust_decimal::Decimal::new(commission, 3).to_string();
            let tariff = priced(&text(source), &text(target), &commission);
            let found = most_of(&tariff, 1..=3_000);
            prop_assert!(best(&tariff) >= found);
        }
    }
}
