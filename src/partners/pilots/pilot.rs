//! What a pilot lets a partner do: some acts, so many members, so much at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::partners::life::{Act, Acts};
use crate::points::account::Asset;

/// What no pilot bars: reading, saying for whom one acts, and putting right what was done.
pub const ALWAYS: [Act; 4] = [Act::Read, Act::ActForMembers, Act::Reverse, Act::Adjust];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pilot {
    /// What it opens, of what a pilot can bar.
    pub allows: BTreeSet<Act>,
    /// The most members of its programme.
    pub members: Option<i64>,
    /// The most of a currency in one operation, in smallest units; no matter how much where it is not named.
    pub most: BTreeMap<Asset, i64>,
}

impl Pilot {
    pub fn open(&self) -> Acts {
        Acts::of(self.allows.iter().copied().chain(ALWAYS))
    }

    /// Whether nothing that it lets is more than another pilot lets.
    pub fn is_within(&self, other: &Pilot) -> bool {
        let has_no_more = |own: Option<&i64>, others: &i64| own.is_some_and(|own| own <= others);
        let mut members = other.members.iter();
        let mut most = other.most.iter();
        self.allows.is_subset(&other.allows)
            && members.all(|others| has_no_more(self.members.as_ref(), others))
            && most.all(|(currency, others)| has_no_more(self.most.get(currency), others))
    }
}

/// Whether it takes something away, or nothing: what one person may do. No pilot lets everything.
pub fn narrows(before: Option<&Pilot>, after: Option<&Pilot>) -> bool {
    match (before, after) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(before), Some(after)) => after.is_within(before),
    }
}

/// As the audit trail has it: JSON, with currencies by their numbers.
impl fmt::Display for Pilot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pilot(allows: &[Act], members: Option<i64>, most: &[(Asset, i64)]) -> Pilot {
        Pilot {
            allows: allows.iter().copied().collect(),
            members,
            most: most.iter().copied().collect(),
        }
    }

    #[test]
    fn whatever_is_let_more_is_wider() {
        let acts = [Act::Award, Act::Redeem];
        let before = pilot(&acts, Some(100), &[(1000, 50)]);
        let narrower = [
            before.clone(),
            pilot(&acts[..1], Some(100), &[(1000, 50)]),
            pilot(&acts, Some(99), &[(1000, 50)]),
            pilot(&acts, Some(100), &[(1000, 49), (1001, 7)]),
            pilot(&[], Some(0), &[(1000, 50)]),
        ];
        for after in &narrower {
            assert!(narrows(Some(&before), Some(after)), "{after}");
        }
        let wider = [
            pilot(&[Act::Award, Act::Hold], Some(100), &[(1000, 50)]),
            pilot(&acts, Some(101), &[(1000, 50)]),
            pilot(&acts, None, &[(1000, 50)]),
            pilot(&acts, Some(100), &[(1000, 51)]),
            pilot(&acts, Some(1), &[(1001, 1)]),
        ];
        for after in &wider {
            assert!(!narrows(Some(&before), Some(after)), "{after}");
        }
        assert!(narrows(None, Some(&wider[0])) && narrows(None, None));
        assert!(
            !narrows(Some(&before), None),
            "the end of a pilot opens all"
        );
    }

    #[test]
    fn a_pilot_comes_back_as_it_was_kept_and_bars_nothing_that_is_always_open() {
        let kept = pilot(&[Act::Award], None, &[(1000, 50)]);
        let read = serde_json::from_str(&kept.to_string());
        assert_eq!(read.ok(), Some(kept.clone()));
        for act in Act::ALL {
            let is_open = act == Act::Award || ALWAYS.contains(&act);
            assert_eq!(kept.open().has(act), is_open, "{}", act.name());
        }
    }
}
