//! Freezing: points that a wrong import gave are used by nobody until it is clear what becomes of them.
//!
//! Points are frozen award by award: what is still in the lot that the award filled, up to its amount, goes
//! into a lot beside it that is frozen for the import. Several awards may have filled one lot, and each takes
//! what those before it left; so what a lot has of an import is what is left of it, up to the sum of the
//! awards. Nothing is posted: it stays the member's. What was spent or set aside before stands.
//!
//! A thaw takes what is frozen back to where it came from. An undo reverses the award, from what is frozen
//! first; of what is not there it takes all, which the wallet then owes, or nothing, as was agreed. An award whose
//! points' time is over is left: whether they were used, nobody owes them.

use serde_json::json;

use super::command::{Command, Decided, Move, Seen, Touches};
use super::lot::{LotKey, Wallet};
use super::operation::{Kind, Leg, Operation};
use super::reversals::Reversal;
use crate::clock::Timestamp;

/// An award that an import made.
#[derive(Debug, Clone)]
pub struct Imported {
    pub award: Operation,
    pub import: i64,
    /// Whether activity moves the expiry of its currency's points.
    pub moves: bool,
    /// When the currency's issuer ends, if it does: then all its points' time is over.
    pub ends_at: Option<Timestamp>,
}

/// There is nothing of the award to be frozen, thawed or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

#[derive(Debug, Clone)]
pub struct Freeze(pub Imported);

#[derive(Debug, Clone)]
pub struct Thaw(pub Imported);

/// Undoes an award with its import.
#[derive(Debug, Clone)]
pub struct Undo {
    pub of: Imported,
    /// Whether the wallet owes what is not there any more; else it is left.
    pub is_owed: bool,
}

/// The import that an award was made by, or that points are frozen for.
pub fn import_of(operation: &Operation) -> Option<i64> {
    operation.memo.as_ref()?.get("import")?.as_i64()
}

impl Imported {
    /// The lot that the award filled, and with how much: the rest paid what the wallet owed.
    fn filled(&self) -> Option<(LotKey, i64)> {
        let leg = self.award.into?;
        let gains = || self.award.gains(leg.wallet);
        let paid = gains().filter(|(lot, _)| *lot == LotKey::RECEIVABLE);
        let paid: i64 = paid.map(|(_, units)| units).sum();
        // Others are there where activity re-dates them: those could be used before.
        let own = gains().map(|(lot, _)| lot).filter(|lot| lot.class == 0);
        let ordinary = |lot: &LotKey| *lot == LotKey::expiring(lot.expires_at);
        let (later, at_once): (Vec<_>, Vec<_>) = own
            .filter(|lot| lot.usable_from > self.award.at || ordinary(lot))
            .partition(|lot| !ordinary(lot));
        let lot = later.into_iter().chain(at_once).next()?;
        Some((lot, leg.amount - paid)).filter(|(_, placed)| *placed > 0)
    }

    /// The lots where the points of the award are, if they are anywhere: that which it filled, the later ones
    /// that activity made of it, and what of either is frozen.
    fn lots<'w>(&self, wallet: &'w Wallet) -> impl Iterator<Item = (LotKey, i64)> + use<'w> {
        let (filled, import, moves) = (self.filled(), self.import, self.moves);
        let is_own = move |key: &LotKey| {
            filled.is_some_and(|(lot, _)| {
                let is_in_time = match moves {
                    true => lot.expires_at <= key.expires_at,
                    false => lot.expires_at == key.expires_at,
                };
                let is_of_import = key.freezer().is_none_or(|it| it == import);
                is_in_time
                    && is_of_import
                    && LotKey {
                        expires_at: lot.expires_at,
                        ..key.thawed()
                    } == lot
            })
        };
        let lots = wallet.lots.iter().map(|(key, lot)| (*key, lot.available));
        lots.filter(move |(key, _)| is_own(key))
    }

    /// Whether the time of points in a lot is not over.
    fn is_alive(&self, lot: &LotKey, now: Timestamp) -> bool {
        now < lot.expires_at && self.ends_at.is_none_or(|end| now < end)
    }

    fn touches(&self) -> Touches {
        Touches {
            wallets: self.award.into.iter().map(|leg| leg.wallet).collect(),
            follows: Some(self.award.id),
            ..Touches::default()
        }
    }

    /// Moves points between lots that differ only in whether they are frozen.
    fn turned(&self, kind: Kind, leg: Leg, lots: Vec<(LotKey, i64)>) -> Result<Decided, Nothing> {
        let amount = lots.iter().map(|(_, units)| units).sum();
        if amount == 0 {
            return Err(Nothing);
        }
        let step = |lot, change| Move {
            wallet: leg.wallet,
            lot,
            change,
        };
        let moves = lots.into_iter().flat_map(|(lot, units)| {
            let other = match kind {
                Kind::Freeze => lot.frozen_for(self.import),
                _ => lot.thawed(),
            };
            [step(lot, -units), step(other, units)]
        });
        let leg = Leg { amount, ..leg };
        Ok(Decided {
            out: Some(leg),
            into: Some(leg),
            moves: moves.collect(),
            memo: Some(json!({ "import": self.import, "award": self.award.id })),
            ..Decided::new(kind)
        })
    }
}

impl Command for Freeze {
    type Refusal = Nothing;

    fn touches(&self) -> Touches {
        self.0.touches()
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Nothing> {
        let (leg, (_, placed)) = self.0.award.into.zip(self.0.filled()).ok_or(Nothing)?;
        let mut left = (placed - seen.so_far.of(Kind::AwardReversal).amount).max(0);
        let mut lots = Vec::new();
        for (key, available) in self.0.lots(seen.wallet(leg.wallet)) {
            if !key.is_frozen() && self.0.is_alive(&key, now) {
                let part = left.min(available);
                left -= part;
                lots.extend((part > 0).then_some((key, part)));
            }
        }
        self.0.turned(Kind::Freeze, leg, lots)
    }
}

impl Command for Thaw {
    type Refusal = Nothing;

    fn touches(&self) -> Touches {
        self.0.touches()
    }

    fn decide(&self, seen: &Seen<'_>, _: Timestamp) -> Result<Decided, Nothing> {
        let leg = self.0.award.into.ok_or(Nothing)?;
        let lots = self.0.lots(seen.wallet(leg.wallet));
        let frozen = lots.filter(|(key, units)| key.is_frozen() && *units > 0);
        self.0.turned(Kind::Thaw, leg, frozen.collect())
    }
}

impl Command for Undo {
    type Refusal = Nothing;

    fn touches(&self) -> Touches {
        self.of.touches()
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Nothing> {
        let award = &self.of.award;
        let leg = award.into.ok_or(Nothing)?;
        let left = leg.amount - seen.so_far.of(Kind::AwardReversal).amount;
        let lots = self.of.lots(seen.wallet(leg.wallet));
        let (alive, over): (Vec<_>, Vec<_>) = lots.partition(|(key, _)| self.of.is_alive(key, now));
        let is_over = alive.is_empty() && !over.is_empty();
        let frozen = alive.iter().filter(|(key, _)| key.is_frozen());
        let amount = match self.is_owed {
            true if is_over => 0,
            true => left,
            false => left.min(frozen.clone().map(|(_, units)| units).sum()),
        };
        if amount <= 0 {
            return Err(Nothing);
        }
        let reversal = Reversal {
            original: award.clone(),
            amount: Some(amount),
            receivable: self.is_owed,
            undoes: Some(frozen.map(|(key, _)| *key).collect()),
        };
        reversal.decide(seen, now).map_err(|_| Nothing)
    }
}

/// Whether an operation that freezes or thaws moves points between lots of one wallet that differ only in
/// that, and does nothing else.
pub fn is_whole(operation: &Operation) -> bool {
    let Some((import, leg)) = import_of(operation).zip(operation.into) else {
        return false;
    };
    let is_freeze = operation.kind == Kind::Freeze;
    let turned = |(lot, units): (LotKey, i64)| match is_freeze {
        true => (lot.frozen_for(import), units),
        false => (lot.thawed(), units),
    };
    let is_right = |(lot, _): (LotKey, i64)| match is_freeze {
        true => lot.class == 0 && operation.at < lot.expires_at,
        false => lot.freezer() == Some(import),
    };
    let losses = || operation.losses(leg.wallet);
    operation.out == operation.into
        && losses().all(is_right)
        && losses().map(turned).eq(operation.gains(leg.wallet))
        && (operation.figures, operation.follows) == (None, None)
        && operation.transfers.is_empty()
}
