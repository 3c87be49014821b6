//! Matches over HTTP.

use std::sync::Arc;

use actix_web::web::{self, Path, ServiceConfig};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::comparison::{Difference, Outcome, Side, Sums, Why};
use super::{Match, begin, entry, keep};
use crate::access::{Auditor, CreditsWrite, Finance, Operator, Partner, Reader};
use crate::db;
use crate::error::{Error, Problem, Slug};
use crate::ledger::credits::api::{kept, over};
use crate::ledger::shelf::Shelf;
use crate::partners::{AmountBody, Currency};
use crate::points::amount;
use crate::web::stream::LineBody;

/// How many entries a file may have.
const MOST: u64 = 1_000_000;

/// After so many lines the work on them gets its time anew.
const STRETCH: u64 = 1_000;

#[derive(OpenApi)]
#[openapi(
    paths(send, read),
    components(schemas(MatchBody, DifferenceBody, SumsBody, Side, Why))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/currencies/{code}/matches/{day}")
            .route(web::put().to(send))
            .route(web::get().to(read)),
    );
}

/// Whether a day in the books of who keeps the balances is what the hub has.
#[derive(Debug, Serialize, ToSchema)]
pub struct MatchBody {
    #[schema(example = "MILE")]
    currency: String,
    #[schema(example = "2027-01-15")]
    day: NaiveDate,
    /// Entries that are the same in both.
    #[schema(example = 812)]
    agreed: u64,
    #[schema(example = 1)]
    differing: u64,
    /// The first 1,000 that differ: those of the file in its order, then those it does not have.
    differences: Vec<DifferenceBody>,
    debits: SumsBody,
    credits: SumsBody,
    at: DateTime<Utc>,
}

/// An entry about which the two do not agree.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceBody {
    kind: Side,
    /// What you called the transfer; the id of the credit.
    #[schema(example = "debit 4711")]
    reference: String,
    why: Why,
    /// What the hub has; null when nothing on that day.
    here: Option<AmountBody>,
    /// What the file has; null when nothing.
    there: Option<AmountBody>,
}

/// The sums of one side.
#[derive(Debug, Serialize, ToSchema)]
pub struct SumsBody {
    /// What the hub has.
    #[schema(example = "240500")]
    here: String,
    /// What the file has.
    #[schema(example = "240000")]
    there: String,
}

/// Match a day
///
/// Send what you debited and credited for this hub on one of your business days that is over, and read what
/// differs: CSV in UTF-8 with the line `kind,reference,amount` first, then one for each entry. `kind` is `debit`
/// with what you called the transfer as `reference`, or `credit` with the id of the credit; `amount` is in
/// printed units. The hub compares with the transfers whose `debited_on` is that day, and with the credits that
/// you acknowledged as `credited_on` it. Nothing is changed by it. Sent again it takes the place of the one
/// before, so it needs no Idempotency-Key. At most 1,000,000 entries; at least 8 KiB have to come in ten seconds.
#[utoipa::path(
    put, path = "/v1/currencies/{code}/matches/{day}", operation_id = "matchDay", tag = "conversions",
    security(("partner" = ["credits:write"])),
    params(("code" = String, Path, description = "The code of a currency whose balances you keep."),
        ("day" = String, Path, description = "The day, as `2027-01-15`.")),
    request_body(description = "The entries of the day.", content(
        (String = "text/csv", example = "kind,reference,amount\ndebit,debit 4711,3000\ncredit,crt_0123456789abcdef,500\n")
    )),
    extensions(("x-problems" = json!(["body-incomplete", "import-columns", "import-line-unreadable", "kept-by-hub"]))),
    responses((status = 200, description = "What agrees and what differs.", body = MatchBody))
)]
async fn send(
    partner: Partner<CreditsWrite>,
    shelf: Shelf,
    path: Path<(String, String)>,
    mut body: LineBody,
) -> Result<web::Json<MatchBody>, Error> {
    let (code, day) = path.into_inner();
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let currency = kept(&directory, partner.partner, &code)?;
    let day = over(currency, &day, db::now(&mut conn).await?)?;
    body.must_be("text/csv")?;
    must_begin_right(&mut body).await?;
    let mut comparison = begin(&mut conn, &shelf.ids, currency, day).await?;
    drop(conn);

    let mut number = 1;
    while let Some(line) = body.next().await? {
        number += 1;
        if number % STRETCH == 0 {
            body.put_off();
        }
        let at = |problem: Problem| {
            let detail = format!("line {number}: {}", problem.detail);
            Problem { detail, ..problem }.with("line", number)
        };
        let text = entry::text(&line).map_err(at)?;
        if text.is_empty() {
            continue;
        }
        if number > MOST + 1 {
            let detail = format!("a day has at most {MOST} entries");
            return Err(Problem::new(Slug::BodyTooLarge, detail).into());
        }
        let entry = entry::read(currency, text).map_err(at)?;
        comparison.take(entry.side, &entry.reference, entry.amount);
    }

    let outcome = comparison.finish();
    let mut conn = shelf.pool.get().await?;
    let kept = db::transaction(&mut conn, async |conn| {
        keep(conn, &partner.who, currency, day, &outcome).await?;
        super::find(conn, currency.no, day).await
    })
    .await?;
    Ok(web::Json(show(currency, day, kept.ok_or_else(unknown)?)))
}

async fn must_begin_right(body: &mut LineBody) -> Result<(), Error> {
    let first = body.next().await?;
    let first = first.as_ref().map(entry::text).transpose()?;
    match first.map(|first| first.trim_start_matches('\u{feff}')) {
        Some(entry::HEADER) => Ok(()),
        _ => {
            let detail = format!("the first line is {}", entry::HEADER);
            Err(Problem::new(Slug::ImportColumns, detail).into())
        }
    }
}

/// Read the match of a day
#[utoipa::path(
    get, path = "/v1/currencies/{code}/matches/{day}", operation_id = "readMatch", tag = "conversions",
    description = "The last one that was sent. By the issuer that keeps the balances, and by the hub's people.",
    security(("partner" = ["credits:write"]), ("person" = ["operator", "finance", "auditor"])),
    params(("code" = String, Path, description = "The code of a currency whose balances you keep."),
        ("day" = String, Path, description = "The day, as `2027-01-15`.")),
    extensions(("x-problems" = json!(["invalid-field", "kept-by-hub"]))),
    responses((status = 200, description = "What agrees and what differs.", body = MatchBody))
)]
async fn read(
    reader: Reader<CreditsWrite, (Operator, Finance, Auditor)>,
    shelf: Shelf,
    path: Path<(String, String)>,
) -> Result<web::Json<MatchBody>, Error> {
    let (code, day) = path.into_inner();
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let currency: &Arc<Currency> = match reader.partner() {
        Some(partner) => kept(&directory, partner, &code)?,
        None => directory.currency(&code).ok_or_else(unknown)?,
    };
    let day = over(currency, &day, db::now(&mut conn).await?)?;
    let found = super::find(&mut conn, currency.no, day).await?;
    Ok(web::Json(show(currency, day, found.ok_or_else(unknown)?)))
}

fn unknown() -> Problem {
    Problem::new(
        Slug::NotFound,
        "nothing was matched of that currency and day",
    )
}

fn show(currency: &Currency, day: NaiveDate, found: Match) -> MatchBody {
    let Match { outcome, at } = found;
    let Outcome {
        agreed,
        differing,
        differences,
        debits,
        credits,
    } = outcome;
    let sums = |Sums { here, there }| SumsBody {
        here: amount::print(here, currency.scale),
        there: amount::print(there, currency.scale),
    };
    let difference = |it: Difference| DifferenceBody {
        kind: it.side,
        reference: it.reference,
        why: it.why,
        here: it.here.map(|units| AmountBody::of(currency, units)),
        there: it.there.map(|units| AmountBody::of(currency, units)),
    };
    MatchBody {
        currency: currency.code.clone(),
        day,
        agreed,
        differing,
        differences: differences.into_iter().map(difference).collect(),
        debits: sums(debits),
        credits: sums(credits),
        at,
    }
}
