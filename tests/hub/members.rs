//! Members: enrolled, linked, listed.

use diesel_async::AsyncConnection;
use interline::db::{self, Connection};
use interline::id::Kind;
use interline::members::{self, Enrolment};
use interline::web::text::Number;
use serde_json::json;

use crate::office::{MEMBERS, Office, code};
use crate::world::send;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_linked_by_what_the_member_carries() {
    let world = Office::open().await;
    let (aero, bay) = (
        world.partner("ALPHA", "ALF").await,
        world.partner("BRAVO", "BRA").await,
    );
    let (at_aero, at_bay) = (
        world.token(&aero, MEMBERS).await,
        world.token(&bay, MEMBERS).await,
    );
    let member = world
        .post(&at_aero, "/v1/members", json!({"number": "A-1"}))
        .await;
    assert_eq!(member.status.as_u16(), 201, "{}", member.body);
    let id = member.body["id"].as_str().unwrap().to_owned();

    assert_eq!(
        code(
            &world
                .post(&at_aero, "/v1/members", json!({"number": "A-1"}))
                .await
        ),
        "number-taken"
    );
    for number in ["", "a b", "\u{0}", "１"] {
        assert_eq!(
            world
                .post(&at_aero, "/v1/members", json!({ "number": number }))
                .await
                .status
                .as_u16(),
            400
        );
    }
    let path = format!("/v1/members/{id}");
    assert_eq!(world.get(&at_aero, &path).await.body, member.body);
    assert_eq!(world.get(&at_bay, &path).await.status.as_u16(), 404);
    assert_eq!(
        world
            .get(&at_bay, "/v1/members/mem_0000000000000000")
            .await
            .status
            .as_u16(),
        404
    );
    assert_eq!(
        world.get(&at_bay, "/v1/members?number=A-1").await.body["items"],
        json!([])
    );
    assert_eq!(
        world.get(&at_aero, "/v1/members?number=A-1").await.body["items"][0]["id"],
        id
    );
    assert_eq!(
        world
            .get(&at_aero, "/v1/members?number=%00")
            .await
            .status
            .as_u16(),
        400
    );

    let link = format!("{path}/link-tokens");
    let send = |token: String| {
        let (world, link) = (&world, &link);
        async move {
            send(
                world
                    .http
                    .post(format!("{}{link}", world.base_url))
                    .json(&json!({"partner": "BRAVO"}))
                    .bearer_auth(token),
            )
            .await
        }
    };
    assert_eq!(send(at_bay.clone()).await.status.as_u16(), 404);
    let made = send(at_aero.clone()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.body);
    let token = made.body["link_token"].clone();

    assert_eq!(
        world
            .get(token.as_str().unwrap(), "/v1/members")
            .await
            .status
            .as_u16(),
        401,
        "a link is no access token"
    );
    assert_eq!(
        code(
            &world
                .post(
                    &at_bay,
                    "/v1/memberships",
                    json!({"link_token": at_aero, "number": "B-1"})
                )
                .await
        ),
        "link-invalid"
    );
    let linked = world
        .post(
            &at_bay,
            "/v1/memberships",
            json!({"link_token": token, "number": "B-1"}),
        )
        .await;
    assert_eq!(
        (
            linked.status.as_u16(),
            &linked.body["id"],
            &linked.body["number"]
        ),
        (201, &json!(id), &json!("B-1")),
        "{}",
        linked.body
    );
    let again = send(at_aero.clone()).await.body["link_token"].clone();
    for (token, refusal) in [(&token, "link-used"), (&again, "already-member")] {
        let body = json!({"link_token": token, "number": "B-2"});
        let refused = world.post(&at_bay, "/v1/memberships", body).await;
        assert_eq!(code(&refused), refusal);
    }

    // Wallets: one at each, and one in a later currency when it is needed.
    let internal = world.internal(Kind::Member, &id);
    world.currency(&aero, "ALFGOLD").await;
    let mut conn = world.conn().await;
    let (alf, bra, gold) = (
        world.asset("ALF").await,
        world.asset("BRA").await,
        world.asset("ALFGOLD").await,
    );
    for (no, opened) in [(alf, true), (bra, true), (gold, false)] {
        assert_eq!(
            members::wallet_of(&mut conn, internal, no)
                .await
                .unwrap()
                .is_some(),
            opened,
            "{no}"
        );
    }
    let open = async || {
        let mut conn = world.hub.pool.get().await.unwrap();
        db::transaction(&mut conn, async |conn| {
            members::wallet(conn, internal, gold).await
        })
        .await
        .unwrap()
    };
    let (one, other) = tokio::join!(open(), open());
    assert!(one.is_some() && one == other, "{one:?} {other:?}");
    let only_bay = members::enrol(
        &mut conn,
        &world.operator,
        world.internal(Kind::Partner, &bay),
        &Number::try_from("B-9".to_owned()).unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(
        members::wallet(&mut conn, only_bay.member, gold)
            .await
            .unwrap(),
        None
    );

    let mut owner = Connection::establish(world.url.as_str()).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::minutes(11))
        .await
        .unwrap();
    let late = world
        .post(
            &at_bay,
            "/v1/memberships",
            json!({"link_token": token, "number": "B-3"}),
        )
        .await;
    assert_eq!((late.status.as_u16(), code(&late)), (410, "link-expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_members_are_enrolled_at_once_and_listed_in_pages() {
    let world = Office::open().await;
    let mut partners = Vec::new();
    for code in ["AA", "BB", "CC", "DD", "EE"] {
        partners.push(world.partner(code, code).await);
    }
    let token = world.token(&partners[0], MEMBERS).await;
    let person = |n: usize| Enrolment {
        memberships: partners
            .iter()
            .map(|p| {
                (
                    world.internal(Kind::Partner, p),
                    Number::try_from(format!("N{n}")).unwrap(),
                )
            })
            .collect(),
    };
    let people: Vec<Enrolment> = (0..2_000).map(person).collect();
    let mut conn = world.conn().await;
    let mut ids = Vec::new();
    for crowd in people.chunks(members::MOST / partners.len()) {
        let enrolled = db::transaction(&mut conn, async |conn| {
            members::enrol_many(conn, &world.operator, crowd).await
        });
        ids.extend(enrolled.await.unwrap());
    }
    assert_eq!(ids.len(), 2_000);
    assert!(
        members::is_member_of(
            &mut conn,
            ids[1_999],
            world.internal(Kind::Partner, &partners[4])
        )
        .await
        .unwrap()
    );
    let first = world.asset("AA").await;
    let owners: Vec<(i64, i16)> = ids
        .iter()
        .flat_map(|id| (first..first + 5).map(|no| (*id, no)))
        .collect();
    assert_eq!(
        members::wallets_of(&mut conn, &owners).await.unwrap().len(),
        10_000
    );

    let (mut seen, mut path) = (0, "/v1/members?limit=200".to_owned());
    loop {
        let page = world.get(&token, &path).await.body;
        seen += page["items"].as_array().unwrap().len();
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/members?limit=200&cursor={next}");
    }
    assert_eq!(seen, 2_000);
}
