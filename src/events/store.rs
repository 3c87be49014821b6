//! Operations in their order, and what a partner calls them.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Asked;
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::operation::Operation;
use crate::ledger::store::{OPERATIONS, OperationRow};

#[derive(diesel::QueryableByName)]
struct Last {
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
}

/// The last of the next `count` operations below the horizon; `after` when there are none.
pub async fn look(
    conn: &mut Connection,
    after: i64,
    horizon: i64,
    count: i64,
) -> Result<i64, Error> {
    let sql = "select max(id) as id from \
               (select id from operations where id > $1 and id < $2 order by id limit $3) looked";
    let row: Last = diesel::sql_query(sql)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(horizon)
        .bind::<BigInt, _>(count)
        .get_result(conn)
        .await?;
    Ok(row.id.unwrap_or(after))
}

/// Of the operations up to `through`, those that are asked for.
pub async fn list(
    conn: &mut Connection,
    asked: &Asked,
    through: i64,
) -> Result<Vec<Operation>, Error> {
    let sql = format!(
        "{OPERATIONS} where o.id > $1 and o.id <= $2 and ($3 is null or asset_of(o.out_wallet) = any($3) \
         or asset_of(o.in_wallet) = any($3)) order by o.id limit $4"
    );
    let currencies: Option<Vec<i32>> = asked
        .currencies
        .as_ref()
        .map(|all| all.iter().map(|no| i32::from(*no)).collect());
    let rows: Vec<OperationRow> = diesel::sql_query(sql)
        .bind::<BigInt, _>(asked.after)
        .bind::<BigInt, _>(through)
        .bind::<Nullable<Array<Integer>>, _>(currencies)
        .bind::<BigInt, _>(asked.limit)
        .load(conn)
        .await?;
    let whole = |row: OperationRow| {
        let id = row.id;
        row.into_operation()
            .ok_or_else(|| anyhow::anyhow!("operation {id} says what no operation can be").into())
    };
    rows.into_iter().map(whole).collect()
}

#[derive(diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = BigInt)]
    operation_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    reference: Option<String>,
}

/// What a partner calls some operations.
pub async fn references(
    conn: &mut Connection,
    partner: i64,
    operations: &[i64],
) -> Result<HashMap<i64, String>, Error> {
    let sql = "select operation_id, reference from operation_references \
               where operation_id = any($1) and partner_id = $2";
    let rows: Vec<Named> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(operations)
        .bind::<BigInt, _>(partner)
        .load(conn)
        .await?;
    let named = |row: Named| Some((row.operation_id, row.reference?));
    Ok(rows.into_iter().filter_map(named).collect())
}
