//! Exchange rates in the database.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Numeric, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;

use super::{ExchangeRate, NewExchangeRate};
use crate::access::Who;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::Asset;
use crate::points::agreed::Price;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SmallInt)]
    base: Asset,
    #[diesel(sql_type = SmallInt)]
    quote: Asset,
    #[diesel(sql_type = Numeric)]
    rate: Decimal,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Timestamptz)]
    quoted_at: Timestamp,
    #[diesel(sql_type = Timestamptz)]
    created_at: Timestamp,
}

impl TryFrom<Row> for ExchangeRate {
    type Error = Error;

    fn try_from(row: Row) -> Result<ExchangeRate, Error> {
        let Row {
            id,
            base,
            quote,
            rate,
            source,
            quoted_at,
            created_at,
        } = row;
        let rate = Price::new(rate).map_err(anyhow::Error::from)?;
        Ok(ExchangeRate {
            id,
            base,
            quote,
            rate,
            source,
            quoted_at,
            created_at,
        })
    }
}

const COLUMNS: &str = "id, base, quote, rate, source, quoted_at, created_at";

pub(super) async fn insert(
    conn: &mut Connection,
    who: &Who,
    new: &NewExchangeRate,
    now: Timestamp,
) -> Result<ExchangeRate, Error> {
    let row: Row = diesel::sql_query(format!(
        "insert into exchange_rates (base, quote, rate, source, quoted_at, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) returning {COLUMNS}"
    ))
    .bind::<SmallInt, _>(new.base)
    .bind::<SmallInt, _>(new.quote)
    .bind::<Numeric, _>(new.rate.decimal())
    .bind::<Text, _>(&*new.source)
    .bind::<Timestamptz, _>(new.quoted_at)
    .bind::<BigInt, _>(who.principal)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await?;
    row.try_into()
}

/// The rate that a quote locked.
pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<ExchangeRate>, Error> {
    let row: Option<Row> = diesel::sql_query(format!(
        "select {COLUMNS} from exchange_rates where id = $1"
    ))
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    row.map(ExchangeRate::try_from).transpose()
}

/// A page, newest first: one more than `limit` when there are more. `pair` is of two moneys, either
/// way round; of one when the other is left out.
pub async fn list(
    conn: &mut Connection,
    pair: (Option<Asset>, Option<Asset>),
    before: i64,
    limit: i64,
) -> Result<Vec<ExchangeRate>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "select {COLUMNS} from exchange_rates
          where id < $1 and ($2 is null or $2 in (base, quote)) and ($3 is null or $3 in (base, quote))
          order by id desc limit $4"
    ))
    .bind::<BigInt, _>(before)
    .bind::<Nullable<SmallInt>, _>(pair.0)
    .bind::<Nullable<SmallInt>, _>(pair.1)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    rows.into_iter().map(ExchangeRate::try_from).collect()
}

/// The latest rate of each two moneys, whichever way round it was quoted.
pub async fn latest(conn: &mut Connection) -> Result<Vec<ExchangeRate>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "select distinct on (least(base, quote), greatest(base, quote)) {COLUMNS} from exchange_rates
          order by least(base, quote), greatest(base, quote), id desc"
    ))
    .load(conn)
    .await?;
    rows.into_iter().map(ExchangeRate::try_from).collect()
}
