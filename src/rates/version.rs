//! A version of a card: the terms for one direction of one pair, and how far they have come.

use sha2::{Digest, Sha256};

use super::boundary::{Boundary, Local};
use super::card::Card;
use super::state::{ApprovedBy, Kept, NoSuchEdge, State, Step};
use crate::access::audit::{About, Subject};
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::points::account::Asset;
use crate::points::amount::Scales;

#[derive(Debug, Clone)]
pub struct Version {
    pub id: i64,
    pub from: Asset,
    pub to: Asset,
    /// The issuer of what is given.
    pub source: i64,
    /// The issuer of what is gained.
    pub target: i64,
    /// How many decimals its two currencies have.
    pub scales: Scales,
    /// Counted up per pair.
    pub number: i32,
    pub kept: Kept,
    pub card: Card,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
    /// The clocks that its dates were read from, where they were.
    pub valid_from_local: Option<Local>,
    pub valid_to_local: Option<Local>,
    /// Whether it was a successor that gave it its end.
    pub is_replaced: bool,
    pub origin: Option<String>,
    /// What an approver sends back.
    pub content_hash: Vec<u8>,
    /// Whose draft it is.
    pub maker: PartyName,
    pub created_at: Timestamp,
    /// Who has agreed, oldest first, the maker of the proposal among them.
    pub agreed: Vec<PartyName>,
    /// Who has agreed to what another proposed, oldest first.
    pub approved: Vec<PartyName>,
}

impl Version {
    pub fn state(&self, now: Timestamp) -> State {
        let sides = self.approved.iter().rev().find_map(|party| match party {
            PartyName::Partner(id) if *id == self.source => Some(ApprovedBy::Source),
            PartyName::Partner(id) if *id == self.target => Some(ApprovedBy::Target),
            PartyName::Partner(_) | PartyName::Hub | PartyName::Nobody => None,
        });
        self.kept.state(sides, self.valid_from, self.valid_to, now)
    }

    /// What is to be kept after a step at `now`.
    pub fn after(&self, step: Step, now: Timestamp) -> Result<Kept, NoSuchEdge> {
        self.state(now).after(step)
    }

    /// Whether it has a say: the two issuers, a sponsor and the hub do.
    pub fn is_party(&self, party: PartyName) -> bool {
        match party {
            PartyName::Hub => true,
            PartyName::Nobody => false,
            PartyName::Partner(id) => {
                id == self.source || id == self.target || Some(id) == self.sponsor()
            }
        }
    }

    /// Who pays a share of what it costs the source.
    pub fn sponsor(&self) -> Option<i64> {
        let sponsor = self.card.settlement.sponsor();
        sponsor.map(|sponsor| sponsor.partner)
    }

    /// Whether it may know of the version: of what others have not published yet, nobody does.
    pub fn is_seen_by(&self, party: PartyName) -> bool {
        self.is_party(party) || self.kept == Kept::Published
    }

    /// Whose word makes the version binding when `maker` proposes it.
    pub fn asked(&self, maker: PartyName) -> Vec<PartyName> {
        let mut parties = vec![PartyName::Partner(self.source)];
        if self.target != self.source {
            parties.push(PartyName::Partner(self.target));
        }
        let sponsor = self.sponsor().map(PartyName::Partner);
        parties.extend(sponsor.filter(|sponsor| !parties.contains(sponsor)));
        // Who works for the hub has given the hub's word with the proposal; the partners check it.
        if maker != PartyName::Hub {
            parties.push(PartyName::Hub);
        }
        parties
    }

    /// Who has a say in it, or pays for it.
    pub fn partners(&self) -> impl Iterator<Item = i64> {
        let asked = self.asked(PartyName::Hub).into_iter();
        asked.filter_map(PartyName::partner)
    }

    /// Its place in the audit trail. A draft is its maker's.
    pub fn about(&self) -> About {
        let is_draft = self.kept == Kept::Draft;
        let concerned = self.partners();
        let concerned = concerned.filter(|it| !is_draft || self.maker == PartyName::Partner(*it));
        Subject::RateCard.no(self.id).of(concerned)
    }

    /// When it begins, on the clock it was wanted by.
    pub fn beginning(&self) -> Option<Boundary> {
        let local = self.valid_from_local.clone();
        self.valid_from.map(|at| Boundary { at, local })
    }

    /// When its parties wanted it to end; never, for one that a successor ended.
    pub fn agreed_end(&self) -> Option<Boundary> {
        let local = self.valid_to_local.clone();
        let end = self.valid_to.filter(|_| !self.is_replaced);
        end.map(|at| Boundary { at, local })
    }

    /// When it begins if it is published at `now`: as agreed, but never in the past, because a rate
    /// that was not yet agreed to priced nothing.
    pub fn start(&self, now: Timestamp) -> Timestamp {
        self.valid_from.map_or(now, |wanted| wanted.max(now))
    }
}

/// SHA-256 over the pair and the terms, in their canonical JSON.
pub fn content_hash(from: Asset, to: Asset, card: &Card) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(from.to_be_bytes());
    digest.update(to.to_be_bytes());
    // Terms are maps of plain values: they always have a JSON form.
    digest.update(serde_json::to_vec(card).unwrap_or_default());
    digest.finalize().into()
}

/// What an approval binds to: the content, when it is to hold, and how that was written where it was
/// not as an instant.
pub fn approval_hash(content: &[u8], dates: [Option<&Boundary>; 2]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(content);
    for boundary in dates {
        let instant = boundary.map_or(i64::MIN, |boundary| boundary.at.timestamp_micros());
        digest.update(instant.to_be_bytes());
    }
    let locals = dates.map(|boundary| boundary.and_then(|boundary| boundary.local.as_ref()));
    if locals.iter().any(Option::is_some) {
        // Two plain texts each: they always have a JSON form.
        digest.update(serde_json::to_vec(&locals).unwrap_or_default());
    }
    digest.finalize().into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock;
    use chrono::{DateTime, Duration};

    pub(crate) fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// A published version of partner 1's currency 1001 into partner 2's currency 1002.
    pub(crate) fn version() -> Version {
        let card = r#"{"terms":{"kind":"ratio","give":5,"get":1},
            "settlement":{"kind":"cost_plus","price":"0.014","commission":"0.025"}}"#;
        Version {
            id: 7,
            from: 1001,
            to: 1002,
            source: 1,
            target: 2,
            scales: Scales::WHOLE,
            number: 1,
            kept: Kept::Published,
            card: serde_json::from_str(card).unwrap(),
            valid_from: Some(noon()),
            valid_to: None,
            valid_from_local: None,
            valid_to_local: None,
            is_replaced: false,
            origin: None,
            content_hash: vec![7; 16],
            maker: PartyName::Partner(1),
            created_at: clock::ALWAYS,
            agreed: vec![],
            approved: vec![],
        }
    }

    const SOURCE: PartyName = PartyName::Partner(1);
    const TARGET: PartyName = PartyName::Partner(2);

    #[test]
    fn the_partner_who_approved_last_is_named_by_the_state() {
        let cases = [
            (vec![], State::Proposed),
            (vec![PartyName::Hub], State::Proposed),
            (vec![TARGET], State::ApprovedByTarget),
            (vec![SOURCE, PartyName::Hub], State::ApprovedBySource),
            (vec![SOURCE, TARGET], State::ApprovedByTarget),
        ];
        for (approved, state) in cases {
            let version = Version {
                kept: Kept::Proposed,
                approved,
                ..version()
            };
            assert_eq!(version.state(noon()), state);
        }
    }

    #[test]
    fn what_is_not_published_is_between_its_parties() {
        let draft = Version {
            kept: Kept::Draft,
            ..version()
        };
        for (party, sees) in [
            (SOURCE, true),
            (TARGET, true),
            (PartyName::Hub, true),
            (PartyName::Partner(3), false),
        ] {
            assert_eq!(draft.is_seen_by(party), sees, "{party}");
            assert!(version().is_seen_by(party), "{party}");
        }
    }

    #[test]
    fn everybody_but_the_hub_that_proposes_is_asked() {
        assert_eq!(version().asked(SOURCE), [SOURCE, TARGET, PartyName::Hub]);
        assert_eq!(version().asked(PartyName::Hub), [SOURCE, TARGET]);
        let own = Version {
            target: 1,
            ..version()
        };
        assert_eq!(own.asked(SOURCE), [SOURCE, PartyName::Hub]);
    }

    #[test]
    fn a_sponsor_has_a_say_and_is_asked_once() {
        let sponsored = |partner: i64| {
            let sponsor = format!(r#"{{"partner":{partner},"share":"0.25","budget":"100"}}"#);
            let settlement = format!(
                r#"{{"kind":"cost_plus","price":"1","commission":"0","sponsor":{sponsor}}}"#
            );
            let mut version = version();
            version.card.settlement = serde_json::from_str(&settlement).unwrap();
            version.kept = Kept::Draft;
            version
        };
        const THIRD: PartyName = PartyName::Partner(3);
        let asked = sponsored(3).asked(SOURCE);
        assert_eq!(asked, [SOURCE, TARGET, THIRD, PartyName::Hub]);
        assert!(sponsored(3).is_seen_by(THIRD) && !sponsored(2).is_seen_by(THIRD));
        let asked = sponsored(2).asked(SOURCE);
        assert_eq!(asked, [SOURCE, TARGET, PartyName::Hub]);
    }

    #[test]
    fn no_version_begins_in_the_past() {
        let wanted = |hours| Version {
            valid_from: Some(noon() + Duration::hours(hours)),
            ..version()
        };
        assert_eq!(wanted(1).start(noon()), noon() + Duration::hours(1));
        assert_eq!(wanted(-1).start(noon()), noon());
        assert_eq!(
            Version {
                valid_from: None,
                ..version()
            }
            .start(noon()),
            noon()
        );
    }

    #[test]
    fn what_is_approved_is_all_of_it() {
        let hash = |version: &Version| {
            let content = content_hash(version.from, version.to, &version.card);
            let (start, end) = (version.beginning(), version.agreed_end());
            approval_hash(&content, [start.as_ref(), end.as_ref()])
        };
        let agreed = version();
        let others = [
            Version {
                from: 1002,
                to: 1001,
                ..version()
            },
            Version {
                valid_from: None,
                ..version()
            },
            Version {
                valid_to: Some(noon() + Duration::days(1)),
                ..version()
            },
        ];
        assert!(others.iter().all(|other| hash(other) != hash(&agreed)));
        assert_eq!(hash(&version()), hash(&agreed));
    }
}
