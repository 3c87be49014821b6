//! Published rules as cards: imported, resumed, left out with a reason; and what stands in the text
//! columns of the table, exercised row by row through the API.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use futures_util::{StreamExt, stream};
use interline::partners::Directories;
use interline::rates::imports::transcript::Transcript;
use interline::rates::imports::{self, Desk, Tally, Way};
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, World, send};

const TABLE: &str = include_str!("../published_rates.csv");
const TRANSCRIBED: &str = include_str!("../transcribed_rates.json");

const AGREED: Way = Way {
    admit: true,
    agreed: true,
};

async fn import(world: &World, file: &str, transcript: &str, way: Way) -> (Tally, Vec<String>) {
    let transcript: Transcript = serde_json::from_str(transcript).expect("a transcript");
    let desk = Desk {
        ids: &world.hub.ids,
        secrets: &world.hub.secrets,
        directories: Directories::default(),
    };
    let mut left_out = Vec::new();
    let mut conn = world.hub.pool.get().await.expect("a connection");
    let tally = imports::import(
        &mut conn,
        &desk,
        file.as_bytes(),
        &transcript,
        way,
        |why| left_out.push(why),
        |_, _| {},
    )
    .await
    .expect("an import");
    (tally, left_out)
}

/// The header and the rows whose ids these are.
fn rows(wanted: impl Fn(&str) -> bool) -> String {
    let mut lines = TABLE.lines();
    let header = lines.next().expect("a header").to_owned();
    let rows = lines.filter(|line| wanted(line.split(',').next().unwrap_or_default()));
    std::iter::once(header.as_str())
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_stopped() {
    let world = World::new().await;
    let half: String = TABLE.lines().take(90).collect::<Vec<_>>().join("\n");
    let (first, _) = import(&world, &half, TRANSCRIBED, AGREED).await;
    let (second, left_out) = import(&world, TABLE, TRANSCRIBED, AGREED).await;
    assert!(first.made > 50 && second.made > 30, "{first} {second}");
    assert_eq!(second.known, first.made);
    assert_eq!(second.left_out, left_out.len());
    let (third, _) = import(&world, TABLE, TRANSCRIBED, AGREED).await;
    assert_eq!((third.made, third.known), (0, first.made + second.made));

    let live = "select count(*) from rate_cards where origin like 'R%' and state = 'published' and id > \
                (select count(*) from rate_cards where created_by not in (select id from credentials))";
    assert!(sql::number(&world.url, live).await > 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_card_can_say_is_not_made_live() {
    let world = World::new().await;
    let (bare, left_out) = import(&world, TABLE, "{}", AGREED).await;
    let with_texts = left_out
        .iter()
        .filter(|why| why.contains("is not transcribed"));
    assert_eq!(with_texts.count(), 73, "{left_out:#?}");
    assert_eq!(bare.made + bare.left_out, 176);

    let r018 = rows(|row| row == "R018");
    let (none, why) = import(&world, &r018, TRANSCRIBED, AGREED).await;
    assert_eq!(none.made, 0);
    assert_eq!(
        why,
        ["line 2 R018: promo_bonus: the bonuses have neither sizes nor dates"]
    );
    let other = r018.replace("Frequent transfer", "Rare transfer");
    let (_, why) = import(&world, &other, TRANSCRIBED, AGREED).await;
    assert!(
        why[0].contains("was transcribed as it was before"),
        "{why:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_agreed_on_paper_waits_for_both_brands() {
    let world = World::new().await;
    let r190 = rows(|row| row == "R190");
    let strangers = Way {
        admit: false,
        agreed: false,
    };
    let (_, why) = import(&world, &r190, TRANSCRIBED, strangers).await;
    assert!(
        why[0].contains("no currency is called `KrisFlyer`"),
        "{why:?}"
    );
    let proposed = Way {
        admit: true,
        agreed: false,
    };
    let (tally, _) = import(&world, &r190, TRANSCRIBED, proposed).await;
    assert_eq!(tally.made, 1);
    let state = "select count(*) from rate_cards where origin = 'R190' and state = 'proposed'";
    assert_eq!(sql::number(&world.url, state).await, 1);
    let (again, _) = import(&world, &r190, TRANSCRIBED, proposed).await;
    assert_eq!((again.made, again.known), (0, 1));
}

/// The fields of a record by column.
fn fields(row: &str) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let record = reader
        .records()
        .map(|record| record.expect("a record"))
        .find(|record| &record[0] == row)
        .expect(row);
    let fields = header.iter().zip(record.iter());
    fields
        .map(|(name, field)| (name.to_owned(), field.to_owned()))
        .collect()
}

/// A card that a row became, with what it takes to use it.
struct Rule {
    from: String,
    to: String,
    source: String,
    target: String,
    member: String,
    card: Value,
    cases: String,
}

impl Rule {
    async fn of(
        world: &World,
        tokens: &mut Tokens,
        (row, nth): (&str, usize),
        texts: &Value,
    ) -> Rule {
        let fields = fields(row);
        let olivia = match tokens.get("olivia") {
            Some(token) => token.clone(),
            None => world.sign_in("olivia").await,
        };
        tokens.insert("olivia".to_owned(), olivia.clone());
        let currencies = currencies(world, &olivia).await;
        let named = |name: &str| {
            let mut all = currencies.iter();
            let found = all.find(|currency| currency["name"] == name);
            found.expect(name).clone()
        };
        let mut ways = texts.as_object().expect("texts").values();
        let to = ways.find_map(|text| text["is_each"][nth]["to_program"].as_str());
        let only = to.map(|_| 0);
        let to = to.unwrap_or(&fields["to_program"]);
        let (from, to) = (named(&fields["from_program"]), named(to));
        let source = token(world, tokens, &olivia, &from["issuer"]).await;
        let target = token(world, tokens, &olivia, &to["issuer"]).await;
        let issuer = to["issuer"].as_str().expect("an id");
        let issuer = format!("/v1/partners/{issuer}");
        let issuer = world.get(&source, &issuer).await.ok();
        let code = |currency: &Value| currency["code"].as_str().expect("a code").to_owned();
        let (from, to) = (code(&from), code(&to));

        let number = json!({"number": format!("N-{row}-{nth}")});
        let member = world
            .post(&source, "/v1/members", number.clone())
            .await
            .ok();
        let member = member["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/members/{member}/link-tokens");
        let carried = json!({"partner": issuer["code"]});
        let link = world.post(&source, &path, carried).await.ok();
        let mut join = number;
        join["link_token"] = link["link_token"].clone();
        world.post(&target, "/v1/memberships", join).await.ok();

        let path = format!("/v1/rate-cards?from={from}&to={to}");
        let cards = world.get(&source, &path).await.ok();
        let cards = cards["items"].as_array().expect("cards").iter();
        let of_row: Vec<&Value> = cards.filter(|card| card["origin"] == row).collect();
        let card = of_row.get(only.unwrap_or(nth));
        let card = card.expect("a card of the row");
        Rule {
            card: (*card).clone(),
            cases: fields["tests"].clone(),
            from,
            to,
            source,
            target,
            member,
        }
    }

    /// Has the brands attest what the card asks for. Answers the channel it asks for.
    async fn meet(&self, world: &World) -> Option<String> {
        let when = &self.card["when"];
        if let Some(claims) = when["claims"].as_object() {
            let claim =
                |(name, values): (&String, &Value)| (name.clone(), json!({"value": values[0]}));
            let claims: serde_json::Map<String, Value> = claims.iter().map(claim).collect();
            let by = if when["of"] == "target" {
                &self.target
            } else {
                &self.source
            };
            let path = format!("/v1/members/{}/claims", self.member);
            world.put(by, &path, json!({"claims": claims})).await.ok();
        }
        when["channel"][0].as_str().map(str::to_owned)
    }

    async fn quote(&self, world: &World, amount: &str, channel: Option<&str>) -> Answer {
        let gives = json!({"amount": amount, "currency": self.from});
        let body =
            json!({"member": self.member, "gives": gives, "to": self.to, "channel": channel});
        world.post(&self.source, "/v1/quotes", body).await
    }

    /// Every case of the table that the texts do not change.
    async fn cases(&self, world: &World, channel: Option<&str>, more_fee: bool) {
        for case in self
            .cases
            .split(';')
            .map(str::trim)
            .filter(|it| !it.is_empty())
        {
            let mut words = case.split_whitespace();
            let (given, gained) = words.next().and_then(|it| it.split_once('>')).expect(case);
            let answer = self.quote(world, given, channel).await;
            if let Some(why) = gained.strip_prefix("ERR:") {
                let slug = match why {
                    "below_min" => "amount-below-minimum",
                    "above_max" => "amount-above-maximum",
                    "bad_step" => "amount-off-step",
                    other => panic!("{other}"),
                };
                assert_eq!(answer.problem(), slug, "{case}");
                continue;
            }
            // What the table calls legal may be more than a period allows.
            if answer.status == 422 && answer.body["code"] == "limit-reached" {
                continue;
            }
            let quote = answer.ok();
            assert_eq!(quote["card"], self.card["id"], "{case}");
            assert_eq!(quote["gains"]["amount"], gained, "{case}");
            let fee = words.find_map(|word| word.strip_prefix("fee="));
            let told = quote["fee"]["amount"]
                .as_str()
                .map(|fee| fee.replace('.', ""));
            let told: Option<i64> = told.map(|fee| fee.parse().expect("millionths"));
            match fee {
                Some(fee) => {
                    let cents: i64 = fee.parse().expect("a number");
                    assert_eq!(told, Some(cents * 10_000), "{case}");
                }
                None => assert_eq!(told.is_some(), more_fee, "{case}"),
            }
        }
    }

    async fn option(&self, world: &World, channel: Option<&str>) -> Value {
        let path = format!("/v1/members/{}/wallets", self.member);
        let wallets = world.get(&self.source, &path).await.ok();
        let wallets = wallets["items"].as_array().expect("wallets").clone();
        let wallet = wallets.iter().find(|it| it["currency"] == *self.from);
        let wallet = wallet.expect("a wallet")["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let channel = channel.map_or_else(String::new, |channel| format!("&channel={channel}"));
        let path = format!("/v1/conversions/options?wallet={wallet}{channel}");
        let options = world.get(&self.source, &path).await.ok();
        let mut all = options["items"].as_array().expect("options").iter();
        all.find(|option| option["to"] == *self.to && option["through"].is_null())
            .expect("an option")
            .clone()
    }

    /// Uses the limits up: nothing goes over them, and in the end they are what refuses.
    async fn use_up(&self, world: &World, channel: Option<&str>) {
        let amount = json!({"amount": "2000000", "currency": self.from});
        let award = json!({"member": self.member, "amount": amount, "reason": "event"});
        world.post(&self.source, "/v1/awards", award).await.ok();
        let limits = self.card["terms"]["allowances"].as_array().expect("limits");
        let most = limits
            .iter()
            .filter_map(|limit| limit["given"].as_i64())
            .min();
        let mut given = 0;
        for _ in 0..30 {
            let option = self.option(world, channel).await;
            let amount = option["gives"]["amount"]
                .as_str()
                .expect("an amount")
                .to_owned();
            let answer = self.quote(world, &amount, channel).await;
            if !answer.status.is_success() {
                assert_eq!(answer.problem(), "limit-reached");
                assert!(most.is_none_or(|most| given <= most));
                assert!(given > 0, "something is allowed");
                return;
            }
            let order = json!({"quote": answer.ok()["quote"]});
            world
                .post(&self.source, "/v1/conversions", order)
                .await
                .ok();
            given += amount.parse::<i64>().expect("a number");
        }
        panic!("nothing refuses");
    }

    /// A fee that covers a period is paid once in it.
    async fn pay_once(&self, world: &World, channel: Option<&str>) {
        let (given, _) = self.cases.split_once('>').expect("a case");
        let keep = self.card["terms"]["keep"].as_i64().unwrap_or(0);
        let amount = keep + 2 * given.parse::<i64>().expect("a number");
        let amount = json!({"amount": amount.to_string(), "currency": self.from});
        let award = json!({"member": self.member, "amount": amount, "reason": "event"});
        world.post(&self.source, "/v1/awards", award).await.ok();
        for is_paid in [false, true] {
            let quote = self.quote(world, given, channel).await.ok();
            assert_eq!(quote["fee_covers"]["is_paid"], is_paid);
            let order = json!({"quote": quote["quote"]});
            let taken = world.post(&self.source, "/v1/conversions", order).await;
            assert_eq!(taken.ok()["fee"].is_null(), is_paid);
        }
    }

    /// What has to stay of a wallet stays.
    async fn keep(&self, world: &World) {
        let keep = self.card["terms"]["keep"].as_i64().expect("a floor");
        let amount = json!({"amount": (keep + 9_999).to_string(), "currency": self.from});
        let award = json!({"member": self.member, "amount": amount, "reason": "event"});
        world.post(&self.source, "/v1/awards", award).await.ok();
        let option = self.option(world, None).await;
        let gives: i64 = option["gives"]["amount"]
            .as_str()
            .expect("an amount")
            .parse()
            .expect("a number");
        assert!(gives <= 9_999, "{option}");
    }
}

async fn currencies(world: &World, olivia: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut path = "/v1/currencies?limit=100".to_owned();
    loop {
        let page = world.get(olivia, &path).await.ok();
        all.extend(
            page["items"]
                .as_array()
                .expect("currencies")
                .iter()
                .cloned(),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/currencies?limit=100&cursor={cursor}"),
            None => return all,
        }
    }
}

/// By partner, and of olivia.
type Tokens = BTreeMap<String, String>;

async fn token(world: &World, tokens: &mut Tokens, olivia: &str, partner: &Value) -> String {
    let partner = partner.as_str().expect("an id").to_owned();
    if let Some(token) = tokens.get(&partner) {
        return token.clone();
    }
    let path = format!("/v1/partners/{partner}/credentials");
    let scopes = json!({"scopes": ["awards:write", "quotes:write", "conversions:write", "members:read",
        "members:write", "ledger:read", "rates:read", "reversals:write"]});
    let made = world.post(olivia, &path, scopes).await.ok();
    let text = |field: &str| made[field].as_str().expect(field).to_owned();
    let request = world
        .request(reqwest::Method::POST, "/oauth/token")
        .basic_auth(text("client_id"), Some(text("client_secret")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    let granted = send(request).await.ok();
    let token = granted["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    tokens.insert(partner, token.clone());
    token
}

/// By row, how many cards it becomes.
fn transcribed() -> BTreeMap<String, (Value, usize)> {
    let all: BTreeMap<String, Value> = serde_json::from_str(TRANSCRIBED).expect("a transcript");
    let cards = |texts: &Value| {
        let texts: Vec<&Value> = texts.as_object().expect("texts").values().collect();
        if texts.iter().any(|text| text.get("cannot").is_some()) {
            return 0;
        }
        let each = texts.iter().filter_map(|text| text["is_each"].as_array());
        each.map(Vec::len).max().unwrap_or(1)
    };
    all.into_iter()
        .map(|(row, texts)| {
            let cards = cards(&texts);
            (row, (texts, cards))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_dates_do_what_their_texts_say() {
    let world = World::new().await;
    import(&world, TABLE, TRANSCRIBED, AGREED).await;
    let mut exercised = 0;
    let mut tokens = Tokens::new();
    for (row, (texts, cards)) in transcribed() {
        let is_dated = texts.get("valid_from").or(texts.get("valid_to")).is_some();
        if is_dated || row == "R161" {
            continue;
        }
        for nth in 0..cards {
            exercise(&world, &mut tokens, (&row, nth), &texts).await;
            exercised += 1;
        }
    }
    assert!(exercised > 25, "{exercised}");
    World::assert_right(&world.verify().await);
}

async fn exercise(world: &World, tokens: &mut Tokens, (row, nth): (&str, usize), texts: &Value) {
    let rule = Rule::of(world, tokens, (row, nth), texts).await;
    if !rule.card["when"].is_null() {
        let (given, _) = rule.cases.split_once('>').expect("a case");
        let answer = rule.quote(world, given, None).await;
        // Another card may be for everybody.
        let is_for_all = answer.status.is_success() && answer.body["card"] == rule.card["id"];
        assert!(!is_for_all, "{row} is for some: {}", answer.body);
    }
    let channel = rule.meet(world).await;
    let channel = channel.as_deref();
    let fee = &texts["fee"];
    let more_fee = !fee["is"]["terms"].is_null() || !fee["is_each"].is_null();
    rule.cases(world, channel, more_fee).await;
    if rule.card["terms"].get("allowances").is_some() {
        rule.use_up(world, channel).await;
    }
    if rule.card["terms"].get("keep").is_some() {
        rule.keep(world).await;
    }
    if !rule.card["terms"]["fee"]["covers"].is_null() {
        rule.pay_once(world, channel).await;
    }
}

/// The same dates ten years later, which are all to come.
fn ten_years_later(transcribed: &str) -> String {
    let mut later = transcribed.to_owned();
    for year in (2018..=2026).rev() {
        later = later.replace(
            &format!("\"local\": \"{year}-"),
            &format!("\"local\": \"{}-", year + 10),
        );
    }
    later
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_dates_hold_between_them_and_not_beside() {
    let dated: Vec<(String, Value, usize)> = transcribed()
        .into_iter()
        .filter(|(_, (texts, cards))| {
            *cards > 0 && texts.get("valid_from").or(texts.get("valid_to")).is_some()
        })
        .map(|(row, (texts, cards))| (row, texts, cards))
        .collect();
    assert!(dated.len() > 25, "{}", dated.len());
    stream::iter(dated)
        .for_each_concurrent(4, |(row, texts, cards)| async move {
            let world = World::new().await;
            let file = rows(|name| name == row);
            let later = ten_years_later(TRANSCRIBED);
            let (tally, why) = import(&world, &file, &later, AGREED).await;
            assert_eq!(tally.made, cards, "{row}: {why:?}");
            window(&world, &row, &texts).await;
        })
        .await;
}

/// A row is no card before its time, is one within it, and none after.
async fn window(world: &World, row: &str, texts: &Value) {
    let rule = Rule::of(world, &mut Tokens::new(), (row, 0), texts).await;
    let channel = rule.meet(world).await;
    let channel = channel.as_deref();
    let (given, _) = rule.cases.split_once('>').expect("a case");
    let instant = |field: &str| -> Option<DateTime<Utc>> {
        rule.card[field]
            .as_str()
            .map(|at| at.parse().expect("an instant"))
    };
    // What decides, and what the answer was.
    let decides = async || {
        let answer = rule.quote(world, given, channel).await;
        let is_it = answer.status.is_success() && answer.body["card"] == rule.card["id"];
        (is_it, answer.body)
    };
    let must = async |is_it: bool, when: &str| {
        let (decides, answer) = decides().await;
        assert_eq!(decides, is_it, "{row} {when}: {answer}");
    };
    let go_to = async |at: DateTime<Utc>| {
        let now = interline::db::now(&mut world.superuser().await)
            .await
            .expect("a clock");
        world.forward(at - now).await;
    };
    if texts.get("valid_from").is_some() {
        let start = instant("valid_from").expect("a beginning");
        go_to(start - Duration::seconds(30)).await;
        must(false, "before its time").await;
        go_to(start + Duration::seconds(2)).await;
    }
    must(true, "in its time").await;
    if let Some(end) = instant("valid_to") {
        go_to(end - Duration::seconds(30)).await;
        must(true, "at its end").await;
        go_to(end + Duration::seconds(2)).await;
        must(false, "after its time").await;
    }
}
