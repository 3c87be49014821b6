//! One running server: launch, readiness, stop.
//!
//! A shell stands between the hub and the server. It waits on a pipe that the hub holds open, and
//! stops the server when the pipe closes, which it also does when the hub is killed. The kernel's
//! parent-death signal is no substitute: it fires when the *thread* that started the server ends,
//! and exists on Linux only.
//!
//! A second pipe goes the other way. The server and its children are the only ones that hold it,
//! so its end means that they are gone, all of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::Account;
use super::pid_file::PidFile;
use super::programs::Programs;

/// Starts the server, tells its pid, and stops it when the hub is gone.
///
/// The server gets SIGTERM before SIGINT because a shell starts background programs with SIGINT
/// ignored: in its first moments only SIGTERM ends it. Later the two together are a fast stop.
const SUPERVISOR: &str = r#"
"$@" & server=$!
trap '' HUP INT TERM PIPE
echo "$server"
exec >&-
read _
kill -TERM "$server"
kill -INT "$server"
wait "$server"
"#;

/// Recovery after a crash reads up to `max_wal_size`, and more on a slow disk.
const START_LIMIT: Duration = Duration::from_secs(300);

/// How long the children of a killed server may go on with their statements before a new server
/// can have the shared memory.
const ORPHANS_LIMIT: Duration = Duration::from_secs(20);

/// A fast stop writes every changed page.
const FAST_STOP_LIMIT: Duration = Duration::from_secs(30);

/// An immediate stop writes nothing, and kills children that do not listen after five seconds.
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(10);

/// A log longer than this is set aside at the next start.
const LONGEST_LOG: u64 = 10 * 1024 * 1024;

/// A server that this process started.
#[derive(Debug)]
pub struct Server {
    pid: Pid,
    supervisor: Child,
    /// Held open for as long as the server is to run.
    lifeline: Option<ChildStdin>,
    /// Ends when the server and its children are gone.
    watch: JoinHandle<()>,
}

/// The command that runs a server on `data` under the supervisor.
pub fn command(
    programs: &Programs,
    account: &Account,
    data: &Path,
    socket_dir: &Path,
    settings: &[(&str, &str)],
) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SUPERVISOR, "interline-postgres"])
        .arg(programs.postgres())
        .arg("-D")
        .arg(data);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    // The setting is a list; quotes keep a comma in the path from splitting it.
    let quoted = socket_dir.display().to_string().replace('"', "\"\"");
    command.arg("-k").arg(format!("\"{quoted}\""));
    account.prepare(&mut command);
    // Ctrl-C reaches the whole foreground group; the hub still needs the server to drain.
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

impl Server {
    /// Runs the command and waits until the server accepts connections.
    pub fn start(mut command: Command, data: &Path, log: &Path) -> Result<Self> {
        set_aside(log).with_context(|| format!("rotating {}", log.display()))?;
        let began = Instant::now();
        loop {
            let before = fs::metadata(log).map_or(0, |log| log.len());
            let mut server = Self::spawn(&mut command, log)?;
            let Err(error) = server.wait_until_ready(data) else {
                tracing::info!(
                    pid = server.pid.as_raw(),
                    ms = began.elapsed().as_millis(),
                    "PostgreSQL is ready"
                );
                return Ok(server);
            };
            server.stop()?;
            let said = last_lines(log, before)
                .with_context(|| format!("{error}; reading {}", log.display()))?;
            // The children of a killed server finish their statements first.
            let orphans = said.contains("pre-existing shared memory block");
            if !orphans || began.elapsed() > ORPHANS_LIMIT {
                bail!("{error}; the end of {}:\n{said}", log.display());
            }
            sleep(Duration::from_millis(200));
        }
    }

    fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let mut supervisor = command
            .stderr(log)
            .spawn()
            .context("starting /bin/sh, which watches over PostgreSQL")?;
        let lifeline = supervisor.stdin.take();
        let stdout = supervisor
            .stdout
            .take()
            .context("the supervisor has no output")?;

        let mut output = BufReader::new(stdout);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let pid = line.trim().parse().context("the supervisor tells no pid")?;
        let watch = thread::Builder::new()
            .name("postgres-watch".into())
            .spawn(move || {
                // An error on a pipe ends it as surely as its end does.
                let _ = io::copy(&mut output, &mut io::sink());
            })?;
        Ok(Self {
            pid: Pid::from_raw(pid),
            supervisor,
            lifeline,
            watch,
        })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub fn is_running(&self) -> bool {
        !self.watch.is_finished()
    }

    /// The state in the pid file counts only next to our own pid: the file may be an older one.
    fn wait_until_ready(&self, data: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if PidFile::read(data).is_some_and(|it| it.pid == self.pid.as_raw() && it.ready) {
                return Ok(());
            }
            if !self.is_running() {
                bail!("PostgreSQL did not start");
            }
            sleep(Duration::from_millis(5));
        }
        bail!("PostgreSQL was not ready after {START_LIMIT:?}")
    }

    /// Ends the sessions and the server, and waits for it; less politely when it takes too long.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGINT);
        // The supervisor sees the end of the pipe, and ends after the server.
        self.lifeline = None;
        if !self.gone_within(FAST_STOP_LIMIT) {
            tracing::warn!("PostgreSQL takes long to stop, and will recover at its next start");
            self.signal(Signal::SIGQUIT);
            if !self.gone_within(IMMEDIATE_STOP_LIMIT) {
                bail!("PostgreSQL (pid {}) does not stop", self.pid);
            }
        }
        self.supervisor
            .wait()
            .context("waiting for the supervisor")?;
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if self.is_running() {
            // The server may end between the question and the signal, which is what is wanted.
            let _ = kill(self.pid, signal);
        }
    }

    fn gone_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        !self.is_running()
    }
}

/// Keeps one older log, so that the two together stay bounded from start to start.
fn set_aside(log: &Path) -> io::Result<()> {
    match fs::metadata(log) {
        Ok(found) if found.len() > LONGEST_LOG => fs::rename(log, log.with_added_extension("1")),
        _ => Ok(()),
    }
}

/// The last lines that were written to the log after `before` bytes.
fn last_lines(log: &Path, before: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(before))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
}
