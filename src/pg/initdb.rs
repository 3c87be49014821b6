//! How a data directory comes to be: whole, or not at all.
//!
//! `initdb` works in a sibling that is renamed when it is done, because what an interrupted one
//! leaves behind looks like a cluster to the next start.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::Durability;
use super::account::Account;
use super::programs::Programs;

/// The start of a sibling's name. The maker's pid follows: a hub that is killed leaves an `initdb`
/// that goes on writing for a moment, and must not meet the next one.
const MAKING: &str = "pg.new-";

/// Names a cluster that may be started without fsync.
const THROW_AWAY: &str = "throw-away";

/// Makes the data directory `dir/pg` when it is missing. The caller holds the lock of `dir`.
pub fn ensure(
    dir: &Path,
    programs: &Programs,
    account: &Account,
    durability: Durability,
) -> Result<()> {
    let data = dir.join("pg");
    let mark = dir.join(THROW_AWAY);
    sweep(dir)?;

    // Not `exists`: a directory that cannot be looked into is not a missing one.
    let made = data.join("PG_VERSION").try_exists();
    if made.with_context(|| format!("looking into {}", data.display()))? {
        if durability == Durability::ThrowAway && !mark.exists() {
            bail!(
                "{} was made to last, and is not opened without fsync",
                data.display()
            );
        }
        if fs::metadata(&data)?.uid() == 0 {
            account
                .own_all(&data)
                .with_context(|| format!("giving {} to {}", data.display(), account.name()))?;
        }
        return Ok(());
    }

    let making = dir.join(format!("{MAKING}{}", std::process::id()));
    DirBuilder::new()
        .mode(0o700)
        .create(&making)
        .and_then(|()| account.own(&making))
        .with_context(|| format!("making {}", making.display()))?;
    let done = make(&making, programs, account, durability);
    if done.is_err() {
        fs::remove_dir_all(&making)?;
    }
    done?;

    match durability {
        Durability::ThrowAway => fs::write(&mark, "tests may lose what is in pg\n")?,
        Durability::Durable if mark.exists() => fs::remove_file(&mark)?,
        Durability::Durable => {}
    }
    fs::rename(&making, &data).with_context(|| {
        format!(
            "{} has no PG_VERSION, yet something is in it: move it away",
            data.display()
        )
    })?;
    File::open(dir)?.sync_all()?;
    Ok(())
}

/// Removes what interrupted makers left behind.
fn sweep(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(MAKING)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!("{} stays behind: {error}", entry.path().display());
        }
    }
    Ok(())
}

fn make(data: &Path, programs: &Programs, account: &Account, durability: Durability) -> Result<()> {
    let mut said = initdb(data, programs, account, durability, "C.UTF-8")?;
    // Some systems know C.UTF-8 by no name. C sorts alike; only upper and lower case beyond ASCII
    // are lost.
    if !said.status.success() && String::from_utf8_lossy(&said.stderr).contains("locale") {
        said = initdb(data, programs, account, durability, "C")?;
    }
    if !said.status.success() {
        bail!(
            "initdb failed ({}):\n{}",
            said.status,
            String::from_utf8_lossy(&said.stderr).trim_end()
        );
    }
    Ok(())
}

fn initdb(
    data: &Path,
    programs: &Programs,
    account: &Account,
    durability: Durability,
    locale: &str,
) -> Result<Output> {
    let mut command = Command::new(programs.initdb());
    command
        .args(["-U", "interline", "-A", "trust", "-E", "UTF8"])
        .arg(format!("--locale={locale}"))
        .arg(match durability {
            Durability::Durable => "--data-checksums",
            Durability::ThrowAway => "--no-sync",
        })
        .arg("-D")
        .arg(data)
        .stdin(Stdio::null());
    account.prepare(&mut command);
    command
        .output()
        .with_context(|| format!("running {}", programs.initdb().display()))
}
