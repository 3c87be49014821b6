//! What somebody sets a first password with: `inv_` and 256 random bits as 43 characters. Only a hash of it is
//! kept; a plain SHA-256 is enough, because nobody can try that many.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The invitation made of some random bytes.
pub fn of(random: [u8; 32]) -> String {
    format!("inv_{}", URL_SAFE_NO_PAD.encode(random))
}

/// What is kept of an invitation.
pub fn hash(invitation: &str) -> Vec<u8> {
    Sha256::digest(invitation.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_needs_no_escaping() {
        let invitation = of([0xff; 32]);
        assert_eq!(invitation.len(), 47);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(invitation.bytes().all(plain));
        assert_ne!(hash(&invitation), hash(&of([0; 32])));
    }
}
