//! Cover: what a partner owes stays within what stands behind it, by one hub and by two, and it is warned
//! before.
//!
//! 10,000 MILE into HPT cost AERO 100 USD, and 10,000 HPT into MILE earn it 28.

use chrono::{Duration, SecondsFormat, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::caps::{Operators, path};
use crate::sql;
use crate::world::{Answer, Member, World};

fn usd(amount: &str) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn line(kind: &str, amount: &str, hours: i64) -> Value {
    let until = Utc::now() + Duration::hours(hours);
    let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
    json!({"kind": kind, "amount": usd(amount), "until": until, "rests_on": "guarantee 4711"})
}

async fn propose(world: &World, body: Value) -> Answer {
    let olivia = world.sign_in("olivia").await;
    propose_as(world, &olivia, body).await
}

async fn propose_as(world: &World, person: &str, body: Value) -> Answer {
    let path = format!("{}/propose", path(world, "AERO"));
    world.post(person, &path, body).await
}

async fn approve(world: &World, proposed: &Value) -> Answer {
    let oscar = world.sign_in("oscar").await;
    let path = format!("{}/approve", path(world, "AERO"));
    let body = json!({"content_hash": proposed["proposed"]["content_hash"]});
    world.post(&oscar, &path, body).await
}

/// Proposed by one and approved by the other.
pub async fn agree(world: &World, body: Value) -> Value {
    let proposed = propose(world, body).await.ok();
    approve(world, &proposed).await.ok()
}

async fn told(world: &World) -> Value {
    let aero = world.token("AERO").await;
    world.get(&aero, &path(world, "AERO")).await.ok()
}

async fn rich(world: &World) -> Member {
    let member = world.member().await;
    world.award(&member, "10000000", "MILE").await;
    world.award(&member, "1000000", "HPT").await;
    member
}

/// Turns 10,000 MILE of each member into HPT, through either hub in turn, all at once.
async fn all_at_once(hubs: [&World; 2], members: &[Member], many: usize) -> Vec<Answer> {
    let aero = hubs[0].token("AERO").await;
    let quotes = (0..many).map(|nth| {
        let member = &members[nth % members.len()];
        hubs[0].quote(member, "10000", "MILE", "HPT")
    });
    let quotes = join_all(quotes).await;
    let take = |(nth, quote): (usize, &String)| {
        hubs[nth % 2].post(&aero, "/v1/conversions", json!({"quote": quote}))
    };
    join_all(quotes.iter().enumerate().map(take)).await
}

/// How many succeeded; all others were refused as `refused`.
fn done(answers: &[Answer], refused: &str) -> usize {
    let failed = answers.iter().filter(|one| !one.status.is_success());
    let failed = failed.inspect(|one| assert_eq!(one.problem(), refused));
    answers.len() - failed.count()
}

/// What a partner is told of its limits, without changes of them.
async fn limit_events(world: &World, token: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = world
            .get(token, &format!("/v1/events?limit=200{after}"))
            .await
            .ok();
        let items = page["items"].as_array().expect("items").iter();
        let is_of_limits = |event: &&Value| {
            event["type"]
                .as_str()
                .is_some_and(|it| it.starts_with("limit.warning"))
        };
        found.extend(items.filter(is_of_limits).cloned());
        let next = format!("&after={}", page["next_cursor"].as_str().expect("a cursor"));
        if next == after {
            return found;
        }
        after = next;
    }
}

async fn warnings(world: &World) -> i64 {
    sql::number(&world.url, "select count(*) from limit_warnings").await
}

#[tokio::test(flavor = "multi_thread")]
async fn cover_admits_what_fits_and_not_one_more_through_two_hubs() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let members = join_all((0..8).map(|_| rich(&world))).await;
    for hub in [&world, &second, &world, &second] {
        hub.convert(&members[0], "10000", "HPT", "MILE").await;
    }
    // A quarter of the 112 that it earned does not count, so it begins at 84 to its good.
    let two = [line("prefund", "2000", 99), line("collateral", "1044", 99)];
    let body = json!({"amount": usd("3100"), "cover": two, "haircut": "0.25"});
    let standing = agree(&world, body).await;
    assert_eq!(standing["counted"], usd("-84.000000"));
    assert_eq!(standing["covered"], usd("3044.000000"));
    assert_eq!(standing["room"], usd("3128.000000"));
    assert_eq!(standing["warned_from"], usd("2435.200000"));
    assert_eq!(standing["warned_since"], Value::Null);

    let answers = all_at_once(hubs, &members, 64).await;
    assert_eq!(done(&answers, "partner-cover-short"), 31);
    let refused = all_at_once(hubs, &members, 1).await;
    assert_eq!(refused[0].problem(), "partner-cover-short");
    assert_eq!(refused[0].body["room"], usd("28.000000"));
    assert_eq!(refused[0].body["needed"], usd("100.000000"));
    let standing = told(&world).await;
    assert_eq!(standing["owes"], usd("2988.000000"));
    assert_eq!(standing["counted"], usd("3016.000000"));
    assert!(standing["warned_since"].is_string());
    assert_eq!(warnings(&world).await, 1, "told once");
    World::assert_right(&world.verify().await);

    // With more cover it is the cap that holds, to the last cent.
    let cover = [line("collateral", "9000", 99)];
    let body = json!({"amount": usd("3916"), "cover": cover});
    let standing = agree(&world, body).await;
    assert_eq!(standing["haircut"], "0.2500", "it stays as it was");
    let answers = all_at_once(hubs, &members, 32).await;
    assert_eq!(done(&answers, "partner-cap-reached"), 9);
    assert_eq!(told(&world).await["room"], usd("0.000000"));

    // What is undone gives back all that it took; what it earns, three quarters.
    let undone = answers.iter().find(|one| one.status.is_success());
    let undone = json!({"operation": undone.expect("some").body["id"]});
    let aero = world.token("AERO").await;
    second.post(&aero, "/v1/reversals", undone).await.ok();
    assert_eq!(told(&world).await["room"], usd("100.000000"));
    world.convert(&members[0], "10000", "HPT", "MILE").await;
    assert_eq!(told(&world).await["room"], usd("121.000000"));
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn cover_that_has_ended_covers_nothing_whoever_holds_a_slice_of_it() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let members = [rich(&world).await];
    let cover = [line("prefund", "500", 50), line("collateral", "100000", 10)];
    agree(&world, json!({"amount": null, "cover": cover})).await;
    let answers = all_at_once(hubs, &members, 8).await;
    assert_eq!(done(&answers, "none"), 8);
    let granted = "select count(*) from slices where granted is not null";
    assert!(sql::number(&world.url, granted).await > 0);

    world.forward(Duration::hours(11)).await;
    let refused = all_at_once(hubs, &members, 8).await;
    assert_eq!(done(&refused, "partner-cover-short"), 0);
    assert_eq!(refused[0].body["room"], usd("0.000000"));
    world.sweep().await;
    let standing = told(&world).await;
    assert_eq!(standing["covered"], usd("500.000000"));
    assert!(standing["warned_since"].is_string(), "also by what ended");
    World::assert_right(&world.verify().await);

    let late = [line("prefund", "1000", 20)];
    let proposed = propose(&world, json!({"amount": null, "cover": late})).await;
    let proposed = proposed.ok();
    world.forward(Duration::hours(11)).await;
    let ended = approve(&world, &proposed).await;
    assert_eq!(ended.problem(), "approval-changed");
    let withdraw = format!("{}/withdraw", path(&world, "AERO"));
    let olivia = world.sign_in("olivia").await;
    world.post(&olivia, &withdraw, json!({})).await.ok();
    let free = agree(&world, json!({"amount": null, "cover": []})).await;
    assert_eq!([&free["room"], &free["cover"]], [&Value::Null; 2]);
    assert_eq!(free["warned_since"], Value::Null);
    let answers = all_at_once(hubs, &members, 4).await;
    assert_eq!(done(&answers, "none"), 4);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_warned_once_each_time_it_comes_near() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let members = [rich(&world).await];
    agree(&world, json!({"amount": usd("1000"), "warn_at": "0.45"})).await;
    let (mut told_so, mut before) = (Vec::new(), 0);
    for nth in 0..6 {
        let answers = all_at_once([hubs[nth % 2], hubs[nth % 2]], &members, 1).await;
        answers.into_iter().for_each(|one| drop(one.ok()));
        before = warnings(&world).await - before;
        told_so.push(before);
        before = warnings(&world).await;
    }
    assert_eq!(told_so, [0, 0, 0, 0, 1, 0], "at 500 of 450");

    for nth in 0..6 {
        hubs[nth % 2]
            .convert(&members[0], "10000", "HPT", "MILE")
            .await;
    }
    world.sweep().await;
    assert_eq!(told(&world).await["warned_since"], Value::Null);
    let answers = all_at_once(hubs, &members, 1).await;
    assert_eq!(done(&answers, "none"), 1);
    assert_eq!(warnings(&world).await, 2, "and again");

    world.seal().await;
    let aero = world.token("AERO").await;
    let events = limit_events(&world, &aero).await;
    let types: Vec<&str> = events.iter().filter_map(|it| it["type"].as_str()).collect();
    let (warned, ended) = ("limit.warning", "limit.warning_ended");
    assert_eq!(types, [warned, ended, warned]);
    let sequences: Vec<i64> = events
        .iter()
        .filter_map(|it| it["sequence"].as_i64())
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    let (first, end) = (&events[0]["data"], &events[1]["data"]);
    assert_eq!(events[0]["subject"], first["partner"]);
    assert_eq!(first["counted"], usd("500.000000"));
    assert_eq!(first["limit"], usd("1000.000000"));
    assert_eq!(
        [&first["warned_since"], &first["ended_at"]],
        [&events[0]["occurred_at"], &Value::Null]
    );
    assert_eq!(
        [&end["warned_since"], &end["ended_at"]],
        [&first["warned_since"], &events[1]["occurred_at"]]
    );
    let bayview = world.token("BAYVIEW").await;
    assert_eq!(limit_events(&world, &bayview).await, [] as [Value; 0]);
    assert!(told(&world).await["warned_since"].is_string());
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_agreed_to_as_they_were_read_and_by_another_person() {
    let world = World::new().await;
    let operators = Operators::of(&world).await;
    let step = |step: &str| format!("{}/{step}", path(&world, "AERO"));
    let one = json!({"amount": usd("100"), "cover": [line("prefund", "50", 99)]});
    let read = propose(&world, one).await.ok();
    let hash = json!({"content_hash": read["proposed"]["content_hash"]});
    let another_session = world.sign_in("olivia").await;
    let own = world.post(&another_session, &step("approve"), hash).await;
    assert_eq!(own.problem(), "maker-is-checker");
    let olivia = &another_session;
    world.post(olivia, &step("withdraw"), json!({})).await.ok();
    let other = json!({"amount": usd("100"), "cover": [line("prefund", "51", 99)]});
    let proposed = propose_as(&world, olivia, other).await.ok();
    assert_eq!(approve(&world, &read).await.problem(), "approval-changed");
    approve(&world, &proposed).await.ok();
    let kept = operators.cap(&world, "AERO", Some("70")).await;
    assert_eq!(kept["covered"], usd("51.000000"), "only the cap was said");

    let bad = [
        (
            json!({"cover": [line("prefund", "0.0000001", 9)]}),
            "amount-scale",
        ),
        (
            json!({"cover": [line("prefund", "1", -1)]}),
            "invalid-field",
        ),
        (json!({"cover": [line("loan", "1", 9)]}), "invalid-field"),
        (
            json!({"cover": [line("prefund", "1000000000000.1", 9)]}),
            "amount-too-large",
        ),
        (
            json!({"cover": vec![line("prefund", "1", 9); 21]}),
            "invalid-field",
        ),
        (json!({"haircut": "1"}), "invalid-field"),
        (json!({"haircut": "0.00001"}), "invalid-field"),
        (json!({"haircut": null, "warn_at": "0"}), "invalid-field"),
    ];
    for (mut body, code) in bad {
        body["amount"] = usd("1");
        let refused = propose_as(&world, olivia, body.clone()).await;
        assert_eq!(refused.problem(), code, "{body}");
    }
    World::assert_right(&world.verify().await);
}
