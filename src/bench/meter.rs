//! What a measurement costs: processor time here and in PostgreSQL, write-ahead log, fsyncs.

use std::fs;

use anyhow::Context;
use diesel::sql_types::{BigInt, Double};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::db::Connection;

/// Costs, in all or per operation.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spent {
    /// Of this process: hub, and client too.
    pub own_cpu_us: f64,
    pub database_cpu_us: f64,
    /// All of the log, full-page images too.
    pub wal_bytes: f64,
    /// At most so much of it: images of pages, which are compressed, counted as whole pages.
    pub wal_full_page_bytes: f64,
    pub fsyncs: f64,
}

/// Reads the counters, as the owner of the database.
pub struct Meter {
    conn: Mutex<Connection>,
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
        Ok(Meter {
            conn: Mutex::new(Connection::establish(url).await?),
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

    pub async fn read(&self) -> anyhow::Result<Spent> {
        let mut conn = self.conn.lock().await;
        let counters: Counters = diesel::sql_query(
            "select wal_bytes::double precision as bytes, wal_fpi::double precision as full_pages, \
             wal_sync::double precision as fsyncs from pg_stat_wal",
        )
        .get_result(&mut *conn)
        .await?;
        let postmaster: Postmaster = diesel::sql_query(
            "select (regexp_match(pg_read_file('postmaster.pid'), '^(\\d+)'))[1]::bigint as pid",
        )
        .get_result(&mut *conn)
        .await?;
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let micros =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
        Ok(Spent {
            own_cpu_us: micros(usage.user_time()) + micros(usage.system_time()),
            database_cpu_us: tree_cpu_us(postmaster.pid),
            wal_bytes: counters.bytes,
            wal_full_page_bytes: counters.full_pages * PAGE,
            fsyncs: counters.fsyncs,
        })
    }
}

impl Spent {
    /// What was spent since an earlier reading, for each of `done`.
    pub fn since(self, before: Spent, done: u64) -> Spent {
        let each = |now: f64, before: f64| (now - before) / done.max(1) as f64;
        Spent {
            own_cpu_us: each(self.own_cpu_us, before.own_cpu_us),
            database_cpu_us: each(self.database_cpu_us, before.database_cpu_us),
            wal_bytes: each(self.wal_bytes, before.wal_bytes),
            wal_full_page_bytes: each(self.wal_full_page_bytes, before.wal_full_page_bytes),
            fsyncs: each(self.fsyncs, before.fsyncs),
        }
    }
}

/// Processor time of a process and of its children, living and reaped.
fn tree_cpu_us(root: i64) -> f64 {
    let tick_us = 1e6 / 100.0;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let pid: i64 = stat.split(' ').next()?.parse().ok()?;
            let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
            let field = |at: usize| fields.get(at)?.parse::<f64>().ok();
            let parent = field(1)? as i64;
            let own = field(11)? + field(12)?;
            match (pid == root, parent == root) {
                (true, _) => Some((own + field(13)? + field(14)?) * tick_us),
                (_, true) => Some(own * tick_us),
                _ => None,
            }
        })
        .sum()
}
