//! Files of members, memberships and awards: each line goes in once, whatever is sent how often and to whom,
//! and each bad one is told by its number.

use std::time::Duration;

use futures_util::future::join_all;
use interline::imports::BATCH;
use interline::web::stream::LONGEST_LINE;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sql;
use crate::world::{Answer, World, send};

pub const CSV: &str = "text/csv";
pub const NDJSON: &str = "application/x-ndjson";

/// Begins an import of AERO's.
pub async fn begin(world: &World, kind: &str, format: &str) -> String {
    let body = json!({"kind": kind, "format": format, "name": "a file"});
    let token = world.token("AERO").await;
    let made = world.post(&token, "/v1/imports", body).await.ok();
    made["id"].as_str().expect("an id").to_owned()
}

/// Sends lines of AERO's file, the first of them with the number `from`.
pub async fn lines(world: &World, import: &str, from: i64, body: impl Into<Vec<u8>>) -> Answer {
    let token = world.token("AERO").await;
    let read = world.get(&token, &format!("/v1/imports/{import}")).await;
    let kind = match &read.body["format"] {
        format if format == "ndjson" => NDJSON,
        _ => CSV,
    };
    let path = format!("/v1/imports/{import}/lines?from={from}");
    let request = world.request(Method::PUT, &path).bearer_auth(token);
    send(request.header("content-type", kind).body(body.into())).await
}

/// Sends a body of its own making and nothing after it, and perhaps hangs up.
pub async fn raw(world: &World, import: &str, header: &str, body: &str, hangs_up: bool) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let token = world.token("AERO").await;
    let text = format!(
        "PUT /v1/imports/{import}/lines HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/csv\r\n{header}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.expect("a request");
    if hangs_up {
        stream.shutdown().await.expect("an end");
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

pub async fn finish(world: &World, import: &str, lines: i64) -> Answer {
    let path = format!("/v1/imports/{import}/finish");
    let body = json!({"lines": lines});
    world.post(&world.token("AERO").await, &path, body).await
}

async fn read(world: &World, import: &str) -> Value {
    let path = format!("/v1/imports/{import}");
    world.get(&world.token("AERO").await, &path).await.ok()
}

/// The lines that were refused: number, field and code of each.
async fn refused(world: &World, import: &str) -> Vec<(i64, String, String)> {
    let path = format!("/v1/imports/{import}/refusals?limit=200");
    let page = world.get(&world.token("AERO").await, &path).await.ok();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let refused = page["items"].as_array().expect("items").iter();
    let refused = refused.inspect(|it| {
        assert!(
            !text(&it["detail"]).is_empty() && !text(&it["advice"]).is_empty(),
            "{it}"
        );
    });
    let told = |it: &Value| {
        let line = it["line"].as_i64().expect("a number");
        (line, text(&it["field"]), text(&it["code"]))
    };
    refused.map(told).collect()
}

fn told(line: i64, field: &str, code: &str) -> (i64, String, String) {
    (line, field.to_owned(), code.to_owned())
}

/// Enrols members of AERO whose numbers are these.
pub async fn enrolled(world: &World, numbers: &[String]) {
    let import = begin(world, "members", "csv").await;
    let file = format!("number\n{}\n", numbers.join("\n"));
    let sent = lines(world, &import, 1, file).await.ok();
    assert_eq!(sent["done"], numbers.len(), "{sent}");
}

/// So many numbers that nobody has.
pub fn fresh(count: usize) -> Vec<String> {
    let run = Uuid::new_v4().simple().to_string();
    (0..count)
        .map(|nth| format!("{}-{nth}", &run[..8]))
        .collect()
}

pub fn awards(numbers: &[String]) -> String {
    let line = |number: &String| format!("{number},3,MILE,purchase\n");
    let lines: String = numbers.iter().map(line).collect();
    format!("number,amount,currency,reason\n{lines}")
}

/// How many operations AERO's wallets have seen, and the points in them.
async fn awarded(world: &World) -> (i64, i64) {
    let of = "from operations where memo ? 'import'";
    let count = sql::number(&world.url, &format!("select count(*)::text {of}")).await;
    let sum = format!("select coalesce(sum(in_amount), 0)::text {of}");
    (count, sql::number(&world.url, &sum).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn awards_go_in_and_each_bad_line_is_told_by_number_and_reason() {
    let world = World::new().await;
    let numbers = fresh(3);
    enrolled(&world, &numbers).await;
    let [one, two, three] = &numbers[..] else {
        unreachable!()
    };
    let long = "x".repeat(LONGEST_LINE + 1);
    let file = format!(
        "\u{feff}reason,number,amount,currency,channel,reference\r\n\
         purchase,{one},100,MILE,app,R-1\r\n\
         gift,{one},100,MILE,,\r\n\
         purchase,nobody,100,MILE,,\r\n\
         \r\n\
         purchase,{two},\"1,000\",MILE,,\r\n\
         purchase,{two},1.5,MILE,,\r\n\
         purchase,{two},5,STAR,,\r\n\
         purchase,{two},5,NONE,,\r\n\
         purchase,{two},5\r\n\
         purchase,{long}\r\n\
         birthday,{three},7,MILE,,\"a \"\"b\"\"\"\r\n\
         purchase,{two},5,MILE,,R-1\r\n\
         purchase,\"{two},5,MILE,,\r\n\
         purchase,{two},0,MILE,,"
    );
    let import = begin(&world, "awards", "csv").await;
    let sent = lines(&world, &import, 1, file).await.ok();

    assert_eq!((&sent["done"], &sent["refused"]), (&json!(2), &json!(11)));
    assert_eq!(
        (&sent["lines_read"], &sent["next_line"]),
        (&json!(15), &json!(16))
    );
    assert_eq!(
        sent["given"],
        json!([{"amount": "107", "currency": "MILE"}])
    );
    let unreadable = "import-line-unreadable";
    assert_eq!(
        refused(&world, &import).await,
        [
            told(3, "reason", "invalid-field"),
            told(4, "number", "not-found"),
            told(6, "amount", "invalid-field"),
            told(7, "amount", "amount-scale"),
            told(8, "", "not-your-currency"),
            told(9, "currency", "invalid-field"),
            told(10, "", unreadable),
            told(11, "", unreadable),
            told(13, "", "reference-taken"),
            told(14, "", unreadable),
            told(15, "amount", "invalid-field"),
        ]
    );
    assert_eq!(awarded(&world).await, (2, 107));
    let found = world
        .get(&world.token("AERO").await, "/v1/awards?reference=R-1")
        .await
        .ok();
    assert_eq!(
        (&found["amount"]["amount"], &found["channel"]),
        (&json!("100"), &json!("app"))
    );
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limit_of_awards_refuses_is_refused_in_a_file_too() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let limit = json!({"limits": [{"reason": "survey", "period": "day", "times": 2}]});
    world
        .put(&aero, "/v1/currencies/MILE/award-limits", limit)
        .await
        .ok();
    let numbers = fresh(1);
    enrolled(&world, &numbers).await;
    let import = begin(&world, "awards", "ndjson").await;
    let line = json!({"number": numbers[0], "amount": "5", "currency": "MILE", "reason": "survey"});
    let sent = lines(&world, &import, 1, format!("{line}\n").repeat(5))
        .await
        .ok();
    assert_eq!((&sent["done"], &sent["refused"]), (&json!(2), &json!(3)));
    assert!(
        refused(&world, &import)
            .await
            .iter()
            .all(|it| it.2 == "limit-reached")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_enrolled_and_a_number_that_is_taken_is_told() {
    let world = World::new().await;
    let numbers = fresh(2);
    let import = begin(&world, "members", "ndjson").await;
    let line = |number: &str| format!("{}\n", json!({"number": number}));
    let file = [
        line(&numbers[0]),
        line(&numbers[1]),
        line(&numbers[0]),
        line("a b"),
        "{".into(),
    ];
    let sent = lines(&world, &import, 1, file.concat()).await.ok();
    assert_eq!(
        (&sent["done"], &sent["refused"], &sent["given"]),
        (&json!(2), &json!(3), &json!([]))
    );
    let expected = [
        told(3, "number", "number-taken"),
        told(4, "number", "invalid-field"),
        told(5, "", "malformed-json"),
    ];
    assert_eq!(refused(&world, &import).await, expected);

    let again = begin(&world, "members", "ndjson").await;
    lines(&world, &again, 1, line(&numbers[1])).await.ok();
    assert_eq!(
        refused(&world, &again).await,
        [told(1, "number", "number-taken")]
    );
    let path = format!("/v1/members?number={}", numbers[1]);
    let found = world.get(&world.token("AERO").await, &path).await.ok();
    let wallets = format!(
        "/v1/members/{}/wallets",
        found["items"][0]["id"].as_str().expect("a member")
    );
    let wallets = world.get(&world.token("AERO").await, &wallets).await.ok();
    assert_eq!(wallets["items"][0]["currency"], "MILE");
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_are_linked_and_claims_attested() {
    let world = World::new().await;
    let bayview = world.token("BAYVIEW").await;
    let guest = world
        .post(&bayview, "/v1/members", json!({"number": "G-1"}))
        .await
        .ok();
    let link = format!(
        "/v1/members/{}/link-tokens",
        guest["id"].as_str().expect("an id")
    );
    let aero = json!({"partner": "AERO"});
    let link = world.post(&bayview, &link, aero).await.ok();
    let link = link["link_token"].as_str().expect("a token");
    let numbers = fresh(1);
    enrolled(&world, &numbers).await;

    let import = begin(&world, "memberships", "csv").await;
    let file = format!(
        "number,link_token,claim.tier,claim.tier.valid_until\n\
         L-1,{link},gold,2100-01-01T00:00:00Z\n\
         {own},,silver,\n\
         {own},{link},gold,\n\
         L-2,{link},gold,\n\
         L-3,x.y.z,gold,\n\
         nobody,,gold,\n\
         {own},,,2100-01-01T00:00:00Z\n",
        own = numbers[0]
    );
    let sent = lines(&world, &import, 1, file).await.ok();
    assert_eq!((&sent["done"], &sent["refused"]), (&json!(2), &json!(5)));
    let expected = [
        told(4, "link_token", "link-used"),
        told(5, "link_token", "link-used"),
        told(6, "link_token", "link-invalid"),
        told(7, "number", "not-found"),
        told(8, "claims.tier", "invalid-field"),
    ];
    assert_eq!(refused(&world, &import).await, expected);
    let aero = world.token("AERO").await;
    let claims = format!(
        "/v1/members/{}/claims",
        guest["id"].as_str().expect("an id")
    );
    let claims = world.get(&aero, &claims).await.ok();
    assert_eq!(claims["claims"]["tier"]["value"], "gold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_sent_again_gives_nothing_again_and_another_is_noticed() {
    let world = World::new().await;
    let numbers = fresh(BATCH + 10);
    enrolled(&world, &numbers).await;
    let import = begin(&world, "awards", "csv").await;
    let file = awards(&numbers);
    let first = lines(&world, &import, 1, file.clone()).await.ok();
    assert_eq!(first["done"], numbers.len());

    let again = lines(&world, &import, 1, file.clone()).await.ok();
    assert_eq!(first, again);
    let from = lines(
        &world,
        &import,
        3,
        file.split_inclusive('\n').skip(2).collect::<String>(),
    );
    assert_eq!(from.await.ok(), first);

    let shifted = lines(
        &world,
        &import,
        2,
        file.split_inclusive('\n').skip(2).collect::<String>(),
    )
    .await;
    assert_eq!(
        (shifted.problem(), &shifted.body["line"]),
        ("import-line-changed", &json!(2))
    );
    let other = lines(
        &world,
        &import,
        1,
        file.replace("number,amount", "amount,number"),
    )
    .await;
    assert_eq!(
        (other.problem(), &other.body["line"]),
        ("import-line-changed", &json!(1))
    );
    let later = file.replacen(
        &format!("{},3,", numbers[BATCH + 5]),
        &format!("{},4,", numbers[BATCH + 5]),
        1,
    );
    let later = lines(&world, &import, 1, later).await;
    assert_eq!(
        (later.problem(), &later.body["line"]),
        ("import-line-changed", &json!(BATCH + 7))
    );
    assert_eq!(read(&world, &import).await, first);
    assert_eq!(
        awarded(&world).await,
        (numbers.len() as i64, 3 * numbers.len() as i64)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_line_is_corrected_as_long_as_the_import_is_open() {
    let world = World::new().await;
    let numbers = fresh(1);
    enrolled(&world, &numbers).await;
    let import = begin(&world, "awards", "csv").await;
    let file = format!(
        "{}{},3,MILE,gift\n{},3,MILE,event\n",
        awards(&[]),
        numbers[0],
        numbers[0]
    );
    lines(&world, &import, 1, file).await.ok();
    let corrected = lines(&world, &import, 2, format!("{},3,MILE,event\n", numbers[0]))
        .await
        .ok();
    assert_eq!(
        (&corrected["done"], &corrected["refused"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(corrected["next_line"], 4, "line 3 is known still");
    assert_eq!(refused(&world, &import).await, []);
    let finished = finish(&world, &import, 3).await.ok();
    assert_eq!(finished["state"], "finished");
    let late = lines(&world, &import, 2, format!("{},3,MILE,event\n", numbers[0])).await;
    assert_eq!(late.problem(), "import-closed");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_finished_when_every_line_was_taken() {
    let world = World::new().await;
    let import = begin(&world, "members", "csv").await;
    let gap = lines(&world, &import, 2, "a\n").await;
    assert_eq!(
        (gap.problem(), &gap.body["next_line"]),
        ("import-line-missing", &json!(1))
    );
    assert_eq!(
        lines(&world, &import, 1, "").await.problem(),
        "import-empty"
    );
    lines(&world, &import, 1, "number\n").await.ok();
    let empty = finish(&world, &import, 1).await;
    assert_eq!(empty.problem(), "import-empty");
    assert!(
        empty.body["detail"]
            .as_str()
            .expect("a detail")
            .starts_with("line 1 names"),
        "{}",
        empty.body
    );

    let number = &fresh(1)[0];
    lines(&world, &import, 2, format!("{number}\n")).await.ok();
    for wrong in [1, 3] {
        let answer = finish(&world, &import, wrong).await;
        assert_eq!(
            (answer.problem(), &answer.body["next_line"]),
            ("import-line-missing", &json!(3))
        );
    }
    finish(&world, &import, 2).await.ok();
    assert_eq!(finish(&world, &import, 2).await.problem(), "import-closed");
    let operator = world
        .get(world.operator().await, &format!("/v1/imports/{import}"))
        .await
        .ok();
    assert_eq!(
        (&operator["state"], &operator["done"]),
        (&json!("finished"), &json!(1))
    );
    let events = sql::rows(
        &sql::session(&world.url).await,
        "select before, after from audit where subject = 'import' order by position",
    )
    .await;
    let said = [
        [None, Some("open".to_owned())],
        [Some("open".to_owned()), Some("finished".to_owned())],
    ];
    assert_eq!(events, said.map(Vec::from));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_wrong_is_told_by_its_columns() {
    let world = World::new().await;
    for (kind, header, unknown, twice, missing) in [
        (
            "members",
            "numbr\n",
            json!(["numbr"]),
            json!([]),
            json!(["number"]),
        ),
        (
            "members",
            "number,number\nx,y\n",
            json!([]),
            json!(["number"]),
            json!([]),
        ),
        (
            "awards",
            "number;amount\n",
            json!(["number;amount"]),
            json!([]),
            json!(["amount", "currency", "reason", "member"]),
        ),
        (
            "memberships",
            "number,claims\n",
            json!(["claims"]),
            json!([]),
            json!([]),
        ),
    ] {
        let import = begin(&world, kind, "csv").await;
        let answer = lines(&world, &import, 1, header).await;
        assert_eq!(answer.problem(), "import-columns", "{header}");
        let told = [
            &answer.body["unknown"],
            &answer.body["twice"],
            &answer.body["missing"],
        ];
        assert_eq!(told, [&unknown, &twice, &missing], "{}", answer.body);
        assert_eq!(read(&world, &import).await["next_line"], 1);
    }
    let import = begin(&world, "members", "csv").await;
    for bytes in [
        &b"\xff\xfen\0u\0m\0\n"[..],
        b"num\xe9ro\n",
        b"num\0ber\n",
        b"\"number\nx\n",
    ] {
        let answer = lines(&world, &import, 1, bytes).await;
        assert_eq!(answer.problem(), "import-columns", "{bytes:?}");
        assert_eq!(
            answer.body["detail"].as_str().expect("a detail")[..7],
            *"line 1:"
        );
    }
    let json = world
        .request(Method::PUT, &format!("/v1/imports/{import}/lines"))
        .bearer_auth(world.token("AERO").await)
        .json(&json!({"number": "1"}));
    assert_eq!(send(json).await.problem(), "unsupported-media-type");
}

/// Somebody who goes away at any moment, and comes back, to either hub.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_off_again_and_again_goes_in_once() {
    let world = World::new().await;
    let second = world.second().await;
    let numbers = fresh(1_500);
    enrolled(&world, &numbers).await;
    let import = begin(&world, "awards", "csv").await;
    let file = awards(&numbers);

    for nth in 0..12_u64 {
        let hub = [&world, &second][nth as usize % 2];
        let from = read(hub, &import).await["next_line"]
            .as_i64()
            .expect("a line");
        let rest: String = file.split_inclusive('\n').skip(from as usize - 1).collect();
        let gone = Duration::from_millis(40 + nth * 37);
        let _ = tokio::time::timeout(gone, lines(hub, &import, from, rest)).await;
    }
    let halves = join_all([&world, &second].map(|hub| lines(hub, &import, 1, file.clone()))).await;
    for half in halves {
        assert_eq!(half.ok()["done"], numbers.len());
    }
    let count = numbers.len() as i64;
    finish(&second, &import, count + 1).await.ok();
    assert_eq!(awarded(&world).await, (count, 3 * count));
    World::assert_right(&world.verify().await);
}

/// A body that says it is longer than what comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_that_ends_too_early_only_whole_lines_are_taken() {
    let world = World::new().await;
    let import = begin(&world, "members", "csv").await;
    let mut file = "number\n".to_owned();
    for number in fresh(2 * BATCH) {
        file += &format!("{number}\n");
    }
    let cut = &file[..file.len() - 3];
    raw(
        &world,
        &import,
        &format!("Content-Length: {}", file.len()),
        cut,
        true,
    )
    .await;

    let told = read(&world, &import).await;
    let next = told["next_line"].as_i64().expect("a line");
    assert_eq!((next - 1) % BATCH as i64, 0, "{told}");
    let rest: String = file.split_inclusive('\n').skip(next as usize - 1).collect();
    let sent = lines(&world, &import, next, rest).await.ok();
    assert_eq!(
        (&sent["done"], &sent["refused"]),
        (&json!(2 * BATCH), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_revoked_or_suspended_meanwhile_goes_no_further() {
    let world = World::new().await;
    let numbers = fresh(1);
    enrolled(&world, &numbers).await;
    let import = begin(&world, "awards", "csv").await;
    let partner = &world.credentials.partner("AERO").expect("AERO").id;
    let status = format!("/v1/partners/{partner}/status");
    let suspend = json!({"state": "suspended"});
    world
        .post(world.operator().await, &status, suspend)
        .await
        .ok();
    let answer = lines(&world, &import, 1, awards(&numbers)).await;
    assert_eq!(answer.problem(), "partner-suspended");
    let told = read(&world, &import).await;
    assert_eq!(
        (&told["next_line"], &told["refused"]),
        (&json!(2), &json!(0))
    );
    let early = finish(&world, &import, 1).await;
    assert_eq!(early.problem(), "import-line-missing", "line 2 is in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_awards_with_one_bad_line_all_others_go_in() {
    let world = World::new().await;
    let members = fresh(50);
    enrolled(&world, &members).await;
    let count = std::env::var("INTERLINE_TEST_AWARDS")
        .map_or(3_000, |many| many.parse().expect("a number"));
    let mut file = "number,amount,currency,reason\n".to_owned();
    for nth in 0..count {
        let number = &members[nth % members.len()];
        let amount = if nth == count / 2 { "-1" } else { "1" };
        file += &format!("{number},{amount},MILE,purchase\n");
    }
    let import = begin(&world, "awards", "csv").await;
    let started = std::time::Instant::now();
    let sent = lines(&world, &import, 1, file).await.ok();
    eprintln!("{count} awards in {:?}", started.elapsed());
    assert_eq!(
        (&sent["done"], &sent["refused"]),
        (&json!(count - 1), &json!(1))
    );
    assert_eq!(
        refused(&world, &import).await,
        [told(count as i64 / 2 + 2, "amount", "invalid-field")]
    );
    finish(&world, &import, count as i64 + 1).await.ok();
    assert_eq!(awarded(&world).await.0, count as i64 - 1);
}

/// Runs `interline KIND import FILE` as AERO.
async fn command(
    world: &World,
    kind: &str,
    file: &std::path::Path,
    more: &[&str],
) -> (i32, String) {
    let aero = world.credentials.partner("AERO").expect("AERO").clone();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_interline"));
    command
        .args([kind, "import"])
        .arg(file)
        .args(more)
        .env("INTERLINE_URL", &world.base_url)
        .env("INTERLINE_CLIENT_ID", aero.client_id)
        .env("INTERLINE_CLIENT_SECRET", aero.client_secret);
    let ran = tokio::task::spawn_blocking(move || command.output().expect("the program"));
    let ran = ran.await.expect("an end");
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// A file that is gone in the end.
struct Written(std::path::PathBuf);

impl Written {
    fn new(ending: &str, text: impl AsRef<[u8]>) -> Written {
        let name = format!("interline-lines-{}.{ending}", Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a file");
        Written(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_sends_a_file_once_and_tells_its_bad_lines() {
    let world = World::new().await;
    let numbers = fresh(2_500);
    let members: String = numbers
        .iter()
        .map(|it| format!("{}\n", json!({"number": it})))
        .collect();
    let members = Written::new("ndjson", members);
    let (status, said) = command(&world, "members", &members.0, &[]).await;
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("2500 members went in; 0 lines did not"),
        "{said}"
    );

    let file = Written::new("csv", awards(&numbers).replacen("purchase", "gift", 1));
    for _ in 0..2 {
        let (status, said) = command(&world, "awards", &file.0, &[]).await;
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("line 2: reason: unknown variant `gift`"),
            "{said}"
        );
        assert!(
            said.contains("2499 awards went in, 7497 MILE; 1 lines did not"),
            "{said}"
        );
    }
    let (status, said) = command(&world, "awards", &file.0, &["--json"]).await;
    let told: Value = serde_json::from_str(&said).expect("one document");
    assert_eq!(
        (status, &told["state"], &told["refusals"][0]["line"]),
        (1, &json!("finished"), &json!(2))
    );
    assert_eq!(awarded(&world).await, (2_499, 7_497));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_goes_on_where_it_was_killed() {
    let world = World::new().await;
    let numbers = fresh(6_000);
    for some in numbers.chunks(2_000) {
        enrolled(&world, some).await;
    }
    let file = Written::new("csv", awards(&numbers));
    let aero = world.credentials.partner("AERO").expect("AERO").clone();
    for _ in 0..3 {
        let started = tokio::process::Command::new(env!("CARGO_BIN_EXE_interline"))
            .args(["awards", "import"])
            .arg(&file.0)
            .env("INTERLINE_URL", &world.base_url)
            .env("INTERLINE_CLIENT_ID", &aero.client_id)
            .env("INTERLINE_CLIENT_SECRET", &aero.client_secret)
            .stderr(std::process::Stdio::null())
            .spawn();
        let mut started = started.expect("the program");
        let before = awarded(&world).await.0;
        while awarded(&world).await.0 == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        started.kill().await.expect("kill -9");
    }
    let (status, said) = command(&world, "awards", &file.0, &[]).await;
    assert_eq!(status, 0, "{said}");
    assert_eq!(awarded(&world).await, (6_000, 18_000));
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_why_it_cannot_begin() {
    let world = World::new().await;
    let cases = [
        ("csv", "", "is empty: there is nothing to import"),
        (
            "csv",
            "number\n",
            "line 1 names the columns, and no line follows it",
        ),
        ("csv", "numbr\nx\n", "there is no column `numbr`"),
        ("txt", "number\nx\n", "--format csv"),
    ];
    for (ending, text, why) in cases {
        let file = Written::new(ending, text);
        let (status, said) = command(&world, "members", &file.0, &[]).await;
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(why), "{text:?}: {said}");
    }
    let (status, said) =
        command(&world, "members", std::path::Path::new("/nowhere.csv"), &[]).await;
    assert_eq!(status, 2);
    assert!(said.contains("cannot read /nowhere.csv"), "{said}");
}
