//! Codes of an authenticator, recovery codes, and what asks for them.

use std::process::{Command, Stdio};

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use interline::access::second_factor::totp::Secret;
use interline::access::{Role, people};
use reqwest::Method;
use serde_json::{Value, json};

use crate::office::{Office, PASSWORD};
use crate::sql;
use crate::world::{Answer, World, send};

/// Now, in seconds, not so near to the end of a step that the next request falls in another.
async fn now() -> i64 {
    loop {
        let now = chrono::Utc::now();
        match now.timestamp() % 30 {
            0..25 => return now.timestamp(),
            _ => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
        }
    }
}

async fn sign_in(world: &World, login: &str, password: &str, code: Option<&str>) -> Answer {
    let body = json!({"login": login, "password": password, "code": code});
    send(world.request(Method::POST, "/v1/sessions").json(&body)).await
}

async fn post(world: &World, token: &str, path: &str, body: Value) -> Answer {
    let request = world.request(Method::POST, path).bearer_auth(token);
    send(request.json(&body)).await
}

async fn step_up(world: &World, token: &str, code: &str) -> Answer {
    let path = "/v1/sessions/current/step-up";
    post(world, token, path, json!({"code": code})).await
}

/// Lets the minute pass in which attempts are counted.
async fn a_minute_later(world: &World) {
    let forget = "delete from sign_in_attempts";
    world.superuser().await.batch_execute(forget).await.unwrap();
}

/// Lets minutes pass since the last code of every session.
async fn minutes_later(world: &World, minutes: u32) {
    let change =
        format!("update sessions set proved_at = proved_at - interval '{minutes} minutes'");
    world
        .superuser()
        .await
        .batch_execute(&change)
        .await
        .unwrap();
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

fn recovery_codes(value: &Value) -> Vec<String> {
    serde_json::from_value(value["recovery_codes"].clone()).expect("codes")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_second_factor_reads_and_does_nothing() {
    let office = Office::open().await;
    let mut conn = office.conn().await;
    let ann = people::create(&mut conn, "ann", "Ann", Role::Operator, PASSWORD).await;
    drop((ann.unwrap(), conn));
    let session = sign_in(&office, "ann", PASSWORD, None).await.ok();
    assert_eq!(session["second_factor"], false);
    let token = text(&session, "access_token");
    let admit =
        json!({"code": "NEWONE", "name": "N", "kind": "bank", "money": "USD", "zone": "UTC"});

    office.get(token, "/v1/partners").await.ok();
    let refused = office.post(token, "/v1/partners", admit.clone()).await;
    assert_eq!(refused.problem(), "second-factor-missing");
    let me = office.get(token, "/v1/me").await.ok();
    assert_eq!(
        (&me["second_factor"], &me["proved_until"]),
        (&json!(false), &Value::Null)
    );

    let path = "/v1/me/second-factor";
    let confirm = async |code: &str| {
        let path = format!("{path}/confirm");
        post(&office, token, &path, json!({"code": code})).await
    };
    assert_eq!(confirm("123456").await.problem(), "code-refused");
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let offered = post(&office, token, path, json!({})).await.ok();
        let secret = text(&offered, "secret");
        assert!(text(&offered, "otpauth_url").contains(secret), "{offered}");
        secrets.push(Secret::parse(secret).expect("base32"));
    }
    // The secret that was offered last is the one that counts.
    let now = now().await;
    assert_eq!(
        confirm(&secrets[0].code(now)).await.problem(),
        "code-refused"
    );
    let confirmed = confirm(&secrets[1].code(now)).await.ok();
    assert_eq!(recovery_codes(&confirmed).len(), 10);

    office.post(token, "/v1/partners", admit).await.ok();
    let again = post(&office, token, path, json!({})).await;
    assert_eq!(again.problem(), "second-factor-enrolled");
    let me = office.get(token, "/v1/me").await.ok();
    assert_eq!(
        (&me["second_factor"], &me["recovery_codes"]),
        (&json!(true), &json!(10))
    );

    a_minute_later(&office).await;
    let without = sign_in(&office, "ann", PASSWORD, None).await;
    assert_eq!(without.problem(), "code-needed");
    let guess = sign_in(&office, "ann", "not this one", None).await;
    assert_eq!(
        guess.problem(),
        "sign-in-failed",
        "only who has the password is told"
    );
    // The code that confirmed it is used up.
    let used = sign_in(&office, "ann", PASSWORD, Some(&secrets[1].code(now))).await;
    assert_eq!(used.problem(), "sign-in-failed");
    let next = sign_in(&office, "ann", PASSWORD, Some(&secrets[1].code(now + 30))).await;
    assert_eq!(next.ok()["second_factor"], true);
    let told = "select after from audit where subject = 'person' order by position";
    assert_eq!(
        sql::texts(&office.url, told).await,
        ["second factor enrolled"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_taken_once_on_whatever_hub_and_within_a_step() {
    let world = World::new().await;
    let other = world.second().await;
    let people = world.credentials.people.clone();
    let olivia = people.iter().find(|it| it.login == "olivia").unwrap();
    let secret = Secret::parse(&olivia.totp_secret).unwrap();
    let now = now().await;

    let code = secret.code(now);
    let tries = (0..5).map(|nth| {
        let hub = [&world, &other][nth % 2];
        sign_in(hub, "olivia", &olivia.password, Some(&code))
    });
    let answers = join_all(tries).await;
    let taken = answers.iter().filter(|it| it.status.is_success());
    assert_eq!(taken.count(), 1);

    for (at, is_taken) in [
        (-60, false),
        (-30, true),
        (30, true),
        (0, false),
        (60, false),
    ] {
        a_minute_later(&world).await;
        if at == -30 {
            // None was taken yet.
            world.code_of("olivia").await;
        }
        let code = secret.code(now + at);
        let answer = sign_in(&other, "olivia", &olivia.password, Some(&code)).await;
        assert_eq!(
            answer.status.is_success(),
            is_taken,
            "{at}: {}",
            answer.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_good_once_and_until_there_are_others() {
    let world = World::new().await;
    let token = world.sign_in("olivia").await;
    let password = world.credentials.people[0].password.clone();
    let renew = async |code: &str| {
        a_minute_later(&world).await;
        let body = json!({"code": code});
        post(&world, &token, "/v1/me/recovery-codes", body).await
    };
    let enter = async |code: &str| {
        a_minute_later(&world).await;
        let answer = sign_in(&world, "olivia", &password, Some(code)).await;
        answer.status.is_success()
    };

    assert_eq!(renew("000000").await.problem(), "code-refused");
    let code = world.code_of("olivia").await;
    let first = recovery_codes(&renew(&code).await.ok());
    assert_eq!(first.len(), 10);
    assert!(enter(&first[0]).await && !enter(&first[0]).await);
    // However it is typed.
    assert!(enter(&first[1].replace('-', " ").to_uppercase()).await);
    let at_once = join_all((0..4).map(|_| sign_in(&world, "olivia", &password, Some(&first[2]))));
    let taken = at_once
        .await
        .iter()
        .filter(|it| it.status.is_success())
        .count();
    assert_eq!(taken, 1);
    let me = world.get(&token, "/v1/me").await.ok();
    assert_eq!(me["recovery_codes"], 7);

    let second = recovery_codes(&renew(&first[3]).await.ok());
    assert!(!enter(&first[4]).await && enter(&second[0]).await);
    // Somebody else's is none of one's own.
    a_minute_later(&world).await;
    let oscar = &world.credentials.people[1];
    let foreign = sign_in(&world, "oscar", &oscar.password, Some(&second[1])).await;
    assert_eq!(foreign.problem(), "sign-in-failed");
    assert!(enter(&second[1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_needs_a_fresh_proof() {
    let world = World::new().await;
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let other = world.sign_in_anew("oscar").await;
    let aero = &world.credentials.partner("AERO").unwrap().id;
    let cap = |step: &str| format!("/v1/partners/{aero}/cap/{step}");
    let usd = json!({"amount": {"amount": "500", "currency": "USD"}});
    let proposed = world.post(&olivia, &cap("propose"), usd.clone()).await.ok();
    let agreed = json!({"content_hash": proposed["proposed"]["content_hash"]});

    minutes_later(&world, 10).await;
    for (token, path, body) in [
        (&olivia, cap("propose"), usd.clone()),
        (&oscar, cap("approve"), agreed.clone()),
        (&oscar, cap("reject"), agreed.clone()),
        (&oscar, "/v1/signing-keys".to_owned(), json!({})),
        (
            &oscar,
            format!("/v1/partners/{aero}/credentials"),
            json!({"scopes": ["ledger:read"]}),
        ),
        (
            &oscar,
            format!("/v1/partners/{aero}/status"),
            json!({"state": "winding_down", "last_day": "2100-01-01"}),
        ),
    ] {
        let answer = world.post(token, &path, body).await;
        assert_eq!(answer.problem(), "step-up-needed", "{path}");
    }
    let limit = json!({"per_second": 1, "burst": 1});
    let path = format!("/v1/partners/{aero}/request-limit");
    let answer = world.put(&oscar, &path, limit).await;
    assert_eq!(answer.problem(), "step-up-needed");
    // Reading goes on, and so does what one person may do alone.
    world.get(&oscar, "/v1/approvals").await.ok();
    let admit =
        json!({"code": "NEWONE", "name": "N", "kind": "bank", "money": "USD", "zone": "UTC"});
    world.post(&oscar, "/v1/partners", admit).await.ok();

    let key = "the-same-key";
    let path = cap("approve");
    let stale = world
        .post_with_key(&oscar, &path, key, agreed.clone())
        .await;
    assert_eq!(stale.problem(), "step-up-needed");
    assert_eq!(
        step_up(&world, &oscar, "000000").await.problem(),
        "code-refused"
    );
    let code = world.code_of("oscar").await;
    let until = step_up(&world, &oscar, &code).await.ok();
    assert!(text(&until, "proved_until") > &*chrono::Utc::now().to_rfc3339());
    // Nor is another session of the same person proved by it.
    let elsewhere = world.post(&other, &cap("propose"), usd).await;
    assert_eq!(elsewhere.problem(), "step-up-needed");
    assert_eq!(
        step_up(&world, &oscar, &code).await.problem(),
        "code-refused"
    );
    world.post_with_key(&oscar, &path, key, agreed).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_who_is_signed_in_count_like_sign_ins() {
    let world = World::new().await;
    let other = world.second().await;
    let token = world.sign_in("olivia").await;
    let tries = (0..9).map(|nth| step_up([&world, &other][nth % 2], &token, "000000"));
    let answers = join_all(tries).await;
    let tried = answers.iter().filter(|it| it.status.as_u16() == 403);
    assert_eq!(tried.count(), 4, "signing in was the first of five");
    let refused = sign_in(&world, "olivia", "not this one", None).await;
    assert_eq!(refused.problem(), "too-many-requests");
}

/// A hub that writes down all it can while somebody does everything a person does about its own access.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_person_is_in_the_logs_or_the_database() {
    let office = Office::open().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let logs = std::env::temp_dir().join(format!("interline-logs-{}", uuid::Uuid::new_v4()));
    let mut hub = Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["serve", "--database-url", &office.url, "--port", &port])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&logs).unwrap())
        .spawn()
        .unwrap();
    let world = office.at(&format!("http://127.0.0.1:{port}")).await;

    let password = "canary horse battery";
    let mut conn = office.conn().await;
    let ann = people::create(
        &mut conn,
        "canary.ann",
        "Canary Ann",
        Role::Operator,
        password,
    );
    ann.await.unwrap();
    drop(conn);
    let session = sign_in(&world, "canary.ann", password, None).await.ok();
    let token = text(&session, "access_token").to_owned();
    let offered = post(&world, &token, "/v1/me/second-factor", json!({}))
        .await
        .ok();
    let secret = text(&offered, "secret").to_owned();
    let at = now().await;
    let code = Secret::parse(&secret).unwrap().code(at);
    let path = "/v1/me/second-factor/confirm";
    let confirmed = post(&world, &token, path, json!({"code": code})).await.ok();
    let codes = recovery_codes(&confirmed);
    let used = sign_in(&world, "canary.ann", password, Some(&codes[0]))
        .await
        .ok();
    sign_in(&world, "canary.ann", "canary wrong password", None).await;
    step_up(&world, text(&used, "access_token"), &codes[1])
        .await
        .ok();
    hub.kill().unwrap();
    hub.wait().unwrap();

    let said = std::fs::read_to_string(&logs).unwrap();
    std::fs::remove_file(&logs).unwrap();
    assert!(said.len() > 1_000, "it says what it does");
    let tables = "select tablename from pg_tables where schemaname = 'public'";
    let mut kept = String::new();
    let mut audit = String::new();
    for table in sql::texts(&office.url, tables).await {
        let rows = sql::texts(&office.url, &format!("select t::text from {table} t")).await;
        kept.extend(rows.iter().map(String::as_str));
        if table == "audit" {
            audit = rows.join("\n");
        }
    }
    let mut secrets = vec![password, "canary wrong", &*secret, &*token];
    secrets.push(text(&used, "access_token"));
    secrets.extend(codes.iter().map(String::as_str));
    let bare: Vec<String> = codes.iter().map(|code| code.replace('-', "")).collect();
    secrets.extend(bare.iter().map(String::as_str));
    let bytes = base32_as_hex(&secret);
    secrets.push(&bytes);
    for canary in secrets {
        for (place, text) in [("the logs", &said), ("the database", &kept)] {
            assert!(!text.contains(canary), "{canary} is in {place}");
        }
    }
    for canary in ["canary.ann", "Canary Ann", &code] {
        assert!(!said.contains(canary), "{canary} is in the logs");
        assert!(!audit.contains(canary), "{canary} is in the audit trail");
    }
}

/// The bytes of a secret as PostgreSQL would show them.
fn base32_as_hex(secret: &str) -> String {
    let digit = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap();
    let bits: String = secret
        .chars()
        .map(|c| format!("{:05b}", digit(c)))
        .collect();
    let nibble = |at: usize| u8::from_str_radix(&bits[at..at + 4], 2).unwrap();
    (0..bits.len() / 4)
        .map(|nth| format!("{:x}", nibble(nth * 4)))
        .collect()
}
