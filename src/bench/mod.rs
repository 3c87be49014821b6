//! The bench: how fast the hub is, beside PostgreSQL's own benchmark on the same server.
//!
//! It starts a durable database of its own, lets brands, cards and members in by the use cases that
//! everybody uses, and then measures in turn, so that what else the machine does meets all alike:
//!
//! | measure | what is done |
//! |---------|--------------|
//! | tpcb | `pgbench`, the TPC-B-like script, prepared, 16 clients |
//! | in process | 1,024 callers hand conversions to the ledger, each waiting until it is durable |
//! | http | 256 keep-alive connections take quotes that were signed beforehand |
//! | http with quote | the same, asking for each quote first |
//!
//! One conversion in a hundred is sent twice under its key, and two ask for more than the wallet
//! has. Rates count what was acknowledged as done. At the end the books are proved.

mod coalition;
mod in_process;
mod meter;
mod over_http;
mod pgbench;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::cli;
use crate::config::create_database;
use crate::db;
use crate::pg::{Cluster, Durability};
use crate::server::Hub;
use crate::verify;
use meter::{Meter, Spent};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many members are loaded, each with wallets in twelve currencies
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How often everything is measured; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the database is made; a temporary directory when left out, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// End with one JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// What one measurement gave.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Done a second.
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub refused: u64,
    pub repeated: u64,
    /// Per operation done.
    pub spent: Spent,
}

#[derive(Debug, Serialize)]
struct Report {
    members: usize,
    seconds: u64,
    rounds: usize,
    tpcb_tps: f64,
    conversions_in_process_per_s: f64,
    conversions_http_per_s: f64,
    quote_and_conversion_http_per_s: f64,
    ratio_in_process: f64,
    ratio_http: f64,
    ratio_http_with_quote: f64,
    wal_bytes_per_conversion: f64,
    wal_full_page_bytes_per_conversion: f64,
    p50_ms: f64,
    p99_ms: f64,
    http_p50_ms: f64,
    http_p99_ms: f64,
    in_process: Vec<Measured>,
    http: Vec<Measured>,
    http_with_quote: Vec<Measured>,
    proved: verify::Report,
}

/// Settings of the server for every measurement, pgbench's too. Durability is not among them.
const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("wal_buffers", "16MB"),
];

pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        members,
        seconds,
        rounds,
        data_dir,
        json,
    } = arguments;
    ensure!(
        members >= 100 && rounds >= 1 && seconds >= 1,
        "at least 100 members, one round and one second"
    );
    let temporary = data_dir.is_none();
    let dir = data_dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("interline-bench-{}", std::process::id()))
    });
    let at = dir.clone();
    let cluster =
        tokio::task::spawn_blocking(move || Cluster::start(&at, Durability::Durable, &SETTINGS))
            .await??;
    let result = measure(&cluster, members, Duration::from_secs(seconds), rounds).await;
    tokio::task::spawn_blocking(move || cluster.stop()).await??;
    if temporary {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let report = result?;
    match json {
        true => cli::say(serde_json::to_string_pretty(&report)?),
        false => cli::say(tell(&report)),
    }
    Ok(ExitCode::from(u8::from(report.proved.difference.is_some())))
}

async fn measure(
    cluster: &Cluster,
    members: usize,
    time: Duration,
    rounds: usize,
) -> anyhow::Result<Report> {
    create_database(&cluster.url("postgres")).await?;
    let url = cluster.url(crate::config::DATABASE);
    db::migrate(&url).await?;
    let hub = Hub::new(&url, "http://bench").await?;
    eprintln!("Loading {members} members with wallets in twelve currencies ...");
    let coalition = coalition::load(&hub, members).await?;
    pgbench::prepare(cluster).await?;
    let meter = Meter::new(&url).await?;
    meter.settle().await?;

    let (mut tpcb, mut in_process, mut http, mut http_with_quote) =
        (vec![], vec![], vec![], vec![]);
    for round in 1..=rounds {
        tpcb.push(pgbench::tpcb(cluster, time).await?);
        in_process.push(in_process::measure(&hub, &coalition, &meter, time).await?);
        http.push(
            over_http::measure(
                &hub,
                &coalition,
                &meter,
                time,
                over_http::Quotes::Beforehand,
            )
            .await?,
        );
        http_with_quote.push(
            over_http::measure(&hub, &coalition, &meter, time, over_http::Quotes::Asked).await?,
        );
        eprintln!(
            "Round {round}: TPC-B {:.0} a second, in process {:.0}, over HTTP {:.0}, with quote {:.0}",
            tpcb[round - 1],
            in_process[round - 1].per_s,
            http[round - 1].per_s,
            http_with_quote[round - 1].per_s
        );
    }

    eprintln!("Proving the books ...");
    let proved = verify::verify(&url).await?;
    let rate = |measured: &[Measured]| median(measured.iter().map(|one| one.per_s));
    let tpcb_tps = median(tpcb.into_iter());
    Ok(Report {
        members,
        seconds: time.as_secs(),
        rounds,
        tpcb_tps,
        conversions_in_process_per_s: rate(&in_process),
        conversions_http_per_s: rate(&http),
        quote_and_conversion_http_per_s: rate(&http_with_quote),
        ratio_in_process: rate(&in_process) / tpcb_tps,
        ratio_http: rate(&http) / tpcb_tps,
        ratio_http_with_quote: rate(&http_with_quote) / tpcb_tps,
        wal_bytes_per_conversion: median(in_process.iter().map(|one| one.spent.wal_bytes)),
        wal_full_page_bytes_per_conversion: median(
            in_process.iter().map(|one| one.spent.wal_full_page_bytes),
        ),
        p50_ms: median(in_process.iter().map(|one| one.p50_ms)),
        p99_ms: median(in_process.iter().map(|one| one.p99_ms)),
        http_p50_ms: median(http.iter().map(|one| one.p50_ms)),
        http_p99_ms: median(http.iter().map(|one| one.p99_ms)),
        in_process,
        http,
        http_with_quote,
        proved,
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn tell(report: &Report) -> String {
    let line =
        |name: &str, rate: f64, ratio: f64| format!("{name:<34} {rate:>10.0}   {ratio:>5.1} x\n");
    let spent = |name: &str, measured: &[Measured]| {
        let of = |field: fn(&Spent) -> f64| median(measured.iter().map(|one| field(&one.spent)));
        format!(
            "{name:<34} hub and client {:.0} us, PostgreSQL {:.0} us, WAL {:.0} B, at most {:.0} B of it full pages, {:.3} \
             fsyncs\n",
            of(|spent| spent.own_cpu_us),
            of(|spent| spent.database_cpu_us),
            of(|spent| spent.wal_bytes),
            of(|spent| spent.wal_full_page_bytes),
            of(|spent| spent.fsyncs)
        )
    };
    let mut text = format!("{:<34} {:>10}   ratio\n", "", "a second");
    text += &line("pgbench, TPC-B-like", report.tpcb_tps, 1.0);
    text += &line(
        "conversions in process",
        report.conversions_in_process_per_s,
        report.ratio_in_process,
    );
    text += &line(
        "conversions over HTTP",
        report.conversions_http_per_s,
        report.ratio_http,
    );
    text += &line(
        "quote and conversion over HTTP",
        report.quote_and_conversion_http_per_s,
        report.ratio_http_with_quote,
    );
    text += &format!(
        "\nIn process p50 {:.1} ms, p99 {:.1} ms; over HTTP p50 {:.1} ms, p99 {:.1} ms.\n\nEach conversion costs\n",
        report.p50_ms, report.p99_ms, report.http_p50_ms, report.http_p99_ms
    );
    text += &spent("in process", &report.in_process);
    text += &spent("over HTTP", &report.http);
    text += &format!("\n{}", report.proved);
    text
}
