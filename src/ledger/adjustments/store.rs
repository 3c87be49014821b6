//! Adjustments in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::adjustment::{Adjustment, State, Wanted};
use crate::access::Who;
use crate::clock::{self, Timestamp};
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::store::Unbounded;
use crate::points::account::Account;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    wallet: i64,
    #[diesel(sql_type = BigInt)]
    change: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<Unbounded>,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    operation_id: Option<i64>,
    #[diesel(sql_type = BigInt)]
    created_by: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
}

const SELECT: &str = "select id, wallet, change, expires_at, reason, content_hash, state, operation_id, created_by, \
     created_at from adjustments";

impl TryFrom<Row> for Adjustment {
    type Error = Error;

    fn try_from(row: Row) -> Result<Adjustment, Error> {
        let state = State::named(&row.state)
            .ok_or_else(|| anyhow::anyhow!("adjustment {} is {}", row.id, row.state))?;
        Ok(Adjustment {
            id: row.id,
            content: Wanted {
                wallet: Account(row.wallet),
                change: row.change,
                expires_at: row.expires_at.map(|Unbounded(at)| at),
                reason: row.reason,
            },
            content_hash: row.content_hash,
            state,
            operation: row.operation_id,
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Adjustment>, Error> {
    one(conn, format!("{SELECT} where id = $1"), id).await
}

/// The next adjustments after one.
pub async fn following(
    conn: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<Adjustment>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!("{SELECT} where id > $1 order by id limit $2"))
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    rows.into_iter().map(Adjustment::try_from).collect()
}

/// The same, and nobody else changes it until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Adjustment>, Error> {
    one(conn, format!("{SELECT} where id = $1 for update"), id).await
}

async fn one(conn: &mut Connection, sql: String, id: i64) -> Result<Option<Adjustment>, Error> {
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Adjustment::try_from).transpose()
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    wanted: &Wanted,
    hash: &[u8],
    now: Timestamp,
) -> Result<i64, Error> {
    let never = wanted.expires_at == Some(clock::NEVER);
    let row: Id = diesel::sql_query(
        "insert into adjustments (wallet, change, expires_at, reason, content_hash, created_by, created_at) \
         values ($1, $2, case when $3 then 'infinity' else $4 end, $5, $6, $7, $8) returning id",
    )
    .bind::<BigInt, _>(wanted.wallet.0)
    .bind::<BigInt, _>(wanted.change)
    .bind::<diesel::sql_types::Bool, _>(never)
    .bind::<Nullable<Timestamptz>, _>(wanted.expires_at.filter(|_| !never))
    .bind::<Text, _>(&wanted.reason)
    .bind::<Binary, _>(hash)
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await?;
    Ok(row.id)
}

pub(super) async fn mark(
    conn: &mut Connection,
    id: i64,
    state: State,
    operation: Option<i64>,
) -> Result<(), Error> {
    diesel::sql_query("update adjustments set state = $2, operation_id = $3 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.name())
        .bind::<Nullable<BigInt>, _>(operation)
        .execute(conn)
        .await?;
    Ok(())
}

/// What was agreed to and is to be posted.
pub(super) async fn approved(conn: &mut Connection, limit: i64) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "select id from adjustments where state = 'approved' order by id limit $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
