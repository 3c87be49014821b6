//! A database that was made by other migrations is refused by name, before anything is asked of it.

use diesel_async::SimpleAsyncConnection;
use interline::db;

use crate::sql;
use crate::world::World;

const COUNT: &str = "select count(*)::int from schema_fingerprints";

async fn refusal(world: &World, change: &str) -> String {
    let mut owner = world.superuser().await;
    owner.batch_execute(change).await.expect("a change");
    let refused = db::migrate(&world.url).await;
    refused.expect_err("another schema").to_string()
}

#[tokio::test]
async fn the_schema_of_another_version_is_refused_by_name() {
    let world = World::new().await;
    let of_the_ledger =
        "update schema_fingerprints set fingerprint = 'other' where version = '00000000000006'";

    let said = refusal(&world, of_the_ledger).await;
    assert!(said.contains("migration 00000000000006_ledger"), "{said}");
    assert!(
        said.contains("choose a new --data-dir, or drop the database"),
        "{said}"
    );
}

#[tokio::test]
async fn a_schema_from_before_there_were_fingerprints_is_refused() {
    let world = World::new().await;

    let said = refusal(&world, "drop table schema_fingerprints").await;
    assert!(said.contains("migration 00000000000001_hub"), "{said}");
}

#[tokio::test]
async fn a_schema_of_a_newer_hub_is_let_be() {
    let world = World::new().await;
    let before = sql::number(&world.url, COUNT).await;
    let newer = "insert into __diesel_schema_migrations (version) values ('99999999999999')";

    let mut owner = world.superuser().await;
    owner.batch_execute(newer).await.expect("a change");

    assert_eq!(db::migrate(&world.url).await.expect("our schema"), 0);
    assert_eq!(sql::number(&world.url, COUNT).await, before);
}
