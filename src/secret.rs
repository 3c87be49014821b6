//! Secrets the hub makes for itself at its first start and shares with every other hub on the
//! same database: for public ids, keyed hashes, quotes, access tokens and webhooks.

use anyhow::{Context, anyhow};
use diesel::sql_types::{Binary, SmallInt, Text};
use diesel_async::RunQueryDsl;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::db::Connection;

/// 32 random bytes for each purpose.
pub struct Secrets {
    pub ids: [u8; 32],
    pub quotes: [u8; 32],
    pub tokens: [u8; 32],
    pub webhooks: [u8; 32],
    hashes: [u8; 32],
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    value: Vec<u8>,
}

impl Secrets {
    pub async fn load(conn: &mut Connection) -> anyhow::Result<Secrets> {
        Ok(Secrets {
            ids: find_or_make(conn, "ids").await?,
            quotes: find_or_make(conn, "quotes").await?,
            tokens: find_or_make(conn, "tokens").await?,
            webhooks: find_or_make(conn, "webhooks").await?,
            hashes: find_or_make(conn, "hashes").await?,
        })
    }

    /// A keyed hash of some texts: equal for equal texts, telling nothing about them. 128 bits,
    /// in the shape of a UUID because that is the shape PostgreSQL stores in 16 bytes.
    pub fn hash(&self, parts: &[&[u8]]) -> Uuid {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.hashes).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Uuid::from_bytes(half)
    }
}

/// The newest secret for a purpose. Hubs that start together agree on the first one inserted.
async fn find_or_make(conn: &mut Connection, purpose: &str) -> anyhow::Result<[u8; 32]> {
    let fresh: [u8; 32] = rand::random();
    diesel::sql_query("insert into secrets (purpose, generation, value) values ($1, $2, $3) on conflict do nothing")
        .bind::<Text, _>(purpose)
        .bind::<SmallInt, _>(1)
        .bind::<Binary, _>(&fresh[..])
        .execute(conn)
        .await?;
    let row: Row = diesel::sql_query(
        "select value from secrets where purpose = $1 order by generation desc limit 1",
    )
    .bind::<Text, _>(purpose)
    .get_result(conn)
    .await
    .with_context(|| format!("no secret for {purpose}"))?;
    row.value
        .try_into()
        .map_err(|_| anyhow!("the secret for {purpose} is not 32 bytes long"))
}
