//! Each request has an id, given by the caller or made here. It is on the answer, in each problem,
//! in each log line, and on each operation and audit record that the request caused. With it goes where the
//! request came from.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use tokio::time::Instant;
use uuid::Uuid;

use super::origin::{self, Origin};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The text on the wire, and the number it is stored as. A text that is a UUID is that UUID; any
/// other becomes one by RFC 9562 version 5, so the same text is always found again.
#[derive(Debug, Clone)]
pub struct RequestId {
    pub text: String,
    pub id: Uuid,
    pub origin: Origin,
}

impl RequestId {
    /// Takes the caller's id when it is 1 to 128 visible ASCII characters, else makes one.
    pub fn assign(request: &ServiceRequest) -> RequestId {
        let given = request
            .headers()
            .get(&HEADER)
            .and_then(|value| value.to_str().ok());
        let origin = Origin::of(origin::client(request.request()));
        let assigned = match given.filter(|text| is_usable(text)) {
            Some(text) => RequestId {
                text: text.to_owned(),
                id: Uuid::parse_str(text)
                    .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())),
                origin,
            },
            None => RequestId {
                origin,
                ..RequestId::fresh()
            },
        };
        request.extensions_mut().insert(assigned.clone());
        assigned
    }

    /// For work that no request asked for.
    pub fn fresh() -> RequestId {
        let id = Uuid::now_v7();
        RequestId {
            text: id.to_string(),
            id,
            origin: Origin::Hub,
        }
    }

    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.text)
            .unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
    }
}

/// Until when a request may be worked on. Whoever takes a long body puts it off as the body comes.
#[derive(Clone)]
pub struct Deadline {
    at: Rc<Cell<Instant>>,
    most: Duration,
}

impl Deadline {
    /// From now on, so long.
    pub fn assign(request: &ServiceRequest, most: Duration) -> Deadline {
        let deadline = Deadline {
            at: Rc::new(Cell::new(Instant::now() + most)),
            most,
        };
        request.extensions_mut().insert(deadline.clone());
        deadline
    }

    pub fn of(request: &HttpRequest) -> Option<Deadline> {
        request.extensions().get().cloned()
    }

    /// Begins anew.
    pub fn put_off(&self) {
        self.at.set(Instant::now() + self.most);
    }

    /// What comes of the work, unless it is too late.
    pub async fn meet<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        loop {
            let at = self.at.get();
            match tokio::time::timeout_at(at, work.as_mut()).await {
                Ok(done) => return Some(done),
                Err(_) if self.at.get() > at => {}
                Err(_) => return None,
            }
        }
    }
}

fn is_usable(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl FromRequest for RequestId {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let assigned = request.extensions().get::<RequestId>().cloned();
        ready(Ok(assigned.unwrap_or_else(RequestId::fresh)))
    }
}
