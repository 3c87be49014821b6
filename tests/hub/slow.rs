//! Clients that take their time: with the head of a request, with its body, with the second request on a
//! connection. They are hung up on, and nobody else notices.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use interline::web::Lines;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// A world whose hub waits for a short time only.
async fn impatient() -> World {
    let mut world = World::new().await;
    let short = Duration::from_secs(1);
    world.hub.lines = Arc::new(Lines::of(short, short));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    world.base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(world.hub.serve(listener).unwrap());
    world
}

/// What a slow client sends at once, and what it then sends a letter of at a time, for ever.
const HEAD: (&str, &str) = ("GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", "a");
const SECOND: (&str, &str) = (
    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nA: ",
    "a",
);
const REFUSED_BODY: (&str, &str) = (
    "POST /v1/awards HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{",
    " ",
);
const UNASKED_BODY: (&str, &str) = (
    "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    "1\r\n \r\n",
);

/// Drips until the hub hangs up.
async fn drip(world: &World, (start, more): (&str, &str)) {
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(start.as_bytes()).await.expect("a start");
    let (mut answers, mut letters) = stream.split();
    let hung_up = async {
        let mut some = [0; 1024];
        while let Ok(1..) = answers.read(&mut some).await {}
    };
    let dripping = async {
        while letters.write_all(more.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    futures_util::pin_mut!(hung_up, dripping);
    futures_util::future::select(hung_up, dripping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_drips_is_hung_up_on_whatever_it_drips() {
    let world = impatient().await;
    let slow = [HEAD, SECOND, REFUSED_BODY, UNASKED_BODY];
    join_all(slow.map(|slow| drip(&world, slow))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_client_is_served_beside_many_slow_ones() {
    let world = impatient().await;
    let world = Arc::new(world);
    let member = world.member().await;
    let slow: Vec<_> = (0..400)
        .map(|nth| {
            let world = world.clone();
            let kind = [HEAD, SECOND, REFUSED_BODY, UNASKED_BODY][nth % 4];
            tokio::spawn(async move { drip(&world, kind).await })
        })
        .collect();
    for _ in 0..20 {
        world.award(&member, "1", "MILE").await;
    }
    assert_eq!(world.balance(&member, "MILE").await, "20");
    for client in join_all(slow).await {
        client.expect("the hub hung up");
    }
    world.award(&member, "1", "MILE").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_used_now_and_then_is_kept() {
    let world = impatient().await;
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    for _ in 0..10 {
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.expect("it is open");
        let (mut answer, mut some) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"\"ok\"}") {
            let size = stream.read(&mut some).await.expect("an answer");
            assert_ne!(size, 0, "it was kept");
            answer.extend_from_slice(&some[..size]);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
