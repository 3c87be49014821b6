//! A claim: a fact that a partner attests about its own member.
//!
//! ```text
//! {"tier": {"value": "gold", "valid_until": "2027-01-01T00:00:00Z"}, "card": {"value": "visa_infinite"}}
//! ```
//!
//! A claim holds before its `valid_until`, or until it is taken back. What a tier or a card means is
//! the partner's to know; a rate card only asks whether the value is one of those it lists.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::clock::{self, Timestamp};
use crate::web::body;
use crate::web::text::{Fact, Word};

/// The most that one partner attests of one member.
const MOST: usize = 20;

/// Everything that one partner attests of one member.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Claims(BTreeMap<Word, Claim>);

/// One claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// 1 to 60 printable characters, compared whole.
    #[schema(value_type = String, min_length = 1, max_length = 60, example = "gold")]
    pub value: Fact,
    /// The first instant at which it does not hold; without an end when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "sensible"
    )]
    pub valid_until: Option<Timestamp>,
}

/// Claims as they are written, before they are counted.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Written(#[serde(deserialize_with = "body::entries")] BTreeMap<Word, Entry>);

/// An object, where serde would also take a list.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Entry(#[serde(deserialize_with = "body::object")] Claim);

impl TryFrom<Written> for Claims {
    type Error = &'static str;

    fn try_from(Written(claims): Written) -> Result<Claims, Self::Error> {
        if claims.len() > MOST {
            return Err("at most 20 claims");
        }
        let claims = claims.into_iter().map(|(name, Entry(claim))| (name, claim));
        Ok(Claims(claims.collect()))
    }
}

impl From<Claims> for Written {
    fn from(Claims(claims): Claims) -> Written {
        let claims = claims.into_iter().map(|(name, claim)| (name, Entry(claim)));
        Written(claims.collect())
    }
}

/// How many there are and not which: what is printed may end in a log.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.len()).finish()
    }
}

fn sensible<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let end = Option::<Timestamp>::deserialize(deserializer)?;
    match end.is_none_or(clock::is_sensible) {
        true => Ok(end),
        false => Err(D::Error::custom("an instant from the year 2000 to 2199")),
    }
}

impl Claims {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is attested under a name at `now`.
    pub fn value(&self, name: &Word, now: Timestamp) -> Option<&Fact> {
        let claim = self.0.get(name)?;
        let holds = claim.valid_until.is_none_or(|end| now < end);
        holds.then_some(&claim.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration};
    use serde_json::{Value, json};

    fn read(claims: Value) -> Result<Claims, String> {
        serde_json::from_value(claims).map_err(|error| error.to_string())
    }

    #[test]
    fn a_claim_holds_until_its_end() {
        let noon = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let claims =
            json!({"tier": {"value": "gold", "valid_until": noon}, "card": {"value": "x"}});
        let claims = read(claims).unwrap();
        let value = |name: &str, now| {
            let name = Word::try_from(name.to_owned()).unwrap();
            claims.value(&name, now).map(|value| value.to_string())
        };
        let before = noon - Duration::microseconds(1);
        assert_eq!(value("tier", before).as_deref(), Some("gold"));
        assert_eq!(value("tier", noon), None);
        assert_eq!(value("card", noon).as_deref(), Some("x"));
        assert_eq!(value("other", before), None);
    }

    #[test]
    fn claims_come_back_as_they_were_attested() {
        let claims = json!({"card": {"value": "x"}, "tier": {"value": "gold", "valid_until": "2027-01-01T00:00:00Z"}});
        assert_eq!(json!(read(claims.clone()).unwrap()), claims);
        assert_eq!(json!(read(json!({})).unwrap()), json!({}));
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        let many: BTreeMap<String, Value> = (0..=MOST)
            .map(|nth| (format!("c{nth}"), json!({"value": "x"})))
            .collect();
        let cases = [
            (json!(many), "at most 20 claims"),
            (json!({"Tier": {"value": "gold"}}), "a word is"),
            (json!({"": {"value": "gold"}}), "a word is"),
            (json!({"tier": {"value": ""}}), "a value is"),
            (json!({"tier": {"value": "a\nb"}}), "a value is"),
            (json!({"tier": {"value": 1}}), "invalid type"),
            (json!({"tier": {}}), "missing field `value`"),
            (json!({"tier": "gold"}), "an object"),
            (json!({"tier": ["gold", null]}), "an object"),
            (
                json!({"tier": {"value": "gold", "more": 1}}),
                "unknown field `more`",
            ),
            (
                json!({"tier": {"value": "gold", "valid_until": "9999-01-01T00:00:00Z"}}),
                "2000 to 2199",
            ),
            (json!([]), "an object"),
        ];
        for (claims, why) in cases {
            let refused = read(claims.clone()).unwrap_err();
            assert!(refused.contains(why), "{claims}: {refused}");
        }
        let twice = r#"{"tier":{"value":"gold"},"tier":{"value":"ruby"}}"#;
        let refused = serde_json::from_str::<Claims>(twice).unwrap_err();
        assert!(refused.to_string().contains("stands twice"), "{refused}");
    }
}
