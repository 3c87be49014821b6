//! Options over HTTP.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{self, Data, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::ways::{self, Way};
use super::{Choice, Held, choices, counting, deciding};
use crate::access::{LedgerRead, OrMember, Partner};
use crate::clock::Timestamp;
use crate::conversions::api::must_be_proved;
use crate::conversions::quoted::{
    CampaignGainBody, LimitBody, QuotedBonusBody, WorthBody, arrives,
};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::partners::link_terms::api::StepUpTermsBody;
use crate::partners::{AmountBody, Currency, Directory};
use crate::points::account::{Account, Asset};
use crate::points::amount;
use crate::rates::{Book, Books, PublishedCard};
use crate::web::Query;
use crate::web::text::Word;

#[derive(OpenApi)]
#[openapi(
    paths(list),
    components(schemas(OptionsBody, OptionBody, OptionLegBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/conversions/options").route(web::get().to(list)));
}

/// Whose points.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OfWallet {
    /// The wallet's id.
    wallet: String,
    /// How the member asks, where rate cards tell by it.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9_]{1,40}$")]
    channel: Option<Word>,
}

/// Where the points of a wallet could go now.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionsBody {
    /// What of the wallet can be used now.
    available: AmountBody,
    /// What the member has to prove anew before it may have a quote; null when nothing, or when the partner itself
    /// asks.
    step_up: Option<StepUpTermsBody>,
    /// Best first, by what is gained against what is given.
    items: Vec<OptionBody>,
}

/// One card, or two in a row, applied to what the wallet holds: nothing is promised until a quote is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionBody {
    /// The code of the currency to get.
    to: String,
    /// The code of the currency on the way; null when one card decides. Ask for a quote with the same.
    through: Option<String>,
    /// The version of the rate card; of the first one, where there are two.
    card: String,
    /// Through a third currency, what each card makes of it; empty otherwise.
    legs: Vec<OptionLegBody>,
    /// The largest amount that the wallet can pay; the smallest that the card takes when it cannot.
    gives: AmountBody,
    /// What it would become, bonuses included.
    gains: AmountBody,
    /// What of it would be bonuses: the card's, then those of campaigns. Empty through a third currency.
    bonuses: Vec<QuotedBonusBody>,
    /// The campaigns that a quote would count on now, for this wallet and as their limits and budgets stand.
    campaigns: Vec<CampaignGainBody>,
    /// What of `gives` is a fee in points, or was taken off `gains` as one; null when nothing.
    fee_points: Option<AmountBody>,
    /// Printed units gained for one given, rounded down to six decimals.
    #[schema(example = "1.218700")]
    rate: String,
    /// What the wallet lacks of `gives`; null when nothing.
    missing: Option<AmountBody>,
    /// What both sides are worth to a member, as their issuers say.
    worth: WorthBody,
    /// Limits of the card within a period, as they stand now.
    limits: Vec<LimitBody>,
    /// Until when the link with the issuer of `to` cools off, and a quote is refused; null when it does not.
    cools_until: Option<DateTime<Utc>>,
    /// `at_once`: with the conversion. `by_code`: once a code is presented. `when_credited`: once the issuer, who keeps the balances, has credited it. Otherwise when it could be used, if it were converted now.
    arrives: String,
}

/// What one of two cards makes of what the one before it gives.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionLegBody {
    card: String,
    gives: AmountBody,
    gains: AmountBody,
}

/// List what a wallet could become
#[utoipa::path(
    get, path = "/v1/conversions/options", operation_id = "listConversionOptions", tag = "conversions",
    description = "By each currency to get the rate card that decides for this member now, applied to what the wallet holds, with what campaigns add, and the best way through a third currency where that gives more for one; best first.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"])),
    params(OfWallet),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The options.", body = OptionsBody))
)]
async fn list(
    partner: Partner<OrMember<LedgerRead>>,
    shelf: Shelf,
    books: Data<Books>,
    query: Query<OfWallet>,
) -> Result<web::Json<OptionsBody>, Error> {
    let (caller, moment) = ((partner.partner, partner.who.acted()), partner.moment);
    let (wallet, currency) = shelf.own_wallet(caller, moment, &query.0.wallet).await?;
    let (_, book) = books.at(moment, &shelf.pool).await?;
    let lots = store::lots_of(&mut *shelf.pool.get().await?, wallet).await?;
    let usable = lots.iter().filter(|lot| lot.key().is_usable(moment.now));
    let lots: Vec<_> = usable.map(|lot| (lot.key(), lot.available)).collect();
    let available = lots.iter().map(|(_, available)| available).sum();
    let channel = query.0.channel.as_ref();
    let link_terms = book.directory.link_terms(currency.issuer);
    let step_up = must_be_proved(&book, &partner.who).err();
    let step_up = step_up.and_then(|_| StepUpTermsBody::of(&link_terms.step_up));
    let counting = counting(&shelf, &book, (wallet, &currency), channel, moment.now).await?;
    let cards: Vec<_> = counting.iter().map(|it| it.card.clone()).collect();
    let held = Held::load(
        &shelf,
        (wallet, &currency),
        lots,
        &cards,
        link_terms,
        moment.now,
    )
    .await?;
    let seconds = seconds(&shelf, &book, (wallet, &cards), channel, moment.now).await?;
    let choices = choices(&book, &held, &counting, moment.now);
    let ways = ways::ways(&book, &held, &cards, &seconds, &choices, moment.now);
    let direct = choices.iter().map(|choice| {
        let body = show(&shelf.ids, &book.directory, &currency, choice, moment.now)?;
        Ok((choice.worth, body))
    });
    let through = ways.iter().map(|way| {
        let body = show_way(&shelf.ids, &book.directory, &currency, way, moment.now)?;
        Ok((way.worth, body))
    });
    let mut items = direct.chain(through).collect::<Result<Vec<_>, Error>>()?;
    items.sort_by_cached_key(|(worth, body)| {
        let difference = worth.difference.unwrap_or(i64::MIN);
        (Reverse(difference), body.to.clone())
    });
    Ok(web::Json(OptionsBody {
        available: AmountBody::of(&currency, available),
        step_up,
        items: items.into_iter().map(|(_, body)| body).collect(),
    }))
}

/// The cards that would decide for the member out of what these give.
async fn seconds(
    shelf: &Shelf,
    book: &Book,
    (wallet, firsts): (Account, &[Arc<PublishedCard>]),
    channel: Option<&Word>,
    now: Timestamp,
) -> Result<BTreeMap<Asset, Vec<Arc<PublishedCard>>>, Error> {
    let mut seconds = BTreeMap::new();
    for first in firsts {
        if let Some(between) = book.directory.currency_no(first.to) {
            let cards = deciding(shelf, book, (wallet, between), channel, now).await?;
            seconds.insert(first.to, cards);
        }
    }
    Ok(seconds)
}

fn show_way(
    ids: &Ids,
    directory: &Directory,
    from: &Currency,
    way: &Way,
    now: Timestamp,
) -> Result<OptionBody, Error> {
    let (between, to) = (&way.between, &way.to);
    let cards = way.cards.each_ref();
    let cards = cards.map(|card| ids.show(Kind::RateCard, card.id));
    let amounts = [(from, way.given), (between, way.middle), (to, way.gained)];
    let amounts = amounts.map(|(currency, units)| AmountBody::of(currency, units));
    let legs = cards.iter().zip(amounts.windows(2));
    let leg = |(card, ends): (&String, &[AmountBody])| OptionLegBody {
        card: card.clone(),
        gives: ends[0].clone(),
        gains: ends[1].clone(),
    };
    let [first, second] = &way.cards;
    Ok(OptionBody {
        legs: legs.map(leg).collect(),
        bonuses: Vec::new(),
        campaigns: Vec::new(),
        through: Some(between.code.clone()),
        to: to.code.clone(),
        card: ids.show(Kind::RateCard, first.id),
        rate: amount::per_unit((way.gained, to.scale), (way.given, from.scale)),
        missing: (way.missing > 0).then(|| AmountBody::of(from, way.missing)),
        worth: WorthBody::of(directory, (from, to), &way.worth)?,
        arrives: arrives(&second.card, to, now),
        limits: way
            .limits
            .iter()
            .map(|limit| LimitBody::of(limit, from, between))
            .collect(),
        fee_points: None,
        gives: AmountBody::of(from, way.given),
        gains: AmountBody::of(to, way.gained),
        cools_until: way.cools_until,
    })
}

fn show(
    ids: &Ids,
    directory: &Directory,
    from: &Currency,
    choice: &Choice,
    now: Timestamp,
) -> Result<OptionBody, Error> {
    let to = &choice.to;
    let is_short = choice.missing > 0;
    Ok(OptionBody {
        to: to.code.clone(),
        through: None,
        legs: Vec::new(),
        bonuses: QuotedBonusBody::all(ids, to, &choice.evaluated, &choice.promises),
        campaigns: CampaignGainBody::all(ids, to, &choice.promises),
        card: ids.show(Kind::RateCard, choice.card.id),
        gives: AmountBody::of(from, choice.given),
        gains: AmountBody::of(to, choice.gained),
        cools_until: choice.cools_until,
        fee_points: choice.fee.map(|(asset, units)| match asset == from.no {
            true => AmountBody::of(from, units),
            false => AmountBody::of(to, units),
        }),
        rate: amount::per_unit((choice.gained, to.scale), (choice.given, from.scale)),
        missing: is_short.then(|| AmountBody::of(from, choice.missing)),
        worth: WorthBody::of(directory, (from, to), &choice.worth)?,
        arrives: arrives(&choice.card.card, to, now),
        limits: choice
            .limits
            .iter()
            .map(|limit| LimitBody::of(limit, from, to))
            .collect(),
    })
}
