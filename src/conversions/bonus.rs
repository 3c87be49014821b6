//! Who pays for the bonuses of a conversion, as it is posted and as it is read back.
//!
//! | a part of a bonus             | debit         | credit        | amount |
//! |-------------------------------|---------------|---------------|--------|
//! | the points                    | bonus         | members       | units  |
//! | the funder's money, the same  | its position  | the target's  | cost   |
//! | the funder's money, another   | its position  | fx clearing   | charge |
//! |                               | fx clearing   | the target's  | cost   |
//! | the target funds it itself    | its position  | bonus funding | cost   |
//! |                               | bonus funding | its position  | cost   |
//!
//! The points come first, so that the transfers of an operation tell where one part ends and the next
//! begins.

use crate::ledger::operation::Transfer;
use crate::points::account::{Account, AccountKind};
use crate::points::money::Micros;
use crate::rates::funding::{Funder, Grant};

/// The positions of the two partners, and the holders of what is gained.
#[derive(Debug, Clone, Copy)]
pub struct Parties {
    pub source: Account,
    pub target: Account,
    pub gained: Account,
}

impl Parties {
    pub fn position(&self, funder: Funder) -> Account {
        match funder {
            Funder::Source => self.source,
            Funder::Target => self.target,
            Funder::Partner(position) => position,
        }
    }

    /// What a part of a bonus posts.
    pub fn transfers(&self, grant: &Grant) -> Vec<Transfer> {
        let (funder, target) = (self.position(grant.funder), self.target);
        let of = |kind, account: Account| Account::of(kind, account.asset());
        let members = self.gained;
        let points = (of(AccountKind::Bonus, members), members, grant.units);
        let (Micros(charge), Micros(cost)) = (grant.charge, grant.cost);
        let money = if funder == target {
            let passed_on = of(AccountKind::BonusFunding, target);
            vec![(funder, passed_on, cost), (passed_on, target, cost)]
        } else if funder.asset() == target.asset() {
            vec![(funder, target, cost)]
        } else {
            let clearing = |account| of(AccountKind::FxClearing, account);
            vec![
                (funder, clearing(funder), charge),
                (clearing(target), target, cost),
            ]
        };
        let all = std::iter::once(points).chain(money);
        // A bonus may be worth less than half a millionth.
        all.filter(|(_, _, amount)| *amount > 0)
            .map(|(debit, credit, amount)| Transfer {
                debit,
                credit,
                amount,
            })
            .collect()
    }
}

/// A part of a bonus as it was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub units: i64,
    /// The position that pays, and how much; none when it is worth nothing.
    pub charge: Option<(Account, Micros)>,
    /// What the target is owed for it.
    pub value: Micros,
}

/// The parts of the bonuses among the transfers of an operation.
pub fn lines(transfers: &[Transfer]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for transfer in transfers {
        let Transfer {
            debit,
            credit,
            amount,
        } = *transfer;
        if debit.is(AccountKind::Bonus) {
            lines.push(Line {
                units: amount,
                charge: None,
                value: Micros::ZERO,
            });
            continue;
        }
        let Some(line) = lines.last_mut() else {
            continue;
        };
        if credit.is(AccountKind::MemberFees) {
            break;
        }
        if debit.is(AccountKind::Position) {
            line.charge = Some((debit, Micros(amount)));
        }
        if credit.is(AccountKind::Position) {
            line.value = Micros(amount);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::account::Asset;

    fn parties(target_money: Asset) -> Parties {
        Parties {
            source: Account::position(1, 840),
            target: Account::position(2, target_money),
            gained: Account::of(AccountKind::Members, 1002),
        }
    }

    fn grant(funder: Funder) -> Grant {
        Grant {
            funder,
            units: 300,
            cost: Micros(2_400_000),
            charge: Micros(300_000),
        }
    }

    #[test]
    fn what_is_posted_is_read_back() {
        for (funder, money, transfers) in [
            (Funder::Source, 840, 2),
            (Funder::Source, 344, 3),
            (Funder::Target, 344, 3),
        ] {
            let parties = parties(money);
            let posted = parties.transfers(&grant(funder));
            assert_eq!(posted.len(), transfers);
            let charge = match (funder, money) {
                (Funder::Source, 344) => Micros(300_000),
                _ => Micros(2_400_000),
            };
            let line = Line {
                units: 300,
                charge: Some((parties.position(funder), charge)),
                value: Micros(2_400_000),
            };
            assert_eq!(lines(&posted), [line]);
            for transfer in posted {
                assert_eq!(transfer.debit.asset(), transfer.credit.asset());
                assert_ne!(transfer.debit, transfer.credit);
            }
        }
    }
}
