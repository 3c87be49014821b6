//! Access tokens: JWTs in the profile of RFC 9068, signed with Ed25519. People of the hub have none: they have
//! sessions ([`sessions`](super::sessions)).
//!
//! | claim        | a partner's                    | a member's                     |
//! |--------------|--------------------------------|--------------------------------|
//! | `sub`        | the client id                  | the member's id                |
//! | `client_id`  | the client id                  | the client id                  |
//! | `scope`      | what the token may be used for | what the token may be used for |
//! | `partner`    | the partner's id               | the id of the partner that acts |
//! | `membership` | absent                         | the id of the membership there |
//! | `act`        | absent                         | `sub`: the client id           |
//! | `auth_time`  | absent                         | when the member last proved itself, if the partner said so |
//! | `acr`        | absent                         | how it did, likewise           |
//! | `role`       | absent                         | `member`                       |
//!
//! All have `iss`, `aud`, `iat`, `exp` and `jti`. A token lives 15 minutes; whether its holder is
//! still welcome is asked anew at each request, so revoking does not wait for the end.
//!
//! Two keys are live at most. A new one is published at once and signs five minutes later, when
//! every hub and every reader of the published set has seen it; what the old one signed stays good
//! until it ends. The header names its key (`kid`), and says nothing else but `alg` and `typ`:
//! a token that brings a key of its own is refused for bringing it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ring::Ring;
use crate::clock::Timestamp;
use crate::secret::TokenKey;
use crate::web::body::entries;

/// How long a token lives, in seconds.
pub const LIFE: i64 = 15 * 60;

/// How far the clocks of two hubs may be apart, in seconds.
const LEEWAY: i64 = 5;

const LARGEST: usize = 4096;
const TYPE: &str = "at+jwt";

/// The `role` of a member's token.
pub const MEMBER: &str = "member";

/// Whom a token speaks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    pub sub: String,
    pub client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
}

/// Who acts for the subject (RFC 8693, section 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    pub sub: String,
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
    ring: RwLock<Arc<Ring>>,
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

/// The members of a JSON object, none of them twice.
#[derive(Deserialize)]
#[serde(transparent)]
struct Members(#[serde(deserialize_with = "entries")] BTreeMap<String, Value>);

/// What a part of a token in base64url says, when it is such an object.
pub(super) fn members(part: &str) -> Option<BTreeMap<String, Value>> {
    let raw = URL_SAFE_NO_PAD.decode(part).ok()?;
    let Members(members) = serde_json::from_slice(&raw).ok()?;
    Some(members)
}

/// The key that a token says it is signed with, when its header is one of ours.
fn kid_of(token: &str) -> Option<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return None;
    };
    let header = members(header)?;
    members(claims)?;
    let is_ours = header.len() == 3 && header.get("typ")? == TYPE && header.get("alg")? == "EdDSA";
    let kid = header.get("kid")?.as_str()?;
    is_ours.then(|| kid.to_owned())
}

impl Tokens {
    /// `live` are the private keys, newest first; `issuer` the address of the hub: both issuer and
    /// audience.
    pub fn new(issuer: &str, live: &[TokenKey]) -> anyhow::Result<Tokens> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Time is an argument here, so it is checked below.
        validation.validate_exp = false;

        Ok(Tokens {
            issuer: issuer.to_owned(),
            ring: RwLock::new(Arc::new(Ring::new(live)?)),
            validation,
            known: Mutex::default(),
        })
    }

    /// Goes on with these keys. A token whose key is gone has ended long before.
    pub fn renew(&self, live: &[TokenKey]) -> anyhow::Result<()> {
        let fresh = Arc::new(Ring::new(live)?);
        *self
            .ring
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = fresh;
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        let ring = self.ring.read();
        ring.unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// The public halves of these keys, as [`Tokens::published`] will show them.
    pub fn published_of(&self, live: &[TokenKey]) -> anyhow::Result<JwkSet> {
        Ok(Ring::new(live)?.published)
    }

    /// Whether a token may be of a key that another hub has made since.
    pub fn is_of_unknown_key(&self, token: &str) -> bool {
        token.len() <= LARGEST && kid_of(token).is_some_and(|kid| self.ring().named(&kid).is_none())
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public halves, newest first, for whoever wants to check a token.
    pub fn published(&self) -> JwkSet {
        self.ring().published.clone()
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
        let ring = self.ring();
        let key = ring.signer();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &key.private).context("the token cannot be signed")
    }

    /// Whom the token speaks for, or nothing. Why it is not good is nobody's business.
    pub fn read(&self, token: &str, now: Timestamp) -> Option<Subject> {
        if token.len() > LARGEST {
            return None;
        }
        if let Some(subject) = self.recall(token, now) {
            return Some(subject);
        }
        let (kid, ring) = (kid_of(token)?, self.ring());
        let key = ring.named(&kid)?;
        let read = jsonwebtoken::decode::<Claims>(token, &key.public, &self.validation).ok()?;
        let claims = read.claims;
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
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    const HUB: &str = "https://hub.example";

    fn live(seed: u8, is_ripe: bool) -> TokenKey {
        TokenKey {
            seed: [seed; 32],
            is_ripe,
        }
    }

    fn tokens() -> Tokens {
        Tokens::new(HUB, &[live(7, false)]).unwrap()
    }

    fn header() -> Header {
        let minted = tokens().mint(subject(), "1".into(), noon()).unwrap();
        jsonwebtoken::decode_header(minted).unwrap()
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
            ..Subject::default()
        }
    }

    fn claims() -> Value {
        let now = noon().timestamp();
        json!({"iss": HUB, "aud": HUB, "iat": now, "exp": now + LIFE, "jti": "1", "sub": "crd_1", "client_id": "crd_1"})
    }

    fn is_good(header: &Header, claims: &Value) -> bool {
        let tokens = tokens();
        let token = jsonwebtoken::encode(header, claims, &tokens.ring().keys[0].private).unwrap();
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
        let key = tokens.published().keys.remove(0);
        assert_eq!(key.common.key_id, header().kid);
        assert_eq!(key.common.key_id.as_ref().unwrap().len(), 43);
        let shown = serde_json::to_value(key).unwrap();
        assert_eq!(
            (&shown["kty"], &shown["crv"], &shown["d"]),
            (&json!("OKP"), &json!("Ed25519"), &Value::Null)
        );
    }

    #[test]
    fn every_required_claim_is_required() {
        let header = header();
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
        let header = header();
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
                ..header.clone()
            },
            &claims()
        ));
        assert!(!is_good(
            &Header {
                kid: None,
                ..header.clone()
            },
            &claims()
        ));
        assert!(!is_good(
            &Header {
                jku: Some("https://there.example".into()),
                ..header
            },
            &claims()
        ));
    }

    #[test]
    fn a_new_key_is_known_before_it_signs_and_an_old_one_after() {
        let tokens = tokens();
        let mint = || tokens.mint(subject(), "1".into(), noon()).unwrap();
        let first = mint();
        tokens.renew(&[live(8, false), live(7, true)]).unwrap();
        assert_eq!(tokens.published().keys.len(), 2);
        assert_eq!(kid_of(&mint()), kid_of(&first), "the new one is not ripe");

        tokens.renew(&[live(8, true), live(7, true)]).unwrap();
        let second = mint();
        assert_ne!(kid_of(&second), kid_of(&first));
        assert!(tokens.read(&second, noon()).is_some());
        let elsewhere = Tokens::new(HUB, &[live(8, true), live(7, true)]).unwrap();
        assert!(elsewhere.read(&first, noon()).is_some());
        assert!(!elsewhere.is_of_unknown_key(&first));

        let later = Tokens::new(HUB, &[live(9, true), live(8, true)]).unwrap();
        assert!(later.is_of_unknown_key(&first) && !later.is_of_unknown_key("x"));
        assert_eq!(later.read(&first, noon()), None);
    }

    #[test]
    fn tokens_that_others_signed_are_refused() {
        let tokens = tokens();
        let other = Tokens::new(HUB, &[live(8, true)])
            .unwrap()
            .mint(subject(), "1".into(), noon())
            .unwrap();
        assert!(tokens.read(&other, noon()).is_none());

        let header = Header {
            alg: Algorithm::HS256,
            ..header()
        };
        let ring = tokens.ring();
        let public = ring.keys[0].public.try_get_as_bytes().unwrap();
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
