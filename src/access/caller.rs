//! The permission in a handler's signature.
//!
//! | extractor       | admits                                              |
//! |-----------------|-----------------------------------------------------|
//! | `Partner<S>`    | a partner whose token has the scope `S`             |
//! | `Sender<S>`     | the same, for what becomes a command of the ledger  |
//! | `Staff<R>`      | a person of the hub with one of the roles `R`       |
//! | `Reader<S, R>`  | either of them                                      |
//! | `Myself`        | a person of the hub, for what is its own            |
//!
//! Where `S` is [`OrMember`](super::OrMember), a member of a partner is admitted as the partner is: `who` says
//! that it is one, and the handler keeps it to what is its own.
//!
//! It comes first among the arguments: then a caller who may not is told so before anything is
//! said about the body. The order of the checks: is the token good, does the door admit its
//! bearer, does the bearer's partner ask no more often than it may, is the bearer still live. Who is not
//! admitted is told so without waiting for anything: waiting, others of the arguments would speak first.
//!
//! Whether the sender of a command is live the group of the command finds, with all else that it reads; a
//! request that fails before its group is asked about on its way out ([`confirm`]). Nobody who is not
//! live learns anything but that, and nothing takes effect that comes after a revocation.
//!
//! The session of a person is looked up before anything else of the request is ([`confirm`]): then its role,
//! too, is known without waiting. Without a second factor a person reads, and does nothing but what is its own.

use std::marker::PhantomData;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use futures_util::future::LocalBoxFuture;

use super::door::{Bearer, Door, Partners};
use super::request_limits::lease::Standing;
use super::request_limits::too_often;
use super::sessions::{self, Session};
use super::token::{MEMBER, Subject};
use super::{Access, Acted, AnyRole, Party, Proof, Role, Roles, Scope, ScopeSet, Who};
use crate::clock;
use crate::db::Moment;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::web::RequestId;

/// A partner with the scope `S`.
pub struct Partner<S> {
    pub partner: i64,
    pub who: Who,
    /// The publication and the time when the request was let in.
    pub moment: Moment,
    scope: PhantomData<S>,
}

/// A partner with the scope `S` whose command the ledger carries out only if the sender is live by then.
pub struct Sender<S> {
    pub partner: i64,
    pub who: Who,
    /// The latest publication and time that the hub has seen.
    pub moment: Moment,
    scope: PhantomData<S>,
}

/// What a sender rests on when it asks for something before its command.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    pub partner: i64,
    /// The member that the partner acts for: the only one that it may ask about.
    pub acted: Option<Acted>,
    /// The principal, where it is not known to be live: whoever answers has to see.
    pub unconfirmed: Option<i64>,
    pub moment: Moment,
}

impl<S> Sender<S> {
    /// The sender, asking at a moment.
    pub fn asking(&self, moment: Moment) -> Asking {
        Asking {
            partner: self.partner,
            acted: self.who.acted(),
            unconfirmed: (!self.who.is_confirmed).then_some(self.who.principal),
            moment,
        }
    }
}

/// A person of the hub with one of the roles `R`.
pub struct Staff<R> {
    pub role: Role,
    pub who: Who,
    roles: PhantomData<R>,
}

/// A person of the hub, and the session that asks.
pub struct Myself {
    pub session: Session,
    pub who: Who,
}

/// A partner with the scope `S`, or a person with one of the roles `R`; `who.party` says which.
pub struct Reader<S, R> {
    pub who: Who,
    /// The publication and the time when the request was let in.
    pub moment: Moment,
    either: PhantomData<(S, R)>,
}

impl<S, R> Reader<S, R> {
    /// The partner that asks, for a member too; none when it is a person of the hub, who may see every
    /// partner's.
    pub fn partner(&self) -> Option<i64> {
        self.who.party.partner()
    }
}

impl<S: Scope> FromRequest for Partner<S> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (who, moment) = admit(&request, door::<S>(&[])).await?;
            let partner = who.party.partner().ok_or_else(unauthenticated)?;
            Ok(Partner {
                partner,
                who,
                moment,
                scope: PhantomData,
            })
        })
    }
}

impl<S: Scope> FromRequest for Sender<S> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let bearer = bearer(&request).await?.ok_or_else(unauthenticated)?;
            door::<S>(&[]).admit(&bearer)?;
            count(&request, &bearer).await?;
            let (_, party) = bearer.principal();
            let partner = party.partner().ok_or_else(unauthenticated)?;
            let (who, moment) = match (party, part::<Access>(&request)?.latest.get()) {
                (Party::Partner(_), Some(moment)) => (believed(&request, &bearer), moment),
                // A group does not ask about memberships; or the hub has seen no moment yet.
                _ => confirmed(&request, &bearer).await?,
            };
            Ok(Sender {
                partner,
                who,
                moment,
                scope: PhantomData,
            })
        })
    }
}

/// Who a good token speaks for, without asking whether it is live.
fn believed(request: &HttpRequest, bearer: &Bearer) -> Who {
    let mut who = who(request, bearer);
    request.extensions_mut().insert(Unconfirmed(who.principal));
    who.is_confirmed = false;
    who
}

/// Of a request whose sender is not known to be live: the principal.
#[derive(Clone, Copy)]
struct Unconfirmed(i64);

/// The headers of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Wraps the application: a person is known by its session, what a request failed of is told to who is live
/// only, and how many more it may send to each partner.
pub async fn confirm(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Err(error) = recognise(request.request()).await {
        return Ok(request.into_response(error.error_response()));
    }
    let answer = next.call(request).await?.map_into_boxed_body();
    let mut answer = match answer.status().is_client_error() {
        true => for_who_is_live(answer).await,
        false => answer,
    };
    let standing = answer.request().extensions().get::<Standing>().copied();
    if let Some(standing) = standing.filter(|_| answer.status() != StatusCode::UNAUTHORIZED) {
        let headers = answer.headers_mut();
        for (name, text) in [
            (POLICY, standing.policy.header()),
            (LIMIT, standing.header()),
        ] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
    Ok(answer)
}

/// Of a request that comes with the token of a live session.
#[derive(Clone, Copy)]
struct Recognised(Session, Moment);

/// Finds the session of a request whose token is of one.
async fn recognise(request: &HttpRequest) -> Result<(), Error> {
    let Some(token) = token(request).filter(|token| sessions::token::is_one(token)) else {
        return Ok(());
    };
    if let Some((session, moment)) = part::<Access>(request)?.session(token).await? {
        let recognised = Recognised(session, moment);
        request.extensions_mut().insert(recognised);
    }
    Ok(())
}

fn recognised(request: &HttpRequest) -> Option<Recognised> {
    request.extensions().get::<Recognised>().copied()
}

/// A refusal, unless it is of somebody who is not known to be live, and is not.
async fn for_who_is_live(answer: ServiceResponse) -> ServiceResponse {
    let unconfirmed = answer.request().extensions().get::<Unconfirmed>().copied();
    let Some(Unconfirmed(principal)) = unconfirmed else {
        return answer;
    };
    let asked = match part::<Access>(answer.request()) {
        Ok(access) => access.ask(principal).await,
        Err(error) => Err(error),
    };
    let refusal = match asked {
        Ok((_, Some(_))) => return answer,
        Ok((_, None)) => unauthenticated().into(),
        Err(error) => error,
    };
    answer.into_response(refusal.error_response())
}

impl<R: Roles> FromRequest for Staff<R> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let door = Door {
                partners: Partners::None,
                members: false,
                roles: R::ANY_OF,
            };
            let (who, _) = admit(&request, door).await?;
            match who.party {
                Party::Person(role) => Ok(Staff {
                    role,
                    who,
                    roles: PhantomData,
                }),
                Party::Partner(_) | Party::Member(_) => Err(unauthenticated().into()),
            }
        })
    }
}

impl FromRequest for Myself {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let door = Door {
                partners: Partners::None,
                members: false,
                roles: AnyRole::ANY_OF,
            };
            let (who, _) = enter(&request, door).await?;
            let Recognised(session, _) = recognised(&request).ok_or_else(unauthenticated)?;
            Ok(Myself { session, who })
        })
    }
}

impl<S: Scope, R: Roles> FromRequest for Reader<S, R> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (who, moment) = admit(&request, door::<S>(R::ANY_OF)).await?;
            Ok(Reader {
                who,
                moment,
                either: PhantomData,
            })
        })
    }
}

/// Whom a signature admits besides these people.
fn door<S: Scope>(roles: &'static [Role]) -> Door {
    Door {
        partners: S::NEEDED.map_or(Partners::All, Partners::With),
        members: S::MEMBERS,
        roles,
    }
}

async fn admit(request: &HttpRequest, door: Door) -> Result<(Who, Moment), Error> {
    let entered = enter(request, door).await?;
    match recognised(request) {
        Some(Recognised(session, _)) if !session.is_proved && request.method() != Method::GET => {
            Err(second_factor_missing().into())
        }
        _ => Ok(entered),
    }
}

/// The same also without a second factor: for what is a person's own.
async fn enter(request: &HttpRequest, door: Door) -> Result<(Who, Moment), Error> {
    let bearer = bearer(request).await?.ok_or_else(unauthenticated)?;
    door.admit(&bearer)?;
    count(request, &bearer).await?;
    confirmed(request, &bearer).await
}

/// Who a good token speaks for, when that is live, and the present.
async fn confirmed(request: &HttpRequest, bearer: &Bearer) -> Result<(Who, Moment), Error> {
    let access = part::<Access>(request)?;
    let (principal, party) = bearer.principal();
    let (moment, is_live) = match party {
        Party::Member(acted) => access.ask_acting(principal, acted).await?,
        Party::Partner(partner) => {
            let (moment, live) = access.ask(principal).await?;
            (moment, live == Some(partner))
        }
        Party::Person(_) => {
            let Recognised(_, moment) = recognised(request).ok_or_else(unauthenticated)?;
            (moment, true)
        }
    };
    is_live.then_some(()).ok_or_else(unauthenticated)?;
    Ok((who(request, bearer), moment))
}

fn who(request: &HttpRequest, bearer: &Bearer) -> Who {
    let (principal, party) = bearer.principal();
    let id = request.extensions().get::<RequestId>().cloned();
    Who {
        principal,
        party,
        proof: bearer.proof(),
        request: id.unwrap_or_else(RequestId::fresh),
        endpoint: format!("{} {}", request.method(), request.path()),
        is_confirmed: true,
        is_fresh: recognised(request).is_none_or(|Recognised(session, _)| session.is_fresh),
    }
}

/// Counts a partner's request, also one for a member.
async fn count(request: &HttpRequest, bearer: &Bearer) -> Result<(), Error> {
    let Some(partner) = bearer.principal().1.partner() else {
        return Ok(());
    };
    let standing = part::<Access>(request)?.limits.count(partner).await?;
    request.extensions_mut().insert(standing);
    match standing.is_admitted {
        true => Ok(()),
        false => Err(too_often(standing).into()),
    }
}

/// Who the token of a request speaks for, when there is exactly one and it is good.
async fn bearer(request: &HttpRequest) -> Result<Option<Bearer>, Error> {
    if let Some(Recognised(session, _)) = recognised(request) {
        return Ok(Some(Bearer::Person(session.person, session.role)));
    }
    let Some(token) = token(request) else {
        return Ok(None);
    };
    let subject = part::<Access>(request)?.read(token, clock::machine_now());
    let ids = part::<Ids>(request)?;
    Ok(subject.await?.and_then(|subject| named(subject, ids)))
}

fn token(request: &HttpRequest) -> Option<&str> {
    let mut given = request.headers().get_all(AUTHORIZATION);
    let (scheme, token) = given.next()?.to_str().ok()?.split_once(' ')?;
    let is_one = scheme.eq_ignore_ascii_case("bearer") && given.next().is_none();
    is_one.then_some(token)
}

fn named(subject: Subject, ids: &Ids) -> Option<Bearer> {
    let Subject {
        sub,
        client_id,
        scope,
        partner: partner_id,
        role,
        membership,
        act,
        auth_time,
        acr,
    } = subject;
    let scopes = |scope: String| ScopeSet::parse(&scope).ok();
    let partner = |text: Option<String>| ids.read(Kind::Partner, &text?);
    match (role.as_deref(), act) {
        (None, None) => Some(Bearer::Client {
            id: ids.read(Kind::Credential, &sub)?,
            partner: partner(partner_id)?,
            scopes: scopes(scope?)?,
        }),
        (Some(MEMBER), Some(actor)) if actor.sub == client_id => Some(Bearer::Member {
            client: ids.read(Kind::Credential, &client_id)?,
            acted: Acted {
                member: ids.read(Kind::Member, &sub)?,
                partner: partner(partner_id)?,
                membership: ids.read(Kind::Membership, &membership?)?,
            },
            proof: Proof { auth_time, acr },
            scopes: scopes(scope?)?,
        }),
        _ => None,
    }
}

/// Something the server was built with.
fn part<T: 'static>(request: &HttpRequest) -> Result<&web::Data<T>, Error> {
    let missing = || {
        anyhow::anyhow!(
            "the server was built without {}",
            std::any::type_name::<T>()
        )
    };
    request
        .app_data::<web::Data<T>>()
        .ok_or_else(|| missing().into())
}

fn second_factor_missing() -> Problem {
    Problem::new(
        Slug::SecondFactorMissing,
        "without a second factor everything may be read and nothing done: POST /v1/me/second-factor begins to enrol one",
    )
}

pub fn unauthenticated() -> Problem {
    Problem::new(
        Slug::Unauthenticated,
        "the access token is missing, too old, revoked or not one of ours",
    )
}
