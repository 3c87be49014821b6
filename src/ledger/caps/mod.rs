//! Caps: how much a partner may owe, never exceeded by any number of writers and hubs.
//!
//! A conversion makes the partner whose points leave owe more, and the one whose points are made owe
//! less. What a partner may owe is a *cap* on its position. To ask one row about every conversion would
//! make all writers wait for each other, so each holds a [slice](mod@slice) of the cap and uses it up by itself:
//! what it may use is its [`room`], and what it was granted it remembers ([`known`]). Who needs more asks,
//! with all slices locked, and only then can a cap refuse: the refusal is exact, and the last unit is sold
//! to whoever wants it first.
//!
//! The check is in the fold of a group, not in the commands: whatever posts to a position is counted.
//! Reversals always pass. A cap is set by one operator and a second one, and takes the ledger's gate for a
//! moment, so that it begins from the exact position.
//!
//! Not chosen: one row per cap that every group locks (two writers are then one), and caps that are
//! checked now and then and exceeded in between.
//!
//! Lock order: the partner's row, then its approval, then the gate.

pub mod api;
pub mod known;
#[cfg(test)]
mod model;
pub mod room;
pub mod slice;
pub mod statements;
mod store;

use sha2::{Digest, Sha256};

use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::Partner;
use crate::points::account::Account;
use crate::points::money::Micros;

pub use api::reached;
pub use store::begin_anew;

const SUBJECT: &str = "partner_cap";

/// The largest cap: 10^12 of a money, so that sums of slices stay far below 64 bits.
pub const LARGEST: Micros = Micros(1_000_000_000_000_000_000);

/// A cap that somebody wants; none for no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub position: Account,
    pub amount: Option<Micros>,
    pub at: Timestamp,
}

impl Proposal {
    /// What an approval of it binds to.
    pub fn content_hash(&self) -> Vec<u8> {
        let amount = self.amount.map_or("none".to_owned(), String::from);
        let text = format!("{SUBJECT} {} {amount}", self.position.0);
        Sha256::digest(text).to_vec()
    }
}

/// A partner's position as its cap sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub cap: Option<Micros>,
    /// What the partner owes; below zero when the hub owes it.
    pub owes: Micros,
    pub proposed: Option<Proposal>,
}

impl Standing {
    pub fn room(&self) -> Option<Micros> {
        self.cap
            .map(|cap| Micros(cap.0.saturating_sub(self.owes.0).max(0)))
    }
}

pub fn position(partner: &Partner) -> Account {
    Account::position(partner.id, partner.money)
}

pub async fn standing(conn: &mut Connection, partner: &Partner) -> Result<Standing, Error> {
    let position = position(partner);
    Ok(Standing {
        cap: store::find(conn, position).await?,
        owes: store::owed(conn, position).await?,
        proposed: store::proposed(conn, partner.id, position).await?,
    })
}

/// Asks for a cap, or for none. Another person of the hub has to agree.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: &Partner,
    amount: Option<Micros>,
) -> Result<Proposal, Error> {
    store::lock_partner(conn, partner.id).await?;
    let (position, at) = (position(partner), db::now(conn).await?);
    let proposal = Proposal {
        position,
        amount,
        at,
    };
    let subject = Subject {
        kind: SUBJECT,
        id: partner.id,
        shown: ids.show(Kind::Partner, partner.id),
    };

    let hash = proposal.content_hash();
    approvals::open(conn, who, &subject, &hash, &[PartyName::Hub]).await?;
    store::put_proposal(conn, &proposal, who.principal).await?;
    Ok(proposal)
}

/// Agrees to what was proposed, which is then so.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: &Partner,
    content_hash: &[u8],
) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    let subject = (SUBJECT, partner.id);
    approvals::decide(conn, who, subject, content_hash, Verdict::Approved).await?;

    let position = position(partner);
    let proposal = store::take_proposal(conn, position).await?;
    let proposal =
        proposal.ok_or_else(|| anyhow::anyhow!("a cap was approved and is not there"))?;
    set(conn, who, partner.id, &proposal).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: &Partner,
    content_hash: &[u8],
) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    let subject = (SUBJECT, partner.id);
    approvals::decide(conn, who, subject, content_hash, Verdict::Rejected).await?;
    store::take_proposal(conn, position(partner)).await?;
    Ok(())
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: &Partner) -> Result<(), Error> {
    store::lock_partner(conn, partner.id).await?;
    if !approvals::cancel(conn, who, (SUBJECT, partner.id)).await? {
        return Err(Problem::new(Slug::ApprovalClosed, "no cap is proposed").into());
    }
    store::take_proposal(conn, position(partner)).await?;
    Ok(())
}

/// Behind the gate no group is under way and all writers forget what they were granted.
async fn set(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    proposal: &Proposal,
) -> Result<(), Error> {
    db::publish(conn).await?;

    let position = proposal.position;
    let before = store::find(conn, position).await?;
    let owed = store::owed(conn, position).await?;

    store::remove(conn, position).await?;
    if let Some(amount) = proposal.amount {
        store::insert(conn, position, amount, owed, who.principal).await?;
    }
    let text = |cap: Option<Micros>| cap.map_or("none".to_owned(), String::from);
    let (before, after) = (text(before), text(proposal.amount));
    let about = audit::Subject::Cap.no(partner).of([partner]);
    audit::record(conn, who, about, Some(&before), &after).await
}
