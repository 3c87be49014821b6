//! The second factor of the hub's people: a code of an authenticator ([`totp`]), or a recovery code
//! ([`recovery`]).
//!
//! A person enrols by taking a secret into an authenticator and sending a first code of it. From then on
//! nobody signs in to that account without a code. No code is taken twice, on whatever hub: the last step
//! that one was taken of is kept, and none of it or before it is taken again.
//!
//! Whoever has not enrolled may only read ([`super::caller`]).

pub mod api;
pub mod recovery;
mod store;
pub mod totp;

use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::secret::Secrets;
use totp::Secret;

/// Whether somebody has enrolled, and how many recovery codes are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub is_enrolled: bool,
    pub recovery_codes: i64,
}

pub async fn standing(conn: &mut Connection, person: i64) -> Result<Standing, Error> {
    Ok(Standing {
        is_enrolled: is_enrolled(conn, person).await?,
        recovery_codes: store::codes_left(conn, person).await?,
    })
}

pub async fn is_enrolled(conn: &mut Connection, person: i64) -> Result<bool, Error> {
    let found = store::find(conn, person).await?;
    Ok(found.is_some_and(|factor| factor.is_confirmed))
}

/// Begins to enrol: a secret that nothing was done with. Beginning again makes another.
pub async fn begin(conn: &mut Connection, secrets: &Secrets, person: i64) -> Result<Secret, Error> {
    let version = store::begin(conn, person).await?.ok_or_else(enrolled)?;
    Ok(Secret::of(&secrets.factors, person, version))
}

/// Ends enrolling with a first code: the recovery codes.
pub async fn confirm(
    conn: &mut Connection,
    secrets: &Secrets,
    person: i64,
    code: &str,
) -> Result<Vec<String>, Error> {
    let factor = store::find(conn, person).await?.ok_or_else(not_begun)?;
    if factor.is_confirmed {
        return Err(enrolled().into());
    }
    let secret = Secret::of(&secrets.factors, person, factor.version);
    let step = secret.step_of(code, factor.now).ok_or_else(refused)?;
    match store::confirm(conn, person, factor.version, step).await? {
        true => fresh_codes(conn, secrets, person).await,
        // Another enrolment began or ended meanwhile.
        false => Err(refused().into()),
    }
}

/// Whether a code of the authenticator or a recovery code is right. It is used up then.
pub async fn take(
    conn: &mut Connection,
    secrets: &Secrets,
    person: i64,
    code: &str,
) -> Result<bool, Error> {
    if let Some(plain) = recovery::plain(code) {
        return store::take_code(conn, person, hash(secrets, person, &plain)).await;
    }
    let Some(factor) = store::find(conn, person).await? else {
        return Ok(false);
    };
    let secret = Secret::of(&secrets.factors, person, factor.version);
    match secret.step_of(code, factor.now) {
        Some(step) => store::take_step(conn, person, factor.version, step).await,
        None => Ok(false),
    }
}

/// Other recovery codes in place of those there are.
pub async fn fresh_codes(
    conn: &mut Connection,
    secrets: &Secrets,
    person: i64,
) -> Result<Vec<String>, Error> {
    let codes: Vec<String> = (0..recovery::COUNT)
        .map(|_| recovery::of(rand::random()))
        .collect();
    let plain = codes.iter().filter_map(|code| recovery::plain(code));
    let hashes: Vec<_> = plain.map(|plain| hash(secrets, person, &plain)).collect();
    store::forget_codes(conn, person).await?;
    store::insert_codes(conn, person, &hashes).await?;
    Ok(codes)
}

/// Takes a person's factor away: the person enrols again. Whether there was one.
pub async fn reset(conn: &mut Connection, person: i64) -> Result<bool, Error> {
    store::reset(conn, person).await
}

/// Enrols somebody without a code, for a sample: whoever fills one in knows the secret as well as the person
/// will.
pub async fn enrol_at_once(
    conn: &mut Connection,
    secrets: &Secrets,
    person: i64,
) -> Result<Secret, Error> {
    let version = store::begin(conn, person).await?.ok_or_else(enrolled)?;
    store::confirm(conn, person, version, 0).await?;
    Ok(Secret::of(&secrets.factors, person, version))
}

fn hash(secrets: &Secrets, person: i64, plain: &str) -> uuid::Uuid {
    secrets.hash(&[b"recovery", &person.to_be_bytes(), plain.as_bytes()])
}

fn enrolled() -> Problem {
    Problem::new(
        Slug::SecondFactorEnrolled,
        "you have a second factor; an operator can renew your way in when the authenticator is lost",
    )
}

fn not_begun() -> Problem {
    Problem::new(
        Slug::CodeRefused,
        "no enrolment has begun: ask for a secret with POST /v1/me/second-factor first",
    )
}

/// What is told of every code that is not taken.
pub fn refused() -> Problem {
    Problem::new(
        Slug::CodeRefused,
        "the code is not right, too old, or was used before; wait for the next one",
    )
}
