//! What goes on with an earlier operation: it is undone in parts, and the parts are the whole.

use chrono::Duration;
use serde_json::{Value, json};

use crate::world::{Member, World};

fn points(amount: i64, currency: &str) -> Value {
    json!({"amount": amount.to_string(), "currency": currency})
}

async fn reverse(world: &World, code: &str, operation: &Value, amount: Value) -> Value {
    let body = json!({"operation": operation["id"], "amount": amount});
    world
        .post(&world.token(code).await, "/v1/reversals", body)
        .await
        .ok()
}

/// What the lots of a member's wallet hold, in their order.
async fn lots(world: &World, member: &Member, code: &str) -> Vec<String> {
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&world.token(code).await, &path).await.ok();
    let lots = wallets["items"][0]["lots"].as_array().expect("lots").iter();
    lots.map(|lot| {
        lot["amount"]["amount"]
            .as_str()
            .expect("an amount")
            .to_owned()
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_conversion_give_back_the_same_lots_and_sum_to_the_whole() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "4000", "HPT").await;
    world.forward(Duration::days(40)).await;
    world.award(&member, "6000", "HPT").await;
    let finance = world.sign_in("fiona").await;
    let conversion = world.convert(&member, "5000", "HPT", "STAR").await;
    assert_eq!(conversion["gains"]["amount"], "2281");
    assert_eq!(lots(&world, &member, "BAYVIEW").await, ["5000"]);

    // One unit of STAR covers two of HPT.
    let steps = [(1, "1"), (1, "0"), (1, "1"), (3_997, "1823"), (999, "456")];
    for (units, taken) in steps {
        let reversal = reverse(&world, "BAYVIEW", &conversion, points(units, "HPT")).await;
        assert_eq!(reversal["given_back"], points(units, "HPT"));
        match taken {
            "0" => assert_eq!(reversal["taken_back"], Value::Null),
            taken => assert_eq!(reversal["taken_back"]["amount"], taken),
        }
    }
    assert_eq!(lots(&world, &member, "BAYVIEW").await, ["4000", "5999"]);
    let bayview = world.token("BAYVIEW").await;
    let path = format!(
        "/v1/conversions/{}",
        conversion["id"].as_str().expect("an id")
    );
    let shown = world.get(&bayview, &path).await.ok();
    assert_eq!(shown["status"], "partially_reversed");
    assert_eq!(shown["reversed"], points(4_999, "HPT"));
    World::assert_right(&world.verify().await);

    let last = reverse(&world, "BAYVIEW", &conversion, Value::Null).await;
    assert_eq!(last["given_back"], points(1, "HPT"));
    assert_eq!(last["taken_back"], Value::Null);
    assert_eq!(lots(&world, &member, "BAYVIEW").await, ["4000", "6000"]);
    assert_eq!(world.balance(&member, "STAR").await, "0");
    assert_eq!(world.get(&bayview, &path).await.ok()["status"], "reversed");
    let positions = world.get(&finance, "/v1/reports/positions").await.ok();
    for position in positions["positions"].as_array().expect("positions") {
        assert_eq!(position["net"]["amount"], "0.000000", "{position}");
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_stated_in_what_the_operation_took() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let conversion = world.convert(&member, "10000", "MILE", "HPT").await;
    let aero = world.token("AERO").await;
    let body = json!({"operation": conversion["id"], "amount": points(5, "HPT")});

    let refused = world.post(&aero, "/v1/reversals", body).await;

    assert_eq!(refused.problem(), "invalid-field");
    assert_eq!(refused.body["errors"][0]["pointer"], "/amount/currency");
    World::assert_right(&world.verify().await);
}
