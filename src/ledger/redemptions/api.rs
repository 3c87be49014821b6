//! Redemptions over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{Redemption, Refusal};
use crate::access::{LedgerRead, Partner, RedemptionsWrite, Sender};
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::awards::Place;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::{Named, Shelf, Taken};
use crate::ledger::{self, Ledger};
use crate::partners::AmountBody;
use crate::web::body::object;
use crate::web::text::{self, Mark};
use crate::web::{Query, Write};
use chrono::{DateTime, Utc};

#[derive(OpenApi)]
#[openapi(
    paths(create, find, read),
    components(schemas(NewRedemption, RedemptionBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/redemptions")
            .route(web::post().to(create))
            .route(web::get().to(find)),
    )
    .service(web::resource("/v1/redemptions/{redemption}").route(web::get().to(read)));
}

/// Points that a member spends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRedemption {
    /// The member's id.
    member: String,
    /// How much, in a currency that you issue.
    #[serde(deserialize_with = "object")]
    amount: AmountBody,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What you call it: unique among your redemptions for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Points that a member spent.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedemptionBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    channel: Option<String>,
    location: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// Redeem points
///
/// Takes points that a member spends with you, those that expire first first.
#[utoipa::path(
    post, path = "/v1/redemptions", operation_id = "createRedemption", tag = "ledger",
    security(("partner" = ["redemptions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewRedemption,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "balance-too-low", "kept-by-partner",
        "membership-missing", "not-found", "not-your-currency", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "reference-taken"]))),
    responses((status = 201, description = "The redemption.", body = RedemptionBody))
)]
async fn create(
    partner: Sender<RedemptionsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewRedemption>,
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
                let redemption = Redemption {
                    wallet,
                    amount,
                    programme,
                    place,
                };
                let reference = shelf.reference(partner.partner, Kind::Redemption, &body.reference);
                Ok((
                    redemption,
                    ledger::stamp(&partner.who, claim, version, reference),
                ))
            },
            told,
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show(&shelf.ids, &named)?))
}

fn told(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::BalanceTooLow(short, currency) => api::balance_too_low(short, &currency).into(),
    }
}

/// Look a redemption up by your reference
#[utoipa::path(
    get, path = "/v1/redemptions", operation_id = "findRedemption", tag = "ledger",
    description = "The redemption that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The redemption.", body = RedemptionBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<RedemptionBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Redemption], &query.0.reference)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

/// Read a redemption
#[utoipa::path(
    get, path = "/v1/redemptions/{redemption}", operation_id = "readRedemption", tag = "ledger",
    description = "A redemption of a currency that you issue.",
    security(("partner" = ["ledger:read"])),
    params(("redemption" = String, Path, description = "The redemption's id.")),
    responses((status = 200, description = "The redemption.", body = RedemptionBody))
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<RedemptionBody>, Error> {
    let named = shelf
        .by_id(partner.partner, &[Kind::Redemption], &path)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

pub fn show(ids: &Ids, named: &Named) -> Result<RedemptionBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let leg = operation
        .out
        .ok_or_else(|| anyhow::anyhow!("redemption {} takes nothing", operation.id))?;
    Ok(RedemptionBody {
        id: ids.show(id::Kind::Redemption, operation.id),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: api::amount(directory, leg)?,
        channel: api::remembered(operation, "channel"),
        location: api::remembered(operation, "location"),
        reference: reference.clone(),
        at: operation.at,
    })
}
