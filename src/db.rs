//! The database: a pool of connections, the schema brought up to date, transactions, and the one
//! `control` row that tells every hub when what it holds in memory is out of date.
//!
//! Connections work as the role `interline_app`, which does not own the tables and cannot change
//! or delete the journal. Migrations run as whoever the URL names.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Untyped};
use diesel_async::pooled_connection::deadpool::{Object, Pool as Deadpool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{
    AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::clock::Timestamp;
use crate::error::{Error, Problem, Slug};
use crate::schema;

pub type Connection = AsyncPgConnection;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Advisory lock numbers: "inter" in ASCII and a digit, so that they meet no other program's.
const MIGRATION_LOCK: i64 = 0x69_6e_74_65_72_01;

/// Groups of operations hold it shared, whoever publishes or closes takes it alone for a moment.
pub const GATE_LOCK: i64 = 0x69_6e_74_65_72_02;

/// Whoever seals finished groups holds it: one at a time over all hubs.
pub const SEAL_LOCK: i64 = 0x69_6e_74_65_72_03;

/// What every connection of the hub starts with. No statement outlives ten seconds,
/// and no transaction that idles five.
pub const SESSION: &str = "set role interline_app; set statement_timeout = '10s'; \
     set idle_in_transaction_session_timeout = '5s'; set timezone = 'UTC'; set jit = off";

/// For connections with few statements, each of which has one good plan, also on a table that was empty
/// when it was prepared.
pub const ONE_PLAN: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off";

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Pool {
    inner: Deadpool<Connection>,
    url: Arc<str>,
}

impl Pool {
    pub fn new(url: &str, size: usize) -> anyhow::Result<Pool> {
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|url| Box::pin(connect(url.to_owned())));
        let manager = AsyncDieselConnectionManager::<Connection>::new_with_config(url, config);
        let inner = Deadpool::builder(manager).max_size(size).build()?;
        Ok(Pool {
            inner,
            url: url.into(),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection, or the refusal to wait longer for one.
    pub async fn get(&self) -> Result<Object<Connection>, Error> {
        match tokio::time::timeout(PATIENCE, self.inner.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no connection to the database");
                Err(Problem::new(Slug::Unavailable, "the database does not answer").into())
            }
            Err(_) => Err(Problem::new(
                Slug::TooBusy,
                "all connections to the database are in use",
            )
            .into()),
        }
    }
}

/// SQL that is asked often. Each connection prepares it once; what `diesel::sql_query` asks is parsed and
/// planned each time. Parameters stand where they are bound, so one that is needed twice is bound twice.
#[derive(Debug, Clone)]
pub struct Prepared<B>(B);

pub fn prepared(sql: impl Into<Cow<'static, str>>) -> Prepared<Words> {
    Prepared(Words(sql.into()))
}

impl<B> Prepared<B> {
    pub fn bind<T, V>(self, value: V) -> Prepared<Then<B, Bound<T, V>>> {
        Prepared(Then(self.0, Bound(value, PhantomData)))
    }

    pub fn then(self, sql: impl Into<Cow<'static, str>>) -> Prepared<Then<B, Words>> {
        Prepared(Then(self.0, Words(sql.into())))
    }
}

#[derive(Debug, Clone)]
pub struct Words(Cow<'static, str>);

#[derive(Debug, Clone)]
pub struct Then<A, B>(A, B);

#[derive(Debug, Clone)]
pub struct Bound<T, V>(V, PhantomData<T>);

impl QueryFragment<Pg> for Words {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(&self.0);
        Ok(())
    }
}

impl<A: QueryFragment<Pg>, B: QueryFragment<Pg>> QueryFragment<Pg> for Then<A, B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        self.1.walk_ast(out)
    }
}

impl<T, V> QueryFragment<Pg> for Bound<T, V>
where
    V: ToSql<T, Pg>,
    Pg: HasSqlType<T>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<T, V>(&self.0)
    }
}

impl<B: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<B> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

/// Told apart by its text.
impl<B> QueryId for Prepared<B> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B> Query for Prepared<B> {
    type SqlType = Untyped;
}

/// A connection of one's own.
pub async fn connect(url: String) -> diesel::ConnectionResult<Connection> {
    let mut conn = Connection::establish(&url).await?;
    conn.batch_execute(SESSION)
        .await
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Brings the schema up to date, if it is this program's; hubs that start together wait for the first.
/// Returns how many migrations were applied.
pub async fn migrate(url: &str) -> anyhow::Result<usize> {
    let mut conn = Connection::establish(url)
        .await
        .with_context(|| "cannot connect to the database")?;
    conn.batch_execute(&format!(
        "set timezone = 'UTC'; select pg_advisory_lock({MIGRATION_LOCK})"
    ))
    .await?;
    schema::must_be_ours(&mut conn).await?;
    let applied = tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        harness
            .run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.len())
            .map_err(|error| anyhow::anyhow!("the schema cannot be brought up to date: {error}"))
    })
    .await??;
    Ok(applied)
}

/// Runs `work` in one transaction: all of it or nothing. Dropping the future before the end closes
/// the connection, which rolls back.
pub async fn transaction<T>(
    conn: &mut Connection,
    work: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    type Manager = <Connection as AsyncConnection>::TransactionManager;
    Manager::begin_transaction(conn).await?;
    match work(conn).await {
        Ok(done) => {
            Manager::commit_transaction(conn).await?;
            Ok(done)
        }
        Err(error) => {
            // A connection that cannot even roll back is lost, and the pool drops it.
            let _ = Manager::rollback_transaction(conn).await;
            Err(error)
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(diesel::QueryableByName)]
struct Instant {
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    at: Timestamp,
}

/// The database's clock, with the offset of a sandbox.
pub async fn now(conn: &mut Connection) -> Result<Timestamp, Error> {
    let row: Instant = diesel::sql_query("select hub_now() as at")
        .get_result(conn)
        .await?;
    Ok(row.at)
}

/// Turns a sandbox's clock forward, for good.
pub async fn turn_clock_forward(conn: &mut Connection, by: chrono::Duration) -> Result<(), Error> {
    diesel::sql_query("update control set clock_offset = clock_offset + make_interval(secs => $1::double precision)")
        .bind::<BigInt, _>(by.num_seconds())
        .execute(conn)
        .await?;
    Ok(())
}

/// Leaves out so many numbers of groups: they were given to groups that were written from elsewhere.
/// Takes the gate alone, so that no group under way has a smaller number than it should.
pub async fn leave_out_groups(conn: &mut Connection, count: i64) -> Result<(), Error> {
    transaction(conn, async |conn| {
        take_gate(conn).await?;
        diesel::sql_query("update control set group_base = group_base + $1")
            .bind::<BigInt, _>(count)
            .execute(conn)
            .await?;
        Ok(())
    })
    .await
}

/// What a request rests on: the publication it saw and the database's clock, read after it came.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub version: i64,
    pub now: Timestamp,
}

#[derive(diesel::QueryableByName)]
struct Present {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    now: Timestamp,
}

/// The present.
pub async fn moment(conn: &mut Connection) -> Result<Moment, Error> {
    let sql = "select version, hub_now() as now from control";
    let Present { version, now } = diesel::sql_query(sql).get_result(conn).await?;
    Ok(Moment { version, now })
}

/// The latest moment that this hub has seen: a command may be built on it, since the group that carries
/// it out finds whether it is still the present.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Option<Moment>>);

impl Latest {
    pub fn get(&self) -> Option<Moment> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn saw(&self, moment: Moment) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_later = |known: Moment| (known.version, known.now) < (moment.version, moment.now);
        if latest.is_none_or(is_later) {
            *latest = Some(moment);
        }
    }
}

/// How many publications there have been.
pub async fn version(conn: &mut Connection) -> Result<i64, Error> {
    let row: Number = diesel::sql_query("select version as number from control")
        .get_result(conn)
        .await?;
    Ok(row.number)
}

/// Marks a publication: called inside the transaction that publishes. Takes the gate alone, so
/// that no operation is decided by what was true before and committed after.
pub async fn publish(conn: &mut Connection) -> Result<(), Error> {
    take_gate(conn).await?;
    diesel::sql_query("update control set version = version + 1")
        .execute(conn)
        .await?;
    Ok(())
}

/// Waits for the operations under way and lets none begin until the transaction ends.
pub async fn take_gate(conn: &mut Connection) -> Result<(), Error> {
    conn.batch_execute("set local lock_timeout = '5s'").await?;
    let taken = diesel::sql_query("select pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(GATE_LOCK)
        .execute(conn)
        .await;
    match taken {
        Ok(_) => Ok(()),
        // Diesel does not tell the code (55P03); the text is PostgreSQL's own.
        Err(error) if error.to_string().contains("lock timeout") => Err(Problem::new(
            Slug::TooBusy,
            "something else is being published or closed right now",
        )
        .into()),
        Err(error) => Err(error.into()),
    }
}

/// Something read from the database and kept in memory until the next publication.
pub struct Snapshot<T> {
    kept: RwLock<Option<(i64, Arc<T>)>>,
}

impl<T> Default for Snapshot<T> {
    fn default() -> Self {
        Snapshot {
            kept: RwLock::new(None),
        }
    }
}

impl<T> Snapshot<T> {
    /// The state at a publication or a later one, with its version: from memory when it is there,
    /// else read again with `load`.
    pub async fn at(
        &self,
        moment: Moment,
        pool: &Pool,
        load: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<(i64, Arc<T>), Error> {
        match self.kept() {
            Some((version, value)) if version >= moment.version => Ok((version, value)),
            // Rare, and much larger than what a request otherwise keeps while it waits.
            _ => Box::pin(async { self.current(&mut *pool.get().await?, load).await }).await,
        }
    }

    fn kept(&self) -> Option<(i64, Arc<T>)> {
        self.kept.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The current state and its version: from memory when nothing was published since, else read
    /// again with `load`. The version is read first, so what is kept is never older than it says.
    pub async fn current(
        &self,
        conn: &mut Connection,
        load: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<(i64, Arc<T>), Error> {
        let version = version(conn).await?;
        if let Some((known, value)) = self.kept()
            && known == version
        {
            return Ok((version, value));
        }

        let value = Arc::new(load(conn).await?);

        *self.kept.write().unwrap_or_else(|e| e.into_inner()) = Some((version, value.clone()));
        Ok((version, value))
    }
}
