//! Link terms over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::LinkTerms;
use super::terms::{BadTerm, StepUp};
use crate::access::{AnyRole, AnyScope, Partner, Proof, RatesWrite, Reader};
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::{Directories, unknown};
use crate::secret::Secrets;
use crate::web::body::object_or_none;
use crate::web::{ProblemBody, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/partners/{partner}/link-terms")
            .route(web::get().to(read))
            .route(web::put().to(set)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(read, set),
    components(schemas(LinkTermsBody, StepUpTermsBody, ProblemBody))
)]
pub struct Doc;

/// What a programme asks before points of its members leave it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = LinkTerms)]
#[serde(deny_unknown_fields)]
pub struct LinkTermsBody {
    /// For how many hours after a link nothing is converted over it out of this programme; 0 for none.
    #[schema(minimum = 0, maximum = 8760, example = 24)]
    cooling_off_hours: u32,
    /// What a member's token has to prove when the member converts itself; null for nothing.
    #[serde(default, deserialize_with = "object_or_none")]
    step_up: Option<StepUpTermsBody>,
}

/// What a member has to prove: at least one of the two.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StepUpTerms)]
#[serde(deny_unknown_fields)]
pub struct StepUpTermsBody {
    /// How many seconds ago the member proved itself to the partner, at most: `auth_time` says when it did. Null
    /// for no matter when.
    #[schema(minimum = 1, maximum = 31536000, example = 300)]
    max_age: Option<u32>,
    /// The ways in which it may have, the best one first: `acr` says which it was. Empty for no matter how.
    #[schema(max_items = 10, example = json!(["urn:example:2fa"]))]
    acr_values: Vec<String>,
}

impl StepUpTermsBody {
    /// Nothing where nothing is asked.
    pub fn of(step_up: &StepUp) -> Option<StepUpTermsBody> {
        (*step_up != StepUp::default()).then(|| StepUpTermsBody {
            max_age: step_up.max_age,
            acr_values: step_up.acr_values.clone(),
        })
    }
}

impl LinkTermsBody {
    fn of(terms: &LinkTerms) -> LinkTermsBody {
        LinkTermsBody {
            cooling_off_hours: terms.cooling_off_hours,
            step_up: StepUpTermsBody::of(&terms.step_up),
        }
    }

    fn read(self) -> Result<LinkTerms, Problem> {
        let step_up = self.step_up.map(|asked| StepUp {
            max_age: asked.max_age,
            acr_values: asked.acr_values,
        });
        if step_up == Some(StepUp::default()) {
            let rule = "`max_age`, `acr_values` or both; null where nothing is asked";
            return Err(Problem::field("/step_up", rule));
        }
        Ok(LinkTerms {
            cooling_off_hours: self.cooling_off_hours,
            step_up: step_up.unwrap_or_default(),
        })
    }
}

/// Read link terms
#[utoipa::path(
    get, path = "/v1/partners/{partner}/link-terms", operation_id = "readLinkTerms", tag = "partners",
    description = "What a programme asks before points of its members leave it. Everybody who takes part may know.",
    security(("partner" = []), ("person" = [])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The terms.", body = LinkTermsBody))
)]
async fn read(
    _: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    path: Path<String>,
) -> Result<web::Json<LinkTermsBody>, Error> {
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let partner = ids.read(Kind::Partner, &path);
    let partner = partner.and_then(|id| directory.partner(id));
    let terms = directory.link_terms(partner.ok_or_else(unknown)?.id);
    Ok(web::Json(LinkTermsBody::of(&terms)))
}

/// Set link terms
#[utoipa::path(
    put, path = "/v1/partners/{partner}/link-terms", operation_id = "setLinkTerms", tag = "partners",
    description = "What your programme asks before points of its members leave it, in the place of what it asked before. It holds at once, for links and quotes that there are too. While a link cools off, what is converted out of your programme over it is refused with `link-cooling-off`; awards, redemptions, conversions into your programme and to brands that were linked before go on. A step-up is asked of members who convert themselves with a token that acts for them, in the way of RFC 9470.",
    security(("partner" = ["rates:write"])),
    params(("partner" = String, Path, description = "Your own id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = LinkTermsBody,
    responses((status = 200, description = "The terms.", body = LinkTermsBody))
)]
async fn set(
    caller: Partner<RatesWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<LinkTermsBody>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let own = ids.read(Kind::Partner, &path) == Some(caller.partner);
    own.then_some(()).ok_or_else(unknown)?;
    let body = write.body;
    once(&pool, claim, StatusCode::OK, async |conn| {
        let terms = body.read()?;
        super::set(conn, &caller.who, caller.partner, &terms).await?;
        Ok(LinkTermsBody::of(&terms))
    })
    .await
}

/// Refuses a member that has not proved itself as the terms ask; RFC 9470 says how it is told.
pub fn must_be_met(step_up: &StepUp, proof: &Proof, now: i64) -> Result<(), Problem> {
    if step_up.is_met(proof, now) {
        return Ok(());
    }
    let detail = "what the token says of how the member proved itself is too old, or not what its programme asks for";
    let mut problem = Problem::new(Slug::InsufficientUserAuthentication, detail);
    if let Some(age) = step_up.max_age {
        problem = problem.with("max_age", age);
    }
    if !step_up.acr_values.is_empty() {
        problem = problem.with("acr_values", step_up.acr_values.join(" "));
    }
    Err(problem)
}

pub(super) fn bad(BadTerm { pointer, rule }: BadTerm) -> Problem {
    Problem::field(pointer, rule)
}
