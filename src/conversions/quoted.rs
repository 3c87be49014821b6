//! A quote as JSON: the promise, itemised, with the same in words.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::fee::{self, Covered};
use super::limits::Limit;
use super::postings;
use super::promises::Promise;
use super::sentence::{self, Arrives, FeeTold, Told};
use super::worth::{self, Worth};
use super::{Offer, local};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{self, Ids};
use crate::partners::{AmountBody, Currency, Directory, Keeper, MoneyBody};
use crate::points::account::Asset;
use crate::points::amount::{self, Scale};
use crate::points::money::Micros;
use crate::rates::allowance::Most;
use crate::rates::card::{Card, Evaluated};
use crate::rates::funding::Funder;
use crate::rates::onward::Arrival;
use crate::rates::price::Priced;
use crate::rates::sentence as card_sentence;

/// A price the hub promises until it expires.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteBody {
    /// The token that takes it: send it to /v1/conversions as it is.
    quote: String,
    id: Uuid,
    /// The version of the rate card that priced it; of the first one, where there are two.
    card: String,
    /// Through a third currency, what each card makes of it; empty otherwise.
    legs: Vec<QuotedLegBody>,
    /// What leaves the wallet, a fee in the same points included.
    gives: AmountBody,
    /// What of the amount asked for stays in the wallet, because it does not divide.
    left: AmountBody,
    /// What the member gets, bonuses included, after a fee in the same points.
    gains: AmountBody,
    /// What the rate alone gives.
    base: AmountBody,
    /// What is added to that: bonuses, each rounded down by itself: the card's, then those of campaigns.
    bonuses: Vec<QuotedBonusBody>,
    /// The campaigns that it counts on.
    campaigns: Vec<CampaignGainBody>,
    /// What the member pays you in money; null when nothing.
    fee: Option<MoneyBody>,
    /// What the member pays in points: a part of `gives`, or taken off `gains`; null when nothing.
    fee_points: Option<AmountBody>,
    /// The period that the card's fee covers once it is paid; null when it covers none.
    fee_covers: Option<FeeCoversBody>,
    /// What both sides are worth to a member, as their issuers say.
    worth: WorthBody,
    /// What it costs you in settlement; not there for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cost: Option<CostBody>,
    /// `at_once`: with the conversion. `by_code`: once the code that comes with it is presented to who issues
    /// what is gained. `when_credited`: once the issuer, who keeps the balances, has credited it. Otherwise when it
    /// can be used, if it is taken now.
    arrives: String,
    /// Limits of the card within a period, as they stand before the conversion.
    limits: Vec<LimitBody>,
    expires_at: DateTime<Utc>,
    sentence: SentenceBody,
}

/// A period in which a fee is paid once.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeeCoversBody {
    /// The period, such as `a calendar year` or `any 12 months`.
    #[schema(example = "a calendar year")]
    within: String,
    /// Whether it is paid already: then this conversion costs no fee.
    is_paid: bool,
    /// Until when it covers, as it is paid or as this conversion would pay it; null for good.
    until: Option<DateTime<Utc>>,
}

/// A bonus, by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QuotedBonusBody {
    /// In printed units.
    #[schema(example = "300")]
    amount: String,
    #[schema(example = "HPT")]
    currency: String,
    /// The id of the campaign that gives it; null where the card does.
    campaign: Option<String>,
}

/// What one of two cards makes of what the one before it gives.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotedLegBody {
    card: String,
    gives: AmountBody,
    gains: AmountBody,
    /// What of `gains` are bonuses of the card.
    bonuses: Vec<QuotedBonusBody>,
}

/// What a campaign gives.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignGainBody {
    #[schema(example = "cmp_0123456789abcdef")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) name_zh: String,
    /// The arm of an experiment that the wallet is in; null when it is none.
    pub(super) arm: Option<String>,
    /// What it adds: nothing where the arm, or what is left of the campaign, gives nothing.
    pub(super) gains: AmountBody,
}

/// Amounts by the display values that the issuers publish.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorthBody {
    gives: MoneyBody,
    gains: MoneyBody,
    /// What is gained against what is given, in percent of that, both in the giving issuer's money at the
    /// locked rate: -29 when it is 29 % less. Null where what is given is worth nothing.
    difference: Option<i64>,
}

/// How much a limit of the card leaves, before the conversion.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitBody {
    /// The period, such as `a calendar month` or `any 24 hours`.
    #[schema(example = "a calendar month")]
    pub(super) within: String,
    /// What may still be given or gained; null for a limit of times.
    pub(super) left: Option<AmountBody>,
    /// How often more; null for a limit of an amount.
    pub(super) times_left: Option<i64>,
    /// When something comes back; null when nothing is used, or it never does.
    pub(super) renews_at: Option<DateTime<Utc>>,
}

/// What the partner whose points are given pays.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostBody {
    pub(super) gross: MoneyBody,
    /// The hub's part of it.
    pub(super) commission: MoneyBody,
    /// What bonuses cost on top that the partner whose points are given pays for; null when nothing.
    pub(super) bonuses: Option<MoneyBody>,
    /// What of the gross the sponsor of the card pays instead; null when it has none.
    pub(super) sponsored: Option<MoneyBody>,
}

/// The same in words, for the member.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentenceBody {
    en: String,
    #[serde(rename = "zh-Hant")]
    zh_hant: String,
}

impl QuoteBody {
    /// The same as a member sees it: nothing of what brands pay each other.
    pub(super) fn for_member(self) -> QuoteBody {
        QuoteBody { cost: None, ..self }
    }
}

/// An offer as its partner sees it, with the token that takes it.
pub(super) fn show(ids: &Ids, offer: &Offer, token: String) -> Result<QuoteBody, Error> {
    let Offer {
        quote,
        evaluated,
        from,
        to,
        exchange,
        book,
        card,
        promises,
        limits,
        covered,
        sponsored,
        now,
    } = offer;
    let (priced, figures) = (&evaluated.priced, &evaluated.figures);
    let directory = &book.directory;
    let amounts = [
        (from, priced.taken),
        (from, priced.left),
        (to, priced.total),
    ];
    let [gives, left, gains] = amounts.map(|(currency, units)| AmountBody::of(currency, units));
    let points = fee::points(priced, (from.no, to.no));
    let points = points.map(|(asset, units)| match asset == from.no {
        true => AmountBody::of(from, units),
        false => AmountBody::of(to, units),
    });
    let fee = postings::fee(evaluated, super::fee_money(directory, card));
    let worth = worth::of((from, priced.taken), (to, priced.total), &[*exchange]);
    let worth = worth.map_err(anyhow::Error::from)?;
    Ok(QuoteBody {
        id: quote.jti,
        card: quote.card.clone(),
        legs: Vec::new(),
        fee: fee
            .map(|(no, fee)| money_no(directory, no, fee))
            .transpose()?,
        fee_points: points,
        fee_covers: covered.map(FeeCoversBody::of),
        base: AmountBody::of(to, priced.base),
        bonuses: QuotedBonusBody::all(ids, to, evaluated, promises),
        campaigns: CampaignGainBody::all(ids, to, promises),
        worth: WorthBody::of(directory, (from, to), &worth)?,
        cost: Some(CostBody {
            gross: money(directory, from, figures.gross)?,
            commission: money(directory, from, figures.commission)?,
            bonuses: match source_pays(evaluated) {
                Micros::ZERO => None,
                cost => Some(money(directory, from, cost)?),
            },
            sponsored: sponsored
                .map(|relief| money(directory, from, relief))
                .transpose()?,
        }),
        arrives: arrives(card, to, *now),
        limits: limits
            .iter()
            .map(|limit| LimitBody::of(limit, from, to))
            .collect(),
        expires_at: quote.expires_at(),
        sentence: in_words(offer, offer, worth.difference),
        quote: token,
        gives,
        left,
        gains,
    })
}

/// The legs of an offer through a third currency, as one.
pub(super) fn show_through(
    ids: &Ids,
    [first, second]: &[Offer; 2],
    token: String,
) -> Result<QuoteBody, Error> {
    let given = (&*first.from, first.evaluated.priced.used);
    let gained = (&*second.to, second.evaluated.priced.total);
    let worth = worth::of(given, gained, &[first.exchange, second.exchange]);
    let worth = worth.map_err(anyhow::Error::from)?;
    let sentence = in_words(first, second, worth.difference);
    let directory = &first.book.directory;
    let worth = WorthBody::of(directory, (given.0, gained.0), &worth)?;
    let (first, second) = (show(ids, first, token)?, show(ids, second, String::new())?);
    Ok(QuoteBody {
        legs: vec![
            QuotedLegBody {
                card: first.card.clone(),
                gives: first.gives.clone(),
                gains: first.gains,
                bonuses: first.bonuses,
            },
            QuotedLegBody {
                card: second.card,
                gives: second.gives,
                gains: second.gains.clone(),
                bonuses: second.bonuses.clone(),
            },
        ],
        gains: second.gains,
        base: second.base,
        bonuses: second.bonuses,
        arrives: second.arrives,
        worth,
        sentence,
        ..first
    })
}

/// What becomes of what the first offer takes, with what the last one gives.
fn in_words(first: &Offer, last: &Offer, difference: Option<i64>) -> SentenceBody {
    let (from, to) = (&first.from, &last.to);
    let words = |currency: &Currency, units| {
        let amount = AmountBody::of(currency, units);
        format!("{} {}", sentence::grouped(&amount.amount), amount.currency)
    };
    let (priced, gained) = (&first.evaluated.priced, &last.evaluated.priced);
    let (gives, left) = (words(from, priced.used), words(from, priced.left));
    let gains = words(to, gained.total);
    let until = local(first.quote.expires_at(), from);
    let fee_money = super::fee_money(&first.book.directory, &first.card);
    let fee = postings::fee(&first.evaluated, fee_money);
    let fee = fee_money.zip(priced.fee).filter(|_| fee.is_some());
    let fee = fee.map(|(money, units)| {
        let scale = Scale::new(money.scale).unwrap_or(Scale::WHOLE);
        let units = sentence::grouped(&amount::print(units, scale));
        format!("{} {units}", money.code)
    });
    let points = fee::points(priced, (from.no, first.to.no));
    let fee = fee.or_else(|| {
        let (asset, units) = points?;
        let currency = if asset == from.no { from } else { &first.to };
        Some(words(currency, units))
    });
    let (is_on_top, all) = (priced.taken > priced.used, words(from, priced.taken));
    let period = first.covered;
    let period = period.map(|it| (it.is_paid, it.until.map(|until| local(until, from))));
    let delivery = last.card.terms.delivery;
    let arrives = delivery.map(|it| it.arrives(to.zone, last.now));
    let arrives_at = arrives.map(|arrives| match arrives {
        Arrival::From(at) | Arrival::ByCode { until: at } => local(at, to),
    });
    let is_by_code = matches!(arrives, Some(Arrival::ByCode { .. }));
    let extra = bonuses(&last.evaluated, &last.promises).map(|(units, _)| units);
    let extra: i64 = extra.sum();
    let bonus = (extra > 0).then(|| words(to, extra));
    let giving = last.promises.iter().filter(|promise| promise.gives);
    let names = giving.map(|promise| &promise.campaign.campaign);
    let names: Vec<(&str, &str)> = names.map(|it| (&*it.name, &*it.name_zh)).collect();
    let told = Told {
        gives: &gives,
        gains: &gains,
        through: (first.to.no != to.no).then_some(first.to.code.as_str()),
        left: (priced.left > 0).then_some(left.as_str()),
        difference,
        bonus: bonus.as_deref(),
        campaigns: &names,
        fee: FeeTold {
            amount: fee.as_deref(),
            all: is_on_top.then_some(all.as_str()),
            is_off: points.is_some() && !is_on_top,
            period: period
                .as_ref()
                .map(|(is_paid, until)| (*is_paid, until.as_deref())),
        },
        arrives: match arrives_at.as_deref() {
            None if to.kept_by == Keeper::Partner => Arrives::WhenCredited,
            None => Arrives::AtOnce,
            Some(until) if is_by_code => Arrives::ByCode(until),
            Some(from) => Arrives::From(from),
        },
        until: &until,
    };
    SentenceBody {
        en: sentence::english(&told),
        zh_hant: sentence::chinese(&told),
    }
}

/// The bonuses that are any, the block bonus first and those of campaigns last.
fn bonuses<'a>(
    evaluated: &Evaluated,
    promises: &'a [Promise],
) -> impl Iterator<Item = (i64, Option<&'a Promise>)> {
    let Priced {
        block_bonus,
        bonuses,
        ..
    } = &evaluated.priced;
    let own = &bonuses[..bonuses.len() - evaluated.gifts.len()];
    let own = [&[*block_bonus], own].concat().into_iter();
    let giving = promises.iter().filter(|promise| promise.gives);
    let given = giving.map(|promise| (promise.units, Some(promise)));
    let all = own.map(|units| (units, None)).chain(given);
    all.filter(|(units, _)| *units > 0)
}

/// What the source pays for bonuses.
fn source_pays(evaluated: &Evaluated) -> Micros {
    let grants = evaluated.grants.iter();
    let own = grants.filter(|grant| grant.funder == Funder::Source);
    Micros(own.map(|grant| grant.charge.0).sum())
}

/// When what is gained under a card can be used, if it is converted now.
pub fn arrives(card: &Card, to: &Currency, now: Timestamp) -> String {
    match card.terms.delivery.map(|it| it.arrives(to.zone, now)) {
        None if to.kept_by == Keeper::Partner => "when_credited".to_owned(),
        None => "at_once".to_owned(),
        Some(Arrival::From(at)) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        Some(Arrival::ByCode { .. }) => "by_code".to_owned(),
    }
}

pub(super) fn money_no(
    directory: &Directory,
    no: Asset,
    micros: Micros,
) -> Result<MoneyBody, Error> {
    let money = directory.money(no);
    let money = money.ok_or_else(|| anyhow::anyhow!("there is no money {no}"))?;
    Ok(MoneyBody::of(money, micros))
}

impl QuotedBonusBody {
    pub fn all(
        ids: &Ids,
        to: &Currency,
        evaluated: &Evaluated,
        promises: &[Promise],
    ) -> Vec<QuotedBonusBody> {
        let body = |(units, promise): (i64, Option<&Promise>)| {
            let AmountBody { amount, currency } = AmountBody::of(to, units);
            QuotedBonusBody {
                amount,
                currency,
                campaign: promise.map(|it| ids.show(id::Kind::Campaign, it.campaign.id)),
            }
        };
        bonuses(evaluated, promises).map(body).collect()
    }
}

impl CampaignGainBody {
    pub fn all(ids: &Ids, to: &Currency, promises: &[Promise]) -> Vec<CampaignGainBody> {
        let body = |promise: &Promise| CampaignGainBody {
            id: ids.show(id::Kind::Campaign, promise.campaign.id),
            name: promise.campaign.campaign.name.clone(),
            name_zh: promise.campaign.campaign.name_zh.clone(),
            arm: promise.arm.clone(),
            gains: AmountBody::of(to, promise.units),
        };
        promises.iter().map(body).collect()
    }
}

impl FeeCoversBody {
    fn of(covered: Covered) -> FeeCoversBody {
        let Covered {
            period,
            is_paid,
            until,
        } = covered;
        FeeCoversBody {
            within: card_sentence::period(period),
            is_paid,
            until,
        }
    }
}

impl LimitBody {
    pub fn of(limit: &Limit, from: &Currency, to: &Currency) -> LimitBody {
        let Limit {
            allowance,
            standing,
        } = limit;
        let left = standing.left();
        LimitBody {
            within: card_sentence::period(allowance.period),
            left: match allowance.most {
                Most::Given(_) => Some(AmountBody::of(from, left)),
                Most::Gained(_) => Some(AmountBody::of(to, left)),
                Most::Times(_) => None,
            },
            times_left: matches!(allowance.most, Most::Times(_)).then_some(left),
            renews_at: standing.renews_at,
        }
    }
}

impl WorthBody {
    pub fn of(
        directory: &Directory,
        (from, to): (&Currency, &Currency),
        worth: &Worth,
    ) -> Result<WorthBody, Error> {
        Ok(WorthBody {
            gives: money(directory, from, worth.gives)?,
            gains: money(directory, to, worth.gains)?,
            difference: worth.difference,
        })
    }
}

fn money(directory: &Directory, currency: &Currency, micros: Micros) -> Result<MoneyBody, Error> {
    let money = directory.money_of(currency.issuer);
    let money =
        money.ok_or_else(|| anyhow::anyhow!("the issuer of {} has no money", currency.code))?;
    Ok(MoneyBody::of(money, micros))
}
