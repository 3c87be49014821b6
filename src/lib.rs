//! Interline.

// floor: ground
pub mod clock;
pub mod id;
pub mod points;

// floor: plumbing
pub mod config;
pub mod db;
pub mod error;
pub mod pg;
pub mod secret;
pub mod web;

// floor: access
pub mod access;

// floor: approvals
pub mod approvals;

// floor: partners
pub mod partners;

// floor: members
pub mod members;

// floor: books
pub mod ledger;
pub mod rates;

// floor: settlement
pub mod settlement;
