//! Conversions handed to the ledger by callers in this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::Measured;
use super::coalition::{Coalition, Route};
use super::meter::Meter;
use crate::conversions::decision::Order;
use crate::ledger::command::{Failed, Stamp};
use crate::ledger::execute::Done;
use crate::points::account::Account;
use crate::server::Hub;
use crate::web::once::Claim;

const CALLERS: usize = 1024;

/// How long is run before anything counts.
pub const WARM_UP: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    refused: AtomicU64,
    repeated: AtomicU64,
}

/// What a caller sends next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ordinary,
    /// The one before once more, under its key.
    Again,
    /// More than the wallet has.
    TooMuch,
}

pub async fn measure(
    hub: &Hub,
    coalition: &Coalition,
    meter: &Meter,
    time: Duration,
) -> anyhow::Result<Measured> {
    run(hub, coalition, WARM_UP).await?;
    let before = meter.read().await?;
    let mut measured = run(hub, coalition, time).await?;
    let done = (measured.per_s * time.as_secs_f64()) as u64;
    measured.spent = meter.read().await?.since(before, done);
    Ok(measured)
}

async fn run(hub: &Hub, coalition: &Coalition, time: Duration) -> anyhow::Result<Measured> {
    let (counts, end) = (Counts::default(), Instant::now() + time);
    let callers = (0..CALLERS).map(|_| call(hub, coalition, &counts, end));
    let latencies = futures_util::future::try_join_all(callers).await?;
    Ok(Measured {
        refused: counts.refused.into_inner(),
        repeated: counts.repeated.into_inner(),
        ..summary(latencies, counts.done.into_inner(), time)
    })
}

/// Rates and percentiles of what took so many microseconds each.
pub fn summary(latencies: Vec<Vec<u32>>, done: u64, time: Duration) -> Measured {
    let mut all: Vec<u32> = latencies.into_iter().flatten().collect();
    all.sort_unstable();
    let at = |share: f64| {
        all.get((all.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    Measured {
        per_s: done as f64 / time.as_secs_f64(),
        p50_ms: f64::from(at(0.5)) / 1e3,
        p99_ms: f64::from(at(0.99)) / 1e3,
        ..Measured::default()
    }
}

async fn call(
    hub: &Hub,
    coalition: &Coalition,
    counts: &Counts,
    end: Instant,
) -> anyhow::Result<Vec<u32>> {
    let mut random = SmallRng::from_rng(&mut rand::rng());
    let mut latencies = Vec::new();
    let mut last: Option<(Order, Stamp)> = None;
    while Instant::now() < end {
        let turn = match random.random_range(0..100) {
            0 => Turn::Again,
            1 | 2 => Turn::TooMuch,
            _ => Turn::Ordinary,
        };
        let (order, stamp) = match (turn, &last) {
            (Turn::Again, Some((order, stamp))) => (order.clone(), stamp.clone()),
            _ => {
                let route = &coalition.routes[random.random_range(0..coalition.routes.len())];
                let member = random.random_range(0..coalition.members);
                (
                    order(coalition, route, member, turn == Turn::TooMuch),
                    stamp(),
                )
            }
        };
        let began = Instant::now();
        let outcome = hub.ledger.hand_in(order.clone(), stamp.clone()).await;
        latencies.push(began.elapsed().as_micros() as u32);
        match outcome {
            Ok(Done::Now(_)) => _ = counts.done.fetch_add(1, Ordering::Relaxed),
            Ok(Done::Before(_)) => _ = counts.repeated.fetch_add(1, Ordering::Relaxed),
            Err(Failed::Refused(_)) => _ = counts.refused.fetch_add(1, Ordering::Relaxed),
            Err(other) => anyhow::bail!("a conversion failed: {other:?}"),
        }
        last = Some((order, stamp));
    }
    Ok(latencies)
}

fn order(coalition: &Coalition, route: &Route, member: usize, too_much: bool) -> Order {
    let (given, gained) = if too_much {
        route.too_much
    } else {
        route.amounts
    };
    let wallet = |place: usize| Account(coalition.wallets[place][member]);
    let mut order = route.order.clone();
    order.quote.jti = Uuid::now_v7();
    (order.quote.given, order.quote.gained) = (given, gained);
    (order.from.wallet, order.to.wallet) = (wallet(route.from), wallet(route.to));
    order
}

fn stamp() -> Stamp {
    let claim = Claim {
        key_hash: Uuid::new_v4(),
        body_hash: Uuid::nil(),
    };
    Stamp {
        claim,
        principal_id: 1,
        request_id: Uuid::now_v7(),
        version: None,
        reference: None,
    }
}
