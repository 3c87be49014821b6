//! What the ledger has to know of a currency before points of it move.

use std::sync::Arc;

use super::lot::LotKey;
use crate::clock::Timestamp;
use crate::partners::life::{Act, Standing};
use crate::partners::link_terms::LinkTerms;
use crate::partners::{Currency, Directory, Partner};

/// A currency, how its issuer takes part now, and what that asks before points leave it.
#[derive(Debug, Clone)]
pub struct Programme {
    pub currency: Arc<Currency>,
    pub standing: Standing,
    pub link_terms: Arc<LinkTerms>,
    /// The most of it in one operation, where the issuer's pilot says.
    pub most: Option<i64>,
}

/// The state of a currency's issuer, or its pilot, does not allow that.
#[derive(Debug, Clone)]
pub struct Barred {
    pub currency: Arc<Currency>,
    pub act: Act,
    pub why: Why,
}

#[derive(Debug, Clone, Copy)]
pub enum Why {
    Standing(Standing, Timestamp),
    /// More of the currency than goes in one operation.
    TooMuch {
        most: i64,
        needed: i64,
    },
}

impl Programme {
    pub fn of(directory: &Directory, currency: &Arc<Currency>) -> Programme {
        let issuer = directory.partner(currency.issuer);
        let pilot = issuer.and_then(|issuer| issuer.pilot.as_deref());
        Programme {
            currency: currency.clone(),
            standing: issuer.map_or(Standing::NONE, Partner::standing),
            link_terms: directory.link_terms(currency.issuer),
            most: pilot.and_then(|pilot| pilot.most.get(&currency.no).copied()),
        }
    }

    pub fn must_allow(&self, act: Act, now: Timestamp) -> Result<(), Barred> {
        match self.standing.allows(act, now) {
            true => Ok(()),
            false => Err(self.barred(act, Why::Standing(self.standing, now))),
        }
    }

    /// Refuses more of the currency than goes in one operation.
    pub fn must_fit(&self, act: Act, needed: i64) -> Result<(), Barred> {
        match self.most {
            Some(most) if needed > most => Err(self.barred(act, Why::TooMuch { most, needed })),
            _ => Ok(()),
        }
    }

    fn barred(&self, act: Act, why: Why) -> Barred {
        let currency = self.currency.clone();
        Barred { currency, act, why }
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
