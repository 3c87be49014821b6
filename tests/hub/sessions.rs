//! Sessions of the hub's people: where one is signed in, and how that ends.

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use interline::access::{Role, people};
use interline::id::Kind;
use serde_json::{Value, json};

use crate::office::{Office, PASSWORD};
use crate::sql;
use crate::world::{World, send};

const MINE: &str = "/v1/sessions";

async fn is_in(world: &World, token: &str) -> bool {
    let answer = world.get(token, "/v1/partners").await;
    match answer.status.as_u16() {
        200 => true,
        401 => {
            assert_eq!(answer.problem(), "unauthenticated");
            false
        }
        other => panic!("{other} {}", answer.body),
    }
}

async fn sessions(world: &World, token: &str) -> Vec<Value> {
    let listed = world.get(token, MINE).await.ok();
    listed["items"].as_array().expect("a list").clone()
}

async fn end(world: &World, token: &str, path: &str) -> u16 {
    let request = world.request(reqwest::Method::DELETE, path);
    let answer = send(request.bearer_auth(token)).await;
    answer.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_out_at_once_on_every_hub() {
    let world = World::new().await;
    let other = world.second().await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(world.sign_in_anew("olivia").await);
    }
    let [first, second, third, fourth] = &tokens[..] else {
        panic!("four sessions")
    };

    let listed = sessions(&other, second).await;
    let current: Vec<bool> = listed
        .iter()
        .map(|it| it["is_current"] == json!(true))
        .collect();
    assert_eq!(current, [false, true, false, false], "{listed:?}");
    let id = |nth: usize| listed[nth]["id"].as_str().expect("an id");

    assert_eq!(end(&other, second, &format!("{MINE}/{}", id(0))).await, 204);
    assert!(!is_in(&world, first).await && is_in(&world, third).await);
    assert_eq!(end(&world, second, &format!("{MINE}/{}", id(0))).await, 404);

    // Somebody else's looks like none.
    let oscar = world.sign_in("oscar").await;
    let foreign = format!("{MINE}/{}", id(2));
    assert_eq!(end(&world, &oscar, &foreign).await, 404);
    assert!(is_in(&world, third).await);

    assert_eq!(end(&world, fourth, MINE).await, 204);
    assert!(is_in(&other, fourth).await);
    for ended in [second, third] {
        assert!(!is_in(&world, ended).await && !is_in(&other, ended).await);
    }
    assert_eq!(sessions(&world, fourth).await.len(), 1);

    assert_eq!(end(&world, fourth, &format!("{MINE}/current")).await, 204);
    assert!(!is_in(&world, fourth).await && !is_in(&other, fourth).await);
    assert_eq!(end(&world, fourth, &format!("{MINE}/current")).await, 401);
    assert!(is_in(&world, &oscar).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_half_an_hour_of_silence_and_after_twelve_hours() {
    let world = World::new().await;
    let token = world.sign_in("olivia").await;
    let mut owner = world.superuser().await;
    let mut ago = async |column: &str, minutes: i64| {
        let change = format!(
            "update sessions set {column} = clock_timestamp() - interval '{minutes} minutes'"
        );
        owner.batch_execute(&change).await.expect("a change");
    };

    ago("last_used_at", 29).await;
    assert!(is_in(&world, &token).await);
    let idle = "select extract(epoch from clock_timestamp() - last_used_at)::int from sessions";
    assert!(sql::number(&world.url, idle).await < 60, "its use is noted");
    ago("last_used_at", 30).await;
    assert!(!is_in(&world, &token).await);

    ago("last_used_at", 0).await;
    ago("created_at", 12 * 60 - 1).await;
    assert!(is_in(&world, &token).await);
    ago("created_at", 12 * 60).await;
    assert!(!is_in(&world, &token).await);

    // A sandbox whose clock is turned signs nobody out.
    let sandbox = World::sandbox().await;
    let token = sandbox.sign_in("olivia").await;
    sandbox.forward(chrono::Duration::days(40)).await;
    assert!(is_in(&sandbox, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_live_session_gets_one_answer() {
    let world = World::new().await;
    let token = world.sign_in("olivia").await;
    let ended = world.sign_in_anew("olivia").await;
    assert_eq!(end(&world, &ended, &format!("{MINE}/current")).await, 204);
    let hash = "select encode(token_hash, 'hex') from sessions";
    let hash = sql::texts(&world.url, hash).await.remove(0);

    let mut answers = Vec::new();
    for wrong in [
        &*ended,
        "",
        "ses_",
        &token[..46],
        &token[1..],
        &format!("{token}A"),
        &format!(
            "{}{}",
            &token[..46],
            if token.ends_with('A') { 'E' } else { 'A' }
        ),
        &token.to_uppercase(),
        &token.replace("ses_", "sess"),
        &format!("ses_{}", &hash[..43]),
        &"ses_".repeat(2_000),
    ] {
        let mut answer = world.get(wrong, "/v1/partners").await;
        assert_eq!(answer.problem(), "unauthenticated", "{wrong}");
        answer.body.as_object_mut().unwrap().remove("request_id");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(is_in(&world, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_attempts_a_minute_are_counted_over_all_hubs() {
    let world = World::new().await;
    let other = world.second().await;
    for login in ["olivia", "nobody"] {
        let body = json!({"login": login, "password": "not this one"});
        let tries = (0..12).map(|nth| {
            let hub = [&world, &other][nth % 2];
            send(hub.request(reqwest::Method::POST, MINE).json(&body))
        });
        let answers = join_all(tries).await;
        let tried = answers.iter().filter(|it| it.status.as_u16() == 401);
        assert_eq!(tried.count(), 5, "{login}");
        for refused in answers.iter().filter(|it| it.status.as_u16() != 401) {
            assert_eq!(refused.problem(), "too-many-requests");
            let wait = refused.body["retry_after"].as_u64().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_ends_the_sessions_of_another() {
    let office = Office::open().await;
    let mut conn = office.conn().await;
    let fin = people::create(&mut conn, "fin", "Fin", Role::Finance, PASSWORD).await;
    drop(conn);
    let path = format!(
        "/v1/people/{}/sessions",
        office.hub.ids.show(Kind::Person, fin.unwrap())
    );
    let tokens = [office.sign_in("fin").await, office.sign_in("fin").await];

    assert_eq!(end(&office, &tokens[0], &path).await, 403);
    assert_eq!(end(&office, &office.operator_token, &path).await, 204);

    for token in &tokens {
        assert!(!is_in(&office, token).await);
    }
    let told =
        "select before || ' ' || after from audit where subject = 'person' order by position";
    assert_eq!(sql::texts(&office.url, told).await, ["finance signed out"]);
    // Nothing changes a second time.
    assert_eq!(end(&office, &office.operator_token, &path).await, 204);
    assert_eq!(sql::texts(&office.url, told).await.len(), 1);
    assert!(is_in(&office, &office.sign_in("fin").await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_tells_of_each_session_and_of_no_token() {
    let office = Office::open().await;
    let mut conn = office.conn().await;
    people::create(&mut conn, "fin", "Fin", Role::Finance, PASSWORD)
        .await
        .expect("a person");
    drop(conn);
    let tokens = [office.sign_in("fin").await, office.sign_in("fin").await];
    assert_eq!(end(&office, &tokens[1], "/v1/sessions").await, 204);
    assert_eq!(end(&office, &tokens[1], "/v1/sessions/current").await, 204);

    let told = "select coalesce(before, '-') || ' ' || after from audit a join people p on p.id = a.principal_id \
                 where subject = 'session' and p.login = 'fin' and origin = '127.0.0.0/24' order by position";
    assert_eq!(
        sql::texts(&office.url, told).await,
        ["- proved", "- proved", "proved ended", "proved ended"]
    );
    let whole = sql::texts(&office.url, "select a::text from audit a").await;
    let tells = |row: &String| tokens.iter().any(|token| row.contains(token.as_str()));
    assert!(!whole.iter().any(tells));
}
