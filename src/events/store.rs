//! Operations in their order, and what a partner calls them.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::page::Looked;
use super::told::Owner;
use super::{Asked, Happened, Whose};
use crate::access::audit::Change;
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::operation::{self, Operation};
use crate::ledger::store::{OPERATIONS, OperationRow};

/// Whether an operation moved points of a partner's currencies, $3, or money of its position, $4.
const MOVED: &str = "($3 is null or asset_of(out_wallet) = any($3) or asset_of(in_wallet) = any($3) or pays = $4 or paid = $4 \
                      or transfers is not null and exists ( \
                           select from more_transfers where operation_id = id and asset_of(debit) = any($3)))";

/// Looks at the next operations below the horizon.
pub async fn look_at_operations(
    conn: &mut Connection,
    asked: &Asked,
    horizon: i64,
) -> Result<Looked, Error> {
    // Bounded on one side only, so that the next ones are read off the index whatever the planner
    // knows of the table.
    let sql = format!(
        "with looked as materialized ( \
           select id, {MOVED} as is_asked \
             from (select id, out_wallet, in_wallet, pays, paid, transfers from operations where id > $1 order by id limit $5) next \
            where id < $2) \
         select (select max(id) from looked) as last, (select count(*) from looked) as count, \
                array(select id from looked where is_asked order by id limit $6) as found"
    );
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(asked.after)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<Array<Integer>>, _>(currencies(asked.whose.as_ref()))
        .bind::<Nullable<BigInt>, _>(position(asked.whose.as_ref()))
        .bind::<BigInt, _>(asked.looked_at)
        .bind::<BigInt, _>(asked.limit)
        .get_result(conn)
        .await?)
}

/// Looks at the next changes below the horizon.
pub async fn look_at_changes(
    conn: &mut Connection,
    asked: &Asked,
    horizon: i64,
) -> Result<Looked, Error> {
    let sql = "with looked as materialized ( \
                 select position, $3 is null or concerns is null or $3 = any(concerns) as is_asked \
                   from (select position, concerns from audit where position > $1 order by position limit $4) next \
                  where position < $2) \
               select (select max(position) from looked) as last, (select count(*) from looked) as count, \
                      array(select position from looked where is_asked order by position limit $5) as found";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(asked.after)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<BigInt>, _>(asked.whose.as_ref().map(|whose| whose.partner))
        .bind::<BigInt, _>(asked.looked_at)
        .bind::<BigInt, _>(asked.limit)
        .get_result(conn)
        .await?)
}

fn currencies(whose: Option<&Whose>) -> Option<Vec<i32>> {
    whose.map(|whose| whose.currencies.iter().map(|no| i32::from(*no)).collect())
}

fn position(whose: Option<&Whose>) -> Option<i64> {
    Some(whose?.position?.0)
}

#[derive(diesel::QueryableByName)]
struct Places {
    #[diesel(sql_type = Array<BigInt>)]
    found: Vec<i64>,
}

/// Which of these places are below the horizon and were asked for.
pub async fn among(
    conn: &mut Connection,
    places: &[i64],
    whose: Option<&Whose>,
    horizon: i64,
) -> Result<Vec<i64>, Error> {
    let sql = format!(
        "select array(select id from operations where id = any($1) and id < $2 and {MOVED} \
                      union all \
                      select position from audit where position = any($1) and position < $2 \
                         and ($5 is null or concerns is null or $5 = any(concerns))) as found"
    );
    let found: Places = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(places)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<Array<Integer>>, _>(currencies(whose))
        .bind::<Nullable<BigInt>, _>(position(whose))
        .bind::<Nullable<BigInt>, _>(whose.map(|whose| whose.partner))
        .get_result(conn)
        .await?;
    Ok(found.found)
}

/// What happened at these places, each kind in its order.
pub async fn list(conn: &mut Connection, places: &[i64]) -> Result<Happened, Error> {
    let (ids, positions): (Vec<i64>, Vec<i64>) = places
        .iter()
        .partition(|place| operation::is_operation(**place));
    Ok(Happened {
        operations: list_operations(conn, &ids).await?,
        changes: list_changes(conn, &positions).await?,
    })
}

async fn list_operations(conn: &mut Connection, ids: &[i64]) -> Result<Vec<Operation>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
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

async fn list_changes(conn: &mut Connection, positions: &[i64]) -> Result<Vec<Change>, Error> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Change::COLUMNS;
    let sql = format!("select {columns} from audit where position = any($1) order by position");
    Ok(diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(positions)
        .load(conn)
        .await?)
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
struct Owned {
    #[diesel(sql_type = BigInt)]
    wallet_id: i64,
    #[diesel(sql_type = BigInt)]
    member_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    membership_id: Option<i64>,
}

/// Whose some wallets are, with the memberships of their issuers.
pub async fn owners(conn: &mut Connection, wallets: &[i64]) -> Result<HashMap<i64, Owner>, Error> {
    if wallets.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "select w.wallet_id, w.member_id, m.id as membership_id \
                 from member_wallets w join currencies c on c.no = w.currency_no \
                 left join memberships m on m.member_id = w.member_id and m.partner_id = c.issuer_id \
                where w.wallet_id = any($1)";
    let rows: Vec<Owned> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(wallets)
        .load(conn)
        .await?;
    let owner = |row: Owned| Owner {
        member: row.member_id,
        membership: row.membership_id,
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.wallet_id, owner(row)))
        .collect())
}

#[derive(diesel::QueryableByName)]
struct Turn {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
}

/// Of what happened at each of these places, the how many-eth it is of what it happened to: an
/// operation of itself or of what it follows, a change of its subject.
pub async fn sequences(conn: &mut Connection, places: &[i64]) -> Result<HashMap<i64, i64>, Error> {
    let sql = "select o.id, case when o.follows is null then 1 \
                 else 1 + (select count(*) from operations f where f.follows = o.follows and f.id <= o.id) \
                 end as sequence \
                 from operations o where o.id = any($1) \
               union all \
               select a.position, (select count(*) from audit b where b.subject = a.subject \
                         and b.subject_id = a.subject_id and b.position <= a.position) \
                 from audit a where a.position = any($1)";
    let rows: Vec<Turn> = diesel::sql_query(sql)
        .bind::<Array<BigInt>, _>(places)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sequence)).collect())
}
