//! What a position owes, and what of it is counted.
//!
//! ```text
//! counted = unsettled debits − (1 − haircut) × unsettled credits
//!         = what is owed + haircut × what was credited, rounded up
//! ```
//!
//! Two sums are kept instead of one rounded figure, so that the order in which operations come, and who
//! wrote them, change nothing. What undoes a debit is a debit less, and not a credit that the haircut
//! takes a part of; what undoes a credit likewise. Nothing is reserved beside it: an operation posts its
//! money when it is decided.

use std::ops::{Add, AddAssign};

/// A ten-thousandth of a whole.
const WHOLE: i128 = 10_000;

/// Sums of a position, or how they change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owed {
    /// Debits less credits; below zero when the hub owes.
    pub owed: i64,
    /// Credits that were not undone.
    pub credited: i64,
}

impl Owed {
    /// What is counted at a haircut in ten-thousandths.
    pub fn counted(self, haircut: i16) -> i64 {
        let cut = -(-i128::from(self.credited) * i128::from(haircut)).div_euclid(WHOLE);
        let counted = i128::from(self.owed) + cut;
        i64::try_from(counted).unwrap_or(i64::MAX)
    }
}

impl Add for Owed {
    type Output = Owed;

    fn add(self, other: Owed) -> Owed {
        Owed {
            owed: self.owed + other.owed,
            credited: self.credited + other.credited,
        }
    }
}

impl AddAssign for Owed {
    fn add_assign(&mut self, other: Owed) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_counts_less_than_a_debit() {
        let cases = [
            (0, 0, 2_000, 0),
            // 100 owed, and 30 of it would be 130 without what was credited.
            (100, 30, 0, 100),
            (100, 30, 2_000, 106),
            (100, 30, 10_000, 130),
            (-30, 30, 2_000, -24),
            // Rounded up, so that nothing is counted too low.
            (-1, 1, 1, 0),
            (-3, 3, 5_000, -1),
            // In the slice of a writer that undid more credits than it saw.
            (3, -3, 5_000, 2),
        ];
        for (owed, credited, haircut, counted) in cases {
            let sums = Owed { owed, credited };
            assert_eq!(sums.counted(haircut), counted, "{sums:?} {haircut}");
        }
    }
}
