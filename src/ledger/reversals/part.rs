//! A part of an operation that is undone: so many of the units it took, out of all of them.
//!
//! ```text
//! taken back so far   ceil(gained × undone so far / given)
//! gross, commission, value, and converted between two moneys, so far
//!                     q6(figure × undone so far / given)
//! net                 gross − commission
//! residual            converted − value
//! a bonus, a fee in what is gained
//!                     floor(points × taken back so far / gained)
//! other transfers     q6(amount × undone so far / given)
//! ```
//!
//! A part carries the difference between two such sums, so parts never drift: together they are the
//! operation, to the last digit. That digit of a part's net or residual may be below zero.

use crate::ledger::operation::{Figures, Operation, Transfer};
use crate::points::money::Micros;
use crate::points::ratio::Quotient;

/// From `before` units undone to `after`, of `whole`; `0 <= before < after <= whole`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub before: i64,
    pub after: i64,
    pub whole: i64,
}

impl Part {
    /// How many units of what was gained this takes back: zero when rounding up took them before.
    pub fn units(&self, gained: i64) -> i64 {
        self.between(gained, Quotient::ceil)
    }

    pub fn figures(&self, of: &Figures) -> Figures {
        let money = |Micros(figure)| self.money(figure);
        let (gross, commission, value) = (money(of.gross), money(of.commission), money(of.value));
        let net = gross - commission;
        let converted = match of.pays.asset() == of.paid.asset() {
            true => net,
            false => money(of.converted),
        };
        Figures {
            pays: of.pays,
            paid: of.paid,
            gross: Micros(gross),
            commission: Micros(commission),
            net: Micros(net),
            converted: Micros(converted),
            value: Micros(value),
            residual: Micros(converted - value),
        }
    }

    /// The other transfers of the operation, the other way round. Points that are a part of what was
    /// gained follow what is taken back of that, so that a part never takes back more than its leg.
    pub fn transfers(&self, original: &Operation) -> Vec<Transfer> {
        let gained = original.into;
        let part = |transfer: &Transfer| {
            let of_leg = gained.filter(|leg| leg.wallet.asset() == transfer.debit.asset());
            let amount = match of_leg {
                Some(leg) => self.of_bonus(leg.amount, transfer.amount),
                None => self.money(transfer.amount),
            };
            Transfer {
                amount,
                ..transfer.turned()
            }
        };
        let parts = original.transfers.iter().map(part);
        parts.filter(|transfer| transfer.amount > 0).collect()
    }

    /// How much this takes back of a part of what was gained, by how much of that is taken back.
    pub fn of_bonus(&self, gained: i64, part: i64) -> i64 {
        let taken_back = |after| {
            let so_far = Part {
                before: 0,
                after,
                ..*self
            };
            let share = i128::from(part) * i128::from(so_far.units(gained));
            Quotient::new(share, gained.into()).map_or(0, |share| share.floor() as i64)
        };
        taken_back(self.after) - taken_back(self.before)
    }

    /// This part of an amount of money.
    pub fn money(&self, total: i64) -> i64 {
        self.between(total, Quotient::half_even)
    }

    fn between(&self, total: i64, round: fn(Quotient) -> i128) -> i64 {
        // Never more than the total, which is a number of 64 bits.
        let up_to = |units: i64| {
            let share = i128::from(total) * i128::from(units);
            Quotient::new(share, self.whole.into()).map_or(0, |share| round(share) as i64)
        };
        up_to(self.after) - up_to(self.before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::points::account::Account;

    /// C2 of the worked month: 5 000 HPT became 2 281 STAR.
    fn figures() -> Figures {
        Figures {
            pays: Account::position(2, 840),
            paid: Account::position(3, 344),
            gross: Micros(30_000_000),
            commission: Micros(750_000),
            net: Micros(29_250_000),
            converted: Micros(228_150_000),
            value: Micros(228_100_000),
            residual: Micros(50_000),
        }
    }

    fn part(before: i64, after: i64) -> Part {
        Part {
            before,
            after,
            whole: 5_000,
        }
    }

    #[test]
    fn what_is_taken_back_so_far_is_rounded_up_and_never_twice() {
        assert_eq!(part(0, 1).units(2_281), 1);
        assert_eq!(part(1, 2).units(2_281), 0, "one unit covers both");
        assert_eq!(part(2, 3).units(2_281), 1);
        assert_eq!(part(0, 5_000).units(2_281), 2_281);
    }

    #[test]
    fn the_whole_is_the_operation_itself() {
        assert_eq!(part(0, 5_000).figures(&figures()), figures());
        let tenth = part(0, 500).figures(&figures());
        assert_eq!(tenth.gross, Micros(3_000_000));
        assert_eq!(tenth.value, Micros(22_810_000));
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(
            cuts in prop::collection::btree_set(1..5_000i64, 0..40),
            gross in 0..10_000_000i64,
            gained in 1..9_000i64,
            one_money in any::<bool>(),
        ) {
            let (commission, value) = (gross / 40, gross / 2);
            let net = gross - commission;
            let (paid, converted) = match one_money {
                true => (Account::position(3, 840), net),
                false => (Account::position(3, 344), net * 7),
            };
            let whole = Figures {
                paid,
                gross: Micros(gross),
                commission: Micros(commission),
                net: Micros(net),
                converted: Micros(converted),
                value: Micros(value),
                residual: Micros(converted - value),
                ..figures()
            };
            let mut ends: Vec<i64> = cuts.into_iter().collect();
            ends.push(5_000);
            let (mut before, mut units) = (0, 0);
            let mut sums = [0; 6];
            for after in ends {
                let part = part(before, after);
                let slice = part.figures(&whole);
                prop_assert!(part.units(gained) >= 0);
                prop_assert!(slice.commission.0 >= 0 && slice.value.0 >= 0);
                prop_assert_eq!(slice.gross.0, slice.commission.0 + slice.net.0);
                prop_assert_eq!(slice.converted.0, slice.value.0 + slice.residual.0);
                units += part.units(gained);
                for (sum, figure) in sums.iter_mut().zip(listed(&slice)) {
                    *sum += figure;
                }
                before = after;
            }
            prop_assert_eq!(units, gained);
            prop_assert_eq!(sums, listed(&whole));
        }
    }

    fn listed(figures: &Figures) -> [i64; 6] {
        [
            figures.gross.0,
            figures.commission.0,
            figures.net.0,
            figures.converted.0,
            figures.value.0,
            figures.residual.0,
        ]
    }
}
