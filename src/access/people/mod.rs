//! People of the hub sign in with a password.
//!
//! An unknown login takes as long as a wrong password and is told the same. Hashing is slow on
//! purpose, so it runs aside of the requests, and only a few at a time: each takes 19 MiB.

pub mod api;
pub mod attempts;
pub mod login;
pub mod password;
mod store;

use std::time::Duration;

use tokio::sync::Semaphore;

use super::token::Subject;
use super::{Access, Role, Who, audit};
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::web::text::Name;
use attempts::Attempts;
pub use login::Login;

/// How many sign-ins an account takes a minute, right or wrong.
const ATTEMPTS: usize = 5;

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

/// What the hub remembers of sign-ins.
pub struct SignIns {
    attempts: Attempts,
    hashing: Semaphore,
}

impl Default for SignIns {
    fn default() -> Self {
        SignIns {
            attempts: Attempts::of(ATTEMPTS),
            hashing: Semaphore::new(AT_ONCE),
        }
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

/// Gives a person another role. Tokens of the old one are refused from now on.
pub async fn change_role(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    role: Role,
) -> Result<(), Error> {
    let before = store::lock(conn, person).await?.ok_or_else(unknown)?;

    store::set_role(conn, person, role).await?;
    let about = audit::Subject::Person.no(person);
    audit::record(conn, who, about, Some(before.name()), role.name()).await
}

/// Ends a person's employment. Their tokens are refused from now on.
pub async fn dismiss(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let before = store::lock(conn, person).await?.ok_or_else(unknown)?;

    store::mark_inactive(conn, person).await?;
    let about = audit::Subject::Person.no(person);
    audit::record(conn, who, about, Some(before.name()), "dismissed").await
}

/// Signs a person in: the person and a token, or one refusal for every reason.
pub async fn sign_in(
    pool: &Pool,
    access: &Access,
    ids: &Ids,
    login: &Login,
    password: String,
    now: Timestamp,
) -> Result<(Person, String), Error> {
    access
        .sign_ins
        .attempts
        .count(login, now)
        .map_err(too_often)?;
    // The connection goes back before the hashing begins.
    let found = store::find_active(&mut *pool.get().await?, login).await?;

    let hash = found
        .as_ref()
        .map_or(password::NOBODY, |person| &person.password_hash)
        .to_owned();
    let is_right = verify(&access.sign_ins.hashing, password, hash).await?;
    let person = found.filter(|_| is_right).ok_or_else(failed)?;

    let sub = ids.show(Kind::Person, person.id);
    let subject = Subject {
        sub,
        client_id: "sessions".into(),
        role: Some(person.role.name().to_owned()),
        ..Subject::default()
    };
    let mut conn = pool.get().await?;
    let token = access.mint(&mut conn, subject, now).await?;
    Ok((person, token))
}

async fn verify(hashing: &Semaphore, password: String, hash: String) -> Result<bool, Error> {
    let busy = |_| Problem::new(Slug::TooBusy, "too many people sign in at once");
    let _permit = tokio::time::timeout(PATIENCE, hashing.acquire())
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
