//! Approvals in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::approval::Word;
use super::{Approval, PATIENCE, PartyName, State, Subject, Verdict};
use crate::access::Who;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraint};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Text)]
    subject_shown: String,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    proposed: Option<Value>,
    #[diesel(sql_type = Array<Text>)]
    parties: Vec<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    created_by: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Timestamptz)]
    expires_at: Timestamp,
}

#[derive(diesel::QueryableByName)]
struct WordRow {
    #[diesel(sql_type = BigInt)]
    approval_id: i64,
    #[diesel(sql_type = Text)]
    party: String,
    #[diesel(sql_type = BigInt)]
    principal_id: i64,
    #[diesel(sql_type = Text)]
    verdict: String,
    #[diesel(sql_type = Timestamptz)]
    decided_at: Timestamp,
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

const COLUMNS: &str = "id, subject, subject_shown, content_hash, proposed, parties, state, created_by, created_at, expires_at from approvals";

/// The latest approval of a subject, locked until the transaction ends.
pub(super) async fn lock_latest(
    conn: &mut Connection,
    subject: &str,
    id: i64,
) -> Result<Option<Approval>, Error> {
    let row: Option<Row> = diesel::sql_query(format!(
        "select {COLUMNS} where subject = $1 and subject_id = $2 order by id desc limit 1 for update"
    ))
    .bind::<Text, _>(subject)
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    let approvals = with_words(conn, row.into_iter().collect()).await?;
    Ok(approvals.into_iter().next())
}

pub(super) async fn find(conn: &mut Connection, id: i64) -> Result<Option<Approval>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("select {COLUMNS} where id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    let approvals = with_words(conn, row.into_iter().collect()).await?;
    Ok(approvals.into_iter().next())
}

/// A page of open approvals, oldest first: one more than `limit` when there are more. Of a party's
/// when one is named, else all.
pub(super) async fn list_open(
    conn: &mut Connection,
    party: Option<PartyName>,
    after: i64,
    limit: i64,
) -> Result<Vec<Approval>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "select {COLUMNS}
          where state = 'created' and expires_at > hub_now() and ($1 is null or $1 = any(parties)) and id > $2
          order by id limit $3"
    ))
    .bind::<Nullable<Text>, _>(party.map(|party| party.to_string()))
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    with_words(conn, rows).await
}

#[derive(diesel::QueryableByName)]
pub(super) struct Pending {
    #[diesel(sql_type = BigInt)]
    pub subject_id: i64,
    #[diesel(sql_type = Jsonb)]
    pub proposed: Value,
    #[diesel(sql_type = Binary)]
    pub content_hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: Timestamp,
}

/// What is proposed of some subjects and waits to be decided: at most one of each.
pub(super) async fn pending(
    conn: &mut Connection,
    subject: &str,
    ids: &[i64],
) -> Result<Vec<Pending>, Error> {
    Ok(diesel::sql_query(
        "select subject_id, proposed, content_hash, created_at from approvals
          where subject = $1 and subject_id = any($2) and state = 'created' and expires_at > hub_now()",
    )
    .bind::<Text, _>(subject)
    .bind::<Array<BigInt>, _>(ids)
    .load(conn)
    .await?)
}

async fn with_words(conn: &mut Connection, rows: Vec<Row>) -> Result<Vec<Approval>, Error> {
    let words: Vec<WordRow> = diesel::sql_query(
        "select approval_id, party, principal_id, verdict, decided_at from approval_decisions
          where approval_id = any($1) order by decided_at",
    )
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| approval(row, &words))
        .collect::<anyhow::Result<_>>()?)
}

fn approval(row: Row, words: &[WordRow]) -> anyhow::Result<Approval> {
    let Row {
        id,
        subject,
        subject_shown,
        content_hash,
        proposed,
        parties,
        state,
        created_by,
        created_at,
        expires_at,
    } = row;
    let state = State::named(&state)
        .ok_or_else(|| anyhow::anyhow!("approval {id} is in the unknown state {state}"))?;
    let parties = parties
        .iter()
        .map(|name| party(name))
        .collect::<anyhow::Result<_>>()?;
    let words = words
        .iter()
        .filter(|word| word.approval_id == id)
        .map(word)
        .collect::<anyhow::Result<_>>()?;
    let maker = created_by;
    Ok(Approval {
        id,
        subject,
        subject_shown,
        content_hash,
        proposed,
        parties,
        state,
        maker,
        created_at,
        expires_at,
        words,
    })
}

fn word(row: &WordRow) -> anyhow::Result<Word> {
    let verdict = Verdict::named(&row.verdict)
        .ok_or_else(|| anyhow::anyhow!("unknown verdict {}", row.verdict))?;
    Ok(Word {
        party: party(&row.party)?,
        principal: row.principal_id,
        verdict,
        at: row.decided_at,
    })
}

fn party(name: &str) -> anyhow::Result<PartyName> {
    PartyName::named(name).ok_or_else(|| anyhow::anyhow!("unknown party {name}"))
}

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    subject: &Subject,
    content_hash: &[u8],
    proposed: Option<Value>,
    parties: &[PartyName],
    now: Timestamp,
) -> Result<i64, Error> {
    let inserted: Result<Id, _> = diesel::sql_query(
        "insert into approvals
           (subject, subject_id, subject_shown, content_hash, proposed, parties, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id",
    )
    .bind::<Text, _>(subject.kind)
    .bind::<BigInt, _>(subject.id)
    .bind::<Text, _>(&subject.shown)
    .bind::<Binary, _>(content_hash)
    .bind::<Nullable<Jsonb>, _>(proposed)
    .bind::<Array<Text>, _>(parties.iter().map(PartyName::to_string).collect::<Vec<_>>())
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(now + PATIENCE)
    .get_result(conn)
    .await;
    let open = || {
        Problem::new(
            Slug::ApprovalOpen,
            format!("an approval of {} is under way", subject.shown),
        )
    };
    on_constraint(inserted, "approvals_one_open", open).map(|row| row.id)
}

pub(super) async fn insert_word(
    conn: &mut Connection,
    approval: i64,
    party: PartyName,
    principal: i64,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into approval_decisions (approval_id, party, principal_id, verdict, decided_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind::<BigInt, _>(approval)
    .bind::<Text, _>(party.to_string())
    .bind::<BigInt, _>(principal)
    .bind::<Text, _>(verdict.name())
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn close(conn: &mut Connection, id: i64, state: State) -> Result<(), Error> {
    diesel::sql_query("update approvals set state = $2, proposed = null where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.name())
        .execute(conn)
        .await?;
    Ok(())
}
