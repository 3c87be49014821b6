//! The pages over HTTP, and the announcement of what will go.

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, Path, ServiceConfig};
use utoipa::OpenApi;

use super::deprecation::{self, DEPRECATED, Deprecated};
use super::page::{self, CHANGELOG, Guide, STYLE};
use crate::error::{Error, Problem, Slug};
use crate::web::problem::PublicProblems;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/docs/guides").route(web::get().to(contents)))
        .service(web::resource("/docs/guides/{page}").route(web::get().to(guide)))
        .service(web::resource("/docs/changelog").route(web::get().to(changelog)));
}

#[derive(OpenApi)]
#[openapi(paths(contents, guide, changelog))]
pub struct Doc;

/// List the guides
#[utoipa::path(
    get, path = "/docs/guides", operation_id = "listGuides", tag = "operations", security(()),
    description = "A page with a link to each guide.",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
        example = "<!doctype html>..."))
)]
async fn contents() -> HttpResponse {
    shown(&page::contents())
}

/// Read a guide
#[utoipa::path(
    get, path = "/docs/guides/{page}", operation_id = "readGuide", tag = "operations", security(()),
    description = "A page of the documentation: getting started, idempotency and retries, errors, events, webhooks, acting for a member, going live.",
    params(("page" = String, Path, description = "The guide's name, such as `getting-started`.")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
        example = "<!doctype html>..."), PublicProblems)
)]
async fn guide(page: Path<String>) -> Result<HttpResponse, Error> {
    if page.as_str() == "style.css" {
        return Ok(HttpResponse::Ok()
            .content_type("text/css; charset=utf-8")
            .body(STYLE));
    }
    let unknown = || {
        Problem::new(
            Slug::NotFound,
            "there is no guide of that name; /docs/guides lists them",
        )
    };
    let guide = Guide::find(&page).ok_or_else(unknown)?;
    Ok(shown(guide.text))
}

/// Read what changed
#[utoipa::path(
    get, path = "/docs/changelog", operation_id = "readChangelog", tag = "operations", security(()),
    description = "The changelog, as a page.",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
        example = "<!doctype html>..."))
)]
async fn changelog() -> HttpResponse {
    shown(CHANGELOG)
}

fn shown(text: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ))
        .body(page::render(text))
}

/// What the hub announces.
pub struct Announced(pub &'static [Deprecated]);

impl Default for Announced {
    fn default() -> Self {
        Announced(DEPRECATED)
    }
}

/// Wraps the application: who uses what will go is told with every answer.
pub async fn announce(
    announced: Data<Announced>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if announced.0.is_empty() {
        return Ok(answer);
    }
    let (method, path) = (
        answer.request().method().as_str(),
        answer.request().match_pattern(),
    );
    let found = path.and_then(|path| deprecation::find(announced.0, method, &path));
    if let Some(found) = found.copied() {
        let told = [
            (HeaderName::from_static("deprecation"), found.deprecation()),
            (HeaderName::from_static("sunset"), found.sunset()),
            (header::LINK, found.link()),
        ];
        for (name, text) in told {
            if let Ok(value) = HeaderValue::try_from(text) {
                answer.headers_mut().append(name, value);
            }
        }
    }
    Ok(answer)
}
