//! The columns of a CSV file: what its first line names.

use super::import::Kind;
use super::line;
use crate::error::{Problem, Slug};
use serde_json::json;

/// What the name of a column of a claim begins with.
pub const CLAIM: &str = "claim.";

/// What that of the column with its end ends with.
pub const UNTIL: &str = ".valid_until";

/// Names of columns, each once, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<String>);

struct Known {
    /// All of these.
    required: &'static [&'static str],
    /// One of these, where there are any.
    one_of: &'static [&'static str],
    optional: &'static [&'static str],
    claims: bool,
}

fn known(kind: Kind) -> Known {
    match kind {
        Kind::Members => Known {
            required: &["number"],
            one_of: &[],
            optional: &[],
            claims: false,
        },
        Kind::Memberships => Known {
            required: &["number"],
            one_of: &[],
            optional: &["link_token"],
            claims: true,
        },
        Kind::Awards => Known {
            required: &["amount", "currency", "reason"],
            one_of: &["member", "number"],
            optional: &["usable_from", "channel", "location", "reference"],
            claims: false,
        },
    }
}

impl Columns {
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The columns that the first line of a file names.
    pub fn read(kind: Kind, header: &str) -> Result<Columns, Problem> {
        let names = line::cells(header).map_err(|problem| refused(problem.detail))?;
        let Known {
            required,
            one_of,
            optional,
            claims,
        } = known(kind);
        let is_known = |name: &str| {
            let is_claim = claims && name.strip_prefix(CLAIM).is_some_and(|it| !it.is_empty());
            is_claim || [required, one_of, optional].concat().contains(&name)
        };
        let has = |name: &&&str| names.iter().any(|it| it == **name);
        let quoted = |names: Vec<&str>| {
            let quoted = names.iter().map(|name| format!("`{name}`"));
            quoted.collect::<Vec<_>>().join(", ")
        };

        let unknown: Vec<&str> = names.iter().map(String::as_str).collect();
        let unknown: Vec<&str> = unknown.into_iter().filter(|it| !is_known(it)).collect();
        let mut twice: Vec<&str> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) && !twice.contains(&name.as_str()) {
                twice.push(name);
            }
        }
        let mut missing: Vec<&str> = required.iter().filter(|it| !has(it)).copied().collect();
        if !one_of.is_empty() && !one_of.iter().any(|it| has(&it)) {
            missing.extend(one_of.first());
        }
        let mut wrong = Vec::new();
        for (what, which) in [
            ("there is no column", &unknown),
            ("twice there is", &twice),
            ("missing is", &missing),
        ] {
            if !which.is_empty() {
                wrong.push(format!("{what} {}", quoted(which.clone())));
            }
        }
        if wrong.is_empty() {
            return Ok(Columns(names));
        }
        let mut right = [required, one_of, optional].concat();
        if claims {
            right.extend(["claim.NAME", "claim.NAME.valid_until"]);
        }
        let (wrong, all) = (wrong.join("; "), quoted(right));
        let name = kind.name();
        let told = format!("{wrong}. Columns of {name}, with commas between: {all}");
        Err(refused(told)
            .with("unknown", json!(unknown))
            .with("twice", json!(twice))
            .with("missing", json!(missing)))
    }
}

fn refused(why: impl Into<String>) -> Problem {
    Problem::new(Slug::ImportColumns, format!("line 1: {}", why.into())).with("line", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_any_order() {
        for (kind, header) in [
            (Kind::Members, "number"),
            (Kind::Members, "\"number\""),
            (
                Kind::Memberships,
                "claim.tier,number,claim.tier.valid_until",
            ),
            (
                Kind::Awards,
                "reason,currency,amount,member,number,reference",
            ),
        ] {
            Columns::read(kind, header).expect(header);
        }
    }

    #[test]
    fn what_is_wrong_with_a_header_is_named() {
        let cases = [
            (Kind::Members, "", "missing is `number`"),
            (
                Kind::Members,
                "Number",
                "no column `Number`; missing is `number`",
            ),
            (Kind::Members, "number;name", "no column `number;name`"),
            (Kind::Members, "number,number", "twice there is `number`"),
            (Kind::Members, "number,", "no column ``"),
            (
                Kind::Members,
                "number, claim.tier",
                "no column ` claim.tier`",
            ),
            (Kind::Memberships, "number,claim.", "no column `claim.`"),
            (
                Kind::Awards,
                "amount,currency,reason",
                "missing is `member`",
            ),
            (
                Kind::Awards,
                "number,points",
                "missing is `amount`, `currency`, `reason`",
            ),
            (Kind::Members, "\"number", "not closed"),
        ];
        for (kind, header, why) in cases {
            let refused = Columns::read(kind, header).expect_err(header);
            assert_eq!(refused.slug, Slug::ImportColumns);
            assert!(refused.detail.contains(why), "{header}: {}", refused.detail);
        }
    }
}
