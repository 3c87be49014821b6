//! Reversals: what an operation did is undone by its mirror, linked to it; nothing is deleted.
//!
//! Points go back into the lots they came from, with their old expiry. What the operation gave is
//! taken back from the lots it went into, and from the wallet's other lots when those were spent.
//! The money is that of the original, to the last digit, at its locked rate, in the open window.

pub mod api;

use crate::clock::Timestamp;
use crate::ledger::command::{Command, Decided, Move, Seen, Touches};
use crate::ledger::lot::{Lot, LotKey, Short, Wallet};
use crate::ledger::operation::{Kind, Leg, Operation};

#[derive(Debug, Clone)]
pub struct Reversal {
    pub original: Operation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Operations of this kind are not reversed.
    NotReversible(Kind),
    AlreadyReversed {
        by: i64,
    },
    /// What would be taken back is spent.
    Spent(Short),
}

impl Command for Reversal {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        let legs = [self.original.out, self.original.into];
        let figures = &self.original.figures;
        Touches {
            wallets: legs.iter().flatten().map(|leg| leg.wallet).collect(),
            positions: figures
                .iter()
                .flat_map(|figures| [figures.pays, figures.paid])
                .collect(),
            reverses: Some(self.original.id),
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let Operation {
            id,
            kind,
            out,
            into,
            figures,
            card_id,
            exchange_rate_id,
            ..
        } = self.original;
        let reversal = kind.reversal().ok_or(Refusal::NotReversible(kind))?;
        if let Some(by) = seen.reversed_by {
            return Err(Refusal::AlreadyReversed { by });
        }

        let mut moves = Vec::new();
        if let Some(leg) = into {
            moves.extend(self.take_back(leg, seen.wallet(leg.wallet), now)?);
        }
        if let Some(leg) = out {
            moves.extend(self.give_back(leg));
        }

        let reverses = Some(id);
        Ok(Decided {
            out: into,
            into: out,
            moves,
            figures,
            card_id,
            exchange_rate_id,
            reverses,
            ..Decided::new(reversal)
        })
    }
}

impl Reversal {
    /// From the lots that were filled, then from whatever else is usable, earliest expiry first.
    fn take_back(&self, leg: Leg, wallet: &Wallet, now: Timestamp) -> Result<Vec<Move>, Refusal> {
        let filled: Vec<LotKey> = self
            .changes(leg, |change| change > 0)
            .map(|(lot, _)| lot)
            .collect();
        let mut lots: Vec<(LotKey, Lot)> =
            wallet.lots.iter().map(|(key, lot)| (*key, *lot)).collect();
        lots.retain(|(key, _)| key.is_usable(now) || filled.contains(key));
        lots.sort_by_key(|(key, _)| !filled.contains(key));

        let mut rest = leg.amount;
        let mut moves = Vec::new();
        for (lot, Lot { available, .. }) in lots {
            let part = rest.min(available);
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
            _ => Err(Refusal::Spent(Short {
                held: leg.amount - rest,
                needed: leg.amount,
            })),
        }
    }

    /// Into the same lots, also when they have expired meanwhile.
    fn give_back(&self, leg: Leg) -> Vec<Move> {
        // What activity re-dated went out of one lot and into another; only the leg comes back.
        let mut rest = leg.amount;
        let mut moves = Vec::new();
        for (lot, change) in self.changes(leg, |change| change < 0) {
            let part = rest.min(-change);
            moves.push(Move {
                wallet: leg.wallet,
                lot,
                change: part,
            });
            rest -= part;
        }
        moves
    }

    fn changes(&self, leg: Leg, side: fn(i64) -> bool) -> impl Iterator<Item = (LotKey, i64)> {
        let of_leg = self
            .original
            .lots
            .iter()
            .filter(move |lot| lot.wallet == leg.wallet && side(lot.change));
        of_leg.map(|lot| (lot.lot, lot.change))
    }
}
