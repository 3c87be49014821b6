//! Fees that cover a period: paid once in it, and by who says so.
//!
//! A conversion that paid such a fee must be the first of its wallet's period that did and was not undone.
//! One that says its fee was paid must have one before it, at its own instant or when its quote was
//! issued: a quote keeps its word while it lasts, also when the period ends meanwhile or the payment is
//! undone. Memory grows with such payments, and with no other operation.

use std::collections::HashMap;

use chrono::Duration;
use chrono_tz::Tz;

use crate::clock::Timestamp;
use crate::conversions::quote;
use crate::ledger::follow_ups::before;
use crate::ledger::operation::{Kind, Operation};
use crate::ledger::tally::TallyKey;
use crate::rates::period::Period;

/// The fees that were paid for a period so far.
#[derive(Debug, Default)]
pub struct Fees {
    paid: HashMap<TallyKey, Vec<Payment>>,
    /// Where the payment of a conversion is kept.
    of: HashMap<i64, TallyKey>,
}

#[derive(Debug, Clone, Copy)]
struct Payment {
    conversion: i64,
    at: Timestamp,
    /// What the conversion took: it is undone when so much of it is.
    whole: i64,
    undone_at: Option<Timestamp>,
}

impl Fees {
    /// Whether a conversion was right to pay, or not to.
    pub fn is_right(
        &self,
        key: TallyKey,
        (period, zone): (Period, Tz),
        is_paid_before: bool,
        at: Timestamp,
    ) -> bool {
        let paid = self.paid.get(&key).map_or(&[][..], Vec::as_slice);
        let covers = |now: Timestamp, it: &Payment| it.at >= period.begins(zone, now);
        let is_covered = paid
            .iter()
            .any(|it| it.undone_at.is_none() && covers(at, it));
        if !is_paid_before {
            return !is_covered;
        }
        // A quote lasts to the end of its last second.
        let quoted = at - quote::LIFE - Duration::seconds(1);
        let stood = |it: &Payment| it.undone_at.is_none_or(|undone| undone >= quoted);
        is_covered || paid.iter().any(|it| stood(it) && covers(quoted, it))
    }

    /// A conversion that paid.
    pub fn pay(&mut self, key: TallyKey, conversion: &Operation) {
        self.of.insert(conversion.id, key);
        self.paid.entry(key).or_default().push(Payment {
            conversion: conversion.id,
            at: conversion.at,
            whole: conversion.amount(),
            undone_at: None,
        });
    }

    /// What undoes a conversion that paid, when it undoes the last of it.
    pub fn undo(&mut self, reversal: &Operation) {
        let Some((Kind::Conversion, original)) = reversal.followed() else {
            return;
        };
        let Some(key) = self.of.get(&original) else {
            return;
        };
        let so_far = before(reversal).unwrap_or(0) + reversal.follow_up_amount();
        let payments = self.paid.get_mut(key).into_iter().flatten();
        payments
            .filter(|it| it.conversion == original && it.whole == so_far)
            .for_each(|it| it.undone_at = Some(reversal.at));
    }
}
