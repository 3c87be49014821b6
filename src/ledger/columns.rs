//! Values as columns: what a statement is given for many rows at once, an array for each column.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{
    FromSql, IsNull, Timestamp as PgTimestamp, ToSql, Type, accepts, to_sql_checked,
};

use super::lot::{LotKey, RowId};
use crate::clock::{self, Timestamp};
use crate::points::account::Account;

/// The values of a column. Of a column without any, none are sent: what is beyond the end of an
/// array is null, and need not be looked for.
pub(super) fn column<T>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let mut values: Vec<Option<T>> = values.collect();
    if values.iter().all(Option::is_none) {
        values.clear();
    }
    values
}

/// Wallets, and what names their lots.
pub(super) type Columns = (
    Vec<i64>,
    Vec<PgTimestamp<Timestamp>>,
    Vec<PgTimestamp<Timestamp>>,
    Vec<i64>,
);

pub(super) fn columns(lots: impl Iterator<Item = (Account, LotKey)>) -> Columns {
    let mut columns = Columns::default();
    for (wallet, lot) in lots {
        columns.0.push(wallet.0);
        columns.1.push(to_pg(lot.expires_at));
        columns.2.push(to_pg(lot.usable_from));
        columns.3.push(lot.class);
    }
    columns
}

impl ToSql for RowId {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_u32(self.0);
        out.put_u16(self.1);
        Ok(IsNull::No)
    }

    accepts!(TID);
    to_sql_checked!();
}

impl FromSql<'_> for RowId {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<RowId, Box<dyn std::error::Error + Sync + Send>> {
        let raw: [u8; 6] = raw.try_into()?;
        let [a, b, c, d, e, f] = raw;
        Ok(RowId(
            u32::from_be_bytes([a, b, c, d]),
            u16::from_be_bytes([e, f]),
        ))
    }

    accepts!(TID);
}

pub(super) fn from_pg(instant: PgTimestamp<Timestamp>) -> Timestamp {
    match instant {
        PgTimestamp::PosInfinity => clock::NEVER,
        PgTimestamp::NegInfinity => clock::ALWAYS,
        PgTimestamp::Value(instant) => instant,
    }
}

pub(super) fn to_pg(instant: Timestamp) -> PgTimestamp<Timestamp> {
    match instant {
        never if never == clock::NEVER => PgTimestamp::PosInfinity,
        always if always == clock::ALWAYS => PgTimestamp::NegInfinity,
        instant => PgTimestamp::Value(instant),
    }
}
