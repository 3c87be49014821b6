//! What moves when a quote is taken.
//!
//! | account                           |   given |  gained |   money |
//! |-----------------------------------|--------:|--------:|--------:|
//! | member, at the giving side        |  −gives |         |         |
//! | giving programme, converted out   |   gives |         |         |
//! | giving programme, fees            |    fee  |         |         |
//! | gaining programme, converted in   |         |   −base |         |
//! | gaining programme, bonus          |         | −bonuses |        |
//! | member, at the gaining side       |         |   gains |         |
//! | gaining programme, fees           |         |     fee |         |
//! | position of the giving issuer     |         |         |  −gross |
//! | position of the gaining issuer    |         |         |   value |
//! | commission, rounding, fx clearing |         |         | the rest |
//!
//! Each column sums to zero, the last per money (see `ledger::transfer`). Each part of a bonus is a lot
//! of its own, and its funder pays the gaining issuer for it ([`super::bonus`]). A sponsor of the card pays
//! the giving issuer a share of the gross ([`super::sponsorships::sponsored`]). A member's fee in money that
//! is the hub's is owed by the giving issuer, who collects it; one in points is on one of the two sides, and
//! is taken off the base where that is the gaining one ([`super::fee`]).

use serde_json::{Map, Value, json};

use super::bonus::Parties;
use super::decision::{self, Order, Side};
use super::fee;
use super::limits;
use super::promises::promise::{self, Promise};
use super::sponsorships::Sponsorship;
use super::through::passage::Passage;
use super::transfers::attested;
use crate::clock::Timestamp;
use crate::ledger::budget::{self, Given};
use crate::ledger::command::{Decided, Seen};
use crate::ledger::lot::{LotKey, Short};
use crate::ledger::operation::{Figures, Kind, Transfer};
use crate::ledger::tally::{self, Kept};
use crate::partners::Money;
use crate::points::account::{Account, AccountKind, Asset};
use crate::points::money::Micros;
use crate::rates::card::{Card, Evaluated};
use crate::rates::settlement::{self, FeeTo};
use crate::rates::sponsor::Sponsored;

pub fn of(
    order: &Order,
    evaluated: &Evaluated,
    sponsored: Option<(&Sponsorship, Sponsored)>,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<Decided, Short> {
    let to = &order.to;
    let wallets = [order.from.wallet, to.wallet];
    let decided = taking(order, evaluated.priced.taken, seen, now)?;
    let decided = extending(to, decided, seen, now);
    let (priced, parties) = (&evaluated.priced, order.parties());
    let fee = fee(evaluated, order.fee_money.as_ref());
    let (kept, budgets) = counted(
        &order.card,
        evaluated,
        (&order.promises, sponsored),
        wallets,
    );
    let mark = decision::mark(priced, now);
    let lots = lots(order, evaluated, now);
    let given = order.from.wallet.holders();
    Ok(Decided {
        figures: Some(figures(evaluated, parties)),
        transfers: transfers(&order.card, evaluated, parties, sponsored, fee, given),
        memo: memo(order, evaluated, fee, (&kept, &budgets)),
        marks: kept.iter().map(|kept| kept.mark(mark)).collect(),
        budgets,
        card_id: Some(order.card_id),
        exchange_rate_id: order.exchange.map(|(id, _)| id),
        quote: Some(order.quote.jti),
        ..decided.giving_lots(seen, to.wallet, &lots)
    })
}

/// What moves when a quote through a third currency is taken.
pub fn through(
    passage: &Passage,
    evaluated: &[Evaluated; 2],
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<Decided, Short> {
    let Passage { first, second } = passage;
    let decided = taking(first, evaluated[0].priced.taken, seen, now)?;
    let decided = extending(&second.to, decided, seen, now);
    let (legs, transfers) = passage.posted(evaluated);
    let fee = fee(&evaluated[0], first.fee_money.as_ref());
    let kept = limits::kept(
        &first.card.terms,
        first.from.wallet,
        first.to.wallet.asset(),
    );
    let mark = decision::mark(&evaluated[0].priced, now);
    let memo = memo(first, &evaluated[0], fee, (&kept, &[]));
    let mut memo = memo.unwrap_or_else(|| json!({}));
    memo["legs"] = json!(legs);
    if !kept.is_empty() {
        memo["gained"] = json!(mark.gained);
    }
    Ok(Decided {
        transfers,
        memo: Some(memo),
        marks: kept.iter().map(|kept| kept.mark(mark)).collect(),
        quote: Some(first.quote.jti),
        ..decided.giving_lots(seen, second.to.wallet, &lots(second, &evaluated[1], now))
    })
}

/// Takes what is given, and lets the rest of the wallet live longer where activity does that.
fn taking(order: &Order, used: i64, seen: &Seen<'_>, now: Timestamp) -> Result<Decided, Short> {
    let (from, terms) = (&order.from, &order.card.terms);
    must_leave_enough(order, used, seen, now)?;
    let decided =
        Decided::new(Kind::Conversion).taking_only(seen, from.wallet, used, now, |lot| {
            limits::takes(terms, lot, now)
        })?;
    Ok(extending(from, decided, seen, now))
}

fn extending(side: &Side, decided: Decided, seen: &Seen<'_>, now: Timestamp) -> Decided {
    match side.programme.extends_to(now) {
        Some(until) => decided.extending(seen, side.wallet, until, now),
        None => decided,
    }
}

/// The money of the base, between the positions of the two issuers.
pub fn figures(evaluated: &Evaluated, parties: Parties) -> Figures {
    let settlement::Figures {
        gross,
        commission,
        net,
        net_converted,
        value,
        residual,
    } = evaluated.figures;
    Figures {
        pays: parties.source,
        paid: parties.target,
        gross,
        commission,
        net,
        converted: net_converted,
        value,
        residual,
    }
}

/// The lots that what is gained goes into: each funder's part of a bonus is one of its own.
fn lots(order: &Order, evaluated: &Evaluated, now: Timestamp) -> Vec<(LotKey, i64)> {
    let (lot, parties) = (order.lot(now), order.parties());
    let bonuses: i64 = evaluated.grants.iter().map(|grant| grant.units).sum();
    let mut lots = vec![(lot, evaluated.priced.total - bonuses)];
    lots.extend(evaluated.grants.iter().map(|grant| {
        let funder = parties.position(grant.funder).owner();
        (lot.funded_by(funder), grant.units)
    }));
    lots
}

/// Of the wallet that gives, only a card that says so keeps something or leaves points out. Where its issuer
/// keeps the balance, the issuer has seen to that.
fn must_leave_enough(
    order: &Order,
    used: i64,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<(), Short> {
    let terms = &order.card.terms;
    let is_ours = !order.from.wallet.is_kept_by_partner();
    if !is_ours || terms.keep.is_none() && terms.excludes.is_empty() {
        return Ok(());
    }
    let (from, to) = (&order.from.programme, &order.to.programme);
    let lots = seen.wallet(order.from.wallet).lots.iter();
    let lots = lots.map(|(key, lot)| (*key, lot.available));
    let scales = super::scales(&from.currency, &to.currency);
    limits::must_be_usable(limits::usable(terms, scales, lots, now), used)
}

/// What the member pays in money, in which.
pub fn fee(evaluated: &Evaluated, money: Option<&Money>) -> Option<(Asset, Micros)> {
    let (units, money) = evaluated.priced.fee.zip(money)?;
    let fee = Micros::of_units(units, money.scale)?;
    (fee > Micros::ZERO).then_some((money.no, fee))
}

/// Where a conversion between two wallets is counted: under the limits of its card, with a fee that covers
/// a period, under the limits and in the budgets of campaigns, and in that of its sponsor.
pub fn counted(
    card: &Card,
    evaluated: &Evaluated,
    (promises, sponsored): (&[Promise], Option<(&Sponsorship, Sponsored)>),
    [from, to]: [Account; 2],
) -> (Vec<Kept>, Vec<Given>) {
    let (terms, to) = (&card.terms, to.asset());
    let mut kept = limits::kept(terms, from, to);
    let paid = fee::paid_key(terms, &evaluated.priced, from, to);
    kept.extend(paid.map(|of| Kept { of, parts: None }));
    let (of_campaigns, mut given) = promise::counted(promises, &evaluated.grants, from);
    kept.extend(of_campaigns);
    given.extend(sponsored.map(|(by, sponsored)| by.given(sponsored)));
    (kept, given)
}

/// What the operation remembers: the day of an attested debit, the fee in money, whether it was paid before,
/// where it is counted, what campaigns gave, and the rates sponsors pay at.
fn memo(
    order: &Order,
    evaluated: &Evaluated,
    fee: Option<(Asset, Micros)>,
    (tallies, budgets): (&[Kept], &[Given]),
) -> Option<Value> {
    let Order {
        promises, rates, ..
    } = order;
    let mut memo = Map::new();
    if let Some(attested) = order.attested {
        memo.insert(attested::REMEMBERED.into(), attested::memo(attested));
    }
    if let Some((money, Micros(amount))) = fee {
        memo.insert("fee".into(), json!({"money": money, "amount": amount}));
    }
    if fee::is_covered(&order.card.terms, &evaluated.priced) {
        memo.insert(fee::COVERED.into(), json!(true));
    }
    if !tallies.is_empty() {
        memo.insert("tallies".into(), tally::memo(tallies));
    }
    if !budgets.is_empty() {
        memo.insert("budgets".into(), budget::memo(budgets));
    }
    if !promises.is_empty() {
        let kept: Vec<_> = promises.iter().map(Promise::remembered).collect();
        memo.insert("campaigns".into(), json!(kept));
    }
    if !rates.is_empty() {
        memo.insert("rates".into(), json!(rates));
    }
    (!memo.is_empty()).then_some(Value::Object(memo))
}

/// The fee that an operation keeps.
pub fn fee_kept(memo: Option<&Value>) -> Option<(Asset, Micros)> {
    let fee = memo?.get("fee")?;
    let money = fee.get("money")?.as_i64()?.try_into().ok()?;
    Some((money, Micros(fee.get("amount")?.as_i64()?)))
}

/// What is posted besides the legs and the figures.
pub fn transfers(
    card: &Card,
    evaluated: &Evaluated,
    parties: Parties,
    sponsored: Option<(&Sponsorship, Sponsored)>,
    fee: Option<(Asset, Micros)>,
    given: Account,
) -> Vec<Transfer> {
    let sponsored = sponsored.map(|(by, sponsored)| by.transfers(parties.source, sponsored));
    let sponsored = sponsored.into_iter().flatten();
    let bonuses = evaluated.grants.iter();
    let bonuses = bonuses.flat_map(|grant| parties.transfers(grant));
    let fee = fee.filter(|_| card.settlement.fee_to() == FeeTo::Hub);
    let fee = fee.map(|(money, Micros(amount))| Transfer {
        debit: parties.source,
        credit: Account::of(AccountKind::MemberFees, money),
        amount,
    });
    let sides = (given.asset(), parties.gained.asset());
    let points = fee::points(&evaluated.priced, sides).map(|(asset, units)| {
        let payer = if asset == given.asset() {
            given
        } else {
            parties.gained
        };
        fee::transfer(payer, units)
    });
    sponsored.chain(bonuses).chain(fee).chain(points).collect()
}
