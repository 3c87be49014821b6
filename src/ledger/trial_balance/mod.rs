//! The trial balance: every account of both books with its debits and credits, summing to zero per
//! asset.

pub mod api;
