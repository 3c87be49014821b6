//! Bank accounts in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::details::Details;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    details: Value,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
}

impl Row {
    fn read(self) -> Result<(Details, Timestamp), Error> {
        let details = serde_json::from_value(self.details).map_err(anyhow::Error::from)?;
        Ok((details, self.at))
    }
}

fn written(details: &Details) -> Result<Value, Error> {
    Ok(serde_json::to_value(details).map_err(anyhow::Error::from)?)
}

/// The account of a partner, and since when it is that.
pub(super) async fn find(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<(Details, Timestamp)>, Error> {
    let row: Option<Row> =
        diesel::sql_query("select details, since as at from bank_accounts where partner_id = $1")
            .bind::<BigInt, _>(partner)
            .get_result(conn)
            .await
            .optional()?;
    row.map(Row::read).transpose()
}

pub(super) async fn put(
    conn: &mut Connection,
    partner: i64,
    details: &Details,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into bank_accounts (partner_id, details, since) values ($1, $2, hub_now())
         on conflict (partner_id) do update set details = excluded.details, since = excluded.since",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(written(details)?)
    .execute(conn)
    .await?;
    Ok(())
}
