//! An order to take a quote through a third currency: two orders of which the second gives what the
//! first gains.
//!
//! It takes from the wallet of the one and gives to that of the other, in one operation; between them is
//! no wallet, so there is nothing to hold, to expire or to be short of.

use super::leg::{self, Evaluation, Leg};
use crate::clock::Timestamp;
use crate::conversions::decision::{Order, Refusal};
use crate::conversions::postings;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::operation::Transfer;
use crate::rates::card::Evaluated;

#[derive(Debug, Clone)]
pub struct Passage {
    pub first: Order,
    pub second: Order,
}

impl Command for Passage {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        let (mut touches, second) = (self.first.touches(), self.second.touches());
        touches.wallets = vec![self.first.from.wallet, self.second.to.wallet];
        touches.positions.extend(second.positions);
        touches
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        self.first.may_be_taken(seen, now)?;
        self.second.may_be_taken(seen, now)?;
        self.first.must_have_cooled(now)?;
        let evaluated = [self.first.evaluate()?, self.second.evaluate()?];
        self.first.must_fit(&evaluated[0])?;
        self.second.must_fit(&evaluated[1])?;
        self.first.must_be_attested(&evaluated[0], now)?;
        self.first.must_be_within_limits(&evaluated[0], seen, now)?;

        let currency = &self.first.from.programme.currency;
        let short = |short| Refusal::BalanceTooLow(short, currency.clone());
        postings::through(self, &evaluated, seen, now).map_err(short)
    }
}

impl Passage {
    pub fn posted(&self, [first, second]: &[Evaluated; 2]) -> (Vec<Leg>, Vec<Transfer>) {
        leg::posted(&[
            Evaluation::of(&self.first, first),
            Evaluation::of(&self.second, second),
        ])
    }
}
