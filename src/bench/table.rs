//! The report as people read it.

use std::fmt::{Display, Formatter, Result};

use super::closes::Closes;
use super::drain::Drain;
use super::growth::{Growth, Reading};
use super::measured::Measured;
use super::overload::Overload;
use super::report::Report;
use super::steady::Beside;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (once, clients) = (&self.once, self.setup.tpcb_clients);
        let rows = [
            ("conversions in process", &self.in_process),
            ("  members by Zipf's law", &once.zipf),
            ("conversions over HTTP", &self.http),
            ("quote and conversion over HTTP", &self.http_with_quote),
            ("quotes over HTTP", &once.quotes),
            ("balance reads over HTTP", &once.balance_reads),
            ("awards in process, batches of 100", &once.awards),
        ];

        writeln!(
            f,
            "{:<34}{:>10}{:>9}{:>9}{:>9}",
            "", "a second", "x TPC-B", "p50 ms", "p99 ms"
        )?;
        let script = |name: &str| format!("pgbench, {name}, {clients} clients");
        let yardsticks = [
            (script("TPC-B-like"), self.tpcb_tps),
            (script("simple update"), self.simple_update_tps),
        ];
        for (name, rate) in yardsticks {
            writeln!(f, "{name:<34}{rate:>10.0}{:>9.2}", rate / self.tpcb_tps)?;
        }
        for (name, it) in rows {
            rates(f, name, it, self.tpcb_tps)?;
        }

        writeln!(f)?;
        let each = ["hub us", "client us", "PG us", "WAL B", "pages B", "fsyncs"];
        heads(f, "each costs", &each)?;
        for (name, it) in rows {
            costs(f, name, it)?;
        }

        writeln!(f)?;
        heads(
            f,
            "memory in MiB, at the end",
            &["hub", "hub peak", "PG own", "PG shared"],
        )?;
        for (name, it) in rows {
            memory(f, name, it)?;
        }
        overload(f, &once.overload)?;
        closes(f, &once.closes)?;
        beside(
            f,
            "500 connections that send a byte a second",
            &once.slow_connections,
        )?;
        let Drain {
            per_s,
            delivered,
            client,
        } = &once.webhooks;
        let drained = format!("{delivered} webhooks that drain at {per_s:.0} a second");
        beside(f, &drained, client)?;
        if let Some(it) = &self.growth {
            growth(f, it)?;
        }
        write!(f, "\n{}", self.proved)
    }
}

fn heads(f: &mut Formatter<'_>, name: &str, heads: &[&str]) -> Result {
    write!(f, "{name:<34}")?;
    for head in heads {
        write!(f, "{head:>10}")?;
    }
    writeln!(f)
}

fn rates(f: &mut Formatter<'_>, name: &str, it: &Measured, tpcb: f64) -> Result {
    let Measured {
        per_s,
        p50_ms,
        p99_ms,
        ..
    } = it;
    let ratio = per_s / tpcb;
    writeln!(
        f,
        "{name:<34}{per_s:>10.0}{ratio:>9.2}{p50_ms:>9.1}{p99_ms:>9.1}"
    )
}

fn costs(f: &mut Formatter<'_>, name: &str, it: &Measured) -> Result {
    let it = &it.spent;
    let (hub, client, database) = (it.hub_cpu_us, it.client_cpu_us, it.database_cpu_us);
    let (wal, pages, fsyncs) = (it.wal_bytes, it.wal_full_page_bytes, it.fsyncs);
    write!(f, "{name:<34}{hub:>10.0}{client:>10.0}{database:>10.0}")?;
    writeln!(f, "{wal:>10.0}{pages:>10.0}{fsyncs:>10.4}")
}

fn memory(f: &mut Formatter<'_>, name: &str, it: &Measured) -> Result {
    let it = &it.memory;
    write!(f, "{name:<34}{:>10.0}{:>10.0}", it.hub_mb, it.hub_peak_mb)?;
    writeln!(
        f,
        "{:>10.0}{:>10.0}",
        it.database_private_mb, it.database_shared_mb
    )
}

fn overload(f: &mut Formatter<'_>, it: &Overload) -> Result {
    writeln!(
        f,
        "\nOffered {:.0} a second over HTTP, {:.1} times the best rate, the hub does {:.0} (kept {:.0} %)\n\
         and answers {:.0} % with 503, half of them within {:.1} ms and 99 % within {:.1} ms; what is done\n\
         takes p50 {:.1} ms, p99 {:.1} ms. Its memory is at most {:.0} MiB.",
        it.offered_per_s,
        it.offered_per_s / it.best_per_s,
        it.kept_per_s,
        it.kept_share * 100.0,
        it.turned_away_share * 100.0,
        it.turned_away_p50_ms,
        it.turned_away_p99_ms,
        it.done_p50_ms,
        it.done_p99_ms,
        it.memory.hub_peak_mb,
    )
}

fn closes(f: &mut Formatter<'_>, it: &Closes) -> Result {
    writeln!(
        f,
        "\nBeside {} window closes, p50 {:.1} ms and p99 {:.1} ms each, conversions in process take p99 {:.1} ms\n\
         ({:.0} a second); without them {:.1} ms ({:.0}).",
        it.closed,
        it.close_p50_ms,
        it.close_p99_ms,
        it.with.p99_ms,
        it.with.per_s,
        it.without.p99_ms,
        it.without.per_s,
    )
}

fn beside(f: &mut Formatter<'_>, what: &str, it: &Beside) -> Result {
    writeln!(
        f,
        "\nBeside {what}, conversions over HTTP at {:.0} a second take p50 {:.1} ms and p99 {:.1} ms; alone {:.1}\n\
         and {:.1} ms: p99 {:.2} times.",
        it.offered_per_s, it.p50_ms, it.p99_ms, it.p50_alone_ms, it.p99_alone_ms, it.p99_ratio,
    )
}

fn growth(f: &mut Formatter<'_>, it: &Growth) -> Result {
    let (history, rate) = (it.history, it.history_written_per_s);
    writeln!(
        f,
        "\nA history of {history} operations was written at {rate:.0} a second."
    )?;
    heads(
        f,
        "conversions a second, journal of",
        &["inside", "over HTTP", "in all"],
    )?;
    let short = (&it.short_in_process, &it.short_http, it.short_operations);
    let long = (&it.long_in_process, &it.long_http, it.long_operations);
    for (name, (inside, outside, operations)) in [("  little", short), ("  much", long)] {
        let (inside, outside) = (inside.per_s, outside.per_s);
        writeln!(f, "{name:<34}{inside:>10.0}{outside:>10.0}{operations:>10}")?;
    }
    let (inside, outside) = (it.in_process_share * 100.0, it.http_share * 100.0);
    writeln!(f, "{:<34}{inside:>9.0}%{outside:>9.0}%", "  kept")?;

    heads(f, "reading, ms", &["p50", "p99"])?;
    reading(f, "of a wallet with much history", &it.busy_wallet)?;
    reading(f, "of a wallet with little", &it.quiet_wallet)?;
    writeln!(
        f,
        "Sweeping {} expired lots: {:.0} a second. Closing the window: {:.1} ms. Proving the books: {:.1} s,\n\
         {:.0} operations a second, at most {:.0} MiB.{}",
        it.swept_lots,
        it.swept_per_s,
        it.close_ms,
        it.verify_s,
        it.verified_per_s,
        it.verify_peak_mb,
        it.difference
            .as_ref()
            .map_or(String::new(), |it| format!("\nWRONG: {it}")),
    )
}

fn reading(f: &mut Formatter<'_>, of: &str, it: &Reading) -> Result {
    let rows = [
        (
            format!("  balance {of}"),
            it.balance_p50_ms,
            it.balance_p99_ms,
        ),
        (
            format!("  statement {of}"),
            it.statement_p50_ms,
            it.statement_p99_ms,
        ),
    ];
    for (name, p50, p99) in rows {
        writeln!(f, "{name:<44}{p50:>8.2}{p99:>8.2}")?;
    }
    Ok(())
}
