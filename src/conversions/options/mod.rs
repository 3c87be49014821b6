//! Where the points of a wallet could go now, and what they would become there.
//!
//! Of each currency to get, the card that decides for the member whose wallet it is: the largest legal
//! amount that the wallet can pay and the card's limits leave, or, when that is too little, the smallest
//! there is and what is missing; and the best [way](ways) through a third currency, where that gives more.
//! Best first: by what is gained against what is given, both by their
//! issuers' display values.

pub mod api;
pub mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::fee;
use super::limits::{self, Limit};
use super::worth::{self, Worth};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ledger::lot::LotKey;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::Shelf;
use crate::ledger::tally::{Mark, TallyKey};
use crate::partners::Currency;
use crate::points::account::{Account, Asset};
use crate::points::amount::Scales;
use crate::rates::card;
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
    /// A fee in points, in which currency.
    pub fee: Option<(Asset, i64)>,
    /// By how much the wallet falls short of `given`; zero when it does not.
    pub missing: i64,
    pub worth: Worth,
    /// Of the card, as they stand now.
    pub limits: Vec<Limit>,
}

/// A wallet as its options depend on it.
pub struct Held<'a> {
    pub from: &'a Currency,
    pub wallet: Account,
    pub lots: Vec<(LotKey, i64)>,
    /// Of the cards that count in tallies.
    pub marks: HashMap<TallyKey, Vec<Mark>>,
}

impl Held<'_> {
    /// The limits of a card into a currency as they stand, and what of the wallet it takes.
    fn under(&self, terms: &Terms, scales: Scales, to: Asset, now: Timestamp) -> (Vec<Limit>, i64) {
        let marks = |of| self.marks.get(&of).cloned().unwrap_or_default();
        let limits = limits::limits(terms, scales, (self.from, self.wallet), to, marks, now);
        let lots = self.lots.iter().copied();
        (limits, limits::usable(terms, scales, lots, now))
    }
}

/// The cards that would decide quotes for the member whose wallet it is.
pub async fn deciding(
    shelf: &Shelf,
    book: &Book,
    (wallet, from): (Account, &Currency),
    channel: Option<&Word>,
    now: Timestamp,
) -> Result<Vec<Arc<PublishedCard>>, Error> {
    let targets = book.targets(from.no, now);
    let targets = targets
        .iter()
        .filter_map(|to| book.directory.currency_no(*to));
    let decides = async |to: &Arc<Currency>| {
        let known = super::known(shelf, book, (from, to), wallet, now).await?;
        let card = book.card_for(from.no, to.no, known.asker(channel), now);
        Ok::<_, Error>(card.cloned())
    };
    let cards = try_join_all(targets.map(decides)).await?;
    Ok(cards.into_iter().flatten().collect())
}

/// What each of these cards makes of the points of a wallet at `now`.
pub fn choices(
    book: &Book,
    held: &Held<'_>,
    cards: &[Arc<PublishedCard>],
    now: Timestamp,
) -> Vec<Choice> {
    cards
        .iter()
        .filter_map(|card| choice(book, held, card, now))
        .collect()
}

/// None when the card converts nothing now: a side is suspended, or an exchange rate is missing.
fn choice(
    book: &Book,
    held: &Held<'_>,
    card: &Arc<PublishedCard>,
    now: Timestamp,
) -> Option<Choice> {
    let (directory, from, terms) = (&book.directory, held.from, &card.card.terms);
    let to = directory.currency_no(card.to)?;
    Programme::of(directory, to).must_be_live().ok()?;
    let exchange = super::exchange(book, from, to).ok()?;
    let exchange = exchange.map(|(_, exchange)| exchange);
    let scales = super::scales(from, to);
    let marks = |of| held.marks.get(&of).cloned().unwrap_or_default();
    let covered = fee::covered(terms, (from, held.wallet), to.no, marks, now);
    let charged = fee::charging(&card.card, covered.is_some_and(|it| it.is_paid));
    let tariff = charged.tariff(scales, exchange).ok()?;
    let (limits, usable) = held.under(terms, scales, to.no, now);
    let most = tariff.within(limits::most_given(&limits, usable));
    let given = tariff.legal_down(most).or_else(|| tariff.smallest())?;
    let priced = card::evaluate(&charged, scales, exchange, given)
        .ok()?
        .priced;
    Some(Choice {
        to: to.clone(),
        card: card.clone(),
        given: priced.taken,
        gained: priced.total,
        fee: fee::points(&priced, (from.no, to.no)),
        missing: (priced.taken - usable).max(0),
        worth: worth::of((from, priced.taken), (to, priced.total), &[exchange]).ok()?,
        limits,
    })
}
