//! Credits over HTTP.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::credit::{Answer, Answered, Credit, State};
use super::{Which, answer, file, find, list, of_day, unknown};
use crate::access::{Auditor, CreditsWrite, LedgerRead, Operator, Partner, Reader};
use crate::clock::Timestamp;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::shelf::Shelf;
use crate::ledger::{self, Ledger, api};
use crate::partners::expiry::business_day;
use crate::partners::expiry::start_of_day;
use crate::partners::{AmountBody, Currency, Directory, Keeper};
use crate::web::text::{Name, Reference};
use crate::web::{Page, Paging, Query, Write, once};

#[derive(OpenApi)]
#[openapi(
    paths(all, read, acknowledge, reject, day_file),
    components(schemas(AcknowledgeCredit, RejectCredit, CreditBody, CreditAnswerBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    let credit = |path: &str| web::resource(format!("/v1/credits/{{credit}}{path}"));
    cfg.service(web::resource("/v1/credits").route(web::get().to(all)))
        .service(credit("").route(web::get().to(read)))
        .service(credit("/acknowledge").route(web::post().to(acknowledge)))
        .service(credit("/reject").route(web::post().to(reject)))
        .service(
            web::resource("/v1/currencies/{code}/credit-files/{day}")
                .route(web::get().to(day_file)),
        );
}

/// That a credit is in your books.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeCredit {
    /// What you call your entry.
    #[schema(value_type = String, max_length = 128, example = "entry 8812")]
    reference: Reference,
    /// Your business day of it: from that on which the credit was asked for, to today, where you are.
    #[schema(example = "2027-01-15")]
    credited_on: NaiveDate,
}

/// That a credit cannot be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectCredit {
    /// Why, in 1 to 120 characters, for the hub's people and for the partner whose points come back. Say
    /// nothing of the member.
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "The account is closed")]
    reason: Name,
}

/// Units to be credited to a member by the partner that keeps the balances.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditBody {
    #[schema(example = "crt_0123456789abcdef")]
    id: String,
    /// What asks for it: a conversion, or a reversal that gives back what you took.
    #[schema(example = "cnv_0123456789abcdef")]
    operation: String,
    /// Null once the member is forgotten.
    member: Option<String>,
    /// The member's number in your programme; null once the membership was ended. There for the issuer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "AE-100001")]
    number: Option<String>,
    amount: AmountBody,
    at: DateTime<Utc>,
    /// By when you are expected to answer: after that it is overdue, and still to be answered.
    due_at: DateTime<Utc>,
    #[schema(value_type = String, example = "acknowledged", pattern = "^(pending|acknowledged|rejected)$")]
    state: &'static str,
    /// Null as long as it is pending.
    answer: Option<CreditAnswerBody>,
    /// The reversal that undid the operation of a rejected one.
    #[schema(example = "rev_0123456789abcdef")]
    reversal: Option<String>,
}

/// What the issuer said of a credit.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditAnswerBody {
    /// What the issuer calls its entry; null of a rejected one, and for everybody else.
    #[schema(example = "entry 8812")]
    reference: Option<String>,
    /// The issuer's business day of the entry; null of a rejected one.
    #[schema(example = "2027-01-15")]
    credited_on: Option<NaiveDate>,
    /// Why it was rejected.
    #[schema(example = "The account is closed")]
    reason: Option<String>,
    at: DateTime<Utc>,
}

/// Which credits to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WhichCredits {
    /// `pending`, `acknowledged`, `rejected`; or `overdue`, what is pending for more than 48 hours. All when
    /// left out.
    #[param(value_type = Option<String>, pattern = "^(pending|acknowledged|rejected|overdue)$")]
    state: Option<String>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

fn which(state: Option<&str>) -> Result<Which, Problem> {
    match state {
        None => Ok(Which::All),
        Some("overdue") => Ok(Which::Overdue),
        Some(name) => State::named(name).map(Which::In).ok_or_else(|| {
            let rule = "one of pending, acknowledged, rejected, overdue";
            Problem::field("/state", rule)
        }),
    }
}

/// List credits
///
/// What you are to credit to your members, of the currencies whose balances you keep: the oldest first. Ask for
/// the `pending` ones, credit each in your own books, and say so. The hub's people see those of all.
#[utoipa::path(
    get, path = "/v1/credits", operation_id = "listCredits", tag = "conversions",
    security(("partner" = ["ledger:read"]), ("person" = ["operator", "auditor"])),
    params(WhichCredits),
    responses((status = 200, description = "A page of credits.", body = Page<CreditBody>))
)]
async fn all(
    reader: Reader<LedgerRead, (Operator, Auditor)>,
    shelf: Shelf,
    Query(asked): Query<WhichCredits>,
) -> Result<web::Json<Page<CreditBody>>, Error> {
    const LIST: &str = "credits";
    let which = which(asked.state.as_deref())?;
    let paging = Paging {
        cursor: asked.cursor,
        limit: asked.limit,
    };
    let (limit, after) = (paging.limit()?, paging.after(&shelf.ids, LIST)?);
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let issued = reader.partner().map(|partner| {
        let issued = directory.issued_by(partner);
        issued.iter().map(|it| it.no).collect::<Vec<_>>()
    });
    let found = list(
        &mut conn,
        issued.as_deref(),
        which,
        after.unwrap_or(0),
        limit,
    )
    .await?;
    let is_issuer = reader.partner().is_some();
    let page = Page::of(
        found,
        limit,
        &shelf.ids,
        LIST,
        |credit| credit.operation,
        |credit| show(&shelf.ids, &directory, credit, is_issuer),
    );
    Ok(web::Json(Page {
        items: page.items.into_iter().collect::<Result<_, _>>()?,
        next_cursor: page.next_cursor,
    }))
}

/// Read a credit
#[utoipa::path(
    get, path = "/v1/credits/{credit}", operation_id = "readCredit", tag = "conversions",
    description = "What you are to credit, or did. By the issuer that keeps the balances, and by the hub's people.",
    security(("partner" = ["ledger:read"]), ("person" = ["operator", "auditor"])),
    params(("credit" = String, Path, description = "The credit's id.")),
    responses((status = 200, description = "The credit.", body = CreditBody))
)]
async fn read(
    reader: Reader<LedgerRead, (Operator, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<CreditBody>, Error> {
    let id = shelf.ids.read(Kind::Credit, &path).ok_or_else(unknown)?;
    current(&shelf, id, reader.partner()).await
}

/// Acknowledge a credit
///
/// You have credited the member in your own books. What asked for it is completed with that, and your word is
/// final: to take the units back, transfer them in. A daily match says whether your books agree.
#[utoipa::path(
    post, path = "/v1/credits/{credit}/acknowledge", operation_id = "acknowledgeCredit", tag = "conversions",
    security(("partner" = ["credits:write"])),
    params(("credit" = String, Path, description = "The credit's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = AcknowledgeCredit,
    extensions(("x-problems" = json!(["credit-answered"]))),
    responses((status = 200, description = "The credit.", body = CreditBody))
)]
async fn acknowledge(
    partner: Partner<CreditsWrite>,
    shelf: Shelf,
    path: Path<String>,
    write: Write<AcknowledgeCredit>,
) -> Result<web::Json<CreditBody>, Error> {
    let AcknowledgeCredit {
        reference,
        credited_on,
    } = &write.body;
    let answered = Answered::Made {
        reference: String::from(reference.clone()),
        credited_on: *credited_on,
    };
    let id = say(&partner, &shelf, &path, &write, answered).await?;
    current(&shelf, id, Some(partner.partner)).await
}

/// Reject a credit
///
/// You cannot credit the member. What asked for it is undone: the points go back to where they came from, and
/// the money with them. Your word is final. What gives back units that you said you took cannot be rejected.
#[utoipa::path(
    post, path = "/v1/credits/{credit}/reject", operation_id = "rejectCredit", tag = "conversions",
    security(("partner" = ["credits:write"])),
    params(("credit" = String, Path, description = "The credit's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = RejectCredit,
    extensions(("x-problems" = json!(["credit-answered", "credit-owed"]))),
    responses((status = 200, description = "The credit.", body = CreditBody))
)]
async fn reject(
    partner: Partner<CreditsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<RejectCredit>,
) -> Result<web::Json<CreditBody>, Error> {
    let reason = String::from(write.body.reason.clone());
    let id = say(
        &partner,
        &shelf,
        &path,
        &write,
        Answered::Rejected { reason },
    )
    .await?;
    ledger.undo_rejected(&shelf.secrets, id).await?;
    current(&shelf, id, Some(partner.partner)).await
}

/// Writes an answer down once per key; what becomes of the credit then is for its reader to see.
async fn say<T>(
    partner: &Partner<CreditsWrite>,
    shelf: &Shelf,
    path: &str,
    write: &Write<T>,
    answered: Answered,
) -> Result<i64, Error> {
    let id = shelf.ids.read(Kind::Credit, path).ok_or_else(unknown)?;
    let claim = partner.who.claim(&shelf.secrets, write);
    once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = shelf.directories.current(conn).await?;
        answer(
            conn,
            &partner.who,
            &directory,
            (id, partner.partner),
            answered,
        )
        .await?;
        Ok(json!({}))
    })
    .await?;
    Ok(id)
}

/// A credit as it is, when the partner issues its currency; none asks for the hub.
async fn current(
    shelf: &Shelf,
    id: i64,
    partner: Option<i64>,
) -> Result<web::Json<CreditBody>, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let found = find(&mut conn, id).await?;
    let credit = match partner {
        Some(partner) => super::own(&directory, found, partner)?.0,
        None => found.ok_or_else(unknown)?,
    };
    Ok(web::Json(show(
        &shelf.ids,
        &directory,
        &credit,
        partner.is_some(),
    )?))
}

/// Read a day's credits as a file
///
/// Everything that you were asked to credit on one of your business days, whatever became of it since: CSV
/// after RFC 4180 in UTF-8, the same bytes whenever it is asked for, from a minute after the end of the day on.
/// A number that a spreadsheet would take for a formula has an apostrophe before it.
#[utoipa::path(
    get, path = "/v1/currencies/{code}/credit-files/{day}", operation_id = "readCreditFile", tag = "conversions",
    security(("partner" = ["ledger:read"])),
    params(("code" = String, Path, description = "The code of a currency whose balances you keep."),
        ("day" = String, Path, description = "The day, as `2027-01-15`.")),
    extensions(("x-problems" = json!(["invalid-field", "kept-by-hub"]))),
    responses((status = 200, description = "The day's credits.", content((String = "text/csv",
        example = "credit,operation,number,amount,currency,at\ncrt_0123456789abcdef,cnv_0123456789abcdef,AE-100001,500,MILE,2027-01-15T04:00:00+00:00\n"))))
)]
async fn day_file(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (code, day) = path.into_inner();
    let (_, directory) = shelf.directories.at(partner.moment, &shelf.pool).await?;
    let currency = kept(&directory, partner.partner, &code)?;
    let day = over(currency, &day, partner.moment.now)?;
    let found = of_day(
        &mut *shelf.pool.get().await?,
        currency.no,
        bounds(currency, day),
    )
    .await?;
    let name = format!("attachment; filename=\"{}-{day}.csv\"", currency.code);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(file::csv(&shelf.ids, currency, &found)?))
}

/// A currency of the partner's whose balances it keeps.
pub fn kept<'d>(
    directory: &'d Directory,
    partner: i64,
    code: &str,
) -> Result<&'d Arc<Currency>, Problem> {
    let found = directory.currency(code);
    let own = found.filter(|currency| currency.issuer == partner);
    let unknown = || Problem::new(Slug::NotFound, "there is no such currency of yours");
    let currency = own.ok_or_else(unknown)?;
    match currency.kept_by {
        Keeper::Partner => Ok(currency),
        Keeper::Hub => Err(api::kept_by_hub(currency)),
    }
}

/// A business day that is over.
pub fn over(currency: &Currency, day: &str, now: Timestamp) -> Result<NaiveDate, Problem> {
    let last = business_day(currency.zone, now - Duration::minutes(1)) - Days::new(1);
    let read = day
        .parse::<NaiveDate>()
        .ok()
        .filter(|read| read.to_string() == day);
    let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or(last);
    read.filter(|day| (first..=last).contains(day))
        .ok_or_else(|| {
            let rule = format!("a day like {last} that is over where you are");
            Problem::field("/day", rule)
        })
}

/// From when to before when a business day is.
pub(super) fn bounds(currency: &Currency, day: NaiveDate) -> (Timestamp, Timestamp) {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    (
        start_of_day(currency.zone, day),
        start_of_day(currency.zone, next),
    )
}

fn show(
    ids: &Ids,
    directory: &Directory,
    credit: &Credit,
    is_issuer: bool,
) -> Result<CreditBody, Error> {
    Ok(CreditBody {
        id: ids.show(Kind::Credit, credit.operation),
        operation: ids.show(ledger::id_kind(credit.kind), credit.operation),
        member: credit.member.map(|member| ids.show(Kind::Member, member)),
        number: credit.number.clone().filter(|_| is_issuer),
        amount: api::amount(directory, credit.leg)?,
        at: credit.at,
        due_at: credit.due_at(),
        state: credit.state.name(),
        answer: credit.answer.as_ref().map(|it| show_answer(it, is_issuer)),
        reversal: credit.reversal.map(|id| ids.show(Kind::Reversal, id)),
    })
}

fn show_answer(Answer { what, at, .. }: &Answer, is_issuer: bool) -> CreditAnswerBody {
    match what.clone() {
        Answered::Made {
            reference,
            credited_on,
        } => CreditAnswerBody {
            reference: Some(reference).filter(|_| is_issuer),
            credited_on: Some(credited_on),
            reason: None,
            at: *at,
        },
        Answered::Rejected { reason } => CreditAnswerBody {
            reference: None,
            credited_on: None,
            reason: Some(reason),
            at: *at,
        },
    }
}
