//! How far lots were looked through, and what comes next.

use diesel::sql_types::{BigInt, Bool, SmallInt, Timestamptz};
use diesel_async::RunQueryDsl;

use super::notice::horizon;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Days {
    #[diesel(sql_type = SmallInt)]
    days: i16,
}

/// Everything before it was looked at, in the order of expiry and wallet.
#[derive(diesel::QueryableByName)]
pub(super) struct Mark {
    #[diesel(sql_type = Timestamptz)]
    expires_at: Timestamp,
    #[diesel(sql_type = BigInt)]
    wallet: i64,
}

/// What a wallet has that expires at an instant.
#[derive(diesel::QueryableByName)]
pub(super) struct Expiring {
    #[diesel(sql_type = BigInt)]
    pub wallet: i64,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: Timestamp,
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    #[diesel(sql_type = BigInt)]
    pub issuer_id: i64,
    /// Whether its issuer is told with so many days left, and with no fewer.
    #[diesel(sql_type = Bool)]
    pub is_due: bool,
}

/// Begins to look, for each number of days that a currency is the first to ask for.
pub(super) async fn begin(conn: &mut Connection) -> Result<(), Error> {
    diesel::sql_query(
        "insert into expiry_notices (days, expires_at, wallet) \
         select distinct asked.days, hub_now(), 0 from currencies, unnest(expiry_notice_days) as asked (days) \
          where asked.days not in (select days from expiry_notices) \
         on conflict do nothing",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every number of days, the most first.
pub(super) async fn days(conn: &mut Connection) -> Result<Vec<i16>, Error> {
    let rows: Vec<Days> = diesel::sql_query("select days from expiry_notices order by days desc")
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.days).collect())
}

/// Until the transaction ends nobody else looks for this number of days.
pub(super) async fn lock(conn: &mut Connection, days: i16) -> Result<Mark, Error> {
    let sql = "select expires_at, wallet from expiry_notices where days = $1 for update";
    Ok(diesel::sql_query(sql)
        .bind::<SmallInt, _>(days)
        .get_result(conn)
        .await?)
}

/// The next wallets that have lots with so many days left, in order; all lots of the last one too.
pub(super) async fn look(
    conn: &mut Connection,
    days: i16,
    mark: &Mark,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Expiring>, Error> {
    // The order is that of the index, so what lies behind is not read.
    let sql = "with looked as materialized ( \
           select wallet, expires_at, available from lots \
            where expires_at <> 'infinity' and (expires_at, wallet) > ($2, $3) and expires_at <= $4 \
            order by expires_at, wallet fetch first $6 rows with ties), \
         wallets as (select wallet, expires_at, sum(available)::bigint as amount from looked group by wallet, expires_at) \
         select wallet, w.expires_at, amount, c.issuer_id, \
                amount > 0 and $1 = any(c.expiry_notice_days) and w.expires_at > $5 + make_interval(days => coalesce( \
                  (select max(fewer) from unnest(c.expiry_notice_days) as fewer where fewer < $1), 0)) as is_due \
           from wallets w join currencies c on c.no = asset_of(w.wallet) order by w.expires_at, wallet";
    Ok(diesel::sql_query(sql)
        .bind::<SmallInt, _>(days)
        .bind::<Timestamptz, _>(mark.expires_at)
        .bind::<BigInt, _>(mark.wallet)
        .bind::<Timestamptz, _>(horizon(now, days))
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

pub(super) async fn go_on(
    conn: &mut Connection,
    days: i16,
    expires_at: Timestamp,
    wallet: i64,
) -> Result<(), Error> {
    diesel::sql_query("update expiry_notices set expires_at = $2, wallet = $3 where days = $1")
        .bind::<SmallInt, _>(days)
        .bind::<Timestamptz, _>(expires_at)
        .bind::<BigInt, _>(wallet)
        .execute(conn)
        .await?;
    Ok(())
}
