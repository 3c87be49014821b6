//! A quote: a price the hub promises for a while.
//!
//! It is a signed token (HS256, RFC 7519) that names the card, the amount and the locked exchange
//! rate, whether its fee is paid, and what campaigns add; issuing it writes nothing. Its id grows with time (UUIDv7), so that the index that keeps
//! it from being taken twice grows at its end. What the brands pay each other is not in it: a
//! conversion works it out again, with the same function, from the same card.

use chrono::Duration;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// How long a price is promised.
pub const LIFE: Duration = Duration::minutes(10);

/// What a quote token says. Ids are public ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    pub jti: Uuid,
    /// Who asked, and may take it.
    pub partner: String,
    /// The member that the partner acted for, and may take it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    pub card: String,
    pub exchange_rate: Option<String>,
    pub from_wallet: String,
    pub to_wallet: String,
    /// What the member gave as the amount, in the source currency's smallest unit.
    pub given: i64,
    /// What the member gets, in the target currency's smallest unit.
    pub gained: i64,
    /// The fee was paid before, for a period: this charges none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub covered: bool,
    /// When its two wallets became one member's by a link, in microseconds of the database's clock; none where they
    /// always were, or are of one brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<i64>,
    /// In seconds of the database's clock.
    pub exp: i64,
    /// The campaigns that it counts on, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub campaigns: Vec<Promised>,
    /// The exchange rates between the moneys of their sponsors and that of the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<String>,
    /// The second card, where two decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// What becomes of what the first card gives: `given` of it is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    pub card: String,
    pub exchange_rate: Option<String>,
    /// In the smallest unit of the currency between.
    pub given: i64,
}

fn is_false(covered: &bool) -> bool {
    !covered
}

/// What a campaign adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promised {
    pub id: String,
    /// The wallet's arm of an experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// In the target currency's smallest unit.
    pub units: i64,
}

/// Signs quotes and reads them back.
pub struct Quotes {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The token is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOurs;

const KIND: &str = "interline-quote";

impl Quotes {
    pub fn new(secret: &[u8; 32]) -> Quotes {
        Quotes {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }

    pub fn sign(&self, quote: &Quote) -> anyhow::Result<String> {
        let header = Header {
            typ: Some(KIND.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        Ok(jsonwebtoken::encode(&header, quote, &self.encoding)?)
    }

    /// Reads a token. Whether it has expired is decided later, by the database's clock.
    pub fn read(&self, token: &str) -> Result<Quote, NotOurs> {
        if token.len() > 4096 {
            return Err(NotOurs);
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.set_required_spec_claims::<&str>(&[]);
        let read =
            jsonwebtoken::decode::<Quote>(token, &self.decoding, &rules).map_err(|_| NotOurs)?;
        match read.header.typ.as_deref() {
            Some(KIND) => Ok(read.claims),
            _ => Err(NotOurs),
        }
    }
}

impl Quote {
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_timestamp(self.exp, 0).unwrap_or_default()
    }

    /// Whether it may be from before an instant. Of one from less than a second after, nobody can tell.
    pub fn may_be_from_before(&self, at: Timestamp) -> bool {
        self.expires_at() - LIFE - Duration::seconds(1) < at
    }

    pub fn linked_at(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp_micros(self.linked?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote() -> Quote {
        Quote {
            jti: Uuid::nil(),
            partner: "ptr_1".into(),
            member: None,
            card: "card_1".into(),
            exchange_rate: None,
            from_wallet: "wal_1".into(),
            to_wallet: "wal_2".into(),
            given: 10_000,
            gained: 12_187,
            covered: true,
            linked: Some(1_800_000_000_000_001),
            exp: 4_000_000_000,
            campaigns: vec![Promised {
                id: "cmp_1".into(),
                arm: Some("more".into()),
                units: 100,
            }],
            rates: vec![],
            then: Some(Then {
                card: "card_2".into(),
                exchange_rate: None,
                given: 300,
            }),
        }
    }

    #[test]
    fn a_quote_comes_back_as_it_was_signed() {
        let quotes = Quotes::new(&[3; 32]);
        assert_eq!(quotes.read(&quotes.sign(&quote()).unwrap()), Ok(quote()));
    }

    #[test]
    fn a_token_that_was_touched_or_signed_elsewhere_is_not_ours() {
        let (ours, theirs) = (Quotes::new(&[3; 32]), Quotes::new(&[4; 32]));
        let token = theirs.sign(&quote()).unwrap();
        assert_eq!(ours.read(&token), Err(NotOurs));
        for cut in [0, 1, token.len() / 2, token.len() - 1] {
            assert_eq!(theirs.read(&token[..cut]), Err(NotOurs));
        }
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        assert_eq!(ours.read(unsigned), Err(NotOurs));
    }
}
