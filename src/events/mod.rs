//! Events: what happened, in one order that never changes, for whoever it concerns.
//!
//! Every operation is one event, and so is every change of the audit trail; none needs a row of its
//! own. The feed shows what is sealed only (see [`crate::ledger::seals`]), so nothing can come to
//! stand before what was shown: a cursor is the last place looked at, and whoever goes on from it
//! misses nothing and sees nothing twice, through any hub.
//!
//! A partner sees operations that moved points of a currency it issues or its money, and of each what it would
//! see asking for it alone; and the changes that concern it. Events of others are looked at and
//! passed over, so many at most in one request: a page may be empty and its cursor still further
//! on. An index by partner would spare the looking and burden every operation; reading in order is
//! cheap.
//!
//! The last seal is read first and the rows after it, in a later snapshot: what that seal covers
//! is committed by then, whichever hub is asked.

pub mod api;
pub mod event;
mod page;
mod store;
pub mod told;
pub mod trail;

use crate::access::audit::Change;
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::operation::{self, Operation};
use crate::ledger::seals;
use crate::ledger::seals::seal::Seal;
use crate::points::account::{Account, Asset};

/// How many operations, and how many changes, are looked at for one page.
pub const LOOKED_AT: i64 = 5_000;

/// Whose events are asked for.
#[derive(Debug, Clone)]
pub struct Whose {
    pub partner: i64,
    /// What it issues.
    pub currencies: Vec<Asset>,
    /// What it owes and is owed.
    pub position: Option<Account>,
}

/// Which events are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The last place looked at before; 0 from the beginning.
    pub after: i64,
    /// Everybody's when none.
    pub whose: Option<Whose>,
    pub limit: i64,
    pub looked_at: i64,
}

/// What happened at some places.
#[derive(Debug, Default)]
pub struct Happened {
    pub operations: Vec<Operation>,
    pub changes: Vec<Change>,
}

/// Events, where to go on, and the seal up to which they could be seen.
#[derive(Debug)]
pub struct Found {
    pub happened: Happened,
    pub next: i64,
    pub sealed_through: Option<Seal>,
    /// Below this place everything was looked for.
    pub horizon: i64,
}

/// The next events.
pub async fn read(conn: &mut Connection, asked: &Asked) -> Result<Found, Error> {
    let sealed_through = seals::store::last(conn).await?;
    let horizon = below(sealed_through.as_ref());
    let operations = store::look_at_operations(conn, asked, horizon).await?;
    let changes = store::look_at_changes(conn, asked, horizon).await?;
    let page = page::of(asked, [operations, changes]);

    Ok(Found {
        happened: store::list(conn, &page.places).await?,
        next: page.next,
        sealed_through,
        horizon,
    })
}

/// Below this place everything has happened that ever will.
pub async fn horizon(conn: &mut Connection) -> Result<i64, Error> {
    Ok(below(seals::store::last(conn).await?.as_ref()))
}

fn below(sealed_through: Option<&Seal>) -> i64 {
    sealed_through.map_or(0, |seal| operation::id(seal.last_group + 1, 0))
}

/// What happened at these places, as far as it was sealed and concerns somebody.
pub async fn at(
    conn: &mut Connection,
    places: &[i64],
    whose: Option<&Whose>,
) -> Result<Happened, Error> {
    let horizon = horizon(conn).await?;
    let found = store::among(conn, places, whose, horizon).await?;
    store::list(conn, &found).await
}

impl Happened {
    /// Every place, in order.
    pub fn places(&self) -> Vec<i64> {
        let operations = self.operations.iter().map(|it| it.id);
        let changes = self.changes.iter().map(|it| it.position);
        let mut places: Vec<i64> = operations.chain(changes).collect();
        places.sort_unstable();
        places
    }
}
