//! A wire between a hub and its database that breaks when it hurts most.
//!
//! It forwards message by message, so that it can end a connection with the COMMIT not delivered
//! (nothing took effect, and the hub does not know), or with the answer to the COMMIT not delivered
//! (it did, and the hub does not know). It can also stand still, with both ends believing that they
//! are connected.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::frame::{Frames, asks_to_commit, ends_transaction};

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cut {
    BeforeCommit = 1,
    AfterCommit,
}

pub struct Proxy {
    pub address: SocketAddr,
    orders: Arc<Orders>,
    listening: JoinHandle<()>,
}

struct Orders {
    /// The cut that the next commit meets, or 0.
    cut: AtomicU8,
    was_cut: Notify,
    stands_still: watch::Sender<bool>,
}

/// How long a commit is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Proxy {
    /// Listens on a free port and forwards to the server behind a unix socket.
    pub async fn start(socket: &Path) -> anyhow::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let orders = Arc::new(Orders {
            cut: AtomicU8::new(0),
            was_cut: Notify::new(),
            stands_still: watch::Sender::new(false),
        });
        let listening = tokio::spawn(listen(listener, socket.to_owned(), orders.clone()));
        Ok(Proxy {
            address,
            orders,
            listening,
        })
    }

    /// Cuts the connection of the next commit. Answers whether there was one.
    pub async fn cut(&self, cut: Cut) -> bool {
        let was_cut = self.orders.was_cut.notified();
        self.orders.cut.store(cut as u8, Ordering::SeqCst);
        let happened = tokio::time::timeout(PATIENCE, was_cut).await.is_ok();
        self.orders.cut.store(0, Ordering::SeqCst);
        happened
    }

    pub fn stand_still(&self, still: bool) {
        self.orders.stands_still.send_replace(still);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Orders {
    /// The cut that a commit meets: each is carried out once.
    fn take(&self) -> Option<Cut> {
        match self.cut.swap(0, Ordering::SeqCst) {
            0 => None,
            before if before == Cut::BeforeCommit as u8 => Some(Cut::BeforeCommit),
            _ => Some(Cut::AfterCommit),
        }
    }

    async fn until_it_moves(&self) {
        // The sender is ours, so the channel is open.
        let _ = self
            .stands_still
            .subscribe()
            .wait_for(|still| !*still)
            .await;
    }
}

async fn listen(listener: TcpListener, socket: PathBuf, orders: Arc<Orders>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, socket.clone(), orders.clone()));
    }
}

/// One connection. It ends on both sides as soon as it ends on one.
async fn carry(client: TcpStream, socket: PathBuf, orders: Arc<Orders>) {
    let Ok(server) = UnixStream::connect(&socket).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let withheld = AtomicBool::new(false);
    tokio::select! {
        _ = requests(from_client, to_server, &orders, &withheld) => {}
        _ = answers(from_server, to_client, &orders, &withheld) => {}
    }
}

async fn requests(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    orders: &Orders,
    withheld: &AtomicBool,
) -> std::io::Result<()> {
    let (mut frames, mut bytes) = (Frames::of_client(), vec![0; 64 * 1024]);
    loop {
        let got = from.read(&mut bytes).await?;
        if got == 0 {
            return Ok(());
        }
        frames.push(&bytes[..got]);
        while let Some(frame) = frames.next() {
            orders.until_it_moves().await;
            match asks_to_commit(&frame).then(|| orders.take()).flatten() {
                Some(Cut::BeforeCommit) => {
                    orders.was_cut.notify_waiters();
                    return Ok(());
                }
                Some(Cut::AfterCommit) => {
                    withheld.store(true, Ordering::SeqCst);
                }
                None => {}
            }
            to.write_all(&frame).await?;
        }
    }
}

async fn answers(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    orders: &Orders,
    withheld: &AtomicBool,
) -> std::io::Result<()> {
    let (mut frames, mut bytes) = (Frames::of_server(), vec![0; 64 * 1024]);
    loop {
        let got = from.read(&mut bytes).await?;
        if got == 0 {
            return Ok(());
        }
        frames.push(&bytes[..got]);
        while let Some(frame) = frames.next() {
            orders.until_it_moves().await;
            if !withheld.load(Ordering::SeqCst) {
                to.write_all(&frame).await?;
            } else if let Some(committed) = ends_transaction(&frame) {
                match committed {
                    true => orders.was_cut.notify_waiters(),
                    // There was nothing to hide: the next commit is met instead.
                    false => orders.cut.store(Cut::AfterCommit as u8, Ordering::SeqCst),
                }
                return Ok(());
            }
        }
    }
}
