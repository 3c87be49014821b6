//! What the hub has of a day, and what came of matching it, in the database.

use chrono::NaiveDate;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Date, Integer, Jsonb, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::Match;
use super::comparison::Outcome;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::partners::Currency;
use crate::points::account::Asset;

#[derive(diesel::QueryableByName)]
struct Debit {
    #[diesel(sql_type = Text)]
    reference: String,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

#[derive(diesel::QueryableByName)]
struct Credit {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    outcome: Value,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
}

/// What was attested as debited on a day, by the issuer's references.
pub(super) async fn debits(
    conn: &mut Connection,
    currency: &Currency,
    day: NaiveDate,
) -> Result<Vec<(String, i64)>, Error> {
    let rows: Vec<Debit> = diesel::sql_query(
        "select r.reference, o.out_amount as amount from operations o \
           join operation_references r on r.operation_id = o.id and r.partner_id = $3 \
          where asset_of(o.out_wallet) = $1 and o.memo->>'debited_on' = $2 \
            and (o.out_wallet >> 39) & 31 = 11 and o.kind = 3",
    )
    .bind::<Integer, _>(i32::from(currency.no))
    .bind::<Text, _>(day.to_string())
    .bind::<BigInt, _>(currency.issuer)
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.reference, row.amount))
        .collect())
}

/// What was acknowledged as credited on a day, by the numbers of the credits.
pub(super) async fn credits(
    conn: &mut Connection,
    currency: &Currency,
    day: NaiveDate,
) -> Result<Vec<(i64, i64)>, Error> {
    let rows: Vec<Credit> = diesel::sql_query(
        "select o.id, o.in_amount as amount from credits c join operations o on o.id = c.operation_id \
          where c.currency_no = $1 and c.credited_on = $2 and c.state = 'acknowledged'",
    )
    .bind::<SmallInt, _>(currency.no)
    .bind::<Date, _>(day)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.amount)).collect())
}

pub async fn find(
    conn: &mut Connection,
    currency: Asset,
    day: NaiveDate,
) -> Result<Option<Match>, Error> {
    let row: Option<Row> =
        diesel::sql_query("select outcome, at from matches where currency_no = $1 and day = $2")
            .bind::<SmallInt, _>(currency)
            .bind::<Date, _>(day)
            .get_result(conn)
            .await
            .optional()?;
    row.map(|Row { outcome, at }| {
        let outcome = serde_json::from_value(outcome).map_err(anyhow::Error::from)?;
        Ok(Match { outcome, at })
    })
    .transpose()
}

pub(super) async fn put(
    conn: &mut Connection,
    currency: Asset,
    day: NaiveDate,
    outcome: &Outcome,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into matches (currency_no, day, outcome, at) values ($1, $2, $3, hub_now())
         on conflict (currency_no, day) do update set outcome = excluded.outcome, at = excluded.at",
    )
    .bind::<SmallInt, _>(currency)
    .bind::<Date, _>(day)
    .bind::<Jsonb, _>(serde_json::to_value(outcome).map_err(anyhow::Error::from)?)
    .execute(conn)
    .await?;
    Ok(())
}
