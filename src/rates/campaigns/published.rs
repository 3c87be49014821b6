//! A campaign that everybody has agreed to, as quotes and conversions look at it.

use super::campaign::Campaign;
use super::limits::Limits;
use crate::clock::Timestamp;
use crate::points::account::Asset;
use crate::rates::condition::{Asker, Attester, Condition};

/// A campaign that everybody has agreed to.
#[derive(Debug, Clone)]
pub struct PublishedCampaign {
    pub id: i64,
    pub campaign: Campaign,
    pub limits: Limits,
    /// What is given on the routes that somebody stopped.
    pub halted: Vec<Asset>,
}

impl PublishedCampaign {
    /// Whether it is of this route, and nobody stopped it there.
    pub fn is_open(&self, from: Asset, to: Asset) -> bool {
        let of_route = self.campaign.target == to && self.campaign.sources.contains(&from);
        of_route && !self.halted.contains(&from)
    }

    /// Who pays for what it gives.
    pub fn funders(&self) -> impl Iterator<Item = i64> {
        let funders = self.campaign.terms.funders.iter();
        funders.map(|sponsor| sponsor.partner)
    }

    /// Whether it is for who asks.
    pub fn is_for(&self, asker: Asker<'_>, now: Timestamp) -> bool {
        let when = self.campaign.terms.when.as_ref();
        when.is_none_or(|when| when.holds(asker, now))
    }

    /// Whether the claims of an issuer have to be known to say so.
    pub fn asks(&self, of: Attester) -> bool {
        let when = self.campaign.terms.when.as_ref();
        when.and_then(Condition::asks) == Some(of)
    }

    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.campaign.starts_at <= now && now < self.campaign.ends_at
    }
}
