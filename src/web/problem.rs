//! Problems on the wire: RFC 9457, everywhere.
//!
//! Errors leave handlers as bare responses that carry their [`Problem`]; [`explain`] wraps the
//! whole application, gives each request its id and writes the body, also for answers that the
//! framework made by itself (unknown routes, wrong methods).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

use super::request::{self, Deadline, RequestId};
use crate::environment::{self, Environment};
use crate::error::{CATALOGUE, Entry, Error, FieldError, Problem, Slug};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// No request is worked on for longer, unless its body comes and comes (see [`super::stream`]).
const LONGEST: Duration = Duration::from_secs(15);

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        let slug = match self {
            Error::Refused(problem) => problem.slug,
            Error::Broken(_) => Slug::Broken,
        };
        status(slug)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let problem = match self {
            Error::Refused(problem) => problem.clone(),
            Error::Broken(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "broken");
                Problem::new(
                    Slug::Broken,
                    "the cause is in the hub's log under this request's id",
                )
            }
        };
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(problem);
        response
    }
}

fn status(slug: Slug) -> StatusCode {
    StatusCode::from_u16(slug.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The body of a problem.
fn body(problem: &Problem, request: &RequestId, sandbox: Option<Environment>) -> Value {
    let entry = problem.slug.entry();
    let mut body = problem.facts.clone();
    body.insert("type".into(), format!("/problems/{}", entry.slug).into());
    body.insert("title".into(), entry.title.into());
    body.insert("status".into(), entry.status.into());
    body.insert("detail".into(), problem.detail.clone().into());
    body.insert("code".into(), entry.slug.into());
    body.insert("request_id".into(), request.text.clone().into());
    if let Some(sandbox) = sandbox {
        body.insert("environment".into(), sandbox.name().into());
    }
    if !problem.errors.is_empty() {
        body.insert("errors".into(), json!(problem.errors));
    }
    Value::Object(body)
}

/// A problem as RFC 9457 writes it. Some carry more members: facts that a program may want.
#[derive(Serialize, ToSchema)]
#[schema(title = "Problem")]
pub struct ProblemBody {
    /// Where the problem is explained.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/invalid-field")]
    kind: String,
    /// The same sentence for every problem of this type.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What was wrong this time.
    detail: String,
    /// The last part of `type`: compare this one.
    #[schema(example = "invalid-field")]
    code: String,
    /// The id of the request, for the hub's support.
    request_id: String,
    /// `sandbox` in a sandbox; a live hub leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sandbox")]
    environment: Option<String>,
    /// Which fields were wrong, and the rule each one breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

/// Wraps the application: request id, log line, problem bodies, and no error without a body.
pub async fn explain(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::assign(&request);
    let sandbox = sandbox(&request);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let started = std::time::Instant::now();

    // Handlers and extractors answer with a response also when they fail. Routing needs the request
    // to itself, so no copy of it may be kept here.
    let deadline = Deadline::assign(&request, LONGEST);
    let Some(answer) = deadline.meet(next.call(request)).await else {
        tracing::warn!(request_id = %id.text, %method, path, "a request took too long");
        return Err(too_late(&id, sandbox));
    };
    let mut answer = answer?.map_into_boxed_body();
    if answer.status().is_client_error() || answer.status().is_server_error() {
        answer = told(answer, &id, sandbox);
    }
    if let Some(sandbox) = sandbox {
        let headers = answer.headers_mut();
        headers.insert(environment::HEADER, sandbox.header());
    }
    answer.headers_mut().insert(request::HEADER, id.header());

    let (status, micros) = (
        answer.status().as_u16(),
        started.elapsed().as_micros() as u64,
    );
    tracing::info!(request_id = %id.text, %method, path, status, micros, "request");
    Ok(answer)
}

/// The environment, where an answer names it.
fn sandbox(request: &ServiceRequest) -> Option<Environment> {
    let environment = request.app_data::<Data<Environment>>();
    environment.map(|it| ***it).filter(|it| it.is_sandbox())
}

/// The answer to a request whose handler was given up. What it began is undone, or goes on without
/// it: the key tells which.
fn too_late(id: &RequestId, sandbox: Option<Environment>) -> actix_web::Error {
    let problem = Problem::new(
        Slug::Unavailable,
        format!("nothing came of it within {} s", LONGEST.as_secs()),
    );
    let mut answer = HttpResponse::build(status(problem.slug));
    if let Some(sandbox) = sandbox {
        answer.insert_header((environment::HEADER, sandbox.header()));
    }
    let answer = answer
        .content_type(CONTENT_TYPE)
        .insert_header((header::RETRY_AFTER, "1"))
        .insert_header((request::HEADER, id.header()))
        .body(body(&problem, id, sandbox).to_string());
    InternalError::from_response("too late", answer).into()
}

/// The same answer with a problem as its body.
fn told(answer: ServiceResponse, id: &RequestId, sandbox: Option<Environment>) -> ServiceResponse {
    let bare = answer.status();
    let problem = answer.response().extensions().get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| of_status(bare));
    let body = body(&problem, id, sandbox).to_string();
    let mut told = answer.map_body(|_, _| BoxBody::new(body));
    *told.response_mut().status_mut() = status(problem.slug);
    let headers = told.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.remove(header::CONTENT_LENGTH);
    match problem.slug {
        // RFC 6749, 5.2: a client is asked for its credentials in the scheme that it can use.
        Slug::SignInFailed if problem.facts.contains_key("error") => {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"interline\""),
            );
        }
        Slug::Unauthenticated | Slug::SignInFailed => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // RFC 9470, 3: what the member has to prove.
        Slug::InsufficientUserAuthentication => {
            if let Ok(challenge) = HeaderValue::try_from(challenge(&problem)) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        Slug::RequestLimitExceeded | Slug::TooManyRequests => {
            let wait = problem
                .facts
                .get("retry_after")
                .and_then(Value::as_u64)
                .unwrap_or(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        Slug::TooBusy | Slug::Unavailable => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    told
}

/// The challenge of RFC 9470. Neither the detail nor a fact has quotes or backslashes in it.
fn challenge(problem: &Problem) -> String {
    let said = ["max_age", "acr_values"].map(|name| match problem.facts.get(name) {
        Some(Value::String(text)) => format!(", {name}=\"{text}\""),
        Some(number) => format!(", {name}=\"{number}\""),
        None => String::new(),
    });
    format!(
        "Bearer error=\"insufficient_user_authentication\", error_description=\"{}\"{}",
        problem.detail,
        said.concat()
    )
}

/// What the framework meant by a bare status.
fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new(Slug::RouteUnknown, "no resource has this address"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Slug::MethodNotAllowed, "this resource has other methods")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Slug::BodyTooLarge, "the body is too large"),
        status if status.is_client_error() => Problem::new(
            Slug::InvalidField,
            format!("the request cannot be read: {status}"),
        ),
        _ => Problem::new(
            Slug::Broken,
            "the cause is in the hub's log under this request's id",
        ),
    }
}

/// A problem that may occur.
#[derive(Serialize, ToSchema)]
#[schema(title = "KnownProblem")]
pub struct KnownProblemBody {
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/invalid-field")]
    kind: String,
    #[schema(example = "invalid-field")]
    code: &'static str,
    #[schema(example = 400)]
    status: u16,
    title: &'static str,
    /// What to do about it.
    advice: &'static str,
}

/// Every problem there is.
#[derive(Serialize, ToSchema)]
#[schema(title = "ProblemCatalogue")]
pub struct CatalogueBody {
    problems: Vec<KnownProblemBody>,
}

/// Look up a problem
#[utoipa::path(
    get, path = "/problems/{slug}", operation_id = "getProblem", tag = "operations", security(()),
    description = "What a problem means and what to do about it.",
    params(("slug" = String, Path, description = "The `code` of the problem.")),
    responses((status = 200, description = "The problem.", body = KnownProblemBody))
)]
pub async fn page(slug: actix_web::web::Path<String>) -> Result<Json<KnownProblemBody>, Error> {
    let entry = CATALOGUE
        .iter()
        .find(|entry| entry.slug == slug.as_str())
        .ok_or_else(|| {
            Problem::new(
                Slug::NotFound,
                "there is no problem of that name; /problems lists them all",
            )
        })?;
    Ok(Json(line(entry)))
}

/// List problems
#[utoipa::path(
    get, path = "/problems", operation_id = "listProblems", tag = "operations", security(()),
    description = "The whole catalogue.",
    responses((status = 200, description = "The problems.", body = CatalogueBody))
)]
pub async fn catalogue() -> Json<CatalogueBody> {
    let problems = CATALOGUE.iter().map(line).collect();
    Json(CatalogueBody { problems })
}

fn line(entry: &Entry) -> KnownProblemBody {
    KnownProblemBody {
        kind: format!("/problems/{}", entry.slug),
        code: entry.slug,
        status: entry.status,
        title: entry.title,
        advice: entry.advice,
    }
}
