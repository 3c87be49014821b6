//! Pilots: a partner that is let in need not do everything on its first day.
//!
//! A pilot opens some of the acts that the partner's state allows, lets so many members in, and so much of a
//! currency move in one operation. How much money is at stake is limited beside it, by cap and cover. What is
//! under way when a pilot begins or narrows finishes, and what undoes is never barred.
//!
//! Taking something away one operator does at once; giving more, or ending the pilot, which opens everything,
//! is proposed by one and agreed to by another. Each change is a publication, so nothing that was open before is
//! committed after it.
//!
//! Lock order: the partner's row, then its approval, then the gate.

pub mod api;
pub mod pilot;

pub use pilot::Pilot;

use super::{Partner, store, unknown};
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::approvals::{Proposal, Proposals};
use crate::db::{self, Connection};
use crate::error::Error;
use crate::id::{Ids, Kind};

/// Each rests on the pilot that there is.
const PILOTS: Proposals<Option<Pilot>> = Proposals::of("pilot");

/// A partner with its pilot, and what is proposed in its place.
pub async fn find(
    conn: &mut Connection,
    partner: i64,
) -> Result<(Partner, Option<Proposal<Option<Pilot>>>), Error> {
    let partner = store::find(conn, partner).await?.ok_or_else(unknown)?;
    let proposed = PILOTS.pending(conn, &[partner.id]).await?.pop();
    Ok((partner, proposed))
}

/// Puts a pilot, or none, in the place of what there is when it takes something away; else proposes it. What is
/// so already stays so.
pub async fn want(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    wanted: Option<Pilot>,
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    let before = partner.pilot.as_deref();
    if before == wanted.as_ref() {
        return Ok(());
    }
    if pilot::narrows(before, wanted.as_ref()) {
        PILOTS.cancel(conn, who, partner.id).await?;
        return set(conn, who, &partner, wanted).await;
    }
    let subject = (partner.id, ids.show(Kind::Partner, partner.id));
    PILOTS
        .propose(conn, who, subject, &wanted, &before)
        .await
        .map(drop)
}

/// Agrees to what was proposed, which then holds.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    let before = &partner.pilot.as_deref();
    let wanted = PILOTS.approve(conn, who, partner.id, read, before).await?;
    set(conn, who, &partner, wanted).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    PILOTS.reject(conn, who, partner.id, read).await.map(drop)
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: i64) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    PILOTS.withdraw(conn, who, partner.id).await.map(drop)
}

async fn lock(conn: &mut Connection, partner: i64) -> Result<Partner, Error> {
    let partner = store::lock(conn, partner).await?;
    Ok(partner.ok_or_else(unknown)?)
}

async fn set(
    conn: &mut Connection,
    who: &Who,
    partner: &Partner,
    pilot: Option<Pilot>,
) -> Result<(), Error> {
    store::set_pilot(conn, partner.id, pilot.as_ref()).await?;
    let told = |pilot: Option<&Pilot>| pilot.map_or("none".to_owned(), Pilot::to_string);
    let (before, after) = (told(partner.pilot.as_deref()), told(pilot.as_ref()));
    let about = Subject::Pilot.no(partner.id).of([partner.id]);
    audit::record(conn, who, about, Some(&before), &after).await?;
    db::publish(conn).await
}

/// How many members a pilot lets in, and how many of them may join yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub most: i64,
    pub left: i64,
}

/// The room for members in the pilot of a partner, where it says: of a partner that stays as it is until the
/// transaction ends, and then nobody else joins before. `count` says how many there are.
pub async fn room(
    conn: &mut Connection,
    partner: &Partner,
    count: impl AsyncFnOnce(&mut Connection) -> Result<i64, Error>,
) -> Result<Option<Room>, Error> {
    let Some(most) = partner.pilot.as_ref().and_then(|pilot| pilot.members) else {
        return Ok(None);
    };
    store::count_alone(conn, partner.id).await?;
    let left = (most - count(conn).await?).max(0);
    Ok(Some(Room { most, left }))
}
