//! Conversions: a member turns points of one partner into points of another.
//!
//! A conversion is two steps. A [`quote`] is a price the hub promises for a while. An order
//! ([`decision`]) takes the promise, and [`postings`] says what moves. Nothing is reserved between
//! them: the wallet is checked when the order comes, because most quotes are never taken.
//!
//! A quote binds the hub also when the card ends, is halted or is replaced meanwhile; only the
//! suspension of one of the two partners stops it. What the member gets is what the quote said.

pub mod api;
pub mod decision;
pub mod postings;
pub mod quote;
pub mod sentence;

use std::sync::Arc;

use chrono::Duration;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::api::suspended;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::Shelf;
use crate::partners::{AmountBody, Currency, Directory};
use crate::points::account::Account;
use crate::points::amount::Scales;
use crate::rates::card::{self, Evaluated};
use crate::rates::settlement::Exchange;
use crate::rates::{self, Book, Books, PublishedCard};
use decision::{Order, Side};
use quote::Quote;

/// What a member is offered.
pub struct Offer {
    pub quote: Quote,
    pub evaluated: Evaluated,
    pub from: Arc<Currency>,
    pub to: Arc<Currency>,
    pub book: Arc<Book>,
}

/// Prices an amount for a partner's member. Writes nothing.
pub async fn offer(
    shelf: &Shelf,
    books: &Books,
    partner: i64,
    member: &str,
    gives: &AmountBody,
    to: &str,
) -> Result<Offer, Error> {
    let mut conn = shelf.pool.get().await?;
    let (_, book) = books.current(&mut conn).await?;
    let (from, given) = gives.read(&book.directory, "/gives")?;
    let to = target(&book.directory, to)?;
    crate::ledger::api::must_issue(partner, from)?;
    for currency in [from, to] {
        Programme::of(&book.directory, currency)
            .must_be_live()
            .map_err(suspended)?;
    }
    let from_wallet = shelf.wallet(&mut conn, partner, member, from).await?;
    let to_wallet = shelf.wallet(&mut conn, partner, member, to).await?;
    let now = db::now(&mut conn).await?;

    let card = book
        .card_for(from.no, to.no, now)
        .ok_or_else(|| no_card(from, to))?;
    let exchange = exchange(&book, from, to)?;
    let evaluated = card::evaluate(
        &card.card,
        scales(from, to),
        exchange.map(|(_, exchange)| exchange),
        given,
    )
    .map_err(|refusal| rates::api::refused(&refusal, from, to))?;

    let quote = Quote {
        jti: Uuid::now_v7(),
        partner: shelf.ids.show(Kind::Partner, partner),
        card: shelf.ids.show(Kind::RateCard, card.id),
        exchange_rate: exchange.map(|(id, _)| shelf.ids.show(Kind::ExchangeRate, id)),
        from_wallet: shelf.ids.show(Kind::Wallet, from_wallet.0),
        to_wallet: shelf.ids.show(Kind::Wallet, to_wallet.0),
        given,
        gained: evaluated.priced.total,
        exp: (now + quote::LIFE + Duration::milliseconds(999)).timestamp(),
    };
    let (from, to) = (from.clone(), to.clone());
    Ok(Offer {
        quote,
        evaluated,
        from,
        to,
        book,
    })
}

/// Looks up what a quote names, as an order to take it. Returns the publication it rests on.
pub async fn order(
    conn: &mut Connection,
    ids: &Ids,
    books: &Books,
    quote: &Quote,
) -> Result<(i64, Order), Error> {
    let (version, book) = books.current(conn).await?;
    let wallet = |text: &str| {
        ids.read(Kind::Wallet, text)
            .map(Account)
            .ok_or_else(invalid)
    };
    let (from_wallet, to_wallet) = (wallet(&quote.from_wallet)?, wallet(&quote.to_wallet)?);
    let card_id = ids.read(Kind::RateCard, &quote.card).ok_or_else(invalid)?;
    let card = published(conn, &book, card_id).await?;
    let from = side(&book.directory, from_wallet)?;
    let to = side(&book.directory, to_wallet)?;
    let exchange = match &quote.exchange_rate {
        None => None,
        Some(text) => {
            let id = ids.read(Kind::ExchangeRate, text).ok_or_else(invalid)?;
            let locked = rates::exchange::find(conn, id).await?.ok_or_else(invalid)?;
            Some((id, locked.out_of(from.position.asset())))
        }
    };
    let quote = quote.clone();
    Ok((
        version,
        Order {
            quote,
            from,
            to,
            card_id,
            card: card.card.clone(),
            exchange,
        },
    ))
}

/// A card by its id, also one that no longer prices new quotes: a quote outlives its card.
async fn published(
    conn: &mut Connection,
    book: &Book,
    id: i64,
) -> Result<Arc<PublishedCard>, Error> {
    match book.card(id) {
        Some(card) => Ok(card.clone()),
        None => Ok(Arc::new(
            rates::find_published(conn, id).await?.ok_or_else(invalid)?,
        )),
    }
}

fn side(directory: &Directory, wallet: Account) -> Result<Side, Error> {
    let currency = directory.currency_no(wallet.asset()).ok_or_else(invalid)?;
    let money = directory.money_of(currency.issuer).ok_or_else(invalid)?;
    let position = Account::position(currency.issuer, money.no);
    Ok(Side {
        wallet,
        programme: Programme::of(directory, currency),
        position,
    })
}

fn target<'d>(directory: &'d Directory, code: &str) -> Result<&'d Arc<Currency>, Problem> {
    let rule = "the code of a currency; /v1/currencies lists them";
    directory
        .currency(code)
        .ok_or_else(|| Problem::field("/to", rule))
}

fn exchange(book: &Book, from: &Currency, to: &Currency) -> Result<Option<(i64, Exchange)>, Error> {
    let money = |currency: &Currency| book.directory.money_of(currency.issuer).ok_or_else(invalid);
    let (source, target) = (money(from)?, money(to)?);
    Ok(book.exchange(source.no, target.no).map_err(|_| {
        let detail = format!(
            "no rate between {} and {} has been published",
            source.code, target.code
        );
        Problem::new(Slug::ExchangeRateMissing, detail)
    })?)
}

pub fn scales(from: &Currency, to: &Currency) -> Scales {
    Scales {
        source: from.scale,
        target: to.scale,
    }
}

fn no_card(from: &Currency, to: &Currency) -> Problem {
    Problem::new(
        Slug::NoRateCard,
        format!("no rate card turns {} into {} now", from.code, to.code),
    )
}

fn invalid() -> Problem {
    Problem::new(
        Slug::QuoteInvalid,
        "send the quote token exactly as it was issued",
    )
}

/// When a quote ends, told in the zone of the currency that is given.
pub fn local(instant: Timestamp, currency: &Currency) -> String {
    instant
        .with_timezone(&currency.zone)
        .format("%Y-%m-%d %H:%M %Z")
        .to_string()
}
