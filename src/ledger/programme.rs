//! What the ledger has to know of a currency before points of it move.

use std::sync::Arc;

use super::lot::LotKey;
use crate::clock::Timestamp;
use crate::partners::life::{Act, Standing, State};
use crate::partners::link_terms::LinkTerms;
use crate::partners::{Currency, Directory, Partner};

/// A currency, how its issuer takes part now, and what that asks before points leave it.
#[derive(Debug, Clone)]
pub struct Programme {
    pub currency: Arc<Currency>,
    pub standing: Standing,
    pub link_terms: Arc<LinkTerms>,
}

/// The state of a currency's issuer does not allow that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    pub currency: String,
    pub state: State,
    pub act: Act,
}

impl Programme {
    pub fn of(directory: &Directory, currency: &Arc<Currency>) -> Programme {
        let standing = directory.partner(currency.issuer).map(Partner::standing);
        Programme {
            currency: currency.clone(),
            standing: standing.unwrap_or(Standing::NONE),
            link_terms: directory.link_terms(currency.issuer),
        }
    }

    pub fn must_allow(&self, act: Act, now: Timestamp) -> Result<(), Barred> {
        match self.standing.allows(act, now) {
            true => Ok(()),
            false => Err(Barred {
                currency: self.currency.code.clone(),
                state: self.standing.state,
                act,
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
