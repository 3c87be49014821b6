//! Proposals about people in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::proposal::{Change, Proposal};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    person_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    role: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    proposed_at: Timestamp,
}

fn proposal(row: Row) -> anyhow::Result<(i64, Proposal)> {
    let change = match &row.role {
        Some(role) => Change::Role(
            Role::named(role)
                .ok_or_else(|| anyhow::anyhow!("{role} was proposed and is no role"))?,
        ),
        None => Change::Renewal,
    };
    let at = row.proposed_at;
    Ok((row.person_id, Proposal { change, at }))
}

/// What is proposed of some people, with the person's id.
pub(super) async fn find(
    conn: &mut Connection,
    people: &[i64],
) -> Result<Vec<(i64, Proposal)>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select person_id, role, proposed_at from person_proposals where person_id = any($1)",
    )
    .bind::<Array<BigInt>, _>(people)
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(proposal)
        .collect::<anyhow::Result<_>>()?)
}

/// In the place of one that ran out of time.
pub(super) async fn put(
    conn: &mut Connection,
    person: i64,
    proposal: Proposal,
    by: i64,
) -> Result<(), Error> {
    let role = match proposal.change {
        Change::Role(role) => Some(role.name()),
        Change::Renewal => None,
    };
    diesel::sql_query(
        "insert into person_proposals (person_id, role, proposed_by, proposed_at) values ($1, $2, $3, $4)
         on conflict (person_id) do update set role = excluded.role, proposed_by = excluded.proposed_by,
           proposed_at = excluded.proposed_at",
    )
    .bind::<BigInt, _>(person)
    .bind::<Nullable<Text>, _>(role)
    .bind::<BigInt, _>(by)
    .bind::<Timestamptz, _>(proposal.at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn take(conn: &mut Connection, person: i64) -> Result<Option<Proposal>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "delete from person_proposals where person_id = $1 returning person_id, role, proposed_at",
    )
    .bind::<BigInt, _>(person)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(proposal).transpose()?.map(|(_, proposal)| proposal))
}
