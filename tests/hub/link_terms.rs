//! Link terms: what a programme asks before points of its members leave it.

use chrono::{DateTime, Duration, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

fn path_of(world: &World, partner: &str) -> String {
    let id = &world.credentials.partner(partner).expect(partner).id;
    format!("/v1/partners/{id}/link-terms")
}

async fn set(world: &World, partner: &str, terms: Value) -> Answer {
    let token = world.token(partner).await;
    world.put(&token, &path_of(world, partner), terms).await
}

fn cooling(hours: u32) -> Value {
    json!({"cooling_off_hours": hours, "step_up": null})
}

fn proof(max_age: Option<u32>, acr_values: &[&str]) -> Value {
    json!({"cooling_off_hours": 0, "step_up": {"max_age": max_age, "acr_values": acr_values}})
}

/// Somebody that AERO knows and nobody else, with miles.
async fn flyer(world: &World) -> Member {
    let aero = world.token("AERO").await;
    let number = uuid::Uuid::new_v4().simple().to_string();
    let enrolled = world.post(&aero, "/v1/members", json!({"number": number}));
    let enrolled = enrolled.await.ok();
    assert!(enrolled["linked_at"].is_null(), "{enrolled}");
    let id = enrolled["id"].as_str().expect("an id").to_owned();
    let member = Member { id };
    world.award(&member, "30000", "MILE").await;
    member
}

/// Links a member of one partner to another, and says when that was.
async fn link(world: &World, member: &Member, from: &str, to: &str) -> DateTime<Utc> {
    let path = format!("/v1/members/{}/link-tokens", member.id);
    let token = world.token(from).await;
    let token = world.post(&token, &path, json!({"partner": to})).await.ok();
    let number = uuid::Uuid::new_v4().simple().to_string();
    let body = json!({"link_token": token["link_token"], "number": number});
    let token = world.token(to).await;
    let made = world.post(&token, "/v1/memberships", body).await.ok();
    instant(&made["linked_at"])
}

fn instant(value: &Value) -> DateTime<Utc> {
    let text = value.as_str();
    let text = text.unwrap_or_else(|| panic!("no instant: {value}"));
    text.parse().expect(text)
}

async fn ask(world: &World, token: &str, member: &Member, of: &str, to: &str) -> Answer {
    let gives = json!({"amount": "10000", "currency": of});
    let body = json!({"member": member.id, "gives": gives, "to": to});
    world.post(token, "/v1/quotes", body).await
}

async fn quoted(world: &World, member: &Member, of: &str, to: &str) -> Answer {
    let token = world.token(crate::world::issuer(of)).await;
    ask(world, &token, member, of, to).await
}

async fn take(world: &World, token: &str, quote: &str) -> Answer {
    let body = json!({"quote": quote});
    world.post(token, "/v1/conversions", body).await
}

/// What a wallet could become, as somebody sees it.
async fn options(world: &World, token: &str, member: &Member) -> Value {
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(token, &path).await.ok();
    let wallet = wallets["items"][0]["id"].as_str().expect("a wallet");
    let path = format!("/v1/conversions/options?wallet={wallet}");
    world.get(token, &path).await.ok()
}

/// Until when it cools off into a currency.
fn cools_until(options: &Value, to: &str) -> Value {
    let items = options["items"].as_array().expect("options");
    let mut items = items.iter().filter(|item| item["to"] == to);
    items.next().expect(to)["cools_until"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_link_cools_off_to_the_instant_and_all_else_goes_on() {
    let world = World::sandbox().await;
    let aero = world.token("AERO").await;
    let answered = set(&world, "AERO", cooling(24)).await.ok();
    assert_eq!(answered, cooling(24));
    let member = flyer(&world).await;
    let linked = link(&world, &member, "AERO", "BAYVIEW").await;

    let refused = quoted(&world, &member, "MILE", "HPT").await;
    assert_eq!(refused.problem(), "link-cooling-off");
    let ends_at = instant(&refused.body["ends_at"]);
    assert_eq!(ends_at, linked + Duration::hours(24));
    let shown = options(&world, &aero, &member).await;
    assert_eq!(instant(&cools_until(&shown, "HPT")), ends_at);
    assert!(shown["step_up"].is_null(), "{shown}");

    // Through the hotel too, but not into what is the airline's own, nor out of the hotel, which asks for nothing.
    link(&world, &member, "AERO", "CITYMART").await;
    let gives = json!({"amount": "10000", "currency": "MILE"});
    let through = json!({"member": member.id, "gives": gives, "to": "STAR", "through": "HPT"});
    let refused = world.post(&aero, "/v1/quotes", through).await;
    assert_eq!(refused.problem(), "link-cooling-off");
    world.award(&member, "12000", "HPT").await;
    world.convert(&member, "10000", "HPT", "MILE").await;
    let ten = json!({"amount": "10", "currency": "MILE"});
    let spent = json!({"member": member.id, "amount": ten});
    for operation in ["/v1/redemptions", "/v1/holds"] {
        world.post(&aero, operation, spent.clone()).await.ok();
    }

    let almost = (ends_at - Utc::now()).num_seconds() - 60;
    let turn = async |seconds: i64| {
        let by = json!({"seconds": seconds});
        world.post(&aero, "/v1/sandbox/clock", by).await.ok();
    };
    turn(almost).await;
    let refused = quoted(&world, &member, "MILE", "HPT").await;
    assert_eq!(refused.problem(), "link-cooling-off");
    turn(61).await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    let shown = options(&world, &aero, &member).await;
    assert!(cools_until(&shown, "HPT").is_null(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_as_old_as_the_one_of_the_two_that_was_linked_last() {
    let world = World::new().await;
    let member = flyer(&world).await;
    link(&world, &member, "AERO", "BAYVIEW").await;
    world.award(&member, "40000", "HPT").await;
    world.forward(Duration::hours(30)).await;
    let young = link(&world, &member, "AERO", "CITYMART").await;
    for partner in ["AERO", "BAYVIEW"] {
        set(&world, partner, cooling(24)).await.ok();
    }

    // The airline and the hotel know each other for longer, whenever their terms were set.
    world.convert(&member, "10000", "MILE", "HPT").await;
    world.convert(&member, "10000", "HPT", "MILE").await;
    let refused = quoted(&world, &member, "HPT", "STAR").await;
    assert_eq!(refused.problem(), "link-cooling-off");
    let ends_at = instant(&refused.body["ends_at"]);
    assert_eq!(ends_at, young + Duration::hours(24));
    let bayview = world.token("BAYVIEW").await;
    let shown = options(&world, &bayview, &member).await;
    assert!(cools_until(&shown, "MILE").is_null(), "{shown}");
    assert_eq!(instant(&cools_until(&shown, "STAR")), ends_at);

    // Who is enrolled long before and linked now is as new as the link; who ends one and links again, too.
    let guest = world.post(&bayview, "/v1/members", json!({"number": "B-1"}));
    guest.await.ok();
    world.forward(Duration::hours(30)).await;
    world.convert(&member, "10000", "HPT", "STAR").await;
    let path = world.membership("CITYMART", &member).await;
    let path = format!("/v1/memberships/{path}/unlink");
    let citymart = world.token("CITYMART").await;
    let alone = world.post(&citymart, &path, json!({})).await.ok();
    assert!(alone["linked_at"].is_null(), "{alone}");
    let other = flyer(&world).await;
    let token = format!("/v1/members/{}/link-tokens", other.id);
    for (partner, number) in [("CITYMART", &alone["number"]), ("BAYVIEW", &json!("B-1"))] {
        let aero = world.token("AERO").await;
        let brought = world.post(&aero, &token, json!({"partner": partner}));
        let body = json!({"link_token": brought.await.ok()["link_token"], "number": number});
        let token = world.token(partner).await;
        let linked = world.post(&token, "/v1/memberships", body).await.ok();
        assert!(instant(&linked["linked_at"]) > young, "{linked}");
    }
    for (of, to) in [("MILE", "HPT"), ("HPT", "STAR")] {
        let refused = quoted(&world, &other, of, to).await;
        assert_eq!(refused.problem(), "link-cooling-off", "{of} into {to}");
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attested_as_debited_goes_over_no_young_link_either() {
    let world = World::new().await;
    world.sky().await;
    let member = flyer(&world).await;
    link(&world, &member, "AERO", "BAYVIEW").await;
    let quote = world.quote(&member, "1000", "SKY", "HPT").await;
    set(&world, "AERO", cooling(1)).await.ok();
    let refused = world.transfer(&member, &quote, "1000", json!({})).await;
    assert_eq!(refused.problem(), "link-cooling-off");
    let refused = quoted(&world, &member, "SKY", "HPT").await;
    assert_eq!(refused.problem(), "link-cooling-off");
    set(&world, "AERO", cooling(0)).await.ok();
    let taken = world.transfer(&member, &quote, "1000", json!({})).await;
    assert_eq!(taken.ok()["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_were_answered_hold_for_every_quote_taken_after_on_any_hub() {
    let world = World::new().await;
    let second = world.second().await;
    let aero = world.token("AERO").await;
    let member = flyer(&world).await;
    link(&world, &member, "AERO", "BAYVIEW").await;
    let other = flyer(&world).await;
    link(&world, &other, "AERO", "BAYVIEW").await;
    link(&world, &other, "AERO", "CITYMART").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let gives = json!({"amount": "10000", "currency": "MILE"});
    let through = json!({"member": other.id, "gives": gives, "to": "STAR", "through": "HPT"});
    let through = world.post(&aero, "/v1/quotes", through).await.ok();
    let through = through["quote"].as_str().expect("a quote").to_owned();

    // While quotes are taken on both hubs; what is taken after the answer is refused.
    let crowd = join_all((0..8).map(|_| flyer(&world))).await;
    let quotes = crowd.iter().map(async |member| {
        link(&world, member, "AERO", "BAYVIEW").await;
        world.quote(member, "10000", "MILE", "HPT").await
    });
    let quotes = join_all(quotes).await;
    let hubs = [&world, &second];
    let (half, rest) = quotes.split_at(4);
    let racing = half
        .iter()
        .enumerate()
        .map(|(nth, quote)| take(hubs[nth % 2], &aero, quote));
    let (answers, answered) = tokio::join!(join_all(racing), set(&world, "AERO", cooling(1)));
    answered.ok();
    for answer in answers {
        let is_either = answer.status == 201 || answer.problem() == "link-cooling-off";
        assert!(is_either, "{}", answer.body);
    }
    let after = rest.iter().chain([&quote, &through]).enumerate();
    for (nth, quote) in after {
        let refused = take(hubs[nth % 2], &aero, quote).await;
        assert_eq!(refused.problem(), "link-cooling-off", "{nth}");
    }
    assert_eq!(world.balance(&member, "MILE").await, "30000");

    // A quote is good still when nothing is asked any more.
    set(&second, "AERO", cooling(0)).await.ok();
    for quote in [&quote, &through] {
        take(&world, &aero, quote).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_of_a_currency_that_came_after_the_link_cool_off_with_it() {
    let world = World::new().await;
    let member = flyer(&world).await;
    let linked = link(&world, &member, "AERO", "BAYVIEW").await;
    let bayview = world.token("BAYVIEW").await;
    let id = &world.credentials.partner("BAYVIEW").expect("BAYVIEW").id;
    let night = json!({"code": "NIGHT", "issuer": id, "name": "Nights", "scale": 0,
        "expiry": {"policy": "rolling", "months": 36}, "display_value": "0.01"});
    world
        .post(world.operator().await, "/v1/currencies", night)
        .await
        .ok();
    let amount = json!({"amount": "50000", "currency": "NIGHT"});
    let award = json!({"member": member.id, "amount": amount, "reason": "purchase"});
    world.post(&bayview, "/v1/awards", award).await.ok();
    set(&world, "BAYVIEW", cooling(2)).await.ok();
    // The airline, where the member began, has no link of its own: it is the hotel's membership that is young.
    let gives = json!({"amount": "10000", "currency": "NIGHT"});
    let body = json!({"member": member.id, "gives": gives, "to": "MILE"});
    let refused = world.post(&bayview, "/v1/quotes", body).await;
    assert_eq!(refused.problem(), "link-cooling-off");
    let ends_at = instant(&refused.body["ends_at"]);
    assert_eq!(ends_at, linked + Duration::hours(2));
    // What stays with the hotel goes over no link.
    let gives = json!({"amount": "10000", "currency": "NIGHT"});
    let body = json!({"member": member.id, "gives": gives, "to": "HPT"});
    let refused = world.post(&bayview, "/v1/quotes", body).await;
    assert_eq!(refused.problem(), "no-rate-card");
}

/// A token that acts for a member who proved itself so many seconds ago, in a way.
async fn acting(world: &World, member: &Member, ago: Option<i64>, acr: Option<&str>) -> String {
    let membership = world.membership("AERO", member).await;
    let at = ago.map(|ago| (Utc::now().timestamp() - ago).to_string());
    let at = at.as_deref().map(|at| ("auth_time", at));
    let acr = acr.map(|acr| ("acr", acr));
    let more: Vec<(&str, &str)> = at.into_iter().chain(acr).collect();
    let granted = world.exchange("AERO", &membership, &more).await.ok();
    let token = granted["access_token"].as_str();
    token.expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_converts_has_proved_itself_as_its_programme_asks() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "30000", "MILE").await;
    let terms = proof(Some(300), &["urn:aero:face", "urn:aero:2fa"]);
    assert_eq!(set(&world, "AERO", terms.clone()).await.ok(), terms);

    let weak = [
        (None, None),
        (Some(0), None),
        (None, Some("urn:aero:2fa")),
        (Some(400), Some("urn:aero:2fa")),
        (Some(0), Some("urn:aero:pin")),
    ];
    for (ago, acr) in weak {
        let token = acting(&world, &member, ago, acr).await;
        let refused = ask(&world, &token, &member, "MILE", "HPT").await;
        assert_eq!(refused.problem(), "insufficient-user-authentication");
        assert_eq!(
            refused.headers["www-authenticate"],
            "Bearer error=\"insufficient_user_authentication\", error_description=\"what the token says of how the \
             member proved itself is too old, or not what its programme asks for\", max_age=\"300\", \
             acr_values=\"urn:aero:face urn:aero:2fa\"",
            "{ago:?} {acr:?}"
        );
        let shown = options(&world, &token, &member).await;
        assert_eq!(shown["step_up"], terms["step_up"]);
    }
    let strong = acting(&world, &member, Some(0), Some("urn:aero:2fa")).await;
    let shown = options(&world, &strong, &member).await;
    assert!(shown["step_up"].is_null(), "{shown}");
    let quote = ask(&world, &strong, &member, "MILE", "HPT").await.ok();
    let quote = quote["quote"].as_str().expect("a quote");

    // What was enough for the quote may not be for taking it; a better proof takes the same quote.
    set(&world, "AERO", proof(None, &["urn:aero:face"]))
        .await
        .ok();
    let refused = take(&world, &strong, quote).await;
    assert_eq!(refused.problem(), "insufficient-user-authentication");
    let challenge = refused.headers["www-authenticate"].to_str().expect("ASCII");
    assert!(challenge.ends_with("acr_values=\"urn:aero:face\"") && !challenge.contains("max_age"));
    let face = acting(&world, &member, None, Some("urn:aero:face")).await;
    take(&world, &face, quote).await.ok();

    // The partner itself knows whom it has before it, and what is no conversion asks for no proof.
    world.convert(&member, "10000", "MILE", "HPT").await;
    let bare = acting(&world, &member, None, None).await;
    let path = format!("/v1/members/{}/wallets", member.id);
    world.get(&bare, &path).await.ok();
}

/// What somebody is told of link terms: what they were and are.
async fn told(world: &World, token: &str) -> Vec<(Value, Value)> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = format!("/v1/events?limit=200{after}");
        let page = world.get(token, &page).await.ok();
        let items = page["items"].as_array().expect("events").iter();
        let items = items.filter(|it| it["type"] == "link_terms.changed");
        found.extend(items.map(|it| (it["data"]["before"].clone(), it["data"]["after"].clone())));
        let next = format!("&after={}", page["next_cursor"].as_str().expect("a cursor"));
        if next == after {
            return found;
        }
        after = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_the_programmes_own_and_everybody_is_told() {
    let world = World::new().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let path = path_of(&world, "AERO");
    assert_eq!(world.get(&bayview, &path).await.ok(), cooling(0));
    for (token, problem) in [
        (&*bayview, "not-found"),
        (world.operator().await, "forbidden"),
    ] {
        let refused = world.put(token, &path, cooling(1)).await;
        assert_eq!(refused.problem(), problem);
    }
    let wrong = [
        (json!({"cooling_off_hours": 8761}), "/cooling_off_hours"),
        (proof(Some(0), &[]), "/step_up/max_age"),
        (proof(None, &[]), "/step_up"),
        (proof(None, &["a b"]), "/step_up/acr_values"),
        (proof(None, &["a", "a"]), "/step_up/acr_values"),
    ];
    for (terms, pointer) in wrong {
        let refused = set(&world, "AERO", terms).await;
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    let both = json!({"cooling_off_hours": 24, "step_up": {"max_age": 300, "acr_values": ["urn:aero:2fa"]}});
    set(&world, "AERO", both.clone()).await.ok();
    set(&world, "AERO", cooling(0)).await.ok();
    for token in [&aero, &bayview] {
        assert_eq!(world.get(token, &path).await.ok(), cooling(0));
    }

    world.seal().await;
    let said = [
        (
            "cooling-off 0 h",
            "cooling-off 24 h; proof within 300 s; by urn:aero:2fa",
        ),
        (
            "cooling-off 24 h; proof within 300 s; by urn:aero:2fa",
            "cooling-off 0 h",
        ),
    ];
    for token in [&*aero, &*bayview, world.operator().await] {
        let told = told(&world, token).await;
        let said = said.map(|(before, after)| (json!(before), json!(after)));
        assert_eq!(told, said);
    }
    World::assert_right(&world.verify().await);
}
