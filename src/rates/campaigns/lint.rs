//! What a party should think about before it agrees to a campaign: the same as of a [card](crate::rates::lint).
//!
//! A campaign is counted on the base, whatever card that is of. Whether it rewards splitting is therefore asked
//! of one point for one, which no card's minimum or step hides; on a card of another rate it does so at other
//! amounts. What a wallet gets once only, it gets once for the whole too.

use super::campaign::CampaignTerms;
use crate::points::amount::{Scale, Scales};
use crate::rates::bonus::Bonus;
use crate::rates::lint::{Code, LIGHT, Lint};
use crate::rates::sentence;
use crate::rates::split::{Split, split};
use crate::rates::tariff::Tariff;
use crate::rates::terms::Terms;

impl CampaignTerms {
    /// What is to be thought about, where the bonus is in units of this scale.
    pub fn lints(&self, scale: Scale) -> Vec<Lint> {
        let burden = self.burden();
        let heavy = (burden > LIGHT).then_some(Lint::HardToSay { burden });
        let is_once = self.times() == Some(1);
        let splits = self.bonuses().filter(|_| !is_once);
        let splits = splits.filter_map(|bonus| pays(bonus, scale));
        let most = splits.max_by_key(|split| split.more);
        let pays = most.map(Lint::SplittingPays);
        heavy.into_iter().chain(pays).collect()
    }

    /// What has to be acknowledged.
    pub fn grave(&self, scale: Scale) -> Vec<Code> {
        let codes = self.lints(scale).into_iter().map(|lint| lint.code());
        codes.filter(|code| code.is_grave()).collect()
    }

    /// How many bonuses, bands, limits and conditions a member has to keep in mind.
    fn burden(&self) -> usize {
        let bonuses: usize = self.bonuses().map(sentence::burden_of).sum();
        let limits = [
            self.times().is_some(),
            self.most.is_some(),
            self.budget.is_some(),
            self.registered_only,
        ];
        let limits = limits.into_iter().filter(|is_said| *is_said).count();
        let when = self.when.as_ref().map_or(0, sentence::asked);
        bonuses + limits + self.allowances.len() + when
    }
}

/// The split that a bonus rewards on one point for one.
fn pays(bonus: &Bonus, scale: Scale) -> Option<Split> {
    let terms = Terms {
        bonuses: vec![bonus.clone()],
        ..Terms::one_for_one()
    };
    let scales = Scales {
        source: scale,
        target: scale,
    };
    // What a draft was refused for has no lints.
    let tariff = Tariff::of(&terms, scales, None).ok()?;
    split(&terms, &tariff)
}

#[cfg(test)]
mod tests {
    use super::super::campaign::tests::terms;
    use super::*;

    fn told(more: &str) -> Vec<String> {
        let lints = terms(more).lints(Scale::WHOLE).into_iter();
        lints.map(|lint| lint.english(Scales::WHOLE)).collect()
    }

    #[test]
    fn what_rewards_splitting_is_told_with_amounts() {
        let falling = r#"[{"from":0,"num":1,"den":5},{"from":1000,"num":1,"den":10}]"#;
        let rising = r#"[{"from":0,"num":1,"den":10},{"from":1000,"num":1,"den":5}]"#;
        let fixed = r#"{"kind":"fixed","bonus":500,"min_given":1000}"#;
        let arms = format!(
            r#""arms":[{{"name":"a","weight":1,"bonus":{fixed}}},{{"name":"b","weight":1}}]"#
        );
        let cases = [
            (
                format!(r#""bonus":{fixed}"#),
                Some("1,000 and 1,000 gain 500 more than 2,000 at once"),
            ),
            (format!(r#""bonus":{fixed},"first_time_only":true"#), None),
            (format!(r#""bonus":{fixed},"times":1"#), None),
            (
                format!(r#""bonus":{fixed},"times":2"#),
                Some("1,000 and 1,000 gain 500 more than 2,000 at once"),
            ),
            (
                arms,
                Some("1,000 and 1,000 gain 500 more than 2,000 at once"),
            ),
            (
                format!(r#""bonus":{{"kind":"slab","bands":{falling}}}"#),
                Some("5 and 995 gain 100 more than 1,000 at once"),
            ),
            (
                format!(r#""bonus":{{"kind":"slab","bands":{rising}}}"#),
                None,
            ),
            (
                r#""bonus":{"kind":"percent","num":1,"den":5}"#.to_owned(),
                None,
            ),
        ];
        for (more, expected) in cases {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(told(&more), expected, "{more}");
            let grave = terms(&more).grave(Scale::WHOLE);
            assert_eq!(grave.len(), expected.len(), "{more}");
        }
    }

    #[test]
    fn too_much_to_say_is_told_and_need_not_be_acknowledged() {
        let light = r#""bonus":{"kind":"percent","num":1,"den":5},"first_time_only":true,"most":50,
            "registered_only":true,"budget":500"#;
        assert_eq!(told(light), [""; 0]);
        let heavy = format!(r#"{light},"when":{{"channel":["app"]}}"#);
        let lints = terms(&heavy).lints(Scale::WHOLE);
        assert_eq!(lints, [Lint::HardToSay { burden: 6 }]);
        assert_eq!(terms(&heavy).grave(Scale::WHOLE), []);
    }
}
