//! Partners in the database, and the whole directory at once.

use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Date, Jsonb, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::pilots::Pilot;
use super::{Directory, Money, NewPartner, Partner, State, award_limits, currencies, link_terms};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraint};
use crate::points::account::{Account, Asset};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    name_zh: Option<String>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Date>)]
    last_day: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ends_at: Option<Timestamp>,
    #[diesel(sql_type = SmallInt)]
    money: i16,
    #[diesel(sql_type = Text)]
    zone: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pilot: Option<serde_json::Value>,
    #[diesel(sql_type = Bool)]
    rehearses: bool,
}

impl TryFrom<Row> for Partner {
    type Error = anyhow::Error;

    fn try_from(row: Row) -> anyhow::Result<Partner> {
        let Row {
            id,
            code,
            name,
            name_zh,
            kind,
            state,
            last_day,
            ends_at,
            money,
            zone,
            created_at,
            pilot,
            rehearses,
        } = row;
        let state = State::named(&state)
            .ok_or_else(|| anyhow::anyhow!("partner {code} is in the unknown state {state}"))?;
        let zone: Tz = zone
            .parse()
            .map_err(|_| anyhow::anyhow!("partner {code} is in the unknown zone {zone}"))?;
        Ok(Partner {
            id,
            code,
            name,
            name_zh,
            kind,
            state,
            last_day,
            ends_at,
            money,
            zone,
            created_at,
            pilot: pilot.map(serde_json::from_value).transpose()?.map(Arc::new),
            rehearses,
        })
    }
}

#[derive(diesel::QueryableByName)]
struct MoneyRow {
    #[diesel(sql_type = SmallInt)]
    no: i16,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
}

#[derive(diesel::QueryableByName)]
struct MovedRow {
    #[diesel(sql_type = BigInt)]
    wallet_id: i64,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
}

/// The directory. Currencies are read before partners, so that each one's issuer is known even
/// when both were added in between.
pub(super) async fn load(conn: &mut Connection) -> Result<Directory, Error> {
    let moneys: Vec<MoneyRow> = diesel::sql_query("select no, code, scale from moneys")
        .load(conn)
        .await?;
    let currencies = currencies::rows(conn).await?;
    let partners = list(conn).await?;
    let mut limits = award_limits::rows(conn).await?;
    let terms = link_terms::rows(conn).await?;
    let moved: Vec<MovedRow> = diesel::sql_query("select wallet_id, at from wallet_moves")
        .load(conn)
        .await?;
    let moved = moved
        .into_iter()
        .map(|row| (Account(row.wallet_id), row.at));

    let money = |row: MoneyRow| Money {
        no: row.no,
        code: row.code,
        scale: row.scale.unsigned_abs() as u8,
    };
    let currencies = currencies
        .into_iter()
        .map(|row| row.issued_by(&partners, &mut limits))
        .collect::<anyhow::Result<_>>()?;
    let moneys = moneys.into_iter().map(money).collect();
    let directory = Directory::new(partners, currencies, moneys).with_link_terms(terms);
    Ok(directory.with_moved(moved.collect()))
}

async fn list(conn: &mut Connection) -> Result<Vec<Partner>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses from partners",
    )
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(Partner::try_from)
        .collect::<anyhow::Result<_>>()?)
}

pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Partner>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses
           from partners where id = $1 for no key update",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Partner::try_from).transpose()?)
}

pub(super) async fn find(conn: &mut Connection, id: i64) -> Result<Option<Partner>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses
           from partners where id = $1",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Partner::try_from).transpose()?)
}

/// A partner that nobody changes until the transaction ends; others may look at it in the same way.
pub(super) async fn share(conn: &mut Connection, id: i64) -> Result<Option<Partner>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses
           from partners where id = $1 for share",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Partner::try_from).transpose()?)
}

/// Waits for whoever counts the members of a partner, and counts alone until the transaction ends.
pub(super) async fn count_alone(conn: &mut Connection, id: i64) -> Result<(), Error> {
    diesel::sql_query("select pg_advisory_xact_lock(hashtext('members of a pilot'), $1::integer)")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks who issues a currency.
pub(super) async fn lock_issuer(
    conn: &mut Connection,
    currency: Asset,
) -> Result<Option<Partner>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses
           from partners where id = (select issuer_id from currencies where no = $1) for no key update",
    )
    .bind::<SmallInt, _>(currency)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(Partner::try_from).transpose()?)
}

pub(super) async fn insert(conn: &mut Connection, new: &NewPartner) -> Result<Partner, Error> {
    let inserted: Result<Row, _> = diesel::sql_query(
        "insert into partners (code, name, name_zh, kind, state, money, zone, created_at)
         values ($1, $2, $3, $4, 'draft', $5, $6, hub_now())
         returning id, code, name, name_zh, kind, state, last_day, ends_at, money, zone, created_at, pilot, in_sandbox() as rehearses",
    )
    .bind::<Text, _>(&*new.code)
    .bind::<Text, _>(&*new.name)
    .bind::<Nullable<Text>, _>(new.name_zh.as_deref())
    .bind::<Text, _>(String::from(new.kind.clone()))
    .bind::<SmallInt, _>(new.money)
    .bind::<Text, _>(new.zone.name())
    .get_result(conn)
    .await;
    let taken = || {
        Problem::new(
            Slug::CodeTaken,
            format!("another partner has the code {}", &*new.code),
        )
    };
    Ok(on_constraint(inserted, "partners_code_unique", taken)?.try_into()?)
}

pub(super) async fn set_state(
    conn: &mut Connection,
    id: i64,
    state: State,
    last_day: Option<NaiveDate>,
    ends_at: Option<Timestamp>,
) -> Result<(), Error> {
    diesel::sql_query(
        "update partners set state = $2, last_day = case $2 when 'live' then null else coalesce($3, last_day) end, \
           ends_at = case $2 when 'live' then null else coalesce($4, ends_at) end where id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(state.name())
    .bind::<Nullable<Date>, _>(last_day)
    .bind::<Nullable<Timestamptz>, _>(ends_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn set_pilot(
    conn: &mut Connection,
    id: i64,
    pilot: Option<&Pilot>,
) -> Result<(), Error> {
    let pilot = pilot.map(serde_json::to_value).transpose();
    diesel::sql_query("update partners set pilot = $2 where id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Nullable<Jsonb>, _>(pilot.map_err(anyhow::Error::from)?)
        .execute(conn)
        .await?;
    Ok(())
}
