//! What a group asks the database for: all that its commands touch, together.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::group::Queued;
use super::tally::TallyKey;
use crate::clock::Timestamp;
use crate::points::account::Account;

/// How a group goes about the wallets and keys of its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Takes for granted that nobody else is at them: locks no wallet, and looks up the keys of
    /// commands without a quote only. Who sends a command again sends its quote again, and the
    /// key is found with the quote. If it was wrong, the turns of the lots and the index of keys
    /// refuse the group.
    Light,
    /// Locks every wallet, in the order of their ids, and looks up every key.
    Full,
}

/// What is read for a group.
pub(super) struct Asked {
    /// In the order of their ids, each once.
    pub wallets: Vec<i64>,
    pub keys: Vec<Uuid>,
    pub quotes: Vec<Uuid>,
    /// The operations that are followed up.
    pub followed: Vec<i64>,
    /// Whose money may move, in the order of their ids.
    pub positions: Vec<Account>,
    /// Wallets, keys, and since when.
    pub tallies: (Vec<i64>, Vec<i64>, Vec<Timestamp>),
    /// Partners, kinds and hashes.
    pub references: (Vec<i64>, Vec<i16>, Vec<Uuid>),
    /// Campaigns with budgets, in the order of their ids.
    pub budgets: Vec<i64>,
    /// Principals who are not known to be live.
    pub senders: Vec<i64>,
}

impl Asked {
    pub fn by(commands: &[Box<dyn Queued>], care: Care) -> Asked {
        let touched = || commands.iter().map(|command| command.touches());
        let stamps = || commands.iter().map(|command| command.stamp());
        let keyed = commands
            .iter()
            .filter(|command| care == Care::Full || command.touches().quote.is_none());
        let wallets = touched().flat_map(|touches| &touches.wallets);
        let positions = touched().flat_map(|touches| &touches.positions);
        let mut references = (Vec::new(), Vec::new(), Vec::new());
        for reference in stamps().filter_map(|stamp| stamp.reference.as_ref()) {
            references.0.push(reference.partner_id);
            references.1.push(reference.kind as i16);
            references.2.push(reference.hash);
        }
        let mut since: BTreeMap<TallyKey, Timestamp> = BTreeMap::new();
        for wanted in touched().flat_map(|touches| &touches.tallies) {
            let earliest = since.entry(wanted.of).or_insert(wanted.since);
            *earliest = wanted.since.min(*earliest);
        }
        let mut tallies = (Vec::new(), Vec::new(), Vec::new());
        for (of, since) in since {
            tallies.0.push(of.wallet.0);
            tallies.1.push(of.key);
            tallies.2.push(since);
        }
        let budgets = touched().flat_map(|touches| touches.budgets.iter().copied());
        let senders = stamps().filter(|stamp| !stamp.is_confirmed);
        Asked {
            tallies,
            senders: each_once(senders.map(|stamp| stamp.principal_id)),
            budgets: each_once(budgets),
            wallets: each_once(wallets.map(|wallet| wallet.0)),
            keys: keyed
                .map(|command| command.stamp().claim.key_hash)
                .collect(),
            quotes: touched().filter_map(|touches| touches.quote).collect(),
            followed: touched().filter_map(|touches| touches.follows).collect(),
            positions: each_once(positions.copied()),
            references,
        }
    }
}

fn each_once<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}
