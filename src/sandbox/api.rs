//! The clock over HTTP, and what only a sandbox offers.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{Modify, OpenApi, ToSchema};

use super::turn::{Clock, Refusal, Turn};
use super::{letters, outcomes, runs, store};
use crate::access::{AnyScope, Operator, Reader};
use crate::clock::Timestamp;
use crate::conversions::buy_outs::Buyer;
use crate::db::Pool;
use crate::environment::Environment;
use crate::error::{Error, Problem, Slug};
use crate::ledger::Ledger;
use crate::ledger::shelf::Shelf;
use crate::rates::Books;
use crate::settlement::calendar;
use crate::web::{Write, once};

/// How long an answer waits for what expired to be written down.
const PATIENCE: Duration = Duration::from_secs(12);

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/sandbox/clock")
            .route(web::get().to(read))
            .route(web::post().to(turn)),
    )
    .configure(letters::api::routes)
    .configure(runs::api::routes);
}

#[derive(OpenApi)]
#[openapi(
    paths(read, turn, letters::api::check, runs::api::start, runs::api::list, runs::api::read, runs::api::close),
    components(schemas(
        ClockBody,
        TurnClock,
        letters::api::CheckWebhook,
        letters::api::WebhookCheckBody,
        letters::api::CheckedLetterBody,
        letters::api::ExpectedBody,
        runs::api::RunBody,
        runs::api::CheckBody,
        runs::api::ReportBody,
        runs::api::RunStatus
    )),
    tags((name = "sandbox", description = "Trying a program out. A sandbox is a database of its own, with credentials \
        of its own; its answers carry `Interline-Environment: sandbox`. Its clock can be turned forward.")),
    modifiers(&Table)
)]
pub struct Doc;

/// Writes the table of outcomes into the document.
struct Table;

impl Modify for Table {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for tag in document.tags.iter_mut().flatten() {
            let said = tag.description.take().unwrap_or_default();
            tag.description = Some(format!("{said}\n\n{}", outcomes::outcome::table()));
        }
    }
}

/// In a handler's signature: only where there are no real members.
pub struct InSandbox;

impl FromRequest for InSandbox {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let environment = request.app_data::<Data<Environment>>();
        let is_sandbox = environment.is_some_and(|it| it.is_sandbox());
        let detail =
            "this is a live hub: its clock is the true one, and nobody tries things out here";
        ready(match is_sandbox {
            true => Ok(InSandbox),
            false => Err(Problem::new(Slug::NotASandbox, detail).into()),
        })
    }
}

/// How far to turn the clock: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seconds": 2678400}))]
pub struct TurnClock {
    /// By so many.
    #[schema(minimum = 1)]
    seconds: Option<i64>,
    /// To this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// A sandbox's clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"now": "2027-02-01T00:00:00Z", "ahead_seconds": 2678400, "latest": "2037-01-01T00:00:00Z"}))]
pub struct ClockBody {
    /// What decides.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// How far it is ahead of the true time.
    ahead_seconds: i64,
    /// The latest instant that it can be turned to.
    #[schema(value_type = String, format = DateTime)]
    latest: Timestamp,
}

impl From<Clock> for ClockBody {
    fn from(clock: Clock) -> ClockBody {
        ClockBody {
            now: clock.now,
            ahead_seconds: clock.ahead.num_seconds(),
            latest: clock.latest(),
        }
    }
}

/// Read the sandbox's clock
#[utoipa::path(
    get, path = "/v1/sandbox/clock", operation_id = "readClock", tag = "sandbox",
    description = "What decides of expiry, quotes, limits within periods, dates of rate cards. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator"])),
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 200, description = "The clock.", body = ClockBody))
)]
async fn read(
    _: Reader<AnyScope, Operator>,
    _: InSandbox,
    pool: Data<Pool>,
) -> Result<web::Json<ClockBody>, Error> {
    let clock = store::clock(&mut *pool.get().await?).await?;
    Ok(web::Json(clock.into()))
}

/// Turn the sandbox's clock forward
#[utoipa::path(
    post, path = "/v1/sandbox/clock", operation_id = "turnClock", tag = "sandbox",
    description = "For everybody in the sandbox, at once, and never back. When the answer comes, what expired on the way is written down, and a window that was due by the settlement calendar is closed. Access tokens go on until their own end. Only in a sandbox.",
    security(("partner" = []), ("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = TurnClock,
    extensions(("x-problems" = json!(["not-a-sandbox"]))),
    responses((status = 200, description = "The clock after it.", body = ClockBody))
)]
async fn turn(
    reader: Reader<AnyScope, Operator>,
    _: InSandbox,
    shelf: Shelf,
    books: Data<Books>,
    ledger: Data<Ledger>,
    write: Write<TurnClock>,
) -> Result<HttpResponse, Error> {
    let claim = reader.who.claim(&shelf.secrets, &write);
    let turn = asked(&write.body)?;
    let answer = once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        let clock = super::turn(conn, &reader.who, turn).await?;
        Ok(ClockBody::from(clock))
    })
    .await?;

    let caught_up = async {
        let (pool, secrets) = (shelf.pool.clone(), shelf.secrets.clone());
        let (books, ledger) = (&**books, &**ledger);
        let buyer = Buyer {
            shelf,
            books,
            ledger,
        };
        buyer.sweep().await?;
        ledger.sweep(&secrets).await?;
        calendar::close_when_due(&mut *pool.get().await?).await
    };
    match tokio::time::timeout(PATIENCE, caught_up).await {
        Ok(done) => done.map(|_| answer),
        Err(_) => {
            let detail = "the clock is turned, and what expired is still being written down";
            Err(Problem::new(Slug::TooBusy, detail).into())
        }
    }
}

fn asked(body: &TurnClock) -> Result<Turn, Problem> {
    match (body.seconds, body.to) {
        (Some(seconds), None) => {
            let by = chrono::Duration::try_seconds(seconds);
            Ok(Turn::By(by.unwrap_or(chrono::Duration::MAX)))
        }
        (None, Some(at)) => Ok(Turn::To(at)),
        _ => Err(Problem::field("", "either `seconds` or `to`")),
    }
}

pub(super) fn not_turned(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotForward => {
            Problem::field("", "forward: more than no seconds, or later than now")
        }
        Refusal::TooFar(latest) => Problem::field("", format!("not beyond {latest}")),
    }
}
