//! Caps and their slices, by SQL.

use diesel_async::RunQueryDsl;

use super::store::{Count, nothing_from};
use super::{Report, Stopped};
use crate::db::Connection;

pub async fn check(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    slices_sum_to_the_position(conn).await?;
    grants_stay_under_the_cap(conn).await?;
    caps_are_what_was_approved(conn).await?;
    let counted: Count = diesel::sql_query("select count(*) as count from caps")
        .get_result(conn)
        .await?;
    report.caps = counted.count;
    Ok(())
}

async fn slices_sum_to_the_position(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with kept as (select position, sum(owed) as owed from slices group by 1), \
         right_ones as ( \
           select position, (select coalesce(sum(case debit when position then amount else -amount end), 0) \
                               from totals where debit = position or credit = position) as owed from caps \
         ) \
         select 'position ' || position || ' owes ' || coalesce(k.owed::text, 'nothing') || ' in slices, and ' || \
                coalesce(r.owed::text || ' in its totals', 'has no cap') as what \
           from right_ones r full join kept k using (position) where k.owed is distinct from r.owed limit 1",
    )
    .await
}

async fn grants_stay_under_the_cap(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'position ' || position || ' owes ' || owed || ' in slot ' || slot || ', which was granted ' || \
                granted as what from slices where owed > granted limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'the slices of position ' || position || ' may come to ' || sum(coalesce(granted, owed)) || \
                ', and its cap is ' || c.amount as what from slices join caps c using (position) \
          group by position, c.amount \
         having bool_or(granted is not null) and sum(coalesce(granted, owed)) > c.amount limit 1",
    )
    .await
}

async fn caps_are_what_was_approved(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'position ' || position || ' has a cap of ' || amount || ', which is not what was approved' as what \
           from caps where (amount::numeric / 1000000)::numeric(38, 6)::text is distinct from ( \
             select after from audit where subject = 'partner_cap' \
                and subject_id = caps.position & ((1::bigint << 39) - 1) order by position desc limit 1) limit 1",
    )
    .await
}
