//! A long journal beside a short one: rates, reading, expiry, closing, proving.

use std::time::{Duration, Instant};

use diesel_async::AsyncConnection;
use serde::Serialize;

use super::client;
use super::closes;
use super::ground::Ground;
use super::in_process;
use super::measured::{Measured, middle, percentile_ms};
use super::meter::forget_peak;
use super::over_http;
use super::past::{BUSY, CAMPAIGNS_END, Past};
use super::pick::Pick;
use super::server::{LONG, SHORT, Server};
use super::visitor::{Errand, Visitor};
use crate::db::{self, Connection};
use crate::verify;

#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    pub history: u64,
    pub history_written_per_s: f64,
    /// At the end: the long one counts its history too.
    pub short_operations: i64,
    pub long_operations: i64,
    pub short_in_process: Measured,
    pub long_in_process: Measured,
    pub in_process_share: f64,
    pub short_http: Measured,
    pub long_http: Measured,
    pub http_share: f64,
    /// Of the long journal: a wallet with a hundredth of all operations, and one with its share.
    pub busy_wallet: Reading,
    pub quiet_wallet: Reading,
    pub swept_lots: usize,
    pub swept_per_s: f64,
    pub close_ms: f64,
    pub verify_s: f64,
    pub verified_per_s: f64,
    pub verify_peak_mb: f64,
    pub difference: Option<String>,
}

/// How long reading a wallet takes while nobody else asks.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    pub balance_p50_ms: f64,
    pub balance_p99_ms: f64,
    pub statement_p50_ms: f64,
    pub statement_p99_ms: f64,
}

/// How often a wallet is read.
const READS: usize = 500;

pub async fn measure(
    server: &Server,
    (members, history): (usize, u64),
    time: Duration,
    rounds: usize,
) -> anyhow::Result<Growth> {
    let short = Ground::prepare(server, SHORT, members, None).await?;
    let mut past = Past::of(history);
    let long = Ground::prepare(server, LONG, members, Some(&mut past)).await?;

    let pick = Pick::Uniform(members);
    let (mut inside, mut outside) = ([vec![], vec![]], [vec![], vec![]]);
    for round in 1..=rounds {
        for (nth, ground) in [&short, &long].into_iter().enumerate() {
            inside[nth].push(in_process::conversions(ground, &pick, time).await?);
            outside[nth].push(over_http::measure(ground, Errand::Convert, time).await?);
        }
        eprintln!("Round {round} of a long journal beside a short one is done.");
    }
    let [short_in_process, long_in_process] = inside.map(|rounds| middle(&rounds));
    let [short_http, long_http] = outside.map(|rounds| middle(&rounds));

    let [busy_wallet, quiet_wallet] = read(&long, [BUSY.0, members / 2]).await?;
    let (swept_lots, sweeping) = sweep(&long).await?;
    let closing = closes::close(&long).await?;
    forget_peak();
    let began = Instant::now();
    let proved = verify::verify(&long.url).await?;
    let proving = began.elapsed().as_secs_f64();
    let verify_peak_mb = long.meter.memory().hub_peak_mb;
    let of_short = verify::verify(&short.url).await?;
    short.leave().await?;
    long.leave().await?;

    Ok(Growth {
        history,
        history_written_per_s: history as f64 / past.took.as_secs_f64(),
        short_operations: of_short.operations,
        long_operations: proved.operations,
        in_process_share: long_in_process.per_s / short_in_process.per_s,
        short_in_process,
        long_in_process,
        http_share: long_http.per_s / short_http.per_s,
        short_http,
        long_http,
        busy_wallet,
        quiet_wallet,
        swept_lots,
        swept_per_s: swept_lots as f64 / sweeping.as_secs_f64(),
        close_ms: closing.as_secs_f64() * 1e3,
        verify_s: proving,
        verified_per_s: proved.operations as f64 / proving,
        verify_peak_mb,
        difference: proved.difference.or(of_short.difference),
    })
}

/// Reads two members' wallets of the busy route in turn, again and again.
async fn read(ground: &Ground, members: [usize; 2]) -> anyhow::Result<[Reading; 2]> {
    let tokens = &ground.tokens().await?;
    let brand = ground.coalition.routes[BUSY.1].from;
    let came = client::call_all(1, |_| async move {
        let mut visitor = Visitor::new(ground, tokens).await?;
        let mut waits: [[Vec<u32>; 2]; 2] = Default::default();
        for _ in 0..READS {
            for (member, waits) in members.into_iter().zip(&mut waits) {
                for (below, waits) in ["", "/statement?limit=50"].into_iter().zip(waits) {
                    let began = Instant::now();
                    visitor.read_wallet(brand, member, below).await?;
                    waits.push(began.elapsed().as_micros() as u32);
                }
            }
        }
        Ok(waits)
    })?;
    let waits = came.each.into_iter().next().unwrap_or_default();
    Ok(waits.map(Reading::of))
}

impl Reading {
    fn of([mut balance, mut statement]: [Vec<u32>; 2]) -> Reading {
        balance.sort_unstable();
        statement.sort_unstable();
        Reading {
            balance_p50_ms: percentile_ms(&balance, 0.5),
            balance_p99_ms: percentile_ms(&balance, 0.99),
            statement_p50_ms: percentile_ms(&statement, 0.5),
            statement_p99_ms: percentile_ms(&statement, 0.99),
        }
    }
}

/// Lets the campaigns end, and writes down what expired.
async fn sweep(ground: &Ground) -> anyhow::Result<(usize, Duration)> {
    let mut owner = Connection::establish(&ground.url).await?;
    db::turn_clock_forward(&mut owner, CAMPAIGNS_END).await?;
    let began = Instant::now();
    let lots = ground.hub.ledger.sweep(&ground.hub.secrets).await?;
    Ok((lots, began.elapsed()))
}
