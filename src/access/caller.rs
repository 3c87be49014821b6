//! The permission in a handler's signature.
//!
//! | extractor       | admits                                              |
//! |-----------------|-----------------------------------------------------|
//! | `Partner<S>`    | a partner whose token has the scope `S`             |
//! | `Staff<R>`      | a person of the hub with one of the roles `R`       |
//! | `Reader<S, R>`  | either of them                                      |
//!
//! It comes first among the arguments: then a caller who may not is told so before anything is
//! said about the body. The order of the checks: is the token good, does the door admit its
//! bearer, is the bearer still live.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::door::{Bearer, Door, Partners};
use super::token::Subject;
use super::{Access, Party, Role, Roles, Scope, ScopeSet, Who};
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

/// A person of the hub with one of the roles `R`.
pub struct Staff<R> {
    pub role: Role,
    pub who: Who,
    roles: PhantomData<R>,
}

/// A partner with the scope `S`, or a person with one of the roles `R`; `who.party` says which.
pub struct Reader<S, R> {
    pub who: Who,
    /// The publication and the time when the request was let in.
    pub moment: Moment,
    either: PhantomData<(S, R)>,
}

impl<S, R> Reader<S, R> {
    /// The partner that asks; none when it is a person of the hub, who may see every partner's.
    pub fn partner(&self) -> Option<i64> {
        match self.who.party {
            Party::Partner(partner) => Some(partner),
            Party::Person(_) => None,
        }
    }
}

impl<S: Scope> FromRequest for Partner<S> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (who, moment) = admit(
                &request,
                Door {
                    partners: partners_with::<S>(),
                    roles: &[],
                },
            )
            .await?;
            match who.party {
                Party::Partner(partner) => Ok(Partner {
                    partner,
                    who,
                    moment,
                    scope: PhantomData,
                }),
                Party::Person(_) => Err(unauthenticated().into()),
            }
        })
    }
}

impl<R: Roles> FromRequest for Staff<R> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (who, _) = admit(
                &request,
                Door {
                    partners: Partners::None,
                    roles: R::ANY_OF,
                },
            )
            .await?;
            match who.party {
                Party::Person(role) => Ok(Staff {
                    role,
                    who,
                    roles: PhantomData,
                }),
                Party::Partner(_) => Err(unauthenticated().into()),
            }
        })
    }
}

impl<S: Scope, R: Roles> FromRequest for Reader<S, R> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (who, moment) = admit(
                &request,
                Door {
                    partners: partners_with::<S>(),
                    roles: R::ANY_OF,
                },
            )
            .await?;
            Ok(Reader {
                who,
                moment,
                either: PhantomData,
            })
        })
    }
}

fn partners_with<S: Scope>() -> Partners {
    S::NEEDED.map_or(Partners::All, Partners::With)
}

async fn admit(request: &HttpRequest, door: Door) -> Result<(Who, Moment), Error> {
    let bearer = bearer(request).await?.ok_or_else(unauthenticated)?;
    door.admit(&bearer)?;

    let principal = match bearer {
        Bearer::Client(id, _) | Bearer::Person(id, _) => id,
    };
    let (moment, live) = part::<Access>(request)?.presence.ask(principal).await?;
    let welcome = match bearer {
        Bearer::Client(..) => live.filter(|party| matches!(party, Party::Partner(_))),
        Bearer::Person(_, role) => live.filter(|party| *party == Party::Person(role)),
    };

    let party = welcome.ok_or_else(unauthenticated)?;
    let id = request
        .extensions()
        .get::<RequestId>()
        .cloned()
        .unwrap_or_else(RequestId::fresh);
    let endpoint = format!("{} {}", request.method(), request.path());
    Ok((
        Who {
            principal,
            party,
            request: id,
            endpoint,
        },
        moment,
    ))
}

/// Who the token of a request speaks for, when there is exactly one and it is good.
async fn bearer(request: &HttpRequest) -> Result<Option<Bearer>, Error> {
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
    match (subject.scope, subject.role) {
        (Some(scope), None) => Some(Bearer::Client(
            ids.read(Kind::Credential, &subject.sub)?,
            ScopeSet::parse(&scope).ok()?,
        )),
        (None, Some(role)) => Some(Bearer::Person(ids.read(Kind::Person, &subject.sub)?, role)),
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

fn unauthenticated() -> Problem {
    Problem::new(
        Slug::Unauthenticated,
        "the access token is missing, too old, revoked or not one of ours",
    )
}
