//! What no HTTP client would send, written to the socket byte by byte. The hub refuses it or hangs
//! up, and keeps answering everybody else.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// Sends the bytes and reads until the hub hangs up or falls silent.
async fn said(world: &World, bytes: &[u8]) -> String {
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The hub may hang up before everything is sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    while let Ok(Ok(size @ 1..)) =
        tokio::time::timeout(Duration::from_millis(500), stream.read(&mut some)).await
    {
        answer.extend_from_slice(&some[..size]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<&str> {
    let lines = answer.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.get(2..5)).collect()
}

async fn assert_alive(world: &World) {
    assert_eq!(
        world.get("", "/healthz").await.ok(),
        json!({"status": "ok"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_length() {
    let world = World::new().await;
    let inner = "GET /problems HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = format!("0\r\n\r\n{inner}");
    for lengths in [
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked",
            chunked.len()
        ),
        format!(
            "Transfer-Encoding: chunked\r\nContent-Length: {}",
            chunked.len()
        ),
        "Content-Length: 5\r\nContent-Length: 6".to_owned(),
        "Content-Length: +5".to_owned(),
        "Content-Length: -5".to_owned(),
        "Content-Length: 5, 5".to_owned(),
        "Content-Length: 0x5".to_owned(),
        "Content-Length: 99999999999999999999".to_owned(),
        "Transfer-Encoding: gzip, identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
    ] {
        let bytes = format!(
            "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n{chunked}"
        );
        let answer = said(&world, bytes.as_bytes()).await;
        let told = statuses(&answer);
        assert!(
            told.iter().all(|status| status.starts_with('4')),
            "{lengths}: {answer}"
        );
    }
    assert_alive(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_heads_are_refused() {
    let world = World::new().await;
    let heads = [
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "GET /healthz\r\n\r\n".to_owned(),
        "G\0T /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\n: nameless\r\n\r\n".to_owned(),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n",
            "A: b\r\n".repeat(1000)
        ),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "b".repeat(1_000_000)
        ),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1_000_000)),
        "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
    ];
    for head in heads {
        let answer = said(&world, head.as_bytes()).await;
        let told = statuses(&answer);
        let short: String = head.chars().take(80).collect();
        assert!(
            told.iter().all(|status| status.starts_with('4')),
            "{short:?}: {answer}"
        );
    }
    assert_alive(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_and_legal_requests_are_answered() {
    let world = World::new().await;
    for (head, status) in [
        ("GET /healthz HTTP/1.0\r\n\r\n", "200"),
        (
            "GET /healthz HTTP/1.1\r\nHOST: x\r\nX-Request-Id: \u{7f}\r\n\r\n",
            "400",
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: \u{e9}\r\n\r\n",
            "200",
        ),
        ("GET //healthz HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /healthz/ HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /%68ealthz HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /../healthz HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /problems/%00 HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /problems/%FF%FE HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /problems/%zz HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (
            "GET /docs/..%2f..%2fCargo.toml HTTP/1.1\r\nHost: x\r\n\r\n",
            "404",
        ),
        ("BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "405"),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
    ] {
        let answer = said(&world, head.as_bytes()).await;
        assert_eq!(statuses(&answer), [status], "{head:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_requests_disturb_nobody() {
    let world = World::new().await;
    let address = world.base_url.strip_prefix("http://").expect("an address");
    let unfinished = [
        "",
        "G",
        "GET /healthz HTTP/1.1\r\nHost",
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    ];
    let mut held = Vec::new();
    for _ in 0..20 {
        for start in unfinished {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(start.as_bytes()).await.expect("a start");
            held.push(stream);
        }
    }
    assert_alive(&world).await;

    drop(held);
    assert_alive(&world).await;
}
