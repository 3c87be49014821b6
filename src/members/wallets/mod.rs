//! The wallets of a member: one per currency, opened when the member joins its issuer, or later when
//! the issuer has made a new currency and the member first needs it.
//!
//! The id of a wallet is random, so that the journal tells nothing about the member; who owns it
//! stands in one table and nowhere else.

mod store;

pub(super) use store::{list_currencies, open};
pub use store::{wallet_of, wallets_of};

use crate::db::Connection;
use crate::error::Error;
use crate::points::account::Asset;

/// The member's wallet in a currency, opened if need be; none when the member has no membership
/// with the issuer. Inside a transaction, and before the ledger locks anything.
pub async fn wallet(
    conn: &mut Connection,
    member: i64,
    currency: Asset,
) -> Result<Option<i64>, Error> {
    let found = store::wallet_of(conn, member, currency).await?;
    if found.is_some() || !store::lock_membership_with_issuer(conn, member, currency).await? {
        return Ok(found);
    }

    // Whoever held the lock may have opened it.
    if store::wallet_of(conn, member, currency).await?.is_none() {
        store::open(conn, &[(member, currency)]).await?;
    }
    store::wallet_of(conn, member, currency).await
}
