//! The trial balance over HTTP.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::access::{Auditor, Finance, Operator, Staff};
use crate::error::Error;
use crate::ledger::api::window_of;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::partners::Directory;
use crate::points::account::{Account, AccountKind, Asset};
use crate::points::amount;
use crate::points::money::Micros;
use crate::web::Query;
use crate::web::table::{Format, answer};

#[derive(OpenApi)]
#[openapi(
    paths(read),
    components(schemas(TrialBalanceBody, AssetBody, AccountBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/trial-balance").route(web::get().to(read)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The id of one window; all of them when left out.
    window: Option<String>,
    /// `json` when left out.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// Every account, by asset.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialBalanceBody {
    assets: Vec<AssetBody>,
}

/// The accounts of one currency or money.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssetBody {
    #[schema(example = "USD")]
    asset: String,
    /// `unit` for a loyalty currency, `value` for money.
    book: String,
    accounts: Vec<AccountBody>,
    /// Debits less credits over all accounts: zero.
    #[schema(example = "0.000000")]
    sum: String,
}

/// One account. Amounts are decimal strings of the asset.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountBody {
    #[schema(example = "position/AERO/USD")]
    account: String,
    debit: String,
    credit: String,
    /// Debit less credit.
    balance: String,
}

/// Read the trial balance
#[utoipa::path(
    get, path = "/v1/trial-balance", operation_id = "readTrialBalance", tag = "ledger",
    description = "Debits and credits of every account, in points and in money. Each asset sums to zero.",
    security(("person" = ["finance", "operator", "auditor"])),
    params(Wanted),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The trial balance.", content(
        (TrialBalanceBody = "application/json"),
        (String = "text/csv", example = "book,asset,account,debit,credit,balance\nvalue,USD,hub/commission/USD,0.000000,2.500000,-2.500000\n"))))
)]
async fn read(
    _staff: Staff<(Finance, Operator, Auditor)>,
    shelf: Shelf,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Error> {
    let mut conn = shelf.pool.get().await?;
    let window = window_of(&mut conn, &shelf.ids, wanted.0.window.as_deref()).await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let totals = store::totals(&mut conn, window).await?;

    let mut assets: BTreeMap<Asset, Vec<(Account, i64, i64)>> = BTreeMap::new();
    for (account, (debit, credit)) in store::by_account(&totals) {
        assets
            .entry(account.asset())
            .or_default()
            .push((account, debit, credit));
    }
    let assets = assets
        .into_iter()
        .map(|(asset, accounts)| show(&directory, asset, accounts));
    match wanted.0.format {
        Format::Json => Ok(HttpResponse::Ok().json(TrialBalanceBody {
            assets: assets.collect(),
        })),
        Format::Csv => answer(
            ["book", "asset", "account", "debit", "credit", "balance"],
            assets.flat_map(AssetBody::lines),
        ),
    }
}

impl AssetBody {
    fn lines(self) -> impl Iterator<Item = [String; 6]> {
        let (book, asset) = (self.book, self.asset);
        let accounts = self.accounts.into_iter();
        accounts.map(move |it| {
            let (book, asset) = (book.clone(), asset.clone());
            [book, asset, it.account, it.debit, it.credit, it.balance]
        })
    }
}

fn show(directory: &Directory, asset: Asset, accounts: Vec<(Account, i64, i64)>) -> AssetBody {
    let print = |amount: i64| print(directory, asset, amount);
    let sum = accounts
        .iter()
        .map(|(_, debit, credit)| debit - credit)
        .sum();
    let accounts = accounts
        .into_iter()
        .map(|(account, debit, credit)| AccountBody {
            account: name(directory, account),
            debit: print(debit),
            credit: print(credit),
            balance: print(debit - credit),
        });
    AssetBody {
        asset: directory.code_of(asset).unwrap_or("?").to_owned(),
        book: if directory.money(asset).is_some() {
            "value"
        } else {
            "unit"
        }
        .to_owned(),
        accounts: accounts.collect(),
        sum: print(sum),
    }
}

fn print(directory: &Directory, asset: Asset, amount: i64) -> String {
    match directory.currency_no(asset) {
        Some(currency) => amount::print(amount, currency.scale),
        None => Micros(amount).to_string(),
    }
}

/// An account's name, as the books write it.
pub fn name(directory: &Directory, account: Account) -> String {
    let asset = directory.code_of(account.asset()).unwrap_or("?");
    let name = account.kind().map_or("unknown", AccountKind::name);
    let owner = match account.kind() {
        Some(AccountKind::Position | AccountKind::Payable | AccountKind::Prefund) => directory
            .partner(account.owner())
            .map(|it| it.code.as_str()),
        Some(AccountKind::Reserve) => {
            let currency = Asset::try_from(account.owner()).ok();
            currency.and_then(|it| directory.code_of(it))
        }
        _ => return format!("{name}/{asset}"),
    };
    format!("{name}/{}/{asset}", owner.unwrap_or("?"))
}
