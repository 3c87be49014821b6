//! What the member pays for a conversion: once, or once for a period.
//!
//! | paid in             | posted                                      | whose                       |
//! |---------------------|---------------------------------------------|-----------------------------|
//! | money               | nothing, or the source's position to the hub | the card says              |
//! | points as given     | members to fees, a part of what is taken    | their issuer's              |
//! | points as gained    | members to fees, off what is gained         | their issuer's              |
//!
//! A fee that covers a period is counted in a tally of its own, per route or per group of routes, and per
//! period: who paid for a day has not paid for a year. A quote tells whether it is paid and promises that;
//! the decision looks again, under the locks, and charges nothing that another conversion paid meanwhile,
//! so that nobody pays twice for one period. Then a member gets what the quote said and, where the fee was
//! to be taken off it, the fee besides.
//!
//! When the conversion that paid is undone whole, its fee has gone back and the period with it: the next
//! one pays again. What was converted in between stays as it was. While only a part is undone, a part of
//! the fee goes back and the period stays covered.

use std::borrow::Cow;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::ledger::operation::Transfer;
use crate::ledger::tally::{Mark, TallyKey, Wanted};
use crate::partners::Currency;
use crate::partners::period::Period;
use crate::points::account::{Account, AccountKind, Asset};
use crate::rates::card::Card;
use crate::rates::fee::Cover;
use crate::rates::price::Priced;
use crate::rates::terms::Terms;

/// A period that a fee covers, as it stands for a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    pub period: Period,
    pub is_paid: bool,
    /// Until when: as it is paid, or as it would be if it were now. None when for good.
    pub until: Option<Timestamp>,
}

/// Where a fee that covers a period is counted.
pub fn key(terms: &Terms, wallet: Account, to: Asset) -> Option<TallyKey> {
    let Cover { period, group } = cover_of(terms)?;
    let from = wallet.asset();
    let name = match group {
        Some(group) => format!("fee:{period}:{from}:{group}"),
        None => format!("fee:{period}:{from}>{to}"),
    };
    Some(TallyKey::named(wallet, &name))
}

fn cover_of(terms: &Terms) -> Option<&Cover> {
    terms.fee.as_ref()?.covers.as_ref()
}

/// What has to be read to know at `now` or later whether it is paid.
pub fn wanted(
    terms: &Terms,
    (from, wallet): (&Currency, Account),
    to: Asset,
    now: Timestamp,
) -> Option<Wanted> {
    Some(Wanted {
        of: key(terms, wallet, to)?,
        since: cover_of(terms)?.period.begins(from.zone, now),
    })
}

/// The period that the fee of a card covers, if it does.
pub fn covered(
    terms: &Terms,
    (from, wallet): (&Currency, Account),
    to: Asset,
    marks: impl Fn(TallyKey) -> Vec<Mark>,
    now: Timestamp,
) -> Option<Covered> {
    let (period, of) = (cover_of(terms)?.period, key(terms, wallet, to)?);
    let begins = period.begins(from.zone, now);
    let paid_at = last_paid(&marks(of), begins);
    Some(Covered {
        period,
        is_paid: paid_at.is_some(),
        until: period.ends(paid_at.unwrap_or(now), from.zone),
    })
}

/// When it was last paid from an instant on and not given back.
fn last_paid(marks: &[Mark], since: Timestamp) -> Option<Timestamp> {
    let at = |at: Timestamp| marks.iter().filter(move |mark| mark.at == at);
    let times = |mark: &Mark| at(mark.at).map(|mark| mark.times).sum::<i64>();
    let paid = marks.iter().filter(|mark| mark.at >= since);
    let paid = paid.filter(|mark| times(mark) > 0);
    paid.map(|mark| mark.at).max()
}

/// A card as it charges a wallet: without its fee when that is paid.
pub fn charging(card: &Card, is_paid: bool) -> Cow<'_, Card> {
    match is_paid {
        true => Cow::Owned(card.without_fee()),
        false => Cow::Borrowed(card),
    }
}

/// Whether a conversion under a card was charged nothing because it was covered.
pub fn is_covered(terms: &Terms, priced: &Priced) -> bool {
    cover_of(terms).is_some() && priced.fee.is_none()
}

/// Where a conversion under a card counts the fee it pays, if that covers a period.
pub fn paid_key(terms: &Terms, priced: &Priced, wallet: Account, to: Asset) -> Option<TallyKey> {
    priced.fee.and_then(|_| key(terms, wallet, to))
}

/// What the operation remembers of a fee that was paid before.
pub const COVERED: &str = "covered";

/// Whether an operation remembers that its fee was paid before.
pub fn was_covered(memo: Option<&Value>) -> bool {
    memo.is_some_and(|memo| memo.get(COVERED) == Some(&Value::Bool(true)))
}

/// A fee in points: so much of one currency.
pub fn points(priced: &Priced, (from, to): (Asset, Asset)) -> Option<(Asset, i64)> {
    let gross = priced.base + priced.block_bonus + priced.bonuses.iter().sum::<i64>();
    let (on_top, off) = (priced.taken - priced.used, gross - priced.total);
    match (on_top, off) {
        (1.., _) => Some((from, on_top)),
        (_, 1..) => Some((to, off)),
        _ => None,
    }
}

/// What a fee in points posts, out of what the holders of a currency have.
pub fn transfer(holders: Account, amount: i64) -> Transfer {
    Transfer {
        debit: holders,
        credit: Account::of(AccountKind::PointFees, holders.asset()),
        amount,
    }
}

/// The fee in points among the transfers of an operation.
pub fn points_in(transfers: &[Transfer]) -> Option<(Asset, i64)> {
    let fee = transfers
        .iter()
        .find(|it| it.credit.is(AccountKind::PointFees));
    fee.map(|it| (it.credit.asset(), it.amount))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversions::limits;
    use crate::points::amount::Scales;
    use crate::rates::price::price;
    use crate::rates::tariff::Tariff;

    fn terms(covers: &str) -> Terms {
        let fee = format!(r#"{{"kind":"flat","amount":5000,"currency":"SGD"{covers}}}"#);
        serde_json::from_str(&format!(
            r#"{{"kind":"ratio","give":1,"get":1,"fee":{fee}}}"#
        ))
        .unwrap()
    }

    fn mark(at: &str, times: i64) -> Mark {
        Mark {
            at: at.parse().unwrap(),
            given: 100 * times,
            gained: 100 * times,
            times,
        }
    }

    #[test]
    fn a_fee_is_counted_by_route_or_group_and_by_period() {
        let wallet = Account::wallet(1001, 5);
        let key = |covers: &str, to| key(&terms(covers), wallet, to);
        assert_eq!(key("", 1002), None);
        let year = key(r#","covers":{"period":"year"}"#, 1002).unwrap();
        assert_ne!(Some(year), key(r#","covers":{"period":"year"}"#, 1003));
        assert_ne!(Some(year), key(r#","covers":{"period":"day"}"#, 1002));
        let group = r#","covers":{"period":"year","group":"auto"}"#;
        assert_eq!(key(group, 1002), key(group, 1003));
        assert_ne!(Some(year), key(group, 1002));
        // A limit of the same route is counted elsewhere.
        let limited =
            r#"{"kind":"ratio","give":1,"get":1,"allowances":[{"period":"year","times":1}]}"#;
        let limited = serde_json::from_str(limited).unwrap();
        let kept = limits::kept(&limited, wallet, 1002);
        assert!(kept.iter().all(|kept| kept.of != year));
    }

    #[test]
    fn a_fee_in_points_is_on_one_side_and_is_read_back() {
        let cases = [
            (
                r#"{"kind":"flat","amount":20,"currency":"given"}"#,
                Some((1001, 20)),
            ),
            (
                r#"{"kind":"flat","amount":20,"currency":"gained"}"#,
                Some((1002, 20)),
            ),
            (r#"{"kind":"flat","amount":20,"currency":"SGD"}"#, None),
            (r#"{"kind":"flat","amount":0,"currency":"given"}"#, None),
        ];
        for (fee, expected) in cases {
            let terms = format!(r#"{{"kind":"ratio","give":2,"get":1,"fee":{fee}}}"#);
            let terms: Terms = serde_json::from_str(&terms).unwrap();
            let tariff = Tariff::of(&terms, Scales::WHOLE, None).unwrap();
            let priced = price(&tariff, 1_000).unwrap();
            let found = points(&priced, (1001, 1002));
            assert_eq!(found, expected, "{fee}");
            let holders = |asset| Account::of(AccountKind::Members, asset);
            let posted = found.map(|(asset, units)| transfer(holders(asset), units));
            let posted: Vec<Transfer> = posted.into_iter().collect();
            assert_eq!(points_in(&posted), expected);
        }
    }

    #[test]
    fn what_was_paid_in_the_period_and_not_given_back_covers_it() {
        let since = "2027-01-01T00:00:00Z".parse().unwrap();
        let (old, new) = (
            mark("2026-12-31T00:00:00Z", 1),
            mark("2027-02-01T00:00:00Z", 1),
        );
        let undone = mark("2027-02-01T00:00:00Z", -1);
        let part = mark("2027-02-01T00:00:00Z", 0);
        let again = mark("2027-03-01T00:00:00Z", 1);
        let cases = [
            (vec![], None),
            (vec![old], None),
            (vec![old, new], Some(new.at)),
            (vec![new, part], Some(new.at)),
            (vec![new, undone], None),
            (vec![new, undone, again], Some(again.at)),
        ];
        for (marks, paid_at) in cases {
            assert_eq!(last_paid(&marks, since), paid_at, "{marks:?}");
        }
    }
}
