//! A card as the one sentence a member is told, in English and in Traditional Chinese.
//!
//! ```text
//! amounts ; rate ; limits of what is gained ; block bonus ; bonuses ; fee ; what does not divide ;
//! limits within a period, what has to stay, what is not taken ; when it arrives, and goes on ; for whom ;
//! notice
//!
//! 5,000 STAR or more, in steps of 1,250, become MILE at 5 to 2; 5,000 MILE more, once, from
//! 50,000 STAR.
//! ```
//!
//! A clause is written only when the card has something to say in it. How many things the
//! sentence has to say is [`burden`]: when it grows, the card has stopped being simple.

use super::bonus::Bonus;
use super::card::Card;
use super::condition::{Asked, Attester, Condition};
use super::fee::{Fee, PaidIn};
use super::printed::Printed;
use super::terms::{Band, Limits, Rate, Terms};
use super::{chinese, english};
use crate::partners::period::Period;
use crate::points::amount::{self, Scale, Scales};
use crate::points::ratio::{Ratio, gcd};

/// What the currencies of a card are called, and how many decimals they and its fee have.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub source: &'a str,
    pub target: &'a str,
    pub scales: Scales,
    pub fee_scale: Scale,
}

impl<'a> Names<'a> {
    /// The points that a fee is paid in, and how many smallest units they have.
    pub(super) fn points_of(&self, fee: &Fee) -> Option<(&'a str, i64)> {
        match fee.paid_in() {
            PaidIn::Money => None,
            PaidIn::Given => Some((self.source, self.scales.source.factor())),
            PaidIn::Gained => Some((self.target, self.scales.target.factor())),
        }
    }
}

/// Who attests what a condition asks for: the issuers' codes.
#[derive(Debug, Clone, Copy)]
pub struct Issuers<'a> {
    pub source: &'a str,
    pub target: &'a str,
}

impl<'a> Issuers<'a> {
    pub(super) fn of(self, attester: Attester) -> &'a str {
        match attester {
            Attester::Source => self.source,
            Attester::Target => self.target,
        }
    }
}

/// The sentence of a card in English.
pub fn english_card(card: &Card, names: Names<'_>, issuers: Issuers<'_>) -> String {
    let terms = &card.terms;
    let clauses = [
        vec![english::amounts_and_rate(terms, names)],
        english::destination(&terms.destination, names),
        english::bonuses(terms, names),
        english::fee(terms.fee.as_ref(), names),
        english::remainder(terms, names),
        english::held_to(terms, names),
        english::afterwards(terms, names),
        for_whom(card, |when| english::condition(when, issuers)),
        english::notice(card.notice_days),
    ];
    format!("{}.", clauses.concat().join("; "))
}

/// The sentence of a card in Traditional Chinese.
pub fn chinese_card(card: &Card, names: Names<'_>, issuers: Issuers<'_>) -> String {
    let terms = &card.terms;
    let clauses = [
        vec![chinese::amounts_and_rate(terms, names)],
        chinese::destination(&terms.destination, names),
        chinese::bonuses(terms, names),
        chinese::fee(terms.fee.as_ref(), names),
        chinese::remainder(terms, names),
        chinese::held_to(terms, names),
        chinese::afterwards(terms, names),
        for_whom(card, |when| chinese::condition(when, issuers)),
        chinese::notice(card.notice_days),
    ];
    format!("{}。", clauses.concat().join("；"))
}

fn for_whom(card: &Card, clauses: impl Fn(&Condition) -> Vec<String>) -> Vec<String> {
    card.when.as_ref().map_or_else(Vec::new, clauses)
}

/// For whom a card is, in English and in Traditional Chinese.
pub fn conditions(when: &Condition, issuers: Issuers<'_>) -> [String; 2] {
    let (english, chinese) = (
        english::condition(when, issuers),
        chinese::condition(when, issuers),
    );
    [english.join(", "), chinese.join("，")]
}

/// How many limits, bands, bonuses, fees and conditions a member has to keep in mind.
pub fn burden(terms: &Terms, when: Option<&Condition>) -> usize {
    let limits = |limits: &Limits| {
        [limits.min, limits.max, limits.step]
            .iter()
            .flatten()
            .count()
    };
    let rate = match &terms.rate {
        Rate::Ratio { .. } | Rate::Priced | Rate::Unpriced => 1,
        Rate::Slab(bands) | Rate::Marginal(bands) => bands.len(),
        Rate::Table(table) => table.len(),
    };
    let bonuses = terms.bonuses.iter().map(burden_of);
    let extras = usize::from(terms.block_bonus.is_some()) + usize::from(terms.fee.is_some());
    let held_to = terms.allowances.len() + usize::from(terms.keep.is_some()) + terms.excludes.len();
    let after = usize::from(terms.onward.is_some()) + usize::from(terms.delivery.is_some());
    let both = limits(&terms.source) + limits(&terms.destination);
    let of_terms = both + rate + extras + bonuses.sum::<usize>() + held_to + after;
    of_terms + when.map_or(0, asked)
}

/// The same of a bonus.
pub(super) fn burden_of(bonus: &Bonus) -> usize {
    match bonus {
        Bonus::Percent { .. } | Bonus::Fixed { .. } => 1,
        Bonus::Slab { bands, .. } | Bonus::Marginal { bands, .. } => bands.len(),
    }
}

/// The same of a condition.
pub(super) fn asked(when: &Condition) -> usize {
    let claims = when.claims.as_ref();
    let claims = claims.map_or(0, |Asked(claims)| claims.len());
    claims + usize::from(when.channel.is_some())
}

/// A period as it is told in English.
pub fn period(period: Period) -> String {
    english::period(period)
}

/// A ratio in lowest terms, or as it is written where it is none.
pub(super) fn lowest(give: i64, get: i64) -> (i64, i64) {
    Ratio::new(give, get).map_or((give, get), |ratio| (ratio.give(), ratio.get()))
}

/// `20%`, `12.5%`, or `1/3` where no short percentage is exact.
pub(super) fn fraction(num: i64, den: i64) -> String {
    let (num, den) = (i128::from(num), i128::from(den));
    let hundredths = num * 10_000;
    if den < 1 || hundredths % den != 0 {
        return format!("{num}/{den}");
    }
    let (whole, decimals) = (hundredths / den / 100, hundredths / den % 100);
    match decimals {
        0 => format!("{whole}%"),
        _ => format!(
            "{whole}.{}%",
            format!("{decimals:02}").trim_end_matches('0')
        ),
    }
}

/// An amount of money of a fee, which is written in its smallest unit.
pub(super) fn money(amount: i64, scale: Scale) -> String {
    amount::print(amount, scale)
}

/// Whether some legal amount does not divide, so that the remainder is worth a word.
pub(super) fn may_not_divide(terms: &Terms, scales: Scales) -> bool {
    match &terms.rate {
        Rate::Ratio { give, get } => !steps_divide(&terms.source, *give, *get, scales),
        Rate::Slab(bands) | Rate::Marginal(bands) => {
            let divides = |band: &Band| steps_divide(&terms.source, band.give, band.get, scales);
            !bands.iter().all(divides)
        }
        Rate::Table(_) | Rate::Priced | Rate::Unpriced => false,
    }
}

fn steps_divide(limits: &Limits, give: i64, get: i64, scales: Scales) -> bool {
    let units = |amount: Option<Printed>, absent| {
        amount.map_or(Some(absent), |amount| amount.units(scales.source, "").ok())
    };
    let step = units(limits.step, 1).zip(units(limits.step_origin, 0));
    let part = |part: i64, scale: Scale| part.checked_mul(scale.factor());
    let parts = part(give, scales.source).zip(part(get, scales.target));
    let ratio = parts.and_then(|(give, get)| Ratio::new(give, get));
    let divides =
        |((step, origin), ratio): ((i64, i64), Ratio)| gcd(step, origin) % ratio.give() == 0;
    step.zip(ratio).is_some_and(divides)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'static> = Names {
        source: "STAR",
        target: "MILE",
        scales: Scales::WHOLE,
        fee_scale: Scale::WHOLE,
    };

    const ISSUERS: Issuers<'static> = Issuers {
        source: "AERO",
        target: "BAYVIEW",
    };

    #[test]
    fn a_card_is_one_sentence_in_two_languages() {
        let cases = [
            (
                r#"{"kind":"ratio","give":5,"get":2,"min":1250,"step":1250,"remainder":"leave_in_source"}"#,
                "1,250 STAR or more, in steps of 1,250, become MILE at 5 to 2.",
                "1,250 STAR 起，以 1,250 為單位，按 5 比 2 兌換 MILE。",
            ),
            (
                r#"{"kind":"ratio","give":3,"get":2,"max":9000,"remainder":"leave_in_source"}"#,
                "Up to 9,000 STAR become MILE at 3 to 2; what does not divide stays.",
                "最多 9,000 STAR，按 3 比 2 兌換 MILE；除不盡的部分保留。",
            ),
            (
                r#"{"kind":"slab","bands":[{"from":3000,"give":2,"get":1},{"from":10000,"give":1,"get":1}],"min":3000,"step":1000}"#,
                "3,000 STAR or more, in steps of 1,000, become MILE at 2 to 1 from 3,000 and 1 to 1 from 10,000, on the whole amount.",
                "3,000 STAR 起，以 1,000 為單位，3,000 起按 2 比 1、10,000 起按 1 比 1 全數兌換 MILE。",
            ),
            (
                r#"{"kind":"marginal","bands":[{"from":0,"give":2,"get":1},{"from":10000,"give":3,"get":2}],"dest_max":999000}"#,
                "Any amount of STAR becomes MILE at 2 to 1 from 0 and 3 to 2 from 10,000, each part at its own rate; at most 999,000 MILE; fractions are dropped.",
                "任何數量的 STAR，0 起按 2 比 1、10,000 起按 3 比 2 分段兌換 MILE；最多 999,000 MILE；小數捨去。",
            ),
            (
                r#"{"kind":"table","table":[{"give":100,"get":50},{"give":2000,"get":1070}]}"#,
                "Only these amounts of STAR become MILE: 100 for 50, 2,000 for 1,070.",
                "只可按以下數量以 STAR 兌換 MILE：100 換 50、2,000 換 1,070。",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"block_bonus":{"block":60000,"bonus":5000,"mode":"per_block"},"bonuses":[{"kind":"percent","num":1,"den":5},{"kind":"slab","bands":[{"from":10000,"num":3,"den":25},{"from":50000,"num":1,"den":3}]}],"fee":{"kind":"per_step","amount":100,"step":5000,"on":"base","cap":900,"tax":{"num":9,"den":100},"currency":"HKD"}}"#,
                "Any amount of STAR becomes MILE at 1 to 1; 5,000 MILE more for every 60,000 STAR; 20% more; 12% more from 10,000 MILE and 1/3 more from 50,000 MILE; the fee is HKD 100 for every 5,000 MILE or part of it, at most HKD 900, plus 9% tax.",
                "任何數量的 STAR，按 1 比 1 兌換 MILE；每 60,000 STAR 加 5,000 MILE；另加 20%；10,000 MILE 起另加 12%、50,000 MILE 起另加 1/3；手續費為每 5,000 MILE 或不足之數 HKD 100，最高 HKD 900，另加 9% 稅。",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"flat","amount":5000,"currency":"SGD","covers":{"period":"year"}}}"#,
                "Any amount of STAR becomes MILE at 1 to 1; the fee is SGD 5000, paid once in a calendar year.",
                "任何數量的 STAR，按 1 比 1 兌換 MILE；手續費為 SGD 5000，每個曆年只收一次。",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"flat","amount":5,"currency":"HKD","covers":{"period":"ever","group":"auto"}}}"#,
                "Any amount of STAR becomes MILE at 1 to 1; the fee is HKD 5, paid only once for all of auto.",
                "任何數量的 STAR，按 1 比 1 兌換 MILE；手續費為 HKD 5，只收一次（auto 組合用）。",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_step","amount":1000,"step":5000,"cap":9000,"currency":"given"}}"#,
                "Any amount of STAR becomes MILE at 1 to 1; the fee is 1,000 STAR for every 5,000 STAR or part of it, at most 9,000 STAR, on top of what is given.",
                "任何數量的 STAR，按 1 比 1 兌換 MILE；手續費為每 5,000 STAR 或不足之數 1,000 STAR，最高 9,000 STAR，另行扣除。",
            ),
            (
                r#"{"kind":"ratio","give":1,"get":1,"fee":{"kind":"per_unit","num":1,"den":50,"currency":"gained"}}"#,
                "Any amount of STAR becomes MILE at 1 to 1; the fee is 1/50 MILE for each MILE, off what is gained.",
                "任何數量的 STAR，按 1 比 1 兌換 MILE；手續費為每 1 MILE 收 1/50 MILE，從所得扣除。",
            ),
        ];
        for (json, in_english, in_chinese) in cases {
            let card = card(json, "");
            assert_eq!(english_card(&card, NAMES, ISSUERS), in_english);
            assert_eq!(chinese_card(&card, NAMES, ISSUERS), in_chinese);
        }
    }

    /// A card with more than terms.
    fn card(terms: &str, more: &str) -> Card {
        let settlement = r#"{"kind":"cost_plus","price":"1","commission":"0"}"#;
        let card = format!(r#"{{"terms":{terms},"settlement":{settlement}{more}}}"#);
        serde_json::from_str(&card).unwrap()
    }

    const PLAIN: &str = r#"{"kind":"ratio","give":1,"get":1}"#;

    #[test]
    fn the_notice_that_is_promised_is_said() {
        let month = card(PLAIN, r#","notice_days":30"#);
        assert_eq!(
            english_card(&month, NAMES, ISSUERS),
            "Any amount of STAR becomes MILE at 1 to 1; 30 days' notice is given of a change for the worse."
        );
        assert_eq!(
            chinese_card(&month, NAMES, ISSUERS),
            "任何數量的 STAR，按 1 比 1 兌換 MILE；不利的更改於 30 日前通知。"
        );
        let day = card(PLAIN, r#","notice_days":1"#);
        let told = english_card(&day, NAMES, ISSUERS);
        assert!(told.ends_with("; 1 day's notice is given of a change for the worse."));
    }

    #[test]
    fn for_whom_a_card_is_comes_after_what_it_says_of_points() {
        let cases = [
            (
                r#"{"claims":{"tier":["platinum","diamond"]},"channel":["app"]}"#,
                "; for members with tier platinum or diamond of AERO; via app.",
                "；限 AERO 確認其 tier 為 platinum 或 diamond 的會員；限經 app。",
            ),
            (
                r#"{"claims":{"card":["aeroplan visa"],"tier":["gold"]},"of":"target"}"#,
                "; for members with card aeroplan visa and tier gold of BAYVIEW.",
                "；限 BAYVIEW 確認其 card 為 aeroplan visa、tier 為 gold 的會員。",
            ),
            (
                r#"{"channel":["app","web"]}"#,
                "; via app or web.",
                "；限經 app 或 web。",
            ),
        ];
        for (when, in_english, in_chinese) in cases {
            let card = card(PLAIN, &format!(r#","when":{when}"#));
            let told = english_card(&card, NAMES, ISSUERS);
            assert_eq!(
                told,
                format!("Any amount of STAR becomes MILE at 1 to 1{in_english}")
            );
            let told = chinese_card(&card, NAMES, ISSUERS);
            assert_eq!(
                told,
                format!("任何數量的 STAR，按 1 比 1 兌換 MILE{in_chinese}")
            );
        }
    }

    #[test]
    fn a_simple_card_is_a_light_burden() {
        let plain = r#"{"kind":"ratio","give":5,"get":2,"min":5000,"step":1250}"#;
        let terms = serde_json::from_str(plain).unwrap();
        assert_eq!(burden(&terms, None), 3);
        let when = r#"{"claims":{"card":["visa"],"tier":["gold","ruby"]},"channel":["app"]}"#;
        let when = serde_json::from_str(when).unwrap();
        assert_eq!(burden(&terms, Some(&when)), 6);
    }
}
