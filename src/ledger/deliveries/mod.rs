//! Deliveries: what was gained by code becomes usable when the code is presented.
//!
//! What a conversion delivers by code is in the member's wallet from the beginning, in lots that nobody
//! can use. Whoever presents the code first has it: the lots of the conversion go, whole, into ordinary ones
//! of the wallet of a member of the same programme, which begin their life then. So nothing is posted, and
//! what nobody presents in time expires as points do.
//!
//! Lots of two conversions may be one row. How much of it is whose follows from the conversions and what was
//! undone of them: a reversal takes back what waits for its own code first.

pub mod api;
pub mod code;

use crate::clock::Timestamp;
use crate::ledger::command::{Command, Decided, Move, Seen, Touches};
use crate::ledger::follow_ups::{self, SoFar, walk};
use crate::ledger::lot::LotKey;
use crate::ledger::operation::{Kind, Leg, Operation};
use crate::ledger::programme::{Barred, Programme};
use crate::ledger::reversals::part::Part;
use crate::partners::life::Act;
use crate::points::account::Account;

#[derive(Debug, Clone)]
pub struct Delivery {
    pub conversion: Operation,
    /// Of who presents the code.
    pub wallet: Account,
    pub programme: Programme,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Barred(Barred),
    /// The code was presented before.
    Used {
        by: i64,
    },
    /// It was not presented in time.
    Lapsed(Timestamp),
    /// The conversion is undone.
    Undone,
}

impl Command for Delivery {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        let filled = self.conversion.into.map(|leg| leg.wallet);
        let mut wallets = vec![self.wallet];
        wallets.extend(filled.filter(|wallet| *wallet != self.wallet));
        Touches {
            wallets,
            follows: Some(self.conversion.id),
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        self.programme
            .must_allow(Act::Deliver, now)
            .map_err(Refusal::Barred)?;
        if let SoFar {
            last: by,
            amount: 1..,
        } = seen.so_far.of(Kind::Delivery)
        {
            return Err(Refusal::Used { by });
        }
        let undone = seen.so_far.of(Kind::ConversionReversal).amount;
        let waiting = waiting(&self.conversion, undone);
        let (Some(leg), Some((first, _))) = (self.conversion.into, waiting.first()) else {
            return Err(Refusal::Undone);
        };
        if first.expires_at <= now {
            return Err(Refusal::Lapsed(first.expires_at));
        }

        let usable = |lot: &LotKey| LotKey {
            class: lot.class,
            ..self.programme.lot(now)
        };
        let into: Vec<_> = waiting.iter().map(|(lot, it)| (usable(lot), *it)).collect();
        let moves = waiting.iter().map(|(lot, amount)| Move {
            wallet: leg.wallet,
            lot: *lot,
            change: -amount,
        });
        Ok(Decided {
            out: Some(Leg {
                amount: waiting.iter().map(|(_, amount)| amount).sum(),
                ..leg
            }),
            moves: moves.collect(),
            follows: Some(self.conversion.id),
            memo: Some(follow_ups::memo(undone)),
            ..Decided::new(Kind::Delivery)
        }
        .giving_lots(seen, self.wallet, &into))
    }
}

/// What of a conversion waits for its code once so much of it was undone, before that is presented.
pub fn waiting(conversion: &Operation, undone: i64) -> Vec<(LotKey, i64)> {
    let Some(leg) = conversion.into else {
        return Vec::new();
    };
    let taken_back = match undone {
        0 => 0,
        after => {
            let (before, whole) = (0, conversion.amount());
            Part {
                before,
                after,
                whole,
            }
            .units(leg.amount)
        }
    };
    walk(by_code(conversion), taken_back, leg.amount)
}

/// The lots of a conversion that wait for its code.
pub fn by_code(conversion: &Operation) -> impl Iterator<Item = (LotKey, i64)> {
    let wallet = conversion.into.map(|leg| leg.wallet);
    let gains = wallet.into_iter().flat_map(|it| conversion.gains(it));
    gains.filter(|(lot, _)| lot.awaits_code())
}

/// Until when the code of a conversion can be presented; none when it has none.
pub fn valid_until(conversion: &Operation) -> Option<Timestamp> {
    if conversion.kind != Kind::Conversion {
        return None;
    }
    by_code(conversion).next().map(|(lot, _)| lot.expires_at)
}
