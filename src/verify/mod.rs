//! Proving the books: everything that is kept is made again from single journal rows, and the first
//! difference is named.
//!
//! | what | is made again from |
//! |------|--------------------|
//! | a group's digest, size and instant | its operations and their references, read in order |
//! | seals, one after another | the groups, whose digests are right by then, and the changes of the audit trail |
//! | totals per window, kind and accounts, and so positions and the trial balance | the figures and legs of operations |
//! | what a conversion gave and cost | its card, its campaigns, its locked exchange rates and the amount it took |
//! | a fee that covers a period | what its wallet paid before in that period |
//! | a reversal | the part of the operation it undoes, after the parts before |
//! | a capture, a release | the lots of its hold that come next |
//! | a delivery | what waits for the code of its conversion after the reversals before |
//! | lots, what is available and what is held | the legs of all operations |
//! | holds | their operations and what followed |
//! | credits | the operations that ask for them, and the audit trail |
//! | tallies | the operations that name them |
//! | imports | their lines, the awards that name them, and the audit trail |
//! | what is frozen | its import, and the awards that gave it |
//! | adjustments | their hash, the approval that binds to it, and the operation that posted it |
//! | a closed window's content hash, and where it begins | its totals, and the window before |
//! | what a position owes and was credited in the slices of its limit | its totals |
//! | a cap, and the cover beside it | the audit trail of who approved it |
//! | a rate card's terms | their hash, and the approval that binds to it |
//! | what an award under a mandate cost | its mandate, and the exchange rate of then |
//! | a mandate | its hash, the approval that binds to it, the audit trail, and what awards say was counted |
//! | a campaign | its hash, the approval that binds to it, and what conversions say it gave |
//! | what the database keeps without foreign keys | the rows that should be there |
//!
//! Groups behind the last seal are counted. Where seals were anchored outside of the database, each
//! must be there with its hash: so an end that was cut off is missed.
//!
//! The journal streams: memory does not grow with it, but with the fees in it that cover a period. All of it is read in one snapshot, so that it
//! can run beside a working hub.

mod caps;
mod chain;
mod fees;
mod follow_ups;
mod journal;
mod store;
mod through;
pub mod trail;

use std::fmt;

use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use crate::db::Connection;
use crate::error::Error;
use crate::ledger::follow_ups::before;
use crate::ledger::operation;
use crate::ledger::seals;
use crate::ledger::seals::anchors::Anchor;
use chain::Chain;
use follow_ups::Steps;
use journal::Proof;

/// How many operations are read at a time.
const PAGE: i64 = 20_000;

/// How many seals are.
const SEALS: i64 = 1_000;

/// What was checked, and how many of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    pub operations: i64,
    pub groups: i64,
    pub seals: i64,
    /// Groups behind the last seal.
    pub unsealed: i64,
    /// Of the audit trail.
    pub changes: i64,
    pub anchors: i64,
    pub conversions: i64,
    pub totals: i64,
    pub lots: i64,
    pub holds: i64,
    pub credits: i64,
    pub tallies: i64,
    pub windows: i64,
    pub caps: i64,
    pub imports: i64,
    pub rate_cards: i64,
    pub campaigns: i64,
    /// The first thing found wrong.
    pub difference: Option<String>,
}

/// Stops at the first difference.
pub(crate) struct Difference(pub String);

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error)
    }
}

impl From<diesel::result::Error> for Stopped {
    fn from(error: diesel::result::Error) -> Stopped {
        Stopped::Failed(error.into())
    }
}

impl From<Difference> for Stopped {
    fn from(difference: Difference) -> Stopped {
        Stopped::Found(difference)
    }
}

pub(crate) enum Stopped {
    Found(Difference),
    Failed(Error),
}

/// Proves the books of a database.
pub async fn verify(url: &str) -> Result<Report, Error> {
    verify_by(url, Vec::new(), PAGE).await
}

/// The same, and that what was anchored is still there. Read the anchors first: a hub at work
/// appends some of seals that are newer than what is proved.
pub async fn verify_with(url: &str, anchors: Vec<Anchor>) -> Result<Report, Error> {
    verify_by(url, anchors, PAGE).await
}

/// The same, reading so many operations at a time.
pub async fn verify_by(url: &str, anchors: Vec<Anchor>, page: i64) -> Result<Report, Error> {
    let mut conn = Connection::establish(url)
        .await
        .map_err(|error| anyhow::anyhow!("cannot connect to the database: {error}"))?;
    conn.batch_execute(
        "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set timezone = 'UTC'; \
         begin isolation level repeatable read, read only",
    )
    .await?;

    let mut report = Report::default();
    match check(&mut conn, &mut report, anchors, page).await {
        Ok(()) => Ok(report),
        Err(Stopped::Found(Difference(difference))) => Ok(Report {
            difference: Some(difference),
            ..report
        }),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

async fn check(
    conn: &mut Connection,
    report: &mut Report,
    anchors: Vec<Anchor>,
    page: i64,
) -> Result<(), Stopped> {
    store::cards(conn, report).await?;
    store::campaigns(conn, report).await?;
    store::mandates(conn).await?;
    journal(conn, report, anchors, page).await?;
    follow_ups(conn, page).await?;
    store::lots(conn, report).await?;
    store::holds(conn, report).await?;
    store::credits(conn, report).await?;
    store::tallies(conn, report).await?;
    store::imports(conn, report).await?;
    store::adjustments(conn, page).await?;
    store::chains(conn).await?;
    store::windows(conn, report).await?;
    caps::check(conn, report).await?;
    store::links(conn).await?;
    store::closed(conn).await?;
    Ok(())
}

/// Reads the journal page by page, so that memory does not grow with it.
async fn journal(
    conn: &mut Connection,
    report: &mut Report,
    anchors: Vec<Anchor>,
    page: i64,
) -> Result<(), Stopped> {
    let mut proof = Proof::new(store::terms(conn).await?, Chain::anchored_by(anchors));

    let mut after = i64::MIN;
    loop {
        let page = store::page(conn, after, page).await?;
        let Some(last) = page[..].last().map(|operation| operation.id) else {
            break;
        };
        let group = operation::group_of(last);
        proof.groups.read_up_to(conn, group).await?;
        seals_up_to(conn, &mut proof.chain, group, report).await?;
        changes_before(conn, &mut proof.chain, group).await?;
        proof.references.read_up_to(conn, last).await?;
        for operation in page {
            proof.take(operation, report)?;
        }
        after = last;
    }

    proof.finish_group(report)?;
    proof.groups.none_left(conn).await?;
    seals_up_to(conn, &mut proof.chain, i64::MAX, report).await?;
    changes_before(conn, &mut proof.chain, i64::MAX).await?;
    proof.chain.none_left(report)?;
    store::totals(conn, &proof.sums, report).await
}

/// Reads what follows something, by what it follows.
async fn follow_ups(conn: &mut Connection, page: i64) -> Result<(), Stopped> {
    let mut steps = Steps::default();
    let mut after = (i64::MIN, i64::MIN, i64::MIN);
    loop {
        let (page, followed) = store::follow_ups(conn, after, page).await?;
        let Some(last) = page[..].last() else {
            return Ok(());
        };
        for operation in &page {
            let original = operation.follows.and_then(|id| followed.get(&id));
            steps.take(original, operation)?;
        }
        let followed = last.follows.unwrap_or(i64::MAX);
        after = (followed, before(last).unwrap_or(-1), follow_ups::rank(last));
    }
}

async fn seals_up_to(
    conn: &mut Connection,
    chain: &mut Chain,
    group: i64,
    report: &mut Report,
) -> Result<(), Stopped> {
    while !chain.is_ahead_of(group) {
        let seals = seals::store::following(conn, chain.read_up_to(), SEALS).await?;
        if seals.is_empty() {
            break;
        }
        for seal in seals {
            chain.expect(seal, report)?;
        }
    }
    Ok(())
}

async fn changes_before(
    conn: &mut Connection,
    chain: &mut Chain,
    group: i64,
) -> Result<(), Stopped> {
    while !chain.has_changes_before(group) {
        let places = (chain.changes_up_to(), i64::MAX);
        let changes = seals::store::changes_between(conn, places, PAGE).await?;
        if changes.is_empty() {
            break;
        }
        chain.expect_changes(changes);
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            operations,
            groups,
            seals,
            unsealed,
            changes,
            anchors,
            conversions,
            totals,
            lots,
            holds,
            credits,
            tallies,
            windows,
            caps,
            imports,
            rate_cards,
            campaigns,
            difference,
        } = self;
        writeln!(f, "rate cards  {rate_cards:>10}  are what was approved")?;
        writeln!(
            f,
            "campaigns   {campaigns:>10}  are what was approved, and gave no more than they may"
        )?;
        writeln!(f, "operations  {operations:>10}  read one by one")?;
        writeln!(
            f,
            "groups      {groups:>10}  have the digests of their operations"
        )?;
        writeln!(
            f,
            "seals       {seals:>10}  chain the groups and the changes; {unsealed} groups are not sealed yet"
        )?;
        writeln!(
            f,
            "changes     {changes:>10}  of the audit trail are in the chain"
        )?;
        if *anchors > 0 {
            writeln!(
                f,
                "anchors     {anchors:>10}  outside of the database name seals that are there"
            )?;
        }
        writeln!(
            f,
            "conversions {conversions:>10}  gave and cost what their cards say"
        )?;
        writeln!(
            f,
            "totals      {totals:>10}  are the sums of the operations, positions among them"
        )?;
        writeln!(f, "lots        {lots:>10}  are the sums of their legs")?;
        writeln!(
            f,
            "holds       {holds:>10}  have open what nothing followed"
        )?;
        writeln!(
            f,
            "credits     {credits:>10}  are what was asked for and answered"
        )?;
        writeln!(
            f,
            "tallies     {tallies:>10}  count what their operations gave and gained"
        )?;
        writeln!(f, "windows     {windows:>10}  are as they were closed")?;
        writeln!(
            f,
            "caps        {caps:>10}  are what was approved, and so are their slices"
        )?;
        writeln!(f, "imports     {imports:>10}  came to what their lines say")?;
        match difference {
            None => write!(f, "The books are right."),
            Some(difference) => write!(f, "WRONG: {difference}"),
        }
    }
}
