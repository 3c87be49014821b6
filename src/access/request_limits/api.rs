//! Request limits over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{Policy, unknown};
use crate::access::{AnyScope, Auditor, Operator, Reader, Staff};
use crate::db::Pool;
use crate::error::{Error, Problem};
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::{ProblemBody, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/partners/{partner}/request-limit")
            .route(web::get().to(read))
            .route(web::put().to(set)),
    );
}

#[derive(OpenApi)]
#[openapi(paths(read, set), components(schemas(RequestLimitBody, ProblemBody)))]
pub struct Doc;

/// How often a partner may ask.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RequestLimit)]
#[serde(deny_unknown_fields)]
pub struct RequestLimitBody {
    /// On average.
    #[schema(minimum = 1, maximum = 100000, example = 50)]
    per_second: u32,
    /// At once, after a pause.
    #[schema(minimum = 1, maximum = 1000000, example = 100)]
    burst: u32,
}

impl RequestLimitBody {
    fn of(policy: Policy) -> RequestLimitBody {
        let Policy { per_second, burst } = policy;
        RequestLimitBody { per_second, burst }
    }

    fn read(&self) -> Result<Policy, Problem> {
        let RequestLimitBody { per_second, burst } = *self;
        if !(1..=Policy::MOST_PER_SECOND).contains(&per_second) {
            return Err(Problem::field("/per_second", "1 to 100000"));
        }
        if !(1..=Policy::MOST_AT_ONCE).contains(&burst) {
            return Err(Problem::field("/burst", "1 to 1000000"));
        }
        Ok(Policy { per_second, burst })
    }
}

/// Read how often a partner may ask
#[utoipa::path(
    get, path = "/v1/partners/{partner}/request-limit", operation_id = "readRequestLimit", tag = "access",
    description = "Over all hubs and all credentials of the partner. Every answer to a partner says in `RateLimit` how many requests are left and in `RateLimit-Policy` how many there are. A partner sees its own.",
    security(("partner" = []), ("person" = ["operator", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The limit.", body = RequestLimitBody))
)]
async fn read(
    reader: Reader<AnyScope, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<RequestLimitBody>, Error> {
    let partner = ids.read(Kind::Partner, &path).ok_or_else(unknown)?;
    if reader.partner().is_some_and(|own| own != partner) {
        return Err(unknown().into());
    }
    let policy = super::find(&mut *pool.get().await?, partner).await?;
    Ok(web::Json(RequestLimitBody::of(policy)))
}

/// Set how often a partner may ask
#[utoipa::path(
    put, path = "/v1/partners/{partner}/request-limit", operation_id = "setRequestLimit", tag = "access",
    description = "By an operator. A partner for whom nothing was set may send 50 requests a second, and 100 at once. It holds from the next second on.",
    security(("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = RequestLimitBody,
    responses((status = 200, description = "The limit.", body = RequestLimitBody))
)]
async fn set(
    staff: Staff<Operator>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<RequestLimitBody>,
) -> Result<HttpResponse, Error> {
    let partner = ids.read(Kind::Partner, &path).ok_or_else(unknown)?;
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let policy = write.body.read()?;
        super::set(conn, &staff.who, partner, policy).await?;
        Ok(RequestLimitBody::of(policy))
    })
    .await
}
