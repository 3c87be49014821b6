//! Cards for some: by what a brand attests of the member, by the channel, and by the priority where
//! several hold. Stars into hotel points, which the sample coalition does not exchange.

use chrono::{DateTime, Duration, Utc};
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World, issuer};

/// A card of so many stars for so many points, in steps of as many stars.
fn card(give: i64, get: i64, when: Value, priority: i64) -> Value {
    let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0.025"});
    json!({
        "from": "STAR", "to": "HPT", "settlement": settlement, "when": when, "priority": priority,
        "terms": {"kind": "ratio", "give": give, "get": get, "min": give, "step": give},
    })
}

fn tier(tiers: &[&str]) -> Value {
    json!({"claims": {"tier": tiers}})
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

fn gold() -> Value {
    json!({"tier": {"value": "gold"}})
}

async fn step(world: &World, token: &str, card: &Value, step: &str) -> Answer {
    let body = match step {
        "approve" => json!({"content_hash": card["content_hash"]}),
        _ => json!({}),
    };
    let id = card["id"].as_str().expect("an id");
    world
        .post(token, &format!("/v1/rate-cards/{id}/{step}"), body)
        .await
}

/// Agreed by the two brands, with the hub's word missing.
async fn agreed(world: &World, body: Value) -> Value {
    let target = issuer(body["to"].as_str().expect("a currency"));
    let (citymart, other) = (world.token("CITYMART").await, world.token(target).await);
    let drafted = world.post(&citymart, "/v1/rate-cards", body).await.ok();
    step(world, &citymart, &drafted, "propose").await.ok();
    step(world, &other, &drafted, "approve").await.ok()
}

async fn last_word(world: &World, card: &Value) -> Answer {
    step(world, &world.sign_in("olivia").await, card, "approve").await
}

async fn publish(world: &World, body: Value) -> Value {
    let card = agreed(world, body).await;
    last_word(world, &card).await.ok()
}

/// Stars of a member become points by a card that is for those who use the app.
pub async fn convert_in_the_app(world: &World, member: &Member) {
    publish(world, card(100, 50, json!({"channel": ["app"]}), 1)).await;
    world.award(member, "100", "STAR").await;
    let given = quote(world, member, "100", Some("app")).await.ok();
    let order = json!({"quote": given["quote"]});
    let citymart = world.token("CITYMART").await;
    world.post(&citymart, "/v1/conversions", order).await.ok();
}

async fn state(world: &World, card: &Value) -> Value {
    let path = format!("/v1/rate-cards/{}", card["id"].as_str().expect("an id"));
    let auditor = world.sign_in("ada").await;
    world.get(&auditor, &path).await.ok()["state"].clone()
}

async fn quote(world: &World, member: &Member, stars: &str, channel: Option<&str>) -> Answer {
    let gives = json!({"amount": stars, "currency": "STAR"});
    let body = json!({"member": member.id, "gives": gives, "to": "HPT", "channel": channel});
    let citymart = world.token("CITYMART").await;
    world.post(&citymart, "/v1/quotes", body).await
}

async fn gains(world: &World, member: &Member, stars: &str, channel: Option<&str>) -> Value {
    let quote = quote(world, member, stars, channel).await.ok();
    quote["gains"]["amount"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_card_is_for_who_holds_the_tier_and_the_other_for_the_rest() {
    let world = World::new().await;
    // As published: 2 to 1 by 500 for two cards, 11 to 5 by 550 for all others.
    publish(&world, card(550, 250, json!(null), 0)).await;
    let when = json!({"claims": {"card": ["Platinum Charge", "Centurion"]}});
    let better = publish(&world, card(500, 250, when.clone(), 10)).await;
    assert_eq!((&better["when"], &better["priority"]), (&when, &json!(10)));
    assert_eq!(
        better["sentence"],
        "500 STAR or more, in steps of 500, become HPT at 2 to 1; for members with card Platinum Charge or \
         Centurion of CITYMART."
    );

    let (holder, other) = (world.member().await, world.member().await);
    let cards = json!({"card": {"value": "Centurion"}, "tier": {"value": "1"}});
    world.attest("CITYMART", &holder, cards).await;
    assert_eq!(gains(&world, &holder, "500", None).await, "250");
    assert_eq!(gains(&world, &other, "550", None).await, "250");
    let low = quote(&world, &other, "500", None).await;
    assert_eq!(low.problem(), "amount-below-minimum");
    world
        .attest("CITYMART", &other, json!({"card": {"value": "centurion"}}))
        .await;
    let low = quote(&world, &other, "500", None).await;
    assert_eq!(
        low.problem(),
        "amount-below-minimum",
        "values are compared whole"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_counts_for_the_side_that_the_card_names() {
    let world = World::new().await;
    publish(&world, card(100, 50, json!(null), 0)).await;
    let holder_at_target = json!({"claims": {"card": ["aeroplan_visa"]}, "of": "target"});
    publish(&world, card(100, 65, holder_at_target, 10)).await;

    let member = world.member().await;
    let visa = json!({"card": {"value": "aeroplan_visa"}});
    world.attest("CITYMART", &member, visa.clone()).await;
    assert_eq!(
        gains(&world, &member, "100", None).await,
        "50",
        "attested by the other side"
    );
    world.attest("AERO", &member, visa.clone()).await;
    assert_eq!(
        gains(&world, &member, "100", None).await,
        "50",
        "attested by a third"
    );
    world.attest("BAYVIEW", &member, visa).await;
    assert_eq!(gains(&world, &member, "100", None).await, "65");
    world.attest("BAYVIEW", &member, json!({})).await;
    assert_eq!(
        gains(&world, &member, "100", None).await,
        "50",
        "taken back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_ended_falls_back() {
    let world = World::new().await;
    publish(&world, card(100, 40, json!(null), 0)).await;
    publish(&world, card(100, 50, tier(&["platinum", "diamond"]), 1)).await;
    let member = world.member().await;
    let tomorrow = Utc::now() + Duration::days(1);
    let claims = json!({"tier": {"value": "diamond", "valid_until": tomorrow}});
    world.attest("CITYMART", &member, claims).await;
    assert_eq!(gains(&world, &member, "100", None).await, "50");
    world.forward(Duration::days(1)).await;
    assert_eq!(gains(&world, &member, "100", None).await, "40");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_has_its_own_step_and_dates() {
    let world = World::new().await;
    // As published: any even amount by hand, multiples of 2,000 automatically.
    publish(&world, card(2, 1, json!({"channel": ["manual"]}), 1)).await;
    publish(&world, card(2000, 1000, json!({"channel": ["auto"]}), 2)).await;
    let member = world.member().await;
    assert_eq!(gains(&world, &member, "22", Some("manual")).await, "11");
    let off = quote(&world, &member, "2002", Some("auto")).await;
    assert_eq!(off.problem(), "amount-off-step");
    for channel in [None, Some("web")] {
        let refused = quote(&world, &member, "22", channel).await;
        assert_eq!(refused.problem(), "not-eligible");
    }
    let bad = quote(&world, &member, "22", Some("In the app")).await;
    assert_eq!(bad.problem(), "invalid-field");
    assert_eq!(bad.body["errors"][0]["pointer"], "/channel");

    // From another day on for each channel.
    let in_days = |days| Utc::now() + Duration::days(days);
    let manual = card(3, 1, json!({"channel": ["manual"]}), 1);
    publish(&world, with(manual, "valid_from", json!(in_days(10)))).await;
    let auto = card(3000, 1000, json!({"channel": ["auto"]}), 2);
    publish(&world, with(auto, "valid_from", json!(in_days(20)))).await;
    for (days, by_hand, automatic) in [(0, "3", "3000"), (11, "2", "3000"), (10, "2", "2000")] {
        world.forward(Duration::days(days)).await;
        assert_eq!(gains(&world, &member, "6", Some("manual")).await, by_hand);
        assert_eq!(
            gains(&world, &member, "6000", Some("auto")).await,
            automatic
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_priority_decides_where_several_hold() {
    let world = World::new().await;
    publish(&world, card(100, 10, json!(null), -5)).await;
    publish(&world, card(100, 20, tier(&["gold"]), 10)).await;
    let top = publish(&world, card(100, 15, json!({"channel": ["app"]}), 20)).await;
    let member = world.member().await;
    assert_eq!(gains(&world, &member, "100", Some("web")).await, "10");
    world.attest("CITYMART", &member, gold()).await;
    assert_eq!(gains(&world, &member, "100", Some("web")).await, "20");
    // Not the best for the member: the one that its parties put first.
    assert_eq!(gains(&world, &member, "100", Some("app")).await, "15");
    step(&world, &world.sign_in("olivia").await, &top, "halt")
        .await
        .ok();
    assert_eq!(gains(&world, &member, "100", Some("app")).await, "20");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_meant_learns_what_would_make_it_possible() {
    let world = World::new().await;
    let member = world.member().await;
    assert_eq!(
        quote(&world, &member, "100", None).await.problem(),
        "no-rate-card"
    );
    let top = publish(&world, card(100, 50, tier(&["platinum", "diamond"]), 2)).await;
    let when = json!({"claims": {"card": ["visa"]}, "of": "target", "channel": ["app"]});
    publish(&world, card(100, 40, when, 1)).await;
    world.attest("CITYMART", &member, gold()).await;

    let refused = quote(&world, &member, "100", None).await;
    assert_eq!(refused.problem(), "not-eligible");
    let needs = &refused.body["needs"];
    let first = json!({"card": top["id"], "en": "for members with tier platinum or diamond of CITYMART",
        "zh-Hant": "限 CITYMART 確認其 tier 為 platinum 或 diamond 的會員"});
    assert_eq!(needs[0], first);
    assert_eq!(
        needs[1]["en"],
        "for members with card visa of BAYVIEW, via app"
    );
    assert_eq!(needs.as_array().map(Vec::len), Some(2));
    let told = refused.body.to_string();
    assert!(
        !told.contains("gold"),
        "what is attested is not told: {told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cards_of_one_priority_never_overlap() {
    let world = World::new().await;
    let olivia = world.sign_in("olivia").await;
    let in_days = |days| json!(Utc::now() + Duration::days(days));
    let dated = |priority, from, to| {
        let dated = with(
            card(100, 50, tier(&["gold"]), priority),
            "valid_from",
            in_days(from),
        );
        with(dated, "valid_to", in_days(to))
    };
    publish(&world, dated(1, 10, 20)).await;
    for (priority, from, to, is_refused) in [
        (1, 15, 25, true),
        (1, 5, 11, true),
        (1, 20, 30, false),
        (2, 15, 25, false),
        (0, 5, 30, false),
    ] {
        let other = agreed(&world, dated(priority, from, to)).await;
        let answer = step(&world, &olivia, &other, "approve").await;
        match is_refused {
            true => assert_eq!(answer.problem(), "card-dates", "{priority} {from} {to}"),
            false => assert_eq!(answer.ok()["state"], "scheduled", "{priority} {from} {to}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_succeeds_that_of_its_own_priority() {
    let world = World::new().await;
    let plain = publish(&world, card(100, 40, json!(null), 0)).await;
    let first = publish(&world, card(100, 50, tier(&["gold"]), 5)).await;
    let later = json!(Utc::now() + Duration::days(30));
    let next = publish(
        &world,
        with(card(100, 55, tier(&["gold"]), 5), "valid_from", later),
    )
    .await;
    let auditor = world.sign_in("ada").await;
    let ends = async |card: &Value| {
        let path = format!("/v1/rate-cards/{}", card["id"].as_str().expect("an id"));
        world.get(&auditor, &path).await.ok()["valid_to"].clone()
    };
    assert_eq!(ends(&first).await, next["valid_from"]);
    assert!(ends(&plain).await.is_null(), "of another priority");

    step(&world, &world.token("BAYVIEW").await, &next, "withdraw")
        .await
        .ok();
    assert!(ends(&first).await.is_null(), "it goes on");
    publish(&world, card(100, 30, json!(null), 0)).await;
    assert_eq!(state(&world, &plain).await, "superseded");
    assert_eq!(state(&world, &first).await, "active");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_overlap_and_are_published_at_once_one_is() {
    let world = World::new().await;
    let second = world.second().await;
    let olivia = world.sign_in("olivia").await;
    for round in 0..4_i64 {
        let from = Utc::now() + Duration::days(10 * round + 10);
        let dated = |hours| {
            let to: DateTime<Utc> = from + Duration::days(5) + Duration::hours(hours);
            let card = card(100, 50 + hours, tier(&["gold"]), 7);
            with(with(card, "valid_from", json!(from)), "valid_to", json!(to))
        };
        let one = agreed(&world, dated(0)).await;
        let other = agreed(&world, dated(1)).await;
        let (one, other) = tokio::join!(
            step(&world, &olivia, &one, "approve"),
            step(&second, &olivia, &other, "approve")
        );
        let won = [&one, &other]
            .into_iter()
            .filter(|answer| answer.status.is_success());
        assert_eq!(won.count(), 1, "{} {}", one.body, other.body);
        let lost = if one.status.is_success() { other } else { one };
        assert_eq!(lost.problem(), "card-dates");
    }
}

/// What the options say of hotel points: what would be gained, or nothing.
async fn option(world: &World, member: &Member, channel: &str) -> Option<Value> {
    let citymart = world.token("CITYMART").await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&citymart, &path).await.ok();
    let wallet = wallets["items"][0]["id"]
        .as_str()
        .expect("a wallet")
        .to_owned();
    let path = format!("/v1/conversions/options?wallet={wallet}{channel}");
    let options = world.get(&citymart, &path).await.ok();
    let items = options["items"].as_array().expect("items");
    let to_hotel: Vec<&Value> = items
        .iter()
        .filter(|item| item["to"] == "HPT" && item["through"].is_null())
        .collect();
    assert!(to_hotel.len() < 2, "one card decides: {options}");
    to_hotel.first().map(|item| item["gains"]["amount"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_of_a_wallet_follow_the_claims_of_its_member() {
    let world = World::new().await;
    let (member, other) = (world.member().await, world.member().await);
    for member in [&member, &other] {
        world.award(member, "1000", "STAR").await;
    }
    publish(&world, card(100, 50, tier(&["gold"]), 5)).await;
    publish(&world, card(100, 20, json!({"channel": ["app"]}), 1)).await;
    assert_eq!(option(&world, &member, "").await, None);
    assert_eq!(
        option(&world, &member, "&channel=app").await,
        Some(json!("200"))
    );
    world.attest("CITYMART", &member, gold()).await;
    assert_eq!(option(&world, &member, "").await, Some(json!("500")));
    assert_eq!(
        option(&world, &member, "&channel=app").await,
        Some(json!("500"))
    );
    assert_eq!(option(&world, &other, "").await, None);
    world.attest("CITYMART", &member, json!({})).await;
    assert_eq!(option(&world, &member, "&channel=web").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_kept_when_the_claim_is_taken_back() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "1000", "STAR").await;
    let better = publish(&world, card(100, 50, tier(&["gold"]), 5)).await;
    world.attest("CITYMART", &member, gold()).await;
    let given = quote(&world, &member, "1000", None).await.ok();

    world.attest("CITYMART", &member, json!({})).await;
    step(&world, &world.token("BAYVIEW").await, &better, "halt")
        .await
        .ok();
    assert_eq!(
        quote(&world, &member, "1000", None).await.problem(),
        "no-rate-card"
    );
    let order = json!({"quote": given["quote"]});
    let citymart = world.token("CITYMART").await;
    let taken = world.post(&citymart, "/v1/conversions", order).await.ok();
    assert_eq!(
        (&taken["card"], &taken["gains"]["amount"]),
        (&better["id"], &json!("500"))
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_read_only_where_a_card_asks_for_them() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "1000", "STAR").await;
    publish(&world, card(100, 50, json!(null), 0)).await;
    publish(&world, card(100, 40, json!({"channel": ["app"]}), 1)).await;
    // Whoever reads them now finds no such column.
    let rename = "alter table memberships rename column claims to hidden";
    world
        .superuser()
        .await
        .batch_execute(rename)
        .await
        .expect(rename);
    assert_eq!(gains(&world, &member, "100", Some("app")).await, "40");
    assert_eq!(option(&world, &member, "").await, Some(json!("500")));
    publish(&world, card(100, 60, tier(&["gold"]), 2)).await;
    assert_eq!(
        quote(&world, &member, "100", None).await.problem(),
        "unavailable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_protects_from_no_money_pump() {
    let world = World::new().await;
    // The sample coalition gives stars for hotel points.
    let when = json!({"claims": {"tier": ["nobody"]}, "channel": ["nowhere"]});
    let generous = agreed(&world, card(1, 100, when, -9)).await;
    assert_eq!(last_word(&world, &generous).await.problem(), "money-pump");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_cannot_work_is_refused_at_draft() {
    let world = World::new().await;
    let citymart = world.token("CITYMART").await;
    let draft = async |when: Value, priority: i64| {
        world
            .post(&citymart, "/v1/rate-cards", card(100, 50, when, priority))
            .await
    };
    for (when, priority, field, pointer) in [
        (
            json!({"claims": {"tier": []}}),
            0,
            "when.claims.tier",
            "/when/claims/tier",
        ),
        (
            json!({"claims": {"tier": ["a", "a"]}}),
            0,
            "when.claims.tier[1]",
            "/when/claims/tier/1",
        ),
        (json!({"claims": {}}), 0, "when.claims", "/when/claims"),
        (json!({"channel": []}), 0, "when.channel", "/when/channel"),
        (
            json!({"channel": ["app"], "of": "target"}),
            0,
            "when.of",
            "/when/of",
        ),
        (json!({}), 0, "when", "/when"),
        (json!(null), 1001, "priority", "/priority"),
    ] {
        let refused = draft(when.clone(), priority).await;
        assert_eq!(refused.problem(), "card-terms", "{when}");
        assert_eq!(refused.body["field"], field);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    for (when, pointer) in [
        (json!({"claims": {"tier": ["a"]}, "of": "hub"}), "/when/of"),
        (json!({"claims": {"Tier": ["a"]}}), "/when/claims/Tier"),
        (json!({"claims": {"tier": [" "]}}), "/when/claims/tier/0"),
        (json!({"channel": ["In the app"]}), "/when/channel/0"),
        (
            json!({"claims": {"tier": ["a"]}, "unless": {}}),
            "/when/unless",
        ),
    ] {
        let refused = draft(when.clone(), 0).await;
        assert_eq!(refused.problem(), "invalid-field", "{when}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_whom_a_card_is_never_changes() {
    let world = World::new().await;
    let drafted = agreed(&world, card(100, 50, tier(&["gold"]), 3)).await;
    let plain = agreed(&world, card(100, 50, tier(&["gold"]), 4)).await;
    assert_ne!(drafted["content_hash"], plain["content_hash"]);
    let session = crate::sql::session(&world.url).await;
    for change in [
        "priority = 4",
        "condition = null",
        "condition = '{\"channel\":[\"app\"]}'",
    ] {
        let update = format!("update rate_cards set {change} where priority = 3");
        let refused = session.batch_execute(&update).await.expect_err(change);
        let told = refused.as_db_error().and_then(|error| error.constraint());
        assert_eq!(told, Some("rate_cards_never_change"), "{change}");
    }
}

const PUBLISHED: &str = include_str!("../published_rates.csv");

/// The terms of a row of the published table, but for what has no postings yet.
fn terms(row: &str) -> Value {
    let line = PUBLISHED
        .lines()
        .find(|line| line.starts_with(&format!("{row},")));
    let (_, json) = line.expect(row).split_once(",\"{").expect("terms");
    let json = format!("{{{}", json.trim_end_matches('"').replace("\"\"", "\""));
    let mut terms: Value = serde_json::from_str(&json).expect(row);
    terms.as_object_mut().expect("an object").remove("bonuses");
    terms
}

/// A row of the published table, for whom it is, and what it makes of an amount.
struct Row {
    name: &'static str,
    when: Value,
    /// What the issuer of the target or of the source attests, of who gets this row.
    attested: Value,
    channel: Option<&'static str>,
    gives: &'static str,
    gains: &'static str,
}

fn row(name: &'static str, when: Value, gives: &'static str, gains: &'static str) -> Row {
    let first = |claims: &serde_json::Map<String, Value>| {
        let claim = |(name, values): (&String, &Value)| (name.clone(), json!({"value": values[0]}));
        Value::Object(claims.iter().map(claim).collect())
    };
    let channel = match when["channel"][0].as_str() {
        Some("manual") => Some("manual"),
        Some("auto") => Some("auto"),
        _ => None,
    };
    let attested = when["claims"].as_object().map_or_else(|| json!({}), first);
    Row {
        name,
        when,
        attested,
        channel,
        gives,
        gains,
    }
}

/// The rows of a programme, the one for everybody else last.
fn programmes() -> Vec<Vec<Row>> {
    let card = |card: &str| json!({"claims": {"card": [card]}});
    let by = |channel: &str| json!({"channel": [channel]});
    let charge = json!({"claims": {"card": ["Platinum Charge", "Centurion"]}});
    let others = json!(null);
    vec![
        vec![row(
            "R118",
            json!({"claims": {"card": ["aeroplan_visa"]}, "of": "target"}),
            "1000",
            "1000",
        )],
        vec![row("R123", card("limited"), "1000", "800")],
        vec![row("R166", charge.clone(), "400", "250")],
        vec![
            row("R168", charge, "500", "250"),
            row("R169", others.clone(), "550", "250"),
        ],
        vec![
            row("R180", card("tier 1"), "25000", "10000"),
            row("R181", others.clone(), "34500", "10000"),
        ],
        vec![
            row("R204", card("EveryMile"), "800", "16000"),
            row("R205", others, "100", "1000"),
        ],
        vec![row("R217", card("SMBC ANA"), "1000", "600")],
        vec![
            row("R222", by("manual"), "100", "250"),
            row("R223", by("auto"), "100", "200"),
        ],
        vec![row("R233", tier(&["Platinum"]), "6000", "2400")],
        vec![row("R229", card("business"), "6000", "4000")],
        vec![
            row("R231", tier(&["Platinum", "Diamond"]), "6000", "3000"),
            row("R230", tier(&["Awards"]), "6000", "2400"),
        ],
        vec![row("R235", by("manual"), "20000", "10000")],
    ]
}

/// A member of the supermarket and of the charity, whose points become nothing else.
async fn giver(world: &World) -> Member {
    let member = world.member().await;
    let path = format!("/v1/members/{}/link-tokens", member.id);
    let link = world
        .post(
            &world.token("CITYMART").await,
            &path,
            json!({"partner": "OPENHANDS"}),
        )
        .await
        .ok();
    let body = json!({"link_token": link["link_token"], "number": member.id});
    let charity = world.token("OPENHANDS").await;
    world.post(&charity, "/v1/memberships", body).await.ok();
    member
}

#[tokio::test(flavor = "multi_thread")]
async fn published_rows_for_some_price_what_they_say() {
    let world = World::new().await;
    let olivia = world.sign_in("olivia").await;
    let citymart = world.token("CITYMART").await;
    let member = giver(&world).await;
    for rows in programmes() {
        for (row, priority) in rows.iter().rev().zip(0_i64..) {
            let card = card(1, 1, row.when.clone(), priority);
            let card = with(with(card, "to", "GIVE"), "terms", terms(row.name));
            let card = agreed(&world, with(card, "origin", row.name)).await;
            step(&world, &olivia, &card, "approve").await.ok();
        }
        for row in &rows {
            let side = match row.when["of"].as_str() {
                Some("target") => "OPENHANDS",
                _ => "CITYMART",
            };
            world.attest(side, &member, row.attested.clone()).await;
            let gives = json!({"amount": row.gives, "currency": "STAR"});
            let body =
                json!({"member": member.id, "gives": gives, "to": "GIVE", "channel": row.channel});
            let quote = world.post(&citymart, "/v1/quotes", body).await.ok();
            assert_eq!(quote["gains"]["amount"], row.gains, "{}", row.name);
        }
    }
    World::assert_right(&world.verify().await);
}
