//! A model: several writers carry groups out against one database of caps and slices, each with its own
//! memory, and caps change meanwhile. It comes to the same as one writer that asks before each operation.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::known::Known;
use super::owed::Owed;
use super::slice::{Slice, Whole};
use super::terms::Terms;
use crate::clock::{ALWAYS, Timestamp};
use crate::ledger::command::{Decided, Seen, Stamp, Touches};
use crate::ledger::group::{self, Outcome, Queued, Read};
use crate::ledger::operation::{Figures, Kind};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::web::once::Claim;

const PARTNERS: i64 = 3;
const WRITERS: i16 = 4;

#[derive(Debug, Clone)]
struct Fake {
    kind: Kind,
    figures: Figures,
    touches: Touches,
    stamp: Stamp,
}

impl Queued for Fake {
    fn touches(&self) -> &Touches {
        &self.touches
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn decide(&mut self, _: &Seen<'_>, _: Timestamp) -> Option<Decided> {
        Some(Decided {
            figures: Some(self.figures),
            ..Decided::new(self.kind)
        })
    }

    fn answer(self: Box<Self>, _: Outcome) {}
}

#[derive(Debug, Clone)]
enum Event {
    Group {
        writer: i16,
        commands: Vec<Fake>,
    },
    Cap {
        position: Account,
        amount: Option<i64>,
        haircut: i16,
    },
}

fn position() -> impl Strategy<Value = Account> {
    (1..=PARTNERS).prop_map(|partner| Account::position(partner, 840))
}

prop_compose! {
    fn fake()(
        pays in position(),
        paid in position(),
        gross in 1..90i64,
        share in 0..=100i64,
        reverses in prop::bool::weighted(0.15),
        key in any::<u128>(),
    ) -> Fake {
        let value = Micros(gross * share / 100);
        let figures = Figures {
            pays,
            paid,
            gross: Micros(gross),
            commission: Micros(0),
            net: Micros(gross),
            converted: Micros(gross),
            value,
            residual: Micros(gross - value.0),
        };
        let kind = if reverses { Kind::ConversionReversal } else { Kind::Conversion };
        let claim = Claim { key_hash: Uuid::from_u128(key), body_hash: Uuid::nil() };
        Fake {
            kind,
            figures,
            touches: Touches { positions: vec![pays, paid], ..Touches::default() },
            stamp: Stamp { claim, principal_id: 1, is_confirmed: true, request_id: Uuid::nil(), origin: crate::web::Origin::Hub, version: None, reference: None },
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let commands = prop::collection::vec(fake(), 1..8);
    prop_oneof![
        9 => (0..WRITERS, commands).prop_map(|(writer, commands)| Event::Group { writer, commands }),
        1 => (position(), prop::option::weighted(0.9, 0..2_000i64), 0..10_000i16)
            .prop_map(|(position, amount, haircut)| Event::Cap { position, amount, haircut }),
    ]
}

/// What is true: positions, caps, and every operation asked for by itself.
#[derive(Debug, Default)]
struct Truth {
    owed: BTreeMap<Account, Owed>,
    caps: BTreeMap<Account, (i64, i16)>,
}

impl Truth {
    /// Whether the operation is carried out.
    fn take(&mut self, Fake { kind, figures, .. }: &Fake) -> bool {
        let sign = if kind.is_reversal() { -1 } else { 1 };
        let (gross, value) = (sign * figures.gross.0, sign * figures.value.0);
        let mut after = self.owed.clone();
        let is_own = figures.pays == figures.paid;
        let change = |owed, credited| Owed { owed, credited };
        *after.entry(figures.pays).or_default() += change(gross, 0);
        let credited = if is_own { 0 } else { value };
        *after.entry(figures.paid).or_default() += change(-value, credited);
        let may = after.iter().all(|(position, sums)| {
            let Some((cap, haircut)) = self.caps.get(position) else {
                return true;
            };
            let before = self.owed.get(position).copied().unwrap_or_default();
            let (before, after) = (before.counted(*haircut), sums.counted(*haircut));
            after <= before || after <= *cap
        });
        if may || kind.is_reversal() {
            self.owed = after;
            return true;
        }
        false
    }

    fn sums(&self, position: Account) -> Owed {
        self.owed.get(&position).copied().unwrap_or_default()
    }
}

/// Warned at four fifths.
fn terms(cap: i64, haircut: i16) -> Terms {
    Terms {
        cap: Some(Micros(cap)),
        haircut,
        ..Terms::NONE
    }
}

/// The two tables, and what writers remember of them.
#[derive(Debug, Default)]
struct Database {
    version: i64,
    caps: BTreeMap<Account, (i64, i16)>,
    warned: BTreeMap<Account, ()>,
    slices: BTreeMap<(Account, i16), Slice>,
    writers: BTreeMap<i16, Known>,
    group: i64,
}

impl Database {
    fn set(&mut self, position: Account, cap: Option<(i64, i16)>, sums: Owed) {
        self.version += 1;
        self.slices.retain(|(of, _), _| *of != position);
        self.caps.remove(&position);
        self.warned.remove(&position);
        if let Some((amount, haircut)) = cap {
            self.caps.insert(position, (amount, haircut));
            let granted = None;
            self.slices.insert((position, 0), Slice { granted, sums });
            if sums.counted(haircut) >= terms(amount, haircut).warning(ALWAYS) {
                self.warned.insert(position, ());
            }
        }
    }

    /// What the group comes to, with what is in memory first, then with all that is locked, and again
    /// when a slice is not as it is remembered.
    fn carry_out(&mut self, writer: i16, commands: &[Fake]) -> Vec<bool> {
        let mut known = self.writers.remove(&writer).unwrap_or_default();
        let outcomes = self.attempt(writer, &mut known, commands, false);
        let outcomes = outcomes.unwrap_or_else(|| {
            known.forget();
            let again = self.attempt(writer, &mut known, commands, false);
            again.expect("nothing is remembered")
        });
        self.writers.insert(writer, known);
        outcomes
    }

    fn attempt(
        &mut self,
        writer: i16,
        known: &mut Known,
        commands: &[Fake],
        all: bool,
    ) -> Option<Vec<bool>> {
        if !known.is_as_of(self.version) {
            known.learn(self.version, self.caps.keys().copied());
        }
        let mut positions: Vec<Account> = commands
            .iter()
            .flat_map(|fake| fake.touches.positions.clone())
            .collect();
        positions.sort_unstable();
        positions.dedup();
        known.lock(self.lock(&known.to_lock(&positions, all)));
        self.group += 1;
        let read = Read {
            group: self.group,
            rooms: known.rooms(&positions, ALWAYS),
            ..Read::default()
        };
        let boxed = |fake: &Fake| Box::new(fake.clone()) as Box<dyn Queued>;
        let mut queue: Vec<Box<dyn Queued>> = commands.iter().map(boxed).collect();

        let (written, outcomes) = group::fold(read, &mut queue);

        if group::is_short(&outcomes) {
            assert!(!all, "there is no more room than all");
            return self.attempt(writer, known, commands, true);
        }
        let steps = known.steps(writer, &written.rooms, ALWAYS);
        let as_remembered = |(position, was, _): &(Account, Slice, Slice)| {
            self.slices.get(&(*position, writer)) == Some(was)
        };
        if !steps.within.iter().all(as_remembered) {
            return None;
        }
        for (position, _, slice) in &steps.within {
            self.slices.insert((*position, writer), *slice);
        }
        for (position, slot, slice) in &steps.anew {
            self.slices.insert((*position, *slot), *slice);
        }
        for warning in &steps.warnings {
            let before = self.warned.insert(warning.position, ());
            assert!(before.is_none(), "{warning:?} is told twice");
        }
        for position in &steps.calmed {
            self.warned.remove(position);
        }
        known.keep(writer, steps, ALWAYS);
        let is_done = |outcome: &Outcome| match outcome {
            Outcome::Done(_) => true,
            Outcome::CapReached(_) => false,
            other => panic!("{other:?}"),
        };
        Some(outcomes.iter().map(is_done).collect())
    }

    fn lock(&self, positions: &[i64]) -> BTreeMap<Account, Whole> {
        let whole = |position: &i64| {
            let position = Account(*position);
            let slices = self.slices.iter().filter(|((of, _), _)| *of == position);
            let slices = slices.map(|((_, slot), slice)| (*slot, *slice)).collect();
            let (cap, haircut) = *self.caps.get(&position)?;
            let whole = Whole {
                terms: terms(cap, haircut),
                is_warned: self.warned.contains_key(&position),
                slices,
            };
            Some((position, whole))
        };
        positions.iter().filter_map(whole).collect()
    }

    fn assert_right(&self, truth: &Truth) {
        for (position, (cap, haircut)) in &self.caps {
            let slices = self.slices.iter().filter(|((of, _), _)| of == position);
            let slices: Vec<Slice> = slices.map(|(_, slice)| *slice).collect();
            let sums = slices.iter().fold(Owed::default(), |sum, it| sum + it.sums);
            assert_eq!(sums, truth.sums(*position));
            let counted = |slice: &Slice| slice.sums.counted(*haircut);
            let within = |slice: &Slice| slice.granted.is_none_or(|most| counted(slice) <= most);
            assert!(slices.iter().all(within), "{slices:?}");
            let warning = terms(*cap, *haircut).warning(ALWAYS);
            let is_above = sums.counted(*haircut) >= warning;
            assert!(
                !is_above || self.warned.contains_key(position),
                "nobody was warned"
            );
            if slices.iter().any(|slice| slice.granted.is_some()) {
                let may_be = slices
                    .iter()
                    .map(|slice| slice.granted.unwrap_or(counted(slice)));
                assert!(may_be.sum::<i64>() <= *cap, "{cap} {slices:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn writers_with_slices_come_to_what_one_that_asks_comes_to(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let (mut database, mut truth) = (Database::default(), Truth::default());
        let mut key = 0;
        for event in events {
            match event {
                Event::Cap { position, amount, haircut } => {
                    let cap = amount.map(|amount| (amount, haircut));
                    database.set(position, cap, truth.sums(position));
                    truth.caps.remove(&position);
                    truth.caps.extend(cap.map(|cap| (position, cap)));
                }
                Event::Group { writer, mut commands } => {
                    for command in &mut commands {
                        key += 1;
                        command.stamp.claim.key_hash = Uuid::from_u128(key);
                    }
                    let right: Vec<bool> = commands.iter().map(|fake| truth.take(fake)).collect();
                    prop_assert_eq!(database.carry_out(writer, &commands), right);
                }
            }
            database.assert_right(&truth);
        }
    }
}
