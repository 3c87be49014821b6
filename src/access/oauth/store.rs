//! What is known of a client that asks for a token.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::access::ScopeSet;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

pub(super) struct Live {
    pub partner_id: i64,
    pub secret_hash: Option<Vec<u8>>,
    pub public_keys: Option<Vec<Value>>,
    pub scopes: ScopeSet,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Nullable<Binary>)]
    secret_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    public_keys: Option<Value>,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
}

/// A credential that is neither revoked nor expired.
pub(super) async fn find_live(conn: &mut Connection, id: i64) -> Result<Option<Live>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select partner_id, secret_hash, public_keys, scopes from credentials
          where id = $1 and revoked_at is null and (expires_at is null or expires_at > hub_now())",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    let live = |row: Row| -> Result<Live, Error> {
        let scopes = ScopeSet::try_from(row.scopes).map_err(anyhow::Error::msg)?;
        Ok(Live {
            partner_id: row.partner_id,
            secret_hash: row.secret_hash,
            public_keys: row
                .public_keys
                .map(serde_json::from_value)
                .transpose()
                .map_err(anyhow::Error::from)?,
            scopes,
        })
    };
    row.map(live).transpose()
}

/// Remembers an assertion until it ends, and forgets those that have. False when it was used before,
/// at this hub or another.
pub(super) async fn remember(
    conn: &mut Connection,
    credential: i64,
    jti_hash: &[u8],
    until: Timestamp,
) -> Result<bool, Error> {
    diesel::sql_query("delete from assertions where until < clock_timestamp() - interval '1 hour'")
        .execute(conn)
        .await?;
    let inserted = diesel::sql_query(
        "insert into assertions (credential_id, jti_hash, until) values ($1, $2, $3) on conflict do nothing",
    )
    .bind::<BigInt, _>(credential)
    .bind::<Binary, _>(jti_hash)
    .bind::<Timestamptz, _>(until)
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

/// A membership that its partner may act for.
#[derive(diesel::QueryableByName)]
pub(super) struct Membership {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub member_id: i64,
}

#[derive(diesel::QueryableByName)]
struct Whether {
    #[diesel(sql_type = Bool)]
    is_so: bool,
}

/// Whether the life of a partner lets it act for its members now.
pub(super) async fn acts_for_members(conn: &mut Connection, partner: i64) -> Result<bool, Error> {
    let row: Option<Whether> =
        diesel::sql_query("select acts_for_members(state) as is_so from partners where id = $1")
            .bind::<BigInt, _>(partner)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.is_some_and(|row| row.is_so))
}

/// A partner's membership by its id.
pub(super) async fn find_membership(
    conn: &mut Connection,
    partner: i64,
    id: i64,
) -> Result<Option<Membership>, Error> {
    Ok(diesel::sql_query(
        "select id, member_id from live_memberships where partner_id = $1 and id = $2",
    )
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?)
}

/// A partner's membership by the number that the partner gave.
pub(super) async fn find_numbered(
    conn: &mut Connection,
    partner: i64,
    number: &str,
) -> Result<Option<Membership>, Error> {
    let sql = "select id, member_id from live_memberships where partner_id = $1 and number = $2";
    if number.contains('\0') {
        return Ok(None);
    }
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(partner)
        .bind::<Text, _>(number)
        .get_result(conn)
        .await
        .optional()?)
}
