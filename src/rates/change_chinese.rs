//! A change of a card in Traditional Chinese.
//!
//! ```text
//! 最低數量由 5,000 升至 10,000 STAR
//! ```

use super::body::SettlementKind;
use super::bonus::On;
use super::change::{Change, Subject, Turn, Value};
use super::chinese;
use super::sentence::{Names, fraction, money};
use super::terms::{Rate, Remainder};

pub(super) fn told(change: &Change, names: Names<'_>) -> String {
    let (noun, unit) = (noun(change.subject, names), unit(change.subject, names));
    let value = |value: &Value| value_of(value, names);
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
        Subject::FeeCurrency => "手續費的貨幣".into(),
        Subject::Remainder => "除不盡的部分".into(),
        Subject::Settlement => "結算方式".into(),
        Subject::Price => format!("每 1 {target} 的價格"),
        Subject::SourcePrice => format!("每轉出 1 {source} 所付的價格"),
        Subject::TargetPrice => format!("每發出 1 {target} 所收的價格"),
        Subject::Commission => "平台的分成".into(),
        Subject::Increment => "所得的遞增單位".into(),
        Subject::Notice => "不利更改的通知期".into(),
        Subject::Begins => "生效時間".into(),
        Subject::Ends => "結束時間".into(),
    }
}

/// What is counted, said once behind the last number.
fn unit(subject: Subject, names: Names<'_>) -> String {
    let code = match subject {
        Subject::Min | Subject::Max | Subject::Step | Subject::StepOrigin => names.source,
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

fn value_of(value: &Value, names: Names<'_>) -> String {
    match value {
        Value::Amount(amount) => amount.to_string(),
        Value::Rate(rate) => rate_of(rate),
        Value::Ratio { give, get } => format!("{give}:{get}"),
        Value::Block(block) => chinese::block(*block, names),
        Value::Bonuses(bonuses) => {
            let told = bonuses.iter().map(|bonus| chinese::campaign(bonus, names));
            told.collect::<Vec<_>>().join("；")
        }
        Value::Fee(fee) => chinese::charge(fee, names),
        Value::Money { amount, currency } => {
            format!("{currency} {}", money(*amount, names.fee_scale))
        }
        Value::Fraction { num, den } => fraction(*num, *den),
        Value::Code(code) => code.clone(),
        Value::Remainder(Remainder::Absorb) => "捨去".into(),
        Value::Remainder(Remainder::LeaveInSource) => "保留".into(),
        Value::Settlement(SettlementKind::CostPlus) => "成本加成".into(),
        Value::Settlement(SettlementKind::Priced) => "按價格".into(),
        Value::Price(price) => price.decimal().to_string(),
        Value::Share(share) => share.decimal().to_string(),
        Value::Instant(at) => at.told(),
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
