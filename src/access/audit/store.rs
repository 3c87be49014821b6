//! One row per change.

use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid};
use diesel_async::RunQueryDsl;

use super::super::Who;
use crate::db::Connection;
use crate::error::Error;

/// Writes down that `subject` went from `before` to `after`, in the transaction that did it.
pub async fn record(
    conn: &mut Connection,
    who: &Who,
    subject: &str,
    subject_id: i64,
    before: Option<&str>,
    after: &str,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into audit (principal_id, request_id, subject, subject_id, before, after)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind::<BigInt, _>(who.principal)
    .bind::<Uuid, _>(who.request.id)
    .bind::<Text, _>(subject)
    .bind::<BigInt, _>(subject_id)
    .bind::<Nullable<Text>, _>(before)
    .bind::<Text, _>(after)
    .execute(conn)
    .await?;
    Ok(())
}

/// The same change of many subjects at once.
pub async fn record_all(
    conn: &mut Connection,
    who: &Who,
    subject: &str,
    subject_ids: &[i64],
    before: Option<&str>,
    after: &str,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into audit (principal_id, request_id, subject, subject_id, before, after)
         select $1, $2, $3, id, $5, $6 from unnest($4) as id",
    )
    .bind::<BigInt, _>(who.principal)
    .bind::<Uuid, _>(who.request.id)
    .bind::<Text, _>(subject)
    .bind::<Array<BigInt>, _>(subject_ids)
    .bind::<Nullable<Text>, _>(before)
    .bind::<Text, _>(after)
    .execute(conn)
    .await?;
    Ok(())
}
