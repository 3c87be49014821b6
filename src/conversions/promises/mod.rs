//! Promises: what campaigns add to a quote, and who pays for it, as the hub looks it up.
//!
//! A quote asks which campaigns hold for a wallet (`holding`) and what they have given so far
//! (`standings`); its conversion asks for those that its token names, as they were (`kept`). What
//! becomes of that is decided purely, by the [`promise`](mod@promise).

pub mod promise;

pub use promise::Promise;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::decision::Side;
use super::quote::{Promised, Quote};
use super::{invalid, locked};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::Error;
use crate::id::Kind;
use crate::ledger::shelf::Shelf;
use crate::ledger::store;
use crate::ledger::tally::Wanted;
use crate::partners::{Currency, Directory};
use crate::points::account::{Account, Asset};
use crate::rates::campaigns::limits::Standing;
use crate::rates::condition::Asker;
use crate::rates::exchange::ExchangeRate;
use crate::rates::settlement::Exchange;
use crate::rates::{Book, PublishedCampaign, campaigns};

/// The campaigns of a route that hold for a wallet now, whatever is left of them.
pub(super) async fn holding(
    shelf: &Shelf,
    book: &Book,
    (from, to): (&Currency, &Currency),
    (wallet, asker): (Account, Asker<'_>),
    now: Timestamp,
) -> Result<Vec<Promise>, Error> {
    let holding = book.campaigns_for(from.no, to.no, now);
    let holding = holding.filter(|campaign| campaign.is_for(asker, now));
    let mut holding: Vec<Arc<PublishedCampaign>> = holding.cloned().collect();
    let is_for_registered = |it: &Arc<PublishedCampaign>| it.campaign.terms.registered_only;
    if holding.iter().any(is_for_registered) {
        let ids: Vec<i64> = holding.iter().map(|campaign| campaign.id).collect();
        let mut conn = shelf.pool.get().await?;
        let registered = campaigns::registered(&mut conn, wallet, &ids).await?;
        holding.retain(|it| !is_for_registered(it) || registered.contains(&it.id));
    }
    let promise = |campaign: Arc<PublishedCampaign>| {
        let id = campaign.id.to_be_bytes();
        let hash = shelf.secrets.hash(&[b"arm", &id, &wallet.0.to_be_bytes()]);
        let arm = campaign.campaign.terms.arm(hash.as_u128());
        let arm = arm.map(|arm| arm.name.clone());
        let rate = |money, paid| book.exchange(money, paid).ok().flatten();
        promise(&book.directory, (from, to), campaign, arm, |money, paid| {
            Some(rate(money, paid)?.1)
        })
    };
    Ok(holding.into_iter().filter_map(promise).collect())
}

/// A campaign for a wallet in an arm; none while the money of a sponsor cannot be exchanged.
fn promise(
    directory: &Directory,
    (from, to): (&Currency, &Currency),
    campaign: Arc<PublishedCampaign>,
    arm: Option<String>,
    exchange: impl Fn(Asset, Asset) -> Option<Exchange>,
) -> Option<Promise> {
    let position = |partner| Some(Account::position(partner, directory.money_of(partner)?.no));
    let sides = (position(from.issuer)?, position(to.issuer)?);
    let paid = sides.1.asset();
    let funders = &campaign.campaign.terms.funders;
    let shares = promise::shares(funders, sides, position, |money| exchange(money, paid))?;
    let gives = campaign.campaign.terms.bonus_of(arm.as_deref()).is_some();
    Some(Promise {
        campaign,
        arm,
        shares,
        gives,
        units: 0,
    })
}

/// What campaigns have given so far. Not locked: whether it still holds is asked again when the quote is
/// taken.
pub(super) async fn standings(
    shelf: &Shelf,
    promises: &[Promise],
    wallet: Account,
    now: Timestamp,
) -> Result<Vec<Standing>, Error> {
    let budgets: Vec<i64> = promises.iter().filter_map(Promise::budget).collect();
    let wanted = promises.iter().flat_map(|it| it.wanted(wallet, now));
    let wanted: Vec<Wanted> = wanted.collect();
    if budgets.is_empty() && wanted.is_empty() {
        return Ok(vec![Standing::default(); promises.len()]);
    }
    let mut conn = shelf.pool.get().await?;
    let budgets = store::budgets(&mut conn, &budgets).await?;
    let tallies = match wanted.is_empty() {
        true => HashMap::new(),
        false => store::tallies(&mut conn, &wanted).await?,
    };
    let standing = |promise: &Promise| {
        let marks = tallies.get(&promise.tally(wallet));
        let marks = marks.map_or(&[][..], Vec::as_slice);
        promise.standing(budgets.given(promise.campaign.id), marks)
    };
    Ok(promises.iter().map(standing).collect())
}

/// The exchange rates that sponsors pay at, each once.
pub(super) fn sponsor_rates(
    book: &Book,
    promises: &[Promise],
    (from, to): (&Currency, &Currency),
) -> impl Iterator<Item = i64> {
    let money = |partner| book.directory.money_of(partner).map(|money| money.no);
    let (source, target) = (money(from.issuer), money(to.issuer));
    let giving = promises.iter().filter(|promise| promise.gives);
    let sponsors = giving.flat_map(|promise| &promise.campaign.campaign.terms.funders);
    let moneys = sponsors.filter_map(|sponsor| money(sponsor.partner));
    let others = moneys.filter(|money| Some(*money) != source);
    let rate = |money| Some(book.exchange(money, target?).ok()??.0);
    let rates: BTreeSet<i64> = others.filter_map(rate).collect();
    rates.into_iter()
}

/// The campaigns that a quote counts on, as they were when it was issued: it outlives their end and their
/// being halted.
pub(super) async fn kept(
    shelf: &Shelf,
    book: &Book,
    quote: &Quote,
    (from, to): (&Side, &Side),
    exchange: Option<(i64, Exchange)>,
) -> Result<(Vec<Promise>, Vec<i64>), Error> {
    let (mut promises, mut rates) = (Vec::new(), Vec::new());
    for text in &quote.rates {
        let id = shelf
            .ids
            .read(Kind::ExchangeRate, text)
            .ok_or_else(invalid)?;
        rates.push(locked(&shelf.pool, book, id).await?);
    }
    let rate = |money: Asset, paid: Asset| {
        let own = exchange.filter(|_| money == from.position.asset());
        let is_of = |rate: &&ExchangeRate| {
            [(money, paid), (paid, money)].contains(&(rate.base, rate.quote))
        };
        let other = || rates.iter().find(is_of).map(|rate| rate.out_of(money));
        own.map(|(_, exchange)| exchange).or_else(other)
    };
    for Promised { id, arm, units } in &quote.campaigns {
        let id = shelf.ids.read(Kind::Campaign, id).ok_or_else(invalid)?;
        let campaign = published_campaign(&shelf.pool, book, id).await?;
        let route = (&*from.programme.currency, &*to.programme.currency);
        let promise = promise(&book.directory, route, campaign, arm.clone(), rate);
        promises.push(Promise {
            gives: *units > 0,
            units: *units,
            ..promise.ok_or_else(invalid)?
        });
    }
    Ok((promises, rates.iter().map(|rate| rate.id).collect()))
}

async fn published_campaign(
    pool: &Pool,
    book: &Book,
    id: i64,
) -> Result<Arc<PublishedCampaign>, Error> {
    if let Some(campaign) = book.campaign(id) {
        return Ok(campaign.clone());
    }
    let found = campaigns::find_published(&mut *pool.get().await?, &[id]).await?;
    Ok(Arc::new(found.into_iter().next().ok_or_else(invalid)?))
}
