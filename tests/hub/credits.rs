//! What a partner that keeps its own balances is to credit: asked for, acknowledged, rejected, given back.

use interline::access::Who;
use interline::db;
use interline::id::Kind;
use interline::ledger::credits::credit::Answered;
use interline::ledger::credits::{self};
use serde_json::{Value, json};

use crate::feed::rest;
use crate::life;
use crate::sql;
use crate::world::{Answer, Member, World, card};

/// A member with hotel points, and a card by which they are given for SKY.
async fn prepared() -> (World, Member) {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    world.award(&member, "1000", "HPT").await;
    (world, member)
}

async fn converted(world: &World, member: &Member, amount: &str) -> Value {
    let quote = world.quote(member, amount, "HPT", "SKY").await;
    let bayview = world.token("BAYVIEW").await;
    let body = json!({"quote": quote});
    world.post(&bayview, "/v1/conversions", body).await.ok()
}

async fn listed(world: &World, query: &str) -> Vec<Value> {
    let aero = world.token("AERO").await;
    let page = world.get(&aero, &format!("/v1/credits{query}")).await.ok();
    page["items"].as_array().expect("items").clone()
}

async fn acknowledge(world: &World, credit: &Value, day: &str) -> Answer {
    let body = json!({"reference": "entry 1", "credited_on": day});
    answer(world, credit, "acknowledge", body).await
}

async fn reject(world: &World, credit: &Value) -> Answer {
    let body = json!({"reason": "The account is closed"});
    answer(world, credit, "reject", body).await
}

async fn answer(world: &World, credit: &Value, word: &str, body: Value) -> Answer {
    let id = credit["id"].as_str().expect("an id");
    let path = format!("/v1/credits/{id}/{word}");
    world.post(&world.token("AERO").await, &path, body).await
}

async fn read(world: &World, brand: &str, conversion: &Value) -> Value {
    let id = conversion["id"].as_str().expect("an id");
    let path = format!("/v1/conversions/{id}");
    world.get(&world.token(brand).await, &path).await.ok()
}

async fn types(world: &World, brand: &str, after: &str) -> Vec<String> {
    world.seal().await;
    let (events, _) = rest(world, &world.token(brand).await, after).await;
    let kind = |event: &Value| event["type"].as_str().expect("a type").to_owned();
    let is_ours = |it: &String| it.starts_with("conversion.") || it.starts_with("credit.");
    events.iter().map(kind).filter(is_ours).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_is_pending_until_its_credit_is_acknowledged() {
    let (world, member) = prepared().await;
    let wanted =
        json!({"member": member.id, "gives": {"amount": "100", "currency": "HPT"}, "to": "SKY"});
    let quote = world
        .post(&world.token("BAYVIEW").await, "/v1/quotes", wanted)
        .await
        .ok();
    assert_eq!(quote["arrives"], "when_credited");
    let made = converted(&world, &member, "100").await;
    assert_eq!(
        (&made["status"], &made["credit"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(made["gains"], json!({"amount": "100", "currency": "SKY"}));
    assert_eq!(world.balance(&member, "HPT").await, "900");

    let [credit] = &listed(&world, "?state=pending").await[..] else {
        panic!("one credit")
    };
    let number = sql::texts(
        &world.url,
        "select m.number from memberships m join partners p on p.id = m.partner_id where p.code = 'AERO' \
         order by m.id desc limit 1",
    )
    .await;
    assert_eq!(credit["operation"], made["id"]);
    assert_eq!(credit["amount"], made["gains"]);
    assert_eq!(credit["member"], json!(member.id));
    assert_eq!(credit["number"], json!(number[0]));
    assert_eq!(read(&world, "AERO", &made).await["credit"], credit["id"]);

    let today = world.business_day().await;
    let done = acknowledge(&world, credit, &today).await.ok();
    assert_eq!(done["state"], "acknowledged");
    assert_eq!(done["answer"]["reference"], "entry 1");
    assert_eq!(done["answer"]["credited_on"], json!(today));
    for brand in ["AERO", "BAYVIEW"] {
        assert_eq!(read(&world, brand, &made).await["status"], "completed");
        let told = types(&world, brand, "").await;
        assert_eq!(
            told,
            ["conversion.pending", "credit.acknowledged"],
            "{brand}"
        );
    }
    assert!(listed(&world, "?state=pending").await.is_empty());
    assert_eq!(listed(&world, "").await.len(), 1);
    for again in [
        acknowledge(&world, credit, &today).await,
        reject(&world, credit).await,
    ] {
        assert_eq!(again.problem(), "credit-answered");
        assert_eq!(again.body["state"], "acknowledged");
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_credit_leaves_the_books_as_they_were() {
    let (world, member) = prepared().await;
    let made = converted(&world, &member, "100").await;
    let credit = listed(&world, "").await[0].clone();

    let rejected = reject(&world, &credit).await.ok();

    assert_eq!(rejected["state"], "rejected");
    assert_eq!(rejected["answer"]["reason"], "The account is closed");
    let after = read(&world, "BAYVIEW", &made).await;
    assert_eq!(after["status"], "reversed");
    assert_eq!(after["reversed_by"], rejected["reversal"]);
    assert_eq!(world.balance(&member, "HPT").await, "1000");
    for name in [
        "converted_in/SKY",
        "position/BAYVIEW/USD",
        "kept_by_partner/SKY",
    ] {
        let sql = format!(
            "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{name}'"
        );
        assert_eq!(sql::number(&world.url, &sql).await, 0, "{name}");
    }
    let told = types(&world, "BAYVIEW", "").await;
    assert_eq!(
        told,
        [
            "conversion.pending",
            "credit.rejected",
            "conversion.reversed"
        ]
    );
    assert_eq!(reject(&world, &credit).await.problem(), "credit-answered");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_before_the_hub_died_is_undone_once() {
    let (world, member) = prepared().await;
    converted(&world, &member, "100").await;
    let id = listed(&world, "").await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let id = world.hub.ids.read(Kind::Credit, &id).expect("an id");
    let aero = &world.credentials.partner("AERO").expect("AERO").id;
    let aero = world.hub.ids.read(Kind::Partner, aero).expect("a partner");
    {
        let mut conn = world.hub.pool.get().await.expect("a connection");
        let (_, directory) = world
            .hub
            .directories
            .current(&mut conn)
            .await
            .expect("a directory");
        let reason = "Not ours".to_owned();
        db::transaction(&mut conn, async |conn| {
            let who = Who::at_the_console(1, interline::access::Role::Operator);
            let rejected = Answered::Rejected { reason };
            credits::answer(conn, &who, &directory, (id, aero), rejected).await
        })
        .await
        .expect("a rejection");
    }
    assert_eq!(world.balance(&member, "HPT").await, "900");

    let other = world.second().await;
    let sweeps = [&world, &other, &world, &other].map(|it| it.sweep());
    futures_util::future::join_all(sweeps).await;

    assert_eq!(world.balance(&member, "HPT").await, "1000");
    assert!(listed(&world, "").await[0]["reversal"].is_string());
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_at_once_are_one() {
    let (world, member) = prepared().await;
    converted(&world, &member, "100").await;
    let (credit, other) = (listed(&world, "").await[0].clone(), world.second().await);
    let today = world.business_day().await;
    let (made, rejected) = tokio::join!(
        acknowledge(&world, &credit, &today),
        reject(&other, &credit)
    );
    let taken = [&made, &rejected].map(|it| it.status.is_success());
    assert_eq!(taken.iter().filter(|it| **it).count(), 1, "{taken:?}");
    let expected = if taken[0] { "900" } else { "1000" };
    assert_eq!(world.balance(&member, "HPT").await, expected);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_a_credit_that_cannot_be_rejected() {
    let (world, member) = prepared().await;
    let quote = world.quote(&member, "100", "SKY", "HPT").await;
    let made = world.transfer(&member, &quote, "100", json!({})).await.ok();
    assert_eq!(made["status"], "completed");
    let aero = world.token("AERO").await;
    let body = json!({"operation": made["id"], "amount": {"amount": "40", "currency": "SKY"}});
    let reversal = world.post(&aero, "/v1/reversals", body).await.ok();

    let credit = listed(&world, "?state=pending").await[0].clone();
    assert_eq!(reversal["credit"], credit["id"]);
    assert_eq!(credit["operation"], reversal["id"]);
    assert_eq!(credit["amount"]["amount"], "40");
    assert_eq!(reject(&world, &credit).await.problem(), "credit-owed");
    let today = world.business_day().await;
    acknowledge(&world, &credit, &today).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_issuer_is_to_credit_nobody_else_takes_back() {
    let (world, member) = prepared().await;
    let made = converted(&world, &member, "100").await;
    let body = json!({"operation": made["id"]});
    for token in [&*world.token("BAYVIEW").await, world.operator().await] {
        let refused = world.post(token, "/v1/reversals", body.clone()).await;
        assert_eq!(refused.problem(), "kept-by-partner");
    }
    let credit = listed(&world, "").await[0].clone();
    let path = format!("/v1/credits/{}", credit["id"].as_str().expect("an id"));
    let bayview = world.token("BAYVIEW").await;
    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    let body = json!({"reason": "Not mine"});
    let foreign = world.post(&bayview, &format!("{path}/reject"), body).await;
    assert_eq!(foreign.problem(), "not-found");
    // The hub's people see no membership number and no reference of the issuer's.
    let seen = world.get(world.operator().await, &path).await.ok();
    assert_eq!((&seen["id"], seen.get("number")), (&credit["id"], None));
    for day in ["2020-01-01", "2100-01-01"] {
        let refused = acknowledge(&world, &credit, day).await;
        assert_eq!(
            refused.body["errors"][0]["pointer"], "/credited_on",
            "{day}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_is_overdue_and_can_still_be_answered() {
    let (world, member) = prepared().await;
    converted(&world, &member, "100").await;
    assert!(listed(&world, "?state=overdue").await.is_empty());
    world.forward(chrono::Duration::hours(49)).await;
    let credit = listed(&world, "?state=overdue").await[0].clone();
    let today = world.business_day().await;
    acknowledge(&world, &credit, &today).await.ok();
    assert!(listed(&world, "?state=overdue").await.is_empty());
    let refused = world
        .get(&world.token("AERO").await, "/v1/credits?state=lost")
        .await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_a_file_of_the_same_bytes_whatever_becomes_of_it() {
    let (world, member) = prepared().await;
    let made = converted(&world, &member, "100").await;
    converted(&world, &member, "7").await;
    let day = world.business_day().await;
    let path = format!("/v1/currencies/SKY/credit-files/{day}");
    let aero = world.token("AERO").await;
    let early = world.get(&aero, &path).await;
    assert_eq!(early.body["errors"][0]["pointer"], "/day");
    world.forward(chrono::Duration::hours(25)).await;
    let aero = world.token("AERO").await;

    let first = world.text(&aero, &path).await;
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines[0], "credit,operation,number,amount,currency,at");
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains(made["id"].as_str().expect("an id")));
    assert!(lines[1].contains(",100,SKY,") && lines[2].contains(",7,SKY,"));
    let credit = listed(&world, "").await[0].clone();
    reject(&world, &credit).await.ok();
    assert_eq!(world.text(&aero, &path).await, first);

    for (path, problem) in [
        (
            format!("/v1/currencies/MILE/credit-files/{day}"),
            "kept-by-hub",
        ),
        (
            format!("/v1/currencies/HPT/credit-files/{day}"),
            "not-found",
        ),
        (
            "/v1/currencies/SKY/credit-files/2026-02-30".to_owned(),
            "invalid-field",
        ),
        (
            "/v1/currencies/SKY/credit-files/-262143-01-01".to_owned(),
            "invalid-field",
        ),
        (
            "/v1/currencies/SKY/credit-files/today".to_owned(),
            "invalid-field",
        ),
    ] {
        assert_eq!(world.get(&aero, &path).await.problem(), problem, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_asks_for_nothing_that_needs_balances_of_the_hub() {
    let (world, _) = prepared().await;
    let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0"});
    for (from, to, field, value) in [
        ("SKY", "HPT", "keep", json!(5)),
        ("SKY", "HPT", "excludes", json!(["bonus"])),
        (
            "HPT",
            "SKY",
            "delivery",
            json!({"code": {"valid_days": 30}}),
        ),
        ("HPT", "SKY", "onward", json!("never")),
    ] {
        let mut terms = json!({"kind": "ratio", "give": 1, "get": 2});
        terms[field] = value;
        let drafted = card(from, to, terms, settlement.clone());
        let source = world.token(crate::world::issuer(from)).await;
        let refused = world.post(&source, "/v1/rate-cards", drafted).await;
        assert_eq!(refused.problem(), "card-terms", "{field}");
        assert_eq!(refused.body["field"], field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_closed_with_a_credit_that_waits() {
    let (world, member) = prepared().await;
    let conversion = converted(&world, &member, "100").await;
    let wind = json!({"state": "winding_down", "last_day": life::last_day().to_string()});
    let status = life::status(&world, "AERO");
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let people = [olivia.as_str(), oscar.as_str()];
    let wound = life::agreed(&world, &status, people, wind).await;
    assert_eq!(wound.ok()["state"], "winding_down");
    world.forward(chrono::Duration::days(35)).await;

    let olivia = world.sign_in("olivia").await;
    let close = json!({"state": "closed"});
    let refused = world.post(&olivia, &status, close.clone()).await;
    assert_eq!(refused.problem(), "partner-outstanding");
    assert_eq!(refused.body["credits"], 1);
    let credit = listed(&world, "").await[0].clone();
    reject(&world, &credit).await.ok();
    let refused = world.post(&olivia, &status, close).await;
    assert_eq!(
        refused.body["credits"], 0,
        "its points and positions are left"
    );
    assert_eq!(
        read(&world, "BAYVIEW", &conversion).await["status"],
        "reversed"
    );
}
