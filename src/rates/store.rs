//! Rate cards in the database.

use std::sync::Arc;

use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz,
};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::book::PublishedCard;
use super::boundary::{Boundary, Local};
use super::card::Card;
use super::draft::Draft;
use super::state::Kept;
use super::version::{self, Version};
use crate::access::Who;
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraint};
use crate::points::account::Asset;
use crate::points::amount::{Scale, Scales};

/// The first half of the advisory lock of a pair: "card" in ASCII.
const LOCK: i32 = 0x6361_7264;

/// A version with its issuers, its maker, and what was said to its latest proposal. Words that were
/// given to a proposal nobody decided in time, or that was taken back, count no more.
const VERSIONS: &str = "
  select c.id, c.from_currency, c.to_currency, f.issuer_id as source, t.issuer_id as target,
         f.scale as from_scale, t.scale as to_scale, c.version, c.state,
         c.terms, c.settlement, c.condition, c.priority, c.notice_days,
         c.valid_from, c.valid_to, c.valid_from_local, c.valid_to_local,
         c.replaced_by is not null as is_replaced, c.origin,
         c.content_hash, maker.partner_id as maker,
         c.created_at, coalesce(said.agreed, '{}') as agreed, coalesce(said.approved, '{}') as approved
    from rate_cards c
    join currencies f on f.no = c.from_currency
    join currencies t on t.no = c.to_currency
    left join credentials maker on maker.id = c.created_by
    left join lateral (select id, parties from approvals
                        where subject = 'rate_card' and subject_id = c.id
                          and (state in ('approved', 'rejected') or state = 'created' and expires_at > hub_now())
                        order by id desc limit 1) latest on true
    left join lateral (
      select array_agg(d.party order by d.decided_at) filter (where d.verdict <> 'rejected')
               || case when 'hub' = any(latest.parties) then '{}' else '{hub}'::text[] end as agreed,
             array_agg(d.party order by d.decided_at) filter (where d.verdict = 'approved') as approved
        from approval_decisions d where d.approval_id = latest.id) said on latest.id is not null";

const PUBLISHED: &str = "select id, from_currency, to_currency, version, state, terms, settlement, condition, priority, \
     notice_days, valid_from, valid_to from rate_cards";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    from_currency: Asset,
    #[diesel(sql_type = SmallInt)]
    to_currency: Asset,
    #[diesel(sql_type = BigInt)]
    source: i64,
    #[diesel(sql_type = BigInt)]
    target: i64,
    #[diesel(sql_type = SmallInt)]
    from_scale: i16,
    #[diesel(sql_type = SmallInt)]
    to_scale: i16,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Jsonb)]
    terms: Value,
    #[diesel(sql_type = Jsonb)]
    settlement: Value,
    #[diesel(sql_type = Nullable<Jsonb>)]
    condition: Option<Value>,
    #[diesel(sql_type = Integer)]
    priority: i32,
    #[diesel(sql_type = SmallInt)]
    notice_days: i16,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    valid_from: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    valid_to: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    valid_from_local: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    valid_to_local: Option<Value>,
    #[diesel(sql_type = Bool)]
    is_replaced: bool,
    #[diesel(sql_type = Nullable<Text>)]
    origin: Option<String>,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = Nullable<BigInt>)]
    maker: Option<i64>,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Array<Text>)]
    agreed: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    approved: Vec<String>,
}

#[derive(QueryableByName)]
struct PublishedRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    from_currency: Asset,
    #[diesel(sql_type = SmallInt)]
    to_currency: Asset,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Jsonb)]
    terms: Value,
    #[diesel(sql_type = Jsonb)]
    settlement: Value,
    #[diesel(sql_type = Nullable<Jsonb>)]
    condition: Option<Value>,
    #[diesel(sql_type = Integer)]
    priority: i32,
    #[diesel(sql_type = SmallInt)]
    notice_days: i16,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    valid_from: Option<Timestamp>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    valid_to: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Pair {
    #[diesel(sql_type = SmallInt)]
    from_currency: Asset,
    #[diesel(sql_type = SmallInt)]
    to_currency: Asset,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl TryFrom<Row> for Version {
    type Error = Error;

    fn try_from(row: Row) -> Result<Version, Error> {
        let id = row.id;
        let unknown = |what: &str, name: &str| {
            anyhow::anyhow!("rate card {id} has the unknown {what} {name}")
        };
        let party = |name: &String| PartyName::named(name).ok_or_else(|| unknown("party", name));
        Ok(Version {
            id,
            from: row.from_currency,
            to: row.to_currency,
            source: row.source,
            target: row.target,
            scales: scales(row.from_scale, row.to_scale)?,
            number: row.version,
            kept: Kept::named(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            card: card(
                id,
                (row.terms, row.settlement),
                row.condition,
                row.priority,
                row.notice_days,
            )?,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            valid_from_local: local(id, row.valid_from_local)?,
            valid_to_local: local(id, row.valid_to_local)?,
            is_replaced: row.is_replaced,
            origin: row.origin,
            content_hash: row.content_hash,
            maker: row.maker.map_or(PartyName::Hub, PartyName::Partner),
            created_at: row.created_at,
            agreed: row.agreed.iter().map(party).collect::<Result<_, _>>()?,
            approved: row.approved.iter().map(party).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<PublishedRow> for PublishedCard {
    type Error = Error;

    fn try_from(row: PublishedRow) -> Result<PublishedCard, Error> {
        let id = row.id;
        Ok(PublishedCard {
            id,
            from: row.from_currency,
            to: row.to_currency,
            version: row.version,
            card: Arc::new(card(
                id,
                (row.terms, row.settlement),
                row.condition,
                row.priority,
                row.notice_days,
            )?),
            valid_from: row
                .valid_from
                .ok_or_else(|| anyhow::anyhow!("rate card {id} has no beginning"))?,
            valid_to: row.valid_to,
            halted: row.state == Kept::Halted.name(),
        })
    }
}

fn card(
    id: i64,
    (terms, settlement): (Value, Value),
    condition: Option<Value>,
    priority: i32,
    notice_days: i16,
) -> anyhow::Result<Card> {
    Card::kept(terms, settlement, condition, priority, notice_days)
        .map_err(|error| anyhow::anyhow!("rate card {id} cannot be read: {error}"))
}

fn local(id: i64, local: Option<Value>) -> anyhow::Result<Option<Local>> {
    let read = local.map(serde_json::from_value).transpose();
    read.map_err(|error| anyhow::anyhow!("a date of rate card {id} cannot be read: {error}"))
}

fn scales(from: i16, to: i16) -> anyhow::Result<Scales> {
    let scale = |decimals: i16| {
        let scale = u8::try_from(decimals).ok().and_then(Scale::new);
        scale.ok_or_else(|| anyhow::anyhow!("a currency has the scale {decimals}"))
    };
    Ok(Scales {
        source: scale(from)?,
        target: scale(to)?,
    })
}

/// Lets one at a time draft, publish or end versions of a pair.
pub(super) async fn lock_pair(conn: &mut Connection, from: Asset, to: Asset) -> Result<(), Error> {
    // Currency numbers have 14 bits.
    diesel::sql_query(format!("select pg_advisory_xact_lock({LOCK}, $1)"))
        .bind::<Integer, _>((i32::from(from) << 14) | i32::from(to))
        .execute(conn)
        .await?;
    Ok(())
}

/// A version, with its pair locked until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Version>, Error> {
    let pair: Option<Pair> =
        diesel::sql_query("select from_currency, to_currency from rate_cards where id = $1")
            .bind::<BigInt, _>(id)
            .get_result(conn)
            .await
            .optional()?;
    let Some(Pair {
        from_currency,
        to_currency,
    }) = pair
    else {
        return Ok(None);
    };
    lock_pair(conn, from_currency, to_currency).await?;
    find(conn, id).await
}

pub(super) async fn find(conn: &mut Connection, id: i64) -> Result<Option<Version>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("{VERSIONS} where c.id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(Version::try_from).transpose()
}

/// The version that another replaces or would replace when it begins at `start`: the one of its pair
/// and priority that began last before it, whether it still holds or not.
pub(super) async fn find_predecessor(
    conn: &mut Connection,
    successor: &Version,
    start: Timestamp,
) -> Result<Option<Version>, Error> {
    let row: Option<Row> = diesel::sql_query(format!(
        "{VERSIONS}
          where c.from_currency = $1 and c.to_currency = $2 and c.priority = $3 and c.id <> $4
            and c.state in ('published', 'halted') and c.valid_from < $5
          order by c.valid_from desc, c.id desc limit 1"
    ))
    .bind::<SmallInt, _>(successor.from)
    .bind::<SmallInt, _>(successor.to)
    .bind::<Integer, _>(successor.card.priority)
    .bind::<BigInt, _>(successor.id)
    .bind::<Timestamptz, _>(start)
    .get_result(conn)
    .await
    .optional()?;
    row.map(Version::try_from).transpose()
}

/// The published versions of a pair and priority that hold after `now`, or would but for a successor that everybody
/// agreed to: what another successor cuts short. Oldest first.
pub(super) async fn list_standing(
    conn: &mut Connection,
    successor: &Version,
    now: Timestamp,
) -> Result<Vec<Version>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "{VERSIONS}
          where c.from_currency = $1 and c.to_currency = $2 and c.priority = $3 and c.id <> $4
            and c.state = 'published' and (c.valid_to is null or c.replaced_by is not null and c.valid_to > $5)
          order by c.valid_from, c.id"
    ))
    .bind::<SmallInt, _>(successor.from)
    .bind::<SmallInt, _>(successor.to)
    .bind::<Integer, _>(successor.card.priority)
    .bind::<BigInt, _>(successor.id)
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?;
    rows.into_iter().map(Version::try_from).collect()
}

/// A page of what `viewer` may see, newest first: one more than `limit` when there are more.
pub(super) async fn list(
    conn: &mut Connection,
    viewer: PartyName,
    route: (Option<Asset>, Option<Asset>),
    before: i64,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    let partner = match viewer {
        PartyName::Partner(id) => Some(id),
        PartyName::Hub => None,
        // The ids of partners begin with 1.
        PartyName::Nobody => Some(0),
    };
    let rows: Vec<Row> = diesel::sql_query(format!(
        "{VERSIONS}
          where c.id < $1 and ($2 is null or c.from_currency = $2) and ($3 is null or c.to_currency = $3)
            and ($4 is null or $4 in (f.issuer_id, t.issuer_id, (c.settlement #>> '{{sponsor,partner}}')::bigint)
                 or c.state = 'published')
          order by c.id desc limit $5"
    ))
    .bind::<BigInt, _>(before)
    .bind::<Nullable<SmallInt>, _>(route.0)
    .bind::<Nullable<SmallInt>, _>(route.1)
    .bind::<Nullable<BigInt>, _>(partner)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    rows.into_iter().map(Version::try_from).collect()
}

/// The next version of a pair that is locked.
pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    draft: &Draft,
    content_hash: &[u8],
    now: Timestamp,
) -> Result<i64, Error> {
    let terms = serde_json::to_value(&draft.card.terms).map_err(anyhow::Error::from)?;
    let settlement = serde_json::to_value(&draft.card.settlement).map_err(anyhow::Error::from)?;
    let condition = draft.card.when.as_ref().map(serde_json::to_value);
    let condition = condition.transpose().map_err(anyhow::Error::from)?;
    let notice_days = i16::try_from(draft.card.notice_days).map_err(anyhow::Error::from)?;
    let Id { id } = diesel::sql_query(
        "insert into rate_cards (from_currency, to_currency, version, state, terms, settlement, valid_from, valid_to,
                                 origin, content_hash, terms_hash, created_by, created_at, condition, priority,
                                 notice_days, valid_from_local, valid_to_local)
         select $1, $2, coalesce(max(version), 0) + 1, 'draft', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                $14, $15, $16
           from rate_cards where from_currency = $1 and to_currency = $2
         returning id",
    )
    .bind::<SmallInt, _>(draft.from)
    .bind::<SmallInt, _>(draft.to)
    .bind::<Jsonb, _>(terms)
    .bind::<Jsonb, _>(settlement)
    .bind::<Nullable<Timestamptz>, _>(draft.valid_from.as_ref().map(|start| start.at))
    .bind::<Nullable<Timestamptz>, _>(draft.valid_to.as_ref().map(|end| end.at))
    .bind::<Nullable<Text>, _>(draft.origin.as_deref())
    .bind::<Binary, _>(content_hash)
    .bind::<Binary, _>(&version::content_hash(draft.from, draft.to, &draft.card)[..])
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Jsonb>, _>(condition)
    .bind::<Integer, _>(draft.card.priority)
    .bind::<SmallInt, _>(notice_days)
    .bind::<Nullable<Jsonb>, _>(written(draft.valid_from.as_ref())?)
    .bind::<Nullable<Jsonb>, _>(written(draft.valid_to.as_ref())?)
    .get_result(conn)
    .await?;
    Ok(id)
}

fn written(boundary: Option<&Boundary>) -> Result<Option<Value>, Error> {
    let local = boundary.and_then(|boundary| boundary.local.as_ref());
    let written = local.map(serde_json::to_value).transpose();
    Ok(written.map_err(anyhow::Error::from)?)
}

/// Keeps what was done with a version.
pub(super) async fn mark(conn: &mut Connection, id: i64, kept: Kept) -> Result<(), Error> {
    let marked = diesel::sql_query("update rate_cards set state = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(kept.name())
        .execute(conn)
        .await;
    // A scheduled card that became active while it was being withdrawn.
    let too_late =
        || Problem::new(Slug::CardState, "it has become active meanwhile").with("state", "active");
    on_constraint(marked, "rate_cards_edges", too_late).map(drop)
}

pub(super) async fn mark_published(
    conn: &mut Connection,
    id: i64,
    start: Timestamp,
) -> Result<(), Error> {
    let marked = diesel::sql_query(
        "update rate_cards set state = 'published', valid_from = $2 where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Timestamptz, _>(start)
    .execute(conn)
    .await;
    let overlaps = || {
        let detail = "another published version of this pair and priority holds at that time: let this one begin when that one ends, or give it a priority of its own";
        Problem::new(Slug::CardDates, detail)
    };
    on_constraint(marked, "rate_cards_no_overlap", overlaps).map(drop)
}

/// Ends the version of the pair and priority that would go on for ever, where its successor starts.
pub(super) async fn end_predecessor(
    conn: &mut Connection,
    successor: &Version,
    start: Timestamp,
) -> Result<Option<i64>, Error> {
    let ended: Option<Id> = diesel::sql_query(
        "update rate_cards set valid_to = $3, replaced_by = $4
          where from_currency = $1 and to_currency = $2 and priority = $5
            and state = 'published' and valid_to is null and valid_from < $3
         returning id",
    )
    .bind::<SmallInt, _>(successor.from)
    .bind::<SmallInt, _>(successor.to)
    .bind::<Timestamptz, _>(start)
    .bind::<BigInt, _>(successor.id)
    .bind::<Integer, _>(successor.card.priority)
    .get_result(conn)
    .await
    .optional()?;
    Ok(ended.map(|row| row.id))
}

/// Lets the version that a withdrawn one would have ended go on, to the next one if there is any.
pub(super) async fn resume_predecessor(
    conn: &mut Connection,
    withdrawn: i64,
) -> Result<Option<i64>, Error> {
    let resumed: Option<Id> = diesel::sql_query(
        "update rate_cards p set (valid_to, replaced_by) = (
           select n.valid_from, n.id from rate_cards n
            where n.from_currency = p.from_currency and n.to_currency = p.to_currency
              and n.priority = p.priority and n.state = 'published' and n.valid_from >= p.valid_to
            order by n.valid_from limit 1)
          where p.replaced_by = $1 and p.state = 'published'
         returning id",
    )
    .bind::<BigInt, _>(withdrawn)
    .get_result(conn)
    .await
    .optional()?;
    Ok(resumed.map(|row| row.id))
}

/// Every card that is published and not over.
pub(super) async fn list_published(conn: &mut Connection) -> Result<Vec<PublishedCard>, Error> {
    let rows: Vec<PublishedRow> = diesel::sql_query(format!(
        "{PUBLISHED} where state = 'published' and (valid_to is null or valid_to > hub_now())"
    ))
    .load(conn)
    .await?;
    rows.into_iter().map(PublishedCard::try_from).collect()
}

/// A card that prices quotes now or will, with what pricing needs to know of its two sides.
pub(super) struct Live {
    pub card: PublishedCard,
    pub codes: [String; 2],
    pub scales: Scales,
    pub moneys: [Asset; 2],
}

#[derive(QueryableByName)]
struct LiveRow {
    #[diesel(embed)]
    card: PublishedRow,
    #[diesel(sql_type = Text)]
    from_code: String,
    #[diesel(sql_type = Text)]
    to_code: String,
    #[diesel(sql_type = SmallInt)]
    from_scale: i16,
    #[diesel(sql_type = SmallInt)]
    to_scale: i16,
    #[diesel(sql_type = SmallInt)]
    from_money: Asset,
    #[diesel(sql_type = SmallInt)]
    to_money: Asset,
}

/// Every card that is published and not over, with its sides. Lets nobody else add to them until the
/// transaction ends.
pub(super) async fn lock_live(conn: &mut Connection) -> Result<Vec<Live>, Error> {
    // No pair has this number.
    diesel::sql_query(format!("select pg_advisory_xact_lock({LOCK}, -1)"))
        .execute(conn)
        .await?;
    let rows: Vec<LiveRow> = diesel::sql_query(
        "select c.id, c.from_currency, c.to_currency, c.version, c.state, c.terms, c.settlement,
                c.condition, c.priority, c.notice_days, c.valid_from, c.valid_to,
                f.code as from_code, t.code as to_code, f.scale as from_scale, t.scale as to_scale,
                source.money as from_money, target.money as to_money
           from rate_cards c
           join currencies f on f.no = c.from_currency join partners source on source.id = f.issuer_id
           join currencies t on t.no = c.to_currency join partners target on target.id = t.issuer_id
          where c.state = 'published' and (c.valid_to is null or c.valid_to > hub_now())
          order by c.id",
    )
    .load(conn)
    .await?;
    rows.into_iter().map(Live::try_from).collect()
}

impl TryFrom<LiveRow> for Live {
    type Error = Error;

    fn try_from(row: LiveRow) -> Result<Live, Error> {
        Ok(Live {
            card: row.card.try_into()?,
            codes: [row.from_code, row.to_code],
            scales: scales(row.from_scale, row.to_scale)?,
            moneys: [row.from_money, row.to_money],
        })
    }
}

/// A card that is or was published, whether it still holds or not: a quote outlives its card.
pub async fn find_published(
    conn: &mut Connection,
    id: i64,
) -> Result<Option<PublishedCard>, Error> {
    let row: Option<PublishedRow> = diesel::sql_query(format!(
        "{PUBLISHED} where id = $1 and state in ('published', 'halted')"
    ))
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    row.map(PublishedCard::try_from).transpose()
}
