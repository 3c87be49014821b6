//! What chosen amounts and members meet in a sandbox, always the same.
//!
//! A row is met by its amount, in printed units of whatever currency, or by a member whose number at the
//! partner that asks begins with `SANDBOX-` and the name in capitals: `SANDBOX-LIMIT-REACHED-7`. By the member
//! it is met where the amount has to be another, as where a rate card sells in steps. Of a conversion or
//! a transfer the amount is what its quote gives.

use crate::partners::life::Act;

/// A request that may meet something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Award,
    Redemption,
    Hold,
    Quote,
    Conversion,
    Transfer,
}

use Asked::{Award, Conversion, Hold, Quote, Redemption, Transfer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    LimitReached,
    PartnerSuspended,
    PartnerCapReached,
    BalanceTooLow,
    NoRateCard,
    QuoteExpired,
    RequestLimitExceeded,
    TooBusy,
    Broken,
    Slow,
    ConnectionDropped,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    pub outcome: Outcome,
    /// The problem's code, or a word for what is no problem.
    pub name: &'static str,
    /// In printed units.
    pub amount: &'static str,
    pub on: &'static [Asked],
    pub says: &'static str,
}

const WRITES: &[Asked] = &[Award, Redemption, Hold, Conversion, Transfer];
const ALL: &[Asked] = &[Award, Redemption, Hold, Quote, Conversion, Transfer];

/// How long a slow answer takes, in seconds.
pub const SLOW: u64 = 5;

/// Everything that can be met.
pub const TABLE: [Row; 11] = [
    Row {
        outcome: Outcome::LimitReached,
        name: "limit-reached",
        amount: "900001",
        on: &[Award, Quote, Conversion, Transfer],
        says: "422, with `left` and `renews_at`",
    },
    Row {
        outcome: Outcome::PartnerSuspended,
        name: "partner-suspended",
        amount: "900002",
        on: ALL,
        says: "422, as when a partner in it is suspended",
    },
    Row {
        outcome: Outcome::PartnerCapReached,
        name: "partner-cap-reached",
        amount: "900003",
        on: &[Conversion, Transfer],
        says: "422, as when you may not owe that much more",
    },
    Row {
        outcome: Outcome::BalanceTooLow,
        name: "balance-too-low",
        amount: "900004",
        on: &[Redemption, Hold, Conversion],
        says: "422, with `held` and `needed`",
    },
    Row {
        outcome: Outcome::NoRateCard,
        name: "no-rate-card",
        amount: "900005",
        on: &[Quote],
        says: "422, as when the card of the route is halted",
    },
    Row {
        outcome: Outcome::QuoteExpired,
        name: "quote-expired",
        amount: "900006",
        on: &[Conversion, Transfer],
        says: "410, however young the quote is",
    },
    Row {
        outcome: Outcome::RequestLimitExceeded,
        name: "request-limit-exceeded",
        amount: "900007",
        on: WRITES,
        says: "429 with `Retry-After`, once for each key; the same key is then carried out",
    },
    Row {
        outcome: Outcome::TooBusy,
        name: "too-busy",
        amount: "900008",
        on: WRITES,
        says: "503 with `Retry-After`, once for each key; the same key is then carried out",
    },
    Row {
        outcome: Outcome::Broken,
        name: "broken",
        amount: "900009",
        on: WRITES,
        says: "500, once for each key, and nothing is done; the same key is then carried out",
    },
    Row {
        outcome: Outcome::Slow,
        name: "slow",
        amount: "900010",
        on: ALL,
        says: "the right answer, after 5 seconds",
    },
    Row {
        outcome: Outcome::ConnectionDropped,
        name: "connection-dropped",
        amount: "900011",
        on: WRITES,
        says: "it is done, and the connection closes without an answer, once for each key; the same key is then answered",
    },
];

impl Asked {
    /// Where it is sent.
    pub fn path(self) -> &'static str {
        match self {
            Award => "/v1/awards",
            Redemption => "/v1/redemptions",
            Hold => "/v1/holds",
            Quote => "/v1/quotes",
            Conversion => "/v1/conversions",
            Transfer => "/v1/transfers",
        }
    }

    /// What it is to the state of a partner.
    pub fn act(self) -> Act {
        match self {
            Award => Act::Award,
            Redemption => Act::Redeem,
            Hold => Act::Hold,
            Quote | Conversion | Transfer => Act::ConvertOut,
        }
    }

    pub fn at(path: &str) -> Option<Asked> {
        ALL.iter().copied().find(|asked| asked.path() == path)
    }
}

impl Row {
    /// What a member's number begins with.
    pub fn number(&self) -> String {
        format!("SANDBOX-{}", self.name.to_uppercase())
    }

    fn is_met_by(&self, amount: Option<&str>, number: Option<&str>) -> bool {
        let is_amount = amount.is_some_and(|amount| {
            let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
            whole == self.amount && decimals.bytes().all(|digit| digit == b'0')
        });
        let is_number = number.is_some_and(|number| {
            let rest = number.strip_prefix(&self.number());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
        is_amount || is_number
    }
}

/// What a request meets.
pub fn met(asked: Asked, amount: Option<&str>, number: Option<&str>) -> Option<&'static Row> {
    let mut rows = TABLE.iter().filter(|row| row.on.contains(&asked));
    rows.find(|row| row.is_met_by(amount, number))
}

/// The table as the documentation shows it.
pub fn table() -> String {
    let mut text = "What chosen amounts and members meet in a sandbox, whatever else the request says. An amount counts in \
         printed units of any currency; of a conversion or a transfer it is what its quote gives.\n\n\
         | amount | member's number begins with | what happens | at |\n|---|---|---|---|\n"
        .to_owned();
    for row in &TABLE {
        let paths: Vec<String> = row
            .on
            .iter()
            .map(|asked| format!("`{}`", asked.path()))
            .collect();
        let Row {
            name, amount, says, ..
        } = row;
        let (number, paths) = (row.number(), paths.join(" "));
        let line = format!("| {amount} | `{number}` | `{name}`: {says} | {paths} |");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_met_by_its_amount_and_its_members() {
        let name = |asked, amount, number| met(asked, amount, number).map(|row| row.name);
        let cases = [
            (Award, Some("900001"), None, Some("limit-reached")),
            (Award, Some("900001.00"), None, Some("limit-reached")),
            (Award, Some("900001.01"), None, None),
            (
                Award,
                Some("1"),
                Some("SANDBOX-LIMIT-REACHED"),
                Some("limit-reached"),
            ),
            (
                Award,
                Some("1"),
                Some("SANDBOX-LIMIT-REACHED-7"),
                Some("limit-reached"),
            ),
            (Award, Some("1"), Some("SANDBOX-LIMIT-REACHEDS"), None),
            (Award, Some("1"), Some("7"), None),
            (Redemption, Some("900001"), None, None),
            (Quote, Some("900008"), None, None),
            (
                Conversion,
                None,
                Some("SANDBOX-QUOTE-EXPIRED"),
                Some("quote-expired"),
            ),
            (Conversion, None, None, None),
        ];
        for (asked, amount, number, expected) in cases {
            assert_eq!(
                name(asked, amount, number),
                expected,
                "{asked:?} {amount:?} {number:?}"
            );
        }
    }

    #[test]
    fn no_two_rows_are_met_by_one_amount_and_all_stand_in_the_table() {
        let text = table();
        for row in &TABLE {
            let same = TABLE.iter().filter(|other| other.amount == row.amount);
            assert_eq!(same.count(), 1, "{}", row.name);
            assert!(text.contains(&format!("`{}`", row.number())), "{text}");
        }
    }
}
