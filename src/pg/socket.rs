//! Where the socket is, and the URL that leads there.
//!
//! A socket's path has room for about a hundred bytes. A longer one moves to `/tmp`, under a name
//! that follows from the directory, so that another process finds it too. It is not `TMPDIR`,
//! which differs between sessions and may be as long.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::account::Account;

/// The bytes of `sockaddr_un.sun_path` without the final zero, where they are fewest: macOS, the
/// BSDs. Linux has 107.
const LONGEST: usize = 103;

/// The socket in its directory. The name is the server's choice, and contains the port.
pub fn file(socket_dir: &Path) -> PathBuf {
    socket_dir.join(".s.PGSQL.5432")
}

/// The socket's directory for a cluster in `dir`, an absolute path without links.
fn dir_for(dir: &Path) -> PathBuf {
    let beside = dir.join("run");
    if file(&beside).as_os_str().len() <= LONGEST {
        return beside;
    }
    let hash = fnv1a(dir.as_os_str().as_bytes());
    PathBuf::from(format!("/tmp/interline-{hash:016x}"))
}

/// Makes the socket's directory, which only the server and the hub may enter.
pub fn prepare(dir: &Path, account: &Account) -> Result<PathBuf> {
    let socket_dir = dir_for(dir);
    let shown = socket_dir.display();
    match DirBuilder::new().mode(0o700).create(&socket_dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("making {shown}"));
        }
        _ => {}
    }
    // In /tmp anybody could have been first, and would then own the door to the database.
    let found = fs::symlink_metadata(&socket_dir)?;
    if !found.is_dir() || !account.may_own(found.uid()) {
        bail!("{shown} is not a directory of this hub: remove it");
    }
    account
        .own(&socket_dir)
        .and_then(|()| fs::set_permissions(&socket_dir, Permissions::from_mode(0o700)))
        .with_context(|| format!("taking {shown}"))?;
    Ok(socket_dir)
}

/// The URL of a database behind the socket; the host is the directory, percent-encoded.
pub fn url(socket_dir: &Path, database: &str) -> String {
    let host = percent_encode(socket_dir.as_os_str().as_bytes());
    let database = percent_encode(database.as_bytes());
    format!("postgres://interline@{host}/{database}")
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// FNV-1a, 64 bits: unlike the standard library's hash it stays the same for ever.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_encode_what_is_not_a_plain_letter() {
        let cases = [
            ("/d/run", "hub", "postgres://interline@%2Fd%2Frun/hub"),
            (
                "/a b,ü",
                "x/y",
                "postgres://interline@%2Fa%20b%2C%C3%BC/x%2Fy",
            ),
        ];
        for (dir, database, expected) in cases {
            assert_eq!(url(Path::new(dir), database), expected);
        }
    }

    #[test]
    fn a_long_path_has_its_socket_elsewhere_and_always_there() {
        assert_eq!(dir_for(Path::new("/d")), Path::new("/d/run"));
        // "/run/.s.PGSQL.5432" takes 18 bytes.
        let fits = format!("/{}", "x".repeat(LONGEST - 18 - 1));
        assert_eq!(dir_for(Path::new(&fits)), Path::new(&fits).join("run"));
        let long = format!("{fits}x");
        assert_eq!(
            dir_for(Path::new(&long)),
            Path::new(&format!("/tmp/interline-{:016x}", fnv1a(long.as_bytes())))
        );
        assert_eq!(fnv1a(b"foobar"), 0x85944171f73967e8);
    }
}
