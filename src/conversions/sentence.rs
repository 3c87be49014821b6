//! What a quote says, as one sentence a member understands.

/// The parts of the sentence: printed amounts with their currencies, and when the price ends.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    pub gives: &'a str,
    pub gains: &'a str,
    /// The code of the currency that it becomes on the way; none when nothing is between.
    pub through: Option<&'a str>,
    /// What of the amount asked for stays in the wallet; none when nothing does.
    pub left: Option<&'a str>,
    /// By how many percent what is gained is worth more than what is given, by the issuers' display
    /// values; none where that cannot be said.
    pub difference: Option<i64>,
    /// What of `gains` are bonuses; none when nothing is.
    pub bonus: Option<&'a str>,
    /// The campaigns that give bonuses, in English and in Chinese.
    pub campaigns: &'a [(&'a str, &'a str)],
    pub fee: FeeTold<'a>,
    pub arrives: Arrives<'a>,
    pub until: &'a str,
}

/// When what is gained can be used.
#[derive(Clone, Copy)]
pub enum Arrives<'a> {
    AtOnce,
    /// Once the issuer, who keeps the balances, has credited it.
    WhenCredited,
    From(&'a str),
    /// Once a code is presented, which is to be done before then.
    ByCode(&'a str),
}

/// What the member pays.
#[derive(Clone, Copy, Default)]
pub struct FeeTold<'a> {
    /// None when nothing.
    pub amount: Option<&'a str>,
    /// What leaves the wallet in all, where the fee is on top of what is given.
    pub all: Option<&'a str>,
    /// Whether it is taken off what is gained.
    pub is_off: bool,
    /// Where it covers a period: whether it is paid already, and until when; none for good.
    pub period: Option<(bool, Option<&'a str>)>,
}

impl FeeTold<'_> {
    fn english(&self) -> String {
        let until = |until: Option<&str>| match until {
            Some(until) => format!("until {until}"),
            None => "for good".to_owned(),
        };
        let fee = match (self.amount, self.period) {
            (None, Some((true, end))) => return format!("The fee is paid {} already.", until(end)),
            (None, _) => return "There is no fee.".to_owned(),
            (Some(fee), _) => fee,
        };
        let all = self.all.map(|all| format!(" on top, {all} in all"));
        let off = self.is_off.then(|| " and is taken off already".to_owned());
        let period = self.period;
        let period = period.map(|(_, end)| format!("; what you convert {} costs none", until(end)));
        let rest: String = [all, off, period].into_iter().flatten().collect();
        format!("The fee is {fee}{rest}.")
    }

    fn chinese(&self) -> String {
        let fee = match (self.amount, self.period) {
            (None, Some((true, Some(until)))) => return format!("手續費已付，至 {until} 為止。"),
            (None, Some((true, None))) => return "手續費已付，不再收取。".to_owned(),
            (None, _) => return "不收手續費。".to_owned(),
            (Some(fee), _) => fee,
        };
        let all = self.all.map(|all| format!("，連手續費共扣除 {all}"));
        let off = self.is_off.then(|| "，已從所得扣除".to_owned());
        let period = self.period.map(|(_, until)| match until {
            Some(until) => format!("，其後至 {until} 為止不再收取"),
            None => "，其後不再收取".to_owned(),
        });
        let rest: String = [all, off, period].into_iter().flatten().collect();
        format!("手續費 {fee}{rest}。")
    }
}

pub fn english(
    Told {
        gives,
        gains,
        through,
        left,
        difference,
        bonus,
        campaigns,
        fee,
        arrives,
        until,
    }: &Told<'_>,
) -> String {
    let worth = difference.map(|percent| match percent {
        ..0 => format!(
            " By what their issuers say that is worth {} % less.",
            -percent
        ),
        0 => " By what their issuers say that is worth as much.".to_owned(),
        1.. => format!(" By what their issuers say that is worth {percent} % more."),
    });
    let worth = worth.unwrap_or_default();
    let left = match left {
        Some(left) => format!("; {left} stay in your wallet because they do not divide"),
        None => String::new(),
    };
    let names: Vec<&str> = campaigns.iter().map(|(name, _)| *name).collect();
    let of = match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    };
    let bonus = bonus.map(|bonus| format!(", {bonus} of them a bonus{of},"));
    let bonus = bonus.unwrap_or_default();
    let fee = fee.english();
    let arrives = match arrives {
        Arrives::AtOnce => "at once".to_owned(),
        Arrives::WhenCredited => "once their issuer has credited them".to_owned(),
        Arrives::From(at) => format!("to be used from {at} on"),
        Arrives::ByCode(until) => format!("as a code to be presented before {until}"),
    };
    let through = through.map(|code| format!(", through {code},"));
    let through = through.unwrap_or_default();
    format!(
        "{gives} become{through} {gains}{bonus} {arrives}{left}.{worth} {fee} The price holds until {until}."
    )
}

pub fn chinese(
    Told {
        gives,
        gains,
        through,
        left,
        difference,
        bonus,
        campaigns,
        fee,
        arrives,
        until,
    }: &Told<'_>,
) -> String {
    let worth = difference.map(|percent| match percent {
        ..0 => format!("按發行機構公布的價值計，少 {}%。", -percent),
        0 => "按發行機構公布的價值計，兩者相等。".to_owned(),
        1.. => format!("按發行機構公布的價值計，多 {percent}%。"),
    });
    let worth = worth.unwrap_or_default();
    let left = match left {
        Some(left) => format!("；{left} 因不足一個單位而留在您的錢包"),
        None => String::new(),
    };
    let names: Vec<&str> = campaigns.iter().map(|(_, name)| *name).collect();
    let of = match names.is_empty() {
        true => String::new(),
        false => format!("：{}", names.join("、")),
    };
    let bonus = bonus.map(|bonus| format!("（其中 {bonus} 為獎賞{of}）"));
    let bonus = bonus.unwrap_or_default();
    let fee = fee.chinese();
    let (at_once, arrives) = match arrives {
        Arrives::AtOnce => ("即時", String::new()),
        Arrives::WhenCredited => ("", "，待發行機構入賬後可用".to_owned()),
        Arrives::From(at) => ("", format!("，{at} 起可用")),
        Arrives::ByCode(until) => ("", format!("，憑兌換碼領取，須於 {until} 前使用")),
    };
    let through = through.map(|code| format!("經 {code} "));
    let through = through.unwrap_or_default();
    format!(
        "{gives} {at_once}{through}兌換為 {gains}{bonus}{arrives}{left}。{worth}{fee}此價格有效至 {until}。"
    )
}

/// Digits in groups of three: `12,187.50`.
pub fn grouped(printed: &str) -> String {
    let (whole, decimals) = printed
        .split_once('.')
        .map_or((printed, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match decimals {
        Some(decimals) => format!("{grouped}.{decimals}"),
        None => grouped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [
            ("1", "1"),
            ("999", "999"),
            ("1000", "1,000"),
            ("1234567.50", "1,234,567.50"),
        ];
        for (printed, expected) in cases {
            assert_eq!(grouped(printed), expected);
        }
    }

    #[test]
    fn what_stays_is_said_and_nothing_is_not() {
        let told = Told {
            gives: "2,000 A",
            gains: "1,333 B",
            through: None,
            left: None,
            difference: None,
            bonus: None,
            campaigns: &[],
            fee: FeeTold::default(),
            arrives: Arrives::AtOnce,
            until: "noon",
        };
        assert_eq!(
            english(&told),
            "2,000 A become 1,333 B at once. There is no fee. The price holds until noon."
        );
        let less = |difference| english(&Told { difference, ..told });
        assert!(less(Some(-22)).contains("that is worth 22 % less. There"));
        assert!(less(Some(0)).contains("as much") && less(Some(5)).contains("5 % more"));
        let more = Told {
            bonus: Some("100 B"),
            fee: FeeTold {
                amount: Some("SGD 25.00"),
                ..FeeTold::default()
            },
            ..told
        };
        assert_eq!(
            english(&more),
            "2,000 A become 1,333 B, 100 B of them a bonus, at once. The fee is SGD 25.00. The price holds until noon."
        );
        assert!(chinese(&more).contains("1,333 B（其中 100 B 為獎賞）。手續費 SGD 25.00。"));
        let passing = Told {
            through: Some("C"),
            ..told
        };
        assert!(english(&passing).starts_with("2,000 A become, through C, 1,333 B at once."));
        assert!(chinese(&passing).starts_with("2,000 A 即時經 C 兌換為 1,333 B。"));
        let by_campaigns = Told {
            campaigns: &[("Double June", "六月雙倍"), ("More", "更多")],
            ..more
        };
        assert!(
            english(&by_campaigns).contains("100 B of them a bonus (Double June, More), at once")
        );
        assert!(chinese(&by_campaigns).contains("（其中 100 B 為獎賞：六月雙倍、更多）"));
        let later = Told {
            arrives: Arrives::From("Monday"),
            ..told
        };
        assert!(english(&later).contains("1,333 B to be used from Monday on. There"));
        assert!(chinese(&later).contains("2,000 A 兌換為 1,333 B，Monday 起可用。"));
        let left = Told {
            left: Some("1 A"),
            difference: Some(-22),
            ..told
        };
        assert!(english(&left).contains("1 A stay in your wallet"));
        assert!(chinese(&left).contains("1 A 因不足一個單位而留在您的錢包"));
        assert!(chinese(&left).contains("少 22%。"));
    }
    #[test]
    fn a_fee_says_where_it_comes_from_and_how_long_it_covers() {
        let due = |amount| FeeTold {
            amount: Some(amount),
            ..FeeTold::default()
        };
        let year = Some("1 January");
        let cases = [
            (
                FeeTold {
                    all: Some("1,050 A"),
                    ..due("50 A")
                },
                "The fee is 50 A on top, 1,050 A in all.",
                "手續費 50 A，連手續費共扣除 1,050 A。",
            ),
            (
                FeeTold {
                    is_off: true,
                    ..due("9 B")
                },
                "The fee is 9 B and is taken off already.",
                "手續費 9 B，已從所得扣除。",
            ),
            (
                FeeTold {
                    period: Some((false, year)),
                    ..due("SGD 50.00")
                },
                "The fee is SGD 50.00; what you convert until 1 January costs none.",
                "手續費 SGD 50.00，其後至 1 January 為止不再收取。",
            ),
            (
                FeeTold {
                    period: Some((true, year)),
                    ..FeeTold::default()
                },
                "The fee is paid until 1 January already.",
                "手續費已付，至 1 January 為止。",
            ),
            (
                FeeTold {
                    period: Some((true, None)),
                    ..FeeTold::default()
                },
                "The fee is paid for good already.",
                "手續費已付，不再收取。",
            ),
        ];
        for (fee, english, chinese) in cases {
            assert_eq!(fee.english(), english);
            assert_eq!(fee.chinese(), chinese);
        }
    }
}
