//! Matches: whether a day in the books of a partner that keeps its own balances is what the hub has.
//!
//! The partner sends what it debited and credited on one of its business days, for this hub; the hub
//! [compares](comparison) it with the transfers that were attested for the day and the credits that were
//! acknowledged for it, and says what differs. Nothing is changed by it: what differs is put right with the
//! operations there are. The last match of a day is kept; the audit trail has each.
//!
//! A file costs the memory of the hub's own day, and of [`comparison::TOLD`] differences.

pub mod api;
pub mod comparison;
pub mod entry;
mod store;

use chrono::NaiveDate;

use self::comparison::{Comparison, Outcome, Side};
use crate::access::{Who, audit};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::partners::Currency;

pub use store::find;

/// The last comparison of a day.
pub struct Match {
    pub outcome: Outcome,
    pub at: Timestamp,
}

/// What the hub has of a business day.
pub async fn begin(
    conn: &mut Connection,
    ids: &Ids,
    currency: &Currency,
    day: NaiveDate,
) -> Result<Comparison, Error> {
    let debits = store::debits(conn, currency, day).await?;
    let credits = store::credits(conn, currency, day).await?;
    let debits = debits
        .into_iter()
        .map(|(reference, amount)| (Side::Debit, reference, amount));
    let credits = credits
        .into_iter()
        .map(|(id, amount)| (Side::Credit, ids.show(Kind::Credit, id), amount));
    Ok(Comparison::of(debits.chain(credits)))
}

/// Keeps what came of it.
pub async fn keep(
    conn: &mut Connection,
    who: &Who,
    currency: &Currency,
    day: NaiveDate,
    outcome: &Outcome,
) -> Result<(), Error> {
    store::put(conn, currency.no, day, outcome).await?;
    let Outcome {
        agreed, differing, ..
    } = outcome;
    let about = audit::Subject::Match.no(i64::from(currency.no));
    let after = format!("{day}: {agreed} agree, {differing} differ");
    audit::record(conn, who, about.of([currency.issuer]), None, &after).await
}
