//! Webhooks: a partner is told of its events, at least once each, signed after the Standard Webhooks
//! specification.
//!
//! What is sent is the feed (see [`crate::events`]), read for the partner from a cursor that each
//! endpoint has. An event that arrives leaves nothing behind but the cursor beyond it, however many
//! events and endpoints there are. One that does not is written down and tried again for 72 hours
//! (see [`backoff`]), while the cursor goes on; then it is dead, and kept until it is asked for.
//! An endpoint that takes nothing at all is left alone for a while, its cursor where it is: a
//! hundred thousand events wait behind it in the feed, where they are anyway. After 72 hours
//! without a success it is failed, and goes on from its cursor when its partner enables it again.
//!
//! [`rounds`] takes events from the feed to the endpoints, [`courier`] carries one.
//!
//! Events may overtake one another and come twice: `webhook-id` is the event's and stays the same,
//! and the feed has the order. Sending in strict order was not chosen, because one event that a
//! receiver cannot take would then hold up all behind it.

pub mod api;
pub mod backoff;
pub mod courier;
pub mod documented;
pub mod endpoint;
pub mod reach;
pub mod rounds;
pub mod signature;
pub mod store;

use chrono::TimeDelta;

use crate::access::audit::{About, Subject};
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::events::{self, Whose, event};
use crate::secret::Secrets;
use endpoint::{Endpoint, State};
use reach::Reach;
use signature::Secret;

/// What every endpoint's addresses and secrets rest on.
pub struct Webhooks {
    pub reach: Reach,
    key: [u8; 32],
}

impl Webhooks {
    pub fn new(secrets: &Secrets, reach: Reach) -> Webhooks {
        Webhooks {
            reach,
            key: secrets.webhooks,
        }
    }

    /// The newest secret of an endpoint.
    pub fn secret(&self, endpoint: &Endpoint) -> Secret {
        Secret::of(&self.key, endpoint.id, endpoint.secret_version)
    }

    /// Every signature that is good now, as the header has them.
    fn sign(
        &self,
        endpoint: &Endpoint,
        now: crate::clock::Timestamp,
        letter: Unsigned<'_>,
    ) -> String {
        let Unsigned {
            id,
            timestamp,
            body,
        } = letter;
        let versions = endpoint.secret_versions(now);
        let sign = |version| Secret::of(&self.key, endpoint.id, version).sign(id, timestamp, body);
        versions.map(sign).collect::<Vec<_>>().join(" ")
    }
}

struct Unsigned<'a> {
    id: &'a str,
    timestamp: i64,
    body: &'a [u8],
}

/// What a partner says of an endpoint.
#[derive(Debug, Clone)]
pub struct Terms {
    pub url: String,
    pub description: Option<String>,
    /// Which events; all when empty.
    pub types: Vec<String>,
    pub enabled: bool,
}

impl Terms {
    fn check(&self, reach: &Reach) -> Result<(), Problem> {
        endpoint::url(&self.url, reach).map_err(|bad| Problem::field("/url", bad.rule()))?;
        if self.types.len() > endpoint::MOST_TYPES {
            return Err(Problem::field("/types", "at most 100 types"));
        }
        let unknown = self.types.iter().position(|name| !event::is_known(name));
        match unknown {
            Some(at) => Err(Problem::field(
                format!("/types/{at}"),
                format!("one of {}", event::TYPES.map(|(name, _)| name).join(", ")),
            )),
            None => Ok(()),
        }
    }

    fn state(&self) -> State {
        match self.enabled {
            true => State::Enabled,
            false => State::Disabled,
        }
    }
}

/// Makes an endpoint, which is told of what happens from now on.
pub async fn create(
    conn: &mut Connection,
    who: &Who,
    webhooks: &Webhooks,
    partner: i64,
    terms: Terms,
) -> Result<Endpoint, Error> {
    terms.check(&webhooks.reach)?;
    store::lock_partner(conn, partner).await?;
    if store::count(conn, partner).await? >= endpoint::MOST {
        let rule = "remove one of your 10 endpoints first";
        return Err(Problem::new(Slug::WebhookEndpointLimit, rule).into());
    }
    let horizon = events::horizon(conn).await?;

    let endpoint = store::insert(conn, partner, &terms, terms.state(), horizon - 1).await?;
    let after = endpoint.state.name();
    audit::record(conn, who, about(partner, endpoint.id), None, after).await?;
    Ok(endpoint)
}

/// Changes what a partner says of an endpoint. One that is enabled again is tried at once.
pub async fn change(
    conn: &mut Connection,
    who: &Who,
    webhooks: &Webhooks,
    (partner, id): (i64, i64),
    terms: Terms,
) -> Result<Endpoint, Error> {
    let before = lock(conn, partner, id).await?;
    terms.check(&webhooks.reach)?;

    let after = store::change(conn, id, &terms, terms.state()).await?;
    let (was, is) = (before.state.name(), after.state.name());
    audit::record(conn, who, about(partner, id), Some(was), is).await?;
    Ok(after)
}

/// Removes an endpoint and all that was to be delivered to it.
pub async fn remove(conn: &mut Connection, who: &Who, partner: i64, id: i64) -> Result<(), Error> {
    let before = lock(conn, partner, id).await?;

    store::delete(conn, id).await?;
    audit::record(
        conn,
        who,
        about(partner, id),
        Some(before.state.name()),
        "removed",
    )
    .await
}

/// Makes a new secret. The one before signs too, for a while.
pub async fn rotate(
    conn: &mut Connection,
    who: &Who,
    (partner, id): (i64, i64),
    overlap: TimeDelta,
) -> Result<Endpoint, Error> {
    let before = lock(conn, partner, id).await?;
    let now = db::now(conn).await?;

    let after = store::rotate(conn, id, now + overlap).await?;
    let version = |of: &Endpoint| format!("secret {}", of.secret_version);
    let (was, is) = (version(&before), version(&after));
    audit::record(conn, who, about(partner, id), Some(&was), &is).await?;
    Ok(after)
}

/// Which events are to be sent again.
#[derive(Debug, Clone)]
pub enum Again {
    /// These, at once.
    Events(Vec<i64>),
    /// All that were given up.
    Dead,
    /// Everything behind a place of the feed.
    After(i64),
}

/// Has events sent again, now, and says how many; not how many are behind a place of the feed.
pub async fn redeliver(
    conn: &mut Connection,
    who: &Who,
    (partner, id): (i64, i64),
    whose: &Whose,
    again: Again,
) -> Result<Option<i64>, Error> {
    must_be_enabled(&lock(conn, partner, id).await?)?;

    let count = match again {
        Again::Events(places) => {
            let found = events::at(conn, &places, Some(whose)).await?.places();
            let is_there = |place: &i64| found.contains(place);
            if let Some(at) = places.iter().position(|place| !is_there(place)) {
                let rule = "the id of an event that you can read";
                return Err(Problem::field(format!("/events/{at}"), rule).into());
            }
            Some(store::queue(conn, id, &places).await?)
        }
        Again::Dead => Some(store::revive(conn, id).await?),
        Again::After(place) => {
            store::go_back(conn, id, place).await?;
            None
        }
    };
    store::wake(conn, id).await?;
    let state = State::Enabled.name();
    audit::record(conn, who, about(partner, id), Some(state), "sent again").await?;
    Ok(count)
}

/// Sends a test event, whose place in no feed is returned.
pub async fn ping(conn: &mut Connection, partner: i64, id: i64) -> Result<i64, Error> {
    must_be_enabled(&lock(conn, partner, id).await?)?;
    let place = store::next_ping(conn).await?;
    store::queue(conn, id, &[place]).await?;
    store::wake(conn, id).await?;
    Ok(place)
}

/// The hub itself gives an endpoint up.
async fn record_failed(conn: &mut Connection, endpoint: &Endpoint) -> Result<(), Error> {
    let hub = Who::the_hub();
    let (was, is) = (endpoint.state.name(), State::Failed.name());
    audit::record(
        conn,
        &hub,
        about(endpoint.partner, endpoint.id),
        Some(was),
        is,
    )
    .await
}

fn about(partner: i64, endpoint: i64) -> About {
    Subject::WebhookEndpoint.no(endpoint).of([partner])
}

async fn lock(conn: &mut Connection, partner: i64, id: i64) -> Result<Endpoint, Error> {
    let found = store::lock(conn, id).await?;
    let own = found.filter(|endpoint| endpoint.partner == partner);
    Ok(own.ok_or_else(unknown)?)
}

pub(crate) fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "you have no such webhook endpoint")
}

pub(crate) fn must_be_enabled(endpoint: &Endpoint) -> Result<(), Problem> {
    match endpoint.state {
        State::Enabled => Ok(()),
        State::Disabled | State::Failed => Err(Problem::new(
            Slug::WebhookEndpointDisabled,
            format!("the endpoint is {}: enable it first", endpoint.state.name()),
        )),
    }
}
