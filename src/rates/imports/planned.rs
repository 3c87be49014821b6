//! One published rule, as the cards it is to become.

use serde_json::{Map, Value};

use super::transcript::{Transcript, Unsaid, together};
use crate::rates::row::with_quoted_decimals;

/// The columns that say in words what `terms` may not say.
const TEXTS: [&str; 8] = [
    "max_per_txn_or_day",
    "period_cap",
    "block_bonus",
    "member_condition",
    "fee",
    "promo_bonus",
    "valid_from",
    "valid_to",
];

/// A record of the file by the names of its columns.
pub struct Record {
    columns: Vec<(String, String)>,
}

/// What a row is to become: drafts that lack their currencies and their settlement.
#[derive(Debug, PartialEq)]
pub struct Planned {
    pub row: String,
    pub from: Programme,
    pub cards: Vec<PlannedCard>,
}

/// One of the cards of a row.
#[derive(Debug, PartialEq)]
pub struct PlannedCard {
    /// The row's, unless its transcription names another: a row may be for several.
    pub to: Programme,
    pub fields: Map<String, Value>,
}

/// A programme as the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    pub name: String,
    pub scale: u8,
}

/// Why a row becomes no card.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlanned {
    #[error("column `{0}` is missing")]
    NoColumn(&'static str),
    #[error("{0} `{1}` is not 0 to 4")]
    NotAScale(&'static str, String),
    #[error("`{TO}` of its transcription is no name")]
    NotAName,
    #[error("terms: {0}")]
    Terms(String),
    #[error("kind `unpriced`: a shape without a usable rate")]
    Unpriced,
    #[error("kind `priced` needs settlement terms of its own")]
    Priced,
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

impl Record {
    pub fn new(header: &[String], fields: &[String]) -> Record {
        let trimmed = |text: &String| text.trim().to_owned();
        let columns = header.iter().map(trimmed).zip(fields.iter().map(trimmed));
        Record {
            columns: columns.collect(),
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        let found = self.columns.iter().find(|(column, _)| column == name);
        found.map(|(_, field)| field.as_str())
    }

    fn needed(&self, name: &'static str) -> Result<&str, NotPlanned> {
        self.find(name).ok_or(NotPlanned::NoColumn(name))
    }

    /// What the row is called, also when it becomes nothing.
    pub fn name(&self) -> &str {
        self.find("row_id").unwrap_or("?")
    }

    pub fn plan(&self, transcript: &Transcript) -> Result<Planned, NotPlanned> {
        let row = self.needed("row_id")?;
        let programme = |name, scale| {
            Ok::<_, NotPlanned>(Programme {
                name: self.needed(name)?.to_owned(),
                scale: self.scale(scale)?,
            })
        };
        let from = programme("from_program", "from_scale")?;
        let to = programme(TO, "to_scale")?;
        let terms = self.terms()?;

        let texts = TEXTS.iter().filter_map(|column| {
            let said = self.find(column).filter(|said| !said.is_empty())?;
            Some((*column, said))
        });
        let more = transcript.cards(row, texts)?;
        let card = |fields| PlannedCard::of(&to, together(terms.clone(), fields));
        Ok(Planned {
            row: row.to_owned(),
            from,
            cards: more.iter().map(card).collect::<Result<_, _>>()?,
        })
    }

    fn scale(&self, name: &'static str) -> Result<u8, NotPlanned> {
        let text = self.needed(name)?;
        let scale = text.parse().ok().filter(|scale| *scale <= 4);
        scale.ok_or_else(|| NotPlanned::NotAScale(name, text.to_owned()))
    }

    /// The terms as the only field of a draft.
    fn terms(&self) -> Result<Map<String, Value>, NotPlanned> {
        let json = with_quoted_decimals(self.needed("terms")?);
        let terms: Map<String, Value> =
            serde_json::from_str(&json).map_err(|why| NotPlanned::Terms(why.to_string()))?;
        match terms.get("kind").and_then(Value::as_str) {
            Some("unpriced") => Err(NotPlanned::Unpriced),
            Some("priced") => Err(NotPlanned::Priced),
            _ => Ok(Map::from_iter([("terms".to_owned(), Value::Object(terms))])),
        }
    }
}

/// The programme that is gained, by the name of its column.
const TO: &str = "to_program";

impl PlannedCard {
    fn of(to: &Programme, mut fields: Map<String, Value>) -> Result<PlannedCard, NotPlanned> {
        let name = match fields.remove(TO) {
            None => to.name.clone(),
            Some(Value::String(name)) => name,
            Some(_) => return Err(NotPlanned::NotAName),
        };
        let to = Programme {
            name,
            scale: to.scale,
        };
        Ok(PlannedCard { to, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(fields: [&str; 8]) -> Result<Planned, String> {
        let header = "row_id from_program to_program from_scale to_scale terms period_cap fee";
        let header: Vec<String> = header.split(' ').map(str::to_owned).collect();
        let five = json!({"allowances": [{"period": "month", "times": 5}]});
        let each = json!([{"to_program": "A"}, {"to_program": "B", "priority": 1}, {}]);
        let transcript = json!({
            "R1": {"period_cap": {"said": "5 a month", "is": {"terms": five}}},
            "R3": {"period_cap": {"said": "A and B", "is_each": each}},
            "R4": {"period_cap": {"said": "A", "is": {"to_program": 5}}},
        });
        let transcript: Transcript = serde_json::from_value(transcript).unwrap();
        let record = Record::new(&header, &fields.map(str::to_owned));
        record.plan(&transcript).map_err(|why| why.to_string())
    }

    const RATIO: &str = r#"{"kind":"ratio","give":5,"get":2.5}"#;

    #[test]
    fn a_row_becomes_a_draft_with_what_its_texts_say() {
        let planned = plan(["R1", "Miles", "Points", "0", "2", RATIO, " 5 a month ", ""]).unwrap();
        let [card] = &planned.cards[..] else {
            panic!("one card");
        };
        assert_eq!((planned.from.scale, card.to.name.as_str()), (0, "Points"));
        let terms = json!({"kind": "ratio", "give": 5, "get": "2.5",
            "allowances": [{"period": "month", "times": 5}]});
        assert_eq!(json!(card.fields), json!({"terms": terms}));
    }

    #[test]
    fn a_row_for_several_programmes_is_a_card_to_each() {
        let planned = plan(["R3", "Miles", "A or B", "0", "0", RATIO, "A and B", ""]).unwrap();
        let cards = planned.cards.iter();
        let cards = cards.map(|it| (it.to.name.as_str(), it.fields.contains_key("priority")));
        let expected = [("A", false), ("B", true), ("A or B", false)];
        assert_eq!(cards.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_card_says_why() {
        let cases = [
            (
                ["R2", "A", "B", "0", "0", RATIO, "5 a month", ""],
                "period_cap: `5 a month` is not transcribed",
            ),
            (
                ["R1", "A", "B", "0", "0", RATIO, "", "1 USD"],
                "fee: `1 USD` is not transcribed",
            ),
            (
                ["R4", "A", "B", "0", "0", RATIO, "A", ""],
                "`to_program` of its transcription is no name",
            ),
            (
                ["R1", "A", "B", "0", "9", RATIO, "", ""],
                "to_scale `9` is not 0 to 4",
            ),
            (
                ["R1", "A", "B", "0", "0", r#"{"kind":"unpriced"}"#, "", ""],
                "kind `unpriced`: a shape without a usable rate",
            ),
        ];
        for (fields, why) in cases {
            assert_eq!(plan(fields), Err(why.to_owned()));
        }
        assert!(
            plan(["R1", "A", "B", "0", "0", "{", "", ""])
                .unwrap_err()
                .starts_with("terms: ")
        );
    }
}
