//! Points set aside: they can be spent by their hold alone, whole or in parts, until it ends.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

fn hpt(amount: i64) -> Value {
    json!({"amount": amount.to_string(), "currency": "HPT"})
}

async fn hold(world: &World, member: &Member, amount: i64, more: Value) -> Value {
    let mut body = json!({"member": member.id, "amount": hpt(amount)});
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    world
        .post(&world.token("BAYVIEW").await, "/v1/holds", body)
        .await
        .ok()
}

async fn go(world: &World, hold: &Value, step: &str, body: Value) -> Answer {
    let path = format!("/v1/holds/{}/{step}", hold["id"].as_str().expect("an id"));
    world.post(&world.token("BAYVIEW").await, &path, body).await
}

async fn read(world: &World, hold: &Value) -> Value {
    let path = format!("/v1/holds/{}", hold["id"].as_str().expect("an id"));
    world.get(&world.token("BAYVIEW").await, &path).await.ok()
}

async fn wallet(world: &World, member: &Member) -> Value {
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&world.token("BAYVIEW").await, &path).await.ok();
    wallets["items"][0].clone()
}

/// What is available, and what is held.
async fn pockets(world: &World, member: &Member) -> (String, String) {
    let wallet = wallet(world, member).await;
    let amount = |of: &str| wallet[of]["amount"].as_str().expect(of).to_owned();
    (amount("available"), amount("held"))
}

fn both(available: i64, held: i64) -> (String, String) {
    (available.to_string(), held.to_string())
}

async fn sweep(world: &World) -> usize {
    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_spent_in_parts_and_the_rest_comes_back() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    world.forward(Duration::days(40)).await;
    world.award(&member, "50", "HPT").await;

    let held = hold(&world, &member, 120, json!({"reference": "room 7"})).await;
    assert_eq!(held["state"], "open");
    assert_eq!(pockets(&world, &member).await, both(30, 120));
    let spend = json!({"member": member.id, "amount": hpt(31)});
    let bayview = world.token("BAYVIEW").await;
    let refused = world.post(&bayview, "/v1/redemptions", spend).await;
    assert_eq!(refused.problem(), "balance-too-low");

    let first = json!({"amount": hpt(90), "channel": "desk", "reference": "night 1"});
    let first = go(&world, &held, "capture", first).await.ok();
    assert_eq!(
        (&first["kind"], &first["amount"]),
        (&json!("capture"), &hpt(90))
    );
    let second = go(&world, &held, "release", json!({"amount": hpt(15)}))
        .await
        .ok();
    assert_eq!(second["amount"], hpt(15));
    let much = go(&world, &held, "capture", json!({"amount": hpt(16)})).await;
    assert_eq!(much.problem(), "more-than-left");
    assert_eq!(much.body["left"], hpt(15));
    assert_eq!(pockets(&world, &member).await, both(45, 15));
    assert_eq!(read(&world, &held).await["state"], "open");
    World::assert_right(&world.verify().await);

    go(&world, &held, "capture", json!({})).await.ok();
    let done = read(&world, &held).await;
    assert_eq!(done["state"], "partially_captured");
    assert_eq!(
        (&done["captured"], &done["released"]),
        (&hpt(105), &hpt(15))
    );
    assert_eq!(done["open"], hpt(0));
    let again = go(&world, &held, "release", json!({})).await;
    assert_eq!(again.problem(), "hold-closed");
    // The first lot was captured to 90, its last 10 and 5 of the second released, 15 captured.
    let lots = wallet(&world, &member).await["lots"].clone();
    let amounts = lots
        .as_array()
        .expect("lots")
        .iter()
        .map(|lot| lot["amount"].clone());
    assert_eq!(amounts.collect::<Vec<_>>(), [hpt(10), hpt(35)]);

    for reference in ["room%207", "night%201"] {
        let found = world
            .get(&bayview, &format!("/v1/holds?reference={reference}"))
            .await;
        assert_eq!(found.ok(), done);
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_over_is_released_by_the_sweep_and_captured_by_nobody() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    let (one, other) = (
        hold(&world, &member, 40, json!({})).await,
        hold(&world, &member, 30, json!({})).await,
    );
    go(&world, &other, "capture", json!({"amount": hpt(10)}))
        .await
        .ok();
    let ends: DateTime<Utc> =
        serde_json::from_value(one["expires_at"].clone()).expect("an instant");
    let made: DateTime<Utc> = serde_json::from_value(one["at"].clone()).expect("an instant");
    assert_eq!(ends - made, Duration::days(7));

    world.forward(Duration::days(7)).await;
    let late = go(&world, &one, "capture", json!({})).await;
    assert_eq!(late.problem(), "hold-expired");
    assert_eq!(read(&world, &one).await["state"], "expired");
    assert_eq!(pockets(&world, &member).await, both(30, 60));

    assert_eq!(sweep(&world).await, 2);
    assert_eq!(pockets(&world, &member).await, both(90, 0));
    assert_eq!(read(&world, &one).await["state"], "expired");
    assert_eq!(read(&world, &other).await["state"], "partially_captured");
    assert_eq!(sweep(&world).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_expires_while_it_is_held_can_be_captured_and_not_kept() {
    let world = World::new().await;
    let member = world.member().await;
    let award = world.award(&member, "100", "HPT").await;
    let expires: DateTime<Utc> =
        serde_json::from_value(award["expires_at"].clone()).expect("an instant");
    let made: DateTime<Utc> = serde_json::from_value(award["at"].clone()).expect("an instant");
    world.forward(expires - made - Duration::days(2)).await;
    let held = hold(&world, &member, 80, json!({})).await;

    world.forward(Duration::days(3)).await;
    assert!(sweep(&world).await >= 1, "what is not held expires");
    assert_eq!(pockets(&world, &member).await, both(0, 80));
    go(&world, &held, "capture", json!({"amount": hpt(50)}))
        .await
        .ok();
    go(&world, &held, "release", json!({})).await.ok();
    assert_eq!(pockets(&world, &member).await, both(0, 0));
    assert_eq!(sweep(&world).await, 1, "what was given back expires");
    assert_eq!(sweep(&world).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_within_thirty_days_and_is_its_issuers() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    let bayview = world.token("BAYVIEW").await;
    for ends in ["2001-01-01T00:00:00Z", "2190-01-01T00:00:00Z"] {
        let body = json!({"member": member.id, "amount": hpt(1), "expires_at": ends});
        let refused = world.post(&bayview, "/v1/holds", body).await;
        assert_eq!(
            refused.body["errors"][0]["pointer"], "/expires_at",
            "{ends}"
        );
    }
    let aero = world.token("AERO").await;
    let foreign = json!({"member": member.id, "amount": hpt(1)});
    let foreign = world.post(&aero, "/v1/holds", foreign).await;
    assert_eq!(foreign.problem(), "not-your-currency");

    let held = hold(&world, &member, 5, json!({})).await;
    let path = format!("/v1/holds/{}", held["id"].as_str().expect("an id"));
    assert_eq!(world.get(&aero, &path).await.problem(), "not-found");
    for step in ["capture", "release"] {
        let refused = world
            .post(&aero, &format!("{path}/{step}"), json!({}))
            .await;
        assert_eq!(refused.problem(), "not-found");
    }
    let reversal = json!({"operation": held["id"]});
    let reversal = world.post(&bayview, "/v1/reversals", reversal).await;
    assert_eq!(reversal.problem(), "not-reversible");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_reversed_in_parts_into_what_is_available() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    let held = hold(&world, &member, 60, json!({})).await;
    let capture = go(&world, &held, "capture", json!({"amount": hpt(50)}))
        .await
        .ok();
    let bayview = world.token("BAYVIEW").await;
    for amount in [20, 30] {
        let body = json!({"operation": capture["id"], "amount": hpt(amount)});
        world.post(&bayview, "/v1/reversals", body).await.ok();
    }
    let over = json!({"operation": capture["id"]});
    let over = world.post(&bayview, "/v1/reversals", over).await;
    assert_eq!(over.problem(), "already-reversed");
    assert_eq!(pockets(&world, &member).await, both(90, 10));

    // The statement tells each step, newest first.
    let wallet = wallet(&world, &member).await;
    let path = format!(
        "/v1/wallets/{}/statement",
        wallet["id"].as_str().expect("an id")
    );
    let statement = world.get(&bayview, &path).await.ok();
    let entries = statement["items"].as_array().expect("entries").iter();
    let told: Vec<_> = entries
        .map(|entry| {
            (
                entry["kind"].as_str().expect("a kind"),
                entry["follows"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("capture_reversal", capture["id"].clone()),
            ("capture_reversal", capture["id"].clone()),
            ("capture", held["id"].clone()),
            ("hold", Value::Null),
            ("award", Value::Null),
        ]
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_and_a_release_post_nothing() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    let finance = world.sign_in("fiona").await;
    let before = world.get(&finance, "/v1/trial-balance").await.ok();
    let held = hold(&world, &member, 60, json!({})).await;
    go(&world, &held, "release", json!({})).await.ok();
    assert_eq!(world.get(&finance, "/v1/trial-balance").await.ok(), before);
    go(
        &world,
        &hold(&world, &member, 60, json!({})).await,
        "capture",
        json!({}),
    )
    .await
    .ok();
    assert_ne!(world.get(&finance, "/v1/trial-balance").await.ok(), before);
    World::assert_right(&world.verify().await);
}
