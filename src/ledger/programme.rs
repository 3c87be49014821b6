//! What the ledger has to know of a currency before points of it move.

use std::sync::Arc;

use super::lot::LotKey;
use crate::clock::Timestamp;
use crate::partners::{Currency, Directory, State};

/// A currency and whether its issuer takes part now.
#[derive(Debug, Clone)]
pub struct Programme {
    pub currency: Arc<Currency>,
    pub live: bool,
}

/// The issuer of this currency is suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspended {
    pub currency: String,
}

impl Programme {
    pub fn of(directory: &Directory, currency: &Arc<Currency>) -> Programme {
        let live = directory
            .partner(currency.issuer)
            .is_some_and(|issuer| issuer.state == State::Live);
        Programme {
            currency: currency.clone(),
            live,
        }
    }

    pub fn must_be_live(&self) -> Result<(), Suspended> {
        match self.live {
            true => Ok(()),
            false => Err(Suspended {
                currency: self.currency.code.clone(),
            }),
        }
    }

    /// The lot that points earned now go into.
    pub fn lot(&self, now: Timestamp) -> LotKey {
        LotKey::expiring(self.currency.expires_at(now))
    }

    /// Until when activity now extends the whole wallet, where the currency works that way.
    pub fn extends_to(&self, now: Timestamp) -> Option<Timestamp> {
        self.currency
            .expiry
            .moves_with_activity()
            .then(|| self.currency.expires_at(now))
    }
}
