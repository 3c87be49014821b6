//! Hostile input: every write of the document with a body that is right but for one thing. The hub
//! says which thing, never breaks, and nothing changes.

use std::collections::BTreeMap;

use diesel_async::RunQueryDsl;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::openapi::operations;
use crate::world::{Answer, Member, World, send};

/// A write that would succeed, ready to be spoiled.
pub struct Write {
    pub id: String,
    pub method: Method,
    pub path: String,
    pub token: String,
    pub body: Value,
}

/// Every write with a JSON body and an Idempotency-Key, or without one, that the document knows.
pub async fn writes(world: &World) -> Vec<Write> {
    let member = world.member().await;
    world.award(&member, "20000", "MILE").await;
    let awarded = world.award(&member, "7", "MILE").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    world.sky().await;
    let attested = world.quote(&member, "500", "SKY", "HPT").await;
    let business_day = world.business_day().await;
    let asked_for = world.asked_for(&member).await;
    let aero = world.token("AERO").await;
    let (operator, finance) = (world.sign_in("olivia").await, world.sign_in("fiona").await);
    let link = format!("/v1/members/{}/link-tokens", member.id);
    let to_bayview = json!({"partner": "BAYVIEW"});
    let link = world.post(&aero, &link, to_bayview.clone()).await.ok();
    let linked = world.membership("AERO", &world.member().await).await;
    let windows = world.get(&finance, "/v1/settlement/windows").await.ok();
    let ratio = json!({"kind": "ratio", "give": 2, "get": 1, "min": 2, "step": 2});
    let sponsor = crate::sponsors::sponsor(world, "KWUN", "500", "HKD");
    let settlement =
        json!({"kind": "cost_plus", "price": "0.01", "commission": "0.025", "sponsor": sponsor});
    let when = json!({"claims": {"tier": ["gold"]}, "of": "target", "channel": ["app"]});
    let card = json!({"from": "MILE", "to": "STAR", "terms": ratio, "settlement": settlement,
        "when": when, "priority": 1, "notice_days": 30,
        "valid_from": "2100-01-01T00:00:00Z", "valid_to": "2101-01-01T00:00:00Z", "origin": "R1"});
    let drafted = world.post(&aero, "/v1/rate-cards", card.clone()).await.ok();
    let partner = &world.credentials.partner("AERO").expect("AERO").id;
    let hash = json!({"content_hash": drafted["content_hash"]});
    let usd = json!({"amount": {"amount": "500", "currency": "USD"}});
    let propose = format!("/v1/partners/{partner}/cap/propose");
    let oscar = world.sign_in("oscar").await;
    let capped = world.post(&oscar, &propose, usd.clone()).await.ok();
    let cap = json!({"content_hash": capped["proposed"]["content_hash"]});
    let bank_account = json!({"holder": "Aero", "currency": "USD", "bic": "HSBCHKHH",
        "account_number": "012-345678-001"});
    let propose = format!("/v1/partners/{partner}/bank-account/propose");
    let proposed = world.post(&aero, &propose, bank_account.clone()).await.ok();
    let paid_into = json!({"content_hash": proposed["proposed"]["content_hash"]});
    let miles = json!({"amount": "10000", "currency": "MILE"});
    let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    let body = json!({"member": member.id, "amount": {"amount": "1", "currency": "MILE"}});
    let hold = world.post(&aero, "/v1/holds", body).await.ok();
    let body = json!({"member": member.id, "amount": {"amount": "1", "currency": "MILE"},
        "direction": "debit", "reason": "Counted twice"});
    let adjustment = world.post(&operator, "/v1/adjustments", body).await.ok();
    let agreed = json!({"content_hash": adjustment["content_hash"]});
    let citymart = world.token("CITYMART").await;
    let campaign = crate::campaigns::campaign(
        world,
        json!({"bonus": {"kind": "slab", "on": "given", "min_given": 5, "bands": [{"from": 0, "num": 1, "den": 5}]},
            "judged_at": "credit", "first_time_only": false, "times": 3, "most": 50,
            "when": {"channel": ["app"]},
            "budget": 500}),
    );
    let filed = world
        .post(&citymart, "/v1/campaigns", campaign.clone())
        .await
        .ok();
    let campaign_hash = json!({"content_hash": filed["content_hash"]});
    let body = json!({"login": "new", "name": "New", "role": "finance"});
    let hired = world.post(&oscar, "/v1/people", body).await.ok();
    let person_hash = json!({"content_hash": hired["proposed"]["content_hash"]});
    let bayview = world.token("BAYVIEW").await;
    let caps = [("each", "900000"), ("day", "900000"), ("total", "900000")];
    let mandate = crate::mandates::wanted(world, "BAYVIEW", crate::mandates::purchased(), &caps);
    let proposed_mandate = world
        .post(&aero, "/v1/mandates", mandate.clone())
        .await
        .ok();
    let mandate_hash = json!({"content_hash": proposed_mandate["content_hash"]});
    let agreed_on =
        crate::mandates::agree(world, "BAYVIEW", crate::mandates::purchased(), &caps).await;
    let (bearer, conversion) = crate::deliveries::by_code(world, 30).await;
    let body = json!({"url": "https://example.com/"});
    let endpoint = world.post(&aero, "/v1/webhook-endpoints", body).await.ok();
    let import = crate::bulk::begin(world, "members", "csv").await;
    crate::bulk::lines(world, &import, 1, "number\nB-1\n")
        .await
        .ok();
    let known = |id: &str| -> (&str, Value) {
        match id {
            "admitPartner" => (
                &operator,
                json!({"code": "ZULU", "name": "Zulu", "name_zh": "祖魯", "kind": "bank", "money": "USD", "zone": "UTC"}),
            ),
            "rotateSigningKeys" => (&operator, json!({})),
            "setPartnerState" => (&operator, json!({"state": "suspended"})),
            "approvePartnerState" | "rejectPartnerState" => (&operator, cap.clone()),
            "withdrawPartnerState" | "withdrawPilot" => (&operator, json!({})),
            "setPilot" => (
                &operator,
                json!({"pilot": {"allows": ["award", "redeem"], "members": 500, "per_operation": [miles]}}),
            ),
            "approvePilot" | "rejectPilot" => (&operator, cap.clone()),
            "proposeBuyOut" => (&aero, json!({"card": "card_0123456789abcdef"})),
            "approveBuyOut" | "rejectBuyOut" => (&operator, cap.clone()),
            "withdrawBuyOut" => (&operator, json!({})),
            "certifyPartner" => (
                &operator,
                json!({"checks": [{"name": "awards", "passed": true}]}),
            ),
            "proposePartnerCap" => (&operator, usd.clone()),
            "approvePartnerCap" | "rejectPartnerCap" => (&operator, cap.clone()),
            "withdrawPartnerCap" => (&operator, json!({})),
            "issueCurrency" => (
                &operator,
                json!({"code": "ZULUS", "name": "Z", "name_zh": "祖", "scale": 2, "issuer": partner,
                "expiry": {"policy": "rolling", "months": 12}, "display_value": "0.1", "kept_by": "hub"}),
            ),
            "createCredential" => (
                &operator,
                json!({"scopes": ["ledger:read"], "expires_at": "2100-01-01T00:00:00Z",
                "public_keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}),
            ),
            "enrolMember" => (&aero, json!({"number": "N-1"})),
            "attestClaims" => (
                &aero,
                json!({"claims": {"tier": {"value": "gold", "valid_until": tomorrow}}}),
            ),
            "makeLinkToken" => (&aero, to_bayview.clone()),
            "unlinkMembership" => (&aero, json!({})),
            "linkMembership" => (
                &bayview,
                json!({"link_token": link["link_token"], "number": "N-2"}),
            ),
            "createAward" => (
                &aero,
                json!({"member": member.id, "amount": miles, "reason": "purchase", "channel": "app",
                "usable_from": tomorrow, "location": "shop", "reference": "R"}),
            ),
            "proposeMandate" => (&aero, mandate.clone()),
            "approveMandate" | "rejectMandate" => (&bayview, mandate_hash.clone()),
            "endMandate" => (&aero, json!({})),
            "createMandatedAward" => (
                &bayview,
                json!({"member": member.id, "amount": miles, "reason": "purchase", "channel": "app",
                "usable_from": tomorrow, "location": "shop", "receipt": "R"}),
            ),
            "createRedemption" => (
                &aero,
                json!({"member": member.id, "amount": miles, "channel": "app", "location": "shop", "reference": "R"}),
            ),
            "createHold" => (
                &aero,
                json!({"member": member.id, "amount": miles, "expires_at": tomorrow, "channel": "app",
                "location": "shop", "reference": "R"}),
            ),
            "captureHold" => (
                &aero,
                json!({"amount": miles, "channel": "app", "location": "shop", "reference": "R"}),
            ),
            "releaseHold" => (&aero, json!({"amount": miles, "reference": "R"})),
            "createTransfer" => (
                &aero,
                json!({"quote": attested, "member": member.id, "debited": {"amount": "500", "currency": "SKY"},
                "debited_on": business_day, "reference": "R"}),
            ),
            "acknowledgeCredit" => (
                &aero,
                json!({"reference": "R", "credited_on": business_day}),
            ),
            "rejectCredit" => (&aero, json!({"reason": "Closed"})),
            "createAdjustment" => (
                &operator,
                json!({"member": member.id, "amount": miles, "direction": "credit", "reason": "Counted twice"}),
            ),
            "approveAdjustment" | "rejectAdjustment" => (&finance, agreed.clone()),
            "createDelivery" => (
                &bayview,
                json!({"code": conversion["delivery"]["code"], "member": bearer.id, "reference": "R"}),
            ),
            "createReversal" => (
                &aero,
                json!({"operation": awarded["id"], "amount": miles, "receivable": true, "reference": "R"}),
            ),
            "createQuote" => (
                &aero,
                json!({"member": member.id, "gives": miles, "to": "HPT", "channel": "app"}),
            ),
            "createConversion" => (&aero, json!({"quote": quote, "reference": "R"})),
            "draftCampaign" => (&citymart, campaign.clone()),
            "approveCampaign" | "rejectCampaign" => (&operator, campaign_hash.clone()),
            "proposeCampaign" | "withdrawCampaign" | "haltCampaign" => (&citymart, json!({})),
            "registerForCampaign" => (&aero, json!({"member": member.id, "currency": "MILE"})),
            "draftRateCard" => (&aero, card.clone()),
            "approveRateCard" | "rejectRateCard" => (&operator, hash.clone()),
            "proposeRateCard" | "withdrawRateCard" | "haltRateCard" => (&aero, json!({})),
            "publishExchangeRate" => (
                &finance,
                json!({"base": "USD", "quote": "HKD", "rate": "7.8", "source": "S", "quoted_at": "2026-01-01T00:00:00Z"}),
            ),
            "setAwardLimits" => (
                &aero,
                json!({"limits": [{"reason": "survey", "period": "day", "amount": "10"}, {"reason": "survey", "hours": 5, "times": 1}]}),
            ),
            "hirePerson" => (
                &operator,
                json!({"login": "zoe", "name": "Zoe", "role": "support"}),
            ),
            "changeRole" => (&operator, json!({"role": "auditor"})),
            "approvePerson" | "rejectPerson" => (&operator, person_hash.clone()),
            "renewPerson" | "withdrawPerson" | "dismissPerson" => (&operator, json!({})),
            "setLinkTerms" => (
                &aero,
                json!({"cooling_off_hours": 24, "step_up": {"max_age": 300, "acr_values": ["urn:example:2fa"]}}),
            ),
            "setRequestLimit" => (&operator, json!({"per_second": 20_000, "burst": 40_000})),
            "closeWindow" => (&finance, json!({})),
            "setCalendar" => (
                &finance,
                json!({"zone": "UTC", "closes": [{"name": "monthly", "every": "month", "weekday": null, "day": 31,
                    "at": "23:00", "convention": "following"},
                    {"name": "daily", "every": "day", "at": "00:00"}], "weekend": ["sunday"], "holidays": ["2027-02-08"]}),
            ),
            "proposeBankAccount" => (&aero, bank_account.clone()),
            "approveBankAccount" | "rejectBankAccount" => (&finance, paid_into.clone()),
            "withdrawBankAccount" => (&aero, json!({})),
            "createWebhookEndpoint" | "changeWebhookEndpoint" => (
                &aero,
                json!({"url": "https://example.com/events", "description": "D", "types": ["award.completed"],
                "enabled": true}),
            ),
            "rotateWebhookSecret" => (&aero, json!({"previous_for_hours": 1})),
            "createImport" => (
                &aero,
                json!({"kind": "members", "format": "csv", "name": "members.csv"}),
            ),
            "freezeImport" | "thawImport" | "withdrawImportUndo" => (&aero, json!({})),
            "proposeImportUndo" => (&aero, json!({"spent": "borne_by_issuer"})),
            "approveImportUndo" | "rejectImportUndo" => (&finance, agreed.clone()),
            "finishImport" => (&aero, json!({"lines": 2})),
            "pingWebhookEndpoint" => (&aero, json!({})),
            "redeliverEvents" => (&aero, json!({"dead": true})),
            other => panic!("{other} has no valid body here; give it one"),
        }
    };
    let asked = operations().into_iter().filter(|one| {
        // A sign-in, a code and a token change nothing; a link token and what ends something have no body.
        let apart = [
            "acceptInvitation",
            "beginSecondFactor",
            "changePassword",
            "confirmSecondFactor",
            "renewRecoveryCodes",
            "signIn",
            "signOut",
            "stepUp",
            "endSession",
            "endOtherSessions",
            "endSessionsOf",
            "invitePerson",
            "issueToken",
            "revokeCredential",
            "removeWebhookEndpoint",
            // Their bodies are lines.
            "sendImportLines",
            "matchDay",
        ];
        // What only a sandbox has refuses everything else before the body is looked at.
        let is_of_sandbox = one.said["tags"][0] == "sandbox";
        !is_of_sandbox && one.method != Method::GET && !apart.contains(&one.id.as_str())
    });
    let write = |one: crate::openapi::Operation| {
        let (token, body) = known(&one.id);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let mandate = match one.id.as_str() {
            "createMandatedAward" => &agreed_on,
            _ => &proposed_mandate,
        };
        let path = one
            .path
            .replace("{mandate}", &text(&mandate["id"]))
            .replace("{partner}", partner)
            .replace("{member}", &member.id)
            .replace("{membership}", &linked)
            .replace("{rate_card}", &text(&drafted["id"]))
            .replace("{campaign}", &text(&filed["id"]))
            .replace("{person}", &text(&hired["id"]))
            .replace("{code}", "MILE")
            .replace("{credit}", &asked_for)
            .replace("{hold}", &text(&hold["id"]))
            .replace("{adjustment}", &text(&adjustment["id"]))
            .replace("{import}", &import)
            .replace("{endpoint}", &text(&endpoint["id"]))
            .replace("{window}", &text(&windows["items"][0]["id"]));
        let (id, token) = (one.id, token.to_owned());
        Write {
            id,
            method: one.method,
            path,
            token,
            body,
        }
    };
    asked.map(write).collect()
}

/// Where the values of a body are, objects among them.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, value)| pointers(value, &format!("{at}/{place}"), found)),
        _ => {}
    }
}

/// What no field of the kind takes, as JSON text.
fn wrong_for(value: &Value) -> Vec<&'static str> {
    let numbers = [
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-0",
        "1E2",
        "0x10",
        "01",
        "+1",
        "1.5",
        "99999999999999999999",
        "-99999999999999999999",
    ];
    let texts = [
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\x""#,
        "\"\u{202e}\"",
        "\"\u{200b}\"",
        "\"\u{feff}\"",
        r#""""#,
        r#"" ""#,
        "\"\t\"",
        "\"a",
    ];
    let others = [
        "true",
        "[]",
        "{",
        "]",
        "[[]]",
        "nul",
        r#"{"a":1}"#,
        "'a'",
        "",
    ];
    let mut wrong: Vec<&str> = others.to_vec();
    match value {
        Value::String(_) => wrong.extend(numbers.iter().chain(&texts).chain(&["{}", "1", "0"])),
        Value::Number(_) => wrong.extend(numbers.iter().chain(&texts).chain(&["{}"])),
        Value::Object(_) => wrong.extend(numbers.iter().chain(&texts).chain(&["1"])),
        Value::Array(_) => {
            wrong.extend(numbers.iter().chain(&texts).chain(&["{}", "[null]", "[1]"]))
        }
        Value::Null | Value::Bool(_) => {}
    }
    wrong
}

/// The body with one value replaced by text that need not be JSON.
fn spoiled(body: &Value, pointer: &str, text: &str) -> String {
    const HERE: &str = "\u{1}here\u{1}";
    let mut body = body.clone();
    *body.pointer_mut(pointer).expect(pointer) = json!(HERE);
    body.to_string().replace(&json!(HERE).to_string(), text)
}

/// Bodies that are wrong by their shape, whatever the fields are.
fn misshapen(body: &Value) -> Vec<String> {
    let whole = body.to_string();
    let inside = &whole[1..whole.len() - 1];
    let more = |text: &str| match inside {
        "" => format!("{{{text}}}"),
        _ => format!("{{{inside},{text}}}"),
    };
    let mut wrong = vec![
        more(r#""unknown":1"#),
        more(r#""__proto__":{}"#),
        more(r#""":1"#),
        format!("\u{feff}{whole}"),
        format!("{whole}{whole}"),
        format!("{whole} x"),
        format!("[{whole}]"),
        format!("{}{}", "[".repeat(33), "]".repeat(33)),
        more(&format!(
            r#""a":{}{}"#,
            "[".repeat(20_000),
            "]".repeat(20_000)
        )),
        whole[..whole.len() - 1].to_owned(),
        String::new(),
        "null".to_owned(),
        "// no\n{}".to_owned(),
        more(r#""a":1,"#),
    ];
    let twice = |(name, value): (&String, &Value)| more(&format!("\"{name}\":{value}"));
    wrong.extend(body.as_object().expect("an object").iter().map(twice));
    wrong
}

async fn post_raw(world: &World, write: &Write, body: Vec<u8>) -> Answer {
    let request = world
        .request(write.method.clone(), &write.path)
        .bearer_auth(&write.token)
        .header("idempotency-key", "hostile")
        .header("content-type", "application/json");
    send(request.body(body)).await
}

/// How many rows each table has, and what the books and limits say.
async fn everything(world: &World) -> BTreeMap<String, i64> {
    #[derive(diesel::QueryableByName)]
    struct Rows {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        rows: i64,
    }
    let sql = "select table_name::text as name,
        (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I.%I', table_schema, table_name),
         false, true, '')))[1]::text::bigint as rows
        from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
          and table_name <> 'request_buckets'
        union all select 'lots held', sum(available)::bigint from lots
        union all select 'publications', version from control";
    let rows: Vec<Rows> = diesel::sql_query(sql)
        .load(&mut world.superuser().await)
        .await
        .expect("the tables");
    rows.into_iter().map(|row| (row.name, row.rows)).collect()
}

/// A refusal that says what is wrong: a pointer into the body, or a code that is the rule itself.
fn complaint(answer: &Answer) -> Option<String> {
    let told = answer
        .headers
        .get("content-type")
        .map(|kind| kind.as_bytes());
    let names = answer.body["errors"][0]["pointer"].is_string();
    let by_itself = !matches!(answer.body["code"].as_str(), Some("invalid-field") | None);
    let is_right = answer.status.is_client_error()
        && told == Some(b"application/problem+json")
        && (names || by_itself);
    (!is_right).then(|| format!("{} {}", answer.status, answer.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_wrong_in_one_place_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let writes = writes(&world).await;
    let before = everything(&world).await;

    let mut tries: Vec<(&Write, String)> = Vec::new();
    for write in &writes {
        let mut places = Vec::new();
        pointers(&write.body, "", &mut places);
        for place in &places {
            let value = write.body.pointer(place).expect(place);
            // No limits at all are limits too, a calendar needs neither closes nor holidays, a step-up no ways, and a pilot opens nothing. Nothing in
            // the place of the only element makes its list empty.
            let may_be_empty = ["setAwardLimits", "setCalendar", "setLinkTerms", "setPilot"]
                .contains(&write.id.as_str());
            let is_none = |text: &&str| may_be_empty && ["[]", ""].contains(text);
            // What is there already is not wrong.
            let same = value.to_string();
            let is_same = |text: &&str| *text == same;
            let wrong = wrong_for(value).into_iter();
            let wrong = wrong.filter(|text| !is_none(text) && !is_same(text));
            tries.extend(wrong.map(|text| (write, spoiled(&write.body, place, text))));
            // The fields of an object in the order the document shows them, without their names.
            if let Some(fields) = value.as_object().filter(|_| !place.is_empty()) {
                let list = Value::from_iter(fields.values().cloned()).to_string();
                tries.push((write, spoiled(&write.body, place, &list)));
            }
        }
        tries.extend(misshapen(&write.body).into_iter().map(|body| (write, body)));
    }
    assert!(tries.len() > 2_000, "only {} tries", tries.len());
    let complaints = stream::iter(tries).map(async |(write, body): (&Write, String)| {
        let answer = post_raw(&world, write, body.clone().into_bytes()).await;
        let short: String = body.chars().take(200).collect();
        complaint(&answer).map(|told| format!("{} {short}: {told}", write.id))
    });
    let complaints = complaints
        .buffer_unordered(8)
        .filter_map(std::future::ready);
    let complaints: Vec<String> = complaints.collect().await;

    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(everything(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_needed_and_missing_is_named() {
    let world = World::new().await;
    let writes = writes(&world).await;
    let before = everything(&world).await;
    let optional = [
        "name_zh",
        "expires_at",
        "public_keys",
        "usable_from",
        "receivable",
        "channel",
        "location",
        "reference",
        "valid_from",
        "valid_to",
        "origin",
        "notice_days",
        "terms",
        // Of a campaign: either a bonus or arms, and whatever limits it.
        "bonus",
        "judged_at",
        "first_time_only",
        "registered_only",
        "times",
        "most",
        "budget",
        "when",
        "priority",
        // Of a currency.
        "kept_by",
        // Of a webhook endpoint.
        "description",
        "types",
        "enabled",
        "previous_for_hours",
        "dead",
        // Of a calendar.
        "weekend",
        "holidays",
        // Of link terms.
        "step_up",
        // Of a mandate: no cap; of an award under it, no receipt where who awards pays.
        "caps",
        "receipt",
    ];
    for write in &writes {
        for (name, _) in write.body.as_object().expect("an object") {
            // All of what is there, unless a part is wanted.
            let of_parts = ["createReversal", "captureHold", "releaseHold"];
            let is_part = name == "amount" && of_parts.contains(&write.id.as_str());
            if is_part || optional.contains(&name.as_str()) {
                continue;
            }
            for null in [false, true] {
                // Null takes a cap away, ends a pilot, and lets points expire.
                let may_be_null = ["proposeBuyOut", "proposePartnerCap", "setPilot"];
                if null && may_be_null.contains(&write.id.as_str()) {
                    continue;
                }
                let mut body = write.body.clone();
                match null {
                    true => body[name] = Value::Null,
                    false => drop(body.as_object_mut().expect("an object").remove(name)),
                }
                let answer = post_raw(&world, write, body.to_string().into_bytes()).await;
                assert_eq!(answer.problem(), "invalid-field", "{} {name}", write.id);
                let told = answer.body["errors"][0].to_string();
                assert!(told.contains(name.as_str()), "{} {name}: {told}", write.id);
            }
        }
    }
    assert_eq!(everything(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_dates_are_refused_by_name() {
    let world = World::new().await;
    let writes = writes(&world).await;
    let before = everything(&world).await;
    let dates = [
        "2026-06-30T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "1767225600",
        "now",
    ];
    for (id, field) in [
        ("createCredential", "expires_at"),
        ("createHold", "expires_at"),
        ("createAward", "usable_from"),
        ("draftRateCard", "valid_from"),
        ("draftRateCard", "valid_to"),
        ("publishExchangeRate", "quoted_at"),
    ] {
        let write = writes.iter().find(|write| write.id == id).expect(id);
        for date in dates {
            let mut body = write.body.clone();
            body[field] = json!(date);
            let answer = post_raw(&world, write, body.to_string().into_bytes()).await;
            let told = answer.body.to_string();
            assert_eq!(complaint(&answer), None, "{id} {field} {date}");
            assert!(told.contains(field), "{id} {field} {date}: {told}");
        }
    }
    assert_eq!(everything(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_amounts_are_refused() {
    let world = World::new().await;
    let (member, aero) = (world.member().await, world.token("AERO").await);
    for (amount, code) in [
        ("1E2", "invalid-field"),
        ("1e400", "invalid-field"),
        ("-0", "invalid-field"),
        ("-1", "invalid-field"),
        ("+1", "invalid-field"),
        ("NaN", "invalid-field"),
        ("Infinity", "invalid-field"),
        ("0", "invalid-field"),
        ("0.0", "amount-scale"),
        ("1.", "invalid-field"),
        (".5", "invalid-field"),
        ("1,000", "invalid-field"),
        ("1 000", "invalid-field"),
        ("0x10", "invalid-field"),
        ("007", "invalid-field"),
        ("１２", "invalid-field"),
        ("1_000", "invalid-field"),
        ("1000000000000001", "amount-too-large"),
        ("99999999999999999999", "amount-too-large"),
    ] {
        let amount = json!({"amount": amount, "currency": "MILE"});
        let award = json!({"member": member.id, "amount": amount, "reason": "event"});
        let award = world.post(&aero, "/v1/awards", award).await;
        assert_eq!(award.problem(), code, "{amount}");
        assert!(award.body["detail"].to_string().contains("/amount/amount"));
        let quote = json!({"member": member.id, "gives": amount, "to": "HPT"});
        let quote = world.post(&aero, "/v1/quotes", quote).await;
        assert_eq!(quote.problem(), code, "{amount}");
    }
    assert_eq!(world.balance(&member, "MILE").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_write_are_looked_at() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let before = everything(&world).await;
    let body = r#"{"number":"N-1"}"#;
    let with = async |headers: &[(&str, &[u8])], body: Vec<u8>| {
        let mut request = world
            .request(Method::POST, "/v1/members")
            .bearer_auth(&aero);
        for (name, value) in headers {
            let value = reqwest::header::HeaderValue::from_bytes(value).expect("a value");
            let name: reqwest::header::HeaderName = name.parse().expect("a name");
            request = request.header(name, value);
        }
        send(request.body(body)).await
    };
    let (json, key) = (
        ("content-type", &b"application/json"[..]),
        ("idempotency-key", &b"k"[..]),
    );

    for wrong in [
        &b""[..],
        &[b'k'; 256],
        "鍵".as_bytes(),
        b"\xff",
        b"a b",
        b"a\tb",
    ] {
        let answer = with(&[json, ("idempotency-key", wrong)], body.into()).await;
        assert_eq!(answer.problem(), "idempotency-key-invalid", "{wrong:?}");
    }
    let twice = with(&[json, key, ("idempotency-key", b"l")], body.into()).await;
    assert_eq!(twice.problem(), "idempotency-key-invalid");
    for kind in [
        "",
        "text/json",
        "application/json5",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let answer = with(&[("content-type", kind.as_bytes()), key], body.into()).await;
        assert_eq!(answer.problem(), "unsupported-media-type", "{kind}");
    }
    let twice = with(&[json, json, key], body.into()).await;
    assert_eq!(twice.problem(), "unsupported-media-type");
    for coding in ["gzip", "br", "identity", "zstd, gzip"] {
        let coding = ("content-encoding", coding.as_bytes());
        let answer = with(&[json, key, coding], vec![0x1f, 0x8b, 8, 0]).await;
        assert_eq!(answer.problem(), "unsupported-media-type", "{coding:?}");
    }
    let large = format!("{}{body}", " ".repeat(65 * 1024 - body.len()));
    assert_eq!(
        with(&[json, key], large.into()).await.problem(),
        "body-too-large"
    );
    let invalid = with(&[json, key], b"{\"number\":\"\xff\"}".to_vec()).await;
    assert_eq!(complaint(&invalid), None);
    assert_eq!(everything(&world).await, before);

    // What is right is taken, up to the limit.
    let full = format!("{}{body}", " ".repeat(64 * 1024 - body.len()));
    let charset = ("content-type", &b"Application/JSON; charset=utf-8"[..]);
    with(&[charset, ("idempotency-key", &[b'k'; 255])], full.into())
        .await
        .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_refused_by_name() {
    let world = World::new().await;
    let (aero, finance) = (world.token("AERO").await, world.sign_in("fiona").await);
    let member = world.member().await;
    let award = world.award(&member, "5", "MILE").await;
    let statement = format!(
        "/v1/wallets/{}/statement",
        award["wallet"].as_str().expect("a wallet")
    );
    let lists = [
        (&aero, "/v1/members"),
        (&aero, "/v1/partners"),
        (&aero, "/v1/currencies"),
        (&aero, "/v1/approvals"),
        (&aero, "/v1/rate-cards"),
        (&aero, "/v1/exchange-rates"),
        (&aero, "/v1/webhook-endpoints"),
        (&aero, "/v1/credits"),
        (&finance, "/v1/settlement/windows"),
        (&aero, statement.as_str()),
    ];
    for (token, path) in lists {
        for limit in [
            "0",
            "-1",
            "201",
            "abc",
            "",
            "1e2",
            "99999999999999999999",
            "5&limit=6",
            "%00",
            "１",
        ] {
            let answer = world.get(token, &format!("{path}?limit={limit}")).await;
            assert_eq!(answer.problem(), "invalid-field", "{path} {limit}");
            // What stands twice is named in words only.
            assert!(
                answer.body["errors"].to_string().contains("limit"),
                "{}",
                answer.body
            );
        }
        for cursor in [
            "",
            "x",
            "0",
            &"0".repeat(32),
            &"f".repeat(32),
            "%00",
            "%FF",
            &"é".repeat(16),
            &"0".repeat(4000),
        ] {
            let answer = world.get(token, &format!("{path}?cursor={cursor}")).await;
            assert_eq!(answer.problem(), "cursor-invalid", "{path} {cursor}");
        }
        let unknown = world.get(token, &format!("{path}?page=2")).await;
        assert_eq!(unknown.body["errors"][0]["pointer"], "/page", "{path}");
    }
    // A cursor is good for its own list.
    let page = world.get(&aero, "/v1/partners?limit=1").await.ok();
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let other = world
        .get(&aero, &format!("/v1/currencies?cursor={cursor}"))
        .await;
    assert_eq!(other.problem(), "cursor-invalid");

    for path in [
        "/v1/awards",
        "/v1/redemptions",
        "/v1/holds",
        "/v1/reversals",
        "/v1/conversions",
    ] {
        for (query, pointer) in [
            ("", ""),
            ("?reference=", "/reference"),
            ("?reference=%00", "/reference"),
            ("?reference=%FF", "/reference"),
            ("?reference=%20a", "/reference"),
            ("?reference=a&more=1", "/more"),
        ] {
            let answer = world.get(&aero, &format!("{path}{query}")).await;
            assert_eq!(answer.problem(), "invalid-field", "{path}{query}");
            assert_eq!(
                answer.body["errors"][0]["pointer"], pointer,
                "{path}{query}"
            );
        }
    }
    for path in ["/v1/trial-balance", "/v1/reports/positions"] {
        let unknown = world.get(&finance, &format!("{path}?windows=1")).await;
        assert_eq!(unknown.body["errors"][0]["pointer"], "/windows");
        for id in ["", "x", "win_0000000000000000", "%00"] {
            let answer = world.get(&finance, &format!("{path}?window={id}")).await;
            assert_eq!(answer.problem(), "not-found", "{path} {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_another_kind_and_made_up_ids_are_not_there() {
    let world = World::new().await;
    let (aero, operator) = (world.token("AERO").await, world.sign_in("olivia").await);
    let finance = world.sign_in("fiona").await;
    let award = world.award(&world.member().await, "5", "MILE").await;
    let member: Member = world.member().await;
    let before = everything(&world).await;
    let ids = [
        award["id"].as_str().expect("an id"),
        &award["id"].as_str().expect("an id").replace("awd", "red"),
        &member.id.replace("mem", "wal"),
        &member.id.to_uppercase(),
        "x",
        "%00",
        "%FF",
        "%F0%A0%AE%B7",
        "..%2f..",
        "mem_0000000000000000",
        "card_ffffffffffffffff",
        "0",
        "-1",
        "9223372036854775808",
        &"9".repeat(3000),
    ];
    for one in operations() {
        let Some((start, rest)) = one.path.split_once('{') else {
            continue;
        };
        if one.path.starts_with("/problems") || one.path.starts_with("/docs") {
            continue;
        }
        let tail = rest.split_once('}').expect("a parameter").1;
        let tail = tail.replace("{credential}", "crd_0000000000000000");
        let tail = tail.replace("{day}", "2026-01-01");
        let partners = one.said["security"][0]["partner"].is_array();
        let token = match one.id.as_str() {
            "closeWindow" | "approveBankAccount" | "rejectBankAccount" => &finance,
            _ if partners => &aero,
            _ => &operator,
        };
        for id in ids {
            let own = one.id == "readAward" && id == award["id"];
            let path = format!("{start}{id}{tail}");
            let body = match one.id.as_str() {
                "approveRateCard" | "rejectRateCard" | "approveCampaign" | "rejectCampaign"
                | "approveAdjustment" | "rejectAdjustment" | "approveBankAccount"
                | "rejectBankAccount" => {
                    json!({"content_hash": "0".repeat(32)})
                }
                "acknowledgeCredit" => json!({"reference": "R", "credited_on": "2026-01-01"}),
                "rejectCredit" => json!({"reason": "R"}),
                "registerForCampaign" => json!({"member": "x", "currency": "MILE"}),
                "createMandatedAward" => {
                    json!({"member": "x", "amount": {"amount": "1", "currency": "MILE"}, "reason": "event"})
                }
                "setPartnerState" => json!({"state": "live"}),
                "attestClaims" => json!({"claims": {}}),
                "makeLinkToken" => json!({"partner": "BAYVIEW"}),
                "setAwardLimits" => json!({"limits": []}),
                "setLinkTerms" => json!({"cooling_off_hours": 0}),
                "setRequestLimit" => json!({"per_second": 1, "burst": 1}),
                "setPilot" => json!({"pilot": null}),
                "proposeBuyOut" => json!({"card": null}),
                "proposePartnerCap" => json!({"amount": null}),
                "proposeBankAccount" => {
                    json!({"holder": "A", "currency": "USD", "bic": "HSBCHKHH", "account_number": "1"})
                }
                "approvePartnerCap"
                | "rejectPartnerCap"
                | "approvePartnerState"
                | "rejectPartnerState"
                | "approveMandate"
                | "rejectMandate"
                | "approvePilot"
                | "rejectPilot"
                | "approveBuyOut"
                | "rejectBuyOut"
                | "approvePerson"
                | "rejectPerson"
                | "approveImportUndo"
                | "rejectImportUndo" => json!({"content_hash": "00"}),
                "proposeImportUndo" => json!({"spent": "owed_by_members"}),
                "changeRole" => json!({"role": "auditor"}),
                "certifyPartner" => json!({"checks": [{"name": "a", "passed": true}]}),
                "createCredential" => json!({"scopes": ["ledger:read"]}),
                "changeWebhookEndpoint" => json!({"url": "https://example.com/"}),
                "redeliverEvents" => json!({"dead": true}),
                "finishImport" => json!({"lines": 1}),
                _ => json!({}),
            };
            let mut request = world
                .request(one.method.clone(), &path)
                .bearer_auth(token)
                .header("idempotency-key", "k");
            if one.method != Method::GET {
                request = request.json(&body);
            }
            let answer = send(request).await;
            if !own {
                let code = answer.problem();
                assert!(
                    matches!(code, "not-found" | "route-unknown" | "not-a-sandbox"),
                    "{} {path}: {}",
                    one.id,
                    answer.body
                );
            }
        }
    }
    assert_eq!(everything(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_kept_as_given_or_refused() {
    let world = World::new().await;
    let operator = world.sign_in("olivia").await;
    let admit = async |code: String, name: &str| {
        let body =
            json!({"code": code, "name": name, "kind": "bank", "money": "USD", "zone": "UTC"});
        world.post(&operator, "/v1/partners", body).await
    };
    for (nth, name) in [
        "𠮷野家",
        "عربي",
        "خانه\u{200c}ها",
        "👨\u{200d}👩\u{200d}👧 1",
        "O'Brien; drop table partners --",
        "<script>1</script>",
        "=1+1",
        "Cafe\u{301}",
    ]
    .into_iter()
    .enumerate()
    {
        let kept = admit(format!("KEPT{nth}"), name).await.ok();
        let composed = name.replace("e\u{301}", "\u{e9}");
        assert_eq!(kept["name"], composed);
        let path = format!("/v1/partners/{}", kept["id"].as_str().expect("an id"));
        assert_eq!(world.get(&operator, &path).await.ok()["name"], composed);
    }
    for name in [
        "",
        " ",
        "\u{200b}",
        "a\u{0}",
        "a\u{202e}b",
        "a\u{2066}b",
        "\u{feff}a",
        "a\u{2028}b",
        "a\u{7}",
        "a\u{ffff}",
        &"字".repeat(121),
    ] {
        let refused = admit("NOTKEPT".to_owned(), name).await;
        assert_eq!(refused.problem(), "invalid-field", "{name:?}");
        assert_eq!(refused.body["errors"][0]["pointer"], "/name", "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_and_tokens_take_no_nonsense() {
    let world = World::new().await;
    let body = json!({"login": "zoe", "password": "p"});
    let mut tries = misshapen(&body);
    for (place, texts) in [
        ("/login", wrong_for(&json!(""))),
        ("/password", wrong_for(&json!(""))),
    ] {
        tries.extend(texts.into_iter().map(|text| spoiled(&body, place, text)));
    }
    for body in tries {
        let request = world.request(Method::POST, "/v1/sessions");
        let request = request.header("content-type", "application/json");
        let answer = send(request.body(body.clone())).await;
        // Any text may be tried as a password; all of the same account, so some are too many.
        let code = answer.problem();
        let told = complaint(&answer);
        assert!(
            told.is_none() || code == "sign-in-failed",
            "{body}: {told:?}"
        );
    }
    for form in [
        "",
        "=",
        "&&",
        "%",
        "%00=%00",
        "grant_type=%FF",
        "grant_type=client_credentials&client_id=%00&client_secret=x",
        "client_id=a&client_id=b",
        "{}",
    ] {
        let request = world.request(Method::POST, "/oauth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = send(request.body(form)).await;
        assert!(answer.status.is_client_error(), "{form}: {}", answer.body);
        assert!(answer.body["error"].is_string(), "{form}: {}", answer.body);
        answer.problem();
    }
}
