//! Steps in the database: what was certified, what is outstanding.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Jsonb, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Certification;
use super::certification::Check;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::partners::Partner;
use crate::partners::life::Outstanding;

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
