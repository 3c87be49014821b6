//! Windows that close beside a steady load: what posting notices of it.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::ground::Ground;
use super::in_process;
use super::measured::{Measured, percentile_ms};
use super::pick::Pick;
use crate::access::{Role, Who};
use crate::db;
use crate::ledger;

/// How many windows are closed, evenly over the measurement.
const CLOSES: u32 = 200;

#[derive(Debug, Default, Clone, Serialize)]
pub struct Closes {
    pub closed: usize,
    pub close_p50_ms: f64,
    pub close_p99_ms: f64,
    /// Conversions in process beside them, and without.
    pub with: Measured,
    pub without: Measured,
}

pub async fn measure(ground: &Ground, pick: &Pick, time: Duration) -> anyhow::Result<Closes> {
    let without = in_process::conversions(ground, pick, time).await?;
    let mut waits = Vec::new();
    let with = ground
        .meter
        .measure(async {
            let load = in_process::run_conversions(ground, pick, time);
            let (run, closed) = tokio::join!(load, close_all(ground, time));
            waits = closed?;
            run
        })
        .await?;
    waits.sort_unstable();
    Ok(Closes {
        closed: waits.len(),
        close_p50_ms: percentile_ms(&waits, 0.5),
        close_p99_ms: percentile_ms(&waits, 0.99),
        with,
        without,
    })
}

async fn close_all(ground: &Ground, time: Duration) -> anyhow::Result<Vec<u32>> {
    let began = Instant::now();
    let mut waits = Vec::new();
    for nth in 0..CLOSES {
        let due = began + time * nth / CLOSES;
        tokio::time::sleep_until(due.into()).await;
        if began.elapsed() >= time {
            break;
        }
        waits.push(close(ground).await?.as_micros() as u32);
    }
    Ok(waits)
}

/// Closes the open window, and says how long that took.
pub async fn close(ground: &Ground) -> anyhow::Result<Duration> {
    let who = Who::at_the_console(1_000_003, Role::Finance);
    let mut conn = ground.hub.pool.get().await?;
    let began = Instant::now();
    db::transaction(&mut conn, async |conn| {
        ledger::close_window(conn, &who, None).await
    })
    .await?;
    Ok(began.elapsed())
}
