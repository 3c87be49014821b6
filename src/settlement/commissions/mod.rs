//! Commissions: what the hub earned of each partner, and what of that it gave back.
//!
//! ```text
//! charged    what a position paid to the hub's commission
//! returned   what came back of it, with reversals
//! net        charged − returned; over all partners and windows, the credit of the account
//! ```
//!
//! From the totals that are kept per window, so it costs the same however many operations there were.

pub mod api;

use std::collections::BTreeMap;

use crate::ledger::store::TotalRow;
use crate::points::account::{Account, AccountKind};

/// What one partner paid in commission by operations of one kind, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commission {
    pub charged: i64,
    pub returned: i64,
}

impl Commission {
    pub fn net(self) -> i64 {
        self.charged - self.returned
    }
}

/// The commissions in some totals, by position and the number of the kind of operation.
pub fn commissions(totals: &[TotalRow]) -> BTreeMap<(Account, i16), Commission> {
    let mut sums: BTreeMap<(Account, i16), Commission> = BTreeMap::new();
    for total in totals {
        let (debit, credit) = (Account(total.debit), Account(total.credit));
        let is = |payer: Account, hub: Account| {
            payer.is(AccountKind::Position) && hub.is(AccountKind::Commission)
        };
        if is(debit, credit) {
            sums.entry((debit, total.kind)).or_default().charged += total.amount;
        }
        if is(credit, debit) {
            sums.entry((credit, total.kind)).or_default().returned += total.amount;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_told_beside_what_was_charged_and_nothing_else_counts() {
        let of = |kind| Account::of(kind, 840);
        let (hub, payer) = (of(AccountKind::Commission), Account::position(1, 840));
        let total = |kind, debit: Account, credit: Account, amount| TotalRow {
            window_id: 1,
            kind,
            debit: debit.0,
            credit: credit.0,
            amount,
            operations: 1,
        };
        let totals = [
            total(3, payer, hub, 2_500_000),
            total(3, payer, of(AccountKind::Rounding), 4_000),
            total(3, payer, Account::position(2, 840), 97_496_000),
            total(13, hub, payer, 750_000),
            total(3, payer, hub, 500_000),
            total(3, of(AccountKind::FxClearing), hub, 9),
        ];
        let commission = |charged, returned| Commission { charged, returned };
        let expected = [
            ((payer, 3), commission(3_000_000, 0)),
            ((payer, 13), commission(0, 750_000)),
        ];
        assert_eq!(commissions(&totals), expected.into());
        assert_eq!(commission(5, 7).net(), -2);
    }
}
