//! Secrets the hub makes for itself at its first start and shares with every other hub on the
//! same database: for public ids, keyed hashes, quotes, access tokens, webhooks and
//! second factors.

use anyhow::{Context, anyhow};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, SmallInt, Text};
use diesel_async::RunQueryDsl;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::db::Connection;

/// 32 random bytes for each purpose.
pub struct Secrets {
    pub ids: [u8; 32],
    pub quotes: [u8; 32],
    /// Newest first.
    pub tokens: Vec<TokenKey>,
    pub webhooks: [u8; 32],
    /// For the second factors of people.
    pub factors: [u8; 32],
    hashes: [u8; 32],
}

/// A key that signs access tokens, or will.
#[derive(Debug, Clone, Copy)]
pub struct TokenKey {
    pub seed: [u8; 32],
    /// Whether every hub has had the time to learn of it: until then an older one signs.
    pub is_ripe: bool,
}

#[derive(diesel::QueryableByName)]
struct Made {
    #[diesel(sql_type = BigInt)]
    generation: i64,
}

#[derive(diesel::QueryableByName)]
struct Live {
    #[diesel(sql_type = Binary)]
    value: Vec<u8>,
    #[diesel(sql_type = Bool)]
    is_ripe: bool,
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
            tokens: {
                find_or_make(conn, "tokens").await?;
                token_keys(conn).await?
            },
            webhooks: find_or_make(conn, "webhooks").await?,
            factors: find_or_make(conn, "factors").await?,
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

/// The keys of access tokens that are live: the newest, and the one before it.
pub async fn token_keys(conn: &mut Connection) -> anyhow::Result<Vec<TokenKey>> {
    let rows: Vec<Live> = diesel::sql_query(
        "select value, created_at <= clock_timestamp() - interval '5 minutes' as is_ripe
           from secrets where purpose = 'tokens' order by generation desc limit 2",
    )
    .load(conn)
    .await?;
    rows.into_iter()
        .map(|Live { value, is_ripe }| {
            Ok(TokenKey {
                seed: exactly_32(value, "tokens")?,
                is_ripe,
            })
        })
        .collect()
}

/// Makes the next key of access tokens, unless the newest is younger than half an hour: by then the
/// one before it signs no more, and what it signed has ended.
/// Its generation, or none.
pub async fn rotate_token_key(conn: &mut Connection) -> Result<Option<i64>, diesel::result::Error> {
    let fresh: [u8; 32] = rand::random();
    let made: Option<Made> = diesel::sql_query(
        "insert into secrets (purpose, generation, value)
         select 'tokens', max(generation) + 1, $1 from secrets where purpose = 'tokens'
         having max(created_at) <= clock_timestamp() - interval '30 minutes'
         on conflict do nothing returning generation::bigint as generation",
    )
    .bind::<Binary, _>(&fresh[..])
    .get_result(conn)
    .await
    .optional()?;
    Ok(made.map(|made| made.generation))
}

fn exactly_32(value: Vec<u8>, purpose: &str) -> anyhow::Result<[u8; 32]> {
    value
        .try_into()
        .map_err(|_| anyhow!("the secret for {purpose} is not 32 bytes long"))
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
    exactly_32(row.value, purpose)
}
