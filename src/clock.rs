//! Instants, as the hub keeps them: UTC, to the microsecond, which is what PostgreSQL stores.
//!
//! Time that decides anything is the database's (`hub_now()`), read after the locks and handed to
//! pure code as an argument. The hub's own clock is only for tokens and log lines.

use chrono::{DateTime, Datelike, Utc};

pub type Timestamp = DateTime<Utc>;

/// The last instant before which nothing expires: how `infinity` is told in Rust.
pub const NEVER: Timestamp = DateTime::<Utc>::MAX_UTC;

/// The first instant of all: how `-infinity` is told in Rust.
pub const ALWAYS: Timestamp = DateTime::<Utc>::MIN_UTC;

/// The hub's own clock. For the life of tokens, never for a decision about points.
pub fn machine_now() -> Timestamp {
    Utc::now()
}

/// Whether a date somebody sent is one this hub deals with: the years 2000 to 2199, and no leap
/// second, which PostgreSQL cannot keep.
pub fn is_sensible(instant: Timestamp) -> bool {
    (2000..2200).contains(&instant.year()) && instant.timestamp_subsec_nanos() < 1_000_000_000
}
