//! The webhooks of the OpenAPI document: each type of event, with the schema of what it carries.

use serde_json::{Value, json};
use utoipa::openapi::Paths;

use crate::events::event;

/// A webhook for each type of event, and for the test event.
pub fn webhooks() -> Paths {
    let types = event::TYPES.iter().map(|(name, data)| (*name, *data));
    let all = types.chain([(event::PING, "PingedBody")]);
    let paths = all.map(|(name, data)| (name.to_owned(), webhook(name, data)));
    let paths = Value::Object(paths.collect());
    serde_json::from_value(paths).expect("a path item for each type, made above")
}

fn webhook(name: &str, data: &str) -> Value {
    let header = |name: &str, description: &str| {
        json!({"name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string"}})
    };
    let mut body = json!({
        "type": "object",
        "required": ["id", "type", "occurred_at", "data"],
        "properties": {
            "id": {"type": "string", "description": "The same as `webhook-id`."},
            "type": {"type": "string", "enum": [name]},
            "occurred_at": {"type": "string", "format": "date-time"},
            "data": {"$ref": format!("#/components/schemas/{data}")}
        }
    });
    // A test event happened to nothing.
    if name != event::PING {
        body["required"] = json!(["id", "type", "occurred_at", "subject", "sequence", "data"]);
        body["properties"]["subject"] =
            json!({"type": "string", "description": "The id of what it happened to."});
        body["properties"]["sequence"] = json!({"type": "integer", "format": "int64", "description": "The how many-eth event of that it is."});
    }
    json!({"post": {
        "operationId": name,
        "tags": ["webhooks"],
        "summary": format!("`{name}` happened"),
        "description": "Sent to the endpoints of the partners whom it concerns, after the Standard Webhooks specification. Answer 2xx when you have it; the same event may come again.",
        "security": [{}],
        "parameters": [
            header("webhook-id", "The event's id, also when it is sent again."),
            header("webhook-timestamp", "When it was sent, in seconds since 1970."),
            header("webhook-signature", "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several with spaces between while secrets rotate.")
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "It has arrived."}}
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_a_webhook_that_names_it() {
        let paths = serde_json::to_value(webhooks()).expect("JSON");
        assert_eq!(
            paths.as_object().map(|all| all.len()),
            Some(event::TYPES.len() + 1)
        );
        for (name, data) in event::TYPES {
            let schema =
                &paths[name]["post"]["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(schema["properties"]["type"]["enum"][0], name);
            let data = format!("#/components/schemas/{data}");
            assert_eq!(schema["properties"]["data"]["$ref"], data);
        }
    }
}
