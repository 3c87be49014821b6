//! The sealed audit trail as a file, which proves itself without the hub: whoever has it, and an
//! anchor or a `sealed_through` of the feed that was kept, can tell whether the past is still the same.

pub mod line;

use std::io::{BufRead, Write};

use anyhow::Context;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use super::chain::Chain;
use super::{Difference, Report};
use crate::access::audit::Change;
use crate::db::Connection;
use crate::ledger::operation;
use crate::ledger::seals::anchors::Anchor;
use crate::ledger::seals::seal::{Group, Link, Seal, links};
use crate::ledger::seals::store;
use line::Line;

/// Seals read at a time.
const SEALS: i64 = 200;

/// Writes every seal with what it seals, as of one instant, and says how many changes that were.
pub async fn export(url: &str, out: &mut impl Write) -> anyhow::Result<i64> {
    let connected = Connection::establish(url).await;
    let mut conn = connected.context("cannot connect to the database")?;
    conn.batch_execute(
        "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set timezone = 'UTC'; \
         begin isolation level repeatable read, read only",
    )
    .await?;

    let (mut last, mut changes) = (0, 0);
    loop {
        let seals = store::following(&mut conn, last, SEALS).await?;
        let Some(end) = seals.last() else {
            out.flush()?;
            return Ok(changes);
        };
        last = end.id;
        for seal in &seals {
            write_seal(&mut conn, seal, out).await?;
            changes += seal.changes;
        }
    }
}

async fn write_seal(
    conn: &mut Connection,
    seal: &Seal,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (before, behind) = (seal.first_group - 1, seal.last_group + 1);
    let groups = store::groups_after(conn, before, behind, seal.groups).await?;
    let places = (
        operation::id(seal.first_group, 0) - 1,
        operation::id(behind, 0),
    );
    let changes = store::changes_between(conn, places, seal.changes).await?;

    let lines = links(&groups, &changes).into_iter().map(Line::from);
    for line in std::iter::once(Line::from(seal)).chain(lines) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads an exported trail and says what is in it, up to the first line that is not what was sealed.
pub fn check(file: impl BufRead, anchors: Vec<Anchor>) -> anyhow::Result<Report> {
    let (mut report, mut chain) = (Report::default(), Chain::anchored_by(anchors));
    for (nth, text) in file.lines().enumerate() {
        let nth = nth + 1;
        let text = text.with_context(|| format!("line {nth} cannot be read"))?;
        let line: Line = serde_json::from_str(&text)
            .with_context(|| format!("line {nth} is not a seal, a group or a change"))?;
        let taken = take(&mut chain, line, &mut report).with_context(|| format!("line {nth}"))?;
        if let Err(Difference(difference)) = taken {
            report.difference = Some(format!("line {nth}: {difference}"));
            return Ok(report);
        }
    }
    report.difference = chain.none_left(&mut report).err().map(|it| it.0);
    Ok(report)
}

fn take(
    chain: &mut Chain,
    line: Line,
    report: &mut Report,
) -> anyhow::Result<Result<(), Difference>> {
    Ok(match line {
        Line::Seal(seal) => chain.expect(Seal::try_from(seal)?, report),
        Line::Group(group) => {
            let group = Group::try_from(group)?;
            report.groups += 1;
            report.operations += i64::from(group.size);
            chain.add(Link::Group(&group), report)
        }
        Line::Change(change) => chain.add(Link::Change(&Change::from(change)), report),
    })
}
