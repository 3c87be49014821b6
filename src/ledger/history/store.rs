//! The journal's indexes, taken off and made again.

use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use crate::db::Connection;

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
