//! The SQL of a group: prepared once per writer, sent in two pipelined round trips.
//!
//! The first takes the gate (shared: closing a window takes it alone), locks the wallets in the
//! order of their ids and then, in new statements that see what others committed meanwhile, reads
//! the window, the clock, lots, keys, quotes, follow-ups and references. The second writes sets and
//! commits; an error anywhere turns the commit into a rollback.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};
use tokio_postgres::types::{Timestamp as PgTimestamp, ToSql};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::group::{PerLot, Queued, Read, Written};
use super::holds;
use super::lot::{Lot, LotKey, Wallet};
use super::operation::{self, Kind, Leg, Operation};
use super::transfer::RULES;
use crate::clock::{self, Timestamp};
use crate::db;
use crate::points::account::Account;

const GATE: &str = "select pg_advisory_xact_lock_shared($1)";
const LOCK_WALLETS: &str = "select id from wallets where id = any($1) order by id for update";
const CONTEXT: &str = "select w.id, c.version, clock_timestamp() + c.clock_offset, \
     pg_current_xact_id()::text::bigint + c.group_base from control c, windows w where w.state = 'open'";
const LOTS: &str = "select wallet, expires_at, usable_from, class, available, held from lots where wallet = any($1)";
const KEYS: &str = "select id, key_hash, body_hash from operations where key_hash = any($1)";
const QUOTES: &str = "select id, quote from operations where quote = any($1)";
const FOLLOW_UPS: &str = "select follows, kind, max(id), sum(coalesce(in_amount, out_amount))::bigint from operations \
     where follows = any($1) group by follows, kind";
const REFERENCES: &str = "select operation_id, partner_id, kind, reference_hash from operation_references \
     where (partner_id, kind, reference_hash) in (select * from unnest($1::bigint[], $2::smallint[], $3::uuid[]))";
const INSERT_GROUP: &str =
    "insert into groups (id, window_id, at, size, rules, digest) values ($1, $2, $3, $4, $5, $6)";
const INSERT_OPERATIONS: &str = "insert into operations (id, kind, at, out_wallet, out_expires_at, out_amount, in_wallet, \
     in_expires_at, in_amount, pays, paid, gross, commission, net, converted, value, residual, card_id, exchange_rate_id, \
     quote, follows, key_hash, body_hash, principal_id, request_id, memo) \
     select * from unnest($1::bigint[], $2::smallint[], $3::timestamptz[], $4::bigint[], $5::timestamptz[], $6::bigint[], \
     $7::bigint[], $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
     $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::uuid[], \
     $21::bigint[], $22::uuid[], $23::uuid[], $24::bigint[], $25::uuid[], $26::jsonb[])";
const INSERT_MORE_LEGS: &str = "insert into more_legs (operation_id, leg, wallet, expires_at, usable_from, \
     class, amount) select * from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::timestamptz[], \
     $5::timestamptz[], $6::smallint[], $7::bigint[])";
const UPDATE_LOTS: &str = "update lots set available = lots.available + c.available, held = lots.held + c.held from \
     unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::smallint[], $5::bigint[], $6::bigint[]) \
     as c (wallet, expires_at, usable_from, class, available, held) \
     where lots.wallet = c.wallet and lots.expires_at = c.expires_at and lots.usable_from = c.usable_from \
     and lots.class = c.class";
const INSERT_LOTS: &str = "insert into lots (wallet, expires_at, usable_from, class, available, held) \
     select * from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::smallint[], $5::bigint[], $6::bigint[])";
const INSERT_HOLDS: &str = "insert into holds (operation_id, open, expires_at) \
     select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
const UPDATE_HOLDS: &str = "update holds set open = holds.open - c.amount from unnest($1::bigint[], $2::bigint[]) \
     as c (operation_id, amount) where holds.operation_id = c.operation_id";
const ADD_TOTALS: &str = "insert into totals (window_id, kind, debit, credit, slot, amount, operations) \
     select $1, kind, debit, credit, $2, amount, operations from unnest($3::smallint[], $4::bigint[], $5::bigint[], \
     $6::bigint[], $7::bigint[]) as s (kind, debit, credit, amount, operations) \
     on conflict (window_id, kind, debit, credit, slot) \
     do update set amount = totals.amount + excluded.amount, operations = totals.operations + excluded.operations";
const INSERT_REFERENCES: &str = "insert into operation_references (partner_id, kind, reference_hash, reference, operation_id) \
     select * from unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::text[], $5::bigint[])";

/// The statements, prepared on one connection.
pub(super) struct Statements {
    gate: Statement,
    lock_wallets: Statement,
    context: Statement,
    lots: Statement,
    keys: Statement,
    quotes: Statement,
    follow_ups: Statement,
    references: Statement,
    insert_group: Statement,
    insert_operations: Statement,
    insert_more_legs: Statement,
    update_lots: Statement,
    insert_lots: Statement,
    insert_holds: Statement,
    update_holds: Statement,
    add_totals: Statement,
    insert_references: Statement,
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, tokio_postgres::Error> {
        Ok(Statements {
            gate: client.prepare(GATE).await?,
            lock_wallets: client.prepare(LOCK_WALLETS).await?,
            context: client.prepare(CONTEXT).await?,
            lots: client.prepare(LOTS).await?,
            keys: client.prepare(KEYS).await?,
            quotes: client.prepare(QUOTES).await?,
            follow_ups: client.prepare(FOLLOW_UPS).await?,
            references: client.prepare(REFERENCES).await?,
            insert_group: client.prepare(INSERT_GROUP).await?,
            insert_operations: client.prepare(INSERT_OPERATIONS).await?,
            insert_more_legs: client.prepare(INSERT_MORE_LEGS).await?,
            update_lots: client.prepare(UPDATE_LOTS).await?,
            insert_lots: client.prepare(INSERT_LOTS).await?,
            insert_holds: client.prepare(INSERT_HOLDS).await?,
            update_holds: client.prepare(UPDATE_HOLDS).await?,
            add_totals: client.prepare(ADD_TOTALS).await?,
            insert_references: client.prepare(INSERT_REFERENCES).await?,
        })
    }

    /// Begins the transaction, locks, and reads all that the commands touch.
    pub async fn begin(
        &self,
        client: &Client,
        commands: &[Box<dyn Queued>],
    ) -> anyhow::Result<Read> {
        let mut wallets: Vec<i64> = commands
            .iter()
            .flat_map(|command| &command.touches().wallets)
            .map(|wallet| wallet.0)
            .collect();
        wallets.sort_unstable();
        wallets.dedup();
        let keys: Vec<Uuid> = commands
            .iter()
            .map(|command| command.stamp().claim.key_hash)
            .collect();
        let quotes: Vec<Uuid> = commands
            .iter()
            .filter_map(|command| command.touches().quote)
            .collect();
        let followed: Vec<i64> = commands
            .iter()
            .filter_map(|command| command.touches().follows)
            .collect();
        let references: Vec<_> = commands
            .iter()
            .filter_map(|command| command.stamp().reference.as_ref())
            .collect();
        let partners: Vec<i64> = references
            .iter()
            .map(|reference| reference.partner_id)
            .collect();
        let kinds: Vec<i16> = references
            .iter()
            .map(|reference| reference.kind as i16)
            .collect();
        let hashes: Vec<Uuid> = references.iter().map(|reference| reference.hash).collect();

        let (_, _, locked, context, lots, keys, quotes, follow_ups, references) = futures_util::try_join!(
            client.batch_execute("begin"),
            ask(client, &self.gate, [&db::GATE_LOCK]),
            ask(client, &self.lock_wallets, [&wallets]),
            ask(client, &self.context, []),
            ask(client, &self.lots, [&wallets]),
            ask(client, &self.keys, [&keys]),
            unless(quotes.is_empty(), ask(client, &self.quotes, [&quotes])),
            unless(
                followed.is_empty(),
                ask(client, &self.follow_ups, [&followed])
            ),
            unless(
                partners.is_empty(),
                ask(client, &self.references, [&partners, &kinds, &hashes])
            ),
        )?;
        let context = context
            .first()
            .context("there is no open window: the schema is not whole")?;

        let mut read = Read {
            window: context.get(0),
            version: context.get(1),
            now: context.get(2),
            group: context.get(3),
            wallets: locked
                .iter()
                .map(|row| (Account(row.get(0)), Wallet::default()))
                .collect(),
            keys: keys
                .iter()
                .map(|row| (row.get(1), (row.get(0), row.get(2))))
                .collect(),
            quotes: quotes.iter().map(|row| (row.get(1), row.get(0))).collect(),
            follow_ups: HashMap::new(),
            references: references
                .iter()
                .map(|row| ((row.get(1), row.get(2), row.get(3)), row.get(0)))
                .collect(),
        };
        place_lots(&mut read.wallets, &lots);
        for row in follow_ups {
            let kind = Kind::of_number(row.get(1)).context("a follow-up of unknown kind")?;
            let of = read.follow_ups.entry(row.get(0)).or_default();
            of.insert(kind, row.get(2), row.get(3));
        }
        Ok(read)
    }

    /// Writes everything and commits.
    pub async fn commit(
        &self,
        client: &Client,
        read: &Frame,
        written: &Written,
        slot: i16,
    ) -> anyhow::Result<()> {
        let (_, _, _, updated, _, _, _, _, _, _) = futures_util::try_join!(
            self.write_group(client, read, written),
            self.write_operations(client, written),
            self.write_more_legs(client, written),
            self.write_changed_lots(client, written),
            self.write_new_lots(client, written),
            self.write_new_holds(client, written),
            self.write_steps_of_holds(client, written),
            self.write_totals(client, read, written, slot),
            self.write_references(client, written),
            client.batch_execute("commit"),
        )?;
        if updated != written.changed.len() as u64 {
            bail!(
                "{} lots were to change and {updated} did: the journal and the lots disagree",
                written.changed.len()
            );
        }
        Ok(())
    }

    async fn write_group(&self, client: &Client, read: &Frame, written: &Written) -> Sent {
        let named: HashMap<i64, (i64, Uuid)> = written
            .references
            .iter()
            .map(|(reference, operation)| (*operation, (reference.partner_id, reference.hash)))
            .collect();
        let digest = operation::digest(
            written
                .operations
                .iter()
                .map(|operation| (operation, named.get(&operation.id).copied())),
        );
        let size = written.operations.len() as i16;
        client
            .execute(
                &self.insert_group,
                &[
                    &read.group,
                    &read.window,
                    &read.now,
                    &size,
                    &RULES,
                    &digest.as_slice(),
                ],
            )
            .await
    }

    async fn write_operations(&self, client: &Client, written: &Written) -> Sent {
        let all = &written.operations;
        let out = |field: fn(&Operation) -> Option<i64>| all.iter().map(field).collect::<Vec<_>>();
        let lot = |leg: fn(&Operation) -> Option<Leg>| {
            let on_row = |operation: &Operation| operation.lot_on_row(leg(operation)?).map(to_pg);
            all.iter().map(on_row).collect::<Vec<_>>()
        };
        let figure = |field: fn(&operation::Figures) -> i64| {
            all.iter()
                .map(|operation| operation.figures.as_ref().map(field))
                .collect::<Vec<_>>()
        };
        client
            .execute(
                &self.insert_operations,
                &[
                    &all.iter().map(|operation| operation.id).collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.kind as i16)
                        .collect::<Vec<_>>(),
                    &all.iter().map(|operation| operation.at).collect::<Vec<_>>(),
                    &out(|operation| operation.out.map(|leg| leg.wallet.0)),
                    &lot(|operation| operation.out),
                    &out(|operation| operation.out.map(|leg| leg.amount)),
                    &out(|operation| operation.into.map(|leg| leg.wallet.0)),
                    &lot(|operation| operation.into),
                    &out(|operation| operation.into.map(|leg| leg.amount)),
                    &figure(|figures| figures.pays.0),
                    &figure(|figures| figures.paid.0),
                    &figure(|figures| figures.gross.0),
                    &figure(|figures| figures.commission.0),
                    &figure(|figures| figures.net.0),
                    &figure(|figures| figures.converted.0),
                    &figure(|figures| figures.value.0),
                    &figure(|figures| figures.residual.0),
                    &out(|operation| operation.card_id),
                    &out(|operation| operation.exchange_rate_id),
                    &all.iter()
                        .map(|operation| operation.quote)
                        .collect::<Vec<_>>(),
                    &out(|operation| operation.follows),
                    &all.iter()
                        .map(|operation| operation.key_hash)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.body_hash)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.principal_id)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.request_id)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.memo.as_ref())
                        .collect::<Vec<_>>(),
                ],
            )
            .await
    }

    async fn write_more_legs(&self, client: &Client, written: &Written) -> Sent {
        let (mut operations, mut nths, mut legs) = (Vec::new(), Vec::new(), Vec::new());
        for operation in &written.operations {
            for (nth, leg) in operation.more_legs().enumerate() {
                operations.push(operation.id);
                nths.push(nth as i16);
                legs.push(((leg.wallet, leg.lot), leg.change));
            }
        }
        if legs.is_empty() {
            return Ok(0);
        }
        let (wallets, expires, usable, classes) = columns(legs.iter().map(|(place, _)| place));
        let changes: Vec<i64> = legs.iter().map(|(_, change)| *change).collect();
        client
            .execute(
                &self.insert_more_legs,
                &[
                    &operations,
                    &nths,
                    &wallets,
                    &expires,
                    &usable,
                    &classes,
                    &changes,
                ],
            )
            .await
    }

    async fn write_changed_lots(&self, client: &Client, written: &Written) -> Sent {
        write_lots(client, &self.update_lots, &written.changed).await
    }

    async fn write_new_lots(&self, client: &Client, written: &Written) -> Sent {
        write_lots(client, &self.insert_lots, &written.made).await
    }

    async fn write_new_holds(&self, client: &Client, written: &Written) -> Sent {
        let made = |operation: &Operation| {
            let until = holds::ends_at(operation).filter(|_| operation.kind == Kind::Hold)?;
            Some((operation.id, operation.amount(), until))
        };
        let made: Vec<_> = written.operations.iter().filter_map(made).collect();
        if made.is_empty() {
            return Ok(0);
        }
        let (ids, open): (Vec<_>, Vec<_>) = made.iter().map(|hold| (hold.0, hold.1)).unzip();
        let until: Vec<_> = made.iter().map(|hold| hold.2).collect();
        client
            .execute(&self.insert_holds, &[&ids, &open, &until])
            .await
    }

    async fn write_steps_of_holds(&self, client: &Client, written: &Written) -> Sent {
        let mut steps: BTreeMap<i64, i64> = BTreeMap::new();
        for operation in &written.operations {
            if let Some((Kind::Hold, hold)) = operation.followed() {
                *steps.entry(hold).or_default() += operation.follow_up_amount();
            }
        }
        if steps.is_empty() {
            return Ok(0);
        }
        let (holds, amounts): (Vec<i64>, Vec<i64>) = steps.into_iter().unzip();
        client
            .execute(&self.update_holds, &[&holds, &amounts])
            .await
    }

    async fn write_totals(
        &self,
        client: &Client,
        read: &Frame,
        written: &Written,
        slot: i16,
    ) -> Sent {
        let sums = &written.sums;
        client
            .execute(
                &self.add_totals,
                &[
                    &read.window,
                    &slot,
                    &sums.keys().map(|pair| pair.kind as i16).collect::<Vec<_>>(),
                    &sums.keys().map(|pair| pair.debit.0).collect::<Vec<_>>(),
                    &sums.keys().map(|pair| pair.credit.0).collect::<Vec<_>>(),
                    &sums.values().map(|sum| sum.amount).collect::<Vec<_>>(),
                    &sums.values().map(|sum| sum.operations).collect::<Vec<_>>(),
                ],
            )
            .await
    }

    async fn write_references(&self, client: &Client, written: &Written) -> Sent {
        let all = &written.references;
        if all.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.insert_references,
                &[
                    &all.iter()
                        .map(|(reference, _)| reference.partner_id)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|(reference, _)| reference.kind as i16)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|(reference, _)| reference.hash)
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|(reference, _)| reference.text.as_str())
                        .collect::<Vec<_>>(),
                    &all.iter()
                        .map(|(_, operation)| *operation)
                        .collect::<Vec<_>>(),
                ],
            )
            .await
    }
}

async fn write_lots(client: &Client, statement: &Statement, lots: &PerLot) -> Sent {
    if lots.is_empty() {
        return Ok(0);
    }
    let (wallets, expires, usable, classes) = columns(lots.keys());
    let available: Vec<i64> = lots.values().map(|lot| lot.available).collect();
    let held: Vec<i64> = lots.values().map(|lot| lot.held).collect();
    client
        .execute(
            statement,
            &[&wallets, &expires, &usable, &classes, &available, &held],
        )
        .await
}

type Sent = Result<u64, tokio_postgres::Error>;

/// What of the reading the writing needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub group: i64,
    pub window: i64,
    pub now: Timestamp,
}

type Rows = Result<Vec<Row>, tokio_postgres::Error>;

async fn ask<const N: usize>(
    client: &Client,
    statement: &Statement,
    with: [&(dyn ToSql + Sync); N],
) -> Rows {
    client.query(statement, &with).await
}

/// Does not ask when there is nothing to ask for.
async fn unless(nothing: bool, question: impl Future<Output = Rows>) -> Rows {
    match nothing {
        true => Ok(Vec::new()),
        false => question.await,
    }
}

fn place_lots(wallets: &mut HashMap<Account, Wallet>, rows: &[Row]) {
    for row in rows {
        let key = LotKey {
            expires_at: from_pg(row.get(1)),
            usable_from: from_pg(row.get(2)),
            class: row.get(3),
        };
        let lot = Lot {
            available: row.get(4),
            held: row.get(5),
        };
        wallets
            .entry(Account(row.get(0)))
            .or_default()
            .lots
            .insert(key, lot);
    }
}

type Columns = (
    Vec<i64>,
    Vec<PgTimestamp<Timestamp>>,
    Vec<PgTimestamp<Timestamp>>,
    Vec<i16>,
);

fn columns<'a>(lots: impl Iterator<Item = &'a (Account, LotKey)>) -> Columns {
    let mut columns = Columns::default();
    for (wallet, lot) in lots {
        columns.0.push(wallet.0);
        columns.1.push(to_pg(lot.expires_at));
        columns.2.push(to_pg(lot.usable_from));
        columns.3.push(lot.class);
    }
    columns
}

fn from_pg(instant: PgTimestamp<Timestamp>) -> Timestamp {
    match instant {
        PgTimestamp::PosInfinity => clock::NEVER,
        PgTimestamp::NegInfinity => clock::ALWAYS,
        PgTimestamp::Value(instant) => instant,
    }
}

fn to_pg(instant: Timestamp) -> PgTimestamp<Timestamp> {
    match instant {
        never if never == clock::NEVER => PgTimestamp::PosInfinity,
        always if always == clock::ALWAYS => PgTimestamp::NegInfinity,
        instant => PgTimestamp::Value(instant),
    }
}

/// A connection of a writer's own, with its statements prepared and its slot of the totals taken.
pub(super) async fn connect(url: &str) -> anyhow::Result<(Client, Statements, i16)> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .context("no connection to the database")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a writer lost its connection");
        }
    });
    client.batch_execute(db::SESSION).await?;
    client
        .batch_execute("set plan_cache_mode = force_generic_plan; set enable_seqscan = off")
        .await?;
    let statements = Statements::prepare(&client).await?;
    let slot = take_slot(&client).await?;
    Ok((client, statements, slot))
}

/// The first slot that no other writer on this database has. Held until the connection ends.
async fn take_slot(client: &Client) -> anyhow::Result<i16> {
    const SLOT_LOCKS: i32 = 0x1e_d6;
    for slot in 0..i16::MAX {
        let row = client
            .query_one(
                "select pg_try_advisory_lock($1, $2)",
                &[&SLOT_LOCKS, &i32::from(slot)],
            )
            .await?;
        if row.get(0) {
            return Ok(slot);
        }
    }
    bail!("every slot of the totals is taken: more writers than there can be")
}
