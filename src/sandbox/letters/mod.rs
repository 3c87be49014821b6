//! Webhook checks: whether a partner's endpoint takes what the hub signed, and nothing else.
//!
//! The hub sends test events to the endpoint, right ones and [forged](letter) ones, and looks at the statuses
//! that come back. Nothing is kept of it: what the program was answered is a call of its certification run, and
//! that is what the run looks at.

pub mod api;
pub mod letter;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::clock;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::webhooks::courier::Courier;
use crate::webhooks::endpoint::Endpoint;
use crate::webhooks::rounds::PingBody;
use crate::webhooks::signature::Secret;
use crate::webhooks::{Webhooks, store};
use letter::Trial;

/// How long an answer is waited for: all have come before the caller's own request takes too long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a letter.
#[derive(Debug, Clone)]
pub struct Tried {
    pub trial: Trial,
    pub status: Option<u16>,
    /// Why there is no status.
    pub failure: Option<&'static str>,
}

impl Tried {
    pub fn passed(&self) -> bool {
        self.trial.is_met_by(self.status)
    }
}

/// An enabled endpoint of a partner, and the event that its letters are about.
pub async fn find(
    conn: &mut Connection,
    ids: &Ids,
    (partner, id): (i64, i64),
) -> Result<(Endpoint, PingBody), Error> {
    let found = store::find(conn, id).await?;
    let own = found.filter(|endpoint| endpoint.partner == partner);
    let endpoint = own.ok_or_else(crate::webhooks::unknown)?;
    crate::webhooks::must_be_enabled(&endpoint)?;
    let event = ids.show(Kind::Event, store::next_ping(conn).await?);
    let body = PingBody::new(ids, &endpoint, event, clock::machine_now());
    Ok((endpoint, body))
}

/// Sends the letters: the right one, and the others once that was taken.
pub async fn send(
    webhooks: &Webhooks,
    endpoint: &Endpoint,
    event: &PingBody,
) -> Result<Vec<Tried>, Error> {
    let courier = Courier::new(&webhooks.reach)?;
    let body = serde_json::to_vec(event).map_err(anyhow::Error::from)?;
    let (secret, now) = (webhooks.secret(endpoint), clock::machine_now().timestamp());
    let other = Secret::of(&rand::random(), endpoint.id, 0);
    let send = async |trial: Trial| {
        let letter = trial.letter((event.id(), &body), now, &secret, &other);
        let posted = tokio::time::timeout(PATIENCE, courier.post(&endpoint.url, letter)).await;
        let (status, failure) = match posted {
            Ok(receipt) => (receipt.status, receipt.failure),
            Err(_) => (None, Some("no answer within 5 seconds")),
        };
        Tried {
            trial,
            status,
            failure: failure.filter(|_| status.is_none()),
        }
    };

    let [first, others @ ..] = Trial::ALL;
    let first = send(first).await;
    if !first.passed() {
        return Ok(vec![first]);
    }
    let mut tried = vec![first];
    tried.extend(join_all(others.map(send)).await);
    Ok(tried)
}

/// The first that was not met as it should be, told as a refusal.
fn must_pass(tried: &[Tried]) -> Result<(), Problem> {
    let Some(wrong) = tried.iter().find(|tried| !tried.passed()) else {
        return Ok(());
    };
    let came = match (wrong.status, wrong.failure) {
        (Some(status), _) => format!("the answer was {status}"),
        (None, failure) => failure.unwrap_or("no answer came").to_owned(),
    };
    let detail = match wrong.trial.is_to_be_taken() {
        true => format!(
            "an event {} is to be taken with 2xx: {came}",
            wrong.trial.name()
        ),
        false => format!(
            "an event {} is to be refused with 4xx: {came}",
            wrong.trial.name()
        ),
    };
    Err(Problem::new(Slug::WebhookCheckFailed, detail).with("letters", json!(api::show(tried))))
}
