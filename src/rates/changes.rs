//! The changes between two versions as JSON, in words.

use serde::Serialize;
use utoipa::ToSchema;

use super::body::{SettlementBody, codes, fee_scale, issuers};
use super::change::{self, Change, Seen, Sponsored};
use super::effect::Effect;
use super::sentence::{Issuers, Names};
use super::sponsor::Sponsor;
use super::version::Version;
use super::{change_chinese, change_english};
use crate::approvals::PartyName;
use crate::id::{Ids, Kind};
use crate::partners::Directory;
use crate::points::amount::Scale;

/// What is different between two versions, as the caller may see them.
#[derive(Serialize, ToSchema)]
pub struct RateCardChanges {
    /// The version that is read.
    #[schema(example = "card_0123456789abcdef")]
    pub card: String,
    /// The version it is compared with; null when it is the first of its pair and priority.
    #[schema(example = "card_fedcba9876543210")]
    pub since: Option<String>,
    /// Everything together: `better` or `same` when no amount is treated worse.
    pub member: Effect,
    pub changes: Vec<ChangeBody>,
}

/// One thing that is different.
#[derive(Serialize, ToSchema)]
#[schema(as = RateCardChange)]
pub struct ChangeBody {
    /// Where it is in a rate card.
    #[schema(example = "terms.min")]
    pub field: String,
    /// What it does to a member.
    pub member: Effect,
    #[schema(example = "the smallest amount rises from 5,000 to 10,000 STAR")]
    pub en: String,
    #[serde(rename = "zh-Hant")]
    #[schema(example = "最低數量由 5,000 升至 10,000 STAR")]
    pub zh_hant: String,
}

/// What a viewer sees of a version.
fn seen(
    version: &Version,
    viewer: PartyName,
    fee_scale: Scale,
    sponsor: Option<Sponsored>,
) -> Seen<'_> {
    let is = |side: i64| viewer == PartyName::Hub || viewer == PartyName::Partner(side);
    let (source, target) = (
        is(version.source) || version.sponsor().is_some_and(is),
        is(version.target),
    );
    Seen {
        terms: &version.card.terms,
        fee_scale,
        settlement: SettlementBody::seen(&version.card.settlement, source, target),
        sponsor: sponsor.filter(|_| source || target),
        when: version.card.when.as_ref(),
        priority: version.card.priority,
        notice_days: version.card.notice_days,
        valid_from: version.beginning(),
        valid_to: version.agreed_end(),
    }
}

fn sponsored(directory: &Directory, version: &Version) -> Option<Sponsored> {
    let Sponsor {
        partner,
        share,
        budget,
    } = version.card.settlement.sponsor()?;
    let code = |code: Option<&String>| code.map_or("?", String::as_str).to_owned();
    Some(Sponsored {
        partner: code(directory.partner(partner).map(|partner| &partner.code)),
        share,
        budget,
        money: code(directory.money_of(partner).map(|money| &money.code)),
    })
}

/// Whether a member who has the one loses nothing with the other.
pub(super) fn is_as_good(before: &Version, after: &Version) -> bool {
    // How a fee is printed and what a sponsor is called is nothing to what they do.
    let seen = |version| {
        let sponsor = sponsored(&Directory::default(), version);
        seen(version, PartyName::Hub, Scale::WHOLE, sponsor)
    };
    together(&change::diff(&seen(before), &seen(after), after.scales)).is_as_good()
}

fn together(changes: &[Change]) -> Effect {
    Effect::all(changes.iter().map(|change| change.member))
}

/// The changes of a version since another of its pair, as `viewer` may know them.
pub(super) fn show(
    ids: &Ids,
    directory: &Directory,
    since: Option<&Version>,
    version: &Version,
    viewer: PartyName,
) -> RateCardChanges {
    let (source, target) = codes(directory, version);
    let seen = |version| {
        let sponsor = sponsored(directory, version);
        seen(version, viewer, fee_scale(directory, version), sponsor)
    };
    let changes = since.map(|since| change::diff(&seen(since), &seen(version), version.scales));
    let changes = changes.unwrap_or_default();
    let names = Names {
        source: &source,
        target: &target,
        scales: version.scales,
        fee_scale: fee_scale(directory, version),
    };
    let issuers = issuers(directory, version);
    RateCardChanges {
        card: ids.show(Kind::RateCard, version.id),
        since: since.map(|since| ids.show(Kind::RateCard, since.id)),
        member: together(&changes),
        changes: changes
            .iter()
            .map(|change| body(change, names, issuers))
            .collect(),
    }
}

fn body(change: &Change, names: Names<'_>, issuers: Issuers<'_>) -> ChangeBody {
    ChangeBody {
        field: change.field(),
        member: change.member,
        en: change_english::told(change, names, issuers),
        zh_hant: change_chinese::told(change, names, issuers),
    }
}
