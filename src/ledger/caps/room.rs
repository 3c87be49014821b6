//! The room under the limits of positions, as the commands of a group use it up.
//!
//! | | pays | is paid | funds a bonus |
//! |-|------|---------|---------------|
//! | an operation | owes its gross more | owes its value less | owes its part more |
//! | a reversal | the other way round | | |
//!
//! What counts more needs room, except for a reversal: what has to be undone is undone, also over the
//! limit, and then nothing more is owed until it is below again. Cover is asked before the cap.

use std::collections::BTreeMap;

use super::owed::Owed;
use super::terms::Limit;
use crate::ledger::operation::Kind;
use crate::points::account::Account;
use crate::points::money::Micros;

/// The room of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is owed as far as this room is seen, as the commands go on.
    pub sums: Owed,
    pub haircut: i16,
    pub most: Most,
    /// How much more is owed since the group began; none when no operation was here. What goes up and
    /// down again is written too, so that the room it needed on the way is known to have been there.
    pub change: Option<Owed>,
}

/// What may be counted at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// So much in the writer's slice, which is a part: others may have more.
    Granted(i64),
    /// So much over all writers.
    InAll {
        cover: Option<i64>,
        cap: Option<i64>,
    },
}

/// The rooms of the positions that have a limit.
#[derive(Debug, Clone, Default)]
pub struct Rooms(pub BTreeMap<Account, Room>);

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Not in the slice.
    Here,
    /// Nowhere.
    AtAll(Reached),
}

/// A partner may not owe that much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub position: Account,
    pub limit: Limit,
    pub room: Micros,
    pub needed: Micros,
}

impl Room {
    pub fn counted(&self) -> i64 {
        self.sums.counted(self.haircut)
    }

    fn check(&self, position: Account, kind: Kind, change: Owed) -> Result<(), NoRoom> {
        let (before, after) = (self.counted(), (self.sums + change).counted(self.haircut));
        if after <= before {
            return Ok(());
        }
        let (cover, cap) = match self.most {
            Most::Granted(granted) if after <= granted => return Ok(()),
            Most::Granted(_) => return Err(NoRoom::Here),
            Most::InAll { .. } if kind.is_reversal() => return Ok(()),
            Most::InAll { cover, cap } => (cover, cap),
        };
        for (limit, most) in [(Limit::Cover, cover), (Limit::Cap, cap)] {
            if let Some(most) = most.filter(|most| after > *most) {
                return Err(NoRoom::AtAll(Reached {
                    position,
                    limit,
                    room: Micros((most - before).max(0)),
                    needed: Micros(after - before),
                }));
            }
        }
        Ok(())
    }
}

impl Rooms {
    /// Whether an operation of a kind finds the room it needs, by how much more each position owes then.
    pub fn check(&self, kind: Kind, owed_more: &[(Account, Owed)]) -> Result<(), NoRoom> {
        for (position, change) in owed_more {
            if let Some(room) = self.0.get(position) {
                room.check(*position, kind, *change)?;
            }
        }
        Ok(())
    }

    /// Takes what an operation needs and adds what it makes.
    pub fn take(&mut self, owed_more: &[(Account, Owed)]) {
        for (position, change) in owed_more {
            if let Some(room) = self.0.get_mut(position) {
                room.sums += *change;
                room.change = Some(room.change.unwrap_or_default() + *change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYS: Account = Account(1);
    const PAID: Account = Account(2);

    fn owed(gross: i64, value: i64) -> [(Account, Owed); 2] {
        let change = |owed, credited| Owed { owed, credited };
        [(PAYS, change(gross, 0)), (PAID, change(-value, value))]
    }

    fn undone(gross: i64, value: i64) -> [(Account, Owed); 2] {
        let change = |owed, credited| Owed { owed, credited };
        [(PAYS, change(-gross, 0)), (PAID, change(value, -value))]
    }

    fn in_all(cap: i64) -> Most {
        let (cover, cap) = (None, Some(cap));
        Most::InAll { cover, cap }
    }

    fn room(most: Most, haircut: i16) -> Room {
        Room {
            sums: Owed::default(),
            haircut,
            most,
            change: None,
        }
    }

    fn rooms(pays: Most, paid: Most) -> Rooms {
        Rooms([(PAYS, room(pays, 0)), (PAID, room(paid, 0))].into())
    }

    fn counted(rooms: &Rooms) -> [i64; 2] {
        [PAYS, PAID].map(|position| rooms.0[&position].counted())
    }

    #[test]
    fn the_last_unit_is_taken_and_no_more() {
        let mut rooms = rooms(in_all(100), in_all(0));
        assert_eq!(rooms.check(Kind::Conversion, &owed(100, 90)), Ok(()));
        rooms.take(&owed(100, 90));
        assert_eq!(counted(&rooms), [100, -90]);
        let reached = Reached {
            position: PAYS,
            limit: Limit::Cap,
            room: Micros(0),
            needed: Micros(1),
        };
        let refused = rooms.check(Kind::Conversion, &owed(1, 1));
        assert_eq!(refused, Err(NoRoom::AtAll(reached)));
    }

    #[test]
    fn cover_is_asked_first_and_credits_give_back_less_than_they_are() {
        let refused = |cover, cap, needed| {
            let (cover, cap) = (Some(cover), Some(cap));
            let mut rooms = Rooms([(PAYS, room(Most::InAll { cover, cap }, 2_000))].into());
            let credit = Owed {
                owed: -50,
                credited: 50,
            };
            rooms.take(&[(PAYS, credit)]);
            match rooms.check(Kind::Conversion, &owed(needed, 0)[..1]) {
                Err(NoRoom::AtAll(Reached { limit, room, .. })) => Some((limit, room.0)),
                Err(NoRoom::Here) => panic!("there is all the room there is"),
                Ok(()) => None,
            }
        };
        // 50 were credited, of which 40 count.
        assert_eq!(refused(100, 100, 140), None);
        assert_eq!(refused(100, 100, 141), Some((Limit::Cover, 140)));
        assert_eq!(refused(200, 100, 141), Some((Limit::Cap, 140)));
        assert_eq!(refused(100, 50, 141), Some((Limit::Cover, 140)));
        assert_eq!(refused(100, 50, 91), Some((Limit::Cap, 90)));
    }

    #[test]
    fn a_slice_that_is_too_small_does_not_refuse() {
        let rooms = rooms(Most::Granted(99), Most::Granted(99));
        let refused = rooms.check(Kind::Conversion, &owed(100, 100));
        assert_eq!(refused, Err(NoRoom::Here));
        let undone = rooms.check(Kind::ConversionReversal, &undone(100, 100));
        assert_eq!(undone, Err(NoRoom::Here));
    }

    #[test]
    fn a_reversal_passes_the_cap_and_gives_room_back() {
        let mut rooms = rooms(in_all(0), in_all(30));
        let reversed = undone(100, 90);
        assert_eq!(rooms.check(Kind::ConversionReversal, &reversed), Ok(()));
        rooms.take(&reversed);
        assert_eq!(counted(&rooms), [-100, 90]);
        assert_eq!(rooms.0[&PAID].change, Some(reversed[1].1));
        let more = |owed| rooms.check(Kind::Conversion, &[(PAID, Owed { owed, credited: 0 })]);
        assert!(more(1).is_err(), "nothing more is owed");
        assert_eq!(more(0), Ok(()), "and this owes nothing more");
    }
}
