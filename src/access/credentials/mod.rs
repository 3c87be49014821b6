//! A partner's credentials: what its programs prove themselves with.
//!
//! A secret is shown once, when it is made; the hub keeps its hash. A partner that wants none
//! registers public keys ([`public_key`]) and signs instead. At most two credentials of a
//! partner are live, which is enough to rotate: make the second, deploy it, revoke the first.
//! The operator makes a partner's first; after that the partner helps itself, but never to more
//! scopes than it calls with. The client id is the credential's public id, so there is one name.

pub mod api;
pub mod public_key;
pub mod secret;
mod store;

pub use store::{Credential, list, mark_used};

use super::audit::Subject;
use super::{Party, ScopeSet, Who, audit};
use crate::clock::{self, Timestamp};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::Ids;
use public_key::PublicKey;
use store::Kept;

const MOST_LIVE: usize = 2;

/// Makes a credential for a partner. The secret is in the answer and nowhere else.
pub async fn create(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
) -> Result<(Credential, String), Error> {
    let secret = secret::of(rand::random());
    let kept = Kept {
        secret_hash: Some(secret::hash(&secret)),
        public_keys: None,
        scopes,
        expires_at,
    };
    Ok((make(conn, who, ids, partner, kept).await?, secret))
}

/// Makes a credential that proves itself by signing, with a key that the hub does not have.
pub async fn register(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
    keys: &[PublicKey],
) -> Result<Credential, Error> {
    let kept = Kept {
        secret_hash: None,
        public_keys: Some(keys.iter().map(|key| key.jwk.clone()).collect()),
        scopes,
        expires_at,
    };
    make(conn, who, ids, partner, kept).await
}

async fn make(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    kept: Kept,
) -> Result<Credential, Error> {
    store::lock_partner(conn, partner).await?;
    let live = store::list_live(conn, partner).await?;
    let now = db::now(conn).await?;

    if live.len() >= MOST_LIVE {
        return Err(Problem::new(
            Slug::CredentialLimit,
            "revoke one of the two live credentials first",
        )
        .into());
    }
    let makers_own = live
        .iter()
        .find(|credential| credential.id == who.principal);
    check_scopes(
        who,
        &kept.scopes,
        makers_own.map(|credential| &credential.scopes),
    )?;
    if kept
        .expires_at
        .is_some_and(|at| at <= now || !clock::is_sensible(at))
    {
        return Err(Problem::field(
            "/expires_at",
            "an instant in the future, before the year 2200",
        )
        .into());
    }

    let credential = store::insert(conn, ids, partner, kept).await?;
    let about = Subject::Credential.no(credential.id).of([partner]);
    audit::record(conn, who, about, None, "live").await?;
    Ok(credential)
}

/// A credential that could make a stronger one would be as strong as that.
fn check_scopes(who: &Who, wanted: &ScopeSet, held: Option<&ScopeSet>) -> Result<(), Problem> {
    let too_much = match (who.party, held) {
        (Party::Person(_), _) => false,
        (Party::Partner(_), Some(held)) => !wanted.is_within(held),
        (Party::Partner(_), None) | (Party::Member(_), _) => true,
    };
    match too_much {
        true => Err(Problem::new(
            Slug::Forbidden,
            "a credential makes others with no more scopes than its own",
        )),
        false => Ok(()),
    }
}

/// Revokes all live credentials of a partner that takes no part any more.
pub async fn revoke_all(conn: &mut Connection, who: &Who, partner: i64) -> Result<(), Error> {
    store::lock_partner(conn, partner).await?;
    for credential in store::list_live(conn, partner).await? {
        revoke(conn, who, partner, credential.id).await?;
    }
    Ok(())
}

/// Revokes a credential: its secret gets no token any more, and the tokens it got are refused.
/// Revoking again changes nothing.
pub async fn revoke(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    credential: i64,
) -> Result<(), Error> {
    store::lock_partner(conn, partner).await?;
    let found = store::find(conn, partner, credential).await?;

    let none = || Problem::new(Slug::NotFound, "the partner has no such credential");
    let credential = found.ok_or_else(none)?;

    if credential.revoked_at.is_none() {
        store::mark_revoked(conn, credential.id).await?;
        let about = Subject::Credential.no(credential.id).of([partner]);
        audit::record(conn, who, about, Some("live"), "revoked").await?;
    }
    Ok(())
}
