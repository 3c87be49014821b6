//! Tokens that were not issued, in every way one tries to pass them off: all get one and the same answer,
//! and nobody is asked about them.

use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use interline::id::Kind;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::world::{World, send};

/// What stands before an Ed25519 seed in PKCS #8, and before a public key in SPKI.
const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIA==";
const SPKI: &str = "MCowBQYDK2VwAyEA";

/// How a forged token is signed.
enum By<'a> {
    /// The hub's own key, as only the hub can.
    Hub,
    Another,
    Secret(&'a [u8]),
    Nobody,
}

struct Forge {
    hub: EncodingKey,
    another: EncodingKey,
    header: Value,
    claims: Value,
}

pub fn ed25519(seed: &[u8; 32]) -> EncodingKey {
    let mut der = STANDARD.decode(PKCS8).unwrap();
    der.extend(seed);
    EncodingKey::from_ed_der(&der)
}

impl Forge {
    /// Knows a good token, and can do what the hub can.
    fn of(world: &World, good: &str) -> Forge {
        let parts: Vec<&str> = good.split('.').collect();
        Forge {
            hub: ed25519(&world.hub.secrets.tokens[0].seed),
            another: ed25519(&[9; 32]),
            header: part(parts[0]),
            claims: part(parts[1]),
        }
    }

    fn token(&self, header: &str, claims: &str, by: By<'_>) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let sign = |key: &EncodingKey, algorithm| {
            jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm).unwrap()
        };
        let signature = match by {
            By::Hub => sign(&self.hub, Algorithm::EdDSA),
            By::Another => sign(&self.another, Algorithm::EdDSA),
            By::Secret(secret) => sign(&EncodingKey::from_secret(secret), Algorithm::HS256),
            By::Nobody => String::new(),
        };
        format!("{signed}.{signature}")
    }

    /// The good header with something else in it.
    fn header_with(&self, more: Value) -> String {
        with(&self.header, more)
    }

    fn claims_with(&self, more: Value) -> String {
        with(&self.claims, more)
    }
}

fn part(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// Null takes a member away.
fn with(object: &Value, more: Value) -> String {
    let mut object = object.clone();
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_the_hub_did_not_issue_gets_one_answer_and_asks_nobody() {
    let world = World::new().await;
    let good = world.token("AERO").await;
    let forge = Forge::of(&world, &good);
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let there = format!("http://{}/keys", trap.local_addr().unwrap());

    let keys = world.get("", "/.well-known/jwks.json").await.ok();
    let x = keys["keys"][0]["x"].as_str().unwrap().to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&x).unwrap();
    let der = [STANDARD.decode(SPKI).unwrap(), raw.clone()].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&der)
    );
    let jwk = keys["keys"][0].to_string();
    let mine = jsonwebtoken::jwk::Jwk::from_encoding_key(&forge.another, Algorithm::EdDSA).unwrap();
    let mine = serde_json::to_value(mine).unwrap();

    let is_in = async |token: &str| world.get(token, "/v1/partners").await.status.as_u16() == 200;
    assert!(is_in(&good).await && is_in(&forge.token(&header, &claims, By::Hub)).await);

    let mut forged: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| forged.push((name.to_owned(), token));
    for alg in [
        "none", "None", "NONE", "nOnE", "NoNe", "none ", "", "null", "EdDSA ", "eddsa", "HS256",
        "RS256",
    ] {
        let header = forge.header_with(json!({"alg": alg}));
        add(
            &format!("alg {alg:?}, not signed"),
            forge.token(&header, &claims, By::Nobody),
        );
        add(
            &format!("alg {alg:?}, signed"),
            forge.token(&header, &claims, By::Another),
        );
    }
    for alg in [
        json!(null),
        json!(["EdDSA"]),
        json!(0),
        json!({"EdDSA": 1}),
        json!(true),
    ] {
        let header = forge
            .header
            .to_string()
            .replace("\"EdDSA\"", &alg.to_string());
        add(
            &format!("alg {alg}"),
            forge.token(&header, &claims, By::Hub),
        );
    }
    for (name, secret) in [
        ("raw", raw.as_slice()),
        ("der", der.as_slice()),
        ("pem", pem.as_bytes()),
        ("x", x.as_bytes()),
        ("jwk", jwk.as_bytes()),
        ("nothing", b""),
    ] {
        let header = forge.header_with(json!({"alg": "HS256"}));
        add(
            &format!("HS256 with {name}"),
            forge.token(&header, &claims, By::Secret(secret)),
        );
        add(
            &format!("EdDSA with HMAC of {name}"),
            forge.token(&forge.header.to_string(), &claims, By::Secret(secret)),
        );
    }
    for kid in [
        json!(null),
        json!("other"),
        json!(""),
        json!("../../dev/null"),
        json!("' or 1=1 --"),
        json!("\u{0}"),
        json!(1),
    ] {
        let header = forge.header_with(json!({"kid": kid}));
        add(
            &format!("kid {kid}"),
            forge.token(&header, &claims, By::Hub),
        );
        add(
            &format!("kid {kid} of another"),
            forge.token(&header, &claims, By::Another),
        );
    }
    for (name, value) in [
        ("jwk", mine.clone()),
        ("jku", json!(there)),
        ("x5u", json!(there)),
        ("x5c", json!([STANDARD.encode(&der)])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("typ", json!(null)),
        ("typ", json!("JWT")),
        ("typ", json!("link+jwt")),
        ("typ", json!("quote+jwt")),
        ("typ", json!("refresh")),
    ] {
        let kid = mine["kid"].clone();
        let header = forge.header_with(json!({name: value}));
        add(
            &format!("{name} {value}"),
            forge.token(&header, &claims, By::Hub),
        );
        add(
            &format!("{name} {value} of another"),
            forge.token(&header, &claims, By::Another),
        );
        let header = forge.header_with(json!({name: value, "kid": kid}));
        add(
            &format!("{name} {value} without kid"),
            forge.token(&header, &claims, By::Another),
        );
    }
    let now = Utc::now().timestamp();
    for (name, values) in [
        (
            "iss",
            vec![
                json!("https://other.example"),
                json!(""),
                json!(["http://interline.test"]),
                json!("http://interline.test/"),
            ],
        ),
        (
            "aud",
            vec![
                json!("other"),
                json!(""),
                json!([]),
                json!(["other", "http://interline.test"]),
                json!(1),
            ],
        ),
        (
            "exp",
            vec![
                json!("2100-01-01T00:00:00Z"),
                json!((now + 600).to_string()),
                json!(now - 60),
                json!(0),
                json!(-1),
                json!(1.5),
                json!(true),
            ],
        ),
        (
            "iat",
            vec![
                json!("2026-01-01T00:00:00Z"),
                json!(now + 600),
                json!([now]),
            ],
        ),
        ("nbf", vec![json!(now + 600), json!("2100-01-01T00:00:00Z")]),
        (
            "sub",
            vec![
                json!("crd_0000000000000000"),
                json!("psn_0000000000000000"),
                json!(""),
                json!(1),
            ],
        ),
        (
            "scope",
            vec![json!(""), json!("everything"), json!(["awards:write"])],
        ),
        ("role", vec![json!("operator"), json!("root")]),
        ("jti", vec![json!(1)]),
    ] {
        let optional = ["nbf", "role"];
        let lacking = (!optional.contains(&name)).then_some(json!(null));
        for value in values.into_iter().chain(lacking) {
            let claims = forge.claims_with(json!({name: value}));
            add(
                &format!("{name} {value}"),
                forge.token(&header, &claims, By::Hub),
            );
        }
    }
    for (name, value) in [
        ("sub", "\"crd_0000000000000000\""),
        ("scope", "\"awards:write\""),
        ("exp", "9999999999"),
        ("iss", "\"http://interline.test\""),
        ("unknown", "1,\"unknown\":2"),
    ] {
        let inside = &claims[1..claims.len() - 1];
        for twice in [
            format!("{{{inside},\"{name}\":{value}}}"),
            format!("{{\"{name}\":{value},{inside}}}"),
        ] {
            add(
                &format!("{name} twice"),
                forge.token(&header, &twice, By::Hub),
            );
        }
    }
    let alg_twice = format!("{{\"alg\":\"none\",{}", &header[1..]);
    add("alg twice", forge.token(&alg_twice, &claims, By::Hub));
    let more_twice = format!("{{\"a\":1,\"a\":1,{}", &header[1..]);
    add(
        "a header's member twice",
        forge.token(&more_twice, &claims, By::Hub),
    );
    add(
        "oversize",
        forge.token(
            &header,
            &forge.claims_with(json!({"more": "x".repeat(5_000)})),
            By::Hub,
        ),
    );
    add(
        "claims that are a list",
        forge.token(&header, "[]", By::Hub),
    );
    add(
        "claims that are no JSON",
        forge.token(&header, "{", By::Hub),
    );
    let of_a_person = json!({"sub": world.hub.ids.show(Kind::Person, 1), "client_id": "sessions", "scope": null,
        "partner": null, "role": "operator"});
    add(
        "a person's, who has a session instead",
        forge.token(&header, &forge.claims_with(of_a_person), By::Hub),
    );
    add("another hub's", forge.token(&header, &claims, By::Another));

    let member = world.member().await;
    world.award(&member, "20000", "MILE").await;
    add(
        "a quote",
        world.quote(&member, "10000", "MILE", "HPT").await,
    );
    let aero = world.token("AERO").await;
    let path = format!("/v1/members/{}/link-tokens", member.id);
    let link = world
        .post(&aero, &path, json!({"partner": "BAYVIEW"}))
        .await
        .ok();
    add(
        "a link token",
        link["link_token"].as_str().unwrap().to_owned(),
    );
    let (start, signature) = good.rsplit_once('.').unwrap();
    add("no signature", format!("{start}."));
    add("two parts", start.to_owned());
    add("four parts", format!("{good}.{signature}"));
    add("five parts", format!("{good}..{signature}"));
    add("padded", format!("{good}="));
    add(
        "a signature in small letters",
        format!("{start}.{}", signature.to_lowercase()),
    );
    add("a space", format!("{good} x"));

    let mut one_body = None;
    let mut complaints = Vec::new();
    assert!(forged.len() > 120, "only {}", forged.len());
    for (name, token) in &forged {
        let request = world
            .request(reqwest::Method::GET, "/v1/partners")
            .bearer_auth(token);
        let answer = send(request.header("x-request-id", "constant")).await;
        let told = (answer.status.as_u16(), answer.body.to_string());
        let first = one_body.get_or_insert_with(|| told.clone());
        if told.0 != 401 || told != *first {
            complaints.push(format!("{name}: {} {}", told.0, told.1));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(trap.accept().is_err(), "somebody came for a key");
    assert!(is_in(&good).await, "the good one is good still");
}

/// As if so long had passed since the last rotation.
async fn age_keys(world: &World) {
    let sql = "update secrets set created_at = created_at - interval '1 hour' where purpose = 'tokens' returning 1";
    assert!(!crate::sql::texts(&world.url, sql).await.is_empty());
}

fn kid(token: &str) -> Value {
    part(token.split('.').next().unwrap())["kid"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_signs_for_every_hub_and_what_the_old_one_signed_stays_good() {
    let world = World::new().await;
    let other = world.second().await;
    let is_in =
        async |at: &World, token: &str| at.get(token, "/v1/partners").await.status.as_u16() == 200;
    let operator = world.operator().await;
    let old = world.token("AERO").await;
    age_keys(&world).await;

    let published = world
        .post(operator, "/v1/signing-keys", json!({}))
        .await
        .ok();
    let kids: Vec<&Value> = published["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    assert!(kids.len() == 2 && *kids[1] == kid(&old), "{published}");
    assert_eq!(
        kid(&world.token("AERO").await),
        kid(&old),
        "the new key signed before anybody knew it"
    );
    let again = world.post(operator, "/v1/signing-keys", json!({})).await;
    assert_eq!(again.problem(), "signing-key-too-young");

    age_keys(&world).await;
    // A hub reads the keys once a second at most, and has five minutes to.
    let soon = async || tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    for hub in [&world, &other] {
        while hub.get("", "/.well-known/jwks.json").await.ok() != published {
            soon().await;
        }
    }
    let fresh = loop {
        let token = world.token("AERO").await;
        if kid(&token) == *kids[0] {
            break token;
        }
        soon().await;
    };
    for hub in [&world, &other] {
        assert!(is_in(hub, &fresh).await && is_in(hub, &old).await);
    }
    assert!(is_in(&world, operator).await);
}
