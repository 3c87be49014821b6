//! Seals and the groups they are of.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Timestamptz};
use diesel_async::RunQueryDsl;

use super::seal::{Group, Seal};
use crate::access::audit::Change;
use crate::db::{Connection, SEAL_LOCK};
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Whether there is something behind the last seal, finished or not.
pub async fn is_behind(conn: &mut Connection) -> Result<bool, Error> {
    // All ends are read off their indexes.
    let sql = "select coalesce(greatest((select max(id) from groups), (select max(position) >> 12 from audit)) > \
               coalesce((select max(last_group) from seals), 0), false) as found";
    let row: Found = diesel::sql_query(sql).get_result(conn).await?;
    Ok(row.found)
}

/// Takes the right to seal until the transaction ends, unless somebody has it.
pub async fn try_lock(conn: &mut Connection) -> Result<bool, Error> {
    let row: Found = diesel::sql_query("select pg_try_advisory_xact_lock($1) as found")
        .bind::<BigInt, _>(SEAL_LOCK)
        .get_result(conn)
        .await?;
    Ok(row.found)
}

pub async fn last(conn: &mut Connection) -> Result<Option<Seal>, Error> {
    let sql = "select * from seals order by id desc limit 1";
    Ok(diesel::sql_query(sql).get_result(conn).await.optional()?)
}

/// Every transaction below this number has ended. What those committed is seen by each later
/// statement.
pub async fn horizon(conn: &mut Connection) -> Result<i64, Error> {
    let sql = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + group_base as number from control";
    let row: Number = diesel::sql_query(sql).get_result(conn).await?;
    Ok(row.number)
}

/// The next groups below the horizon.
pub async fn groups_after(
    conn: &mut Connection,
    group: i64,
    horizon: i64,
    limit: i64,
) -> Result<Vec<Group>, Error> {
    // Bounded on one side only, the range is read off the index as far as the limit; with two
    // bounds the planner thinks it small and sorts all of it.
    let sql = "select * from (select id, window_id, at, size, rules, origins, digest from groups \
                 where id > $1 order by id limit $2) next where id < $3 order by id";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(group)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(horizon)
        .load(conn)
        .await?)
}

/// The next changes behind one place and before another.
pub async fn changes_between(
    conn: &mut Connection,
    (after, before): (i64, i64),
    limit: i64,
) -> Result<Vec<Change>, Error> {
    let columns = Change::COLUMNS;
    let sql = format!(
        "select {columns} from (select {columns} from audit where position > $1 order by position limit $2) next \
          where position < $3 order by position"
    );
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(before)
        .load(conn)
        .await?)
}

pub async fn insert(conn: &mut Connection, seal: &Seal) -> Result<(), Error> {
    let sql = "insert into seals (id, first_group, last_group, groups, operations, changes, hash, at) \
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(seal.id)
        .bind::<BigInt, _>(seal.first_group)
        .bind::<BigInt, _>(seal.last_group)
        .bind::<BigInt, _>(seal.groups)
        .bind::<BigInt, _>(seal.operations)
        .bind::<BigInt, _>(seal.changes)
        .bind::<Binary, _>(&seal.hash)
        .bind::<Timestamptz, _>(seal.at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The next seals after one.
pub async fn following(conn: &mut Connection, seal: i64, limit: i64) -> Result<Vec<Seal>, Error> {
    let sql = "select * from seals where id > $1 order by id limit $2";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(seal)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}
