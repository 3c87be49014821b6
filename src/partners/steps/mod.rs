//! Steps in a partner's life: taken by one operator, or proposed by one and agreed to by another.
//!
//! A step that takes something away is taken at once. Any other is proposed, and the approval binds to the
//! partner as it is: whatever changes before the second word makes it another matter, and a step that is
//! taken meanwhile cancels what was proposed. What a step asks for is looked at when it is proposed and again
//! when it is taken.
//!
//! Each step is a publication, so nothing that the state before allowed is committed after it. A partner is
//! closed behind the gate, where nothing is under way, and only when nothing of it is outstanding.
//!
//! Lock order: the partner's row, then its approval, then the gate.

pub mod api;
pub mod certification;
pub mod step;
mod store;

use chrono::NaiveDate;
use serde_json::Value;

use self::certification::Check;
use self::step::Step;
use super::life::{self, People};
use super::{NewPartner, Partner, State, unknown};
use crate::access::{Who, audit, credentials};
use crate::approvals::{Proposal, Proposals};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::Error;
use crate::id::{Ids, Kind};

/// Each rests on the partner as it is and on its latest report.
const STEPS: Proposals<Step> = Proposals::of("partner_state");

/// A report as it was recorded.
#[derive(Debug, Clone)]
pub struct Certification {
    pub id: i64,
    pub checks: Vec<Check>,
    pub passed: bool,
    pub at: Timestamp,
}

/// Where a partner is in its life, and what waits.
#[derive(Debug, Clone)]
pub struct Life {
    pub partner: Partner,
    pub certification: Option<Certification>,
    pub proposed: Option<Proposal<Step>>,
}

pub async fn life(conn: &mut Connection, partner: i64) -> Result<Life, Error> {
    let partner = super::store::find(conn, partner).await?;
    let partner = partner.ok_or_else(unknown)?;
    Ok(Life {
        certification: store::certification(conn, partner.id).await?,
        proposed: STEPS.pending(conn, &[partner.id]).await?.pop(),
        partner,
    })
}

/// Takes a step that one person may take, or proposes it to another. What is so already stays so.
pub async fn want(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    partner: i64,
    state: State,
    last_day: Option<NaiveDate>,
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    if partner.state == state {
        return Ok(());
    }
    let people = life::step(partner.state, state).ok_or_else(|| api::no_step(&partner))?;
    may_go(conn, &partner, state, last_day).await?;
    match people {
        People::One => {
            STEPS.cancel(conn, who, partner.id).await?;
            go(conn, who, partner, state, None).await.map(|_| ())
        }
        People::Two => {
            let basis = basis(conn, &partner).await?;
            let subject = (partner.id, ids.show(Kind::Partner, partner.id));
            let step = Step { state, last_day };
            STEPS.propose(conn, who, subject, &step, &basis).await?;
            Ok(())
        }
    }
}

async fn basis(conn: &mut Connection, partner: &Partner) -> Result<Value, Error> {
    let certification = store::certification(conn, partner.id).await?;
    Ok(step::basis(partner, certification.map(|it| it.id)))
}

/// Agrees to the step that was proposed, which is then taken.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    let basis = basis(conn, &partner).await?;
    let step = STEPS.approve(conn, who, partner.id, read, &basis).await?;
    let ends_at = may_go(conn, &partner, step.state, step.last_day).await?;
    let end = step.last_day.zip(ends_at);
    go(conn, who, partner, step.state, end).await?;
    Ok(())
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    read: &[u8],
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    STEPS.reject(conn, who, partner.id, read).await.map(drop)
}

/// Takes the proposal back.
pub async fn withdraw(conn: &mut Connection, who: &Who, partner: i64) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    STEPS.withdraw(conn, who, partner.id).await.map(drop)
}

/// Keeps what a partner's program was seen to do.
pub async fn certify(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    checks: &[Check],
) -> Result<(), Error> {
    let partner = lock(conn, partner).await?;
    if partner.state != State::Certifying {
        return Err(api::not_certifying(&partner).into());
    }
    let passed = certification::passed(checks);
    store::insert_certification(conn, partner.id, checks, passed, who.principal).await?;
    let result = if passed { "passed" } else { "failed" };
    let about = audit::Subject::Certification
        .no(partner.id)
        .of([partner.id]);
    audit::record(conn, who, about, None, result).await
}

/// Keeps what a partner's program was seen to do, where that is what the partner waits for.
pub async fn certify_if_certifying(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    checks: &[Check],
) -> Result<(), Error> {
    match lock(conn, partner).await?.state {
        State::Certifying => certify(conn, who, partner, checks).await,
        _ => Ok(()),
    }
}

/// Whether a partner has what the step asks for; answers when its last day is over.
async fn may_go(
    conn: &mut Connection,
    partner: &Partner,
    state: State,
    last_day: Option<NaiveDate>,
) -> Result<Option<Timestamp>, Error> {
    if last_day.is_some() != (state == State::WindingDown) {
        return Err(api::last_day_of_winding_down().into());
    }
    match (partner.state, state) {
        (_, State::PendingApproval) | (State::PendingApproval, State::Live) => {
            let latest = store::certification(conn, partner.id).await?;
            match latest.is_some_and(|it| it.passed) {
                true => Ok(None),
                false => Err(api::no_certification().into()),
            }
        }
        (State::WindingDown, State::Live) => {
            let now = db::now(conn).await?;
            match partner.ends_at.is_some_and(|end| end <= now) {
                false => Ok(None),
                true => Err(api::is_over(partner).into()),
            }
        }
        (_, State::Closed) => must_be_done(conn, partner).await.map(|()| None),
        _ => match last_day {
            None => Ok(None),
            Some(day) => {
                let end = life::end_of(day, partner.zone, db::now(conn).await?);
                Ok(Some(end.map_err(api::too_early)?))
            }
        },
    }
}

/// Whether nothing is left of a partner. Behind the gate, so that nothing is under way either.
async fn must_be_done(conn: &mut Connection, partner: &Partner) -> Result<(), Error> {
    let now = db::now(conn).await?;
    if partner.ends_at.is_some_and(|end| now < end) {
        return Err(api::not_over(partner).into());
    }
    db::take_gate(conn).await?;
    let outstanding = store::outstanding(conn, partner).await?;
    match outstanding.is_nothing() {
        true => Ok(()),
        false => Err(api::outstanding(outstanding).into()),
    }
}

/// Takes a step. Who takes no part any more has no credentials either.
pub(super) async fn go(
    conn: &mut Connection,
    who: &Who,
    partner: Partner,
    state: State,
    end: Option<(NaiveDate, Timestamp)>,
) -> Result<Partner, Error> {
    let (last_day, ends_at) = end.unzip();
    super::store::set_state(conn, partner.id, state, last_day, ends_at).await?;
    let (before, after) = (partner.state.name(), state.name());
    let about = audit::Subject::Partner.no(partner.id).of([partner.id]);
    audit::record(conn, who, about, Some(before), after).await?;
    if state == State::Closed {
        credentials::revoke_all(conn, who, partner.id).await?;
    }
    db::publish(conn).await?;
    let goes_on = state == State::Live;
    Ok(Partner {
        state,
        last_day: last_day.or(partner.last_day).filter(|_| !goes_on),
        ends_at: ends_at.or(partner.ends_at).filter(|_| !goes_on),
        ..partner
    })
}

async fn lock(conn: &mut Connection, partner: i64) -> Result<Partner, Error> {
    Ok(super::store::lock(conn, partner)
        .await?
        .ok_or_else(unknown)?)
}

/// Admits a brand and takes every step until it is live, for who fills a hub by program: the first of the two
/// proposes, the second approves.
pub async fn admit_live(
    conn: &mut Connection,
    people: [&Who; 2],
    ids: &Ids,
    new: NewPartner,
) -> Result<Partner, Error> {
    let partner = super::admit(conn, people[0], new).await?;
    bring_live(conn, people, ids, partner.id).await
}

/// Takes every step from the sandbox until a partner is live.
pub async fn bring_live(
    conn: &mut Connection,
    [maker, checker]: [&Who; 2],
    ids: &Ids,
    partner: i64,
) -> Result<Partner, Error> {
    want(conn, maker, ids, partner, State::Certifying, None).await?;
    let name = "admitted by program".to_owned();
    let name = name.try_into().map_err(|why| anyhow::anyhow!("{why}"))?;
    certify(conn, maker, partner, &[Check { name, passed: true }]).await?;
    want(conn, maker, ids, partner, State::PendingApproval, None).await?;
    want(conn, maker, ids, partner, State::Live, None).await?;
    let proposed = STEPS.pending(conn, &[partner]).await?.pop();
    let proposed = proposed.ok_or_else(|| anyhow::anyhow!("nothing waits for a second person"))?;
    approve(conn, checker, partner, &proposed.content_hash).await?;
    lock(conn, partner).await
}
