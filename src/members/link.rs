//! A link token: what a member carries from one brand to another, so that the second knows it is
//! the same person without either brand learning the other's number.
//!
//! It is a JWT of a type and a key of its own (HS256: the hub alone makes it and reads it), good
//! for ten minutes. It may be used more than once in that time: a brand that already knows the
//! member is told so, and to a brand that does not, the member carried it.

use chrono::Duration;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

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
    TooOld,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
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

    /// A token for a member, by its public id.
    pub fn make(&self, member: String, now: Timestamp) -> anyhow::Result<Link> {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let expires_at = now + LIFE;
        let claims = Claims {
            sub: member,
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        Ok(Link {
            token: jsonwebtoken::encode(&header, &claims, &self.make)?,
            expires_at,
        })
    }

    /// The public id of the member that a token is for.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<String, BadLink> {
        let mut rules = Validation::new(Algorithm::HS256);
        // Time is an argument here, so it is checked below.
        rules.validate_exp = false;
        if token.len() > LARGEST {
            return Err(BadLink::NotOurs);
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.read, &rules)
            .map_err(|_| BadLink::NotOurs)?;
        if read.header.typ.as_deref() != Some(TYPE) {
            return Err(BadLink::NotOurs);
        }
        if read.claims.exp <= now.timestamp() {
            return Err(BadLink::TooOld);
        }
        Ok(read.claims.sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_link_names_its_member_for_ten_minutes() {
        let (links, noon) = (
            Links::new(&[7; 32]),
            DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        );
        let link = links.make("mem_1".into(), noon).unwrap();
        assert_eq!(
            links.read(&link.token, noon + Duration::seconds(599)),
            Ok("mem_1".into())
        );
        assert_eq!(links.read(&link.token, noon + LIFE), Err(BadLink::TooOld));
        assert_eq!(
            Links::new(&[8; 32]).read(&link.token, noon),
            Err(BadLink::NotOurs)
        );
        for text in ["", "a.b.c", &link.token[1..], &"x".repeat(2000)] {
            assert_eq!(links.read(text, noon), Err(BadLink::NotOurs));
        }
    }
}
