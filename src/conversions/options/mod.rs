//! Where the points of a wallet could go now, and what they would become there.
//!
//! Of each currency to get, the card that decides for the member whose wallet it is: the largest legal
//! amount that the wallet can pay and the card's limits leave, or, when that is too little, the smallest
//! there is and what is missing, with what campaigns add for that wallet, as a quote would; and the best [way](ways) through a third currency, where that gives more.
//! Best first: by what is gained against what is given, both by their
//! issuers' display values.

pub mod api;
pub mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Fixed;
use super::fee;
use super::limits::{self, Limit};
use super::promises::promise::settle;
use super::promises::{self, Promise};
use super::worth::{self, Worth};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ledger::budget::{self, Budgets};
use crate::ledger::lot::LotKey;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::ledger::tally::{Mark, TallyKey, Wanted};
use crate::members;
use crate::partners::Currency;
use crate::partners::life::Act;
use crate::partners::link_terms::LinkTerms;
use crate::points::account::{Account, Asset};
use crate::points::amount::Scales;
use crate::rates::campaigns::limits::Standing;
use crate::rates::card;
use crate::rates::card::Evaluated;
use crate::rates::tariff::Tariff;
use crate::rates::terms::Terms;
use crate::rates::{Book, PublishedCard};
use crate::web::text::Word;

/// One card, applied to what a wallet holds.
#[derive(Debug)]
pub struct Choice {
    pub to: Arc<Currency>,
    pub card: Arc<PublishedCard>,
    /// What would leave the wallet.
    pub given: i64,
    pub gained: i64,
    pub evaluated: Evaluated,
    /// The campaigns that a quote would count on.
    pub promises: Vec<Promise>,
    /// A fee in points, in which currency.
    pub fee: Option<(Asset, i64)>,
    /// By how much the wallet falls short of `given`; zero when it does not.
    pub missing: i64,
    pub worth: Worth,
    /// Of the card, as they stand now.
    pub limits: Vec<Limit>,
    /// Until when the link cools off.
    pub cools_until: Option<Timestamp>,
}

/// A wallet as its options depend on it.
pub struct Held<'a> {
    pub from: &'a Currency,
    pub wallet: Account,
    pub lots: Vec<(LotKey, i64)>,
    /// Of the cards that count in tallies.
    pub marks: HashMap<TallyKey, Vec<Mark>>,
    /// Of sponsors of the cards.
    pub budgets: Budgets,
    /// What its issuer asks before anything is converted out of it.
    pub link_terms: Arc<LinkTerms>,
    /// When links made the member's memberships, by partner; where the terms look at it.
    pub links: HashMap<i64, Timestamp>,
}

impl<'a> Held<'a> {
    /// What of a wallet these cards, and its link terms, look at.
    pub async fn load(
        shelf: &Shelf,
        (wallet, from): (Account, &'a Currency),
        lots: Vec<(LotKey, i64)>,
        cards: &[Arc<PublishedCard>],
        link_terms: Arc<LinkTerms>,
        now: Timestamp,
    ) -> Result<Held<'a>, Error> {
        Ok(Held {
            from,
            wallet,
            lots,
            marks: marks(shelf, cards, (from, wallet), now).await?,
            budgets: budgets(shelf, cards).await?,
            links: links(shelf, &link_terms, wallet).await?,
            link_terms,
        })
    }

    /// Until when the link with the issuer of another currency cools off.
    fn cools_until(&self, to: &Currency, now: Timestamp) -> Option<Timestamp> {
        let issuers = [self.from.issuer, to.issuer];
        let linked = issuers.iter().filter_map(|issuer| self.links.get(issuer));
        let linked = linked.max().filter(|_| issuers[0] != issuers[1]);
        let cooling = self.link_terms.cools_until(linked.copied(), now)?;
        Some(cooling.ends_at)
    }

    /// The limits of a card into a currency as they stand, and what of the wallet it takes.
    fn under(&self, terms: &Terms, scales: Scales, to: Asset, now: Timestamp) -> (Vec<Limit>, i64) {
        let marks = |of| self.marks.get(&of).cloned().unwrap_or_default();
        let limits = limits::limits(terms, scales, (self.from, self.wallet), to, marks, now);
        let lots = self.lots.iter().copied();
        (limits, limits::usable(terms, scales, lots, now))
    }
}

/// What the sponsors of these cards have paid.
async fn budgets(shelf: &Shelf, cards: &[Arc<PublishedCard>]) -> Result<Budgets, Error> {
    let sponsored = cards
        .iter()
        .filter(|it| it.card.settlement.sponsor().is_some());
    let owners: Vec<i64> = sponsored.map(|it| budget::of_sponsor(it.id)).collect();
    match owners.is_empty() {
        true => Ok(Budgets::default()),
        false => store::budgets(&mut *shelf.pool.get().await?, &owners).await,
    }
}

/// When links made the memberships of the member whose wallet it is, where the terms look at it.
async fn links(
    shelf: &Shelf,
    terms: &LinkTerms,
    wallet: Account,
) -> Result<HashMap<i64, Timestamp>, Error> {
    match terms.cooling_off_hours {
        0 => Ok(HashMap::new()),
        _ => members::links_of(&mut *shelf.pool.get().await?, wallet.0).await,
    }
}

/// The tallies of these cards.
async fn marks(
    shelf: &Shelf,
    cards: &[Arc<PublishedCard>],
    (from, wallet): (&Currency, Account),
    now: Timestamp,
) -> Result<HashMap<TallyKey, Vec<Mark>>, Error> {
    let wanted = cards
        .iter()
        .flat_map(|card| limits::wanted(&card.card.terms, (from, wallet), card.to, now));
    let wanted: Vec<Wanted> = wanted.collect();
    match wanted.is_empty() {
        true => Ok(HashMap::new()),
        false => store::tallies(&mut *shelf.pool.get().await?, &wanted).await,
    }
}

/// A card that would decide a quote, and the campaigns that may add to it.
pub struct Deciding {
    pub card: Arc<PublishedCard>,
    pub promises: Vec<Promise>,
    /// What each of them has given so far.
    pub standings: Vec<Standing>,
}

/// The cards that would decide quotes for the member whose wallet it is, with what campaigns add.
pub async fn counting(
    shelf: &Shelf,
    book: &Book,
    (wallet, from): (Account, &Currency),
    channel: Option<&Word>,
    now: Timestamp,
) -> Result<Vec<Deciding>, Error> {
    let decides = async |to: &Arc<Currency>| {
        let known = super::known(shelf, book, (from, to), wallet, now).await?;
        let asker = known.asker(channel);
        let Some(card) = book.card_for(from.no, to.no, asker, now) else {
            return Ok(None);
        };
        let of_route = (from, &**to);
        let promises = promises::holding(shelf, book, of_route, (wallet, asker), now).await?;
        Ok::<_, Error>(Some((card.clone(), promises)))
    };
    let targets = targets(book, from, now);
    let decided = try_join_all(targets.iter().map(|to| decides(to))).await?;
    let decided: Vec<_> = decided.into_iter().flatten().collect();
    let all = decided.iter().flat_map(|(_, promises)| promises).cloned();
    let all: Vec<Promise> = all.collect();
    let standings = promises::standings(shelf, &all, wallet, now).await?;
    let mut standings = standings.into_iter();
    let deciding = decided.into_iter().map(|(card, promises)| Deciding {
        card,
        standings: standings.by_ref().take(promises.len()).collect(),
        promises,
    });
    Ok(deciding.collect())
}

/// What could be gained for a currency now, if somebody met the conditions.
fn targets<'b>(book: &'b Book, from: &Currency, now: Timestamp) -> Vec<&'b Arc<Currency>> {
    let targets = book.targets(from.no, now).into_iter();
    targets
        .filter_map(|to| book.directory.currency_no(to))
        .collect()
}

/// The cards alone.
pub async fn deciding(
    shelf: &Shelf,
    book: &Book,
    (wallet, from): (Account, &Currency),
    channel: Option<&Word>,
    now: Timestamp,
) -> Result<Vec<Arc<PublishedCard>>, Error> {
    let decides = async |to: &Arc<Currency>| {
        let known = super::known(shelf, book, (from, to), wallet, now).await?;
        let card = book.card_for(from.no, to.no, known.asker(channel), now);
        Ok::<_, Error>(card.cloned())
    };
    let targets = targets(book, from, now);
    let cards = try_join_all(targets.iter().map(|to| decides(to))).await?;
    Ok(cards.into_iter().flatten().collect())
}

/// What each of these cards makes of the points of a wallet at `now`.
pub fn choices(book: &Book, held: &Held<'_>, deciding: &[Deciding], now: Timestamp) -> Vec<Choice> {
    deciding
        .iter()
        .filter_map(|it| choice(book, held, it, now))
        .collect()
}

/// The largest legal amount up to `most`, itself legal, that has room; less never needs more of it.
fn largest(tariff: &Tariff, most: i64, has_room: impl Fn(i64) -> bool) -> Option<i64> {
    if has_room(most) {
        return Some(most);
    }
    let mut low = tariff.smallest().filter(|it| has_room(*it))?;
    let mut high = most;
    while let Some(next) = tariff.legal_up(low + 1).filter(|it| *it < high) {
        let middle = tariff.legal_down(low + (high - low) / 2);
        let middle = middle.map_or(next, |middle| middle.max(next));
        match has_room(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(low)
}

/// None when the card converts nothing now: a side is suspended, or an exchange rate is missing.
pub(super) fn choice(
    book: &Book,
    held: &Held<'_>,
    deciding: &Deciding,
    now: Timestamp,
) -> Option<Choice> {
    let Deciding {
        card, standings, ..
    } = deciding;
    let (directory, from, terms) = (&book.directory, held.from, &card.card.terms);
    let to = directory.currency_no(card.to)?;
    let programme = |currency| Programme::of(directory, currency);
    let (giving, gaining) = (programme(directory.currency_no(from.no)?), programme(to));
    gaining.must_allow(Act::ConvertIn, now).ok()?;
    let exchange = super::exchange(book, from, to).ok()?;
    let exchange = exchange.map(|(_, exchange)| exchange);
    let scales = super::scales(from, to);
    let marks = |of| held.marks.get(&of).cloned().unwrap_or_default();
    let covered = fee::covered(terms, (from, held.wallet), to.no, marks, now);
    let charged = fee::charging(&card.card, covered.is_some_and(|it| it.is_paid));
    let tariff = charged.tariff(scales, exchange).ok()?;
    let (limits, usable) = held.under(terms, scales, to.no, now);
    let most = limits::most_given(&limits, usable);
    let most = tariff.within(giving.most.map_or(most, |at_once| at_once.min(most)));
    let given = tariff.legal_down(most).or_else(|| tariff.smallest())?;
    let sponsorship = super::sponsorships::of(book, from, (card.id, &card.card), now).ok()?;
    let has_room = |given: i64| {
        let Ok(it) = card::evaluate(&charged, scales, exchange, given) else {
            return true;
        };
        let (taken, total) = (it.priced.taken, it.priced.total);
        let fits = giving.must_fit(Act::ConvertOut, taken).is_ok()
            && gaining.must_fit(Act::ConvertIn, total).is_ok();
        let Some((_, by)) = sponsorship.as_ref().filter(|_| fits) else {
            return fits;
        };
        let paid = held.budgets.given(by.budget());
        by.pays(it.figures.gross)
            .is_ok_and(|pays| by.keep(pays, paid).is_ok())
    };
    let given = largest(&tariff, given, has_room)?;
    let mut promises = deciding.promises.clone();
    let wish = (Fixed::Given(given), now);
    let counted = (&mut promises[..], &standings[..]);
    let (_, evaluated) = settle(&charged, counted, scales, exchange, wish).ok()?;
    promises.retain(Promise::is_told);
    let priced = &evaluated.priced;
    Some(Choice {
        to: to.clone(),
        card: card.clone(),
        given: priced.taken,
        gained: priced.total,
        fee: fee::points(priced, (from.no, to.no)),
        missing: (priced.taken - usable).max(0),
        worth: worth::of((from, priced.taken), (to, priced.total), &[exchange]).ok()?,
        limits,
        cools_until: held.cools_until(to, now),
        promises,
        evaluated,
    })
}
