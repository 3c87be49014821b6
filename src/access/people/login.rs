//! What a person signs in as, and what may be a password.

use serde::{Deserialize, Serialize};

/// A login: 1 to 64 of a to z, 0 to 9, `.`, `_`, `@`, `-`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl TryFrom<String> for Login {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Login, Self::Error> {
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte)
        };
        if !(1..=64).contains(&text.len()) || !text.bytes().all(plain) {
            return Err("a login is 1 to 64 of a to z, 0 to 9, '.', '_', '@' and '-'");
        }
        Ok(Login(text))
    }
}

impl From<Login> for String {
    fn from(login: Login) -> String {
        login.0
    }
}

impl std::ops::Deref for Login {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Why a text is no password, following NIST SP 800-63B: long matters, kinds of characters do not.
pub fn check_password(password: &str) -> Result<(), &'static str> {
    match password.chars().count() {
        12..=256 => Ok(()),
        _ => Err("a password has 12 to 256 characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_plain_and_passwords_long() {
        assert!(Login::try_from("ada.lovelace@hub-1".to_owned()).is_ok());
        for login in ["", "Ada", "a b", "a\0", "阿達", &"a".repeat(65)] {
            assert!(Login::try_from(login.to_owned()).is_err(), "{login:?}");
        }
        assert!(check_password("一二三四五六七八九十甲乙").is_ok());
        assert!(check_password("short").is_err());
    }
}
