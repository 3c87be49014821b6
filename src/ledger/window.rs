//! A window's content, as a hash: what a closed window was can be told for ever.

use sha2::{Digest, Sha256};

use super::store::TotalRow;

/// SHA-256 over the window's totals, in the order of kind and accounts.
pub fn content_hash(window: i64, totals: &[TotalRow]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(window.to_be_bytes());
    for TotalRow {
        window_id: _,
        kind,
        debit,
        credit,
        amount,
        operations,
    } in totals
    {
        digest.update(kind.to_be_bytes());
        for number in [debit, credit, amount, operations] {
            digest.update(number.to_be_bytes());
        }
    }
    digest.finalize().into()
}
