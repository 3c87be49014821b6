//! What of a file is in the database already.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use crate::db::Connection;
use crate::error::Error;
use crate::points::account::Asset;

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Origin {
    #[diesel(sql_type = Nullable<Text>)]
    origin: Option<String>,
}

/// A version that a row became before, which says the same and was not refused or taken back.
pub(super) async fn find(
    conn: &mut Connection,
    (from, to): (Asset, Asset),
    row: &str,
    terms_hash: &[u8],
) -> Result<Option<i64>, Error> {
    let found: Option<Id> = diesel::sql_query(
        "select id from rate_cards where from_currency = $1 and to_currency = $2 and origin = $3 and terms_hash = $4 \
            and state in ('proposed', 'published') limit 1",
    )
    .bind::<SmallInt, _>(from)
    .bind::<SmallInt, _>(to)
    .bind::<Text, _>(row)
    .bind::<Binary, _>(terms_hash)
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.map(|row| row.id))
}

/// Where the version of a pair and priority comes from that would go on for ever.
pub(super) async fn standing(
    conn: &mut Connection,
    (from, to): (Asset, Asset),
    priority: i32,
) -> Result<Option<String>, Error> {
    let found: Option<Origin> = diesel::sql_query(
        "select origin from rate_cards where from_currency = $1 and to_currency = $2 and priority = $3 \
            and state = 'published' and valid_to is null limit 1",
    )
    .bind::<SmallInt, _>(from)
    .bind::<SmallInt, _>(to)
    .bind::<Integer, _>(priority)
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.map(|row| row.origin.unwrap_or_else(|| "another card".to_owned())))
}

/// A credential by which a partner is spoken for.
pub(super) async fn credential_of(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<i64>, Error> {
    let found: Option<Id> =
        diesel::sql_query("select id from credentials where partner_id = $1 order by id limit 1")
            .bind::<BigInt, _>(partner)
            .get_result(conn)
            .await
            .optional()?;
    Ok(found.map(|row| row.id))
}
