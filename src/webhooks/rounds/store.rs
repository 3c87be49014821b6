//! Who serves which endpoint, what is due, and what came of it.

use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid,
};
use diesel_async::RunQueryDsl;

use super::super::endpoint::{Endpoint, State};
use super::super::store::{COLUMNS, Delivery, Row};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

/// How long a hub holds an endpoint without a word. A hub that was killed is replaced after that.
const HELD: &str = "interval '45 seconds'";

/// The most attempts kept of an endpoint.
const KEPT: i64 = 1_000;

#[derive(diesel::QueryableByName)]
struct Claimed {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Takes endpoints that nobody serves and that have something to do.
pub async fn claim(
    conn: &mut Connection,
    hub: uuid::Uuid,
    horizon: i64,
    most: i64,
) -> Result<Vec<i64>, Error> {
    let sql = format!(
        "update webhook_endpoints set holder = $1, held_until = hub_now() + {HELD} \
          where id in ( \
            select id from webhook_endpoints e \
             where state = 'enabled' and (holder is null or held_until <= hub_now()) \
               and (rests_until is null or rests_until <= hub_now()) \
               and (cursor < $2 or exists (select from webhook_deliveries d \
                      where d.endpoint_id = e.id and d.state = 'waiting' and d.next_at <= hub_now())) \
             order by random() limit $3 for update skip locked) returning id"
    );
    let rows: Vec<Claimed> = diesel::sql_query(sql)
        .bind::<Uuid, _>(hub)
        .bind::<BigInt, _>(horizon - 1)
        .bind::<BigInt, _>(most)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Holds an endpoint for longer. False when somebody else has it, or it is not to be served.
pub async fn hold(conn: &mut Connection, hub: uuid::Uuid, id: i64) -> Result<bool, Error> {
    let sql = format!(
        "update webhook_endpoints set held_until = hub_now() + {HELD} \
          where id = $1 and holder = $2 and state = 'enabled'"
    );
    let held = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Uuid, _>(hub)
        .execute(conn)
        .await?;
    Ok(held == 1)
}

pub async fn release(conn: &mut Connection, hub: uuid::Uuid, id: i64) -> Result<(), Error> {
    let sql = "update webhook_endpoints set holder = null, held_until = null where id = $1 and holder = $2";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Uuid, _>(hub)
        .execute(conn)
        .await?;
    Ok(())
}

/// The endpoint, when the hub holds it and it is to be served.
pub async fn held(
    conn: &mut Connection,
    hub: uuid::Uuid,
    id: i64,
) -> Result<Option<Endpoint>, Error> {
    let sql = format!(
        "select {COLUMNS} from webhook_endpoints where id = $1 and holder = $2 and state = 'enabled'"
    );
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Uuid, _>(hub)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Endpoint::try_from).transpose()
}

/// What has waited long enough, the longest first.
pub async fn due(conn: &mut Connection, id: i64, most: i64) -> Result<Vec<Delivery>, Error> {
    let sql = "select event_id, state, attempts, first_at, next_at from webhook_deliveries \
                where endpoint_id = $1 and state = 'waiting' and next_at <= hub_now() order by next_at limit $2";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(most)
        .load(conn)
        .await?)
}

/// Moves the cursor of an endpoint, unless somebody has moved it meanwhile.
pub async fn pass(
    conn: &mut Connection,
    hub: uuid::Uuid,
    id: i64,
    (from, to): (i64, i64),
) -> Result<(), Error> {
    let sql =
        "update webhook_endpoints set cursor = $4 where id = $1 and holder = $2 and cursor = $3";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Uuid, _>(hub)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(to)
        .execute(conn)
        .await?;
    Ok(())
}

/// How an endpoint is after some letters.
#[derive(Debug)]
pub struct Health {
    pub state: State,
    pub failures: i32,
    pub failing_since: Option<Timestamp>,
    pub rests_until: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
}

/// Writes down how an endpoint is. False when somebody else has it by now.
pub async fn settle(
    conn: &mut Connection,
    hub: uuid::Uuid,
    before: &Endpoint,
    cursor: i64,
    health: &Health,
) -> Result<bool, Error> {
    // Who has changed the endpoint meanwhile has forgiven its failures.
    let sql = "update webhook_endpoints set \
                 cursor = case when cursor = $3 then $4 else cursor end, \
                 state = $5, failures = $6, failing_since = $7, rests_until = $8, last_success_at = $9 \
                where id = $1 and holder = $2 and state = 'enabled'";
    let settled = diesel::sql_query(sql)
        .bind::<BigInt, _>(before.id)
        .bind::<Uuid, _>(hub)
        .bind::<BigInt, _>(before.cursor)
        .bind::<BigInt, _>(cursor)
        .bind::<Text, _>(health.state.name())
        .bind::<Integer, _>(health.failures)
        .bind::<Nullable<Timestamptz>, _>(health.failing_since)
        .bind::<Nullable<Timestamptz>, _>(health.rests_until)
        .bind::<Nullable<Timestamptz>, _>(health.last_success_at)
        .execute(conn)
        .await?;
    Ok(settled == 1)
}

/// An event that did not arrive.
#[derive(Debug)]
pub struct Missed {
    pub event: i64,
    pub attempts: i32,
    pub first_at: Timestamp,
    pub next_at: Timestamp,
    pub is_dead: bool,
}

pub async fn keep(conn: &mut Connection, id: i64, missed: &[Missed]) -> Result<(), Error> {
    if missed.is_empty() {
        return Ok(());
    }
    let sql = "insert into webhook_deliveries (endpoint_id, event_id, attempts, first_at, next_at, state) \
               select $1, event, attempts, first_at, next_at, case when dead then 'dead' else 'waiting' end \
                 from unnest($2, $3, $4, $5, $6) as missed (event, attempts, first_at, next_at, dead) order by event \
               on conflict (endpoint_id, event_id) \
               do update set state = excluded.state, attempts = excluded.attempts, first_at = excluded.first_at, next_at = excluded.next_at";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Array<BigInt>, _>(missed.iter().map(|it| it.event).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(missed.iter().map(|it| it.attempts).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(missed.iter().map(|it| it.first_at).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(missed.iter().map(|it| it.next_at).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(missed.iter().map(|it| it.is_dead).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn forget(conn: &mut Connection, id: i64, events: &[i64]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "delete from webhook_deliveries where endpoint_id = $1 and event_id = any($2)",
    )
    .bind::<BigInt, _>(id)
    .bind::<Array<BigInt>, _>(events)
    .execute(conn)
    .await?;
    Ok(())
}

/// An attempt to be remembered.
#[derive(Debug)]
pub struct Tried {
    pub event: i64,
    pub attempt: i32,
    pub took_ms: i32,
    pub status: Option<i16>,
    pub failure: Option<&'static str>,
    pub answer: Option<String>,
}

/// Remembers attempts, and of all only the latest.
pub async fn remember(conn: &mut Connection, id: i64, tried: &[Tried]) -> Result<(), Error> {
    if tried.is_empty() {
        return Ok(());
    }
    let sql = "insert into webhook_attempts (endpoint_id, event_id, attempt, at, took_ms, status, failure, answer) \
               select $1, event, attempt, hub_now(), took_ms, status, failure, answer \
                 from unnest($2, $3, $4, $5, $6, $7) as tried (event, attempt, took_ms, status, failure, answer)";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Array<BigInt>, _>(tried.iter().map(|it| it.event).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(tried.iter().map(|it| it.attempt).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(tried.iter().map(|it| it.took_ms).collect::<Vec<_>>())
        .bind::<Array<Nullable<SmallInt>>, _>(tried.iter().map(|it| it.status).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(tried.iter().map(|it| it.failure).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            tried
                .iter()
                .map(|it| it.answer.as_deref())
                .collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?;
    let sql = "delete from webhook_attempts where endpoint_id = $1 and id <= \
               (select id from webhook_attempts where endpoint_id = $1 order by id desc offset $2 limit 1)";
    diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(KEPT)
        .execute(conn)
        .await?;
    Ok(())
}
