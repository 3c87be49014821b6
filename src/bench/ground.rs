//! Where is measured: a database of its own with a coalition in it, a hub that works on it and
//! serves it, sealing all along as a hub does, and a meter.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::task::JoinHandle;

use super::coalition::{self, Coalition};
use super::measured::{Measured, Run};
use super::meter::Meter;
use super::past::Past;
use super::server::Server;
use crate::db;
use crate::server::Hub;
use crate::web::client;

pub struct Ground {
    pub url: String,
    pub hub: Hub,
    pub coalition: Coalition,
    pub meter: Meter,
    pub address: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    sealing: JoinHandle<()>,
}

/// How long is run before anything counts, at most.
const WARM_UP: Duration = Duration::from_secs(3);

impl Ground {
    /// Makes the database `name` with so many members and, where one is wanted, a history.
    pub async fn prepare(
        server: &Server,
        name: &str,
        members: usize,
        past: Option<&mut Past>,
    ) -> anyhow::Result<Ground> {
        let url = server.create(name).await?;
        db::migrate(&url).await?;
        let hub = Hub::new(&url, "http://bench").await?;

        eprintln!("Loading {members} members with wallets in twelve currencies ...");
        let coalition = coalition::load(&hub, members).await?;
        if let Some(past) = past {
            past.write(&url, &coalition).await?;
        }
        coalition.fill(&hub).await?;
        let meter = Meter::new(&url).await?;
        meter.settle().await?;
        let sealing = hub.seal_all_along(None);

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let serving = hub.serve(listener)?;
        Ok(Ground {
            url,
            hub,
            coalition,
            meter,
            address,
            server: serving.handle(),
            serving: tokio::spawn(serving),
            sealing,
        })
    }

    /// Warms up, and then measures the same work for so long.
    pub async fn measure(
        &self,
        work: impl AsyncFn(Duration) -> anyhow::Result<Run>,
        time: Duration,
    ) -> anyhow::Result<Measured> {
        work(time.min(WARM_UP)).await?;
        self.meter.measure(work(time)).await
    }

    /// An access token for each brand, good for the next measurement.
    pub async fn tokens(&self) -> anyhow::Result<Vec<String>> {
        let base_url = format!("http://{}", self.address);
        let http = client::builder().build()?;
        self.coalition.tokens(&http, &base_url).await
    }

    /// Lets go of the database, so that the server can stop.
    pub async fn leave(self) -> anyhow::Result<()> {
        self.sealing.abort();
        self.server.stop(false).await;
        Ok(self.serving.await??)
    }
}
