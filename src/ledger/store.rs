//! The journal as it is read: single operations, a wallet's lots and statement, totals, windows.
//!
//! What a group reads and writes is in `statements.rs`.

use std::collections::HashMap;

use diesel::OptionalExtension;
use diesel::deserialize::{FromSql, QueryableByName};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{
    Array, BigInt, Binary, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::budget::Budgets;
use super::follow_ups::FollowUps;
use super::lot::LotKey;
use super::operation::{Figures, Kind, Leg, LotChange, Operation, Transfer};
use super::tally::{Mark, TallyKey, Wanted};
use crate::clock::{self, Timestamp};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::points::account::Account;
use crate::points::money::Micros;

#[derive(Debug, diesel::QueryableByName)]
pub struct OperationRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
    #[diesel(sql_type = Nullable<BigInt>)]
    out_wallet: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    out_expires_at: Option<Unbounded>,
    #[diesel(sql_type = Nullable<BigInt>)]
    out_amount: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    in_wallet: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    in_expires_at: Option<Unbounded>,
    #[diesel(sql_type = Nullable<BigInt>)]
    in_amount: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    out_previous: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    in_previous: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pays: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    paid: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    gross: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    commission: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    net: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    converted: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    value: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    residual: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    card_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    exchange_rate_id: Option<i64>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    quote: Option<Uuid>,
    #[diesel(sql_type = Nullable<BigInt>)]
    follows: Option<i64>,
    #[diesel(sql_type = SqlUuid)]
    key_hash: Uuid,
    #[diesel(sql_type = SqlUuid)]
    body_hash: Uuid,
    #[diesel(sql_type = BigInt)]
    principal_id: i64,
    #[diesel(sql_type = SqlUuid)]
    request_id: Uuid,
    #[diesel(sql_type = Nullable<Jsonb>)]
    memo: Option<Value>,
    /// The rows of more_legs, flat: five numbers a leg.
    #[diesel(sql_type = Array<BigInt>)]
    more: Vec<i64>,
    /// The rows of more_transfers, flat: three numbers each.
    #[diesel(sql_type = Array<BigInt>)]
    posted: Vec<i64>,
}

/// Operations with the lots and transfers that do not fit on their rows. Whether there are any shows on
/// the row, so most rows cost no look.
pub const OPERATIONS: &str = "select o.*, case \
     when (o.out_wallet is not null and o.out_expires_at is null) \
       or (o.in_wallet is not null and o.in_expires_at is null) then array( \
         select unnest(array[m.wallet, instant_micros(m.expires_at), instant_micros(m.usable_from), m.class, m.amount]) \
           from more_legs m where m.operation_id = o.id order by m.leg) \
     else '{}' end as more, case when o.transfers is not null then array( \
         select unnest(array[t.debit, t.credit, t.amount]) from more_transfers t where t.operation_id = o.id order by t.nth) \
     else '{}' end as posted from operations o";

impl OperationRow {
    /// The operation. None when the row says what no operation can be.
    pub fn into_operation(self) -> Option<Operation> {
        let leg = |wallet: Option<i64>, amount: Option<i64>| {
            wallet.zip(amount).map(|(wallet, amount)| Leg {
                wallet: Account(wallet),
                amount,
            })
        };
        let out = leg(self.out_wallet, self.out_amount);
        let into = leg(self.in_wallet, self.in_amount);
        let on_row = |leg: Option<Leg>, expires_at: Option<Unbounded>, sign: i64| {
            let (leg, Unbounded(expires_at)) = leg.zip(expires_at)?;
            Some(LotChange {
                wallet: leg.wallet,
                lot: LotKey::expiring(expires_at),
                change: sign * leg.amount,
            })
        };
        let mut lots: Vec<LotChange> = [
            on_row(out, self.out_expires_at, -1),
            on_row(into, self.in_expires_at, 1),
        ]
        .into_iter()
        .flatten()
        .collect();
        for leg in self.more.chunks_exact(5) {
            let lot = LotKey {
                expires_at: Unbounded::of_micros(leg[1])?.0,
                usable_from: Unbounded::of_micros(leg[2])?.0,
                class: leg[3],
            };
            lots.push(LotChange {
                wallet: Account(leg[0]),
                lot,
                change: leg[4],
            });
        }
        lots.sort_unstable_by_key(|lot| (lot.wallet, lot.lot));
        Some(Operation {
            id: self.id,
            kind: Kind::of_number(self.kind)?,
            at: self.at,
            out,
            into,
            lots,
            figures: self.figures(),
            transfers: self.posted.chunks_exact(3).map(transfer).collect(),
            card_id: self.card_id,
            exchange_rate_id: self.exchange_rate_id,
            quote: self.quote,
            follows: self.follows,
            out_previous: self.out_previous,
            in_previous: self.in_previous,
            key_hash: self.key_hash,
            body_hash: self.body_hash,
            principal_id: self.principal_id,
            request_id: self.request_id,
            memo: self.memo,
        })
    }

    fn figures(&self) -> Option<Figures> {
        Some(Figures {
            pays: Account(self.pays?),
            paid: Account(self.paid?),
            gross: Micros(self.gross?),
            commission: Micros(self.commission?),
            net: Micros(self.net?),
            converted: Micros(self.converted?),
            value: Micros(self.value?),
            residual: Micros(self.residual?),
        })
    }
}

fn transfer(numbers: &[i64]) -> Transfer {
    Transfer {
        debit: Account(numbers[0]),
        credit: Account(numbers[1]),
        amount: numbers[2],
    }
}

/// One operation, whoever's it is.
pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Operation>, Error> {
    let row: Option<OperationRow> = db::prepared(OPERATIONS)
        .then(" where o.id = ")
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(OperationRow::into_operation))
}

/// Some operations, in the order of their ids.
pub async fn find_all(conn: &mut Connection, ids: &[i64]) -> Result<Vec<Operation>, Error> {
    let rows: Vec<OperationRow> = db::prepared(OPERATIONS)
        .then(" where o.id = any(")
        .bind::<Array<BigInt>, _>(ids)
        .then(") order by o.id")
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(OperationRow::into_operation)
        .collect())
}

/// A wallet's operations, newest first: all, or those before one of them.
pub async fn statement(
    conn: &mut Connection,
    wallet: Account,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Operation>, Error> {
    // From each operation to the one before it in this wallet, as far as the page goes.
    let previous =
        "case wallet when out_wallet then out_previous when in_wallet then in_previous end";
    let first = match before {
        Some(_) => format!("select {previous} from operations where id = before"),
        None => {
            "select last_operation from lots where lots.wallet = asked.wallet and turn > 0".into()
        }
    };
    let chain = format!(
        "::bigint), chain (wallet, most, id, nth) as ( \
           select wallet, most, ({first}), 1::bigint from asked \
           union all \
           select wallet, most, {previous}, nth + 1 from chain join operations o on o.id = chain.id where nth < most \
         ) {OPERATIONS} join chain on chain.id = o.id order by chain.nth"
    );
    let rows: Vec<OperationRow> =
        db::prepared("with recursive asked (wallet, before, most) as (select ")
            .bind::<BigInt, _>(wallet.0)
            .then("::bigint, ")
            .bind::<BigInt, _>(before.unwrap_or_default())
            .then("::bigint, ")
            .bind::<BigInt, _>(limit)
            .then(chain)
            .load(conn)
            .await?;
    Ok(rows
        .into_iter()
        .filter_map(OperationRow::into_operation)
        .collect())
}

#[derive(Debug, diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The operation a partner named so.
pub async fn by_reference(
    conn: &mut Connection,
    partner: i64,
    kind: Kind,
    hash: Uuid,
) -> Result<Option<Operation>, Error> {
    let sql = "select operation_id as id from operation_references \
               where partner_id = $1 and kind = $2 and reference_hash = $3";
    let found: Option<Id> = diesel::sql_query(sql)
        .bind::<BigInt, _>(partner)
        .bind::<SmallInt, _>(kind as i16)
        .bind::<SqlUuid, _>(hash)
        .get_result(conn)
        .await
        .optional()?;
    match found {
        Some(row) => find(conn, row.id).await,
        None => Ok(None),
    }
}

#[derive(Debug, diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = Nullable<Text>)]
    reference: Option<String>,
}

/// What a partner calls an operation.
pub async fn reference_of(
    conn: &mut Connection,
    operation: i64,
    partner: i64,
) -> Result<Option<String>, Error> {
    let sql =
        "select reference from operation_references where operation_id = $1 and partner_id = $2";
    let row: Option<Named> = diesel::sql_query(sql)
        .bind::<BigInt, _>(operation)
        .bind::<BigInt, _>(partner)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|row| row.reference))
}

#[derive(Debug, diesel::QueryableByName)]
struct FollowUpRow {
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

/// What has followed an operation so far.
pub async fn follow_ups(conn: &mut Connection, operation: i64) -> Result<FollowUps, Error> {
    let sql = "select kind, max(id) as last, sum(coalesce(in_amount, out_amount))::bigint as amount \
               from operations where follows = $1 group by kind";
    let rows: Vec<FollowUpRow> = diesel::sql_query(sql)
        .bind::<BigInt, _>(operation)
        .load(conn)
        .await?;
    let mut found = FollowUps::default();
    for row in rows {
        let kind = Kind::of_number(row.kind)
            .ok_or_else(|| anyhow::anyhow!("operation {} is of unknown kind", row.last))?;
        found.insert(kind, row.last, row.amount);
    }
    Ok(found)
}

/// What is given out of some budgets.
pub async fn budgets(conn: &mut Connection, owners: &[i64]) -> Result<Budgets, Error> {
    #[derive(diesel::QueryableByName)]
    struct BudgetRow {
        #[diesel(sql_type = BigInt)]
        owner: i64,
        #[diesel(sql_type = BigInt)]
        given: i64,
    }

    let mut budgets = Budgets::default();
    if owners.is_empty() {
        return Ok(budgets);
    }
    let sql = "select owner, given from budgets where owner = any($1)";
    let rows: Vec<BudgetRow> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(owners)
        .load(conn)
        .await?;
    for row in rows {
        budgets.read(row.owner, row.given);
    }
    Ok(budgets)
}

/// A lot of a wallet.
#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct LotRow {
    #[diesel(sql_type = BigInt)]
    pub wallet: i64,
    #[diesel(sql_type = Timestamptz)]
    expires_at: Unbounded,
    #[diesel(sql_type = Timestamptz)]
    usable_from: Unbounded,
    #[diesel(sql_type = BigInt)]
    class: i64,
    #[diesel(sql_type = BigInt)]
    pub available: i64,
    #[diesel(sql_type = BigInt)]
    pub held: i64,
}

/// A lot that is to expire.
#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct EndingLot {
    #[diesel(embed)]
    pub lot: LotRow,
    /// When its issuer ends, where that is why.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub issuer_ends_at: Option<Timestamp>,
}

impl LotRow {
    pub fn key(&self) -> LotKey {
        LotKey {
            expires_at: self.expires_at.0,
            usable_from: self.usable_from.0,
            class: self.class,
        }
    }
}

#[derive(diesel::QueryableByName)]
struct MarkRow {
    #[diesel(sql_type = BigInt)]
    wallet: i64,
    #[diesel(sql_type = BigInt)]
    key: i64,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
    #[diesel(sql_type = BigInt)]
    given: i64,
    #[diesel(sql_type = BigInt)]
    gained: i64,
    #[diesel(sql_type = SmallInt)]
    times: i16,
}

/// Tallies, each from the earliest instant that is wanted on.
pub async fn tallies(
    conn: &mut Connection,
    wanted: &[Wanted],
) -> Result<HashMap<TallyKey, Vec<Mark>>, Error> {
    let sql = "select t.* from (select wallet, key, min(since) as since \
                 from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) as k (wallet, key, since) group by 1, 2) k \
               join tallies t on t.wallet = k.wallet and t.key = k.key and t.at >= k.since";
    let (mut wallets, mut keys, mut since) = (Vec::new(), Vec::new(), Vec::new());
    for tally in wanted {
        wallets.push(tally.of.wallet.0);
        keys.push(tally.of.key);
        // Nothing was counted before the hub was there.
        since.push(tally.since.max(Timestamp::UNIX_EPOCH));
    }
    let rows: Vec<MarkRow> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(wallets)
        .bind::<Array<BigInt>, _>(keys)
        .bind::<Array<Timestamptz>, _>(since)
        .load(conn)
        .await?;
    let mut found: HashMap<TallyKey, Vec<Mark>> = HashMap::new();
    for row in rows {
        let of = TallyKey {
            wallet: Account(row.wallet),
            key: row.key,
        };
        found.entry(of).or_default().push(Mark {
            at: row.at,
            given: row.given,
            gained: row.gained,
            times: row.times.into(),
        });
    }
    Ok(found)
}

/// For a wallet of which nothing was found.
pub async fn wallet_must_exist(conn: &mut Connection, wallet: Account) -> Result<(), Error> {
    let row: Option<Id> = diesel::sql_query("select id from wallets where id = $1")
        .bind::<BigInt, _>(wallet.0)
        .get_result(conn)
        .await
        .optional()?;
    row.map(drop).ok_or_else(|| no_wallet().into())
}

pub fn no_wallet() -> Problem {
    Problem::new(Slug::NotFound, "there is no such wallet of yours")
}

/// What a wallet that there is holds and owes, in the order of spending.
pub async fn lots_of(conn: &mut Connection, wallet: Account) -> Result<Vec<LotRow>, Error> {
    let lots = lots(conn, &[wallet.0]).await?;
    if lots.is_empty() {
        wallet_must_exist(conn, wallet).await?;
    }
    Ok(lots)
}

/// What wallets hold and owe, in the order of spending.
pub async fn lots(conn: &mut Connection, wallets: &[i64]) -> Result<Vec<LotRow>, Error> {
    Ok(db::prepared("select * from lots where wallet = any(")
        .bind::<Array<BigInt>, _>(wallets)
        .then(") and (available <> 0 or held > 0) order by wallet, expires_at, usable_from, class")
        .load(conn)
        .await?)
}

/// Lots that have expired and still hold something.
pub async fn expired_lots(conn: &mut Connection, limit: i64) -> Result<Vec<EndingLot>, Error> {
    let sql = "select *, null::timestamptz as issuer_ends_at from lots where expires_at <> 'infinity' and expires_at <= (select hub_now()) \
                 and available > 0 limit $1";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

/// Lots that still hold something though the last day of their issuer is over, and that nobody buys out.
pub async fn lots_of_ended(conn: &mut Connection, limit: i64) -> Result<Vec<EndingLot>, Error> {
    let sql = "select l.wallet, l.expires_at, l.usable_from, l.class, l.available, l.held, p.ends_at as issuer_ends_at \
               from partners p join currencies c on c.issuer_id = p.id \
               cross join lateral (select * from lots where wallet >= c.no::bigint << 44 and wallet < (c.no + 1)::bigint << 44 \
                 and available > 0 limit $1) l \
               where p.state = 'winding_down' and p.ends_at <= (select hub_now()) \
                 and not exists (select from buy_outs b where b.currency_no = c.no and b.ends_at = p.ends_at and b.done_at is null) \
               limit $1";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

/// Holds whose time has come and of which something is open.
pub async fn due_holds(conn: &mut Connection, limit: i64) -> Result<Vec<Operation>, Error> {
    let sql = format!(
        "{OPERATIONS} where o.id in (select operation_id from holds \
           where open > 0 and expires_at <= (select hub_now()) limit $1)"
    );
    let rows: Vec<OperationRow> = diesel::sql_query(sql)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    let holds = rows.into_iter().filter_map(OperationRow::into_operation);
    Ok(holds.collect())
}

/// An instant that may be infinite, as PostgreSQL keeps it: microseconds since 2000, with the
/// outermost numbers for the infinities.
#[derive(Debug, Clone, Copy, diesel::deserialize::FromSqlRow)]
pub struct Unbounded(pub Timestamp);

const MICROS_TO_2000: i64 = 946_684_800_000_000;

impl Unbounded {
    fn of_micros(micros: i64) -> Option<Unbounded> {
        match micros {
            i64::MAX => Some(Unbounded(clock::NEVER)),
            i64::MIN => Some(Unbounded(clock::ALWAYS)),
            micros => {
                Timestamp::from_timestamp_micros(micros.checked_add(MICROS_TO_2000)?).map(Unbounded)
            }
        }
    }
}

impl FromSql<Timestamptz, Pg> for Unbounded {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Pg>>::from_sql(bytes)?;
        Unbounded::of_micros(micros).ok_or_else(|| "an instant beyond the calendar".into())
    }
}

/// A sum that is kept per window, kind and pair of accounts, over all writers.
#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct TotalRow {
    #[diesel(sql_type = BigInt)]
    pub window_id: i64,
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    #[diesel(sql_type = BigInt)]
    pub debit: i64,
    #[diesel(sql_type = BigInt)]
    pub credit: i64,
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    #[diesel(sql_type = BigInt)]
    pub operations: i64,
}

/// The totals of one window, or of all when none is named.
pub async fn totals(conn: &mut Connection, window: Option<i64>) -> Result<Vec<TotalRow>, Error> {
    let sql = "select window_id, kind, debit, credit, sum(amount)::bigint as amount, \
               sum(operations)::bigint as operations from totals where $1 is null or window_id = $1 \
               group by window_id, kind, debit, credit order by window_id, kind, debit, credit";
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<BigInt>, _>(window)
        .load(conn)
        .await?)
}

#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct WindowRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Timestamptz)]
    pub opened_at: Timestamp,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Binary>)]
    pub content_hash: Option<Vec<u8>>,
}

const WINDOW_COLUMNS: &str = "id, state, opened_at, closed_at, content_hash";

/// Windows, newest first, from `before` downwards.
pub async fn windows(
    conn: &mut Connection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<WindowRow>, Error> {
    let sql =
        format!("select {WINDOW_COLUMNS} from windows where id < $1 order by id desc limit $2");
    let rows = diesel::sql_query(sql)
        .bind::<BigInt, _>(before.unwrap_or(i64::MAX))
        .bind::<BigInt, _>(limit);
    Ok(rows.load(conn).await?)
}

pub async fn window(conn: &mut Connection, id: i64) -> Result<Option<WindowRow>, Error> {
    let sql = format!("select {WINDOW_COLUMNS} from windows where id = $1");
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?)
}

/// The window that postings fall into. Read under the gate it stays open to the end of the transaction.
pub async fn open_window(conn: &mut Connection) -> Result<WindowRow, Error> {
    let sql = format!("select {WINDOW_COLUMNS} from windows where state = 'open'");
    Ok(diesel::sql_query(sql).get_result(conn).await?)
}

/// Closes a window for good and opens the next.
pub async fn mark_closed(
    conn: &mut Connection,
    id: i64,
    hash: &[u8],
    by: i64,
) -> Result<WindowRow, Error> {
    diesel::sql_query(
        "update windows set state = 'closed', closed_at = hub_now(), closed_by = $2, content_hash = $3 where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(by)
    .bind::<Binary, _>(hash)
    .execute(conn)
    .await?;
    let sql = format!(
        "insert into windows (opened_at) select closed_at from windows where id = $1 returning {WINDOW_COLUMNS}"
    );
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await?)
}

/// Sums of one asset over accounts, as a report wants them.
pub type ByAccount = std::collections::BTreeMap<Account, (i64, i64)>;

/// Debits and credits per account.
pub fn by_account(totals: &[TotalRow]) -> ByAccount {
    let mut sums = ByAccount::new();
    for total in totals {
        sums.entry(Account(total.debit)).or_default().0 += total.amount;
        sums.entry(Account(total.credit)).or_default().1 += total.amount;
    }
    sums
}
