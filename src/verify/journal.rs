//! The journal, taken operation by operation: what each must be, and what they sum to.

use std::collections::HashMap;

use super::chain::Chain;
use super::fees::Fees;
use super::store::{Groups, References, Terms};
use super::{Difference, Report, Stopped, through};
use crate::conversions::bonus::Parties;
use crate::conversions::promises::promise::{self, Promise};
use crate::conversions::sponsorships::Sponsorship;
use crate::conversions::transfers::attested;
use crate::conversions::{fee, postings};
use crate::ledger::awards;
use crate::ledger::budget;
use crate::ledger::follow_ups::before;
use crate::ledger::freeze;
use crate::ledger::operation::{self, Figures, Kind, Operation};
use crate::ledger::tally;
use crate::ledger::transfer::{self, RULES, Sums};
use crate::partners::expiry::business_day;
use crate::points::account::{Account, AccountKind};
use crate::rates::card::{self, Card};
use crate::rates::settlement::Exchange;

/// What is carried from one operation to the next. Grows with windows, accounts and cards, not with
/// operations.
pub struct Proof {
    pub groups: Groups,
    pub references: References,
    pub chain: Chain,
    terms: Terms,
    fees: Fees,
    /// Of the group that is being read.
    gathered: Vec<Operation>,
    /// Per window.
    pub sums: HashMap<i64, Sums>,
}

impl Proof {
    pub fn new(terms: Terms, chain: Chain) -> Proof {
        Proof {
            groups: Groups::default(),
            references: References::default(),
            chain,
            terms,
            fees: Fees::default(),
            gathered: Vec::new(),
            sums: HashMap::new(),
        }
    }

    /// The next operation, in the order of their ids.
    pub fn take(&mut self, operation: Operation, report: &mut Report) -> Result<(), Stopped> {
        let group = operation::group_of(operation.id);
        if self.gathered[..]
            .first()
            .is_some_and(|first| operation::group_of(first.id) != group)
        {
            self.finish_group(report)?;
        }
        legs_are_sums_of_lots(&operation)?;
        if matches!(operation.kind, Kind::Freeze | Kind::Thaw) && !freeze::is_whole(&operation) {
            let (kind, id) = (operation.kind.name(), operation.id);
            let what = format!("{kind} {id} does not only turn lots of one wallet");
            return Err(Difference(what).into());
        }
        self.award(&operation)?;
        self.conversion(&operation, report)?;
        if let Some((Kind::Conversion, undone)) = operation.followed()
            && operation.kind.is_reversal()
        {
            let so_far = before(&operation).unwrap_or(0) + operation.follow_up_amount();
            self.fees.undo(undone, so_far, operation.at);
        }
        report.operations += 1;
        self.gathered.push(operation);
        Ok(())
    }

    /// The operations of a group are all read: are they what it says?
    pub fn finish_group(&mut self, report: &mut Report) -> Result<(), Stopped> {
        let operations = std::mem::take(&mut self.gathered);
        let Some(first) = operations[..].first() else {
            return Ok(());
        };
        let id = operation::group_of(first.id);
        let group = self.groups.take(id)?;
        if usize::try_from(group.size) != Ok(operations.len()) {
            let found = operations.len();
            return Err(Difference(format!(
                "group {id} has {} operations, not {found}",
                group.size
            ))
            .into());
        }
        if group.rules != RULES {
            return Err(Difference(format!(
                "group {id} was made by unknown rules {}",
                group.rules
            ))
            .into());
        }
        if let Some(late) = operations.iter().find(|it| it.at != group.at) {
            return Err(Difference(format!(
                "operation {} is not of the instant of its group {id}",
                late.id
            ))
            .into());
        }
        let named = operations
            .iter()
            .map(|operation| Ok((operation, self.references.take(operation)?)))
            .collect::<Result<Vec<_>, Difference>>()?;
        if group.digest != operation::digest(named.into_iter()) {
            let (from, to) = (first.id, operations[operations.len() - 1].id);
            return Err(Difference(format!(
                "group {id} does not have the digest of its operations {from} to {to}: one of them was changed, or the \
                 reference of one"
            ))
            .into());
        }
        let sums = self.sums.entry(group.window_id).or_default();
        for operation in &operations {
            transfer::add(sums, operation).ok_or_else(|| {
                Difference(format!(
                    "the sums of window {} outgrow 64 bits",
                    group.window_id
                ))
            })?;
        }
        self.chain.take(&group, report)?;
        report.groups += 1;
        Ok(())
    }

    /// What an award cost, and where it is counted, is what its mandate says; without one it cost nothing.
    fn award(&self, operation: &Operation) -> Result<(), Stopped> {
        if operation.kind != Kind::Award {
            return Ok(());
        }
        let wrong =
            |what: &str| Stopped::from(Difference(format!("award {}: {what}", operation.id)));
        let Some(id) = awards::mandate_of(operation) else {
            return match operation.figures {
                None => Ok(()),
                Some(_) => Err(wrong("it cost money, and was made under no mandate")),
            };
        };
        let unknown = || wrong(&format!("there is no mandate {id} of its currency"));
        let leg = operation.into.ok_or_else(|| wrong("gives nothing"))?;
        let currency = leg.wallet.asset();
        let mandate = self.terms.mandate(id);
        let mandate = mandate.filter(|it| it.currency == currency);
        let mandate = mandate.ok_or_else(unknown)?;
        let position = |partner| self.terms.position_of(partner).ok_or_else(unknown);
        let sides = [position(mandate.issuer)?, position(mandate.partner)?];
        let [issuer, partner] = sides.map(Account::asset);
        let exchange = self
            .terms
            .exchange(operation.exchange_rate_id, partner, issuer);
        if mandate.costs() && (exchange.is_some() == (partner == issuer)) {
            return Err(wrong("there is no rate between its two moneys"));
        }
        let scales = self.terms.scales(currency, currency).ok_or_else(unknown)?;
        let figures = mandate.figures((leg.amount, scales.target), sides, exchange);
        if operation.figures != figures.ok() {
            return Err(wrong("its money is not what its mandate says"));
        }
        let zone = self.terms.zone(currency).ok_or_else(unknown)?;
        let day = business_day(zone, operation.at);
        let memo = operation.memo.as_ref();
        if budget::kept(memo) != mandate.counted(leg.amount, day) {
            return Err(wrong("it is not counted as its mandate says"));
        }
        let reason = memo.and_then(|memo| memo.get("reason")?.as_str());
        let is_allowed = mandate
            .terms
            .reasons
            .iter()
            .any(|it| Some(it.name()) == reason);
        let each = mandate.terms.caps.each;
        if !is_allowed || !mandate.terms.is_a_day(day) || each.is_some_and(|most| leg.amount > most)
        {
            return Err(wrong("its mandate is not for this"));
        }
        Ok(())
    }

    /// What a conversion gave and cost is what its card says.
    fn conversion(&mut self, operation: &Operation, report: &mut Report) -> Result<(), Stopped> {
        if operation.kind != Kind::Conversion {
            return Ok(());
        }
        let wrong = |what: String| {
            Stopped::from(Difference(format!("conversion {}: {what}", operation.id)))
        };
        let (Some(out), Some(into)) = (operation.out, operation.into) else {
            return Err(wrong("has no two legs".into()));
        };
        let debited_on = attested::remembered(operation.memo.as_ref());
        if out.wallet.is_kept_by_partner() != debited_on.is_some() {
            return Err(wrong(match debited_on {
                None => "its issuer did not attest what it takes".into(),
                Some(_) => "it is attested, and the hub keeps what it takes".into(),
            }));
        }
        let Some(figures) = operation.figures else {
            through::check(&self.terms, operation, (out, into)).map_err(wrong)?;
            report.conversions += 1;
            return Ok(());
        };
        let card_id = operation.card_id.unwrap_or_default();
        let card = self
            .terms
            .card(card_id)
            .ok_or_else(|| wrong(format!("there is no rate card {card_id}")))?;
        let sides = [(out.wallet, figures.pays), (into.wallet, figures.paid)];
        for (wallet, position) in sides {
            if self.terms.position(wallet.asset()) != Some(position) {
                return Err(wrong(format!(
                    "{} is not the position of the issuer of wallet {}",
                    position.0, wallet.0
                )));
            }
        }
        let exchange = self.terms.exchange(
            operation.exchange_rate_id,
            figures.pays.asset(),
            figures.paid.asset(),
        );
        let scales = self.terms.scales(out.wallet.asset(), into.wallet.asset());
        let scales = scales.ok_or_else(|| wrong("is of an unknown currency".into()))?;
        let promises = self
            .promises(operation, &figures, exchange)
            .map_err(wrong)?;
        let gifts = promise::gifts(&promises);
        let was_covered = fee::was_covered(operation.memo.as_ref());
        let on_top = fee::points_in(&operation.transfers);
        let on_top = on_top.filter(|(asset, _)| *asset == out.wallet.asset());
        let given = out.amount - on_top.map_or(0, |(_, units)| units);
        let charged = fee::charging(card, was_covered);
        let evaluated = card::evaluate_with(&charged, &gifts, scales, exchange, given)
            .map_err(|refusal| wrong(format!("its card refuses the amount: {refusal:?}")))?;

        let expected = [
            ("given", evaluated.priced.taken, out.amount),
            ("gained", evaluated.priced.total, into.amount),
            ("gross", evaluated.figures.gross.0, figures.gross.0),
            (
                "commission",
                evaluated.figures.commission.0,
                figures.commission.0,
            ),
            ("net", evaluated.figures.net.0, figures.net.0),
            (
                "converted",
                evaluated.figures.net_converted.0,
                figures.converted.0,
            ),
            ("value", evaluated.figures.value.0, figures.value.0),
            ("residual", evaluated.figures.residual.0, figures.residual.0),
        ];
        for (name, right, kept) in expected {
            if right != kept {
                return Err(wrong(format!("{name} is {kept} and should be {right}")));
            }
        }
        let promised = promises.iter().filter(|it| it.gives).map(|it| it.units);
        if !promised.eq(evaluated.gifts.iter().copied()) {
            let right = &evaluated.gifts;
            let what = format!("its campaigns should have given {right:?}");
            return Err(wrong(what));
        }
        let parties = Parties {
            source: figures.pays,
            target: figures.paid,
            gained: into.wallet.holders(),
        };
        let fee = postings::fee(&evaluated, self.terms.fee_money(card));
        let sponsorship = self.sponsorship(operation, card, figures.pays);
        let sponsorship = sponsorship.map_err(wrong)?;
        let sponsored = match &sponsorship {
            None => None,
            Some(by) => {
                let sponsored = by.pays(figures.gross);
                Some((by, sponsored.map_err(|error| wrong(error.to_string()))?))
            }
        };
        let given = out.wallet.holders();
        if operation.transfers
            != postings::transfers(card, &evaluated, parties, sponsored, fee, given)
        {
            return Err(wrong(
                "its sponsor's share, its bonuses or its fee are not posted as its card says"
                    .into(),
            ));
        }
        if postings::fee_kept(operation.memo.as_ref()) != fee {
            return Err(wrong("its fee is not what its card says".into()));
        }
        let (terms, priced, to) = (&card.terms, &evaluated.priced, into.wallet.asset());
        let wallets = [out.wallet, into.wallet];
        let counted = postings::counted(card, &evaluated, (&promises, sponsored), wallets);
        let memo = operation.memo.as_ref();
        if (tally::kept(memo), budget::kept(memo)) != counted {
            let what = "it is not counted as its card, its campaigns and its sponsor say";
            return Err(wrong(what.into()));
        }
        if was_covered != fee::is_covered(terms, priced) {
            return Err(wrong("its card has no fee that covers a period".into()));
        }
        let cover = terms.fee.as_ref().and_then(|fee| fee.covers.as_ref());
        let place = fee::key(terms, out.wallet, to).zip(self.terms.zone(out.wallet.asset()));
        if let Some((cover, (key, zone))) = cover.zip(place) {
            let period = (cover.period, zone);
            if !self.fees.is_right(key, period, was_covered, operation.at) {
                return Err(wrong(match was_covered {
                    true => "nobody paid its fee before".into(),
                    false => "its fee was paid before in the period".into(),
                }));
            }
        }
        if let Some(key) = fee::paid_key(terms, priced, out.wallet, to) {
            let paid = (out.amount, operation.at);
            self.fees.pay(key, operation.id, paid);
        }
        report.conversions += 1;
        Ok(())
    }

    /// The sponsor of a conversion's card, at the rate that the conversion remembers.
    fn sponsorship(
        &self,
        operation: &Operation,
        card: &Card,
        source: Account,
    ) -> Result<Option<Sponsorship>, String> {
        let Some(sponsor) = card.settlement.sponsor() else {
            return Ok(None);
        };
        let position = self.terms.position_of(sponsor.partner);
        let money = position.and_then(|it| self.terms.money(it.asset()));
        let money = money.ok_or("its sponsor is unknown")?;
        let (pays, source) = (money.no, source.asset());
        let rates = promise::rates_remembered(operation.memo.as_ref());
        let mut rates = operation.exchange_rate_id.into_iter().chain(rates);
        let exchange = rates.find_map(|id| self.terms.exchange(Some(id), pays, source));
        if exchange.is_none() && pays != source {
            return Err("there is no rate for its sponsor".into());
        }
        Ok(Some(Sponsorship {
            card: operation.card_id.unwrap_or_default(),
            sponsor,
            money: money.clone(),
            exchange: exchange.filter(|_| pays != source),
        }))
    }

    /// The campaigns that a conversion remembers, as they were agreed to.
    fn promises(
        &self,
        operation: &Operation,
        figures: &Figures,
        exchange: Option<Exchange>,
    ) -> Result<Vec<Promise>, String> {
        let memo = operation.memo.as_ref();
        let rates = promise::rates_remembered(memo);
        let (source, paid) = (figures.pays.asset(), figures.paid.asset());
        let rate = |money| {
            let own = exchange.filter(|_| money == source);
            let other = |id: &i64| self.terms.exchange(Some(*id), money, paid);
            own.or_else(|| rates.iter().find_map(other))
        };
        let from = operation.out.map(|leg| leg.wallet.asset());
        let to = operation.into.map(|leg| leg.wallet.asset());
        let kept = promise::remembered(memo).into_iter().map(|kept| {
            let id = kept.id;
            let found = self.terms.campaign(id);
            let campaign = found.ok_or_else(|| format!("there is no campaign {id}"))?;
            let of = &campaign.campaign;
            if Some(of.target) != to || !of.sources.iter().any(|source| Some(*source) == from) {
                return Err(format!("campaign {id} is not for its route"));
            }
            if !of.may_price(operation.at) {
                return Err(format!("campaign {id} did not hold then"));
            }
            let is_arm = |name: &String| of.terms.arms.iter().any(|arm| arm.name == *name);
            if kept.arm.is_some() == of.terms.arms.is_empty() || !kept.arm.iter().all(is_arm) {
                return Err(format!("campaign {id} has no such arm"));
            }
            let sides = (figures.pays, figures.paid);
            let position = |partner| self.terms.position_of(partner);
            let shares = promise::shares(&of.terms.funders, sides, position, rate);
            Ok(Promise {
                shares: shares.ok_or_else(|| format!("nobody can pay for campaign {id}"))?,
                campaign: campaign.clone(),
                arm: kept.arm,
                gives: kept.units > 0,
                units: kept.units,
            })
        });
        kept.collect()
    }
}

/// Each leg is the sum of its lots, and no other wallet changes. What its issuer keeps has no lots.
fn legs_are_sums_of_lots(operation: &Operation) -> Result<(), Difference> {
    let mut left: HashMap<Account, i64> = HashMap::new();
    for lot in &operation.lots {
        *left.entry(lot.wallet).or_default() += lot.change;
    }
    if let Some(leg) = operation.out.filter(|leg| !leg.wallet.is_kept_by_partner()) {
        *left.entry(leg.wallet).or_default() += leg.amount;
    }
    if let Some(leg) = operation
        .into
        .filter(|leg| !leg.wallet.is_kept_by_partner())
    {
        *left.entry(leg.wallet).or_default() -= leg.amount;
    }
    let wrong = left
        .iter()
        .find(|(wallet, rest)| **rest != 0 || !wallet.is(AccountKind::Wallet));
    match wrong {
        None => Ok(()),
        Some((wallet, rest)) => Err(Difference(format!(
            "operation {}: the lots of wallet {} miss its leg by {rest}",
            operation.id, wallet.0
        ))),
    }
}
