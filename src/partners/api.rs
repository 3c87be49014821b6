//! Partners over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::partner::Kind as BrandKind;
use super::{Directories, Directory, NewPartner, Partner, State};
use super::{award_limits, bank_accounts, currencies, link_terms, pilots, steps};
use crate::access::{AnyRole, AnyScope, Operator, Reader, Staff};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::{Error, Problem};
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::text::{Code, Name};
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/partners")
            .route(web::get().to(list))
            .route(web::post().to(admit)),
    )
    .service(web::resource("/v1/partners/{partner}").route(web::get().to(one)));
    steps::api::routes(cfg);
    currencies::api::routes(cfg);
    award_limits::api::routes(cfg);
    bank_accounts::api::routes(cfg);
    link_terms::api::routes(cfg);
    pilots::api::routes(cfg);
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, admit),
    components(schemas(AdmitPartner, PartnerBody, State, ProblemBody)),
    tags((name = "partners", description = "Who takes part."))
)]
struct PartnersDoc;

/// What partners and their currencies add to the OpenAPI document.
pub struct Doc;

impl OpenApi for Doc {
    fn openapi() -> utoipa::openapi::OpenApi {
        let mut document = PartnersDoc::openapi();
        document.merge(steps::api::Doc::openapi());
        document.merge(currencies::api::Doc::openapi());
        document.merge(award_limits::api::Doc::openapi());
        document.merge(bank_accounts::api::Doc::openapi());
        document.merge(link_terms::api::Doc::openapi());
        document.merge(pilots::api::Doc::openapi());
        document
    }
}

/// A brand to be admitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmitPartner {
    #[schema(value_type = String, example = "AERO", pattern = "^[A-Z][A-Z0-9]{1,15}$")]
    code: Code,
    #[schema(value_type = String, example = "Aero")]
    name: Name,
    /// The name in Chinese.
    #[schema(value_type = Option<String>, example = "航翼航空")]
    name_zh: Option<Name>,
    /// What sort of brand it is, in one word.
    #[schema(value_type = String, example = "airline", pattern = "^[a-z_]{2,32}$")]
    kind: BrandKind,
    /// The ISO 4217 code of the money it settles in.
    #[schema(example = "USD")]
    money: String,
    /// The IANA time zone of its business dates.
    #[schema(example = "Asia/Hong_Kong")]
    zone: String,
}

/// A partner.
#[derive(Serialize, ToSchema)]
pub struct PartnerBody {
    #[schema(example = "ptr_0123456789abcdef")]
    pub id: String,
    #[schema(example = "AERO")]
    pub code: String,
    pub name: String,
    pub name_zh: Option<String>,
    #[schema(example = "airline")]
    pub kind: String,
    pub state: State,
    /// The last day of one that winds down, in its zone.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_day: Option<NaiveDate>,
    /// The ISO 4217 code of the money it settles in.
    #[schema(example = "USD")]
    pub money: String,
    /// The IANA time zone of its business dates.
    #[schema(example = "Asia/Hong_Kong")]
    pub zone: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

fn show(ids: &Ids, directory: &Directory, partner: &Partner) -> PartnerBody {
    PartnerBody {
        id: ids.show(Kind::Partner, partner.id),
        code: partner.code.clone(),
        name: partner.name.clone(),
        name_zh: partner.name_zh.clone(),
        kind: partner.kind.clone(),
        state: partner.state,
        last_day: partner.last_day,
        money: directory
            .money(partner.money)
            .map(|money| money.code.clone())
            .unwrap_or_default(),
        zone: partner.zone.name().to_owned(),
        created_at: partner.created_at,
    }
}

/// The brand, with its money and zone known.
fn read(asked: AdmitPartner, directory: &Directory) -> Result<NewPartner, Problem> {
    let AdmitPartner {
        code,
        name,
        name_zh,
        kind,
        money,
        zone,
    } = asked;
    let money = directory.money_by_code(&money);
    let money = money
        .ok_or_else(|| {
            Problem::field(
                "/money",
                "the ISO 4217 code of a money that the hub settles in",
            )
        })?
        .no;
    let zone: Tz = zone
        .parse()
        .map_err(|_| Problem::field("/zone", "an IANA time zone such as Asia/Hong_Kong"))?;
    Ok(NewPartner {
        code,
        name,
        name_zh,
        kind,
        money,
        zone,
    })
}

/// Admit a partner
#[utoipa::path(
    post, path = "/v1/partners", operation_id = "admitPartner", tag = "partners",
    description = "By an operator. An application: the partner is in the sandbox at once, and goes live step by step (`/v1/partners/{partner}/status`).",
    security(("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = AdmitPartner,
    extensions(("x-problems" = json!(["code-taken"]))),
    responses((status = 201, description = "The partner.", body = PartnerBody))
)]
async fn admit(
    staff: Staff<Operator>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    write: Write<AdmitPartner>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let partner = super::admit(conn, &staff.who, read(write.body, &directory)?).await?;
        Ok(show(&ids, &directory, &partner))
    })
    .await
}

/// List partners
#[utoipa::path(
    get, path = "/v1/partners", operation_id = "listPartners", tag = "partners",
    description = "All partners of the coalition, oldest first.",
    security(("partner" = []), ("person" = [])),
    params(Paging),
    responses((status = 200, description = "A page of partners.", body = Page<PartnerBody>))
)]
async fn list(
    _reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<PartnerBody>>, Error> {
    let (limit, after) = (
        paging.0.limit()?,
        paging.0.after(&ids, "partners")?.unwrap_or(0),
    );

    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let mut rows = directory.partners();
    rows.retain(|partner| partner.id > after);
    let show = |partner: &&Partner| show(&ids, &directory, partner);
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "partners",
        |partner| partner.id,
        show,
    )))
}

/// Look up a partner
#[utoipa::path(
    get, path = "/v1/partners/{partner}", operation_id = "getPartner", tag = "partners",
    description = "By its id.",
    security(("partner" = []), ("person" = [])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The partner.", body = PartnerBody))
)]
async fn one(
    _reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    path: Path<String>,
) -> Result<web::Json<PartnerBody>, Error> {
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let partner = ids
        .read(Kind::Partner, &path)
        .and_then(|id| directory.partner(id))
        .ok_or_else(super::unknown)?;
    Ok(web::Json(show(&ids, &directory, partner)))
}
