//! Awards: an issuer gives points to a member, for a reason; at once, or usable from a later instant,
//! as for a journey that may yet be cancelled.

pub mod api;

use chrono::{Duration, SubsecRound};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::clock::{self, Timestamp};
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::lot::LotKey;
use crate::ledger::operation::Kind;
use crate::ledger::programme::{Programme, Suspended};
use crate::points::account::Account;
use crate::web::text::Mark;

/// How far ahead points can be given.
pub const FURTHEST: Duration = Duration::days(366);

/// Why points are given. Loyalty is not only purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Purchase,
    Referral,
    CheckIn,
    Review,
    Share,
    Survey,
    Event,
    Birthday,
    Surprise,
    Adjustment,
}

/// Where something happened, in the partner's own codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub channel: Option<String>,
    pub location: Option<String>,
}

impl Place {
    pub fn of(channel: &Option<Mark>, location: &Option<Mark>) -> Place {
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
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Suspended(Suspended),
    /// They would be usable in the past, too late, or after they expire.
    UsableFrom,
}

impl Command for Award {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        self.programme.must_be_live().map_err(Refusal::Suspended)?;
        let lot = self.lot(now)?;

        let mut decided = Decided::new(Kind::Award);
        if let Some(until) = self.programme.extends_to(now) {
            decided = decided.extending(seen, self.wallet, until, now);
        }
        let memo = json!({
            "reason": self.reason, "channel": self.place.channel, "location": self.place.location,
        });
        Ok(Decided {
            memo: Some(memo),
            ..decided.giving(seen, self.wallet, self.amount, lot)
        })
    }
}

impl Award {
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
