//! The PostgreSQL that everything is measured on: one of its own, or one that is there.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use reqwest::Url;

use crate::db::Connection;
use crate::pg::{Cluster, Durability};

pub enum Server {
    /// Of its own, and a directory to remove at the end when that was temporary.
    Own(Cluster, Option<PathBuf>),
    /// Somebody's, by the URL of one of its databases.
    Given(Url),
}

/// The databases that a bench makes: the ordinary one, with a short journal and with a long one, and
/// pgbench's.
pub const ORDINARY: &str = "interline_bench";
pub const SHORT: &str = "interline_bench_short";
pub const LONG: &str = "interline_bench_long";
pub const PGBENCH: &str = "interline_bench_pgbench";

/// Settings of the server for every measurement, pgbench's too. Durability is not among them.
const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("wal_buffers", "16MB"),
];

#[derive(diesel::QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    name: String,
}

impl Server {
    pub async fn start(dir: Option<PathBuf>) -> anyhow::Result<Server> {
        let temporary = dir
            .is_none()
            .then(|| std::env::temp_dir().join(format!("interline-bench-{}", std::process::id())));
        let at = dir.or_else(|| temporary.clone()).context("a directory")?;
        let start = move || Cluster::start(&at, Durability::Durable, &SETTINGS);
        let cluster = tokio::task::spawn_blocking(start).await??;
        Ok(Server::Own(cluster, temporary))
    }

    /// A server that is there, when it keeps what it commits.
    pub async fn given(url: &str) -> anyhow::Result<Server> {
        let parsed = Url::parse(url).context("the database's URL")?;
        let mut conn = Connection::establish(url).await?;
        let careless: Vec<Setting> = diesel::sql_query(
            "select name from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes') \
                and setting <> 'on'",
        )
        .load(&mut conn)
        .await?;
        let careless: Vec<&str> = careless.iter().map(|it| it.name.as_str()).collect();
        ensure!(
            careless.is_empty(),
            "that server is not durable, so its rates say nothing: switch {} on",
            careless.join(" and ")
        );
        Ok(Server::Given(parsed))
    }

    /// The URL of a database of the server.
    pub fn url(&self, database: &str) -> String {
        match self {
            Server::Own(cluster, _) => cluster.url(database),
            Server::Given(url) => {
                let mut url = url.clone();
                url.set_path(database);
                url.to_string()
            }
        }
    }

    /// Makes one of the databases of a bench, anew where an earlier bench left it.
    pub async fn create(&self, database: &str) -> anyhow::Result<String> {
        let mut conn = Connection::establish(&self.admin()).await?;
        drop_database(&mut conn, database).await?;
        conn.batch_execute(&format!("create database {database}"))
            .await?;
        Ok(self.url(database))
    }

    fn admin(&self) -> String {
        match self {
            Server::Own(cluster, _) => cluster.url("postgres"),
            Server::Given(url) => url.to_string(),
        }
    }

    /// Stops a server of its own; leaves another as it was.
    pub async fn end(self) -> anyhow::Result<()> {
        let (cluster, temporary) = match self {
            Server::Own(cluster, temporary) => (cluster, temporary),
            Server::Given(url) => {
                let mut conn = Connection::establish(url.as_str()).await?;
                for database in [ORDINARY, SHORT, LONG, PGBENCH] {
                    drop_database(&mut conn, database).await?;
                }
                return Ok(());
            }
        };
        tokio::task::spawn_blocking(move || cluster.stop()).await??;
        match temporary {
            None => Ok(()),
            Some(dir) => std::fs::remove_dir_all(&dir)
                .with_context(|| format!("cannot remove {}", dir.display())),
        }
    }
}

async fn drop_database(conn: &mut Connection, database: &str) -> anyhow::Result<()> {
    let sql = format!("drop database if exists {database} with (force)");
    Ok(conn.batch_execute(&sql).await?)
}
