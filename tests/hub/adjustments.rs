//! Corrections by the hub's people: nothing moves before a second person agrees, and then once.

use interline::access::{Role, Who};
use interline::approvals::Verdict;
use interline::db;
use interline::id::Kind;
use interline::ledger::adjustments;
use serde_json::{Value, json};

use crate::world::{Answer, Member, World};

async fn propose(world: &World, member: &Member, amount: &str, direction: &str) -> Value {
    let amount = json!({"amount": amount, "currency": "HPT"});
    let body = json!({"member": member.id, "amount": amount, "direction": direction, "reason": "Shown twice at the till"});
    let olivia = world.sign_in("olivia").await;
    world.post(&olivia, "/v1/adjustments", body).await.ok()
}

fn path(adjustment: &Value) -> String {
    format!(
        "/v1/adjustments/{}",
        adjustment["id"].as_str().expect("an id")
    )
}

async fn decide(world: &World, login: &str, adjustment: &Value, word: &str) -> Answer {
    let body = json!({"content_hash": adjustment["content_hash"]});
    let to = format!("{}/{word}", path(adjustment));
    world.post(&world.sign_in(login).await, &to, body).await
}

async fn sweep(world: &World) -> usize {
    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_and_a_debit_are_posted_when_a_second_person_agrees() {
    let world = World::new().await;
    let member = world.member().await;
    let credit = propose(&world, &member, "50", "credit").await;
    assert_eq!(credit["state"], "proposed");
    assert!(credit["expires_at"].is_string());
    assert_eq!(world.balance(&member, "HPT").await, "0");
    let own = decide(&world, "olivia", &credit, "approve").await;
    assert_eq!(own.problem(), "maker-is-checker");

    let posted = decide(&world, "fiona", &credit, "approve").await.ok();
    assert_eq!(posted["state"], "posted");
    assert_eq!(world.balance(&member, "HPT").await, "50");
    let again = decide(&world, "fiona", &credit, "approve").await;
    assert_eq!(again.problem(), "approval-closed");

    let debit = propose(&world, &member, "20", "debit").await;
    decide(&world, "fiona", &debit, "approve").await.ok();
    assert_eq!(world.balance(&member, "HPT").await, "30");
    let bayview = world.token("BAYVIEW").await;
    let wallet = format!(
        "/v1/wallets/{}/statement",
        debit["wallet"].as_str().expect("an id")
    );
    let statement = world.get(&bayview, &wallet).await.ok();
    let last = &statement["items"][0];
    assert_eq!(last["operation"], debit["id"]);
    assert_eq!(
        (&last["kind"], &last["direction"]),
        (&json!("adjustment"), &json!("out"))
    );
    assert_eq!(
        world.get(&bayview, &path(&debit)).await.ok()["state"],
        "posted"
    );
    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, &path(&debit)).await.problem(), "not-found");
    let books = world
        .get(&world.sign_in("fiona").await, "/v1/trial-balance")
        .await
        .ok();
    assert!(books.to_string().contains("adjusted/HPT"));
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_or_too_much_moves_nothing() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10", "HPT").await;
    let rejected = propose(&world, &member, "5", "debit").await;
    assert_eq!(
        decide(&world, "fiona", &rejected, "reject").await.ok()["state"],
        "rejected"
    );
    let late = decide(&world, "fiona", &rejected, "approve").await;
    assert_eq!(late.problem(), "approval-closed");

    let refused = propose(&world, &member, "11", "debit").await;
    let refused = decide(&world, "fiona", &refused, "approve").await.ok();
    assert_eq!(refused["state"], "refused");
    let mut other = propose(&world, &member, "1", "debit").await;
    other["content_hash"] = rejected["content_hash"].clone();
    let changed = decide(&world, "fiona", &other, "approve").await;
    assert_eq!(changed.problem(), "approval-changed");

    world.award(&member, "10", "HPT").await;
    sweep(&world).await;
    assert_eq!(world.balance(&member, "HPT").await, "20");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_agreed_to_before_the_hub_died_is_posted_once() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    let credit = propose(&world, &member, "50", "credit").await;
    let id = credit["id"].as_str().expect("an id");
    let id = world.hub.ids.read(Kind::Adjustment, id).expect("an id");
    let hash = hex::decode(credit["content_hash"].as_str().expect("a hash")).expect("digits");
    // A hub that ends here has committed a person's word, and posted nothing.
    let checker = Who::at_the_console(1_000_000, Role::Finance);
    let mut conn = world.hub.pool.get().await.expect("a connection");
    db::transaction(&mut conn, async |conn| {
        adjustments::agree(conn, &checker, id, &hash, Verdict::Approved).await
    })
    .await
    .expect("an agreement");
    drop(conn);
    assert_eq!(world.balance(&member, "HPT").await, "0");

    let hubs = [&world.hub, &second.hub];
    let sweeps = (0..8).map(|nth| hubs[nth % 2].ledger.sweep(&world.hub.secrets));
    for swept in futures_util::future::join_all(sweeps).await {
        swept.expect("a sweep");
    }
    assert_eq!(world.balance(&member, "HPT").await, "50");
    let read = world
        .get(&world.sign_in("fiona").await, &path(&credit))
        .await;
    assert_eq!(read.ok()["state"], "posted");
    assert_eq!(sweep(&world).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_that_is_approved_many_times_at_once_is_posted_once() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    let credit = propose(&world, &member, "50", "credit").await;
    let (fiona, to) = (
        world.sign_in("fiona").await,
        format!("{}/approve", path(&credit)),
    );
    let body = json!({"content_hash": credit["content_hash"]});
    let hubs = [&world, &second];
    let words = (0..32).map(|nth| hubs[nth % 2].post_with_key(&fiona, &to, "one", body.clone()));
    for answer in futures_util::future::join_all(words).await {
        assert_eq!(answer.ok()["state"], "posted");
    }
    assert_eq!(world.balance(&member, "HPT").await, "50");
    World::assert_right(&world.verify().await);
}
