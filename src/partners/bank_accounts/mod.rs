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
use super::unknown;
use crate::access::{Who, audit};
use crate::approvals::{Proposal, Proposals};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind};

/// Each rests on the details that it replaces.
const ACCOUNTS: Proposals<Details> = Proposals::of("bank_account");

/// The account that a partner has, and what waits.
pub struct BankAccount {
    pub present: Option<(Details, Timestamp)>,
    pub proposed: Option<Proposal<Details>>,
}

pub async fn find(conn: &mut Connection, partner: i64) -> Result<BankAccount, Error> {
    Ok(BankAccount {
        present: store::find(conn, partner).await?,
        proposed: ACCOUNTS.pending(conn, &[partner]).await?.pop(),
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
    let present = lock(conn, partner).await?;
    let subject = (partner, ids.show(Kind::Partner, partner));
    ACCOUNTS
        .propose(conn, who, subject, details, &present)
        .await?;
    let after = format!("proposed {}", told(details));
    record(conn, who, partner, present, &after).await
}

/// Agrees to the account that was proposed, which is then the partner's.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let present = lock(conn, partner).await?;
    let details = ACCOUNTS.approve(conn, who, partner, read, &present).await?;
    store::put(conn, partner, &details).await?;
    record(conn, who, partner, present, &told(&details)).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let present = lock(conn, partner).await?;
    let details = ACCOUNTS.reject(conn, who, partner, read).await?;
    let after = format!("rejected {}", told(&details));
    record(conn, who, partner, present, &after).await
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: i64) -> Result<(), Error> {
    let present = lock(conn, partner).await?;
    let details = ACCOUNTS.withdraw(conn, who, partner).await?;
    let after = format!("withdrawn {}", told(&details));
    record(conn, who, partner, present, &after).await
}

async fn record(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    before: Option<Details>,
    after: &str,
) -> Result<(), Error> {
    let about = audit::Subject::BankAccount.no(partner).of([partner]);
    let before = before.as_ref().map(told);
    audit::record(conn, who, about, before.as_deref(), after).await
}

/// An account as the audit trail has it.
fn told(details: &Details) -> String {
    let bank = String::from(details.bic.clone());
    format!("{bank} ...{}", details.number.ending())
}

/// Locks a partner and answers the account that it has.
async fn lock(conn: &mut Connection, partner: i64) -> Result<Option<Details>, Error> {
    let locked = super::store::lock(conn, partner).await?;
    locked.ok_or_else(unknown)?;
    let present = store::find(conn, partner).await?;
    Ok(present.map(|(details, _)| details))
}
