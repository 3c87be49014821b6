//! The schema of a database, known again by what made it.
//!
//! A migration that was applied is never applied again, so a database that was made by another text of it
//! fails much later, of a column that is not there. The hash of each migration is kept where it was
//! applied, and who opens the database compares. Migrations that are newer than any of this program's are
//! let be: an older hub works on beside a newer one.

use anyhow::bail;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sha2::{Digest, Sha256};

/// Each migration's folder and text, in order.
const MIGRATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

#[derive(diesel::QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

/// A migration that was applied, and the hash of its text then.
#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Nullable<Text>)]
    fingerprint: Option<String>,
}

/// The number at the beginning of a folder's name.
fn version(folder: &str) -> &str {
    folder.split('_').next().unwrap_or(folder)
}

fn fingerprint(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Refuses a database whose schema was made by other migrations, and writes down those that are applied
/// next. To be called under the lock of migrations.
pub async fn must_be_ours(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    conn.batch_execute(
        "create table if not exists schema_fingerprints (
           version text not null,
           fingerprint text not null,
           constraint schema_fingerprints_pk primary key (version)
         );
         comment on table schema_fingerprints is
           'The SHA-256 of each migration as it was applied here, by which a program tells whether the schema is its own.'",
    )
    .await?;
    let applied = applied(conn).await?;
    if let Some(odd) = applied.iter().find(|it| !is_ours(it)) {
        bail!(refusal(&odd.version));
    }
    for (folder, text) in MIGRATIONS {
        if applied.iter().all(|it| it.version != version(folder)) {
            note(conn, version(folder), &fingerprint(text)).await?;
        }
    }
    Ok(())
}

fn is_ours(applied: &Applied) -> bool {
    let mut known = MIGRATIONS.iter();
    match known.find(|(folder, _)| version(folder) == applied.version) {
        Some((_, text)) => applied.fingerprint == Some(fingerprint(text)),
        None => {
            let newest = MIGRATIONS.last().map_or("", |(folder, _)| version(folder));
            *applied.version > *newest
        }
    }
}

fn refusal(applied: &str) -> String {
    let folder = MIGRATIONS
        .iter()
        .find(|(folder, _)| version(folder) == applied)
        .map_or(applied, |(folder, _)| *folder);
    format!(
        "the schema of this database was made by another version of Interline: migration {folder} is not the one \
         that this program has. Before its first release Interline carries no schema over: choose a new --data-dir, \
         or drop the database and make it anew"
    )
}

async fn applied(conn: &mut AsyncPgConnection) -> anyhow::Result<Vec<Applied>> {
    let Exists { exists } =
        diesel::sql_query("select to_regclass('__diesel_schema_migrations') is not null as exists")
            .get_result(conn)
            .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let applied = diesel::sql_query(
        "select m.version::text as version, f.fingerprint from __diesel_schema_migrations m
           left join schema_fingerprints f on f.version = m.version order by m.version",
    )
    .load(conn)
    .await?;
    Ok(applied)
}

/// Before it is applied, so that none is ever applied without.
async fn note(
    conn: &mut AsyncPgConnection,
    version: &str,
    fingerprint: &str,
) -> anyhow::Result<()> {
    diesel::sql_query(
        "insert into schema_fingerprints (version, fingerprint) values ($1, $2)
         on conflict (version) do update set fingerprint = excluded.fingerprint",
    )
    .bind::<Text, _>(version)
    .bind::<Text, _>(fingerprint)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_known_by_its_text() {
        let (folder, text) = MIGRATIONS[0];
        let applied = |version: &str, fingerprint: Option<String>| Applied {
            version: version.to_owned(),
            fingerprint,
        };
        let cases = [
            (version(folder), Some(fingerprint(text)), true),
            (version(folder), Some(fingerprint("another")), false),
            (version(folder), None, false),
            ("00000000000000", Some(fingerprint(text)), false),
            ("99999999999999", None, true),
        ];
        for (version, kept, expected) in cases {
            assert_eq!(is_ours(&applied(version, kept)), expected, "{version}");
        }
    }
}
