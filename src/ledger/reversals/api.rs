//! Reversals over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::{Refusal, Reversal};
use crate::access::{LedgerRead, Operator, Partner, Reader, ReversalsWrite};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::lot::{LotKey, Short};
use crate::ledger::operation::{Kind, Leg, Operation};
use crate::ledger::shelf::{self, Named, Shelf};
use crate::ledger::{self, Ledger};
use crate::partners::life::Act;
use crate::partners::{AmountBody, Currency};
use crate::web::body::object_or_none;
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

const REVERSIBLE: [Kind; 4] = [
    Kind::Award,
    Kind::Redemption,
    Kind::Conversion,
    Kind::Capture,
];
const REVERSALS: [Kind; 4] = [
    Kind::AwardReversal,
    Kind::RedemptionReversal,
    Kind::ConversionReversal,
    Kind::CaptureReversal,
];

/// What is to be undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReversal {
    /// The id of an award, a redemption, a conversion or a capture.
    operation: String,
    /// How much to undo, in the currency that the operation took, or gave when it took none. All that
    /// is left when this is left out.
    #[serde(default, deserialize_with = "object_or_none")]
    amount: Option<AmountBody>,
    /// What you call the reversal: unique among your reversals for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
    /// What was spent meanwhile is owed by the wallet, and paid first by what comes in. You may say so of
    /// your awards, an operator of anything. Without it such a reversal is refused.
    #[serde(default)]
    receivable: bool,
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
    /// What the partner that keeps the balances of what went back is to credit; null where the hub keeps them.
    #[schema(example = "crt_0123456789abcdef")]
    credit: Option<String>,
    /// How much of that the wallet owes, because it was spent.
    owed: Option<AmountBody>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// Reverse an operation
///
/// Undoes an award, a redemption, a conversion or a capture of yours, whole or in parts: points go back
/// into the lots they came from, with their old expiry, and the money goes back at the rates of then. Of a
/// conversion of X into Y, what has been taken back so far is Y × reversed so far / X, rounded up;
/// money likewise, to the millionth, and fees; so parts sum to the whole. A fee that covers a period is to be
/// paid again once the conversion that paid it is undone whole. Refused when it is more than is left,
/// or what would be taken back is spent. An operator may undo anybody's.
#[utoipa::path(
    post, path = "/v1/reversals", operation_id = "createReversal", tag = "ledger",
    security(("partner" = ["reversals:write"]), ("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewReversal,
    extensions(("x-problems" = json!(["already-reversed", "amount-scale", "amount-too-large", "award-frozen", "more-than-left",
        "kept-by-partner", "not-found", "not-reversible", "partner-state", "partner-suspended", "reference-taken", "reversal-spent"]))),
    responses((status = 201, description = "The reversal.", body = ReversalBody))
)]
async fn create(
    reader: Reader<ReversalsWrite, Operator>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewReversal>,
) -> Result<HttpResponse, Error> {
    let claim = reader.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let named = shelf
        .by_id(reader.partner(), &Kind::ALL, &body.operation)
        .await?;
    let kind = reversal_of(&named, reader.partner())?;
    may_take_back(&named)?;
    may_owe(&named, &body, reader.partner())?;

    let operation = ledger
        .carry_out(
            reader.moment,
            async |moment| {
                let (version, directory) = shelf.directories.at(moment, &shelf.pool).await?;
                api::must_allow(&directory, &named.operation, Act::Reverse, moment.now)?;
                let reversal = Reversal {
                    amount: api::part(&directory, &named.operation, body.amount.as_ref())?,
                    original: named.operation.clone(),
                    receivable: body.receivable,
                    undoes: None,
                };
                let reference = reader
                    .partner()
                    .and_then(|partner| shelf.reference(partner, kind, &body.reference));
                Ok((
                    reversal,
                    ledger::stamp(&reader.who, claim, version, reference),
                ))
            },
            |refusal| told(&shelf.ids, &named, refusal),
        )
        .await?;
    let named = shelf
        .named(reader.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show(&shelf.ids, &named)?))
}

/// The kind that undoes the operation, when the caller is who may: the issuer of what it gave or
/// took, of a conversion the side that asked for it, and of an award under a mandate who made it.
fn reversal_of(named: &Named, partner: Option<i64>) -> Result<Kind, Error> {
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
    let is_theirs = |partner| {
        asked.is_some_and(|currency: &std::sync::Arc<Currency>| currency.issuer == partner)
    };
    let is_awarded_by =
        |partner| operation.kind == Kind::Award && shelf::is_paid_by_or_to(partner, operation);
    match partner.is_none_or(|partner| is_theirs(partner) || is_awarded_by(partner)) {
        true => Ok(kind),
        false => {
            let who = "a conversion is reversed by the partner whose points were given";
            Err(Problem::new(Slug::Forbidden, who).into())
        }
    }
}

/// What an issuer is to credit in its own books, or did, the hub cannot take back.
fn may_take_back(named: &Named) -> Result<(), Error> {
    let leg = named.operation.into;
    let Some(leg) = leg.filter(|leg| leg.wallet.is_kept_by_partner()) else {
        return Ok(());
    };
    let currency = named.directory.currency_no(leg.wallet.asset());
    let code = currency.map_or("", |currency| &currency.code);
    let detail = format!(
        "the issuer of {code} keeps its balances: it is undone when the issuer rejects its credit"
    );
    Err(Problem::new(Slug::KeptByPartner, detail).into())
}

/// Who may let a wallet owe what it spent; and only a partner has references.
fn may_owe(named: &Named, body: &NewReversal, partner: Option<i64>) -> Result<(), Error> {
    let is_award_of = |partner| {
        let leg = named.operation.into;
        let leg = leg.filter(|_| named.operation.kind == Kind::Award);
        let currency = leg.and_then(|leg| named.directory.currency_no(leg.wallet.asset()));
        currency.is_some_and(|currency| currency.issuer == partner)
    };
    match partner {
        Some(partner) if body.receivable && !is_award_of(partner) => {
            let who = "of awards the issuer may say `receivable`, of anything else an operator";
            Err(Problem::new(Slug::Forbidden, who).into())
        }
        None if body.reference.is_some() => {
            let rule = "left out: references are a partner's";
            Err(Problem::field("/reference", rule).into())
        }
        _ => Ok(()),
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
        Refusal::MoreThanLeft { left } => {
            let leg = named.operation.out.or(named.operation.into);
            api::more_than_left(&named.directory, leg, left)
        }
        Refusal::Frozen(import) => {
            let import = ids.show(id::Kind::Import, import);
            let detail = format!("points of {import} in its wallet are frozen");
            Problem::new(Slug::AwardFrozen, detail)
                .with("import", import)
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
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The reversal.", body = ReversalBody))
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
    responses((status = 200, description = "The reversal.", body = ReversalBody))
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ReversalBody>, Error> {
    let named = shelf.by_id(partner.partner, &REVERSALS, &path).await?;
    Ok(web::Json(show(&shelf.ids, &named)?))
}

/// What a reversal could not take.
fn owed(operation: &Operation) -> Option<Leg> {
    let leg = operation.out?;
    let mut lots = operation.losses(leg.wallet);
    let (_, amount) = lots.find(|(lot, _)| *lot == LotKey::RECEIVABLE)?;
    Some(Leg { amount, ..leg })
}

pub fn show(ids: &Ids, named: &Named) -> Result<ReversalBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let reversed = operation.followed();
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
        credit: operation
            .into
            .filter(|leg| leg.wallet.is_kept_by_partner())
            .map(|_| ids.show(id::Kind::Credit, operation.id)),
        owed: owed(operation)
            .map(|leg| api::amount(directory, leg))
            .transpose()?,
        reference: reference.clone(),
        at: operation.at,
    })
}
