//! Twice the load the hub can carry: what it still does, and how soon it turns the rest away.
//!
//! The load is open: requests fall due at twice the best rate over HTTP, whatever became of those
//! before. A connection whose answer is late sends its next request as soon as it can, so what was
//! really offered is told beside. The connections stay below the hub's limit; who is turned away
//! sends the same conversion when its next one is due.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::client;
use super::ground::Ground;
use super::measured::percentile_ms;
use super::meter::{Memory, forget_peak};
use super::visitor::{Taken, Visitor};

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

/// How long each waited, in microseconds.
#[derive(Default)]
struct Waits {
    done: Vec<u32>,
    turned_away: Vec<u32>,
    /// Done after the time was over: these do not count for the rate.
    late: u64,
}

pub async fn measure(ground: &Ground, best_per_s: f64, time: Duration) -> anyhow::Result<Overload> {
    let tokens = &ground.tokens().await?;
    let period = Duration::from_secs_f64(CONNECTIONS as f64 / (best_per_s * TIMES));
    forget_peak();
    let began = Instant::now();
    let end = began + time;
    let came = client::call_all(CONNECTIONS, |nth| async move {
        let mut visitor = Visitor::new(ground, tokens).await?;
        let first = began + period.mul_f64(nth as f64 / CONNECTIONS as f64);
        insist(&mut visitor, first, period, end).await
    })?;
    let elapsed = time.as_secs_f64();

    let mut all = Waits::default();
    for waits in came.each {
        all.done.extend(waits.done);
        all.turned_away.extend(waits.turned_away);
        all.late += waits.late;
    }
    all.done.sort_unstable();
    all.turned_away.sort_unstable();
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

/// Sends a conversion whenever one is due.
async fn insist(
    visitor: &mut Visitor<'_>,
    mut due: Instant,
    period: Duration,
    end: Instant,
) -> anyhow::Result<Waits> {
    let mut waits = Waits::default();
    let mut intent = visitor.any_intent()?;
    loop {
        tokio::time::sleep_until(due.into()).await;
        if Instant::now() >= end {
            return Ok(waits);
        }
        let began = Instant::now();
        let taken = visitor.take(&intent).await?;
        let wait = began.elapsed().as_micros() as u32;
        match taken {
            Taken::TurnedAway => waits.turned_away.push(wait),
            Taken::Done | Taken::Refused => {
                waits.done.push(wait);
                waits.late += u64::from(Instant::now() > end);
                intent = visitor.any_intent()?;
            }
        }
        due += period;
    }
}
