//! The room under the caps of positions, as the commands of a group use it up.
//!
//! | | pays | is paid | funds a bonus |
//! |-|------|---------|---------------|
//! | an operation | owes its gross more | owes its value less | owes its part more |
//! | a reversal | the other way round | | |
//!
//! Owing more needs room, except for a reversal: what has to be undone is undone, also over the cap, and
//! then nothing more is owed until it is below again.

use std::collections::BTreeMap;

use crate::ledger::operation::Kind;
use crate::points::account::Account;
use crate::points::money::Micros;

/// The room of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How much more may be owed; below zero when the cap is passed.
    pub left: i64,
    /// Whether that is all there is. A slice is a part, and others may have more.
    pub is_all: bool,
    /// How much more is owed since the group began; none when no operation was here. What goes up and
    /// down again is written too, so that the room it needed on the way is known to have been there.
    pub change: Option<i64>,
}

/// The rooms of the positions that have a cap.
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
    pub room: Micros,
    pub needed: Micros,
}

impl Rooms {
    /// Whether an operation of a kind finds the room it needs, by how much more each position owes then.
    pub fn check(&self, kind: Kind, owed_more: &[(Account, i64)]) -> Result<(), NoRoom> {
        for &(position, needed) in owed_more {
            let Some(room) = self.0.get(&position) else {
                continue;
            };
            if needed <= 0 || needed <= room.left || (room.is_all && kind.is_reversal()) {
                continue;
            }
            return Err(match room.is_all {
                false => NoRoom::Here,
                true => NoRoom::AtAll(Reached {
                    position,
                    room: Micros(room.left.max(0)),
                    needed: Micros(needed),
                }),
            });
        }
        Ok(())
    }

    /// Takes what an operation needs and adds what it makes.
    pub fn take(&mut self, owed_more: &[(Account, i64)]) {
        for (position, change) in owed_more {
            if let Some(room) = self.0.get_mut(position) {
                room.left -= change;
                room.change = Some(room.change.unwrap_or(0) + change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYS: Account = Account(1);
    const PAID: Account = Account(2);

    fn owed(gross: i64, value: i64) -> [(Account, i64); 2] {
        [(PAYS, gross), (PAID, -value)]
    }

    fn rooms(pays: (i64, bool), paid: (i64, bool)) -> Rooms {
        let room = |(left, is_all)| Room {
            left,
            is_all,
            change: None,
        };
        Rooms([(PAYS, room(pays)), (PAID, room(paid))].into())
    }

    fn left(rooms: &Rooms) -> [i64; 2] {
        [PAYS, PAID].map(|position| rooms.0[&position].left)
    }

    #[test]
    fn the_last_unit_is_taken_and_no_more() {
        let mut rooms = rooms((100, true), (0, true));
        assert_eq!(rooms.check(Kind::Conversion, &owed(100, 90)), Ok(()));
        rooms.take(&owed(100, 90));
        assert_eq!(left(&rooms), [0, 90]);
        let reached = Reached {
            position: PAYS,
            room: Micros(0),
            needed: Micros(1),
        };
        let refused = rooms.check(Kind::Conversion, &owed(1, 1));
        assert_eq!(refused, Err(NoRoom::AtAll(reached)));
    }

    #[test]
    fn a_slice_that_is_too_small_does_not_refuse() {
        let rooms = rooms((99, false), (99, false));
        let refused = rooms.check(Kind::Conversion, &owed(100, 100));
        assert_eq!(refused, Err(NoRoom::Here));
        let undone = rooms.check(Kind::ConversionReversal, &owed(-100, -100));
        assert_eq!(undone, Err(NoRoom::Here));
    }

    #[test]
    fn a_reversal_passes_the_cap_and_gives_room_back() {
        let mut rooms = rooms((0, true), (30, true));
        let reversed = owed(-100, -90);
        assert_eq!(rooms.check(Kind::ConversionReversal, &reversed), Ok(()));
        rooms.take(&reversed);
        assert_eq!(left(&rooms), [100, -60]);
        assert_eq!(rooms.0[&PAID].change, Some(90));
        let check = |more| rooms.check(Kind::Conversion, &[(PAID, more)]);
        assert!(check(1).is_err(), "nothing more is owed");
        assert_eq!(check(0), Ok(()), "and this owes nothing more");
    }
}
