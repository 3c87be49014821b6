//! A partner: a brand with an account at the hub.

use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::life::{Acts, Standing, State};
use super::pilots::Pilot;
use crate::clock::Timestamp;
use crate::points::account::Asset;
use crate::web::text::{Code, Name};

#[derive(Debug, Clone)]
pub struct Partner {
    pub id: i64,
    pub code: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub kind: String,
    pub state: State,
    /// Of one that is winding down or closed.
    pub last_day: Option<NaiveDate>,
    /// When that day is over.
    pub ends_at: Option<Timestamp>,
    /// What it settles in.
    pub money: Asset,
    /// The zone of its business dates.
    pub zone: Tz,
    pub created_at: Timestamp,
    /// It is in a sandbox.
    pub rehearses: bool,
    /// How far it goes for now; none when as far as its state allows.
    pub pilot: Option<Arc<Pilot>>,
}

impl Partner {
    pub fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            ends_at: self.ends_at,
            rehearses: self.rehearses,
            open: self.pilot.as_ref().map_or(Acts::ALL, |it| it.open()),
        }
    }
}

/// What an operator says about a brand to admit.
#[derive(Debug, Clone)]
pub struct NewPartner {
    pub code: Code,
    pub name: Name,
    pub name_zh: Option<Name>,
    pub kind: Kind,
    pub money: Asset,
    pub zone: Tz,
}

/// What sort of brand it is. A word and no list: a new sort of brand is no reason for a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl TryFrom<String> for Kind {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Kind, Self::Error> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !(2..=32).contains(&text.len()) || !plain {
            return Err("a kind is a word of 2 to 32 of a to z and '_', such as airline or mall");
        }
        Ok(Kind(text))
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_words() {
        assert!(Kind::try_from("supermarket_chain".to_owned()).is_ok());
        for kind in ["", "a", "Mall", "mall 2", "購物"] {
            assert!(Kind::try_from(kind.to_owned()).is_err(), "{kind}");
        }
    }
}
