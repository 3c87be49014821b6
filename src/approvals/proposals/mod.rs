//! Proposals: what somebody wants of a subject, and nobody does alone.
//!
//! The approval holds what is wanted until it closes, and forgets it then. Its hash binds that to its
//! *basis*: whatever of the subject the checker relies on, as it was when it was proposed. Whoever agrees
//! later agrees to nothing when either is another by then.
//!
//! A person of the hub has the last word. A partner that proposes has spoken with it.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{PartyName, Subject, Verdict, api, store};
use crate::access::Who;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

/// Everything of one kind that can be proposed: its subject, and what is wanted of it.
pub struct Proposals<T> {
    subject: &'static str,
    wanted: PhantomData<fn() -> T>,
}

/// What waits for somebody else's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal<T> {
    /// The subject's id.
    pub of: i64,
    pub wanted: T,
    /// Send it when you approve: it says what you read.
    pub content_hash: Vec<u8>,
    pub at: Timestamp,
}

impl<T: Serialize + DeserializeOwned> Proposals<T> {
    pub const fn of(subject: &'static str) -> Proposals<T> {
        Proposals {
            subject,
            wanted: PhantomData,
        }
    }

    /// Asks somebody else of the hub to agree. Answers the hash to agree with.
    pub async fn propose(
        &self,
        conn: &mut Connection,
        who: &Who,
        (id, shown): (i64, String),
        wanted: &T,
        basis: &impl Serialize,
    ) -> Result<Vec<u8>, Error> {
        let kind = self.subject;
        let subject = Subject { kind, id, shown };
        let parties = match PartyName::of(who) {
            PartyName::Hub => vec![PartyName::Hub],
            own => vec![own, PartyName::Hub],
        };
        let hash = self.hash(id, wanted, basis)?;
        let content = serde_json::to_value(wanted).map_err(anyhow::Error::from)?;
        super::ask(conn, who, &subject, &hash, Some(content), &parties).await?;
        Ok(hash)
    }

    /// Agrees to what was read, which is then to be done. It is refused when the basis is another by now.
    pub async fn approve(
        &self,
        conn: &mut Connection,
        who: &Who,
        id: i64,
        read: &[u8],
        basis: &impl Serialize,
    ) -> Result<T, Error> {
        let subject = (self.subject, id);
        let (_, approval) = super::speak(conn, who, subject, read, Verdict::Approved).await?;
        let wanted = read_wanted(approval.proposed)?;
        match self.hash(id, &wanted, basis)? == read {
            true => Ok(wanted),
            false => Err(api::changed(&approval.subject_shown).into()),
        }
    }

    /// Does not agree, which ends the proposal. Answers what was wanted.
    pub async fn reject(
        &self,
        conn: &mut Connection,
        who: &Who,
        id: i64,
        read: &[u8],
    ) -> Result<T, Error> {
        let subject = (self.subject, id);
        let (_, approval) = super::speak(conn, who, subject, read, Verdict::Rejected).await?;
        read_wanted(approval.proposed)
    }

    /// Takes the proposal back. Who may is for the subject to say. Answers what was wanted.
    pub async fn withdraw(&self, conn: &mut Connection, who: &Who, id: i64) -> Result<T, Error> {
        let wanted = self.cancel(conn, who, id).await?;
        Ok(wanted.ok_or_else(api::nothing_proposed)?)
    }

    /// The same where something else is done to the subject, whether anything was proposed or not.
    pub async fn cancel(
        &self,
        conn: &mut Connection,
        who: &Who,
        id: i64,
    ) -> Result<Option<T>, Error> {
        let open = super::cancel(conn, who, (self.subject, id)).await?;
        open.map(|approval| read_wanted(approval.proposed))
            .transpose()
    }

    /// What is proposed of these subjects and waits: at most one of each.
    pub async fn pending(
        &self,
        conn: &mut Connection,
        ids: &[i64],
    ) -> Result<Vec<Proposal<T>>, Error> {
        let rows = store::pending(conn, self.subject, ids).await?;
        let proposal = |row: store::Pending| {
            Ok(Proposal {
                of: row.subject_id,
                wanted: serde_json::from_value(row.proposed)?,
                content_hash: row.content_hash,
                at: row.created_at,
            })
        };
        Ok(rows
            .into_iter()
            .map(proposal)
            .collect::<anyhow::Result<_>>()?)
    }

    fn hash(&self, id: i64, wanted: &T, basis: &impl Serialize) -> Result<Vec<u8>, Error> {
        let told = serde_json::to_vec(&(self.subject, id, wanted, basis));
        Ok(Sha256::digest(told.map_err(anyhow::Error::from)?).to_vec())
    }
}

fn read_wanted<T: DeserializeOwned>(proposed: Option<Value>) -> Result<T, Error> {
    let proposed =
        proposed.ok_or_else(|| anyhow::anyhow!("a proposal is open and holds nothing"))?;
    Ok(serde_json::from_value(proposed).map_err(anyhow::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_has_another_hash() {
        let kind: Proposals<u32> = Proposals::of("spending");
        let hash = kind.hash(1, &7, &"live").expect("a hash");
        let other: Proposals<u32> = Proposals::of("earning");
        for another in [
            other.hash(1, &7, &"live"),
            kind.hash(2, &7, &"live"),
            kind.hash(1, &8, &"live"),
            kind.hash(1, &7, &"suspended"),
        ] {
            assert_ne!(another.expect("a hash"), hash);
        }
    }
}
