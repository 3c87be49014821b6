//! The wallets of a member: one per currency, opened when the member joins its issuer, or later when
//! the issuer has made a new currency and the member first needs it.
//!
//! The id of a wallet is random, so that the journal tells nothing about the member; who owns it
//! stands in one table and nowhere else. It says who keeps the balance: a wallet of a currency that its
//! issuer keeps holds nothing here, and what moves passes through it.

mod store;

pub use store::{Owned, Wanted, all_of, links_of, owns, wallet_of, wallets_of};
pub(super) use store::{end_quotes, list_currencies, move_wallets, open};

use crate::db::{self, Connection, Pool};
use crate::error::Error;
use crate::gather::Gather;
use crate::points::account::Asset;

/// Where requests ask for a member's wallets, many at a time.
pub struct Wallets(Gather<store::Ownership>);

impl Wallets {
    pub fn start(url: &str) -> Wallets {
        Wallets(Gather::start(url))
    }

    /// The wallets of one of a partner's members in two currencies (which may be the same). A
    /// wallet that the member may have and nobody needed yet is opened.
    pub async fn find(&self, pool: &Pool, wanted: Wanted) -> Result<Owned, Error> {
        let owned = self.0.ask(wanted).await?;
        let has_all = owned.from.is_some() && owned.to.is_some();
        if has_all || !owned.is_member || !owned.is_sender_live {
            return Ok(owned);
        }
        for (wallet, currency) in [(owned.from, wanted.from), (owned.to, wanted.to)] {
            if wallet.is_none() {
                let mut conn = pool.get().await?;
                let opened =
                    async |conn: &mut Connection| self::wallet(conn, wanted.member, currency).await;
                db::transaction(&mut conn, opened).await?;
            }
        }
        // Since when the two are linked is told of wallets that there are.
        self.0.ask(wanted).await
    }
}

/// The member's wallet in a currency, opened if need be; none when the member has no membership
/// with the issuer. Inside a transaction, and before the ledger locks anything.
pub async fn wallet(
    conn: &mut Connection,
    member: i64,
    currency: Asset,
) -> Result<Option<i64>, Error> {
    let found = store::wallet_of(conn, member, currency).await?;
    if found.is_some() {
        return Ok(found);
    }
    let membership = store::lock_membership_with_issuer(conn, member, currency).await?;
    let Some(linked_at) = membership else {
        return Ok(None);
    };

    // Whoever held the lock may have opened it.
    if store::wallet_of(conn, member, currency).await?.is_none() {
        store::open(conn, &[(member, currency)], linked_at).await?;
    }
    store::wallet_of(conn, member, currency).await
}
