//! What callers saw, added up: how many were served, and how long each waited.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::meter::{Memory, Spent};

/// What one caller saw.
#[derive(Debug, Default)]
pub struct Tally {
    pub done: u64,
    pub refused: u64,
    pub repeated: u64,
    /// In microseconds, of everything that was answered.
    pub waits: Vec<u32>,
}

/// What all callers saw, and how long that took.
#[derive(Debug, Default)]
pub struct Run {
    pub tally: Tally,
    pub elapsed: Duration,
    /// Of the client's threads, where it has any of its own.
    pub client_cpu_us: f64,
}

/// What one measurement gave.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Done a second.
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub done: u64,
    pub refused: u64,
    pub repeated: u64,
    /// Per operation done.
    pub spent: Spent,
    /// At the end.
    pub memory: Memory,
}

impl Tally {
    pub fn waited_since(&mut self, began: Instant) {
        self.waits.push(began.elapsed().as_micros() as u32);
    }
}

impl Run {
    pub fn of(tallies: Vec<Tally>, elapsed: Duration, client_cpu_us: f64) -> Run {
        let mut all = Tally::default();
        for tally in tallies {
            all.done += tally.done;
            all.refused += tally.refused;
            all.repeated += tally.repeated;
            all.waits.extend(tally.waits);
        }
        all.waits.sort_unstable();
        Run {
            tally: all,
            elapsed,
            client_cpu_us,
        }
    }
}

impl Measured {
    pub fn of(run: Run, spent: Spent, memory: Memory) -> Measured {
        Measured {
            per_s: run.tally.done as f64 / run.elapsed.as_secs_f64(),
            p50_ms: percentile_ms(&run.tally.waits, 0.5),
            p99_ms: percentile_ms(&run.tally.waits, 0.99),
            done: run.tally.done,
            refused: run.tally.refused,
            repeated: run.tally.repeated,
            spent,
            memory,
        }
    }
}

/// Of sorted microseconds, the one that `share` of them do not exceed.
pub fn percentile_ms(sorted: &[u32], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() as f64 * share) as usize;
    f64::from(sorted.get(at.min(last)).copied().unwrap_or_default()) / 1e3
}

/// The one in the middle by its rate; its other figures go with it.
pub fn middle(rounds: &[Measured]) -> Measured {
    let mut sorted: Vec<&Measured> = rounds.iter().collect();
    sorted.sort_by(|one, other| one.per_s.total_cmp(&other.per_s));
    sorted
        .get(sorted.len() / 2)
        .map(|it| (*it).clone())
        .unwrap_or_default()
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_waits() {
        let waits: Vec<u32> = (1..=200).map(|ms| ms * 1000).collect();
        assert_eq!(percentile_ms(&waits, 0.5), 101.0);
        assert_eq!(percentile_ms(&waits, 0.99), 199.0);
        assert_eq!(percentile_ms(&waits, 1.0), 200.0, "the last, not beyond it");
        assert_eq!(percentile_ms(&[], 0.5), 0.0);
    }

    #[test]
    fn the_round_in_the_middle_keeps_its_figures() {
        let round = |per_s: f64| Measured {
            per_s,
            p99_ms: per_s / 10.0,
            ..Measured::default()
        };
        let middle = middle(&[round(30.0), round(10.0), round(20.0)]);
        assert_eq!((middle.per_s, middle.p99_ms), (20.0, 2.0));
    }
}
