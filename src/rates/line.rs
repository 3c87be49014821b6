//! The lines of a CSV file, read so that a damaged line costs no other.
//!
//! ```text
//! R1,"one, two",x      quotes are even: a record
//! R2,"first            odd: joined with what follows while quotes stay open ...
//! second",x            ... even again: one record of two lines
//! R3,"never closed     odd to the end: this line alone is damaged, the next is read by itself
//! ```
//!
//! A CSV reader by itself would swallow the rest of the file into the open quote. A byte order
//! mark is dropped, lines may end in CR LF, blank lines are no rows.

use csv::{ByteRecord, ReaderBuilder, Terminator};

/// How many lines one record may span before its quote counts as forgotten.
const MAX_SPAN: usize = 100;

/// One record and the number of its first line, counted from 1.
pub(super) struct Line {
    pub number: usize,
    pub fields: Result<Vec<String>, String>,
}

/// The records of a file in order.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let physical = text
        .split_inclusive(|byte| *byte == b'\n')
        .collect::<Vec<_>>();
    let mut at = 0;
    std::iter::from_fn(move || {
        while physical.get(at)?.trim_ascii().is_empty() {
            at += 1;
        }
        let number = at + 1;
        let (span, fields) = record(&physical[at..]);
        at += span;
        Some(Line { number, fields })
    })
}

/// The first record and how many lines it spans; one when it is damaged.
fn record(physical: &[&[u8]]) -> (usize, Result<Vec<String>, String>) {
    let closed = closed(physical);
    let joined = physical[..closed.unwrap_or(MAX_SPAN.min(physical.len()))].concat();
    let text = joined.trim_ascii_end();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(text);
    let mut fields = ByteRecord::new();
    if let Err(why) = reader.read_byte_record(&mut fields) {
        return (1, Err(why.to_string()));
    }

    let consumed = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
    let is_one_line = consumed <= physical[0].len();
    match closed {
        _ if is_one_line => (1, texts(&fields)),
        Some(span) => (span, texts(&fields)),
        None => (1, Err("a quote is opened and not closed".into())),
    }
}

/// How many lines it takes until every quote is closed, or nothing when one never is.
fn closed(physical: &[&[u8]]) -> Option<usize> {
    let quotes = |line: &[u8]| line.iter().filter(|byte| **byte == b'"').count();
    let mut open = false;
    let closed = physical.iter().take(MAX_SPAN).position(|line| {
        open ^= quotes(line) % 2 == 1;
        !open
    });
    closed.map(|at| at + 1)
}

fn texts(fields: &ByteRecord) -> Result<Vec<String>, String> {
    let text = |field: &[u8]| String::from_utf8(field.to_vec());
    let texts = fields.iter().map(text).collect::<Result<_, _>>();
    texts.map_err(|_| "the text is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(usize, Option<usize>)> {
        let width = |line: Line| (line.number, line.fields.ok().map(|fields| fields.len()));
        lines(text).map(width).collect()
    }

    #[test]
    fn a_record_may_span_lines_and_a_blank_line_is_none() {
        let text = b"\xEF\xBB\xBFa,b\r\n\r\n1,\"x\r\ny\"\r\n2,z";
        assert_eq!(read(text), [(1, Some(2)), (3, Some(2)), (5, Some(2))]);
    }

    #[test]
    fn a_forgotten_quote_costs_its_own_line_only() {
        let text = b"a,b\n1,\"x\n2,y\n3,z\n";
        assert_eq!(
            read(text),
            [(1, Some(2)), (2, None), (3, Some(2)), (4, Some(2))]
        );
    }

    #[test]
    fn bytes_that_are_no_text_cost_their_own_line_only() {
        assert_eq!(
            read(b"a,b\n1,\xFF\n2,y\n"),
            [(1, Some(2)), (2, None), (3, Some(2))]
        );
        assert_eq!(read(b""), []);
    }
}
