//! Notices: issuers are told of lots that will soon expire, once each, whichever hub looks and when.

use std::collections::BTreeMap;

use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::World;

/// A currency of AERO whose points live about two months, told of as `days` say.
async fn issue(world: &World, code: &str, days: Option<Value>) -> Value {
    let aero = &world.credentials.partner("AERO").expect("AERO").id;
    let mut body = json!({"code": code, "name": "Points", "scale": 0, "issuer": aero,
        "expiry": {"policy": "rolling", "months": 2}, "display_value": "1"});
    if let Some(days) = days {
        body["expiry_notice_days"] = days;
    }
    let olivia = world.operator().await;
    world.post(olivia, "/v1/currencies", body).await.ok()
}

async fn award(world: &World, member: &str, amount: &str, currency: &str) -> Value {
    let amount = json!({"amount": amount, "currency": currency});
    let body = json!({"member": member, "amount": amount, "reason": "event"});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/awards", body).await.ok()
}

/// Every notice that a reader finds.
async fn told(world: &World, token: &str) -> Vec<Value> {
    world.seal().await;
    let (mut notices, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/events?limit=200{after}");
        let page = world.get(token, &path).await.ok();
        let items = page["items"].as_array().expect("items");
        let of = |event: &&Value| event["type"] == "lot.expiring";
        notices.extend(items.iter().filter(of).cloned());
        let next = format!("&after={}", page["next_cursor"].as_str().expect("a cursor"));
        if next == after {
            return notices;
        }
        after = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_is_told_of_a_lot_once_for_each_number_of_days_it_asked_for() {
    let world = World::new().await;
    let second = world.second().await;
    let aero = world.token("AERO").await;
    let often = issue(&world, "OFTEN", Some(json!([1, 45, 10]))).await;
    assert_eq!(often["expiry_notice_days"], json!([45, 10, 1]));
    let usual = issue(&world, "USUAL", None).await;
    assert_eq!(usual["expiry_notice_days"], json!([30, 7]));
    issue(&world, "NEVER", Some(json!([]))).await;
    let member = world.member().await;
    let awarded = award(&world, &member.id, "500", "OFTEN").await;
    for (amount, currency) in [("70", "USUAL"), ("9", "NEVER")] {
        award(&world, &member.id, amount, currency).await;
    }

    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for day in 0..75 {
        let hub = [&world, &second][day % 2];
        hub.sweep().await;
        let before: usize = seen.values().map(Vec::len).sum();
        if day == 20 {
            // What came and went since is told as it is.
            award(&world, &member.id, "20", "OFTEN").await;
            let spend =
                json!({"member": member.id, "amount": {"amount": "100", "currency": "OFTEN"}});
            world.post(&aero, "/v1/redemptions", spend).await.ok();
        }
        let told = sql::number(
            &world.url,
            "select count(*) from audit where subject = 'expiring_lot'",
        )
        .await;
        if told as usize > before {
            let all = self::told(&world, &aero).await;
            for event in &all[before..] {
                let code = event["data"]["amount"]["currency"]
                    .as_str()
                    .expect("a code");
                let left = event["data"]["days"].as_i64().expect("days");
                seen.entry(code.to_owned()).or_default().push(left);
            }
        }
        world.forward(Duration::days(1)).await;
    }
    // Two lots of OFTEN, twenty days apart.
    assert_eq!(seen["OFTEN"], [45, 45, 10, 1, 10]);
    assert_eq!(seen["USUAL"], [30, 7]);
    assert_eq!(seen.len(), 2, "{seen:?}");

    let events = told(&world, &aero).await;
    let first = &events[0];
    assert_eq!(first["data"]["wallet"], awarded["wallet"]);
    assert_eq!(first["subject"], awarded["wallet"]);
    assert_eq!(first["data"]["member"], member.id);
    assert!(
        first["data"]["membership"]
            .as_str()
            .expect("it")
            .starts_with("mbs_")
    );
    assert_eq!(
        first["data"]["amount"],
        json!({"amount": "500", "currency": "OFTEN"})
    );
    assert_eq!(first["data"]["expires_at"], awarded["expires_at"]);
    let of_wallet = events
        .iter()
        .filter(|event| event["subject"] == awarded["wallet"]);
    let sequences: Vec<i64> = of_wallet
        .filter_map(|event| event["sequence"].as_i64())
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    let amounts = events.iter().filter(|event| event["data"]["days"] == 10);
    let amounts: Vec<&str> = amounts
        .filter_map(|event| event["data"]["amount"]["amount"].as_str())
        .collect();
    assert_eq!(amounts, ["400", "20"], "as it was when it was told");

    assert_eq!(
        told(&world, &world.token("BAYVIEW").await).await,
        [] as [Value; 0]
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_transaction_tells_is_told_once_by_two_hubs_at_once() {
    const MANY: i64 = 2_300;
    let world = World::new().await;
    let second = world.second().await;
    let aero = world.token("AERO").await;
    issue(&world, "USUAL", Some(json!([30]))).await;
    let member = world.member().await;
    award(&world, &member.id, "5", "USUAL").await;
    // As many wallets with one expiry as a great award makes.
    let session = sql::session(&world.url).await;
    let copies = format!(
        "insert into lots select l.wallet + nth, l.expires_at, usable_from, class, 0, available, 0, null \
           from lots l join currencies c on c.no = asset_of(l.wallet), generate_series(1, {MANY}) as nth \
          where c.code = 'USUAL'"
    );
    session.batch_execute(&copies).await.expect("lots");

    world.forward(Duration::days(40)).await;
    join_all([&world, &second, &world, &second].map(|hub| hub.sweep())).await;
    let events = told(&world, &aero).await;
    let mut wallets: Vec<&Value> = events
        .iter()
        .map(|event| &event["data"]["wallet"])
        .collect();
    wallets.sort_by_key(|wallet| wallet.to_string());
    wallets.dedup();
    assert_eq!((events.len(), wallets.len()), (2_301, 2_301));
    let nobody = events
        .iter()
        .filter(|event| event["data"]["member"].is_null());
    assert_eq!(
        nobody.count(),
        2_300,
        "a wallet that nobody has is told of, too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leap_of_the_clock_only_what_still_matters_is_told() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    issue(&world, "USUAL", Some(json!([40, 30, 20]))).await;
    let member = world.member().await;
    world.sweep().await;
    award(&world, &member.id, "5", "USUAL").await;
    world.forward(Duration::days(36)).await;
    award(&world, &member.id, "6", "USUAL").await;
    world.sweep().await;
    let days = |events: &[Value]| -> Vec<i64> {
        events
            .iter()
            .filter_map(|event| event["data"]["days"].as_i64())
            .collect()
    };
    assert_eq!(days(&told(&world, &aero).await), [30], "not 40 as well");
    world.forward(Duration::days(100)).await;
    world.sweep().await;
    assert_eq!(days(&told(&world, &aero).await), [30], "all has expired");
    for bad in [
        json!([0]),
        json!([7, 7]),
        json!([367]),
        json!([1, 2, 3, 4, 5, 6]),
    ] {
        let issuer = &world.credentials.partner("AERO").expect("AERO").id;
        let body = json!({"code": "BAD", "name": "Points", "scale": 0, "issuer": issuer,
            "expiry": {"policy": "none"}, "display_value": "1", "expiry_notice_days": bad});
        let refused = world
            .post(world.operator().await, "/v1/currencies", body)
            .await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
}
