//! Signing in and out over HTTP.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{LIFE, Listed, Which, store, unknown};
use crate::access::caller::Myself;
use crate::access::people::{self, Login};
use crate::access::{Access, Role};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::{Json, Page, Paging, ProblemBody, Query, RequestId};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/sessions")
            .route(web::post().to(sign_in))
            .route(web::get().to(list))
            .route(web::delete().to(end_others)),
    )
    .service(web::resource("/v1/sessions/current").route(web::delete().to(sign_out)))
    .service(web::resource("/v1/sessions/{session}").route(web::delete().to(end)));
}

#[derive(OpenApi)]
#[openapi(
    paths(sign_in, list, end_others, sign_out, end),
    components(schemas(SignIn, SignedInBody, SessionBody, Role, ProblemBody))
)]
pub struct Doc;

/// A login, its password, and a code of the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[schema(value_type = String, example = "operator")]
    login: Login,
    #[schema(format = Password)]
    password: String,
    /// Of the authenticator, or a recovery code. Left out by who has not enrolled a second factor.
    #[schema(example = "287082")]
    code: Option<String>,
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub struct SignedInBody {
    /// Send it as `Authorization: Bearer`. It tells nothing, and is shown here only.
    #[schema(example = "ses_mZ4Xv0cB8nQeYJr1hTqkG7dWfUaLsPo2iEx3RCy5MNA")]
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until it ends at the latest. It ends after half an hour without a request, too.
    #[schema(example = 43200)]
    pub expires_in: i64,
    pub name: String,
    pub role: Role,
    /// Whether a code was given. Without a second factor everything may be read, and nothing done: enrol one
    /// with `POST /v1/me/second-factor`.
    pub second_factor: bool,
}

/// Somewhere that one is signed in.
#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    #[schema(example = "ssn_0123456789abcdef")]
    pub id: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// To the minute.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
}

fn show(ids: &Ids, session: &Listed, current: i64) -> SessionBody {
    SessionBody {
        id: ids.show(Kind::Session, session.id),
        is_current: session.id == current,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
    }
}

/// Sign in
///
/// For people of the hub. Who has a second factor sends a code, too: without it a right password is
/// answered with `code-needed`. Five attempts a minute per account, right or wrong. Needs no
/// Idempotency-Key: who signs in again has another session.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "signIn", tag = "access", security(()),
    request_body = SignIn,
    extensions(("x-problems" = json!(["code-needed", "sign-in-failed", "too-many-requests"]))),
    responses((status = 200, description = "A session.", body = SignedInBody))
)]
async fn sign_in(
    access: Data<Access>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    request: RequestId,
    Json(asked): Json<SignIn>,
) -> Result<HttpResponse, Error> {
    let SignIn {
        login,
        password,
        code,
    } = asked;
    let (person, second_factor, access_token) = people::sign_in(
        &pool,
        &access,
        &secrets,
        &login,
        (password, code.as_deref()),
        request,
    )
    .await?;

    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SignedInBody {
            access_token,
            token_type: "Bearer",
            expires_in: LIFE,
            name: person.name,
            role: person.role,
            second_factor,
        }))
}

/// List where one is signed in
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "listSessions", tag = "access",
    description = "One's own sessions, oldest first.",
    security(("person" = [])),
    params(Paging),
    responses((status = 200, description = "A page of sessions.", body = Page<SessionBody>))
)]
async fn list(
    me: Myself,
    ids: Data<Ids>,
    pool: Data<Pool>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<SessionBody>>, Error> {
    let (limit, after) = (paging.0.limit()?, paging.0.after(&ids, "sessions")?);
    let mut conn = pool.get().await?;
    let person = me.session.person;
    let rows = store::list(&mut conn, person, after.unwrap_or(0), limit).await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "sessions",
        |row| row.id,
        |row| show(&ids, row, me.session.id),
    )))
}

/// Sign out everywhere else
#[utoipa::path(
    delete, path = "/v1/sessions", operation_id = "endOtherSessions", tag = "access",
    description = "Ends all of one's sessions but the one that asks. Needs no Idempotency-Key: doing it again changes nothing.",
    security(("person" = [])),
    responses((status = 204, description = "They have ended."))
)]
async fn end_others(me: Myself, pool: Data<Pool>) -> Result<HttpResponse, Error> {
    finish(&me, &pool, Which::AllBut(me.session.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "signOut", tag = "access",
    description = "Ends the session that asks, at once and on every hub. Needs no Idempotency-Key.",
    security(("person" = [])),
    responses((status = 204, description = "It has ended."))
)]
async fn sign_out(me: Myself, pool: Data<Pool>) -> Result<HttpResponse, Error> {
    finish(&me, &pool, Which::One(me.session.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End a session
#[utoipa::path(
    delete, path = "/v1/sessions/{session}", operation_id = "endSession", tag = "access",
    description = "One of one's own, at once and on every hub. Needs no Idempotency-Key: one that has ended is not found.",
    security(("person" = [])),
    params(("session" = String, Path, description = "The session's id.")),
    responses((status = 204, description = "It has ended."))
)]
async fn end(
    me: Myself,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::Session, &path).ok_or_else(unknown)?;
    match finish(&me, &pool, Which::One(id)).await? {
        0 => Err(unknown().into()),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

async fn finish(me: &Myself, pool: &Pool, which: Which) -> Result<usize, Error> {
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        super::end(conn, &me.who, me.session.person, which).await
    })
    .await
}
