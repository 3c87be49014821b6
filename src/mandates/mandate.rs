//! A mandate: by whom, for what and how much of a currency may be awarded beside its issuer, and who pays.
//!
//! ```text
//! purchased   price      = q6(units × price)          in the issuer's money
//!             value      = price − q6(price × f)      what the issuer is owed
//!             gross      = price in the partner's money, at the rate of then
//!             commission = q6(gross × f)              the hub's, which the partner owes with the rest
//! mandated    gross      = fee                        what the issuer owes, in its money
//!             value      = fee in the partner's money
//! ```
//!
//! Each side has its own figures in its own money; between two moneys what is left of the gross leaves through
//! the clearing account and the value comes back from it. Nothing is left over: the residual is zero.
//!
//! Caps are counted in budgets, one for all and one a day of the calendar where the issuer is at home.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ledger::awards::Reason;
use crate::ledger::budget::{self, Given};
use crate::ledger::operation::Figures;
use crate::points::account::{Account, Asset};
use crate::points::agreed::{Price, Share};
use crate::points::amount::Scale;
use crate::points::money::{Micros, TooLarge};
use crate::rates::settlement::{Exchange, to_source};

/// What two partners agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    pub id: i64,
    pub currency: Asset,
    pub issuer: i64,
    /// Who may award.
    pub partner: i64,
    pub terms: Terms,
    pub state: State,
    pub content_hash: Vec<u8>,
    pub proposed_by: i64,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Proposed,
    Agreed,
    Rejected,
    Withdrawn,
    Ended,
}

impl State {
    const ALL: [State; 5] = [
        State::Proposed,
        State::Agreed,
        State::Rejected,
        State::Withdrawn,
        State::Ended,
    ];

    pub fn name(self) -> &'static str {
        match self {
            State::Proposed => "proposed",
            State::Agreed => "agreed",
            State::Rejected => "rejected",
            State::Withdrawn => "withdrawn",
            State::Ended => "ended",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub funding: Funding,
    /// For which it may be awarded: one at least.
    pub reasons: Vec<Reason>,
    pub caps: Caps,
    /// Days of the calendar where the issuer is at home; both are days of it.
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

/// Who pays for what is awarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Funding {
    /// The partner buys the points: `price` for a printed unit in the issuer's money, of which the hub keeps
    /// the commission.
    Purchased { price: Price, commission: Share },
    /// The issuer gives them, and pays the partner `fee` in the issuer's money for each award.
    Mandated { fee: Micros },
}

/// The most that may be awarded, in smallest units; as much as one likes where none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// At once.
    pub each: Option<i64>,
    pub day: Option<i64>,
    pub total: Option<i64>,
}

/// Of which cap there is not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    Each,
    Day,
    Total,
}

/// An award that goes over a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapReached {
    pub cap: Cap,
    pub left: i64,
}

/// A rule that terms break: the field, and what would be right.
pub type Wrong = (&'static str, &'static str);

impl Terms {
    pub fn check(&self) -> Result<(), Wrong> {
        let Caps { each, day, total } = self.caps;
        let grows =
            |less: Option<i64>, more: Option<i64>| less.zip(more).is_none_or(|(a, b)| a <= b);
        let mut reasons = self.reasons.iter().enumerate();
        if self.reasons.is_empty() {
            return Err(("/reasons", "one reason at least"));
        }
        if reasons.any(|(nth, reason)| self.reasons[..nth].contains(reason)) {
            return Err(("/reasons", "each reason once"));
        }
        if self.last_day < self.first_day {
            return Err(("/last_day", "the first day or a later one"));
        }
        if !grows(each, day) || !grows(each, total) {
            return Err(("/caps/each", "no more than what goes in a day and in all"));
        }
        if !grows(day, total) {
            return Err(("/caps/day", "no more than what goes in all"));
        }
        Ok(())
    }

    /// SHA-256 of what is agreed to.
    pub fn hash(&self, (currency, partner): (Asset, i64)) -> Vec<u8> {
        let told = serde_json::json!(["mandate", currency, partner, self]).to_string();
        Sha256::digest(told).to_vec()
    }

    pub fn is_a_day(&self, day: NaiveDate) -> bool {
        self.first_day <= day && day <= self.last_day
    }
}

impl Mandate {
    /// Whether a partner is one of the two.
    pub fn is_between(&self, partner: i64) -> bool {
        partner == self.issuer || partner == self.partner
    }

    /// The money of an award of so many units, between the positions of the issuer and of the partner.
    /// `exchange` is out of the partner's money into the issuer's; none where they are one.
    pub fn figures(
        &self,
        (units, scale): (i64, Scale),
        [issuer, partner]: [Account; 2],
        exchange: Option<Exchange>,
    ) -> Result<Figures, TooLarge> {
        match self.terms.funding {
            Funding::Purchased { price, commission } => {
                let price = Micros::worth(units, scale, price)?;
                let value = price.minus(price.share(commission)?)?;
                let gross = to_source(price, exchange)?;
                let commission = gross.share(commission)?;
                Ok(Figures {
                    pays: partner,
                    paid: issuer,
                    gross,
                    commission,
                    net: gross.minus(commission)?,
                    converted: value,
                    value,
                    residual: Micros::ZERO,
                })
            }
            Funding::Mandated { fee } => {
                let value = to_source(fee, exchange)?;
                Ok(Figures {
                    pays: issuer,
                    paid: partner,
                    gross: fee,
                    commission: Micros::ZERO,
                    net: fee,
                    converted: value,
                    value,
                    residual: Micros::ZERO,
                })
            }
        }
    }

    /// Whether any money moves.
    pub fn costs(&self) -> bool {
        self.terms.funding != Funding::Mandated { fee: Micros::ZERO }
    }

    /// The budgets that an award is counted in on a day.
    pub fn counted(&self, units: i64, day: NaiveDate) -> Vec<Given> {
        let Caps {
            day: a_day, total, ..
        } = self.terms.caps;
        let owners = [
            total.map(|_| budget::of_mandate(self.id, None)),
            a_day.map(|_| budget::of_mandate(self.id, Some(day))),
        ];
        let given = |owner| Given {
            owner,
            parts: vec![units],
        };
        owners.into_iter().flatten().map(given).collect()
    }

    /// Refuses what goes over a cap beside what was `given` out of a budget before.
    pub fn admit(
        &self,
        units: i64,
        day: NaiveDate,
        given: impl Fn(i64) -> i64,
    ) -> Result<(), CapReached> {
        let Caps {
            each,
            day: a_day,
            total,
        } = self.terms.caps;
        let given = |day| given(budget::of_mandate(self.id, day));
        let caps = [
            each.map(|most| (Cap::Each, most)),
            a_day.map(|most| (Cap::Day, most - given(Some(day)))),
            total.map(|most| (Cap::Total, most - given(None))),
        ];
        let mut short = caps.into_iter().flatten().filter(|(_, left)| units > *left);
        match short.next() {
            None => Ok(()),
            Some((cap, left)) => Err(CapReached {
                cap,
                left: left.max(0),
            }),
        }
    }

    /// The most that may be given out of one of its budgets, where one is counted.
    pub fn most(&self, of_one_day: bool) -> Option<i64> {
        match of_one_day {
            true => self.terms.caps.day,
            false => self.terms.caps.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::ledger::transfer::of_figures;
    use crate::partners::expiry::{business_day, end_of_day};

    fn on(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
    }

    fn mandate(funding: Funding, caps: Caps) -> Mandate {
        Mandate {
            id: 5,
            currency: 1000,
            issuer: 1,
            partner: 2,
            terms: Terms {
                funding,
                reasons: vec![Reason::Purchase],
                caps,
                first_day: on(1),
                last_day: on(31),
            },
            state: State::Agreed,
            content_hash: Vec::new(),
            proposed_by: 1,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn purchased(price: Decimal, commission: Decimal) -> Funding {
        Funding::Purchased {
            price: Price::new(price).expect("a price"),
            commission: Share::new(commission).expect("a share"),
        }
    }

    fn aero() -> Account {
        Account::position(1, 840)
    }

    fn rate(rate: Decimal, source_is_base: bool) -> Option<Exchange> {
        let rate = Price::new(rate).expect("a rate");
        Some(Exchange {
            rate,
            source_is_base,
        })
    }

    fn money(figures: Figures) -> [i64; 5] {
        let Figures {
            gross,
            commission,
            net,
            converted,
            value,
            ..
        } = figures;
        [gross, commission, net, converted, value].map(|it| it.0)
    }

    #[test]
    fn a_partner_buys_what_it_awards_and_the_hub_keeps_its_commission() {
        let bought = mandate(purchased(dec!(0.014), dec!(0.025)), Caps::default());
        for (partner, exchange, right) in [
            // 10 000 miles are USD 140.
            (
                840,
                None,
                [
                    140_000_000,
                    3_500_000,
                    136_500_000,
                    136_500_000,
                    136_500_000,
                ],
            ),
            (
                344,
                rate(dec!(7.8), false),
                [
                    1_092_000_000,
                    27_300_000,
                    1_064_700_000,
                    136_500_000,
                    136_500_000,
                ],
            ),
        ] {
            let sides = [aero(), Account::position(2, partner)];
            let figures = bought.figures((10_000, Scale::WHOLE), sides, exchange);
            let figures = figures.expect("small");
            assert_eq!((figures.pays, figures.paid), (sides[1], sides[0]));
            assert_eq!(money(figures), right);
        }
    }

    #[test]
    fn under_a_mandate_the_issuer_pays_a_fee_an_award_at_most() {
        let sides = [aero(), Account::position(2, 344)];
        for (fee, right) in [
            (0, [0; 5]),
            (500_000, [500_000, 0, 500_000, 3_900_000, 3_900_000]),
        ] {
            let given = mandate(Funding::Mandated { fee: Micros(fee) }, Caps::default());
            let figures = given.figures((7, Scale::WHOLE), sides, rate(dec!(7.8), false));
            let figures = figures.expect("small");
            assert_eq!((figures.pays, figures.paid), (sides[0], sides[1]));
            assert_eq!(money(figures), right);
            assert_eq!(given.costs(), fee > 0);
        }
    }

    #[test]
    fn terms_say_for_what_and_when_and_no_cap_is_above_a_wider_one() {
        let funding = purchased(dec!(0.01), dec!(0));
        let caps = |each, day, total| mandate(funding, Caps { each, day, total }).terms.check();
        assert_eq!(caps(Some(5), Some(5), Some(6)), Ok(()));
        assert_eq!(caps(None, None, None), Ok(()));
        assert_eq!(caps(Some(6), Some(5), None).unwrap_err().0, "/caps/each");
        assert_eq!(caps(Some(6), None, Some(5)).unwrap_err().0, "/caps/each");
        assert_eq!(caps(None, Some(6), Some(5)).unwrap_err().0, "/caps/day");
        let wrong = |change: fn(&mut Terms)| {
            let mut terms = mandate(funding, Caps::default()).terms;
            change(&mut terms);
            terms.check().unwrap_err().0
        };
        assert_eq!(wrong(|it| it.reasons.clear()), "/reasons");
        assert_eq!(wrong(|it| it.reasons.push(Reason::Purchase)), "/reasons");
        assert_eq!(
            wrong(|it| it.first_day = on(31).succ_opt().expect("a day")),
            "/last_day"
        );
    }

    #[test]
    fn a_cap_admits_what_is_left_of_it_and_the_narrowest_is_told() {
        let caps = Caps {
            each: Some(5),
            day: Some(8),
            total: Some(10),
        };
        let mandate = mandate(purchased(dec!(0.01), dec!(0)), caps);
        let given = HashMap::from([
            (budget::of_mandate(5, Some(on(3))), 6),
            (budget::of_mandate(5, None), 9),
        ]);
        let admit = |units, day| {
            mandate.admit(units, on(day), |owner| {
                given.get(&owner).copied().unwrap_or(0)
            })
        };
        let reached = |cap, left| Err(CapReached { cap, left });
        assert_eq!(admit(1, 3), Ok(()));
        assert_eq!(admit(6, 3), reached(Cap::Each, 5));
        assert_eq!(admit(3, 3), reached(Cap::Day, 2));
        assert_eq!(admit(2, 4), reached(Cap::Total, 1));
    }

    #[test]
    fn a_day_is_the_issuers_and_ends_at_its_midnight() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hong_kong = chrono_tz::Asia::Hong_Kong;
        assert_eq!(business_day(hong_kong, at("2026-03-03T15:59:59Z")), on(3));
        assert_eq!(business_day(hong_kong, at("2026-03-03T16:00:00Z")), on(4));
        assert_eq!(end_of_day(hong_kong, on(3)), at("2026-03-03T16:00:00Z"));
    }

    proptest! {
        #[test]
        fn whatever_is_bought_balances_in_each_money(
            units in 1..1_000_000_000_000i64,
            decimals in 0..4u8,
            price in 1..10_000i64,
            commission in 0..10_000i64,
            quoted in 1..1_000_000i64,
            source_is_base in any::<bool>(),
            one_money in any::<bool>(),
        ) {
            let funding = purchased(Decimal::new(price, 6), Decimal::new(commission, 4));
            let bought = mandate(funding, Caps::default());
            let scale = Scale::new(decimals).expect("a scale");
            let exchange = rate(Decimal::new(quoted, 3), source_is_base).filter(|_| !one_money);
            let sides = [aero(), Account::position(2, if one_money { 840 } else { 344 })];
            let Ok(figures) = bought.figures((units, scale), sides, exchange) else {
                return Ok(());
            };
            prop_assert_eq!(figures.gross.0, figures.commission.0 + figures.net.0);
            prop_assert_eq!(figures.converted, figures.value);
            prop_assert!(figures.net.0 >= 0 && figures.value.0 >= 0 && figures.commission.0 >= 0);
            if one_money {
                prop_assert_eq!(figures.net, figures.value);
            }
            let posted = of_figures(&figures);
            let of = |account: Account| -> i64 {
                let change = |it: &crate::ledger::operation::Transfer| {
                    i64::from(it.debit == account) * it.amount - i64::from(it.credit == account) * it.amount
                };
                posted.iter().map(change).sum()
            };
            prop_assert_eq!(of(sides[1]), figures.gross.0);
            prop_assert_eq!(of(sides[0]), -figures.value.0);
        }
    }
}
