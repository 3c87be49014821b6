//! Secrets and signatures, after the Standard Webhooks specification (symmetric, `v1`).
//!
//! ```text
//! secret    = "whsec_" + base64(32 bytes)
//! signature = "v1," + base64(HMAC-SHA256(those bytes, id + "." + timestamp + "." + body))
//! ```
//!
//! The 32 bytes are HMAC-SHA256 of the endpoint's id and the version of its secret under a key of
//! the hub's. So no secret is written down anywhere, every hub knows each, and who learns one learns
//! nothing of the others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What an endpoint and the hub share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret of a version of an endpoint.
    pub fn of(key: &[u8; 32], endpoint: i64, version: i32) -> Secret {
        let (endpoint, version) = (endpoint.to_be_bytes(), version.to_be_bytes());
        Secret(mac(key, &[&endpoint, &version]))
    }

    /// As its owner is shown it, once.
    pub fn show(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let signature = STANDARD.encode(mac(&self.0, &[head.as_bytes(), body]));
        format!("v1,{signature}")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification publishes.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = Secret(key.expect("base64"));
        assert_eq!(secret.show(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_endpoint_and_version_has_a_secret_of_its_own() {
        let key = [7; 32];
        let secret = Secret::of(&key, 1, 1).show();
        assert_eq!(secret.len(), "whsec_".len() + 44);
        for other in [
            Secret::of(&key, 1, 2),
            Secret::of(&key, 2, 1),
            Secret::of(&[8; 32], 1, 1),
        ] {
            assert_ne!(other.show(), secret);
        }
    }
}
