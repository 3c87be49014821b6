//! Reversals: what an operation did is undone by its mirror, linked to it; nothing is deleted.
//!
//! An operation is undone whole or in parts, stated in units of what it took (of what it gave, for an
//! award). What a [`part`] takes back and hands back in money follows from how much was undone before
//! it, so that the parts together are the operation, in whatever steps.
//!
//! Points go back into the lots they came from, with their old expiry. What the operation gave is
//! taken back from the lots it went into, and from the wallet's other lots when those were spent; from lots
//! that wait for a code only what waits for its own, so that another's is there when it is presented. What
//! is not there either the wallet owes, if who asks says so: later gains pay it first. While points of an import
//! are frozen, its awards are undone [with it](super::freeze) or not at all.
//! The money is that of the original, at its locked rate, in the open window. What the operation used of
//! limits and budgets comes back with the points: a bonus as its points are taken back, the count when
//! nothing is left of the operation.

pub mod api;
pub mod part;

use crate::clock::Timestamp;
use crate::ledger::budget::{self, Given};
use crate::ledger::command::{Command, Decided, Move, Seen, Touches};
use crate::ledger::deliveries;
use crate::ledger::follow_ups::{self, SoFar};
use crate::ledger::freeze;
use crate::ledger::lot::{Lot, LotKey, Short, Wallet};
use crate::ledger::operation::{Figures, Kind, Leg, Operation, Transfer};
use crate::ledger::tally::{self, Kept, Mark, TallyKey};
use part::Part;
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Reversal {
    pub original: Operation,
    /// In units of what the original took; all that is left when none.
    pub amount: Option<i64>,
    /// What was spent is owed by the wallet, instead of refused.
    pub receivable: bool,
    /// Of an award that is undone with its import: the frozen lots to take from before any others.
    pub undoes: Option<Vec<LotKey>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Operations of this kind are not reversed.
    NotReversible(Kind),
    AlreadyReversed {
        by: i64,
    },
    MoreThanLeft {
        left: i64,
    },
    /// Points of its import are frozen.
    Frozen(i64),
    /// What would be taken back is spent.
    Spent(Short),
}

impl Command for Reversal {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        let legs = [self.original.out, self.original.into];
        let budgets = budget::kept(self.original.memo.as_ref());
        Touches {
            wallets: legs.iter().flatten().map(|leg| leg.wallet).collect(),
            positions: self.original.positions(),
            follows: Some(self.original.id),
            budgets: budgets.iter().map(|given| given.owner).collect(),
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let original = &self.original;
        let kind = original.kind;
        let reversal = kind.reversal().ok_or(Refusal::NotReversible(kind))?;
        let part = self.part(seen.so_far.of(reversal))?;
        self.must_not_be_frozen(seen)?;
        let Mirror {
            out,
            into,
            figures,
            transfers,
        } = mirror(original, part);

        let mut moves = Vec::new();
        if let Some(leg) = out.filter(|leg| !leg.wallet.is_kept_by_partner()) {
            let waiting = match seen.so_far.of(Kind::Delivery).amount {
                0 => deliveries::waiting(original, part.before),
                _ => Vec::new(),
            };
            moves.extend(self.take_back(leg, &waiting, seen.wallet(leg.wallet), now)?);
        }
        if let Some(leg) = into {
            moves.extend(self.give_back(leg, seen.wallet(leg.wallet), part.before));
        }

        Ok(Decided {
            out,
            into,
            moves,
            figures,
            transfers,
            card_id: original.card_id,
            exchange_rate_id: original.exchange_rate_id,
            follows: Some(original.id),
            marks: self.marks(part, out, into),
            budgets: given_back(original, part),
            memo: Some(memo(original, part)),
            ..Decided::new(reversal)
        })
    }
}

/// What undoing a part of an operation moves.
pub struct Mirror {
    pub out: Option<Leg>,
    pub into: Option<Leg>,
    pub figures: Option<Figures>,
    pub transfers: Vec<Transfer>,
}

/// The legs and the transfers the other way round, and the money of the part.
pub fn mirror(original: &Operation, part: Part) -> Mirror {
    let share = |leg: Leg| Leg {
        amount: part.units(leg.amount),
        ..leg
    };
    Mirror {
        // What was gained may be less fine than what was given: then a part takes back nothing.
        out: original.into.map(share).filter(|leg| leg.amount > 0),
        into: original.out.map(share),
        figures: original.figures.map(|figures| part.figures(&figures)),
        transfers: part.transfers(original),
    }
}

/// What undoing a part of an operation remembers: how much was undone before, what is counted where, and
/// what came back into which budgets.
pub fn memo(original: &Operation, part: Part) -> Value {
    let mut memo = follow_ups::memo(part.before);
    let tallies = counted(original, part);
    if !tallies.is_empty() {
        memo["tallies"] = tally::memo(&tallies);
    }
    let budgets = given_back(original, part);
    if !budgets.is_empty() {
        memo["budgets"] = budget::memo(&budgets);
    }
    memo
}

/// The tallies of an operation, with what a part of it takes back of bonuses.
fn counted(original: &Operation, part: Part) -> Vec<Kept> {
    let kept = tally::kept(original.memo.as_ref()).into_iter();
    let counted = kept.map(|Kept { of, parts }| Kept {
        of,
        parts: parts.map(|parts| taken_back(original, part, &parts)),
    });
    counted.collect()
}

/// What comes back into budgets with a part of an operation.
fn given_back(original: &Operation, part: Part) -> Vec<Given> {
    let given = budget::kept(original.memo.as_ref()).into_iter();
    let given_back = given.map(|given| Given {
        owner: given.owner,
        parts: match given.is_money() {
            true => given.parts.iter().map(|it| -part.money(*it)).collect(),
            false => taken_back(original, part, &given.parts),
        },
    });
    given_back.collect()
}

/// The parts of a bonus, as far as their points are taken back.
fn taken_back(original: &Operation, part: Part, parts: &[i64]) -> Vec<i64> {
    let gained = original.into.map_or(0, |leg| leg.amount);
    let of_part = |units: &i64| -part.of_bonus(gained, *units);
    parts.iter().map(of_part).collect()
}

/// The lots that get back a leg of which the first units pay what is owed.
pub fn back(original: &Operation, leg: Leg, before: i64, pays: i64) -> Vec<(LotKey, i64)> {
    let lots = original.losses(leg.wallet);
    follow_ups::walk(lots, before + pays, leg.amount - pays)
}

impl Reversal {
    /// What was used of limits comes back, in the period it was used in.
    fn marks(&self, part: Part, out: Option<Leg>, into: Option<Leg>) -> Vec<(TallyKey, Mark)> {
        let amount = |leg: Option<Leg>| leg.map_or(0, |leg| leg.amount);
        let between = tally::gained(self.original.memo.as_ref());
        let mark = Mark {
            at: self.original.at,
            given: -amount(into),
            gained: -between.map_or(amount(out), |gained| part.units(gained)),
            times: -i64::from(part.after == part.whole),
        };
        let kept = counted(&self.original, part);
        kept.iter().map(|kept| kept.mark(mark)).collect()
    }

    /// What of an import is frozen is undone as a whole.
    fn must_not_be_frozen(&self, seen: &Seen<'_>) -> Result<(), Refusal> {
        let import = match &self.undoes {
            None => freeze::import_of(&self.original),
            Some(_) => None,
        };
        let Some((import, leg)) = import.zip(self.original.into) else {
            return Ok(());
        };
        let mut lots = seen.wallet(leg.wallet).lots.iter();
        match lots.any(|(key, lot)| key.freezer() == Some(import) && lot.available > 0) {
            true => Err(Refusal::Frozen(import)),
            false => Ok(()),
        }
    }

    fn part(&self, so_far: SoFar) -> Result<Part, Refusal> {
        let SoFar { last, amount } = so_far;
        let whole = self.original.amount();
        let left = whole - amount;
        let wanted = self.amount.unwrap_or(left);
        match left {
            0 => Err(Refusal::AlreadyReversed { by: last }),
            left if wanted > left => Err(Refusal::MoreThanLeft { left }),
            _ => Ok(Part {
                before: amount,
                after: amount + wanted,
                whole,
            }),
        }
    }

    /// From the lots that are frozen, then from those that were filled, of those that wait for a code what waits
    /// for its own, then from whatever else is usable, earliest expiry first.
    fn take_back(
        &self,
        leg: Leg,
        waiting: &[(LotKey, i64)],
        wallet: &Wallet,
        now: Timestamp,
    ) -> Result<Vec<Move>, Refusal> {
        let filled: Vec<LotKey> = self
            .original
            .gains(leg.wallet)
            .map(|(lot, _)| lot)
            .filter(|lot| *lot != LotKey::RECEIVABLE)
            .collect();
        let mut lots: Vec<(LotKey, Lot)> =
            wallet.lots.iter().map(|(key, lot)| (*key, *lot)).collect();
        let frozen = self.undoes.as_deref().unwrap_or_default();
        lots.retain(|(key, _)| key.is_usable(now) || filled.contains(key) || frozen.contains(key));
        lots.sort_by_key(|(key, _)| (!frozen.contains(key), !filled.contains(key)));

        let mut rest = leg.amount;
        let mut moves = Vec::new();
        for (lot, Lot { available, .. }) in lots {
            let own = waiting.iter().find(|(key, _)| *key == lot);
            let most = match lot.awaits_code() {
                true => own.map_or(0, |(_, units)| available.min(*units)),
                false => available,
            };
            let part = rest.min(most);
            if part > 0 {
                moves.push(Move {
                    wallet: leg.wallet,
                    lot,
                    change: -part,
                });
                rest -= part;
            }
        }
        match rest {
            0 => Ok(moves),
            owed if self.receivable => {
                moves.push(Move {
                    wallet: leg.wallet,
                    lot: LotKey::RECEIVABLE,
                    change: -owed,
                });
                Ok(moves)
            }
            _ => Err(Refusal::Spent(Short {
                held: leg.amount - rest,
                needed: leg.amount,
            })),
        }
    }

    /// Pays what the wallet owes; the rest goes into the same lots, also when they have expired
    /// meanwhile, after what went back before.
    fn give_back(&self, leg: Leg, wallet: &Wallet, before: i64) -> impl Iterator<Item = Move> {
        let pays = wallet.owed().min(leg.amount);
        let lots = back(&self.original, leg, before, pays);
        let paid = (pays > 0).then_some((LotKey::RECEIVABLE, pays));
        lots.into_iter().chain(paid).map(move |(lot, part)| Move {
            wallet: leg.wallet,
            lot,
            change: part,
        })
    }
}
