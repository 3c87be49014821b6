//! The currencies that partners issue.

pub mod api;
mod store;

pub(super) use store::rows;

use std::collections::HashMap;

use super::life::Act;
use super::{Currency, NewCurrency, Partner};
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::{Error, Problem};

/// Lets a partner issue a new currency. Members it has already get their wallets when they first
/// need them.
pub async fn issue(
    conn: &mut Connection,
    who: &Who,
    issuer: &Partner,
    new: NewCurrency,
) -> Result<Currency, Error> {
    super::must_allow(conn, issuer.id, Act::Issue).await?;
    let now = db::now(conn).await?;
    let bad =
        |bad: super::expiry::BadPolicy| Problem::field(format!("/expiry/{}", bad.field), bad.rule);
    new.expiry.check(issuer.zone, now).map_err(bad)?;

    let currency = store::insert(conn, &new)
        .await?
        .issued_by(std::slice::from_ref(issuer), &mut HashMap::new())?;
    let about = Subject::Currency.no(i64::from(currency.no));
    audit::record(conn, who, about.of([issuer.id]), None, "issued").await?;
    db::publish(conn).await?;
    Ok(currency)
}
