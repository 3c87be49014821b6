//! What an outcome asks the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Named;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    number: String,
}

/// A member's number at a partner.
pub(super) async fn number(
    conn: &mut Connection,
    partner: i64,
    named: Named,
) -> Result<Option<String>, Error> {
    let (member, wallet) = match named {
        Named::Member(member) => (Some(member), None),
        Named::Wallet(wallet) => (None, Some(wallet)),
    };
    let row: Option<Row> = diesel::sql_query(
        "select number from memberships where partner_id = $1
            and member_id = coalesce($2, (select member_id from member_wallets where wallet_id = $3))",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Nullable<BigInt>, _>(member)
    .bind::<Nullable<BigInt>, _>(wallet)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.number))
}

/// Whether this is the first time that a key meets its outcome.
pub(super) async fn is_first(
    conn: &mut Connection,
    key: Uuid,
    outcome: &str,
) -> Result<bool, Error> {
    let fresh = diesel::sql_query(
        "insert into played_outcomes (key_hash, outcome) values ($1, $2) on conflict do nothing",
    )
    .bind::<SqlUuid, _>(key)
    .bind::<Text, _>(outcome)
    .execute(conn)
    .await?;
    Ok(fresh == 1)
}
