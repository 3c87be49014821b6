//! A campaign as it is filed: what it says, and how far it has come.

use super::campaign::Campaign;
use super::state::{Kept, NoSuchEdge, State, Step};
use crate::access::audit::{About, Subject};
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::points::account::Asset;
use crate::points::amount::Scale;

#[derive(Debug, Clone)]
pub struct Entry {
    pub id: i64,
    pub campaign: Campaign,
    /// The issuer of what is gained.
    pub issuer: i64,
    /// Of what is gained.
    pub scale: Scale,
    pub kept: Kept,
    /// What is given on the routes that somebody stopped.
    pub halted: Vec<Asset>,
    /// What an approver sends back.
    pub content_hash: Vec<u8>,
    /// Whose draft it is.
    pub maker: PartyName,
    pub created_at: Timestamp,
    /// Who has agreed, oldest first, the maker of the proposal among them.
    pub agreed: Vec<PartyName>,
}

impl Entry {
    pub fn state(&self, now: Timestamp) -> State {
        let Campaign {
            starts_at, ends_at, ..
        } = self.campaign;
        self.kept.state(starts_at, ends_at, now)
    }

    /// What is to be kept after a step at `now`.
    pub fn after(&self, step: Step, now: Timestamp) -> Result<Kept, NoSuchEdge> {
        self.state(now).after(step)
    }

    /// Whether it may know of the campaign: of what others have not published yet, nobody does.
    pub fn is_seen_by(&self, party: PartyName) -> bool {
        self.campaign.is_party(self.issuer, party) || self.kept == Kept::Published
    }

    pub fn is_party(&self, party: PartyName) -> bool {
        self.campaign.is_party(self.issuer, party)
    }

    /// Whose word makes it binding when `maker` proposes it.
    pub fn asked(&self, maker: PartyName) -> Vec<PartyName> {
        let mut parties = vec![PartyName::Partner(self.issuer)];
        for sponsor in &self.campaign.terms.funders {
            let party = PartyName::Partner(sponsor.partner);
            if !parties.contains(&party) {
                parties.push(party);
            }
        }
        // Who works for the hub has given the hub's word with the proposal; the partners check it.
        if maker != PartyName::Hub {
            parties.push(PartyName::Hub);
        }
        parties
    }

    /// Its place in the audit trail. A draft is its maker's.
    pub fn about(&self) -> About {
        let is_draft = self.kept == Kept::Draft;
        let concerned = self.asked(PartyName::Hub).into_iter();
        let concerned = concerned.filter(|it| !is_draft || self.maker == *it);
        let concerned = concerned.filter_map(PartyName::partner);
        Subject::Campaign.no(self.id).of(concerned)
    }

    /// Which routes a party stops when it halts the campaign, by what is given there. Who pays for the
    /// campaign, who gives its points and the hub stop it everywhere, who issues what is given there.
    pub fn halts(&self, party: PartyName, issued: &[Asset]) -> Vec<Asset> {
        let is_everywhere = self.is_party(party);
        let sources = self.campaign.sources.iter().copied();
        let stops = |source: &Asset| is_everywhere || issued.contains(source);
        sources.filter(stops).collect()
    }
}

impl Campaign {
    /// Whether it has a say: who pays, the issuer of what is gained and the hub do.
    pub fn is_party(&self, issuer: i64, party: PartyName) -> bool {
        match party {
            PartyName::Hub => true,
            PartyName::Nobody => false,
            PartyName::Partner(id) => {
                id == issuer || self.terms.funders.iter().any(|it| it.partner == id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::campaign::tests::campaign;
    use super::*;
    use crate::clock;

    fn entry(kept: Kept) -> Entry {
        let mut campaign = campaign(r#""bonus":{"kind":"fixed","bonus":5}"#);
        campaign.sources = vec![1001, 1003];
        Entry {
            id: 7,
            campaign,
            issuer: 2,
            scale: Scale::WHOLE,
            kept,
            halted: vec![],
            content_hash: vec![7; 16],
            maker: PartyName::Partner(1),
            created_at: clock::ALWAYS,
            agreed: vec![],
        }
    }

    const FUNDER: PartyName = PartyName::Partner(1);
    const ISSUER: PartyName = PartyName::Partner(2);
    const SOURCE: PartyName = PartyName::Partner(3);

    #[test]
    fn who_pays_who_issues_and_the_hub_are_asked() {
        let entry = entry(Kept::Draft);
        assert_eq!(entry.asked(FUNDER), [ISSUER, FUNDER, PartyName::Hub]);
        assert_eq!(entry.asked(PartyName::Hub), [ISSUER, FUNDER]);
        let own = Entry { issuer: 1, ..entry };
        assert_eq!(own.asked(FUNDER), [FUNDER, PartyName::Hub]);
    }

    #[test]
    fn what_is_not_published_is_between_its_parties() {
        for (party, sees) in [
            (FUNDER, true),
            (ISSUER, true),
            (PartyName::Hub, true),
            (SOURCE, false),
        ] {
            assert_eq!(entry(Kept::Proposed).is_seen_by(party), sees, "{party}");
            assert!(entry(Kept::Published).is_seen_by(party), "{party}");
        }
    }

    #[test]
    fn who_issues_what_is_given_stops_its_own_routes() {
        let entry = entry(Kept::Published);
        for party in [FUNDER, ISSUER, PartyName::Hub] {
            assert_eq!(entry.halts(party, &[]), [1001, 1003], "{party}");
        }
        assert_eq!(entry.halts(SOURCE, &[1003, 1004]), [1003]);
        assert!(entry.halts(SOURCE, &[]).is_empty());
    }
}
