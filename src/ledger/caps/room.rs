//! The room under the caps of positions, as the commands of a group use it up.
//!
//! | | pays | is paid |
//! |-|------|---------|
//! | an operation | owes its gross more | owes its value less |
//! | a reversal | the other way round | |
//!
//! Owing more needs room, except for a reversal: what has to be undone is undone, also over the cap, and
//! then nothing more is owed until it is below again.

use std::collections::BTreeMap;

use crate::ledger::operation::{Figures, Kind};
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
    /// Whether an operation finds the room it needs.
    pub fn check(&self, kind: Kind, figures: &Figures) -> Result<(), NoRoom> {
        for (position, needed) in changes(kind, figures) {
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
    pub fn take(&mut self, kind: Kind, figures: &Figures) {
        for (position, change) in changes(kind, figures) {
            if let Some(room) = self.0.get_mut(&position) {
                room.left -= change;
                room.change = Some(room.change.unwrap_or(0) + change);
            }
        }
    }
}

/// How much more each position owes; of a partner with itself, the difference.
fn changes(kind: Kind, figures: &Figures) -> impl Iterator<Item = (Account, i64)> {
    let sign = if kind.is_reversal() { -1 } else { 1 };
    let (gross, value) = (sign * figures.gross.0, sign * figures.value.0);
    let (pays, paid) = match figures.pays == figures.paid {
        true => (gross - value, None),
        false => (gross, Some((figures.paid, -value))),
    };
    std::iter::once((figures.pays, pays)).chain(paid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYS: Account = Account(1);
    const PAID: Account = Account(2);

    fn figures(gross: i64, value: i64) -> Figures {
        Figures {
            pays: PAYS,
            paid: PAID,
            gross: Micros(gross),
            commission: Micros(0),
            net: Micros(gross),
            converted: Micros(value),
            value: Micros(value),
            residual: Micros(0),
        }
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
        assert_eq!(rooms.check(Kind::Conversion, &figures(100, 90)), Ok(()));
        rooms.take(Kind::Conversion, &figures(100, 90));
        assert_eq!(left(&rooms), [0, 90]);
        let reached = Reached {
            position: PAYS,
            room: Micros(0),
            needed: Micros(1),
        };
        let refused = rooms.check(Kind::Conversion, &figures(1, 1));
        assert_eq!(refused, Err(NoRoom::AtAll(reached)));
    }

    #[test]
    fn a_slice_that_is_too_small_does_not_refuse() {
        let rooms = rooms((99, false), (99, false));
        for kind in [Kind::Conversion, Kind::ConversionReversal] {
            let refused = rooms.check(kind, &figures(100, 100));
            assert_eq!(refused, Err(NoRoom::Here));
        }
    }

    #[test]
    fn a_reversal_passes_the_cap_and_gives_room_back() {
        let mut rooms = rooms((0, true), (30, true));
        let reversed = figures(100, 90);
        assert_eq!(rooms.check(Kind::ConversionReversal, &reversed), Ok(()));
        rooms.take(Kind::ConversionReversal, &reversed);
        assert_eq!(left(&rooms), [100, -60]);
        assert_eq!(rooms.0[&PAID].change, Some(90));
        let of_itself = |gross, value| Figures {
            pays: PAID,
            ..figures(gross, value)
        };
        let check = |gross, value| rooms.check(Kind::Conversion, &of_itself(gross, value));
        assert!(check(100, 99).is_err(), "nothing more is owed");
        assert_eq!(check(100, 100), Ok(()), "and this owes nothing more");
    }
}
