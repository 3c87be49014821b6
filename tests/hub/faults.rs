//! Kills: a short round of `interline torture`, with each of its faults; and what concerns a single
//! hub: its own database killed with it and under it, a database that stands still, or is away.
//! Real processes on a database that syncs. Whatever was acknowledged is there exactly once
//! afterwards; whatever was not has one effect when it is sent again under its key.
//!
//! The n-th award to a wallet is of 4^n, so its balance in base 4 tells how often each took effect.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::future::join_all;
use interline::access::{Role, Who};
use interline::db::{self, Connection};
use interline::demo::credentials::Credentials;
use interline::demo::seed;
use interline::id::Kind;
use interline::imports::undo;
use interline::pg::{Cluster, Durability};
use interline::server::Hub;
use interline::torture::{Fault, Length, Plan, torture};
use interline::web::client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, World, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_interline");

/// No answer takes longer, whatever is broken.
const SOON: Duration = Duration::from_secs(12);

/// A directory with the data of a hub, and how to use the sample coalition in it.
struct Site {
    dir: PathBuf,
    credentials: Credentials,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Site {
    async fn new() -> Site {
        let dir =
            std::env::temp_dir().join(format!("interline-faults-{}", Uuid::new_v4().simple()));
        let cluster = Cluster::start(&dir, Durability::Durable, &[]).expect("a cluster");
        let mut conn = Connection::establish(&cluster.url("postgres"))
            .await
            .expect("a connection");
        conn.batch_execute("create database interline")
            .await
            .expect("a database");
        let url = cluster.url("interline");
        db::migrate(&url).await.expect("the schema");
        let hub = Hub::new(&url, "http://sample").await.expect("a hub");
        let credentials = seed::fill(&hub, "http://sample", 6)
            .await
            .expect("the sample coalition");
        drop((hub, conn));
        cluster.stop().expect("a stop");
        Site { dir, credentials }
    }

    fn cluster(&self) -> Cluster {
        Cluster::start(&self.dir, Durability::Durable, &[]).expect("a cluster")
    }

    fn postmaster(&self) -> Pid {
        let text = std::fs::read_to_string(self.dir.join("pg/postmaster.pid")).expect("a server");
        let pid = text.lines().next().expect("a pid");
        Pid::from_raw(pid.parse().expect("a pid"))
    }

    /// A hub as a process of its own, with the embedded database or on one that is there.
    async fn serve(&self, database: Option<&str>) -> Served {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--port", &port.to_string()]);
        match database {
            Some(url) => command.args(["--database-url", url]),
            None => command.arg("--data-dir").arg(&self.dir),
        };
        command.env_remove("DATABASE_URL").stderr(Stdio::null());
        let hub = Served {
            process: command.spawn().expect("a hub"),
            base_url: format!("http://127.0.0.1:{port}"),
            http: client::builder().timeout(SOON).build().expect("a client"),
        };
        hub.is_ready_soon().await;
        hub
    }

    /// The id of a fresh member of Aero.
    async fn member(&self, hub: &Served) -> String {
        let token = hub.token(self, "AERO").await;
        let number = Uuid::new_v4().simple().to_string();
        let member = hub
            .post(&token, "/v1/members", &number, &json!({"number": number}))
            .await;
        member.expect("an answer").ok()["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }
}

/// A hub that runs as a process. It is killed when the test ends.
struct Served {
    process: Child,
    base_url: String,
    http: Client,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).expect("a hub to signal");
    }

    async fn is_ready_soon(&self) {
        let since = Instant::now();
        let url = format!("{}/readyz", self.base_url);
        while !matches!(self.http.get(&url).send().await, Ok(answer) if answer.status().is_success())
        {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "the hub does not get ready"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn token(&self, site: &Site, code: &str) -> String {
        let partner = site.credentials.partner(code).expect(code);
        let request = self
            .http
            .post(format!("{}/oauth/token", self.base_url))
            .basic_auth(&partner.client_id, Some(&partner.client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        send(request).await.ok()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        send(
            self.http
                .get(format!("{}{path}", self.base_url))
                .bearer_auth(token),
        )
        .await
    }

    /// A write; none when no whole answer came.
    async fn post(&self, token: &str, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .bearer_auth(token)
            .header("idempotency-key", key)
            .json(body);
        let since = Instant::now();
        let response = request.send().await;
        if let Err(error) = &response {
            assert!(
                !error.is_timeout(),
                "{path}: no answer after {:?}",
                since.elapsed()
            );
        }
        let response = response.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.json().await.ok()?;
        Some(Answer {
            status,
            body,
            headers,
        })
    }
}

/// An award of a load, and what is known of it.
struct Sent {
    name: String,
    body: Value,
    acknowledged: Option<Value>,
}

/// One wallet's awards of 4^n, one after the other.
struct Load {
    member: String,
    sent: Vec<Sent>,
}

const AWARDS: u32 = 22;

impl Load {
    async fn awards(site: &Site, hub: &Served) -> Load {
        let member = site.member(hub).await;
        let sent = (0..AWARDS).map(|nth| {
            let name = format!("{member}-{nth}");
            let amount = json!({"amount": 4_i64.pow(nth).to_string(), "currency": "MILE"});
            let body =
                json!({"member": member, "amount": amount, "reason": "event", "reference": name});
            Sent {
                name,
                body,
                acknowledged: None,
            }
        });
        Load {
            sent: sent.collect(),
            member: member.clone(),
        }
    }

    /// Sends each once. What is not done is refused for now, or unknown.
    async fn run(&mut self, site: &Site, hub: &Served, known: &AtomicUsize) {
        let token = hub.token(site, "AERO").await;
        for write in &mut self.sent {
            let answer = hub
                .post(&token, "/v1/awards", &write.name, &write.body)
                .await;
            write.acknowledged = answer.and_then(done);
            known.fetch_add(usize::from(write.acknowledged.is_some()), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What was acknowledged is found as it was; the rest has one effect when it is sent again.
    async fn settle(&mut self, site: &Site, hub: &Served) {
        let token = hub.token(site, "AERO").await;
        for write in &mut self.sent {
            if let Some(acknowledged) = &write.acknowledged {
                let found = hub
                    .get(
                        &token,
                        &format!("{}?reference={}", "/v1/awards", write.name),
                    )
                    .await
                    .ok();
                assert_eq!(&found, acknowledged);
            }
            let since = Instant::now();
            let again = loop {
                let answer = hub
                    .post(&token, "/v1/awards", &write.name, &write.body)
                    .await;
                if let Some(done) = answer.and_then(done) {
                    break done;
                }
                assert!(
                    since.elapsed() < Duration::from_secs(20),
                    "{} stays refused",
                    write.name
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            if let Some(acknowledged) = &write.acknowledged {
                assert_eq!(&again, acknowledged);
            }
        }
    }

    async fn assert_each_took_effect_once(&self, site: &Site, hub: &Served) {
        let token = hub.token(site, "AERO").await;
        let wallets = hub
            .get(&token, &format!("/v1/members/{}/wallets", self.member))
            .await
            .ok();
        let balance: i64 = wallets["items"][0]["available"]["amount"]
            .as_str()
            .and_then(|amount| amount.parse().ok())
            .expect("a balance");
        let once_each: i64 = (0..AWARDS).map(|nth| 4_i64.pow(nth)).sum();
        assert_eq!(balance, once_each, "in base 4 each digit should be 1");
    }
}

/// The body of a success. Otherwise it must be a refusal that says when to come again.
fn done(answer: Answer) -> Option<Value> {
    if answer.status.is_success() {
        return Some(answer.body);
    }
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        answer.headers.contains_key("retry-after"),
        "{}",
        answer.body
    );
    None
}

async fn loads(site: &Site, hub: &Served) -> Vec<Load> {
    join_all((0..5).map(|_| Load::awards(site, hub))).await
}

/// Runs the loads while a fault happens.
async fn under_load(
    site: &Site,
    hub: &Served,
    loads: &mut [Load],
    fault: impl Future<Output = ()>,
) {
    let known = AtomicUsize::new(0);
    let running = loads.iter_mut().map(|load| load.run(site, hub, &known));
    tokio::join!(join_all(running), async {
        while known.load(Ordering::SeqCst) < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fault.await;
    });
}

async fn settle(site: &Site, hub: &Served, loads: &mut [Load]) {
    join_all(loads.iter_mut().map(|load| load.settle(site, hub))).await;
    join_all(
        loads
            .iter()
            .map(|load| load.assert_each_took_effect_once(site, hub)),
    )
    .await;
}

fn acknowledged(loads: &[Load]) -> (usize, usize) {
    let all = loads.iter().flat_map(|load| &load.sent);
    let known = all
        .clone()
        .filter(|write| write.acknowledged.is_some())
        .count();
    (known, all.count())
}

/// `interline verify` beside whatever runs there.
fn assert_right(dir: &Path) {
    let said = Command::new(PROGRAM)
        .args(["verify", "--data-dir"])
        .arg(dir)
        .env_remove("DATABASE_URL")
        .output()
        .expect("a proof");
    let report = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    assert!(report.contains("The books are right."), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_fire_nothing_is_lost_doubled_or_unknown() {
    let dir = std::env::temp_dir().join(format!("interline-fire-{}", Uuid::new_v4().simple()));
    let plan = Plan {
        program: PROGRAM.into(),
        dir: dir.clone(),
        length: Length::Rounds(1),
        seed: rand::random(),
    };

    let verdict = torture(&plan).await.expect("a verdict");

    assert!(verdict.is_right(), "{verdict}\n{plan:?}");
    let missing = Fault::ALL.map(|fault| (fault, verdict.faults.get(&fault)));
    assert!(
        missing.iter().all(|(_, times)| times.is_some()),
        "{missing:?}"
    );
    assert!(verdict.acknowledged > 100, "{verdict}");
    std::fs::remove_dir_all(dir).expect("a directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_comes_back_with_all_that_it_acknowledged() {
    let site = Site::new().await;

    let hub = site.serve(None).await;
    let mut first = loads(&site, &hub).await;
    under_load(&site, &hub, &mut first, async {
        hub.signal(Signal::SIGKILL)
    })
    .await;
    let (known, all) = acknowledged(&first);
    assert!(
        known > 0 && known < all,
        "{known} of {all} were acknowledged"
    );
    drop(hub);

    let hub = site.serve(None).await;
    settle(&site, &hub, &mut first).await;
    assert_right(&site.dir);

    // Its database is killed under it: it says so, and starts it again.
    let mut second = loads(&site, &hub).await;
    let kill_database = async { kill(site.postmaster(), Signal::SIGKILL).expect("a server") };
    under_load(&site, &hub, &mut second, kill_database).await;
    let (known, all) = acknowledged(&second);
    assert!(
        known > 0 && known < all,
        "{known} of {all} were acknowledged"
    );
    hub.is_ready_soon().await;
    settle(&site, &hub, &mut second).await;
    assert_right(&site.dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_makes_nobody_wait_for_ever() {
    let site = Site::new().await;
    let cluster = site.cluster();
    let url = cluster.url("interline");
    let hub = site.serve(Some(&url)).await;
    let mut awards = Load::awards(&site, &hub).await;
    let token = hub.token(&site, "AERO").await;
    // The writers are connected.
    awards.sent.truncate(3);
    awards.run(&site, &hub, &AtomicUsize::new(0)).await;
    let mut awards = Load::awards(&site, &hub).await;

    let postmaster = site.postmaster();
    let children =
        std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
    let children = children.expect("children");
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let all: Vec<Pid> = children.map(Pid::from_raw).chain([postmaster]).collect();
    let send_all = |signal: Signal| {
        for pid in &all {
            // A session may have ended meanwhile.
            let _ = kill(*pid, signal);
        }
    };
    send_all(Signal::SIGSTOP);

    let patient = client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    let write = &awards.sent[0];
    let post = patient
        .post(format!("{}{}", hub.base_url, "/v1/awards"))
        .bearer_auth(&token)
        .header("idempotency-key", &write.name)
        .json(&write.body);
    let get = patient.get(format!("{}/readyz", hub.base_url));
    let (posted, got) = tokio::join!(send(post), send(get));
    send_all(Signal::SIGCONT);

    for answer in [posted, got] {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(
            answer.headers.contains_key("retry-after"),
            "{}",
            answer.body
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    hub.is_ready_soon().await;
    awards.settle(&site, &hub).await;
    awards.assert_each_took_effect_once(&site, &hub).await;
    let report = interline::verify::verify(&url).await.expect("a proof");
    World::assert_right(&report);
    drop((hub, cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_every_answer_says_when_to_come_again() {
    let site = Site::new().await;
    let cluster = site.cluster();
    let hub = site.serve(Some(&cluster.url("interline"))).await;
    let token = hub.token(&site, "AERO").await;

    drop(cluster);
    every_answer_is_come_again(&hub, &token).await;

    let cluster = site.cluster();
    hub.is_ready_soon().await;
    drop((hub, cluster));
}

/// While the database is away everything is answered within seconds, with when to come again.
async fn every_answer_is_come_again(hub: &Served, token: &str) {
    let get = |path: &str| {
        hub.http
            .get(format!("{}{path}", hub.base_url))
            .bearer_auth(token)
    };
    let post = |path: &str| {
        let request = hub
            .http
            .post(format!("{}{path}", hub.base_url))
            .bearer_auth(token);
        request.header("idempotency-key", Uuid::new_v4().to_string())
    };
    let award = json!({"member": "mem_0000000000000000", "amount": {"amount": "1", "currency": "MILE"}, "reason": "event"});
    let requests = [
        get("/readyz"),
        get("/v1/partners"),
        get("/v1/awards?reference=x"),
        post("/v1/awards").json(&award),
        post("/v1/members").json(&json!({"number": "1"})),
        post("/v1/conversions").json(&json!({"quote": "x"})),
    ];
    let since = Instant::now();
    for answer in join_all(requests.map(send)).await {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.problem(), "unavailable");
        assert!(
            answer.headers.contains_key("retry-after"),
            "{}",
            answer.body
        );
    }
    assert!(
        since.elapsed() < Duration::from_secs(3),
        "{:?}",
        since.elapsed()
    );
    let alive = send(hub.http.get(format!("{}/healthz", hub.base_url))).await;
    assert!(alive.status.is_success());
}

/// Lines of the import that hubs are killed in.
const LINES: usize = 4_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_and_its_undo_go_on_where_a_hub_was_killed_and_do_nothing_twice() {
    let site = Site::new().await;
    let cluster = site.cluster();
    let url = cluster.url("interline");
    let mut hub = site.serve(Some(&url)).await;
    let member = site.member(&hub).await;
    let mut token = hub.token(&site, "AERO").await;
    let body = json!({"kind": "awards", "format": "csv", "name": "many.csv"});
    let begun = hub.post(&token, "/v1/imports", "begin", &body).await;
    let import = begun.expect("an answer").ok()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/v1/imports/{import}");
    let line = format!("{member},1,MILE,purchase\n");
    let file = format!("member,amount,currency,reason\n{}", line.repeat(LINES));

    // Each time it is killed it has some more lines, and says which is the next.
    let mut next = 1;
    for moment in [150, 300, 450] {
        let rest: String = file.split_inclusive('\n').skip(next - 1).collect();
        let lines = hub
            .http
            .put(format!("{}{path}/lines?from={next}", hub.base_url));
        let lines = lines.bearer_auth(&token).header("content-type", "text/csv");
        tokio::select! {
            sent = lines.body(rest).send() => panic!("{moment} ms are too long: {sent:?}"),
            () = tokio::time::sleep(Duration::from_millis(moment)) => hub.signal(Signal::SIGKILL),
        }
        drop(hub);
        hub = site.serve(Some(&url)).await;
        token = hub.token(&site, "AERO").await;
        let told = hub.get(&token, &path).await.ok();
        let known = told["next_line"].as_u64().expect("a line") as usize;
        assert!(known >= next, "{told}");
        next = known;
    }
    let rest: String = file.split_inclusive('\n').skip(next - 1).collect();
    let lines = hub
        .http
        .put(format!("{}{path}/lines?from={next}", hub.base_url));
    let lines = lines.bearer_auth(&token).header("content-type", "text/csv");
    let sent = send(lines.body(rest)).await.ok();
    assert_eq!(
        (&sent["done"], &sent["refused"]),
        (&json!(LINES), &json!(0))
    );
    let all = json!({"lines": LINES + 1});
    let finished = hub
        .post(&token, &format!("{path}/finish"), "finish", &all)
        .await;
    finished.expect("an answer").ok();
    assert_eq!(holds(&site, &hub, &member).await, [LINES, 0]);

    // Whoever is there goes on with what a killed hub was at.
    let undo = format!("{path}/undo");
    let (freeze, nothing) = (format!("{path}/freeze"), json!({}));
    let freezing = hub.post(&token, &freeze, "freeze", &nothing);
    tokio::join!(freezing, async {
        some_changes(&site, &hub, &member, [LINES, 0]).await;
        hub.signal(Signal::SIGKILL);
    });
    drop(hub);
    hub = site.serve(Some(&url)).await;
    becomes(&site, &hub, &undo, "frozen").await;
    assert_eq!(holds(&site, &hub, &member).await, [0, LINES]);
    token = hub.token(&site, "AERO").await;
    let wanted = json!({"spent": "borne_by_issuer"});
    let proposed = hub
        .post(&token, &undo, "undo", &wanted)
        .await
        .expect("an answer")
        .ok();
    let hash = proposed["proposed"]["content_hash"]
        .as_str()
        .expect("a hash");
    let hash = hex::decode(hash).expect("a hash");
    let beside = Hub::new(&url, "http://beside").await.expect("a hub");
    let id = beside.ids.read(Kind::Import, &import).expect("an import");
    let who = Who::at_the_console(0, Role::Operator);
    let mut conn = beside.pool.get().await.expect("a connection");
    let approve = async |conn: &mut Connection| undo::approve(conn, &who, (None, id), &hash).await;
    db::transaction(&mut conn, approve).await.expect("a word");
    drop((conn, beside));
    some_changes(&site, &hub, &member, [0, LINES]).await;
    hub.signal(Signal::SIGKILL);
    drop(hub);
    hub = site.serve(Some(&url)).await;
    becomes(&site, &hub, &undo, "undone").await;
    assert_eq!(holds(&site, &hub, &member).await, [0, 0]);
    assert_right(&site.dir);
}

/// Waits until a member's wallet is not what it was.
async fn some_changes(site: &Site, hub: &Served, member: &str, before: [usize; 2]) {
    let since = Instant::now();
    while holds(site, hub, member).await == before {
        assert!(since.elapsed() < Duration::from_secs(30), "nothing goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until an undo is in a state.
async fn becomes(site: &Site, hub: &Served, undo: &str, state: &str) {
    let (since, token) = (Instant::now(), hub.token(site, "AERO").await);
    loop {
        let told = hub.get(&token, undo).await.ok();
        if told["state"] == state {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a member's wallet has, and what of it is frozen.
async fn holds(site: &Site, hub: &Served, member: &str) -> [usize; 2] {
    let token = hub.token(site, "AERO").await;
    let wallets = hub
        .get(&token, &format!("/v1/members/{member}/wallets"))
        .await
        .ok();
    let wallet = &wallets["items"][0];
    ["available", "frozen"].map(|of| {
        let amount = wallet[of]["amount"].as_str().expect("an amount");
        amount.parse().expect("units")
    })
}
