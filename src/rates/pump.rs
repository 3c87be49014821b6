//! No money pump: whoever goes in a circle comes back with no more than was taken.
//!
//! ```text
//! best(A → B) × best(B → C) × best(C → A) ≤ 1      for every cycle of cards that hold at one instant
//! ```
//!
//! The bests are exact fractions ([`Card::best`](super::card::Card::best)), counting every campaign that
//! may add to a card ([`spans`](super::campaigns::spans)) and what a fee in points takes, but no fee in money
//! and none that is paid once for a period, so a circle that comes back with exactly what
//! was taken is allowed and one that gains a ten-thousandth is not. Which cards hold changes only for
//! the better of a pump when one begins, so the instants at which one does are all there is to look at.
//! Of several cards of one pair the best counts, for whomever they are: a claim can be attested any day,
//! and a channel chosen.
//!
//! The search is that of Bellman and Ford for the most a unit can become: while something can still
//! become more, it is written down from where; a circle in what was written down is a pump.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;

use crate::clock::Timestamp;
use crate::points::account::Asset;

/// A card as the search sees it.
#[derive(Debug, Clone)]
pub struct Route {
    pub card: i64,
    pub from: Asset,
    pub to: Asset,
    /// What a unit becomes at best.
    pub best: BigRational,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// A circle that gains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pump {
    /// The cards in the order they are used, and what each takes.
    pub cards: Vec<(i64, Asset)>,
    /// What a unit comes back as.
    pub returns: BigRational,
    /// When it would be open, or now.
    pub at: Timestamp,
}

/// A pump that is open now or will be.
pub fn find(routes: &[Route], now: Timestamp) -> Option<Pump> {
    let starts = routes.iter().map(|route| route.since);
    let mut instants: Vec<Timestamp> = starts.filter(|start| *start > now).collect();
    instants.push(now);
    instants.sort_unstable();
    instants.dedup();
    instants.into_iter().find_map(|at| find_at(routes, at))
}

/// What a unit of some currency becomes at most, and by which route it came.
type Reached<'a> = BTreeMap<Asset, (BigRational, Option<&'a Route>)>;

fn find_at(routes: &[Route], at: Timestamp) -> Option<Pump> {
    let mut open: BTreeMap<(Asset, Asset), &Route> = BTreeMap::new();
    let holds = |route: &&Route| route.since <= at && route.until.is_none_or(|end| at < end);
    for route in routes.iter().filter(holds) {
        let kept = open.entry((route.from, route.to)).or_insert(route);
        if route.best > kept.best {
            *kept = route;
        }
    }
    let one = || (BigRational::from(BigInt::from(1)), None);
    let ends = open.values().flat_map(|route| [route.from, route.to]);
    let mut reached: Reached<'_> = ends.map(|currency| (currency, one())).collect();
    loop {
        let mut is_more = false;
        for route in open.values() {
            let more = &reached[&route.from].0 * &route.best;
            if more > reached[&route.to].0 {
                reached.insert(route.to, (more, Some(route)));
                is_more = true;
                if let Some(circle) = circle_to(&reached, route.to) {
                    return Some(pump(&circle, at));
                }
            }
        }
        if !is_more {
            return None;
        }
    }
}

/// The routes from a currency round to itself, if what was written down goes round.
fn circle_to<'a>(reached: &Reached<'a>, currency: Asset) -> Option<Vec<&'a Route>> {
    let mut routes = Vec::new();
    let mut here = currency;
    while let Some(route) = reached.get(&here)?.1 {
        routes.push(route);
        here = route.from;
        if here == currency {
            routes.reverse();
            return Some(routes);
        }
    }
    None
}

fn pump(circle: &[&Route], at: Timestamp) -> Pump {
    let one = BigRational::from(BigInt::from(1));
    Pump {
        cards: circle
            .iter()
            .map(|route| (route.card, route.from))
            .collect(),
        returns: circle.iter().fold(one, |all, route| all * &route.best),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::best::best;
    use super::super::best::tests::terms;
    use super::*;
    use chrono::{DateTime, Duration};
    use proptest::prelude::*;

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn route(from: Asset, to: Asset, give: i64, get: i64) -> Route {
        Route {
            card: i64::from(from) * 1_000 + i64::from(to),
            from,
            to,
            best: BigRational::new(get.into(), give.into()),
            since: noon() - Duration::days(1),
            until: None,
        }
    }

    fn by_card(from: Asset, to: Asset, json: &str) -> Route {
        Route {
            best: best(&terms(json)).unwrap(),
            ..route(from, to, 1, 1)
        }
    }

    /// A circle of so many currencies that comes back as `get` of `give`, in a net of poor routes.
    fn circle(length: Asset, give: i64, get: i64) -> Vec<Route> {
        let mut routes = Vec::new();
        for from in 0..60 {
            for to in (0..60).filter(|to| *to != from && (from + to) % 3 == 0) {
                routes.push(route(from, to, 100, 1));
            }
        }
        // Odd parts that cancel: 2/3 × 3/5 × 5/7 × ... × 7/2.
        let parts = [2, 3, 5, 7, 11, 13];
        for nth in 0..length {
            let (here, next) = (parts[nth as usize], parts[((nth + 1) % length) as usize]);
            let (from, to) = (nth * 7, (nth + 1) % length * 7);
            let times = if nth == 0 { (give, get) } else { (1, 1) };
            routes.push(route(from, to, next * times.0, here * times.1));
        }
        routes
    }

    #[test]
    fn a_planted_circle_is_found_and_breaking_even_is_allowed() {
        for length in 2..=6 {
            let pump = find(&circle(length, 10_000, 10_001), noon()).expect("a pump");
            assert_eq!(pump.cards.len(), length as usize);
            assert_eq!(pump.returns, BigRational::new(10_001.into(), 10_000.into()));
            assert_eq!(find(&circle(length, 1, 1), noon()), None, "{length}");
            assert_eq!(find(&circle(length, 10_001, 10_000), noon()), None);
        }
    }

    #[test]
    fn a_card_that_meets_another_for_five_minutes_is_enough() {
        let minutes = |from, to| {
            (
                noon() + Duration::minutes(from),
                Some(noon() + Duration::minutes(to)),
            )
        };
        let there = |(since, until)| Route {
            since,
            until,
            ..route(1, 2, 1, 1)
        };
        let back = |(since, until)| Route {
            since,
            until,
            ..route(2, 1, 100, 101)
        };
        let pump = find(&[there(minutes(60, 120)), back(minutes(115, 180))], noon());
        assert_eq!(
            pump.expect("open for five minutes").at,
            noon() + Duration::minutes(115)
        );
        let apart = [there(minutes(60, 115)), back(minutes(115, 180))];
        assert_eq!(find(&apart, noon()), None, "one ends as the other begins");
    }

    #[test]
    fn of_several_cards_of_a_pair_the_best_counts() {
        let (back, low) = (route(2, 1, 1, 1), route(1, 2, 2, 1));
        let high = Route {
            card: 9,
            ..route(1, 2, 100, 101)
        };
        for routes in [
            [low.clone(), high.clone(), back.clone()],
            [high, back.clone(), low.clone()],
        ] {
            let pump = find(&routes, noon()).expect("by the better card");
            assert!(pump.cards.contains(&(9, 1)), "{pump:?}");
        }
        assert_eq!(find(&[low, back], noon()), None);
    }

    #[test]
    fn a_bonus_alone_may_make_a_pump() {
        let back = route(2, 1, 1, 1);
        let plain = by_card(1, 2, r#"{"kind":"ratio","give":1,"get":1}"#);
        assert_eq!(find(&[plain, back.clone()], noon()), None);
        for bonus in [
            r#""bonuses":[{"kind":"percent","num":1,"den":10000}]"#,
            r#""bonuses":[{"kind":"slab","bands":[{"from":1000,"num":1,"den":100}]}]"#,
            r#""block_bonus":{"block":60000,"bonus":1,"mode":"per_block"}"#,
        ] {
            let card = by_card(
                1,
                2,
                &format!(r#"{{"kind":"ratio","give":1,"get":1,{bonus}}}"#),
            );
            assert!(find(&[card, back.clone()], noon()).is_some(), "{bonus}");
        }
    }

    proptest! {
        #[test]
        fn found_is_what_trying_every_circle_finds(
            parts in proptest::collection::vec((1..12_i64, 1..12_i64), 12), mask in 0..4096_u32,
        ) {
            let pairs = (0..4).flat_map(|from| (0..4).filter(move |to| *to != from).map(move |to| (from, to)));
            let routes: Vec<Route> = pairs.zip(parts).enumerate()
                .filter(|(nth, _)| mask >> nth & 1 == 1)
                .map(|(_, ((from, to), (give, get)))| route(from, to, give, get)).collect();
            let found = find(&routes, noon());
            prop_assert_eq!(found.is_some(), tried(&routes));
            if let Some(pump) = found {
                prop_assert!(pump.returns > BigRational::from(BigInt::from(1)));
            }
        }
    }

    /// Whether some walk through different currencies comes back with more.
    fn tried(routes: &[Route]) -> bool {
        fn walk(routes: &[Route], start: Asset, been: &mut Vec<Asset>, has: BigRational) -> bool {
            let here = been.last().copied().unwrap_or(start);
            routes
                .iter()
                .filter(|route| route.from == here)
                .any(|route| {
                    let has = &has * &route.best;
                    if route.to == start {
                        return has > BigRational::from(BigInt::from(1));
                    }
                    if been.contains(&route.to) {
                        return false;
                    }
                    been.push(route.to);
                    let found = walk(routes, start, been, has);
                    been.pop();
                    found
                })
        }
        let one = || BigRational::from(BigInt::from(1));
        (0..4).any(|start| walk(routes, start, &mut vec![start], one()))
    }
}
