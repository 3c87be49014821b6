//! What an operation posts, as transfers: debit one account, credit another, by one amount of one
//! asset.
//!
//! | | unit book | debit | credit |
//! |-|-----------|-------|--------|
//! | leg out | per currency | members | the kind's out-flow |
//! | leg in  | per currency | the kind's in-flow | members |
//!
//! Where the issuer keeps the balances, `kept_by_partner` stands where `members` does: units that the
//! issuer attests it debited come from there, and units that it is to credit go there.
//!
//! | value book | debit | credit | amount |
//! |------------|-------|--------|--------|
//! | always | pays | commission | commission |
//! | one money | pays | paid | value |
//! | | pays | rounding | residual |
//! | two moneys | pays | fx_clearing of its money | net |
//! | | fx_clearing of the other | paid | value |
//! | | fx_clearing of the other | rounding | residual |
//!
//! What an operation posts besides (`transfers`: bonuses, fees) is written out. Points among it that
//! leave or enter the members of a leg's currency are a part of that leg, which the flow account of the
//! kind is then spared: 1,300 gained of which 300 are a bonus are 1,000 from `converted_in`; 950 gained
//! after a fee of 50 are 1,000 from there too, and 1,020 that leave with a fee of 20 are 1,000 to
//! `converted_out`.
//!
//! A reversal carries the figures of what it undoes and posts its money the other way round. An amount
//! below zero, as the last digit of a part may be, is a transfer the other way round too.
//! Sums of these are kept per window as operations are written; `verify` makes them again.

use std::collections::BTreeMap;

use super::caps::owed::Owed;
use super::operation::{Figures, Kind, Operation, Transfer};
use crate::points::account::{Account, AccountKind};
use crate::points::money::Micros;

/// The version of these rules, kept on each group.
pub const RULES: i16 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    pub kind: Kind,
    pub debit: Account,
    pub credit: Account,
}

/// How much moved between a pair of accounts, in how many operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub amount: i64,
    pub operations: i64,
}

pub type Sums = BTreeMap<Pair, Sum>;

/// Adds what the operation posts. Fails when a sum outgrows 64 bits.
pub fn add(sums: &mut Sums, operation: &Operation) -> Option<()> {
    let kind = operation.kind;
    let mut post = |debit: Account, credit: Account, amount: i64| {
        if amount == 0 || debit == credit {
            return Some(());
        }
        let (debit, credit) = match amount > 0 {
            true => (debit, credit),
            false => (credit, debit),
        };
        let sum = sums
            .entry(Pair {
                kind,
                debit,
                credit,
            })
            .or_default();
        sum.amount = sum.amount.checked_add(amount.abs())?;
        sum.operations += 1;
        Some(())
    };
    // What is written out of the points that leave the members of a currency, less those that enter.
    let written = |members: Account| -> i64 {
        let of = |it: &Transfer| match (it.debit == members, it.credit == members) {
            (true, false) => it.amount,
            (false, true) => -it.amount,
            (true, true) | (false, false) => 0,
        };
        operation.transfers.iter().map(of).sum()
    };
    if let (Some(leg), Some(flow)) = (operation.out, kind.out_flow()) {
        let (asset, members) = (leg.wallet.asset(), leg.wallet.holders());
        let rest = leg.amount - written(members);
        post(members, Account::of(flow, asset), rest)?;
    }
    if let (Some(leg), Some(flow)) = (operation.into, kind.in_flow()) {
        let (asset, members) = (leg.wallet.asset(), leg.wallet.holders());
        let rest = leg.amount + written(members);
        post(Account::of(flow, asset), members, rest)?;
    }
    for transfer in operation.figures.iter().flat_map(of_figures) {
        let transfer = match kind.is_reversal() {
            false => transfer,
            true => transfer.turned(),
        };
        post(transfer.debit, transfer.credit, transfer.amount)?;
    }
    for transfer in &operation.transfers {
        post(transfer.debit, transfer.credit, transfer.amount)?;
    }
    Some(())
}

/// How much more each position owes after an operation: each once, also a partner's that deals with
/// itself. What a reversal credits undoes a debit, and what it debits a credit.
pub fn owed_more(
    kind: Kind,
    figures: Option<&Figures>,
    transfers: &[Transfer],
) -> Vec<(Account, Owed)> {
    let of_figures = figures.into_iter().flat_map(of_figures).map(|transfer| {
        let posted = match kind.is_reversal() == (transfer.amount < 0) {
            true => transfer,
            false => transfer.turned(),
        };
        let amount = posted.amount.abs();
        Transfer { amount, ..posted }
    });
    let mut changes: Vec<(Account, Owed)> = Vec::with_capacity(2);
    for transfer in of_figures.chain(transfers.iter().copied()) {
        if transfer.debit == transfer.credit {
            continue;
        }
        for (account, change) in sides(kind, &transfer) {
            if !account.is(AccountKind::Position) {
                continue;
            }
            match changes.iter_mut().find(|(known, _)| *known == account) {
                Some((_, sum)) => *sum += change,
                None => changes.push((account, change)),
            }
        }
    }
    changes
}

/// What a transfer makes of the sums of the accounts on its two sides.
fn sides(kind: Kind, it: &Transfer) -> [(Account, Owed); 2] {
    let (owed, reverses) = (it.amount, kind.is_reversal());
    let [debited, credited] = if reverses { [-owed, 0] } else { [0, owed] };
    let change = |owed, credited| Owed { owed, credited };
    [
        (it.debit, change(owed, debited)),
        (it.credit, change(-owed, credited)),
    ]
}

/// The money of a conversion. Some may be of nothing, or from an account to itself.
pub fn of_figures(figures: &Figures) -> Vec<Transfer> {
    let Figures {
        pays,
        paid,
        gross: _,
        commission,
        net,
        converted: _,
        value,
        residual,
    } = *figures;
    let hub = |kind, asset| Account::of(kind, asset);
    let to_hub = (pays, hub(AccountKind::Commission, pays.asset()), commission);
    let rounding = hub(AccountKind::Rounding, paid.asset());
    let mut money = vec![to_hub];
    if pays.asset() == paid.asset() {
        money.extend([(pays, paid, value), (pays, rounding, residual)]);
    } else {
        let leaves = hub(AccountKind::FxClearing, pays.asset());
        let returns = hub(AccountKind::FxClearing, paid.asset());
        money.extend([
            (pays, leaves, net),
            (returns, paid, value),
            (returns, rounding, residual),
        ]);
    }
    let transfer = |(debit, credit, Micros(amount))| Transfer {
        debit,
        credit,
        amount,
    };
    money.into_iter().map(transfer).collect()
}
