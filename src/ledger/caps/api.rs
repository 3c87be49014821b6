//! Caps and cover over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Path, ServiceConfig};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::room::Reached;
use super::terms::{CoverKind, Limit, Line, Terms};
use super::{LARGEST, Standing, store};
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead, Staff, Who};
use crate::approvals::Proposal;
use crate::approvals::api::ReadProposal;
use crate::clock::{self, Timestamp};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::Kind;
use crate::ledger::shelf::Shelf;
use crate::partners::{Directory, Money, MoneyBody, Partner};
use crate::points::agreed::Share;
use crate::points::amount::BadAmount;
use crate::points::money::Micros;
use crate::web::body::{object, object_or_none, objects};
use crate::web::{NoFields, Write, once};

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
    components(schemas(
        ProposeCap,
        CapAmount,
        ProposeCover,
        NoFields,
        CapBody,
        TermsBody,
        CoverBody,
        CoverKind,
        ProposedCapBody
    ))
)]
pub struct Doc;

/// The terms a partner shall have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeCap {
    /// How much it may owe; null takes the cap away.
    #[serde(deserialize_with = "object_or_none")]
    #[schema(required = true)]
    amount: Option<CapAmount>,
    /// What stands behind what it owes, whole: at most 20 amounts. An empty list asks for no cover any
    /// more; left out, cover stays as it is.
    #[serde(default, deserialize_with = "some_objects")]
    #[schema(value_type = Vec<ProposeCover>, max_items = 20)]
    cover: Option<Vec<ProposeCover>>,
    /// What part of what it is owed does not count for it: at least 0 and below 1, with at most 4
    /// decimals. Left out, as it is; 0 at first.
    #[serde(default)]
    #[schema(value_type = String, example = "0.20", pattern = r"^0(\.[0-9]+)?$")]
    haircut: Option<String>,
    /// At what part of the lesser of cap and cover it is warned: above 0 and below 1, with at most 4
    /// decimals. Left out, as it is; 0.8 at first.
    #[serde(default)]
    #[schema(value_type = String, example = "0.80", pattern = r"^0(\.[0-9]+)?$")]
    warn_at: Option<String>,
}

/// One amount of cover.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeCover {
    kind: CoverKind,
    #[serde(deserialize_with = "object")]
    amount: CapAmount,
    /// Until when it covers; later than now.
    #[schema(value_type = String, format = DateTime)]
    until: String,
    /// What it rests on: a payment, a guarantee with its number. 1 to 200 characters.
    #[schema(
        example = "guarantee 4711 of Harbour Bank",
        min_length = 1,
        max_length = 200
    )]
    rests_on: String,
}

fn some_objects<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    objects(deserializer).map(Some)
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

/// How much a partner may owe, and owes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapBody {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    #[serde(flatten)]
    terms: TermsBody,
    /// What is covered now; null when no cover is asked for.
    covered: Option<MoneyBody>,
    /// What it owes the hub now; below zero the hub owes it.
    owes: MoneyBody,
    /// What of it counts: debits that are not settled, less what the haircut leaves of such credits.
    counted: MoneyBody,
    /// How much more may be counted within cover and cap; null without either.
    room: Option<MoneyBody>,
    /// From what is counted on it is warned; null without cover and cap.
    warned_from: Option<MoneyBody>,
    /// Since when it is warned; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    warned_since: Option<Timestamp>,
    /// What other terms wait to be approved, for the hub's people.
    proposed: Option<ProposedCapBody>,
}

/// What was agreed about how much a partner may owe.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsBody {
    /// How much it may owe; null when as much as it likes.
    amount: Option<MoneyBody>,
    /// What stands behind what it owes; null when no cover is asked for.
    cover: Option<Vec<CoverBody>>,
    /// What part of what it is owed does not count for it.
    #[schema(example = "0.2000")]
    haircut: String,
    /// At what part of the lesser of cap and cover it is warned.
    #[schema(example = "0.8000")]
    warn_at: String,
}

/// One amount of cover.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverBody {
    kind: CoverKind,
    amount: MoneyBody,
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    #[schema(example = "guarantee 4711 of Harbour Bank")]
    rests_on: String,
}

/// Terms that wait to be approved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedCapBody {
    #[serde(flatten)]
    terms: TermsBody,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

/// Read a partner's cap
#[utoipa::path(
    get, path = "/v1/partners/{partner}/cap", operation_id = "readPartnerCap", tag = "partners",
    description = "How much the partner may owe, by its cap and by its cover, what it owes and what of that counts now, the room between, and since when it is warned. A partner sees its own.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The cap.", body = CapBody))
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
    description = "By an operator; another one approves it within 14 days. Until then what is agreed goes on. `cover` is what stands behind what the partner owes: money that it paid in beforehand and collateral, each until when; what has ended covers nothing. What is counted stays within cover and within the cap. Either may be less than what the partner owes: then it may owe nothing more until it is below.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposeCap,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "approval-open"]))),
    responses((status = 200, description = "The cap as it is, and what is proposed.", body = CapBody))
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
        let change = |present, now| terms(asked, present, money, now);
        super::propose(conn, who, &ids, partner, change).await?;
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
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The cap.", body = CapBody))
)]
async fn approve(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let approve = async |conn: &mut Connection,
                         who: &Who,
                         partner: &Partner,
                         _: &Money,
                         read: &ReadProposal| {
        super::approve(conn, who, partner, &read.hash()?).await
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
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The cap as it is.", body = CapBody))
)]
async fn reject(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection,
                        who: &Who,
                        partner: &Partner,
                        _: &Money,
                        read: &ReadProposal| {
        super::reject(conn, who, partner, &read.hash()?).await
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
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "The cap as it is.", body = CapBody))
)]
async fn withdraw(
    staff: Staff<Operator>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let withdraw =
        async |conn: &mut Connection, who: &Who, partner: &Partner, _: &Money, _: &NoFields| {
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

/// The most amounts of cover.
const LINES: usize = 20;

/// What is asked for, on top of what is agreed at present.
fn terms(
    asked: &ProposeCap,
    present: Terms,
    money: &Money,
    now: Timestamp,
) -> Result<Terms, Problem> {
    let cap = asked.amount.as_ref();
    let cap = cap.map(|cap| amount(cap, money, "/amount")).transpose()?;
    let cover = match &asked.cover {
        None => present.cover,
        Some(lines) if lines.is_empty() => None,
        Some(lines) => Some(cover(lines, money, now)?),
    };
    let share = |text: &Option<String>, present, field, least| {
        let text = text.as_deref();
        text.map_or(Ok(present), |text| ten_thousandths(text, field, least))
    };
    Ok(Terms {
        cap,
        cover,
        haircut: share(&asked.haircut, present.haircut, "/haircut", 0)?,
        warn_at: share(&asked.warn_at, present.warn_at, "/warn_at", 1)?,
    })
}

fn cover(lines: &[ProposeCover], money: &Money, now: Timestamp) -> Result<Vec<Line>, Problem> {
    if lines.len() > LINES {
        return Err(Problem::field("/cover", "at most 20 amounts"));
    }
    let line = |(at, line): (usize, &ProposeCover)| {
        let place = |field| format!("/cover/{at}/{field}");
        let until = line.until.parse().ok();
        let until = until.filter(|until| clock::is_sensible(*until) && *until > now);
        let rule = "an instant later than now, such as 2027-01-01T00:00:00Z";
        let until = until.ok_or_else(|| Problem::field(place("until"), rule))?;
        let rests_on = line.rests_on.trim();
        if rests_on.is_empty() || rests_on.chars().count() > 200 {
            return Err(Problem::field(place("rests_on"), "1 to 200 characters"));
        }
        Ok(Line {
            kind: line.kind,
            amount: amount(&line.amount, money, &place("amount"))?,
            until,
            rests_on: rests_on.to_owned(),
        })
    };
    let lines: Vec<Line> = lines
        .iter()
        .enumerate()
        .map(line)
        .collect::<Result<_, _>>()?;
    let sum = lines
        .iter()
        .fold(0_i64, |sum, line| sum.saturating_add(line.amount.0));
    match sum <= LARGEST.0 {
        true => Ok(lines),
        false => Err(Problem::new(
            Slug::AmountTooLarge,
            "/cover: at most 10^12 in all",
        )),
    }
}

/// A part of a whole with at most 4 decimals.
fn ten_thousandths(text: &str, field: &str, least: i16) -> Result<i16, Problem> {
    let share = Share::try_from(text.to_owned()).ok();
    let part = share.map(|share| share.decimal() * Decimal::from(10_000));
    let whole = part
        .filter(Decimal::is_integer)
        .and_then(|part| part.to_i16());
    whole.filter(|whole| *whole >= least).ok_or_else(|| {
        let least = if least == 0 { "at least 0" } else { "above 0" };
        let rule = format!("{least} and below 1 with at most 4 decimals, such as 0.20");
        Problem::field(field, rule)
    })
}

fn amount(asked: &CapAmount, money: &Money, field: &str) -> Result<Micros, Problem> {
    let CapAmount { amount, currency } = asked;
    if *currency != money.code {
        let rule = format!("{}, the money that the partner settles in", money.code);
        return Err(Problem::field(format!("{field}/currency"), rule));
    }
    let rule = "an amount of money of at most 10^12 with at most 6 decimals, such as 250000.00";
    let told = format!("{field}/amount: {rule}");
    match Micros::parse(amount) {
        Ok(cap) if cap <= LARGEST => Ok(cap),
        Ok(_) | Err(BadAmount::TooLarge) => Err(Problem::new(Slug::AmountTooLarge, told)),
        Err(BadAmount::TooManyDecimals(scale)) => {
            Err(Problem::new(Slug::AmountScale, told).with("scale", scale))
        }
        Err(_) => Err(Problem::field(format!("{field}/amount"), rule)),
    }
}

fn show(
    shelf: &Shelf,
    directory: &Directory,
    partner: &Partner,
    standing: &Standing,
) -> Result<CapBody, Error> {
    let money = money(directory, partner)?;
    let body = |micros| MoneyBody::of(money, micros);
    let Standing {
        terms, sums, now, ..
    } = standing;
    let proposed = |proposal: &Proposal<Terms>| ProposedCapBody {
        terms: shown(&proposal.wanted, money),
        content_hash: hex::encode(&proposal.content_hash),
        proposed_at: proposal.at,
    };
    let warning = Micros(terms.warning(*now));
    Ok(CapBody {
        partner: shelf.ids.show(Kind::Partner, partner.id),
        terms: shown(terms, money),
        covered: terms.covered(*now).map(Micros).map(body),
        owes: body(Micros(sums.owed)),
        counted: body(standing.counted()),
        room: standing.room().map(body),
        warned_from: terms.is_limited().then(|| body(warning)),
        warned_since: standing.warned_since,
        proposed: standing.proposed.as_ref().map(proposed),
    })
}

fn shown(terms: &Terms, money: &Money) -> TermsBody {
    let line = |line: &Line| CoverBody {
        kind: line.kind,
        amount: MoneyBody::of(money, line.amount),
        until: line.until,
        rests_on: line.rests_on.clone(),
    };
    let lines = |lines: &Vec<Line>| lines.iter().map(line).collect();
    let share = |of: i16| Decimal::new(of.into(), 4).to_string();
    TermsBody {
        amount: terms.cap.map(|cap| MoneyBody::of(money, cap)),
        cover: terms.cover.as_ref().map(lines),
        haircut: share(terms.haircut),
        warn_at: share(terms.warn_at),
    }
}

/// The same where a sponsor of a bonus may not: how much more it may owe is not the caller's to know.
pub fn reached_by_another(reached: Reached) -> Problem {
    let detail = match reached.limit {
        Limit::Cover => "the cover of a partner that pays for a bonus of this is too little",
        Limit::Cap => "a partner that pays for a bonus of this may not owe that much more",
    };
    Problem::new(slug(reached.limit), detail)
}

fn slug(limit: Limit) -> Slug {
    match limit {
        Limit::Cover => Slug::PartnerCoverShort,
        Limit::Cap => Slug::PartnerCapReached,
    }
}

/// The refusal of a partner that may not owe that much more. It is told to the partner that pays, in its
/// own money; the room is nobody else's.
pub async fn reached(conn: &mut Connection, reached: Reached) -> Error {
    let currency = match store::money_code(conn, reached.position.asset()).await {
        Ok(code) => code,
        Err(error) => return error,
    };
    let body = |micros: Micros| json!({"amount": micros.to_string(), "currency": currency});
    let Reached { room, needed, .. } = reached;
    let detail = match reached.limit {
        Limit::Cover => {
            format!("your cover is for {room} {currency} more, and this would count {needed}")
        }
        Limit::Cap => format!("you may owe {room} {currency} more, and this would cost {needed}"),
    };
    Problem::new(slug(reached.limit), detail)
        .with("room", body(room))
        .with("needed", body(needed))
        .into()
}
