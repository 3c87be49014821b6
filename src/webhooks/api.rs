//! Webhook endpoints over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::endpoint::Endpoint;
use super::rounds::{PingBody, PingedBody};
use super::store::{Attempt, Delivery};
use super::{Again, Terms, Webhooks, store};
use crate::access::{Auditor, EventsRead, Operator, Partner, Reader, WebhooksWrite};
use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem};
use crate::events;
use crate::id::{Ids, Kind};
use crate::partners::Directories;
use crate::secret::Secrets;
use crate::web::text::Name;
use crate::web::{NoFields, Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/webhook-endpoints")
            .route(web::get().to(list))
            .route(web::post().to(create)),
    )
    .service(
        web::resource("/v1/webhook-endpoints/{endpoint}")
            .route(web::get().to(read))
            .route(web::put().to(change))
            .route(web::delete().to(remove)),
    )
    .service(
        web::resource("/v1/webhook-endpoints/{endpoint}/rotate-secret")
            .route(web::post().to(rotate)),
    )
    .service(web::resource("/v1/webhook-endpoints/{endpoint}/ping").route(web::post().to(ping)))
    .service(
        web::resource("/v1/webhook-endpoints/{endpoint}/redeliver")
            .route(web::post().to(redeliver)),
    )
    .service(
        web::resource("/v1/webhook-endpoints/{endpoint}/deliveries")
            .route(web::get().to(deliveries)),
    )
    .service(
        web::resource("/v1/webhook-endpoints/{endpoint}/attempts").route(web::get().to(attempts)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(
        list, create, read, change, remove, rotate, ping, redeliver, deliveries, attempts
    ),
    components(schemas(
        NoFields,
        TermsBody,
        EndpointBody,
        RotationBody,
        PingedAsBody,
        RedeliveryBody,
        QueuedBody,
        DeliveryState,
        WaitingBody,
        AttemptBody,
        PingBody,
        PingedBody,
        ProblemBody
    ))
)]
pub struct Doc;

/// Where events are sent, and which.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookEndpointTerms)]
#[serde(deny_unknown_fields)]
pub struct TermsBody {
    /// `https`, on the public internet, without a user or a fragment.
    #[schema(
        max_length = 2048,
        format = "uri",
        example = "https://example.com/interline/events"
    )]
    url: String,
    #[schema(value_type = Option<String>, example = "the ledger of the app")]
    description: Option<Name>,
    /// Which types of events. When left out all of them, also those to come, but `webhook_endpoint.changed`.
    #[schema(min_items = 1, max_items = 100, example = json!(["conversion.completed"]))]
    types: Option<Vec<String>>,
    /// Whether anything is sent. True when left out.
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

impl TermsBody {
    fn read(self) -> Result<Terms, Problem> {
        if self.types.as_ref().is_some_and(Vec::is_empty) {
            let rule = "at least one type; leave it out for all";
            return Err(Problem::field("/types", rule));
        }
        Ok(Terms {
            url: self.url,
            description: self.description.map(String::from),
            types: self.types.unwrap_or_default(),
            enabled: self.enabled,
        })
    }
}

/// An endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct EndpointBody {
    #[schema(example = "whe_0123456789abcdef")]
    id: String,
    url: String,
    description: Option<String>,
    /// Null for all.
    types: Option<Vec<String>>,
    /// `enabled`, `disabled` by you, or `failed`: disabled by the hub, because nothing arrived for 72
    /// hours. It goes on where it was when you enable it.
    #[schema(example = "enabled")]
    state: &'static str,
    /// Shown once, in the first answer that makes it; null ever after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: Option<Option<String>>,
    /// Until then the secret before this one signs too.
    previous_secret_until: Option<DateTime<Utc>>,
    /// How many attempts have failed since the last that did not.
    failures: i32,
    /// Nothing is sent before; null when it is not resting.
    rests_until: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    /// The events up to there were delivered or are among the deliveries: a cursor of `/v1/events`.
    cursor: String,
    created_at: DateTime<Utc>,
}

/// How long the secret before goes on signing.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SecretRotation)]
#[serde(deny_unknown_fields)]
pub struct RotationBody {
    /// 0 to 168 hours; 24 when left out.
    #[schema(minimum = 0, maximum = 168)]
    previous_for_hours: Option<i64>,
}

/// The test event on its way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookPing)]
pub struct PingedAsBody {
    /// Its `webhook-id`: look it up among the attempts.
    event: String,
}

/// Which events to send again: exactly one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Redelivery)]
#[serde(deny_unknown_fields)]
pub struct RedeliveryBody {
    /// These.
    #[schema(min_items = 1, max_items = 200)]
    events: Option<Vec<String>>,
    /// All that were given up.
    dead: Option<bool>,
    /// Everything behind a cursor of `/v1/events`.
    after: Option<String>,
}

/// What will be sent again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redelivered)]
pub struct QueuedBody {
    /// How many; null when it is everything behind a cursor.
    queued: Option<i64>,
}

/// Whether the hub goes on trying.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Waiting,
    Dead,
}

/// An event that has not arrived.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct WaitingBody {
    #[schema(example = "evt_0123456789abcdef")]
    event: String,
    #[schema(example = "waiting")]
    state: String,
    attempts: i32,
    first_attempt_at: DateTime<Utc>,
    /// Null when it was given up.
    next_attempt_at: Option<DateTime<Utc>>,
}

/// One try to deliver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub struct AttemptBody {
    #[schema(example = "evt_0123456789abcdef")]
    event: String,
    /// The first is 1.
    attempt: i32,
    at: DateTime<Utc>,
    duration_ms: i32,
    /// What was answered, if anything.
    status: Option<i16>,
    /// Why it does not count as delivered; null when it does.
    failure: Option<String>,
    /// How the answer began, when it was no success.
    answer: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only `waiting` or only `dead` ones.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

fn show(ids: &Ids, endpoint: &Endpoint) -> EndpointBody {
    EndpointBody {
        id: ids.show(Kind::WebhookEndpoint, endpoint.id),
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        types: Some(endpoint.types.clone()).filter(|types| !types.is_empty()),
        state: endpoint.state.name(),
        secret: None,
        previous_secret_until: endpoint.previous_until,
        failures: endpoint.failures,
        rests_until: endpoint.rests_until,
        last_success_at: endpoint.last_success_at,
        cursor: ids.show_cursor(events::api::CURSOR, endpoint.cursor),
        created_at: endpoint.created_at,
    }
}

fn read_id(ids: &Ids, shown: &str) -> Result<i64, Problem> {
    ids.read(Kind::WebhookEndpoint, shown)
        .ok_or_else(super::unknown)
}

/// The endpoint of a path, when it is the reader's to see.
async fn seen<S, R>(
    conn: &mut Connection,
    reader: &Reader<S, R>,
    ids: &Ids,
    shown: &str,
) -> Result<Endpoint, Error> {
    let found = store::find(conn, read_id(ids, shown)?).await?;
    let own = found.filter(|it| reader.partner().is_none_or(|partner| partner == it.partner));
    Ok(own.ok_or_else(super::unknown)?)
}

/// Says a fresh secret once: what is kept under the key, and replayed, has none in it.
fn with_secret(answer: HttpResponse, fresh: Option<(EndpointBody, String)>) -> HttpResponse {
    let Some((body, secret)) = fresh else {
        return answer;
    };
    let mut told = HttpResponse::build(answer.status());
    told.insert_header((CACHE_CONTROL, "no-store"));
    told.json(EndpointBody {
        secret: Some(Some(secret)),
        ..body
    })
}

/// Create a webhook endpoint
///
/// Events of your currencies are sent there from now on, each at least once, after the Standard
/// Webhooks specification: verify `webhook-signature` over the raw body with one of its libraries.
/// Answer 2xx within ten seconds; what you answer otherwise, or later, is tried again for 72 hours.
/// The secret is in this answer and nowhere else; sending the same request with the same key again
/// answers the same, but with a null secret: rotate it then.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints", operation_id = "createWebhookEndpoint", tag = "webhooks",
    security(("partner" = ["webhooks:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = TermsBody,
    extensions(("x-problems" = json!(["webhook-endpoint-limit"]))),
    responses((status = 201, description = "The endpoint, with its secret.", body = EndpointBody))
)]
async fn create(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    webhooks: Data<Webhooks>,
    pool: Data<Pool>,
    write: Write<TermsBody>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let terms = write.body.read()?;
    let mut fresh = None;
    let answer = once(&pool, claim, StatusCode::CREATED, async |conn| {
        let made = super::create(conn, &caller.who, &webhooks, caller.partner, terms).await?;
        let body = show(&ids, &made);
        fresh = Some((body.clone(), webhooks.secret(&made).show()));
        Ok(EndpointBody {
            secret: Some(None),
            ..body
        })
    })
    .await?;
    Ok(with_secret(answer, fresh))
}

/// List webhook endpoints
#[utoipa::path(
    get, path = "/v1/webhook-endpoints", operation_id = "listWebhookEndpoints", tag = "webhooks",
    description = "Yours, oldest first, without their secrets. The hub's people see everybody's.",
    security(("partner" = ["events:read"]), ("person" = ["operator", "auditor"])),
    params(Paging),
    responses((status = 200, description = "A page of endpoints.", body = Page<EndpointBody>))
)]
async fn list(
    reader: Reader<EventsRead, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<EndpointBody>>, Error> {
    const LIST: &str = "webhook-endpoints";
    let (limit, after) = (paging.0.limit()?, paging.0.after(&ids, LIST)?);
    let mut conn = pool.get().await?;
    let rows = store::list(&mut conn, reader.partner(), after.unwrap_or(0), limit).await?;
    let page = Page::of(rows, limit, &ids, LIST, |row| row.id, |row| show(&ids, row));
    Ok(web::Json(page))
}

/// Read a webhook endpoint
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{endpoint}", operation_id = "getWebhookEndpoint", tag = "webhooks",
    description = "How it is, without its secret.",
    security(("partner" = ["events:read"]), ("person" = ["operator", "auditor"])),
    params(("endpoint" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint.", body = EndpointBody))
)]
async fn read(
    reader: Reader<EventsRead, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<EndpointBody>, Error> {
    let mut conn = pool.get().await?;
    let endpoint = seen(&mut conn, &reader, &ids, &path).await?;
    Ok(web::Json(show(&ids, &endpoint)))
}

/// Change a webhook endpoint
#[utoipa::path(
    put, path = "/v1/webhook-endpoints/{endpoint}", operation_id = "changeWebhookEndpoint", tag = "webhooks",
    description = "What you send takes the place of what was there. What was not sent while it was disabled is sent when it is enabled again, from where it was, and at once.",
    security(("partner" = ["webhooks:write"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = TermsBody,
    responses((status = 200, description = "The endpoint.", body = EndpointBody))
)]
async fn change(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    webhooks: Data<Webhooks>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<TermsBody>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let subject = (caller.partner, read_id(&ids, &path)?);
    let terms = write.body.read()?;
    once(&pool, claim, StatusCode::OK, async |conn| {
        let changed = super::change(conn, &caller.who, &webhooks, subject, terms).await?;
        Ok(show(&ids, &changed))
    })
    .await
}

/// Remove a webhook endpoint
#[utoipa::path(
    delete, path = "/v1/webhook-endpoints/{endpoint}", operation_id = "removeWebhookEndpoint", tag = "webhooks",
    description = "Nothing is sent there any more, and what was still to be sent is forgotten; the events stay in the feed. It is gone once, so this write needs no Idempotency-Key.",
    security(("partner" = ["webhooks:write"])),
    params(("endpoint" = String, Path, description = "The endpoint's id.")),
    responses((status = 204, description = "It is removed."))
)]
async fn remove(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let id = read_id(&ids, &path)?;
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        super::remove(conn, &caller.who, caller.partner, id).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Rotate the secret of a webhook endpoint
///
/// The new secret is in this answer and nowhere else. For a while the one before signs too, and
/// `webhook-signature` has both signatures: whoever has either secret can verify it.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{endpoint}/rotate-secret", operation_id = "rotateWebhookSecret",
    tag = "webhooks",
    security(("partner" = ["webhooks:write"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = RotationBody,
    responses((status = 200, description = "The endpoint, with its new secret.", body = EndpointBody))
)]
async fn rotate(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    webhooks: Data<Webhooks>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<RotationBody>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let subject = (caller.partner, read_id(&ids, &path)?);
    let hours = write.body.previous_for_hours.unwrap_or(24);
    let overlap = Some(hours).filter(|hours| (0..=168).contains(hours));
    let rule = || Problem::field("/previous_for_hours", "0 to 168");
    let overlap = TimeDelta::hours(overlap.ok_or_else(rule)?);

    let mut fresh = None;
    let answer = once(&pool, claim, StatusCode::OK, async |conn| {
        let rotated = super::rotate(conn, &caller.who, subject, overlap).await?;
        let body = show(&ids, &rotated);
        fresh = Some((body.clone(), webhooks.secret(&rotated).show()));
        Ok(EndpointBody {
            secret: Some(None),
            ..body
        })
    })
    .await?;
    Ok(with_secret(answer, fresh))
}

/// Send a test event
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{endpoint}/ping", operation_id = "pingWebhookEndpoint", tag = "webhooks",
    description = "A `webhook.ping` is sent within a second or so, signed like any event and tried again like one. What came of it is among the attempts.",
    security(("partner" = ["webhooks:write"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["webhook-endpoint-disabled"]))),
    responses((status = 202, description = "It is on its way.", body = PingedAsBody))
)]
async fn ping(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let id = read_id(&ids, &path)?;
    once(&pool, claim, StatusCode::ACCEPTED, async |conn| {
        let place = super::ping(conn, caller.partner, id).await?;
        let event = ids.show(Kind::Event, place);
        Ok(PingedAsBody { event })
    })
    .await
}

/// Send events again
///
/// With the ids and the bodies they have, whether or not they arrived before, and whichever types
/// the endpoint asks for. Everything behind a cursor is sent in the order of the feed.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{endpoint}/redeliver", operation_id = "redeliverEvents", tag = "webhooks",
    security(("partner" = ["webhooks:write"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = RedeliveryBody,
    extensions(("x-problems" = json!(["webhook-endpoint-disabled"]))),
    responses((status = 202, description = "They are on their way.", body = QueuedBody))
)]
#[allow(
    clippy::too_many_arguments,
    reason = "each is a part of the server that it needs"
)]
async fn redeliver(
    caller: Partner<WebhooksWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    directories: Data<Directories>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<RedeliveryBody>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let subject = (caller.partner, read_id(&ids, &path)?);
    let again = write.body.read(&ids)?;
    let (_, directory) = directories.at(caller.moment, &pool).await?;
    let whose = events::api::whose(&directory, caller.partner);
    once(&pool, claim, StatusCode::ACCEPTED, async |conn| {
        let queued = super::redeliver(conn, &caller.who, subject, &whose, again).await?;
        Ok(QueuedBody { queued })
    })
    .await
}

impl RedeliveryBody {
    fn read(self, ids: &Ids) -> Result<Again, Error> {
        match (self.events, self.dead, self.after) {
            (Some(events), None, None) => {
                if !(1..=200).contains(&events.len()) {
                    return Err(Problem::field("/events", "1 to 200 ids").into());
                }
                let read = |(at, shown): (usize, &String)| {
                    let rule = "the id of an event that you can read";
                    ids.read(Kind::Event, shown)
                        .ok_or_else(|| Problem::field(format!("/events/{at}"), rule))
                };
                let places = events.iter().enumerate().map(read);
                Ok(Again::Events(places.collect::<Result<_, _>>()?))
            }
            (None, Some(true), None) => Ok(Again::Dead),
            (None, Some(false), None) => Err(Problem::field("/dead", "true").into()),
            (None, None, Some(cursor)) => {
                let rule = "a cursor of /v1/events";
                ids.read_cursor(events::api::CURSOR, &cursor)
                    .filter(|place| *place >= -1)
                    .map(Again::After)
                    .ok_or_else(|| Problem::field("/after", rule).into())
            }
            _ => Err(Problem::field("", "one of `events`, `dead` and `after`").into()),
        }
    }
}

/// List what has not arrived
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{endpoint}/deliveries", operation_id = "listWebhookDeliveries",
    tag = "webhooks",
    description = "Events that wait to be tried again and events that were given up, in the order of the feed. What has arrived is not here, nor what the endpoint has not come to.",
    security(("partner" = ["events:read"]), ("person" = ["operator", "auditor"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."), Wanted),
    responses((status = 200, description = "A page of deliveries.", body = Page<WaitingBody>))
)]
async fn deliveries(
    reader: Reader<EventsRead, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<web::Json<Page<WaitingBody>>, Error> {
    const LIST: &str = "webhook-deliveries";
    let Wanted {
        state,
        cursor,
        limit,
    } = wanted;
    let paging = Paging { cursor, limit };
    let (limit, after) = (paging.limit()?, paging.after(&ids, LIST)?);
    let state = state.map(|state| match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Dead => "dead",
    });
    let mut conn = pool.get().await?;
    let endpoint = seen(&mut conn, &reader, &ids, &path).await?;
    let after = after.unwrap_or(i64::MIN);
    let rows = store::deliveries(&mut conn, endpoint.id, state, after, limit).await?;
    let show = |row: &Delivery| WaitingBody {
        event: ids.show(Kind::Event, row.event_id),
        state: row.state.clone(),
        attempts: row.attempts,
        first_attempt_at: row.first_at,
        next_attempt_at: Some(row.next_at).filter(|_| row.state == "waiting"),
    };
    let page = Page::of(rows, limit, &ids, LIST, |row| row.event_id, show);
    Ok(web::Json(page))
}

/// List attempts
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{endpoint}/attempts", operation_id = "listWebhookAttempts", tag = "webhooks",
    description = "The last 1,000 that failed, or were of events that had to be sent again, or of test events; newest first. An event that arrives at once leaves none.",
    security(("partner" = ["events:read"]), ("person" = ["operator", "auditor"])),
    params(("endpoint" = String, Path, description = "The endpoint's id."), Paging),
    responses((status = 200, description = "A page of attempts.", body = Page<AttemptBody>))
)]
async fn attempts(
    reader: Reader<EventsRead, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<AttemptBody>>, Error> {
    const LIST: &str = "webhook-attempts";
    let (limit, before) = (paging.0.limit()?, paging.0.after(&ids, LIST)?);
    let mut conn = pool.get().await?;
    let endpoint = seen(&mut conn, &reader, &ids, &path).await?;
    let before = before.unwrap_or(i64::MAX);
    let rows = store::attempts(&mut conn, endpoint.id, before, limit).await?;
    let show = |row: &Attempt| AttemptBody {
        event: ids.show(Kind::Event, row.event_id),
        attempt: row.attempt,
        at: row.at,
        duration_ms: row.took_ms,
        status: row.status,
        failure: row.failure.clone(),
        answer: row.answer.clone(),
    };
    let page = Page::of(rows, limit, &ids, LIST, |row| row.id, show);
    Ok(web::Json(page))
}
