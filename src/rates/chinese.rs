//! The clauses of a card's sentence in Traditional Chinese.
//!
//! ```text
//! 5,000 STAR 起，以 1,250 為單位，按 5 比 2 兌換 MILE
//! ```

use std::ops::Deref;

use super::allowance::{Allowance, Most};
use super::block::{BlockBonus, BlockMode};
use super::bonus::{Bonus, BonusBand, On};
use super::condition::{Asked, Condition};
use super::english::fee_sum;
use super::fee::{Cover, Fee, FeeKind, PaidIn};
use super::onward::{Delivery, Onward};
use super::printed::Printed;
use super::sentence::{Issuers, Names, fraction, lowest, may_not_divide};
use super::terms::{Band, Excluded, Limits, Rate, Remainder, Terms};
use crate::partners::period::{Calendar, Period};

/// Which amounts, and what they become.
pub(super) fn amounts_and_rate(terms: &Terms, names: Names<'_>) -> String {
    let (amounts, target) = (amounts(&terms.source, names), names.target);
    match &terms.rate {
        Rate::Ratio { give, get } => {
            let (give, get) = lowest(*give, *get);
            format!("{amounts}，按 {give} 比 {get} 兌換 {target}")
        }
        Rate::Slab(bands) => format!("{amounts}，{}全數兌換 {target}", rates(bands)),
        Rate::Marginal(bands) => format!("{amounts}，{}分段兌換 {target}", rates(bands)),
        Rate::Table(table) => {
            let lines = table
                .iter()
                .map(|line| format!("{} 換 {}", line.give, line.get));
            let lines = lines.collect::<Vec<_>>().join("、");
            format!("只可按以下數量以 {} 兌換 {target}：{lines}", names.source)
        }
        Rate::Priced => format!("{amounts}，按當日價格兌換 {target}"),
        Rate::Unpriced => format!("{amounts}，按浮動兌換率兌換 {target}"),
    }
}

fn amounts(limits: &Limits, names: Names<'_>) -> String {
    let source = names.source;
    let range = match (limits.min, limits.max) {
        (None, None) => format!("任何數量的 {source}"),
        (Some(min), None) => format!("{min} {source} 起"),
        (None, Some(max)) => format!("最多 {max} {source}"),
        (Some(min), Some(max)) => format!("{min} 至 {max} {source}"),
    };
    match (limits.step, limits.step_origin) {
        (None, _) => range,
        (Some(step), None) => format!("{range}，以 {step} 為單位"),
        (Some(step), Some(origin)) => format!("{range}，由 {origin} 起以 {step} 為單位"),
    }
}

pub(super) fn rates(bands: &[Band]) -> String {
    let rates = bands.iter().map(|band| {
        let (give, get) = lowest(band.give, band.get);
        format!("{} 起按 {give} 比 {get}", band.from)
    });
    format!("{} ", rates.collect::<Vec<_>>().join("、"))
}

/// The limits of what is gained.
pub(super) fn destination(limits: &Limits, names: Names<'_>) -> Vec<String> {
    let target = names.target;
    let least = limits.min.map(|min| format!("最少 {min} {target}"));
    let most = limits.max.map(|max| format!("最多 {max} {target}"));
    let step = limits
        .step
        .map(|step| format!("所得以 {step} {target} 為單位"));
    [least, most, step].into_iter().flatten().collect()
}

/// The block bonus and every campaign.
pub(super) fn bonuses(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let block = terms.block_bonus.map(|b| block(b, names));
    let campaigns = terms.bonuses.iter().map(|bonus| campaign(bonus, names));
    block.into_iter().chain(campaigns).collect()
}

pub(super) fn block(b: BlockBonus, names: Names<'_>) -> String {
    let (source, target) = (names.source, names.target);
    match b.mode {
        BlockMode::PerBlock => format!("每 {} {source} 加 {} {target}", b.block, b.bonus),
        BlockMode::Once => format!("滿 {} {source} 加 {} {target} 一次", b.block, b.bonus),
    }
}

pub(super) fn campaign(bonus: &Bonus, names: Names<'_>) -> String {
    let from = |least: &Option<Printed>| match least {
        Some(least) => format!("滿 {least} {} ", names.source),
        None => String::new(),
    };
    match bonus {
        Bonus::Percent {
            num,
            den,
            min_given,
            ..
        } => {
            format!("{}另加 {}", from(min_given), fraction(*num, *den))
        }
        Bonus::Fixed { bonus, min_given } => {
            format!("{}另加 {bonus} {} 一次", from(min_given), names.target)
        }
        Bonus::Slab {
            on,
            bands,
            min_given,
        } => {
            format!("{}{}", from(min_given), shares(bands, *on, names, "起另加"))
        }
        Bonus::Marginal {
            on,
            bands,
            min_given,
        } => {
            format!(
                "{}{}",
                from(min_given),
                shares(bands, *on, names, "起的部分另加")
            )
        }
    }
}

fn shares(bands: &[BonusBand], on: On, names: Names<'_>, more: &str) -> String {
    let code = match on {
        On::Base => names.target,
        On::Given => names.source,
    };
    let share = |b: &BonusBand| format!("{} {code} {more} {}", b.from, fraction(b.num, b.den));
    bands.iter().map(share).collect::<Vec<_>>().join("、")
}

/// What the member pays.
pub(super) fn fee(fee: Option<&Fee>, names: Names<'_>) -> Vec<String> {
    let told = fee.map(|fee| charge(fee, names));
    let told = told.map(|fee| match fee.starts_with(|c: char| c.is_ascii()) {
        true => format!("手續費為 {fee}"),
        false => format!("手續費為{fee}"),
    });
    told.into_iter().collect()
}

/// A fee with its parts.
pub(super) fn charge(fee: &Fee, names: Names<'_>) -> String {
    let sum = |amount: i64| fee_sum(fee, amount, names);
    let code = match fee.on() {
        On::Given => names.source,
        On::Base => names.target,
    };
    let charge = match (fee.kind, fee.amount, fee.num.zip(fee.den), fee.step) {
        (FeeKind::PerUnit, _, Some((num, den)), _) => match names.points_of(fee) {
            Some((points, 1)) => format!("每 1 {code} 收 {num}/{den} {points}"),
            Some((points, _)) => format!("每 1 {code} 收 {points} 最小單位的 {num}/{den}"),
            None => format!("每 1 {code} 收 {} 最小單位的 {num}/{den}", fee.currency),
        },
        (FeeKind::PerStep, Some(amount), _, Some(step)) => {
            format!("每 {step} {code} 或不足之數 {}", sum(amount))
        }
        (FeeKind::Flat | FeeKind::PerUnit | FeeKind::PerStep, amount, _, _) => {
            sum(amount.unwrap_or(0))
        }
    };
    let least = fee.minimum.map(|least| format!("，最低 {}", sum(least)));
    let most = fee.cap.map(|most| format!("，最高 {}", sum(most)));
    let tax = fee
        .tax
        .map(|tax| format!("，另加 {} 稅", fraction(tax.num, tax.den)));
    let place = match fee.paid_in() {
        PaidIn::Money => None,
        PaidIn::Given => Some("，另行扣除".to_owned()),
        PaidIn::Gained => Some("，從所得扣除".to_owned()),
    };
    let covers = fee.covers.as_ref();
    let covers = covers.map(|cover| format!("，{}", once_in(cover)));
    let rest = [least, most, place, tax, covers].into_iter().flatten();
    format!("{charge}{}", rest.collect::<String>())
}

/// How often a fee that covers a period is paid.
pub(super) fn once_in(cover: &Cover) -> String {
    let often = match cover.period {
        Period::Calendar(Calendar::Ever) => "只收一次".to_owned(),
        within => format!("{}只收一次", period(within)),
    };
    let group = cover.group.as_deref();
    let group = group.map_or_else(String::new, |group| format!("（{group} 組合用）"));
    format!("{often}{group}")
}

/// What happens to the part that does not divide, where there can be one.
pub(super) fn remainder(terms: &Terms, names: Names<'_>) -> Vec<String> {
    if !may_not_divide(terms, names.scales) {
        return Vec::new();
    }
    vec![match terms.remainder {
        Remainder::Absorb => "小數捨去".into(),
        Remainder::LeaveInSource => "除不盡的部分保留".into(),
    }]
}

/// Limits within a period, what has to stay, and what is not taken.
pub(super) fn held_to(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let allowances = terms.allowances.iter();
    let allowances = allowances.map(|limit| allowance(limit, names));
    let keep = terms
        .keep
        .map(|keep| format!("帳戶須保留 {keep} {}", names.source));
    let excludes = terms.excludes.iter();
    let excludes = excludes.map(|points| format!("{}不可使用", excluded(*points)));
    allowances.chain(keep).chain(excludes).collect()
}

/// A limit within a period.
pub(super) fn allowance(allowance: &Allowance, names: Names<'_>) -> String {
    let within = period(allowance.period);
    let most = match (allowance.most, allowance.period) {
        (Most::Times(1), Period::Calendar(Calendar::Ever)) => "只限一次".to_owned(),
        (Most::Times(times), _) => format!("{within}最多 {times} 次"),
        (Most::Given(most), _) => format!("{within}最多 {most} {}", names.source),
        (Most::Gained(most), _) => format!("{within}最多可得 {most} {}", names.target),
    };
    let group = allowance.group.as_deref();
    let group = group.map_or_else(String::new, |group| format!("（與 {group} 組合併計算）"));
    let from = allowance.from;
    let from = from.map_or_else(String::new, |from| format!("{} 起，", from.format("%F")));
    format!("{from}{most}{group}")
}

pub(super) fn excluded(excluded: Excluded) -> &'static str {
    match excluded {
        Excluded::Bonus => "獎賞積分",
        Excluded::Expiring => "設有到期日的積分",
    }
}

fn period(period: Period) -> String {
    match period {
        Period::Calendar(Calendar::Day) => "每日".into(),
        Period::Calendar(Calendar::Month) => "每個曆月".into(),
        Period::Calendar(Calendar::Year) => "每個曆年".into(),
        Period::Calendar(Calendar::Ever) => "總共".into(),
        Period::Hours(hours) => format!("任何 {hours} 小時內"),
        Period::Months(months) => format!("任何 {months} 個月內"),
    }
}

/// When what is gained arrives, and whether it may be converted again.
pub(super) fn afterwards(terms: &Terms, names: Names<'_>) -> Vec<String> {
    let target = names.target;
    let delivery = terms.delivery;
    let delivery = delivery.map(|delivery| format!("{}到帳", arrival(delivery)));
    let onward = terms.onward.map(|onward| match onward {
        Onward::Never => format!("所得 {target} 不可再兌換"),
        Onward::AfterDays(days) => format!("所得 {target} 於 {days} 日後方可再兌換"),
    });
    delivery.into_iter().chain(onward).collect()
}

pub(super) fn arrival(delivery: Delivery) -> String {
    match delivery {
        Delivery::AfterDays(1) => "翌日".into(),
        Delivery::AfterDays(days) => format!("{days} 日後"),
        Delivery::DayOfMonth(day) => format!("於下一個 {day} 號"),
    }
}

/// For whom the card is, and by which channel.
pub(super) fn condition(when: &Condition, issuers: Issuers<'_>) -> Vec<String> {
    let claims = when.claims.as_ref().map(|Asked(claims)| {
        let claims = claims
            .iter()
            .map(|(name, values)| format!("{} 為 {}", &**name, either(values)));
        let claims = claims.collect::<Vec<_>>().join("、");
        format!("限 {} 確認其 {claims} 的會員", issuers.of(when.of))
    });
    let channel = when.channel.as_ref();
    let channel = channel.map(|channels| format!("限經 {}", either(channels)));
    claims.into_iter().chain(channel).collect()
}

fn either<T: Deref<Target = str>>(values: &[T]) -> String {
    let values: Vec<&str> = values.iter().map(|value| &**value).collect();
    values.join(" 或 ")
}

/// How early a change for the worse is told, where that is promised.
pub(super) fn notice(days: u16) -> Vec<String> {
    match days {
        0 => Vec::new(),
        _ => vec![format!("不利的更改於 {days} 日前通知")],
    }
}
