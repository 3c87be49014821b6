//! What a database is for: real members, or a sandbox where partners try things out.
//!
//! The first hub that opens a database writes it down, and it never changes. A sandbox shares nothing with
//! a live hub, since everything that could be shared is in the database: partners, credentials, the keys
//! that sign. So nobody can take one for the other, a hub is told which one it serves and refuses the other.

use actix_web::http::header::{HeaderName, HeaderValue};
use anyhow::bail;
use diesel::OptionalExtension;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// The header on every answer of a sandbox.
pub const HEADER: HeaderName = HeaderName::from_static("interline-environment");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Live,
    Sandbox,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    kind: String,
}

impl Environment {
    pub fn name(self) -> &'static str {
        match self {
            Environment::Live => "live",
            Environment::Sandbox => "sandbox",
        }
    }

    pub fn is_sandbox(self) -> bool {
        self == Environment::Sandbox
    }

    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    fn other(self) -> Environment {
        match self {
            Environment::Live => Environment::Sandbox,
            Environment::Sandbox => Environment::Live,
        }
    }
}

/// What a database is for, when a hub has opened it before.
pub async fn find(conn: &mut AsyncPgConnection) -> anyhow::Result<Option<Environment>> {
    let row: Option<Row> = diesel::sql_query("select kind from environment")
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| match row.kind.as_str() {
        "sandbox" => Environment::Sandbox,
        _ => Environment::Live,
    }))
}

/// Writes down what a database is for, unless that is known.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    wanted: Environment,
) -> anyhow::Result<Environment> {
    diesel::sql_query("insert into environment (kind) values ($1) on conflict do nothing")
        .bind::<Text, _>(wanted.name())
        .execute(conn)
        .await?;
    Ok(find(conn).await?.unwrap_or(wanted))
}

/// Refuses a database that is for something else.
pub async fn must_be(conn: &mut AsyncPgConnection, wanted: Environment) -> anyhow::Result<()> {
    let is = settle(conn, wanted).await?;
    if is == wanted {
        return Ok(());
    }
    let advice = match is {
        Environment::Live => "leave --sandbox out",
        Environment::Sandbox => "say --sandbox",
    };
    bail!(
        "this is the database of a {} hub and not of a {} one, which it never becomes: {advice}, or name another \
         with --data-dir or --database-url",
        is.name(),
        is.other().name(),
    )
}
