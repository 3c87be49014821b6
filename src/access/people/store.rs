//! People in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

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
    name: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    password_hash: String,
}

#[derive(diesel::QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The person with this login who is still employed.
pub(super) async fn find_active(conn: &mut Connection, login: &Login) -> Result<Option<Person>, Error> {
    let row: Option<Row> =
        diesel::sql_query("select id, name, role, password_hash from people where login = $1 and active")
            .bind::<Text, _>(&**login)
            .get_result(conn)
            .await
            .optional()?;
    let person = |Row { id, name, role, password_hash }| {
        let role = Role::named(&role).ok_or_else(|| anyhow::anyhow!("person {id} has the unknown role {role}"))?;
        Ok(Person { id, name, role, password_hash })
    };
    row.map(person).transpose()
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
