//! Whether a program written for one OpenAPI document still works with another.
//!
//! | changed                                            | breaks              |
//! |----------------------------------------------------|---------------------|
//! | an operation, a parameter that was taken or an answer's status is gone | yes |
//! | a parameter or a field is needed that was not, or a scope is | yes       |
//! | a field of an answer is gone, or may be null or left out now | yes       |
//! | a type is another                                   | yes                |
//! | a word that was taken is not, a bound is tighter    | in what is asked    |
//! | a word that was not known may come                  | in what is answered |
//! | an operation, an optional field or a description is new | no              |
//!
//! Named schemas are followed to what they say, and compared on each side on which they are used.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::example::Side;

/// What no longer works, each with its place, in the order of the old document.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Comparison {
        old,
        new,
        open: Vec::new(),
        breaks: Vec::new(),
    };
    found.paths();
    found.breaks
}

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// Bounds that become tighter by growing, and by shrinking.
const FLOORS: [&str; 3] = ["minimum", "minLength", "minItems"];
const CEILINGS: [&str; 3] = ["maximum", "maxLength", "maxItems"];

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// Pairs of named schemas that are being compared.
    open: Vec<(&'a str, &'a str)>,
    breaks: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn say(&mut self, place: &str, what: impl AsRef<str>) {
        self.breaks.push(format!("{place}: {}", what.as_ref()));
    }

    fn paths(&mut self) {
        for (path, item) in entries(&self.old["paths"]) {
            for method in METHODS {
                let Some(old) = item.get(method) else {
                    continue;
                };
                let place = format!("{} {path}", method.to_uppercase());
                match self.new["paths"][path].get(method) {
                    Some(new) => self.operation(&place, old, new),
                    None => self.say(&place, "the operation is gone"),
                }
            }
        }
    }

    fn operation(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        self.parameters(place, old, new);
        self.security(place, old, new);
        self.roles(place, old, new);
        self.request(place, &old["requestBody"], &new["requestBody"]);
        for (status, answer) in entries(&old["responses"]) {
            let Some(now) = new["responses"].get(status) else {
                if status.starts_with('2') {
                    self.say(place, format!("does not answer {status} any more"));
                }
                continue;
            };
            self.content(&format!("{place} {status}"), answer, now, Side::Answered);
        }
    }

    fn parameters(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        let is_same = |a: &Value, b: &Value| a["name"] == b["name"] && a["in"] == b["in"];
        let find = |all: &'a Value, one: &Value| items(all).find(|other| is_same(other, one));
        for before in items(&old["parameters"]) {
            let name = before["name"].as_str().unwrap_or_default();
            let Some(now) = find(&new["parameters"], before) else {
                self.say(place, format!("the parameter {name} is gone"));
                continue;
            };
            self.schema(
                &format!("{place} {name}"),
                &before["schema"],
                &now["schema"],
                Side::Asked,
            );
        }
        for now in items(&new["parameters"]).filter(|now| now["required"] == true) {
            let was_needed =
                find(&old["parameters"], now).is_some_and(|before| before["required"] == true);
            if !was_needed {
                let name = now["name"].as_str().unwrap_or_default();
                self.say(place, format!("the parameter {name} is needed now"));
            }
        }
    }

    /// Every way to be admitted is still one, without another scope.
    fn security(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        for way in items(&old["security"]) {
            let still = items(&new["security"]).any(|now| admits(now, way));
            if !still {
                self.say(place, format!("{way} is not admitted any more"));
            }
        }
    }

    fn roles(&mut self, place: &str, old: &Value, new: &Value) {
        for role in items(&old["x-roles"]) {
            if !items(&new["x-roles"]).any(|one| one == role) {
                self.say(place, format!("the role {role} is not admitted any more"));
            }
        }
    }

    fn request(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        if new["required"] == true && old["required"] != true {
            self.say(place, "a body is needed now");
        }
        self.content(place, old, new, Side::Asked);
    }

    fn content(&mut self, place: &str, old: &'a Value, new: &'a Value, side: Side) {
        for (kind, before) in entries(&old["content"]) {
            match new["content"].get(kind) {
                Some(now) => self.schema(place, &before["schema"], &now["schema"], side),
                None => self.say(place, format!("{kind} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, old: &'a Value, new: &'a Value, side: Side) {
        let names = (name(old), name(new));
        if let (Some(before), Some(now)) = names {
            if self.open.contains(&(before, now)) {
                return;
            }
            self.open.push((before, now));
        }
        let (before, now) = (followed(self.old, old), followed(self.new, new));
        self.types(place, before, now, side);
        self.words(place, before, now, side);
        self.fields(place, before, now, side);
        if side == Side::Asked {
            self.bounds(place, before, now);
        }
        if before["items"].is_object() && now["items"].is_object() {
            self.schema(&format!("{place}/0"), &before["items"], &now["items"], side);
        }
        let (ours, theirs) = (
            &before["additionalProperties"],
            &now["additionalProperties"],
        );
        if ours.is_object() && theirs.is_object() {
            self.schema(&format!("{place}/*"), ours, theirs, side);
        }
        self.alternatives(place, before, now, side);
        if matches!(names, (Some(_), Some(_))) {
            self.open.pop();
        }
    }

    fn types(&mut self, place: &str, old: &Value, new: &Value, side: Side) {
        let (before, now) = (types(old), types(new));
        if before.is_empty() || now.is_empty() {
            return;
        }
        let is_fine = match side {
            Side::Asked => before.is_subset(&now),
            Side::Answered => now.is_subset(&before),
        };
        if !is_fine {
            let list = |kinds: BTreeSet<&str>| kinds.into_iter().collect::<Vec<_>>().join(" or ");
            self.say(place, format!("was {}, is {}", list(before), list(now)));
        }
    }

    fn words(&mut self, place: &str, old: &Value, new: &Value, side: Side) {
        let (before, now) = (&old["enum"], &new["enum"]);
        let lost = |all: &Value, of: &Value| -> Vec<String> {
            let gone = items(of).filter(|word| !items(all).any(|other| other == *word));
            gone.map(Value::to_string).collect()
        };
        let missing = match side {
            Side::Asked if now.is_array() && !before.is_array() => vec!["anything else".to_owned()],
            Side::Asked if now.is_array() => lost(now, before),
            Side::Answered if before.is_array() && !now.is_array() => vec!["anything".to_owned()],
            Side::Answered if before.is_array() => lost(before, now),
            Side::Asked | Side::Answered => Vec::new(),
        };
        let what = match side {
            Side::Asked => "is not taken any more",
            Side::Answered => "may come, and was not known",
        };
        for word in missing {
            self.say(place, format!("{word} {what}"));
        }
    }

    fn fields(&mut self, place: &str, old: &'a Value, new: &'a Value, side: Side) {
        for (field, before) in entries(&old["properties"]) {
            let inner = format!("{place}/{field}");
            let Some(now) = new["properties"].get(field) else {
                self.say(&inner, "is gone");
                continue;
            };
            let may_miss = side == Side::Answered && requires(old, field) && !requires(new, field);
            if may_miss {
                self.say(&inner, "may be left out now");
            }
            self.schema(&inner, before, now, side);
        }
        if side == Side::Answered {
            return;
        }
        for needed in items(&new["required"]).filter_map(Value::as_str) {
            if !requires(old, needed) {
                self.say(&format!("{place}/{needed}"), "is needed now");
            }
        }
    }

    fn bounds(&mut self, place: &str, old: &Value, new: &Value) {
        for (bounds, is_floor) in [(FLOORS, true), (CEILINGS, false)] {
            for bound in bounds {
                let (before, now) = (old[bound].as_f64(), new[bound].as_f64());
                let is_tighter = match (before, now) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(before), Some(now)) if is_floor => now > before,
                    (Some(before), Some(now)) => now < before,
                };
                if is_tighter {
                    self.say(place, format!("{bound} is {}", new[bound]));
                }
            }
        }
        if new["pattern"].is_string() && new["pattern"] != old["pattern"] {
            self.say(place, format!("the pattern is {}", new["pattern"]));
        }
    }

    /// The alternatives in their order, one beside the other.
    fn alternatives(&mut self, place: &str, old: &'a Value, new: &'a Value, side: Side) {
        for several in ["oneOf", "anyOf", "allOf"] {
            let (before, now) = (old[several].as_array(), new[several].as_array());
            let (Some(before), Some(now)) = (before, now) else {
                if before.is_some() != now.is_some() {
                    self.say(place, format!("{several} came or went"));
                }
                continue;
            };
            let is_fewer = now.len() < before.len();
            let is_more = now.len() > before.len();
            if (side == Side::Asked && is_fewer) || (side == Side::Answered && is_more) {
                self.say(
                    place,
                    format!("{several} has {} parts, had {}", now.len(), before.len()),
                );
                continue;
            }
            for (at, (before, now)) in before.iter().zip(now).enumerate() {
                self.schema(&format!("{place}({at})"), before, now, side);
            }
        }
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE).iter()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn followed<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match name(schema) {
        Some(name) => &document["components"]["schemas"][name],
        None => schema,
    }
}

/// The types a schema allows; an integer is a number.
fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(kind) => BTreeSet::from([kind.as_str()]),
        several => items(several).filter_map(Value::as_str).collect(),
    }
}

fn requires(schema: &Value, field: &str) -> bool {
    items(&schema["required"]).any(|one| one == field)
}

/// Whether who is admitted by `before` is by `now`: the same schemes, without a scope more.
fn admits(now: &Value, before: &Value) -> bool {
    entries(now).all(|(scheme, scopes)| {
        let held = before.get(scheme);
        held.is_some_and(|held| items(scopes).all(|scope| items(held).any(|one| one == scope)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A document with one operation.
    fn document() -> Value {
        json!({
            "paths": {"/a": {"post": {
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 200}}],
                "security": [{"partner": ["a:write"]}],
                "x-roles": ["operator"],
                "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}}},
            }}},
            "components": {"schemas": {
                "New": {"type": "object", "required": ["x"], "properties": {
                    "x": {"type": "string", "enum": ["a", "b"]}, "y": {"type": ["string", "null"]}}},
                "Body": {"type": "object", "required": ["id", "state"], "properties": {
                    "id": {"type": "string"}, "state": {"type": "string", "enum": ["on", "off"]},
                    "part": {"$ref": "#/components/schemas/Body"}}},
            }}
        })
    }

    /// What breaks when the value at a place becomes another; null takes it away.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let mut new = document();
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/");
        let parent = new.pointer_mut(parent).expect(pointer);
        match (parent, value) {
            (Value::Object(parent), Value::Null) => drop(parent.remove(&last)),
            (parent, value) => parent[&last] = value,
        }
        breaks(&document(), &new)
    }

    #[test]
    fn a_document_is_compatible_with_itself() {
        assert_eq!(breaks(&document(), &document()), [""; 0]);
    }

    #[test]
    fn what_breaks_a_program_is_named() {
        let (new, body) = ("/components/schemas/New", "/components/schemas/Body");
        let operation = "/paths/~1a/post";
        let cases = [
            (
                "/paths/~1a".into(),
                Value::Null,
                "POST /a: the operation is gone",
            ),
            (
                "/paths/~1a/post".into(),
                Value::Null,
                "POST /a: the operation is gone",
            ),
            (
                format!("{operation}/responses/200"),
                Value::Null,
                "POST /a: does not answer 200 any more",
            ),
            (
                format!("{operation}/parameters"),
                json!([]),
                "POST /a: the parameter limit is gone",
            ),
            (
                format!("{operation}/parameters"),
                json!([{"name": "limit", "in": "query", "required": true, "schema": {"type": "integer", "maximum": 200}}]),
                "POST /a: the parameter limit is needed now",
            ),
            (
                format!("{operation}/parameters"),
                json!([{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}]),
                "POST /a limit: maximum is 100",
            ),
            (
                format!("{operation}/security"),
                json!([{"partner": ["a:write", "b:write"]}]),
                r#"POST /a: {"partner":["a:write"]} is not admitted any more"#,
            ),
            (
                format!("{operation}/x-roles"),
                json!([]),
                "POST /a: the role \"operator\" is not admitted any more",
            ),
            (
                format!("{new}/required"),
                json!(["x", "y"]),
                "POST /a/y: is needed now",
            ),
            (
                format!("{new}/properties/y"),
                Value::Null,
                "POST /a/y: is gone",
            ),
            (
                format!("{new}/properties/x/enum"),
                json!(["a"]),
                "POST /a/x: \"b\" is not taken any more",
            ),
            (
                format!("{new}/properties/x/pattern"),
                json!("^a$"),
                "POST /a/x: the pattern is \"^a$\"",
            ),
            (
                format!("{new}/properties/y/type"),
                json!("string"),
                "POST /a/y: was null or string, is string",
            ),
            (
                format!("{new}/properties/y/maxLength"),
                json!(9),
                "POST /a/y: maxLength is 9",
            ),
            (
                format!("{body}/properties/id"),
                Value::Null,
                "POST /a 200/id: is gone",
            ),
            (
                format!("{body}/properties/id/type"),
                json!("integer"),
                "POST /a 200/id: was string, is integer",
            ),
            (
                format!("{body}/properties/id/type"),
                json!(["string", "null"]),
                "POST /a 200/id: was string, is null or string",
            ),
            (
                format!("{body}/required"),
                json!(["state"]),
                "POST /a 200/id: may be left out now",
            ),
            (
                format!("{body}/properties/state/enum"),
                json!(["on", "off", "broken"]),
                "POST /a 200/state: \"broken\" may come, and was not known",
            ),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(
                after(&pointer, value.clone()),
                [expected],
                "{pointer} {value}"
            );
        }
    }

    #[test]
    fn what_only_adds_breaks_nothing() {
        let (new, body) = ("/components/schemas/New", "/components/schemas/Body");
        let cases = [
            ("/paths/~1b".to_owned(), json!({"get": {}})),
            ("/paths/~1a/post/summary".to_owned(), json!("new words")),
            (
                "/paths/~1a/post/security".to_owned(),
                json!([{"partner": ["a:write"]}, {"person": []}]),
            ),
            (format!("{new}/properties/z"), json!({"type": "string"})),
            (format!("{new}/properties/x/enum"), json!(["a", "b", "c"])),
            (format!("{new}/required"), json!([])),
            (format!("{body}/properties/more"), json!({"type": "string"})),
            (format!("{body}/properties/state/enum"), json!(["on"])),
        ];
        for (pointer, value) in cases {
            assert_eq!(after(&pointer, value.clone()), [""; 0], "{pointer} {value}");
        }
    }
}
