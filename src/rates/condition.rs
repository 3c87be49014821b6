//! A condition: for whom, and by which channel, a card is.
//!
//! ```text
//! {"claims": {"tier": ["platinum", "diamond"]}, "of": "source", "channel": ["app", "web"]}
//! ```
//!
//! | part      | holds when                                                                        |
//! |-----------|-----------------------------------------------------------------------------------|
//! | `claims`  | the issuer of that side attests each of them, with one of the values it lists     |
//! | `channel` | the request came by one that it lists                                             |
//!
//! All parts have to hold. There is no "unless": whoever is left over is taken by a card of a lower
//! priority, and of the cards of a pair that hold at an instant no two have the same, so that always
//! one decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::refusal::{BadTerms, Reason};
use crate::clock::Timestamp;
use crate::members::Claims;
use crate::web::body;
use crate::web::text::{Fact, Word};

/// The most that a list of a condition has.
const MOST: usize = 50;

/// The priorities there are; what says nothing has 0.
const PRIORITIES: std::ops::RangeInclusive<i32> = -1_000..=1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Asked>,
    /// Whose claims they are.
    #[serde(default, skip_serializing_if = "Attester::is_source")]
    pub of: Attester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Vec<Word>>,
}

/// The values that will do, by the name of the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked(#[serde(deserialize_with = "body::entries")] pub BTreeMap<Word, Vec<Fact>>);

/// The issuer of which side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attester {
    #[default]
    Source,
    Target,
}

impl Attester {
    fn is_source(&self) -> bool {
        *self == Attester::Source
    }
}

/// Who asks for a quote, as far as it is known: nobody in particular by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker<'a> {
    pub channel: Option<&'a Word>,
    /// What the issuer of what is given attests.
    pub source: Option<&'a Claims>,
    /// What the issuer of what is gained attests.
    pub target: Option<&'a Claims>,
}

impl Condition {
    /// Refuses a condition that nobody meets, or that says something twice.
    pub fn check(&self) -> Result<(), BadTerms> {
        let bad = |field: &str, reason| Err(BadTerms::new(field, reason));
        match (&self.claims, self.of, &self.channel) {
            (None, _, None) => return bad("when", Reason::Empty),
            (None, Attester::Target, Some(_)) => return bad("when.of", Reason::NoClaims),
            (None | Some(_), Attester::Source | Attester::Target, _) => {}
        }
        if let Some(Asked(claims)) = &self.claims {
            counted("when.claims", claims.len())?;
            for (name, values) in claims {
                listed(&format!("when.claims.{}", &**name), values)?;
            }
        }
        self.channel
            .as_ref()
            .map_or(Ok(()), |channels| listed("when.channel", channels))
    }

    /// Whether it holds for who asks at `now`.
    pub fn holds(&self, asker: Asker<'_>, now: Timestamp) -> bool {
        let is_by_channel = self.channel.as_ref().is_none_or(|channels| {
            asker
                .channel
                .is_some_and(|channel| channels.contains(channel))
        });
        let attested = match self.of {
            Attester::Source => asker.source,
            Attester::Target => asker.target,
        };
        let has = |(name, values): (&Word, &Vec<Fact>)| {
            let value = attested.and_then(|claims| claims.value(name, now));
            value.is_some_and(|value| values.contains(value))
        };
        let has_all = |Asked(claims): &Asked| claims.iter().all(has);
        is_by_channel && self.claims.as_ref().is_none_or(has_all)
    }

    /// Whether the same members meet both, however they are written.
    pub(super) fn is_met_as(&self, other: &Condition) -> bool {
        let claims = |when: &Condition| {
            let claims = when.claims.iter().flat_map(|Asked(claims)| claims);
            let claims = claims.map(|(name, values)| (name.clone(), sorted(values)));
            claims.collect::<Vec<_>>()
        };
        let channels = |when: &Condition| when.channel.as_deref().map(sorted);
        self.of == other.of && claims(self) == claims(other) && channels(self) == channels(other)
    }

    /// Whose claims have to be known to say whether it holds.
    pub fn asks(&self) -> Option<Attester> {
        self.claims.as_ref().map(|_| self.of)
    }
}

/// Refuses a priority that is not one.
pub fn check_priority(priority: i32) -> Result<(), BadTerms> {
    match PRIORITIES.contains(&priority) {
        true => Ok(()),
        false => Err(BadTerms::new("priority", Reason::NoPriority)),
    }
}

fn counted(field: &str, count: usize) -> Result<(), BadTerms> {
    match count {
        0 => Err(BadTerms::new(field, Reason::Empty)),
        1..=MOST => Ok(()),
        _ => Err(BadTerms::new(field, Reason::TooMany)),
    }
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
}

fn listed<T: Ord>(field: &str, values: &[T]) -> Result<(), BadTerms> {
    counted(field, values.len())?;
    let mut seen = BTreeSet::new();
    match values.iter().position(|value| !seen.insert(value)) {
        Some(nth) => Err(BadTerms::new(format!("{field}[{nth}]"), Reason::Repeated)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration};
    use serde_json::{Value, json};

    fn condition(json: Value) -> Condition {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_condition_that_cannot_work_is_refused_with_its_field_and_reason() {
        let many: Vec<String> = (0..=MOST).map(|nth| format!("v{nth}")).collect();
        let cases = [
            (json!({}), "when: lists nothing"),
            (
                json!({"claims": null, "channel": null}),
                "when: lists nothing",
            ),
            (json!({"claims": {}}), "when.claims: lists nothing"),
            (
                json!({"claims": {"tier": []}}),
                "when.claims.tier: lists nothing",
            ),
            (
                json!({"claims": {"tier": ["a", "b", "a"]}}),
                "when.claims.tier[2]: is listed twice",
            ),
            (
                json!({"claims": {"tier": many}}),
                "when.claims.tier: lists more than 50",
            ),
            (json!({"channel": []}), "when.channel: lists nothing"),
            (
                json!({"channel": ["app", "app"]}),
                "when.channel[1]: is listed twice",
            ),
            (
                json!({"channel": ["app"], "of": "target"}),
                "when.of: needs claims",
            ),
        ];
        for (json, why) in cases {
            let refused = condition(json.clone()).check().unwrap_err().to_string();
            assert!(refused.starts_with(why), "{json}: {refused}");
        }
        let right = json!({"claims": {"tier": ["a", "b"], "card": ["a"]}, "of": "target", "channel": ["app"]});
        assert_eq!(condition(right).check(), Ok(()));
        assert!(check_priority(-1_000).is_ok() && check_priority(1_001).is_err());
    }

    #[test]
    fn what_is_no_condition_is_not_read() {
        for json in [
            json!({"claims": {"Tier": ["a"]}}),
            json!({"claims": {"tier": "a"}}),
            json!({"claims": {"tier": [""]}}),
            json!({"claims": {"tier": ["a"]}, "of": "hub"}),
            json!({"claims": {"tier": ["a"]}, "unless": {}}),
            json!({"channel": ["In the app"]}),
            json!({"channel": "app"}),
        ] {
            assert!(
                serde_json::from_value::<Condition>(json.clone()).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        for json in [
            json!({"claims": {"tier": ["b", "a"]}}),
            json!({"claims": {"tier": ["a"]}, "of": "target", "channel": ["web", "app"]}),
        ] {
            assert_eq!(json!(condition(json.clone())), json);
        }
    }

    #[test]
    fn the_order_of_what_it_lists_is_nothing_to_who_meets_it() {
        let both = |first: &str, other: &str| {
            condition(json!({"claims": {"tier": [first, other]}, "channel": [other, first]}))
        };
        assert!(both("a", "b").is_met_as(&both("b", "a")));
        assert!(!both("a", "b").is_met_as(&both("a", "c")));
        let at = |of: &str| condition(json!({"claims": {"tier": ["a"]}, "of": of}));
        assert!(!at("source").is_met_as(&at("target")));
    }

    #[test]
    fn all_of_it_has_to_hold() {
        let noon = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let gold = json!({"tier": {"value": "gold", "valid_until": noon + Duration::hours(1)}});
        let both = json!({"tier": {"value": "gold"}, "card": {"value": "x"}});
        let tier = json!({"claims": {"tier": ["ruby", "gold"]}});
        let app = json!({"channel": ["app"]});
        let tier_in_app = json!({"claims": {"tier": ["gold"]}, "channel": ["app"]});
        let tier_and_card = json!({"claims": {"tier": ["gold"], "card": ["x"]}});
        let at_target = json!({"claims": {"tier": ["gold"]}, "of": "target"});
        let none = json!({});
        // The condition; the channel; what each side attests; the hour; whether it holds.
        let cases = [
            (&tier, None, &gold, &none, 0, true),
            (&tier, None, &gold, &none, 1, false),
            (&tier, None, &none, &gold, 0, false),
            (&tier, None, &none, &none, 0, false),
            (&at_target, None, &none, &gold, 0, true),
            (&at_target, None, &gold, &none, 0, false),
            (&app, None, &gold, &gold, 0, false),
            (&app, Some("web"), &gold, &gold, 0, false),
            (&app, Some("app"), &none, &none, 0, true),
            (&tier_in_app, Some("app"), &gold, &none, 0, true),
            (&tier_in_app, Some("web"), &gold, &none, 0, false),
            (&tier_in_app, Some("app"), &none, &none, 0, false),
            (&tier_and_card, None, &gold, &none, 0, false),
            (&tier_and_card, None, &both, &none, 0, true),
        ];
        for (json, channel, source, target, hours, expected) in cases {
            let claims = |json: &Value| serde_json::from_value::<Claims>(json.clone()).unwrap();
            let (source, target) = (claims(source), claims(target));
            let channel = channel.map(|channel: &str| Word::try_from(channel.to_owned()).unwrap());
            let asker = Asker {
                channel: channel.as_ref(),
                source: Some(&source),
                target: Some(&target),
            };
            let holds = condition(json.clone()).holds(asker, noon + Duration::hours(hours));
            assert_eq!(holds, expected, "{json} {asker:?}");
            assert!(
                !condition(json.clone()).holds(Asker::default(), noon),
                "{json}"
            );
        }
    }
}
