//! Rate cards and exchange rates: drafted, proposed, agreed, seen, ended. Three brands of their own
//! stand beside the sample coalition, so that no card of the sample is in the way.

use actix_web::web::Data;
use chrono::{Duration, SecondsFormat, Utc};
use diesel_async::SimpleAsyncConnection;
use interline::clock;
use interline::db::{self, Pool};
use interline::id::{Ids, Kind};
use interline::rates::condition::Asker;
use interline::rates::{self, Books};
use interline::web::client;
use serde_json::{Value, json};

use crate::world::World;

struct Rates {
    pool: Pool,
    base: String,
    ids: Data<Ids>,
    client: reqwest::Client,
    /// Tokens, by who holds them.
    operator: String,
    auditor: String,
    finance: String,
    source: String,
    target: String,
    stranger: String,
}

struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }

    #[track_caller]
    fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

const SCOPES: &[&str] = &["rates:read", "rates:write"];

impl Rates {
    /// Store issues TOKEN and settles in HKD, Wings issues KILO and settles in USD; Beach with
    /// its NIGHT looks on.
    async fn new() -> Rates {
        let world = World::new().await;
        let operator = world.sign_in("olivia").await;
        let none = String::new;
        let mut rates = Rates {
            pool: Pool::clone(&world.hub.pool),
            base: world.base_url.clone(),
            ids: world.hub.ids.clone(),
            client: client::builder().build().expect("a client"),
            auditor: world.sign_in("ada").await,
            finance: world.sign_in("fiona").await,
            operator,
            source: none(),
            target: none(),
            stranger: none(),
        };
        rates.source = rates.partner("STORE", "HKD", "TOKEN").await;
        rates.target = rates.partner("WINGS", "USD", "KILO").await;
        rates.stranger = rates.partner("BEACH", "USD", "NIGHT").await;
        rates
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, body }
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.post_raw(token, path, body.to_string()).await
    }

    async fn post_raw(&self, token: &str, path: &str, body: String) -> Answer {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(token);
        let request = request
            .header("Idempotency-Key", uuid::Uuid::new_v4().to_string())
            .header("Content-Type", "application/json");
        self.send(request.body(body)).await
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(
            self.client
                .get(format!("{}{path}", self.base))
                .bearer_auth(token),
        )
        .await
    }

    /// A partner with a currency; its token.
    async fn partner(&self, code: &str, money: &str, currency: &str) -> String {
        let body = json!({"code": code, "name": code, "kind": "brand", "money": money, "zone": "Asia/Hong_Kong"});
        let partner = self
            .post(&self.operator, "/v1/partners", body)
            .await
            .is(201);
        let id = partner["id"].as_str().unwrap().to_owned();
        let body = json!({"code": currency, "name": currency, "scale": 0, "issuer": id,
            "expiry": {"policy": "none"}, "display_value": "0.014"});
        self.post(&self.operator, "/v1/currencies", body)
            .await
            .is(201);
        self.token(&id).await
    }

    async fn token(&self, partner: &str) -> String {
        let path = format!("/v1/partners/{partner}/credentials");
        let made = self
            .post(&self.operator, &path, json!({"scopes": SCOPES}))
            .await
            .is(201);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            made["client_id"].as_str().unwrap(),
            made["client_secret"].as_str().unwrap()
        );
        let request = self.client.post(format!("{}/oauth/token", self.base));
        let request = request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form);
        let granted = self.send(request).await.is(200);
        granted["access_token"].as_str().unwrap().to_owned()
    }

    async fn draft(&self, token: &str, body: Value) -> Value {
        self.post(token, "/v1/rate-cards", body).await.is(201)
    }

    async fn step(&self, token: &str, card: &Value, step: &str) -> Answer {
        let body = match step {
            "approve" | "reject" => json!({"content_hash": card["content_hash"]}),
            _ => json!({}),
        };
        self.post(token, &format!("/v1/rate-cards/{}/{step}", id(card)), body)
            .await
    }

    /// Drafted and proposed by the source.
    async fn proposed(&self, body: Value) -> Value {
        let card = self.draft(&self.source, body).await;
        self.step(&self.source, &card, "propose").await.is(200)
    }

    /// Proposed by one issuer and approved by the other.
    async fn agreed_by(&self, one: &str, other: &str, body: Value) -> Value {
        let card = self.draft(one, body).await;
        let card = self.step(one, &card, "propose").await.is(200);
        self.step(other, &card, "approve").await.is(200)
    }

    /// Agreed by all three.
    async fn published(&self, body: Value) -> Value {
        let card = self.proposed(body).await;
        self.step(&self.target, &card, "approve").await.is(200);
        self.step(&self.operator, &card, "approve").await.is(200)
    }

    async fn state(&self, card: &Value) -> Value {
        let path = format!("/v1/rate-cards/{}", id(card));
        self.get(&self.auditor, &path).await.is(200)["state"].clone()
    }

    fn internal(&self, card: &Value) -> i64 {
        self.ids.read(Kind::RateCard, id(card)).unwrap()
    }

    async fn forward(&self, by: Duration) {
        let mut conn = self.pool.get().await.unwrap();
        conn.batch_execute("reset role").await.unwrap();
        db::turn_clock_forward(&mut conn, by).await.unwrap();
    }
}

fn id(card: &Value) -> &str {
    card["id"].as_str().unwrap()
}

fn star_to_mile(give: u32) -> Value {
    json!({
        "from": "TOKEN", "to": "KILO",
        "terms": {"kind": "ratio", "give": give, "get": 1, "min": 5000, "step": 1250},
        "settlement": {"kind": "cost_plus", "price": "0.014000", "commission": "0.025"},
    })
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

fn in_days(days: i64) -> String {
    (Utc::now() + Duration::days(days)).to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_active_when_all_three_have_agreed() {
    let world = Rates::new().await;
    let draft = world
        .draft(&world.source, with(star_to_mile(5), "origin", "R203"))
        .await;
    assert_eq!(
        (&draft["state"], &draft["version"]),
        (&json!("draft"), &json!(1))
    );
    assert_eq!(
        draft["sentence"],
        "5,000 TOKEN or more, in steps of 1,250, become KILO at 5 to 1."
    );
    assert_eq!(
        draft["sentence_zh"],
        "5,000 TOKEN 起，以 1,250 為單位，按 5 比 1 兌換 KILO。"
    );

    let early = world.step(&world.target, &draft, "approve").await;
    assert_eq!((early.status, early.code()), (409, "card-state"));
    assert_eq!(early.body["state"], "draft");
    assert_eq!(
        world.step(&world.target, &draft, "propose").await.code(),
        "forbidden"
    );

    let proposed = world.step(&world.source, &draft, "propose").await.is(200);
    assert_eq!(
        (&proposed["state"], &proposed["agreed"]),
        (&json!("proposed"), &json!(["source"]))
    );
    assert_eq!(
        world.step(&world.source, &draft, "propose").await.code(),
        "approval-open"
    );
    let open = world.get(&world.target, "/v1/approvals").await.is(200);
    assert_eq!(open["items"][0]["content_hash"], draft["content_hash"]);

    assert_eq!(
        world.step(&world.source, &draft, "approve").await.code(),
        "maker-is-checker"
    );
    let other = json!({"content_hash": "0".repeat(32)});
    let path = format!("/v1/rate-cards/{}/approve", id(&draft));
    assert_eq!(
        world.post(&world.target, &path, other).await.code(),
        "approval-changed"
    );

    let halfway = world.step(&world.target, &draft, "approve").await.is(200);
    assert_eq!(halfway["state"], "approved_by_target");
    assert_eq!(
        world.step(&world.target, &draft, "approve").await.code(),
        "approval-closed"
    );
    let active = world.step(&world.operator, &draft, "approve").await.is(200);
    assert_eq!(active["state"], "active");
    assert_eq!(active["agreed"], json!(["source", "target", "hub"]));
    assert_eq!(active["content_hash"], draft["content_hash"]);
    assert!(active["valid_from"].is_string() && active["valid_to"].is_null());

    let again = world.step(&world.operator, &draft, "approve").await;
    assert_eq!(
        (again.status, again.code(), &again.body["state"]),
        (409, "card-state", &json!("active"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_version_supersedes_the_first() {
    let world = Rates::new().await;
    let books = Books::default();
    let first = world.published(star_to_mile(5)).await;
    let mut conn = world.pool.get().await.unwrap();
    let (before, book) = books.current(&mut conn).await.unwrap();
    let (star, mile) = (
        book.directory.currency("TOKEN").unwrap().no,
        book.directory.currency("KILO").unwrap().no,
    );
    let now = db::now(&mut conn).await.unwrap();
    assert_eq!(
        book.card_for(star, mile, Asker::default(), now).unwrap().id,
        world.internal(&first)
    );
    assert!(book.card_for(mile, star, Asker::default(), now).is_none());

    let second = world.published(star_to_mile(4)).await;
    assert_eq!(
        (&second["version"], &second["state"]),
        (&json!(2), &json!("active"))
    );
    assert_eq!(world.state(&first).await, "superseded");

    let (after, book) = books.current(&mut conn).await.unwrap();
    let now = db::now(&mut conn).await.unwrap();
    assert!(after > before);
    assert_eq!(
        book.card_for(star, mile, Asker::default(), now).unwrap().id,
        world.internal(&second)
    );
    assert!(
        book.card(world.internal(&first)).is_none(),
        "its time is over"
    );
    let kept = rates::find_published(&mut conn, world.internal(&first))
        .await
        .unwrap()
        .unwrap();
    assert!(!kept.halted && kept.valid_to.is_some_and(|end| end <= now));
    assert!(kept.valid_to < Some(clock::NEVER));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scheduled_begins_by_itself_and_can_be_withdrawn() {
    let world = Rates::new().await;
    let first = world.published(star_to_mile(5)).await;
    let next = world
        .published(with(star_to_mile(4), "valid_from", in_days(30)))
        .await;
    assert_eq!(next["state"], "scheduled");
    assert_eq!(
        world.step(&world.source, &next, "halt").await.code(),
        "card-state"
    );
    let path = format!("/v1/rate-cards/{}", id(&first));
    assert_eq!(
        world.get(&world.source, &path).await.is(200)["valid_to"],
        next["valid_from"]
    );

    assert_eq!(
        world.step(&world.stranger, &next, "withdraw").await.code(),
        "forbidden"
    );
    let withdrawn = world.step(&world.target, &next, "withdraw").await.is(200);
    assert_eq!(withdrawn["state"], "withdrawn");
    assert!(
        world.get(&world.source, &path).await.is(200)["valid_to"].is_null(),
        "the first goes on"
    );

    let other = world
        .published(with(star_to_mile(3), "valid_from", in_days(20)))
        .await;
    world.forward(Duration::days(21)).await;
    let token = world.auditor.clone();
    let state = world
        .get(&token, &format!("/v1/rate-cards/{}", id(&other)))
        .await
        .is(200)["state"]
        .clone();
    assert_eq!(state, "active");
    assert_eq!(
        world.step(&world.target, &other, "withdraw").await.code(),
        "card-state"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_never_hold_at_once() {
    let world = Rates::new().await;
    let bounded = with(
        with(star_to_mile(5), "valid_from", in_days(10)),
        "valid_to",
        in_days(20),
    );
    world.published(bounded).await;
    for (from, to) in [
        (Some(15), None),
        (None, None),
        (Some(5), Some(11)),
        (Some(11), Some(12)),
    ] {
        let mut body = star_to_mile(4);
        if let Some(from) = from {
            body["valid_from"] = in_days(from).into();
        }
        if let Some(to) = to {
            body["valid_to"] = in_days(to).into();
        }
        let card = world.proposed(body).await;
        world.step(&world.target, &card, "approve").await.is(200);
        let refused = world.step(&world.operator, &card, "approve").await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "card-dates"),
            "{from:?} {to:?}"
        );
        assert_eq!(
            world.state(&card).await,
            "approved_by_target",
            "nothing happened"
        );
    }
    let before = with(star_to_mile(4), "valid_to", in_days(9));
    assert_eq!(world.published(before).await["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_agree_ends_it_and_the_maker_takes_it_back() {
    let world = Rates::new().await;
    let card = world.proposed(star_to_mile(5)).await;
    assert_eq!(
        world.step(&world.target, &card, "withdraw").await.code(),
        "forbidden"
    );
    let rejected = world.step(&world.target, &card, "reject").await.is(200);
    assert_eq!(rejected["state"], "rejected");
    assert_eq!(
        world.step(&world.operator, &card, "approve").await.code(),
        "card-state"
    );

    let card = world.proposed(star_to_mile(5)).await;
    assert_eq!(
        world.step(&world.source, &card, "withdraw").await.is(200)["state"],
        "withdrawn"
    );
    assert!(
        world.get(&world.operator, "/v1/approvals").await.is(200)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let draft = world.draft(&world.target, star_to_mile(5)).await;
    assert_eq!(
        world
            .step(&world.operator, &draft, "withdraw")
            .await
            .is(200)["state"],
        "withdrawn"
    );
    assert_eq!(draft["version"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_proposes_and_both_partners_agree() {
    let world = Rates::new().await;
    let card = world.draft(&world.operator, star_to_mile(5)).await;
    let card = world.step(&world.operator, &card, "propose").await.is(200);
    assert_eq!(card["agreed"], json!(["hub"]));
    assert_eq!(
        world.step(&world.operator, &card, "approve").await.code(),
        "maker-is-checker"
    );
    let halfway = world.step(&world.source, &card, "approve").await.is(200);
    assert_eq!(halfway["state"], "approved_by_source");
    assert_eq!(
        world.step(&world.target, &card, "approve").await.is(200)["state"],
        "active"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_was_not_decided_in_time_is_made_again() {
    let world = Rates::new().await;
    let card = world.proposed(star_to_mile(5)).await;
    world.step(&world.target, &card, "approve").await.is(200);
    world.forward(Duration::days(15)).await;
    assert_eq!(
        world.step(&world.operator, &card, "approve").await.code(),
        "approval-expired"
    );
    let again = world.step(&world.source, &card, "propose").await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(again.body["agreed"], json!(["source"]));
    world.step(&world.target, &card, "approve").await.is(200);
    assert_eq!(
        world.step(&world.operator, &card, "approve").await.is(200)["state"],
        "active"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_card_prices_no_new_quote() {
    let world = Rates::new().await;
    let card = world.published(star_to_mile(5)).await;
    assert_eq!(
        world.step(&world.stranger, &card, "halt").await.code(),
        "forbidden"
    );
    let halted = world.step(&world.target, &card, "halt").await.is(200);
    assert_eq!(halted["state"], "halted");
    assert_eq!(
        world.step(&world.target, &card, "halt").await.code(),
        "card-state"
    );

    let mut conn = world.pool.get().await.unwrap();
    let (_, book) = Books::default().current(&mut conn).await.unwrap();
    let id = world.internal(&card);
    assert!(book.card(id).is_none());
    assert!(
        rates::find_published(&mut conn, id)
            .await
            .unwrap()
            .unwrap()
            .halted
    );

    assert_eq!(
        world.published(star_to_mile(4)).await["state"],
        "active",
        "another may follow"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_partner_sees_the_others_price_and_strangers_none() {
    let world = Rates::new().await;
    let priced = json!({
        "from": "TOKEN", "to": "KILO", "terms": {"kind": "priced"},
        "settlement": {"kind": "priced", "source_price": "0.080000", "target_price": "0.014000", "commission": "0.025"},
    });
    let draft = world.draft(&world.operator, priced).await;
    let path = format!("/v1/rate-cards/{}", id(&draft));
    let of = async |token: &str| world.get(token, &path).await;
    assert_eq!(
        of(&world.source).await.is(200)["settlement"],
        json!({"kind": "priced", "source_price": "0.080000", "commission": "0.025"})
    );
    assert_eq!(
        of(&world.target).await.is(200)["settlement"],
        json!({"kind": "priced", "target_price": "0.014000"})
    );
    assert_eq!(
        of(&world.auditor).await.is(200)["settlement"]["source_price"],
        "0.080000"
    );
    assert_eq!(of(&world.stranger).await.code(), "not-found");
    for step in ["propose", "approve", "reject", "withdraw", "halt"] {
        assert_eq!(
            world.step(&world.stranger, &draft, step).await.code(),
            "not-found",
            "{step}"
        );
    }

    world.step(&world.operator, &draft, "propose").await.is(200);
    world.step(&world.source, &draft, "approve").await.is(200);
    world.step(&world.target, &draft, "approve").await.is(200);
    let seen = of(&world.stranger).await.is(200);
    assert_eq!(seen["state"], "active");
    assert!(
        seen["settlement"].is_null() && seen["content_hash"].is_null(),
        "{seen}"
    );

    let list = async |token: &str, query: &str| {
        let page = world
            .get(token, &format!("/v1/rate-cards{query}"))
            .await
            .is(200);
        page["items"].as_array().unwrap().len()
    };
    let _draft = world.draft(&world.source, star_to_mile(9)).await;
    assert_eq!(
        (
            list(&world.source, "?from=TOKEN").await,
            list(&world.target, "?from=TOKEN").await
        ),
        (2, 2)
    );
    assert_eq!(
        (
            list(&world.stranger, "?from=TOKEN").await,
            list(&world.auditor, "?from=TOKEN").await
        ),
        (1, 2)
    );
    assert_eq!(list(&world.auditor, "?from=TOKEN&to=KILO").await, 2);
    assert_eq!(list(&world.auditor, "?from=KILO").await, 0);
    assert_eq!(list(&world.auditor, "?limit=1").await, 1);
    assert_eq!(
        world
            .get(&world.auditor, "/v1/rate-cards?to=NONE")
            .await
            .is(400)["errors"][0]["pointer"],
        "/to"
    );
    let page = world
        .get(&world.auditor, "/v1/rate-cards?from=TOKEN&limit=1")
        .await
        .is(200);
    let next = format!(
        "?from=TOKEN&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    assert_eq!(list(&world.auditor, &next).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_cannot_work_is_told_why() {
    let world = Rates::new().await;
    let terms = |terms: Value| with(star_to_mile(5), "terms", terms);
    let settlement = |settlement: Value| with(star_to_mile(5), "settlement", settlement);
    let cases = [
        (
            terms(json!({"kind": "ratio", "give": 0, "get": 1})),
            "card-terms",
            "/terms/give",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1})),
            "card-terms",
            "/terms/get",
        ),
        (
            terms(json!({"give": 1, "get": 1})),
            "card-terms",
            "/terms/kind",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1, "get": 1, "table": []})),
            "card-terms",
            "/terms/table",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1, "get": 1, "min": 9, "max": 8})),
            "card-terms",
            "/terms/max",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1, "get": 1, "min": "0.5"})),
            "card-terms",
            "/terms/min",
        ),
        (
            terms(json!({"kind": "priced"})),
            "card-terms",
            "/settlement/kind",
        ),
        (
            terms(json!({"kind": "unpriced"})),
            "card-terms",
            "/terms/kind",
        ),
        (
            terms(
                json!({"kind": "ratio", "give": 1, "get": 1, "bonuses": [{"kind": "percent", "num": 1, "den": 5}]}),
            ),
            "card-terms",
            "/settlement/bonus_funders",
        ),
        (
            terms(
                json!({"kind": "ratio", "give": 1, "get": 1, "fee": {"kind": "flat", "amount": 5, "currency": "PEARLS"}}),
            ),
            "card-terms",
            "/terms/fee/currency",
        ),
        (
            terms(
                json!({"kind": "ratio", "give": 1, "get": 1, "fee": {"kind": "per_step", "amount": 5, "step": 9, "currency": "gained"}}),
            ),
            "card-terms",
            "/terms/fee/kind",
        ),
        (
            terms(
                json!({"kind": "ratio", "give": 1, "get": 1, "max": 50, "fee": {"kind": "flat", "amount": 50, "currency": "gained"}}),
            ),
            "card-terms",
            "/terms",
        ),
        (
            terms(
                json!({"kind": "ratio", "give": 1, "get": 1, "fee": {"kind": "flat", "amount": 5, "currency": "USD", "covers": {"hours": 0}}}),
            ),
            "invalid-field",
            "/terms/fee/covers",
        ),
        (
            settlement(
                json!({"kind": "cost_plus", "price": "1", "commission": "0", "fee_to": "hub"}),
            ),
            "card-terms",
            "/settlement/fee_to",
        ),
        (
            settlement(
                json!({"kind": "cost_plus", "price": "1", "commission": "0", "bonus_funders": [{"source": 1}]}),
            ),
            "card-terms",
            "/settlement/bonus_funders",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1.5, "get": 1})),
            "invalid-field",
            "/terms/give",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1, "get": 1, "min": 1.5})),
            "invalid-field",
            "/terms/min",
        ),
        (
            terms(json!({"kind": "ratio", "give": "1", "get": 1})),
            "invalid-field",
            "/terms/give",
        ),
        (
            terms(json!({"kind": "auction"})),
            "invalid-field",
            "/terms/kind",
        ),
        (
            terms(json!({"kind": "ratio", "give": 1, "get": 1, "mix": 1})),
            "invalid-field",
            "/terms/mix",
        ),
        (terms(json!([])), "invalid-field", "/terms"),
        (terms(json!(null)), "invalid-field", "/terms"),
        (
            settlement(json!({"kind": "cost_plus", "commission": "0"})),
            "card-terms",
            "/settlement/price",
        ),
        (
            settlement(json!({"kind": "cost_plus", "price": "0", "commission": "0"})),
            "invalid-field",
            "/settlement/price",
        ),
        (
            settlement(json!({"kind": "cost_plus", "price": "1", "commission": "1"})),
            "invalid-field",
            "/settlement/commission",
        ),
        (
            settlement(json!({"kind": "cost_plus", "price": 1, "commission": "0"})),
            "invalid-field",
            "/settlement/price",
        ),
        (
            with(star_to_mile(5), "from", "NONE"),
            "invalid-field",
            "/from",
        ),
        (
            with(star_to_mile(5), "from", "ST\u{0}AR"),
            "invalid-field",
            "/from",
        ),
        (with(star_to_mile(5), "to", "TOKEN"), "invalid-field", "/to"),
        (
            with(star_to_mile(5), "origin", "a\u{0}b"),
            "invalid-field",
            "/origin",
        ),
        (
            with(star_to_mile(5), "origin", "x".repeat(121)),
            "invalid-field",
            "/origin",
        ),
        (
            with(star_to_mile(5), "valid_from", "tomorrow"),
            "invalid-field",
            "/valid_from",
        ),
        (with(star_to_mile(5), "more", 1), "invalid-field", "/more"),
    ];
    for (body, code, pointer) in cases {
        let shown = body.to_string();
        let answer = world.post(&world.source, "/v1/rate-cards", body).await;
        assert_eq!(answer.code(), code, "{shown} {}", answer.body);
        assert_eq!(
            answer.body["errors"][0]["pointer"], pointer,
            "{shown} {}",
            answer.body
        );
    }

    let dates = [
        ("valid_from", in_days(-1)),
        ("valid_to", in_days(-1)),
        ("valid_from", "9999-12-31T23:59:59Z".into()),
        ("valid_to", "2300-01-01T00:00:00Z".into()),
        ("valid_from", "0001-01-01T00:00:00Z".into()),
        ("valid_from", "2099-06-30T23:59:60Z".into()),
    ];
    for (field, at) in dates {
        let answer = world
            .post(
                &world.source,
                "/v1/rate-cards",
                with(star_to_mile(5), field, &*at),
            )
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "card-dates"),
            "{field} {at} {}",
            answer.body
        );
    }

    let stranger = world
        .post(&world.stranger, "/v1/rate-cards", star_to_mile(5))
        .await;
    assert_eq!(
        (stranger.status, stranger.code()),
        (403, "not-your-currency")
    );
    assert_eq!(
        world
            .post(&world.finance, "/v1/rate-cards", star_to_mile(5))
            .await
            .status,
        403
    );
    let huge = r#"{"from":"TOKEN","to":"KILO","terms":{"kind":"ratio","give":1e400,"get":1},"settlement":{}}"#;
    let huge = world
        .post_raw(&world.source, "/v1/rate-cards", huge.into())
        .await;
    assert_eq!(huge.status, 400, "{}", huge.body);

    let card = world.proposed(star_to_mile(5)).await;
    let path = format!("/v1/rate-cards/{}/approve", id(&card));
    for hash in [
        json!("zz"),
        json!(""),
        json!(7),
        json!("\u{0}"),
        json!("é".repeat(16)),
    ] {
        let answer = world
            .post(&world.target, &path, json!({"content_hash": hash}))
            .await;
        assert_eq!(
            answer.body["errors"][0]["pointer"], "/content_hash",
            "{}",
            answer.body
        );
    }
    for path in ["card_0000000000000000", "%00", "x", "mem_0000000000000000"] {
        assert_eq!(
            world
                .get(&world.source, &format!("/v1/rate-cards/{path}"))
                .await
                .status,
            404,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_at_once_get_a_version_each() {
    let world = Rates::new().await;
    let draft = |token: String| {
        let world = &world;
        async move {
            world.draft(&token, star_to_mile(5)).await["version"]
                .as_i64()
                .unwrap()
        }
    };
    let tokens = (0..12).map(|at| {
        if at % 2 == 0 {
            world.source.clone()
        } else {
            world.target.clone()
        }
    });
    let mut versions = futures_util::future::join_all(tokens.map(draft)).await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=12).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_at_once_publish_one_version_after_the_other() {
    let world = Rates::new().await;
    let mut cards = Vec::new();
    for give in 2..8 {
        let card = world.proposed(star_to_mile(give)).await;
        world.step(&world.target, &card, "approve").await.is(200);
        cards.push(card);
    }
    let approvals = cards
        .iter()
        .map(|card| world.step(&world.operator, card, "approve"));
    for answer in futures_util::future::join_all(approvals).await {
        answer.is(200);
    }
    let mut active = 0;
    for card in &cards {
        active += usize::from(world.state(card).await == "active");
    }
    assert_eq!(active, 1);
}

/// A plain card at cost.
fn ratio(from: &str, to: &str, give: u32, get: u32) -> Value {
    json!({
        "from": from, "to": to, "terms": {"kind": "ratio", "give": give, "get": get},
        "settlement": {"kind": "cost_plus", "price": "0.014000", "commission": "0"},
    })
}

/// A card of money alone, without commission.
fn priced(from: &str, to: &str, source_price: &str, target_price: &str) -> Value {
    json!({
        "from": from, "to": to, "terms": {"kind": "priced"},
        "settlement": {"kind": "priced", "source_price": source_price, "target_price": target_price, "commission": "0"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_that_gains_is_refused_and_one_that_breaks_even_is_not() {
    let world = Rates::new().await;
    let there = world
        .agreed_by(&world.source, &world.target, ratio("TOKEN", "KILO", 3, 1))
        .await;
    world.step(&world.operator, &there, "approve").await.is(200);
    let even = world
        .agreed_by(&world.target, &world.source, ratio("KILO", "TOKEN", 1, 3))
        .await;
    world.step(&world.operator, &even, "approve").await.is(200);

    let more = world
        .agreed_by(
            &world.target,
            &world.source,
            ratio("KILO", "TOKEN", 10_000, 30_001),
        )
        .await;
    let refused = world.step(&world.operator, &more, "approve").await;
    assert_eq!(
        (refused.code(), refused.status),
        ("money-pump", 422),
        "{}",
        refused.body
    );
    assert_eq!(refused.body["returns"], "30001/30000");
    let cycle: Vec<&str> = refused.body["cycle"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        cycle == ["KILO", "TOKEN", "KILO"] || cycle == ["TOKEN", "KILO", "TOKEN"],
        "{cycle:?}"
    );
    assert_eq!(
        world.state(&more).await,
        "approved_by_target",
        "not the last word"
    );
    assert_eq!(world.state(&even).await, "active");

    // The same for the ten minutes in which it would meet the other.
    let halted = world.step(&world.source, &there, "halt").await.is(200);
    assert_eq!(halted["state"], "halted");
    let late = with(ratio("TOKEN", "KILO", 3, 1), "valid_from", in_days(2));
    let late = world.agreed_by(&world.source, &world.target, late).await;
    world.step(&world.operator, &late, "approve").await.is(200);
    let apart = with(ratio("KILO", "TOKEN", 1, 4), "valid_to", in_days(1));
    let apart = world.agreed_by(&world.target, &world.source, apart).await;
    world.step(&world.operator, &apart, "approve").await.is(200);
    let meets = with(ratio("KILO", "TOKEN", 1, 4), "valid_from", in_days(3));
    let meets = world.agreed_by(&world.target, &world.source, meets).await;
    assert_eq!(
        world.step(&world.operator, &meets, "approve").await.code(),
        "money-pump"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_at_once_open_no_circle_together() {
    let world = Rates::new().await;
    let first = world
        .agreed_by(&world.source, &world.target, ratio("TOKEN", "KILO", 1, 1))
        .await;
    world.step(&world.operator, &first, "approve").await.is(200);
    let second = world
        .agreed_by(
            &world.target,
            &world.stranger,
            ratio("KILO", "NIGHT", 100, 101),
        )
        .await;
    let third = world
        .agreed_by(
            &world.stranger,
            &world.source,
            ratio("NIGHT", "TOKEN", 1, 1),
        )
        .await;

    let answers = futures_util::join!(
        world.step(&world.operator, &second, "approve"),
        world.step(&world.operator, &third, "approve"),
    );
    let mut codes = [answers.0.code(), answers.1.code()];
    codes.sort_unstable();
    assert_eq!(codes, ["money-pump", "none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_rate_that_makes_priced_cards_a_pump_is_refused() {
    let world = Rates::new().await;
    let out = priced("TOKEN", "KILO", "0.1", "0.01");
    let out = world.agreed_by(&world.source, &world.target, out).await;
    world.step(&world.operator, &out, "approve").await.is(200);
    // At 7.8 HKD a USD a token buys 100/78 of a kilo.
    let back = world
        .agreed_by(
            &world.target,
            &world.source,
            ratio("KILO", "TOKEN", 100, 78),
        )
        .await;
    world.step(&world.operator, &back, "approve").await.is(200);

    let rate = |rate: &str| json!({"base": "USD", "quote": "HKD", "rate": rate, "source": "HKAB", "quoted_at": in_days(-1)});
    let path = "/v1/exchange-rates";
    let refused = world.post(&world.finance, path, rate("7.7999")).await;
    assert_eq!(refused.code(), "money-pump");
    world
        .post(&world.finance, path, rate("7.8001"))
        .await
        .is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_withdrawal_would_let_go_on_opens_no_circle() {
    let world = Rates::new().await;
    let first = world
        .agreed_by(&world.source, &world.target, ratio("TOKEN", "KILO", 1, 1))
        .await;
    world.step(&world.operator, &first, "approve").await.is(200);
    let dearer = with(ratio("TOKEN", "KILO", 2, 1), "valid_from", in_days(10));
    let dearer = world.agreed_by(&world.source, &world.target, dearer).await;
    world
        .step(&world.operator, &dearer, "approve")
        .await
        .is(200);
    let back = with(ratio("KILO", "TOKEN", 1, 2), "valid_from", in_days(11));
    let back = world.agreed_by(&world.target, &world.source, back).await;
    world.step(&world.operator, &back, "approve").await.is(200);

    assert_eq!(
        world.step(&world.source, &dearer, "withdraw").await.code(),
        "money-pump"
    );
    world.step(&world.source, &back, "withdraw").await.is(200);
    world.step(&world.source, &dearer, "withdraw").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_done_once_per_key() {
    let world = Rates::new().await;
    let send = async |body: &Value| {
        let request = world
            .client
            .post(format!("{}/v1/rate-cards", world.base))
            .bearer_auth(&world.source);
        world
            .send(request.header("Idempotency-Key", "once").json(body))
            .await
    };
    let first = send(&star_to_mile(5)).await.is(201);
    assert_eq!(send(&star_to_mile(5)).await.is(201), first);
    assert_eq!(
        send(&star_to_mile(4)).await.code(),
        "idempotency-key-reused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_exchange_rate_serves_both_directions() {
    let world = Rates::new().await;
    let books = Books::default();
    let mut conn = world.pool.get().await.unwrap();
    let (_, book) = books.current(&mut conn).await.unwrap();
    let money = |code: &str| book.directory.money_by_code(code).unwrap().no;
    let (hkd, usd) = (money("SGD"), money("EUR"));
    assert!(book.exchange(hkd, usd).is_err());
    assert!(book.exchange(usd, usd).unwrap().is_none());

    let rate = |base: &str, quote: &str, rate: &str| json!({"base": base, "quote": quote, "rate": rate, "source": "HKAB 開市", "quoted_at": in_days(-1)});
    let path = "/v1/exchange-rates";
    let first = world
        .post(&world.finance, path, rate("EUR", "SGD", "7.80000000"))
        .await
        .is(201);
    assert_eq!(first["rate"], "7.80000000", "kept as written");
    let (_, book) = books.current(&mut conn).await.unwrap();
    let (id, out) = book.exchange(hkd, usd).unwrap().unwrap();
    assert!(!out.source_is_base);
    let found = rates::exchange::find(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(found.out_of(hkd), out);
    assert!(book.exchange(usd, hkd).unwrap().unwrap().1.source_is_base);

    let second = world
        .post(&world.operator, path, rate("SGD", "EUR", "0.128"))
        .await
        .is(201);
    let (_, book) = books.current(&mut conn).await.unwrap();
    let (newer, out) = book.exchange(hkd, usd).unwrap().unwrap();
    assert!(newer > id && out.source_is_base);

    let list = world
        .get(&world.source, "/v1/exchange-rates?base=EUR&quote=SGD")
        .await
        .is(200);
    assert_eq!(
        (&list["items"][0]["id"], &list["items"][1]["id"]),
        (&second["id"], &first["id"])
    );
    assert!(
        world
            .get(&world.source, "/v1/exchange-rates?base=JPY")
            .await
            .is(200)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    for (body, pointer) in [
        (rate("EUR", "EUR", "1"), "/quote"),
        (rate("EUR", "ZZZ", "1"), "/quote"),
        (rate("E\u{0}R", "SGD", "1"), "/base"),
        (rate("EUR", "SGD", "0"), "/rate"),
        (rate("EUR", "SGD", "-1"), "/rate"),
        (rate("EUR", "SGD", "1e3"), "/rate"),
        (rate("EUR", "SGD", "9999999999999999999"), "/rate"),
        (with(rate("EUR", "SGD", "1"), "rate", 7), "/rate"),
        (with(rate("EUR", "SGD", "1"), "source", "\u{0}"), "/source"),
        (
            with(rate("EUR", "SGD", "1"), "quoted_at", in_days(1)),
            "/quoted_at",
        ),
        (
            with(rate("EUR", "SGD", "1"), "quoted_at", "1900-01-01T00:00:00Z"),
            "/quoted_at",
        ),
    ] {
        let shown = body.to_string();
        let answer = world.post(&world.finance, path, body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{shown} {}",
            answer.body
        );
    }
    assert_eq!(
        world
            .post(&world.source, path, rate("EUR", "SGD", "7.8"))
            .await
            .status,
        403
    );
    assert_eq!(
        world
            .post(&world.auditor, path, rate("EUR", "SGD", "7.8"))
            .await
            .status,
        403
    );
}

/// The changes of a card, as one token is told: field, effect and the English words.
async fn changes(world: &Rates, token: &str, card: &Value, query: &str) -> (Value, Vec<String>) {
    let path = format!("/v1/rate-cards/{}/changes{query}", id(card));
    let told = world.get(token, &path).await.is(200);
    let changes = told["changes"].as_array().unwrap().iter();
    let lines = changes.map(|change| {
        assert!(change["zh-Hant"].is_string(), "{change}");
        let part = |name: &str| change[name].as_str().unwrap().to_owned();
        format!("{} {}: {}", part("field"), part("member"), part("en"))
    });
    (told.clone(), lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_says_in_words_what_is_different() {
    let world = Rates::new().await;
    let first = world.published(star_to_mile(5)).await;
    let (told, lines) = changes(&world, &world.auditor, &first, "").await;
    assert!(told["since"].is_null() && lines.is_empty(), "{told}");

    let mut next = star_to_mile(4);
    next["terms"]["min"] = json!(10_000);
    next["settlement"]["price"] = json!("0.015");
    let draft = world.draft(&world.source, next).await;
    let (told, lines) = changes(&world, &world.source, &draft, "").await;
    assert_eq!(
        (&told["since"], &told["member"]),
        (&first["id"], &json!("unclear"))
    );
    assert_eq!(
        lines[..3],
        [
            "terms.rate better: the rate changes from 5:1 to 4:1",
            "terms.min worse: the smallest amount rises from 5,000 to 10,000 TOKEN",
            "settlement.price same: the price of a KILO rises from 0.014000 to 0.015",
        ]
    );
    assert!(
        lines[3].starts_with("valid_from same: its beginning is dropped"),
        "{lines:?}"
    );
    let path = format!("?since={}", id(&draft));
    let (told, lines) = changes(&world, &world.target, &draft, &path).await;
    assert_eq!((told["member"].as_str(), lines.len()), (Some("same"), 0));

    let path = format!("/v1/rate-cards/{}/changes", id(&draft));
    assert_eq!(world.get(&world.stranger, &path).await.code(), "not-found");
    let other = ratio("KILO", "TOKEN", 1, 1);
    let other = world.draft(&world.source, other).await;
    for since in [id(&other), "card_0123456789abcdef", "x"] {
        let refused = world
            .get(&world.source, &format!("{path}?since={since}"))
            .await;
        assert_eq!(refused.code(), "invalid-field", "{since}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_changes_tell_nobody_more_than_the_versions_do() {
    let world = Rates::new().await;
    let priced = |source: &str, target: &str, commission: &str| {
        json!({"from": "TOKEN", "to": "KILO", "terms": {"kind": "priced"},
            "settlement": {"kind": "priced", "source_price": source, "target_price": target, "commission": commission}})
    };
    world.published(priced("0.08", "0.014", "0.025")).await;
    let next = world.published(priced("0.07", "0.013", "0.02")).await;
    let fields = async |token: &str| {
        let (told, lines) = changes(&world, token, &next, "").await;
        let others = [&world.source, &world.stranger].map(String::as_str);
        if others.contains(&token) {
            let told = told.to_string();
            assert!(!told.contains("0.014") && !told.contains("0.013"), "{told}");
        }
        let fields = lines.iter().filter(|line| line.starts_with("settlement"));
        fields
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        fields(&world.source).await,
        ["settlement.source_price", "settlement.commission"]
    );
    assert_eq!(fields(&world.target).await, ["settlement.target_price"]);
    assert_eq!(fields(&world.operator).await.len(), 3);
    assert_eq!(fields(&world.stranger).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_rewards_splitting_is_published_by_partners_who_know_it() {
    let world = Rates::new().await;
    let mut body = star_to_mile(5);
    body["terms"] = json!({"kind": "table", "table": [{"give": 5000, "get": 600}, {"give": 10000, "get": 1100}]});
    let card = world.draft(&world.source, body.clone()).await;
    assert_eq!(
        card["lints"],
        json!([{"code": "splitting_pays", "en": "5,000 and 5,000 gain 100 more than 10,000 at once",
            "zh-Hant": "分兩次以 5,000 和 5,000 兌換，比一次以 10,000 兌換多得 100"}])
    );

    let path = |step: &str| format!("/v1/rate-cards/{}/{step}", id(&card));
    for known in [json!({}), json!({"acknowledges": ["hard_to_say"]})] {
        let refused = world.post(&world.source, &path("propose"), known).await;
        assert_eq!(
            (refused.status, refused.code(), &refused.body["missing"]),
            (422, "lint-not-acknowledged", &json!(["splitting_pays"]))
        );
    }
    let odd = json!({"acknowledges": ["all"]});
    let refused = world.post(&world.source, &path("propose"), odd).await;
    assert_eq!(refused.code(), "invalid-field");
    let known = json!({"acknowledges": ["splitting_pays"]});
    world
        .post(&world.source, &path("propose"), known)
        .await
        .is(200);

    let hash = card["content_hash"].clone();
    let refused = world.step(&world.target, &card, "approve").await;
    assert_eq!(refused.code(), "lint-not-acknowledged");
    assert_eq!(world.state(&card).await, "proposed", "nothing was said");
    let known = json!({"content_hash": hash, "acknowledges": ["splitting_pays"]});
    world
        .post(&world.target, &path("approve"), known)
        .await
        .is(200);
    let active = world.step(&world.operator, &card, "approve").await.is(200);
    assert_eq!(active["state"], "active", "the hub need not");

    // The hub proposes, and each partner still has to say it.
    let card = world.draft(&world.operator, body).await;
    world.step(&world.operator, &card, "propose").await.is(200);
    for partner in [&world.source, &world.target] {
        let refused = world.step(partner, &card, "approve").await;
        assert_eq!(refused.code(), "lint-not-acknowledged");
    }
    let plain = world.draft(&world.source, star_to_mile(5)).await;
    assert_eq!(plain["lints"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_is_a_day_on_the_clocks_of_its_zone() {
    let world = Rates::new().await;
    let local = |local: &str, zone: &str| json!({"local": local, "zone": zone});
    let (march, hong_kong) = (
        local("2030-03-01", "Asia/Hong_Kong"),
        local("2030-03-31", "Asia/Hong_Kong"),
    );
    let body = with(star_to_mile(5), "valid_from", march.clone());
    let body = with(body, "valid_to", hong_kong.clone());
    let card = world.published(body).await;
    let dates = ["valid_from", "valid_to"].map(|field| card[field].clone());
    assert_eq!(dates, ["2030-02-28T16:00:00Z", "2030-03-31T16:00:00Z"]);
    let written = ["valid_from_local", "valid_to_local"].map(|field| card[field].clone());
    assert_eq!(written, [march, hong_kong]);

    let instant = with(star_to_mile(5), "valid_from", "2030-02-28T16:00:00Z");
    let instant = with(instant, "valid_to", "2030-03-31T16:00:00Z");
    let same = world.draft(&world.source, instant).await;
    assert!(same["valid_from_local"].is_null());
    assert_ne!(
        same["content_hash"], card["content_hash"],
        "what is approved is what is written"
    );
    let (_, lines) = changes(
        &world,
        &world.source,
        &same,
        &format!("?since={}", id(&card)),
    )
    .await;
    assert_eq!(lines, [""; 0], "it is the same instant");

    let berlin = |day: &str| {
        let wall = local(&format!("{day}T02:30"), "Europe/Berlin");
        with(star_to_mile(5), "valid_from", wall)
    };
    for (day, candidates) in [
        (
            "2030-03-31",
            ["2030-03-31T01:30:00+01:00", "2030-03-31T03:30:00+02:00"],
        ),
        (
            "2030-10-27",
            ["2030-10-27T02:30:00+02:00", "2030-10-27T02:30:00+01:00"],
        ),
    ] {
        let refused = world
            .post(&world.source, "/v1/rate-cards", berlin(day))
            .await;
        assert_eq!(
            (refused.code(), &refused.body["candidates"]),
            ("card-dates", &json!(candidates))
        );
    }
    for (wrong, pointer) in [
        (local("2030-02-30", "UTC"), "/valid_to/local"),
        (local("2030-03-01", "Mars/Base"), "/valid_to/zone"),
        (json!({"local": "2030-03-01"}), "/valid_to"),
        (json!(["2030-03-01", "UTC"]), "/valid_to"),
    ] {
        let body = with(star_to_mile(5), "valid_to", wrong.clone());
        let refused = world.post(&world.source, "/v1/rate-cards", body).await;
        assert_eq!(
            refused.body["errors"][0]["pointer"], pointer,
            "{wrong} {}",
            refused.body
        );
    }
    let over = with(
        star_to_mile(5),
        "valid_to",
        local("2020-03-01", "Asia/Tokyo"),
    );
    let refused = world.post(&world.source, "/v1/rate-cards", over).await;
    assert_eq!(refused.code(), "card-dates");
}

/// How many days after now a card begins, roughly; the clock of the world is turned, not the machine's.
fn begins_in(card: &Value, turned: i64) -> i64 {
    let start: chrono::DateTime<Utc> = card["valid_from"].as_str().unwrap().parse().unwrap();
    (start - Utc::now() - Duration::days(turned) + Duration::hours(12)).num_days()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_for_the_worse_waits_for_the_notice_that_was_promised() {
    let world = Rates::new().await;
    let promising = |give: u32, days: u32| with(star_to_mile(give), "notice_days", days);
    let first = world.published(promising(5, 30)).await;
    assert_eq!(first["notice_days"], 30);
    assert_eq!(
        first["sentence"],
        "5,000 TOKEN or more, in steps of 1,250, become KILO at 5 to 1; 30 days' notice is given of a change for the worse."
    );
    assert!(
        first["sentence_zh"]
            .as_str()
            .unwrap()
            .contains("不利的更改於 30 日前通知")
    );

    // From the last word, not from the first.
    let worse = world.proposed(promising(6, 30)).await;
    world.forward(Duration::days(3)).await;
    world.step(&world.target, &worse, "approve").await.is(200);
    world.forward(Duration::days(2)).await;
    let worse = world.step(&world.operator, &worse, "approve").await.is(200);
    assert_eq!(worse["state"], "scheduled");
    assert_eq!(begins_in(&worse, 5), 30);
    let (told, lines) = changes(&world, &world.source, &worse, "").await;
    assert_eq!(told["since"], first["id"]);
    assert_eq!(
        lines[0],
        "terms.rate worse: the rate changes from 5:1 to 6:1"
    );

    // Taking it back works at once.
    world.step(&world.target, &worse, "withdraw").await.is(200);
    assert_eq!(world.state(&first).await, "active");

    let better = world.published(promising(4, 30)).await;
    assert_eq!(
        better["state"], "active",
        "what takes nothing needs no notice"
    );
    let less_notice = world.published(promising(4, 0)).await;
    assert_eq!(
        (&less_notice["state"], begins_in(&less_notice, 5)),
        (&json!("scheduled"), 30)
    );
    let (_, lines) = changes(&world, &world.source, &less_notice, "").await;
    assert_eq!(
        lines[0],
        "notice_days worse: the notice of a change for the worse is dropped; it was 30 days"
    );
    world
        .step(&world.source, &less_notice, "withdraw")
        .await
        .is(200);

    // What would be over by then is refused, and nothing happens to it.
    let short = with(promising(6, 30), "valid_to", in_days(25));
    let short = world.proposed(short).await;
    world.step(&world.target, &short, "approve").await.is(200);
    let refused = world.step(&world.operator, &short, "approve").await;
    assert_eq!((refused.status, refused.code()), (422, "card-dates"));

    // An emergency does not wait, and what is halted promises nothing.
    let halted = world.step(&world.source, &better, "halt").await.is(200);
    assert_eq!(halted["state"], "halted");
    assert_eq!(world.published(promising(9, 0)).await["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_follows_the_one_of_its_own_priority() {
    let world = Rates::new().await;
    let first = world
        .published(with(star_to_mile(5), "notice_days", 30))
        .await;
    let of_app = |give: u32, notice: u32| {
        let card = with(star_to_mile(give), "when", json!({"channel": ["app"]}));
        with(with(card, "priority", 3), "notice_days", notice)
    };
    let beside = world.published(of_app(6, 10)).await;
    assert_eq!(beside["state"], "active", "it takes the place of nothing");
    let (told, lines) = changes(&world, &world.source, &beside, "").await;
    assert!(told["since"].is_null() && lines.is_empty(), "{told}");
    let since = format!("?since={}", id(&first));
    let (_, lines) = changes(&world, &world.source, &beside, &since).await;
    assert_eq!(
        lines[..4],
        [
            "terms.rate worse: the rate changes from 5:1 to 6:1",
            "when unclear: the condition is new: via app",
            "priority unclear: the priority rises from 0 to 3",
            "notice_days worse: the notice of a change for the worse falls from 30 to 10 days",
        ]
    );

    let worse = world.published(of_app(7, 10)).await;
    assert_eq!(begins_in(&worse, 0), 10);
    let (told, _) = changes(&world, &world.source, &worse, "").await;
    assert_eq!(told["since"], beside["id"]);
    let next = world
        .draft(&world.source, with(star_to_mile(4), "notice_days", 30))
        .await;
    let (told, _) = changes(&world, &world.source, &next, "").await;
    assert_eq!(told["since"], first["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_for_bonuses_is_told_to_both_brands_and_to_nobody_else() {
    let world = Rates::new().await;
    let funded = |funders: Value| {
        let mut card = star_to_mile(5);
        card["terms"]["bonuses"] = json!([{"kind": "percent", "num": 1, "den": 10}]);
        card["settlement"]["bonus_funders"] = funders;
        card
    };
    world.published(funded(json!([{"source": 1}]))).await;
    let next = funded(json!([{"source": 1, "target": 2}]));
    let next = world.published(next).await;
    for (token, is_told) in [
        (&world.source, true),
        (&world.target, true),
        (&world.operator, true),
        (&world.stranger, false),
    ] {
        let (told, lines) = changes(&world, token, &next, "").await;
        let field = "settlement.bonus_funders same:";
        let funders = lines.iter().filter(|line| line.starts_with(field));
        assert_eq!(funders.count(), usize::from(is_told), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_told_from_the_start_needs_no_notice() {
    let world = Rates::new().await;
    let bounded = with(star_to_mile(5), "valid_to", in_days(10));
    world.published(with(bounded, "notice_days", 30)).await;
    let next = with(star_to_mile(6), "valid_from", in_days(11));
    let next = world.published(next).await;
    assert_eq!(begins_in(&next, 0), 11);
    let too_long = with(star_to_mile(5), "notice_days", 367);
    let refused = world.post(&world.source, "/v1/rate-cards", too_long).await;
    assert_eq!(
        (refused.code(), &refused.body["errors"][0]["pointer"]),
        ("card-terms", &json!("/notice_days"))
    );
}
