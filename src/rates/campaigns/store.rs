//! Campaigns in the database, and who registered for them.

use std::collections::{HashMap, HashSet};

use diesel::sql_types::{Array, BigInt, Binary, Jsonb, Nullable, SmallInt, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::campaign::{Campaign, CampaignTerms};
use super::entry::Entry;
use super::limits::Limits;
use super::published::PublishedCampaign;
use super::state::Kept;
use crate::access::Who;
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraint};
use crate::points::account::{Account, Asset};
use crate::points::amount::Scale;

const COLUMNS: &str =
    "c.id, c.name, c.name_zh, c.sources, c.target, c.starts_at, c.ends_at, c.terms, c.halted";

/// A campaign with the issuer of what is gained, its maker, and what was said to its latest proposal.
const ENTRIES: &str = "
         t.issuer_id as issuer, t.scale, c.state, c.content_hash, maker.partner_id as maker, c.created_at,
         coalesce(said.agreed, '{}') as agreed
    from campaigns c
    join currencies t on t.no = c.target
    left join credentials maker on maker.id = c.created_by
    left join lateral (select id, parties from approvals
                        where subject = 'campaign' and subject_id = c.id
                          and (state in ('approved', 'rejected') or state = 'created' and expires_at > hub_now())
                        order by id desc limit 1) latest on true
    left join lateral (
      select array_agg(d.party order by d.decided_at) filter (where d.verdict <> 'rejected')
               || case when 'hub' = any(latest.parties) then '{}' else '{hub}'::text[] end as agreed
        from approval_decisions d where d.approval_id = latest.id) said on latest.id is not null";

const PUBLISHED: &str = "t.scale from campaigns c join currencies t on t.no = c.target";

#[derive(QueryableByName)]
struct CampaignRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    name_zh: String,
    #[diesel(sql_type = Array<SmallInt>)]
    sources: Vec<Asset>,
    #[diesel(sql_type = SmallInt)]
    target: Asset,
    #[diesel(sql_type = Timestamptz)]
    starts_at: Timestamp,
    #[diesel(sql_type = Timestamptz)]
    ends_at: Timestamp,
    #[diesel(sql_type = Jsonb)]
    terms: Value,
    #[diesel(sql_type = Array<SmallInt>)]
    halted: Vec<Asset>,
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(embed)]
    campaign: CampaignRow,
    #[diesel(sql_type = BigInt)]
    issuer: i64,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = Nullable<BigInt>)]
    maker: Option<i64>,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Array<Text>)]
    agreed: Vec<String>,
}

#[derive(QueryableByName)]
struct PublishedRow {
    #[diesel(embed)]
    campaign: CampaignRow,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = Error;

    fn try_from(row: CampaignRow) -> Result<Campaign, Error> {
        let id = row.id;
        let terms: CampaignTerms = serde_json::from_value(row.terms)
            .map_err(|error| anyhow::anyhow!("campaign {id} cannot be read: {error}"))?;
        Ok(Campaign {
            name: row.name,
            name_zh: row.name_zh,
            sources: row.sources,
            target: row.target,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            terms,
        })
    }
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Entry, Error> {
        let id = row.campaign.id;
        let unknown =
            |what: &str, name: &str| anyhow::anyhow!("campaign {id} has the unknown {what} {name}");
        let party = |name: &String| PartyName::named(name).ok_or_else(|| unknown("party", name));
        Ok(Entry {
            id,
            issuer: row.issuer,
            scale: scale(id, row.scale)?,
            kept: Kept::named(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            halted: row.campaign.halted.clone(),
            content_hash: row.content_hash,
            maker: row.maker.map_or(PartyName::Hub, PartyName::Partner),
            created_at: row.created_at,
            agreed: row.agreed.iter().map(party).collect::<Result<_, _>>()?,
            campaign: row.campaign.try_into()?,
        })
    }
}

impl TryFrom<PublishedRow> for PublishedCampaign {
    type Error = Error;

    fn try_from(row: PublishedRow) -> Result<PublishedCampaign, Error> {
        let (id, halted) = (row.campaign.id, row.campaign.halted.clone());
        let campaign: Campaign = row.campaign.try_into()?;
        let scale = scale(id, row.scale)?;
        let limits = Limits::of(&campaign.terms, scale)
            .map_err(|bad| anyhow::anyhow!("campaign {id} cannot be read: {bad}"))?;
        Ok(PublishedCampaign {
            id,
            campaign,
            limits,
            halted,
        })
    }
}

/// The scale of what a campaign gives.
fn scale(campaign: i64, kept: i16) -> Result<Scale, Error> {
    let scale = u8::try_from(kept).ok().and_then(Scale::new);
    Ok(scale.ok_or_else(|| anyhow::anyhow!("campaign {campaign} gives what has no scale"))?)
}

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    campaign: &Campaign,
    content_hash: &[u8],
    now: Timestamp,
) -> Result<i64, Error> {
    let terms = serde_json::to_value(&campaign.terms).map_err(anyhow::Error::from)?;
    let Id { id } = diesel::sql_query(
        "insert into campaigns (name, name_zh, sources, target, starts_at, ends_at, terms, state,
                                content_hash, terms_hash, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $9, $10, $11) returning id",
    )
    .bind::<Text, _>(&campaign.name)
    .bind::<Text, _>(&campaign.name_zh)
    .bind::<Array<SmallInt>, _>(&campaign.sources)
    .bind::<SmallInt, _>(campaign.target)
    .bind::<Timestamptz, _>(campaign.starts_at)
    .bind::<Timestamptz, _>(campaign.ends_at)
    .bind::<Jsonb, _>(terms)
    .bind::<Binary, _>(content_hash)
    .bind::<Binary, _>(&campaign.content_hash()[..])
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await?;
    Ok(id)
}

/// A campaign, locked until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Entry>, Error> {
    diesel::sql_query("select from campaigns where id = $1 for update")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    find(conn, id).await
}

pub(super) async fn find(conn: &mut Connection, id: i64) -> Result<Option<Entry>, Error> {
    let row: Option<EntryRow> =
        diesel::sql_query(format!("select {COLUMNS}, {ENTRIES} where c.id = $1"))
            .bind::<BigInt, _>(id)
            .get_result(conn)
            .await
            .optional()?;
    row.map(Entry::try_from).transpose()
}

/// A page of what `viewer` may see, newest first: one more than `limit` when there are more.
pub(super) async fn list(
    conn: &mut Connection,
    viewer: PartyName,
    route: (Option<Asset>, Option<Asset>),
    before: i64,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let partner = match viewer {
        PartyName::Partner(id) => Some(id),
        PartyName::Hub => None,
        // The ids of partners begin with 1.
        PartyName::Nobody => Some(0),
    };
    let rows: Vec<EntryRow> = diesel::sql_query(format!(
        "select {COLUMNS}, {ENTRIES}
          where c.id < $1 and ($2 is null or $2 = any(c.sources)) and ($3 is null or c.target = $3)
            and ($4 is null or t.issuer_id = $4 or c.state = 'published'
                 or c.terms->'funders' @> jsonb_build_array(jsonb_build_object('partner', $4)))
          order by c.id desc limit $5"
    ))
    .bind::<BigInt, _>(before)
    .bind::<Nullable<SmallInt>, _>(route.0)
    .bind::<Nullable<SmallInt>, _>(route.1)
    .bind::<Nullable<BigInt>, _>(partner)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// Keeps what was done with a campaign.
pub(super) async fn mark(conn: &mut Connection, id: i64, kept: Kept) -> Result<(), Error> {
    let marked = diesel::sql_query("update campaigns set state = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(kept.name())
        .execute(conn)
        .await;
    // A scheduled campaign that became active while it was being withdrawn.
    let too_late = || {
        Problem::new(Slug::CampaignState, "it has become active meanwhile").with("state", "active")
    };
    on_constraint(marked, "campaigns_edges", too_late).map(drop)
}

/// Stops routes, by what is given there.
pub(super) async fn halt(conn: &mut Connection, id: i64, halted: &[Asset]) -> Result<(), Error> {
    diesel::sql_query("update campaigns set halted = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Array<SmallInt>, _>(halted)
        .execute(conn)
        .await?;
    Ok(())
}

/// Every campaign that is published and not over.
pub(in crate::rates) async fn list_published(
    conn: &mut Connection,
) -> Result<Vec<PublishedCampaign>, Error> {
    let rows: Vec<PublishedRow> = diesel::sql_query(format!(
        "select {COLUMNS}, {PUBLISHED} where c.state = 'published' and c.ends_at > hub_now() order by c.id"
    ))
    .load(conn)
    .await?;
    rows.into_iter().map(PublishedCampaign::try_from).collect()
}

/// Campaigns that are or were published, whether they still hold or not: a quote outlives them.
pub async fn find_published(
    conn: &mut Connection,
    ids: &[i64],
) -> Result<Vec<PublishedCampaign>, Error> {
    let rows: Vec<PublishedRow> = diesel::sql_query(format!(
        "select {COLUMNS}, {PUBLISHED} where c.id = any($1) and c.state in ('published', 'halted')"
    ))
    .bind::<Array<BigInt>, _>(ids)
    .load(conn)
    .await?;
    rows.into_iter().map(PublishedCampaign::try_from).collect()
}

/// Every campaign that is or was published.
pub async fn find_all(conn: &mut Connection) -> Result<Vec<PublishedCampaign>, Error> {
    let rows: Vec<PublishedRow> = diesel::sql_query(format!(
        "select {COLUMNS}, {PUBLISHED} where c.state in ('published', 'halted') order by c.id"
    ))
    .load(conn)
    .await?;
    rows.into_iter().map(PublishedCampaign::try_from).collect()
}

/// What campaigns are called, in English and in Chinese.
pub type Names = HashMap<i64, (String, String)>;

pub async fn names(conn: &mut Connection, ids: &[i64]) -> Result<Names, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        name_zh: String,
    }

    if ids.is_empty() {
        return Ok(Names::new());
    }
    let rows: Vec<Row> =
        diesel::sql_query("select id, name, name_zh from campaigns where id = any($1)")
            .bind::<Array<BigInt>, _>(ids)
            .load(conn)
            .await?;
    let names = rows
        .into_iter()
        .map(|row| (row.id, (row.name, row.name_zh)));
    Ok(names.collect())
}

/// Registers a wallet for a campaign, once.
pub(super) async fn register(
    conn: &mut Connection,
    who: &Who,
    campaign: i64,
    wallet: Account,
    now: Timestamp,
) -> Result<(), Error> {
    diesel::sql_query(
        "insert into campaign_registrations (campaign_id, wallet, registered_by, registered_at)
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind::<BigInt, _>(campaign)
    .bind::<BigInt, _>(wallet.0)
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// For which of some campaigns a wallet is registered.
pub async fn registered(
    conn: &mut Connection,
    wallet: Account,
    campaigns: &[i64],
) -> Result<HashSet<i64>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        campaign_id: i64,
    }

    let rows: Vec<Row> = diesel::sql_query(
        "select campaign_id from campaign_registrations where wallet = $1 and campaign_id = any($2)",
    )
    .bind::<BigInt, _>(wallet.0)
    .bind::<Array<BigInt>, _>(campaigns)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.campaign_id).collect())
}
