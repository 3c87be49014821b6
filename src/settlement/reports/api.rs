//! Reports over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::roll_forward::RollForward;
use super::store;
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead};
use crate::clock::Timestamp;
use crate::db;
use crate::error::{Error, Problem, Slug};
use crate::ledger::api::window_of;
use crate::ledger::shelf::Shelf;
use crate::partners::Currency;
use crate::points::account::AccountKind;
use crate::points::amount;
use crate::web::Query;
use crate::web::table::{Format, answer};

#[derive(OpenApi)]
#[openapi(
    paths(liabilities, expiries),
    components(schemas(
        LiabilitiesBody,
        LiabilityBody,
        FlowBody,
        ExpiriesBody,
        ExpiringBody,
        Format
    ))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/reports/liabilities").route(web::get().to(liabilities)))
        .service(web::resource("/v1/reports/expiries").route(web::get().to(expiries)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfWindow {
    /// The id of one window; the whole history when left out.
    window: Option<String>,
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfCurrency {
    /// The code of a currency.
    currency: String,
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// Roll-forwards by currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiabilitiesBody {
    /// In the order of codes.
    items: Vec<LiabilityBody>,
}

/// What members hold of a currency, and how that came. Amounts are decimal strings of printed units.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiabilityBody {
    #[schema(example = "MILE")]
    currency: String,
    /// Before the window; zero of the whole history.
    #[schema(example = "120000")]
    opening: String,
    flows: Vec<FlowBody>,
    /// Opening, and what was granted less what was taken.
    #[schema(example = "125000")]
    closing: String,
}

/// What came and went through one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlowBody {
    /// `issued`, `converted_in`, `bonus`, `redeemed`, `converted_out`, `expired`, `fees` or `adjusted`.
    #[schema(example = "issued")]
    account: &'static str,
    /// What members got of it, also back.
    #[schema(example = "8000")]
    granted: String,
    /// What was taken from members, also back.
    #[schema(example = "3000")]
    taken: String,
}

/// What expires of a currency, by month.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpiriesBody {
    #[schema(example = "MILE")]
    currency: String,
    /// When the wallets were read.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    /// From the earliest on; what never expires comes last.
    items: Vec<ExpiringBody>,
}

/// What can be used until the end of some day of a month, and not after it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExpiringMonth)]
pub struct ExpiringBody {
    /// Of the issuer's zone; null for what never expires.
    #[schema(example = "2027-01")]
    month: Option<String>,
    #[schema(example = 1200)]
    wallets: i64,
    /// Printed units, set aside or not.
    #[schema(example = "84000")]
    amount: String,
}

/// Report liabilities
#[utoipa::path(
    get, path = "/v1/reports/liabilities", operation_id = "reportLiabilities", tag = "settlement",
    description = "The roll-forward of what members hold of each currency whose balances the hub keeps: what there was, what came and went by account, what there is. From totals that `interline verify` makes again from single rows. A partner sees its own currencies.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(OfWindow),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The roll-forwards.", content(
        (LiabilitiesBody = "application/json"),
        (String = "text/csv", example = "currency,line,granted,taken,balance\nMILE,opening,,,120000\nMILE,issued,8000,3000,\nMILE,closing,,,125000\n"))))
)]
async fn liabilities(
    reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    wanted: Query<OfWindow>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let window = window_of(&mut conn, &shelf.ids, wanted.0.window.as_deref()).await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let flows = store::flows(&mut conn, window).await?;
    drop(conn);

    let mut items = Vec::new();
    for of_one in flows.chunk_by(|(one, _), (other, _)| one == other) {
        let currency = directory.currency_no(of_one[0].0);
        let Some(currency) = currency.filter(|it| is_for(&reader, it)) else {
            continue;
        };
        let told = RollForward::of(of_one.iter().map(|(_, flow)| *flow));
        items.push(LiabilityBody::of(currency, &told));
    }
    items.sort_by(|one, other| one.currency.cmp(&other.currency));
    match wanted.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(LiabilitiesBody { items })),
        Format::Csv => answer(
            ["currency", "line", "granted", "taken", "balance"],
            items.iter().flat_map(LiabilityBody::lines),
        ),
    }
}

/// Report expiries ahead
#[utoipa::path(
    get, path = "/v1/reports/expiries", operation_id = "reportExpiries", tag = "settlement",
    description = "What members hold of a currency now, by the month in which it can be used last. Points may move to a later month by activity, where the currency works that way. A partner asks of its own currencies.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(OfCurrency),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The months.", content(
        (ExpiriesBody = "application/json"),
        (String = "text/csv", example = "currency,month,wallets,amount\nMILE,2027-01,1200,84000\nMILE,never,10,500\n"))))
)]
async fn expiries(
    reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    wanted: Query<OfCurrency>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let unknown = || Problem::new(Slug::NotFound, "there is no such currency to report of");
    let currency = directory.currency(&wanted.0.currency);
    let currency = currency.filter(|it| is_for(&reader, it));
    let currency = currency.ok_or_else(unknown)?;
    let as_of = db::now(&mut conn).await?;
    let months = store::expiring(&mut conn, currency.no, currency.zone.name()).await?;
    drop(conn);

    let items = months.into_iter().map(|it| ExpiringBody {
        month: it.month,
        wallets: it.wallets,
        amount: amount::print(it.units, currency.scale),
    });
    let items: Vec<ExpiringBody> = items.collect();
    let code = currency.code.clone();
    match wanted.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(ExpiriesBody {
            currency: code,
            as_of,
            items,
        })),
        Format::Csv => answer(
            ["currency", "month", "wallets", "amount"],
            items.into_iter().map(|it| {
                let month = it.month.unwrap_or_else(|| "never".to_owned());
                [code.clone(), month, it.wallets.to_string(), it.amount]
            }),
        ),
    }
}

fn is_for(reader: &Reader<SettlementRead, (Finance, Operator, Auditor)>, it: &Currency) -> bool {
    reader.partner().is_none_or(|partner| partner == it.issuer)
}

impl LiabilityBody {
    fn of(currency: &Currency, told: &RollForward) -> LiabilityBody {
        let print = |units: i64| amount::print(units, currency.scale);
        let flows = told.flows.iter().map(|flow| FlowBody {
            account: flow.through.kind().map_or("unknown", AccountKind::name),
            granted: print(flow.granted),
            taken: print(flow.taken),
        });
        LiabilityBody {
            currency: currency.code.clone(),
            opening: print(told.opening),
            flows: flows.collect(),
            closing: print(told.closing),
        }
    }

    fn lines(&self) -> Vec<[String; 5]> {
        let line = |name: &str, [granted, taken, balance]: [&str; 3]| {
            [&*self.currency, name, granted, taken, balance].map(str::to_owned)
        };
        let flows = self.flows.iter();
        let flows = flows.map(|it| line(it.account, [&it.granted, &it.taken, ""]));
        [line("opening", ["", "", &self.opening])]
            .into_iter()
            .chain(flows)
            .chain([line("closing", ["", "", &self.closing])])
            .collect()
    }
}
