//! Codes of the moment, after RFC 6238: six digits of an HMAC-SHA1, another every thirty seconds, with one
//! step either way for clocks that are apart.
//!
//! The secret that an authenticator is given is the first 20 bytes of HMAC-SHA256, under a key of the hub's,
//! of the person's id and a version. So it is written down nowhere, every hub knows it, and another version
//! is another secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use totp_rs::{Builder, Totp};

/// What a person's authenticator and the hub share.
pub struct Secret(totp_rs::Secret);

impl Secret {
    /// The secret of a version of a person's second factor.
    pub fn of(key: &[u8; 32], person: i64, version: i32) -> Secret {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&person.to_be_bytes());
        mac.update(&version.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let mut secret = [0; 20];
        secret.copy_from_slice(&digest[..20]);
        Secret(totp_rs::Secret::new_stack(secret))
    }

    /// The secret that somebody wrote down as [`Secret::show`] does.
    pub fn parse(text: &str) -> Option<Secret> {
        let text = text.trim().to_ascii_uppercase();
        let secret = totp_rs::Secret::try_from_base32(text).ok()?;
        (secret.as_bytes().len() == 20).then_some(Secret(secret))
    }

    /// In base32, as authenticators take it.
    pub fn show(&self) -> String {
        self.0.to_base32()
    }

    /// As what is behind a QR code.
    pub fn url(&self, issuer: &str, login: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("secret", &self.show())
            .append_pair("issuer", issuer)
            .finish();
        format!("otpauth://totp/{issuer}:{login}?{query}")
    }

    /// The code of an instant, in seconds since 1970.
    pub fn code(&self, at: i64) -> String {
        self.totp().generate(at.unsigned_abs()).to_string()
    }

    /// The step that a code is of, when it is of this one or one beside it.
    pub fn step_of(&self, code: &str, now: i64) -> Option<i64> {
        let step = self.totp().check(code, now.unsigned_abs())?;
        i64::try_from(step).ok()
    }

    fn totp(&self) -> Totp {
        Builder::new()
            .with_secret(self.0.clone())
            .build_noncompliant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of appendix B of RFC 6238, and its values with six digits instead of eight.
    #[test]
    fn the_published_codes_are_found_within_a_step() {
        let secret = Secret(totp_rs::Secret::new_stack(*b"12345678901234567890"));
        for (at, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code(at), code);
            for beside in [-30, 0, 30] {
                assert_eq!(secret.step_of(code, at + beside), Some(at / 30), "{at}");
            }
            assert_eq!(secret.step_of(code, at + 60), None);
            assert!(at < 60 || secret.step_of(code, at - 60).is_none());
        }
        for wrong in ["", "28708", "2870822", "+87082", "28708a", "２８７０８２"] {
            assert_eq!(secret.step_of(wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_authenticators_take_it_and_read_again() {
        let secret = Secret(totp_rs::Secret::new_stack(*b"12345678901234567890"));
        let shown = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(secret.show(), shown);
        assert_eq!(
            secret.url("Interline", "ada@hub"),
            format!("otpauth://totp/Interline:ada@hub?secret={shown}&issuer=Interline")
        );
        for text in [shown, &shown.to_lowercase(), &format!(" {shown}\n")] {
            assert_eq!(
                Secret::parse(text).map(|it| it.show()).as_deref(),
                Some(shown)
            );
        }
        for text in ["", "GEZDGNBVGY3TQOJQ", "not base32!"] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_person_and_version_has_a_secret_of_its_own() {
        let shown = Secret::of(&[7; 32], 1, 1).show();
        for other in [
            Secret::of(&[7; 32], 1, 2),
            Secret::of(&[7; 32], 2, 1),
            Secret::of(&[8; 32], 1, 1),
        ] {
            assert_ne!(other.show(), shown);
        }
    }
}
