//! Notices: issuers are told of lots that will soon expire, so many days before as their currency says.
//!
//! A lot is told of when it comes to have so many days left, once for each number of days. Lots are looked
//! through in the order of their expiry, and how far they were is kept per number of days: so a sweep reads
//! what has come due since the last, and nothing else. What is told and how far it was looked are written
//! in one transaction, under a lock of that mark: two hubs take turns, and one that dies told nothing or
//! went on.
//!
//! What is told is what one wallet holds and can use of one expiry, all its lots together. When the hub was
//! away for long, or a clock leapt, a lot that is nearer than the next smaller number of days is told of
//! with that only; one that has expired meanwhile is not told of, and neither is one that was made with less
//! left: the award says when it expires.
//!
//! Not chosen: a mark on each lot, which every sweep would have to write and groups would meet.

pub mod notice;
mod store;

use notice::Notice;

use super::Ledger;
use crate::access::audit::{Changed, Subject};
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::Error;

/// The most wallets looked at in one transaction, which can tell of 2,048.
const LOOKED_AT: i64 = 1_000;

impl Ledger {
    /// Tells of what has come due. Returns how many wallets were.
    pub(super) async fn tell_of_expiring(&self) -> Result<usize, Error> {
        let mut conn = self.pool.get().await?;
        store::begin(&mut conn).await?;
        let mut told = 0;
        for days in store::days(&mut conn).await? {
            loop {
                let tell = async |conn: &mut Connection| tell_some(conn, days).await;
                let (some, is_all) = db::transaction(&mut conn, tell).await?;
                told += some;
                if is_all {
                    break;
                }
            }
        }
        Ok(told)
    }
}

/// Looks at the next wallets whose lots have so many days left, and tells of those that are due.
async fn tell_some(conn: &mut Connection, days: i16) -> Result<(usize, bool), Error> {
    let mark = store::lock(conn, days).await?;
    let now = db::now(conn).await?;
    let looked = store::look(conn, days, &mark, now, LOOKED_AT).await?;

    let is_all = (looked.len() as i64) < LOOKED_AT;
    let due = looked.iter().filter(|wallet| wallet.is_due);
    let due = due.map(|wallet| {
        let notice = Notice {
            amount: wallet.amount,
            expires_at: wallet.expires_at,
            days,
        };
        Ok(Changed {
            id: wallet.wallet,
            partner: wallet.issuer_id,
            after: serde_json::to_string(&notice).map_err(anyhow::Error::from)?,
        })
    });
    let due = due.collect::<Result<Vec<_>, Error>>()?;
    let told = due.len();

    if told > 0 {
        let hub = Who::the_hub();
        audit::record_all(conn, &hub, Subject::ExpiringLot, due).await?;
    }
    match looked.last().filter(|_| !is_all) {
        Some(last) => store::go_on(conn, days, last.expires_at, last.wallet).await?,
        None => store::go_on(conn, days, notice::horizon(now, days), i64::MAX).await?,
    }
    Ok((told, is_all))
}
