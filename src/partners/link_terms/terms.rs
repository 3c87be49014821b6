//! What a programme asks before points of its members leave it.
//!
//! | term                | asks                                                                          |
//! |---------------------|-------------------------------------------------------------------------------|
//! | `cooling_off_hours` | that a link is so old before anything is converted over it                    |
//! | `max_age`           | that a member, when it converts itself, proved itself so few seconds ago      |
//! | `acr_values`        | and in one of these ways, by the partner's own names                          |

use chrono::Duration;

use crate::access::Proof;
use crate::access::who::is_acr;
use crate::clock::Timestamp;

/// The terms of a programme; that of one which asks for nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkTerms {
    pub cooling_off_hours: u32,
    pub step_up: StepUp,
}

/// What a member has to prove (RFC 9470).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepUp {
    /// In seconds.
    pub max_age: Option<u32>,
    /// The best one first; any will do. None asks for none.
    pub acr_values: Vec<String>,
}

/// The link is too young.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoolingOff {
    pub ends_at: Timestamp,
}

/// Which term cannot be, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTerm {
    pub pointer: &'static str,
    pub rule: &'static str,
}

/// A year.
const HOURS: u32 = 8_760;
const SECONDS: u32 = HOURS * 3_600;
const ACR_VALUES: usize = 10;

impl LinkTerms {
    pub fn check(&self) -> Result<(), BadTerm> {
        let bad = |pointer, rule| Err(BadTerm { pointer, rule });
        let StepUp {
            max_age,
            acr_values,
        } = &self.step_up;
        if self.cooling_off_hours > HOURS {
            return bad("/cooling_off_hours", "0 to 8760 hours");
        }
        if max_age.is_some_and(|age| !(1..=SECONDS).contains(&age)) {
            return bad("/step_up/max_age", "1 to 31536000 seconds, or null");
        }
        if acr_values.len() > ACR_VALUES || !acr_values.iter().all(|acr| is_acr(acr)) {
            let rule = "at most 10, each up to 128 visible ASCII characters without spaces, quotes and backslashes";
            return bad("/step_up/acr_values", rule);
        }
        let is_twice = |nth: usize| acr_values[..nth].contains(&acr_values[nth]);
        if (0..acr_values.len()).any(is_twice) {
            return bad("/step_up/acr_values", "each of them once");
        }
        Ok(())
    }

    /// Until when nothing is converted over a link of then; none when it is old enough.
    pub fn cools_until(&self, linked_at: Option<Timestamp>, now: Timestamp) -> Option<CoolingOff> {
        let hours = Duration::hours(self.cooling_off_hours.into());
        let ends_at = linked_at? + hours;
        (now < ends_at).then_some(CoolingOff { ends_at })
    }
}

impl StepUp {
    /// Whether what a member proved is recent and strong enough at `now`, in seconds since 1970.
    pub fn is_met(&self, proof: &Proof, now: i64) -> bool {
        let is_young = |age: u32| {
            let proved = proof.auth_time;
            proved.is_some_and(|at| now.saturating_sub(at) <= age.into())
        };
        let is_strong = self.acr_values.is_empty()
            || proof
                .acr
                .as_ref()
                .is_some_and(|acr| self.acr_values.contains(acr));
        self.max_age.is_none_or(is_young) && is_strong
    }
}

impl std::fmt::Display for LinkTerms {
    /// For the audit trail.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cooling-off {} h", self.cooling_off_hours)?;
        if let Some(age) = self.step_up.max_age {
            write!(f, "; proof within {age} s")?;
        }
        match &self.step_up.acr_values[..] {
            [] => Ok(()),
            some => write!(f, "; by {}", some.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn terms(cooling_off_hours: u32, max_age: Option<u32>, acr_values: &[&str]) -> LinkTerms {
        LinkTerms {
            cooling_off_hours,
            step_up: StepUp {
                max_age,
                acr_values: acr_values.iter().map(|acr| acr.to_string()).collect(),
            },
        }
    }

    #[test]
    fn terms_that_cannot_be_are_named() {
        assert_eq!(LinkTerms::default().check(), Ok(()));
        let most = terms(8_760, Some(31_536_000), &["urn:x:2fa", "pin"]);
        assert_eq!(most.check(), Ok(()));
        let many: Vec<String> = (0..11).map(|nth| nth.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (terms, pointer) in [
            (terms(8_761, None, &[]), "/cooling_off_hours"),
            (terms(0, Some(0), &[]), "/step_up/max_age"),
            (terms(0, Some(31_536_001), &[]), "/step_up/max_age"),
            (terms(0, None, &[""]), "/step_up/acr_values"),
            (terms(0, None, &["a b"]), "/step_up/acr_values"),
            (terms(0, None, &["a\"b"]), "/step_up/acr_values"),
            (terms(0, None, &["a", "b", "a"]), "/step_up/acr_values"),
            (terms(0, None, &many), "/step_up/acr_values"),
        ] {
            assert_eq!(terms.check().unwrap_err().pointer, pointer, "{terms:?}");
        }
    }

    #[test]
    fn a_link_cools_off_to_the_instant_and_what_was_never_linked_does_not() {
        let linked = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (day, end) = (terms(24, None, &[]), linked + Duration::hours(24));
        let last = end - Duration::microseconds(1);
        let cooling = Some(CoolingOff { ends_at: end });
        assert_eq!(day.cools_until(Some(linked), linked), cooling);
        assert_eq!(day.cools_until(Some(linked), last), cooling);
        assert_eq!(day.cools_until(Some(linked), end), None);
        assert_eq!(day.cools_until(None, linked), None);
        let none = LinkTerms::default();
        assert_eq!(none.cools_until(Some(linked), linked), None);
    }

    #[test]
    fn a_proof_is_as_recent_and_as_strong_as_is_asked() {
        let proof = |auth_time, acr: Option<&str>| Proof {
            auth_time,
            acr: acr.map(str::to_owned),
        };
        let is_met = |terms: &LinkTerms, proof: &Proof| terms.step_up.is_met(proof, 1_000);
        let nothing = proof(None, None);
        assert!(is_met(&terms(9, None, &[]), &nothing));

        let recent = terms(0, Some(300), &[]);
        for (auth_time, met) in [
            (None, false),
            (Some(699), false),
            (Some(700), true),
            (Some(1_030), true),
        ] {
            assert_eq!(
                is_met(&recent, &proof(auth_time, None)),
                met,
                "{auth_time:?}"
            );
        }
        let strong = terms(0, None, &["2fa", "face"]);
        for (acr, met) in [(None, false), (Some("pin"), false), (Some("face"), true)] {
            assert_eq!(is_met(&strong, &proof(None, acr)), met, "{acr:?}");
        }
        let both = terms(0, Some(300), &["2fa"]);
        assert!(!is_met(&both, &proof(Some(999), None)));
        assert!(!is_met(&both, &proof(Some(600), Some("2fa"))));
        assert!(is_met(&both, &proof(Some(999), Some("2fa"))));
        assert!(!is_met(&both, &proof(Some(i64::MIN), Some("2fa"))));
    }

    #[test]
    fn terms_are_told_in_one_line() {
        assert_eq!(LinkTerms::default().to_string(), "cooling-off 0 h");
        let all = terms(24, Some(300), &["2fa", "face"]);
        assert_eq!(
            all.to_string(),
            "cooling-off 24 h; proof within 300 s; by 2fa face"
        );
    }
}
