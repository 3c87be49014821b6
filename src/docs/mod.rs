//! Documentation: what the author of a partner's program reads.
//!
//! Guides are Markdown in `docs/guides`, part of the program and served as plain pages ([`page`]); their
//! calls are run by a test, so that what a guide says is what happens. Every operation of the OpenAPI
//! document has examples, made of its schemas ([`example`]), and says how it may fail ([`problems`]). What was
//! released stays: [`compatibility`] finds what would break a program, and what has to go is announced half a
//! year before ([`deprecation`]).
//!
//! Plain pages without scripts were chosen over a site generator: a hub has the documentation of its own
//! version, also where there is no way out to the network.

pub mod api;
pub mod compatibility;
pub mod deprecation;
pub mod example;
pub mod page;
pub mod problems;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::AnyOf;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Deprecated as Marked, OpenApi, RefOr, Schema};

use deprecation::Deprecated;
use example::{Missing, Side};

/// Writes an example to each request and answer that has none, says how each operation may fail, and marks
/// what will go. Answers with the fields that nothing gives an example of, and the problems that an operation
/// names in vain.
pub fn complete(document: &mut OpenApi, deprecated: &[Deprecated]) -> serde_json::Result<Missing> {
    let plain = serde_json::to_value(&*document)?;
    let nothing = Map::new();
    let named = plain["components"]["schemas"]
        .as_object()
        .unwrap_or(&nothing);
    let mut missing = Missing::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if deprecation::find(deprecated, method, path).is_some() {
                operation.deprecated = Some(Marked::True);
            }
            let vain = problems::describe(operation);
            missing.extend(vain.iter().map(|code| format!("{method} {path}: {code}")));
            exemplify(operation, named, &mut missing)?;
        }
    }
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

/// As tools want to read it: without schemas that nothing names, with alternatives that may fit at once said so,
/// and with the roles that people need as
/// `x-roles`, because linters and generators know scopes of OAuth2 only.
pub fn publish(document: &mut OpenApi) -> serde_json::Result<()> {
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let roles = roles_apart(operation)?;
            if let Some(roles) = roles.filter(|roles| !roles.is_empty()) {
                let extensions = operation.extensions.get_or_insert_default();
                extensions.insert("x-roles".to_owned(), json!(roles));
            }
        }
    }
    let schemas = document
        .components
        .iter_mut()
        .flat_map(|all| all.schemas.values_mut());
    schemas.for_each(loosen);
    loop {
        let text = serde_json::to_string(document)?;
        let Some(components) = &mut document.components else {
            return Ok(());
        };
        let before = components.schemas.len();
        let is_named = |name: &str| text.contains(&format!("\"#/components/schemas/{name}\""));
        components.schemas.retain(|name, _| is_named(name));
        if components.schemas.len() == before {
            return Ok(());
        }
    }
}

/// What is told apart by a field beside it, as an event's data is by its type, may fit several alternatives.
fn loosen(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::OneOf(several)) = schema
        && several.discriminator.is_none()
        && several.items.iter().all(|one| matches!(one, RefOr::Ref(_)))
    {
        let items = std::mem::take(&mut several.items);
        let loose = AnyOf {
            items,
            description: several.description.take(),
            ..AnyOf::default()
        };
        *schema = RefOr::T(Schema::AnyOf(loose));
    }
}

/// Takes the roles of people out of what an operation asks for.
fn roles_apart(operation: &mut Operation) -> serde_json::Result<Option<Vec<String>>> {
    let mut roles = None;
    for way in operation.security.iter_mut().flatten() {
        let said: BTreeMap<String, Vec<String>> = serde_json::from_value(json!(way))?;
        if let Some(known) = said.get("person") {
            roles = Some(known.clone());
            *way = SecurityRequirement::new("person", [""; 0]);
        }
    }
    Ok(roles)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = item;
    let all = [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("PATCH", patch),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn exemplify(
    operation: &mut Operation,
    named: &Map<String, Value>,
    missing: &mut Missing,
) -> serde_json::Result<()> {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            fill(content, named, Side::Asked, missing)?;
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            for content in response.content.values_mut() {
                fill(content, named, Side::Answered, missing)?;
            }
        }
    }
    Ok(())
}

fn fill(
    content: &mut RefOr<Content>,
    named: &Map<String, Value>,
    side: Side,
    missing: &mut Missing,
) -> serde_json::Result<()> {
    if let RefOr::T(content) = content
        && content.example.is_none()
    {
        let schema = serde_json::to_value(&content.schema)?;
        let (example, lacking) = example::of(&schema, named, side);
        content.example = Some(example);
        missing.extend(lacking);
    }
    Ok(())
}
