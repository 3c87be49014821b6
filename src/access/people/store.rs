//! People in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Login, Person};
use crate::access::Role;
use crate::db::Connection;
use crate::error::{Error, Problem, on_constraint};
use crate::web::text::Name;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    login: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    password_hash: String,
}

const COLUMNS: &str = "id, login, name, role, password_hash from people";

#[derive(diesel::QueryableByName)]
struct Locked {
    #[diesel(sql_type = Text)]
    role: String,
}

#[derive(diesel::QueryableByName)]
struct Wait {
    #[diesel(sql_type = BigInt)]
    seconds: i64,
}

#[derive(diesel::QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The person with this login who is still employed.
pub(super) async fn find_active(
    conn: &mut Connection,
    login: &Login,
) -> Result<Option<Person>, Error> {
    let row: Option<Row> =
        diesel::sql_query(format!("select {COLUMNS} where login = $1 and active"))
            .bind::<Text, _>(&**login)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(person).transpose()?)
}

/// The person with this id who is still employed.
pub(super) async fn find_by_id(conn: &mut Connection, id: i64) -> Result<Option<Person>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("select {COLUMNS} where id = $1 and active"))
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(person).transpose()?)
}

fn person(row: Row) -> anyhow::Result<Person> {
    let Row {
        id,
        login,
        name,
        role,
        password_hash,
    } = row;
    let role = Role::named(&role)
        .ok_or_else(|| anyhow::anyhow!("person {id} has the unknown role {role}"))?;
    Ok(Person {
        id,
        login,
        name,
        role,
        password_hash,
    })
}

pub(super) async fn insert(
    conn: &mut Connection,
    login: &Login,
    name: &Name,
    role: Role,
    password_hash: &str,
) -> Result<i64, Error> {
    let inserted: Result<Inserted, _> = diesel::sql_query(
        "insert into people (login, name, role, password_hash, created_at)
         values ($1, $2, $3, $4, hub_now()) returning id",
    )
    .bind::<Text, _>(&**login)
    .bind::<Text, _>(&**name)
    .bind::<Text, _>(role.name())
    .bind::<Text, _>(password_hash)
    .get_result(conn)
    .await;
    let taken = || Problem::field("/login", "somebody has this login already");
    on_constraint(inserted, "people_login_unique", taken).map(|row| row.id)
}

/// Whether the person is still employed and has the same password and role. The row is locked until the
/// transaction ends.
pub(super) async fn lock_unchanged(conn: &mut Connection, person: &Person) -> Result<bool, Error> {
    let row: Option<Locked> = diesel::sql_query(
        "select role from people where id = $1 and active and password_hash = $2 for no key update",
    )
    .bind::<BigInt, _>(person.id)
    .bind::<Text, _>(&person.password_hash)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.is_some_and(|row| row.role == person.role.name()))
}

/// Counts an attempt on an account, or says how many seconds to wait before the next.
pub(super) async fn count_attempt(
    conn: &mut Connection,
    account: Uuid,
    most: i32,
) -> Result<Result<(), u64>, Error> {
    diesel::sql_query("delete from sign_in_attempts where until < clock_timestamp()")
        .execute(conn)
        .await?;
    // The row is locked while its attempts are counted, so that no two are the fifth.
    let counted = diesel::sql_query(
        "insert into sign_in_attempts as a values ($1, array[clock_timestamp()], clock_timestamp() + interval '1 minute')
         on conflict (account) do update set tried = array(select at from unnest(a.tried) as at where at > clock_timestamp() - interval '1 minute') || clock_timestamp(), until = excluded.until
           where (select count(*) from unnest(a.tried) as at where at > clock_timestamp() - interval '1 minute') < $2",
    )
    .bind::<SqlUuid, _>(account)
    .bind::<Integer, _>(most)
    .execute(conn)
    .await?;
    if counted == 1 {
        return Ok(Ok(()));
    }
    let wait: Wait = diesel::sql_query(
        "select coalesce(max(greatest(1, ceil(extract(epoch from tried[1] + interval '1 minute' - clock_timestamp())))), 1)::bigint as seconds
           from sign_in_attempts where account = $1",
    )
    .bind::<SqlUuid, _>(account)
    .get_result(conn)
    .await?;
    Ok(Err(wait.seconds.unsigned_abs()))
}

/// The role of somebody who is still employed, whose row is locked until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Role>, Error> {
    let row: Option<Locked> =
        diesel::sql_query("select role from people where id = $1 and active for no key update")
            .bind::<BigInt, _>(id)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.and_then(|row| Role::named(&row.role)))
}

pub(super) async fn set_role(conn: &mut Connection, id: i64, role: Role) -> Result<(), Error> {
    diesel::sql_query("update people set role = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(role.name())
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn mark_inactive(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("update people set active = false where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}
