//! Link terms in the database.

use std::collections::HashMap;

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::LinkTerms;
use super::terms::StepUp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Integer)]
    cooling_off_hours: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    max_age: Option<i32>,
    #[diesel(sql_type = Array<Text>)]
    acr_values: Vec<String>,
}

impl From<Row> for LinkTerms {
    fn from(row: Row) -> LinkTerms {
        LinkTerms {
            cooling_off_hours: row.cooling_off_hours.unsigned_abs(),
            step_up: StepUp {
                max_age: row.max_age.map(i32::unsigned_abs),
                acr_values: row.acr_values,
            },
        }
    }
}

/// The terms of each partner that has any.
pub async fn rows(conn: &mut Connection) -> Result<HashMap<i64, LinkTerms>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select partner_id, cooling_off_hours, max_age, acr_values from link_terms",
    )
    .load(conn)
    .await?;
    let read = |row: Row| (row.partner_id, LinkTerms::from(row));
    Ok(rows.into_iter().map(read).collect())
}

/// Puts these in the place of others, and says which those were.
pub(super) async fn replace(
    conn: &mut Connection,
    partner: i64,
    terms: &LinkTerms,
) -> Result<LinkTerms, Error> {
    let before: Option<Row> = diesel::sql_query(
        "select partner_id, cooling_off_hours, max_age, acr_values from link_terms
          where partner_id = $1 for update",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    let StepUp {
        max_age,
        acr_values,
    } = &terms.step_up;
    diesel::sql_query(
        "insert into link_terms (partner_id, cooling_off_hours, max_age, acr_values) values ($1, $2, $3, $4)
         on conflict (partner_id) do update set cooling_off_hours = excluded.cooling_off_hours, max_age = excluded.max_age, acr_values = excluded.acr_values",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Integer, _>(terms.cooling_off_hours.cast_signed())
    .bind::<Nullable<Integer>, _>(max_age.map(u32::cast_signed))
    .bind::<Array<Text>, _>(acr_values)
    .execute(conn)
    .await?;
    Ok(before.map(LinkTerms::from).unwrap_or_default())
}
