//! Staff: who works for the hub, and how they come and go.
//!
//! An operator hires, gives another role, renews a lost way in, and dismisses. What gives power needs a second
//! operator: the roles operator and finance, and a way in anew for who has one of them. What takes power away
//! is so at once. Nobody does any of it to themselves, and the last operator stays.
//!
//! Somebody is one person for ever: who is hired again under a login that was known is the one who had it, and
//! cannot approve what they made before.
//!
//! Who is hired gets in with an invitation: a one-time token that any operator can ask for, as long as the
//! person has no password.
//!
//! Lock order: all operators, the person, then its approval.

pub mod api;
pub mod change;

use crate::access::people::{self, Login, Person};
use crate::access::{Role, Who};
use crate::approvals::{Proposal, Proposals};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::web::text::Name;
use change::{Change, basis, has_power};

/// Each rests on the person as it is.
const CHANGES: Proposals<Change> = Proposals::of("person");

/// A person, and what waits for a second operator.
pub struct Member {
    pub person: Person,
    pub proposed: Option<Proposal<Change>>,
}

pub async fn find(conn: &mut Connection, person: i64) -> Result<Member, Error> {
    let person = people::find_any(conn, person).await?.ok_or_else(unknown)?;
    let proposed = CHANGES.pending(conn, &[person.id]).await?.pop();
    Ok(Member { person, proposed })
}

/// A page of all who work here, did or shall, oldest first.
pub async fn list(conn: &mut Connection, after: i64, limit: i64) -> Result<Vec<Member>, Error> {
    let found = people::list(conn, after, limit).await?;
    let ids: Vec<i64> = found.iter().map(|person| person.id).collect();
    let proposals = CHANGES.pending(conn, &ids).await?;
    let member = |person: Person| Member {
        proposed: proposals.iter().find(|it| it.of == person.id).cloned(),
        person,
    };
    Ok(found.into_iter().map(member).collect())
}

/// Hires somebody, or proposes it. Who was here before under the login is the same person again.
pub async fn hire(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    login: &Login,
    name: &Name,
    role: Role,
) -> Result<i64, Error> {
    who.must_be_fresh()?;
    people::lock_operators(conn).await?;
    let id = people::enter(conn, login, name, role).await?;
    must_be_another(who, id)?;
    let person = lock(conn, id).await?;
    change(conn, who, ids, &person, Change::Role(role)).await?;
    Ok(id)
}

/// Changes somebody's role or way in, or proposes it.
pub async fn want(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    person: i64,
    wanted: Change,
) -> Result<(), Error> {
    who.must_be_fresh()?;
    must_be_another(who, person)?;
    people::lock_operators(conn).await?;
    let person = lock(conn, person).await?;
    if !person.is_active {
        return Err(not_here().into());
    }
    match wanted {
        Change::Role(role) if role == person.role => Ok(()),
        wanted => change(conn, who, ids, &person, wanted).await,
    }
}

async fn change(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    person: &Person,
    wanted: Change,
) -> Result<(), Error> {
    if !wanted.needs_two(person) {
        CHANGES.cancel(conn, who, person.id).await?;
        return carry_out(conn, who, person, wanted).await;
    }
    let subject = (person.id, ids.show(Kind::Person, person.id));
    let basis = basis(person);
    CHANGES.propose(conn, who, subject, &wanted, &basis).await?;
    Ok(())
}

async fn carry_out(
    conn: &mut Connection,
    who: &Who,
    person: &Person,
    change: Change,
) -> Result<(), Error> {
    match change {
        Change::Role(role) => {
            if !has_power(role) {
                must_not_be_last(conn, person).await?;
            }
            people::employ(conn, who, person, role).await
        }
        Change::Renewal => people::renew(conn, who, person).await,
    }
}

/// Agrees to what was proposed, which is then so.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    read: &[u8],
) -> Result<(), Error> {
    must_be_another(who, person)?;
    people::lock_operators(conn).await?;
    let person = lock(conn, person).await?;
    let basis = basis(&person);
    let change = CHANGES.approve(conn, who, person.id, read, &basis).await?;
    carry_out(conn, who, &person, change).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    person: i64,
    read: &[u8],
) -> Result<(), Error> {
    must_be_another(who, person)?;
    let person = lock(conn, person).await?;
    CHANGES.reject(conn, who, person.id, read).await.map(drop)
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    let person = lock(conn, person).await?;
    CHANGES.withdraw(conn, who, person.id).await.map(drop)
}

/// Ends somebody's employment at once.
pub async fn dismiss(conn: &mut Connection, who: &Who, person: i64) -> Result<(), Error> {
    must_be_another(who, person)?;
    people::lock_operators(conn).await?;
    let person = lock(conn, person).await?;
    CHANGES.cancel(conn, who, person.id).await?;
    if !person.is_active {
        return Ok(());
    }
    must_not_be_last(conn, &person).await?;
    people::dismiss(conn, who, person.id).await
}

/// A one-time token with which somebody who has no password sets one.
pub async fn invite(conn: &mut Connection, who: &Who, person: i64) -> Result<String, Error> {
    who.must_be_fresh()?;
    must_be_another(who, person)?;
    let person = lock(conn, person).await?;
    if !person.is_active {
        return Err(not_here().into());
    }
    if person.has_password() {
        let detail = "the person has a password; when it is lost, renew the person's way in first";
        return Err(Problem::new(Slug::PasswordSet, detail).into());
    }
    people::invite(conn, who, &person).await
}

async fn lock(conn: &mut Connection, person: i64) -> Result<Person, Error> {
    Ok(people::lock(conn, person).await?.ok_or_else(unknown)?)
}

/// With all operators locked.
async fn must_not_be_last(conn: &mut Connection, person: &Person) -> Result<(), Error> {
    let is_last = person.is_active
        && person.role == Role::Operator
        && people::count_operators(conn).await? == 1;
    match is_last {
        true => Err(Problem::new(
            Slug::LastOperator,
            "without an operator nobody could be hired any more: make another one first",
        )
        .into()),
        false => Ok(()),
    }
}

fn must_be_another(who: &Who, person: i64) -> Result<(), Problem> {
    match who.principal == person {
        true => Err(Problem::new(
            Slug::NotYourself,
            "another operator has to do that to you",
        )),
        false => Ok(()),
    }
}

fn not_here() -> Problem {
    Problem::new(
        Slug::NotEmployed,
        "the person does not work here: hire them with POST /v1/people, under the same login",
    )
}

pub(crate) fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "nobody of that id works here")
}
