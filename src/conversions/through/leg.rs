//! A leg of a conversion through a third currency, as the operation remembers it.
//!
//! An operation has one leg out, one in, and the figures of one card. Where two cards decide, what each
//! posts stands among the operation's transfers, in this order:
//!
//! | of each leg                | debit          | credit          | amount            |
//! |----------------------------|----------------|-----------------|-------------------|
//! | the money, as of any card  | its issuer's position | ...      | `ledger::transfer` |
//! | between: the base          | converted in   | converted out   | units             |
//! | between: a bonus           | bonus          | converted out   | units             |
//! | at the end: a bonus        | bonus          | members         | units             |
//! | bonuses: who pays for them | position       | position        | as of any card    |
//!
//! What is between enters and leaves its programme in one operation, and is in no wallet.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conversions::bonus::Parties;
use crate::conversions::decision::Order;
use crate::conversions::postings;
use crate::ledger::operation::{Operation, Transfer};
use crate::ledger::transfer;
use crate::points::account::{Account, AccountKind, Asset};
use crate::points::money::Micros;
use crate::rates::card::{Card, Evaluated};

/// What one card made of an amount, and what that cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub card: i64,
    pub exchange_rate: Option<i64>,
    pub from: Asset,
    pub to: Asset,
    pub given: i64,
    pub gained: i64,
    /// The positions of the two issuers.
    pub pays: i64,
    pub paid: i64,
    pub gross: i64,
    pub commission: i64,
    pub value: i64,
    /// How many of the operation's transfers are its own.
    pub posts: usize,
}

/// What a leg is worked out from.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'a> {
    pub card_id: i64,
    pub card: &'a Card,
    pub exchange_rate: Option<i64>,
    /// The holders of what is given.
    pub from: Account,
    pub parties: Parties,
    pub evaluated: &'a Evaluated,
    pub fee: Option<(Asset, Micros)>,
}

impl<'a> Evaluation<'a> {
    pub fn of(order: &'a Order, evaluated: &'a Evaluated) -> Evaluation<'a> {
        Evaluation {
            card_id: order.card_id,
            card: &order.card,
            exchange_rate: order.exchange.map(|(id, _)| id),
            from: order.from.wallet.holders(),
            parties: order.parties(),
            evaluated,
            fee: postings::fee(evaluated, order.fee_money.as_ref()),
        }
    }

    fn transfers(&self) -> Vec<Transfer> {
        let figures = postings::figures(self.evaluated, self.parties);
        let money = transfer::of_figures(&figures).into_iter();
        let money = money.filter(|it| it.amount > 0 && it.debit != it.credit);
        let others = postings::transfers(
            self.card,
            self.evaluated,
            self.parties,
            None,
            self.fee,
            self.from,
        );
        money.chain(others).collect()
    }

    fn leg(&self, posts: usize) -> Leg {
        let Parties {
            source,
            target,
            gained,
        } = self.parties;
        let (priced, figures) = (&self.evaluated.priced, &self.evaluated.figures);
        Leg {
            card: self.card_id,
            exchange_rate: self.exchange_rate,
            from: self.from.asset(),
            to: gained.asset(),
            given: priced.used,
            gained: priced.total,
            pays: source.0,
            paid: target.0,
            gross: figures.gross.0,
            commission: figures.commission.0,
            value: figures.value.0,
            posts,
        }
    }
}

/// The legs, and all that they post.
pub fn posted(evaluations: &[Evaluation<'_>]) -> (Vec<Leg>, Vec<Transfer>) {
    let (mut legs, mut all) = (Vec::new(), Vec::new());
    for (nth, evaluation) in (1..).zip(evaluations) {
        let mut transfers = evaluation.transfers();
        if nth < evaluations.len() {
            pass_on(&mut transfers, evaluation);
        }
        legs.push(evaluation.leg(transfers.len()));
        all.extend(transfers);
    }
    (legs, all)
}

/// What is gained here is given at once: it goes to nobody.
fn pass_on(transfers: &mut Vec<Transfer>, evaluation: &Evaluation<'_>) {
    let gained = evaluation.parties.gained;
    let of = |kind| Account::of(kind, gained.asset());
    for transfer in transfers.iter_mut() {
        if transfer.credit == gained {
            transfer.credit = of(AccountKind::ConvertedOut);
        }
    }
    let base = Transfer {
        debit: of(AccountKind::ConvertedIn),
        credit: of(AccountKind::ConvertedOut),
        amount: evaluation.evaluated.priced.base,
    };
    transfers.insert(0, base);
}

/// The legs that an operation remembers; none of a conversion by one card.
pub fn remembered(memo: Option<&Value>) -> Vec<Leg> {
    let kept = memo.and_then(|memo| memo.get("legs"));
    let read = |kept: &Value| Vec::<Leg>::deserialize(kept).ok();
    kept.and_then(read).unwrap_or_default()
}

/// Each leg with its own of the operation's transfers.
pub fn with_transfers(operation: &Operation) -> Vec<(Leg, &[Transfer])> {
    let mut left = &operation.transfers[..];
    let own = |leg: Leg| {
        let (own, rest) = left.split_at_checked(leg.posts).unwrap_or((left, &[]));
        left = rest;
        (leg, own)
    };
    remembered(operation.memo.as_ref())
        .into_iter()
        .map(own)
        .collect()
}
