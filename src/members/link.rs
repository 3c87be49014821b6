//! A link token: what a member carries from one brand to another, so that the second knows it is
//! the same person without either brand learning the other's number.
//!
//! It is a JWT of a type and a key of its own (HS256: the hub alone makes it and reads it), for the brand that
//! it names (`aud`), good for ten minutes and once (`jti`): whoever else gets hold of it can do nothing with it,
//! and what was used is worth nothing.

use chrono::Duration;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::clock::Timestamp;

const LIFE: Duration = Duration::minutes(10);
const LARGEST: usize = 1024;
const TYPE: &str = "link+jwt";

/// Makes link tokens and reads them.
pub struct Links {
    make: EncodingKey,
    read: DecodingKey,
}

/// A token, and until when it is good.
#[derive(Debug, Clone)]
pub struct Link {
    pub token: String,
    pub expires_at: Timestamp,
}

/// Why a text names no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadLink {
    NotOurs,
    /// For another brand than the one that shows it.
    NotYours,
    TooOld,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The public id of the member.
    pub member: String,
    /// By which it is known to have been used.
    pub id: Uuid,
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

impl Links {
    /// The key is made of a secret for this purpose alone, so that no other token can pass.
    pub fn new(secret: &[u8; 32]) -> Links {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(b"member link");
        let key = mac.finalize().into_bytes();
        Links {
            make: EncodingKey::from_secret(&key),
            read: DecodingKey::from_secret(&key),
        }
    }

    /// A token for a member, by its public id, to carry to the brand with a code.
    pub fn make(&self, member: String, brand: String, now: Timestamp) -> anyhow::Result<Link> {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let expires_at = now + LIFE;
        let claims = Claims {
            sub: member,
            aud: brand,
            jti: Uuid::new_v4(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        Ok(Link {
            token: jsonwebtoken::encode(&header, &claims, &self.make)?,
            expires_at,
        })
    }

    /// What a token says to the brand that shows it, by its code.
    pub fn read(&self, token: &str, brand: &str, now: Timestamp) -> Result<Shown, BadLink> {
        let mut rules = Validation::new(Algorithm::HS256);
        // Time is an argument here, so it is checked below.
        rules.validate_exp = false;
        rules.set_audience(&[brand]);
        if token.len() > LARGEST {
            return Err(BadLink::NotOurs);
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.read, &rules);
        let read = read.map_err(|bad| match bad.kind() {
            ErrorKind::InvalidAudience => BadLink::NotYours,
            _ => BadLink::NotOurs,
        })?;
        if read.header.typ.as_deref() != Some(TYPE) {
            return Err(BadLink::NotOurs);
        }
        let Claims { sub, jti, exp, .. } = read.claims;
        let expires_at = Timestamp::from_timestamp(exp, 0).ok_or(BadLink::NotOurs)?;
        if expires_at <= now {
            return Err(BadLink::TooOld);
        }
        Ok(Shown {
            member: sub,
            id: jti,
            expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_link_names_its_member_to_one_brand_for_ten_minutes() {
        let (links, noon) = (
            Links::new(&[7; 32]),
            DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        );
        let make = || links.make("mem_1".into(), "BAYVIEW".into(), noon).unwrap();
        let (link, other) = (make(), make());
        let late = noon + Duration::seconds(599);
        let shown = links.read(&link.token, "BAYVIEW", late).unwrap();
        assert_eq!((&*shown.member, shown.expires_at), ("mem_1", noon + LIFE));
        let beside = links.read(&other.token, "BAYVIEW", noon).unwrap();
        assert_ne!(shown.id, beside.id, "each is another");
        let read = |brand, now| links.read(&link.token, brand, now);
        assert_eq!(read("BAYVIEW", noon + LIFE), Err(BadLink::TooOld));
        assert_eq!(read("AERO", noon), Err(BadLink::NotYours));
        let strange = Links::new(&[8; 32]);
        assert_eq!(
            strange.read(&link.token, "BAYVIEW", noon),
            Err(BadLink::NotOurs)
        );
        for text in ["", "a.b.c", &link.token[1..], &"x".repeat(2000)] {
            assert_eq!(links.read(text, "BAYVIEW", noon), Err(BadLink::NotOurs));
        }
    }
}
