//! The calendar in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::Calendar;
use super::body::CalendarBody;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    calendar: Value,
    #[diesel(sql_type = Timestamptz)]
    set_at: Timestamp,
}

pub(super) async fn find(conn: &mut Connection) -> Result<Option<Calendar>, Error> {
    let row: Option<Row> = diesel::sql_query("select calendar, set_at from settlement_calendar")
        .get_result(conn)
        .await
        .optional()?;
    row.map(|row| {
        let body: CalendarBody =
            serde_json::from_value(row.calendar).map_err(anyhow::Error::from)?;
        let schedule = body.read();
        let schedule =
            schedule.map_err(|(at, rule)| anyhow::anyhow!("the calendar's {at}: {rule}"))?;
        let set_at = row.set_at;
        Ok(Calendar {
            body,
            schedule,
            set_at,
        })
    })
    .transpose()
}

pub(super) async fn put(conn: &mut Connection, body: &CalendarBody, by: i64) -> Result<(), Error> {
    let calendar = serde_json::to_value(body).map_err(anyhow::Error::from)?;
    diesel::sql_query(
        "insert into settlement_calendar (calendar, set_by, set_at) values ($1, $2, hub_now())
         on conflict (one) do update set calendar = excluded.calendar, set_by = excluded.set_by, set_at = excluded.set_at",
    )
    .bind::<Jsonb, _>(calendar)
    .bind::<BigInt, _>(by)
    .execute(conn)
    .await?;
    Ok(())
}
