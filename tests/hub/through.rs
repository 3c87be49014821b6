//! Conversions through a third currency: two cards, one quote, one operation.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, card};

async fn ask(world: &World, member: &Member, wish: Value) -> Answer {
    let mut body = wish;
    body["member"] = json!(member.id);
    world
        .post(&world.token("AERO").await, "/v1/quotes", body)
        .await
}

/// Miles into stars by way of hotel points.
async fn by_hotel(world: &World, member: &Member, miles: &str) -> Answer {
    let gives = json!({"amount": miles, "currency": "MILE"});
    let wish = json!({"gives": gives, "to": "STAR", "through": "HPT"});
    ask(world, member, wish).await
}

async fn take(world: &World, quote: &Value) -> Answer {
    let body = json!({"quote": quote["quote"]});
    world
        .post(&world.token("AERO").await, "/v1/conversions", body)
        .await
}

async fn read(world: &World, partner: &str, conversion: &Value) -> Answer {
    let id = conversion["id"].as_str().expect("an id");
    let token = world.token(partner).await;
    world.get(&token, &format!("/v1/conversions/{id}")).await
}

/// Debits less credits of an account, in smallest units or millionths.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

const POSITIONS: [&str; 5] = [
    "position/AERO/USD",
    "position/BAYVIEW/USD",
    "position/CITYMART/HKD",
    "hub/commission/USD",
    "hub/fx_clearing/HKD",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_conversion_gives_and_owes_what_two_in_a_row_would() {
    let (two, one) = (World::new().await, World::new().await);
    let member = two.member().await;
    two.award(&member, "20000", "MILE").await;
    let first = two.convert(&member, "20000", "MILE", "HPT").await;
    let between = first["gains"]["amount"].as_str().expect("an amount");
    let second = two.convert(&member, between, "HPT", "STAR").await;

    let member = one.member().await;
    one.award(&member, "20000", "MILE").await;
    let quote = by_hotel(&one, &member, "20000").await.ok();
    let taken = take(&one, &quote).await.ok();
    for told in [&quote, &taken] {
        assert_eq!(told["gives"], first["gives"]);
        assert_eq!(told["gains"], second["gains"]);
        assert_eq!(told["legs"][0]["gains"], first["gains"]);
        assert_eq!(told["legs"][1]["gives"], first["gains"]);
        assert_eq!(told["legs"][1]["gains"], second["gains"]);
        assert_eq!(told["cost"]["gross"], first["cost"]["gross"]);
    }
    let said = quote["sentence"]["en"].as_str().expect("a sentence");
    assert!(
        said.starts_with("20,000 MILE become, through HPT, "),
        "{said}"
    );
    assert!(quote["worth"]["difference"].is_i64(), "{quote}");

    assert_eq!(one.balance(&member, "MILE").await, "0");
    assert_eq!(one.balance(&member, "HPT").await, "0");
    assert_eq!(
        one.balance(&member, "STAR").await,
        second["gains"]["amount"]
    );
    for account in POSITIONS.into_iter().chain([
        "converted_in/HPT",
        "converted_out/HPT",
        "converted_out/MILE",
        "converted_in/STAR",
    ]) {
        assert_ne!(balance(&one, account).await, 0, "{account}");
        let both = (balance(&one, account).await, balance(&two, account).await);
        assert_eq!(both.0, both.1, "{account}");
    }
    World::assert_right(&one.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_three_brands_sees_it_with_its_own_money() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let quote = by_hotel(&world, &member, "10000").await.ok();
    let taken = take(&world, &quote).await.ok();
    let [aero, bayview, citymart] =
        ["AERO", "BAYVIEW", "CITYMART"].map(|partner| read(&world, partner, &taken));
    let (aero, bayview, citymart) = (aero.await.ok(), bayview.await.ok(), citymart.await.ok());
    assert_eq!(aero, taken);
    let sees = |seen: &Value| {
        let of = |leg: usize, name: &str| !seen["legs"][leg][name].is_null();
        [
            !seen["cost"].is_null(),
            of(0, "cost"),
            of(0, "value"),
            of(1, "cost"),
            of(1, "value"),
            !seen["value"].is_null(),
        ]
    };
    assert_eq!(sees(&aero), [true, true, false, false, false, false]);
    assert_eq!(sees(&bayview), [false, false, true, true, false, false]);
    assert_eq!(sees(&citymart), [false, false, false, false, true, true]);
    assert_eq!(read(&world, "KWUN", &taken).await.problem(), "not-found");

    world.seal().await;
    for (partner, expected) in [("BAYVIEW", 1), ("CITYMART", 1), ("KWUN", 0)] {
        let events = world
            .get(&world.token(partner).await, "/v1/events?limit=200")
            .await;
        let events = events.ok();
        let items = events["items"].as_array().expect("items").iter();
        let of = items.filter(|event| event["type"] == "conversion.completed");
        assert_eq!(of.count(), expected, "{partner}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bonuses_and_the_fee_on_the_way_are_posted_and_undone_to_the_last_digit() {
    let world = World::new().await;
    let mut terms = crate::bonuses::terms();
    terms["get"] = json!(3);
    let settlement = json!({
        "kind": "cost_plus", "price": "0.007", "commission": "0.025", "fee_to": "hub",
        "bonus_funders": [{"source": 1}, {"source": 1, "target": 2}, {"target": 1}],
    });
    let mut first = card("MILE", "HPT", terms, settlement);
    first["priority"] = json!(5);
    world.publish(first).await.ok();
    let settlement = json!({
        "kind": "cost_plus", "price": "0.1", "commission": "0.01",
        "bonus_funders": [{"source": 2, "target": 1}],
    });
    let bonus = json!([{"kind": "percent", "num": 1, "den": 7}]);
    let terms = json!({"kind": "ratio", "give": 3, "get": 1, "bonuses": bonus});
    let mut second = card("HPT", "STAR", terms, settlement);
    second["priority"] = json!(5);
    world.publish(second).await.ok();

    let member = world.member().await;
    world.award(&member, "10010", "MILE").await;
    let quote = by_hotel(&world, &member, "10010").await.ok();
    // 7,507 and 10, 1,501 and 750 of bonuses; a third of that, and a seventh on top.
    assert_eq!(quote["legs"][0]["gains"]["amount"], "9768");
    assert_eq!(quote["legs"][1]["gives"]["amount"], "9768");
    assert_eq!(quote["gains"]["amount"], "3721");
    assert_eq!(quote["base"]["amount"], "3256");
    assert_eq!(quote["bonuses"][0]["amount"], "465");
    assert_eq!(quote["fee"]["amount"], "4.500000");
    let taken = take(&world, &quote).await.ok();
    assert_eq!(taken["gains"], quote["gains"]);
    assert_eq!(taken["fee"], quote["fee"]);
    assert_eq!(taken["cost"], quote["cost"]);
    assert!(taken["card"].is_null(), "two decided");
    let units = |of: &Value| -> Vec<String> {
        let bonuses = of["bonuses"].as_array().expect("bonuses").iter();
        let amount = |bonus: &Value| bonus["amount"]["amount"].as_str().map(str::to_owned);
        bonuses.filter_map(amount).collect()
    };
    assert_eq!(units(&taken["legs"][0]), ["10", "500", "1001", "750"]);
    assert_eq!(units(&taken), ["310", "155"]);
    assert_eq!(balance(&world, "bonus/HPT").await, 2_261);
    assert_eq!(balance(&world, "bonus/STAR").await, 465);
    World::assert_right(&world.verify().await);

    for part in ["1", "7", "3333", "2", "6667"] {
        let amount = json!({"amount": part, "currency": "MILE"});
        let body = json!({"operation": taken["id"], "amount": amount});
        let aero = world.token("AERO").await;
        world.post(&aero, "/v1/reversals", body).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(world.balance(&member, "MILE").await, "10010");
    assert_eq!(world.balance(&member, "STAR").await, "0");
    for account in POSITIONS.into_iter().chain([
        "bonus/HPT",
        "bonus/STAR",
        "converted_in/HPT",
        "converted_out/HPT",
        "hub/member_fees/USD",
        "hub/bonus_funding/USD",
    ]) {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_the_second_card_does_not_take_is_told_what_is() {
    let world = World::new().await;
    let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
    let terms = json!({"kind": "ratio", "give": 10, "get": 1, "min": 30000, "step": 15000});
    let mut second = card("HPT", "STAR", terms, settlement.clone());
    second["priority"] = json!(5);
    world.publish(second).await.ok();
    let terms = json!({"kind": "ratio", "give": 2, "get": 3, "step": 2});
    let mut first = card("MILE", "HPT", terms, settlement);
    first["priority"] = json!(5);
    world.publish(first).await.ok();
    let member = world.member().await;

    let refused = by_hotel(&world, &member, "10000").await;
    assert_eq!(refused.problem(), "amount-below-minimum");
    assert_eq!(refused.body["minimum"]["amount"], "20000");
    let refused = by_hotel(&world, &member, "25000").await;
    assert_eq!(refused.problem(), "amount-off-step");
    assert_eq!(refused.body["next_down"]["amount"], "20000");
    assert_eq!(refused.body["next_up"]["amount"], "30000");
    let quote = by_hotel(&world, &member, "30000").await.ok();
    assert_eq!(quote["gains"]["amount"], "4500");

    let gains = json!({"amount": "3001", "currency": "STAR"});
    let wish = json!({"gains": gains, "from": "MILE", "through": "HPT"});
    let quote = ask(&world, &member, wish).await.ok();
    assert_eq!(quote["gives"]["amount"], "30000");
    assert_eq!(
        take(&world, &quote).await.problem(),
        "balance-too-low",
        "nothing was held"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_that_do_not_join_are_not_passed_through() {
    let world = World::new().await;
    let member = world.member().await;
    let gives = json!({"amount": "10000", "currency": "MILE"});
    for (through, pointer) in [
        ("MILE", "/through"),
        ("STAR", "/through"),
        ("NONE", "/through"),
    ] {
        let wish = json!({"gives": gives, "to": "STAR", "through": through});
        let refused = ask(&world, &member, wish).await;
        assert_eq!(refused.problem(), "invalid-field");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    let wish = json!({"gives": gives, "to": "STAR", "through": "LEAF"});
    assert_eq!(ask(&world, &member, wish).await.problem(), "no-rate-card");

    let settlement = json!({"kind": "cost_plus", "price": "0.007", "commission": "0"});
    let terms = json!({"kind": "ratio", "give": 2, "get": 1, "onward": {"after_days": 21}});
    let mut first = card("MILE", "HPT", terms, settlement);
    first["priority"] = json!(5);
    world.publish(first).await.ok();
    let refused = by_hotel(&world, &member, "10000").await;
    assert_eq!(refused.problem(), "no-through-route");
    assert!(refused.body["card"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_through_a_third_currency_is_taken_once_over_two_hubs() {
    let world = World::new().await;
    let other = world.second().await;
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;
    let quote = by_hotel(&world, &member, "10000").await.ok();
    let hubs = [&world, &other];
    let answers = join_all((0..16).map(|nth| take(hubs[nth % 2], &quote))).await;
    let taken = answers.iter().filter(|it| it.status.is_success()).count();
    assert_eq!(taken, 1);
    let refused = answers.iter().filter(|it| !it.status.is_success());
    assert!(refused.into_iter().all(|it| it.problem() == "quote-taken"));
    assert_eq!(world.balance(&member, "MILE").await, "90000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_first_card_count_what_goes_through() {
    let world = World::new().await;
    let settlement = json!({"kind": "cost_plus", "price": "0.007", "commission": "0"});
    let allowances = json!([{"period": "day", "given": 15000}]);
    let terms = json!({"kind": "ratio", "give": 1, "get": 1, "allowances": allowances});
    let mut first = card("MILE", "HPT", terms, settlement);
    first["priority"] = json!(5);
    world.publish(first).await.ok();
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;
    let quotes = [
        by_hotel(&world, &member, "9000").await.ok(),
        by_hotel(&world, &member, "9000").await.ok(),
    ];
    assert_eq!(quotes[0]["limits"][0]["left"]["amount"], "15000");
    let taken = take(&world, &quotes[0]).await.ok();
    assert_eq!(take(&world, &quotes[1]).await.problem(), "limit-reached");
    assert_eq!(
        by_hotel(&world, &member, "6001").await.problem(),
        "limit-reached"
    );
    by_hotel(&world, &member, "6000").await.ok();
    for part in [json!({"amount": "1234", "currency": "MILE"}), Value::Null] {
        let body = json!({"operation": taken["id"], "amount": part});
        world
            .post(&world.token("AERO").await, "/v1/reversals", body)
            .await
            .ok();
        World::assert_right(&world.verify().await);
    }
    take(&world, &quotes[1]).await.ok();
    World::assert_right(&world.verify().await);
}

/// What a wallet in miles could become, by where and by way of what.
pub async fn options(world: &World, member: &Member) -> Vec<Value> {
    let aero = world.token("AERO").await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&aero, &path).await.ok();
    let mut wallets = wallets["items"].as_array().expect("wallets").iter();
    let wallet = wallets.find(|it| it["currency"] == "MILE").expect("miles");
    let wallet = wallet["id"].as_str().expect("an id");
    let path = format!("/v1/conversions/options?wallet={wallet}");
    let options = world.get(&aero, &path).await.ok();
    options["items"].as_array().expect("items").clone()
}

pub fn option<'a>(options: &'a [Value], to: &str, through: Option<&str>) -> Option<&'a Value> {
    let mut options = options.iter();
    options.find(|it| it["to"] == to && it["through"].as_str() == through)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_sees_the_best_way_to_where_no_card_goes_and_where_one_gives_less() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "25000", "MILE").await;
    let seen = options(&world, &member).await;
    let by_hotel = option(&seen, "STAR", Some("HPT")).expect("a way");
    assert!(option(&seen, "STAR", None).is_none(), "no card goes there");
    assert!(
        option(&seen, "MILE", Some("HPT")).is_none(),
        "nobody turns back"
    );
    assert_eq!(by_hotel["gives"]["amount"], "20000");
    let differences = seen.iter().map(|it| it["worth"]["difference"].as_i64());
    assert!(
        differences.is_sorted_by(|one, next| one >= next),
        "{seen:?}"
    );
    let wish = json!({"gives": by_hotel["gives"], "to": "STAR", "through": "HPT"});
    let quote = ask(&world, &member, wish).await.ok();
    for name in ["gains", "worth", "arrives", "limits", "card"] {
        assert_eq!(quote[name], by_hotel[name], "{name}");
    }
    for leg in [0, 1] {
        for name in ["card", "gives", "gains"] {
            assert_eq!(quote["legs"][leg][name], by_hotel["legs"][leg][name]);
        }
    }

    let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
    for (get, is_told) in [(277, true), (279, false)] {
        // By way of the hotel 20,000 miles become 11,120 stars: 278 for 500.
        let terms = json!({"kind": "ratio", "give": 500, "get": get});
        let direct = card("MILE", "STAR", terms, settlement.clone());
        world.publish(direct).await.ok();
        let seen = options(&world, &member).await;
        assert!(option(&seen, "STAR", None).is_some(), "{seen:?}");
        assert_eq!(option(&seen, "STAR", Some("HPT")).is_some(), is_told);
    }

    let poor = world.member().await;
    let seen = options(&world, &poor).await;
    let by_hotel = option(&seen, "GIVE", Some("HPT"));
    assert!(
        by_hotel.is_none(),
        "two cards are no more than two: {seen:?}"
    );
}
