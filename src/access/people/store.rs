//! People in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{
    BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Login, Person};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, on_constraint};
use crate::web::text::Name;

const COLUMNS: &str = "id, login, name, role, active, created_at, password_hash";

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
    #[diesel(sql_type = Bool)]
    active: bool,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Nullable<Text>)]
    password_hash: Option<String>,
}

fn person(row: Row) -> anyhow::Result<Person> {
    let Row {
        id,
        login,
        name,
        role,
        active: is_active,
        created_at,
        password_hash,
    } = row;
    let role = Role::named(&role)
        .ok_or_else(|| anyhow::anyhow!("person {id} has the unknown role {role}"))?;
    Ok(Person {
        id,
        login,
        name,
        role,
        is_active,
        created_at,
        password_hash,
    })
}

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
    let sql = format!("select {COLUMNS} from people where login = $1 and active");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<Text, _>(&**login)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(person).transpose()?)
}

/// Somebody, employed or not.
pub(super) async fn find_by_id(conn: &mut Connection, id: i64) -> Result<Option<Person>, Error> {
    by_id(conn, id, "").await
}

/// The same, with the row locked until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Person>, Error> {
    by_id(conn, id, "for no key update").await
}

async fn by_id(conn: &mut Connection, id: i64, lock: &str) -> Result<Option<Person>, Error> {
    let sql = format!("select {COLUMNS} from people where id = $1 {lock}");
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(person).transpose()?)
}

/// A page of all people, oldest first: one more than `limit` when there are more.
pub(super) async fn list(
    conn: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<Person>, Error> {
    let sql = format!("select {COLUMNS} from people where id > $1 order by id limit $2");
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit + 1)
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(person)
        .collect::<anyhow::Result<_>>()?)
}

/// Locks all operators until the transaction ends, and says how many there are.
pub(super) async fn lock_operators(conn: &mut Connection) -> Result<usize, Error> {
    let operators: Vec<Inserted> = diesel::sql_query(
        "select id from people where role = 'operator' and active order by id for no key update",
    )
    .load(conn)
    .await?;
    Ok(operators.len())
}

/// Somebody who is not employed yet, or not any more.
pub(super) async fn enter(
    conn: &mut Connection,
    login: &Login,
    name: &Name,
    role: Role,
) -> Result<i64, Error> {
    let entered: Option<Inserted> = diesel::sql_query(
        "insert into people as p (login, name, role, active, created_at) values ($1, $2, $3, false, hub_now())
         on conflict (login) do update set name = excluded.name
           where not p.active
         returning id",
    )
    .bind::<Text, _>(&**login)
    .bind::<Text, _>(&**name)
    .bind::<Text, _>(role.name())
    .get_result(conn)
    .await
    .optional()?;
    Ok(entered.ok_or_else(taken)?.id)
}

fn taken() -> Problem {
    Problem::field("/login", "somebody has this login already")
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
    on_constraint(inserted, "people_login_unique", taken).map(|row| row.id)
}

/// Whether the person is still employed and has the same password and role. The row is locked until the
/// transaction ends.
pub(super) async fn lock_unchanged(conn: &mut Connection, person: &Person) -> Result<bool, Error> {
    let row: Option<Locked> = diesel::sql_query(
        "select role from people where id = $1 and active and password_hash = $2 for no key update",
    )
    .bind::<BigInt, _>(person.id)
    .bind::<Nullable<Text>, _>(&person.password_hash)
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

pub(super) async fn employ(conn: &mut Connection, id: i64, role: Role) -> Result<(), Error> {
    diesel::sql_query("update people set role = $2, active = true where id = $1")
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

pub(super) async fn set_password(
    conn: &mut Connection,
    id: i64,
    password_hash: &str,
) -> Result<(), Error> {
    diesel::sql_query("update people set password_hash = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(password_hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets the password and the invitation to set one.
pub(super) async fn forget_password(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query(
        "update people set password_hash = null, invitation_hash = null, invited_until = null where id = $1",
    )
    .bind::<BigInt, _>(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Invites for three days.
pub(super) async fn put_invitation(
    conn: &mut Connection,
    id: i64,
    hash: &[u8],
) -> Result<(), Error> {
    diesel::sql_query(
        "update people set invitation_hash = $2, invited_until = clock_timestamp() + interval '3 days' where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Binary, _>(hash)
    .execute(conn)
    .await?;
    Ok(())
}

/// Who was invited by this, and may still accept.
pub(super) async fn find_invited(conn: &mut Connection, hash: &[u8]) -> Result<Option<i64>, Error> {
    let found: Option<Inserted> = diesel::sql_query(
        "select id from people where invitation_hash = $1 and invited_until > clock_timestamp() and active",
    )
    .bind::<Binary, _>(hash)
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.map(|found| found.id))
}

/// The same, whose password is set and whose invitation is used up.
pub(super) async fn take_invitation(
    conn: &mut Connection,
    hash: &[u8],
    password_hash: &str,
) -> Result<Option<Person>, Error> {
    let sql = format!(
        "update people set password_hash = $2, invitation_hash = null, invited_until = null
          where invitation_hash = $1 and invited_until > clock_timestamp() and active
         returning {COLUMNS}"
    );
    let row: Option<Row> = diesel::sql_query(sql)
        .bind::<Binary, _>(hash)
        .bind::<Text, _>(password_hash)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(person).transpose()?)
}
