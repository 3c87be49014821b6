//! The ledger over HTTP: its parts, as one, and what they share.

use actix_web::web::ServiceConfig;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::OpenApi as Document;

use super::command::Reference;
use super::lot::Short;
use super::operation::{Kind, Operation};
use super::programme::Suspended;
use super::{awards, redemptions, reversals, store, trial_balance, wallets};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::partners::{AmountBody, Currency, Directory};
use crate::secret::Secrets;
use crate::web::text;

pub fn routes(cfg: &mut ServiceConfig) {
    awards::api::routes(cfg);
    redemptions::api::routes(cfg);
    reversals::api::routes(cfg);
    wallets::api::routes(cfg);
    trial_balance::api::routes(cfg);
}

/// What the parts add to the OpenAPI document.
pub struct Doc;

impl utoipa::OpenApi for Doc {
    fn openapi() -> Document {
        let mut document = awards::api::Doc::openapi();
        document.merge(redemptions::api::Doc::openapi());
        document.merge(reversals::api::Doc::openapi());
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

pub fn nothing_here() -> Error {
    Problem::new(Slug::NotFound, "no operation of yours has this id or reference").into()
}

/// The operation a public id of one of these kinds names.
pub async fn find(conn: &mut Connection, ids: &Ids, kinds: &[Kind], text: &str) -> Result<Operation, Error> {
    let id = kinds.iter().find_map(|kind| ids.read(super::id_kind(*kind), text)).ok_or_else(nothing_here)?;
    let found = store::find(conn, id).await?;
    found.filter(|operation| kinds.contains(&operation.kind)).ok_or_else(nothing_here)
}

/// The operation a partner gave this reference.
pub async fn find_by_reference(
    conn: &mut Connection,
    secrets: &Secrets,
    partner: i64,
    kinds: &[Kind],
    reference: &str,
) -> Result<Operation, Error> {
    let hash = super::reference_hash(secrets, partner, reference);
    for kind in kinds {
        if let Some(operation) = store::by_reference(conn, partner, *kind, hash).await? {
            return Ok(operation);
        }
    }
    Err(nothing_here())
}

/// The text of a reference, when a request carries one.
pub fn reference(secrets: &Secrets, partner: i64, kind: Kind, text: &Option<text::Reference>) -> Option<Reference> {
    text.as_deref().map(|text| super::reference(secrets, partner, kind, text))
}

/// The member's wallet of the currency an amount is in.
pub async fn wallet_of(
    conn: &mut Connection,
    ids: &Ids,
    partner: i64,
    member: &str,
    currency: &Currency,
) -> Result<i64, Error> {
    let unknown = || Problem::new(Slug::NotFound, "there is no such member of yours");
    let member = ids.read(id::Kind::Member, member).ok_or_else(unknown)?;
    if !crate::members::is_member_of(conn, member, partner).await? {
        return Err(unknown().into());
    }
    let missing = || {
        let detail = format!("the member has no wallet in {}", &*currency.code);
        Problem::new(Slug::MembershipMissing, detail)
    };
    Ok(crate::members::wallet(conn, member, currency.no).await?.ok_or_else(missing)?)
}

/// Only its issuer awards and redeems a currency.
pub fn must_issue(partner: i64, currency: &Currency) -> Result<(), Problem> {
    match currency.issuer_id == partner {
        true => Ok(()),
        false => {
            Err(Problem::new(Slug::NotYourCurrency, format!("{} is issued by another partner", &*currency.code)))
        }
    }
}

pub fn suspended(Suspended { currency }: Suspended) -> Problem {
    Problem::new(Slug::PartnerSuspended, format!("the issuer of {currency} is suspended"))
}

/// The refusal of a wallet that holds too little, in printed units.
pub fn balance_too_low(short: Short, currency: &Currency) -> Problem {
    let (held, needed) = (AmountBody::of(currency, short.held), AmountBody::of(currency, short.needed));
    let detail = format!("the wallet can use {} {}, and {} is needed", held.amount, held.currency, needed.amount);
    Problem::new(Slug::BalanceTooLow, detail).with("held", held.to_json()).with("needed", needed.to_json())
}

/// A field of what a slice remembers on an operation.
pub fn remembered(operation: &Operation, field: &str) -> Option<String> {
    operation.memo.as_ref()?.get(field)?.as_str().map(str::to_owned)
}

/// An amount in the currency of its wallet.
pub fn amount(directory: &Directory, leg: super::operation::Leg) -> Result<AmountBody, Error> {
    let currency = directory.currency_no(leg.wallet.asset());
    let currency = currency.ok_or_else(|| anyhow::anyhow!("wallet {} is of an unknown currency", leg.wallet.0))?;
    Ok(AmountBody::of(currency, leg.amount))
}

/// What is remembered, as it was, for an answer that shows all of it.
pub fn memo(operation: &Operation) -> Value {
    operation.memo.clone().unwrap_or(Value::Null)
}
