//! Migrations explain themselves: comments on tables, reasons for indexes, names for constraints.

use crate::source::{Source, line_of};
use crate::tables::words;
use crate::{agreed, says, tree};

/// How many lines above an index its reason may begin.
const NEAR: usize = 3;

/// A migration as words with their lines, without comments and strings.
struct Script<'a> {
    source: &'a Source,
    words: Vec<(usize, String)>,
}

impl Script<'_> {
    fn of(source: &Source) -> Script<'_> {
        let words = words(&source.code).into_iter();
        let words = words
            .map(|(at, word)| (line_of(&source.code, at), word))
            .collect();
        Script { source, words }
    }

    /// Whether the words from `at` on are these.
    fn reads(&self, at: usize, wanted: &[&str]) -> bool {
        let words = self.words[at..].iter().map(|(_, word)| word.as_str());
        words.take(wanted.len()).eq(wanted.iter().copied())
    }

    /// The name and line of each thing that follows one of the phrases.
    fn named(&self, phrases: &[&[&str]]) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for at in 0..self.words.len() {
            let phrase = phrases.iter().find(|phrase| self.reads(at, phrase));
            let Some(mut name) = phrase.map(|phrase| at + phrase.len()) else {
                continue;
            };
            if self.words.get(name).is_some() && self.reads(name, &["if", "not", "exists"]) {
                name += 3;
            }
            let partition = self
                .words
                .get(name + 1)
                .is_some_and(|(_, word)| word == "partition");
            if let (Some((_, word)), false) = (self.words.get(name), partition) {
                found.push((self.words[at].0, word.rsplit('.').next().unwrap_or(word)));
            }
        }
        found
    }
}

fn scripts(sources: &[Source]) -> Vec<Script<'_>> {
    let sql = sources
        .iter()
        .filter(|source| source.path.ends_with(".sql"));
    sql.map(Script::of).collect()
}

fn uncommented_tables(sources: &[Source]) -> Vec<String> {
    let (mut tables, mut commented) = (Vec::new(), Vec::new());
    let scripts = scripts(sources);
    for script in &scripts {
        let phrases: [&[&str]; 2] = [&["create", "table"], &["create", "unlogged", "table"]];
        let created = script.named(&phrases).into_iter();
        tables.extend(created.map(|(line, table)| (&script.source.path, line, table)));
        let comments = script.named(&[&["comment", "on", "table"]]).into_iter();
        commented.extend(comments.map(|(_, table)| table));
    }
    tables.retain(|(_, _, table)| !commented.contains(table));
    let say = |(path, line, table)| {
        format!(
            "{path}:{line}: says nothing about `{table}`. Add `comment on table {table} is '…'`."
        )
    };
    tables.into_iter().map(say).collect()
}

fn unexplained_indexes(sources: &[Source]) -> Vec<String> {
    let mut remarks = Vec::new();
    for script in scripts(sources) {
        let source = script.source;
        let lines: Vec<&str> = source.text.lines().collect();
        let phrases: [&[&str]; 2] = [&["create", "index"], &["create", "unique", "index"]];
        for (line, index) in script.named(&phrases) {
            let above = &lines[(line - 1).saturating_sub(NEAR)..line - 1];
            if !above.iter().any(|line| line.trim_start().starts_with("--")) {
                remarks.push(format!(
                    "{}:{line}: why `{index}`? Say above it, after `--`, which question it answers.",
                    source.path
                ));
            }
        }
    }
    remarks
}

fn shouted(sources: &[Source]) -> Vec<String> {
    let mut remarks = Vec::new();
    for script in scripts(sources) {
        for (index, line) in script.source.code.lines().enumerate() {
            let mut words = line.split(|c: char| c != '_' && !c.is_alphanumeric());
            let loud = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
            remarks.extend(words.find(loud).map(|word| {
                let (path, line) = (&script.source.path, index + 1);
                format!("{path}:{line}: `{word}` in capitals. SQL is lowercase here.")
            }));
        }
    }
    remarks
}

fn nameless_constraints(sources: &[Source]) -> Vec<String> {
    let mut remarks = Vec::new();
    for script in scripts(sources) {
        for (at, (line, word)) in script.words.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).map_or("", |at| &script.words[at].1);
            let constraint = match word.as_str() {
                "unique" => before(1) != "create",
                "check" => before(1) != "with", // of a policy or a view
                "exclude" => script.reads(at, &["exclude", "using"]),
                "foreign" => script.reads(at, &["foreign", "key"]),
                _ => false,
            };
            if constraint && before(2) != "constraint" {
                remarks.push(format!(
                    "{}:{line}: a `{word}` without a name. Write `constraint <name> {word} …`: the \
                     name is what becomes a refusal.",
                    script.source.path
                ));
            }
        }
    }
    remarks
}

#[test]
fn every_table_has_a_comment() {
    agreed(uncommented_tables(&Source::below(&["migrations"])));
    let text = "create table a (\n);\ncomment on table a is 'b';\ncreate table if not exists hub.c (d text);";
    says(
        uncommented_tables(&tree(&[("migrations/a/up.sql", text)])),
        "migrations/a/up.sql:4: says nothing about `c`",
    );
}

#[test]
fn every_index_has_a_reason() {
    agreed(unexplained_indexes(&Source::below(&["migrations"])));
    let text = "-- The list of a member\n-- asks for it.\ncreate unique index a on b (c);\n\ncreate index d on b (c);\n\ncreate index e on b (f);";
    let twice = unexplained_indexes(&tree(&[("migrations/a/up.sql", text)]));
    says(twice[..].to_vec(), "migrations/a/up.sql:7: why `e`?");
}

#[test]
fn sql_is_lowercase() {
    agreed(shouted(&Source::below(&["migrations"])));
    let text = "-- SELECT\nselect 'SELECT' from a;\nselect 1 FROM b;";
    says(
        shouted(&tree(&[("migrations/a/up.sql", text)])),
        "migrations/a/up.sql:3: `FROM`",
    );
}

#[test]
fn every_constraint_has_a_name() {
    agreed(nameless_constraints(&Source::below(&["migrations"])));
    let text = "create table a (\n b int constraint a_b check (b > 0),\n c int check (c > 0)\n);\ncreate unique index d on a (b);";
    says(
        nameless_constraints(&tree(&[("migrations/a/up.sql", text)])),
        "migrations/a/up.sql:3: a `check`",
    );
}
