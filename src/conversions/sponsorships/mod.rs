//! Sponsorships: who pays a part of what a card costs, as the hub looks it up.
//!
//! A quote asks who sponsors the card that decides (`of`) and whether the budget has room (`pays`); its
//! conversion asks again at the rate that the quote locked (`kept`). What is paid and posted is decided
//! purely, by a [`Sponsorship`].

pub mod sponsored;

pub use sponsored::Sponsorship;

use super::quote::Quote;
use super::refusal;
use crate::clock::Timestamp;
use crate::error::{Error, Problem};
use crate::id::Kind;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::partners::life::Act;
use crate::partners::{Currency, Directory};
use crate::points::account::Asset;
use crate::points::money::Micros;
use crate::rates::card::{Card, Evaluated};
use crate::rates::sponsor::UsedUp;
use crate::rates::{self, Book};

/// The sponsor of a card, and the exchange rate that it pays at where its money is another than the source's.
pub(super) fn of(
    book: &Book,
    from: &Currency,
    (card_id, card): (i64, &Card),
    now: Timestamp,
) -> Result<Option<(Option<i64>, Sponsorship)>, Error> {
    let Some(sponsor) = card.settlement.sponsor() else {
        return Ok(None);
    };
    must_be_there(&book.directory, sponsor.partner, now)?;
    let money = |partner| book.directory.money_of(partner).ok_or_else(super::invalid);
    let (pays, source) = (money(sponsor.partner)?, money(from.issuer)?.no);
    let rate = book.exchange(pays.no, source);
    let rate = rate.map_err(|missing| rates::api::no_exchange(missing, &book.directory))?;
    let sponsorship = Sponsorship {
        card: card_id,
        sponsor,
        money: pays.clone(),
        exchange: rate.map(|(_, exchange)| exchange),
    };
    Ok(Some((rate.map(|(id, _)| id), sponsorship)))
}

/// Refuses what somebody would pay for that takes no part any more.
pub(super) fn must_be_there(
    directory: &Directory,
    partner: i64,
    now: Timestamp,
) -> Result<(), Problem> {
    let partner = directory.partner(partner).ok_or_else(super::invalid)?;
    partner.must_allow(Act::Sponsor, now)
}

/// What a sponsor pays, if its budget has room for it. Not locked: asked again when the quote is taken.
pub(super) async fn pays(
    shelf: &Shelf,
    sponsorship: &Sponsorship,
    evaluated: &Evaluated,
) -> Result<Micros, Error> {
    let sponsored = sponsorship.pays(evaluated.figures.gross);
    let sponsored = sponsored.map_err(anyhow::Error::from)?;
    let budget = sponsorship.budget();
    let budgets = store::budgets(&mut *shelf.pool.get().await?, &[budget]).await?;
    let kept = sponsorship.keep(sponsored, budgets.given(budget));
    kept.map_err(|UsedUp { left }| refusal::used_up(left, &sponsorship.money))?;
    Ok(sponsored.relief)
}

/// The sponsor of a card that a quote counts on, at the rate that it locked.
pub(super) async fn kept(
    shelf: &Shelf,
    book: &Book,
    quote: &Quote,
    (card_id, card): (i64, &Card),
    source: Asset,
) -> Result<Option<Sponsorship>, Error> {
    let Some(sponsor) = card.settlement.sponsor() else {
        return Ok(None);
    };
    let pays = book.directory.money_of(sponsor.partner);
    let pays = pays.ok_or_else(super::invalid)?;
    let mut exchange = None;
    for text in quote.exchange_rate.iter().chain(&quote.rates) {
        let id = shelf.ids.read(Kind::ExchangeRate, text);
        let rate = super::locked(&shelf.pool, book, id.ok_or_else(super::invalid)?).await?;
        if [(pays.no, source), (source, pays.no)].contains(&(rate.base, rate.quote)) {
            exchange = Some(rate.out_of(pays.no));
        }
    }
    if exchange.is_none() && pays.no != source {
        return Err(super::invalid().into());
    }
    Ok(Some(Sponsorship {
        card: card_id,
        sponsor,
        money: pays.clone(),
        exchange,
    }))
}
