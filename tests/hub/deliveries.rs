//! What is gained by code: it waits in the wallet, is delivered once to who presents the code, and is gone
//! when nobody does.

use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, card, issuer};

/// 2 STAR become one HPT, delivered by code.
fn star_to_hpt(valid_days: u16) -> Value {
    let delivery = json!({"code": {"valid_days": valid_days}});
    let terms = json!({"kind": "ratio", "give": 2, "get": 1, "delivery": delivery});
    let settlement = json!({"kind": "cost_plus", "price": "0.005", "commission": "0"});
    card("STAR", "HPT", terms, settlement)
}

async fn under(valid_days: u16) -> (World, Member) {
    let world = World::new().await;
    world.publish(star_to_hpt(valid_days)).await.ok();
    let member = world.member().await;
    world.award(&member, "10000", "STAR").await;
    (world, member)
}

/// A member that has converted 1,000 STAR under such a card, and the conversion.
pub async fn by_code(world: &World, valid_days: u16) -> (Member, Value) {
    world.publish(star_to_hpt(valid_days)).await.ok();
    let member = world.member().await;
    world.award(&member, "1000", "STAR").await;
    let conversion = world.convert(&member, "1000", "STAR", "HPT").await;
    (member, conversion)
}

pub async fn present(world: &World, code: &Value, member: &Member) -> Answer {
    let body = json!({"code": code, "member": member.id});
    let bayview = world.token("BAYVIEW").await;
    world.post(&bayview, "/v1/deliveries", body).await
}

fn code(conversion: &Value) -> &Value {
    let code = &conversion["delivery"]["code"];
    assert!(code.is_string(), "{conversion}");
    code
}

async fn reverse(world: &World, conversion: &Value, amount: Option<&str>) -> Answer {
    let amount = amount.map(|amount| json!({"amount": amount, "currency": "STAR"}));
    let body = json!({"operation": conversion["id"], "amount": amount});
    let token = world.token("CITYMART").await;
    world.post(&token, "/v1/reversals", body).await
}

async fn wallet(world: &World, member: &Member, currency: &str) -> Value {
    let path = format!("/v1/members/{}/wallets", member.id);
    let token = world.token(issuer(currency)).await;
    let wallets = world.get(&token, &path).await.ok();
    let mut wallets = wallets["items"].as_array().expect("wallets").iter();
    let wallet = wallets.find(|it| it["currency"] == currency);
    wallet.expect(currency).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_delivers_once_to_who_presents_it() {
    let (world, member) = under(30).await;
    let gives = json!({"amount": "1000", "currency": "STAR"});
    let wish = json!({"member": member.id, "gives": gives, "to": "HPT"});
    let citymart = world.token("CITYMART").await;
    let quote = world.post(&citymart, "/v1/quotes", wish).await.ok();
    assert_eq!(quote["arrives"], "by_code");
    let said = |language: &str| quote["sentence"][language].as_str().expect("a sentence");
    let (english, chinese) = (said("en"), said("zh-Hant"));
    assert!(
        english.contains("500 HPT as a code to be presented before "),
        "{english}"
    );
    assert!(chinese.contains("憑兌換碼領取，須於 "), "{chinese}");

    let order = json!({"quote": quote["quote"]});
    let conversion = world.post(&citymart, "/v1/conversions", order).await.ok();
    let waiting = wallet(&world, &member, "HPT").await;
    assert_eq!(waiting["available"]["amount"], "0");
    assert_eq!(waiting["pending"]["amount"], "500");
    assert_eq!(waiting["lots"][0]["awaits_code"], true);
    assert_eq!(waiting["lots"][0]["usable_from"], Value::Null);
    assert_eq!(
        waiting["lots"][0]["expires_at"],
        conversion["delivery"]["valid_until"]
    );

    let other = world.member().await;
    let by_hand = code(&conversion).as_str().expect("a code");
    let by_hand = json!(by_hand.to_lowercase().replace('-', " "));
    let delivered = present(&world, &by_hand, &other).await.ok();
    assert_eq!(delivered["conversion"], conversion["id"]);
    assert_eq!(delivered["amount"]["amount"], "500");
    let used = present(&world, code(&conversion), &member).await;
    assert_eq!(used.problem(), "delivery-code-used");
    assert_eq!(used.body["delivery"], delivered["id"]);
    assert_eq!(world.balance(&other, "HPT").await, "500");
    assert_eq!(
        wallet(&world, &member, "HPT").await["pending"]["amount"],
        "0"
    );

    let bayview = world.token("BAYVIEW").await;
    let path = format!(
        "/v1/deliveries/{}",
        delivered["id"].as_str().expect("an id")
    );
    assert_eq!(world.get(&bayview, &path).await.ok(), delivered);
    let foreign = world.get(&citymart, &path).await;
    assert_eq!(foreign.problem(), "not-found");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_who_present_a_code_at_once_on_two_hubs_has_it() {
    let (world, member) = under(30).await;
    let second = world.second().await;
    let conversion = world.convert(&member, "1000", "STAR", "HPT").await;
    let others = join_all((0..4).map(|_| world.member())).await;
    let hubs = [&world, &second];
    let tries = (0..16).map(|nth| present(hubs[nth % 2], code(&conversion), &others[nth % 4]));
    let answers = join_all(tries).await;
    let done = answers.iter().filter(|it| it.status == 201).count();
    assert_eq!(done, 1);
    let refused = answers.iter().filter(|it| it.status != 201);
    assert!(
        refused
            .into_iter()
            .all(|it| it.problem() == "delivery-code-used")
    );
    let held = join_all(others.iter().map(|it| world.balance(it, "HPT"))).await;
    assert_eq!(held.iter().filter(|held| *held == "500").count(), 1);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_wrong_or_of_another_brand_looks_like_none() {
    let (world, member) = under(30).await;
    let conversion = world.convert(&member, "1000", "STAR", "HPT").await;
    let right = code(&conversion).as_str().expect("a code");
    let last = if right.ends_with('7') { "8" } else { "7" };
    let wrong = format!("{}{last}", &right[..right.len() - 1]);
    world.award(&member, "10000", "MILE").await;
    let at_once = world.convert(&member, "10000", "MILE", "HPT").await;
    assert_eq!(at_once["delivery"], Value::Null);
    let mut told = Vec::new();
    for text in ["", "x", &wrong, &"0".repeat(30), &right[..right.len() - 1]] {
        told.push(present(&world, &json!(text), &member).await);
    }
    for partner in ["AERO", "CITYMART"] {
        let body = json!({"code": right, "member": member.id});
        let token = world.token(partner).await;
        told.push(world.post(&token, "/v1/deliveries", body).await);
    }
    for answer in &told {
        assert_eq!(answer.problem(), "delivery-code-unknown");
        assert_eq!(answer.body["detail"], told[0].body["detail"]);
    }
    present(&world, &json!(right), &member).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_partner_whose_points_were_given_reads_the_code() {
    let (world, member) = under(30).await;
    let quote = world.quote(&member, "1000", "STAR", "HPT").await;
    let (citymart, bayview) = (world.token("CITYMART").await, world.token("BAYVIEW").await);
    let body = json!({"quote": quote, "reference": "r"});
    let take = || world.post_with_key(&citymart, "/v1/conversions", "k", body.clone());
    let (first, again) = (take().await.ok(), take().await.ok());
    assert_eq!(first, again);
    let text = code(&first).as_str().expect("a code").to_owned();
    let path = format!("/v1/conversions/{}", first["id"].as_str().expect("an id"));
    let by_reference = "/v1/conversions?reference=r";
    for path in [&path, by_reference] {
        let read = world.get(&citymart, path).await.ok();
        assert_eq!(read["delivery"], first["delivery"]);
    }
    let olivia = world.sign_in("olivia").await;
    for token in [&bayview, &olivia] {
        let read = world.get(token, &path).await.ok();
        assert_eq!(read["delivery"]["code"], Value::Null);
        assert_eq!(
            read["delivery"]["valid_until"],
            first["delivery"]["valid_until"]
        );
    }
    present(&world, &json!(text), &member).await.ok();
    world.seal().await;
    for token in [&bayview, &citymart] {
        let events = world.get(token, "/v1/events?limit=200").await.ok();
        let events = events["items"].to_string();
        assert!(events.contains("conversion.completed") && !events.contains(&text));
    }
    let mine = world.get(&bayview, "/v1/events?limit=200").await.ok();
    assert!(mine.to_string().contains("delivery.completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_presents_in_time_expires() {
    let (world, member) = under(3).await;
    let first = world.convert(&member, "1000", "STAR", "HPT").await;
    let second = world.convert(&member, "2000", "STAR", "HPT").await;
    world.forward(Duration::days(3)).await;
    present(&world, code(&first), &member).await.ok();
    world.forward(Duration::days(1)).await;
    let late = present(&world, code(&second), &member).await;
    assert_eq!(late.problem(), "delivery-code-ended");
    let hub = &world.hub;
    hub.ledger.sweep(&hub.secrets).await.expect("a sweep");
    assert_eq!(world.balance(&member, "HPT").await, "500");
    let late = present(&world, code(&second), &member).await;
    assert_eq!(late.problem(), "delivery-code-ended");
    let expired = "select coalesce(sum(amount), 0)::bigint from transfers t \
         join operations o on o.id = t.operation_id where o.kind = 4";
    assert_eq!(sql::number(&world.url, expired).await, 1000);
    let spent = reverse(&world, &second, None).await;
    assert_eq!(spent.problem(), "reversal-spent");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_before_makes_a_code_void_and_leaves_the_codes_of_others() {
    let (world, member) = under(30).await;
    let first = world.convert(&member, "1000", "STAR", "HPT").await;
    let second = world.convert(&member, "1000", "STAR", "HPT").await;
    let third = world.convert(&member, "1000", "STAR", "HPT").await;
    reverse(&world, &first, None).await.ok();
    let void = present(&world, code(&first), &member).await;
    assert_eq!(void.problem(), "delivery-code-ended");

    reverse(&world, &second, Some("300")).await.ok();
    let rest = present(&world, code(&second), &member).await.ok();
    assert_eq!(rest["amount"]["amount"], "350");
    World::assert_right(&world.verify().await);
    let all = present(&world, code(&third), &member).await.ok();
    assert_eq!(all["amount"]["amount"], "500");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_after_takes_back_what_was_delivered_and_not_what_waits_for_another_code() {
    let (world, member) = under(30).await;
    let first = world.convert(&member, "1000", "STAR", "HPT").await;
    let second = world.convert(&member, "1000", "STAR", "HPT").await;
    reverse(&world, &first, Some("200")).await.ok();
    present(&world, code(&first), &member).await.ok();
    reverse(&world, &first, Some("200")).await.ok();
    assert_eq!(world.balance(&member, "HPT").await, "300");
    reverse(&world, &first, None).await.ok();
    assert_eq!(world.balance(&member, "HPT").await, "0");
    World::assert_right(&world.verify().await);

    let other = world.member().await;
    present(&world, code(&second), &other).await.ok();
    let spent = reverse(&world, &second, None).await;
    assert_eq!(spent.problem(), "reversal-spent");
    assert_eq!(spent.body["held"]["amount"], "0");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_is_paid_before_anything_waits_or_is_delivered() {
    let (world, member) = under(30).await;
    let owing = async |amount: &str, member: &Member| {
        let lent = world.award(member, amount, "HPT").await;
        let bayview = world.token("BAYVIEW").await;
        let points = json!({"amount": amount, "currency": "HPT"});
        let spend = json!({"member": member.id, "amount": points});
        world.post(&bayview, "/v1/redemptions", spend).await.ok();
        let owed = json!({"operation": lent["id"], "receivable": true});
        world.post(&bayview, "/v1/reversals", owed).await.ok();
    };
    owing("100", &member).await;
    let conversion = world.convert(&member, "1000", "STAR", "HPT").await;
    owing("150", &member).await;
    let delivered = present(&world, code(&conversion), &member).await.ok();
    assert_eq!(delivered["amount"]["amount"], "400");
    assert_eq!(world.balance(&member, "HPT").await, "250");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_through_a_third_currency_may_end_in_a_code() {
    let world = World::new().await;
    let settlement = json!({"kind": "cost_plus", "price": "0.007", "commission": "0"});
    let terms = json!({"kind": "ratio", "give": 4, "get": 1});
    world
        .publish(card("MILE", "STAR", terms, settlement))
        .await
        .ok();
    world.publish(star_to_hpt(30)).await.ok();
    let member = world.member().await;
    world.award(&member, "8000", "MILE").await;
    let aero = world.token("AERO").await;
    let gives = json!({"amount": "8000", "currency": "MILE"});
    let wish = json!({"member": member.id, "gives": gives, "to": "HPT", "through": "STAR"});
    let quote = world.post(&aero, "/v1/quotes", wish).await.ok();
    assert_eq!(quote["arrives"], "by_code");
    let order = json!({"quote": quote["quote"]});
    let conversion = world.post(&aero, "/v1/conversions", order).await.ok();
    present(&world, code(&conversion), &member).await.ok();
    assert_eq!(world.balance(&member, "HPT").await, "1000");
    World::assert_right(&world.verify().await);
}
