//! Rates: what a card says about an amount, and how two brands come to agree on it.
//!
//! ```text
//! Terms ──check──▶ Tariff ──price──▶ Priced            as written, in smallest units, evaluated
//!    │                └────smallest_for──▶ amount      the way back
//! Card = Terms + SettlementTerms ──evaluate──▶ Evaluated, with the figures in money
//! ```
//!
//! A card is read as its partners wrote it ([`terms`]), checked and put in smallest units
//! ([`tariff`]), and evaluated by one function ([`price::price`]) for a quote, for a conversion
//! and for a file of published rules ([`published`]). Which amounts are legal is not tried but
//! computed, so that a refusal can always name the next one.
//!
//! One of the two issuers, or the hub, *drafts* a version of the terms for one direction of one
//! pair and *proposes* it. The issuer of what is given, the issuer of what is gained, a [`sponsor`] and
//! the hub each have a word, and who proposes has given theirs; the last to *approve* publishes. Anybody
//! asked can *reject*, the maker can *withdraw* what is not active yet, and either partner or the
//! hub can *halt* what is ([`state`]).
//!
//! A version begins when its parties wanted, or when the last of them agreed if that is later:
//! approval takes its time, and refusing the last word because a date went by would make everybody
//! begin again. It never begins in the past, nor before the notice that the version before it promised
//! ([`notice`]), unless it takes nothing from a member ([`change`]). The version of the pair and priority
//! that would go on for ever ends at the same instant, in the same transaction; any other overlap is
//! refused by the table.
//!
//! Cards of one pair that hold at one instant differ in *priority*, and each may say for whom it is
//! ([`condition`]). Of those whose condition is met the highest priority decides, so that there is
//! nothing to choose and the answer does not depend on who looks.
//!
//! Every hub quotes from a [`Book`] in memory; publishing and ending are publications, which make
//! them all read it again. What a quote locked outlives both ([`find_published`], [`exchange`]).
//!
//! A [campaign](campaigns) adds a bonus to what cards give, for a time.
//!
//! Nothing is published that would let a member gain by going in a circle ([`pump`]): what the last word
//! would publish, what a withdrawal would let go on and what an exchange rate would make of priced
//! cards is looked at as it would be, and refused with the circle. Conditions protect from nothing there:
//! every card is taken as one that somebody meets.
//!
//! Lock order: the pair (an advisory lock), the approval, the cards that hold, the gate of publications.

pub mod allowance;
pub mod api;
pub mod block;
pub mod body;
pub mod bonus;
pub mod book;
pub mod boundary;
pub mod campaigns;
pub mod card;
pub mod chain;
pub mod change;
pub mod changes;
pub mod condition;
pub mod draft;
pub mod effect;
pub mod exchange;
pub mod fee;
pub mod funding;
pub mod imports;
pub mod lint;
pub mod notice;
pub mod onward;
pub mod period;
pub mod price;
pub mod printed;
pub mod published;
pub mod pump;
pub mod refusal;
pub mod sentence;
pub mod settlement;
pub mod spend;
pub mod split;
pub mod sponsor;
pub mod state;
pub mod tariff;
pub mod terms;
pub mod version;

mod best;
mod case;
mod change_chinese;
mod change_english;
mod chinese;
mod english;
mod extra;
mod grid;
mod legal;
mod limit;
mod line;
mod row;
mod store;
mod stretch;
mod written;

pub use book::{Book, Missing, PublishedCard};
pub use campaigns::PublishedCampaign;
pub use draft::Draft;
pub use state::State;
pub use store::find_published;
pub use version::Version;

use std::sync::Arc;

use crate::access::audit::About;
use crate::access::{Who, audit};
use crate::approvals::{self, PartyName, Subject, Verdict};
use crate::clock::Timestamp;
use crate::db::{self, Connection, Moment, Pool, Snapshot};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::life::Act;
use crate::partners::{self, Directories, Directory};
use crate::points::account::Asset;
use crate::points::amount::Scales;
use crate::secret::Secrets;
use campaigns::spans::spans;
use card::Card;
use draft::{BadDates, ends_after};
use pump::Route;
use state::{Kept, Step};
use store::Live;

/// What approvals and the audit trail call a version of a card.
const SUBJECT: &str = "rate_card";

/// The book of rates as of the latest publication.
#[derive(Default)]
pub struct Books {
    directories: Directories,
    books: Snapshot<Book>,
}

impl Books {
    /// The book and the publication it is as of. To be asked before a transaction publishes, never
    /// after: what it then read might be rolled back.
    pub async fn current(&self, conn: &mut Connection) -> Result<(i64, Arc<Book>), Error> {
        let load = async |conn: &mut Connection| self.load(conn).await;
        self.books.current(conn, load).await
    }

    /// The book that a request rests on, or a later one.
    pub async fn at(&self, moment: Moment, pool: &Pool) -> Result<(i64, Arc<Book>), Error> {
        let load = async |conn: &mut Connection| self.load(conn).await;
        self.books.at(moment, pool, load).await
    }

    async fn load(&self, conn: &mut Connection) -> Result<Book, Error> {
        let (_, directory) = self.directories.current(conn).await?;
        let cards = store::list_published(conn).await?;
        let campaigns = campaigns::list_published(conn).await?;
        Ok(Book::new(directory, cards, exchange::latest(conn).await?).with(campaigns))
    }
}

/// Drafts the next version of a pair, for the issuer of either currency or for the hub.
pub async fn draft(
    conn: &mut Connection,
    who: &Who,
    secrets: &Secrets,
    directory: &Directory,
    draft: &Draft,
) -> Result<Version, Error> {
    store::lock_pair(conn, draft.from, draft.to).await?;
    let now = db::now(conn).await?;

    let currency = |no, pointer| {
        directory
            .currency_no(no)
            .ok_or_else(|| api::no_currency(pointer))
    };
    let (from, to) = (currency(draft.from, "/from")?, currency(draft.to, "/to")?);
    let is_issuer = |partner: i64| partner == from.issuer || partner == to.issuer;
    match PartyName::of(who) {
        PartyName::Partner(partner) if is_issuer(partner) => {}
        PartyName::Partner(_) | PartyName::Nobody => return Err(api::not_an_issuer().into()),
        PartyName::Hub => {}
    }
    for issuer in [from.issuer, to.issuer] {
        partners::must_allow(conn, issuer, Act::AgreeRates).await?;
    }
    let scales = Scales {
        source: from.scale,
        target: to.scale,
    };
    let fee = draft.card.terms.fee.as_ref();
    let fee_money = fee.and_then(|fee| directory.money_by_code(&fee.currency));
    let source_money = directory.money_of(from.issuer);
    let source_money =
        source_money.ok_or_else(|| anyhow::anyhow!("partner {} has no money", from.issuer))?;
    draft
        .check(
            scales,
            fee_money.map(|money| money.no),
            source_money.no,
            now,
        )
        .map_err(api::refused_draft)?;

    must_be_payable(conn, directory, source_money.no, &draft.card).await?;

    let hash = secrets.hash(&[SUBJECT.as_bytes(), &draft.approval_hash()]);
    let id = store::insert(conn, who, draft, hash.as_bytes(), now).await?;
    let drafted = find(conn, id).await?;
    audit::record(conn, who, drafted.about(), None, State::Draft.name()).await?;
    Ok(drafted)
}

/// Refuses a sponsor whose money cannot be turned into what the source owes. Rates are never taken back,
/// so what is there now will be.
async fn must_be_payable(
    conn: &mut Connection,
    directory: &Directory,
    source_money: Asset,
    card: &Card,
) -> Result<(), Error> {
    let Some(sponsor) = card.settlement.sponsor() else {
        return Ok(());
    };
    let money = directory.money_of(sponsor.partner);
    let money = money.ok_or_else(|| anyhow::anyhow!("partner {} has no money", sponsor.partner))?;
    let book = Book::new(Arc::default(), Vec::new(), exchange::latest(conn).await?);
    let exchange = book.exchange(money.no, source_money);
    exchange.map_err(|missing| api::no_exchange(missing, directory))?;
    Ok(())
}

/// Refuses the terms of who agrees to none any more: a partner may have gone on since it was drafted.
async fn parties_must_agree(conn: &mut Connection, version: &Version) -> Result<(), Error> {
    let issuers = [version.source, version.target].into_iter();
    for partner in issuers.chain(version.sponsor()) {
        partners::must_allow(conn, partner, Act::AgreeRates).await?;
    }
    Ok(())
}

/// Asks the other parties to agree, for the side that drafted it. Again, when they did not in time.
pub async fn propose(
    conn: &mut Connection,
    who: &Who,
    ids: &Ids,
    id: i64,
    acknowledged: &[lint::Code],
) -> Result<Version, Error> {
    let (version, now) = lock(conn, who, id).await?;

    if version.maker != PartyName::of(who) {
        return Err(Problem::new(
            Slug::Forbidden,
            "a draft is proposed by the side that made it",
        )
        .into());
    }
    let kept = version
        .after(Step::Propose, now)
        .map_err(api::no_such_edge)?;
    ends_after(version.start(now), version.valid_to, BadDates::IsOver).map_err(api::bad_dates)?;
    parties_must_agree(conn, &version).await?;
    let grave = lint::grave(&version.card, version.scales);
    acknowledge(conn, who, version.about(), grave, acknowledged).await?;

    let subject = Subject {
        kind: SUBJECT,
        id,
        shown: ids.show(Kind::RateCard, id),
    };
    let parties = version.asked(version.maker);
    approvals::open(conn, who, &subject, &version.content_hash, &parties).await?;
    store::mark(conn, id, kept).await?;
    record(conn, who, &version, now).await
}

/// Agrees to what the hash covers. The last party to agree publishes the version.
pub async fn approve(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    content_hash: &[u8],
    acknowledged: &[lint::Code],
) -> Result<Version, Error> {
    let (version, now) = lock(conn, who, id).await?;

    version
        .after(Step::Approve, now)
        .map_err(api::no_such_edge)?;
    must_be_asked(&version, who)?;
    let grave = lint::grave(&version.card, version.scales);
    acknowledge(conn, who, version.about(), grave, acknowledged).await?;

    let decision =
        approvals::decide(conn, who, (SUBJECT, id), content_hash, Verdict::Approved).await?;
    if decision.complete {
        publish(conn, who, &version, now).await?;
    }
    record(conn, who, &version, now).await
}

/// Refuses the word of a partner who has not said that it knows what the terms reward. It is the
/// partners who pay for that, so the hub need not.
async fn acknowledge(
    conn: &mut Connection,
    who: &Who,
    about: About,
    grave: Vec<lint::Code>,
    acknowledged: &[lint::Code],
) -> Result<(), Error> {
    let grave = grave.into_iter();
    let grave = grave.filter(|_| PartyName::of(who) != PartyName::Hub);
    let (known, missing): (Vec<_>, Vec<_>) = grave.partition(|code| acknowledged.contains(code));
    if !missing.is_empty() {
        return Err(api::not_acknowledged(&missing).into());
    }
    for code in known {
        let said = format!("{} acknowledged", code.name());
        audit::record(conn, who, about.clone(), None, &said).await?;
    }
    Ok(())
}

/// What everybody has agreed to prices quotes from its start on.
async fn publish(
    conn: &mut Connection,
    who: &Who,
    version: &Version,
    now: Timestamp,
) -> Result<(), Error> {
    ends_after(version.start(now), version.valid_to, BadDates::IsOver).map_err(api::bad_dates)?;
    parties_must_agree(conn, version).await?;
    let standing = store::list_standing(conn, version, now).await?;
    let start = notice::start(version, &standing, now);
    let too_late = BadDates::EndsWithinNotice(start);
    ends_after(start, version.valid_to, too_late).map_err(api::bad_dates)?;

    let ended = store::end_predecessor(conn, version, start).await?;
    if let Some(predecessor) = ended {
        let after = format!("published until {start}");
        let about = audit::Subject::RateCard
            .no(predecessor)
            .of(version.partners());
        audit::record(conn, who, about, Some("published"), &after).await?;
    }
    store::mark_published(conn, version.id, start).await?;
    must_not_pump(conn).await?;
    db::publish(conn).await
}

/// Refuses to go on when the cards, as they are written now, would let somebody gain by going in a
/// circle. One at a time over all hubs, so that no two changes make one together.
async fn must_not_pump(conn: &mut Connection) -> Result<(), Error> {
    let live = store::lock_live(conn).await?;
    let campaigns = campaigns::list_published(conn).await?;
    let book = Book::new(Arc::default(), Vec::new(), exchange::latest(conn).await?);
    let now = db::now(conn).await?;
    let found = tokio::task::spawn_blocking(move || find_pump(&live, &campaigns, &book, now)).await;
    match found.map_err(anyhow::Error::from)? {
        None => Ok(()),
        Some(problem) => Err(problem.into()),
    }
}

fn find_pump(
    live: &[Live],
    campaigns: &[PublishedCampaign],
    book: &Book,
    now: Timestamp,
) -> Option<Problem> {
    let routes = live.iter().flat_map(|it| routes(it, campaigns, book));
    let routes: Vec<Route> = routes.collect();
    let pump = pump::find(&routes, now)?;
    let code = |currency: Asset| {
        let of = live.iter().find(|it| it.card.from == currency);
        of.map_or("?", |it| it.codes[0].as_str())
    };
    Some(api::pump(&pump, code))
}

/// A card as the search for pumps sees it, with the campaigns that may add to it, span by span; none when
/// it prices nothing, for want of an exchange rate.
fn routes(live: &Live, campaigns: &[PublishedCampaign], book: &Book) -> Vec<Route> {
    let Live { card, scales, .. } = live;
    let [source, target] = live.moneys;
    let exchange = match book.exchange(source, target) {
        Ok(exchange) => exchange.map(|(_, exchange)| exchange),
        Err(Missing { .. }) if card.card.terms.rate == terms::Rate::Priced => return Vec::new(),
        Err(Missing { .. }) => None,
    };
    let of_route = campaigns.iter().filter(|it| it.is_open(card.from, card.to));
    let of_route: Vec<&PublishedCampaign> = of_route.collect();
    let spans = spans(&of_route, card.valid_from, card.valid_to).into_iter();
    let routes = spans.flat_map(|span| {
        span.bonuses.into_iter().filter_map(move |bonuses| {
            Some(Route {
                card: card.id,
                from: card.from,
                to: card.to,
                best: card.card.best(bonuses.into_iter(), *scales, exchange)?,
                since: span.since,
                until: span.until,
            })
        })
    });
    routes.collect()
}

/// Does not agree, which ends the proposal.
pub async fn reject(
    conn: &mut Connection,
    who: &Who,
    id: i64,
    content_hash: &[u8],
) -> Result<Version, Error> {
    let (version, now) = lock(conn, who, id).await?;

    let kept = version
        .after(Step::Reject, now)
        .map_err(api::no_such_edge)?;
    must_be_asked(&version, who)?;

    approvals::decide(conn, who, (SUBJECT, id), content_hash, Verdict::Rejected).await?;
    store::mark(conn, id, kept).await?;
    record(conn, who, &version, now).await
}

/// Takes back a version that is not active yet: its maker or the hub what is not agreed, any party
/// what is scheduled. A version that it would have ended goes on.
pub async fn withdraw(conn: &mut Connection, who: &Who, id: i64) -> Result<Version, Error> {
    let (version, now) = lock(conn, who, id).await?;

    let kept = version
        .after(Step::Withdraw, now)
        .map_err(api::no_such_edge)?;
    let party = PartyName::of(who);
    let is_agreed = version.kept == Kept::Published;
    if !is_agreed && party != version.maker && party != PartyName::Hub {
        return Err(Problem::new(
            Slug::Forbidden,
            "the side that made it withdraws it; you may reject it",
        )
        .into());
    }

    approvals::cancel(conn, who, (SUBJECT, id)).await?;
    store::mark(conn, id, kept).await?;
    if is_agreed {
        if let Some(resumed) = store::resume_predecessor(conn, id).await? {
            let about = audit::Subject::RateCard.no(resumed).of(version.partners());
            let after = "published, and goes on";
            audit::record(conn, who, about, Some("published"), after).await?;
            must_not_pump(conn).await?;
        }
        db::publish(conn).await?;
    }
    record(conn, who, &version, now).await
}

/// Stops an active version at once: no new quote is priced by it. Whom it was for, a version of a lower
/// priority takes, where there is one.
pub async fn halt(conn: &mut Connection, who: &Who, id: i64) -> Result<Version, Error> {
    let (version, now) = lock(conn, who, id).await?;

    let kept = version.after(Step::Halt, now).map_err(api::no_such_edge)?;

    store::mark(conn, id, kept).await?;
    db::publish(conn).await?;
    record(conn, who, &version, now).await
}

/// Who speaks for the three parties of a card.
#[derive(Debug, Clone, Copy)]
pub struct Speakers<'a> {
    pub source: &'a Who,
    pub target: &'a Who,
    pub hub: &'a Who,
}

/// What the parties of an agreed card do one after the other: the source drafts and proposes, the
/// target and the hub approve, and both brands know what its lints say. For the sample coalition and for
/// what was agreed on paper; every rule holds as over HTTP.
pub async fn publish_agreed(
    conn: &mut Connection,
    ids: &Ids,
    secrets: &Secrets,
    directory: &Directory,
    speakers: Speakers<'_>,
    wanted: &Draft,
) -> Result<Version, Error> {
    let drafted = draft(conn, speakers.source, secrets, directory, wanted).await?;
    let lints = lint::grave(&drafted.card, drafted.scales);
    let proposed = propose(conn, speakers.source, ids, drafted.id, &lints).await?;
    if proposed.source != proposed.target {
        approve(
            conn,
            speakers.target,
            proposed.id,
            &proposed.content_hash,
            &lints,
        )
        .await?;
    }
    approve(conn, speakers.hub, proposed.id, &proposed.content_hash, &[]).await
}

/// A version with its pair locked, and the time after that. Of what is between others one learns
/// only that there is nothing.
async fn lock(conn: &mut Connection, who: &Who, id: i64) -> Result<(Version, Timestamp), Error> {
    let party = PartyName::of(who);
    let found = store::lock(conn, id)
        .await?
        .filter(|version| version.is_seen_by(party));
    let version = found.ok_or_else(unknown)?;
    if !version.is_party(party) {
        return Err(Problem::new(
            Slug::Forbidden,
            "only the two issuers, its sponsor and the hub have a say in it",
        )
        .into());
    }
    Ok((version, db::now(conn).await?))
}

/// Who proposed for the hub has given the hub's word.
fn must_be_asked(version: &Version, who: &Who) -> Result<(), Problem> {
    match version.asked(version.maker).contains(&PartyName::of(who)) {
        true => Ok(()),
        false => Err(Problem::new(
            Slug::MakerIsChecker,
            "the hub proposed it; its partners have to agree",
        )),
    }
}

/// Writes down what became of a version, and answers it as it is now.
async fn record(
    conn: &mut Connection,
    who: &Who,
    before: &Version,
    now: Timestamp,
) -> Result<Version, Error> {
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

/// The version to compare another with: the one that is asked for, or else the one of its pair and
/// priority that it replaces or would replace now.
async fn compared(
    conn: &mut Connection,
    version: &Version,
    since: Option<i64>,
    viewer: PartyName,
) -> Result<Option<Version>, Error> {
    let Some(id) = since else {
        let start = match version.kept {
            Kept::Published | Kept::Halted => version.valid_from,
            Kept::Draft | Kept::Proposed | Kept::Rejected | Kept::Withdrawn => None,
        };
        let start = match start {
            Some(start) => start,
            None => version.start(db::now(conn).await?),
        };
        let found = store::find_predecessor(conn, version, start).await?;
        return Ok(found.filter(|other| other.is_seen_by(viewer)));
    };
    let of_the_pair = |other: &Version| (other.from, other.to) == (version.from, version.to);
    let found = store::find(conn, id)
        .await?
        .filter(|other| other.is_seen_by(viewer) && of_the_pair(other));
    Ok(Some(found.ok_or_else(api::no_such_version)?))
}

async fn find(conn: &mut Connection, id: i64) -> Result<Version, Error> {
    Ok(store::find(conn, id).await?.ok_or_else(unknown)?)
}

fn unknown() -> Problem {
    Problem::new(
        Slug::NotFound,
        "there is no such rate card, or it is between others",
    )
}
