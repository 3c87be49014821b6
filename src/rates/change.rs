//! What is different between two versions of a card.
//!
//! ```text
//! before, after ──diff──▶ [Change { subject, before, after, member }] ──▶ a clause in either language
//! ```
//!
//! A part that both have is compared as it is written; a list is compared by what its lines are
//! about: bands by where they begin, a table by what is given, limits by their period and what they
//! count, bonuses as a bag. Two cards that differ anywhere have a change, if only that the same is written differently.
//!
//! What is compared is what one reader may see of either version ([`Seen`]), so a change never tells
//! more than the versions themselves.

use std::cmp::Ordering;

use super::allowance::Allowance;
use super::block::BlockBonus;
use super::body::{SettlementBody, SettlementKind};
use super::bonus::{Bonus, On};
use super::boundary::Boundary;
use super::condition::Condition;
use super::effect::{self, Effect, grown};
use super::fee::{Cover, Fee, PaidIn, Tax};
use super::funding::Funders;
use super::onward::{Delivery, Onward};
use super::printed::Printed;
use super::settlement::FeeTo;
use super::terms::{Band, Denomination, Excluded, Limits, Rate, Remainder, Terms};
use crate::points::agreed::{Price, Share};
use crate::points::amount::{Scale, Scales};
use crate::points::money::Micros;

/// A version as one reader sees it.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    pub terms: &'a Terms,
    /// How many decimals the money of its fee has.
    pub fee_scale: Scale,
    /// The reader's side of what the brands pay.
    pub settlement: Option<SettlementBody>,
    /// For who sees that too.
    pub sponsor: Option<Sponsored>,
    pub when: Option<&'a Condition>,
    pub priority: i32,
    pub notice_days: u16,
    pub valid_from: Option<Boundary>,
    /// When its parties wanted it to end, not when a successor ended it.
    pub valid_to: Option<Boundary>,
}

/// Who pays a share of what it costs the source, by code, and how much in all of which money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sponsored {
    pub partner: String,
    pub share: Share,
    pub budget: Micros,
    pub money: String,
}

/// A fee, and how many decimals its money has.
type Charged<'a> = (&'a Fee, Scale);

impl Seen<'_> {
    fn charged(&self) -> Option<Charged<'_>> {
        let fee = self.terms.fee.as_ref();
        fee.map(|fee| (fee, self.fee_scale))
    }
}

/// One thing that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// What it does to a member.
    pub member: Effect,
}

/// What is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// How the rate is made.
    Kind,
    Rate,
    Band {
        at: usize,
        from: Printed,
    },
    Line {
        at: usize,
        give: Printed,
    },
    Min,
    Max,
    Step,
    StepOrigin,
    DestMin,
    DestMax,
    DestStep,
    BlockBonus,
    Bonus {
        at: usize,
    },
    BonusOrder,
    Fee,
    FeeAmount,
    FeeShare(On),
    FeeStep(On),
    FeeMinimum,
    FeeCap,
    FeeTax,
    FeeCurrency,
    FeeCovers,
    Remainder,
    Allowance {
        at: usize,
    },
    AllowanceOrder,
    Keep,
    Excludes,
    Onward,
    Delivery,
    Settlement,
    Price,
    SourcePrice,
    TargetPrice,
    Commission,
    Increment,
    Funders,
    FeeTo,
    Sponsor,
    Condition,
    Priority,
    Notice,
    Begins,
    Ends,
}

/// What it was or is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Amount(Printed),
    Rate(Rate),
    Ratio {
        give: i64,
        get: i64,
    },
    Block(BlockBonus),
    Bonuses(Vec<Bonus>),
    Fee(Fee, Scale),
    Money {
        amount: i64,
        currency: String,
        scale: Scale,
    },
    /// An amount of what a fee is paid in, as points.
    Points {
        amount: i64,
        paid_in: PaidIn,
    },
    Fraction {
        num: i64,
        den: i64,
    },
    Code(String),
    Cover(Cover),
    Remainder(Remainder),
    Allowances(Vec<Allowance>),
    Excluded(Vec<Excluded>),
    Onward(Onward),
    Delivery(Delivery),
    Settlement(SettlementKind),
    Price(Price),
    Share(Share),
    Funders(Vec<Funders>),
    FeeTo(FeeTo),
    Sponsor(Sponsored),
    Condition(Condition),
    Number(i32),
    Instant(Boundary),
}

/// How it went from the one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<'a> {
    New(&'a Value),
    Dropped(&'a Value),
    Rises(&'a Value, &'a Value),
    Falls(&'a Value, &'a Value),
    Changes(&'a Value, &'a Value),
    /// Another way to write the same.
    Rewritten(&'a Value, &'a Value),
}

impl Change {
    /// Where a program finds it in a rate card.
    pub fn field(&self) -> String {
        match self.subject {
            Subject::Kind => "terms.kind".into(),
            Subject::Rate => "terms.rate".into(),
            Subject::Band { at, .. } => format!("terms.bands[{at}]"),
            Subject::Line { at, .. } => format!("terms.table[{at}]"),
            Subject::Min => "terms.min".into(),
            Subject::Max => "terms.max".into(),
            Subject::Step => "terms.step".into(),
            Subject::StepOrigin => "terms.step_origin".into(),
            Subject::DestMin => "terms.dest_min".into(),
            Subject::DestMax => "terms.dest_max".into(),
            Subject::DestStep => "terms.dest_step".into(),
            Subject::BlockBonus => "terms.block_bonus".into(),
            Subject::Bonus { at } => format!("terms.bonuses[{at}]"),
            Subject::BonusOrder => "terms.bonuses".into(),
            Subject::Fee => "terms.fee".into(),
            Subject::FeeAmount => "terms.fee.amount".into(),
            Subject::FeeShare(_) => "terms.fee.num".into(),
            Subject::FeeStep(_) => "terms.fee.step".into(),
            Subject::FeeMinimum => "terms.fee.minimum".into(),
            Subject::FeeCap => "terms.fee.cap".into(),
            Subject::FeeTax => "terms.fee.tax".into(),
            Subject::FeeCurrency => "terms.fee.currency".into(),
            Subject::FeeCovers => "terms.fee.covers".into(),
            Subject::Remainder => "terms.remainder".into(),
            Subject::Allowance { at } => format!("terms.allowances[{at}]"),
            Subject::AllowanceOrder => "terms.allowances".into(),
            Subject::Keep => "terms.keep".into(),
            Subject::Excludes => "terms.excludes".into(),
            Subject::Onward => "terms.onward".into(),
            Subject::Delivery => "terms.delivery".into(),
            Subject::Settlement => "settlement.kind".into(),
            Subject::Price => "settlement.price".into(),
            Subject::SourcePrice => "settlement.source_price".into(),
            Subject::TargetPrice => "settlement.target_price".into(),
            Subject::Commission => "settlement.commission".into(),
            Subject::Increment => "settlement.increment".into(),
            Subject::Funders => "settlement.bonus_funders".into(),
            Subject::FeeTo => "settlement.fee_to".into(),
            Subject::Sponsor => "settlement.sponsor".into(),
            Subject::Condition => "when".into(),
            Subject::Priority => "priority".into(),
            Subject::Notice => "notice_days".into(),
            Subject::Begins => "valid_from".into(),
            Subject::Ends => "valid_to".into(),
        }
    }

    /// How it went; none where there is nothing on either side.
    pub fn turn(&self) -> Option<Turn<'_>> {
        Some(match (&self.before, &self.after) {
            (None, None) => return None,
            (None, Some(new)) => Turn::New(new),
            (Some(old), None) => Turn::Dropped(old),
            (Some(old), Some(new)) => match old.grown(new) {
                Some(Ordering::Greater) => Turn::Rises(old, new),
                Some(Ordering::Less) => Turn::Falls(old, new),
                Some(Ordering::Equal) => Turn::Rewritten(old, new),
                None => Turn::Changes(old, new),
            },
        })
    }
}

impl Value {
    /// How the new value compares with this one, where it is a matter of more or less.
    fn grown(&self, new: &Value) -> Option<Ordering> {
        match (self, new) {
            (Value::Amount(old), Value::Amount(new)) => Some(new.cmp(old)),
            (Value::Price(old), Value::Price(new)) => Some(new.decimal().cmp(&old.decimal())),
            (Value::Share(old), Value::Share(new)) => Some(new.decimal().cmp(&old.decimal())),
            (Value::Fraction { num, den }, Value::Fraction { num: n, den: d }) => {
                Some(grown((*num, *den), (*n, *d)))
            }
            (
                Value::Money {
                    amount, currency, ..
                },
                Value::Money {
                    amount: new,
                    currency: of,
                    ..
                },
            ) if currency == of => Some(new.cmp(amount)),
            (
                Value::Points { amount, paid_in },
                Value::Points {
                    amount: new,
                    paid_in: of,
                },
            ) if paid_in == of => Some(new.cmp(amount)),
            (Value::Allowances(old), Value::Allowances(new)) => match (&old[..], &new[..]) {
                ([old], [new]) => old.grown(new),
                _ => None,
            },
            (Value::Number(old), Value::Number(new)) => Some(new.cmp(old)),
            (Value::Onward(Onward::AfterDays(old)), Value::Onward(Onward::AfterDays(new))) => {
                Some(new.cmp(old))
            }
            // The same in another order, or in other parts of a whole.
            (Value::Excluded(old), Value::Excluded(new)) => {
                let is_same = effect::of_excluded(old, new) == Effect::Same;
                is_same.then_some(Ordering::Equal)
            }
            (Value::Condition(old), Value::Condition(new)) => {
                old.is_met_as(new).then_some(Ordering::Equal)
            }
            (Value::Funders(old), Value::Funders(new)) => {
                let mut pairs = old.iter().zip(new);
                let is_same = old.len() == new.len() && pairs.all(|(old, new)| old.pays_as(*new));
                is_same.then_some(Ordering::Equal)
            }
            // Two numbers neither of which is the larger one in a reader's eyes.
            (Value::Ratio { give, get }, Value::Ratio { give: g, get: n }) => {
                Some(grown((*get, *give), (*n, *g))).filter(|grown| grown.is_eq())
            }
            _ => None,
        }
    }
}

/// Everything that is different, in the order a card is read.
pub fn diff(before: &Seen<'_>, after: &Seen<'_>, scales: Scales) -> Vec<Change> {
    let Seen {
        terms: _,
        fee_scale: _,
        settlement: _,
        sponsor,
        when,
        priority,
        notice_days,
        valid_from,
        valid_to,
    } = after;
    let days = |days: u16| (days > 0).then_some(Printed::from(u32::from(days)));
    let notice = Effect::more(notice_days.cmp(&before.notice_days));
    let at = |boundary: &Option<Boundary>| boundary.as_ref().map(|boundary| boundary.at);
    // Another clock that shows the same instant is no other date.
    let date = |subject, from: &Option<Boundary>, to: &Option<Boundary>, member| {
        let sides = if at(from) == at(to) {
            (&None, &None)
        } else {
            (from, to)
        };
        change(subject, sides.0.as_ref(), sides.1.as_ref(), member, |at| {
            Value::Instant(at.clone())
        })
    };
    let end = |boundary| (at(boundary).is_none(), at(boundary));
    let ends = Effect::more(end(valid_to).cmp(&end(&before.valid_to)));
    [
        terms(before, after, scales),
        settlement(before, after, scales),
        change(
            Subject::Sponsor,
            before.sponsor.as_ref(),
            sponsor.as_ref(),
            of_sponsor(before.sponsor.as_ref(), sponsor.as_ref()),
            |sponsored| Value::Sponsor(sponsored.clone()),
        ),
        change(
            Subject::Condition,
            before.when,
            *when,
            effect::of_condition(before.when, *when),
            |when| Value::Condition(when.clone()),
        ),
        change(
            Subject::Priority,
            Some(&before.priority),
            Some(priority),
            Effect::Unclear,
            |priority| Value::Number(*priority),
        ),
        amount(
            Subject::Notice,
            days(before.notice_days),
            days(*notice_days),
            notice,
        ),
        date(
            Subject::Begins,
            &before.valid_from,
            valid_from,
            Effect::Same,
        ),
        date(Subject::Ends, &before.valid_to, valid_to, ends),
    ]
    .concat()
}

/// One change, or none where nothing is different.
fn change<T: PartialEq>(
    subject: Subject,
    before: Option<&T>,
    after: Option<&T>,
    member: Effect,
    value: impl Fn(&T) -> Value,
) -> Vec<Change> {
    if before == after {
        return Vec::new();
    }
    vec![Change {
        subject,
        before: before.map(&value),
        after: after.map(&value),
        member,
    }]
}

fn terms(was: &Seen<'_>, is: &Seen<'_>, scales: Scales) -> Vec<Change> {
    let (before, after) = (was.terms, is.terms);
    let Terms {
        rate: _,
        source: _,
        destination: _,
        block_bonus,
        bonuses: campaigns,
        fee: _,
        remainder,
        allowances: limits,
        keep,
        excludes,
        onward,
        delivery,
    } = after;
    let block = effect::gaining(effect::of_block(before.block_bonus, *block_bonus), after);
    let (old, new) = (before.block_bonus.as_ref(), block_bonus.as_ref());
    [
        rate(before, after, scales),
        given(before, after),
        gained(before, after),
        change(Subject::BlockBonus, old, new, block, |b| Value::Block(*b)),
        bonuses(&before.bonuses, campaigns, |old, new| {
            effect::gaining(effect::of_bonus(old, new), after)
        }),
        fees(was.charged(), is.charged(), after),
        change(
            Subject::Remainder,
            Some(&before.remainder),
            Some(remainder),
            Effect::Unclear,
            |remainder| Value::Remainder(*remainder),
        ),
        allowances(&before.allowances, limits),
        amount(
            Subject::Keep,
            before.keep,
            *keep,
            effect::of_least(before.keep, *keep),
        ),
        excluded(&before.excludes, excludes),
        change(
            Subject::Delivery,
            before.delivery.as_ref(),
            delivery.as_ref(),
            effect::of_delivery(before.delivery, *delivery),
            |delivery| Value::Delivery(*delivery),
        ),
        change(
            Subject::Onward,
            before.onward.as_ref(),
            onward.as_ref(),
            effect::of_onward(before.onward, *onward),
            |onward| Value::Onward(*onward),
        ),
    ]
    .concat()
}

fn rate(before: &Terms, after: &Terms, scales: Scales) -> Vec<Change> {
    match (&before.rate, &after.rate) {
        (Rate::Slab(old), Rate::Slab(new)) | (Rate::Marginal(old), Rate::Marginal(new)) => {
            bands(old, new, |from| {
                effect::of_rate_from(before, after, from, scales)
            })
        }
        (Rate::Table(old), Rate::Table(new)) => lines(old, new, |old, new| {
            effect::of_line(old, new, (before, after), scales)
        }),
        (Rate::Ratio { give, get }, Rate::Ratio { give: g, get: n }) => {
            let member = effect::of_rate(before, after, scales);
            change(
                Subject::Rate,
                Some(&(*give, *get)),
                Some(&(*g, *n)),
                member,
                |(give, get)| Value::Ratio {
                    give: *give,
                    get: *get,
                },
            )
        }
        (old, new) => {
            let member = effect::of_rate(before, after, scales);
            change(Subject::Kind, Some(old), Some(new), member, |rate| {
                Value::Rate(rate.clone())
            })
        }
    }
}

fn bands(old: &[Band], new: &[Band], member: impl Fn(Printed) -> Effect) -> Vec<Change> {
    let changes = by_key(old, new, |band| band.from).into_iter();
    let changes = changes.map(|(at, from, before, after)| {
        let ratio = |band: &Band| Value::Ratio {
            give: band.give,
            get: band.get,
        };
        let subject = Subject::Band { at, from };
        change(subject, before, after, member(from), ratio)
    });
    changes.flatten().collect()
}

fn lines(
    old: &[Denomination],
    new: &[Denomination],
    member: impl Fn(Option<Printed>, Option<Printed>) -> Effect,
) -> Vec<Change> {
    let changes = by_key(old, new, |line| line.give).into_iter();
    let changes = changes.map(|(at, give, before, after)| {
        let subject = Subject::Line { at, give };
        let get = |line: Option<&Denomination>| line.map(|line| line.get);
        let member = member(get(before), get(after));
        change(subject, before, after, member, |line| {
            Value::Amount(line.get)
        })
    });
    changes.flatten().collect()
}

/// A line of either list with its counterpart in the other: its place, its key, before and after.
type Paired<'a, T> = (usize, Printed, Option<&'a T>, Option<&'a T>);

/// The lines of two ascending lists, put together by their keys.
fn by_key<'a, T>(old: &'a [T], new: &'a [T], key: impl Fn(&T) -> Printed) -> Vec<Paired<'a, T>> {
    let mut keys: Vec<Printed> = old.iter().chain(new).map(&key).collect();
    keys.sort_unstable();
    keys.dedup();
    let place = |list: &[T], wanted: Printed| list.iter().position(|line| key(line) == wanted);
    let paired = keys.into_iter().map(|wanted| {
        let (before, after) = (place(old, wanted), place(new, wanted));
        let at = after.or(before).unwrap_or_default();
        (
            at,
            wanted,
            before.map(|at| &old[at]),
            after.map(|at| &new[at]),
        )
    });
    paired.collect()
}

fn given(before: &Terms, after: &Terms) -> Vec<Change> {
    let (old, new) = (&before.source, &after.source);
    let allowed = |verdict| effect::allowed(verdict, before, after);
    let steps = allowed(effect::of_steps(old, new));
    let Limits {
        min,
        max,
        step,
        step_origin,
    } = new;
    [
        amount(
            Subject::Min,
            old.min,
            *min,
            allowed(effect::of_least(old.min, *min)),
        ),
        amount(
            Subject::Max,
            old.max,
            *max,
            allowed(effect::of_most(old.max, *max)),
        ),
        amount(Subject::Step, old.step, *step, steps),
        amount(Subject::StepOrigin, old.step_origin, *step_origin, steps),
    ]
    .concat()
}

fn gained(before: &Terms, after: &Terms) -> Vec<Change> {
    let (old, new) = (&before.destination, &after.destination);
    let allowed = |verdict| effect::allowed(verdict, before, after);
    let Limits {
        min,
        max,
        step,
        step_origin: _,
    } = new;
    [
        amount(
            Subject::DestMin,
            old.min,
            *min,
            allowed(effect::of_least(old.min, *min)),
        ),
        amount(
            Subject::DestMax,
            old.max,
            *max,
            allowed(effect::of_most(old.max, *max)),
        ),
        amount(
            Subject::DestStep,
            old.step,
            *step,
            allowed(effect::of_steps(old, new)),
        ),
    ]
    .concat()
}

fn amount(
    subject: Subject,
    before: Option<Printed>,
    after: Option<Printed>,
    member: Effect,
) -> Vec<Change> {
    change(subject, before.as_ref(), after.as_ref(), member, |amount| {
        Value::Amount(*amount)
    })
}

/// Bonuses add up in any order, so the ones both cards have are no change wherever they stand.
fn bonuses(
    before: &[Bonus],
    after: &[Bonus],
    member: impl Fn(Option<&Bonus>, Option<&Bonus>) -> Effect,
) -> Vec<Change> {
    let (old, new) = of_one_only(before, after);
    if old.is_empty() && new.is_empty() {
        return change(
            Subject::BonusOrder,
            Some(&before),
            Some(&after),
            Effect::Same,
            |bonuses| Value::Bonuses(bonuses.to_vec()),
        );
    }
    let count = old.len().max(new.len());
    let changes = (0..count).flat_map(|nth| {
        let (old, new) = (old.get(nth).copied(), new.get(nth));
        let at = new.map_or(after.len() + nth, |(at, _)| *at);
        let new = new.map(|(_, bonus)| *bonus);
        let member = member(old, new);
        change(Subject::Bonus { at }, old, new, member, |bonus| {
            Value::Bonuses(vec![bonus.clone()])
        })
    });
    changes.collect()
}

/// What two lists do not share, however often; of the second with its places.
fn of_one_only<'a, T: PartialEq>(
    before: &'a [T],
    after: &'a [T],
) -> (Vec<&'a T>, Vec<(usize, &'a T)>) {
    let mut old: Vec<&T> = before.iter().collect();
    let mut new: Vec<(usize, &T)> = after.iter().enumerate().collect();
    new.retain(|(_, it)| match old.iter().position(|other| other == it) {
        Some(at) => {
            old.remove(at);
            false
        }
        None => true,
    });
    (old, new)
}

/// Limits hold in any order. Two of the same period that count the same are one that rose or fell.
fn allowances(before: &[Allowance], after: &[Allowance]) -> Vec<Change> {
    let list = |limits: &[Allowance]| Value::Allowances(limits.to_vec());
    let (mut old, new) = of_one_only(before, after);
    if old.is_empty() && new.is_empty() {
        let (subject, old, new) = (Subject::AllowanceOrder, Some(&before), Some(&after));
        return change(subject, old, new, Effect::Same, |limits| list(limits));
    }
    let mut changes = Vec::new();
    for (at, limit) in new {
        let same = old.iter().position(|other| other.grown(limit).is_some());
        let before = same.map(|same| old.remove(same));
        changes.push((at, before, Some(limit)));
    }
    let dropped = old.iter().enumerate();
    changes.extend(dropped.map(|(nth, limit)| (after.len() + nth, Some(*limit), None)));
    let changes = changes.into_iter().flat_map(|(at, old, new)| {
        let member = effect::of_allowance(old, new);
        change(Subject::Allowance { at }, old, new, member, |limit| {
            list(std::slice::from_ref(limit))
        })
    });
    changes.collect()
}

fn excluded(before: &[Excluded], after: &[Excluded]) -> Vec<Change> {
    let said = |points: &[Excluded]| (!points.is_empty()).then(|| points.to_vec());
    let member = effect::of_excluded(before, after);
    let (before, after) = (said(before), said(after));
    let (subject, old, new) = (Subject::Excludes, before.as_ref(), after.as_ref());
    change(subject, old, new, member, |points| {
        Value::Excluded(points.clone())
    })
}

fn fees(before: Option<Charged<'_>>, after: Option<Charged<'_>>, terms: &Terms) -> Vec<Change> {
    let is_off = |(fee, _): Charged<'_>| fee.paid_in() == PaidIn::Gained;
    // A smaller fee in what is gained leaves more of it.
    let changes =
        |changes: Vec<Change>| match before.is_some_and(is_off) || after.is_some_and(is_off) {
            false => changes,
            true => changes
                .into_iter()
                .map(|change| Change {
                    member: effect::gaining(change.member, terms),
                    ..change
                })
                .collect(),
        };
    changes(of_fees(before, after))
}

fn of_fees(before: Option<Charged<'_>>, after: Option<Charged<'_>>) -> Vec<Change> {
    let whole = |member| {
        let (before, after) = (before.as_ref(), after.as_ref());
        change(Subject::Fee, before, after, member, |(fee, scale)| {
            Value::Fee((*fee).clone(), *scale)
        })
    };
    let (old, new) = match (before, after) {
        (Some(old), Some(new)) => (old, new),
        (old, new) => return whole(Effect::less(new.is_some().cmp(&old.is_some()))),
    };
    if (old.0.kind, old.0.on()) != (new.0.kind, new.0.on()) {
        return whole(Effect::Unclear);
    }
    let parts = fee_parts(old, new);
    match parts.is_empty() {
        true => whole(Effect::Same),
        false => parts,
    }
}

fn fee_parts(was: Charged<'_>, is: Charged<'_>) -> Vec<Change> {
    let (old, new) = (was.0, is.0);
    let Fee {
        kind: _,
        amount: sum,
        num: _,
        den: _,
        step,
        on: _,
        minimum,
        cap,
        tax: _,
        currency,
        covers,
    } = new;
    let or_none = |sum: &Option<i64>| sum.unwrap_or(0);
    let or_all = |cap: &Option<i64>| (cap.is_none(), *cap);
    let charge = Effect::less(sum.cmp(&old.amount));
    let steps = Effect::more(step.cmp(&old.step));
    let least = Effect::less(or_none(minimum).cmp(&or_none(&old.minimum)));
    let most = Effect::less(or_all(cap).cmp(&or_all(&old.cap)));
    [
        money(Subject::FeeAmount, was, is, |fee| fee.amount, charge),
        fee_share(old, new),
        amount(Subject::FeeStep(new.on()), old.step, *step, steps),
        money(Subject::FeeMinimum, was, is, |fee| fee.minimum, least),
        money(Subject::FeeCap, was, is, |fee| fee.cap, most),
        fee_tax(old, new),
        change(
            Subject::FeeCurrency,
            Some(&old.currency),
            Some(currency),
            Effect::Unclear,
            |code| Value::Code(code.clone()),
        ),
        change(
            Subject::FeeCovers,
            old.covers.as_ref(),
            covers.as_ref(),
            effect::of_cover(old.covers.as_ref(), covers.as_ref()),
            |cover| Value::Cover(cover.clone()),
        ),
    ]
    .concat()
}

/// A sum of a fee. Two moneys are not compared; that they differ is a change of its own.
fn money(
    subject: Subject,
    old: Charged<'_>,
    new: Charged<'_>,
    pick: fn(&Fee) -> Option<i64>,
    member: Effect,
) -> Vec<Change> {
    if pick(old.0) == pick(new.0) {
        return Vec::new();
    }
    let value = |(fee, scale): Charged<'_>| {
        pick(fee).map(|amount| match fee.paid_in() {
            PaidIn::Money => Value::Money {
                amount,
                currency: fee.currency.clone(),
                scale,
            },
            paid_in => Value::Points { amount, paid_in },
        })
    };
    let member = in_one_money(old.0, new.0, member);
    let (before, after) = (value(old), value(new));
    change(
        subject,
        before.as_ref(),
        after.as_ref(),
        member,
        Value::clone,
    )
}

fn fee_share(old: &Fee, new: &Fee) -> Vec<Change> {
    let (old_share, new_share) = (old.num.zip(old.den), new.num.zip(new.den));
    let grown = old_share.zip(new_share).map(|(old, new)| grown(old, new));
    let member = in_one_money(old, new, grown.map_or(Effect::Unclear, Effect::less));
    change(
        Subject::FeeShare(new.on()),
        old_share.as_ref(),
        new_share.as_ref(),
        member,
        |(num, den)| Value::Fraction {
            num: *num,
            den: *den,
        },
    )
}

fn fee_tax(old: &Fee, new: &Fee) -> Vec<Change> {
    let share = |tax: Option<Tax>| tax.map_or((0, 1), |tax| (tax.num, tax.den));
    let member = Effect::less(grown(share(old.tax), share(new.tax)));
    let (old, new) = (old.tax.as_ref(), new.tax.as_ref());
    change(Subject::FeeTax, old, new, member, |tax| Value::Fraction {
        num: tax.num,
        den: tax.den,
    })
}

fn in_one_money(old: &Fee, new: &Fee, member: Effect) -> Effect {
    match old.currency == new.currency {
        true => member,
        false => Effect::Unclear,
    }
}

/// What the brands pay is nothing to a member, unless it is what decides the rate.
fn settlement(before: &Seen<'_>, after: &Seen<'_>, scales: Scales) -> Vec<Change> {
    let (old, new) = (before.settlement.as_ref(), after.settlement.as_ref());
    let is_priced = |seen: &Seen<'_>| seen.terms.rate == Rate::Priced;
    let member = |verdict| match (is_priced(before), is_priced(after)) {
        (true, true) => effect::guarded(verdict, before.terms, after.terms, scales),
        (false, false) => Effect::Same,
        // The rate is another, which is a change of its own.
        (true, false) | (false, true) => Effect::Unclear,
    };
    let price =
        |subject, pick: fn(&SettlementBody) -> Option<Price>, better: fn(Ordering) -> Effect| {
            let (old, new) = (old.and_then(pick), new.and_then(pick));
            let grown = new.map(Price::decimal).cmp(&old.map(Price::decimal));
            let member = member(better(grown));
            change(subject, old.as_ref(), new.as_ref(), member, |price| {
                Value::Price(*price)
            })
        };
    let kinds = [old, new].map(|side| side.map(|side| side.kind));
    let [was, is] = [old, new].map(|side| side.and_then(|side| side.commission));
    let share = Effect::less(is.map(Share::decimal).cmp(&was.map(Share::decimal)));
    let [from, to] = [old, new].map(|side| Limits {
        step: side.and_then(|side| side.increment),
        ..Limits::default()
    });
    [
        change(
            Subject::Settlement,
            kinds[0].as_ref(),
            kinds[1].as_ref(),
            member(Effect::Unclear),
            |kind| Value::Settlement(*kind),
        ),
        price(Subject::Price, |side| side.price, Effect::less),
        price(Subject::SourcePrice, |side| side.source_price, Effect::more),
        price(Subject::TargetPrice, |side| side.target_price, Effect::less),
        change(
            Subject::Commission,
            was.as_ref(),
            is.as_ref(),
            member(share),
            |share| Value::Share(*share),
        ),
        amount(
            Subject::Increment,
            from.step,
            to.step,
            member(effect::of_steps(&from, &to)),
        ),
        change(
            Subject::Funders,
            funders(old),
            funders(new),
            Effect::Same,
            |funders| Value::Funders(funders.clone()),
        ),
        change(
            Subject::FeeTo,
            old.map(|side| &side.fee_to),
            new.map(|side| &side.fee_to),
            Effect::Same,
            |fee_to| Value::FeeTo(*fee_to),
        ),
    ]
    .concat()
}

/// Who pays is nothing to a member, but that there is only so much of it.
fn of_sponsor(before: Option<&Sponsored>, after: Option<&Sponsored>) -> Effect {
    match (before, after) {
        (None, None) => Effect::Same,
        (None, Some(_)) => Effect::Worse,
        (Some(_), None) => Effect::Better,
        (Some(old), Some(new)) if (old.share, &old.money) == (new.share, &new.money) => {
            Effect::more(new.budget.cmp(&old.budget))
        }
        (Some(_), Some(_)) => Effect::Unclear,
    }
}

fn funders(side: Option<&SettlementBody>) -> Option<&Vec<Funders>> {
    let funders = side.map(|side| &side.bonus_funders);
    funders.filter(|funders| !funders.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::card::Card;
    use super::super::sentence::{Issuers, Names};
    use super::super::{change_chinese, change_english};
    use super::*;
    use crate::clock;
    use crate::rates::allowance::Mark;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn card(terms: &Json, settlement: &Json) -> Card {
        let card = json!({"terms": terms, "settlement": settlement});
        serde_json::from_value(card).unwrap()
    }

    fn at_cost(terms: Json) -> Card {
        card(
            &terms,
            &json!({"kind": "cost_plus", "price": "0.014", "commission": "0.025"}),
        )
    }

    fn seen(card: &Card) -> Seen<'_> {
        Seen {
            terms: &card.terms,
            fee_scale: Scale::WHOLE,
            settlement: SettlementBody::seen(&card.settlement, true, true),
            sponsor: None,
            when: card.when.as_ref(),
            priority: card.priority,
            notice_days: card.notice_days,
            valid_from: None,
            valid_to: None,
        }
    }

    fn between(before: &Card, after: &Card) -> Vec<Change> {
        diff(&seen(before), &seen(after), Scales::WHOLE)
    }

    /// Field, effect and the words in both languages.
    fn told(before: &Card, after: &Card) -> Vec<(String, Effect, String, String)> {
        in_words(&between(before, after))
    }

    fn in_words(changes: &[Change]) -> Vec<(String, Effect, String, String)> {
        let names = Names {
            source: "STAR",
            target: "MILE",
            scales: Scales::WHOLE,
            fee_scale: Scale::WHOLE,
        };
        let issuers = Issuers {
            source: "CITYMART",
            target: "AERO",
        };
        let told = changes.iter().map(|change| {
            (
                change.field(),
                change.member,
                change_english::told(change, names, issuers),
                change_chinese::told(change, names, issuers),
            )
        });
        told.collect()
    }

    fn ratio(more: Json) -> Json {
        let mut terms = json!({"kind": "ratio", "give": 5, "get": 1});
        let more = more.as_object().unwrap().clone();
        terms.as_object_mut().unwrap().extend(more);
        terms
    }

    #[test]
    fn every_part_of_the_terms_is_told_in_two_languages() {
        use Effect::{Better, Same, Unclear, Worse};
        let slab = |cut: u32| json!({"kind": "slab", "bands": [{"from": 0, "give": 5, "get": 1}, {"from": cut, "give": 4, "get": 1}]});
        let table = |lines: Json| json!({"kind": "table", "table": lines});
        let percent = |num: u32| json!({"bonuses": [{"kind": "percent", "num": num, "den": 100}]});
        let fee = |more: Json| {
            let mut fee = json!({"kind": "flat", "amount": 100, "currency": "HKD"});
            fee.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            ratio(json!({"fee": fee}))
        };
        let step_fee = |step: u32| {
            ratio(
                json!({"fee": {"kind": "per_step", "amount": 100, "step": step, "currency": "HKD"}}),
            )
        };
        let unit_fee = |num: u32| {
            ratio(
                json!({"fee": {"kind": "per_unit", "num": num, "den": 50, "on": "base", "currency": "USD"}}),
            )
        };
        let none = || ratio(json!({}));
        #[rustfmt::skip]
        let cases = [
            (ratio(json!({"min": 5000})), ratio(json!({"min": 10000})), "terms.min", Worse,
                "the smallest amount rises from 5,000 to 10,000 STAR", "最低數量由 5,000 升至 10,000 STAR"),
            (none(), ratio(json!({"min": 5000})), "terms.min", Worse,
                "the smallest amount is new: 5,000 STAR", "新增最低數量：5,000 STAR"),
            (ratio(json!({"max": 5000})), none(), "terms.max", Better,
                "the largest amount is dropped; it was 5,000 STAR", "取消最高數量，原為 5,000 STAR"),
            (ratio(json!({"step": 500})), ratio(json!({"step": 250})), "terms.step", Better,
                "the step falls from 500 to 250 STAR", "兌換單位由 500 降至 250 STAR"),
            (ratio(json!({"step": 500})), ratio(json!({"step": 300})), "terms.step", Unclear,
                "the step falls from 500 to 300 STAR", "兌換單位由 500 降至 300 STAR"),
            (ratio(json!({"step": 500})), ratio(json!({"step": 500, "step_origin": 1000})), "terms.step_origin", Same,
                "the amount that steps are counted from is new: 1,000 STAR", "新增單位的起點：1,000 STAR"),
            (ratio(json!({"dest_min": 10})), ratio(json!({"dest_min": 5})), "terms.dest_min", Better,
                "the least that is gained falls from 10 to 5 MILE", "最低所得由 10 降至 5 MILE"),
            (ratio(json!({"dest_max": 10})), ratio(json!({"dest_max": 5})), "terms.dest_max", Worse,
                "the most that is gained falls from 10 to 5 MILE", "最高所得由 10 降至 5 MILE"),
            (none(), ratio(json!({"dest_step": 5})), "terms.dest_step", Worse,
                "the step of what is gained is new: 5 MILE", "新增所得的單位：5 MILE"),
            (none(), json!({"kind": "ratio", "give": 4, "get": 1}), "terms.rate", Better,
                "the rate changes from 5:1 to 4:1", "兌換率由 5:1 改為 4:1"),
            (none(), json!({"kind": "ratio", "give": 10, "get": 2}), "terms.rate", Same,
                "the rate is written 10:2 instead of 5:1, which is the same", "兌換率改寫為 10:2，原寫作 5:1，兩者相同"),
            (none(), slab(10000), "terms.kind", Better,
                "the rate changes from 5:1 to 5 to 1 from 0 and 4 to 1 from 10,000, on the whole amount",
                "兌換率由 5:1 改為「0 起按 5 比 1、10,000 起按 4 比 1 全數計算」"),
            (none(), json!({"kind": "priced"}), "terms.kind", Unclear,
                "the rate changes from 5:1 to the price of the day", "兌換率由 5:1 改為「當日價格」"),
            (slab(10000), json!({"kind": "slab", "bands": [{"from": 0, "give": 5, "get": 1}]}), "terms.bands[1]", Worse,
                "the rate from 10,000 STAR is dropped; it was 4:1", "取消10,000 STAR 起的兌換率，原為 4:1"),
            (table(json!([{"give": 100, "get": 50}])), table(json!([{"give": 100, "get": 50}, {"give": 500, "get": 260}])),
                "terms.table[1]", Better,
                "what 500 STAR become is new: 260 MILE", "新增500 STAR 可換的數量：260 MILE"),
            (table(json!([{"give": 100, "get": 50}])), table(json!([{"give": 100, "get": 40}])), "terms.table[0]", Worse,
                "what 100 STAR become falls from 50 to 40 MILE", "100 STAR 可換的數量由 50 降至 40 MILE"),
            (none(), ratio(json!({"block_bonus": {"block": 60000, "bonus": 5000, "mode": "per_block"}})), "terms.block_bonus", Better,
                "the bonus for whole blocks is new: 5,000 MILE more for every 60,000 STAR",
                "新增滿額獎賞：每 60,000 STAR 加 5,000 MILE"),
            (ratio(percent(20)), ratio(percent(10)), "terms.bonuses[0]", Worse,
                "a bonus changes from 20% more to 10% more", "獎賞由「另加 20%」改為「另加 10%」"),
            (none(), fee(json!({})), "terms.fee", Worse,
                "the fee is new: HKD 100", "新增手續費：HKD 100"),
            (fee(json!({})), fee(json!({"amount": 50})), "terms.fee.amount", Better,
                "the fee falls from HKD 100 to HKD 50", "手續費由 HKD 100 降至 HKD 50"),
            (fee(json!({})), fee(json!({"minimum": 20})), "terms.fee.minimum", Worse,
                "the smallest fee is new: HKD 20", "新增最低手續費：HKD 20"),
            (fee(json!({})), fee(json!({"cap": 900})), "terms.fee.cap", Better,
                "the largest fee is new: HKD 900", "新增最高手續費：HKD 900"),
            (fee(json!({})), fee(json!({"tax": {"num": 9, "den": 100}})), "terms.fee.tax", Worse,
                "the tax on the fee is new: 9%", "新增手續費的稅：9%"),
            (fee(json!({})), fee(json!({"currency": "USD"})), "terms.fee.currency", Unclear,
                "what the fee is paid in changes from HKD to USD", "手續費的支付方式由 HKD 改為 USD"),
            (fee(json!({})), fee(json!({"currency": "given"})), "terms.fee.currency", Unclear,
                "what the fee is paid in changes from HKD to STAR", "手續費的支付方式由 HKD 改為 STAR"),
            (fee(json!({"currency": "given"})), fee(json!({"currency": "gained"})), "terms.fee", Unclear,
                "the fee changes from 100 STAR, on top of what is given to 100 MILE, off what is gained",
                "手續費由「100 STAR，另行扣除」改為「100 MILE，從所得扣除」"),
            (fee(json!({"currency": "given"})), fee(json!({"currency": "given", "amount": 2000})), "terms.fee.amount", Worse,
                "the fee rises from 100 STAR to 2,000 STAR", "手續費由 100 STAR 升至 2,000 STAR"),
            (fee(json!({})), fee(json!({"covers": {"period": "year"}})), "terms.fee.covers", Better,
                "how often the fee is paid is new: once in a calendar year", "新增手續費的收取次數：每個曆年只收一次"),
            (fee(json!({"covers": {"months": 12}})), fee(json!({"covers": {"months": 6}})), "terms.fee.covers", Worse,
                "how often the fee is paid changes from once in any 12 months to once in any 6 months",
                "手續費的收取次數由「任何 12 個月內只收一次」改為「任何 6 個月內只收一次」"),
            (fee(json!({"covers": {"months": 12}})), fee(json!({"covers": {"period": "year"}})), "terms.fee.covers", Unclear,
                "how often the fee is paid changes from once in any 12 months to once in a calendar year",
                "手續費的收取次數由「任何 12 個月內只收一次」改為「每個曆年只收一次」"),
            (step_fee(5000), step_fee(6000), "terms.fee.step", Better,
                "the step of the fee rises from 5,000 to 6,000 STAR", "手續費的計算單位由 5,000 升至 6,000 STAR"),
            (unit_fee(3), unit_fee(4), "terms.fee.num", Worse,
                "the fee for each MILE rises from 6% to 8%", "每 1 MILE 的手續費由 6% 升至 8%"),
            (fee(json!({})), unit_fee(3), "terms.fee", Unclear,
                "the fee changes from HKD 100 to 3/50 of the smallest unit of USD for each MILE",
                "手續費由 HKD 100 改為「每 1 MILE 收 USD 最小單位的 3/50」"),
            (none(), ratio(json!({"remainder": "leave_in_source"})), "terms.remainder", Unclear,
                "what does not divide changes from dropped to staying", "除不盡的部分由「捨去」改為「保留」"),
        ];
        for (before, after, field, member, english, chinese) in cases {
            let told = told(&at_cost(before), &at_cost(after));
            let wanted = (field.into(), member, english.into(), chinese.into());
            assert_eq!(told, [wanted]);
        }
    }

    #[test]
    fn what_holds_a_member_to_limits_is_told_in_two_languages() {
        use Effect::{Better, Same, Unclear, Worse};
        let limits = |limits: Json| ratio(json!({"allowances": limits}));
        let year = |given: u32| json!({"period": "year", "given": given});
        let once = json!({"hours": 24, "times": 1});
        let excludes = |points: Json| ratio(json!({"excludes": points}));
        let onward = |onward: Json| ratio(json!({"onward": onward}));
        let delivery = |delivery: Json| ratio(json!({"delivery": delivery}));
        let after = |days: u16| json!({"after_days": days});
        let code = |days: u16| json!({"code": {"valid_days": days}});
        let none = || ratio(json!({}));
        #[rustfmt::skip]
        let cases = [
            (none(), limits(json!([year(30000)])), "terms.allowances[0]", Worse,
                "a limit is new: at most 30,000 STAR in a calendar year", "新增限額：每個曆年最多 30,000 STAR"),
            (limits(json!([once, year(30000)])), limits(json!([year(40000), once])), "terms.allowances[0]", Better,
                "a limit rises from at most 30,000 STAR in a calendar year to at most 40,000 STAR in a calendar year",
                "限額由「每個曆年最多 30,000 STAR」升至「每個曆年最多 40,000 STAR」"),
            (limits(json!([year(30000)])), limits(json!([year(20000)])), "terms.allowances[0]", Worse,
                "a limit falls from at most 30,000 STAR in a calendar year to at most 20,000 STAR in a calendar year",
                "限額由「每個曆年最多 30,000 STAR」降至「每個曆年最多 20,000 STAR」"),
            (limits(json!([year(30000), once])), limits(json!([year(30000)])), "terms.allowances[1]", Better,
                "a limit is dropped; it was once in any 24 hours", "取消限額，原為「任何 24 小時內最多 1 次」"),
            (limits(json!([year(30000), once])), limits(json!([once, year(30000)])), "terms.allowances", Same,
                "the order of the limits changes from at most 30,000 STAR in a calendar year; once in any 24 hours to \
                 once in any 24 hours; at most 30,000 STAR in a calendar year",
                "限額的次序由「每個曆年最多 30,000 STAR；任何 24 小時內最多 1 次」改為「任何 24 小時內最多 1 次；每個曆年最多 30,000 STAR」"),
            (none(), ratio(json!({"keep": 500})), "terms.keep", Worse,
                "what has to stay is new: 500 STAR", "新增須保留的數量：500 STAR"),
            (ratio(json!({"keep": 500})), ratio(json!({"keep": 300})), "terms.keep", Better,
                "what has to stay falls from 500 to 300 STAR", "須保留的數量由 500 降至 300 STAR"),
            (none(), excludes(json!(["bonus"])), "terms.excludes", Worse,
                "what is not taken is new: bonuses", "新增不可使用的積分：獎賞積分"),
            (excludes(json!(["bonus"])), excludes(json!(["expiring"])), "terms.excludes", Unclear,
                "what is not taken changes from bonuses to points that expire", "不可使用的積分由「獎賞積分」改為「設有到期日的積分」"),
            (excludes(json!(["bonus", "expiring"])), excludes(json!(["expiring"])), "terms.excludes", Better,
                "what is not taken changes from bonuses and points that expire to points that expire",
                "不可使用的積分由「獎賞積分和設有到期日的積分」改為「設有到期日的積分」"),
            (none(), delivery(after(1)), "terms.delivery", Worse, "its arrival is new: the next day", "新增到帳時間：翌日"),
            (delivery(after(1)), delivery(json!({"day_of_month": 15})), "terms.delivery", Worse,
                "its arrival changes from the next day to on the next day 15 of a month", "到帳時間由「翌日」改為「於下一個 15 號」"),
            (delivery(after(31)), delivery(json!({"day_of_month": 15})), "terms.delivery", Better,
                "its arrival changes from after 31 days to on the next day 15 of a month", "到帳時間由「31 日後」改為「於下一個 15 號」"),
            (none(), delivery(code(30)), "terms.delivery", Worse,
                "its arrival is new: as a code to be presented within 30 days", "新增到帳時間：憑 30 日內有效的兌換碼"),
            (delivery(code(1)), none(), "terms.delivery", Better,
                "its arrival is dropped; it was as a code to be presented within 1 day", "取消到帳時間，原為「憑 1 日內有效的兌換碼」"),
            (delivery(code(1)), delivery(code(30)), "terms.delivery", Better,
                "its arrival changes from as a code to be presented within 1 day to as a code to be presented within 30 days",
                "到帳時間由「憑 1 日內有效的兌換碼」改為「憑 30 日內有效的兌換碼」"),
            (delivery(after(3)), delivery(code(30)), "terms.delivery", Unclear,
                "its arrival changes from after 3 days to as a code to be presented within 30 days",
                "到帳時間由「3 日後」改為「憑 30 日內有效的兌換碼」"),
            (delivery(json!({"day_of_month": 1})), delivery(json!({"day_of_month": 15})), "terms.delivery", Unclear,
                "its arrival changes from on the next day 1 of a month to on the next day 15 of a month",
                "到帳時間由「於下一個 1 號」改為「於下一個 15 號」"),
            (onward(json!("never")), onward(after(21)), "terms.onward", Better,
                "the wait before this MILE can be converted again changes from for ever to 21 days",
                "所得 MILE 再兌換前的等候期由「永久」改為「21 日」"),
            (onward(after(21)), onward(after(30)), "terms.onward", Worse,
                "the wait before this MILE can be converted again rises from 21 days to 30 days",
                "所得 MILE 再兌換前的等候期由「21 日」升至「30 日」"),
        ];
        for (before, after, field, member, english, chinese) in cases {
            let told = told(&at_cost(before), &at_cost(after));
            let wanted = (field.into(), member, english.into(), chinese.into());
            assert_eq!(told, [wanted]);
        }
    }

    #[test]
    fn who_pays_and_for_whom_it_is_are_told_in_two_languages() {
        use Effect::{Same, Unclear};
        let plain = || at_cost(ratio(json!({})));
        let funded = |funders: Json, to: &str| {
            let settlement = json!({"kind": "cost_plus", "price": "0.014", "commission": "0.025",
                "bonus_funders": funders, "fee_to": to});
            card(&ratio(json!({})), &settlement)
        };
        let both = |source: u8, target: u8| {
            funded(json!([{"source": source, "target": target}]), "partner")
        };
        let when = |when: Json| Card {
            when: serde_json::from_value(when).unwrap(),
            ..plain()
        };
        let app = || when(json!({"channel": ["app", "web"]}));
        let gold = json!({"claims": {"tier": ["gold"]}, "channel": ["app"]});
        let priority = |priority| Card {
            priority,
            ..plain()
        };
        #[rustfmt::skip]
        let cases = [
            (plain(), both(1, 2), "settlement.bonus_funders", Same,
                "who pays for the bonuses is new: CITYMART and AERO at 1 to 2", "新增獎賞的承擔者：CITYMART 與 AERO 按 1 比 2"),
            (both(1, 0), funded(json!([{"target": 1}]), "partner"), "settlement.bonus_funders", Same,
                "who pays for the bonuses changes from CITYMART to AERO", "獎賞的承擔者由 CITYMART 改為 AERO"),
            (both(1, 2), both(2, 4), "settlement.bonus_funders", Same,
                "who pays for the bonuses is written CITYMART and AERO at 2 to 4 instead of CITYMART and AERO at 1 to 2, which is the same",
                "獎賞的承擔者改寫為「CITYMART 與 AERO 按 2 比 4」，原寫作「CITYMART 與 AERO 按 1 比 2」，兩者相同"),
            (plain(), funded(json!([]), "hub"), "settlement.fee_to", Same,
                "who gets the fee changes from CITYMART to the hub", "手續費的收取者由 CITYMART 改為「平台」"),
            (plain(), when(gold), "when", Unclear,
                "the condition is new: for members with tier gold of CITYMART, via app",
                "新增條件：限 CITYMART 確認其 tier 為 gold 的會員，限經 app"),
            (app(), plain(), "when", Unclear,
                "the condition is dropped; it was via app or web", "取消條件，原為「限經 app 或 web」"),
            (app(), when(json!({"channel": ["web", "app"]})), "when", Same,
                "the condition is written via web or app instead of via app or web, which is the same",
                "條件改寫為「限經 web 或 app」，原寫作「限經 app 或 web」，兩者相同"),
            (priority(0), priority(5), "priority", Unclear, "the priority rises from 0 to 5", "優先次序由 0 升至 5"),
        ];
        for (before, after, field, member, english, chinese) in cases {
            let wanted = (field.into(), member, english.into(), chinese.into());
            assert_eq!(told(&before, &after), [wanted]);
        }
    }

    #[test]
    fn a_sum_has_the_decimals_of_its_own_money() {
        let fee = |amount: u16, currency: &str| {
            at_cost(ratio(
                json!({"fee": {"kind": "flat", "amount": amount, "currency": currency}}),
            ))
        };
        let (before, after) = (fee(150, "HKD"), fee(300, "JPY"));
        let before = Seen {
            fee_scale: Scale::new(2).unwrap(),
            ..seen(&before)
        };
        let told = in_words(&diff(&before, &seen(&after), Scales::WHOLE));
        assert_eq!(told[0].2, "the fee changes from HKD 1.50 to JPY 300");
        assert_eq!(told[0].3, "手續費由 HKD 1.50 改為 JPY 300");
    }

    #[test]
    fn a_rate_is_not_decided_where_a_larger_base_may_be_a_smaller_gain() {
        let better = |more: Json| {
            let mut after = ratio(more.clone());
            after["give"] = json!(4);
            let changes = between(&at_cost(ratio(more)), &at_cost(after));
            changes[0].member
        };
        assert_eq!(better(json!({"min": 5000, "step": 500})), Effect::Better);
        let falling = json!([{"from": 0, "num": 1, "den": 5}, {"from": 100, "num": 1, "den": 10}]);
        for more in [
            json!({"dest_step": 100}),
            json!({"dest_max": 100}),
            json!({"allowances": [{"period": "year", "gained": 1000}]}),
            json!({"remainder": "leave_in_source"}),
            json!({"bonuses": [{"kind": "slab", "bands": falling}]}),
            json!({"fee": {"kind": "per_step", "amount": 1, "step": 9, "on": "base", "currency": "HKD"}}),
        ] {
            assert_eq!(better(more.clone()), Effect::Unclear, "{more}");
        }
    }

    #[test]
    fn of_a_priced_card_the_prices_are_what_a_member_gets() {
        let priced = |source: &str, target: &str, commission: &str| {
            let settlement = json!({"kind": "priced", "source_price": source, "target_price": target, "commission": commission});
            card(&json!({"kind": "priced"}), &settlement)
        };
        let base = priced("0.01", "0.008", "0.025");
        for (other, field, member) in [
            (
                priced("0.02", "0.008", "0.025"),
                "settlement.source_price",
                Effect::Better,
            ),
            (
                priced("0.01", "0.009", "0.025"),
                "settlement.target_price",
                Effect::Worse,
            ),
            (
                priced("0.01", "0.008", "0.03"),
                "settlement.commission",
                Effect::Worse,
            ),
        ] {
            let changes = between(&base, &other);
            let told: Vec<_> = changes.iter().map(|it| (it.field(), it.member)).collect();
            assert_eq!(told, [(field.to_owned(), member)]);
        }
    }

    fn any_terms() -> impl Strategy<Value = Json> {
        let part = || 1..4_i64;
        let rate = (part(), part(), 1..3_i64, 0..5_u8).prop_map(|(give, get, cut, kind)| {
            let bands = json!([{"from": 0, "give": give, "get": get}, {"from": cut * 10, "give": get, "get": give}]);
            match kind {
                0 => json!({"kind": "ratio", "give": give, "get": get}),
                1 => json!({"kind": "slab", "bands": bands}),
                2 => json!({"kind": "marginal", "bands": bands}),
                3 => json!({"kind": "table", "table": [{"give": give, "get": get}, {"give": cut * 10, "get": give}]}),
                _ => json!({"kind": "unpriced"}),
            }
        });
        let bonus = (part(), part(), part(), 0..4_u8).prop_map(|(num, den, cut, kind)| {
            let bands = json!([{"from": cut, "num": num, "den": den}]);
            match kind {
                0 => json!({"kind": "percent", "num": num, "den": den}),
                1 => json!({"kind": "fixed", "bonus": num, "min_given": cut}),
                2 => json!({"kind": "slab", "on": "given", "bands": bands}),
                _ => json!({"kind": "marginal", "bands": bands}),
            }
        });
        let fee = (part(), part(), 0..8_u8).prop_map(|(amount, other, kind)| match kind {
            4 => json!({"kind": "flat", "amount": amount, "currency": "given", "covers": {"months": other}}),
            5 => json!({"kind": "flat", "amount": amount, "currency": "gained"}),
            6 => json!({"kind": "per_unit", "num": amount.min(other), "den": amount.max(other), "cap": 2, "currency": "gained"}),
            7 => json!({"kind": "per_step", "amount": amount, "step": other, "currency": "given"}),
            0 => json!({"kind": "flat", "amount": amount, "minimum": other, "currency": "HKD"}),
            1 => json!({"kind": "per_unit", "num": amount, "den": other, "on": "given", "currency": "HKD"}),
            2 => json!({"kind": "per_unit", "num": amount, "den": other, "currency": "HKD"}),
            _ => json!({"kind": "per_step", "amount": amount, "step": other, "tax": {"num": other, "den": 9}, "currency": "USD"}),
        });
        let limits = (
            proptest::option::of(part()),
            proptest::option::of(20..22_i64),
            proptest::option::of(part()),
            proptest::option::of(part()),
            any::<bool>(),
        );
        let bonuses = proptest::collection::vec(bonus, 0..3);
        (
            rate,
            limits,
            bonuses,
            proptest::option::of(fee),
            any_holds(),
        )
            .prop_map(|(mut terms, limits, bonuses, fee, holds)| {
                let (min, max, step, dest_min, stays) = limits;
                for (name, limit) in [
                    ("min", min),
                    ("max", max),
                    ("step", step),
                    ("dest_min", dest_min),
                ] {
                    if let Some(limit) = limit {
                        terms[name] = json!(limit);
                    }
                }
                if let Some(fee) = fee {
                    terms["fee"] = fee;
                }
                if stays {
                    terms["remainder"] = json!("leave_in_source");
                }
                terms["bonuses"] = json!(bonuses);
                let holds = holds.as_object().unwrap().clone();
                terms.as_object_mut().unwrap().extend(holds);
                terms
            })
    }

    /// What holds a member to limits, and what becomes of the points.
    fn any_holds() -> impl Strategy<Value = Json> {
        let periods = [
            json!({"period": "year"}),
            json!({"months": 12}),
            json!({"period": "day", "from": "2027-01-01T00:00:00Z"}),
        ];
        let limit = (
            proptest::sample::select(periods.to_vec()),
            1..60_i64,
            0..4_u8,
        );
        let limit = limit.prop_map(|(mut limit, most, of)| {
            let counted = ["given", "gained", "times", "given"];
            limit[counted[usize::from(of)]] = json!(most);
            if of == 3 {
                limit["group"] = json!("airlines");
            }
            limit
        });
        let some = |all: &[Json]| proptest::option::of(proptest::sample::select(all.to_vec()));
        let excludes = some(&[
            json!(["bonus"]),
            json!(["expiring"]),
            json!(["bonus", "expiring"]),
            json!(["expiring", "bonus"]),
        ]);
        let onward = some(&[
            json!("never"),
            json!({"after_days": 1}),
            json!({"after_days": 2}),
            json!({"after_days": 40}),
        ]);
        let delivery = some(&[
            json!({"after_days": 1}),
            json!({"after_days": 40}),
            json!({"day_of_month": 1}),
            json!({"day_of_month": 31}),
            json!({"code": {"valid_days": 1}}),
            json!({"code": {"valid_days": 30}}),
        ]);
        let limits = proptest::collection::vec(limit, 0..3);
        let keep = proptest::option::of(1..40_i64);
        (limits, keep, excludes, onward, delivery).prop_map(
            |(limits, keep, excludes, onward, delivery)| {
                let excludes = excludes.unwrap_or(json!([]));
                json!({"allowances": limits, "keep": keep, "excludes": excludes, "onward": onward, "delivery": delivery})
            },
        )
    }

    fn any_settlement() -> impl Strategy<Value = Json> {
        let funders = (0..3_i64, 1..3_i64)
            .prop_map(|(source, target)| json!({"source": source, "target": target}));
        let funders = proptest::collection::vec(funders, 0..3);
        let (prices, to_hub) = ((1..4_u8, 1..4_u8), any::<bool>());
        (prices, any::<bool>(), funders, to_hub).prop_map(|((one, other), by_money, funders, to_hub)| {
            let (one, other) = (format!("0.{one}"), format!("0.{other}"));
            let fee_to = if to_hub { "hub" } else { "partner" };
            match by_money {
                true => json!({"kind": "priced", "source_price": one, "target_price": other, "commission": "0",
                    "bonus_funders": funders, "fee_to": fee_to}),
                false => json!({"kind": "cost_plus", "price": one, "commission": other,
                    "bonus_funders": funders, "fee_to": fee_to}),
            }
        })
    }

    /// What a card has besides terms and settlement.
    fn any_rest() -> impl Strategy<Value = (Option<Condition>, i32, u16)> {
        let when = proptest::sample::select(vec![
            json!(null),
            json!({"channel": ["app"]}),
            json!({"channel": ["app", "web"]}),
            json!({"channel": ["web", "app"]}),
            json!({"claims": {"tier": ["gold"]}}),
            json!({"claims": {"tier": ["gold"]}, "of": "target"}),
        ]);
        let when = when.prop_map(|when| serde_json::from_value(when).unwrap());
        (when, -1..2_i32, 0..2_u16)
    }

    /// The one with some parts of the other.
    fn mixed(one: &Json, other: &Json, mask: u32) -> Json {
        let parts: [&[&str]; 13] = [
            &["kind", "give", "get", "bands", "table"],
            &["min"],
            &["max"],
            &["step"],
            &["dest_min"],
            &["fee"],
            &["remainder"],
            &["bonuses"],
            &["allowances"],
            &["keep"],
            &["excludes"],
            &["onward"],
            &["delivery"],
        ];
        let mut mixed = one.clone();
        let mixed_parts = mixed.as_object_mut().unwrap();
        let wanted = parts
            .iter()
            .enumerate()
            .filter(|(at, _)| mask >> at & 1 == 1);
        for (_, names) in wanted {
            for name in *names {
                match other.get(*name) {
                    Some(part) => mixed_parts.insert((*name).to_owned(), part.clone()),
                    None => mixed_parts.remove(*name),
                };
            }
        }
        mixed
    }

    fn with(card: Card, (when, priority, notice_days): (Option<Condition>, i32, u16)) -> Card {
        Card {
            when,
            priority,
            notice_days,
            ..card
        }
    }

    /// What is gained, and the fee; nothing where an amount is refused.
    type Outcome = Option<(i64, i64)>;

    /// What a card gives for every amount up to a limit, with the fee, to a member who has as much and
    /// has converted nothing yet.
    fn outcomes(card: &Card) -> Option<Vec<Outcome>> {
        use super::super::price::price;
        let tariff = card.tariff(Scales::WHOLE, None).ok()?;
        let priced = (1..60).map(|given| {
            let priced = price(&tariff, given).ok()?;
            let use_of = Mark {
                at: clock::ALWAYS,
                given: priced.taken,
                gained: priced.total,
                times: 1,
            };
            let allows =
                |limit: &Allowance| limit.count(&use_of) <= limit.most(Scales::WHOLE, "").unwrap();
            let keep = card
                .terms
                .keep
                .map_or(0, |keep| keep.units(Scale::WHOLE, "").unwrap());
            let is_held = card.terms.allowances.iter().all(allows) && priced.taken + keep <= 60;
            is_held.then_some((priced.total, priced.fee.unwrap_or(0)))
        });
        Some(priced.collect())
    }

    proptest! {
        #[test]
        fn a_card_does_not_differ_from_itself(
            terms in any_terms(), settlement in any_settlement(), rest in any_rest(),
        ) {
            let card = with(card(&terms, &settlement), rest);
            prop_assert_eq!(between(&card, &card), []);
        }

        #[test]
        fn two_cards_that_differ_have_a_change(
            one in any_terms(), other in any_terms(), paid in any_settlement(), owed in any_settlement(),
            first in any_rest(), second in any_rest(), same in 0..8_u8,
        ) {
            let pick = |bit: u8| same >> bit & 1 == 1;
            let other = card(if pick(0) { &one } else { &other }, if pick(1) { &paid } else { &owed });
            let other = with(other, if pick(2) { first.clone() } else { second });
            let one = with(card(&one, &paid), first);
            prop_assert_eq!(one == other, between(&one, &other).is_empty());
            prop_assert_eq!(one == other, between(&other, &one).is_empty());
        }

        #[test]
        fn what_is_called_better_takes_nothing_from_anybody(
            one in any_terms(), other in any_terms(), mask in 0..8192_u32,
        ) {
            let (other, one) = (at_cost(mixed(&one, &other, mask)), at_cost(one));
            let together = |changes: Vec<Change>| Effect::all(changes.iter().map(|it| it.member));
            let Some((before, after)) = outcomes(&one).zip(outcomes(&other)) else { return Ok(()) };
            let holds = |before: &[Outcome], after: &[Outcome]| {
                before.iter().zip(after).all(|(before, after)| match (before, after) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some((total, fee)), Some((now, due))) => now >= total && due <= fee,
                })
            };
            let (as_good, as_bad) = (holds(&before, &after), holds(&after, &before));
            match together(between(&one, &other)) {
                Effect::Better => prop_assert!(as_good, "{before:?} {after:?}"),
                Effect::Worse => prop_assert!(as_bad, "{before:?} {after:?}"),
                Effect::Same => prop_assert!(as_good && as_bad, "{before:?} {after:?}"),
                Effect::Unclear => {}
            }
        }
    }
}
