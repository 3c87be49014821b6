//! Claims: what a partner attests about its own member, and who learns of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, Member, World, send};

fn path(member: &Member) -> String {
    format!("/v1/members/{}/claims", member.id)
}

async fn put(world: &World, partner: &str, member: &Member, claims: Value) -> Answer {
    let body = json!({"claims": claims});
    world
        .put(&world.token(partner).await, &path(member), body)
        .await
}

async fn read(world: &World, partner: &str, member: &Member) -> Answer {
    world.get(&world.token(partner).await, &path(member)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_reads_what_it_attests_and_nothing_of_anothers() {
    let world = World::new().await;
    let member = world.member().await;
    assert_eq!(
        read(&world, "AERO", &member).await.ok(),
        json!({"claims": {}})
    );

    let claims = json!({"tier": {"value": "gold", "valid_until": "2027-01-01T00:00:00Z"}, "card": {"value": "白金卡"}});
    let answer = put(&world, "AERO", &member, claims.clone()).await.ok();
    assert_eq!(answer, json!({"member": member.id, "attested": 2}));
    assert_eq!(
        read(&world, "AERO", &member).await.ok(),
        json!({"claims": claims})
    );
    assert_eq!(
        read(&world, "BAYVIEW", &member).await.ok(),
        json!({"claims": {}})
    );
    for answer in [
        read(&world, "KWUN", &member).await,
        put(&world, "KWUN", &member, claims).await,
    ] {
        assert_eq!(answer.problem(), "not-found", "no member of theirs");
    }

    put(&world, "AERO", &member, json!({"tier": {"value": "ruby"}}))
        .await
        .ok();
    let kept = read(&world, "AERO", &member).await.ok();
    assert_eq!(
        kept,
        json!({"claims": {"tier": {"value": "ruby"}}}),
        "the whole set is replaced"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_kept_in_one_row_and_nowhere_else() {
    let world = World::new().await;
    let member = world.member().await;
    let (aero, key) = (world.token("AERO").await, "attest-1");
    let attest = || {
        let request = world
            .request(Method::PUT, &path(&member))
            .bearer_auth(&aero);
        let body = json!({"claims": {"tier": {"value": "chrysoberyl"}}});
        send(request.header("idempotency-key", key).json(&body))
    };
    let first = attest().await.ok();
    assert_eq!(attest().await.ok(), first, "the same again");

    let places = "select count(*) from pg_tables t cross join lateral ( \
          select query_to_xml(format('select * from public.%I x where x::text like ''%%chrysoberyl%%''', t.tablename), \
                              false, true, '')::text as found) f \
         where t.schemaname = 'public' and t.tablename <> 'memberships' and f.found <> ''";
    assert_eq!(sql::number(&world.url, places).await, 0);
    let here = "select count(*) from memberships where claims::text like '%chrysoberyl%'";
    assert_eq!(sql::number(&world.url, here).await, 1);
    let audited =
        "select count(*) from audit where subject = 'membership' and after = 'claims attested'";
    assert_eq!(sql::number(&world.url, audited).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_claim_is_named() {
    let world = World::new().await;
    let member = world.member().await;
    let cases = [
        (json!({"Tier": {"value": "gold"}}), "/claims/Tier"),
        (json!({"tier": {"value": ""}}), "/claims/tier/value"),
        (
            json!({"tier": {"value": "x".repeat(61)}}),
            "/claims/tier/value",
        ),
        (json!({"tier": ["gold"]}), "/claims/tier"),
        (
            json!({"tier": {"value": "gold", "until": "2027"}}),
            "/claims/tier/until",
        ),
        (
            json!({"tier": {"value": "gold", "valid_until": "2027"}}),
            "/claims/tier/valid_until",
        ),
        (
            json!({"tier": {"value": "gold", "valid_until": "9999-01-01T00:00:00Z"}}),
            "/claims/tier/valid_until",
        ),
        (json!([]), "/claims"),
    ];
    for (claims, pointer) in cases {
        let refused = put(&world, "AERO", &member, claims.clone()).await;
        assert_eq!(refused.problem(), "invalid-field", "{claims}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{claims}");
    }
    assert_eq!(
        read(&world, "AERO", &member).await.ok(),
        json!({"claims": {}})
    );
}
