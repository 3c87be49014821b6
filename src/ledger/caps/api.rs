//! Caps over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::room::Reached;
use super::{LARGEST, Proposal, Standing, store};
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead, Staff, Who};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::Kind;
use crate::ledger::shelf::Shelf;
use crate::partners::{Directory, Money, MoneyBody, Partner};
use crate::points::amount::BadAmount;
use crate::points::money::Micros;
use crate::web::body::object_or_none;
use crate::web::problem::{ReadProblems, WriteProblems};
use crate::web::{Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/partners/{{partner}}/cap/{path}"));
    cfg.service(web::resource("/v1/partners/{partner}/cap").route(web::get().to(read)))
        .service(step("propose").route(web::post().to(propose)))
        .service(step("approve").route(web::post().to(approve)))
        .service(step("reject").route(web::post().to(reject)))
        .service(step("withdraw").route(web::post().to(withdraw)));
}

#[derive(OpenApi)]
#[openapi(
    paths(read, propose, approve, reject, withdraw),
    components(schemas(ProposeCap, CapAmount, ReadCap, NothingElse, CapBody, ProposedCapBody))
)]
pub struct Doc;

/// The cap a partner shall have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeCap {
    /// How much it may owe; null takes the cap away.
    #[serde(deserialize_with = "object_or_none")]
    #[schema(required = true)]
    amount: Option<CapAmount>,
}

/// An amount of the money that the partner settles in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapAmount {
    /// At most 10^12, with at most 6 decimals; zero lets it owe nothing.
    #[schema(example = "250000.00", pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$")]
    amount: String,
    /// The ISO 4217 code of the money.
    #[schema(example = "USD")]
    currency: String,
}

/// The proposal that was read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadCap {
    /// The `content_hash` of the proposal, in hexadecimal.
    content_hash: String,
}

/// A body without fields: `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingElse {}

/// How much a partner may owe, and owes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapBody {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    /// How much it may owe; null when as much as it likes.
    amount: Option<MoneyBody>,
    /// What it owes the hub now; below zero the hub owes it.
    owes: MoneyBody,
    /// How much more it may owe; null without a cap.
    room: Option<MoneyBody>,
    /// What another cap waits to be approved, for the hub's people.
    proposed: Option<ProposedCapBody>,
}

/// A cap that waits to be approved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedCapBody {
    /// Null for no cap.
    amount: Option<MoneyBody>,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

/// Read a partner's cap
#[utoipa::path(
    get, path = "/v1/partners/{partner}/cap", operation_id = "readPartnerCap", tag = "partners",
    description = "How much the partner may owe, what it owes now, and the room between. A partner sees its own.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The cap.", body = CapBody), ReadProblems)
)]
async fn read(
    reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<CapBody>, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let partner = find(&shelf, &directory, &path)?;
    if reader.partner().is_some_and(|own| own != partner.id) {
        return Err(unknown().into());
    }
    let mut standing = super::standing(&mut conn, partner).await?;
    standing.proposed = standing.proposed.filter(|_| reader.partner().is_none());
    Ok(web::Json(show(&shelf, &directory, partner, &standing)?))
}

/// Propose a partner's cap
#[utoipa::path(
    post, path = "/v1/partners/{partner}/cap/propose", operation_id = "proposePartnerCap", tag = "partners",
    description = "By an operator; another one approves it within 14 days. Until then the present cap goes on. It may be less than what the partner owes: then it may owe nothing more until it is below.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposeCap,
    responses((status = 200, description = "The cap as it is, and what is proposed.", body = CapBody), WriteProblems)
)]
async fn propose(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ProposeCap>,
) -> Result<HttpResponse, Error> {
    let ids = shelf.ids.clone();
    let propose = async |conn: &mut Connection,
                         who: &Who,
                         partner: &Partner,
                         money: &Money,
                         asked: &ProposeCap| {
        let amount = amount(asked, money)?;
        super::propose(conn, who, &ids, partner, amount).await?;
        Ok(())
    };
    step(staff, shelf, path, write, propose).await
}

/// Approve a partner's cap
#[utoipa::path(
    post, path = "/v1/partners/{partner}/cap/approve", operation_id = "approvePartnerCap", tag = "partners",
    description = "By an operator who did not propose it. It holds at once: what is acknowledged later was decided under it.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadCap,
    responses((status = 200, description = "The cap.", body = CapBody), WriteProblems)
)]
async fn approve(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ReadCap>,
) -> Result<HttpResponse, Error> {
    let approve =
        async |conn: &mut Connection, who: &Who, partner: &Partner, _: &Money, read: &ReadCap| {
            super::approve(conn, who, partner, &hash(read)?).await
        };
    step(staff, shelf, path, write, approve).await
}

/// Reject a partner's cap
#[utoipa::path(
    post, path = "/v1/partners/{partner}/cap/reject", operation_id = "rejectPartnerCap", tag = "partners",
    description = "By an operator who did not propose it. The present cap goes on.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadCap,
    responses((status = 200, description = "The cap as it is.", body = CapBody), WriteProblems)
)]
async fn reject(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ReadCap>,
) -> Result<HttpResponse, Error> {
    let reject =
        async |conn: &mut Connection, who: &Who, partner: &Partner, _: &Money, read: &ReadCap| {
            super::reject(conn, who, partner, &hash(read)?).await
        };
    step(staff, shelf, path, write, reject).await
}

/// Withdraw a proposed cap
#[utoipa::path(
    post, path = "/v1/partners/{partner}/cap/withdraw", operation_id = "withdrawPartnerCap", tag = "partners",
    description = "By any operator, before it is approved. The present cap goes on.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NothingElse,
    responses((status = 200, description = "The cap as it is.", body = CapBody), WriteProblems)
)]
async fn withdraw(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<NothingElse>,
) -> Result<HttpResponse, Error> {
    let withdraw =
        async |conn: &mut Connection, who: &Who, partner: &Partner, _: &Money, _: &NothingElse| {
            super::withdraw(conn, who, partner).await
        };
    step(staff, shelf, path, write, withdraw).await
}

/// One step of an operator, done once, and the cap as it then is.
async fn step<T>(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, &Partner, &Money, &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&shelf.secrets, &write);
    once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = shelf.directories.current(conn).await?;
        let partner = find(&shelf, &directory, &path)?;
        let money = money(&directory, partner)?;
        take(conn, &staff.who, partner, money, &write.body).await?;
        let standing = super::standing(conn, partner).await?;
        show(&shelf, &directory, partner, &standing)
    })
    .await
}

fn find<'d>(shelf: &Shelf, directory: &'d Directory, text: &str) -> Result<&'d Partner, Error> {
    let partner = shelf.ids.read(Kind::Partner, text);
    let partner = partner.and_then(|id| directory.partner(id));
    Ok(partner.ok_or_else(unknown)?)
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such partner")
}

fn money<'d>(directory: &'d Directory, partner: &Partner) -> Result<&'d Money, Error> {
    let money = directory.money(partner.money);
    Ok(money.ok_or_else(|| anyhow::anyhow!("{} settles in no money", partner.code))?)
}

fn amount(asked: &ProposeCap, money: &Money) -> Result<Option<Micros>, Problem> {
    let Some(CapAmount { amount, currency }) = &asked.amount else {
        return Ok(None);
    };
    if *currency != money.code {
        let rule = format!("{}, the money that the partner settles in", money.code);
        return Err(Problem::field("/amount/currency", rule));
    }
    let rule = "an amount of money of at most 10^12 with at most 6 decimals, such as 250000.00";
    match Micros::parse(amount) {
        Ok(cap) if cap <= LARGEST => Ok(Some(cap)),
        Ok(_) | Err(BadAmount::TooLarge) => Err(Problem::new(
            Slug::AmountTooLarge,
            format!("/amount/amount: {rule}"),
        )),
        Err(_) => Err(Problem::field("/amount/amount", rule)),
    }
}

fn hash(read: &ReadCap) -> Result<Vec<u8>, Problem> {
    let rule = "hexadecimal digits, as the proposal shows them";
    hex::decode(&read.content_hash).map_err(|_| Problem::field("/content_hash", rule))
}

fn show(
    shelf: &Shelf,
    directory: &Directory,
    partner: &Partner,
    standing: &Standing,
) -> Result<CapBody, Error> {
    let money = money(directory, partner)?;
    let body = |micros| MoneyBody::of(money, micros);
    let proposed = |proposal: Proposal| ProposedCapBody {
        amount: proposal.amount.map(body),
        content_hash: hex::encode(proposal.content_hash()),
        proposed_at: proposal.at,
    };
    Ok(CapBody {
        partner: shelf.ids.show(Kind::Partner, partner.id),
        amount: standing.cap.map(body),
        owes: body(standing.owes),
        room: standing.room().map(body),
        proposed: standing.proposed.map(proposed),
    })
}

/// The same where a sponsor of a bonus may not: how much more it may owe is not the caller's to know.
pub fn reached_by_another() -> Problem {
    let detail = "a partner that pays for a bonus of this may not owe that much more";
    Problem::new(Slug::PartnerCapReached, detail)
}

/// The refusal of a partner that may not owe that much more. It is told to the partner that pays, in its
/// own money; the room is nobody else's.
pub async fn reached(conn: &mut Connection, reached: Reached) -> Error {
    let currency = match store::money_code(conn, reached.position.asset()).await {
        Ok(code) => code,
        Err(error) => return error,
    };
    let body = |micros: Micros| json!({"amount": micros.to_string(), "currency": currency});
    let detail = format!(
        "you may owe {} {currency} more, and this would cost {}",
        reached.room, reached.needed
    );
    Problem::new(Slug::PartnerCapReached, detail)
        .with("room", body(reached.room))
        .with("needed", body(reached.needed))
        .into()
}
