//! Bank accounts: where a partner is paid what the hub owes it.
//!
//! Who changes an account steals a payment, so nobody does so alone. The partner proposes its account by its
//! own program and a person of finance agrees; or a person of finance proposes it, from what the partner
//! signed, and another one agrees. The word binds to the details and to those they replace. The partner is
//! told of the proposal and of what became of it (`bank_account.changed`), and may withdraw it.
//!
//! An account is in the money that the partner settles in. The audit trail names accounts by their last
//! characters.
//!
//! Lock order: the partner's row, then its approval.

pub mod api;
pub mod details;
mod store;

use self::details::Details;
use super::{Partner, unknown};
use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};

const SUBJECT: &str = "bank_account";

/// The account that a partner shall have.
pub struct Proposal {
    pub details: Details,
    pub at: Timestamp,
}

/// The account that a partner has, and what waits.
pub struct BankAccount {
    pub present: Option<(Details, Timestamp)>,
    pub proposed: Option<Proposal>,
}

pub async fn find(conn: &mut Connection, partner: i64) -> Result<BankAccount, Error> {
    Ok(BankAccount {
        present: store::find(conn, partner).await?,
        proposed: store::proposed(conn, partner).await?,
    })
}

/// Asks for another account. Somebody else has to agree, of finance.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    details: &Details,
) -> Result<(), Error> {
    lock(conn, partner).await?;
    let present = store::find(conn, partner).await?;
    let present = present.as_ref().map(|(details, _)| details);
    let subject = Subject {
        kind: SUBJECT,
        id: partner,
        shown: ids.show(Kind::Partner, partner),
    };
    let parties = match PartyName::of(who) {
        PartyName::Hub => vec![PartyName::Hub],
        own => vec![own, PartyName::Hub],
    };
    let hash = details.content_hash(partner, present);
    approvals::open(conn, who, &subject, &hash, &parties).await?;
    store::put_proposal(conn, partner, details, who.principal).await?;
    record(
        conn,
        who,
        partner,
        present,
        &format!("proposed {}", told(details)),
    )
    .await
}

/// Agrees to the account that was proposed, which is then the partner's.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    content_hash: &[u8],
) -> Result<(), Error> {
    lock(conn, partner).await?;
    approvals::decide(
        conn,
        who,
        (SUBJECT, partner),
        content_hash,
        Verdict::Approved,
    )
    .await?;
    let proposal = taken(conn, partner).await?;
    let present = store::find(conn, partner).await?;
    let present = present.as_ref().map(|(details, _)| details);
    if proposal.details.content_hash(partner, present) != content_hash {
        let detail = "the account has changed since: withdraw the proposal and make it anew";
        return Err(Problem::new(Slug::ApprovalChanged, detail).into());
    }
    store::put(conn, partner, &proposal.details).await?;
    record(conn, who, partner, present, &told(&proposal.details)).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    content_hash: &[u8],
) -> Result<(), Error> {
    lock(conn, partner).await?;
    approvals::decide(
        conn,
        who,
        (SUBJECT, partner),
        content_hash,
        Verdict::Rejected,
    )
    .await?;
    end(conn, who, partner, "rejected").await
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: i64) -> Result<(), Error> {
    lock(conn, partner).await?;
    if !approvals::cancel(conn, who, (SUBJECT, partner)).await? {
        return Err(Problem::new(Slug::ApprovalClosed, "no bank account is proposed").into());
    }
    end(conn, who, partner, "withdrawn").await
}

async fn end(conn: &mut Connection, who: &Who, partner: i64, how: &str) -> Result<(), Error> {
    let proposal = taken(conn, partner).await?;
    let present = store::find(conn, partner).await?;
    let present = present.as_ref().map(|(details, _)| details);
    let after = format!("{how} {}", told(&proposal.details));
    record(conn, who, partner, present, &after).await
}

async fn taken(conn: &mut Connection, partner: i64) -> Result<Proposal, Error> {
    let proposal = store::take_proposal(conn, partner).await?;
    Ok(proposal.ok_or_else(|| anyhow::anyhow!("an account was decided and is not there"))?)
}

async fn record(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    before: Option<&Details>,
    after: &str,
) -> Result<(), Error> {
    let about = audit::Subject::BankAccount.no(partner).of([partner]);
    let before = before.map(told);
    audit::record(conn, who, about, before.as_deref(), after).await
}

/// An account as the audit trail has it.
fn told(details: &Details) -> String {
    let bank = String::from(details.bic.clone());
    format!("{bank} ...{}", details.number.ending())
}

async fn lock(conn: &mut Connection, partner: i64) -> Result<Partner, Error> {
    Ok(super::store::lock(conn, partner)
        .await?
        .ok_or_else(unknown)?)
}
