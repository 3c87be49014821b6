//! Names and values in a query or a form. What cannot be read is refused by name, as in JSON.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

use super::body;
use crate::error::{Error, Problem};

/// What stands after the question mark.
pub struct Query<T>(pub T);

/// A body as browsers and OAuth2 clients send it: `application/x-www-form-urlencoded`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            parse(request.query_string().as_bytes())
                .map(Query)
                .map_err(Error::from),
        )
    }
}

impl<T: DeserializeOwned> FromRequest for Form<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let raw = body::read(&request, payload, "application/x-www-form-urlencoded").await?;
            Ok(Form(parse(&raw)?))
        })
    }
}

/// What the names and values say, or which of them is wrong and why.
pub fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(raw));
    serde_path_to_error::deserialize(reader)
        .map_err(|error| Problem::field(body::pointer(error.path()), error.inner().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        name: Option<String>,
        limit: Option<i64>,
    }

    fn pointer(raw: &str) -> String {
        parse::<Asked>(raw.as_bytes()).expect_err(raw).errors[0]
            .pointer
            .clone()
    }

    #[test]
    fn a_value_is_read_by_its_name() {
        let asked = Asked {
            name: Some("a b".into()),
            limit: Some(5),
        };
        assert_eq!(parse::<Asked>(b"name=a+b&limit=5").unwrap(), asked);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(pointer("limit=five"), "/limit");
        assert_eq!(pointer("more=1"), "/more");
        assert!(parse::<Asked>(b"limit=1&limit=2").is_err());
    }
}
