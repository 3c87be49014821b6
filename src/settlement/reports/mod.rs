//! Reports: what finance reads off the books.
//!
//! A [roll-forward](roll_forward) says how the points that a brand owes its members came to be what they are, from
//! the totals that are kept per window: it costs the same however many operations there were, and
//! `interline verify` makes those totals again from single rows. Expiries ahead are counted from the lots that
//! wallets hold now.
//!
//! Each is there as JSON and as CSV, with the same figures.

pub mod api;
pub mod roll_forward;
mod store;
