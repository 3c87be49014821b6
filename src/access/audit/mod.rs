//! Each change of state is written down once: who, what, when, in which request, from where. Operations that
//! move points carry the same facts on their own row, and from where on that of their group.
//!
//! A change has a place in the one order of all that happens, behind the operations of its
//! transaction, and is sealed with them. Each says which partners it concerns: those read it in
//! their feed, the hub's people read all.

mod change;
mod store;

pub use change::{About, Change, Subject};
pub use store::{Changed, record, record_all};
