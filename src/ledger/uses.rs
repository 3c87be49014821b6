//! What campaigns have given, as the commands of a group add to it.
//!
//! | counted     | under                       | kept exact by                                    |
//! |-------------|-----------------------------|--------------------------------------------------|
//! | in all      | the campaign and no wallet  | its row, which a group locks before it reads     |
//! | to a wallet | the campaign and the wallet | the turn of the wallet, which whoever gives takes |
//! | by a sponsor | the card and no wallet     | as what a campaign gives in all                  |
//!
//! A campaign counts points, the sponsor of a card millionths of its money. Cards stand below zero where
//! campaigns stand above it. What a sponsor paid is in the operation's memo, so that undoing a part of the
//! operation gives the same part of the budget back.
//!
//! What a wallet used is read after its lots: whoever changed one changed the other in the same
//! transaction, so a group that read the one too early finds the other not as it was. Only a command that
//! names a place pays for it: other groups send no statement more.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::points::account::Account;

/// Where something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Or a card, below zero.
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
    /// One conversion, of so much.
    pub fn once(units: i64) -> Used {
        Used { times: 1, units }
    }

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
    /// Where what the sponsor of a card pays is counted.
    pub fn of_sponsor(card: i64) -> Place {
        Place {
            campaign: -card,
            wallet: None,
        }
    }

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

    /// Counts what is used at each place, or given back there.
    pub fn add(&mut self, uses: &[Added]) {
        for (place, used) in uses {
            let counted = self.0.entry(*place).or_default();
            counted.added = counted.added.plus(*used);
        }
    }

    /// What the group adds to, those it found and those that are new.
    pub fn changed(&self) -> (Vec<Added>, Vec<Added>) {
        let changed = self.0.iter().filter(|(_, it)| it.added != Used::default());
        let (found, new): (Vec<_>, Vec<_>) =
            changed.partition(|(_, counted)| counted.was.is_some());
        let added = |(place, counted): (&Place, &Counted)| (*place, counted.added);
        let found = found.into_iter().map(added).collect();
        (found, new.into_iter().map(added).collect())
    }
}

/// The memo of an operation that is counted at places.
pub fn memo(uses: &[Added]) -> Value {
    let uses = uses.iter().map(|(place, used)| {
        json!({
            "campaign": place.campaign, "wallet": place.wallet_kept(), "times": used.times, "units": used.units,
        })
    });
    uses.collect()
}

/// What an operation that says so is counted at.
pub fn kept(memo: Option<&Value>) -> Vec<Added> {
    let listed = memo.and_then(|memo| memo.get("uses")?.as_array());
    let number = |it: &Value, field: &str| it.get(field)?.as_i64();
    let added = |it: &Value| {
        let place = Place::of_row(number(it, "campaign")?, number(it, "wallet")?);
        let (times, units) = (number(it, "times")?, number(it, "units")?);
        Some((place, Used { times, units }))
    };
    listed.into_iter().flatten().filter_map(added).collect()
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

        uses.add(&[(all, Used::once(5)), (wallet, Used::once(5))]);
        uses.add(&[(all, Used::once(2))]);
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

    #[test]
    fn what_is_given_back_is_used_no_more() {
        let place = Place::of_sponsor(7);
        let mut uses = Uses::default();
        uses.read(place, Used::once(30));
        let back = |times, units| (place, Used { times, units });
        uses.add(&[back(0, -10)]);
        assert_eq!(uses.changed(), (vec![back(0, -10)], vec![]));
        uses.add(&[back(-1, -20)]);
        assert_eq!(uses.at(place), Used::default());
    }

    #[test]
    fn what_an_operation_is_counted_at_is_read_back() {
        let uses = [
            (Place::of_sponsor(7), Used::once(25_000_000)),
            (
                Place::of_row(3, 9),
                Used {
                    times: 0,
                    units: -5,
                },
            ),
        ];
        let memo = json!({"uses": memo(&uses)});
        assert_eq!(kept(Some(&memo)), uses);
        assert!(kept(Some(&json!({"fee": 1}))).is_empty() && kept(None).is_empty());
    }
}
