//! Outcomes: what a sandbox does for chosen amounts and members, so that a program can be tried against
//! refusals and faults that it would otherwise have to wait for.
//!
//! One wrapper around the application, [`play`], which a live hub does not have. It looks at the request, lets
//! the [`outcome`] happen, and hands on everything else as it came; a request that its handler would turn away
//! for its token or its scope is turned away by the handler. What is to happen once for a key is remembered in
//! the database, so it is once over any number of hubs. Because it sees every request and its answer, it also
//! tells the run of the partner, if one is open, what its program did.

pub mod outcome;
mod store;

use std::time::Duration;

use actix_web::body::{BodyStream, BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use uuid::Uuid;

use self::outcome::{Asked, Outcome, Row, SLOW};
use super::runs;
use super::runs::call::Call;
use crate::access::{
    Access, AwardsWrite, ConversionsWrite, EventsRead, Partner, QuotesWrite, RedemptionsWrite,
    ReversalsWrite, Scope, WebhooksWrite,
};
use crate::clock;
use crate::conversions::quote::Quotes;
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::{AmountBody, Directories};
use crate::points::account::Account;
use crate::secret::Secrets;
use crate::web::body::LARGEST;

/// Where tokens are issued.
const TOKENS: &str = "/oauth/token";

/// How a request names the member it is about.
#[derive(Debug, Clone, Copy)]
enum Named {
    Member(i64),
    Wallet(i64),
}

/// What the server hands to the wrapper.
type Taken = (
    Data<Pool>,
    Data<Ids>,
    Data<Secrets>,
    Data<Quotes>,
    Data<Access>,
    Data<Directories>,
);

/// The same by name.
struct Parts {
    pool: Data<Pool>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    quotes: Data<Quotes>,
    access: Data<Access>,
    directories: Data<Directories>,
}

/// What was asked, before it is handed on.
struct Request {
    path: String,
    asked: Option<Asked>,
    partner: Option<i64>,
    key: Option<String>,
    raw: Bytes,
    has_cursor: bool,
}

/// Wraps the application of a sandbox.
pub async fn play(
    (pool, ids, secrets, quotes, access, directories): Taken,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !is_looked_at(request.method(), request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let parts = Parts {
        pool,
        ids,
        secrets,
        quotes,
        access,
        directories,
    };
    let seen = look(&mut request).await;
    let (row, amount) = match meets(&parts, &seen).await {
        Ok(met) => met.unzip(),
        Err(error) => return Ok(request.into_response(error.error_response())),
    };

    let refused = match row {
        Some(row) => refusal(&parts, &seen, row, amount.unwrap_or_default()).await,
        None => None,
    };
    let answer = match refused {
        Some(error) => request.into_response(error.error_response()),
        None => {
            if row.is_some_and(|row| row.outcome == Outcome::Slow) {
                tokio::time::sleep(Duration::from_secs(SLOW)).await;
            }
            next.call(request).await?.map_into_boxed_body()
        }
    };

    let is_dropped = drops(&parts, &seen, row, &answer).await;
    let answer = tell(&parts, &seen, is_dropped, answer).await;
    Ok(match is_dropped {
        true => answer.map_body(|_, _| BoxBody::new(BodyStream::new(cut_off()))),
        false => answer,
    })
}

/// A body that ends the connection before anything of it is sent.
fn cut_off() -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::once(async { Err(std::io::ErrorKind::ConnectionAborted.into()) })
}

fn is_looked_at(method: &Method, path: &str) -> bool {
    match path {
        "/v1/events" => method == Method::GET,
        TOKENS | "/v1/reversals" | "/v1/sandbox/webhook-checks" => method == Method::POST,
        _ => method == Method::POST && Asked::at(path).is_some(),
    }
}

/// Reads a request, and leaves it as it came.
async fn look(request: &mut ServiceRequest) -> Request {
    let path = request.path().to_owned();
    let key = request.headers().get("idempotency-key");
    let key = key.and_then(|key| Some(key.to_str().ok()?.to_owned()));
    let query = request.query_string().split('&');
    let has_cursor = query.into_iter().any(|part| part.starts_with("after="));
    let partner = sender(request.request(), &path).await;
    let raw = read(request).await;
    Request {
        asked: Asked::at(&path),
        path,
        partner,
        key,
        raw,
        has_cursor,
    }
}

/// The partner that sends it, where its handler will let it in.
async fn sender(request: &HttpRequest, path: &str) -> Option<i64> {
    match path {
        "/v1/awards" => admitted::<AwardsWrite>(request).await,
        "/v1/redemptions" | "/v1/holds" => admitted::<RedemptionsWrite>(request).await,
        "/v1/reversals" => admitted::<ReversalsWrite>(request).await,
        "/v1/quotes" => admitted::<QuotesWrite>(request).await,
        "/v1/conversions" | "/v1/transfers" => admitted::<ConversionsWrite>(request).await,
        "/v1/events" => admitted::<EventsRead>(request).await,
        "/v1/sandbox/webhook-checks" => admitted::<WebhooksWrite>(request).await,
        _ => None,
    }
}

async fn admitted<S: Scope>(request: &HttpRequest) -> Option<i64> {
    let admitted = Partner::<S>::from_request(request, &mut Payload::None).await;
    Some(admitted.ok()?.partner)
}

/// The body, as far as a handler reads one. What is longer is put back with the rest behind it.
async fn read(request: &mut ServiceRequest) -> Bytes {
    let mut payload = request.take_payload();
    let (mut parts, mut length) = (Vec::new(), 0);
    while length <= LARGEST
        && let Some(part) = payload.next().await
    {
        length += part.as_ref().map_or(0, Bytes::len);
        let is_over = part.is_err();
        parts.push(part);
        if is_over {
            break;
        }
    }
    let raw: Vec<u8> = parts.iter().flatten().flatten().copied().collect();
    let whole = stream::iter(parts).chain(payload);
    request.set_payload(Payload::Stream {
        payload: whole.boxed_local(),
    });
    raw.into()
}

/// The row that a request meets, and the amount that it is about.
async fn meets(parts: &Parts, seen: &Request) -> Result<Option<(&'static Row, Value)>, Error> {
    let Parts { pool, ids, .. } = parts;
    let (Some(asked), Some(partner)) = (seen.asked, seen.partner) else {
        return Ok(None);
    };
    if seen.key.is_none() && asked != Asked::Quote {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(&seen.raw).unwrap_or_default();
    let (named, amount) = match asked {
        Asked::Conversion | Asked::Transfer => {
            told_by_quote(parts, partner, &body["quote"]).await?
        }
        Asked::Quote => (member(ids, &body), body["gives"].clone()),
        Asked::Award | Asked::Redemption | Asked::Hold => {
            (member(ids, &body), body["amount"].clone())
        }
    };
    let number = match named {
        Some(named) => store::number(&mut *pool.get().await?, partner, named).await?,
        None => None,
    };
    let row = outcome::met(asked, amount["amount"].as_str(), number.as_deref());
    Ok(row.map(|row| (row, amount)))
}

fn member(ids: &Ids, body: &Value) -> Option<Named> {
    let member = ids.read(Kind::Member, body["member"].as_str()?);
    member.map(Named::Member)
}

/// The wallet that a quote of the partner's takes from, and how much.
async fn told_by_quote(
    parts: &Parts,
    partner: i64,
    token: &Value,
) -> Result<(Option<Named>, Value), Error> {
    let Parts {
        pool,
        ids,
        quotes,
        directories,
        ..
    } = parts;
    let quote = token.as_str().and_then(|token| quotes.read(token).ok());
    let quote = quote.filter(|quote| ids.read(Kind::Partner, &quote.partner) == Some(partner));
    let Some(quote) = quote else {
        return Ok((None, Value::Null));
    };
    let Some(wallet) = ids.read(Kind::Wallet, &quote.from_wallet) else {
        return Ok((None, Value::Null));
    };
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let currency = directory.currency_no(Account(wallet).asset());
    let amount = currency.map(|currency| json!(AmountBody::of(currency, quote.given)));
    Ok((Some(Named::Wallet(wallet)), amount.unwrap_or_default()))
}

/// The refusal that is played, if it is one, and its turn.
async fn refusal(parts: &Parts, seen: &Request, row: &Row, amount: Value) -> Option<Error> {
    let nothing = json!({"amount": "0", "currency": amount["currency"]});
    let detail = format!("the sandbox plays {}", row.name);
    let problem = |slug| Problem::new(slug, detail.clone());
    let problem = match row.outcome {
        Outcome::LimitReached => problem(Slug::LimitReached)
            .with("left", nothing)
            .with("needed", amount)
            .with("renews_at", Value::Null),
        Outcome::PartnerSuspended => problem(Slug::PartnerSuspended)
            .with("state", "suspended")
            .with("act", seen.asked.map_or("", |asked| asked.act().name())),
        Outcome::PartnerCapReached => problem(Slug::PartnerCapReached),
        Outcome::BalanceTooLow => problem(Slug::BalanceTooLow)
            .with("held", nothing)
            .with("needed", amount),
        Outcome::NoRateCard => problem(Slug::NoRateCard),
        Outcome::QuoteExpired => problem(Slug::QuoteExpired),
        Outcome::RequestLimitExceeded => problem(Slug::RequestLimitExceeded).with("retry_after", 1),
        Outcome::TooBusy => problem(Slug::TooBusy),
        Outcome::Broken => problem(Slug::Broken),
        Outcome::Slow | Outcome::ConnectionDropped => return None,
    };
    let is_once = matches!(
        row.outcome,
        Outcome::RequestLimitExceeded | Outcome::TooBusy | Outcome::Broken
    );
    match is_once && !is_first(parts, seen, row).await {
        true => None,
        false => Some(problem.into()),
    }
}

/// Whether the answer is kept from the caller: what it asked for is done, and was not kept from it before.
async fn drops(parts: &Parts, seen: &Request, row: Option<&Row>, answer: &ServiceResponse) -> bool {
    match row {
        Some(row) if row.outcome == Outcome::ConnectionDropped && answer.status().is_success() => {
            is_first(parts, seen, row).await
        }
        _ => false,
    }
}

async fn is_first(parts: &Parts, seen: &Request, row: &Row) -> bool {
    let key = key_hash(&parts.secrets, seen).unwrap_or_default();
    let first = async { store::is_first(&mut *parts.pool.get().await?, key, row.name).await };
    first.await.unwrap_or_else(|error: Error| {
        tracing::warn!(%error, "an outcome was not remembered and is not played");
        false
    })
}

/// The same for every credential of a partner, like the key itself.
fn key_hash(secrets: &Secrets, seen: &Request) -> Option<Uuid> {
    let partner = seen.partner?.to_be_bytes();
    let key = seen.key.as_ref()?;
    Some(secrets.hash(&[b"played", &partner, seen.path.as_bytes(), key.as_bytes()]))
}

/// Tells the partner's run what was asked and answered. What fails of it is not the caller's business.
async fn tell(
    parts: &Parts,
    seen: &Request,
    is_dropped: bool,
    answer: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let Parts { pool, secrets, .. } = parts;
    let (request, response) = answer.into_parts();
    let problem = response.extensions().get::<Problem>().cloned();
    let (response, body) = response.into_parts();
    let said = to_bytes(body).await.unwrap_or_default();
    let partner = match seen.path == TOKENS {
        true => bearer(parts, &said),
        false => seen.partner,
    };
    if let Some(partner) = partner {
        let call = Call {
            path: seen.path.clone(),
            key: key_hash(secrets, seen),
            body: secrets.hash(&[b"call", &seen.raw]),
            has_cursor: seen.has_cursor,
            is_dropped,
            status: response.status().as_u16(),
            code: problem.map(|problem| problem.slug.entry().slug.to_owned()),
            answer: secrets.hash(&[b"answer", &said]),
        };
        if let Err(error) = runs::saw(pool, partner, &call).await {
            tracing::warn!(%error, "a call of a certification run was not written down");
        }
    }
    ServiceResponse::new(request, response.set_body(BoxBody::new(said)))
}

/// Whom the token of an answer speaks for.
fn bearer(parts: &Parts, said: &[u8]) -> Option<i64> {
    let Parts { ids, access, .. } = parts;
    let said: Value = serde_json::from_slice(said).ok()?;
    let token = said["access_token"].as_str()?;
    let subject = access.tokens().read(token, clock::machine_now())?;
    ids.read(Kind::Partner, &subject.partner?)
}
