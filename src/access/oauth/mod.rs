//! A partner's program proves itself and gets an access token (RFC 6749, client credentials).
//!
//! An unknown client and a wrong secret are told apart by nobody: both are `invalid_client`. There
//! is no limit on attempts here, because 256 random bits are not guessed.

pub mod api;
pub mod request;
mod store;

use subtle::ConstantTimeEq;

use super::credentials::secret;
use super::token::Subject;
use super::{Access, ScopeSet};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind};
use request::{Client, Refusal};

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
    let found = match ids.read(Kind::Credential, &client.id) {
        Some(id) => store::find_live(conn, id).await?,
        None => None,
    };

    let Some(live) =
        found.filter(|live| bool::from(live.secret_hash.ct_eq(&secret::hash(&client.secret))))
    else {
        return Ok(Err(Refusal::InvalidClient));
    };
    let scopes = match narrowed(&live.scopes, wanted) {
        Ok(scopes) => scopes,
        Err(refusal) => return Ok(Err(refusal)),
    };

    let subject = Subject {
        sub: client.id.clone(),
        client_id: client.id.clone(),
        scope: Some(scopes.to_string()),
        partner: Some(ids.show(Kind::Partner, live.partner_id)),
        role: None,
    };
    let token = access
        .tokens()
        .mint(subject, uuid::Uuid::new_v4().to_string(), now)?;
    Ok(Ok(Grant { token, scopes }))
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
