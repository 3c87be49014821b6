//! The PostgreSQL that comes along: a hub without a database of its own runs one beside it.
//!
//! One directory holds everything: `pg` (the data), `run` (the socket), `postgres.log`, and
//! `hub.lock`, locked for as long as a hub owns the directory. The server listens on a unix
//! socket only, so no port can clash and nobody from outside can knock; who may enter the socket's
//! directory (mode 0700) is a superuser, and there are no passwords to keep.
//!
//! The server lives as long as the hub that started it, even when the hub is killed. It is
//! fsynced unless the caller asks for a cluster to throw away, and the two are never mixed up.
//!
//! | file        | what it knows                                            |
//! |-------------|----------------------------------------------------------|
//! | [`programs`]| where PostgreSQL is installed, and which version to take |
//! | `home`      | the directory, who owns it, the steps of a launch        |
//! | `account`   | whom the server runs as when the hub is root             |
//! | `initdb`    | how a data directory comes to be, whole or not at all    |
//! | `pid_file`  | whether a server runs on a data directory                |
//! | `server`    | one running server: launch, readiness, stop              |
//! | `settings`  | what the server is told                                  |
//! | `socket`    | where the socket is, and the URL that leads there        |

mod account;
mod home;
mod initdb;
mod pid_file;
pub mod programs;
mod server;
mod settings;
mod socket;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use home::Home;
use pid_file::PidFile;
use server::Server;
pub use settings::Durability;

/// How long a caller waits for a server that another process is starting.
const PATIENCE: Duration = Duration::from_secs(300);

/// A PostgreSQL server on a directory of its own, stopped on drop by the one who started it.
#[derive(Debug)]
pub struct Cluster {
    socket_dir: PathBuf,
    own: Option<Owned>,
}

/// What only the owner of a directory has: the server, and the lock that outlives it.
#[derive(Debug)]
struct Owned {
    server: Server,
    _lock: File,
}

impl Cluster {
    /// Starts a server on `dir`, making the directory and the cluster when they are missing.
    ///
    /// `settings` are further server settings; they win over those of `durability`. Blocks until
    /// the server accepts connections, after a crash until it has recovered. Fails when a server
    /// already runs on the directory.
    pub fn start(dir: &Path, durability: Durability, settings: &[(&str, &str)]) -> Result<Self> {
        let home = Home::prepare(dir)?;

        let Some(lock) = home.lock_patiently()? else {
            bail!("another hub ({}) uses {}", home.owner(), home.dir.display());
        };
        if let Some(running) = home.server_that_stays() {
            bail!(
                "a PostgreSQL server that this hub did not start (pid {}) runs on {}: stop it first",
                running.pid,
                home.data().display()
            );
        }

        Self::own(&home, lock, durability, settings)
    }

    /// Joins the server that runs on `dir`, or starts one.
    ///
    /// A joined server is its owner's to stop: dropping the handle leaves it alone, and it may go
    /// away at any time. `durability` and `settings` count only when a server is started.
    pub fn attach_or_start(
        dir: &Path,
        durability: Durability,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let home = Home::prepare(dir)?;
        let deadline = Instant::now() + PATIENCE;

        loop {
            let lock = home.lock()?;
            let running = match &lock {
                Some(_) => home.server_that_stays(),
                None => PidFile::of_running(&home.data()),
            };
            match (lock, running) {
                (Some(lock), None) => return Self::own(&home, lock, durability, settings),
                (_, Some(running)) if running.accepts() => {
                    return Ok(Self {
                        socket_dir: running.socket_dir,
                        own: None,
                    });
                }
                _ if Instant::now() > deadline => bail!(
                    "{} uses {}, and its server does not accept connections",
                    home.owner(),
                    home.dir.display()
                ),
                _ => sleep(Duration::from_millis(20)),
            }
        }
    }

    fn own(
        home: &Home,
        lock: File,
        durability: Durability,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let (server, socket_dir) = home.launch(durability, settings)?;
        let own = Some(Owned {
            server,
            _lock: lock,
        });
        Ok(Self { socket_dir, own })
    }

    /// The URL of a database of this cluster, for a client that knows unix sockets.
    pub fn url(&self, database: &str) -> String {
        socket::url(&self.socket_dir, database)
    }

    /// Whether another process owns the server.
    pub fn is_attached(&self) -> bool {
        self.own.is_none()
    }

    /// Whether the server is there. An owner asks; of an attached server only a connection tells.
    pub fn is_running(&self) -> bool {
        self.own.as_ref().is_none_or(|own| own.server.is_running())
    }

    /// The server's process, for who started it.
    pub fn pid(&self) -> Option<i32> {
        self.own.as_ref().map(|own| own.server.pid())
    }

    /// Stops the server: sessions are ended, and what was committed is on disk before this returns.
    /// Leaves a joined server alone.
    pub fn stop(mut self) -> Result<()> {
        match self.own.take() {
            Some(mut own) => own.server.stop(),
            None => Ok(()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut own) = self.own.take()
            && let Err(error) = own.server.stop()
        {
            tracing::warn!("{error:#}");
        }
    }
}
