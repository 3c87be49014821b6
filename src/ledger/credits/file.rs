//! A day's credits as a file.

use super::credit::Credit;
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::partners::{AmountBody, Currency};
use crate::web::table::{self, cell};

/// The columns of it.
const COLUMNS: [&str; 6] = ["credit", "operation", "number", "amount", "currency", "at"];

/// The credits as CSV: a line each, in the order they were asked for, behind one that names the columns.
pub fn csv(ids: &Ids, currency: &Currency, credits: &[Credit]) -> Result<Vec<u8>, Error> {
    let lines = credits.iter().map(|credit| {
        let amount = AmountBody::of(currency, credit.leg.amount);
        let operation = crate::ledger::id_kind(credit.kind);
        [
            ids.show(Kind::Credit, credit.operation),
            ids.show(operation, credit.operation),
            cell(credit.number.as_deref().unwrap_or_default()),
            amount.amount,
            amount.currency,
            credit.at.to_rfc3339(),
        ]
    });
    table::csv(COLUMNS, lines)
}
