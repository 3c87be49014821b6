//! Tallies: what a wallet did before under a key, so that a decision can hold it to a limit.
//!
//! A command names the tallies it has to see, and a decision the keys that its operation is kept under.
//! Each operation that moves a wallet takes the wallet's turn, so no two of them see the same tally
//! unnoticed; that is why a tally needs no lock of its own, and why its wallet has to be one that the
//! command touches. What a key means is for who asks: the ledger only counts.
//!
//! A reversal takes back what it undoes, under the instant of the original: what was used of a month
//! comes back in that month.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
/// One operation in a tally.
pub use crate::partners::period::Mark;
use crate::points::account::Account;

/// A wallet, and what is counted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TallyKey {
    pub wallet: Account,
    pub key: i64,
}

/// A tally to be read, from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub of: TallyKey,
    pub since: Timestamp,
}

impl TallyKey {
    /// What is counted of a wallet under a name.
    pub fn named(wallet: Account, name: &str) -> TallyKey {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let first = digest
            .first_chunk()
            .map_or(0, |first| i64::from_be_bytes(*first));
        TallyKey {
            wallet,
            key: first & i64::MAX,
        }
    }
}

/// The memo of an operation that is kept in tallies.
pub fn memo(keys: &[TallyKey]) -> Value {
    let keys = keys
        .iter()
        .map(|it| json!({"wallet": it.wallet.0, "key": it.key}));
    keys.collect()
}

/// What counts as gained of an operation, where that is not what it gave: a memo names it `gained`.
pub fn gained(memo: Option<&Value>) -> Option<i64> {
    memo?.get("gained")?.as_i64()
}

/// The tallies an operation is kept in.
pub fn keys(memo: Option<&Value>) -> Vec<TallyKey> {
    let listed = memo.and_then(|memo| memo.get("tallies")?.as_array());
    let number = |it: &Value, field: &str| it.get(field)?.as_i64();
    let key = |it: &Value| {
        Some(TallyKey {
            wallet: Account(number(it, "wallet")?),
            key: number(it, "key")?,
        })
    };
    listed.into_iter().flatten().filter_map(key).collect()
}
