//! Rates: what a card says about an amount, and what comes of it.
//!
//! ```text
//! Terms ──check──▶ Tariff ──price──▶ Priced            as written, in smallest units, evaluated
//!    │                └────smallest_for──▶ amount      the way back
//! Card = Terms + SettlementTerms ──evaluate──▶ Evaluated, with the figures in money
//! ```
//!
//! A card is read as its partners wrote it ([`terms`]), checked and put in smallest units
//! ([`tariff`]), and evaluated by one function ([`price::price`]) for a quote, for a conversion
//! and for a file of published rules ([`published`]). Which amounts are legal is not tried but
//! computed, so that a refusal can always name the next one.

pub mod block;
pub mod bonus;
pub mod card;
pub mod fee;
pub mod price;
pub mod printed;
pub mod published;
pub mod refusal;
pub mod sentence;
pub mod settlement;
pub mod spend;
pub mod tariff;
pub mod terms;
pub mod version;

mod case;
mod chinese;
mod english;
mod extra;
mod grid;
mod legal;
mod limit;
mod line;
mod row;
mod stretch;
mod written;
