//! What a quote is asked by: either side of it, and what it says of the other.

use serde_json::{Value, json};

use crate::world::{Answer, Member, World, issuer};

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

/// The options of a member's wallet.
async fn options(world: &World, member: &Member, currency: &str) -> Value {
    let token = world.token(issuer(currency)).await;
    let wallets = world
        .get(&token, &format!("/v1/members/{}/wallets", member.id))
        .await
        .ok();
    let wallets = wallets["items"].as_array().expect("wallets").clone();
    let wallet = wallets
        .iter()
        .find(|wallet| wallet["currency"] == currency)
        .expect("a wallet");
    let path = format!(
        "/v1/conversions/options?wallet={}",
        wallet["id"].as_str().expect("an id")
    );
    world.get(&token, &path).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_sees_everywhere_it_could_go_and_gets_what_it_saw() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "25000", "MILE").await;

    let seen = options(&world, &member, "MILE").await;
    assert_eq!(seen["available"]["amount"], "25000");
    let items = seen["items"].as_array().expect("items");
    assert!(items.len() > 1, "{seen}");
    let differences: Vec<Option<i64>> = items
        .iter()
        .map(|it| it["worth"]["difference"].as_i64())
        .collect();
    assert!(
        differences.is_sorted_by(|one, next| one >= next),
        "best first: {differences:?}"
    );
    let to_hotel = items
        .iter()
        .find(|it| it["to"] == "HPT" && it["through"].is_null())
        .expect("a card");
    let expected = json!({"gives": {"amount": "20000", "currency": "MILE"}, "gains": {"amount": "24375", "currency": "HPT"},
        "rate": "1.218750", "missing": null, "arrives": "at_once"});
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&to_hotel[name], value, "{name}");
    }
    let wish = json!({"gives": to_hotel["gives"], "to": "HPT"});
    let quote = ask(&world, &member, wish).await.ok();
    assert_eq!(
        (&quote["gains"], &quote["worth"]),
        (&to_hotel["gains"], &to_hotel["worth"])
    );

    let poor = world.member().await;
    world.award(&poor, "400", "MILE").await;
    let seen = options(&world, &poor, "MILE").await;
    let items = seen["items"].as_array().expect("items");
    let to_hotel = items
        .iter()
        .find(|it| it["to"] == "HPT" && it["through"].is_null())
        .expect("a card");
    assert_eq!(to_hotel["gives"]["amount"], "10000", "the least there is");
    assert_eq!(to_hotel["missing"]["amount"], "9600");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_of_anothers_wallet_are_not_told() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "400", "MILE").await;
    let wallets = world
        .get(
            &world.token("AERO").await,
            &format!("/v1/members/{}/wallets", member.id),
        )
        .await
        .ok();
    let wallet = wallets["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let bayview = world.token("BAYVIEW").await;
    for wallet in [wallet.as_str(), "wal_0000000000000000", "x"] {
        let path = format!("/v1/conversions/options?wallet={wallet}");
        assert_eq!(
            world.get(&bayview, &path).await.problem(),
            "not-found",
            "{wallet}"
        );
    }
}
