//! A seal, and what its hash is over, byte by byte, so that anybody can compute it again.
//!
//! The hash is SHA-256 over, one after another:
//!
//! | what | as |
//! |------|----|
//! | the hash of the seal before | 32 bytes, zero before the first |
//! | this seal's `id`, `first_group`, `last_group`, `groups`, `operations`, `changes`, `at` | numbers |
//! | of each group: `id`, `window_id`, `at`, `size`, `rules` | numbers |
//! | its `origins` | the number of its bytes, and those, in UTF-8 |
//! | and its `digest` | 32 bytes |
//! | of each change of the audit trail: `position` | number |
//! | and its digest | 32 bytes |
//!
//! Groups and changes come in the order of their transactions, and the group before the changes
//! of the same one. The digest of a change is in [`crate::access::audit::Change`].
//!
//! A number is eight bytes, the highest first, negative ones in two's complement; an instant is
//! the number of microseconds since 1970. What has a variable length says it first, so no
//! two chains have the same bytes.

use diesel::sql_types::{BigInt, Binary, SmallInt, Text, Timestamptz};
use sha2::{Digest, Sha256};

use crate::access::audit::Change;
use crate::clock::Timestamp;
use crate::ledger::operation;

/// A row of groups: one transaction that moved points.
#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct Group {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub window_id: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
    #[diesel(sql_type = SmallInt)]
    pub size: i16,
    #[diesel(sql_type = SmallInt)]
    pub rules: i16,
    /// Where its operations were asked for: in their order, the same in a row counted.
    #[diesel(sql_type = Text)]
    pub origins: String,
    /// Of its operations.
    #[diesel(sql_type = Binary)]
    pub digest: Vec<u8>,
}

/// What is sealed.
#[derive(Debug, Clone, Copy)]
pub enum Link<'a> {
    Group(&'a Group),
    Change(&'a Change),
}

impl Link<'_> {
    /// The number of its transaction.
    pub fn number(self) -> i64 {
        match self {
            Link::Group(group) => group.id,
            Link::Change(change) => operation::group_of(change.position),
        }
    }
}

/// Groups and changes in their order.
pub fn links<'a>(groups: &'a [Group], changes: &'a [Change]) -> Vec<Link<'a>> {
    let groups = groups.iter().map(Link::Group);
    let mut links: Vec<_> = groups.chain(changes.iter().map(Link::Change)).collect();
    // Stable: a group stays before the changes of its transaction, and those in their order.
    links.sort_by_key(|link| link.number());
    links
}

/// Some groups and changes that follow one another, for good.
#[derive(Debug, Clone, PartialEq, Eq, diesel::QueryableByName)]
pub struct Seal {
    /// 1, 2, 3 and so on.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub first_group: i64,
    #[diesel(sql_type = BigInt)]
    pub last_group: i64,
    #[diesel(sql_type = BigInt)]
    pub groups: i64,
    #[diesel(sql_type = BigInt)]
    pub operations: i64,
    #[diesel(sql_type = BigInt)]
    pub changes: i64,
    #[diesel(sql_type = Binary)]
    pub hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
}

impl Seal {
    /// The seal of these, after the last one. None when there is nothing.
    pub fn of(
        last: Option<&Seal>,
        groups: &[Group],
        changes: &[Change],
        at: Timestamp,
    ) -> Option<Seal> {
        let links = links(groups, changes);
        let (first, end) = links.first().zip(links.last())?;
        let seal = Seal {
            id: last.map_or(1, |last| last.id + 1),
            first_group: first.number(),
            last_group: end.number(),
            groups: groups.len() as i64,
            operations: groups.iter().map(|group| i64::from(group.size)).sum(),
            changes: changes.len() as i64,
            hash: Vec::new(),
            at,
        };
        let mut hashing = Hashing::begin(last, &seal);
        links.into_iter().for_each(|link| hashing.add(link));
        Some(Seal {
            hash: hashing.finish().to_vec(),
            ..seal
        })
    }
}

/// The hash of a seal, under way from link to link.
pub struct Hashing(Sha256);

impl Hashing {
    pub fn begin(before: Option<&Seal>, seal: &Seal) -> Hashing {
        let Seal {
            id,
            first_group,
            last_group,
            groups,
            operations,
            changes,
            hash: _,
            at,
        } = seal;
        let mut digest = Sha256::new();
        match before {
            Some(before) => digest.update(&before.hash),
            None => digest.update([0; 32]),
        }
        let at = at.timestamp_micros();
        for number in [
            *id,
            *first_group,
            *last_group,
            *groups,
            *operations,
            *changes,
            at,
        ] {
            digest.update(number.to_be_bytes());
        }
        Hashing(digest)
    }

    pub fn add(&mut self, link: Link<'_>) {
        match link {
            Link::Group(group) => self.add_group(group),
            Link::Change(change) => {
                self.0.update(change.position.to_be_bytes());
                self.0.update(change.digest());
            }
        }
    }

    fn add_group(&mut self, group: &Group) {
        let Group {
            id,
            window_id,
            at,
            size,
            rules,
            origins,
            digest,
        } = group;
        let (at, size, rules) = (at.timestamp_micros(), i64::from(*size), i64::from(*rules));
        for number in [*id, *window_id, at, size, rules] {
            self.0.update(number.to_be_bytes());
        }
        self.0.update((origins.len() as u64).to_be_bytes());
        self.0.update(origins);
        self.0.update(digest);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_timestamp_micros(micros).expect("an instant")
    }

    fn group(id: i64) -> Group {
        Group {
            id,
            window_id: 1,
            at: at(1_700_000_000_000_001),
            size: 2,
            rules: 1,
            origins: "hub*2".to_owned(),
            digest: vec![id as u8; 32],
        }
    }

    fn change(number: i64, place: i64) -> Change {
        Change {
            position: (number << 12) + 2048 + place,
            at: at(1_700_000_000_000_002),
            principal_id: 3,
            request_id: uuid::Uuid::nil(),
            origin: "hub".to_owned(),
            subject: "window".to_owned(),
            subject_id: 1,
            before: None,
            after: "closed".to_owned(),
            concerns: None,
        }
    }

    /// Computed with another program from the table above.
    #[test]
    fn a_chain_has_the_hashes_that_its_form_gives() {
        let (groups, changes) = ([group(5), group(9)], [change(5, 0), change(7, 0)]);
        let first = Seal::of(None, &groups, &changes, at(1_700_000_000_500_000));
        let first = first.expect("a seal");
        assert_eq!(
            (first.id, first.groups, first.operations, first.changes),
            (1, 2, 4, 2)
        );
        assert_eq!(hex::encode(&first.hash), FIRST);
        let last = [change(12, 0), change(12, 1)];
        let second = Seal::of(Some(&first), &[group(11)], &last, at(1_700_000_001_000_000));
        let second = second.expect("a seal");
        assert_eq!(
            (second.id, second.first_group, second.last_group),
            (2, 11, 12)
        );
        assert_eq!(hex::encode(&second.hash), SECOND);
        assert_eq!(Seal::of(Some(&second), &[], &[], at(0)), None);
    }

    const FIRST: &str = "a2d5257a773d6d77627c08b329cc5421f583ecd1a80f7ba4bb7c2d43fe54fa64";
    const SECOND: &str = "4e1a5b6588bff5850d12aaef4f796054eee60f0fb6739d01942512aaa58a21c7";
}
