//! The bench: how fast the hub is, beside PostgreSQL's own benchmark on the same server.
//!
//! It starts a durable database of its own, or takes one, lets brands, cards and members in by the
//! use cases that everybody uses, and measures. What the goals compare is measured in turn, round by
//! round, so that what else the machine does meets all alike:
//!
//! | measure | what is done |
//! |---------|--------------|
//! | tpcb, simple update | `pgbench`, two scripts, prepared, as many clients as suit the first best |
//! | in process | 1,024 callers hand conversions to the ledger, each waiting until it is durable |
//! | http | 256 keep-alive connections take quotes that were signed beforehand |
//! | http with quote | the same, asking for each quote first |
//!
//! The rest is measured once, for ten seconds at most: the same in process by a Zipf law, awards in
//! batches, quotes alone, balance reads, twice the load the hub can carry (`overload`); for twice that,
//! 200 windows that close beside a steady load (`closes`); what a steady client notices of 500 slow connections
//! (`slow_connections`) and of a backlog of webhooks that drains (`webhooks`); and, when asked for, a long journal beside a
//! short one (`growth`).
//!
//! One conversion in a hundred is sent twice under its key, and two ask for more than the wallet
//! has. Rates count what was acknowledged as done. At the end the books are proved.

mod client;
mod closes;
mod coalition;
mod crowd;
mod drain;
mod ground;
mod growth;
mod in_process;
mod line;
mod measured;
mod meter;
mod over_http;
mod overload;
mod past;
mod pgbench;
mod pick;
mod report;
mod server;
mod steady;
mod table;
mod visitor;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;

use crate::cli;
use crate::verify;
use ground::Ground;
use pgbench::Script;
use pick::Pick;
use report::{Once, Report, Rounds, Setup};
use server::Server;
use steady::Pace;
use visitor::Errand;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many members are loaded, each with wallets in twelve currencies
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How often what the goals compare is measured; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure also beside so many operations of history: 100k, 10M, 100M
    #[arg(long, value_name = "N", value_parser = count)]
    history: Option<u64>,
    /// Where the database is made; a temporary directory when left out, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A PostgreSQL on this machine instead, as a superuser; what the bench makes there is dropped
    /// at the end
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    database_url: Option<String>,
    /// End with one JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// How long what is measured once takes, and pgbench with each number of clients, at most.
const ONCE: Duration = Duration::from_secs(10);
const TRIAL: Duration = Duration::from_secs(5);

pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        arguments.members >= 100 && arguments.rounds >= 1 && arguments.seconds >= 1,
        "at least 100 members, one round and one second"
    );
    let server = match &arguments.database_url {
        Some(url) => Server::given(url).await?,
        None => Server::start(arguments.data_dir.clone()).await?,
    };
    let result = measure(&server, &arguments).await;
    server.end().await?;
    let report = result?;
    match arguments.json {
        true => cli::say(serde_json::to_string_pretty(&report)?),
        false => cli::say(&report),
    }
    Ok(ExitCode::from(u8::from(!report.is_right())))
}

async fn measure(server: &Server, arguments: &Arguments) -> anyhow::Result<Report> {
    let Arguments {
        members,
        seconds,
        rounds,
        history,
        ..
    } = *arguments;
    let time = Duration::from_secs(seconds);
    let ground = Ground::prepare(server, server::ORDINARY, members, None).await?;
    pgbench::prepare(server).await?;

    eprintln!("Trying numbers of clients of pgbench ...");
    let tpcb_clients = pgbench::best_clients(server, time.min(TRIAL)).await?;
    let mut all = Rounds::default();
    for round in 1..=rounds {
        eprintln!("Round {round} of {rounds}:");
        measure_round(server, &ground, &mut all, tpcb_clients, time).await?;
    }
    let best_http = measured::middle(&all.http).per_s;
    let once = measure_once(&ground, best_http, time.min(ONCE)).await?;
    eprintln!("Proving the books ...");
    let proved = verify::verify(&ground.url).await?;
    ground.leave().await?;
    let growth = match history {
        None => None,
        Some(history) => Some(growth::measure(server, (members, history), time, rounds).await?),
    };
    let setup = Setup {
        members,
        seconds,
        rounds,
        tpcb_clients,
    };
    Ok(Report::of(setup, all, once, growth, proved))
}

async fn measure_round(
    server: &Server,
    ground: &Ground,
    all: &mut Rounds,
    clients: u32,
    time: Duration,
) -> anyhow::Result<()> {
    let said = |rate: f64, what: &str| eprintln!("  {rate:>8.0} a second: {what}");
    let everybody = Pick::Uniform(ground.coalition.members);
    let tpcb = pgbench::tps(server, Script::TpcB, clients, time).await?;
    said(tpcb, "TPC-B");
    all.tpcb_tps.push(tpcb);
    let inside = in_process::conversions(ground, &everybody, time).await?;
    said(inside.per_s, "conversions in process");
    all.in_process.push(inside);
    let outside = over_http::measure(ground, Errand::Convert, time).await?;
    said(outside.per_s, "conversions over HTTP");
    all.http.push(outside);
    let simple = pgbench::tps(server, Script::SimpleUpdate, clients, time).await?;
    said(simple, "simple update");
    all.simple_update_tps.push(simple);
    let with_quote = over_http::measure(ground, Errand::QuoteAndConvert, time).await?;
    said(with_quote.per_s, "quote and conversion over HTTP");
    all.http_with_quote.push(with_quote);
    Ok(())
}

async fn measure_once(ground: &Ground, best_http: f64, time: Duration) -> anyhow::Result<Once> {
    let members = ground.coalition.members;
    let (everybody, few) = (Pick::Uniform(members), Pick::zipf(members));
    eprintln!("Measuring a Zipf law, awards, quotes and balance reads ...");
    let zipf = in_process::conversions(ground, &few, time).await?;
    let awards = in_process::awards(ground, time).await?;
    let quotes = over_http::measure(ground, Errand::Quote, time).await?;
    let balance_reads = over_http::measure(ground, Errand::ReadWallet, time).await?;
    eprintln!("Offering twice what the hub can carry ...");
    let overload = overload::measure(ground, best_http, time).await?;
    eprintln!("Closing windows under load ...");
    let closes = closes::measure(ground, &everybody, 2 * time).await?;
    let pace = Pace::at_ease(best_http);
    eprintln!("Beside 500 slow connections ...");
    let slow_connections = crowd::measure(ground, pace, 3 * time).await?;
    eprintln!("Beside webhooks that drain ...");
    let webhooks = drain::measure(ground, pace, 3 * time).await?;
    Ok(Once {
        zipf,
        awards,
        quotes,
        balance_reads,
        overload,
        closes,
        slow_connections,
        webhooks,
    })
}

/// A number of operations: `100k` and `10M` are ways to say it.
fn count(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(['k', 'M']);
    let times = match &text[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ => 0,
    };
    let number = digits.parse::<u64>().ok();
    let number = number.and_then(|number| number.checked_mul(times));
    number
        .filter(|number| (1_000..=1_000_000_000).contains(number))
        .ok_or_else(|| "from 1000 to 1000M operations, such as 100k or 10M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_history_is_counted_in_thousands_and_millions() {
        let read = ["100k", "10M", "2500"].map(count);
        assert_eq!(read, [Ok(100_000), Ok(10_000_000), Ok(2_500)]);
        for wrong in ["", "M", "10G", "1kM", "-1", "999", "1001M", "1.5M"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
