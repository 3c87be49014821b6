//! Lots: what a wallet holds, by when it expires.
//!
//! Points of one wallet that expire at the same instant, become usable at the same instant and are
//! of the same class are one lot. Spending takes the lot that expires first; a lot that has expired
//! cannot be spent, whether it has been swept or not.
//!
//! A lot may wait for a code: it never becomes usable, its points are moved to one that is when the code
//! is presented, and expire when it is not.
//!
//! A lot may be frozen for an import that went wrong: its points are used by nobody until they are thawed, and
//! expire like any others. They stand beside the lot they came from, and move with it when activity re-dates it.
//!
//! One lot is not a holding: what the wallet *owes*, when points were taken back that were spent. It is
//! never above zero, and what comes in pays it first.

use std::collections::BTreeMap;

use crate::clock::{self, Timestamp};

/// What tells two lots of a wallet apart. The order is the order of spending.
///
/// `class` is 0 for what a programme's own rules make. Otherwise its bits say what is different:
///
/// | bits | 62 | 32..55 | 0..30 |
/// |------|----|--------|-------|
/// |      | 0  | from when on it may be converted again: hours since 2000, all ones for never, 0 at once | the partner that paid for this bonus, 0 for none |
///
/// Where bit 62 is set it is frozen, and the bits below are the import that it is frozen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotKey {
    pub expires_at: Timestamp,
    pub usable_from: Timestamp,
    pub class: i64,
}

const FROZEN: i64 = 1 << 62;
const FUNDER: i64 = (1 << 31) - 1;
const HOURS_SHIFT: u32 = 32;
const NEVER_AGAIN: i64 = (1 << 24) - 1;
const YEAR_2000: i64 = 946_684_800;

impl LotKey {
    /// What the wallet owes.
    pub const RECEIVABLE: LotKey = LotKey {
        expires_at: clock::NEVER,
        usable_from: clock::ALWAYS,
        class: -1,
    };

    /// An ordinary lot, usable at once.
    pub fn expiring(expires_at: Timestamp) -> LotKey {
        LotKey {
            expires_at,
            usable_from: clock::ALWAYS,
            class: 0,
        }
    }

    /// The lot beside it of a bonus that a partner paid for.
    pub fn funded_by(self, partner: i64) -> LotKey {
        LotKey {
            class: self.class | (partner & FUNDER),
            ..self
        }
    }

    /// The lot beside it that may be converted again from the end of the hour of `from` on.
    pub fn convertible_from(self, from: Timestamp) -> LotKey {
        let since_2000 = from.timestamp() - YEAR_2000;
        let hours = since_2000.div_euclid(3600) + i64::from(since_2000.rem_euclid(3600) > 0);
        LotKey {
            class: self.class | (hours.clamp(0, NEVER_AGAIN) << HOURS_SHIFT),
            ..self
        }
    }

    /// The lot beside it that can be used by nobody: its points wait for a code that is presented before
    /// `until`, and are gone then.
    pub fn awaiting_code(self, until: Timestamp) -> LotKey {
        LotKey {
            expires_at: until,
            usable_from: clock::NEVER,
            ..self
        }
    }

    pub fn awaits_code(&self) -> bool {
        self.usable_from == clock::NEVER
    }

    /// The lot beside it of what is frozen for an import. Of what a programme's own rules make.
    pub fn frozen_for(self, import: i64) -> LotKey {
        LotKey {
            class: FROZEN | import,
            ..self
        }
    }

    /// The import that it is frozen for.
    pub fn freezer(&self) -> Option<i64> {
        self.is_frozen().then_some(self.class & !FROZEN)
    }

    pub fn is_frozen(&self) -> bool {
        self.class >= FROZEN
    }

    /// The lot that it came from when it is frozen, else itself.
    pub fn thawed(self) -> LotKey {
        match self.is_frozen() {
            true => LotKey { class: 0, ..self },
            false => self,
        }
    }

    /// Whether somebody paid for it as a bonus.
    pub fn is_bonus(&self) -> bool {
        self.class > 0 && !self.is_frozen() && self.class & FUNDER != 0
    }

    pub fn is_convertible(&self, now: Timestamp) -> bool {
        match (self.class >> HOURS_SHIFT) & NEVER_AGAIN {
            0 => true,
            NEVER_AGAIN => false,
            hours => YEAR_2000 + hours * 3600 <= now.timestamp(),
        }
    }

    /// Whether its expiry alone names it.
    pub fn is_ordinary(&self) -> bool {
        *self == LotKey::expiring(self.expires_at)
    }

    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.usable_from <= now
            && now < self.expires_at
            && *self != LotKey::RECEIVABLE
            && !self.is_frozen()
    }

    /// Whether it will be usable, and is not yet.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        now < self.usable_from && now < self.expires_at && !self.is_frozen()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lot {
    pub available: i64,
    pub held: i64,
    /// Where the database keeps it; none when it is new.
    pub row: Option<RowId>,
    /// On one lot of a wallet, how many groups have changed the wallet; 0 on the others.
    pub turn: i32,
}

impl Lot {
    pub fn pockets(&self) -> Pockets {
        Pockets {
            available: self.available,
            held: self.held,
        }
    }
}

/// A change of a lot's two pockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pockets {
    pub available: i64,
    pub held: i64,
}

impl Pockets {
    pub fn available(available: i64) -> Pockets {
        Pockets { available, held: 0 }
    }

    pub fn add(&mut self, other: Pockets) {
        self.available += other.available;
        self.held += other.held;
    }
}

/// The place of a version of a row in its table: block and line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowId(pub u32, pub u16);

/// A wallet as a decision sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wallet {
    pub lots: BTreeMap<LotKey, Lot>,
    /// The last operation that changed it.
    pub last: Option<i64>,
}

/// The wallet holds less than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    pub held: i64,
    pub needed: i64,
}

impl Wallet {
    /// What can be spent now.
    pub fn usable(&self, now: Timestamp) -> i64 {
        self.lots
            .iter()
            .filter(|(key, _)| key.is_usable(now))
            .map(|(_, lot)| lot.available)
            .sum()
    }

    /// What has to be paid before anything is held: zero or more.
    pub fn owed(&self) -> i64 {
        let owed = self.lots.get(&LotKey::RECEIVABLE);
        owed.map_or(0, |lot| -lot.available)
    }

    /// The lots that `amount` would be taken from, earliest expiry first.
    pub fn take(
        &self,
        amount: i64,
        now: Timestamp,
        which: impl Fn(&LotKey) -> bool,
    ) -> Result<Vec<(LotKey, i64)>, Short> {
        let mut rest = amount;
        let mut taken = Vec::new();
        for (key, lot) in self
            .lots
            .iter()
            .filter(|(key, lot)| key.is_usable(now) && lot.available > 0 && which(key))
        {
            let part = rest.min(lot.available);
            taken.push((*key, part));
            rest -= part;
            if rest == 0 {
                return Ok(taken);
            }
        }
        Err(Short {
            held: amount - rest,
            needed: amount,
        })
    }

    /// What would change if everything usable, or frozen and else usable, were to expire at `expires_at`
    /// instead of sooner.
    pub fn redate(&self, expires_at: Timestamp, now: Timestamp) -> Vec<(LotKey, i64)> {
        let sooner = |(key, lot): &(&LotKey, &Lot)| {
            key.thawed().is_usable(now) && key.expires_at < expires_at && lot.available > 0
        };
        self.lots
            .iter()
            .filter(sooner)
            .flat_map(|(key, lot)| {
                [
                    (*key, -lot.available),
                    (LotKey { expires_at, ..*key }, lot.available),
                ]
            })
            .collect()
    }

    /// Changes a lot, making it when there is none. Fails, changing nothing, when less than nothing
    /// would be left in one of its pockets, or more than nothing be owed to its holder.
    pub fn change(&mut self, key: LotKey, by: Pockets) -> Result<(), Short> {
        let lot = self.lots.get(&key).copied().unwrap_or_default();
        let sign = if key == LotKey::RECEIVABLE { -1 } else { 1 };
        let left = |has: i64, change: i64| {
            let left = has.checked_add(change);
            left.filter(|left| left * sign >= 0).ok_or(Short {
                held: has,
                needed: change.saturating_neg(),
            })
        };
        let (available, held) = (left(lot.available, by.available)?, left(lot.held, by.held)?);
        let lot = self.lots.entry(key).or_default();
        (lot.available, lot.held) = (available, held);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn day(day: u32) -> Timestamp {
        chrono::Utc
            .with_ymd_and_hms(2026, 11, day, 0, 0, 0)
            .unwrap()
    }

    fn wallet(lots: &[(u32, i64)]) -> Wallet {
        let mut wallet = Wallet::default();
        for (expires, amount) in lots {
            wallet
                .change(LotKey::expiring(day(*expires)), Pockets::available(*amount))
                .unwrap();
        }
        wallet
    }

    #[test]
    fn the_lot_that_expires_first_is_spent_first() {
        let taken = wallet(&[(20, 50), (10, 30), (30, 100)])
            .take(90, day(1), |_| true)
            .unwrap();
        let expected = [(10, 30), (20, 50), (30, 10)];
        assert_eq!(
            taken,
            expected.map(|(d, amount)| (LotKey::expiring(day(d)), amount))
        );
    }

    #[test]
    fn an_expired_lot_cannot_be_spent_swept_or_not() {
        let wallet = wallet(&[(10, 30), (20, 50)]);
        assert_eq!(
            wallet.usable(day(10)),
            50,
            "the instant of expiry is already too late"
        );
        assert_eq!(
            wallet.take(51, day(10), |_| true),
            Err(Short {
                held: 50,
                needed: 51
            })
        );
    }

    #[test]
    fn a_class_says_who_paid_and_when_it_may_be_converted_again() {
        let lot = LotKey::expiring(day(20));
        assert!(lot.is_convertible(day(1)) && !lot.is_bonus());
        let bonus = lot.funded_by(7);
        assert!(bonus.is_bonus() && bonus.is_convertible(day(1)) && !bonus.is_ordinary());
        let later = lot.convertible_from(day(10) + chrono::Duration::seconds(1));
        assert!(!later.is_convertible(day(10) + chrono::Duration::minutes(59)));
        assert!(later.is_convertible(day(10) + chrono::Duration::hours(1)));
        let never = bonus.convertible_from(clock::NEVER);
        assert!(never.is_bonus() && !never.is_convertible(day(28)) && never.is_usable(day(1)));
        assert_ne!(later, never);
    }

    #[test]
    fn what_waits_for_a_code_is_pending_until_it_lapses() {
        let lot = LotKey::expiring(day(28))
            .funded_by(7)
            .awaiting_code(day(20));
        assert!(lot.awaits_code() && lot.is_bonus() && !lot.is_ordinary());
        assert!(lot.is_pending(day(19)) && !lot.is_usable(day(19)));
        assert!(!lot.is_pending(day(20)) && !lot.is_usable(day(20)));
        assert!(!LotKey::expiring(day(28)).awaits_code() && !LotKey::RECEIVABLE.awaits_code());
    }

    #[test]
    fn what_is_frozen_is_used_by_nobody_and_moves_with_activity() {
        let lot = LotKey::expiring(day(20));
        let frozen = lot.frozen_for(7);
        assert_eq!((frozen.freezer(), lot.freezer()), (Some(7), None));
        assert_eq!((frozen.thawed(), lot.thawed()), (lot, lot));
        assert!(!frozen.is_usable(day(1)) && !frozen.is_pending(day(1)));
        assert!(!frozen.is_bonus() && !frozen.is_ordinary() && !LotKey::RECEIVABLE.is_frozen());

        let mut wallet = wallet(&[(20, 5)]);
        wallet.change(frozen, Pockets::available(30)).unwrap();
        assert_eq!(wallet.usable(day(1)), 5);
        assert!(wallet.take(6, day(1), |_| true).is_err());
        let later = LotKey::expiring(day(28)).frozen_for(7);
        let moved = wallet.redate(day(28), day(1));
        assert!(moved.contains(&(frozen, -30)) && moved.contains(&(later, 30)));
        assert_eq!(wallet.redate(day(28), day(20)), [], "too late");
    }

    #[test]
    fn a_lot_never_goes_below_zero() {
        let mut wallet = wallet(&[(10, 30)]);
        let before = wallet.clone();
        let less = |by: i64| Pockets::available(-by);
        assert!(wallet.change(LotKey::expiring(day(10)), less(31)).is_err());
        assert!(wallet.change(LotKey::expiring(day(11)), less(1)).is_err());
        let held = Pockets {
            available: 1,
            held: -1,
        };
        assert!(wallet.change(LotKey::expiring(day(10)), held).is_err());
        assert_eq!(wallet, before);
    }

    #[test]
    fn what_is_owed_is_no_holding() {
        let mut wallet = wallet(&[(10, 30)]);
        let owe = |amount: i64| Pockets::available(-amount);
        wallet.change(LotKey::RECEIVABLE, owe(20)).unwrap();
        assert_eq!((wallet.owed(), wallet.usable(day(1))), (20, 30));
        assert!(wallet.take(31, day(1), |_| true).is_err());
        assert_eq!(wallet.redate(clock::NEVER, day(1)).len(), 2);
        assert!(wallet.change(LotKey::RECEIVABLE, owe(-21)).is_err());
        wallet.change(LotKey::RECEIVABLE, owe(-20)).unwrap();
        assert_eq!(wallet.owed(), 0);
    }

    #[test]
    fn activity_moves_what_is_alive_to_the_later_date() {
        let wallet = wallet(&[(5, 7), (10, 30), (28, 1)]);
        let moved = wallet.redate(day(28), day(6));
        assert_eq!(
            moved,
            [
                (LotKey::expiring(day(10)), -30),
                (LotKey::expiring(day(28)), 30)
            ]
        );
    }
}
