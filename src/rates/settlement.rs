//! The terms of settlement: what a conversion costs the two partners in money.
//!
//! ```text
//! priced       gross = q6(X × v)                   cost-plus    Y from the card's ratio
//!              commission = q6(gross × f)                       value = net' = q6(Y × p)
//!              net = gross − commission                         net = net' in the source's money
//!              net' = net in the target's money                 commission = q6(net × f)
//!              Y = floor(net' / p) to the increment             gross = net + commission
//!              value = q6(Y × p), residual = net' − value       residual = 0
//! ```
//!
//! X leaves at `v` per printed unit in the source's money, Y is created at `p` in the
//! target's; `f` is the hub's commission; q6 rounds half-even to millionths. Always
//! `gross = commission + net` and `net' = value + residual`, and nothing is negative. Bonuses
//! are no part of it: each has its own funder, who pays [`SettlementTerms::price_of`] it. Of the
//! gross a [sponsor](super::sponsor) may pay the source a share.

use num_bigint::BigInt;
use num_rational::BigRational;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::funding::Funders;
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::sponsor::Sponsor;
use crate::points::agreed::{Price, Share};
use crate::points::amount::{Scale, Scales};
use crate::points::money::{Micros, TooLarge};

/// How the source partner pays the target partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SettlementTerms {
    /// The card's ratio decides; the source pays what the target charges, and the commission.
    CostPlus {
        price: Price,
        commission: Share,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bonus_funders: Vec<Funders>,
        #[serde(default, skip_serializing_if = "FeeTo::is_partner")]
        fee_to: FeeTo,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sponsor: Option<Sponsor>,
    },
    /// The money decides: the source pays for what leaves, and it buys what it buys.
    Priced {
        source_price: Price,
        target_price: Price,
        commission: Share,
        /// What is gained comes in whole increments; one smallest unit where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        increment: Option<Printed>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bonus_funders: Vec<Funders>,
        #[serde(default, skip_serializing_if = "FeeTo::is_partner")]
        fee_to: FeeTo,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sponsor: Option<Sponsor>,
    },
}

/// Whose the fee is that a member pays in money. The partner whose points are given collects it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RateCardFeeTo)]
pub enum FeeTo {
    /// Its own: nothing is posted.
    #[default]
    Partner,
    /// The hub's: the partner owes it.
    Hub,
}

impl FeeTo {
    pub fn is_partner(&self) -> bool {
        *self == FeeTo::Partner
    }
}

/// An exchange rate locked in a quote: so many units of the quote money for one of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub rate: Price,
    /// Whether the source's money is the base: USD to HKD at USD/HKD 7.8 is, HKD to USD not.
    pub source_is_base: bool,
}

/// What a conversion costs: `gross` to `net` in the source's money, the rest in the target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub gross: Micros,
    pub commission: Micros,
    pub net: Micros,
    pub net_converted: Micros,
    pub value: Micros,
    pub residual: Micros,
}

/// What the money of a priced card buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    settlement: SettlementTerms,
    scales: Scales,
    exchange: Option<Exchange>,
    increment: i64,
}

impl SettlementTerms {
    /// What the target is owed for so many of its units, such as a bonus.
    pub fn price_of(&self, units: i64, target: Scale) -> Result<Micros, TooLarge> {
        Micros::worth(units, target, self.target_price())
    }

    /// What the target charges for one printed unit.
    pub fn target_price(&self) -> Price {
        match self {
            SettlementTerms::CostPlus { price, .. } => *price,
            SettlementTerms::Priced { target_price, .. } => *target_price,
        }
    }

    /// Who pays for each bonus; one for all when there is one.
    pub fn bonus_funders(&self) -> &[Funders] {
        match self {
            SettlementTerms::CostPlus { bonus_funders, .. }
            | SettlementTerms::Priced { bonus_funders, .. } => bonus_funders,
        }
    }

    pub fn fee_to(&self) -> FeeTo {
        match self {
            SettlementTerms::CostPlus { fee_to, .. } | SettlementTerms::Priced { fee_to, .. } => {
                *fee_to
            }
        }
    }

    /// Who pays a share of the gross.
    pub fn sponsor(&self) -> Option<Sponsor> {
        match self {
            SettlementTerms::CostPlus { sponsor, .. } | SettlementTerms::Priced { sponsor, .. } => {
                *sponsor
            }
        }
    }

    /// Refuses an increment that the target's currency does not have, and a sponsor who pays nothing.
    pub fn check(&self, scales: Scales) -> Result<(), BadTerms> {
        self.sponsor().as_ref().map_or(Ok(()), Sponsor::check)?;
        self.purchase(scales, None).map(drop)
    }

    /// What the money buys, where it is the money that decides.
    pub fn purchase(
        &self,
        scales: Scales,
        exchange: Option<Exchange>,
    ) -> Result<Option<Purchase>, BadTerms> {
        let SettlementTerms::Priced { increment, .. } = self else {
            return Ok(None);
        };
        let field = "settlement.increment";
        let increment = increment.map_or(Ok(1), |i| i.units(scales.target, field))?;
        if increment < 1 {
            return Err(BadTerms::new(field, Reason::NotPositive));
        }
        Ok(Some(Purchase {
            settlement: self.clone(),
            scales,
            exchange,
            increment,
        }))
    }

    /// Every figure of a conversion of `used` units into a base of `gained`.
    ///
    /// Of a priced card `gained` is what [`Purchase::units`] answered for `used`; what it is
    /// worth is then never more than the net money.
    pub fn figures(
        &self,
        used: i64,
        gained: i64,
        scales: Scales,
        exchange: Option<Exchange>,
    ) -> Result<Figures, TooLarge> {
        let value = self.price_of(gained, scales.target)?;
        match *self {
            SettlementTerms::CostPlus { commission, .. } => {
                let net = to_source(value, exchange)?;
                let commission = net.share(commission)?;
                Ok(Figures {
                    gross: net.plus(commission)?,
                    commission,
                    net,
                    net_converted: value,
                    value,
                    residual: Micros::ZERO,
                })
            }
            SettlementTerms::Priced {
                source_price,
                commission,
                ..
            } => {
                let gross = Micros::worth(used, scales.source, source_price)?;
                let commission = gross.share(commission)?;
                let net = gross.minus(commission)?;
                let net_converted = to_target(net, exchange)?;
                Ok(Figures {
                    gross,
                    commission,
                    net,
                    net_converted,
                    value,
                    residual: net_converted.minus(value)?,
                })
            }
        }
    }
}

impl Purchase {
    /// The units bought for `used`, in whole increments.
    pub fn units(&self, used: i64) -> Result<i64, TooLarge> {
        let bare = self
            .settlement
            .figures(used, 0, self.scales, self.exchange)?;
        let price = self.settlement.target_price();
        let bought = bare.net_converted.buys(price, self.scales.target)?;
        Ok(bought - bought % self.increment)
    }
}

impl Purchase {
    /// Units bought for a unit used, before anything is rounded.
    pub(super) fn rate(&self) -> BigRational {
        let SettlementTerms::Priced {
            source_price,
            commission,
            ..
        } = self.settlement
        else {
            return exactly(Decimal::ZERO);
        };
        let paid = exactly(source_price.decimal()) * exactly(Decimal::ONE - commission.decimal());
        let net = paid / BigInt::from(self.scales.source.factor());
        self.in_target_money(net) / self.unit_price()
    }

    /// By how many units rounding the money can bring more than [`Purchase::rate`] says: each rounding
    /// adds at most half a millionth, those of gross and commission before the exchange.
    pub(super) fn rounding(&self) -> BigRational {
        let half = exactly(Decimal::new(5, 7));
        let before = &half + &half;
        let all = match self.exchange {
            Some(_) => self.in_target_money(before) + half,
            None => before,
        };
        all / self.unit_price()
    }

    pub(super) fn increment(&self) -> i64 {
        self.increment
    }

    fn in_target_money(&self, money: BigRational) -> BigRational {
        match self.exchange {
            None => money,
            Some(exchange) if exchange.source_is_base => money * exactly(exchange.rate.decimal()),
            Some(exchange) => money / exactly(exchange.rate.decimal()),
        }
    }

    /// What a smallest unit of the target costs.
    fn unit_price(&self) -> BigRational {
        let price = exactly(self.settlement.target_price().decimal());
        price / BigInt::from(self.scales.target.factor())
    }
}

fn exactly(decimal: Decimal) -> BigRational {
    let den = BigInt::from(10).pow(decimal.scale());
    BigRational::new(decimal.mantissa().into(), den)
}

fn to_target(money: Micros, exchange: Option<Exchange>) -> Result<Micros, TooLarge> {
    match exchange {
        None => Ok(money),
        Some(exchange) if exchange.source_is_base => money.times(exchange.rate),
        Some(exchange) => money.over(exchange.rate),
    }
}

/// Money of the target in the source's money.
pub fn to_source(money: Micros, exchange: Option<Exchange>) -> Result<Micros, TooLarge> {
    match exchange {
        None => Ok(money),
        Some(exchange) if exchange.source_is_base => money.over(exchange.rate),
        Some(exchange) => money.times(exchange.rate),
    }
}
