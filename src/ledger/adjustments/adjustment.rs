//! What an adjustment is, and what becomes of it.
//!
//! | state    | somebody else agrees | somebody else does not | the hub posts it | too little is there |
//! |----------|----------------------|------------------------|------------------|---------------------|
//! | proposed | approved             | rejected               |                  |                     |
//! | approved |                      |                        | posted           | refused             |
//!
//! The other three are ends. The database takes no other edge.

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::points::account::Account;

/// Everything that an adjustment will do: what is agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub wallet: Account,
    /// Into the wallet, or out of it when below zero.
    pub change: i64,
    /// When a credit expires; none for a debit.
    pub expires_at: Option<Timestamp>,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    pub id: i64,
    pub content: Wanted,
    pub content_hash: Vec<u8>,
    pub state: State,
    pub operation: Option<i64>,
    pub created_by: i64,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Proposed,
    Approved,
    Rejected,
    Posted,
    Refused,
}

impl State {
    const ALL: [State; 5] = [
        State::Proposed,
        State::Approved,
        State::Rejected,
        State::Posted,
        State::Refused,
    ];

    pub fn name(self) -> &'static str {
        match self {
            State::Proposed => "proposed",
            State::Approved => "approved",
            State::Rejected => "rejected",
            State::Posted => "posted",
            State::Refused => "refused",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Wanted {
    /// SHA-256 over all of it.
    pub fn content_hash(&self) -> [u8; 32] {
        let Wanted {
            wallet,
            change,
            expires_at,
            reason,
        } = self;
        let mut digest = Sha256::new();
        let expires_at = expires_at.map_or(i64::MIN, |at| at.timestamp_micros());
        for number in [wallet.0, *change, expires_at] {
            digest.update(number.to_be_bytes());
        }
        digest.update(reason);
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn whatever_differs_has_another_hash() {
        let one = Wanted {
            wallet: Account::wallet(1_000, 7),
            change: 5,
            expires_at: Some(clock::NEVER),
            reason: "counted twice".to_owned(),
        };
        let others = [
            Wanted {
                change: -5,
                ..one.clone()
            },
            Wanted {
                expires_at: None,
                ..one.clone()
            },
            Wanted {
                reason: "counted".to_owned(),
                ..one.clone()
            },
            Wanted {
                wallet: Account::wallet(1_000, 8),
                ..one.clone()
            },
        ];
        for other in others {
            assert_ne!(other.content_hash(), one.content_hash());
        }
    }

    #[test]
    fn a_state_is_found_by_its_name() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
    }
}
