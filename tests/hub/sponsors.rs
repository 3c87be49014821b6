//! The sponsor of a card: who pays a share of what conversions cost the giving partner, out of a budget.
//!
//! 4 MILE become a STAR, which CITYMART charges HKD 0.10 for: 400 MILE cost AERO HKD 10 at 7.8 and a
//! commission of 2.5 %, which is USD 1.314102. A quarter of it is USD 0.328526.

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use crate::campaigns::{id_of, rich};
use crate::sql;
use crate::through::{option, options};
use crate::world::{Answer, Member, World, card};

pub fn sponsor(world: &World, code: &str, budget: &str, money: &str) -> Value {
    json!({
        "partner": id_of(world, code), "share": "0.25",
        "budget": {"amount": budget, "currency": money},
    })
}

fn sponsored(sponsor: Value) -> Value {
    let settlement = json!({
        "kind": "cost_plus", "price": "0.100000", "commission": "0.025", "sponsor": sponsor,
    });
    let terms = json!({"kind": "ratio", "give": 4, "get": 1});
    card("MILE", "STAR", terms, settlement)
}

pub async fn step(world: &World, token: &str, card: &Value, step: &str) -> Answer {
    let id = card["id"].as_str().expect("an id");
    let body = match step {
        "approve" | "reject" => json!({"content_hash": card["content_hash"]}),
        _ => json!({}),
    };
    let path = format!("/v1/rate-cards/{id}/{step}");
    world.post(token, &path, body).await
}

/// Drafted by AERO, and approved by CITYMART, the sponsor and the hub.
pub async fn publish(world: &World, code: &str, budget: &str, money: &str) -> Value {
    let aero = world.token("AERO").await;
    let card = sponsored(sponsor(world, code, budget, money));
    let drafted = world.post(&aero, "/v1/rate-cards", card).await.ok();
    step(world, &aero, &drafted, "propose").await.ok();
    let mut tokens = vec![world.token("CITYMART").await];
    if code != "CITYMART" {
        tokens.push(world.token(code).await);
    }
    for token in tokens {
        step(world, &token, &drafted, "approve").await.ok();
    }
    let active = step(world, world.operator().await, &drafted, "approve")
        .await
        .ok();
    assert_eq!(active["state"], "active");
    active
}

pub async fn ask(world: &World, member: &Member, miles: &str) -> Answer {
    let gives = json!({"amount": miles, "currency": "MILE"});
    let wish = json!({"member": member.id, "gives": gives, "to": "STAR"});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/quotes", wish).await
}

pub async fn take(world: &World, quote: &Value) -> Answer {
    let body = json!({"quote": quote["quote"]});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/conversions", body).await
}

async fn reverse(world: &World, conversion: &Value, miles: Option<&str>) -> Value {
    let amount = miles.map(|miles| json!({"amount": miles, "currency": "MILE"}));
    let body = json!({"operation": conversion["id"], "amount": amount});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/reversals", body).await.ok()
}

/// Debits less credits of an account.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

async fn used(world: &World) -> i64 {
    let sql = "select coalesce(sum(given), 0)::bigint from budgets where owner < 0";
    sql::number(&world.url, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsor_pays_its_share_in_its_money_and_gets_it_back_to_the_last_digit() {
    let world = World::new().await;
    publish(&world, "NAMI", "1000", "TWD").await;
    let member = rich(&world).await;

    let quote = ask(&world, &member, "4000").await.ok();
    let cost = &quote["cost"];
    assert_eq!(cost["gross"]["amount"], "13.141026");
    assert_eq!(
        cost["sponsored"],
        json!({"amount": "3.285256", "currency": "USD"})
    );
    // A newer rate is for newer quotes.
    let newer = json!({"base": "USD", "quote": "TWD", "rate": "40", "source": "S", "quoted_at": "2026-01-01T00:00:00Z"});
    let fiona = world.sign_in("fiona").await;
    world.post(&fiona, "/v1/exchange-rates", newer).await.ok();
    let taken = take(&world, &quote).await.ok();
    assert_eq!(&taken["cost"], cost);
    let citymart = world.token("CITYMART").await;
    let path = format!("/v1/conversions/{}", taken["id"].as_str().expect("an id"));
    let seen = world.get(&citymart, &path).await.ok();
    assert!(seen["cost"].is_null(), "AERO's side of it");
    assert_eq!(balance(&world, "position/AERO/USD").await, 9_855_770);
    // 3.285256 at 31.5.
    assert_eq!(balance(&world, "position/NAMI/TWD").await, 103_485_564);
    assert_eq!(balance(&world, "position/CITYMART/HKD").await, -100_000_000);
    assert_eq!(used(&world).await, 103_485_564);
    World::assert_right(&world.verify().await);

    for part in [Some("1"), Some("1234"), Some("765"), None] {
        reverse(&world, &taken, part).await;
        assert_eq!(
            used(&world).await,
            balance(&world, "position/NAMI/TWD").await
        );
        World::assert_right(&world.verify().await);
    }
    for account in [
        "position/AERO/USD",
        "position/NAMI/TWD",
        "position/CITYMART/HKD",
        "hub/fx_clearing/USD",
        "hub/fx_clearing/TWD",
    ] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
    assert_eq!(used(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_conversions_at_two_hubs_a_sponsor_pays_exactly_its_budget() {
    let world = World::new().await;
    let second = world.second().await;
    // 44 times 0.328526.
    publish(&world, "BAYVIEW", "14.455144", "USD").await;
    let mut quotes = Vec::new();
    for _ in 0..16 {
        let member = rich(&world).await;
        for _ in 0..4 {
            quotes.push(ask(&world, &member, "400").await.ok());
        }
    }

    let hubs = [&world, &second];
    let takes = quotes.iter().enumerate();
    let takes = takes.map(|(nth, quote)| take(hubs[nth % 2], quote));
    let takes = takes.collect::<FuturesUnordered<_>>().boxed_local();
    let answers: Vec<Answer> = takes.collect().await;
    let (done, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status.is_success());
    assert_eq!((done.len(), refused.len()), (44, 20));
    let nothing = json!({"amount": "0.000000", "currency": "USD"});
    for one in &refused {
        assert_eq!(one.problem(), "sponsor-budget-used-up");
        assert_eq!(one.body["left"], nothing);
    }
    assert_eq!(balance(&world, "position/BAYVIEW/USD").await, 14_455_144);
    let member = rich(&world).await;
    let none = ask(&world, &member, "400").await;
    assert_eq!(
        (none.problem(), &none.body["left"]),
        ("sponsor-budget-used-up", &nothing)
    );

    // What one gives back, another has.
    reverse(&world, &done[0].body, Some("200")).await;
    assert_eq!(
        ask(&world, &member, "400").await.problem(),
        "sponsor-budget-used-up"
    );
    let half = ask(&world, &member, "200").await.ok();
    take(&world, &half).await.ok();
    assert_eq!(used(&world).await, 14_455_144);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_goes_as_far_as_the_sponsor_can_pay() {
    let world = World::new().await;
    publish(&world, "BAYVIEW", "14.455144", "USD").await;
    let member = rich(&world).await;
    let seen = options(&world, &member).await;
    let to_star = option(&seen, "STAR", None).expect("an option");
    let gives = to_star["gives"]["amount"].as_str().expect("an amount");
    let gives: i64 = gives.parse().expect("whole miles");
    let quote = ask(&world, &member, &gives.to_string()).await.ok();
    assert_eq!(quote["gains"], to_star["gains"]);
    let more = ask(&world, &member, &(gives + 4).to_string()).await;
    assert_eq!(more.problem(), "sponsor-budget-used-up");
    take(&world, &quote).await.ok();
    let seen = options(&world, &member).await;
    assert!(option(&seen, "STAR", None).is_none(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_needs_the_word_of_who_sponsors_it() {
    let world = World::new().await;
    let (aero, citymart) = (world.token("AERO").await, world.token("CITYMART").await);
    let (kwun, nami) = (world.token("KWUN").await, world.token("NAMI").await);
    let olivia = world.sign_in("olivia").await;
    let wanted = sponsored(sponsor(&world, "KWUN", "500.5", "HKD"));
    let drafted = world.post(&aero, "/v1/rate-cards", wanted.clone()).await;
    let drafted = drafted.ok();
    let path = format!("/v1/rate-cards/{}", drafted["id"].as_str().expect("an id"));
    step(&world, &aero, &drafted, "propose").await.ok();
    step(&world, &citymart, &drafted, "approve").await.ok();
    let proposed = step(&world, &olivia, &drafted, "approve").await.ok();
    assert_eq!(proposed["state"], "approved_by_target");
    assert_eq!(world.get(&nami, &path).await.problem(), "not-found");
    let listed = world.get(&kwun, "/v1/rate-cards?from=MILE&to=STAR").await;
    assert_eq!(listed.ok()["items"][0]["id"], drafted["id"]);

    let active = step(&world, &kwun, &drafted, "approve").await.ok();
    assert_eq!(active["state"], "active");
    assert_eq!(
        active["agreed"],
        json!(["source", "target", "sponsor", "hub"])
    );
    let budget = json!({"amount": "500.500000", "currency": "HKD"});
    for (token, commission) in [
        (&aero, json!("0.025")),
        (&citymart, Value::Null),
        (&kwun, json!("0.025")),
    ] {
        let seen = world.get(token, &path).await.ok();
        let settlement = &seen["settlement"];
        assert_eq!(settlement["sponsor"]["partner"], id_of(&world, "KWUN"));
        assert_eq!(settlement["sponsor"]["budget"], budget);
        assert_eq!(settlement["commission"], commission);
    }
    let stranger = world.get(&nami, &path).await.ok();
    assert!(stranger["settlement"].is_null());

    let mut next = wanted;
    next["settlement"]["sponsor"]["budget"]["amount"] = json!("600");
    let next = world.post(&aero, "/v1/rate-cards", next).await.ok();
    let changes = format!(
        "/v1/rate-cards/{}/changes",
        next["id"].as_str().expect("an id")
    );
    let changes = world.get(&citymart, &changes).await.ok();
    assert_eq!(changes["changes"][0]["field"], "settlement.sponsor");
    assert_eq!(changes["member"], "better");
    assert_eq!(
        changes["changes"][0]["en"],
        "its sponsor changes from KWUN (a share of 0.25, HKD 500.500000 in all) to KWUN (a share of 0.25, HKD 600.000000 in all)"
    );
    assert_eq!(
        step(&world, &kwun, &drafted, "halt").await.ok()["state"],
        "halted"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsor_that_cannot_be_is_refused_by_its_field() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let with = |field: &str, value: Value| {
        let mut sponsor = sponsor(&world, "KWUN", "500", "HKD");
        match field.strip_prefix("budget/") {
            Some(field) => sponsor["budget"][field] = value,
            None => sponsor[field] = value,
        }
        sponsor
    };
    let cases = [
        (with("partner", json!("ptr_1")), "partner"),
        (with("partner", json!(id_of(&world, "AERO"))), "partner"),
        (with("share", json!("0")), "share"),
        (with("budget/amount", json!("0")), "budget/amount"),
        (with("budget/amount", json!("0.1234567")), "budget/amount"),
        (with("budget/currency", json!("USD")), "budget/currency"),
    ];
    for (sponsor, field) in cases {
        let refused = world
            .post(&aero, "/v1/rate-cards", sponsored(sponsor))
            .await;
        let pointer = json!(format!("/settlement/sponsor/{field}"));
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["pointer"]),
            ("card-terms", &pointer)
        );
    }
    let whole = sponsored(with("share", json!("1")));
    let refused = world.post(&aero, "/v1/rate-cards", whole).await;
    assert_eq!(refused.problem(), "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gaining_partner_may_sponsor_too_within_its_cap() {
    let world = World::new().await;
    publish(&world, "CITYMART", "1000", "HKD").await;
    let member = rich(&world).await;
    let quote = ask(&world, &member, "4000").await.ok();
    take(&world, &quote).await.ok();
    // 3.285256 USD at 7.8 are 25.624997 HKD.
    assert_eq!(
        balance(&world, "position/CITYMART/HKD").await,
        -100_000_000 + 25_624_997
    );
    World::assert_right(&world.verify().await);

    let other = World::new().await;
    publish(&other, "BAYVIEW", "1000", "USD").await;
    let operators = crate::caps::Operators::of(&other).await;
    operators.cap(&other, "BAYVIEW", Some("3.2")).await;
    let member = rich(&other).await;
    let quote = ask(&other, &member, "4000").await.ok();
    assert_eq!(take(&other, &quote).await.problem(), "partner-cap-reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_closed_sponsors_nothing_any_more() {
    let world = World::new().await;
    let member = rich(&world).await;
    publish(&world, "BAYVIEW", "1000", "USD").await;
    let quote = ask(&world, &member, "400").await.ok();
    let aero = world.token("AERO").await;
    let drafted = sponsored(sponsor(&world, "BAYVIEW", "500", "USD"));
    let drafted = world.post(&aero, "/v1/rate-cards", drafted).await.ok();
    let owes = balance(&world, "position/BAYVIEW/USD").await;
    let close = "alter table partners disable trigger partners_go_by_steps; \
                 update partners set state = 'closed' where code = 'BAYVIEW'; \
                 alter table partners enable trigger partners_go_by_steps; \
                 update control set version = version + 1";
    let client = sql::session(&world.url).await;
    client.batch_execute(close).await.expect("a closed partner");

    let taken = take(&world, &quote).await;
    assert_eq!(taken.problem(), "partner-state");
    assert_eq!(taken.body["act"], "sponsor");
    let asked = ask(&world, &member, "400").await;
    assert_eq!(asked.problem(), "partner-state");
    let proposed = step(&world, &aero, &drafted, "propose").await;
    assert_eq!(proposed.problem(), "partner-state");
    assert_eq!(balance(&world, "position/BAYVIEW/USD").await, owes);
}
