//! Passwords: Argon2id, with the parameters OWASP recommends (19 MiB, two passes, one lane).
//!
//! Making a hash draws a salt, which makes this file the one in the slice that is not pure. Both
//! functions take tens of milliseconds and are called where blocking is allowed.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The hash of no password anybody knows, with today's parameters: what a password is compared
/// with when the login is unknown, so that the answer takes as long.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$6Ej3GpQm3XqkYvV1u3cEo0h1bq8m0J9mZr1mQyQwS2c";

/// What is kept of a password, in the PHC format.
pub fn hash(password: &str) -> anyhow::Result<String> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// Whether this is the password, with the parameters it was hashed with.
pub fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_from_others() {
        let kept = hash("correct horse battery").unwrap();
        assert!(is_right("correct horse battery", &kept));
        assert!(!is_right("correct horse batterx", &kept));
        assert!(!is_right("correct horse battery", "not a hash"));
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let parameters = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(
            parameters(NOBODY),
            parameters(&hash("anything at all").unwrap())
        );
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
