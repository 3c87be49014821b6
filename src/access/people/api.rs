//! Signing in over HTTP.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::Login;
use crate::access::{Access, Role, token};
use crate::clock;
use crate::db::Pool;
use crate::error::Error;
use crate::id::Ids;
use crate::web::{Json, ProblemBody};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/sessions").route(web::post().to(sign_in)));
}

#[derive(OpenApi)]
#[openapi(
    paths(sign_in),
    components(schemas(SignIn, SessionBody, Role, ProblemBody))
)]
pub struct Doc;

/// A login and its password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[schema(value_type = String, example = "operator")]
    login: Login,
    #[schema(format = Password)]
    password: String,
}

/// An access token for a person.
#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    /// Send it as `Authorization: Bearer`.
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    pub expires_in: i64,
    pub name: String,
    pub role: Role,
}

/// Sign in
///
/// For people of the hub. Five attempts a minute per account, right or wrong. Needs no
/// Idempotency-Key: it changes nothing.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "signIn", tag = "access", security(()),
    request_body = SignIn,
    extensions(("x-problems" = json!(["sign-in-failed", "too-many-requests"]))),
    responses((status = 200, description = "A token for 15 minutes.", body = SessionBody))
)]
async fn sign_in(
    access: Data<Access>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    Json(asked): Json<SignIn>,
) -> Result<HttpResponse, Error> {
    let now = clock::machine_now();
    let (person, access_token) =
        super::sign_in(&pool, &access, &ids, &asked.login, asked.password, now).await?;

    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SessionBody {
            access_token,
            token_type: "Bearer",
            expires_in: token::LIFE,
            name: person.name,
            role: person.role,
        }))
}
