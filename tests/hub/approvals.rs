//! Approvals: the word of every party, and a second person.

use diesel_async::AsyncConnection;
use diesel_async::RunQueryDsl;
use interline::access::{self, Role, Who};
use interline::approvals::{self, PartyName, Subject, Verdict};
use interline::db::{self, Connection};
use interline::error::Error;
use interline::id::Kind;
use serde_json::{Value, json};

use crate::office::{Office, PASSWORD};
use crate::world::World;
use crate::{life, sql};

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
    let nothing = approvals::cancel(&mut conn, &fin, of).await.unwrap();
    assert!(nothing.is_none());
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

/// Something that two people do, over HTTP.
struct Proposed {
    subject: &'static str,
    /// Where it is read, and below which it is decided.
    of: String,
    propose: String,
    body: Value,
    /// What somebody would rather have agreed to.
    forged: Value,
    people: [String; 2],
}

/// One of each kind, and the clerk's login is the same each time.
async fn proposed(world: &World) -> [Proposed; 4] {
    let operators = [world.sign_in("olivia").await, world.sign_in("oscar").await];
    let finance = [world.sign_in("fiona").await, world.sign_in("felix").await];
    let clerk = json!({"login": "clerk", "name": "Clerk", "role": "support"});
    let clerk = world.post(&operators[0], "/v1/people", clerk).await.ok();
    let person = format!("/v1/people/{}", clerk["id"].as_str().expect("an id"));
    let cap = crate::caps::path(world, "AERO");
    let account = cap.replace("/cap", "/bank-account");
    let status = life::status(world, "AERO");
    [
        Proposed {
            subject: "person",
            propose: format!("{person}/role"),
            of: person,
            body: json!({"role": "operator"}),
            forged: json!({"role": "finance"}),
            people: operators.clone(),
        },
        Proposed {
            subject: "partner_cap",
            propose: format!("{cap}/propose"),
            of: cap,
            body: json!({"amount": {"amount": "1000", "currency": "USD"}}),
            forged: json!({"cap": null}),
            people: operators.clone(),
        },
        Proposed {
            subject: "bank_account",
            propose: format!("{account}/propose"),
            of: account,
            body: json!({"holder": "Aero Limited", "currency": "USD", "bic": "HSBCHKHH", "account_number": "1"}),
            forged: json!({"number": {"account_number": "2"}}),
            people: finance,
        },
        Proposed {
            subject: "partner_state",
            propose: status.clone(),
            of: status,
            body: json!({"state": "winding_down", "last_day": "2189-01-01"}),
            forged: json!({"last_day": "2190-01-01"}),
            people: operators,
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proposed_is_agreed_to_as_it_was_read_and_forgotten_when_it_is_decided() {
    let world = World::new().await;
    let database = sql::session(&world.url).await;
    let held = async || {
        let held = "select count(*) from approvals where proposed is not null";
        sql::number(&world.url, held).await
    };
    for Proposed {
        subject,
        of,
        propose,
        body,
        forged,
        people: [maker, checker],
    } in proposed(&world).await
    {
        let ask = async || world.post(&maker, &propose, body.clone()).await.ok();
        let decide = async |asked: &Value, step: &str| {
            let read = json!({"content_hash": asked["proposed"]["content_hash"]});
            world.post(&checker, &format!("{of}/{step}"), read).await
        };
        let withdraw = format!("{of}/withdraw");

        decide(&ask().await, "reject").await.ok();
        assert_eq!(held().await, 0, "{subject} was rejected");
        ask().await;
        assert_eq!(held().await, 1, "{subject} is proposed");
        world.post(&checker, &withdraw, json!({})).await.ok();
        assert_eq!(held().await, 0, "{subject} was withdrawn");

        // Nobody decides in time.
        let late = ask().await;
        world.forward(chrono::Duration::days(15)).await;
        let expired = world.get(&checker, &of).await.ok();
        assert_eq!(expired["proposed"], Value::Null, "{subject} has expired");
        let expired = decide(&late, "approve").await;
        assert_eq!(expired.problem(), "approval-expired", "{subject}");
        let asked = ask().await;
        assert_eq!(held().await, 1, "{subject} is proposed again");

        let forge = format!(
            "update approvals set proposed = proposed || '{forged}' where subject = '{subject}' and state = 'created'"
        );
        let kept =
            "create temp table kept as select id, proposed from approvals where state = 'created'";
        database.batch_execute(kept).await.expect(kept);
        database.batch_execute(&forge).await.expect(&forge);
        let other = decide(&asked, "approve").await;
        assert_eq!(other.problem(), "approval-changed", "{subject} was forged");
        let back = "update approvals a set proposed = k.proposed from kept k where k.id = a.id; drop table kept";
        database.batch_execute(back).await.expect(back);

        let agreed = decide(&asked, "approve").await.ok();
        assert_eq!(agreed["proposed"], Value::Null, "{subject} is so");
        assert_eq!(held().await, 0, "{subject} was approved");
    }
    World::assert_right(&world.verify().await);
}
