//! The clock in the database.

use chrono::Duration;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;

use super::turn::Clock;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Timestamptz)]
    now: Timestamp,
    #[diesel(sql_type = BigInt)]
    ahead: i64,
}

pub(super) async fn clock(conn: &mut Connection) -> Result<Clock, Error> {
    let Row { now, ahead } = diesel::sql_query(
        "select clock_timestamp() + clock_offset as now, extract(epoch from clock_offset)::bigint as ahead from control",
    )
    .get_result(conn)
    .await?;
    Ok(Clock {
        now,
        ahead: Duration::seconds(ahead),
    })
}

/// Refused by the database where real members are.
pub(super) async fn turn(conn: &mut Connection, seconds: i64) -> Result<(), Error> {
    diesel::sql_query("select turn_clock($1)")
        .bind::<BigInt, _>(seconds)
        .execute(conn)
        .await?;
    Ok(())
}
