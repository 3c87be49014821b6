//! The clauses of a card's sentence in English.
//!
//! ```text
//! 5,000 STAR or more, in steps of 1,250, become MILE at 5 to 2
//! ```

use std::ops::Deref;

use super::allowance::{Allowance, Most};
use super::block::{BlockBonus, BlockMode};
use super::bonus::{Bonus, BonusBand, On};
use super::condition::{Asked, Condition};
use super::fee::{Cover, Fee, FeeKind, PaidIn};
use super::onward::{Delivery, Onward};
use super::printed::Printed;
use super::sentence::{Issuers, Names, fraction, lowest, may_not_divide, money};
use super::terms::{Band, Excluded, Limits, Rate, Remainder, Terms};
use crate::partners::period::{Calendar, Period};

/// Which amounts, and what they become.
pub(super) fn amounts_and_rate(terms: &Terms, names: Names<'_>) -> String {
    let (amounts, target) = (amounts(&terms.source, names), names.target);
    let is_any = terms.source.min.is_none() && terms.source.max.is_none();
    let become_ = if is_any { "becomes" } else { "become" };
    match &terms.rate {
        Rate::Ratio { give, get } => {
            let (give, get) = lowest(*give, *get);
            format!("{amounts} {become_} {target} at {give} to {get}")
        }
        Rate::Slab(bands) => {
            format!(
                "{amounts} {become_} {target} at {}, on the whole amount",
                rates(bands)
            )
        }
        Rate::Marginal(bands) => {
            format!(
                "{amounts} {become_} {target} at {}, each part at its own rate",
                rates(bands)
            )
        }
        Rate::Table(table) => {
            let lines = table
                .iter()
                .map(|line| format!("{} for {}", line.give, line.get));
            let lines = lines.collect::<Vec<_>>().join(", ");
            format!(
                "Only these amounts of {} become {target}: {lines}",
                names.source
            )
        }
        Rate::Priced => format!("{amounts} {become_} {target} at the price of the day"),
        Rate::Unpriced => format!("{amounts} {become_} {target} at a rate that is not fixed"),
    }
}

fn amounts(limits: &Limits, names: Names<'_>) -> String {
    let source = names.source;
    let range = match (limits.min, limits.max) {
        (None, None) => format!("Any amount of {source}"),
        (Some(min), None) => format!("{min} {source} or more"),
        (None, Some(max)) => format!("Up to {max} {source}"),
        (Some(min), Some(max)) => format!("{min} to {max} {source}"),
    };
    match (limits.step, limits.step_origin) {
        (None, _) => range,
        (Some(step), None) => format!("{range}, in steps of {step},"),
        (Some(step), Some(origin)) => format!("{range}, in steps of {step} from {origin},"),
    }
}

pub(super) fn rates(bands: &[Band]) -> String {
    let rates = bands.iter().map(|band| {
        let (give, get) = lowest(band.give, band.get);
        format!("{give} to {get} from {}", band.from)
    });
    rates.collect::<Vec<_>>().join(" and ")
}

/// The limits of what is gained.
pub(super) fn destination(limits: &Limits, names: Names<'_>) -> Vec<String> {
    let target = names.target;
    let least = limits.min.map(|min| format!("at least {min} {target}"));
    let most = limits.max.map(|max| format!("at most {max} {target}"));
    let step = limits
        .step
        .map(|step| format!("in steps of {step} {target}"));
    [least, most, step].into_iter().flatten().collect()
}

/// The block bonus and every campaign.
pub(super) fn bonuses(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let block = terms.block_bonus.map(|b| block(b, names));
    let campaigns = terms.bonuses.iter().map(|bonus| campaign(bonus, names));
    block.into_iter().chain(campaigns).collect()
}

pub(super) fn block(b: BlockBonus, names: Names<'_>) -> String {
    let (source, target) = (names.source, names.target);
    match b.mode {
        BlockMode::PerBlock => format!("{} {target} more for every {} {source}", b.bonus, b.block),
        BlockMode::Once => format!("{} {target} more, once, from {} {source}", b.bonus, b.block),
    }
}

pub(super) fn campaign(bonus: &Bonus, names: Names<'_>) -> String {
    let from = |least: &Option<Printed>| match least {
        Some(least) => format!(" from {least} {}", names.source),
        None => String::new(),
    };
    match bonus {
        Bonus::Percent {
            num,
            den,
            min_given,
            ..
        } => {
            format!("{} more{}", fraction(*num, *den), from(min_given))
        }
        Bonus::Fixed { bonus, min_given } => {
            format!("{bonus} {} more, once,{}", names.target, from(min_given))
                .trim_end_matches(',')
                .to_owned()
        }
        Bonus::Slab {
            on,
            bands,
            min_given,
        } => {
            format!("{}{}", shares(bands, *on, names, "more"), from(min_given))
        }
        Bonus::Marginal {
            on,
            bands,
            min_given,
        } => {
            format!(
                "{}{}",
                shares(bands, *on, names, "more on the part"),
                from(min_given)
            )
        }
    }
}

fn shares(bands: &[BonusBand], on: On, names: Names<'_>, more: &str) -> String {
    let code = match on {
        On::Base => names.target,
        On::Given => names.source,
    };
    let share = |b: &BonusBand| format!("{} {more} from {} {code}", fraction(b.num, b.den), b.from);
    bands.iter().map(share).collect::<Vec<_>>().join(" and ")
}

/// What the member pays.
pub(super) fn fee(fee: Option<&Fee>, names: Names<'_>) -> Vec<String> {
    let told = fee.map(|fee| format!("the fee is {}", charge(fee, names)));
    told.into_iter().collect()
}

/// A fee with its parts.
pub(super) fn charge(fee: &Fee, names: Names<'_>) -> String {
    let sum = |amount: i64| fee_sum(fee, amount, names);
    let code = match fee.on() {
        On::Given => names.source,
        On::Base => names.target,
    };
    let charge = match (fee.kind, fee.amount, fee.num.zip(fee.den), fee.step) {
        (FeeKind::PerUnit, _, Some((num, den)), _) => match names.points_of(fee) {
            Some((points, 1)) => format!("{num}/{den} {points} for each {code}"),
            Some((points, _)) => {
                format!("{num}/{den} of the smallest unit of {points} for each {code}")
            }
            None => format!(
                "{num}/{den} of the smallest unit of {} for each {code}",
                fee.currency
            ),
        },
        (FeeKind::PerStep, Some(amount), _, Some(step)) => {
            format!("{} for every {step} {code} or part of it", sum(amount))
        }
        (FeeKind::Flat | FeeKind::PerUnit | FeeKind::PerStep, amount, _, _) => {
            sum(amount.unwrap_or(0))
        }
    };
    let least = fee
        .minimum
        .map(|least| format!(", at least {}", sum(least)));
    let most = fee.cap.map(|most| format!(", at most {}", sum(most)));
    let tax = fee
        .tax
        .map(|tax| format!(", plus {} tax", fraction(tax.num, tax.den)));
    let place = match fee.paid_in() {
        PaidIn::Money => None,
        PaidIn::Given => Some(", on top of what is given".to_owned()),
        PaidIn::Gained => Some(", off what is gained".to_owned()),
    };
    let covers = fee.covers.as_ref();
    let covers = covers.map(|cover| format!(", paid {}", once_in(cover)));
    let rest = [least, most, place, tax, covers].into_iter().flatten();
    format!("{charge}{}", rest.collect::<String>())
}

/// An amount of what a fee is paid in: `SGD 25.00`, `500 STAR`.
pub(super) fn fee_sum(fee: &Fee, amount: i64, names: Names<'_>) -> String {
    match fee.paid_in() {
        PaidIn::Money => format!("{} {}", fee.currency, money(amount, names.fee_scale)),
        PaidIn::Given => format!(
            "{} {}",
            Printed::of(amount, names.scales.source),
            names.source
        ),
        PaidIn::Gained => format!(
            "{} {}",
            Printed::of(amount, names.scales.target),
            names.target
        ),
    }
}

/// How often a fee that covers a period is paid.
pub(super) fn once_in(cover: &Cover) -> String {
    let often = match cover.period {
        Period::Calendar(Calendar::Ever) => "only once".to_owned(),
        within => format!("once in {}", period(within)),
    };
    let group = cover.group.as_deref();
    let group = group.map_or_else(String::new, |group| format!(" for all of {group}"));
    format!("{often}{group}")
}

/// What happens to the part that does not divide, where there can be one.
pub(super) fn remainder(terms: &Terms, names: Names<'_>) -> Vec<String> {
    if !may_not_divide(terms, names.scales) {
        return Vec::new();
    }
    vec![match terms.remainder {
        Remainder::Absorb => "fractions are dropped".into(),
        Remainder::LeaveInSource => "what does not divide stays".into(),
    }]
}

/// Limits within a period, what has to stay, and what is not taken.
pub(super) fn held_to(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let allowances = terms.allowances.iter();
    let allowances = allowances.map(|limit| allowance(limit, names));
    let keep = terms
        .keep
        .map(|keep| format!("{keep} {} have to stay", names.source));
    let excludes = terms.excludes.iter();
    let excludes = excludes.map(|points| format!("{} are not taken", excluded(*points)));
    allowances.chain(keep).chain(excludes).collect()
}

/// A limit within a period.
pub(super) fn allowance(allowance: &Allowance, names: Names<'_>) -> String {
    let within = period(allowance.period);
    let most = match (allowance.most, allowance.period) {
        (Most::Times(1), Period::Calendar(Calendar::Ever)) => "only once".to_owned(),
        (Most::Times(1), _) => format!("once in {within}"),
        (Most::Times(times), _) => format!("{times} times in {within}"),
        (Most::Given(most), _) => format!("at most {most} {} in {within}", names.source),
        (Most::Gained(most), _) => format!("at most {most} {} in {within}", names.target),
    };
    let group = allowance.group.as_deref();
    let group = group.map_or_else(String::new, |group| {
        format!(", together with all of {group}")
    });
    let from = allowance.from;
    let from = from.map_or_else(String::new, |from| format!(", from {}", from.format("%F")));
    format!("{most}{group}{from}")
}

pub(super) fn excluded(excluded: Excluded) -> &'static str {
    match excluded {
        Excluded::Bonus => "bonuses",
        Excluded::Expiring => "points that expire",
    }
}

/// A period, such as `a calendar month`.
pub(super) fn period(period: Period) -> String {
    match period {
        Period::Calendar(Calendar::Day) => "a day".into(),
        Period::Calendar(Calendar::Month) => "a calendar month".into(),
        Period::Calendar(Calendar::Year) => "a calendar year".into(),
        Period::Calendar(Calendar::Ever) => "all time".into(),
        Period::Hours(hours) => format!("any {hours} hours"),
        Period::Months(months) => format!("any {months} months"),
    }
}

/// When what is gained arrives, and whether it may be converted again.
pub(super) fn afterwards(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let target = names.target;
    let delivery = terms.delivery;
    let delivery = delivery.map(|delivery| format!("it arrives {}", arrival(delivery)));
    let onward = terms.onward.map(|onward| match onward {
        Onward::Never => format!("this {target} cannot be converted again"),
        Onward::AfterDays(days) => {
            format!("this {target} can be converted again after {days} days")
        }
    });
    delivery.into_iter().chain(onward).collect()
}

pub(super) fn arrival(delivery: Delivery) -> String {
    match delivery {
        Delivery::AfterDays(1) => "the next day".into(),
        Delivery::AfterDays(days) => format!("after {days} days"),
        Delivery::DayOfMonth(day) => format!("on the next day {day} of a month"),
    }
}

/// For whom the card is, and by which channel.
pub(super) fn condition(when: &Condition, issuers: Issuers<'_>) -> Vec<String> {
    let claims = when.claims.as_ref().map(|Asked(claims)| {
        let claims = claims
            .iter()
            .map(|(name, values)| format!("{} {}", &**name, either(values)));
        let claims = claims.collect::<Vec<_>>().join(" and ");
        format!("for members with {claims} of {}", issuers.of(when.of))
    });
    let channel = when.channel.as_ref();
    let channel = channel.map(|channels| format!("via {}", either(channels)));
    claims.into_iter().chain(channel).collect()
}

fn either<T: Deref<Target = str>>(values: &[T]) -> String {
    let values: Vec<&str> = values.iter().map(|value| &**value).collect();
    values.join(" or ")
}

/// How early a change for the worse is told, where that is promised.
pub(super) fn notice(days: u16) -> Vec<String> {
    let of = match days {
        0 => return Vec::new(),
        1 => "1 day's".to_owned(),
        _ => format!("{days} days'"),
    };
    vec![format!("{of} notice is given of a change for the worse")]
}
