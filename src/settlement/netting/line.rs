//! One partner's line in one money: every kind of movement, the net, and what of it can be paid.
//!
//! ```text
//! net          debits − credits of the position: above zero the partner owes the hub
//! to settle    net, rounded half-even to the decimals the money is paid in
//! carried      net − to settle: stays in the position
//! efficiency   1 − Σ|to settle| ÷ Σ(debits + credits), without what a partner pays itself
//! ```

use std::collections::BTreeMap;

use crate::ledger::store::TotalRow;
use crate::points::account::{Account, AccountKind};
use crate::points::money::Micros;
use crate::points::ratio::Quotient;
use crate::settlement::position::Position;

/// A position, and what moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account, which says whose it is and in what money.
    pub account: Account,
    /// By the number of the kind of operation.
    pub movements: BTreeMap<i16, Position>,
    /// Debits and credits by which the partner paid itself: from one of its currencies to another, or for a
    /// bonus of its own points.
    to_itself: i128,
}

impl Line {
    /// Debits and credits of all kinds.
    pub fn whole(&self) -> Position {
        let add = |sum: Position, one: &Position| Position {
            debit: sum.debit + one.debit,
            credit: sum.credit + one.credit,
        };
        self.movements.values().fold(Position::default(), add)
    }

    /// What is paid, in a money with so many decimals; nothing when the money has more than the books.
    pub fn to_settle(&self, decimals: u8) -> Option<Micros> {
        let one = Micros::of_units(1, decimals)?.0;
        let units = Quotient::new(self.whole().net().into(), one.into())?.half_even();
        Micros::of_units(i64::try_from(units).ok()?, decimals)
    }
}

/// The lines in some totals, in the order of moneys and then of partners.
pub fn lines(totals: &[TotalRow]) -> Vec<Line> {
    let mut lines: BTreeMap<Account, Line> = BTreeMap::new();
    for total in totals {
        let (debit, credit) = (Account(total.debit), Account(total.credit));
        let mut post = |account: Account, other: Account, debit: i64, credit: i64| {
            if !account.is(AccountKind::Position) {
                return;
            }
            let line = lines.entry(account).or_insert_with(|| Line {
                account,
                movements: BTreeMap::new(),
                to_itself: 0,
            });
            let sum = line.movements.entry(total.kind).or_default();
            sum.debit += debit;
            sum.credit += credit;
            if other == account || other.is(AccountKind::BonusFunding) {
                line.to_itself += i128::from(total.amount);
            }
        };
        post(debit, credit, total.amount, 0);
        post(credit, debit, 0, total.amount);
    }
    lines.into_values().collect()
}

/// The part of what partners owed and were owed that need not be paid, in thousandths, rounded half-even;
/// nothing when they owed each other nothing. Below zero it is zero: rounding alone made payments larger.
pub fn efficiency(lines: &[Line], decimals: u8) -> Option<i64> {
    let (mut gross, mut paid) = (0_i128, 0_i128);
    for line in lines {
        let Position { debit, credit } = line.whole();
        gross += i128::from(debit) + i128::from(credit) - line.to_itself;
        paid += i128::from(line.to_settle(decimals)?.0).abs();
    }
    let spared = Quotient::new((gross - paid) * 1000, gross)?.half_even();
    i64::try_from(spared.max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USD: i16 = 840;

    fn total(kind: i16, debit: Account, credit: Account, amount: i64) -> TotalRow {
        TotalRow {
            window_id: 1,
            kind,
            debit: debit.0,
            credit: credit.0,
            amount,
            operations: 1,
        }
    }

    fn of(partner: i64) -> Account {
        Account::position(partner, USD)
    }

    fn hub(kind: AccountKind) -> Account {
        Account::of(kind, USD)
    }

    #[test]
    fn a_month_nets_to_one_figure_each_and_the_rest_is_carried() {
        let (aero, bayview) = (of(1), of(2));
        let fx = hub(AccountKind::FxClearing);
        let totals = [
            total(1, aero, bayview, 97_496_000),
            total(1, aero, hub(AccountKind::Commission), 2_500_000),
            total(1, aero, hub(AccountKind::Rounding), 4_000),
            total(1, bayview, fx, 106_923_077),
            total(2, fx, aero, 276_913_077),
            total(2, aero, hub(AccountKind::Commission), 769_231),
        ];
        let lines = lines(&totals);
        let figures: Vec<[i64; 2]> = lines
            .iter()
            .map(|line| [line.whole().net(), line.to_settle(2).unwrap().0])
            .collect();
        assert_eq!(
            figures,
            [[-176_143_846, -176_140_000], [9_427_077, 9_430_000]]
        );
        // 1 − 185.57 ÷ 582.101385
        assert_eq!(efficiency(&lines, 2), Some(681));
    }

    #[test]
    fn halves_go_to_the_even_unit_and_some_moneys_have_no_smaller_one() {
        let net =
            |amount| lines(&[total(1, of(1), hub(AccountKind::Commission), amount)]).remove(0);
        let settle = |amount, decimals| net(amount).to_settle(decimals).unwrap().0;
        assert_eq!([settle(125_000, 2), settle(135_000, 2)], [120_000, 140_000]);
        assert_eq!(
            [settle(2_500_000, 0), settle(3_500_000, 0)],
            [2_000_000, 4_000_000]
        );
        assert_eq!(settle(499_999, 0), 0, "all of it is carried");
    }

    #[test]
    fn what_a_partner_pays_itself_is_shown_and_does_not_count_as_spared() {
        let own = hub(AccountKind::BonusFunding);
        let with_bonus = [
            total(1, of(1), own, 5_000_000),
            total(1, own, of(1), 5_000_000),
            total(1, of(1), of(2), 10_000_000),
        ];
        let lines = lines(&with_bonus);
        let shown = Position {
            debit: 15_000_000,
            credit: 5_000_000,
        };
        assert_eq!(lines[0].whole(), shown);
        assert_eq!(efficiency(&lines, 2), Some(0));
        assert_eq!(efficiency(&[], 2), None);
    }

    proptest! {
        #[test]
        fn lines_and_the_hub_sum_to_zero_and_less_than_a_unit_is_carried(
            posted in prop::collection::vec((1..4_i16, 0..6_i64, 0..6_i64, 1..1_000_000_000_000_i64), 0..40),
            decimals in 0..=2_u8,
        ) {
            let account = |no| if no == 0 { hub(AccountKind::FxClearing) } else { of(no) };
            let posted = posted.into_iter().filter(|(_, debit, credit, _)| debit != credit);
            let totals: Vec<TotalRow> = posted
                .map(|(kind, debit, credit, amount)| total(kind, account(debit), account(credit), amount))
                .collect();
            let lines = lines(&totals);
            let of_hub: i64 = totals.iter().map(|it| {
                let at = hub(AccountKind::FxClearing).0;
                it.amount * (i64::from(it.debit == at) - i64::from(it.credit == at))
            }).sum();
            prop_assert_eq!(lines.iter().map(|line| line.whole().net()).sum::<i64>(), -of_hub);
            let unit = Micros::of_units(1, decimals).unwrap().0;
            for line in &lines {
                let paid = line.to_settle(decimals).unwrap().0;
                prop_assert_eq!(paid % unit, 0);
                prop_assert!((line.whole().net() - paid).abs() * 2 <= unit);
            }
            let efficiency = efficiency(&lines, decimals);
            prop_assert_eq!(efficiency.is_none(), lines.is_empty());
            prop_assert!(efficiency.is_none_or(|it| (0..=1000).contains(&it)));
        }
    }
}
