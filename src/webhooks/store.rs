//! Endpoints in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Terms;
use super::endpoint::{Endpoint, State};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

/// The first half of the advisory lock of a partner's endpoints: "hook" in ASCII.
const LOCK: i32 = 0x686f_6f6b;

/// The columns of an endpoint.
pub(super) const COLUMNS: &str = "id, partner_id, url, description, types, state, secret_version, previous_until, cursor, \
     failures, failing_since, rests_until, last_success_at, created_at";

#[derive(diesel::QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Nullable<Text>)]
    description: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    types: Vec<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Integer)]
    secret_version: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    previous_until: Option<Timestamp>,
    #[diesel(sql_type = BigInt)]
    cursor: i64,
    #[diesel(sql_type = Integer)]
    failures: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    failing_since: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    rests_until: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_success_at: Option<Timestamp>,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
}

impl TryFrom<Row> for Endpoint {
    type Error = Error;

    fn try_from(row: Row) -> Result<Endpoint, Error> {
        let unknown = || anyhow::anyhow!("an endpoint is in the state {}", row.state);
        Ok(Endpoint {
            state: State::named(&row.state).ok_or_else(unknown)?,
            id: row.id,
            partner: row.partner_id,
            url: row.url,
            description: row.description,
            types: row.types,
            secret_version: row.secret_version,
            previous_until: row.previous_until,
            cursor: row.cursor,
            failures: row.failures,
            failing_since: row.failing_since,
            rests_until: row.rests_until,
            last_success_at: row.last_success_at,
            created_at: row.created_at,
        })
    }
}

/// An event that waits, or is dead.
#[derive(Debug, diesel::QueryableByName)]
pub struct Delivery {
    #[diesel(sql_type = BigInt)]
    pub event_id: i64,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    pub first_at: Timestamp,
    #[diesel(sql_type = Timestamptz)]
    pub next_at: Timestamp,
}

/// One try.
#[derive(Debug, diesel::QueryableByName)]
pub struct Attempt {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub event_id: i64,
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
    #[diesel(sql_type = Integer)]
    pub took_ms: i32,
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub status: Option<i16>,
    #[diesel(sql_type = Nullable<Text>)]
    pub failure: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub answer: Option<String>,
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Lets one at a time make endpoints of a partner, so that ten stay ten.
pub async fn lock_partner(conn: &mut Connection, partner: i64) -> Result<(), Error> {
    diesel::sql_query(format!(
        "select pg_advisory_xact_lock({LOCK}, hashint8($1))"
    ))
    .bind::<BigInt, _>(partner)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn count(conn: &mut Connection, partner: i64) -> Result<i64, Error> {
    let sql = "select count(*) as number from webhook_endpoints where partner_id = $1";
    let row: Number = diesel::sql_query(sql)
        .bind::<BigInt, _>(partner)
        .get_result(conn)
        .await?;
    Ok(row.number)
}

pub async fn insert(
    conn: &mut Connection,
    partner: i64,
    terms: &Terms,
    state: State,
    cursor: i64,
) -> Result<Endpoint, Error> {
    let row: Row = diesel::sql_query(format!(
        "insert into webhook_endpoints (partner_id, url, description, types, state, cursor, created_at) \
         values ($1, $2, $3, $4, $5, $6, hub_now()) returning {COLUMNS}"
    ))
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(&terms.url)
    .bind::<Nullable<Text>, _>(&terms.description)
    .bind::<Array<Text>, _>(&terms.types)
    .bind::<Text, _>(state.name())
    .bind::<BigInt, _>(cursor)
    .get_result(conn)
    .await?;
    row.try_into()
}

/// Whether an endpoint failed before is forgotten: its partner may have mended it.
pub async fn change(
    conn: &mut Connection,
    id: i64,
    terms: &Terms,
    state: State,
) -> Result<Endpoint, Error> {
    let row: Row = diesel::sql_query(format!(
        "update webhook_endpoints set url = $2, description = $3, types = $4, state = $5, failures = 0, \
           failing_since = null, rests_until = null where id = $1 returning {COLUMNS}"
    ))
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(&terms.url)
    .bind::<Nullable<Text>, _>(&terms.description)
    .bind::<Array<Text>, _>(&terms.types)
    .bind::<Text, _>(state.name())
    .get_result(conn)
    .await?;
    row.try_into()
}

pub async fn rotate(
    conn: &mut Connection,
    id: i64,
    previous_until: Timestamp,
) -> Result<Endpoint, Error> {
    let row: Row = diesel::sql_query(format!(
        "update webhook_endpoints set secret_version = secret_version + 1, previous_until = $2 \
          where id = $1 returning {COLUMNS}"
    ))
    .bind::<BigInt, _>(id)
    .bind::<Timestamptz, _>(previous_until)
    .get_result(conn)
    .await?;
    row.try_into()
}

pub async fn delete(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("delete from webhook_endpoints where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Endpoint>, Error> {
    one(conn, id, "").await
}

pub async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Endpoint>, Error> {
    one(conn, id, "for update").await
}

async fn one(conn: &mut Connection, id: i64, lock: &str) -> Result<Option<Endpoint>, Error> {
    let sql = format!("select {COLUMNS} from webhook_endpoints where id = $1 {lock}");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Endpoint::try_from).transpose()
}

/// A partner's endpoints, everybody's when none; oldest first.
pub async fn list(
    conn: &mut Connection,
    partner: Option<i64>,
    after: i64,
    limit: i64,
) -> Result<Vec<Endpoint>, Error> {
    let sql = format!(
        "select {COLUMNS} from webhook_endpoints where ($1 is null or partner_id = $1) and id > $2 \
          order by id limit $3"
    );
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<Nullable<BigInt>, _>(partner)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit + 1)
        .load(conn)
        .await?;
    rows.into_iter().map(Endpoint::try_from).collect()
}

pub async fn next_ping(conn: &mut Connection) -> Result<i64, Error> {
    let row: Number = diesel::sql_query("select -nextval('webhook_pings') as number")
        .get_result(conn)
        .await?;
    Ok(row.number)
}

/// Has events sent now, as if for the first time.
pub async fn queue(conn: &mut Connection, id: i64, places: &[i64]) -> Result<i64, Error> {
    let sql = "insert into webhook_deliveries (endpoint_id, event_id, first_at, next_at) \
               select $1, place, hub_now(), hub_now() from (select distinct unnest($2) as place) asked order by place \
               on conflict (endpoint_id, event_id) \
               do update set state = 'waiting', attempts = 0, first_at = excluded.first_at, next_at = excluded.next_at";
    let count = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Array<BigInt>, _>(places)
        .execute(conn)
        .await?;
    Ok(count as i64)
}

/// Has everything that was given up sent now.
pub async fn revive(conn: &mut Connection, id: i64) -> Result<i64, Error> {
    let sql = "update webhook_deliveries set state = 'waiting', attempts = 0, first_at = hub_now(), next_at = hub_now() \
                where endpoint_id = $1 and state = 'dead'";
    let count = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(count as i64)
}

pub async fn go_back(conn: &mut Connection, id: i64, place: i64) -> Result<(), Error> {
    diesel::sql_query("update webhook_endpoints set cursor = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(place)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the rest of an endpoint that somebody waits for.
pub async fn wake(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("update webhook_endpoints set rests_until = null where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// What waits or is dead, in the order of the feed; pings first.
pub async fn deliveries(
    conn: &mut Connection,
    id: i64,
    state: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    let sql = "select event_id, state, attempts, first_at, next_at from webhook_deliveries \
                where endpoint_id = $1 and ($2 is null or state = $2) and event_id > $3 order by event_id limit $4";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Nullable<Text>, _>(state)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit + 1)
        .load(conn)
        .await?)
}

/// The latest attempts, newest first.
pub async fn attempts(
    conn: &mut Connection,
    id: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Attempt>, Error> {
    let sql = "select id, event_id, attempt, at, took_ms, status, failure, answer from webhook_attempts \
                where endpoint_id = $1 and id < $2 order by id desc limit $3";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(limit + 1)
        .load(conn)
        .await?)
}
