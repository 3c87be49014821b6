//! Runs over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Serialize;
use utoipa::ToSchema;

use super::check::CHECKS;
use super::{Found, Run, store};
use crate::access::{AnyScope, Auditor, Operator, Reader};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners;
use crate::sandbox::api::InSandbox;
use crate::secret::Secrets;
use crate::web::{NoFields, Page, Paging, Query, Write, once};

const LIST: &str = "certification-runs";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/partners/{partner}/certification-runs")
            .route(web::get().to(list))
            .route(web::post().to(start)),
    )
    .service(web::resource("/v1/certification-runs/{certification_run}").route(web::get().to(read)))
    .service(
        web::resource("/v1/certification-runs/{certification_run}/close")
            .route(web::post().to(close)),
    );
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// What the program does counts.
    Open,
    /// The report is kept.
    Closed,
}

/// A certification run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunBody {
    #[schema(example = "crun_0123456789abcdef")]
    id: String,
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    status: RunStatus,
    /// All checks passed.
    passed: bool,
    checks: Vec<CheckBody>,
    /// The same in short: what an operator of the live hub records as the partner's certification.
    report: Vec<ReportBody>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

/// One thing that the program has to be seen to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckBody {
    #[schema(example = "a repeated write is answered as the first")]
    name: String,
    passed: bool,
    /// What was not seen yet; null once it passed.
    missing: Option<&'static str>,
    /// How to let it be seen.
    how: Option<&'static str>,
}

/// A check and whether it passed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportBody {
    #[schema(example = "a repeated write is answered as the first")]
    name: String,
    passed: bool,
}

fn show(ids: &Ids, run: &Run) -> RunBody {
    let check = |found: &Found| {
        let check = CHECKS.iter().find(|check| check.name == found.name);
        CheckBody {
            name: found.name.clone(),
            passed: found.passed,
            missing: check.filter(|_| !found.passed).map(|check| check.missing),
            how: check.map(|check| check.how),
        }
    };
    let report = |found: &Found| ReportBody {
        name: found.name.clone(),
        passed: found.passed,
    };
    RunBody {
        id: ids.show(Kind::CertificationRun, run.id),
        partner: ids.show(Kind::Partner, run.partner),
        status: match run.closed_at {
            None => RunStatus::Open,
            Some(_) => RunStatus::Closed,
        },
        passed: run.passed(),
        checks: run.found.iter().map(check).collect(),
        report: run.found.iter().map(report).collect(),
        started_at: run.started_at,
        closed_at: run.closed_at,
    }
}

/// Begin a certification run
#[utoipa::path(
    post, path = "/v1/partners/{partner}/certification-runs", operation_id = "startCertificationRun", tag = "sandbox",
    description = "From now on it counts what the partner's program does; the checks say what is missing and how to do it. Goes on with the run that is open, if one is. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 201, description = "The run.", body = RunBody))
)]
async fn start(
    reader: Reader<AnyScope, Operator>,
    _: InSandbox,
    (ids, secrets, pool): (Data<Ids>, Data<Secrets>, Data<Pool>),
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let partner = partner_of(&reader, &ids, &path)?;
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        partners::must_be_there(conn, partner).await?;
        let run = super::start(conn, &reader.who, partner).await?;
        Ok(show(&ids, &run))
    })
    .await
}

/// List certification runs
#[utoipa::path(
    get, path = "/v1/partners/{partner}/certification-runs", operation_id = "listCertificationRuns", tag = "sandbox",
    description = "A partner's runs, newest first. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id."), Paging),
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 200, description = "A page of runs.", body = Page<RunBody>))
)]
async fn list(
    reader: Reader<AnyScope, (Operator, Auditor)>,
    _: InSandbox,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<RunBody>>, Error> {
    let partner = partner_of(&reader, &ids, &path)?;
    let (limit, before) = (paging.0.limit()?, paging.0.after(&ids, LIST)?);
    let mut conn = pool.get().await?;
    partners::must_be_there(&mut conn, partner).await?;
    let runs = store::list(&mut conn, partner, before.unwrap_or(i64::MAX), limit).await?;
    let show = |run: &Run| show(&ids, run);
    Ok(web::Json(Page::of(
        runs,
        limit,
        &ids,
        LIST,
        |run| run.id,
        show,
    )))
}

/// Read a certification run
#[utoipa::path(
    get, path = "/v1/certification-runs/{certification_run}", operation_id = "readCertificationRun", tag = "sandbox",
    description = "How far the program is, or the report that was kept. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator", "auditor"])),
    params(("certification_run" = String, Path, description = "The run's id.")),
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 200, description = "The run.", body = RunBody))
)]
async fn read(
    reader: Reader<AnyScope, (Operator, Auditor)>,
    _: InSandbox,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<RunBody>, Error> {
    let run = ids
        .read(Kind::CertificationRun, &path)
        .ok_or_else(unknown)?;
    let run = store::find(&mut *pool.get().await?, run).await?;
    let run = run.filter(|run| is_theirs(reader.partner(), run.partner));
    Ok(web::Json(show(&ids, &run.ok_or_else(unknown)?)))
}

/// Close a certification run
#[utoipa::path(
    post, path = "/v1/certification-runs/{certification_run}/close", operation_id = "closeCertificationRun", tag = "sandbox",
    description = "Keeps the report as it is now. Where the partner is certifying, it becomes its certification. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator"])),
    params(("certification_run" = String, Path, description = "The run's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 200, description = "The run.", body = RunBody))
)]
async fn close(
    reader: Reader<AnyScope, Operator>,
    _: InSandbox,
    (ids, secrets, pool): (Data<Ids>, Data<Secrets>, Data<Pool>),
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let run = ids
        .read(Kind::CertificationRun, &path)
        .ok_or_else(unknown)?;
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let known = store::find(conn, run).await?;
        let known = known.filter(|known| is_theirs(reader.partner(), known.partner));
        let known = known.ok_or_else(unknown)?;
        let closed = super::close(conn, &reader.who, known.id).await?;
        Ok(show(&ids, &closed.ok_or_else(unknown)?))
    })
    .await
}

fn is_theirs(asks: Option<i64>, partner: i64) -> bool {
    asks.is_none_or(|own| own == partner)
}

/// The partner in the path, if it is the caller's business.
fn partner_of<S, R>(reader: &Reader<S, R>, ids: &Ids, shown: &str) -> Result<i64, Problem> {
    let partner = ids.read(Kind::Partner, shown);
    let partner = partner.filter(|partner| is_theirs(reader.partner(), *partner));
    partner.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such run of yours")
}
