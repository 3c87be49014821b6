//! A journal written in one go, for who wants to know how the hub does with a long one.
//!
//! The commands are decided by the fold that decides everybody's, over wallets that are kept in
//! memory, and their groups are written by the statements that write everybody's: the books prove
//! as if they had been lived. What is saved is the reading before each group and the waiting after
//! it. Lots, totals and what is owed under caps are written once, at the end, and the journal's
//! indexes are built then.
//!
//! Only for a database that nobody else uses, and for wallets that are empty; when this ends half-way
//! the database is good for nothing.

mod store;

use std::collections::HashMap;

use anyhow::Context;
use diesel_async::AsyncConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::caps;
use super::command::{Command, Decided, Seen, Stamp, Touches};
use super::group::{self, LotWritten, Outcome, Queued, Read, Written};
use super::lot::Wallet;
use super::slot::Slot;
use super::statements::{self, Frame, Statements};
use super::transfer::Sums;
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::points::account::Account;

/// A command of long ago.
pub struct Entry(Box<dyn Queued>);

struct Ticket<C> {
    command: C,
    touches: Touches,
    stamp: Stamp,
}

impl Entry {
    pub fn new<C: Command>(command: C, stamp: Stamp) -> Entry {
        let touches = command.touches();
        Entry(Box::new(Ticket {
            command,
            touches,
            stamp,
        }))
    }
}

impl<C: Command> Queued for Ticket<C> {
    fn touches(&self) -> &Touches {
        &self.touches
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn decide(&mut self, seen: &Seen<'_>, now: Timestamp) -> Option<Decided> {
        self.command.decide(seen, now).ok()
    }

    fn answer(self: Box<Self>, _: Outcome) {}
}

/// Wallets and sums as commands leave them, without a database.
#[derive(Default)]
pub struct Books {
    wallets: HashMap<Account, Wallet>,
    sums: Sums,
}

impl Books {
    /// Decides a group of commands. Returns how many took effect.
    pub fn fold(&mut self, entries: Vec<Entry>, now: Timestamp) -> usize {
        let read = Read {
            now,
            ..Read::default()
        };
        self.decide(read, entries).operations.len()
    }

    fn decide(&mut self, mut read: Read, entries: Vec<Entry>) -> Written {
        let mut commands: Vec<_> = entries.into_iter().map(|entry| entry.0).collect();
        for wallet in commands.iter().flat_map(|it| &it.touches().wallets) {
            let held = self.wallets.get(wallet).cloned().unwrap_or_default();
            read.wallets.insert(*wallet, held);
        }

        let (written, _) = group::fold(read, &mut commands);

        for ((wallet, key), lot) in &written.lots {
            let wallet = self.wallets.entry(*wallet).or_default();
            let kept = wallet.lots.entry(*key).or_default();
            kept.available += lot.change.available;
            kept.held += lot.change.held;
            wallet.last = lot.last_operation.or(wallet.last);
        }
        for (pair, sum) in &written.sums {
            let kept = self.sums.entry(*pair).or_default();
            kept.amount += sum.amount;
            kept.operations += sum.operations;
        }
        written
    }
}

/// A journal that is being written.
pub struct History {
    books: Books,
    /// The number that its groups follow.
    before: i64,
    frame: Frame,
    scribe: mpsc::Sender<(Frame, Written)>,
    writing: JoinHandle<anyhow::Result<Line>>,
    owner: Connection,
    indexes: Vec<String>,
}

/// The connection that writes, with its statements and its slot of the totals.
type Line = (Client, Statements, Slot);

/// Groups that are written in one transaction, and lots.
const AT_ONCE: usize = 32;
const LOTS: usize = 10_000;

impl History {
    pub async fn begin(url: &str) -> anyhow::Result<History> {
        let mut owner = Connection::establish(url).await?;
        let window = super::store::open_window(&mut owner).await?.id;
        let before = store::last_group(&mut owner).await?;
        let indexes = store::drop_indexes(&mut owner).await?;
        let line = statements::connect(url).await?;
        let (scribe, written) = mpsc::channel(AT_ONCE);
        let frame = Frame {
            group: before,
            window,
            now: db::now(&mut owner).await?,
        };
        Ok(History {
            books: Books::default(),
            before,
            frame,
            scribe,
            writing: tokio::spawn(write(line, written)),
            owner,
            indexes,
        })
    }

    /// Adds a group that was written at `at`. Returns how many of its commands took effect.
    pub async fn group(&mut self, entries: Vec<Entry>, at: Timestamp) -> anyhow::Result<usize> {
        self.frame.group += 1;
        self.frame.now = at;
        let read = Read {
            group: self.frame.group,
            window: self.frame.window,
            now: at,
            ..Read::default()
        };
        let written = self.books.decide(read, entries);
        let size = written.operations.len();
        let sent = match size {
            0 => Ok(()),
            _ => self.scribe.send((self.frame, written)).await,
        };
        if sent.is_err() {
            // Why is told by the one who writes, at the end.
            (&mut self.writing).await??;
        }
        Ok(size)
    }

    /// Writes what it all comes to, and makes the journal whole.
    pub async fn finish(self) -> anyhow::Result<()> {
        let History {
            books,
            before,
            frame,
            scribe,
            writing,
            mut owner,
            indexes,
        } = self;
        drop(scribe);
        let (client, statements, slot) = writing.await??;

        let lots = books.wallets.into_iter().flat_map(|(wallet, held)| {
            let lots = held.lots.into_iter().enumerate();
            lots.map(move |(nth, (key, lot))| {
                let last_operation = held.last.filter(|_| nth == 0);
                let written = LotWritten {
                    change: lot.pockets(),
                    turn: i32::from(last_operation.is_some()),
                    last_operation,
                    ..LotWritten::default()
                };
                ((wallet, key), written)
            })
        });
        let lots: Vec<_> = lots.collect();
        client.batch_execute("begin").await?;
        for part in lots.chunks(LOTS) {
            let made = Written {
                lots: part.iter().cloned().collect(),
                ..Written::default()
            };
            statements.write_new_lots(&client, &made).await?;
        }
        let totals = Written {
            sums: books.sums,
            ..Written::default()
        };
        statements
            .append_totals(&client, &frame, &totals, &slot)
            .await?;
        client.batch_execute("commit").await?;

        caps::begin_anew(&mut owner).await?;

        // Only now: a sealer takes what is below the next number to be whole.
        db::leave_out_groups(&mut owner, frame.group - before).await?;
        store::make_indexes(&mut owner, &indexes).await
    }
}

/// Writes groups as they come, some in each transaction.
async fn write(line: Line, mut groups: mpsc::Receiver<(Frame, Written)>) -> anyhow::Result<Line> {
    let (client, statements, _) = &line;
    let mut some = Vec::new();
    while groups.recv_many(&mut some, AT_ONCE).await > 0 {
        client.batch_execute("begin").await?;
        for (frame, written) in some.drain(..) {
            let appended = statements.append(client, &frame, &written).await;
            appended.with_context(|| format!("group {}", frame.group))?;
        }
        client.batch_execute("commit").await?;
    }
    Ok(line)
}
