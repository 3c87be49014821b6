//! Seals: finished groups and the changes of the audit trail, in their order, chained by hashes, so
//! that the past cannot change unnoticed and a reader of it never misses anything.
//!
//! Groups commit in another order than that of their ids, and a chain inside each would make the
//! hubs wait for one another. So groups only take an id from their transaction's, and a *sealer*
//! chains them afterwards. An id is final once every transaction below it has ended, which
//! PostgreSQL tells (`pg_snapshot_xmin`); a seal takes the groups below that and behind the last
//! seal. Nothing can come before them any more, and the database refuses a group that would. A
//! change that moves no points has its place by its transaction too, and is sealed with them.
//!
//! Every hub runs a sealer, and one at a time seals: whoever gets the lock. What was sealed is read
//! after the lock is taken, in a statement of its own, so that it is what the one before left. The
//! numbers of seals are unique, should a lock ever fail. A transaction that stays open, in
//! whichever database of the server, delays seals and makes none wrong.
//!
//! After a restore `control.group_base` lifts ids above all earlier ones. It changes under the gate
//! or while no hub runs: then no group under way has the smaller one, and the horizon, which adds
//! the same base, stays true.
//!
//! The end of a chain can be cut off without a trace in it. [`anchors`] are the trace: hashes kept
//! outside of the database.

pub mod anchors;
pub mod seal;
pub mod store;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::operation;
use crate::access::audit::Change;
use crate::db::{self, Connection};
use crate::error::Error;
use anchors::Anchors;
use seal::{Group, Seal};

/// The most groups in one seal, and the most changes, which bounds memory when a hub comes back to millions.
const MOST: i64 = 4_096;

/// How long a sealer rests when everything is sealed.
const REST: Duration = Duration::from_millis(250);

/// How long it stays away from a database that does not answer.
const AWAY: Duration = Duration::from_secs(1);

/// Nothing the database does for a seal takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Seals the next finished groups. None when there are none, or another sealer is at it.
pub async fn seal(conn: &mut Connection) -> Result<Option<Seal>, Error> {
    if !store::is_behind(conn).await? {
        return Ok(None);
    }
    db::transaction(conn, async |conn| {
        if !store::try_lock(conn).await? {
            return Ok(None);
        }
        let last = store::last(conn).await?;
        let after = last.as_ref().map_or(0, |last| last.last_group);
        let horizon = store::horizon(conn).await?;
        let mut groups = store::groups_after(conn, after, horizon, MOST).await?;
        let places = (operation::id(after + 1, 0) - 1, operation::id(horizon, 0));
        let mut changes = store::changes_between(conn, places, MOST).await?;
        let whole = whole(&groups, &changes);
        groups.retain(|group| group.id <= whole);
        changes.retain(|change| operation::group_of(change.position) <= whole);
        let now = db::now(conn).await?;

        let seal = Seal::of(last.as_ref(), &groups, &changes, now);

        if let Some(seal) = &seal {
            store::insert(conn, seal).await?;
        }
        Ok(seal)
    })
    .await
}

/// The last transaction of which all was read: of a full page the last may go on behind it.
fn whole(groups: &[Group], changes: &[Change]) -> i64 {
    let is_full = |length: usize| length as i64 == MOST;
    let groups = groups.last().filter(|_| is_full(groups.len()));
    let changes = changes.last().filter(|_| is_full(changes.len()));
    let groups = groups.map(|group| group.id);
    let changes = changes.map(|change| operation::group_of(change.position) - 1);
    groups.into_iter().chain(changes).min().unwrap_or(i64::MAX)
}

/// What seals on behalf of a hub, on a connection of its own.
pub struct Sealer {
    url: String,
    open: Option<Connection>,
    anchors: Option<Anchors>,
}

impl Sealer {
    /// `anchors` is the file that keeps hashes outside of the database.
    pub fn new(url: &str, anchors: Option<PathBuf>) -> Sealer {
        Sealer {
            url: url.to_owned(),
            open: None,
            anchors: anchors.map(Anchors::in_file),
        }
    }

    /// Seals for as long as the hub lives, and waits for a database that is away.
    pub async fn work(mut self) {
        let mut is_away = false;
        loop {
            let error = self.round().await.err();
            match &error {
                Some(error) if !is_away => tracing::warn!("seals wait for the database: {error:#}"),
                None if is_away => tracing::info!("seals go on"),
                _ => {}
            }
            is_away = error.is_some();
            tokio::time::sleep(if is_away { AWAY } else { REST }).await;
        }
    }

    /// Seals and anchors what there is. After an error the connection is made anew.
    async fn round(&mut self) -> anyhow::Result<()> {
        let mut conn = match self.open.take() {
            Some(conn) => conn,
            None => patient(db::connect(self.url.clone())).await??,
        };
        while patient(seal(&mut conn)).await??.is_some() {}
        if let Some(anchors) = self.anchors.as_mut().filter(|anchors| anchors.are_due()) {
            anchors.keep(patient(store::last(&mut conn)).await??).await;
        }
        self.open = Some(conn);
        Ok(())
    }
}

async fn patient<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.context("the database does not answer")
}
