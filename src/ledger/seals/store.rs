//! Seals and the groups they are of.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Timestamptz};
use diesel_async::RunQueryDsl;

use super::seal::{Group, Seal};
use crate::db::{Connection, SEAL_LOCK};
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// Whether there is a group behind the last seal, finished or not.
pub async fn is_behind(conn: &mut Connection) -> Result<bool, Error> {
    // Both ends are read off their indexes.
    let sql = "select coalesce((select max(id) from groups) > \
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

/// The next groups that are final. One statement, so one snapshot: every transaction below its
/// xmin has ended, and what those committed is seen by it.
pub async fn finished_after(
    conn: &mut Connection,
    group: i64,
    limit: i64,
) -> Result<Vec<Group>, Error> {
    // Bounded on one side only, the range is read off the index as far as the limit; with two
    // bounds the planner thinks it small and sorts all of it.
    let sql = "select * from (select id, window_id, at, size, rules, digest from groups \
                 where id > $1 order by id limit $2) next \
               where id < (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + group_base from control) \
               order by id";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(group)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

pub async fn insert(conn: &mut Connection, seal: &Seal) -> Result<(), Error> {
    let sql = "insert into seals (id, first_group, last_group, groups, operations, hash, at) \
               values ($1, $2, $3, $4, $5, $6, $7)";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(seal.id)
        .bind::<BigInt, _>(seal.first_group)
        .bind::<BigInt, _>(seal.last_group)
        .bind::<BigInt, _>(seal.groups)
        .bind::<BigInt, _>(seal.operations)
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
