//! What should not be left in a file, or in its name.

use crate::source::{Source, stem};
use crate::{agreed, remarks_on, says, tree};

/// Written in halves, so that this file does not find itself.
const LEFT_BEHIND: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("db", "g!"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("#[ig", "nore"),
];

/// Modules that count points and money: in integers and decimals only.
const EXACT: [&str; 5] = ["points", "rates", "ledger", "conversions", "settlement"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "common", "core", "shared", "utils", "helpers", "services", "models", "types",
];

fn undocumented(sources: &[Source]) -> Vec<String> {
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    let silent = rust.filter(|source| !source.text.starts_with("//!"));
    let say = |source: &Source| {
        format!(
            "{}:1: does not say what it is. Begin it with a sentence after `//!`.",
            source.path
        )
    };
    silent.map(say).collect()
}

fn left_behind(sources: &[Source]) -> Vec<String> {
    let mut remarks = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            let left = LEFT_BEHIND.iter().filter(|word| line.contains(*word));
            remarks.extend(left.map(|word| {
                let (path, line) = (&source.path, index + 1);
                format!(
                    "{path}:{line}: `{word}` was left behind. Do it now, or file it as an issue."
                )
            }));
        }
    }
    remarks
}

fn inexact(sources: &[Source]) -> Vec<String> {
    let exact = sources
        .iter()
        .filter(|source| source.module().is_some_and(|m| EXACT.contains(&m)));
    remarks_on(
        exact,
        &["f32", "f64"],
        "where points or money are counted. Use an integer of smallest units, or Decimal with its rounding said.",
    )
}

fn unwrapped(sources: &[Source]) -> Vec<String> {
    remarks_on(
        sources,
        &[".unwrap()"],
        "tells nobody why it holds. Return an error, or `expect` with the sentence that says why.",
    )
}

fn empty_names(sources: &[Source]) -> Vec<String> {
    let mut remarks = Vec::new();
    for Source { path, .. } in sources {
        let name = path
            .split('/')
            .map(stem)
            .find(|part| EMPTY_NAMES.contains(part));
        remarks.extend(name.map(|name| {
            format!("{path}:1: `{name}` could hold anything. Name it for the noun it defines.")
        }));
    }
    remarks
}

#[test]
fn every_file_says_what_it_is() {
    agreed(undocumented(&Source::below(&["src"])));
    says(
        undocumented(&tree(&[("src/a.rs", "// a\n//! a")])),
        "src/a.rs:1: does not say",
    );
}

#[test]
fn nothing_is_left_behind() {
    agreed(left_behind(&Source::below(&[
        "src",
        "tests",
        "benches",
        "migrations",
    ])));
    for word in LEFT_BEHIND {
        let text = format!("-- a\n-- {word} (b)");
        let start = format!("migrations/a/up.sql:2: `{word}` was left");
        let [first, ..] = &left_behind(&tree(&[("migrations/a/up.sql", &text)]))[..] else {
            panic!("{word} was not seen");
        };
        assert!(first.starts_with(&start), "{first}");
    }
}

#[test]
fn nothing_is_unwrapped() {
    agreed(unwrapped(&Source::below(&["src"])));
    let text = "fn a() {\n  b.unwrap();\n}\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }";
    says(
        unwrapped(&tree(&[("src/a.rs", text)])),
        "src/a.rs:2: `.unwrap()` tells nobody",
    );
}

#[test]
fn points_and_money_are_exact() {
    agreed(inexact(&Source::below(&["src"])));
    let text = "/// not f64\nfn a() { b as f64 }";
    let files = tree(&[("src/rates/card.rs", text), ("src/insights/noise.rs", text)]);
    says(inexact(&files), "src/rates/card.rs:2: `f64` where points");
}

#[test]
fn names_say_what_is_inside() {
    agreed(empty_names(&Source::below(&[
        "src",
        "tests",
        "benches",
        "migrations",
    ])));
    says(
        empty_names(&tree(&[("src/web/utils.rs", "")])),
        "src/web/utils.rs:1: `utils` could",
    );
    says(
        empty_names(&tree(&[("tests/common/mod.rs", "")])),
        "tests/common/mod.rs:1: `common` could",
    );
}
