//! A line of an exported audit trail: a seal, and behind it what it seals, in order.
//!
//! Each line is a JSON object with one field, `seal`, `group` or `change`; hashes and digests are in
//! hexadecimal. What a seal's hash and a change's digest are over is told in
//! [`mod@crate::ledger::seals::seal`] and [`crate::access::audit`].

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::audit::Change;
use crate::clock::Timestamp;
use crate::ledger::seals::seal::{Group, Link, Seal};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    Seal(SealLine),
    Group(GroupLine),
    Change(ChangeLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealLine {
    id: i64,
    first_group: i64,
    last_group: i64,
    groups: i64,
    operations: i64,
    changes: i64,
    hash: String,
    at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupLine {
    id: i64,
    window: i64,
    at: Timestamp,
    size: i16,
    rules: i16,
    origins: String,
    digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeLine {
    position: i64,
    at: Timestamp,
    principal: i64,
    request: Uuid,
    origin: String,
    subject: String,
    subject_id: i64,
    before: Option<String>,
    after: String,
    concerns: Option<Vec<i64>>,
}

impl From<&Seal> for Line {
    fn from(seal: &Seal) -> Line {
        Line::Seal(SealLine {
            id: seal.id,
            first_group: seal.first_group,
            last_group: seal.last_group,
            groups: seal.groups,
            operations: seal.operations,
            changes: seal.changes,
            hash: hex::encode(&seal.hash),
            at: seal.at,
        })
    }
}

impl From<Link<'_>> for Line {
    fn from(link: Link<'_>) -> Line {
        match link {
            Link::Group(group) => Line::Group(GroupLine {
                id: group.id,
                window: group.window_id,
                at: group.at,
                size: group.size,
                rules: group.rules,
                origins: group.origins.clone(),
                digest: hex::encode(&group.digest),
            }),
            Link::Change(change) => Line::Change(ChangeLine {
                position: change.position,
                at: change.at,
                principal: change.principal_id,
                request: change.request_id,
                origin: change.origin.clone(),
                subject: change.subject.clone(),
                subject_id: change.subject_id,
                before: change.before.clone(),
                after: change.after.clone(),
                concerns: change.concerns.clone(),
            }),
        }
    }
}

impl TryFrom<SealLine> for Seal {
    type Error = hex::FromHexError;

    fn try_from(line: SealLine) -> Result<Seal, hex::FromHexError> {
        Ok(Seal {
            id: line.id,
            first_group: line.first_group,
            last_group: line.last_group,
            groups: line.groups,
            operations: line.operations,
            changes: line.changes,
            hash: hex::decode(line.hash)?,
            at: line.at,
        })
    }
}

impl TryFrom<GroupLine> for Group {
    type Error = hex::FromHexError;

    fn try_from(line: GroupLine) -> Result<Group, hex::FromHexError> {
        Ok(Group {
            id: line.id,
            window_id: line.window,
            at: line.at,
            size: line.size,
            rules: line.rules,
            origins: line.origins,
            digest: hex::decode(line.digest)?,
        })
    }
}

impl From<ChangeLine> for Change {
    fn from(line: ChangeLine) -> Change {
        Change {
            position: line.position,
            at: line.at,
            principal_id: line.principal,
            request_id: line.request,
            origin: line.origin,
            subject: line.subject,
            subject_id: line.subject_id,
            before: line.before,
            after: line.after,
            concerns: line.concerns,
        }
    }
}
