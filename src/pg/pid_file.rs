//! Whether a server runs on a data directory, as its `postmaster.pid` tells.
//!
//! | line | what                                     |
//! |-----:|------------------------------------------|
//! |    1 | pid                                      |
//! |    5 | directory of the socket                  |
//! |    8 | `starting`, `ready`, `standby`, `stopping` |
//!
//! The file outlives a server that is killed, and its pid may by then be somebody else's. So the
//! process must also be one that works in the data directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::socket;

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    pub pid: i32,
    pub socket_dir: PathBuf,
    pub ready: bool,
}

impl PidFile {
    /// What the file says, whether it is true or left over.
    pub fn read(data: &Path) -> Option<Self> {
        parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// The server that runs on the data directory.
    pub fn of_running(data: &Path) -> Option<Self> {
        Self::read(data).filter(|it| works_in(it.pid, data))
    }

    /// Whether the server takes connections.
    pub fn accepts(&self) -> bool {
        self.ready && UnixStream::connect(socket::file(&self.socket_dir)).is_ok()
    }
}

fn parse(text: &str) -> Option<PidFile> {
    let lines: Vec<&str> = text.lines().collect();
    let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default().trim();
    Some(PidFile {
        pid: line(1).parse().ok().filter(|pid| *pid > 0)?,
        socket_dir: line(5).into(),
        ready: line(8) == "ready",
    })
}

/// Whether the process works in the data directory, as every server does from its first moment.
fn works_in(pid: i32, data: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        let said = Command::new("ps")
            .args(["-o", "comm=", "-p", &pid.to_string()])
            .output();
        return said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("postgres"));
    }
    match (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(data)) {
        (Ok(cwd), Ok(data)) => (cwd.dev(), cwd.ino()) == (data.dev(), data.ino()),
        // Root in a container may not be allowed to look; any server is then taken for ours.
        (Err(error), _) if error.kind() != io::ErrorKind::NotFound => {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == "postgres")
        }
        _ => false,
    }
}

/// Removes what a killed server left and the next one would stumble over. The caller owns the
/// directory and knows that no server runs on it.
///
/// A server clears its own remains when the pid is nobody's, and looks at the shared memory they
/// name; they are left to it then. It gives up when the pid lives on as another process, or when
/// the file is empty after a power cut.
pub fn clear_remains(data: &Path, socket_dir: &Path) -> Result<()> {
    let taken = |it: PidFile| kill(Pid::from_raw(it.pid), None).is_ok();
    if PidFile::read(data).is_none_or(taken) {
        remove(&data.join("postmaster.pid"))?;
    }
    let socket = socket::file(socket_dir);
    remove(&socket.with_added_extension("lock"))?;
    remove(&socket)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4711\n/d/pg\n1795350000\n5432\n/d/run\n\n   123   456\nready   \n";

    #[test]
    fn the_file_tells_pid_socket_and_state() {
        let ready = PidFile {
            pid: 4711,
            socket_dir: "/d/run".into(),
            ready: true,
        };
        assert_eq!(parse(READY), Some(ready));
        let starting = parse(&READY.replace("ready   ", "starting"));
        assert_eq!(starting.map(|it| it.ready), Some(false));
        let half_written = parse("4711\n/d/pg\n");
        assert_eq!(
            half_written.map(|it| (it.pid, it.ready)),
            Some((4711, false))
        );
        for nonsense in ["", "\n", "ready\n", "-1\n", "0\n"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_process_that_works_elsewhere_is_not_the_server() {
        let own = std::process::id().cast_signed();
        assert!(!works_in(own, Path::new("/")));
        assert!(!works_in(i32::MAX, Path::new("/")));
    }
}
