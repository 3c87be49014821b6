//! A command: something that would move points, stated so that it can be decided alone or among
//! hundreds.
//!
//! It says beforehand what it touches, and decides purely from what was read. It
//! does not know whether it runs in a group of one or of five hundred, nor on which hub.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::budget::{Budgets, Given};
use super::caps::room::Reached;
use super::follow_ups::FollowUps;
use super::lot::{LotKey, Pockets, Short, Wallet};
use super::operation::{Figures, Kind, Leg, Transfer};
use super::tally::{Mark, TallyKey, Wanted};
use crate::clock::Timestamp;
use crate::points::account::Account;
use crate::web::Origin;
use crate::web::once::Claim;

pub trait Command: Send + Sync + 'static {
    type Refusal: Send + Sync + 'static;

    /// What is read before the decision, and as it was read when the decision is written.
    fn touches(&self) -> Touches;

    /// The moves and figures, or a refusal that moves nothing. `seen` is all it may look at.
    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Self::Refusal>;
}

#[derive(Debug, Clone, Default)]
pub struct Touches {
    pub wallets: Vec<Account>,
    /// The positions whose money this may move, that of who asks first.
    pub positions: Vec<Account>,
    /// The quote this takes.
    pub quote: Option<Uuid>,
    /// The operation this follows up.
    pub follows: Option<i64>,
    /// The budgets out of which this may give, or give back.
    pub budgets: Vec<i64>,
    /// Of wallets among these.
    pub tallies: Vec<Wanted>,
}

/// Who asked, in which request, under which key: what every operation carries.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub claim: Claim,
    pub principal_id: i64,
    /// Whether it is known that the principal is live; else the group asks.
    pub is_confirmed: bool,
    pub request_id: Uuid,
    pub origin: Origin,
    /// The publication the command was built on: decided only while it is the latest.
    pub version: Option<i64>,
    pub reference: Option<Reference>,
}

/// A partner's own name for an operation, unique per partner and kind for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub partner_id: i64,
    pub kind: Kind,
    pub hash: Uuid,
    pub text: String,
}

/// What a decision may look at.
pub struct Seen<'a> {
    pub(super) wallets: &'a HashMap<Account, Wallet>,
    /// The conversion that took the command's quote, if one did.
    pub quote_taken: Option<i64>,
    /// What has followed the operation that the command follows up.
    pub so_far: &'a FollowUps,
    pub(super) budgets: &'a Budgets,
    pub(super) marks: &'a HashMap<TallyKey, Vec<Mark>>,
}

static NOTHING: Wallet = Wallet {
    lots: std::collections::BTreeMap::new(),
    last: None,
};

impl Seen<'_> {
    /// A wallet the command said it touches.
    pub fn wallet(&self, account: Account) -> &Wallet {
        self.wallets.get(&account).unwrap_or(&NOTHING)
    }

    /// What is given out of a budget the command said it touches.
    pub fn given(&self, owner: i64) -> i64 {
        self.budgets.given(owner)
    }

    /// A tally the command asked for: at least from the instant it named.
    pub fn marks(&self, of: TallyKey) -> &[Mark] {
        self.marks.get(&of).map_or(&[], Vec::as_slice)
    }
}

/// A decision to move points. A lot is named by what it is.
#[derive(Debug, Clone)]
pub struct Decided {
    pub kind: Kind,
    pub out: Option<Leg>,
    pub into: Option<Leg>,
    pub moves: Vec<Move>,
    pub figures: Option<Figures>,
    pub transfers: Vec<Transfer>,
    pub card_id: Option<i64>,
    pub exchange_rate_id: Option<i64>,
    pub quote: Option<Uuid>,
    pub follows: Option<i64>,
    pub budgets: Vec<Given>,
    pub marks: Vec<(TallyKey, Mark)>,
    pub memo: Option<Value>,
}

/// One lot's gain, or loss when negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub wallet: Account,
    pub lot: LotKey,
    pub change: i64,
}

impl Decided {
    pub fn new(kind: Kind) -> Decided {
        Decided {
            kind,
            out: None,
            into: None,
            moves: Vec::new(),
            figures: None,
            transfers: Vec::new(),
            card_id: None,
            exchange_rate_id: None,
            quote: None,
            follows: None,
            budgets: Vec::new(),
            marks: Vec::new(),
            memo: None,
        }
    }

    /// Takes `amount` from a wallet, earliest expiry first.
    pub fn taking(
        self,
        seen: &Seen<'_>,
        wallet: Account,
        amount: i64,
        now: Timestamp,
    ) -> Result<Decided, Short> {
        self.taking_only(seen, wallet, amount, now, |_| true)
    }

    /// The same, from lots of a kind only. Where the issuer keeps the balance there are no lots to look at.
    pub fn taking_only(
        mut self,
        seen: &Seen<'_>,
        wallet: Account,
        amount: i64,
        now: Timestamp,
        which: impl Fn(&LotKey) -> bool,
    ) -> Result<Decided, Short> {
        self.out = Some(Leg { wallet, amount });
        if wallet.is_kept_by_partner() {
            return Ok(self);
        }
        let taken = seen.wallet(wallet).take(amount, now, which)?;
        self.moves.extend(taken.into_iter().map(|(lot, part)| Move {
            wallet,
            lot,
            change: -part,
        }));
        Ok(self)
    }

    /// Puts `amount` into one lot of a wallet, after what the wallet owes.
    pub fn giving(self, seen: &Seen<'_>, wallet: Account, amount: i64, lot: LotKey) -> Decided {
        self.giving_lots(seen, wallet, &[(lot, amount)])
    }

    /// Puts amounts into lots of a wallet, after what the wallet owes.
    pub fn giving_lots(
        mut self,
        seen: &Seen<'_>,
        wallet: Account,
        lots: &[(LotKey, i64)],
    ) -> Decided {
        let amount = lots.iter().map(|(_, amount)| amount).sum();
        self.into = Some(Leg { wallet, amount });
        if wallet.is_kept_by_partner() {
            return self;
        }
        let pays = seen.wallet(wallet).owed().min(amount);
        let mut parts = vec![(LotKey::RECEIVABLE, pays)];
        let mut left = pays;
        for (lot, amount) in lots {
            let paid = left.min(*amount);
            left -= paid;
            parts.push((*lot, amount - paid));
        }
        let moves = parts.into_iter().filter(|(_, change)| *change > 0);
        self.moves.extend(moves.map(|(lot, change)| Move {
            wallet,
            lot,
            change,
        }));
        self
    }

    /// Lets what else the wallet holds expire at `expires_at` instead of sooner.
    pub fn extending(
        mut self,
        seen: &Seen<'_>,
        wallet: Account,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Decided {
        let mut left = seen.wallet(wallet).clone();
        let of_wallet = self
            .moves
            .iter()
            .filter(|step| step.wallet == wallet && step.change < 0);
        of_wallet.for_each(|step| {
            let _ = left.change(step.lot, Pockets::available(step.change));
        });
        let redated = left.redate(expires_at, now);
        self.moves
            .extend(redated.into_iter().map(|(lot, change)| Move {
                wallet,
                lot,
                change,
            }));
        self
    }
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Failed<R> {
    /// The command's own rules refuse it.
    Refused(R),
    /// Who sent it is not live any more.
    Unwelcome,
    /// The key came with another body before.
    KeyReused,
    /// The reference names another operation.
    ReferenceTaken(i64),
    /// Something was published since the command was built: build it again.
    Stale,
    /// A wallet it touches does not exist.
    NoWallet(Account),
    /// The partner that pays may not owe that much more.
    CapReached(Reached),
    /// The queue is full.
    Busy,
    /// The database does not answer.
    Unavailable,
    Broken(anyhow::Error),
}
