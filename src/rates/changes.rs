//! The changes between two versions as JSON, in words.

use serde::Serialize;
use utoipa::ToSchema;

use super::body::{SettlementBody, codes};
use super::change::{self, Change, Seen};
use super::effect::Effect;
use super::sentence::Names;
use super::version::Version;
use super::{change_chinese, change_english};
use crate::approvals::PartyName;
use crate::id::{Ids, Kind};
use crate::partners::Directory;

/// What is different between two versions, as the caller may see them.
#[derive(Serialize, ToSchema)]
pub struct RateCardChanges {
    /// The version that is read.
    #[schema(example = "card_0123456789abcdef")]
    pub card: String,
    /// The version it is compared with; null when it is the first of its pair.
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
pub(super) fn seen(version: &Version, viewer: PartyName) -> Seen<'_> {
    let is = |side: i64| viewer == PartyName::Hub || viewer == PartyName::Partner(side);
    let (source, target) = (is(version.source), is(version.target));
    Seen {
        terms: &version.card.terms,
        settlement: SettlementBody::seen(&version.card.settlement, source, target),
        notice_days: version.card.notice_days,
        valid_from: version.beginning(),
        valid_to: version.agreed_end(),
    }
}

/// Whether a member who has the one loses nothing with the other.
pub(super) fn is_as_good(before: &Version, after: &Version) -> bool {
    let seen = |version| seen(version, PartyName::Hub);
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
    let scales = version.scales;
    let names = Names::of(&source, &target, scales);
    let after = seen(version, viewer);
    let changes = since.map(|since| change::diff(&seen(since, viewer), &after, scales));
    let changes = changes.unwrap_or_default();
    RateCardChanges {
        card: ids.show(Kind::RateCard, version.id),
        since: since.map(|since| ids.show(Kind::RateCard, since.id)),
        member: together(&changes),
        changes: changes.iter().map(|change| body(change, names)).collect(),
    }
}

fn body(change: &Change, names: Names<'_>) -> ChangeBody {
    ChangeBody {
        field: change.field(),
        member: change.member,
        en: change_english::told(change, names),
        zh_hant: change_chinese::told(change, names),
    }
}
