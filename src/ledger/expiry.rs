//! Expiry: what is left in a lot goes when its time has come.
//!
//! A lot past its expiry cannot be spent in any case; the sweep only writes down that its issuer's
//! promise has ended. When the last day of an issuer that winds down is over, the time of all its lots has.

use super::command::{Command, Decided, Move, Seen, Touches};
use super::lot::LotKey;
use super::operation::{Kind, Leg};
use crate::clock::Timestamp;
use crate::points::account::Account;

#[derive(Debug, Clone, Copy)]
pub struct Expire {
    pub wallet: Account,
    pub lot: LotKey,
    /// When the lot's issuer ends, if it does: then all its lots do.
    pub issuer_ends_at: Option<Timestamp>,
}

/// The lot is empty, or its time has not come: somebody else was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NothingToExpire;

impl Command for Expire {
    type Refusal = NothingToExpire;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, NothingToExpire> {
        let lot = seen
            .wallet(self.wallet)
            .lots
            .get(&self.lot)
            .ok_or(NothingToExpire)?;
        let expires_at = self.lot.expires_at;
        let ends_at = self.issuer_ends_at.unwrap_or(expires_at).min(expires_at);
        if lot.available <= 0 || now < ends_at {
            return Err(NothingToExpire);
        }

        let leg = Leg {
            wallet: self.wallet,
            amount: lot.available,
        };
        let out = Move {
            wallet: self.wallet,
            lot: self.lot,
            change: -lot.available,
        };
        Ok(Decided {
            out: Some(leg),
            moves: vec![out],
            ..Decided::new(Kind::Expiry)
        })
    }
}
