//! What the callers were told, and what must therefore be true.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A write under a key of its own, whoever sends it how often.
#[derive(Debug, Clone)]
pub struct Write {
    /// The code of a partner, or the role of a person.
    pub who: &'static str,
    pub path: String,
    pub key: String,
    /// What the operation can be found by.
    pub reference: Option<String>,
    pub body: Value,
}

/// What a write came to, for good.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done(Value),
    /// The code of the problem.
    Refused(String),
}

/// A wallet, by who may read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wallet {
    pub who: &'static str,
    pub member: String,
    pub currency: &'static str,
}

pub struct Tally {
    pub begun: Instant,
    pub commands: AtomicU64,
    pub sent: AtomicU64,
    pub acknowledged: AtomicU64,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    done: Vec<(Write, Value)>,
    /// Begun, and without a definite answer so far.
    open: BTreeMap<u64, (Write, Instant)>,
    holdings: BTreeMap<Wallet, i64>,
    slowest: Duration,
    wrongs: Vec<String>,
}

impl Tally {
    pub fn new() -> Tally {
        Tally {
            begun: Instant::now(),
            commands: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            noted: Mutex::default(),
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A command begins; the number is to be told when it ends.
    pub fn begins(&self, write: &Write) -> u64 {
        let number = self.commands.fetch_add(1, Ordering::SeqCst);
        let begun = (write.clone(), Instant::now());
        self.noted().open.insert(number, begun);
        number
    }

    pub fn ends(&self, number: u64, answer: &Answer) {
        let mut noted = self.noted();
        let Some((write, begun)) = noted.open.remove(&number) else {
            return;
        };
        noted.slowest = noted.slowest.max(begun.elapsed());
        if let Answer::Done(body) = answer {
            noted.done.push((write, body.clone()));
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A wallet holds so much more, or less, because somebody was told so.
    pub fn holds(&self, wallet: &Wallet, change: i64) {
        *self.noted().holdings.entry(wallet.clone()).or_default() += change;
    }

    /// Something that must not be.
    pub fn wrong(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!(
            "{:>7.1} s  WRONG: {what}",
            self.begun.elapsed().as_secs_f64()
        );
        self.noted().wrongs.push(what);
    }

    /// Acknowledged writes, in the order of their answers.
    pub fn done(&self) -> Vec<(Write, Value)> {
        self.noted().done.clone()
    }

    pub fn holdings(&self) -> BTreeMap<Wallet, i64> {
        self.noted().holdings.clone()
    }

    pub fn open(&self) -> Vec<Write> {
        let noted = self.noted();
        noted
            .open
            .values()
            .map(|(write, _)| write.clone())
            .collect()
    }

    pub fn slowest(&self) -> Duration {
        self.noted().slowest
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.noted().wrongs.clone()
    }
}

impl Wallet {
    pub fn new(who: &'static str, member: &str, currency: &'static str) -> Wallet {
        Wallet {
            who,
            member: member.to_owned(),
            currency,
        }
    }
}

/// A balance as a row of digits: how often each power of four was added.
pub fn in_base_four(balance: i64) -> String {
    let digits = (0..32).rev().map(|nth| (balance >> (2 * nth)) & 3);
    let digits: String = digits
        .skip_while(|digit| *digit == 0)
        .map(|digit| digit.to_string())
        .collect();
    match digits.is_empty() {
        true => "0".to_owned(),
        false => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_in_base_four_counts_each_power() {
        assert_eq!(in_base_four(0), "0");
        assert_eq!(in_base_four(1 + 4 + 16), "111");
        assert_eq!(in_base_four(2 * 16 + 3), "203");
    }
}
