//! Partners: who takes part, and the currencies they issue.
//!
//! An operator admits a brand and it is live at once; suspending stops what is new and lets go on
//! what is under way. A currency belongs to its issuer for ever: its code and scale are part of
//! every amount ever written, so they never change.
//!
//! Every operation needs to know who takes part, so every hub keeps it in memory
//! ([`Directories`]), and each change here is a *publication* that makes them read it again. What
//! was not chosen: asking the tables each time, which costs more than the operation itself.
//!
//! Lock order: the partner's row, then the gate of publications, last.

pub mod amount;
pub mod api;
pub mod award_limits;
pub mod currencies;
pub mod currency;
pub mod directory;
pub mod expiry;
pub mod partner;
pub mod period;
mod store;

pub use amount::{AmountBody, MoneyBody};
pub use currency::{Currency, Money, NewCurrency};
pub use directory::Directory;
pub use partner::{NewPartner, Partner, State};

use std::sync::Arc;

use crate::access::{Who, audit};
use crate::db::{self, Connection, Moment, Pool, Snapshot};
use crate::error::{Error, Problem, Slug};

/// The directory as of the latest publication.
#[derive(Default)]
pub struct Directories(Snapshot<Directory>);

impl Directories {
    /// The directory that a request rests on, or a later one.
    pub async fn at(&self, moment: Moment, pool: &Pool) -> Result<(i64, Arc<Directory>), Error> {
        self.0.at(moment, pool, store::load).await
    }

    /// The directory and the publication it is as of. To be asked before a transaction publishes,
    /// never after: what it then read might be rolled back.
    pub async fn current(&self, conn: &mut Connection) -> Result<(i64, Arc<Directory>), Error> {
        self.0.current(conn, store::load).await
    }
}

/// Admits a brand.
pub async fn admit(conn: &mut Connection, who: &Who, new: NewPartner) -> Result<Partner, Error> {
    let partner = store::insert(conn, &new).await?;
    audit::record(conn, who, "partner", partner.id, None, partner.state.name()).await?;
    db::publish(conn).await?;
    Ok(partner)
}

/// Suspends a partner or lets it go on. What is so already stays so.
pub async fn set_state(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    state: State,
) -> Result<Partner, Error> {
    let before = store::lock(conn, partner).await?.ok_or_else(unknown)?;

    if before.state == state {
        return Ok(before);
    }

    store::set_state(conn, partner, state).await?;
    audit::record(
        conn,
        who,
        "partner",
        partner,
        Some(before.state.name()),
        state.name(),
    )
    .await?;
    db::publish(conn).await?;
    Ok(Partner { state, ..before })
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such partner")
}
