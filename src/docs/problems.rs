//! The problems an operation may answer with.
//!
//! Most follow from what the operation takes:
//!
//! | what it has           | what is refused                                                              |
//! |-----------------------|------------------------------------------------------------------------------|
//! | nothing at all        | `broken`, `too-busy`, `unavailable`: nobody's fault                          |
//! | a door                | `unauthenticated`, `forbidden`; of partners also `request-limit-exceeded`    |
//! | a name in its path    | `not-found`                                                                  |
//! | a query               | `invalid-field`; with a cursor also `cursor-invalid`                         |
//! | an Idempotency-Key    | `idempotency-key-missing`, `idempotency-key-invalid`, `idempotency-key-reused` |
//! | a body                | `invalid-field`, `body-too-large`, `malformed-json`, `unsupported-media-type` |
//!
//! What else it refuses, the operation says itself, in an attribute beside its answers:
//! `extensions(("x-problems" = json!(["quote-taken"])))`. The document lists them by status; a program finds
//! the codes of each in the `x-problems` of the response.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::error::CATALOGUE;

const NAME: &str = "x-problems";
const ALWAYS: [&str; 3] = ["broken", "too-busy", "unavailable"];
const KEY: [&str; 3] = [
    "idempotency-key-invalid",
    "idempotency-key-missing",
    "idempotency-key-reused",
];
const BODY: [&str; 4] = [
    "body-too-large",
    "invalid-field",
    "malformed-json",
    "unsupported-media-type",
];

/// Writes a response for each status that a problem of the operation has. Answers with what the operation
/// names and the catalogue does not have, or what follows from what it takes.
pub fn describe(operation: &mut Operation) -> Vec<String> {
    let own = take_own(operation);
    let followed = follow(operation);
    let is_vain = |code: &String| {
        followed.contains(code.as_str()) || !CATALOGUE.iter().any(|entry| entry.slug == *code)
    };
    let vain = own.iter().filter(|code| is_vain(code)).cloned().collect();

    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for entry in CATALOGUE {
        if followed.contains(entry.slug) || own.iter().any(|code| code == entry.slug) {
            by_status.entry(entry.status).or_default().push(entry.slug);
        }
    }
    for (status, codes) in by_status {
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(response(&codes)));
    }
    vain
}

/// What the operation says of itself.
fn take_own(operation: &mut Operation) -> Vec<String> {
    let said = operation.extensions.as_mut();
    let codes = said.and_then(|extensions| extensions.remove(NAME));
    codes
        .and_then(|codes| serde_json::from_value(codes).ok())
        .unwrap_or_default()
}

/// What follows from what the operation takes.
fn follow(operation: &Operation) -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::from(ALWAYS);
    let doors = json!(operation.security);
    let has_door = |kind: &str| {
        let mut ways = doors.as_array().into_iter().flatten();
        ways.any(|way| way.get(kind).is_some())
    };
    if has_door("partner") {
        codes.insert("request-limit-exceeded");
    }
    if has_door("partner") || has_door("person") {
        codes.extend(["forbidden", "unauthenticated"]);
    }
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(Parameter {
            name, parameter_in, ..
        }) = parameter
        else {
            continue;
        };
        match (parameter_in, name.as_str()) {
            (ParameterIn::Path, _) => codes.extend(["not-found"]),
            (ParameterIn::Query, "cursor") => codes.extend(["invalid-field", "cursor-invalid"]),
            (ParameterIn::Query, _) => codes.extend(["invalid-field"]),
            (ParameterIn::Header, "Idempotency-Key") => codes.extend(KEY),
            _ => {}
        }
    }
    if operation.request_body.is_some() {
        codes.extend(BODY);
    }
    codes
}

fn response(codes: &[&str]) -> Response {
    let named: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let description = match named.as_slice() {
        [one] => format!("It is {one}."),
        several => format!("One of {}.", several.join(", ")),
    };
    ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            Content::new(Some(Ref::from_schema_name("ProblemBody"))),
        )
        .extensions(Some(Extensions::from_iter([(NAME, json!(codes))])))
        .build()
}
