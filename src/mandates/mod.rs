//! Mandates: a partner awards points of a currency that another issues.
//!
//! The issuer and the partner agree on [terms](mandate::Terms): who pays what, for which reasons, how much, from
//! which day to which. `purchased`, the partner buys what it awards (a bank that gives miles); `mandated`, the
//! issuer gives it and pays a fee at most (a brand that sells through retailers). One proposes and the other
//! agrees to exactly that; either ends it at once. Terms never change: other ones are another mandate.
//!
//! An [award](mod@award) under a mandate is an award with [money](mandate::Mandate::figures) between the two positions,
//! so caps and cover count it, and a reversal undoes both at the rate of then. What was awarded is counted in
//! [budgets](crate::ledger::budget), which every hub locks before it gives of them: the last unit of a cap is
//! sold once, and comes back when its award is undone.
//!
//! A `receipt` is the name of an award among all that anybody makes of the issuer's points, for ever: what was
//! awarded for a purchase at one retailer is not awarded for it at another. It is kept as the issuer's
//! reference.
//!
//! Lock order: the mandate's row, then its approval, then the gate.

pub mod api;
pub mod award;
pub mod mandate;
pub mod store;

use std::sync::Arc;

use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::awards::Award;
use crate::partners::life::Act;
use crate::partners::{self, Currency};
use crate::points::account::Account;
use crate::rates::{self, Book};
use award::MandatedAward;
use mandate::{Mandate, State, Terms};

/// What approvals call a mandate.
const SUBJECT: &str = "mandate";

/// What a partner proposes to another.
pub struct Proposed {
    pub currency: Arc<Currency>,
    /// Who is to award.
    pub partner: i64,
    pub terms: Terms,
}

/// Asks the other side to agree. Either of the two may.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    by: i64,
    proposed: &Proposed,
) -> Result<Mandate, Error> {
    let Proposed {
        currency,
        partner,
        terms,
    } = proposed;
    terms
        .check()
        .map_err(|(pointer, rule)| Problem::field(pointer, rule))?;
    both_must(conn, currency.issuer, *partner, Act::AgreeRates).await?;

    let hash = terms.hash((currency.no, *partner));
    let id = store::insert(conn, who, (currency.no, *partner, by), terms, &hash).await?;
    let mandate = find(conn, id).await?;
    let subject = Subject {
        kind: SUBJECT,
        id,
        shown: ids.show(Kind::Mandate, id),
    };
    let parties = [currency.issuer, *partner].map(PartyName::Partner);
    approvals::open(conn, who, &subject, &hash, &parties).await?;
    record(conn, who, &mandate, None, State::Proposed).await?;
    Ok(mandate)
}

/// Agrees to what the hash covers: it is in force from its first day on.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    (id, by): (i64, i64),
    read: &[u8],
) -> Result<Mandate, Error> {
    let mandate = lock(conn, id, Some(by)).await?;
    must_be(&mandate, State::Proposed)?;
    both_must(conn, mandate.issuer, mandate.partner, Act::AgreeRates).await?;
    approvals::decide(conn, who, (SUBJECT, id), read, Verdict::Approved).await?;
    turn(conn, who, mandate, State::Agreed).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    (id, by): (i64, i64),
    read: &[u8],
) -> Result<Mandate, Error> {
    let mandate = lock(conn, id, Some(by)).await?;
    must_be(&mandate, State::Proposed)?;
    approvals::decide(conn, who, (SUBJECT, id), read, Verdict::Rejected).await?;
    turn(conn, who, mandate, State::Rejected).await
}

/// Ends it at once, for either side and for the hub: nothing more is awarded under it. What was only proposed
/// is withdrawn.
pub async fn end(
    conn: &mut Connection,
    who: &Who,
    (id, by): (i64, Option<i64>),
) -> Result<Mandate, Error> {
    let mandate = lock(conn, id, by).await?;
    let state = match mandate.state {
        State::Agreed => State::Ended,
        State::Proposed => State::Withdrawn,
        _ => return Err(api::no_such_step(&mandate).into()),
    };
    approvals::cancel(conn, who, (SUBJECT, id)).await?;
    turn(conn, who, mandate, state).await
}

/// An award as a partner makes it under a mandate, at the exchange rate that is published.
pub fn award(book: &Book, mandate: Mandate, award: Award) -> Result<MandatedAward, Error> {
    let directory = &book.directory;
    let position = |partner: i64| {
        let money = directory.money_of(partner);
        let money = money.ok_or_else(|| anyhow::anyhow!("partner {partner} has no money"))?;
        Ok::<_, Error>(Account::position(partner, money.no))
    };
    let sides = [position(mandate.issuer)?, position(mandate.partner)?];
    let [issuer, partner] = sides.map(Account::asset);
    let exchange = match mandate.costs() {
        true => book.exchange(partner, issuer),
        false => Ok(None),
    };
    let exchange = exchange.map_err(|missing| rates::api::no_exchange(missing, directory))?;
    let (exchange_rate_id, exchange) = exchange.unzip();
    let amount = (award.amount, award.programme.currency.scale);
    let figures = mandate.figures(amount, sides, exchange);
    let figures = figures.map_err(|_| {
        let rule = "an amount whose price is money that can be counted";
        Problem::field("/amount/amount", rule)
    })?;
    Ok(MandatedAward {
        award,
        mandate,
        figures,
        exchange_rate_id,
    })
}

/// A mandate, for one of its two sides or for the hub.
async fn seen(conn: &mut Connection, id: i64, by: Option<i64>) -> Result<Mandate, Error> {
    let found = store::find(conn, id).await?;
    Ok(theirs(found, by)?)
}

async fn lock(conn: &mut Connection, id: i64, by: Option<i64>) -> Result<Mandate, Error> {
    let found = store::lock(conn, id).await?;
    Ok(theirs(found, by)?)
}

fn theirs(found: Option<Mandate>, by: Option<i64>) -> Result<Mandate, Problem> {
    let found = found.filter(|mandate| by.is_none_or(|by| mandate.is_between(by)));
    found.ok_or_else(unknown)
}

async fn find(conn: &mut Connection, id: i64) -> Result<Mandate, Error> {
    seen(conn, id, None).await
}

fn must_be(mandate: &Mandate, state: State) -> Result<(), Problem> {
    match mandate.state == state {
        true => Ok(()),
        false => Err(api::no_such_step(mandate)),
    }
}

async fn both_must(
    conn: &mut Connection,
    issuer: i64,
    partner: i64,
    act: Act,
) -> Result<(), Error> {
    for one in [issuer, partner] {
        partners::must_allow(conn, one, act).await?;
    }
    Ok(())
}

/// Nothing that was decided on what it was before is committed after it.
async fn turn(
    conn: &mut Connection,
    who: &Who,
    mandate: Mandate,
    state: State,
) -> Result<Mandate, Error> {
    store::mark(conn, mandate.id, state).await?;
    record(conn, who, &mandate, Some(mandate.state), state).await?;
    db::publish(conn).await?;
    Ok(Mandate { state, ..mandate })
}

async fn record(
    conn: &mut Connection,
    who: &Who,
    mandate: &Mandate,
    before: Option<State>,
    after: State,
) -> Result<(), Error> {
    let about = audit::Subject::Mandate.no(mandate.id);
    let about = about.of([mandate.issuer, mandate.partner]);
    audit::record(conn, who, about, before.map(State::name), after.name()).await
}

/// Refuses a partner that may not award now.
fn must_award(book: &Book, partner: i64, now: Timestamp) -> Result<(), Problem> {
    let partner = book.directory.partner(partner).ok_or_else(unknown)?;
    partner.must_allow(Act::Award, now)
}

fn unknown() -> Problem {
    Problem::new(
        Slug::NotFound,
        "there is no such mandate, or it is between others",
    )
}
