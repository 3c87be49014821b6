//! Acting for a member: a partner's program exchanges what names its member for a token, and is then that
//! member and no more.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::office::Office;
use crate::tokens::ed25519;
use crate::world::{Answer, Member, World, send};

/// What an access token says.
fn said(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

async fn wallets(world: &World, token: &str, member: &Member) -> Answer {
    let path = format!("/v1/members/{}/wallets", member.id);
    world.get(token, &path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_an_exchange_is_the_members_and_names_the_client_that_acts() {
    let world = World::new().await;
    let member = world.member().await;
    let membership = world.membership("AERO", &member).await;
    let aero = world.credentials.partner("AERO").expect("AERO");

    let granted = world.exchange("AERO", &membership, &[]).await;
    assert_eq!(granted.headers["cache-control"], "no-store");
    let granted = granted.ok();
    assert_eq!(
        (&granted["token_type"], &granted["issued_token_type"]),
        (
            &json!("Bearer"),
            &json!("urn:ietf:params:oauth:token-type:access_token")
        )
    );
    let scope = "conversions:write ledger:read members:read members:write quotes:write rates:read";
    assert_eq!(granted["scope"], scope);
    let claims = said(text(&granted["access_token"]));
    assert_eq!(claims["sub"], member.id);
    assert_eq!(claims["role"], "member");
    assert_eq!(claims["act"], json!({"sub": aero.client_id}));
    assert_eq!(claims["client_id"], aero.client_id);
    assert_eq!(claims["scope"], scope);
    assert_eq!(claims["auth_time"], Value::Null);
    let life = claims["exp"].as_i64().zip(claims["iat"].as_i64());
    assert!(life.is_some_and(|(exp, iat)| exp - iat <= 900), "{claims}");
    assert_eq!(granted["expires_in"], 900);

    let narrowed = [
        ("scope", "ledger:read"),
        ("audience", "http://interline.test"),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("auth_time", "1700000000"),
    ];
    let granted = world.exchange("AERO", &membership, &narrowed).await.ok();
    assert_eq!(granted["scope"], "ledger:read");
    let token = text(&granted["access_token"]);
    assert_eq!(said(token)["auth_time"], 1_700_000_000);
    wallets(&world, token, &member).await.ok();
    let path = format!("/v1/members/{}", member.id);
    assert_eq!(world.get(token, &path).await.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_is_refused_in_the_words_of_oauth_and_says_what_would_be_right() {
    let world = World::new().await;
    let member = world.member().await;
    let membership = world.membership("AERO", &member).await;
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("subject_token_type", "jwt")], "invalid_request"),
        (
            &[(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:jwt",
            )],
            "invalid_request",
        ),
        (&[("actor_token", "x")], "invalid_request"),
        (&[("auth_time", "now")], "invalid_request"),
        (&[("auth_time", "99999999999")], "invalid_request"),
        (
            &[("audience", "https://elsewhere.example")],
            "invalid_target",
        ),
        (
            &[("resource", "https://elsewhere.example")],
            "invalid_target",
        ),
        (&[("scope", "awards:write")], "invalid_scope"),
        (&[("scope", "everything")], "invalid_scope"),
    ];
    for (more, error) in cases {
        let refused = world.exchange("AERO", &membership, more).await;
        assert_eq!(refused.status, 400, "{more:?}: {}", refused.body);
        assert_eq!(refused.body["error"], error, "{more:?}");
        assert!(text(&refused.body["error_description"]).len() > 20);
    }

    // Another's, an ended one, one that never was, and no id at all.
    let foreign = world.membership("BAYVIEW", &member).await;
    let mut told = BTreeSet::new();
    for subject in [&*foreign, &member.id, "mbs_0123456789abcdef", "x", ""] {
        let refused = world.exchange("AERO", subject, &[]).await;
        let members = refused.body.as_object().expect("a problem").clone();
        let body = members.into_iter().filter(|(name, _)| name != "request_id");
        told.insert(format!("{} {:?}", refused.status, body.collect::<Vec<_>>()));
        assert_eq!(refused.body["error"], "invalid_request", "{subject}");
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_act_for_members_gets_no_token_for_one() {
    let office = Office::open().await;
    let zulu = office.partner("ZULU", "ZUL").await;
    let all = office
        .credential(&zulu, &["members:read", "members:write", "members:act"])
        .await;
    let form = |(id, secret): &(String, String), more: &[(&str, &str)]| {
        let own = [("client_id", &**id), ("client_secret", &**secret)];
        let all = own.iter().chain(more);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        all.map(owned).collect::<Vec<_>>()
    };
    let ask = async |form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(a, b)| (&**a, &**b)).collect();
        office.token_form(&form).await
    };
    let token = ask(form(&all, &[("grant_type", "client_credentials")]))
        .await
        .ok();
    let body = json!({"number": "Z-1"});
    let member = office
        .post(text(&token["access_token"]), "/v1/members", body)
        .await
        .ok();
    let exchange = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token_type", "urn:interline:token-type:membership"),
        ("subject_token", text(&member["membership"])),
    ];
    let granted = ask(form(&all, &exchange)).await.ok();
    assert_eq!(
        granted["scope"], "members:read members:write",
        "no more than its own"
    );

    let less = office
        .credential(&zulu, &["members:read", "ledger:read"])
        .await;
    let refused = ask(form(&less, &exchange)).await;
    assert_eq!(
        refused.body["error"], "unauthorized_client",
        "{}",
        refused.body
    );
    let wrong = (all.0.clone(), less.1.clone());
    assert_eq!(
        ask(form(&wrong, &exchange)).await.body["error"],
        "invalid_client"
    );

    let state = format!("/v1/partners/{zulu}/status");
    let suspend = json!({"state": "suspended"});
    office
        .post(&office.operator_token, &state, suspend)
        .await
        .ok();
    let refused = ask(form(&all, &exchange)).await;
    assert_eq!(
        refused.body["error"], "unauthorized_client",
        "{}",
        refused.body
    );
    let path = format!("/v1/members/{}", text(&member["id"]));
    let acting = text(&granted["access_token"]);
    let dead = office.get(acting, &path).await;
    assert_eq!(
        dead.problem(),
        "unauthenticated",
        "a token of one who is suspended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_keys_signs_who_the_member_is_and_each_signature_is_good_once() {
    let office = Office::open().await;
    let zulu = office.partner("ZULU", "ZUL").await;
    let key = ed25519(&[5; 32]);
    let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::EdDSA).expect("a key");
    let mut public = serde_json::to_value(public).expect("JSON");
    let kept = |name: &String, _: &mut Value| ["kty", "crv", "x"].contains(&name.as_str());
    public.as_object_mut().expect("an object").retain(kept);
    let path = format!("/v1/partners/{zulu}/credentials");
    let scopes = [
        "members:act",
        "members:read",
        "members:write",
        "ledger:read",
    ];
    let body = json!({"scopes": scopes, "public_keys": [public]});
    let made = office.post(&office.operator_token, &path, body).await.ok();
    let client = text(&made["client_id"]).to_owned();

    let now = chrono::Utc::now().timestamp();
    let signed = |sub: &str, more: Value| {
        let mut claims = json!({"iss": client, "sub": sub, "aud": "http://interline.test/oauth/token",
            "exp": now + 60, "jti": Uuid::new_v4().to_string()});
        for (name, value) in more.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key).expect("a JWT")
    };
    let ask = async |more: &[(&str, &str)]| {
        let assertion = signed(&client, json!({}));
        let own = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &*assertion),
        ];
        office.token_form(&[&own[..], more].concat()).await
    };
    let exchange = async |subject: &str| {
        ask(&[
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", subject),
        ])
        .await
    };
    let token = ask(&[("grant_type", "client_credentials")]).await.ok();
    let body = json!({"number": "Z-1"});
    let member = office
        .post(text(&token["access_token"]), "/v1/members", body)
        .await
        .ok();

    let subject = signed("Z-1", json!({"auth_time": now - 5}));
    let granted = exchange(&subject).await.ok();
    let claims = said(text(&granted["access_token"]));
    assert_eq!(
        (&claims["sub"], &claims["auth_time"]),
        (&member["id"], &json!(now - 5))
    );
    let path = format!("/v1/members/{}", text(&member["id"]));
    office.get(text(&granted["access_token"]), &path).await.ok();

    let other = ed25519(&[6; 32]);
    let forged = json!({"iss": client, "sub": "Z-1", "aud": "http://interline.test", "exp": now + 60, "jti": "1"});
    let forged =
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &forged, &other).expect("a JWT");
    let mut told = BTreeSet::new();
    for wrong in [
        subject,
        forged,
        signed("Z-2", json!({})),
        signed("Z-1\u{0}", json!({})),
        signed(&client, json!({})),
        signed("Z-1", json!({"aud": "https://elsewhere.example"})),
        signed("Z-1", json!({"exp": now - 60})),
        signed("Z-1", json!({"exp": now + 3600})),
        signed("Z-1", json!({"iss": "crd_0123456789abcdef"})),
        signed("Z-1", json!({"auth_time": now + 3600})),
        signed("Z-1", json!({"auth_time": "now"})),
        signed("Z-1", json!({"jti": null})),
        "e30.e30.".to_owned(),
        text(&granted["access_token"]).to_owned(),
        String::new(),
    ] {
        let refused = exchange(&wrong).await;
        assert_eq!(refused.body["error"], "invalid_request", "{wrong}");
        told.insert(text(&refused.body["error_description"]).to_owned());
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_token_ends_with_its_credential_at_every_hub() {
    let (office, second);
    office = Office::open().await;
    second = office.second().await;
    let zulu = office.partner("ZULU", "ZUL").await;
    let scopes = ["members:act", "members:read", "members:write"];
    let (id, secret) = office.credential(&zulu, &scopes).await;
    let form = [("client_id", &*id), ("client_secret", &*secret)];
    let own = [&form[..], &[("grant_type", "client_credentials")]].concat();
    let own = office.token_form(&own).await.ok();
    let body = json!({"number": "Z-1"});
    let member = office
        .post(text(&own["access_token"]), "/v1/members", body)
        .await
        .ok();
    let exchange = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token_type", "urn:interline:token-type:membership"),
        ("subject_token", text(&member["membership"])),
    ];
    let granted = office
        .token_form(&[&form[..], &exchange].concat())
        .await
        .ok();
    let (acting, path) = (
        text(&granted["access_token"]),
        format!("/v1/members/{}", text(&member["id"])),
    );
    second.get(acting, &path).await.ok();
    let revoke = format!("/v1/partners/{zulu}/credentials/{id}");
    office.delete(&office.operator_token, &revoke).await;
    for hub in [&*office, &second] {
        assert_eq!(hub.get(acting, &path).await.problem(), "unauthenticated");
    }
}

/// Every name in an answer.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                found.insert(name.clone());
                names(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

/// What says what brands pay each other, wherever it stands.
const BETWEEN_BRANDS: [&str; 9] = [
    "commission",
    "cost",
    "gross",
    "net",
    "position",
    "room",
    "settlement",
    "sponsored",
    "value",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_member_converts_for_itself_and_is_told_nothing_that_brands_pay() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "50000", "MILE").await;
    let acting = world.acting("AERO", &member).await;
    let mut answers = Vec::new();

    let held = wallets(&world, &acting, &member).await.ok();
    let currencies: BTreeSet<&str> = held["items"]
        .as_array()
        .expect("wallets")
        .iter()
        .map(|wallet| text(&wallet["currency"]))
        .collect();
    assert_eq!(
        currencies,
        BTreeSet::from(["HPT", "MILE", "STAR"]),
        "of every brand"
    );
    let wallet = held["items"].as_array().expect("wallets").iter();
    let wallet = wallet
        .clone()
        .find(|wallet| wallet["currency"] == "MILE")
        .expect("miles");
    let wallet = text(&wallet["id"]).to_owned();
    answers.push(held.clone());
    for path in [
        format!("/v1/wallets/{wallet}"),
        format!("/v1/conversions/options?wallet={wallet}"),
        format!("/v1/members/{}", member.id),
        format!("/v1/members/{}/claims", member.id),
        "/v1/rate-cards".to_owned(),
        "/v1/currencies".to_owned(),
    ] {
        answers.push(world.get(&acting, &path).await.ok());
    }

    let ask =
        json!({"member": member.id, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"});
    let quoted = world.post(&acting, "/v1/quotes", ask.clone()).await.ok();
    let body = json!({"quote": quoted["quote"]});
    let made = world.post(&acting, "/v1/conversions", body).await.ok();
    assert_eq!(made["gains"], quoted["gains"]);
    let receipt = format!("/v1/conversions/{}", text(&made["id"]));
    let read = world.get(&acting, &receipt).await.ok();
    assert_eq!(read, made);
    let statement = world
        .get(&acting, &format!("/v1/wallets/{wallet}/statement"))
        .await
        .ok();
    assert_eq!(statement["items"][0]["operation"], made["id"]);
    answers.extend([quoted, made.clone(), read, statement]);

    // Points of another brand than the one that acts are the member's, too.
    let back =
        json!({"member": member.id, "gives": {"amount": "1000", "currency": "HPT"}, "to": "MILE"});
    let answer = world.post(&acting, "/v1/quotes", back).await;
    assert_ne!(answer.body["code"], "not-your-currency", "{}", answer.body);

    let mut found = BTreeSet::new();
    answers.iter().for_each(|answer| names(answer, &mut found));
    let leaked: Vec<_> = BETWEEN_BRANDS
        .iter()
        .filter(|name| found.contains(**name))
        .collect();
    assert!(leaked.is_empty(), "{leaked:?}");

    // The partners see theirs, as always.
    let aero = world.token("AERO").await;
    assert!(world.get(&aero, &receipt).await.ok()["cost"]["gross"].is_object());
    let bayview = world.token("BAYVIEW").await;
    assert!(world.get(&bayview, &receipt).await.ok()["value"].is_object());
    let quoted = world.post(&aero, "/v1/quotes", ask).await.ok();
    assert!(quoted["cost"]["gross"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_money_tells_a_member_no_figure() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "50000", "MILE").await;
    let acting = world.acting("AERO", &member).await;
    let ask =
        json!({"member": member.id, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"});
    let quoted = world.post(&acting, "/v1/quotes", ask).await.ok();
    let operators = crate::caps::Operators::of(&world).await;
    operators.cap(&world, "AERO", Some("0.01")).await;
    let body = json!({"quote": quoted["quote"]});
    let refused = world.post(&acting, "/v1/conversions", body).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    let mut found = BTreeSet::new();
    names(&refused.body, &mut found);
    assert!(
        !found.contains("room") && !found.contains("needed"),
        "{}",
        refused.body
    );
    assert!(
        !text(&refused.body["detail"]).contains("USD"),
        "{}",
        refused.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_taken_by_whoever_asked_for_it() {
    let world = World::new().await;
    let (member, other) = (world.member().await, world.member().await);
    world.award(&member, "50000", "MILE").await;
    let aero = world.token("AERO").await;
    let (own, others) = (
        world.acting("AERO", &member).await,
        world.acting("AERO", &other).await,
    );
    let ask =
        json!({"member": member.id, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"});

    for (asker, strangers) in [(&own, [&others, &aero]), (&aero, [&others, &own])] {
        let quoted = world.post(asker, "/v1/quotes", ask.clone()).await.ok();
        let body = json!({"quote": quoted["quote"]});
        for stranger in strangers {
            let refused = world.post(stranger, "/v1/conversions", body.clone()).await;
            assert_eq!(refused.problem(), "quote-invalid");
        }
        world.post(asker, "/v1/conversions", body).await.ok();
    }
    let foreign = world.post(&others, "/v1/quotes", ask).await;
    assert_eq!(foreign.problem(), "not-found");
    let quoted = world.quote(&member, "10000", "MILE", "HPT").await;
    let named = json!({"quote": quoted, "reference": "R"});
    let refused = world.post(&own, "/v1/conversions", named).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/reference");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_members_and_of_their_partner_are_three_keys() {
    let world = World::new().await;
    let members = [world.member().await, world.member().await];
    let mut made = Vec::new();
    for member in &members {
        world.award(member, "50000", "MILE").await;
        let acting = world.acting("AERO", member).await;
        let ask = json!({"member": member.id, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"});
        let quoted = world.post(&acting, "/v1/quotes", ask).await.ok();
        let body = json!({"quote": quoted["quote"]});
        let take = || world.post_with_key(&acting, "/v1/conversions", "one", body.clone());
        let first = take().await.ok();
        assert_eq!(take().await.ok(), first, "the same again");
        made.push(text(&first["id"]).to_owned());
    }
    let quoted = world.quote(&members[0], "10000", "MILE", "HPT").await;
    let aero = world.token("AERO").await;
    let body = json!({"quote": quoted});
    let own = world
        .post_with_key(&aero, "/v1/conversions", "one", body)
        .await
        .ok();
    made.push(text(&own["id"]).to_owned());
    let different: BTreeSet<&String> = made.iter().collect();
    assert_eq!(different.len(), 3, "{made:?}");

    // Nobody reads another's receipt.
    let second = world.acting("AERO", &members[1]).await;
    let path = |id: &str| format!("/v1/conversions/{id}");
    world.get(&second, &path(&made[1])).await.ok();
    assert_eq!(
        world.get(&second, &path(&made[0])).await.problem(),
        "not-found"
    );
    assert_eq!(
        world.get(&second, &path(&made[2])).await.problem(),
        "not-found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_every_membership_and_the_number_of_who_acts() {
    let world = World::new().await;
    let member = world.member().await;
    world
        .attest("BAYVIEW", &member, json!({"tier": {"value": "gold"}}))
        .await;
    let path = |what: &str| format!("/v1/members/{}/{what}", member.id);
    let acting = world.acting("AERO", &member).await;
    let all = world.get(&acting, &path("memberships")).await.ok();
    let all = all["items"].as_array().expect("memberships");
    assert_eq!(all.len(), 3);
    let aero = &world.credentials.partner("AERO").expect("AERO").id;
    for membership in all {
        let is_aero = membership["partner"] == **aero;
        assert_eq!(membership["number"].is_string(), is_aero, "{membership}");
    }
    let own = world
        .get(&world.token("AERO").await, &path("memberships"))
        .await
        .ok();
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1), "{own}");
    let kwun = world
        .get(&world.token("KWUN").await, &path("memberships"))
        .await;
    assert_eq!(kwun.problem(), "not-found");

    let claims = async |token: &str| world.get(token, &path("claims")).await.ok();
    assert_eq!(claims(&acting).await, json!({"claims": {}}), "of who acts");
    let at_bayview = world.acting("BAYVIEW", &member).await;
    assert_eq!(claims(&at_bayview).await["claims"]["tier"]["value"], "gold");

    let link = send(
        world
            .request(Method::POST, &path("link-tokens"))
            .bearer_auth(&acting),
    )
    .await;
    assert!(link.ok()["link_token"].is_string());
}
