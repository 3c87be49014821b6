//! An example of what a schema describes, made of the examples of its parts.
//!
//! | schema            | example                                                                    |
//! |-------------------|----------------------------------------------------------------------------|
//! | with an `example` | that                                                                       |
//! | of one of several | the first that is not null                                                 |
//! | an object, asked for | what is required, and what else has an example of its own               |
//! | an object, answered  | everything                                                              |
//! | a list            | one of it                                                                  |
//! | that may be null  | null, when its parts give nothing better                                   |
//! | a text            | by its format, else by its name in [`TEXTS`]                               |
//!
//! So an example never says what its schema does not, and a field without one is found by a test.

use serde_json::{Map, Value, json};

/// Who sends what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Asked,
    Answered,
}

/// Texts that mean the same wherever they stand, by the name of their field, or of their schema and field
/// where that is not enough.
pub const TEXTS: &[(&str, &str)] = &[
    ("AdjustedBody.id", "adj_0123456789abcdef"),
    ("AdjustmentBody.id", "adj_0123456789abcdef"),
    ("AdjustmentBody.reason", "Counted twice at the till"),
    ("AdjustmentBody.state", "proposed"),
    ("AwardBody.id", "awd_0123456789abcdef"),
    ("AwardBody.reason", "purchase"),
    (
        "CampaignBody.sentence",
        "Everybody who turns 1,000 MILE or more into STAR gets 20 % on top.",
    ),
    (
        "CampaignBody.sentence_zh",
        "凡以 1,000 MILE 或以上兌換 STAR，額外獲贈 20%。",
    ),
    ("ConversionBody.id", "cnv_0123456789abcdef"),
    ("ConversionBody.status", "completed"),
    ("DeliveryBody.id", "dlv_0123456789abcdef"),
    ("EntryBody.direction", "in"),
    ("EntryBody.kind", "award"),
    ("EventBody.id", "evt_0123456789abcdef"),
    ("ExchangeRateBody.source", "European Central Bank"),
    ("ExpiryBody.id", "exp_0123456789abcdef"),
    ("FieldError.detail", "an amount above zero"),
    ("FieldError.pointer", "/amount/amount"),
    ("HoldBody.id", "hld_0123456789abcdef"),
    ("HoldBody.state", "open"),
    ("HoldStepBody.id", "cap_0123456789abcdef"),
    ("HoldStepBody.kind", "capture"),
    (
        "KnownProblemBody.advice",
        "`errors` names each field and the rule.",
    ),
    ("KnownProblemBody.title", "A field is not what it should be"),
    ("NewAdjustment.reason", "Counted twice at the till"),
    ("PingBody.id", "evt_0123456789abcdef"),
    ("PositionBody.direction", "owes"),
    ("PositionBody.partner", "AERO"),
    ("ProblemBody.detail", "/amount/amount: an amount above zero"),
    ("ProblemBody.title", "A field is not what it should be"),
    ("RedemptionBody.id", "red_0123456789abcdef"),
    ("ReversalBody.id", "rev_0123456789abcdef"),
    ("MeBody.name", "Olivia"),
    ("PersonBody.name", "Olga Ng"),
    ("SignedInBody.name", "Olivia"),
    ("WalletBody.id", "wal_0123456789abcdef"),
    ("CredentialBody.scopes", "awards:write"),
    ("EventBody.subject", "awd_0123456789abcdef"),
    ("QuoteBody.id", "019a9f3e-7c1d-7e7a-9d1b-0f6f2a1c5b10"),
    ("ServerMetadata.grant_types_supported", "client_credentials"),
    ("ServerMetadata.scopes_supported", "awards:write"),
    (
        "ServerMetadata.token_endpoint_auth_methods_supported",
        "client_secret_basic",
    ),
    (
        "ServerMetadata.token_endpoint_auth_signing_alg_values_supported",
        "EdDSA",
    ),
    ("WebhookEndpoint.types", "conversion.completed"),
    ("WindowBody.id", "win_0123456789abcdef"),
    ("WindowBody.state", "open"),
    (
        "access_token",
        "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjcmRfMDEifQ.c2lnbmF0dXJl",
    ),
    ("after", "0123456789abcdef0123456789abcdef"),
    ("agreed", "hub"),
    ("arrives", "at_once"),
    ("balance", "-10000"),
    ("book", "unit"),
    ("budget", "1000000"),
    ("campaign", "cmp_0123456789abcdef"),
    ("card", "card_0123456789abcdef"),
    ("code", "7Q4K-2M9D-XW3T"),
    (
        "content_hash",
        "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e",
    ),
    ("conversion", "cnv_0123456789abcdef"),
    ("credit", "10000"),
    ("currency", "MILE"),
    ("cursor", "0123456789abcdef0123456789abcdef"),
    ("debit", "0"),
    (
        "en",
        "10,000 MILE become 12,187 HPT at once. There is no fee.",
    ),
    ("event", "evt_0123456789abcdef"),
    (
        "hash",
        "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e",
    ),
    ("hold", "hld_0123456789abcdef"),
    ("issuer", "ptr_0123456789abcdef"),
    ("ServerMetadata.issuer", "https://hub.example.com"),
    ("jwks_uri", "https://hub.example.com/.well-known/jwks.json"),
    (
        "link_token",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJtZW1iZXIiOiJtZW1fMDEifQ.c2lnbmF0dXJl",
    ),
    ("member", "mem_0123456789abcdef"),
    ("most", "5000"),
    ("name", "Summer of stars"),
    ("name_zh", "星之夏"),
    ("next_cursor", "0123456789abcdef0123456789abcdef"),
    ("operation", "awd_0123456789abcdef"),
    ("parties", "hub"),
    ("party", "hub"),
    (
        "quote",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJnaXZlcyI6IjEwMDAwIn0.c2lnbmF0dXJl",
    ),
    ("request_id", "019a9f3e-7c1d-7e7a-9d1b-0f6f2a1c5b10"),
    ("source_price", "0.01"),
    ("target_price", "0.008"),
    ("to", "HPT"),
    ("token_endpoint", "https://hub.example.com/oauth/token"),
    ("url", "https://shop.example.com/interline"),
    ("wallet", "wal_0123456789abcdef"),
    ("webhook_endpoint", "whe_0123456789abcdef"),
    ("zh-Hant", "10,000 MILE 即時兌換 12,187 HPT，不收手續費。"),
    ("zone", "Asia/Hong_Kong"),
];

/// The fields that nothing gives an example of, as paths.
pub type Missing = Vec<String>;

/// An example of a schema of a document whose named schemas are these.
pub fn of(schema: &Value, named: &Map<String, Value>, side: Side) -> (Value, Missing) {
    let mut maker = Maker {
        named,
        side,
        open: Vec::new(),
        missing: Vec::new(),
    };
    let example = maker.make(schema, "", "");
    (example, maker.missing)
}

struct Maker<'a> {
    named: &'a Map<String, Value>,
    side: Side,
    /// The named schemas that are being made an example of.
    open: Vec<&'a str>,
    missing: Missing,
}

impl<'a> Maker<'a> {
    /// `owner` is the schema that is inside of, `field` the name of what is made.
    fn make(&mut self, schema: &'a Value, owner: &str, field: &str) -> Value {
        if let Some(example) = given(schema) {
            return example;
        }
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|text| text.rsplit('/').next())
        {
            return self.named(name, field);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().map(|part| self.make(part, owner, field));
            return merged(parts.collect());
        }
        if let Some(several) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            let mut several = several.iter().filter(|one| one["type"] != "null");
            let first = several.next();
            return first.map_or(Value::Null, |one| self.make(one, owner, field));
        }
        self.of_type(schema, owner, field)
    }

    fn named(&mut self, name: &str, field: &str) -> Value {
        let Some((name, schema)) = self.named.get_key_value(name) else {
            return Value::Null;
        };
        if self.open.contains(&name.as_str()) {
            return Value::Null;
        }
        self.open.push(name);
        let example = self.make(schema, name, field);
        self.open.pop();
        example
    }

    fn of_type(&mut self, schema: &'a Value, owner: &str, field: &str) -> Value {
        let (kind, may_be_null) = kind(schema);
        match kind {
            "object" => self.object(schema, owner, field),
            "array" if schema["items"].is_object() => {
                json!([self.make(&schema["items"], owner, field)])
            }
            "array" => json!([]),
            "boolean" => json!(false),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "string" => match text(schema, owner, field) {
                Some(text) => json!(text),
                None if may_be_null => Value::Null,
                None => {
                    self.missing.push(format!("{owner}.{field}"));
                    Value::Null
                }
            },
            _ => text(schema, owner, field).map_or(json!({}), |text| json!(text)),
        }
    }

    fn object(&mut self, schema: &'a Value, owner: &str, field: &str) -> Value {
        let required = schema["required"].as_array();
        let is_required =
            |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
        let mut made = Map::new();
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            let is_shown =
                self.side == Side::Answered || is_required(name) || given(part).is_some();
            if is_shown {
                made.insert(name.clone(), self.make(part, owner, name));
            }
        }
        if let more @ Value::Object(_) = &schema["additionalProperties"] {
            made.insert("tier".into(), self.make(more, owner, field));
        }
        Value::Object(made)
    }
}

/// What the schema itself gives.
fn given(schema: &Value) -> Option<Value> {
    let example = schema.get("example").or_else(|| schema["examples"].get(0));
    let fixed = schema.get("const").or_else(|| schema["enum"].get(0));
    example.or(fixed).or_else(|| schema.get("default")).cloned()
}

/// The type that is not null, and whether null is one too.
fn kind(schema: &Value) -> (&str, bool) {
    match &schema["type"] {
        Value::String(kind) => (kind, false),
        Value::Array(kinds) => {
            let mut known = kinds.iter().filter_map(Value::as_str);
            let may_be_null = known.clone().any(|kind| kind == "null");
            let kind = known.find(|kind| *kind != "null").unwrap_or_default();
            (kind, may_be_null)
        }
        _ if schema["properties"].is_object() => ("object", false),
        _ => ("", false),
    }
}

fn text(schema: &Value, owner: &str, field: &str) -> Option<&'static str> {
    let of_format = match schema["format"].as_str() {
        Some("date-time") => Some("2027-01-15T13:00:00Z"),
        Some("date") => Some("2027-01-15"),
        Some("uuid") => Some("019a9f3e-7c1d-7e7a-9d1b-0f6f2a1c5b10"),
        Some("uri") => Some("https://example.com/"),
        Some("password") => Some("correct horse battery staple"),
        _ => None,
    };
    // What stands in a page is said there once more, without its name.
    let owner = owner.strip_prefix("Page_").unwrap_or(owner);
    let whole = format!("{owner}.{field}");
    let known = |wanted: &str| {
        TEXTS
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, text)| *text)
    };
    of_format.or_else(|| known(&whole)).or_else(|| known(field))
}

fn merged(parts: Vec<Value>) -> Value {
    let mut whole = Map::new();
    for part in parts {
        if let Value::Object(part) = part {
            whole.extend(part);
        }
    }
    Value::Object(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_made_of_what_the_parts_say() {
        let named = json!({
            "Amount": {"type": "object", "required": ["amount"], "properties": {
                "amount": {"type": "string", "example": "3000"}}},
            "Tree": {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Tree"}}},
        });
        let named = named.as_object().unwrap();
        let field = |schema: Value| json!({"type": "object", "properties": {"x": schema}});
        let cases = [
            (json!({"type": "integer", "minimum": 3}), json!(3)),
            (json!({"type": "string", "enum": ["a", "b"]}), json!("a")),
            (json!({"type": ["string", "null"]}), json!(null)),
            (
                json!({"type": "string", "format": "date"}),
                json!("2027-01-15"),
            ),
            (
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Amount"}}),
                json!([{"amount": "3000"}]),
            ),
            (
                json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Amount"}]}),
                json!({"amount": "3000"}),
            ),
            (
                json!({"$ref": "#/components/schemas/Tree"}),
                json!({"child": null}),
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
                json!({"tier": false}),
            ),
        ];
        for (schema, expected) in cases {
            let whole = field(schema.clone());
            let (made, missing) = of(&whole, named, Side::Answered);
            assert_eq!((&made["x"], missing.len()), (&expected, 0), "{schema}");
            let (asked, _) = of(&whole, named, Side::Asked);
            let shown = match schema["enum"].is_array() {
                true => made,
                false => json!({}),
            };
            assert_eq!(
                asked, shown,
                "it is not required, and shown only with an example"
            );
        }
        let nothing = field(json!({"type": "string"}));
        assert_eq!(of(&nothing, named, Side::Answered).1, [".x"]);
    }
}
