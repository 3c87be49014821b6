//! The code of a conversion that is delivered by code: 30 letters and digits in groups of five, as
//! `7ZB3K-0F9QT-M2C4X-...`.
//!
//! The first 13 are the 64 bits of the conversion's public id, so that it can be found; the other 17 are
//! 85 bits of a hash that only the hub can make, so that a code cannot be guessed. It is worked out anew
//! each time and kept nowhere. The alphabet is Crockford's: no I, L, O or U; who reads one of the first
//! three as a digit, or leaves the groups out, is understood.

use subtle::ConstantTimeEq;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many characters name the conversion, and how many prove it.
const NAME: usize = 13;
const PROOF: usize = 17;

const GROUP: usize = 5;

/// Bits of a character.
const BITS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The digits of the conversion's public id.
    pub name: u64,
    proof: u128,
}

impl Code {
    pub fn of(name: u64, hash: Uuid) -> Code {
        Code {
            name,
            proof: hash.as_u128() >> (u128::BITS as usize - PROOF * BITS),
        }
    }

    /// What a text says; none when it cannot be a code.
    pub fn read(text: &str) -> Option<Code> {
        let characters = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let values: Vec<u128> = characters.map(value).collect::<Option<_>>()?;
        if values.len() != NAME + PROOF {
            return None;
        }
        let number = |values: &[u128]| values.iter().fold(0, |sum, value| sum << BITS | value);
        Some(Code {
            name: u64::try_from(number(&values[..NAME])).ok()?,
            proof: number(&values[NAME..]),
        })
    }

    /// Whether two are the same, without telling by the time it takes how much of them is.
    pub fn is(&self, other: &Code) -> bool {
        let bytes = |code: &Code| (code.name.to_be_bytes(), code.proof.to_be_bytes());
        let (one, two) = (bytes(self), bytes(other));
        bool::from(one.0.ct_eq(&two.0) & one.1.ct_eq(&two.1))
    }

    pub fn text(&self) -> String {
        let name = digits(self.name.into(), NAME);
        let all: Vec<char> = name.chain(digits(self.proof, PROOF)).collect();
        let groups: Vec<String> = all.chunks(GROUP).map(|it| it.iter().collect()).collect();
        groups.join("-")
    }
}

/// A number in so many characters.
fn digits(number: u128, length: usize) -> impl Iterator<Item = char> {
    let digit = move |nth: usize| ALPHABET[(number >> (nth * BITS)) as usize % ALPHABET.len()];
    (0..length).rev().map(move |nth| char::from(digit(nth)))
}

fn value(byte: u8) -> Option<u128> {
    let read = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    let place = ALPHABET.iter().position(|digit| *digit == read)?;
    Some(place as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: u64, hash: u128) -> Code {
        Code::of(name, Uuid::from_u128(hash))
    }

    #[test]
    fn a_code_reads_as_it_is_written_also_by_hand() {
        for (name, hash) in [
            (0, 0),
            (u64::MAX, u128::MAX),
            (1, 1 << 43),
            (0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef << 50),
        ] {
            let code = code(name, hash);
            let text = code.text();
            assert_eq!((text.len(), text.matches('-').count()), (35, 5), "{text}");
            let by_hand = text.to_lowercase().replace('-', " ").replace('0', "o");
            for read in [
                text.clone(),
                by_hand.replace('1', "l"),
                text.replace('-', ""),
            ] {
                let read = Code::read(&read).expect(&read);
                assert!(read == code && read.is(&code), "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        let right = code(7, u128::MAX / 3).text();
        let cases = [
            "".to_owned(),
            right[1..].to_owned(),
            format!("{right}0"),
            right.replace('A', "U"),
            right.replacen('0', "é", 1),
            // More than 64 bits of a name.
            right.replacen('0', "Z", 1),
        ];
        for text in cases {
            assert_eq!(Code::read(&text), None, "{text}");
        }
    }

    #[test]
    fn another_name_or_proof_is_another_code() {
        let one = code(7, 1 << 60);
        assert!(one.is(&code(7, 1 << 60)));
        assert!(!one.is(&code(8, 1 << 60)) && !one.is(&code(7, 1 << 61)));
        assert!(
            !one.is(&code(7, (1 << 60) | (1 << 43))),
            "the last bit counts"
        );
    }
}
