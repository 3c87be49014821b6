//! What a person sends with each request: `ses_` and 256 random bits as 43 characters. Only a hash of it is
//! kept; a plain SHA-256 is enough, because nobody can try that many.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const PREFIX: &str = "ses_";
const LENGTH: usize = PREFIX.len() + 43;

/// The token made of some random bytes.
pub fn of(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// What is kept of a token.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Whether a text may be one, for which the database is then asked.
pub fn is_one(text: &str) -> bool {
    text.len() == LENGTH && text.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_what_partners_send() {
        let token = of([0xff; 32]);
        assert!(is_one(&token));
        for other in ["", "ses_", "eyJhbGciOiJFZERTQSJ9.e30.x", &token[1..]] {
            assert!(!is_one(other), "{other}");
        }
        assert!(!is_one(&format!("{token}x")));
        assert_ne!(hash(&token), hash(&of([0xfe; 32])));
    }
}
