//! A version of a card, as a hash: what was approved can be told for ever.

use sha2::{Digest, Sha256};

use super::card::Card;
use crate::clock::Timestamp;
use crate::points::account::Asset;

/// SHA-256 over the pair and the terms, in their canonical JSON.
pub fn content_hash(from: Asset, to: Asset, card: &Card) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(from.to_be_bytes());
    digest.update(to.to_be_bytes());
    // Terms are maps of plain values: they always have a JSON form.
    digest.update(serde_json::to_vec(card).unwrap_or_default());
    digest.finalize().into()
}

/// What an approval binds to: the content and when it is to hold.
pub fn approval_hash(content: &[u8], valid_from: Option<Timestamp>, valid_to: Option<Timestamp>) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(content);
    for instant in [valid_from, valid_to] {
        digest.update(instant.map_or(i64::MIN, |instant| instant.timestamp_micros()).to_be_bytes());
    }
    digest.finalize().into()
}
