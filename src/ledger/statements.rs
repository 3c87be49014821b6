//! The SQL of a group: prepared once per writer, sent in two pipelined round trips.
//!
//! The first takes the gate (shared: closing a window takes it alone), locks the caps that the writer
//! has no slice of, and reads the window, the clock, who is live, lots, follow-ups, references, keys and quotes.
//! The second writes sets, the slices first, and commits; an error anywhere turns the commit into a
//! rollback.
//!
//! What was read may have changed before it is written. One lot of a wallet therefore counts the
//! groups that changed the wallet, each group writes that lot only as it read it, and a group that
//! finds it otherwise is rolled back and tried again: with the wallets locked first, in the order of
//! their ids, so that what is read in the statements after the lock stays as it is.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::asked::{Asked, Care};
use super::budget::Budgets;
use super::caps;
use super::caps::room::Rooms;
use super::columns::{column, columns, from_pg, to_pg};
use super::group::{Queued, Read, Written};
use super::holds;
use super::lot::{Lot, LotKey, Wallet};
use super::operation::{self, Kind, Leg, Operation};
use super::origins;
use super::slot::Slot;
use super::tally::{Mark, TallyKey};
use super::transfer::{Pair, RULES, Sum};
use crate::access;
use crate::clock::Timestamp;
use crate::db;
use crate::points::account::{Account, Asset};

const GATE: &str = "select pg_advisory_xact_lock_shared($1)";
const LOCK_WALLETS: &str = "select id from wallets where id = any($1) order by id for update";
const WALLETS: &str = "select id from wallets where id = any($1)";
const CONTEXT: &str = "select w.id, c.version, clock_timestamp() + c.clock_offset, \
     pg_current_xact_id()::text::bigint + c.group_base from control c, windows w where w.state = 'open'";
const LOTS: &str = "select wallet, expires_at, usable_from, class, available, held, ctid, turn, last_operation \
     from lots where wallet = any($1)";
const KEYS: &str = "select id, key_hash, body_hash from operations where key_hash = any($1)";
const QUOTES: &str = "select id, key_hash, body_hash, quote from operations where quote = any($1)";
const FOLLOW_UPS: &str = "select follows, kind, max(id), sum(coalesce(in_amount, out_amount))::bigint from operations \
     where follows = any($1) group by follows, kind";
const REFERENCES: &str = "select operation_id, partner_id, kind, reference_hash from operation_references \
     where (partner_id, kind, reference_hash) in (select * from unnest($1::bigint[], $2::smallint[], $3::uuid[]))";
// Whoever gives out of a budget waits for the others, so that the last unit is given once.
const BUDGETS: &str = "select owner, given from budgets \
     where owner = any($1) order by owner for update";
const TALLIES: &str = "select t.wallet, t.key, t.at, t.given, t.gained, t.times from tallies t \
     join unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) as k (wallet, key, since) \
     on t.wallet = k.wallet and t.key = k.key and t.at >= k.since";
const INSERT_TALLIES: &str = "insert into tallies (wallet, key, at, operation_id, given, gained, times) \
     select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[])";
const INSERT_GROUP: &str = "insert into groups (id, window_id, at, size, rules, origins, digest) values ($1, $2, $3, $4, $5, $6, $7)";
// Taking the n-th of each array costs half of what unnesting many together does.
const INSERT_OPERATIONS: &str = "insert into operations (id, kind, at, out_wallet, out_expires_at, out_amount, in_wallet, in_expires_at, \
     in_amount, out_previous, in_previous, pays, paid, gross, commission, net, converted, value, residual, \
     card_id, exchange_rate_id, quote, follows, key_hash, body_hash, principal_id, request_id, memo, transfers) select \
     ($1::bigint[])[n], ($2::smallint[])[n], $3, ($4::bigint[])[n], ($5::timestamptz[])[n], ($6::bigint[])[n], \
     ($7::bigint[])[n], ($8::timestamptz[])[n], ($9::bigint[])[n], ($10::bigint[])[n], ($11::bigint[])[n], \
     ($12::bigint[])[n], ($13::bigint[])[n], ($14::bigint[])[n], ($15::bigint[])[n], ($16::bigint[])[n], \
     ($17::bigint[])[n], ($18::bigint[])[n], ($19::bigint[])[n], ($20::bigint[])[n], ($21::bigint[])[n], \
     ($22::uuid[])[n], ($23::bigint[])[n], ($24::uuid[])[n], ($25::uuid[])[n], ($26::bigint[])[n], \
     ($27::uuid[])[n], ($28::jsonb[])[n], ($29::smallint[])[n] from generate_series(1, cardinality($1::bigint[])) n";
const INSERT_MORE_LEGS: &str = "insert into more_legs (operation_id, leg, wallet, expires_at, usable_from, \
     class, amount) select * from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::timestamptz[], \
     $5::timestamptz[], $6::bigint[], $7::bigint[])";
const INSERT_MORE_TRANSFERS: &str = "insert into more_transfers (operation_id, nth, debit, credit, amount) \
     select * from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])";
// Found by where they were when they were read, and only as they were read.
const UPDATE_LOTS: &str = "with changed as (update lots set available = lots.available + ($4::bigint[])[n], \
     held = lots.held + ($5::bigint[])[n], turn = ($6::integer[])[n], last_operation = ($7::bigint[])[n] \
     from generate_series(1, cardinality($1::tid[])) n \
     where lots.ctid = ($1::tid[])[n] and lots.wallet = ($2::bigint[])[n] and lots.turn = ($3::integer[])[n] returning 1) \
     select all_as_read(cardinality($1), (select count(*) from changed))";
const INSERT_LOTS: &str = "insert into lots (wallet, expires_at, usable_from, class, available, held, turn, \
     last_operation) select * from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[], \
     $6::bigint[], $7::integer[], $8::bigint[])";
const INSERT_HOLDS: &str = "insert into holds (operation_id, open, expires_at) \
     select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[])";
const UPDATE_HOLDS: &str = "update holds set open = holds.open - c.amount from unnest($1::bigint[], $2::bigint[]) \
     as c (operation_id, amount) where holds.operation_id = c.operation_id";
const INSERT_CREDITS: &str = "insert into credits (operation_id, currency_no, at) \
     select id, no, $3 from unnest($1::bigint[], $2::smallint[]) as c (id, no)";
const ADD_TOTALS: &str = "with changed as (update totals set amount = totals.amount + s.amount, \
     operations = totals.operations + s.operations \
     from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
     as s (kind, debit, credit, amount, operations) where totals.window_id = $1 and totals.kind = s.kind \
     and totals.debit = s.debit and totals.credit = s.credit and totals.slot = $2 returning 1) \
     select all_as_read(cardinality($3), (select count(*) from changed))";
const BEGIN_TOTALS: &str = "insert into totals (window_id, kind, debit, credit, slot, amount, operations) \
     select $1, kind, debit, credit, $2, amount, operations from unnest($3::smallint[], $4::bigint[], $5::bigint[], \
     $6::bigint[], $7::bigint[]) as s (kind, debit, credit, amount, operations) \
     on conflict (window_id, kind, debit, credit, slot) \
     do update set amount = totals.amount + excluded.amount, operations = totals.operations + excluded.operations";
const ADD_GIVEN: &str = "with changed as (update budgets b set given = b.given + s.given \
     from unnest($1::bigint[], $2::bigint[]) as s (owner, given) \
     where b.owner = s.owner returning 1) \
     select all_as_read(cardinality($1), (select count(*) from changed))";
const BEGIN_BUDGETS: &str =
    "insert into budgets (owner, given) select * from unnest($1::bigint[], $2::bigint[])";
const INSERT_REFERENCES: &str = "insert into operation_references (partner_id, kind, reference_hash, reference, operation_id) \
     select * from unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::text[], $5::bigint[])";

/// The statements, prepared on one connection.
pub(super) struct Statements {
    gate: Statement,
    lock_wallets: Statement,
    wallets: Statement,
    context: Statement,
    live: Statement,
    lots: Statement,
    keys: Statement,
    quotes: Statement,
    follow_ups: Statement,
    references: Statement,
    budgets: Statement,
    tallies: Statement,
    insert_tallies: Statement,
    insert_group: Statement,
    insert_operations: Statement,
    insert_more_legs: Statement,
    insert_more_transfers: Statement,
    update_lots: Statement,
    insert_lots: Statement,
    insert_holds: Statement,
    update_holds: Statement,
    insert_credits: Statement,
    add_totals: Statement,
    begin_totals: Statement,
    add_given: Statement,
    begin_budgets: Statement,
    insert_references: Statement,
    caps: caps::statements::Statements,
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, tokio_postgres::Error> {
        Ok(Statements {
            gate: client.prepare(GATE).await?,
            lock_wallets: client.prepare(LOCK_WALLETS).await?,
            wallets: client.prepare(WALLETS).await?,
            context: client.prepare(CONTEXT).await?,
            live: client.prepare(access::LIVE).await?,
            lots: client.prepare(LOTS).await?,
            keys: client.prepare(KEYS).await?,
            quotes: client.prepare(QUOTES).await?,
            follow_ups: client.prepare(FOLLOW_UPS).await?,
            references: client.prepare(REFERENCES).await?,
            budgets: client.prepare(BUDGETS).await?,
            tallies: client.prepare(TALLIES).await?,
            insert_tallies: client.prepare(INSERT_TALLIES).await?,
            insert_group: client.prepare(INSERT_GROUP).await?,
            insert_operations: client.prepare(INSERT_OPERATIONS).await?,
            insert_more_legs: client.prepare(INSERT_MORE_LEGS).await?,
            insert_more_transfers: client.prepare(INSERT_MORE_TRANSFERS).await?,
            update_lots: client.prepare(UPDATE_LOTS).await?,
            insert_lots: client.prepare(INSERT_LOTS).await?,
            insert_holds: client.prepare(INSERT_HOLDS).await?,
            update_holds: client.prepare(UPDATE_HOLDS).await?,
            insert_credits: client.prepare(INSERT_CREDITS).await?,
            add_totals: client.prepare(ADD_TOTALS).await?,
            begin_totals: client.prepare(BEGIN_TOTALS).await?,
            add_given: client.prepare(ADD_GIVEN).await?,
            begin_budgets: client.prepare(BEGIN_BUDGETS).await?,
            insert_references: client.prepare(INSERT_REFERENCES).await?,
            caps: caps::statements::Statements::prepare(client).await?,
        })
    }

    /// Begins the transaction, locks, and reads all that the commands touch.
    pub async fn begin(
        &self,
        client: &Client,
        commands: &[Box<dyn Queued>],
        care: Care,
        caps: Caps,
        slot: &mut Slot,
    ) -> anyhow::Result<Read> {
        let Asked {
            wallets,
            keys,
            quotes,
            followed,
            positions,
            tallies,
            references,
            budgets,
            senders,
        } = Asked::by(commands, care);
        let (partners, kinds, hashes) = references;
        let capped = slot.caps.to_lock(&positions, caps == Caps::Whole);

        let (counted, counts, since) = tallies;
        let since: Vec<_> = since.into_iter().map(to_pg).collect();

        // What tells that a command took effect already is read last: whatever else is seen of that effect,
        // its key is seen too.
        let (
            _,
            _,
            locked,
            locked_caps,
            budgets,
            context,
            live,
            lots,
            tallies,
            follow_ups,
            references,
            mut by_key,
            mut by_quote,
        ) = futures_util::try_join!(
            client.batch_execute("begin"),
            ask(client, &self.gate, [&db::GATE_LOCK]),
            unless(
                care == Care::Light,
                ask(client, &self.lock_wallets, [&wallets])
            ),
            Box::pin(self.caps.lock(client, &capped)),
            Box::pin(unless(
                budgets.is_empty(),
                ask(client, &self.budgets, [&budgets])
            )),
            ask(client, &self.context, []),
            unless(senders.is_empty(), ask(client, &self.live, [&senders])),
            ask(client, &self.lots, [&wallets]),
            // After the lots: what is counted between the two shows in a turn that is not as it was read.
            Box::pin(unless(
                counted.is_empty(),
                ask(client, &self.tallies, [&counted, &counts, &since])
            )),
            Box::pin(unless(
                followed.is_empty(),
                ask(client, &self.follow_ups, [&followed])
            )),
            Box::pin(unless(
                partners.is_empty(),
                ask(client, &self.references, [&partners, &kinds, &hashes])
            )),
            unless(keys.is_empty(), ask(client, &self.keys, [&keys])),
            unless(quotes.is_empty(), ask(client, &self.quotes, [&quotes])),
        )?;
        let context = context
            .first()
            .context("there is no open window: the schema is not whole")?;

        let version = context.get(1);
        slot.caps.lock(caps::statements::whole(&locked_caps)?);
        if !slot.caps.is_as_of(version) {
            let known = &mut slot.caps;
            Box::pin(self.caps.learn(client, version, &positions, known)).await?;
            // The caps may show an effect that was not there when keys were looked up.
            (by_key, by_quote) = futures_util::try_join!(
                ask(client, &self.keys, [&keys]),
                ask(client, &self.quotes, [&quotes])
            )?;
        }

        let mut read = Read {
            window: context.get(0),
            version,
            now: context.get(2),
            group: context.get(3),
            live: live.iter().map(|row| row.get(0)).collect(),
            wallets: HashMap::new(),
            keys: by_key
                .iter()
                .chain(&by_quote)
                .map(|row| (row.get(1), (row.get(0), row.get(2))))
                .collect(),
            quotes: by_quote
                .iter()
                .map(|row| (row.get(3), row.get(0)))
                .collect(),
            follow_ups: HashMap::new(),
            references: references
                .iter()
                .map(|row| ((row.get(1), row.get(2), row.get(3)), row.get(0)))
                .collect(),
            rooms: Rooms::default(),
            budgets: Budgets::default(),
            marks: HashMap::new(),
        };
        for row in &budgets {
            read.budgets.read(row.get(0), row.get(1));
        }
        for row in &tallies {
            let (of, mark) = marked(row);
            read.marks.entry(of).or_default().push(mark);
        }
        read.rooms = slot.caps.rooms(&positions, read.now);
        place_lots(&mut read.wallets, &lots);
        for row in follow_ups {
            let kind = Kind::of_number(row.get(1)).context("a follow-up of unknown kind")?;
            let of = read.follow_ups.entry(row.get(0)).or_default();
            of.insert(kind, row.get(2), row.get(3));
        }
        let mut unseen = wallets;
        unseen.retain(|wallet| !read.wallets.contains_key(&Account(*wallet)));
        let empty = match care {
            Care::Light if !unseen.is_empty() => ask(client, &self.wallets, [&unseen]).await?,
            Care::Light | Care::Full => locked,
        };
        for row in &empty {
            read.wallets.entry(Account(row.get(0))).or_default();
        }
        Ok(read)
    }

    /// Writes everything and commits. `slot` is then the writer's, with the sums it has.
    pub async fn commit(
        &self,
        client: &Client,
        read: &Frame,
        written: &Written,
        slot: &mut Slot,
    ) -> anyhow::Result<()> {
        let (old, new) = slot.part(read.window, &written.sums);
        let steps = slot.caps.steps(slot.number, &written.rooms, read.now);
        let (given, first_given) = written.budgets.changed();
        futures_util::try_join!(
            Box::pin(
                self.caps
                    .write(client, slot.number, &steps, (read.group, read.now))
            ),
            self.write_group(client, read, written),
            self.write_operations(client, read, written),
            self.write_more_legs(client, written),
            Box::pin(self.write_more_transfers(client, written)),
            self.write_changed_lots(client, written),
            self.write_new_lots(client, written),
            self.write_new_holds(client, written),
            self.write_steps_of_holds(client, written),
            Box::pin(self.write_credits(client, read, written)),
            self.write_totals(client, read, slot.number, &old, &self.add_totals),
            self.write_totals(client, read, slot.number, &new, &self.begin_totals),
            self.write_references(client, written),
            Box::pin(write_given(client, &given, &self.add_given)),
            Box::pin(write_given(client, &first_given, &self.begin_budgets)),
            Box::pin(self.write_marks(client, written)),
            client.batch_execute("commit"),
        )?;
        slot.begin(new);
        slot.caps.keep(slot.number, steps, read.now);
        Ok(())
    }

    /// Writes a group and nothing that it sums to, in a transaction of the caller's.
    pub async fn append(
        &self,
        client: &Client,
        frame: &Frame,
        written: &Written,
    ) -> anyhow::Result<()> {
        futures_util::try_join!(
            self.write_group(client, frame, written),
            self.write_operations(client, frame, written),
            self.write_more_legs(client, written),
            Box::pin(self.write_more_transfers(client, written)),
        )?;
        Ok(())
    }

    /// Adds sums to the totals of a window.
    pub async fn append_totals(
        &self,
        client: &Client,
        frame: &Frame,
        written: &Written,
        slot: &Slot,
    ) -> Sent {
        let sums: Vec<_> = written.sums.iter().collect();
        self.write_totals(client, frame, slot.number, &sums, &self.begin_totals)
            .await
    }

    async fn write_group(&self, client: &Client, read: &Frame, written: &Written) -> Sent {
        let named: HashMap<i64, (i64, Uuid)> = written
            .references
            .iter()
            .map(|(reference, operation)| (*operation, (reference.partner_id, reference.hash)))
            .collect();
        let origins = origins::written(&written.origins);
        let operations = written.operations.iter();
        let named = operations.map(|it| (it, named.get(&it.id).copied()));
        let digest = operation::digest(named);
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
                    &origins,
                    &digest.as_slice(),
                ],
            )
            .await
    }

    async fn write_operations(&self, client: &Client, read: &Frame, written: &Written) -> Sent {
        let all = &written.operations;
        let out = |field: fn(&Operation) -> Option<i64>| column(all.iter().map(field));
        let lot = |leg: fn(&Operation) -> Option<Leg>| {
            let on_row = |operation: &Operation| operation.lot_on_row(leg(operation)?).map(to_pg);
            column(all.iter().map(on_row))
        };
        let figure = |field: fn(&operation::Figures) -> i64| {
            column(
                all.iter()
                    .map(|operation| operation.figures.as_ref().map(field)),
            )
        };
        client
            .execute(
                &self.insert_operations,
                &[
                    &all.iter().map(|operation| operation.id).collect::<Vec<_>>(),
                    &all.iter()
                        .map(|operation| operation.kind as i16)
                        .collect::<Vec<_>>(),
                    &read.now,
                    &out(|operation| operation.out.map(|leg| leg.wallet.0)),
                    &lot(|operation| operation.out),
                    &out(|operation| operation.out.map(|leg| leg.amount)),
                    &out(|operation| operation.into.map(|leg| leg.wallet.0)),
                    &lot(|operation| operation.into),
                    &out(|operation| operation.into.map(|leg| leg.amount)),
                    &out(|operation| operation.out_previous),
                    &out(|operation| operation.in_previous),
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
                    &column(all.iter().map(|operation| operation.quote)),
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
                    &column(all.iter().map(|operation| operation.memo.as_ref())),
                    &column(all.iter().map(|operation| match operation.transfers.len() {
                        0 => None,
                        some => Some(some as i16),
                    })),
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
        let (wallets, expires, usable, classes) = columns(legs.iter().map(|(place, _)| *place));
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

    async fn write_more_transfers(&self, client: &Client, written: &Written) -> Sent {
        let (mut operations, mut nths) = (Vec::new(), Vec::new());
        let (mut debits, mut credits, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
        for operation in &written.operations {
            for (nth, transfer) in operation.transfers.iter().enumerate() {
                operations.push(operation.id);
                nths.push(nth as i16);
                debits.push(transfer.debit.0);
                credits.push(transfer.credit.0);
                amounts.push(transfer.amount);
            }
        }
        if operations.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.insert_more_transfers,
                &[&operations, &nths, &debits, &credits, &amounts],
            )
            .await
    }

    async fn write_changed_lots(&self, client: &Client, written: &Written) -> Sent {
        let old: Vec<_> = written
            .lots
            .iter()
            .filter_map(|((wallet, _), lot)| Some((wallet.0, lot.was?, lot)))
            .collect();
        if old.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.update_lots,
                &[
                    &old.iter().map(|(_, (row, _), _)| row).collect::<Vec<_>>(),
                    &old.iter().map(|(wallet, _, _)| wallet).collect::<Vec<_>>(),
                    &old.iter().map(|(_, (_, turn), _)| turn).collect::<Vec<_>>(),
                    &old.iter()
                        .map(|(_, _, lot)| lot.change.available)
                        .collect::<Vec<_>>(),
                    &old.iter()
                        .map(|(_, _, lot)| lot.change.held)
                        .collect::<Vec<_>>(),
                    &old.iter().map(|(_, _, lot)| lot.turn).collect::<Vec<_>>(),
                    &old.iter()
                        .map(|(_, _, lot)| lot.last_operation)
                        .collect::<Vec<_>>(),
                ],
            )
            .await
    }

    /// Writes the lots that there were not.
    pub async fn write_new_lots(&self, client: &Client, written: &Written) -> Sent {
        let new = || written.lots.iter().filter(|(_, lot)| lot.was.is_none());
        let (wallets, expires, usable, classes) = columns(new().map(|(place, _)| *place));
        if wallets.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.insert_lots,
                &[
                    &wallets,
                    &expires,
                    &usable,
                    &classes,
                    &new()
                        .map(|(_, lot)| lot.change.available)
                        .collect::<Vec<_>>(),
                    &new().map(|(_, lot)| lot.change.held).collect::<Vec<_>>(),
                    &new().map(|(_, lot)| lot.turn).collect::<Vec<_>>(),
                    &new().map(|(_, lot)| lot.last_operation).collect::<Vec<_>>(),
                ],
            )
            .await
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

    /// What issuers that keep their balances are to credit.
    async fn write_credits(&self, client: &Client, read: &Frame, written: &Written) -> Sent {
        let asked = written.operations.iter().filter_map(|operation| {
            let leg = operation.into?;
            let asset = leg.wallet.asset();
            (leg.wallet.is_kept_by_partner()).then_some((operation.id, asset))
        });
        let (ids, currencies): (Vec<i64>, Vec<Asset>) = asked.unzip();
        if ids.is_empty() {
            return Ok(0);
        }
        client
            .execute(&self.insert_credits, &[&ids, &currencies, &to_pg(read.now)])
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
        slot: i16,
        sums: &[(&Pair, &Sum)],
        statement: &Statement,
    ) -> Sent {
        if sums.is_empty() {
            return Ok(0);
        }
        let sums = || sums.iter();
        client
            .execute(
                statement,
                &[
                    &read.window,
                    &slot,
                    &sums().map(|(pair, _)| pair.kind as i16).collect::<Vec<_>>(),
                    &sums().map(|(pair, _)| pair.debit.0).collect::<Vec<_>>(),
                    &sums().map(|(pair, _)| pair.credit.0).collect::<Vec<_>>(),
                    &sums().map(|(_, sum)| sum.amount).collect::<Vec<_>>(),
                    &sums().map(|(_, sum)| sum.operations).collect::<Vec<_>>(),
                ],
            )
            .await
    }

    async fn write_marks(&self, client: &Client, written: &Written) -> Sent {
        let all = &written.marks;
        if all.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.insert_tallies,
                &[
                    &all.iter().map(|(of, ..)| of.wallet.0).collect::<Vec<_>>(),
                    &all.iter().map(|(of, ..)| of.key).collect::<Vec<_>>(),
                    &all.iter().map(|(.., mark)| mark.at).collect::<Vec<_>>(),
                    &all.iter().map(|(_, by, _)| *by).collect::<Vec<_>>(),
                    &all.iter().map(|(.., mark)| mark.given).collect::<Vec<_>>(),
                    &all.iter().map(|(.., mark)| mark.gained).collect::<Vec<_>>(),
                    &all.iter()
                        .map(|(.., mark)| mark.times as i16)
                        .collect::<Vec<_>>(),
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

/// The name by which the database says that a slice is not as it was granted.
pub(super) const AS_GRANTED: &str = "slices_as_granted";

/// How much of the room under the caps a group goes about with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caps {
    /// What the writer was granted.
    InSlices,
    /// All there is: locks the caps of the positions it touches.
    Whole,
}

type Sent = Result<u64, tokio_postgres::Error>;

/// What of the reading the writing needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub group: i64,
    pub window: i64,
    pub now: Timestamp,
}

impl Frame {
    pub fn of(read: &Read) -> Frame {
        Frame {
            group: read.group,
            window: read.window,
            now: read.now,
        }
    }
}

/// What is given out of budgets, by campaign.
async fn write_given(client: &Client, given: &[(i64, i64)], statement: &Statement) -> Sent {
    if given.is_empty() {
        return Ok(0);
    }
    let (campaigns, given): (Vec<i64>, Vec<i64>) = given.iter().copied().unzip();
    client.execute(statement, &[&campaigns, &given]).await
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

fn marked(row: &Row) -> (TallyKey, Mark) {
    let of = TallyKey {
        wallet: Account(row.get(0)),
        key: row.get(1),
    };
    let mark = Mark {
        at: row.get(2),
        given: row.get(3),
        gained: row.get(4),
        times: row.get::<_, i16>(5).into(),
    };
    (of, mark)
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
            row: row.get(6),
            turn: row.get(7),
        };
        let wallet = wallets.entry(Account(row.get(0))).or_default();
        wallet.lots.insert(key, lot);
        wallet.last = wallet.last.or(row.get(8));
    }
}

/// A connection of a writer's own, with its statements prepared and its slot of the totals taken.
pub(super) async fn connect(url: &str) -> anyhow::Result<(Client, Statements, Slot)> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .context("no connection to the database")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a writer lost its connection");
        }
    });
    client.batch_execute(db::SESSION).await?;
    client.batch_execute(db::ONE_PLAN).await?;
    let statements = Statements::prepare(&client).await?;
    let slot = take_slot(&client).await?;
    Ok((client, statements, slot))
}

/// The first slot that no other writer on this database has. Held until the connection ends.
async fn take_slot(client: &Client) -> anyhow::Result<Slot> {
    const SLOT_LOCKS: i32 = 0x1e_d6;
    for slot in 0..i16::MAX {
        let row = client
            .query_one(
                "select pg_try_advisory_lock($1, $2)",
                &[&SLOT_LOCKS, &i32::from(slot)],
            )
            .await?;
        if row.get(0) {
            return Ok(Slot::of(slot));
        }
    }
    bail!("every slot of the totals is taken: more writers than there can be")
}
