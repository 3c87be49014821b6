//! The calendar over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::body::{CalendarBody, CloseBody, ConventionName, Day, Rhythm, Wrong};
use super::{Calendar, find};
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead, Staff};
use crate::clock::Timestamp;
use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem};
use crate::secret::Secrets;
use crate::web::{Write, once};

/// How many closes are told ahead.
const AHEAD: usize = 5;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/settlement/calendar")
            .route(web::get().to(read))
            .route(web::put().to(set)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(read, set),
    components(schemas(
        CalendarBody,
        CloseBody,
        Rhythm,
        Day,
        ConventionName,
        SetCalendarBody,
        NextCloseBody
    ))
)]
pub struct Doc;

/// The calendar, and the closes that come.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetCalendarBody {
    /// Null when none was set: then windows are closed by people alone.
    calendar: Option<CalendarBody>,
    #[schema(value_type = Option<String>, format = DateTime)]
    set_at: Option<Timestamp>,
    /// The next five closes.
    next: Vec<NextCloseBody>,
}

/// A close that comes.
#[derive(Debug, Serialize, ToSchema)]
pub struct NextCloseBody {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The names of the closes that fall on that instant.
    #[schema(example = json!(["monthly"]))]
    closes: Vec<String>,
}

/// Read when windows close
#[utoipa::path(
    get, path = "/v1/settlement/calendar", operation_id = "readCalendar", tag = "settlement",
    description = "The calendar by which the open window closes, and the next five closes.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    responses((status = 200, description = "The calendar.", body = SetCalendarBody))
)]
async fn read(
    _reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    pool: Data<Pool>,
) -> Result<web::Json<SetCalendarBody>, Error> {
    Ok(web::Json(present(&mut *pool.get().await?).await?))
}

/// Set when windows close
#[utoipa::path(
    put, path = "/v1/settlement/calendar", operation_id = "setCalendar", tag = "settlement",
    description = "In the place of the calendar before. It counts from now: no close before is made up for. Windows can be closed by people too, whatever it says; without `closes` by them alone. A hub closes within a few seconds of the instant, and by one close for all that were missed while no hub ran.",
    security(("person" = ["finance"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = CalendarBody,
    responses((status = 200, description = "The calendar.", body = SetCalendarBody))
)]
async fn set(
    staff: Staff<Finance>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    write: Write<CalendarBody>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        super::set(conn, &staff.who, &write.body).await?;
        present(conn).await
    })
    .await
}

async fn present(conn: &mut Connection) -> Result<SetCalendarBody, Error> {
    let calendar = find(conn).await?;
    let now = db::now(conn).await?;
    let next = calendar.as_ref().map(|it| coming(it, now));
    let (calendar, set_at) = calendar.map(|it| (it.body, it.set_at)).unzip();
    Ok(SetCalendarBody {
        calendar,
        set_at,
        next: next.unwrap_or_default(),
    })
}

fn coming(calendar: &Calendar, now: Timestamp) -> Vec<NextCloseBody> {
    let next = |after: &Timestamp| Some(calendar.schedule.next(*after)?.0);
    let instants = std::iter::successors(next(&now), next).take(AHEAD);
    let just_before = |at: Timestamp| at - chrono::Duration::microseconds(1);
    let told = |at| {
        let (_, names) = calendar.schedule.next(just_before(at))?;
        let closes = names.into_iter().map(str::to_owned).collect();
        Some(NextCloseBody { at, closes })
    };
    instants.filter_map(told).collect()
}

pub(super) fn wrong((pointer, rule): Wrong) -> Problem {
    Problem::field(pointer, rule)
}
