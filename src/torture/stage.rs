//! The stage: a durable database in a directory of its own and two hubs on it, the second behind a
//! wire that can be cut.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, NoTls};

use super::proxy::Proxy;
use super::served::{ADDRESS, Served};
use crate::config::{DATABASE, create_database};
use crate::db;
use crate::demo::credentials::Credentials;
use crate::demo::seed;
use crate::pg::{Cluster, Durability};
use crate::server::Hub;

/// Members of the sample coalition.
const MEMBERS: usize = 12;

/// What drops first ends first: hubs, then the database.
pub struct Stage {
    pub hubs: [Served; 2],
    pub proxy: Proxy,
    cluster: Arc<Mutex<Option<Cluster>>>,
    pub dir: PathBuf,
    pub url: String,
    pub credentials: Credentials,
    /// The last operation of the sample coalition.
    pub prologue: i64,
}

impl Stage {
    /// Makes it all in `dir`; the hubs run `program`.
    pub async fn set(program: &Path, dir: &Path) -> anyhow::Result<Stage> {
        let at = dir.to_owned();
        let start = move || Cluster::start(&at, Durability::Durable, &[]);
        let cluster = tokio::task::spawn_blocking(start).await??;
        create_database(&cluster.url("postgres")).await?;
        let url = cluster.url(DATABASE);
        db::migrate(&url).await?;
        let hub = Hub::new(&url, ADDRESS).await?;
        let credentials = seed::fill(&hub, ADDRESS, MEMBERS).await?;
        drop(hub);
        let prologue = number(&session(&url).await?, "select max(id) from operations").await?;

        let proxy = Proxy::start(&socket_of(&url)?).await?;
        let through = format!("postgres://interline@{}/{DATABASE}", proxy.address);
        let (one, two) = tokio::try_join!(
            Served::start(program, url.clone(), dir.join("hub-1.log")),
            Served::start(program, through, dir.join("hub-2.log")),
        )?;
        Ok(Stage {
            hubs: [one, two],
            proxy,
            cluster: Arc::new(Mutex::new(Some(cluster))),
            dir: dir.to_owned(),
            url,
            credentials,
            prologue,
        })
    }

    /// The database's first process.
    pub fn postmaster(&self) -> anyhow::Result<Pid> {
        let cluster = self.cluster.lock().unwrap_or_else(|e| e.into_inner());
        let pid = cluster.as_ref().and_then(Cluster::pid);
        pid.map(Pid::from_raw).context("the database does not run")
    }

    /// Kills every process of the database at once, so that none can write down what another left
    /// in memory.
    pub fn kill_database(&self) -> anyhow::Result<()> {
        let postmaster = self.postmaster()?;
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        kill(postmaster, Signal::SIGKILL)?;
        for child in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            // A session may have ended meanwhile.
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        Ok(())
    }

    /// Starts the database again after it was killed.
    pub async fn restart_database(&self) -> anyhow::Result<()> {
        let (dir, cluster) = (self.dir.clone(), self.cluster.clone());
        let restart = move || {
            let mut cluster = cluster.lock().unwrap_or_else(|e| e.into_inner());
            // The directory is let go of before it is taken again.
            *cluster = None;
            *cluster = Some(Cluster::start(&dir, Durability::Durable, &[])?);
            Ok(())
        };
        tokio::task::spawn_blocking(restart).await?
    }

    /// Ends all in order; the next who starts the database finds nothing to recover.
    pub async fn strike(self) -> anyhow::Result<()> {
        let Stage { hubs, cluster, .. } = self;
        drop(hubs);
        let stop = move || {
            let cluster = cluster.lock().unwrap_or_else(|e| e.into_inner()).take();
            cluster.map_or(Ok(()), Cluster::stop)
        };
        tokio::task::spawn_blocking(stop).await?
    }
}

fn socket_of(url: &str) -> anyhow::Result<PathBuf> {
    let config: tokio_postgres::Config = url.parse()?;
    match config.get_hosts() {
        [Host::Unix(dir)] => Ok(dir.join(".s.PGSQL.5432")),
        hosts => bail!("the database is not behind a unix socket: {hosts:?}"),
    }
}

/// A session as the owner of the database.
pub async fn session(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The one number of an answer.
pub async fn number(client: &Client, sql: &str) -> anyhow::Result<i64> {
    Ok(client.query_one(sql, &[]).await?.get(0))
}
