//! What a quote is asked by: either side of it, and what it says of the other.

use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

async fn ask(world: &World, member: &Member, wish: Value) -> Answer {
    let mut body = wish;
    body["member"] = json!(member.id);
    world
        .post(&world.token("AERO").await, "/v1/quotes", body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_get_so_much_is_told_the_least_to_give() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;

    let gains = json!({"amount": "20000", "currency": "HPT"});
    let quote = ask(&world, &member, json!({"gains": gains, "from": "MILE"}));
    let quote = quote.await.ok();
    // The card takes miles by ten thousand; ten thousand become 12,187.
    assert_eq!(quote["gives"]["amount"], "20000");
    assert_eq!(quote["gains"]["amount"], "24375");

    let aero = world.token("AERO").await;
    let order = json!({"quote": quote["quote"]});
    let taken = world.post(&aero, "/v1/conversions", order).await.ok();
    assert_eq!(taken["gains"], quote["gains"]);
    assert_eq!(world.balance(&member, "MILE").await, "80000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_fixes_one_side() {
    let world = World::new().await;
    let member = world.member().await;
    let (miles, points) = (
        json!({"amount": "10000", "currency": "MILE"}),
        json!({"amount": "1", "currency": "HPT"}),
    );
    let cases = [
        (json!({}), "/gives"),
        (json!({"to": "HPT"}), "/gives"),
        (json!({"gives": miles}), "/to"),
        (json!({"gains": points}), "/from"),
        (json!({"gains": points, "to": "MILE"}), "/from"),
        (
            json!({"gives": miles, "to": "HPT", "from": "MILE"}),
            "/from",
        ),
        (
            json!({"gives": miles, "to": "HPT", "gains": points}),
            "/gains",
        ),
        (json!({"gains": points, "from": "MILE", "to": "HPT"}), "/to"),
        (json!({"gains": points, "from": "NONE"}), "/from"),
        (
            json!({"gains": {"amount": "0", "currency": "HPT"}, "from": "MILE"}),
            "/gains/amount",
        ),
        (json!({"gains": [1, "HPT"], "from": "MILE"}), "/gains"),
    ];
    for (wish, pointer) in cases {
        let answer = ask(&world, &member, wish.clone()).await;
        assert_eq!(answer.problem(), "invalid-field", "{wish}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{wish}");
    }
    let far = json!({"gains": {"amount": "999999999999999", "currency": "HPT"}, "from": "MILE"});
    assert_eq!(
        ask(&world, &member, far).await.problem(),
        "amount-above-maximum"
    );
}
