//! Redemptions: a member spends points where they were issued.

pub mod api;

use std::sync::Arc;

use serde_json::json;

use crate::clock::Timestamp;
use crate::ledger::awards::Place;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::lot::Short;
use crate::ledger::operation::Kind;
use crate::ledger::programme::{Barred, Programme};
use crate::partners::Currency;
use crate::partners::life::Act;
use crate::points::account::Account;

#[derive(Debug, Clone)]
pub struct Redemption {
    pub wallet: Account,
    pub amount: i64,
    pub programme: Programme,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Barred(Barred),
    BalanceTooLow(Short, Arc<Currency>),
}

impl Command for Redemption {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let programme = &self.programme;
        let allowed = programme.must_allow(Act::Redeem, now);
        let fits = allowed.and_then(|()| programme.must_fit(Act::Redeem, self.amount));
        fits.map_err(Refusal::Barred)?;

        let mut decided = Decided::new(Kind::Redemption)
            .taking(seen, self.wallet, self.amount, now)
            .map_err(|short| Refusal::BalanceTooLow(short, self.programme.currency.clone()))?;
        if let Some(until) = self.programme.extends_to(now) {
            decided = decided.extending(seen, self.wallet, until, now);
        }
        let memo = json!({ "channel": self.place.channel, "location": self.place.location });
        Ok(Decided {
            memo: Some(memo),
            ..decided
        })
    }
}
