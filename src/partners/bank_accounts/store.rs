//! Bank accounts in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::details::Details;
use super::{Proposal, SUBJECT};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    details: Value,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
}

impl Row {
    fn read(self) -> Result<(Details, Timestamp), Error> {
        let details = serde_json::from_value(self.details).map_err(anyhow::Error::from)?;
        Ok((details, self.at))
    }
}

fn written(details: &Details) -> Result<Value, Error> {
    Ok(serde_json::to_value(details).map_err(anyhow::Error::from)?)
}

/// The account of a partner, and since when it is that.
pub(super) async fn find(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<(Details, Timestamp)>, Error> {
    let row: Option<Row> =
        diesel::sql_query("select details, since as at from bank_accounts where partner_id = $1")
            .bind::<BigInt, _>(partner)
            .get_result(conn)
            .await
            .optional()?;
    row.map(Row::read).transpose()
}

pub(super) async fn put(
    conn: &mut Connection,
    partner: i64,
    details: &Details,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into bank_accounts (partner_id, details, since) values ($1, $2, hub_now())
         on conflict (partner_id) do update set details = excluded.details, since = excluded.since",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(written(details)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The proposal that still waits to be decided.
pub(super) async fn proposed(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<Proposal>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select details, proposed_at as at from bank_account_proposals
          where partner_id = $1 and exists (
            select from approvals where subject = $2 and subject_id = $1 and state = 'created'
               and expires_at > hub_now())",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(SUBJECT)
    .get_result(conn)
    .await
    .optional()?;
    row.map(proposal).transpose()
}

/// In the place of one that ran out of time.
pub(super) async fn put_proposal(
    conn: &mut Connection,
    partner: i64,
    details: &Details,
    by: i64,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into bank_account_proposals (partner_id, details, proposed_by, proposed_at)
         values ($1, $2, $3, hub_now())
         on conflict (partner_id) do update set details = excluded.details,
           proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(written(details)?)
    .bind::<BigInt, _>(by)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn take_proposal(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<Proposal>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "delete from bank_account_proposals where partner_id = $1 returning details, proposed_at as at",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    row.map(proposal).transpose()
}

fn proposal(row: Row) -> Result<Proposal, Error> {
    let (details, at) = row.read()?;
    Ok(Proposal { details, at })
}
