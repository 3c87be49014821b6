//! Codes that are presented, over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::code::Code;
use super::{Delivery, Refusal};
use crate::access::{ConversionsWrite, LedgerRead, Partner, Sender};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::operation::{Kind, Operation};
use crate::ledger::programme::Programme;
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{self, Ledger};
use crate::partners::{AmountBody, Currency};
use crate::secret::Secrets;
use crate::web::text;
use crate::web::{Query, Write};

#[derive(OpenApi)]
#[openapi(
    paths(create, find, read),
    components(schemas(NewDelivery, DeliveryBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/deliveries")
            .route(web::post().to(create))
            .route(web::get().to(find)),
    )
    .service(web::resource("/v1/deliveries/{delivery}").route(web::get().to(read)));
}

/// A code that a member presents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDelivery {
    /// The code. Case, spaces and hyphens do not matter; O is read as 0, I and L as 1.
    #[schema(example = "7ZB3K-0F9QT-M2C4X-8RWJN-5DGH1-6PVSA")]
    code: String,
    /// The id of the member who presents it: any of your programme, and has what it delivers.
    member: String,
    /// What you call it: unique among your deliveries for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// What was delivered for a code.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryBody {
    id: String,
    /// The conversion that the code was of.
    conversion: String,
    /// Whose wallet it is in now.
    wallet: String,
    amount: AmountBody,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// Present a code
///
/// Delivers what a conversion into your points gained by code, to the member of yours who presents it: a code
/// is its bearer's, and delivers once. The points can be used from now on, and their expiry begins now. A code
/// that is wrong, or of another brand, is told as one that does not exist.
#[utoipa::path(
    post, path = "/v1/deliveries", operation_id = "createDelivery", tag = "conversions",
    security(("partner" = ["conversions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewDelivery,
    extensions(("x-problems" = json!(["delivery-code-ended", "delivery-code-unknown", "delivery-code-used",
        "not-found", "not-in-pilot", "partner-state", "partner-suspended", "reference-taken"]))),
    responses((status = 201, description = "What was delivered.", body = DeliveryBody))
)]
async fn create(
    partner: Sender<ConversionsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewDelivery>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let named = conversion_of(&shelf, partner.partner, &body.code).await?;
    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let (version, directory) = shelf.directories.at(moment, &shelf.pool).await?;
                let gained = named.operation.into.map(|leg| leg.wallet.asset());
                let currency = gained.and_then(|gained| directory.currency_no(gained));
                let currency = currency.ok_or_else(unknown)?;
                let wanted = (body.member.as_str(), &**currency, &**currency);
                let asking = partner.asking(moment);
                let wallet = shelf.wallets_of(asking, wanted).await?.from;
                let delivery = Delivery {
                    conversion: named.operation.clone(),
                    wallet,
                    programme: Programme::of(&directory, currency),
                };
                let reference = shelf.reference(partner.partner, Kind::Delivery, &body.reference);
                let stamp = ledger::stamp(&partner.who, claim, version, reference);
                Ok((delivery, stamp))
            },
            |refusal| told(&shelf.ids, refusal),
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show(&shelf.ids, &named)?))
}

/// The conversion that a code is of, when it is into points of the partner.
async fn conversion_of(shelf: &Shelf, partner: i64, text: &str) -> Result<Named, Error> {
    let code = Code::read(text).ok_or_else(unknown)?;
    let id = format!("{}_{:016x}", id::Kind::Conversion.prefix(), code.name);
    let found = shelf.by_id(partner, &[Kind::Conversion], &id).await;
    let named = found.map_err(|error| match error {
        Error::Refused(_) => unknown().into(),
        broken => broken,
    })?;
    let right = code_of(&shelf.ids, &shelf.secrets, &named.operation);
    let is_theirs = gained(&named).is_some_and(|currency| currency.issuer == partner);
    match right.is_some_and(|right| right.is(&code)) && is_theirs {
        true => Ok(named),
        false => Err(unknown().into()),
    }
}

fn gained(named: &Named) -> Option<&Currency> {
    let leg = named.operation.into?;
    let currency = named.directory.currency_no(leg.wallet.asset())?;
    Some(currency)
}

/// The code of a conversion; none when it delivers by none.
pub fn code_of(ids: &Ids, secrets: &Secrets, conversion: &Operation) -> Option<Code> {
    super::valid_until(conversion)?;
    let id = ids.show(id::Kind::Conversion, conversion.id);
    let (_, digits) = id.split_once('_')?;
    let name = u64::from_str_radix(digits, 16).ok()?;
    let hash = secrets.hash(&[b"delivery code", &conversion.id.to_be_bytes()]);
    Some(Code::of(name, hash))
}

fn unknown() -> Problem {
    let detail = "no conversion into points of yours has this code";
    Problem::new(Slug::DeliveryCodeUnknown, detail)
}

fn told(ids: &Ids, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::Used { by } => {
            let by = ids.show(id::Kind::Delivery, by);
            Problem::new(Slug::DeliveryCodeUsed, format!("{by} delivered for it"))
                .with("delivery", by)
                .into()
        }
        Refusal::Lapsed(at) => {
            Problem::new(Slug::DeliveryCodeEnded, format!("it ended at {at}")).into()
        }
        Refusal::Undone => {
            let detail = "its conversion was undone";
            Problem::new(Slug::DeliveryCodeEnded, detail).into()
        }
    }
}

/// Look a delivery up by your reference
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "findDelivery", tag = "conversions",
    description = "What was delivered for a code, by the reference that you gave it.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The delivery.", body = DeliveryBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<DeliveryBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Delivery], &query.0.reference)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

/// Read a delivery
#[utoipa::path(
    get, path = "/v1/deliveries/{delivery}", operation_id = "readDelivery", tag = "conversions",
    description = "What was delivered for a code, of points that you issue.",
    security(("partner" = ["ledger:read"])),
    params(("delivery" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryBody))
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<DeliveryBody>, Error> {
    let named = shelf
        .by_id(partner.partner, &[Kind::Delivery], &path)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

pub fn show(ids: &Ids, named: &Named) -> Result<DeliveryBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let parts = operation.into.zip(operation.follows);
    let (leg, conversion) =
        parts.ok_or_else(|| anyhow::anyhow!("delivery {} is not whole", operation.id))?;
    Ok(DeliveryBody {
        id: ids.show(id::Kind::Delivery, operation.id),
        conversion: ids.show(id::Kind::Conversion, conversion),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: api::amount(directory, leg)?,
        reference: reference.clone(),
        at: operation.at,
    })
}
