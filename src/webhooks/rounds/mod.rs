//! Rounds: what takes events from the feed to the endpoints, on behalf of a hub.
//!
//! Every hub looks for endpoints that have something to do and that nobody serves. It holds each
//! it takes for 45 seconds at a time and gives it back after a while, so that others get their
//! turn. A hub that is killed loses nothing: the cursor is where it was, and another takes over
//! when the time is up. What it had sent and not written down is sent again.
//!
//! An endpoint has a task of its own while it is served, with four letters under way at most, and
//! a hub serves so many at a time that letters stay bounded. Whoever has more than a few waiting keeps to
//! a pace that all share, and pages are read on a few connections of their own: the more there is to
//! deliver, the longer it takes, and the API does not notice.

mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use uuid::Uuid;

use super::courier::{Courier, Letter, Receipt};
use super::endpoint::{Endpoint, State};
use super::store::Delivery;
use super::{Unsigned, Webhooks, backoff};
use crate::clock::{self, Timestamp};
use crate::db::{self, Connection, Pool};
use crate::error::Error;
use crate::events::api::EventBody;
use crate::events::{self, event};
use crate::id::{Ids, Kind};
use crate::partners::Directories;
use store::{Health, Missed, Tried};

/// How long a hub rests between two looks.
const REST: Duration = Duration::from_millis(500);

/// How often it says that it still holds an endpoint.
const HOLD: Duration = Duration::from_secs(12);

/// How long an endpoint is served before others get their turn.
const TURN: Duration = Duration::from_secs(30);

/// After which no more letters of a page are begun.
const PAGE: Duration = Duration::from_secs(20);

/// Endpoints that a hub serves at a time.
const SERVED: usize = 256;

/// Letters under way to an endpoint.
const LETTERS: usize = 4;

/// Events in a page, and retries among them.
const EVENTS: i64 = 200;
const RETRIES: i64 = 40;

/// Letters that a hub sends in a second, to all endpoints. Faster than that, what a backlog costs the processor and
/// the database is felt by requests.
const PACE: u32 = 800;

/// Letters of a page that are sent in one go. The first of them wait for nobody, so that what just happened is told
/// at once also while others catch up.
const ROW: usize = 20;

/// Connections to the database.
const CONNECTIONS: usize = 4;

/// What delivers on behalf of a hub.
pub struct Postman {
    hub: Uuid,
    pool: Pool,
    ids: Arc<Ids>,
    directories: Arc<Directories>,
    webhooks: Arc<Webhooks>,
    courier: Courier,
    /// When the next row may begin.
    next: Mutex<Instant>,
}

/// An event on its way.
struct Job {
    place: i64,
    id: String,
    body: Vec<u8>,
    attempts: i32,
    /// When it was tried first; never when none.
    first_at: Option<Timestamp>,
}

/// A test event, as it is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingBody {
    id: String,
    /// `webhook.ping`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "webhook.ping")]
    kind: &'static str,
    occurred_at: DateTime<Utc>,
    data: PingedBody,
}

/// What was to be tried.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingedBody {
    /// The endpoint's id.
    webhook_endpoint: String,
}

impl PingBody {
    pub fn new(ids: &Ids, endpoint: &Endpoint, id: String, occurred_at: Timestamp) -> PingBody {
        PingBody {
            id,
            kind: event::PING,
            occurred_at,
            data: PingedBody {
                webhook_endpoint: ids.show(Kind::WebhookEndpoint, endpoint.id),
            },
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Postman {
    pub fn new(
        url: &str,
        ids: Arc<Ids>,
        directories: Arc<Directories>,
        webhooks: Arc<Webhooks>,
    ) -> anyhow::Result<Postman> {
        Ok(Postman {
            hub: Uuid::new_v4(),
            pool: Pool::new(url, CONNECTIONS)?,
            courier: Courier::new(&webhooks.reach)?,
            ids,
            directories,
            webhooks,
            next: Mutex::new(Instant::now()),
        })
    }

    /// Delivers for as long as the hub lives, and waits for a database that is away.
    pub async fn work(self) {
        let postman = Arc::new(self);
        let (mut turns, mut is_away) = (JoinSet::new(), false);
        loop {
            while turns.try_join_next().is_some() {}
            let claimed = postman.claim(SERVED - turns.len().min(SERVED)).await;
            match &claimed {
                Err(error) if !is_away => tracing::warn!("webhooks wait for the database: {error}"),
                Ok(_) if is_away => tracing::info!("webhooks go on"),
                _ => {}
            }
            is_away = claimed.is_err();
            for id in claimed.unwrap_or_default() {
                let postman = postman.clone();
                turns.spawn(async move { postman.turn(id).await });
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn claim(&self, most: usize) -> Result<Vec<i64>, Error> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut conn = self.pool.get().await?;
        let horizon = events::horizon(&mut conn).await?;
        store::claim(&mut conn, self.hub, horizon, most as i64).await
    }

    /// Serves an endpoint while the hub holds it and there is something to do.
    async fn turn(&self, id: i64) {
        let served = tokio::select! {
            served = self.serve(id) => served,
            lost = self.keep_hold(id) => lost,
        };
        let released = async { store::release(&mut *self.pool.get().await?, self.hub, id).await };
        if let Err(error) = served.and(released.await) {
            tracing::warn!(%error, endpoint = id, "an endpoint is served later");
        }
    }

    /// Ends when the endpoint is lost.
    async fn keep_hold(&self, id: i64) -> Result<(), Error> {
        loop {
            tokio::time::sleep(HOLD).await;
            if !store::hold(&mut *self.pool.get().await?, self.hub, id).await? {
                return Ok(());
            }
        }
    }

    async fn serve(&self, id: i64) -> Result<(), Error> {
        let since = Instant::now();
        while since.elapsed() < TURN {
            let mut conn = self.pool.get().await?;
            let Some(endpoint) = store::held(&mut conn, self.hub, id).await? else {
                return Ok(());
            };
            let now = db::now(&mut conn).await?;
            if endpoint.rests_until.is_some_and(|until| now < until) {
                return Ok(());
            }
            let due = store::due(&mut conn, id, RETRIES).await?;
            drop(conn);

            let goes_on = match due.is_empty() {
                true => self.deliver_page(&endpoint, now).await?,
                false => self.retry_and_go_on(&endpoint, due, now).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Some retries and then a page, so that neither holds up the other.
    async fn retry_and_go_on(
        &self,
        endpoint: &Endpoint,
        due: Vec<Delivery>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if !self.retry(endpoint, due, now).await? {
            return Ok(false);
        }
        let held = store::held(&mut *self.pool.get().await?, self.hub, endpoint.id).await?;
        let Some(endpoint) = held else {
            return Ok(false);
        };
        let has_page = self.deliver_page(&endpoint, now).await?;
        let mut conn = self.pool.get().await?;
        Ok(has_page || !store::due(&mut conn, endpoint.id, 1).await?.is_empty())
    }

    /// Delivers the next page of the feed. False when there is nothing more for now.
    async fn deliver_page(&self, endpoint: &Endpoint, now: Timestamp) -> Result<bool, Error> {
        let mut conn = self.pool.get().await?;
        let (_, directory) = self.directories.current(&mut conn).await?;
        let partner = Some(endpoint.partner);
        let asked = events::api::asked(&directory, partner, endpoint.cursor, EVENTS);
        let found = events::read(&mut conn, &asked).await?;
        if found.next == endpoint.cursor {
            // Nothing will come to stand below the horizon any more.
            let end = (found.horizon - 1).max(endpoint.cursor);
            let (hub, moved) = (self.hub, (endpoint.cursor, end));
            store::pass(&mut conn, hub, endpoint.id, moved).await?;
            return Ok(false);
        }
        let ids = &self.ids;
        let bodies =
            events::api::bodies(&mut conn, ids, &directory, partner, found.happened).await?;
        drop(conn);

        let wanted = bodies.iter().filter(|body| endpoint.wants(body.kind));
        let jobs = wanted.map(job).collect::<Result<Vec<_>, _>>()?;
        let tried = self.post_all(endpoint, &jobs, now).await;
        let passed = match jobs.get(tried.receipts.len()) {
            // Everything before the first that was not begun.
            Some(_) => tried.receipts.iter().map(|(at, _)| jobs[*at].place).max(),
            None => Some(found.next),
        };
        let passed = passed.unwrap_or(endpoint.cursor);
        let rests = tried.is_tired;
        self.settle(endpoint, &jobs, tried, passed).await?;
        Ok(!rests)
    }

    /// Tries again what is due. False when the endpoint needs a rest.
    async fn retry(
        &self,
        endpoint: &Endpoint,
        due: Vec<Delivery>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut conn = self.pool.get().await?;
        let (_, directory) = self.directories.current(&mut conn).await?;
        let partner = Some(endpoint.partner);
        let places: Vec<i64> = due.iter().map(|delivery| delivery.event_id).collect();
        let whose = events::api::whose(&directory, endpoint.partner);
        let found = events::at(&mut conn, &places, Some(&whose)).await?;
        let bodies = events::api::bodies(&mut conn, &self.ids, &directory, partner, found).await?;

        let (mut jobs, mut gone) = (Vec::new(), Vec::new());
        for delivery in &due {
            match self.again(endpoint, delivery, &bodies)? {
                Some(job) => jobs.push(job),
                None => gone.push(delivery.event_id),
            }
        }
        // What its partner can no longer read is not sent to it either.
        store::forget(&mut conn, endpoint.id, &gone).await?;
        drop(conn);
        let tried = self.post_all(endpoint, &jobs, now).await;
        let rests = tried.is_tired;
        self.settle(endpoint, &jobs, tried, endpoint.cursor).await?;
        Ok(!rests)
    }

    /// What is to be tried again, as it was.
    fn again(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        bodies: &[EventBody],
    ) -> Result<Option<Job>, Error> {
        let place = delivery.event_id;
        let fresh = match place < 0 {
            true => Some(self.ping(endpoint, delivery)?),
            false => {
                let body = bodies.iter().find(|body| body.place == place);
                body.map(job).transpose()?
            }
        };
        Ok(fresh.map(|job| Job {
            attempts: delivery.attempts,
            first_at: Some(delivery.first_at),
            ..job
        }))
    }

    fn ping(&self, endpoint: &Endpoint, delivery: &Delivery) -> Result<Job, Error> {
        let id = self.ids.show(Kind::Event, delivery.event_id);
        let body = PingBody::new(&self.ids, endpoint, id.clone(), delivery.first_at);
        Ok(Job {
            place: delivery.event_id,
            id,
            body: serde_json::to_vec(&body).map_err(anyhow::Error::from)?,
            attempts: 0,
            first_at: None,
        })
    }

    /// Posts in order, a few at a time, until all are posted, it takes too long, or too many fail
    /// in a row. One at a time to an endpoint that failed last.
    async fn post_all(&self, endpoint: &Endpoint, jobs: &[Job], now: Timestamp) -> Posted {
        let since = Instant::now();
        let mut posted = Posted {
            receipts: Vec::with_capacity(jobs.len()),
            failures: endpoint.failures,
            is_tired: false,
        };
        let (mut under_way, mut next, mut begins) = (FuturesUnordered::new(), 0, since);
        loop {
            let width = if posted.failures > 0 { 1 } else { LETTERS };
            let goes_on = under_way.len() < width
                && next < jobs.len()
                && !posted.is_tired
                && since.elapsed() < PAGE;
            tokio::select! {
                Some((at, receipt)) = under_way.next(), if !under_way.is_empty() => posted.add(at, receipt),
                () = tokio::time::sleep_until(begins.into()), if goes_on => {
                    under_way.push(self.post(endpoint, jobs, next, now));
                    next += 1;
                    if next % ROW == 0 {
                        begins = self.next_row();
                    }
                }
                else => return posted,
            }
        }
    }

    /// When another row may begin.
    fn next_row(&self) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(Instant::now());
        *next = turn + Duration::from_secs(ROW as u64) / PACE;
        turn
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        jobs: &[Job],
        at: usize,
        now: Timestamp,
    ) -> (usize, Receipt) {
        let (id, body) = (&jobs[at].id, &jobs[at].body);
        let timestamp = clock::machine_now().timestamp();
        let unsigned = Unsigned {
            id,
            timestamp,
            body,
        };
        let letter = Letter {
            signatures: self.webhooks.sign(endpoint, now, unsigned),
            id: id.clone(),
            timestamp,
            body: body.clone(),
        };
        (at, self.courier.post(&endpoint.url, letter).await)
    }

    /// Writes down what came of it, unless another hub has taken over.
    async fn settle(
        &self,
        endpoint: &Endpoint,
        jobs: &[Job],
        posted: Posted,
        cursor: i64,
    ) -> Result<(), Error> {
        let mut conn = self.pool.get().await?;
        db::transaction(&mut conn, async |conn| {
            let now = db::now(conn).await?;
            let health = posted.health(endpoint, now, rand::random());
            if store::settle(conn, self.hub, endpoint, cursor, &health).await? {
                posted.write(conn, endpoint.id, jobs, now).await?;
                if health.state != endpoint.state {
                    super::record_failed(conn, endpoint).await?;
                }
            }
            Ok(())
        })
        .await
    }
}

fn job(body: &EventBody) -> Result<Job, Error> {
    Ok(Job {
        place: body.place,
        id: body.id.clone(),
        body: serde_json::to_vec(body).map_err(anyhow::Error::from)?,
        attempts: 0,
        first_at: None,
    })
}

/// What came of some jobs: of the first ones, each.
struct Posted {
    receipts: Vec<(usize, Receipt)>,
    /// In a row, at the end.
    failures: i32,
    is_tired: bool,
}

impl Posted {
    fn add(&mut self, at: usize, receipt: Receipt) {
        self.failures = match receipt.is_success() {
            true => 0,
            false => self.failures.saturating_add(1),
        };
        self.is_tired = self.failures >= backoff::TIRED;
        self.receipts.push((at, receipt));
    }

    fn health(&self, before: &Endpoint, now: Timestamp, chance: f64) -> Health {
        let any_success = self.receipts.iter().any(|(_, it)| it.is_success());
        let since = before.failing_since.filter(|_| !any_success);
        let failing_since = (self.failures > 0).then_some(since.unwrap_or(now));
        let is_over = failing_since.is_some_and(|since| backoff::is_over(since, now));
        Health {
            state: match self.is_tired && is_over {
                true => State::Failed,
                false => State::Enabled,
            },
            failures: self.failures,
            failing_since,
            rests_until: self
                .is_tired
                .then(|| now + backoff::rest(self.failures, chance)),
            last_success_at: match any_success {
                true => Some(now),
                false => before.last_success_at,
            },
        }
    }

    async fn write(
        &self,
        conn: &mut Connection,
        endpoint: i64,
        jobs: &[Job],
        now: Timestamp,
    ) -> Result<(), Error> {
        let (arrived, missed): (Vec<_>, Vec<_>) =
            self.receipts.iter().partition(|(_, it)| it.is_success());
        let arrived: Vec<i64> = arrived
            .into_iter()
            .filter(|(at, _)| jobs[*at].first_at.is_some())
            .map(|(at, _)| jobs[*at].place)
            .collect();
        let missed: Vec<Missed> = missed
            .into_iter()
            .map(|(at, _)| jobs[*at].missed(now, rand::random()))
            .collect();
        let notable = self
            .receipts
            .iter()
            .filter(|(at, it)| !it.is_success() || jobs[*at].first_at.is_some());
        let tried: Vec<Tried> = notable
            .map(|(at, receipt)| jobs[*at].tried(receipt))
            .collect();

        store::forget(conn, endpoint, &arrived).await?;
        store::keep(conn, endpoint, &missed).await?;
        store::remember(conn, endpoint, &tried).await
    }
}

impl Job {
    fn missed(&self, now: Timestamp, chance: f64) -> Missed {
        let attempts = self.attempts.saturating_add(1);
        let first_at = self.first_at.unwrap_or(now);
        let wait: TimeDelta = backoff::wait(attempts, chance);
        Missed {
            event: self.place,
            attempts,
            first_at,
            next_at: now + wait,
            is_dead: backoff::is_over(first_at, now),
        }
    }

    fn tried(&self, receipt: &Receipt) -> Tried {
        let Receipt {
            status,
            failure,
            answer,
            took,
        } = receipt;
        Tried {
            event: self.place,
            attempt: self.attempts.saturating_add(1),
            took_ms: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
            status: status.and_then(|status| i16::try_from(status).ok()),
            failure: *failure,
            answer: answer.clone(),
        }
    }
}
