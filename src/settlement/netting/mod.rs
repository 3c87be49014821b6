//! Netting: what each partner would pay or get if everything so far were settled now.
//!
//! Each partner pays or gets one figure per money, whatever it did with whom: its [line](mod@line).
//! A line is made from the totals that are kept per window, so it costs the same however many
//! operations there were. Nothing is written.

pub mod api;
pub mod line;
