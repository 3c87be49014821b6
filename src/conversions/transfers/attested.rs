//! What a partner attests that it took on its own side.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::partners::expiry::business_day;
use crate::partners::{Currency, Keeper};

/// How long after a business day its debits may still come in.
pub const DAYS_LATE: u64 = 31;

/// The key of it in what an operation remembers.
pub const REMEMBERED: &str = "debited_on";

/// A debit of a member in the books of the partner that keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attested {
    /// In the currency's smallest unit.
    pub units: i64,
    /// The partner's business day that it is of.
    pub on: NaiveDate,
}

/// Why a quote is not taken that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The issuer keeps the balance, and has attested nothing.
    NotAttested,
    /// The hub keeps the balance, so there is nothing to attest.
    KeptByHub,
}

/// Whether what is given is to be attested, and is.
pub fn must_fit(currency: &Currency, attested: Option<Attested>) -> Result<(), Misfit> {
    match (currency.kept_by, attested) {
        (Keeper::Hub, None) | (Keeper::Partner, Some(_)) => Ok(()),
        (Keeper::Partner, None) => Err(Misfit::NotAttested),
        (Keeper::Hub, Some(_)) => Err(Misfit::KeptByHub),
    }
}

/// The business days that may be attested at an instant: from the first to the last, which is today.
pub fn days(zone: Tz, now: Timestamp) -> (NaiveDate, NaiveDate) {
    let today = business_day(zone, now);
    let first = today.checked_sub_days(Days::new(DAYS_LATE));
    (first.unwrap_or(today), today)
}

/// What an operation remembers of it: the units are its leg.
pub fn memo(attested: Attested) -> Value {
    json!(attested.on)
}

/// The business day of the debit that an operation rests on.
pub fn remembered(memo: Option<&Value>) -> Option<NaiveDate> {
    memo?.get(REMEMBERED)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::partners::expiry::ExpiryPolicy;
    use crate::points::amount::Scale;

    fn currency(kept_by: Keeper) -> Currency {
        Currency {
            no: 1001,
            code: "MILE".into(),
            name: "Miles".into(),
            name_zh: None,
            scale: Scale::WHOLE,
            issuer: 1,
            expiry: ExpiryPolicy::None {},
            notice_days: Default::default(),
            zone: chrono_tz::Asia::Hong_Kong,
            display_value: "0.01".to_owned().try_into().unwrap(),
            kept_by,
            award_limits: Vec::new(),
            created_at: clock::ALWAYS,
        }
    }

    #[test]
    fn what_the_issuer_keeps_is_attested_and_nothing_else() {
        let on = "2026-11-23".parse().unwrap();
        let attested = Some(Attested { units: 100, on });
        for (kept_by, attested, expected) in [
            (Keeper::Hub, None, Ok(())),
            (Keeper::Partner, attested, Ok(())),
            (Keeper::Partner, None, Err(Misfit::NotAttested)),
            (Keeper::Hub, attested, Err(Misfit::KeptByHub)),
        ] {
            assert_eq!(must_fit(&currency(kept_by), attested), expected);
        }
    }

    #[test]
    fn a_business_day_is_the_partners_and_not_one_to_come() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (now, first, last) in [
            ("2026-11-23T15:59:59Z", "2026-10-23", "2026-11-23"),
            ("2026-11-23T16:00:00Z", "2026-10-24", "2026-11-24"),
            ("2027-01-01T00:00:00Z", "2026-12-01", "2027-01-01"),
        ] {
            let days = days(chrono_tz::Asia::Hong_Kong, now.parse().unwrap());
            assert_eq!(days, (day(first), day(last)), "{now}");
        }
    }

    #[test]
    fn the_day_is_read_back() {
        let on: NaiveDate = "2026-02-28".parse().unwrap();
        let kept = json!({REMEMBERED: memo(Attested { units: 1, on })});
        assert_eq!(remembered(Some(&kept)), Some(on));
        for other in [
            json!({}),
            json!({REMEMBERED: 5}),
            json!({REMEMBERED: "today"}),
        ] {
            assert_eq!(remembered(Some(&other)), None);
        }
        assert_eq!(remembered(None), None);
    }
}
