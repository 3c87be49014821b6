//! The event feed: everything once, in one order, whoever writes how slowly; and to each partner
//! its own.

use std::time::Duration;

use futures_util::future::join_all;
use interline::db::GATE_LOCK;
use interline::events::{self, Asked, Whose};
use interline::id::Kind;
use interline::ledger::seals;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::bonuses;
use crate::sql;
use crate::world::{Member, World, card};

/// A page of the feed.
async fn page(world: &World, token: &str, after: &str, limit: usize) -> Value {
    let after = match after {
        "" => String::new(),
        cursor => format!("&after={cursor}"),
    };
    let page = world
        .get(token, &format!("/v1/events?limit={limit}{after}"))
        .await;
    page.ok()
}

fn cursor(page: &Value) -> String {
    page["next_cursor"].as_str().expect("a cursor").to_owned()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|event| event["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Everything sealed so far behind a cursor, and where it ends.
pub async fn rest(world: &World, token: &str, after: &str) -> (Vec<Value>, String) {
    let (mut events, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = page(world, token, &after, 200).await;
        if cursor(&page) == after {
            return (events, after);
        }
        events.extend(page["items"].as_array().expect("items").iter().cloned());
        after = cursor(&page);
    }
}

/// The public ids of all events, in the order of what happened.
async fn journal(world: &World) -> Vec<String> {
    let all = "select id from operations union all select position from audit order by id";
    let places = sql::texts(&world.url, all).await;
    let show = |id: String| {
        let id = id.parse().expect("a number");
        world.hub.ids.show(Kind::Event, id)
    };
    places.into_iter().map(show).collect()
}

/// Reads page by page, from one hub and the other, until the last event of all has been seen.
async fn read_along(hubs: [&World; 2], mut last: watch::Receiver<Option<String>>) -> Vec<String> {
    let token = hubs[0].sign_in("olivia").await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    for turn in 0.. {
        let page = page(hubs[turn % 2], &token, &after, 7).await;
        let found = ids(&page);
        after = cursor(&page);
        let is_last = last
            .borrow_and_update()
            .as_ref()
            .is_some_and(|last| found.contains(last));
        let nothing_new = found.is_empty();
        seen.extend(found);
        if is_last {
            return seen;
        }
        if nothing_new {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    seen
}

/// Many awards at once through both hubs, each acknowledged.
async fn load(hubs: [&World; 2], members: &[Member]) {
    let awards = (0..40).map(|nth| hubs[nth % 2].award(&members[nth % 8], "3", "MILE"));
    join_all(awards).await;
}

/// Whether a writer waits for a row, with its transaction's id taken.
async fn until_a_writer_waits(world: &World) {
    let waits = "select count(*) from pg_stat_activity where datname = current_database() \
        and wait_event_type = 'Lock' and query like '%update lots%' and pid <> pg_backend_pid()";
    while sql::number(&world.url, waits).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_everything_once_and_in_order_though_an_old_transaction_commits_late() {
    let world = World::new().await;
    let other = world.second().await;
    let hubs = [&world, &other];
    world.hub.seal_all_along(None);
    other.hub.seal_all_along(None);
    let members = join_all((0..8).map(|_| world.member())).await;
    let held = world.member().await;
    let award = world.award(&held, "100", "MILE").await;
    let wallet = award["wallet"].as_str().expect("a wallet");
    let wallet = world.hub.ids.read(Kind::Wallet, wallet).expect("an id");
    let olivia = world.sign_in("olivia").await;
    let (end, last) = watch::channel(None);

    let writing = async {
        load(hubs, &members).await;

        // A group takes its number, and must then wait for a lot that somebody looks at.
        let session = sql::session(&world.url).await;
        session
            .batch_execute(&format!(
                "begin; select from lots where wallet = {wallet} for update"
            ))
            .await
            .expect("a lock");
        let aero = world.token("AERO").await;
        let spend = json!({"member": held.id, "amount": {"amount": "10", "currency": "MILE"}});
        let late = world.post(&aero, "/v1/redemptions", spend);
        let meanwhile = async {
            until_a_writer_waits(&world).await;
            let numbered = "select max(id) from groups";
            let before = sql::number(&world.url, numbered).await;
            load(hubs, &members).await;
            assert!(sql::number(&world.url, numbered).await > before);

            let mut conn = world.superuser().await;
            seals::seal(&mut conn).await.expect("a look");
            let seen = rest(&other, &olivia, "").await;
            let sealed = sql::number(&world.url, "select max(last_group) from seals").await;
            assert!(
                sealed <= before,
                "{sealed} was sealed past a group under way"
            );
            session.batch_execute("rollback").await.expect("no lock");
            seen
        };
        let (late, seen_meanwhile) = tokio::join!(late, meanwhile);
        late.ok();
        load(hubs, &members).await;

        // As after a restore: the numbers leap.
        session
            .batch_execute(&format!(
                "begin; select pg_advisory_xact_lock({GATE_LOCK}); \
                 update control set group_base = group_base + 1000000; commit"
            ))
            .await
            .expect("a base");
        load(hubs, &members).await;

        let journal = journal(&world).await;
        end.send_replace(journal.last().cloned());
        (journal, seen_meanwhile)
    };
    let ((journal, (meanwhile, until)), seen) = tokio::join!(writing, read_along(hubs, last));

    assert!(journal.len() > 160);
    assert_eq!(seen, journal);
    // Whoever had read to the end while the old transaction was open reads on from there.
    let (after, _) = rest(&world, &olivia, &until).await;
    let both = meanwhile.iter().chain(&after);
    let both: Vec<&str> = both.filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(both, journal);
    let report = world.verify().await;
    World::assert_right(&report);
    assert!(report.seals > 3, "{report}");
    assert_eq!(report.unsealed, 0, "{report}");
}

/// The event of an operation, in what a partner can read.
fn of<'e>(events: &'e [Value], operation: &Value) -> Option<&'e Value> {
    events
        .iter()
        .find(|event| event["data"]["id"] == operation["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partner_reads_its_own_side_of_what_happened() {
    let world = World::new().await;
    world.seal().await;
    let (aero, bayview, citymart, olivia) = (
        world.token("AERO").await,
        world.token("BAYVIEW").await,
        world.token("CITYMART").await,
        world.sign_in("olivia").await,
    );
    let tokens = [&aero, &bayview, &citymart, &olivia];
    let begins = join_all(tokens.map(|token| rest(&world, token, ""))).await;
    let member = world.member().await;
    let miles = |amount: &str| json!({"amount": amount, "currency": "MILE"});

    let gift = json!({"member": member.id, "amount": miles("20000"), "reason": "event",
        "channel": "app", "reference": "given"});
    let gift = world.post(&aero, "/v1/awards", gift).await.ok();
    let converted = world.convert(&member, "10000", "MILE", "HPT").await;
    let spend = json!({"member": member.id, "amount": miles("100"), "reference": "spent"});
    let spent = world.post(&aero, "/v1/redemptions", spend).await.ok();
    let undo = |operation: &Value| json!({"operation": operation["id"]});
    let unspent = world.post(&aero, "/v1/reversals", undo(&spent)).await.ok();
    let taken = world
        .post(&aero, "/v1/reversals", undo(&converted))
        .await
        .ok();
    world.forward(chrono::Duration::days(4_000)).await;
    let sweep = world.hub.ledger.sweep(&world.hub.secrets);
    sweep.await.expect("a sweep");
    world.seal().await;

    let mut read = Vec::new();
    for (token, (_, begin)) in tokens.iter().zip(&begins) {
        let (events, end) = rest(&world, token, begin).await;
        assert_ne!(end, *begin, "the cursor goes on whoever looks");
        read.push(events);
    }
    let [by_aero, by_bayview, by_citymart, by_olivia] = &read[..] else {
        panic!("four readers")
    };

    for (operation, name, path) in [
        (&gift, "award.completed", "awards"),
        (&converted, "conversion.completed", "conversions"),
        (&spent, "redemption.completed", "redemptions"),
        (&unspent, "redemption.reversed", "reversals"),
        (&taken, "conversion.reversed", "reversals"),
    ] {
        let event = of(by_aero, operation).expect(name);
        assert_eq!(event["type"], name);
        assert_eq!(event["occurred_at"], operation["at"]);
        assert_eq!(&event["data"], operation, "as it was when it happened");
        let id = operation["id"].as_str().expect("an id");
        let mut now = world.get(&aero, &format!("/v1/{path}/{id}")).await.ok();
        if path == "conversions" {
            assert_eq!(now["status"], "reversed");
            for later in ["reversed", "reversed_by"] {
                now[later] = Value::Null;
            }
            now["status"] = json!("completed");
        }
        assert_eq!(event["data"], now, "as it is found by its id");
        assert!(of(by_olivia, operation).is_some(), "{name}");
        assert!(of(by_citymart, operation).is_none(), "{name}");
    }
    let expired = by_aero.iter().find(|event| event["type"] == "lot.expired");
    assert_eq!(
        expired.expect("an expiry")["data"]["amount"]["currency"],
        "MILE"
    );
    assert_eq!(
        of(by_olivia, &gift).expect("it")["data"]["reference"],
        Value::Null
    );

    for operation in [&gift, &spent, &unspent] {
        assert!(of(by_bayview, operation).is_none(), "{operation}");
    }
    let sides = [by_aero, by_bayview].map(|events| &of(events, &converted).expect("it")["data"]);
    assert!(sides[0]["cost"].is_object() && sides[0]["value"].is_null());
    assert!(sides[1]["cost"].is_null() && sides[1]["value"].is_object());
    for (events, own) in [
        (by_aero, "MILE"),
        (by_bayview, "HPT"),
        (by_citymart, "STAR"),
    ] {
        let own = format!("\"{own}\"");
        let is_own = |event: &Value| {
            event["type"] == "membership.changed" || event["data"].to_string().contains(&own)
        };
        assert!(events.iter().all(is_own), "{own}");
    }
    assert!(by_olivia.len() > by_aero.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_anything_of_ones_own_moves_on() {
    let world = World::new().await;
    let member = world.member().await;
    for _ in 0..5 {
        world.award(&member, "5", "MILE").await;
    }
    world.award(&member, "7", "STAR").await;
    world.seal().await;
    let mut conn = world.hub.pool.get().await.expect("a connection");
    let (_, directory) = world.hub.directories.current(&mut conn).await.expect("it");
    let star = directory.currency("STAR").expect("STAR");
    let whose = Whose {
        partner: star.issuer,
        currencies: vec![star.no],
        position: None,
    };
    let asked = |after, looked_at, limit| Asked {
        after,
        whose: Some(whose.clone()),
        limit,
        looked_at,
    };
    let all = events::read(&mut conn, &asked(0, 5_000, 200))
        .await
        .expect("events");
    let all_places = all.happened.places();
    assert!(!all_places.is_empty() && all_places.len() < 200);

    for limit in [1, 200] {
        let (mut found, mut after, mut empty) = (Vec::new(), 0, 0);
        loop {
            let page = events::read(&mut conn, &asked(after, 2, limit))
                .await
                .expect("a page");
            if page.next == after {
                assert!(page.happened.places().is_empty(), "{page:?}");
                break;
            }
            assert!(page.next > after, "{page:?}");
            let places = page.happened.places();
            empty += usize::from(places.is_empty());
            found.extend(places);
            after = page.next;
        }
        assert_eq!(found, all_places);
        assert!(empty > 1, "{empty}");
        assert_eq!(after, all.next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sealed_is_not_shown_and_a_wrong_cursor_is_refused() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let member = world.member().await;
    world.award(&member, "5", "MILE").await;

    let unsealed = page(&world, &aero, "", 50).await;
    assert_eq!(unsealed["items"], json!([]));
    assert_eq!(unsealed["sealed_through"], Value::Null);
    let start = cursor(&unsealed);
    world.seal().await;
    let sealed = page(&world, &aero, &start, 50).await;
    assert!(!ids(&sealed).is_empty());
    let seal = &sealed["sealed_through"];
    assert_eq!(seal["hash"].as_str().map(str::len), Some(64), "{seal}");
    assert!(
        seal["seal"].as_i64() >= Some(1) && seal["at"].is_string(),
        "{seal}"
    );
    assert_eq!(sealed, page(&world, &aero, &start, 50).await);

    let wallet = world.award(&member, "5", "MILE").await;
    let wallet = wallet["wallet"].as_str().expect("a wallet");
    let statement = format!("/v1/wallets/{wallet}/statement?limit=1");
    let statement = world.get(&aero, &statement).await.ok();
    let of_another_list = cursor(&statement);
    for wrong in ["x", "0", &"0".repeat(32), &of_another_list, "%00", "-1"] {
        let answer = world.get(&aero, &format!("/v1/events?after={wrong}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (400, "cursor-invalid")
        );
        assert!(answer.body["detail"].to_string().contains("next_cursor"));
    }
    for (wrong, named) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let answer = world.get(&aero, &format!("/v1/events?{wrong}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (400, "invalid-field")
        );
        assert!(
            answer.body["detail"].to_string().contains(named),
            "{}",
            answer.body
        );
    }
    let fiona = world.sign_in("fiona").await;
    let answer = world.get(&fiona, "/v1/events").await;
    assert_eq!(answer.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_to_whom_it_concerns_and_counted_by_what_changes() {
    let world = World::new().await;
    let tokens = [
        world.token("AERO").await,
        world.token("BAYVIEW").await,
        world.token("CITYMART").await,
        world.sign_in("olivia").await,
    ];
    world.seal().await;
    let begins = join_all(tokens.iter().map(|token| rest(&world, token, ""))).await;
    let since = async |at: usize| {
        world.seal().await;
        let (events, _) = rest(&world, &tokens[at], &begins[at].1).await;
        let said = events.into_iter().map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, subject) = (text(&event["type"]), text(&event["subject"]));
            (
                kind,
                subject,
                event["sequence"].clone(),
                event["data"].clone(),
            )
        });
        said.filter(|(kind, ..)| kind == "card.changed" || kind == "window.changed")
            .collect::<Vec<_>>()
    };

    let (terms, settlement) = (bonuses::terms(), bonuses::settlement("hub"));
    let draft = card("MILE", "HPT", terms, settlement);
    let drafted = world.post(&tokens[0], "/v1/rate-cards", draft).await.ok();
    let id = drafted["id"].as_str().expect("an id").to_owned();
    let about = |sequence: i64, before: Option<&str>, after: &str| {
        let data = json!({"of": "rate_card", "before": before, "after": after});
        (
            String::from("card.changed"),
            id.clone(),
            json!(sequence),
            data,
        )
    };
    assert_eq!(since(0).await, [about(1, None, "draft")]);
    assert_eq!(since(1).await, [], "a draft is its maker's");
    assert_eq!(since(3).await, [about(1, None, "draft")]);

    let propose = format!("/v1/rate-cards/{id}/propose");
    let word = json!({"acknowledges": ["splitting_pays"]});
    world.post(&tokens[0], &propose, word).await.ok();
    let proposed = about(2, Some("draft"), "proposed");
    assert_eq!(since(0).await.last(), Some(&proposed));
    assert_eq!(since(1).await, [proposed]);
    assert_eq!(since(2).await, []);

    let finance = world.sign_in("fiona").await;
    let windows = world.get(&finance, "/v1/settlement/windows").await.ok();
    let mut windows = windows["items"].as_array().expect("windows").iter();
    let open = windows.find(|window| window["state"] == "open");
    let open = open.and_then(|window| window["id"].as_str()).expect("one");
    let close = format!("/v1/settlement/windows/{open}/close");
    world.post(&finance, &close, json!({})).await.ok();
    for at in 0..4 {
        let (kind, .., data) = since(at).await.pop().expect("a window");
        assert_eq!(
            (kind.as_str(), &data["after"]),
            ("window.changed", &json!("closed"))
        );
    }
}
