//! Budgets: what campaigns have given in all and sponsors of cards have paid, as the commands of a group add to it and take from it.
//!
//! | owner            | counted                                              |
//! |------------------|------------------------------------------------------|
//! | a campaign       | points given, in smallest units                      |
//! | a card's sponsor | money paid, in millionths; below zero by the card's id |
//! | a mandate        | points awarded, in all or on a day; by the [`MANDATES`] bit, its id and the day |
//!
//! One row an owner, for those that may give only so much. A group locks the rows that its commands
//! name before it reads them, in the order of their ids, so that the last unit is given once over any
//! number of hubs. Only a command that names a budget pays for it: other groups send no statement more.
//!
//! An operation remembers what it gave by who paid for it, and a reversal takes each part back as it
//! takes back the points or the money: what a budget says is given is what is still given.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use serde_json::{Value, json};

/// The budgets that the commands of a group name, by owner.
#[derive(Debug, Clone, Default)]
pub struct Budgets(BTreeMap<i64, Counted>);

/// A budget in a group: as it was read, none when nothing was given of it, and what the group adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    was: Option<i64>,
    added: i64,
}

/// An owner, and how much more it has given.
pub type Change = (i64, i64);

/// What an operation gave out of a budget, by who paid; below zero what a reversal took back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// A campaign's id, or below zero a card's, for its sponsor.
    pub owner: i64,
    pub parts: Vec<i64>,
}

/// What is added to a budget, by whose it is.
pub type Added = (i64, i64);

/// The budget of the sponsor of a card.
pub fn of_sponsor(card: i64) -> i64 {
    -card
}

/// The bit that tells the budgets of mandates from those of campaigns.
pub const MANDATES: i64 = 1 << 62;

/// How many bits of a mandate's budget are its day: those of some 2,800 years.
const DAY_BITS: u32 = 20;

/// The budget of a mandate for one day, or for all.
pub fn of_mandate(mandate: i64, day: Option<NaiveDate>) -> i64 {
    let day = day.map_or(0, |day| i64::from(day.num_days_from_ce()));
    MANDATES | mandate << DAY_BITS | day
}

/// The mandate that has a budget, and whether that is of one day.
pub fn mandate_of(owner: i64) -> Option<(i64, bool)> {
    let rest = owner & !MANDATES;
    let is_mandates = owner > 0 && owner & MANDATES != 0;
    is_mandates.then_some((rest >> DAY_BITS, rest & ((1 << DAY_BITS) - 1) != 0))
}

impl Given {
    /// Whether it is of money.
    pub fn is_money(&self) -> bool {
        self.owner < 0
    }

    pub fn units(&self) -> i64 {
        self.parts.iter().sum()
    }
}

impl Budgets {
    /// What an owner has given, with what the commands before in the same group did.
    pub fn given(&self, owner: i64) -> i64 {
        let counted = self.0.get(&owner).copied().unwrap_or_default();
        counted.was.unwrap_or(0) + counted.added
    }

    pub fn read(&mut self, owner: i64, given: i64) {
        self.0.entry(owner).or_default().was = Some(given);
    }

    pub fn add(&mut self, given: &[Given]) {
        for given in given {
            self.0.entry(given.owner).or_default().added += given.units();
        }
    }

    /// What the group adds, to those it found and to those that are new.
    pub fn changed(&self) -> (Vec<Change>, Vec<Change>) {
        let changed = self.0.iter().filter(|(_, counted)| counted.added != 0);
        let (found, new): (Vec<_>, Vec<_>) =
            changed.partition(|(_, counted)| counted.was.is_some());
        let added = |(owner, counted): (&i64, &Counted)| (*owner, counted.added);
        let found = found.into_iter().map(added).collect();
        (found, new.into_iter().map(added).collect())
    }
}

/// The memo of an operation that gave out of budgets.
pub fn memo(given: &[Given]) -> Value {
    let given = given
        .iter()
        .map(|it| json!({"owner": it.owner, "parts": it.parts}));
    given.collect()
}

/// What an operation gave out of budgets, as it remembers.
pub fn kept(memo: Option<&Value>) -> Vec<Given> {
    let listed = memo.and_then(|memo| memo.get("budgets")?.as_array());
    let given = |it: &Value| {
        let parts = it.get("parts")?.as_array()?.iter();
        Some(Given {
            owner: it.get("owner")?.as_i64()?,
            parts: parts.map(Value::as_i64).collect::<Option<_>>()?,
        })
    };
    listed.into_iter().flatten().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(owner: i64, parts: &[i64]) -> Given {
        Given {
            owner,
            parts: parts.to_vec(),
        }
    }

    #[test]
    fn what_a_group_adds_is_seen_by_its_next_command_and_written_once() {
        let mut budgets = Budgets::default();
        budgets.read(7, 30);
        assert_eq!((budgets.given(7), budgets.given(8)), (30, 0));
        budgets.add(&[given(7, &[3, 2]), given(8, &[4])]);
        budgets.add(&[given(7, &[-1])]);
        assert_eq!((budgets.given(7), budgets.given(8)), (34, 4));
        assert_eq!(budgets.changed(), (vec![(7, 4)], vec![(8, 4)]));
        budgets.add(&[given(7, &[-4])]);
        assert_eq!(
            budgets.changed().0,
            [],
            "what comes back at once is not written"
        );
    }

    #[test]
    fn a_mandate_has_a_budget_for_all_and_one_for_each_day() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1);
        let all = of_mandate(7, None);
        assert_eq!(mandate_of(all), Some((7, false)));
        assert_eq!(mandate_of(of_mandate(7, day)), Some((7, true)));
        let next = day.and_then(|day| day.succ_opt());
        assert_ne!(of_mandate(7, day), of_mandate(7, next));
        assert_eq!((mandate_of(7), mandate_of(of_sponsor(7))), (None, None));
    }

    #[test]
    fn what_was_given_comes_back_as_it_was_written() {
        let all = vec![given(7, &[60, 40]), given(9, &[-3])];
        let memo = json!({"budgets": memo(&all)});
        assert_eq!(kept(Some(&memo)), all);
        assert_eq!(kept(None), []);
    }
}
