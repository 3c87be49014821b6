//! The access slice over HTTP: its parts, as one.

use actix_web::web::ServiceConfig;
use utoipa::openapi::OpenApi as Document;

use super::{credentials, oauth, people, request_limits, second_factor, sessions, signing_keys};

pub fn routes(cfg: &mut ServiceConfig) {
    oauth::api::routes(cfg);
    second_factor::api::routes(cfg);
    sessions::api::routes(cfg);
    people::api::routes(cfg);
    credentials::api::routes(cfg);
    request_limits::api::routes(cfg);
    signing_keys::api::routes(cfg);
}

/// What the parts add to the OpenAPI document.
pub struct Doc;

impl utoipa::OpenApi for Doc {
    fn openapi() -> Document {
        let mut document = oauth::api::Doc::openapi();
        document.merge(sessions::api::Doc::openapi());
        document.merge(second_factor::api::Doc::openapi());
        document.merge(people::api::Doc::openapi());
        document.merge(credentials::api::Doc::openapi());
        document.merge(request_limits::api::Doc::openapi());
        document.merge(signing_keys::api::Doc::openapi());
        document
    }
}
