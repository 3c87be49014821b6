//! Mandates: a partner awards points that another issues. AERO's miles cost BAYVIEW, which settles in USD like
//! AERO, and CITYMART, which settles in HKD, 0.014 USD each; the hub keeps 2.5 %.

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use crate::campaigns::id_of;
use crate::sql;
use crate::world::{Answer, Member, World};

pub fn purchased() -> Value {
    json!({"kind": "purchased", "price": "0.014", "commission": "0.025"})
}

pub fn mandated(fee: &str) -> Value {
    json!({"kind": "mandated", "fee": fee})
}

/// That a partner awards miles this year and next.
pub fn wanted(world: &World, partner: &str, funding: Value, caps: &[(&str, &str)]) -> Value {
    let mile = |amount: &str| json!({"amount": amount, "currency": "MILE"});
    let caps = caps
        .iter()
        .map(|(cap, most)| ((*cap).to_owned(), mile(most)));
    json!({
        "currency": "MILE", "partner": id_of(world, partner), "funding": funding,
        "reasons": ["purchase", "event"], "caps": Value::Object(caps.collect()),
        "first_day": "2020-01-01", "last_day": "2099-12-31",
    })
}

pub async fn step(world: &World, code: &str, mandate: &Value, word: &str) -> Answer {
    let body = match word {
        "end" => json!({}),
        _ => json!({"content_hash": mandate["content_hash"]}),
    };
    let path = format!(
        "/v1/mandates/{}/{word}",
        mandate["id"].as_str().expect("an id")
    );
    world.post(&world.token(code).await, &path, body).await
}

/// Proposed by AERO and approved by who is to award.
pub async fn agree(world: &World, partner: &str, funding: Value, caps: &[(&str, &str)]) -> Value {
    let aero = world.token("AERO").await;
    let body = wanted(world, partner, funding, caps);
    let proposed = world.post(&aero, "/v1/mandates", body).await.ok();
    assert_eq!(proposed["state"], "proposed");
    let agreed = step(world, partner, &proposed, "approve").await.ok();
    assert_eq!(agreed["state"], "agreed");
    agreed
}

pub fn given(member: &Member, miles: &str, more: Value) -> Value {
    let mut body = json!({"member": member.id, "amount": {"amount": miles, "currency": "MILE"}, "reason": "purchase"});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

pub async fn award(world: &World, code: &str, mandate: &Value, body: Value) -> Answer {
    let path = format!(
        "/v1/mandates/{}/awards",
        mandate["id"].as_str().expect("an id")
    );
    world.post(&world.token(code).await, &path, body).await
}

async fn reverse(world: &World, code: &str, award: &Value, miles: Option<&str>) -> Answer {
    let amount = miles.map(|miles| json!({"amount": miles, "currency": "MILE"}));
    let body = json!({"operation": award["id"], "amount": amount});
    world
        .post(&world.token(code).await, "/v1/reversals", body)
        .await
}

/// Debits less credits of an account.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

const ACCOUNTS: [&str; 5] = [
    "position/CITYMART/HKD",
    "position/AERO/USD",
    "hub/commission/HKD",
    "hub/fx_clearing/HKD",
    "hub/fx_clearing/USD",
];

async fn balances(world: &World) -> [i64; 5] {
    let mut found = [0; 5];
    for (nth, account) in ACCOUNTS.iter().enumerate() {
        found[nth] = balance(world, account).await;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn who_buys_points_owes_their_price_in_its_money_and_gets_it_back_at_the_rate_of_then() {
    let world = World::new().await;
    let mandate = agree(&world, "CITYMART", purchased(), &[]).await;
    let member = world.member().await;
    let (citymart, aero) = (world.token("CITYMART").await, world.token("AERO").await);

    let body = given(&member, "10000", json!({"reference": "bought"}));
    let made = award(&world, "CITYMART", &mandate, body).await.ok();
    assert_eq!(made["mandate"], mandate["id"]);
    // 140 USD at 7.8.
    assert_eq!(
        made["owes"],
        json!({"amount": "1092.000000", "currency": "HKD"})
    );
    assert!(made["owed"].is_null(), "AERO's side of it");
    assert_eq!(world.balance(&member, "MILE").await, "10000");
    let right = [
        1_092_000_000,
        -136_500_000,
        -27_300_000,
        -1_064_700_000,
        136_500_000,
    ];
    assert_eq!(balances(&world).await, right);
    World::assert_right(&world.verify().await);

    let path = format!("/v1/awards/{}", made["id"].as_str().expect("an id"));
    let theirs = world.get(&aero, &path).await.ok();
    assert_eq!(
        theirs["owed"],
        json!({"amount": "136.500000", "currency": "USD"})
    );
    assert!(theirs["owes"].is_null() && theirs["reference"].is_null());
    let own = world
        .get(&citymart, "/v1/awards?reference=bought")
        .await
        .ok();
    assert_eq!((&own["id"], &own["owes"]), (&made["id"], &made["owes"]));
    world.seal().await;
    for (token, side) in [(&citymart, "owes"), (&aero, "owed")] {
        let events = world.get(token, "/v1/events?limit=200").await.ok();
        let events = events["items"].as_array().expect("events").iter();
        let mut awards = events.filter(|event| event["data"]["id"] == made["id"]);
        let event = awards.next().expect("the award");
        assert_eq!(event["type"], "award.completed");
        assert!(event["data"][side].is_object(), "{event}");
        let other = if side == "owes" { "owed" } else { "owes" };
        assert!(event["data"][other].is_null() && awards.next().is_none());
    }
    let others = world.token("BAYVIEW").await;
    assert_eq!(world.get(&others, &path).await.problem(), "not-found");

    let newer = json!({"base": "USD", "quote": "HKD", "rate": "9", "source": "S", "quoted_at": "2026-01-01T00:00:00Z"});
    let fiona = world.sign_in("fiona").await;
    world.post(&fiona, "/v1/exchange-rates", newer).await.ok();
    for (code, part) in [
        ("CITYMART", Some("1")),
        ("AERO", Some("3333")),
        ("CITYMART", None),
    ] {
        reverse(&world, code, &made, part).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(balances(&world).await, [0; 5]);
    assert_eq!(world.balance(&member, "MILE").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_good_for_one_award_over_all_retailers_for_ever() {
    let world = World::new().await;
    let with_fee = agree(&world, "CITYMART", mandated("0.50"), &[]).await;
    let free = agree(&world, "BAYVIEW", mandated("0"), &[]).await;
    let member = world.member().await;
    let body = |receipt: &str| given(&member, "7", json!({"receipt": receipt}));

    let without = award(&world, "BAYVIEW", &free, given(&member, "7", json!({}))).await;
    assert_eq!(without.body["errors"][0]["pointer"], "/receipt");
    let first = award(&world, "CITYMART", &with_fee, body("R-1")).await.ok();
    assert_eq!(
        first["owed"],
        json!({"amount": "3.900000", "currency": "HKD"})
    );
    assert_eq!(balance(&world, "position/AERO/USD").await, 500_000);
    assert_eq!(
        award(&world, "BAYVIEW", &free, body("R-1")).await.problem(),
        "receipt-taken"
    );
    reverse(&world, "CITYMART", &first, None).await.ok();
    assert_eq!(balance(&world, "position/AERO/USD").await, 0);
    assert_eq!(
        award(&world, "CITYMART", &with_fee, body("R-1"))
            .await
            .problem(),
        "receipt-taken"
    );
    let second = award(&world, "BAYVIEW", &free, body("R-2")).await.ok();
    assert!(second["owes"].is_null() && second["owed"].is_null());
    // A receipt and an own reference of the issuer are not the same name.
    let own = given(&member, "1", json!({"reference": "R-2"}));
    world
        .post(&world.token("AERO").await, "/v1/awards", own)
        .await
        .ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_sell_the_last_unit_of_a_cap_once_and_a_reversal_gives_it_back() {
    let world = World::new().await;
    let second = world.second().await;
    let mandate = agree(
        &world,
        "BAYVIEW",
        purchased(),
        &[("each", "7"), ("total", "100")],
    )
    .await;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(world.member().await);
    }
    let hubs = [&world, &second];
    let awards = (0..32).map(|nth| {
        let body = given(&members[nth % 8], "7", json!({}));
        award(hubs[nth % 2], "BAYVIEW", &mandate, body)
    });
    let awards = awards.collect::<FuturesUnordered<_>>().boxed_local();
    let answers: Vec<Answer> = awards.collect().await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status.is_success());
    assert_eq!(taken.len(), 14, "14 times 7 of 100");
    for answer in &refused {
        assert_eq!(answer.problem(), "limit-reached");
        assert!(answer.body["renews_at"].is_null());
    }
    let body = |miles| given(&members[0], miles, json!({}));
    award(&world, "BAYVIEW", &mandate, body("2")).await.ok();
    let full = award(&second, "BAYVIEW", &mandate, body("1")).await;
    assert_eq!(
        full.body["left"],
        json!({"amount": "0", "currency": "MILE"})
    );
    World::assert_right(&world.verify().await);

    let undone = taken.into_iter().next().expect("one").ok();
    reverse(&world, "BAYVIEW", &undone, Some("3")).await.ok();
    award(&second, "BAYVIEW", &mandate, body("3")).await.ok();
    assert_eq!(
        award(&world, "BAYVIEW", &mandate, body("1"))
            .await
            .problem(),
        "limit-reached"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_its_own_cap_and_the_next_one_begins_anew() {
    let world = World::new().await;
    let mandate = agree(&world, "BAYVIEW", purchased(), &[("day", "10")]).await;
    let member = world.member().await;
    let body = |miles| given(&member, miles, json!({}));
    award(&world, "BAYVIEW", &mandate, body("8")).await.ok();
    let full = award(&world, "BAYVIEW", &mandate, body("3")).await;
    assert_eq!(full.problem(), "limit-reached");
    assert_eq!(full.body["left"]["amount"], "2");
    assert!(full.body["renews_at"].is_string());
    world.forward(chrono::Duration::days(1)).await;
    award(&world, "BAYVIEW", &mandate, body("10")).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_agree_to_the_same_and_either_ends_it_at_once() {
    let world = World::new().await;
    let bayview = world.token("BAYVIEW").await;
    let body = wanted(&world, "BAYVIEW", purchased(), &[]);
    let proposed = world
        .post(&bayview, "/v1/mandates", body.clone())
        .await
        .ok();
    let own = step(&world, "BAYVIEW", &proposed, "approve").await;
    assert!(own.status.is_client_error(), "who proposed it has spoken");
    assert_eq!(
        step(&world, "CITYMART", &proposed, "approve")
            .await
            .problem(),
        "not-found"
    );
    let member = world.member().await;
    let miles = given(&member, "5", json!({}));
    let early = award(&world, "BAYVIEW", &proposed, miles.clone()).await;
    assert_eq!(
        (early.problem(), &early.body["state"]),
        ("mandate-not-in-force", &json!("proposed"))
    );
    let mut other = proposed.clone();
    other["content_hash"] = json!("00".repeat(32));
    assert_eq!(
        step(&world, "AERO", &other, "approve").await.problem(),
        "approval-changed"
    );
    step(&world, "AERO", &proposed, "approve").await.ok();
    award(&world, "BAYVIEW", &proposed, miles.clone())
        .await
        .ok();
    let reason = given(&member, "5", json!({"reason": "survey"}));
    let refused = award(&world, "BAYVIEW", &proposed, reason).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/reason");

    step(&world, "AERO", &proposed, "end").await.ok();
    let late = award(&world, "BAYVIEW", &proposed, miles.clone()).await;
    assert_eq!(
        (late.problem(), &late.body["state"]),
        ("mandate-not-in-force", &json!("ended"))
    );
    assert_eq!(
        step(&world, "BAYVIEW", &proposed, "end").await.problem(),
        "mandate-state"
    );

    let mut over = body.clone();
    over["last_day"] = json!("2020-01-02");
    let over = world.post(&bayview, "/v1/mandates", over).await.ok();
    step(&world, "AERO", &over, "approve").await.ok();
    assert_eq!(
        award(&world, "BAYVIEW", &over, miles).await.problem(),
        "mandate-not-in-force"
    );
    let between_others = world
        .post(&world.token("CITYMART").await, "/v1/mandates", body)
        .await;
    assert_eq!(between_others.problem(), "not-your-currency");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_may_owe_holds_for_what_it_buys_and_a_member_sees_no_money() {
    let world = World::new().await;
    let mandate = agree(&world, "BAYVIEW", purchased(), &[]).await;
    crate::caps::Operators::of(&world)
        .await
        .cap(&world, "BAYVIEW", Some("1.40"))
        .await;
    let member = world.member().await;
    let miles = |amount| given(&member, amount, json!({}));
    let over = award(&world, "BAYVIEW", &mandate, miles("101")).await;
    assert_eq!(over.problem(), "partner-cap-reached");
    award(&world, "BAYVIEW", &mandate, miles("100")).await.ok();

    let acting = world.acting("AERO", &member).await;
    let wallets = world
        .get(&acting, &format!("/v1/members/{}/wallets", member.id))
        .await
        .ok();
    let wallets = wallets["items"].as_array().expect("wallets").iter();
    let of_miles = |wallet: &&Value| wallet.to_string().contains("MILE");
    let wallet = wallets
        .into_iter()
        .find(of_miles)
        .expect("a wallet of miles");
    let path = format!(
        "/v1/wallets/{}/statement",
        wallet["id"].as_str().expect("an id")
    );
    let seen = world.get(&acting, &path).await.ok().to_string();
    assert!(!seen.contains("USD") && !seen.contains("owes"), "{seen}");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_bought_past_the_mandate_is_found() {
    let world = World::new().await;
    let mandate = agree(&world, "BAYVIEW", purchased(), &[("total", "100")]).await;
    let member = world.member().await;
    let body = given(&member, "60", json!({}));
    award(&world, "BAYVIEW", &mandate, body).await.ok();
    World::assert_right(&world.verify().await);
    let session = sql::session(&world.url).await;
    for (forged, undone, said) in [
        (
            "update budgets set given = 61",
            "update budgets set given = 60",
            "mandate",
        ),
        (
            "update mandates set terms = jsonb_set(terms, '{funding,price}', '\"0.013\"')",
            "update mandates set terms = jsonb_set(terms, '{funding,price}', '\"0.014\"')",
            "is not what was approved",
        ),
        (
            "update mandates set state = 'ended'",
            "update mandates set state = 'agreed'",
            "is ended",
        ),
    ] {
        let past = |sql: &str| format!("set session_replication_role = replica; {sql}");
        session.batch_execute(&past(forged)).await.expect(forged);
        let difference = world.verify().await.difference.expect(forged);
        assert!(difference.contains(said), "{difference}");
        session.batch_execute(&past(undone)).await.expect(undone);
    }
    World::assert_right(&world.verify().await);
}
