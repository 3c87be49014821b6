//! What the server is told, beyond where its files are.
//!
//! The settings travel on the command line, where they win over `postgresql.conf` and
//! `alter system`: nothing written there can weaken the ledger by accident.

use std::path::Path;
use std::process::Command;

use super::account::Account;
use super::programs::Programs;

/// Whether what is committed must survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A hub's own: every commit is on disk, and damaged pages are noticed.
    Durable,
    /// For tests: fast, and worthless after a crash.
    ThrowAway,
}

impl Durability {
    /// The settings for a server that is about to start on `data`.
    pub(super) fn settings(
        self,
        programs: &Programs,
        account: &Account,
        data: &Path,
    ) -> Vec<Setting> {
        match self {
            Self::Durable if takes(programs, account, data, LZ4) => [EITHER, DURABLE, &[LZ4]],
            Self::Durable => [EITHER, DURABLE, &[]],
            Self::ThrowAway => [EITHER, THROW_AWAY, &[]],
        }
        .concat()
    }
}

type Setting = (&'static str, &'static str);

/// Whether the server was built with what a setting needs. It is asked, because nothing lists it.
fn takes(programs: &Programs, account: &Account, data: &Path, (name, value): Setting) -> bool {
    let mut command = Command::new(programs.postgres());
    command.arg("-D").arg(data);
    command.args(["-C", name, "-c", &format!("{name}={value}")]);
    account.prepare(&mut command);
    command.output().is_ok_and(|said| said.status.success())
}

const EITHER: &[Setting] = &[
    ("listen_addresses", ""),
    // The name of the socket contains it, and the environment or the file could change it.
    ("port", "5432"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%d %a "),
    // The detail of an error holds values: the number of a member that is there already.
    ("log_error_verbosity", "terse"),
    // A session that sits on locks makes every caller wait.
    ("idle_in_transaction_session_timeout", "5s"),
    ("log_lock_waits", "on"),
    // Statements are short; compiling one takes longer than running it.
    ("jit", "off"),
];

const DURABLE: &[Setting] = &[
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("autovacuum", "on"),
    ("max_connections", "100"),
    ("shared_buffers", "256MB"),
    // Each checkpoint makes the next change of every page write the page whole: fewer of them
    // means less WAL, and a longer recovery after a crash.
    ("max_wal_size", "2GB"),
    ("checkpoint_timeout", "15min"),
    // Whole pages compress well. `pglz` is the method every build has.
    ("wal_compression", "pglz"),
    // Random reads cost nearly what sequential ones do where there is no moving arm.
    ("random_page_cost", "1.1"),
    // Append-only tables grow fast; the default waits for a fifth of the table.
    ("autovacuum_vacuum_insert_scale_factor", "0.05"),
    ("autovacuum_analyze_scale_factor", "0.02"),
];

/// Compresses a page at a fraction of what `pglz` costs.
const LZ4: Setting = ("wal_compression", "lz4");

const THROW_AWAY: &[Setting] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("max_connections", "200"),
    ("max_wal_size", "4GB"),
];
