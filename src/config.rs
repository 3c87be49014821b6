//! Where the hub keeps its data and where it listens: flags first, then the environment, then
//! defaults that need nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use crate::db::{self, Connection};
use crate::pg::{Cluster, Durability};

/// The name of the hub's database in a cluster of its own.
pub const DATABASE: &str = "interline";

/// Which database to use.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// Where the embedded PostgreSQL keeps its data [default: /var/lib/interline for root, else
    /// interline in the user's data directory]
    #[arg(long, value_name = "DIR", env = "INTERLINE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// An existing PostgreSQL 15 or newer, instead of the embedded one
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// A database that is there, with the schema up to date. The embedded server stops when this is
/// dropped, if this process started it.
pub struct Database {
    pub url: String,
    /// Kept for its drop.
    _cluster: Option<Cluster>,
}

/// Whether a server that runs already may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A hub: its own server, or refuse.
    Alone,
    /// A command beside a hub.
    Beside,
}

impl DatabaseArgs {
    /// The data directory: as given, or the default with `name` under it.
    pub fn dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        match &self.data_dir {
            Some(dir) => std::path::absolute(dir)
                .with_context(|| format!("{} is no directory", dir.display())),
            None => Ok(default_dir()?.join(name)),
        }
    }

    /// Starts or finds the database and brings its schema up to date.
    pub async fn open(&self, name: &str, mode: Use) -> anyhow::Result<Database> {
        let (url, cluster) = match &self.database_url {
            Some(url) => (url.clone(), None),
            None => {
                let dir = self.dir(name)?;
                let cluster = tokio::task::spawn_blocking(move || start(&dir, mode)).await??;
                create_database(&cluster.url("postgres")).await?;
                (cluster.url(DATABASE), Some(cluster))
            }
        };
        let applied = db::migrate(&url).await?;
        tracing::debug!(applied, "the schema is up to date");
        Ok(Database {
            url,
            _cluster: cluster,
        })
    }
}

fn start(dir: &Path, mode: Use) -> anyhow::Result<Cluster> {
    match mode {
        Use::Alone => Cluster::start(dir, Durability::Durable, &[]),
        Use::Beside => Cluster::attach_or_start(dir, Durability::Durable, &[]),
    }
}

fn default_dir() -> anyhow::Result<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/interline"));
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or(home);
    data.map(|data| data.join("interline"))
        .context("HOME is not set: say --data-dir DIR")
}

/// Makes the hub's database in a cluster of its own, unless it is there.
pub async fn create_database(url: &str) -> anyhow::Result<()> {
    let mut conn = Connection::establish(url)
        .await
        .context("cannot connect to the embedded database")?;
    match conn
        .batch_execute(&format!("create database {DATABASE}"))
        .await
    {
        Ok(()) => Ok(()),
        Err(error) if error.to_string().contains("already exists") => Ok(()),
        Err(error) => Err(error.into()),
    }
}
