//! What is known of a client that asks for a token.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel_async::RunQueryDsl;

use crate::access::ScopeSet;
use crate::db::Connection;
use crate::error::Error;

pub(super) struct Live {
    pub partner_id: i64,
    pub secret_hash: Vec<u8>,
    pub scopes: ScopeSet,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Binary)]
    secret_hash: Vec<u8>,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
}

/// A credential that is neither revoked nor expired.
pub(super) async fn find_live(conn: &mut Connection, id: i64) -> Result<Option<Live>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select partner_id, secret_hash, scopes from credentials
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
            scopes,
        })
    };
    row.map(live).transpose()
}
