//! A public key that a partner registers, as a JWK (RFC 7517), to prove itself with a private key
//! that the hub never sees.
//!
//! | `kty` | `crv`     | signs with | the least                             |
//! |-------|-----------|------------|---------------------------------------|
//! | `OKP` | `Ed25519` | `EdDSA`    | a curve has one size                  |
//! | `EC`  | `P-256`   | `ES256`    | a curve has one size                  |
//! | `RSA` |           | `RS256`    | 2048 bits, exponent of 65537 or more  |
//!
//! The algorithm follows from the key, never from what is signed with it. Nothing that points
//! elsewhere is taken (`x5u`), and nothing private: a partner that sends its private key by mistake
//! is told so instead of being let in with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value, json};

/// How many keys a credential has at most: enough to bring the next one in before the last goes.
pub const MOST: usize = 4;

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key that was checked.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub key: DecodingKey,
    /// As it is kept: `kty`, what makes the key, `kid`, `alg` and `use`.
    pub jwk: Value,
}

/// The keys of a set, or which one is wrong (by its place) and the rule it breaks.
pub fn parse_all(keys: &[Value]) -> Result<Vec<PublicKey>, (usize, String)> {
    if !(1..=MOST).contains(&keys.len()) {
        return Err((0, format!("1 to {MOST} keys")));
    }
    let mut parsed: Vec<PublicKey> = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        let key = parse(key).map_err(|rule| (place, rule))?;
        if parsed.iter().any(|other| other.kid == key.kid) {
            return Err((place, "each kid stands once".to_owned()));
        }
        parsed.push(key);
    }
    Ok(parsed)
}

fn parse(key: &Value) -> Result<PublicKey, String> {
    let given = key.as_object().ok_or("a JWK is an object")?;
    if let Some(name) = PRIVATE.iter().find(|name| given.contains_key(**name)) {
        return Err(format!(
            "{name} is private: keep it, make a new key, and send its public half"
        ));
    }
    let (algorithm, alg, parts) = match (text(given, "kty"), text(given, "crv")) {
        (Some("OKP"), Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA", &["crv", "x"][..]),
        (Some("EC"), Some("P-256")) => (Algorithm::ES256, "ES256", &["crv", "x", "y"][..]),
        (Some("RSA"), None) => (Algorithm::RS256, "RS256", &["n", "e"][..]),
        _ => return Err("a key is of Ed25519, P-256 or RSA".to_owned()),
    };
    check_members(given, parts, alg)?;
    for part in parts.iter().filter(|part| **part != "crv") {
        check_part(part, &bytes(given, part)?)?;
    }

    let mut jwk = json!({"kty": given["kty"], "alg": alg, "use": "sig"});
    for part in parts {
        jwk[*part] = given[*part].clone();
    }
    let unreadable = |_| "it is no key".to_owned();
    let read: Jwk = serde_json::from_value(jwk.clone()).map_err(|error| error.to_string())?;
    let thumbprint = read
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(unreadable)?;
    let kid = text(given, "kid").map_or(thumbprint, str::to_owned);
    jwk["kid"] = json!(kid);
    Ok(PublicKey {
        key: DecodingKey::from_jwk(&read).map_err(unreadable)?,
        kid,
        algorithm,
        jwk,
    })
}

fn text<'a>(given: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    given.get(name).and_then(Value::as_str)
}

/// Only what makes the key, and what says what it is for.
fn check_members(given: &Map<String, Value>, parts: &[&str], alg: &str) -> Result<(), String> {
    for (name, value) in given {
        let is_right = match name.as_str() {
            "kty" => true,
            "alg" => value == alg,
            "use" => value == "sig",
            "key_ops" => *value == json!(["verify"]),
            "kid" => value.as_str().is_some_and(|kid| {
                (1..=128).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
            }),
            part => parts.contains(&part),
        };
        if !is_right {
            return Err(format!("{name} is not taken, or does not fit the key"));
        }
    }
    Ok(())
}

fn bytes(given: &Map<String, Value>, part: &str) -> Result<Vec<u8>, String> {
    let decoded = text(given, part).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or_else(|| format!("{part} is base64url without padding"))
}

fn check_part(part: &str, bytes: &[u8]) -> Result<(), String> {
    let (first, last) = (bytes.first().copied(), bytes.last().copied());
    let leading = first.map_or(8, |byte| byte.leading_zeros() as usize);
    let bits = (bytes.len() * 8).saturating_sub(leading);
    let is_odd = last.is_some_and(|byte| byte % 2 == 1);
    match part {
        "n" if (2048..=4096).contains(&bits) && is_odd => Ok(()),
        "n" => Err("n has 2048 to 4096 bits".to_owned()),
        "e" if (17..=32).contains(&bits) && is_odd => Ok(()),
        "e" => Err("e is odd, from 65537 to 4 bytes".to_owned()),
        _ if bytes.len() == 32 => Ok(()),
        part => Err(format!("{part} has 32 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn ed() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&[7; 32])})
    }

    fn rsa(bytes: usize, e: &[u8]) -> Value {
        json!({"kty": "RSA", "n": b64(&vec![0xff; bytes]), "e": b64(e)})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn a_key_says_its_algorithm_and_is_named_by_its_thumbprint() {
        let cases = [
            (ed(), Algorithm::EdDSA),
            (
                json!({"kty": "EC", "crv": "P-256", "x": b64(&[1; 32]), "y": b64(&[2; 32])}),
                Algorithm::ES256,
            ),
            (rsa(256, &[1, 0, 1]), Algorithm::RS256),
        ];
        for (key, algorithm) in cases {
            let parsed = parse(&key).unwrap();
            assert_eq!(parsed.algorithm, algorithm, "{key}");
            assert_eq!(parsed.kid.len(), 43, "{key}");
            assert_eq!(parsed.jwk["kid"], json!(parsed.kid));
        }
        let named = with(with(ed(), "kid", json!("first")), "alg", json!("EdDSA"));
        assert_eq!(parse(&named).unwrap().kid, "first");
    }

    #[test]
    fn weak_private_and_odd_keys_are_refused() {
        let refused = [
            json!("key"),
            json!({}),
            with(ed(), "d", json!(b64(&[1; 32]))),
            with(ed(), "k", json!("x")),
            with(ed(), "x", json!(b64(&[7; 31]))),
            with(ed(), "x", json!("not base64url")),
            with(ed(), "crv", json!("X25519")),
            with(ed(), "crv", json!("Ed448")),
            with(ed(), "alg", json!("RS256")),
            with(ed(), "alg", json!("none")),
            with(ed(), "use", json!("enc")),
            with(ed(), "x5u", json!("http://there.example")),
            with(ed(), "y", json!(b64(&[7; 32]))),
            with(ed(), "kid", json!("")),
            with(ed(), "kid", json!("a\u{0}")),
            json!({"kty": "oct", "k": b64(&[1; 32])}),
            json!({"kty": "EC", "crv": "secp256k1", "x": b64(&[1; 32]), "y": b64(&[2; 32])}),
            json!({"kty": "EC", "crv": "P-256", "x": b64(&[1; 32])}),
            rsa(128, &[1, 0, 1]),
            rsa(255, &[1, 0, 1]),
            rsa(1024, &[1, 0, 1]),
            rsa(256, &[3]),
            rsa(256, &[1, 0, 0]),
        ];
        for key in refused {
            assert!(parse(&key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_set_has_one_to_four_keys_of_different_names() {
        assert!(parse_all(&[]).is_err());
        assert!(parse_all(&[ed()]).is_ok());
        assert_eq!(parse_all(&[ed(), ed()]).unwrap_err().0, 1);
        assert!(parse_all(&vec![ed(); 5]).is_err());
    }
}
