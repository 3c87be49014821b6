//! A line of the file that a day is matched with.

use super::comparison::Side;
use crate::error::Problem;
use crate::imports::line::{cells, unreadable};
use crate::partners::Currency;
use crate::points::amount;
use crate::web::stream::RawLine;

/// The columns of it, in the first line and in this order.
pub const HEADER: &str = "kind,reference,amount";

/// An entry in the books of who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub side: Side,
    pub reference: String,
    /// In the currency's smallest unit.
    pub amount: i64,
}

/// A line as text.
pub fn text(line: &RawLine) -> Result<&str, Problem> {
    match line {
        RawLine::Whole(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8"))
        }
        RawLine::TooLong => Err(unreadable("it has more than 16 KiB")),
    }
}

/// Reads a line behind the header.
pub fn read(currency: &Currency, line: &str) -> Result<Entry, Problem> {
    let cells = cells(line)?;
    let [kind, reference, printed] = &cells[..] else {
        let has = cells.len();
        return Err(unreadable(format!(
            "it has {has} fields, and should have 3: {HEADER}"
        )));
    };
    let side = match kind.as_str() {
        "debit" => Side::Debit,
        "credit" => Side::Credit,
        _ => return Err(unreadable("`kind` is debit or credit")),
    };
    let is_plain = !reference.chars().any(char::is_control);
    if !(1..=512).contains(&reference.len()) || !is_plain {
        return Err(unreadable(
            "`reference` is what you called a transfer, or the id of a credit",
        ));
    }
    let amount = amount::parse(printed, currency.scale)
        .map_err(|bad| unreadable(format!("`amount`: {bad}")))?;
    Ok(Entry {
        side,
        reference: reference.clone(),
        amount,
    })
}
