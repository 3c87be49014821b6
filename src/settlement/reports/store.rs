//! What reports read.

use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::roll_forward::Flow;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::{Account, Asset};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    holders: i64,
    #[diesel(sql_type = BigInt)]
    through: i64,
    #[diesel(sql_type = BigInt)]
    before: i64,
    #[diesel(sql_type = BigInt)]
    granted: i64,
    #[diesel(sql_type = BigInt)]
    taken: i64,
}

/// What moved to and from the holders of each currency in a window, and before it; in all of them when none is
/// named, and then nothing is before. In the order of currencies and accounts.
pub(super) async fn flows(
    conn: &mut Connection,
    window: Option<i64>,
) -> Result<Vec<(Asset, Flow)>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select holders, through, coalesce(sum(granted - taken) filter (where window_id < $1), 0)::bigint as before,
                coalesce(sum(granted) filter (where $1 is null or window_id = $1), 0)::bigint as granted,
                coalesce(sum(taken) filter (where $1 is null or window_id = $1), 0)::bigint as taken
           from (select window_id, credit as holders, debit as through, amount as granted, 0 as taken from totals
                  where (credit >> 39) & 31 = 2
                 union all
                 select window_id, debit, credit, 0, amount from totals where (debit >> 39) & 31 = 2) legs
          where $1 is null or window_id <= $1
          group by holders, through order by holders, through",
    )
    .bind::<Nullable<BigInt>, _>(window)
    .load(conn)
    .await?;
    let flow = |row: Row| {
        let flow = Flow {
            through: Account(row.through),
            before: row.before,
            granted: row.granted,
            taken: row.taken,
        };
        (Account(row.holders).asset(), flow)
    };
    Ok(rows.into_iter().map(flow).collect())
}

/// What expires of a currency in a month of its issuer's zone.
#[derive(Debug, diesel::QueryableByName)]
pub(super) struct Expiring {
    /// As `2027-01`; none for what never expires.
    #[diesel(sql_type = Nullable<Text>)]
    pub month: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub wallets: i64,
    #[diesel(sql_type = BigInt)]
    pub units: i64,
}

/// What wallets of a currency hold now, by the month on whose last moments it can be used last.
pub(super) async fn expiring(
    conn: &mut Connection,
    currency: Asset,
    zone: &str,
) -> Result<Vec<Expiring>, Error> {
    Ok(diesel::sql_query(
        "select case when isfinite(expires_at) then to_char((expires_at - interval '1 microsecond') at time zone $2, 'YYYY-MM') end as month,
                count(distinct wallet) as wallets, sum(greatest(available, 0) + held)::bigint as units
           from lots
          where wallet >= $1::bigint << 44 and wallet < ($1 + 1)::bigint << 44 and (available > 0 or held > 0)
          group by month order by month nulls last",
    )
    .bind::<SmallInt, _>(currency)
    .bind::<Text, _>(zone)
    .load(conn)
    .await?)
}
