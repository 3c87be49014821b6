//! What campaigns have given, as the commands of a group add to it.
//!
//! | counted     | under                       | kept exact by                                    |
//! |-------------|-----------------------------|--------------------------------------------------|
//! | in all      | the campaign and no wallet  | its row, which a group locks before it reads     |
//! | to a wallet | the campaign and the wallet | the turn of the wallet, which whoever gives takes |
//!
//! What a wallet used is read after its lots: whoever changed one changed the other in the same
//! transaction, so a group that read the one too early finds the other not as it was. Only a command that
//! names a place pays for it: other groups send no statement more.

use std::collections::BTreeMap;

use crate::points::account::Account;

/// Where something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub campaign: i64,
    /// The wallet that gives; none for what the campaign gives in all.
    pub wallet: Option<Account>,
}

/// How often, and how much of what is gained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub times: i64,
    pub units: i64,
}

impl Used {
    fn plus(self, other: Used) -> Used {
        Used {
            times: self.times + other.times,
            units: self.units + other.units,
        }
    }
}

/// A place in a group: as it was read, none when it is new, and what the group adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    pub was: Option<Used>,
    pub added: Used,
}

/// What is added at a place.
pub type Added = (Place, Used);

/// The places that the commands of a group name.
#[derive(Debug, Clone, Default)]
pub struct Uses(pub BTreeMap<Place, Counted>);

impl Place {
    /// As it is kept: wallet 0 stands for all.
    pub fn of_row(campaign: i64, wallet: i64) -> Place {
        Place {
            campaign,
            wallet: (wallet != 0).then_some(Account(wallet)),
        }
    }

    pub fn wallet_kept(&self) -> i64 {
        self.wallet.map_or(0, |wallet| wallet.0)
    }
}

impl Uses {
    /// What is used at a place, the commands before in the same group counted.
    pub fn at(&self, place: Place) -> Used {
        let counted = self.0.get(&place).copied().unwrap_or_default();
        counted.was.unwrap_or_default().plus(counted.added)
    }

    pub fn read(&mut self, place: Place, used: Used) {
        self.0.entry(place).or_default().was = Some(used);
    }

    /// Counts one conversion at each place.
    pub fn add(&mut self, uses: &[(Place, i64)]) {
        for (place, units) in uses {
            let counted = self.0.entry(*place).or_default();
            counted.added = counted.added.plus(Used {
                times: 1,
                units: *units,
            });
        }
    }

    /// What the group adds to, those it found and those that are new.
    pub fn changed(&self) -> (Vec<Added>, Vec<Added>) {
        let changed = self.0.iter().filter(|(_, counted)| counted.added.times > 0);
        let (found, new): (Vec<_>, Vec<_>) =
            changed.partition(|(_, counted)| counted.was.is_some());
        let added = |(place, counted): (&Place, &Counted)| (*place, counted.added);
        let found = found.into_iter().map(added).collect();
        (found, new.into_iter().map(added).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_adds_is_seen_by_its_next_command_and_written_once() {
        let all = Place::of_row(7, 0);
        let wallet = Place::of_row(7, 9);
        let mut uses = Uses::default();
        uses.read(
            all,
            Used {
                times: 3,
                units: 30,
            },
        );
        assert_eq!(
            uses.at(all),
            Used {
                times: 3,
                units: 30
            }
        );
        assert_eq!(uses.at(wallet), Used::default());

        uses.add(&[(all, 5), (wallet, 5)]);
        uses.add(&[(all, 2)]);
        assert_eq!(
            uses.at(all),
            Used {
                times: 5,
                units: 37
            }
        );
        let (found, new) = uses.changed();
        assert_eq!(found, [(all, Used { times: 2, units: 7 })]);
        assert_eq!(new, [(wallet, Used { times: 1, units: 5 })]);
        assert_eq!((all.wallet_kept(), wallet.wallet_kept()), (0, 9));
    }
}
