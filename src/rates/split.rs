//! Whether a card's terms reward splitting: two conversions that gain more than one of their sum.
//!
//! ```text
//! total(a) + total(b) > total(a + b)         a, b and a + b legal, nothing left over
//! total(a) × n        > total(a × n)
//! ```
//!
//! Most terms cannot: a ratio, rates and bonuses that only rise with the amount, and a bonus for each
//! whole block give a larger amount at least what its parts get, and rounding down takes more from
//! many than from one. Of those nothing is tried. What may are a bonus that is given once, a table,
//! and whatever falls with size. There the loss of the whole against its parts is straight between
//! the amounts where something begins or ends, so it is largest where two of `a`, `b` and `a + b`
//! lie on one; `ENDS` of them are tried, and the `SMALLEST` legal amounts, each exactly as a quote
//! would price it. What is found is true; that nothing is found proves nothing beyond those bounds.
//!
//! Only what is gained counts, after a fee in the same points. One on top of what is given is left aside,
//! because parts pay no less of it than the whole does, and so is one in money; and who pays for a bonus
//! pays for its parts too. Limits within a period, which may forbid the second conversion, do
//! not make it pay less.

use super::block::BlockMode;
use super::bonus::{Bonus, BonusBand};
use super::effect::grown;
use super::price::price;
use super::spend::pieces;
use super::tariff::Tariff;
use super::terms::{Band, Rate, Terms};

/// How many amounts are tried at which something begins or ends, from the smallest on. A published
/// rule has five lines at most.
const ENDS: usize = 32;

/// How many of the smallest legal amounts are tried besides.
const SMALLEST: usize = 8;

/// Parts that gain more than the whole, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub parts: Parts,
    pub whole: i64,
    /// What the parts gain more.
    pub more: i64,
}

/// How the whole is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    Two(i64, i64),
    Equal { times: i64, part: i64 },
}

/// The split of the smallest whole that was found to pay.
pub(super) fn split(terms: &Terms, tariff: &Tariff) -> Option<Split> {
    if never_pays(terms) {
        return None;
    }
    let amounts = amounts(tariff);
    let splits = amounts.iter().flat_map(|one| {
        let others = amounts.iter();
        others.flat_map(|other| {
            [
                pair(tariff, *one, *other),
                rest(tariff, *one, *other),
                equal(*one, *other),
            ]
        })
    });
    let splits = splits.flatten().filter(|split| split.more > 0);
    splits.min_by_key(|split| (split.whole, -split.more))
}

/// An amount and what it gains.
type Gained = (i64, i64);

fn pair(tariff: &Tariff, one: Gained, other: Gained) -> Option<Split> {
    if one.0 > other.0 {
        return None;
    }
    let whole = gained(tariff, one.0.checked_add(other.0)?)?;
    two(one, other, whole)
}

/// What is left of a whole when a part is taken, or the nearest that is legal.
fn rest(tariff: &Tariff, part: Gained, whole: Gained) -> Option<Split> {
    let left = whole.0 - part.0;
    let near = [tariff.legal_down(left), tariff.legal_up(left)];
    let splits = near.into_iter().flatten().filter_map(|left| {
        let left = gained(tariff, left)?;
        pair(tariff, part.min(left), part.max(left))
    });
    splits.max_by_key(|split| split.more)
}

fn equal(part: Gained, whole: Gained) -> Option<Split> {
    let times = whole.0 / part.0;
    if times < 3 || whole.0 % part.0 != 0 {
        return None;
    }
    let more = part.1.checked_mul(times)? - whole.1;
    let parts = Parts::Equal {
        times,
        part: part.0,
    };
    Some(Split {
        parts,
        whole: whole.0,
        more,
    })
}

fn two(one: Gained, other: Gained, whole: Gained) -> Option<Split> {
    Some(Split {
        parts: Parts::Two(one.0, other.0),
        whole: whole.0,
        more: one.1 + other.1 - whole.1,
    })
}

/// The amounts that are tried.
fn amounts(tariff: &Tariff) -> Vec<Gained> {
    let ends = tariff.stretches.iter().flat_map(|stretch| {
        let pieces = pieces(tariff, stretch).into_iter();
        pieces.flat_map(|piece| {
            let grid = tariff.grid(stretch);
            let ends = grid.map(|grid| [grid.at_least(piece.first), grid.at_most(piece.last)]);
            ends.into_iter().flatten().flatten()
        })
    });
    let next = |at: &i64| tariff.legal_up(at + 1);
    let smallest = std::iter::successors(tariff.smallest(), next).take(SMALLEST);
    let mut amounts: Vec<i64> = ends.take(ENDS).chain(smallest).collect();
    amounts.sort_unstable();
    amounts.dedup();
    amounts
        .into_iter()
        .filter_map(|at| gained(tariff, at))
        .collect()
}

fn gained(tariff: &Tariff, amount: i64) -> Option<Gained> {
    let priced = price(tariff, amount).ok()?;
    (priced.left == 0).then_some((amount, priced.total))
}

/// Terms of which no part can reward splitting.
fn never_pays(terms: &Terms) -> bool {
    let bands_rise =
        |two: &[Band]| grown((two[0].get, two[0].give), (two[1].get, two[1].give)).is_ge();
    let rate = match &terms.rate {
        Rate::Ratio { .. } | Rate::Priced | Rate::Unpriced => true,
        Rate::Slab(bands) | Rate::Marginal(bands) => bands.windows(2).all(bands_rise),
        Rate::Table(_) => false,
    };
    let shares_rise =
        |two: &[BonusBand]| grown((two[0].num, two[0].den), (two[1].num, two[1].den)).is_ge();
    let bonus = |bonus: &Bonus| match bonus {
        Bonus::Percent { .. } => true,
        Bonus::Fixed { .. } => false,
        Bonus::Slab { bands, .. } | Bonus::Marginal { bands, .. } => {
            bands.windows(2).all(shares_rise)
        }
    };
    let block = terms
        .block_bonus
        .is_none_or(|block| block.mode == BlockMode::PerBlock);
    rate && block && terms.bonuses.iter().all(bonus)
}

#[cfg(test)]
mod tests {
    use super::super::best::tests::{any_terms, terms as tariff};
    use super::*;
    use proptest::prelude::*;

    fn found(json: &str) -> Option<(Parts, i64, i64)> {
        let terms: Terms = serde_json::from_str(json).unwrap();
        let split = split(&terms, &tariff(json))?;
        Some((split.parts, split.whole, split.more))
    }

    #[test]
    fn what_rewards_splitting_is_named_with_amounts() {
        let cases = [
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":5000,"step":5000,"bonuses":[{"kind":"fixed","bonus":100}]}"#,
                Some((Parts::Two(5_000, 5_000), 10_000, 100)),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"step":1000,"block_bonus":{"block":50000,"bonus":5000,"mode":"once"}}"#,
                Some((Parts::Two(50_000, 50_000), 100_000, 5_000)),
            ),
            // A later band that gives less, on all of it and on the part in it.
            (
                r#"{"kind":"slab","bands":[{"from":1,"give":1,"get":1},{"from":1000,"give":2,"get":1}]}"#,
                Some((Parts::Two(1, 999), 1_000, 500)),
            ),
            (
                r#"{"kind":"marginal","step":100,"bands":[{"from":0,"give":1,"get":1},{"from":1000,"give":2,"get":1}]}"#,
                Some((Parts::Two(100, 1_000), 1_100, 50)),
            ),
            (
                r#"{"kind":"table","table":[{"give":100,"get":60},{"give":200,"get":110}]}"#,
                Some((Parts::Two(100, 100), 200, 10)),
            ),
            (
                r#"{"kind":"table","table":[{"give":100,"get":60},{"give":300,"get":170}]}"#,
                Some((
                    Parts::Equal {
                        times: 3,
                        part: 100,
                    },
                    300,
                    10,
                )),
            ),
            // Of what the published rules say, nothing does.
            (
                r#"{"kind":"table","table":[{"give":100,"get":50},{"give":200,"get":100},{"give":1000,"get":500},{"give":2000,"get":1070},{"give":5000,"get":2680}]}"#,
                None,
            ),
            (
                r#"{"kind":"ratio","give":3,"get":2,"min":3,"remainder":"leave_in_source"}"#,
                None,
            ),
            (
                r#"{"kind":"slab","bands":[{"from":1,"give":2,"get":1},{"from":1000,"give":1,"get":1}]}"#,
                None,
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"block_bonus":{"block":60000,"bonus":5000,"mode":"per_block"}}"#,
                None,
            ),
            // Two would be more than is taken at once.
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":5000,"max":9999,"bonuses":[{"kind":"fixed","bonus":100}]}"#,
                None,
            ),
            // A fee in what is gained is paid by each part: 100 more, and 50 once more.
            (
                r#"{"kind":"ratio","give":1,"get":1,"min":5000,"step":5000,"bonuses":[{"kind":"fixed","bonus":100}],
                    "fee":{"kind":"flat","amount":50,"currency":"gained"}}"#,
                Some((Parts::Two(5_000, 5_000), 10_000, 50)),
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_unit","num":1,"den":9,"cap":90,"currency":"gained"}}"#,
                None,
            ),
            // A fee is money.
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_unit","num":1,"den":1,"cap":9900,"currency":"USD"}}"#,
                None,
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(found(json), expected, "{json}");
        }
    }

    /// The most that two parts of any amount gain more, tried one by one.
    fn tried(tariff: &Tariff) -> i64 {
        let totals: Vec<Option<i64>> = (0..=600)
            .map(|at| gained(tariff, at).map(|(_, total)| total))
            .collect();
        let mut most = 0;
        for one in 1..=300 {
            for other in one..=600 - one {
                let parts = totals[one].zip(totals[other]);
                if let (Some((one, other)), Some(whole)) = (parts, totals[one + other]) {
                    most = most.max(one + other - whole);
                }
            }
        }
        most
    }

    proptest! {
        // Each case tries every pair.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_named_is_true_and_what_pays_is_found(json in any_terms()) {
            let terms: Terms = serde_json::from_str(&json).unwrap();
            prop_assume!(terms.check(crate::points::amount::Scales::WHOLE).is_ok());
            let tariff = tariff(&json);
            let most = tried(&tariff);
            match split(&terms, &tariff) {
                Some(Split { parts: Parts::Two(one, other), whole, more }) => {
                    prop_assert!(more > 0 && one + other == whole && more <= most);
                }
                Some(Split { parts: Parts::Equal { times, part }, whole, more }) => {
                    prop_assert!(more > 0 && part * times == whole);
                }
                // Base, block and two bonuses, of both parts, are each rounded by less than a unit.
                None if never_pays(&terms) => prop_assert_eq!(most, 0),
                None => prop_assert!(most <= 8, "{most}"),
            }
        }
    }
}
