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

/// A tally that an operation is kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub of: TallyKey,
    /// What counts as gained there, where that is a bonus: its parts, by who paid; below zero what a
    /// reversal took back. All that the operation gave where none.
    pub parts: Option<Vec<i64>>,
}

impl Kept {
    /// The mark of an operation in this tally.
    pub fn mark(&self, mark: Mark) -> (TallyKey, Mark) {
        let bonus = self.parts.as_ref().map(|parts| parts.iter().sum());
        let gained = bonus.unwrap_or(mark.gained);
        (self.of, Mark { gained, ..mark })
    }
}

/// The memo of an operation that is kept in tallies.
pub fn memo(kept: &[Kept]) -> Value {
    let kept = kept.iter().map(|Kept { of, parts }| match parts {
        None => json!({"wallet": of.wallet.0, "key": of.key}),
        Some(parts) => json!({"wallet": of.wallet.0, "key": of.key, "parts": parts}),
    });
    kept.collect()
}

/// What counts as gained of an operation, where that is not what it gave: a memo names it `gained`.
pub fn gained(memo: Option<&Value>) -> Option<i64> {
    memo?.get("gained")?.as_i64()
}

/// The tallies an operation is kept in.
pub fn kept(memo: Option<&Value>) -> Vec<Kept> {
    let listed = memo.and_then(|memo| memo.get("tallies")?.as_array());
    let number = |it: &Value, field: &str| it.get(field)?.as_i64();
    let parts = |it: &Value| {
        let parts = it.get("parts")?.as_array()?.iter();
        parts.map(Value::as_i64).collect::<Option<_>>()
    };
    let kept = |it: &Value| {
        let of = TallyKey {
            wallet: Account(number(it, "wallet")?),
            key: number(it, "key")?,
        };
        let parts = parts(it);
        Some(Kept { of, parts })
    };
    listed.into_iter().flatten().filter_map(kept).collect()
}
