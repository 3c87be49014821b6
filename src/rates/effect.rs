//! What a change does to a member, where that can be decided exactly.
//!
//! | part                     | better for the member                                          |
//! |--------------------------|----------------------------------------------------------------|
//! | a rate, a band, a line   | a larger fraction, at every amount where either card changes its rate |
//! | minimum, maximum, steps  | every amount that could be given before still can be           |
//! | block bonus, campaigns   | never less, from no later on                                   |
//! | fee                      | never more, nor sooner again                                    |
//! | limit within a period    | dropped, or more of the same                                   |
//! | what has to stay         | less                                                           |
//! | what is not taken        | nothing that was taken before                                  |
//! | arrival, going on        | never later                                                    |
//! | prices of a priced card  | what is given is worth more, what is gained costs less         |
//! | notice, end              | more days, and later                                           |
//!
//! Who pays for bonuses and whose the fee is are nothing to a member; for whom a card is and its
//! priority may be good for one and bad for another, so they are never decided.
//!
//! A change is decided as if it came last: with the other parts as they are after it. So when every
//! change of a card is better or the same, no amount is treated worse by all of them together.
//! Where a larger base may mean a smaller gain or another set of legal amounts (steps and maximum
//! of what is gained, also within a period, a remainder that stays, a fee on the base, a bonus whose
//! bands fall), a rate is not decided and the answer is unclear, never a guess.

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use super::allowance::{Allowance, Most};
use super::block::{BlockBonus, BlockMode};
use super::bonus::{Bonus, BonusBand, On};
use super::condition::Condition;
use super::fee::{Cover, FeeKind};
use super::onward::{Delivery, Onward};
use super::printed::Printed;
use super::terms::{Band, Excluded, Limits, Rate, Remainder, Terms};
use crate::partners::period::Period;
use crate::points::amount::Scales;
use crate::points::ratio::gcd;

/// What a change does to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RateCardEffect)]
pub enum Effect {
    /// No amount is treated worse.
    Better,
    /// No amount is treated better.
    Worse,
    /// It makes no difference.
    Same,
    /// Better for some and worse for others, or not to be decided exactly.
    Unclear,
}

impl Effect {
    /// Whether a member loses nothing by it.
    pub fn is_as_good(self) -> bool {
        match self {
            Effect::Better | Effect::Same => true,
            Effect::Worse | Effect::Unclear => false,
        }
    }

    /// Both at once.
    pub fn and(self, other: Effect) -> Effect {
        match (self, other) {
            (Effect::Same, effect) | (effect, Effect::Same) => effect,
            (one, other) if one == other => one,
            _ => Effect::Unclear,
        }
    }

    /// All of them at once.
    pub fn all(effects: impl IntoIterator<Item = Effect>) -> Effect {
        effects.into_iter().fold(Effect::Same, Effect::and)
    }

    /// Better when it grows.
    pub(super) fn more(grown: Ordering) -> Effect {
        match grown {
            Ordering::Greater => Effect::Better,
            Ordering::Less => Effect::Worse,
            Ordering::Equal => Effect::Same,
        }
    }

    /// Better when it shrinks.
    pub(super) fn less(grown: Ordering) -> Effect {
        Effect::more(grown.reverse())
    }

    /// Better when nothing that was allowed is forbidden.
    fn allowing(all_before: bool, none_new: bool) -> Effect {
        match (all_before, none_new) {
            (true, true) => Effect::Same,
            (true, false) => Effect::Better,
            (false, true) => Effect::Worse,
            (false, false) => Effect::Unclear,
        }
    }
}

/// Another rate from an amount on, both cards read there.
pub(super) fn of_rate_from(before: &Terms, after: &Terms, from: Printed, scales: Scales) -> Effect {
    let at = |terms: &Terms| Some(rate_at(&bands_of(&terms.rate)?, from));
    match (at(before), at(after)) {
        (Some(old), Some(new)) => guarded(Effect::more(grown(old, new)), before, after, scales),
        _ => Effect::Unclear,
    }
}

/// Another rate altogether. Whole amounts and parts of amounts are compared with a plain ratio only.
pub(super) fn of_rate(before: &Terms, after: &Terms, scales: Scales) -> Effect {
    let is_comparable = matches!(
        (&before.rate, &after.rate),
        (Rate::Ratio { .. }, _)
            | (_, Rate::Ratio { .. })
            | (Rate::Slab(_), Rate::Slab(_))
            | (Rate::Marginal(_), Rate::Marginal(_))
    );
    let froms = [before, after].map(|terms| bands_of(&terms.rate));
    let [Some(old), Some(new)] = froms.map(|bands| bands.filter(|_| is_comparable)) else {
        return Effect::Unclear;
    };
    let froms = old.iter().chain(&new).map(|band| band.from);
    Effect::all(froms.map(|from| of_rate_from(before, after, from, scales)))
}

/// What one line of a table gives.
pub(super) fn of_line(
    before: Option<Printed>,
    after: Option<Printed>,
    all: (&Terms, &Terms),
    scales: Scales,
) -> Effect {
    // A line that is there or not is one amount more or less to choose.
    match (before, after) {
        (Some(old), Some(new)) => guarded(Effect::more(new.cmp(&old)), all.0, all.1, scales),
        (old, new) => Effect::more(new.is_some().cmp(&old.is_some())),
    }
}

/// A verdict on the base, where more base is always good.
pub(super) fn guarded(verdict: Effect, before: &Terms, after: &Terms, scales: Scales) -> Effect {
    let limits = &after.destination;
    let is_bounded = limits.max.is_some() || limits.step.is_some();
    let falls = after.bonuses.iter().any(falls_with_base);
    let fee = after
        .fee
        .as_ref()
        .is_some_and(|fee| fee.on() == On::Base && fee.kind != FeeKind::Flat);
    let verdict = gaining(verdict, after);
    match verdict {
        Effect::Same | Effect::Unclear => verdict,
        Effect::Better | Effect::Worse if is_bounded || falls || fee => Effect::Unclear,
        Effect::Better if divides_as_often(&after.rate, &before.rate, after, scales) => verdict,
        Effect::Worse if divides_as_often(&before.rate, &after.rate, after, scales) => verdict,
        Effect::Better | Effect::Worse => Effect::Unclear,
    }
}

/// A verdict on what is gained, where more may be more than a limit within a period allows.
pub(super) fn gaining(verdict: Effect, after: &Terms) -> Effect {
    let is_of_gained = |limit: &Allowance| matches!(limit.most, Most::Gained(_));
    match verdict {
        Effect::Same => verdict,
        _ if after.allowances.iter().any(is_of_gained) => Effect::Unclear,
        _ => verdict,
    }
}

/// Whether what divides under `than` divides under `rate` too, where what does not divide stays.
fn divides_as_often(rate: &Rate, than: &Rate, terms: &Terms, scales: Scales) -> bool {
    if terms.remainder == Remainder::Absorb {
        return true;
    }
    let block = |rate: &Rate| match rate {
        Rate::Ratio { give, get } => {
            let give = i128::from(*give) * i128::from(scales.source.factor());
            let get = i128::from(*get) * i128::from(scales.target.factor());
            Some(give / gcd(give, get).max(1))
        }
        Rate::Slab(_) | Rate::Marginal(_) | Rate::Table(_) | Rate::Priced | Rate::Unpriced => None,
    };
    match (block(rate), block(than)) {
        (Some(block), Some(than)) if block > 0 => is_good_to_take_more(terms) && than % block == 0,
        _ => false,
    }
}

/// Whether a member who offers an amount is glad when more of it is taken.
fn is_good_to_take_more(terms: &Terms) -> bool {
    let is_slab = |bonus: &Bonus| matches!(bonus, Bonus::Slab { .. });
    let is_of_times = |limit: &Allowance| matches!(limit.most, Most::Times(_));
    terms.fee.is_none()
        && !terms.bonuses.iter().any(is_slab)
        && terms.allowances.iter().all(is_of_times)
        && terms.keep.is_none()
}

/// A bonus that may shrink when the base grows.
fn falls_with_base(bonus: &Bonus) -> bool {
    let falls = |two: &[BonusBand]| grown(share(&two[0]), share(&two[1])).is_lt();
    match bonus {
        Bonus::Slab {
            on: On::Base,
            bands,
            ..
        } => bands.windows(2).any(falls),
        Bonus::Slab { on: On::Given, .. }
        | Bonus::Percent { .. }
        | Bonus::Fixed { .. }
        | Bonus::Marginal { .. } => false,
    }
}

/// A ratio as bands; none where the rate is no matter of bands.
fn bands_of(rate: &Rate) -> Option<Vec<Band>> {
    match rate {
        Rate::Ratio { give, get } => Some(vec![Band {
            from: 0.into(),
            give: *give,
            get: *get,
        }]),
        Rate::Slab(bands) | Rate::Marginal(bands) => Some(bands.clone()),
        Rate::Table(_) | Rate::Priced | Rate::Unpriced => None,
    }
}

/// What one given becomes at an amount, as gained over given; nothing below the first band.
fn rate_at(bands: &[Band], amount: Printed) -> (i64, i64) {
    let band = bands.iter().rev().find(|band| band.from <= amount);
    band.map_or((0, 1), |band| (band.get, band.give))
}

/// How the second of two fractions compares with the first.
pub(super) fn grown(old: (i64, i64), new: (i64, i64)) -> Ordering {
    let times = |num: i64, den: i64| i128::from(num) * i128::from(den);
    times(new.0, old.1).cmp(&times(old.0, new.1))
}

/// Which amounts may be given or gained, for the smallest and the largest.
pub(super) fn of_least(before: Option<Printed>, after: Option<Printed>) -> Effect {
    let least = |limit: Option<Printed>| limit.unwrap_or(0.into());
    Effect::less(least(after).cmp(&least(before)))
}

pub(super) fn of_most(before: Option<Printed>, after: Option<Printed>) -> Effect {
    // No limit is above every limit.
    let most = |limit: Option<Printed>| (limit.is_none(), limit);
    Effect::more(most(after).cmp(&most(before)))
}

/// Steps and where they begin, taken together.
pub(super) fn of_steps(before: &Limits, after: &Limits) -> Effect {
    let holds = |outer: &Limits, inner: &Limits| match (outer.step, inner.step) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(step), Some(other)) => {
            let origin = |limits: &Limits| limits.step_origin.unwrap_or(0.into());
            step.divides(other) && step.divides(origin(outer).distance(origin(inner)))
        }
    };
    Effect::allowing(holds(after, before), holds(before, after))
}

/// A verdict on which amounts may be given, where it is enough that there are more of them. Where the
/// rest stays in the source, another amount may be taken than before, which is good for a ratio.
pub(super) fn allowed(verdict: Effect, before: &Terms, after: &Terms) -> Effect {
    let is_plain = |terms: &Terms| {
        let is_ratio = matches!(terms.rate, Rate::Ratio { .. });
        terms.remainder == Remainder::Absorb || is_ratio && is_good_to_take_more(terms)
    };
    match verdict {
        Effect::Same => verdict,
        _ if is_plain(before) && is_plain(after) => verdict,
        _ => Effect::Unclear,
    }
}

pub(super) fn of_allowance(before: Option<&Allowance>, after: Option<&Allowance>) -> Effect {
    match (before, after) {
        (Some(old), Some(new)) => old.grown(new).map_or(Effect::Unclear, Effect::more),
        (old, new) => Effect::less(new.is_some().cmp(&old.is_some())),
    }
}

/// How long a fee that was paid need not be paid again.
pub(super) fn of_cover(before: Option<&Cover>, after: Option<&Cover>) -> Effect {
    let (old, new) = match (before, after) {
        (Some(old), Some(new)) => (old, new),
        (old, new) => return Effect::more(new.is_some().cmp(&old.is_some())),
    };
    match (old.period, new.period) {
        _ if old.group != new.group => Effect::Unclear,
        (Period::Calendar(old), Period::Calendar(new)) => Effect::more(new.cmp(&old)),
        (Period::Hours(old), Period::Hours(new)) => Effect::more(new.cmp(&old)),
        (Period::Months(old), Period::Months(new)) => Effect::more(new.cmp(&old)),
        (Period::Calendar(_) | Period::Hours(_) | Period::Months(_), _) => Effect::Unclear,
    }
}

pub(super) fn of_excluded(before: &[Excluded], after: &[Excluded]) -> Effect {
    let has_all = |of: &[Excluded], all: &[Excluded]| all.iter().all(|it| of.contains(it));
    Effect::allowing(has_all(before, after), has_all(after, before))
}

/// When what is gained arrives, where it is sure which is earlier.
pub(super) fn of_delivery(before: Option<Delivery>, after: Option<Delivery>) -> Effect {
    let (old, new) = (Delivery::within(before), Delivery::within(after));
    match before == after {
        true => Effect::Same,
        false if new.1 <= old.0 => Effect::Better,
        false if new.0 >= old.1 => Effect::Worse,
        false => Effect::Unclear,
    }
}

pub(super) fn of_onward(before: Option<Onward>, after: Option<Onward>) -> Effect {
    Effect::less(Onward::grown(before, after))
}

/// For whom a card is. Whom it leaves out another card may take.
pub(super) fn of_condition(before: Option<&Condition>, after: Option<&Condition>) -> Effect {
    match (before, after) {
        (None, None) => Effect::Same,
        (Some(old), Some(new)) if old.is_met_as(new) => Effect::Same,
        _ => Effect::Unclear,
    }
}

pub(super) fn of_block(before: Option<BlockBonus>, after: Option<BlockBonus>) -> Effect {
    let (old, new) = match (before, after) {
        (Some(old), Some(new)) => (old, new),
        (old, new) => return Effect::more(new.is_some().cmp(&old.is_some())),
    };
    let often = |block: BlockBonus| match block.mode {
        BlockMode::Once => 0,
        BlockMode::PerBlock => 1,
    };
    Effect::all([
        Effect::more(new.bonus.cmp(&old.bonus)),
        Effect::less(new.block.cmp(&old.block)),
        Effect::more(often(new).cmp(&often(old))),
    ])
}

pub(super) fn of_bonus(before: Option<&Bonus>, after: Option<&Bonus>) -> Effect {
    let (old, new) = match (before, after) {
        (Some(old), Some(new)) => (old, new),
        (old, new) => return Effect::more(new.is_some().cmp(&old.is_some())),
    };
    let gain = match (old, new) {
        (Bonus::Percent { num, den, .. }, Bonus::Percent { num: n, den: d, .. }) => {
            Effect::more(grown((*num, *den), (*n, *d)))
        }
        (Bonus::Fixed { bonus: old, .. }, Bonus::Fixed { bonus: new, .. }) => {
            Effect::more(new.cmp(old))
        }
        (
            Bonus::Slab { on, bands, .. },
            Bonus::Slab {
                on: o, bands: b, ..
            },
        )
        | (
            Bonus::Marginal { on, bands, .. },
            Bonus::Marginal {
                on: o, bands: b, ..
            },
        ) if on == o => of_shares(bands, b),
        _ => Effect::Unclear,
    };
    gain.and(of_least(least_given(old), least_given(new)))
}

fn of_shares(before: &[BonusBand], after: &[BonusBand]) -> Effect {
    let at = |bands: &[BonusBand], amount: Printed| {
        let band = bands.iter().rev().find(|band| band.from <= amount);
        band.map_or((0, 1), share)
    };
    let froms = before.iter().chain(after).map(|band| band.from);
    Effect::all(froms.map(|from| Effect::more(grown(at(before, from), at(after, from)))))
}

fn share(band: &BonusBand) -> (i64, i64) {
    (band.num, band.den)
}

fn least_given(bonus: &Bonus) -> Option<Printed> {
    match bonus {
        Bonus::Percent { min_given, .. }
        | Bonus::Fixed { min_given, .. }
        | Bonus::Slab { min_given, .. }
        | Bonus::Marginal { min_given, .. } => *min_given,
    }
}
