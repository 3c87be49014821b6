//! The OpenAPI document is what the hub does: kept in the repository, whole, and true of each
//! operation's door.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use interline::access::scope::SCOPES;
use interline::docs::compatibility;
use interline::error::CATALOGUE;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::office::Office;
use crate::world::{Answer, World, send};

/// What anybody may ask without a token.
const PUBLIC: [&str; 15] = [
    "describeAuthorizationServer",
    "getHealth",
    "getOpenApi",
    "getProblem",
    "getReadiness",
    "issueToken",
    "listGuides",
    "listKeys",
    "listPermissions",
    "listProblems",
    "readChangelog",
    "readDocs",
    "readDocsFile",
    "readGuide",
    "signIn",
];

/// An operation of the document.
pub struct Operation {
    pub path: String,
    pub method: Method,
    pub id: String,
    pub said: Value,
}

pub fn document() -> Value {
    serde_json::to_value(interline::server::document()).expect("a document")
}

pub fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, said)| Operation {
            path: path.clone(),
            method: method.to_uppercase().parse().expect("a method"),
            id: said["operationId"].as_str().expect("an id").to_owned(),
            said,
        })
    };
    paths.iter().flat_map(of).collect()
}

/// Whatever a test provokes, the document says that the operation may answer so.
pub fn must_be_documented(method: &Method, path: &str, status: StatusCode, body: &Value) {
    static KNOWN: OnceLock<Vec<Operation>> = OnceLock::new();
    let known = KNOWN.get_or_init(operations);
    let asked = known
        .iter()
        .filter(|one| one.method == *method && is_at(path, &one.path));
    // Of `/v1/conversions/options` and `/v1/conversions/{conversion}`, the first.
    let Some(Operation { id, said, .. }) = asked.min_by_key(|one| one.path.matches('{').count())
    else {
        return;
    };
    let described = &said["responses"][status.as_str()];
    assert!(described.is_object(), "{id} does not say {status}: {body}");
    if status.is_client_error() || status.is_server_error() {
        let codes = described["x-problems"].as_array().expect("codes");
        let code = &body["code"];
        assert!(codes.contains(code), "{id} does not say {code}: {body}");
    }
}

fn is_at(path: &str, template: &str) -> bool {
    let (mut asked, mut known) = (path.split('/'), template.split('/'));
    loop {
        match (asked.next(), known.next()) {
            (None, None) => return true,
            (Some(asked), Some(known)) if known.starts_with('{') || asked == known => {}
            _ => return false,
        }
    }
}

/// A path with something in place of each parameter.
fn filled(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        parameter if parameter.starts_with('{') => "x",
        fixed => fixed,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn one_is_public(said: &Value) -> bool {
    let alternatives = said["security"].as_array().expect("security");
    alternatives
        .iter()
        .any(|scheme| scheme.as_object().is_some_and(|scheme| scheme.is_empty()))
}

impl Operation {
    fn is_public(&self) -> bool {
        one_is_public(&self.said)
    }

    /// What the document says a bearer of this kind needs; none when the kind is not admitted.
    fn scheme(&self, kind: &str) -> Option<&Vec<Value>> {
        let alternatives = self.said["security"].as_array().expect("security");
        alternatives
            .iter()
            .find_map(|scheme| scheme[kind].as_array())
    }

    async fn call(&self, world: &World, token: Option<&str>) -> Answer {
        let mut request = world
            .request(self.method.clone(), &filled(&self.path))
            .header("idempotency-key", "k")
            .header("content-type", "application/json");
        if self.method != Method::GET {
            request = request.body("{}");
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        send(request).await
    }
}

#[test]
fn the_document_is_the_one_in_the_repository() {
    let kept = std::fs::read_to_string("openapi/openapi.json").expect("openapi/openapi.json");
    assert!(
        kept == interline::server::document_text(),
        "openapi/openapi.json is not what the program says. Renew it: cargo run -q -- openapi > openapi/openapi.json"
    );
}

/// Each version of the API that was released is a file of `openapi/released`.
#[test]
fn programs_written_for_a_released_document_go_on_working() {
    let now = published();
    assert_eq!(compatibility::breaks(&now, &now), [""; 0]);
    for released in std::fs::read_dir("openapi/released").into_iter().flatten() {
        let path = released.expect("an entry").path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let released = std::fs::read_to_string(&path).expect("a document");
        let released = serde_json::from_str(&released).expect("JSON");
        let breaks = compatibility::breaks(&released, &now);
        assert_eq!(breaks, [""; 0], "{} is broken", path.display());
    }
}

#[test]
fn an_operation_that_is_taken_away_is_missed() {
    let (released, mut now) = (published(), published());
    let paths = now["paths"].as_object_mut().expect("paths");
    paths.remove("/v1/awards").expect("awards");
    let breaks = compatibility::breaks(&released, &now);
    let gone = ["GET", "POST"].map(|method| format!("{method} /v1/awards: the operation is gone"));
    assert_eq!(breaks, gone);
}

fn published() -> Value {
    serde_json::from_str(&interline::server::document_text()).expect("a document")
}

#[test]
fn nothing_is_published_that_tools_stumble_over() {
    let published = published();
    let text = published.to_string();
    for name in published["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .keys()
    {
        let named = format!("\"#/components/schemas/{name}\"");
        assert!(text.contains(&named), "nothing names {name}");
    }
    for one in operations()
        .iter()
        .filter(|one| one.scheme("person").is_some())
    {
        let said = &published["paths"][&one.path][one.method.as_str().to_lowercase()];
        let roles = one.scheme("person").filter(|roles| !roles.is_empty());
        let told = said["x-roles"].as_array();
        assert_eq!(told, roles, "{}", one.id);
    }
}

#[test]
fn every_operation_is_documented_whole() {
    let (document, operations) = (document(), operations());

    let ids: BTreeSet<&str> = operations.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), operations.len(), "an operationId stands twice");
    let tags = document["tags"].as_array().expect("tags");
    for Operation {
        path,
        method,
        id,
        said,
    } in &operations
    {
        for member in ["summary", "description"] {
            let text = said[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{method} {path} lacks {member}");
        }
        let tag = &said["tags"][0];
        assert!(
            tags.iter().any(|known| known["name"] == *tag
                && known["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())),
            "{id}: the tag {tag} is not explained"
        );
        for (status, response) in said["responses"].as_object().expect("responses") {
            let is_problem = !status.starts_with('2') && !status.starts_with('3');
            let content = &response["content"]["application/problem+json"]["schema"];
            assert_eq!(is_problem, content.is_object(), "{id}: {status}");
        }
        let takes = |name: &str| {
            let parameters = said["parameters"].as_array().into_iter().flatten();
            parameters.filter(|one| one["name"] == name).count()
        };
        for parameter in path.split('/').filter_map(|segment| {
            segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
        }) {
            assert_eq!(takes(parameter), 1, "{id}: {parameter} is not explained");
        }
    }
}

#[test]
fn every_request_and_answer_has_an_example() {
    assert_eq!(
        interline::server::without_example(),
        [""; 0],
        "give these an example, or their names one in src/docs/example.rs; a problem that is named here \
         follows from what its operation takes, or is not in the catalogue"
    );
    for Operation { id, said, .. } in operations() {
        let asked = said["requestBody"]["content"].as_object();
        let answers = said["responses"].as_object().expect("responses").iter();
        let answers = answers.filter(|(status, _)| status.starts_with('2'));
        let answers = answers.filter_map(|(_, answer)| answer["content"].as_object());
        for content in asked
            .into_iter()
            .chain(answers)
            .flat_map(|all| all.values())
        {
            assert!(!content["example"].is_null(), "{id} lacks an example");
        }
    }
}

/// What the texts of examples are made for is there.
#[test]
fn every_text_of_examples_is_used() {
    let document = document();
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let is_field = |name: &str, schema: &str| {
        schemas.iter().any(|(known, said)| {
            (schema.is_empty() || known == schema) && said["properties"][name].is_object()
        })
    };
    for (name, _) in interline::docs::example::TEXTS {
        let (schema, field) = name.split_once('.').unwrap_or(("", name));
        assert!(is_field(field, schema), "{name} is the name of nothing");
    }
}

/// The operations' problems are those of the catalogue; two are told where there is no operation.
#[test]
fn every_problem_is_that_of_an_operation() {
    let nowhere = BTreeSet::from(["method-not-allowed", "route-unknown"]);
    let operations = operations();
    let responses = operations.iter().flat_map(|one| {
        one.said["responses"]
            .as_object()
            .expect("responses")
            .values()
    });
    let named: BTreeSet<&str> = responses
        .filter_map(|response| response["x-problems"].as_array())
        .flatten()
        .map(|code| code.as_str().expect("a code"))
        .collect();
    let known: BTreeSet<&str> = CATALOGUE.iter().map(|entry| entry.slug).collect();
    assert_eq!(
        known.difference(&named).copied().collect::<BTreeSet<_>>(),
        nowhere
    );
}

/// Whoever copies an example has a body that is understood; the ids in it are nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_request_is_understood() {
    let office = Office::open().await;
    let aero = World::token(&office, "AERO").await;
    let finance = World::sign_in(&office, "fiona").await;
    for one in operations() {
        let example = &one.said["requestBody"]["content"]["application/json"]["example"];
        if example.is_null() || one.is_public() {
            continue;
        }
        let by_partner = one.scheme("partner").is_some();
        let is_finance = one
            .scheme("person")
            .is_some_and(|roles| !roles.contains(&"operator".into()));
        let token = match (by_partner, is_finance) {
            (true, _) => &aero,
            (false, true) => &finance,
            (false, false) => &office.operator_token,
        };
        let request = office.request(one.method.clone(), &filled(&one.path));
        let request = request
            .header("idempotency-key", &one.id)
            .bearer_auth(token);
        let answer = send(request.json(example)).await;
        let mut code = answer.body["code"].as_str().unwrap_or_default();
        let pointer = answer.body["errors"][0]["pointer"]
            .as_str()
            .unwrap_or_default();
        let made_up = example.pointer(pointer).and_then(Value::as_str);
        if made_up.is_some_and(|text| text.ends_with("_0123456789abcdef")) {
            code = "not-found";
        }
        assert!(
            !["invalid-field", "malformed-json", "forbidden"].contains(&code),
            "{}: {example} {}",
            one.id,
            answer.body
        );
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = document();
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is named and not there"
        );
    }
}

#[test]
fn scopes_and_public_operations_are_the_known_ones() {
    let operations = operations();
    let public: BTreeSet<&str> = operations
        .iter()
        .filter(|one| one.is_public())
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!(public, PUBLIC.into_iter().collect());
    for one in &operations {
        let scopes = one.scheme("partner").into_iter().flatten();
        for scope in scopes {
            assert!(
                SCOPES.iter().any(|(known, _)| scope == known),
                "{}: {scope}",
                one.id
            );
        }
    }
}

/// Resources are found in the sources, because the framework keeps no list.
#[test]
fn every_route_is_in_the_document() {
    let documented: BTreeSet<String> = operations().into_iter().map(|one| one.path).collect();
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    let mut routes = 0;
    for source in sources {
        for part in source.split("web::resource(").skip(1) {
            let literal = part.split('"').nth(1).unwrap_or_default();
            let route = literal.replace("{{", "{").replace("}}", "}");
            let route = route.replace(":.*}", "}");
            let known = match route.strip_suffix("{path}") {
                // It only leads to the viewer.
                _ if route == "/" => true,
                Some(start) => documented.iter().any(|path| path.starts_with(start)),
                None => documented.contains(&route),
            };
            assert!(known, "{route} is not in the document");
            routes += 1;
        }
    }
    assert!(routes > 30, "only {routes} routes were found");
}

fn collect(dir: &Path, sources: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push(std::fs::read_to_string(path).expect("a file"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_who_is_calling() {
    let office = Office::open().await;
    let aero = office.credentials.partner("AERO").expect("AERO").clone();
    let narrowed = async |scope: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*aero.client_id),
            ("client_secret", &*aero.client_secret),
            ("scope", scope),
        ];
        let token = office.token_form(&form).await.ok();
        token["access_token"].as_str().expect("a token").to_owned()
    };
    let (quotes, awards) = (
        narrowed("quotes:write").await,
        narrowed("awards:write").await,
    );
    let operator = &office.operator_token;

    for one in operations().iter().filter(|one| !one.is_public()) {
        for token in [None, Some("x"), Some("e30.e30.e30"), Some("")] {
            let answer = one.call(&office, token).await;
            assert_eq!(answer.problem(), "unauthenticated", "{}", one.id);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let (partner, person) = (one.scheme("partner"), one.scheme("person"));
        assert!(partner.or(person).is_some(), "{} admits nobody", one.id);
        if person.is_none() {
            assert_eq!(
                one.call(&office, Some(operator)).await.problem(),
                "forbidden",
                "{}",
                one.id
            );
        }
        let wrong = match partner {
            Some(scopes) if scopes.is_empty() => continue,
            Some(scopes) if scopes[0] == "quotes:write" => &awards,
            _ => &quotes,
        };
        assert_eq!(
            one.call(&office, Some(wrong)).await.problem(),
            "forbidden",
            "{}",
            one.id
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_told_the_right_ones() {
    let world = World::new().await;
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in operations() {
        let methods = known.entry(one.path).or_default();
        methods.insert(one.method.to_string());
    }
    for (path, methods) in known {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if methods.contains(method) {
                continue;
            }
            let method: Method = method.parse().expect("a method");
            let answer = send(world.request(method.clone(), &filled(&path))).await;
            assert_eq!(answer.problem(), "method-not-allowed", "{method} {path}");
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            let allowed = answer.headers.get("allow").map(|value| value.to_str());
            let allowed = allowed.and_then(Result::ok).unwrap_or_default();
            let allowed: BTreeSet<String> = allowed.split(", ").map(str::to_owned).collect();
            assert_eq!(allowed, methods, "{method} {path}");
        }
    }
}
