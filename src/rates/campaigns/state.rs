//! The life of a campaign.
//!
//! ```text
//! draft ─propose─▶ proposed ─approve─▶ scheduled ─(time)─▶ active ─(time)─▶ ended
//!   │                │    │                │                 │
//!   └───withdraw─────┴─── │ ───withdraw────┘               halt
//!              ▼          ▼ reject                           ▼
//!          withdrawn   rejected                           halted
//! ```
//!
//! What somebody did is [`Kept`] in the database; the clock makes the public [`State`] of it.
//! [`EDGES`] is every step there is, and a trigger on the table refuses any other.

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// What was done last, as the database keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Draft,
    Proposed,
    Published,
    Rejected,
    Withdrawn,
    Halted,
}

/// The state of a campaign, as everybody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignState)]
pub enum State {
    Draft,
    /// Waits for the parties' word.
    Proposed,
    /// Everybody agreed; it begins later.
    Scheduled,
    /// It gives its bonus now.
    Active,
    /// Its time is over.
    Ended,
    Rejected,
    Withdrawn,
    /// Stopped while it was active, on all of its routes.
    Halted,
}

/// What somebody does with a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Propose,
    /// Agree; the last one publishes.
    Approve,
    Reject,
    Withdraw,
    Halt,
    /// A wallet for it.
    Register,
}

/// From where, which step, and what is kept after it. A second proposal is for when the first was
/// not decided in time.
pub const EDGES: &[(State, Step, Kept)] = &[
    (State::Draft, Step::Propose, Kept::Proposed),
    (State::Draft, Step::Withdraw, Kept::Withdrawn),
    (State::Proposed, Step::Propose, Kept::Proposed),
    (State::Proposed, Step::Approve, Kept::Published),
    (State::Proposed, Step::Reject, Kept::Rejected),
    (State::Proposed, Step::Withdraw, Kept::Withdrawn),
    (State::Scheduled, Step::Withdraw, Kept::Withdrawn),
    (State::Scheduled, Step::Register, Kept::Published),
    (State::Active, Step::Halt, Kept::Halted),
    (State::Active, Step::Register, Kept::Published),
];

/// The campaign is not in a state for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchEdge {
    pub state: State,
    pub step: Step,
}

impl State {
    /// What is to be kept after a step, or the refusal of it.
    pub fn after(self, step: Step) -> Result<Kept, NoSuchEdge> {
        let edge = EDGES
            .iter()
            .find(|(from, by, _)| (*from, *by) == (self, step));
        edge.map(|(.., kept)| *kept)
            .ok_or(NoSuchEdge { state: self, step })
    }
}

impl Kept {
    /// What everybody sees at `now`.
    pub fn state(self, starts_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> State {
        match self {
            Kept::Draft => State::Draft,
            Kept::Proposed => State::Proposed,
            Kept::Published if ends_at <= now => State::Ended,
            Kept::Published if starts_at > now => State::Scheduled,
            Kept::Published => State::Active,
            Kept::Rejected => State::Rejected,
            Kept::Withdrawn => State::Withdrawn,
            Kept::Halted => State::Halted,
        }
    }
}

macro_rules! names {
    ($($type:ident { $($variant:ident $name:literal),* $(,)? })*) => { $(
        impl $type {
            /// Every one there is.
            pub const ALL: &[$type] = &[$($type::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            pub fn named(name: &str) -> Option<$type> {
                match name { $($name => Some($type::$variant),)* _ => None }
            }
        }
    )* };
}

names! {
    Kept {
        Draft "draft", Proposed "proposed", Published "published", Rejected "rejected", Withdrawn "withdrawn",
        Halted "halted",
    }
    State {
        Draft "draft", Proposed "proposed", Scheduled "scheduled", Active "active", Ended "ended",
        Rejected "rejected", Withdrawn "withdrawn", Halted "halted",
    }
    Step {
        Propose "propose", Approve "approve", Reject "reject", Withdraw "withdraw", Halt "halt", Register "register",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration};

    /// A row per state, a column per step: propose, approve, reject, withdraw, halt, register.
    const DRAWN: [(&str, [&str; 6]); 8] = [
        ("draft", ["proposed", "", "", "withdrawn", "", ""]),
        (
            "proposed",
            ["proposed", "published", "rejected", "withdrawn", "", ""],
        ),
        ("scheduled", ["", "", "", "withdrawn", "", "published"]),
        ("active", ["", "", "", "", "halted", "published"]),
        ("ended", [""; 6]),
        ("rejected", [""; 6]),
        ("withdrawn", [""; 6]),
        ("halted", [""; 6]),
    ];

    #[test]
    fn no_other_edge_can_be_taken() {
        assert_eq!(State::ALL.len(), DRAWN.len());
        for (state, row) in DRAWN {
            let state = State::named(state).unwrap();
            for (step, kept) in Step::ALL.iter().zip(row) {
                let after = state.after(*step).map_or("", Kept::name);
                assert_eq!(after, kept, "{} {}", state.name(), step.name());
            }
        }
    }

    #[test]
    fn time_makes_a_campaign_active_and_ends_it() {
        let noon = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |hours| noon + Duration::hours(hours);
        let state = |from, to| Kept::Published.state(at(from), at(to), noon);
        assert_eq!(state(1, 2), State::Scheduled);
        assert_eq!(state(0, 1), State::Active);
        assert_eq!(state(-2, 0), State::Ended);
        assert_eq!(Kept::Halted.state(at(-2), at(-1), noon), State::Halted);
        for state in State::ALL {
            assert_eq!(serde_json::json!(state), state.name());
        }
    }
}
