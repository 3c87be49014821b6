//! Awards: an issuer gives points to a member, for a reason; at once, or usable from a later instant,
//! as for a journey that may yet be cancelled. Where the issuer [limits](crate::partners::award_limits) a
//! reason, what a wallet was awarded for it is counted in a tally, and undoing an award takes it back.

pub mod api;

use std::sync::Arc;

use chrono::{Duration, SubsecRound};
use serde_json::json;

use crate::clock::{self, Timestamp};
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::lot::LotKey;
use crate::ledger::operation::{Kind, Operation};
use crate::ledger::programme::{Barred, Programme};
use crate::ledger::tally::{self, Kept, Mark, TallyKey, Wanted};
use crate::partners::Currency;
pub use crate::partners::award_limits::Reason;
use crate::partners::award_limits::limit::{self, AwardLimit, Reached};
use crate::partners::life::Act;
use crate::points::account::Account;
use crate::web::text;

/// What an award calls its mandate in its memo.
pub const MANDATE: &str = "mandate";

/// How far ahead points can be given.
pub const FURTHEST: Duration = Duration::days(366);

/// Where something happened, in the partner's own codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub channel: Option<String>,
    pub location: Option<String>,
}

impl Place {
    pub fn of(channel: &Option<text::Mark>, location: &Option<text::Mark>) -> Place {
        Place {
            channel: channel.clone().map(String::from),
            location: location.clone().map(String::from),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Award {
    pub wallet: Account,
    pub amount: i64,
    pub programme: Programme,
    pub reason: Reason,
    /// At once when none.
    pub usable_from: Option<Timestamp>,
    pub place: Place,
    /// When it came.
    pub at: Timestamp,
    /// The import and its line that asked for it.
    pub imported: Option<(i64, i64)>,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Barred(Barred),
    /// They would be usable in the past, too late, or after they expire.
    UsableFrom,
    /// It would go over a limit of its reason.
    LimitReached(Box<Reached>, Arc<Currency>),
}

impl Command for Award {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            tallies: self
                .limits()
                .map(|limit| Wanted {
                    of: self.tally(),
                    since: limit.begins(self.programme.currency.zone, self.at),
                })
                .collect(),
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        let programme = &self.programme;
        let allowed = programme.must_allow(Act::Award, now);
        let fits = allowed.and_then(|()| programme.must_fit(Act::Award, self.amount));
        fits.map_err(Refusal::Barred)?;
        let lot = self.lot(now)?;
        let marks = self.within_limits(seen, now)?;

        let mut decided = Decided::new(Kind::Award);
        if let Some(until) = self.programme.extends_to(now) {
            decided = decided.extending(seen, self.wallet, until, now);
        }
        let mut memo = json!({
            "reason": self.reason, "channel": self.place.channel, "location": self.place.location,
        });
        if let Some((import, line)) = self.imported {
            memo["import"] = json!(import);
            memo["line"] = json!(line);
        }
        if !marks.is_empty() {
            let kept = |(of, _): &(TallyKey, Mark)| Kept {
                of: *of,
                parts: None,
            };
            let kept: Vec<Kept> = marks.iter().map(kept).collect();
            memo["tallies"] = tally::memo(&kept);
        }
        Ok(Decided {
            marks,
            memo: Some(memo),
            ..decided.giving(seen, self.wallet, self.amount, lot)
        })
    }
}

/// The mandate that an award was made under, as it remembers.
pub fn mandate_of(operation: &Operation) -> Option<i64> {
    operation.memo.as_ref()?.get(MANDATE)?.as_i64()
}

impl Award {
    /// The limits of its currency that are for its reason.
    fn limits(&self) -> impl Iterator<Item = &AwardLimit> {
        let limits = self.programme.currency.award_limits.iter();
        limits.filter(|limit| limit.reason == self.reason)
    }

    fn tally(&self) -> TallyKey {
        TallyKey::named(self.wallet, &format!("award:{}", self.reason.name()))
    }

    /// What it counts, where a limit holds; refuses what would go over one.
    fn within_limits(
        &self,
        seen: &Seen<'_>,
        now: Timestamp,
    ) -> Result<Vec<(TallyKey, Mark)>, Refusal> {
        if self.limits().next().is_none() {
            return Ok(Vec::new());
        }
        let (key, currency) = (self.tally(), &self.programme.currency);
        let mark = Mark {
            at: now,
            given: 0,
            gained: self.amount,
            times: 1,
        };
        limit::admit(self.limits(), seen.marks(key), &mark, (currency.zone, now))
            .map_err(|reached| Refusal::LimitReached(Box::new(reached), currency.clone()))?;
        Ok(vec![(key, mark)])
    }

    fn lot(&self, now: Timestamp) -> Result<LotKey, Refusal> {
        let lot = self.programme.lot(now);
        let Some(usable_from) = self.usable_from else {
            return Ok(lot);
        };
        let usable_from = usable_from.trunc_subsecs(6);
        let is_right = now < usable_from
            && usable_from <= now + FURTHEST
            && usable_from < lot.expires_at
            && clock::is_sensible(usable_from);
        match is_right {
            true => Ok(LotKey { usable_from, ..lot }),
            false => Err(Refusal::UsableFrom),
        }
    }
}
