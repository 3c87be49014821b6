//! What a conversion through a third currency gave and cost is what its two cards say.

use super::store::Terms;
use crate::conversions::bonus::Parties;
use crate::conversions::through::leg::{self, Evaluation, Leg};
use crate::conversions::{limits, postings};
use crate::ledger::operation::{Leg as WalletLeg, Operation};
use crate::ledger::tally;
use crate::points::account::{Account, AccountKind};
use crate::rates::card::{self, Card, Evaluated};
use crate::rates::chain;

pub(super) fn check(
    terms: &Terms,
    operation: &Operation,
    (out, into): (WalletLeg, WalletLeg),
) -> Result<(), String> {
    let memo = operation.memo.as_ref();
    let legs = leg::remembered(memo);
    let [first, second] = &legs[..] else {
        return Err("has neither figures nor two legs".into());
    };
    let ends = [
        (first.from, first.given) == (out.wallet.asset(), out.amount),
        (second.from, second.given) == (first.to, first.gained),
        (into.wallet.asset(), into.amount) == (second.to, second.gained),
    ];
    if ends.contains(&false) {
        return Err("its legs do not begin where the one before them ends".into());
    }
    let (first_card, first_made) = evaluated(terms, first)?;
    let (second_card, second_made) = evaluated(terms, second)?;
    chain::join(first_card, second_card)
        .map_err(|apart| format!("its cards do not join: {apart:?}"))?;
    if second_made.priced.left != 0 {
        return Err("its second card does not take all that the first gave".into());
    }

    let fee = postings::fee(&first_made, terms.fee_money(first_card));
    let between = Account::of(AccountKind::Members, first.to);
    let (right, transfers) = leg::posted(&[
        Evaluation {
            fee,
            ..evaluation(first, first_card, &first_made, (out.wallet, between))
        },
        evaluation(second, second_card, &second_made, (between, into.wallet)),
    ]);
    if legs != right {
        return Err(format!("its legs are {legs:?} and should be {right:?}"));
    }
    if operation.transfers != transfers {
        return Err("its legs are not posted as their cards say".into());
    }
    if postings::fee_kept(memo) != fee {
        return Err("its fee is not what its card says".into());
    }
    let counted = limits::kept(&first_card.terms, out.wallet, first.to);
    let gained = (!counted.is_empty()).then_some(first.gained);
    if (tally::kept(memo), tally::gained(memo)) != (counted, gained) {
        return Err("it is not counted as its card says".into());
    }
    Ok(())
}

/// The card of a leg and what it makes of what the leg gave, between the positions of its issuers.
fn evaluated<'a>(terms: &'a Terms, leg: &Leg) -> Result<(&'a Card, Evaluated), String> {
    let card = terms.card(leg.card);
    let card = card.ok_or_else(|| format!("there is no rate card {}", leg.card))?;
    let (pays, paid) = (Account(leg.pays), Account(leg.paid));
    for (currency, position) in [(leg.from, pays), (leg.to, paid)] {
        if terms.position(currency) != Some(position) {
            return Err(format!(
                "{} is not the position of the issuer of currency {currency}",
                position.0
            ));
        }
    }
    let exchange = terms.exchange(leg.exchange_rate, pays.asset(), paid.asset());
    let scales = terms.scales(leg.from, leg.to);
    let scales = scales.ok_or("is of an unknown currency")?;
    let evaluated = card::evaluate(card, scales, exchange, leg.given)
        .map_err(|refusal| format!("its card refuses the amount: {refusal:?}"))?;
    Ok((card, evaluated))
}

fn evaluation<'a>(
    leg: &Leg,
    card: &'a Card,
    evaluated: &'a Evaluated,
    (from, to): (Account, Account),
) -> Evaluation<'a> {
    Evaluation {
        card_id: leg.card,
        card,
        exchange_rate: leg.exchange_rate,
        from: from.holders(),
        parties: Parties {
            source: Account(leg.pays),
            target: Account(leg.paid),
            gained: to.holders(),
        },
        evaluated,
        fee: None,
    }
}
