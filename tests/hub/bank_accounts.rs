//! Bank accounts: nobody says alone where a partner is paid.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, World};

fn path(world: &World, brand: &str) -> String {
    let partner = world.credentials.partner(brand).expect(brand);
    format!("/v1/partners/{}/bank-account", partner.id)
}

fn account(number: &str) -> Value {
    json!({"holder": "Aero & 航翼 Limited", "currency": "USD", "bic": "HSBCHKHH", "account_number": number})
}

async fn step(world: &World, who: &str, step: &str, body: Value) -> Answer {
    let path = format!("{}/{step}", path(world, "AERO"));
    world.post(who, &path, body).await
}

fn hash(proposed: &Value) -> Value {
    json!({"content_hash": proposed["proposed"]["content_hash"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_account_needs_two_people_and_one_of_them_of_finance() {
    let world = World::new().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let (fiona, felix) = (world.sign_in("fiona").await, world.sign_in("felix").await);
    let path = path(&world, "AERO");
    let nothing = world.get(&aero, &path).await.ok();
    assert_eq!(
        (&nothing["account"], &nothing["proposed"]),
        (&Value::Null, &Value::Null)
    );

    // The partner proposes, finance agrees.
    let proposed = step(&world, &aero, "propose", account("012-345678-001"))
        .await
        .ok();
    assert_eq!(proposed["account"], Value::Null, "nothing changed yet");
    assert_eq!(
        step(&world, &aero, "approve", hash(&proposed))
            .await
            .problem(),
        "forbidden"
    );
    let agreed = step(&world, &fiona, "approve", hash(&proposed)).await.ok();
    assert_eq!(agreed["account"]["account_number"], "012-345678-001");
    assert_eq!(agreed["account"]["holder"], "Aero & 航翼 Limited");
    assert_eq!(agreed["proposed"], Value::Null);

    // Finance proposes: not the same person, not another content.
    let other = step(&world, &fiona, "propose", account("012-345678-999"))
        .await
        .ok();
    let twice = step(&world, &felix, "propose", account("1")).await;
    assert_eq!(twice.problem(), "approval-open");
    assert_eq!(
        step(&world, &fiona, "approve", hash(&other))
            .await
            .problem(),
        "maker-is-checker"
    );
    let wrong = json!({"content_hash": "00".repeat(32)});
    assert_eq!(
        step(&world, &felix, "approve", wrong).await.problem(),
        "approval-changed"
    );
    let olivia = world.sign_in("olivia").await;
    assert_eq!(
        step(&world, &olivia, "approve", hash(&other))
            .await
            .problem(),
        "forbidden"
    );
    let (one, two) = (hash(&other), hash(&other));
    let both = [
        step(&world, &felix, "approve", one),
        step(&world, &felix, "approve", two),
    ];
    let done = join_all(both).await;
    assert_eq!(done.iter().filter(|it| it.status.is_success()).count(), 1);
    let now = world.get(&aero, &path).await.ok();
    assert_eq!(now["account"]["account_number"], "012-345678-999");

    // The partner sees what is proposed for it, and takes it back.
    let third = step(&world, &fiona, "propose", account("666")).await.ok();
    assert_eq!(
        world.get(&aero, &path).await.ok()["proposed"]["account"]["account_number"],
        "666"
    );
    step(&world, &aero, "withdraw", json!({})).await.ok();
    assert_eq!(
        step(&world, &felix, "approve", hash(&third))
            .await
            .problem(),
        "approval-closed"
    );
    assert_eq!(
        step(&world, &aero, "withdraw", json!({})).await.problem(),
        "approval-closed"
    );
    let fourth = step(&world, &aero, "propose", account("777")).await.ok();
    let rejected = step(&world, &felix, "reject", hash(&fourth)).await.ok();
    assert_eq!(rejected["account"]["account_number"], "012-345678-999");

    assert_eq!(world.get(&bayview, &path).await.problem(), "not-found");
    let foreign = world
        .post(&bayview, &format!("{path}/propose"), account("1"))
        .await;
    assert_eq!(foreign.problem(), "not-found");

    // The trail tells accounts apart and holds none.
    let told = "select count(*) from audit where subject = 'bank_account' and after like '%...%'";
    assert_eq!(sql::number(&world.url, told).await, 8);
    let whole =
        "select count(*) from audit where after like '%012-345678%' or before like '%012-345678%'";
    assert_eq!(sql::number(&world.url, whole).await, 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_account_that_no_bank_takes_is_refused_by_its_field() {
    let world = World::new().await;
    let aero = world.token("AERO").await;
    let right = account("012-345678-001");
    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body[field] = value;
        body
    };
    let mut iban = with("iban", json!("GB82 WEST 1234 5698 7654 32"));
    for (body, pointer) in [
        (with("currency", json!("HKD")), "/currency"),
        (with("bic", json!("hsbchkhh")), "/bic"),
        (with("holder", json!("\u{202e}oreA")), "/holder"),
        (with("account_number", json!("12 34")), "/account_number"),
        (with("account_number", Value::Null), "/iban"),
        (iban.clone(), "/account_number"),
    ] {
        let refused = step(&world, &aero, "propose", body).await;
        assert_eq!(refused.problem(), "invalid-field");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    iban.as_object_mut()
        .expect("an object")
        .remove("account_number");
    let proposed = step(&world, &aero, "propose", iban.clone()).await.ok();
    assert_eq!(
        proposed["proposed"]["account"]["iban"],
        "GB82WEST12345698765432"
    );
    iban["iban"] = json!("GB83WEST12345698765432");
    let refused = step(&world, &aero, "propose", iban).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/iban");
}
