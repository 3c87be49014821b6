//! The crowd: how many requests are worked on at once.
//!
//! Beyond that a request is answered before anything is done for it, so that a hub that is asked for
//! more than it can do still does what it can, soon. More than this at once makes nobody faster: the
//! writers' groups are full with half as many, and each one more only makes all wait longer.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, ResponseError};
use futures_util::StreamExt;

use super::body::LARGEST;
use crate::error::{Error, Problem, Slug};

/// The most requests that a hub works on at once.
const MOST: usize = 512;

/// Whose answers are for who looks after the hub, above all when it is full.
const ALWAYS: &str = "/healthz";

#[derive(Debug)]
pub struct Crowd {
    inside: AtomicUsize,
    most: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Crowd::of(MOST)
    }
}

/// A place among those that are worked on, until it is dropped.
struct Place<'a>(&'a Crowd);

impl Crowd {
    /// A crowd of at most so many.
    pub fn of(most: usize) -> Crowd {
        Crowd {
            inside: AtomicUsize::new(0),
            most,
        }
    }

    /// How many requests are worked on.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Option<Place<'_>> {
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        (before < self.most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wraps the application: turns away who comes when all places are taken.
pub async fn admit(
    crowd: Data<Crowd>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let place = crowd.enter();
    if place.is_none() && request.path() != ALWAYS {
        read_away(request.take_payload()).await;
        let problem = Problem::new(
            Slug::TooBusy,
            format!("{} requests are being worked on already", crowd.most),
        );
        return Ok(request.into_response(Error::from(problem).error_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A connection whose request was not read to its end would be closed, and whoever was turned away
/// would come back with a new one.
async fn read_away(mut body: Payload) {
    let mut left = LARGEST;
    while let Some(Ok(part)) = body.next().await {
        match left.checked_sub(part.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_request_ends() {
        let crowd = Crowd::of(3);
        let mut places: Vec<_> = (0..3).map(|_| crowd.enter().expect("a place")).collect();

        assert!(crowd.enter().is_none(), "the hub is full");
        assert_eq!(crowd.inside(), 3, "who is turned away takes no place");
        places.pop();
        assert!(crowd.enter().is_some());
    }
}
