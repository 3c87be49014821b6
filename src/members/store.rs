//! Members, memberships and wallets in the database.

use std::collections::{HashMap, HashSet};

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Membership;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraints};
use crate::points::account::{Account, Asset};
use crate::web::text::Number;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    member_id: i64,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Timestamptz)]
    joined_at: Timestamp,
}

impl From<Row> for Membership {
    fn from(row: Row) -> Membership {
        let Row { id, member_id, number, joined_at } = row;
        Membership { id, member: member_id, number, joined_at }
    }
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Issued {
    #[diesel(sql_type = BigInt)]
    issuer_id: i64,
    #[diesel(sql_type = SmallInt)]
    no: Asset,
}

#[derive(diesel::QueryableByName)]
struct Owned {
    #[diesel(sql_type = BigInt)]
    member_id: i64,
    #[diesel(sql_type = SmallInt)]
    currency_no: Asset,
    #[diesel(sql_type = BigInt)]
    wallet_id: i64,
}

/// A member's membership of a partner.
pub async fn find(conn: &mut Connection, member: i64, partner: i64) -> Result<Option<Membership>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, member_id, number, joined_at from memberships where member_id = $1 and partner_id = $2",
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

/// A page of a partner's memberships, oldest first: one more than `limit` when there are more.
pub async fn list(
    conn: &mut Connection,
    partner: i64,
    number: Option<&Number>,
    after: i64,
    limit: i64,
) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select id, member_id, number, joined_at from memberships
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

/// The wallet of a member in a currency, if it was opened.
pub async fn wallet_of(conn: &mut Connection, member: i64, currency: Asset) -> Result<Option<i64>, Error> {
    Ok(wallets_of(conn, &[(member, currency)]).await?.remove(&(member, currency)))
}

/// The wallets of many members at once; what was not opened is not among them.
pub async fn wallets_of(
    conn: &mut Connection,
    owners: &[(i64, Asset)],
) -> Result<HashMap<(i64, Asset), i64>, Error> {
    let (members, currencies): (Vec<i64>, Vec<Asset>) = owners.iter().copied().unzip();
    let rows: Vec<Owned> = diesel::sql_query(
        "select member_id, currency_no, wallet_id from member_wallets
           join unnest($1, $2) as wanted (member_id, currency_no) using (member_id, currency_no)",
    )
    .bind::<Array<BigInt>, _>(members)
    .bind::<Array<SmallInt>, _>(currencies)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.member_id, row.currency_no), row.wallet_id)).collect())
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
         returning id, member_id, number, joined_at",
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
    .bind::<Array<BigInt>, _>(rows.iter().map(|(member, _, _)| *member).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|(_, partner, _)| *partner).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|(_, _, number)| &***number).collect::<Vec<&str>>())
    .load(conn)
    .await;
    let ids = on_constraints(inserted, REFUSALS)?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}

const REFUSALS: &[(&str, &dyn Fn() -> Problem)] = &[
    ("memberships_number_unique", &|| Problem::new(Slug::NumberTaken, "another member has this number at the partner")),
    ("memberships_one_per_partner", &|| Problem::new(Slug::AlreadyMember, "the member has a membership of the partner")),
    ("memberships_of_member", &|| Problem::new(Slug::NotFound, "there is no such member any more")),
];

/// The currencies that these partners issue, each with its issuer.
pub(super) async fn list_currencies(conn: &mut Connection, issuers: &[i64]) -> Result<Vec<(i64, Asset)>, Error> {
    let rows: Vec<Issued> = diesel::sql_query("select issuer_id, no from currencies where issuer_id = any($1)")
        .bind::<Array<BigInt>, _>(issuers)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.issuer_id, row.no)).collect())
}

/// Opens a wallet for each of these. Its id is random; one that exists already is drawn again.
pub(super) async fn open_wallets(conn: &mut Connection, owners: &[(i64, Asset)]) -> Result<(), Error> {
    let mut waiting = owners.to_vec();
    while !waiting.is_empty() {
        let drawn: Vec<i64> = waiting.iter().map(|(_, no)| Account::wallet(*no, rand::random()).0).collect();
        let mut free = insert_wallets(conn, &drawn).await?;
        let (opened, again): (Vec<_>, Vec<_>) = waiting.into_iter().zip(drawn).partition(|(_, id)| free.remove(id));
        insert_owners(conn, &opened).await?;
        waiting = again.into_iter().map(|(owner, _)| owner).collect();
    }
    Ok(())
}

/// Inserts those that are new, and says which.
async fn insert_wallets(conn: &mut Connection, ids: &[i64]) -> Result<HashSet<i64>, Error> {
    let rows: Vec<Id> =
        diesel::sql_query("insert into wallets (id) select unnest($1) on conflict do nothing returning id")
            .bind::<Array<BigInt>, _>(ids)
            .load(conn)
            .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn insert_owners(conn: &mut Connection, opened: &[((i64, Asset), i64)]) -> Result<(), Error> {
    // A member who got the wallet meanwhile keeps it; the one drawn here stays nobody's and empty.
    diesel::sql_query(
        "insert into member_wallets (member_id, currency_no, wallet_id) select * from unnest($1, $2, $3)
         on conflict on constraint member_wallets_pk do nothing",
    )
    .bind::<Array<BigInt>, _>(opened.iter().map(|((member, _), _)| *member).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(opened.iter().map(|((_, currency), _)| *currency).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(opened.iter().map(|(_, wallet)| *wallet).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks the membership with a currency's issuer; false when there is none.
pub(super) async fn lock_membership_with_issuer(
    conn: &mut Connection,
    member: i64,
    currency: Asset,
) -> Result<bool, Error> {
    let row: Option<Id> = diesel::sql_query(
        "select m.id from memberships m join currencies c on c.issuer_id = m.partner_id
          where m.member_id = $1 and c.no = $2 for update of m",
    )
    .bind::<BigInt, _>(member)
    .bind::<SmallInt, _>(currency)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.is_some())
}
