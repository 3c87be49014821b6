//! One published rule: readable or damaged, executable or not, kept or broken.
//!
//! ```text
//! kind → terms → scales → limits → cases → each case through price
//! ```
//!
//! What is said first decides: a kind that is not known here is not executable whatever else
//! the row says, and a row that cannot be read is failed before its cases are run.

use serde::Deserialize;

use super::case::Case;
use super::lint;
use super::tariff::Tariff;
use super::terms::{Rate, Terms};
use crate::points::amount::{Scale, Scales};

/// What is said of a row, and why.
pub(super) enum Verdict {
    Passed,
    Failed(Vec<String>),
    NotExecutable(String),
}

/// What of a row decides.
pub(super) struct Row<'a> {
    pub from_scale: &'a str,
    pub to_scale: &'a str,
    pub tests: &'a str,
    pub terms: &'a str,
    /// What the rule is like, in words.
    pub shape: &'a str,
}

/// The one field that is read before the others, because it says whether to read them.
#[derive(Deserialize)]
struct Shape {
    kind: String,
}

const KINDS: [&str; 6] = ["ratio", "slab", "marginal", "table", "priced", "unpriced"];

impl Row<'_> {
    /// What a partner would be told to think about; nothing where the row cannot be read.
    pub fn notes(&self) -> Vec<String> {
        let read = serde_json::from_str::<Terms>(&with_quoted_decimals(self.terms)).ok();
        let scales = scales(self.from_scale, self.to_scale).ok();
        let Some((terms, scales)) = read.zip(scales) else {
            return Vec::new();
        };
        let tariff = Tariff::of(&terms.once_paid(), scales, None);
        let lints = tariff.map(|tariff| lint::of(&terms, None, &tariff));
        let lints = lints.unwrap_or_default().into_iter();
        let told = lints.map(|lint| format!("{}: {}", lint.code().name(), lint.english(scales)));
        told.collect()
    }

    /// The verdict, or in words why the row is damaged.
    pub fn judge(&self) -> Result<Verdict, String> {
        let json = with_quoted_decimals(self.terms);
        let unread = |why: serde_json::Error| format!("terms: {why}");
        let Shape { kind } = serde_json::from_str(&json).map_err(unread)?;
        if !KINDS.contains(&kind.as_str()) {
            let why = format!("kind `{}` is not known here", kind.escape_debug());
            return Ok(Verdict::NotExecutable(why));
        }
        let terms: Terms = serde_json::from_str(&json).map_err(unread)?;
        let scales = scales(self.from_scale, self.to_scale)?;
        terms.check(scales).map_err(|why| format!("terms: {why}"))?;
        let cases = Case::all(self.tests, scales)?;

        let nothing_to_run = match terms.rate {
            Rate::Unpriced => Some(format!("kind `unpriced`: {}", self.shape)),
            Rate::Priced => Some("kind `priced` needs settlement terms".into()),
            _ if cases.is_empty() => Some("no cases to hold it against".into()),
            _ => None,
        };
        if let Some(why) = nothing_to_run {
            return Ok(Verdict::NotExecutable(why));
        }
        let tariff = Tariff::of(&terms, scales, None).map_err(|why| why.to_string())?;
        let runs = cases.iter().map(|case| case.run(&tariff, scales));
        let failed = runs.filter_map(Result::err).collect::<Vec<_>>();
        Ok(match failed.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed(failed),
        })
    }
}

/// The same JSON with numbers such as `12.5` in quotes: a JSON reader would make them floating
/// point, and a printed amount may as well be a string.
pub(super) fn with_quoted_decimals(json: &str) -> String {
    let mut quoted = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string_length(rest),
            '0'..='9' => number_length(rest),
            _ => next.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_decimal = next.is_ascii_digit() && token.contains('.');
        let quote = if is_decimal { "\"" } else { "" };
        quoted.extend([quote, token, quote]);
        rest = after;
    }
    quoted
}

fn string_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map_or(json.len(), |end| end + 2)
}

fn number_length(json: &str) -> usize {
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    json.bytes()
        .position(|byte| !is_part(byte))
        .unwrap_or(json.len())
}

fn scales(from: &str, to: &str) -> Result<Scales, String> {
    let scale = |name: &str, text: &str| {
        let decimals = text.trim().parse::<u8>().ok().and_then(Scale::new);
        decimals.ok_or(format!("{name} `{}` is not 0 to 4", text.escape_debug()))
    };
    Ok(Scales {
        source: scale("from_scale", from)?,
        target: scale("to_scale", to)?,
    })
}
