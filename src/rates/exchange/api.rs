//! Exchange rates over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{ExchangeRate, NewExchangeRate};
use crate::access::{AnyRole, Finance, Operator, RatesRead, Reader, Staff};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::{Error, Problem};
use crate::id::{Ids, Kind};
use crate::partners::{Directories, Directory, Money};
use crate::points::agreed::Price;
use crate::secret::Secrets;
use crate::web::text::Name;
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/exchange-rates")
            .route(web::get().to(list))
            .route(web::post().to(publish)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(list, publish),
    components(schemas(PublishExchangeRate, ExchangeRateBody, ProblemBody))
)]
pub struct Doc;

/// An exchange rate to be published: units of the quote money for one of the base.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishExchangeRate {
    /// The ISO 4217 code of a money that the hub settles in.
    #[schema(example = "USD")]
    base: String,
    #[schema(example = "HKD")]
    quote: String,
    /// Above zero, with at most 12 decimals and 18 digits; kept as written.
    #[schema(value_type = String, example = "7.80000000")]
    rate: Price,
    /// Who quoted it.
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "HKAB opening")]
    source: Name,
    /// When it was quoted.
    #[schema(value_type = String, format = DateTime, example = "2026-01-15T13:00:00Z")]
    quoted_at: Timestamp,
}

/// An exchange rate. It never changes; a newer one takes its place.
#[derive(Serialize, ToSchema)]
pub struct ExchangeRateBody {
    #[schema(example = "fxr_0123456789abcdef")]
    pub id: String,
    #[schema(example = "USD")]
    pub base: String,
    #[schema(example = "HKD")]
    pub quote: String,
    /// Units of the quote money for one of the base.
    #[schema(value_type = String, example = "7.80000000")]
    pub rate: Price,
    pub source: String,
    #[schema(value_type = String, format = DateTime)]
    pub quoted_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Which exchange rates to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The code of a money: rates from it or into it.
    base: Option<String>,
    /// The code of another money: with `base`, the rates between the two, either way round.
    quote: Option<String>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

fn show(ids: &Ids, directory: &Directory, rate: &ExchangeRate) -> ExchangeRateBody {
    let code = |no| {
        directory
            .money(no)
            .map(|money| money.code.clone())
            .unwrap_or_default()
    };
    ExchangeRateBody {
        id: ids.show(Kind::ExchangeRate, rate.id),
        base: code(rate.base),
        quote: code(rate.quote),
        rate: rate.rate,
        source: rate.source.clone(),
        quoted_at: rate.quoted_at,
        created_at: rate.created_at,
    }
}

fn money<'d>(directory: &'d Directory, code: &str, pointer: &str) -> Result<&'d Money, Problem> {
    let unknown = || {
        Problem::field(
            pointer,
            "the ISO 4217 code of a money that the hub settles in",
        )
    };
    directory.money_by_code(code).ok_or_else(unknown)
}

fn read(asked: PublishExchangeRate, directory: &Directory) -> Result<NewExchangeRate, Problem> {
    let PublishExchangeRate {
        base,
        quote,
        rate,
        source,
        quoted_at,
    } = asked;
    let base = money(directory, &base, "/base")?.no;
    let quote = money(directory, &quote, "/quote")?.no;
    Ok(NewExchangeRate {
        base,
        quote,
        rate,
        source,
        quoted_at,
    })
}

/// Publish an exchange rate
#[utoipa::path(
    post, path = "/v1/exchange-rates", operation_id = "publishExchangeRate", tag = "rates",
    description = "By finance or an operator. Quotes between these two moneys, in both directions, lock the latest published rate of either orientation; what was quoted before keeps the rate it locked.",
    security(("person" = ["finance", "operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = PublishExchangeRate,
    responses((status = 201, description = "The exchange rate.", body = ExchangeRateBody))
)]
async fn publish(
    staff: Staff<(Finance, Operator)>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    write: Write<PublishExchangeRate>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let rate = super::publish(conn, &staff.who, read(write.body, &directory)?).await?;
        Ok(show(&ids, &directory, &rate))
    })
    .await
}

/// List exchange rates
#[utoipa::path(
    get, path = "/v1/exchange-rates", operation_id = "listExchangeRates", tag = "rates",
    description = "Newest first. The first of a pair is the one that new quotes lock.",
    security(("partner" = ["rates:read"]), ("person" = [])),
    params(Wanted),
    responses((status = 200, description = "A page of exchange rates.", body = Page<ExchangeRateBody>))
)]
async fn list(
    _reader: Reader<RatesRead, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    wanted: Query<Wanted>,
) -> Result<web::Json<Page<ExchangeRateBody>>, Error> {
    let Wanted {
        base,
        quote,
        cursor,
        limit,
    } = wanted.0;
    let paging = Paging { cursor, limit };
    let (limit, before) = (
        paging.limit()?,
        paging.after(&ids, "exchange-rates")?.unwrap_or(i64::MAX),
    );

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let number = |code: Option<String>, pointer| {
        code.map(|code| money(&directory, &code, pointer).map(|money| money.no))
            .transpose()
    };
    let pair = (number(base, "/base")?, number(quote, "/quote")?);
    let rows = super::list(&mut conn, pair, before, limit).await?;
    let show = |rate: &ExchangeRate| show(&ids, &directory, rate);
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "exchange-rates",
        |rate| rate.id,
        show,
    )))
}
