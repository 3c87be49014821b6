//! Webhooks, with a receiver that does whatever receivers do: once each event, signed, whatever else
//! hangs, breaks or drips beside it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use interline::webhooks::reach::Reach;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::sql;
use crate::world::{Member, World, send};

/// What a receiver does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Takes,
    /// As the specification says; else 401.
    Verifies,
    Answers(u16),
    Redirects,
    Hangs,
    Resets,
    Drips,
    Floods,
}

/// What came.
#[derive(Debug, Clone)]
struct Got {
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Whether a library of the specification would take it.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("a secret");
        let key = STANDARD.decode(key).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.split(' ').any(|given| given == wanted)
    }

    fn is_good(&self, secret: &str) -> bool {
        let at: i64 = self.timestamp.parse().expect("seconds");
        let age = chrono::Utc::now().timestamp() - at;
        age.abs() <= 300 && self.is_signed_with(secret)
    }
}

pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    manner: Arc<Mutex<Manner>>,
    secret: Arc<Mutex<String>>,
    most_at_once: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn new(manner: Manner) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/events", listener.local_addr().expect("bound"));
        let (got, manner) = (Arc::default(), Arc::new(Mutex::new(manner)));
        let (now, most_at_once) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let secret = Arc::default();
        let parts = (
            Arc::clone(&got),
            (Arc::clone(&manner), Arc::clone(&secret)),
            now,
            Arc::clone(&most_at_once),
        );
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (got, manner, now, most) = parts.clone();
                tokio::spawn(converse(stream, got, manner, now, most));
            }
        });
        Receiver {
            url,
            got,
            manner,
            secret,
            most_at_once,
            task,
        }
    }

    fn turns(&self, manner: Manner) {
        *self.manner.lock().expect("no panic") = manner;
    }

    /// What it verifies with from now on.
    pub fn knows(&self, secret: &str) {
        *self.secret.lock().expect("no panic") = secret.to_owned();
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }

    fn ids(&self) -> Vec<String> {
        self.got().into_iter().map(|got| got.id).collect()
    }

    /// Waits until so many different events have come.
    async fn until(&self, count: usize) -> Vec<Got> {
        for _ in 0..1_200 {
            let mut ids = self.ids();
            ids.sort_unstable();
            ids.dedup();
            if ids.len() >= count {
                return self.got();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{} of {count} events came", self.got().len());
    }
}

async fn converse(
    mut stream: TcpStream,
    got: Arc<Mutex<Vec<Got>>>,
    (manner, secret): (Arc<Mutex<Manner>>, Arc<Mutex<String>>),
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
) {
    while let Some(letter) = read(&mut stream).await {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let manner = match *manner.lock().expect("no panic") {
            Manner::Verifies if letter.is_good(&secret.lock().expect("no panic")) => Manner::Takes,
            Manner::Verifies => Manner::Answers(401),
            manner => manner,
        };
        got.lock().expect("no panic").push(letter);
        let answered = answer(&mut stream, manner).await;
        now.fetch_sub(1, Ordering::SeqCst);
        if answered.is_err() || manner != Manner::Takes {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(start)) = request.parse(&bytes) {
            let header = |name: &str| {
                let found = request
                    .headers
                    .iter()
                    .find(|it| it.name.eq_ignore_ascii_case(name));
                String::from_utf8_lossy(found.expect(name).value).into_owned()
            };
            let length: usize = header("content-length").parse().expect("a length");
            let (id, timestamp, signatures) = (
                header("webhook-id"),
                header("webhook-timestamp"),
                header("webhook-signature"),
            );
            while bytes.len() < start + length {
                stream.read_buf(&mut bytes).await.ok().filter(|n| *n > 0)?;
            }
            return Some(Got {
                id,
                timestamp,
                signatures,
                body: bytes[start..].to_vec(),
            });
        }
        stream.read_buf(&mut bytes).await.ok().filter(|n| *n > 0)?;
    }
}

async fn answer(stream: &mut TcpStream, manner: Manner) -> std::io::Result<()> {
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} X\r\n{more}\r\n");
    match manner {
        Manner::Takes | Manner::Verifies => {
            let head = head(200, "content-length: 0\r\n");
            stream.write_all(head.as_bytes()).await
        }
        Manner::Answers(status) => {
            let head = head(status, "content-length: 8\r\nconnection: close\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(b"not\0now!").await
        }
        Manner::Redirects => {
            let more =
                "location: http://127.0.0.1:9/\r\ncontent-length: 0\r\nconnection: close\r\n";
            stream.write_all(head(307, more).as_bytes()).await
        }
        Manner::Hangs => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Manner::Resets => {
            stream.set_zero_linger()?;
            Ok(())
        }
        Manner::Drips => loop {
            stream.write_all(b"H").await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        },
        Manner::Floods => {
            let head = head(500, "content-length: 5000000000\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
    }
}

/// A world whose hub may reach the receivers of a test.
async fn world() -> World {
    World::new().await
}

struct Endpoint {
    id: String,
    secret: String,
    cursor: String,
    path: String,
}

/// An endpoint that is told of what happens from now on.
async fn endpoint(world: &World, partner: &str, body: Value) -> Endpoint {
    world.seal().await;
    let token = world.token(partner).await;
    let made = world.post(&token, "/v1/webhook-endpoints", body).await.ok();
    let text = |name: &str| made[name].as_str().expect(name).to_owned();
    Endpoint {
        path: format!("/v1/webhook-endpoints/{}", text("id")),
        id: text("id"),
        secret: text("secret"),
        cursor: text("cursor"),
    }
}

/// An operation of AERO's, sealed.
async fn events(world: &World, member: &Member, count: usize) {
    for _ in 0..count {
        world.award(member, "3", "MILE").await;
    }
    world.seal().await;
}

async fn items(world: &World, endpoint: &Endpoint, list: &str) -> Vec<Value> {
    let token = world.token("AERO").await;
    let page = world
        .get(&token, &format!("{}/{list}", endpoint.path))
        .await;
    page.ok()["items"].as_array().expect("items").clone()
}

/// Waits until something is so, but not for ever.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came to be");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_once_signed_as_it_stands_in_the_feed() {
    let world = world().await;
    let member = world.member().await;
    world.award(&member, "1", "MILE").await;
    world.seal().await;
    let (all, some) = (
        Receiver::new(Manner::Takes).await,
        Receiver::new(Manner::Takes).await,
    );
    let whole = endpoint(&world, "AERO", json!({"url": all.url})).await;
    let types = json!(["redemption.completed"]);
    endpoint(&world, "AERO", json!({"url": some.url, "types": types})).await;
    let others = Receiver::new(Manner::Takes).await;
    endpoint(&world, "BAYVIEW", json!({"url": others.url})).await;
    world.hub.deliver_all_along().expect("a postman");

    world.award(&member, "5", "MILE").await;
    let aero = world.token("AERO").await;
    let spent = json!({"member": member.id, "amount": {"amount": "2", "currency": "MILE"}});
    world.post(&aero, "/v1/redemptions", spent).await.ok();
    world.seal().await;

    let got = all.until(2).await;
    let feed = world.get(&aero, "/v1/events?limit=200").await.ok();
    let feed = feed["items"].as_array().expect("items");
    for letter in &got {
        assert!(letter.is_signed_with(&whole.secret));
        let event = feed.iter().find(|event| event["id"] == letter.id.as_str());
        assert_eq!(Some(&letter.json()), event);
        let sent: i64 = letter.timestamp.parse().expect("seconds");
        assert!((chrono::Utc::now().timestamp() - sent).abs() < 60);
    }
    let mut types: Vec<Value> = got.iter().map(|it| it.json()["type"].clone()).collect();
    types.sort_by_key(Value::to_string);
    assert_eq!(types, ["award.completed", "redemption.completed"]);
    assert!(got.iter().all(|it| it.json()["sequence"] == 1));
    assert_eq!(
        some.until(1).await[0].json()["type"],
        "redemption.completed"
    );
    // What arrives leaves no row, and nothing comes twice.
    assert_eq!(items(&world, &whole, "deliveries").await.len(), 0);
    assert_eq!(items(&world, &whole, "attempts").await.len(), 0);
    assert_eq!((all.got().len(), some.got().len()), (2, 1));
    assert_eq!(others.got().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_sign_while_one_takes_the_others_place() {
    let world = world().await;
    let receiver = Receiver::new(Manner::Takes).await;
    let made = endpoint(&world, "AERO", json!({"url": receiver.url})).await;
    let aero = world.token("AERO").await;
    let path = format!("{}/rotate-secret", made.path);
    let key = "rotate-once";
    let rotated = world.post_with_key(&aero, &path, key, json!({})).await.ok();
    let again = world.post_with_key(&aero, &path, key, json!({})).await.ok();
    let newer = rotated["secret"].as_str().expect("a secret");
    assert!(again["secret"].is_null() && newer != made.secret);
    let read = world.get(&aero, &made.path).await.ok();
    assert!(read.get("secret").is_none() && !read.to_string().contains("whsec_"));

    world.hub.deliver_all_along().expect("a postman");
    world
        .post(&aero, &format!("{}/ping", made.path), json!({}))
        .await
        .ok();
    let both = receiver.until(1).await[0].clone();
    assert_eq!(both.json()["type"], "webhook.ping");
    assert_eq!(both.json()["data"]["webhook_endpoint"], made.id.as_str());
    assert!(both.is_signed_with(newer) && both.is_signed_with(&made.secret));

    world.forward(chrono::Duration::hours(25)).await;
    let aero = world.token("AERO").await;
    world
        .post(&aero, &format!("{}/ping", made.path), json!({}))
        .await
        .ok();
    let one = receiver.until(2).await[1].clone();
    assert!(one.is_signed_with(newer) && !one.is_signed_with(&made.secret));

    // Neither stands anywhere in the database.
    for secret in [newer, made.secret.as_str()] {
        let key = secret.strip_prefix("whsec_").expect("a secret");
        let kept = format!(
            "select count(*) from (select e::text as row from webhook_endpoints e union all \
             select a::text from answers a union all select a::text from audit a) every where row like '%{key}%'"
        );
        assert_eq!(sql::number(&world.url, &kept).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_is_tried_again_with_the_same_id_until_it_does() {
    let world = world().await;
    let member = world.member().await;
    let receiver = Receiver::new(Manner::Answers(503)).await;
    let made = endpoint(&world, "AERO", json!({"url": receiver.url})).await;
    world.hub.deliver_all_along().expect("a postman");
    events(&world, &member, 1).await;
    receiver.until(1).await;
    until(async || !items(&world, &made, "attempts").await.is_empty()).await;

    let attempts = items(&world, &made, "attempts").await;
    assert_eq!(attempts[0]["status"], 503);
    assert_eq!(attempts[0]["answer"], "not\u{fffd}now!");
    assert_eq!(attempts[0]["failure"], "the status is not 2xx");
    let waiting = items(&world, &made, "deliveries?state=waiting").await;
    assert_eq!(waiting[0]["event"], receiver.ids()[0].as_str());
    assert_eq!(waiting[0]["state"], "waiting");

    receiver.turns(Manner::Takes);
    world.forward(chrono::Duration::seconds(30)).await;
    until(async || items(&world, &made, "deliveries").await.is_empty()).await;
    let ids = receiver.ids();
    assert!(
        ids.len() > 1 && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
    let last = &items(&world, &made, "attempts").await[0];
    assert_eq!(last["attempt"], ids.len());
    assert!(last["failure"].is_null() && last["status"] == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_72_hours_an_event_is_dead_and_comes_back_when_it_is_asked_for() {
    let world = world().await;
    let member = world.member().await;
    let receiver = Receiver::new(Manner::Answers(500)).await;
    let made = endpoint(&world, "AERO", json!({"url": receiver.url})).await;
    world.hub.deliver_all_along().expect("a postman");
    events(&world, &member, 1).await;
    until(async || items(&world, &made, "deliveries").await.len() == 1).await;
    world.forward(chrono::Duration::hours(73)).await;
    until(async || {
        !items(&world, &made, "deliveries?state=dead")
            .await
            .is_empty()
    })
    .await;

    let aero = world.token("AERO").await;
    let again = format!("{}/redeliver", made.path);
    receiver.turns(Manner::Takes);
    let queued = world.post(&aero, &again, json!({"dead": true})).await.ok();
    assert_eq!(queued["queued"], 1);
    until(async || items(&world, &made, "deliveries").await.is_empty()).await;
    let event = receiver.ids()[0].clone();
    let before = receiver.got().len();

    // One that has arrived comes again too, and so does everything behind a cursor.
    let body = json!({"events": [event]});
    assert_eq!(world.post(&aero, &again, body).await.ok()["queued"], 1);
    until(async || receiver.got().len() > before).await;
    events(&world, &member, 2).await;
    receiver.until(3).await;
    let before = receiver.got().len();
    let body = json!({"after": made.cursor});
    assert!(world.post(&aero, &again, body).await.ok()["queued"].is_null());
    until(async || receiver.got().len() >= before + 3).await;
    assert!(receiver.ids()[before..].contains(&event));

    // Those of others are not there.
    let citymart = world.token("CITYMART").await;
    let foreign = world.post(&citymart, &again, json!({"dead": true})).await;
    assert_eq!(foreign.problem(), "not-found");
    let other = endpoint(&world, "CITYMART", json!({"url": receiver.url})).await;
    let body = json!({"events": [event]});
    let unseen = world
        .post(&citymart, &format!("{}/redeliver", other.path), body)
        .await;
    assert_eq!(unseen.body["errors"][0]["pointer"], "/events/0");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_hang_flood_redirect_reset_or_drip_delay_nobody() {
    let world = world().await;
    let member = world.member().await;
    let bad = [
        Manner::Hangs,
        Manner::Floods,
        Manner::Redirects,
        Manner::Resets,
        Manner::Drips,
        Manner::Answers(404),
    ];
    let mut dead = Vec::new();
    for manner in bad {
        let receiver = Receiver::new(manner).await;
        let made = endpoint(&world, "AERO", json!({"url": receiver.url})).await;
        dead.push((receiver, made));
    }
    let good = Receiver::new(Manner::Takes).await;
    let live = endpoint(&world, "AERO", json!({"url": good.url})).await;
    world.hub.deliver_all_along().expect("a postman");
    events(&world, &member, 60).await;

    let got = good.until(60).await;
    assert_eq!(got.len(), 60);
    assert!(good.most_at_once.load(Ordering::SeqCst) <= 4);
    // The hanging one has not had more than a few: nobody has waited for it.
    assert!((1..20).contains(&dead[0].0.got().len()));
    // The others are left alone after a few tries, their cursor where it was.
    for (receiver, made) in &dead[1..4] {
        let token = world.token("AERO").await;
        until(async || !world.get(&token, &made.path).await.ok()["rests_until"].is_null()).await;
        assert!(receiver.got().len() < 20, "{:?}", receiver.manner);
        let attempts = items(&world, made, "attempts").await;
        assert!(!attempts[0]["failure"].is_null());
    }
    assert_eq!(items(&world, &live, "attempts").await.len(), 0);
    // The one that redirected led nowhere, and gets everything when it is mended.
    let (mended, made) = &dead[2];
    assert_eq!(
        items(&world, made, "attempts").await[0]["failure"],
        "it redirects, which is not followed"
    );
    mended.turns(Manner::Takes);
    world.forward(chrono::Duration::minutes(30)).await;
    mended.until(60).await;
    until(async || items(&world, made, "deliveries").await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_loses_nothing_and_two_hubs_send_nothing_twice() {
    let world = world().await;
    let member = world.member().await;
    let other = world.second().await;
    let receiver = Receiver::new(Manner::Hangs).await;
    endpoint(&world, "AERO", json!({"url": receiver.url})).await;
    let first = world.hub.deliver_all_along().expect("a postman");
    events(&world, &member, 10).await;
    // In the middle of it, the hub is gone without a word.
    receiver.until(4).await;
    first.abort();
    receiver.turns(Manner::Takes);
    let sent = receiver.got().len();

    world.hub.deliver_all_along().expect("a postman");
    other.hub.deliver_all_along().expect("a postman");
    world.forward(chrono::Duration::minutes(1)).await;
    receiver.until(10).await;
    events(&world, &member, 30).await;
    receiver.until(40).await;

    // What the first had under way came again; of the rest everything came once.
    let mut rest = receiver.ids().split_off(sent);
    rest.sort_unstable();
    let all = rest.len();
    rest.dedup();
    assert_eq!((all, rest.len()), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_gets_nothing_and_goes_on_where_it_was() {
    let world = world().await;
    let member = world.member().await;
    let receiver = Receiver::new(Manner::Takes).await;
    let made = endpoint(
        &world,
        "AERO",
        json!({"url": receiver.url, "enabled": false}),
    )
    .await;
    let live = Receiver::new(Manner::Takes).await;
    endpoint(&world, "AERO", json!({"url": live.url})).await;
    world.hub.deliver_all_along().expect("a postman");
    events(&world, &member, 3).await;
    live.until(3).await;
    assert_eq!(receiver.got().len(), 0);

    let aero = world.token("AERO").await;
    let ping = world
        .post(&aero, &format!("{}/ping", made.path), json!({}))
        .await;
    assert_eq!(ping.problem(), "webhook-endpoint-disabled");
    let terms = json!({"url": receiver.url, "description": "帳務", "types": null, "enabled": true});
    let changed = world.put(&aero, &made.path, terms).await.ok();
    assert_eq!(
        (&changed["state"], &changed["description"]),
        (&json!("enabled"), &json!("帳務"))
    );
    receiver.until(3).await;

    // Removed, it is gone.
    let gone = world.request(Method::DELETE, &made.path).bearer_auth(&aero);
    assert_eq!(send(gone).await.status, 204);
    assert_eq!(world.get(&aero, &made.path).await.problem(), "not-found");
    events(&world, &member, 1).await;
    live.until(4).await;
    assert_eq!(receiver.got().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_public_are_reached_by_no_spelling() {
    let world = world().await;
    let aero = world.token("AERO").await;
    let long = format!("https://example.com/{}", "a".repeat(2_100));
    for url in [
        "https://127.0.0.2/",
        "http://127.0.0.2/",
        "https://10.0.0.1/",
        "https://2130706434/",
        "https://0x7f000002/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00::1]/",
        "ftp://example.com/",
        "https://a:b@example.com/",
        "example.com",
        "https://example.com/#a",
        long.as_str(),
    ] {
        let answer = world
            .post(&aero, "/v1/webhook-endpoints", json!({"url": url}))
            .await;
        assert_eq!(answer.problem(), "invalid-field", "{url}");
        assert_eq!(answer.body["errors"][0]["pointer"], "/url", "{url}");
    }

    // A name is looked at when the connection is made: this one leads to this machine.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let narrow = Reach::allowing(vec!["10.1.2.3/32".parse().expect("a range")]);
    let named = format!("http://localhost:{port}/");
    let made = endpoint(&world, "AERO", json!({"url": named})).await;
    let hub = world.hub.clone().reaching(narrow);
    hub.deliver_all_along().expect("a postman");
    world
        .post(&aero, &format!("{}/ping", made.path), json!({}))
        .await
        .ok();
    until(async || !items(&world, &made, "attempts").await.is_empty()).await;
    let attempts = items(&world, &made, "attempts").await;
    assert_eq!(
        attempts[0]["failure"],
        "the address is not one that the hub sends to"
    );
    let none = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(none.is_err(), "it was connected to");
}
