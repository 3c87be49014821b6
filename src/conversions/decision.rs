//! Take a quote, or say why not.
//!
//! The order of the checks is part of the API: a request that is wrong in two ways is always
//! refused for the first.

use std::sync::Arc;

use chrono::NaiveDate;

use super::bonus::Parties;
use super::fee;
use super::limits::{self, Reached};
use super::postings;
use super::promises::promise::{self, Promise};
use super::quote::Quote;
use super::sponsorships::Sponsorship;
use super::transfers::attested::{self, Attested};
use crate::clock::Timestamp;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::lot::{LotKey, Short};
use crate::ledger::programme::{Barred, Programme};
use crate::ledger::tally::{Mark, Wanted};
use crate::partners::life::Act;
use crate::partners::link_terms::terms::CoolingOff;
use crate::partners::{Currency, Money};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::rates::campaigns::limits::Exhausted;
use crate::rates::card::{self, Card, Evaluated};
use crate::rates::onward::Arrival;
use crate::rates::price::Priced;
use crate::rates::refusal;
use crate::rates::settlement::Exchange;
use crate::rates::sponsor::{Sponsored, UsedUp};

/// An order to take a quote, with all that its token names looked up.
#[derive(Debug, Clone)]
pub struct Order {
    pub quote: Quote,
    pub from: Side,
    pub to: Side,
    pub card_id: i64,
    pub card: Arc<Card>,
    pub exchange: Option<(i64, Exchange)>,
    /// What the card's fee is in.
    pub fee_money: Option<Money>,
    /// The campaigns that the quote counts on.
    pub promises: Vec<Promise>,
    /// The exchange rates for their sponsors, and for that of the card, that the quote locked.
    pub rates: Vec<i64>,
    /// Who pays a share of what it costs the source.
    pub sponsorship: Option<Sponsorship>,
    /// What the issuer attests that it debited, where it keeps the balance.
    pub attested: Option<Attested>,
    /// When it came.
    pub at: Timestamp,
}

/// One side of a conversion.
#[derive(Debug, Clone)]
pub struct Side {
    pub wallet: Account,
    pub programme: Programme,
    /// The issuer's position, in the money it settles in.
    pub position: Account,
    /// When the wallet became another member's, if it did lately.
    pub moved_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub enum Refusal {
    Barred(Barred),
    QuoteExpired(Timestamp),
    QuoteTaken {
        by: i64,
    },
    /// A campaign, by its id, may no longer give its bonus.
    Campaign(i64, Box<Exhausted>, Arc<Currency>),
    /// The sponsor of the card has so much left, in its money.
    Sponsor(Micros, Money),
    /// One of the wallets became another member's since the quote.
    Unlinked,
    /// The link between the two wallets is too young for the issuer of what is given.
    CoolingOff(CoolingOff, Arc<Currency>),
    BalanceTooLow(Short, Arc<Currency>),
    /// The issuer attests another amount than is needed.
    AttestedOther {
        needed: i64,
        currency: Arc<Currency>,
    },
    /// It attests a debit of another business day than one of these.
    AttestedDay {
        first: NaiveDate,
        last: NaiveDate,
    },
    LimitReached(Box<Reached>, Box<[Arc<Currency>; 2]>),
    /// The card now says something else than the quote did, which cannot be.
    NotAsQuoted(Box<Result<Evaluated, refusal::Refusal>>),
}

impl Command for Order {
    type Refusal = Refusal;

    fn touches(&self) -> Touches {
        Touches {
            wallets: vec![self.from.wallet, self.to.wallet],
            positions: self.positions(),
            quote: Some(self.quote.jti),
            follows: None,
            budgets: self.budgets(),
            tallies: self.tallies(),
        }
    }

    /// Moves the points, or refuses and moves none.
    fn decide(&self, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Refusal> {
        self.may_be_taken(seen, now)?;
        self.must_have_cooled(now)?;
        let evaluated = self.evaluate()?;
        self.must_keep_promises(seen, now)?;
        let evaluated = self.unless_paid(evaluated, seen, now)?;
        self.must_fit(&evaluated)?;
        self.must_be_attested(&evaluated, now)?;
        let sponsored = self.sponsored(&evaluated)?;
        if let Some((sponsorship, sponsored)) = sponsored {
            sponsorship
                .keep(sponsored, seen.given(sponsorship.budget()))
                .map_err(|UsedUp { left }| Refusal::Sponsor(left, sponsorship.money.clone()))?;
        }
        self.must_be_within_limits(&evaluated, seen, now)?;

        let short = |short| Refusal::BalanceTooLow(short, self.from.programme.currency.clone());
        postings::of(self, &evaluated, sponsored, seen, now).map_err(short)
    }
}

impl Order {
    pub fn parties(&self) -> Parties {
        Parties {
            source: self.from.position,
            target: self.to.position,
            gained: self.to.wallet.holders(),
        }
    }

    /// Whether the quote is good still, whatever the wallet holds.
    pub(super) fn may_be_taken(&self, seen: &Seen<'_>, now: Timestamp) -> Result<(), Refusal> {
        for (side, act) in [(&self.from, Act::ConvertOut), (&self.to, Act::ConvertIn)] {
            let allowed = side.programme.must_allow(act, now);
            allowed.map_err(Refusal::Barred)?;
        }
        if let Some(by) = seen.quote_taken {
            return Err(Refusal::QuoteTaken { by });
        }
        let moved = [&self.from, &self.to].map(|side| side.moved_at);
        if moved
            .into_iter()
            .flatten()
            .any(|at| self.quote.may_be_from_before(at))
        {
            return Err(Refusal::Unlinked);
        }
        match self.quote.expires_at() {
            end if end <= now => Err(Refusal::QuoteExpired(end)),
            _ => Ok(()),
        }
    }

    /// Whether the pilots of the two issuers let as much move at once.
    pub(super) fn must_fit(&self, evaluated: &Evaluated) -> Result<(), Refusal> {
        let priced = &evaluated.priced;
        let sides = [
            (&self.from, Act::ConvertOut, priced.taken),
            (&self.to, Act::ConvertIn, priced.total),
        ];
        let mut sides = sides.into_iter();
        sides
            .try_for_each(|(side, act, units)| side.programme.must_fit(act, units))
            .map_err(Refusal::Barred)
    }

    /// Whether the link is old enough for the terms of the source as they are now.
    pub(super) fn must_have_cooled(&self, now: Timestamp) -> Result<(), Refusal> {
        let Programme {
            currency,
            link_terms,
            ..
        } = &self.from.programme;
        match link_terms.cools_until(self.quote.linked_at(), now) {
            None => Ok(()),
            Some(cooling) => Err(Refusal::CoolingOff(cooling, currency.clone())),
        }
    }

    /// Whose money it may move: the two issuers', and that of sponsors.
    fn positions(&self) -> Vec<Account> {
        let shares = self.promises.iter().flat_map(|it| &it.shares);
        let sponsors = shares.map(|share| self.parties().position(share.funder));
        let all = [self.from.position, self.to.position].into_iter();
        let of_card = self.sponsorship.as_ref().map(Sponsorship::position);
        all.chain(sponsors).chain(of_card).collect()
    }

    /// Who pays for it besides the two issuers.
    pub fn sponsors(&self) -> impl Iterator<Item = i64> {
        let own = [self.from.position.owner(), self.to.position.owner()];
        let all = self.positions().into_iter().map(Account::owner);
        all.filter(move |partner| !own.contains(partner))
    }

    /// The promises that add a bonus.
    fn giving(&self) -> impl Iterator<Item = &Promise> {
        self.promises.iter().filter(|promise| promise.gives)
    }

    /// The budgets of campaigns and of the card's sponsor.
    fn budgets(&self) -> Vec<i64> {
        let of_campaigns = self.giving().filter_map(Promise::budget);
        let of_sponsor = self.sponsorship.as_ref().map(Sponsorship::budget);
        of_campaigns.chain(of_sponsor).collect()
    }

    /// What the wallet did before under the limits of the card and of campaigns.
    fn tallies(&self) -> Vec<Wanted> {
        let from = (&*self.from.programme.currency, self.from.wallet);
        let to = self.to.wallet.asset();
        let of_card = limits::wanted(&self.card.terms, from, to, self.at).into_iter();
        let of_campaigns = self.giving().flat_map(|it| it.wanted(from.1, self.at));
        of_card.chain(of_campaigns).collect()
    }

    /// Whether campaigns may still give what they promise.
    fn must_keep_promises(&self, seen: &Seen<'_>, now: Timestamp) -> Result<(), Refusal> {
        for promise in self.giving() {
            let id = promise.campaign.id;
            let marks = seen.marks(promise.tally(self.from.wallet));
            let so_far = promise.standing(seen.given(id), marks);
            let gained = &self.to.programme.currency;
            promise
                .keep(&so_far, now)
                .map_err(|why| Refusal::Campaign(id, Box::new(why), gained.clone()))?;
        }
        Ok(())
    }

    /// What the sponsor of the card pays.
    fn sponsored(
        &self,
        evaluated: &Evaluated,
    ) -> Result<Option<(&Sponsorship, Sponsored)>, Refusal> {
        let Some(sponsorship) = &self.sponsorship else {
            return Ok(None);
        };
        // It fitted when it was quoted.
        let sponsored = sponsorship.pays(evaluated.figures.gross);
        let too_large = |_| Refusal::NotAsQuoted(Box::new(Err(refusal::Refusal::TooLarge)));
        Ok(Some((sponsorship, sponsored.map_err(too_large)?)))
    }

    /// The lot that what is gained goes into: from when on it can be used, or that it awaits a code, and
    /// from when on it can be converted again.
    pub fn lot(&self, now: Timestamp) -> LotKey {
        let (terms, to) = (&self.card.terms, &self.to.programme);
        let mut lot = to.lot(now);
        if let Some(onward) = terms.onward {
            lot = lot.convertible_from(onward.begins(now));
        }
        match terms.delivery.map(|it| it.arrives(to.currency.zone, now)) {
            None => lot,
            Some(Arrival::From(usable_from)) => LotKey { usable_from, ..lot },
            Some(Arrival::ByCode { until }) => lot.awaiting_code(until),
        }
    }

    /// The same without the fee, when another conversion paid it for the period since the quote.
    fn unless_paid(
        &self,
        evaluated: Evaluated,
        seen: &Seen<'_>,
        now: Timestamp,
    ) -> Result<Evaluated, Refusal> {
        let (from, to) = (&self.from.programme.currency, &self.to.programme.currency);
        let side = (&**from, self.from.wallet);
        let marks = |of| seen.marks(of).to_vec();
        let covered = fee::covered(&self.card.terms, side, to.no, marks, now);
        if self.quote.covered || !covered.is_some_and(|it| it.is_paid) {
            return Ok(evaluated);
        }
        let (card, gifts) = (self.card.without_fee(), promise::gifts(&self.promises));
        let (scales, exchange) = (super::scales(from, to), self.exchange.map(|it| it.1));
        card::evaluate_with(&card, &gifts, scales, exchange, self.quote.given)
            .map_err(|refusal| Refusal::NotAsQuoted(Box::new(Err(refusal))))
    }

    pub(super) fn must_be_within_limits(
        &self,
        evaluated: &Evaluated,
        seen: &Seen<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.card.terms.allowances.is_empty() {
            return Ok(());
        }
        let (from, to) = (&self.from.programme.currency, &self.to.programme.currency);
        let limits = limits::limits(
            &self.card.terms,
            super::scales(from, to),
            (from, self.from.wallet),
            to.no,
            |of| seen.marks(of).to_vec(),
            now,
        );
        limits::check(&limits, mark(&evaluated.priced, now)).map_err(|reached| {
            Refusal::LimitReached(Box::new(reached), Box::new([from.clone(), to.clone()]))
        })
    }

    /// Whether what was attested, if anything had to be, is what the quote takes, on a day that counts.
    pub(super) fn must_be_attested(
        &self,
        evaluated: &Evaluated,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(attested) = self.attested else {
            return Ok(());
        };
        let (needed, currency) = (evaluated.priced.taken, &self.from.programme.currency);
        if attested.units != needed {
            let currency = currency.clone();
            return Err(Refusal::AttestedOther { needed, currency });
        }
        let (first, last) = attested::days(currency.zone, now);
        match (first..=last).contains(&attested.on) {
            true => Ok(()),
            false => Err(Refusal::AttestedDay { first, last }),
        }
    }

    /// The same function that priced the quote, on the same card, campaigns, amount and exchange rate.
    pub(super) fn evaluate(&self) -> Result<Evaluated, Refusal> {
        let exchange = self.exchange.map(|(_, exchange)| exchange);
        let (from, to) = (&self.from.programme, &self.to.programme);
        let scales = super::scales(&from.currency, &to.currency);
        let gifts = promise::gifts(&self.promises);
        let promised = self.giving();
        let given = self.quote.given;
        let card = fee::charging(&self.card, self.quote.covered);
        match card::evaluate_with(&card, &gifts, scales, exchange, given) {
            Ok(evaluated)
                if evaluated.priced.total == self.quote.gained
                    && promised.map(|it| &it.units).eq(&evaluated.gifts) =>
            {
                Ok(evaluated)
            }
            other => Err(Refusal::NotAsQuoted(Box::new(other))),
        }
    }
}

/// What a conversion counts in its tallies.
pub fn mark(priced: &Priced, at: Timestamp) -> Mark {
    Mark {
        at,
        given: priced.taken,
        gained: priced.total,
        times: 1,
    }
}
