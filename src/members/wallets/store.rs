//! Wallets in the database, and whose they are.

use std::collections::{HashMap, HashSet};

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Timestamptz};
use diesel_async::RunQueryDsl;
use tokio_postgres::{Client, Row, Statement};

use crate::clock::Timestamp;
use crate::db::{self, Connection, Moment};
use crate::error::{Error, Problem, Slug, on_constraint};
use crate::gather::Batch;
use crate::points::account::{Account, Asset};

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
struct OwnedRow {
    #[diesel(sql_type = BigInt)]
    member_id: i64,
    #[diesel(sql_type = SmallInt)]
    currency_no: Asset,
    #[diesel(sql_type = BigInt)]
    wallet_id: i64,
}

/// A member of a partner, and the currencies its wallets are wanted in: the first is the partner's.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The principal that asks, where it is not known to be live.
    pub sender: Option<i64>,
    pub member: i64,
    pub partner: i64,
    pub from: Asset,
    pub to: Asset,
}

/// Whether the member is one of the partner's, and the wallets that were opened; and the present.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    pub moment: Moment,
    pub is_sender_live: bool,
    pub is_member: bool,
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Since when the two have been one member's by a link; none where neither came by one.
    pub linked_at: Option<Timestamp>,
}

/// Asks for many at once.
pub(super) struct Ownership;

impl Batch for Ownership {
    type Question = Wanted;
    type Answer = Owned;

    // Whoever has a wallet in a currency of the partner's is a member; the others are looked up.
    const SQL: &'static str = "select \
         s.wallet_id is not null or exists ( \
           select from memberships m where m.member_id = q.member and m.partner_id = q.partner), \
         s.wallet_id, t.wallet_id, \
         q.sender is null or exists (select from live_principals l where l.id = q.sender), \
         c.version, clock_timestamp() + c.clock_offset, greatest(s.linked_at, t.linked_at) \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[]) with ordinality \
         as q (member, partner, source, target, sender, nth) cross join control c \
         left join member_wallets s on s.member_id = q.member and s.currency_no = q.source \
         left join member_wallets t on t.member_id = q.member and t.currency_no = q.target order by q.nth";

    async fn ask(
        client: &Client,
        statement: &Statement,
        wanted: &[Wanted],
    ) -> Result<Vec<Owned>, tokio_postgres::Error> {
        let members: Vec<i64> = wanted.iter().map(|one| one.member).collect();
        let partners: Vec<i64> = wanted.iter().map(|one| one.partner).collect();
        let from: Vec<Asset> = wanted.iter().map(|one| one.from).collect();
        let to: Vec<Asset> = wanted.iter().map(|one| one.to).collect();
        let senders: Vec<Option<i64>> = wanted.iter().map(|one| one.sender).collect();
        let rows = client
            .query(statement, &[&members, &partners, &from, &to, &senders])
            .await?;
        let owned = |row: &Row| Owned {
            is_sender_live: row.get(3),
            moment: Moment {
                version: row.get(4),
                now: row.get(5),
            },
            is_member: row.get(0),
            from: row.get(1),
            to: row.get(2),
            linked_at: row.get(6),
        };
        Ok(rows.iter().map(owned).collect())
    }
}

/// The wallet of a member in a currency, if it was opened.
pub async fn wallet_of(
    conn: &mut Connection,
    member: i64,
    currency: Asset,
) -> Result<Option<i64>, Error> {
    Ok(wallets_of(conn, &[(member, currency)])
        .await?
        .remove(&(member, currency)))
}

/// The wallets of many members at once; what was not opened is not among them.
pub async fn wallets_of(
    conn: &mut Connection,
    owners: &[(i64, Asset)],
) -> Result<HashMap<(i64, Asset), i64>, Error> {
    let (members, currencies): (Vec<i64>, Vec<Asset>) = owners.iter().copied().unzip();
    let rows: Vec<OwnedRow> = diesel::sql_query(
        "select member_id, currency_no, wallet_id from member_wallets
           join unnest($1, $2) as wanted (member_id, currency_no) using (member_id, currency_no)",
    )
    .bind::<Array<BigInt>, _>(members)
    .bind::<Array<SmallInt>, _>(currencies)
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.member_id, row.currency_no), row.wallet_id))
        .collect())
}

/// All wallets of a member that were opened, in the order of their currencies.
pub async fn all_of(conn: &mut Connection, member: i64) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "select wallet_id as id from member_wallets where member_id = $1 order by currency_no",
    )
    .bind::<BigInt, _>(member)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(diesel::QueryableByName)]
struct LinkedWith {
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = Timestamptz)]
    linked_at: Timestamp,
}

/// Of the memberships of the member whose wallet it is, those that a link made its: when, by partner.
pub async fn links_of(
    conn: &mut Connection,
    wallet: i64,
) -> Result<HashMap<i64, Timestamp>, Error> {
    let rows: Vec<LinkedWith> = diesel::sql_query(
        "select m.partner_id, m.linked_at from member_wallets w join memberships m using (member_id)
          where w.wallet_id = $1 and m.linked_at is not null",
    )
    .bind::<BigInt, _>(wallet)
    .load(conn)
    .await?;
    let row = |row: LinkedWith| (row.partner_id, row.linked_at);
    Ok(rows.into_iter().map(row).collect())
}

/// Whether a wallet is the member's.
pub async fn owns(conn: &mut Connection, member: i64, wallet: i64) -> Result<bool, Error> {
    let row: Option<Id> = diesel::sql_query(
        "select wallet_id as id from member_wallets where wallet_id = $1 and member_id = $2",
    )
    .bind::<BigInt, _>(wallet)
    .bind::<BigInt, _>(member)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.is_some())
}

/// The currencies that these partners issue, each with its issuer.
pub(in crate::members) async fn list_currencies(
    conn: &mut Connection,
    issuers: &[i64],
) -> Result<Vec<(i64, Asset)>, Error> {
    let rows: Vec<Issued> =
        diesel::sql_query("select issuer_id, no from currencies where issuer_id = any($1)")
            .bind::<Array<BigInt>, _>(issuers)
            .load(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.issuer_id, row.no))
        .collect())
}

/// Opens a wallet for each of these, whose memberships were linked at an instant or never. Its id is random; one that exists already is drawn again.
pub(in crate::members) async fn open(
    conn: &mut Connection,
    owners: &[(i64, Asset)],
    linked_at: Option<Timestamp>,
) -> Result<(), Error> {
    let mut waiting = owners.to_vec();
    let kept_by_partners = kept_by_partners(conn, owners).await?;
    let draw = |(_, no): &(i64, Asset)| match kept_by_partners.contains(no) {
        true => Account::partner_wallet(*no, rand::random()).0,
        false => Account::wallet(*no, rand::random()).0,
    };
    while !waiting.is_empty() {
        let drawn: Vec<i64> = waiting.iter().map(draw).collect();
        let mut free = insert_wallets(conn, &drawn).await?;
        let (opened, again): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .zip(drawn)
            .partition(|(_, id)| free.remove(id));
        insert_owners(conn, &opened, linked_at).await?;
        waiting = again.into_iter().map(|(owner, _)| owner).collect();
    }
    Ok(())
}

/// Those of these currencies whose balances their issuers keep.
async fn kept_by_partners(
    conn: &mut Connection,
    owners: &[(i64, Asset)],
) -> Result<HashSet<Asset>, Error> {
    let rows: Vec<Issued> = diesel::sql_query(
        "select issuer_id, no from currencies where no = any($1) and kept_by = 'partner'",
    )
    .bind::<Array<SmallInt>, _>(owners.iter().map(|(_, no)| *no).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.no).collect())
}

/// Inserts those that are new, and says which.
async fn insert_wallets(conn: &mut Connection, ids: &[i64]) -> Result<HashSet<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "insert into wallets (id) select unnest($1) on conflict do nothing returning id",
    )
    .bind::<Array<BigInt>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn insert_owners(
    conn: &mut Connection,
    opened: &[((i64, Asset), i64)],
    linked_at: Option<Timestamp>,
) -> Result<(), Error> {
    // A member who got the wallet meanwhile keeps it; the one drawn here stays nobody's and empty.
    diesel::sql_query(
        "insert into member_wallets (member_id, currency_no, wallet_id, linked_at) select *, $4 from unnest($1, $2, $3)
         on conflict on constraint member_wallets_pk do nothing",
    )
    .bind::<Array<BigInt>, _>(opened.iter().map(|((member, _), _)| *member).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(opened.iter().map(|((_, currency), _)| *currency).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(opened.iter().map(|(_, wallet)| *wallet).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(linked_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes a member's wallets in the currencies of a partner another member's. The journal knows wallets only, so
/// nothing is posted.
pub(in crate::members) async fn move_wallets(
    conn: &mut Connection,
    partner: i64,
    (from, to): (i64, i64),
    linked_at: Option<Timestamp>,
) -> Result<(), Error> {
    let moved = diesel::sql_query(
        "update member_wallets set member_id = $3, linked_at = $4 where member_id = $2
            and currency_no in (select no from currencies where issuer_id = $1)",
    )
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(to)
    .bind::<Nullable<Timestamptz>, _>(linked_at)
    .execute(conn)
    .await;
    on_constraint(moved, "member_wallets_pk", || {
        let detail = "the member holds points of yours under another number; move them there first, or link that number";
        Problem::new(Slug::NumberTaken, detail)
    })?;
    Ok(())
}

/// Ends the quotes that were given for the wallets of a member in the currencies of a partner.
pub(in crate::members) async fn end_quotes(
    conn: &mut Connection,
    partner: i64,
    member: i64,
) -> Result<(), Error> {
    diesel::sql_query("delete from wallet_moves where at < hub_now() - interval '1 hour'")
        .execute(conn)
        .await?;
    diesel::sql_query(
        "insert into wallet_moves (wallet_id, at) select wallet_id, hub_now() from member_wallets
          where member_id = $2 and currency_no in (select no from currencies where issuer_id = $1)
         on conflict (wallet_id) do update set at = excluded.at",
    )
    .bind::<BigInt, _>(partner)
    .bind::<BigInt, _>(member)
    .execute(conn)
    .await?;
    db::publish(conn).await
}

#[derive(diesel::QueryableByName)]
struct Linked {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    linked_at: Option<Timestamp>,
}

/// Locks the membership with a currency's issuer, and says when it was linked; none when there is no such.
pub(super) async fn lock_membership_with_issuer(
    conn: &mut Connection,
    member: i64,
    currency: Asset,
) -> Result<Option<Option<Timestamp>>, Error> {
    let row: Option<Linked> = diesel::sql_query(
        "select m.linked_at from memberships m join currencies c on c.issuer_id = m.partner_id
          where m.member_id = $1 and c.no = $2 for update of m",
    )
    .bind::<BigInt, _>(member)
    .bind::<SmallInt, _>(currency)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.linked_at))
}
