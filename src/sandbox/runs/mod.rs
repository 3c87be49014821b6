//! Certification runs: a partner's program shows in a sandbox that it does what the hub asks of it.
//!
//! While a run is open, what the program asks and how it was answered is written down, by hashes; the
//! [checks](check) look at nothing else. A run is open until it is closed, over any pause, and a partner has
//! one at a time. Closing it keeps the report as it is then. Where the partner is certifying in the sandbox the
//! report becomes its certification; an operator of a live hub records the same checks there, since the two
//! share nothing.

pub mod api;
pub mod call;
pub mod check;
mod store;

use serde::{Deserialize, Serialize};

use self::call::Call;
use self::check::CHECKS;
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::Error;
use crate::partners::steps;

/// A check, and whether it passed when it was looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Found {
    pub name: String,
    pub passed: bool,
}

/// A run of a partner.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: i64,
    pub partner: i64,
    pub started_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// As it was when the run was closed, or as it is now.
    pub found: Vec<Found>,
}

impl Run {
    pub fn passed(&self) -> bool {
        self.found.iter().all(|found| found.passed)
    }
}

/// How far a program is.
fn look(calls: &[Call]) -> Vec<Found> {
    let found = |check: &check::Check| Found {
        name: check.name.to_owned(),
        passed: check.passed(calls),
    };
    CHECKS.iter().map(found).collect()
}

/// Writes down what a program did, if a run of its partner is open.
pub(super) async fn saw(pool: &Pool, partner: i64, call: &Call) -> Result<(), Error> {
    store::record(&mut *pool.get().await?, partner, call).await
}

/// Begins a run, or goes on with the one that is open.
pub async fn start(conn: &mut Connection, who: &Who, partner: i64) -> Result<Run, Error> {
    if let Some(id) = store::begin(conn, partner).await? {
        let about = Subject::CertificationRun.no(id).of([partner]);
        audit::record(conn, who, about, None, "open").await?;
    }
    let open = store::open(conn, partner).await?;
    let run = open.ok_or_else(|| anyhow::anyhow!("a run was begun and is not there"))?;
    Ok(run)
}

/// Closes a run and keeps its report. A run that is closed already stays as it is.
pub async fn close(conn: &mut Connection, who: &Who, run: i64) -> Result<Option<Run>, Error> {
    let Some(run) = store::lock(conn, run).await? else {
        return Ok(None);
    };
    if run.closed_at.is_none() {
        store::close(conn, &run).await?;
        let result = if run.passed() { "passed" } else { "failed" };
        let about = Subject::CertificationRun.no(run.id).of([run.partner]);
        audit::record(conn, who, about, Some("open"), result).await?;
        steps::certify_if_certifying(conn, who, run.partner, &checks(&run)?).await?;
    }
    store::find(conn, run.id).await
}

/// The report as a certification has it.
fn checks(run: &Run) -> Result<Vec<steps::certification::Check>, Error> {
    let check = |found: &Found| {
        let name = found.name.clone().try_into();
        let name = name.map_err(|why| anyhow::anyhow!("{why}"))?;
        Ok(steps::certification::Check {
            name,
            passed: found.passed,
        })
    };
    run.found.iter().map(check).collect()
}
