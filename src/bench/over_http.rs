//! Conversions over HTTP: keep-alive connections, real access tokens, JSON, every answer looked at.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::Measured;
use super::coalition::Coalition;
use super::in_process::{WARM_UP, summary};
use super::meter::Meter;
use crate::conversions::quote::Quote;
use crate::id::Kind;
use crate::server::Hub;

const CONNECTIONS: usize = 256;

/// Where the quotes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Signed before the request: conversions alone are measured.
    Beforehand,
    /// Asked for, and then taken: two requests.
    Asked,
}

#[derive(Deserialize)]
struct Quoted {
    quote: String,
}

#[derive(Deserialize)]
struct Converted {
    status: String,
}

struct Bench<'a> {
    hub: &'a Hub,
    coalition: &'a Coalition,
    http: Client,
    base_url: String,
    tokens: Vec<String>,
    quotes: Quotes,
    done: AtomicU64,
    refused: AtomicU64,
}

pub async fn measure(
    hub: &Hub,
    coalition: &Coalition,
    meter: &Meter,
    time: Duration,
    quotes: Quotes,
) -> anyhow::Result<Measured> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let server = hub.serve(listener)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let http = Client::builder()
        .pool_max_idle_per_host(CONNECTIONS)
        .build()?;
    let tokens = coalition.tokens(&http, &base_url).await?;
    let bench = Bench {
        hub,
        coalition,
        http,
        base_url,
        tokens,
        quotes,
        done: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    };

    bench.run(WARM_UP).await?;
    bench.done.store(0, Ordering::Relaxed);
    let before = meter.read().await?;
    let latencies = bench.run(time).await?;
    let done = bench.done.load(Ordering::Relaxed);
    let spent = meter.read().await?.since(before, done);
    let refused = bench.refused.load(Ordering::Relaxed);
    let measured = Measured {
        refused,
        spent,
        ..summary(latencies, done, time)
    };

    handle.stop(false).await;
    serving.await??;
    Ok(measured)
}

impl Bench<'_> {
    async fn run(&self, time: Duration) -> anyhow::Result<Vec<Vec<u32>>> {
        let end = Instant::now() + time;
        futures_util::future::try_join_all((0..CONNECTIONS).map(|_| self.call(end))).await
    }

    async fn call(&self, end: Instant) -> anyhow::Result<Vec<u32>> {
        let mut random = SmallRng::from_rng(&mut rand::rng());
        let mut latencies = Vec::new();
        let mut last: Option<(String, usize, String)> = None;
        while Instant::now() < end {
            let turn = random.random_range(0..100);
            let began;
            let (quote, issuer, key) = match (turn, &last) {
                (0, Some(last)) => {
                    began = Instant::now();
                    last.clone()
                }
                _ => {
                    let route = random.random_range(0..self.coalition.routes.len());
                    let member = random.random_range(0..self.coalition.members);
                    let too_much = turn == 1 || turn == 2;
                    let from = self.coalition.routes[route].from;
                    let quote = match self.quotes {
                        Quotes::Beforehand => {
                            let signed = self.sign(route, member, too_much)?;
                            began = Instant::now();
                            signed
                        }
                        Quotes::Asked => {
                            began = Instant::now();
                            self.ask(route, member, too_much).await?
                        }
                    };
                    (quote, from, Uuid::new_v4().to_string())
                }
            };
            self.take(&quote, issuer, &key).await?;
            latencies.push(began.elapsed().as_micros() as u32);
            last = Some((quote, issuer, key));
        }
        Ok(latencies)
    }

    fn sign(&self, route: usize, member: usize, too_much: bool) -> anyhow::Result<String> {
        let route = &self.coalition.routes[route];
        let (given, gained) = if too_much {
            route.too_much
        } else {
            route.amounts
        };
        let wallet = |place: usize| {
            self.hub
                .ids
                .show(Kind::Wallet, self.coalition.wallets[place][member])
        };
        self.hub.quotes.sign(&Quote {
            jti: Uuid::now_v7(),
            given,
            gained,
            from_wallet: wallet(route.from),
            to_wallet: wallet(route.to),
            ..route.order.quote.clone()
        })
    }

    async fn ask(&self, route: usize, member: usize, too_much: bool) -> anyhow::Result<String> {
        let route = &self.coalition.routes[route];
        let given = if too_much {
            route.too_much.0
        } else {
            route.amounts.0
        };
        let body = json!({
            "member": self.hub.ids.show(Kind::Member, self.coalition.member_ids[member]),
            "gives": {"amount": given.to_string(), "currency": self.coalition.codes[route.from]},
            "to": self.coalition.codes[route.to],
        });
        let request = self
            .http
            .post(format!("{}/v1/quotes", self.base_url))
            .json(&body);
        let answer = request.bearer_auth(&self.tokens[route.from]).send().await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "a quote failed: {}",
            answer.text().await?
        );
        Ok(answer.json::<Quoted>().await?.quote)
    }

    async fn take(&self, quote: &str, issuer: usize, key: &str) -> anyhow::Result<()> {
        let request = self
            .http
            .post(format!("{}/v1/conversions", self.base_url))
            .bearer_auth(&self.tokens[issuer])
            .header("idempotency-key", key)
            .json(&json!({"quote": quote}));
        let answer = request.send().await?;
        match answer.status() {
            StatusCode::CREATED => {
                let converted: Converted = answer
                    .json()
                    .await
                    .context("a conversion without a status")?;
                ensure!(
                    converted.status == "completed",
                    "a conversion is {}",
                    converted.status
                );
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            StatusCode::UNPROCESSABLE_ENTITY => _ = self.refused.fetch_add(1, Ordering::Relaxed),
            status => anyhow::bail!("a conversion failed: {status} {}", answer.text().await?),
        }
        Ok(())
    }
}
