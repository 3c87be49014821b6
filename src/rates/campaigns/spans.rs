//! What a route gives at best, span by span of the time in which the same campaigns hold.
//!
//! ```text
//! card       ├──────────────────────────────▶
//! campaign         ├──────────┤
//! campaign                 ├─────────┤
//! spans      ├─────┼───────┼──┼──────┼──────▶
//! ```
//!
//! Every campaign counts as if it applied, whoever may have it, how often, and whatever is left of its
//! budget: a circle must not gain for anybody. A wallet is in one arm of an experiment, so each
//! combination of arms is looked at; when there are too many of them all arms count together, which is
//! more than anybody gets.

use super::published::PublishedCampaign;
use crate::clock::Timestamp;
use crate::rates::bonus::Bonus;

/// The most combinations of arms that are looked at one by one.
const MOST: usize = 128;

/// A part of the time of a card, and what campaigns may add in it.
#[derive(Debug)]
pub struct Span<'a> {
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// What somebody may get at once: one of these.
    pub bonuses: Vec<Vec<&'a Bonus>>,
}

/// The spans of a time, oldest first, with the campaigns of its route.
pub fn spans<'a>(
    campaigns: &[&'a PublishedCampaign],
    since: Timestamp,
    until: Option<Timestamp>,
) -> Vec<Span<'a>> {
    let is_inside = |at: &Timestamp| *at > since && until.is_none_or(|end| *at < end);
    let edges = campaigns.iter().map(|it| &it.campaign);
    let edges = edges.flat_map(|it| [it.starts_at, it.ends_at]);
    let mut starts: Vec<Timestamp> = edges.filter(is_inside).collect();
    starts.push(since);
    starts.sort_unstable();
    starts.dedup();

    let ends = starts.iter().skip(1).map(|next| Some(*next));
    let ends: Vec<_> = ends.chain([until]).collect();
    let spans = starts.into_iter().zip(ends);
    spans
        .map(|(since, until)| {
            let holding = campaigns.iter().filter(|it| it.holds_at(since)).copied();
            Span {
                since,
                until,
                bonuses: combinations(&holding.collect::<Vec<_>>()),
            }
        })
        .collect()
}

fn combinations<'a>(campaigns: &[&'a PublishedCampaign]) -> Vec<Vec<&'a Bonus>> {
    let choices = campaigns.iter().map(|it| it.campaign.terms.bonuses());
    let choices: Vec<Vec<&Bonus>> = choices.map(Iterator::collect).collect();
    let count = choices
        .iter()
        .map(|of| of.len().max(1))
        .try_fold(1_usize, |all, of| all.checked_mul(of));
    if count.is_none_or(|count| count > MOST) {
        return vec![choices.concat()];
    }
    let mut all: Vec<Vec<&Bonus>> = vec![Vec::new()];
    for of_campaign in choices.iter().filter(|of| !of.is_empty()) {
        let with = |before: &Vec<&'a Bonus>| {
            let before = before.clone();
            of_campaign
                .iter()
                .map(move |bonus| [&before[..], &[*bonus]].concat())
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::campaign::Campaign;
    use super::super::campaign::tests::campaign;
    use super::*;
    use chrono::{DateTime, Duration};

    fn at(hours: i64) -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + Duration::hours(hours)
    }

    fn published(from: i64, to: i64, more: &str) -> PublishedCampaign {
        PublishedCampaign {
            id: 1,
            campaign: Campaign {
                starts_at: at(from),
                ends_at: at(to),
                ..campaign(more)
            },
            limits: Default::default(),
            halted: vec![],
        }
    }

    const FIXED: &str = r#""bonus":{"kind":"fixed","bonus":5}"#;

    #[test]
    fn the_time_is_cut_where_a_campaign_begins_or_ends() {
        let (first, second) = (published(1, 4, FIXED), published(3, 6, FIXED));
        let all = [&first, &second];
        let cut = |since, until| -> Vec<(Timestamp, Option<Timestamp>, usize)> {
            let spans = spans(&all, at(since), until);
            let cut = spans.iter();
            cut.map(|it| (it.since, it.until, it.bonuses[0].len()))
                .collect()
        };
        let whole = [
            (at(0), Some(at(1)), 0),
            (at(1), Some(at(3)), 1),
            (at(3), Some(at(4)), 2),
            (at(4), Some(at(6)), 1),
            (at(6), None, 0),
        ];
        assert_eq!(cut(0, None), whole);
        assert_eq!(cut(2, Some(at(3))), [(at(2), Some(at(3)), 1)]);
    }

    #[test]
    fn a_wallet_is_in_one_arm_of_each_campaign() {
        let arm = |name: &str| {
            format!(r#"{{"name":"{name}","weight":1,"bonus":{{"kind":"fixed","bonus":5}}}}"#)
        };
        let arms = format!(
            r#""arms":[{},{},{{"name":"none","weight":1}}]"#,
            arm("a"),
            arm("b")
        );
        let (one, other) = (published(0, 9, &arms), published(0, 9, FIXED));
        let count = |campaigns: &[&PublishedCampaign]| -> Vec<usize> {
            let spans = spans(campaigns, at(0), Some(at(1)));
            spans[0].bonuses.iter().map(Vec::len).collect()
        };
        assert_eq!(count(&[]), [0]);
        assert_eq!(count(&[&one]), [1, 1]);
        assert_eq!(count(&[&one, &other, &one]), [3, 3, 3, 3]);
        assert_eq!(count(&[&one; 10]), [20], "too many to try, so all at once");
    }
}
