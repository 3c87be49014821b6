//! What the text columns of published rules say, transcribed into what a card can say.
//!
//! ```text
//! {"R190": {"period_cap": {"said": "180,000 miles per calendar year",
//!                          "is": {"terms": {"allowances": [{"period": "year", "given": 180000}]}}}},
//!  "R018": {"promo_bonus": {"said": "Frequent transfer bonuses.",
//!                           "cannot": "the bonuses have neither sizes nor dates"}},
//!  "R235": {"member_condition": {"said": "manual; auto-redemption needs multiples of 2,000",
//!                                "is_each": [{"when": {"channel": ["manual"]}, "priority": 1},
//!                                            {"when": {"channel": ["auto"]}, "priority": 2, "terms": {…}}]}}}
//! ```
//!
//! By row and column: what was read (`said`, letter by letter, so that a text that reads differently
//! later is not taken for the same), and either what it `is` as fields of a draft, put together with
//! those of the other columns, nothing where the column `terms` says it already; or `is_each`, when the row
//! takes several cards, each with its own condition, priority, limits and fee, and where they go into
//! several programmes each with its own `to_program`; or why it `cannot` be said.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Transcribed texts by row and column.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Transcript(BTreeMap<String, BTreeMap<String, Text>>);

/// One text, transcribed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    said: String,
    #[serde(default)]
    is: Option<Map<String, Value>>,
    #[serde(default)]
    is_each: Vec<Map<String, Value>>,
    #[serde(default)]
    cannot: Option<String>,
}

/// Why a text is not said by a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsaid {
    #[error("{column}: `{said}` is not transcribed")]
    Untranscribed { column: String, said: String },
    #[error("{column}: reads `{said}` now, and was transcribed as it was before")]
    Changed { column: String, said: String },
    #[error("{column}: {why}")]
    Cannot { column: String, why: String },
    #[error("{column}: its transcription says nothing")]
    Empty { column: String },
}

impl Transcript {
    /// The fields that a row's texts come to, for each card it takes. `texts` are the columns that say
    /// something.
    pub fn cards<'a>(
        &self,
        row: &str,
        texts: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<Map<String, Value>>, Unsaid> {
        let mut cards = vec![Map::new()];
        for (column, said) in texts {
            let (column, said) = (column.to_owned(), said.to_owned());
            let Some(text) = self.0.get(row).and_then(|row| row.get(&column)) else {
                return Err(Unsaid::Untranscribed { column, said });
            };
            if text.said != said {
                return Err(Unsaid::Changed { column, said });
            }
            if let Some(why) = text.cannot.clone() {
                return Err(Unsaid::Cannot { column, why });
            }
            let one = text.is.iter();
            let ways: Vec<&Map<String, Value>> = one.chain(&text.is_each).collect();
            if ways.is_empty() {
                return Err(Unsaid::Empty { column });
            }
            cards = ways
                .iter()
                .flat_map(|way| cards.iter().map(|card| together(card.clone(), way)))
                .collect();
        }
        Ok(cards)
    }
}

/// Fields with more fields: objects are put together, lists follow one another.
pub(super) fn together(
    mut all: Map<String, Value>,
    more: &Map<String, Value>,
) -> Map<String, Value> {
    for (name, value) in more {
        let merged = match (all.remove(name), value) {
            (Some(Value::Object(before)), Value::Object(after)) => {
                Value::Object(together(before, after))
            }
            (Some(Value::Array(mut before)), Value::Array(after)) => {
                before.extend(after.iter().cloned());
                Value::Array(before)
            }
            (Some(_) | None, value) => value.clone(),
        };
        all.insert(name.clone(), merged);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn transcript() -> Transcript {
        serde_json::from_value(json!({"R1": {
            "period_cap": {"said": "5 a month", "is": {"terms": {"allowances": [{"period": "month", "times": 5}]}}},
            "max_per_txn_or_day": {"said": "9/day", "is": {"terms": {"allowances": [{"period": "day", "given": 9}], "max": 9}}},
            "member_condition": {"said": "app or web", "is_each": [{"priority": 1}, {"priority": 2}]},
            "fee": {"said": "see terms", "is": {}},
            "promo_bonus": {"said": "sometimes", "cannot": "no dates"},
            "valid_to": {"said": "soon"},
        }}))
        .unwrap()
    }

    fn cards(texts: &[(&str, &str)]) -> Result<Value, String> {
        let cards = transcript().cards("R1", texts.iter().copied());
        cards
            .map(|cards| json!(cards))
            .map_err(|unsaid| unsaid.to_string())
    }

    #[test]
    fn texts_are_put_together() {
        assert_eq!(cards(&[("fee", "see terms")]), Ok(json!([{}])));
        let both = cards(&[("period_cap", "5 a month"), ("max_per_txn_or_day", "9/day")]).unwrap();
        let allowances = json!([{"period": "month", "times": 5}, {"period": "day", "given": 9}]);
        assert_eq!(
            both,
            json!([{"terms": {"allowances": allowances, "max": 9}}])
        );
        let each = cards(&[("member_condition", "app or web"), ("fee", "see terms")]).unwrap();
        assert_eq!(each, json!([{"priority": 1}, {"priority": 2}]));
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let cases = [
            ("promo_bonus", "sometimes", "promo_bonus: no dates"),
            (
                "fee",
                "5",
                "fee: reads `5` now, and was transcribed as it was before",
            ),
            ("block_bonus", "+5", "block_bonus: `+5` is not transcribed"),
            (
                "valid_to",
                "soon",
                "valid_to: its transcription says nothing",
            ),
        ];
        for (column, said, expected) in cases {
            assert_eq!(cards(&[(column, said)]), Err(expected.to_owned()));
        }
    }
}
