//! What moves when a quote is taken.
//!
//! | account                           |   given |  gained |   money |
//! |-----------------------------------|--------:|--------:|--------:|
//! | member, at the giving side        |  −gives |         |         |
//! | giving programme, converted out   |   gives |         |         |
//! | gaining programme, converted in   |         |   −base |         |
//! | gaining programme, bonus          |         | −bonuses |        |
//! | member, at the gaining side       |         |   gains |         |
//! | position of the giving issuer     |         |         |  −gross |
//! | position of the gaining issuer    |         |         |   value |
//! | commission, rounding, fx clearing |         |         | the rest |
//!
//! Each column sums to zero, the last per money (see `ledger::transfer`). Each part of a bonus is a lot
//! of its own, and its funder pays the gaining issuer for it ([`super::bonus`]). A sponsor of the card pays
//! the giving issuer a share of the gross ([`super::sponsored`]). A member's fee that is
//! the hub's is owed by the giving issuer, who collects it.

use serde_json::{Map, Value, json};

use super::bonus::Parties;
use super::decision::{self, Order};
use super::limits;
use super::promise::Promise;
use super::sponsored::Sponsorship;
use crate::clock::Timestamp;
use crate::ledger::command::{Decided, Seen};
use crate::ledger::lot::Short;
use crate::ledger::operation::{Figures, Kind, Transfer};
use crate::ledger::tally::{self, TallyKey};
use crate::ledger::uses;
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
    let (from, to) = (&order.from, &order.to);
    let (terms, used) = (&order.card.terms, evaluated.priced.used);
    must_leave_enough(order, used, seen, now)?;
    let mut decided =
        Decided::new(Kind::Conversion).taking_only(seen, from.wallet, used, now, |lot| {
            limits::takes(terms, lot, now)
        })?;
    if let Some(until) = from.programme.extends_to(now) {
        decided = decided.extending(seen, from.wallet, until, now);
    }
    if let Some(until) = to.programme.extends_to(now) {
        decided = decided.extending(seen, to.wallet, until, now);
    }
    let settlement::Figures {
        gross,
        commission,
        net,
        net_converted,
        value,
        residual,
    } = evaluated.figures;
    let parties = order.parties();
    let fee = fee(evaluated, order.fee_money.as_ref());
    let lot = order.lot(now);
    let keys = limits::keys(terms, from.wallet, to.wallet.asset());
    let mark = decision::mark(&evaluated.priced, now);
    let mut lots = vec![(lot, evaluated.priced.base)];
    lots.extend(evaluated.grants.iter().map(|grant| {
        let funder = parties.position(grant.funder).owner();
        (lot.funded_by(funder), grant.units)
    }));
    Ok(Decided {
        figures: Some(Figures {
            pays: from.position,
            paid: to.position,
            gross,
            commission,
            net,
            converted: net_converted,
            value,
            residual,
        }),
        transfers: transfers(&order.card, evaluated, parties, sponsored, fee),
        memo: memo(fee, &keys, &order.promises, &order.rates, sponsored),
        marks: keys.into_iter().map(|key| (key, mark)).collect(),
        uses: order
            .uses()
            .chain(sponsored.map(|(sponsorship, sponsored)| sponsorship.uses(sponsored)))
            .collect(),
        card_id: Some(order.card_id),
        exchange_rate_id: order.exchange.map(|(id, _)| id),
        quote: Some(order.quote.jti),
        ..decided.giving_lots(seen, to.wallet, &lots)
    })
}

/// Of the wallet that gives, only a card that says so keeps something or leaves points out.
fn must_leave_enough(
    order: &Order,
    used: i64,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<(), Short> {
    let terms = &order.card.terms;
    if terms.keep.is_none() && terms.excludes.is_empty() {
        return Ok(());
    }
    let (from, to) = (&order.from.programme, &order.to.programme);
    let lots = seen.wallet(order.from.wallet).lots.iter();
    let lots = lots.map(|(key, lot)| (*key, lot.available));
    let scales = super::scales(&from.currency, &to.currency);
    limits::must_be_usable(limits::usable(terms, scales, lots, now), used)
}

/// What the member pays, in which money.
pub fn fee(evaluated: &Evaluated, money: Option<&Money>) -> Option<(Asset, Micros)> {
    let (units, money) = evaluated.priced.fee.zip(money)?;
    let fee = Micros::of_units(units, money.scale)?;
    (fee > Micros::ZERO).then_some((money.no, fee))
}

/// What the operation remembers: the fee, what it is counted in, what campaigns gave, the rates sponsors
/// pay at, and what the sponsor of the card paid.
fn memo(
    fee: Option<(Asset, Micros)>,
    tallies: &[TallyKey],
    promises: &[Promise],
    rates: &[i64],
    sponsored: Option<(&Sponsorship, Sponsored)>,
) -> Option<Value> {
    let mut memo = Map::new();
    if let Some((money, Micros(amount))) = fee {
        memo.insert("fee".into(), json!({"money": money, "amount": amount}));
    }
    if !tallies.is_empty() {
        memo.insert("tallies".into(), tally::memo(tallies));
    }
    if !promises.is_empty() {
        let kept: Vec<_> = promises.iter().map(Promise::remembered).collect();
        memo.insert("campaigns".into(), json!(kept));
    }
    if !rates.is_empty() {
        memo.insert("rates".into(), json!(rates));
    }
    if let Some((sponsorship, sponsored)) = sponsored {
        memo.insert("uses".into(), uses::memo(&[sponsorship.uses(sponsored)]));
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
    sponsored.chain(bonuses).chain(fee).collect()
}
