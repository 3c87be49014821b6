//! Campaigns: bonuses that exist beside rate cards, for a time, with a budget and sponsors.
//!
//! A card is between two brands; a campaign may be for many routes into one currency and be paid for by
//! anybody. So it is a paper of its own: one of its parties *drafts* and *proposes* it, and everybody who
//! pays, the issuer of what is gained and the hub *approve* it. Then it never changes; it begins and ends
//! by the clock. Who may approve may also *halt* it, and who issues what is given stops its own routes
//! ([`state`], [`entry`]).
//!
//! It lives beside the cards and not on a floor above, because each looks at the other: the book that
//! prices quotes carries the campaigns of a route, and whether a card may be published depends on what
//! campaigns add to it ([`spans`]). What a campaign *has given* is not here: that is counted by the
//! ledger, in the group that gives it, and compared with the [`limits`] here by the conversion.
//!
//! A partner who proposes or approves one that rewards splitting says that it knows ([`lint`]).
//!
//! Two decisions are not obvious. A bonus is given *whole or not at all*, so that what a quote says is
//! what its conversion gives; when the budget is used up in between, the conversion is refused and the
//! next quote comes without the bonus. And a quote that a campaign prices by the *credit* ends when the
//! campaign does, so that taking it late cannot change its price.
//!
//! Lock order: the campaign, the approval, the cards and campaigns that hold, the gate of publications.

pub mod api;
pub mod body;
pub mod campaign;
pub mod entry;
pub mod limits;
pub mod lint;
pub mod published;
pub mod sentence;
pub mod spans;
pub mod state;
mod store;

pub use campaign::Campaign;
pub use published::PublishedCampaign;
pub(super) use store::list_published;
pub use store::{Names, find_all, find_published, names, registered};

use std::sync::Arc;

use super::book::Book;
use super::lint::Code;
use super::{exchange, must_not_pump};
use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::members;
use crate::partners::life::Act;
use crate::partners::{self, Currency, Directory};
use crate::points::account::{Account, Asset};
use crate::secret::Secrets;
use entry::Entry;
use state::{Kept, State, Step};

/// What approvals and the audit trail call a campaign.
const SUBJECT: &str = "campaign";

/// Drafts a campaign, for a party of it.
pub async fn draft(
    conn: &mut Connection,
    who: &Who,
    secrets: &Secrets,
    directory: &Directory,
    campaign: &Campaign,
) -> Result<Entry, Error> {
    let now = db::now(conn).await?;

    let currency = |no| {
        directory
            .currency_no(no)
            .ok_or_else(|| api::no_currency("/routes"))
    };
    let target = currency(campaign.target)?;
    let sources = campaign
        .sources
        .iter()
        .map(|source| Ok(currency(*source)?.scale));
    let sources = sources.collect::<Result<Vec<_>, Problem>>()?;
    if !campaign.is_party(target.issuer, PartyName::of(who)) {
        return Err(api::not_a_party().into());
    }
    campaign
        .check(&sources, target.scale, now)
        .map_err(api::refused_draft)?;
    must_be_payable(conn, directory, target, campaign).await?;

    let hash = secrets.hash(&[SUBJECT.as_bytes(), &campaign.content_hash()]);
    let id = store::insert(conn, who, campaign, hash.as_bytes(), now).await?;
    let drafted = find(conn, id).await?;
    audit::record(conn, who, drafted.about(), None, State::Draft.name()).await?;
    Ok(drafted)
}

/// Refuses sponsors whose money cannot be turned into what the points cost. Rates are never taken back,
/// so what is there now will be.
async fn must_be_payable(
    conn: &mut Connection,
    directory: &Directory,
    target: &Currency,
    campaign: &Campaign,
) -> Result<(), Error> {
    let book = Book::new(Arc::default(), Vec::new(), exchange::latest(conn).await?);
    let money = |partner| directory.money_of(partner).map(|money| money.no);
    let paid = money(target.issuer)
        .ok_or_else(|| anyhow::anyhow!("the issuer of {} has no money", target.code))?;
    for (at, sponsor) in campaign.terms.funders.iter().enumerate() {
        let pays = money(sponsor.partner)
            .ok_or_else(|| api::no_partner(&format!("/funders/{at}/partner")))?;
        book.exchange(pays, paid)
            .map_err(|missing| super::api::no_exchange(missing, directory))?;
    }
    Ok(())
}

/// Refuses who would pay and agrees to nothing any more: a partner may have gone on since it was drafted.
async fn funders_must_agree(conn: &mut Connection, campaign: &Campaign) -> Result<(), Error> {
    for sponsor in &campaign.terms.funders {
        partners::must_allow(conn, sponsor.partner, Act::AgreeRates).await?;
    }
    Ok(())
}

/// Asks the other parties to agree, for the side that drafted it. Again, when they did not in time.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    id: i64,
    acknowledged: &[Code],
) -> Result<Entry, Error> {
    let (entry, now) = lock(conn, who, id).await?;

    must_be_maker(&entry, who, "a draft is proposed by the side that made it")?;
    let kept = entry.after(Step::Propose, now).map_err(api::no_such_edge)?;
    entry.campaign.not_over(now).map_err(api::bad_dates)?;
    funders_must_agree(conn, &entry.campaign).await?;
    acknowledge(conn, who, &entry, acknowledged).await?;

    let subject = Subject {
        kind: SUBJECT,
        id,
        shown: ids.show(Kind::Campaign, id),
    };
    let parties = entry.asked(entry.maker);
    approvals::open(conn, who, &subject, &entry.content_hash, &parties).await?;
    store::mark(conn, id, kept).await?;
    record(conn, who, &entry, now).await
}

/// Agrees to what the hash covers. The last party to agree publishes the campaign.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    content_hash: &[u8],
    acknowledged: &[Code],
) -> Result<Entry, Error> {
    let (entry, now) = lock(conn, who, id).await?;

    let kept = entry.after(Step::Approve, now).map_err(api::no_such_edge)?;
    must_be_asked(&entry, who)?;
    acknowledge(conn, who, &entry, acknowledged).await?;

    let verdict = Verdict::Approved;
    let decision = approvals::decide(conn, who, (SUBJECT, id), content_hash, verdict).await?;
    if decision.complete {
        entry.campaign.not_over(now).map_err(api::bad_dates)?;
        funders_must_agree(conn, &entry.campaign).await?;
        store::mark(conn, id, kept).await?;
        must_not_pump(conn).await?;
        db::publish(conn).await?;
    }
    record(conn, who, &entry, now).await
}

async fn acknowledge(
    conn: &mut Connection,
    who: &Who,
    entry: &Entry,
    acknowledged: &[Code],
) -> Result<(), Error> {
    let grave = entry.campaign.terms.grave(entry.scale);
    super::acknowledge(conn, who, entry.about(), grave, acknowledged).await
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    content_hash: &[u8],
) -> Result<Entry, Error> {
    let (entry, now) = lock(conn, who, id).await?;

    let kept = entry.after(Step::Reject, now).map_err(api::no_such_edge)?;
    must_be_asked(&entry, who)?;

    approvals::decide(conn, who, (SUBJECT, id), content_hash, Verdict::Rejected).await?;
    store::mark(conn, id, kept).await?;
    record(conn, who, &entry, now).await
}

/// Takes back a campaign that is not active yet: its maker or the hub what is not agreed, any party
/// what is scheduled.
pub async fn withdraw(conn: &mut Connection, who: &Who, id: i64) -> Result<Entry, Error> {
    let (entry, now) = lock(conn, who, id).await?;

    let kept = entry
        .after(Step::Withdraw, now)
        .map_err(api::no_such_edge)?;
    let is_agreed = entry.kept == Kept::Published;
    if !is_agreed && PartyName::of(who) != PartyName::Hub {
        let detail = "the side that made it withdraws it; you may reject it";
        must_be_maker(&entry, who, detail)?;
    }

    approvals::cancel(conn, who, (SUBJECT, id)).await?;
    store::mark(conn, id, kept).await?;
    if is_agreed {
        db::publish(conn).await?;
    }
    record(conn, who, &entry, now).await
}

/// Stops an active campaign at once: everywhere for who has a say in it, and for who issues what is
/// given on some of its routes, there. What was quoted keeps its bonus.
pub async fn halt(
    conn: &mut Connection,
    who: &Who,
    directory: &Directory,
    id: i64,
) -> Result<Entry, Error> {
    let (entry, now) = seen(conn, who, id).await?;

    let kept = entry.after(Step::Halt, now).map_err(api::no_such_edge)?;
    let party = PartyName::of(who);
    let issued = match party {
        PartyName::Partner(partner) => directory
            .issued_by(partner)
            .iter()
            .map(|it| it.no)
            .collect(),
        PartyName::Hub | PartyName::Nobody => Vec::new(),
    };
    let stopped = entry.halts(party, &issued);
    if stopped.is_empty() {
        return Err(api::not_a_party().into());
    }

    let is_stopped = |it: &&Asset| entry.halted.contains(it) || stopped.contains(it);
    let halted: Vec<Asset> = entry
        .campaign
        .sources
        .iter()
        .filter(is_stopped)
        .copied()
        .collect();
    store::halt(conn, id, &halted).await?;
    let codes = halted.iter().filter_map(|no| directory.code_of(*no));
    let codes = format!("stopped for {}", codes.collect::<Vec<_>>().join(", "));
    audit::record(conn, who, entry.about(), Some("active"), &codes).await?;
    if halted.len() == entry.campaign.sources.len() {
        store::mark(conn, id, kept).await?;
    }
    db::publish(conn).await?;
    record(conn, who, &entry, now).await
}

/// A member's wallet that was registered for a campaign.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    pub campaign: i64,
    pub wallet: Account,
}

/// Registers the wallet of a partner's member in a currency that the campaign takes. Once is enough, and
/// it stays.
pub async fn register(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    partner: i64,
    member: i64,
    currency: &Currency,
) -> Result<Registration, Error> {
    if currency.issuer != partner {
        return Err(api::not_issued_by_you().into());
    }
    if !members::is_member_of(conn, member, partner).await? {
        return Err(api::no_member().into());
    }
    let wallet = members::wallet(conn, member, currency.no).await?;
    let wallet = Account(wallet.ok_or_else(api::no_member)?);
    let found = store::find(conn, id).await?;
    let found = found.filter(|entry| entry.is_seen_by(PartyName::of(who)));
    let entry = found.ok_or_else(api::unknown)?;
    let now = db::now(conn).await?;

    entry
        .after(Step::Register, now)
        .map_err(api::no_such_edge)?;
    if !entry.campaign.sources.contains(&currency.no) {
        return Err(api::no_route("/currency").into());
    }

    store::register(conn, who, id, wallet, now).await?;
    Ok(Registration {
        campaign: id,
        wallet,
    })
}

/// A campaign, locked, and the time after that. Of what is between others one learns only that there is
/// nothing.
async fn seen(conn: &mut Connection, who: &Who, id: i64) -> Result<(Entry, Timestamp), Error> {
    let found = store::lock(conn, id).await?;
    let found = found.filter(|entry| entry.is_seen_by(PartyName::of(who)));
    let entry = found.ok_or_else(api::unknown)?;
    Ok((entry, db::now(conn).await?))
}

/// The same for a party of it.
async fn lock(conn: &mut Connection, who: &Who, id: i64) -> Result<(Entry, Timestamp), Error> {
    let (entry, now) = seen(conn, who, id).await?;
    match entry.is_party(PartyName::of(who)) {
        true => Ok((entry, now)),
        false => Err(api::not_a_party().into()),
    }
}

fn must_be_maker(entry: &Entry, who: &Who, detail: &str) -> Result<(), Problem> {
    match entry.maker == PartyName::of(who) {
        true => Ok(()),
        false => Err(Problem::new(Slug::Forbidden, detail)),
    }
}

/// Who proposed for the hub has given the hub's word.
fn must_be_asked(entry: &Entry, who: &Who) -> Result<(), Problem> {
    match entry.asked(entry.maker).contains(&PartyName::of(who)) {
        true => Ok(()),
        false => Err(Problem::new(
            Slug::MakerIsChecker,
            "the hub proposed it; its partners have to agree",
        )),
    }
}

/// Writes down what became of a campaign, and answers it as it is now.
async fn record(
    conn: &mut Connection,
    who: &Who,
    before: &Entry,
    now: Timestamp,
) -> Result<Entry, Error> {
    let after = find(conn, before.id).await?;
    let (was, is) = (before.state(now), after.state(now));
    if was != is {
        // A draft that is withdrawn was nobody else's either.
        let about = match is {
            State::Withdrawn => before.about(),
            _ => after.about(),
        };
        audit::record(conn, who, about, Some(was.name()), is.name()).await?;
    }
    Ok(after)
}

async fn find(conn: &mut Connection, id: i64) -> Result<Entry, Error> {
    Ok(store::find(conn, id).await?.ok_or_else(api::unknown)?)
}
