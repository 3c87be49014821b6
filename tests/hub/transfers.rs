//! Units of a programme that keeps its own balances: attested, converted, undone.

use serde_json::{Value, json};

use crate::sql;
use crate::world::{Member, World, card};

/// Debits less credits of an account, in smallest units or millionths.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

async fn transferred(world: &World, member: &Member, amount: &str, reference: &str) -> Value {
    let quote = world.quote(member, amount, "SKY", "HPT").await;
    let more = json!({"reference": reference});
    world.transfer(member, &quote, amount, more).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attested_is_converted_in_one_operation_and_the_books_prove_right() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;

    let first = transferred(&world, &member, "1000", "d 1").await;
    transferred(&world, &member, "500", "d 2").await;

    assert_eq!(first["status"], "completed");
    assert_eq!(first["gives"], json!({"amount": "1000", "currency": "SKY"}));
    assert_eq!(first["gains"], json!({"amount": "500", "currency": "HPT"}));
    assert_eq!(first["debited_on"], json!(world.business_day().await));
    assert_eq!(first["reference"], "d 1");
    assert_eq!(world.balance(&member, "HPT").await, "750");
    for (account, right) in [
        ("converted_out/SKY", -1_500),
        ("converted_in/HPT", 750),
        ("position/BAYVIEW/USD", -6_000_000),
        ("position/AERO/USD", 6_150_000),
    ] {
        assert_eq!(balance(&world, account).await, right, "{account}");
    }
    let book = world
        .get(world.operator().await, "/v1/trial-balance")
        .await
        .ok();
    let kept = "kept_by_partner/SKY";
    assert!(book.to_string().contains(kept), "{kept} is in {book}");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_found_and_seen_as_a_conversion_by_each_side() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let made = transferred(&world, &member, "1000", "d 1").await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let path = format!("/v1/conversions/{}", made["id"].as_str().expect("an id"));

    let found = world.get(&aero, "/v1/conversions?reference=d%201").await;
    assert_eq!(found.ok(), made);
    let other = world.get(&bayview, &path).await.ok();
    assert_eq!(
        (&other["debited_on"], &other["reference"]),
        (&Value::Null, &Value::Null)
    );
    let wallets = world
        .get(&aero, &format!("/v1/members/{}/wallets", member.id))
        .await
        .ok();
    let wallets = wallets["items"].as_array().expect("wallets");
    assert!(
        wallets.iter().all(|wallet| wallet["currency"] != "SKY"),
        "{wallets:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debit_comes_in_once() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let quote = async || world.quote(&member, "100", "SKY", "HPT").await;
    let (one, other) = (quote().await, quote().await);

    world.transfer(&member, &one, "100", json!({})).await.ok();
    let again = world
        .transfer(&member, &one, "100", json!({"reference": "d 2"}))
        .await;
    assert_eq!(again.problem(), "quote-taken");
    let twice = world.transfer(&member, &other, "100", json!({})).await;
    assert_eq!(twice.problem(), "reference-taken");
    world
        .transfer(&member, &other, "100", json!({"reference": "d 2"}))
        .await
        .ok();
    assert_eq!(world.balance(&member, "HPT").await, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_its_quote_converts_nothing_and_is_told() {
    let world = World::new().await;
    world.sky().await;
    let (member, other) = (world.member().await, world.member().await);
    let quote = world.quote(&member, "100", "SKY", "HPT").await;
    for (more, pointer) in [
        (
            json!({"debited": {"amount": "99", "currency": "SKY"}}),
            "/debited",
        ),
        (
            json!({"debited": {"amount": "100", "currency": "MILE"}}),
            "/debited/currency",
        ),
        (json!({"member": other.id}), "/member"),
        (json!({"debited_on": "2100-01-01"}), "/debited_on"),
        (json!({"debited_on": "2020-01-01"}), "/debited_on"),
    ] {
        let refused = world.transfer(&member, &quote, "100", more.clone()).await;
        assert_eq!(refused.problem(), "invalid-field", "{more}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{more}");
    }
    world.transfer(&member, &quote, "100", json!({})).await.ok();
    assert_eq!(world.balance(&member, "HPT").await, "50");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_issuer_keeps_is_moved_by_nothing_else() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let (aero, operator) = (world.token("AERO").await, world.operator().await);
    let sky = json!({"amount": "5", "currency": "SKY"});
    let of = |more: Value| {
        let mut body = json!({"member": member.id, "amount": sky});
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body
    };
    let quote = world.quote(&member, "100", "SKY", "HPT").await;
    for (token, path, body) in [
        (&*aero, "/v1/awards", of(json!({"reason": "event"}))),
        (&*aero, "/v1/redemptions", of(json!({}))),
        (&*aero, "/v1/holds", of(json!({}))),
        (
            operator,
            "/v1/adjustments",
            of(json!({"direction": "credit", "reason": "Missing"})),
        ),
        (&*aero, "/v1/conversions", json!({"quote": quote})),
    ] {
        let refused = world.post(token, path, body).await;
        assert_eq!(refused.problem(), "kept-by-partner", "{path}");
    }
    assert_eq!(balance(&world, "converted_out/SKY").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_transfer_leaves_the_books_as_they_were() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let made = transferred(&world, &member, "1001", "d 1").await;
    let aero = world.token("AERO").await;
    for amount in [Some("333"), None] {
        let amount = amount.map(|amount| json!({"amount": amount, "currency": "SKY"}));
        let body = json!({"operation": made["id"], "amount": amount});
        world.post(&aero, "/v1/reversals", body).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(world.balance(&member, "HPT").await, "0");
    for account in [
        "converted_out/SKY",
        "converted_in/HPT",
        "position/BAYVIEW/USD",
    ] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_card_hold_where_the_issuer_keeps_the_balance() {
    let world = World::new().await;
    world.sky().await;
    let terms = json!({"kind": "ratio", "give": 2, "get": 1,
        "allowances": [{"period": "ever", "given": 300}]});
    let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0.025"});
    world
        .publish(card("SKY", "STAR", terms, settlement))
        .await
        .ok();
    let member = world.member().await;
    let mut taken = Vec::new();
    let mut quotes = Vec::new();
    for _ in 0..4 {
        quotes.push(world.quote(&member, "100", "SKY", "STAR").await);
    }
    let all = quotes.iter().enumerate().map(|(nth, quote)| {
        let more = json!({"reference": format!("d {nth}")});
        world.transfer(&member, quote, "100", more)
    });
    for answer in futures_util::future::join_all(all).await {
        taken.push(answer.status.is_success());
    }
    assert_eq!(taken.iter().filter(|it| **it).count(), 3, "{taken:?}");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_answered_again_when_its_day_is_long_over_and_a_late_one_is_refused() {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let aero = world.token("AERO").await;
    let day = world.business_day().await;
    let asked = |quote: String, reference: &str| {
        json!({"quote": quote, "member": member.id, "debited": {"amount": "1000", "currency": "SKY"},
            "debited_on": day, "reference": reference})
    };
    let send = async |key: &str, body: &Value| {
        let path = "/v1/transfers";
        world.post_with_key(&aero, path, key, body.clone()).await
    };
    let once = asked(world.quote(&member, "1000", "SKY", "HPT").await, "d 1");
    let made = send("once", &once).await.ok();

    world.forward(chrono::Duration::days(40)).await;
    assert_eq!(send("once", &once).await.ok(), made);
    let late = asked(world.quote(&member, "1000", "SKY", "HPT").await, "d 2");
    let refused = send("late", &late).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/debited_on");
    assert_eq!(world.balance(&member, "HPT").await, "500");
}
