//! What a card holds a member to besides the amount: limits within a period, also under fire; what has
//! to stay, what is not taken, what may not go on, and when it arrives.

use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World, card, issuer};

/// 4 MILE become a STAR, under more terms.
fn mile_to_star(more: Value) -> Value {
    let mut terms = json!({"kind": "ratio", "give": 4, "get": 1, "min": 100});
    let more = more.as_object().expect("terms").clone();
    terms.as_object_mut().expect("terms").extend(more);
    let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
    card("MILE", "STAR", terms, settlement)
}

async fn under(terms: Value) -> (World, Member) {
    let world = World::new().await;
    world.publish(mile_to_star(terms)).await.ok();
    let member = world.member().await;
    world.award(&member, "100000", "MILE").await;
    (world, member)
}

async fn ask(world: &World, member: &Member, amount: &str, from: &str, to: &str) -> Answer {
    let gives = json!({"amount": amount, "currency": from});
    let body = json!({"member": member.id, "gives": gives, "to": to});
    world
        .post(&world.token(issuer(from)).await, "/v1/quotes", body)
        .await
}

async fn take(world: &World, quote: &str) -> Answer {
    let aero = world.token("AERO").await;
    world
        .post(&aero, "/v1/conversions", json!({"quote": quote}))
        .await
}

async fn options(world: &World, member: &Member, currency: &str) -> Value {
    let token = world.token(issuer(currency)).await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&token, &path).await.ok();
    let wallet = wallets["items"]
        .as_array()
        .expect("wallets")
        .iter()
        .find(|wallet| wallet["currency"] == currency)
        .expect(currency)["id"]
        .clone();
    let path = format!(
        "/v1/conversions/options?wallet={}",
        wallet.as_str().expect("an id")
    );
    world.get(&token, &path).await.ok()["items"].clone()
}

fn to_star(options: &Value) -> &Value {
    let mut all = options.as_array().expect("options").iter();
    all.find(|option| option["to"] == "STAR" && option["through"].is_null())
        .expect("an option")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_told_before_and_held_to_when_a_quote_is_taken() {
    let limits = json!([{"period": "year", "given": 1000}, {"period": "month", "times": 3}]);
    let (world, member) = under(json!({"allowances": limits})).await;
    let first = ask(&world, &member, "600", "MILE", "STAR").await.ok();
    let second = ask(&world, &member, "600", "MILE", "STAR").await.ok();
    assert_eq!(first["limits"][0]["left"]["amount"], "1000");
    assert_eq!(first["limits"][0]["within"], "a calendar year");
    assert_eq!(first["limits"][1]["times_left"], 3);
    take(&world, first["quote"].as_str().expect("a token"))
        .await
        .ok();

    let refused = take(&world, second["quote"].as_str().expect("a token")).await;
    assert_eq!(refused.problem(), "limit-reached");
    assert_eq!(
        refused.body["left"],
        json!({"amount": "400", "currency": "MILE"})
    );
    assert_eq!(refused.body["needed"]["amount"], "600");
    assert!(refused.body["renews_at"].is_string());
    let told = ask(&world, &member, "401", "MILE", "STAR").await;
    assert_eq!(told.problem(), "limit-reached");
    let listed = options(&world, &member, "MILE").await;
    assert_eq!(to_star(&listed)["gives"]["amount"], "400");
    assert_eq!(to_star(&listed)["limits"][1]["times_left"], 2);
    world.convert(&member, "400", "MILE", "STAR").await;

    let other = world.member().await;
    world.award(&other, "1000", "MILE").await;
    world.convert(&other, "1000", "MILE", "STAR").await;
    world.forward(Duration::days(366)).await;
    world.convert(&member, "1000", "MILE", "STAR").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooldown_ends_and_a_reversal_gives_back_what_was_used() {
    let limits = json!([{"hours": 24, "times": 1}, {"months": 12, "given": 5000}]);
    let (world, member) = under(json!({"allowances": limits})).await;
    let conversion = world.convert(&member, "3000", "MILE", "STAR").await;
    assert_eq!(
        ask(&world, &member, "100", "MILE", "STAR").await.problem(),
        "limit-reached"
    );
    world.forward(Duration::hours(24)).await;
    assert_eq!(
        ask(&world, &member, "2001", "MILE", "STAR").await.problem(),
        "limit-reached"
    );

    let aero = world.token("AERO").await;
    let part =
        json!({"operation": conversion["id"], "amount": {"amount": "1000", "currency": "MILE"}});
    world.post(&aero, "/v1/reversals", part).await.ok();
    world.convert(&member, "3000", "MILE", "STAR").await;
    let rest = json!({"operation": conversion["id"]});
    world.post(&aero, "/v1/reversals", rest).await.ok();
    world.forward(Duration::hours(24)).await;
    world.convert(&member, "2000", "MILE", "STAR").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_of_a_group_share_their_limit() {
    let limits = json!([{"period": "year", "given": 30000, "group": "partners"}]);
    let (world, member) = under(json!({"allowances": limits})).await;
    let terms = json!({"kind": "ratio", "give": 1, "get": 1, "allowances": limits});
    let settlement = json!({"kind": "cost_plus", "price": "0.008", "commission": "0"});
    world
        .publish(card("MILE", "HPT", terms, settlement))
        .await
        .ok();
    world.convert(&member, "20000", "MILE", "STAR").await;
    assert_eq!(
        ask(&world, &member, "10001", "MILE", "HPT").await.problem(),
        "limit-reached"
    );
    world.convert(&member, "10000", "MILE", "HPT").await;
    assert_eq!(
        ask(&world, &member, "100", "MILE", "STAR").await.problem(),
        "limit-reached"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_on_two_hubs_use_a_limit_to_the_last_unit() {
    let limits = json!([{"period": "ever", "given": 5000}, {"period": "ever", "times": 40}]);
    let (world, member) = under(json!({"allowances": limits})).await;
    let second = world.second().await;
    let quotes: Vec<String> =
        join_all((0..64).map(|_| world.quote(&member, "200", "MILE", "STAR"))).await;
    let hubs = [&world, &second];
    let taken = quotes.iter().zip(hubs.iter().cycle());
    let answers = join_all(taken.map(|(quote, hub)| take(hub, quote))).await;
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    let over = answers
        .iter()
        .filter(|answer| answer.status != 201)
        .all(|answer| answer.problem() == "limit-reached");
    assert_eq!((done, over), (25, true));
    assert_eq!(world.balance(&member, "MILE").await, "95000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_goes_on_counting_and_an_open_quote_keeps_its_own() {
    let (world, member) = under(json!({"allowances": [{"period": "year", "given": 1000}]})).await;
    world.convert(&member, "900", "MILE", "STAR").await;
    let open = world.quote(&member, "100", "MILE", "STAR").await;
    let less = json!({"allowances": [{"period": "year", "given": 950}]});
    world.publish(mile_to_star(less)).await.ok();
    let told = ask(&world, &member, "100", "MILE", "STAR").await;
    assert_eq!(told.problem(), "limit-reached");
    take(&world, &open).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_stay_stays() {
    let (world, member) = under(json!({"keep": 15000})).await;
    let quote = world.quote(&member, "85001", "MILE", "STAR").await;
    let refused = take(&world, &quote).await;
    assert_eq!(refused.problem(), "balance-too-low");
    assert_eq!(refused.body["held"]["amount"], "85000");
    let listed = options(&world, &member, "MILE").await;
    assert_eq!(to_star(&listed)["gives"]["amount"], "85000");
    world.convert(&member, "85000", "MILE", "STAR").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_may_not_go_on_are_spent_and_not_converted() {
    let (world, member) = under(json!({"onward": "never"})).await;
    world.convert(&member, "40000", "MILE", "STAR").await;
    world.award(&member, "5000", "STAR").await;
    let citymart = world.token("CITYMART").await;
    let listed = options(&world, &member, "STAR").await;
    let most = &listed[0]["gives"]["amount"];
    assert!(most.as_str().expect("an amount").len() <= 4, "{listed}");
    let quote = world.quote(&member, "14800", "STAR", "MILE").await;
    let refused = world
        .post(&citymart, "/v1/conversions", json!({"quote": quote}))
        .await;
    assert_eq!(refused.problem(), "balance-too-low");
    assert_eq!(refused.body["held"]["amount"], "5000");
    let amount = json!({"amount": "15000", "currency": "STAR"});
    let spend = json!({"member": member.id, "amount": amount});
    world.post(&citymart, "/v1/redemptions", spend).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn points_may_go_on_after_some_days() {
    let (world, member) = under(json!({"onward": {"after_days": 21}})).await;
    world.convert(&member, "40000", "MILE", "STAR").await;
    let quote = world.quote(&member, "10000", "STAR", "MILE").await;
    let citymart = world.token("CITYMART").await;
    let order = json!({"quote": quote});
    let early = world.post(&citymart, "/v1/conversions", order).await;
    assert_eq!(early.problem(), "balance-too-low");
    world.forward(Duration::days(21) + Duration::hours(1)).await;
    world.convert(&member, "10000", "STAR", "MILE").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bonuses_are_left_out_where_a_card_does_not_take_them() {
    let bonus = json!({"bonuses": [{"kind": "percent", "num": 1, "den": 2}]});
    let mut with_bonus = mile_to_star(bonus);
    with_bonus["settlement"]["bonus_funders"] = json!([{"source": 1}]);
    let world = World::new().await;
    world.publish(with_bonus).await.ok();
    let terms = json!({"kind": "ratio", "give": 50, "get": 1, "excludes": ["bonus"]});
    let settlement = json!({"kind": "cost_plus", "price": "0.008", "commission": "0"});
    world
        .publish(card("STAR", "HPT", terms, settlement))
        .await
        .ok();
    let member = world.member().await;
    world.award(&member, "40000", "MILE").await;
    world.convert(&member, "40000", "MILE", "STAR").await;
    assert_eq!(world.balance(&member, "STAR").await, "15000");
    let quote = world.quote(&member, "10050", "STAR", "HPT").await;
    let citymart = world.token("CITYMART").await;
    let order = json!({"quote": quote});
    let refused = world.post(&citymart, "/v1/conversions", order).await;
    assert_eq!(refused.problem(), "balance-too-low");
    assert_eq!(refused.body["held"]["amount"], "10000");
    world.convert(&member, "10000", "STAR", "HPT").await;
    assert_eq!(world.balance(&member, "STAR").await, "5000");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_later_can_be_used_later() {
    let (world, member) = under(json!({"delivery": {"after_days": 3}})).await;
    let quote = ask(&world, &member, "400", "MILE", "STAR").await.ok();
    assert_ne!(quote["arrives"], "at_once");
    let said = quote["sentence"]["en"].as_str().expect("a sentence");
    assert!(said.contains("100 STAR to be used from "), "{said}");
    take(&world, quote["quote"].as_str().expect("a token"))
        .await
        .ok();
    assert_eq!(world.balance(&member, "STAR").await, "0");
    world.forward(Duration::days(3)).await;
    assert_eq!(world.balance(&member, "STAR").await, "100");
    World::assert_right(&world.verify().await);
}
