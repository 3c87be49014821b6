//! How often a partner may ask, over all hubs, and how it is told.

use futures_util::future::join_all;
use interline::access::request_limits::Policy;
use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, World, send};

/// Gives a partner an allowance through the API, until every hub knows.
async fn allow(world: &World, code: &str, per_second: u32, burst: u32) {
    let answer = set(
        world,
        code,
        json!({"per_second": per_second, "burst": burst}),
    )
    .await;
    assert_eq!(
        answer.ok(),
        json!({"per_second": per_second, "burst": burst})
    );
    // A hub holds what it has for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
}

async fn set(world: &World, code: &str, body: serde_json::Value) -> Answer {
    let operator = world.operator().await;
    world.put(operator, &path(world, code), body).await
}

fn path(world: &World, code: &str) -> String {
    let partner = world.credentials.partner(code).expect(code);
    format!("/v1/partners/{}/request-limit", partner.id)
}

/// Asks so often at once; answers how many were admitted and one answer that was not.
async fn rush(worlds: &[&World], token: &str, times: usize) -> (usize, Option<Answer>) {
    let asked = (0..times).map(|nth| {
        let world = worlds[nth % worlds.len()];
        world.get(token, "/v1/currencies")
    });
    let answers = join_all(asked).await;
    let admitted = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.into_iter().find(|answer| answer.status != 200);
    (admitted, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_asks_too_often_waits_and_nobody_else_does() {
    let world = World::new().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    allow(&world, "AERO", 1, 20).await;

    let (admitted, refused) = rush(&[&world], &aero, 60).await;
    // A token comes back each second that the rush takes.
    assert!((20..60).contains(&admitted), "{admitted}");
    let refused = refused.expect("one too many");
    assert_eq!(refused.problem(), "request-limit-exceeded");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["ratelimit-policy"], "\"partner\";q=20;w=20");
    assert_eq!(refused.headers["ratelimit"], "\"partner\";r=0;t=1");
    assert_eq!(refused.body["per_second"], 1);
    world.get(&bayview, "/v1/currencies").await.ok();
    let operator = world.operator().await.to_owned();
    let people = rush(&[&world], &operator, 60).await;
    assert_eq!(people.0, 60, "who works for the hub is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_hubs_together_admit_no_more_than_the_allowance() {
    let world = World::new().await;
    let (second, third) = (world.second().await, world.second().await);
    allow(&world, "AERO", 1, 30).await;
    let aero = world.token("AERO").await;

    let (admitted, refused) = rush(&[&world, &second, &third], &aero, 150).await;
    assert!((30..60).contains(&admitted), "{admitted}");
    assert_eq!(
        refused.expect("one too many").problem(),
        "request-limit-exceeded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_one_too_many_is_done_once_when_it_comes_again() {
    let world = World::new().await;
    let member = world.member().await;
    let aero = world.token("AERO").await;
    allow(&world, "AERO", 1, 1).await;
    let body = json!({"member": member.id, "amount": {"amount": "5", "currency": "MILE"}, "reason": "purchase"});
    let give = || world.post_with_key(&aero, "/v1/awards", "again", body.clone());

    let mut refused = 0;
    for _ in 0..10 {
        let answer = give().await;
        if answer.status == 429 {
            refused += 1;
        }
    }
    assert!(refused > 0, "one a second is few");
    allow(&world, "AERO", 20_000, 40_000).await;
    while give().await.status == 429 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.balance(&member, "MILE").await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_partner_says_how_many_are_left() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    allow(&world, "AERO", 1, 50).await;
    let mut before = 50;
    for path in ["/v1/currencies", "/v1/members/x", "/v1/partners"] {
        let answer = world.get(&aero, path).await;
        let told = answer.headers["ratelimit"].to_str().expect("ASCII");
        let left = told
            .split(['=', ';'])
            .nth(2)
            .expect("a number")
            .parse()
            .expect("a number");
        assert!(left < before, "{path}: {told}");
        before = left;
    }
    let answer = world.get("x", "/v1/currencies").await;
    assert!(!answer.headers.contains_key("ratelimit"));
    let operator = world.operator().await;
    let answer = world.get(operator, "/v1/currencies").await;
    assert!(!answer.headers.contains_key("ratelimit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sets_the_limit_and_its_partner_reads_it() {
    let world = World::new().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    allow(&world, "AERO", 7, 700).await;
    let own = world.get(&aero, &path(&world, "AERO")).await.ok();
    assert_eq!(own, json!({"per_second": 7, "burst": 700}));
    assert_eq!(
        world.get(&bayview, &path(&world, "AERO")).await.problem(),
        "not-found"
    );
    for (body, field) in [
        (json!({"per_second": 0, "burst": 1}), "/per_second"),
        (json!({"per_second": 100_001, "burst": 1}), "/per_second"),
        (json!({"per_second": 1, "burst": 0}), "/burst"),
        (json!({"per_second": 1, "burst": 1_000_001}), "/burst"),
    ] {
        let answer = set(&world, "AERO", body).await;
        assert_eq!(answer.problem(), "invalid-field");
        assert_eq!(answer.body["errors"][0]["pointer"], field);
    }

    let operator = world.operator().await;
    let body =
        json!({"code": "ZULU", "name": "Zulu", "kind": "bank", "money": "USD", "zone": "UTC"});
    let zulu = world.post(operator, "/v1/partners", body).await.ok();
    let path = format!(
        "/v1/partners/{}/request-limit",
        zulu["id"].as_str().expect("an id")
    );
    let ordinary = world.get(operator, &path).await.ok();
    let Policy { per_second, burst } = Policy::ORDINARY;
    assert_eq!(ordinary, json!({"per_second": per_second, "burst": burst}));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_with_a_wrong_secret_waits_and_other_clients_do_not() {
    let world = World::new().await;
    let aero = world.credentials.partner("AERO").expect("AERO").clone();
    let ask = async |secret: &str| {
        let request = world
            .request(Method::POST, "/oauth/token")
            .basic_auth(&aero.client_id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        send(request).await
    };
    for _ in 0..20 {
        assert_eq!(ask("wrong").await.problem(), "sign-in-failed");
    }
    let waits = ask("wrong").await;
    assert_eq!(waits.problem(), "too-many-requests");
    assert_eq!(waits.body["error"], "slow_down");
    assert!(waits.headers.contains_key("retry-after"));
    assert_eq!(
        ask(&aero.client_secret).await.problem(),
        "too-many-requests"
    );
    world.token("BAYVIEW").await;
}
