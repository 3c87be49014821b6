//! The saboteur: breaks one thing after the other, each as soon as the callers have been
//! acknowledged again.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use super::proxy::Cut;
use super::stage::{Stage, session};
use super::tally::Tally;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillHub,
    KillDatabase,
    KillPostmaster,
    KillBackend,
    EndSessions,
    StopHub,
    CutBeforeCommit,
    CutAfterCommit,
    StallWire,
}

/// How long the sabotage goes on.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    Time(Duration),
    /// Rounds in which each fault has its turn.
    Rounds(u32),
}

/// A round, in any order. What forgets most comes twice.
const ROUND: [Fault; 12] = [
    Fault::KillHub,
    Fault::KillHub,
    Fault::KillDatabase,
    Fault::KillDatabase,
    Fault::KillPostmaster,
    Fault::KillBackend,
    Fault::KillBackend,
    Fault::EndSessions,
    Fault::StopHub,
    Fault::CutBeforeCommit,
    Fault::CutAfterCommit,
    Fault::StallWire,
];

/// How long nobody may be acknowledged after a fault.
const RECOVERY: Duration = Duration::from_secs(60);

/// Acknowledgements between two faults.
const BETWEEN: u64 = 30;

impl Fault {
    pub const ALL: [Fault; 9] = [
        Fault::KillHub,
        Fault::KillDatabase,
        Fault::KillPostmaster,
        Fault::KillBackend,
        Fault::EndSessions,
        Fault::StopHub,
        Fault::CutBeforeCommit,
        Fault::CutAfterCommit,
        Fault::StallWire,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Fault::KillHub => "kill -9 of a hub",
            Fault::KillDatabase => "kill -9 of the whole database",
            Fault::KillPostmaster => "kill -9 of the postmaster",
            Fault::KillBackend => "kill -9 of a backend",
            Fault::EndSessions => "sessions ended",
            Fault::StopHub => "SIGSTOP and SIGCONT of a hub",
            Fault::CutBeforeCommit => "connection cut before COMMIT",
            Fault::CutAfterCommit => "connection cut after COMMIT",
            Fault::StallWire => "connections stalled",
        }
    }

    pub fn is_kill(self) -> bool {
        match self {
            Fault::KillHub | Fault::KillDatabase | Fault::KillPostmaster | Fault::KillBackend => {
                true
            }
            Fault::EndSessions
            | Fault::StopHub
            | Fault::CutBeforeCommit
            | Fault::CutAfterCommit
            | Fault::StallWire => false,
        }
    }
}

pub struct Saboteur<'a> {
    stage: &'a Stage,
    tally: &'a Tally,
    random: SmallRng,
    pub done: BTreeMap<Fault, u64>,
}

impl<'a> Saboteur<'a> {
    pub fn new(stage: &'a Stage, tally: &'a Tally, seed: u64) -> Saboteur<'a> {
        Saboteur {
            stage,
            tally,
            random: SmallRng::seed_from_u64(seed),
            done: BTreeMap::new(),
        }
    }

    /// Goes on for so long. Whatever was broken is whole again at the end.
    pub async fn work(&mut self, length: Length) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut rounds = 0;
        loop {
            let mut round = ROUND;
            round.shuffle(&mut self.random);
            for fault in round {
                if matches!(length, Length::Time(time) if begun.elapsed() >= time) {
                    return Ok(());
                }
                self.until_callers_go_on().await?;
                self.commit(fault).await?;
            }
            rounds += 1;
            if matches!(length, Length::Rounds(wanted) if rounds >= wanted) {
                return self.until_callers_go_on().await;
            }
        }
    }

    async fn until_callers_go_on(&mut self) -> anyhow::Result<()> {
        let acknowledged = || self.tally.acknowledged.load(Ordering::SeqCst);
        let (before, since) = (acknowledged(), Instant::now());
        while acknowledged() < before + BETWEEN {
            ensure!(
                since.elapsed() < RECOVERY,
                "nothing was acknowledged for {RECOVERY:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Not always in the first moment.
        self.wait(0, 400).await;
        Ok(())
    }

    async fn wait(&mut self, from_ms: u64, to_ms: u64) {
        let ms = self.random.random_range(from_ms..to_ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    async fn commit(&mut self, fault: Fault) -> anyhow::Result<()> {
        let (stage, at) = (self.stage, self.tally.begun.elapsed());
        match fault {
            Fault::KillHub => self.kill_hub().await?,
            Fault::KillDatabase => {
                stage.kill_database()?;
                self.wait(0, 1000).await;
                stage.restart_database().await?;
            }
            Fault::KillPostmaster => {
                kill(stage.postmaster()?, Signal::SIGKILL)?;
                stage.restart_database().await?;
            }
            Fault::KillBackend => {
                let pids = self.backends("pid").await?;
                let Some(pid) = pids.choose(&mut self.random) else {
                    bail!("nobody is connected to the database");
                };
                // It may have ended meanwhile.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
                self.until_the_database_answers().await?;
            }
            Fault::EndSessions => _ = self.backends("pid, pg_terminate_backend(pid)").await?,
            Fault::StopHub => {
                let hub = &stage.hubs[self.random.random_range(0..2)];
                hub.signal(Signal::SIGSTOP)?;
                // Sometimes longer than a transaction may idle.
                self.wait(500, 7_000).await;
                hub.signal(Signal::SIGCONT)?;
            }
            Fault::CutBeforeCommit => self.cut(Cut::BeforeCommit).await?,
            Fault::CutAfterCommit => self.cut(Cut::AfterCommit).await?,
            Fault::StallWire => {
                stage.proxy.stand_still(true);
                self.wait(500, 7_000).await;
                stage.proxy.stand_still(false);
            }
        }
        *self.done.entry(fault).or_default() += 1;
        eprintln!(
            "{:>7.1} s  {:>4}. {}; {} acknowledged",
            at.as_secs_f64(),
            self.done.values().sum::<u64>(),
            fault.name(),
            self.tally.acknowledged.load(Ordering::SeqCst),
        );
        Ok(())
    }

    /// One hub, sometimes both.
    async fn kill_hub(&mut self) -> anyhow::Result<()> {
        let first = self.random.random_range(0..2);
        let both = self.random.random_range(0..4) == 0;
        let hubs = &self.stage.hubs;
        hubs[first].kill();
        if both {
            hubs[1 - first].kill();
        }
        self.wait(0, 800).await;
        hubs[first].start_again().await?;
        match both {
            true => hubs[1 - first].start_again().await,
            false => Ok(()),
        }
    }

    async fn cut(&mut self, cut: Cut) -> anyhow::Result<()> {
        ensure!(
            self.stage.proxy.cut(cut).await,
            "no commit came along the wire to be cut"
        );
        Ok(())
    }

    /// Something of each session of the hubs.
    async fn backends(&self, what: &str) -> anyhow::Result<Vec<i32>> {
        let sql = format!(
            "select {what} from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        );
        let rows = session(&self.stage.url).await?.query(&sql, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn until_the_database_answers(&self) -> anyhow::Result<()> {
        let since = Instant::now();
        while session(&self.stage.url).await.is_err() {
            ensure!(
                since.elapsed() < RECOVERY,
                "the database was away for {RECOVERY:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
