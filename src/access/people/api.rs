//! People over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::unknown;
use crate::access::caller::Myself;
use crate::access::{Access, Operator, Staff};
use crate::db::{self, Pool};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::{Json, ProblemBody, RequestId};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/people/{person}/sessions").route(web::delete().to(end_sessions)),
    )
    .service(web::resource("/v1/invitations/accept").route(web::post().to(accept)))
    .service(web::resource("/v1/me/password").route(web::post().to(change_password)));
}

#[derive(OpenApi)]
#[openapi(
    paths(end_sessions, accept, change_password),
    components(schemas(AcceptInvitation, ChangePassword, ProblemBody))
)]
pub struct Doc;

/// An invitation, and the password that its bearer wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    #[schema(example = "inv_mZ4Xv0cB8nQeYJr1hTqkG7dWfUaLsPo2iEx3RCy5MNA")]
    invitation: String,
    /// 12 to 256 characters.
    #[schema(format = Password)]
    password: String,
}

/// The present password, the next, and a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(format = Password)]
    password: String,
    /// 12 to 256 characters.
    #[schema(format = Password)]
    new_password: String,
    #[schema(example = "287082")]
    code: String,
}

/// Accept an invitation
///
/// Sets the password of who was hired, or whose way in was renewed. Then sign in, and enrol a second factor.
/// Needs no Idempotency-Key: an invitation is good once.
#[utoipa::path(
    post, path = "/v1/invitations/accept", operation_id = "acceptInvitation", tag = "access", security(()),
    request_body = AcceptInvitation,
    extensions(("x-problems" = json!(["invitation-invalid"]))),
    responses((status = 204, description = "The password is set."))
)]
async fn accept(
    access: Data<Access>,
    pool: Data<Pool>,
    request: RequestId,
    Json(asked): Json<AcceptInvitation>,
) -> Result<HttpResponse, Error> {
    let AcceptInvitation {
        invitation,
        password,
    } = asked;
    super::accept(&pool, &access.hashing, request, &invitation, &password).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Change one's password
#[utoipa::path(
    post, path = "/v1/me/password", operation_id = "changePassword", tag = "access",
    description = "With the present password and a code. All other sessions end. Needs no Idempotency-Key: a code is good once.",
    security(("person" = [])),
    request_body = ChangePassword,
    extensions(("x-problems" = json!(["code-refused", "too-many-requests"]))),
    responses((status = 204, description = "It is changed."))
)]
async fn change_password(
    me: Myself,
    access: Data<Access>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    Json(asked): Json<ChangePassword>,
) -> Result<HttpResponse, Error> {
    let ChangePassword {
        password,
        new_password,
        code,
    } = asked;
    let passwords = (password, &*new_password);
    super::change_password(&pool, &access, &secrets, &me, passwords, &code).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign a person out everywhere
#[utoipa::path(
    delete, path = "/v1/people/{person}/sessions", operation_id = "endSessionsOf", tag = "access",
    description = "By an operator, of anybody who works for the hub. At once and on every hub; the person may sign in again. Needs no Idempotency-Key: doing it again changes nothing.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id.")),
    extensions(("x-problems" = json!(["second-factor-missing"]))),
    responses((status = 204, description = "They have ended."))
)]
async fn end_sessions(
    staff: Staff<Operator>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let person = ids.read(Kind::Person, &path).ok_or_else(unknown)?;
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        super::sign_out(conn, &staff.who, person).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
