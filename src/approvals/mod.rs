//! Approvals: everything that needs a second person.
//!
//! A request names the parties whose word it needs and the hash of exactly what they agree to.
//! When a partner makes it, the request is that partner's word. When a person of the hub makes it
//! and the hub's word is needed, another person gives it: maker is never checker, whatever role or
//! credential they use.
//!
//! Approving and rejecting happen where the subject lives (`/v1/rate-cards/{id}/approve`), which
//! calls [`decide`] in its own transaction: this slice is below every subject and knows none.
//!
//! A person of the hub asks and decides with a fresh proof of the second factor only.
//!
//! A subject of its own, such as a rate card, holds what is agreed to. Where there is none, the approval
//! holds it until it closes: see [`proposals`].
//!
//! Two words at once wait for each other on the approval's row. Lock order: the subject's row,
//! then its approval.

pub mod api;
pub mod approval;
pub mod party;
pub mod proposals;
mod store;

pub use approval::{Approval, Decision, State, Subject, Verdict};
pub use party::PartyName;
pub use proposals::{Proposal, Proposals};

use chrono::Duration;
use serde_json::Value;

use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};

/// How long the parties have.
const PATIENCE: Duration = Duration::days(14);

/// Asks the parties to agree to what the hash covers. Answers the approval's id.
pub async fn open(
    conn: &mut Connection,
    who: &Who,
    subject: &Subject,
    content_hash: &[u8],
    parties: &[PartyName],
) -> Result<i64, Error> {
    ask(conn, who, subject, content_hash, None, parties).await
}

/// The same, with what is wanted where no subject of its own holds it.
async fn ask(
    conn: &mut Connection,
    who: &Who,
    subject: &Subject,
    content_hash: &[u8],
    proposed: Option<Value>,
    parties: &[PartyName],
) -> Result<i64, Error> {
    who.must_be_fresh()?;
    let now = db::now(conn).await?;
    if let Some(old) = store::lock_latest(conn, subject.kind, subject.id).await?
        && old.state == State::Created
        && old.state_at(now) == State::Expired
    {
        close(conn, who, &old, State::Expired).await?;
    }

    let id = store::insert(conn, who, subject, content_hash, proposed, parties, now).await?;
    let about = audit::Subject::Approval.no(id).of(partners(parties));
    audit::record(conn, who, about, None, State::Created.name()).await?;
    let maker = PartyName::of(who);
    if maker != PartyName::Hub && parties.contains(&maker) {
        store::insert_word(conn, id, maker, who.principal, Verdict::Proposed, now).await?;
    }
    Ok(id)
}

/// Counts a party's word on the latest request for a subject.
pub async fn decide(
    conn: &mut Connection,
    who: &Who,
    subject: (&str, i64),
    content_hash: &[u8],
    verdict: Verdict,
) -> Result<Decision, Error> {
    let (decision, _) = speak(conn, who, subject, content_hash, verdict).await?;
    Ok(decision)
}

/// The same, with the approval as it was before.
async fn speak(
    conn: &mut Connection,
    who: &Who,
    subject: (&str, i64),
    content_hash: &[u8],
    verdict: Verdict,
) -> Result<(Decision, Approval), Error> {
    who.must_be_fresh()?;
    let approval = store::lock_latest(conn, subject.0, subject.1)
        .await?
        .ok_or_else(unknown)?;
    let now = db::now(conn).await?;

    let party = PartyName::of(who);
    let decision = approval
        .decide(party, who.principal, content_hash, verdict, now)
        .map_err(api::refused)?;

    store::insert_word(conn, approval.id, party, who.principal, verdict, now).await?;
    if decision.complete {
        close(conn, who, &approval, State::Approved).await?;
    }
    if decision.rejected {
        close(conn, who, &approval, State::Rejected).await?;
    }
    Ok((decision, approval))
}

/// Takes the request for a subject back and answers it, when one is open. Who may is for the subject to say.
pub async fn cancel(
    conn: &mut Connection,
    who: &Who,
    subject: (&str, i64),
) -> Result<Option<Approval>, Error> {
    let latest = store::lock_latest(conn, subject.0, subject.1).await?;
    let open = latest.filter(|latest| latest.state == State::Created);
    if let Some(open) = &open {
        close(conn, who, open, State::Cancelled).await?;
    }
    Ok(open)
}

/// What it held of what was proposed is then gone.
async fn close(
    conn: &mut Connection,
    who: &Who,
    approval: &Approval,
    state: State,
) -> Result<(), Error> {
    store::close(conn, approval.id, state).await?;
    let about = audit::Subject::Approval.no(approval.id);
    let about = about.of(partners(&approval.parties));
    audit::record(conn, who, about, Some(approval.state.name()), state.name()).await
}

fn partners(parties: &[PartyName]) -> impl Iterator<Item = i64> {
    parties.iter().filter_map(|party| party.partner())
}

fn unknown() -> Problem {
    Problem::new(
        Slug::NotFound,
        "there is no such approval, or you are not a party to it",
    )
}
