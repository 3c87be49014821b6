//! The SQL of a group about limits, beside that of `ledger/statements.rs`.
//!
//! Who asks for a slice locks the limit first, then reads all slices in a new statement: so it sees those
//! that others made meanwhile. Positions are locked in the order of their ids, after the wallets, and
//! slices are written before anything else that a group of another hub could wait for. Whether a partner
//! is warned is read and written under the same lock, so that one crossing is one warning.

use std::collections::BTreeMap;

use anyhow::Context;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::known::{Known, Steps};
use super::owed::Owed;
use super::slice::{Slice, Whole};
use crate::clock::Timestamp;
use crate::points::account::Account;

const CAPPED: &str = "select position from caps";
const LOCK_CAPS: &str =
    "select position, terms from caps where position = any($1) order by position for update";
const LOCK_SLICES: &str = "select position, slot, granted, owed, credited from slices where position = any($1) \
     order by position, slot for update";
const WARNED: &str =
    "select position from limit_warnings where position = any($1) and ended_at is null";
const WRITE_WITHIN: &str = "with changed as (update slices set owed = c.owed, credited = c.credited \
     from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
     as c (position, granted, was, was_credited, owed, credited) \
     where slices.position = c.position and slices.slot = $1 and slices.granted = c.granted \
     and slices.owed = c.was and slices.credited = c.was_credited returning 1) \
     select all_as_granted(cardinality($2), (select count(*) from changed))";
const WRITE_ANEW: &str = "insert into slices (position, slot, haircut, granted, owed, credited) \
     select s.position, s.slot, (c.terms ->> 'haircut')::smallint, s.granted, s.owed, s.credited \
     from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
     as s (position, slot, granted, owed, credited) join caps c using (position) \
     on conflict (position, slot) \
     do update set granted = excluded.granted, owed = excluded.owed, credited = excluded.credited";
const WARN: &str = "insert into limit_warnings (position, counted, most, at, group_id) \
     select *, $4::timestamptz, $5::bigint from unnest($1::bigint[], $2::bigint[], $3::bigint[])";
const CALM: &str =
    "update limit_warnings set ended_at = $2 where position = any($1) and ended_at is null";

pub struct Statements {
    capped: Statement,
    lock_caps: Statement,
    lock_slices: Statement,
    warned: Statement,
    write_within: Statement,
    write_anew: Statement,
    warn: Statement,
    calm: Statement,
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, Error> {
        Ok(Statements {
            capped: client.prepare(CAPPED).await?,
            lock_caps: client.prepare(LOCK_CAPS).await?,
            lock_slices: client.prepare(LOCK_SLICES).await?,
            warned: client.prepare(WARNED).await?,
            write_within: client.prepare(WRITE_WITHIN).await?,
            write_anew: client.prepare(WRITE_ANEW).await?,
            warn: client.prepare(WARN).await?,
            calm: client.prepare(CALM).await?,
        })
    }

    /// Reads which positions have a limit, as of a publication, and locks the limits of some of them.
    pub async fn learn(
        &self,
        client: &Client,
        version: i64,
        positions: &[Account],
        known: &mut Known,
    ) -> anyhow::Result<()> {
        let rows = client.query(&self.capped, &[]).await?;
        known.learn(version, rows.iter().map(|row| Account(row.get(0))));
        let capped = known.to_lock(positions, true);
        let locked = self.lock(client, &capped).await?;
        known.lock(whole(&locked)?);
        Ok(())
    }

    /// Locks the limits of some positions and reads all their slices.
    pub async fn lock(&self, client: &Client, positions: &[i64]) -> Result<Locked, Error> {
        if positions.is_empty() {
            return Ok(Locked::default());
        }
        let with: [&(dyn ToSql + Sync); 1] = [&positions];
        let (caps, slices, warned) = futures_util::try_join!(
            client.query(&self.lock_caps, &with),
            client.query(&self.lock_slices, &with),
            client.query(&self.warned, &with),
        )?;
        Ok(Locked {
            caps,
            slices,
            warned,
        })
    }

    /// Writes what a group does to slices and warnings.
    pub async fn write(
        &self,
        client: &Client,
        slot: i16,
        steps: &Steps,
        of: (i64, Timestamp),
    ) -> Result<(), Error> {
        futures_util::try_join!(
            self.write_within(client, slot, steps),
            self.write_anew(client, steps),
            self.warn(client, steps, of),
            self.calm(client, steps, of),
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
        let (was, was_credited) = columns(all().map(|(_, was, _)| was));
        let (owed, credited) = columns(all().map(|(_, _, slice)| slice));
        client
            .execute(
                &self.write_within,
                &[
                    &slot,
                    &positions,
                    &granted,
                    &was,
                    &was_credited,
                    &owed,
                    &credited,
                ],
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
        let (owed, credited) = columns(all().map(|(_, _, slice)| slice));
        client
            .execute(
                &self.write_anew,
                &[&positions, &slots, &granted, &owed, &credited],
            )
            .await
    }

    async fn warn(
        &self,
        client: &Client,
        steps: &Steps,
        (group, now): (i64, Timestamp),
    ) -> Result<u64, Error> {
        let all = || steps.warnings.iter();
        if steps.warnings.is_empty() {
            return Ok(0);
        }
        let positions: Vec<i64> = all().map(|warning| warning.position.0).collect();
        let counted: Vec<i64> = all().map(|warning| warning.counted).collect();
        let most: Vec<i64> = all().map(|warning| warning.most).collect();
        client
            .execute(&self.warn, &[&positions, &counted, &most, &now, &group])
            .await
    }

    async fn calm(
        &self,
        client: &Client,
        steps: &Steps,
        (_, now): (i64, Timestamp),
    ) -> Result<u64, Error> {
        if steps.calmed.is_empty() {
            return Ok(0);
        }
        let positions: Vec<i64> = steps.calmed.iter().map(|position| position.0).collect();
        client.execute(&self.calm, &[&positions, &now]).await
    }
}

/// The rows of what is locked.
#[derive(Default)]
pub struct Locked {
    caps: Vec<tokio_postgres::Row>,
    slices: Vec<tokio_postgres::Row>,
    warned: Vec<tokio_postgres::Row>,
}

/// What was locked, with its slices.
pub fn whole(locked: &Locked) -> anyhow::Result<BTreeMap<Account, Whole>> {
    let Locked {
        caps,
        slices,
        warned,
    } = locked;
    let mut all: BTreeMap<Account, Whole> = BTreeMap::new();
    for row in caps {
        let terms = serde_json::from_value(row.get(1)).context("terms of a limit")?;
        let whole = Whole {
            terms,
            is_warned: false,
            slices: BTreeMap::new(),
        };
        all.insert(Account(row.get(0)), whole);
    }
    for row in slices {
        let (granted, owed, credited) = (row.get(2), row.get(3), row.get(4));
        let sums = Owed { owed, credited };
        if let Some(whole) = all.get_mut(&Account(row.get(0))) {
            whole.slices.insert(row.get(1), Slice { granted, sums });
        }
    }
    for row in warned {
        if let Some(whole) = all.get_mut(&Account(row.get(0))) {
            whole.is_warned = true;
        }
    }
    Ok(all)
}

fn columns<'s>(slices: impl Iterator<Item = &'s Slice>) -> (Vec<i64>, Vec<i64>) {
    slices
        .map(|slice| (slice.sums.owed, slice.sums.credited))
        .unzip()
}
