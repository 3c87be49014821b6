//! The life of a version of a card.
//!
//! ```text
//! draft ─propose─▶ proposed, approved_by_… ─approve─▶ scheduled ─(time)─▶ active ─(time)─▶ superseded
//!   │                 │         │                         │                 │
//!   └────withdraw─────┴──────── │ ───────withdraw─────────┘               halt
//!               ▼               ▼ reject                                    ▼
//!           withdrawn        rejected                                    halted
//! ```
//!
//! What somebody did is [`Kept`] in the database; the clock and the approvals make the public
//! [`State`] of it, so that a card becomes active and superseded without anybody doing anything.
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

/// The state of a version, as everybody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RateCardState)]
pub enum State {
    Draft,
    /// Waits for the parties' word.
    Proposed,
    /// The source partner approved; somebody's word is still missing.
    ApprovedBySource,
    /// The target partner approved; somebody's word is still missing.
    ApprovedByTarget,
    /// Everybody agreed; it begins later.
    Scheduled,
    /// It prices quotes now.
    Active,
    /// Its time is over.
    Superseded,
    Rejected,
    Withdrawn,
    /// Stopped while it was active.
    Halted,
}

/// What somebody does with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Propose,
    /// Agree; the last one publishes.
    Approve,
    Reject,
    Withdraw,
    Halt,
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
    (State::ApprovedBySource, Step::Approve, Kept::Published),
    (State::ApprovedBySource, Step::Reject, Kept::Rejected),
    (State::ApprovedBySource, Step::Withdraw, Kept::Withdrawn),
    (State::ApprovedByTarget, Step::Approve, Kept::Published),
    (State::ApprovedByTarget, Step::Reject, Kept::Rejected),
    (State::ApprovedByTarget, Step::Withdraw, Kept::Withdrawn),
    (State::Scheduled, Step::Withdraw, Kept::Withdrawn),
    (State::Active, Step::Halt, Kept::Halted),
];

/// The version is not in a state for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchEdge {
    pub state: State,
    pub step: Step,
}

/// Which partner approved last, where one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovedBy {
    Source,
    Target,
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
    /// What everybody sees at `now`. A published version has a beginning.
    pub fn state(
        self,
        approved: Option<ApprovedBy>,
        valid_from: Option<Timestamp>,
        valid_to: Option<Timestamp>,
        now: Timestamp,
    ) -> State {
        match self {
            Kept::Draft => State::Draft,
            Kept::Proposed => match approved {
                None => State::Proposed,
                Some(ApprovedBy::Source) => State::ApprovedBySource,
                Some(ApprovedBy::Target) => State::ApprovedByTarget,
            },
            Kept::Published if valid_to.is_some_and(|end| end <= now) => State::Superseded,
            Kept::Published if valid_from.is_some_and(|start| start > now) => State::Scheduled,
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
        Draft "draft", Proposed "proposed", ApprovedBySource "approved_by_source",
        ApprovedByTarget "approved_by_target", Scheduled "scheduled", Active "active", Superseded "superseded",
        Rejected "rejected", Withdrawn "withdrawn", Halted "halted",
    }
    Step {
        Propose "propose", Approve "approve", Reject "reject", Withdraw "withdraw", Halt "halt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration};

    /// A row per state, a column per step: propose, approve, reject, withdraw, halt.
    const DRAWN: [(&str, [&str; 5]); 10] = [
        ("draft", ["proposed", "", "", "withdrawn", ""]),
        (
            "proposed",
            ["proposed", "published", "rejected", "withdrawn", ""],
        ),
        (
            "approved_by_source",
            ["", "published", "rejected", "withdrawn", ""],
        ),
        (
            "approved_by_target",
            ["", "published", "rejected", "withdrawn", ""],
        ),
        ("scheduled", ["", "", "", "withdrawn", ""]),
        ("active", ["", "", "", "", "halted"]),
        ("superseded", [""; 5]),
        ("rejected", [""; 5]),
        ("withdrawn", [""; 5]),
        ("halted", [""; 5]),
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
    fn time_makes_a_published_version_active_and_ends_it() {
        let noon = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |hours| Some(noon + Duration::hours(hours));
        let state = |from, to| Kept::Published.state(None, from, to, noon);
        assert_eq!(state(at(1), None), State::Scheduled);
        assert_eq!(state(at(0), None), State::Active);
        assert_eq!(state(at(-2), at(1)), State::Active);
        assert_eq!(state(at(-2), at(0)), State::Superseded);
        assert_eq!(
            Kept::Halted.state(None, at(-2), at(-1), noon),
            State::Halted
        );
    }

    #[test]
    fn a_state_is_written_as_it_is_named() {
        for state in State::ALL {
            assert_eq!(serde_json::json!(state), state.name());
        }
    }
}
