//! Mandates in the database.

use anyhow::Context;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Jsonb, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::mandate::{Mandate, State, Terms};
use crate::access::Who;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::Asset;

const MANDATES: &str = "select m.id, m.currency_no, c.issuer_id, m.partner_id, m.terms, m.state, m.content_hash, \
     m.proposed_by, m.created_at from mandates m join currencies c on c.no = m.currency_no";

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    currency_no: Asset,
    #[diesel(sql_type = BigInt)]
    issuer_id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Jsonb)]
    terms: Value,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    proposed_by: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
}

impl TryFrom<Row> for Mandate {
    type Error = Error;

    fn try_from(row: Row) -> Result<Mandate, Error> {
        let state = State::named(&row.state);
        Ok(Mandate {
            id: row.id,
            currency: row.currency_no,
            issuer: row.issuer_id,
            partner: row.partner_id,
            terms: serde_json::from_value(row.terms)
                .with_context(|| format!("mandate {}", row.id))?,
            state: state.ok_or_else(|| anyhow::anyhow!("mandate {} is in no state", row.id))?,
            content_hash: row.content_hash,
            proposed_by: row.proposed_by,
            created_at: row.created_at,
        })
    }
}

/// A mandate as it is.
pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Mandate>, Error> {
    one(conn, id, "").await
}

/// The same, and nobody else changes it until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Mandate>, Error> {
    one(conn, id, "for update of m").await
}

async fn one(conn: &mut Connection, id: i64, locked: &str) -> Result<Option<Mandate>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("{MANDATES} where m.id = $1 {locked}"))
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Mandate::try_from).transpose()
}

/// Those between a partner and others, or all, newest first, from `before` downwards: one more than `limit`.
pub(super) async fn list(
    conn: &mut Connection,
    partner: Option<i64>,
    before: i64,
    limit: i64,
) -> Result<Vec<Mandate>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "{MANDATES} where ($1 is null or $1 in (c.issuer_id, m.partner_id)) and m.id < $2 \
         order by m.id desc limit $3"
    ))
    .bind::<Nullable<BigInt>, _>(partner)
    .bind::<BigInt, _>(before)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    rows.into_iter().map(Mandate::try_from).collect()
}

/// Every mandate there ever was.
pub async fn all(conn: &mut Connection) -> Result<Vec<Mandate>, Error> {
    list(conn, None, i64::MAX, i64::MAX - 1).await
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    (currency, partner, proposed_by): (Asset, i64, i64),
    terms: &Terms,
    hash: &[u8],
) -> Result<i64, Error> {
    let terms = serde_json::to_value(terms).map_err(anyhow::Error::from)?;
    let row: Id = diesel::sql_query(
        "insert into mandates (currency_no, partner_id, terms, state, content_hash, proposed_by, created_by, created_at) \
         values ($1, $2, $3, 'proposed', $4, $5, $6, hub_now()) returning id",
    )
    .bind::<SmallInt, _>(currency)
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(terms)
    .bind::<Binary, _>(hash)
    .bind::<BigInt, _>(proposed_by)
    .bind::<BigInt, _>(who.principal)
    .get_result(conn)
    .await?;
    Ok(row.id)
}

pub(super) async fn mark(conn: &mut Connection, id: i64, state: State) -> Result<(), Error> {
    diesel::sql_query("update mandates set state = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.name())
        .execute(conn)
        .await?;
    Ok(())
}
