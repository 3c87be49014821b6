//! Exposures: how much of what it may owe each partner owes now.
//!
//! From the balance of each position as it is at the instant, and the terms that were agreed to: the same figures
//! by which the ledger refuses what would go beyond. `interline verify` makes the balances again from single rows.

pub mod api;

use crate::db::Connection;
use crate::error::Error;
use crate::ledger::caps::{self, Standing};
use crate::partners::{Directory, Partner};

/// Every partner that is in the books, the fullest first; who has no limit comes last.
pub async fn list<'d>(
    conn: &mut Connection,
    directory: &'d Directory,
) -> Result<Vec<(&'d Partner, Standing)>, Error> {
    let mut all = Vec::new();
    for partner in directory.partners() {
        all.push((partner, caps::standing(conn, partner).await?));
    }
    all.sort_by_cached_key(|(partner, standing)| {
        let used = used(standing).map_or(i64::MAX, |used| -used);
        (used, partner.code.clone())
    });
    Ok(all)
}

/// How much of its limit is used, in ten-thousandths, rounded up; none without a limit.
pub fn used(standing: &Standing) -> Option<i64> {
    if !standing.terms.is_limited() {
        return None;
    }
    let counted = i128::from(standing.counted().0.max(0));
    let limit = i128::from(standing.terms.limit(standing.now));
    let used = match (counted, limit) {
        (0, _) => 0,
        (_, 0) => i128::from(i64::MAX),
        _ => -(-counted * 10_000).div_euclid(limit),
    };
    Some(i64::try_from(used).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::ledger::caps::owed::Owed;
    use crate::ledger::caps::terms::Terms;
    use crate::points::money::Micros;

    fn standing(owed: i64, cap: Option<i64>) -> Standing {
        let terms = Terms {
            cap: cap.map(Micros),
            ..Terms::NONE
        };
        Standing {
            terms,
            sums: Owed { owed, credited: 0 },
            now: clock::ALWAYS,
            warned_since: None,
            proposed: None,
        }
    }

    #[test]
    fn a_part_is_rounded_up_and_nothing_of_nothing_is_nothing() {
        for (owed, cap, expected) in [
            (1, Some(3), Some(3_334)),
            (3, Some(3), Some(10_000)),
            (0, Some(0), Some(0)),
            (1, Some(0), Some(i64::MAX)),
            (-5, Some(3), Some(0)),
            (5, None, None),
        ] {
            assert_eq!(used(&standing(owed, cap)), expected, "{owed} {cap:?}");
        }
    }
}
