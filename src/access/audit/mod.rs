//! Each change of state is written down once: who, what, when, in which request. Operations that
//! move points carry the same facts on their own row.

mod store;

pub use store::{record, record_all};
