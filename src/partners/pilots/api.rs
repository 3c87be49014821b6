//! Pilots over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::pilot::ALWAYS;
use super::{Pilot, Room};
use crate::access::{AnyRole, AnyScope, Operator, Reader, Staff, Who};
use crate::approvals::Proposal;
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::life::Act;
use crate::partners::{AmountBody, Currency, Directories, Directory, Partner, unknown};
use crate::secret::Secrets;
use crate::web::body::{object_or_none, objects};
use crate::web::{NoFields, Write, once};

/// What every operation here needs of the server.
type Parts = (Data<Ids>, Data<Secrets>, Data<Pool>, Data<Directories>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/partners/{{partner}}/pilot/{path}"));
    cfg.service(
        web::resource("/v1/partners/{partner}/pilot")
            .route(web::get().to(read))
            .route(web::put().to(set)),
    )
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)));
}

#[derive(OpenApi)]
#[openapi(
    paths(read, set, approve, reject, withdraw),
    components(schemas(PilotBody, SetPilot, PartnerPilotBody, ProposedPilotBody, NoFields))
)]
pub struct Doc;

/// How far a partner goes for now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Pilot)]
#[serde(deny_unknown_fields)]
pub struct PilotBody {
    /// What it may do, of what its state allows. `read`, `act_for_members`, `reverse` and `adjust` are always open
    /// and not said.
    #[schema(max_items = 10, example = json!(["enrol", "award", "redeem"]))]
    allows: Vec<Act>,
    /// The most members of its programme; null for any number.
    #[schema(minimum = 0, maximum = 1000000000, example = 500)]
    members: Option<i64>,
    /// The most in one operation, of each currency of its that is named.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 100)]
    per_operation: Vec<AmountBody>,
}

/// A pilot, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPilot {
    /// Null to end it: the partner may then do all that its state allows.
    #[serde(deserialize_with = "object_or_none")]
    #[schema(required = true)]
    pilot: Option<PilotBody>,
}

/// A partner's pilot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartnerPilot)]
pub struct PartnerPilotBody {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    /// Null when there is none: the partner may do all that its state allows.
    pilot: Option<PilotBody>,
    /// What waits for a second person.
    proposed: Option<ProposedPilotBody>,
}

/// A pilot that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProposedPilot)]
pub struct ProposedPilotBody {
    /// Null when the pilot is to end.
    pilot: Option<PilotBody>,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

impl PilotBody {
    fn of(directory: &Directory, pilot: &Pilot) -> PilotBody {
        let amount = |(currency, units): (&i16, &i64)| {
            Some(AmountBody::of(directory.currency_no(*currency)?, *units))
        };
        PilotBody {
            allows: pilot.allows.iter().copied().collect(),
            members: pilot.members,
            per_operation: pilot.most.iter().filter_map(amount).collect(),
        }
    }

    fn read(&self, directory: &Directory, partner: i64) -> Result<Pilot, Problem> {
        let mut allows = BTreeSet::new();
        for (nth, act) in self.allows.iter().enumerate() {
            if ALWAYS.contains(act) || !allows.insert(*act) {
                let rule = "an act that a pilot can bar, once: not read, act_for_members, reverse or adjust";
                return Err(Problem::field(format!("/pilot/allows/{nth}"), rule));
            }
        }
        if self
            .members
            .is_some_and(|it| !(0..=1_000_000_000).contains(&it))
        {
            return Err(Problem::field("/pilot/members", "0 to 1000000000, or null"));
        }
        let mut most = BTreeMap::new();
        for (nth, amount) in self.per_operation.iter().enumerate() {
            let pointer = format!("/pilot/per_operation/{nth}");
            let (currency, units) = amount.read(directory, &pointer)?;
            let is_own = currency.issuer == partner;
            if !is_own || most.insert(currency.no, units).is_some() {
                let rule = "a currency that the partner issues, once";
                return Err(Problem::field(format!("{pointer}/currency"), rule));
            }
        }
        Ok(Pilot {
            allows,
            members: self.members,
            most,
        })
    }
}

fn show(
    ids: &Ids,
    directory: &Directory,
    (partner, proposed): (Partner, Option<Proposal<Option<Pilot>>>),
) -> PartnerPilotBody {
    let body = |pilot: &Pilot| PilotBody::of(directory, pilot);
    PartnerPilotBody {
        partner: ids.show(Kind::Partner, partner.id),
        pilot: partner.pilot.as_deref().map(body),
        proposed: proposed.map(|it| ProposedPilotBody {
            pilot: it.wanted.as_ref().map(body),
            content_hash: hex::encode(it.content_hash),
            proposed_at: it.at,
        }),
    }
}

/// Read a partner's pilot
#[utoipa::path(
    get, path = "/v1/partners/{partner}/pilot", operation_id = "readPilot", tag = "partners",
    description = "How far a partner goes for now, and what is proposed. A partner sees its own.",
    security(("partner" = []), ("person" = [])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The pilot.", body = PartnerPilotBody))
)]
async fn read(
    reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    path: Path<String>,
) -> Result<web::Json<PartnerPilotBody>, Error> {
    let partner = ids.read(Kind::Partner, &path);
    let is_theirs = |partner: &i64| reader.partner().is_none_or(|own| own == *partner);
    let partner = partner.filter(is_theirs).ok_or_else(unknown)?;
    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let found = super::find(&mut conn, partner).await?;
    Ok(web::Json(show(&ids, &directory, found)))
}

/// Set a partner's pilot
///
/// What takes something away holds at once, on every hub: fewer acts, fewer members, less at a time, or a pilot
/// where there was none. What gives more waits for another operator, and so does the end of a pilot. What the
/// partner may do follows from its state and its pilot together (`allows` of its status). Operations that are
/// there go on: they can be undone, captured and released.
#[utoipa::path(
    put, path = "/v1/partners/{partner}/pilot", operation_id = "setPilot", tag = "partners",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = SetPilot,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "approval-open"]))),
    responses((status = 200, description = "The pilot, and what waits.", body = PartnerPilotBody))
)]
async fn set(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<SetPilot>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let want = async |conn: &mut Connection, who: &Who, at: (i64, &Directory), asked: &SetPilot| {
        let (partner, directory) = at;
        let pilot = asked.pilot.as_ref();
        let pilot = pilot.map(|it| it.read(directory, partner)).transpose()?;
        super::want(conn, who, &ids, partner, pilot).await
    };
    step(staff, parts, path, write, want).await
}

/// Agree to a partner's pilot
#[utoipa::path(
    post, path = "/v1/partners/{partner}/pilot/approve", operation_id = "approvePilot", tag = "partners",
    description = "By an operator who did not propose it.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The pilot.", body = PartnerPilotBody))
)]
async fn approve(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let approve =
        async |conn: &mut Connection, who: &Who, at: (i64, &Directory), read: &ReadProposal| {
            super::approve(conn, who, at.0, &read.hash()?).await
        };
    step(staff, parts, path, write, approve).await
}

/// Do not agree to a partner's pilot
#[utoipa::path(
    post, path = "/v1/partners/{partner}/pilot/reject", operation_id = "rejectPilot", tag = "partners",
    description = "Ends the proposal. What holds goes on.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The pilot.", body = PartnerPilotBody))
)]
async fn reject(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject =
        async |conn: &mut Connection, who: &Who, at: (i64, &Directory), read: &ReadProposal| {
            super::reject(conn, who, at.0, &read.hash()?).await
        };
    step(staff, parts, path, write, reject).await
}

/// Take a proposed pilot back
#[utoipa::path(
    post, path = "/v1/partners/{partner}/pilot/withdraw", operation_id = "withdrawPilot", tag = "partners",
    description = "Ends the proposal, by any operator. What holds goes on.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "The pilot.", body = PartnerPilotBody))
)]
async fn withdraw(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let withdraw = async |conn: &mut Connection, who: &Who, at: (i64, &Directory), _: &NoFields| {
        super::withdraw(conn, who, at.0).await
    };
    step(staff, parts, path, write, withdraw).await
}

/// One step of an operator, done once, and what then holds.
async fn step<T>(
    staff: Staff<Operator>,
    (ids, secrets, pool, directories): Parts,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, (i64, &Directory), &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let partner = ids.read(Kind::Partner, &path).ok_or_else(unknown)?;
    let claim = staff.who.claim(&secrets, &write);
    // Asked before anything is published here.
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    once(&pool, claim, StatusCode::OK, async |conn| {
        take(conn, &staff.who, (partner, &directory), &write.body).await?;
        Ok(show(&ids, &directory, super::find(conn, partner).await?))
    })
    .await
}

/// The refusal of more in one operation than a pilot lets.
pub fn too_much(currency: &Currency, act: Act, (most, needed): (i64, i64)) -> Problem {
    let (most, needed) = (
        AmountBody::of(currency, most),
        AmountBody::of(currency, needed),
    );
    let detail = format!(
        "the issuer of {} is in a pilot: at most {} {} in one operation",
        currency.code, most.amount, most.currency
    );
    Problem::new(Slug::PilotLimit, detail)
        .with("act", act.name())
        .with("most", json!(most))
        .with("needed", json!(needed))
}

/// The refusal of another member.
pub fn no_room(Room { most, .. }: Room) -> Problem {
    let detail = format!("the programme is in a pilot that lets {most} members in, and has them");
    Problem::new(Slug::PilotLimit, detail)
        .with("act", Act::Enrol.name())
        .with("members", most)
}
