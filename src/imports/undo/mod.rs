//! An import that was wrong is undone as a whole.
//!
//! | from | to | who |
//! |---|---|---|
//! | finished | freezing | the partner or an operator |
//! | freezing | frozen | the hub, when it has gone through all awards |
//! | freezing, frozen | thawing | the partner or an operator |
//! | thawing | finished | the hub |
//! | frozen | undoing | one who proposes it and another who approves |
//! | undoing | undone | the hub |
//!
//! What is left of the awards is [frozen](crate::ledger::freeze) first, so that it stays as it is while two people
//! look at it. The proposal says what becomes of what is not there any more; the word of the second person binds
//! to the figures of then. Rejected or withdrawn, the import stays frozen until it is thawed.
//!
//! The hub goes through the awards [`BATCH`] at a time, through the ledger's door. Whoever does holds the import's
//! row; each award is frozen, thawed or undone under a key made of the import, the line and the round, so whichever
//! hub goes on when one is killed, nothing is done twice.
//!
//! Lock order: the import's row, then its approval; while a batch is carried out, the row alone.

pub mod api;
pub mod figures;
mod store;

use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::import::{Import, Kind, STEPS, Spent, State, Step};
use super::{BATCH, about, own, unknown};
use crate::access::{Who, audit};
use crate::approvals::{Proposal, Proposals};
use crate::db::{self, Connection, Pool};
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger::command::{Failed, Stamp};
use crate::ledger::execute::Done;
use crate::ledger::freeze::{Freeze, Imported, Nothing, Thaw, Undo};
use crate::ledger::{self, Ledger, store as ledger_store};
use crate::partners::life::Act;
use crate::partners::{self, Directories};
use crate::secret::Secrets;
use crate::web::once::Claim;
use crate::web::{Origin, RequestId};
use figures::{Basis, Figures};

/// Each rests on what is frozen.
const UNDOS: Proposals<Wanted> = Proposals::of("import_undo");

/// What somebody wants of a frozen import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub spent: Spent,
}

/// What there is of an import, and what waits.
pub struct Found {
    pub import: Import,
    pub figures: Vec<Figures>,
    pub proposed: Option<Proposal<Wanted>>,
}

/// Whose import it is asked to be, none for the hub's people, and which.
pub type Whose = (Option<i64>, i64);

/// An import with what an undo would do.
pub async fn find(conn: &mut Connection, whose: Whose) -> Result<Found, Error> {
    let import = of(super::find(conn, whose.1).await?, whose)?;
    if import.kind != Kind::Awards {
        return Err(api::not_of_awards(&import).into());
    }
    Ok(Found {
        figures: store::figures(conn, import.id).await?,
        proposed: UNDOS.pending(conn, &[import.id]).await?.pop(),
        import,
    })
}

fn of(found: Option<Import>, (partner, _): Whose) -> Result<Import, Error> {
    Ok(match partner {
        Some(partner) => own(found, partner)?,
        None => found.ok_or_else(unknown)?,
    })
}

async fn lock(conn: &mut Connection, whose: Whose) -> Result<Import, Error> {
    of(super::store::lock(conn, whose.1).await?, whose)
}

/// Begins to freeze what is left of the awards.
pub async fn freeze(conn: &mut Connection, who: &Who, whose: Whose) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    let round = import.step.round + 1;
    go(conn, who, &import, State::Freezing, round, None).await
}

/// Begins to give back what is frozen, whatever was proposed.
pub async fn thaw(conn: &mut Connection, who: &Who, whose: Whose) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    may_go(&import, State::Thawing)?;
    UNDOS.cancel(conn, who, import.id).await?;
    go(conn, who, &import, State::Thawing, import.step.round, None).await
}

/// Asks somebody else to agree that the import is undone.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    whose: Whose,
    wanted: Wanted,
) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    may_go(&import, State::Undoing)?;
    partners::must_allow(conn, import.partner, Act::Reverse).await?;
    let basis = basis(conn, &import).await?;
    let subject = (import.id, ids.show(id::Kind::Import, import.id));
    UNDOS.propose(conn, who, subject, &wanted, &basis).await?;
    Ok(())
}

async fn basis(conn: &mut Connection, import: &Import) -> Result<Vec<Basis>, Error> {
    let figures = store::figures(conn, import.id).await?;
    Ok(figures.iter().map(Figures::basis).collect())
}

/// Agrees to the undo, which then begins.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    whose: Whose,
    read: &[u8],
) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    let basis = basis(conn, &import).await?;
    let Wanted { spent } = UNDOS.approve(conn, who, import.id, read, &basis).await?;
    let round = import.step.round;
    go(conn, who, &import, State::Undoing, round, Some(spent)).await
}

/// Does not agree, which ends the proposal. The import stays frozen.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    whose: Whose,
    read: &[u8],
) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    UNDOS.reject(conn, who, import.id, read).await.map(drop)
}

/// Takes the proposal back. The import stays frozen.
pub async fn withdraw(conn: &mut Connection, who: &Who, whose: Whose) -> Result<(), Error> {
    let import = lock(conn, whose).await?;
    UNDOS.withdraw(conn, who, import.id).await.map(drop)
}

fn may_go(import: &Import, to: State) -> Result<(), Error> {
    if import.kind != Kind::Awards {
        return Err(api::not_of_awards(import).into());
    }
    match STEPS.contains(&(import.state, to)) {
        true => Ok(()),
        false => Err(api::no_step(import, to).into()),
    }
}

/// Takes a step after which the awards are gone through from the first.
async fn go(
    conn: &mut Connection,
    who: &Who,
    import: &Import,
    to: State,
    round: i32,
    spent: Option<Spent>,
) -> Result<(), Error> {
    may_go(import, to)?;
    partners::must_allow(conn, import.partner, Act::Reverse).await?;
    let step = Step {
        round,
        by: Some(who.principal),
        line: 0,
        spent,
    };
    keep(conn, who, import, to, &step).await
}

async fn keep(
    conn: &mut Connection,
    who: &Who,
    import: &Import,
    to: State,
    step: &Step,
) -> Result<(), Error> {
    super::store::keep_step(conn, import.id, to, step).await?;
    if import.state == to {
        return Ok(());
    }
    let about = about(import.partner, import.id);
    audit::record(conn, who, about, Some(import.state.name()), to.name()).await
}

/// What goes through awards.
pub struct Hands<'a> {
    pub pool: &'a Pool,
    pub secrets: &'a Secrets,
    pub directories: &'a Directories,
    pub ledger: &'a Ledger,
}

impl Hands<'_> {
    /// Goes on with everything that is under way. Answers how many imports that were.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let imports = store::under_way(&mut *self.pool.get().await?).await?;
        for import in &imports {
            while self.go_on(*import).await? {}
        }
        Ok(imports.len())
    }

    /// Goes on with an import until all its awards are gone through, or for so long.
    pub async fn work(&self, import: i64, patience: Duration) -> Result<(), Error> {
        let began = Instant::now();
        while began.elapsed() < patience && self.go_on(import).await? {}
        Ok(())
    }

    /// Goes on with an import by a batch, unless another hub does. Answers whether more is to be done.
    pub async fn go_on(&self, import: i64) -> Result<bool, Error> {
        let mut conn = self.pool.get().await?;
        db::transaction(&mut conn, async |conn| {
            let locked = super::store::lock_if_free(conn, import).await?;
            let Some(import) = locked else {
                return Ok(false);
            };
            let Some(next) = import.state.leads_to() else {
                return Ok(false);
            };
            let lines = store::awards(conn, import.id, import.step.line, BATCH as i64).await?;
            self.batch(conn, &import, &lines).await?;

            let last = lines.last().filter(|_| lines.len() == BATCH);
            let (state, line) = match last {
                Some(last) => (import.state, last.line),
                None => (next, 0),
            };
            let who = Who {
                principal: import.step.by.unwrap_or_default(),
                ..Who::the_hub()
            };
            let step = Step {
                line,
                ..import.step
            };
            keep(conn, &who, &import, state, &step).await?;
            Ok(last.is_some())
        })
        .await
    }

    async fn batch(
        &self,
        conn: &mut Connection,
        import: &Import,
        lines: &[store::Line],
    ) -> Result<(), Error> {
        let (_, directory) = self.directories.current(conn).await?;
        let ids: Vec<i64> = lines.iter().map(|line| line.award).collect();
        let awards = ledger_store::find_all(conn, &ids).await?;
        let request_id = RequestId::fresh().id;
        let tried = lines.iter().filter_map(|line| {
            let award = awards.iter().find(|award| award.id == line.award)?;
            let currency = directory.currency_no(award.into?.wallet.asset())?;
            let of = Imported {
                award: award.clone(),
                import: import.id,
                moves: currency.expiry.moves_with_activity(),
                ends_at: directory.partner(currency.issuer)?.ends_at,
            };
            let stamp = self.stamp(import, line.line, request_id);
            Some(Box::pin(self.turn(import, of, stamp)))
        });
        let done: Vec<Result<Done, Failed<Nothing>>> = join_all(tried).await;
        for done in done {
            match done {
                Ok(_) | Err(Failed::Refused(Nothing)) => {}
                Err(failed) => return Err(ledger::failure(failed)),
            }
        }
        Ok(())
    }

    async fn turn(
        &self,
        import: &Import,
        of: Imported,
        stamp: Stamp,
    ) -> Result<Done, Failed<Nothing>> {
        match import.state {
            State::Freezing => self.ledger.hand_in(Freeze(of), stamp).await,
            State::Thawing => self.ledger.hand_in(Thaw(of), stamp).await,
            State::Undoing => {
                let is_owed = import.step.spent == Some(Spent::OwedByMembers);
                self.ledger.hand_in(Undo { of, is_owed }, stamp).await
            }
            State::Open | State::Finished | State::Frozen | State::Undone => {
                Err(Failed::Refused(Nothing))
            }
        }
    }

    /// Whichever hub does it, it is done by who asked for it, under one key.
    fn stamp(&self, import: &Import, line: i64, request_id: Uuid) -> Stamp {
        let place = [import.id, line, import.step.round.into()].map(i64::to_be_bytes);
        let key = [
            b"import step",
            import.state.name().as_bytes(),
            &place.concat(),
        ];
        Stamp {
            claim: Claim {
                key_hash: self.secrets.hash(&key),
                body_hash: Uuid::nil(),
            },
            principal_id: import.step.by.unwrap_or_default(),
            is_confirmed: true,
            request_id,
            origin: Origin::Hub,
            version: None,
            reference: None,
        }
    }
}
