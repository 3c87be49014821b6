//! Points that cannot be used yet, and points that are owed: what a wallet has beside what is available.

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

fn hpt(amount: i64) -> Value {
    json!({"amount": amount.to_string(), "currency": "HPT"})
}

async fn bayview(world: &World, path: &str, body: Value) -> Answer {
    world.post(&world.token("BAYVIEW").await, path, body).await
}

async fn wallet(world: &World, member: &Member) -> Value {
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&world.token("BAYVIEW").await, &path).await.ok();
    wallets["items"][0].clone()
}

/// What is available, held, pending and owed.
async fn state(world: &World, member: &Member) -> [i64; 4] {
    let wallet = wallet(world, member).await;
    ["available", "held", "pending", "owed"].map(|of| {
        let amount = wallet[of]["amount"].as_str().expect(of);
        amount.parse().expect("an amount")
    })
}

async fn redeem(world: &World, member: &Member, amount: i64) -> Answer {
    let body = json!({"member": member.id, "amount": hpt(amount)});
    bayview(world, "/v1/redemptions", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_before_it_is_taken_back_is_owed_and_paid_by_what_comes() {
    let world = World::new().await;
    let member = world.member().await;
    let award = world.award(&member, "100", "HPT").await;
    let spent = redeem(&world, &member, 80).await.ok();
    let body = json!({"operation": award["id"]});
    let refused = bayview(&world, "/v1/reversals", body).await;
    assert_eq!(refused.problem(), "reversal-spent");

    let body = json!({"operation": award["id"], "amount": hpt(70), "receivable": true});
    let reversal = bayview(&world, "/v1/reversals", body).await.ok();
    assert_eq!(
        (&reversal["taken_back"], &reversal["owed"]),
        (&hpt(70), &hpt(50))
    );
    assert_eq!(state(&world, &member).await, [0, 0, 0, 50]);
    assert_eq!(
        redeem(&world, &member, 1).await.problem(),
        "balance-too-low"
    );
    World::assert_right(&world.verify().await);

    let gift = world.award(&member, "20", "HPT").await;
    assert_eq!(gift["amount"], hpt(20));
    assert_eq!(state(&world, &member).await, [0, 0, 0, 30]);
    // What a redemption took goes first into what is owed, then into its lots.
    let part = json!({"operation": spent["id"], "amount": hpt(25)});
    bayview(&world, "/v1/reversals", part).await.ok();
    assert_eq!(state(&world, &member).await, [0, 0, 0, 5]);
    let rest = json!({"operation": spent["id"], "amount": hpt(15)});
    bayview(&world, "/v1/reversals", rest).await.ok();
    assert_eq!(state(&world, &member).await, [10, 0, 0, 0]);
    // The award that paid a debt was spent with that.
    let body = json!({"operation": gift["id"]});
    let refused = bayview(&world, "/v1/reversals", body).await;
    assert_eq!(refused.problem(), "reversal-spent");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_pays_what_is_owed_and_a_release_does_not() {
    let world = World::new().await;
    let member = world.member().await;
    let award = world.award(&member, "100", "HPT").await;
    let hold = json!({"member": member.id, "amount": hpt(40)});
    let hold = bayview(&world, "/v1/holds", hold).await.ok();
    let body = json!({"operation": award["id"], "receivable": true});
    bayview(&world, "/v1/reversals", body).await.ok();
    assert_eq!(state(&world, &member).await, [0, 40, 0, 40]);
    let path = format!("/v1/holds/{}/release", hold["id"].as_str().expect("an id"));
    bayview(&world, &path, json!({})).await.ok();
    assert_eq!(state(&world, &member).await, [40, 0, 0, 40]);

    world.award(&member, "10000", "MILE").await;
    let conversion = world.convert(&member, "10000", "MILE", "HPT").await;
    assert_eq!(conversion["gains"]["amount"], "12187");
    assert_eq!(state(&world, &member).await, [12_187, 0, 0, 0]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_let_a_wallet_owe_what_a_conversion_gave() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let conversion = world.convert(&member, "10000", "MILE", "HPT").await;
    redeem(&world, &member, 12_000).await.ok();
    let mut body = json!({"operation": conversion["id"], "receivable": true});
    let aero = world.token("AERO").await;
    let refused = world.post(&aero, "/v1/reversals", body.clone()).await;
    assert_eq!(refused.problem(), "forbidden");

    let (operator, finance) = (world.sign_in("olivia").await, world.sign_in("fiona").await);
    let refused = world.post(&finance, "/v1/reversals", body.clone()).await;
    assert_eq!(refused.problem(), "forbidden");
    let reversal = world.post(&operator, "/v1/reversals", body.clone()).await;
    assert_eq!(reversal.ok()["owed"], hpt(12_000));
    assert_eq!(state(&world, &member).await, [0, 0, 0, 12_000]);
    assert_eq!(world.balance(&member, "MILE").await, "10000");
    body["reference"] = json!("mine");
    let named = world.post(&operator, "/v1/reversals", body).await;
    assert_eq!(named.body["errors"][0]["pointer"], "/reference");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_award_is_used_when_its_day_has_come_and_can_be_taken_back_before() {
    let world = World::new().await;
    let member = world.member().await;
    let give = |days: i64| {
        let from = Utc::now() + Duration::days(days);
        json!({"member": member.id, "amount": hpt(60), "reason": "purchase", "usable_from": from})
    };
    for days in [-1, 367] {
        let refused = bayview(&world, "/v1/awards", give(days)).await;
        assert_eq!(
            refused.body["errors"][0]["pointer"], "/usable_from",
            "{days}"
        );
    }

    let first = bayview(&world, "/v1/awards", give(10)).await.ok();
    let second = bayview(&world, "/v1/awards", give(20)).await.ok();
    assert_ne!(first["usable_from"], second["usable_from"]);
    assert_eq!(state(&world, &member).await, [0, 0, 120, 0]);
    assert_eq!(
        redeem(&world, &member, 1).await.problem(),
        "balance-too-low"
    );
    let hold = json!({"member": member.id, "amount": hpt(1)});
    let hold = bayview(&world, "/v1/holds", hold).await;
    assert_eq!(hold.problem(), "balance-too-low");

    let body = json!({"operation": first["id"], "amount": hpt(15)});
    bayview(&world, "/v1/reversals", body).await.ok();
    assert_eq!(state(&world, &member).await, [0, 0, 105, 0]);
    world.forward(Duration::days(15)).await;
    assert_eq!(state(&world, &member).await, [45, 0, 60, 0]);
    redeem(&world, &member, 45).await.ok();
    let body = json!({"operation": second["id"]});
    bayview(&world, "/v1/reversals", body).await.ok();
    assert_eq!(state(&world, &member).await, [0, 0, 0, 0]);
    World::assert_right(&world.verify().await);
}
