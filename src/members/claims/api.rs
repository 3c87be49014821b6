//! Claims over HTTP. A partner attests and reads what it says of its own members.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::claim::Claim;
use super::{Claims, store};
use crate::access::{MembersRead, MembersWrite, OrMember, Partner};
use crate::db::Pool;
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::members::api::{own, unknown};
use crate::secret::Secrets;
use crate::web::{ProblemBody, ReadProblems, Write, WriteProblems, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/members/{member}/claims")
            .route(web::get().to(read))
            .route(web::put().to(attest)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(attest, read),
    components(schemas(ClaimsBody, Claim, AttestedBody, ProblemBody))
)]
pub struct Doc;

/// What you attest about your member: at most 20 claims, each under a name of 1 to 40 of a to z, 0 to
/// 9 and _.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimsBody {
    #[schema(value_type = BTreeMap<String, Claim>, example = json!({"tier": {"value": "gold", "valid_until": "2027-01-01T00:00:00Z"}, "card": {"value": "visa_infinite"}}))]
    claims: Claims,
}

/// What was attested is told by reading it.
#[derive(Serialize, ToSchema)]
pub struct AttestedBody {
    #[schema(example = "mem_0123456789abcdef")]
    member: String,
    /// How many claims there were.
    #[schema(example = 2)]
    attested: usize,
}

/// Attest claims
#[utoipa::path(
    put, path = "/v1/members/{member}/claims", operation_id = "attestClaims", tag = "members",
    description = "Facts about your own member, such as a tier or a card held, that rate cards may ask for. They take the place of all that you attested before: what you leave out no longer holds. Nobody else sees them. A quote that was given keeps its price.",
    security(("partner" = ["members:write"])),
    params(("member" = String, Path, description = "The member's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ClaimsBody,
    responses((status = 200, description = "How many there are now.", body = AttestedBody), WriteProblems)
)]
async fn attest(
    caller: Partner<MembersWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<ClaimsBody>,
) -> Result<HttpResponse, Error> {
    let member = ids.read(Kind::Member, &path).ok_or_else(unknown)?;
    let claim = caller.who.claim(&secrets, &write);
    let claims = &write.body.claims;
    once(&pool, claim, StatusCode::OK, async |conn| {
        let whose = (member, caller.partner);
        match super::attest(conn, &caller.who, whose, claims).await? {
            true => Ok(AttestedBody {
                member: ids.show(Kind::Member, member),
                attested: claims.len(),
            }),
            false => Err(unknown().into()),
        }
    })
    .await
}

/// Read claims
#[utoipa::path(
    get, path = "/v1/members/{member}/claims", operation_id = "readClaims", tag = "members",
    description = "What you attest about your own member, with what has ended; for a member, what the partner that acts attests about it.",
    security(("partner" = ["members:read"]), ("member" = ["members:read"])),
    params(("member" = String, Path, description = "The member's id.")),
    responses((status = 200, description = "The claims.", body = ClaimsBody), ReadProblems)
)]
async fn read(
    caller: Partner<OrMember<MembersRead>>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<ClaimsBody>, Error> {
    let member = own(&ids, caller.who.acted(), &path)?;
    let found = store::find(&mut *pool.get().await?, member, caller.partner).await?;
    Ok(web::Json(ClaimsBody {
        claims: found.ok_or_else(unknown)?,
    }))
}
