//! The life of a partner: its states, the steps between them, and what each state allows.
//!
//! | from | to | who | asks for |
//! |---|---|---|---|
//! | draft | sandbox | an operator | |
//! | sandbox | certifying | an operator | |
//! | certifying | sandbox | an operator | |
//! | certifying | pending_approval | an operator | a certification that passed |
//! | pending_approval | sandbox | an operator | |
//! | pending_approval | live | two operators | a certification that passed |
//! | live | suspended | an operator | |
//! | suspended | live | two operators | |
//! | live, suspended | winding_down | two operators | a last day, after the notice |
//! | winding_down | live | two operators | the last day is not over |
//! | winding_down | closed | two operators | the last day is over, nothing is outstanding |
//! | draft, sandbox, certifying, pending_approval | closed | two operators | nothing is outstanding |
//!
//! What takes something away is for one person to do at once; what gives something, or cannot be taken
//! back, needs two. The database has the same steps in `partner_steps` and takes no other.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::expiry::{business_day, start_of_day};
use crate::clock::{self, Timestamp};

/// How many days at least lie between the decision to wind down and the last day.
pub const NOTICE: u64 = 30;

/// Where a partner is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its application is being written down.
    Draft,
    /// It tries things out.
    Sandbox,
    /// Its program is being certified.
    Certifying,
    /// It waits for two operators to let it in.
    PendingApproval,
    Live,
    /// Nothing new begins; what is under way goes on.
    Suspended,
    /// Its points are used up until its last day, and no new ones are made.
    WindingDown,
    /// It takes no part any more.
    Closed,
}

use State::{
    Certifying, Closed, Draft, Live, PendingApproval, Sandbox, Suspended as Suspend, WindingDown,
};

impl State {
    pub const ALL: [State; 8] = [
        Draft,
        Sandbox,
        Certifying,
        PendingApproval,
        Live,
        Suspend,
        WindingDown,
        Closed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Draft => "draft",
            Sandbox => "sandbox",
            Certifying => "certifying",
            PendingApproval => "pending_approval",
            Live => "live",
            Suspend => "suspended",
            WindingDown => "winding_down",
            Closed => "closed",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// How many operators a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    One,
    Two,
}

/// Every step there is.
pub const STEPS: [(State, State, People); 16] = [
    (Draft, Sandbox, People::One),
    (Draft, Closed, People::Two),
    (Sandbox, Certifying, People::One),
    (Sandbox, Closed, People::Two),
    (Certifying, Sandbox, People::One),
    (Certifying, PendingApproval, People::One),
    (Certifying, Closed, People::Two),
    (PendingApproval, Sandbox, People::One),
    (PendingApproval, Live, People::Two),
    (PendingApproval, Closed, People::Two),
    (Live, Suspend, People::One),
    (Live, WindingDown, People::Two),
    (Suspend, Live, People::Two),
    (Suspend, WindingDown, People::Two),
    (WindingDown, Live, People::Two),
    (WindingDown, Closed, People::Two),
];

/// How many people the step needs; none when there is no such step.
pub fn step(from: State, to: State) -> Option<People> {
    let steps = STEPS.into_iter();
    let mut found = steps.filter(|(start, end, _)| (*start, *end) == (from, to));
    found.next().map(|(_, _, people)| people)
}

/// Where a partner can go from a state.
pub fn next(from: State) -> impl Iterator<Item = State> {
    let steps = STEPS.into_iter().filter(move |(start, ..)| *start == from);
    steps.map(|(_, end, _)| end)
}

/// What a partner, or somebody with its points, may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Have credentials, and read what is its own with them: statements, events, settlement.
    Read,
    /// Issue a currency.
    Issue,
    /// Draft and propose rate cards.
    AgreeRates,
    /// Enrol and link members.
    Enrol,
    /// Get tokens for its members, and act with them.
    ActForMembers,
    /// Award points of its currencies.
    Award,
    /// Redeem its points.
    Redeem,
    /// Set its points aside.
    Hold,
    /// Turn its points into another's.
    ConvertOut,
    /// Turn another's points into its own.
    ConvertIn,
    /// Pay for a part of what others convert: as a sponsor of a card, or of a campaign.
    Sponsor,
    /// Present the code of what was gained by code.
    Deliver,
    /// Undo what was done.
    Reverse,
    /// Put a wallet right, which is the hub's to do.
    Adjust,
}

impl Act {
    pub const ALL: [Act; 14] = [
        Act::Read,
        Act::Issue,
        Act::AgreeRates,
        Act::Enrol,
        Act::ActForMembers,
        Act::Award,
        Act::Redeem,
        Act::Hold,
        Act::ConvertOut,
        Act::ConvertIn,
        Act::Sponsor,
        Act::Deliver,
        Act::Reverse,
        Act::Adjust,
    ];

    /// What a refusal calls it.
    pub fn name(self) -> &'static str {
        match self {
            Act::Read => "read",
            Act::Issue => "issue",
            Act::AgreeRates => "agree_rates",
            Act::Enrol => "enrol",
            Act::ActForMembers => "act_for_members",
            Act::Award => "award",
            Act::Redeem => "redeem",
            Act::Hold => "hold",
            Act::ConvertOut => "convert_out",
            Act::ConvertIn => "convert_in",
            Act::Sponsor => "sponsor",
            Act::Deliver => "deliver",
            Act::Reverse => "reverse",
            Act::Adjust => "adjust",
        }
    }

    /// Whether it ends with the last day: what uses points up, and what makes the partner owe more.
    fn ends_on_the_last_day(self) -> bool {
        matches!(
            self,
            Act::Redeem | Act::Hold | Act::ConvertOut | Act::Sponsor | Act::Deliver
        )
    }
}

/// Some acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acts(u16);

impl Acts {
    pub const ALL: Acts = Acts(u16::MAX);

    pub fn of(acts: impl IntoIterator<Item = Act>) -> Acts {
        Acts(acts.into_iter().fold(0, |all, act| all | 1 << act as u16))
    }

    pub fn has(self, act: Act) -> bool {
        self.0 & 1 << act as u16 != 0
    }
}

/// What a state allows: the one table, published with every partner's state.
pub fn allows(state: State, act: Act) -> bool {
    match act {
        Act::Read => !matches!(state, Draft | Closed),
        Act::Issue => matches!(state, Sandbox | Certifying | PendingApproval | Live),
        Act::AgreeRates => {
            matches!(
                state,
                Sandbox | Certifying | PendingApproval | Live | Suspend
            )
        }
        Act::Enrol | Act::Award | Act::ConvertIn => matches!(state, Live),
        Act::ActForMembers | Act::Redeem | Act::Hold | Act::ConvertOut | Act::Deliver => {
            matches!(state, Live | WindingDown)
        }
        Act::Sponsor | Act::Reverse | Act::Adjust => matches!(state, Live | Suspend | WindingDown),
    }
}

/// A partner's state, when its last day is over, and what its pilot opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    pub ends_at: Option<Timestamp>,
    /// In a sandbox, whoever is on the way to live may do what it will do then.
    pub rehearses: bool,
    pub open: Acts,
}

impl Standing {
    /// Of who takes no part.
    pub const NONE: Standing = Standing {
        state: Draft,
        ends_at: None,
        rehearses: false,
        open: Acts::ALL,
    };

    pub const LIVE: Standing = Standing {
        state: Live,
        ends_at: None,
        rehearses: false,
        open: Acts::ALL,
    };

    pub fn allows(self, act: Act, now: Timestamp) -> bool {
        self.open.has(act) && self.state_allows(act, now)
    }

    /// Whether it is not for the state that it is barred.
    pub fn state_allows(self, act: Act, now: Timestamp) -> bool {
        let is_over = self.ends_at.is_some_and(|end| end <= now);
        let state = match self.state {
            Sandbox | Certifying | PendingApproval if self.rehearses => Live,
            state => state,
        };
        allows(state, act) && !(is_over && act.ends_on_the_last_day())
    }
}

/// When a last day is over, if it is after the notice.
pub fn end_of(last_day: NaiveDate, zone: Tz, now: Timestamp) -> Result<Timestamp, NaiveDate> {
    let today = business_day(zone, now);
    let earliest = today + Days::new(NOTICE);
    let next = last_day.checked_add_days(Days::new(1));
    let end = next.map(|next| start_of_day(zone, next));
    end.filter(|end| last_day >= earliest && clock::is_sensible(*end))
        .ok_or(earliest)
}

/// What keeps a partner from being closed, in smallest units and millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outstanding {
    /// What members can use, or will, of its currencies.
    pub available: i64,
    /// What is set aside of them.
    pub held: i64,
    /// What members owe of them.
    pub owed: i64,
    /// How many of its positions are not zero.
    pub positions: i64,
    /// How many credits are to be answered, of its currencies or for what was given of them.
    pub credits: i64,
}

impl Outstanding {
    pub fn is_nothing(self) -> bool {
        self == Outstanding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_state_is_left_and_reached_by_a_step_but_the_first_and_the_last() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
            assert_eq!(next(state).next().is_none(), state == Closed, "{state:?}");
            let is_reached = STEPS.iter().any(|(_, end, _)| *end == state);
            assert_eq!(is_reached, state != Draft, "{state:?}");
        }
        assert_eq!(step(Live, Suspend), Some(People::One));
        assert_eq!(step(Suspend, Live), Some(People::Two));
        assert_eq!(step(Live, Closed), None);
        assert_eq!(step(Closed, Live), None);
    }

    #[test]
    fn each_state_allows_what_the_table_says() {
        use Act::*;
        let setting_up = [Read, Issue, AgreeRates].as_slice();
        let table: [(State, &[Act]); 8] = [
            (Draft, &[]),
            (Sandbox, setting_up),
            (Certifying, setting_up),
            (PendingApproval, setting_up),
            (Live, &Act::ALL),
            (Suspend, &[Read, AgreeRates, Sponsor, Reverse, Adjust]),
            (
                WindingDown,
                &[
                    Read,
                    ActForMembers,
                    Redeem,
                    Hold,
                    ConvertOut,
                    Sponsor,
                    Deliver,
                    Reverse,
                    Adjust,
                ],
            ),
            (Closed, &[]),
        ];
        for (state, allowed) in table {
            for act in Act::ALL {
                let (may, what) = (allowed.contains(&act), act.name());
                assert_eq!(allows(state, act), may, "{} {what}", state.name());
            }
        }
    }

    #[test]
    fn whoever_is_on_the_way_to_live_rehearses_in_a_sandbox() {
        let now = at("2027-03-31T16:00:00Z");
        for state in State::ALL {
            let standing = |rehearses| Standing {
                state,
                ends_at: None,
                rehearses,
                open: Acts::ALL,
            };
            for act in Act::ALL {
                let is_on_the_way = matches!(state, Sandbox | Certifying | PendingApproval);
                let expected = allows(state, act) || is_on_the_way && allows(Live, act);
                assert_eq!(
                    standing(true).allows(act, now),
                    expected,
                    "{}",
                    state.name()
                );
                assert_eq!(standing(false).allows(act, now), allows(state, act));
            }
        }
    }

    #[test]
    fn after_the_last_day_nothing_is_used_up_any_more() {
        let end = at("2027-03-31T16:00:00Z");
        let standing = Standing {
            state: WindingDown,
            ends_at: Some(end),
            rehearses: false,
            open: Acts::ALL,
        };
        let before = end - chrono::Duration::microseconds(1);
        for act in Act::ALL
            .into_iter()
            .filter(|act| act.ends_on_the_last_day())
        {
            assert!(standing.allows(act, before));
            assert!(!standing.allows(act, end), "{}", act.name());
        }
        assert!(standing.allows(Act::Reverse, end));
        assert!(standing.allows(Act::Read, end));
    }

    #[test]
    fn a_last_day_is_after_the_notice_and_whole_where_the_partner_is() {
        let zone = chrono_tz::Asia::Hong_Kong;
        // 1 March has begun in Hong Kong.
        let now = at("2027-02-28T17:00:00Z");
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let end = end_of(day("2027-03-31"), zone, now);
        assert_eq!(end, Ok(at("2027-03-31T16:00:00Z")));
        let early = end_of(day("2027-03-30"), zone, now);
        assert_eq!(early, Err(day("2027-03-31")));
        assert!(end_of(NaiveDate::MAX, zone, now).is_err());
    }
}
