//! Access tokens: JWTs in the profile of RFC 9068, signed with Ed25519.
//!
//! | claim       | a partner's                   | a person's            |
//! |-------------|-------------------------------|-----------------------|
//! | `sub`       | the client id                 | the person's id       |
//! | `client_id` | the client id                 | `sessions`            |
//! | `scope`     | what the token may be used for | absent               |
//! | `partner`   | the partner's id              | absent                |
//! | `role`      | absent                        | the person's role     |
//!
//! All have `iss`, `aud`, `iat`, `exp` and `jti`. A token lives 15 minutes; whether its holder is
//! still welcome is asked anew at each request, so revoking does not wait for the end.

use std::collections::HashMap;
use std::sync::Mutex;

use anyhow::Context;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Role;
use crate::clock::Timestamp;

/// How long a token lives, in seconds.
pub const LIFE: i64 = 15 * 60;

/// How far the clocks of two hubs may be apart, in seconds.
const LEEWAY: i64 = 5;

const LARGEST: usize = 4096;
const TYPE: &str = "at+jwt";

/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    pub sub: String,
    pub client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    jti: String,
    #[serde(flatten)]
    subject: Subject,
}

/// Makes tokens and checks them.
pub struct Tokens {
    issuer: String,
    header: Header,
    private: EncodingKey,
    public: DecodingKey,
    published: JwkSet,
    validation: Validation,
    known: Mutex<HashMap<String, Known>>,
}

/// A token whose signature was checked: whom it speaks for, and the seconds between which it is good.
struct Known {
    subject: Subject,
    from: i64,
    until: i64,
}

/// How many verified tokens are remembered. A token costs at most [`LARGEST`] bytes here.
const MOST_KNOWN: usize = 10_000;

impl Tokens {
    /// `seed` is the private key, `issuer` the address of the hub: both issuer and audience.
    pub fn new(issuer: &str, seed: &[u8; 32]) -> anyhow::Result<Tokens> {
        let private = EncodingKey::from_ed_der(&[&PKCS8[..], seed].concat());
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::EdDSA)
            .context("the token key is no Ed25519 key")?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);

        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Time is an argument here, so it is checked below.
        validation.validate_exp = false;

        Ok(Tokens {
            issuer: issuer.to_owned(),
            header: Header {
                typ: Some(TYPE.to_owned()),
                kid: Some(kid),
                ..Header::new(Algorithm::EdDSA)
            },
            public: DecodingKey::from_jwk(&jwk)?,
            private,
            published: JwkSet { keys: vec![jwk] },
            validation,
            known: Mutex::default(),
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public half, for whoever wants to check a token.
    pub fn published(&self) -> &JwkSet {
        &self.published
    }

    /// A token that is good for [`LIFE`] seconds. `id` makes it unique.
    pub fn mint(&self, subject: Subject, id: String, now: Timestamp) -> anyhow::Result<String> {
        let iat = now.timestamp();
        let (iss, aud) = (self.issuer.clone(), self.issuer.clone());
        let claims = Claims {
            iss,
            aud,
            iat,
            exp: iat + LIFE,
            nbf: None,
            jti: id,
            subject,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.private)
            .context("the token cannot be signed")
    }

    /// Whom the token speaks for, or nothing. Why it is not good is nobody's business.
    pub fn read(&self, token: &str, now: Timestamp) -> Option<Subject> {
        if token.len() > LARGEST {
            return None;
        }
        if let Some(subject) = self.recall(token, now) {
            return Some(subject);
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.public, &self.validation).ok()?;
        let (header, claims) = (read.header, read.claims);
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
            return None;
        }
        let known = Known {
            from: claims.iat.max(claims.nbf.unwrap_or(claims.iat)) - LEEWAY,
            until: claims.exp + LEEWAY,
            subject: claims.subject,
        };
        let subject = known.at(now)?;
        self.remember(token, known);
        Some(subject)
    }

    /// A token that was verified before is good until it ends; checking the signature again would
    /// give the same.
    fn recall(&self, token: &str, now: Timestamp) -> Option<Subject> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        known.get(token)?.at(now)
    }

    fn remember(&self, token: &str, verified: Known) {
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(token.to_owned(), verified);
    }
}

impl Known {
    /// Whom the token speaks for, while it is good.
    fn at(&self, now: Timestamp) -> Option<Subject> {
        let is_good = (self.from..self.until).contains(&now.timestamp());
        is_good.then(|| self.subject.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration};
    use serde_json::{Value, json};

    const HUB: &str = "https://hub.example";

    fn tokens() -> Tokens {
        Tokens::new(HUB, &[7; 32]).unwrap()
    }

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn subject() -> Subject {
        let scope = Some("awards:write".to_owned());
        Subject {
            sub: "crd_1".into(),
            client_id: "crd_1".into(),
            scope,
            partner: None,
            role: None,
        }
    }

    fn claims() -> Value {
        let now = noon().timestamp();
        json!({"iss": HUB, "aud": HUB, "iat": now, "exp": now + LIFE, "jti": "1", "sub": "crd_1", "client_id": "crd_1"})
    }

    fn is_good(header: &Header, claims: &Value) -> bool {
        let tokens = tokens();
        let token = jsonwebtoken::encode(header, claims, &tokens.private).unwrap();
        tokens.read(&token, noon()).is_some()
    }

    #[test]
    fn a_token_is_good_for_its_quarter_of_an_hour() {
        let tokens = tokens();
        let token = tokens.mint(subject(), "1".into(), noon()).unwrap();
        assert_eq!(tokens.read(&token, noon()), Some(subject()));
        assert!(
            tokens
                .read(&token, noon() + Duration::seconds(LIFE + LEEWAY - 1))
                .is_some()
        );
        assert!(
            tokens
                .read(&token, noon() + Duration::seconds(LIFE + LEEWAY))
                .is_none()
        );
        assert!(
            tokens
                .read(&token, noon() - Duration::seconds(LEEWAY + 1))
                .is_none()
        );
    }

    #[test]
    fn the_published_key_is_named_by_its_thumbprint() {
        let tokens = tokens();
        let key = &tokens.published().keys[0];
        assert_eq!(key.common.key_id, tokens.header.kid);
        assert_eq!(tokens.header.kid.as_ref().unwrap().len(), 43);
        let shown = serde_json::to_value(key).unwrap();
        assert_eq!(
            (&shown["kty"], &shown["crv"], &shown["d"]),
            (&json!("OKP"), &json!("Ed25519"), &Value::Null)
        );
    }

    #[test]
    fn every_required_claim_is_required() {
        let header = tokens().header;
        assert!(is_good(&header, &claims()));
        for name in ["iss", "aud", "iat", "exp", "jti", "sub"] {
            let mut lacking = claims();
            lacking.as_object_mut().unwrap().remove(name);
            assert!(!is_good(&header, &lacking), "{name}");
        }
        for (name, value) in [
            ("iss", json!("https://other.example")),
            ("aud", json!("other")),
            ("exp", json!("soon")),
            ("nbf", json!(noon().timestamp() + 60)),
            ("iat", json!(noon().timestamp() + 60)),
        ] {
            let mut wrong = claims();
            wrong[name] = value;
            assert!(!is_good(&header, &wrong), "{name}");
        }
    }

    #[test]
    fn tokens_of_another_type_are_refused() {
        let header = tokens().header;
        assert!(!is_good(
            &Header {
                typ: Some("JWT".into()),
                ..header.clone()
            },
            &claims()
        ));
        assert!(!is_good(
            &Header {
                typ: None,
                ..header.clone()
            },
            &claims()
        ));
        assert!(!is_good(
            &Header {
                crit: Some(vec!["exp".into()]),
                ..header
            },
            &claims()
        ));
    }

    #[test]
    fn tokens_that_others_signed_are_refused() {
        let tokens = tokens();
        let other = Tokens::new(HUB, &[8; 32])
            .unwrap()
            .mint(subject(), "1".into(), noon())
            .unwrap();
        assert!(tokens.read(&other, noon()).is_none());

        let header = Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let public = tokens.public.try_get_as_bytes().unwrap();
        let confused =
            jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(public)).unwrap();
        assert!(tokens.read(&confused, noon()).is_none());

        let good = tokens.mint(subject(), "1".into(), noon()).unwrap();
        let payload = good.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"at+jwt"}
        assert!(
            tokens
                .read(
                    &format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}."),
                    noon()
                )
                .is_none()
        );
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            &good[..good.len() - 2],
            &format!("{good}{}", "A".repeat(5000)),
        ] {
            assert!(tokens.read(text, noon()).is_none());
        }
    }
}
