//! Reversals over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::{Refusal, Reversal};
use crate::access::{LedgerRead, Partner, ReversalsWrite};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::lot::Short;
use crate::ledger::operation::{Kind, Leg};
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{self, Ledger};
use crate::partners::AmountBody;
use crate::web::problem::{ReadProblems, WriteProblems};
use crate::web::text;
use crate::web::{Query, Write};
use chrono::{DateTime, Utc};

#[derive(OpenApi)]
#[openapi(
    paths(create, find, read),
    components(schemas(NewReversal, ReversalBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/reversals")
            .route(web::post().to(create))
            .route(web::get().to(find)),
    )
    .service(web::resource("/v1/reversals/{reversal}").route(web::get().to(read)));
}

const REVERSIBLE: [Kind; 3] = [Kind::Award, Kind::Redemption, Kind::Conversion];
const REVERSALS: [Kind; 3] = [
    Kind::AwardReversal,
    Kind::RedemptionReversal,
    Kind::ConversionReversal,
];
const ANY: [Kind; 7] = Kind::ALL;

/// What is to be undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReversal {
    /// The id of an award, a redemption or a conversion.
    operation: String,
    /// What you call the reversal: unique among your reversals for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// What was undone.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReversalBody {
    id: String,
    /// The operation that was undone.
    operation: String,
    /// What went back into the wallet it came from, into the same lots.
    given_back: Option<AmountBody>,
    /// What was taken back from the wallet it went to.
    taken_back: Option<AmountBody>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// Reverse an operation
///
/// Undoes an award, a redemption or a conversion of yours as a whole: points go back into the lots
/// they came from, with their old expiry, and the money goes back at the rates of then. Refused when
/// what would be taken back is spent.
#[utoipa::path(
    post, path = "/v1/reversals", operation_id = "createReversal", tag = "ledger",
    security(("partner" = ["reversals:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewReversal,
    responses((status = 201, description = "The reversal.", body = ReversalBody), WriteProblems)
)]
async fn create(
    partner: Partner<ReversalsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewReversal>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let named = shelf.by_id(partner.partner, &ANY, &body.operation).await?;
    let kind = reversal_of(&named, partner.partner)?;

    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let (version, _) = shelf.directories.at(moment, &shelf.pool).await?;
                let reversal = Reversal {
                    original: named.operation.clone(),
                };
                let reference = shelf.reference(partner.partner, kind, &body.reference);
                Ok((
                    reversal,
                    ledger::stamp(&partner.who, claim, version, reference),
                ))
            },
            |refusal| told(&shelf.ids, &named, refusal),
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show(&shelf.ids, &named)?))
}

/// The kind that undoes the operation, when the caller is who may: the issuer of what it gave or
/// took, and of a conversion the side that asked for it.
fn reversal_of(named: &Named, partner: i64) -> Result<Kind, Error> {
    let Named {
        operation,
        directory,
        ..
    } = named;
    let kind = operation
        .kind
        .reversal()
        .ok_or_else(|| not_reversible(operation.kind))?;
    let asked = operation
        .out
        .or(operation.into)
        .and_then(|leg| directory.currency_no(leg.wallet.asset()));
    match asked.is_some_and(|currency| currency.issuer == partner) {
        true => Ok(kind),
        false => {
            let who = "a conversion is reversed by the partner whose points were given";
            Err(Problem::new(Slug::Forbidden, who).into())
        }
    }
}

fn not_reversible(kind: Kind) -> Error {
    let kinds = REVERSIBLE.map(Kind::name).join(", ");
    Problem::new(
        Slug::NotReversible,
        format!("this is of kind {}; reversible are {kinds}", kind.name()),
    )
    .into()
}

fn told(ids: &Ids, named: &Named, refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotReversible(kind) => not_reversible(kind),
        Refusal::AlreadyReversed { by } => {
            let by = ids.show(id::Kind::Reversal, by);
            Problem::new(Slug::AlreadyReversed, format!("{by} reversed it"))
                .with("reversal", by)
                .into()
        }
        Refusal::Spent(short) => spent(named, short).unwrap_or_else(|error| error),
    }
}

fn spent(named: &Named, Short { held, needed }: Short) -> Result<Error, Error> {
    let Some(leg) = named.operation.into else {
        return Err(anyhow::anyhow!("nothing was to be taken back").into());
    };
    let held = api::amount(
        &named.directory,
        Leg {
            amount: held,
            ..leg
        },
    )?;
    let needed = api::amount(
        &named.directory,
        Leg {
            amount: needed,
            ..leg
        },
    )?;
    let left = format!(
        "{} {} is left of {}",
        held.amount, held.currency, needed.amount
    );
    let problem = Problem::new(Slug::ReversalSpent, left);
    Ok(problem
        .with("held", json!(held))
        .with("needed", json!(needed))
        .into())
}

/// Look a reversal up by your reference
#[utoipa::path(
    get, path = "/v1/reversals", operation_id = "findReversal", tag = "ledger",
    description = "The reversal that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    responses((status = 200, description = "The reversal.", body = ReversalBody), ReadProblems)
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<ReversalBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &REVERSALS, &query.0.reference)
        .await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

/// Read a reversal
#[utoipa::path(
    get, path = "/v1/reversals/{reversal}", operation_id = "readReversal", tag = "ledger",
    description = "A reversal of an operation of yours.",
    security(("partner" = ["ledger:read"])),
    params(("reversal" = String, Path, description = "The reversal's id.")),
    responses((status = 200, description = "The reversal.", body = ReversalBody), ReadProblems)
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ReversalBody>, Error> {
    let named = shelf.by_id(partner.partner, &REVERSALS, &path).await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

pub fn show(ids: &Ids, named: &Named) -> Result<ReversalBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let reversed = operation.reversed();
    let (kind, original) =
        reversed.ok_or_else(|| anyhow::anyhow!("{} reverses nothing", operation.id))?;
    Ok(ReversalBody {
        id: ids.show(id::Kind::Reversal, operation.id),
        operation: ids.show(ledger::id_kind(kind), original),
        given_back: operation
            .into
            .map(|leg| api::amount(directory, leg))
            .transpose()?,
        taken_back: operation
            .out
            .map(|leg| api::amount(directory, leg))
            .transpose()?,
        reference: reference.clone(),
        at: operation.at,
    })
}
