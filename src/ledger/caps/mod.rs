//! Caps and cover: how much a partner may owe, never exceeded by any number of writers and hubs.
//!
//! The [`terms`] of a position name a cap, a cover or both, and what is counted ([`owed`]) stays within
//! both. A partner is warned before, once per crossing: slices are granted up to the warning only, so
//! whoever passes it asks, and writes the warning in the same group. It ends when somebody who asks finds
//! it below, or the sweep does.
//!
//! Cover is what two operators agreed that there is: prefunding and collateral as amounts, each with what
//! it rests on and until when. The money itself is not posted here.
//!
//! A conversion makes the partner whose points leave owe more, and the one whose points are made owe
//! less. What a partner may owe is a *limit* on its position. To ask one row about every conversion would
//! make all writers wait for each other, so each holds a [slice](mod@slice) of the limit and uses it up by itself:
//! what it may use is its [`room`], and what it was granted it remembers ([`known`]). Who needs more asks,
//! with all slices locked, and only then can a limit refuse: the refusal is exact, and the last unit is sold
//! to whoever wants it first.
//!
//! The check is in the fold of a group, not in the commands: whatever posts to a position is counted.
//! Reversals always pass. A limit is set by one operator and a second one, and takes the ledger's gate for a
//! moment, so that it begins from the exact position.
//!
//! Not chosen: one row per limit that every group locks (two writers are then one), and limits that are
//! checked now and then and exceeded in between.
//!
//! Lock order: the partner's row, then its approval, then the gate.

pub mod api;
pub mod known;
#[cfg(test)]
mod model;
pub mod owed;
pub mod room;
pub mod slice;
pub mod statements;
mod store;
pub mod terms;

use owed::Owed;
use terms::Terms;

use crate::access::{Who, audit};
use crate::approvals::{Proposal, Proposals};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::Partner;
use crate::points::account::Account;
use crate::points::money::Micros;

pub use api::reached;
pub use store::begin_anew;

/// Each rests on the position, which says in what money.
const TERMS: Proposals<Terms> = Proposals::of("partner_cap");

/// The largest cap: 10^12 of a money, so that sums of slices stay far below 64 bits.
pub const LARGEST: Micros = Micros(1_000_000_000_000_000_000);

/// A partner's position as its limits see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub terms: Terms,
    /// What the partner owes and was credited.
    pub sums: Owed,
    pub now: Timestamp,
    pub warned_since: Option<Timestamp>,
    pub proposed: Option<Proposal<Terms>>,
}

impl Standing {
    pub fn counted(&self) -> Micros {
        Micros(self.sums.counted(self.terms.haircut))
    }

    /// How much more may be counted; none without a limit.
    pub fn room(&self) -> Option<Micros> {
        let limit = self.terms.limit(self.now);
        let left = limit.saturating_sub(self.counted().0).max(0);
        self.terms.is_limited().then_some(Micros(left))
    }
}

pub fn position(partner: &Partner) -> Account {
    Account::position(partner.id, partner.money)
}

pub async fn standing(conn: &mut Connection, partner: &Partner) -> Result<Standing, Error> {
    let position = position(partner);
    Ok(Standing {
        terms: store::find(conn, position).await?.unwrap_or(Terms::NONE),
        sums: store::owed(conn, position).await?,
        now: db::now(conn).await?,
        warned_since: store::warned_since(conn, position).await?,
        proposed: TERMS.pending(conn, &[partner.id]).await?.pop(),
    })
}

/// Asks for other terms. Another person of the hub has to agree, with the hash that this answers.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: &Partner,
    change: impl FnOnce(Terms, Timestamp) -> Result<Terms, Problem>,
) -> Result<Vec<u8>, Error> {
    store::lock_partner(conn, partner.id).await?;
    let position = position(partner);
    let present = store::find(conn, position).await?.unwrap_or(Terms::NONE);
    let terms = change(present, db::now(conn).await?)?;
    let subject = (partner.id, ids.show(Kind::Partner, partner.id));
    TERMS.propose(conn, who, subject, &terms, &position.0).await
}

/// Agrees to what was proposed, which is then so.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: &Partner,
    read: &[u8],
) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    let position = position(partner);
    let terms = TERMS
        .approve(conn, who, partner.id, read, &position.0)
        .await?;
    still_covers(&terms, db::now(conn).await?)?;
    set(conn, who, partner.id, position, &terms).await
}

/// Cover may have ended between the proposal and its approval.
fn still_covers(terms: &Terms, now: Timestamp) -> Result<(), Problem> {
    match terms.cover.iter().flatten().any(|line| line.until <= now) {
        false => Ok(()),
        true => Err(Problem::new(
            Slug::ApprovalChanged,
            "some of the proposed cover has ended since; withdraw it and propose what there is",
        )),
    }
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: &Partner,
    read: &[u8],
) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    TERMS.reject(conn, who, partner.id, read).await.map(drop)
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: &Partner) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    TERMS.withdraw(conn, who, partner.id).await.map(drop)
}

/// Behind the gate no group is under way and all writers forget what they were granted.
async fn set(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    position: Account,
    terms: &Terms,
) -> Result<(), Error> {
    db::publish(conn).await?;

    let before = store::find(conn, position).await?;
    let sums = store::owed(conn, position).await?;

    store::remove(conn, position).await?;
    if terms.is_limited() {
        store::insert(conn, position, terms, sums, who.principal).await?;
    }
    store::warn(conn).await?;
    store::calm(conn).await?;
    let (before, after) = (told(before.as_ref())?, told(Some(terms))?);
    let about = audit::Subject::Cap.no(partner).of([partner]);
    audit::record(conn, who, about, Some(&before), &after).await
}

/// Terms as the audit trail has them.
fn told(terms: Option<&Terms>) -> Result<String, Error> {
    let limited = terms.filter(|terms| terms.is_limited());
    let told = limited.map_or_else(|| Ok("none".to_owned()), serde_json::to_string);
    Ok(told.map_err(anyhow::Error::from)?)
}

/// Warns and ends warnings where something else than an operation moved a limit or what is below it.
/// Returns how many slices were called back.
pub async fn sweep(conn: &mut Connection) -> Result<usize, Error> {
    db::transaction(conn, async |conn| {
        store::warn(conn).await?;
        store::calm(conn).await
    })
    .await
}
