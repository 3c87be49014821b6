//! People of the hub sign in with a password and a code of their second factor.
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

use super::caller::Myself;
use super::second_factor;
use super::sessions::{self, Which};
use super::{Access, Role, Who, audit};
use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::secret::Secrets;
use crate::web::text::Name;
pub use login::Login;

/// How many passwords and codes an account takes a minute, right or wrong.
const ATTEMPTS: i32 = 5;

/// How many passwords are hashed at once, and how long the next one waits.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// An employee of the hub.
pub struct Person {
    pub id: i64,
    pub login: String,
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

/// Signs a person in: the person, whether with a code, and the token of a session. One refusal for every
/// reason, but that a right password lacks a code.
pub async fn sign_in(
    pool: &Pool,
    access: &Access,
    secrets: &Secrets,
    login: &Login,
    password: String,
    code: Option<&str>,
) -> Result<(Person, bool, String), Error> {
    // The connection goes back before the hashing begins.
    let found = {
        let mut conn = pool.get().await?;
        count_attempt(&mut conn, secrets, login).await?;
        store::find_active(&mut conn, login).await?
    };

    let hash = found
        .as_ref()
        .map_or(password::NOBODY, |person| &person.password_hash)
        .to_owned();
    let is_right = verify(&access.hashing, password, hash).await?;
    let person = found.filter(|_| is_right).ok_or_else(failed)?;

    let mut conn = pool.get().await?;
    let (is_proved, token) = db::transaction(&mut conn, async |conn| {
        // Who was dismissed meanwhile, or has another password, gets no session.
        let is_still = store::lock_unchanged(conn, &person).await?;
        is_still.then_some(()).ok_or_else(failed)?;
        let is_proved = second_factor::is_enrolled(conn, person.id).await?;
        if is_proved {
            let code = code.ok_or_else(code_needed)?;
            let is_right = second_factor::take(conn, secrets, person.id, code).await?;
            is_right.then_some(()).ok_or_else(failed)?;
        }
        let token = sessions::open(conn, person.id, is_proved).await?;
        Ok::<_, Error>((is_proved, token))
    })
    .await?;
    Ok((person, is_proved, token))
}

/// Somebody who is still employed.
pub async fn find(conn: &mut Connection, person: i64) -> Result<Person, Error> {
    Ok(store::find_by_id(conn, person).await?.ok_or_else(unknown)?)
}

/// Counts an attempt at a code by who is signed in: it counts like one at signing in.
pub async fn count_attempt_of(pool: &Pool, secrets: &Secrets, person: i64) -> Result<(), Error> {
    let mut conn = pool.get().await?;
    let person = find(&mut conn, person).await?;
    count_attempt(&mut conn, secrets, &person.login).await
}

async fn count_attempt(
    conn: &mut Connection,
    secrets: &Secrets,
    login: &str,
) -> Result<(), Error> {
    let account = secrets.hash(&[b"account", login.as_bytes()]);
    let counted = store::count_attempt(conn, account, ATTEMPTS).await?;
    Ok(counted.map_err(too_often)?)
}

/// Takes a code of who is signed in: the session's proof is fresh again.
pub async fn prove(
    conn: &mut Connection,
    secrets: &Secrets,
    me: &Myself,
    code: &str,
) -> Result<(), Error> {
    let is_right = second_factor::take(conn, secrets, me.session.person, code).await?;
    is_right
        .then_some(())
        .ok_or_else(second_factor::refused)?;
    sessions::prove(conn, me.session.id).await
}

/// Ends the enrolment of a second factor: the recovery codes.
pub async fn enrol(
    conn: &mut Connection,
    secrets: &Secrets,
    me: &Myself,
    code: &str,
) -> Result<Vec<String>, Error> {
    let person = me.session.person;
    let role = store::lock(conn, person).await?.ok_or_else(unknown)?;
    let codes = second_factor::confirm(conn, secrets, person, code).await?;
    sessions::prove(conn, me.session.id).await?;
    tell(conn, &me.who, person, role, "second factor enrolled").await?;
    Ok(codes)
}

/// Other recovery codes, for a code.
pub async fn renew_recovery_codes(
    conn: &mut Connection,
    secrets: &Secrets,
    me: &Myself,
    code: &str,
) -> Result<Vec<String>, Error> {
    let person = me.session.person;
    let role = store::lock(conn, person).await?.ok_or_else(unknown)?;
    prove(conn, secrets, me, code).await?;
    tell(conn, &me.who, person, role, "recovery codes renewed").await?;
    second_factor::fresh_codes(conn, secrets, person).await
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
    Problem::new(
        Slug::SignInFailed,
        "the login, the password or the code is not right, or the code was used before",
    )
}

fn code_needed() -> Problem {
    Problem::new(
        Slug::CodeNeeded,
        "this account has a second factor: send `code` with the login and the password",
    )
}

fn too_often(wait: u64) -> Problem {
    Problem::new(
        Slug::TooManyRequests,
        format!("an account takes 5 passwords and codes a minute; wait {wait} seconds"),
    )
    .with("retry_after", wait)
}
