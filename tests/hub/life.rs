//! A partner's life: by steps only, in the hub and in the database; each state allows what its table says; who
//! leaves leaves nothing behind.

use chrono::{Duration, NaiveDate, Utc};
use interline::partners::State;
use interline::partners::life::{self, Act};
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World};

pub fn status(world: &World, code: &str) -> String {
    let partner = world.credentials.partner(code).expect(code);
    format!("/v1/partners/{}/status", partner.id)
}

/// A step that one operator proposes and another agrees to.
pub async fn agreed(world: &World, status: &str, people: [&str; 2], body: Value) -> Answer {
    let proposed = world.post(people[0], status, body).await.ok();
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let approve = format!("{status}/approve");
    world.post(people[1], &approve, hash).await
}

/// The first day that may be a last one, and one more for who is ahead of here.
pub fn last_day() -> NaiveDate {
    (Utc::now() + Duration::days(32)).date_naive()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_goes_live_step_by_step_and_by_two_people() {
    let world = World::new().await;
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let brand = json!({"code": "NOVA", "name": "Nova", "kind": "airline", "money": "USD", "zone": "Asia/Taipei"});
    let brand = world.post(&olivia, "/v1/partners", brand).await.ok();
    assert_eq!(brand["state"], "sandbox");
    let partner = format!("/v1/partners/{}", brand["id"].as_str().expect("an id"));
    let status = format!("{partner}/status");
    let go = |state: &str| world.post(&olivia, &status, json!({"state": state}));

    assert_eq!(go("live").await.problem(), "partner-step");
    go("certifying").await.ok();
    assert_eq!(
        go("pending_approval").await.problem(),
        "certification-missing"
    );
    let certify = async |passed: bool| {
        let checks = json!({"checks": [{"name": "awards", "passed": true}, {"name": "keys", "passed": passed}]});
        let path = format!("{partner}/certifications");
        world.post(&olivia, &path, checks).await
    };
    certify(false).await.ok();
    assert_eq!(
        go("pending_approval").await.problem(),
        "certification-missing"
    );
    let certified = certify(true).await.ok();
    assert_eq!(certified["certification"]["passed"], true);
    go("pending_approval").await.ok();
    assert_eq!(certify(true).await.problem(), "partner-step");

    let proposed = go("live").await.ok();
    assert_eq!(proposed["state"], "pending_approval");
    let waiting = world.get(&oscar, "/v1/approvals").await.ok();
    let waiting = waiting["items"].as_array().expect("approvals");
    assert!(
        waiting.iter().any(
            |it| it["subject"]["id"] == brand["id"] && it["subject"]["kind"] == "partner_state"
        )
    );
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let approve = format!("{status}/approve");
    let own = world.post(&olivia, &approve, hash.clone()).await;
    assert_eq!(own.problem(), "maker-is-checker");
    let other = world.post(&oscar, &approve, json!({"content_hash": "00"}));
    assert_eq!(other.await.problem(), "approval-changed");
    assert_eq!(go("live").await.problem(), "approval-open");

    // A step back cancels what was proposed.
    go("sandbox").await.ok();
    let late = world.post(&oscar, &approve, hash.clone()).await;
    assert_eq!(late.problem(), "approval-closed");
    go("certifying").await.ok();
    go("pending_approval").await.ok();
    let withdrawn = go("live").await.ok();
    assert_eq!(withdrawn["proposed"]["state"], "live");
    let withdraw = format!("{status}/withdraw");
    world.post(&oscar, &withdraw, json!({})).await.ok();
    let nothing = world.post(&oscar, &withdraw, json!({})).await;
    assert_eq!(nothing.problem(), "approval-closed");
    let proposed = go("live").await.ok();
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let rejected = world.post(&oscar, &format!("{status}/reject"), hash).await;
    assert_eq!(rejected.ok()["proposed"], Value::Null);
    let live = agreed(&world, &status, [&oscar, &olivia], json!({"state": "live"}));
    let live = live.await.ok();
    assert_eq!(live["state"], "live");
    assert_eq!(
        live["allows"].as_array().expect("acts").len(),
        Act::ALL.len()
    );

    let aero = world.token("AERO").await;
    assert_eq!(world.get(&aero, &status).await.problem(), "not-found");
    let own = world.get(&aero, &self::status(&world, "AERO")).await.ok();
    assert_eq!(own["state"], "live");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_takes_the_steps_of_the_code_and_no_other() {
    let world = World::new().await;
    let client = sql::session(&world.url).await;
    for from in State::ALL {
        for to in State::ALL {
            let (from_name, to_name) = (from.name(), to.name());
            client
                .batch_execute(&format!(
                    "begin; alter table partners disable trigger partners_go_by_steps; \
                     update partners set state = '{from_name}', last_day = '2100-01-01', ends_at = '2100-01-02'; \
                     alter table partners enable trigger partners_go_by_steps"
                ))
                .await
                .expect("a state");
            let ends = match (from, to) {
                (State::WindingDown, State::Live) => ", last_day = null, ends_at = null",
                _ => "",
            };
            let step = format!("update partners set state = '{to_name}'{ends}");
            let done = client.batch_execute(&step).await;
            client.batch_execute("rollback").await.expect("the end");
            let is_step = from == to || life::step(from, to).is_some();
            assert_eq!(done.is_ok(), is_step, "{from_name} to {to_name}");
        }
    }
    let born = "insert into partners (code, name, kind, state, money, zone, created_at) \
                values ('BORN', 'B', 'bank', 'live', 840, 'UTC', now())";
    assert!(client.batch_execute(born).await.is_err());
    let steps = "select count(*) from partner_steps";
    assert_eq!(
        sql::number(&world.url, steps).await,
        life::STEPS.len() as i64
    );
}

/// Does something of AERO's, or with its points.
struct Try<'w> {
    world: &'w World,
    member: Member,
    membership: String,
    acting: String,
    aero: String,
    bayview: String,
    olivia: String,
    oscar: String,
    /// Awards to be undone.
    awards: Vec<Value>,
    nth: usize,
}

impl Try<'_> {
    async fn act(&mut self, act: Act) -> Answer {
        self.nth += 1;
        let (world, nth) = (self.world, self.nth);
        let (aero, olivia) = (&self.aero, &self.olivia);
        let amount = |amount: &str, of: &str| json!({"amount": amount, "currency": of});
        let of_member = json!({"member": self.member.id, "amount": amount("1", "MILE")});
        let partner = &world.credentials.partner("AERO").expect("AERO").id;
        match act {
            Act::Read => {
                let path = format!("/v1/partners/{partner}/credentials");
                let body = json!({"scopes": ["ledger:read"]});
                let made = world.post(olivia, &path, body).await;
                if let Some(id) = made.body["id"].as_str().or(made.body["client_id"].as_str()) {
                    let path = format!("{path}/{id}");
                    let request = world.request(reqwest::Method::DELETE, &path);
                    crate::world::send(request.bearer_auth(olivia)).await;
                }
                made
            }
            Act::Issue => {
                let body = json!({"code": format!("NEW{nth}"), "name": "N", "scale": 0, "issuer": partner,
                    "expiry": {"policy": "none"}, "display_value": "0.01"});
                world.post(olivia, "/v1/currencies", body).await
            }
            Act::AgreeRates => {
                let terms = json!({"kind": "ratio", "give": 10, "get": 9});
                let settlement =
                    json!({"kind": "cost_plus", "price": "0.008", "commission": "0.025"});
                let card = crate::world::card("MILE", "HPT", terms, settlement);
                world.post(aero, "/v1/rate-cards", card).await
            }
            Act::Enrol => {
                let body = json!({"number": format!("L-{nth}")});
                world.post(aero, "/v1/members", body).await
            }
            Act::ActForMembers => {
                let granted = world.exchange("AERO", &self.membership, &[]).await;
                let own = format!("/v1/members/{}", self.member.id);
                // A token that is there already is good as long as another is given.
                let acting = world.get(&self.acting, &own).await;
                assert_eq!(acting.status.is_success(), granted.status.is_success());
                granted
            }
            Act::Award => {
                let mut body = of_member;
                body["reason"] = json!("event");
                world.post(aero, "/v1/awards", body).await
            }
            Act::Redeem => world.post(aero, "/v1/redemptions", of_member).await,
            Act::Hold => world.post(aero, "/v1/holds", of_member).await,
            Act::ConvertOut | Act::ConvertIn => {
                let (token, from, to) = match act {
                    Act::ConvertOut => (aero, "MILE", "HPT"),
                    _ => (&self.bayview, "HPT", "MILE"),
                };
                let gives = amount("10000", from);
                let body = json!({"member": self.member.id, "gives": gives, "to": to});
                world.post(token, "/v1/quotes", body).await
            }
            Act::Reverse => {
                let award = self.awards.pop().expect("an award");
                let body = json!({"operation": award["id"]});
                world.post(aero, "/v1/reversals", body).await
            }
            Act::Adjust | Act::Deliver | Act::Sponsor => {
                let mut body = of_member;
                body["direction"] = json!("credit");
                body["reason"] = json!("Counted twice");
                let made = world.post(olivia, "/v1/adjustments", body).await.ok();
                let id = made["id"].as_str().expect("an id");
                let hash = json!({"content_hash": made["content_hash"]});
                let path = format!("/v1/adjustments/{id}/approve");
                world.post(&self.oscar, &path, hash).await
            }
        }
    }
}

/// Of its own. A delivery is the same line of the table as redemptions; sponsors have a test of theirs.
fn needs_a_card(act: Act) -> bool {
    matches!(act, Act::Deliver | Act::Sponsor)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_allows_what_its_table_says_of_every_act() {
    let world = World::new().await;
    let member = world.member().await;
    for currency in ["MILE", "HPT"] {
        world.award(&member, "100000", currency).await;
    }
    let mut awards = Vec::new();
    for _ in State::ALL {
        awards.push(world.award(&member, "1", "MILE").await);
    }
    let mut tries = Try {
        aero: world.token("AERO").await,
        bayview: world.token("BAYVIEW").await,
        olivia: world.sign_in("olivia").await,
        oscar: world.sign_in("oscar").await,
        membership: world.membership("AERO", &member).await,
        acting: world.acting("AERO", &member).await,
        world: &world,
        member,
        awards,
        nth: 0,
    };
    let client = sql::session(&world.url).await;
    for state in State::ALL {
        let name = state.name();
        client
            .batch_execute(&format!(
                "begin; alter table partners disable trigger partners_go_by_steps; \
                 update partners set state = '{name}', last_day = '2100-01-01', ends_at = '2100-01-02' where code = 'AERO'; \
                 alter table partners enable trigger partners_go_by_steps; \
                 update control set version = version + 1; commit"
            ))
            .await
            .expect("a state");
        for act in Act::ALL.into_iter().filter(|act| !needs_a_card(*act)) {
            let answer = tries.act(act).await;
            let what = format!("{name} {}: {}", act.name(), answer.body);
            match life::allows(state, act) {
                true => assert!(answer.status.is_success(), "{what}"),
                false if act == Act::ActForMembers => {
                    assert_eq!(answer.body["error"], "unauthorized_client", "{what}");
                }
                false if state == State::Suspended => {
                    assert_eq!(answer.problem(), "partner-suspended", "{what}");
                }
                false => assert_eq!(answer.problem(), "partner-state", "{what}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_winds_down_pays_out_until_the_last_day_then_expires_and_is_closed() {
    let world = World::new().await;
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let people = [olivia.as_str(), oscar.as_str()];
    let status = status(&world, "GREEN");
    let green = world.token("GREEN").await;
    let wind = |day: NaiveDate| json!({"state": "winding_down", "last_day": day.to_string()});

    let soon = (Utc::now() + Duration::days(20)).date_naive();
    let early = world.post(&olivia, &status, wind(soon)).await;
    assert_eq!(early.problem(), "invalid-field");
    let never = world.post(&olivia, &status, json!({"state": "winding_down"}));
    assert_eq!(never.await.problem(), "invalid-field");
    let day = last_day();
    let winding = agreed(&world, &status, people, wind(day)).await.ok();
    assert_eq!(winding["last_day"], day.to_string());
    let close = json!({"state": "closed"});
    let open = world.post(&olivia, &status, close.clone()).await;
    assert_eq!(open.problem(), "partner-outstanding");

    world.forward(Duration::days(35)).await;
    let members = "select count(*) from lots l join currencies c on c.no = (l.wallet >> 44) & 16383 \
                   where c.code = 'LEAF' and l.available > 0";
    assert!(sql::number(&world.url, members).await > 0);
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let people = [olivia.as_str(), oscar.as_str()];
    let full = world.post(&olivia, &status, close.clone()).await;
    assert_eq!(full.problem(), "partner-outstanding");
    assert_ne!(full.body["available"], "0");

    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep");
    assert_eq!(sql::number(&world.url, members).await, 0);
    let closed = agreed(&world, &status, people, close).await.ok();
    assert_eq!(
        (&closed["state"], &closed["allows"]),
        (&json!("closed"), &json!([]))
    );
    assert_eq!(
        world.get(&green, &status).await.problem(),
        "unauthenticated"
    );
    let again = world.post(&olivia, &status, json!({"state": "live"})).await;
    assert_eq!(again.problem(), "partner-step");
    World::assert_right(&world.verify().await);

    // Who is closed past the hub with points outstanding, the proof finds.
    let client = sql::session(&world.url).await;
    let slip = "update partners set state = 'closed' where code = 'AERO'";
    assert!(client.batch_execute(slip).await.is_err());
    let past = format!(
        "alter table partners disable trigger partners_go_by_steps; {slip}; \
         alter table partners enable trigger partners_go_by_steps"
    );
    client.batch_execute(&past).await.expect("a slip");
    let found = world.verify().await.difference.expect("a difference");
    assert!(found.contains("AERO is closed"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wind_down_is_taken_back_by_two_until_its_last_day_is_over() {
    let world = World::new().await;
    let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
    let people = [olivia.as_str(), oscar.as_str()];
    let status = status(&world, "AERO");
    let wind = || json!({"state": "winding_down", "last_day": last_day().to_string()});
    let live = || json!({"state": "live"});
    let member = world.member().await;
    agreed(&world, &status, people, wind()).await.ok();
    let proposed = world.post(&olivia, &status, live()).await.ok();
    assert_eq!(proposed["state"], "winding_down", "one alone does not");
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let again = world.sign_in("olivia").await;
    let approve = format!("{status}/approve");
    let own = world.post(&again, &approve, hash.clone()).await;
    assert_eq!(own.problem(), "maker-is-checker");
    let on = world.post(&oscar, &approve, hash).await.ok();
    assert_eq!(
        [&on["state"], &on["last_day"]],
        [&json!("live"), &Value::Null]
    );
    world.award(&member, "10", "MILE").await;
    World::assert_right(&world.verify().await);

    // Proposed in time and approved too late.
    agreed(&world, &status, people, wind()).await.ok();
    let proposed = world.post(&olivia, &status, live()).await.ok();
    let hash = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let past = "update approvals set expires_at = expires_at + interval '90 days'";
    let client = sql::session(&world.url).await;
    client.batch_execute(past).await.expect("a longer approval");
    world.forward(Duration::days(35)).await;
    let oscar = world.sign_in("oscar").await;
    let late = world.post(&oscar, &approve, hash).await;
    assert_eq!(late.problem(), "partner-step");
    World::assert_right(&world.verify().await);
}
