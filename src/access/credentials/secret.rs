//! A client secret: 256 random bits as 43 characters. Only its hash is kept; a plain SHA-256 is
//! enough, because nobody can try that many.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The secret made of some random bytes.
pub fn of(random: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_43_characters_that_need_no_escaping() {
        let secret = of([0xff; 32]);
        assert_eq!(secret.len(), 43);
        assert!(
            secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        );
        assert_eq!(hash(&secret).len(), 32);
        assert_ne!(hash(&secret), hash(&of([0; 32])));
    }
}
