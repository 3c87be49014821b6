//! Second factors in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Connection;
use crate::error::Error;

/// A person's factor, enrolled or about to be, and the present in seconds since 1970.
#[derive(diesel::QueryableByName)]
pub(super) struct Factor {
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Bool)]
    pub is_confirmed: bool,
    #[diesel(sql_type = BigInt)]
    pub now: i64,
}

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    version: i32,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

pub(super) async fn find(conn: &mut Connection, person: i64) -> Result<Option<Factor>, Error> {
    let found = diesel::sql_query(
        "select version, confirmed_at is not null as is_confirmed,
                extract(epoch from clock_timestamp())::bigint as now
           from second_factors where person_id = $1",
    )
    .bind::<BigInt, _>(person)
    .get_result(conn)
    .await
    .optional()?;
    Ok(found)
}

/// A version that none was of before, unless there is one that is confirmed.
pub(super) async fn begin(conn: &mut Connection, person: i64) -> Result<Option<i32>, Error> {
    let begun: Option<Version> = diesel::sql_query(
        "insert into second_factors as f (person_id) values ($1)
         on conflict (person_id) do update set version = f.version + 1
           where f.confirmed_at is null
         returning version",
    )
    .bind::<BigInt, _>(person)
    .get_result(conn)
    .await
    .optional()?;
    Ok(begun.map(|begun| begun.version))
}

/// Whether it was this version, not yet confirmed, that is so now.
pub(super) async fn confirm(
    conn: &mut Connection,
    person: i64,
    version: i32,
    step: i64,
) -> Result<bool, Error> {
    let confirmed = diesel::sql_query(
        "update second_factors set confirmed_at = clock_timestamp(), last_step = $3
          where person_id = $1 and version = $2 and confirmed_at is null",
    )
    .bind::<BigInt, _>(person)
    .bind::<Integer, _>(version)
    .bind::<BigInt, _>(step)
    .execute(conn)
    .await?;
    Ok(confirmed == 1)
}

/// Whether no code of this step or a later one was taken before. None is from now on.
pub(super) async fn take_step(
    conn: &mut Connection,
    person: i64,
    version: i32,
    step: i64,
) -> Result<bool, Error> {
    let taken = diesel::sql_query(
        "update second_factors set last_step = $3
          where person_id = $1 and version = $2 and confirmed_at is not null and last_step < $3",
    )
    .bind::<BigInt, _>(person)
    .bind::<Integer, _>(version)
    .bind::<BigInt, _>(step)
    .execute(conn)
    .await?;
    Ok(taken == 1)
}

/// Forgets that it was confirmed; the next has another secret.
pub(super) async fn reset(conn: &mut Connection, person: i64) -> Result<bool, Error> {
    let reset = diesel::sql_query(
        "update second_factors set version = version + 1, confirmed_at = null
          where person_id = $1 and confirmed_at is not null",
    )
    .bind::<BigInt, _>(person)
    .execute(conn)
    .await?;
    forget_codes(conn, person).await?;
    Ok(reset == 1)
}

pub(super) async fn insert_codes(
    conn: &mut Connection,
    person: i64,
    hashes: &[Uuid],
) -> Result<(), Error> {
    diesel::sql_query("insert into recovery_codes (person_id, code_hash) select $1, unnest($2)")
        .bind::<BigInt, _>(person)
        .bind::<Array<SqlUuid>, _>(hashes)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn forget_codes(conn: &mut Connection, person: i64) -> Result<(), Error> {
    diesel::sql_query("delete from recovery_codes where person_id = $1")
        .bind::<BigInt, _>(person)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether there was such a code, which is gone then.
pub(super) async fn take_code(
    conn: &mut Connection,
    person: i64,
    hash: Uuid,
) -> Result<bool, Error> {
    let taken =
        diesel::sql_query("delete from recovery_codes where person_id = $1 and code_hash = $2")
            .bind::<BigInt, _>(person)
            .bind::<SqlUuid, _>(hash)
            .execute(conn)
            .await?;
    Ok(taken == 1)
}

pub(super) async fn codes_left(conn: &mut Connection, person: i64) -> Result<i64, Error> {
    let left: Count = diesel::sql_query("select count(*) from recovery_codes where person_id = $1")
        .bind::<BigInt, _>(person)
        .get_result(conn)
        .await?;
    Ok(left.count)
}
