//! A campaign as JSON, and how much of it a caller sees.
//!
//! Everybody sees what a published campaign gives, to whom and for how long. Who pays how much of it is
//! for those who pay, for the issuer of what is gained and for the hub.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::campaign::{Arm, Campaign, CampaignTerms, JudgedAt, Sponsor};
use super::entry::Entry;
use super::sentence::Codes;
use super::state::State;
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::error::Problem;
use crate::id::{Ids, Kind};
use crate::partners::Directory;
use crate::points::amount::{Scale, Scales};
use crate::rates::allowance::Allowance;
use crate::rates::body::{ContentHash, LintBody};
use crate::rates::bonus::Bonus;
use crate::rates::condition::Condition;
use crate::rates::lint::Code;
use crate::rates::printed::Printed;
use crate::web::body::{object_or_none, objects};
use crate::web::text::{Mark, Name};

/// A campaign to be drafted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftCampaign {
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "Double June")]
    name: Name,
    /// The same in Traditional Chinese.
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "六月雙倍")]
    name_zh: Name,
    /// Where it holds: all into one currency.
    #[serde(deserialize_with = "objects")]
    routes: Vec<CampaignRoute>,
    /// What it adds: `percent` (`num`, `den`), `fixed` (`bonus`), `slab` or `marginal` (`bands` of `from`,
    /// `num`, `den`), rounded down by itself and counted on the base alone; from `min_given` on. Left out
    /// where `arms` say it.
    #[serde(default, deserialize_with = "object_or_none")]
    #[schema(value_type = Option<Object>, example = json!({"kind": "percent", "num": 1, "den": 5}))]
    bonus: Option<Bonus>,
    /// Of an experiment: each wallet is in one of them, for ever, by their weights.
    #[serde(default, deserialize_with = "objects")]
    arms: Vec<CampaignArm>,
    /// The first instant, to the second.
    #[schema(value_type = String, format = DateTime, example = "2027-06-01T00:00:00+08:00")]
    starts_at: Timestamp,
    /// The first instant after it, to the second.
    #[schema(value_type = String, format = DateTime, example = "2027-07-01T00:00:00+08:00")]
    ends_at: Timestamp,
    /// The IANA zone in which people are told that.
    #[schema(example = "Asia/Hong_Kong")]
    zone: String,
    /// `request`, when left out: a quote that is asked for in the window gets the bonus, also when it is
    /// taken after it. `credit`: such a quote ends with the campaign.
    #[serde(default)]
    judged_at: JudgedAt,
    /// Once for each wallet that gives.
    #[serde(default)]
    first_time_only: bool,
    /// For wallets that were registered for it.
    #[serde(default)]
    registered_only: bool,
    /// For whom it is: `claims` that the issuer of what is given attests (`of`: `target` for what is gained),
    /// each with one of the values it lists, and `channel`s. For everybody when left out.
    #[serde(default, deserialize_with = "object_or_none")]
    #[schema(value_type = Option<Object>, example = json!({"claims": {"tier": ["gold"]}, "of": "source", "channel": ["app"]}))]
    when: Option<Condition>,
    /// How many conversions of a wallet get it; any number when left out.
    #[schema(minimum = 1)]
    times: Option<i64>,
    /// How much a wallet gets of it in all, in printed units of what is gained.
    #[schema(value_type = serde_json::Value, example = 5000)]
    most: Option<Printed>,
    /// How much (`gained`) or how often (`times`) a wallet gets it within a `period` (`day`, `month`, `year` in
    /// the campaign's zone), or within any `hours` or `months`.
    #[serde(default, deserialize_with = "objects")]
    #[schema(value_type = Vec<Object>, example = json!([{"period": "day", "gained": 500}]))]
    allowances: Vec<Allowance>,
    /// How much it gives in all, in printed units of what is gained.
    #[schema(value_type = serde_json::Value, example = 1000000)]
    budget: Option<Printed>,
    /// Who pays for it, at the price the issuer of what is gained has on the card.
    #[serde(deserialize_with = "objects")]
    funders: Vec<CampaignFunder>,
}

/// One direction of one pair.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignRoute {
    /// The code of the currency that is given.
    #[schema(example = "STAR")]
    from: String,
    /// The code of the currency that is gained.
    #[schema(example = "MILE")]
    to: String,
}

/// An arm of an experiment.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignArm {
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "more")]
    name: Mark,
    /// How many parts of the wallets are in it.
    #[schema(minimum = 1)]
    weight: i64,
    /// What they get; nothing more when left out.
    #[serde(default, deserialize_with = "object_or_none")]
    #[schema(value_type = Option<Object>)]
    bonus: Option<Bonus>,
}

/// Who pays for a campaign, in whole parts: 1 and 2 are a third and two thirds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignFunder {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    #[schema(minimum = 1)]
    weight: i64,
}

/// What a partner who proposes a campaign knows of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedCampaign {
    /// The codes of the `lints` that are known and accepted.
    #[serde(default)]
    #[schema(example = json!(["splitting_pays"]))]
    pub(super) acknowledges: Vec<Code>,
}

/// What was read and is approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedCampaign {
    /// The `content_hash` of the campaign that was read.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$", example = "00112233445566778899aabbccddeeff")]
    pub(super) content_hash: ContentHash,
    /// The codes of the `lints` that are known and accepted.
    #[serde(default)]
    #[schema(example = json!(["splitting_pays"]))]
    pub(super) acknowledges: Vec<Code>,
}

/// What was read and is rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadCampaign {
    /// The `content_hash` of the campaign that was read.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$", example = "00112233445566778899aabbccddeeff")]
    pub(super) content_hash: ContentHash,
}

/// A member of yours who wants to take part.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRegistration {
    /// The member's id.
    pub(super) member: String,
    /// The code of the currency that the member will give, one that you issue.
    #[schema(example = "STAR")]
    pub(super) currency: String,
}

/// A wallet that may have the bonus.
#[derive(Serialize, ToSchema)]
pub struct RegistrationBody {
    pub campaign: String,
    pub wallet: String,
}

/// A bonus beside the rate cards, for a time.
#[derive(Serialize, ToSchema)]
pub struct CampaignBody {
    #[schema(example = "cmp_0123456789abcdef")]
    pub id: String,
    pub name: String,
    pub name_zh: String,
    pub state: State,
    /// Whose word was given: ids of partners, and `hub`. Null for who is no party.
    pub agreed: Option<Vec<String>>,
    pub routes: Vec<CampaignRoute>,
    /// Those of the routes on which it was stopped.
    pub halted: Vec<CampaignRoute>,
    /// The campaign as a member is told it.
    pub sentence: String,
    pub sentence_zh: String,
    /// What to think about before it is agreed to; amounts as they are where one point becomes one.
    pub lints: Vec<LintBody>,
    #[schema(value_type = Option<Object>)]
    pub bonus: Option<Bonus>,
    #[schema(value_type = Vec<Object>)]
    pub arms: Vec<Arm>,
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    pub zone: String,
    pub judged_at: JudgedAt,
    pub first_time_only: bool,
    pub registered_only: bool,
    /// For whom it is; null when for everybody.
    #[schema(value_type = Option<Object>)]
    pub when: Option<Condition>,
    pub times: Option<i64>,
    #[schema(value_type = serde_json::Value)]
    pub most: Option<Printed>,
    #[schema(value_type = Vec<Object>)]
    pub allowances: Vec<Allowance>,
    #[schema(value_type = serde_json::Value)]
    pub budget: Option<Printed>,
    /// Who pays for it; null for who is no party.
    pub funders: Option<Vec<CampaignFunder>>,
    /// What to send back when approving: it covers all of it. Null for who is no party.
    pub content_hash: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl DraftCampaign {
    /// The draft with its currencies and partners known by number.
    pub(super) fn read(self, ids: &Ids, directory: &Directory) -> Result<Campaign, Problem> {
        let DraftCampaign {
            name,
            name_zh,
            routes,
            bonus,
            arms,
            starts_at,
            ends_at,
            zone,
            judged_at,
            first_time_only,
            registered_only,
            when,
            times,
            most,
            allowances,
            budget,
            funders,
        } = self;
        let is_zone = zone.parse::<chrono_tz::Tz>().is_ok();
        if !is_zone {
            let rule = "an IANA time zone such as Asia/Hong_Kong";
            return Err(Problem::field("/zone", rule));
        }
        let currency = |code: &str, pointer: String| {
            let known = directory.currency(code).map(|currency| currency.no);
            known.ok_or_else(|| super::api::no_currency(&pointer))
        };
        let (mut sources, mut target) = (Vec::new(), None);
        for (at, route) in routes.iter().enumerate() {
            sources.push(currency(&route.from, format!("/routes/{at}/from"))?);
            let to = currency(&route.to, format!("/routes/{at}/to"))?;
            if *target.get_or_insert(to) != to {
                let pointer = format!("/routes/{at}/to");
                return Err(Problem::field(pointer, "the same currency for all routes"));
            }
        }
        let target = target.ok_or_else(|| Problem::field("/routes", "at least one route"))?;
        let sponsor = |(at, funder): (usize, &CampaignFunder)| {
            let partner = ids.read(Kind::Partner, &funder.partner);
            let partner = partner.filter(|id| directory.partner(*id).is_some());
            let pointer = format!("/funders/{at}/partner");
            Ok(Sponsor {
                partner: partner.ok_or_else(|| super::api::no_partner(&pointer))?,
                weight: funder.weight,
            })
        };
        let funders = funders.iter().enumerate().map(sponsor);
        let arms = arms.into_iter().map(|arm| Arm {
            name: arm.name.into(),
            weight: arm.weight,
            bonus: arm.bonus,
        });
        let terms = CampaignTerms {
            zone,
            judged_at,
            bonus,
            arms: arms.collect(),
            first_time_only,
            registered_only,
            when,
            times,
            most,
            allowances,
            budget,
            funders: funders.collect::<Result<_, Problem>>()?,
        };
        Ok(Campaign {
            name: name.into(),
            name_zh: name_zh.into(),
            sources,
            target,
            starts_at,
            ends_at,
            terms,
        })
    }
}

fn lints(terms: &CampaignTerms, scale: Scale) -> Vec<LintBody> {
    let scales = Scales {
        source: scale,
        target: scale,
    };
    let lints = terms.lints(scale).into_iter();
    lints.map(|lint| LintBody::of(&lint, scales)).collect()
}

/// The campaign as `viewer` sees it.
pub(super) fn show(
    ids: &Ids,
    directory: &Directory,
    entry: &Entry,
    viewer: PartyName,
    now: Timestamp,
) -> CampaignBody {
    let is_party = entry.is_party(viewer);
    let campaign = &entry.campaign;
    let code = |no| directory.code_of(no).unwrap_or_default();
    let target = code(campaign.target);
    let route = |from: &i16| CampaignRoute {
        from: code(*from).to_owned(),
        to: target.to_owned(),
    };
    let sources: Vec<&str> = campaign.sources.iter().map(|no| code(*no)).collect();
    let issuer = |no| {
        let issuer = directory.currency_no(no).map(|currency| currency.issuer);
        let issuer = issuer.and_then(|issuer| directory.partner(issuer));
        issuer.map_or("?", |partner| partner.code.as_str())
    };
    let mut source_issuers: Vec<&str> = Vec::new();
    for from in &campaign.sources {
        let issuer = issuer(*from);
        if !source_issuers.contains(&issuer) {
            source_issuers.push(issuer);
        }
    }
    let codes = Codes {
        sources: &sources,
        target,
        source_issuers: &source_issuers,
        target_issuer: issuer(campaign.target),
    };
    let party = |party: &PartyName| match party {
        PartyName::Hub | PartyName::Nobody => party.to_string(),
        PartyName::Partner(id) => ids.show(Kind::Partner, *id),
    };
    let funder = |sponsor: &Sponsor| CampaignFunder {
        partner: ids.show(Kind::Partner, sponsor.partner),
        weight: sponsor.weight,
    };
    let terms = &campaign.terms;
    CampaignBody {
        id: ids.show(Kind::Campaign, entry.id),
        name: campaign.name.clone(),
        name_zh: campaign.name_zh.clone(),
        state: entry.state(now),
        agreed: is_party.then(|| entry.agreed.iter().map(party).collect()),
        routes: campaign.sources.iter().map(route).collect(),
        halted: entry.halted.iter().map(route).collect(),
        sentence: campaign.english(codes),
        sentence_zh: campaign.chinese(codes),
        lints: lints(terms, entry.scale),
        bonus: terms.bonus.clone(),
        arms: terms.arms.clone(),
        starts_at: campaign.starts_at,
        ends_at: campaign.ends_at,
        zone: terms.zone.clone(),
        judged_at: terms.judged_at,
        first_time_only: terms.first_time_only,
        registered_only: terms.registered_only,
        when: terms.when.clone(),
        times: terms.times,
        most: terms.most,
        allowances: terms.allowances.clone(),
        budget: terms.budget,
        funders: is_party.then(|| terms.funders.iter().map(funder).collect()),
        content_hash: is_party.then(|| hex::encode(&entry.content_hash)),
        created_at: entry.created_at,
    }
}
