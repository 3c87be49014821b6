//! What a measurement costs: processor time of hub, client and database, write-ahead log, fsyncs,
//! memory.
//!
//! The hub is this process without the client's threads. Callers in the same process have no threads
//! of their own, so what they take counts as the hub's.

use std::fs;

use anyhow::Context;
use diesel::sql_types::{BigInt, Double};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use tokio::sync::Mutex;

use super::measured::{Measured, Run};
use crate::db::Connection;

/// Costs, in all or per operation.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spent {
    pub hub_cpu_us: f64,
    pub client_cpu_us: f64,
    pub database_cpu_us: f64,
    /// All of the log, full-page images too.
    pub wal_bytes: f64,
    /// At most so much of it: images of pages, which are compressed, counted as whole pages.
    pub wal_full_page_bytes: f64,
    pub fsyncs: f64,
}

/// Resident memory, in MiB.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    /// This process: the hub, and its client too.
    pub hub_mb: f64,
    /// The most it was since the measurement began.
    pub hub_peak_mb: f64,
    /// All processes of PostgreSQL: what each has for itself, and what they share, counted once.
    pub database_private_mb: f64,
    pub database_shared_mb: f64,
}

/// Reads the counters, as the owner of the database.
pub struct Meter {
    conn: Mutex<Connection>,
    postmaster: i64,
}

#[derive(diesel::QueryableByName)]
struct Counters {
    #[diesel(sql_type = Double)]
    bytes: f64,
    #[diesel(sql_type = Double)]
    full_pages: f64,
    #[diesel(sql_type = Double)]
    fsyncs: f64,
}

#[derive(diesel::QueryableByName)]
struct Postmaster {
    #[diesel(sql_type = BigInt)]
    pid: i64,
}

/// A page of PostgreSQL, in bytes.
const PAGE: f64 = 8192.0;

impl Meter {
    pub async fn new(url: &str) -> anyhow::Result<Meter> {
        let mut conn = Connection::establish(url).await?;
        // It waits between two readings, and for the vacuum of a long journal.
        conn.batch_execute("set idle_session_timeout = 0; set statement_timeout = 0")
            .await?;
        let postmaster: Postmaster = diesel::sql_query(
            "select (regexp_match(pg_read_file('postmaster.pid'), '^(\\d+)'))[1]::bigint as pid",
        )
        .get_result(&mut conn)
        .await
        .context("only a superuser may learn which process the server is")?;
        Ok(Meter {
            conn: Mutex::new(conn),
            postmaster: postmaster.pid,
        })
    }

    /// Lets what was loaded settle, so that no measurement pays for it.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let mut conn = self.conn.lock().await;
        conn.batch_execute("vacuum analyze")
            .await
            .context("vacuum")?;
        conn.batch_execute("checkpoint").await.context("checkpoint")
    }

    /// What `work` gives and costs.
    pub async fn measure(
        &self,
        work: impl Future<Output = anyhow::Result<Run>>,
    ) -> anyhow::Result<Measured> {
        forget_peak();
        let before = self.read().await?;
        let run = work.await?;
        let mut spent = self.read().await?.since(before);
        spent.client_cpu_us = run.client_cpu_us;
        spent.hub_cpu_us -= run.client_cpu_us;
        let each = spent.divided(run.tally.done);
        Ok(Measured::of(run, each, self.memory()))
    }

    async fn read(&self) -> anyhow::Result<Spent> {
        let mut conn = self.conn.lock().await;
        let counters: Counters = diesel::sql_query(
            "select wal_bytes::double precision as bytes, wal_fpi::double precision as full_pages, \
             wal_sync::double precision as fsyncs from pg_stat_wal",
        )
        .get_result(&mut *conn)
        .await?;
        Ok(Spent {
            hub_cpu_us: cpu_us(UsageWho::RUSAGE_SELF)?,
            client_cpu_us: 0.0,
            database_cpu_us: tree_cpu_us(self.postmaster),
            wal_bytes: counters.bytes,
            wal_full_page_bytes: counters.full_pages * PAGE,
            fsyncs: counters.fsyncs,
        })
    }

    /// What this process and the database have now. Nothing where the system does not tell.
    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let rollups: Vec<String> = tree(self.postmaster)
            .into_iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
            .collect();
        let all = |name: &str| {
            rollups
                .iter()
                .map(|text| megabytes(text, name))
                .sum::<f64>()
        };
        let private = all("Private_Clean:") + all("Private_Dirty:");
        Memory {
            hub_mb: megabytes(&status, "VmRSS:"),
            hub_peak_mb: megabytes(&status, "VmHWM:"),
            database_private_mb: private,
            database_shared_mb: all("Pss:") - private,
        }
    }
}

impl Spent {
    fn since(self, before: Spent) -> Spent {
        Spent {
            hub_cpu_us: self.hub_cpu_us - before.hub_cpu_us,
            client_cpu_us: self.client_cpu_us - before.client_cpu_us,
            database_cpu_us: self.database_cpu_us - before.database_cpu_us,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            wal_full_page_bytes: self.wal_full_page_bytes - before.wal_full_page_bytes,
            fsyncs: self.fsyncs - before.fsyncs,
        }
    }

    fn divided(self, done: u64) -> Spent {
        let done = done.max(1) as f64;
        Spent {
            hub_cpu_us: self.hub_cpu_us / done,
            client_cpu_us: self.client_cpu_us / done,
            database_cpu_us: self.database_cpu_us / done,
            wal_bytes: self.wal_bytes / done,
            wal_full_page_bytes: self.wal_full_page_bytes / done,
            fsyncs: self.fsyncs / done,
        }
    }
}

/// Lets the most memory that this process had begin anew.
pub fn forget_peak() {
    // Where the kernel does not offer it, the peak is that of the whole run.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Processor time of this process or thread.
pub fn cpu_us(of: UsageWho) -> anyhow::Result<f64> {
    let usage = getrusage(of)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}

fn megabytes(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// A process and its children.
fn tree(root: i64) -> Vec<i64> {
    stats(root).into_iter().map(|(pid, _)| pid).collect()
}

/// Processor time of a process and of its children, living and reaped.
fn tree_cpu_us(root: i64) -> f64 {
    let tick_us = 1e6 / 100.0;
    let ticks = |(pid, fields): &(i64, Vec<f64>)| match *pid == root {
        true => fields[11..=14].iter().sum::<f64>(),
        false => fields[11] + fields[12],
    };
    stats(root).iter().map(ticks).sum::<f64>() * tick_us
}

/// Of a process and its children, the numbers in `/proc/PID/stat` that follow the state.
fn stats(root: i64) -> Vec<(i64, Vec<f64>)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let numbers = |stat: String| {
        let pid: i64 = stat.split(' ').next()?.parse().ok()?;
        let fields = stat.rsplit_once(") ")?.1.split(' ');
        let fields: Vec<f64> = fields.map(|it| it.parse().unwrap_or_default()).collect();
        let is_of_tree = pid == root || fields.get(1).is_some_and(|parent| *parent as i64 == root);
        (is_of_tree && fields.len() > 14).then_some((pid, fields))
    };
    stats.filter_map(numbers).collect()
}
