//! Access, partners, members and approvals by HTTP, against a PostgreSQL of their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{App, HttpServer, middleware, web as actix};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use interline::access::{self, Access, Role, Who};
use interline::approvals::{self, PartyName, Subject, Verdict};
use interline::db::{self, Connection, Pool};
use interline::error::Error;
use interline::id::{Ids, Kind};
use interline::members::{self, Enrolment};
use interline::partners::{self, Directories};
use interline::secret::Secrets;
use interline::web::text::Number;
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

/// A cluster that ends with this process: the shell waits for its standard input to close.
struct Cluster {
    url: String,
    _child: Option<Child>,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| match std::env::var("DATABASE_URL") {
    Ok(url) => Cluster { url, _child: None },
    Err(_) => started(),
});

fn started() -> Cluster {
    let dir = format!("/tmp/interline-try-{}", std::process::id());
    let script = format!(
        "cd /; trap '' INT TERM; mkdir -p {dir} && chown postgres {dir} && \
         b=$(ls -d /usr/lib/postgresql/*/bin | tail -1) && p='setpriv --reuid=postgres --regid=postgres --clear-groups' && \
         $p $b/initdb --no-sync -A trust -U hub -E UTF8 --locale=C.UTF-8 -D {dir}/data >/dev/null && \
         {{ $p $b/postgres -D {dir}/data -k {dir} -c listen_addresses= -F -c max_connections=300 >{dir}/log 2>&1 & c=$!; read _; kill -QUIT $c; wait $c; rm -rf {dir}; }}"
    );
    let child = Command::new("sh")
        .arg("-c")
        .arg(script)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let ready = || {
        std::fs::read_to_string(format!("{dir}/data/postmaster.pid"))
            .is_ok_and(|pid| pid.contains("ready"))
    };
    while !ready() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Cluster {
        url: format!("postgres://hub@{}/postgres", dir.replace('/', "%2F")),
        _child: Some(child),
    }
}

struct World {
    pool: Pool,
    base: String,
    ids: Ids,
    client: reqwest::Client,
    operator: Who,
    operator_token: String,
}

struct Answer {
    status: u16,
    body: Value,
    headers: reqwest::header::HeaderMap,
}

impl World {
    async fn new() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "try_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut admin = Connection::establish(&CLUSTER.url).await.unwrap();
        admin
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
        let (server, _) = CLUSTER.url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        db::migrate(&url).await.unwrap();

        let pool = Pool::new(&url, 20).unwrap();
        let mut conn = pool.get().await.unwrap();
        let secrets = actix::Data::new(Secrets::load(&mut conn).await.unwrap());
        let id = access::people::create(&mut conn, "op", "Operator", Role::Operator, PASSWORD)
            .await
            .unwrap();
        drop(conn);

        let access = actix::Data::new(Access::new("https://hub.example", &secrets).unwrap());
        let ids = actix::Data::new(Ids::new(&secrets.ids));
        let directories = actix::Data::new(Directories::default());
        let data = actix::Data::new(pool.clone());
        let ours = Ids::new(&secrets.ids);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(access.clone())
                .app_data(ids.clone())
                .app_data(secrets.clone())
                .app_data(directories.clone())
                .app_data(data.clone())
                .wrap(middleware::from_fn(interline::web::problem::explain))
                .configure(access::api::routes)
                .configure(partners::api::routes)
                .configure(members::api::routes)
                .configure(approvals::api::routes)
        })
        .workers(1)
        .bind("127.0.0.1:0")
        .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());

        let operator = Who::at_the_console(id, Role::Operator);
        let mut world = World {
            pool,
            base,
            ids: ours,
            client: reqwest::Client::new(),
            operator,
            operator_token: String::new(),
        };
        world.operator_token = world.sign_in("op").await;
        world
    }

    async fn sign_in(&self, login: &str) -> String {
        let answer = self
            .post_bare(
                "/v1/sessions",
                json!({"login": login, "password": PASSWORD}),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn conn(&self) -> impl std::ops::DerefMut<Target = Connection> {
        self.pool.get().await.unwrap()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer {
            status,
            body,
            headers,
        }
    }

    async fn post_bare(&self, path: &str, body: Value) -> Answer {
        self.send(self.client.post(format!("{}{path}", self.base)).json(&body))
            .await
    }

    async fn post_keyed(&self, token: &str, path: &str, key: &str, body: &str) -> Answer {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(token);
        let request = request
            .header("Idempotency-Key", key)
            .header("Content-Type", "application/json");
        self.send(request.body(body.to_owned())).await
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.post_keyed(
            token,
            path,
            &uuid::Uuid::new_v4().to_string(),
            &body.to_string(),
        )
        .await
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(
            self.client
                .get(format!("{}{path}", self.base))
                .bearer_auth(token),
        )
        .await
    }

    async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(
            self.client
                .delete(format!("{}{path}", self.base))
                .bearer_auth(token),
        )
        .await
    }

    async fn token_form(&self, form: &[(&str, &str)]) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self.client.post(format!("{}/oauth/token", self.base));
        self.send(
            request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(form),
        )
        .await
    }

    /// A partner with a currency; its id.
    async fn partner(&self, code: &str, currency: &str) -> String {
        let body = json!({"code": code, "name": code, "kind": "airline", "money": "USD", "zone": "Asia/Hong_Kong"});
        let partner = self.post(&self.operator_token, "/v1/partners", body).await;
        assert_eq!(partner.status, 201, "{}", partner.body);
        let id = partner.body["id"].as_str().unwrap().to_owned();
        self.currency(&id, currency).await;
        id
    }

    async fn currency(&self, issuer: &str, code: &str) {
        let body = json!({"code": code, "name": code, "scale": 0, "issuer": issuer,
            "expiry": {"policy": "rolling", "months": 36}, "display_value": "0.014"});
        let answer = self
            .post(&self.operator_token, "/v1/currencies", body)
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    async fn credential(&self, partner: &str, scopes: &[&str]) -> (String, String) {
        let path = format!("/v1/partners/{partner}/credentials");
        let answer = self
            .post(&self.operator_token, &path, json!({"scopes": scopes}))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    async fn token(&self, partner: &str, scopes: &[&str]) -> String {
        let (id, secret) = self.credential(partner, scopes).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*id),
            ("client_secret", &*secret),
        ];
        let answer = self.token_form(&form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    fn internal(&self, kind: Kind, shown: &str) -> i64 {
        self.ids.read(kind, shown).unwrap()
    }
}

fn code(answer: &Answer) -> &str {
    answer.body["code"].as_str().unwrap_or("none")
}

const MEMBERS: &[&str] = &["members:read", "members:write"];

#[tokio::test(flavor = "multi_thread")]
async fn a_program_proves_itself_by_its_secret_and_by_nothing_else() {
    let world = World::new().await;
    let aero = world.partner("AERO", "MILE").await;
    let (id, secret) = world.credential(&aero, MEMBERS).await;
    let grant = ("grant_type", "client_credentials");

    let basic = world
        .client
        .post(format!("{}/oauth/token", world.base))
        .basic_auth(&id, Some(&secret));
    let basic = basic.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = world
        .send(basic.body("grant_type=client_credentials&scope=members:read&extra=1"))
        .await;
    assert_eq!(
        (answer.status, &answer.body["scope"]),
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
            (answer.status, &answer.body["error"]),
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
        (json.status, &json.body["error"]),
        (415, &json!("invalid_request"))
    );

    let long = "a".repeat(70_000);
    assert_eq!(world.token_form(&[("grant_type", &long)]).await.status, 413);

    let keys = world.get("", "/.well-known/jwks.json").await;
    assert_eq!(keys.body["keys"][0]["crv"], "Ed25519", "{}", keys.body);
    let about = world
        .get("", "/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(
        about.body["token_endpoint"],
        "https://hub.example/oauth/token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_stops_at_once() {
    let world = World::new().await;
    let aero = world.partner("AERO", "MILE").await;
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
    assert_eq!(world.get(&token, "/v1/members").await.status, 200);

    // A partner helps itself, but to no more than it has, and to no more than two.
    assert_eq!(
        world
            .post(&token, &credentials, json!({"scopes": ["awards:write"]}))
            .await
            .status,
        403
    );
    let first = world
        .post_keyed(&token, &credentials, "k", r#"{"scopes":["members:read"]}"#)
        .await;
    let again = world
        .post_keyed(&token, &credentials, "k", r#"{"scopes":["members:read"]}"#)
        .await;
    assert_eq!((first.status, again.status), (201, 201));
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
            .status,
        204
    );
    assert_eq!(
        world
            .delete(&world.operator_token, &format!("{credentials}/{id}"))
            .await
            .status,
        204
    );
    let refused = world.get(&token, "/v1/members").await;
    assert_eq!((refused.status, code(&refused)), (401, "unauthenticated"));
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
    let bay = world.partner("BAYV", "HPT").await;
    let at_bay = world.token(&bay, &["credentials:write"]).await;
    assert_eq!(world.get(&at_bay, &credentials).await.status, 404);
    assert_eq!(
        world
            .post(
                &at_bay,
                &credentials,
                json!({"scopes": ["credentials:write"]})
            )
            .await
            .status,
        404
    );
    assert_eq!(
        world
            .delete(&at_bay, &format!("{credentials}/{id}"))
            .await
            .status,
        404
    );
    let nobody = world.ids.show(Kind::Partner, 999);
    let lost = world
        .post(
            &world.operator_token,
            &format!("/v1/partners/{nobody}/credentials"),
            json!({"scopes": ["members:read"]}),
        )
        .await;
    assert_eq!(lost.status, 404, "{}", lost.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_stops_by_itself() {
    let world = World::new().await;
    let aero = world.partner("AERO", "MILE").await;
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
    assert_eq!(world.get(&token, "/v1/members").await.status, 200);

    let url = world.pool.url().to_owned();
    let mut owner = Connection::establish(&url).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::hours(2))
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/members").await.status, 401);
    assert_eq!(world.token_form(&form).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_who_may_before_anything_else() {
    let world = World::new().await;
    let aero = world.partner("AERO", "MILE").await;
    let token = world.token(&aero, &["members:read"]).await;

    for (method, path) in [
        (Method::GET, "/v1/members"),
        (Method::POST, "/v1/members"),
        (Method::POST, "/v1/partners"),
        (Method::GET, "/v1/approvals"),
        (Method::POST, "/v1/currencies"),
        (Method::POST, "/v1/memberships"),
    ] {
        let bare = world
            .send(
                world
                    .client
                    .request(method.clone(), format!("{}{path}", world.base)),
            )
            .await;
        assert_eq!(
            (bare.status, code(&bare)),
            (401, "unauthenticated"),
            "{method} {path}"
        );
        assert_eq!(bare.headers["www-authenticate"], "Bearer");
    }
    let narrow = world.post(&token, "/v1/members", json!({"bad": 1})).await;
    assert_eq!((narrow.status, code(&narrow)), (403, "forbidden"));
    assert!(
        narrow.body["detail"]
            .as_str()
            .unwrap()
            .contains("members:write"),
        "{}",
        narrow.body
    );
    let person = world.get(&world.operator_token, "/v1/members").await;
    assert_eq!(person.status, 403);
    let partner = world.post(&token, "/v1/partners", json!({})).await;
    assert!(
        partner.body["detail"]
            .as_str()
            .unwrap()
            .contains("operator"),
        "{}",
        partner.body
    );

    let patch = world
        .send(world.client.patch(format!("{}/v1/members", world.base)))
        .await;
    assert_eq!((patch.status, code(&patch)), (405, "method-not-allowed"));
    let twice = world
        .client
        .get(format!("{}/v1/members", world.base))
        .bearer_auth(&token)
        .bearer_auth(&token);
    assert_eq!(world.send(twice).await.status, 401);
    let basic = world
        .client
        .get(format!("{}/v1/members", world.base))
        .basic_auth("a", Some("b"));
    assert_eq!(world.send(basic).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_five_times_a_minute_and_leave_when_they_leave() {
    let world = World::new().await;
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
    assert_eq!(world.get(&token, "/v1/partners").await.status, 200);
    for password in ["wrong", "", "also wrong", "\u{0}"] {
        let answer = world
            .post_bare(
                "/v1/sessions",
                json!({"login": "fin", "password": password}),
            )
            .await;
        assert_eq!((answer.status, code(&answer)), (401, "sign-in-failed"));
    }
    let sixth = world
        .post_bare(
            "/v1/sessions",
            json!({"login": "fin", "password": PASSWORD}),
        )
        .await;
    assert_eq!((sixth.status, code(&sixth)), (429, "too-many-requests"));
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
    assert_eq!(unknown.status, 401);
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
    access::people::change_role(&mut conn, &world.operator, who, Role::Auditor)
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/partners").await.status, 401);
    access::people::change_role(&mut conn, &world.operator, who, Role::Finance)
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/partners").await.status, 200);
    access::people::dismiss(&mut conn, &world.operator, who)
        .await
        .unwrap();
    assert_eq!(world.get(&token, "/v1/partners").await.status, 401);
    assert!(
        access::people::dismiss(&mut conn, &world.operator, who)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_done_once_per_key() {
    let world = World::new().await;
    let body = r#"{"code":"AERO","name":"Aero","name_zh":"航翼航空","kind":"airline","money":"USD","zone":"Asia/Hong_Kong"}"#;
    let admit =
        |body: &'static str| world.post_keyed(&world.operator_token, "/v1/partners", "one", body);
    let (first, second) = tokio::join!(admit(body), admit(body));
    assert_eq!(
        (first.status, second.status),
        (201, 201),
        "{} {}",
        first.body,
        second.body
    );
    assert_eq!(first.body, second.body);
    assert_eq!(
        code(
            &admit(r#"{"code":"BAYV","name":"B","kind":"hotel","money":"USD","zone":"UTC"}"#).await
        ),
        "idempotency-key-reused"
    );
    let taken = world
        .post_keyed(&world.operator_token, "/v1/partners", "two", body)
        .await;
    assert_eq!((taken.status, code(&taken)), (409, "code-taken"));
    let listed = world.get(&world.operator_token, "/v1/partners").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["items"][0]["name_zh"], "航翼航空");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_by_field() {
    let world = World::new().await;
    let aero = world.partner("AERO", "MILE").await;
    let good =
        json!({"code": "BAYV", "name": "Bay", "kind": "hotel", "money": "USD", "zone": "UTC"});
    for (field, value) in [
        ("code", json!("bay")),
        ("name", json!("")),
        ("name", json!("a\u{0}")),
        ("name", json!(7)),
        ("kind", json!("No")),
        ("money", json!("ZZZ")),
        ("money", json!("\u{0}")),
        ("zone", json!("Mars/Base")),
        ("more", json!(1)),
        ("name", json!("\u{202e}x")),
        ("name", json!(null)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = world
            .post(&world.operator_token, "/v1/partners", body)
            .await;
        assert_eq!(answer.status, 400, "{field} {}", answer.body);
        assert_eq!(
            answer.body["errors"][0]["pointer"],
            format!("/{field}"),
            "{}",
            answer.body
        );
    }
    let lone = world
        .post_keyed(
            &world.operator_token,
            "/v1/partners",
            "k",
            r#"{"code":"BAYV","name":"\ud800"}"#,
        )
        .await;
    assert_eq!(lone.status, 400, "{}", lone.body);

    let good = json!({"code": "PTS", "name": "Points", "scale": 0, "issuer": aero, "expiry": {"policy": "none"}, "display_value": "1"});
    for (field, value, pointer) in [
        ("scale", json!(5), "/scale"),
        ("scale", json!(-1), "/scale"),
        ("scale", json!(1.5), "/scale"),
        ("issuer", json!("ptr_0000000000000000"), "/issuer"),
        ("display_value", json!(1), "/display_value"),
        (
            "expiry",
            json!({"policy": "rolling", "months": 0}),
            "/expiry/months",
        ),
        ("expiry", json!({"policy": "never"}), "/expiry/policy"),
        (
            "expiry",
            json!({"policy": "fixed", "on": "2001-01-01"}),
            "/expiry/on",
        ),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = world
            .post(&world.operator_token, "/v1/currencies", body)
            .await;
        assert_eq!(answer.status, 400, "{field} {}", answer.body);
        let told = answer.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with(told), "{pointer} {}", answer.body);
    }
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?cursor=00",
        "?page=1",
    ] {
        assert_eq!(
            world
                .get(&world.operator_token, &format!("/v1/partners{query}"))
                .await
                .status,
            400,
            "{query}"
        );
    }
    let suspended = world
        .post(
            &world.operator_token,
            &format!("/v1/partners/{aero}/status"),
            json!({"state": "suspended"}),
        )
        .await;
    assert_eq!(
        (suspended.status, &suspended.body["state"]),
        (200, &json!("suspended"))
    );
    assert_eq!(
        world
            .get(&world.operator_token, &format!("/v1/partners/{aero}"))
            .await
            .body["state"],
        "suspended"
    );
    assert_eq!(
        world
            .get(&world.operator_token, "/v1/currencies/MILE")
            .await
            .body["display_money"],
        "USD"
    );
    assert_eq!(
        world
            .get(&world.operator_token, "/v1/currencies/%00")
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_linked_by_what_the_member_carries() {
    let world = World::new().await;
    let (aero, bay) = (
        world.partner("AERO", "MILE").await,
        world.partner("BAYV", "HPT").await,
    );
    let (at_aero, at_bay) = (
        world.token(&aero, MEMBERS).await,
        world.token(&bay, MEMBERS).await,
    );
    let member = world
        .post(&at_aero, "/v1/members", json!({"number": "A-1"}))
        .await;
    assert_eq!(member.status, 201, "{}", member.body);
    let id = member.body["id"].as_str().unwrap().to_owned();

    assert_eq!(
        code(
            &world
                .post(&at_aero, "/v1/members", json!({"number": "A-1"}))
                .await
        ),
        "number-taken"
    );
    for number in ["", "a b", "\u{0}", "１"] {
        assert_eq!(
            world
                .post(&at_aero, "/v1/members", json!({ "number": number }))
                .await
                .status,
            400
        );
    }
    let path = format!("/v1/members/{id}");
    assert_eq!(world.get(&at_aero, &path).await.body, member.body);
    assert_eq!(world.get(&at_bay, &path).await.status, 404);
    assert_eq!(
        world
            .get(&at_bay, "/v1/members/mem_0000000000000000")
            .await
            .status,
        404
    );
    assert_eq!(
        world.get(&at_bay, "/v1/members?number=A-1").await.body["items"],
        json!([])
    );
    assert_eq!(
        world.get(&at_aero, "/v1/members?number=A-1").await.body["items"][0]["id"],
        id
    );
    assert_eq!(
        world.get(&at_aero, "/v1/members?number=%00").await.status,
        400
    );

    let link = format!("{path}/link-tokens");
    let send = |token: String| {
        let (world, link) = (&world, &link);
        async move {
            world
                .send(
                    world
                        .client
                        .post(format!("{}{link}", world.base))
                        .bearer_auth(token),
                )
                .await
        }
    };
    assert_eq!(send(at_bay.clone()).await.status, 404);
    let made = send(at_aero.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let token = made.body["link_token"].clone();

    assert_eq!(
        world
            .get(token.as_str().unwrap(), "/v1/members")
            .await
            .status,
        401,
        "a link is no access token"
    );
    assert_eq!(
        code(
            &world
                .post(
                    &at_bay,
                    "/v1/memberships",
                    json!({"link_token": at_aero, "number": "B-1"})
                )
                .await
        ),
        "link-invalid"
    );
    let linked = world
        .post(
            &at_bay,
            "/v1/memberships",
            json!({"link_token": token, "number": "B-1"}),
        )
        .await;
    assert_eq!(
        (linked.status, &linked.body["id"], &linked.body["number"]),
        (201, &json!(id), &json!("B-1")),
        "{}",
        linked.body
    );
    assert_eq!(
        code(
            &world
                .post(
                    &at_bay,
                    "/v1/memberships",
                    json!({"link_token": token, "number": "B-2"})
                )
                .await
        ),
        "already-member"
    );

    // Wallets: one at each, and one in a later currency when it is needed.
    let internal = world.internal(Kind::Member, &id);
    world.currency(&aero, "GOLD").await;
    let mut conn = world.conn().await;
    for (no, opened) in [(1000, true), (1001, true), (1002, false)] {
        assert_eq!(
            members::wallet_of(&mut conn, internal, no)
                .await
                .unwrap()
                .is_some(),
            opened,
            "{no}"
        );
    }
    let open = async || {
        let mut conn = world.pool.get().await.unwrap();
        db::transaction(&mut conn, async |conn| {
            members::wallet(conn, internal, 1002).await
        })
        .await
        .unwrap()
    };
    let (one, other) = tokio::join!(open(), open());
    assert!(one.is_some() && one == other, "{one:?} {other:?}");
    let only_bay = members::enrol(
        &mut conn,
        &world.operator,
        world.internal(Kind::Partner, &bay),
        &Number::try_from("B-9".to_owned()).unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(
        members::wallet(&mut conn, only_bay.member, 1002)
            .await
            .unwrap(),
        None
    );

    let mut owner = Connection::establish(world.pool.url()).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::minutes(11))
        .await
        .unwrap();
    let late = world
        .post(
            &at_bay,
            "/v1/memberships",
            json!({"link_token": token, "number": "B-3"}),
        )
        .await;
    assert_eq!((late.status, code(&late)), (410, "link-expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_members_are_enrolled_at_once_and_listed_in_pages() {
    let world = World::new().await;
    let mut partners = Vec::new();
    for code in ["AA", "BB", "CC", "DD", "EE"] {
        partners.push(world.partner(code, code).await);
    }
    let token = world.token(&partners[0], MEMBERS).await;
    let person = |n: usize| Enrolment {
        memberships: partners
            .iter()
            .map(|p| {
                (
                    world.internal(Kind::Partner, p),
                    Number::try_from(format!("N{n}")).unwrap(),
                )
            })
            .collect(),
    };
    let people: Vec<Enrolment> = (0..2_000).map(person).collect();
    let started = std::time::Instant::now();
    let mut conn = world.conn().await;
    let ids = db::transaction(&mut conn, async |conn| {
        members::enrol_many(conn, &world.operator, &people).await
    })
    .await
    .unwrap();
    println!("enrolled 2000 in {:?}", started.elapsed());
    assert_eq!(ids.len(), 2_000);
    assert!(
        members::is_member_of(
            &mut conn,
            ids[1_999],
            world.internal(Kind::Partner, &partners[4])
        )
        .await
        .unwrap()
    );
    let owners: Vec<(i64, i16)> = ids
        .iter()
        .flat_map(|id| (1000..1005).map(|no| (*id, no)))
        .collect();
    assert_eq!(
        members::wallets_of(&mut conn, &owners).await.unwrap().len(),
        10_000
    );

    let (mut seen, mut path) = (0, "/v1/members?limit=200".to_owned());
    loop {
        let page = world.get(&token, &path).await.body;
        seen += page["items"].as_array().unwrap().len();
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/members?limit=200&cursor={next}");
    }
    assert_eq!(seen, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_needs_every_party_and_a_second_person() {
    let world = World::new().await;
    let (aero, bay) = (
        world.partner("AERO", "MILE").await,
        world.partner("BAYV", "HPT").await,
    );
    let (at_bay, at_aero) = (
        world.token(&bay, &["rates:write"]).await,
        world.token(&aero, &["rates:write"]).await,
    );
    let citymart = world.partner("CITY", "STAR").await;
    let at_city = world.token(&citymart, &["rates:write"]).await;
    let fin = access::people::create(
        &mut *world.conn().await,
        "fin",
        "Fin",
        Role::Finance,
        PASSWORD,
    )
    .await
    .unwrap();
    let fin = Who::at_the_console(fin, Role::Finance);
    let (a, b) = (
        world.internal(Kind::Partner, &aero),
        world.internal(Kind::Partner, &bay),
    );
    let partner = |id, principal| Who {
        principal,
        party: access::Party::Partner(id),
        ..world.operator.clone()
    };
    let subject = Subject {
        kind: "rate_card",
        id: 1,
        shown: "card_1".into(),
    };
    let parties = [PartyName::Partner(a), PartyName::Partner(b), PartyName::Hub];

    let mut conn = world.conn().await;
    let of = ("rate_card", 1);
    let open = async |conn: &mut Connection, who: &Who| {
        db::transaction(conn, async |conn| {
            approvals::open(conn, who, &subject, b"hash", &parties).await
        })
        .await
    };
    let say = async |conn: &mut Connection, who: &Who, hash: &[u8], verdict| {
        db::transaction(conn, async |conn| {
            approvals::decide(conn, who, of, hash, verdict).await
        })
        .await
    };
    let slug = |result: Result<_, Error>| match result {
        Err(Error::Refused(problem)) => problem.slug.entry().slug,
        other => panic!("{:?}", other.map(|_: approvals::Decision| ())),
    };

    let id = open(&mut conn, &partner(a, 901)).await.unwrap();
    assert!(
        matches!(open(&mut conn, &partner(a, 901)).await, Err(Error::Refused(problem)) if problem.slug.entry().slug == "approval-open")
    );
    let yes = Verdict::Approved;
    assert_eq!(
        slug(say(&mut conn, &partner(a, 902), b"hash", yes).await),
        "maker-is-checker"
    );
    assert_eq!(
        slug(say(&mut conn, &partner(b, 903), b"other", yes).await),
        "approval-changed"
    );
    assert_eq!(
        slug(say(&mut conn, &partner(99, 904), b"hash", yes).await),
        "not-found"
    );
    assert!(
        !say(&mut conn, &partner(b, 903), b"hash", yes)
            .await
            .unwrap()
            .complete
    );

    let shown = world.ids.show(Kind::Approval, id);
    assert_eq!(
        world.get(&at_bay, "/v1/approvals").await.body["items"][0]["id"],
        shown
    );
    assert_eq!(
        world.get(&at_city, "/v1/approvals").await.body["items"],
        json!([])
    );
    assert_eq!(
        world
            .get(&at_city, &format!("/v1/approvals/{shown}"))
            .await
            .status,
        404
    );
    let seen = world
        .get(&at_aero, &format!("/v1/approvals/{shown}"))
        .await
        .body;
    assert_eq!(
        (
            &seen["content_hash"],
            seen["decisions"].as_array().unwrap().len()
        ),
        (&json!("68617368"), 2),
        "{seen}"
    );

    // Two of the hub at once: one word counts, and it completes.
    let (mut one, mut two) = (
        world.pool.get().await.unwrap(),
        world.pool.get().await.unwrap(),
    );
    let (first, second) = tokio::join!(
        say(&mut one, &world.operator, b"hash", yes),
        say(&mut two, &fin, b"hash", yes)
    );
    let complete = [&first, &second]
        .iter()
        .filter(|said| said.as_ref().is_ok_and(|decision| decision.complete))
        .count();
    assert_eq!(complete, 1, "{first:?} {second:?}");
    assert_eq!(
        slug(say(&mut conn, &fin, b"hash", yes).await),
        "approval-closed"
    );
    assert_eq!(
        world.get(&at_bay, "/v1/approvals").await.body["items"],
        json!([])
    );

    // Made by the hub: its word needs another person. And time runs out.
    open(&mut conn, &world.operator).await.unwrap();
    assert_eq!(
        slug(say(&mut conn, &world.operator, b"hash", yes).await),
        "maker-is-checker"
    );
    assert!(!say(&mut conn, &fin, b"hash", yes).await.unwrap().complete);
    let mut owner = Connection::establish(world.pool.url()).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::days(15))
        .await
        .unwrap();
    assert_eq!(
        slug(say(&mut conn, &partner(a, 901), b"hash", yes).await),
        "approval-expired"
    );
    open(&mut conn, &fin).await.unwrap();
    assert!(
        say(&mut conn, &world.operator, b"hash", Verdict::Rejected)
            .await
            .unwrap()
            .rejected
    );
    assert!(!approvals::cancel(&mut conn, &fin, of).await.unwrap());
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let changes: Count = diesel::sql_query("select count(*) from audit where subject = 'approval'")
        .get_result(&mut *conn)
        .await
        .unwrap();
    // Three were made; they were approved, expired and rejected.
    assert_eq!(changes.count, 6);
}

#[test]
fn every_operation_is_documented_whole() {
    use utoipa::OpenApi;
    let mut document = access::api::Doc::openapi();
    for more in [
        partners::api::Doc::openapi(),
        members::api::Doc::openapi(),
        approvals::api::Doc::openapi(),
    ] {
        document.merge(more);
    }
    let document = serde_json::to_value(document).unwrap();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            for member in [
                "summary",
                "description",
                "operationId",
                "tags",
                "security",
                "responses",
            ] {
                assert!(
                    !operation[member].is_null(),
                    "{method} {path} lacks {member}"
                );
            }
        }
    }
    assert_eq!(
        operations,
        21,
        "{}",
        document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(
            !document["components"]["schemas"][name].is_null(),
            "{name} is named and not there"
        );
    }
}
