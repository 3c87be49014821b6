//! A liability roll-forward: what a brand's members held of a currency before a period, what came and went in it,
//! and what they hold after it.
//!
//! ```text
//! closing = opening + Σ (granted − taken)
//! ```
//!
//! A flow is named for the account on its other side: `issued`, `converted_in`, `bonus` and so on. What is undone
//! goes back through the account that it came through, so it is `taken` where it was granted before.

use crate::points::account::Account;

/// What moved between the holders of a currency and one account, in its smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// The account on the other side.
    pub through: Account,
    /// The same before the period, granted less taken.
    pub before: i64,
    pub granted: i64,
    pub taken: i64,
}

/// One currency's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollForward {
    pub opening: i64,
    /// Those of the period alone, in the order of their accounts.
    pub flows: Vec<Flow>,
    pub closing: i64,
}

impl RollForward {
    pub fn of(flows: impl IntoIterator<Item = Flow>) -> RollForward {
        let (mut opening, mut closing, mut moved) = (0, 0, Vec::new());
        for flow in flows {
            opening += flow.before;
            closing += flow.before + flow.granted - flow.taken;
            if flow.granted != 0 || flow.taken != 0 {
                moved.push(flow);
            }
        }
        RollForward {
            opening,
            flows: moved,
            closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::account::AccountKind;
    use proptest::prelude::*;

    fn flow(kind: AccountKind, before: i64, granted: i64, taken: i64) -> Flow {
        Flow {
            through: Account::of(kind, 1000),
            before,
            granted,
            taken,
        }
    }

    #[test]
    fn what_was_before_opens_and_is_no_flow() {
        let told = RollForward::of([
            flow(AccountKind::Issued, 500, 120, 20),
            flow(AccountKind::Redeemed, -200, 0, 50),
            flow(AccountKind::Expired, -10, 0, 0),
        ]);
        assert_eq!((told.opening, told.closing), (290, 340));
        let names = told.flows.iter().filter_map(|flow| flow.through.kind());
        let names: Vec<&str> = names.map(AccountKind::name).collect();
        assert_eq!(names, ["issued", "redeemed"]);
    }

    proptest! {
        #[test]
        fn it_adds_up(all in prop::collection::vec((-1_000_000i64..1_000_000, 0i64..1_000_000, 0i64..1_000_000), 0..8)) {
            let flows = all.iter().map(|(before, granted, taken)| flow(AccountKind::Issued, *before, *granted, *taken));
            let told = RollForward::of(flows);
            let moved: i64 = told.flows.iter().map(|flow| flow.granted - flow.taken).sum();
            prop_assert_eq!(told.opening + moved, told.closing);
        }
    }
}
