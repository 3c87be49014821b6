//! Rotating over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use utoipa::OpenApi;

use crate::access::oauth::api::KeySet;
use crate::access::{Access, Operator, Staff};
use crate::db::Pool;
use crate::error::Error;
use crate::secret::{self, Secrets};
use crate::web::{NoFields, ProblemBody, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/signing-keys").route(web::post().to(rotate)));
}

#[derive(OpenApi)]
#[openapi(paths(rotate), components(schemas(NoFields, KeySet, ProblemBody)))]
pub struct Doc;

/// Rotate the key of access tokens
///
/// A new key is published at once and signs five minutes later. Tokens of the old key stay good
/// until they end. Not more often than every half an hour.
#[utoipa::path(
    post, path = "/v1/signing-keys", operation_id = "rotateSigningKeys", tag = "access",
    security(("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["signing-key-too-young"]))),
    responses((status = 201, description = "The set that is published now, newest first.", body = KeySet))
)]
async fn rotate(
    staff: Staff<Operator>,
    access: Data<Access>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        super::rotate(conn, &staff.who).await?;
        let live = secret::token_keys(conn).await?;
        Ok(access.tokens().published_of(&live)?)
    })
    .await
}
