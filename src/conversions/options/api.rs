//! Options over HTTP.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::{self, Data, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{Choice, Held, choices, deciding};
use crate::access::{LedgerRead, Partner};
use crate::clock::Timestamp;
use crate::conversions::limits;
use crate::conversions::quoted::{LimitBody, WorthBody, arrives};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::ledger::tally::{Mark, TallyKey, Wanted};
use crate::partners::{AmountBody, Currency, Directory};
use crate::points::account::Account;
use crate::points::amount;
use crate::rates::{Books, PublishedCard};
use crate::web::Query;
use crate::web::problem::ReadProblems;
use crate::web::text::Word;

#[derive(OpenApi)]
#[openapi(paths(list), components(schemas(OptionsBody, OptionBody)))]
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
    /// Best first, by what is gained against what is given.
    items: Vec<OptionBody>,
}

/// One card, applied to what the wallet holds: nothing is promised until a quote is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionBody {
    /// The code of the currency to get.
    to: String,
    /// The version of the rate card.
    card: String,
    /// The largest amount that the wallet can pay; the smallest that the card takes when it cannot.
    gives: AmountBody,
    gains: AmountBody,
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
    /// `at_once`: with the conversion. Otherwise when it could be used, if it were converted now.
    arrives: String,
}

/// List what a wallet could become
#[utoipa::path(
    get, path = "/v1/conversions/options", operation_id = "listConversionOptions", tag = "conversions",
    description = "By each currency to get the rate card that decides for this member now, applied to what the wallet holds, best first.",
    security(("partner" = ["ledger:read"])),
    params(OfWallet),
    responses((status = 200, description = "The options.", body = OptionsBody), ReadProblems)
)]
async fn list(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    books: Data<Books>,
    query: Query<OfWallet>,
) -> Result<web::Json<OptionsBody>, Error> {
    let (who, moment) = (partner.partner, partner.moment);
    let (wallet, currency) = shelf.own_wallet(who, moment, &query.0.wallet).await?;
    let (_, book) = books.at(moment, &shelf.pool).await?;
    let lots = store::lots_of(&mut *shelf.pool.get().await?, wallet).await?;
    let usable = lots.iter().filter(|lot| lot.key().is_usable(moment.now));
    let lots: Vec<_> = usable.map(|lot| (lot.key(), lot.available)).collect();
    let available = lots.iter().map(|(_, available)| available).sum();
    let channel = query.0.channel.as_ref();
    let cards = deciding(&shelf, &book, (wallet, &currency), channel, moment.now).await?;
    let held = Held {
        from: &currency,
        wallet,
        lots,
        marks: marks(&shelf, &cards, (&currency, wallet), moment.now).await?,
    };
    let choices = choices(&book, &held, &cards, moment.now);
    let items = choices
        .iter()
        .map(|choice| show(&shelf.ids, &book.directory, &currency, choice, moment.now));
    Ok(web::Json(OptionsBody {
        available: AmountBody::of(&currency, available),
        items: items.collect::<Result<_, _>>()?,
    }))
}

/// The tallies of these cards.
async fn marks(
    shelf: &Shelf,
    cards: &[Arc<PublishedCard>],
    (from, wallet): (&Currency, Account),
    now: Timestamp,
) -> Result<HashMap<TallyKey, Vec<Mark>>, Error> {
    let wanted = cards
        .iter()
        .flat_map(|card| limits::wanted(&card.card.terms, (from, wallet), card.to, now));
    let wanted: Vec<Wanted> = wanted.collect();
    match wanted.is_empty() {
        true => Ok(HashMap::new()),
        false => store::tallies(&mut *shelf.pool.get().await?, &wanted).await,
    }
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
        card: ids.show(Kind::RateCard, choice.card.id),
        gives: AmountBody::of(from, choice.given),
        gains: AmountBody::of(to, choice.gained),
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
