//! PostgreSQL's own benchmark on the same server: the yardstick.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::server::{PGBENCH, Server};
use crate::pg::programs;

/// Fifty branches: as in the measurements that the goals come from.
const SCALE: &str = "50";

/// How many clients are tried at first.
const CLIENTS: [u32; 3] = [8, 16, 32];

/// A script that pgbench brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    TpcB,
    /// Without the updates of the two tables that everybody waits for.
    SimpleUpdate,
}

impl Script {
    fn name(self) -> &'static str {
        match self {
            Script::TpcB => "tpcb-like",
            Script::SimpleUpdate => "simple-update",
        }
    }
}

/// `pgbench`, beside the server's programs or on PATH.
fn program() -> PathBuf {
    let beside = programs::find(None).map(|programs| programs.bin.join("pgbench"));
    beside
        .ok()
        .filter(|program| program.exists())
        .unwrap_or_else(|| PathBuf::from("pgbench"))
}

/// Makes and fills pgbench's tables.
pub async fn prepare(server: &Server) -> anyhow::Result<()> {
    server.create(PGBENCH).await?;
    run(server, &["--initialize", "--quiet", "--scale", SCALE])
        .await
        .map(drop)
}

/// The number of clients that gives the TPC-B-like script its best rate.
pub async fn best_clients(server: &Server, time: Duration) -> anyhow::Result<u32> {
    let mut best = (0.0, CLIENTS[0]);
    for clients in CLIENTS {
        let rate = tps(server, Script::TpcB, clients, time).await?;
        if rate > best.0 {
            best = (rate, clients);
        }
    }
    Ok(best.1)
}

/// Transactions a second of a script.
pub async fn tps(
    server: &Server,
    script: Script,
    clients: u32,
    time: Duration,
) -> anyhow::Result<f64> {
    let (clients, seconds) = (clients.to_string(), time.as_secs().to_string());
    let arguments = [
        "--builtin",
        script.name(),
        "--client",
        &clients,
        "--jobs",
        "2",
        "--protocol",
        "prepared",
        "--time",
        &seconds,
        "--no-vacuum",
    ];
    let said = run(server, &arguments).await?;
    let tps = said
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.with_context(|| format!("pgbench did not say its rate: {said}"))
}

async fn run(server: &Server, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program())
        .args(arguments)
        .arg(server.url(PGBENCH))
        .output()
        .await
        .context("pgbench cannot be run: it comes with PostgreSQL's client programs (postgresql-client, -contrib)")?;
    if !output.status.success() {
        bail!(
            "pgbench failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
