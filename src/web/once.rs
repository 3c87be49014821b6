//! A write is done once per key.
//!
//! For writes that move no points. The key, a hash of the body and the answer are stored in the
//! transaction of the effect: who sends the same again gets the same answer, who sends something
//! else under the key is refused, and a refused or failed write leaves the key free. Two at once
//! wait for each other on the unique index.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use diesel::OptionalExtension;
use diesel::sql_types::{Jsonb, SmallInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::secret::Secrets;

use super::Write;

/// A caller's claim to a key: hashes of (caller, endpoint, key) and of the body.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub key_hash: Uuid,
    pub body_hash: Uuid,
}

impl Claim {
    /// `party` is who the key belongs to (a partner, not one of its credentials), `endpoint` the
    /// method and path.
    pub fn new<T>(secrets: &Secrets, party: &str, endpoint: &str, write: &Write<T>) -> Claim {
        Claim {
            key_hash: secrets.hash(&[
                b"key",
                party.as_bytes(),
                endpoint.as_bytes(),
                write.key.as_bytes(),
            ]),
            body_hash: secrets.hash(&[b"body", &write.raw]),
        }
    }

    /// The refusal for a key that came with another body before.
    pub fn reused() -> Problem {
        Problem::new(
            Slug::IdempotencyKeyReused,
            "use a new Idempotency-Key for a new request; nothing was done",
        )
    }
}

#[derive(diesel::QueryableByName)]
struct Answer {
    #[diesel(sql_type = SqlUuid)]
    body_hash: Uuid,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = Jsonb)]
    body: Value,
}

/// Runs `effect` in a transaction unless the key was answered before.
pub async fn once<T: Serialize>(
    pool: &Pool,
    claim: Claim,
    status: StatusCode,
    effect: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<HttpResponse, Error> {
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        if let Some(answer) = claimed(conn, claim).await? {
            return replay(claim, answer);
        }

        let body = serde_json::to_value(effect(conn).await?).map_err(anyhow::Error::from)?;

        keep(conn, claim, status, &body).await?;
        Ok(HttpResponse::build(status).json(body))
    })
    .await
}

/// Claims the key, or finds who did. Waits while another request holds it.
async fn claimed(conn: &mut Connection, claim: Claim) -> Result<Option<Answer>, Error> {
    let fresh = diesel::sql_query(
        "insert into answers (scope_key, body_hash, status, body) values ($1, $2, 0, 'null') on conflict do nothing",
    )
    .bind::<SqlUuid, _>(claim.key_hash)
    .bind::<SqlUuid, _>(claim.body_hash)
    .execute(conn)
    .await?;
    if fresh == 1 {
        return Ok(None);
    }
    let found =
        diesel::sql_query("select body_hash, status, body from answers where scope_key = $1")
            .bind::<SqlUuid, _>(claim.key_hash)
            .get_result(conn)
            .await
            .optional()?;
    Ok(found)
}

async fn keep(
    conn: &mut Connection,
    claim: Claim,
    status: StatusCode,
    body: &Value,
) -> Result<(), Error> {
    diesel::sql_query("update answers set status = $2, body = $3 where scope_key = $1")
        .bind::<SqlUuid, _>(claim.key_hash)
        .bind::<SmallInt, _>(status.as_u16() as i16)
        .bind::<Jsonb, _>(body)
        .execute(conn)
        .await?;
    Ok(())
}

fn replay(claim: Claim, answer: Answer) -> Result<HttpResponse, Error> {
    if answer.body_hash != claim.body_hash {
        return Err(Claim::reused().into());
    }
    let status = StatusCode::from_u16(answer.status as u16).unwrap_or(StatusCode::OK);
    Ok(HttpResponse::build(status).json(answer.body))
}
