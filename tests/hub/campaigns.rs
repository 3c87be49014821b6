//! Campaigns: what they add, to whom, for how long, out of what, and who pays.
//!
//! 4 MILE become a STAR on a card of AERO and CITYMART; KWUN, a bank, and NAMI, which settles in TWD, pay
//! for campaigns on top.

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound, Utc};
use diesel_async::SimpleAsyncConnection;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, card, send};

/// Half a day ago to half a day from now.
pub fn campaign(world: &World, more: Value) -> Value {
    let mut campaign = json!({
        "name": "Double June", "name_zh": "六月雙倍",
        "routes": [{"from": "MILE", "to": "STAR"}],
        "starts_at": hours(-12), "ends_at": hours(12), "zone": "Asia/Hong_Kong",
        "funders": [{"partner": id_of(world, "CITYMART"), "weight": 1}],
    });
    for (name, value) in more.as_object().expect("an object") {
        campaign[name] = value.clone();
    }
    campaign
}

pub fn percent(num: i64) -> Value {
    json!({"kind": "percent", "num": num, "den": 100})
}

pub fn id_of(world: &World, code: &str) -> String {
    world.credentials.partner(code).expect(code).id.clone()
}

fn hours(from_now: i64) -> String {
    at(Utc::now() + Duration::hours(from_now))
}

fn at(instant: DateTime<Utc>) -> String {
    instant
        .trunc_subsecs(0)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub async fn draft(world: &World, by: &str, campaign: Value) -> Answer {
    world
        .post(&world.token(by).await, "/v1/campaigns", campaign)
        .await
}

pub async fn step(world: &World, token: &str, campaign: &Value, step: &str) -> Answer {
    let id = campaign["id"].as_str().expect("an id");
    let hash = &campaign["content_hash"];
    let body = match step {
        "propose" => json!({"acknowledges": ["splitting_pays"]}),
        "approve" => json!({"content_hash": hash, "acknowledges": ["splitting_pays"]}),
        "reject" => json!({"content_hash": hash}),
        _ => json!({}),
    };
    world
        .post(token, &format!("/v1/campaigns/{id}/{step}"), body)
        .await
}

/// Drafted and proposed by one party, and approved by the others, the hub last.
pub async fn publish(world: &World, by: &str, others: &[&str], campaign: Value) -> Answer {
    let olivia = world.operator().await;
    agree(world, olivia, (by, others), campaign).await
}

async fn agree(world: &World, hub: &str, (by, others): (&str, &[&str]), campaign: Value) -> Answer {
    let drafted = draft(world, by, campaign).await.ok();
    step(world, &world.token(by).await, &drafted, "propose")
        .await
        .ok();
    for other in others {
        step(world, &world.token(other).await, &drafted, "approve")
            .await
            .ok();
    }
    step(world, hub, &drafted, "approve").await
}

/// A campaign that CITYMART pays for and agrees on with the hub alone.
async fn own(world: &World, more: Value) -> Value {
    publish(world, "CITYMART", &[], campaign(world, more))
        .await
        .ok()
}

async fn with_card() -> World {
    let world = World::new().await;
    put_card(&world).await;
    world
}

pub async fn put_card(world: &World) {
    let settlement = json!({"kind": "cost_plus", "price": "0.100000", "commission": "0.025"});
    let terms = json!({"kind": "ratio", "give": 4, "get": 1});
    world
        .publish(card("MILE", "STAR", terms, settlement))
        .await
        .ok();
}

pub async fn rich(world: &World) -> Member {
    let member = world.member().await;
    world.award(&member, "1000000", "MILE").await;
    member
}

/// What a quote says, whole.
async fn asked(world: &World, member: &Member, miles: &str) -> Value {
    let gives = json!({"amount": miles, "currency": "MILE"});
    let wish = json!({"member": member.id, "gives": gives, "to": "STAR"});
    world
        .post(&world.token("AERO").await, "/v1/quotes", wish)
        .await
        .ok()
}

async fn take(world: &World, quote: &Value) -> Answer {
    let body = json!({"quote": quote["quote"]});
    world
        .post(&world.token("AERO").await, "/v1/conversions", body)
        .await
}

fn gains(quote: &Value) -> &str {
    quote["gains"]["amount"].as_str().expect("an amount")
}

/// Debits less credits of an account.
async fn balance(world: &World, account: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(coalesce(debit, 0) - coalesce(credit, 0)), 0)::bigint from postings where name = '{account}'"
    );
    sql::number(&world.url, &sql).await
}

/// Takes all quotes at once, at all hubs in turn.
async fn take_all(hubs: &[&World], quotes: &[Value]) -> Vec<Answer> {
    let aero = hubs[0].token("AERO").await;
    let takes = quotes.iter().enumerate().map(|(nth, quote)| {
        let body = json!({"quote": quote["quote"]});
        hubs[nth % hubs.len()].post(&aero, "/v1/conversions", body)
    });
    takes
        .collect::<FuturesUnordered<_>>()
        .boxed_local()
        .collect()
        .await
}

fn done(answers: &[Answer], slug: &str) -> usize {
    let refused = answers.iter().filter(|one| !one.status.is_success());
    let refused = refused.inspect(|one| assert_eq!(one.problem(), slug));
    answers.len() - refused.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_add_up_on_the_base_and_say_who_they_are() {
    let world = with_card().await;
    let member = rich(&world).await;
    let more = own(
        &world,
        json!({"bonus": percent(10), "name": "More", "name_zh": "更多"}),
    )
    .await;
    let double = own(&world, json!({"bonus": percent(20)})).await;

    let quote = asked(&world, &member, "4000").await;
    assert_eq!(quote["base"]["amount"], "1000");
    assert_eq!(gains(&quote), "1300", "never compounded");
    let names = ["More", "Double June"];
    for (nth, (campaign, units)) in [(&more, "100"), (&double, "200")].into_iter().enumerate() {
        assert_eq!(quote["bonuses"][nth]["amount"], units);
        assert_eq!(quote["bonuses"][nth]["campaign"], campaign["id"]);
        assert_eq!(quote["campaigns"][nth]["id"], campaign["id"]);
        assert_eq!(quote["campaigns"][nth]["name"], names[nth]);
        assert_eq!(quote["campaigns"][nth]["gains"]["amount"], units);
    }
    let said = quote["sentence"]["en"].as_str().expect("a sentence");
    assert!(
        said.contains("300 STAR of them a bonus (More, Double June), at once"),
        "{said}"
    );
    let said = quote["sentence"]["zh-Hant"].as_str().expect("a sentence");
    assert!(
        said.contains("（其中 300 STAR 為獎賞：更多、六月雙倍）"),
        "{said}"
    );

    let taken = take(&world, &quote).await.ok();
    assert_eq!(taken["gains"], quote["gains"]);
    assert_eq!(taken["campaigns"], quote["campaigns"]);
    assert_eq!(taken["bonuses"][1]["campaign"], double["id"]);
    assert_eq!(world.balance(&member, "STAR").await, "1300");
    let path = format!("/v1/conversions/{}", taken["id"].as_str().expect("an id"));
    let read = world.get(&world.token("CITYMART").await, &path).await.ok();
    assert_eq!(read["campaigns"], quote["campaigns"]);
    world.seal().await;
    let feed = world
        .get(&world.token("CITYMART").await, "/v1/events?limit=200")
        .await
        .ok();
    let events = feed["items"].as_array().expect("events");
    let event = events
        .iter()
        .find(|event| event["data"]["id"] == taken["id"]);
    assert_eq!(
        event.expect("its event")["data"]["campaigns"],
        quote["campaigns"]
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bonus_is_percent_fixed_or_banded() {
    let world = with_card().await;
    let member = rich(&world).await;
    own(
        &world,
        json!({"bonus": {"kind": "fixed", "bonus": 7, "min_given": 4000}}),
    )
    .await;
    let bands = json!([{"from": 0, "num": 1, "den": 10}, {"from": 1000, "num": 1, "den": 5}]);
    own(&world, json!({"bonus": {"kind": "slab", "bands": bands}})).await;
    own(
        &world,
        json!({"bonus": {"kind": "marginal", "bands": bands}}),
    )
    .await;
    // 750 and 10 % twice; 2,000, 7, 20 % of all, and 10 % of 1,000 with 20 % of the rest.
    for (miles, stars) in [("3000", "900"), ("8000", "2707")] {
        let quote = asked(&world, &member, miles).await;
        assert_eq!(gains(&quote), stars);
        take(&world, &quote).await.ok();
    }
    // The least that gains so much, with all of them.
    let wish = json!({"member": member.id, "gains": {"amount": "2707", "currency": "STAR"}, "from": "MILE"});
    let aero = world.token("AERO").await;
    let quote = world.post(&aero, "/v1/quotes", wish).await.ok();
    assert_eq!(quote["gives"]["amount"], "8000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_told_in_its_zone_and_holds_from_its_first_instant_to_before_its_last() {
    let world = with_card().await;
    let member = rich(&world).await;
    let now = Utc::now().trunc_subsecs(0);
    let hong_kong = chrono::FixedOffset::east_opt(8 * 3600).expect("an offset");
    let local = |at: DateTime<Utc>| at.with_timezone(&hong_kong).to_rfc3339();
    let (starts, ends) = (now + Duration::hours(2), now + Duration::hours(4));
    let window = json!({"bonus": percent(20), "starts_at": local(starts), "ends_at": local(ends)});
    let made = own(&world, window).await;
    assert_eq!(made["state"], "scheduled");
    assert_eq!(made["starts_at"], at(starts));
    let told = starts
        .with_timezone(&hong_kong)
        .format("%Y-%m-%d %H:%M HKT")
        .to_string();
    assert!(
        made["sentence"]
            .as_str()
            .expect("a sentence")
            .contains(&told)
    );
    assert!(
        made["sentence_zh"]
            .as_str()
            .expect("a sentence")
            .contains(&told)
    );

    let early = asked(&world, &member, "4000").await;
    world.forward(Duration::hours(2)).await;
    let inside = asked(&world, &member, "4000").await;
    world.forward(Duration::minutes(119)).await;
    let last = asked(&world, &member, "4000").await;
    world.forward(Duration::minutes(2)).await;
    let after = asked(&world, &member, "4000").await;
    let all = [&early, &inside, &last, &after].map(|quote| gains(quote).to_owned());
    assert_eq!(all, ["1000", "1200", "1200", "1000"]);
    // Judged at the request: asked for inside and taken after it.
    assert_eq!(take(&world, &last).await.ok()["gains"]["amount"], "1200");
    let path = format!("/v1/campaigns/{}", made["id"].as_str().expect("an id"));
    let read = world.get(&world.token("AERO").await, &path).await.ok();
    assert_eq!(read["state"], "ended");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bonus_that_is_judged_by_the_credit_ends_its_quotes_with_the_campaign() {
    let world = with_card().await;
    let member = rich(&world).await;
    let ends = Utc::now().trunc_subsecs(0) + Duration::minutes(65);
    let by_credit = json!({"bonus": percent(20), "judged_at": "credit", "ends_at": at(ends)});
    own(&world, by_credit).await;
    let expiry = |quote: &Value| -> DateTime<Utc> {
        quote["expires_at"]
            .as_str()
            .expect("an instant")
            .parse()
            .expect("an instant")
    };
    let far = asked(&world, &member, "4000").await;
    assert!(
        expiry(&far) < ends - Duration::minutes(50),
        "as long as any quote"
    );
    world.forward(Duration::minutes(60)).await;
    let near = asked(&world, &member, "4000").await;
    let late = asked(&world, &member, "4000").await;
    assert_eq!((gains(&near), expiry(&near)), ("1200", ends));
    take(&world, &near).await.ok();
    world.forward(Duration::minutes(5)).await;
    assert_eq!(take(&world, &late).await.problem(), "quote-expired");
    assert_eq!(gains(&asked(&world, &member, "4000").await), "1000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_first_times_at_two_hubs_one_counts() {
    let world = with_card().await;
    let second = world.second().await;
    let member = rich(&world).await;
    own(
        &world,
        json!({"bonus": percent(20), "first_time_only": true}),
    )
    .await;
    let mut quotes = Vec::new();
    for _ in 0..16 {
        quotes.push(asked(&world, &member, "400").await);
    }
    assert!(quotes.iter().all(|quote| gains(quote) == "120"));
    let answers = take_all(&[&world, &second], &quotes).await;
    assert_eq!(done(&answers, "campaign-limit-reached"), 1);
    let again = asked(&world, &member, "400").await;
    assert_eq!(gains(&again), "100", "the next quote comes without it");
    take(&world, &again).await.ok();
    // Somebody else's first time is another's.
    assert_eq!(
        gains(&asked(&world, &rich(&world).await, "400").await),
        "120"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_gets_it_so_often_and_so_much() {
    let world = with_card().await;
    let member = rich(&world).await;
    own(
        &world,
        json!({"bonus": percent(10), "times": 3, "most": 25}),
    )
    .await;
    let mut gained = Vec::new();
    for miles in ["400", "800", "400", "40", "400"] {
        let quote = asked(&world, &member, miles).await;
        gained.push(gains(&quote).to_owned());
        // A second quote for the same, of which only what is left is kept.
        take(&world, &quote).await.ok();
    }
    // 10, then 20 is more than the 15 left, then 10, then 1, then it was three times.
    assert_eq!(gained, ["110", "200", "110", "11", "100"]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registered_gets_it_and_nobody_else() {
    let world = with_card().await;
    let (member, other) = (rich(&world).await, rich(&world).await);
    let made = own(
        &world,
        json!({"bonus": percent(20), "registered_only": true}),
    )
    .await;
    assert_eq!(gains(&asked(&world, &member, "4000").await), "1000");
    let path = format!(
        "/v1/campaigns/{}/registrations",
        made["id"].as_str().expect("an id")
    );
    let body = json!({"member": member.id, "currency": "MILE"});
    let bayview = world.token("BAYVIEW").await;
    let refused = world.post(&bayview, &path, body.clone()).await;
    assert_eq!(refused.problem(), "not-your-currency");
    let aero = world.token("AERO").await;
    for _ in 0..2 {
        let registered = world.post(&aero, &path, body.clone()).await.ok();
        assert_eq!(registered["campaign"], made["id"]);
    }
    let stars = json!({"member": member.id, "currency": "STAR"});
    let citymart = world.token("CITYMART").await;
    assert_eq!(
        world.post(&citymart, &path, stars).await.problem(),
        "invalid-field"
    );
    assert_eq!(gains(&asked(&world, &member, "4000").await), "1200");
    assert_eq!(gains(&asked(&world, &other, "4000").await), "1000");
    let told = "select count(*) from campaign_registrations";
    assert_eq!(sql::number(&world.url, told).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_stays_in_its_arm_and_every_conversion_says_which() {
    let world = with_card().await;
    let arms = json!([
        {"name": "more", "weight": 1, "bonus": percent(20)},
        {"name": "control", "weight": 1},
    ]);
    own(&world, json!({"arms": arms})).await;
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..12 {
        let member = world.member().await;
        world.award(&member, "4000", "MILE").await;
        let first = asked(&world, &member, "400").await;
        let arm = first["campaigns"][0]["arm"]
            .as_str()
            .expect("an arm")
            .to_owned();
        let stars = if arm == "more" { "120" } else { "100" };
        for _ in 0..2 {
            let quote = asked(&world, &member, "400").await;
            assert_eq!(
                (gains(&quote), &quote["campaigns"][0]["arm"]),
                (stars, &json!(arm))
            );
            let taken = take(&world, &quote).await.ok();
            assert_eq!(taken["campaigns"], quote["campaigns"]);
        }
        *seen.entry(arm).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    let kept = "select count(*) from operations where memo->'campaigns'->0->>'arm' = 'control'";
    assert_eq!(sql::number(&world.url, kept).await, 2 * seen["control"]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_conversions_at_two_hubs_a_budget_gives_exactly_what_it_has() {
    let world = with_card().await;
    let second = world.second().await;
    let made = own(&world, json!({"bonus": percent(10), "budget": 205})).await;
    let mut members = Vec::new();
    for _ in 0..16 {
        members.push(rich(&world).await);
    }
    let mut quotes = Vec::new();
    for nth in 0..64 {
        quotes.push(asked(&world, &members[nth % 16], "400").await);
    }
    assert!(quotes.iter().all(|quote| gains(quote) == "110"));
    let answers = take_all(&[&world, &second], &quotes).await;
    assert_eq!(done(&answers, "campaign-budget-used-up"), 20);
    let refused = answers.iter().find(|answer| !answer.status.is_success());
    let refused = &refused.expect("a refusal").body;
    assert_eq!(refused["left"], json!({"amount": "5", "currency": "STAR"}));
    assert_eq!(refused["campaign"], made["id"]);
    // What is left is for who gets no more than that.
    assert_eq!(gains(&asked(&world, &members[0], "400").await), "100");
    let small = asked(&world, &members[0], "200").await;
    assert_eq!(gains(&small), "55");
    take(&world, &small).await.ok();
    assert_eq!(gains(&asked(&world, &members[0], "40").await), "10");
    assert_eq!(balance(&world, "bonus/STAR").await, 205);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_pay_in_exact_shares_each_in_its_money() {
    let world = with_card().await;
    let member = rich(&world).await;
    let weights = [("AERO", 1), ("CITYMART", 1), ("KWUN", 2), ("NAMI", 3)];
    let funders =
        weights.map(|(code, weight)| json!({"partner": id_of(&world, code), "weight": weight}));
    rates(&world, "TWD", "HKD", "0.25").await;
    let shared = campaign(&world, json!({"bonus": percent(20), "funders": funders}));
    publish(&world, "NAMI", &["AERO", "CITYMART", "KWUN"], shared)
        .await
        .ok();

    let quote = asked(&world, &member, "4000").await;
    // A newer rate is for newer quotes.
    rates(&world, "TWD", "HKD", "0.2").await;
    let taken = take(&world, &quote).await.ok();
    // 200 by 1, 1, 2 and 3: 28.57, 28.57, 57.14 and 85.71.
    let parts = taken["bonuses"].as_array().expect("bonuses").iter();
    let parts: Vec<&str> = parts
        .map(|part| part["amount"]["amount"].as_str().expect("units"))
        .collect();
    assert_eq!(parts, ["29", "28", "57", "86"]);
    assert_eq!(
        taken["cost"]["bonuses"]["amount"], "0.371795",
        "2.9 HKD of AERO's at 7.8"
    );
    assert_eq!(balance(&world, "position/KWUN/HKD").await, 5_700_000);
    assert_eq!(
        balance(&world, "position/NAMI/TWD").await,
        34_400_000,
        "8.6 HKD at 0.25"
    );
    assert_eq!(
        balance(&world, "position/CITYMART/HKD").await,
        -(1000 + 29 + 57 + 86) * 100_000
    );
    assert_eq!(balance(&world, "bonus/STAR").await, 200);
    World::assert_right(&world.verify().await);

    let body = json!({"operation": taken["id"]});
    world
        .post(&world.token("AERO").await, "/v1/reversals", body)
        .await
        .ok();
    for account in [
        "position/KWUN/HKD",
        "position/NAMI/TWD",
        "position/CITYMART/HKD",
        "bonus/STAR",
    ] {
        assert_eq!(balance(&world, account).await, 0, "{account}");
    }
    World::assert_right(&world.verify().await);
}

async fn rates(world: &World, base: &str, quote: &str, rate: &str) {
    let body =
        json!({"base": base, "quote": quote, "rate": rate, "source": "S", "quoted_at": hours(-1)});
    let fiona = world.sign_in("fiona").await;
    world.post(&fiona, "/v1/exchange-rates", body).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsor_owes_no_more_than_its_cap() {
    let world = with_card().await;
    let member = rich(&world).await;
    let funders = json!([{"partner": id_of(&world, "BAYVIEW"), "weight": 1}]);
    let paid = campaign(&world, json!({"bonus": percent(20), "funders": funders}));
    publish(&world, "BAYVIEW", &["CITYMART"], paid).await.ok();
    // 200 STAR are 20 HKD, 2.564103 USD.
    let operators = crate::caps::Operators::of(&world).await;
    operators.cap(&world, "BAYVIEW", Some("2.5")).await;
    let quote = asked(&world, &member, "4000").await;
    let refused = take(&world, &quote).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    assert!(refused.body["room"].is_null(), "that is BAYVIEW's to know");
    operators.cap(&world, "BAYVIEW", Some("2.6")).await;
    take(&world, &quote).await.ok();
    assert_eq!(balance(&world, "position/BAYVIEW/USD").await, 2_564_103);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_pays_the_issuer_and_the_hub_agree_and_then_it_never_changes() {
    let world = with_card().await;
    let funders = json!([{"partner": id_of(&world, "KWUN"), "weight": 1}]);
    let shared = campaign(&world, json!({"bonus": percent(20), "funders": funders}));
    assert_eq!(
        draft(&world, "AERO", shared.clone()).await.problem(),
        "forbidden"
    );
    let drafted = draft(&world, "KWUN", shared).await.ok();
    let (kwun, citymart) = (world.token("KWUN").await, world.token("CITYMART").await);
    let (aero, olivia) = (world.token("AERO").await, world.sign_in("olivia").await);
    let path = format!("/v1/campaigns/{}", drafted["id"].as_str().expect("an id"));
    assert_eq!(
        world.get(&aero, &path).await.problem(),
        "not-found",
        "it is between others"
    );

    step(&world, &kwun, &drafted, "propose").await.ok();
    assert_eq!(
        step(&world, &kwun, &drafted, "approve").await.problem(),
        "maker-is-checker"
    );
    assert_eq!(
        step(&world, &olivia, &drafted, "approve").await.ok()["state"],
        "proposed"
    );
    let active = step(&world, &citymart, &drafted, "approve").await.ok();
    assert_eq!(active["state"], "active");
    assert_eq!(active["agreed"].as_array().expect("parties").len(), 3);
    let seen = world.get(&aero, &path).await.ok();
    assert!(seen["funders"].is_null() && seen["content_hash"].is_null());
    assert_eq!(seen["bonus"]["num"], 20);

    let conn = sql::session(&world.url).await;
    for change in [
        "terms = jsonb_set(terms, '{budget}', '5')",
        "ends_at = ends_at + interval '1 day'",
        "sources = '{1001}'",
        "state = 'draft'",
        "state = 'withdrawn'",
        "name = 'Other'",
    ] {
        let refused = conn
            .batch_execute(&format!("update campaigns set {change}"))
            .await;
        let refused = refused.expect_err(change);
        let constraint = refused
            .as_db_error()
            .and_then(|it| it.constraint())
            .unwrap_or_default();
        assert!(constraint.starts_with("campaigns_"), "{change}: {refused}");
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_agree_ends_it_and_the_maker_takes_it_back() {
    let world = with_card().await;
    let funders = json!([{"partner": id_of(&world, "KWUN"), "weight": 1}]);
    let shared = campaign(&world, json!({"bonus": percent(20), "funders": funders}));
    let (kwun, citymart) = (world.token("KWUN").await, world.token("CITYMART").await);
    let first = draft(&world, "KWUN", shared.clone()).await.ok();
    assert_eq!(
        step(&world, &citymart, &first, "propose").await.problem(),
        "forbidden"
    );
    step(&world, &kwun, &first, "propose").await.ok();
    assert_eq!(
        step(&world, &citymart, &first, "withdraw").await.problem(),
        "forbidden"
    );
    assert_eq!(
        step(&world, &citymart, &first, "reject").await.ok()["state"],
        "rejected"
    );
    let second = draft(&world, "KWUN", shared.clone()).await.ok();
    assert_eq!(
        step(&world, &kwun, &second, "withdraw").await.ok()["state"],
        "withdrawn"
    );
    let mut later = shared;
    later["starts_at"] = json!(hours(2));
    let third = publish(&world, "KWUN", &["CITYMART"], later).await.ok();
    assert_eq!(
        step(&world, &citymart, &third, "halt").await.problem(),
        "campaign-state"
    );
    assert_eq!(
        step(&world, &citymart, &third, "withdraw").await.ok()["state"],
        "withdrawn"
    );
    let listed = world
        .get(&kwun, "/v1/campaigns?to=STAR&from=MILE")
        .await
        .ok();
    let states = listed["items"].as_array().expect("items").iter();
    let states: Vec<&str> = states
        .map(|one| one["state"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["withdrawn", "withdrawn", "rejected"]);
    let others = world
        .get(&world.token("AERO").await, "/v1/campaigns")
        .await
        .ok();
    assert_eq!(others["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_campaign_prices_nothing_more_and_keeps_what_it_promised() {
    let world = with_card().await;
    let member = rich(&world).await;
    world.award(&member, "100000", "HPT").await;
    let routes = json!([{"from": "MILE", "to": "STAR"}, {"from": "HPT", "to": "STAR"}]);
    let made = own(&world, json!({"bonus": percent(20), "routes": routes})).await;
    let promised = asked(&world, &member, "4000").await;
    let of_hotel = || async {
        let wish = json!({"member": member.id, "gives": {"amount": "5000", "currency": "HPT"}, "to": "STAR"});
        let quote = world
            .post(&world.token("BAYVIEW").await, "/v1/quotes", wish)
            .await
            .ok();
        quote["campaigns"].as_array().expect("campaigns").len()
    };
    assert_eq!(of_hotel().await, 1);

    // AERO pays for none of it, and stops what leaves its own programme.
    let stopped = step(&world, &world.token("AERO").await, &made, "halt")
        .await
        .ok();
    assert_eq!(stopped["state"], "active");
    assert_eq!(stopped["halted"], json!([{"from": "MILE", "to": "STAR"}]));
    assert_eq!(gains(&asked(&world, &member, "4000").await), "1000");
    assert_eq!(of_hotel().await, 1);
    assert_eq!(
        step(&world, &world.token("KWUN").await, &made, "halt")
            .await
            .problem(),
        "forbidden"
    );
    let halted = step(&world, &world.sign_in("olivia").await, &made, "halt")
        .await
        .ok();
    assert_eq!(halted["state"], "halted");
    assert_eq!(of_hotel().await, 0);
    assert_eq!(
        take(&world, &promised).await.ok()["gains"]["amount"],
        "1200"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_opens_a_pump_only_in_its_window_is_refused() {
    let world = with_card().await;
    let olivia = world.sign_in("olivia").await;
    // STAR to MILE gives five for seven: 1.4 STAR for a MILE, 5.6 times the base, would do.
    let window = |num, from, to| {
        let window = json!({"bonus": percent(num), "starts_at": hours(from), "ends_at": hours(to)});
        campaign(&world, window)
    };
    let alone = ("CITYMART", &[][..]);
    let refused = agree(&world, &olivia, alone, window(500, 24, 25)).await;
    assert_eq!(refused.problem(), "money-pump");
    assert_eq!(refused.body["cycle"].as_array().expect("a circle").len(), 3);
    agree(&world, &olivia, alone, window(250, 24, 26))
        .await
        .ok();
    // Each alone is none, and for an hour they meet.
    let both = agree(&world, &olivia, alone, window(250, 25, 27)).await;
    assert_eq!(both.problem(), "money-pump");
    agree(&world, &olivia, alone, window(250, 26, 27))
        .await
        .ok();
    // A card that would meet it.
    let settlement = json!({"kind": "cost_plus", "price": "0.1", "commission": "0"});
    let terms = json!({"kind": "ratio", "give": 1, "get": 1});
    let generous = world.publish(card("MILE", "STAR", terms, settlement)).await;
    assert_eq!(generous.problem(), "money-pump");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_campaigns_at_once_that_make_a_pump_together_one_is_refused() {
    let world = with_card().await;
    let olivia = world.sign_in("olivia").await;
    let citymart = world.token("CITYMART").await;
    let mut drafted = Vec::new();
    for _ in 0..2 {
        let one = campaign(&world, json!({"bonus": percent(250)}));
        let one = draft(&world, "CITYMART", one).await.ok();
        step(&world, &citymart, &one, "propose").await.ok();
        drafted.push(one);
    }
    let steps = drafted
        .iter()
        .map(|one| step(&world, &olivia, one, "approve"));
    let answers: Vec<Answer> = futures_util::future::join_all(steps).await;
    assert_eq!(done(&answers, "money-pump"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_that_cannot_be_are_refused_by_their_field() {
    let world = with_card().await;
    let cases = [
        (json!({}), "campaign-terms", "/bonus"),
        (
            json!({"bonus": percent(20), "times": 0}),
            "campaign-terms",
            "/times",
        ),
        (
            json!({"arms": [{"name": "a", "weight": 0}]}),
            "campaign-terms",
            "/arms/0/weight",
        ),
        (
            json!({"bonus": percent(20), "when": {"channel": []}}),
            "campaign-terms",
            "/when/channel",
        ),
        (
            json!({"bonus": percent(20), "allowances": [{"period": "day", "given": 5}]}),
            "campaign-terms",
            "/allowances/0/given",
        ),
        (
            json!({"bonus": percent(20), "zone": "Mars"}),
            "invalid-field",
            "/zone",
        ),
        (
            json!({"bonus": percent(20), "routes": []}),
            "invalid-field",
            "/routes",
        ),
        (
            json!({"bonus": percent(20), "routes": [{"from": "MILE", "to": "STAR"}, {"from": "STAR", "to": "HPT"}]}),
            "invalid-field",
            "/routes/1/to",
        ),
        (
            json!({"bonus": percent(20), "funders": [{"partner": "ptr_1", "weight": 1}]}),
            "invalid-field",
            "/funders/0/partner",
        ),
    ];
    for (more, slug, pointer) in cases {
        let refused = draft(&world, "CITYMART", campaign(&world, more)).await;
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["pointer"]),
            (slug, &json!(pointer))
        );
    }
    let over = campaign(&world, json!({"bonus": percent(20), "ends_at": hours(-1)}));
    assert_eq!(
        draft(&world, "CITYMART", over).await.problem(),
        "campaign-dates"
    );
    let token = world.token("CITYMART").await;
    let list = send(
        world
            .request(reqwest::Method::GET, "/v1/campaigns?limit=0")
            .bearer_auth(token),
    );
    assert_eq!(list.await.problem(), "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_past_the_hub_is_found_by_the_proof() {
    let world = with_card().await;
    let member = rich(&world).await;
    own(&world, json!({"bonus": percent(10), "budget": 500})).await;
    take(&world, &asked(&world, &member, "4000").await)
        .await
        .ok();
    World::assert_right(&world.verify().await);
    let owner = sql::session(&world.url).await;
    owner
        .batch_execute("update budgets set given = 99")
        .await
        .expect("a change");
    let report = world.verify().await;
    let difference = report.difference.expect("a difference");
    assert!(
        difference.contains("is kept as having given 99"),
        "{difference}"
    );
}

/// A whole or a part of a conversion, back.
async fn reverse(world: &World, conversion: &Value, miles: Option<&str>) -> Answer {
    let mut body = json!({"operation": conversion["id"]});
    if let Some(miles) = miles {
        body["amount"] = json!({"amount": miles, "currency": "MILE"});
    }
    world
        .post(&world.token("AERO").await, "/v1/reversals", body)
        .await
}

/// What campaigns with budgets say that they have given.
async fn given(world: &World) -> i64 {
    let sql = "select coalesce(sum(given), 0)::bigint from budgets";
    sql::number(&world.url, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reversed_among_sixty_four_conversions_is_given_again_to_the_last_unit() {
    let world = with_card().await;
    let second = world.second().await;
    own(&world, json!({"bonus": percent(10), "budget": 205})).await;
    let mut members = Vec::new();
    for _ in 0..16 {
        members.push(rich(&world).await);
    }
    let mut quotes = Vec::new();
    for nth in 0..84 {
        quotes.push(asked(&world, &members[nth % 16], "400").await);
    }
    let hubs = [&world, &second];
    let first = take_all(&hubs, &quotes[..20]).await;
    assert_eq!(done(&first, "campaign-budget-used-up"), 20);
    assert_eq!(given(&world).await, 200);

    // Six whole, and six by a quarter: 28 of the 110, and 2 of the 10.
    let aero = world.token("AERO").await;
    let reversals = first[..12].iter().enumerate().map(|(nth, taken)| {
        let mut body = json!({"operation": taken.body["id"]});
        if nth % 2 == 0 {
            body["amount"] = json!({"amount": "100", "currency": "MILE"});
        }
        hubs[nth % 2].post(&aero, "/v1/reversals", body)
    });
    let reversals = futures_util::future::join_all(reversals);
    let (reversed, taken) = tokio::join!(reversals, take_all(&hubs, &quotes[20..]));
    assert!(reversed.iter().all(|answer| answer.status.is_success()));
    let more = done(&taken, "campaign-budget-used-up") as i64;
    let now = given(&world).await;
    assert_eq!(now, 200 - 6 * 10 - 6 * 2 + more * 10);
    assert!(now <= 205, "{now}");
    assert_eq!(balance(&world, "bonus/STAR").await, now);

    let left = 205 - now;
    let member = &members[0];
    let too_much = asked(&world, member, &((left + 1) * 40).to_string()).await;
    assert_eq!(gains(&too_much), ((left + 1) * 10).to_string());
    let last = asked(&world, member, &(left * 40).to_string()).await;
    assert_eq!(gains(&last), (left * 11).to_string());
    take(&world, &last).await.ok();
    assert_eq!(balance(&world, "bonus/STAR").await, 205);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_give_back_what_members_no_longer_have_whoever_paid() {
    let world = with_card().await;
    let member = rich(&world).await;
    let weights = [("CITYMART", 1), ("KWUN", 2), ("BAYVIEW", 4)];
    let funders =
        weights.map(|(code, weight)| json!({"partner": id_of(&world, code), "weight": weight}));
    let shared = json!({"bonus": percent(17), "budget": 1000, "most": 1000, "funders": funders});
    let shared = campaign(&world, shared);
    publish(&world, "CITYMART", &["KWUN", "BAYVIEW"], shared)
        .await
        .ok();
    let quote = asked(&world, &member, "4012").await;
    assert_eq!(gains(&quote), "1173");
    let taken = take(&world, &quote).await.ok();
    let tally = "select sum(gained)::bigint from tallies where key < 0";
    let times = "select sum(times)::bigint from tallies where key < 0";
    for miles in ["1", "7", "999", "1000", "3"] {
        reverse(&world, &taken, Some(miles)).await.ok();
        let had = balance(&world, "bonus/STAR").await;
        assert_eq!(given(&world).await, had, "{miles}");
        assert_eq!(sql::number(&world.url, tally).await, had, "{miles}");
        assert_eq!(sql::number(&world.url, times).await, 1);
        World::assert_right(&world.verify().await);
    }
    reverse(&world, &taken, None).await.ok();
    for sum in [tally, times] {
        assert_eq!(sql::number(&world.url, sum).await, 0);
    }
    assert_eq!(given(&world).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_time_that_is_undone_whole_is_none() {
    let world = with_card().await;
    let member = rich(&world).await;
    own(
        &world,
        json!({"bonus": percent(20), "first_time_only": true}),
    )
    .await;
    let taken = take(&world, &asked(&world, &member, "400").await)
        .await
        .ok();
    let next = async || gains(&asked(&world, &member, "400").await).to_owned();
    assert_eq!(next().await, "100");
    reverse(&world, &taken, Some("399")).await.ok();
    assert_eq!(next().await, "100", "something of it is left");
    reverse(&world, &taken, Some("1")).await.ok();
    assert_eq!(next().await, "120");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_within_a_period_comes_back_with_the_next_and_with_what_is_reversed() {
    let world = with_card().await;
    let member = rich(&world).await;
    let zone = "Asia/Hong_Kong";
    // A day with hours left on both sides, whenever this runs.
    let local = Utc::now().with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).expect("HKT"));
    let to_noon = (36 - i64::from(chrono::Timelike::hour(&local))) % 24;
    world.forward(Duration::hours(to_noon)).await;
    let allowances = json!([{"period": "day", "gained": 50}, {"hours": 2, "times": 2}]);
    let made = own(
        &world,
        json!({"bonus": percent(10), "allowances": allowances, "zone": zone, "ends_at": hours(96)}),
    )
    .await;
    assert_eq!(made["allowances"], allowances);
    let said = made["sentence"].as_str().expect("a sentence");
    assert!(
        said.contains("; at most 50 STAR in a day for one member; 2 times in any 2 hours"),
        "{said}"
    );
    let ask = async |miles| asked(&world, &member, miles).await;
    let first = ask("800").await;
    let again = ask("1600").await;
    assert_eq!((gains(&first), gains(&again)), ("220", "440"));
    let taken = take(&world, &first).await.ok();
    let refused = take(&world, &again).await;
    assert_eq!(refused.problem(), "campaign-limit-reached");
    assert_eq!(
        refused.body["left"],
        json!({"amount": "30", "currency": "STAR"})
    );
    assert!(refused.body["renews_at"].is_string());
    assert_eq!(gains(&ask("1240").await), "310", "31 is more than 30");
    assert_eq!(gains(&ask("1200").await), "330");
    reverse(&world, &taken, None).await.ok();
    let back = ask("2000").await;
    assert_eq!(gains(&back), "550");
    take(&world, &back).await.ok();
    assert_eq!(gains(&ask("40").await), "10");
    World::assert_right(&world.verify().await);

    world.forward(Duration::hours(24)).await;
    for _ in 0..2 {
        let next = ask("400").await;
        assert_eq!(gains(&next), "110");
        take(&world, &next).await.ok();
    }
    assert_eq!(gains(&ask("400").await), "100", "twice in two hours");
    world.forward(Duration::hours(2)).await;
    assert_eq!(gains(&ask("400").await), "110");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_once_a_day_at_two_hubs_one_counts() {
    let world = with_card().await;
    let second = world.second().await;
    let member = rich(&world).await;
    let once = json!([{"hours": 24, "times": 1}]);
    own(&world, json!({"bonus": percent(20), "allowances": once})).await;
    let mut quotes = Vec::new();
    for _ in 0..16 {
        quotes.push(asked(&world, &member, "400").await);
    }
    let answers = take_all(&[&world, &second], &quotes).await;
    assert_eq!(done(&answers, "campaign-limit-reached"), 1);
    World::assert_right(&world.verify().await);
}

/// What a quote gains by a channel.
async fn by_channel(world: &World, member: &Member, channel: Option<&str>) -> Value {
    let gives = json!({"amount": "4000", "currency": "MILE"});
    let wish = json!({"member": member.id, "gives": gives, "to": "STAR", "channel": channel});
    world
        .post(&world.token("AERO").await, "/v1/quotes", wish)
        .await
        .ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_for_who_meets_its_condition_when_the_quote_is_asked_for() {
    let world = with_card().await;
    let (member, other) = (rich(&world).await, rich(&world).await);
    let gold = json!({"tier": {"value": "gold"}});
    let when = json!({"claims": {"tier": ["gold", "ruby"]}, "channel": ["app"]});
    let made = own(&world, json!({"bonus": percent(20), "when": when})).await;
    assert_eq!(made["when"], when);
    let said = made["sentence"].as_str().expect("a sentence");
    assert!(
        said.ends_with("; for members with tier gold or ruby of AERO; via app."),
        "{said}"
    );
    let of_target = json!({"claims": {"tier": ["gold"]}, "of": "target"});
    own(&world, json!({"bonus": percent(5), "when": of_target})).await;

    let gained = async |member: &Member, channel| {
        let quote = by_channel(&world, member, channel).await;
        gains(&quote).to_owned()
    };
    assert_eq!(gained(&member, Some("app")).await, "1000");
    world.attest("AERO", &member, gold.clone()).await;
    assert_eq!(gained(&member, Some("app")).await, "1200");
    assert_eq!(gained(&member, Some("web")).await, "1000");
    assert_eq!(gained(&member, None).await, "1000");
    assert_eq!(gained(&other, Some("app")).await, "1000");
    world.attest("CITYMART", &member, gold).await;
    assert_eq!(gained(&member, Some("app")).await, "1250");
    assert_eq!(gained(&member, None).await, "1050");

    // Taking a quote looks at no claims.
    let quote = by_channel(&world, &member, Some("app")).await;
    world.attest("AERO", &member, json!({})).await;
    world.attest("CITYMART", &member, json!({})).await;
    let taken = take(&world, &quote).await.ok();
    assert_eq!(taken["gains"]["amount"], "1250");
    assert_eq!(gained(&member, Some("app")).await, "1000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_read_only_where_a_campaign_asks_for_them() {
    let world = with_card().await;
    let member = rich(&world).await;
    own(
        &world,
        json!({"bonus": percent(20), "when": {"channel": ["app"]}}),
    )
    .await;
    // Whoever reads them now finds no such column.
    let rename = "alter table memberships rename column claims to hidden";
    world
        .superuser()
        .await
        .batch_execute(rename)
        .await
        .expect(rename);
    assert_eq!(
        gains(&by_channel(&world, &member, Some("app")).await),
        "1200"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_agrees_to_what_rewards_splitting_says_that_it_knows() {
    let world = with_card().await;
    let funders = json!([{"partner": id_of(&world, "KWUN"), "weight": 1}]);
    let fixed = json!({"kind": "fixed", "bonus": 50, "min_given": 400});
    let shared = campaign(&world, json!({"bonus": fixed, "funders": funders}));
    let drafted = draft(&world, "KWUN", shared.clone()).await.ok();
    let pays = "400 and 400 gain 50 more than 800 at once";
    assert_eq!(drafted["lints"][0]["code"], "splitting_pays");
    assert_eq!(drafted["lints"][0]["en"], pays);
    let (kwun, citymart) = (world.token("KWUN").await, world.token("CITYMART").await);
    let path = format!("/v1/campaigns/{}", drafted["id"].as_str().expect("an id"));
    let propose = format!("{path}/propose");
    let refused = world.post(&kwun, &propose, json!({})).await;
    assert_eq!(refused.problem(), "lint-not-acknowledged");
    assert_eq!(refused.body["missing"], json!(["splitting_pays"]));
    step(&world, &kwun, &drafted, "propose").await.ok();
    let read = json!({"content_hash": drafted["content_hash"]});
    let approve = format!("{path}/approve");
    let refused = world.post(&citymart, &approve, read.clone()).await;
    assert_eq!(refused.problem(), "lint-not-acknowledged");
    step(&world, &citymart, &drafted, "approve").await.ok();
    // It is the partners who pay for that.
    let olivia = world.sign_in("olivia").await;
    let active = world.post(&olivia, &approve, read).await.ok();
    assert_eq!(active["state"], "active");
    let once = json!({"first_time_only": true, "bonus": shared["bonus"]});
    let once = draft(&world, "CITYMART", campaign(&world, once)).await.ok();
    assert_eq!(once["lints"], json!([]));
}

/// What the miles of a member could become.
async fn options(world: &World, member: &Member, channel: &str) -> Vec<Value> {
    let aero = world.token("AERO").await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&aero, &path).await.ok();
    let mut wallets = wallets["items"].as_array().expect("wallets").iter();
    let wallet = wallets.find(|wallet| wallet["currency"] == "MILE");
    let wallet = wallet.expect("miles")["id"].as_str().expect("an id");
    let path = format!("/v1/conversions/options?wallet={wallet}&channel={channel}");
    let listed = world.get(&aero, &path).await.ok();
    listed["items"].as_array().expect("options").clone()
}

/// Every option says what a quote for as much says, and the best is first. What it says of stars.
async fn as_quoted(world: &World, member: &Member, channel: &str) -> (Value, Value) {
    let aero = world.token("AERO").await;
    let listed = options(world, member, channel).await;
    let mut differences = Vec::new();
    let mut stars = Value::Null;
    for option in listed {
        differences.push(option["worth"]["difference"].as_i64());
        if !option["through"].is_null() {
            continue;
        }
        let wish = json!({"member": member.id, "gives": option["gives"], "to": option["to"], "channel": channel});
        let quote = world.post(&aero, "/v1/quotes", wish).await;
        if !quote.status.is_success() {
            assert_eq!(quote.problem(), "membership-missing");
            continue;
        }
        let quote = quote.ok();
        for field in [
            "card",
            "gives",
            "gains",
            "bonuses",
            "campaigns",
            "worth",
            "limits",
            "arrives",
        ] {
            assert_eq!(
                option[field], quote[field],
                "{field} by {channel}: {option}"
            );
        }
        if option["to"] == "STAR" {
            stars = option;
        }
    }
    let mut sorted = differences.clone();
    sorted.sort_by_key(|difference| std::cmp::Reverse(*difference));
    assert_eq!(differences, sorted);
    (stars["gains"]["amount"].clone(), stars["rate"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_says_what_a_quote_for_the_same_amount_says() {
    let world = with_card().await;
    let (member, other) = (world.member().await, rich(&world).await);
    world.award(&member, "4000", "MILE").await;
    let olivia = world.sign_in("olivia").await;
    let own = async |more: Value| {
        let wanted = campaign(&world, more);
        agree(&world, &olivia, ("CITYMART", &[]), wanted).await.ok()
    };
    let says = async |channel| {
        let (gains, rate) = as_quoted(&world, &member, channel).await;
        let text = |value: Value| value.as_str().expect("text").to_owned();
        (text(gains), text(rate))
    };
    let told = |gains: &str, rate: &str| (gains.to_owned(), rate.to_owned());
    assert_eq!(says("web").await, told("1000", "0.250000"));

    own(json!({"bonus": percent(10), "budget": 195})).await;
    assert_eq!(says("web").await, told("1100", "0.275000"));
    let gold = json!({"claims": {"tier": ["gold"]}, "channel": ["app"]});
    own(json!({"bonus": percent(20), "when": gold})).await;
    world
        .attest("AERO", &member, json!({"tier": {"value": "gold"}}))
        .await;
    assert_eq!(says("web").await, told("1100", "0.275000"));
    assert_eq!(says("app").await, told("1300", "0.325000"));
    let registered = json!({"bonus": percent(5), "registered_only": true});
    let registered = own(registered).await;
    assert_eq!(says("app").await, told("1300", "0.325000"));
    let path = registered["id"].as_str().expect("an id");
    let path = format!("/v1/campaigns/{path}/registrations");
    let body = json!({"member": member.id, "currency": "MILE"});
    let aero = world.token("AERO").await;
    world.post(&aero, &path, body).await.ok();
    assert_eq!(says("app").await, told("1350", "0.337500"));
    let arms = json!([{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]);
    own(json!({"arms": arms})).await;
    assert_eq!(says("app").await, told("1350", "0.337500"));

    // Somebody else has of the budget what leaves too little, and gives it back.
    let taken = take(&world, &asked(&world, &other, "4000").await)
        .await
        .ok();
    assert_eq!(says("app").await, told("1250", "0.312500"));
    reverse(&world, &taken, Some("400")).await.ok();
    assert_eq!(says("app").await, told("1350", "0.337500"));
    let day = json!([{"period": "ever", "gained": 15}]);
    own(json!({"bonus": percent(1), "allowances": day})).await;
    assert_eq!(says("app").await, told("1360", "0.340000"));
    take(&world, &by_channel(&world, &member, Some("app")).await)
        .await
        .ok();
    world.award(&member, "4000", "MILE").await;
    // Nothing is left of the budget, and five of the last.
    assert_eq!(says("app").await, told("1250", "0.312500"));
    World::assert_right(&world.verify().await);
}
