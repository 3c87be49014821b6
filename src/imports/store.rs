//! Imports and their lines in the database.

use std::collections::{BTreeMap, HashMap};

use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::import::{Format, Import, Kind, Outcome, Progress, Spent, State, Step};
use crate::access::Who;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    format: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    columns: Option<String>,
    #[diesel(sql_type = BigInt)]
    next_line: i64,
    #[diesel(sql_type = BigInt)]
    handed_in_through: i64,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = BigInt)]
    refused: i64,
    #[diesel(sql_type = Jsonb)]
    sums: Value,
    #[diesel(sql_type = BigInt)]
    created_by: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finished_at: Option<Timestamp>,
    #[diesel(sql_type = Integer)]
    round: i32,
    #[diesel(sql_type = Nullable<BigInt>)]
    step_by: Option<i64>,
    #[diesel(sql_type = BigInt)]
    step_line: i64,
    #[diesel(sql_type = Nullable<Text>)]
    spent: Option<String>,
}

const SELECT: &str = "select id, partner_id, kind, format, name, state, columns, next_line, handed_in_through, \
     done, refused, sums, created_by, created_at, finished_at, round, step_by, step_line, spent from imports";

impl TryFrom<Row> for Import {
    type Error = Error;

    fn try_from(row: Row) -> Result<Import, Error> {
        let odd = |what: &str| anyhow::anyhow!("import {} is of an unknown {what}", row.id);
        let sums = row.sums.as_object().into_iter().flatten();
        let sum = |(asset, units): (&String, &Value)| Some((asset.parse().ok()?, units.as_i64()?));
        Ok(Import {
            id: row.id,
            partner: row.partner_id,
            kind: Kind::named(&row.kind).ok_or_else(|| odd("kind"))?,
            format: Format::named(&row.format).ok_or_else(|| odd("format"))?,
            state: State::named(&row.state).ok_or_else(|| odd("state"))?,
            progress: Progress {
                next_line: row.next_line,
                handed_in_through: row.handed_in_through,
                done: row.done,
                refused: row.refused,
                sums: sums.filter_map(sum).collect::<BTreeMap<_, _>>(),
            },
            name: row.name,
            columns: row.columns,
            created_by: row.created_by,
            created_at: row.created_at,
            finished_at: row.finished_at,
            step: Step {
                round: row.round,
                by: row.step_by,
                line: row.step_line,
                spent: row.spent.as_deref().and_then(Spent::named),
            },
        })
    }
}

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    (kind, format, name): (Kind, Format, &str),
) -> Result<i64, Error> {
    let row: Id = diesel::sql_query(
        "insert into imports (partner_id, kind, format, name, created_by, created_at)
         values ($1, $2, $3, $4, $5, hub_now()) returning id",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(kind.name())
    .bind::<Text, _>(format.name())
    .bind::<Text, _>(name)
    .bind::<BigInt, _>(who.principal)
    .get_result(conn)
    .await?;
    Ok(row.id)
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Import>, Error> {
    one(conn, format!("{SELECT} where id = $1"), id).await
}

/// The same, and nobody else changes it until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Import>, Error> {
    one(conn, format!("{SELECT} where id = $1 for update"), id).await
}

async fn one(conn: &mut Connection, sql: String, id: i64) -> Result<Option<Import>, Error> {
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Import::try_from).transpose()
}

/// A page of imports, newest first: one more than `limit` when there are more. A partner's, or all.
pub async fn list(
    conn: &mut Connection,
    partner: Option<i64>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Import>, Error> {
    let sql = format!(
        "{SELECT} where ($1 is null or partner_id = $1) and ($2 is null or id < $2) order by id desc limit $3"
    );
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<Nullable<BigInt>, _>(partner)
        .bind::<Nullable<BigInt>, _>(before)
        .bind::<BigInt, _>(limit + 1)
        .load(conn)
        .await?;
    rows.into_iter().map(Import::try_from).collect()
}

pub(super) async fn keep_columns(
    conn: &mut Connection,
    id: i64,
    columns: &str,
) -> Result<(), Error> {
    diesel::sql_query("update imports set columns = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(columns)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn keep_progress(
    conn: &mut Connection,
    id: i64,
    progress: &Progress,
) -> Result<(), Error> {
    let sums = progress.sums.iter();
    let sums: serde_json::Map<String, Value> = sums
        .map(|(asset, units)| (asset.to_string(), json!(units)))
        .collect();
    diesel::sql_query(
        "update imports set next_line = $2, handed_in_through = $3, done = $4, refused = $5, sums = $6 where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(progress.next_line)
    .bind::<BigInt, _>(progress.handed_in_through)
    .bind::<BigInt, _>(progress.done)
    .bind::<BigInt, _>(progress.refused)
    .bind::<Jsonb, _>(Value::Object(sums))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn mark_finished(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query(
        "update imports set state = 'finished', finished_at = hub_now() where id = $1",
    )
    .bind::<BigInt, _>(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// The same as [`lock`], unless somebody else has locked it.
pub(super) async fn lock_if_free(conn: &mut Connection, id: i64) -> Result<Option<Import>, Error> {
    one(
        conn,
        format!("{SELECT} where id = $1 for update skip locked"),
        id,
    )
    .await
}

/// Takes a step, or goes on in it.
pub(super) async fn keep_step(
    conn: &mut Connection,
    id: i64,
    state: State,
    step: &Step,
) -> Result<(), Error> {
    diesel::sql_query(
        "update imports set state = $2, round = $3, step_by = $4, step_line = $5, spent = $6 where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(state.name())
    .bind::<Integer, _>(step.round)
    .bind::<Nullable<BigInt>, _>(step.by)
    .bind::<BigInt, _>(step.line)
    .bind::<Nullable<Text>, _>(step.spent.map(Spent::name))
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of a line: what it was, and whether it was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub content: Uuid,
    pub is_done: bool,
}

#[derive(diesel::QueryableByName)]
struct KnownRow {
    #[diesel(sql_type = BigInt)]
    line: i64,
    #[diesel(sql_type = SqlUuid)]
    content: Uuid,
    #[diesel(sql_type = Bool)]
    is_done: bool,
}

/// What is known of some lines.
pub(super) async fn known(
    conn: &mut Connection,
    id: i64,
    (first, last): (i64, i64),
) -> Result<HashMap<i64, Known>, Error> {
    let rows: Vec<KnownRow> = diesel::sql_query(
        "select line, content, code is null as is_done from import_lines
          where import_id = $1 and line between $2 and $3",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(first)
    .bind::<BigInt, _>(last)
    .load(conn)
    .await?;
    let known = |row: KnownRow| {
        let KnownRow {
            line,
            content,
            is_done,
        } = row;
        (line, Known { content, is_done })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// A line, what it is, and what became of it.
pub(super) type Told = (i64, Uuid, Outcome);

/// Writes down what became of lines. What was done stays as it is.
pub(super) async fn tell(conn: &mut Connection, id: i64, told: &[Told]) -> Result<(), Error> {
    let refused = |outcome: &Outcome| match outcome {
        Outcome::Refused(refused) => Some(refused.clone()),
        Outcome::Done { .. } => None,
    };
    let subject = |outcome: &Outcome| match outcome {
        Outcome::Done { subject, .. } => Some(*subject),
        Outcome::Refused(_) => None,
    };
    let refusals: Vec<_> = told.iter().map(|(.., outcome)| refused(outcome)).collect();
    let refusals = || refusals.iter().map(Option::as_ref);
    diesel::sql_query(
        "insert into import_lines as known (import_id, line, content, subject_id, code, field, detail)
         select $1, * from unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[])
         on conflict (import_id, line) do update set content = excluded.content, subject_id = excluded.subject_id, \
           code = excluded.code, field = excluded.field, detail = excluded.detail where known.code is not null",
    )
    .bind::<BigInt, _>(id)
    .bind::<Array<BigInt>, _>(told.iter().map(|(line, ..)| *line).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(told.iter().map(|(_, content, _)| *content).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(
        told.iter()
            .map(|(.., outcome)| subject(outcome))
            .collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Text>>, _>(
        refusals()
            .map(|it| it.map(|it| it.code.entry().slug))
            .collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Text>>, _>(
        refusals()
            .map(|it| it.and_then(|it| it.field.as_deref()))
            .collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Text>>, _>(
        refusals()
            .map(|it| it.map(|it| it.detail.as_str()))
            .collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A line that was refused.
#[derive(Debug, diesel::QueryableByName)]
pub struct RefusedLine {
    #[diesel(sql_type = BigInt)]
    pub line: i64,
    #[diesel(sql_type = Text)]
    pub code: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub field: Option<String>,
    #[diesel(sql_type = Text)]
    pub detail: String,
}

/// A page of the lines that were refused: one more than `limit` when there are more.
pub async fn refused(
    conn: &mut Connection,
    id: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<RefusedLine>, Error> {
    Ok(diesel::sql_query(
        "select line, code, field, detail from import_lines
          where import_id = $1 and code is not null and line > $2 order by line limit $3",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?)
}
