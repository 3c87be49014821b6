//! The ledger over HTTP: its parts, as one, and what they share.

use actix_web::web::ServiceConfig;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::OpenApi as Document;

use super::lot::Short;
use super::operation::{Leg, Operation};
use super::programme::{Barred, Programme, Why};
use super::{
    adjustments, awards, caps, credits, deliveries, holds, redemptions, reversals, store,
    trial_balance, wallets,
};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::partners::life::Act;
use crate::partners::{self, AmountBody, Currency, Directory, Keeper, pilots};
use crate::web::text;

pub fn routes(cfg: &mut ServiceConfig) {
    awards::api::routes(cfg);
    caps::api::routes(cfg);
    redemptions::api::routes(cfg);
    credits::api::routes(cfg);
    holds::api::routes(cfg);
    reversals::api::routes(cfg);
    deliveries::api::routes(cfg);
    adjustments::api::routes(cfg);
    wallets::api::routes(cfg);
    trial_balance::api::routes(cfg);
}

/// The window that somebody names, if any.
pub async fn window_of(
    conn: &mut Connection,
    ids: &Ids,
    named: Option<&str>,
) -> Result<Option<i64>, Error> {
    let Some(named) = named else {
        return Ok(None);
    };
    let id = ids.read(id::Kind::Window, named).ok_or_else(no_window)?;
    let found = store::window(conn, id).await?;
    Ok(Some(found.ok_or_else(no_window)?.id))
}

pub fn no_window() -> Problem {
    Problem::new(Slug::NotFound, "there is no such window")
}

/// What the parts add to the OpenAPI document.
pub struct Doc;

impl utoipa::OpenApi for Doc {
    fn openapi() -> Document {
        let mut document = awards::api::Doc::openapi();
        document.merge(caps::api::Doc::openapi());
        document.merge(redemptions::api::Doc::openapi());
        document.merge(credits::api::Doc::openapi());
        document.merge(holds::api::Doc::openapi());
        document.merge(reversals::api::Doc::openapi());
        document.merge(deliveries::api::Doc::openapi());
        document.merge(adjustments::api::Doc::openapi());
        document.merge(wallets::api::Doc::openapi());
        document.merge(trial_balance::api::Doc::openapi());
        document
    }
}

/// How an operation is looked up by what its partner calls it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ByReference {
    /// The reference you gave it.
    #[param(value_type = String, min_length = 1, max_length = 128)]
    pub reference: text::Reference,
}

/// Only its issuer awards and redeems a currency.
pub fn must_issue(partner: i64, currency: &Currency) -> Result<(), Problem> {
    match currency.issuer == partner {
        true => Ok(()),
        false => Err(Problem::new(
            Slug::NotYourCurrency,
            format!("{} is issued by another partner", currency.code),
        )),
    }
}

/// Points of a currency that its issuer keeps are moved on the issuer's side.
pub fn must_keep(currency: &Currency) -> Result<(), Problem> {
    match currency.kept_by {
        Keeper::Hub => Ok(()),
        Keeper::Partner => Err(kept_by_partner(currency)),
    }
}

/// The refusal of what needs a balance that the hub does not keep.
pub fn kept_by_partner(currency: &Currency) -> Problem {
    let detail = format!(
        "the issuer of {} keeps its balances: the hub has none to change",
        currency.code
    );
    Problem::new(Slug::KeptByPartner, detail)
}

/// The refusal of what is for a currency whose balances its issuer keeps.
pub fn kept_by_hub(currency: &Currency) -> Problem {
    let detail = format!("the hub keeps the balances of {}", currency.code);
    Problem::new(Slug::KeptByHub, detail)
}

/// The refusal of what the issuer of a currency may not do in its state or its pilot.
pub fn barred(barred: Barred) -> Problem {
    let Barred { currency, act, why } = barred;
    match why {
        Why::Standing(standing, now) => {
            let issuer = format!("the issuer of {}", currency.code);
            partners::barred(&issuer, standing, act, now)
        }
        Why::TooMuch { most, needed } => pilots::api::too_much(&currency, act, (most, needed)),
    }
}

/// Refuses what the state of an issuer in an operation does not allow.
pub fn must_allow(
    directory: &Directory,
    operation: &Operation,
    act: Act,
    now: Timestamp,
) -> Result<(), Problem> {
    let legs = operation.out.into_iter().chain(operation.into);
    let currencies = legs.filter_map(|leg| directory.currency_no(leg.wallet.asset()));
    let mut programmes = currencies.map(|currency| Programme::of(directory, currency));
    programmes.try_for_each(|programme| programme.must_allow(act, now).map_err(barred))
}

/// The refusal of a wallet that holds too little, in printed units.
pub fn balance_too_low(short: Short, currency: &Currency) -> Problem {
    let (held, needed) = (
        AmountBody::of(currency, short.held),
        AmountBody::of(currency, short.needed),
    );
    let detail = format!(
        "the wallet can use {} {}, and {} is needed",
        held.amount, held.currency, needed.amount
    );
    Problem::new(Slug::BalanceTooLow, detail)
        .with("held", json!(held))
        .with("needed", json!(needed))
}

/// How many units of an operation a follow-up is of, in the currency in which it is stated: what the
/// operation took, or gave when it took nothing.
pub fn part(
    directory: &Directory,
    operation: &Operation,
    amount: Option<&AmountBody>,
) -> Result<Option<i64>, Error> {
    let (Some(body), Some(leg)) = (amount, operation.out.or(operation.into)) else {
        return Ok(None);
    };
    let (currency, units) = body.read(directory, "/amount")?;
    if currency.no == leg.wallet.asset() {
        return Ok(Some(units));
    }
    let right = self::amount(directory, leg)?.currency;
    let rule = format!("{right}: a part is stated in what the whole took");
    Err(Problem::field("/amount/currency", rule).into())
}

/// The refusal of a follow-up of more than is left of what it follows.
pub fn more_than_left(directory: &Directory, leg: Option<Leg>, left: i64) -> Error {
    let Some(leg) = leg else {
        return anyhow::anyhow!("nothing was there to begin with").into();
    };
    match amount(
        directory,
        Leg {
            amount: left,
            ..leg
        },
    ) {
        Err(error) => error,
        Ok(left) => {
            let detail = format!("{} {} is left", left.amount, left.currency);
            let problem = Problem::new(Slug::MoreThanLeft, detail);
            problem.with("left", json!(left)).into()
        }
    }
}

/// A field of what a slice remembers on an operation.
pub fn remembered(operation: &Operation, field: &str) -> Option<String> {
    operation
        .memo
        .as_ref()?
        .get(field)?
        .as_str()
        .map(str::to_owned)
}

/// An amount in the currency of its wallet.
pub fn amount(directory: &Directory, leg: Leg) -> Result<AmountBody, Error> {
    let currency = directory.currency_no(leg.wallet.asset());
    let currency = currency
        .ok_or_else(|| anyhow::anyhow!("wallet {} is of an unknown currency", leg.wallet.0))?;
    Ok(AmountBody::of(currency, leg.amount))
}
