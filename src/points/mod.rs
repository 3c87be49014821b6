//! p
pub mod account;
