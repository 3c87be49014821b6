//! The letters of a webhook check, and what is to become of each.
//!
//! A receiver that verifies as the Standard Webhooks specification says takes the first three and refuses the
//! others, whatever library it uses.

use crate::webhooks::courier;
use crate::webhooks::signature::Secret;

/// A letter, and what is done to it before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    Right,
    Repeated,
    Rotating,
    Unsigned,
    Foreign,
    AlteredBody,
    OtherId,
    OtherTime,
    Old,
}

use Trial::{AlteredBody, Foreign, Old, OtherId, OtherTime, Repeated, Right, Rotating, Unsigned};

/// How old the old one is, in seconds: twice what verifying libraries let pass.
const AGE: i64 = 10 * 60;

impl Trial {
    /// In the order in which they are told. The first is sent first.
    pub const ALL: [Trial; 9] = [
        Right,
        Repeated,
        Rotating,
        Unsigned,
        Foreign,
        AlteredBody,
        OtherId,
        OtherTime,
        Old,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Right => "signed as it should be",
            Repeated => "the same once more",
            Rotating => "with a signature of another secret before the right one",
            Unsigned => "without a signature",
            Foreign => "signed with another secret",
            AlteredBody => "with another body than was signed",
            OtherId => "with another id than was signed",
            OtherTime => "with another timestamp than was signed",
            Old => "signed ten minutes ago",
        }
    }

    pub fn is_to_be_taken(self) -> bool {
        matches!(self, Right | Repeated | Rotating)
    }

    /// Whether an answer of this status is the right one: 2xx takes, 4xx refuses, all else is neither.
    pub fn is_met_by(self, status: Option<u16>) -> bool {
        let (takes, refuses) = (200..300, 400..500);
        match self.is_to_be_taken() {
            true => status.is_some_and(|it| takes.contains(&it)),
            false => status.is_some_and(|it| refuses.contains(&it)),
        }
    }

    /// The letter, of a message that is sent at `now` (seconds since 1970).
    pub fn letter(
        self,
        (id, body): (&str, &[u8]),
        now: i64,
        secret: &Secret,
        other: &Secret,
    ) -> courier::Letter {
        let right = secret.sign(id, now, body);
        let foreign = other.sign(id, now, body);
        let mut letter = courier::Letter {
            id: id.to_owned(),
            timestamp: now,
            signatures: right.clone(),
            body: body.to_owned(),
        };
        match self {
            Right | Repeated => {}
            Rotating => letter.signatures = format!("{foreign} {right}"),
            Unsigned => letter.signatures = String::new(),
            Foreign => letter.signatures = foreign,
            // A space more is the same JSON, and another body.
            AlteredBody => letter.body.push(b' '),
            OtherId => letter.id.push('0'),
            OtherTime => letter.timestamp += 1,
            Old => {
                letter.timestamp -= AGE;
                letter.signatures = secret.sign(id, letter.timestamp, body);
            }
        }
        letter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the specification asks of a receiver.
    fn verifies(letter: &courier::Letter, secret: &Secret, now: i64) -> bool {
        let right = secret.sign(&letter.id, letter.timestamp, &letter.body);
        let is_signed = letter.signatures.split(' ').any(|one| one == right);
        is_signed && (now - letter.timestamp).abs() <= 5 * 60
    }

    #[test]
    fn who_verifies_as_the_specification_says_passes_and_who_skips_anything_does_not() {
        let (secret, other) = (Secret::of(&[1; 32], 1, 1), Secret::of(&[2; 32], 1, 1));
        let now = 1_900_000_000;
        for trial in Trial::ALL {
            let letter = trial.letter(("evt_1", b"{}"), now, &secret, &other);
            let is_taken = verifies(&letter, &secret, now);
            assert_eq!(is_taken, trial.is_to_be_taken(), "{}", trial.name());
            // Taking everything, refusing everything, breaking and redirecting pass in no trial of the other sort.
            assert_eq!(trial.is_met_by(Some(204)), trial.is_to_be_taken());
            assert_eq!(trial.is_met_by(Some(401)), !trial.is_to_be_taken());
            for neither in [None, Some(302), Some(500)] {
                assert!(!trial.is_met_by(neither));
            }
        }
    }
}
