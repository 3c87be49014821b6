//! A group: commands decided one after another in memory over what was read once, and written
//! together.
//!
//! Each decision sees the wallets as the ones before it left them, so a group gives the same
//! results as its commands one by one. A refused command refuses alone. A command whose key is
//! known, from the journal or from earlier in the same group, takes no effect and gets the answer
//! of the first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::command::{Decided, Reference, Seen, Stamp, Touches};
use super::lot::{LotKey, Wallet};
use super::operation::{self, LotChange, Operation};
use super::transfer::{self, Sums};
use crate::clock::Timestamp;
use crate::points::account::Account;

/// A command in the queue, whatever its type.
pub(super) trait Queued: Send + Sync {
    fn touches(&self) -> &Touches;
    fn stamp(&self) -> &Stamp;
    /// Decides, and keeps its refusal for the answer.
    fn decide(&mut self, seen: &Seen<'_>, now: Timestamp) -> Option<Decided>;
    fn answer(self: Box<Self>, outcome: Outcome);
}

/// What became of one command, once its group is committed.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Box<Operation>),
    /// The operation that took effect under this key before.
    Known(i64),
    /// The command kept its refusal.
    Refused,
    KeyReused,
    ReferenceTaken(i64),
    Stale,
    NoWallet(Account),
    Busy,
    Unavailable,
    Broken(String),
}

/// What was read under the locks.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub group: i64,
    pub window: i64,
    pub version: i64,
    pub now: Timestamp,
    pub wallets: HashMap<Account, Wallet>,
    /// By key hash: the operation, and the hash of its body.
    pub keys: HashMap<Uuid, (i64, Uuid)>,
    pub quotes: HashMap<Uuid, i64>,
    /// By reversed operation: its reversal.
    pub reversals: HashMap<i64, i64>,
    pub references: HashMap<(i64, i16, Uuid), i64>,
}

/// What the group writes.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub operations: Vec<Operation>,
    pub changed: BTreeMap<(Account, LotKey), i64>,
    pub made: BTreeMap<(Account, LotKey), i64>,
    pub sums: Sums,
    pub references: Vec<(Reference, i64)>,
}

/// Decides every command in turn. The outcomes are in the order of the commands, and hold only
/// once what is written is committed.
pub(super) fn fold(mut read: Read, commands: &mut [Box<dyn Queued>]) -> (Written, Vec<Outcome>) {
    let before: BTreeSet<(Account, LotKey)> = read
        .wallets
        .iter()
        .flat_map(|(account, wallet)| wallet.lots.keys().map(|lot| (*account, *lot)))
        .collect();
    let mut written = Written::default();
    let outcomes = commands
        .iter_mut()
        .map(|command| step(command.as_mut(), &mut read, &mut written))
        .collect();
    let (changed, made) = net(&written.operations, &before);
    (
        Written {
            changed,
            made,
            ..written
        },
        outcomes,
    )
}

fn step(command: &mut dyn Queued, read: &mut Read, written: &mut Written) -> Outcome {
    if let Some(outcome) = settled_already(command, read) {
        return outcome;
    }
    let touches = command.touches();
    let seen = Seen {
        wallets: &read.wallets,
        quote_taken: touches
            .quote
            .and_then(|quote| read.quotes.get(&quote).copied()),
        reversed_by: touches
            .reverses
            .and_then(|target| read.reversals.get(&target).copied()),
    };
    let Some(decided) = command.decide(&seen, read.now) else {
        return Outcome::Refused;
    };

    match carry_out(decided, command.stamp(), read, written.operations.len()) {
        Ok(operation) => {
            remember(&operation, command.stamp(), read, written);
            Outcome::Done(Box::new(operation))
        }
        Err(broken) => Outcome::Broken(broken),
    }
}

/// The outcome of a command that is not to be decided at all.
fn settled_already(command: &dyn Queued, read: &Read) -> Option<Outcome> {
    let (stamp, touches) = (command.stamp(), command.touches());
    if let Some((operation, body)) = read.keys.get(&stamp.claim.key_hash) {
        let same = *body == stamp.claim.body_hash;
        return Some(if same {
            Outcome::Known(*operation)
        } else {
            Outcome::KeyReused
        });
    }
    if stamp.version.is_some_and(|version| version != read.version) {
        return Some(Outcome::Stale);
    }
    if let Some(taken) = stamp
        .reference
        .as_ref()
        .and_then(|reference| read.references.get(&place(reference)))
    {
        return Some(Outcome::ReferenceTaken(*taken));
    }
    let missing = touches
        .wallets
        .iter()
        .find(|wallet| !read.wallets.contains_key(wallet));
    missing.map(|wallet| Outcome::NoWallet(*wallet))
}

/// Changes the lots in memory; on an error none of them.
fn carry_out(
    decided: Decided,
    stamp: &Stamp,
    read: &mut Read,
    place: usize,
) -> Result<Operation, String> {
    let id = operation::id(read.group, place);
    let mut touched: HashMap<Account, Wallet> = HashMap::new();
    let mut net: BTreeMap<(Account, LotKey), i64> = BTreeMap::new();
    for step in &decided.moves {
        let wallet = touched
            .entry(step.wallet)
            .or_insert_with(|| read.wallets[&step.wallet].clone());
        wallet
            .change(step.lot, step.change)
            .map_err(|short| format!("a decision took more than a lot has: {short:?}"))?;
        *net.entry((step.wallet, step.lot)).or_default() += step.change;
    }
    let lots = net.into_iter().filter(|(_, change)| *change != 0);
    let lots = lots
        .map(|((wallet, lot), change)| LotChange {
            wallet,
            lot,
            change,
        })
        .collect();
    read.wallets.extend(touched);
    Ok(Operation {
        id,
        kind: decided.kind,
        at: read.now,
        out: decided.out,
        into: decided.into,
        lots,
        figures: decided.figures,
        card_id: decided.card_id,
        exchange_rate_id: decided.exchange_rate_id,
        quote: decided.quote,
        reverses: decided.reverses,
        key_hash: stamp.claim.key_hash,
        body_hash: stamp.claim.body_hash,
        principal_id: stamp.principal_id,
        request_id: stamp.request_id,
        memo: decided.memo,
    })
}

/// Lets later commands of the group see what this one did.
fn remember(operation: &Operation, stamp: &Stamp, read: &mut Read, written: &mut Written) {
    read.keys
        .insert(operation.key_hash, (operation.id, operation.body_hash));
    read.quotes
        .extend(operation.quote.map(|quote| (quote, operation.id)));
    read.reversals
        .extend(operation.reverses.map(|target| (target, operation.id)));
    if let Some(reference) = &stamp.reference {
        read.references.insert(place(reference), operation.id);
        written.references.push((reference.clone(), operation.id));
    }
    // One operation stays below 10^15 units and the sums of a group below 2^12 of those.
    let _ = transfer::add(&mut written.sums, operation);
    written.operations.push(operation.clone());
}

fn place(reference: &Reference) -> (i64, i16, Uuid) {
    (reference.partner_id, reference.kind as i16, reference.hash)
}

type PerLot = BTreeMap<(Account, LotKey), i64>;

/// What the whole group changed, per lot: of lots there were, and of new ones.
fn net(operations: &[Operation], before: &BTreeSet<(Account, LotKey)>) -> (PerLot, PerLot) {
    let mut net = PerLot::new();
    for LotChange {
        wallet,
        lot,
        change,
    } in operations.iter().flat_map(|operation| &operation.lots)
    {
        *net.entry((*wallet, *lot)).or_default() += change;
    }
    net.into_iter()
        .partition(|(place, _)| before.contains(place))
}
