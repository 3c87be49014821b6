//! Two accounts of one day, compared entry by entry.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many differences are told one by one.
pub const TOLD: usize = 1_000;

/// On which side of a member's account an entry is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Taken from a member, and transferred in.
    Debit,
    /// Given to a member, as the hub asked for.
    Credit,
}

/// In what two accounts differ about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The amounts are not the same.
    Amount,
    /// The file has it more than once.
    Twice,
    /// The hub does not have it on that day.
    NotHere,
    /// The file does not have it.
    NotThere,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub side: Side,
    pub reference: String,
    pub why: Why,
    /// In the currency's smallest unit.
    pub here: Option<i64>,
    pub there: Option<i64>,
}

/// The sums of one side, in the currency's smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    #[serde(with = "as_text")]
    pub here: i128,
    #[serde(with = "as_text")]
    pub there: i128,
}

/// A number that JSON's may be too small for.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Entries that are the same in both.
    pub agreed: u64,
    pub differing: u64,
    /// The first of those that differ: those of the file in its order, then those it does not have.
    pub differences: Vec<Difference>,
    pub debits: Sums,
    pub credits: Sums,
}

/// What the hub has, against which a file is read.
pub struct Comparison {
    here: HashMap<(Side, String), (i64, bool)>,
    outcome: Outcome,
}

impl Comparison {
    pub fn of(here: impl IntoIterator<Item = (Side, String, i64)>) -> Comparison {
        let mut comparison = Comparison {
            here: HashMap::new(),
            outcome: Outcome::default(),
        };
        for (side, reference, amount) in here {
            comparison.sums(side).here += i128::from(amount);
            comparison.here.insert((side, reference), (amount, false));
        }
        comparison
    }

    fn sums(&mut self, side: Side) -> &mut Sums {
        match side {
            Side::Debit => &mut self.outcome.debits,
            Side::Credit => &mut self.outcome.credits,
        }
    }

    /// The next entry of the file.
    pub fn take(&mut self, side: Side, reference: &str, there: i64) {
        self.sums(side).there += i128::from(there);
        let known = self.here.get_mut(&(side, reference.to_owned()));
        let (why, here) = match known {
            None => (Why::NotHere, None),
            Some((amount, true)) => (Why::Twice, Some(*amount)),
            Some((amount, is_taken)) => {
                *is_taken = true;
                if *amount == there {
                    self.outcome.agreed += 1;
                    return;
                }
                (Why::Amount, Some(*amount))
            }
        };
        self.differs(Difference {
            side,
            reference: reference.to_owned(),
            why,
            here,
            there: Some(there),
        });
    }

    /// The end of the file.
    pub fn finish(mut self) -> Outcome {
        let here = std::mem::take(&mut self.here).into_iter();
        let left = here.filter(|(_, (_, is_taken))| !is_taken);
        let mut left: Vec<_> = left.map(|(entry, (amount, _))| (entry, amount)).collect();
        left.sort_unstable();
        for ((side, reference), amount) in left {
            self.differs(Difference {
                side,
                reference,
                why: Why::NotThere,
                here: Some(amount),
                there: None,
            });
        }
        self.outcome
    }

    fn differs(&mut self, difference: Difference) {
        self.outcome.differing += 1;
        if self.outcome.differences.len() < TOLD {
            self.outcome.differences.push(difference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Comparison {
        Comparison::of([
            (Side::Debit, "d 1".to_owned(), 100),
            (Side::Debit, "d 2".to_owned(), 50),
            (Side::Credit, "d 1".to_owned(), 7),
        ])
    }

    #[test]
    fn the_same_entries_in_any_order_agree() {
        let mut comparison = here();
        comparison.take(Side::Credit, "d 1", 7);
        comparison.take(Side::Debit, "d 2", 50);
        comparison.take(Side::Debit, "d 1", 100);
        let outcome = comparison.finish();
        assert_eq!((outcome.agreed, outcome.differing), (3, 0));
        assert_eq!(
            outcome.debits,
            Sums {
                here: 150,
                there: 150
            }
        );
        assert_eq!(outcome.credits, Sums { here: 7, there: 7 });
    }

    #[test]
    fn each_difference_says_what_it_is() {
        let mut comparison = here();
        comparison.take(Side::Debit, "d 1", 90);
        comparison.take(Side::Debit, "d 1", 100);
        comparison.take(Side::Debit, "d 9", 1);
        comparison.take(Side::Credit, "d 1", 7);
        let outcome = comparison.finish();
        let told: Vec<_> = outcome
            .differences
            .iter()
            .map(|it| (it.side, &*it.reference, it.why, it.here, it.there))
            .collect();
        assert_eq!(
            told,
            [
                (Side::Debit, "d 1", Why::Amount, Some(100), Some(90)),
                (Side::Debit, "d 1", Why::Twice, Some(100), Some(100)),
                (Side::Debit, "d 9", Why::NotHere, None, Some(1)),
                (Side::Debit, "d 2", Why::NotThere, Some(50), None),
            ]
        );
        assert_eq!((outcome.agreed, outcome.differing), (1, 4));
    }

    #[test]
    fn so_many_are_told_and_all_are_counted() {
        let mut comparison = Comparison::of([]);
        for nth in 0..=TOLD {
            comparison.take(Side::Credit, &nth.to_string(), 1);
        }
        let outcome = comparison.finish();
        assert_eq!(outcome.differing, TOLD as u64 + 1);
        assert_eq!(outcome.differences.len(), TOLD);
    }

    #[test]
    fn the_greatest_amounts_are_summed() {
        let mut comparison = Comparison::of([]);
        comparison.take(Side::Debit, "a", i64::MAX);
        comparison.take(Side::Debit, "b", i64::MAX);
        let outcome = comparison.finish();
        assert_eq!(outcome.debits.there, 2 * i128::from(i64::MAX));
        let kept = serde_json::to_value(&outcome).unwrap();
        assert_eq!(serde_json::from_value::<Outcome>(kept).unwrap(), outcome);
    }
}
