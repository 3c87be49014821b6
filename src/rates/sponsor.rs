//! A sponsor: who pays a share of what conversions cost the partner whose points are given, out of a
//! budget.
//!
//! ```text
//! relief = q6(gross × share)                what the source is spared, in its money
//! charge = relief in the sponsor's money    what the sponsor owes, and the budget is less
//! used + charge ≤ budget
//! ```
//!
//! A share and not a difference: no settlement leaves the hub short, because a cost-plus card charges what
//! it pays and a priced one gives no more than its money buys. And paid whole or not at all: where the
//! budget has no room for a charge, the card converts nothing rather than at a price that its partners did
//! not agree on.

use serde::{Deserialize, Serialize};

use super::refusal::{BadTerms, Reason};
use super::settlement::{Exchange, to_source};
use crate::points::agreed::Share;
use crate::points::money::{Micros, TooLarge};

/// Who pays, how much of the gross, and how much in all, in its own money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sponsor {
    pub partner: i64,
    pub share: Share,
    pub budget: Micros,
}

/// What a sponsor pays of one conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sponsored {
    /// In the money of the source, which is spared it.
    pub relief: Micros,
    /// The same in the sponsor's money.
    pub charge: Micros,
}

/// What is left of a budget is less than a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedUp {
    pub left: Micros,
}

impl Sponsor {
    /// Refuses a sponsor who would pay nothing.
    pub(super) fn check(&self) -> Result<(), BadTerms> {
        let bad =
            |field: &str| BadTerms::new(format!("settlement.sponsor.{field}"), Reason::Nothing);
        if self.share == Share::NONE {
            return Err(bad("share"));
        }
        match self.budget > Micros::ZERO {
            true => Ok(()),
            false => Err(bad("budget.amount")),
        }
    }

    /// Its part of a gross. `exchange` is from its money to that of the source; none when they are one.
    pub fn pays(&self, gross: Micros, exchange: Option<Exchange>) -> Result<Sponsored, TooLarge> {
        let relief = gross.share(self.share)?;
        Ok(Sponsored {
            relief,
            charge: to_source(relief, exchange)?,
        })
    }

    /// Refuses a charge that what is left of the budget does not cover.
    pub fn admit(&self, used: Micros, charge: Micros) -> Result<(), UsedUp> {
        let left = Micros(self.budget.0.saturating_sub(used.0).max(0));
        match charge > left {
            true => Err(UsedUp { left }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::agreed::Price;
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    fn sponsor(share: Decimal, budget: i64) -> Sponsor {
        Sponsor {
            partner: 3,
            share: Share::new(share).unwrap(),
            budget: Micros(budget),
        }
    }

    #[test]
    fn who_pays_nothing_is_no_sponsor() {
        let field = |sponsor: Sponsor| sponsor.check().unwrap_err().field;
        assert_eq!(sponsor(dec!(0.25), 1).check(), Ok(()));
        assert_eq!(field(sponsor(dec!(0.00), 1)), "settlement.sponsor.share");
        assert_eq!(
            field(sponsor(dec!(0.25), 0)),
            "settlement.sponsor.budget.amount"
        );
    }

    #[test]
    fn a_share_is_paid_in_the_sponsors_money() {
        let rate = |source_is_base| {
            Some(Exchange {
                rate: Price::new(dec!(7.8)).unwrap(),
                source_is_base,
            })
        };
        let cases = [
            (dec!(0.25), None, 100_000_000, 25_000_000, 25_000_000),
            // A sponsor in USD of a source in HKD, and the other way round.
            (dec!(0.25), rate(true), 100_000_000, 25_000_000, 3_205_128),
            (
                dec!(0.25),
                rate(false),
                100_000_000,
                25_000_000,
                195_000_000,
            ),
            // Half a millionth goes to the even one.
            (dec!(0.5), None, 3, 2, 2),
            (dec!(0.5), None, 1, 0, 0),
        ];
        for (share, exchange, gross, relief, charge) in cases {
            let expected = Sponsored {
                relief: Micros(relief),
                charge: Micros(charge),
            };
            let pays = sponsor(share, 1).pays(Micros(gross), exchange);
            assert_eq!(pays, Ok(expected), "{share} of {gross}");
        }
    }

    #[test]
    fn a_budget_is_used_to_the_last_millionth() {
        let sponsor = sponsor(dec!(0.25), 100);
        assert_eq!(sponsor.admit(Micros(60), Micros(40)), Ok(()));
        let left = |left| Err(UsedUp { left: Micros(left) });
        assert_eq!(sponsor.admit(Micros(60), Micros(41)), left(40));
        assert_eq!(sponsor.admit(Micros(200), Micros(1)), left(0));
    }

    proptest! {
        #[test]
        fn a_sponsor_never_pays_more_than_there_is(
            gross in 0..1_000_000_000_000_i64, share in 0..1_000_i64,
        ) {
            let sponsor = sponsor(Decimal::new(share, 3), i64::MAX);
            let Sponsored { relief, charge } = sponsor.pays(Micros(gross), None).unwrap();
            prop_assert!(relief >= Micros::ZERO && relief <= Micros(gross));
            prop_assert_eq!(relief, charge);
        }
    }
}
