//! A conversion as JSON, as each side sees it.
//!
//! | what                        | who sees it                                        |
//! |-----------------------------|----------------------------------------------------|
//! | `cost`                      | the issuer of what was given, the hub's people     |
//! | `value`, `bonuses[].value`  | the issuer of what was got, the hub's people       |
//! | the same of a leg           | the issuers of what that leg gave and got          |
//! | `bonuses[].cost`            | who paid for it, the hub's people                  |
//! | `debited_on`                | the issuer of what was given, the hub's people     |
//! | `credit`                    | the issuer of what was got, the hub's people       |
//! | `delivery.code`             | the issuer of what was given, outside of events; the member who gave |
//! | the rest                    | both issuers, the hub's people, the member         |

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::bonus::{self, Line};
use super::fee;
use super::postings;
use super::promises::promise::{self, Remembered};
use super::quoted::{CampaignGainBody, CostBody, money_no};
use super::sponsorships::sponsored;
use super::through::{self, leg};
use super::transfers::attested;
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger::api;
use crate::ledger::deliveries::{self, code::Code};
use crate::ledger::follow_ups::SoFar;
use crate::ledger::operation::{Leg, Operation, Transfer};
use crate::ledger::shelf::Named;
use crate::partners::{AmountBody, Directory, MoneyBody};
use crate::points::account::{Account, Asset};
use crate::points::money::Micros;
use crate::rates::campaigns::Names;

/// Points that became points of another brand.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionBody {
    id: String,
    /// `completed`, `partially_reversed` or `reversed`; or `pending`, as long as the partner that keeps the
    /// balances of what is got has not credited it.
    #[schema(value_type = String, pattern = "^(pending|completed|partially_reversed|reversed)$")]
    status: &'static str,
    quote: Option<Uuid>,
    /// The version of the rate card that decided; null where two did.
    card: Option<String>,
    /// Through a third currency, what each card made of it; empty otherwise.
    legs: Vec<LegBody>,
    /// What left the wallet, a fee in the same points included.
    gives: AmountBody,
    /// What the member got, bonuses included, after a fee in the same points.
    gains: AmountBody,
    /// What of it were bonuses, by who paid for them.
    bonuses: Vec<BonusBody>,
    /// The campaigns that the quote counted on, with the arms of experiments.
    campaigns: Vec<CampaignGainBody>,
    /// What the member paid in money to the partner whose points were given; null when nothing.
    fee: Option<MoneyBody>,
    /// What the member paid in points: a part of `gives`, or taken off `gains`; null when nothing.
    fee_points: Option<AmountBody>,
    /// What it costs the partner whose points were given; there for that partner and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cost: Option<CostBody>,
    /// What the partner whose points were got is owed, bonuses apart; there for that partner and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<MoneyBody>,
    /// Where what was got is delivered by code; null where it is not.
    delivery: Option<CodeBody>,
    /// What the partner whose points are got is to credit, where it keeps the balances; there for that partner
    /// and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "crt_0123456789abcdef")]
    credit: Option<String>,
    /// How much of what was given has been given back.
    reversed: Option<AmountBody>,
    /// The last reversal, when there is one.
    reversed_by: Option<String>,
    /// The business day of the debit that the partner attested whose points were given; there for that partner
    /// and for the hub's people, where that partner keeps the balances.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    debited_on: Option<NaiveDate>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// A code that delivers what was got, once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeBody {
    /// What whoever is to have the points presents to the partner that issues them. Shown to the partner whose
    /// points were given and to the member who gave them, and never in events; null for everybody else.
    code: Option<String>,
    /// Before when it is to be presented: what it delivers is gone then.
    valid_until: DateTime<Utc>,
}

impl ConversionBody {
    /// The same with the code that delivers what was got.
    pub fn with_code(mut self, code: Option<Code>) -> ConversionBody {
        if let Some(delivery) = &mut self.delivery {
            delivery.code = code.map(|code| code.text());
        }
        self
    }
}

/// What one of two cards made of what the one before it gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegBody {
    card: String,
    gives: AmountBody,
    gains: AmountBody,
    bonuses: Vec<BonusBody>,
    /// What it costs the partner whose points were given; there for that partner and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cost: Option<CostBody>,
    /// What the partner whose points were got is owed, bonuses apart; there for that partner and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<MoneyBody>,
}

/// A part of a bonus.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BonusBody {
    amount: AmountBody,
    /// The id of the campaign that gave it; null where the card did.
    campaign: Option<String>,
    /// What its funder pays for it, whoever that is; there for the funder and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cost: Option<MoneyBody>,
    /// What the partner whose points were got is owed for it; there for that partner and for the hub's people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<MoneyBody>,
}

/// The campaigns that a conversion counted on, by their internal ids.
pub fn campaigns_in(operation: &Operation) -> Vec<i64> {
    let kept = promise::remembered(operation.memo.as_ref());
    kept.into_iter().map(|campaign| campaign.id).collect()
}

/// Who looks at a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// The hub's people.
    Hub,
    Partner(i64),
    Member,
}

/// A partner, or the hub's people when none.
impl From<Option<i64>> for Viewer {
    fn from(partner: Option<i64>) -> Viewer {
        partner.map_or(Viewer::Hub, Viewer::Partner)
    }
}

/// How far a conversion is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub reversed: SoFar,
    /// What it put into a wallet is there; of one that the hub keeps, from the beginning.
    pub is_credited: bool,
}

impl Progress {
    /// When it was made.
    pub fn at_first(conversion: &Operation) -> Progress {
        let waits = |leg: Leg| leg.wallet.is_kept_by_partner();
        Progress {
            reversed: SoFar::default(),
            is_credited: !conversion.into.is_some_and(waits),
        }
    }

    fn status(&self, given: i64) -> &'static str {
        match self.reversed.amount {
            0 if !self.is_credited => "pending",
            0 => "completed",
            part if part < given => "partially_reversed",
            _ => "reversed",
        }
    }
}

/// A conversion as somebody sees it.
pub fn show(
    ids: &Ids,
    named: &Named,
    viewer: impl Into<Viewer>,
    progress: Progress,
    names: &Names,
) -> Result<ConversionBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let whole = || anyhow::anyhow!("conversion {} is not whole", operation.id);
    let (out, into) = operation.out.zip(operation.into).ok_or_else(whole)?;
    let view = View {
        ids,
        directory,
        viewer: viewer.into(),
    };
    let kept = promise::remembered(operation.memo.as_ref());
    let legs = leg::with_transfers(operation);
    let legs = legs.iter().map(|(leg, own)| view.leg(leg, own));
    let legs = legs.collect::<Result<Vec<LegBody>, _>>()?;
    let (cost, value, bonuses) = match (operation.figures, legs.first().zip(legs.last())) {
        (Some(figures), _) => {
            let (lines, paid) = (bonus::lines(&operation.transfers), figures.paid);
            let units: Vec<i64> = lines.iter().map(|line| line.units).collect();
            let of = promise::campaigns_of(&units, &kept);
            let gained = into.wallet.asset();
            let bonuses = lines.iter().zip(of);
            let bonuses = bonuses.map(|(line, of)| view.bonus(line, of, gained, paid));
            let (gross, commission) = (figures.gross, figures.commission);
            (
                view.cost(figures.pays, (gross, commission), &operation.transfers)?,
                view.value(paid, figures.value)?,
                bonuses.collect::<Result<_, _>>()?,
            )
        }
        (None, Some((first, last))) => {
            (first.cost.clone(), last.value.clone(), last.bonuses.clone())
        }
        (None, None) => return Err(whole().into()),
    };
    let campaign_body = |kept: Remembered| {
        let Remembered { id, arm, units } = kept;
        let (name, name_zh) = names.get(&id).cloned().unwrap_or_default();
        Ok::<_, Error>(CampaignGainBody {
            id: ids.show(id::Kind::Campaign, id),
            name,
            name_zh,
            arm,
            gains: view.units(into.wallet.asset(), units)?,
        })
    };
    let fee = postings::fee_kept(operation.memo.as_ref());
    let points = fee::points_in(&operation.transfers).map(|(asset, units)| {
        let leg = if asset == into.wallet.asset() {
            into
        } else {
            out
        };
        let amount = units;
        api::amount(directory, Leg { amount, ..leg })
    });
    let so_far = progress.reversed;
    let is_reversed = so_far.amount > 0;
    Ok(ConversionBody {
        id: ids.show(id::Kind::Conversion, operation.id),
        status: progress.status(out.amount),
        quote: operation.quote,
        card: operation
            .card_id
            .map(|card| ids.show(id::Kind::RateCard, card)),
        legs,
        gives: api::amount(directory, out)?,
        gains: api::amount(directory, into)?,
        bonuses,
        campaigns: kept
            .into_iter()
            .map(campaign_body)
            .collect::<Result<_, _>>()?,
        fee: fee
            .map(|(no, fee)| money_no(directory, no, fee))
            .transpose()?,
        fee_points: points.transpose()?,
        cost,
        value,
        delivery: deliveries::valid_until(operation).map(|valid_until| CodeBody {
            code: None,
            valid_until,
        }),
        credit: view.credit(operation, into),
        reversed: is_reversed
            .then(|| {
                let amount = so_far.amount;
                api::amount(directory, Leg { amount, ..out })
            })
            .transpose()?,
        reversed_by: is_reversed.then(|| ids.show(id::Kind::Reversal, so_far.last)),
        debited_on: view.debited_on(operation, out),
        reference: reference.clone(),
        at: operation.at,
    })
}

/// What is seen by whom.
struct View<'a> {
    ids: &'a Ids,
    directory: &'a Directory,
    viewer: Viewer,
}

impl View<'_> {
    fn sees(&self, position: Account) -> bool {
        match self.viewer {
            Viewer::Hub => true,
            Viewer::Partner(partner) => partner == position.owner(),
            Viewer::Member => false,
        }
    }

    /// Whether who looks issues the currency of a leg, or works for the hub.
    fn is_of_issuer(&self, leg: Leg) -> bool {
        let currency = self.directory.currency_no(leg.wallet.asset());
        match self.viewer {
            Viewer::Hub => true,
            Viewer::Partner(partner) => currency.is_some_and(|it| it.issuer == partner),
            Viewer::Member => false,
        }
    }

    fn debited_on(&self, operation: &Operation, out: Leg) -> Option<NaiveDate> {
        attested::remembered(operation.memo.as_ref()).filter(|_| self.is_of_issuer(out))
    }

    fn credit(&self, operation: &Operation, into: Leg) -> Option<String> {
        let is_told = into.wallet.is_kept_by_partner() && self.is_of_issuer(into);
        is_told.then(|| self.ids.show(id::Kind::Credit, operation.id))
    }

    fn money(&self, position: Account, micros: Micros) -> Result<MoneyBody, Error> {
        money_no(self.directory, position.asset(), micros)
    }

    fn units(&self, currency: Asset, units: i64) -> Result<AmountBody, Error> {
        let found = self.directory.currency_no(currency);
        let found = found.ok_or_else(|| anyhow::anyhow!("there is no currency {currency}"))?;
        Ok(AmountBody::of(found, units))
    }

    fn leg(&self, leg: &through::leg::Leg, own: &[Transfer]) -> Result<LegBody, Error> {
        let (pays, paid) = (Account(leg.pays), Account(leg.paid));
        let (lines, money) = (
            bonus::lines(own),
            (Micros(leg.gross), Micros(leg.commission)),
        );
        let bonuses = lines
            .iter()
            .map(|line| self.bonus(line, None, leg.to, paid));
        Ok(LegBody {
            card: self.ids.show(id::Kind::RateCard, leg.card),
            gives: self.units(leg.from, leg.given)?,
            gains: self.units(leg.to, leg.gained)?,
            bonuses: bonuses.collect::<Result<_, _>>()?,
            cost: self.cost(pays, money, own)?,
            value: self.value(paid, Micros(leg.value))?,
        })
    }

    /// What the source pays: gross and the commission in it, and its part of bonuses; and what a sponsor does.
    fn cost(
        &self,
        pays: Account,
        (gross, commission): (Micros, Micros),
        transfers: &[Transfer],
    ) -> Result<Option<CostBody>, Error> {
        if !self.sees(pays) {
            return Ok(None);
        }
        let lines = bonus::lines(transfers).into_iter();
        let charges = lines.filter_map(|line| line.charge);
        let own = charges.filter(|(funder, _)| *funder == pays);
        let bonuses = Micros(own.map(|(_, charge)| charge.0).sum());
        let relief = sponsored::relief(pays, transfers);
        Ok(Some(CostBody {
            gross: self.money(pays, gross)?,
            commission: self.money(pays, commission)?,
            bonuses: match bonuses {
                Micros::ZERO => None,
                cost => Some(self.money(pays, cost)?),
            },
            sponsored: relief.map(|it| self.money(pays, it)).transpose()?,
        }))
    }

    fn value(&self, paid: Account, value: Micros) -> Result<Option<MoneyBody>, Error> {
        let seen = self.sees(paid).then(|| self.money(paid, value));
        seen.transpose()
    }

    fn bonus(
        &self,
        line: &Line,
        campaign: Option<i64>,
        gained: Asset,
        paid: Account,
    ) -> Result<BonusBody, Error> {
        let charge = line.charge.filter(|(funder, _)| self.sees(*funder));
        let cost = charge.map(|(funder, charge)| self.money(funder, charge));
        Ok(BonusBody {
            amount: self.units(gained, line.units)?,
            campaign: campaign.map(|it| self.ids.show(id::Kind::Campaign, it)),
            cost: cost.transpose()?,
            value: self.value(paid, line.value)?,
        })
    }
}
