//! Many at once: the same key, the last points, one quote, one reversal, a suspension, a closing
//! window, a caller who does not wait for the answer. Through one hub and through two.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::sql;
use crate::world::{Answer, Member, World, issuer};

const MANY: usize = 64;

/// Sends them all without waiting for an answer, then waits for every one. Each hub gets its share.
async fn at_once<'w, F: Future<Output = Answer>>(
    hubs: &[&'w World],
    count: usize,
    send: impl Fn(usize, &'w World) -> F,
) -> Vec<Answer> {
    join_all((0..count).map(|nth| send(nth, hubs[nth % hubs.len()]))).await
}

/// One write, sent many times at once under one key, is answered with one and the same answer.
async fn same_key(hubs: &[&World], token: &str, path: &str, body: Value) -> Value {
    let key = Uuid::new_v4().to_string();
    let answers = at_once(hubs, MANY, |_, hub| {
        hub.post_with_key(token, path, &key, body.clone())
    })
    .await;
    let first = answers[0].clone().ok();
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.body, first);
    }
    first
}

/// How many succeeded, and how often each problem was the answer.
fn tally(answers: &[Answer]) -> (usize, Vec<(String, usize)>) {
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .partition(|answer| answer.status.is_success());
    let codes: BTreeSet<&str> = refused.iter().map(|answer| answer.problem()).collect();
    let count = |code: &str| {
        let of_code = refused.iter().filter(|answer| answer.problem() == code);
        (code.to_owned(), of_code.count())
    };
    (done.len(), codes.into_iter().map(count).collect())
}

fn refused(code: &str, count: usize) -> Vec<(String, usize)> {
    vec![(code.to_owned(), count)]
}

fn award(member: &Member, amount: i64, currency: &str) -> Value {
    let amount = json!({"amount": amount.to_string(), "currency": currency});
    json!({"member": member.id, "amount": amount, "reason": "event"})
}

fn redemption(member: &Member, amount: i64, currency: &str) -> Value {
    let amount = json!({"amount": amount.to_string(), "currency": currency});
    json!({"member": member.id, "amount": amount})
}

/// Several quotes for the same.
async fn quotes(
    world: &World,
    member: &Member,
    amount: &str,
    route: [&str; 2],
    count: usize,
) -> Vec<String> {
    let token = world.token(issuer(route[0])).await;
    let gives = json!({"amount": amount, "currency": route[0]});
    let body = json!({"member": member.id, "gives": gives, "to": route[1]});
    let answers = at_once(&[world], count, |_, hub| {
        hub.post(&token, "/v1/quotes", body.clone())
    })
    .await;
    let token = |answer: Answer| answer.ok()["quote"].as_str().expect("a token").to_owned();
    answers.into_iter().map(token).collect()
}

async fn every_write_once(hubs: &[&World]) {
    let world = hubs[0];
    let member = world.member().await;
    let (aero, olivia) = (world.token("AERO").await, world.sign_in("olivia").await);

    same_key(hubs, &aero, "/v1/awards", award(&member, 30_000, "MILE")).await;
    assert_eq!(world.balance(&member, "MILE").await, "30000");
    let spent = same_key(
        hubs,
        &aero,
        "/v1/redemptions",
        redemption(&member, 5_000, "MILE"),
    )
    .await;
    assert_eq!(world.balance(&member, "MILE").await, "25000");
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let taken = same_key(
        hubs,
        &aero,
        "/v1/conversions",
        json!({"quote": quote, "reference": "once"}),
    )
    .await;
    assert_eq!(world.balance(&member, "MILE").await, "15000");
    assert_eq!(world.balance(&member, "HPT").await, "12187");
    for operation in [&taken["id"], &spent["id"]] {
        same_key(
            hubs,
            &aero,
            "/v1/reversals",
            json!({"operation": operation}),
        )
        .await;
    }
    assert_eq!(world.balance(&member, "MILE").await, "30000");
    assert_eq!(world.balance(&member, "HPT").await, "0");

    let number = Uuid::new_v4().simple().to_string();
    let enrolled = same_key(hubs, &aero, "/v1/members", json!({"number": number})).await;
    assert_eq!(enrolled["number"], number.as_str());
    let brand = json!({"code": "ONCE", "name": "Once", "kind": "app", "money": "HKD", "zone": "Asia/Hong_Kong"});
    same_key(hubs, &olivia, "/v1/partners", brand).await;

    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_many_times_at_once_has_one_effect_and_one_answer() {
    let world = World::new().await;
    every_write_once(&[&world]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_to_two_hubs_at_once_has_one_effect_and_one_answer() {
    let world = World::new().await;
    every_write_once(&[&world, &world.second().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bodies_under_one_key_one_takes_effect() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let (member, other) = (world.member().await, world.member().await);
    let aero = world.token("AERO").await;
    for _ in 0..3 {
        let before: [i64; 2] = [
            world.balance(&member, "MILE").await.parse().expect("miles"),
            world.balance(&other, "MILE").await.parse().expect("miles"),
        ];
        // The two bodies lock different wallets: nothing but the key stands between them.
        let bodies = [award(&member, 1, "MILE"), award(&other, 4, "MILE")];
        let key = Uuid::new_v4().to_string();
        let answers = at_once(&hubs, MANY, |nth, hub| {
            hub.post_with_key(&aero, "/v1/awards", &key, bodies[nth / 2 % 2].clone())
        })
        .await;

        assert_eq!(
            tally(&answers),
            (MANY / 2, refused("idempotency-key-reused", MANY / 2))
        );
        let done = answers.iter().filter(|answer| answer.status.is_success());
        let ids: BTreeSet<&str> = done
            .filter_map(|answer| answer.body["id"].as_str())
            .collect();
        assert_eq!(ids.len(), 1);
        let gained = world
            .balance(&member, "MILE")
            .await
            .parse::<i64>()
            .expect("miles")
            - before[0];
        let gained_by_other = world
            .balance(&other, "MILE")
            .await
            .parse::<i64>()
            .expect("miles")
            - before[1];
        assert!(
            matches!((gained, gained_by_other), (1, 0) | (0, 4)),
            "{gained}, {gained_by_other}"
        );
    }

    let numbers = [
        Uuid::new_v4().simple().to_string(),
        Uuid::new_v4().simple().to_string(),
    ];
    let key = Uuid::new_v4().to_string();
    let answers = at_once(&hubs, MANY, |nth, hub| {
        hub.post_with_key(
            &aero,
            "/v1/members",
            &key,
            json!({"number": numbers[nth / 2 % 2]}),
        )
    })
    .await;
    assert_eq!(
        tally(&answers),
        (MANY / 2, refused("idempotency-key-reused", MANY / 2))
    );
    World::assert_right(&world.verify().await);
}

/// Shuts the gate that every group takes.
async fn shut_gate(world: &World) -> Client {
    let gate = sql::session(&world.url).await;
    let shut = format!(
        "begin; select pg_advisory_xact_lock({})",
        interline::db::GATE_LOCK
    );
    gate.batch_execute(&shut).await.expect("the gate");
    gate
}

/// Opens the gate when so many groups wait there: they go on in the same instant.
async fn open_gate(world: &World, gate: Client, groups: i64) {
    let waiting = "select count(*) from pg_stat_activity \
        where datname = current_database() and wait_event = 'advisory'";
    while sql::number(&world.url, waiting).await < groups {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gate.batch_execute("commit").await.expect("the gate opens");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bodies_that_two_hubs_look_at_in_the_same_instant_one_takes_effect() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let (member, other) = (world.member().await, world.member().await);
    let aero = world.token("AERO").await;
    for _ in 0..5 {
        let bodies = [award(&member, 1, "MILE"), award(&other, 4, "MILE")];
        let key = Uuid::new_v4().to_string();
        let bids = at_once(&hubs, 2, |nth, hub| {
            hub.post_with_key(&aero, "/v1/awards", &key, bodies[nth].clone())
        });
        let gate = shut_gate(&world).await;
        let (answers, ()) = tokio::join!(bids, open_gate(&world, gate, 2));
        assert_eq!(tally(&answers), (1, refused("idempotency-key-reused", 1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_reference_again_under_its_key_to_another_hub_is_told_what_it_names() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let member = world.member().await;
    let aero = world.token("AERO").await;
    for nth in 0..20 {
        let mut body = award(&member, 1, "MILE");
        body["reference"] = json!(format!("once-{nth}"));
        let key = Uuid::new_v4().to_string();
        let bids = at_once(&hubs, 2, |_, hub| {
            hub.post_with_key(&aero, "/v1/awards", &key, body.clone())
        });
        let gate = shut_gate(&world).await;
        let (answers, ()) = tokio::join!(bids, open_gate(&world, gate, 2));
        let [first, again] = [0, 1].map(|nth| answers[nth].clone().ok());
        assert_eq!(first, again);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_what_was_refused_can_be_used_again() {
    let world = World::new().await;
    let member = world.member().await;
    let aero = world.token("AERO").await;
    let key = Uuid::new_v4().to_string();
    let spend = redemption(&member, 100, "MILE");

    let answers = at_once(&[&world], 8, |_, hub| {
        hub.post_with_key(&aero, "/v1/redemptions", &key, spend.clone())
    })
    .await;
    assert_eq!(tally(&answers), (0, refused("balance-too-low", 8)));

    world.award(&member, "100", "MILE").await;
    let other_body = redemption(&member, 60, "MILE");
    world
        .post_with_key(&aero, "/v1/redemptions", &key, other_body)
        .await
        .ok();
    assert_eq!(world.balance(&member, "MILE").await, "40");
    let late = world
        .post_with_key(&aero, "/v1/redemptions", &key, spend)
        .await;
    assert_eq!(late.problem(), "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_points_are_spent_once() {
    let world = World::new().await;
    let second = world.second().await;
    let bayview = world.token("BAYVIEW").await;
    for hubs in [&[&world][..], &[&world, &second]] {
        for (orders, room) in [(2, 1), (MANY, 10)] {
            let member = world.member().await;
            world
                .award(&member, &(4_000 * room).to_string(), "HPT")
                .await;
            let quotes = quotes(&world, &member, "4000", ["HPT", "STAR"], orders).await;

            let answers = at_once(hubs, orders, |nth, hub| {
                hub.post(&bayview, "/v1/conversions", json!({"quote": quotes[nth]}))
            })
            .await;

            assert_eq!(
                tally(&answers),
                (room, refused("balance-too-low", orders - room))
            );
            assert_eq!(world.balance(&member, "HPT").await, "0");
        }
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_good_for_one_conversion_however_many_take_it() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    world.award(&member, "640000", "MILE").await;
    let aero = world.token("AERO").await;
    for hubs in [&[&world][..], &[&world, &second]] {
        let quote = world.quote(&member, "10000", "MILE", "HPT").await;
        let answers = at_once(hubs, MANY, |_, hub| {
            hub.post(&aero, "/v1/conversions", json!({"quote": quote}))
        })
        .await;
        assert_eq!(tally(&answers), (1, refused("quote-taken", MANY - 1)));
    }
    assert_eq!(world.balance(&member, "MILE").await, "620000");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_reversed_once_however_many_ask() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    let bayview = world.token("BAYVIEW").await;
    for hubs in [&[&world][..], &[&world, &second]] {
        let given = world.award(&member, "700", "HPT").await;
        let answers = at_once(hubs, MANY, |_, hub| {
            hub.post(&bayview, "/v1/reversals", json!({"operation": given["id"]}))
        })
        .await;
        assert_eq!(tally(&answers), (1, refused("already-reversed", MANY - 1)));
    }
    assert_eq!(world.balance(&member, "HPT").await, "0");
    World::assert_right(&world.verify().await);
}

/// A member with points on hold, and the way to the hold.
async fn held(world: &World, amount: i64) -> (Member, String) {
    let member = world.member().await;
    world.award(&member, &amount.to_string(), "HPT").await;
    let bayview = world.token("BAYVIEW").await;
    let body = redemption(&member, amount, "HPT");
    let hold = world.post(&bayview, "/v1/holds", body).await.ok();
    let path = format!("/v1/holds/{}", hold["id"].as_str().expect("an id"));
    (member, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_at_once_never_take_more_than_is_held() {
    let world = World::new().await;
    let second = world.second().await;
    let bayview = world.token("BAYVIEW").await;
    let (member, path) = held(&world, 100).await;
    let part = json!({"amount": {"amount": "3", "currency": "HPT"}});
    let answers = at_once(&[&world, &second], MANY, |_, hub| {
        let capture = format!("{path}/capture");
        let (bayview, part) = (&bayview, &part);
        async move { hub.post(bayview, &capture, part.clone()).await }
    })
    .await;
    assert_eq!(tally(&answers), (33, refused("more-than-left", MANY - 33)));
    let hold = world.get(&bayview, &path).await.ok();
    assert_eq!(hold["captured"]["amount"], "99");
    assert_eq!(hold["open"]["amount"], "1");
    assert_eq!(world.balance(&member, "HPT").await, "0");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_captures_and_releases_at_once_each_unit_goes_one_way() {
    let world = World::new().await;
    let second = world.second().await;
    let bayview = world.token("BAYVIEW").await;
    let (member, path) = held(&world, 100).await;
    let part = json!({"amount": {"amount": "2", "currency": "HPT"}});
    let answers = at_once(&[&world, &second], MANY, |nth, hub| {
        let step = ["capture", "release"][nth / 2 % 2];
        let path = format!("{path}/{step}");
        let (bayview, part) = (&bayview, &part);
        async move { hub.post(bayview, &path, part.clone()).await }
    })
    .await;
    assert_eq!(tally(&answers), (50, refused("hold-closed", MANY - 50)));
    let hold = world.get(&bayview, &path).await.ok();
    let amount = |of: &str| {
        hold[of]["amount"]
            .as_str()
            .and_then(|units| units.parse::<i64>().ok())
    };
    let (captured, released) = (
        amount("captured").expect("units"),
        amount("released").expect("units"),
    );
    assert_eq!(captured + released, 100);
    assert_eq!(world.balance(&member, "HPT").await, released.to_string());
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_ends_is_captured_or_released_and_never_both() {
    let world = World::new().await;
    let second = world.second().await;
    let bayview = world.token("BAYVIEW").await;
    let (member, path) = held(&world, 640).await;
    let part = json!({"amount": {"amount": "10", "currency": "HPT"}});
    let capture = format!("{path}/capture");
    let hubs = [&world, &second];
    let captures = at_once(&hubs, MANY, |_, hub| {
        hub.post(&bayview, &capture, part.clone())
    });
    let ends = async {
        world.forward(chrono::Duration::days(7)).await;
        for hub in [&world.hub, &second.hub] {
            hub.ledger.sweep(&hub.secrets).await.expect("a sweep");
        }
    };
    let (answers, ()) = futures_util::future::join(captures, ends).await;
    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep");

    let (done, codes) = tally(&answers);
    let late = ["hold-expired", "hold-closed"];
    assert!(
        codes.iter().all(|(code, _)| late.contains(&code.as_str())),
        "{codes:?}"
    );
    let hold = world.get(&bayview, &path).await.ok();
    assert_eq!(hold["captured"]["amount"], (done * 10).to_string());
    assert_eq!(hold["open"]["amount"], "0");
    assert_eq!(
        world.balance(&member, "HPT").await,
        (640 - done * 10).to_string()
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_reversed_at_once_never_make_more_than_the_whole() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    let aero = world.token("AERO").await;
    world.award(&member, "10000", "MILE").await;
    let conversion = world.convert(&member, "10000", "MILE", "HPT").await;
    let part = json!({"amount": "159", "currency": "MILE"});
    let body = json!({"operation": conversion["id"], "amount": part});
    let answers = at_once(&[&world, &second], MANY, |_, hub| {
        hub.post(&aero, "/v1/reversals", body.clone())
    })
    .await;
    assert_eq!(tally(&answers), (62, refused("more-than-left", MANY - 62)));
    let rest = json!({"operation": conversion["id"]});
    let rest = world.post(&aero, "/v1/reversals", rest).await.ok();
    assert_eq!(rest["given_back"]["amount"], "142");
    assert_eq!(world.balance(&member, "MILE").await, "10000");
    assert_eq!(world.balance(&member, "HPT").await, "0");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reversals_that_two_hubs_decide_in_the_same_instant_one_takes_effect() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let member = world.member().await;
    let aero = world.token("AERO").await;
    // There is enough for both: nothing but what they read of each other keeps one from it.
    world.award(&member, "1000", "MILE").await;
    for _ in 0..5 {
        let given = world.award(&member, "64", "MILE").await;
        let reversals = at_once(&hubs, 2, |_, hub| {
            hub.post(&aero, "/v1/reversals", json!({"operation": given["id"]}))
        });
        let gate = shut_gate(&world).await;
        let (answers, ()) = tokio::join!(reversals, open_gate(&world, gate, 2));
        assert_eq!(tally(&answers), (1, refused("already-reversed", 1)));
    }
    assert_eq!(world.balance(&member, "MILE").await, "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_names_one_operation_however_many_claim_it() {
    let world = World::new().await;
    let second = world.second().await;
    // Each claims it for a wallet of its own, so that nothing but the reference is in the way.
    let members = join_all((0..8).map(|_| world.member())).await;
    let aero = world.token("AERO").await;
    let claims = at_once(&[&world, &second], MANY, |nth, hub| {
        let mut body = award(&members[nth % members.len()], 4, "MILE");
        body["reference"] = json!("the one");
        hub.post(&aero, "/v1/awards", body)
    })
    .await;
    assert_eq!(tally(&claims), (1, refused("reference-taken", MANY - 1)));

    let balances = join_all(members.iter().map(|member| world.balance(member, "MILE"))).await;
    let total: i64 = balances
        .iter()
        .map(|balance| balance.parse::<i64>().expect("miles"))
        .sum();
    assert_eq!(total, 4);
    let found = world
        .get(&aero, "/v1/awards?reference=the%20one")
        .await
        .ok();
    let winner = claims.iter().find(|answer| answer.status.is_success());
    assert_eq!(found, winner.expect("one succeeded").body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_for_a_suspended_partner_once_that_is_acknowledged() {
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let member = world.member().await;
    let (aero, olivia) = (world.token("AERO").await, world.sign_in("olivia").await);
    let partner = &world.credentials.partner("AERO").expect("Aero").id;
    let oscar = world.sign_in("oscar").await;
    let status = format!("/v1/partners/{partner}/status");
    let journal = "select count(*) from operations";

    for _ in 0..3 {
        let acknowledged = AtomicBool::new(false);
        let succeeded = AtomicUsize::new(0);
        let steady = join_all((0..8).map(|nth| {
            let (hub, aero, member) = (hubs[nth % 2], &aero, &member);
            let (acknowledged, succeeded) = (&acknowledged, &succeeded);
            async move {
                loop {
                    let late = acknowledged.load(Ordering::SeqCst);
                    let answer = hub.post(aero, "/v1/awards", award(member, 1, "MILE")).await;
                    match answer.status.is_success() {
                        true => {
                            assert!(!late, "an award after the suspension was acknowledged");
                            succeeded.fetch_add(1, Ordering::SeqCst);
                        }
                        false => assert_eq!(answer.problem(), "partner-suspended"),
                    }
                    if late {
                        return;
                    }
                }
            }
        }));
        let suspend = async {
            while succeeded.load(Ordering::SeqCst) < 24 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            world
                .post(&olivia, &status, json!({"state": "suspended"}))
                .await
                .ok();
            acknowledged.store(true, Ordering::SeqCst);
            sql::number(&world.url, journal).await
        };
        let (_, at_acknowledgement) = tokio::join!(steady, suspend);

        assert_eq!(sql::number(&world.url, journal).await, at_acknowledgement);
        let live = json!({"state": "live"});
        crate::life::agreed(&second, &status, [&olivia, &oscar], live)
            .await
            .ok();
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_in_one_window_while_windows_close() {
    const CLOSINGS: i64 = 200;
    let world = World::new().await;
    let second = world.second().await;
    let hubs = [&world, &second];
    let member = world.member().await;
    world.award(&member, "10000000", "HPT").await;
    let bayview = world.token("BAYVIEW").await;
    let fiona = world.sign_in("fiona").await;
    let closed = AtomicBool::new(false);

    let steady = join_all((0..8).map(|nth| {
        let (hub, closed, bayview, member) = (hubs[nth % 2], &closed, &bayview, &member);
        async move {
            let mut done = 0;
            while !closed.load(Ordering::SeqCst) {
                match nth < 4 {
                    true => {
                        hub.post(bayview, "/v1/awards", award(member, 1, "HPT"))
                            .await
                            .ok();
                    }
                    false => {
                        hub.convert(member, "4000", "HPT", "STAR").await;
                    }
                }
                done += 1;
            }
            done
        }
    }));
    let closing = async {
        for nth in 0..CLOSINGS {
            let windows = world
                .get(&fiona, "/v1/settlement/windows?limit=1")
                .await
                .ok();
            let open = windows["items"][0]["id"]
                .as_str()
                .expect("an open window")
                .to_owned();
            let path = format!("/v1/settlement/windows/{open}/close");
            // Two closers at once, through two hubs, make one close.
            let answers = at_once(&hubs, 2, |_, hub| hub.post(&fiona, &path, json!({}))).await;
            assert_eq!(
                tally(&answers),
                (1, refused("window-closed", 1)),
                "closing {nth}"
            );
        }
        closed.store(true, Ordering::SeqCst);
    };
    let (done, ()) = tokio::join!(steady, closing);

    let report = world.verify().await;
    World::assert_right(&report);
    assert_eq!(report.windows, CLOSINGS + 1);
    assert!(done.iter().sum::<i64>() > CLOSINGS, "{done:?}");
    let url = &world.url;
    assert_eq!(
        sql::number(
            url,
            "select count(*) from operations o where not exists \
            (select from groups g join windows w on w.id = g.window_id where g.id = o.id >> 12)"
        )
        .await,
        0
    );
    let torn = "select count(*) from (select window_id, lag(window_id) over (order by id) as earlier from groups) g \
        where window_id < earlier";
    assert_eq!(
        sql::number(url, torn).await,
        0,
        "a window is a contiguous range of groups"
    );
    let gaps = "select count(*) from windows w join windows n on n.id = w.id + 1 where n.opened_at <> w.closed_at";
    assert_eq!(
        sql::number(url, gaps).await,
        0,
        "a window opens when the one before closes"
    );
}

/// Sends a request to the last byte, waits a little, and is gone without having read anything.
fn send_and_leave(
    world: &World,
    token: &str,
    path: &str,
    key: &str,
    body: &Value,
    after: Duration,
) {
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("the hub listens");
    stream.write_all(request.as_bytes()).expect("the hub reads");
    std::thread::sleep(after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_a_whole_effect_or_none() {
    let world = World::new().await;
    let member = world.member().await;
    let aero = world.token("AERO").await;

    // Amounts of 4^n: the balance in base 4 tells how often each took effect.
    const AWARDS: u32 = 24;
    let keys: Vec<String> = (0..AWARDS).map(|_| Uuid::new_v4().to_string()).collect();
    for (nth, key) in (0..AWARDS).zip(&keys) {
        let body = award(&member, 4_i64.pow(nth), "MILE");
        let after = Duration::from_millis(u64::from(nth % 8));
        send_and_leave(&world, &aero, "/v1/awards", key, &body, after);
    }
    for (nth, key) in (0..AWARDS).zip(&keys) {
        let body = award(&member, 4_i64.pow(nth), "MILE");
        world
            .post_with_key(&aero, "/v1/awards", key, body)
            .await
            .ok();
    }
    let once_each: i64 = (0..AWARDS).map(|nth| 4_i64.pow(nth)).sum();
    assert_eq!(world.balance(&member, "MILE").await, once_each.to_string());

    let numbers: Vec<String> = (0..24)
        .map(|_| Uuid::new_v4().simple().to_string())
        .collect();
    for (nth, number) in (0..).zip(&numbers) {
        let after = Duration::from_millis(nth % 12);
        send_and_leave(
            &world,
            &aero,
            "/v1/members",
            number,
            &json!({"number": number}),
            after,
        );
    }
    for number in &numbers {
        let body = json!({"number": number});
        let enrolled = world
            .post_with_key(&aero, "/v1/members", number, body)
            .await
            .ok();
        assert_eq!(enrolled["number"], number.as_str());
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_caller_left_in_the_middle_of_it_holds_nothing_up() {
    let world = World::new().await;
    let olivia = world.sign_in("olivia").await;
    let brand = |nth: usize| json!({"code": format!("GONE{nth}"), "name": "Gone", "kind": "app", "money": "HKD", "zone": "Asia/Taipei"});

    // Publishing waits for the gate, in the middle of its transaction.
    let gate = shut_gate(&world).await;
    for nth in 0..20 {
        send_and_leave(
            &world,
            &olivia,
            "/v1/partners",
            &format!("gone-{nth}"),
            &brand(nth),
            Duration::from_millis(20),
        );
    }
    gate.batch_execute("commit").await.expect("the gate opens");

    for nth in 0..20 {
        let key = format!("gone-{nth}");
        let admitted = world
            .post_with_key(&olivia, "/v1/partners", &key, brand(nth))
            .await
            .ok();
        assert_eq!(admitted["code"], format!("GONE{nth}"));
    }
    let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    assert_eq!(sql::number(&world.url, open).await, 0);
    // A draft, and its step into the sandbox.
    let written = "select count(*) from partners p where code like 'GONE%' and \
        (select count(*) from audit where subject = 'partner' and subject_id = p.id) = 2";
    assert_eq!(sql::number(&world.url, written).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_approve_at_once_one_is_the_last_word() {
    let world = World::new().await;
    let second = world.second().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let operators = [world.sign_in("olivia").await, world.sign_in("oscar").await];

    let terms = json!({"kind": "ratio", "give": 5, "get": 2, "min": 5, "step": 5});
    let settlement = json!({"kind": "cost_plus", "price": "0.008", "commission": "0.02"});
    let body = json!({"from": "MILE", "to": "HPT", "terms": terms, "settlement": settlement});
    let drafted = world.post(&aero, "/v1/rate-cards", body).await.ok();
    let card = format!("/v1/rate-cards/{}", drafted["id"].as_str().expect("an id"));
    let (propose, approve) = (format!("{card}/propose"), format!("{card}/approve"));
    let proposals = at_once(&[&world, &second], 16, |_, hub| {
        hub.post(&aero, &propose, json!({}))
    })
    .await;
    assert_eq!(tally(&proposals), (1, refused("approval-open", 15)));
    let read = json!({"content_hash": drafted["content_hash"]});

    // Both parties, the hub's with two voices, each again and again.
    let voices = [&bayview, &operators[0], &operators[1]];
    let answers = at_once(&[&world, &second], 60, |nth, hub| {
        hub.post(voices[nth % 3], &approve, read.clone())
    })
    .await;

    let (agreed, refusals) = tally(&answers);
    assert_eq!(agreed, 2, "{refusals:?}");
    let known = ["approval-closed", "card-state"];
    assert!(
        refusals
            .iter()
            .all(|(code, _)| known.contains(&code.as_str())),
        "{refusals:?}"
    );
    let url = &world.url;
    let words = "select count(*) from approval_decisions d join approvals a on a.id = d.approval_id \
        where a.id = (select max(id) from approvals)";
    assert_eq!(sql::number(url, words).await, 3, "one word of each party");
    let published = "select count(*) from rate_cards where state = 'published' and valid_to is null \
        and (from_currency, to_currency) = (select from_currency, to_currency from rate_cards order by id desc limit 1)";
    assert_eq!(sql::number(url, published).await, 1);
    World::assert_right(&world.verify().await);
}
