//! What a client signs instead of sending a secret (RFC 7523, section 3), or about one of its members
//! (RFC 8693, section 2.1): what it has to say, and for how long.
//!
//! | claim | says                                                                    |
//! |-------|-------------------------------------------------------------------------|
//! | `iss` | the client id                                                           |
//! | `sub` | the client id; about a member, the member's number in the partner's programme |
//! | `aud` | the hub: its issuer or its token endpoint, and nobody besides           |
//! | `exp` | at most five minutes from now                                           |
//! | `jti` | a name that the client gives once; whoever comes second with it is refused |
//! | `auth_time` | about a member, and optional: when it last proved itself to the partner |
//! | `acr` | about a member, and optional: how it then did                            |
//!
//! The algorithm is the registered key's. What points at a key (`jku`, `jwk`, `x5u`, `x5c`) is
//! refused by being there.

use std::collections::BTreeMap;

use chrono::DateTime;
use jsonwebtoken::Validation;
use serde_json::Value;

use crate::access::credentials::public_key::PublicKey;
use crate::access::token::members;
use crate::access::who;
use crate::clock::Timestamp;

pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far ahead an assertion may end, and how far two clocks may be apart, in seconds.
const LONGEST: i64 = 300;
const LEEWAY: i64 = 30;

const LARGEST: usize = 4096;
const LONGEST_NAME: usize = 256;

/// What a good assertion may be known by, and until when it must be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub jti: String,
    pub until: Timestamp,
}

/// What a good assertion says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub sub: String,
    /// How the member that it is about proved itself.
    pub member: who::Proof,
    pub proof: Proof,
}

/// Whom an assertion says it comes from, before anything is believed of it.
pub fn claimed_client(assertion: &str) -> Option<String> {
    if assertion.len() > LARGEST {
        return None;
    }
    let claims = members(assertion.split('.').nth(1)?)?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

/// What proves the client, or nothing. Why it does not is nobody's business.
pub fn check(
    assertion: &str,
    keys: &[PublicKey],
    client: &str,
    audiences: &[&str],
    now: Timestamp,
) -> Option<Proof> {
    let said = read(assertion, keys, client, audiences, now)?;
    (said.sub == client).then_some(said.proof)
}

/// What the client signed, or nothing.
pub fn read(
    assertion: &str,
    keys: &[PublicKey],
    client: &str,
    audiences: &[&str],
    now: Timestamp,
) -> Option<Said> {
    if assertion.len() > LARGEST {
        return None;
    }
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, _] = parts[..] else {
        return None;
    };
    let key = key_of(&members(header)?, keys)?;
    let claims = members(claims)?;

    let mut rules = Validation::new(key.algorithm);
    // What it says is checked below, with time as an argument.
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    jsonwebtoken::decode::<Value>(assertion, &key.key, &rules).ok()?;
    said(&claims, client, audiences, now.timestamp())
}

/// The key that the header means.
fn key_of<'a>(header: &BTreeMap<String, Value>, keys: &'a [PublicKey]) -> Option<&'a PublicKey> {
    let is_plain = |(name, value): (&String, &Value)| match name.as_str() {
        "alg" | "kid" => value.is_string(),
        "typ" => value == "JWT" || value == "client-authentication+jwt",
        _ => false,
    };
    if !header.iter().all(is_plain) {
        return None;
    }
    let key = match header.get("kid") {
        Some(kid) => keys.iter().find(|key| *kid == key.kid.as_str()),
        None => keys.first().filter(|_| keys.len() == 1),
    }?;
    let alg = header.get("alg")?;
    (*alg == key.jwk["alg"]).then_some(key)
}

fn said(
    claims: &BTreeMap<String, Value>,
    client: &str,
    audiences: &[&str],
    now: i64,
) -> Option<Said> {
    let is_hub = |audience: &Value| audiences.iter().any(|hub| audience == hub);
    let is_for_the_hub = match claims.get("aud")? {
        Value::Array(several) => !several.is_empty() && several.iter().all(is_hub),
        one => is_hub(one),
    };
    let exp = claims.get("exp")?.as_i64()?;
    let has_begun = ["iat", "nbf"].iter().all(|name| match claims.get(*name) {
        Some(value) => value.as_i64().is_some_and(|at| at <= now + LEEWAY),
        None => true,
    });
    let jti = claims.get("jti")?.as_str()?;
    let auth_time = match claims.get("auth_time") {
        Some(at) => Some(at.as_i64().filter(|at| (0..=now + LEEWAY).contains(at))?),
        None => None,
    };
    let acr = match claims.get("acr") {
        Some(acr) => Some(acr.as_str().filter(|acr| who::is_acr(acr))?.to_owned()),
        None => None,
    };

    let is_good = claims.get("iss")? == client
        && is_for_the_hub
        && has_begun
        && (now - LEEWAY..=now + LONGEST + LEEWAY).contains(&exp)
        && (1..=LONGEST_NAME).contains(&jti.len());
    let sub = claims.get("sub")?.as_str()?.to_owned();
    let proof = Proof {
        jti: jti.to_owned(),
        until: DateTime::from_timestamp(exp + LEEWAY + 1, 0).unwrap_or_default(),
    };
    is_good.then_some(Said {
        sub,
        member: who::Proof { auth_time, acr },
        proof,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::credentials::public_key::parse_all;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{Algorithm, EncodingKey};
    use serde_json::json;

    const HUB: &[&str] = &["https://hub.example", "https://hub.example/oauth/token"];
    const PKCS8: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn pair(seed: u8) -> (EncodingKey, PublicKey) {
        let private = EncodingKey::from_ed_der(&[&PKCS8[..], &[seed; 32]].concat());
        let jwk = Jwk::from_encoding_key(&private, Algorithm::EdDSA).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.retain(|name, _| ["kty", "crv", "x"].contains(&name.as_str()));
        let public = parse_all(&[jwk]).unwrap().remove(0);
        (private, public)
    }

    fn claims() -> Value {
        let exp = noon().timestamp() + 60;
        json!({"iss": "crd_1", "sub": "crd_1", "aud": HUB[1], "exp": exp, "jti": "1"})
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let (private, _) = pair(7);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(text.as_bytes(), &private, Algorithm::EdDSA).unwrap();
        format!("{text}.{signature}")
    }

    fn is_good(header: &Value, claims: &Value) -> bool {
        let keys = [pair(7).1];
        check(&signed(header, claims), &keys, "crd_1", HUB, noon()).is_some()
    }

    #[test]
    fn a_short_lived_assertion_for_this_hub_proves_its_client() {
        let header = json!({"alg": "EdDSA"});
        let assertion = signed(&header, &claims());
        assert_eq!(claimed_client(&assertion).as_deref(), Some("crd_1"));
        assert!(is_good(&header, &claims()));
        assert!(is_good(
            &json!({"alg": "EdDSA", "kid": pair(7).1.kid, "typ": "JWT"}),
            &claims()
        ));
        let of_another = check(&assertion, &[pair(8).1], "crd_1", HUB, noon());
        assert_eq!(of_another, None);
        let two = check(&assertion, &[pair(7).1, pair(8).1], "crd_1", HUB, noon());
        assert_eq!(two, None, "which of two keys is not said");
    }

    #[test]
    fn what_is_signed_about_a_member_says_who_and_how_it_proved_itself() {
        let (header, now) = (json!({"alg": "EdDSA"}), noon().timestamp());
        let read = |more: &[(&str, Value)]| {
            let mut claims = claims();
            for (name, value) in more {
                claims[*name] = value.clone();
            }
            let said = super::read(
                &signed(&header, &claims),
                &[pair(7).1],
                "crd_1",
                HUB,
                noon(),
            );
            said.map(|said| (said.sub, said.member.auth_time, said.member.acr))
        };
        let of_member = ("sub", json!("A-1"));
        assert_eq!(
            read(std::slice::from_ref(&of_member)),
            Some(("A-1".into(), None, None))
        );
        let at = |at: Value| read(&[of_member.clone(), ("auth_time", at)]);
        let before = Some(now - 60);
        assert_eq!(at(json!(before)), Some(("A-1".into(), before, None)));
        for wrong in [json!(now + 60), json!("now"), json!(-1), json!(1.5)] {
            assert_eq!(at(wrong.clone()), None, "{wrong}");
        }
        let by = |how: Value| read(&[of_member.clone(), ("acr", how)]);
        assert_eq!(
            by(json!("2fa")),
            Some(("A-1".into(), None, Some("2fa".into())))
        );
        for wrong in [
            json!(2),
            json!(""),
            json!("a b"),
            json!("é"),
            json!(["2fa"]),
        ] {
            assert_eq!(by(wrong.clone()), None, "{wrong}");
        }
        let of_member = signed(&header, &{
            let mut claims = claims();
            claims["sub"] = json!("A-1");
            claims
        });
        assert_eq!(check(&of_member, &[pair(7).1], "crd_1", HUB, noon()), None);
    }

    #[test]
    fn what_is_wrong_or_missing_proves_nothing() {
        let now = noon().timestamp();
        let header = json!({"alg": "EdDSA"});
        for (name, values) in [
            ("iss", vec![json!("crd_2"), json!(null)]),
            ("sub", vec![json!("crd_2"), json!(null)]),
            (
                "aud",
                vec![
                    json!("https://other.example"),
                    json!([]),
                    json!([HUB[0], "other"]),
                    json!(null),
                ],
            ),
            (
                "exp",
                vec![
                    json!(now - 31),
                    json!(now + 331),
                    json!("soon"),
                    json!(1.5),
                    json!(null),
                ],
            ),
            ("nbf", vec![json!(now + 31), json!("now")]),
            ("iat", vec![json!(now + 31)]),
            (
                "jti",
                vec![json!(""), json!("x".repeat(257)), json!(1), json!(null)],
            ),
        ] {
            for value in values {
                let mut wrong = claims();
                wrong[name] = value;
                assert!(!is_good(&header, &wrong), "{wrong}");
            }
        }
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("kid", json!("other")),
            ("jku", json!("http://there.example")),
            ("jwk", pair(7).1.jwk),
            ("crit", json!(["exp"])),
            ("typ", json!("at+jwt")),
        ] {
            let mut wrong = header.clone();
            wrong[name] = value;
            assert!(!is_good(&wrong, &claims()), "{wrong}");
        }
        for text in ["", "..", "a.b.c", &"x".repeat(5000)] {
            assert_eq!(check(text, &[pair(7).1], "crd_1", HUB, noon()), None);
            assert_eq!(claimed_client(text), None);
        }
    }
}
