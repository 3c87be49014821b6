//! Wallets: what a member holds in one currency, lot by lot, and how it came to that.

pub mod api;
