//! What is kept, read to be compared with what it should be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono_tz::Tz;
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Binary, Integer, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz,
    Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::{Difference, Report, Stopped};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::ledger::adjustments;
use crate::ledger::adjustments::adjustment::Adjustment;
use crate::ledger::budget;
use crate::ledger::operation::{Kind, LARGEST_GROUP, Operation};
use crate::ledger::seals::seal::Group;
use crate::ledger::store::{self as ledger_store, OPERATIONS, OperationRow, WindowRow};
use crate::ledger::transfer::{Pair, Sum, Sums};
use crate::ledger::window;
use crate::mandates::{self, mandate::Mandate};
use crate::partners::Money;
use crate::partners::period::{Calendar, Period};
use crate::points::account::{Account, Asset};
use crate::points::agreed::Price;
use crate::points::amount::{Scale, Scales};
use crate::rates::allowance;
use crate::rates::campaigns::{self, PublishedCampaign};
use crate::rates::card::Card;
use crate::rates::settlement::Exchange;
use crate::rates::version;

/// The next operations after one, in the order of their ids.
pub async fn page(
    conn: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<Operation>, Stopped> {
    let sql = format!("{OPERATIONS} where o.id > $1 order by o.id limit $2");
    let rows: Vec<OperationRow> = diesel::sql_query(sql)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(whole).collect::<Result<_, _>>()?)
}

/// The groups of the operations that are being read.
#[derive(Default)]
pub struct Groups {
    read: HashMap<i64, Group>,
    last: i64,
}

impl Groups {
    pub async fn read_up_to(&mut self, conn: &mut Connection, last: i64) -> Result<(), Stopped> {
        let sql = "select id, window_id, at, size, rules, origins, digest from groups where id > $1 and id <= $2";
        let rows: Vec<Group> = diesel::sql_query(sql)
            .bind::<BigInt, _>(self.last)
            .bind::<BigInt, _>(last)
            .load(conn)
            .await?;
        self.read
            .extend(rows.into_iter().map(|group| (group.id, group)));
        self.last = last;
        Ok(())
    }

    pub fn take(&mut self, id: i64) -> Result<Group, Difference> {
        self.read
            .remove(&id)
            .ok_or_else(|| Difference(format!("the operations of group {id} have no group")))
    }

    /// After the last operation: a group without operations has lost them.
    pub async fn none_left(&mut self, conn: &mut Connection) -> Result<(), Stopped> {
        self.read_up_to(conn, i64::MAX).await?;
        match self.read.keys().min() {
            None => Ok(()),
            Some(id) => Err(Difference(format!("group {id} has lost its operations")).into()),
        }
    }
}

#[derive(Debug, Clone, diesel::QueryableByName)]
struct Reference {
    #[diesel(sql_type = BigInt)]
    operation_id: i64,
    #[diesel(sql_type = BigInt)]
    partner_id: i64,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = SqlUuid)]
    reference_hash: Uuid,
}

/// What partners call the operations that are being read.
#[derive(Default)]
pub struct References {
    read: HashMap<i64, Reference>,
    last: i64,
}

impl References {
    pub async fn read_up_to(&mut self, conn: &mut Connection, last: i64) -> Result<(), Stopped> {
        let sql = "select operation_id, partner_id, kind, reference_hash from operation_references \
                   where operation_id > $1 and operation_id <= $2";
        let rows: Vec<Reference> = diesel::sql_query(sql)
            .bind::<BigInt, _>(self.last)
            .bind::<BigInt, _>(last)
            .load(conn)
            .await?;
        for row in rows {
            let id = row.operation_id;
            if self.read.insert(id, row).is_some() {
                return Err(Difference(format!("operation {id} has two references")).into());
            }
        }
        self.last = last;
        Ok(())
    }

    /// The partner that named an operation, and the hash of the name.
    pub fn take(&mut self, operation: &Operation) -> Result<Option<(i64, Uuid)>, Difference> {
        match self.read.remove(&operation.id) {
            Some(reference) if reference.kind != operation.kind as i16 => Err(Difference(format!(
                "the reference of operation {} is of another kind",
                operation.id
            ))),
            reference => Ok(reference.map(|it| (it.partner_id, it.reference_hash))),
        }
    }
}

const _: () = assert!(LARGEST_GROUP <= i16::MAX as usize);

#[derive(Debug, diesel::QueryableByName)]
struct CardRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    from_currency: i16,
    #[diesel(sql_type = SmallInt)]
    to_currency: i16,
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
    #[diesel(sql_type = Binary)]
    terms_hash: Vec<u8>,
}

impl CardRow {
    fn card(&self) -> Result<Card, Difference> {
        let (terms, settlement) = (self.terms.clone(), self.settlement.clone());
        let condition = self.condition.clone();
        let read = Card::kept(
            terms,
            settlement,
            condition,
            self.priority,
            self.notice_days,
        );
        read.map_err(|error| Difference(format!("rate card {} cannot be read: {error}", self.id)))
    }
}

const CARDS: &str = "select id, from_currency, to_currency, terms, settlement, condition, priority, notice_days, terms_hash \
     from rate_cards where state in ('published', 'halted') order by id";

/// Published cards are what was approved.
pub async fn cards(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    let rows: Vec<CardRow> = diesel::sql_query(CARDS).load(conn).await?;
    for row in &rows {
        let hash = version::content_hash(row.from_currency, row.to_currency, &row.card()?);
        if hash[..] != row.terms_hash[..] {
            return Err(
                Difference(format!("rate card {} is not what was approved", row.id)).into(),
            );
        }
    }
    report.rate_cards = rows.len() as i64;
    nothing_from(
        conn,
        "select 'rate card ' || c.id || ' does not have the approval of what it says' as what from rate_cards c \
          where c.state in ('published', 'halted') and not exists (select from approvals a \
            where a.subject = 'rate_card' and a.subject_id = c.id and a.state = 'approved' \
              and a.content_hash = c.content_hash) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'approval ' || id || ' is of rate card ' || subject_id || ', which does not exist' as what \
           from approvals where subject = 'rate_card' and not exists (select from rate_cards c where c.id = subject_id) \
          limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'of the rate cards of currencies ' || from_currency || ' to ' || to_currency || ' there are ' || \
                count(*) || ', and the last is version ' || max(version) as what \
           from rate_cards group by from_currency, to_currency having max(version) <> count(*) limit 1",
    )
    .await
}

#[derive(Debug, diesel::QueryableByName)]
struct CampaignHash {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Binary)]
    terms_hash: Vec<u8>,
}

/// Published campaigns are what was approved, and gave what the journal says and no more than they may.
pub async fn campaigns(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    let all = campaigns::find_all(conn).await?;
    let hashes: Vec<CampaignHash> = diesel::sql_query("select id, terms_hash from campaigns")
        .load(conn)
        .await?;
    let hashes: HashMap<i64, Vec<u8>> = hashes
        .into_iter()
        .map(|row| (row.id, row.terms_hash))
        .collect();
    for one in &all {
        if hashes.get(&one.id).map(|hash| &hash[..]) != Some(&one.campaign.content_hash()[..]) {
            let what = format!("campaign {} is not what was approved", one.id);
            return Err(Difference(what).into());
        }
    }
    report.campaigns = all.len() as i64;
    nothing_from(
        conn,
        "select 'campaign ' || c.id || ' does not have the approval of what it says' as what from campaigns c \
          where c.state in ('published', 'halted') and not exists (select from approvals a \
            where a.subject = 'campaign' and a.subject_id = c.id and a.state = 'approved' \
              and a.content_hash = c.content_hash) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "with right_ones as ( \
           select (b->>'owner')::bigint as owner, sum(part::bigint)::bigint as given \
             from operations o, jsonb_array_elements(o.memo->'budgets') b, \
                  jsonb_array_elements_text(b->'parts') part \
            where o.memo ? 'budgets' group by 1 \
         ) \
         select case when owner < 0 then 'the sponsor of rate card ' || -owner \
                    when owner >= 1::bigint << 62 then 'mandate ' || ((owner - (1::bigint << 62)) >> 20) else 'campaign ' || owner end || ' is kept as having given ' || coalesce(k.given, 0) || \
                ', and the journal says ' || coalesce(r.given, 0) as what \
           from right_ones r full join budgets k using (owner) \
          where coalesce(k.given, 0) <> coalesce(r.given, 0) limit 1",
    )
    .await?;
    within_their_limits(conn, &all).await?;
    nothing_from(
        conn,
        "select 'the sponsor of rate card ' || c.id || ' paid more than its budget' as what \
           from rate_cards c join budgets b on b.owner = -c.id \
          where b.given > (c.settlement #>> '{sponsor,budget}')::numeric * 1000000 limit 1",
    )
    .await
}

/// Mandates are what both partners approved, and no more was awarded than they let.
pub async fn mandates(conn: &mut Connection) -> Result<(), Stopped> {
    let all = read_mandates(conn).await?;
    let changed = all
        .iter()
        .find(|it| it.terms.hash((it.currency, it.partner)) != it.content_hash);
    if let Some(changed) = changed {
        let what = format!("mandate {} is not what was approved", changed.id);
        return Err(Difference(what).into());
    }
    nothing_from(
        conn,
        "select 'mandate ' || m.id || ' is ' || m.state || ', and the audit trail or its approval says something else' as what \
           from mandates m where m.state is distinct from (select a.after from audit a \
               where a.subject = 'mandate' and a.subject_id = m.id order by a.position desc limit 1) \
             or not exists (select from approvals p join currencies c on c.no = m.currency_no \
               where p.subject = 'mandate' and p.subject_id = m.id and p.content_hash = m.content_hash \
                 and p.parties @> array['partner:' || m.partner_id, 'partner:' || c.issuer_id] \
                 and (m.state not in ('agreed', 'ended') or p.state = 'approved')) limit 1",
    )
    .await?;
    let by_id: HashMap<i64, &Mandate> = all.iter().map(|it| (it.id, it)).collect();
    let owners: Vec<Awarded> =
        diesel::sql_query("select owner, given from budgets where owner >= 1::bigint << 62")
            .load(conn)
            .await?;
    for Awarded { owner, given } in owners {
        let (id, of_one_day) = budget::mandate_of(owner).unwrap_or_default();
        let most = by_id.get(&id).and_then(|it| it.most(of_one_day));
        if most.is_none_or(|most| given > most) {
            let what = format!("more was awarded under mandate {id} than it lets");
            return Err(Difference(what).into());
        }
    }
    Ok(())
}

/// A mandate that says what none can say is no failure of the database.
async fn read_mandates(conn: &mut Connection) -> Result<Vec<Mandate>, Stopped> {
    mandates::store::all(conn)
        .await
        .map_err(|error| match error {
            Error::Broken(cause) if !cause.is::<diesel::result::Error>() => {
                Difference(format!("{cause:#}, which none can be")).into()
            }
            other => Stopped::Failed(other),
        })
}

#[derive(Debug, diesel::QueryableByName)]
struct Awarded {
    #[diesel(sql_type = BigInt)]
    owner: i64,
    #[diesel(sql_type = BigInt)]
    given: i64,
}

/// No budget was passed, and no wallet had more than it may within a day, a month, a year or ever.
async fn within_their_limits(
    conn: &mut Connection,
    all: &[PublishedCampaign],
) -> Result<(), Stopped> {
    for one in all {
        let budget = one.limits.budget;
        let sql = "select given as most from budgets where owner = $1";
        let given: Option<Most> = diesel::sql_query(sql)
            .bind::<BigInt, _>(one.id)
            .get_result(conn)
            .await
            .optional()?;
        must_be_within(one.id, budget, given)?;
        for limit in &one.limits.each {
            let Period::Calendar(calendar) = limit.period else {
                continue;
            };
            let most = one.limits.most(limit);
            let within = match calendar {
                Calendar::Day => "date_trunc('day', at, $2)",
                Calendar::Month => "date_trunc('month', at, $2)",
                Calendar::Year => "date_trunc('year', at, $2)",
                Calendar::Ever => "$2::text",
            };
            let counted = match limit.most {
                allowance::Most::Given(_) => "given",
                allowance::Most::Gained(_) => "gained",
                allowance::Most::Times(_) => "times",
            };
            let sum = format!(
                "select sum({counted})::bigint as most from tallies where key = -$1 and at >= $3 \
                  group by wallet, {within} order by 1 desc limit 1"
            );
            let given: Option<Most> = diesel::sql_query(sum)
                .bind::<BigInt, _>(one.id)
                .bind::<Text, _>(one.limits.zone.name())
                .bind::<Timestamptz, _>(limit.from.unwrap_or(Timestamp::UNIX_EPOCH))
                .get_result(conn)
                .await
                .optional()?;
            must_be_within(one.id, Some(most), given)?;
        }
    }
    Ok(())
}

#[derive(Debug, diesel::QueryableByName)]
struct Most {
    #[diesel(sql_type = BigInt)]
    most: i64,
}

fn must_be_within(campaign: i64, limit: Option<i64>, given: Option<Most>) -> Result<(), Stopped> {
    match limit.zip(given) {
        Some((limit, Most { most })) if most > limit => {
            Err(Difference(format!("campaign {campaign} gave more than it may")).into())
        }
        _ => Ok(()),
    }
}

#[derive(Debug, diesel::QueryableByName)]
struct ExchangeRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    base: i16,
    #[diesel(sql_type = SmallInt)]
    quote: i16,
    #[diesel(sql_type = Numeric)]
    rate: Decimal,
}

#[derive(Debug, diesel::QueryableByName)]
struct CurrencyRow {
    #[diesel(sql_type = SmallInt)]
    no: i16,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
    #[diesel(sql_type = BigInt)]
    issuer_id: i64,
    #[diesel(sql_type = SmallInt)]
    money: i16,
    #[diesel(sql_type = Text)]
    zone: String,
}

#[derive(Debug, diesel::QueryableByName)]
struct MoneyRow {
    #[diesel(sql_type = SmallInt)]
    no: i16,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
}

impl MoneyRow {
    fn money(self) -> Option<(String, Money)> {
        let MoneyRow { no, code, scale } = self;
        let scale = scale.try_into().ok()?;
        Some((code.clone(), Money { no, code, scale }))
    }
}

#[derive(Debug, diesel::QueryableByName)]
struct PartnerRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    money: i16,
}

/// What conversions are evaluated by.
pub struct Terms {
    cards: HashMap<i64, Card>,
    exchanges: HashMap<i64, ([Asset; 2], Price)>,
    scales: HashMap<Asset, Scale>,
    positions: HashMap<Asset, Account>,
    zones: HashMap<Asset, Tz>,
    moneys: HashMap<String, Money>,
    partners: HashMap<i64, Account>,
    mandates: HashMap<i64, Mandate>,
    campaigns: HashMap<i64, Arc<PublishedCampaign>>,
}

pub async fn terms(conn: &mut Connection) -> Result<Terms, Stopped> {
    let cards: Vec<CardRow> = diesel::sql_query(CARDS).load(conn).await?;
    let exchanges: Vec<ExchangeRow> =
        diesel::sql_query("select id, base, quote, rate from exchange_rates")
            .load(conn)
            .await?;
    let currencies: Vec<CurrencyRow> = diesel::sql_query(
        "select c.no, c.scale, c.issuer_id, p.money, p.zone from currencies c join partners p on p.id = c.issuer_id",
    )
    .load(conn)
    .await?;
    let moneys: Vec<MoneyRow> = diesel::sql_query("select no, code, scale from moneys")
        .load(conn)
        .await?;
    let partners: Vec<PartnerRow> = diesel::sql_query("select id, money from partners")
        .load(conn)
        .await?;
    let campaigns = campaigns::find_all(conn).await?;
    let mandates = read_mandates(conn).await?;
    let exchange = |row: ExchangeRow| {
        let rate = Price::new(row.rate).ok()?;
        Some((row.id, ([row.base, row.quote], rate)))
    };
    let scale = |row: &CurrencyRow| Some((row.no, Scale::new(row.scale.try_into().ok()?)?));
    let position = |row: &CurrencyRow| (row.no, Account::position(row.issuer_id, row.money));
    let zone = |row: &CurrencyRow| Some((row.no, row.zone.parse().ok()?));
    Ok(Terms {
        cards: cards
            .iter()
            .map(|row| Ok((row.id, row.card()?)))
            .collect::<Result<_, Difference>>()?,
        exchanges: exchanges.into_iter().filter_map(exchange).collect(),
        scales: currencies.iter().filter_map(scale).collect(),
        positions: currencies.iter().map(position).collect(),
        zones: currencies.iter().filter_map(zone).collect(),
        moneys: moneys.into_iter().filter_map(MoneyRow::money).collect(),
        partners: partners
            .into_iter()
            .map(|row| (row.id, Account::position(row.id, row.money)))
            .collect(),
        mandates: mandates.into_iter().map(|it| (it.id, it)).collect(),
        campaigns: campaigns
            .into_iter()
            .map(|campaign| (campaign.id, Arc::new(campaign)))
            .collect(),
    })
}

impl Terms {
    pub fn card(&self, id: i64) -> Option<&Card> {
        self.cards.get(&id)
    }

    /// The locked rate, when it is one between these two moneys.
    pub fn exchange(&self, id: Option<i64>, source: Asset, target: Asset) -> Option<Exchange> {
        let (moneys, rate) = self.exchanges.get(&id?)?;
        let source_is_base = *moneys == [source, target];
        (source_is_base || *moneys == [target, source]).then_some(Exchange {
            rate: *rate,
            source_is_base,
        })
    }

    pub fn money(&self, no: Asset) -> Option<&Money> {
        self.moneys.values().find(|money| money.no == no)
    }

    /// What a card's fee is in.
    pub fn fee_money(&self, card: &Card) -> Option<&Money> {
        self.moneys.get(&card.terms.fee.as_ref()?.currency)
    }

    /// Where the issuer of a currency is at home.
    pub fn zone(&self, currency: Asset) -> Option<Tz> {
        self.zones.get(&currency).copied()
    }

    pub fn campaign(&self, id: i64) -> Option<&Arc<PublishedCampaign>> {
        self.campaigns.get(&id)
    }

    pub fn mandate(&self, id: i64) -> Option<&Mandate> {
        self.mandates.get(&id)
    }

    pub fn position_of(&self, partner: i64) -> Option<Account> {
        self.partners.get(&partner).copied()
    }

    /// The position of a currency's issuer.
    pub fn position(&self, currency: Asset) -> Option<Account> {
        self.positions.get(&currency).copied()
    }

    pub fn scales(&self, source: Asset, target: Asset) -> Option<Scales> {
        Some(Scales {
            source: *self.scales.get(&source)?,
            target: *self.scales.get(&target)?,
        })
    }
}

/// The totals are the sums of the operations.
pub async fn totals(
    conn: &mut Connection,
    sums: &HashMap<i64, Sums>,
    report: &mut Report,
) -> Result<(), Stopped> {
    let mut kept: HashMap<i64, Sums> = HashMap::new();
    for row in ledger_store::totals(conn, None).await? {
        let kind = Kind::of_number(row.kind).ok_or_else(|| {
            Difference(format!(
                "a total of window {} is of unknown kind {}",
                row.window_id, row.kind
            ))
        })?;
        let pair = Pair {
            kind,
            debit: Account(row.debit),
            credit: Account(row.credit),
        };
        let sum = Sum {
            amount: row.amount,
            operations: row.operations,
        };
        kept.entry(row.window_id).or_default().insert(pair, sum);
    }
    let windows: HashSet<i64> = kept.keys().chain(sums.keys()).copied().collect();
    let mut windows: Vec<i64> = windows.into_iter().collect();
    windows.sort_unstable();
    for window in windows {
        compare(
            conn,
            window,
            kept.remove(&window).unwrap_or_default(),
            sums.get(&window),
        )
        .await?;
    }
    report.totals = sums.values().map(|sums| sums.len() as i64).sum();
    Ok(())
}

async fn compare(
    conn: &mut Connection,
    window: i64,
    kept: Sums,
    right: Option<&Sums>,
) -> Result<(), Stopped> {
    let nothing = BTreeMap::new();
    let right = right.unwrap_or(&nothing);
    let pairs: std::collections::BTreeSet<&Pair> = kept.keys().chain(right.keys()).collect();
    for pair in pairs {
        let (kept, right) = (
            kept.get(pair).copied().unwrap_or_default(),
            right.get(pair).copied().unwrap_or_default(),
        );
        if kept != right {
            let (debit, credit) = (
                name(conn, pair.debit).await?,
                name(conn, pair.credit).await?,
            );
            return Err(Difference(format!(
                "window {window}, {}: debit {debit}, credit {credit} is kept as {} in {} operations, and the journal \
                 says {} in {}",
                pair.kind.name(),
                kept.amount,
                kept.operations,
                right.amount,
                right.operations
            ))
            .into());
        }
    }
    Ok(())
}

#[derive(Debug, diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

async fn name(conn: &mut Connection, account: Account) -> Result<String, Stopped> {
    let row: Named = diesel::sql_query("select account_name($1) as name")
        .bind::<BigInt, _>(account.0)
        .get_result(conn)
        .await?;
    Ok(row.name.unwrap_or_else(|| account.0.to_string()))
}

/// One thing that is wrong, found by SQL.
#[derive(Debug, diesel::QueryableByName)]
struct Wrong {
    #[diesel(sql_type = Text)]
    what: String,
}

pub async fn nothing_from(conn: &mut Connection, sql: &str) -> Result<(), Stopped> {
    let wrong: Option<Wrong> = diesel::sql_query(sql).get_result(conn).await.optional()?;
    wrong.map_or(Ok(()), |wrong| Err(Difference(wrong.what).into()))
}

/// A delivery comes before the reversal that finds as much undone as it: the rank of `Steps`, in SQL.
const RANK: &str = "case o.kind when 9 then -o.id else o.id end";

/// The next follow-ups after one, by what they follow and how much followed that before; and what
/// those are.
pub async fn follow_ups(
    conn: &mut Connection,
    (followed, before, id): (i64, i64, i64),
    limit: i64,
) -> Result<(Vec<Operation>, HashMap<i64, Operation>), Stopped> {
    let sql = format!(
        "{OPERATIONS} where o.follows is not null \
           and (o.follows, coalesce((o.memo->>'before')::bigint, -1), {RANK}) > ($1, $2, $3) \
         order by o.follows, coalesce((o.memo->>'before')::bigint, -1), {RANK} limit $4"
    );
    let rows: Vec<OperationRow> = diesel::sql_query(sql)
        .bind::<BigInt, _>(followed)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    let page = rows.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;

    let followed: Vec<i64> = page.iter().filter_map(|row| row.follows).collect();
    let rows: Vec<OperationRow> = diesel::sql_query(format!("{OPERATIONS} where o.id = any($1)"))
        .bind::<Array<BigInt>, _>(followed)
        .load(conn)
        .await?;
    let followed = rows.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    let by_id = followed.into_iter().map(|row| (row.id, row)).collect();
    Ok((page, by_id))
}

fn whole(row: OperationRow) -> Result<Operation, Difference> {
    let id = row.id;
    row.into_operation()
        .ok_or_else(|| Difference(format!("operation {id} says what no operation can be")))
}

#[derive(Debug, diesel::QueryableByName)]
pub struct Count {
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// Every lot is the sum of its legs, pocket by pocket. The database sums them, within its own memory
/// limits.
pub async fn lots(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with legs as ( \
           select kind, out_wallet as wallet, out_expires_at as expires_at, '-infinity'::timestamptz as usable_from, \
                  0::bigint as class, -out_amount as amount from operations where out_expires_at is not null \
           union all \
           select kind, in_wallet, in_expires_at, '-infinity', 0::bigint, in_amount from operations \
            where in_expires_at is not null \
           union all \
           select o.kind, m.wallet, m.expires_at, m.usable_from, m.class, m.amount \
             from more_legs m join operations o on o.id = m.operation_id \
         ), right_ones as ( \
           select wallet, expires_at, usable_from, class, \
                  coalesce(sum(amount) filter (where kind <> 6), 0) as available, \
                  coalesce(sum(case kind when 6 then amount else -amount end) filter (where kind in (5, 6, 7)), 0) as held \
             from legs group by 1, 2, 3, 4 \
         ) \
         select 'the lot of wallet ' || wallet || ' that expires at ' || expires_at || ' has ' || \
                coalesce(l.available, 0) || ' and ' || coalesce(l.held, 0) || ' held, and the journal says ' || \
                coalesce(r.available, 0) || ' and ' || coalesce(r.held, 0) as what \
           from right_ones r full join lots l using (wallet, expires_at, usable_from, class) \
          where (l.available, l.held) is distinct from (r.available, r.held) and not \
                ((wallet >> 39) & 31 = 11 and r.available is null and (l.available, l.held) = (0, 0)) \
          limit 1",
    )
    .await?;
    let counted: Count = diesel::sql_query("select count(*) as count from lots")
        .get_result(conn)
        .await?;
    report.lots = counted.count;
    Ok(())
}

/// Tallies count each operation that names them in its memo, once; a reversal what it takes back, under
/// the instant of what it undoes.
pub async fn tallies(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with counted as ( \
           select (t->>'wallet')::bigint as wallet, (t->>'key')::bigint as key, coalesce(u.at, o.at) as at, o.id as operation_id, \
                  coalesce(case when u.id is null then o.out_amount else -o.in_amount end, 0) as given, \
                  case when t ? 'parts' then (select sum(part::bigint) from jsonb_array_elements_text(t->'parts') part)::bigint \
                       when u.id is null then coalesce((o.memo->>'gained')::bigint, o.in_amount) \
                       when u.memo ? 'gained' then ( \
                         div((u.memo->>'gained')::numeric * (o.memo->>'before')::bigint + u.out_amount - 1, u.out_amount) \
                         - div((u.memo->>'gained')::numeric * ((o.memo->>'before')::bigint + o.in_amount) + u.out_amount - 1, u.out_amount) \
                       )::bigint \
                       else -coalesce(o.out_amount, 0) end as gained, \
                  case when u.id is null then 1 \
                       when (o.memo->>'before')::bigint + coalesce(o.in_amount, o.out_amount) = coalesce(u.out_amount, u.in_amount) then -1 else 0 end as times \
             from operations o left join operations u on u.id = o.follows, \
                  jsonb_array_elements(o.memo->'tallies') t \
            where o.memo ? 'tallies' \
         ) \
         select 'operation ' || operation_id || ' is counted of wallet ' || wallet || ' as ' || \
                coalesce(t.given || ' given, ' || t.gained || ' gained, ' || t.times || ' times', 'nothing') || \
                ', and the journal says ' || \
                coalesce(c.given || ', ' || c.gained || ', ' || c.times, 'nothing') as what \
           from counted c full join tallies t using (wallet, key, at, operation_id) \
          where (c.given, c.gained, c.times::bigint) is distinct from (t.given, t.gained, t.times::bigint) limit 1",
    )
    .await?;
    let counted: Count = diesel::sql_query("select count(*) as count from tallies")
        .get_result(conn)
        .await?;
    report.tallies = counted.count;
    Ok(())
}

/// What is open of a hold is what nothing has followed, and it ends when it was made to end.
pub async fn holds(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with right_ones as ( \
           select o.id, (o.memo->>'expires_at')::timestamptz as expires_at, o.out_amount - coalesce(( \
                    select sum(coalesce(f.in_amount, f.out_amount)) from operations f where f.follows = o.id), 0) as open \
             from operations o where o.kind = 5 \
         ) \
         select 'hold ' || coalesce(id, operation_id) || ' is kept as ' || coalesce(h.open, 0) || ' open until ' || \
                coalesce(h.expires_at::text, 'never') || ', and the journal says ' || coalesce(r.open, 0) || ' until ' || \
                coalesce(r.expires_at::text, 'never') as what \
           from right_ones r full join holds h on h.operation_id = r.id \
          where (h.open, h.expires_at) is distinct from (r.open, r.expires_at) limit 1",
    )
    .await?;
    let counted: Count = diesel::sql_query("select count(*) as count from holds")
        .get_result(conn)
        .await?;
    report.holds = counted.count;
    Ok(())
}

/// What asks for a credit has one, which is what was last said of it; and what was rejected is undone.
pub async fn credits(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with right_ones as ( \
           select o.id, asset_of(o.in_wallet) as currency_no, o.at from operations o where (o.in_wallet >> 39) & 31 = 11 \
         ) \
         select 'credit ' || coalesce(id, operation_id) || ' is kept for currency ' || coalesce(c.currency_no::text, 'none') || \
                ' of ' || coalesce(c.at::text, 'never') || ', and the journal says ' || coalesce(r.currency_no::text, 'none') || \
                ' of ' || coalesce(r.at::text, 'never') as what \
           from right_ones r full join credits c on c.operation_id = r.id \
          where (c.currency_no, c.at) is distinct from (r.currency_no, r.at) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'credit ' || operation_id || ' is ' || state || ', and the audit trail says ' || told as what from ( \
           select operation_id, state, coalesce((select after from audit where subject = 'credit' and subject_id = operation_id \
                    order by position desc limit 1), 'pending') as told from credits) c \
          where state <> told limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'credit ' || operation_id || ' is ' || state || ' and undone by ' || coalesce(reversal_id::text, 'none') || \
                ', and the journal says ' || coalesce(undone::text, 'none') as what from ( \
           select operation_id, state, reversal_id, (select max(id) from operations where follows = operation_id and kind = 13) \
                    as undone from credits) c \
          where reversal_id is not null and reversal_id is distinct from undone or undone is not null and state <> 'rejected' limit 1",
    )
    .await?;
    let counted: Count = diesel::sql_query("select count(*) as count from credits")
        .get_result(conn)
        .await?;
    report.credits = counted.count;
    Ok(())
}

/// An import counts its lines; each of its awards is the operation that names it, and the reverse; and what
/// they gave is its sums. Of lines that are handed in just now the journal may know more.
pub async fn imports(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'line ' || line || ' is of import ' || import_id || ', which does not exist' as what from import_lines \
          where not exists (select from imports where id = import_id) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "with counted as ( \
           select import_id, count(*) filter (where code is null) as done, count(*) filter (where code is not null) as refused, \
                  max(line) as last from import_lines group by 1 \
         ) \
         select 'import ' || id || ' is ' || state || ' and says ' || i.done || ' done and ' || i.refused || \
                ' refused before line ' || next_line || ', and its lines say ' || coalesce(c.done, 0) || ' and ' || \
                coalesce(c.refused, 0) || ' up to line ' || coalesce(c.last, 0) as what \
           from imports i left join counted c on c.import_id = i.id \
          where (i.done, i.refused) is distinct from (coalesce(c.done, 0), coalesce(c.refused, 0)) \
             or coalesce(c.last, 0) > handed_in_through or next_line - 1 > handed_in_through \
             or (state <> 'open' and next_line - 1 <> handed_in_through) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "with of_lines as ( \
           select l.* from import_lines l join imports i on i.id = import_id where kind = 'awards' and code is null \
         ), of_journal as ( \
           select id, (memo->>'import')::bigint as import_id, (memo->>'line')::bigint as line, body_hash as content \
             from operations where kind = 1 and memo ? 'import' \
         ) \
         select 'line ' || coalesce(l.line, j.line) || ' of import ' || coalesce(l.import_id, j.import_id) || ' made ' || \
                coalesce('award ' || l.subject_id, 'nothing') || ', and the journal says ' || \
                coalesce('award ' || j.id || ' of line ' || j.line || ' of import ' || j.import_id, 'nothing') as what \
           from of_lines l full join of_journal j on j.id = l.subject_id left join imports i on i.id = j.import_id \
          where (l.import_id, l.line, l.content) is distinct from (j.import_id, j.line, j.content) \
            and not (l.line is null and i.state = 'open' and j.line between i.next_line and i.handed_in_through) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "with given as ( \
           select l.import_id, asset_of(o.in_wallet)::text as asset, sum(o.in_amount)::text as units \
             from import_lines l join imports i on i.id = l.import_id join operations o on o.id = l.subject_id \
            where i.kind = 'awards' and l.code is null group by 1, 2 \
         ), kept as (select id as import_id, sum.* from imports, jsonb_each_text(sums) sum (asset, units)) \
         select 'import ' || import_id || ' gave ' || coalesce(k.units, 'nothing') || ' of currency ' || asset || \
                ', and the journal says ' || coalesce(g.units, 'nothing') as what \
           from given g full join kept k using (import_id, asset) where g.units is distinct from k.units limit 1",
    )
    .await?;
    frozen(conn).await?;
    let counted: Count = diesel::sql_query("select count(*) as count from imports")
        .get_result(conn)
        .await?;
    report.imports = counted.count;
    Ok(())
}

/// An import is where it last went, was frozen as often, and is undone by two people; what is frozen are points
/// of awards of an import that is.
async fn frozen(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'import ' || id || ' is ' || state || ' and was frozen ' || round || ' times, and the audit trail says ' || \
                coalesce(told, 'nothing') || ' and ' || rounds as what from ( \
           select id, state, round, \
                  (select after from audit where subject = 'import' and subject_id = i.id order by position desc limit 1) as told, \
                  (select count(*) from audit where subject = 'import' and subject_id = i.id and after = 'freezing') as rounds \
             from imports i) i \
          where state is distinct from told or round <> rounds limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'import ' || id || ' is ' || state || ' without an approval' as what from imports i \
          where state in ('undoing', 'undone') and not exists (select from approvals a \
            where a.subject = 'import_undo' and a.subject_id = i.id and a.state = 'approved') limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'operation ' || o.id || ' is of import ' || (o.memo->>'import') || ' and turns no points of award ' || \
                coalesce(o.memo->>'award', 'none') || ' of it' as what \
           from operations o left join operations a on a.id = (o.memo->>'award')::bigint and a.kind = 1 and a.id < o.id \
          where o.kind in (10, 14) and ((a.memo->>'import', a.in_wallet) is distinct from (o.memo->>'import', o.out_wallet) \
             or o.kind = 10 and o.out_amount > a.in_amount) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'wallet ' || wallet || ' has ' || available || ' frozen for import ' || (class & ~(1::bigint << 62)) || \
                ', which is ' || coalesce(i.state, 'none') as what \
           from lots l left join imports i on i.id = l.class & ~(1::bigint << 62) \
          where l.class >= 1::bigint << 62 and l.available <> 0 and coalesce(i.state, 'none') not in \
                ('freezing', 'frozen', 'thawing', 'undoing') and not (i.state = 'undone' and \
                (l.expires_at <= hub_now() or exists (select from partners p where p.id = i.partner_id and p.ends_at <= hub_now()))) limit 1",
    )
    .await
}

/// Adjustments did what a second person agreed to, and nothing else did what an adjustment does.
pub async fn adjustments(conn: &mut Connection, page: i64) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'adjustment ' || id || ' is ' || state || ', which none can be' as what from adjustments \
          where state not in ('proposed', 'approved', 'rejected', 'posted', 'refused') limit 1",
    )
    .await?;
    let mut after = 0;
    loop {
        let read = adjustments::following(conn, after, page).await?;
        let Some(last) = read[..].last().map(|adjustment| adjustment.id) else {
            break;
        };
        let is_other = |it: &&Adjustment| it.content.content_hash()[..] != it.content_hash[..];
        if let Some(other) = read.iter().find(is_other) {
            let what = format!("adjustment {} is not what was proposed", other.id);
            return Err(Difference(what).into());
        }
        after = last;
    }
    nothing_from(
        conn,
        "select 'adjustment ' || a.id || ' does not have the approval of what it says' as what from adjustments a \
          where a.state in ('approved', 'posted', 'refused') and not exists (select from approvals p \
            where p.subject = 'adjustment' and p.subject_id = a.id and p.state = 'approved' \
              and p.content_hash = a.content_hash) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'approval ' || id || ' is of adjustment ' || subject_id || ', which does not exist' as what \
           from approvals where subject = 'adjustment' \
            and not exists (select from adjustments a where a.id = subject_id) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'adjustment ' || coalesce((o.memo->>'adjustment')::bigint, a.id) || ' and operation ' || \
                coalesce(o.id, a.operation_id) || ' are not of each other' as what \
           from (select * from operations where kind = 8) o \
           full join (select * from adjustments where state = 'posted') a on a.operation_id = o.id \
          where ((o.memo->>'adjustment')::bigint, coalesce(o.in_wallet, o.out_wallet), coalesce(o.in_amount, -o.out_amount)) \
                is distinct from (a.id, a.wallet, a.change) limit 1",
    )
    .await
}

/// Closed windows are what they were, and exactly the last one is open.
pub async fn windows(conn: &mut Connection, report: &mut Report) -> Result<(), Stopped> {
    let windows: Vec<WindowRow> = ledger_store::windows(conn, None, i64::MAX).await?;
    for row in windows.iter().filter(|row| row.state == "closed") {
        let totals = ledger_store::totals(conn, Some(row.id)).await?;
        if row.content_hash.as_deref() != Some(&window::content_hash(row.id, &totals)[..]) {
            return Err(Difference(format!(
                "window {} is not what it was when it closed",
                row.id
            ))
            .into());
        }
    }
    for (nth, row) in windows.iter().enumerate() {
        let right = if nth == 0 { "open" } else { "closed" };
        if row.state != right {
            let (id, state) = (row.id, &row.state);
            return Err(Difference(format!("window {id} is {state} and should be {right}")).into());
        }
    }
    if windows.is_empty() {
        return Err(Difference("there is no window".into()).into());
    }
    report.windows = windows.len() as i64;
    let neighbours = windows.iter().zip(&windows[1..]);
    for (later, earlier) in neighbours {
        if earlier.closed_at != Some(later.opened_at) {
            return Err(Difference(format!(
                "window {} does not begin where window {} ends: one of them was changed, or one between them is gone",
                later.id, earlier.id
            ))
            .into());
        }
    }
    nothing_from(
        conn,
        "select 'group ' || id || ' is of window ' || window_id || ', which does not exist' as what from groups g \
          where not exists (select from windows w where w.id = g.window_id) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'group ' || g.id || ' of window ' || g.window_id || ' comes after group ' || n.first || ' of window ' \
                || n.window_id as what \
           from (select window_id, max(id) as id from groups group by window_id) g \
           join (select window_id, min(id) as first from groups group by window_id) n on n.window_id > g.window_id \
          where g.id > n.first limit 1",
    )
    .await
}

/// The operations of a wallet follow one another, each the one before the next, up to the last.
pub async fn chains(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "with legs as ( \
           select id, out_wallet as wallet, out_previous as previous from operations where out_wallet is not null \
           union \
           select id, in_wallet, in_previous from operations where in_wallet is not null \
         ), ends as ( \
           select wallet, last_operation as id from lots where turn > 0 \
         ), followed as ( \
           select wallet, previous as id from legs union all select wallet, id from ends \
         ), links as ( \
           select wallet, id, sum(is_leg) as legs, sum(is_followed) as followers from ( \
             select wallet, id, 1 as is_leg, 0 as is_followed from legs \
             union all select wallet, id, 0, 1 from followed) l group by 1, 2 \
         ) \
         select 'operation ' || coalesce(id::text, 'none') || ' stands ' || legs || ' times in wallet ' || wallet || \
                ' and is followed ' || followers || ' times: its statement is not one chain' as what \
           from links where followers <> 1 or legs <> (id is not null)::integer limit 1",
    )
    .await
}

/// What a foreign key would refuse.
pub async fn links(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'operation ' || coalesce(o.id, m.operation_id) || ' has ' || coalesce(m.count, 0) || \
                ' other transfers, not ' || coalesce(o.transfers, 0) as what \
           from (select id, transfers from operations where transfers is not null) o \
           full join (select operation_id, count(*) from more_transfers group by 1) m on m.operation_id = o.id \
          where o.transfers is distinct from m.count limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'lots are kept for wallet ' || wallet || ', which does not exist' as what from lots \
          where not exists (select from wallets where id = wallet) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'a reference of partner ' || partner_id || ' names operation ' || operation_id || \
                ', which does not exist' as what from operation_references r \
          where not exists (select from operations where id = operation_id) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'more_legs has lots of operation ' || operation_id || ', which does not have them' as what \
           from more_legs m where not exists (select from operations o where o.id = operation_id and \
             ((o.out_wallet is not null and o.out_expires_at is null) or \
              (o.in_wallet is not null and o.in_expires_at is null))) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'member ' || member_id || ' has wallet ' || wallet_id || ', which does not exist' as what \
           from member_wallets where not exists (select from wallets where id = wallet_id) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'wallet ' || wallet_id || ' is not of currency ' || currency_no as what from member_wallets \
          where asset_of(wallet_id) <> currency_no limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'wallet ' || id || ' is of currency ' || asset_of(id) || ', which does not exist' as what from wallets \
          where not exists (select from currencies c where c.no = asset_of(id)) limit 1",
    )
    .await?;
    nothing_from(
        conn,
        "select 'wallet ' || w.id || ' is not one of currency ' || c.no || ', whose balances are kept by the ' || c.kept_by as what \
           from wallets w join currencies c on c.no = asset_of(w.id) \
          where (w.id >> 39) & 31 <> case c.kept_by when 'hub' then 1 else 11 end limit 1",
    )
    .await
}

/// Who is closed has left nothing behind.
pub async fn closed(conn: &mut Connection) -> Result<(), Stopped> {
    nothing_from(
        conn,
        "select 'partner ' || p.code || ' is closed and has points, money or credits outstanding' as what \
           from partners p where p.state = 'closed' and (exists ( \
             select from currencies c join lots l \
                 on l.wallet >= c.no::bigint << 44 and l.wallet < (c.no + 1)::bigint << 44 \
              where c.issuer_id = p.id and (l.available <> 0 or l.held <> 0) \
           ) or exists ( \
             select from (select debit as account, amount from totals union all select credit, -amount from totals) legs \
              where (account >> 39) & 31 = 16 and account & ((1::bigint << 39) - 1) = p.id \
              group by account having sum(amount) <> 0) \
           or exists ( \
             select from credits k join operations o on o.id = k.operation_id \
               join currencies c on c.no in (asset_of(o.in_wallet), asset_of(o.out_wallet)) \
              where c.issuer_id = p.id and (k.state = 'pending' or k.state = 'rejected' and k.reversal_id is null))) \
          limit 1",
    )
    .await
}
