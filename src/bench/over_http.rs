//! Conversions over HTTP: keep-alive connections, real access tokens, JSON, every answer looked at.
//!
//! The client shares the processors with what is measured, so it is a plain one: a socket, a request
//! written in one piece, an answer read by its length.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
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

/// A keep-alive connection to the hub.
struct Line {
    socket: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Line {
    async fn open(address: SocketAddr) -> anyhow::Result<Line> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Line {
            socket: BufReader::new(socket),
            answer: Vec::new(),
        })
    }

    /// Posts a JSON body; answers the status and the body.
    async fn post(
        &mut self,
        path: &str,
        headers: &str,
        body: &str,
    ) -> anyhow::Result<(u16, &[u8])> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.socket.get_mut().write_all(request.as_bytes()).await?;
        self.answer.clear();
        loop {
            let got = self.socket.read_until(b'\n', &mut self.answer).await?;
            ensure!(got > 0, "the hub closed a connection");
            if self.answer.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let head = self.answer.len();
        let (status, length) = head_of(&self.answer)?;
        self.answer.resize(head + length, 0);
        self.socket.read_exact(&mut self.answer[head..]).await?;
        Ok((status, &self.answer[head..]))
    }
}

/// Status and length of the body.
fn head_of(bytes: &[u8]) -> anyhow::Result<(u16, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    head.parse(bytes)?;
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without a length")?;
    let length = std::str::from_utf8(length.value)?.parse()?;
    Ok((head.code.context("an answer without a status")?, length))
}

struct Bench<'a> {
    hub: &'a Hub,
    coalition: &'a Coalition,
    address: SocketAddr,
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
    let address = listener.local_addr()?;
    let server = hub.serve(listener)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let tokens = coalition
        .tokens(&Client::new(), &format!("http://{address}"))
        .await?;
    let bench = Bench {
        hub,
        coalition,
        address,
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
        let mut line = Line::open(self.address).await?;
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
                            self.ask(&mut line, route, member, too_much).await?
                        }
                    };
                    (quote, from, Uuid::new_v4().to_string())
                }
            };
            self.take(&mut line, &quote, issuer, &key).await?;
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

    async fn ask(
        &self,
        line: &mut Line,
        route: usize,
        member: usize,
        too_much: bool,
    ) -> anyhow::Result<String> {
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
        let headers = format!("Authorization: Bearer {}\r\n", self.tokens[route.from]);
        let (status, answer) = line.post("/v1/quotes", &headers, &body.to_string()).await?;
        ensure!(
            status == 200,
            "a quote failed: {status} {}",
            String::from_utf8_lossy(answer)
        );
        Ok(serde_json::from_slice::<Quoted>(answer)?.quote)
    }

    async fn take(
        &self,
        line: &mut Line,
        quote: &str,
        issuer: usize,
        key: &str,
    ) -> anyhow::Result<()> {
        let headers = format!(
            "Authorization: Bearer {}\r\nIdempotency-Key: {key}\r\n",
            self.tokens[issuer]
        );
        let body = json!({"quote": quote}).to_string();
        let (status, answer) = line.post("/v1/conversions", &headers, &body).await?;
        match status {
            201 => {
                let converted: Converted =
                    serde_json::from_slice(answer).context("a conversion without a status")?;
                ensure!(
                    converted.status == "completed",
                    "a conversion is {}",
                    converted.status
                );
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            422 => _ = self.refused.fetch_add(1, Ordering::Relaxed),
            status => anyhow::bail!(
                "a conversion failed: {status} {}",
                String::from_utf8_lossy(answer)
            ),
        }
        Ok(())
    }
}
