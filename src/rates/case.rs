//! One case of a published rule: an amount, and what its programme says becomes of it.
//!
//! | cell                       | says                                              |
//! |----------------------------|---------------------------------------------------|
//! | `5000>2000`                | 5 000 given gain 2 000, bonuses counted           |
//! | `50000>50000 fee=3000`     | and the fee is 3 000 smallest units of its money  |
//! | `2000>1332 used=1998 left=2` | and so much is taken, so much stays             |
//! | `6000>ERR:bad_step`        | 6 000 is refused for this reason                  |
//!
//! Cases are separated by `;`. Amounts are printed units. A case that gains `0` is met by the
//! refusal `too_little`: the rule pays nothing, and the hub takes nothing for nothing.

use std::fmt;

use super::price::{Priced, price};
use super::refusal::Refusal;
use super::tariff::Tariff;
use crate::points::amount::{self, BadAmount, Scale, Scales};

/// A case as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case<'a> {
    pub text: &'a str,
    given: &'a str,
    gained: Expected<'a>,
    fee: Option<i64>,
    used: Option<i64>,
    left: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected<'a> {
    Units(i64),
    Refused(&'a str),
}

/// What came of the amount of a case.
enum Answer {
    Priced(Priced, Scales),
    Refused(Refusal, Scale),
    Unread(BadAmount),
}

impl<'a> Case<'a> {
    /// The cases of a cell; a part that is no case is an error in words.
    pub fn all(cell: &'a str, scales: Scales) -> Result<Vec<Case<'a>>, String> {
        let parts = cell
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(|part| Case::one(part, scales)).collect()
    }

    fn one(text: &'a str, scales: Scales) -> Result<Case<'a>, String> {
        let unread = |why: &dyn fmt::Display| format!("case `{text}`: {why}");
        let mut words = text.split_whitespace();
        let amounts = words.next().and_then(|word| word.split_once('>'));
        let (given, gained) = amounts.ok_or_else(|| unread(&"is not in>out"))?;

        let gained = match gained.strip_prefix("ERR:") {
            Some("") => return Err(unread(&"names no reason")),
            Some(code) => Expected::Refused(code),
            None => {
                let units = amount::parse(gained, scales.target);
                Expected::Units(units.map_err(|why| unread(&why))?)
            }
        };

        let mut case = Case {
            text,
            given,
            gained,
            fee: None,
            used: None,
            left: None,
        };
        for word in words {
            case.add(word, scales).map_err(|why| unread(&why))?;
        }
        Ok(case)
    }

    fn add(&mut self, word: &str, scales: Scales) -> Result<(), String> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let (place, scale) = match key {
            "fee" => (&mut self.fee, Scale::WHOLE),
            "used" => (&mut self.used, scales.source),
            "left" => (&mut self.left, scales.source),
            _ => return Err(format!("`{word}` is not fee=, used= or left=")),
        };
        if place.is_some() {
            return Err(format!("`{key}` is said twice"));
        }
        let units = amount::parse(value, scale).map_err(|why| format!("{key}: {why}"))?;
        *place = Some(units);
        Ok(())
    }

    /// Evaluates the case as a quote would; what differs is an error in words.
    pub fn run(&self, tariff: &Tariff, scales: Scales) -> Result<(), String> {
        let answer = match units(self.given, scales.source) {
            Err(why) => Answer::Unread(why),
            Ok(given) => match price(tariff, given) {
                Ok(priced) => Answer::Priced(priced, scales),
                Err(refusal) => Answer::Refused(refusal, scales.source),
            },
        };
        if self.is_met(&answer) {
            return Ok(());
        }
        let expected = self
            .text
            .split_once('>')
            .map_or("", |(_, expected)| expected);
        Err(format!(
            "case `{}`: expected {expected}, got {answer}",
            self.text
        ))
    }

    fn is_met(&self, answer: &Answer) -> bool {
        match (&self.gained, answer) {
            (Expected::Units(total), Answer::Priced(priced, _)) => {
                let agrees = |said: Option<i64>, is: i64| said.is_none_or(|said| said == is);
                *total == priced.total
                    && agrees(self.fee, priced.fee.unwrap_or(0))
                    && agrees(self.used, priced.used)
                    && agrees(self.left, priced.left)
            }
            (Expected::Units(total), Answer::Refused(refusal, _)) => {
                *total == 0 && refusal.code() == "too_little"
            }
            (Expected::Refused(code), Answer::Refused(refusal, _)) => *code == refusal.code(),
            (Expected::Refused(code), Answer::Unread(why)) => *code == unread_code(*why),
            (Expected::Refused(_), Answer::Priced(..)) => false,
            (Expected::Units(_), Answer::Unread(_)) => false,
        }
    }
}

/// A case may ask what becomes of less than nothing; a quote never does.
fn units(text: &str, scale: Scale) -> Result<i64, BadAmount> {
    match text.strip_prefix('-') {
        Some(size) => amount::parse(size, scale).map(|units| -units),
        None => amount::parse(text, scale),
    }
}

fn unread_code(why: BadAmount) -> &'static str {
    match why {
        BadAmount::TooLarge => "above_max",
        BadAmount::TooManyDecimals(_) => "too_many_decimals",
        BadAmount::Empty | BadAmount::NotADecimal | BadAmount::LeadingZero => "bad_amount",
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Priced(priced, scales) => {
                write!(to, "{}", amount::print(priced.total, scales.target))?;
                if let Some(fee) = priced.fee {
                    write!(to, " fee={fee}")?;
                }
                if priced.left > 0 {
                    let used = amount::print(priced.used, scales.source);
                    let left = amount::print(priced.left, scales.source);
                    write!(to, " used={used} left={left}")?;
                }
                Ok(())
            }
            Answer::Refused(refusal, scale) => {
                write!(to, "ERR:{} ({})", refusal.code(), refusal.told(*scale))
            }
            Answer::Unread(why) => write!(to, "ERR:{} ({why})", unread_code(*why)),
        }
    }
}
