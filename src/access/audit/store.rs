//! One row per change.

use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid};
use diesel_async::RunQueryDsl;

use super::super::Who;
use super::{About, Subject};
use crate::db::Connection;
use crate::error::Error;

/// Writes down that something went from `before` to `after`, in the transaction that did it.
pub async fn record(
    conn: &mut Connection,
    who: &Who,
    about: About,
    before: Option<&str>,
    after: &str,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into audit (position, principal_id, request_id, origin, subject, subject_id, before, after, concerns)
         values (audit_places(1), $1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind::<BigInt, _>(who.principal)
    .bind::<Uuid, _>(who.request.id)
    .bind::<Text, _>(who.request.origin.to_string())
    .bind::<Text, _>(about.subject.name())
    .bind::<BigInt, _>(about.id)
    .bind::<Nullable<Text>, _>(before)
    .bind::<Text, _>(after)
    .bind::<Nullable<Array<BigInt>>, _>(about.concerns)
    .execute(conn)
    .await?;
    Ok(())
}

/// One of many things that change at once.
#[derive(Debug, Clone)]
pub struct Changed {
    pub id: i64,
    /// The partner that it concerns.
    pub partner: i64,
    pub after: String,
}

/// What up to 2,048 things of one sort are, that were not there before.
pub async fn record_all(
    conn: &mut Connection,
    who: &Who,
    subject: Subject,
    changed: Vec<Changed>,
) -> Result<(), Error> {
    let ids: Vec<i64> = changed.iter().map(|it| it.id).collect();
    let partners: Vec<i64> = changed.iter().map(|it| it.partner).collect();
    let after: Vec<String> = changed.into_iter().map(|it| it.after).collect();
    diesel::sql_query(
        "insert into audit (position, principal_id, request_id, origin, subject, subject_id, after, concerns)
         select first + nth - 1, $1, $2, $3, $4, id, after, array[partner]
           from audit_places(cardinality($5)) as first,
                unnest($5, $6, $7) with ordinality as changed (id, partner, after, nth)",
    )
    .bind::<BigInt, _>(who.principal)
    .bind::<Uuid, _>(who.request.id)
    .bind::<Text, _>(who.request.origin.to_string())
    .bind::<Text, _>(subject.name())
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Array<BigInt>, _>(partners)
    .bind::<Array<Text>, _>(after)
    .execute(conn)
    .await?;
    Ok(())
}
