//! A report's table as a file: CSV after RFC 4180 in UTF-8.

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::Error;

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    /// After RFC 4180, in UTF-8.
    Csv,
}

/// Lines behind one that names the columns.
pub fn csv<const N: usize>(
    columns: [&str; N],
    lines: impl IntoIterator<Item = [String; N]>,
) -> Result<Vec<u8>, Error> {
    let broken = |error: csv::Error| anyhow::anyhow!("a line could not be written: {error}");
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(columns).map_err(broken)?;
    for line in lines {
        file.write_record(line).map_err(broken)?;
    }
    let written = file.into_inner();
    Ok(written.map_err(|error| anyhow::anyhow!("the file is not whole: {error}"))?)
}

/// The same as an answer.
pub fn answer<const N: usize>(
    columns: [&str; N],
    lines: impl IntoIterator<Item = [String; N]>,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .body(csv(columns, lines)?))
}

/// A text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe before it.
pub fn cell(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, expected) in [
            ("AE-1", "AE-1"),
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("@x", "'@x"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn what_would_break_a_line_is_quoted() {
        let lines = [["a,b".to_owned(), "c\n\"d\"".to_owned()]];
        let file = csv(["x", "y"], lines).expect("a file");
        let text = String::from_utf8(file).expect("text");
        assert_eq!(text, "x,y\n\"a,b\",\"c\n\"\"d\"\"\"\n");
    }
}
