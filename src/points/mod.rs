//! Points and money: arithmetic with the rounding spelled out.
//!
//! | quantity         | kept as                                    | file       |
//! |------------------|--------------------------------------------|------------|
//! | points           | a count of the currency's smallest unit    | [`amount`] |
//! | a member's rate  | two whole numbers, give to get             | [`ratio`]  |
//! | prices, shares   | a decimal, exactly as agreed               | [`agreed`] |
//! | money            | millionths of the money's unit             | [`money`]  |
//!
//! Nothing here is a floating-point number: at 10 to 7, in binary floating point, 90 points
//! already pay 62 where the exact answer is 63.

pub mod account;
pub mod agreed;
pub mod amount;
pub mod money;
pub mod ratio;
pub mod share;
