//! Steps in the database: what is proposed, what was certified, what is outstanding.

use chrono::NaiveDate;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Date, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::certification::Check;
use super::proposal::Proposal;
use super::{Certification, SUBJECT};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::partners::life::Outstanding;
use crate::partners::{Partner, State};

#[derive(diesel::QueryableByName)]
struct ProposalRow {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Date>)]
    last_day: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<BigInt>)]
    certification_id: Option<i64>,
    #[diesel(sql_type = Timestamptz)]
    proposed_at: Timestamp,
}

impl TryFrom<ProposalRow> for Proposal {
    type Error = anyhow::Error;

    fn try_from(row: ProposalRow) -> anyhow::Result<Proposal> {
        let state = State::named(&row.state);
        Ok(Proposal {
            state: state.ok_or_else(|| anyhow::anyhow!("unknown state {}", row.state))?,
            last_day: row.last_day,
            certification: row.certification_id,
            at: row.proposed_at,
        })
    }
}

/// The proposal that still waits to be decided.
pub(super) async fn proposed(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<Proposal>, Error> {
    let row: Option<ProposalRow> = diesel::sql_query(
        "select state, last_day, certification_id, proposed_at from partner_proposals
          where partner_id = $1 and exists (
            select from approvals where subject = $2 and subject_id = $1 and state = 'created'
               and expires_at > hub_now())",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(SUBJECT)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Proposal::try_from).transpose()?)
}

/// In the place of one that ran out of time.
pub(super) async fn put_proposal(
    conn: &mut Connection,
    partner: i64,
    proposal: &Proposal,
    by: i64,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into partner_proposals (partner_id, state, last_day, certification_id, proposed_by, proposed_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (partner_id) do update set state = excluded.state, last_day = excluded.last_day,
           certification_id = excluded.certification_id, proposed_by = excluded.proposed_by,
           proposed_at = excluded.proposed_at",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(proposal.state.name())
    .bind::<Nullable<Date>, _>(proposal.last_day)
    .bind::<Nullable<BigInt>, _>(proposal.certification)
    .bind::<BigInt, _>(by)
    .bind::<Timestamptz, _>(proposal.at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn take_proposal(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<Proposal>, Error> {
    let row: Option<ProposalRow> = diesel::sql_query(
        "delete from partner_proposals where partner_id = $1
         returning state, last_day, certification_id, proposed_at",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Proposal::try_from).transpose()?)
}

#[derive(diesel::QueryableByName)]
struct CertificationRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Jsonb)]
    checks: serde_json::Value,
    #[diesel(sql_type = Bool)]
    passed: bool,
    #[diesel(sql_type = Timestamptz)]
    recorded_at: Timestamp,
}

/// The latest report of a partner.
pub(super) async fn certification(
    conn: &mut Connection,
    partner: i64,
) -> Result<Option<Certification>, Error> {
    let row: Option<CertificationRow> = diesel::sql_query(
        "select id, checks, passed, recorded_at from certifications
          where partner_id = $1 order by id desc limit 1",
    )
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    let Some(row) = row else { return Ok(None) };
    let checks: Vec<Check> = serde_json::from_value(row.checks).map_err(anyhow::Error::from)?;
    Ok(Some(Certification {
        id: row.id,
        checks,
        passed: row.passed,
        at: row.recorded_at,
    }))
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

pub(super) async fn insert_certification(
    conn: &mut Connection,
    partner: i64,
    checks: &[Check],
    passed: bool,
    by: i64,
) -> Result<i64, Error> {
    let checks = serde_json::to_value(checks).map_err(anyhow::Error::from)?;
    let row: Id = diesel::sql_query(
        "insert into certifications (partner_id, checks, passed, recorded_by, recorded_at)
         values ($1, $2, $3, $4, hub_now()) returning id",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(checks)
    .bind::<Bool, _>(passed)
    .bind::<BigInt, _>(by)
    .get_result(conn)
    .await?;
    Ok(row.id)
}

#[derive(diesel::QueryableByName)]
struct OutstandingRow {
    #[diesel(sql_type = BigInt)]
    available: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    owed: i64,
    #[diesel(sql_type = BigInt)]
    positions: i64,
    #[diesel(sql_type = BigInt)]
    credits: i64,
}

/// What is outstanding of a partner: lots of its currencies, corrections of them that are agreed to and not
/// posted yet, positions, and what is to be credited of them or of what was given for them. To be asked behind
/// the gate.
pub(super) async fn outstanding(
    conn: &mut Connection,
    partner: &Partner,
) -> Result<Outstanding, Error> {
    let row: OutstandingRow = diesel::sql_query(
        "with own as (
           select l.available, l.held from currencies c
             cross join lateral (select available, held from lots
               where wallet >= c.no::bigint << 44 and wallet < (c.no + 1)::bigint << 44) l
            where c.issuer_id = $1
         ), waiting as (
           select abs(a.change) as change from adjustments a join currencies c
               on a.wallet >= c.no::bigint << 44 and a.wallet < (c.no + 1)::bigint << 44
            where c.issuer_id = $1 and a.state = 'approved'
         ), sums as (
           select account, sum(amount) as amount from (
             select debit as account, amount from totals union all select credit, -amount from totals) legs
            where (account >> 39) & 31 = 16 and account & ((1::bigint << 39) - 1) = $1
            group by account having sum(amount) <> 0
         )
         select (coalesce((select sum(available) from own where available > 0), 0)
                  + coalesce((select sum(change) from waiting), 0))::bigint as available,
                coalesce((select sum(held) from own), 0)::bigint as held,
                coalesce((select -sum(available) from own where available < 0), 0)::bigint as owed,
                (select count(*) from sums) as positions,
                (select count(*) from credits p join operations o on o.id = p.operation_id
                   join currencies c on c.no in (asset_of(o.in_wallet), asset_of(o.out_wallet))
                  where c.issuer_id = $1 and (p.state = 'pending' or p.state = 'rejected' and p.reversal_id is null)) as credits",
    )
    .bind::<BigInt, _>(partner.id)
    .get_result(conn)
    .await?;
    Ok(Outstanding {
        available: row.available,
        held: row.held,
        owed: row.owed,
        positions: row.positions,
        credits: row.credits,
    })
}
