//! Seals: one chain, whoever makes it and however often they stop, and no part of it changes or
//! goes without the proof saying so.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use diesel_async::AsyncConnection;
use futures_util::future::join_all;
use interline::access::{Role, people};
use interline::db::Connection;
use interline::ledger::seals;
use interline::ledger::seals::anchors::{self, Anchor};
use interline::ledger::seals::seal::Seal;
use interline::verify::{self, Report, trail};
use interline::web::origin::Proxies;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::office::PASSWORD;
use crate::sql;
use crate::world::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_interline");

/// A world whose chain has three seals, and its last one.
async fn sealed() -> (World, Seal) {
    let world = World::new().await;
    let member = world.member().await;
    for _ in 0..3 {
        world.award(&member, "5", "MILE").await;
        world.award(&member, "5", "MILE").await;
        world.seal().await;
    }
    let last = last(&world).await;
    (world, last)
}

async fn last(world: &World) -> Seal {
    let mut conn = world.superuser().await;
    let last = seals::store::last(&mut conn).await.expect("an answer");
    last.expect("a seal")
}

async fn unstoppable(world: &World) -> Client {
    let session = sql::session(&world.url).await;
    let free = "set session_replication_role = replica; set timezone = 'UTC'";
    session.batch_execute(free).await.expect("a superuser");
    session
}

async fn with(world: &World, anchors: &[Anchor]) -> Report {
    let proved = verify::verify_with(&world.url, anchors.to_vec()).await;
    proved.expect("a proof")
}

#[track_caller]
fn assert_names(report: &Report, words: &str) {
    let difference = report.difference.as_deref().unwrap_or_default();
    assert!(
        difference.contains(words),
        "{difference:?} is not {words:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sealers_at_once_make_one_chain() {
    let world = World::new().await;
    let member = world.member().await;
    let mut conns = Vec::new();
    for _ in 0..8 {
        conns.push(
            Connection::establish(&world.url)
                .await
                .expect("a connection"),
        );
    }
    let mut made = 0;
    for _ in 0..12 {
        world.award(&member, "5", "MILE").await;
        let at_once = conns.iter_mut().map(seals::seal);
        for sealed in join_all(at_once).await {
            made += i64::from(sealed.expect("no sealer is in another's way").is_some());
        }
    }
    world.seal().await;

    let report = world.verify().await;
    World::assert_right(&report);
    assert!(made > 0 && report.seals >= made, "{made}: {report}");
    assert_eq!(report.unsealed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_goes_on_where_the_last_one_stopped() {
    let (world, before) = sealed().await;
    let member = world.member().await;
    let beyond = async |seal: i64| {
        while last(&world).await.id <= seal {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        last(&world).await
    };
    let file = std::env::temp_dir().join(format!("interline-{}.ndjson", uuid::Uuid::new_v4()));

    world.award(&member, "5", "MILE").await;
    let sealer = world.hub.seal_all_along(Some(file.clone()));
    let first = beyond(before.id).await;
    while anchors::read(&file).map_or(0, |anchors| anchors.len()) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It loses its connection and gets another.
    let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
        where datname = current_database() and query like '%seals%' and pid <> pg_backend_pid()";
    assert!(sql::number(&world.url, ended).await > 0);
    world.award(&member, "5", "MILE").await;
    let second = beyond(first.id).await;
    sealer.abort();
    assert!(sealer.await.is_err(), "it works as long as it may");
    world.award(&member, "5", "MILE").await;
    assert_eq!(last(&world).await, second);
    world.hub.seal_all_along(None);
    beyond(second.id).await;

    let anchors = anchors::read(&file).expect("anchors");
    let report = with(&world, &anchors).await;
    World::assert_right(&report);
    assert_eq!((report.anchors, report.unsealed), (anchors.len() as i64, 0));
    std::fs::remove_file(&file).expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sealed_yet_is_counted() {
    let (world, _) = sealed().await;
    let member = world.member().await;
    world.award(&member, "5", "MILE").await;
    world.award(&member, "5", "MILE").await;
    let report = world.verify().await;
    World::assert_right(&report);
    assert_eq!((report.seals, report.unsealed), (3, 2));
}

/// What moves points and is not read from elsewhere.
const JOURNAL: [&str; 8] = [
    "audit",
    "operations",
    "more_legs",
    "operation_references",
    "lots",
    "totals",
    "groups",
    "seals",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_off_is_missed_by_an_anchor() {
    let (world, before) = sealed().await;
    let session = unstoppable(&world).await;
    for table in JOURNAL {
        let keep = format!("create temp table kept_{table} as select * from {table}");
        session.batch_execute(&keep).await.expect(table);
    }
    let member = world.member().await;
    world.award(&member, "5", "MILE").await;
    world.seal().await;
    let after = last(&world).await;
    let anchors = [Anchor::of(&before), Anchor::of(&after)];
    assert_eq!(with(&world, &anchors).await.anchors, 2);

    // Everything is as it was before, at first but for the seals, then with them.
    for table in JOURNAL.iter().filter(|table| **table != "seals") {
        let back = format!("truncate {table}; insert into {table} select * from kept_{table}");
        session.batch_execute(&back).await.expect(table);
    }
    let missing = format!("seal {} begins with group {}", after.id, after.first_group);
    assert_names(&world.verify().await, &missing);
    session
        .batch_execute("truncate seals; insert into seals select * from kept_seals")
        .await
        .expect("seals");
    World::assert_right(&world.verify().await);
    let missing = format!("seal {} was anchored at", after.id);
    assert_names(&with(&world, &anchors).await, &missing);

    let file = std::env::temp_dir().join(format!("interline-{}.ndjson", uuid::Uuid::new_v4()));
    for (kept, code) in [(&anchors[..1], 0), (&anchors[..], 1)] {
        let _ = std::fs::remove_file(&file);
        for anchor in kept {
            anchors::append(&file, anchor).expect("a line");
        }
        let (status, said) = proved_by_program(&world, &file);
        assert_eq!(status, Some(code), "{said}");
        assert_eq!(said["anchors"], 1, "{said}");
        assert_eq!(said["difference"].is_string(), code == 1, "{said}");
    }
    std::fs::remove_file(&file).expect("a file");
    assert_eq!(proved_by_program(&world, &file).0, Some(2), "no such file");
}

fn proved_by_program(world: &World, file: &PathBuf) -> (Option<i32>, Value) {
    let said = Command::new(PROGRAM)
        .args([
            "verify",
            "--json",
            "--database-url",
            &world.url,
            "--anchors",
        ])
        .arg(file)
        .output()
        .expect("the program");
    let document = serde_json::from_slice(&said.stdout);
    let document = document.unwrap_or_else(|_| String::from_utf8_lossy(&said.stderr).into());
    (said.status.code(), document)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_made_again_is_not_the_anchored_one() {
    let (world, last) = sealed().await;
    let anchors = [Anchor::of(&last)];
    let session = unstoppable(&world).await;
    let cut = "delete from seals where id = 3";
    session.batch_execute(cut).await.expect("a tail");
    assert_eq!(with(&world, &[]).await.unsealed, last.groups);
    // The same groups again, at another instant.
    world.seal().await;

    let report = world.verify().await;
    World::assert_right(&report);
    assert_eq!(report.unsealed, 0);
    assert_names(
        &with(&world, &anchors).await,
        "seal 3 is not the one that was anchored",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_changed_is_named() {
    let (world, last) = sealed().await;
    let session = unstoppable(&world).await;
    let change = async |sql: String, named: String| {
        session
            .batch_execute(&format!(
                "create temp table kept as select * from seals; \
                 create temp table kept_groups as select * from groups; {sql}"
            ))
            .await
            .expect(&sql);
        assert_names(&world.verify().await, &named);
        session
            .batch_execute(
                "truncate seals, groups; insert into seals select * from kept; \
                 insert into groups select * from kept_groups; drop table kept, kept_groups",
            )
            .await
            .expect("as it was");
    };
    let Seal {
        id,
        first_group,
        last_group,
        groups,
        ..
    } = last;
    for (sql, named) in [
        (
            "update seals set hash = set_byte(hash, 0, get_byte(hash, 0) # 1) where id = 2"
                .to_owned(),
            "seal 2 does not have the hash of groups and changes".to_owned(),
        ),
        (
            "update seals set at = at + interval '1 microsecond' where id = 1".to_owned(),
            "seal 1 does not have the hash".to_owned(),
        ),
        (
            format!("update seals set groups = groups - 1 where id = {id}"),
            format!("seal {id} is of {} groups", groups - 1),
        ),
        (
            format!("update seals set operations = operations + 1 where id = {id}"),
            format!("seal {id} is of {groups} groups"),
        ),
        (
            format!("update seals set first_group = first_group + 1 where id = {id}"),
            format!("group {first_group} is in no seal, and seal {id} comes after it"),
        ),
        (
            format!("update seals set last_group = last_group + 1 where id = {id}"),
            format!(
                "seal {id} ends with group {}, which is not there",
                last_group + 1
            ),
        ),
        (
            "delete from seals where id = 2".to_owned(),
            "seal 2 is not there: the next one is seal 3".to_owned(),
        ),
        (
            "update seals set changes = changes + 1 where id = 1".to_owned(),
            "seal 1 is of".to_owned(),
        ),
        (
            // The window is not in the group's own digest.
            format!("update groups set window_id = window_id + 1 where id = {first_group}"),
            format!(
                "seal {id} does not have the hash of groups and changes {first_group} to {last_group}"
            ),
        ),
    ] {
        change(sql, named).await;
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_what_would_change_the_past() {
    let (world, last) = sealed().await;
    let session = sql::session(&world.url).await;
    session
        .batch_execute("set role interline_app")
        .await
        .expect("the hub's role");
    let group = |id: i64| {
        format!(
            "insert into groups select {id}, (select id from windows where state = 'open'), at, size, rules, origins, digest \
             from groups limit 1"
        )
    };
    let late = group(last.last_group - 1);
    let refused = session.batch_execute(&late).await.expect_err(&late);
    let refused = refused.as_db_error().expect("the database's word");
    assert_eq!(
        refused.constraint(),
        Some("groups_after_seals"),
        "{refused}"
    );
    session
        .batch_execute(&format!("begin; {}; rollback", group(last.last_group + 1)))
        .await
        .expect("a group behind the seals");

    for (columns, constraint) in [
        ("3, first_group + 1, last_group + 1", "seals_pk"),
        ("4, first_group, last_group + 1", "seals_first_group_unique"),
        ("4, first_group + 1, last_group", "seals_last_group_unique"),
        ("4, last_group + 1, last_group", "seals_of_something"),
    ] {
        let twice = format!(
            "insert into seals select {columns}, groups, operations, changes, hash, at from seals where id = 3"
        );
        let refused = session.batch_execute(&twice).await.expect_err(&twice);
        let refused = refused.as_db_error().expect("the database's word");
        assert_eq!(refused.constraint(), Some(constraint), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_trail_proves_itself_and_every_change_of_it_is_noticed() {
    let (world, last) = sealed().await;
    let mut file = Vec::new();
    let changes = trail::export(&world.url, &mut file).await.expect("a file");
    let anchor = Anchor::of(&last);
    let check = |file: &[u8]| trail::check(file, vec![anchor.clone()]).expect("a report");

    let whole = check(&file);
    assert_eq!(whole.difference, None);
    assert_eq!(
        (whole.seals, whole.changes, whole.anchors),
        (last.id, changes, 1)
    );
    assert!(changes > 20 && whole.groups > 1);

    let text = String::from_utf8(file).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        let report = check(without.as_bytes());
        assert!(report.difference.is_some(), "without line {}", at + 1);
        if lines[at].contains("\"after\":\"") {
            let forged = lines[at].replace("\"after\":\"", "\"after\":\"un");
            let forged = [&lines[..at], &[&forged[..]], &lines[at + 1..]].concat();
            let report = check(forged.join("\n").as_bytes());
            assert!(report.difference.is_some(), "line {} forged", at + 1);
        }
    }
    let cut = lines[..lines.len() / 2].join("\n");
    assert!(check(cut.as_bytes()).difference.is_some());
    assert!(trail::check(&b"{\"seal\":1}"[..], Vec::new()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_who_changed_what_and_people_alone_read_it() {
    let world = World::new().await;
    world.seal().await;
    let (olivia, aero) = (world.sign_in("olivia").await, world.token("AERO").await);
    let member = world.member().await;
    world.seal().await;
    let joined = world
        .get(&olivia, "/v1/audit?of=membership&limit=200")
        .await
        .ok();
    let entry = joined["items"].as_array().expect("items").iter();
    let entry = entry.last().expect("one who joined");
    assert_eq!(
        (&entry["after"], &entry["before"]),
        (&json!("joined"), &json!(null))
    );
    assert_eq!(entry["by"]["kind"], "credential");
    assert!(entry["by"]["partner"].is_string(), "{entry}");
    assert!(
        entry["subject"]
            .as_str()
            .is_some_and(|id| id.starts_with("mbs_"))
    );
    assert!(
        !joined.to_string().contains(&member.id),
        "memberships, not people"
    );

    let mut after = String::new();
    let mut all = Vec::new();
    loop {
        let page = world
            .get(&olivia, &format!("/v1/audit?limit=7{after}"))
            .await
            .ok();
        all.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        after = format!("&cursor={cursor}");
    }
    let count = sql::number(&world.url, "select count(*) from audit").await;
    assert_eq!(all.len() as i64, count);
    assert!(
        all.iter()
            .all(|entry| !entry["of"].as_str().unwrap_or_default().is_empty())
    );

    let origins: BTreeSet<&str> = all.iter().filter_map(|it| it["origin"].as_str()).collect();
    assert_eq!(origins, BTreeSet::from(["127.0.0.0/24", "console"]));

    let unknown = world.get(&olivia, "/v1/audit?of=wallet").await;
    assert_eq!(unknown.problem(), "invalid-field");
    assert_eq!(world.get(&aero, "/v1/audit").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_from_which_network_and_believes_only_the_own_proxies() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let behind = format!("http://{}", listener.local_addr().expect("bound"));
    let proxies = Proxies::within(vec!["127.0.0.1/32".parse().expect("a range")]);
    let hub = world.hub.clone().behind(proxies);
    tokio::spawn(hub.serve(listener).expect("a server"));

    let mut conn = Connection::establish(&world.url).await.expect("connects");
    people::create(&mut conn, "fin", "Fin", Role::Finance, PASSWORD)
        .await
        .expect("a person");
    for (base, network) in [
        (&world.base_url, "127.0.0.0/24"),
        (&behind, "203.0.113.0/24"),
    ] {
        let sign_in = world.http.post(format!("{base}/v1/sessions"));
        let sign_in = sign_in.header("x-forwarded-for", "192.0.2.7, 203.0.113.77");
        let body = json!({"login": "fin", "password": PASSWORD});
        let answer = sign_in.json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let opened = "select origin from audit where subject = 'session' order by position";
        let origins = sql::texts(&world.url, opened).await;
        assert_eq!(origins.last().map(String::as_str), Some(network));
    }
    let member = world.member().await;
    let amount = json!({"amount": "5", "currency": "MILE"});
    let award = json!({"member": member.id, "amount": amount, "reason": "event"});
    for (base, network) in [
        (&world.base_url, "127.0.0.0/24"),
        (&behind, "203.0.113.0/24"),
    ] {
        let post = world.http.post(format!("{base}/v1/awards"));
        let post = post.bearer_auth(world.token("AERO").await);
        let post = post.header("x-forwarded-for", "203.0.113.77");
        let post = post.header("idempotency-key", network);
        let answer = post.json(&award).send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let last = "select origins from groups order by id desc limit 1";
        assert_eq!(sql::texts(&world.url, last).await, [network]);
    }
    world.seal().await;
    World::assert_right(&world.verify().await);

    let addresses = "select count(*) from audit a where a::text like '%203.0.113.77%' or a::text like '%192.0.2%'";
    assert_eq!(sql::number(&world.url, addresses).await, 0);
}
