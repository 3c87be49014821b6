//! Buy-outs: what members left of a brand that ends becomes another's, as the card says and to the unit, over any
//! number of hubs; what it does not take expires, and nothing expires before that is known.

use chrono::Duration;
use serde_json::{Value, json};

use crate::life::{self, last_day};
use crate::sponsors::{sponsor, step};
use crate::sql;
use crate::world::{Answer, World, card};

const PATH: &str = "/v1/currencies/MILE/buy-out";

/// 4 MILE become a STAR: 100 to 1,000 of them at once, and NAMI pays a quarter.
fn quarter(world: &World) -> Value {
    let settlement = json!({
        "kind": "cost_plus", "price": "0.100000", "commission": "0.025", "sponsor": sponsor(world, "NAMI", "100000", "TWD"),
    });
    let terms = json!({"kind": "ratio", "give": 4, "get": 1, "min": 100, "max": 1000});
    card("MILE", "STAR", terms, settlement)
}

/// Drafted by AERO, and approved by everybody.
async fn publish(world: &World, body: Value, parties: &[&str]) -> Value {
    let aero = world.token("AERO").await;
    let drafted = world.post(&aero, "/v1/rate-cards", body).await.ok();
    step(world, &aero, &drafted, "propose").await.ok();
    for code in parties {
        step(world, &world.token(code).await, &drafted, "approve")
            .await
            .ok();
    }
    step(world, world.operator().await, &drafted, "approve")
        .await
        .ok()
}

/// AERO ends, by two people; answers those.
async fn wind_down(world: &World) -> [String; 2] {
    let people = [world.sign_in("olivia").await, world.sign_in("oscar").await];
    let status = life::status(world, "AERO");
    let body = json!({"state": "winding_down", "last_day": last_day().to_string()});
    let [one, other] = &people;
    life::agreed(world, &status, [one, other], body).await.ok();
    people
}

async fn approve(world: &World, who: &str, proposed: &Value) -> Answer {
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    world.post(who, &format!("{PATH}/approve"), hash).await
}

/// Proposed by AERO and agreed to by an operator.
async fn agree(world: &World, operator: &str, card: &Value) -> Value {
    let aero = world.token("AERO").await;
    let body = json!({"card": card["id"]});
    let proposed = world.put(&aero, PATH, body).await.ok();
    approve(world, operator, &proposed).await.ok()
}

async fn buy(world: &World) -> usize {
    world.hub.buyer().sweep().await.expect("a sweep")
}

async fn found(world: &World) -> Value {
    let operator = world.sign_in("olivia").await;
    world.get(&operator, PATH).await.ok()
}

async fn miles_left(world: &World) -> i64 {
    let sql = "select coalesce(sum(l.available), 0)::bigint from lots l join currencies c on c.no = (l.wallet >> 44) & 16383 \
               where c.code = 'MILE'";
    sql::number(&world.url, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_converted_as_the_card_says_and_the_rest_expires() {
    let world = World::new().await;
    let card = publish(&world, quarter(&world), &["CITYMART", "NAMI"]).await;
    let member = world.member().await;
    world.award(&member, "2150", "MILE").await;
    let aero = world.token("AERO").await;
    let alone = world
        .post(&aero, "/v1/members", json!({"number": "alone"}))
        .await
        .ok();
    let alone = crate::world::Member {
        id: alone["id"].as_str().expect("an id").to_owned(),
    };
    world.award(&alone, "5000", "MILE").await;
    let [olivia, _] = wind_down(&world).await;
    let agreed = agree(&world, &olivia, &card).await;
    assert_eq!(agreed["card"], card["id"]);
    let (all, reached) = (&agreed["left"]["all"], &agreed["left"]["reached"]);
    let units = |of: &Value| {
        of["amount"]["amount"]
            .as_str()
            .expect("units")
            .parse::<i64>()
    };
    let (all, reached) = (
        units(all).expect("a number"),
        units(reached).expect("a number"),
    );
    assert_eq!(all, miles_left(&world).await);
    assert_eq!(
        all - reached,
        5000,
        "whoever has no wallet at CITYMART is told of"
    );

    assert_eq!(buy(&world).await, 0, "the last day is not over");
    world.forward(Duration::days(20)).await;
    let set_aside = json!({"member": member.id, "amount": {"amount": "100", "currency": "MILE"},
        "expires_at": chrono::Utc::now() + Duration::days(49)});
    world.post(&aero, "/v1/holds", set_aside).await.ok();
    world.forward(Duration::days(14)).await;
    world.sweep().await;
    assert_eq!(
        miles_left(&world).await,
        all - 100,
        "nothing expires before"
    );

    // What is held may come back, and is waited for. Two hubs go about it.
    let other = world.second().await;
    let (one, two) = tokio::join!(buy(&world), buy(&other));
    assert!(one + two > 2, "{one} {two}");
    assert_eq!(world.balance(&member, "STAR").await, "500");
    assert_eq!(world.balance(&member, "MILE").await, "50");
    let waiting = found(&world).await;
    assert_eq!(
        waiting["waits_for"],
        "holds or frozen points of the currency"
    );
    assert_eq!(waiting["left"]["is_tied"], true);
    world.sweep().await;
    assert_eq!(world.balance(&alone, "MILE").await, "5000");

    world.forward(Duration::days(30)).await;
    world.sweep().await;
    assert_eq!(
        buy(&world).await,
        1,
        "what was held, with what was too little"
    );
    assert_eq!(world.balance(&member, "STAR").await, "537");
    let done = found(&world).await;
    assert!(done["done_at"].is_string(), "{done}");
    world.sweep().await;
    assert_eq!(miles_left(&world).await, 0);
    assert_eq!(buy(&world).await, 0);

    // AERO and NAMI pay for it, exactly as if the members had asked; and both are told.
    let sponsored = "select count(*) from postings p where p.name like 'position/NAMI%'";
    assert!(sql::number(&world.url, sponsored).await > 0);
    world.seal().await;
    let told = "select count(*) from audit where subject = 'buy_out'";
    assert_eq!(sql::number(&world.url, told).await, 2, "agreed, and done");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_two_people_a_last_day_and_a_card_that_holds() {
    let world = World::new().await;
    let card = publish(&world, quarter(&world), &["CITYMART", "NAMI"]).await;
    let wanted = json!({"card": card["id"]});
    let aero = world.token("AERO").await;
    let early = world.put(&aero, PATH, wanted.clone()).await;
    assert_eq!(early.problem(), "partner-state");
    let [olivia, oscar] = wind_down(&world).await;

    let bayview = world.token("BAYVIEW").await;
    assert_eq!(world.get(&bayview, PATH).await.problem(), "not-found");
    let foreign = world.put(&bayview, PATH, wanted.clone()).await;
    assert_eq!(foreign.problem(), "not-found");
    let of_others = "/v1/currencies/HPT/buy-out";
    let not_ending = world.put(&olivia, of_others, wanted.clone()).await;
    assert_eq!(not_ending.problem(), "partner-state");
    let unknown = json!({"card": "card_0123456789abcdef"});
    let unknown = world.put(&aero, PATH, unknown).await;
    assert_eq!(unknown.body["errors"][0]["pointer"], "/card");
    assert_eq!(
        world.put(&aero, PATH, json!({})).await.problem(),
        "invalid-field"
    );

    let proposed = world.put(&olivia, PATH, wanted.clone()).await.ok();
    assert_eq!(proposed["proposed"]["card"], card["id"]);
    assert_eq!(
        world.put(&aero, PATH, wanted.clone()).await.problem(),
        "approval-open"
    );
    assert_eq!(
        approve(&world, &olivia, &proposed).await.problem(),
        "maker-is-checker"
    );
    world
        .post(&oscar, &format!("{PATH}/withdraw"), json!({}))
        .await
        .ok();
    assert_eq!(
        approve(&world, &oscar, &proposed).await.problem(),
        "approval-closed"
    );
    let again = world.put(&aero, PATH, wanted.clone()).await.ok();
    let hash = json!({"content_hash": again["proposed"]["content_hash"]});
    let rejected = world
        .post(&oscar, &format!("{PATH}/reject"), hash)
        .await
        .ok();
    assert_eq!(
        [&rejected["card"], &rejected["proposed"]],
        [&Value::Null; 2]
    );

    // Another last day is another matter, for what is proposed and for what was agreed to.
    let stale = world.put(&aero, PATH, wanted.clone()).await.ok();
    let status = life::status(&world, "AERO");
    let people = [olivia.as_str(), oscar.as_str()];
    life::agreed(&world, &status, people, json!({"state": "live"}))
        .await
        .ok();
    let later = last_day() + Duration::days(3);
    let wind = json!({"state": "winding_down", "last_day": later.to_string()});
    life::agreed(&world, &status, people, wind).await.ok();
    assert_eq!(
        approve(&world, &olivia, &stale).await.problem(),
        "approval-changed"
    );
    world
        .post(&aero, &format!("{PATH}/withdraw"), json!({}))
        .await
        .ok();
    let agreed = agree(&world, &olivia, &card).await;
    assert_eq!(agreed["card"], card["id"]);
    let same = world.put(&aero, PATH, wanted).await.ok();
    assert_eq!(same["proposed"], Value::Null, "it is so already");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_whoever_has_to_act_and_goes_on_by_another_card_or_none() {
    let world = World::new().await;
    let terms = json!({"kind": "ratio", "give": 4, "get": 1});
    let settlement = json!({"kind": "cost_plus", "price": "0.100000", "commission": "0.025"});
    let card = publish(
        &world,
        self::card("MILE", "STAR", terms, settlement),
        &["CITYMART"],
    )
    .await;
    let member = world.member().await;
    world.award(&member, "400", "MILE").await;
    let [olivia, _] = wind_down(&world).await;
    agree(&world, &olivia, &card).await;
    world.forward(Duration::days(35)).await;

    let [olivia, oscar] = [world.sign_in("olivia").await, world.sign_in("oscar").await];
    let citymart = life::status(&world, "CITYMART");
    let suspend = json!({"state": "suspended"});
    world.post(&olivia, &citymart, suspend).await.ok();
    assert_eq!(buy(&world).await, 0);
    world.sweep().await;
    let waiting = found(&world).await;
    assert!(
        waiting["waits_for"]
            .as_str()
            .expect("a reason")
            .contains("target"),
        "{waiting}"
    );
    assert_eq!(world.balance(&member, "MILE").await, "400");

    let live = json!({"state": "live"});
    life::agreed(&world, &citymart, [&olivia, &oscar], live)
        .await
        .ok();
    step(&world, &olivia, &card, "halt").await.ok();
    assert_eq!(buy(&world).await, 0);
    world.sweep().await;
    let waiting = found(&world).await;
    assert!(
        waiting["waits_for"]
            .as_str()
            .expect("a reason")
            .contains("card"),
        "{waiting}"
    );
    assert_eq!(world.balance(&member, "MILE").await, "400");

    let none = world.put(&olivia, PATH, json!({"card": null})).await.ok();
    let none = approve(&world, &oscar, &none).await.ok();
    assert_eq!([&none["card"], &none["waits_for"]], [&Value::Null; 2]);
    world.sweep().await;
    assert_eq!(miles_left(&world).await, 0);
    assert_eq!(world.balance(&member, "STAR").await, "0");
    World::assert_right(&world.verify().await);
}
