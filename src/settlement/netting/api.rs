//! Netting over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::line::{self, Line};
use crate::access::{Auditor, Finance, Operator, Staff};
use crate::error::Error;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::partners::{Directory, Money, MoneyBody};
use crate::points::money::Micros;
use crate::settlement::position::Position;
use crate::web::Query;
use crate::web::table::{Format, answer};

#[derive(OpenApi)]
#[openapi(
    paths(read),
    components(schemas(NettingBody, NettedMoneyBody, NettedLineBody, MovementBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/reports/netting").route(web::get().to(read)));
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

/// What would be paid if everything so far were settled now.
#[derive(Debug, Serialize, ToSchema)]
pub struct NettingBody {
    items: Vec<NettedMoneyBody>,
}

/// The lines of one money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NettedMoney)]
pub struct NettedMoneyBody {
    #[schema(example = "USD")]
    currency: String,
    /// The part, in percent, of what partners owed and were owed that need not be paid; null when that was nothing.
    #[schema(example = "68.1")]
    efficiency: Option<String>,
    /// Debit less credit of the hub's own accounts: with the nets of all lines it sums to zero.
    hub: MoneyBody,
    lines: Vec<NettedLineBody>,
}

/// What one partner would pay or get.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NettedLine)]
pub struct NettedLineBody {
    /// The partner's code.
    #[schema(example = "AERO")]
    partner: String,
    /// By kind of operation; their nets sum to the line's.
    movements: Vec<MovementBody>,
    /// Debit less credit: above zero the partner owes the hub, below the hub owes the partner.
    net: MoneyBody,
    /// The net rounded half-even to the decimals in which the money is paid.
    to_settle: MoneyBody,
    /// What of the net stays for the next time.
    carried: MoneyBody,
    #[serde(skip)]
    whole: Position,
}

/// What operations of one kind moved.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NettedMovement)]
pub struct MovementBody {
    /// The kind of operation.
    #[schema(example = "conversion")]
    kind: String,
    debit: MoneyBody,
    credit: MoneyBody,
}

impl NettedMoneyBody {
    fn of(directory: &Directory, lines: &[Line]) -> Option<NettedMoneyBody> {
        let money = directory.money(lines.first()?.account.asset())?;
        let net: i64 = lines.iter().map(|line| line.whole().net()).sum();
        let part = line::efficiency(lines, money.scale);
        let bodies = lines
            .iter()
            .map(|line| NettedLineBody::of(directory, money, line));
        Some(NettedMoneyBody {
            currency: money.code.clone(),
            efficiency: part.map(|part| format!("{}.{}", part / 10, part % 10)),
            hub: MoneyBody::of(money, Micros(-net)),
            lines: bodies.collect::<Option<_>>()?,
        })
    }

    /// One row of the table for each line.
    fn rows(&self) -> impl Iterator<Item = [String; 7]> {
        self.lines.iter().map(|line| {
            let Position { debit, credit } = line.whole;
            [
                line.partner.clone(),
                self.currency.clone(),
                Micros(debit).to_string(),
                Micros(credit).to_string(),
                line.net.amount.clone(),
                line.to_settle.amount.clone(),
                line.carried.amount.clone(),
            ]
        })
    }
}

impl NettedLineBody {
    fn of(directory: &Directory, money: &Money, line: &Line) -> Option<NettedLineBody> {
        let of = |micros| MoneyBody::of(money, Micros(micros));
        let whole = line.whole();
        let to_settle = line.to_settle(money.scale)?.0;
        let movements = line.movements.iter().map(|(kind, moved)| {
            Some(MovementBody {
                kind: Kind::of_number(*kind)?.name().to_owned(),
                debit: of(moved.debit),
                credit: of(moved.credit),
            })
        });
        Some(NettedLineBody {
            partner: directory.partner(line.account.owner())?.code.clone(),
            movements: movements.collect::<Option<_>>()?,
            net: of(whole.net()),
            to_settle: of(to_settle),
            carried: of(whole.net() - to_settle),
            whole,
        })
    }
}

/// Report netting
#[utoipa::path(
    get, path = "/v1/reports/netting", operation_id = "reportNetting", tag = "settlement",
    description = "What each partner would pay or get in each money if everything so far, the open window included, were settled now. Nothing is written.",
    security(("person" = ["finance", "operator", "auditor"])),
    params(Asked),
    responses((status = 200, description = "The lines.", content(
        (NettingBody = "application/json"),
        (String = "text/csv", example = "partner,money,debit,credit,net,to_settle,carried\nAERO,USD,100.769231,276.913077,-176.143846,-176.140000,-0.003846\n"))))
)]
async fn read(
    _staff: Staff<(Finance, Operator, Auditor)>,
    shelf: Shelf,
    asked: Query<Asked>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let totals = store::totals(&mut conn, None).await?;
    drop(conn);

    let lines = line::lines(&totals);
    let moneys = lines.chunk_by(|one, other| one.account.asset() == other.account.asset());
    let items = moneys.map(|of_one| {
        let body = NettedMoneyBody::of(&directory, of_one);
        body.ok_or_else(|| anyhow::anyhow!("position {} cannot be shown", of_one[0].account.0))
    });
    let items = items.collect::<Result<Vec<_>, _>>()?;
    match asked.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(NettingBody { items })),
        Format::Csv => answer(
            [
                "partner",
                "money",
                "debit",
                "credit",
                "net",
                "to_settle",
                "carried",
            ],
            items.iter().flat_map(NettedMoneyBody::rows),
        ),
    }
}
