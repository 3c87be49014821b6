//! Runs in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{
    BigInt, Bool, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::call::Call;
use super::{Found, Run, look};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

/// How many calls of a run count, from its first: more than any program needs that is being certified.
const MOST: i64 = 10_000;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Timestamptz)]
    started_at: Timestamp,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    closed_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    report: Option<serde_json::Value>,
}

#[derive(diesel::QueryableByName)]
struct CallRow {
    #[diesel(sql_type = Text)]
    path: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    key_hash: Option<Uuid>,
    #[diesel(sql_type = SqlUuid)]
    body_hash: Uuid,
    #[diesel(sql_type = Bool)]
    has_cursor: bool,
    #[diesel(sql_type = Bool)]
    is_dropped: bool,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = Nullable<Text>)]
    code: Option<String>,
    #[diesel(sql_type = SqlUuid)]
    answer_hash: Uuid,
}

impl From<CallRow> for Call {
    fn from(row: CallRow) -> Call {
        Call {
            path: row.path,
            key: row.key_hash,
            body: row.body_hash,
            has_cursor: row.has_cursor,
            is_dropped: row.is_dropped,
            status: row.status as u16,
            code: row.code,
            answer: row.answer_hash,
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// A new run, unless one is open.
pub(super) async fn begin(conn: &mut Connection, partner: i64) -> Result<Option<i64>, Error> {
    let row: Option<Id> = diesel::sql_query(
        "insert into certification_runs (partner_id, started_at) values ($1, hub_now())
         on conflict (partner_id) where closed_at is null do nothing returning id",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.id))
}

pub(super) async fn open(conn: &mut Connection, partner: i64) -> Result<Option<Run>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, partner_id, started_at, closed_at, report from certification_runs
          where partner_id = $1 and closed_at is null",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    whole(conn, row).await
}

pub(super) async fn find(conn: &mut Connection, run: i64) -> Result<Option<Run>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, partner_id, started_at, closed_at, report from certification_runs where id = $1",
    )
    .bind::<BigInt, _>(run)
    .get_result(conn)
    .await
    .optional()?;
    whole(conn, row).await
}

pub(super) async fn lock(conn: &mut Connection, run: i64) -> Result<Option<Run>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, partner_id, started_at, closed_at, report from certification_runs where id = $1 for update",
    )
    .bind::<BigInt, _>(run)
    .get_result(conn)
    .await
    .optional()?;
    whole(conn, row).await
}

/// A partner's runs, newest first: one more than `limit` when there are more.
pub(super) async fn list(
    conn: &mut Connection,
    partner: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Run>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select id, partner_id, started_at, closed_at, report from certification_runs
          where partner_id = $1 and id < $2 order by id desc limit $3",
    )
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(before)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    let mut runs = Vec::new();
    for row in rows {
        runs.extend(whole(conn, Some(row)).await?);
    }
    Ok(runs)
}

/// A run with what was found, when it was closed or so far.
async fn whole(conn: &mut Connection, row: Option<Row>) -> Result<Option<Run>, Error> {
    let Some(row) = row else { return Ok(None) };
    let found: Vec<Found> = match row.report {
        Some(report) => serde_json::from_value(report).map_err(anyhow::Error::from)?,
        None => look(&calls(conn, row.id).await?),
    };
    Ok(Some(Run {
        id: row.id,
        partner: row.partner_id,
        started_at: row.started_at,
        closed_at: row.closed_at,
        found,
    }))
}

async fn calls(conn: &mut Connection, run: i64) -> Result<Vec<Call>, Error> {
    let rows: Vec<CallRow> = diesel::sql_query(
        "select path, key_hash, body_hash, has_cursor, is_dropped, status, code, answer_hash from certification_calls
          where run_id = $1 order by id limit $2",
    )
    .bind::<BigInt, _>(run)
    .bind::<BigInt, _>(MOST)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(Call::from).collect())
}

pub(super) async fn close(conn: &mut Connection, run: &Run) -> Result<(), Error> {
    let report = serde_json::to_value(&run.found).map_err(anyhow::Error::from)?;
    diesel::sql_query(
        "update certification_runs set closed_at = hub_now(), report = $2, passed = $3 where id = $1",
    )
    .bind::<BigInt, _>(run.id)
    .bind::<Jsonb, _>(report)
    .bind::<Bool, _>(run.passed())
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a call down for the partner's open run, if there is one.
pub(super) async fn record(conn: &mut Connection, partner: i64, call: &Call) -> Result<(), Error> {
    diesel::sql_query(
        "insert into certification_calls
           (run_id, at, path, key_hash, body_hash, has_cursor, is_dropped, status, code, answer_hash)
         select id, hub_now(), $2, $3, $4, $5, $6, $7, $8, $9 from certification_runs
          where partner_id = $1 and closed_at is null
            and $10 > (select count(*) from certification_calls where run_id = certification_runs.id)",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(&call.path)
    .bind::<Nullable<SqlUuid>, _>(call.key)
    .bind::<SqlUuid, _>(call.body)
    .bind::<Bool, _>(call.has_cursor)
    .bind::<Bool, _>(call.is_dropped)
    .bind::<SmallInt, _>(call.status as i16)
    .bind::<Nullable<Text>, _>(call.code.as_deref())
    .bind::<SqlUuid, _>(call.answer)
    .bind::<BigInt, _>(MOST)
    .execute(conn)
    .await?;
    Ok(())
}
