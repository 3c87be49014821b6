//! The audit trail, for the hub's people: who changed what, in which request.

pub mod api;
mod store;
