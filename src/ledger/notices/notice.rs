//! What an issuer is told of one wallet, as the audit trail keeps it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// So much of a wallet expires at an instant, which was so many days away or less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// In smallest units.
    pub amount: i64,
    pub expires_at: Timestamp,
    pub days: i16,
}

/// What expires up to then has at most so many days left.
pub fn horizon(now: Timestamp, days: i16) -> Timestamp {
    now + TimeDelta::days(i64::from(days))
}
