//! A campaign: a bonus beside the cards, on some routes, for a time, paid for by named parties.
//!
//! | says                       | holds for                                                    |
//! |----------------------------|--------------------------------------------------------------|
//! | `sources`, `target`        | conversions of one of the sources into the target            |
//! | `starts_at`, `ends_at`     | from its first instant, up to its last and not with it       |
//! | `registered_only`          | wallets that were registered for it                          |
//! | `when`                     | members who meet it at the quote, as for a card              |
//! | `first_time_only`, `times` | so many conversions of a wallet that gives                   |
//! | `most`, `budget`           | so many units for a wallet, and in all                       |
//! | `allowances`               | so many units or times for a wallet, within periods          |
//!
//! It gives its bonus whole or not at all: what is left of a budget and is too little for somebody waits
//! for who gets less. Of an experiment a wallet is in one arm for ever; an arm may give nothing.

use chrono::{Duration, Timelike};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::{self, Timestamp};
use crate::partners::period::{Calendar, Period};
use crate::points::account::Asset;
use crate::points::amount::Scale;
use crate::points::amount::Scales;
use crate::rates::allowance::{self, Allowance, Most};
use crate::rates::bonus::Bonus;
use crate::rates::condition::Condition;
use crate::rates::limit::positive_units;
use crate::rates::printed::Printed;
use crate::rates::refusal::{BadTerms, Reason};

/// What the parties of a campaign agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    pub name: String,
    pub name_zh: String,
    /// What is given, each once.
    pub sources: Vec<Asset>,
    /// What is gained.
    pub target: Asset,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub terms: CampaignTerms,
}

/// What a campaign gives, to whom, and who pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignTerms {
    /// The IANA zone in which its window is told.
    pub zone: String,
    pub judged_at: JudgedAt,
    /// What everybody gets; none where arms say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bonus: Option<Bonus>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<Arm>,
    #[serde(default)]
    pub first_time_only: bool,
    #[serde(default)]
    pub registered_only: bool,
    /// For whom it is; for everybody where none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Printed>,
    /// What a wallet may have within periods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Printed>,
    pub funders: Vec<Sponsor>,
}

/// Which instant has to be in the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignJudgedAt)]
pub enum JudgedAt {
    /// When the quote was asked for: it may be taken after the end.
    #[default]
    Request,
    /// When the points are credited: a quote ends with the campaign.
    Credit,
}

/// A part of the wallets of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub name: String,
    pub weight: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bonus: Option<Bonus>,
}

/// Who pays, in whole parts: 1 and 2 are a third and two thirds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sponsor {
    pub partner: i64,
    pub weight: i64,
}

/// Why a campaign cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Terms(BadTerms),
    Dates(BadDates),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadDates {
    NotSensible(&'static str),
    NotAWholeSecond(&'static str),
    EndsBeforeItStarts,
    IsOver,
}

/// The most routes, arms, sponsors and limits within periods there can be.
const MOST_SOURCES: usize = 50;
const MOST_ARMS: usize = 5;
const MOST_SPONSORS: usize = 20;
const MOST_ALLOWANCES: usize = 5;

/// More than a quote lives.
const LATE: Duration = Duration::hours(1);

/// The largest weight, and the most conversions.
const MOST: i64 = 1_000_000;

impl Campaign {
    /// Refuses a campaign that could be agreed to and not carried out. `scales` are those of the sources,
    /// in their order, and of the target.
    pub fn check(&self, sources: &[Scale], target: Scale, now: Timestamp) -> Result<(), Refusal> {
        self.check_routes().map_err(Refusal::Terms)?;
        for source in sources {
            let scales = Scales {
                source: *source,
                target,
            };
            self.terms.check(scales).map_err(Refusal::Terms)?;
        }
        self.check_dates(now).map_err(Refusal::Dates)
    }

    fn check_routes(&self) -> Result<(), BadTerms> {
        let bad = |reason| Err(BadTerms::new("routes", reason));
        let mut sources = self.sources.clone();
        sources.sort_unstable();
        match sources.len() {
            0 => return bad(Reason::Empty),
            many if many > MOST_SOURCES => return bad(Reason::TooLarge),
            _ => {}
        }
        if sources.contains(&self.target) {
            return bad(Reason::OneCurrency);
        }
        match sources.windows(2).any(|pair| pair[0] == pair[1]) {
            true => bad(Reason::NamedTwice),
            false => Ok(()),
        }
    }

    fn check_dates(&self, now: Timestamp) -> Result<(), BadDates> {
        for (field, instant) in [("starts_at", self.starts_at), ("ends_at", self.ends_at)] {
            if !clock::is_sensible(instant) {
                return Err(BadDates::NotSensible(field));
            }
            // A quote that ends with it counts in seconds.
            if instant.nanosecond() != 0 {
                return Err(BadDates::NotAWholeSecond(field));
            }
        }
        if self.ends_at <= self.starts_at {
            return Err(BadDates::EndsBeforeItStarts);
        }
        self.not_over(now)
    }

    /// A campaign that is approved late begins late, and one that is approved too late does not begin.
    pub fn not_over(&self, now: Timestamp) -> Result<(), BadDates> {
        match self.ends_at <= now {
            true => Err(BadDates::IsOver),
            false => Ok(()),
        }
    }

    /// Whether a conversion at an instant may have its bonus: a quote that is judged by the request may be
    /// taken for a while after the end.
    pub fn may_price(&self, at: Timestamp) -> bool {
        let late = match self.terms.judged_at {
            JudgedAt::Request => LATE,
            JudgedAt::Credit => Duration::zero(),
        };
        self.starts_at <= at && at < self.ends_at + late
    }

    /// SHA-256 over all of it.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for text in [&self.name, &self.name_zh] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        digest.update((self.sources.len() as u64).to_be_bytes());
        for currency in self.sources.iter().chain([&self.target]) {
            digest.update(currency.to_be_bytes());
        }
        for instant in [self.starts_at, self.ends_at] {
            digest.update(instant.timestamp_micros().to_be_bytes());
        }
        // Terms are maps of plain values: they always have a JSON form.
        digest.update(serde_json::to_vec(&self.terms).unwrap_or_default());
        digest.finalize().into()
    }
}

impl CampaignTerms {
    /// Refuses terms that cannot work between currencies of these scales.
    fn check(&self, scales: Scales) -> Result<(), BadTerms> {
        match (&self.bonus, self.arms.len()) {
            (None, 0) => return Err(BadTerms::new("bonus", Reason::Missing)),
            (Some(_), 1..) => return Err(BadTerms::new("bonus", Reason::NotOfThisKind)),
            (Some(bonus), 0) => bonus.extra(scales, "bonus").map(drop)?,
            (None, _) => self.check_arms(scales)?,
        }
        if let Some(times) = self.times {
            match times {
                ..1 => return Err(BadTerms::new("times", Reason::NotPositive)),
                _ if self.first_time_only => {
                    return Err(BadTerms::new("times", Reason::NotOfThisKind));
                }
                1..=MOST => {}
                _ => return Err(BadTerms::new("times", Reason::TooLarge)),
            }
        }
        for (field, limit) in [("most", self.most), ("budget", self.budget)] {
            if let Some(limit) = limit {
                positive_units(limit, scales.target, field)?;
            }
        }
        if let Some(when) = &self.when {
            when.check()?;
        }
        self.check_allowances(scales)?;
        self.check_funders()
    }

    /// A campaign counts its own bonuses, for itself: what is given is of many currencies.
    fn check_allowances(&self, scales: Scales) -> Result<(), BadTerms> {
        if self.allowances.len() > MOST_ALLOWANCES {
            return Err(BadTerms::new("allowances", Reason::TooLarge));
        }
        for (at, limit) in self.allowances.iter().enumerate() {
            let bad = |name| {
                let field = format!("allowances[{at}].{name}");
                Err(BadTerms::new(field, Reason::NotOfThisKind))
            };
            match limit.most {
                Most::Given(_) => return bad("given"),
                Most::Gained(_) | Most::Times(_) if limit.group.is_some() => return bad("group"),
                Most::Gained(_) | Most::Times(_) => {}
            }
            let is_same = |other: &Allowance| other.grown(limit).is_some();
            if self.of_all_time().iter().any(is_same) {
                let field = format!("allowances[{at}]");
                return Err(BadTerms::new(field, Reason::SaidTwice));
            }
        }
        allowance::check(&self.allowances, scales, None)
    }

    fn check_arms(&self, scales: Scales) -> Result<(), BadTerms> {
        if self.arms.len() > MOST_ARMS {
            return Err(BadTerms::new("arms", Reason::TooLarge));
        }
        for (at, arm) in self.arms.iter().enumerate() {
            let field = |name: &str| format!("arms[{at}].{name}");
            weight(arm.weight, &field("weight"))?;
            if self.arms[..at].iter().any(|other| other.name == arm.name) {
                return Err(BadTerms::new(field("name"), Reason::NamedTwice));
            }
            if let Some(bonus) = &arm.bonus {
                bonus.extra(scales, &field("bonus"))?;
            }
        }
        Ok(())
    }

    fn check_funders(&self) -> Result<(), BadTerms> {
        match self.funders.len() {
            0 => return Err(BadTerms::new("funders", Reason::Empty)),
            1..=MOST_SPONSORS => {}
            _ => return Err(BadTerms::new("funders", Reason::TooLarge)),
        }
        for (at, sponsor) in self.funders.iter().enumerate() {
            let before = &self.funders[..at];
            if before.iter().any(|other| other.partner == sponsor.partner) {
                let field = format!("funders[{at}].partner");
                return Err(BadTerms::new(field, Reason::NamedTwice));
            }
            weight(sponsor.weight, &format!("funders[{at}].weight"))?;
        }
        Ok(())
    }

    /// How many conversions of a wallet get the bonus; any number where nothing is said.
    pub fn times(&self) -> Option<i64> {
        match self.first_time_only {
            true => Some(1),
            false => self.times,
        }
    }

    /// What a wallet may have: of all time, and within periods.
    pub fn each(&self) -> Vec<Allowance> {
        [&self.of_all_time()[..], &self.allowances].concat()
    }

    fn of_all_time(&self) -> Vec<Allowance> {
        let times = self.times().map(Most::Times);
        let most = self.most.map(Most::Gained);
        let ever = |most| Allowance {
            period: Period::Calendar(Calendar::Ever),
            most,
            group: None,
            from: None,
        };
        times.into_iter().chain(most).map(ever).collect()
    }

    /// Where its window is told, and its days are counted.
    pub fn zone(&self) -> Tz {
        // What is no zone was refused when it was drafted.
        self.zone.parse().unwrap_or(Tz::UTC)
    }

    /// The arm of a wallet whose hash this is.
    pub fn arm(&self, hash: u128) -> Option<&Arm> {
        let weights = self
            .arms
            .iter()
            .map(|arm| u128::from(arm.weight.unsigned_abs()));
        let all: u128 = weights.sum();
        let mut place = hash.checked_rem(all)?;
        self.arms.iter().find(|arm| {
            let weight = u128::from(arm.weight.unsigned_abs());
            let is_here = place < weight;
            place = place.saturating_sub(weight);
            is_here
        })
    }

    /// What a wallet in this arm gets, or one that is in none.
    pub fn bonus_of(&self, arm: Option<&str>) -> Option<&Bonus> {
        match arm {
            None => self.bonus.as_ref(),
            Some(name) => self
                .arms
                .iter()
                .find(|arm| arm.name == name)?
                .bonus
                .as_ref(),
        }
    }

    /// Whatever anybody may get of it.
    pub fn bonuses(&self) -> impl Iterator<Item = &Bonus> {
        let of_arms = self.arms.iter().filter_map(|arm| arm.bonus.as_ref());
        self.bonus.iter().chain(of_arms)
    }
}

fn weight(weight: i64, field: &str) -> Result<(), BadTerms> {
    match weight {
        ..1 => Err(BadTerms::new(field, Reason::NotPositive)),
        1..=MOST => Ok(()),
        _ => Err(BadTerms::new(field, Reason::TooLarge)),
    }
}

#[cfg(test)]
pub(in crate::rates) mod tests {
    use super::*;
    use chrono::{DateTime, TimeZone};
    use proptest::prelude::*;

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    pub(in crate::rates) fn terms(more: &str) -> CampaignTerms {
        let json = format!(
            r#"{{"zone":"Asia/Hong_Kong","judged_at":"request","funders":[{{"partner":1,"weight":1}}],{more}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    const FIFTH: &str = r#""bonus":{"kind":"percent","num":1,"den":5}"#;

    pub(in crate::rates) fn campaign(more: &str) -> Campaign {
        Campaign {
            name: "Double June".into(),
            name_zh: "六月雙倍".into(),
            sources: vec![1001],
            target: 1002,
            starts_at: noon(),
            ends_at: noon() + Duration::days(30),
            terms: terms(more),
        }
    }

    fn check(campaign: &Campaign) -> Result<(), Refusal> {
        let sources = vec![Scale::WHOLE; campaign.sources.len().max(1)];
        campaign.check(&sources, Scale::WHOLE, noon())
    }

    #[test]
    fn terms_that_cannot_work_are_refused_by_their_field() {
        assert_eq!(check(&campaign(FIFTH)), Ok(()));
        let arms = |arms: &str| format!(r#""arms":[{arms}]"#);
        let cases = [
            (r#""times":3"#.into(), "bonus", Reason::Missing),
            (
                format!(r#"{FIFTH},{}"#, arms(r#"{"name":"a","weight":1}"#)),
                "bonus",
                Reason::NotOfThisKind,
            ),
            (
                arms(r#"{"name":"a","weight":1},{"name":"a","weight":1}"#),
                "arms[1].name",
                Reason::NamedTwice,
            ),
            (
                arms(r#"{"name":"a","weight":0}"#),
                "arms[0].weight",
                Reason::NotPositive,
            ),
            (
                format!(r#"{FIFTH},"times":0"#),
                "times",
                Reason::NotPositive,
            ),
            (
                format!(r#"{FIFTH},"times":2,"first_time_only":true"#),
                "times",
                Reason::NotOfThisKind,
            ),
            (
                format!(r#"{FIFTH},"budget":0"#),
                "budget",
                Reason::NotPositive,
            ),
            (
                format!(r#"{FIFTH},"most":"0.5""#),
                "most",
                Reason::FinerThanScale,
            ),
            (format!(r#"{FIFTH},"when":{{}}"#), "when", Reason::Empty),
            (
                format!(r#"{FIFTH},"allowances":[{{"period":"day","given":5}}]"#),
                "allowances[0].given",
                Reason::NotOfThisKind,
            ),
            (
                format!(r#"{FIFTH},"allowances":[{{"period":"day","times":5,"group":"a"}}]"#),
                "allowances[0].group",
                Reason::NotOfThisKind,
            ),
            (
                format!(
                    r#"{FIFTH},"allowances":[{{"hours":5,"times":1}},{{"period":"day","gained":"0.5"}}]"#
                ),
                "allowances[1].gained",
                Reason::FinerThanScale,
            ),
            (
                format!(r#"{FIFTH},"most":9,"allowances":[{{"period":"ever","gained":5}}]"#),
                "allowances[0]",
                Reason::SaidTwice,
            ),
        ];
        for (more, field, reason) in cases {
            let refused = Err(Refusal::Terms(BadTerms::new(field, reason)));
            assert_eq!(check(&campaign(&more)), refused, "{more}");
        }
    }

    #[test]
    fn routes_and_sponsors_are_named_once() {
        let with = |sources: &[Asset]| Campaign {
            sources: sources.to_vec(),
            ..campaign(FIFTH)
        };
        let bad = |reason| Err(Refusal::Terms(BadTerms::new("routes", reason)));
        assert_eq!(check(&with(&[])), bad(Reason::Empty));
        assert_eq!(check(&with(&[1002])), bad(Reason::OneCurrency));
        assert_eq!(check(&with(&[1003, 1001, 1003])), bad(Reason::NamedTwice));
        let mut twice = campaign(FIFTH);
        twice.terms.funders.push(twice.terms.funders[0]);
        let named = BadTerms::new("funders[1].partner", Reason::NamedTwice);
        assert_eq!(check(&twice), Err(Refusal::Terms(named)));
        twice.terms.funders.clear();
        let none = BadTerms::new("funders", Reason::Empty);
        assert_eq!(check(&twice), Err(Refusal::Terms(none)));
    }

    #[test]
    fn a_window_has_a_length_and_is_not_over() {
        let window = |from: i64, to: i64| {
            let at = |millis| noon() + Duration::milliseconds(millis);
            check(&Campaign {
                starts_at: at(from),
                ends_at: at(to),
                ..campaign(FIFTH)
            })
        };
        let bad = |dates| Err(Refusal::Dates(dates));
        assert_eq!(
            window(-5_000, 1_000),
            Ok(()),
            "it begins when it is approved"
        );
        assert_eq!(window(1_000, 1_000), bad(BadDates::EndsBeforeItStarts));
        assert_eq!(window(-5_000, 0), bad(BadDates::IsOver));
        let parts = BadDates::NotAWholeSecond("ends_at");
        assert_eq!(window(0, 1_500), bad(parts));
    }

    #[test]
    fn an_instant_of_a_zone_is_one_of_the_window() {
        let zone = chrono_tz::Asia::Hong_Kong;
        let midnight = zone.with_ymd_and_hms(2027, 7, 1, 0, 0, 0).unwrap();
        let read: Timestamp = "2027-07-01T00:00:00+08:00".parse().unwrap();
        assert_eq!(midnight, read);
    }

    #[test]
    fn what_is_approved_is_all_of_it() {
        let agreed = campaign(FIFTH);
        let others = [
            Campaign {
                name: "Other".into(),
                ..campaign(FIFTH)
            },
            Campaign {
                sources: vec![1003],
                ..campaign(FIFTH)
            },
            Campaign {
                target: 1003,
                ..campaign(FIFTH)
            },
            Campaign {
                starts_at: noon() - Duration::days(1),
                ..campaign(FIFTH)
            },
            campaign(&format!(r#"{FIFTH},"budget":7"#)),
        ];
        for other in others {
            assert_ne!(other.content_hash(), agreed.content_hash(), "{other:?}");
        }
        assert_eq!(campaign(FIFTH).content_hash(), agreed.content_hash());
    }

    proptest! {
        #[test]
        fn every_wallet_is_in_one_arm_by_the_weights(a in 1..20_i64, b in 1..20_i64) {
            let arms = format!(r#""arms":[{{"name":"a","weight":{a}}},{{"name":"b","weight":{b}}}]"#);
            let terms = terms(&arms);
            let all = (a + b) as u128;
            let in_a = (0..all * 3).filter(|hash| terms.arm(*hash).unwrap().name == "a");
            prop_assert_eq!(in_a.count() as i64, a * 3);
        }
    }
}
