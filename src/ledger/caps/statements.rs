//! The SQL of a group about caps, beside that of `ledger/statements.rs`.
//!
//! Who asks for a slice locks the cap first, then reads all slices in a new statement: so it sees those
//! that others made meanwhile. Positions are locked in the order of their ids, after the wallets, and
//! slices are written before anything else that a group of another hub could wait for.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::known::{Known, Steps};
use super::slice::{Slice, Whole};
use crate::points::account::Account;

const CAPPED: &str = "select position from caps";
const LOCK_CAPS: &str =
    "select position, amount from caps where position = any($1) order by position for update";
const LOCK_SLICES: &str = "select position, slot, granted, owed from slices where position = any($1) \
     order by position, slot for update";
const WRITE_WITHIN: &str = "with changed as (update slices set owed = c.owed \
     from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) as c (position, granted, was, owed) \
     where slices.position = c.position and slices.slot = $1 and slices.granted = c.granted \
     and slices.owed = c.was returning 1) \
     select all_as_granted(cardinality($2), (select count(*) from changed))";
const WRITE_ANEW: &str = "insert into slices (position, slot, granted, owed) \
     select * from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[]) \
     on conflict (position, slot) \
     do update set granted = excluded.granted, owed = excluded.owed";

pub struct Statements {
    capped: Statement,
    lock_caps: Statement,
    lock_slices: Statement,
    write_within: Statement,
    write_anew: Statement,
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, Error> {
        Ok(Statements {
            capped: client.prepare(CAPPED).await?,
            lock_caps: client.prepare(LOCK_CAPS).await?,
            lock_slices: client.prepare(LOCK_SLICES).await?,
            write_within: client.prepare(WRITE_WITHIN).await?,
            write_anew: client.prepare(WRITE_ANEW).await?,
        })
    }

    /// Reads which positions have a cap, as of a publication, and locks the caps of some of them.
    pub async fn learn(
        &self,
        client: &Client,
        version: i64,
        positions: &[Account],
        known: &mut Known,
    ) -> Result<(), Error> {
        let rows = client.query(&self.capped, &[]).await?;
        known.learn(version, rows.iter().map(|row| Account(row.get(0))));
        let capped = known.to_lock(positions, true);
        known.lock(self.lock(client, &capped).await?);
        Ok(())
    }

    /// Locks the caps of some positions and reads all their slices.
    pub async fn lock(
        &self,
        client: &Client,
        positions: &[i64],
    ) -> Result<BTreeMap<Account, Whole>, Error> {
        if positions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let with: [&(dyn ToSql + Sync); 1] = [&positions];
        let (caps, slices) = futures_util::try_join!(
            client.query(&self.lock_caps, &with),
            client.query(&self.lock_slices, &with)
        )?;

        let whole = |cap| Whole {
            cap,
            slices: BTreeMap::new(),
        };
        let caps = caps.iter();
        let mut locked: BTreeMap<Account, Whole> = caps
            .map(|row| (Account(row.get(0)), whole(row.get(1))))
            .collect();
        for row in &slices {
            let (granted, owed) = (row.get(2), row.get(3));
            if let Some(whole) = locked.get_mut(&Account(row.get(0))) {
                whole.slices.insert(row.get(1), Slice { granted, owed });
            }
        }
        Ok(locked)
    }

    /// Writes what a group does to slices.
    pub async fn write(&self, client: &Client, slot: i16, steps: &Steps) -> Result<(), Error> {
        futures_util::try_join!(
            self.write_within(client, slot, steps),
            self.write_anew(client, steps)
        )?;
        Ok(())
    }

    async fn write_within(&self, client: &Client, slot: i16, steps: &Steps) -> Result<u64, Error> {
        let all = || steps.within.iter();
        if steps.within.is_empty() {
            return Ok(0);
        }
        let positions: Vec<i64> = all().map(|(position, _, _)| position.0).collect();
        let granted: Vec<Option<i64>> = all().map(|(_, was, _)| was.granted).collect();
        let was: Vec<i64> = all().map(|(_, was, _)| was.owed).collect();
        let owed: Vec<i64> = all().map(|(_, _, slice)| slice.owed).collect();
        client
            .execute(
                &self.write_within,
                &[&slot, &positions, &granted, &was, &owed],
            )
            .await
    }

    async fn write_anew(&self, client: &Client, steps: &Steps) -> Result<u64, Error> {
        let all = || steps.anew.iter();
        if steps.anew.is_empty() {
            return Ok(0);
        }
        let positions: Vec<i64> = all().map(|(position, _, _)| position.0).collect();
        let slots: Vec<i16> = all().map(|(_, slot, _)| *slot).collect();
        let granted: Vec<Option<i64>> = all().map(|(_, _, slice)| slice.granted).collect();
        let owed: Vec<i64> = all().map(|(_, _, slice)| slice.owed).collect();
        client
            .execute(&self.write_anew, &[&positions, &slots, &granted, &owed])
            .await
    }
}
