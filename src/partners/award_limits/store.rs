//! Award limits in the database.

use std::collections::HashMap;

use anyhow::Context;
use diesel::sql_types::{BigInt, Jsonb, SmallInt};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::AwardLimit;
use crate::access::Who;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::Asset;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SmallInt)]
    currency_no: Asset,
    #[diesel(sql_type = Jsonb)]
    limits: Value,
}

/// The limits of each currency that has any.
pub async fn rows(conn: &mut Connection) -> Result<HashMap<Asset, Vec<AwardLimit>>, Error> {
    let rows: Vec<Row> = diesel::sql_query("select currency_no, limits from award_limits")
        .load(conn)
        .await?;
    let read = |row: Row| {
        let limits = serde_json::from_value(row.limits);
        let limits = limits
            .with_context(|| format!("the award limits of {} cannot be read", row.currency_no))?;
        Ok((row.currency_no, limits))
    };
    rows.into_iter().map(read).collect()
}

pub(super) async fn replace(
    conn: &mut Connection,
    who: &Who,
    currency: Asset,
    limits: &[AwardLimit],
) -> Result<(), Error> {
    let limits = serde_json::to_value(limits).map_err(anyhow::Error::from)?;
    diesel::sql_query(
        "insert into award_limits (currency_no, limits, set_by, set_at) values ($1, $2, $3, hub_now())
         on conflict (currency_no) do update
           set limits = excluded.limits, set_by = excluded.set_by, set_at = excluded.set_at",
    )
    .bind::<SmallInt, _>(currency)
    .bind::<Jsonb, _>(limits)
    .bind::<BigInt, _>(who.principal)
    .execute(conn)
    .await?;
    Ok(())
}
