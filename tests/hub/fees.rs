//! Fees of a card: once for a period, also under fire, and in points on either side; what is undone goes
//! back to the last digit.

use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, card, issuer};

/// 4 MILE become a STAR, with a fee and more terms.
fn mile_to_star(fee: &Value, more: Value) -> Value {
    let mut terms = json!({"kind": "ratio", "give": 4, "get": 1, "min": 100, "fee": fee});
    let more = more.as_object().expect("terms").clone();
    terms.as_object_mut().expect("terms").extend(more);
    let mut settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
    if terms.get("bonuses").is_some() {
        settlement["bonus_funders"] = json!([{"source": 1}]);
    }
    if fee["currency"] == "USD" {
        settlement["fee_to"] = json!("hub");
    }
    card("MILE", "STAR", terms, settlement)
}

async fn under(fee: Value, more: Value) -> (World, Member) {
    let world = World::new().await;
    world.publish(mile_to_star(&fee, more)).await.ok();
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;
    (world, member)
}

/// 50 dollars, which cover a calendar year.
fn by_the_year() -> Value {
    json!({"kind": "flat", "amount": 5000, "currency": "USD", "covers": {"period": "year"}})
}

async fn ask(world: &World, member: &Member, wish: Value) -> Answer {
    let mut body = json!({"member": member.id});
    let wish = wish.as_object().expect("a wish").clone();
    body.as_object_mut().expect("a body").extend(wish);
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/quotes", body).await
}

fn giving(amount: &str) -> Value {
    json!({"gives": {"amount": amount, "currency": "MILE"}, "to": "STAR"})
}

async fn take(world: &World, quote: &str) -> Answer {
    let aero = world.token("AERO").await;
    world
        .post(&aero, "/v1/conversions", json!({"quote": quote}))
        .await
}

async fn reverse(world: &World, conversion: &Value, amount: Option<&str>) -> Answer {
    let amount = amount.map(|amount| json!({"amount": amount, "currency": "MILE"}));
    let body = json!({"operation": conversion["id"], "amount": amount});
    world
        .post(&world.token("AERO").await, "/v1/reversals", body)
        .await
}

/// Debits less credits of an account.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

async fn to_star(world: &World, member: &Member) -> Value {
    let aero = world.token(issuer("MILE")).await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&aero, &path).await.ok();
    let mut wallets = wallets["items"].as_array().expect("wallets").iter();
    let wallet = wallets.find(|wallet| wallet["currency"] == "MILE");
    let wallet = wallet.expect("a wallet")["id"].as_str().expect("an id");
    let path = format!("/v1/conversions/options?wallet={wallet}");
    let options = world.get(&aero, &path).await.ok();
    let mut options = options["items"].as_array().expect("options").iter();
    let option = options.find(|option| option["to"] == "STAR" && option["through"].is_null());
    option.expect("an option").clone()
}

const FIFTY: i64 = -50_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_paid_once_in_its_period() {
    let (world, member) = under(by_the_year(), json!({})).await;
    let first = ask(&world, &member, giving("400")).await.ok();
    let fifty = json!({"amount": "50.000000", "currency": "USD"});
    assert_eq!(first["fee"], fifty);
    assert_eq!(first["fee_covers"]["within"], "a calendar year");
    assert_eq!(first["fee_covers"]["is_paid"], false);
    let until = first["fee_covers"]["until"].clone();
    assert!(until.is_string(), "{until}");
    let said = first["sentence"]["en"].as_str().expect("a sentence");
    assert!(
        said.contains("The fee is USD 50.00; what you convert until "),
        "{said}"
    );
    let paid = world.convert(&member, "400", "MILE", "STAR").await;
    assert_eq!(paid["fee"], fifty);

    let second = ask(&world, &member, giving("400")).await.ok();
    let covers = json!({"within": "a calendar year", "is_paid": true, "until": until});
    assert_eq!(
        (&second["fee"], &second["fee_covers"]),
        (&json!(null), &covers)
    );
    let said = second["sentence"]["zh-Hant"].as_str().expect("a sentence");
    assert!(said.contains("手續費已付，至 "), "{said}");
    let free = world.convert(&member, "400", "MILE", "STAR").await;
    assert_eq!(
        (&free["fee"], &free["gains"]),
        (&json!(null), &paid["gains"])
    );
    // What was issued with the fee does not charge it again.
    let late = take(&world, first["quote"].as_str().expect("a token"))
        .await
        .ok();
    assert!(late["fee"].is_null());
    assert_eq!(balance(&world, "hub/member_fees/USD").await, FIFTY);

    let other = world.member().await;
    world.award(&other, "1000", "MILE").await;
    world.convert(&other, "400", "MILE", "STAR").await;
    assert_eq!(balance(&world, "hub/member_fees/USD").await, 2 * FIFTY);
    world.forward(Duration::days(366)).await;
    assert_eq!(
        world.convert(&member, "400", "MILE", "STAR").await["fee"],
        fifty
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_undone_frees_the_period_and_a_quote_keeps_its_word() {
    let (world, member) = under(by_the_year(), json!({})).await;
    let paid = world.convert(&member, "1000", "MILE", "STAR").await;
    reverse(&world, &paid, Some("400")).await.ok();
    let covered = ask(&world, &member, giving("400")).await.ok();
    assert_eq!(covered["fee_covers"]["is_paid"], true, "a part is undone");
    reverse(&world, &paid, None).await.ok();
    assert_eq!(balance(&world, "hub/member_fees/USD").await, 0);

    let kept = take(&world, covered["quote"].as_str().expect("a token")).await;
    assert!(kept.ok()["fee"].is_null(), "it was promised");
    let again = ask(&world, &member, giving("400")).await.ok();
    assert_eq!(again["fee_covers"]["is_paid"], false);
    let again = world.convert(&member, "400", "MILE", "STAR").await;
    assert_eq!(again["fee"]["amount"], "50.000000");
    assert_eq!(balance(&world, "hub/member_fees/USD").await, FIFTY);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_that_is_paid_stays_so_when_its_period_ends() {
    let mut fee = by_the_year();
    fee["covers"] = json!({"hours": 1});
    let (world, member) = under(fee, json!({})).await;
    world.convert(&member, "400", "MILE", "STAR").await;
    world.forward(Duration::minutes(58)).await;
    let open = world.quote(&member, "400", "MILE", "STAR").await;
    world.forward(Duration::minutes(5)).await;
    assert!(take(&world, &open).await.ok()["fee"].is_null());
    let due = world.convert(&member, "400", "MILE", "STAR").await;
    assert_eq!(due["fee"]["amount"], "50.000000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_on_two_hubs_pay_one_fee() {
    let points =
        json!({"kind": "flat", "amount": 10, "currency": "gained", "covers": {"months": 12}});
    for fee in [by_the_year(), points] {
        let (world, member) = under(fee, json!({})).await;
        let second = world.second().await;
        let quotes: Vec<String> =
            join_all((0..64).map(|_| world.quote(&member, "200", "MILE", "STAR"))).await;
        let hubs = [&world, &second];
        let taken = quotes.iter().zip(hubs.iter().cycle());
        let answers = join_all(taken.map(|(quote, hub)| take(hub, quote))).await;
        let taken: Vec<Value> = answers.into_iter().map(Answer::ok).collect();
        let paid = |it: &&Value| !it["fee"].is_null() || !it["fee_points"].is_null();
        assert_eq!(taken.iter().filter(paid).count(), 1);
        let points = balance(&world, "fees/STAR").await;
        let money = balance(&world, "hub/member_fees/USD").await;
        assert!([(0, FIFTY), (-10, 0)].contains(&(points, money)));
        // 64 times 50, whatever their quotes said, less what one paid.
        let stars = (3_200 + points).to_string();
        assert_eq!(world.balance(&member, "STAR").await, stars);
        World::assert_right(&world.verify().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_of_a_group_share_what_was_paid_and_others_do_not() {
    let mut fee = by_the_year();
    fee["covers"]["group"] = json!("auto");
    let (world, member) = under(fee.clone(), json!({})).await;
    let terms = json!({"kind": "ratio", "give": 1, "get": 1, "fee": fee});
    let settlement =
        json!({"kind": "cost_plus", "price": "0.008", "commission": "0", "fee_to": "hub"});
    let to_hpt = card("MILE", "HPT", terms, settlement);
    world.publish(to_hpt.clone()).await.ok();
    world.convert(&member, "400", "MILE", "STAR").await;
    let shared = world.convert(&member, "400", "MILE", "HPT").await;
    assert!(shared["fee"].is_null());

    let mut alone = to_hpt;
    alone["terms"]["fee"]["covers"] = json!({"period": "year"});
    world.publish(alone).await.ok();
    let due = world.convert(&member, "400", "MILE", "HPT").await;
    assert_eq!(due["fee"]["amount"], "50.000000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_in_points_given_is_taken_on_top() {
    let fee = json!({"kind": "per_unit", "num": 1, "den": 50, "minimum": 30, "currency": "given"});
    let limit = json!({"allowances": [{"period": "year", "given": 60000}]});
    let (world, member) = under(fee, limit).await;
    let quote = ask(&world, &member, giving("10010")).await.ok();
    assert_eq!(quote["gives"]["amount"], "10211");
    assert_eq!(
        quote["fee_points"],
        json!({"amount": "201", "currency": "MILE"})
    );
    assert_eq!(quote["gains"]["amount"], "2502");
    assert!(quote["fee"].is_null());
    let said = quote["sentence"]["en"].as_str().expect("a sentence");
    assert!(
        said.starts_with("10,010 MILE become 2,502 STAR at once.")
            && said.contains("The fee is 201 MILE on top, 10,211 MILE in all."),
        "{said}"
    );
    let taken = take(&world, quote["quote"].as_str().expect("a token"))
        .await
        .ok();
    for field in ["gives", "gains", "fee", "fee_points"] {
        assert_eq!(taken[field], quote[field], "{field}");
    }
    assert_eq!(world.balance(&member, "MILE").await, "89789");
    assert_eq!(balance(&world, "fees/MILE").await, -201);
    assert_eq!(balance(&world, "converted_out/MILE").await, -10_010);

    // What is on top counts against the limit too: 60,000 less 10,211 are 48,812 and 977.
    let option = to_star(&world, &member).await;
    assert_eq!(option["gives"]["amount"], "49789");
    assert_eq!(option["fee_points"]["amount"], "977");
    let most = ask(&world, &member, giving("48813")).await;
    assert_eq!(most.problem(), "limit-reached");

    for part in ["1", "7", "3333", "2", "6868"] {
        reverse(&world, &taken, Some(part)).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(world.balance(&member, "MILE").await, "100000");
    assert_eq!(world.balance(&member, "STAR").await, "0");
    for account in ["fees/MILE", "converted_out/MILE", "converted_in/STAR"] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
    world.convert(&member, "58823", "MILE", "STAR").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_needs_the_fee_as_well() {
    let fee = json!({"kind": "flat", "amount": 500, "currency": "given"});
    let (world, member) = under(fee, json!({"keep": 1000})).await;
    let quote = world.quote(&member, "98501", "MILE", "STAR").await;
    let refused = take(&world, &quote).await;
    assert_eq!(refused.problem(), "balance-too-low");
    assert_eq!(refused.body["held"]["amount"], "99000");
    assert_eq!(refused.body["needed"]["amount"], "99001");
    let option = to_star(&world, &member).await;
    assert_eq!(option["gives"]["amount"], "99000");
    assert!(option["missing"].is_null());
    world.convert(&member, "98500", "MILE", "STAR").await;
    let option = to_star(&world, &member).await;
    assert_eq!(option["gives"]["amount"], "600");
    assert_eq!(option["missing"]["amount"], "600");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_in_points_gained_is_taken_off() {
    let fee = json!({"kind": "flat", "amount": 70, "currency": "gained"});
    let bonuses = json!({"bonuses": [{"kind": "percent", "num": 1, "den": 5}]});
    let (world, member) = under(fee, bonuses).await;
    let wish = json!({"from": "MILE", "gains": {"amount": "3000", "currency": "STAR"}});
    let quote = ask(&world, &member, wish).await.ok();
    // 2,559 and 511 of a bonus, less 70.
    assert_eq!(quote["gives"]["amount"], "10236");
    assert_eq!(quote["base"]["amount"], "2559");
    assert_eq!(quote["gains"]["amount"], "3000");
    assert_eq!(
        quote["fee_points"],
        json!({"amount": "70", "currency": "STAR"})
    );
    let taken = take(&world, quote["quote"].as_str().expect("a token"))
        .await
        .ok();
    assert_eq!(taken["gains"], quote["gains"]);
    assert_eq!(taken["fee_points"], quote["fee_points"]);
    assert_eq!(world.balance(&member, "STAR").await, "3000");
    assert_eq!(balance(&world, "fees/STAR").await, -70);
    assert_eq!(balance(&world, "converted_in/STAR").await, 2_559);
    assert_eq!(balance(&world, "bonus/STAR").await, 511);
    // The base has to be more than the fee.
    let low = ask(&world, &member, giving("283")).await;
    assert_eq!(low.problem(), "amount-below-minimum");
    assert_eq!(low.body["minimum"]["amount"], "284");

    for part in ["1", "7", "3333", "2", "6893"] {
        reverse(&world, &taken, Some(part)).await.ok();
        World::assert_right(&world.verify().await);
    }
    assert_eq!(world.balance(&member, "STAR").await, "0");
    for account in [
        "fees/STAR",
        "converted_in/STAR",
        "bonus/STAR",
        "position/AERO/USD",
        "position/CITYMART/HKD",
    ] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_in_points_closes_a_circle_and_one_that_covers_a_period_does_not() {
    // 7 STAR become 5 MILE at best: 7 to 5 back would break even.
    let back = |fee: Value| {
        let terms = json!({"kind": "ratio", "give": 25, "get": 42, "fee": fee});
        let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
        card("MILE", "STAR", terms, settlement)
    };
    let sixth = json!({"kind": "per_unit", "num": 1, "den": 6, "currency": "gained"});
    let less = json!({"kind": "per_unit", "num": 1, "den": 7, "currency": "gained"});
    let fifth = json!({"kind": "per_unit", "num": 1, "den": 5, "currency": "given"});
    let dollars = json!({"kind": "per_unit", "num": 1, "den": 1, "currency": "USD"});
    let year = json!({"kind": "flat", "amount": 1_000_000, "currency": "gained", "covers": {"period": "year"}});
    for (fee, is_closed) in [
        (less, false),
        (dollars, false),
        (year, false),
        (sixth, true),
        (fifth, true),
    ] {
        let world = World::new().await;
        let answer = world.publish(back(fee.clone())).await;
        match is_closed {
            true => drop(answer.ok()),
            false => assert_eq!(answer.problem(), "money-pump", "{fee}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_waived_for_some_by_a_card_of_theirs() {
    let fee = json!({"kind": "flat", "amount": 2500, "currency": "USD"});
    let (world, member) = under(fee, json!({})).await;
    let mut waived = mile_to_star(&Value::Null, json!({}));
    waived["when"] = json!({"claims": {"tier": ["gold"]}});
    waived["priority"] = json!(1);
    world.publish(waived).await.ok();

    let due = ask(&world, &member, giving("400")).await.ok();
    assert_eq!(due["fee"]["amount"], "25.000000");
    let gold = json!({"tier": {"value": "gold"}});
    world.attest("AERO", &member, gold).await;
    let waived = ask(&world, &member, giving("400")).await.ok();
    assert_eq!(waived["fee"], Value::Null);
    assert_eq!(waived["gains"], due["gains"]);
}
