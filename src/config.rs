//! Where the hub keeps its data and where it listens: flags first, then the environment, then
//! defaults that need nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use crate::db::{self, Connection};
use crate::environment::{self, Environment};
use crate::pg::{Cluster, Durability};

/// The name of the hub's database in a cluster of its own.
pub const DATABASE: &str = "interline";

/// The sandbox beside it.
const BESIDE: &str = "interline_sandbox";

/// The file of anchors in the data directory.
const ANCHORS: &str = "anchors.ndjson";

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
    /// A sandbox, where partners try things out: a database of its own, with a clock that can be turned
    /// forward. Its default directory is hub-sandbox
    #[arg(long, env = "INTERLINE_SANDBOX")]
    pub sandbox: bool,
}

/// Where the hashes of seals are kept outside of the database.
#[derive(Debug, Clone, clap::Args)]
pub struct AnchorArgs {
    /// The file of anchors, appended to by the hub [default: anchors.ndjson in the data directory;
    /// beside an existing PostgreSQL none]
    #[arg(long = "anchors", value_name = "FILE", env = "INTERLINE_ANCHORS")]
    file: Option<PathBuf>,
}

impl AnchorArgs {
    /// The file that a hub on this database appends to.
    pub fn file(&self, database: &DatabaseArgs, name: &str) -> anyhow::Result<Option<PathBuf>> {
        match (&self.file, &database.database_url) {
            (Some(file), _) => Ok(Some(file.clone())),
            (None, Some(_)) => Ok(None),
            (None, None) => Ok(Some(database.dir(name)?.join(ANCHORS))),
        }
    }

    /// The file to hold a proof against: the one that was named, or the default one if it is there.
    pub fn kept(&self, database: &DatabaseArgs, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let file = self.file(database, name)?;
        Ok(file.filter(|file| self.file.is_some() || file.exists()))
    }
}

/// A database that is there, with the schema up to date. The embedded server stops when this is
/// dropped, if this process started it, and until then is started again when it ends by itself.
pub struct Database {
    pub url: String,
    /// Its drop stops the server.
    cluster: Option<Kept>,
    said: Environment,
}

/// An embedded server under watch.
struct Kept(Arc<Mutex<Watched>>);

struct Watched {
    cluster: Option<Cluster>,
    is_over: bool,
}

/// How often the embedded server is looked after.
const LOOK: Duration = Duration::from_millis(200);

impl Kept {
    fn watch(cluster: Cluster, dir: PathBuf, mode: Use) -> Kept {
        let watched = Arc::new(Mutex::new(Watched {
            cluster: Some(cluster),
            is_over: false,
        }));
        let kept = Kept(watched.clone());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(LOOK);
                let mut watched = watched.lock().unwrap_or_else(|e| e.into_inner());
                if watched.is_over {
                    return;
                }
                if watched.cluster.as_ref().is_some_and(Cluster::is_running) {
                    continue;
                }
                tracing::error!("PostgreSQL has ended by itself and is started again");
                // The directory is let go of before it is taken again.
                watched.cluster = None;
                match start(&dir, mode) {
                    Ok(cluster) => watched.cluster = Some(cluster),
                    Err(error) => tracing::error!("{error:#}"),
                }
            }
        });
        kept
    }
}

impl Kept {
    fn url(&self, database: &str) -> Option<String> {
        let watched = self.0.lock().unwrap_or_else(|e| e.into_inner());
        Some(watched.cluster.as_ref()?.url(database))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut watched = self.0.lock().unwrap_or_else(|e| e.into_inner());
        watched.is_over = true;
        watched.cluster = None;
    }
}

impl Database {
    /// Empties an embedded database, for who knows that nothing in it was finished.
    pub async fn start_over(&self) -> anyhow::Result<()> {
        let Some(admin) = self.admin() else {
            bail!("only an embedded database is started over: empty yours, or name another");
        };
        drop_database(&admin, DATABASE).await?;
        create_database(&admin).await?;
        prepare(&self.url, self.said).await
    }

    /// The sandbox beside a hub, in the same embedded server, emptied first where it was not finished. None
    /// beside an existing PostgreSQL, where whoever runs it makes databases.
    pub async fn sandbox_beside(&self, is_unfinished: bool) -> anyhow::Result<Option<String>> {
        let url = |database| self.cluster.as_ref().and_then(|kept| kept.url(database));
        let (Some(admin), Some(url)) = (self.admin(), url(BESIDE)) else {
            return Ok(None);
        };
        if is_unfinished {
            drop_database(&admin, BESIDE).await?;
        }
        create_named(&admin, BESIDE).await?;
        prepare(&url, Environment::Sandbox).await?;
        Ok(Some(url))
    }

    fn admin(&self) -> Option<String> {
        self.cluster.as_ref().and_then(|kept| kept.url("postgres"))
    }
}

/// Brings the schema up to date, for what the database is said to be.
async fn prepare(url: &str, said: Environment) -> anyhow::Result<()> {
    db::migrate(url).await?;
    environment::must_be(&mut Connection::establish(url).await?, said).await
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
            None if self.sandbox => Ok(default_dir()?.join(format!("{name}-sandbox"))),
            None => Ok(default_dir()?.join(name)),
        }
    }

    /// Refuses a data directory without a hub's data, for commands that look and make nothing.
    pub fn must_exist(&self, name: &str) -> anyhow::Result<()> {
        let dir = self.dir(name)?;
        if self.database_url.is_none() && !dir.join("pg").join("PG_VERSION").exists() {
            bail!(
                "there is no hub in {}: name its directory with --data-dir, or its database with \
                 --database-url",
                dir.display()
            );
        }
        Ok(())
    }

    /// Starts or finds the database and brings its schema up to date.
    pub async fn open(&self, name: &str, mode: Use) -> anyhow::Result<Database> {
        let (url, cluster) = match &self.database_url {
            Some(url) => (url.clone(), None),
            None => {
                let dir = self.dir(name)?;
                let starting = dir.clone();
                let cluster = tokio::task::spawn_blocking(move || start(&starting, mode)).await??;
                create_database(&cluster.url("postgres")).await?;
                let url = cluster.url(DATABASE);
                (url, Some(Kept::watch(cluster, dir, mode)))
            }
        };
        let applied = db::migrate(&url).await?;
        tracing::debug!(applied, "the schema is up to date");
        self.must_be_as_said(&url, mode).await?;
        let said = self.said();
        Ok(Database { url, cluster, said })
    }

    fn said(&self) -> Environment {
        match self.sandbox {
            true => Environment::Sandbox,
            false => Environment::Live,
        }
    }

    /// Refuses a live hub's database for a sandbox, and the reverse. Commands beside a hub take what there is,
    /// unless a sandbox was said.
    async fn must_be_as_said(&self, url: &str, mode: Use) -> anyhow::Result<()> {
        let said = self.said();
        let mut conn = Connection::establish(url).await?;
        match mode {
            Use::Beside if !self.sandbox => environment::settle(&mut conn, said).await.map(|_| ()),
            Use::Alone | Use::Beside => environment::must_be(&mut conn, said).await,
        }
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
    create_named(url, DATABASE).await
}

async fn create_named(url: &str, name: &str) -> anyhow::Result<()> {
    let mut conn = Connection::establish(url)
        .await
        .context("cannot connect to the embedded database")?;
    match conn.batch_execute(&format!("create database {name}")).await {
        Ok(()) => Ok(()),
        Err(error) if error.to_string().contains("already exists") => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn drop_database(url: &str, name: &str) -> anyhow::Result<()> {
    let mut conn = Connection::establish(url).await?;
    conn.batch_execute(&format!("drop database if exists {name} with (force)"))
        .await?;
    Ok(())
}
