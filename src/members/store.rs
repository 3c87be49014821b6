//! Members and memberships in the database.

use std::collections::HashMap;

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::membership::{Came, Membership};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraints};
use crate::web::text::Number;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    member_id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Timestamptz)]
    joined_at: Timestamp,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    linked_at: Option<Timestamp>,
}

impl From<Row> for Membership {
    fn from(row: Row) -> Membership {
        let Row {
            id,
            member_id,
            partner_id,
            number,
            joined_at,
            linked_at,
        } = row;
        Membership {
            id,
            member: member_id,
            partner: partner_id,
            number,
            joined_at,
            linked_at,
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// A member's membership of a partner.
pub async fn find(
    conn: &mut Connection,
    member: i64,
    partner: i64,
) -> Result<Option<Membership>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, member_id, partner_id, number, joined_at, linked_at from memberships where member_id = $1 and partner_id = $2",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Membership::from))
}

pub async fn is_member_of(conn: &mut Connection, member: i64, partner: i64) -> Result<bool, Error> {
    Ok(find(conn, member, partner).await?.is_some())
}

#[derive(diesel::QueryableByName)]
struct Numbered {
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = BigInt)]
    member_id: i64,
}

/// A partner's members with some numbers, by number.
pub async fn with_numbers(
    conn: &mut Connection,
    partner: i64,
    numbers: &[String],
) -> Result<HashMap<String, i64>, Error> {
    let rows: Vec<Numbered> = diesel::sql_query(
        "select number, member_id from memberships where partner_id = $1 and number = any($2)",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Array<Text>, _>(numbers)
    .load(conn)
    .await?;
    let member = |row: Numbered| (row.number, row.member_id);
    Ok(rows.into_iter().map(member).collect())
}

/// A page of a partner's memberships, oldest first: one more than `limit` when there are more.
pub async fn list(
    conn: &mut Connection,
    partner: i64,
    number: Option<&Number>,
    after: i64,
    limit: i64,
) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select id, member_id, partner_id, number, joined_at, linked_at from memberships
          where partner_id = $1 and ($2 is null or number = $2) and id > $3 order by id limit $4",
    )
    .bind::<BigInt, _>(partner)
    .bind::<Nullable<Text>, _>(number.map(|number| &**number))
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(Membership::from).collect())
}

/// New members, in ascending order of id.
pub(super) async fn insert_members(conn: &mut Connection, count: i64) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> =
        diesel::sql_query("insert into members (created_at) select hub_now() from generate_series(1, $1) returning id")
            .bind::<BigInt, _>(count)
            .load(conn)
            .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(super) async fn insert_membership(
    conn: &mut Connection,
    member: i64,
    partner: i64,
    number: &Number,
    by: Came,
) -> Result<Membership, Error> {
    let inserted: Result<Row, _> = diesel::sql_query(
        "insert into memberships (member_id, partner_id, number, joined_at, linked_at)
         values ($1, $2, $3, hub_now(), case when $4 then hub_now() end)
         returning id, member_id, partner_id, number, joined_at, linked_at",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(&**number)
    .bind::<Bool, _>(by == Came::Linked)
    .get_result(conn)
    .await;
    on_constraints(inserted, REFUSALS).map(Membership::from)
}

/// A partner's membership by its id.
pub(super) async fn find_own(
    conn: &mut Connection,
    partner: i64,
    id: i64,
) -> Result<Option<Membership>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, member_id, partner_id, number, joined_at, linked_at from memberships where partner_id = $1 and id = $2",
    )
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Membership::from))
}

/// Waits for all that links these members or ends a link of theirs, and keeps others waiting.
pub(super) async fn lock_members(conn: &mut Connection, members: &[i64]) -> Result<(), Error> {
    diesel::sql_query("select id from members where id = any($1) order by id for update")
        .bind::<Array<BigInt>, _>(members)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many memberships a member has.
pub(super) async fn count_memberships(conn: &mut Connection, member: i64) -> Result<i64, Error> {
    let row: Id = diesel::sql_query("select count(*) as id from memberships where member_id = $1")
        .bind::<BigInt, _>(member)
        .get_result(conn)
        .await?;
    Ok(row.id)
}

/// How many members a partner's programme has.
pub(super) async fn count_members_of(conn: &mut Connection, partner: i64) -> Result<i64, Error> {
    let row: Id = diesel::sql_query("select count(*) as id from memberships where partner_id = $1")
        .bind::<BigInt, _>(partner)
        .get_result(conn)
        .await?;
    Ok(row.id)
}

/// Makes a membership another member's; none when it is not that of the first any more.
pub(super) async fn move_membership(
    conn: &mut Connection,
    membership: i64,
    (from, to): (i64, i64),
    by: Came,
) -> Result<Option<Membership>, Error> {
    let moved: Result<Vec<Row>, _> = diesel::sql_query(
        "update memberships set member_id = $3, linked_at = case when $4 then hub_now() end where id = $1 and member_id = $2
         returning id, member_id, partner_id, number, joined_at, linked_at",
    )
    .bind::<BigInt, _>(membership)
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(to)
    .bind::<Bool, _>(by == Came::Linked)
    .load(conn)
    .await;
    let moved = on_constraints(moved, REFUSALS)?.pop();
    Ok(moved.map(Membership::from))
}

/// Forgets a member that has neither memberships nor wallets any more.
pub(super) async fn delete_member(conn: &mut Connection, member: i64) -> Result<(), Error> {
    diesel::sql_query("delete from members where id = $1")
        .bind::<BigInt, _>(member)
        .execute(conn)
        .await?;
    Ok(())
}

/// Remembers a link token until it ends, and forgets those that have. False when it was used before, at this
/// hub or another.
pub(super) async fn use_link(
    conn: &mut Connection,
    id: Uuid,
    until: Timestamp,
) -> Result<bool, Error> {
    diesel::sql_query("delete from link_uses where until < hub_now() - interval '1 hour'")
        .execute(conn)
        .await?;
    let inserted = diesel::sql_query(
        "insert into link_uses (id, until) values ($1, $2) on conflict do nothing",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(until)
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

/// Many memberships at once: member, partner, number. Answers their ids.
pub(super) async fn insert_memberships(
    conn: &mut Connection,
    rows: &[(i64, i64, &Number)],
) -> Result<Vec<i64>, Error> {
    let inserted: Result<Vec<Id>, _> = diesel::sql_query(
        "insert into memberships (member_id, partner_id, number, joined_at)
         select member_id, partner_id, number, hub_now()
           from unnest($1, $2, $3) as many (member_id, partner_id, number)
         returning id",
    )
    .bind::<Array<BigInt>, _>(
        rows.iter()
            .map(|(member, _, _)| *member)
            .collect::<Vec<_>>(),
    )
    .bind::<Array<BigInt>, _>(
        rows.iter()
            .map(|(_, partner, _)| *partner)
            .collect::<Vec<_>>(),
    )
    .bind::<Array<Text>, _>(
        rows.iter()
            .map(|(_, _, number)| &***number)
            .collect::<Vec<&str>>(),
    )
    .load(conn)
    .await;
    let ids = on_constraints(inserted, REFUSALS)?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}

const REFUSALS: &[(&str, &dyn Fn() -> Problem)] = &[
    ("memberships_number_unique", &|| {
        Problem::new(
            Slug::NumberTaken,
            "another member has this number at the partner",
        )
    }),
    ("memberships_one_per_partner", &|| {
        Problem::new(
            Slug::AlreadyMember,
            "the member has a membership of the partner",
        )
    }),
    ("memberships_of_member", &|| {
        Problem::new(Slug::NotFound, "there is no such member any more")
    }),
];
