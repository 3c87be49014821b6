//! What a quote says, as one sentence a member understands.

/// The parts of the sentence: printed amounts with their currencies, and when the price ends.
pub struct Told<'a> {
    pub gives: &'a str,
    pub gains: &'a str,
    /// What of the amount asked for stays in the wallet; none when nothing does.
    pub left: Option<&'a str>,
    pub until: &'a str,
}

pub fn english(
    Told {
        gives,
        gains,
        left,
        until,
    }: &Told<'_>,
) -> String {
    let left = match left {
        Some(left) => format!("; {left} stay in your wallet because they do not divide"),
        None => String::new(),
    };
    format!("{gives} become {gains} at once{left}. There is no fee. The price holds until {until}.")
}

pub fn chinese(
    Told {
        gives,
        gains,
        left,
        until,
    }: &Told<'_>,
) -> String {
    let left = match left {
        Some(left) => format!("；{left} 因不足一個單位而留在您的錢包"),
        None => String::new(),
    };
    format!("{gives} 即時兌換為 {gains}{left}。不收手續費。此價格有效至 {until}。")
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
            left: None,
            until: "noon",
        };
        assert_eq!(
            english(&told),
            "2,000 A become 1,333 B at once. There is no fee. The price holds until noon."
        );
        let left = Told {
            left: Some("1 A"),
            ..told
        };
        assert!(english(&left).contains("1 A stay in your wallet"));
        assert!(chinese(&left).contains("1 A 因不足一個單位而留在您的錢包"));
    }
}
