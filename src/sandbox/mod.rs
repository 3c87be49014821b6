//! The sandbox: where a partner's program is tried out, in a database of its own.
//!
//! What a sandbox has and a live hub has not: a clock that can be turned forward ([`turn`](mod@turn)), outcomes
//! that chosen amounts and members meet ([`outcomes`]), letters that try whether a webhook endpoint verifies
//! ([`letters`]), and runs in which a program shows what it can ([`runs`]). All of it stands outside of what it tries: the rules do not know where they run, and a live hub
//! has neither the routes nor the wrapper.
//!
//! Turning the clock is a publication. It waits for the operations under way, so each of them was decided
//! before or after and none in between, on every hub; what rests on an earlier moment is built again. Whatever
//! expired on the way is written down before the answer, so that a test finds it done. Access tokens live by
//! the machine's clock: a turn does not end the session that asked for it.

pub mod api;
pub mod letters;
pub mod outcomes;
pub mod runs;
mod store;
pub mod turn;

use turn::{Clock, Turn};

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::Error;

/// Turns the clock forward for all hubs.
pub async fn turn(conn: &mut Connection, who: &Who, turn: Turn) -> Result<Clock, Error> {
    db::publish(conn).await?;

    let clock = store::clock(conn).await?;
    let by = clock.turned(turn).map_err(api::not_turned)?;

    store::turn(conn, by).await?;
    let about = Subject::Clock.no(1).of_all();
    audit::record(conn, who, about, None, &format!("forward {by} s")).await?;
    store::clock(conn).await
}
