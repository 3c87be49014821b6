//! A position: what one partner owes the hub (debit) or is owed (credit) in its settlement money.
//!
//! Positions are balances of the ledger. Whatever posts to them settles, without settlement knowing
//! what it was.

use std::collections::BTreeMap;

use crate::ledger::store::TotalRow;
use crate::points::account::{Account, AccountKind};

/// Debits and credits of one position, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    pub debit: i64,
    pub credit: i64,
}

impl Position {
    /// Above zero: the partner owes the hub. Below: the hub owes the partner.
    pub fn net(self) -> i64 {
        self.debit - self.credit
    }
}

/// The positions in some totals, by account.
pub fn positions(totals: &[TotalRow]) -> BTreeMap<Account, Position> {
    let mut positions: BTreeMap<Account, Position> = BTreeMap::new();
    for total in totals {
        let (debit, credit) = (Account(total.debit), Account(total.credit));
        if debit.is(AccountKind::Position) {
            positions.entry(debit).or_default().debit += total.amount;
        }
        if credit.is(AccountKind::Position) {
            positions.entry(credit).or_default().credit += total.amount;
        }
    }
    positions
}
