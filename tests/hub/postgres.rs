//! The embedded PostgreSQL against the real server: what is promised about starts, stops and kills.
//! Where a parent has to be killed, that is the real hub.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use interline::pg::{Cluster, Durability};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

/// A directory that goes away with the test, where an unprivileged server can reach it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hub-pg-{}-{number}", std::process::id()));
        Self(dir)
    }

    fn start(&self) -> anyhow::Result<Cluster> {
        Cluster::start(&self.0, Durability::ThrowAway, &[])
    }

    /// After a hub: what it made was made to last.
    fn start_lasting(&self) -> anyhow::Result<Cluster> {
        Cluster::start(&self.0, Durability::Durable, &[])
    }

    fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.0.join("pg/postmaster.pid")).ok()?;
        Some(Pid::from_raw(text.lines().next()?.parse().ok()?))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The first column of the first row, as text.
fn ask(url: &str, sql: &str) -> Result<String, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let messages = client.simple_query(sql).await?;
        Ok(messages
            .iter()
            .find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(String::from),
                _ => None,
            })
            .unwrap_or_default())
    })
}

fn is_gone(pid: Pid) -> bool {
    kill(pid, None).is_err()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what}");
        sleep(Duration::from_millis(10));
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_interline");

/// A hub on a cluster of its own, as a process.
fn hub(dir: &Path) -> Child {
    Command::new(PROGRAM)
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(dir)
        .env_remove("DATABASE_URL")
        .stderr(Stdio::piped())
        .spawn()
        .expect("a hub")
}

/// Waits until the hub serves; its socket is then beside its data.
fn url_of(hub: &mut Child, dir: &Path) -> String {
    let mut output = BufReader::new(hub.stderr.take().expect("what it says"));
    let mut line = String::new();
    while !line.contains("serves at") {
        line.clear();
        let read = output.read_line(&mut line).expect("a line");
        assert!(read > 0, "the hub ended");
    }
    // Who stops reading what the hub says must not stop the hub.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let host = dir.join("run").display().to_string().replace('/', "%2F");
    format!("postgres://interline@{host}/postgres")
}

fn kill_hub(mut hub: Child) {
    hub.kill().expect("a hub to kill");
    hub.wait().expect("a hub that ends");
}

#[test]
fn a_cluster_starts_answers_stops_and_starts_again() {
    let dir = Dir::new();
    let cluster = dir.start().unwrap();
    let url = cluster.url("postgres");
    assert!(cluster.is_running() && !cluster.is_attached());
    assert_eq!(ask(&url, "show fsync").unwrap(), "off");
    assert_eq!(ask(&url, "show listen_addresses").unwrap(), "");
    assert_eq!(ask(&url, "show server_encoding").unwrap(), "UTF8");
    ask(
        &url,
        "create table kept (n int); insert into kept values (7)",
    )
    .unwrap();
    let pid = dir.postmaster().unwrap();
    cluster.stop().unwrap();
    assert!(is_gone(pid));
    assert!(ask(&url, "select 1").is_err());

    let cluster = dir.start().unwrap();
    assert_eq!(
        ask(&cluster.url("postgres"), "select n from kept").unwrap(),
        "7"
    );
    let pid = dir.postmaster().unwrap();
    drop(cluster);
    assert!(is_gone(pid));
}

#[test]
fn a_durable_cluster_is_synced_checked_and_tunable() {
    let dir = Dir::new();
    let cluster =
        Cluster::start(&dir.0, Durability::Durable, &[("shared_buffers", "64MB")]).unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("shared_buffers", "64MB"),
        ("max_wal_size", "2GB"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("lc_collate", "C.UTF-8"),
    ] {
        let url = cluster.url("postgres");
        assert_eq!(
            ask(&url, &format!("show {setting}")).unwrap(),
            value,
            "{setting}"
        );
    }
    drop(cluster);

    let refused = dir.start().unwrap_err().to_string();
    assert!(refused.contains("not opened without fsync"), "{refused}");
}

#[test]
fn a_setting_the_server_does_not_know_is_quoted_from_its_log() {
    let dir = Dir::new();
    let refused = Cluster::start(&dir.0, Durability::ThrowAway, &[("shard_buffers", "1")]);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("shard_buffers"), "{refused}");
}

#[test]
fn the_server_stops_when_its_hub_is_killed() {
    let dir = Dir::new();
    let mut hub = hub(&dir.0);
    let url = url_of(&mut hub, &dir.0);
    assert_eq!(ask(&url, "select 1").unwrap(), "1");
    let pid = dir.postmaster().unwrap();
    kill_hub(hub);

    // The next hub need not wait for that.
    let cluster = dir.start_lasting().unwrap();
    assert!(is_gone(pid));
    assert_eq!(ask(&cluster.url("postgres"), "select 1").unwrap(), "1");
}

#[test]
fn ctrl_c_does_not_reach_the_server() {
    let dir = Dir::new();
    let mut hub = hub(&dir.0);
    url_of(&mut hub, &dir.0);
    let group_of = |pid: Pid| nix::unistd::getpgid(Some(pid)).unwrap();
    let hubs = group_of(Pid::from_raw(hub.id().cast_signed()));
    assert_ne!(group_of(dir.postmaster().unwrap()), hubs);
    kill_hub(hub);
    eventually("the server stops", || dir.postmaster().is_none());
}

#[test]
fn a_hub_killed_while_it_starts_leaves_no_server_and_no_half_made_cluster() {
    for after in [2, 10, 50, 400, 1000, 1600] {
        let dir = Dir::new();
        let hub = hub(&dir.0);
        sleep(Duration::from_millis(after));
        kill_hub(hub);

        let cluster = dir.start_lasting().unwrap();
        assert_eq!(ask(&cluster.url("postgres"), "select 1").unwrap(), "1");
        drop(cluster);
    }
}

#[test]
fn what_an_interrupted_initdb_left_is_swept_and_not_taken_for_a_cluster() {
    let dir = Dir::new();
    fs::create_dir_all(dir.0.join("pg.new-1/base")).unwrap();
    fs::write(dir.0.join("pg.new-1/PG_VERSION"), "15\n").unwrap();
    fs::create_dir_all(dir.0.join("pg")).unwrap();
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o711)).unwrap();
    let cluster = dir.start().unwrap();
    assert_eq!(ask(&cluster.url("postgres"), "select 1").unwrap(), "1");
    assert!(!dir.0.join("pg.new-1").exists());
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let dir = Dir::new();
    fs::create_dir_all(dir.0.join("pg")).unwrap();
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(dir.0.join("pg/letter"), "dear").unwrap();
    let refused = format!("{:#}", dir.start().unwrap_err());
    assert!(refused.contains("move it away"), "{refused}");
    assert!(dir.0.join("pg/letter").exists());
}

#[test]
fn a_killed_server_is_recovered_from() {
    let dir = Dir::new();
    let cluster = dir.start().unwrap();
    let url = cluster.url("postgres");
    ask(
        &url,
        "create table kept (n int); insert into kept values (7)",
    )
    .unwrap();
    // A session in the middle of a statement holds on to the shared memory for a while.
    let busy = std::thread::spawn(move || {
        ask(&url, "select count(*) from generate_series(1, 8000000)").is_err()
    });
    sleep(Duration::from_millis(300));
    kill(dir.postmaster().unwrap(), Signal::SIGKILL).unwrap();
    eventually("the owner notices", || !cluster.is_running());
    drop(cluster);

    let cluster = dir.start().unwrap();
    assert_eq!(
        ask(&cluster.url("postgres"), "select n from kept").unwrap(),
        "7"
    );
    busy.join().unwrap();
}

#[test]
fn a_start_waits_for_the_statements_a_killed_server_left_running() {
    let dir = Dir::new();
    let mut hub = hub(&dir.0);
    let url = url_of(&mut hub, &dir.0);
    let busy = std::thread::spawn(move || {
        ask(&url, "select count(*) from generate_series(1, 12000000)").is_err()
    });
    sleep(Duration::from_millis(300));
    kill(dir.postmaster().unwrap(), Signal::SIGKILL).unwrap();
    kill_hub(hub);

    let cluster = dir.start_lasting().unwrap();
    assert_eq!(ask(&cluster.url("postgres"), "select 1").unwrap(), "1");
    busy.join().unwrap();
}

#[test]
fn a_pid_that_lives_on_as_another_process_is_no_server() {
    let dir = Dir::new();
    let cluster = dir.start().unwrap();
    let pid_file = dir.0.join("pg/postmaster.pid");
    let text = fs::read_to_string(&pid_file).unwrap();
    let lock = dir.0.join("run/.s.PGSQL.5432.lock");
    let lock_text = fs::read_to_string(&lock).unwrap();
    drop(cluster);

    // Same account as the server's, so that PostgreSQL itself would give up.
    let mut other = Command::new("sleep");
    other.arg("60");
    if Uid::effective().is_root() {
        let owner = fs::metadata(dir.0.join("pg")).unwrap();
        use std::os::unix::fs::MetadataExt;
        other.uid(owner.uid()).gid(owner.gid());
    }
    let mut other = other.spawn().unwrap();
    let reused = |text: &str| {
        let (_, rest) = text.split_once('\n').unwrap();
        format!("{}\n{rest}", other.id())
    };
    fs::write(&pid_file, reused(&text)).unwrap();
    fs::write(&lock, reused(&lock_text)).unwrap();
    let cluster = dir.start();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(
        ask(&cluster.unwrap().url("postgres"), "select 1").unwrap(),
        "1"
    );

    // A power cut may leave the file empty.
    fs::write(&pid_file, "").unwrap();
    drop(dir.start().unwrap());
}

#[test]
fn a_second_start_is_refused_and_says_who_is_there() {
    let dir = Dir::new();
    let _first = dir.start().unwrap();
    let refused = dir.start().unwrap_err().to_string();
    let expected = format!("another hub (pid {}) uses", std::process::id());
    assert!(refused.contains(&expected), "{refused}");
}

#[test]
fn a_server_that_no_hub_started_is_refused_and_can_be_joined() {
    let dir = Dir::new();
    let mut hub = hub(&dir.0);
    let url = url_of(&mut hub, &dir.0);
    // Without its watcher and its hub the server runs on, as one started by hand would.
    let watcher: i32 = fs::read_dir(format!("/proc/{}/task", hub.id()))
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap())
        .find_map(|children| children.split_whitespace().next()?.parse().ok())
        .unwrap();
    kill(Pid::from_raw(watcher), Signal::SIGKILL).unwrap();
    kill_hub(hub);

    let refused = dir.start_lasting().unwrap_err().to_string();
    assert!(refused.contains("did not start (pid "), "{refused}");
    let joined = Cluster::attach_or_start(&dir.0, Durability::Durable, &[]).unwrap();
    assert!(joined.is_attached());
    assert_eq!(joined.url("postgres"), url);
    drop(joined);
    assert_eq!(ask(&url, "select 1").unwrap(), "1");
    kill(dir.postmaster().unwrap(), Signal::SIGINT).unwrap();
    eventually("the server stops", || dir.postmaster().is_none());
}

#[test]
fn a_second_process_joins_and_leaves_the_server_alone() {
    let dir = Dir::new();
    let starters: Vec<_> = (0..4)
        .map(|_| {
            let dir = dir.0.clone();
            std::thread::spawn(move || {
                Cluster::attach_or_start(&dir, Durability::ThrowAway, &[]).unwrap()
            })
        })
        .collect();
    let clusters: Vec<Cluster> = starters.into_iter().map(|it| it.join().unwrap()).collect();
    let (attached, own): (Vec<_>, Vec<_>) = clusters.into_iter().partition(Cluster::is_attached);
    assert_eq!((attached.len(), own.len()), (3, 1));
    let url = own[0].url("postgres");
    assert!(attached.iter().all(|it| it.url("postgres") == url));
    drop(attached);
    assert_eq!(ask(&url, "select 1").unwrap(), "1");
}

#[test]
fn long_and_odd_paths_work() {
    for name in ["x".repeat(120), "a b,\"ü\"'%".into()] {
        let dir = Dir::new();
        let inner = dir.0.join(name);
        let cluster = Cluster::start(&inner, Durability::ThrowAway, &[]).unwrap();
        assert_eq!(ask(&cluster.url("postgres"), "select 1").unwrap(), "1");
        let joined = Cluster::attach_or_start(&inner, Durability::ThrowAway, &[]).unwrap();
        assert_eq!(joined.url("postgres"), cluster.url("postgres"));
        drop(cluster);
        let socket_dir = joined.url("").replace("%2F", "/");
        if let Some((_, elsewhere)) = socket_dir.split_once("@/tmp/interline-") {
            fs::remove_dir(format!(
                "/tmp/interline-{}",
                elsewhere.trim_end_matches('/')
            ))
            .unwrap();
        }
    }
}

#[test]
fn a_stop_does_not_wait_for_sessions() {
    let dir = Dir::new();
    let cluster = dir.start().unwrap();
    let url = cluster.url("postgres");
    let session = std::thread::spawn(move || ask(&url, "select pg_sleep(60)").is_err());
    sleep(Duration::from_millis(300));
    let began = Instant::now();
    cluster.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(session.join().unwrap());
}

#[test]
fn root_is_told_when_the_server_cannot_reach_the_directory() {
    if !Uid::effective().is_root() {
        return;
    }
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o700)).unwrap();
    let refused = Cluster::start(&dir.0.join("hub"), Durability::ThrowAway, &[]);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("--data-dir /var/lib/interline"),
        "{refused}"
    );
}

#[test]
fn data_that_root_restored_is_given_to_the_server() {
    if !Uid::effective().is_root() {
        return;
    }
    let dir = Dir::new();
    drop(dir.start().unwrap());
    let status = Command::new("chown")
        .arg("-R")
        .arg("root")
        .arg(dir.0.join("pg"))
        .status();
    assert!(status.unwrap().success());
    drop(dir.start().unwrap());
}

#[test]
fn a_log_that_has_grown_is_set_aside() {
    let dir = Dir::new();
    drop(dir.start().unwrap());
    let log = dir.0.join("postgres.log");
    fs::write(&log, vec![b'x'; 11 << 20]).unwrap();
    drop(dir.start().unwrap());
    assert!(fs::metadata(&log).unwrap().len() < 1 << 20);
    assert!(fs::metadata(dir.0.join("postgres.log.1")).unwrap().len() > 10 << 20);
}

/// What the program says when it cannot go on.
fn refusal(mut program: Command) -> String {
    let said = program.env_remove("DATABASE_URL").output().unwrap();
    assert!(!said.status.success());
    String::from_utf8(said.stderr).unwrap()
}

#[test]
fn a_second_hub_on_a_directory_is_refused_and_a_command_beside_it_is_not() {
    let dir = Dir::new();
    let mut first = hub(&dir.0);
    url_of(&mut first, &dir.0);
    let command = |name: &str| {
        let mut command = Command::new(PROGRAM);
        command.arg(name).arg("--data-dir").arg(&dir.0);
        command
    };
    let mut second = command("serve");
    second.args(["--port", "0"]);

    let said = refusal(second);

    assert!(
        said.contains(&format!("another hub (pid {}) uses", first.id())),
        "{said}"
    );
    let proof = command("verify").output().unwrap();
    assert!(
        proof.status.success(),
        "{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    assert_ne!(dir.postmaster(), None, "the hub's server goes on");
    kill_hub(first);
    eventually("the server stops", || dir.postmaster().is_none());
}

#[test]
fn a_named_folder_without_a_server_is_named_with_what_to_do() {
    let dir = Dir::new();
    let empty = dir.0.join("empty");
    fs::create_dir_all(&empty).unwrap();
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o711)).unwrap();
    let mut program = Command::new(PROGRAM);
    program
        .args(["migrate", "--data-dir"])
        .arg(dir.0.join("hub"));
    program.env("INTERLINE_PG_BIN", &empty);

    let said = refusal(program);

    assert!(
        said.contains(&format!("INTERLINE_PG_BIN names {}", empty.display())),
        "{said}"
    );
    assert!(said.contains("Install it: "), "{said}");
}
