//! Buy-outs: what is left of a currency when its issuer's last day is over, and does not expire.
//!
//! Until the last day of an issuer that winds down, its members turn their points into others themselves. What they
//! left then expires, unless a rate card was agreed to by which the hub converts it, for every member who has a
//! wallet of the target. It is one of the cards that both brands, and its sponsor, agreed to, and it holds in all
//! its terms: who pays, what it takes at least and at most, its limits and its condition. So nobody gets, or pays,
//! what a member could not have asked for the day before; it only needs no asking, and no cooling off.
//!
//! The issuer proposes the card, or an operator, and another operator agrees. It is for one last day, and falls with
//! it.
//!
//! The hub goes through the wallets again and again, each conversion an order like any other: as much as the card
//! takes at once, until it takes no more. Where somebody else has to act first (the target is suspended, the card
//! was halted, a cap is reached, points are held or frozen) the buy-out waits and says for what, and nothing of
//! the currency expires meanwhile by the end of its issuer. When there is nothing more to convert it is done, and
//! what is left expires.
//!
//! Whatever hubs do it at once, each order takes what the wallet has when it is decided, so nothing is converted
//! twice.

pub mod api;
mod store;

use std::sync::Arc;

use chrono::Duration;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decision::Order;
use super::options::{self, Deciding, Held};
use super::quote::{self, Quote};
use super::{fee, fee_money, sponsorships};
use crate::access::Who;
use crate::access::audit::{self, Subject};
use crate::approvals::{Proposal, Proposals};
use crate::clock::Timestamp;
use crate::db::{self, Connection, Moment};
use crate::error::{Error, Problem};
use crate::id::{Ids, Kind};
use crate::ledger::command::Failed;
use crate::ledger::shelf::Shelf;
use crate::ledger::{self, Ledger, store as ledger_store};
use crate::partners::currency::Keeper;
use crate::partners::life::{Act, Standing, State};
use crate::partners::link_terms::LinkTerms;
use crate::partners::{self, Currency, Partner};
use crate::points::account::{Account, Asset};
use crate::rates::{Book, Books, PublishedCard};

/// Each rests on the issuer's last day and on what is agreed to already.
const BUY_OUTS: Proposals<Wanted> = Proposals::of("buy_out");

/// How many wallets are gone through at a time.
const BATCH: i64 = 100;

/// How often a pass over all wallets begins anew, each time it converted something.
const PASSES: usize = 1000;

/// What somebody wants: a card, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub card: Option<i64>,
}

/// What was agreed to.
#[derive(Debug, Clone)]
pub struct BuyOut {
    pub currency: Asset,
    pub card: i64,
    /// What the hub met that somebody has to decide.
    pub waits_for: Option<String>,
    pub done_at: Option<Timestamp>,
}

/// What is left of a currency.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub wallets: i64,
    pub units: i64,
    /// The wallets whose members have one of the target, too.
    pub reached: i64,
    pub units_reached: i64,
    /// Something is held, or frozen for an import.
    pub is_tied: bool,
}

/// What there is of a currency's buy-out, and what waits.
pub struct Found {
    pub issuer: Partner,
    pub agreed: Option<BuyOut>,
    pub proposed: Option<Proposal<Wanted>>,
    /// What is left, where the issuer winds down; what is reached is told by the card that is agreed to, else by
    /// the one that is proposed.
    pub left: Option<Left>,
}

pub async fn find(conn: &mut Connection, book: &Book, currency: &Currency) -> Result<Found, Error> {
    let issuer = book.directory.partner(currency.issuer);
    let issuer = issuer.ok_or_else(super::invalid)?.clone();
    let agreed = store::find(conn, currency.no).await?;
    let proposed = BUY_OUTS.pending(conn, &[currency.no.into()]).await?.pop();
    let card = agreed.as_ref().map(|it| it.card);
    let card = card.or_else(|| proposed.as_ref()?.wanted.card);
    let to = card.and_then(|card| Some(book.card(card)?.to));
    let left = match issuer.state {
        State::WindingDown => Some(store::left(conn, currency.no, to).await?),
        _ => None,
    };
    Ok(Found {
        issuer,
        agreed,
        proposed,
        left,
    })
}

/// Asks the hub's people to agree to a card, or that there is none. What is so already stays so.
pub async fn want(
    conn: &mut Connection,
    who: &Who,
    book: &Book,
    currency: &Currency,
    wanted: Wanted,
) -> Result<(), Error> {
    let (ends_at, agreed) = standing(conn, currency).await?;
    if agreed == wanted.card {
        return Ok(());
    }
    let card = wanted.card.map(|card| card_of(book, currency, card));
    card.transpose()?;
    let subject = (currency.no.into(), currency.code.clone());
    BUY_OUTS
        .propose(conn, who, subject, &wanted, &(ends_at, agreed))
        .await
        .map(drop)
}

/// Agrees to what was proposed, which then holds.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    (book, currency): (&Book, &Currency),
    read: &[u8],
) -> Result<(), Error> {
    let (ends_at, agreed) = standing(conn, currency).await?;
    let of = currency.no.into();
    let wanted = BUY_OUTS
        .approve(conn, who, of, read, &(ends_at, agreed))
        .await?;
    let card = wanted.card.map(|card| card_of(book, currency, card));
    let target = card.transpose()?.and_then(|card| target(book, card));
    store::set(conn, currency.no, wanted.card, ends_at).await?;
    let told =
        |card: Option<i64>| card.map_or("none".to_owned(), |card| ids.show(Kind::RateCard, card));
    let parties = [currency.issuer]
        .into_iter()
        .chain(target.map(|it| it.issuer));
    let about = Subject::BuyOut.no(of).of(parties);
    audit::record(conn, who, about, Some(&told(agreed)), &told(wanted.card)).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    currency: &Currency,
    read: &[u8],
) -> Result<(), Error> {
    let of = currency.no.into();
    BUY_OUTS.reject(conn, who, of, read).await.map(drop)
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, currency: &Currency) -> Result<(), Error> {
    let of = currency.no.into();
    BUY_OUTS.withdraw(conn, who, of).await.map(drop)
}

/// When the issuer of a currency ends, and what is agreed to for then. It stays so until the transaction ends.
async fn standing(
    conn: &mut Connection,
    currency: &Currency,
) -> Result<(Timestamp, Option<i64>), Error> {
    if currency.kept_by == Keeper::Partner {
        return Err(ledger::api::kept_by_partner(currency).into());
    }
    let issuer = partners::must_go_on_allowing(conn, currency.issuer, Act::Read).await?;
    let ends_at = issuer
        .ends_at
        .filter(|_| issuer.state == State::WindingDown);
    let ends_at = ends_at.ok_or_else(|| api::no_end(&issuer))?;
    let agreed = store::find(conn, currency.no).await?;
    match agreed {
        Some(BuyOut {
            done_at: Some(at), ..
        }) => Err(api::is_done(currency, at).into()),
        agreed => Ok((ends_at, agreed.map(|it| it.card))),
    }
}

/// A card that holds now, out of a currency, and asks no money of a member who is not asked.
fn card_of<'b>(
    book: &'b Book,
    currency: &Currency,
    card: i64,
) -> Result<&'b Arc<PublishedCard>, Problem> {
    let card = book.card(card).filter(|card| card.from == currency.no);
    let card = card.filter(|card| !card.halted).ok_or_else(api::no_card)?;
    match fee_money(&book.directory, &card.card) {
        None => Ok(card),
        Some(_) => Err(api::fee_in_money()),
    }
}

fn target<'b>(book: &'b Book, card: &PublishedCard) -> Option<&'b Arc<Currency>> {
    book.directory.currency_no(card.to)
}

/// What carries buy-outs out.
pub struct Buyer<'a> {
    pub shelf: Shelf,
    pub books: &'a Books,
    pub ledger: &'a Ledger,
}

/// What became of a wallet.
enum Turn {
    Converted,
    /// The card takes nothing of it.
    Left,
    Waits(&'static str),
}

impl Buyer<'_> {
    /// Carries out what is due. Answers how many conversions that were.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let due = store::due(&mut *self.shelf.pool.get().await?).await?;
        let mut converted = 0;
        for buy_out in &due {
            for _ in 0..PASSES {
                match self.pass(buy_out).await? {
                    0 => break,
                    some => converted += some,
                }
            }
        }
        Ok(converted)
    }

    /// Goes through all wallets once. Where nothing was converted the buy-out is done, or it is told what for it
    /// waits.
    async fn pass(&self, buy_out: &BuyOut) -> Result<usize, Error> {
        let (mut converted, mut beyond) = (0, i64::MIN);
        // What is let go while wallets are gone through is for the next time.
        let mut waits = self.tied(buy_out).await?;
        loop {
            let moment = db::moment(&mut *self.shelf.pool.get().await?).await?;
            let (version, book) = self.books.at(moment, &self.shelf.pool).await?;
            let card = match ready(&book, buy_out, moment.now) {
                Ok(card) => card,
                Err(hindrance) => {
                    waits = Some(hindrance);
                    break;
                }
            };
            let pairs = {
                let mut conn = self.shelf.pool.get().await?;
                store::wallets(&mut conn, (buy_out.currency, card.to), beyond, BATCH).await?
            };
            let Some((last, _)) = pairs.last() else {
                break;
            };
            beyond = last.0;
            let turns = pairs.iter().filter_map(|(wallet, other)| {
                let at = (version, moment);
                Some(self.turn(&book, at, card, [*wallet, (*other)?]))
            });
            for turn in try_join_all(turns).await? {
                match turn {
                    Turn::Converted => converted += 1,
                    Turn::Left => {}
                    Turn::Waits(why) => waits = Some(why),
                }
            }
        }
        if converted == 0 {
            self.keep(buy_out, waits).await?;
        }
        Ok(converted)
    }

    /// Waited for where something is held or frozen.
    async fn tied(&self, buy_out: &BuyOut) -> Result<Option<&'static str>, Error> {
        let mut conn = self.shelf.pool.get().await?;
        let left = store::left(&mut conn, buy_out.currency, None).await?;
        Ok(left.is_tied.then_some(TIED))
    }

    async fn keep(&self, buy_out: &BuyOut, waits: Option<&'static str>) -> Result<(), Error> {
        let waits = match waits {
            None => self.tied(buy_out).await?,
            waits => waits,
        };
        let mut conn = self.shelf.pool.get().await?;
        db::transaction(&mut conn, async |conn| {
            if !store::keep(conn, buy_out, waits).await? {
                return Ok(());
            }
            match waits {
                Some(waits) => {
                    tracing::warn!(currency = buy_out.currency, waits, "a buy-out waits");
                    Ok(())
                }
                None => {
                    let about = Subject::BuyOut.no(buy_out.currency.into());
                    audit::record(conn, &Who::the_hub(), about, Some("agreed"), "done").await
                }
            }
        })
        .await
    }

    /// Converts as much of a wallet as the card takes at once.
    async fn turn(
        &self,
        book: &Book,
        (version, moment): (i64, Moment),
        card: &Arc<PublishedCard>,
        [wallet, other]: [Account; 2],
    ) -> Result<Turn, Error> {
        let Some(quote) = self.quote(book, moment, card, [wallet, other]).await? else {
            return Ok(Turn::Left);
        };
        let sides = super::sides(&self.shelf, book, &quote, None)?;
        let order = super::order_of(&self.shelf, book, moment, &quote, sides).await?;
        let stamp = ledger::stamp_of_the_hub(&self.shelf.secrets, Some(version));
        let done = self.ledger.hand_in(after_the_end(order), stamp).await;
        Ok(match done {
            Ok(_) => Turn::Converted,
            Err(Failed::CapReached(_)) => Turn::Waits(CAP),
            Err(Failed::Refused(_) | Failed::Stale) => Turn::Waits(CHANGED),
            Err(failed) => return Err(ledger::failure(failed)),
        })
    }

    /// The largest amount that the card takes of a wallet now, as if it had been asked for.
    async fn quote(
        &self,
        book: &Book,
        moment: Moment,
        card: &Arc<PublishedCard>,
        [wallet, other]: [Account; 2],
    ) -> Result<Option<Quote>, Error> {
        let directory = &book.directory;
        let from = directory
            .currency_no(card.from)
            .ok_or_else(super::invalid)?;
        let to = directory.currency_no(card.to).ok_or_else(super::invalid)?;
        let known = super::known(&self.shelf, book, (from, to), wallet, moment.now).await?;
        if !card.card.is_for(known.asker(None), moment.now) {
            return Ok(None);
        }
        let lots = ledger_store::lots_of(&mut *self.shelf.pool.get().await?, wallet).await?;
        let lots = lots.iter().map(|lot| (lot.key(), lot.available)).collect();
        let (cards, terms) = ([card.clone()], Arc::new(LinkTerms::default()));
        let held = Held::load(&self.shelf, (wallet, from), lots, &cards, terms, moment.now).await?;
        let deciding = Deciding {
            card: card.clone(),
            promises: Vec::new(),
            standings: Vec::new(),
        };
        let choice = options::choice(book, &held, &deciding, moment.now);
        let Some(choice) = choice.filter(|choice| choice.missing == 0) else {
            return Ok(None);
        };
        let marks = |of| held.marks.get(&of).cloned().unwrap_or_default();
        let side = (&**from, wallet);
        let covered = fee::covered(&card.card.terms, side, to.no, marks, moment.now);
        let of = (card.id, &*card.card);
        let sponsorship = sponsorships::of(book, from, of, moment.now)?;
        let ids = &self.shelf.ids;
        let rate = |id| ids.show(Kind::ExchangeRate, id);
        Ok(Some(Quote {
            jti: Uuid::now_v7(),
            partner: ids.show(Kind::Partner, from.issuer),
            member: None,
            card: ids.show(Kind::RateCard, card.id),
            exchange_rate: super::exchange(book, from, to)?.map(|(id, _)| rate(id)),
            from_wallet: ids.show(Kind::Wallet, wallet.0),
            to_wallet: ids.show(Kind::Wallet, other.0),
            given: choice.evaluated.priced.used + choice.evaluated.priced.left,
            gained: choice.gained,
            covered: covered.is_some_and(|it| it.is_paid),
            linked: None,
            exp: (moment.now + quote::LIFE + Duration::seconds(1)).timestamp(),
            campaigns: Vec::new(),
            rates: sponsorship
                .and_then(|(id, _)| id)
                .map(rate)
                .into_iter()
                .collect(),
            then: None,
        }))
    }
}

/// Points are held, or frozen for an import.
const TIED: &str = "holds or frozen points of the currency";
const CAP: &str = "room below the cap or the cover of who pays";
const CHANGED: &str = "what changed meanwhile, and is tried again";

/// The card, where everybody may do what they have to; else what is waited for.
fn ready<'b>(
    book: &'b Book,
    buy_out: &BuyOut,
    now: Timestamp,
) -> Result<&'b Arc<PublishedCard>, &'static str> {
    let card = book.card(buy_out.card).filter(|card| card.holds_at(now));
    let card = card.ok_or("a rate card that holds: another one, or none")?;
    let from = book.directory.currency_no(card.from);
    let to = target(book, card);
    let (from, to) = from.zip(to).ok_or("its currencies")?;
    let standing = |partner| {
        let partner = book.directory.partner(partner);
        partner.map_or(Standing::NONE, Partner::standing)
    };
    if !standing(to.issuer).allows(Act::ConvertIn, now) {
        return Err("the issuer of the target, which may not take points");
    }
    let sponsor = card.card.settlement.sponsor().map(|it| it.partner);
    if sponsor.is_some_and(|partner| !standing(partner).allows(Act::Sponsor, now)) {
        return Err("the sponsor of the rate card, which may not pay");
    }
    let sponsorship = sponsorships::of(book, from, (card.id, &card.card), now);
    match super::exchange(book, from, to).is_ok() && sponsorship.is_ok() {
        true => Ok(card),
        false => Err("an exchange rate"),
    }
}

/// The order of an issuer whose last day is over, as on that day; without what its link terms ask.
fn after_the_end(order: Order) -> Order {
    let mut order = order;
    order.from.programme.standing.ends_at = None;
    order.from.programme.link_terms = Arc::new(LinkTerms::default());
    order
}
