//! Imports over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::import::{Format, Import, Kind};
use super::store::RefusedLine;
use super::{BATCH, Intake, State, own, undo, unknown};
use crate::access::{Auditor, ImportsWrite, Operator, Partner, Reader};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{CATALOGUE, Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::Ledger;
use crate::ledger::shelf::Shelf;
use crate::partners::{AmountBody, Directory};
use crate::web::stream::LineBody;
use crate::web::text::Name;
use crate::web::{Page, Paging, Query, Write, once};

#[derive(OpenApi)]
#[openapi(
    paths(create, list, read, send, refusals, finish),
    components(schemas(NewImport, FinishImport, ImportBody, RefusedLineBody, Kind, Format, State)),
    tags((name = "imports", description = "Files of members, memberships and awards, taken line by line."))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/imports")
            .route(web::get().to(list))
            .route(web::post().to(create)),
    )
    .service(web::resource("/v1/imports/{import}").route(web::get().to(read)))
    .service(web::resource("/v1/imports/{import}/lines").route(web::put().to(send)))
    .service(web::resource("/v1/imports/{import}/refusals").route(web::get().to(refusals)))
    .service(web::resource("/v1/imports/{import}/finish").route(web::post().to(finish)))
    .configure(undo::api::routes);
}

/// How many files a hub takes lines of at once: they may take long, and others are to be worked on beside them.
static PLACES: Semaphore = Semaphore::const_new(32);

/// What is to be imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewImport {
    kind: Kind,
    format: Format,
    /// What you call it, the name of the file for example: 1 to 120 characters.
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "awards-2027-01.csv")]
    name: Name,
}

/// How long the file is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishImport {
    /// How many lines the file has, with its header and its empty lines.
    #[schema(minimum = 1, example = 100_001)]
    lines: i64,
}

/// How far an import went.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportBody {
    #[schema(example = "imp_0123456789abcdef")]
    id: String,
    /// Whose it is.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    kind: Kind,
    format: Format,
    #[schema(example = "awards-2027-01.csv")]
    name: String,
    /// `open` as long as it takes lines, then `finished`. `/undo` says more of what follows.
    state: State,
    /// How many lines of the file were read, with its header and empty lines.
    #[schema(example = 4096)]
    lines_read: i64,
    /// The number of the line to go on from.
    #[schema(example = 4097)]
    next_line: i64,
    /// How many of them went in.
    #[schema(example = 4094)]
    done: i64,
    /// How many did not; `/refusals` says why.
    #[schema(example = 1)]
    refused: i64,
    /// Of awards: what those that went in come to.
    given: Vec<AmountBody>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// A line that did not go in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedLine)]
pub struct RefusedLineBody {
    /// Its number in the file, from 1 on.
    #[schema(example = 57)]
    line: i64,
    /// The column or field that it is about; null when it is the whole line.
    #[schema(example = "number")]
    field: Option<String>,
    /// The code of the problem, as of a single request: see `/problems/{slug}`.
    #[schema(example = "not-found")]
    code: String,
    /// What is wrong with it.
    #[schema(example = "you have no member with this number")]
    detail: String,
    /// What would be right.
    #[schema(
        example = "Check the id; what belongs to others looks the same as what does not exist."
    )]
    advice: &'static str,
}

/// Where the lines stand in the file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The number of the first line in the body: 1 when left out.
    #[param(minimum = 1)]
    from: Option<i64>,
}

fn show(ids: &Ids, directory: &Directory, import: &Import) -> ImportBody {
    let given = import.progress.sums.iter();
    let given = given.filter_map(|(asset, units)| {
        let currency = directory.currency_no(*asset)?;
        Some(AmountBody::of(currency, *units))
    });
    ImportBody {
        id: ids.show(id::Kind::Import, import.id),
        partner: ids.show(id::Kind::Partner, import.partner),
        kind: import.kind,
        format: import.format,
        name: import.name.clone(),
        state: import.state,
        lines_read: import.progress.next_line - 1,
        next_line: import.progress.next_line,
        done: import.progress.done,
        refused: import.progress.refused,
        given: given.collect(),
        created_at: import.created_at,
        finished_at: import.finished_at,
    }
}

async fn shown(shelf: &Shelf, conn: &mut Connection, import: &Import) -> Result<ImportBody, Error> {
    let (_, directory) = shelf.directories.current(conn).await?;
    Ok(show(&shelf.ids, &directory, import))
}

fn show_refused(row: &RefusedLine) -> RefusedLineBody {
    let entry = CATALOGUE.iter().find(|entry| entry.slug == row.code);
    RefusedLineBody {
        line: row.line,
        field: row.field.clone(),
        code: row.code.clone(),
        detail: row.detail.clone(),
        advice: entry.map_or("", |entry| entry.advice),
    }
}

/// Begin an import
#[utoipa::path(
    post, path = "/v1/imports", operation_id = "createImport", tag = "imports",
    description = "Of members to enrol, of memberships to link and claims to attest, or of awards. Then send the lines, and finish. The guide `/docs/guides/imports` says what a line has.",
    security(("partner" = ["imports:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write. Made of the file itself, it finds the import of the same file again.")),
    request_body = NewImport,
    responses((status = 201, description = "The import, which takes lines.", body = ImportBody))
)]
async fn create(
    partner: Partner<ImportsWrite>,
    shelf: Shelf,
    write: Write<NewImport>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let NewImport { kind, format, name } = &write.body;
    once(&shelf.pool, claim, StatusCode::CREATED, async |conn| {
        let wanted = (*kind, *format, name);
        let import = super::create(conn, &partner.who, partner.partner, wanted).await?;
        shown(&shelf, conn, &import).await
    })
    .await
}

/// Send lines
///
/// Any number of them in one body, or in as many as you like: lines are taken as they come, and the answer
/// says how far that went. Each body ends with the end of a line. A line takes effect once: send the same lines
/// again when you do not know what became of them, and a refused line again when it is corrected. Needs no
/// Idempotency-Key: the import and the number of the line are the key of each. `Content-Type` is
/// `text/csv` or `application/x-ndjson`, as the import says; the text is UTF-8, a line has at most 16 KiB.
/// At least 8 KiB have to come in ten seconds.
#[utoipa::path(
    put, path = "/v1/imports/{import}/lines", operation_id = "sendImportLines", tag = "imports",
    security(("partner" = ["imports:write"])),
    params(("import" = String, Path, description = "The import's id."), Place),
    request_body(description = "Lines of the file, as they stand in it, of any number.", content(
        (String = "text/csv", example = "number,amount,currency,reason,reference\nAE-100001,500,MILE,purchase,till-7/8812\n"),
        (String = "application/x-ndjson", example = "{\"number\":\"AE-100001\",\"amount\":\"500\",\"currency\":\"MILE\",\"reason\":\"purchase\",\"reference\":\"till-7/8812\"}\n")
    )),
    extensions(("x-problems" = json!(["body-incomplete", "import-closed", "import-columns", "import-empty",
        "import-line-changed", "import-line-missing", "import-line-unreadable", "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "How far the import went.", body = ImportBody))
)]
async fn send(
    partner: Partner<ImportsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    place: Query<Place>,
    mut body: LineBody,
) -> Result<web::Json<ImportBody>, Error> {
    let import = found(&shelf, Some(partner.partner), &path).await?;
    body.must_be(import.format.content_type())?;
    let from = place.0.from.unwrap_or(1);
    if from < 1 {
        return Err(Problem::field("/from", "the number of a line: 1 or more").into());
    }
    if import.state != State::Open {
        return Err(super::closed(&import).into());
    }
    if from > import.progress.next_line {
        return Err(super::missing(&import, format!("before line {from}")).into());
    }

    let busy = |_| {
        Problem::new(
            Slug::TooBusy,
            "as many files are coming as the hub takes at once",
        )
    };
    let _place = PLACES.try_acquire().map_err(busy)?;
    let mut intake = Intake::new(&shelf, &ledger, &partner.who, import)?;
    let (mut next, mut lines) = (from, Vec::new());
    loop {
        let line = body.next().await?;
        let is_over = line.is_none();
        lines.extend(line);
        if lines.len() == BATCH || is_over && !lines.is_empty() {
            body.put_off();
            let count = lines.len() as i64;
            intake.take(next, std::mem::take(&mut lines)).await?;
            next += count;
        }
        if is_over {
            break;
        }
    }
    if next == from {
        return Err(super::empty(&intake.import).into());
    }
    let mut conn = shelf.pool.get().await?;
    Ok(web::Json(shown(&shelf, &mut conn, &intake.import).await?))
}

/// Finish an import
#[utoipa::path(
    post, path = "/v1/imports/{import}/finish", operation_id = "finishImport", tag = "imports",
    description = "When every line of the file was taken. Say how many there are: then a file that was cut short is noticed. A finished import takes no more lines.",
    security(("partner" = ["imports:write"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = FinishImport,
    extensions(("x-problems" = json!(["import-closed", "import-empty", "import-line-missing"]))),
    responses((status = 200, description = "The import, finished.", body = ImportBody))
)]
async fn finish(
    partner: Partner<ImportsWrite>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<FinishImport>,
) -> Result<HttpResponse, Error> {
    let id = shelf
        .ids
        .read(id::Kind::Import, &path)
        .ok_or_else(unknown)?;
    let claim = partner.who.claim(&shelf.secrets, &write);
    once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        let whose = (partner.partner, id);
        let import = super::finish(conn, &partner.who, whose, write.body.lines).await?;
        shown(&shelf, conn, &import).await
    })
    .await
}

/// Read an import
#[utoipa::path(
    get, path = "/v1/imports/{import}", operation_id = "readImport", tag = "imports",
    description = "How far it went. By its partner, and by the hub's people.",
    security(("partner" = ["imports:write"]), ("person" = ["operator", "auditor"])),
    params(("import" = String, Path, description = "The import's id.")),
    responses((status = 200, description = "The import.", body = ImportBody))
)]
async fn read(
    reader: Reader<ImportsWrite, (Operator, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ImportBody>, Error> {
    let import = found(&shelf, reader.partner(), &path).await?;
    let mut conn = shelf.pool.get().await?;
    Ok(web::Json(shown(&shelf, &mut conn, &import).await?))
}

/// An import, when it is the partner's; none asks for the hub.
async fn found(shelf: &Shelf, partner: Option<i64>, text: &str) -> Result<Import, Error> {
    let id = shelf.ids.read(id::Kind::Import, text).ok_or_else(unknown)?;
    let found = super::find(&mut *shelf.pool.get().await?, id).await?;
    Ok(match partner {
        Some(partner) => own(found, partner)?,
        None => found.ok_or_else(unknown)?,
    })
}

/// List imports
#[utoipa::path(
    get, path = "/v1/imports", operation_id = "listImports", tag = "imports",
    description = "Yours, the newest first; the hub's people see everybody's.",
    security(("partner" = ["imports:write"]), ("person" = ["operator", "auditor"])),
    params(Paging),
    responses((status = 200, description = "A page of imports.", body = Page<ImportBody>))
)]
async fn list(
    reader: Reader<ImportsWrite, (Operator, Auditor)>,
    shelf: Shelf,
    paging: Query<Paging>,
) -> Result<web::Json<Page<ImportBody>>, Error> {
    const LIST: &str = "imports";
    let paging = paging.0;
    let (limit, before) = (paging.limit()?, paging.after(&shelf.ids, LIST)?);
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let rows = super::list(&mut conn, reader.partner(), before, limit).await?;
    let page = Page::of(
        rows,
        limit,
        &shelf.ids,
        LIST,
        |row| row.id,
        |row| show(&shelf.ids, &directory, row),
    );
    Ok(web::Json(page))
}

/// List the lines that were refused
#[utoipa::path(
    get, path = "/v1/imports/{import}/refusals", operation_id = "listImportRefusals", tag = "imports",
    description = "Each with its number, the field, what is wrong and what would be right, in the order of the file.",
    security(("partner" = ["imports:write"]), ("person" = ["operator"])),
    params(("import" = String, Path, description = "The import's id."), Paging),
    responses((status = 200, description = "A page of lines.", body = Page<RefusedLineBody>))
)]
async fn refusals(
    reader: Reader<ImportsWrite, Operator>,
    shelf: Shelf,
    path: Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<RefusedLineBody>>, Error> {
    const LIST: &str = "import refusals";
    let paging = paging.0;
    let (limit, after) = (paging.limit()?, paging.after(&shelf.ids, LIST)?);
    let import = found(&shelf, reader.partner(), &path).await?;
    let mut conn = shelf.pool.get().await?;
    let rows = super::refused(&mut conn, import.id, after.unwrap_or(0), limit).await?;
    let page = Page::of(rows, limit, &shelf.ids, LIST, |row| row.line, show_refused);
    Ok(web::Json(page))
}
