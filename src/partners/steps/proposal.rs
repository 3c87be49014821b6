//! A state that somebody wants a partner to be in.

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::partners::{Partner, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub state: State,
    pub last_day: Option<NaiveDate>,
    /// The report it rests on.
    pub certification: Option<i64>,
    pub at: Timestamp,
}

impl Proposal {
    /// What an approval of it binds to: the step, and the partner as it is. What changes meanwhile is not
    /// what was agreed to.
    pub fn content_hash(&self, partner: &Partner) -> Vec<u8> {
        let Partner {
            id,
            code,
            name,
            name_zh,
            kind,
            state,
            money,
            zone,
            ..
        } = partner;
        let told = serde_json::json!([
            "partner_state",
            id,
            code,
            name,
            name_zh,
            kind,
            money,
            zone.name(),
            state,
            self.state,
            self.last_day,
            self.certification,
        ]);
        Sha256::digest(told.to_string()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_of_the_partner_or_the_step_is_another_proposal() {
        let partner = Partner {
            id: 1,
            code: "AERO".to_owned(),
            name: "Aero".to_owned(),
            name_zh: None,
            kind: "airline".to_owned(),
            state: State::Live,
            last_day: None,
            ends_at: None,
            money: 840,
            zone: chrono_tz::UTC,
            created_at: crate::clock::ALWAYS,
            rehearses: false,
        };
        let proposal = Proposal {
            state: State::WindingDown,
            last_day: "2027-03-31".parse().ok(),
            certification: None,
            at: crate::clock::ALWAYS,
        };
        let hash = proposal.content_hash(&partner);
        let later = Proposal {
            last_day: "2027-04-01".parse().ok(),
            ..proposal
        };
        let suspended = Partner {
            state: State::Suspended,
            ..partner.clone()
        };
        assert_ne!(later.content_hash(&partner), hash);
        assert_ne!(proposal.content_hash(&suspended), hash);
        let again = Proposal {
            at: crate::clock::NEVER,
            ..proposal
        };
        assert_eq!(again.content_hash(&partner), hash);
    }
}
