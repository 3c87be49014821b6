//! Where PostgreSQL is installed on this machine, and which version to take.
//!
//! `INTERLINE_PG_BIN` decides when it is set. Otherwise `PATH` is searched and then the places
//! where the usual packages put the server, which are often not on `PATH`. A data directory can
//! only be opened by the major version that made it; a new one gets the newest.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with the server's programs.
pub const VARIABLE: &str = "INTERLINE_PG_BIN";

/// The oldest major version whose SQL the hub speaks.
const OLDEST: u32 = 15;

/// Where packages put the server: Debian, PGDG and Alpine packages, Homebrew, Postgres.app, MacPorts.
const USUAL_PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
];

/// A folder that holds `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    pub bin: PathBuf,
    pub major: u32,
}

impl Programs {
    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }

    pub fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }
}

/// Why there is no server to run. The message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    #[error(
        "{VARIABLE} names {}, which cannot be used: {why}. Leave it unset to have PostgreSQL found. \
         Install it: {install}",
        bin.display()
    )]
    Named {
        bin: PathBuf,
        why: String,
        install: String,
    },
    #[error("PostgreSQL is not installed. Install it: {install}")]
    Absent { install: String },
    #[error(
        "PostgreSQL {newest} in {} is too old, {OLDEST} or newer is needed. Install it: {install}",
        bin.display()
    )]
    TooOld {
        newest: u32,
        bin: PathBuf,
        install: String,
    },
    #[error(
        "{} was made by PostgreSQL {wanted}, which is not installed (found: {found}). \
         Install it: {install}",
        data.display()
    )]
    OtherMajor {
        wanted: u32,
        data: PathBuf,
        found: String,
        install: String,
    },
}

/// Finds the programs for an existing data directory, or the newest ones for a new one.
pub fn find(existing_data: Option<&Path>) -> Result<Programs, NotFound> {
    let wanted = existing_data.and_then(|data| Some((data, major_of_data(data)?)));

    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let bin = PathBuf::from(named);
        return match inspect(&bin) {
            Ok(programs) => suits(&programs, wanted).map(|()| programs),
            Err(why) => Err(why),
        }
        .map_err(|why| NotFound::Named {
            bin,
            why,
            install: install_command(wanted.map(|(_, major)| major)),
        });
    }

    let found: Vec<Programs> = candidates()
        .iter()
        .filter_map(|bin| inspect(bin).ok())
        .collect();
    let Some(chosen) = choose(&found, wanted.map(|(_, major)| major)) else {
        return Err(match wanted {
            Some((data, wanted)) if !found.is_empty() => NotFound::OtherMajor {
                wanted,
                data: data.to_path_buf(),
                found: list(&found),
                install: install_command(Some(wanted)),
            },
            _ => NotFound::Absent {
                install: install_command(wanted.map(|(_, major)| major)),
            },
        });
    };
    if chosen.major < OLDEST {
        return Err(NotFound::TooOld {
            newest: chosen.major,
            bin: chosen.bin.clone(),
            install: install_command(None),
        });
    }
    Ok(chosen.clone())
}

/// The programs of the wanted version, or the newest; of equals the first found.
fn choose(found: &[Programs], wanted: Option<u32>) -> Option<&Programs> {
    match wanted {
        Some(major) => found.iter().find(|programs| programs.major == major),
        // `max_by_key` takes the last of equals.
        None => found.iter().rev().max_by_key(|programs| programs.major),
    }
}

/// Whether programs that were named, not searched for, can be used.
fn suits(named: &Programs, wanted: Option<(&Path, u32)>) -> Result<(), String> {
    let major = named.major;
    match wanted {
        _ if major < OLDEST => Err(format!(
            "it is PostgreSQL {major}, and {OLDEST} or newer is needed"
        )),
        Some((data, wanted)) if wanted != major => Err(format!(
            "it is PostgreSQL {major}, and {} was made by {wanted}",
            data.display()
        )),
        _ => Ok(()),
    }
}

/// What a folder holds, or why it is of no use.
fn inspect(bin: &Path) -> Result<Programs, String> {
    let bin = bin.canonicalize().map_err(|error| error.to_string())?;
    for name in ["postgres", "initdb"] {
        if !bin.join(name).is_file() {
            return Err(format!("there is no `{name}` in it"));
        }
    }
    let said = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("`postgres` does not run: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    match major_of_version(&said) {
        Some(major) => Ok(Programs { bin, major }),
        None => Err(format!("`postgres --version` says {said:?}")),
    }
}

/// `postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)` is 15, `… 18beta1` is 18.
fn major_of_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn major_of_data(data: &Path) -> Option<u32> {
    let version = fs::read_to_string(data.join("PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

/// The folders to look into, in order, each once.
fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A link on PATH leads to the folder that also holds initdb.
    let on_path = env::split_paths(&path)
        .filter_map(|dir| dir.join("postgres").canonicalize().ok())
        .filter_map(|postgres| postgres.parent().map(Path::to_path_buf));
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .map(|cache| format!("{}/interline/pg/*/bin", cache.display()));

    let places = USUAL_PLACES.iter().copied().chain(cache.as_deref());
    let mut all: Vec<PathBuf> = Vec::new();
    for bin in on_path.chain(places.flat_map(expand)) {
        if !all.contains(&bin) {
            all.push(bin);
        }
    }
    all
}

/// The folders that match a pattern with one `*`.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or((".", before));
    let Ok(entries) = fs::read_dir(if parent.is_empty() { "/" } else { parent }) else {
        return Vec::new();
    };
    let mut matching: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect();
    matching.sort();
    matching
}

fn list(found: &[Programs]) -> String {
    let found = found
        .iter()
        .map(|it| format!("{} in {}", it.major, it.bin.display()));
    found.collect::<Vec<_>>().join(", ")
}

/// The one command that installs the server on this platform, of a given version if need be.
fn install_command(major: Option<u32>) -> String {
    if cfg!(target_os = "macos") {
        return format!("brew install postgresql@{}", major.unwrap_or(17));
    }
    install_command_of(
        &fs::read_to_string("/etc/os-release").unwrap_or_default(),
        major,
    )
}

fn install_command_of(os_release: &str, major: Option<u32>) -> String {
    let families = os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID_LIKE=")
                .or_else(|| line.strip_prefix("ID="))
        })
        .flat_map(|ids| ids.trim_matches('"').split(' '));
    let version = major.map(|major| major.to_string()).unwrap_or_default();
    for family in families {
        return match family {
            "debian" | "ubuntu" if major.is_some() => {
                format!("apt-get install postgresql-{version}")
            }
            "debian" | "ubuntu" => "apt-get install postgresql".into(),
            "fedora" | "rhel" | "centos" => format!("dnf install postgresql{version}-server"),
            "alpine" => format!("apk add postgresql{version}"),
            "arch" => "pacman -S postgresql".into(),
            "suse" | "opensuse" => format!("zypper install postgresql{version}-server"),
            _ => continue,
        };
    }
    format!("the server package of PostgreSQL {version}, then set {VARIABLE} to its bin folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(bin: &str, major: u32) -> Programs {
        Programs {
            bin: bin.into(),
            major,
        }
    }

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) 16devel\n", Some(16)),
            ("postgres (Other) 15.1", None),
            ("", None),
        ];
        for (said, major) in cases {
            assert_eq!(major_of_version(said), major, "{said}");
        }
    }

    #[test]
    fn new_data_gets_the_newest_and_old_data_its_own() {
        let found = [
            programs("/a", 15),
            programs("/b", 17),
            programs("/c", 17),
            programs("/d", 16),
        ];
        assert_eq!(choose(&found, None), Some(&found[1]));
        assert_eq!(choose(&found, Some(16)), Some(&found[3]));
        assert_eq!(choose(&found, Some(14)), None);
        assert_eq!(choose(&[], None), None);
    }

    #[test]
    fn a_named_folder_is_refused_with_the_reason() {
        let data = Path::new("/d");
        assert!(suits(&programs("/a", 15), None).is_ok());
        assert!(suits(&programs("/a", 15), Some((data, 15))).is_ok());
        let too_old = suits(&programs("/a", 14), Some((data, 14)));
        assert_eq!(
            too_old,
            Err("it is PostgreSQL 14, and 15 or newer is needed".into())
        );
        let other = suits(&programs("/a", 16), Some((data, 15)));
        assert_eq!(
            other,
            Err("it is PostgreSQL 16, and /d was made by 15".into())
        );
        let nothing = inspect(Path::new("/")).map_err(|why| why.to_string());
        assert_eq!(nothing, Err("there is no `postgres` in it".into()));
    }

    #[test]
    fn the_command_to_install_fits_the_platform() {
        let cases = [
            ("ID=debian\n", None, "apt-get install postgresql"),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Some(16),
                "apt-get install postgresql-16",
            ),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                None,
                "dnf install postgresql-server",
            ),
            ("ID=alpine\n", Some(17), "apk add postgresql17"),
        ];
        for (os_release, major, command) in cases {
            assert_eq!(
                install_command_of(os_release, major),
                command,
                "{os_release}"
            );
        }
        assert!(install_command_of("", None).contains(VARIABLE));
    }
}
