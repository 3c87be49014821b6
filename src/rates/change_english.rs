//! A change of a card in English.
//!
//! ```text
//! the smallest amount rises from 5,000 to 10,000 STAR
//! ```

use super::body::SettlementKind;
use super::bonus::On;
use super::change::{Change, Sponsored, Subject, Turn, Value};
use super::english;
use super::fee::PaidIn;
use super::funding::Funders;
use super::onward::Onward;
use super::printed::Printed;
use super::sentence::{Issuers, Names, fraction, money};
use super::settlement::FeeTo;
use super::terms::{Rate, Remainder};

pub(super) fn told(change: &Change, names: Names<'_>, issuers: Issuers<'_>) -> String {
    let (noun, unit) = (noun(change.subject, names), unit(change, names));
    let value = |value: &Value| value_of(value, names, issuers);
    match change.turn() {
        None => noun,
        Some(Turn::New(new)) => format!("{noun} is new: {}{unit}", value(new)),
        Some(Turn::Dropped(old)) => format!("{noun} is dropped; it was {}{unit}", value(old)),
        Some(Turn::Rises(old, new)) => {
            format!("{noun} rises from {} to {}{unit}", value(old), value(new))
        }
        Some(Turn::Falls(old, new)) => {
            format!("{noun} falls from {} to {}{unit}", value(old), value(new))
        }
        Some(Turn::Changes(old, new)) => {
            format!("{noun} changes from {} to {}{unit}", value(old), value(new))
        }
        Some(Turn::Rewritten(old, new)) => format!(
            "{noun} is written {}{unit} instead of {}{unit}, which is the same",
            value(new),
            value(old)
        ),
    }
}

fn noun(subject: Subject, names: Names<'_>) -> String {
    let (source, target) = (names.source, names.target);
    let counted = |on: On| match on {
        On::Given => source,
        On::Base => target,
    };
    match subject {
        Subject::Kind | Subject::Rate => "the rate".into(),
        Subject::Band { from, .. } => format!("the rate from {from} {source}"),
        Subject::Line { give, .. } => format!("what {give} {source} become"),
        Subject::Min => "the smallest amount".into(),
        Subject::Max => "the largest amount".into(),
        Subject::Step => "the step".into(),
        Subject::StepOrigin => "the amount that steps are counted from".into(),
        Subject::DestMin => "the least that is gained".into(),
        Subject::DestMax => "the most that is gained".into(),
        Subject::DestStep => "the step of what is gained".into(),
        Subject::BlockBonus => "the bonus for whole blocks".into(),
        Subject::Bonus { .. } => "a bonus".into(),
        Subject::BonusOrder => "the order of the bonuses".into(),
        Subject::Fee | Subject::FeeAmount => "the fee".into(),
        Subject::FeeShare(on) => format!("the fee for each {}", counted(on)),
        Subject::FeeStep(_) => "the step of the fee".into(),
        Subject::FeeMinimum => "the smallest fee".into(),
        Subject::FeeCap => "the largest fee".into(),
        Subject::FeeTax => "the tax on the fee".into(),
        Subject::FeeCurrency => "what the fee is paid in".into(),
        Subject::FeeCovers => "how often the fee is paid".into(),
        Subject::Remainder => "what does not divide".into(),
        Subject::Allowance { .. } => "a limit".into(),
        Subject::AllowanceOrder => "the order of the limits".into(),
        Subject::Keep => "what has to stay".into(),
        Subject::Excludes => "what is not taken".into(),
        Subject::Onward => format!("the wait before this {target} can be converted again"),
        Subject::Delivery => "its arrival".into(),
        Subject::Settlement => "the way it is settled".into(),
        Subject::Price => format!("the price of a {target}"),
        Subject::SourcePrice => format!("the price paid for a {source} that leaves"),
        Subject::TargetPrice => format!("the price asked for a {target} created"),
        Subject::Commission => "the hub's share".into(),
        Subject::Increment => "the increment of what is gained".into(),
        Subject::Funders => "who pays for the bonuses".into(),
        Subject::FeeTo => "who gets the fee".into(),
        Subject::Sponsor => "its sponsor".into(),
        Subject::Condition => "the condition".into(),
        Subject::Priority => "the priority".into(),
        Subject::Notice => "the notice of a change for the worse".into(),
        Subject::Begins => "its beginning".into(),
        Subject::Ends => "its end".into(),
    }
}

/// What is counted, said once behind the last number.
fn unit(change: &Change, names: Names<'_>) -> String {
    let last = change.after.as_ref().or(change.before.as_ref());
    let code = match change.subject {
        Subject::Min | Subject::Max | Subject::Step | Subject::StepOrigin | Subject::Keep => {
            names.source
        }
        Subject::Line { .. }
        | Subject::DestMin
        | Subject::DestMax
        | Subject::DestStep
        | Subject::Increment => names.target,
        Subject::FeeStep(On::Given) => names.source,
        Subject::FeeStep(On::Base) => names.target,
        Subject::Notice if last == Some(&Value::Amount(1.into())) => "day",
        Subject::Notice => "days",
        _ => return String::new(),
    };
    format!(" {code}")
}

fn value_of(value: &Value, names: Names<'_>, issuers: Issuers<'_>) -> String {
    match value {
        Value::Amount(amount) => amount.to_string(),
        Value::Rate(rate) => rate_of(rate),
        Value::Ratio { give, get } => format!("{give}:{get}"),
        Value::Block(block) => english::block(*block, names),
        Value::Bonuses(bonuses) => {
            let told = bonuses.iter().map(|bonus| english::campaign(bonus, names));
            told.collect::<Vec<_>>().join("; ")
        }
        Value::Fee(fee, scale) => {
            let names = Names {
                fee_scale: *scale,
                ..names
            };
            english::charge(fee, names)
        }
        Value::Money {
            amount,
            currency,
            scale,
        } => format!("{currency} {}", money(*amount, *scale)),
        Value::Points { amount, paid_in } => points(*amount, *paid_in, names),
        Value::Cover(cover) => english::once_in(cover),
        Value::Fraction { num, den } => fraction(*num, *den),
        Value::Code(code) => paid_in(code, names).to_owned(),
        Value::Remainder(Remainder::Absorb) => "dropped".into(),
        Value::Remainder(Remainder::LeaveInSource) => "staying".into(),
        Value::Allowances(limits) => {
            let told = limits.iter().map(|limit| english::allowance(limit, names));
            told.collect::<Vec<_>>().join("; ")
        }
        Value::Excluded(points) => {
            let told = points.iter().map(|points| english::excluded(*points));
            told.collect::<Vec<_>>().join(" and ")
        }
        Value::Onward(Onward::Never) => "for ever".into(),
        Value::Onward(Onward::AfterDays(1)) => "1 day".into(),
        Value::Onward(Onward::AfterDays(days)) => format!("{days} days"),
        Value::Delivery(delivery) => english::arrival(*delivery),
        Value::Settlement(SettlementKind::CostPlus) => "cost-plus".into(),
        Value::Settlement(SettlementKind::Priced) => "priced".into(),
        Value::Price(price) => price.decimal().to_string(),
        Value::Share(share) => share.decimal().to_string(),
        Value::Funders(funders) => {
            let told = funders.iter().map(|funders| paid_by(*funders, issuers));
            told.collect::<Vec<_>>().join("; ")
        }
        Value::FeeTo(FeeTo::Partner) => issuers.source.into(),
        Value::FeeTo(FeeTo::Hub) => "the hub".into(),
        Value::Sponsor(Sponsored {
            partner,
            share,
            budget,
            money,
        }) => format!(
            "{partner} (a share of {}, {money} {budget} in all)",
            share.decimal()
        ),
        Value::Condition(when) => english::condition(when, issuers).join(", "),
        Value::Number(number) => number.to_string(),
        Value::Instant(at) => at.told(),
    }
}

/// What a fee is paid in: the code of a money or of points.
pub(super) fn paid_in<'a>(code: &'a str, names: Names<'a>) -> &'a str {
    match code {
        "given" => names.source,
        "gained" => names.target,
        money => money,
    }
}

/// An amount of points of a fee.
pub(super) fn points(amount: i64, paid_in: PaidIn, names: Names<'_>) -> String {
    let Names {
        source,
        target,
        scales,
        ..
    } = names;
    match paid_in {
        PaidIn::Given => format!("{} {source}", Printed::of(amount, scales.source)),
        PaidIn::Gained | PaidIn::Money => {
            format!("{} {target}", Printed::of(amount, scales.target))
        }
    }
}

/// Who pays for a bonus.
fn paid_by(funders: Funders, issuers: Issuers<'_>) -> String {
    let Issuers { source, target } = issuers;
    match funders {
        Funders { target: 0, .. } => source.into(),
        Funders { source: 0, .. } => target.into(),
        Funders {
            source: one,
            target: other,
        } => format!("{source} and {target} at {one} to {other}"),
    }
}

fn rate_of(rate: &Rate) -> String {
    match rate {
        Rate::Ratio { give, get } => format!("{give}:{get}"),
        Rate::Slab(bands) => format!("{}, on the whole amount", english::rates(bands)),
        Rate::Marginal(bands) => {
            format!("{}, each part at its own rate", english::rates(bands))
        }
        Rate::Table(table) => {
            let lines = table
                .iter()
                .map(|line| format!("{} for {}", line.give, line.get));
            format!("only {}", lines.collect::<Vec<_>>().join(", "))
        }
        Rate::Priced => "the price of the day".into(),
        Rate::Unpriced => "one that is not fixed".into(),
    }
}
