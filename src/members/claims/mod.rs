//! Claims: what a partner attests about its own member, for rate cards to ask for.
//!
//! Tiers, cards and campaigns stay the partner's: the hub keeps the facts that it is told, each
//! under a name and perhaps with an end, and nothing of how they come about. A partner reads its own
//! and nobody else's. What another learns of them is which card decides a quote, where both agreed
//! to a card that asks.
//!
//! Attesting replaces the whole set, so that what a partner left out is taken back. Values stand in
//! one row, which goes when the member is erased: they are in no journal, no audit trail, no log, and
//! not in the answer that is kept for whoever repeats the write.

pub mod api;
pub mod claim;
mod store;

pub use claim::Claims;

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::Connection;
use crate::error::Error;
use crate::gather::Gather;
use crate::points::account::Account;

/// Where requests ask for what is attested, many at a time. The connection is opened by the first who
/// asks: a hub whose cards ask for no claims has none.
pub struct Attested(Gather<store::Attestations>);

impl Attested {
    pub fn start(url: &str) -> Attested {
        Attested(Gather::start(url))
    }

    /// What a partner attests of the member whose wallet it is.
    pub async fn by(&self, partner: i64, wallet: Account) -> Result<Claims, Error> {
        let kept = self.0.ask((wallet.0, partner)).await?;
        kept.map_or_else(|| Ok(Claims::default()), store::read)
    }
}

/// Replaces what a partner attests of its member; false when it is no member of its.
pub async fn attest(
    conn: &mut Connection,
    who: &Who,
    (member, partner): (i64, i64),
    claims: &Claims,
) -> Result<bool, Error> {
    let Some(membership) = store::replace(conn, member, partner, claims).await? else {
        return Ok(false);
    };
    let about = Subject::Membership.no(membership).of([partner]);
    audit::record(conn, who, about, None, "claims attested").await?;
    Ok(true)
}
