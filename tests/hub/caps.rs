//! Caps: never exceeded and used up to the last unit, by one hub and by two; who may set them.
//!
//! 10,000 MILE into HPT cost AERO 100 USD, and 10,000 HPT into MILE earn it 28.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World};

/// The two who propose and approve.
pub struct Operators {
    olivia: String,
    oscar: String,
}

impl Operators {
    pub async fn of(world: &World) -> Operators {
        Operators {
            olivia: world.sign_in("olivia").await,
            oscar: world.sign_in("oscar").await,
        }
    }

    pub async fn propose(&self, world: &World, code: &str, amount: Option<&str>) -> Answer {
        let money = if code == "CITYMART" { "HKD" } else { "USD" };
        let amount = amount.map(|amount| json!({"amount": amount, "currency": money}));
        let body = json!({"amount": amount});
        let path = format!("{}/propose", path(world, code));
        world.post(&self.olivia, &path, body).await
    }

    /// Proposed by one and approved by the other.
    pub async fn cap(&self, world: &World, code: &str, amount: Option<&str>) -> Value {
        let proposed = self.propose(world, code, amount).await.ok();
        let body = json!({"content_hash": proposed["proposed"]["content_hash"]});
        let path = format!("{}/approve", path(world, code));
        world.post(&self.oscar, &path, body).await.ok()
    }
}

pub fn path(world: &World, code: &str) -> String {
    let partner = world.credentials.partner(code).expect(code);
    format!("/v1/partners/{}/cap", partner.id)
}

/// What AERO owes and how much more it may.
async fn standing(world: &World) -> [String; 2] {
    let (aero, path) = (world.token("AERO").await, path(world, "AERO"));
    let body = world.get(&aero, &path).await.ok();
    ["owes", "room"].map(|of| body[of]["amount"].as_str().unwrap_or("any").to_owned())
}

async fn rich(world: &World) -> Member {
    let member = world.member().await;
    world.award(&member, "10000000", "MILE").await;
    world.award(&member, "100000", "HPT").await;
    member
}

/// Tries to turn 10,000 MILE of a member into HPT.
async fn try_it(world: &World, aero: &str, member: &Member) -> Answer {
    let quote = world.quote(member, "10000", "MILE", "HPT").await;
    world
        .post(aero, "/v1/conversions", json!({"quote": quote}))
        .await
}

/// How many of them succeeded; all others were refused for the cap.
fn done(answers: &[Answer]) -> usize {
    let refused = answers.iter().filter(|one| !one.status.is_success());
    let refused = refused.inspect(|one| assert_eq!(one.problem(), "partner-cap-reached"));
    answers.len() - refused.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_admits_what_fits_and_not_one_more_through_two_hubs() {
    const MANY: usize = 64;
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let aero = world.token("AERO").await;
    let operators = Operators::of(&world).await;
    operators.cap(&world, "AERO", Some("3728")).await;
    let members = join_all((0..8).map(|_| rich(&world))).await;
    let quotes = join_all(
        (0..MANY).map(|nth| world.quote(&members[nth % members.len()], "10000", "MILE", "HPT")),
    )
    .await;

    let take = |(nth, quote): (usize, &String)| {
        hubs[nth % 2].post(&aero, "/v1/conversions", json!({"quote": quote}))
    };
    let answers = join_all(quotes.iter().enumerate().map(take)).await;

    assert_eq!(done(&answers), 37);
    assert_eq!(standing(&world).await, ["3700.000000", "28.000000"]);
    let refused = try_it(&second, &aero, &members[0]).await;
    let usd = |amount: &str| json!({"amount": amount, "currency": "USD"});
    assert_eq!(refused.problem(), "partner-cap-reached");
    assert_eq!(refused.body["room"], usd("28.000000"));
    assert_eq!(refused.body["needed"], usd("100.000000"));

    // What the partner is owed makes room again.
    for hub in [&world, &second, &world] {
        hub.convert(&members[1], "10000", "HPT", "MILE").await;
    }
    assert_eq!(standing(&world).await, ["3616.000000", "112.000000"]);
    let answers = join_all((0..8).map(|nth| try_it(hubs[nth % 2], &aero, &members[nth]))).await;
    assert_eq!(done(&answers), 1);

    // A cap that is used up exactly.
    operators.cap(&world, "AERO", Some("4016")).await;
    let answers = join_all((0..8).map(|nth| try_it(hubs[nth % 2], &aero, &members[nth]))).await;
    assert_eq!(done(&answers), 3);
    assert_eq!(standing(&world).await, ["4016.000000", "0.000000"]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_idle_hub_was_granted_is_sold_by_the_other() {
    let world = World::new().await;
    let second = world.second().await;
    let aero = world.token("AERO").await;
    let operators = Operators::of(&world).await;
    operators.cap(&world, "AERO", Some("6400")).await;
    let member = rich(&world).await;
    try_it(&world, &aero, &member).await.ok();
    let unused = "select count(*) from slices where granted > owed";
    assert_eq!(sql::number(&world.url, unused).await, 1);

    for _ in 0..63 {
        try_it(&second, &aero, &member).await.ok();
    }
    let refused = try_it(&second, &aero, &member).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    let refused = try_it(&world, &aero, &member).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    assert_eq!(standing(&world).await, ["6400.000000", "0.000000"]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_passes_the_cap_and_nothing_else_does_until_it_is_below() {
    let world = World::new().await;
    let second = world.second().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let operators = Operators::of(&world).await;
    let member = rich(&world).await;
    let earned = world.convert(&member, "10000", "HPT", "MILE").await;
    operators.cap(&world, "AERO", Some("72")).await;
    try_it(&world, &aero, &member).await.ok();
    assert_eq!(standing(&world).await, ["72.000000", "0.000000"]);

    let body = json!({"operation": earned["id"]});
    second.post(&bayview, "/v1/reversals", body).await.ok();
    assert_eq!(standing(&world).await, ["100.000000", "0.000000"]);
    for hub in [&world, &second] {
        let refused = try_it(hub, &aero, &member).await;
        assert_eq!(refused.problem(), "partner-cap-reached");
    }
    World::assert_right(&world.verify().await);

    // Credits bring it below, through either hub, and then only what is below may be owed.
    for hub in [&world, &second, &world] {
        hub.convert(&member, "10000", "HPT", "MILE").await;
    }
    assert_eq!(standing(&world).await, ["16.000000", "56.000000"]);
    let refused = try_it(&second, &aero, &member).await;
    assert_eq!(refused.problem(), "partner-cap-reached");
    operators.cap(&world, "AERO", Some("116")).await;
    try_it(&second, &aero, &member).await.ok();
    assert_eq!(standing(&world).await, ["116.000000", "0.000000"]);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_is_set_raised_and_taken_away_under_load_holds_at_once() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let aero = world.token("AERO").await;
    let operators = Operators::of(&world).await;
    let members = join_all((0..6).map(|_| rich(&world))).await;
    let succeeded = AtomicUsize::new(0);
    let until_refused = || {
        join_all(members.iter().enumerate().map(|(nth, member)| {
            let (hub, aero, succeeded) = (hubs[nth % 2], &aero, &succeeded);
            async move {
                loop {
                    let answer = try_it(hub, aero, member).await;
                    if !answer.status.is_success() {
                        assert_eq!(answer.problem(), "partner-cap-reached");
                        return;
                    }
                    succeeded.fetch_add(1, Ordering::SeqCst);
                }
            }
        }))
    };
    let set = async {
        while succeeded.load(Ordering::SeqCst) < 12 {
            tokio::task::yield_now().await;
        }
        operators.cap(&second, "AERO", Some("10000")).await;
    };

    tokio::join!(until_refused(), set);
    assert_eq!(succeeded.load(Ordering::SeqCst), 100);
    assert_eq!(standing(&world).await, ["10000.000000", "0.000000"]);

    operators.cap(&world, "AERO", Some("12050")).await;
    until_refused().await;
    assert_eq!(succeeded.load(Ordering::SeqCst), 120);
    operators.cap(&world, "AERO", Some("500")).await;
    until_refused().await;
    assert_eq!(standing(&world).await, ["12000.000000", "0.000000"]);
    World::assert_right(&world.verify().await);

    operators.cap(&world, "AERO", None).await;
    try_it(&second, &aero, &members[0]).await.ok();
    assert_eq!(standing(&world).await, ["12100.000000", "any"]);
    assert_eq!(
        sql::number(&world.url, "select count(*) from slices").await,
        0
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_needs_a_second_operator_and_is_each_partner_s_own() {
    let world = World::new().await;
    let operators = Operators::of(&world).await;
    let (olivia, oscar) = (&operators.olivia, &operators.oscar);
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let cap = path(&world, "AERO");
    let step = |step: &str| format!("{cap}/{step}");

    let proposed = operators
        .propose(&world, "AERO", Some("250000.5"))
        .await
        .ok();
    assert_eq!(proposed["amount"], Value::Null, "it is not in force yet");
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let own = world.post(olivia, &step("approve"), hash.clone()).await;
    assert_eq!(own.problem(), "maker-is-checker");
    let other = json!({"content_hash": "00"});
    let other = world.post(oscar, &step("approve"), other).await;
    assert_eq!(other.problem(), "approval-changed");
    let second = operators.propose(&world, "AERO", None).await;
    assert_eq!(second.problem(), "approval-open");
    let approved = world.post(oscar, &step("approve"), hash.clone()).await.ok();
    assert_eq!(approved["amount"]["amount"], "250000.500000");
    let again = world.post(oscar, &step("approve"), hash).await;
    assert_eq!(again.problem(), "approval-closed");

    let proposed = operators.propose(&world, "AERO", None).await.ok();
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let rejected = world.post(oscar, &step("reject"), hash).await.ok();
    assert_eq!(rejected["proposed"], Value::Null);
    operators.propose(&world, "AERO", Some("0")).await.ok();
    let seen = world.get(&aero, &cap).await.ok();
    assert_eq!(seen["proposed"], Value::Null, "that is the hub's matter");
    let withdrawn = world.post(oscar, &step("withdraw"), json!({})).await.ok();
    assert_eq!(withdrawn["amount"]["amount"], "250000.500000");
    let nothing = world.post(oscar, &step("withdraw"), json!({})).await;
    assert_eq!(nothing.problem(), "approval-closed");

    assert_eq!(world.get(&bayview, &cap).await.problem(), "not-found");
    let told = |amount: &str, currency: &str| {
        let body = json!({"amount": {"amount": amount, "currency": currency}});
        world.post(olivia, &cap, body)
    };
    assert_eq!(told("1", "USD").await.problem(), "method-not-allowed");
    for (amount, currency, code) in [
        ("1", "HKD", "invalid-field"),
        ("-1", "USD", "invalid-field"),
        ("0.0000001", "USD", "amount-scale"),
        ("1000000000000.000001", "USD", "amount-too-large"),
    ] {
        let body = json!({"amount": {"amount": amount, "currency": currency}});
        let refused = world.post(olivia, &step("propose"), body).await;
        assert_eq!(refused.problem(), code, "{amount} {currency}");
    }
    let changes = "select count(*) from audit where subject = 'partner_cap'";
    assert_eq!(sql::number(&world.url, changes).await, 1);
}
