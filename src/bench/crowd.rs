//! Five hundred connections that send a byte a second: of a head, of a body, of a second request.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::ground::Ground;
use super::steady::{Beside, Pace};

const CONNECTIONS: usize = 500;

const HEAD: &str = "GET /healthz HTTP/1.1\r\nHost: bench\r\nX-Slow: ";
const BODY: &str = "POST /v1/sessions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
     Content-Length: 9000\r\n\r\n{";
const WHOLE: &str = "GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n";

/// What a steady client notices of them.
pub async fn measure(ground: &Ground, pace: Pace, time: Duration) -> anyhow::Result<Beside> {
    let gather = async || {
        let mut crowd = JoinSet::new();
        for nth in 0..CONNECTIONS {
            crowd.spawn(linger(ground.address, nth));
        }
        // All have come and begun.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(crowd)
    };
    pace.beside(ground, time, gather).await
}

/// Comes again whenever the hub hangs up.
async fn linger(address: SocketAddr, nth: usize) {
    loop {
        let _ = drip(address, nth).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn drip(address: SocketAddr, nth: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let begun = match nth % 3 {
        0 => HEAD.to_owned(),
        1 => BODY.to_owned(),
        _ => format!("{WHOLE}{HEAD}"),
    };
    stream.write_all(begun.as_bytes()).await?;
    loop {
        // What is answered is not looked at; nothing more will come when it is over.
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer);
        match tokio::time::timeout(Duration::from_secs(1), read).await {
            Ok(Ok(0) | Err(_)) => return Ok(()),
            Ok(Ok(_)) => {}
            Err(_) => stream.write_all(b"a").await?,
        }
    }
}
