//! The last number of a group, and the journal's indexes, taken off and made again.

use diesel::sql_types::{BigInt, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use crate::db::Connection;

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// A number that no group has, and none below a later one's.
pub async fn last_group(conn: &mut Connection) -> anyhow::Result<i64> {
    let sql = "select pg_current_xact_id()::text::bigint + group_base as number from control";
    let row: Number = diesel::sql_query(sql).get_result(conn).await?;
    Ok(row.number)
}

#[derive(diesel::QueryableByName)]
struct Index {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    definition: String,
}

/// Takes off the indexes that are no constraint's, and returns how to make them again.
pub async fn drop_indexes(conn: &mut Connection) -> anyhow::Result<Vec<String>> {
    let indexes: Vec<Index> = diesel::sql_query(
        "select indexname::text as name, indexdef as definition from pg_indexes \
          where schemaname = 'public' and tablename = 'operations' \
            and indexname not in (select conname from pg_constraint)",
    )
    .load(conn)
    .await?;
    for index in &indexes {
        conn.batch_execute(&format!("drop index {}", index.name))
            .await?;
    }
    Ok(indexes.into_iter().map(|index| index.definition).collect())
}

pub async fn make_indexes(conn: &mut Connection, definitions: &[String]) -> anyhow::Result<()> {
    conn.batch_execute("set maintenance_work_mem = '512MB'")
        .await?;
    for definition in definitions {
        conn.batch_execute(definition).await?;
    }
    Ok(())
}
