//! Torture: callers work at two hubs on one durable database while a saboteur breaks everything, and
//! afterwards nothing is lost, nothing doubled and nothing unknown.
//!
//! The hubs are processes of this same program. The second reaches the database along a wire that
//! can be cut before or after a COMMIT, or stall. Killed and started again are hubs, the database as
//! a whole, its postmaster, single backends; stopped and let go on are hubs. Callers send each write
//! under its key until they have a definite answer, so what they were told is a complete account of
//! what must be in the books: the audit compares the two.
//!
//! | file | what it knows |
//! |------|---------------|
//! | `scenes` | what the callers do, and what would show a mistake |
//! | `caller` | how a write is sent until its answer is definite |
//! | `tally` | what the callers were told |
//! | `feed` | somebody who reads the events all along |
//! | `saboteur` | the faults, and when they come |
//! | `stage` | the database and the hubs |
//! | `served` | a hub as a process |
//! | `proxy`, `frame` | the wire that breaks |
//! | `audit` | what must be true at the end |

mod audit;
mod caller;
mod feed;
mod frame;
mod proxy;
mod saboteur;
mod scenes;
mod served;
mod stage;
mod tally;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::cli;
use crate::verify;
use caller::Caller;
use feed::Feed;
use saboteur::Saboteur;
pub use saboteur::{Fault, Length};
use stage::Stage;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How long things are broken; the proof comes on top
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The same number breaks the same things in the same order [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// Where the database is made; a temporary directory when left out, removed when all is right
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// What runs as a hub.
    pub program: PathBuf,
    /// A directory for the database and the logs of the hubs.
    pub dir: PathBuf,
    pub length: Length,
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Verdict {
    pub faults: BTreeMap<Fault, u64>,
    pub commands: u64,
    pub sent: u64,
    pub acknowledged: u64,
    /// The longest that a command had no definite answer.
    pub slowest: Duration,
    /// How long it took to quiet down when nothing was broken any more.
    pub drained: Duration,
    pub proved: Option<verify::Report>,
    /// Everything that must not be.
    pub wrongs: Vec<String>,
}

/// After the last fault nothing stays unknown for longer.
const DRAIN: Duration = Duration::from_secs(60);

/// How many members of the sample convert points.
const CONVERTERS: usize = 2;

pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        minutes,
        seed,
        data_dir,
    } = arguments;
    ensure!(minutes >= 1, "--minutes is at least 1");
    let is_temporary = data_dir.is_none();
    let dir = data_dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("interline-torture-{}", std::process::id()))
    });
    let plan = Plan {
        program: std::env::current_exe().context("cannot find this program")?,
        dir: std::path::absolute(dir)?,
        length: Length::Time(Duration::from_secs(60 * minutes)),
        seed: seed.unwrap_or_else(rand::random),
    };
    let verdict = torture(&plan).await?;
    cli::say(&verdict);
    match verdict.is_right() {
        true if is_temporary => std::fs::remove_dir_all(&plan.dir)
            .with_context(|| format!("cannot remove {}", plan.dir.display()))?,
        true => {}
        false => cli::say(format!("All of it is kept in {}.", plan.dir.display())),
    }
    Ok(ExitCode::from(u8::from(!verdict.is_right())))
}

/// Breaks things as planned, and judges.
pub async fn torture(plan: &Plan) -> anyhow::Result<Verdict> {
    eprintln!(
        "Torture with --seed {} in {}",
        plan.seed,
        plan.dir.display()
    );
    let stage = Stage::set(&plan.program, &plan.dir).await?;
    let members: Vec<String> = stage
        .credentials
        .members
        .iter()
        .filter(|member| member.partner == "BAYVIEW")
        .map(|member| member.id.clone())
        .take(CONVERTERS)
        .collect();
    let urls = stage.hubs.each_ref().map(|hub| hub.base_url());
    let caller = Caller::new(urls, stage.credentials.clone(), plan.seed)?;
    let mut saboteur = Saboteur::new(&stage, &caller.tally, plan.seed);

    let mut feed = Feed::default();

    let scenes = Box::pin(async {
        tokio::join!(scenes::play(&caller, &members), feed.follow(&caller));
    });
    let drained = perform(&caller, &mut saboteur, plan.length, scenes).await;
    let faults = saboteur.done;
    let proved = match caller.tally.open().is_empty() {
        true => Some(audit::audit(&stage, &caller, &mut feed).await?),
        false => None,
    };

    stage.strike().await?;
    let tally = &caller.tally;
    Ok(Verdict {
        faults,
        commands: tally.commands.load(Ordering::SeqCst),
        sent: tally.sent.load(Ordering::SeqCst),
        acknowledged: tally.acknowledged.load(Ordering::SeqCst),
        slowest: tally.slowest(),
        drained,
        proved,
        wrongs: tally.wrongs(),
    })
}

/// The callers work until the saboteur is done, and then finish what they began. Answers how long
/// that took.
async fn perform(
    caller: &Caller,
    saboteur: &mut Saboteur<'_>,
    length: Length,
    scenes: impl Future<Output = ()>,
) -> Duration {
    let mut quiet = None;
    let sabotage = async {
        if let Err(error) = saboteur.work(length).await {
            caller.tally.wrong(format!("{error:#}"));
        }
        caller.finish();
        quiet = Some(Instant::now());
        tokio::time::sleep(DRAIN).await;
        for write in caller.tally.open() {
            let what = format!("{} {} is unknown after {DRAIN:?}", write.path, write.key);
            caller.tally.wrong(what);
        }
    };
    tokio::select! {
        () = scenes => {}
        () = sabotage => {}
    }
    quiet.map_or(Duration::ZERO, |since| since.elapsed())
}

impl Verdict {
    pub fn is_right(&self) -> bool {
        self.wrongs.is_empty()
    }

    pub fn kills(&self) -> u64 {
        let kills = self.faults.iter().filter(|(fault, _)| fault.is_kill());
        kills.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, count) in &self.faults {
            writeln!(f, "{count:>8}  {}", fault.name())?;
        }
        writeln!(
            f,
            "\n{} kills. {} commands, sent {} times, {} acknowledged as done.\n\
             The longest wait for a definite answer was {:.1} s; after the last fault all was known in {:.1} s.\n",
            self.kills(),
            self.commands,
            self.sent,
            self.acknowledged,
            self.slowest.as_secs_f64(),
            self.drained.as_secs_f64(),
        )?;
        if let Some(proved) = &self.proved {
            writeln!(f, "{proved}\n")?;
        }
        for wrong in self.wrongs.iter().take(20) {
            writeln!(f, "WRONG: {wrong}")?;
        }
        match self.wrongs.len() {
            0 => write!(
                f,
                "What was acknowledged took effect exactly once; nothing is lost, doubled or unknown."
            ),
            count => write!(f, "{count} things are wrong."),
        }
    }
}
