//! Every problem in the catalogue, provoked: over HTTP, or where the doors in front of it do not let
//! a caller come so far today, at the lowest place that still makes it.

use std::pin::Pin;

use chrono::Duration;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::{StreamExt, stream};
use interline::access::{Role, Who, people};
use interline::approvals::{self, PartyName, Subject, Verdict};
use interline::db::{self, Connection, GATE_LOCK};
use interline::error::{CATALOGUE, Error};
use interline::staff;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bulk;
use crate::campaigns;
use crate::deliveries;
use crate::life;
use crate::mandates;
use crate::sponsors;
use crate::undo;
use crate::world::{Answer, Member, World, send};

/// What came back: an answer, or the code of a problem from below HTTP.
enum Told {
    Answer(Box<Answer>),
    Code(&'static str),
}

impl From<Answer> for Told {
    fn from(answer: Answer) -> Told {
        Told::Answer(Box::new(answer))
    }
}

type Provoked = Pin<Box<dyn Future<Output = Told> + Send>>;

macro_rules! table {
    ($($slug:literal => $provoke:expr;)*) => {
        &[$(($slug, |world| Box::pin(async move { Told::from($provoke(world).await) }))),*]
    };
}

type Row = (&'static str, fn(World) -> Provoked);

/// By slug, what makes it.
const PROVOCATIONS: &[Row] = table! {
    "already-member" => async |w: World| {
        let member = w.member().await;
        let link = link(&w, &member, "BAYVIEW").await;
        let body = json!({"link_token": link, "number": "other"});
        w.post(&w.token("BAYVIEW").await, "/v1/memberships", body).await
    };
    "already-reversed" => async |w: World| {
        let award = w.award(&w.member().await, "5", "MILE").await;
        let body = json!({"operation": award["id"]});
        reverse(&w, &body).await.ok();
        reverse(&w, &body).await
    };
    "amount-above-maximum" => async |w: World| {
        quote(&w, &sample(&w, &["AERO", "OPENHANDS"]), "1000000", "MILE", "GIVE").await
    };
    "amount-below-minimum" => async |w: World| {
        quote(&w, &w.member().await, "100", "MILE", "HPT").await
    };
    "amount-not-a-denomination" => async |w: World| {
        let terms = json!({"kind": "table", "table": [{"give": 500, "get": 100}]});
        publish(&w, card("STAR", "HPT", terms)).await;
        quote(&w, &w.member().await, "501", "STAR", "HPT").await
    };
    "amount-off-step" => async |w: World| {
        quote(&w, &w.member().await, "10001", "MILE", "HPT").await
    };
    "amount-scale" => async |w: World| {
        award(&w, "1.5", "MILE").await
    };
    "amount-too-large" => async |w: World| {
        award(&w, "1000000000000001", "MILE").await
    };
    "amount-too-small" => async |w: World| {
        publish(&w, card("STAR", "HPT", json!({"kind": "ratio", "give": 100, "get": 1}))).await;
        quote(&w, &w.member().await, "99", "STAR", "HPT").await
    };
    "approval-changed" => async |w: World| {
        let card = propose(&w, card("STAR", "HPT", ratio())).await;
        approve(&w, &w.token("BAYVIEW").await, &card, &"0".repeat(32)).await
    };
    "approval-closed" => async |w: World| {
        let card = propose(&w, card("STAR", "HPT", ratio())).await;
        let (bayview, hash) = (w.token("BAYVIEW").await, hash(&card));
        approve(&w, &bayview, &card, &hash).await.ok();
        approve(&w, &bayview, &card, &hash).await
    };
    // A proposal that nobody decided in time is a draft again before its approval is asked.
    "approval-expired" => approval_expired;
    // A rate card that is proposed is in no state to be proposed.
    "approval-open" => approval_open;
    "award-frozen" => async |w: World| {
        let member = w.member().await;
        let import = undo::import(&w, "MILE", &[(&member, "5")]).await;
        undo::freeze(&w, &import).await;
        reverse(&w, &json!({"operation": undo::award_of(&w, &import, 1).await})).await
    };
    "balance-too-low" => async |w: World| {
        let member = w.member().await;
        redeem(&w, &member, "1").await
    };
    "body-incomplete" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        let answer = bulk::raw(&w, &import, "Content-Length: 9\r\nConnection: close", "number", false).await;
        assert!(answer.contains(r#""code":"body-incomplete""#), "{answer}");
        Told::Code("body-incomplete")
    };
    "body-too-large" => async |w: World| {
        w.post(&w.token("AERO").await, "/v1/members", json!({"number": "9".repeat(65 * 1024)})).await
    };
    "broken" => async |w: World| {
        let token = w.token("AERO").await;
        let rename = "alter table memberships rename column number to nothing";
        w.superuser().await.batch_execute(rename).await.expect(rename);
        let answer = w.get(&token, "/v1/members").await;
        let told = answer.body.to_string();
        for internal in ["number", "memberships", "column", "select", "sql"] {
            assert!(!told.to_lowercase().contains(internal), "{told}");
        }
        answer
    };
    "campaign-budget-used-up" => async |w: World| {
        let (member, quotes) = two_quotes(&w, json!({"bonus": campaigns::percent(10), "budget": 15})).await;
        assert_eq!(w.balance(&member, "STAR").await, "0");
        take_both(&w, quotes).await
    };
    "campaign-dates" => async |w: World| {
        let over = json!({"bonus": campaigns::percent(10), "ends_at": "2001-01-01T00:00:00Z"});
        campaigns::draft(&w, "CITYMART", campaigns::campaign(&w, over)).await
    };
    "campaign-limit-reached" => async |w: World| {
        let once = json!({"bonus": campaigns::percent(10), "first_time_only": true});
        let (_, quotes) = two_quotes(&w, once).await;
        take_both(&w, quotes).await
    };
    "campaign-state" => async |w: World| {
        let campaign = campaigns::campaign(&w, json!({"bonus": campaigns::percent(10)}));
        let drafted = campaigns::draft(&w, "CITYMART", campaign).await.ok();
        campaigns::step(&w, &w.token("CITYMART").await, &drafted, "halt").await
    };
    "campaign-terms" => async |w: World| {
        campaigns::draft(&w, "CITYMART", campaigns::campaign(&w, json!({}))).await
    };
    "card-dates" => async |w: World| {
        let mut card = card("STAR", "HPT", ratio());
        card["valid_from"] = json!("2001-01-01T00:00:00Z");
        w.post(&w.token("CITYMART").await, "/v1/rate-cards", card).await
    };
    "card-state" => async |w: World| {
        let card = draft(&w, card("STAR", "HPT", ratio())).await;
        step(&w, &w.token("CITYMART").await, &card, "halt", json!({})).await
    };
    "card-terms" => async |w: World| {
        let card = card("STAR", "HPT", json!({"kind": "ratio", "give": 0, "get": 1}));
        w.post(&w.token("CITYMART").await, "/v1/rate-cards", card).await
    };
    "certification-missing" => async |w: World| {
        let olivia = w.sign_in("olivia").await;
        let body = json!({"code": "NEWONE", "name": "N", "kind": "bank", "money": "USD", "zone": "UTC"});
        let partner = w.post(&olivia, "/v1/partners", body).await.ok();
        let path = format!("/v1/partners/{}/status", partner["id"].as_str().expect("an id"));
        w.post(&olivia, &path, json!({"state": "certifying"})).await.ok();
        w.post(&olivia, &path, json!({"state": "pending_approval"})).await
    };
    "code-taken" => async |w: World| {
        let body = json!({"code": "AERO", "name": "A", "kind": "bank", "money": "USD", "zone": "UTC"});
        w.post(&w.sign_in("olivia").await, "/v1/partners", body).await
    };
    "credential-limit" => async |w: World| {
        let path = format!("/v1/partners/{}/credentials", w.credentials.partner("AERO").expect("AERO").id);
        let (token, body) = (w.token("AERO").await, json!({"scopes": ["ledger:read"]}));
        w.post(&token, &path, body.clone()).await.ok();
        w.post(&token, &path, body).await
    };
    "credit-answered" => async |w: World| {
        w.sky().await;
        let credit = w.asked_for(&w.member().await).await;
        let (path, body) = (format!("/v1/credits/{credit}/reject"), json!({"reason": "Closed"}));
        let aero = w.token("AERO").await;
        w.post(&aero, &path, body.clone()).await.ok();
        w.post(&aero, &path, body).await
    };
    "credit-owed" => async |w: World| {
        w.sky().await;
        let member = w.member().await;
        let quote = w.quote(&member, "100", "SKY", "HPT").await;
        let made = w.transfer(&member, &quote, "100", json!({})).await.ok();
        let aero = w.token("AERO").await;
        let undone = w.post(&aero, "/v1/reversals", json!({"operation": made["id"]})).await.ok();
        let path = format!("/v1/credits/{}/reject", undone["credit"].as_str().expect("a credit"));
        w.post(&aero, &path, json!({"reason": "Closed"})).await
    };
    "cursor-invalid" => async |w: World| {
        w.get(&w.token("AERO").await, &format!("/v1/members?cursor={}", "0".repeat(32))).await
    };
    "delivery-code-ended" => async |w: World| {
        let (member, conversion) = deliveries::by_code(&w, 2).await;
        w.forward(Duration::days(3)).await;
        deliveries::present(&w, &conversion["delivery"]["code"], &member).await
    };
    "delivery-code-unknown" => async |w: World| {
        deliveries::present(&w, &json!("x"), &w.member().await).await
    };
    "delivery-code-used" => async |w: World| {
        let (member, conversion) = deliveries::by_code(&w, 30).await;
        let code = &conversion["delivery"]["code"];
        deliveries::present(&w, code, &member).await.ok();
        deliveries::present(&w, code, &member).await
    };
    "exchange-rate-missing" => exchange_rate_missing;
    "forbidden" => async |w: World| {
        w.get(&w.token("AERO").await, "/v1/trial-balance").await
    };
    "hold-closed" => async |w: World| {
        let hold = hold(&w).await;
        capture(&w, &hold).await.ok();
        capture(&w, &hold).await
    };
    "hold-expired" => async |w: World| {
        let hold = hold(&w).await;
        w.forward(Duration::days(7)).await;
        capture(&w, &hold).await
    };
    "idempotency-key-invalid" => async |w: World| {
        w.post_with_key(&w.token("AERO").await, "/v1/members", &"k".repeat(256), json!({"number": "1"})).await
    };
    "idempotency-key-missing" => async |w: World| {
        let request = w.request(Method::POST, "/v1/members").bearer_auth(w.token("AERO").await);
        send(request.json(&json!({"number": "1"}))).await
    };
    "idempotency-key-reused" => async |w: World| {
        let aero = w.token("AERO").await;
        w.post_with_key(&aero, "/v1/members", "k", json!({"number": "1"})).await.ok();
        w.post_with_key(&aero, "/v1/members", "k", json!({"number": "2"})).await
    };
    "import-closed" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 1, "number\nB-1\n").await.ok();
        bulk::finish(&w, &import, 2).await.ok();
        bulk::lines(&w, &import, 3, "B-2\n").await
    };
    "import-columns" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 1, "no\n").await
    };
    "import-empty" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 1, "").await
    };
    "import-line-changed" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 1, "number\nB-1\n").await.ok();
        bulk::lines(&w, &import, 2, "B-2\n").await
    };
    "import-line-missing" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 2, "B-1\n").await
    };
    "import-line-unreadable" => async |w: World| {
        let import = bulk::begin(&w, "members", "csv").await;
        bulk::lines(&w, &import, 1, "number\nB\0\n").await.ok();
        let path = format!("/v1/imports/{import}/refusals");
        let page = w.get(&w.token("AERO").await, &path).await.ok();
        assert_eq!(page["items"][0]["code"], "import-line-unreadable");
        Told::Code("import-line-unreadable")
    };
    "import-step" => async |w: World| {
        let import = bulk::begin(&w, "awards", "csv").await;
        w.post(&w.token("AERO").await, &format!("/v1/imports/{import}/freeze"), json!({})).await
    };
    "insufficient-user-authentication" => async |w: World| {
        let terms = json!({"cooling_off_hours": 0, "step_up": {"max_age": 60, "acr_values": []}});
        let aero = w.credentials.partner("AERO").expect("AERO").id.clone();
        let path = format!("/v1/partners/{aero}/link-terms");
        w.put(&w.token("AERO").await, &path, terms).await.ok();
        let member = w.member().await;
        let gives = json!({"amount": "10000", "currency": "MILE"});
        let body = json!({"member": member.id, "gives": gives, "to": "HPT"});
        w.post(&w.acting("AERO", &member).await, "/v1/quotes", body).await
    };
    "invalid-field" => async |w: World| {
        w.post(&w.token("AERO").await, "/v1/members", json!({"number": 1})).await
    };
    "kept-by-hub" => async |w: World| {
        let member = w.member().await;
        w.sky().await;
        let quote = w.quote(&member, "10000", "MILE", "HPT").await;
        let debited = json!({"amount": "10000", "currency": "MILE"});
        w.transfer(&member, &quote, "10000", json!({"debited": debited})).await
    };
    "kept-by-partner" => async |w: World| {
        w.sky().await;
        let amount = json!({"amount": "5", "currency": "SKY"});
        let body = json!({"member": w.member().await.id, "amount": amount, "reason": "event"});
        w.post(&w.token("AERO").await, "/v1/awards", body).await
    };
    "limit-reached" => async |w: World| {
        let terms = json!({"kind": "ratio", "give": 4, "get": 1, "allowances": [{"period": "ever", "given": 5}]});
        w.publish(card("MILE", "STAR", terms)).await.ok();
        quote(&w, &w.member().await, "8", "MILE", "STAR").await
    };
    "link-expired" => async |w: World| {
        let link = link(&w, &w.member().await, "KWUN").await;
        w.forward(Duration::minutes(11)).await;
        w.post(&w.token("KWUN").await, "/v1/memberships", json!({"link_token": link, "number": "1"})).await
    };
    "invitation-invalid" => async |w: World| {
        let body = json!({"invitation": "inv_x", "password": "a new horse battery"});
        send(w.request(Method::POST, "/v1/invitations/accept").json(&body)).await
    };
    // Who dismisses over HTTP is an operator, too: the last one is met in a race only.
    "last-operator" => async |w: World| {
        let mut conn = w.hub.pool.get().await.expect("a connection");
        let who = Who::at_the_console(0, Role::Operator);
        let operators = people::list(&mut conn, 0, 2).await.expect("people");
        staff::dismiss(&mut conn, &who, operators[0].id).await.expect("a dismissal");
        refused(staff::dismiss(&mut conn, &who, operators[1].id).await)
    };
    "not-employed" => async |w: World| {
        let new = hire(&w, "finance").await;
        w.post(&w.sign_in("oscar").await, &format!("/v1/people/{new}/role"), json!({"role": "support"})).await
    };
    "not-yourself" => async |w: World| {
        let olivia = w.sign_in("olivia").await;
        let me = w.get(&olivia, "/v1/me").await.ok();
        let path = format!("/v1/people/{}/dismiss", me["id"].as_str().expect("an id"));
        w.post(&olivia, &path, json!({})).await
    };
    "password-set" => async |w: World| {
        let olivia = w.sign_in("olivia").await;
        let people = w.get(&olivia, "/v1/people").await.ok();
        let path = format!("/v1/people/{}/invitation", people["items"][1]["id"].as_str().expect("an id"));
        w.post(&olivia, &path, json!({})).await
    };
    "link-invalid" => async |w: World| {
        w.post(&w.token("KWUN").await, "/v1/memberships", json!({"link_token": "x", "number": "1"})).await
    };
    "link-cooling-off" => async |w: World| {
        let terms = json!({"cooling_off_hours": 1});
        let aero = w.credentials.partner("AERO").expect("AERO").id.clone();
        let path = format!("/v1/partners/{aero}/link-terms");
        w.put(&w.token("AERO").await, &path, terms).await.ok();
        quote(&w, &w.member().await, "10000", "MILE", "HPT").await
    };
    "link-used" => async |w: World| {
        let link = link(&w, &w.member().await, "KWUN").await;
        let join = |number: &str| json!({"link_token": link, "number": number});
        let kwun = w.token("KWUN").await;
        w.post(&kwun, "/v1/memberships", join("1")).await.ok();
        w.post(&kwun, "/v1/memberships", join("2")).await
    };
    "lint-not-acknowledged" => async |w: World| {
        let terms = json!({"kind": "table", "table": [{"give": 500, "get": 110}, {"give": 1000, "get": 200}]});
        let card = draft(&w, card("STAR", "HPT", terms)).await;
        step(&w, &w.token("CITYMART").await, &card, "propose", json!({})).await
    };
    "maker-is-checker" => async |w: World| {
        let card = propose(&w, card("STAR", "HPT", ratio())).await;
        approve(&w, &w.token("CITYMART").await, &card, &hash(&card)).await
    };
    "malformed-json" => async |w: World| {
        let request = w.request(Method::POST, "/v1/sessions").header("content-type", "application/json");
        send(request.body("{")).await
    };
    "mandate-not-in-force" => async |w: World| {
        let mandate = mandates::agree(&w, "BAYVIEW", mandates::purchased(), &[]).await;
        mandates::step(&w, "AERO", &mandate, "end").await.ok();
        let body = mandates::given(&w.member().await, "5", json!({}));
        mandates::award(&w, "BAYVIEW", &mandate, body).await
    };
    "mandate-state" => async |w: World| {
        let mandate = mandates::agree(&w, "BAYVIEW", mandates::purchased(), &[]).await;
        mandates::step(&w, "BAYVIEW", &mandate, "approve").await
    };
    "membership-alone" => async |w: World| {
        let aero = w.token("AERO").await;
        let member = w.post(&aero, "/v1/members", json!({"number": "1"})).await.ok();
        let membership = member["membership"].as_str().expect("a membership");
        w.post(&aero, &format!("/v1/memberships/{membership}/unlink"), json!({})).await
    };
    "membership-missing" => async |w: World| {
        quote(&w, &w.member().await, "200", "MILE", "GIVE").await
    };
    "method-not-allowed" => async |w: World| {
        send(w.request(Method::PATCH, "/v1/members")).await
    };
    "money-pump" => async |w: World| {
        // The sample coalition gives stars for hotel points.
        let generous = json!({"kind": "ratio", "give": 1, "get": 100});
        let card = propose(&w, card("STAR", "HPT", generous)).await;
        approve(&w, &w.token("BAYVIEW").await, &card, &hash(&card)).await.ok();
        approve(&w, &w.sign_in("olivia").await, &card, &hash(&card)).await
    };
    "more-than-left" => async |w: World| {
        let award = w.award(&w.member().await, "5", "MILE").await;
        let part = |amount: &str| {
            json!({"operation": award["id"], "amount": {"amount": amount, "currency": "MILE"}})
        };
        reverse(&w, &part("3")).await.ok();
        let refused = reverse(&w, &part("3")).await;
        assert_eq!(refused.body["left"], json!({"amount": "2", "currency": "MILE"}));
        refused
    };
    "no-rate-card" => async |w: World| {
        quote(&w, &w.member().await, "200", "MILE", "STAR").await
    };
    "no-through-route" => async |w: World| {
        let mut card = card("STAR", "HPT", ratio());
        card["terms"]["onward"] = json!("never");
        publish(&w, card).await;
        let member = w.member().await;
        let wish = json!({"member": member.id, "gives": {"amount": "100", "currency": "STAR"}, "to": "MILE", "through": "HPT"});
        w.post(&w.token("CITYMART").await, "/v1/quotes", wish).await
    };
    "not-a-sandbox" => async |w: World| {
        w.get(&w.token("AERO").await, "/v1/sandbox/clock").await
    };
    "not-eligible" => async |w: World| {
        let mut card = card("STAR", "HPT", ratio());
        card["when"] = json!({"claims": {"tier": ["gold"]}});
        publish(&w, card).await;
        quote(&w, &w.member().await, "100", "STAR", "HPT").await
    };
    "not-found" => async |w: World| {
        w.get(&w.token("AERO").await, "/v1/members/mem_0000000000000000").await
    };
    "not-in-pilot" => async |w: World| {
        let member = w.member().await;
        pilot(&w, json!({"allows": ["redeem"], "members": null, "per_operation": []})).await;
        award_to(&w, &member, "1", "MILE").await
    };
    "not-reversible" => async |w: World| {
        let award = w.award(&w.member().await, "5", "MILE").await;
        let reversal = reverse(&w, &json!({"operation": award["id"]})).await.ok();
        reverse(&w, &json!({"operation": reversal["id"]})).await
    };
    "not-your-currency" => async |w: World| {
        award(&w, "1", "HPT").await
    };
    "number-taken" => async |w: World| {
        let aero = w.token("AERO").await;
        w.post(&aero, "/v1/members", json!({"number": "1"})).await.ok();
        w.post(&aero, "/v1/members", json!({"number": "1"})).await
    };
    "partner-cap-reached" => async |w: World| {
        let quote = held_quote(&w).await;
        crate::caps::Operators::of(&w).await.cap(&w, "AERO", Some("99.999999")).await;
        take(&w, &quote).await
    };
    "partner-cover-short" => async |w: World| {
        let quote = held_quote(&w).await;
        let cover = json!([{
            "kind": "collateral", "amount": {"amount": "99.999999", "currency": "USD"},
            "until": "2190-01-01T00:00:00Z", "rests_on": "guarantee 4711",
        }]);
        crate::cover::agree(&w, json!({"amount": null, "cover": cover})).await;
        take(&w, &quote).await
    };
    "partner-outstanding" => async |w: World| {
        let [olivia, _] = winding_down(&w).await;
        w.post(&olivia, &life::status(&w, "AERO"), json!({"state": "closed"})).await
    };
    "partner-state" => async |w: World| {
        let member = w.member().await;
        winding_down(&w).await;
        award_to(&w, &member, "1", "MILE").await
    };
    "partner-step" => async |w: World| {
        let olivia = w.sign_in("olivia").await;
        w.post(&olivia, &life::status(&w, "AERO"), json!({"state": "closed"})).await
    };
    "partner-suspended" => async |w: World| {
        let member = w.member().await;
        let path = format!("/v1/partners/{}/status", w.credentials.partner("AERO").expect("AERO").id);
        w.post(&w.sign_in("olivia").await, &path, json!({"state": "suspended"})).await.ok();
        award_to(&w, &member, "1", "MILE").await
    };
    "pilot-limit" => async |w: World| {
        let member = w.member().await;
        let most = json!([{"amount": "10", "currency": "MILE"}]);
        pilot(&w, json!({"allows": ["award"], "members": null, "per_operation": most})).await;
        award_to(&w, &member, "11", "MILE").await
    };
    "quote-expired" => async |w: World| {
        let quote = held_quote(&w).await;
        w.forward(Duration::minutes(11)).await;
        take(&w, &quote).await
    };
    "quote-invalid" => async |w: World| {
        take(&w, "x").await
    };
    "quote-taken" => async |w: World| {
        let quote = held_quote(&w).await;
        take(&w, &quote).await.ok();
        take(&w, &quote).await
    };
    "receipt-taken" => async |w: World| {
        let mandate = mandates::agree(&w, "BAYVIEW", mandates::mandated("0"), &[]).await;
        let body = mandates::given(&w.member().await, "5", json!({"receipt": "R"}));
        mandates::award(&w, "BAYVIEW", &mandate, body.clone()).await.ok();
        mandates::award(&w, "BAYVIEW", &mandate, body).await
    };
    "reference-taken" => async |w: World| {
        let amount = json!({"amount": "1", "currency": "MILE"});
        let body = json!({"member": w.member().await.id, "amount": amount, "reason": "event", "reference": "r"});
        let aero = w.token("AERO").await;
        w.post(&aero, "/v1/awards", body.clone()).await.ok();
        w.post(&aero, "/v1/awards", body).await
    };
    "reversal-spent" => async |w: World| {
        let member = w.member().await;
        let award = w.award(&member, "5", "MILE").await;
        redeem(&w, &member, "1").await.ok();
        reverse(&w, &json!({"operation": award["id"]})).await
    };
    "route-unknown" => async |w: World| {
        w.get("", "/v1/nothing").await
    };
    "code-needed" => async |w: World| {
        let olivia = &w.credentials.people[0];
        let body = json!({"login": olivia.login, "password": olivia.password});
        send(w.request(Method::POST, "/v1/sessions").json(&body)).await
    };
    "code-refused" => async |w: World| {
        w.post(&w.sign_in("olivia").await, "/v1/sessions/current/step-up", json!({"code": "000000"})).await
    };
    "second-factor-enrolled" => async |w: World| {
        w.post(&w.sign_in("olivia").await, "/v1/me/second-factor", json!({})).await
    };
    "second-factor-missing" => async |w: World| {
        let password = "correct horse battery";
        let mut conn = w.hub.pool.get().await.expect("a connection");
        people::create(&mut conn, "new", "New", Role::Operator, password).await.expect("a person");
        let body = json!({"login": "new", "password": password});
        let session = send(w.request(Method::POST, "/v1/sessions").json(&body)).await.ok();
        let token = session["access_token"].as_str().expect("a token");
        w.post(token, "/v1/signing-keys", json!({})).await
    };
    "step-up-needed" => async |w: World| {
        let olivia = w.sign_in("olivia").await;
        let late = "update sessions set proved_at = proved_at - interval '10 minutes'";
        w.superuser().await.batch_execute(late).await.expect("ten minutes");
        w.post(&olivia, "/v1/signing-keys", json!({})).await
    };
    "sign-in-failed" => async |w: World| {
        sign_in(&w, "fiona").await
    };
    "signing-key-too-young" => async |w: World| {
        w.post(w.operator().await, "/v1/signing-keys", json!({})).await
    };
    "sponsor-budget-used-up" => async |w: World| {
        sponsors::publish(&w, "BAYVIEW", "0.5", "USD").await;
        let member = campaigns::rich(&w).await;
        let quote = w.quote(&member, "400", "MILE", "STAR").await;
        let next = w.quote(&member, "400", "MILE", "STAR").await;
        take_both(&w, [quote, next]).await
    };
    "request-limit-exceeded" => async |w: World| {
        let partner = &w.credentials.partner("AERO").expect("AERO").id;
        let body = json!({"per_second": 1, "burst": 1});
        w.put(w.operator().await, &format!("/v1/partners/{partner}/request-limit"), body).await.ok();
        let aero = w.token("AERO").await;
        loop {
            let answer = w.get(&aero, "/v1/currencies").await;
            if !answer.status.is_success() {
                return answer;
            }
        }
    };
    "too-busy" => async |w: World| {
        let operator = w.sign_in("olivia").await;
        let mut other = w.superuser().await;
        let hold = format!("select pg_advisory_lock({GATE_LOCK})");
        other.batch_execute(&hold).await.expect("the gate");
        let body = json!({"code": "NEWONE", "name": "N", "kind": "bank", "money": "USD", "zone": "UTC"});
        let answer = w.post(&operator, "/v1/partners", body).await;
        assert_eq!(answer.headers.get("retry-after").map(|wait| wait.as_bytes()), Some(&b"1"[..]), "{}", answer.body);
        answer
    };
    "too-many-requests" => async |w: World| {
        for _ in 0..5 {
            sign_in(&w, "fiona").await;
        }
        let answer = sign_in(&w, "fiona").await;
        assert!(answer.headers.contains_key("retry-after"));
        answer
    };
    "unauthenticated" => async |w: World| {
        w.get("x", "/v1/members").await
    };
    "unavailable" => unavailable;
    "unsupported-media-type" => async |w: World| {
        send(w.request(Method::POST, "/v1/sessions").header("content-type", "text/plain").body("{}")).await
    };
    "webhook-check-failed" => webhook_check_failed;
    "webhook-endpoint-disabled" => async |w: World| {
        let body = json!({"url": "https://example.com/", "enabled": false});
        let aero = w.token("AERO").await;
        let made = w.post(&aero, "/v1/webhook-endpoints", body).await.ok();
        let path = format!("/v1/webhook-endpoints/{}/ping", made["id"].as_str().expect("an id"));
        w.post(&aero, &path, json!({})).await
    };
    "webhook-endpoint-limit" => async |w: World| {
        let aero = w.token("AERO").await;
        let body = json!({"url": "https://example.com/"});
        for _ in 0..10 {
            w.post(&aero, "/v1/webhook-endpoints", body.clone()).await.ok();
        }
        w.post(&aero, "/v1/webhook-endpoints", body).await
    };
    "window-closed" => async |w: World| {
        let fiona = w.sign_in("fiona").await;
        let windows = w.get(&fiona, "/v1/settlement/windows").await.ok();
        let close = format!("/v1/settlement/windows/{}/close", windows["items"][0]["id"].as_str().expect("an id"));
        w.post(&fiona, &close, json!({})).await.ok();
        w.post(&fiona, &close, json!({})).await
    };
};

#[test]
fn every_problem_has_a_provocation() {
    let provoked: Vec<&str> = PROVOCATIONS.iter().map(|(slug, _)| *slug).collect();
    for entry in CATALOGUE {
        let count = provoked.iter().filter(|slug| **slug == entry.slug).count();
        assert_eq!(count, 1, "{}", entry.slug);
    }
    assert_eq!(provoked.len(), CATALOGUE.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_told_when_it_is_provoked() {
    let tries = PROVOCATIONS.iter().map(|(slug, provoke)| async move {
        // In a task of its own, so that one that panics is told beside the others.
        let world = World::new().await;
        let told = tokio::spawn(provoke(world)).await;
        match told {
            Ok(Told::Answer(answer)) if answer.status.is_success() => {
                Some(format!("{slug}: {} {}", answer.status, answer.body))
            }
            Ok(Told::Answer(answer)) => {
                let code = answer.problem();
                let entry = CATALOGUE.iter().find(|entry| entry.slug == *slug);
                assert_eq!(answer.status.as_u16(), entry.expect(slug).status);
                (code != *slug).then(|| format!("{slug}: {}", answer.body))
            }
            Ok(Told::Code(code)) => (code != *slug).then(|| format!("{slug}: {code}")),
            Err(panic) => Some(format!("{slug}: {panic}")),
        }
    });
    let others = stream::iter(tries)
        .buffer_unordered(4)
        .filter_map(std::future::ready);
    let others: Vec<String> = others.collect().await;
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// A pilot of AERO's.
async fn pilot(w: &World, pilot: Value) {
    let aero = &w.credentials.partner("AERO").expect("AERO").id;
    let path = format!("/v1/partners/{aero}/pilot");
    w.put(&w.sign_in("olivia").await, &path, json!({"pilot": pilot}))
        .await
        .ok();
}

/// Only a sandbox checks endpoints; its making cannot move between threads.
async fn webhook_check_failed(_: World) -> Answer {
    let in_sandbox = async || {
        let w = World::sandbox().await;
        let aero = w.token("AERO").await;
        let nobody = json!({"url": "http://127.0.0.1:9/"});
        let made = w.post(&aero, "/v1/webhook-endpoints", nobody).await.ok();
        let check = json!({"endpoint": made["id"]});
        w.post(&aero, "/v1/sandbox/webhook-checks", check).await
    };
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || runtime.block_on(in_sandbox()));
    checked.await.expect("an answer")
}

/// A hub whose database has gone says so for reads and for writes, whatever it had at hand.
async fn unavailable(w: World) -> Answer {
    let (aero, member) = (w.token("AERO").await, w.member().await);
    let (server, name) = w.url.rsplit_once('/').expect("a database");
    let mut admin = Connection::establish(&format!("{server}/postgres"))
        .await
        .expect("the cluster");
    let gone = format!("drop database {name} with (force)");
    admin.batch_execute(&gone).await.expect("a drop");

    for _ in 0..3 {
        let read = w.get(&aero, "/v1/members").await;
        assert_eq!(read.problem(), "unavailable", "{}", read.body);
    }
    let ready = w.get("", "/readyz").await;
    assert_eq!(ready.problem(), "unavailable");
    assert_eq!(w.get("", "/healthz").await.ok(), json!({"status": "ok"}));
    let amount = json!({"amount": "1", "currency": "MILE"});
    let body = json!({"member": member.id, "amount": amount, "reason": "event"});
    let write = w.post(&aero, "/v1/awards", body).await;
    assert_eq!(write.headers["retry-after"], "1", "{}", write.body);
    write
}

/// AERO winds down; the tokens of the two who agreed to it.
async fn winding_down(w: &World) -> [String; 2] {
    let people = [w.sign_in("olivia").await, w.sign_in("oscar").await];
    let body = json!({"state": "winding_down", "last_day": life::last_day().to_string()});
    let two = [people[0].as_str(), people[1].as_str()];
    let step = life::agreed(w, &life::status(w, "AERO"), two, body).await;
    step.ok();
    people
}

/// A brand that settles in a money nobody has published a rate for.
async fn exchange_rate_missing(w: World) -> Answer {
    let (operator, aero) = (w.sign_in("olivia").await, w.token("AERO").await);
    let brand = json!({"code": "EURO", "name": "E", "kind": "bank", "money": "EUR", "zone": "UTC"});
    let brand = w.post(&operator, "/v1/partners", brand).await.ok();
    let points = json!({"code": "EPTS", "name": "E", "scale": 0, "issuer": brand["id"],
        "expiry": {"policy": "none"}, "display_value": "0.1"});
    w.post(&operator, "/v1/currencies", points).await.ok();
    w.bring_live(brand["id"].as_str().expect("an id")).await;
    let credentials = format!(
        "/v1/partners/{}/credentials",
        brand["id"].as_str().expect("an id")
    );
    let scopes = json!({"scopes": ["members:write", "quotes:write", "rates:write"]});
    let credential = w.post(&operator, &credentials, scopes).await.ok();
    let text = |name: &str| credential[name].as_str().expect(name).to_owned();
    let form = w
        .request(Method::POST, "/oauth/token")
        .basic_auth(text("client_id"), Some(text("client_secret")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    let token = send(form).await.ok()["access_token"].clone();
    let euro = token.as_str().expect("a token");

    let member = w.member().await;
    let body = json!({"link_token": link(&w, &member, "EURO").await, "number": "1"});
    w.post(euro, "/v1/memberships", body).await.ok();
    let drafted = w.post(euro, "/v1/rate-cards", card("EPTS", "MILE", ratio()));
    let drafted = drafted.await.ok();
    let proposed = step(&w, euro, &drafted, "propose", json!({})).await.ok();
    for token in [&aero, &operator] {
        approve(&w, token, &proposed, &hash(&proposed)).await.ok();
    }
    let gives = json!({"amount": "10", "currency": "EPTS"});
    let body = json!({"member": member.id, "gives": gives, "to": "MILE"});
    w.post(euro, "/v1/quotes", body).await
}

async fn approval_open(w: World) -> Told {
    let mut conn = w.hub.pool.get().await.expect("a connection");
    let who = Who::at_the_console(1, Role::Operator);
    open(&mut conn, &who).await.expect("an approval");
    refused(open(&mut conn, &who).await)
}

async fn approval_expired(w: World) -> Told {
    let mut conn = w.hub.pool.get().await.expect("a connection");
    let who = Who::at_the_console(1, Role::Operator);
    open(&mut conn, &who).await.expect("an approval");
    w.forward(Duration::days(15)).await;
    let other = Who::at_the_console(2, Role::Operator);
    let said = approvals::decide(&mut conn, &other, ("card", 1), b"hash", Verdict::Approved);
    refused(said.await)
}

async fn open(conn: &mut Connection, who: &Who) -> Result<i64, Error> {
    let subject = Subject {
        kind: "card",
        id: 1,
        shown: "card_1".to_owned(),
    };
    let parties = [PartyName::Hub];
    db::transaction(conn, async |conn| {
        approvals::open(conn, who, &subject, b"hash", &parties).await
    })
    .await
}

fn refused<T>(result: Result<T, Error>) -> Told {
    match result {
        Err(Error::Refused(problem)) => Told::Code(problem.slug.entry().slug),
        Err(Error::Broken(cause)) => panic!("{cause}"),
        Ok(_) => Told::Code("nothing"),
    }
}

/// A member of the sample who belongs to all of these.
fn sample(world: &World, codes: &[&str]) -> Member {
    let members = &world.credentials.members;
    let belongs = |id: &str, code: &str| {
        members
            .iter()
            .any(|member| member.id == id && member.partner == code)
    };
    let found = members
        .iter()
        .find(|member| codes.iter().all(|code| belongs(&member.id, code)));
    Member {
        id: found.expect("such a member").id.clone(),
    }
}

async fn link(w: &World, member: &Member, partner: &str) -> Value {
    let path = format!("/v1/members/{}/link-tokens", member.id);
    let body = json!({"partner": partner});
    let link = w.post(&w.token("AERO").await, &path, body).await;
    link.ok()["link_token"].clone()
}

async fn quote(w: &World, member: &Member, amount: &str, from: &str, to: &str) -> Answer {
    let gives = json!({"amount": amount, "currency": from});
    let body = json!({"member": member.id, "gives": gives, "to": to});
    let token = w.token(crate::world::issuer(from)).await;
    w.post(&token, "/v1/quotes", body).await
}

async fn held_quote(w: &World) -> String {
    let member = w.member().await;
    w.award(&member, "10000", "MILE").await;
    w.quote(&member, "10000", "MILE", "HPT").await
}

async fn take(w: &World, quote: &str) -> Answer {
    let body = json!({"quote": quote});
    w.post(&w.token("AERO").await, "/v1/conversions", body)
        .await
}

async fn award(w: &World, amount: &str, currency: &str) -> Answer {
    award_to(w, &w.member().await, amount, currency).await
}

async fn award_to(w: &World, member: &Member, amount: &str, currency: &str) -> Answer {
    let amount = json!({"amount": amount, "currency": currency});
    let body = json!({"member": member.id, "amount": amount, "reason": "event"});
    w.post(&w.token("AERO").await, "/v1/awards", body).await
}

async fn redeem(w: &World, member: &Member, amount: &str) -> Answer {
    let amount = json!({"amount": amount, "currency": "MILE"});
    let body = json!({"member": member.id, "amount": amount});
    w.post(&w.token("AERO").await, "/v1/redemptions", body)
        .await
}

async fn hold(w: &World) -> Value {
    let member = w.member().await;
    w.award(&member, "5", "MILE").await;
    let amount = json!({"amount": "5", "currency": "MILE"});
    let body = json!({"member": member.id, "amount": amount});
    w.post(&w.token("AERO").await, "/v1/holds", body).await.ok()
}

async fn capture(w: &World, hold: &Value) -> Answer {
    let path = format!("/v1/holds/{}/capture", hold["id"].as_str().expect("an id"));
    w.post(&w.token("AERO").await, &path, json!({})).await
}

async fn reverse(w: &World, body: &Value) -> Answer {
    let aero = w.token("AERO").await;
    w.post(&aero, "/v1/reversals", body.clone()).await
}

async fn sign_in(w: &World, login: &str) -> Answer {
    let body = json!({"login": login, "password": "not this one"});
    send(w.request(Method::POST, "/v1/sessions").json(&body)).await
}

fn ratio() -> Value {
    json!({"kind": "ratio", "give": 2, "get": 1})
}

fn card(from: &str, to: &str, terms: Value) -> Value {
    let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0.025"});
    json!({"from": from, "to": to, "terms": terms, "settlement": settlement})
}

/// The id of somebody whom an operator hires, or proposes to.
async fn hire(w: &World, role: &str) -> String {
    let body = json!({"login": "new", "name": "New", "role": role});
    let hired = w
        .post(&w.sign_in("olivia").await, "/v1/people", body)
        .await
        .ok();
    hired["id"].as_str().expect("an id").to_owned()
}

/// As CITYMART.
/// A member with two quotes that both count on a campaign.
async fn two_quotes(w: &World, campaign: Value) -> (Member, [String; 2]) {
    campaigns::put_card(w).await;
    let campaign = campaigns::campaign(w, campaign);
    campaigns::publish(w, "CITYMART", &[], campaign).await.ok();
    let member = campaigns::rich(w).await;
    let quotes = [
        w.quote(&member, "400", "MILE", "STAR").await,
        w.quote(&member, "400", "MILE", "STAR").await,
    ];
    (member, quotes)
}

async fn take_both(w: &World, quotes: [String; 2]) -> Answer {
    let aero = w.token("AERO").await;
    let [first, second] = quotes.map(|quote| json!({"quote": quote}));
    w.post(&aero, "/v1/conversions", first).await.ok();
    w.post(&aero, "/v1/conversions", second).await
}

async fn draft(w: &World, card: Value) -> Value {
    let citymart = w.token("CITYMART").await;
    w.post(&citymart, "/v1/rate-cards", card).await.ok()
}

async fn propose(w: &World, card: Value) -> Value {
    let card = draft(w, card).await;
    let citymart = w.token("CITYMART").await;
    step(w, &citymart, &card, "propose", json!({})).await.ok()
}

/// Agreed by CITYMART, BAYVIEW and the hub.
async fn publish(w: &World, card: Value) {
    let card = propose(w, card).await;
    for token in [w.token("BAYVIEW").await, w.sign_in("olivia").await] {
        approve(w, &token, &card, &hash(&card)).await.ok();
    }
}

fn hash(card: &Value) -> String {
    card["content_hash"].as_str().expect("a hash").to_owned()
}

async fn approve(w: &World, token: &str, card: &Value, hash: &str) -> Answer {
    step(w, token, card, "approve", json!({"content_hash": hash})).await
}

async fn step(w: &World, token: &str, card: &Value, step: &str, body: Value) -> Answer {
    let id = card["id"].as_str().expect("an id");
    w.post(token, &format!("/v1/rate-cards/{id}/{step}"), body)
        .await
}
