//! Sessions in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::{Listed, Session, Which};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::db::{Connection, Moment, prepared};
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    person_id: i64,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    is_proved: bool,
    #[diesel(sql_type = Bool)]
    is_fresh: bool,
    #[diesel(sql_type = Bool)]
    is_stale: bool,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Timestamptz)]
    now: Timestamp,
}

#[derive(diesel::QueryableByName)]
struct ListedRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Timestamptz)]
    last_used_at: Timestamp,
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Ended {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Bool)]
    is_proved: bool,
}

#[derive(diesel::QueryableByName)]
struct Until {
    #[diesel(sql_type = Timestamptz)]
    until: Timestamp,
}

/// A live session, the present, and whether its last use is to be written down again.
pub(super) struct Found {
    pub session: Session,
    pub moment: Moment,
    pub is_stale: bool,
}

pub(super) async fn find(conn: &mut Connection, token_hash: &[u8]) -> Result<Option<Found>, Error> {
    let found: Option<Row> = prepared(
        "select s.id, s.person_id, s.role, s.proved_at is not null as is_proved,
                coalesce(s.proved_at > clock_timestamp() - interval '10 minutes', false) as is_fresh,
                s.last_used_at < clock_timestamp() - interval '1 minute' as is_stale,
                c.version, hub_now() as now
           from live_sessions s cross join control c where s.token_hash = ",
    )
    .bind::<Binary, _>(token_hash)
    .get_result(conn)
    .await
    .optional()?;
    let session = |row: Row| {
        let Row { id, role, .. } = &row;
        let role = Role::named(role)
            .ok_or_else(|| anyhow::anyhow!("session {id} is of the unknown role {role}"))?;
        Ok(Found {
            session: Session {
                id: row.id,
                person: row.person_id,
                role,
                is_proved: row.is_proved,
                is_fresh: row.is_fresh,
            },
            moment: Moment {
                version: row.version,
                now: row.now,
            },
            is_stale: row.is_stale,
        })
    };
    found.map(session).transpose()
}

pub(super) async fn mark_used(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("update sessions set last_used_at = clock_timestamp() where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn insert(
    conn: &mut Connection,
    person: i64,
    token_hash: &[u8],
    is_proved: bool,
) -> Result<i64, Error> {
    let row: Id = diesel::sql_query(
        "insert into sessions (person_id, token_hash, proved_at)
         values ($1, $2, case when $3 then clock_timestamp() end) returning id",
    )
    .bind::<BigInt, _>(person)
    .bind::<Binary, _>(token_hash)
    .bind::<Bool, _>(is_proved)
    .get_result(conn)
    .await?;
    Ok(row.id)
}

pub(super) async fn mark_proved(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("update sessions set proved_at = clock_timestamp() where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn proved_until(
    conn: &mut Connection,
    id: i64,
) -> Result<Option<Timestamp>, Error> {
    let found: Option<Until> = diesel::sql_query(
        "select proved_at + interval '10 minutes' as until from sessions
          where id = $1 and proved_at > clock_timestamp() - interval '10 minutes'",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.map(|found| found.until))
}

/// Deletes what nobody can use any more.
pub(super) async fn forget_ended(conn: &mut Connection, person: i64) -> Result<(), Error> {
    diesel::sql_query(
        "delete from sessions s where person_id = $1 and not exists (select from live_sessions l where l.id = s.id)",
    )
    .bind::<BigInt, _>(person)
    .execute(conn)
    .await?;
    Ok(())
}

/// A page of a person's live sessions, oldest first: one more than `limit` when there are more.
pub(super) async fn list(
    conn: &mut Connection,
    person: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    let rows: Vec<ListedRow> = diesel::sql_query(
        "select id, created_at, last_used_at from live_sessions where person_id = $1 and id > $2 order by id limit $3",
    )
    .bind::<BigInt, _>(person)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    let listed = |row: ListedRow| Listed {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    };
    Ok(rows.into_iter().map(listed).collect())
}

pub(super) async fn delete(
    conn: &mut Connection,
    person: i64,
    which: Which,
) -> Result<Vec<(i64, bool)>, Error> {
    let (one, but) = match which {
        Which::One(id) => (Some(id), None),
        Which::AllBut(id) => (None, Some(id)),
        Which::All => (None, None),
    };
    let ended: Vec<Ended> = diesel::sql_query(
        "delete from sessions where person_id = $1 and ($2 is null or id = $2) and ($3 is null or id <> $3)
         returning id, proved_at is not null as is_proved",
    )
    .bind::<BigInt, _>(person)
    .bind::<Nullable<BigInt>, _>(one)
    .bind::<Nullable<BigInt>, _>(but)
    .load(conn)
    .await?;
    Ok(ended
        .into_iter()
        .map(|row| (row.id, row.is_proved))
        .collect())
}
