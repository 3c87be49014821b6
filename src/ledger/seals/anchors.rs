//! Anchors: the hashes of seals, in a file that who can write the database need not reach.
//!
//! A chain says of each part that it follows the one before, not that nothing followed the last.
//! Whoever cuts its end off, or puts an older copy of the database in its place, leaves a chain
//! that is right. An anchor remembers that there was more. One line of JSON each, appended at most
//! once a minute and on disk before the next; never rewritten. Copy them to where the database's
//! owner cannot write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::seal::Seal;
use crate::clock::Timestamp;

const PERIOD: Duration = Duration::from_secs(60);

/// What is remembered of a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub seal: i64,
    pub last_group: i64,
    /// In hexadecimal.
    pub hash: String,
    pub at: Timestamp,
}

impl Anchor {
    pub fn of(seal: &Seal) -> Anchor {
        Anchor {
            seal: seal.id,
            last_group: seal.last_group,
            hash: hex::encode(&seal.hash),
            at: seal.at,
        }
    }
}

/// A hub's file of anchors, and what it has put there.
pub struct Anchors {
    file: PathBuf,
    last: i64,
    looked_at: Option<Instant>,
}

impl Anchors {
    pub fn in_file(file: PathBuf) -> Anchors {
        Anchors {
            file,
            last: 0,
            looked_at: None,
        }
    }

    /// Whether it is time to look for a new seal.
    pub fn are_due(&self) -> bool {
        self.looked_at.is_none_or(|at| at.elapsed() >= PERIOD)
    }

    /// Appends the last seal, if that is a new one. What cannot be written is tried again.
    pub async fn keep(&mut self, seal: Option<Seal>) {
        self.looked_at = Some(Instant::now());
        let Some(seal) = seal.filter(|seal| seal.id > self.last) else {
            return;
        };
        let (file, anchor) = (self.file.clone(), Anchor::of(&seal));
        let kept = tokio::task::spawn_blocking(move || append(&file, &anchor)).await;
        match kept.map_err(io::Error::other).flatten() {
            Ok(()) => self.last = seal.id,
            Err(error) => {
                let file = self.file.display();
                tracing::warn!(%error, %file, "a seal could not be anchored and is tried again");
            }
        }
    }
}

/// Appends a line, and returns when it is on disk.
pub fn append(file: &Path, anchor: &Anchor) -> io::Result<()> {
    let is_new = !file.exists();
    let mut opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(file)?;
    let mut line = serde_json::to_string(anchor)? + "\n";
    if is_torn(&mut opened)? {
        line.insert(0, '\n');
    }
    opened.write_all(line.as_bytes())?;
    opened.sync_all()?;
    match file.parent() {
        Some(dir) if is_new && dir.is_dir() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

/// Whether the last line was not written to its end: the machine stopped, or the disk was full.
fn is_torn(file: &mut File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last != [b'\n'])
}

/// The anchors of a file, which fit into memory: one line a minute. Lines that were not written to
/// their end are passed over.
pub fn read(file: &Path) -> anyhow::Result<Vec<Anchor>> {
    let name = file.display();
    let text = std::fs::read(file).with_context(|| format!("cannot read the anchors in {name}"))?;
    let lines = text.split(|byte| *byte == b'\n');
    let anchors: Vec<Anchor> = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    if anchors.is_empty() && !text.is_empty() {
        bail!("{name} has no anchors: name the file that the hub appends to");
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(seal: i64, hash: &str) -> Anchor {
        Anchor {
            seal,
            last_group: seal * 10,
            hash: hash.to_owned(),
            at: Timestamp::from_timestamp_micros(1_700_000_000_000_001).expect("an instant"),
        }
    }

    #[test]
    fn anchors_come_back_also_after_a_torn_line() {
        let dir = std::env::temp_dir().join(format!("interline-anchors-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let file = dir.join("anchors.ndjson");
        append(&file, &anchor(1, "aa")).expect("a line");
        append(&file, &anchor(2, "bb")).expect("a line");
        let mut torn = OpenOptions::new().append(true).open(&file).expect("a file");
        torn.write_all(b"{\"seal\":3,").expect("half a line");
        append(&file, &anchor(3, "cc")).expect("a line");

        let whole = [anchor(1, "aa"), anchor(2, "bb"), anchor(3, "cc")];
        assert_eq!(read(&file).expect("anchors"), whole);
        std::fs::write(&file, "# Interline\n").expect("another file");
        let none = read(&file).expect_err("no anchors").to_string();
        assert!(none.contains("has no anchors"), "{none}");
        assert!(read(&dir.join("none")).is_err());
        std::fs::remove_dir_all(&dir).expect("a folder");
    }
}
