//! Settlement: what partners owe each other, and when they pay.
//!
//! Postings fall into the open window. Closing it takes the ledger's gate for a moment, so that a
//! window is a contiguous range of groups and never a span of the clock; the next one opens in the
//! same transaction. What a partner owes or is owed is its [`position`]: a balance of the ledger,
//! whatever it came from. Settlement never looks at conversions.
//!
//! Finance closes windows, or the [`calendar`] does, and reads [`reports`], [`commissions`], [`exposures`] and what
//! [`netting`] would make of it all.

pub mod api;
pub mod calendar;
pub mod commissions;
pub mod exposures;
pub mod netting;
pub mod position;
pub mod reports;
