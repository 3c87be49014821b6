//! Staff over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::change::Change;
use super::{Member, unknown};
use crate::access::people::Login;
use crate::access::{Operator, Role, Staff, Who};
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::{self, Connection, Pool};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::text::Name;
use crate::web::{Json, NoFields, Page, Paging, ProblemBody, Query, Write, once};

/// What every write here needs of the server.
type Parts = (Data<Ids>, Data<Secrets>, Data<Pool>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/people/{{person}}/{path}"));
    cfg.service(
        web::resource("/v1/people")
            .route(web::post().to(hire))
            .route(web::get().to(list)),
    )
    .service(web::resource("/v1/people/{person}").route(web::get().to(one)))
    .service(step("role").route(web::post().to(change_role)))
    .service(step("renew").route(web::post().to(renew)))
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)))
    .service(step("dismiss").route(web::post().to(dismiss)))
    .service(step("invitation").route(web::post().to(invite)));
}

#[derive(OpenApi)]
#[openapi(
    paths(hire, list, one, change_role, renew, approve, reject, withdraw, dismiss, invite),
    components(schemas(
        NewPerson,
        NewRole,
        PersonBody,
        PersonState,
        ProposedPersonBody,
        InvitationBody,
        NoFields,
        Role,
        ProblemBody
    )),
    tags((name = "staff", description = "Who works for the hub."))
)]
pub struct Doc;

/// Somebody to hire.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// 1 to 64 of a to z, 0 to 9, `.`, `_`, `@`, `-`. One that was known is the same person again.
    #[schema(value_type = String, example = "olga")]
    login: Login,
    #[schema(value_type = String, example = "Olga Ng")]
    name: Name,
    role: Role,
}

/// The role somebody shall have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    role: Role,
}

/// Somebody who works for the hub, did, or shall.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonBody {
    #[schema(example = "psn_0123456789abcdef")]
    id: String,
    #[schema(example = "olga")]
    login: String,
    name: String,
    role: Role,
    state: PersonState,
    /// Whether there is a password; who has none needs an invitation.
    has_password: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What waits for a second operator.
    proposed: Option<ProposedPersonBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PersonState {
    /// Hired when a second operator agrees.
    Proposed,
    Active,
    Dismissed,
}

/// A change that waits for a second operator.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedPersonBody {
    /// The role the person shall have; null when the way in shall be renewed.
    role: Option<Role>,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

/// What to hand to the person, and to nobody else.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationBody {
    /// For `POST /v1/invitations/accept`, once and within three days. It is shown here only.
    #[schema(example = "inv_mZ4Xv0cB8nQeYJr1hTqkG7dWfUaLsPo2iEx3RCy5MNA")]
    invitation: String,
}

fn show(ids: &Ids, member: &Member) -> PersonBody {
    let Member { person, proposed } = member;
    let state = match (person.is_active, proposed) {
        (true, _) => PersonState::Active,
        (false, Some(_)) => PersonState::Proposed,
        (false, None) => PersonState::Dismissed,
    };
    let proposed = proposed.as_ref().map(|proposal| ProposedPersonBody {
        role: match proposal.wanted {
            Change::Role(role) => Some(role),
            Change::Renewal => None,
        },
        content_hash: hex::encode(&proposal.content_hash),
        proposed_at: proposal.at,
    });
    PersonBody {
        id: ids.show(Kind::Person, person.id),
        login: person.login.clone(),
        name: person.name.clone(),
        role: person.role,
        state,
        has_password: person.has_password(),
        created_at: person.created_at,
        proposed,
    }
}

/// Hire somebody
#[utoipa::path(
    post, path = "/v1/people", operation_id = "hirePerson", tag = "staff",
    description = "By an operator. Who shall be operator or finance is proposed, and another operator approves it within 14 days; others are hired at once. The person gets in with an invitation. Nobody with a known login is somebody new: who was dismissed is the same person again.",
    security(("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewPerson,
    extensions(("x-problems" = json!(["approval-open"]))),
    responses((status = 201, description = "The person.", body = PersonBody))
)]
async fn hire(
    staff: Staff<Operator>,
    (ids, secrets, pool): Parts,
    write: Write<NewPerson>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let NewPerson { login, name, role } = &write.body;
        let id = super::hire(conn, &staff.who, &ids, login, name, *role).await?;
        Ok(show(&ids, &super::find(conn, id).await?))
    })
    .await
}

/// List who works for the hub
#[utoipa::path(
    get, path = "/v1/people", operation_id = "listPeople", tag = "staff",
    description = "Also who did, or shall; oldest first.",
    security(("person" = ["operator"])),
    params(Paging),
    responses((status = 200, description = "A page of people.", body = Page<PersonBody>))
)]
async fn list(
    _: Staff<Operator>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<PersonBody>>, Error> {
    let (limit, after) = (paging.0.limit()?, paging.0.after(&ids, "people")?);
    let rows = super::list(&mut *pool.get().await?, after.unwrap_or(0), limit).await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "people",
        |row| row.person.id,
        |row| show(&ids, row),
    )))
}

/// Look somebody up
#[utoipa::path(
    get, path = "/v1/people/{person}", operation_id = "getPerson", tag = "staff",
    description = "With what waits for a second operator.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id.")),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn one(
    _: Staff<Operator>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<PersonBody>, Error> {
    let id = ids.read(Kind::Person, &path).ok_or_else(unknown)?;
    let found = super::find(&mut *pool.get().await?, id).await?;
    Ok(web::Json(show(&ids, &found)))
}

/// Give somebody another role
#[utoipa::path(
    post, path = "/v1/people/{person}/role", operation_id = "changeRole", tag = "staff",
    description = "By an operator, of another person. Into operator or finance it is proposed, and another operator approves it; into support or auditor it is so at once. The person's sessions end.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewRole,
    extensions(("x-problems" = json!(["approval-open", "last-operator", "not-employed", "not-yourself"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn change_role(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NewRole>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let change = async |conn: &mut Connection, who: &Who, person: i64, asked: &NewRole| {
        super::want(conn, who, &ids, person, Change::Role(asked.role)).await
    };
    step(staff, parts, path, write, change).await
}

/// Renew somebody's way in
#[utoipa::path(
    post, path = "/v1/people/{person}/renew", operation_id = "renewPerson", tag = "staff",
    description = "By an operator, for another person who lost the password or the authenticator: both are taken away, the sessions end, and an invitation lets the person in again. Of an operator or finance it is proposed, and another operator approves it.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-open", "not-employed", "not-yourself"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn renew(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let renew = async |conn: &mut Connection, who: &Who, person: i64, _: &NoFields| {
        super::want(conn, who, &ids, person, Change::Renewal).await
    };
    step(staff, parts, path, write, renew).await
}

/// Approve a change of a person
#[utoipa::path(
    post, path = "/v1/people/{person}/approve", operation_id = "approvePerson", tag = "staff",
    description = "By an operator who did not propose it and whom it does not concern. It is so at once.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired", "last-operator", "maker-is-checker", "not-yourself"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn approve(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let approve = async |conn: &mut Connection, who: &Who, person: i64, read: &ReadProposal| {
        super::approve(conn, who, person, &read.hash()?).await
    };
    step(staff, parts, path, write, approve).await
}

/// Reject a change of a person
#[utoipa::path(
    post, path = "/v1/people/{person}/reject", operation_id = "rejectPerson", tag = "staff",
    description = "By an operator who did not propose it and whom it does not concern. The person stays as it is.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired", "maker-is-checker", "not-yourself"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn reject(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection, who: &Who, person: i64, read: &ReadProposal| {
        super::reject(conn, who, person, &read.hash()?).await
    };
    step(staff, parts, path, write, reject).await
}

/// Withdraw a proposed change of a person
#[utoipa::path(
    post, path = "/v1/people/{person}/withdraw", operation_id = "withdrawPerson", tag = "staff",
    description = "By any operator, before it is approved. The person stays as it is.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn withdraw(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let withdraw = async |conn: &mut Connection, who: &Who, person: i64, _: &NoFields| {
        super::withdraw(conn, who, person).await
    };
    step(staff, parts, path, write, withdraw).await
}

/// Dismiss somebody
#[utoipa::path(
    post, path = "/v1/people/{person}/dismiss", operation_id = "dismissPerson", tag = "staff",
    description = "By an operator, of another person. At once and on every hub: sessions end, password and second factor are forgotten. The last operator is not dismissed.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["last-operator", "not-yourself"]))),
    responses((status = 200, description = "The person.", body = PersonBody))
)]
async fn dismiss(
    staff: Staff<Operator>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let dismiss = async |conn: &mut Connection, who: &Who, person: i64, _: &NoFields| {
        super::dismiss(conn, who, person).await
    };
    step(staff, parts, path, write, dismiss).await
}

/// Invite somebody in
#[utoipa::path(
    post, path = "/v1/people/{person}/invitation", operation_id = "invitePerson", tag = "staff",
    description = "By an operator, of a person who is hired and has no password: a one-time token with which the person sets one. Asking again makes another, and the one before is no good any more, so this needs no Idempotency-Key.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["not-employed", "not-yourself", "password-set", "second-factor-missing", "step-up-needed"]))),
    responses((status = 200, description = "The invitation.", body = InvitationBody))
)]
async fn invite(
    staff: Staff<Operator>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
    _: Json<NoFields>,
) -> Result<HttpResponse, Error> {
    let person = ids.read(Kind::Person, &path).ok_or_else(unknown)?;
    let mut conn = pool.get().await?;
    let invitation = db::transaction(&mut conn, async |conn| {
        super::invite(conn, &staff.who, person).await
    })
    .await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(InvitationBody { invitation }))
}

/// One step of an operator, done once, and the person after it.
async fn step<T>(
    staff: Staff<Operator>,
    (ids, secrets, pool): Parts,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let person = ids.read(Kind::Person, &path).ok_or_else(unknown)?;
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        take(conn, &staff.who, person, &write.body).await?;
        Ok(show(&ids, &super::find(conn, person).await?))
    })
    .await
}
