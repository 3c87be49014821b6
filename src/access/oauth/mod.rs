//! A partner's program proves itself and gets an access token (RFC 6749, client credentials).
//!
//! An unknown client and a wrong secret are told apart by nobody: both are `invalid_client`, and who
//! goes on with that has to wait ([`failures`]). A client with public keys sends a signed assertion instead
//! ([`assertion`], RFC 7523), each of them once.

pub mod api;
pub mod assertion;
pub mod failures;
pub mod request;
mod store;

use subtle::ConstantTimeEq;

use super::credentials::{self, public_key, secret};
use super::token::Subject;
use super::{Access, ScopeSet};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind};
pub use failures::Failures;
use request::{Client, Proof, Refusal};
use store::Live;

/// A token and what it is good for.
pub struct Grant {
    pub token: String,
    pub scopes: ScopeSet,
}

/// Grants a token to a client for the scopes it wants, or for all it has.
pub async fn grant(
    conn: &mut Connection,
    access: &Access,
    ids: &Ids,
    client: &Client,
    wanted: Option<&str>,
    now: Timestamp,
) -> Result<Result<Grant, Refusal>, Error> {
    let Some((id, live)) = find(conn, ids, &client.id).await? else {
        return Ok(Err(Refusal::InvalidClient));
    };
    if !is_proved(conn, access, client, id, &live, now).await? {
        return Ok(Err(Refusal::InvalidClient));
    }
    let scopes = match narrowed(&live.scopes, wanted) {
        Ok(scopes) => scopes,
        Err(refusal) => return Ok(Err(refusal)),
    };

    credentials::mark_used(conn, id).await?;
    let subject = Subject {
        sub: client.id.clone(),
        client_id: client.id.clone(),
        scope: Some(scopes.to_string()),
        partner: Some(ids.show(Kind::Partner, live.partner_id)),
        role: None,
    };
    let token = access.mint(conn, subject, now).await?;
    Ok(Ok(Grant { token, scopes }))
}

async fn find(
    conn: &mut Connection,
    ids: &Ids,
    client: &str,
) -> Result<Option<(i64, Live)>, Error> {
    let Some(id) = ids.read(Kind::Credential, client) else {
        return Ok(None);
    };
    Ok(store::find_live(conn, id).await?.map(|live| (id, live)))
}

/// Whether the client is who it says: by its secret, or by a signature that was not seen before.
async fn is_proved(
    conn: &mut Connection,
    access: &Access,
    client: &Client,
    id: i64,
    live: &Live,
    now: Timestamp,
) -> Result<bool, Error> {
    match (&client.proof, &live.secret_hash, &live.public_keys) {
        (Proof::Secret(secret), Some(hash), _) => Ok(hash.ct_eq(&secret::hash(secret)).into()),
        (Proof::Assertion(text), _, Some(keys)) => {
            let keys = public_key::parse_all(keys).map_err(|(place, rule)| {
                anyhow::anyhow!("key {place} of credential {id}: {rule}")
            })?;
            let issuer = access.issuer();
            let hub = [issuer, &format!("{issuer}/oauth/token")];
            match assertion::check(text, &keys, &client.id, &hub, now) {
                Some(proof) => {
                    store::remember(conn, id, &secret::hash(&proof.jti), proof.until).await
                }
                None => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// The wanted scopes, when the credential has them all.
fn narrowed(held: &ScopeSet, wanted: Option<&str>) -> Result<ScopeSet, Refusal> {
    let Some(wanted) = wanted else {
        return Ok(held.clone());
    };
    let wanted = ScopeSet::parse(wanted).map_err(Refusal::InvalidScope)?;
    if !wanted.is_within(held) {
        return Err(Refusal::InvalidScope(format!("this credential has {held}")));
    }
    Ok(wanted)
}
