//! A world for a test: a database of its own, a hub that serves it, the sample coalition in it.
//!
//! One throw-away cluster serves the whole run. The first test fills a template database with the
//! sample coalition; each test gets a clone of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use interline::access::second_factor::{self, totp::Secret};
use interline::access::{Role, Who};
use interline::db::{self, Connection};
use interline::demo::credentials::Credentials;
use interline::demo::seed;
use interline::environment::{self, Environment};
use interline::id::Kind;
use interline::partners::steps;
use interline::pg::{Cluster, Durability};
use interline::server::Hub;
use interline::web::client;
use interline::webhooks::reach::Reach;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use crate::openapi;

/// Members of the sample coalition in a test.
const MEMBERS: usize = 6;

/// The cluster of this run. It ends with the process; what an earlier run left is swept away.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let root = std::env::temp_dir();
    for old in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix("interline-test-")
            .and_then(|pid| pid.parse::<i32>().ok());
        if pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    let dir: PathBuf = root.join(format!("interline-test-{}", std::process::id()));
    Cluster::start(&dir, Durability::ThrowAway, &[("max_connections", "400")])
        .expect("a throw-away cluster")
});

/// A database to clone, and how to use the sample coalition in any clone of it.
struct Template {
    name: &'static str,
    environment: Environment,
    credentials: OnceCell<Credentials>,
}

static LIVE: Template = Template {
    name: "template_of_all",
    environment: Environment::Live,
    credentials: OnceCell::const_new(),
};

static SANDBOX: Template = Template {
    name: "template_of_sandboxes",
    environment: Environment::Sandbox,
    credentials: OnceCell::const_new(),
};

async fn filled(template: &'static Template) -> &'static Credentials {
    let filled = template.credentials.get_or_init(|| async {
        create(template.name, None).await;
        let url = CLUSTER.url(template.name);
        db::migrate(&url).await.expect("the schema");
        let mut owner = Connection::establish(&url).await.expect("a connection");
        environment::must_be(&mut owner, template.environment)
            .await
            .expect("an environment");
        drop(owner);
        let hub = Hub::new(&url, "http://template").await.expect("a hub");
        let credentials = seed::fill(&hub, "http://template", MEMBERS)
            .await
            .expect("the sample coalition");
        drop(hub);
        credentials
    });
    filled.await
}

async fn create(name: &str, template: Option<&str>) {
    let mut conn = Connection::establish(&CLUSTER.url("postgres"))
        .await
        .expect("the cluster");
    let from = template
        .map(|template| format!(" template {template}"))
        .unwrap_or_default();
    for _ in 0..200 {
        match conn
            .batch_execute(&format!("create database {name}{from}"))
            .await
        {
            Ok(()) => return,
            // The hub that filled the template is letting go of its connections.
            Err(error) if error.to_string().contains("being accessed") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("no database: {error}"),
        }
    }
    panic!("the template stays in use");
}

type Sessions = Arc<Mutex<HashMap<String, String>>>;

pub struct World {
    pub url: String,
    pub hub: Hub,
    pub base_url: String,
    pub http: Client,
    pub credentials: Credentials,
    /// The session of each login, which all hubs of the database and all steps of a test share: an account
    /// takes five sign-ins a minute.
    sessions: Sessions,
    olivia: OnceCell<String>,
}

/// What the hub answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl Answer {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// The code of the problem it must be.
    #[track_caller]
    pub fn problem(&self) -> &str {
        assert!(
            self.status.is_client_error() || self.status.is_server_error(),
            "{} {}",
            self.status,
            self.body
        );
        assert_eq!(
            self.headers["content-type"], "application/problem+json",
            "{}",
            self.body
        );
        assert_eq!(self.body["status"], self.status.as_u16(), "{}", self.body);
        self.body["code"]
            .as_str()
            .expect("every problem has a code")
    }
}

impl World {
    pub async fn new() -> World {
        World::clone_of(&LIVE).await
    }

    /// A world without real members.
    pub async fn sandbox() -> World {
        World::clone_of(&SANDBOX).await
    }

    async fn clone_of(template: &'static Template) -> World {
        let credentials = filled(template).await;
        let name = format!("t_{}", Uuid::new_v4().simple());
        create(&name, Some(template.name)).await;
        World::on(CLUSTER.url(&name), credentials.clone(), Sessions::default()).await
    }

    /// Another hub on the same database.
    pub async fn second(&self) -> World {
        World::on(
            self.url.clone(),
            self.credentials.clone(),
            self.sessions.clone(),
        )
        .await
    }

    /// The same database through a hub of another process, as soon as it answers.
    pub async fn at(&self, base_url: &str) -> World {
        let world = World {
            base_url: base_url.to_owned(),
            ..self.second().await
        };
        let health = || world.request(Method::GET, "/healthz").send();
        while health().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world
    }

    async fn on(url: String, credentials: Credentials, sessions: Sessions) -> World {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base_url = format!(
            "http://{}",
            listener.local_addr().expect("a bound listener")
        );
        // The issuer is the same for every hub of a database: tokens are good at all of them.
        let hub = Hub::new(&url, "http://interline.test")
            .await
            .expect("a hub")
            .reaching(Reach::allowing(vec![
                "127.0.0.1/32".parse().expect("a range"),
            ]));
        tokio::spawn(hub.serve(listener).expect("a server"));
        let credentials = Credentials {
            base_url: base_url.clone(),
            ..credentials
        };
        World {
            url,
            hub,
            base_url,
            http: client::builder().build().expect("a client"),
            credentials,
            sessions,
            olivia: OnceCell::new(),
        }
    }

    /// The token of an operator.
    pub async fn operator(&self) -> &str {
        self.olivia.get_or_init(|| self.sign_in("olivia")).await
    }

    /// A connection as the owner of the database, for what no hub may do.
    pub async fn superuser(&self) -> Connection {
        Connection::establish(&self.url)
            .await
            .expect("a connection")
    }

    /// Turns the clock forward.
    pub async fn forward(&self, by: chrono::Duration) {
        db::turn_clock_forward(&mut self.superuser().await, by)
            .await
            .expect("a clock");
    }

    /// Does what nobody asks for.
    pub async fn sweep(&self) {
        let sweep = self.hub.ledger.sweep(&self.hub.secrets);
        sweep.await.expect("a sweep");
    }

    /// Takes a partner that was admitted through every step until it is live.
    pub async fn bring_live(&self, partner: &str) {
        let id = self.hub.ids.read(Kind::Partner, partner).expect(partner);
        let [maker, checker] = [-1, -2].map(|id| Who::at_the_console(id, Role::Operator));
        let mut conn = self.hub.pool.get().await.expect("a connection");
        db::transaction(&mut conn, async |conn| {
            steps::bring_live(conn, [&maker, &checker], &self.hub.ids, id).await
        })
        .await
        .expect("every step");
    }

    /// A partner's access token, with all scopes.
    pub async fn token(&self, code: &str) -> String {
        let partner = self.credentials.partner(code).expect(code);
        let request = self
            .http
            .post(format!("{}/oauth/token", self.base_url))
            .basic_auth(&partner.client_id, Some(&partner.client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let body = send(request).await.ok();
        body["access_token"].as_str().expect("a token").to_owned()
    }

    /// What a partner gets for what names a member, with a form that says more.
    pub async fn exchange(&self, code: &str, subject: &str, more: &[(&str, &str)]) -> Answer {
        let partner = self.credentials.partner(code).expect(code);
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", subject),
            ("subject_token_type", "urn:interline:token-type:membership"),
        ] {
            if more.iter().all(|(known, _)| *known != name) {
                form.append_pair(name, value);
            }
        }
        let form = form.extend_pairs(more).finish();
        let request = self
            .request(Method::POST, "/oauth/token")
            .basic_auth(&partner.client_id, Some(&partner.client_secret))
            .header("content-type", "application/x-www-form-urlencoded");
        send(request.body(form)).await
    }

    /// The id of a member's membership of a partner.
    pub async fn membership(&self, code: &str, member: &Member) -> String {
        let path = format!("/v1/members/{}", member.id);
        let member = self.get(&self.token(code).await, &path).await.ok();
        member["membership"].as_str().expect("an id").to_owned()
    }

    /// The token with which a partner acts for its member.
    pub async fn acting(&self, code: &str, member: &Member) -> String {
        let membership = self.membership(code, member).await;
        let granted = self.exchange(code, &membership, &[]).await.ok();
        granted["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// The token of a person's session, by login.
    pub async fn sign_in(&self, login: &str) -> String {
        let mut sessions = self.sessions.lock().await;
        if let Some(token) = sessions.get(login) {
            return token.clone();
        }
        let token = self.sign_in_anew(login).await;
        sessions.insert(login.to_owned(), token.clone());
        token
    }

    /// The same of a session that begins now.
    pub async fn sign_in_anew(&self, login: &str) -> String {
        let mut people = self.credentials.people.iter();
        let person = people.find(|person| person.login == login);
        let password = &person.expect(login).password;
        self.sign_in_with(login, password).await
    }

    /// The same of anybody, who is enrolled first if need be.
    pub async fn sign_in_with(&self, login: &str, password: &str) -> String {
        let code = self.code_of(login).await;
        let body = json!({"login": login, "password": password, "code": code});
        let request = self.request(Method::POST, "/v1/sessions").json(&body);
        let session = send(request).await.ok();
        session["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// The code of the moment of somebody's authenticator, who is enrolled first if need be. It is taken even
    /// if it was used: half a minute is let pass.
    pub async fn code_of(&self, login: &str) -> String {
        let found = format!(
            "select p.id || ' ' || f.version from people p join second_factors f on f.person_id = p.id \
              where login = '{login}' and confirmed_at is not null"
        );
        let found = crate::sql::texts(&self.url, &found).await;
        let secret = match found.first().and_then(|text| text.split_once(' ')) {
            Some((person, version)) => Secret::of(
                &self.hub.secrets.factors,
                person.parse().expect("an id"),
                version.parse().expect("a version"),
            ),
            None => {
                let id = format!("select id from people where login = '{login}'");
                let id = crate::sql::number(&self.url, &id).await;
                let mut conn = self.hub.pool.get().await.expect("a connection");
                let secret = second_factor::enrol_at_once(&mut conn, &self.hub.secrets, id).await;
                secret.expect("a second factor")
            }
        };
        let forget = format!(
            "update second_factors set last_step = 0 where person_id = (select id from people where login = '{login}')"
        );
        let mut owner = self.superuser().await;
        owner.batch_execute(&forget).await.expect("a half minute");
        secret.code(chrono::Utc::now().timestamp())
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        send(
            self.http
                .get(format!("{}{path}", self.base_url))
                .bearer_auth(token),
        )
        .await
    }

    /// A write under a fresh key.
    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.post_with_key(token, path, &Uuid::new_v4().to_string(), body)
            .await
    }

    pub async fn post_with_key(&self, token: &str, path: &str, key: &str, body: Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .bearer_auth(token)
            .header("idempotency-key", key)
            .json(&body);
        send(request).await
    }

    /// A write that takes the place of what was there, under a fresh key.
    pub async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        let key = Uuid::new_v4().to_string();
        let request = self.request(Method::PUT, path).bearer_auth(token);
        send(request.header("idempotency-key", key).json(&body)).await
    }

    /// What a partner says of a member, and nothing else.
    pub async fn attest(&self, partner: &str, member: &Member, claims: Value) {
        let path = format!("/v1/members/{}/claims", member.id);
        let body = json!({"claims": claims});
        self.put(&self.token(partner).await, &path, body).await.ok();
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base_url))
    }

    /// A fresh member of the three brands of the worked month, with empty wallets.
    pub async fn member(&self) -> Member {
        let number = Uuid::new_v4().simple().to_string();
        let aero = self.token("AERO").await;
        let member = self
            .post(&aero, "/v1/members", json!({"number": number}))
            .await
            .ok();
        let id = member["id"].as_str().expect("an id").to_owned();
        for code in ["BAYVIEW", "CITYMART"] {
            let link = self
                .post(
                    &aero,
                    &format!("/v1/members/{id}/link-tokens"),
                    json!({"partner": code}),
                )
                .await
                .ok();
            let body = json!({"link_token": link["link_token"], "number": number});
            self.post(&self.token(code).await, "/v1/memberships", body)
                .await
                .ok();
        }
        Member { id }
    }

    /// A currency SKY that Aero issues and keeps the balances of, and cards by which it is given for hotel
    /// points, and they for it. Nothing when it is there.
    pub async fn sky(&self) {
        let issuer = &self.credentials.partner("AERO").expect("AERO").id;
        let body = json!({"code": "SKY", "name": "Sky", "scale": 0, "issuer": issuer,
            "expiry": {"policy": "none"}, "display_value": "0.014", "kept_by": "partner"});
        let operator = self.operator().await;
        if self
            .get(operator, "/v1/currencies/SKY")
            .await
            .status
            .is_success()
        {
            return;
        }
        self.post(operator, "/v1/currencies", body).await.ok();
        let ratio = json!({"kind": "ratio", "give": 2, "get": 1});
        let settlement = json!({"kind": "cost_plus", "price": "0.008", "commission": "0.025"});
        self.publish(card("SKY", "HPT", ratio, settlement))
            .await
            .ok();
        let ratio = json!({"kind": "ratio", "give": 1, "get": 1});
        let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0"});
        self.publish(card("HPT", "SKY", ratio, settlement))
            .await
            .ok();
    }

    /// The id of a credit that Aero has to answer: of a member's hotel points that became SKY.
    pub async fn asked_for(&self, member: &Member) -> String {
        self.award(member, "5", "HPT").await;
        let conversion = self.convert(member, "5", "HPT", "SKY").await;
        let path = format!(
            "/v1/conversions/{}",
            conversion["id"].as_str().expect("an id")
        );
        let seen = self.get(&self.token("AERO").await, &path).await.ok();
        seen["credit"].as_str().expect("a credit").to_owned()
    }

    /// The text of an answer.
    pub async fn text(&self, token: &str, path: &str) -> String {
        match self.get(token, path).await.body {
            Value::String(text) => text,
            other => panic!("{path}: {other}"),
        }
    }

    /// Takes a quote for SKY that Aero says it debited.
    pub async fn transfer(
        &self,
        member: &Member,
        quote: &str,
        amount: &str,
        more: Value,
    ) -> Answer {
        let mut body = json!({"quote": quote, "member": member.id,
            "debited": {"amount": amount, "currency": "SKY"}, "debited_on": self.business_day().await,
            "reference": "debit 1"});
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.post(&self.token("AERO").await, "/v1/transfers", body)
            .await
    }

    /// What day it is where Aero is.
    pub async fn business_day(&self) -> String {
        let sql = "select to_char(hub_now() at time zone 'Asia/Hong_Kong', 'YYYYMMDD')::bigint";
        let day = crate::sql::number(&self.url, sql).await.to_string();
        format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..])
    }

    /// Gives a member points of a currency, by its issuer.
    pub async fn award(&self, member: &Member, amount: &str, currency: &str) -> Value {
        let amount = json!({"amount": amount, "currency": currency});
        let body = json!({"member": member.id, "amount": amount, "reason": "purchase"});
        self.post(&self.token(issuer(currency)).await, "/v1/awards", body)
            .await
            .ok()
    }

    /// What a member can use of a currency.
    pub async fn balance(&self, member: &Member, currency: &str) -> String {
        let token = self.token(issuer(currency)).await;
        let wallets = self
            .get(&token, &format!("/v1/members/{}/wallets", member.id))
            .await
            .ok();
        let wallets = wallets["items"].as_array().expect("wallets");
        let wallet = wallets
            .iter()
            .find(|wallet| wallet["currency"] == currency)
            .expect(currency);
        wallet["available"]["amount"]
            .as_str()
            .expect("an amount")
            .to_owned()
    }

    /// A card that all three agree to, knowing its lints: drafted and proposed by the source.
    pub async fn publish(&self, card: Value) -> Answer {
        let issuer_of = |side: &str| issuer(card[side].as_str().expect("a code"));
        let (source, target) = (
            self.token(issuer_of("from")).await,
            self.token(issuer_of("to")).await,
        );
        let drafted = self.post(&source, "/v1/rate-cards", card).await.ok();
        let to = |step| {
            let id = drafted["id"].as_str().expect("an id");
            format!("/v1/rate-cards/{id}/{step}")
        };
        let lints = drafted["lints"].as_array().expect("lints").iter();
        let known: Vec<&Value> = lints.map(|lint| &lint["code"]).collect();
        let hash = json!({"content_hash": drafted["content_hash"], "acknowledges": known});
        let known = json!({"acknowledges": known});
        self.post(&source, &to("propose"), known).await.ok();
        let path = to("approve");
        self.post(&target, &path, hash.clone()).await.ok();
        self.post(self.operator().await, &path, hash).await
    }

    /// The token of a quote.
    pub async fn quote(&self, member: &Member, amount: &str, from: &str, to: &str) -> String {
        let body =
            json!({"member": member.id, "gives": {"amount": amount, "currency": from}, "to": to});
        let quote = self
            .post(&self.token(issuer(from)).await, "/v1/quotes", body)
            .await
            .ok();
        quote["quote"].as_str().expect("a token").to_owned()
    }

    /// Takes a quote.
    pub async fn convert(&self, member: &Member, amount: &str, from: &str, to: &str) -> Value {
        let quote = self.quote(member, amount, from, to).await;
        self.post(
            &self.token(issuer(from)).await,
            "/v1/conversions",
            json!({"quote": quote}),
        )
        .await
        .ok()
    }

    /// Seals everything there is, in one seal when it is not too much. Whatever runs elsewhere on the
    /// server may delay it.
    pub async fn seal(&self) {
        let wait = Duration::from_millis(5);
        let is_final = "select coalesce(max(id) < (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint \
                        + group_base from control), true)::int from groups";
        while crate::sql::number(&self.url, is_final).await == 0 {
            tokio::time::sleep(wait).await;
        }
        let mut conn = self.superuser().await;
        while interline::ledger::seals::store::is_behind(&mut conn)
            .await
            .expect("an answer")
        {
            match interline::ledger::seals::seal(&mut conn).await {
                Ok(Some(_)) => {}
                Ok(None) => tokio::time::sleep(wait).await,
                Err(error) => panic!("no seal: {error}"),
            }
        }
    }

    /// Proves the books.
    pub async fn verify(&self) -> interline::verify::Report {
        interline::verify::verify(&self.url).await.expect("a proof")
    }

    #[track_caller]
    pub fn assert_right(report: &interline::verify::Report) {
        assert_eq!(report.difference, None, "{report}");
    }
}

pub struct Member {
    pub id: String,
}

/// The code of the brand that issues a currency.
/// A card to draft.
pub fn card(from: &str, to: &str, terms: Value, settlement: Value) -> Value {
    json!({"from": from, "to": to, "terms": terms, "settlement": settlement})
}

pub fn issuer(currency: &str) -> &'static str {
    if currency == "SKY" {
        return "AERO";
    }
    let brand = interline::demo::coalition::BRANDS
        .iter()
        .find(|brand| brand.currency == currency);
    brand.expect(currency).code
}

/// Sends a request, of whose answer the document has to know.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.expect("the hub answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a whole answer");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    openapi::must_be_documented(&method, &path, status, &body);
    Answer {
        status,
        body,
        headers,
    }
}
