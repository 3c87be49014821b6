//! Steps over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::certification::{Check, MOST};
use super::step::Step;
use super::{Certification, Life};
use crate::access::{AnyRole, AnyScope, Operator, Reader, Staff, Who};
use crate::approvals::Proposal;
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::life::{self, Act, NOTICE, Outstanding, People};
use crate::partners::{Partner, State, unknown};
use crate::secret::Secrets;
use crate::web::{NoFields, Write, once};

/// What every write here needs of the server.
type Parts = (Data<Ids>, Data<Secrets>, Data<Pool>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/partners/{{partner}}/status/{path}"));
    cfg.service(
        web::resource("/v1/partners/{partner}/status")
            .route(web::get().to(read))
            .route(web::post().to(set_state)),
    )
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)))
    .service(web::resource("/v1/partners/{partner}/certifications").route(web::post().to(certify)));
}

#[derive(OpenApi)]
#[openapi(
    paths(read, set_state, approve, reject, withdraw, certify),
    components(schemas(
        SetState,
        NoFields,
        RecordCertification,
        LifeBody,
        StepBody,
        ProposedStepBody,
        CertificationBody,
        Check,
        Act,
        State
    ))
)]
pub struct Doc;

/// The state a partner shall be in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetState {
    state: State,
    /// With `winding_down`, and only then: the last day on which its points can be used, in its zone.
    #[schema(value_type = Option<String>, format = Date, example = "2027-03-31")]
    last_day: Option<NaiveDate>,
}

/// What a partner's program was seen to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordCertification {
    /// It passes when all of them did.
    #[schema(min_items = 1, max_items = 100)]
    checks: Vec<Check>,
}

/// Where a partner is in its life.
#[derive(Debug, Serialize, ToSchema)]
pub struct LifeBody {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    state: State,
    /// Of one that winds down or is closed.
    #[schema(value_type = Option<String>, format = Date)]
    last_day: Option<NaiveDate>,
    /// What it may do now.
    allows: Vec<Act>,
    /// Where it can go from here.
    next: Vec<StepBody>,
    /// The latest report.
    certification: Option<CertificationBody>,
    /// What waits for a second person, for the hub's people.
    proposed: Option<ProposedStepBody>,
}

/// A step that a partner can take.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepBody {
    state: State,
    /// How many operators it needs.
    #[schema(minimum = 1, maximum = 2)]
    people: u8,
}

/// A step that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedStepBody {
    state: State,
    #[schema(value_type = Option<String>, format = Date)]
    last_day: Option<NaiveDate>,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

/// A report of what a partner's program was seen to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificationBody {
    passed: bool,
    checks: Vec<Check>,
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
}

fn show(ids: &Ids, life: Life, now: Timestamp) -> LifeBody {
    let Life {
        partner,
        certification,
        proposed,
    } = life;
    let standing = partner.standing();
    let acts = Act::ALL.into_iter();
    let step = |state: State| StepBody {
        state,
        people: match life::step(partner.state, state) {
            Some(People::One) => 1,
            _ => 2,
        },
    };
    LifeBody {
        partner: ids.show(Kind::Partner, partner.id),
        state: partner.state,
        last_day: partner.last_day,
        allows: acts.filter(|act| standing.allows(*act, now)).collect(),
        next: life::next(partner.state).map(step).collect(),
        certification: certification.map(show_certification),
        proposed: proposed.map(show_proposal),
    }
}

fn show_certification(it: Certification) -> CertificationBody {
    CertificationBody {
        passed: it.passed,
        checks: it.checks,
        recorded_at: it.at,
    }
}

fn show_proposal(proposal: Proposal<Step>) -> ProposedStepBody {
    ProposedStepBody {
        state: proposal.wanted.state,
        last_day: proposal.wanted.last_day,
        content_hash: hex::encode(proposal.content_hash),
        proposed_at: proposal.at,
    }
}

/// Read where a partner is in its life
#[utoipa::path(
    get, path = "/v1/partners/{partner}/status", operation_id = "readPartnerState", tag = "partners",
    description = "The state, what it allows, where it leads, the latest certification. A partner sees its own.",
    security(("partner" = []), ("person" = [])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "Where it is.", body = LifeBody))
)]
async fn read(
    reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<LifeBody>, Error> {
    let partner = ids.read(Kind::Partner, &path);
    let is_theirs = |id: &i64| reader.partner().is_none_or(|own| own == *id);
    let partner = partner.filter(is_theirs).ok_or_else(unknown)?;
    let mut life = super::life(&mut *pool.get().await?, partner).await?;
    life.proposed = life.proposed.filter(|_| reader.partner().is_none());
    Ok(web::Json(show(&ids, life, reader.moment.now)))
}

/// Take or propose a step in a partner's life
#[utoipa::path(
    post, path = "/v1/partners/{partner}/status", operation_id = "setPartnerState", tag = "partners",
    description = "By an operator. What takes something away is so at once: suspended stops new quotes, awards and conversions, while what is under way goes on, and so do reversals, settlement and statements. What needs two people (`next` says which) is proposed, and another operator approves it within 14 days. A partner winds down with a notice of at least 30 days; until its last day points go out and none come in; then they expire, or are bought out, and it can be closed.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = SetState,
    extensions(("x-problems" = json!(["approval-open", "certification-missing", "partner-outstanding",
        "partner-step"]))),
    responses((status = 200, description = "Where it is, and what is proposed.", body = LifeBody))
)]
async fn set_state(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<SetState>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let set = async |conn: &mut Connection, who: &Who, partner: i64, asked: &SetState| {
        super::want(conn, who, &ids, partner, asked.state, asked.last_day).await
    };
    step(staff, parts, path, write, set).await
}

/// Approve a step
#[utoipa::path(
    post, path = "/v1/partners/{partner}/status/approve", operation_id = "approvePartnerState", tag = "partners",
    description = "By an operator who did not propose it. It is looked at again, and taken at once.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "certification-missing", "maker-is-checker", "partner-outstanding", "partner-step"]))),
    responses((status = 200, description = "Where it is.", body = LifeBody))
)]
async fn approve(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let approve = async |conn: &mut Connection, who: &Who, partner: i64, read: &ReadProposal| {
        super::approve(conn, who, partner, &read.hash()?).await
    };
    step(staff, parts, path, write, approve).await
}

/// Reject a step
#[utoipa::path(
    post, path = "/v1/partners/{partner}/status/reject", operation_id = "rejectPartnerState", tag = "partners",
    description = "By an operator who did not propose it. The partner stays where it is.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "Where it is.", body = LifeBody))
)]
async fn reject(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection, who: &Who, partner: i64, read: &ReadProposal| {
        super::reject(conn, who, partner, &read.hash()?).await
    };
    step(staff, parts, path, write, reject).await
}

/// Withdraw a proposed step
#[utoipa::path(
    post, path = "/v1/partners/{partner}/status/withdraw", operation_id = "withdrawPartnerState", tag = "partners",
    description = "By any operator, before it is approved. The partner stays where it is.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "Where it is.", body = LifeBody))
)]
async fn withdraw(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let withdraw = async |conn: &mut Connection, who: &Who, partner: i64, _: &NoFields| {
        super::withdraw(conn, who, partner).await
    };
    step(staff, parts, path, write, withdraw).await
}

/// Record a certification
#[utoipa::path(
    post, path = "/v1/partners/{partner}/certifications", operation_id = "certifyPartner", tag = "partners",
    description = "By an operator, of a partner that is certifying: what its program was seen to do. The latest report counts.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = RecordCertification,
    extensions(("x-problems" = json!(["partner-step"]))),
    responses((status = 200, description = "Where it is.", body = LifeBody))
)]
async fn certify(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<RecordCertification>,
) -> Result<HttpResponse, Error> {
    let certify =
        async |conn: &mut Connection, who: &Who, partner: i64, asked: &RecordCertification| {
            if !(1..=MOST).contains(&asked.checks.len()) {
                return Err(Problem::field("/checks", format!("1 to {MOST} checks")).into());
            }
            super::certify(conn, who, partner, &asked.checks).await
        };
    step(staff, parts, path, write, certify).await
}

/// One step of an operator, done once, and where the partner then is.
async fn step<T>(
    staff: Staff<Operator>,
    (ids, secrets, pool): Parts,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let partner = ids.read(Kind::Partner, &path).ok_or_else(unknown)?;
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        take(conn, &staff.who, partner, &write.body).await?;
        let now = crate::db::now(conn).await?;
        Ok(show(&ids, super::life(conn, partner).await?, now))
    })
    .await
}

pub(super) fn no_step(partner: &Partner) -> Problem {
    let next: Vec<&str> = life::next(partner.state).map(State::name).collect();
    let state = partner.state.name();
    let detail = format!(
        "{} is {state}; it can go to: {}",
        partner.code,
        next.join(", ")
    );
    Problem::new(Slug::PartnerStep, detail)
        .with("state", state)
        .with("next", json!(next))
}

pub(super) fn not_certifying(partner: &Partner) -> Problem {
    let detail = "a report is recorded while the partner is certifying";
    Problem::new(Slug::PartnerStep, detail)
        .with("state", partner.state.name())
        .with(
            "next",
            json!(
                life::next(partner.state)
                    .map(State::name)
                    .collect::<Vec<_>>()
            ),
        )
}

pub(super) fn no_certification() -> Problem {
    let detail = "the latest certification has to have passed";
    Problem::new(Slug::CertificationMissing, detail)
}

pub(super) fn last_day_of_winding_down() -> Problem {
    Problem::field(
        "/last_day",
        "a date with winding_down, left out with any other state",
    )
}

pub(super) fn too_early(earliest: NaiveDate) -> Problem {
    let rule = format!("{earliest} or later, before the year 2200: the notice is {NOTICE} days");
    Problem::field("/last_day", rule)
}

pub(super) fn not_over(partner: &Partner) -> Problem {
    let day = partner
        .last_day
        .map_or_else(String::new, |day| day.to_string());
    let detail = format!("its last day is {day}; it is closed after that");
    Problem::new(Slug::PartnerOutstanding, detail)
}

/// What it began to pay out after the last day is not taken back.
pub(super) fn is_over(partner: &Partner) -> Problem {
    let Problem { detail, .. } = not_over(partner);
    let detail = format!("{detail}, and it goes on only before");
    Problem {
        detail,
        ..no_step(partner)
    }
}

pub(super) fn outstanding(left: Outstanding) -> Problem {
    let Outstanding {
        available,
        held,
        owed,
        positions,
        credits,
    } = left;
    let detail = "points of its members, or positions of its own, are not zero yet, or credits are to be answered";
    Problem::new(Slug::PartnerOutstanding, detail)
        .with("available", available.to_string())
        .with("held", held.to_string())
        .with("owed", owed.to_string())
        .with("positions", positions)
        .with("credits", credits)
}
