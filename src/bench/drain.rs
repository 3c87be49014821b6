//! A backlog of webhooks that drains: how fast, and what a steady client notices of it.
//!
//! An endpoint of a brand begins with the first event of the journal, which is by now a long way back. Its
//! receiver answers at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::ground::Ground;
use super::steady::{Beside, Pace};
use crate::access::{Role, Who};
use crate::db;
use crate::webhooks::reach::Reach;
use crate::webhooks::{self, Terms, store};

#[derive(Debug, Default, Clone, Serialize)]
pub struct Drain {
    /// Events a second that the receiver took while they were delivered.
    pub per_s: f64,
    pub delivered: u64,
    #[serde(flatten)]
    pub client: Beside,
}

/// Aborts what goes on when it is dropped.
struct GoingOn(JoinHandle<()>, Instant, Arc<AtomicU64>);

impl Drop for GoingOn {
    fn drop(&mut self) {
        self.0.abort();
        let spent = self.1.elapsed().as_micros() as u64;
        self.2.fetch_add(spent, Ordering::Relaxed);
    }
}

pub async fn measure(ground: &Ground, pace: Pace, time: Duration) -> anyhow::Result<Drain> {
    let (came, spent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let receiver = tokio::spawn(receive(listener, came.clone()));
    let hub = ground.hub.clone().reaching(Reach::this_machine());

    // Whom a hub served that is gone is not served by another at once, so each turn has an endpoint of its own.
    let deliver = async || {
        begin_at_the_beginning(ground, &hub.webhooks, address).await?;
        let delivering = hub.deliver_all_along()?;
        Ok(GoingOn(delivering, Instant::now(), spent.clone()))
    };
    let client = pace.beside(ground, time, deliver).await?;
    receiver.abort();
    let delivered = came.load(Ordering::Relaxed);
    Ok(Drain {
        per_s: delivered as f64 * 1e6 / spent.load(Ordering::Relaxed).max(1) as f64,
        delivered,
        client,
    })
}

async fn begin_at_the_beginning(
    ground: &Ground,
    webhooks: &webhooks::Webhooks,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let partner = ground.coalition.programmes[0].currency.issuer;
    let who = Who::at_the_console(1_000_004, Role::Operator);
    let terms = Terms {
        url: format!("http://{address}/events"),
        description: None,
        types: Vec::new(),
        enabled: true,
    };
    let mut conn = ground.hub.pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        let made = webhooks::create(conn, &who, webhooks, partner, terms).await?;
        store::go_back(conn, made.id, 0).await
    })
    .await?;
    Ok(())
}

async fn receive(listener: TcpListener, came: Arc<AtomicU64>) {
    let mut senders = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        senders.spawn(take(stream, came.clone()));
    }
}

/// Takes whatever comes on a connection.
async fn take(mut stream: TcpStream, came: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        while let Some(length) = whole(&bytes) {
            bytes.drain(..length);
            came.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// How long the first request is, when all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = request.parse(bytes) else {
        return None;
    };
    let length = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}
