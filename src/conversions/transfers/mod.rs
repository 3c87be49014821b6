//! Transfers: conversions out of a programme that keeps its own balances.
//!
//! Most airlines and banks keep their ledger where it is. Such a partner asks for a quote, debits its member
//! on its own side, and [attests](attested) that to take the quote. From there on a transfer is a conversion:
//! one operation, under the same cards, campaigns, limits and caps, found and undone as any other.
//!
//! The hub has no balance to look at, so two things are the partner's: that the member had the units, and
//! what a card says of lots (points that are kept back, or of a kind that is not converted). The books say
//! the rest: what was attested comes out of `kept_by_partner` and leaves by `converted_out`.
//!
//! What comes in is not there twice: the partner's reference is unique for ever, as of any conversion. What
//! was undone the partner credits to its member again; the event of the reversal says how much.

pub mod api;
pub mod attested;
