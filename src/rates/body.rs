//! A version of a card as JSON, and how much of it a caller sees.
//!
//! | caller          | terms | `settlement` of a priced card     | of a cost-plus card       |
//! |-----------------|:-----:|-----------------------------------|---------------------------|
//! | source partner  | yes   | `source_price`, `commission`      | `price`, `commission`     |
//! | target partner  | yes   | `target_price`                    | `price`                   |
//! | the hub's staff | yes   | all                               | all                       |
//! | a sponsor       | yes   | as the source partner             | as the source partner     |
//! | anybody else    | yes   | null                              | null                      |
//!
//! All of them see who sponsors it; a sponsor pays a share of what the source does, so it sees that.
//! Neither partner sees the other's price. That is also why `content_hash` is keyed and only the
//! parties get it: from a plain hash the one price that is unknown could be found by trying.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::boundary::{self, Boundary, Local, Sent};
use super::condition::Condition;
use super::draft::{BadDates, Draft, Refusal};
use super::funding::Funders;
use super::lint::{self, Code, Lint};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::sentence::{self, Issuers, Names};
use super::settlement::{FeeTo, SettlementTerms};
use super::sponsor::Sponsor;
use super::state::State;
use super::terms::Terms;
use super::version::Version;
use super::written::{Written, needed};
use crate::approvals::PartyName;
use crate::clock::Timestamp;
use crate::id::{Ids, Kind};
use crate::partners::{Currency, Directory, Keeper, MoneyBody};
use crate::points::agreed::{Price, Share};
use crate::points::amount::{Scale, Scales};
use crate::points::money::Micros;
use crate::rates::card::Card;
use crate::web::body::{object, object_or_none};
use crate::web::text::Name;

/// A rate card to be drafted: one direction of one pair.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftRateCard {
    /// The code of the currency that is given.
    #[schema(example = "STAR")]
    pub(super) from: String,
    /// The code of the currency that is gained.
    #[schema(example = "MILE")]
    pub(super) to: String,
    /// What a member gets, in printed units. `kind` is `ratio` (`give`, `get`), `slab` or `marginal`
    /// (`bands` of `from`, `give`, `get`), `table` (`table` of `give`, `get`) or `priced` (what the
    /// money of `settlement` buys). Limits on what is given: `min`, `max`, `step`, `step_origin`; on
    /// what is gained: `dest_min`, `dest_max`, `dest_step`. `remainder` is `absorb` or
    /// `leave_in_source`. On top: `block_bonus`, `bonuses`. A `fee` is `flat` (`amount`), `per_unit` (`num`,
    /// `den`) or `per_step` (`amount`, `step`), with a `minimum`, a `cap` and a `tax`, in smallest units of
    /// its `currency`: the code of a money, or `given` for points on top of what is given, or `gained` for
    /// points off what is gained (`flat` and `per_unit`). A flat one that `covers` a `period` (or `hours`, or
    /// `months`) is paid once in it, alone or with a `group` of routes. Per member: `allowances` (`given`,
    /// `gained` or `times` in a `period` of `day`, `month`, `year` or `ever`, or in `hours` or `months`;
    /// together with a `group`; `from` an instant), `keep` (what has to stay), `excludes` (`bonus`,
    /// `expiring`). Afterwards: `onward` (`never` or `after_days`), `delivery` (`after_days`,
    /// `day_of_month`, or `code` with its `valid_days`: what is gained can be used once a code is presented
    /// to who issues it).
    #[schema(value_type = Object, example = json!({"kind": "ratio", "give": 5, "get": 1, "min": 5000, "step": 1250}))]
    #[serde(deserialize_with = "object")]
    pub(super) terms: Written,
    #[serde(deserialize_with = "object")]
    pub(super) settlement: SettlementBody,
    /// For whom it is; for everybody when left out. `claims`: what the issuer of what is given has to
    /// attest of the member, each with the values that will do, or the issuer of what is gained with
    /// `"of": "target"`. `channel`: how the request has to come.
    #[schema(value_type = Option<Object>, example = json!({"claims": {"tier": ["platinum", "diamond"]}, "of": "source", "channel": ["app", "web"]}))]
    #[serde(default, deserialize_with = "object_or_none")]
    pub(super) when: Option<Condition>,
    /// Of the cards of the pair whose conditions are met the highest decides, and no two that hold at
    /// one instant have the same. From -1000 to 1000; 0 when left out.
    #[schema(minimum = -1000, maximum = 1000, example = 0)]
    #[serde(default)]
    pub(super) priority: i32,
    /// How many days of notice are promised before a change that is worse for a member in anything: 0 to
    /// 366, 0 when left out.
    #[schema(maximum = 366, example = 30)]
    pub(super) notice_days: Option<u16>,
    /// When it begins; when the last party agrees, when left out. Not in the past. An instant, or a day
    /// or a time of day in a zone: `{"local": "2027-03-01", "zone": "Asia/Hong_Kong"}`.
    pub(super) valid_from: Option<Sent>,
    /// When it ends, which is the first instant it does not hold; never when left out. A day in a zone
    /// is the end of that day.
    pub(super) valid_to: Option<Sent>,
    /// Where the terms come from, in a few words.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 120, example = "R203")]
    pub(super) origin: Option<Name>,
}

/// What the brands pay. Sent: `cost_plus` needs `price`, `priced` needs `source_price` and
/// `target_price`, both need `commission`. Answered: only what the caller may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "RateCardSettlement")]
#[serde(deny_unknown_fields)]
pub struct SettlementBody {
    pub kind: SettlementKind,
    /// What the source pays, and the target gets, for each printed unit created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.014000")]
    pub price: Option<Price>,
    /// What the source pays for each printed unit that leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_price: Option<Price>,
    /// What the target charges for each printed unit created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub target_price: Option<Price>,
    /// The hub's share: on top of a cost-plus price, out of a source price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.025")]
    pub commission: Option<Share>,
    /// Of a priced card: what is gained comes in whole increments. A whole number or a
    /// decimal string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, example = 10)]
    pub increment: Option<Printed>,
    /// Who pays for the bonuses of `terms`, in whole parts: one for all, or one for each, the block bonus
    /// first. What is made of it goes to who issues it, at its price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, example = json!([{"source": 1, "target": 2}]))]
    pub bonus_funders: Vec<Funders>,
    /// Whose the member's fee in money is; the partner's whose points are given when left out. Points are
    /// always their issuer's.
    #[serde(default, skip_serializing_if = "FeeTo::is_partner")]
    pub fee_to: FeeTo,
    /// Who pays a share of what it costs the partner whose points are given.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "object_or_none"
    )]
    pub sponsor: Option<SponsorBody>,
}

/// Who pays a share of what conversions cost the partner whose points are given: another partner, whose
/// word the card needs too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "RateCardSponsor")]
#[serde(deny_unknown_fields)]
pub struct SponsorBody {
    /// The partner's id.
    #[schema(example = "ptr_0123456789abcdef")]
    pub partner: String,
    /// Of the gross, bonuses apart: above 0 and below 1.
    #[schema(value_type = String, example = "0.25")]
    pub share: Share,
    /// How much it pays in all for this version, in the money it settles in. What there is no room for is
    /// not converted.
    #[serde(deserialize_with = "object")]
    pub budget: MoneyBody,
}

impl SponsorBody {
    fn read(self, ids: &Ids, directory: &Directory, source: i64) -> Result<Sponsor, BadTerms> {
        let bad =
            |field: &str, reason| BadTerms::new(format!("settlement.sponsor.{field}"), reason);
        let partner = ids.read(Kind::Partner, &self.partner);
        let money = partner.and_then(|partner| Some((partner, directory.money_of(partner)?)));
        let (partner, money) = money.ok_or_else(|| bad("partner", Reason::NotAPartner))?;
        if partner == source {
            return Err(bad("partner", Reason::TheSource));
        }
        if money.code != self.budget.currency {
            return Err(bad("budget.currency", Reason::NotTheSponsorsMoney));
        }
        let budget = Micros::parse(&self.budget.amount);
        Ok(Sponsor {
            partner,
            share: self.share,
            budget: budget.map_err(|_| bad("budget.amount", Reason::NotMoney))?,
        })
    }

    /// A sponsor as the parties of its card see it.
    pub(super) fn of(ids: &Ids, directory: &Directory, sponsor: Sponsor) -> Option<SponsorBody> {
        Some(SponsorBody {
            partner: ids.show(Kind::Partner, sponsor.partner),
            share: sponsor.share,
            budget: MoneyBody::of(directory.money_of(sponsor.partner)?, sponsor.budget),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RateCardSettlementKind)]
pub enum SettlementKind {
    CostPlus,
    Priced,
}

/// What a partner who proposes a rate card knows of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedRateCard {
    /// The codes of the `lints` that are known and accepted.
    #[serde(default)]
    #[schema(example = json!(["splitting_pays"]))]
    pub(super) acknowledges: Vec<Code>,
}

/// What was read and is approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedRateCard {
    /// The `content_hash` of the rate card that was read.
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
pub struct ReadRateCard {
    /// The `content_hash` of the rate card that was read.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$", example = "00112233445566778899aabbccddeeff")]
    pub(super) content_hash: ContentHash,
}

/// Nothing more to say: an empty object.
#[derive(Deserialize, ToSchema)]
#[schema(as = NothingMore)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// 16 bytes as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentHash(pub Vec<u8>);

impl TryFrom<String> for ContentHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ContentHash, Self::Error> {
        let bytes = hex::decode(&text).ok().filter(|bytes| bytes.len() == 16);
        bytes
            .map(ContentHash)
            .ok_or("32 hexadecimal digits, as the rate card shows them")
    }
}

/// A version of the terms for one direction of one pair of currencies.
#[derive(Serialize, ToSchema)]
pub struct RateCardBody {
    #[schema(example = "card_0123456789abcdef")]
    pub id: String,
    #[schema(example = "STAR")]
    pub from: String,
    #[schema(example = "MILE")]
    pub to: String,
    /// Counted up per pair.
    pub version: i32,
    pub state: State,
    /// Whose word was given.
    pub agreed: Vec<Side>,
    /// The card as a member is told it.
    #[schema(example = "5,000 STAR or more, in steps of 1,250, become MILE at 5 to 1.")]
    pub sentence: String,
    #[schema(example = "5,000 STAR 起，以 1,250 為單位，按 5 比 1 兌換 MILE。")]
    pub sentence_zh: String,
    /// What to think about before agreeing. `splitting_pays` has to be acknowledged by both partners.
    pub lints: Vec<LintBody>,
    /// What a member gets, as it was drafted.
    #[schema(value_type = Object, example = json!({"kind": "ratio", "give": 5, "get": 1, "min": 5000, "step": 1250}))]
    pub terms: Terms,
    /// The caller's side of what the brands pay; null for who is no party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement: Option<SettlementBody>,
    /// For whom it is, as it was drafted; null when for everybody.
    #[schema(value_type = Option<Object>, example = json!({"claims": {"tier": ["platinum", "diamond"]}}))]
    pub when: Option<Condition>,
    /// Of the cards of the pair whose conditions are met the highest decides.
    #[schema(example = 0)]
    pub priority: i32,
    /// How many days before it a change that is worse for a member is agreed.
    #[schema(maximum = 366)]
    pub notice_days: u16,
    /// When it begins; null until it is published, where its parties left that open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_from: Option<Timestamp>,
    /// The first instant it does not hold; null while that is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_to: Option<Timestamp>,
    /// When it was wanted to begin, where that was written as a day or a time in a zone.
    pub valid_from_local: Option<Local>,
    /// When it was wanted to end, where that was written as a day or a time in a zone.
    pub valid_to_local: Option<Local>,
    /// Where the terms come from; null for who is no party.
    pub origin: Option<String>,
    /// What to send back when approving: it covers pair, terms, settlement, condition, priority, notice and
    /// the dates that were asked for. Null for who is no party.
    pub content_hash: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Something to think about.
#[derive(Serialize, ToSchema)]
#[schema(as = RateCardLint)]
pub struct LintBody {
    pub code: Code,
    #[schema(example = "5,000 and 5,000 gain 100 more than 10,000 at once")]
    pub en: String,
    #[serde(rename = "zh-Hant")]
    #[schema(example = "分兩次以 5,000 和 5,000 兌換，比一次以 10,000 兌換多得 100")]
    pub zh_hant: String,
}

impl LintBody {
    fn all(card: &Card, scales: Scales) -> Vec<LintBody> {
        let lints = lint::lints(card, scales).into_iter();
        lints.map(|lint| LintBody::of(&lint, scales)).collect()
    }

    pub(super) fn of(lint: &Lint, scales: Scales) -> LintBody {
        LintBody {
            code: lint.code(),
            en: lint.english(scales),
            zh_hant: lint.chinese(scales),
        }
    }
}

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RateCardSide)]
pub enum Side {
    Source,
    Target,
    Sponsor,
    Hub,
}

impl DraftRateCard {
    /// The draft with its currencies known by number.
    pub(super) fn read(
        self,
        ids: &Ids,
        directory: &Directory,
        from: &Currency,
        to: &Currency,
    ) -> Result<Draft, Refusal> {
        let DraftRateCard {
            from: _,
            to: _,
            terms,
            settlement,
            when,
            priority,
            notice_days,
            valid_from,
            valid_to,
            origin,
        } = self;
        let card = Card {
            terms: terms_of(terms, [from.kept_by, to.kept_by]).map_err(Refusal::Terms)?,
            settlement: settlement
                .read(|sent| sent.read(ids, directory, from.issuer))
                .map_err(Refusal::Terms)?,
            when,
            priority,
            notice_days: notice_days.unwrap_or(0),
        };
        let (valid_from, valid_to) = (
            boundary(valid_from, boundary::Side::Begins, "valid_from")?,
            boundary(valid_to, boundary::Side::Ends, "valid_to")?,
        );
        Ok(Draft {
            from: from.no,
            to: to.no,
            card,
            valid_from,
            valid_to,
            origin,
        })
    }
}

/// The terms, when the hub can keep to them: where an issuer keeps balances itself, the hub has no lots to look
/// at, and none to make.
fn terms_of(written: Written, [from, to]: [Keeper; 2]) -> Result<Terms, BadTerms> {
    let terms = Terms::try_from(written)?;
    let needs = [
        ("keep", from, terms.keep.is_some()),
        ("excludes", from, !terms.excludes.is_empty()),
        ("onward", to, terms.onward.is_some()),
        ("delivery", to, terms.delivery.is_some()),
    ];
    let bad = needs
        .into_iter()
        .find(|(_, keeper, is_asked)| *is_asked && *keeper == Keeper::Partner);
    match bad {
        Some((field, ..)) => Err(BadTerms::new(field, Reason::KeptByPartner)),
        None => Ok(terms),
    }
}

fn boundary(
    sent: Option<Sent>,
    side: boundary::Side,
    field: &'static str,
) -> Result<Option<Boundary>, Refusal> {
    let read = sent.map(|sent| sent.read(side)).transpose();
    read.map_err(|not_one| Refusal::Dates(BadDates::NotOneInstant(field, not_one)))
}

impl SettlementBody {
    fn read(
        self,
        sponsor: impl FnOnce(SponsorBody) -> Result<Sponsor, BadTerms>,
    ) -> Result<SettlementTerms, BadTerms> {
        self.refuse_leftovers()?;
        let SettlementBody {
            kind,
            price,
            source_price,
            target_price,
            commission,
            increment,
            bonus_funders,
            fee_to,
            sponsor: sent,
        } = self;
        let sponsor = sent.map(sponsor).transpose()?;
        let commission = needed(commission, "settlement.commission")?;
        Ok(match kind {
            SettlementKind::CostPlus => SettlementTerms::CostPlus {
                price: needed(price, "settlement.price")?,
                commission,
                bonus_funders,
                fee_to,
                sponsor,
            },
            SettlementKind::Priced => SettlementTerms::Priced {
                source_price: needed(source_price, "settlement.source_price")?,
                target_price: needed(target_price, "settlement.target_price")?,
                commission,
                increment,
                bonus_funders,
                fee_to,
                sponsor,
            },
        })
    }

    fn refuse_leftovers(&self) -> Result<(), BadTerms> {
        let by_money = self.kind == SettlementKind::Priced;
        let leftovers = [
            ("settlement.price", by_money && self.price.is_some()),
            (
                "settlement.source_price",
                !by_money && self.source_price.is_some(),
            ),
            (
                "settlement.target_price",
                !by_money && self.target_price.is_some(),
            ),
            (
                "settlement.increment",
                !by_money && self.increment.is_some(),
            ),
        ];
        match leftovers.into_iter().find(|(_, is_left)| *is_left) {
            Some((field, _)) => Err(BadTerms::new(field, Reason::NotOfThisKind)),
            None => Ok(()),
        }
    }

    /// What a party sees of the terms of settlement, but for the sponsor.
    pub(super) fn seen(
        terms: &SettlementTerms,
        source: bool,
        target: bool,
    ) -> Option<SettlementBody> {
        if !source && !target {
            return None;
        }
        let (bonus_funders, fee_to) = (terms.bonus_funders().to_vec(), terms.fee_to());
        Some(match *terms {
            SettlementTerms::CostPlus {
                price, commission, ..
            } => SettlementBody {
                kind: SettlementKind::CostPlus,
                price: Some(price),
                source_price: None,
                target_price: None,
                commission: source.then_some(commission),
                increment: None,
                bonus_funders,
                fee_to,
                sponsor: None,
            },
            SettlementTerms::Priced {
                source_price,
                target_price,
                commission,
                increment,
                ..
            } => SettlementBody {
                kind: SettlementKind::Priced,
                price: None,
                source_price: source.then_some(source_price),
                target_price: target.then_some(target_price),
                commission: source.then_some(commission),
                increment,
                bonus_funders,
                fee_to,
                sponsor: None,
            },
        })
    }
}

/// The version as `viewer` sees it.
pub(super) fn show(
    ids: &Ids,
    directory: &Directory,
    version: &Version,
    viewer: PartyName,
    now: Timestamp,
) -> RateCardBody {
    let is_party = version.is_party(viewer);
    let is = |side: i64| viewer == PartyName::Hub || viewer == PartyName::Partner(side);
    let sponsor = version.card.settlement.sponsor();
    let sponsor = sponsor.and_then(|sponsor| SponsorBody::of(ids, directory, sponsor));
    let (source, target) = codes(directory, version);
    let names = Names {
        source: &source,
        target: &target,
        scales: version.scales,
        fee_scale: fee_scale(directory, version),
    };
    let issuers = issuers(directory, version);
    RateCardBody {
        id: ids.show(Kind::RateCard, version.id),
        version: version.number,
        state: version.state(now),
        agreed: sides(version),
        sentence: sentence::english_card(&version.card, names, issuers),
        sentence_zh: sentence::chinese_card(&version.card, names, issuers),
        lints: LintBody::all(&version.card, version.scales),
        from: source.clone(),
        to: target.clone(),
        terms: version.card.terms.clone(),
        settlement: SettlementBody::seen(
            &version.card.settlement,
            is(version.source) || version.sponsor().is_some_and(is),
            is(version.target),
        )
        .map(|settlement| SettlementBody {
            sponsor,
            ..settlement
        }),
        when: version.card.when.clone(),
        priority: version.card.priority,
        notice_days: version.card.notice_days,
        valid_from: version.valid_from,
        valid_to: version.valid_to,
        valid_from_local: version.valid_from_local.clone(),
        valid_to_local: version.valid_to_local.clone(),
        origin: version.origin.clone().filter(|_| is_party),
        content_hash: is_party.then(|| hex::encode(&version.content_hash)),
        created_at: version.created_at,
    }
}

/// The codes of a version's two currencies.
pub(super) fn codes(directory: &Directory, version: &Version) -> (String, String) {
    let code = |no| {
        let currency = directory.currency_no(no);
        currency.map_or_else(String::new, |currency| currency.code.clone())
    };
    (code(version.from), code(version.to))
}

/// The codes of their issuers.
pub(super) fn issuers<'a>(directory: &'a Directory, version: &Version) -> Issuers<'a> {
    let issuer = |id| directory.partner(id).map_or("?", |partner| &partner.code);
    Issuers {
        source: issuer(version.source),
        target: issuer(version.target),
    }
}

/// How many decimals the money of a version's fee has.
pub(super) fn fee_scale(directory: &Directory, version: &Version) -> Scale {
    let fee = version.card.terms.fee.as_ref();
    let money = fee.and_then(|fee| directory.money_by_code(&fee.currency));
    money
        .and_then(|money| Scale::new(money.scale))
        .unwrap_or(Scale::WHOLE)
}

/// Who has agreed, as sides: one issuer of both currencies is both.
fn sides(version: &Version) -> Vec<Side> {
    let has = |party| version.agreed.contains(&party);
    let sides = [
        (Side::Source, has(PartyName::Partner(version.source))),
        (Side::Target, has(PartyName::Partner(version.target))),
        (
            Side::Sponsor,
            version
                .sponsor()
                .is_some_and(|id| has(PartyName::Partner(id))),
        ),
        (Side::Hub, has(PartyName::Hub)),
    ];
    sides
        .into_iter()
        .filter_map(|(side, agreed)| agreed.then_some(side))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::version::tests::{noon, version};
    use super::*;
    use serde_json::{Value, json};

    const VIEWERS: [PartyName; 4] = [
        PartyName::Partner(1),
        PartyName::Partner(2),
        PartyName::Hub,
        PartyName::Partner(3),
    ];

    fn settled(settlement: Value) -> Version {
        let version = version();
        let settlement = serde_json::from_value(settlement).unwrap();
        Version {
            card: Card {
                settlement,
                ..version.card
            },
            ..version
        }
    }

    fn seen(version: &Version, viewer: PartyName) -> Value {
        json!(show(
            &Ids::new(&[7; 32]),
            &Directory::default(),
            version,
            viewer,
            noon()
        ))
    }

    #[test]
    fn each_side_sees_its_own_price() {
        let priced = settled(json!({
            "kind": "priced", "source_price": "0.01", "target_price": "0.008", "commission": "0.025",
        }));
        let cost_plus =
            settled(json!({"kind": "cost_plus", "price": "0.014", "commission": "0.025"}));
        let of_priced = [
            json!({"kind": "priced", "source_price": "0.01", "commission": "0.025"}),
            json!({"kind": "priced", "target_price": "0.008"}),
            json!({"kind": "priced", "source_price": "0.01", "target_price": "0.008", "commission": "0.025"}),
            Value::Null,
        ];
        let of_cost_plus = [
            json!({"kind": "cost_plus", "price": "0.014", "commission": "0.025"}),
            json!({"kind": "cost_plus", "price": "0.014"}),
            json!({"kind": "cost_plus", "price": "0.014", "commission": "0.025"}),
            Value::Null,
        ];
        for (at, viewer) in VIEWERS.into_iter().enumerate() {
            assert_eq!(
                seen(&priced, viewer)["settlement"],
                of_priced[at],
                "{viewer}"
            );
            assert_eq!(
                seen(&cost_plus, viewer)["settlement"],
                of_cost_plus[at],
                "{viewer}"
            );
        }
    }

    #[test]
    fn who_is_no_party_gets_nothing_to_try_prices_against() {
        let version = Version {
            origin: Some("R203".into()),
            ..version()
        };
        let stranger = seen(&version, PartyName::Partner(3));
        assert!(stranger["content_hash"].is_null() && stranger["origin"].is_null());
        assert_eq!(
            seen(&version, PartyName::Partner(2))["content_hash"],
            "07".repeat(16)
        );
    }

    #[test]
    fn who_agreed_is_told_by_side() {
        let agreed = vec![PartyName::Hub, PartyName::Partner(1)];
        let version = Version {
            agreed,
            ..version()
        };
        assert_eq!(
            seen(&version, PartyName::Hub)["agreed"],
            json!(["source", "hub"])
        );
    }

    #[test]
    fn a_settlement_has_what_its_kind_needs_and_no_more() {
        let cases = [
            (
                json!({"kind": "cost_plus", "commission": "0"}),
                "settlement.price",
            ),
            (
                json!({"kind": "cost_plus", "price": "1"}),
                "settlement.commission",
            ),
            (
                json!({"kind": "cost_plus", "price": "1", "commission": "0", "increment": 5}),
                "settlement.increment",
            ),
            (
                json!({"kind": "priced", "source_price": "1", "commission": "0"}),
                "settlement.target_price",
            ),
            (
                json!({"kind": "priced", "price": "1", "source_price": "1", "target_price": "1", "commission": "0"}),
                "settlement.price",
            ),
        ];
        for (body, field) in cases {
            let read: SettlementBody = serde_json::from_value(body).unwrap();
            let sponsor = |_| Err(BadTerms::new("settlement.sponsor", Reason::Missing));
            assert_eq!(read.read(sponsor).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_content_hash_is_hexadecimal() {
        assert!(ContentHash::try_from("07".repeat(16)).is_ok());
        for text in ["", "07", "é7", &"0".repeat(64), &"zz".repeat(16)] {
            assert!(ContentHash::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
