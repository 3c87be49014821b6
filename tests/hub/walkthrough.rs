//! The walk of one conversion: what the README shows and the demo does.

use crate::world::World;
use interline::demo::walk;

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_gives_the_figures_of_the_worked_month_and_the_books_prove_right() {
    let world = World::new().await;

    let walked = walk::walk(&world.credentials, false).await.expect("a walk");

    let gained = |name: &str| walked["conversions"][name]["gains"].clone();
    insta::assert_json_snapshot!([gained("C1"), gained("C2"), gained("C3")], @"");
    insta::assert_json_snapshot!(walked["positions"], @"");
    World::assert_right(&world.verify().await);
}
