//! Why an amount is not converted, and why terms are not taken.
//!
//! A refused amount is told what would be legal, in smallest units of the source:
//!
//! | code               | says                                                       |
//! |--------------------|------------------------------------------------------------|
//! | `below_min`        | the smallest amount that is                                |
//! | `above_max`        | the largest                                                |
//! | `bad_step`         | the next legal amounts down and up                         |
//! | `not_a_denomination` | the next denominations down and up                       |
//! | `too_little`       | the smallest amount that gains anything                    |
//! | `too_large`, `out_of_reach`, `unpriced`, `bad_terms` | nothing would be         |
//!
//! The code names the fault, the variant also the side: below the minimum of what is given and
//! below the minimum of what is gained share a code, because the answer to both is the same.

use crate::points::amount::{self, Scale};

/// Why an amount is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    BelowMinimum { minimum: i64 },
    AboveMaximum { maximum: i64 },
    BadStep(Nearest),
    NotADenomination(Nearest),
    BelowDestinationMinimum { minimum: Option<i64> },
    AboveDestinationMaximum { maximum: Option<i64> },
    BadDestinationStep(Nearest),
    TooLittle { smallest: Option<i64> },
    TooLarge,
    OutOfReach { most: i64 },
    Unpriced,
    BadCard(BadTerms),
}

/// The legal amounts on both sides of one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearest {
    pub next_down: Option<i64>,
    pub next_up: Option<i64>,
}

impl Refusal {
    /// The word for the fault, as published cases write it after `ERR:`.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::BelowMinimum { .. } | Refusal::BelowDestinationMinimum { .. } => "below_min",
            Refusal::AboveMaximum { .. } | Refusal::AboveDestinationMaximum { .. } => "above_max",
            Refusal::BadStep(_) | Refusal::BadDestinationStep(_) => "bad_step",
            Refusal::NotADenomination(_) => "not_a_denomination",
            Refusal::TooLittle { .. } => "too_little",
            Refusal::TooLarge => "too_large",
            Refusal::OutOfReach { .. } => "out_of_reach",
            Refusal::Unpriced => "unpriced",
            Refusal::BadCard(_) => "bad_terms",
        }
    }
}

impl Refusal {
    /// The refusal in words, its amounts printed at the source's scale.
    pub fn told(&self, source: Scale) -> String {
        let at = |units: Option<i64>| units.map_or("none".into(), |u| amount::print(u, source));
        match self {
            Refusal::BelowMinimum { minimum } => {
                format!("the smallest legal amount is {}", at(Some(*minimum)))
            }
            Refusal::BelowDestinationMinimum { minimum: up }
            | Refusal::TooLittle { smallest: up } => {
                format!(
                    "gains too little; the smallest that is enough is {}",
                    at(*up)
                )
            }
            Refusal::AboveMaximum { maximum } => {
                format!("the largest legal amount is {}", at(Some(*maximum)))
            }
            Refusal::AboveDestinationMaximum { maximum } => {
                format!(
                    "gains too much; the largest legal amount is {}",
                    at(*maximum)
                )
            }
            Refusal::BadStep(near)
            | Refusal::NotADenomination(near)
            | Refusal::BadDestinationStep(near) => {
                format!(
                    "the next legal amounts are {} down and {} up",
                    at(near.next_down),
                    at(near.next_up)
                )
            }
            Refusal::TooLarge => "the figures are too large".into(),
            Refusal::OutOfReach { most } => {
                format!("the most any amount gains is {most} smallest units")
            }
            Refusal::Unpriced => "the card records a shape without a usable rate".into(),
            Refusal::BadCard(bad) => bad.to_string(),
        }
    }
}

impl From<BadTerms> for Refusal {
    fn from(bad: BadTerms) -> Refusal {
        Refusal::BadCard(bad)
    }
}

/// Which field of the terms is wrong, such as `bonuses[1].den`, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct BadTerms {
    pub field: String,
    pub reason: Reason,
}

impl BadTerms {
    pub(crate) fn new(field: impl Into<String>, reason: Reason) -> BadTerms {
        let field = field.into();
        BadTerms { field, reason }
    }
}

/// What is wrong with a field of the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is missing")]
    Missing,
    #[error("does not belong to this kind")]
    NotOfThisKind,
    #[error("must be at least 1")]
    NotPositive,
    #[error("must not be negative")]
    Negative,
    #[error("is larger than the published limit")]
    TooLarge,
    #[error("needs balances that the hub keeps, and the issuer keeps these")]
    KeptByPartner,
    #[error("has more decimals than the currency")]
    FinerThanScale,
    #[error("is below the minimum")]
    BelowMinimum,
    #[error("is not above the one before it")]
    NotAscending,
    #[error("needs a step to count from")]
    NoStep,
    #[error("lists nothing")]
    Empty,
    #[error("lists more than 50")]
    TooMany,
    #[error("is listed twice")]
    Repeated,
    #[error("needs claims that somebody attests")]
    NoClaims,
    #[error("must be from -1000 to 1000")]
    NoPriority,
    #[error("leaves no amount that can be converted")]
    NothingLegal,
    #[error("mixes numbers too large to be evaluated exactly")]
    TooFine,
    #[error("is not a currency code")]
    NotACurrency,
    #[error("is needed because the moneys of the two partners differ")]
    NoExchange,
    #[error("does not belong to settlement terms of this kind")]
    NotSettledSo,
    #[error("is said twice")]
    SaidTwice,
    #[error("is counted for one card alone, and not for a group")]
    NotOfAGroup,
    #[error("is not 1 to 40 lowercase letters, digits and dashes")]
    NotAWord,
    #[error("is not an instant of the years 2000 to 2199")]
    NotSensible,
    #[error("names one for all bonuses, or one for each")]
    NotOnePerBonus,
    #[error("is named twice")]
    NamedTwice,
    #[error("turns a currency into itself")]
    OneCurrency,
    #[error("is not a money that the hub knows; points are written `given` or `gained`")]
    NotAMoney,
    #[error(
        "is not the money of the partner whose points are given, as a fee of the hub's must be"
    )]
    NotTheSourcesMoney,
    #[error("is nothing")]
    Nothing,
    #[error("is not the id of a partner")]
    NotAPartner,
    #[error("is the partner whose points are given, who pays in any case")]
    TheSource,
    #[error("is not the money that the sponsor settles in")]
    NotTheSponsorsMoney,
    #[error("is not an amount of money with at most 6 decimals")]
    NotMoney,
}
