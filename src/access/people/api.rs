//! People over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use utoipa::OpenApi;

use super::unknown;
use crate::access::{Operator, Staff};
use crate::db::{self, Pool};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::web::{ProblemBody, WriteProblems};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/people/{person}/sessions").route(web::delete().to(end_sessions)),
    );
}

#[derive(OpenApi)]
#[openapi(paths(end_sessions), components(schemas(ProblemBody)))]
pub struct Doc;

/// Sign a person out everywhere
#[utoipa::path(
    delete, path = "/v1/people/{person}/sessions", operation_id = "endSessionsOf", tag = "access",
    description = "By an operator, of anybody who works for the hub. At once and on every hub; the person may sign in again. Needs no Idempotency-Key: doing it again changes nothing.",
    security(("person" = ["operator"])),
    params(("person" = String, Path, description = "The person's id.")),
    responses((status = 204, description = "They have ended."), WriteProblems)
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
