//! A day in the books of a partner that keeps its own balances, matched with the hub's.

use reqwest::Method;
use serde_json::{Value, json};

use crate::feed::rest;
use crate::world::{Answer, Member, World, send};

const HEADER: &str = "kind,reference,amount\n";

async fn put(world: &World, brand: &str, day: &str, file: &str) -> Answer {
    let path = format!("/v1/currencies/SKY/matches/{day}");
    let request = world
        .request(Method::PUT, &path)
        .bearer_auth(world.token(brand).await)
        .header("content-type", "text/csv");
    send(request.body(file.to_owned())).await
}

async fn transferred(world: &World, member: &Member, amount: &str, reference: &str) {
    let quote = world.quote(member, amount, "SKY", "HPT").await;
    let more = json!({"reference": reference});
    world.transfer(member, &quote, amount, more).await.ok();
}

async fn acknowledged(world: &World, member: &Member, day: &str) -> String {
    let credit = world.asked_for(member).await;
    let body = json!({"reference": "entry", "credited_on": day});
    let path = format!("/v1/credits/{credit}/acknowledge");
    let aero = world.token("AERO").await;
    world.post(&aero, &path, body).await.ok();
    credit
}

/// A day that is over, with two transfers and a credit in it, and another that waits.
async fn day_of() -> (World, String, String, String) {
    let world = World::new().await;
    world.sky().await;
    let member = world.member().await;
    let day = world.business_day().await;
    transferred(&world, &member, "100", "d 1").await;
    transferred(&world, &member, "50", "d 2").await;
    let credit = acknowledged(&world, &member, &day).await;
    let waits = world.asked_for(&member).await;
    world.forward(chrono::Duration::hours(25)).await;
    (world, day, credit, waits)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_books_agree_and_the_match_is_kept_and_told() {
    let (world, day, credit, _) = day_of().await;
    let file = format!("{HEADER}credit,{credit},5\ndebit,d 2,50\ndebit,d 1,100\n");
    let matched = put(&world, "AERO", &day, &file).await.ok();
    assert_eq!(
        (&matched["agreed"], &matched["differing"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(matched["debits"], json!({"here": "150", "there": "150"}));
    assert_eq!(matched["credits"], json!({"here": "5", "there": "5"}));

    let path = format!("/v1/currencies/SKY/matches/{day}");
    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, &path).await.ok(), matched);
    assert_eq!(world.get(world.operator().await, &path).await.ok(), matched);
    let bayview = world.token("BAYVIEW").await;
    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    world.seal().await;
    let (events, _) = rest(&world, &aero, "").await;
    let told = events.iter().find(|event| event["type"] == "match.made");
    let told = &told.expect("an event")["data"]["after"];
    assert_eq!(*told, json!(format!("{day}: 3 agree, 0 differ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_told_entry_by_entry() {
    let (world, day, credit, waits) = day_of().await;
    let file = format!(
        "{HEADER}debit,d 1,90\r\ndebit,\"d, 3\",7\r\ncredit,{waits},5\r\ncredit,{credit},5\r\ncredit,{credit},5"
    );
    let matched = put(&world, "AERO", &day, &file).await.ok();
    let told = |difference: &Value| {
        let amount = |side: &str| {
            difference[side]["amount"]
                .as_str()
                .unwrap_or("-")
                .to_owned()
        };
        let text = |name: &str| difference[name].as_str().expect("a text").to_owned();
        (
            text("kind"),
            text("reference"),
            text("why"),
            amount("here"),
            amount("there"),
        )
    };
    let right = |kind: &str, reference: &str, why: &str, here: &str, there: &str| {
        let owned = str::to_owned;
        (
            owned(kind),
            owned(reference),
            owned(why),
            owned(here),
            owned(there),
        )
    };
    let differences = matched["differences"].as_array().expect("differences");
    assert_eq!(
        differences.iter().map(told).collect::<Vec<_>>(),
        [
            right("debit", "d 1", "amount", "100", "90"),
            right("debit", "d, 3", "not_here", "-", "7"),
            right("credit", &waits, "not_here", "-", "5"),
            right("credit", &credit, "twice", "5", "5"),
            right("debit", "d 2", "not_there", "50", "-"),
        ]
    );
    assert_eq!(
        (&matched["agreed"], &matched["differing"]),
        (&json!(1), &json!(5))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_matches_nothing() {
    let (world, day, _, _) = day_of().await;
    for (file, problem) in [
        ("", "import-columns"),
        ("reference,amount\n", "import-columns"),
        (
            "kind,reference,amount\ndebit,d 1\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ngift,d 1,5\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ndebit,d 1,0.5\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ndebit,d 1,-5\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ndebit,a\0b,5\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ndebit,,5\n",
            "import-line-unreadable",
        ),
        (
            "kind,reference,amount\ndebit,\"d 1,5\n",
            "import-line-unreadable",
        ),
    ] {
        let refused = put(&world, "AERO", &day, file).await;
        assert_eq!(refused.problem(), problem, "{file}");
        if problem == "import-line-unreadable" {
            assert_eq!(refused.body["line"], 2, "{file}");
        }
    }
    let today = world.business_day().await;
    let early = put(&world, "AERO", &today, HEADER).await;
    assert_eq!(early.body["errors"][0]["pointer"], "/day");
    let foreign = put(&world, "BAYVIEW", &day, HEADER).await;
    assert_eq!(foreign.problem(), "not-found");
    let path = format!("/v1/currencies/SKY/matches/{day}");
    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, &path).await.problem(), "not-found");
    let empty = put(&world, "AERO", &day, HEADER).await.ok();
    assert_eq!(empty["differing"], 3);
}
