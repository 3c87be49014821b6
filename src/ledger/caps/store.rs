//! Caps in the database, as they are set and shown. What groups do with them is in `statements.rs`.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::owed::Owed;
use super::terms::Terms;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::{Account, Asset};

#[derive(diesel::QueryableByName)]
struct TermsRow {
    #[diesel(sql_type = Jsonb)]
    terms: serde_json::Value,
}

#[derive(diesel::QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    owed: i64,
    #[diesel(sql_type = BigInt)]
    credited: i64,
}

#[derive(diesel::QueryableByName)]
struct Warned {
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
}

fn read(terms: serde_json::Value) -> Result<Terms, Error> {
    Ok(serde_json::from_value(terms).map_err(anyhow::Error::from)?)
}

fn written(terms: &Terms) -> Result<serde_json::Value, Error> {
    Ok(serde_json::to_value(terms).map_err(anyhow::Error::from)?)
}

/// Until the transaction ends nobody else proposes or decides a cap of the partner.
pub(super) async fn lock_partner(conn: &mut Connection, partner: i64) -> Result<(), Error> {
    diesel::sql_query("select from partners where id = $1 for no key update")
        .bind::<BigInt, _>(partner)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Connection, position: Account) -> Result<Option<Terms>, Error> {
    let row: Option<TermsRow> = diesel::sql_query("select terms from caps where position = $1")
        .bind::<BigInt, _>(position.0)
        .get_result(conn)
        .await
        .optional()?;
    row.map(|row| read(row.terms)).transpose()
}

/// What a position owes and was credited over all windows, as its totals say.
pub(super) async fn owed(conn: &mut Connection, position: Account) -> Result<Owed, Error> {
    let row: Sums = diesel::sql_query(
        "select coalesce(sum(case debit when $1 then amount else -amount end), 0)::bigint as owed, \
                credited_of($1) as credited from totals where debit = $1 or credit = $1",
    )
    .bind::<BigInt, _>(position.0)
    .get_result(conn)
    .await?;
    Ok(Owed {
        owed: row.owed,
        credited: row.credited,
    })
}

/// Since when the partner of a position is warned, if it is.
pub(super) async fn warned_since(
    conn: &mut Connection,
    position: Account,
) -> Result<Option<Timestamp>, Error> {
    let row: Option<Warned> =
        diesel::sql_query("select at from limit_warnings where position = $1 and ended_at is null")
            .bind::<BigInt, _>(position.0)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(|row| row.at))
}

pub(super) async fn remove(conn: &mut Connection, position: Account) -> Result<(), Error> {
    for sql in [
        "delete from caps where position = $1",
        "delete from slices where position = $1",
    ] {
        diesel::sql_query(sql)
            .bind::<BigInt, _>(position.0)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// A limit in one slice, of which nothing is granted yet.
pub(super) async fn insert(
    conn: &mut Connection,
    position: Account,
    terms: &Terms,
    sums: Owed,
    by: i64,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into caps (position, terms, set_by, set_at) values ($1, $2, $3, hub_now())",
    )
    .bind::<BigInt, _>(position.0)
    .bind::<Jsonb, _>(written(terms)?)
    .bind::<BigInt, _>(by)
    .execute(conn)
    .await?;
    diesel::sql_query(
        "insert into slices (position, slot, haircut, granted, owed, credited) values ($1, 0, $2, null, $3, $4)",
    )
    .bind::<BigInt, _>(position.0)
    .bind::<SmallInt, _>(terms.haircut)
    .bind::<BigInt, _>(sums.owed)
    .bind::<BigInt, _>(sums.credited)
    .execute(conn)
    .await?;
    Ok(())
}

/// Warns whom something else than an operation took to where it is warned: new terms, cover that ended.
pub(super) async fn warn(conn: &mut Connection) -> Result<usize, Error> {
    let warned = diesel::sql_query(
        "insert into limit_warnings (position, counted, most, at) \
           select position, counted, least(cap, cover), hub_now() from limits where counted >= warning \
         on conflict (position) where ended_at is null do nothing",
    )
    .execute(conn)
    .await?;
    Ok(warned)
}

/// Ends the warnings of positions that are below. Their slices are called back, so that whoever takes
/// them there again asks, and sees it.
pub(super) async fn calm(conn: &mut Connection) -> Result<usize, Error> {
    diesel::sql_query(
        "select from caps where position in (select w.position from limit_warnings w join limits l using (position) \
           where w.ended_at is null and l.counted < l.warning) order by position for update",
    )
    .execute(conn)
    .await?;
    let calmed = diesel::sql_query(
        "with calmed as ( \
           update limit_warnings w set ended_at = hub_now() where w.ended_at is null and not exists ( \
             select from limits l where l.position = w.position and l.counted >= l.warning) \
           returning w.position) \
         update slices set granted = null from calmed \
          where slices.position = calmed.position and granted is not null",
    )
    .execute(conn)
    .await?;
    Ok(calmed)
}

/// Puts every limit into one slice that owes what the totals say, for who wrote totals past the slices.
pub async fn begin_anew(conn: &mut Connection) -> Result<(), Error> {
    diesel::sql_query("delete from slices")
        .execute(conn)
        .await?;
    diesel::sql_query(
        "insert into slices (position, slot, haircut, granted, owed, credited) \
         select position, 0, (terms ->> 'haircut')::smallint, null, \
           (select coalesce(sum(case debit when position then amount else -amount end), 0) \
              from totals where debit = position or credit = position), credited_of(position) from caps",
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Code {
    #[diesel(sql_type = Text)]
    code: String,
}

pub(super) async fn money_code(conn: &mut Connection, money: Asset) -> Result<String, Error> {
    let row: Code = diesel::sql_query("select code from moneys where no = $1")
        .bind::<SmallInt, _>(money)
        .get_result(conn)
        .await?;
    Ok(row.code)
}
