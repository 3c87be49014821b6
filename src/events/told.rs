//! What is told of changes that say more than that something is another than it was.

use std::collections::HashMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::audit::Change;
use crate::clock::Timestamp;
use crate::id::{Ids, Kind};
use crate::ledger::notices::notice::Notice;
use crate::partners::{AmountBody, Directory, MoneyBody};
use crate::points::account::{Account, Asset};
use crate::points::money::Micros;

/// A partner that came near to what it may owe.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitWarningBody)]
pub struct WarningBody {
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    /// What was counted of what it owes, when the warning began.
    counted: MoneyBody,
    /// The lesser of its cap and its cover then.
    limit: MoneyBody,
    warned_since: DateTime<Utc>,
    /// When what is counted was found below where it is warned; null as long as it is warned.
    ended_at: Option<DateTime<Utc>>,
}

/// Points that will soon be gone: what one wallet has and can use of one expiry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpiringBody {
    #[schema(example = "wal_0123456789abcdef")]
    wallet: String,
    /// Null when nobody has the wallet any more.
    #[schema(example = "mem_0123456789abcdef")]
    member: Option<String>,
    /// With the issuer; null when there is none any more.
    #[schema(example = "mbs_0123456789abcdef")]
    membership: Option<String>,
    /// As it was when this was told.
    amount: AmountBody,
    /// From then on it cannot be spent.
    expires_at: DateTime<Utc>,
    /// The notice it is: one of the currency's `expiry_notice_days`.
    #[schema(example = 30)]
    days: i16,
}

/// Whose wallet it is, and the membership that brought it.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    pub member: i64,
    pub membership: Option<i64>,
}

/// A warning as the database writes it down.
#[derive(Deserialize)]
struct Warning {
    counted: Micros,
    limit: Micros,
    money: Asset,
    since: Timestamp,
}

pub fn show_warning(
    ids: &Ids,
    directory: &Directory,
    change: &Change,
) -> anyhow::Result<WarningBody> {
    let told = change.before.as_ref().unwrap_or(&change.after);
    let warning: Warning = serde_json::from_str(told).context("a warning")?;
    let money = directory.money(warning.money).context("its money")?;
    Ok(WarningBody {
        partner: ids.show(Kind::Partner, change.subject_id),
        counted: MoneyBody::of(money, warning.counted),
        limit: MoneyBody::of(money, warning.limit),
        warned_since: warning.since,
        ended_at: change.before.as_ref().map(|_| change.at),
    })
}

pub fn show_expiring(
    ids: &Ids,
    directory: &Directory,
    owners: &HashMap<i64, Owner>,
    change: &Change,
) -> anyhow::Result<ExpiringBody> {
    let wallet = Account(change.subject_id);
    let notice: Notice = serde_json::from_str(&change.after).context("a notice")?;
    let currency = directory.currency_no(wallet.asset());
    let owner = owners.get(&wallet.0);
    let membership = owner.and_then(|owner| owner.membership);
    Ok(ExpiringBody {
        wallet: ids.show(Kind::Wallet, wallet.0),
        member: owner.map(|owner| ids.show(Kind::Member, owner.member)),
        membership: membership.map(|id| ids.show(Kind::Membership, id)),
        amount: AmountBody::of(currency.context("its currency")?, notice.amount),
        expires_at: notice.expires_at,
        days: notice.days,
    })
}
