//! Windows and positions over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::calendar::{self, Calendar};
use super::position::{Position, positions};
use super::{commissions, exposures, netting, reports};
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead, Staff};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::ledger::api::{no_window, window_of};
use crate::ledger::shelf::Shelf;
use crate::ledger::store::{self, WindowRow};
use crate::ledger::{self, Closing};
use crate::partners::{Directory, MoneyBody};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::web::table::{Format, answer};
use crate::web::{NoFields, Page, Paging, Query, Write, once};
use chrono::{DateTime, Utc};

#[derive(OpenApi)]
#[openapi(
    paths(list, read, close, report),
    components(schemas(WindowBody, ClosingBody, NoFields, PositionsBody, PositionBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/settlement/windows").route(web::get().to(list)))
        .service(web::resource("/v1/settlement/windows/{window}").route(web::get().to(read)))
        .service(
            web::resource("/v1/settlement/windows/{window}/close").route(web::post().to(close)),
        )
        .service(web::resource("/v1/reports/positions").route(web::get().to(report)));
    calendar::api::routes(cfg);
    commissions::api::routes(cfg);
    netting::api::routes(cfg);
    reports::api::routes(cfg);
    exposures::api::routes(cfg);
}

/// A period that postings fall into.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowBody {
    pub id: String,
    /// `open` or `closed`.
    pub state: String,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    /// When the calendar closes it; null when it is closed, or when people alone close windows.
    pub due_at: Option<DateTime<Utc>>,
    /// SHA-256 over its totals, in hexadecimal, once it is closed.
    pub content_hash: Option<String>,
}

/// What closing did.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosingBody {
    pub closed: WindowBody,
    /// The window that opened in the same instant.
    pub opened: WindowBody,
}

/// List windows
#[utoipa::path(
    get, path = "/v1/settlement/windows", operation_id = "listWindows", tag = "settlement",
    description = "Newest first; the first one is open.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(Paging),
    responses((status = 200, description = "A page of windows.", body = Page<WindowBody>))
)]
async fn list(
    _reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    paging: Query<Paging>,
) -> Result<web::Json<Page<WindowBody>>, Error> {
    let (limit, before) = (paging.0.limit()?, paging.0.after(&shelf.ids, "windows")?);
    let mut conn = shelf.pool.get().await?;
    let rows = store::windows(&mut conn, before, limit + 1).await?;
    let calendar = calendar::find(&mut conn).await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &shelf.ids,
        "windows",
        |row| row.id,
        |row| show(&shelf.ids, row, calendar.as_ref()),
    )))
}

/// Read a window
#[utoipa::path(
    get, path = "/v1/settlement/windows/{window}", operation_id = "readWindow", tag = "settlement",
    description = "One window.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(("window" = String, Path, description = "The window's id.")),
    responses((status = 200, description = "The window.", body = WindowBody))
)]
async fn read(
    _reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<WindowBody>, Error> {
    let id = window_id(&shelf.ids, &path)?;
    let mut conn = shelf.pool.get().await?;
    let row = store::window(&mut conn, id).await?.ok_or_else(no_window)?;
    let calendar = calendar::find(&mut conn).await?;
    Ok(web::Json(show(&shelf.ids, &row, calendar.as_ref())))
}

/// Close a window
///
/// Closes the open window for good and opens the next in the same transaction.
#[utoipa::path(
    post, path = "/v1/settlement/windows/{window}/close", operation_id = "closeWindow", tag = "settlement",
    security(("person" = ["finance"])),
    params(("window" = String, Path, description = "The id of the open window."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["window-closed"]))),
    responses((status = 200, description = "What was closed and opened.", body = ClosingBody))
)]
async fn close(
    staff: Staff<Finance>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let id = window_id(&shelf.ids, &path)?;
    let claim = staff.who.claim(&shelf.secrets, &write);
    once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        store::window(conn, id).await?.ok_or_else(no_window)?;
        let closing = ledger::close_window(conn, &staff.who, Some(id)).await?;
        let calendar = calendar::find(conn).await?;
        Ok(show_closing(&shelf.ids, &closing, calendar.as_ref()))
    })
    .await
}

fn window_id(ids: &Data<Ids>, text: &str) -> Result<i64, Error> {
    Ok(ids.read(Kind::Window, text).ok_or_else(no_window)?)
}

fn show(ids: &Ids, row: &WindowRow, calendar: Option<&Calendar>) -> WindowBody {
    let is_open = row.closed_at.is_none();
    let due_at = calendar.filter(|_| is_open).and_then(|it| it.due(row));
    let WindowRow {
        id,
        state,
        opened_at,
        closed_at,
        content_hash,
    } = row;
    WindowBody {
        id: ids.show(Kind::Window, *id),
        state: state.clone(),
        opened_at: *opened_at,
        closed_at: *closed_at,
        due_at,
        content_hash: content_hash.as_ref().map(hex::encode),
    }
}

pub fn show_closing(ids: &Ids, closing: &Closing, calendar: Option<&Calendar>) -> ClosingBody {
    ClosingBody {
        closed: show(ids, &closing.closed, calendar),
        opened: show(ids, &closing.opened, calendar),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The id of one window; all of them when left out.
    window: Option<String>,
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// Positions by partner and money.
#[derive(Debug, Serialize, ToSchema)]
pub struct PositionsBody {
    positions: Vec<PositionBody>,
}

/// What one partner owes the hub, or is owed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PositionBody {
    /// The partner's code.
    partner: String,
    debit: MoneyBody,
    credit: MoneyBody,
    /// Debit less credit: above zero the partner owes the hub, below the hub owes the partner.
    net: MoneyBody,
    /// `owes`, `is_owed` or `even`.
    direction: String,
}

/// Report positions
#[utoipa::path(
    get, path = "/v1/reports/positions", operation_id = "reportPositions", tag = "settlement",
    description = "What each partner owes the hub or is owed. A partner sees its own.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(Wanted),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The positions.", content(
        (PositionsBody = "application/json"),
        (String = "text/csv", example = "partner,money,debit,credit,net,direction\nAERO,USD,100.000000,0.000000,100.000000,owes\n"))))
)]
async fn report(
    reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let window = window_of(&mut conn, &shelf.ids, wanted.0.window.as_deref()).await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let totals = store::totals(&mut conn, window).await?;

    let mine = |account: &Account| {
        reader
            .partner()
            .is_none_or(|partner| partner == account.owner())
    };
    let positions = positions(&totals)
        .into_iter()
        .filter(|(account, _)| mine(account));
    let bodies = positions.map(|(account, position)| show_position(&directory, account, position));
    let positions = bodies.collect::<Result<Vec<_>, _>>()?;
    match wanted.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(PositionsBody { positions })),
        Format::Csv => answer(
            ["partner", "money", "debit", "credit", "net", "direction"],
            positions.into_iter().map(|it| {
                let money = it.net.currency.clone();
                let [debit, credit, net] = [it.debit, it.credit, it.net].map(|it| it.amount);
                [it.partner, money, debit, credit, net, it.direction]
            }),
        ),
    }
}

fn show_position(
    directory: &Directory,
    account: Account,
    position: Position,
) -> Result<PositionBody, Error> {
    let known = directory
        .partner(account.owner())
        .zip(directory.money(account.asset()));
    let (partner, money) =
        known.ok_or_else(|| anyhow::anyhow!("position {} is nobody's", account.0))?;
    let direction = match position.net() {
        0 => "even",
        1.. => "owes",
        _ => "is_owed",
    };
    Ok(PositionBody {
        partner: partner.code.clone(),
        debit: MoneyBody::of(money, Micros(position.debit)),
        credit: MoneyBody::of(money, Micros(position.credit)),
        net: MoneyBody::of(money, Micros(position.net())),
        direction: direction.to_owned(),
    })
}
