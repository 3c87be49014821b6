//! What is handed to the ledger by callers in this process.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::coalition::stamp;
use super::ground::Ground;
use super::measured::{Measured, Run, Tally};
use super::pick::Pick;
use crate::conversions::decision::Order;
use crate::ledger::command::{Failed, Stamp};
use crate::ledger::execute::Done;

const CALLERS: usize = 1024;

/// Who hands in batches of awards, and how many awards each.
const BATCHERS: usize = 16;
const BATCH: usize = 100;

/// What a caller sends next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Ordinary,
    /// The one before once more, under its key.
    Again,
    /// More than the wallet has.
    TooMuch,
}

impl Turn {
    /// One in a hundred again, two too much.
    pub fn next(random: &mut SmallRng) -> Turn {
        match random.random_range(0..100) {
            0 => Turn::Again,
            1 | 2 => Turn::TooMuch,
            _ => Turn::Ordinary,
        }
    }
}

/// Conversions, each caller waiting until its own is durable.
pub async fn conversions(ground: &Ground, pick: &Pick, time: Duration) -> anyhow::Result<Measured> {
    let work = async |time| run_conversions(ground, pick, time).await;
    ground.measure(work, time).await
}

pub async fn run_conversions(ground: &Ground, pick: &Pick, time: Duration) -> anyhow::Result<Run> {
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| convert(ground, pick, began + time));
    let tallies = try_join_all(callers).await?;
    Ok(Run::of(tallies, began.elapsed(), 0.0))
}

async fn convert(ground: &Ground, pick: &Pick, end: Instant) -> anyhow::Result<Tally> {
    let mut random = SmallRng::from_rng(&mut rand::rng());
    let mut tally = Tally::default();
    let mut last: Option<(Order, Stamp)> = None;
    while Instant::now() < end {
        let turn = Turn::next(&mut random);
        let (order, stamp) = match (turn, last.take()) {
            (Turn::Again, Some(last)) => last,
            _ => {
                let route = random.random_range(0..ground.coalition.routes.len());
                let member = pick.member(&mut random);
                let too_much = turn == Turn::TooMuch;
                (ground.coalition.order(route, member, too_much), stamp())
            }
        };
        let began = Instant::now();
        let ledger = &ground.hub.ledger;
        let outcome = ledger.hand_in(order.clone(), stamp.clone()).await;
        tally.waited_since(began);
        match outcome {
            Ok(Done::Now(_)) => tally.done += 1,
            Ok(Done::Before(_)) => tally.repeated += 1,
            Err(Failed::Refused(_)) => tally.refused += 1,
            Err(other) => anyhow::bail!("a conversion failed: {other:?}"),
        }
        last = Some((order, stamp));
    }
    Ok(tally)
}

/// Awards in batches; rates count awards, waits are those of whole batches.
pub async fn awards(ground: &Ground, time: Duration) -> anyhow::Result<Measured> {
    let run = async |time| {
        let began = Instant::now();
        let callers = (0..BATCHERS).map(|_| award(ground, began + time));
        let tallies = try_join_all(callers).await?;
        Ok(Run::of(tallies, began.elapsed(), 0.0))
    };
    ground.measure(run, time).await
}

async fn award(ground: &Ground, end: Instant) -> anyhow::Result<Tally> {
    let coalition = &ground.coalition;
    let mut random = SmallRng::from_rng(&mut rand::rng());
    let mut tally = Tally::default();
    while Instant::now() < end {
        let batch: Vec<_> = (0..BATCH)
            .map(|_| {
                let brand = random.random_range(0..coalition.wallets.len());
                let member = random.random_range(0..coalition.members);
                ground
                    .hub
                    .ledger
                    .hand_in(coalition.award(brand, member, 1), stamp())
            })
            .collect();
        let began = Instant::now();
        for outcome in join_all(batch).await {
            outcome.map_err(|failed| anyhow::anyhow!("an award failed: {failed:?}"))?;
            tally.done += 1;
        }
        tally.waited_since(began);
    }
    Ok(tally)
}
