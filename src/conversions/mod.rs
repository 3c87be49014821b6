//! Conversions: a member turns points of one partner into points of another.
//!
//! A conversion is two steps. A [`quote`] is a price the hub promises for a while. An order
//! ([`decision`]) takes the promise, and [`postings`] says what moves. Nothing is reserved between
//! them: the wallet is checked when the order comes, because most quotes are never taken.
//!
//! What the points of a wallet could become at all, [`options`] lists, best first by what both sides are
//! [`worth`].
//!
//! One card decides a quote: of those of the pair whose condition holds for the member and the channel,
//! the one of the highest priority. What brands attest of the member is read only where a card or a
//! campaign of the pair asks for it, and never again: taking a quote looks at no claims.
//!
//! [Through](through) a third currency, two cards decide, in one quote and one operation.
//!
//! A quote binds the hub also when the card ends, is halted or is replaced meanwhile; only the state of one of
//! the two partners, the end of one of the two memberships and the terms of links stop it. What the member gets
//! is what the quote said.
//!
//! A quote says since when its two wallets are one member's, so that whoever takes it is held to the
//! [terms](crate::partners::link_terms) of the source as they are then: it is refused while the link cools off.
//!
//! Where the issuer of what is given keeps the balances itself, it attests that it debited the member, and
//! takes the quote with a [transfer](transfers). Where the issuer of what is got keeps them, the conversion is
//! pending until that has [credited](crate::ledger::credits) the member.
//!
//! The card's [fee](mod@fee) may be paid for a period already; the quote says so and keeps to it.
//!
//! A quote counts on the campaigns that hold for the wallet when it is issued ([promises]), and reserves
//! nothing of their budgets either: when another took the rest meanwhile, the order is refused and says
//! what is left, and the next quote comes without that bonus. The budget of a card's sponsor ([sponsorships]) is
//! looked at in the same two places; without room there is no quote, because the source would pay more than
//! its card says.
//!
//! What is left of a currency when its issuer's last day is over, the hub may convert by itself: a [buy-out](buy_outs).

pub mod api;
pub mod body;
pub mod bonus;
pub mod buy_outs;
pub mod decision;
pub mod fee;
pub mod limits;
pub mod options;
pub mod postings;
pub mod promises;
pub mod quote;
pub mod quoted;
pub mod refusal;
pub mod sentence;
pub mod sponsorships;
pub mod through;
pub mod transfers;
pub mod unmet;
pub mod worth;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::Duration;
use uuid::Uuid;

use crate::access::Asking;
use crate::clock::Timestamp;
use crate::db::{Moment, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::api::barred;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::{Found, Shelf};
use crate::ledger::tally::{Mark, TallyKey};
use crate::ledger::{self, store};
use crate::members::Claims;
use crate::partners::life::Act;
use crate::partners::{AmountBody, Currency, Directory, Money};
use crate::points::account::Account;
use crate::points::amount::Scales;
use crate::points::money::Micros;
use crate::rates::card::{Card, Evaluated};
use crate::rates::condition::{Asker, Attester};
use crate::rates::exchange::ExchangeRate;
use crate::rates::settlement::Exchange;
use crate::rates::terms::Terms;
use crate::rates::{self, Book, Books, PublishedCard};
use crate::web::text::Word;
use decision::{Order, Side};
use fee::Covered;
use limits::Limit;
use promises::Promise;
use promises::promise::settle;
use quote::Quote;
use transfers::attested::{self, Attested, Misfit};

/// What a member wants: either side may be fixed.
pub enum Wish<'a> {
    /// To give so much.
    Give { gives: &'a AmountBody, to: &'a str },
    /// To gain at least so much, for as little as that takes.
    Gain {
        from: &'a str,
        gains: &'a AmountBody,
    },
}

/// What a member is offered.
pub struct Offer {
    pub quote: Quote,
    pub evaluated: Evaluated,
    pub from: Arc<Currency>,
    pub to: Arc<Currency>,
    /// Locked, where the two issuers settle in different moneys.
    pub exchange: Option<Exchange>,
    pub book: Arc<Book>,
    pub card: Arc<Card>,
    /// The campaigns that it counts on.
    pub promises: Vec<Promise>,
    /// Of the card, as they stand before the conversion.
    pub limits: Vec<Limit>,
    /// The period that the card's fee covers, where it does.
    pub covered: Option<Covered>,
    /// What a sponsor pays of the gross, in the money of the source.
    pub sponsored: Option<Micros>,
    pub now: Timestamp,
}

/// Prices a wish of a partner's member. Writes nothing. Fails when something was published since the moment
/// that the asking rests on; whoever asks does so [at the present](crate::ledger::Ledger::at_present).
pub async fn offer(
    shelf: &Shelf,
    books: &Books,
    asking: Asking,
    member: &str,
    wish: &Wish<'_>,
    channel: Option<&Word>,
) -> Result<Offer, Error> {
    let (version, book) = books.at(asking.moment, &shelf.pool).await?;
    let directory = &book.directory;
    let (from, to, fixed) = asked(directory, wish)?;
    ledger::api::must_issue(asking.partner, from)?;
    let wanted = (member, &**from, &**to);
    let found = shelf.wallets_of(asking, wanted).await?;
    if found.moment.version > version {
        return Err(ledger::out_of_date().into());
    }
    let (from_wallet, to_wallet, now) = (found.from, found.to, found.moment.now);
    for (currency, act) in [(from, Act::ConvertOut), (to, Act::ConvertIn)] {
        let programme = Programme::of(directory, currency);
        programme.must_allow(act, now).map_err(barred)?;
    }
    let linked = linked(&found, (from, to));
    must_have_cooled(&Programme::of(directory, from), linked, now)?;

    let known = known(shelf, &book, (from, to), from_wallet, now).await?;
    let card = book
        .card_for(from.no, to.no, known.asker(channel), now)
        .ok_or_else(|| unmet::problem(&shelf.ids, &book, (from, to), now))?;
    let locked = exchange(&book, from, to)?;
    let (scales, exchange) = (scales(from, to), locked.map(|(_, exchange)| exchange));
    let wallet = (from_wallet, known.asker(channel));
    let mut promises = promises::holding(shelf, &book, (from, to), wallet, now).await?;
    let standings = promises::standings(shelf, &promises, from_wallet, now).await?;
    let marks = marks_of(shelf, &card.card.terms, (from, from_wallet), to, now).await?;
    let marks = |of| marks.get(&of).cloned().unwrap_or_default();
    let (terms, side) = (&card.card.terms, (&**from, from_wallet));
    let covered = fee::covered(terms, side, to.no, marks, now);
    let is_paid = covered.is_some_and(|it| it.is_paid);
    let settled = settle(
        &fee::charging(&card.card, is_paid),
        (&mut promises, &standings),
        scales,
        exchange,
        (fixed, now),
    );
    let (given, evaluated) = settled.map_err(|refusal| rates::api::refused(&refusal, from, to))?;
    promises.retain(Promise::is_told);
    let limits = limits::limits(terms, scales, side, to.no, marks, now);
    let sponsorship = sponsorships::of(&book, from, (card.id, &card.card), now)?;
    let sponsored = match &sponsorship {
        None => None,
        Some((_, by)) => Some(sponsorships::pays(shelf, by, &evaluated).await?),
    };

    let until = now + quote::LIFE + Duration::milliseconds(999);
    let ends = promises.iter().filter_map(Promise::ends_at);
    let until = ends.fold(until, Timestamp::min);
    let quote = Quote {
        jti: Uuid::now_v7(),
        partner: shelf.ids.show(Kind::Partner, asking.partner),
        member: by_member(&shelf.ids, asking),
        card: shelf.ids.show(Kind::RateCard, card.id),
        exchange_rate: locked.map(|(id, _)| shelf.ids.show(Kind::ExchangeRate, id)),
        from_wallet: shelf.ids.show(Kind::Wallet, from_wallet.0),
        to_wallet: shelf.ids.show(Kind::Wallet, to_wallet.0),
        given,
        gained: evaluated.priced.total,
        covered: is_paid,
        linked: linked.map(|at| at.timestamp_micros()),
        exp: until.timestamp(),
        campaigns: promises.iter().map(|it| it.promised(&shelf.ids)).collect(),
        rates: promises::sponsor_rates(&book, &promises, (from, to))
            .chain(sponsorship.and_then(|(rate, _)| rate))
            .filter(|id| locked.is_none_or(|(own, _)| own != *id))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|id| shelf.ids.show(Kind::ExchangeRate, id))
            .collect(),
        then: None,
    };
    let (from, to, card) = (from.clone(), to.clone(), card.card.clone());
    let offer = Offer {
        quote,
        evaluated,
        from,
        to,
        exchange,
        book,
        card,
        promises,
        limits,
        covered,
        sponsored,
        now,
    };
    must_fit(&offer)?;
    must_be_within(&offer)?;
    Ok(offer)
}

/// The member that asks, by its public id.
fn by_member(ids: &Ids, asking: Asking) -> Option<String> {
    let acted = asking.acted?;
    Some(ids.show(Kind::Member, acted.member))
}

/// Since when two wallets have been one member's by a link, where they are of two brands.
fn linked(found: &Found, (from, to): (&Currency, &Currency)) -> Option<Timestamp> {
    found.linked_at.filter(|_| from.issuer != to.issuer)
}

/// Refuses what would go over a link that is too young for the terms of the source.
fn must_have_cooled(
    from: &Programme,
    linked_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Problem> {
    match from.link_terms.cools_until(linked_at, now) {
        None => Ok(()),
        Some(cooling) => Err(refusal::cooling_off(cooling, &from.currency)),
    }
}

/// Refuses more than the pilots of the two issuers let move at once.
fn must_fit(offer: &Offer) -> Result<(), Problem> {
    let (directory, priced) = (&offer.book.directory, &offer.evaluated.priced);
    for (currency, act, units) in [
        (&offer.from, Act::ConvertOut, priced.taken),
        (&offer.to, Act::ConvertIn, priced.total),
    ] {
        let programme = Programme::of(directory, currency);
        programme.must_fit(act, units).map_err(barred)?;
    }
    Ok(())
}

/// Refuses what goes over a limit of the card.
fn must_be_within(offer: &Offer) -> Result<(), Problem> {
    let Offer { from, to, now, .. } = offer;
    let mark = decision::mark(&offer.evaluated.priced, *now);
    limits::check(&offer.limits, mark).map_err(|reached| refusal::limit_reached(&reached, from, to))
}

/// The currencies of a wish and the side that it fixes.
fn asked<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
) -> Result<(&'d Arc<Currency>, &'d Arc<Currency>, Fixed), Error> {
    Ok(match wish {
        Wish::Give { gives, to } => {
            let (from, given) = gives.read(directory, "/gives")?;
            (from, currency(directory, "/to", to)?, Fixed::Given(given))
        }
        Wish::Gain { from, gains } => {
            let (to, wanted) = gains.read(directory, "/gains")?;
            let from = currency(directory, "/from", from)?;
            (from, to, Fixed::Gained(wanted))
        }
    })
}

/// The side of a wish that is fixed, in smallest units.
#[derive(Debug, Clone, Copy)]
enum Fixed {
    Given(i64),
    Gained(i64),
}

/// What a card counts of a wallet, as it stands.
async fn marks_of(
    shelf: &Shelf,
    terms: &Terms,
    side: (&Currency, Account),
    to: &Currency,
    now: Timestamp,
) -> Result<HashMap<TallyKey, Vec<Mark>>, Error> {
    let wanted = limits::wanted(terms, side, to.no, now);
    match wanted.is_empty() {
        true => Ok(HashMap::new()),
        false => store::tallies(&mut *shelf.pool.get().await?, &wanted).await,
    }
}

/// Looks up what a quote names, as an order to take it, by what is published in a book.
pub async fn order(
    shelf: &Shelf,
    book: &Book,
    moment: Moment,
    quote: &Quote,
    attested: Option<Attested>,
) -> Result<Order, Error> {
    let sides = sides(shelf, book, quote, attested)?;
    let mut order = order_of(shelf, book, moment, quote, sides).await?;
    order.attested = attested;
    Ok(order)
}

/// The wallets that a quote names, and whether what leaves the first is attested as it has to be.
fn sides(
    shelf: &Shelf,
    book: &Book,
    quote: &Quote,
    attested: Option<Attested>,
) -> Result<[Side; 2], Error> {
    let wallet = |text: &str| shelf.ids.read(Kind::Wallet, text).map(Account);
    let side = |text| side(&book.directory, wallet(text).ok_or_else(invalid)?);
    let sides = [side(&quote.from_wallet)?, side(&quote.to_wallet)?];
    let given = &sides[0].programme.currency;
    attested::must_fit(given, attested).map_err(|misfit| match misfit {
        Misfit::NotAttested => ledger::api::kept_by_partner(given),
        Misfit::KeptByHub => ledger::api::kept_by_hub(given),
    })?;
    Ok(sides)
}

/// What else a quote names, as an order between two sides.
async fn order_of(
    shelf: &Shelf,
    book: &Book,
    moment: Moment,
    quote: &Quote,
    [from, to]: [Side; 2],
) -> Result<Order, Error> {
    let id = |kind, text: &str| shelf.ids.read(kind, text).ok_or_else(invalid);
    let card_id = id(Kind::RateCard, &quote.card)?;
    let card = published(&shelf.pool, book, card_id).await?;
    let exchange = match &quote.exchange_rate {
        None => None,
        Some(text) => {
            let id = id(Kind::ExchangeRate, text)?;
            let locked = locked(&shelf.pool, book, id).await?;
            Some((id, locked.out_of(from.position.asset())))
        }
    };
    let fee_money = fee_money(&book.directory, &card.card).cloned();
    let (promises, rates) = promises::kept(shelf, book, quote, (&from, &to), exchange).await?;
    let source = from.position.asset();
    let of = (card_id, &*card.card);
    let sponsorship = sponsorships::kept(shelf, book, quote, of, source).await?;
    let (quote, card) = (quote.clone(), card.card.clone());
    let order = Order {
        quote,
        from,
        to,
        card_id,
        card,
        exchange,
        fee_money,
        promises,
        rates,
        sponsorship,
        attested: None,
        at: moment.now,
    };
    for sponsor in order.sponsors() {
        sponsorships::must_be_there(&book.directory, sponsor, moment.now)?;
    }
    Ok(order)
}

/// A card by its id, also one that no longer prices new quotes: a quote outlives its card.
async fn published(pool: &Pool, book: &Book, id: i64) -> Result<Arc<PublishedCard>, Error> {
    if let Some(card) = book.card(id) {
        return Ok(card.clone());
    }
    let found = rates::find_published(&mut *pool.get().await?, id).await?;
    Ok(Arc::new(found.ok_or_else(invalid)?))
}

/// The exchange rate that a quote locked, also when a newer one was published since.
async fn locked(pool: &Pool, book: &Book, id: i64) -> Result<ExchangeRate, Error> {
    if let Some(rate) = book.exchange_rate(id) {
        return Ok(rate.clone());
    }
    let found = rates::exchange::find(&mut *pool.get().await?, id).await?;
    Ok(found.ok_or_else(invalid)?)
}

fn side(directory: &Directory, wallet: Account) -> Result<Side, Error> {
    let currency = directory.currency_no(wallet.asset()).ok_or_else(invalid)?;
    let money = directory.money_of(currency.issuer).ok_or_else(invalid)?;
    let position = Account::position(currency.issuer, money.no);
    Ok(Side {
        wallet,
        programme: Programme::of(directory, currency),
        position,
        moved_at: directory.moved_at(wallet),
    })
}

fn currency<'d>(
    directory: &'d Directory,
    pointer: &str,
    code: &str,
) -> Result<&'d Arc<Currency>, Problem> {
    let rule = "the code of a currency; /v1/currencies lists them";
    directory
        .currency(code)
        .ok_or_else(|| Problem::field(pointer, rule))
}

/// What a card's fee is in, where it has one.
fn fee_money<'d>(directory: &'d Directory, card: &Card) -> Option<&'d Money> {
    directory.money_by_code(&card.terms.fee.as_ref()?.currency)
}

fn exchange(book: &Book, from: &Currency, to: &Currency) -> Result<Option<(i64, Exchange)>, Error> {
    let money = |currency: &Currency| book.directory.money_of(currency.issuer).ok_or_else(invalid);
    let (source, target) = (money(from)?, money(to)?);
    let locked = book.exchange(source.no, target.no);
    Ok(locked.map_err(|missing| rates::api::no_exchange(missing, &book.directory))?)
}

pub fn scales(from: &Currency, to: &Currency) -> Scales {
    Scales {
        source: from.scale,
        target: to.scale,
    }
}

/// What the issuers of a pair attest of a member, as far as the cards and campaigns of the pair ask for it.
#[derive(Default)]
struct Known {
    source: Option<Claims>,
    target: Option<Claims>,
}

impl Known {
    fn asker<'a>(&'a self, channel: Option<&'a Word>) -> Asker<'a> {
        let (source, target) = (self.source.as_ref(), self.target.as_ref());
        Asker {
            channel,
            source,
            target,
        }
    }
}

/// Reads what is attested of the member whose wallet it is; nothing where nobody asks.
async fn known(
    shelf: &Shelf,
    book: &Book,
    (from, to): (&Currency, &Currency),
    wallet: Account,
    now: Timestamp,
) -> Result<Known, Error> {
    let asks = |of| {
        let mut cards = book.cards_of(from.no, to.no, now);
        let mut campaigns = book.campaigns_for(from.no, to.no, now);
        cards.any(|card| card.card.asks(of)) || campaigns.any(|campaign| campaign.asks(of))
    };
    let mut known = Known::default();
    if asks(Attester::Source) {
        known.source = Some(shelf.attested.by(from.issuer, wallet).await?);
    }
    if asks(Attester::Target) {
        known.target = Some(shelf.attested.by(to.issuer, wallet).await?);
    }
    Ok(known)
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
