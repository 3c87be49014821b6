//! Credits: what a partner that keeps its own balances is to credit to its members.
//!
//! Every operation that puts units into a wallet whose balance the issuer keeps asks for one: a conversion
//! into its currency, and a reversal of what it attested. The group that writes the operation writes the
//! credit, which waits for the issuer: it *acknowledges* that the units are in its own books, under a
//! reference and a business day of its own, or *rejects* what it cannot credit.
//!
//! A rejection undoes the operation: the units go back to where they came from, and the money with them. What
//! is given back to the issuer's member cannot be rejected, as the issuer has taken those units. An answer is
//! the last word: what was wrong with it is put right by a conversion or a transfer of its own.
//!
//! Answering and undoing are two transactions: the first commits the issuer's word, the second is a group of
//! the ledger. The key of the reversal follows from the credit, so undoing again is safe, and the sweep
//! undoes what was rejected when the hub died in between.
//!
//! Lock order: the credit's row, then what its group locks.

pub mod api;
pub mod credit;
mod file;
mod store;

pub use store::{find, list, of_day, state_of};

use chrono::NaiveDate;
use uuid::Uuid;

use self::credit::{Answered, Credit, State};
use super::Ledger;
use super::command::{Failed, Stamp};
use super::execute::Done;
use super::reversals::{Refusal, Reversal};
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::partners::{Currency, Directory};
use crate::secret::Secrets;
use crate::web::once::Claim;
use crate::web::{Origin, RequestId};

/// How many rejected credits are undone at a time by the sweep.
const UNDONE: i64 = 100;

/// Which credits are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    In(State),
    /// Those that wait for longer than they may.
    Overdue,
}

/// Writes down what the issuer says of a credit. What was rejected is then to be undone.
pub async fn answer(
    conn: &mut Connection,
    who: &Who,
    directory: &Directory,
    (id, partner): (i64, i64),
    answered: Answered,
) -> Result<(), Error> {
    let found = store::lock(conn, id).await?;
    let (credit, currency) = own(directory, found, partner)?;
    if credit.state != State::Pending {
        return Err(answered_before(&credit).into());
    }
    match &answered {
        Answered::Rejected { .. } if !credit.may_be_rejected() => {
            let detail = format!(
                "it gives back units of {} that you said you took",
                currency.code
            );
            return Err(Problem::new(Slug::CreditOwed, detail).into());
        }
        Answered::Rejected { .. } => {}
        Answered::Made { credited_on, .. } => {
            must_be_between(
                *credited_on,
                credit.days(currency.zone, db::now(conn).await?),
            )?;
        }
    }

    let state = answered.state();
    store::answer(conn, id, &answered, who.principal).await?;
    let concerned = store::concerned(conn, id).await?;
    let about = audit::Subject::Credit.no(id).of(concerned);
    audit::record(conn, who, about, Some(State::Pending.name()), state.name()).await
}

fn must_be_between(day: NaiveDate, (first, last): (NaiveDate, NaiveDate)) -> Result<(), Problem> {
    match (first..=last).contains(&day) {
        true => Ok(()),
        false => {
            let rule = format!("a business day of yours from {first} to {last}");
            Err(Problem::field("/credited_on", rule))
        }
    }
}

impl Ledger {
    /// Undoes what a rejected credit was asked for by, once, whoever tries how often.
    pub async fn undo_rejected(&self, secrets: &Secrets, id: i64) -> Result<(), Error> {
        let mut conn = self.pool.get().await?;
        db::transaction(&mut conn, async |conn| {
            let Some(credit) = store::lock(conn, id).await? else {
                return Ok(());
            };
            let (State::Rejected, Some(answer), None) =
                (credit.state, &credit.answer, credit.reversal)
            else {
                return Ok(());
            };
            let original = super::store::find(conn, id).await?;
            let reversal = Reversal {
                undoes: None,
                original: original.ok_or_else(|| anyhow::anyhow!("credit {id} is of nothing"))?,
                amount: None,
                receivable: false,
            };
            let stamp = stamp(secrets, id, answer.by);
            let operation = match self.writers.execute(reversal, stamp).await {
                Ok(Done::Now(operation)) => operation.id,
                Ok(Done::Before(operation)) => operation,
                Err(Failed::Refused(Refusal::AlreadyReversed { by })) => by,
                Err(Failed::Refused(refusal)) => {
                    return Err(anyhow::anyhow!("credit {id} is not undone: {refusal:?}").into());
                }
                Err(other) => return Err(super::failure(other)),
            };
            store::mark_undone(conn, id, operation).await
        })
        .await
    }

    /// Undoes what was rejected and not undone, because the hub died in between.
    pub(super) async fn undo_all_rejected(&self, secrets: &Secrets) -> Result<usize, Error> {
        let rejected = store::rejected(&mut *self.pool.get().await?, UNDONE).await?;
        for id in &rejected {
            self.undo_rejected(secrets, *id).await?;
        }
        Ok(rejected.len())
    }
}

/// Whoever undoes it, the operation is that of who rejected it, under one key.
fn stamp(secrets: &Secrets, credit: i64, by: i64) -> Stamp {
    let key_hash = secrets.hash(&[b"rejected credit", &credit.to_be_bytes()]);
    Stamp {
        claim: Claim {
            key_hash,
            body_hash: Uuid::nil(),
        },
        principal_id: by,
        is_confirmed: true,
        request_id: RequestId::fresh().id,
        origin: Origin::Hub,
        version: None,
        reference: None,
    }
}

/// A credit and its currency, when the partner issues that.
fn own(
    directory: &Directory,
    found: Option<Credit>,
    partner: i64,
) -> Result<(Credit, &Currency), Problem> {
    let credit = found.ok_or_else(unknown)?;
    let currency = directory.currency_no(credit.leg.wallet.asset());
    let currency = currency.filter(|currency| currency.issuer == partner);
    Ok((credit, currency.ok_or_else(unknown)?))
}

fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such credit of yours")
}

fn answered_before(credit: &Credit) -> Problem {
    let state = credit.state.name();
    Problem::new(Slug::CreditAnswered, format!("it is {state}")).with("state", state)
}
