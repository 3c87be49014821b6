//! The proof of the books: it passes after a month of everything, and names the place after any
//! digit was changed by somebody whom nothing stops.

use interline::demo::walk;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::bonuses;
use crate::campaigns;
use crate::mandates;
use crate::sponsors;
use crate::sql;
use crate::world::{Member, World, card};

/// A world in which every table that is proved has something in it: the worked month, spending that
/// takes two lots, a card for some, a delivery by code, holds, expiry, references, reversals of each kind, a
/// closed window.
async fn month() -> World {
    let world = World::new().await;
    walk::walk(&world.credentials, false).await.expect("a walk");
    world.seal().await;
    let operators = crate::caps::Operators::of(&world).await;
    operators.cap(&world, "BAYVIEW", Some("250000")).await;
    let member = world.member().await;
    let (mut terms, settlement) = (bonuses::terms(), bonuses::settlement("hub"));
    terms["allowances"] = json!([{"period": "year", "given": 50000}]);
    terms["delivery"] = json!({"code": {"valid_days": 30}});
    world
        .publish(card("MILE", "STAR", terms, settlement))
        .await
        .ok();
    world.award(&member, "9000", "MILE").await;
    let with_bonus = world.convert(&member, "8000", "MILE", "STAR").await;
    let aero = world.token("AERO").await;
    let body =
        json!({"operation": with_bonus["id"], "amount": {"amount": "3333", "currency": "MILE"}});
    world.post(&aero, "/v1/reversals", body).await.ok();
    let presented = json!({"code": with_bonus["delivery"]["code"], "member": member.id});
    let caps = [("day", "500"), ("total", "900")];
    let mandate = mandates::agree(&world, "CITYMART", mandates::purchased(), &caps).await;
    let bought = mandates::given(&member, "300", json!({"receipt": "TPE-1"}));
    let bought = mandates::award(&world, "CITYMART", &mandate, bought)
        .await
        .ok();
    let part = json!({"operation": bought["id"], "amount": {"amount": "77", "currency": "MILE"}});
    let citymart = world.token("CITYMART").await;
    world.post(&citymart, "/v1/reversals", part).await.ok();
    world
        .post(&citymart, "/v1/deliveries", presented)
        .await
        .ok();
    let bayview = world.token("BAYVIEW").await;
    let hpt = |amount: &str| json!({"amount": amount, "currency": "HPT"});

    world.sky().await;
    let credits = [
        world.asked_for(&member).await,
        world.asked_for(&member).await,
    ];
    let day = world.business_day().await;
    let answers = [
        (
            "acknowledge",
            json!({"reference": "entry", "credited_on": day}),
        ),
        ("reject", json!({"reason": "Closed"})),
    ];
    for (credit, (word, body)) in credits.iter().zip(answers) {
        let path = format!("/v1/credits/{credit}/{word}");
        world.post(&aero, &path, body).await.ok();
    }
    world.award(&member, "3000", "HPT").await;
    world.forward(chrono::Duration::days(40)).await;
    world.award(&member, "6000", "HPT").await;
    let conversion = world.convert(&member, "4000", "HPT", "STAR").await;
    world.convert(&member, "4000", "HPT", "STAR").await;
    crate::conditions::convert_in_the_app(&world, &member).await;
    let spend = json!({"member": member.id, "amount": hpt("500"), "reference": "spent"});
    let spent = world.post(&bayview, "/v1/redemptions", spend).await.ok();
    let gift =
        json!({"member": member.id, "amount": hpt("40"), "reason": "event", "reference": "given"});
    let given = world.post(&bayview, "/v1/awards", gift).await.ok();
    let set_aside = json!({"member": member.id, "amount": hpt("300")});
    let hold = world.post(&bayview, "/v1/holds", set_aside).await.ok();
    let hold = format!("/v1/holds/{}", hold["id"].as_str().expect("an id"));
    let capture = json!({"amount": hpt("120")});
    let to = format!("{hold}/capture");
    let captured = world.post(&bayview, &to, capture).await.ok();
    let back = json!({"amount": hpt("30"), "reference": "not needed"});
    let to = format!("{hold}/release");
    world.post(&bayview, &to, back).await.ok();
    let soon = chrono::Utc::now() + chrono::Duration::days(60);
    let later =
        json!({"member": member.id, "amount": hpt("25"), "reason": "event", "usable_from": soon});
    world.post(&bayview, "/v1/awards", later).await.ok();
    for (amount, direction) in [("60", "credit"), ("10", "debit")] {
        adjust(&world, &member, hpt(amount), direction).await;
    }
    let poor = world.member().await;
    let lent = world.award(&poor, "90", "HPT").await;
    let all = json!({"member": poor.id, "amount": hpt("90")});
    world.post(&bayview, "/v1/redemptions", all).await.ok();
    let owed = json!({"operation": lent["id"], "receivable": true});
    world.post(&bayview, "/v1/reversals", owed).await.ok();
    let number = world.get(&aero, "/v1/members?limit=1").await.ok()["items"][0]["number"].clone();
    let number = number.as_str().expect("a number");
    let import = crate::bulk::begin(&world, "awards", "csv").await;
    let file =
        format!("number,amount,currency,reason\n{number},5,MILE,event\n{number},5,MILE,gift\n");
    crate::bulk::lines(&world, &import, 1, file).await.ok();
    crate::bulk::finish(&world, &import, 3).await.ok();
    let fiona = world.sign_in("fiona").await;
    let windows = world
        .get(&fiona, "/v1/settlement/windows?limit=1")
        .await
        .ok();
    let open = windows["items"][0]["id"]
        .as_str()
        .expect("a window")
        .to_owned();
    world
        .post(
            &fiona,
            &format!("/v1/settlement/windows/{open}/close"),
            json!({}),
        )
        .await
        .ok();
    for part in ["7", "1234"] {
        let body = json!({"operation": conversion["id"], "amount": hpt(part)});
        world.post(&bayview, "/v1/reversals", body).await.ok();
    }
    for operation in [&conversion, &spent, &given, &captured] {
        let body = json!({"operation": operation["id"]});
        world.post(&bayview, "/v1/reversals", body).await.ok();
    }
    // Undone, and frozen.
    for spent in [Some("owed_by_members"), None] {
        let wrong = crate::undo::import(&world, "HPT", &[(&member, "30"), (&poor, "20")]).await;
        crate::undo::freeze(&world, &wrong).await;
        if let Some(spent) = spent {
            crate::undo::undo(&world, &wrong, spent).await;
        }
    }
    // Warned at once, and until there is no limit any more.
    operators.cap(&world, "CITYMART", Some("1")).await;
    operators.cap(&world, "CITYMART", None).await;
    world.forward(chrono::Duration::days(800)).await;
    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep");
    world.seal().await;
    world
}

/// An adjustment that a second person agrees to.
async fn adjust(world: &World, member: &Member, amount: Value, direction: &str) {
    let (olivia, fiona) = (world.sign_in("olivia").await, world.sign_in("fiona").await);
    let body = json!({"member": member.id, "amount": amount, "direction": direction, "reason": "Counted twice"});
    let proposed = world.post(&olivia, "/v1/adjustments", body).await.ok();
    let to = format!(
        "/v1/adjustments/{}/approve",
        proposed["id"].as_str().expect("an id")
    );
    let hash = json!({"content_hash": proposed["content_hash"]});
    let posted = world.post(&fiona, &to, hash).await.ok();
    assert_eq!(posted["state"], "posted");
}

/// A session for which there are no triggers and no foreign keys, in a database without checks.
async fn unstoppable(world: &World) -> Client {
    let session = sql::session(&world.url).await;
    let limits = "select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint \
         where contype = 'c' and connamespace = 'public'::regnamespace \
        union all \
        select format('alter table %I alter column %I drop identity', table_name, column_name) \
          from information_schema.columns where table_schema = 'public' and is_identity = 'YES'";
    for drop in sql::rows(&session, limits).await {
        let drop = drop[0].as_deref().expect("a statement");
        session.batch_execute(drop).await.expect(drop);
    }
    session
        .batch_execute("set session_replication_role = replica; set timezone = 'UTC'")
        .await
        .expect("a superuser");
    session
}

async fn difference(world: &World) -> Option<String> {
    world.verify().await.difference
}

/// Proved tables, by which row a change is tried: one that takes part in something.
const TABLES: [(&str, &str); 25] = [
    ("audit", "before is not null and concerns <> '{}'"),
    ("operations", "true"),
    ("more_legs", "true"),
    ("more_transfers", "true"),
    ("lots", "true"),
    ("holds", "true"),
    ("credits", "state = 'rejected'"),
    ("tallies", "true"),
    ("adjustments", "operation_id is not null"),
    ("imports", "kind = 'awards'"),
    (
        "import_lines",
        "code is null and subject_id in (select id from operations)",
    ),
    ("totals", "amount > 0"),
    ("caps", "true"),
    ("slices", "owed <> 0"),
    ("limit_warnings", "ended_at is not null"),
    ("mandates", "true"),
    ("groups", "true"),
    // The last one leaves no trace in the chain: anchors miss it.
    ("seals", "id = 1"),
    ("windows", "true"),
    ("operation_references", "true"),
    ("rate_cards", "id in (select card_id from operations)"),
    (
        "exchange_rates",
        "id in (select exchange_rate_id from operations)",
    ),
    ("currencies", "code = 'STAR'"),
    ("member_wallets", "true"),
    ("wallets", "id in (select wallet from lots)"),
];

/// What the proof leaves alone, and why.
const UNPROVED: [(&str, &[&str], &str); 18] = [
    (
        "credits",
        &[
            "reference",
            "credited_on",
            "reason",
            "answered_by",
            "answered_at",
        ],
        "the audit trail says that it was answered, by whom and how",
    ),
    ("caps", &["set_by", "set_at"], "the audit trail says it"),
    (
        "slices",
        &["slot", "granted"],
        "which writer may use how much; that all of it stays under the cap is proved",
    ),
    (
        "limit_warnings",
        &["id", "group_id"],
        "counts them, and says which group crossed; the event is in that group's transaction",
    ),
    (
        "mandates",
        &["proposed_by", "created_by", "created_at"],
        "the approval and the audit trail say who asked and when",
    ),
    (
        "adjustments",
        &["created_by", "created_at"],
        "the approval and the audit trail say it too",
    ),
    (
        "imports",
        &[
            "partner_id",
            "format",
            "name",
            "columns",
            "created_by",
            "created_at",
            "finished_at",
            "step_by",
            "step_line",
            "spent",
        ],
        "the audit trail says whose it is and who began each step and when; how far the hub went, and what becomes of \
         what was spent, show in the operations; the rest is the partner's own",
    ),
    (
        "import_lines",
        &["code", "field", "detail"],
        "why a line did nothing, which moved nothing",
    ),
    (
        "lots",
        &["turn"],
        "tells writers that a wallet changed; any number above the last one does",
    ),
    (
        "more_legs",
        &["leg"],
        "counts the lots of an operation; their order means nothing",
    ),
    (
        "more_transfers",
        &["nth"],
        "counts the transfers of an operation; another order is found, a gap means nothing",
    ),
    (
        "totals",
        &["slot"],
        "which writer added it; the sum over slots is what is read",
    ),
    (
        "member_wallets",
        &["linked_at"],
        "the membership's own, which may be erased with it; no figure follows from it",
    ),
    ("windows", &["closed_by"], "the audit trail says it too"),
    (
        "operation_references",
        &["reference"],
        "may be erased; its hash is proved",
    ),
    (
        "rate_cards",
        &[
            "valid_from",
            "valid_to",
            "valid_from_local",
            "valid_to_local",
            "origin",
            "replaced_by",
            "created_by",
            "created_at",
        ],
        "which card priced an operation stands on the operation",
    ),
    (
        "exchange_rates",
        &["source", "quoted_at", "created_by", "created_at"],
        "what locked a rate names the row",
    ),
    (
        "currencies",
        &[
            "code",
            "name",
            "name_zh",
            "expiry",
            "expiry_notice_days",
            "display_value",
            "created_at",
        ],
        "no figure follows from it",
    ),
];

fn is_unproved(table: &str, column: &str) -> bool {
    // Whose wallet it is may be erased, and nothing else knows it.
    (table, column) == ("member_wallets", "member_id")
        || UNPROVED
            .iter()
            .any(|(of, columns, _)| *of == table && columns.contains(&column))
}

/// The least change of a value of a type.
fn least_change(kind: &str, column: &str) -> String {
    // The next number may be another row's.
    let next = match column {
        "id" | "no" | "line" | "from_currency" | "to_currency" => 1_000,
        _ => 1,
    };
    match kind {
        "bigint" | "smallint" | "integer" => format!("{column} + {next}"),
        // Less than that changes no figure of the month.
        "numeric" => format!("{column} + 0.001"),
        "timestamp with time zone" => format!("{column} + interval '1 microsecond'"),
        "uuid" => {
            format!("translate({column}::text, '0123456789abcdef', '1032547698badcfe')::uuid")
        }
        "bytea" => format!("set_byte({column}, 3, get_byte({column}, 3) # 1)"),
        "jsonb" => format!("{column} || '{{\"more\": \"1\"}}'"),
        "text" => format!("{column} || '1'"),
        "ARRAY" => format!("array_append({column}, 1)"),
        other => panic!("{column} is of type {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_digit_is_found_in_every_column_that_matters() {
    let world = month().await;
    World::assert_right(&world.verify().await);
    let session = unstoppable(&world).await;
    let mut tried = 0;

    for (table, used) in TABLES {
        let columns = format!(
            "select column_name, data_type from information_schema.columns \
              where table_schema = 'public' and table_name = '{table}' order by ordinal_position"
        );
        for column in sql::rows(&session, &columns).await {
            let [Some(column), Some(kind)] = &column[..] else {
                panic!("{table}")
            };
            if is_unproved(table, column) {
                continue;
            }
            let finite = match kind.as_str() {
                "timestamp with time zone" => format!("and isfinite({column})"),
                _ => String::new(),
            };
            let row = format!(
                "select ctid, to_jsonb(it)::text from {table} it where {used} and {column} is not null {finite} order by ctid desc limit 1"
            );
            let found = sql::rows(&session, &row).await;
            let Some([Some(place), Some(row)]) = found.first().map(|row| &row[..]) else {
                assert!(
                    matches!(column.as_str(), "usable_from" | "class"),
                    "no row tries {table}.{column}"
                );
                continue;
            };
            session
                .batch_execute(&format!(
                    "create temp table kept as select * from {table} where ctid = '{place}'"
                ))
                .await
                .expect("a copy");
            let change = least_change(kind, column);

            let changed = sql::rows(
                &session,
                &format!(
                    "update {table} set {column} = {change} where ctid = '{place}' returning ctid"
                ),
            )
            .await;
            let difference = difference(&world).await;

            let Some(difference) = difference else {
                panic!("{table}.{column} + 1 is not noticed: {row}")
            };
            // A seal names the range that one of them was changed in.
            let is_sealed =
                matches!(table, "audit" | "groups") && difference.contains("groups and changes");
            assert!(
                is_sealed || names(&difference, row),
                "{table}.{column}: {difference}: {row}"
            );
            let place = changed[0][0].as_deref().expect("a place");
            session.batch_execute(&format!(
                "delete from {table} where ctid = '{place}'; insert into {table} select * from kept; drop table kept"
            )).await.expect("the row as it was");
            tried += 1;
        }
    }

    assert!(tried > 60, "{tried}");
    World::assert_right(&world.verify().await);
}

/// Whether the difference names something by which the row is found.
fn names(difference: &str, row: &str) -> bool {
    let row: serde_json::Value = serde_json::from_str(row).expect("a row");
    let numbers = [
        "id",
        "operation_id",
        "wallet",
        "wallet_id",
        "window_id",
        "no",
        "from_currency",
        "base",
        "position",
        "import_id",
    ];
    let numbers: Vec<i64> = numbers
        .iter()
        .filter_map(|name| row[*name].as_i64())
        .collect();
    // An operation is also found by its group, and a row whose number was changed by the next.
    let near = numbers
        .iter()
        .flat_map(|number| [*number, number + 1, number + 1_000, number >> 12]);
    let said: Vec<i64> = difference
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    near.into_iter().any(|number| said.contains(&number))
        || difference.contains("rate card")
        || difference.contains("mandate")
        || difference.contains("conversion")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_gone_is_missed() {
    let world = month().await;
    let session = unstoppable(&world).await;
    for (table, used) in TABLES {
        // Whose wallet it is may be erased.
        if table == "member_wallets" {
            continue;
        }
        let row = format!("select ctid from {table} where {used} order by ctid desc limit 1");
        let place = sql::rows(&session, &row).await[0][0]
            .clone()
            .expect("a place");
        session.batch_execute(&format!("create temp table kept as select * from {table} where ctid = '{place}'; delete from {table} where ctid = '{place}'")).await.expect(table);
        assert!(
            difference(&world).await.is_some(),
            "a row of {table} is gone and nobody misses it"
        );
        session
            .batch_execute(&format!(
                "insert into {table} select * from kept; drop table kept"
            ))
            .await
            .expect(table);
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_added_is_noticed() {
    let world = month().await;
    let session = unstoppable(&world).await;
    let added = [
        (
            "operations",
            "id = id + 1, key_hash = gen_random_uuid(), quote = null, follows = null",
        ),
        ("more_legs", "leg = leg + 100"),
        ("more_transfers", "nth = nth + 100"),
        ("lots", "class = 7"),
        ("holds", "operation_id = operation_id + 1"),
        ("tallies", "operation_id = operation_id + 1"),
        ("adjustments", "id = id + 1000"),
        ("totals", "slot = 99"),
        ("groups", "id = (select max(id) + 1 from groups)"),
        (
            "seals",
            "id = id + 100, first_group = first_group + 1000000, last_group = last_group + 1000000",
        ),
        ("windows", "id = id + 100"),
        ("operation_references", "reference_hash = gen_random_uuid()"),
        (
            "rate_cards",
            "id = id + 1000, version = version + 7, state = 'halted'",
        ),
        (
            "member_wallets",
            "member_id = member_id + 1000000, wallet_id = wallet_id + 1",
        ),
    ];
    for (table, changes) in added {
        let used = TABLES
            .iter()
            .find(|(name, _)| *name == table)
            .expect(table)
            .1;
        // The copy of a closed window: there can be one open window only.
        let used = if table == "windows" {
            "state = 'closed'"
        } else {
            used
        };
        session.batch_execute(&format!(
            "create temp table added as select * from {table} where {used} order by ctid desc limit 1; update added set {changes}; \
             create temp table kept as select * from {table}; \
             insert into {table} select * from added"
        )).await.expect(table);
        assert!(
            difference(&world).await.is_some(),
            "a row was added to {table} and nobody notices"
        );
        session.batch_execute(&format!(
            "delete from {table}; insert into {table} select * from kept; drop table kept; drop table added"
        )).await.expect(table);
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_is_the_same_however_few_operations_are_read_at_a_time() {
    let world = month().await;
    let whole = world.verify().await;
    for page in [1, 2, 7] {
        let paged = interline::verify::verify_by(&world.url, Vec::new(), page)
            .await
            .expect("a proof");
        assert_eq!(paged, whole);
    }
    World::assert_right(&whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lets_nobody_take_more_than_a_lot_has() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "MILE").await;
    let owner = sql::session(&world.url).await;
    for column in ["available", "held"] {
        let change = format!("update lots set {column} = {column} - 101 where available = 100");
        let refused = owner.batch_execute(&change).await.expect_err(&change);
        let refused = refused.as_db_error().expect("a refusal");
        let rule = format!("lots_{column}_not_negative");
        assert_eq!(refused.constraint(), Some(rule.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_itself_cannot_change_the_journal() {
    let world = month().await;
    let session = sql::session(&world.url).await;
    session
        .batch_execute("set role interline_app")
        .await
        .expect("the hub's role");
    for (table, column) in [
        ("operations", "kind"),
        ("more_legs", "amount"),
        ("more_transfers", "amount"),
        ("tallies", "given"),
        ("groups", "size"),
        ("seals", "groups"),
    ] {
        for change in [
            format!("update {table} set {column} = 0"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("alter table {table} disable trigger all"),
            format!("drop table {table}"),
        ] {
            let refused = session.batch_execute(&change).await.expect_err(&change);
            assert_eq!(
                refused.code().map(|code| code.code()),
                Some("42501"),
                "{change}"
            );
        }
    }
    for change in [
        "delete from windows",
        "delete from lots",
        "delete from totals",
        "delete from audit",
        "update audit set after = ''",
        "update exchange_rates set rate = 1",
        "delete from rate_cards",
        "update currencies set scale = 1",
        "create table mine ()",
    ] {
        let refused = session.batch_execute(change).await.expect_err(change);
        assert_eq!(
            refused.code().map(|code| code.code()),
            Some("42501"),
            "{change}"
        );
    }
    let owned = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relowner = 'interline_app'::regrole";
    assert_eq!(sql::number(&world.url, owned).await, 0);

    let closed = "update windows set content_hash = '' where state = 'closed'";
    assert!(
        session.batch_execute(closed).await.is_err(),
        "a closed window never changes"
    );
    let late = "insert into groups select id + 1, (select min(id) from windows where state = 'closed'), at, size, rules, origins, digest \
        from groups order by id desc limit 1";
    assert!(
        session.batch_execute(late).await.is_err(),
        "nothing is posted into a closed window"
    );
    let dearer = "update rate_cards set settlement = settlement || '{\"commission\": \"0.9\"}' where state = 'published'";
    assert!(
        session.batch_execute(dearer).await.is_err(),
        "a published card never changes"
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_tell_the_same_story_as_the_totals() {
    let world = month().await;
    // Wallets of a currency are one account in the totals.
    let views = "with single as ( \
        select case when (account >> 39) & 31 in (1, 11) then holders_of(account) else account end as account, \
               coalesce(debit, 0) as debit, coalesce(credit, 0) as credit from postings), \
      told as (select account, sum(debit) as debit, sum(credit) as credit from single group by 1), \
      kept as (select account, sum(debit) as debit, sum(credit) as credit from ( \
        select debit as account, amount as debit, 0 as credit from totals union all \
        select credit, 0, amount from totals) t group by 1) \
      select count(*) from told full join kept using (account) \
       where (told.debit, told.credit) is distinct from (kept.debit, kept.credit)";
    assert_eq!(sql::number(&world.url, views).await, 0);
    let per_asset = "select count(*) from (select asset_of(account) from postings \
        group by 1 having sum(coalesce(debit, 0)) <> sum(coalesce(credit, 0))) unbalanced";
    assert_eq!(sql::number(&world.url, per_asset).await, 0);
    let per_operation = "select count(*) from (select operation_id, asset_of(account) from postings \
        group by 1, 2 having sum(coalesce(debit, 0)) <> sum(coalesce(credit, 0))) unbalanced";
    assert_eq!(sql::number(&world.url, per_operation).await, 0);
    let kinds =
        "select count(distinct o.kind) from transfers join operations o on o.id = operation_id";
    assert_eq!(
        sql::number(&world.url, kinds).await,
        10,
        "every kind takes part that posts something"
    );
    let crossing = "select count(*) from transfers where asset_of(debit) <> asset_of(credit)";
    assert_eq!(sql::number(&world.url, crossing).await, 0);
    let unknown = "select count(*) from postings where name like 'unknown%' or name like '%/?'";
    assert_eq!(sql::number(&world.url, unknown).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sponsor_is_said_to_have_paid_is_proven() {
    let world = World::new().await;
    sponsors::publish(&world, "BAYVIEW", "1000", "USD").await;
    let member = campaigns::rich(&world).await;
    let quote = sponsors::ask(&world, &member, "4000").await.ok();
    sponsors::take(&world, &quote).await.ok();
    World::assert_right(&world.verify().await);
    let owner = sql::session(&world.url).await;
    owner
        .batch_execute("update budgets set given = 99")
        .await
        .expect("a change");
    let difference = world.verify().await.difference.expect("a difference");
    assert!(
        difference.contains("the sponsor of rate card") && difference.contains("given 99"),
        "{difference}"
    );
}
