//! What is set for partners, and their buckets.

use std::collections::BTreeMap;

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Integer};
use diesel_async::RunQueryDsl;
use tokio_postgres::{Client, Statement};

use super::lease::{Policy, Share, deal};
use crate::db::Connection;
use crate::error::Error;
use crate::gather::Batch;

/// Asks for a token of a partner's bucket, by the partner's id.
pub(in crate::access) struct Leases;

/// A bucket that is new is full. The rows are taken in order, so that no two hubs wait for each other.
impl Batch for Leases {
    type Question = i64;
    type Answer = Share;

    const SQL: &'static str = "\
        insert into request_buckets as b (partner_id, per_second, burst, wanted, granted, tokens, filled_at) \
        select a.partner_id, p.per_second, p.burst, w.wanted, least(w.wanted, p.burst), \
               p.burst - least(w.wanted, p.burst), clock_timestamp() \
          from unnest($1::bigint[], $2::integer[]) as a (partner_id, asked) \
          left join request_limits l on l.partner_id = a.partner_id \
         cross join lateral (select coalesce(l.per_second, $3) as per_second, coalesce(l.burst, $4) as burst) p \
         cross join lateral (select greatest(a.asked, least(p.burst, p.per_second) / 10) as wanted) w \
         order by a.partner_id \
        on conflict (partner_id) do update set \
          per_second = excluded.per_second, burst = excluded.burst, wanted = excluded.wanted, \
          granted = least(excluded.wanted, floor(request_tokens( \
            b.tokens, excluded.per_second, excluded.burst, b.filled_at, excluded.filled_at)))::integer, \
          tokens = request_tokens(b.tokens, excluded.per_second, excluded.burst, b.filled_at, excluded.filled_at) \
            - least(excluded.wanted, floor(request_tokens( \
                b.tokens, excluded.per_second, excluded.burst, b.filled_at, excluded.filled_at))), \
          filled_at = greatest(b.filled_at, excluded.filled_at) \
        returning partner_id, per_second, burst, granted, tokens";

    async fn ask(
        client: &Client,
        statement: &Statement,
        questions: &[i64],
    ) -> Result<Vec<Share>, tokio_postgres::Error> {
        let mut counts = BTreeMap::new();
        for partner in questions {
            *counts.entry(*partner).or_insert(0_i32) += 1;
        }
        let (partners, asked): (Vec<i64>, Vec<i32>) = counts.iter().unzip();
        let ordinary = Policy::ORDINARY;
        let (per_second, burst) = (ordinary.per_second as i32, ordinary.burst as i32);
        let rows = client
            .query(statement, &[&partners, &asked, &per_second, &burst])
            .await?;
        let mut dealt = BTreeMap::new();
        for row in rows {
            let partner: i64 = row.get(0);
            let [per_second, burst, granted] =
                [1, 2, 3].map(|at| row.get::<_, i32>(at).unsigned_abs());
            let policy = Policy { per_second, burst };
            let asked = counts
                .get(&partner)
                .copied()
                .unwrap_or_default()
                .unsigned_abs();
            dealt.insert(partner, deal(policy, granted, row.get(4), asked));
        }
        let mut share = |partner| dealt.get_mut(partner)?.next();
        let shares = questions.iter().map(|partner| {
            // Every question has its row.
            share(partner).unwrap_or(Share {
                policy: ordinary,
                is_admitted: false,
                surplus: 0,
                in_bucket: 0.0,
            })
        });
        Ok(shares.collect())
    }
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    per_second: i32,
    #[diesel(sql_type = Integer)]
    burst: i32,
}

/// What holds for a partner; none when there is no such partner.
pub(super) async fn find(conn: &mut Connection, partner: i64) -> Result<Option<Policy>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select coalesce(l.per_second, $2) as per_second, coalesce(l.burst, $3) as burst
           from partners p left join request_limits l on l.partner_id = p.id where p.id = $1",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Integer, _>(Policy::ORDINARY.per_second as i32)
    .bind::<Integer, _>(Policy::ORDINARY.burst as i32)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| Policy {
        per_second: row.per_second.unsigned_abs(),
        burst: row.burst.unsigned_abs(),
    }))
}

pub(super) async fn set(conn: &mut Connection, partner: i64, policy: Policy) -> Result<(), Error> {
    diesel::sql_query(
        "insert into request_limits (partner_id, per_second, burst) values ($1, $2, $3)
         on conflict (partner_id) do update set per_second = excluded.per_second, burst = excluded.burst",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Integer, _>(policy.per_second as i32)
    .bind::<Integer, _>(policy.burst as i32)
    .execute(conn)
    .await?;
    Ok(())
}
