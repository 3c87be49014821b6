//! Purity: in a slice, what waits, talks or asks the time is in `mod.rs`, `api.rs` or `store.rs`.

use crate::source::Source;
use crate::{agreed, remarks_on, says, tree};

/// Folders of `src` that are no slice of the business, so their files need not be pure.
const NOT_SLICES: [&str; 7] = ["web", "pg", "demo", "bench", "torture", "pages", "cli"];

/// Files of a slice that talk to the outside though they are named for a noun, and why.
const ON_PURPOSE: &[(&str, &str)] = &[
    (
        "src/access/caller.rs",
        "is the permission in a handler's signature, an extractor that asks the database",
    ),
    (
        "src/ledger/execute.rs",
        "reads, locks, folds and writes for every command, so that no slice does",
    ),
    (
        "src/ledger/caps/statements.rs",
        "is the SQL of a group about caps; the group is one transaction",
    ),
    (
        "src/ledger/statements.rs",
        "is the SQL of a group; store.rs is the SQL of everybody else",
    ),
    (
        "src/ledger/columns.rs",
        "says how values look on the wire to the database; it asks nothing",
    ),
    ("src/ledger/queue.rs", "is where writers wait for commands"),
    (
        "src/ledger/seals/anchors.rs",
        "keeps a file, because what it remembers must be outside of the database",
    ),
    (
        "src/ledger/shelf.rs",
        "is what the handlers of the ledger ask for, in one extractor",
    ),
];

/// What a pure file does without: waiting, HTTP, SQL, the clock, chance, the machine.
const IMPURE: [&str; 13] = [
    "async",
    "await",
    "actix_web",
    "diesel_async",
    "tokio",
    "tokio_postgres",
    "sql_query",
    "SystemTime",
    "Utc::now",
    "Instant::now",
    "rand::",
    "std::fs",
    "std::env",
];

fn impure(sources: &[Source], on_purpose: &[(&str, &str)]) -> Vec<String> {
    let mut remarks = Vec::new();
    for source in sources.iter().filter(|source| expected_pure(&source.path)) {
        let said = said(source);
        let excused = on_purpose.iter().any(|(path, _)| *path == source.path);
        match excused {
            true if said.is_empty() => remarks.push(format!(
                "{}:1: is pure now. Take it off ON_PURPOSE in tests/tidy/purity.rs.",
                source.path
            )),
            true => {}
            false => remarks.extend(said),
        }
    }
    let gone = |path: &str| sources.iter().all(|source| source.path != path);
    let stale = on_purpose.iter().filter(|(path, _)| gone(path));
    remarks.extend(stale.map(|(path, _)| {
        format!("{path}: is gone. Take it off ON_PURPOSE in tests/tidy/purity.rs.")
    }));
    remarks
}

fn expected_pure(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() > 2
        && path.ends_with(".rs")
        && !NOT_SLICES.contains(&parts[1])
        && !["mod.rs", "api.rs", "store.rs"].contains(&parts[parts.len() - 1])
}

fn said(source: &Source) -> Vec<String> {
    let because = "in a file that should be pure. Take what it gives as an argument, and leave the \
                   asking to mod.rs, api.rs or store.rs.";
    remarks_on([source], &IMPURE, because)
}

#[test]
fn a_file_named_for_a_noun_is_pure() {
    agreed(impure(&Source::below(&["src"]), ON_PURPOSE));
}

#[test]
fn a_clock_in_a_pure_file_is_seen() {
    let text = "//! No async, no tokio.\nfn a() {\n    let now = Utc::now();\n}";
    let card = ("src/rates/card.rs", text);
    let files = tree(&[card, ("src/rates/mod.rs", text), ("src/web/a.rs", text)]);
    says(impure(&files, &[]), "src/rates/card.rs:3: `Utc::now`");
    says(impure(&files, &[(card.0, "for once")]), "");
    says(
        impure(&[], &[(card.0, "for once")]),
        "src/rates/card.rs: is gone",
    );
    let pure = tree(&[(card.0, "#[cfg(test)]\nmod tests { async fn a() {} }")]);
    says(
        impure(&pure, &[(card.0, "for once")]),
        "src/rates/card.rs:1: is pure",
    );
}
