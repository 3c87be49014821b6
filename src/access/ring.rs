//! The ring of keys that access tokens are signed with: two at most are live.

use anyhow::Context;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use crate::secret::TokenKey;

/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The live keys.
pub(super) struct Ring {
    pub keys: Vec<Key>,
    /// The place of the one that signs.
    signer: usize,
    pub published: JwkSet,
}

pub(super) struct Key {
    pub kid: String,
    pub private: EncodingKey,
    pub public: DecodingKey,
}

impl Ring {
    /// `live` are the private keys, newest first.
    pub fn new(live: &[TokenKey]) -> anyhow::Result<Ring> {
        let mut ring = Ring {
            keys: Vec::new(),
            signer: live
                .iter()
                .position(|key| key.is_ripe)
                .unwrap_or(live.len() - 1),
            published: JwkSet { keys: Vec::new() },
        };
        for key in live {
            let private = EncodingKey::from_ed_der(&[&PKCS8[..], &key.seed].concat());
            let mut jwk = Jwk::from_encoding_key(&private, Algorithm::EdDSA)
                .context("the token key is no Ed25519 key")?;
            let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
            jwk.common.key_id = Some(kid.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            let public = DecodingKey::from_jwk(&jwk)?;
            ring.published.keys.push(jwk);
            ring.keys.push(Key {
                kid,
                private,
                public,
            });
        }
        Ok(ring)
    }

    /// The key that signs now.
    pub fn signer(&self) -> &Key {
        &self.keys[self.signer]
    }

    /// The key of that name, when it is live.
    pub fn named(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}
