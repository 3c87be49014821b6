//! A line: what it says, or what is wrong with it.
//!
//! A line of CSV becomes the object that would be a line of NDJSON, so both are read by the same rules: its
//! cells are the fields that its columns name, and an empty cell is a field that is left out. No field has a
//! line break in it, so a line of the file is a line here, and its number can be found in an editor.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::columns::{CLAIM, Columns, UNTIL};
use super::import::Kind;
use crate::clock::Timestamp;
use crate::error::{Problem, Slug};
use crate::members::Claims;
use crate::partners::award_limits::Reason;
use crate::web::body;
use crate::web::stream::{LONGEST_LINE, RawLine};
use crate::web::text::{Mark, Number, Reference};

/// The most characters of a reason that are kept.
const LONGEST_DETAIL: usize = 500;

/// Why a line did not go in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub code: Slug,
    /// The column or field that it is about.
    pub field: Option<String>,
    pub detail: String,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        let told = problem.detail;
        let (field, detail) = match (problem.errors.into_iter().next(), told.split_once(": ")) {
            (Some(error), _) => (Some(error.pointer), error.detail),
            (None, Some((pointer, detail))) if pointer.starts_with('/') => {
                (Some(pointer.to_owned()), detail.to_owned())
            }
            _ => (None, told),
        };
        // An amount and its currency stand beside each other in a line.
        let field = field.map(|pointer| {
            let field = pointer.strip_prefix("/amount/").unwrap_or(&pointer);
            field.trim_start_matches('/').replace('/', ".")
        });
        let field = field.filter(|field| !field.is_empty());
        let missing = || {
            let (_, rest) = detail.split_once("missing field `")?;
            Some(rest.split('`').next()?.to_owned())
        };
        Refused {
            code: problem.slug,
            field: field.or_else(missing),
            detail: detail.chars().take(LONGEST_DETAIL).collect(),
        }
    }
}

/// Somebody to enrol.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberLine {
    pub number: Number,
}

/// A member to link, or to attest claims of, or both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipLine {
    pub number: Number,
    pub link_token: Option<String>,
    pub claims: Option<Claims>,
}

/// Points to give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwardLine {
    pub member: Option<String>,
    pub number: Option<Number>,
    pub amount: String,
    pub currency: String,
    pub reason: Reason,
    pub usable_from: Option<Timestamp>,
    pub channel: Option<Mark>,
    pub location: Option<Mark>,
    pub reference: Option<Reference>,
}

/// What a line says.
#[derive(Debug)]
pub enum Said {
    Member(MemberLine),
    Membership(MembershipLine),
    Award(AwardLine),
}

/// Reads a line of a kind: of CSV where there are columns, else of NDJSON.
pub fn read(kind: Kind, columns: Option<&Columns>, line: &[u8]) -> Result<Said, Problem> {
    let text = text(line)?;
    let object = match columns {
        Some(columns) => object(columns, text)?.to_string(),
        None => text.to_owned(),
    };
    let object = object.as_bytes();
    let said = match kind {
        Kind::Members => Said::Member(body::parse(object)?),
        Kind::Memberships => Said::Membership(body::parse(object)?),
        Kind::Awards => Said::Award(body::parse(object)?),
    };
    match &said {
        Said::Membership(it) if it.link_token.is_none() && it.claims.is_none() => {
            let rule = "a link token of the member, or claims of it";
            Err(Problem::field("/link_token", rule))
        }
        Said::Award(it) if it.member.is_some() == it.number.is_some() => {
            let rule = "either the member's id, or its number with you in `number`";
            Err(Problem::field("/member", rule))
        }
        _ => Ok(said),
    }
}

/// The bytes of a line that is not too long.
pub fn bytes(line: &RawLine) -> Result<&[u8], Problem> {
    match line {
        RawLine::Whole(bytes) => Ok(bytes),
        RawLine::TooLong => Err(unreadable(format!(
            "it is longer than {LONGEST_LINE} bytes, the most that a line has"
        ))),
    }
}

/// Whether there is nothing in a line.
pub fn is_blank(line: &RawLine) -> bool {
    matches!(line, RawLine::Whole(bytes) if bytes.trim_ascii().is_empty())
}

/// A line as text.
pub fn text(line: &[u8]) -> Result<&str, Problem> {
    if line.contains(&0) {
        let rule = "it has a NUL in it; text has none. Save the file as UTF-8";
        return Err(unreadable(rule));
    }
    std::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to() + 1;
        unreadable(format!(
            "byte {at} is not of UTF-8: save the file as UTF-8, without another character set"
        ))
    })
}

/// The cells of a line of CSV.
pub fn cells(line: &str) -> Result<Vec<String>, Problem> {
    if line.matches('"').count() % 2 == 1 {
        let rule = "a quotation mark is opened and not closed: no field goes over several lines, and a mark \
                    inside a quoted field is written twice";
        return Err(unreadable(rule));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(line.as_bytes());
    match reader.records().next() {
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(error)) => Err(unreadable(error.to_string())),
        None => Ok(Vec::new()),
    }
}

/// A line of CSV as the object that it stands for.
fn object(columns: &Columns, line: &str) -> Result<Value, Problem> {
    let cells = cells(line)?;
    let names = columns.names();
    if cells.len() != names.len() {
        let (has, wants) = (cells.len(), names.len());
        return Err(unreadable(format!(
            "it has {has} fields, and the header names {wants}; a comma inside a field stands between \
             quotation marks"
        )));
    }
    let mut object = Map::new();
    let mut claims: Option<Map<String, Value>> = None;
    for (name, cell) in names.iter().zip(cells) {
        let Some(claim) = name.strip_prefix(CLAIM) else {
            if !cell.is_empty() {
                object.insert(name.clone(), json!(cell));
            }
            continue;
        };
        let claims = claims.get_or_insert_default();
        let (claim, field) = match claim.strip_suffix(UNTIL) {
            Some(claim) => (claim, "valid_until"),
            None => (claim, "value"),
        };
        if !cell.is_empty() {
            let of_claim = claims.entry(claim).or_insert_with(|| json!({}));
            of_claim[field] = json!(cell);
        }
    }
    if let Some(claims) = claims {
        object.insert("claims".to_owned(), Value::Object(claims));
    }
    Ok(Value::Object(object))
}

pub fn unreadable(why: impl Into<String>) -> Problem {
    Problem::new(Slug::ImportLineUnreadable, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: Kind, columns: Option<&str>, line: &[u8]) -> (String, String, String) {
        let columns = columns.map(|header| Columns::read(kind, header).expect(header));
        let refused = Refused::from(read(kind, columns.as_ref(), line).expect_err("a refusal"));
        let field = refused.field.unwrap_or_default();
        (
            refused.code.entry().slug.to_owned(),
            field,
            refused.detail.to_owned(),
        )
    }

    #[test]
    fn a_line_of_csv_and_one_of_ndjson_say_the_same() {
        let columns =
            Columns::read(Kind::Awards, "number,amount,currency,reason,reference").unwrap();
        let csv = read(
            Kind::Awards,
            Some(&columns),
            br#"AE-1,"100",MILE,purchase,"a ""b"", c""#,
        );
        let json = br#"{"number":"AE-1","amount":"100","currency":"MILE","reason":"purchase","reference":"a \"b\", c"}"#;
        let json = read(Kind::Awards, None, json);
        assert_eq!(format!("{csv:?}"), format!("{json:?}"));
        let Ok(Said::Award(award)) = csv else {
            panic!("{csv:?}");
        };
        assert_eq!(award.reference.as_deref(), Some("a \"b\", c"));
        assert_eq!(award.member, None, "a column that is not there");
    }

    #[test]
    fn columns_of_claims_attest_also_that_there_are_none() {
        let header = "number,claim.tier,claim.tier.valid_until,claim.card";
        let columns = Columns::read(Kind::Memberships, header).unwrap();
        for (line, count) in [
            ("1,gold,2027-01-01T00:00:00Z,x", 2),
            ("1,gold,,", 1),
            ("1,,,", 0),
        ] {
            let said = read(Kind::Memberships, Some(&columns), line.as_bytes());
            let Ok(Said::Membership(said)) = said else {
                panic!("{line}: {said:?}");
            };
            assert_eq!(said.claims.expect("claims").len(), count, "{line}");
        }
        let until = refused(Kind::Memberships, Some(header), b"1,,2027-01-01T00:00:00Z,");
        assert_eq!(until.1, "claims.tier");
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let award = "number,amount,currency,reason,channel";
        type Case = (
            Kind,
            Option<&'static str>,
            &'static [u8],
            &'static str,
            &'static str,
            &'static str,
        );
        let cases: [Case; 14] = [
            (
                Kind::Members,
                Some("number"),
                b"a\0b",
                "import-line-unreadable",
                "",
                "NUL",
            ),
            (
                Kind::Members,
                Some("number"),
                b"ab\xff",
                "import-line-unreadable",
                "",
                "byte 3",
            ),
            (
                Kind::Members,
                Some("number"),
                b"\"ab",
                "import-line-unreadable",
                "",
                "not closed",
            ),
            (
                Kind::Members,
                Some("number"),
                b"a,b",
                "import-line-unreadable",
                "",
                "2 fields",
            ),
            (
                Kind::Members,
                Some("number"),
                b"a b",
                "invalid-field",
                "number",
                "visible ASCII",
            ),
            (
                Kind::Members,
                Some("number"),
                b"\"\"",
                "invalid-field",
                "number",
                "missing field",
            ),
            (Kind::Members, None, b"[]", "invalid-field", "", "an object"),
            (Kind::Members, None, b"{", "malformed-json", "", "EOF"),
            (
                Kind::Members,
                None,
                b"{\"number\":\"1\",\"x\":1}",
                "invalid-field",
                "x",
                "unknown field",
            ),
            (
                Kind::Awards,
                Some(award),
                b"1,5,MILE,gift,",
                "invalid-field",
                "reason",
                "purchase",
            ),
            (
                Kind::Awards,
                Some(award),
                b",5,MILE,event,",
                "invalid-field",
                "member",
                "number",
            ),
            (
                Kind::Awards,
                Some(award),
                b"1,,MILE,event,",
                "invalid-field",
                "amount",
                "missing field",
            ),
            (
                Kind::Awards,
                Some(award),
                b"1,5,MILE,event,a b",
                "invalid-field",
                "channel",
                "a code is",
            ),
            (
                Kind::Memberships,
                Some("number"),
                b"1",
                "invalid-field",
                "link_token",
                "a link token",
            ),
        ];
        for (kind, columns, line, code, field, why) in cases {
            let (told, of, detail) = refused(kind, columns, line);
            let line = String::from_utf8_lossy(line);
            assert_eq!((&*told, &*of), (code, field), "{line}: {detail}");
            assert!(detail.contains(why), "{line}: {detail}");
        }
    }
}
