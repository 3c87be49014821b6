//! A hub as a process of its own: killed, stopped, started again at the same address.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::web::client;

/// What tokens are issued for: the same at every hub, so that each takes the others'.
pub const ADDRESS: &str = "http://torture.test";

/// How long a hub may take to get ready.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Served {
    program: PathBuf,
    database: String,
    port: u16,
    log: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Served {
    /// Runs `program` on a database, and waits until it is ready.
    pub async fn start(program: &Path, database: String, log: PathBuf) -> anyhow::Result<Served> {
        let free = TcpListener::bind("127.0.0.1:0")?;
        let port = free.local_addr()?.port();
        drop(free);
        let served = Served {
            program: program.to_owned(),
            database,
            port,
            log,
            process: Mutex::new(None),
        };
        served.start_again().await?;
        Ok(served)
    }

    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.lock().unwrap_or_else(|e| e.into_inner());
        let process = process.as_ref().context("the hub does not run")?;
        Ok(kill(Pid::from_raw(process.id().cast_signed()), signal)?)
    }

    /// Kills the hub, whatever it is at.
    pub fn kill(&self) {
        let process = self
            .process
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .take();
        if let Some(mut process) = process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the hub and waits until it is ready. One that ends is started again: it may have
    /// met a database that was away, or a port that somebody had for a moment.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let has_ended = {
                let mut process = self.process.lock().unwrap_or_else(|e| e.into_inner());
                match process.as_mut() {
                    Some(running) => running.try_wait()?.is_some(),
                    None => true,
                }
            };
            if has_ended {
                let started = self.spawn()?;
                *self.process.lock().unwrap_or_else(|e| e.into_inner()) = Some(started);
            }
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "the hub at {} is not ready after {PATIENCE:?}",
            self.base_url()
        )
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--port", &self.port.to_string()])
            .args(["--base-url", ADDRESS, "--database-url", &self.database])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        for variable in ["DATABASE_URL", "INTERLINE_DATA_DIR", "INTERLINE_HOST"] {
            command.env_remove(variable);
        }
        command
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }

    async fn is_ready(&self) -> bool {
        let Ok(http) = client::builder().timeout(Duration::from_secs(12)).build() else {
            return false;
        };
        let asked = http.get(format!("{}/readyz", self.base_url())).send();
        asked.await.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}
