//! What a conversion is refused for, told to who asked.

use serde_json::json;

use super::decision::Refusal;
use super::limits::Reached;
use super::quoted::LimitBody;
use super::sentence;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api;
use crate::partners::link_terms::terms::CoolingOff;
use crate::partners::{AmountBody, Currency, Money, MoneyBody};
use crate::points::amount;
use crate::points::money::Micros;
use crate::rates::allowance::Most;
use crate::rates::campaigns::limits::Exhausted;

/// A refusal as a problem.
pub fn told(ids: &Ids, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::QuoteExpired(at) => {
            Problem::new(Slug::QuoteExpired, format!("the quote ended at {at}")).into()
        }
        Refusal::Unlinked => {
            let detail = "one of the two memberships was unlinked since it was issued";
            Problem::new(Slug::QuoteExpired, detail).into()
        }
        Refusal::QuoteTaken { by } => {
            let by = ids.show(id::Kind::Conversion, by);
            Problem::new(Slug::QuoteTaken, format!("conversion {by} took it"))
                .with("conversion", by)
                .into()
        }
        Refusal::Campaign(campaign, why, currency) => {
            let campaign = ids.show(id::Kind::Campaign, campaign);
            exhausted(&campaign, *why, &currency).into()
        }
        Refusal::Sponsor(left, money) => used_up(left, &money).into(),
        Refusal::CoolingOff(cooling, currency) => cooling_off(cooling, &currency).into(),
        Refusal::AttestedOther { needed, currency } => {
            let needed = AmountBody::of(&currency, needed);
            let rule = format!(
                "{} {}: what the quote gives",
                needed.amount, needed.currency
            );
            Problem::field("/debited", rule).into()
        }
        Refusal::AttestedDay { first, last } => {
            let rule = format!("a business day of yours from {first} to {last}");
            Problem::field("/debited_on", rule).into()
        }
        Refusal::BalanceTooLow(short, currency) => api::balance_too_low(short, &currency).into(),
        Refusal::LimitReached(reached, currencies) => {
            let [from, to] = &*currencies;
            limit_reached(&reached, from, to).into()
        }
        Refusal::NotAsQuoted(now) => {
            anyhow::anyhow!("a quote and its conversion disagree: {now:?}").into()
        }
    }
}

/// A refusal without what brands pay each other, or have for it.
pub fn for_member(error: Error) -> Error {
    let Error::Refused(problem) = error else {
        return error;
    };
    match problem.slug {
        slug @ (Slug::PartnerCapReached
        | Slug::PartnerCoverShort
        | Slug::SponsorBudgetUsedUp
        | Slug::CampaignBudgetUsedUp) => {
            let detail = "a partner that pays for this does not pay for as much now; a smaller amount may do, or a new quote";
            Problem::new(slug, detail).into()
        }
        _ => problem.into(),
    }
}

/// The refusal of what goes over a limit of the card.
pub fn limit_reached(reached: &Reached, from: &Currency, to: &Currency) -> Problem {
    let Reached { limit, needed } = reached;
    let shown = LimitBody::of(limit, from, to);
    let detail = match limit.allowance.most {
        Most::Times(_) => format!("{} times {}", limit.standing.most, shown.within),
        Most::Given(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, from.scale)),
            from.code,
            shown.within
        ),
        Most::Gained(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, to.scale)),
            to.code,
            shown.within
        ),
    };
    let needed = match limit.allowance.most {
        Most::Times(_) => json!(needed),
        Most::Given(_) => json!(AmountBody::of(from, *needed)),
        Most::Gained(_) => json!(AmountBody::of(to, *needed)),
    };
    let left = match shown.times_left {
        Some(times) => json!(times),
        None => json!(shown.left),
    };
    Problem::new(Slug::LimitReached, format!("the card allows {detail}"))
        .with("left", left)
        .with("needed", needed)
        .with("renews_at", json!(shown.renews_at))
}

/// The refusal of what would go over a link that is too young.
pub fn cooling_off(CoolingOff { ends_at }: CoolingOff, from: &Currency) -> Problem {
    let until = super::local(ends_at, from);
    let detail = format!(
        "{} is not converted over this link before {until}",
        from.code
    );
    Problem::new(Slug::LinkCoolingOff, detail).with("ends_at", json!(ends_at))
}

/// The refusal of what the sponsor of the card would have to pay and does not.
pub fn used_up(left: Micros, money: &Money) -> Problem {
    let detail = "its share of this conversion is more than what is left of its budget";
    Problem::new(Slug::SponsorBudgetUsedUp, detail).with("left", json!(MoneyBody::of(money, left)))
}

/// The refusal of a bonus that was promised and is no longer there.
fn exhausted(campaign: &str, why: Exhausted, currency: &Currency) -> Problem {
    let left = |slug, of: &str, units| {
        let left = AmountBody::of(currency, units);
        let detail = format!("{of} has {} {} left", left.amount, left.currency);
        Problem::new(slug, detail).with("left", json!(left))
    };
    let problem = match why {
        Exhausted::Budget { left: units } => {
            left(Slug::CampaignBudgetUsedUp, "the campaign", units)
        }
        Exhausted::Each(limit, standing) => {
            let problem = match limit.most {
                Most::Times(_) => Problem::new(
                    Slug::CampaignLimitReached,
                    "the wallet has had it as often as the campaign gives it to one",
                ),
                Most::Given(_) | Most::Gained(_) => left(
                    Slug::CampaignLimitReached,
                    "the member's part of the campaign",
                    standing.left(),
                ),
            };
            problem.with("renews_at", json!(standing.renews_at))
        }
    };
    problem.with("campaign", campaign)
}
