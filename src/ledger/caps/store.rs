//! Caps in the database, as they are set and shown. What groups do with them is in `statements.rs`.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::{Proposal, SUBJECT};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::{Account, Asset};
use crate::points::money::Micros;

#[derive(diesel::QueryableByName)]
struct Amount {
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

#[derive(diesel::QueryableByName)]
struct ProposalRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    amount: Option<i64>,
    #[diesel(sql_type = Timestamptz)]
    proposed_at: Timestamp,
}

impl From<ProposalRow> for Proposal {
    fn from(row: ProposalRow) -> Proposal {
        Proposal {
            position: Account(row.position),
            amount: row.amount.map(Micros),
            at: row.proposed_at,
        }
    }
}

/// Until the transaction ends nobody else proposes or decides a cap of the partner.
pub(super) async fn lock_partner(conn: &mut Connection, partner: i64) -> Result<(), Error> {
    diesel::sql_query("select from partners where id = $1 for no key update")
        .bind::<BigInt, _>(partner)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Connection,
    position: Account,
) -> Result<Option<Micros>, Error> {
    let row: Option<Amount> = diesel::sql_query("select amount from caps where position = $1")
        .bind::<BigInt, _>(position.0)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| Micros(row.amount)))
}

/// What a position owes over all windows, as its totals say.
pub(super) async fn owed(conn: &mut Connection, position: Account) -> Result<Micros, Error> {
    let row: Amount = diesel::sql_query(
        "select coalesce(sum(case debit when $1 then amount else -amount end), 0)::bigint as amount \
           from totals where debit = $1 or credit = $1",
    )
    .bind::<BigInt, _>(position.0)
    .get_result(conn)
    .await?;
    Ok(Micros(row.amount))
}

/// The proposal that still waits to be decided.
pub(super) async fn proposed(
    conn: &mut Connection,
    partner: i64,
    position: Account,
) -> Result<Option<Proposal>, Error> {
    let row: Option<ProposalRow> = diesel::sql_query(
        "select position, amount, proposed_at from cap_proposals where position = $1 and exists ( \
           select from approvals where subject = $2 and subject_id = $3 and state = 'created' \
              and expires_at > hub_now())",
    )
    .bind::<BigInt, _>(position.0)
    .bind::<Text, _>(SUBJECT)
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Proposal::from))
}

/// In the place of one that ran out of time.
pub(super) async fn put_proposal(
    conn: &mut Connection,
    proposal: &Proposal,
    by: i64,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into cap_proposals (position, amount, proposed_by, proposed_at) values ($1, $2, $3, $4) \
         on conflict (position) \
         do update set amount = excluded.amount, proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at",
    )
    .bind::<BigInt, _>(proposal.position.0)
    .bind::<Nullable<BigInt>, _>(proposal.amount.map(|amount| amount.0))
    .bind::<BigInt, _>(by)
    .bind::<Timestamptz, _>(proposal.at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn take_proposal(
    conn: &mut Connection,
    position: Account,
) -> Result<Option<Proposal>, Error> {
    let row: Option<ProposalRow> = diesel::sql_query(
        "delete from cap_proposals where position = $1 returning position, amount, proposed_at",
    )
    .bind::<BigInt, _>(position.0)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Proposal::from))
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

/// A cap in one slice, of which nothing is granted yet.
pub(super) async fn insert(
    conn: &mut Connection,
    position: Account,
    amount: Micros,
    owed: Micros,
    by: i64,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into caps (position, amount, set_by, set_at) values ($1, $2, $3, hub_now())",
    )
    .bind::<BigInt, _>(position.0)
    .bind::<BigInt, _>(amount.0)
    .bind::<BigInt, _>(by)
    .execute(conn)
    .await?;
    diesel::sql_query(
        "insert into slices (position, slot, granted, owed) values ($1, 0, null, $2)",
    )
    .bind::<BigInt, _>(position.0)
    .bind::<BigInt, _>(owed.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts every cap into one slice that owes what the totals say, for who wrote totals past the slices.
pub async fn begin_anew(conn: &mut Connection) -> Result<(), Error> {
    diesel::sql_query("delete from slices")
        .execute(conn)
        .await?;
    diesel::sql_query(
        "insert into slices (position, slot, granted, owed) select position, 0, null, \
           (select coalesce(sum(case debit when position then amount else -amount end), 0) \
              from totals where debit = position or credit = position) from caps",
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
