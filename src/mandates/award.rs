//! An award under a mandate: an award like any other, with its money, within the caps.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::mandate::{CapReached, Mandate, State};
use crate::clock::Timestamp;
use crate::ledger::awards::{self, Award, MANDATE};
use crate::ledger::budget;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::operation::Figures;
use crate::partners::Currency;
use crate::partners::expiry::business_day;
use crate::points::account::Account;

#[derive(Debug, Clone)]
pub struct MandatedAward {
    pub award: Award,
    pub mandate: Mandate,
    pub figures: Figures,
    pub exchange_rate_id: Option<i64>,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Award(awards::Refusal),
    NotInForce(NotInForce),
    /// Not for this reason.
    Reason,
    /// With the currency, and the day it is where its issuer is at home.
    CapReached(CapReached, Arc<Currency>, NaiveDate),
}

/// Why nothing is awarded under a mandate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotInForce {
    State(State),
    /// It is not one of its days.
    Day,
}

impl Command for MandatedAward {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        let today = self.day(self.award.at);
        // It may be decided after midnight.
        let days = [Some(today), today.succ_opt()].into_iter().flatten();
        let counted = days.flat_map(|day| self.mandate.counted(self.award.amount, day));
        Touches {
            positions: self.positions(),
            budgets: counted.map(|given| given.owner).collect(),
            ..self.award.touches()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let (mandate, units, today) = (&self.mandate, self.award.amount, self.day(now));
        must_be_in_force(mandate, today).map_err(Refusal::NotInForce)?;
        if !mandate.terms.reasons.contains(&self.award.reason) {
            return Err(Refusal::Reason);
        }
        let decided = self.award.decide(seen, now).map_err(Refusal::Award)?;
        let admitted = mandate.admit(units, today, |owner| seen.given(owner));
        let currency = &self.award.programme.currency;
        admitted.map_err(|reached| Refusal::CapReached(reached, currency.clone(), today))?;

        let budgets = mandate.counted(units, today);
        let mut memo = decided.memo.unwrap_or_else(|| json!({}));
        memo[MANDATE] = json!(mandate.id);
        if !budgets.is_empty() {
            memo["budgets"] = budget::memo(&budgets);
        }
        Ok(Decided {
            figures: Some(self.figures),
            exchange_rate_id: self.exchange_rate_id,
            budgets,
            memo: Some(memo),
            ..decided
        })
    }
}

impl MandatedAward {
    /// Those whose money it moves, of who awards first: what another may owe is told to nobody else.
    fn positions(&self) -> Vec<Account> {
        let mut sides = vec![self.figures.pays, self.figures.paid];
        sides.sort_by_key(|position| position.owner() != self.mandate.partner);
        sides
    }

    fn day(&self, at: Timestamp) -> NaiveDate {
        business_day(self.award.programme.currency.zone, at)
    }
}

/// Refuses what is not agreed, is not any more, or is not for this day.
fn must_be_in_force(mandate: &Mandate, day: NaiveDate) -> Result<(), NotInForce> {
    match mandate.state {
        State::Agreed if mandate.terms.is_a_day(day) => Ok(()),
        State::Agreed => Err(NotInForce::Day),
        state => Err(NotInForce::State(state)),
    }
}
