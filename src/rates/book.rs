//! The book of rates: what prices quotes now, in memory.
//!
//! | asked for              | found by                                        |
//! |------------------------|-------------------------------------------------|
//! | the card of a route    | pair, the instant in its validity, its condition, the highest priority |
//! | a card a quote names   | its id; one whose time is over is in the database |
//! | the campaigns of a route | pair, and the instant in their windows        |
//! | an exchange rate       | the pair of moneys, either way round            |
//!
//! Validity begins with its first instant and ends before its last, so that a version and its
//! successor never both hold.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::campaigns::PublishedCampaign;
use super::card::Card;
use super::condition::Asker;
use super::exchange::ExchangeRate;
use super::settlement::Exchange;
use crate::clock::Timestamp;
use crate::partners::Directory;
use crate::partners::life::Act;
use crate::points::account::Asset;

/// A card that everybody has agreed to.
#[derive(Debug, Clone)]
pub struct PublishedCard {
    pub id: i64,
    pub from: Asset,
    pub to: Asset,
    pub version: i32,
    pub card: Arc<Card>,
    pub valid_from: Timestamp,
    pub valid_to: Option<Timestamp>,
    /// Stopped while it was active: good for no new quote.
    pub halted: bool,
}

impl PublishedCard {
    pub fn holds_at(&self, now: Timestamp) -> bool {
        !self.halted && self.valid_from <= now && self.valid_to.is_none_or(|end| now < end)
    }
}

/// What prices quotes, as of one publication.
#[derive(Debug, Default)]
pub struct Book {
    /// Who takes part.
    pub directory: Arc<Directory>,
    by_id: HashMap<i64, Arc<PublishedCard>>,
    by_route: HashMap<(Asset, Asset), Vec<Arc<PublishedCard>>>,
    exchange_rates: HashMap<(Asset, Asset), ExchangeRate>,
    campaigns: Vec<Arc<PublishedCampaign>>,
}

/// There is no exchange rate between these moneys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub source: Asset,
    pub target: Asset,
}

impl Book {
    pub fn new(
        directory: Arc<Directory>,
        cards: Vec<PublishedCard>,
        exchange_rates: Vec<ExchangeRate>,
    ) -> Book {
        let mut book = Book {
            directory,
            ..Book::default()
        };
        for card in cards.into_iter().map(Arc::new) {
            book.by_route
                .entry((card.from, card.to))
                .or_default()
                .push(card.clone());
            book.by_id.insert(card.id, card);
        }
        for route in book.by_route.values_mut() {
            route.sort_by_key(|card| Reverse(card.card.priority));
        }
        for rate in exchange_rates {
            let pair = unordered(rate.base, rate.quote);
            let kept = book
                .exchange_rates
                .entry(pair)
                .or_insert_with(|| rate.clone());
            if rate.id > kept.id {
                *kept = rate;
            }
        }
        book
    }

    /// The same book with campaigns.
    pub fn with(self, campaigns: Vec<PublishedCampaign>) -> Book {
        Book {
            campaigns: campaigns.into_iter().map(Arc::new).collect(),
            ..self
        }
    }

    /// The campaigns that a quote of this route may have at `now`, oldest first: none that somebody would
    /// pay for who takes no part any more.
    pub fn campaigns_for(
        &self,
        from: Asset,
        to: Asset,
        now: Timestamp,
    ) -> impl Iterator<Item = &Arc<PublishedCampaign>> {
        let campaigns = self.campaigns.iter();
        let holding = campaigns.filter(move |it| it.is_open(from, to) && it.holds_at(now));
        holding.filter(move |it| it.funders().all(|partner| self.may_sponsor(partner, now)))
    }

    fn may_sponsor(&self, partner: i64, now: Timestamp) -> bool {
        let partner = self.directory.partner(partner);
        partner.is_some_and(|it| it.standing().allows(Act::Sponsor, now))
    }

    /// A campaign that is published and not over.
    pub fn campaign(&self, id: i64) -> Option<&Arc<PublishedCampaign>> {
        self.campaigns.iter().find(|campaign| campaign.id == id)
    }

    /// The card that prices a quote of this route for who asks at `now`: of those whose condition
    /// holds, the one of the highest priority.
    pub fn card_for(
        &self,
        from: Asset,
        to: Asset,
        asker: Asker<'_>,
        now: Timestamp,
    ) -> Option<&Arc<PublishedCard>> {
        self.cards_of(from, to, now)
            .find(|card| card.card.is_for(asker, now))
    }

    /// The cards of a route that hold at `now` for anybody, the highest priority first.
    pub fn cards_of(
        &self,
        from: Asset,
        to: Asset,
        now: Timestamp,
    ) -> impl Iterator<Item = &Arc<PublishedCard>> {
        let route = self.by_route.get(&(from, to));
        let cards = route.into_iter().flatten();
        cards.filter(move |card| card.holds_at(now))
    }

    /// Where points of a currency could go at `now`, if who asks meets the conditions.
    pub fn targets(&self, from: Asset, now: Timestamp) -> BTreeSet<Asset> {
        let cards = self.cards_at(now).filter(|card| card.from == from);
        cards.map(|card| card.to).collect()
    }

    /// A card that is published and not over.
    pub fn card(&self, id: i64) -> Option<&Arc<PublishedCard>> {
        self.by_id.get(&id)
    }

    /// An exchange rate by its id, while it is the latest of its pair.
    pub fn exchange_rate(&self, id: i64) -> Option<&ExchangeRate> {
        self.exchange_rates.values().find(|rate| rate.id == id)
    }

    /// Every route that is open at `now`.
    pub fn cards_at(&self, now: Timestamp) -> impl Iterator<Item = &Arc<PublishedCard>> {
        self.by_id.values().filter(move |card| card.holds_at(now))
    }

    /// The rate that turns the source's money into the target's, with its id; none is needed
    /// between equal moneys.
    pub fn exchange(
        &self,
        source: Asset,
        target: Asset,
    ) -> Result<Option<(i64, Exchange)>, Missing> {
        if source == target {
            return Ok(None);
        }
        let latest = self.exchange_rates.get(&unordered(source, target));
        latest
            .map(|rate| Some((rate.id, rate.out_of(source))))
            .ok_or(Missing { source, target })
    }
}

fn unordered(one: Asset, other: Asset) -> (Asset, Asset) {
    (one.min(other), one.max(other))
}

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::rate;
    use super::super::version::tests::{noon, version};
    use super::*;
    use chrono::Duration;
    use serde_json::json;

    const HKD: Asset = 344;
    const USD: Asset = 840;

    fn card(id: i64, from: i64, to: Option<i64>) -> PublishedCard {
        let at = |hours| noon() + Duration::hours(hours);
        PublishedCard {
            id,
            from: 1001,
            to: 1002,
            version: 1,
            card: Arc::new(version().card),
            valid_from: at(from),
            valid_to: to.map(at),
            halted: false,
        }
    }

    #[test]
    fn a_version_ends_where_its_successor_begins() {
        let book = Book::new(
            Arc::default(),
            vec![card(1, -5, Some(0)), card(2, 0, None)],
            vec![],
        );
        let found = |from, to, hours| {
            let at = noon() + Duration::hours(hours);
            let card = book.card_for(from, to, Asker::default(), at);
            card.map(|card| card.id)
        };
        assert_eq!(found(1001, 1002, -6), None);
        assert_eq!(found(1001, 1002, -1), Some(1));
        assert_eq!(found(1001, 1002, 0), Some(2));
        assert_eq!(
            found(1002, 1001, 0),
            None,
            "each direction has its own card"
        );
        assert!(book.card(1).is_some() && book.card(3).is_none());
        assert_eq!(book.cards_at(noon()).count(), 1);
    }

    #[test]
    fn the_highest_priority_decides_among_those_whose_condition_holds() {
        let of = |id, when: serde_json::Value, priority| PublishedCard {
            card: Arc::new(Card {
                when: serde_json::from_value(when).unwrap(),
                priority,
                ..version().card
            }),
            ..card(id, -5, None)
        };
        let gold = json!({"claims": {"tier": ["gold"]}});
        let metal = json!({"claims": {"tier": ["gold", "silver"]}});
        let cards = vec![
            of(1, json!(null), 0),
            of(2, metal, 10),
            of(3, gold, 20),
            of(4, json!({"channel": ["app"]}), 15),
        ];
        let book = Book::new(Arc::default(), cards, vec![]);
        let decides = |tier: Option<&str>, channel: Option<&str>| {
            let claims = tier.map(|tier| json!({"tier": {"value": tier}}));
            let claims = claims.map(|claims| serde_json::from_value(claims).unwrap());
            let channel = channel.map(|channel| channel.to_owned().try_into().unwrap());
            let asker = Asker {
                channel: channel.as_ref(),
                source: claims.as_ref(),
                target: None,
            };
            book.card_for(1001, 1002, asker, noon()).unwrap().id
        };
        for (tier, channel, id) in [
            (None, None, 1),
            (Some("bronze"), Some("web"), 1),
            (Some("silver"), None, 2),
            (Some("silver"), Some("app"), 4),
            (None, Some("app"), 4),
            (Some("gold"), Some("app"), 3),
        ] {
            assert_eq!(decides(tier, channel), id, "{tier:?} {channel:?}");
        }
        assert_eq!(book.cards_of(1001, 1002, noon()).count(), 4);
        assert_eq!(book.targets(1001, noon()), BTreeSet::from([1002]));
    }

    #[test]
    fn a_halted_card_prices_nothing() {
        let halted = PublishedCard {
            halted: true,
            ..card(1, -5, None)
        };
        assert!(!halted.holds_at(noon()));
    }

    #[test]
    fn the_latest_rate_serves_both_directions() {
        let rates = vec![
            rate(3, HKD, USD, "0.128"),
            rate(1, USD, HKD, "7.7"),
            rate(2, USD, HKD, "7.8"),
        ];
        let book = Book::new(Arc::default(), vec![], rates);
        let (id, there) = book.exchange(HKD, USD).unwrap().unwrap();
        assert!(id == 3 && there.source_is_base);
        let (id, back) = book.exchange(USD, HKD).unwrap().unwrap();
        assert!(id == 3 && !back.source_is_base);
        assert_eq!(there.rate, back.rate);
    }

    #[test]
    fn equal_moneys_need_no_rate_and_others_do() {
        let book = Book::default();
        assert_eq!(book.exchange(USD, USD), Ok(None));
        assert_eq!(
            book.exchange(USD, HKD),
            Err(Missing {
                source: USD,
                target: HKD
            })
        );
    }
}
