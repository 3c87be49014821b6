//! A wrong import is undone as a whole: what is left of it is frozen, a second person agrees, each award is
//! reversed; and nothing is done twice, whoever does it and whatever is killed.

use std::collections::BTreeSet;

use chrono::Duration;
use futures_util::future::join_all;
use interline::access::{Role, Who};
use interline::db;
use interline::id::Kind;
use interline::imports::undo;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bulk;
use crate::life;
use crate::sql;
use crate::world::{Answer, Member, World, issuer, send};

/// A finished import of awards in a currency: to whom, and how much each.
pub async fn import(world: &World, currency: &str, awards: &[(&Member, &str)]) -> String {
    let line = |(member, amount): &(&Member, &str)| {
        format!("{},{amount},{currency},purchase\n", member.id)
    };
    let lines: String = awards.iter().map(line).collect();
    let file = format!("member,amount,currency,reason\n{lines}");
    import_file(world, currency, file, awards.len() + 1).await
}

async fn import_file(world: &World, currency: &str, file: String, lines: usize) -> String {
    let token = world.token(issuer(currency)).await;
    let body = json!({"kind": "awards", "format": "csv", "name": "wrong.csv"});
    let begun = world.post(&token, "/v1/imports", body).await.ok();
    let id = begun["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/imports/{id}");
    let request = world.request(Method::PUT, &format!("{path}/lines"));
    let request = request
        .bearer_auth(&token)
        .header("content-type", bulk::CSV);
    let sent = send(request.body(file)).await.ok();
    assert_eq!(sent["refused"], 0, "{sent}");
    let finish = format!("{path}/finish");
    world
        .post(&token, &finish, json!({"lines": lines}))
        .await
        .ok();
    id
}

/// What an undo of an import would do, as the hub's people see it.
async fn read(world: &World, import: &str) -> Value {
    let path = format!("/v1/imports/{import}/undo");
    world.get(world.operator().await, &path).await.ok()
}

async fn tell(world: &World, token: &str, import: &str, word: &str, body: Value) -> Answer {
    world
        .post(token, &format!("/v1/imports/{import}/{word}"), body)
        .await
}

pub async fn freeze(world: &World, import: &str) -> Value {
    let frozen = tell(world, world.operator().await, import, "freeze", json!({})).await;
    let frozen = frozen.ok();
    assert_eq!(frozen["state"], "frozen", "{frozen}");
    frozen
}

/// Has an operator propose the undo and finance agree.
pub async fn undo(world: &World, import: &str, spent: &str) -> Value {
    let body = json!({"spent": spent});
    let proposed = tell(world, world.operator().await, import, "undo", body)
        .await
        .ok();
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let fiona = world.sign_in("fiona").await;
    let mut undone = tell(world, &fiona, import, "undo/approve", hash).await.ok();
    while undone["state"] == "undoing" {
        world.hub.hands().sweep().await.expect("a sweep");
        undone = read(world, import).await;
    }
    assert_eq!(undone["state"], "undone", "{undone}");
    undone
}

/// The figures of the one currency: awarded, reversed, frozen, unspent, held, spent, expired.
fn figures(told: &Value) -> [i64; 7] {
    let names = [
        "awarded", "reversed", "frozen", "unspent", "held", "spent", "expired",
    ];
    names.map(|name| amount(&told["figures"][0][name]))
}

fn amount(told: &Value) -> i64 {
    told["amount"]
        .as_str()
        .expect("an amount")
        .parse()
        .expect("a number")
}

/// What members and issuer would bear, if what is spent became that.
fn borne(told: &Value, spent: &str) -> (i64, i64) {
    let mut ways = told["figures"][0]["borne"].as_array().expect("ways").iter();
    let way = ways.find(|way| way["spent"] == spent).expect(spent);
    (amount(&way["by_members"]), amount(&way["by_issuer"]))
}

async fn wallet(world: &World, member: &Member, currency: &str) -> Value {
    let path = format!("/v1/members/{}/wallets", member.id);
    let token = world.token(issuer(currency)).await;
    let wallets = world.get(&token, &path).await.ok();
    let mut all = wallets["items"].as_array().expect("wallets").iter();
    all.find(|it| it["currency"] == currency)
        .expect(currency)
        .clone()
}

async fn spend(world: &World, member: &Member, units: &str, currency: &str, way: &str) -> Answer {
    let amount = json!({"amount": units, "currency": currency});
    let body = json!({"member": member.id, "amount": amount});
    let token = world.token(issuer(currency)).await;
    world.post(&token, &format!("/v1/{way}"), body).await
}

async fn members(world: &World, count: usize) -> Vec<Member> {
    join_all((0..count).map(|_| world.member())).await
}

/// The award of an import that a member got.
pub async fn award_of(world: &World, import: &str, nth: i64) -> String {
    let id = world.hub.ids.read(Kind::Import, import).expect("an import");
    let award =
        format!("select subject_id from import_lines where import_id = {id} and line = {nth} + 1");
    let award = sql::number(&world.url, &award).await;
    world.hub.ids.show(Kind::Award, award)
}

/// One of each: spent, set aside, converted, half reversed by hand, untouched in two awards.
struct Scene {
    world: World,
    import: String,
    members: Vec<Member>,
    hold: String,
}

impl Scene {
    async fn of(currency: &str) -> Scene {
        let world = World::new().await;
        let members = members(&world, 5).await;
        let [spender, holder, converter, half, whole] = &members[..] else {
            unreachable!()
        };
        let awards = [
            (spender, "100"),
            (holder, "100"),
            (converter, "10000"),
            (half, "100"),
            (whole, "60"),
            (whole, "40"),
        ];
        let import = import(&world, currency, &awards).await;
        spend(&world, spender, "70", currency, "redemptions")
            .await
            .ok();
        let hold = spend(&world, holder, "30", currency, "holds").await.ok();
        let to = if currency == "MILE" { "HPT" } else { "STAR" };
        world.convert(converter, "10000", currency, to).await;
        let token = world.token(issuer(currency)).await;
        let part = json!({"operation": award_of(&world, &import, 4).await,
            "amount": {"amount": "50", "currency": currency}});
        world.post(&token, "/v1/reversals", part).await.ok();
        let hold = hold["id"].as_str().expect("an id").to_owned();
        Scene {
            world,
            import,
            members,
            hold,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_frozen_and_members_owe_what_they_spent() {
    for currency in ["MILE", "HPT"] {
        let Scene {
            world,
            import,
            members,
            hold,
        } = Scene::of(currency).await;
        let token = world.token(issuer(currency)).await;
        let dry = read(&world, &import).await;
        assert_eq!(
            figures(&dry),
            [10400, 50, 0, 250, 30, 10070, 0],
            "{currency}"
        );
        assert_eq!(borne(&dry, "owed_by_members"), (10100, 0));
        assert_eq!(borne(&dry, "borne_by_issuer"), (0, 10100));
        assert!(
            dry["figures"][0]["borne"][0]["value"]["amount"].is_string(),
            "{dry}"
        );

        let frozen = tell(&world, &token, &import, "freeze", json!({}))
            .await
            .ok();
        assert_eq!(frozen["state"], "frozen");
        assert_eq!(figures(&frozen), [10400, 50, 250, 0, 30, 10070, 0]);
        assert_eq!(
            borne(&frozen, "owed_by_members"),
            (10100, 0),
            "as read before"
        );
        World::assert_right(&world.verify().await);

        let whole = &members[4];
        let held = wallet(&world, whole, currency).await;
        assert_eq!(
            (amount(&held["available"]), amount(&held["frozen"])),
            (0, 100)
        );
        assert_eq!(held["lots"][0]["frozen"], true);
        for way in ["redemptions", "holds"] {
            let refused = spend(&world, whole, "1", currency, way).await;
            assert_eq!(refused.problem(), "balance-too-low", "{way}");
        }
        let by_hand = json!({"operation": award_of(&world, &import, 5).await});
        let by_hand = world.post(&token, "/v1/reversals", by_hand).await;
        assert_eq!(by_hand.problem(), "award-frozen");
        let path = format!("/v1/holds/{hold}/capture");
        world.post(&token, &path, json!({})).await.ok();

        let body = json!({"spent": "owed_by_members"});
        let proposed = tell(&world, &token, &import, "undo", body).await.ok();
        let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
        let own = tell(&world, &token, &import, "undo/approve", hash.clone()).await;
        assert_eq!(own.problem(), "forbidden", "a partner has no second person");
        let fiona = world.sign_in("fiona").await;
        let undone = tell(&world, &fiona, &import, "undo/approve", hash)
            .await
            .ok();
        assert_eq!(
            (&undone["state"], &undone["spent"]),
            (&json!("undone"), &json!("owed_by_members"))
        );
        assert_eq!(figures(&undone), [10400, 10400, 0, 0, 0, 0, 0]);

        for (member, owed) in members.iter().zip([70, 30, 10000, 0, 0]) {
            let wallet = wallet(&world, member, currency).await;
            assert_eq!(amount(&wallet["owed"]), owed, "{currency}: {wallet}");
            assert_eq!(
                (amount(&wallet["available"]), amount(&wallet["frozen"])),
                (0, 0)
            );
        }
        let wallet = held["id"].as_str().expect("an id");
        let path = format!("/v1/wallets/{wallet}/statement");
        let statement = world.get(&token, &path).await.ok();
        let told =
            |entry: &Value| format!("{} {}", entry["kind"], entry["direction"]).replace('"', "");
        let kinds: Vec<String> = statement["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(told)
            .collect();
        let expected = [
            "award_reversal out",
            "award_reversal out",
            "freeze out",
            "freeze out",
            "award in",
            "award in",
        ];
        assert_eq!(kinds, expected);
        World::assert_right(&world.verify().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_may_be_left_to_the_issuer() {
    let Scene {
        world,
        import,
        members,
        ..
    } = Scene::of("MILE").await;
    freeze(&world, &import).await;
    let undone = undo(&world, &import, "borne_by_issuer").await;
    assert_eq!(figures(&undone), [10400, 300, 0, 0, 30, 10070, 0]);
    for (member, held) in members.iter().zip([0, 30, 0, 0, 0]) {
        let wallet = wallet(&world, member, "MILE").await;
        assert_eq!(amount(&wallet["owed"]), 0, "{wallet}");
        assert_eq!(
            (amount(&wallet["available"]), amount(&wallet["held"])),
            (0, held)
        );
    }
    let aero = world.token("AERO").await;
    let rest = json!({"operation": award_of(&world, &import, 1).await, "receivable": true});
    let by_hand = world.post(&aero, "/v1/reversals", rest).await.ok();
    assert_eq!(
        amount(&by_hand["owed"]),
        70,
        "what was left can be undone by hand"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thaw_gives_everything_back_and_the_import_can_be_frozen_again() {
    let Scene {
        world,
        import,
        members,
        ..
    } = Scene::of("MILE").await;
    let balances = async || {
        let wallets = members.iter().map(|member| wallet(&world, member, "MILE"));
        let amounts = join_all(wallets).await.into_iter();
        amounts
            .map(|it| it["available"].clone())
            .collect::<Vec<_>>()
    };
    let before = balances().await;
    for _ in 0..2 {
        freeze(&world, &import).await;
        let body = json!({"spent": "borne_by_issuer"});
        let olivia = world.operator().await;
        let proposed = tell(&world, olivia, &import, "undo", body.clone())
            .await
            .ok();
        let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
        let own = tell(&world, olivia, &import, "undo/approve", hash.clone()).await;
        assert_eq!(own.problem(), "maker-is-checker");
        assert_eq!(
            tell(&world, olivia, &import, "undo", body.clone())
                .await
                .problem(),
            "approval-open"
        );
        let fiona = world.sign_in("fiona").await;
        let rejected = tell(&world, &fiona, &import, "undo/reject", hash.clone())
            .await
            .ok();
        assert_eq!(
            (&rejected["state"], &rejected["proposed"]),
            (&json!("frozen"), &Value::Null)
        );
        tell(&world, olivia, &import, "undo", body.clone())
            .await
            .ok();
        let withdrawn = tell(&world, olivia, &import, "undo/withdraw", json!({}))
            .await
            .ok();
        assert_eq!(withdrawn["state"], "frozen");
        tell(&world, olivia, &import, "undo", body).await.ok();

        let thawed = tell(&world, olivia, &import, "thaw", json!({})).await.ok();
        assert_eq!(
            (&thawed["state"], &thawed["proposed"]),
            (&json!("finished"), &Value::Null)
        );
        assert_eq!(balances().await, before);
        let late = tell(&world, &fiona, &import, "undo/approve", hash).await;
        assert_eq!(late.problem(), "approval-closed");
        World::assert_right(&world.verify().await);
    }
    spend(&world, &members[4], "100", "MILE", "redemptions")
        .await
        .ok();
    let aero = world.token("AERO").await;
    let open = bulk::begin(&world, "awards", "csv").await;
    let people = bulk::begin(&world, "members", "csv").await;
    for (import, word, body) in [
        (&import, "thaw", json!({})),
        (&import, "undo", json!({"spent": "borne_by_issuer"})),
        (&open, "freeze", json!({})),
        (&people, "freeze", json!({})),
    ] {
        let refused = tell(&world, &aero, import, word, body).await;
        assert_eq!(refused.problem(), "import-step", "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_what_was_read() {
    let world = World::new().await;
    let members = members(&world, 2).await;
    let imports = [
        import(&world, "HPT", &[(&members[0], "100")]).await,
        import(&world, "HPT", &[(&members[1], "100")]).await,
    ];
    let body = json!({"spent": "owed_by_members"});
    let propose = async |token: &str, import: &str| {
        let proposed = tell(&world, token, import, "undo", body.clone()).await.ok();
        json!({"content_hash": proposed["proposed"]["content_hash"]})
    };
    for import in &imports {
        freeze(&world, import).await;
    }
    // More points of the member, also in the same lot, are no matter.
    let hash = propose(world.operator().await, &imports[0]).await;
    world.award(&members[0], "55", "HPT").await;
    let fiona = world.sign_in("fiona").await;
    let undone = tell(&world, &fiona, &imports[0], "undo/approve", hash)
        .await
        .ok();
    assert_eq!(undone["state"], "undone");
    assert_eq!(world.balance(&members[0], "HPT").await, "55");

    // That what is frozen expires is.
    let (member, import) = (&members[1], &imports[1]);
    let end = wallet(&world, member, "HPT").await["lots"][0]["expires_at"].clone();
    let end = end.as_str().expect("an instant");
    let end = chrono::DateTime::parse_from_rfc3339(end)
        .expect("an instant")
        .to_utc();
    world
        .forward(end - chrono::Utc::now() - Duration::days(1))
        .await;
    let olivia = world.sign_in_anew("olivia").await;
    let hash = propose(&olivia, import).await;
    world.forward(Duration::days(2)).await;
    world.sweep().await;
    let fiona = world.sign_in_anew("fiona").await;
    let approved = tell(&world, &fiona, import, "undo/approve", hash).await;
    assert_eq!(approved.problem(), "approval-changed");

    let told = read_as(&world, &fiona, import).await;
    assert_eq!(figures(&told), [100, 0, 0, 0, 0, 0, 100]);
    assert_eq!(
        borne(&told, "owed_by_members"),
        (0, 0),
        "nobody owes what has expired"
    );
    assert_eq!(amount(&wallet(&world, member, "HPT").await["frozen"]), 0);
    World::assert_right(&world.verify().await);
}

async fn read_as(world: &World, token: &str, import: &str) -> Value {
    world
        .get(token, &format!("/v1/imports/{import}/undo"))
        .await
        .ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_moves_what_is_frozen_with_the_rest() {
    let world = World::new().await;
    let member = world.member().await;
    let import = import(&world, "MILE", &[(&member, "100")]).await;
    freeze(&world, &import).await;
    let expiry = async || wallet(&world, &member, "MILE").await["lots"][0]["expires_at"].clone();
    let before = expiry().await;
    world.forward(Duration::days(90)).await;
    world.award(&member, "5", "MILE").await;
    let lots = wallet(&world, &member, "MILE").await["lots"].clone();
    assert_ne!(lots[0]["expires_at"], before);
    assert_eq!(lots[0]["expires_at"], lots[1]["expires_at"], "{lots}");
    let olivia = world.sign_in_anew("olivia").await;
    let thawed = tell(&world, &olivia, &import, "thaw", json!({})).await.ok();
    assert_eq!(thawed["state"], "finished");
    assert_eq!(world.balance(&member, "MILE").await, "105");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_of_before_is_not_taken_for_what_is_frozen_since() {
    let world = World::new().await;
    let member = world.member().await;
    let import = import(&world, "MILE", &[(&member, "10000")]).await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    freeze(&world, &import).await;
    let aero = world.token("AERO").await;
    let order = json!({"quote": quote});
    let refused = world.post(&aero, "/v1/conversions", order.clone()).await;
    assert_eq!(refused.problem(), "balance-too-low");
    assert_eq!(
        (
            &refused.body["held"]["amount"],
            &refused.body["needed"]["amount"]
        ),
        (&json!("0"), &json!("10000"))
    );
    tell(&world, &aero, &import, "thaw", json!({})).await.ok();
    world.post(&aero, "/v1/conversions", order).await.ok();
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_of_a_brand_that_ends_is_outstanding_and_expires_with_the_rest() {
    let world = World::new().await;
    let members = members(&world, 2).await;
    let awards = [(&members[0], "70"), (&members[1], "30")];
    let import = import(&world, "STAR", &awards).await;
    spend(&world, &members[1], "30", "STAR", "redemptions")
        .await
        .ok();
    freeze(&world, &import).await;
    let status = life::status(&world, "CITYMART");
    let oscar = world.sign_in("oscar").await;
    let wind = json!({"state": "winding_down", "last_day": life::last_day()});
    let people = [world.operator().await, oscar.as_str()];
    life::agreed(&world, &status, people, wind).await.ok();
    world.forward(Duration::days(35)).await;
    let olivia = world.sign_in_anew("olivia").await;
    let frozen = "select sum(available)::bigint from lots where class >= 1::bigint << 62";
    assert_eq!(sql::number(&world.url, frozen).await, 70);
    let open = world
        .post(&olivia, &status, json!({"state": "closed"}))
        .await;
    assert_eq!(open.problem(), "partner-outstanding");

    world.sweep().await;
    assert_eq!(sql::number(&world.url, frozen).await, 0);
    let told = read_as(&world, &olivia, &import).await;
    assert_eq!(figures(&told), [100, 0, 0, 0, 0, 0, 100]);
    assert_eq!(borne(&told, "owed_by_members"), (0, 0));
    World::assert_right(&world.verify().await);
}

/// Several hundred awards to members of one number each, and the members' ids.
async fn great(world: &World, count: usize) -> (String, Vec<Member>) {
    let numbers = bulk::fresh(count);
    bulk::enrolled(world, &numbers).await;
    let import = import_file(world, "MILE", bulk::awards(&numbers), count + 1).await;
    let aero = world.token("AERO").await;
    let first = numbers.iter().take(40).map(async |number| {
        let path = format!("/v1/members?number={number}");
        let found = world.get(&aero, &path).await.ok();
        let id = found["items"][0]["id"].as_str().expect("an id").to_owned();
        Member { id }
    });
    (import, join_all(first).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_go_on_where_one_was_killed_and_nothing_is_done_twice() {
    let world = World::new().await;
    let second = world.second().await;
    let count =
        std::env::var("INTERLINE_TEST_AWARDS").map_or(700, |many| many.parse().expect("a number"));
    let (import, members) = great(&world, count).await;
    let (count, started) = (count as i64, std::time::Instant::now());
    spend(&world, &members[0], "2", "MILE", "redemptions")
        .await
        .ok();
    let id = world
        .hub
        .ids
        .read(Kind::Import, &import)
        .expect("an import");
    let who = Who::at_the_console(0, Role::Operator);
    let mut conn = world.hub.pool.get().await.expect("a connection");
    let begun = db::transaction(&mut conn, async |conn| {
        undo::freeze(conn, &who, (None, id)).await
    });
    begun.await.expect("a freeze");
    drop(conn);

    assert!(world.hub.hands().go_on(id).await.expect("a batch"));
    let half = read(&second, &import).await;
    assert_eq!(
        (&half["state"], &half["line"]),
        (&json!("freezing"), &json!(257))
    );
    World::assert_right(&world.verify().await);
    // As if the hub had been killed before it wrote down how far it was.
    let session = sql::session(&world.url).await;
    let forget = format!("update imports set step_line = 100 where id = {id}");
    session
        .batch_execute(&forget)
        .await
        .expect("an earlier line");
    let both = [world.hub.hands(), second.hub.hands()];
    for swept in join_all(both.iter().map(|hands| hands.sweep())).await {
        swept.expect("a sweep");
    }
    while read(&world, &import).await["state"] == "freezing" {
        world.hub.hands().sweep().await.expect("a sweep");
    }
    assert_eq!(
        figures(&read(&world, &import).await),
        [3 * count, 0, 3 * count - 2, 0, 0, 2, 0]
    );
    let frozen = "select count(*) from operations where kind = 10";
    assert_eq!(sql::number(&world.url, frozen).await, count);

    let undone = undo(&second, &import, "owed_by_members").await;
    eprintln!(
        "{count} awards frozen and undone in {:?}",
        started.elapsed()
    );
    assert_eq!(figures(&undone), [3 * count, 3 * count, 0, 0, 0, 0, 0]);
    assert_eq!(
        amount(&wallet(&world, &members[0], "MILE").await["owed"]),
        2
    );
    let reversed = "select count(*) from operations where kind = 11";
    assert_eq!(sql::number(&world.url, reversed).await, count);
    let told =
        "select count(*) from audit where subject = 'import' and after in ('frozen', 'undone')";
    assert_eq!(sql::number(&world.url, told).await, 2);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_while_it_is_frozen_is_either_and_never_both() {
    let world = World::new().await;
    let second = world.second().await;
    let (import, members) = great(&world, 40).await;
    let spending = join_all(
        members
            .iter()
            .map(|member| spend(&second, member, "3", "MILE", "redemptions")),
    );
    let olivia = world.operator().await;
    let freezing = tell(&world, olivia, &import, "freeze", json!({}));
    let (spent, frozen) = futures_util::future::join(spending, freezing).await;
    frozen.ok();
    while read(&world, &import).await["state"] == "freezing" {
        world.hub.hands().sweep().await.expect("a sweep");
    }
    let mut outcomes = BTreeSet::new();
    for (member, spent) in members.iter().zip(spent) {
        let wallet = wallet(&world, member, "MILE").await;
        let left = if spent.status.is_success() { 0 } else { 3 };
        if left > 0 {
            assert_eq!(spent.problem(), "balance-too-low");
        }
        assert_eq!(
            (amount(&wallet["available"]), amount(&wallet["frozen"])),
            (0, left)
        );
        outcomes.insert(left);
    }
    assert!(!outcomes.is_empty());
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_finds_what_is_frozen_or_undone_past_the_hub() {
    let world = World::new().await;
    let member = world.member().await;
    let import = import(&world, "HPT", &[(&member, "100")]).await;
    let id = world
        .hub
        .ids
        .read(Kind::Import, &import)
        .expect("an import");
    let session = sql::session(&world.url).await;
    let slip = format!("update imports set state = 'frozen' where id = {id}");
    assert!(
        session.batch_execute(&slip).await.is_err(),
        "no step leads there"
    );
    freeze(&world, &import).await;
    World::assert_right(&world.verify().await);
    session
        .batch_execute("alter table imports disable trigger import_goes_by_steps")
        .await
        .expect("an owner");
    for (forged, right, names) in [
        (
            "state = 'finished'",
            "state = 'frozen'",
            "the audit trail says",
        ),
        ("round = 2", "round = 1", "the audit trail says"),
    ] {
        let set = |to: &str| format!("update imports set {to} where id = {id}");
        session.batch_execute(&set(forged)).await.expect(forged);
        let found = world.verify().await.difference.expect(forged);
        assert!(found.contains(names), "{forged}: {found}");
        session.batch_execute(&set(right)).await.expect(right);
    }
    World::assert_right(&world.verify().await);
}
