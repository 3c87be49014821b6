//! What there is of an import's awards, in the database.

use diesel::sql_types::{BigInt, SmallInt};
use diesel_async::RunQueryDsl;

use super::figures::Figures;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SmallInt)]
    currency: i16,
    #[diesel(sql_type = BigInt)]
    awarded: i64,
    #[diesel(sql_type = BigInt)]
    reversed: i64,
    #[diesel(sql_type = BigInt)]
    frozen: i64,
    #[diesel(sql_type = BigInt)]
    unspent: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    expired: i64,
}

/// From the journal and the lots as they are now, summed by the database. The lots of an award are found as
/// `ledger/freeze.rs` finds them; awards into the same lots share what is there.
pub(super) async fn figures(conn: &mut Connection, import: i64) -> Result<Vec<Figures>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "with awards as (
           select o.in_wallet as wallet, o.in_amount as amount, s.placed,
                  case when s.placed > 0 then s.expires_at end as expires_at,
                  case when s.placed > 0 then s.usable_from end as usable_from,
                  coalesce((select sum(f.out_amount) from operations f where f.follows = o.id and f.kind = 11), 0) as reversed
             from import_lines l join operations o on o.id = l.subject_id
             left join lateral (
               select o.in_expires_at as expires_at, '-infinity'::timestamptz as usable_from, o.in_amount as placed
                where o.in_expires_at is not null
               union all (
               select m.expires_at, m.usable_from, o.in_amount - coalesce((select sum(d.amount) from more_legs d
                        where d.operation_id = o.id and d.wallet = o.in_wallet and d.class = -1), 0)
                 from more_legs m
                where o.in_expires_at is null and m.operation_id = o.id and m.wallet = o.in_wallet and m.class = 0
                  and m.amount > 0 and (m.usable_from > o.at or m.usable_from = '-infinity')
                order by m.usable_from desc limit 1)
             ) s on true
            where l.import_id = $1 and l.code is null
         ), shared as (
           select wallet, usable_from, min(expires_at) as expires_at, moves,
                  sum(amount) as awarded, sum(reversed) as reversed, sum(greatest(placed - reversed, 0)) as room
             from (select a.*, c.expiry->>'policy' = 'activity' as moves
                     from awards a join currencies c on c.no = asset_of(a.wallet)) a
            group by wallet, usable_from, moves, case when moves then null else expires_at end
         ), found as (
           select s.*, l.available, least(l.frozen, awarded - reversed) as frozen, l.held, coalesce(l.is_alive, true) as is_alive
             from shared s cross join lateral (
               select coalesce(sum(available) filter (where class = 0 and expires_at > hub.now), 0) as available,
                      coalesce(sum(available) filter (where class <> 0 and expires_at > hub.now), 0) as frozen,
                      coalesce(sum(held), 0) as held,
                      bool_or(expires_at > hub.now) as is_alive
                 from lots, (
                 select case when p.state = 'winding_down' and p.ends_at <= hub_now() then 'infinity' else hub_now() end as now
                   from imports i join partners p on p.id = i.partner_id where i.id = $1) hub
                where lots.wallet = s.wallet and lots.usable_from = s.usable_from
                  and lots.class in (0, (1::bigint << 62) | $1)
                  and case when s.moves then lots.expires_at >= s.expires_at else lots.expires_at = s.expires_at end
             ) l
         ), told as (
           select *, least(available, greatest(room - frozen, 0)) as unspent from found
         )
         select asset_of(wallet)::smallint as currency, sum(awarded)::bigint as awarded, sum(reversed)::bigint as reversed,
                sum(frozen)::bigint as frozen, coalesce(sum(unspent) filter (where is_alive), 0)::bigint as unspent,
                coalesce(sum(least(held, greatest(room - frozen - unspent, 0))) filter (where is_alive), 0)::bigint as held,
                coalesce(sum(awarded - reversed) filter (where not is_alive), 0)::bigint as expired
           from told group by 1 order by 1",
    )
    .bind::<BigInt, _>(import)
    .load(conn)
    .await?;
    let told = |row: Row| Figures {
        currency: row.currency,
        awarded: row.awarded,
        reversed: row.reversed,
        frozen: row.frozen,
        unspent: row.unspent,
        held: row.held,
        spent: row.awarded - row.reversed - row.frozen - row.unspent - row.held - row.expired,
        expired: row.expired,
    };
    Ok(rows.into_iter().map(told).collect())
}

#[derive(diesel::QueryableByName)]
pub(super) struct Line {
    #[diesel(sql_type = BigInt)]
    pub line: i64,
    #[diesel(sql_type = BigInt)]
    pub award: i64,
}

/// The next lines that made awards.
pub(super) async fn awards(
    conn: &mut Connection,
    import: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    Ok(diesel::sql_query(
        "select line, subject_id as award from import_lines
          where import_id = $1 and line > $2 and code is null order by line limit $3",
    )
    .bind::<BigInt, _>(import)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The imports of which awards are still to be gone through.
pub(super) async fn under_way(conn: &mut Connection) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "select id from imports where state in ('freezing', 'thawing', 'undoing') order by id",
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
