//! Commissions over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{Commission, commissions};
use crate::access::{Auditor, Finance, Operator, Reader, SettlementRead};
use crate::error::Error;
use crate::ledger::api::window_of;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::partners::{Directory, MoneyBody};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::web::Query;
use crate::web::table::{Format, answer};

#[derive(OpenApi)]
#[openapi(paths(read), components(schemas(CommissionsBody, CommissionBody)))]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/reports/commissions").route(web::get().to(read)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The id of one window; all of them when left out.
    window: Option<String>,
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// Commissions by partner, money and kind of operation.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommissionsBody {
    /// In the order of partners' codes, moneys and kinds.
    items: Vec<CommissionBody>,
}

/// What one partner paid the hub in commission by operations of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommissionBody {
    /// The code of the partner that paid.
    #[schema(example = "AERO")]
    partner: String,
    /// The kind of operation.
    #[schema(example = "conversion")]
    kind: &'static str,
    charged: MoneyBody,
    /// What the hub gave back of it, with reversals.
    returned: MoneyBody,
    /// Charged less returned.
    net: MoneyBody,
}

/// Report commissions
#[utoipa::path(
    get, path = "/v1/reports/commissions", operation_id = "reportCommissions", tag = "settlement",
    description = "What the hub earned in commission of each partner, and what of that it gave back, by kind of operation. From totals that `interline verify` makes again from single rows. A partner sees its own.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "operator", "auditor"])),
    params(Asked),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The commissions.", content(
        (CommissionsBody = "application/json"),
        (String = "text/csv", example = "partner,money,kind,charged,returned,net\nAERO,USD,conversion,2.500000,0.000000,2.500000\n"))))
)]
async fn read(
    reader: Reader<SettlementRead, (Finance, Operator, Auditor)>,
    shelf: Shelf,
    asked: Query<Asked>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let window = window_of(&mut conn, &shelf.ids, asked.0.window.as_deref()).await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let totals = store::totals(&mut conn, window).await?;
    drop(conn);

    let mine = |payer: Account| reader.partner().is_none_or(|it| it == payer.owner());
    let items = commissions(&totals)
        .into_iter()
        .filter(|((payer, _), _)| mine(*payer));
    let items = items.map(|((payer, kind), sums)| {
        let body = CommissionBody::of(&directory, payer, kind, sums);
        body.ok_or_else(|| anyhow::anyhow!("commission of position {} cannot be shown", payer.0))
    });
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    items.sort_by(|one, other| one.place().cmp(&other.place()));
    match asked.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(CommissionsBody { items })),
        Format::Csv => answer(
            ["partner", "money", "kind", "charged", "returned", "net"],
            items.into_iter().map(|it| {
                let money = it.net.currency.clone();
                let [charged, returned, net] =
                    [it.charged, it.returned, it.net].map(|it| it.amount);
                [
                    it.partner,
                    money,
                    it.kind.to_owned(),
                    charged,
                    returned,
                    net,
                ]
            }),
        ),
    }
}

impl CommissionBody {
    fn of(
        directory: &Directory,
        payer: Account,
        kind: i16,
        sums: Commission,
    ) -> Option<CommissionBody> {
        let money = directory.money(payer.asset())?;
        let of = |micros| MoneyBody::of(money, Micros(micros));
        Some(CommissionBody {
            partner: directory.partner(payer.owner())?.code.clone(),
            kind: Kind::of_number(kind)?.name(),
            charged: of(sums.charged),
            returned: of(sums.returned),
            net: of(sums.net()),
        })
    }

    fn place(&self) -> (&str, &str, &str) {
        (&self.partner, &self.net.currency, self.kind)
    }
}
