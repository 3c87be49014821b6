//! Request limits: how often a partner's programs may ask, over all hubs.
//!
//! Each partner has a bucket of tokens in the database, and each hub spends slices of it ([`lease`]). The
//! count is the partner's, whichever of its credentials sends, and everything counts that the door admits,
//! also what is refused after that. Nobody counts what the hub's people ask.
//!
//! An operator gives a partner another limit; hubs learn of it with their next slice.

pub mod api;
pub mod lease;
mod store;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Who, audit};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::gather::Gather;
pub use lease::Policy;
use lease::{Lease, Share, Standing};
use store::Leases;

/// What a hub holds of the partners' allowances.
pub(super) struct RequestLimits {
    held: Mutex<HashMap<i64, Lease>>,
    leases: Gather<Leases>,
}

impl RequestLimits {
    pub(super) fn start(url: &str) -> RequestLimits {
        RequestLimits {
            held: Mutex::default(),
            leases: Gather::start(url),
        }
    }

    /// Counts a request of a partner, and says how the partner stands.
    pub(super) async fn count(&self, partner: i64) -> Result<Standing, Error> {
        if let Some(standing) = self.take(partner) {
            return Ok(standing);
        }
        let share = self.leases.ask(partner).await?;
        Ok(self.settle(partner, &share))
    }

    fn take(&self, partner: i64) -> Option<Standing> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_mut(&partner)?.take(Instant::now())
    }

    fn settle(&self, partner: i64, share: &Share) -> Standing {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = held.entry(partner).or_insert(Lease::of(share, now));
        lease.settle(share, now)
    }
}

/// What holds for a partner.
pub async fn find(conn: &mut Connection, partner: i64) -> Result<Policy, Error> {
    Ok(store::find(conn, partner).await?.ok_or_else(unknown)?)
}

/// Gives a partner another limit.
pub async fn set(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    policy: Policy,
) -> Result<(), Error> {
    who.must_be_fresh()?;
    let before = find(conn, partner).await?;
    let [before, after] = [before, policy].map(|policy| policy.header());

    store::set(conn, partner, policy).await?;
    let about = audit::Subject::RequestLimit.no(partner).of([partner]);
    audit::record(conn, who, about, Some(&before), &after).await
}

/// The refusal of a request that is one too many.
pub(super) fn too_often(standing: Standing) -> Problem {
    let Policy { per_second, burst } = standing.policy;
    let detail = format!("{per_second} requests a second are taken, {burst} at once");
    Problem::new(Slug::RequestLimitExceeded, detail)
        .with("retry_after", standing.resets_in)
        .with("per_second", per_second)
        .with("burst", burst)
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such partner, or it is not you")
}
