//! Partners and their currencies: admitted once, from input that is looked at.

use serde_json::json;

use crate::office::{Office, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_done_once_per_key() {
    let world = Office::open().await;
    let body = r#"{"code":"ALPHA","name":"Aero","name_zh":"航翼航空","kind":"airline","money":"USD","zone":"Asia/Hong_Kong"}"#;
    let admit =
        |body: &'static str| world.post_keyed(&world.operator_token, "/v1/partners", "one", body);
    let (first, second) = tokio::join!(admit(body), admit(body));
    assert_eq!(
        (first.status.as_u16(), second.status.as_u16()),
        (201, 201),
        "{} {}",
        first.body,
        second.body
    );
    assert_eq!(first.body, second.body);
    assert_eq!(
        code(
            &admit(r#"{"code":"BAYV","name":"B","kind":"hotel","money":"USD","zone":"UTC"}"#).await
        ),
        "idempotency-key-reused"
    );
    let taken = world
        .post_keyed(&world.operator_token, "/v1/partners", "two", body)
        .await;
    assert_eq!((taken.status.as_u16(), code(&taken)), (409, "code-taken"));
    let listed = world.get(&world.operator_token, "/v1/partners").await;
    let listed = listed.body["items"].as_array().unwrap();
    let alphas: Vec<_> = listed
        .iter()
        .filter(|partner| partner["code"] == "ALPHA")
        .collect();
    assert_eq!(alphas.len(), 1);
    assert_eq!(alphas[0]["name_zh"], "航翼航空");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_by_field() {
    let world = Office::open().await;
    let aero = world.partner("ALPHA", "ALF").await;
    let good =
        json!({"code": "BAYV", "name": "Bay", "kind": "hotel", "money": "USD", "zone": "UTC"});
    for (field, value) in [
        ("code", json!("bay")),
        ("name", json!("")),
        ("name", json!("a\u{0}")),
        ("name", json!(7)),
        ("kind", json!("No")),
        ("money", json!("ZZZ")),
        ("money", json!("\u{0}")),
        ("zone", json!("Mars/Base")),
        ("more", json!(1)),
        ("name", json!("\u{202e}x")),
        ("name", json!(null)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = world
            .post(&world.operator_token, "/v1/partners", body)
            .await;
        assert_eq!(answer.status.as_u16(), 400, "{field} {}", answer.body);
        assert_eq!(
            answer.body["errors"][0]["pointer"],
            format!("/{field}"),
            "{}",
            answer.body
        );
    }
    let lone = world
        .post_keyed(
            &world.operator_token,
            "/v1/partners",
            "k",
            r#"{"code":"BAYV","name":"\ud800"}"#,
        )
        .await;
    assert_eq!(lone.status.as_u16(), 400, "{}", lone.body);

    let good = json!({"code": "PTS", "name": "Points", "scale": 0, "issuer": aero, "expiry": {"policy": "none"}, "display_value": "1"});
    for (field, value, pointer) in [
        ("scale", json!(5), "/scale"),
        ("scale", json!(-1), "/scale"),
        ("scale", json!(1.5), "/scale"),
        ("issuer", json!("ptr_0000000000000000"), "/issuer"),
        ("display_value", json!(1), "/display_value"),
        (
            "expiry",
            json!({"policy": "rolling", "months": 0}),
            "/expiry/months",
        ),
        ("expiry", json!({"policy": "never"}), "/expiry/policy"),
        (
            "expiry",
            json!({"policy": "fixed", "on": "2001-01-01"}),
            "/expiry/on",
        ),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = world
            .post(&world.operator_token, "/v1/currencies", body)
            .await;
        assert_eq!(answer.status.as_u16(), 400, "{field} {}", answer.body);
        let told = answer.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with(told), "{pointer} {}", answer.body);
    }
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?cursor=00",
        "?page=1",
    ] {
        assert_eq!(
            world
                .get(&world.operator_token, &format!("/v1/partners{query}"))
                .await
                .status
                .as_u16(),
            400,
            "{query}"
        );
    }
    let suspended = world
        .post(
            &world.operator_token,
            &format!("/v1/partners/{aero}/status"),
            json!({"state": "suspended"}),
        )
        .await;
    assert_eq!(
        (suspended.status.as_u16(), &suspended.body["state"]),
        (200, &json!("suspended"))
    );
    assert_eq!(
        world
            .get(&world.operator_token, &format!("/v1/partners/{aero}"))
            .await
            .body["state"],
        "suspended"
    );
    assert_eq!(
        world
            .get(&world.operator_token, "/v1/currencies/ALF")
            .await
            .body["display_money"],
        "USD"
    );
    assert_eq!(
        world
            .get(&world.operator_token, "/v1/currencies/%00")
            .await
            .status
            .as_u16(),
        404
    );
}
