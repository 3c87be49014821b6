//! What an import is, and how far it went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::points::account::Asset;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// People to enrol.
    Members,
    /// Members that others know too, to be linked, and claims of your own.
    Memberships,
    /// Points to give.
    Awards,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Members, Kind::Memberships, Kind::Awards];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Members => "members",
            Kind::Memberships => "memberships",
            Kind::Awards => "awards",
        }
    }

    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportFormat)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values (RFC 4180) under a line that names the columns.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::Csv, Format::Ndjson];

    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        }
    }

    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
        }
    }
}

/// Where an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ImportState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It takes lines.
    Open,
    Finished,
    /// What is left of its awards is being frozen.
    Freezing,
    Frozen,
    /// What is frozen goes back to where it came from.
    Thawing,
    /// Its awards are being reversed.
    Undoing,
    Undone,
}

use State::{Finished, Freezing, Frozen, Open, Thawing, Undoing, Undone};

impl State {
    pub const ALL: [State; 7] = [Open, Finished, Freezing, Frozen, Thawing, Undoing, Undone];

    pub fn name(self) -> &'static str {
        match self {
            Open => "open",
            Finished => "finished",
            Freezing => "freezing",
            Frozen => "frozen",
            Thawing => "thawing",
            Undoing => "undoing",
            Undone => "undone",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Where it gets once all its awards are gone through; none when there is nothing to go through.
    pub fn leads_to(self) -> Option<State> {
        match self {
            Freezing => Some(Frozen),
            Thawing => Some(Finished),
            Undoing => Some(Undone),
            Open | Finished | Frozen | Undone => None,
        }
    }
}

/// Every step there is. The database has the same in `import_steps` and takes no other.
pub const STEPS: [(State, State); 8] = [
    (Open, Finished),
    (Finished, Freezing),
    (Freezing, Frozen),
    (Freezing, Thawing),
    (Frozen, Thawing),
    (Thawing, Finished),
    (Frozen, Undoing),
    (Undoing, Undone),
];

/// What becomes of what an undo does not find any more: what is spent or set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    /// It is taken from what else its member has, and owed by the wallet when there is nothing.
    OwedByMembers,
    /// It is left: the issuer has given it.
    BorneByIssuer,
}

impl Spent {
    pub const ALL: [Spent; 2] = [Spent::OwedByMembers, Spent::BorneByIssuer];

    pub fn name(self) -> &'static str {
        match self {
            Spent::OwedByMembers => "owed_by_members",
            Spent::BorneByIssuer => "borne_by_issuer",
        }
    }

    pub fn named(name: &str) -> Option<Spent> {
        Spent::ALL.into_iter().find(|spent| spent.name() == name)
    }
}

#[derive(Debug, Clone)]
pub struct Import {
    pub id: i64,
    pub partner: i64,
    pub kind: Kind,
    pub format: Format,
    /// What its partner calls it: the name of the file, say.
    pub name: String,
    pub state: State,
    /// The first line, of CSV.
    pub columns: Option<String>,
    pub progress: Progress,
    pub created_by: i64,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub step: Step,
}

/// Freezing, thawing or undoing: how far that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// How often the import was frozen.
    pub round: i32,
    /// Who asked for it.
    pub by: Option<i64>,
    /// Up to which line its awards are gone through.
    pub line: i64,
    /// Of an undo.
    pub spent: Option<Spent>,
}

/// How far an import went, and what it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What became of every line before this one is known.
    pub next_line: i64,
    /// No line beyond this one can have taken effect.
    pub handed_in_through: i64,
    pub done: i64,
    pub refused: i64,
    /// What was awarded, in smallest units.
    pub sums: BTreeMap<Asset, i64>,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What it made, and how much it gave.
    Done {
        subject: i64,
        given: Option<(Asset, i64)>,
    },
    Refused(super::line::Refused),
}

impl Progress {
    /// Lines are about to be handed in: until what becomes of them is known, the import goes on from them.
    pub fn begin(&mut self, first: i64, last: i64) {
        self.next_line = self.next_line.min(first);
        self.handed_in_through = self.handed_in_through.max(last);
    }

    /// Everything up to a line is known.
    pub fn reach(&mut self, last: i64) {
        self.next_line = self.next_line.max(last + 1);
        self.handed_in_through = self.handed_in_through.max(last);
    }

    /// Counts what became of a line of which was known before whether it was done.
    pub fn count(&mut self, before: Option<bool>, outcome: &Outcome) {
        match before {
            // Somebody else was told of it first.
            Some(true) => return,
            Some(false) => self.refused -= 1,
            None => {}
        }
        match outcome {
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Done { given, .. } => {
                self.done += 1;
                if let Some((asset, units)) = given {
                    *self.sums.entry(*asset).or_default() += units;
                }
            }
        }
    }

    /// Whether what became of this many lines is known, and no more can have taken effect.
    pub fn is_whole(&self, lines: i64) -> bool {
        self.next_line - 1 == lines && self.handed_in_through <= lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Slug;
    use crate::imports::line::Refused;

    #[test]
    fn names_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        for format in Format::ALL {
            assert_eq!(Format::named(format.name()), Some(format));
        }
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
            assert!(state == Open || STEPS.iter().any(|(_, after)| *after == state));
            let leads_to = state.leads_to().map(|next| (state, next));
            assert!(leads_to.is_none_or(|step| STEPS.contains(&step)));
        }
        for spent in Spent::ALL {
            assert_eq!(Spent::named(spent.name()), Some(spent));
        }
    }

    #[test]
    fn a_line_that_was_refused_can_be_done_later_and_counts_once() {
        let mut progress = Progress {
            next_line: 1,
            ..Progress::default()
        };
        let refused = Outcome::Refused(Refused {
            code: Slug::InvalidField,
            field: None,
            detail: "odd".into(),
        });
        let done = Outcome::Done {
            subject: 7,
            given: Some((1_000, 5)),
        };
        progress.begin(1, 2);
        progress.count(None, &done);
        progress.count(None, &refused);
        progress.reach(2);
        assert!(progress.is_whole(2) && !progress.is_whole(1) && !progress.is_whole(3));
        assert_eq!((progress.done, progress.refused), (1, 1));

        progress.begin(2, 2);
        assert!(!progress.is_whole(2), "line 2 is in doubt");
        progress.count(Some(false), &done);
        progress.count(Some(true), &done);
        progress.reach(2);
        assert!(progress.is_whole(2));
        assert_eq!((progress.done, progress.refused), (2, 0));
        assert_eq!(progress.sums, BTreeMap::from([(1_000, 10)]));
    }
}
