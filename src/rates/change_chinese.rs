//! A change of a card in Traditional Chinese.
//!
//! ```text
//! 最低數量由 5,000 升至 10,000 STAR
//! ```

use super::body::SettlementKind;
use super::bonus::On;
use super::change::{Change, Sponsored, Subject, Turn, Value};
use super::change_english::{paid_in, points};
use super::chinese;
use super::funding::Funders;
use super::onward::Onward;
use super::sentence::{Issuers, Names, fraction, money};
use super::settlement::FeeTo;
use super::terms::{Rate, Remainder};

pub(super) fn told(change: &Change, names: Names<'_>, issuers: Issuers<'_>) -> String {
    let (noun, unit) = (noun(change.subject, names), unit(change.subject, names));
    let value = |value: &Value| value_of(value, names, issuers);
    // A clause of Chinese stands in brackets, a number between spaces.
    let between = |value: String| match value.is_ascii() {
        true => format!(" {value} "),
        false => format!("「{value}」"),
    };
    let last = |value: String| match value.is_ascii() {
        true => format!(" {value}{unit}"),
        false => format!("「{value}」"),
    };
    match change.turn() {
        None => noun,
        Some(Turn::New(new)) => format!("新增{noun}：{}{unit}", value(new)),
        Some(Turn::Dropped(old)) => format!("取消{noun}，原為{}", last(value(old))),
        Some(Turn::Rises(old, new)) => {
            format!("{noun}由{}升至{}", between(value(old)), last(value(new)))
        }
        Some(Turn::Falls(old, new)) => {
            format!("{noun}由{}降至{}", between(value(old)), last(value(new)))
        }
        Some(Turn::Changes(old, new)) => {
            format!("{noun}由{}改為{}", between(value(old)), last(value(new)))
        }
        Some(Turn::Rewritten(old, new)) => format!(
            "{noun}改寫為{}，原寫作{}，兩者相同",
            last(value(new)),
            last(value(old))
        ),
    }
}

fn noun(subject: Subject, names: Names<'_>) -> String {
    let (source, target) = (names.source, names.target);
    let counted = |on: On| match on {
        On::Given => source,
        On::Base => target,
    };
    match subject {
        Subject::Kind | Subject::Rate => "兌換率".into(),
        Subject::Band { from, .. } => format!("{from} {source} 起的兌換率"),
        Subject::Line { give, .. } => format!("{give} {source} 可換的數量"),
        Subject::Min => "最低數量".into(),
        Subject::Max => "最高數量".into(),
        Subject::Step => "兌換單位".into(),
        Subject::StepOrigin => "單位的起點".into(),
        Subject::DestMin => "最低所得".into(),
        Subject::DestMax => "最高所得".into(),
        Subject::DestStep => "所得的單位".into(),
        Subject::BlockBonus => "滿額獎賞".into(),
        Subject::Bonus { .. } => "獎賞".into(),
        Subject::BonusOrder => "獎賞的次序".into(),
        Subject::Fee | Subject::FeeAmount => "手續費".into(),
        Subject::FeeShare(on) => format!("每 1 {} 的手續費", counted(on)),
        Subject::FeeStep(_) => "手續費的計算單位".into(),
        Subject::FeeMinimum => "最低手續費".into(),
        Subject::FeeCap => "最高手續費".into(),
        Subject::FeeTax => "手續費的稅".into(),
        Subject::FeeCurrency => "手續費的支付方式".into(),
        Subject::FeeCovers => "手續費的收取次數".into(),
        Subject::Remainder => "除不盡的部分".into(),
        Subject::Allowance { .. } => "限額".into(),
        Subject::AllowanceOrder => "限額的次序".into(),
        Subject::Keep => "須保留的數量".into(),
        Subject::Excludes => "不可使用的積分".into(),
        Subject::Onward => format!("所得 {target} 再兌換前的等候期"),
        Subject::Delivery => "到帳時間".into(),
        Subject::Settlement => "結算方式".into(),
        Subject::Price => format!("每 1 {target} 的價格"),
        Subject::SourcePrice => format!("每轉出 1 {source} 所付的價格"),
        Subject::TargetPrice => format!("每發出 1 {target} 所收的價格"),
        Subject::Commission => "平台的分成".into(),
        Subject::Increment => "所得的遞增單位".into(),
        Subject::Funders => "獎賞的承擔者".into(),
        Subject::FeeTo => "手續費的收取者".into(),
        Subject::Sponsor => "贊助者".into(),
        Subject::Condition => "條件".into(),
        Subject::Priority => "優先次序".into(),
        Subject::Notice => "不利更改的通知期".into(),
        Subject::Begins => "生效時間".into(),
        Subject::Ends => "結束時間".into(),
    }
}

/// What is counted, said once behind the last number.
fn unit(subject: Subject, names: Names<'_>) -> String {
    let code = match subject {
        Subject::Min | Subject::Max | Subject::Step | Subject::StepOrigin | Subject::Keep => {
            names.source
        }
        Subject::Line { .. }
        | Subject::DestMin
        | Subject::DestMax
        | Subject::DestStep
        | Subject::Increment => names.target,
        Subject::FeeStep(On::Given) => names.source,
        Subject::FeeStep(On::Base) => names.target,
        Subject::Notice => "日",
        _ => return String::new(),
    };
    format!(" {code}")
}

fn value_of(value: &Value, names: Names<'_>, issuers: Issuers<'_>) -> String {
    match value {
        Value::Amount(amount) => amount.to_string(),
        Value::Rate(rate) => rate_of(rate),
        Value::Ratio { give, get } => format!("{give}:{get}"),
        Value::Block(block) => chinese::block(*block, names),
        Value::Bonuses(bonuses) => {
            let told = bonuses.iter().map(|bonus| chinese::campaign(bonus, names));
            told.collect::<Vec<_>>().join("；")
        }
        Value::Fee(fee, scale) => {
            let names = Names {
                fee_scale: *scale,
                ..names
            };
            chinese::charge(fee, names)
        }
        Value::Money {
            amount,
            currency,
            scale,
        } => format!("{currency} {}", money(*amount, *scale)),
        Value::Points { amount, paid_in } => points(*amount, *paid_in, names),
        Value::Cover(cover) => chinese::once_in(cover),
        Value::Fraction { num, den } => fraction(*num, *den),
        Value::Code(code) => paid_in(code, names).to_owned(),
        Value::Remainder(Remainder::Absorb) => "捨去".into(),
        Value::Remainder(Remainder::LeaveInSource) => "保留".into(),
        Value::Allowances(limits) => {
            let told = limits.iter().map(|limit| chinese::allowance(limit, names));
            told.collect::<Vec<_>>().join("；")
        }
        Value::Excluded(points) => {
            let told = points.iter().map(|points| chinese::excluded(*points));
            told.collect::<Vec<_>>().join("和")
        }
        Value::Onward(Onward::Never) => "永久".into(),
        Value::Onward(Onward::AfterDays(1)) => "1 日".into(),
        Value::Onward(Onward::AfterDays(days)) => format!("{days} 日"),
        Value::Delivery(delivery) => chinese::arrival(*delivery),
        Value::Settlement(SettlementKind::CostPlus) => "成本加成".into(),
        Value::Settlement(SettlementKind::Priced) => "按價格".into(),
        Value::Price(price) => price.decimal().to_string(),
        Value::Share(share) => share.decimal().to_string(),
        Value::Funders(funders) => {
            let told = funders.iter().map(|funders| paid_by(*funders, issuers));
            told.collect::<Vec<_>>().join("；")
        }
        Value::FeeTo(FeeTo::Partner) => issuers.source.into(),
        Value::FeeTo(FeeTo::Hub) => "平台".into(),
        Value::Sponsor(Sponsored {
            partner,
            share,
            budget,
            money,
        }) => format!(
            "{partner}（分擔 {}，合共最多 {money} {budget}）",
            share.decimal()
        ),
        Value::Condition(when) => chinese::condition(when, issuers).join("，"),
        Value::Number(number) => number.to_string(),
        Value::Instant(at) => at.told(),
    }
}

/// Who pays for a bonus.
fn paid_by(funders: Funders, issuers: Issuers<'_>) -> String {
    let Issuers { source, target } = issuers;
    match funders {
        Funders { target: 0, .. } => source.into(),
        Funders { source: 0, .. } => target.into(),
        Funders {
            source: one,
            target: other,
        } => format!("{source} 與 {target} 按 {one} 比 {other}"),
    }
}

fn rate_of(rate: &Rate) -> String {
    match rate {
        Rate::Ratio { give, get } => format!("{give}:{get}"),
        Rate::Slab(bands) => format!("{}全數計算", chinese::rates(bands)),
        Rate::Marginal(bands) => format!("{}分段計算", chinese::rates(bands)),
        Rate::Table(table) => {
            let lines = table
                .iter()
                .map(|line| format!("{} 換 {}", line.give, line.get));
            format!("只限 {}", lines.collect::<Vec<_>>().join("、"))
        }
        Rate::Priced => "當日價格".into(),
        Rate::Unpriced => "浮動".into(),
    }
}
