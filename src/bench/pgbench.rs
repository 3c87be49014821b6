//! PostgreSQL's own benchmark on the same server: the yardstick.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use tokio::process::Command;

use crate::db::Connection;
use crate::pg::{Cluster, programs};

const DATABASE: &str = "pgbench";

/// Fifty branches: as in the measurements that the goals come from.
const SCALE: &str = "50";
const CLIENTS: &str = "16";

/// `pgbench`, beside the server's programs or on PATH.
fn program() -> PathBuf {
    let beside = programs::find(None).map(|programs| programs.bin.join("pgbench"));
    beside
        .ok()
        .filter(|program| program.exists())
        .unwrap_or_else(|| PathBuf::from("pgbench"))
}

/// Makes and fills pgbench's tables.
pub async fn prepare(cluster: &Cluster) -> anyhow::Result<()> {
    let mut conn = Connection::establish(&cluster.url("postgres")).await?;
    conn.batch_execute(&format!("create database {DATABASE}"))
        .await?;
    run(cluster, &["--initialize", "--quiet", "--scale", SCALE])
        .await
        .map(drop)
}

/// Transactions a second of the TPC-B-like script.
pub async fn tpcb(cluster: &Cluster, time: Duration) -> anyhow::Result<f64> {
    let seconds = time.as_secs().to_string();
    let said = run(
        cluster,
        &[
            "--client",
            CLIENTS,
            "--jobs",
            "2",
            "--protocol",
            "prepared",
            "--time",
            &seconds,
            "--no-vacuum",
        ],
    )
    .await?;
    let tps = said
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.with_context(|| format!("pgbench did not say its rate: {said}"))
}

async fn run(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program())
        .args(arguments)
        .arg(cluster.url(DATABASE))
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
