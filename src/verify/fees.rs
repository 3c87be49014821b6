//! Fees that cover a period: paid once in it, and by who says so.
//!
//! A conversion that paid such a fee must be the first of its wallet's period that did and was not undone.
//! One that says its fee was paid must have one before it, at its own instant or when its quote was
//! issued: a quote keeps its word while it lasts, also when the period ends meanwhile or the payment is
//! undone. Memory grows with such payments, and with no other operation.

use std::collections::HashMap;

use chrono::Duration;
use chrono_tz::Tz;

use crate::clock::Timestamp;
use crate::conversions::quote;
use crate::ledger::tally::TallyKey;
use crate::partners::period::Period;

/// The fees that were paid for a period so far.
#[derive(Debug, Default)]
pub struct Fees {
    paid: HashMap<TallyKey, Vec<Payment>>,
    /// Where the payment of a conversion is kept.
    of: HashMap<i64, TallyKey>,
}

#[derive(Debug, Clone, Copy)]
struct Payment {
    conversion: i64,
    at: Timestamp,
    /// What the conversion took: it is undone when so much of it is.
    whole: i64,
    undone_at: Option<Timestamp>,
}

impl Fees {
    /// Whether a conversion was right to pay, or not to.
    pub fn is_right(
        &self,
        key: TallyKey,
        (period, zone): (Period, Tz),
        is_paid_before: bool,
        at: Timestamp,
    ) -> bool {
        let paid = self.paid.get(&key).map_or(&[][..], Vec::as_slice);
        let covers = |now: Timestamp, it: &Payment| it.at >= period.begins(zone, now);
        let is_covered = paid
            .iter()
            .any(|it| it.undone_at.is_none() && covers(at, it));
        if !is_paid_before {
            return !is_covered;
        }
        // A quote lasts to the end of its last second.
        let quoted = at - quote::LIFE - Duration::seconds(1);
        let stood = |it: &Payment| it.undone_at.is_none_or(|undone| undone >= quoted);
        is_covered || paid.iter().any(|it| stood(it) && covers(quoted, it))
    }

    /// A conversion that took so much paid at an instant.
    pub fn pay(&mut self, key: TallyKey, conversion: i64, (whole, at): (i64, Timestamp)) {
        self.of.insert(conversion, key);
        self.paid.entry(key).or_default().push(Payment {
            conversion,
            at,
            whole,
            undone_at: None,
        });
    }

    /// So much of a conversion is undone by now: its payment, if it made one, when that is all of it.
    pub fn undo(&mut self, conversion: i64, so_far: i64, at: Timestamp) {
        let key = self.of.get(&conversion);
        let payments = key.and_then(|key| self.paid.get_mut(key));
        payments
            .into_iter()
            .flatten()
            .filter(|it| it.conversion == conversion && it.whole == so_far)
            .for_each(|it| it.undone_at = Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversions::fee::{self, Covered};
    use crate::ledger::tally::Mark;
    use crate::partners::expiry::ExpiryPolicy;
    use crate::partners::{Currency, Keeper};
    use crate::points::account::Account;
    use crate::points::amount::Scale;
    use crate::rates::terms::Terms;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// So many hours later.
        Wait(i64),
        /// Converts, on a quote so many minutes old.
        Convert(i64),
        /// Undoes so many of the 100 of the nth payment, or what is left.
        Undo(usize, i64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (1..2_000_i64).prop_map(Step::Wait),
            4 => (0..10_i64).prop_map(Step::Convert),
            1 => (0..4_usize, 1..=100_i64).prop_map(|(nth, part)| Step::Undo(nth, part)),
        ]
    }

    fn terms(covers: &str) -> Terms {
        let fee = format!(r#"{{"kind":"flat","amount":5,"currency":"SGD","covers":{covers}}}"#);
        let terms = format!(r#"{{"kind":"ratio","give":1,"get":1,"fee":{fee}}}"#);
        serde_json::from_str(&terms).unwrap()
    }

    fn currency() -> Currency {
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
            kept_by: Keeper::Hub,
            created_at: Timestamp::default(),
            award_limits: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn a_fee_is_paid_once_in_a_period_and_the_proof_agrees(
            steps in proptest::collection::vec(any_step(), 1..60), period in 0..3_u8,
        ) {
            let covers = [r#"{"period":"year"}"#, r#"{"hours":700}"#, r#"{"months":2}"#];
            let terms = terms(covers[usize::from(period)]);
            let currency = currency();
            let key = fee::key(&terms, Account::wallet(1001, 5), 1002).unwrap();
            let place = (terms.fee.clone().unwrap().covers.unwrap().period, currency.zone);
            let mut now: Timestamp = "2027-01-15T00:00:00Z".parse().unwrap();
            let (mut fees, mut marks, mut id) = (Fees::default(), Vec::<Mark>::new(), 0);
            // Of each payment: its operation, when, and how much of it is undone.
            let mut paid: Vec<(i64, Timestamp, i64)> = Vec::new();
            let is_covered = |marks: &[Mark], now| {
                let it = fee::covered(&terms, (&currency, Account::wallet(1001, 5)), 1002, |_| marks.to_vec(), now);
                it.is_some_and(|Covered { is_paid, .. }| is_paid)
            };
            for step in steps {
                id += 1;
                match step {
                    Step::Wait(hours) => now += Duration::hours(hours),
                    Step::Convert(minutes) => {
                        let quoted = is_covered(&marks, now);
                        now += Duration::minutes(minutes);
                        let is_free = quoted || is_covered(&marks, now);
                        prop_assert!(fees.is_right(key, place, is_free, now));
                        if !is_free {
                            marks.push(Mark { at: now, given: 100, gained: 100, times: 1 });
                            fees.pay(key, id, (100, now));
                            paid.push((id, now, 0));
                            prop_assert!(is_covered(&marks, now));
                            prop_assert!(!fees.is_right(key, place, false, now), "twice");
                        }
                    }
                    Step::Undo(nth, part) => {
                        let Some((original, at, undone)) = paid.get_mut(nth) else { continue };
                        let part = part.min(100 - *undone);
                        if part == 0 {
                            continue;
                        }
                        *undone += part;
                        fees.undo(*original, *undone, now);
                        let times = -i64::from(*undone == 100);
                        marks.push(Mark { at: *at, given: -part, gained: -part, times });
                        // Nothing that was promised is left open.
                        now += quote::LIFE + Duration::seconds(2);
                    }
                }
            }
            // What stands of the payments lies in periods of their own.
            let stands: Vec<Timestamp> = paid.iter().filter(|it| it.2 < 100).map(|it| it.1).collect();
            for two in stands.windows(2) {
                prop_assert!(two[0] < place.0.begins(place.1, two[1]));
            }
        }
    }
}
