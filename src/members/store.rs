//! Members and memberships in the database.

use std::collections::HashMap;

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Membership;
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
}

impl From<Row> for Membership {
    fn from(row: Row) -> Membership {
        let Row {
            id,
            member_id,
            partner_id,
            number,
            joined_at,
        } = row;
        Membership {
            id,
            member: member_id,
            partner: partner_id,
            number,
            joined_at,
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
        "select id, member_id, partner_id, number, joined_at from memberships where member_id = $1 and partner_id = $2",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Membership::from))
}

/// All memberships of a member, oldest first.
pub async fn all_memberships(conn: &mut Connection, member: i64) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select id, member_id, partner_id, number, joined_at from memberships where member_id = $1 order by id",
    )
    .bind::<BigInt, _>(member)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(Membership::from).collect())
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
        "select id, member_id, partner_id, number, joined_at from memberships
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
) -> Result<Membership, Error> {
    let inserted: Result<Row, _> = diesel::sql_query(
        "insert into memberships (member_id, partner_id, number, joined_at) values ($1, $2, $3, hub_now())
         returning id, member_id, partner_id, number, joined_at",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .bind::<Text, _>(&**number)
    .get_result(conn)
    .await;
    on_constraints(inserted, REFUSALS).map(Membership::from)
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
