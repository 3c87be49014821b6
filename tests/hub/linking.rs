//! Linking: what proves that two numbers are one person's, that it counts once, and how a link ends.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

/// What the member brings to a partner from AERO.
async fn brought(world: &World, member: &Member, to: &str) -> Value {
    let path = format!("/v1/members/{}/link-tokens", member.id);
    let body = json!({"partner": to});
    let aero = world.token("AERO").await;
    world.post(&aero, &path, body).await.ok()["link_token"].clone()
}

async fn link(world: &World, partner: &str, link: &Value, number: &str) -> Answer {
    let body = json!({"link_token": link, "number": number});
    let token = world.token(partner).await;
    world.post(&token, "/v1/memberships", body).await
}

/// Somebody that one partner knows and nobody else.
async fn enrolled(world: &World, partner: &str, number: &str) -> Member {
    let token = world.token(partner).await;
    let member = world.post(&token, "/v1/members", json!({"number": number}));
    let id = member.await.ok()["id"].as_str().expect("an id").to_owned();
    Member { id }
}

async fn unlink(world: &World, token: &str, membership: &str) -> Answer {
    let path = format!("/v1/memberships/{membership}/unlink");
    world.post(token, &path, json!({})).await
}

fn told(answers: &[Answer], problem: &str) -> usize {
    let is_it = |answer: &&Answer| answer.body["code"] == problem;
    answers.iter().filter(is_it).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_token_is_good_for_the_brand_that_it_names() {
    let world = World::new().await;
    let member = enrolled(&world, "AERO", "A-1").await;
    let for_hotel = brought(&world, &member, "BAYVIEW").await;
    let shown = link(&world, "CITYMART", &for_hotel, "C-1").await;
    assert_eq!(shown.problem(), "link-invalid");
    let shown = link(&world, "AERO", &for_hotel, "A-2").await;
    assert_eq!(shown.problem(), "link-invalid");
    let linked = link(&world, "BAYVIEW", &for_hotel, "B-1").await.ok();
    assert_eq!(linked["id"], member.id);

    let path = format!("/v1/members/{}/link-tokens", member.id);
    let aero = world.token("AERO").await;
    for nobody in ["AERO", "NOBODY", "bayview", ""] {
        let refused = world.post(&aero, &path, json!({"partner": nobody})).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/partner", "{nobody}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_token_links_once_of_64_at_once_over_two_hubs() {
    let world = World::new().await;
    let second = world.second().await;
    let member = enrolled(&world, "AERO", "A-1").await;
    let token = brought(&world, &member, "BAYVIEW").await;
    let hubs = [&world, &second];
    let (token, numbers) = (&token, 0..64);
    let tries = numbers.map(|n| async move {
        let number = format!("B-{n}");
        link(hubs[n % 2], "BAYVIEW", token, &number).await
    });
    let answers: Vec<Answer> = join_all(tries).await;
    let linked = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((linked, told(&answers, "link-used")), (1, 63));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_stands_alone_becomes_the_members_with_its_points() {
    let world = World::new().await;
    let (traveller, guest) = (
        enrolled(&world, "AERO", "A-1").await,
        enrolled(&world, "BAYVIEW", "B-1").await,
    );
    world.award(&traveller, "20000", "MILE").await;
    world.award(&guest, "700", "HPT").await;
    let membership = world.membership("BAYVIEW", &guest).await;
    let acting = world.acting("BAYVIEW", &guest).await;

    let token = brought(&world, &traveller, "BAYVIEW").await;
    let linked = link(&world, "BAYVIEW", &token, "B-1").await.ok();
    assert_eq!(
        (&linked["id"], &linked["membership"], &linked["number"]),
        (&json!(traveller.id), &json!(membership), &json!("B-1"))
    );
    assert_eq!(world.balance(&traveller, "HPT").await, "700");
    let made = world.convert(&traveller, "10000", "MILE", "HPT").await;
    assert_eq!(made["status"], "completed");

    // Who it was before is nobody now, and what acted for that is over.
    let path = format!("/v1/members/{}", guest.id);
    let bayview = world.token("BAYVIEW").await;
    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    assert_eq!(world.get(&acting, &path).await.problem(), "unauthenticated");
    world.seal().await;
    World::assert_right(&world.verify().await);

    // A number that is linked is not moved, whoever brings what.
    let other = enrolled(&world, "AERO", "A-2").await;
    let token = brought(&world, &other, "BAYVIEW").await;
    let refused = link(&world, "BAYVIEW", &token, "B-1").await;
    assert_eq!(refused.problem(), "number-taken");
    let again = brought(&world, &traveller, "BAYVIEW").await;
    for number in ["B-1", "B-9"] {
        let refused = link(&world, "BAYVIEW", &again, number).await;
        assert_eq!(refused.problem(), "already-member", "{number}");
    }
    // What was refused has used nothing up.
    link(&world, "BAYVIEW", &token, "B-2").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_becomes_one_members_of_64_who_bring_tokens_at_once() {
    let world = World::new().await;
    let second = world.second().await;
    let guest = enrolled(&world, "BAYVIEW", "B-1").await;
    world.award(&guest, "700", "HPT").await;
    let mut tokens = Vec::new();
    for n in 0..64 {
        let member = enrolled(&world, "AERO", &format!("A-{n}")).await;
        tokens.push((brought(&world, &member, "BAYVIEW").await, member));
    }
    let hubs = [&world, &second];
    let tries = tokens.iter().enumerate();
    let tries = tries.map(|(n, (token, _))| link(hubs[n % 2], "BAYVIEW", token, "B-1"));
    let answers: Vec<Answer> = join_all(tries).await;
    let linked: Vec<&Answer> = answers.iter().filter(|it| it.status == 201).collect();
    assert_eq!((linked.len(), told(&answers, "number-taken")), (1, 63));
    let id = linked[0].body["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.balance(&Member { id }, "HPT").await, "700");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_membership_goes_on_by_itself_with_its_points() {
    let world = World::new().await;
    let member = enrolled(&world, "AERO", "A-1").await;
    let token = brought(&world, &member, "BAYVIEW").await;
    link(&world, "BAYVIEW", &token, "B-1").await.ok();
    world.award(&member, "30000", "MILE").await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    let gained = world.balance(&member, "HPT").await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let membership = world.membership("BAYVIEW", &member).await;
    let miles = world.membership("AERO", &member).await;
    let (at_hotel, at_airline) = (
        world.acting("BAYVIEW", &member).await,
        world.acting("AERO", &member).await,
    );

    // Neither the other brand nor the member's token there ends it, nor tells that it is.
    for token in [&aero, &at_airline] {
        let foreign = unlink(&world, token, &membership).await;
        let missing = unlink(&world, token, "mbs_0123456789abcdef").await;
        assert_eq!(foreign.problem(), "not-found");
        assert_eq!(foreign.body["detail"], missing.body["detail"]);
    }
    let alone = unlink(&world, &at_hotel, &membership).await.ok();
    assert_eq!(alone["number"], "B-1");
    assert_ne!(alone["id"], member.id);
    let guest = Member {
        id: alone["id"].as_str().expect("an id").to_owned(),
    };
    assert_eq!(world.balance(&guest, "HPT").await, gained);
    let spend = json!({"member": guest.id, "amount": {"amount": "1", "currency": "HPT"}});
    world.post(&bayview, "/v1/redemptions", spend).await.ok();
    let path = format!("/v1/members/{}", member.id);
    let dead = world.get(&at_hotel, &path).await;
    assert_eq!(dead.problem(), "unauthenticated");
    world.get(&at_airline, &path).await.ok();
    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    let ask =
        json!({"member": member.id, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"});
    let refused = world.post(&aero, "/v1/quotes", ask).await;
    assert_eq!(refused.problem(), "membership-missing");

    // There is nothing more to end on either side.
    for (token, membership) in [(&bayview, &membership), (&aero, &miles)] {
        let refused = unlink(&world, token, membership).await;
        assert_eq!(refused.problem(), "membership-alone");
    }
    // Its partner reads of it, and no other.
    world.seal().await;
    let changes = async |token: &str| {
        let (items, _) = crate::feed::rest(&world, token, "").await;
        let of = |it: &&Value| it["subject"] == *membership;
        let after = |it: &Value| it["data"]["after"].as_str().expect("a state").to_owned();
        items.iter().filter(of).map(after).collect::<Vec<_>>()
    };
    assert_eq!(changes(&aero).await, [""; 0]);
    assert_eq!(changes(&bayview).await, ["joined", "unlinked"]);

    // It can be linked again.
    let token = brought(&world, &member, "BAYVIEW").await;
    let linked = link(&world, "BAYVIEW", &token, "B-1").await.ok();
    assert_eq!(linked["id"], member.id);
    world.seal().await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_quote_from_before_an_unlink_is_taken_and_what_was_taken_is_answered_again() {
    let world = World::new().await;
    let other = world.second().await;
    let member = enrolled(&world, "AERO", "A-1").await;
    let token = brought(&world, &member, "BAYVIEW").await;
    link(&world, "BAYVIEW", &token, "B-1").await.ok();
    world.award(&member, "30000", "MILE").await;
    let quote = async || world.quote(&member, "10000", "MILE", "HPT").await;
    let (taken, left) = (quote().await, quote().await);
    let aero = world.token("AERO").await;
    let take = async |hub: &World, key: &str, quote: &str| {
        let body = json!({"quote": quote});
        hub.post_with_key(&aero, "/v1/conversions", key, body).await
    };
    let made = take(&world, "first", &taken).await.ok();

    let bayview = world.token("BAYVIEW").await;
    let membership = world.membership("BAYVIEW", &member).await;
    unlink(&world, &bayview, &membership).await.ok();

    for hub in [&world, &other] {
        assert_eq!(take(hub, "second", &left).await.problem(), "quote-expired");
        assert_eq!(take(hub, "first", &taken).await.ok(), made);
    }
    assert_eq!(world.balance(&member, "MILE").await, "20000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_is_unlinked_once_of_64_at_once_and_keeps_its_points() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    world.award(&member, "700", "HPT").await;
    let membership = world.membership("BAYVIEW", &member).await;
    let bayview = world.token("BAYVIEW").await;
    let hubs = [&world, &second];
    let (bayview, membership) = (&bayview, &membership);
    let tries = (0..64).map(|n| unlink(hubs[n % 2], bayview, membership));
    let answers: Vec<Answer> = join_all(tries).await;
    let ended: Vec<&Answer> = answers.iter().filter(|it| it.status == 200).collect();
    assert_eq!((ended.len(), told(&answers, "membership-alone")), (1, 63));
    let id = ended[0].body["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.balance(&Member { id }, "HPT").await, "700");
}
