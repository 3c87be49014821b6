//! A day's credits as a file.

use super::credit::Credit;
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::partners::{AmountBody, Currency};

/// The columns of it.
const COLUMNS: [&str; 6] = ["credit", "operation", "number", "amount", "currency", "at"];

/// The credits as CSV after RFC 4180: a line each, in the order they were asked for, behind one that names the
/// columns.
pub fn csv(ids: &Ids, currency: &Currency, credits: &[Credit]) -> Result<Vec<u8>, Error> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    let broken = |error: csv::Error| anyhow::anyhow!("a line could not be written: {error}");
    lines.write_record(COLUMNS).map_err(broken)?;
    for credit in credits {
        let amount = AmountBody::of(currency, credit.leg.amount);
        let operation = crate::ledger::id_kind(credit.kind);
        lines
            .write_record([
                &*ids.show(Kind::Credit, credit.operation),
                &*ids.show(operation, credit.operation),
                &*cell(credit.number.as_deref().unwrap_or_default()),
                &*amount.amount,
                &*amount.currency,
                &*credit.at.to_rfc3339(),
            ])
            .map_err(broken)?;
    }
    let written = lines.into_inner();
    Ok(written.map_err(|error| anyhow::anyhow!("the file is not whole: {error}"))?)
}

/// A text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe before it.
fn cell(text: &str) -> String {
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
}
