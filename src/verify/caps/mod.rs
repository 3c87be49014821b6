//! Caps and their slices, by SQL.

use diesel_async::RunQueryDsl;

use super::store::{Count, nothing_from};
use super::{Report, Stopped};
use crate::db::Connection;

pub async fn check(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    slices_sum_to_the_position(conn).await?;
    grants_stay_under_the_limit(conn).await?;
    warnings_are_of_limits(conn).await?;
    warnings_were_told(conn).await?;
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
        "with kept as (select position, sum(owed) as owed, sum(credited) as credited from slices group by 1), \
         right_ones as ( \
           select position, (select coalesce(sum(case debit when position then amount else -amount end), 0) \
                               from totals where debit = position or credit = position) as owed, \
                  credited_of(position) as credited from caps \
         ) \
         select 'position ' || position || ' owes ' || coalesce(k.owed::text, 'nothing') || ' and was credited ' || \
                coalesce(k.credited::text, 'nothing') || ' in slices, and ' || \
                coalesce(r.owed::text || ' and ' || r.credited || ' in its totals', 'has no limit') as what \
           from right_ones r full join kept k using (position) \
          where (k.owed, k.credited) is distinct from (r.owed, r.credited) limit 1",
    )
    .await
}

/// Cover that has ended since is counted as it was when it was granted.
async fn grants_stay_under_the_limit(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'position ' || position || ' has slices with a haircut of ' || haircut || ', which is not its own' as what \
           from slices join caps using (position) where haircut <> (terms ->> 'haircut')::smallint limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'position ' || position || ' owes ' || owed || ' and was credited ' || credited || ' in slot ' || slot || \
                ', which was granted ' || granted as what \
           from slices where owed + ceil(credited::numeric * haircut / 10000) > granted limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "with most as ( \
           select position, least((terms ->> 'cap')::numeric, case jsonb_typeof(terms -> 'cover') when 'array' then ( \
             select sum((line ->> 'amount')::numeric) from jsonb_array_elements(terms -> 'cover') line) end) * 1000000 as amount \
             from caps) \
         select 'the slices of position ' || position || ' may come to ' || \
                sum(coalesce(granted, owed + ceil(credited::numeric * haircut / 10000))) || \
                ', and its limit is ' || amount as what from slices join most using (position) \
          group by position, amount \
         having bool_or(granted is not null) \
            and sum(coalesce(granted, owed + ceil(credited::numeric * haircut / 10000))) > amount limit 1",
    )
    .await
}

async fn caps_are_what_was_approved(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'position ' || position || ' has the terms ' || terms || ', which are not what was approved' as what \
           from caps where terms is distinct from ( \
             select nullif(after, 'none')::jsonb from audit where subject = 'partner_cap' \
                and subject_id = caps.position & ((1::bigint << 39) - 1) order by position desc limit 1) limit 1",
    )
    .await
}

/// Nobody is warned twice at once, or without a limit; how often in all only the moment knew.
async fn warnings_are_of_limits(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'position ' || position || ' is warned and has no limit' as what from limit_warnings \
          where ended_at is null and position not in (select position from caps) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'warnings ' || one.id || ' and ' || other.id || ' of position ' || one.position || ' are of one time' as what \
           from limit_warnings one join limit_warnings other on one.position = other.position and one.id < other.id \
          where one.ended_at is null or one.ended_at > other.at limit 1",
    )
    .await
}

/// Each warning and its end is an event, and there are no others.
async fn warnings_were_told(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with kept as ( \
           select position & ((1::bigint << 39) - 1) as partner, warning_told(w) as warning, ends.at \
             from limit_warnings w cross join lateral (values (w.at, false), (w.ended_at, true)) as ends (at, is_end) \
            where ends.at is not null), \
         told as ( \
           select subject_id as partner, coalesce(before, after)::jsonb as warning, at from audit \
            where subject = 'limit_warning') \
         select 'partner ' || partner || ' was warned of ' || warning || ' at ' || at || ', ' || what as what \
           from (select *, 'and was not told' as what from (select * from kept except all select * from told) untold \
                 union all \
                 select *, 'and no warning says so' from (select * from told except all select * from kept) unknown) both_ways \
          limit 1",
    )
    .await
}
