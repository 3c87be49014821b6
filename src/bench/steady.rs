//! A steady client: conversions over HTTP that fall due at a rate, whatever became of those before.
//!
//! What it notices of something that goes on beside it is told by its p99 with and without, measured in turn
//! so that what else the machine does meets both alike; the medians of the turns count.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::client;
use super::ground::Ground;
use super::measured::{median, percentile_ms};
use super::visitor::{Taken, Visitor};

/// How often each is measured.
const TURNS: u32 = 3;

/// What a client sees that comes at this rate.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub connections: usize,
    pub per_s: f64,
}

/// How long each waited, in microseconds, sorted.
#[derive(Default)]
pub struct Waits {
    pub done: Vec<u32>,
    pub turned_away: Vec<u32>,
    /// Done after the time was over: these do not count for the rate.
    pub late: u64,
}

/// A steady client alone, and beside something.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Beside {
    pub offered_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p50_alone_ms: f64,
    pub p99_alone_ms: f64,
    /// Of the p99 beside and alone.
    pub p99_ratio: f64,
}

impl Pace {
    /// A part of the best rate, on a few connections.
    pub fn at_ease(best_per_s: f64) -> Pace {
        Pace {
            connections: 32,
            per_s: best_per_s / 8.0,
        }
    }

    /// Sends a conversion whenever one is due. A connection whose answer is late sends its next as soon as it
    /// can.
    pub async fn keep(self, ground: &Ground, time: Duration) -> anyhow::Result<Waits> {
        let tokens = &ground.tokens().await?;
        let Pace { connections, per_s } = self;
        let period = Duration::from_secs_f64(connections as f64 / per_s);
        let began = Instant::now();
        let end = began + time;
        let came = client::call_all(connections, |nth| async move {
            let mut visitor = Visitor::new(ground, tokens).await?;
            let first = began + period.mul_f64(nth as f64 / connections as f64);
            insist(&mut visitor, first, period, end).await
        })?;
        let mut all = Waits::default();
        for waits in came.each {
            all.done.extend(waits.done);
            all.turned_away.extend(waits.turned_away);
            all.late += waits.late;
        }
        all.done.sort_unstable();
        all.turned_away.sort_unstable();
        Ok(all)
    }

    /// Measures alone and beside what `begin` starts, which ends when what it gave is dropped.
    pub async fn beside<T>(
        self,
        ground: &Ground,
        time: Duration,
        begin: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<Beside> {
        let each = time / TURNS;
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            alone.push(self.keep(ground, each).await?.done);
            let going_on = begin().await?;
            beside.push(self.keep(ground, each).await?.done);
            drop(going_on);
        }
        let middle = |turns: &[Vec<u32>], share| {
            let of_each = turns.iter().map(|waits| percentile_ms(waits, share));
            median(&of_each.collect::<Vec<_>>())
        };
        let (p99_ms, p99_alone_ms) = (middle(&beside, 0.99), middle(&alone, 0.99));
        Ok(Beside {
            offered_per_s: self.per_s,
            p50_ms: middle(&beside, 0.5),
            p99_ms,
            p50_alone_ms: middle(&alone, 0.5),
            p99_alone_ms,
            p99_ratio: p99_ms / p99_alone_ms,
        })
    }
}

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
