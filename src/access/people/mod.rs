//! People of the hub sign in with a password and a code of their second factor.
//!
//! An unknown login takes as long as a wrong password and is told the same. Hashing is slow on
//! purpose, so it runs aside of the requests, and only a few at a time: each takes 19 MiB. Attempts are
//! counted in the database, for all hubs together.

pub mod api;
pub mod invitation;
pub mod login;
pub mod password;
mod store;

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::caller::Myself;
use super::second_factor;
use super::sessions::{self, Which};
use super::{Access, Role, Who, audit};
use crate::clock::Timestamp;
use crate::db::{self, Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::secret::Secrets;
use crate::web::RequestId;
use crate::web::text::Name;
pub use login::Login;

/// How many passwords and codes an account takes a minute, right or wrong.
const ATTEMPTS: i32 = 5;

/// How many passwords are hashed at once, and how long the next one waits.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// Somebody who works for the hub, did, or shall.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: i64,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub(crate) password_hash: Option<String>,
}

impl Person {
    /// Whether the person can sign in; who cannot is invited to set a password.
    pub fn has_password(&self) -> bool {
        self.password_hash.is_some()
    }

    /// The state as the audit trail has it.
    fn state(&self) -> Option<&'static str> {
        self.is_active.then(|| self.role.name())
    }
}

/// Where passwords are hashed, a few at a time.
pub struct Hashing(Semaphore);

impl Default for Hashing {
    fn default() -> Self {
        Hashing(Semaphore::new(AT_ONCE))
    }
}

impl Hashing {
    async fn permit(&self) -> Result<SemaphorePermit<'_>, Error> {
        let busy = |_| Problem::new(Slug::TooBusy, "too many people sign in at once");
        let permit = tokio::time::timeout(PATIENCE, self.0.acquire()).await;
        Ok(permit.map_err(busy)?.map_err(anyhow::Error::from)?)
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
    let hash = hashed("/password", password).await?;

    store::insert(conn, &login, &name, role, &hash).await
}

/// What is kept of a password that somebody wants to have.
async fn hashed(pointer: &str, password: &str) -> Result<String, Error> {
    login::check_password(password).map_err(|rule| Problem::field(pointer, rule))?;
    let password = password.to_owned();
    let hashing = tokio::task::spawn_blocking(move || password::hash(&password));
    Ok(hashing.await.map_err(anyhow::Error::from)??)
}

/// Somebody who is to be employed: new, or known under the login and not employed any more.
pub async fn enter(
    conn: &mut Connection,
    login: &Login,
    name: &Name,
    role: Role,
) -> Result<i64, Error> {
    store::enter(conn, login, name, role).await
}

/// Somebody, employed or not, whose row is locked until the transaction ends.
pub async fn lock(conn: &mut Connection, person: i64) -> Result<Option<Person>, Error> {
    store::lock(conn, person).await
}

/// Locks all operators, so that two cannot take away each other's role at once.
pub async fn lock_operators(conn: &mut Connection) -> Result<(), Error> {
    store::lock_operators(conn).await.map(|_| ())
}

/// How many operators there are.
pub async fn count_operators(conn: &mut Connection) -> Result<usize, Error> {
    store::lock_operators(conn).await
}

/// A page of all people, oldest first: one more than `limit` when there are more.
pub async fn list(conn: &mut Connection, after: i64, limit: i64) -> Result<Vec<Person>, Error> {
    store::list(conn, after, limit).await
}

/// Somebody, employed or not.
pub async fn find_any(conn: &mut Connection, person: i64) -> Result<Option<Person>, Error> {
    store::find_by_id(conn, person).await
}

/// Somebody who is employed.
pub async fn find(conn: &mut Connection, person: i64) -> Result<Person, Error> {
    let found = store::find_by_id(conn, person).await?;
    Ok(found.filter(|it| it.is_active).ok_or_else(unknown)?)
}

/// Employs somebody in a role, or gives another; who was signed in has to sign in again.
pub async fn employ(
    conn: &mut Connection,
    who: &Who,
    person: &Person,
    role: Role,
) -> Result<(), Error> {
    store::employ(conn, person.id, role).await?;
    sessions::end(conn, who, person.id, Which::All).await?;
    tell(conn, who, person, role.name()).await
}

/// Takes the password and the second factor away, for the person to set them again.
pub async fn renew(conn: &mut Connection, who: &Who, person: &Person) -> Result<(), Error> {
    shut_out(conn, who, person.id).await?;
    tell(conn, who, person, "way in renewed").await
}

/// Ends a person's employment, and all sessions. Nothing that opened the door opens it again.
pub async fn dismiss(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let person = lock_employed(conn, person).await?;
    shut_out(conn, who, person.id).await?;
    store::mark_inactive(conn, person.id).await?;
    tell(conn, who, &person, "dismissed").await
}

async fn shut_out(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    store::forget_password(conn, person).await?;
    second_factor::reset(conn, person).await?;
    sessions::end(conn, who, person, Which::All)
        .await
        .map(|_| ())
}

/// A one-time token with which somebody who has no password sets one. The one before is no good any more.
pub async fn invite(conn: &mut Connection, who: &Who, person: &Person) -> Result<String, Error> {
    let token = invitation::of(rand::random());
    store::put_invitation(conn, person.id, &invitation::hash(&token)).await?;
    tell(conn, who, person, "invited").await?;
    Ok(token)
}

/// Sets the password of who was invited.
pub async fn accept(
    pool: &Pool,
    hashing: &Hashing,
    request: RequestId,
    token: &str,
    password: &str,
) -> Result<(), Error> {
    let invited = invitation::hash(token);
    // Who has no invitation gets nothing hashed.
    store::find_invited(&mut *pool.get().await?, &invited)
        .await?
        .ok_or_else(not_invited)?;
    let hash = {
        let _permit = hashing.permit().await?;
        hashed("/password", password).await?
    };
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        let person = store::take_invitation(conn, &invited, &hash).await?;
        let person = person.ok_or_else(not_invited)?;
        let who = Who::just_proved(person.id, person.role, request);
        tell(conn, &who, &person, "password set").await
    })
    .await
}

/// Gives oneself another password. All other sessions end.
pub async fn change_password(
    pool: &Pool,
    access: &Access,
    secrets: &Secrets,
    me: &Myself,
    (old, new): (String, &str),
    code: &str,
) -> Result<(), Error> {
    count_attempt_of(pool, secrets, me.session.person).await?;
    let person = find(&mut *pool.get().await?, me.session.person).await?;
    let kept = person.password_hash.clone().ok_or_else(wrong_password)?;
    let is_right = verify(&access.hashing, old, kept).await?;
    is_right.then_some(()).ok_or_else(wrong_password)?;
    let hash = {
        let _permit = access.hashing.permit().await?;
        hashed("/new_password", new).await?
    };
    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        let is_still = store::lock_unchanged(conn, &person).await?;
        is_still.then_some(()).ok_or_else(wrong_password)?;
        prove(conn, secrets, me, code).await?;
        store::set_password(conn, person.id, &hash).await?;
        sessions::end(conn, &me.who, person.id, Which::AllBut(me.session.id)).await?;
        tell(conn, &me.who, &person, "password changed").await
    })
    .await
}

/// Ends all sessions of a person, who may sign in again.
pub async fn sign_out(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let person = lock_employed(conn, person).await?;
    match sessions::end(conn, who, person.id, Which::All).await? {
        0 => Ok(()),
        _ => tell(conn, who, &person, "signed out").await,
    }
}

async fn lock_employed(conn: &mut Connection, person: i64) -> Result<Person, Error> {
    let found = store::lock(conn, person).await?;
    Ok(found.filter(|it| it.is_active).ok_or_else(unknown)?)
}

/// Writes down what became of a person. No name and no login is in it.
async fn tell(conn: &mut Connection, who: &Who, person: &Person, after: &str) -> Result<(), Error> {
    let about = audit::Subject::Person.no(person.id);
    audit::record(conn, who, about, person.state(), after).await
}

/// Signs a person in: the person, whether with a code, and the token of a session. One refusal for every
/// reason, but that a right password lacks a code.
pub async fn sign_in(
    pool: &Pool,
    access: &Access,
    secrets: &Secrets,
    login: &Login,
    (password, code): (String, Option<&str>),
    request: RequestId,
) -> Result<(Person, bool, String), Error> {
    // The connection goes back before the hashing begins.
    let found = {
        let mut conn = pool.get().await?;
        count_attempt(&mut conn, secrets, login).await?;
        store::find_active(&mut conn, login).await?
    };

    let kept = found
        .as_ref()
        .and_then(|person| person.password_hash.as_deref());
    let hash = kept.unwrap_or(password::NOBODY).to_owned();
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
        let who = Who::just_proved(person.id, person.role, request);
        let token = sessions::open(conn, &who, is_proved).await?;
        Ok::<_, Error>((is_proved, token))
    })
    .await?;
    Ok((person, is_proved, token))
}

/// Counts an attempt at a code by who is signed in: it counts like one at signing in.
pub async fn count_attempt_of(pool: &Pool, secrets: &Secrets, person: i64) -> Result<(), Error> {
    let mut conn = pool.get().await?;
    let person = find(&mut conn, person).await?;
    count_attempt(&mut conn, secrets, &person.login).await
}

async fn count_attempt(conn: &mut Connection, secrets: &Secrets, login: &str) -> Result<(), Error> {
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
    is_right.then_some(()).ok_or_else(second_factor::refused)?;
    sessions::prove(conn, &me.who, me.session).await
}

/// Ends the enrolment of a second factor: the recovery codes.
pub async fn enrol(
    conn: &mut Connection,
    secrets: &Secrets,
    me: &Myself,
    code: &str,
) -> Result<Vec<String>, Error> {
    let person = me.session.person;
    let person = lock_employed(conn, person).await?;
    let codes = second_factor::confirm(conn, secrets, person.id, code).await?;
    sessions::prove(conn, &me.who, me.session).await?;
    tell(conn, &me.who, &person, "second factor enrolled").await?;
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
    let person = lock_employed(conn, person).await?;
    prove(conn, secrets, me, code).await?;
    tell(conn, &me.who, &person, "recovery codes renewed").await?;
    second_factor::fresh_codes(conn, secrets, person.id).await
}

async fn verify(hashing: &Hashing, password: String, hash: String) -> Result<bool, Error> {
    let _permit = hashing.permit().await?;
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

fn not_invited() -> Problem {
    Problem::new(
        Slug::InvitationInvalid,
        "the invitation is not one of ours, too old, or was used; ask an operator for another",
    )
}

fn wrong_password() -> Problem {
    Problem::new(Slug::CodeRefused, "the present password is not right")
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
