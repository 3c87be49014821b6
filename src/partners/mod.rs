//! Partners: who takes part, and the currencies they issue.
//!
//! An operator writes a brand's application down, and from there it takes one [step](mod@steps) after the
//! other through its [life]: what each state allows is one table, of
//! which a [pilot](mod@pilots) opens a part. A currency belongs to its issuer for ever: its code and scale are part of
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
pub mod bank_accounts;
pub mod currencies;
pub mod currency;
pub mod directory;
pub mod expiry;
pub mod life;
pub mod link_terms;
pub mod partner;
pub mod period;
pub mod pilots;
pub mod steps;
mod store;

pub use amount::{AmountBody, MoneyBody};
pub use currency::{Currency, Keeper, Money, NewCurrency};
pub use directory::Directory;
pub use life::State;
pub use partner::{NewPartner, Partner};

use std::sync::Arc;

use serde_json::json;

use self::life::{Act, Standing};
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::clock::Timestamp;
use crate::db::{self, Connection, Moment, Pool, Snapshot};
use crate::error::{Error, Problem, Slug};
use crate::points::account::Asset;

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

/// Writes a brand's application down and opens the sandbox to it.
pub async fn admit(conn: &mut Connection, who: &Who, new: NewPartner) -> Result<Partner, Error> {
    let draft = store::insert(conn, &new).await?;
    let about = Subject::Partner.no(draft.id).of([draft.id]);
    audit::record(conn, who, about, None, draft.state.name()).await?;
    steps::go(conn, who, draft, State::Sandbox, None).await
}

/// Refuses what a partner may not do in its state or its pilot.
pub async fn must_allow(conn: &mut Connection, partner: i64, act: Act) -> Result<(), Error> {
    let partner = store::find(conn, partner).await?.ok_or_else(unknown)?;
    let now = db::now(conn).await?;
    Ok(partner.must_allow(act, now)?)
}

/// The same, and the partner stays as it is until the transaction ends.
pub async fn must_go_on_allowing(
    conn: &mut Connection,
    partner: i64,
    act: Act,
) -> Result<Partner, Error> {
    let partner = store::share(conn, partner).await?.ok_or_else(unknown)?;
    let now = db::now(conn).await?;
    partner.must_allow(act, now)?;
    Ok(partner)
}

/// Refuses what the issuer of a currency may not do, and keeps its state until the transaction ends.
pub async fn issuer_must_allow(
    conn: &mut Connection,
    currency: Asset,
    act: Act,
) -> Result<(), Error> {
    let issuer = store::lock_issuer(conn, currency)
        .await?
        .ok_or_else(unknown)?;
    let now = db::now(conn).await?;
    Ok(issuer.must_allow(act, now)?)
}

/// Refuses what names a partner that is not there.
pub async fn must_be_there(conn: &mut Connection, partner: i64) -> Result<(), Error> {
    let found = store::find(conn, partner).await?;
    Ok(found.map(|_| ()).ok_or_else(unknown)?)
}

/// The refusal of what somebody's state, or pilot, does not allow.
pub fn barred(who: &str, standing: Standing, act: Act, now: Timestamp) -> Problem {
    let state = standing.state;
    if standing.state_allows(act, now) {
        let open = Act::ALL
            .into_iter()
            .filter(|act| standing.allows(*act, now));
        let open: Vec<&str> = open.map(Act::name).collect();
        return Problem::new(Slug::NotInPilot, format!("{who} is in a pilot"))
            .with("act", act.name())
            .with("allows", json!(open));
    }
    let slug = match state {
        State::Suspended => Slug::PartnerSuspended,
        _ => Slug::PartnerState,
    };
    Problem::new(slug, format!("{who} is {}", state.name()))
        .with("state", state.name())
        .with("act", act.name())
}

impl Partner {
    /// Refuses what its state, or its pilot, does not allow.
    pub fn must_allow(&self, act: Act, now: Timestamp) -> Result<(), Problem> {
        let standing = self.standing();
        match standing.allows(act, now) {
            true => Ok(()),
            false => Err(barred(&self.code, standing, act, now)),
        }
    }
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such partner")
}
