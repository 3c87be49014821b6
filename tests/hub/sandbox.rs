//! The sandbox: nothing shared with a live hub, a clock that is turned forward, outcomes that are played, and
//! the run in which a program shows what it can.

use chrono::{DateTime, Duration, Utc};
use interline::environment::{self, Environment};
use interline::sandbox::outcomes::outcome::TABLE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::webhooks::{Manner, Receiver};
use crate::world::{Answer, Member, World, send};

const LETTERS: &str = "/v1/sandbox/webhook-checks";
const CLOCK: &str = "/v1/sandbox/clock";

async fn turn(world: &World, by: Duration) -> Value {
    let aero = world.token("AERO").await;
    let body = json!({"seconds": by.num_seconds()});
    world.post(&aero, CLOCK, body).await.ok()
}

fn instant(value: &Value) -> DateTime<Utc> {
    value
        .as_str()
        .expect("an instant")
        .parse()
        .expect("RFC 3339")
}

fn award(member: &Member, amount: &str) -> Value {
    let amount = json!({"amount": amount, "currency": "MILE"});
    json!({"member": member.id, "amount": amount, "reason": "purchase"})
}

/// A member of AERO whose number is chosen.
async fn numbered(world: &World, number: &str) -> Member {
    let aero = world.token("AERO").await;
    let enrolled = world.post(&aero, "/v1/members", json!({"number": number}));
    let id = enrolled.await.ok()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    Member { id }
}

/// The same, linked to BAYVIEW too.
async fn linked(world: &World, number: &str) -> Member {
    let member = numbered(world, number).await;
    let link = format!("/v1/members/{}/link-tokens", member.id);
    let link = world
        .post(
            &world.token("AERO").await,
            &link,
            json!({"partner": "BAYVIEW"}),
        )
        .await
        .ok();
    let joins = json!({"link_token": link["link_token"], "number": number});
    let bayview = world.token("BAYVIEW").await;
    world.post(&bayview, "/v1/memberships", joins).await.ok();
    member
}

/// The request is sent; whether an answer comes is the question.
async fn try_post(
    world: &World,
    token: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> Option<Answer> {
    let request = world
        .request(Method::POST, path)
        .bearer_auth(token)
        .header("idempotency-key", key)
        .json(body);
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.json().await.ok()?;
    Some(Answer {
        status,
        body,
        headers,
    })
}

#[tokio::test]
async fn every_answer_of_a_sandbox_says_so_and_none_of_a_live_hub() {
    let (sandbox, live) = (World::sandbox().await, World::new().await);
    for (world, said) in [(&sandbox, Some("sandbox")), (&live, None)] {
        for path in ["/healthz", "/openapi.json", "/nowhere", "/v1/members"] {
            let answer = send(world.request(Method::GET, path)).await;
            let header = answer.headers.get("interline-environment");
            let header = header.map(|value| value.to_str().expect("ASCII"));
            assert_eq!(header, said, "{path}");
            if answer.status.is_client_error() {
                assert_eq!(answer.body["environment"].as_str(), said, "{path}");
            }
        }
    }
    let title = async |world: &World| {
        let document = world.get("", "/openapi.json").await.ok();
        document["info"]["title"].as_str().map(str::to_owned)
    };
    assert_eq!(title(&sandbox).await.as_deref(), Some("Interline sandbox"));
    assert_eq!(title(&live).await.as_deref(), Some("Interline"));
}

#[tokio::test]
async fn a_sandbox_shares_nothing_with_a_live_hub() {
    let (sandbox, live) = (World::sandbox().await, World::new().await);

    for (here, there) in [(&sandbox, &live), (&live, &sandbox)] {
        let token = here.token("AERO").await;
        here.get(&token, "/v1/currencies").await.ok();
        assert_eq!(
            there.get(&token, "/v1/currencies").await.problem(),
            "unauthenticated"
        );
        let aero = here.credentials.partner("AERO").expect("AERO");
        let request = there
            .request(Method::POST, "/oauth/token")
            .basic_auth(&aero.client_id, Some(&aero.client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        assert_eq!(send(request).await.problem(), "sign-in-failed");
    }
}

#[tokio::test]
async fn what_a_database_is_for_never_changes() {
    let (sandbox, live) = (World::sandbox().await, World::new().await);
    let cases = [
        (&sandbox, Environment::Live, "say --sandbox"),
        (&live, Environment::Sandbox, "leave --sandbox out"),
    ];
    for (world, wanted, advice) in cases {
        let mut owner = world.superuser().await;
        let refused = environment::must_be(&mut owner, wanted).await;
        let said = refused.expect_err("another environment").to_string();
        assert!(said.contains(advice), "{said}");
        let owner = crate::sql::session(&world.url).await;
        let changed = owner
            .batch_execute("update environment set kind = 'live'")
            .await;
        assert!(changed.is_err(), "{advice}");
    }
}

#[tokio::test]
async fn a_live_hub_has_no_clock_to_turn_no_runs_and_no_outcomes() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let before = world.get(&aero, CLOCK).await;
    assert_eq!(before.problem(), "not-a-sandbox");
    let turned = world.post(&aero, CLOCK, json!({"seconds": 1})).await;
    assert_eq!(turned.problem(), "not-a-sandbox");
    let partner = &world.credentials.partner("AERO").expect("AERO").id;
    let runs = format!("/v1/partners/{partner}/certification-runs");
    assert_eq!(
        world.post(&aero, &runs, json!({})).await.problem(),
        "not-a-sandbox"
    );
    let hub = crate::sql::session(&world.url).await;
    hub.batch_execute("set role interline_app")
        .await
        .expect("a role");
    let refused = hub.batch_execute("select turn_clock(1)").await;
    let refused = refused.expect_err("the database refuses").to_string();
    assert!(!refused.is_empty());
    let refused = hub
        .batch_execute("update control set clock_offset = '1 hour'")
        .await;
    assert!(refused.is_err());

    for row in &TABLE {
        let member = numbered(&world, &row.number()).await;
        for amount in [row.amount, "1"] {
            world
                .post(&aero, "/v1/awards", award(&member, amount))
                .await
                .ok();
        }
    }
}

#[tokio::test]
async fn the_clock_goes_forward_and_within_bounds() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    let before = world.get(&aero, CLOCK).await.ok();
    assert_eq!(before["ahead_seconds"], 0);

    let turned = turn(&world, Duration::days(40)).await;
    assert_eq!(turned["ahead_seconds"], 40 * 86_400);
    assert!(instant(&turned["now"]) >= instant(&before["now"]) + Duration::days(40));
    let goal = instant(&turned["now"]) + Duration::hours(3);
    let there = world
        .post(world.operator().await, CLOCK, json!({"to": goal}))
        .await
        .ok();
    assert!(instant(&there["now"]) >= goal);

    let wrong = [
        json!({}),
        json!({"seconds": 0}),
        json!({"seconds": -1}),
        json!({"seconds": i64::MAX}),
        json!({"to": before["now"]}),
        json!({"to": "2190-01-01T00:00:00Z"}),
        json!({"seconds": 1, "to": goal}),
    ];
    for body in wrong {
        let refused = world.post(&aero, CLOCK, body.clone()).await;
        assert_eq!(refused.problem(), "invalid-field", "{body}");
    }
    let after = world.get(&aero, CLOCK).await.ok();
    assert_eq!(after["ahead_seconds"], there["ahead_seconds"]);
}

#[tokio::test]
async fn a_turn_is_for_every_hub_and_done_once_for_a_key() {
    let world = World::sandbox().await;
    let second = world.second().await;
    let (here, there) = (world.token("AERO").await, second.token("AERO").await);
    let body = json!({"seconds": 3600});
    let first = world
        .post_with_key(&here, CLOCK, "k", body.clone())
        .await
        .ok();
    let again = second.post_with_key(&there, CLOCK, "k", body).await.ok();
    assert_eq!(first, again);
    let read = second.get(&there, CLOCK).await.ok();
    assert_eq!(read["ahead_seconds"], 3600);
    assert!(instant(&read["now"]) >= instant(&first["now"]));
}

#[tokio::test]
async fn a_quote_ends_by_the_turned_clock_and_a_token_does_not() {
    let world = World::sandbox().await;
    let second = world.second().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let aero = world.token("AERO").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;

    turn(&world, Duration::minutes(11)).await;

    let late = second
        .post(&aero, "/v1/conversions", json!({"quote": quote}))
        .await;
    assert_eq!(late.problem(), "quote-expired");
    let fresh = second.quote(&member, "10000", "MILE", "HPT").await;
    world
        .post(&aero, "/v1/conversions", json!({"quote": fresh}))
        .await
        .ok();
}

#[tokio::test]
async fn what_expires_on_the_way_is_written_down_before_the_answer() {
    let world = World::sandbox().await;
    let member = world.member().await;
    world.award(&member, "100", "MILE").await;
    let aero = world.token("AERO").await;
    let amount = json!({"amount": "40", "currency": "MILE"});
    let hold = world.post(
        &aero,
        "/v1/holds",
        json!({"member": member.id, "amount": amount}),
    );
    let hold = hold.await.ok();

    turn(&world, Duration::days(365 * 5)).await;

    assert_eq!(world.balance(&member, "MILE").await, "0");
    let hold = format!("/v1/holds/{}", hold["id"].as_str().expect("an id"));
    assert_eq!(world.get(&aero, &hold).await.ok()["open"]["amount"], "0");
    let left = "select count(*)::int from lots where available > 0 and expires_at < hub_now()";
    assert_eq!(crate::sql::number(&world.url, left).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test]
async fn who_is_on_the_way_to_live_does_in_a_sandbox_what_it_will_do_then() {
    let states = async |world: &World| {
        let body = json!({"code": "NEWCO", "name": "Newco", "kind": "bank", "money": "USD", "zone": "UTC"});
        let made = world
            .post(world.operator().await, "/v1/partners", body)
            .await
            .ok();
        let path = format!(
            "/v1/partners/{}/status",
            made["id"].as_str().expect("an id")
        );
        let status = world.get(world.operator().await, &path).await.ok();
        assert_eq!(status["state"], "sandbox");
        status["allows"]
            .as_array()
            .expect("acts")
            .contains(&json!("award"))
    };
    assert!(states(&World::sandbox().await).await);
    assert!(!states(&World::new().await).await);
}

#[tokio::test]
async fn every_refusal_of_the_table_is_met_by_its_amount_or_its_members() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    let plain = numbered(&world, "plain").await;
    let expected = [
        ("/v1/awards", "limit-reached"),
        ("/v1/awards", "partner-suspended"),
        ("/v1/redemptions", "balance-too-low"),
        ("/v1/holds", "balance-too-low"),
        ("/v1/quotes", "no-rate-card"),
        ("/v1/quotes", "limit-reached"),
    ];
    for (path, name) in expected {
        let row = TABLE.iter().find(|row| row.name == name).expect(name);
        let of_them = format!("{}-{}", row.number(), &path[4..]);
        let body = |member: &Member, amount: &str| {
            let amount = json!({"amount": amount, "currency": "MILE"});
            match path {
                "/v1/quotes" => json!({"member": member.id, "gives": amount, "to": "HPT"}),
                "/v1/awards" => {
                    json!({"member": member.id, "amount": amount, "reason": "purchase"})
                }
                _ => json!({"member": member.id, "amount": amount}),
            }
        };
        let by_amount = world.post(&aero, path, body(&plain, row.amount)).await;
        assert_eq!(by_amount.problem(), name, "{path}");
        let member = numbered(&world, &of_them).await;
        let by_member = world.post(&aero, path, body(&member, "1")).await;
        assert_eq!(by_member.problem(), name, "{path}");
    }
    for name in ["partner-cap-reached", "quote-expired"] {
        let row = TABLE.iter().find(|row| row.name == name).expect(name);
        let member = linked(&world, &row.number()).await;
        world.award(&member, "10000", "MILE").await;
        let body = json!({"quote": world.quote(&member, "10000", "MILE", "HPT").await});
        let by_member = world.post(&aero, "/v1/conversions", body).await;
        assert_eq!(by_member.problem(), name);
        assert_eq!(world.balance(&member, "MILE").await, "10000");
    }
    // A refusal leaves its key free, and nobody is told who may not ask.
    let without = world.post("x", "/v1/awards", award(&plain, "900001")).await;
    assert_eq!(without.problem(), "unauthenticated");
    assert_eq!(world.balance(&plain, "MILE").await, "0");
}

#[tokio::test]
async fn a_transfer_meets_what_a_conversion_meets() {
    let world = World::sandbox().await;
    world.sky().await;
    let member = linked(&world, "plain").await;
    let quote = async |amount: &str| {
        let gives = json!({"amount": amount, "currency": "SKY"});
        let body = json!({"member": member.id, "gives": gives, "to": "HPT"});
        let aero = world.token("AERO").await;
        let quoted = world.post(&aero, "/v1/quotes", body).await.ok();
        quoted["quote"].as_str().expect("a quote").to_owned()
    };
    let late = quote("900006").await;
    let refused = world.transfer(&member, &late, "900006", json!({})).await;
    assert_eq!(refused.problem(), "quote-expired");

    let dropped = quote("900011").await;
    let body = json!({"quote": dropped, "member": member.id, "debited_on": world.business_day().await,
        "debited": {"amount": "900011", "currency": "SKY"}, "reference": "d"});
    let aero = world.token("AERO").await;
    let send = async || try_post(&world, &aero, "/v1/transfers", "k", &body).await;
    assert!(send().await.is_none(), "the connection is dropped");
    assert_eq!(send().await.expect("an answer").status, StatusCode::CREATED);
    assert_eq!(world.balance(&member, "HPT").await, "450005");
}

#[tokio::test]
async fn what_is_refused_for_now_is_done_under_the_same_key() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    for (amount, code) in [
        ("900007", "request-limit-exceeded"),
        ("900008", "too-busy"),
        ("900009", "broken"),
    ] {
        let member = numbered(&world, code).await;
        for key in ["first", "second"] {
            let key = format!("{key}-{code}");
            let refused = world
                .post_with_key(&aero, "/v1/awards", &key, award(&member, amount))
                .await;
            assert_eq!(refused.problem(), code);
            let has_wait = refused.headers.contains_key("retry-after");
            assert_eq!(has_wait, code != "broken", "{code}");
            world
                .post_with_key(&aero, "/v1/awards", &key, award(&member, amount))
                .await
                .ok();
        }
    }
}

#[tokio::test]
async fn a_dropped_connection_left_the_write_done_once() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    let plain = numbered(&world, "plain").await;
    let body = award(&plain, "900011");
    assert!(
        try_post(&world, &aero, "/v1/awards", "k", &body)
            .await
            .is_none()
    );
    assert_eq!(world.balance(&plain, "MILE").await, "900011");
    let again = try_post(&world, &aero, "/v1/awards", "k", &body)
        .await
        .expect("an answer");
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(world.balance(&plain, "MILE").await, "900011");

    let member = linked(&world, "SANDBOX-CONNECTION-DROPPED").await;
    assert!(
        try_post(&world, &aero, "/v1/awards", "a", &award(&member, "10000"))
            .await
            .is_none()
    );
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let body = json!({"quote": quote});
    assert!(
        try_post(&world, &aero, "/v1/conversions", "c", &body)
            .await
            .is_none()
    );
    let again = try_post(&world, &aero, "/v1/conversions", "c", &body)
        .await
        .expect("an answer");
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(world.balance(&member, "MILE").await, "0");
}

fn failed(run: &Value) -> Vec<&str> {
    let checks = run["checks"].as_array().expect("checks");
    let failed = checks.iter().filter(|check| check["passed"] == false);
    failed
        .map(|check| check["name"].as_str().expect("a name"))
        .collect()
}

/// Does everything that a run asks for.
async fn perform(world: &World) {
    let aero = world.token("AERO").await;
    let member = world.member().await;
    let post =
        async |path: &str, key: &str, body: &Value| try_post(world, &aero, path, key, body).await;
    let fresh = || Uuid::new_v4().to_string();

    let (key, body) = (fresh(), award(&member, "10000"));
    let first = post("/v1/awards", &key, &body)
        .await
        .expect("an answer")
        .ok();
    post("/v1/awards", &key, &body)
        .await
        .expect("an answer")
        .ok();
    let reused = post("/v1/awards", &key, &award(&member, "1"))
        .await
        .expect("an answer");
    assert_eq!(reused.problem(), "idempotency-key-reused");
    let undo = json!({"operation": first["id"], "amount": {"amount": "1", "currency": "MILE"}});
    post("/v1/reversals", &fresh(), &undo)
        .await
        .expect("an answer")
        .ok();
    world.award(&member, "10000", "MILE").await;
    let late = world.quote(&member, "10000", "MILE", "HPT").await;
    turn(world, Duration::minutes(11)).await;
    let late = post("/v1/conversions", &fresh(), &json!({"quote": late})).await;
    assert_eq!(late.expect("an answer").problem(), "quote-expired");
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    post("/v1/conversions", &fresh(), &json!({"quote": quote}))
        .await
        .expect("an answer")
        .ok();
    for amount in ["900008", "900011"] {
        let (key, body) = (fresh(), award(&member, amount));
        post("/v1/awards", &key, &body).await;
        post("/v1/awards", &key, &body)
            .await
            .expect("an answer")
            .ok();
    }
    let receiver = Receiver::new(Manner::Verifies).await;
    let url = json!({"url": receiver.url});
    let endpoint = world.post(&aero, "/v1/webhook-endpoints", url).await.ok();
    receiver.knows(endpoint["secret"].as_str().expect("a secret"));
    let check = json!({"endpoint": endpoint["id"]});
    let checked = world.post(&aero, LETTERS, check).await.ok();
    let letters = checked["letters"].as_array().expect("letters");
    assert!(letters.len() == 9 && letters.iter().all(|it| it["passed"] == true));
    let page = world.get(&aero, "/v1/events").await.ok();
    let after = page["next_cursor"].as_str().expect("a cursor");
    world
        .get(&aero, &format!("/v1/events?after={after}"))
        .await
        .ok();
}

#[tokio::test]
async fn a_run_passes_by_what_the_program_did_and_its_report_lets_the_partner_on() {
    let world = World::sandbox().await;
    let operator = world.operator().await.to_owned();
    let partner = world.credentials.partner("AERO").expect("AERO").id.clone();
    let runs = format!("/v1/partners/{partner}/certification-runs");
    let aero = world.token("AERO").await;
    // What was done before the run does not count.
    perform(&world).await;

    let begun = world.post(&aero, &runs, json!({})).await.ok();
    assert_eq!(begun["status"], "open");
    assert_eq!(
        failed(&begun).len(),
        begun["checks"].as_array().expect("checks").len()
    );
    assert!(begun["checks"][0]["missing"].is_string() && begun["checks"][0]["how"].is_string());
    let same = world.post(&operator, &runs, json!({})).await.ok();
    assert_eq!(same["id"], begun["id"], "one run is open at a time");

    world.token("AERO").await;
    let path = format!(
        "/v1/certification-runs/{}",
        begun["id"].as_str().expect("an id")
    );
    let half = world.get(&aero, &path).await.ok();
    assert!(!failed(&half).contains(&"a token is obtained"));
    assert_eq!(half["passed"], false);

    perform(&world).await;
    let done = world.get(&aero, &path).await.ok();
    assert_eq!(failed(&done), Vec::<&str>::new());
    let closed = world
        .post(&aero, &format!("{path}/close"), json!({}))
        .await
        .ok();
    assert_eq!(
        (&closed["status"], &closed["passed"]),
        (&json!("closed"), &json!(true))
    );
    assert_eq!(world.get(&operator, &path).await.ok(), closed);
    let list = world.get(&operator, &runs).await.ok();
    assert_eq!(list["items"][0], closed);

    let next = world.post(&aero, &runs, json!({})).await.ok();
    assert_ne!(next["id"], begun["id"]);
}

#[tokio::test]
async fn an_endpoint_that_does_not_verify_is_told_what_it_took_or_refused() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    let make = async |manner| {
        let receiver = Receiver::new(manner).await;
        let url = json!({"url": receiver.url});
        let made = world.post(&aero, "/v1/webhook-endpoints", url).await.ok();
        (receiver, json!({"endpoint": made["id"]}))
    };
    for (manner, letters, said) in [
        (
            Manner::Takes,
            9,
            "without a signature is to be refused with 4xx: the answer was 200",
        ),
        (
            Manner::Answers(500),
            1,
            "signed as it should be is to be taken with 2xx: the answer was 500",
        ),
        (
            Manner::Answers(400),
            1,
            "is to be taken with 2xx: the answer was 400",
        ),
        (
            Manner::Redirects,
            1,
            "is to be taken with 2xx: the answer was 307",
        ),
        (Manner::Hangs, 1, "no answer within 5 seconds"),
        (Manner::Resets, 1, "the connection broke"),
    ] {
        let (_receiver, body) = make(manner).await;
        let refused = world.post(&aero, LETTERS, body).await;
        assert_eq!(refused.problem(), "webhook-check-failed");
        let detail = refused.body["detail"].as_str().expect("a detail");
        assert!(detail.contains(said), "{detail}");
        let told = refused.body["letters"].as_array().expect("letters");
        assert_eq!(told.len(), letters, "{manner:?}");
    }

    let (_receiver, body) = make(Manner::Takes).await;
    let citymart = world.token("CITYMART").await;
    let foreign = world.post(&citymart, LETTERS, body.clone()).await;
    let missing = json!({"endpoint": "whe_0123456789abcdef"});
    let missing = world.post(&citymart, LETTERS, missing).await;
    assert_eq!(foreign.problem(), "not-found");
    assert_eq!(foreign.body["detail"], missing.body["detail"]);
    let live = World::new().await;
    let live = live.post(&live.token("AERO").await, LETTERS, body).await;
    assert_eq!(live.problem(), "not-a-sandbox");
}

#[tokio::test]
async fn the_report_of_a_run_is_the_certification_of_who_is_certifying() {
    let world = World::sandbox().await;
    let operator = world.operator().await.to_owned();
    let body =
        json!({"code": "NEWCO", "name": "Newco", "kind": "bank", "money": "USD", "zone": "UTC"});
    let made = world.post(&operator, "/v1/partners", body).await.ok();
    let partner = format!("/v1/partners/{}", made["id"].as_str().expect("an id"));
    let status = format!("{partner}/status");
    world
        .post(&operator, &status, json!({"state": "certifying"}))
        .await
        .ok();
    let run = world
        .post(
            &operator,
            &format!("{partner}/certification-runs"),
            json!({}),
        )
        .await
        .ok();
    let close = format!(
        "/v1/certification-runs/{}/close",
        run["id"].as_str().expect("an id")
    );

    let closed = world.post(&operator, &close, json!({})).await.ok();

    assert_eq!(closed["passed"], false);
    let certified = world.get(&operator, &status).await.ok()["certification"].clone();
    assert_eq!(certified["passed"], false);
    assert_eq!(certified["checks"], closed["report"]);
    let early = world
        .post(&operator, &status, json!({"state": "pending_approval"}))
        .await;
    assert_eq!(early.problem(), "certification-missing");
}

#[tokio::test]
async fn a_run_of_somebody_else_looks_as_if_it_were_not_there() {
    let world = World::sandbox().await;
    let (aero, citymart) = (world.token("AERO").await, world.token("CITYMART").await);
    let partner = &world.credentials.partner("AERO").expect("AERO").id;
    let runs = format!("/v1/partners/{partner}/certification-runs");
    let run = world.post(&aero, &runs, json!({})).await.ok();
    let run = run["id"].as_str().expect("an id");

    let paths = |id: &str| format!("/v1/certification-runs/{id}");
    let told = |answer: Answer| (answer.status, answer.body["detail"].clone());
    let missing = told(world.get(&citymart, &paths("crun_0123456789abcdef")).await);
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    assert_eq!(told(world.get(&citymart, &paths(run)).await), missing);
    assert_eq!(told(world.get(&citymart, &runs).await), missing);
    assert_eq!(told(world.post(&citymart, &runs, json!({})).await), missing);
    let close = format!("{}/close", paths(run));
    assert_eq!(
        told(world.post(&citymart, &close, json!({})).await),
        missing
    );
    assert_eq!(world.get(&aero, &paths(run)).await.ok()["status"], "open");
}
