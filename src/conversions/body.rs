//! A conversion as JSON, as each side sees it.
//!
//! | what                        | who sees it                                        |
//! |-----------------------------|----------------------------------------------------|
//! | `cost`                      | the issuer of what was given, the hub's people     |
//! | `value`, `bonuses[].value`  | the issuer of what was got, the hub's people       |
//! | `bonuses[].cost`            | who paid for it, the hub's people                  |
//! | the rest                    | both issuers, the hub's people                     |

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::bonus::{self, Line};
use super::postings;
use super::promise::{self, Remembered};
use super::quoted::{CampaignGainBody, CostBody, money_no};
use super::sponsored;
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger::api;
use crate::ledger::follow_ups::SoFar;
use crate::ledger::operation::{Leg, Operation};
use crate::ledger::shelf::Named;
use crate::partners::{AmountBody, MoneyBody};
use crate::points::account::Account;
use crate::points::money::Micros;
use crate::rates::campaigns::Names;

/// Points that became points of another brand.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionBody {
    id: String,
    /// `completed`, `partially_reversed` or `reversed`.
    status: String,
    quote: Option<Uuid>,
    card: Option<String>,
    gives: AmountBody,
    /// What the member got, bonuses included.
    gains: AmountBody,
    /// What of it were bonuses, by who paid for them.
    bonuses: Vec<BonusBody>,
    /// The campaigns that the quote counted on, with the arms of experiments.
    campaigns: Vec<CampaignGainBody>,
    /// What the member paid in money to the partner whose points were given; null when nothing.
    fee: Option<MoneyBody>,
    /// What it costs the partner whose points were given; shown to that partner and to the hub's people.
    cost: Option<CostBody>,
    /// What the partner whose points were got is owed, bonuses apart; shown to that partner and to the hub's people.
    value: Option<MoneyBody>,
    /// How much of what was given has been given back.
    reversed: Option<AmountBody>,
    /// The last reversal, when there is one.
    reversed_by: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// A part of a bonus.
#[derive(Debug, Serialize, ToSchema)]
pub struct BonusBody {
    amount: AmountBody,
    /// The id of the campaign that gave it; null where the card did.
    campaign: Option<String>,
    /// What its funder pays for it, whoever that is; shown to the funder and to the hub's people.
    cost: Option<MoneyBody>,
    /// What the partner whose points were got is owed for it; shown to that partner and to the hub's people.
    value: Option<MoneyBody>,
}

/// The campaigns that a conversion counted on, by their internal ids.
pub fn campaigns_in(operation: &Operation) -> Vec<i64> {
    let kept = promise::remembered(operation.memo.as_ref());
    kept.into_iter().map(|campaign| campaign.id).collect()
}

/// A conversion as `partner` sees it; as the hub's people do when none.
pub fn show(
    ids: &Ids,
    named: &Named,
    partner: Option<i64>,
    so_far: SoFar,
    names: &Names,
) -> Result<ConversionBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let parts = operation.out.zip(operation.into).zip(operation.figures);
    let ((out, into), figures) =
        parts.ok_or_else(|| anyhow::anyhow!("conversion {} is not whole", operation.id))?;
    let sees = |position: Account| partner.is_none_or(|partner| partner == position.owner());
    let money = |account: Account, micros| money_no(directory, account.asset(), micros);
    let bonuses = bonus::lines(&operation.transfers);
    let source_pays = Micros(
        bonuses
            .iter()
            .filter_map(|line| line.charge)
            .filter(|(funder, _)| *funder == figures.pays)
            .map(|(_, charge)| charge.0)
            .sum(),
    );
    let cost = || {
        let gross = money(figures.pays, figures.gross)?;
        Ok::<_, Error>(CostBody {
            gross,
            commission: money(figures.pays, figures.commission)?,
            bonuses: match source_pays {
                Micros::ZERO => None,
                cost => Some(money(figures.pays, cost)?),
            },
            sponsored: sponsored::relief(figures.pays, &operation.transfers)
                .map(|relief| money(figures.pays, relief))
                .transpose()?,
        })
    };
    let kept = promise::remembered(operation.memo.as_ref());
    let units: Vec<i64> = bonuses.iter().map(|line| line.units).collect();
    let of = promise::campaigns_of(&units, &kept);
    let shown = |campaign: i64| ids.show(id::Kind::Campaign, campaign);
    let bonus_body = |(line, campaign): (&Line, Option<i64>)| {
        let amount = api::amount(
            directory,
            Leg {
                amount: line.units,
                ..into
            },
        )?;
        let charge = line.charge.filter(|(funder, _)| sees(*funder));
        let value = sees(figures.paid).then_some(line.value);
        Ok::<_, Error>(BonusBody {
            amount,
            campaign: campaign.map(shown),
            cost: charge
                .map(|(funder, charge)| money(funder, charge))
                .transpose()?,
            value: value.map(|value| money(figures.paid, value)).transpose()?,
        })
    };
    let campaign_body = |kept: Remembered| {
        let Remembered { id, arm, units } = kept;
        let (name, name_zh) = names.get(&id).cloned().unwrap_or_default();
        let leg = Leg {
            amount: units,
            ..into
        };
        Ok::<_, Error>(CampaignGainBody {
            id: shown(id),
            name,
            name_zh,
            arm,
            gains: api::amount(directory, leg)?,
        })
    };
    let fee = postings::fee_kept(operation.memo.as_ref());
    let is_reversed = so_far.amount > 0;
    Ok(ConversionBody {
        id: ids.show(id::Kind::Conversion, operation.id),
        status: match so_far.amount {
            0 => "completed",
            part if part < out.amount => "partially_reversed",
            _ => "reversed",
        }
        .to_owned(),
        quote: operation.quote,
        card: operation
            .card_id
            .map(|card| ids.show(id::Kind::RateCard, card)),
        gives: api::amount(directory, out)?,
        gains: api::amount(directory, into)?,
        bonuses: bonuses
            .iter()
            .zip(of)
            .map(bonus_body)
            .collect::<Result<_, _>>()?,
        campaigns: kept
            .into_iter()
            .map(campaign_body)
            .collect::<Result<_, _>>()?,
        fee: fee
            .map(|(no, fee)| money_no(directory, no, fee))
            .transpose()?,
        cost: sees(figures.pays).then(cost).transpose()?,
        value: sees(figures.paid)
            .then(|| money(figures.paid, figures.value))
            .transpose()?,
        reversed: is_reversed
            .then(|| {
                let amount = so_far.amount;
                api::amount(directory, Leg { amount, ..out })
            })
            .transpose()?,
        reversed_by: is_reversed.then(|| ids.show(id::Kind::Reversal, so_far.last)),
        reference: reference.clone(),
        at: operation.at,
    })
}
