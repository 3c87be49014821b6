//! More requests than a hub works on at once.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use interline::db::GATE_LOCK;
use interline::web::Crowd;
use serde_json::json;

use crate::world::World;

const MOST: usize = 5;

/// A world whose hub works on few requests at once.
async fn narrow() -> World {
    let mut world = World::new().await;
    world.hub.crowd = Data::new(Crowd::of(MOST));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    world.base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(world.hub.serve(listener).unwrap());
    world
}

#[tokio::test]
async fn who_comes_when_the_hub_is_full_is_turned_away_at_once_and_nobody_else() {
    let world = Arc::new(narrow().await);
    let member = world.member().await;
    let token = world.token("AERO").await;
    let mut gate = world.superuser().await;
    let lock = format!("select pg_advisory_lock({GATE_LOCK})");
    gate.batch_execute(&lock).await.unwrap();

    let body = json!({"member": member.id, "amount": {"amount": "1", "currency": "MILE"}, "reason": "purchase"});
    let awards = (0..MOST).map(|_| {
        let (world, token, body) = (world.clone(), token.clone(), body.clone());
        tokio::spawn(async move { world.post(&token, "/v1/awards", body).await })
    });
    let awards: Vec<_> = awards.collect();
    while world.hub.crowd.inside() < MOST {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let turned_away = world.post(&token, "/v1/awards", body.clone()).await;
    let health = world.get(&token, "/healthz").await;

    assert_eq!(turned_away.problem(), "too-busy");
    assert_eq!(turned_away.status, 503);
    assert_eq!(turned_away.headers["retry-after"], "1");
    let connection = turned_away.headers.get("connection");
    assert_eq!(connection, None, "the connection can be used again");
    assert_eq!(health.ok()["status"], "ok");
    let unlock = format!("select pg_advisory_unlock({GATE_LOCK})");
    gate.batch_execute(&unlock).await.unwrap();
    for award in join_all(awards).await {
        award.unwrap().ok();
    }
    assert_eq!(world.balance(&member, "MILE").await, MOST.to_string());
    world.post(&token, "/v1/awards", body).await.ok();
    World::assert_right(&world.verify().await);
}
