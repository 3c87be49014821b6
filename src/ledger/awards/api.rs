//! Awards over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::{Award, FURTHEST, Place, Reason, Refusal};
use crate::access::{AwardsWrite, LedgerRead, Partner, Sender};
use crate::clock;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::awards;
use crate::ledger::lot::LotKey;
use crate::ledger::operation::{Figures, Kind};
use crate::ledger::shelf::{Named, Shelf, Taken};
use crate::ledger::{self, Ledger};
use crate::partners::award_limits::api::AwardLimitBody;
use crate::partners::award_limits::limit::{Most, Reached};
use crate::partners::{AmountBody, Currency, MoneyBody};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::web::body::object;
use crate::web::text::{self, Mark};
use crate::web::{Query, Write};
use chrono::{DateTime, Utc};

#[derive(OpenApi)]
#[openapi(
    paths(create, find, read),
    components(schemas(NewAward, AwardBody, Reason))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/awards")
            .route(web::post().to(create))
            .route(web::get().to(find)),
    )
    .service(web::resource("/v1/awards/{award}").route(web::get().to(read)));
}

/// Points to give to a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAward {
    /// The member's id.
    member: String,
    /// How much, in a currency that you issue.
    #[serde(deserialize_with = "object")]
    amount: AmountBody,
    reason: Reason,
    /// From when the member can use them: within 366 days, before they expire. At once when left out.
    usable_from: Option<DateTime<Utc>>,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What you call it: unique among your awards for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Points given to a member.
#[derive(Debug, Serialize, ToSchema)]
pub struct AwardBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    /// When the points expire; null when never.
    expires_at: Option<DateTime<Utc>>,
    /// From when they can be used; null when at once.
    usable_from: Option<DateTime<Utc>>,
    /// Under which it was awarded by another than the issuer; null when by the issuer.
    #[schema(example = "mdt_0123456789abcdef")]
    mandate: Option<String>,
    /// What you owe for it; null when nothing.
    owes: Option<MoneyBody>,
    /// What you are owed for it; null when nothing.
    owed: Option<MoneyBody>,
    reason: Option<String>,
    channel: Option<String>,
    location: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// Award points
///
/// Gives points of a currency that you issue to one of your members. What the wallet owes is paid
/// first. Refused when it goes over an award limit of the currency for its reason.
#[utoipa::path(
    post, path = "/v1/awards", operation_id = "createAward", tag = "ledger",
    security(("partner" = ["awards:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewAward,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "kept-by-partner", "limit-reached",
        "membership-missing", "not-found", "not-your-currency", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "reference-taken"]))),
    responses((status = 201, description = "The award.", body = AwardBody))
)]
async fn create(
    partner: Sender<AwardsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewAward>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let taken = shelf
                    .take(partner.asking(moment), &body.member, &body.amount)
                    .await?;
                let Taken {
                    version,
                    wallet,
                    amount,
                    programme,
                } = taken;
                let place = Place::of(&body.channel, &body.location);
                let award = Award {
                    wallet,
                    amount,
                    programme,
                    reason: body.reason,
                    usable_from: body.usable_from,
                    place,
                    at: moment.now,
                    imported: None,
                };
                let reference = shelf.reference(partner.partner, Kind::Award, &body.reference);
                Ok((
                    award,
                    ledger::stamp(&partner.who, claim, version, reference),
                ))
            },
            told,
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show(&shelf.ids, &named, Some(partner.partner))?))
}

/// How a refusal is told.
pub fn told(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::UsableFrom => {
            let days = FURTHEST.num_days();
            let rule = format!("an instant within the next {days} days, before the points expire");
            Problem::field("/usable_from", rule).into()
        }
        Refusal::LimitReached(reached, currency) => limit_reached(&reached, &currency).into(),
    }
}

fn limit_reached(reached: &Reached, currency: &Currency) -> Problem {
    let Reached {
        limit,
        standing,
        needed,
    } = reached;
    let counted = |count: i64| match limit.most {
        Most::Units(_) => json!(AmountBody::of(currency, count)),
        Most::Times(_) => json!(count),
    };
    let detail = format!("for {} no more is awarded", limit.reason.name());
    Problem::new(Slug::LimitReached, detail)
        .with("limit", json!(AwardLimitBody::of(currency, limit)))
        .with("left", counted(standing.left()))
        .with("needed", counted(*needed))
        .with("renews_at", json!(standing.renews_at))
}

/// Look an award up by your reference
#[utoipa::path(
    get, path = "/v1/awards", operation_id = "findAward", tag = "ledger",
    description = "The award that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The award.", body = AwardBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<AwardBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Award], &query.0.reference)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named, Some(partner.partner))?))
}

/// Read an award
#[utoipa::path(
    get, path = "/v1/awards/{award}", operation_id = "readAward", tag = "ledger",
    description = "An award of a currency that you issue, or that you made under a mandate.",
    security(("partner" = ["ledger:read"])),
    params(("award" = String, Path, description = "The award's id.")),
    responses((status = 200, description = "The award.", body = AwardBody))
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<AwardBody>, Error> {
    let named = shelf.by_id(partner.partner, &[Kind::Award], &path).await?;
    Ok(web::Json(show(&shelf.ids, &named, Some(partner.partner))?))
}

/// An award as a partner sees it, with its own money only; with all of it when none, for the hub's people.
pub fn show(ids: &Ids, named: &Named, partner: Option<i64>) -> Result<AwardBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let leg = operation
        .into
        .ok_or_else(|| anyhow::anyhow!("award {} gives nothing", operation.id))?;
    let lot = operation
        .lots
        .iter()
        .rfind(|lot| lot.change > 0 && lot.lot != LotKey::RECEIVABLE)
        .map(|lot| lot.lot);
    let money = |side: fn(&Figures) -> (Account, Micros)| {
        let side = operation.figures.as_ref().map(side);
        let is_theirs = |position: Account| partner.is_none_or(|it| it == position.owner());
        let side = side.filter(|(position, amount)| is_theirs(*position) && *amount > Micros::ZERO);
        side.map(|(position, amount)| {
            let money = directory.money(position.asset());
            let money = money.ok_or_else(|| anyhow::anyhow!("{} has no money", position.0))?;
            Ok::<_, Error>(MoneyBody::of(money, amount))
        })
        .transpose()
    };
    Ok(AwardBody {
        id: ids.show(id::Kind::Award, operation.id),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: api::amount(directory, leg)?,
        expires_at: lot
            .map(|lot| lot.expires_at)
            .filter(|at| *at != clock::NEVER),
        usable_from: lot
            .map(|lot| lot.usable_from)
            .filter(|at| *at != clock::ALWAYS),
        mandate: awards::mandate_of(operation).map(|id| ids.show(id::Kind::Mandate, id)),
        owes: money(|it| (it.pays, it.gross))?,
        owed: money(|it| (it.paid, it.value))?,
        reason: api::remembered(operation, "reason"),
        channel: api::remembered(operation, "channel"),
        location: api::remembered(operation, "location"),
        reference: reference.clone(),
        at: operation.at,
    })
}
