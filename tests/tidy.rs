//! Keeps the structure that CONTRIBUTING.md describes, by reading the sources.
//!
//! Each check is a function from sources to remarks. One test runs it on the project; the test
//! after it feeds it a small wrong example, so that no check passes because it sees nothing.

#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/leftovers.rs"]
mod leftovers;
#[path = "tidy/migrations.rs"]
mod migrations;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tables.rs"]
mod tables;

use source::Source;

/// Fails with everything there is to say, one remark a line.
fn agreed(remarks: Vec<String>) {
    assert!(remarks.is_empty(), "\n\n{}\n", remarks.join("\n"));
}

/// A check said exactly this about a wrong example, or nothing where `start` is empty.
fn says(remarks: Vec<String>, start: &str) {
    assert_eq!(
        remarks.len(),
        usize::from(!start.is_empty()),
        "{remarks:#?}"
    );
    assert!(
        remarks.iter().all(|remark| remark.starts_with(start)),
        "{remarks:#?}"
    );
}

/// A remark for each place where the code has one of the words.
fn remarks_on<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    words: &[&str],
    because: &str,
) -> Vec<String> {
    let mut remarks = Vec::new();
    for source in sources {
        for word in words {
            let lines = source.lines_with(word).into_iter();
            remarks.extend(lines.map(|line| format!("{}:{line}: `{word}` {because}", source.path)));
        }
    }
    remarks
}

/// A made-up project.
fn tree(files: &[(&str, &str)]) -> Vec<Source> {
    files
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect()
}
