//! Twice the load the hub can carry: what it still does, and how soon it turns the rest away.
//!
//! The load is open: requests fall due at twice the best rate over HTTP, whatever became of those
//! before. A connection whose answer is late sends its next request as soon as it can, so what was
//! really offered is told beside. The connections stay below the hub's limit; who is turned away
//! sends the same conversion when its next one is due.

use std::time::Duration;

use serde::Serialize;

use super::ground::Ground;
use super::measured::percentile_ms;
use super::meter::{Memory, forget_peak};
use super::steady::Pace;

const CONNECTIONS: usize = 1000;

const TIMES: f64 = 2.0;

#[derive(Debug, Default, Clone, Serialize)]
pub struct Overload {
    /// What the hub does when nobody has to be turned away.
    pub best_per_s: f64,
    pub offered_per_s: f64,
    pub kept_per_s: f64,
    /// Of the best rate.
    pub kept_share: f64,
    /// How much of what was offered was answered with 503.
    pub turned_away_share: f64,
    pub turned_away_p50_ms: f64,
    pub turned_away_p99_ms: f64,
    /// Of what was done.
    pub done_p50_ms: f64,
    pub done_p99_ms: f64,
    pub memory: Memory,
}

pub async fn measure(ground: &Ground, best_per_s: f64, time: Duration) -> anyhow::Result<Overload> {
    let pace = Pace {
        connections: CONNECTIONS,
        per_s: best_per_s * TIMES,
    };
    forget_peak();
    let all = pace.keep(ground, time).await?;
    let elapsed = time.as_secs_f64();
    let (done, away) = (all.done.len() as f64, all.turned_away.len() as f64);
    let kept_per_s = (done - all.late as f64) / elapsed;
    Ok(Overload {
        best_per_s,
        offered_per_s: (done + away) / elapsed,
        kept_per_s,
        kept_share: kept_per_s / best_per_s,
        turned_away_share: away / (done + away).max(1.0),
        turned_away_p50_ms: percentile_ms(&all.turned_away, 0.5),
        turned_away_p99_ms: percentile_ms(&all.turned_away, 0.99),
        done_p50_ms: percentile_ms(&all.done, 0.5),
        done_p99_ms: percentile_ms(&all.done, 0.99),
        memory: ground.meter.memory(),
    })
}
