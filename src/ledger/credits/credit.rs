//! What a credit is, and what becomes of it.
//!
//! | state   | the issuer made it | the issuer cannot make it |
//! |---------|--------------------|---------------------------|
//! | pending | acknowledged       | rejected                  |
//!
//! The other two are ends. The database takes no other edge.

use chrono::{Duration, NaiveDate};
use chrono_tz::Tz;

use crate::clock::Timestamp;
use crate::ledger::operation::{Kind, Leg};
use crate::partners::expiry::business_day;

/// How long an issuer has before a credit is overdue.
pub const PATIENCE: Duration = Duration::hours(48);

/// Units that an issuer is to credit to a member in its own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The operation that asks for it, which is also the credit's number.
    pub operation: i64,
    pub kind: Kind,
    pub leg: Leg,
    /// None once the member is forgotten.
    pub member: Option<i64>,
    /// The member's number in the issuer's programme; none when the membership was ended.
    pub number: Option<String>,
    pub at: Timestamp,
    pub state: State,
    pub answer: Option<Answer>,
    /// Which undid the operation.
    pub reversal: Option<i64>,
}

/// What the issuer said of a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub what: Answered,
    /// The principal that said it.
    pub by: i64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// What the issuer calls its entry, and the business day of it.
    Made {
        reference: String,
        credited_on: NaiveDate,
    },
    /// Why there is none.
    Rejected { reason: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Acknowledged,
    Rejected,
}

impl State {
    pub const ALL: [State; 3] = [State::Pending, State::Acknowledged, State::Rejected];

    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Acknowledged => "acknowledged",
            State::Rejected => "rejected",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Answered {
    pub fn state(&self) -> State {
        match self {
            Answered::Made { .. } => State::Acknowledged,
            Answered::Rejected { .. } => State::Rejected,
        }
    }
}

impl Credit {
    /// What was undone is given back whatever the issuer says: it has the units.
    pub fn may_be_rejected(&self) -> bool {
        self.kind.reversal().is_some()
    }

    pub fn due_at(&self) -> Timestamp {
        self.at + PATIENCE
    }

    /// The business days that an entry of it may be of: from that on which it was asked for, to today.
    pub fn days(&self, zone: Tz, now: Timestamp) -> (NaiveDate, NaiveDate) {
        (business_day(zone, self.at), business_day(zone, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::account::Account;

    fn credit(kind: Kind) -> Credit {
        Credit {
            operation: 1,
            kind,
            leg: Leg {
                wallet: Account::partner_wallet(1001, 1),
                amount: 5,
            },
            member: None,
            number: None,
            at: "2026-11-23T15:59:59Z".parse().unwrap(),
            state: State::Pending,
            answer: None,
            reversal: None,
        }
    }

    #[test]
    fn what_gives_back_cannot_be_rejected() {
        assert!(credit(Kind::Conversion).may_be_rejected());
        assert!(!credit(Kind::ConversionReversal).may_be_rejected());
    }

    #[test]
    fn an_entry_is_not_of_a_day_before_it_was_asked_for() {
        let days = credit(Kind::Conversion).days(
            chrono_tz::Asia::Hong_Kong,
            "2026-11-24T16:00:00Z".parse().unwrap(),
        );
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(days, (day("2026-11-23"), day("2026-11-25")));
    }

    #[test]
    fn states_have_names_and_two_ends() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
        let day = "2026-11-23".parse().unwrap();
        let made = Answered::Made {
            reference: "x".into(),
            credited_on: day,
        };
        let reason = "closed".to_owned();
        assert_eq!(made.state(), State::Acknowledged);
        assert_eq!(Answered::Rejected { reason }.state(), State::Rejected);
    }
}
