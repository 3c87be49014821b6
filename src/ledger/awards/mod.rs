//! Awards: an issuer gives points to a member, for a reason.

pub mod api;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::operation::Kind;
use crate::ledger::programme::{Programme, Suspended};
use crate::points::account::Account;
use crate::web::text::Mark;

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
    pub place: Place,
}

impl Command for Award {
    type Refusal = Suspended;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.wallet],
            ..Touches::default()
        }
    }

    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Suspended> {
        self.programme.must_be_live()?;

        let mut decided = Decided::new(Kind::Award);
        if let Some(until) = self.programme.extends_to(now) {
            decided = decided.extending(seen, self.wallet, until, now);
        }
        let memo = json!({
            "reason": self.reason, "channel": self.place.channel, "location": self.place.location,
        });
        Ok(Decided {
            memo: Some(memo),
            ..decided.giving(self.wallet, self.amount, self.programme.lot(now))
        })
    }
}
