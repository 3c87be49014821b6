//! Holds as the API tells them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::ends_at;
use super::state::Story;
use crate::clock::{self, Timestamp};
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger;
use crate::ledger::api;
use crate::ledger::follow_ups::FollowUps;
use crate::ledger::operation::{Kind, Leg};
use crate::ledger::shelf::Named;
use crate::partners::AmountBody;

/// Points that were set aside, and what became of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    /// How much was spent.
    captured: AmountBody,
    /// How much was given back.
    released: AmountBody,
    /// How much is still set aside.
    open: AmountBody,
    /// `open`, `captured`, `partially_captured`, `released` or `expired`. Past its expiry nothing is
    /// captured, and what is open is released within minutes.
    state: String,
    expires_at: DateTime<Utc>,
    channel: Option<String>,
    location: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// What was done with a hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldStepBody {
    id: String,
    /// `capture` or `release`.
    kind: String,
    hold: String,
    wallet: String,
    amount: AmountBody,
    channel: Option<String>,
    location: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// A hold and what followed it, as one story.
pub fn story(
    named: &Named,
    follow_ups: &FollowUps,
    released_at: Option<Timestamp>,
) -> Result<Story, Error> {
    let hold = &named.operation;
    let expires_at = ends_at(hold).filter(|at| clock::is_sensible(*at));
    Ok(Story {
        amount: hold.amount(),
        captured: follow_ups.of(Kind::Capture).amount,
        released: follow_ups.of(Kind::Release).amount,
        expires_at: expires_at.ok_or_else(|| anyhow::anyhow!("hold {} has no end", hold.id))?,
        released_at,
    })
}

/// A hold as it was made.
pub fn show_made(ids: &Ids, named: &Named) -> Result<HoldBody, Error> {
    let new = story(named, &FollowUps::default(), None)?;
    show(ids, named, &new, named.operation.at)
}

pub fn show(ids: &Ids, named: &Named, story: &Story, now: Timestamp) -> Result<HoldBody, Error> {
    let operation = &named.operation;
    let leg = operation
        .out
        .ok_or_else(|| anyhow::anyhow!("hold {} holds nothing", operation.id))?;
    let amount = |amount| api::amount(&named.directory, Leg { amount, ..leg });
    Ok(HoldBody {
        id: ids.show(id::Kind::Hold, operation.id),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: amount(leg.amount)?,
        captured: amount(story.captured)?,
        released: amount(story.released)?,
        open: amount(story.open())?,
        state: story.state(now).to_owned(),
        expires_at: story.expires_at,
        channel: api::remembered(operation, "channel"),
        location: api::remembered(operation, "location"),
        reference: named.reference.clone(),
        at: operation.at,
    })
}

pub fn show_step(ids: &Ids, named: &Named) -> Result<HoldStepBody, Error> {
    let operation = &named.operation;
    let parts = operation.out.or(operation.into).zip(operation.follows);
    let (leg, hold) =
        parts.ok_or_else(|| anyhow::anyhow!("{} is no step of a hold", operation.id))?;
    Ok(HoldStepBody {
        id: ids.show(ledger::id_kind(operation.kind), operation.id),
        kind: operation.kind.name().to_owned(),
        hold: ids.show(id::Kind::Hold, hold),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: api::amount(&named.directory, leg)?,
        channel: api::remembered(operation, "channel"),
        location: api::remembered(operation, "location"),
        reference: named.reference.clone(),
        at: operation.at,
    })
}
