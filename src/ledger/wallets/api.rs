//! Wallets over HTTP: balance, lots and statement.

use std::sync::Arc;

use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::access::{LedgerRead, OrMember, Partner};
use crate::clock::{self, Timestamp};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::ledger;
use crate::ledger::lot::LotKey;
use crate::ledger::operation::{Kind as OperationKind, Leg, Operation};
use crate::ledger::shelf::Shelf;
use crate::ledger::store::{self, LotRow};
use crate::members;
use crate::partners::{AmountBody, Currency};
use crate::points::account::Account;
use crate::web::{Page, Paging, Query};
use chrono::{DateTime, Utc};

#[derive(OpenApi)]
#[openapi(
    paths(list, read, statement),
    components(schemas(WalletBody, WalletsBody, LotBody, EntryBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/members/{member}/wallets").route(web::get().to(list)))
        .service(web::resource("/v1/wallets/{wallet}").route(web::get().to(read)))
        .service(web::resource("/v1/wallets/{wallet}/statement").route(web::get().to(statement)));
}

/// What a member holds in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletBody {
    id: String,
    currency: String,
    /// What can be used now.
    available: AmountBody,
    /// What is set aside and not yet used or released.
    held: AmountBody,
    /// What nobody can use, because the import that gave it is frozen.
    frozen: AmountBody,
    /// What was given and can be used later, or once its code is presented.
    pending: AmountBody,
    /// What was taken back after it was spent: paid first by what comes in.
    owed: AmountBody,
    /// In the order in which they are spent.
    lots: Vec<LotBody>,
}

/// Points that expire together.
#[derive(Debug, Serialize, ToSchema)]
pub struct LotBody {
    amount: AmountBody,
    /// Null when never.
    expires_at: Option<DateTime<Utc>>,
    /// Null when at once, or when it awaits a code.
    usable_from: Option<DateTime<Utc>>,
    /// Whether it can be used only once its code is presented, which is to be done before `expires_at`.
    awaits_code: bool,
    /// Whether nobody can use it, because the import that gave it is frozen.
    frozen: bool,
}

/// A member's wallets.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletsBody {
    items: Vec<WalletBody>,
}

/// One change of a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryBody {
    /// The operation that did it.
    operation: String,
    kind: String,
    /// `in` or `out` of the wallet.
    direction: String,
    amount: AmountBody,
    /// The operation that this one follows up: what a reversal undoes, the conversion of a delivery.
    follows: Option<String>,
    at: DateTime<Utc>,
}

/// List a member's wallets
#[utoipa::path(
    get, path = "/v1/members/{member}/wallets", operation_id = "listWallets", tag = "ledger",
    description = "One of your members' wallets in the currencies that you issue; for a member, of the partner that acts. Balances that an issuer keeps itself are not there.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"])),
    params(("member" = String, Path, description = "The member's id.")),
    responses((status = 200, description = "The wallets.", body = WalletsBody))
)]
async fn list(
    partner: Partner<OrMember<LedgerRead>>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<WalletsBody>, Error> {
    let now = partner.moment.now;
    let (_, directory) = shelf.directories.at(partner.moment, &shelf.pool).await?;
    let mut conn = shelf.pool.get().await?;
    let caller = (partner.partner, partner.who.acted());
    let member = shelf.member(&mut conn, caller, &path).await?;
    let mut wallets = members::all_of(&mut conn, member).await?;
    wallets.retain(|wallet| !Account(*wallet).is_kept_by_partner());
    let lots = store::lots(&mut conn, &wallets).await?;
    let items = wallets.into_iter().filter_map(|wallet| {
        let currency = directory.currency_no(Account(wallet).asset());
        let is_shown = |currency: &&Arc<Currency>| currency.issuer == partner.partner;
        let of_wallet = lots.iter().filter(|lot| lot.wallet == wallet);
        let lots: Vec<LotRow> = of_wallet.cloned().collect();
        Some(show(
            &shelf.ids,
            currency.filter(is_shown)?,
            Account(wallet),
            &lots,
            now,
        ))
    });
    let items = items.collect();
    Ok(web::Json(WalletsBody { items }))
}

/// Read a wallet
#[utoipa::path(
    get, path = "/v1/wallets/{wallet}", operation_id = "readWallet", tag = "ledger",
    description = "Balance and lots of a wallet in a currency that you issue; for a member, of one of its own there.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"])),
    params(("wallet" = String, Path, description = "The wallet's id.")),
    responses((status = 200, description = "The wallet.", body = WalletBody))
)]
async fn read(
    partner: Partner<OrMember<LedgerRead>>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<WalletBody>, Error> {
    let caller = (partner.partner, partner.who.acted());
    let (wallet, currency) = shelf.own_wallet(caller, partner.moment, &path).await?;
    ledger::api::must_keep(&currency)?;
    let mut conn = shelf.pool.get().await?;
    let lots = store::lots_of(&mut conn, wallet).await?;
    let now = partner.moment.now;
    Ok(web::Json(show(&shelf.ids, &currency, wallet, &lots, now)))
}

/// Read a wallet's statement
#[utoipa::path(
    get, path = "/v1/wallets/{wallet}/statement", operation_id = "readStatement", tag = "ledger",
    description = "Every change of the wallet, newest first.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"])),
    params(("wallet" = String, Path, description = "The wallet's id."), Paging),
    responses((status = 200, description = "A page of changes.", body = Page<EntryBody>))
)]
async fn statement(
    partner: Partner<OrMember<LedgerRead>>,
    shelf: Shelf,
    path: Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<EntryBody>>, Error> {
    let ids: &Data<Ids> = &shelf.ids;
    let (limit, before) = (paging.0.limit()?, paging.0.after(ids, "statement")?);
    let caller = (partner.partner, partner.who.acted());
    let (wallet, currency) = shelf.own_wallet(caller, partner.moment, &path).await?;
    let mut conn = shelf.pool.get().await?;
    let operations = store::statement(&mut conn, wallet, before, limit + 1).await?;
    if operations.is_empty() {
        store::wallet_must_exist(&mut conn, wallet).await?;
    }
    let entry = |operation: &Operation| entry(ids, &currency, wallet, operation);
    Ok(web::Json(Page::of(
        operations,
        limit,
        ids,
        "statement",
        |operation| operation.id,
        entry,
    )))
}

fn show(
    ids: &Ids,
    currency: &Currency,
    wallet: Account,
    lots: &[LotRow],
    now: Timestamp,
) -> WalletBody {
    // What has expired is gone for its owner, whether it has been swept or not.
    let alive = lots
        .iter()
        .filter(|lot| now < lot.key().expires_at && lot.available > 0);
    let usable = lots
        .iter()
        .filter(|lot| lot.key().is_usable(now))
        .map(|lot| lot.available)
        .sum();
    let held = lots.iter().map(|lot| lot.held).sum();
    let pending = lots.iter().filter(|lot| lot.key().is_pending(now));
    let pending = pending.map(|lot| lot.available).sum();
    let frozen = alive.clone().filter(|lot| lot.key().is_frozen());
    let frozen = frozen.map(|lot| lot.available).sum();
    let owed = lots.iter().filter(|lot| lot.key() == LotKey::RECEIVABLE);
    let owed: i64 = owed.map(|lot| -lot.available).sum();
    WalletBody {
        id: ids.show(Kind::Wallet, wallet.0),
        currency: currency.code.clone(),
        available: AmountBody::of(currency, usable),
        held: AmountBody::of(currency, held),
        frozen: AmountBody::of(currency, frozen),
        pending: AmountBody::of(currency, pending),
        owed: AmountBody::of(currency, owed),
        lots: alive
            .map(|lot| LotBody {
                amount: AmountBody::of(currency, lot.available),
                expires_at: Some(lot.key().expires_at).filter(|at| *at != clock::NEVER),
                usable_from: Some(lot.key().usable_from)
                    .filter(|at| ![clock::ALWAYS, clock::NEVER].contains(at)),
                awaits_code: lot.key().awaits_code(),
                frozen: lot.key().is_frozen(),
            })
            .collect(),
    }
}

fn entry(ids: &Ids, currency: &Currency, wallet: Account, operation: &Operation) -> EntryBody {
    let of_wallet = |leg: &Leg| leg.wallet == wallet;
    // What is moved within one wallet, from what waits for a code or is frozen, is told as coming in; and as
    // going out when it is frozen.
    let into = operation
        .into
        .filter(|_| operation.kind != OperationKind::Freeze);
    let (direction, leg) = match into.filter(of_wallet) {
        Some(leg) => ("in", Some(leg)),
        None => ("out", operation.out.filter(of_wallet)),
    };
    EntryBody {
        operation: ledger::shown(ids, operation),
        kind: operation.kind.name().to_owned(),
        direction: direction.to_owned(),
        amount: AmountBody::of(currency, leg.map_or(0, |leg| leg.amount)),
        follows: operation
            .followed()
            .map(|(kind, original)| ids.show(ledger::id_kind(kind), original)),
        at: operation.at,
    }
}
