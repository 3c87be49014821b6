//! The ledger: the only place where points and money are kept.
pub mod command;
pub mod execute;
mod group;
pub mod lot;
pub mod operation;
mod statements;
pub mod store;
pub mod transfer;
