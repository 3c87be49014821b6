//! Award limits: how much and how often a member has points for a reason.

use chrono::Duration;
use futures_util::stream::{FuturesUnordered, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World, send};

const PATH: &str = "/v1/currencies/MILE/award-limits";

async fn set(world: &World, limits: Value) -> Answer {
    let aero = world.token("AERO").await;
    world.put(&aero, PATH, json!({"limits": limits})).await
}

async fn award(world: &World, member: &Member, reason: &str, miles: &str) -> Answer {
    let amount = json!({"amount": miles, "currency": "MILE"});
    let body = json!({"member": member.id, "amount": amount, "reason": reason});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/awards", body).await
}

async fn reverse(world: &World, award: &Value, miles: &str) -> Answer {
    let amount = json!({"amount": miles, "currency": "MILE"});
    let body = json!({"operation": award["id"], "amount": amount});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/reversals", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_in_pays_once_a_day_and_no_more_than_ten() {
    let world = World::new().await;
    let (member, other) = (world.member().await, world.member().await);
    let limits = json!([
        {"reason": "check_in", "period": "day", "times": 1},
        {"reason": "check_in", "period": "day", "amount": "10"},
    ]);
    let answered = set(&world, limits.clone()).await.ok();
    assert_eq!(answered, json!({"limits": limits}));
    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, PATH).await.ok(), answered);

    let much = award(&world, &member, "check_in", "11").await;
    assert_eq!(much.problem(), "limit-reached");
    let miles = |amount: &str| json!({"amount": amount, "currency": "MILE"});
    assert_eq!(much.body["limit"], limits[1]);
    assert_eq!(
        [&much.body["left"], &much.body["needed"]],
        [&miles("10"), &miles("11")]
    );
    assert!(much.body["renews_at"].is_null(), "nothing is used");

    award(&world, &member, "check_in", "4").await.ok();
    let again = award(&world, &member, "check_in", "1").await;
    assert_eq!(again.problem(), "limit-reached");
    assert_eq!(
        (&again.body["left"], &again.body["needed"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(again.body["limit"], limits[0]);
    let renews = again.body["renews_at"].as_str().expect("an instant");
    assert!(renews.ends_with(":00:00Z"), "{renews}");
    // Another reason, another member, another day.
    award(&world, &member, "purchase", "500").await.ok();
    award(&world, &other, "check_in", "10").await.ok();
    world.forward(Duration::days(1)).await;
    award(&world, &member, "check_in", "10").await.ok();
    assert_eq!(world.balance(&member, "MILE").await, "514");

    // Without limits nothing is counted, and nothing of before holds.
    set(&world, json!([])).await.ok();
    award(&world, &member, "check_in", "100").await.ok();
    let report = world.verify().await;
    World::assert_right(&report);
    assert_eq!(report.tallies, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_awards_at_two_hubs_no_more_than_the_limit() {
    let world = World::new().await;
    let second = world.second().await;
    let limits = json!([
        {"reason": "review", "period": "month", "amount": "50"},
        {"reason": "review", "hours": 24, "times": 20},
    ]);
    set(&world, limits).await.ok();
    let (member, often) = (world.member().await, world.member().await);
    let hubs = [&world, &second];
    let awards = (0..64).map(async |nth: usize| {
        let (member, miles) = if nth < 32 {
            (&member, "3")
        } else {
            (&often, "1")
        };
        award(hubs[nth % 2], member, "review", miles).await
    });
    let awards = awards.collect::<FuturesUnordered<_>>().boxed_local();
    let answers: Vec<Answer> = awards.collect().await;
    let (done, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status.is_success());
    assert_eq!((done.len(), refused.len()), (16 + 20, 16 + 12));
    assert!(refused.iter().all(|one| one.problem() == "limit-reached"));
    assert_eq!(world.balance(&member, "MILE").await, "48");
    assert_eq!(world.balance(&often, "MILE").await, "20");
    let last = award(&second, &member, "review", "3").await;
    assert_eq!(last.body["left"]["amount"], "2");
    award(&second, &member, "review", "2").await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_award_that_is_undone_counts_no_more() {
    let world = World::new().await;
    let limits = json!([
        {"reason": "event", "period": "ever", "amount": "50"},
        {"reason": "event", "months": 1, "times": 2},
    ]);
    set(&world, limits).await.ok();
    let member = world.member().await;
    let first = award(&world, &member, "event", "50").await.ok();
    assert_eq!(
        award(&world, &member, "event", "1").await.problem(),
        "limit-reached"
    );
    reverse(&world, &first, "20").await.ok();
    let much = award(&world, &member, "event", "21").await;
    assert_eq!(much.body["left"]["amount"], "20");
    award(&world, &member, "event", "20").await.ok();
    // A part of it is still an award.
    reverse(&world, &first, "10").await.ok();
    let often = award(&world, &member, "event", "1").await;
    assert_eq!(
        (often.problem(), &often.body["left"]),
        ("limit-reached", &json!(0))
    );
    reverse(&world, &first, "20").await.ok();
    award(&world, &member, "event", "30").await.ok();
    assert_eq!(world.balance(&member, "MILE").await, "50");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_their_issuers_and_the_hubs() {
    let world = World::new().await;
    let (bayview, olivia) = (world.token("BAYVIEW").await, world.sign_in("olivia").await);
    let body = json!({"limits": [{"reason": "share", "period": "day", "times": 3}]});
    for answer in [
        world.put(&bayview, PATH, body.clone()).await,
        world.get(&bayview, PATH).await,
    ] {
        assert_eq!(answer.problem(), "not-your-currency");
    }
    assert_eq!(world.put(&olivia, PATH, body.clone()).await.ok(), body);
    let fiona = world.sign_in("fiona").await;
    assert_eq!(world.get(&fiona, PATH).await.ok(), body);
    let nowhere = "/v1/currencies/NONE/award-limits";
    assert_eq!(
        world.put(&olivia, nowhere, body).await.problem(),
        "not-found"
    );

    let once = json!({"reason": "share", "period": "day", "times": 1});
    let cases = [
        (json!([{"reason": "share", "times": 1}]), "0/period"),
        (
            json!([{"reason": "share", "period": "day", "hours": 1, "times": 1}]),
            "0/period",
        ),
        (
            json!([once, {"reason": "share", "period": "day"}]),
            "1/amount",
        ),
        (
            json!([once, {"reason": "share", "period": "day", "amount": "0"}]),
            "1/amount",
        ),
        (
            json!([{"reason": "share", "period": "day", "amount": "0.5"}]),
            "0/amount",
        ),
        (
            json!([{"reason": "share", "hours": 0, "times": 1}]),
            "0/hours",
        ),
        (json!([once, once]), "1/reason"),
    ];
    for (limits, field) in cases {
        let refused = set(&world, limits).await;
        let pointer = json!(format!("/limits/{field}"));
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["pointer"]),
            ("invalid-field", &pointer)
        );
    }
    let nameless = send(world.request(Method::PUT, PATH)).await;
    assert_eq!(nameless.problem(), "unauthenticated");
}
