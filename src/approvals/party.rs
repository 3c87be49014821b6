//! Whose word an approval needs: the hub's, or a partner's.

use std::fmt;

use crate::access::{Party, Who};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartyName {
    Hub,
    Partner(i64),
    /// Who has no say: a member.
    Nobody,
}

impl PartyName {
    /// Whose word it is when this caller speaks.
    pub fn of(who: &Who) -> PartyName {
        match who.party {
            Party::Partner(partner) => PartyName::Partner(partner),
            Party::Member(_) => PartyName::Nobody,
            Party::Person(_) => PartyName::Hub,
        }
    }

    pub fn partner(self) -> Option<i64> {
        match self {
            PartyName::Partner(partner) => Some(partner),
            PartyName::Hub | PartyName::Nobody => None,
        }
    }

    /// The party that the database keeps as `hub` or `partner:ID`.
    pub fn named(name: &str) -> Option<PartyName> {
        match name.strip_prefix("partner:") {
            Some(id) => id.parse().ok().map(PartyName::Partner),
            None => (name == "hub").then_some(PartyName::Hub),
        }
    }
}

impl fmt::Display for PartyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartyName::Hub => f.write_str("hub"),
            PartyName::Partner(id) => write!(f, "partner:{id}"),
            PartyName::Nobody => f.write_str("nobody"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_comes_back_by_its_name() {
        for party in [PartyName::Hub, PartyName::Partner(7)] {
            assert_eq!(PartyName::named(&party.to_string()), Some(party));
        }
        assert_eq!(PartyName::named("partner:x"), None);
        assert_eq!(PartyName::named(&PartyName::Nobody.to_string()), None);
    }
}
