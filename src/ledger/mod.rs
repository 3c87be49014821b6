//! The ledger: the only place where points and money are kept.
//!
//! Two books, one journal. The *unit book* counts points per currency, the *value book* money per
//! settlement currency; an [`operation`] is a line in both. What moves points is a [`command`]: it
//! says what it touches and decides purely. [`execute`] carries commands out in groups, one
//! transaction each, and [`transfer`] says what an operation posts.
//!
//! Two decisions are not obvious. *An operation's row is the journal*: a leg is a whole transfer,
//! since the account at its other end follows from the kind, so nothing unbalanced can be written;
//! there are no posting rows to keep in step. *Sums are kept while posting*, per window, kind and
//! pair of accounts, so that positions and reports cost the same after ten million operations;
//! `verify` makes them again from the journal.
//!
//! Lock order: the gate (shared; closing a window and publishing take it alone), wallets by id, caps
//! by position and then their slices, what limited campaigns gave in all by campaign, then, in new
//! statements, everything else. Within a writer's slot
//! of the totals nobody waits, and of the slices only while a cap is asked for more.

pub mod adjustments;
pub mod api;
mod asked;
pub mod awards;
pub mod budget;
pub mod caps;
mod columns;
pub mod command;
pub mod credits;
pub mod deliveries;
pub mod execute;
pub mod expiry;
pub mod follow_ups;
pub mod freeze;
mod group;
pub mod history;
pub mod holds;
pub mod lot;
pub mod notices;
pub mod operation;
mod origins;
pub mod programme;
mod queue;
pub mod redemptions;
pub mod reversals;
pub mod seals;
pub mod shelf;
mod slot;
mod statements;
pub mod store;
pub mod tally;
pub mod transfer;
pub mod trial_balance;
pub mod wallets;
pub mod window;

use std::sync::Arc;

use caps::room::Reached;
use command::{Command, Failed, Reference, Stamp};
use execute::{Done, Writers};
use expiry::Expire;
use holds::Release;
use operation::{Kind, Operation};
use store::WindowRow;
use uuid::Uuid;

use crate::access::{self, Who, audit};
use crate::db::{self, Connection, Latest, Moment, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::points::account::Account;
use crate::secret::Secrets;
use crate::web::once::Claim;
use crate::web::{Origin, RequestId};

/// The ledger of a hub.
pub struct Ledger {
    writers: Writers,
    pool: Pool,
    latest: Arc<Latest>,
}

/// How often a command is built again because something was published meanwhile.
const BUILDS: usize = 5;

/// How many expired holds or lots are swept at a time.
const SWEPT: i64 = 500;

impl Ledger {
    pub fn start(pool: Pool, latest: Arc<Latest>) -> Ledger {
        Ledger {
            writers: Writers::start(pool.url()),
            pool,
            latest,
        }
    }

    /// Carries out what `build` makes, once per key, and returns the operation, also when it is an
    /// earlier one under the same key. What is built rests on what is published; when that changes
    /// before the decision it is built again.
    pub async fn carry_out<C: Command>(
        &self,
        mut moment: Moment,
        build: impl AsyncFn(Moment) -> Result<(C, Stamp), Error>,
        refuse: impl Fn(C::Refusal) -> Error,
    ) -> Result<Operation, Error> {
        for _ in 0..BUILDS {
            let (_, (command, stamp)) = self.at_present(moment, &build).await?;
            let pays = command.touches().positions.first().copied();
            // What is rare is boxed: a request keeps room for all that it may wait for.
            return match self.writers.execute(command, stamp).await {
                Ok(Done::Now(operation)) => Ok(*operation),
                Ok(Done::Before(id)) => Box::pin(self.find(id)).await,
                Err(Failed::Stale) => {
                    moment = Box::pin(self.present()).await?;
                    continue;
                }
                Err(Failed::Refused(refusal)) => Err(refuse(refusal)),
                Err(Failed::CapReached(reached)) if pays != Some(reached.position) => {
                    Err(caps::api::reached_by_another(reached).into())
                }
                Err(Failed::CapReached(reached)) => Box::pin(self.reached(reached)).await,
                Err(other) => Err(failure(other)),
            };
        }
        Err(out_of_date().into())
    }

    /// Does what rests on what is published, as of `moment` if that is the present. What fails is tried
    /// again when something was published since. Returns the moment that it rests on, too.
    pub async fn at_present<T>(
        &self,
        mut moment: Moment,
        work: impl AsyncFn(Moment) -> Result<T, Error>,
    ) -> Result<(Moment, T), Error> {
        for _ in 0..BUILDS {
            let failed = match work(moment).await {
                Ok(done) => return Ok((moment, done)),
                Err(failed) => failed,
            };
            let present = Box::pin(self.present()).await?;
            if present.version <= moment.version {
                return Err(failed);
            }
            moment = present;
        }
        Err(out_of_date().into())
    }

    /// Hands a command to the writers as it is.
    pub async fn hand_in<C: Command>(
        &self,
        command: C,
        stamp: Stamp,
    ) -> Result<Done, Failed<C::Refusal>> {
        self.writers.execute(command, stamp).await
    }

    async fn present(&self) -> Result<Moment, Error> {
        let moment = db::moment(&mut *self.pool.get().await?).await?;
        self.latest.saw(moment);
        Ok(moment)
    }

    async fn reached<T>(&self, reached: Reached) -> Result<T, Error> {
        Err(caps::reached(&mut *self.pool.get().await?, reached).await)
    }

    async fn find(&self, id: i64) -> Result<Operation, Error> {
        let found = store::find(&mut *self.pool.get().await?, id).await?;
        found.ok_or_else(|| {
            anyhow::anyhow!("operation {id} is known by its key and not in the journal").into()
        })
    }

    /// Does what nobody asks for: posts what was agreed to, ends what has ended by itself, holds first,
    /// whose lots may have expired meanwhile. Tells of what will. Returns how many adjustments, holds, lots
    /// and notices.
    pub async fn sweep(&self, secrets: &Secrets) -> Result<usize, Error> {
        let posted = self.post_approved(secrets).await? + self.undo_all_rejected(secrets).await?;
        caps::sweep(&mut *self.pool.get().await?).await?;
        let released = self.sweep_holds(secrets).await?;
        let expired = self.sweep_lots(secrets).await?;
        Ok(posted + released + expired + self.tell_of_expiring().await?)
    }

    async fn sweep_holds(&self, secrets: &Secrets) -> Result<usize, Error> {
        let mut swept = 0;
        loop {
            let due = store::due_holds(&mut *self.pool.get().await?, SWEPT).await?;
            let commands = due.into_iter().map(|hold| {
                let command = Release {
                    hold,
                    amount: None,
                    is_due: true,
                };
                self.writers
                    .execute(command, stamp_of_the_hub(secrets, None))
            });
            let results = futures_util::future::join_all(commands).await;
            let released = results.iter().filter(|result| result.is_ok()).count();
            swept += released;
            if released == 0 {
                return Ok(swept);
            }
        }
    }

    /// Writes down which lots have expired.
    async fn sweep_lots(&self, secrets: &Secrets) -> Result<usize, Error> {
        let mut swept = 0;
        loop {
            let lots = {
                let mut conn = self.pool.get().await?;
                match store::expired_lots(&mut conn, SWEPT).await? {
                    none if none.is_empty() => store::lots_of_ended(&mut conn, SWEPT).await?,
                    lots => lots,
                }
            };
            let commands = lots.iter().map(|row| {
                let command = Expire {
                    wallet: Account(row.lot.wallet),
                    lot: row.lot.key(),
                    issuer_ends_at: row.issuer_ends_at,
                };
                self.writers
                    .execute(command, stamp_of_the_hub(secrets, None))
            });
            let results = futures_util::future::join_all(commands).await;
            let expired = results.iter().filter(|result| result.is_ok()).count();
            swept += expired;
            if expired == 0 {
                return Ok(swept);
            }
        }
    }
}

/// The refusal of what rests on terms that are being replaced again and again.
pub fn out_of_date() -> Problem {
    Problem::new(Slug::TooBusy, "terms are being published right now")
}

/// The stamp of what the hub does by itself, built on a publication if on any: no principal, a key of its own.
pub fn stamp_of_the_hub(secrets: &Secrets, version: Option<i64>) -> Stamp {
    let request = RequestId::fresh().id;
    let key_hash = secrets.hash(&[b"sweep", request.as_bytes()]);
    let claim = Claim {
        key_hash,
        body_hash: Uuid::nil(),
    };
    Stamp {
        claim,
        principal_id: 0,
        is_confirmed: true,
        request_id: request,
        origin: Origin::Hub,
        version,
        reference: None,
    }
}

/// The stamp of a caller's command, built on publication `version`.
pub fn stamp(who: &Who, claim: Claim, version: i64, reference: Option<Reference>) -> Stamp {
    Stamp {
        claim,
        principal_id: who.principal,
        is_confirmed: who.is_confirmed,
        request_id: who.request.id,
        origin: who.request.origin,
        version: Some(version),
        reference,
    }
}

/// A partner's own name for an operation of a kind.
pub fn reference(secrets: &Secrets, partner: i64, kind: Kind, text: &str) -> Reference {
    Reference {
        partner_id: partner,
        kind,
        hash: reference_hash(secrets, partner, text),
        text: text.to_owned(),
    }
}

/// The hash a reference is kept and looked up by.
pub fn reference_hash(secrets: &Secrets, partner: i64, text: &str) -> Uuid {
    secrets.hash(&[b"reference", &partner.to_be_bytes(), text.as_bytes()])
}

/// What a caller is told of a command that was not carried out.
pub fn failure<R>(failed: Failed<R>) -> Error {
    match failed {
        Failed::Unwelcome => access::caller::unauthenticated().into(),
        Failed::KeyReused => Claim::reused().into(),
        Failed::ReferenceTaken(_) => Problem::new(
            Slug::ReferenceTaken,
            "an earlier operation has this reference; look it up with ?reference=",
        )
        .into(),
        Failed::NoWallet(_) => {
            Problem::new(Slug::MembershipMissing, "the member has no such wallet").into()
        }
        Failed::Stale | Failed::Busy => {
            Problem::new(Slug::TooBusy, "more is waiting than can be done soon").into()
        }
        Failed::Unavailable => {
            Problem::new(Slug::Unavailable, "the database does not answer").into()
        }
        Failed::Broken(cause) => Error::Broken(cause),
        Failed::Refused(_) | Failed::CapReached(_) => {
            Error::Broken(anyhow::anyhow!("a refusal was not told"))
        }
    }
}

/// What a public id of an operation of this kind begins with.
pub fn id_kind(kind: Kind) -> id::Kind {
    match kind {
        Kind::Award => id::Kind::Award,
        Kind::Redemption => id::Kind::Redemption,
        Kind::Conversion => id::Kind::Conversion,
        Kind::Expiry => id::Kind::Expiry,
        Kind::Hold => id::Kind::Hold,
        Kind::Capture => id::Kind::Capture,
        Kind::Release => id::Kind::Release,
        Kind::Adjustment => id::Kind::Adjustment,
        Kind::Delivery => id::Kind::Delivery,
        Kind::Freeze => id::Kind::Freeze,
        Kind::Thaw => id::Kind::Thaw,
        Kind::AwardReversal
        | Kind::RedemptionReversal
        | Kind::ConversionReversal
        | Kind::CaptureReversal => id::Kind::Reversal,
    }
}

/// What an operation is called in public. An adjustment was there before its operation.
pub fn shown(ids: &Ids, operation: &Operation) -> String {
    let memo = operation.memo.as_ref();
    let adjustment = memo.and_then(|memo| memo.get("adjustment")?.as_i64());
    let id = adjustment.filter(|_| operation.kind == Kind::Adjustment);
    ids.show(id_kind(operation.kind), id.unwrap_or(operation.id))
}

/// A window that was closed, and the one that was opened.
#[derive(Debug)]
pub struct Closing {
    pub closed: WindowRow,
    pub opened: WindowRow,
}

/// Closes the open window and opens the next. When `expected` names a window, only that one.
/// Waits for the groups under way; every group before is in the closed window, every one after in
/// the new.
pub async fn close_window(
    conn: &mut Connection,
    who: &Who,
    expected: Option<i64>,
) -> Result<Closing, Error> {
    db::take_gate(conn).await?;
    let open = store::open_window(conn).await?;
    if expected.is_some_and(|id| id != open.id) {
        return Err(Problem::new(
            Slug::WindowClosed,
            "that window is closed; another one is open now",
        )
        .into());
    }

    let totals = store::totals(conn, Some(open.id)).await?;
    let hash = window::content_hash(open.id, &totals);

    let opened = store::mark_closed(conn, open.id, &hash, who.principal).await?;
    let about = audit::Subject::Window.no(open.id).of_all();
    audit::record(conn, who, about, Some("open"), "closed").await?;
    let closed = store::window(conn, open.id).await?;
    let closed = closed.ok_or_else(|| anyhow::anyhow!("window {} is gone", open.id))?;
    Ok(Closing { closed, opened })
}
