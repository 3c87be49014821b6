//! Whether the bearer of a good token is still welcome: one read by primary key per request.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::Role;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Live {
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
}

#[derive(diesel::QueryableByName)]
struct Active {
    #[diesel(sql_type = Text)]
    role: String,
}

/// The partner of a credential that is neither revoked nor expired.
pub(super) async fn find_live_credential(
    conn: &mut Connection,
    id: i64,
) -> Result<Option<i64>, Error> {
    let row: Option<Live> = diesel::sql_query(
        "select partner_id from credentials
          where id = $1 and revoked_at is null and (expires_at is null or expires_at > hub_now())",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.partner_id))
}

/// The role, today, of a person who is still employed.
pub(super) async fn find_active_person(
    conn: &mut Connection,
    id: i64,
) -> Result<Option<Role>, Error> {
    let row: Option<Active> = diesel::sql_query("select role from people where id = $1 and active")
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|row| Role::named(&row.role)))
}
