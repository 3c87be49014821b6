//! Adjustments over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::adjustment::{Adjustment, Wanted};
use super::{agree, find, propose, unknown};
use crate::access::{Auditor, Finance, LedgerRead, Operator, Reader, Staff};
use crate::approvals::Verdict;
use crate::clock;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::operation::{Leg, Operation};
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{Ledger, api};
use crate::members;
use crate::partners::{AmountBody, Directory};
use crate::points::account::Account;
use crate::web::Write;
use crate::web::body::object;
use crate::web::once::once;
use crate::web::text::Name;

#[derive(OpenApi)]
#[openapi(
    paths(create, read, approve, reject),
    components(schemas(NewAdjustment, ReadAdjustment, AdjustmentBody, AdjustedBody, Direction))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/adjustments").route(web::post().to(create)))
        .service(web::resource("/v1/adjustments/{adjustment}").route(web::get().to(read)))
        .service(
            web::resource("/v1/adjustments/{adjustment}/approve").route(web::post().to(approve)),
        )
        .service(
            web::resource("/v1/adjustments/{adjustment}/reject").route(web::post().to(reject)),
        );
}

/// Which way points go.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the wallet.
    Credit,
    /// Out of the wallet, those that expire first first.
    Debit,
}

/// How a wallet is to be put right.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdjustment {
    /// The member's id.
    member: String,
    #[serde(deserialize_with = "object")]
    amount: AmountBody,
    direction: Direction,
    /// Why, for who has to agree and for the books: 1 to 120 characters, nothing about a person.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    reason: Name,
}

/// What was read and is approved or rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadAdjustment {
    /// The `content_hash` of the adjustment that was read.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    content_hash: String,
}

/// A correction of a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdjustmentBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    direction: Direction,
    /// When a credit expires; null when never, and for a debit.
    expires_at: Option<DateTime<Utc>>,
    reason: String,
    /// `proposed`, `approved` (and about to be posted), `rejected`, `posted`, or `refused`: less was
    /// there than was to be taken.
    state: String,
    /// Send it when you approve: it says what you read.
    content_hash: String,
    at: DateTime<Utc>,
}

/// An adjustment that was posted, as its wallet saw it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdjustedBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    direction: Direction,
    at: DateTime<Utc>,
}

/// Propose an adjustment
///
/// By an operator: points into a member's wallet or out of it, to put right what nothing else does.
/// Another operator, or finance, has to approve exactly this; then the hub posts it. A credit expires
/// as if it were earned now.
#[utoipa::path(
    post, path = "/v1/adjustments", operation_id = "createAdjustment", tag = "ledger",
    security(("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewAdjustment,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "kept-by-partner", "membership-missing", "not-found"]))),
    responses((status = 201, description = "The adjustment, proposed.", body = AdjustmentBody))
)]
async fn create(
    staff: Staff<Operator>,
    shelf: Shelf,
    write: Write<NewAdjustment>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&shelf.secrets, &write);
    once(&shelf.pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = shelf.directories.current(conn).await?;
        let wanted = wanted(conn, &shelf.ids, &directory, &write.body).await?;
        let proposed = propose(conn, &staff.who, &shelf.ids, &wanted).await?;
        show(&shelf.ids, &directory, &proposed)
    })
    .await
}

async fn wanted(
    conn: &mut Connection,
    ids: &Ids,
    directory: &Directory,
    body: &NewAdjustment,
) -> Result<Wanted, Error> {
    let (currency, units) = body.amount.read(directory, "/amount")?;
    api::must_keep(currency)?;
    let no_member = || Problem::new(Slug::NotFound, "there is no such member");
    let member = ids.read(Kind::Member, &body.member).ok_or_else(no_member)?;
    let wallet = members::wallet_of(conn, member, currency.no).await?;
    let missing = || {
        let detail = format!("the member has no wallet in {}", currency.code);
        Problem::new(Slug::MembershipMissing, detail)
    };
    let now = db::now(conn).await?;
    let (change, expires_at) = match body.direction {
        Direction::Credit => (units, Some(currency.expires_at(now))),
        Direction::Debit => (-units, None),
    };
    Ok(Wanted {
        wallet: Account(wallet.ok_or_else(missing)?),
        change,
        expires_at,
        reason: String::from(body.reason.clone()),
    })
}

/// Approve an adjustment
///
/// By an operator or by finance, and not by who proposed it. The hub posts it at once; should it
/// stop before, within minutes of its return. A debit of more than is there is refused for good.
#[utoipa::path(
    post, path = "/v1/adjustments/{adjustment}/approve", operation_id = "approveAdjustment", tag = "ledger",
    security(("person" = ["operator", "finance"])),
    params(("adjustment" = String, Path, description = "The adjustment's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadAdjustment,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The adjustment.", body = AdjustmentBody))
)]
async fn approve(
    staff: Staff<(Operator, Finance)>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<ReadAdjustment>,
) -> Result<web::Json<AdjustmentBody>, Error> {
    let id = decide(&staff, &shelf, &path, &write, Verdict::Approved).await?;
    ledger.post(&shelf.secrets, &staff.who, id).await?;
    current(&shelf, id, None).await
}

/// Reject an adjustment
#[utoipa::path(
    post, path = "/v1/adjustments/{adjustment}/reject", operation_id = "rejectAdjustment", tag = "ledger",
    description = "By an operator or by finance, and not by who proposed it. That is the end of it.",
    security(("person" = ["operator", "finance"])),
    params(("adjustment" = String, Path, description = "The adjustment's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadAdjustment,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The adjustment.", body = AdjustmentBody))
)]
async fn reject(
    staff: Staff<(Operator, Finance)>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ReadAdjustment>,
) -> Result<web::Json<AdjustmentBody>, Error> {
    let id = decide(&staff, &shelf, &path, &write, Verdict::Rejected).await?;
    current(&shelf, id, None).await
}

/// Counts the word once per key; what becomes of the adjustment then is for its reader to see.
async fn decide(
    staff: &Staff<(Operator, Finance)>,
    shelf: &Shelf,
    path: &str,
    write: &Write<ReadAdjustment>,
    verdict: Verdict,
) -> Result<i64, Error> {
    let id = shelf.ids.read(Kind::Adjustment, path).ok_or_else(unknown)?;
    let read = hex::decode(&write.body.content_hash).ok();
    let rule = "64 hexadecimal digits, as the adjustment shows them";
    let hash = read
        .filter(|hash| hash.len() == 32)
        .ok_or_else(|| Problem::field("/content_hash", rule))?;
    let claim = staff.who.claim(&shelf.secrets, write);
    once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        agree(conn, &staff.who, id, &hash, verdict).await?;
        Ok(json!({}))
    })
    .await?;
    Ok(id)
}

/// Read an adjustment
#[utoipa::path(
    get, path = "/v1/adjustments/{adjustment}", operation_id = "readAdjustment", tag = "ledger",
    description = "By the hub's people, and by the issuer of the currency.",
    security(("partner" = ["ledger:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("adjustment" = String, Path, description = "The adjustment's id.")),
    responses((status = 200, description = "The adjustment.", body = AdjustmentBody))
)]
async fn read(
    reader: Reader<LedgerRead, (Operator, Finance, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<AdjustmentBody>, Error> {
    let id = shelf
        .ids
        .read(Kind::Adjustment, &path)
        .ok_or_else(unknown)?;
    current(&shelf, id, reader.partner()).await
}

/// An adjustment as it is, when the partner issues its currency; none asks for the hub.
async fn current(
    shelf: &Shelf,
    id: i64,
    partner: Option<i64>,
) -> Result<web::Json<AdjustmentBody>, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let found = find(&mut conn, id).await?.ok_or_else(unknown)?;
    let currency = directory.currency_no(found.content.wallet.asset());
    let is_theirs = |partner| currency.is_some_and(|currency| currency.issuer == partner);
    match partner.is_none_or(is_theirs) {
        true => Ok(web::Json(show(&shelf.ids, &directory, &found)?)),
        false => Err(unknown().into()),
    }
}

fn show(
    ids: &Ids,
    directory: &Directory,
    adjustment: &Adjustment,
) -> Result<AdjustmentBody, Error> {
    let Wanted {
        wallet,
        change,
        expires_at,
        reason,
    } = &adjustment.content;
    let leg = Leg {
        wallet: *wallet,
        amount: change.abs(),
    };
    Ok(AdjustmentBody {
        id: ids.show(Kind::Adjustment, adjustment.id),
        wallet: ids.show(Kind::Wallet, wallet.0),
        amount: api::amount(directory, leg)?,
        direction: direction(*change > 0),
        expires_at: expires_at.filter(|at| *at != clock::NEVER),
        reason: reason.clone(),
        state: adjustment.state.name().to_owned(),
        content_hash: hex::encode(&adjustment.content_hash),
        at: adjustment.created_at,
    })
}

fn direction(is_credit: bool) -> Direction {
    match is_credit {
        true => Direction::Credit,
        false => Direction::Debit,
    }
}

/// A posted adjustment, from its operation alone.
pub fn show_posted(ids: &Ids, named: &Named) -> Result<AdjustedBody, Error> {
    let operation: &Operation = &named.operation;
    let leg = operation
        .into
        .or(operation.out)
        .ok_or_else(|| anyhow::anyhow!("adjustment {} moves nothing", operation.id))?;
    Ok(AdjustedBody {
        id: crate::ledger::shown(ids, operation),
        wallet: ids.show(Kind::Wallet, leg.wallet.0),
        amount: api::amount(&named.directory, leg)?,
        direction: direction(operation.into.is_some()),
        at: operation.at,
    })
}
