//! When all is quiet: what was acknowledged is there exactly once, and nothing else is.
//!
//! | claim | how it is looked at |
//! |-------|---------------------|
//! | nothing is lost | each acknowledged operation is in the journal, and found by its reference as it was |
//! | nothing is doubled | the journal has no operation that nobody was told of |
//! | a key stays bound | each write, sent once more, is answered as it was, and adds nothing |
//! | balances | each wallet holds what its acknowledged operations come to |
//! | windows | each operation is in one; each was closed once; none overlap |
//! | the feed | who read it all along has read the journal, in its order |
//! | books | `verify` |

use std::collections::BTreeSet;

use futures_util::StreamExt;
use serde_json::Value;
use tokio_postgres::Client;

use super::caller::Caller;
use super::feed::Feed;
use super::stage::{Stage, number, session};
use super::tally::{Answer, Write, in_base_four};
use crate::db::Pool;
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::verify;

/// Questions at a time.
const AT_ONCE: usize = 16;

pub async fn audit(
    stage: &Stage,
    caller: &Caller,
    feed: &mut Feed,
) -> anyhow::Result<verify::Report> {
    let client = session(&stage.url).await?;
    let pool = Pool::new(&stage.url, 1)?;
    let ids = Ids::new(&Secrets::load(&mut *pool.get().await?).await?.ids);
    let done = caller.tally.done();

    journal(stage, caller, &client, &ids, &done).await?;
    each(&done, |(write, answer)| is_found(caller, write, answer)).await;
    each(&done, |(write, answer)| {
        is_answered_again(caller, write, answer)
    })
    .await;
    // Sending again has added nothing.
    journal(stage, caller, &client, &ids, &done).await?;
    holdings(caller).await;
    windows(caller, &client, &done).await?;
    events(caller, &client, &ids, feed).await?;

    let report = verify::verify(&stage.url).await?;
    if let Some(difference) = &report.difference {
        caller.tally.wrong(format!("verify: {difference}"));
    }
    Ok(report)
}

async fn each<'a, F: Future<Output = ()>>(
    done: &'a [(Write, Value)],
    check: impl Fn(&'a (Write, Value)) -> F,
) {
    let checks = futures_util::stream::iter(done).map(check);
    checks.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The journal holds what was acknowledged, once, and nothing else but what expired by itself.
async fn journal(
    stage: &Stage,
    caller: &Caller,
    client: &Client,
    ids: &Ids,
    done: &[(Write, Value)],
) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    for (write, answer) in done {
        if let Some(id) = operation_of(ids, answer)
            && !told.insert(id)
        {
            caller.tally.wrong(format!(
                "{} {} was acknowledged with an operation of another key: {answer}",
                write.path, write.key
            ));
        }
    }
    let sql = "select id from operations where kind <> 4 and id > $1";
    let rows = client.query(sql, &[&stage.prologue]).await?;
    let kept: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
    for lost in told.difference(&kept) {
        let what = format!("operation {lost} was acknowledged and is not in the journal");
        caller.tally.wrong(what);
    }
    for more in kept.difference(&told) {
        let what = format!("operation {more} is in the journal and nobody was told of it");
        caller.tally.wrong(what);
    }
    Ok(())
}

/// The operation that an answer names. None when it names something else.
fn operation_of(ids: &Ids, answer: &Value) -> Option<i64> {
    let text = answer["id"].as_str()?;
    let kinds = [
        Kind::Award,
        Kind::Redemption,
        Kind::Conversion,
        Kind::Reversal,
    ];
    kinds.iter().find_map(|kind| ids.read(*kind, text))
}

async fn is_found(caller: &Caller, write: &Write, answer: &Value) {
    let Some(reference) = &write.reference else {
        return;
    };
    let path = format!("{}?reference={reference}", write.path);
    let found = caller.ask(write.who, &path, None).await;
    if found != Answer::Done(answer.clone()) {
        let what = format!("{path} was acknowledged as {answer} and is {found:?}");
        caller.tally.wrong(what);
    }
}

async fn is_answered_again(caller: &Caller, write: &Write, answer: &Value) {
    let again = caller.again(write).await;
    if again != Answer::Done(answer.clone()) {
        let what = format!(
            "{} {} was answered {answer}, and sent again {again:?}",
            write.path, write.key
        );
        caller.tally.wrong(what);
    }
}

async fn holdings(caller: &Caller) {
    for (wallet, expected) in caller.tally.holdings() {
        if let Some(balance) = caller.balance(&wallet).await
            && balance != expected
        {
            let (is, should) = (in_base_four(balance), in_base_four(expected));
            caller.tally.wrong(format!(
                "{} holds {balance} {} and should hold {expected}: in base 4 {is} and {should}",
                wallet.member, wallet.currency
            ));
        }
    }
}

async fn windows(caller: &Caller, client: &Client, done: &[(Write, Value)]) -> anyhow::Result<()> {
    let closed: Vec<&str> = done
        .iter()
        .filter_map(|(_, answer)| answer["closed"]["id"].as_str())
        .collect();
    let distinct = closed.iter().collect::<BTreeSet<_>>().len();
    let counted = number(
        client,
        "select count(*) from windows where state = 'closed'",
    )
    .await?;
    if distinct != closed.len() || distinct as i64 != counted {
        caller.tally.wrong(format!(
            "{counted} windows are closed, and {} closings of {distinct} windows were acknowledged",
            closed.len()
        ));
    }
    let none_may = [
        (
            "operations are in no window",
            "select count(*) from operations o left join groups g on g.id = o.id >> 12 \
             left join windows w on w.id = g.window_id where w.id is null",
        ),
        (
            "groups are in a window before that of an earlier group",
            "select count(*) from (select window_id, lag(window_id) over (order by id) as earlier from groups) g \
             where window_id < earlier",
        ),
        (
            "windows open at another instant than the one before closes",
            "select count(*) from (select opened_at, lag(closed_at) over (order by id) as closed_before from windows) w \
             where opened_at <> closed_before",
        ),
    ];
    for (what, sql) in none_may {
        match number(client, sql).await? {
            0 => {}
            count => caller.tally.wrong(format!("{count} {what}")),
        }
    }
    Ok(())
}

/// The reader of the feed has seen each operation and each change once, in order.
async fn events(
    caller: &Caller,
    client: &Client,
    ids: &Ids,
    feed: &mut Feed,
) -> anyhow::Result<()> {
    let all = "select id from operations union all select position from audit order by id";
    let rows = client.query(all, &[]).await?;
    let journal: Vec<String> = rows
        .iter()
        .map(|row| ids.show(Kind::Event, row.get(0)))
        .collect();
    if let Some(last) = journal.last() {
        feed.follow_to(caller, last).await;
    }

    let mut read = feed.seen.iter();
    let missed = journal.iter().find(|event| read.next() != Some(event));
    if let Some(missed) = missed {
        let (seen, all) = (feed.seen.len(), journal.len());
        caller.tally.wrong(format!(
            "the feed gave {seen} events to its reader and the journal has {all}; \
             the first that is missing or out of order is {missed}"
        ));
    }
    Ok(())
}
