//! What there is of an import's awards, of each currency, in smallest units.

use serde::Serialize;

use crate::imports::import::{Spent, State};
use crate::points::account::Asset;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    pub currency: Asset,
    pub awarded: i64,
    pub reversed: i64,
    /// In lots that are frozen for the import.
    pub frozen: i64,
    /// Still in the lots that the awards filled, up to what they gave, and available there.
    pub unspent: i64,
    /// The same, and set aside.
    pub held: i64,
    /// What there is not of awards whose points' time is not over.
    pub spent: i64,
    /// What was not reversed of awards whose points' time is over.
    pub expired: i64,
}

/// Who bears what an undo costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Borne {
    pub by_members: i64,
    pub by_issuer: i64,
}

/// What a second person relies on: it changes with what an undo would do, and with nothing else.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Basis {
    currency: Asset,
    awarded: i64,
    reversed: i64,
    frozen: i64,
    expired: i64,
}

impl Figures {
    /// What an undo takes back from where it was given, once the import is frozen.
    pub fn taken_back(&self, state: State) -> i64 {
        match state {
            State::Open | State::Finished | State::Freezing => self.frozen + self.unspent,
            State::Frozen | State::Thawing | State::Undoing | State::Undone => self.frozen,
        }
    }

    /// What is not there, by who bears it.
    pub fn borne(&self, state: State, spent: Spent) -> Borne {
        let left = self.awarded - self.reversed - self.expired;
        let missing = left - self.taken_back(state);
        match spent {
            Spent::OwedByMembers => Borne {
                by_members: missing,
                by_issuer: 0,
            },
            Spent::BorneByIssuer => Borne {
                by_members: 0,
                by_issuer: missing,
            },
        }
    }

    pub fn basis(&self) -> Basis {
        Basis {
            currency: self.currency,
            awarded: self.awarded,
            reversed: self.reversed,
            frozen: self.frozen,
            expired: self.expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_frozen_is_borne_by_whom_the_proposal_says() {
        let before = Figures {
            currency: 1_000,
            awarded: 100,
            reversed: 10,
            frozen: 0,
            unspent: 40,
            held: 5,
            spent: 25,
            expired: 20,
        };
        let frozen = Figures {
            frozen: 40,
            unspent: 0,
            ..before
        };
        for (figures, state) in [(before, State::Finished), (frozen, State::Frozen)] {
            assert_eq!(figures.taken_back(state), 40);
            let borne = |spent| figures.borne(state, spent);
            let (members, issuer) = (borne(Spent::OwedByMembers), borne(Spent::BorneByIssuer));
            assert_eq!((members.by_members, members.by_issuer), (30, 0));
            assert_eq!((issuer.by_members, issuer.by_issuer), (0, 30));
        }
        assert_ne!(before.basis(), frozen.basis());
        let released = Figures {
            unspent: 5,
            held: 0,
            ..frozen
        };
        assert_eq!(
            released.basis(),
            frozen.basis(),
            "what is not frozen is no matter"
        );
    }
}
