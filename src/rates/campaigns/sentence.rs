//! A campaign as the one sentence a member is told, in English and in Traditional Chinese.
//!
//! ```text
//! 20% more when STAR or HPT become MILE, asked for from 2027-06-01 00:00 CST to 2027-07-01 00:00 CST;
//! once; for those who registered; while it lasts.
//! ```

use super::campaign::{Campaign, CampaignTerms, JudgedAt};
use crate::clock::Timestamp;
use crate::points::amount::{Scale, Scales};
use crate::rates::allowance::Most;
use crate::rates::bonus::Bonus;
use crate::rates::sentence::{Issuers, Names};
use crate::rates::{chinese, english};

/// What the currencies of a campaign are called, and who issues them.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    pub sources: &'a [&'a str],
    pub target: &'a str,
    /// The issuers of the sources, each once.
    pub source_issuers: &'a [&'a str],
    pub target_issuer: &'a str,
}

impl<'a> Codes<'a> {
    /// Who attests what a campaign asks for.
    fn issuers(self, source: &'a str) -> Issuers<'a> {
        Issuers {
            source,
            target: self.target_issuer,
        }
    }
}

impl Campaign {
    pub fn english(&self, codes: Codes<'_>) -> String {
        let sources = codes.sources.join(" or ");
        let names = names(&sources, codes.target);
        let bonus = said(&self.terms, "nothing more", " or ", |it| {
            english::campaign(it, names)
        });
        let judged = match self.terms.judged_at {
            JudgedAt::Request => "asked for",
            JudgedAt::Credit => "credited",
        };
        let [from, to] = self.window();
        let target = codes.target;
        let mut said =
            format!("{bonus} when {sources} becomes {target}, {judged} from {from} to {to}");
        let terms = &self.terms;
        let clauses = [
            terms.times().map(|times| match times {
                1 => "once".to_owned(),
                times => format!("{times} times at most"),
            }),
            terms
                .most
                .map(|most| format!("at most {most} {target} for one member")),
        ];
        let within = terms.allowances.iter().map(|limit| {
            let said = english::allowance(limit, names);
            match limit.most {
                Most::Gained(_) => format!("{said} for one member"),
                Most::Given(_) | Most::Times(_) => said,
            }
        });
        let registered = "for those who registered";
        let registered = terms.registered_only.then(|| registered.to_owned());
        let issuers = codes.source_issuers.join(" or ");
        let when = terms.when.iter();
        let when = when.flat_map(|when| english::condition(when, codes.issuers(&issuers)));
        let budget = terms
            .budget
            .map(|budget| format!("while {budget} {target} last"));
        let limits = clauses.into_iter().flatten().chain(within);
        for clause in limits.chain(registered).chain(when).chain(budget) {
            said.push_str("; ");
            said.push_str(&clause);
        }
        said + "."
    }

    pub fn chinese(&self, codes: Codes<'_>) -> String {
        let sources = codes.sources.join("、");
        let names = names(&sources, codes.target);
        let bonus = said(&self.terms, "不獲額外獎賞", "或", |it| {
            chinese::campaign(it, names)
        });
        let judged = match self.terms.judged_at {
            JudgedAt::Request => "報價",
            JudgedAt::Credit => "入賬",
        };
        let [from, to] = self.window();
        let target = codes.target;
        let mut said = format!("{from} 至 {to} 內{judged}，以 {sources} 兌換 {target}，{bonus}");
        let terms = &self.terms;
        let clauses = [
            terms.times().map(|times| match times {
                1 => "只限一次".to_owned(),
                times => format!("最多 {times} 次"),
            }),
            terms
                .most
                .map(|most| format!("每位會員最多 {most} {target}")),
        ];
        let within = terms.allowances.iter();
        let within = within.map(|limit| format!("每位會員{}", chinese::allowance(limit, names)));
        let registered = terms.registered_only.then(|| "須先登記".to_owned());
        let issuers = codes.source_issuers.join(" 或 ");
        let when = terms.when.iter();
        let when = when.flat_map(|when| chinese::condition(when, codes.issuers(&issuers)));
        let budget = terms
            .budget
            .map(|budget| format!("總額 {budget} {target}，送完即止"));
        let limits = clauses.into_iter().flatten().chain(within);
        for clause in limits.chain(registered).chain(when).chain(budget) {
            said.push('；');
            said.push_str(&clause);
        }
        said + "。"
    }

    /// When it begins and when it is over, on the clocks of its zone.
    pub fn window(&self) -> [String; 2] {
        let zone = self.terms.zone();
        let told = |at: Timestamp| {
            at.with_timezone(&zone)
                .format("%Y-%m-%d %H:%M %Z")
                .to_string()
        };
        [told(self.starts_at), told(self.ends_at)]
    }
}

/// Amounts are told as they are written, whatever the scales.
fn names<'a>(source: &'a str, target: &'a str) -> Names<'a> {
    Names {
        source,
        target,
        scales: Scales::WHOLE,
        fee_scale: Scale::WHOLE,
    }
}

fn said(terms: &CampaignTerms, nothing: &str, or: &str, say: impl Fn(&Bonus) -> String) -> String {
    let of_arms = terms.arms.iter().map(|arm| arm.bonus.as_ref());
    let all = terms.bonus.iter().map(Some).chain(of_arms);
    let all = all.map(|bonus| bonus.map_or(nothing.to_owned(), &say));
    all.collect::<Vec<_>>().join(or)
}

#[cfg(test)]
mod tests {
    use super::super::campaign::tests::campaign;
    use super::*;

    const CODES: Codes<'_> = Codes {
        sources: &["STAR", "HPT"],
        target: "MILE",
        source_issuers: &["CITYMART", "BAYVIEW"],
        target_issuer: "AERO",
    };

    #[test]
    fn a_member_is_told_the_window_in_its_zone_and_every_limit() {
        let fifth = r#""bonus":{"kind":"percent","num":1,"den":5,"min_given":1000}"#;
        let campaign = campaign(&format!(
            r#"{fifth},"first_time_only":true,"registered_only":true,"most":500,"budget":60000"#
        ));
        assert_eq!(
            campaign.english(CODES),
            "20% more from 1,000 STAR or HPT when STAR or HPT becomes MILE, asked for from 2027-01-15 16:00 HKT \
             to 2027-02-14 16:00 HKT; once; at most 500 MILE for one member; for those who registered; while \
             60,000 MILE last."
        );
        let chinese = campaign.chinese(CODES);
        for said in [
            "2027-01-15 16:00 HKT",
            "報價",
            "只限一次",
            "須先登記",
            "60,000 MILE，送完即止。",
        ] {
            assert!(chinese.contains(said), "{chinese}");
        }
    }

    #[test]
    fn for_whom_it_is_and_how_much_within_a_period_is_told() {
        let fixed = r#""bonus":{"kind":"fixed","bonus":5}"#;
        let allowances = r#""allowances":[{"period":"day","gained":500},{"hours":24,"times":1}]"#;
        let of = |when: &str| campaign(&format!(r#"{fixed},{allowances},"when":{when}"#));
        let cases = [
            (
                r#"{"claims":{"tier":["gold"]},"channel":["app"]}"#,
                "; for members with tier gold of CITYMART or BAYVIEW; via app.",
                "；限 CITYMART 或 BAYVIEW 確認其 tier 為 gold 的會員；限經 app。",
            ),
            (
                r#"{"claims":{"tier":["gold"]},"of":"target"}"#,
                "; for members with tier gold of AERO.",
                "；限 AERO 確認其 tier 為 gold 的會員。",
            ),
        ];
        for (when, in_english, in_chinese) in cases {
            let said = of(when).english(CODES);
            let limits = "; at most 500 MILE in a day for one member; once in any 24 hours";
            assert!(said.ends_with(&format!("{limits}{in_english}")), "{said}");
            let said = of(when).chinese(CODES);
            let limits = "；每位會員每日最多可得 500 MILE；每位會員任何 24 小時內最多 1 次";
            assert!(said.ends_with(&format!("{limits}{in_chinese}")), "{said}");
        }
    }

    #[test]
    fn of_an_experiment_all_arms_are_told() {
        let arms = r#""arms":[{"name":"a","weight":1,"bonus":{"kind":"fixed","bonus":50}},{"name":"b","weight":1}]"#;
        let said = campaign(arms).english(CODES);
        assert!(
            said.starts_with("50 MILE more, once or nothing more when"),
            "{said}"
        );
    }
}
