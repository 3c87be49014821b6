//! Bonuses and fees of a card: what the member gets and pays, who pays for it, and how it is undone.
//!
//! 4 MILE become a STAR. The card gives a STAR more for each whole 1,000 MILE, which AERO pays for; 20 %
//! of the base, of which AERO pays a third and CITYMART the rest; 10 %, which CITYMART pays for itself.

use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, card};

pub fn terms() -> Value {
    json!({
        "kind": "ratio", "give": 4, "get": 1, "min": 100,
        "block_bonus": {"block": 1000, "bonus": 1, "mode": "per_block"},
        "bonuses": [{"kind": "percent", "num": 1, "den": 5}, {"kind": "percent", "num": 1, "den": 10}],
        "fee": {"kind": "per_step", "amount": 150, "step": 5000, "currency": "USD"},
    })
}

pub fn settlement(fee_to: &str) -> Value {
    json!({
        "kind": "cost_plus", "price": "0.100000", "commission": "0.025",
        "bonus_funders": [{"source": 1}, {"source": 1, "target": 2}, {"target": 1}],
        "fee_to": fee_to,
    })
}

async fn with_card(fee_to: &str) -> (World, Member) {
    let world = World::new().await;
    world
        .publish(card("MILE", "STAR", terms(), settlement(fee_to)))
        .await
        .ok();
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;
    (world, member)
}

/// Debits less credits of an account, in millionths.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

async fn reverse(world: &World, conversion: &Value, amount: &str) -> Answer {
    let amount = json!({"amount": amount, "currency": "MILE"});
    let body = json!({"operation": conversion["id"], "amount": amount});
    world
        .post(&world.token("AERO").await, "/v1/reversals", body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bonus_is_counted_on_the_base_and_paid_for_by_its_funders() {
    let (world, member) = with_card("partner").await;
    let aero = world.token("AERO").await;
    let gives = json!({"amount": "10010", "currency": "MILE"});
    let wish = json!({"member": member.id, "gives": gives, "to": "STAR"});
    let quote = world.post(&aero, "/v1/quotes", wish).await.ok();
    // floor(2502.5); 10 blocks; floor(500.4); floor(250.2).
    assert_eq!(quote["base"]["amount"], "2502");
    let bonuses: Vec<&str> = quote["bonuses"]
        .as_array()
        .expect("bonuses")
        .iter()
        .map(|bonus| bonus["amount"].as_str().expect("an amount"))
        .collect();
    assert_eq!(bonuses, ["10", "500", "250"]);
    assert_eq!(quote["gains"]["amount"], "3262");
    assert_eq!(
        quote["fee"],
        json!({"amount": "4.500000", "currency": "USD"})
    );
    let said = quote["sentence"]["en"].as_str().expect("a sentence");
    assert!(
        said.contains("3,262 STAR, 760 STAR of them a bonus, at once"),
        "{said}"
    );
    assert!(said.contains("The fee is USD 4.50."), "{said}");

    let order = json!({"quote": quote["quote"]});
    let taken = world.post(&aero, "/v1/conversions", order).await.ok();
    assert_eq!(taken["gains"], quote["gains"]);
    assert_eq!(taken["fee"], quote["fee"]);
    // AERO pays for 10 and for 167 of the 500: 17.7 HKD at 7.8.
    assert_eq!(quote["cost"]["bonuses"]["amount"], "2.269231");
    assert_eq!(taken["cost"]["bonuses"], quote["cost"]["bonuses"]);
    let amounts: Vec<&Value> = taken["bonuses"]
        .as_array()
        .expect("bonuses")
        .iter()
        .map(|bonus| &bonus["amount"]["amount"])
        .collect();
    assert_eq!(amounts, ["10", "167", "333", "250"]);
    assert!(taken["bonuses"][2]["cost"].is_null(), "CITYMART's own");

    assert_eq!(world.balance(&member, "STAR").await, "3262");
    assert_eq!(balance(&world, "bonus/STAR").await, 760);
    assert_eq!(balance(&world, "converted_in/STAR").await, 2502);
    assert_eq!(balance(&world, "hub/bonus_funding/HKD").await, 0);
    // CITYMART is owed the base and what AERO pays for.
    let owed = -(2502 + 177) * 100_000;
    assert_eq!(balance(&world, "position/CITYMART/HKD").await, owed);
    let citymart = world.token("CITYMART").await;
    let path = format!("/v1/conversions/{}", taken["id"].as_str().expect("an id"));
    let seen = world.get(&citymart, &path).await.ok();
    assert_eq!(seen["bonuses"][2]["cost"]["amount"], "33.300000");
    assert_eq!(seen["bonuses"][1]["value"]["amount"], "16.700000");
    assert!(seen["bonuses"][1]["cost"].is_null(), "AERO's own");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_funders_bonus_is_a_lot_of_its_own() {
    let (world, member) = with_card("partner").await;
    world.convert(&member, "10000", "MILE", "STAR").await;
    let lots = "select count(*) from lots where class > 0 and available in (177, 583)";
    assert_eq!(
        sql::number(&world.url, lots).await,
        2,
        "AERO's and CITYMART's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_with_bonuses_is_undone_in_parts_to_the_last_digit() {
    let (world, member) = with_card("hub").await;
    let conversion = world.convert(&member, "10010", "MILE", "STAR").await;
    assert_eq!(balance(&world, "hub/member_fees/USD").await, -4_500_000);
    World::assert_right(&world.verify().await);
    for part in ["1", "7", "3333", "2", "6667"] {
        reverse(&world, &conversion, part).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(world.balance(&member, "STAR").await, "0");
    assert_eq!(world.balance(&member, "MILE").await, "100000");
    for account in [
        "bonus/STAR",
        "converted_in/STAR",
        "hub/member_fees/USD",
        "hub/bonus_funding/HKD",
        "position/AERO/USD",
        "position/CITYMART/HKD",
        "hub/fx_clearing/HKD",
        "hub/fx_clearing/USD",
    ] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bonus_costs_counts_against_the_funders_cap() {
    let (world, member) = with_card("partner").await;
    let operators = crate::caps::Operators::of(&world).await;
    // 10,000 MILE are 250 HKD of base, 32.051282 USD, with 2.5 % on top, and 2.26 of bonuses.
    operators.cap(&world, "AERO", Some("33")).await;
    let aero = world.token("AERO").await;
    let quote = world.quote(&member, "10000", "MILE", "STAR").await;
    let body = json!({"quote": quote});
    let refused = world.post(&aero, "/v1/conversions", body.clone()).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    operators.cap(&world, "AERO", Some("36")).await;
    world.post(&aero, "/v1/conversions", body).await.ok();
    World::assert_right(&world.verify().await);
}
