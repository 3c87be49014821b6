//! A journal that was written in one go is as good as one that was lived.

use chrono::Duration;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use interline::clock::Timestamp;
use interline::db;
use interline::id::Kind;
use interline::ledger::awards::{Award, Place, Reason};
use interline::ledger::command::Stamp;
use interline::ledger::history::{Entry, History};
use interline::ledger::programme::Programme;
use interline::ledger::redemptions::Redemption;
use interline::points::account::Account;
use interline::web::Origin;
use interline::web::once::Claim;
use uuid::Uuid;

use crate::world::{Member, World};

/// A member's wallet of miles, and their programme.
async fn miles(world: &World, member: &Member) -> (Account, Programme) {
    let token = world.token("AERO").await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&token, &path).await.ok();
    let wallet = wallets["items"][0]["id"].as_str().unwrap();
    let wallet = world.hub.ids.read(Kind::Wallet, wallet).unwrap();
    let directories = &world.hub.directories;
    let (_, directory) = directories
        .current(&mut world.superuser().await)
        .await
        .unwrap();
    let currency = directory.currency("MILE").unwrap();
    (Account(wallet), Programme::of(&directory, currency))
}

fn stamp() -> Stamp {
    let claim = Claim {
        key_hash: Uuid::new_v4(),
        body_hash: Uuid::nil(),
    };
    Stamp {
        claim,
        principal_id: 1,
        is_confirmed: true,
        request_id: Uuid::now_v7(),
        origin: Origin::Console,
        version: None,
        reference: None,
    }
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn indexes(world: &World) -> i64 {
    let sql = "select count(*) as count from pg_indexes where tablename = 'operations'";
    let counted: Count = diesel::sql_query(sql)
        .get_result(&mut world.superuser().await)
        .await
        .unwrap();
    counted.count
}

#[tokio::test]
async fn a_journal_written_in_one_go_proves_and_goes_on() {
    let world = World::new().await;
    let (member, indexes_before) = (world.member().await, indexes(&world).await);
    let (wallet, programme) = miles(&world, &member).await;
    let award = |amount| {
        let (programme, reason) = (programme.clone(), Reason::Purchase);
        let place = Place::default();
        Entry::new(
            Award {
                wallet,
                amount,
                imported: None,
                usable_from: None,
                programme,
                reason,
                place,
                at: interline::clock::Timestamp::default(),
            },
            stamp(),
        )
    };
    let redemption = |amount| {
        let programme = programme.clone();
        let place = Place::default();
        Entry::new(
            Redemption {
                wallet,
                amount,
                programme,
                place,
            },
            stamp(),
        )
    };
    let now: Timestamp = db::now(&mut world.superuser().await).await.unwrap();

    let mut history = History::begin(&world.url).await.unwrap();
    let first = vec![award(1_000), award(500), redemption(1_501), redemption(200)];
    let first = history
        .group(first, now - Duration::days(40))
        .await
        .unwrap();
    let second = vec![redemption(301), award(1)];
    let second = history
        .group(second, now - Duration::days(1))
        .await
        .unwrap();
    let nothing = history.group(vec![redemption(5_000)], now).await.unwrap();
    history.finish().await.unwrap();

    assert_eq!(
        (first, second, nothing),
        (3, 2, 0),
        "what is refused leaves no trace"
    );
    assert_eq!(world.balance(&member, "MILE").await, "1000");
    World::assert_right(&world.verify().await);
    assert_eq!(indexes(&world).await, indexes_before);

    world.award(&member, "10", "MILE").await;

    assert_eq!(world.balance(&member, "MILE").await, "1010");
    let report = world.verify().await;
    World::assert_right(&report);
}
