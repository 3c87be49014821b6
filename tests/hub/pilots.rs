//! Pilots: what one opens and no more, to the unit and to the member, on every hub at once; more takes two.

use futures_util::future::join_all;
use interline::partners::life::Act;
use serde_json::{Value, json};

use crate::life;
use crate::office::Office;
use crate::sql;
use crate::world::{Answer, Member, World};

fn path(world: &World, code: &str) -> String {
    let partner = world.credentials.partner(code).expect(code);
    format!("/v1/partners/{}/pilot", partner.id)
}

fn pilot(allows: &[&str], members: Option<i64>, most: Option<(&str, &str)>) -> Value {
    let most = most.map(|(amount, currency)| json!({"amount": amount, "currency": currency}));
    let most: Vec<Value> = most.into_iter().collect();
    json!({"pilot": {"allows": allows, "members": members, "per_operation": most}})
}

async fn set(world: &World, code: &str, body: Value) -> Answer {
    let operator = world.operator().await.to_owned();
    world.put(&operator, &path(world, code), body).await
}

async fn award(world: &World, member: &Member, amount: &str) -> Answer {
    let body = json!({"member": member.id, "reason": "event", "amount": {"amount": amount, "currency": "MILE"}});
    world
        .post(&world.token("AERO").await, "/v1/awards", body)
        .await
}

async fn enrol(world: &World, number: &str) -> Answer {
    let aero = world.token("AERO").await;
    world
        .post(&aero, "/v1/members", json!({"number": number}))
        .await
}

async fn wish(world: &World, member: &Member, amount: &str, (from, to): (&str, &str)) -> Answer {
    let body =
        json!({"member": member.id, "gives": {"amount": amount, "currency": from}, "to": to});
    let partner = if from == "MILE" { "AERO" } else { "BAYVIEW" };
    world
        .post(&world.token(partner).await, "/v1/quotes", body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_narrows_and_two_widen() {
    let world = World::new().await;
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let path = path(&world, "AERO");
    let put = async |who: &str, body: Value| world.put(who, &path, body).await;

    let narrow = pilot(&["enrol", "award"], Some(9), Some(("50", "MILE")));
    let narrowed = put(&olivia, narrow.clone()).await.ok();
    assert_eq!(narrowed["pilot"]["members"], 9);
    assert_eq!(narrowed["proposed"], Value::Null);
    let again = put(&oscar, narrow).await.ok();
    assert_eq!(again, narrowed, "what is so already stays so");
    let status = world.get(&olivia, &life::status(&world, "AERO")).await.ok();
    let open = [
        "read",
        "enrol",
        "act_for_members",
        "award",
        "reverse",
        "adjust",
    ];
    assert_eq!(status["allows"], json!(open));

    for wider in [
        pilot(&["enrol", "award", "hold"], Some(9), Some(("50", "MILE"))),
        pilot(&["enrol", "award"], None, Some(("50", "MILE"))),
        pilot(&["enrol", "award"], Some(9), Some(("51", "MILE"))),
        pilot(&["enrol", "award"], Some(9), None),
        json!({"pilot": null}),
    ] {
        let proposed = put(&olivia, wider).await.ok();
        assert_eq!(proposed["pilot"], narrowed["pilot"]);
        let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
        let own = world
            .post(&olivia, &format!("{path}/approve"), hash.clone())
            .await;
        assert_eq!(own.problem(), "maker-is-checker");
        let rejected = world
            .post(&oscar, &format!("{path}/reject"), hash)
            .await
            .ok();
        assert_eq!(rejected["proposed"], Value::Null);
    }

    // A narrower pilot takes the place of what waits.
    let waiting = put(&olivia, json!({"pilot": null})).await.ok();
    assert_eq!(waiting["proposed"]["pilot"], Value::Null);
    let taken = put(&oscar, pilot(&["award"], Some(9), Some(("50", "MILE"))))
        .await
        .ok();
    assert_eq!(taken["proposed"], Value::Null);
    let hash = json!({"content_hash": waiting["proposed"]["content_hash"]});
    let late = world.post(&oscar, &format!("{path}/approve"), hash).await;
    assert_eq!(late.problem(), "approval-closed");

    let ended = put(&oscar, json!({"pilot": null})).await.ok();
    let hash = json!({"content_hash": ended["proposed"]["content_hash"]});
    let ended = world
        .post(&olivia, &format!("{path}/approve"), hash)
        .await
        .ok();
    assert_eq!(
        (&ended["pilot"], &ended["proposed"]),
        (&Value::Null, &Value::Null)
    );
    let status = world.get(&olivia, &life::status(&world, "AERO")).await.ok();
    assert_eq!(
        status["allows"].as_array().map(Vec::len),
        Some(Act::ALL.len())
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pilot_cannot_be_is_told() {
    let world = World::new().await;
    for (body, pointer) in [
        (pilot(&["read"], None, None), "/pilot/allows/0"),
        (pilot(&["award", "award"], None, None), "/pilot/allows/1"),
        (pilot(&[], Some(-1), None), "/pilot/members"),
        (
            pilot(&[], None, Some(("5", "HPT"))),
            "/pilot/per_operation/0/currency",
        ),
        (
            pilot(&[], None, Some(("0.5", "MILE"))),
            "/pilot/per_operation/0",
        ),
    ] {
        let refused = set(&world, "AERO", body).await;
        let text = refused.body.to_string();
        assert!(
            text.contains(pointer) || refused.problem() == "amount-scale",
            "{text}"
        );
    }
    // A partner reads its own and sets none.
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let path = path(&world, "AERO");
    assert_eq!(world.get(&aero, &path).await.ok()["pilot"], Value::Null);
    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    let own = world.put(&aero, &path, json!({"pilot": null})).await;
    assert_eq!(own.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_act_is_open_or_barred_as_the_pilot_says_on_every_hub() {
    let world = World::new().await;
    let second = world.second().await;
    let member = world.member().await;
    world.award(&member, "30000", "MILE").await;
    world.award(&member, "30000", "HPT").await;
    let miles = json!({"member": member.id, "amount": {"amount": "10", "currency": "MILE"}});
    let aero = world.token("AERO").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let hold = world.post(&aero, "/v1/holds", miles.clone()).await.ok();
    let spent = world
        .post(&aero, "/v1/redemptions", miles.clone())
        .await
        .ok();
    let tried = async |world: &World, act: &str| match act {
        "award" => award(world, &member, "10").await,
        "redeem" => world.post(&aero, "/v1/redemptions", miles.clone()).await,
        "hold" => world.post(&aero, "/v1/holds", miles.clone()).await,
        "enrol" => enrol(world, &format!("N-{}", rand::random::<u32>())).await,
        "convert_out" => wish(world, &member, "10000", ("MILE", "HPT")).await,
        _ => wish(world, &member, "10000", ("HPT", "MILE")).await,
    };
    let acts = [
        "award",
        "redeem",
        "hold",
        "enrol",
        "convert_out",
        "convert_in",
    ];
    for open in acts {
        // The acts before stay barred: what is opened next is agreed to by two.
        let path = path(&world, "AERO");
        let wanted = pilot(&[open], None, None);
        let proposed = set(&world, "AERO", wanted).await.ok();
        if proposed["proposed"] != Value::Null {
            let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
            let oscar = world.sign_in("oscar").await;
            world
                .post(&oscar, &format!("{path}/approve"), hash)
                .await
                .ok();
        }
        for act in acts {
            for hub in [&world, &second] {
                let answer = tried(hub, act).await;
                match act == open {
                    true => drop(answer.ok()),
                    false => {
                        assert_eq!(answer.problem(), "not-in-pilot", "{open} {act}");
                        assert_eq!(answer.body["act"], act);
                    }
                }
            }
        }
        if open != "convert_out" {
            let taken = world
                .post(&aero, "/v1/conversions", json!({"quote": quote}))
                .await;
            assert_eq!(taken.problem(), "not-in-pilot", "a quote from before");
        }
    }
    // What was under way finishes, and what was done is undone.
    let capture = format!("/v1/holds/{}/capture", hold["id"].as_str().expect("an id"));
    world.post(&aero, &capture, json!({})).await.ok();
    let undo = json!({"operation": spent["id"]});
    world.post(&aero, "/v1/reversals", undo).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_in_one_operation_holds_to_the_unit_wherever_points_move() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "60000", "MILE").await;
    let quote = world.quote(&member, "20000", "MILE", "HPT").await;
    let all = [
        "award",
        "redeem",
        "hold",
        "convert_out",
        "convert_in",
        "enrol",
    ];
    set(&world, "AERO", pilot(&all, None, Some(("10000", "MILE"))))
        .await
        .ok();
    let aero = world.token("AERO").await;

    let over = award(&world, &member, "10001").await;
    assert_eq!(over.problem(), "pilot-limit");
    assert_eq!(
        over.body["most"],
        json!({"amount": "10000", "currency": "MILE"})
    );
    award(&world, &member, "10000").await.ok();
    for path in ["/v1/redemptions", "/v1/holds"] {
        let of = |amount: &str| json!({"member": member.id, "amount": {"amount": amount, "currency": "MILE"}});
        assert_eq!(
            world.post(&aero, path, of("10001")).await.problem(),
            "pilot-limit"
        );
        world.post(&aero, path, of("10000")).await.ok();
    }
    let over = wish(&world, &member, "20000", ("MILE", "HPT")).await;
    assert_eq!(over.problem(), "pilot-limit");
    wish(&world, &member, "10000", ("MILE", "HPT")).await.ok();
    let taken = world
        .post(&aero, "/v1/conversions", json!({"quote": quote}))
        .await;
    assert_eq!(taken.problem(), "pilot-limit", "a quote from before");
    // What can be shown is what can be done.
    let wallets = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&aero, &wallets).await.ok();
    let wallet = wallets["items"][0]["id"].as_str().expect("a wallet");
    let options = format!("/v1/conversions/options?wallet={wallet}");
    let options = world.get(&aero, &options).await.ok();
    let options = options["items"].as_array().expect("options").clone();
    assert!(!options.is_empty());
    for option in options {
        let gives = option["gives"]["amount"].as_str().expect("an amount");
        assert!(
            gives.parse::<i64>().is_ok_and(|it| it <= 10_000),
            "{option}"
        );
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_members_join_than_a_pilot_lets_in_however_many_hubs_they_come_to() {
    let office = Office::open().await;
    let world: &World = &office;
    let second = world.second().await;
    let there = world
        .get(&world.token("AERO").await, "/v1/members?limit=200")
        .await
        .ok();
    let there = there["items"].as_array().expect("members").len() as i64;
    let wanted = pilot(&["enrol"], Some(there + 3), None);
    set(world, "AERO", wanted).await.ok();

    let enrolled = join_all((0..12).map(|nth| {
        let hub = if nth % 2 == 0 { world } else { &second };
        async move { enrol(hub, &format!("PILOT-{nth}")).await }
    }));
    let enrolled = enrolled.await;
    let (joined, refused): (Vec<Answer>, Vec<Answer>) = enrolled
        .into_iter()
        .partition(|answer| answer.status.is_success());
    assert_eq!(joined.len(), 3);
    assert!(
        refused
            .iter()
            .all(|answer| answer.problem() == "pilot-limit")
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_past_a_pilot_once_it_is_acknowledged_whatever_was_under_way() {
    let office = Office::open().await;
    let world: &World = &office;
    let second = world.second().await;
    let of_aero = "select count(*) from memberships m join partners p on p.id = m.partner_id where p.code = 'AERO'";
    let there = sql::number(&world.url, of_aero).await;
    let coming = join_all((0..24).map(|nth| {
        let hub = if nth % 2 == 0 { world } else { &second };
        async move { enrol(hub, &format!("COMING-{nth}")).await }
    }));
    let narrowing = async {
        set(world, "AERO", pilot(&["enrol"], Some(there + 3), None))
            .await
            .ok();
        sql::number(&world.url, of_aero).await
    };
    let (answers, acknowledged) = tokio::join!(coming, narrowing);
    let joined = answers.iter().filter(|it| it.status.is_success()).count();
    let all = sql::number(&world.url, of_aero).await;
    assert_eq!(all, there + joined as i64);
    assert!(all <= acknowledged.max(there + 3), "{all} {acknowledged}");
    let late = enrol(world, "LATE").await;
    assert_eq!(late.problem(), "pilot-limit");
    assert_eq!(late.body["members"], there + 3);
}
