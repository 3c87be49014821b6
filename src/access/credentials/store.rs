//! Credentials in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::access::ScopeSet;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraints};
use crate::id::{Ids, Kind};

/// The first half of the advisory lock of a partner's credentials: "cred" in ASCII.
const LOCK: i32 = 0x6372_6564;

#[derive(Debug, Clone)]
pub struct Credential {
    pub id: i64,
    pub scopes: ScopeSet,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// The JWKs of one that has no secret.
    pub public_keys: Option<Value>,
}

/// What is kept of a new credential.
pub(super) struct Kept {
    pub secret_hash: Option<Vec<u8>>,
    pub public_keys: Option<Value>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
}

/// What a [`Row`] is read from.
const COLUMNS: &str = "id, scopes, created_at, expires_at, revoked_at, last_used_at, public_keys";

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_used_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    public_keys: Option<Value>,
}

impl TryFrom<Row> for Credential {
    type Error = Error;

    fn try_from(row: Row) -> Result<Credential, Error> {
        let Row {
            id,
            scopes,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            public_keys,
        } = row;
        let scopes = ScopeSet::try_from(scopes).map_err(anyhow::Error::msg)?;
        Ok(Credential {
            id,
            scopes,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            public_keys,
        })
    }
}

#[derive(diesel::QueryableByName)]
struct Next {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Lets one at a time change the credentials of a partner, so that two stay two.
pub(super) async fn lock_partner(conn: &mut Connection, partner: i64) -> Result<(), Error> {
    diesel::sql_query(format!(
        "select pg_advisory_xact_lock({LOCK}, hashint8($1))"
    ))
    .bind::<BigInt, _>(partner)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn list_live(
    conn: &mut Connection,
    partner: i64,
) -> Result<Vec<Credential>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "select {COLUMNS} from credentials
          where partner_id = $1 and revoked_at is null and (expires_at is null or expires_at > hub_now())",
    ))
    .bind::<BigInt, _>(partner)
    .load(conn)
    .await?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// A page of a partner's credentials, oldest first: one more than `limit` when there are more.
pub async fn list(
    conn: &mut Connection,
    partner: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<Credential>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "select {COLUMNS} from credentials where partner_id = $1 and id > $2 order by id limit $3",
    ))
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    rows.into_iter().map(Credential::try_from).collect()
}

pub(super) async fn find(
    conn: &mut Connection,
    partner: i64,
    id: i64,
) -> Result<Option<Credential>, Error> {
    let row: Option<Row> = diesel::sql_query(format!(
        "select {COLUMNS} from credentials where partner_id = $1 and id = $2",
    ))
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    row.map(Credential::try_from).transpose()
}

/// A new credential, unless there is no such partner.
pub(super) async fn insert(
    conn: &mut Connection,
    ids: &Ids,
    partner: i64,
    kept: Kept,
) -> Result<Credential, Error> {
    let Next { id } = diesel::sql_query("select nextval('principal_ids') as id")
        .get_result(conn)
        .await?;
    let inserted: Result<Row, _> = diesel::sql_query(format!(
        "insert into credentials (id, client_id, partner_id, secret_hash, public_keys, scopes, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, hub_now(), $7) returning {COLUMNS}",
    ))
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(ids.show(Kind::Credential, id))
    .bind::<BigInt, _>(partner)
    .bind::<Nullable<Binary>, _>(kept.secret_hash)
    .bind::<Nullable<Jsonb>, _>(kept.public_keys)
    .bind::<Array<Text>, _>(Vec::from(kept.scopes))
    .bind::<Nullable<Timestamptz>, _>(kept.expires_at)
    .get_result(conn)
    .await;
    let none = || Problem::new(Slug::NotFound, "there is no such partner");
    let not_open = || {
        let detail = "the partner takes no part: it is a draft, or closed";
        Problem::new(Slug::PartnerState, detail)
    };
    let refusals: [(&str, &dyn Fn() -> Problem); 2] = [
        ("credentials_of_partner", &none),
        ("credentials_of_open_partner", &not_open),
    ];
    on_constraints(inserted, &refusals)?.try_into()
}

pub(super) async fn mark_revoked(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("update credentials set revoked_at = hub_now() where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that a credential got a token: right to the minute, so that one in much use is not written
/// all the time.
pub async fn mark_used(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query(
        "update credentials set last_used_at = hub_now()
          where id = $1 and (last_used_at is null or last_used_at <= hub_now() - interval '1 minute')",
    )
    .bind::<BigInt, _>(id)
    .execute(conn)
    .await?;
    Ok(())
}
