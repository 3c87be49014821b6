//! Award limits over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::limit::{AwardLimit, BadLimit, Most, Reason};
use crate::access::{Auditor, Finance, Operator, RatesRead, RatesWrite, Reader};
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::partners::period::{Calendar, Period};
use crate::partners::{Currency, Directories, Directory};
use crate::points::amount;
use crate::secret::Secrets;
use crate::web::body::objects;
use crate::web::{ProblemBody, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/currencies/{code}/award-limits")
            .route(web::get().to(read))
            .route(web::put().to(set)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(read, set),
    components(schemas(AwardLimitsBody, AwardLimitBody, Calendar, Reason, ProblemBody))
)]
pub struct Doc;

/// How much and how often a member may be awarded a currency: at most 50 limits, none when there is none.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AwardLimits)]
#[serde(deny_unknown_fields)]
pub struct AwardLimitsBody {
    #[serde(deserialize_with = "objects")]
    limits: Vec<AwardLimitBody>,
}

/// So much or so often for a reason, within a period in the zone of the currency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = AwardLimit)]
#[serde(deny_unknown_fields)]
pub struct AwardLimitBody {
    reason: Reason,
    /// A day, a month or a year of the calendar, or `ever`; or else `hours` or `months`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Calendar>,
    /// Any so many hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 87840)]
    hours: Option<u32>,
    /// Any so many months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 120)]
    months: Option<u32>,
    /// How much, in printed units; or else `times`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10")]
    amount: Option<String>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000000)]
    times: Option<i64>,
}

impl AwardLimitBody {
    fn read(&self, currency: &Currency) -> Result<AwardLimit, (&'static str, String)> {
        let period = match (self.period, self.hours, self.months) {
            (Some(calendar), None, None) => Period::Calendar(calendar),
            (None, Some(hours), None) => Period::Hours(hours),
            (None, None, Some(months)) => Period::Months(months),
            _ => return Err(("period", "one of `period`, `hours` and `months`".into())),
        };
        let most = match (self.amount.as_deref(), self.times) {
            (Some(text), None) => {
                let units = amount::parse(text, currency.scale);
                Most::Units(units.map_err(|bad| ("amount", bad.to_string()))?)
            }
            (None, Some(times)) => Most::Times(times),
            _ => return Err(("amount", "one of `amount` and `times`".into())),
        };
        Ok(AwardLimit {
            reason: self.reason,
            period,
            most,
        })
    }

    pub fn of(currency: &Currency, limit: &AwardLimit) -> AwardLimitBody {
        let AwardLimit {
            reason,
            period,
            most,
        } = *limit;
        let (mut calendar, mut hours, mut months) = (None, None, None);
        match period {
            Period::Calendar(of) => calendar = Some(of),
            Period::Hours(count) => hours = Some(count),
            Period::Months(count) => months = Some(count),
        }
        let (amount, times) = match most {
            Most::Units(units) => (Some(amount::print(units, currency.scale)), None),
            Most::Times(times) => (None, Some(times)),
        };
        AwardLimitBody {
            reason,
            period: calendar,
            hours,
            months,
            amount,
            times,
        }
    }
}

/// Set award limits
#[utoipa::path(
    put, path = "/v1/currencies/{code}/award-limits", operation_id = "setAwardLimits", tag = "currencies",
    description = "How much and how often one of your members may be awarded a currency that you issue, for each reason. They take the place of all limits before, hold at once, and count what is awarded from then on under a reason that has one. An award that would go over one is refused.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("code" = String, Path, description = "The currency's code."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = AwardLimitsBody,
    extensions(("x-problems" = json!(["not-your-currency"]))),
    responses((status = 200, description = "The limits.", body = AwardLimitsBody))
)]
async fn set(
    reader: Reader<RatesWrite, Operator>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    code: Path<String>,
    write: Write<AwardLimitsBody>,
) -> Result<HttpResponse, Error> {
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let currency = issued(&directory, &code, reader.partner())?;
        let read = |(at, limit): (usize, &AwardLimitBody)| {
            let bad = |(field, rule): (&str, String)| {
                Problem::field(format!("/limits/{at}/{field}"), rule)
            };
            limit.read(currency).map_err(bad)
        };
        let limits = write.body.limits.iter().enumerate().map(read);
        let limits = limits.collect::<Result<Vec<_>, _>>()?;
        super::set(conn, &reader.who, currency, &limits).await?;
        Ok(show(currency, &limits))
    })
    .await
}

/// Read award limits
#[utoipa::path(
    get, path = "/v1/currencies/{code}/award-limits", operation_id = "readAwardLimits", tag = "currencies",
    description = "The limits of a currency that you issue.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("code" = String, Path, description = "The currency's code.")),
    extensions(("x-problems" = json!(["not-your-currency"]))),
    responses((status = 200, description = "The limits.", body = AwardLimitsBody))
)]
async fn read(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    code: Path<String>,
) -> Result<web::Json<AwardLimitsBody>, Error> {
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let currency = issued(&directory, &code, reader.partner())?;
    Ok(web::Json(show(currency, &currency.award_limits)))
}

fn show(currency: &Currency, limits: &[AwardLimit]) -> AwardLimitsBody {
    let limits = limits.iter();
    AwardLimitsBody {
        limits: limits
            .map(|limit| AwardLimitBody::of(currency, limit))
            .collect(),
    }
}

/// A currency, which `partner` issues unless it is nobody.
fn issued<'d>(
    directory: &'d Directory,
    code: &str,
    partner: Option<i64>,
) -> Result<&'d Currency, Problem> {
    let unknown = || Problem::new(Slug::NotFound, "there is no such currency");
    let currency = directory.currency(code).ok_or_else(unknown)?;
    match partner.is_none_or(|partner| partner == currency.issuer) {
        true => Ok(currency),
        false => Err(Problem::new(
            Slug::NotYourCurrency,
            "its award limits are its issuer's",
        )),
    }
}

pub(super) fn bad(BadLimit { at, field, rule }: BadLimit) -> Problem {
    Problem::field(format!("/limits/{at}/{field}"), rule)
}
