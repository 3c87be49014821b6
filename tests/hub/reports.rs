//! Reports: what members hold rolls forward from window to window without a gap, to the unit, and is what their
//! wallets hold; as JSON and as CSV, and to each brand its own.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::caps::{self, Operators};
use crate::sql;
use crate::world::World;

const LIABILITIES: &str = "/v1/reports/liabilities";

/// Closes the open window; answers its id.
async fn close(world: &World, finance: &str) -> String {
    let windows = world
        .get(finance, "/v1/settlement/windows?limit=1")
        .await
        .ok();
    let open = windows["items"][0]["id"]
        .as_str()
        .expect("a window")
        .to_owned();
    let path = format!("/v1/settlement/windows/{open}/close");
    world.post(finance, &path, json!({})).await.ok();
    open
}

/// What a report says of a currency.
fn of(report: &Value, code: &str) -> Value {
    let items = report["items"].as_array().expect("items").iter();
    let found = items.into_iter().find(|it| it["currency"] == code);
    found.expect(code).clone()
}

fn units(text: &Value) -> i64 {
    text.as_str().expect("an amount").parse().expect("units")
}

fn flow(report: &Value, account: &str) -> [i64; 2] {
    let flows = report["flows"].as_array().expect("flows").iter();
    let found = flows.into_iter().find(|it| it["account"] == account);
    found.map_or([0, 0], |it| [units(&it["granted"]), units(&it["taken"])])
}

async fn held(world: &World, code: &str) -> i64 {
    let sql = format!(
        "select coalesce(sum(available + held), 0)::bigint from lots l join currencies c on c.no = (l.wallet >> 44) & 16383 \
          where c.code = '{code}'"
    );
    sql::number(&world.url, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_hold_rolls_forward_over_windows_and_is_what_wallets_hold() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let aero = world.token("AERO").await;
    let report = async |query: &str| {
        world
            .get(&fiona, &format!("{LIABILITIES}{query}"))
            .await
            .ok()
    };
    close(&world, &fiona).await;
    let before = of(&report("").await, "MILE");

    let member = world.member().await;
    let award = world.award(&member, "30000", "MILE").await;
    world.award(&member, "500", "MILE").await;
    let spend = json!({"member": member.id, "amount": {"amount": "700", "currency": "MILE"}});
    let spent = world.post(&aero, "/v1/redemptions", spend).await.ok();
    let first = close(&world, &fiona).await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    let undo = json!({"operation": spent["id"], "amount": {"amount": "200", "currency": "MILE"}});
    world.post(&aero, "/v1/reversals", undo).await.ok();
    let undo = json!({"operation": award["id"], "amount": {"amount": "1000", "currency": "MILE"}});
    world.post(&aero, "/v1/reversals", undo).await.ok();
    let second = close(&world, &fiona).await;
    world.award(&member, "11", "MILE").await;

    let all = report("").await;
    let [one, two] = [first, second].map(|window| format!("?window={window}"));
    let (one, two) = (
        of(&report(&one).await, "MILE"),
        of(&report(&two).await, "MILE"),
    );
    assert_eq!(one["opening"], before["closing"]);
    assert_eq!(flow(&one, "issued"), [30500, 0]);
    assert_eq!(flow(&one, "redeemed"), [0, 700]);
    assert_eq!(units(&one["closing"]) - units(&one["opening"]), 29800);
    assert_eq!(two["opening"], one["closing"], "no gap");
    assert_eq!(
        flow(&two, "issued"),
        [0, 1000],
        "an award that is undone is taken back"
    );
    assert_eq!(flow(&two, "redeemed"), [200, 0]);
    assert_eq!(flow(&two, "converted_out"), [0, 10000]);
    let miles = of(&all, "MILE");
    assert_eq!(
        [&miles["opening"], &miles["closing"]],
        [
            &json!("0"),
            &json!((units(&two["closing"]) + 11).to_string())
        ]
    );
    for code in ["MILE", "HPT", "STAR"] {
        assert_eq!(
            units(&of(&all, code)["closing"]),
            held(&world, code).await,
            "{code}"
        );
    }

    let text = world
        .text(&fiona, &format!("{LIABILITIES}?format=csv"))
        .await;
    assert!(
        text.starts_with("currency,line,granted,taken,balance\r\n")
            || text.starts_with("currency,line,granted,taken,balance\n")
    );
    let closing = format!(
        "MILE,closing,,,{}",
        miles["closing"].as_str().expect("an amount")
    );
    assert!(text.lines().any(|line| line == closing), "{text}");

    let own = world.get(&aero, LIABILITIES).await.ok();
    let codes = own["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|it| it["currency"].clone());
    assert_eq!(codes.collect::<Vec<_>>(), [json!("MILE")]);
    let nothing = world
        .get(
            &fiona,
            &format!("{LIABILITIES}?window=win_0123456789abcdef"),
        )
        .await;
    assert_eq!(nothing.problem(), "not-found");
    let wrong = world
        .get(&fiona, &format!("{LIABILITIES}?format=xml"))
        .await;
    assert_eq!(wrong.problem(), "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_told_by_the_month_in_which_it_can_be_used_last() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let member = world.member().await;
    world.award(&member, "300", "HPT").await;
    let path = "/v1/reports/expiries?currency=HPT";
    let report = world.get(&fiona, path).await.ok();
    let items = report["items"].as_array().expect("months");
    let sum: i64 = items.iter().map(|it| units(&it["amount"])).sum();
    assert_eq!(sum, held(&world, "HPT").await);
    // Its zone is Hong Kong's.
    let months = "select string_agg(distinct to_char((expires_at - interval '1 microsecond') at time zone 'Asia/Hong_Kong', 'YYYY-MM'), ',' \
                  order by to_char((expires_at - interval '1 microsecond') at time zone 'Asia/Hong_Kong', 'YYYY-MM')) \
                  from lots l join currencies c on c.no = (l.wallet >> 44) & 16383 where c.code = 'HPT' and available > 0 and isfinite(expires_at)";
    let session = sql::session(&world.url).await;
    let expected = sql::rows(&session, months).await[0][0]
        .clone()
        .expect("months");
    let told = items.iter().filter_map(|it| it["month"].as_str());
    assert_eq!(told.collect::<Vec<_>>().join(","), expected);
    let text = world.text(&fiona, &format!("{path}&format=csv")).await;
    assert_eq!(text.lines().count(), items.len() + 1);

    let bayview = world.token("BAYVIEW").await;
    world.get(&bayview, path).await.ok();
    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, path).await.problem(), "not-found");
    let unknown = world
        .get(&fiona, "/v1/reports/expiries?currency=NONE")
        .await;
    assert_eq!(unknown.problem(), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn exposures_are_what_the_caps_say_with_the_fullest_first() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let path = "/v1/reports/exposures";
    let operators = Operators::of(&world).await;
    operators.cap(&world, "AERO", Some("1000.00")).await;
    operators.cap(&world, "BAYVIEW", Some("0")).await;
    let member = world.member().await;
    world.award(&member, "50000", "MILE").await;
    let of = |report: &Value, code: &str| {
        let items = report["items"].as_array().expect("items").iter();
        let found = items.into_iter().find(|it| it["partner"] == code);
        found.expect(code).clone()
    };
    let owed = async |code: &str| {
        let cap = world.get(&fiona, &caps::path(&world, code)).await.ok();
        ["owes", "counted", "room"].map(|figure| cap[figure].clone())
    };

    let before = of(&world.get(&fiona, path).await.ok(), "AERO");
    world.convert(&member, "10000", "MILE", "HPT").await;
    let report = world.get(&fiona, path).await.ok();
    let aero = of(&report, "AERO");
    assert_ne!(aero["owes"], before["owes"]);
    assert_eq!(
        ["owes", "counted", "room"].map(|figure| aero[figure].clone()),
        owed("AERO").await
    );
    assert_eq!(
        aero["limit"],
        json!({"amount": "1000.000000", "currency": "USD"})
    );
    let citymart = of(&report, "CITYMART");
    assert_eq!([&citymart["limit"], &citymart["used"]], [&Value::Null; 2]);
    let codes = report["items"].as_array().expect("items").iter();
    let codes: Vec<&str> = codes.filter_map(|it| it["partner"].as_str()).collect();
    let place = |code: &str| codes.iter().position(|it| *it == code);
    assert!(
        place("AERO") < place("CITYMART") && place("BAYVIEW") < place("CITYMART"),
        "{codes:?}"
    );

    let text = world.text(&fiona, &format!("{path}?format=csv")).await;
    assert_eq!(text.lines().count(), codes.len() + 1);
    let line = text
        .lines()
        .find(|line| line.starts_with("AERO,"))
        .expect("a line");
    let cells: Vec<&str> = line.split(',').collect();
    assert_eq!(
        [cells[1], cells[2]],
        ["USD", aero["owes"]["amount"].as_str().expect("an amount")]
    );
    assert_eq!(cells[6], aero["used"].as_str().expect("a part"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trial_balance_and_positions_are_the_same_as_a_file_and_sum_to_zero() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let member = world.member().await;
    world.award(&member, "50000", "MILE").await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    let text = world.text(&fiona, "/v1/trial-balance?format=csv").await;
    let body = world.get(&fiona, "/v1/trial-balance").await.ok();
    let assets = body["assets"].as_array().expect("assets");
    let accounts: usize = assets
        .iter()
        .map(|it| it["accounts"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(text.lines().count(), accounts + 1);
    let mut sums = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let balance: Decimal = cells[5].parse().expect("a number");
        *sums.entry(cells[1].to_owned()).or_insert(Decimal::ZERO) += balance;
    }
    assert!(
        sums.len() > 3 && sums.values().all(Decimal::is_zero),
        "{sums:?}"
    );

    let text = world.text(&fiona, "/v1/reports/positions?format=csv").await;
    let positions = world.get(&fiona, "/v1/reports/positions").await.ok();
    for it in positions["positions"].as_array().expect("positions") {
        let amount = |of: &str| it[of]["amount"].as_str().expect("an amount").to_owned();
        let [partner, direction] = ["partner", "direction"].map(|of| it[of].as_str().expect(of));
        let money = it["net"]["currency"].as_str().expect("a money");
        let line = [
            partner,
            money,
            &amount("debit"),
            &amount("credit"),
            &amount("net"),
            direction,
        ]
        .join(",");
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn netting_is_one_figure_each_in_cents_and_sums_to_zero_with_the_hub() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    world.award(&member, "20000", "STAR").await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    world.convert(&member, "5000", "HPT", "STAR").await;
    close(&world, &fiona).await;
    world.convert(&member, "20000", "STAR", "MILE").await;

    let text = world.text(&fiona, "/v1/reports/netting?format=csv").await;
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "CITYMART,HKD,1600.000000,228.100000,1371.900000,1371.900000,0.000000",
            "AERO,USD,100.000000,199.990000,-99.990000,-99.990000,0.000000",
            "BAYVIEW,USD,30.000000,97.496000,-67.496000,-67.500000,0.004000",
        ]
    );
    let body = world.get(&fiona, "/v1/reports/netting").await.ok();
    let of = |at: usize| {
        [
            &body["items"][at]["efficiency"],
            &body["items"][at]["hub"]["amount"],
        ]
    };
    assert_eq!(of(0), [&json!("25.0"), &json!("-1371.900000")]);
    assert_eq!(of(1), [&json!("60.8"), &json!("167.486000")]);
    assert_eq!(
        body["items"][1]["lines"][0]["movements"][0]["kind"],
        "conversion"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commissions_are_told_by_payer_with_what_came_back_and_sum_to_the_account() {
    let world = World::new().await;
    let fiona = world.sign_in("fiona").await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    world.award(&member, "20000", "STAR").await;
    world.convert(&member, "10000", "MILE", "HPT").await;
    let late = world.convert(&member, "5000", "HPT", "STAR").await;
    close(&world, &fiona).await;
    world.convert(&member, "20000", "STAR", "MILE").await;
    let bayview = world.token("BAYVIEW").await;
    let undo = json!({ "operation": late["id"] });
    world.post(&bayview, "/v1/reversals", undo).await.ok();

    let path = "/v1/reports/commissions?format=csv";
    let table = world.text(&fiona, path).await;
    let expected = [
        "partner,money,kind,charged,returned,net",
        "AERO,USD,conversion,2.500000,0.000000,2.500000",
        "BAYVIEW,USD,conversion,0.750000,0.000000,0.750000",
        "BAYVIEW,USD,conversion_reversal,0.000000,0.750000,-0.750000",
        "CITYMART,HKD,conversion,40.000000,0.000000,40.000000",
    ];
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);
    let books = world.text(&fiona, "/v1/trial-balance?format=csv").await;
    for line in [
        "hub/commission/USD,0.750000,3.250000,-2.500000",
        "hub/commission/HKD,0.000000,40.000000,-40.000000",
    ] {
        assert!(books.contains(line), "{books}");
    }

    let open = world.get(&fiona, "/v1/settlement/windows").await.ok();
    let open = format!(
        "{path}&window={}",
        open["items"][0]["id"].as_str().expect("an id")
    );
    let table = world.text(&fiona, &open).await;
    let expected = [expected[0], expected[3], expected[4]];
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);

    let own = world.get(&bayview, "/v1/reports/commissions").await.ok();
    let own = own["items"].as_array().expect("a list");
    assert!(
        own.len() == 2 && own.iter().all(|it| it["partner"] == "BAYVIEW"),
        "{own:?}"
    );
}
