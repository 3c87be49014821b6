//! The settlement calendar: the window closes when finance said, once, whichever hub notices.

use futures_util::future::join_all;
use interline::settlement::calendar::close_when_due;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, send};

const PATH: &str = "/v1/settlement/calendar";

fn every_minute_of(close: Value) -> Value {
    json!({"zone": "UTC", "closes": [close], "weekend": ["saturday", "sunday"], "holidays": ["2027-02-08"]})
}

fn daily(at: &str) -> Value {
    every_minute_of(json!({"name": "daily", "every": "day", "at": at}))
}

async fn windows(world: &World, token: &str) -> Value {
    world.get(token, "/v1/settlement/windows").await.ok()["items"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_closes_once_when_the_calendar_says() {
    let world = World::sandbox().await;
    let (aero, fiona) = (world.token("AERO").await, world.sign_in("fiona").await);
    let member = world.member().await;
    world.award(&member, "20000", "MILE").await;
    world.convert(&member, "10000", "MILE", "HPT").await;

    let nothing = world.get(&aero, PATH).await.ok();
    assert_eq!(
        nothing,
        json!({"calendar": null, "set_at": null, "next": []})
    );
    assert_eq!(windows(&world, &aero).await[0]["due_at"], Value::Null);

    // Noon has been or will be: the day after next it has.
    let set = world.put(&fiona, PATH, daily("12:00")).await.ok();
    let next = set["next"].as_array().expect("closes");
    assert_eq!(next.len(), 5);
    assert_eq!(next[0]["closes"], json!(["daily"]));
    let open = windows(&world, &aero).await[0].clone();
    assert_eq!(open["due_at"], next[0]["at"], "{open}");

    let mut conn = world.hub.pool.get().await.expect("a connection");
    assert!(
        close_when_due(&mut conn)
            .await
            .expect("an answer")
            .is_none(),
        "not due"
    );
    let two_days = json!({"seconds": 2 * 86_400});
    world.post(&aero, "/v1/sandbox/clock", two_days).await.ok();
    let after = windows(&world, &aero).await;
    assert_eq!(
        after.as_array().map(Vec::len),
        Some(2),
        "two were missed, and one close made: {after}"
    );
    assert_eq!(
        (&after[1]["id"], &after[1]["state"]),
        (&open["id"], &json!("closed"))
    );
    assert_eq!(after[1]["due_at"], Value::Null);

    // Many at once make one close.
    let day = json!({"to": after[0]["due_at"]});
    let other = world.second().await;
    let post = world.post(&aero, "/v1/sandbox/clock", day);
    let (turned, ..) = tokio::join!(post, close(&other), close(&world));
    turned.ok();
    join_all([close(&world), close(&other)]).await;
    assert_eq!(
        windows(&world, &aero).await.as_array().map(Vec::len),
        Some(3)
    );
    World::assert_right(&world.verify().await);

    let told =
        "select count(*) from audit where subject = 'settlement_calendar' and concerns is null";
    assert_eq!(
        crate::sql::number(&world.url, told).await,
        1,
        "every partner is told"
    );
}

async fn close(world: &World) {
    let mut conn = world.hub.pool.get().await.expect("a connection");
    close_when_due(&mut conn).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_says_nothing_is_refused_by_its_field() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let close = |field: &str, value: Value| {
        let mut close = json!({"name": "monthly", "every": "month", "day": 31, "at": "23:00"});
        close[field] = value;
        every_minute_of(close)
    };
    let mut twice = daily("12:00");
    twice["closes"] = json!([twice["closes"][0], twice["closes"][0]]);
    let mut never = daily("12:00");
    never["weekend"] = json!([
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday"
    ]);
    let mut nowhere = daily("12:00");
    nowhere["zone"] = json!("Hongkong/Kowloon");
    for (body, pointer) in [
        (close("day", json!(32)), "/closes/0/day"),
        (close("day", Value::Null), "/closes/0/day"),
        (close("every", json!("week")), "/closes/0/weekday"),
        (close("every", json!("year")), "/closes/0/every"),
        (close("at", json!("25:00")), "/closes/0/at"),
        (close("convention", json!("next")), "/closes/0/convention"),
        (twice, "/closes/1/name"),
        (never, "/weekend"),
        (nowhere, "/zone"),
    ] {
        let refused = world.put(&fiona, PATH, body.clone()).await;
        assert_eq!(refused.problem(), "invalid-field", "{body}");
        assert_eq!(
            refused.body["errors"][0]["pointer"], pointer,
            "{}",
            refused.body
        );
    }
    for (who, token) in [
        ("olivia", world.sign_in("olivia").await),
        ("AERO", world.token("AERO").await),
    ] {
        assert_eq!(
            world.put(&token, PATH, daily("12:00")).await.problem(),
            "forbidden",
            "{who}"
        );
    }
    let open = world
        .request(Method::PUT, PATH)
        .header("idempotency-key", "k");
    assert_eq!(
        send(open.json(&daily("12:00"))).await.problem(),
        "unauthenticated"
    );
}
