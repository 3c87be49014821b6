//! Conversions through a third currency: two cards, one quote, one operation.
//!
//! The cards are those that would decide two conversions one after the other; each says what it always
//! says, and both brands of each are paid as always. What the first gives is taken by the second within
//! the same operation ([`leg`]), so the member needs no wallet between, and neither half can happen alone.
//!
//! Only cards that [join](crate::rates::chain) are passed through, and campaigns are not counted: what
//! they add is for points that arrive.

pub mod leg;
pub mod passage;

use std::sync::Arc;

use chrono::Duration;
use uuid::Uuid;

use super::quote::{self, Quote, Then};
use super::transfers::attested::Attested;
use super::{Fixed, Offer, Wish, limits};
use crate::access::Asking;
use crate::clock::Timestamp;
use crate::db::Moment;
use crate::error::{Error, Problem, Slug};
use crate::id::Kind;
use crate::ledger;
use crate::ledger::api::barred;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::Shelf;
use crate::partners::Currency;
use crate::partners::life::Act;
use crate::points::account::{Account, AccountKind};
use crate::rates::card;
use crate::rates::chain::{Apart, Chain, Step, join};
use crate::rates::settlement::Exchange;
use crate::rates::{self, Book, Books, PublishedCard};
use crate::web::text::Word;
use passage::Passage;

/// A card that decides between two currencies, and the rate of their moneys.
struct Decided {
    card: Arc<PublishedCard>,
    from: Arc<Currency>,
    to: Arc<Currency>,
    exchange: Option<(i64, Exchange)>,
}

impl Decided {
    fn step(&self) -> Step<'_> {
        Step {
            card: &self.card.card,
            scales: super::scales(&self.from, &self.to),
            exchange: self.exchange.map(|(_, exchange)| exchange),
        }
    }
}

/// Prices a wish of a partner's member through a third currency: the two legs, under one quote. Writes
/// nothing.
pub async fn offer(
    shelf: &Shelf,
    books: &Books,
    asking: Asking,
    member: &str,
    wish: &Wish<'_>,
    through: &str,
    channel: Option<&Word>,
) -> Result<[Offer; 2], Error> {
    let (version, book) = books.at(asking.moment, &shelf.pool).await?;
    let directory = &book.directory;
    let (from, to, fixed) = super::asked(directory, wish)?;
    let between = super::currency(directory, "/through", through)?;
    if [from.no, to.no].contains(&between.no) {
        let rule = "the code of another currency than the two that are exchanged";
        return Err(Problem::field("/through", rule).into());
    }
    ledger::api::must_issue(asking.partner, from)?;
    let wanted = (member, &**from, &**to);
    let found = shelf.wallets_of(asking, wanted).await?;
    if found.moment.version > version {
        return Err(ledger::out_of_date().into());
    }
    let (from_wallet, to_wallet, now) = (found.from, found.to, found.moment.now);
    let steps = [
        (from, Act::ConvertOut),
        (between, Act::ConvertIn),
        (to, Act::ConvertIn),
    ];
    for (currency, act) in steps {
        let programme = Programme::of(directory, currency);
        programme.must_allow(act, now).map_err(barred)?;
    }
    let linked = super::linked(&found, (from, to));
    super::must_have_cooled(&Programme::of(directory, from), linked, now)?;
    let wallet = (from_wallet, channel);
    let first = decided(shelf, &book, (from, between), wallet, now).await?;
    let second = decided(shelf, &book, (between, to), wallet, now).await?;
    join(&first.card.card, &second.card.card)
        .map_err(|apart| no_through_route(shelf, [&first, &second], apart))?;
    let refused = |refusal| rates::api::refused(&refusal, from, to);
    let chain = Chain::of(first.step(), second.step()).map_err(|bad| refused(bad.into()))?;
    let given = match fixed {
        Fixed::Given(given) => given,
        Fixed::Gained(wanted) => chain.smallest_for(wanted).map_err(refused)?,
    };
    let (middle, gained) = chain
        .through(given)
        .ok_or_else(|| refused(chain.refusal(given)))?;

    let until = now + quote::LIFE + Duration::milliseconds(999);
    let card = |of: &Decided| shelf.ids.show(Kind::RateCard, of.card.id);
    let rate = |of: &Decided| {
        let locked = of.exchange;
        locked.map(|(id, _)| shelf.ids.show(Kind::ExchangeRate, id))
    };
    let quote = Quote {
        jti: Uuid::now_v7(),
        partner: shelf.ids.show(Kind::Partner, asking.partner),
        member: super::by_member(&shelf.ids, asking),
        card: card(&first),
        exchange_rate: rate(&first),
        from_wallet: shelf.ids.show(Kind::Wallet, from_wallet.0),
        to_wallet: shelf.ids.show(Kind::Wallet, to_wallet.0),
        given,
        gained,
        covered: false,
        linked: linked.map(|at| at.timestamp_micros()),
        exp: until.timestamp(),
        campaigns: Vec::new(),
        rates: Vec::new(),
        then: Some(Then {
            card: card(&second),
            exchange_rate: rate(&second),
            given: middle,
        }),
    };
    let terms = &first.card.card.terms;
    let side = (&**from, from_wallet);
    let marks = super::marks_of(shelf, terms, side, between, now).await?;
    let marks = |of| marks.get(&of).cloned().unwrap_or_default();
    let scales = super::scales(from, between);
    let limits = limits::limits(terms, scales, side, between.no, marks, now);
    let leg = |of: Decided, given, limits, quote: Quote| {
        let Step {
            card,
            scales,
            exchange,
        } = of.step();
        let evaluated = card::evaluate(card, scales, exchange, given).map_err(refused)?;
        Ok::<_, Error>(Offer {
            evaluated,
            card: of.card.card.clone(),
            exchange,
            from: of.from,
            to: of.to,
            book: book.clone(),
            promises: Vec::new(),
            limits,
            covered: None,
            sponsored: None,
            quote,
            now,
        })
    };
    let second_quote = Quote {
        card: card(&second),
        ..quote.clone()
    };
    let first = leg(first, given, limits, quote)?;
    let second = leg(second, middle, Vec::new(), second_quote)?;
    super::must_fit(&first)?;
    super::must_fit(&second)?;
    super::must_be_within(&first)?;
    Ok([first, second])
}

/// The card that decides one leg for the member whose wallet it is.
async fn decided(
    shelf: &Shelf,
    book: &Book,
    (from, to): (&Arc<Currency>, &Arc<Currency>),
    (wallet, channel): (Account, Option<&Word>),
    now: Timestamp,
) -> Result<Decided, Error> {
    let known = super::known(shelf, book, (from, to), wallet, now).await?;
    let card = book
        .card_for(from.no, to.no, known.asker(channel), now)
        .ok_or_else(|| super::unmet::problem(&shelf.ids, book, (from, to), now))?;
    Ok(Decided {
        card: card.clone(),
        from: from.clone(),
        to: to.clone(),
        exchange: super::exchange(book, from, to)?,
    })
}

/// Looks up what a quote through a third currency names, as an order to take it, by what is published in a book.
pub async fn order(
    shelf: &Shelf,
    book: &Book,
    moment: Moment,
    quote: &Quote,
    then: &Then,
    attested: Option<Attested>,
) -> Result<Passage, Error> {
    let [from, to] = super::sides(shelf, book, quote, attested)?;
    let first = Quote {
        gained: then.given,
        then: None,
        ..quote.clone()
    };
    let second = Quote {
        card: then.card.clone(),
        exchange_rate: then.exchange_rate.clone(),
        given: then.given,
        then: None,
        ..quote.clone()
    };
    let id = shelf.ids.read(Kind::RateCard, &then.card);
    let id = id.ok_or_else(super::invalid)?;
    let card = super::published(&shelf.pool, book, id).await?;
    // Whose points are between is nobody's wallet.
    let between = Account::of(AccountKind::Members, card.from);
    let between = super::side(&book.directory, between)?;
    let first = super::order_of(shelf, book, moment, &first, [from, between.clone()]);
    let second = super::order_of(shelf, book, moment, &second, [between, to]);
    let (mut first, second) = (first.await?, second.await?);
    first.attested = attested;
    Ok(Passage { first, second })
}

/// The refusal of two cards that do not join.
fn no_through_route(shelf: &Shelf, [first, second]: [&Decided; 2], apart: Apart) -> Problem {
    let between = &first.to.code;
    let (card, because) = match apart {
        Apart::Onward => (
            first,
            format!("{between} that it gives are not converted on"),
        ),
        Apart::Delivery => (
            first,
            format!("{between} that it gives arrive later, or by code"),
        ),
        Apart::Counted => (
            second,
            format!("it limits what a member gives of {between} within a period"),
        ),
        Apart::Held => (
            second,
            format!("it looks at what else the member holds of {between}"),
        ),
        Apart::Sponsored(of) => (
            [first, second][of],
            "a sponsor pays a part of it".to_owned(),
        ),
        Apart::FirstFee => (first, "its fee is in points, or covers a period".to_owned()),
        Apart::SecondFee => (second, format!("it asks a fee of members of {between}")),
    };
    let (from, to) = (&card.from.code, &card.to.code);
    let card = shelf.ids.show(Kind::RateCard, card.card.id);
    let detail = format!("the card of {from} into {to} cannot be passed through: {because}");
    Problem::new(Slug::NoThroughRoute, detail).with("card", card)
}
