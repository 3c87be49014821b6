//! One writer per table, and settlement blind to conversions: what the SQL and Diesel calls say.

use crate::source::{Source, line_of, places};
use crate::{agreed, says, tree};
use std::collections::BTreeMap;

/// Tests that write tables past their slice, and why.
const TESTS_THAT_WRITE: &[(&str, &str)] = &[
    (
        "tests/hub/approvals.rs",
        "what is proposed is changed past the hub, and nobody agrees to that",
    ),
    (
        "tests/hub/mandates.rs",
        "what it changes past the hub, the proof has to find",
    ),
    (
        "tests/hub/sponsors.rs",
        "a sponsor that is closed past the hub is charged for nothing",
    ),
    (
        "tests/hub/conditions.rs",
        "what it tries to change past the hub, the database refuses",
    ),
    (
        "tests/hub/campaigns.rs",
        "the database refuses to change a campaign, and the proof finds what it gave past the hub",
    ),
    (
        "tests/hub/feed.rs",
        "the base of group numbers is changed by whoever restores a database",
    ),
    (
        "tests/hub/life.rs",
        "the database refuses steps there are none of, and the proof finds who was closed past the hub",
    ),
    (
        "tests/hub/notices.rs",
        "thousands of wallets with one expiry, which a great award makes in longer than a test has",
    ),
    (
        "tests/hub/postgres.rs",
        "its table is in a cluster without a hub",
    ),
    (
        "tests/hub/proof.rs",
        "what it changes past the hub, the proof has to find",
    ),
    (
        "tests/hub/sandbox.rs",
        "the database refuses to change what it is for, and the clock of a live hub",
    ),
    (
        "tests/hub/schema.rs",
        "makes the schema look like another version's, which no hub does",
    ),
    (
        "tests/hub/seals.rs",
        "what it changes past the hub, the proof or an anchor has to find",
    ),
    (
        "tests/hub/refusals.rs",
        "lets the minutes pass that a proof is fresh for",
    ),
    (
        "tests/hub/second_factor.rs",
        "lets the minutes pass that attempts are counted in and proofs are fresh for",
    ),
    (
        "tests/hub/sessions.rs",
        "lets the minutes pass after which a session ends",
    ),
    (
        "tests/hub/world.rs",
        "lets the half minute pass after which there is another code",
    ),
    (
        "tests/hub/undo.rs",
        "lets a hub forget how far it was, as if it had been killed, and the proof finds what it changes past the hub",
    ),
    (
        "tests/hub/tokens.rs",
        "lets the hours pass that a rotation of the hub's key waits for",
    ),
];

/// A write with its line; the table is not known where its name is put together at run time.
type Write = (usize, Option<String>);

/// The words of a piece of SQL in lowercase, and where they are. Brackets and commas separate.
pub fn words(sql: &str) -> Vec<(usize, String)> {
    let parts = sql.split(|c: char| c.is_whitespace() || "(),;\"".contains(c));
    let place = |word: &str| word.as_ptr() as usize - sql.as_ptr() as usize;
    parts
        .filter(|word| !word.is_empty())
        .map(|word| (place(word), word.to_lowercase()))
        .collect()
}

fn written_in_sql(first_line: usize, sql: &str) -> Vec<Write> {
    let words = words(sql);
    let word = |at: usize| words.get(at).map_or("", |(_, word)| word.as_str());
    let mut writes = Vec::new();
    for at in 0..words.len() {
        let only = |at: usize| at + usize::from(word(at) == "only");
        let table = match (word(at), word(at + 1)) {
            ("insert" | "merge", "into") => only(at + 2),
            ("delete", "from") => only(at + 2),
            ("truncate", "table") => only(at + 2),
            ("copy", _) if (at + 2..words.len()).any(|to| word(to) == "stdin") => at + 1,
            // `on conflict do update set` and `for update of` name no table to write.
            ("update", next) if next != "set" => {
                let table = only(at + 1);
                let sets = (table + 1..table + 4).any(|to| word(to) == "set");
                if !sets {
                    continue;
                }
                table
            }
            _ => continue,
        };
        let name = word(table).rsplit('.').next().unwrap_or_default();
        let plain = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_alphanumeric());
        let line = first_line + line_of(sql, words[at].0) - 1;
        writes.push((line, plain.then(|| name.to_owned())));
    }
    writes
}

fn written_by_diesel(source: &Source) -> Vec<Write> {
    let code = &source.code;
    let mut writes = Vec::new();
    for call in ["insert_into(", "update(", "delete("] {
        for at in places(code, call) {
            let argument =
                code[at + call.len()..].trim_start_matches(|c: char| c == '&' || c.is_whitespace());
            let end = argument.find(|c: char| c != ':' && c != '_' && !c.is_alphanumeric());
            let path: Vec<&str> = argument[..end.unwrap_or(argument.len())]
                .split("::")
                .collect();
            let table = path.iter().position(|part| *part == "table");
            let table = table.and_then(|at| path.get(at.checked_sub(1)?));
            let of_diesel = call == "insert_into(" || code[..at].ends_with("diesel::");
            if of_diesel || table.is_some() {
                writes.push((line_of(code, at), table.map(|name| (*name).to_owned())));
            }
        }
    }
    writes
}

fn writes(source: &Source) -> Vec<Write> {
    let literals = source.literals.iter();
    let mut writes: Vec<Write> = literals
        .flat_map(|(line, sql)| written_in_sql(*line, sql))
        .collect();
    writes.extend(written_by_diesel(source));
    writes
}

fn shared_tables(sources: &[Source], excused: &[(&str, &str)]) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut writers = BTreeMap::<String, BTreeMap<&str, String>>::new();
    let asked = |source: &&Source| excused.iter().all(|(path, _)| *path != source.path);
    for source in sources.iter().filter(asked) {
        let path = &source.path;
        let module = source.module().unwrap_or("main");
        for (line, table) in writes(source) {
            let Some(table) = table else {
                remarks.push(format!(
                    "{path}:{line}: writes a table I cannot name. Write its name out \
                     (`wallets::table`, `update wallets`), so that its writer can be seen."
                ));
                continue;
            };
            if module == "demo" || path.starts_with("tests/") {
                remarks.push(format!(
                    "{path}:{line}: writes `{table}` past its slice. Call the slice, as a brand \
                     would; what cannot be reached that way is missing there."
                ));
                continue;
            }
            let places = writers.entry(table).or_default();
            places.entry(module).or_insert(format!("{path}:{line}"));
        }
    }
    remarks.extend(
        writers
            .iter()
            .filter_map(|(table, places)| two_writers(table, places)),
    );
    remarks
}

fn two_writers(table: &str, places: &BTreeMap<&str, String>) -> Option<String> {
    let (first, others) = places.iter().next().zip(Some(places.iter().skip(1)))?;
    let others: Vec<String> = others
        .map(|(name, place)| format!("`{name}` at {place}"))
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "{}: `{}` writes `{table}`, and so does {}. A table has one writer: let the other \
             call a function of the slice that owns it.",
            first.1,
            first.0,
            others.join(" and ")
        )
    })
}

/// Settlement settles positions, whatever posted to them: it must not know what a conversion is.
fn curious_settlement(sources: &[Source]) -> Vec<String> {
    let of_settlement = sources
        .iter()
        .filter(|source| source.module() == Some("settlement"));
    of_settlement
        .flat_map(|source| {
            let mut lines = source.lines_with("conversions");
            for (line, sql) in &source.literals {
                let words: Vec<String> = words(sql).into_iter().map(|(_, word)| word).collect();
                let reads = words.iter().any(|word| word == "from" || word == "join");
                if reads
                    && words
                        .iter()
                        .any(|word| word.split('.').any(|part| part == "conversions"))
                {
                    lines.push(*line);
                }
            }
            let path = source.path.clone();
            lines.into_iter().map(move |line| {
                format!(
                    "{path}:{line}: settlement looks at conversions. Read the positions and \
                     postings of the ledger; if a figure is missing there, post it there."
                )
            })
        })
        .collect()
}

#[test]
fn each_table_has_one_writer() {
    let mut sources = Source::below(&["src", "tests"]);
    sources.retain(|source| !source.path.starts_with("tests/tidy/"));
    agreed(shared_tables(&sources, TESTS_THAT_WRITE));
}

#[test]
fn a_second_writer_is_seen() {
    let all = |files: &[(&str, &str)]| shared_tables(&tree(files), &[]);
    let sql = "let a = \"select 1\";\nlet b = \"\n  Update only hub.wallets as w\n  set a = 1\";";
    let ledger = ("src/ledger/store.rs", sql);
    let diesel = (
        "src/rates/store.rs",
        "\ndiesel::update(schema::wallets::table.find(1))",
    );
    says(
        all(&[ledger, diesel]),
        "src/ledger/store.rs:3: `ledger` writes `wallets`, and so does `rates` at src/rates/store.rs:2",
    );
    says(
        all(&[
            ledger,
            ("src/ledger/sweep.sql", "-- why\ndelete from wallets"),
        ]),
        "",
    );
    says(
        all(&[
            ledger,
            (
                "src/rates/store.rs",
                "\"select 1 from wallets for update of wallets\"",
            ),
        ]),
        "",
    );
    says(
        all(&[("src/demo/mod.rs", "insert_into(members::table)")]),
        "src/demo/mod.rs:1: writes `members`",
    );
    says(
        all(&[("tests/hub/laws.rs", "\"insert into journal(id)\"")]),
        "tests/hub/laws.rs:1: writes `journal`",
    );
    says(
        all(&[("src/a/store.rs", "format!(\"delete from {table}\")")]),
        "src/a/store.rs:1: writes a table",
    );
}

#[test]
fn settlement_does_not_know_conversions() {
    agreed(curious_settlement(&Source::below(&["src"])));
}

#[test]
fn a_look_at_conversions_is_seen() {
    let sees = |text| curious_settlement(&tree(&[("src/settlement/store.rs", text)]));
    says(
        sees("\nuse crate::conversions::Order;"),
        "src/settlement/store.rs:2: settlement looks",
    );
    says(
        sees("\"select 1 from hub.conversions\""),
        "src/settlement/store.rs:1: settlement looks",
    );
    says(
        sees("// not conversions\n\"conversions of the period\""),
        "",
    );
}
