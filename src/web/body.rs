//! What a JSON body may look like: at most 64 KiB, at most 32 deep, UTF-8 without a byte order
//! mark, no unknown field, no field twice. A body that is not that is refused with the place.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::error::{Error, Problem, Slug};

pub const LARGEST: usize = 64 * 1024;
const DEEPEST: usize = 32;
const SLOWEST: Duration = Duration::from_secs(10);

/// A JSON body of a request that is no write (a sign-in, say).
pub struct Json<T>(pub T);

/// A body without fields: `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// A write: its Idempotency-Key, the bytes that came, and what they say.
pub struct Write<T> {
    pub key: String,
    pub raw: web::Bytes,
    pub body: T,
}

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let raw = read(&request, payload, "application/json").await?;
            Ok(Json(parse(&raw)?))
        })
    }
}

impl<T: DeserializeOwned> FromRequest for Write<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let key = idempotency_key(&request)?;
            let raw = read(&request, payload, "application/json").await?;
            let body = parse(&raw)?;
            Ok(Write { key, raw, body })
        })
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let mut given = request.headers().get_all("idempotency-key");
    let key = given.next().ok_or_else(|| {
        Problem::new(
            Slug::IdempotencyKeyMissing,
            "send an Idempotency-Key header with a fresh random value",
        )
    })?;
    let usable = key.to_str().ok().filter(|text| {
        (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && given.next().is_none()
    });
    let rule = "one header of 1 to 255 visible ASCII characters";
    usable
        .map(str::to_owned)
        .ok_or_else(|| Problem::new(Slug::IdempotencyKeyInvalid, rule))
}

/// The bytes of a body of the expected kind, bounded in size and time.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    expected: &str,
) -> Result<web::Bytes, Error> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let once = request.headers().get_all(header::CONTENT_TYPE).count() == 1;
    if !once || !essence.eq_ignore_ascii_case(expected) {
        return Err(Problem::new(
            Slug::UnsupportedMediaType,
            format!("send one Content-Type: {expected}"),
        )
        .into());
    }
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(
            Slug::UnsupportedMediaType,
            "send the body without a Content-Encoding",
        )
        .into());
    }
    let gathered = tokio::time::timeout(SLOWEST, gather(payload)).await;
    gathered.map_err(|_| {
        Problem::new(
            Slug::MalformedJson,
            "the body did not arrive within 10 seconds",
        )
    })?
}

async fn gather(mut payload: Payload) -> Result<web::Bytes, Error> {
    let mut bytes = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(
                Slug::MalformedJson,
                format!("the body cannot be read: {error}"),
            )
        })?;
        if bytes.len() + chunk.len() > LARGEST {
            return Err(Problem::new(
                Slug::BodyTooLarge,
                format!("at most {LARGEST} bytes are taken"),
            )
            .into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// What the bytes say, or which field is wrong and why.
pub fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    if depth(raw) > DEEPEST {
        return Err(Problem::new(
            Slug::MalformedJson,
            format!("the body is nested deeper than {DEEPEST} levels"),
        ));
    }
    // A list would be read as the fields of an object in their order.
    if raw.trim_ascii_start().first() == Some(&b'[') && is_json(raw) {
        return Err(Problem::field("", "an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => Problem::field(pointer, cause.to_string()),
            // The reader also calls a number out of range, or a null for one of several words, bad
            // syntax.
            _ if is_json(raw) => Problem::field(pointer, cause.to_string()),
            _ => Problem::new(Slug::MalformedJson, cause.to_string()),
        }
    })?;
    reader
        .end()
        .map_err(|error| Problem::new(Slug::MalformedJson, error.to_string()))?;
    Ok(parsed)
}

fn is_json(raw: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(raw).is_ok()
}

/// Reads a field that is an object, for `deserialize_with`. Serde would also take a list, as the
/// fields in their order.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// The same for a field that may be null, and, with `default`, left out.
pub fn object_or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Whole<T>>::deserialize(deserializer)?.map(|Whole(read)| read))
}

/// The same for a list of objects.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let read = Vec::<Whole<T>>::deserialize(deserializer)?.into_iter();
    Ok(read.map(|Whole(read)| read).collect())
}

/// What is an object, whatever a derived reader would take for one.
struct Whole<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Whole)
    }
}

/// Reads a field whose names the caller chooses, for `deserialize_with`. Serde would take the last of
/// two entries of one name.
pub fn entries<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    struct Entries<K, V>(PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, value)) = map.next_entry()? {
                if entries.insert(name, value).is_some() {
                    return Err(A::Error::custom("a name stands twice"));
                }
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Entries(PhantomData))
}

/// A path as a JSON pointer (RFC 6901).
pub(super) fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

/// The deepest nesting of brackets outside strings.
fn depth(raw: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[allow(dead_code)]
        inner: Inner,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code)]
        count: u32,
    }

    fn refusal(raw: &str) -> Problem {
        parse::<Body>(raw.as_bytes()).expect_err(raw)
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        assert_eq!(
            refusal(r#"{"inner":{"count":"1"}}"#).errors[0].pointer,
            "/inner/count"
        );
        assert_eq!(
            refusal(r#"{"inner":{"count":1,"more":2}}"#).errors[0].pointer,
            "/inner/more"
        );
        assert_eq!(
            refusal(r#"{"inner":{"count":1,"count":2}}"#).slug,
            Slug::InvalidField
        );
    }

    #[test]
    fn a_name_of_the_callers_stands_once() {
        #[derive(Debug, serde::Deserialize)]
        struct Named(#[serde(deserialize_with = "entries")] BTreeMap<String, u32>);

        let Named(read) = parse(br#"{"a":1,"b":2}"#).unwrap();
        assert_eq!(read.len(), 2);
        for (raw, pointer) in [(r#"{"a":1,"b":2,"a":1}"#, ""), (r#"{"a":"1"}"#, "/a")] {
            let refused = parse::<Named>(raw.as_bytes()).expect_err(raw);
            assert_eq!(refused.errors[0].pointer, pointer, "{raw}");
        }
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(refusal("[[1]]").slug, Slug::InvalidField);
        assert_eq!(
            refusal(r#"{"inner":{"count":1e400}}"#).errors[0].pointer,
            "/inner/count"
        );
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for raw in [
            "",
            "{",
            "\u{feff}{}",
            r#"{"inner":{"count":NaN}}"#,
            r#"{"inner":{"count":1}} x"#,
            r#""\ud800""#,
        ] {
            let slug = refusal(raw).slug;
            assert!(
                matches!(slug, Slug::MalformedJson | Slug::InvalidField),
                "{raw}: {slug:?}"
            );
        }
        assert_eq!(refusal(&"[".repeat(40)).slug, Slug::MalformedJson);
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(depth(br#"{"a":"[[[[\"[["}"#), 1);
    }
}
