//! A group: commands decided one after another in memory over what was read once, and written
//! together.
//!
//! Each decision sees the wallets as the ones before it left them, so a group gives the same
//! results as its commands one by one. A refused command refuses alone. A command whose key is
//! known, from the journal or from earlier in the same group, takes no effect and gets the answer
//! of the first.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::budget::{Budgets, Given};
use super::caps::owed::Owed;
use super::caps::room::{NoRoom, Reached, Rooms};
use super::command::{Decided, Reference, Seen, Stamp, Touches};
use super::follow_ups::{self, FollowUps};
use super::lot::{LotKey, Pockets, RowId, Wallet};
use super::operation::{self, Kind, Leg, LotChange, Operation};
use super::tally::{Mark, TallyKey};
use super::transfer::{self, Sums};
use crate::clock::{self, Timestamp};
use crate::points::account::Account;
use crate::web::Origin;

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
    /// Who sent it is not live any more.
    Unwelcome,
    KeyReused,
    ReferenceTaken(i64),
    Stale,
    NoWallet(Account),
    CapReached(Reached),
    /// A slice was too small: the group is to be folded again with all the room there is.
    Again,
    Busy,
    Unavailable,
    Broken(String),
}

/// What was read for a group.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    pub group: i64,
    pub window: i64,
    pub version: i64,
    pub now: Timestamp,
    /// Of the principals who were not known to be live.
    pub live: HashSet<i64>,
    pub wallets: HashMap<Account, Wallet>,
    /// By key hash: the operation, and the hash of its body.
    pub keys: HashMap<Uuid, (i64, Uuid)>,
    pub quotes: HashMap<Uuid, i64>,
    /// By operation: what has followed it so far.
    pub follow_ups: HashMap<i64, FollowUps>,
    pub references: HashMap<(i64, i16, Uuid), i64>,
    /// Of the positions that have a cap.
    pub rooms: Rooms,
    pub budgets: Budgets,
    pub marks: HashMap<TallyKey, Vec<Mark>>,
}

/// What the group writes.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub operations: Vec<Operation>,
    /// Of each, where it was asked for.
    pub origins: Vec<Origin>,
    pub lots: BTreeMap<(Account, LotKey), LotWritten>,
    pub sums: Sums,
    pub references: Vec<(Reference, i64)>,
    pub rooms: Rooms,
    pub budgets: Budgets,
    /// By which operation.
    pub marks: Vec<(TallyKey, i64, Mark)>,
}

/// What becomes of a lot in a group.
#[derive(Debug, Clone, Default)]
pub(super) struct LotWritten {
    pub change: Pockets,
    /// Where it is and what its turn was; none when it is new.
    pub was: Option<(RowId, i32)>,
    /// Above zero on the lot that names its wallet's last operation.
    pub turn: i32,
    pub last_operation: Option<i64>,
}

/// Decides every command in turn. The outcomes are in the order of the commands, and hold only
/// once what is written is committed.
pub(super) fn fold(mut read: Read, commands: &mut [Box<dyn Queued>]) -> (Written, Vec<Outcome>) {
    let mut written = Written::default();
    let outcomes = commands
        .iter_mut()
        .map(|command| step(command.as_mut(), &mut read, &mut written))
        .collect();
    written.lots = lots(&written.operations, &read.wallets);
    (written.rooms, written.budgets) = (read.rooms, read.budgets);
    (written, outcomes)
}

/// Whether a slice was too small for one of the commands: then none of these outcomes holds.
pub(super) fn is_short(outcomes: &[Outcome]) -> bool {
    outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Again))
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
        so_far: touches
            .follows
            .and_then(|target| read.follow_ups.get(&target))
            .unwrap_or(&follow_ups::NONE),
        budgets: &read.budgets,
        marks: &read.marks,
    };
    let Some(mut decided) = command.decide(&seen, read.now) else {
        return Outcome::Refused;
    };

    let owed_more = transfer::owed_more(decided.kind, decided.figures.as_ref(), &decided.transfers);
    if let Some(outcome) = no_room(decided.kind, &owed_more, command.touches(), &read.rooms) {
        return outcome;
    }
    let given = std::mem::take(&mut decided.budgets);
    let is_named = |given: &Given| command.touches().budgets.contains(&given.owner);
    if !given.iter().all(is_named) {
        return Outcome::Broken("a decision gives out of a budget it did not name".to_owned());
    }
    let marks = std::mem::take(&mut decided.marks);
    match carry_out(decided, command.stamp(), read, written.operations.len()) {
        Ok(operation) => {
            read.rooms.take(&owed_more);
            read.budgets.add(&given);
            for (of, mark) in marks {
                read.marks.entry(of).or_default().push(mark);
                written.marks.push((of, operation.id, mark));
            }
            remember(&operation, command.stamp(), read, written);
            Outcome::Done(Box::new(operation))
        }
        Err(broken) => Outcome::Broken(broken),
    }
}

/// The outcome of a command that makes a position owe more than it may.
fn no_room(
    kind: Kind,
    owed_more: &[(Account, Owed)],
    touches: &Touches,
    rooms: &Rooms,
) -> Option<Outcome> {
    let is_named = |(position, _): &(Account, Owed)| touches.positions.contains(position);
    if !owed_more.iter().all(is_named) {
        let broken = "a decision moves the money of a position it did not name".to_owned();
        return Some(Outcome::Broken(broken));
    }
    match rooms.check(kind, owed_more) {
        Ok(()) => None,
        Err(NoRoom::Here) => Some(Outcome::Again),
        Err(NoRoom::AtAll(reached)) => Some(Outcome::CapReached(reached)),
    }
}

/// The outcome of a command that is not to be decided at all.
fn settled_already(command: &dyn Queued, read: &Read) -> Option<Outcome> {
    let (stamp, touches) = (command.stamp(), command.touches());
    if !stamp.is_confirmed && !read.live.contains(&stamp.principal_id) {
        return Some(Outcome::Unwelcome);
    }
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
            .change(step.lot, decided.kind.pockets(step.change))
            .map_err(|short| format!("a decision took more than a lot has: {short:?}"))?;
        *net.entry((step.wallet, step.lot)).or_default() += step.change;
    }
    for wallet in passed_through(decided.out, decided.into) {
        let known = || read.wallets.get(&wallet).cloned().unwrap_or_default();
        touched.entry(wallet).or_insert_with(known);
    }
    let lots = net.into_iter().filter(|(_, change)| *change != 0);
    let lots = lots
        .map(|((wallet, lot), change)| LotChange {
            wallet,
            lot,
            change,
        })
        .collect();
    let previous = |leg: Option<Leg>| read.wallets.get(&leg?.wallet)?.last;
    let (out_previous, in_previous) = (previous(decided.out), previous(decided.into));
    touched
        .values_mut()
        .for_each(|wallet| wallet.last = Some(id));
    read.wallets.extend(touched);
    Ok(Operation {
        id,
        kind: decided.kind,
        at: read.now,
        out: decided.out,
        into: decided.into,
        lots,
        figures: decided.figures,
        transfers: decided.transfers,
        card_id: decided.card_id,
        exchange_rate_id: decided.exchange_rate_id,
        quote: decided.quote,
        follows: decided.follows,
        out_previous,
        in_previous,
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
    if let Some(target) = operation.follows {
        read.follow_ups.entry(target).or_default().add(operation);
    }
    if let Some(reference) = &stamp.reference {
        read.references.insert(place(reference), operation.id);
        written.references.push((reference.clone(), operation.id));
    }
    // One operation stays below 10^15 units and the sums of a group below 2^12 of those.
    let _ = transfer::add(&mut written.sums, operation);
    written.operations.push(operation.clone());
    written.origins.push(stamp.origin);
}

fn place(reference: &Reference) -> (i64, i16, Uuid) {
    (reference.partner_id, reference.kind as i16, reference.hash)
}

/// The wallets among two legs whose balance their issuer keeps.
fn passed_through(out: Option<Leg>, into: Option<Leg>) -> impl Iterator<Item = Account> {
    let wallets = out.into_iter().chain(into).map(|leg| leg.wallet);
    wallets.filter(|wallet| wallet.is_kept_by_partner())
}

/// What the whole group changed, per lot. A wallet whose balance its issuer keeps has one lot, always
/// empty, to take turns with. Of each wallet one lot takes a turn, always the one that
/// took the last: so two groups that read the same wallet cannot both be written.
fn lots(
    operations: &[Operation],
    wallets: &HashMap<Account, Wallet>,
) -> BTreeMap<(Account, LotKey), LotWritten> {
    let mut lots: BTreeMap<(Account, LotKey), LotWritten> = BTreeMap::new();
    for operation in operations {
        for lot in &operation.lots {
            let written = lots.entry((lot.wallet, lot.lot)).or_default();
            written.change.add(operation.kind.pockets(lot.change));
        }
        for wallet in passed_through(operation.out, operation.into) {
            lots.entry((wallet, LotKey::expiring(clock::NEVER)))
                .or_default();
        }
    }
    for ((account, key), written) in &mut lots {
        let lot = wallets.get(account).and_then(|wallet| wallet.lots.get(key));
        written.was = lot.and_then(|lot| Some((lot.row?, lot.turn)));
    }
    let mut changed: Vec<(Account, LotKey)> = lots.keys().copied().collect();
    changed.dedup_by_key(|(account, _)| *account);
    for (account, first) in changed {
        let Some(wallet) = wallets.get(&account) else {
            continue;
        };
        let before = wallet.lots.iter().find(|(_, lot)| lot.turn > 0);
        let mut turn = 1;
        let mut takes_turn = first;
        if let Some((key, lot)) = before {
            turn += lot.turn;
            let written = lots.entry((account, *key)).or_default();
            match written.was {
                Some(_) => takes_turn = *key,
                None => written.was = lot.row.map(|row| (row, lot.turn)),
            }
        }
        let written = lots.entry((account, takes_turn)).or_default();
        (written.turn, written.last_operation) = (turn, wallet.last);
    }
    lots
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::command::Move;
    use crate::ledger::operation::{Figures, Transfer};
    use crate::points::account::AccountKind;
    use crate::points::money::Micros;
    use crate::web::once::Claim;

    const VERSION: i64 = 7;
    const WALLETS: u8 = 4;
    /// Of each wallet, from the beginning.
    const HELD: i64 = 12;

    /// What a fake command wants. Wallets are numbered; the last one does not exist.
    #[derive(Debug, Clone)]
    enum Wish {
        Give {
            to: u8,
            day: u32,
            amount: i64,
        },
        Take {
            from: u8,
            amount: i64,
        },
        Turn {
            from: u8,
            amount: i64,
            quote: u8,
        },
        /// Lets a wallet owe.
        Owe {
            from: u8,
            amount: i64,
        },
        /// Sets aside from what is available.
        Hold {
            from: u8,
            amount: i64,
        },
        /// Captures, or releases, a part of an earlier hold of 12 units, which is the wallet's own.
        Go {
            from: u8,
            amount: i64,
            captures: bool,
        },
        /// Undoes a part of 12 units that an earlier operation took.
        Undo {
            target: i64,
            to: u8,
            amount: i64,
        },
        /// Takes from a lot without looking whether it is there.
        Snatch {
            from: u8,
            day: u32,
            amount: i64,
        },
    }

    #[derive(Debug, Clone)]
    struct Fake {
        wish: Wish,
        touches: Touches,
        stamp: Stamp,
    }

    fn wallet(number: u8) -> Account {
        Account::wallet(1_000 + i16::from(number % 2), i64::from(number) + 1)
    }

    fn lot(day: u32) -> LotKey {
        let at = chrono::Utc.with_ymd_and_hms(2027, 1, day, 0, 0, 0);
        LotKey::expiring(at.single().expect("a day"))
    }

    fn id(number: u8) -> Uuid {
        Uuid::from_u128(u128::from(number) + 1)
    }

    impl Queued for Fake {
        fn touches(&self) -> &Touches {
            &self.touches
        }

        fn stamp(&self) -> &Stamp {
            &self.stamp
        }

        fn decide(&mut self, seen: &Seen<'_>, now: Timestamp) -> Option<Decided> {
            match self.wish {
                Wish::Give { to, day, amount } => {
                    Some(Decided::new(Kind::Award).giving(seen, wallet(to), amount, lot(day)))
                }
                Wish::Take { from, amount } => Decided::new(Kind::Redemption)
                    .taking(seen, wallet(from), amount, now)
                    .ok(),
                Wish::Turn { from, amount, .. } if seen.quote_taken.is_none() => {
                    let decided = Decided::new(Kind::Conversion)
                        .taking(seen, wallet(from), amount, now)
                        .ok()?;
                    Some(Decided {
                        figures: Some(figures(amount)),
                        transfers: bonus(wallet(from + 1), amount),
                        quote: self.touches.quote,
                        ..decided.giving(seen, wallet(from + 1), amount * 2, lot(20))
                    })
                }
                Wish::Undo { target, to, amount } => {
                    let before = seen.so_far.of(Kind::RedemptionReversal).amount;
                    let next = lot(10 + before as u32);
                    let decided = Decided::new(Kind::RedemptionReversal);
                    (before + amount <= 12).then(|| Decided {
                        follows: Some(target),
                        ..decided.giving(seen, wallet(to), amount, next)
                    })
                }
                Wish::Hold { from, amount } => Decided::new(Kind::Hold)
                    .taking(seen, wallet(from), amount, now)
                    .ok(),
                Wish::Go {
                    from,
                    amount,
                    captures,
                } => {
                    let fits = seen.so_far.total() + amount <= HELD;
                    let leg = Leg {
                        wallet: wallet(from),
                        amount,
                    };
                    let kind = if captures {
                        Kind::Capture
                    } else {
                        Kind::Release
                    };
                    fits.then(|| Decided {
                        out: captures.then_some(leg),
                        into: (!captures).then_some(leg),
                        moves: vec![Move {
                            wallet: leg.wallet,
                            lot: lot(10),
                            change: if captures { -amount } else { amount },
                        }],
                        follows: self.touches.follows,
                        ..Decided::new(kind)
                    })
                }
                Wish::Turn { .. } => None,
                Wish::Owe { from, amount } => Some(Decided {
                    out: Some(Leg {
                        wallet: wallet(from),
                        amount,
                    }),
                    moves: vec![Move {
                        wallet: wallet(from),
                        lot: LotKey::RECEIVABLE,
                        change: -amount,
                    }],
                    ..Decided::new(Kind::AwardReversal)
                }),
                Wish::Snatch { from, day, amount } => Some(Decided {
                    out: Some(Leg {
                        wallet: wallet(from),
                        amount,
                    }),
                    moves: vec![Move {
                        wallet: wallet(from),
                        lot: lot(day),
                        change: -amount,
                    }],
                    ..Decided::new(Kind::Expiry)
                }),
            }
        }

        fn answer(self: Box<Self>, _: Outcome) {}
    }

    fn positions() -> [Account; 2] {
        [Account::position(1, 840), Account::position(2, 344)]
    }

    fn figures(amount: i64) -> Figures {
        Figures {
            pays: positions()[0],
            paid: positions()[1],
            gross: Micros(amount * 100),
            commission: Micros(amount * 3),
            net: Micros(amount * 97),
            converted: Micros(amount * 700),
            value: Micros(amount * 699),
            residual: Micros(amount),
        }
    }

    /// One unit of what is gained is a bonus that the one who pays funds.
    fn bonus(to: Account, amount: i64) -> Vec<Transfer> {
        let of = |kind| Account::of(kind, to.asset());
        let (bonus, members) = (of(AccountKind::Bonus), of(AccountKind::Members));
        let clearing = Account::of(AccountKind::FxClearing, 840);
        [(bonus, members, 1), (positions()[0], clearing, amount)]
            .map(|(debit, credit, amount)| Transfer {
                debit,
                credit,
                amount,
            })
            .to_vec()
    }

    prop_compose! {
        fn fake()(
            wish in prop_oneof![
                4 => (0..=WALLETS, 1..28u32, 1..50i64)
                    .prop_map(|(to, day, amount)| Wish::Give { to, day, amount }),
                4 => (0..WALLETS, 1..60i64).prop_map(|(from, amount)| Wish::Take { from, amount }),
                4 => (0..WALLETS, 1..60i64, 0..4u8)
                    .prop_map(|(from, amount, quote)| Wish::Turn { from, amount, quote }),
                2 => (0..WALLETS, 1..20i64).prop_map(|(from, amount)| Wish::Hold { from, amount }),
                1 => (0..WALLETS, 1..40i64).prop_map(|(from, amount)| Wish::Owe { from, amount }),
                3 => (0..WALLETS, 1..8i64, any::<bool>())
                    .prop_map(|(from, amount, captures)| Wish::Go { from, amount, captures }),
                2 => (1..4i64, 0..WALLETS, 1..9i64)
                    .prop_map(|(target, to, amount)| Wish::Undo { target, to, amount }),
                1 => (0..WALLETS, 1..28u32, 1..9i64)
                    .prop_map(|(from, day, amount)| Wish::Snatch { from, day, amount }),
            ],
            key in 0..20u8,
            body in prop_oneof![9 => Just(0u8), 1 => Just(1)],
            version in prop_oneof![2 => Just(None), 6 => Just(Some(VERSION)), 1 => Just(Some(VERSION - 1))],
            reference in prop::option::of(0..6u8),
        ) -> Fake {
            let (wallets, quote, follows) = match wish {
                Wish::Give { to, .. } => (vec![wallet(to)], None, None),
                Wish::Take { from, .. } | Wish::Snatch { from, .. } => (vec![wallet(from)], None, None),
                Wish::Hold { from, .. } | Wish::Owe { from, .. } => (vec![wallet(from)], None, None),
                Wish::Go { from, .. } => (vec![wallet(from)], None, Some(100 + i64::from(from))),
                Wish::Turn { from, quote, .. } => (vec![wallet(from), wallet(from + 1)], Some(id(quote)), None),
                Wish::Undo { target, to, .. } => (vec![wallet(to)], None, Some(target)),
            };
            let reference = reference.map(|number| Reference {
                partner_id: 1,
                kind: Kind::Award,
                hash: id(number),
                text: String::new(),
            });
            Fake {
                wish,
                touches: Touches { wallets, positions: positions().to_vec(), quote, follows, ..Touches::default() },
                stamp: Stamp {
                    claim: Claim { key_hash: id(key), body_hash: id(body) },
                    principal_id: 1,
                    is_confirmed: true,
                    request_id: Uuid::nil(),
                    origin: Origin::Hub,
                    version,
                    reference,
                },
            }
        }
    }

    /// What a database holds before anything happened.
    fn nothing_yet() -> Read {
        let held = Pockets {
            available: 0,
            held: HELD,
        };
        let wallets = (0..WALLETS).map(|number| {
            let mut holding = Wallet::default();
            holding.change(lot(10), held).expect("more");
            let kept = holding.lots.get_mut(&lot(10)).expect("a lot");
            (kept.row, kept.turn) = (Some(RowId(0, 0)), 1);
            (wallet(number), holding)
        });
        Read {
            group: 1,
            window: 1,
            version: VERSION,
            now: lot(8).expires_at,
            wallets: wallets.collect(),
            ..Read::default()
        }
    }

    fn queue(fakes: &[Fake]) -> Vec<Box<dyn Queued>> {
        let boxed = |fake: &Fake| Box::new(fake.clone()) as Box<dyn Queued>;
        fakes.iter().map(boxed).collect()
    }

    /// Keeps what was written, as the database would.
    fn keep(read: &mut Read, written: &Written) {
        for ((account, key), lot) in &written.lots {
            let wallet = read
                .wallets
                .get_mut(account)
                .expect("a wallet that was read");
            let kept = wallet.lots.get(key).map(|kept| (kept.row, kept.turn));
            let was = lot.was.map(|(row, turn)| (Some(row), turn));
            assert_eq!(
                was, kept,
                "a lot is told from a new one, and its turn is known"
            );
            wallet.change(*key, lot.change).expect("no lot below zero");
            let kept = wallet.lots.get_mut(key).expect("a lot that was changed");
            (kept.row, kept.turn) = (Some(RowId(0, 0)), lot.turn);
            wallet.last = lot.last_operation.or(wallet.last);
        }
        for wallet in read.wallets.values() {
            let turns = wallet.lots.values().filter(|lot| lot.turn > 0).count();
            assert_eq!(turns, usize::from(!wallet.lots.is_empty()));
        }
        for operation in &written.operations {
            let effect = (operation.id, operation.body_hash);
            read.keys.insert(operation.key_hash, effect);
            read.quotes
                .extend(operation.quote.map(|quote| (quote, operation.id)));
            if let Some(target) = operation.follows {
                read.follow_ups.entry(target).or_default().add(operation);
            }
        }
        for (reference, operation) in &written.references {
            read.references.insert(place(reference), *operation);
        }
    }

    /// Everything that was done, with operations numbered in the order of their effect.
    #[derive(Debug, Default, PartialEq)]
    struct Story {
        outcomes: Vec<String>,
        operations: Vec<Operation>,
        sums: Sums,
        wallets: BTreeMap<Account, Vec<(LotKey, Pockets)>>,
    }

    /// Folds the commands in groups of a size.
    fn story(fakes: &[Fake], size: usize) -> Story {
        let (mut before, mut story) = (nothing_yet(), Story::default());
        let mut numbers: HashMap<i64, i64> = HashMap::new();
        for commands in fakes.chunks(size) {
            let (written, outcomes) = fold(before.clone(), &mut queue(commands));
            keep(&mut before, &written);
            before.group += 1;
            for operation in &written.operations {
                let number = numbers.len() as i64;
                numbers.insert(operation.id, number);
                let numbered = |id: Option<i64>| id.map(|id| numbers[&id]);
                story.operations.push(Operation {
                    id: number,
                    out_previous: numbered(operation.out_previous),
                    in_previous: numbered(operation.in_previous),
                    ..operation.clone()
                });
            }
            for (pair, sum) in &written.sums {
                let kept = story.sums.entry(*pair).or_default();
                kept.amount += sum.amount;
                kept.operations += sum.operations;
            }
            story
                .outcomes
                .extend(outcomes.iter().map(|outcome| match outcome {
                    Outcome::Done(operation) => format!("done {}", numbers[&operation.id]),
                    Outcome::Known(id) => format!("known {}", numbers[id]),
                    Outcome::ReferenceTaken(id) => format!("taken {}", numbers[id]),
                    other => format!("{other:?}"),
                }));
        }
        let held = |wallet: &Wallet| {
            wallet
                .lots
                .iter()
                .map(|(lot, it)| (*lot, it.pockets()))
                .collect()
        };
        let wallets = before
            .wallets
            .iter()
            .map(|(account, wallet)| (*account, held(wallet)));
        story.wallets = wallets.collect();
        story
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn commands_in_a_group_come_to_what_they_come_to_one_by_one(
            fakes in prop::collection::vec(fake(), 1..60),
            size in 2..60usize,
        ) {
            let one_by_one = story(&fakes, 1);
            prop_assert_eq!(&story(&fakes, fakes.len()), &one_by_one);
            prop_assert_eq!(&story(&fakes, size), &one_by_one);
        }

        #[test]
        fn a_fold_balances_and_leaves_no_lot_below_zero(fakes in prop::collection::vec(fake(), 1..60)) {
            let story = story(&fakes, fakes.len());

            let mut balances: BTreeMap<Account, i64> = BTreeMap::new();
            for (pair, sum) in &story.sums {
                prop_assert_eq!(pair.debit.asset(), pair.credit.asset());
                *balances.entry(pair.debit).or_default() += sum.amount;
                *balances.entry(pair.credit).or_default() -= sum.amount;
            }
            let mut per_asset: BTreeMap<i16, i64> = BTreeMap::new();
            for (account, balance) in &balances {
                *per_asset.entry(account.asset()).or_default() += balance;
            }
            prop_assert!(per_asset.values().all(|sum| *sum == 0), "{per_asset:?}");
            let mut held: BTreeMap<i16, i64> = BTreeMap::new();
            for (account, lots) in &story.wallets {
                let right = |(key, lot): &(LotKey, Pockets)| {
                    (lot.available >= 0) != (*key == LotKey::RECEIVABLE && lot.available != 0) && lot.held >= 0
                };
                prop_assert!(lots.iter().all(right), "{lots:?}");
                *held.entry(account.asset()).or_default() += lots.iter().map(|(_, lot)| lot.available + lot.held).sum::<i64>() - HELD;
            }
            for (asset, held) in held {
                let members = Account::of(AccountKind::Members, asset);
                prop_assert_eq!(-balances.get(&members).copied().unwrap_or_default(), held);
            }
        }
    }
}
