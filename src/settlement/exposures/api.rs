//! Exposures over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::used;
use crate::access::{Auditor, Finance, Operator, Staff};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ledger::caps::Standing;
use crate::ledger::shelf::Shelf;
use crate::partners::{Money, MoneyBody, Partner};
use crate::points::money::Micros;
use crate::web::Query;
use crate::web::table::{Format, answer};

#[derive(OpenApi)]
#[openapi(paths(read), components(schemas(ExposuresBody, ExposureBody)))]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/reports/exposures").route(web::get().to(read)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// How much of what they may owe partners owe.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExposuresBody {
    /// The fullest first; who has no limit comes last.
    items: Vec<ExposureBody>,
}

/// One partner's.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExposureBody {
    /// The partner's code.
    #[schema(example = "AERO")]
    partner: String,
    /// What it owes the hub; below zero the hub owes it.
    owes: MoneyBody,
    /// What of it counts, after the haircut of what it is owed.
    counted: MoneyBody,
    /// The lesser of its cap and what is covered now; null without either.
    limit: Option<MoneyBody>,
    /// How much more may be counted; null without a limit.
    room: Option<MoneyBody>,
    /// The part of the limit that is counted, rounded up; null without a limit, or of a limit of zero that is exceeded.
    #[schema(example = "0.3120")]
    used: Option<String>,
    /// Since when it is warned; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    warned_since: Option<Timestamp>,
}

impl ExposureBody {
    fn of(partner: &Partner, money: &Money, standing: &Standing) -> ExposureBody {
        let of = |micros| MoneyBody::of(money, micros);
        let terms = &standing.terms;
        let limit = terms.limit(standing.now);
        let part = used(standing).filter(|part| *part < i64::MAX);
        ExposureBody {
            partner: partner.code.clone(),
            owes: of(Micros(standing.sums.owed)),
            counted: of(standing.counted()),
            limit: terms.is_limited().then(|| of(Micros(limit))),
            room: standing.room().map(of),
            used: part.map(|part| format!("{}.{:04}", part / 10_000, part % 10_000)),
            warned_since: standing.warned_since,
        }
    }

    fn line(self) -> [String; 8] {
        let amount = |money: Option<MoneyBody>| money.map(|it| it.amount).unwrap_or_default();
        let warned = self.warned_since.map(|at| at.to_rfc3339());
        [
            self.partner,
            self.owes.currency,
            self.owes.amount,
            self.counted.amount,
            amount(self.limit),
            amount(self.room),
            self.used.unwrap_or_default(),
            warned.unwrap_or_default(),
        ]
    }
}

/// Report exposures
#[utoipa::path(
    get, path = "/v1/reports/exposures", operation_id = "reportExposures", tag = "settlement",
    description = "What each partner owes now against its cap and cover: the figures by which operations are refused.",
    security(("person" = ["finance", "operator", "auditor"])),
    params(Asked),
    responses((status = 200, description = "The exposures.", content(
        (ExposuresBody = "application/json"),
        (String = "text/csv", example = "partner,money,owes,counted,limit,room,used,warned_since\nAERO,USD,312.000000,312.000000,1000.000000,688.000000,0.3120,\n"))))
)]
async fn read(
    _staff: Staff<(Finance, Operator, Auditor)>,
    shelf: Shelf,
    asked: Query<Asked>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let found = super::list(&mut conn, &directory).await?;
    drop(conn);
    let items = found.iter().filter_map(|(partner, standing)| {
        let money = directory.money_of(partner.id)?;
        Some(ExposureBody::of(partner, money, standing))
    });
    match asked.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(ExposuresBody {
            items: items.collect(),
        })),
        Format::Csv => answer(
            [
                "partner",
                "money",
                "owes",
                "counted",
                "limit",
                "room",
                "used",
                "warned_since",
            ],
            items.map(ExposureBody::line),
        ),
    }
}
