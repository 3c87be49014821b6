//! Currencies in the database.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug, on_constraint};
use crate::partners::award_limits::AwardLimit;
use crate::partners::currency::{DisplayValue, Keeper, NoticeDays};
use crate::partners::{Currency, NewCurrency, Partner};
use crate::points::account::Asset;
use crate::points::amount::Scale;

#[derive(diesel::QueryableByName)]
pub struct Row {
    #[diesel(sql_type = SmallInt)]
    no: i16,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    name_zh: Option<String>,
    #[diesel(sql_type = SmallInt)]
    scale: i16,
    #[diesel(sql_type = BigInt)]
    issuer_id: i64,
    #[diesel(sql_type = Jsonb)]
    expiry: Value,
    #[diesel(sql_type = Array<SmallInt>)]
    expiry_notice_days: Vec<i16>,
    #[diesel(sql_type = Numeric)]
    display_value: Decimal,
    #[diesel(sql_type = Text)]
    kept_by: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
}

impl Row {
    /// The currency, whose issuer is among these, and its limits too if it has any.
    pub fn issued_by(
        self,
        partners: &[Partner],
        limits: &mut HashMap<Asset, Vec<AwardLimit>>,
    ) -> anyhow::Result<Currency> {
        let Row {
            no,
            code,
            name,
            name_zh,
            scale,
            issuer_id,
            expiry,
            expiry_notice_days,
            display_value,
            kept_by,
            created_at,
        } = self;
        let issuer = partners.iter().find(|partner| partner.id == issuer_id);
        let zone = issuer
            .with_context(|| format!("{code} has no issuer"))?
            .zone;
        let scale = u8::try_from(scale)
            .ok()
            .and_then(Scale::new)
            .ok_or_else(|| anyhow!("{code} has the scale {scale}"))?;
        let expiry = serde_json::from_value(expiry)
            .with_context(|| format!("the expiry of {code} cannot be read"))?;
        let kept_by = Keeper::of_name(&kept_by)
            .ok_or_else(|| anyhow!("the balances of {code} are kept by {kept_by}"))?;
        let display_value = DisplayValue::kept(display_value);
        Ok(Currency {
            no,
            code,
            name,
            name_zh,
            scale,
            issuer: issuer_id,
            expiry,
            notice_days: NoticeDays::kept(expiry_notice_days),
            zone,
            display_value,
            kept_by,
            award_limits: limits.remove(&no).unwrap_or_default(),
            created_at,
        })
    }
}

pub async fn rows(conn: &mut Connection) -> Result<Vec<Row>, Error> {
    let rows = diesel::sql_query(
        "select no, code, name, name_zh, scale, issuer_id, expiry, expiry_notice_days, display_value, kept_by, created_at from currencies",
    )
    .load(conn)
    .await?;
    Ok(rows)
}

pub(super) async fn insert(conn: &mut Connection, new: &NewCurrency) -> Result<Row, Error> {
    let inserted: Result<Row, _> = diesel::sql_query(
        "insert into currencies (code, name, name_zh, scale, issuer_id, expiry, expiry_notice_days, display_value, kept_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, hub_now())
         returning no, code, name, name_zh, scale, issuer_id, expiry, expiry_notice_days, display_value, kept_by, created_at",
    )
    .bind::<Text, _>(&*new.code)
    .bind::<Text, _>(&*new.name)
    .bind::<Nullable<Text>, _>(new.name_zh.as_deref())
    .bind::<SmallInt, _>(i16::from(new.scale.decimals()))
    .bind::<BigInt, _>(new.issuer)
    .bind::<Jsonb, _>(serde_json::to_value(new.expiry).map_err(anyhow::Error::from)?)
    .bind::<Array<SmallInt>, _>(Vec::from(new.notice_days.clone()))
    .bind::<Numeric, _>(new.display_value.decimal())
    .bind::<Text, _>(new.kept_by.name())
    .get_result(conn)
    .await;
    let taken = || {
        Problem::new(
            Slug::CodeTaken,
            format!("another currency has the code {}", &*new.code),
        )
    };
    on_constraint(inserted, "currencies_code_unique", taken)
}
