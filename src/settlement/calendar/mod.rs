//! The calendar: when the open window closes by itself.
//!
//! A window closes at the first instant of the [`schedule`] after it opened and after the calendar was set, by
//! whichever hub notices first; a hub that finds it closed has nothing to do. What was posted before the gate
//! is taken is in it: the calendar says when somebody closes, and never what belongs to a window. After hours
//! without any hub one close makes up for all that were missed.
//!
//! Finance sets the calendar, and every partner is told (`calendar.changed`) and may read it.

pub mod api;
pub mod body;
pub mod schedule;
mod store;

use self::body::CalendarBody;
use self::schedule::Schedule;
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Slug};
use crate::ledger::store::WindowRow;
use crate::ledger::{self, Closing};

/// A calendar as it was set.
pub struct Calendar {
    pub body: CalendarBody,
    pub schedule: Schedule,
    pub set_at: Timestamp,
}

impl Calendar {
    /// When it closes a window that is open.
    pub fn due(&self, open: &WindowRow) -> Option<Timestamp> {
        let since = open.opened_at.max(self.set_at);
        self.schedule.next(since).map(|(at, _)| at)
    }
}

pub async fn find(conn: &mut Connection) -> Result<Option<Calendar>, Error> {
    store::find(conn).await
}

/// Sets the calendar, in the place of the one before.
pub async fn set(conn: &mut Connection, who: &Who, body: &CalendarBody) -> Result<(), Error> {
    body.read().map_err(api::wrong)?;
    let told = |body: &CalendarBody| serde_json::to_string(body).map_err(anyhow::Error::from);

    let before = store::find(conn).await?;
    store::put(conn, body, who.principal).await?;
    let before = before.map(|it| told(&it.body)).transpose()?;
    let about = Subject::Calendar.no(1).of_all();
    audit::record(conn, who, about, before.as_deref(), &told(body)?).await
}

/// Closes the open window when it is due.
pub async fn close_when_due(conn: &mut Connection) -> Result<Option<Closing>, Error> {
    let Some(calendar) = store::find(conn).await? else {
        return Ok(None);
    };
    let open = ledger::store::open_window(conn).await?;
    let now = db::now(conn).await?;
    if calendar.due(&open).is_none_or(|due| now < due) {
        return Ok(None);
    }
    let who = Who::the_hub();
    let closed = db::transaction(conn, async |conn| {
        ledger::close_window(conn, &who, Some(open.id)).await
    });
    match closed.await {
        Ok(closing) => Ok(Some(closing)),
        Err(Error::Refused(problem)) if problem.slug == Slug::WindowClosed => Ok(None),
        Err(error) => Err(error),
    }
}
