//! Take a quote, or say why not.
//!
//! The order of the checks is part of the API: a request that is wrong in two ways is always
//! refused for the first.

use std::sync::Arc;

use super::bonus::Parties;
use super::postings;
use super::quote::Quote;
use crate::clock::Timestamp;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::lot::Short;
use crate::ledger::programme::{Programme, Suspended};
use crate::partners::{Currency, Money};
use crate::points::account::Account;
use crate::rates::card::{self, Card, Evaluated};
use crate::rates::refusal;
use crate::rates::settlement::Exchange;

/// An order to take a quote, with all that its token names looked up.
#[derive(Debug, Clone)]
pub struct Order {
    pub quote: Quote,
    pub from: Side,
    pub to: Side,
    pub card_id: i64,
    pub card: Arc<Card>,
    pub exchange: Option<(i64, Exchange)>,
    /// What the card's fee is in.
    pub fee_money: Option<Money>,
}

/// One side of a conversion.
#[derive(Debug, Clone)]
pub struct Side {
    pub wallet: Account,
    pub programme: Programme,
    /// The issuer's position, in the money it settles in.
    pub position: Account,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Suspended(Suspended),
    QuoteExpired(Timestamp),
    QuoteTaken {
        by: i64,
    },
    BalanceTooLow(Short, Arc<Currency>),
    /// The card now says something else than the quote did, which cannot be.
    NotAsQuoted(Box<Result<Evaluated, refusal::Refusal>>),
}

impl Command for Order {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.from.wallet, self.to.wallet],
            positions: vec![self.from.position, self.to.position],
            quote: Some(self.quote.jti),
            follows: None,
        }
    }

    /// Moves the points, or refuses and moves none.
    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        self.from
            .programme
            .must_be_live()
            .map_err(Refusal::Suspended)?;
        self.to
            .programme
            .must_be_live()
            .map_err(Refusal::Suspended)?;
        if let Some(by) = seen.quote_taken {
            return Err(Refusal::QuoteTaken { by });
        }
        if self.quote.expires_at() <= now {
            return Err(Refusal::QuoteExpired(self.quote.expires_at()));
        }

        let evaluated = self.evaluate()?;

        let short = |short| Refusal::BalanceTooLow(short, self.from.programme.currency.clone());
        postings::of(self, &evaluated, seen, now).map_err(short)
    }
}

impl Order {
    pub fn parties(&self) -> Parties {
        Parties {
            source: self.from.position,
            target: self.to.position,
            gained: self.to.wallet.asset(),
        }
    }

    /// The same function that priced the quote, on the same card, amount and exchange rate.
    fn evaluate(&self) -> Result<Evaluated, Refusal> {
        let exchange = self.exchange.map(|(_, exchange)| exchange);
        let (from, to) = (&self.from.programme, &self.to.programme);
        let scales = super::scales(&from.currency, &to.currency);
        match card::evaluate(&self.card, scales, exchange, self.quote.given) {
            Ok(evaluated) if evaluated.priced.total == self.quote.gained => Ok(evaluated),
            other => Err(Refusal::NotAsQuoted(Box::new(other))),
        }
    }
}
