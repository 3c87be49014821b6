//! A partner's program proves itself and gets an access token (RFC 6749, client credentials), or one that acts
//! for a member ([`exchange`], RFC 8693).
//!
//! An unknown client and a wrong secret are told apart by nobody: both are `invalid_client`, and who
//! goes on with that has to wait ([`failures`]). A client with public keys sends a signed assertion instead
//! ([`assertion`], RFC 7523), each of them once.

pub mod api;
pub mod assertion;
mod attempts;
pub mod exchange;
pub mod failures;
pub mod request;
mod store;

use subtle::ConstantTimeEq;

use super::credentials::public_key::PublicKey;
use super::credentials::{self, public_key, secret};
use super::scope::OF_MEMBERS;
use super::token::{self, Actor};
use super::{Access, ScopeSet, who};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind};
use exchange::Subject;
pub use failures::Failures;
use request::{Client, Proof, Refusal, Wish};
use store::{Live, Membership};

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
    (wish, wanted): (&Wish, Option<&str>),
    now: Timestamp,
) -> Result<Result<Grant, Refusal>, Error> {
    let Some((id, live)) = find(conn, ids, &client.id).await? else {
        return Ok(Err(Refusal::InvalidClient));
    };
    if !is_proved(conn, access, client, id, &live, now).await? {
        return Ok(Err(Refusal::InvalidClient));
    }
    let subject = token::Subject {
        client_id: client.id.clone(),
        partner: Some(ids.show(Kind::Partner, live.partner_id)),
        ..token::Subject::default()
    };
    let asked = match wish {
        Wish::ForItself => narrowed(&live.scopes, wanted).map(|scopes| {
            let sub = client.id.clone();
            (scopes, token::Subject { sub, ..subject })
        }),
        Wish::ForMember(named) => match member(conn, access, ids, (id, &live), named, now).await? {
            Err(refusal) => Err(refusal),
            Ok((member, said)) => of_member(&live.scopes, wanted).map(|scopes| {
                let acts = token::Subject {
                    sub: ids.show(Kind::Member, member.member_id),
                    membership: Some(ids.show(Kind::Membership, member.id)),
                    role: Some(token::MEMBER.to_owned()),
                    act: Some(Actor {
                        sub: client.id.clone(),
                    }),
                    auth_time: said.auth_time,
                    acr: said.acr,
                    ..subject
                };
                (scopes, acts)
            }),
        },
    };
    let (scopes, subject) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return Ok(Err(refusal)),
    };

    credentials::mark_used(conn, id).await?;
    let scope = Some(scopes.to_string());
    let subject = token::Subject { scope, ..subject };
    let token = access.mint(conn, subject, now).await?;
    Ok(Ok(Grant { token, scopes }))
}

/// The member that a proved client names, and how it proved itself.
async fn member(
    conn: &mut Connection,
    access: &Access,
    ids: &Ids,
    (id, live): (i64, &Live),
    named: &Subject,
    now: Timestamp,
) -> Result<Result<(Membership, who::Proof), Refusal>, Error> {
    if !live.scopes.has("members:act") {
        return Ok(Err(exchange::NO_SCOPE));
    }
    if !store::acts_for_members(conn, live.partner_id).await? {
        return Ok(Err(exchange::NO_STANDING));
    }
    let partner = live.partner_id;
    let (found, said) = match named {
        Subject::Membership { id, proof } => {
            if let Err(refusal) = exchange::check_time(proof.auth_time, now.timestamp()) {
                return Ok(Err(refusal));
            }
            // What is no id at all is looked for as well, so that it takes as long.
            let id = ids.read(Kind::Membership, id).unwrap_or_default();
            let found = store::find_membership(conn, partner, id).await?;
            (found, proof.clone())
        }
        Subject::Signed(text) => {
            let client = ids.show(Kind::Credential, id);
            let keys = keys_of(id, live)?;
            let hub = hub(access);
            let hub = hub.each_ref().map(|it| &**it);
            let said = assertion::read(text, &keys, &client, &hub, now);
            let Some(said) = said else {
                return Ok(Err(exchange::NOBODY));
            };
            let proof = said.proof;
            if !store::remember(conn, id, &secret::hash(&proof.jti), proof.until).await? {
                return Ok(Err(exchange::NOBODY));
            }
            let found = store::find_numbered(conn, partner, &said.sub).await?;
            (found, said.member)
        }
    };
    let found = found.map(|found| (found, said));
    Ok(found.ok_or(exchange::NOBODY))
}

/// What the hub is called, as an audience.
pub fn hub(access: &Access) -> [String; 2] {
    let issuer = access.issuer();
    [issuer.to_owned(), format!("{issuer}/oauth/token")]
}

/// The public keys of a credential; of one with a secret, none.
fn keys_of(id: i64, live: &Live) -> Result<Vec<PublicKey>, Error> {
    let Some(keys) = &live.public_keys else {
        return Ok(Vec::new());
    };
    let parsed = public_key::parse_all(keys);
    Ok(
        parsed
            .map_err(|(place, rule)| anyhow::anyhow!("key {place} of credential {id}: {rule}"))?,
    )
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
        (Proof::Assertion(text), _, Some(_)) => {
            let (keys, hub) = (keys_of(id, live)?, hub(access));
            let hub = hub.each_ref().map(|it| &**it);
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

/// The wanted scopes of a member's token, when they are for members and the credential has them all.
fn of_member(held: &ScopeSet, wanted: Option<&str>) -> Result<ScopeSet, Refusal> {
    let none = || {
        let names = OF_MEMBERS.join(", ");
        let rule = format!("a member's token has some of {names}, and this credential has none");
        Refusal::InvalidScope(rule)
    };
    let held = held.of_members().ok_or_else(none)?;
    let Some(wanted) = wanted else {
        return Ok(held);
    };
    let wanted = ScopeSet::parse(wanted).map_err(Refusal::InvalidScope)?;
    match wanted.is_within(&held) {
        true => Ok(wanted),
        false => Err(Refusal::InvalidScope(format!(
            "a member's token of this credential has {held}"
        ))),
    }
}
