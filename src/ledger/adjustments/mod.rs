//! Adjustments: an operator puts a wallet right, with a second person and a reason.
//!
//! An adjustment is proposed with everything that it will do, also the day on which a credit expires,
//! and the approval binds to that. When another person agrees, the hub posts it against `adjusted`.
//!
//! Agreeing and posting are two transactions: the first commits a person's word, the second is a group
//! of the ledger. The key of the operation follows from the adjustment's id, so posting again is safe,
//! and the sweep posts what was agreed to when the hub died in between. Whoever posts holds the row, so
//! that what one finds refused another does not post meanwhile.

pub mod adjustment;
pub mod api;
mod store;

pub use store::{find, following};

use serde_json::json;
use uuid::Uuid;

use self::adjustment::{Adjustment, State, Wanted};
use super::Ledger;
use super::command::{Command, Decided, Failed, Seen, Stamp, Touches};
use super::execute::Done;
use super::lot::{LotKey, Short};
use super::operation::Kind;
use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::{self, Timestamp};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::partners::{self, life::Act};
use crate::secret::Secrets;
use crate::web::once::Claim;

const SUBJECT: &str = "adjustment";

/// How many adjustments are posted at a time by the sweep.
const POSTED: i64 = 100;

/// Asks a second person to agree.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    wanted: &Wanted,
) -> Result<Adjustment, Error> {
    let now = db::now(conn).await?;
    let hash = wanted.content_hash();

    let id = store::insert(conn, who, wanted, &hash, now).await?;
    let subject = Subject {
        kind: SUBJECT,
        id,
        shown: ids.show(id::Kind::Adjustment, id),
    };
    approvals::open(conn, who, &subject, &hash, &[PartyName::Hub]).await?;
    let state = State::Proposed.name();
    audit::record(conn, who, audit::Subject::Adjustment.no(id), None, state).await?;
    Ok(store::find(conn, id).await?.ok_or_else(unknown)?)
}

/// Counts a second person's word. What is agreed to is then to be posted.
pub async fn agree(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    content_hash: &[u8],
    verdict: Verdict,
) -> Result<(), Error> {
    let found = store::lock(conn, id).await?.ok_or_else(unknown)?;
    if verdict == Verdict::Approved {
        partners::issuer_must_allow(conn, found.content.wallet.asset(), Act::Adjust).await?;
    }

    let decision = approvals::decide(conn, who, (SUBJECT, id), content_hash, verdict).await?;

    let state = match decision.rejected {
        true => State::Rejected,
        false if decision.complete => State::Approved,
        false => return Ok(()),
    };
    mark(conn, who, id, (State::Proposed, state), None).await
}

impl Ledger {
    /// Posts an adjustment that was agreed to, once, whoever tries how often.
    pub async fn post(&self, secrets: &Secrets, who: &Who, id: i64) -> Result<(), Error> {
        let mut conn = self.pool.get().await?;
        db::transaction(&mut conn, async |conn| {
            let found = store::lock(conn, id).await?;
            let Some(adjustment) = found.filter(|found| found.state == State::Approved) else {
                return Ok(());
            };

            let stamp = stamp(secrets, who, &adjustment);
            let (state, operation) = match self.writers.execute(Adjust { adjustment }, stamp).await
            {
                Ok(Done::Now(operation)) => (State::Posted, Some(operation.id)),
                Ok(Done::Before(operation)) => (State::Posted, Some(operation)),
                Err(Failed::Refused(_)) => (State::Refused, None),
                Err(other) => return Err(super::failure(other)),
            };

            mark(conn, who, id, (State::Approved, state), operation).await
        })
        .await
    }

    /// Posts what was agreed to and not posted, because the hub died in between.
    pub(super) async fn post_approved(&self, secrets: &Secrets) -> Result<usize, Error> {
        let approved = store::approved(&mut *self.pool.get().await?, POSTED).await?;
        let hub = Who::the_hub();
        for id in &approved {
            self.post(secrets, &hub, *id).await?;
        }
        Ok(approved.len())
    }
}

async fn mark(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    (from, to): (State, State),
    operation: Option<i64>,
) -> Result<(), Error> {
    store::mark(conn, id, to, operation).await?;
    let about = audit::Subject::Adjustment.no(id);
    audit::record(conn, who, about, Some(from.name()), to.name()).await
}

/// Whoever posts it, the operation is that of who proposed it, under one key.
fn stamp(secrets: &Secrets, who: &Who, adjustment: &Adjustment) -> Stamp {
    let key_hash = secrets.hash(&[b"adjustment", &adjustment.id.to_be_bytes()]);
    Stamp {
        claim: Claim {
            key_hash,
            body_hash: Uuid::nil(),
        },
        principal_id: adjustment.created_by,
        is_confirmed: true,
        request_id: who.request.id,
        origin: who.request.origin,
        version: None,
        reference: None,
    }
}

/// The command of an adjustment.
#[derive(Debug, Clone)]
pub struct Adjust {
    pub adjustment: Adjustment,
}

impl Command for Adjust {
    type Refusal = Short;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.adjustment.content.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Short> {
        let Wanted {
            wallet,
            change,
            expires_at,
            ..
        } = self.adjustment.content;
        let decided = Decided::new(Kind::Adjustment);
        let lot = LotKey::expiring(expires_at.unwrap_or(clock::NEVER));
        let decided = match change > 0 {
            true => decided.giving(seen, wallet, change, lot),
            false => decided.taking(seen, wallet, -change, now)?,
        };
        Ok(Decided {
            memo: Some(json!({ "adjustment": self.adjustment.id })),
            ..decided
        })
    }
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such adjustment")
}
