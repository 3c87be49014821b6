//! Sessions of the hub's people: who is signed in.
//!
//! A session is kept in the database and looked up there at each request, so that signing out, a dismissal
//! or another role counts at once, on every hub. It ends after twelve hours, or after half an hour without
//! a request. Who signs in, proves again or signs out, and from which network, is in the audit trail; a session
//! that nobody ends is not told of. What needs a fresh proof asks when a code of the
//! second factor was given in it last.
//!
//! The session itself knows nothing of how its token comes: in a header, or in a cookie.

pub mod api;
mod store;
pub mod token;

use super::audit::{self, Subject};
use super::{Role, Who};
use crate::clock::Timestamp;
use crate::db::{Connection, Moment};
use crate::error::{Error, Problem, Slug};

/// How long a session lasts at most, in seconds. The view `live_sessions` keeps to it, and to the half hour
/// of silence.
pub const LIFE: i64 = 12 * 60 * 60;

/// What the audit trail calls a session in which no code of the second factor was given, and one in which one
/// was.
fn named(is_proved: bool) -> &'static str {
    match is_proved {
        false => "open",
        true => "proved",
    }
}

/// A session that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    pub person: i64,
    pub role: Role,
    /// Whether a code of the second factor was given in it.
    pub is_proved: bool,
    /// Whether that was within the last ten minutes.
    pub is_fresh: bool,
}

/// A session in its person's list.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: i64,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// Which of a person's sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    One(i64),
    AllBut(i64),
    All,
}

/// Begins a session of a person, who gave a code of the second factor or has none: its token.
pub async fn open(conn: &mut Connection, who: &Who, is_proved: bool) -> Result<String, Error> {
    let (person, token) = (who.principal, token::of(rand::random()));
    store::forget_ended(conn, person).await?;
    let id = store::insert(conn, person, &token::hash(&token), is_proved).await?;
    let about = Subject::Session.no(id);
    audit::record(conn, who, about, None, named(is_proved)).await?;
    Ok(token)
}

/// A code of the second factor was given now.
pub async fn prove(conn: &mut Connection, who: &Who, session: Session) -> Result<(), Error> {
    let Session { id, is_proved, .. } = session;
    store::mark_proved(conn, id).await?;
    let (about, before) = (Subject::Session.no(id), Some(named(is_proved)));
    audit::record(conn, who, about, before, named(true)).await
}

/// Until when the last code counts for decisions, if it does.
pub async fn proved_until(conn: &mut Connection, id: i64) -> Result<Option<Timestamp>, Error> {
    store::proved_until(conn, id).await
}

/// The live session of a token, if it has one, and the present.
pub async fn find(conn: &mut Connection, token: &str) -> Result<Option<(Session, Moment)>, Error> {
    let Some(found) = store::find(conn, &token::hash(token)).await? else {
        return Ok(None);
    };
    if found.is_stale {
        store::mark_used(conn, found.session.id).await?;
    }
    Ok(Some((found.session, found.moment)))
}

/// Ends sessions of a person. How many there were.
pub async fn end(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    which: Which,
) -> Result<usize, Error> {
    let ended = store::delete(conn, person, which).await?;
    for (id, is_proved) in &ended {
        let (about, before) = (Subject::Session.no(*id), Some(named(*is_proved)));
        audit::record(conn, who, about, before, "ended").await?;
    }
    Ok(ended.len())
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "you have no such session")
}
