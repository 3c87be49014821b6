//! Award limits: how much and how often an issuer lets a member have points for a reason.
//!
//! Checking in, reviewing and sharing cost a member nothing, so whoever pays for them says how much of
//! it is enough. The limits of a currency are its issuer's own: no other brand's members or money depend
//! on them, so they need nobody's word, and setting them replaces them all. They hold from their
//! publication on, and count what was awarded since: an award is only written down to be counted where a
//! limit of its reason holds, so that others cost what they did before.
//!
//! What is counted is the ledger's; the rule is here, below it.

pub mod api;
pub mod limit;
mod store;

pub use limit::{AwardLimit, Reason};
pub(super) use store::rows;

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::Error;
use crate::partners::Currency;

/// Replaces the limits of a currency.
pub async fn set(
    conn: &mut Connection,
    who: &Who,
    currency: &Currency,
    limits: &[AwardLimit],
) -> Result<(), Error> {
    limit::check(limits).map_err(api::bad)?;

    store::replace(conn, who, currency.no, limits).await?;
    let said = format!("{} award limits set", limits.len());
    let about = Subject::Currency.no(i64::from(currency.no));
    audit::record(conn, who, about.of([currency.issuer]), None, &said).await?;
    db::publish(conn).await
}
