//! A sponsor's part of what a conversion costs, as it is posted and as it is read back.
//!
//! | moneys of source and sponsor | debit        | credit       | amount |
//! |------------------------------|--------------|--------------|--------|
//! | one                          | the sponsor's position | the source's position | relief |
//! | two                          | the sponsor's position | fx clearing           | charge |
//! |                              | fx clearing            | the source's position | relief |
//!
//! The figures stay what the card says: the source owes the gross, and is owed the relief. These come
//! before all other transfers, so that they are told from what bonuses post.

use crate::ledger::budget::{self, Given};
use crate::ledger::operation::Transfer;
use crate::partners::Money;
use crate::points::account::{Account, AccountKind};
use crate::points::money::{Micros, TooLarge};
use crate::rates::settlement::Exchange;
use crate::rates::sponsor::{Sponsor, Sponsored, UsedUp};

/// The sponsor of a card, with what it pays by.
#[derive(Debug, Clone)]
pub struct Sponsorship {
    pub card: i64,
    pub sponsor: Sponsor,
    /// What it pays in.
    pub money: Money,
    /// From its money to the source's; none when they are one.
    pub exchange: Option<Exchange>,
}

impl Sponsorship {
    /// The position that pays.
    pub fn position(&self) -> Account {
        Account::position(self.sponsor.partner, self.money.no)
    }

    /// The budget that it pays out of.
    pub fn budget(&self) -> i64 {
        budget::of_sponsor(self.card)
    }

    pub fn pays(&self, gross: Micros) -> Result<Sponsored, TooLarge> {
        self.sponsor.pays(gross, self.exchange)
    }

    /// Refuses what its budget has no room for beside what it `paid`.
    pub fn keep(&self, sponsored: Sponsored, paid: i64) -> Result<(), UsedUp> {
        self.sponsor.admit(Micros(paid), sponsored.charge)
    }

    pub fn given(&self, sponsored: Sponsored) -> Given {
        Given {
            owner: self.budget(),
            parts: vec![sponsored.charge.0],
        }
    }

    /// What its part posts, for a source at that position.
    pub fn transfers(&self, source: Account, sponsored: Sponsored) -> Vec<Transfer> {
        let Sponsored { relief, charge } = sponsored;
        let clearing = |account: Account| Account::of(AccountKind::FxClearing, account.asset());
        let sponsor = self.position();
        let all = match sponsor.asset() == source.asset() {
            true => vec![(sponsor, source, relief)],
            false => vec![
                (sponsor, clearing(sponsor), charge),
                (clearing(source), source, relief),
            ],
        };
        // It may be less than half a millionth.
        all.into_iter()
            .filter(|(.., amount)| *amount > Micros::ZERO)
            .map(|(debit, credit, Micros(amount))| Transfer {
                debit,
                credit,
                amount,
            })
            .collect()
    }
}

/// What a sponsor relieves the position of the source of, among the transfers of an operation.
pub fn relief(source: Account, transfers: &[Transfer]) -> Option<Micros> {
    let first = transfers.iter().take_while(|transfer| {
        !transfer.debit.is(AccountKind::Bonus) && !transfer.credit.is(AccountKind::MemberFees)
    });
    let mut credits = first.filter(|transfer| transfer.credit == source);
    credits.next().map(|transfer| Micros(transfer.amount))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::agreed::{Price, Share};
    use crate::rates::funding::{Funder, Grant};
    use rust_decimal::dec;

    fn sponsorship(money: i16) -> Sponsorship {
        Sponsorship {
            card: 7,
            sponsor: Sponsor {
                partner: 3,
                share: Share::new(dec!(0.25)).unwrap(),
                budget: Micros(30_000_000),
            },
            money: Money {
                no: money,
                code: String::new(),
                scale: 2,
            },
            exchange: (money != 840).then_some(Exchange {
                rate: Price::new(dec!(7.8)).unwrap(),
                source_is_base: false,
            }),
        }
    }

    const GROSS: Micros = Micros(100_000_000);

    #[test]
    fn what_is_posted_balances_and_is_read_back() {
        let source = Account::position(1, 840);
        for (money, transfers, charge) in [(840, 1, 25_000_000), (344, 2, 195_000_000)] {
            let sponsorship = sponsorship(money);
            let sponsored = sponsorship.pays(GROSS).unwrap();
            let posted = sponsorship.transfers(source, sponsored);
            assert_eq!(posted.len(), transfers);
            assert_eq!(
                (posted[0].debit, posted[0].amount),
                (sponsorship.position(), charge)
            );
            assert!(
                posted
                    .iter()
                    .all(|it| it.debit.asset() == it.credit.asset())
            );
            assert_eq!(relief(source, &posted), Some(Micros(25_000_000)));
        }
    }

    #[test]
    fn what_a_sponsor_pays_is_told_from_a_bonus() {
        let source = Account::position(1, 840);
        let parties = crate::conversions::bonus::Parties {
            source,
            // One partner on both sides is paid for its bonus.
            target: source,
            gained: Account::of(AccountKind::Members, 1002),
        };
        let grant = Grant {
            funder: Funder::Source,
            units: 5,
            cost: Micros(9),
            charge: Micros(9),
        };
        let bonus = parties.transfers(&grant);
        assert_eq!(relief(source, &bonus), None);
        let sponsorship = sponsorship(840);
        let mut all = sponsorship.transfers(source, sponsorship.pays(GROSS).unwrap());
        let lines = crate::conversions::bonus::lines(&bonus);
        all.extend(bonus);
        assert_eq!(relief(source, &all), Some(Micros(25_000_000)));
        assert_eq!(crate::conversions::bonus::lines(&all), lines);
    }

    #[test]
    fn the_budget_is_counted_in_the_sponsors_money() {
        let sponsorship = sponsorship(840);
        let sponsored = sponsorship.pays(GROSS).unwrap();
        assert_eq!(sponsorship.keep(sponsored, 5_000_000), Ok(()));
        let left = Micros(24_999_999);
        assert_eq!(sponsorship.keep(sponsored, 5_000_001), Err(UsedUp { left }));
        let given = sponsorship.given(sponsored);
        assert!(given.is_money() && given.units() == 25_000_000);
    }
}
