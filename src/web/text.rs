//! Texts that callers send, each right by construction.
//!
//! | type       | for                            | rule                                         |
//! |------------|--------------------------------|----------------------------------------------|
//! | [`Name`]   | people read it                 | 1 to 120 characters in NFC, none invisible to the point of harm |
//! | [`Code`]   | partners and currencies        | `^[A-Z][A-Z0-9]{1,15}$`                      |
//! | [`Number`] | a member, in its programme     | 1 to 64 visible ASCII characters             |
//! | [`Reference`] | an operation, at its partner | 1 to 128 printable ASCII characters, no space at either end |
//! | [`Mark`]   | a channel or a place, at its partner | 1 to 64 of letters, digits and `._:-`   |
//! | [`Word`]   | what conditions ask by         | `^[a-z0-9_]{1,40}$`                          |
//! | [`Fact`]   | what conditions compare        | 1 to 60 characters in NFC, as a name, no space at either end |

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A name, kept as given but composed (NFC), so that equal names are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The code of a partner or a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

/// A membership number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number(String);

/// What a partner calls an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

/// A partner's own code for a channel or a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(String);

/// The name of a claim or of a channel, as rate cards ask for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Word(String);

/// What a claim says: compared whole, so that `Gold` is not `gold`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fact(String);

impl TryFrom<String> for Mark {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Mark, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        match (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Mark(text)),
            false => Err("a code is 1 to 64 of letters, digits and . _ : -"),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Name, Self::Error> {
        let composed: String = text.nfc().collect();
        if !(1..=120).contains(&composed.chars().count()) {
            return Err("a name has 1 to 120 characters");
        }
        if composed.chars().any(is_harmful) {
            return Err(
                "a name has no control characters and none that turn the direction of the text",
            );
        }
        if !composed.chars().any(char::is_alphanumeric) {
            return Err("a name has at least one letter or digit");
        }
        Ok(Name(composed))
    }
}

impl TryFrom<String> for Code {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Code, Self::Error> {
        let starts_with_letter = text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_uppercase());
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !starts_with_letter || !plain || !(2..=16).contains(&text.len()) {
            return Err("a code is 2 to 16 of A to Z and 0 to 9, beginning with a letter");
        }
        Ok(Code(text))
    }
}

impl TryFrom<String> for Number {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Number, Self::Error> {
        if !(1..=64).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a membership number is 1 to 64 visible ASCII characters");
        }
        Ok(Number(text))
    }
}

impl TryFrom<String> for Reference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Reference, Self::Error> {
        let printable = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !(1..=128).contains(&text.len()) || !printable || text.trim() != text {
            return Err(
                "a reference is 1 to 128 printable ASCII characters without a space at either end",
            );
        }
        Ok(Reference(text))
    }
}

impl TryFrom<String> for Word {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Word, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        match (1..=40).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Word(text)),
            false => Err("a word is 1 to 40 of a to z, 0 to 9 and _"),
        }
    }
}

impl TryFrom<String> for Fact {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Fact, Self::Error> {
        let composed: String = text.nfc().collect();
        let is_short = (1..=60).contains(&composed.chars().count());
        let is_read = composed.chars().any(char::is_alphanumeric);
        match is_short
            && is_read
            && !composed.chars().any(is_harmful)
            && composed.trim() == composed
        {
            true => Ok(Fact(composed)),
            false => Err(
                "a value is 1 to 60 printable characters, one of them a letter or digit, without a space at either end",
            ),
        }
    }
}

/// Whether a character can make a text look like another: controls, overrides of direction, line
/// separators, byte order marks. Joiners stay: Persian and families of emoji need them.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || (c as u32 & 0xfffe) == 0xfffe
}

macro_rules! reads_as_text {
    ($($text:ident),*) => { $(
        impl std::ops::Deref for $text {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<$text> for String {
            fn from(text: $text) -> String {
                text.0
            }
        }
    )* };
}

reads_as_text!(Name, Code, Number, Reference, Mark, Word, Fact);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_composed_and_otherwise_as_given() {
        assert_eq!(
            &*Name::try_from("Cafe\u{301}".to_owned()).unwrap(),
            "Caf\u{e9}"
        );
        for name in ["航翼航空", "𠮷野家", "O'Brien & Sons", " 灣景酒店 ", "عربي"] {
            assert_eq!(&*Name::try_from(name.to_owned()).unwrap(), name);
        }
    }

    #[test]
    fn names_that_mislead_are_refused() {
        let long = "x".repeat(121);
        for name in [
            "",
            "  ",
            "a\0b",
            "a\nb",
            "\u{200b}\u{200d}",
            "a\u{202e}b",
            "\u{feff}a",
            "a\u{ffff}",
            &long,
        ] {
            assert!(Name::try_from(name.to_owned()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn words_are_lowercase_and_facts_are_printable() {
        for word in ["tier", "a", "visa_infinite", "2", &"x".repeat(40)] {
            assert!(Word::try_from(word.to_owned()).is_ok(), "{word}");
        }
        for word in ["", "Tier", "a b", "a-b", "é", "a\n", &"x".repeat(41)] {
            assert!(Word::try_from(word.to_owned()).is_err(), "{word:?}");
        }
        for fact in ["gold", "Platinum Charge", "白金卡", "A+", "Cafe\u{301}"] {
            assert!(Fact::try_from(fact.to_owned()).is_ok(), "{fact}");
        }
        for fact in [
            "",
            " ",
            " a",
            "a ",
            "a\0",
            "a\n",
            "+",
            "a\u{202e}b",
            &"x".repeat(61),
        ] {
            assert!(Fact::try_from(fact.to_owned()).is_err(), "{fact:?}");
        }
    }

    #[test]
    fn codes_numbers_and_references_are_plain() {
        for code in ["AERO", "A1", "ABCDEFGHIJKLMNOP"] {
            assert!(Code::try_from(code.to_owned()).is_ok(), "{code}");
        }
        for code in [
            "",
            "A",
            "1A",
            "aero",
            "AE-RO",
            "ÄRO",
            "ABCDEFGHIJKLMNOPQ",
            "AERO\n",
        ] {
            assert!(Code::try_from(code.to_owned()).is_err(), "{code:?}");
        }
        assert!(Number::try_from("CX-00/1.x".to_owned()).is_ok());
        for number in ["", "a b", "a\0", "１２", &"9".repeat(65)] {
            assert!(Number::try_from(number.to_owned()).is_err(), "{number:?}");
        }
        assert!(Reference::try_from("order 12 of May".to_owned()).is_ok());
        for reference in ["", " a", "a ", "a\tb", "訂單"] {
            assert!(
                Reference::try_from(reference.to_owned()).is_err(),
                "{reference:?}"
            );
        }
    }
}
