//! The directory of a cluster: made, owned by one hub at a time, and the steps of a launch.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::pid_file::{self, PidFile};
use super::server::{self, Server};
use super::{Durability, initdb, programs, socket};

/// How long a killed hub may seem to have its directory still.
const LETTING_GO: Duration = Duration::from_millis(500);

/// How long a server may take to go away once the hub that owned it is gone.
const LEAVING: Duration = Duration::from_secs(60);

/// A server that still says "ready" this long after its hub is gone was not that hub's to stop.
const STAYING: Duration = Duration::from_secs(2);

/// A hub's directory, and whom its server runs as.
pub struct Home {
    pub dir: PathBuf,
    account: Account,
}

impl Home {
    /// Makes the directory when it is missing, and checks that the server will be able to enter it.
    pub fn prepare(dir: &Path) -> Result<Self> {
        let account = Account::of(&dir.join("pg"))?;
        // The hub may keep secrets here: the account the server drops to passes, and lists nothing.
        let mode = if account.is_dropped() { 0o711 } else { 0o700 };
        make_dirs(dir, mode).with_context(|| format!("making {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("resolving {}", dir.display()))?;
        if let Some(barred) = account.barred_from(&dir) {
            bail!(
                "PostgreSQL does not run as root, and the account `{}` it runs as cannot enter {}: \
                 choose a directory it can reach (--data-dir /var/lib/interline), or `chmod o+x {}`",
                account.name(),
                barred.display(),
                barred.display()
            );
        }
        Ok(Self { dir, account })
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("pg")
    }

    /// Takes the directory for this process; `None` when another has it.
    pub fn lock(&self) -> Result<Option<File>> {
        let path = self.dir.join("hub.lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Some(file))
    }

    /// Takes the directory once a hub that was killed has let go of it.
    ///
    /// A program it was about to run holds the lock too, from the fork until the exec.
    pub fn lock_patiently(&self) -> Result<Option<File>> {
        let since = Instant::now();
        loop {
            let lock = self.lock()?;
            if lock.is_some() || since.elapsed() > LETTING_GO {
                return Ok(lock);
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Who has the lock, for a message.
    pub fn owner(&self) -> String {
        match fs::read_to_string(self.dir.join("hub.lock")) {
            Ok(pid) if !pid.is_empty() => format!("pid {pid}"),
            _ => "pid unknown".into(),
        }
    }

    /// The server on a directory that no hub owns, unless it goes away: a hub that was killed
    /// leaves one that is about to stop.
    pub fn server_that_stays(&self) -> Option<PidFile> {
        let since = Instant::now();
        loop {
            let running = PidFile::of_running(&self.data())?;
            let limit = if running.ready { STAYING } else { LEAVING };
            if since.elapsed() > limit {
                return Some(running);
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server, making the cluster when it is missing; tells where its socket is. The
    /// caller has the lock.
    pub fn launch(
        &self,
        durability: Durability,
        settings: &[(&str, &str)],
    ) -> Result<(Server, PathBuf)> {
        let data = self.data();
        let programs = programs::find(Some(&data))?;
        if let Some(barred) = self.account.barred_from(&programs.bin) {
            bail!(
                "PostgreSQL does not run as root, and the account `{}` it runs as cannot enter {}, \
                 where the program is: put it elsewhere and set {}",
                self.account.name(),
                barred.display(),
                programs::VARIABLE
            );
        }

        initdb::ensure(&self.dir, &programs, &self.account, durability)?;
        let socket_dir = socket::prepare(&self.dir, &self.account)?;
        pid_file::clear_remains(&data, &socket_dir)?;

        let mut all = durability.settings(&programs, &self.account, &data);
        // Of two settings of one name the server takes the later.
        all.extend_from_slice(settings);
        let command = server::command(&programs, &self.account, &data, &socket_dir, &all);
        let server = Server::start(command, &data, &self.dir.join("postgres.log"))?;
        Ok((server, socket_dir))
    }
}

/// Makes `dir` and what is missing above it, each with `mode` whatever the umask says.
fn make_dirs(dir: &Path, mode: u32) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.try_exists()? {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dirs(parent, mode)?;
    }
    match DirBuilder::new().mode(mode).create(dir) {
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(mode)),
        // Two hubs may start at once; the lock inside decides between them.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
