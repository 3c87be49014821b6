//! Events: what happened, in one order that never changes, for whoever it concerns.
//!
//! Every operation is one event; none needs a row of its own. The feed shows operations of sealed
//! groups only (see [`crate::ledger::seals`]), so nothing can come to stand before what was shown: a
//! cursor is the last operation looked at, and whoever goes on from it misses nothing and sees
//! nothing twice, through any hub.
//!
//! A partner sees operations that moved points of a currency it issues, and of each what it would
//! see asking for it alone. Events of others are looked at and passed over, so many at most in one
//! request: a page may be empty and its cursor still further on. An index by partner would spare
//! the looking and burden every operation; reading in order is cheap.
//!
//! The last seal is read first and the rows after it, in a later snapshot: what that seal covers
//! is committed by then, whichever hub is asked.

pub mod api;
pub mod event;
mod store;

use crate::db::Connection;
use crate::error::Error;
use crate::ledger::operation::{self, Operation};
use crate::ledger::seals;
use crate::ledger::seals::seal::Seal;
use crate::points::account::Asset;

/// How many operations are looked at for one page.
pub const LOOKED_AT: i64 = 5_000;

/// Which events are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The last operation looked at before; 0 from the beginning.
    pub after: i64,
    /// That moved points of one of these currencies; any when none.
    pub currencies: Option<Vec<Asset>>,
    pub limit: i64,
    pub looked_at: i64,
}

/// Events, where to go on, and the seal up to which they could be seen.
#[derive(Debug)]
pub struct Found {
    pub operations: Vec<Operation>,
    pub next: i64,
    pub sealed_through: Option<Seal>,
    /// Below this place everything was looked for.
    pub horizon: i64,
}

/// The next events, oldest first.
pub async fn read(conn: &mut Connection, asked: &Asked) -> Result<Found, Error> {
    let sealed_through = seals::store::last(conn).await?;
    let horizon = below(sealed_through.as_ref());
    let looked = store::look(conn, asked, horizon).await?;
    let operations = store::list(conn, &looked.found).await?;

    let is_full = looked.found.len() as i64 == asked.limit;
    let last_shown = looked.found.last().copied().filter(|_| is_full);
    let next = last_shown.or(looked.last).unwrap_or(asked.after);

    Ok(Found {
        operations,
        next,
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

/// The events at these places, as far as they were sealed and moved points of one of the currencies.
pub async fn at(
    conn: &mut Connection,
    places: &[i64],
    currencies: Option<&[Asset]>,
) -> Result<Vec<Operation>, Error> {
    let horizon = horizon(conn).await?;
    let found = store::among(conn, places, currencies, horizon).await?;
    store::list(conn, &found).await
}
