//! A step that somebody wants a partner to take.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::partners::{Partner, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub state: State,
    /// Of winding down.
    pub last_day: Option<NaiveDate>,
}

/// What an approval of a step rests on: the partner as it is, and its latest report. What changes meanwhile
/// is not what was agreed to.
pub fn basis(partner: &Partner, certification: Option<i64>) -> serde_json::Value {
    let Partner {
        code,
        name,
        name_zh,
        kind,
        state,
        money,
        zone,
        pilot,
        ..
    } = partner;
    let (zone, pilot) = (zone.name(), pilot.as_deref());
    serde_json::json!([
        code,
        name,
        name_zh,
        kind,
        state,
        money,
        zone,
        pilot,
        certification
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_of_the_partner_or_its_report_is_another_basis() {
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
            pilot: None,
        };
        let suspended = Partner {
            state: State::Suspended,
            ..partner.clone()
        };
        let renamed = Partner {
            name: "Aero Two".to_owned(),
            ..partner.clone()
        };
        let whole = basis(&partner, Some(1));
        for other in [
            basis(&suspended, Some(1)),
            basis(&renamed, Some(1)),
            basis(&partner, Some(2)),
        ] {
            assert_ne!(other, whole);
        }
    }
}
