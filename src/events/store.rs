//! Operations in their order, and what a partner calls them.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Asked;
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::operation::Operation;
use crate::ledger::store::{OPERATIONS, OperationRow};
use crate::points::account::Asset;

/// What was looked at for a page.
#[derive(Debug, diesel::QueryableByName)]
pub struct Looked {
    /// The last operation of all; none when there was none.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub last: Option<i64>,
    /// Those that were asked for.
    #[diesel(sql_type = Array<BigInt>)]
    pub found: Vec<i64>,
}

/// Looks at the next operations below the horizon.
pub async fn look(conn: &mut Connection, asked: &Asked, horizon: i64) -> Result<Looked, Error> {
    // Bounded on one side only, so that the next ones are read off the index whatever the planner
    // knows of the table.
    let sql = "with looked as materialized ( \
                 select id, $3 is null or asset_of(out_wallet) = any($3) or asset_of(in_wallet) = any($3) \
                        or transfers is not null and exists ( \
                             select from more_transfers where operation_id = id and asset_of(debit) = any($3)) as is_asked \
                   from (select id, out_wallet, in_wallet, transfers from operations where id > $1 order by id limit $4) next \
                  where id < $2) \
               select (select max(id) from looked) as last, \
                      array(select id from looked where is_asked order by id limit $5) as found";
    let currencies: Option<Vec<i32>> = asked
        .currencies
        .as_ref()
        .map(|all| all.iter().map(|no| i32::from(*no)).collect());
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(asked.after)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<Array<Integer>>, _>(currencies)
        .bind::<BigInt, _>(asked.looked_at)
        .bind::<BigInt, _>(asked.limit)
        .get_result(conn)
        .await?)
}

/// Which of these operations are below the horizon and were asked for.
pub async fn among(
    conn: &mut Connection,
    places: &[i64],
    currencies: Option<&[Asset]>,
    horizon: i64,
) -> Result<Vec<i64>, Error> {
    let sql = "select max(id) as last, coalesce(array_agg(id order by id), '{}') as found from operations \
                where id = any($1) and id < $2 \
                  and ($3 is null or asset_of(out_wallet) = any($3) or asset_of(in_wallet) = any($3) \
                       or transfers is not null and exists ( \
                            select from more_transfers where operation_id = id and asset_of(debit) = any($3)))";
    let currencies = currencies.map(|all| all.iter().map(|no| i32::from(*no)).collect::<Vec<_>>());
    let looked: Looked = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(places)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<Array<Integer>>, _>(currencies)
        .get_result(conn)
        .await?;
    Ok(looked.found)
}

/// These operations, in their order.
pub async fn list(conn: &mut Connection, ids: &[i64]) -> Result<Vec<Operation>, Error> {
    let sql = format!("{OPERATIONS} where o.id = any($1) order by o.id");
    let rows: Vec<OperationRow> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
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

#[derive(diesel::QueryableByName)]
struct Turn {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
}

/// Of each of these operations, the how many-eth it is of what it happened to: itself, or what it follows.
pub async fn sequences(conn: &mut Connection, ids: &[i64]) -> Result<HashMap<i64, i64>, Error> {
    let sql = "select o.id, case when o.follows is null then 1 \
                 else 1 + (select count(*) from operations f where f.follows = o.follows and f.id <= o.id) \
                 end as sequence \
                 from operations o where o.id = any($1)";
    let rows: Vec<Turn> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sequence)).collect())
}
