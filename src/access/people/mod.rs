//! People of the hub sign in with a password.
//!
//! An unknown login takes as long as a wrong password and is told the same. Hashing is slow on
//! purpose, so it runs aside of the requests, and only a few at a time: each takes 19 MiB. Attempts are
//! counted in the database, for all hubs together.

pub mod api;
pub mod login;
pub mod password;
mod store;

use std::time::Duration;

use tokio::sync::Semaphore;

use super::sessions::{self, Which};
use super::{Access, Role, Who, audit};
use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::secret::Secrets;
use crate::web::text::Name;
pub use login::Login;

/// How many sign-ins an account takes a minute, right or wrong.
const ATTEMPTS: i32 = 5;

/// How many passwords are hashed at once, and how long the next one waits.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// An employee of the hub.
pub struct Person {
    pub id: i64,
    pub name: String,
    pub role: Role,
    password_hash: String,
}

/// Where passwords are hashed, a few at a time.
pub struct Hashing(Semaphore);

impl Default for Hashing {
    fn default() -> Self {
        Hashing(Semaphore::new(AT_ONCE))
    }
}

/// Employs somebody; for the command line and the sample. Returns the person's id.
pub async fn create(
    conn: &mut Connection,
    login: &str,
    name: &str,
    role: Role,
    password: &str,
) -> Result<i64, Error> {
    let login = Login::try_from(login.to_owned()).map_err(|rule| Problem::field("/login", rule))?;
    let name = Name::try_from(name.to_owned()).map_err(|rule| Problem::field("/name", rule))?;
    login::check_password(password).map_err(|rule| Problem::field("/password", rule))?;
    let password = password.to_owned();
    let hash = tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(anyhow::Error::from)??;

    store::insert(conn, &login, &name, role, &hash).await
}

/// Gives a person another role, who has to sign in again.
pub async fn change_role(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    role: Role,
) -> Result<(), Error> {
    let before = store::lock(conn, person).await?.ok_or_else(unknown)?;

    store::set_role(conn, person, role).await?;
    sessions::end(conn, person, Which::All).await?;
    tell(conn, who, person, before, role.name()).await
}

/// Ends a person's employment, and all sessions.
pub async fn dismiss(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let before = store::lock(conn, person).await?.ok_or_else(unknown)?;

    store::mark_inactive(conn, person).await?;
    sessions::end(conn, person, Which::All).await?;
    tell(conn, who, person, before, "dismissed").await
}

/// Ends all sessions of a person, who may sign in again.
pub async fn sign_out(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let role = store::lock(conn, person).await?.ok_or_else(unknown)?;
    match sessions::end(conn, person, Which::All).await? {
        0 => Ok(()),
        _ => tell(conn, who, person, role, "signed out").await,
    }
}

async fn tell(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    before: Role,
    after: &str,
) -> Result<(), Error> {
    let about = audit::Subject::Person.no(person);
    audit::record(conn, who, about, Some(before.name()), after).await
}

/// Signs a person in: the person and the token of a session, or one refusal for every reason.
pub async fn sign_in(
    pool: &Pool,
    access: &Access,
    secrets: &Secrets,
    login: &Login,
    password: String,
) -> Result<(Person, String), Error> {
    let account = secrets.hash(&[b"account", login.as_bytes()]);
    // The connection goes back before the hashing begins.
    let found = {
        let mut conn = pool.get().await?;
        store::count_attempt(&mut conn, account, ATTEMPTS)
            .await?
            .map_err(too_often)?;
        store::find_active(&mut conn, login).await?
    };

    let hash = found
        .as_ref()
        .map_or(password::NOBODY, |person| &person.password_hash)
        .to_owned();
    let is_right = verify(&access.hashing, password, hash).await?;
    let person = found.filter(|_| is_right).ok_or_else(failed)?;

    let mut conn = pool.get().await?;
    let token = db::transaction(&mut conn, async |conn| {
        // Who was dismissed meanwhile, or has another password, gets no session.
        let is_still = store::lock_unchanged(conn, &person).await?;
        is_still.then_some(()).ok_or_else(failed)?;
        sessions::open(conn, person.id).await
    })
    .await?;
    Ok((person, token))
}

async fn verify(hashing: &Hashing, password: String, hash: String) -> Result<bool, Error> {
    let busy = |_| Problem::new(Slug::TooBusy, "too many people sign in at once");
    let _permit = tokio::time::timeout(PATIENCE, hashing.0.acquire())
        .await
        .map_err(busy)?
        .map_err(anyhow::Error::from)?;
    let verified = tokio::task::spawn_blocking(move || password::is_right(&password, &hash)).await;
    Ok(verified.map_err(anyhow::Error::from)?)
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "nobody of that id works here")
}

fn failed() -> Problem {
    Problem::new(Slug::SignInFailed, "the login or the password is not right")
}

fn too_often(wait: u64) -> Problem {
    Problem::new(
        Slug::TooManyRequests,
        format!("an account takes 5 sign-ins a minute; wait {wait} seconds"),
    )
    .with("retry_after", wait)
}
