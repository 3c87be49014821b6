//! Holds: points are set aside, then spent or given back.
//!
//! A hold takes points from what is available in their lots to what is held there: they stay the
//! member's, and nothing else can spend them. A *capture* spends held points where they were issued; a
//! *release* makes them available again. Both may be partial, and come in any number until the hold is
//! used up. What was captured and released so far says which lots come next: a hold's lots are walked
//! in their order, whatever became of them meanwhile, so a lot that expires while it is held can still
//! be captured, and what a release puts back into it is for the sweep.
//!
//! A hold ends by itself: past its expiry nothing is captured, whether or not the sweep has released
//! the rest yet. A capture does not release the rest: an operation is one line of the journal, and
//! those are two. Holds do not count as activity, which re-dates what is available only.

pub mod api;
pub mod body;
pub mod state;

use std::sync::Arc;

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound, Utc};
use serde_json::json;

use crate::clock::{self, Timestamp};
use crate::ledger::awards::Place;
use crate::ledger::command::{Command, Decided, Move, Seen, Touches};
use crate::ledger::follow_ups::{self, walk};
use crate::ledger::lot::Short;
use crate::ledger::operation::{Kind, Leg, Operation};
use crate::ledger::programme::{Barred, Programme};
use crate::partners::Currency;
use crate::partners::life::Act;
use crate::points::account::Account;

/// How long a hold lasts when its maker does not say.
const USUAL: Duration = Duration::days(7);

/// How long a hold may last.
pub const LONGEST: Duration = Duration::days(30);

#[derive(Debug, Clone)]
pub struct Hold {
    pub wallet: Account,
    pub amount: i64,
    pub programme: Programme,
    pub expires_at: Option<Timestamp>,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Barred(Barred),
    /// It would end in the past, or too late.
    Ends,
    BalanceTooLow(Short, Arc<Currency>),
}

impl Command for Hold {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let programme = &self.programme;
        let allowed = programme.must_allow(Act::Hold, now);
        let fits = allowed.and_then(|()| programme.must_fit(Act::Hold, self.amount));
        fits.map_err(Refusal::Barred)?;
        let until = self.expires_at.unwrap_or(now + USUAL).trunc_subsecs(6);
        if until <= now || until > now + LONGEST || !clock::is_sensible(until) {
            return Err(Refusal::Ends);
        }

        let decided = Decided::new(Kind::Hold)
            .taking(seen, self.wallet, self.amount, now)
            .map_err(|short| Refusal::BalanceTooLow(short, self.programme.currency.clone()))?;
        let memo = json!({
            "expires_at": until.to_rfc3339_opts(SecondsFormat::Micros, true),
            "channel": self.place.channel, "location": self.place.location,
        });
        Ok(Decided {
            memo: Some(memo),
            ..decided
        })
    }
}

/// When a hold ends by itself.
pub fn ends_at(hold: &Operation) -> Option<Timestamp> {
    let written = hold.memo.as_ref()?.get("expires_at")?.as_str()?;
    let read = DateTime::parse_from_rfc3339(written).ok()?;
    Some(read.with_timezone(&Utc))
}

/// Why nothing can be captured or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Nothing is left of it.
    UsedUp,
    Expired(Timestamp),
    MoreThanLeft {
        left: i64,
    },
    /// The hub ends a hold when its time has come, and this one's has not.
    NotYet,
}

#[derive(Debug, Clone)]
pub struct Capture {
    pub hold: Operation,
    /// All that is left when none.
    pub amount: Option<i64>,
    pub place: Place,
}

impl Command for Capture {
    type Refusal = Over;

    fn touches(&self) -> Touches {
        touches(&self.hold)
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Over> {
        let (done, leg, moves) = next(&self.hold, seen, self.amount)?;
        let until = ends_at(&self.hold).unwrap_or(clock::ALWAYS);
        if until <= now {
            return Err(Over::Expired(until));
        }

        let taken = moves.into_iter().map(|step| Move {
            change: -step.change,
            ..step
        });
        let mut memo = follow_ups::memo(done);
        memo["channel"] = json!(self.place.channel);
        memo["location"] = json!(self.place.location);
        Ok(Decided {
            out: Some(leg),
            moves: taken.collect(),
            follows: Some(self.hold.id),
            memo: Some(memo),
            ..Decided::new(Kind::Capture)
        })
    }
}

#[derive(Debug, Clone)]
pub struct Release {
    pub hold: Operation,
    /// All that is left when none.
    pub amount: Option<i64>,
    /// Nobody asked: its time has come.
    pub is_due: bool,
}

impl Command for Release {
    type Refusal = Over;

    fn touches(&self) -> Touches {
        touches(&self.hold)
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Over> {
        if self.is_due && ends_at(&self.hold).is_some_and(|until| now < until) {
            return Err(Over::NotYet);
        }
        let (done, leg, moves) = next(&self.hold, seen, self.amount)?;
        Ok(Decided {
            into: Some(leg),
            moves,
            follows: Some(self.hold.id),
            memo: Some(follow_ups::memo(done)),
            ..Decided::new(Kind::Release)
        })
    }
}

fn touches(hold: &Operation) -> Touches {
    Touches {
        wallets: hold.out.iter().map(|leg| leg.wallet).collect(),
        follows: Some(hold.id),
        ..Touches::default()
    }
}

/// How much of a hold is done, its next units, and the lots they lie in.
fn next(
    hold: &Operation,
    seen: &Seen<'_>,
    amount: Option<i64>,
) -> Result<(i64, Leg, Vec<Move>), Over> {
    let done = seen.so_far.total();
    let left = hold.amount() - done;
    let amount = amount.unwrap_or(left);
    let leg = match hold.out {
        Some(leg) if left > 0 => Leg { amount, ..leg },
        _ => return Err(Over::UsedUp),
    };
    if amount > left {
        return Err(Over::MoreThanLeft { left });
    }
    let wallet = leg.wallet;
    let steps = walk(hold.losses(wallet), done, amount).into_iter();
    let moves = steps.map(|(lot, change)| Move {
        wallet,
        lot,
        change,
    });
    Ok((done, leg, moves.collect()))
}
