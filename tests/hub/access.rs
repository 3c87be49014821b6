//! Who comes in, by which proof, and how long it lasts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel_async::{AsyncConnection, RunQueryDsl};
use interline::access::{self, Role};
use interline::db::{self, Connection};
use interline::error::Error;
use interline::id::Kind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::office::{MEMBERS, Office, PASSWORD, code};
use crate::tokens::ed25519;
use crate::world::{Answer, World, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_proves_itself_by_its_secret_and_by_nothing_else() {
    let world = Office::open().await;
    let aero = world.partner("ALPHA", "ALF").await;
    let (id, secret) = world.credential(&aero, MEMBERS).await;
    let grant = ("grant_type", "client_credentials");

    let basic = world
        .http
        .post(format!("{}/oauth/token", world.base_url))
        .basic_auth(&id, Some(&secret));
    let basic = basic.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = send(basic.body("grant_type=client_credentials&scope=members:read&extra=1")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["scope"]),
        (200, &json!("members:read")),
        "{}",
        answer.body
    );
    assert_eq!(answer.headers["cache-control"], "no-store");

    for (form, status, error) in [
        (
            vec![grant, ("client_id", &*id), ("client_secret", "wrong")],
            401,
            "invalid_client",
        ),
        (
            vec![
                grant,
                ("client_id", "crd_0000000000000000"),
                ("client_secret", &*secret),
            ],
            401,
            "invalid_client",
        ),
        (
            vec![grant, ("client_id", "\0"), ("client_secret", &*secret)],
            401,
            "invalid_client",
        ),
        (vec![grant], 401, "invalid_client"),
        (
            vec![
                ("grant_type", "password"),
                ("client_id", &*id),
                ("client_secret", &*secret),
            ],
            400,
            "unsupported_grant_type",
        ),
        (
            vec![("client_id", &*id), ("client_secret", &*secret)],
            400,
            "invalid_request",
        ),
        (
            vec![
                grant,
                grant,
                ("client_id", &*id),
                ("client_secret", &*secret),
            ],
            400,
            "invalid_request",
        ),
        (
            vec![
                grant,
                ("client_id", &*id),
                ("client_secret", &*secret),
                ("scope", "awards:write"),
            ],
            400,
            "invalid_scope",
        ),
    ] {
        let answer = world.token_form(&form).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (status, &json!(error)),
            "{form:?} {}",
            answer.body
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let json = world
        .post_bare("/oauth/token", json!({"grant_type": "client_credentials"}))
        .await;
    assert_eq!(
        (json.status.as_u16(), &json.body["error"]),
        (415, &json!("invalid_request"))
    );

    let long = "a".repeat(70_000);
    assert_eq!(
        world
            .token_form(&[("grant_type", &long)])
            .await
            .status
            .as_u16(),
        413
    );

    let keys = world.get("", "/.well-known/jwks.json").await;
    assert_eq!(keys.body["keys"][0]["crv"], "Ed25519", "{}", keys.body);
    let about = world
        .get("", "/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(
        about.body["token_endpoint"],
        "http://interline.test/oauth/token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_stops_at_once() {
    let world = Office::open().await;
    let aero = world.partner("ALPHA", "ALF").await;
    let credentials = format!("/v1/partners/{aero}/credentials");
    let (id, secret) = world
        .credential(&aero, &["members:read", "credentials:write"])
        .await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &*id),
        ("client_secret", &*secret),
    ];
    let token = world.token_form(&form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.get(&token, "/v1/members").await.status.as_u16(), 200);

    // A partner helps itself, but to no more than it has, and to no more than two.
    assert_eq!(
        world
            .post(&token, &credentials, json!({"scopes": ["awards:write"]}))
            .await
            .status
            .as_u16(),
        403
    );
    let first = world
        .post_keyed(&token, &credentials, "k", r#"{"scopes":["members:read"]}"#)
        .await;
    let again = world
        .post_keyed(&token, &credentials, "k", r#"{"scopes":["members:read"]}"#)
        .await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert!(
        first.body["client_secret"].is_string() && again.body["client_secret"].is_null(),
        "{}",
        again.body
    );
    assert!(again.body.get("client_secret").is_some());
    assert_eq!(first.body["client_id"], again.body["client_id"]);
    let third = world
        .post(&token, &credentials, json!({"scopes": ["members:read"]}))
        .await;
    assert_eq!(code(&third), "credential-limit");

    let listed = world.get(&token, &credentials).await;
    assert_eq!(
        listed.body["items"].as_array().unwrap().len(),
        2,
        "{}",
        listed.body
    );
    assert!(!listed.body.to_string().contains("client_secret"));

    assert_eq!(
        world
            .delete(&world.operator_token, &format!("{credentials}/{id}"))
            .await
            .status
            .as_u16(),
        204
    );
    assert_eq!(
        world
            .delete(&world.operator_token, &format!("{credentials}/{id}"))
            .await
            .status
            .as_u16(),
        204
    );
    let refused = world.get(&token, "/v1/members").await;
    assert_eq!(
        (refused.status.as_u16(), code(&refused)),
        (401, "unauthenticated")
    );
    assert_eq!(
        world.token_form(&form).await.body["error"],
        "invalid_client"
    );

    let past = world.post(
        &world.operator_token,
        &credentials,
        json!({"scopes": ["members:read"], "expires_at": "2001-01-01T00:00:00Z"}),
    );
    assert_eq!(past.await.body["errors"][0]["pointer"], "/expires_at");
    let bay = world.partner("BRAVO", "BRA").await;
    let at_bay = world.token(&bay, &["credentials:write"]).await;
    assert_eq!(world.get(&at_bay, &credentials).await.status.as_u16(), 404);
    assert_eq!(
        world
            .post(
                &at_bay,
                &credentials,
                json!({"scopes": ["credentials:write"]})
            )
            .await
            .status
            .as_u16(),
        404
    );
    assert_eq!(
        world
            .delete(&at_bay, &format!("{credentials}/{id}"))
            .await
            .status
            .as_u16(),
        404
    );
    let nobody = world.hub.ids.show(Kind::Partner, 999);
    let lost = world
        .post(
            &world.operator_token,
            &format!("/v1/partners/{nobody}/credentials"),
            json!({"scopes": ["members:read"]}),
        )
        .await;
    assert_eq!(lost.status.as_u16(), 404, "{}", lost.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_stops_by_itself() {
    let world = Office::open().await;
    let aero = world.partner("ALPHA", "ALF").await;
    let soon = chrono::Utc::now() + chrono::Duration::hours(1);
    let body = json!({"scopes": ["members:read"], "expires_at": soon});
    let made = world
        .post(
            &world.operator_token,
            &format!("/v1/partners/{aero}/credentials"),
            body,
        )
        .await;
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &*id),
        ("client_secret", &*secret),
    ];
    let token = world.token_form(&form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.get(&token, "/v1/members").await.status.as_u16(), 200);

    let url = world.url.as_str().to_owned();
    let mut owner = Connection::establish(&url).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::hours(2))
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/members").await.status.as_u16(), 401);
    assert_eq!(world.token_form(&form).await.status.as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_who_may_before_anything_else() {
    let world = Office::open().await;
    let aero = world.partner("ALPHA", "ALF").await;
    let token = world.token(&aero, &["members:read"]).await;

    for (method, path) in [
        (Method::GET, "/v1/members"),
        (Method::POST, "/v1/members"),
        (Method::POST, "/v1/partners"),
        (Method::GET, "/v1/approvals"),
        (Method::POST, "/v1/currencies"),
        (Method::POST, "/v1/memberships"),
    ] {
        let bare = send(
            world
                .http
                .request(method.clone(), format!("{}{path}", world.base_url)),
        )
        .await;
        assert_eq!(
            (bare.status.as_u16(), code(&bare)),
            (401, "unauthenticated"),
            "{method} {path}"
        );
        assert_eq!(bare.headers["www-authenticate"], "Bearer");
    }
    let narrow = world.post(&token, "/v1/members", json!({"bad": 1})).await;
    assert_eq!((narrow.status.as_u16(), code(&narrow)), (403, "forbidden"));
    assert!(
        narrow.body["detail"]
            .as_str()
            .unwrap()
            .contains("members:write"),
        "{}",
        narrow.body
    );
    let person = world.get(&world.operator_token, "/v1/members").await;
    assert_eq!(person.status.as_u16(), 403);
    let partner = world.post(&token, "/v1/partners", json!({})).await;
    assert!(
        partner.body["detail"]
            .as_str()
            .unwrap()
            .contains("operator"),
        "{}",
        partner.body
    );

    let patch = send(world.http.patch(format!("{}/v1/members", world.base_url))).await;
    assert_eq!(
        (patch.status.as_u16(), code(&patch)),
        (405, "method-not-allowed")
    );
    let twice = world
        .http
        .get(format!("{}/v1/members", world.base_url))
        .bearer_auth(&token)
        .bearer_auth(&token);
    assert_eq!(send(twice).await.status.as_u16(), 401);
    let basic = world
        .http
        .get(format!("{}/v1/members", world.base_url))
        .basic_auth("a", Some("b"));
    assert_eq!(send(basic).await.status.as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_five_times_a_minute_and_leave_when_they_leave() {
    let world = Office::open().await;
    let who = access::people::create(
        &mut *world.conn().await,
        "fin",
        "Fin",
        Role::Finance,
        PASSWORD,
    )
    .await
    .unwrap();
    let token = world.sign_in("fin").await;
    assert_eq!(world.get(&token, "/v1/partners").await.status.as_u16(), 200);
    for password in ["wrong", "", "also wrong", "\u{0}"] {
        let answer = world
            .post_bare(
                "/v1/sessions",
                json!({"login": "fin", "password": password}),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), code(&answer)),
            (401, "sign-in-failed")
        );
    }
    let sixth = world
        .post_bare(
            "/v1/sessions",
            json!({"login": "fin", "password": PASSWORD}),
        )
        .await;
    assert_eq!(
        (sixth.status.as_u16(), code(&sixth)),
        (429, "too-many-requests")
    );
    assert!(
        sixth.headers["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 50
    );
    let unknown = world
        .post_bare(
            "/v1/sessions",
            json!({"login": "nobody", "password": PASSWORD}),
        )
        .await;
    assert_eq!(unknown.status.as_u16(), 401);
    let nul = world
        .post_bare(
            "/v1/sessions",
            json!({"login": "a\u{0}", "password": PASSWORD}),
        )
        .await;
    assert_eq!(nul.body["errors"][0]["pointer"], "/login");

    let taken = access::people::create(
        &mut *world.conn().await,
        "fin",
        "Fin",
        Role::Finance,
        PASSWORD,
    )
    .await;
    assert!(matches!(taken, Err(Error::Refused(_))));
    let mut conn = world.conn().await;
    let give = async |conn: &mut Connection, role| {
        let person = access::people::lock(conn, who).await.unwrap().unwrap();
        let given = access::people::employ(conn, &world.operator, &person, role).await;
        given.unwrap();
    };
    give(&mut conn, Role::Auditor).await;
    assert_eq!(world.get(&token, "/v1/partners").await.status.as_u16(), 401);
    give(&mut conn, Role::Finance).await;
    // A role that comes back brings no session back.
    assert_eq!(world.get(&token, "/v1/partners").await.status.as_u16(), 401);
    access::people::dismiss(&mut conn, &world.operator, who)
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/partners").await.status.as_u16(), 401);
    assert!(
        access::people::dismiss(&mut conn, &world.operator, who)
            .await
            .is_err()
    );
}

/// An assertion of a client about itself, signed with the key of a seed.
fn assertion(client: &str, seed: u8, more: Value) -> String {
    let now = chrono::Utc::now().timestamp();
    let mut claims = json!({"iss": client, "sub": client, "aud": "http://interline.test/oauth/token",
        "exp": now + 60, "jti": uuid::Uuid::new_v4()});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
    jsonwebtoken::encode(&header, &claims, &ed25519(&[seed; 32])).unwrap()
}

fn jwk(seed: u8) -> Value {
    let algorithm = jsonwebtoken::Algorithm::EdDSA;
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&ed25519(&[seed; 32]), algorithm).unwrap();
    json!({"kty": "OKP", "crv": "Ed25519", "x": serde_json::to_value(jwk).unwrap()["x"]})
}

async fn signed_in(
    world: &Office,
    base_url: &str,
    assertion: &str,
    more: &[(&str, &str)],
) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        .append_pair("client_assertion", assertion)
        .extend_pairs(more);
    let request = world.http.post(format!("{base_url}/oauth/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(form.finish())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_prove_itself_by_a_signature_and_by_each_one_once() {
    let world = Office::open().await;
    let other = world.second().await;
    let (here, there) = (world.base_url.clone(), other.base_url.clone());
    let aero = world.partner("ALPHA", "ALF").await;
    let credentials = format!("/v1/partners/{aero}/credentials");
    let operator = &world.operator_token;

    let mut private = jwk(1);
    private["d"] = json!("secret");
    for wrong in [
        json!([private]),
        json!([]),
        json!([jwk(1), jwk(1)]),
        json!([{"kty": "oct", "k": "a"}]),
    ] {
        let body = json!({"scopes": ["members:read"], "public_keys": wrong});
        let refused = world.post(operator, &credentials, body).await;
        let pointer = refused.body["errors"][0]["pointer"]
            .as_str()
            .unwrap_or_default();
        assert!(pointer.starts_with("/public_keys/"), "{}", refused.body);
        assert!(
            !refused.body.to_string().contains("secret\""),
            "{}",
            refused.body
        );
    }
    let body = json!({"scopes": ["members:read"], "public_keys": [jwk(1), jwk(2)]});
    let made = world.post(operator, &credentials, body).await.ok();
    assert!(
        made.get("client_secret").is_none() && made["last_used_at"].is_null(),
        "{made}"
    );
    assert_eq!(made["public_keys"][0]["alg"], "EdDSA");
    let id = made["client_id"].as_str().unwrap();

    // Which of the two keys has to be said.
    let unsaid = assertion(id, 1, json!({}));
    assert_eq!(
        signed_in(&world, &here, &unsaid, &[]).await.problem(),
        "sign-in-failed"
    );
    let by = |seed: u8, more: Value| {
        let text = assertion(id, seed, more);
        let claims = text.split('.').nth(1).unwrap().to_owned();
        let kid = &made["public_keys"][usize::from(seed) - 1]["kid"];
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "EdDSA", "kid": kid}).to_string());
        let signed = format!("{header}.{claims}");
        let key = ed25519(&[seed; 32]);
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::EdDSA);
        format!("{signed}.{}", signature.unwrap())
    };
    for seed in [1, 2] {
        let token = signed_in(&world, &here, &by(seed, json!({})), &[("client_id", id)])
            .await
            .ok();
        let members = world
            .get(token["access_token"].as_str().unwrap(), "/v1/members")
            .await;
        assert_eq!(members.status.as_u16(), 200);
    }
    let listed = world.get(operator, &credentials).await.ok();
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");

    let once = by(1, json!({"aud": "http://interline.test"}));
    let tries =
        (0..8).map(|n| signed_in(&world, if n % 2 == 0 { &here } else { &there }, &once, &[]));
    let answers = futures_util::future::join_all(tries).await;
    let granted = answers
        .iter()
        .filter(|answer| answer.status.as_u16() == 200)
        .count();
    assert_eq!(granted, 1, "one assertion, one token, over all hubs");

    let now = chrono::Utc::now().timestamp();
    for wrong in [
        by(1, json!({"aud": "http://other.test"})),
        by(1, json!({"exp": now + 3_600})),
        by(1, json!({"exp": now - 3_600})),
        by(1, json!({"iss": "crd_0000000000000000"})),
        by(1, json!({"sub": "crd_0000000000000000"})),
        by(1, json!({"jti": null})),
        assertion(id, 3, json!({})),
        "x".to_owned(),
    ] {
        let refused = signed_in(&world, &here, &wrong, &[]).await;
        let told = (refused.status.as_u16(), &refused.body["error"]);
        assert_eq!(told, (401, &json!("invalid_client")), "{wrong}");
    }
    let both = signed_in(&world, &here, &by(1, json!({})), &[("client_secret", "x")]).await;
    assert_eq!(both.body["error"], "invalid_request", "{}", both.body);
    let (secret_id, _) = world.credential(&aero, &["members:read"]).await;
    let of_a_secret = signed_in(&world, &here, &assertion(&secret_id, 1, json!({})), &[]).await;
    assert_eq!(of_a_secret.status.as_u16(), 401);

    world.delete(operator, &format!("{credentials}/{id}")).await;
    assert_eq!(
        signed_in(&world, &here, &by(1, json!({})), &[])
            .await
            .status
            .as_u16(),
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_moves_nothing_and_learns_nothing() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "50000", "MILE").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let aero = world.token("AERO").await;
    let award = json!({"member": member.id, "amount": {"amount": "1", "currency": "MILE"}, "reason": "purchase"});
    let done = world.post_with_key(&aero, "/v1/awards", "once", award.clone());
    done.await.ok();

    let before = operations(&world).await;
    let operator = world.operator().await;
    let partners = world.get(operator, "/v1/partners?limit=200").await.ok();
    let partners = partners["items"].as_array().unwrap();
    let partner = partners.iter().find(|partner| partner["code"] == "AERO");
    let partner = partner.unwrap()["id"].as_str().unwrap();
    let client = &world.credentials.partner("AERO").unwrap().client_id;
    let path = format!("/v1/partners/{partner}/credentials/{client}");
    let revoke = world.request(Method::DELETE, &path).bearer_auth(operator);
    let revoke = revoke.header("idempotency-key", "revoke");
    assert_eq!(send(revoke).await.status.as_u16(), 204);
    let stranger = json!({"member": "mbr_nobody", "amount": {"amount": "1", "currency": "MILE"}, "reason": "purchase"});
    for (path, key, body) in [
        ("/v1/awards", "new", award.clone()),
        ("/v1/awards", "once", award),
        ("/v1/awards", "stranger", stranger),
        ("/v1/awards", "bad", json!({"amount": 1})),
        ("/v1/conversions", "take", json!({"quote": quote})),
        ("/v1/conversions", "wrong", json!({"quote": "x"})),
        ("/v1/quotes", "price", json!({})),
    ] {
        let answer = world.post_with_key(&aero, path, key, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (401, "unauthenticated"),
            "{path} {key}"
        );
    }
    World::assert_right(&world.verify().await);
    let left = world
        .get(world.operator().await, "/v1/events?limit=1")
        .await;
    assert_eq!(left.status.as_u16(), 200, "people go on");
    assert_eq!(operations(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_programs_than_connections_get_their_tokens_at_once() {
    let world = World::new().await;
    // By then the hub wants to know of newer keys.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let tokens = (0..64).map(|_| world.token("AERO"));
    let tokens = futures_util::future::join_all(tokens).await;
    assert!(tokens.iter().all(|token| !token.is_empty()));
}

async fn operations(world: &World) -> i64 {
    let mut conn = world.superuser().await;
    let count = diesel::sql_query("select count(*) as number from operations");
    count.get_result::<Count>(&mut conn).await.unwrap().number
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}
