//! A seal, and what its hash is over, byte by byte, so that anybody can compute it again.
//!
//! The hash is SHA-256 over, one after another:
//!
//! | what | as |
//! |------|----|
//! | the hash of the seal before | 32 bytes, zero before the first |
//! | this seal's `id`, `first_group`, `last_group`, `groups`, `operations`, `at` | numbers |
//! | of each group in the order of ids: `id`, `window_id`, `at`, `size`, `rules` | numbers |
//! | and its `digest` | 32 bytes |
//!
//! A number is eight bytes, the highest first, negative ones in two's complement; an instant is
//! the number of microseconds since 1970. Nothing has a variable length, so no two chains have
//! the same bytes.

use diesel::sql_types::{BigInt, Binary, SmallInt, Timestamptz};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

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
    /// Of its operations.
    #[diesel(sql_type = Binary)]
    pub digest: Vec<u8>,
}

/// Some groups that follow one another, for good.
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
    #[diesel(sql_type = Binary)]
    pub hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
}

impl Seal {
    /// The seal of these groups, after the last one. None when there are no groups.
    pub fn of(last: Option<&Seal>, groups: &[Group], at: Timestamp) -> Option<Seal> {
        let (first, end) = groups.first().zip(groups.last())?;
        let seal = Seal {
            id: last.map_or(1, |last| last.id + 1),
            first_group: first.id,
            last_group: end.id,
            groups: groups.len() as i64,
            operations: groups.iter().map(|group| i64::from(group.size)).sum(),
            hash: Vec::new(),
            at,
        };
        let mut hashing = Hashing::begin(last, &seal);
        groups.iter().for_each(|group| hashing.add(group));
        Some(Seal {
            hash: hashing.finish().to_vec(),
            ..seal
        })
    }
}

/// The hash of a seal, under way from group to group.
pub struct Hashing(Sha256);

impl Hashing {
    pub fn begin(before: Option<&Seal>, seal: &Seal) -> Hashing {
        let Seal {
            id,
            first_group,
            last_group,
            groups,
            operations,
            hash: _,
            at,
        } = seal;
        let mut digest = Sha256::new();
        match before {
            Some(before) => digest.update(&before.hash),
            None => digest.update([0; 32]),
        }
        let at = at.timestamp_micros();
        for number in [*id, *first_group, *last_group, *groups, *operations, at] {
            digest.update(number.to_be_bytes());
        }
        Hashing(digest)
    }

    pub fn add(&mut self, group: &Group) {
        let Group {
            id,
            window_id,
            at,
            size,
            rules,
            digest,
        } = group;
        let (at, size, rules) = (at.timestamp_micros(), i64::from(*size), i64::from(*rules));
        for number in [*id, *window_id, at, size, rules] {
            self.0.update(number.to_be_bytes());
        }
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
            digest: vec![id as u8; 32],
        }
    }

    /// Computed with another program from the table above.
    #[test]
    fn a_chain_has_the_hashes_that_its_form_gives() {
        let first = Seal::of(None, &[group(5), group(9)], at(1_700_000_000_500_000));
        let first = first.expect("a seal");
        assert_eq!((first.id, first.groups, first.operations), (1, 2, 4));
        assert_eq!(hex::encode(&first.hash), FIRST);
        let second = Seal::of(Some(&first), &[group(12)], at(1_700_000_001_000_000));
        let second = second.expect("a seal");
        assert_eq!(
            (second.id, second.first_group, second.last_group),
            (2, 12, 12)
        );
        assert_eq!(hex::encode(&second.hash), SECOND);
        assert_eq!(Seal::of(Some(&second), &[], at(0)), None);
    }

    const FIRST: &str = "8aeee8b2f6a228e00f2e0451a180ad9363b6314667c93460617b5b644061c250";
    const SECOND: &str = "92ef0ee30c39b59c8962ee4f8f1c3763f2f2d823e48094aaeb894c3d23a623b9";
}
