//! Whom the server runs as. PostgreSQL refuses to run as root, and containers often are.
//!
//! A hub that is not root shares its own account with the server. One that is drops to whoever
//! owns the data already, else to `postgres`, which packages make, else to `nobody`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::{Uid, User};

/// The account the server runs as.
pub struct Account(Option<Dropped>);

/// An account other than the hub's.
struct Dropped {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account for a data directory, which may not exist yet.
    pub fn of(data: &Path) -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        // Data that came by way of another account stays its own: it may run the hub again.
        if let Ok(data) = fs::metadata(data)
            && data.uid() != 0
        {
            let user = User::from_uid(Uid::from_raw(data.uid()))?;
            return Ok(Self(Some(Dropped {
                name: user.map_or_else(|| format!("uid {}", data.uid()), |user| user.name),
                uid: data.uid(),
                gid: data.gid(),
            })));
        }
        let user = match User::from_name("postgres")? {
            Some(user) => user,
            None => User::from_name("nobody")?.context(
                "PostgreSQL does not run as root, and there is neither an account `postgres` nor \
                 `nobody` to run it as: start the hub as an ordinary user",
            )?,
        };
        Ok(Self(Some(Dropped {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })))
    }

    pub fn is_dropped(&self) -> bool {
        self.0.is_some()
    }

    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("the hub's own", |it| &it.name)
    }

    /// Makes a command run as this account, with nothing of the hub's environment, which may hold
    /// secrets and `PG…` variables, and from a folder that everyone may enter.
    pub fn prepare(&self, command: &mut Command) {
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(dropped) = &self.0 {
            command.uid(dropped.uid).gid(dropped.gid);
        }
    }

    /// Gives a file or folder to this account.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Some(it) => chown(path, Some(it.uid), Some(it.gid)),
            None => Ok(()),
        }
    }

    /// Gives a folder and all that is in it to this account, as after a restore by root.
    pub fn own_all(&self, path: &Path) -> io::Result<()> {
        let Some(it) = &self.0 else { return Ok(()) };
        let kind = fs::symlink_metadata(path)?;
        if kind.is_dir() {
            for entry in fs::read_dir(path)? {
                self.own_all(&entry?.path())?;
            }
        }
        lchown(path, Some(it.uid), Some(it.gid))
    }

    /// Whether a folder's owner can be this account, or the hub that set it up.
    pub fn may_own(&self, uid: u32) -> bool {
        uid == Uid::effective().as_raw() || self.0.as_ref().is_some_and(|it| it.uid == uid)
    }

    /// The first folder on the way down to `dir` that this account cannot enter.
    pub fn barred_from(&self, dir: &Path) -> Option<PathBuf> {
        let it = self.0.as_ref()?;
        let mut way: Vec<&Path> = dir.ancestors().collect();
        way.reverse();
        let barred = way.into_iter().find(|folder| {
            fs::metadata(folder).is_ok_and(|folder| {
                !may_enter(folder.mode(), folder.uid(), folder.gid(), it.uid, it.gid)
            })
        });
        barred.map(Path::to_path_buf)
    }
}

/// The first class that applies decides, as in the kernel: an owner without x is not saved by o+x.
fn may_enter(mode: u32, owner: u32, group: u32, uid: u32, gid: u32) -> bool {
    let bit = if owner == uid {
        0o100
    } else if group == gid {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_applies_decides_who_may_enter() {
        let cases = [
            (0o40755, 0, 0, true),
            (0o40700, 0, 0, false),
            (0o40711, 0, 0, true),
            (0o40700, 101, 0, true),
            (0o40601, 101, 0, false),
            (0o40750, 0, 104, true),
            (0o40701, 0, 104, false),
        ];
        for (mode, owner, group, may) in cases {
            assert_eq!(
                may_enter(mode, owner, group, 101, 104),
                may,
                "{mode:o} {owner} {group}"
            );
        }
    }
}
