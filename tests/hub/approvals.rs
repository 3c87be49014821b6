//! Approvals: the word of every party, and a second person.

use diesel_async::AsyncConnection;
use diesel_async::RunQueryDsl;
use interline::access::{self, Role, Who};
use interline::approvals::{self, PartyName, Subject, Verdict};
use interline::db::{self, Connection};
use interline::error::Error;
use interline::id::Kind;
use serde_json::json;

use crate::office::{Office, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_needs_every_party_and_a_second_person() {
    let world = Office::open().await;
    let (aero, bay) = (
        world.partner("ALPHA", "ALF").await,
        world.partner("BRAVO", "BRA").await,
    );
    let (at_bay, at_aero) = (
        world.token(&bay, &["rates:write"]).await,
        world.token(&aero, &["rates:write"]).await,
    );
    let citymart = world.partner("CHARLIE", "CHA").await;
    let at_city = world.token(&citymart, &["rates:write"]).await;
    let fin = access::people::create(
        &mut *world.conn().await,
        "fin",
        "Fin",
        Role::Finance,
        PASSWORD,
    )
    .await
    .unwrap();
    let fin = Who::at_the_console(fin, Role::Finance);
    let (a, b) = (
        world.internal(Kind::Partner, &aero),
        world.internal(Kind::Partner, &bay),
    );
    let partner = |id, principal| Who {
        principal,
        party: access::Party::Partner(id),
        ..world.operator.clone()
    };
    let subject = Subject {
        kind: "rate_card",
        id: 1,
        shown: "card_1".into(),
    };
    let parties = [PartyName::Partner(a), PartyName::Partner(b), PartyName::Hub];

    let mut conn = world.conn().await;
    let before = changes_of_approvals(&mut conn).await;
    let of = ("rate_card", 1);
    let open = async |conn: &mut Connection, who: &Who| {
        db::transaction(conn, async |conn| {
            approvals::open(conn, who, &subject, b"hash", &parties).await
        })
        .await
    };
    let say = async |conn: &mut Connection, who: &Who, hash: &[u8], verdict| {
        db::transaction(conn, async |conn| {
            approvals::decide(conn, who, of, hash, verdict).await
        })
        .await
    };
    let slug = |result: Result<_, Error>| match result {
        Err(Error::Refused(problem)) => problem.slug.entry().slug,
        other => panic!("{:?}", other.map(|_: approvals::Decision| ())),
    };

    let id = open(&mut conn, &partner(a, 901)).await.unwrap();
    assert!(
        matches!(open(&mut conn, &partner(a, 901)).await, Err(Error::Refused(problem)) if problem.slug.entry().slug == "approval-open")
    );
    let yes = Verdict::Approved;
    assert_eq!(
        slug(say(&mut conn, &partner(a, 902), b"hash", yes).await),
        "maker-is-checker"
    );
    assert_eq!(
        slug(say(&mut conn, &partner(b, 903), b"other", yes).await),
        "approval-changed"
    );
    assert_eq!(
        slug(say(&mut conn, &partner(99, 904), b"hash", yes).await),
        "not-found"
    );
    assert!(
        !say(&mut conn, &partner(b, 903), b"hash", yes)
            .await
            .unwrap()
            .complete
    );

    let shown = world.hub.ids.show(Kind::Approval, id);
    assert_eq!(
        world.get(&at_bay, "/v1/approvals").await.body["items"][0]["id"],
        shown
    );
    assert_eq!(
        world.get(&at_city, "/v1/approvals").await.body["items"],
        json!([])
    );
    assert_eq!(
        world
            .get(&at_city, &format!("/v1/approvals/{shown}"))
            .await
            .status
            .as_u16(),
        404
    );
    let seen = world
        .get(&at_aero, &format!("/v1/approvals/{shown}"))
        .await
        .body;
    assert_eq!(
        (
            &seen["content_hash"],
            seen["decisions"].as_array().unwrap().len()
        ),
        (&json!("68617368"), 2),
        "{seen}"
    );

    // Two of the hub at once: one word counts, and it completes.
    let (mut one, mut two) = (
        world.hub.pool.get().await.unwrap(),
        world.hub.pool.get().await.unwrap(),
    );
    let (first, second) = tokio::join!(
        say(&mut one, &world.operator, b"hash", yes),
        say(&mut two, &fin, b"hash", yes)
    );
    let complete = [&first, &second]
        .iter()
        .filter(|said| said.as_ref().is_ok_and(|decision| decision.complete))
        .count();
    assert_eq!(complete, 1, "{first:?} {second:?}");
    assert_eq!(
        slug(say(&mut conn, &fin, b"hash", yes).await),
        "approval-closed"
    );
    assert_eq!(
        world.get(&at_bay, "/v1/approvals").await.body["items"],
        json!([])
    );

    // Made by the hub: its word needs another person. And time runs out.
    open(&mut conn, &world.operator).await.unwrap();
    assert_eq!(
        slug(say(&mut conn, &world.operator, b"hash", yes).await),
        "maker-is-checker"
    );
    assert!(!say(&mut conn, &fin, b"hash", yes).await.unwrap().complete);
    let mut owner = Connection::establish(world.url.as_str()).await.unwrap();
    db::turn_clock_forward(&mut owner, chrono::Duration::days(15))
        .await
        .unwrap();
    assert_eq!(
        slug(say(&mut conn, &partner(a, 901), b"hash", yes).await),
        "approval-expired"
    );
    open(&mut conn, &fin).await.unwrap();
    assert!(
        say(&mut conn, &world.operator, b"hash", Verdict::Rejected)
            .await
            .unwrap()
            .rejected
    );
    assert!(!approvals::cancel(&mut conn, &fin, of).await.unwrap());
    let changes = changes_of_approvals(&mut conn).await - before;
    // Three were made; they were approved, expired and rejected.
    assert_eq!(changes, 6);
}

/// How many rows the audit trail has about approvals.
async fn changes_of_approvals(conn: &mut Connection) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let changes: Count = diesel::sql_query("select count(*) from audit where subject = 'approval'")
        .get_result(conn)
        .await
        .unwrap();
    changes.count
}
