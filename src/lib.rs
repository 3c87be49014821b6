//! Interline: an exchange hub for loyalty coalitions.
//!
//! Brands keep their own programmes and currencies. The hub lets a member turn one into another at
//! a price both brands agreed to, keeps books that always balance, and works out what the brands
//! owe each other in money.
//!
//! # The walk of one conversion
//!
//! | step | where it is decided |
//! |------|---------------------|
//! | a partner asks for a quote: card, campaigns, exchange rate, amount | [`conversions::offer`] |
//! | the card says what the amount becomes, and what that costs | [`rates::card::evaluate`] |
//! | the price becomes a signed token; nothing is written | [`conversions::quote`] |
//! | the partner takes it: an order, decided purely | [`conversions::decision`] |
//! | what moves, in points and in money | [`conversions::postings`] |
//! | commands gather, are read for, folded, written and committed together | [`ledger::execute`] |
//! | an operation posts transfers; their sums are kept per window | [`ledger::transfer`] |
//! | the partner's position is a balance of those | [`settlement::position`] |
//! | finished groups are sealed, in an order that no longer changes | [`ledger::seals`] |
//! | both partners read what happened, each its own side | [`events`] |
//! | or are told of it | [`webhooks`] |
//!
//! Read in this order, each file once, it is the whole story; `api.rs` and `store.rs` are for those
//! who doubt HTTP or SQL.
//!
//! # Floors
//!
//! The modules below stand in groups, bottom to top. A module uses only the groups below its own;
//! in the two lowest, neighbours may use each other. `tests/tidy.rs` keeps it so. In a slice,
//! `mod.rs` tells the story, `api.rs` speaks HTTP, `store.rs` speaks SQL, and every other file is
//! pure: time is an argument, and nothing waits.
//!
//! # What is always true
//!
//! * Per asset all postings sum to zero: an operation's leg is a whole transfer.
//! * What was acknowledged is in the journal exactly once, whatever is killed: the key is on the
//!   operation's own row.
//! * What is sealed never changes and nothing comes before it: a reader of events misses nothing.
//! * No lot goes below zero, and an expired lot cannot be spent.
//! * One card decides a quote: of the cards of a pair that hold at one instant no two have one priority.
//! * A member gets what the quote said, to the unit.
//! * What is frozen for an import is used by nobody until it is thawed, and undone by two people.
//! * A campaign never gives more than its budget, nor to a wallet more than it says, however many hubs. The
//!   sponsor of a card never pays more than its budget, and no wallet is awarded more than its issuer says.
//!   Under a mandate no more is awarded than its two partners agreed. What is undone comes back to all of them.
//! * What is counted of what a partner owes stays within its cover and its cap, however many hubs there are,
//!   unless by what is undone.
//! * A sandbox is a database of its own and stays one; the clock of a live hub is never turned.
//! * A partner goes through its life by the steps there are, and who is closed left nothing behind: what its
//!   members did not use was bought out, or expired.
//! * Whoever makes something that needs a second person does not approve it.
//! * [`verify`] makes everything that is kept again from single journal rows.

// floor: ground
pub mod clock;
pub mod id;
pub mod points;

// floor: plumbing
pub mod config;
pub mod db;
pub mod environment;
pub mod error;
pub mod gather;
pub mod pg;
mod schema;
pub mod secret;
pub mod web;

// floor: access
pub mod access;

// floor: approvals
pub mod approvals;

// floor: staff
pub mod staff;

// floor: partners
pub mod partners;

// floor: members
pub mod members;

// floor: books
pub mod ledger;
pub mod rates;

// floor: mandates
pub mod mandates;

// floor: conversions
pub mod conversions;

// floor: settlement
pub mod settlement;

// floor: imports
pub mod imports;

// floor: matches
pub mod matches;

// floor: feed
pub mod events;

// floor: webhooks
pub mod webhooks;

// floor: proof
pub mod verify;

// floor: documentation
pub mod docs;

// floor: sandbox
pub mod sandbox;

// floor: server
pub mod server;

// floor: command line
pub mod cli;

// floor: demo
pub mod demo;

// floor: bench
pub mod bench;

// floor: torture
pub mod torture;
