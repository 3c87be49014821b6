//! Ways through a third currency: of each currency to get, the best one, where it gives more for one than
//! the direct card does or there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Choice, Held};
use crate::clock::Timestamp;
use crate::conversions::limits::Limit;
use crate::conversions::worth::{self, Worth};
use crate::conversions::{self, limits};
use crate::ledger::programme::Programme;
use crate::partners::Currency;
use crate::partners::life::Act;
use crate::points::account::Asset;
use crate::rates::chain::{Chain, Step, join};
use crate::rates::settlement::Exchange;
use crate::rates::{Book, PublishedCard};

/// Two cards, applied to what a wallet holds.
#[derive(Debug)]
pub struct Way {
    pub cards: [Arc<PublishedCard>; 2],
    pub between: Arc<Currency>,
    pub to: Arc<Currency>,
    pub given: i64,
    /// What it is between.
    pub middle: i64,
    pub gained: i64,
    /// By how much the wallet falls short of `given`; zero when it does not.
    pub missing: i64,
    pub worth: Worth,
    /// Of the first card, as they stand now.
    pub limits: Vec<Limit>,
    /// Until when the link with the issuer of what is gained cools off.
    pub cools_until: Option<Timestamp>,
}

/// The ways that are worth telling beside the direct choices. `seconds` are the cards that would decide
/// out of each currency that the wallet's could become.
pub fn ways(
    book: &Book,
    held: &Held<'_>,
    firsts: &[Arc<PublishedCard>],
    seconds: &BTreeMap<Asset, Vec<Arc<PublishedCard>>>,
    direct: &[Choice],
    now: Timestamp,
) -> Vec<Way> {
    let mut best: BTreeMap<Asset, Way> = BTreeMap::new();
    for first in firsts {
        for second in seconds.get(&first.to).into_iter().flatten() {
            let Some(way) = way(book, held, [first, second], now) else {
                continue;
            };
            let known = best.get(&way.to.no).map(|it| (it.gained, it.given));
            let card = direct.iter().find(|it| it.to.no == way.to.no);
            let known = known.or(card.map(|it| (it.gained, it.given)));
            if known.is_none_or(|known| gives_more((way.gained, way.given), known)) {
                best.insert(way.to.no, way);
            }
        }
    }
    best.into_values().collect()
}

/// Whether one gain for what is given is more than another for what is given there.
fn gives_more(one: (i64, i64), other: (i64, i64)) -> bool {
    i128::from(one.0) * i128::from(other.1) > i128::from(other.0) * i128::from(one.1)
}

/// None where the cards do not join, or convert nothing now.
fn way(
    book: &Book,
    held: &Held<'_>,
    cards: [&Arc<PublishedCard>; 2],
    now: Timestamp,
) -> Option<Way> {
    let (directory, from) = (&book.directory, held.from);
    let [first, second] = cards;
    let between = directory.currency_no(first.to)?;
    let to = directory.currency_no(second.to)?;
    if to.no == from.no {
        return None;
    }
    for currency in [between, to] {
        Programme::of(directory, currency)
            .must_allow(Act::ConvertIn, now)
            .ok()?;
    }
    join(&first.card, &second.card).ok()?;
    let exchanges = [
        exchange(book, from, between).ok()?,
        exchange(book, between, to).ok()?,
    ];
    let scales = [
        conversions::scales(from, between),
        conversions::scales(between, to),
    ];
    let step = |nth: usize| Step {
        card: &cards[nth].card,
        scales: scales[nth],
        exchange: exchanges[nth],
    };
    let chain = Chain::of(step(0), step(1)).ok()?;
    let (limits, usable) = held.under(&first.card.terms, scales[0], between.no, now);
    let most = limits::most_given(&limits, usable);
    let given = chain.legal_down(most).or_else(|| chain.legal_up(1))?;
    let (middle, gained) = chain.through(given)?;
    let giving = directory.currency_no(from.no)?;
    for (currency, act, units) in [
        (giving, Act::ConvertOut, given),
        (between, Act::ConvertIn, middle),
        (to, Act::ConvertIn, gained),
    ] {
        let programme = Programme::of(directory, currency);
        programme.must_fit(act, units).ok()?;
    }
    Some(Way {
        cards: cards.map(Arc::clone),
        between: between.clone(),
        to: to.clone(),
        given,
        middle,
        gained,
        missing: (given - usable).max(0),
        worth: worth::of((from, given), (to, gained), &exchanges).ok()?,
        limits,
        cools_until: held.cools_until(to, now),
    })
}

fn exchange(
    book: &Book,
    from: &Currency,
    to: &Currency,
) -> Result<Option<Exchange>, crate::error::Error> {
    let locked = conversions::exchange(book, from, to)?;
    Ok(locked.map(|(_, exchange)| exchange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_compared_by_what_one_unit_becomes() {
        assert!(gives_more((2, 3), (1, 2)) && !gives_more((1, 2), (2, 3)));
        assert!(!gives_more((2, 4), (1, 2)), "as much is not more");
        assert!(gives_more((i64::MAX, 1), (i64::MAX - 1, 1)));
    }
}
