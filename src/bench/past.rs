//! A past for the coalition: so many awards and conversions, over most of a year.
//!
//! Wallets begin empty. Who would convert and has nothing left is awarded points first, so one
//! operation in ten or so is an award. One award in a hundred is a campaign's, whose points expire
//! all at once soon after the history ends. One operation in a hundred is of one member on one
//! route, so that a long history has a wallet with a long statement.

use std::time::{Duration, Instant};

use diesel_async::AsyncConnection;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::coalition::{Coalition, GIVEN, stamp};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::ledger::awards::Award;
use crate::ledger::command::{Command, Decided, Seen, Touches};
use crate::ledger::history::{Entry, History};
use crate::ledger::lot::LotKey;
use crate::ledger::operation::Kind;

/// The member and the route of the long statement.
pub const BUSY: (usize, usize) = (0, 0);

/// As many as a writer takes at once under load.
const GROUP: u64 = 512;

const SPAN: chrono::Duration = chrono::Duration::days(300);

/// How long after the end of the history the campaigns' points expire.
pub const CAMPAIGNS_END: chrono::Duration = chrono::Duration::days(30);

/// Conversions that an award is good for.
const CONVERSIONS: u8 = 10;

/// How often progress is told.
const TOLD: u64 = 1_000_000;

pub struct Past {
    pub operations: u64,
    pub took: Duration,
}

/// Points that expire on a day of their own.
struct Campaign {
    award: Award,
    ends: Timestamp,
}

impl Command for Campaign {
    type Refusal = ();

    fn touches(&self) -> Touches {
        self.award.touches()
    }

    fn decide(&self, seen: &Seen<'_>, _: Timestamp) -> Result<Decided, ()> {
        let (wallet, amount) = (self.award.wallet, self.award.amount);
        Ok(Decided::new(Kind::Award).giving(seen, wallet, amount, LotKey::expiring(self.ends)))
    }
}

impl Past {
    pub fn of(operations: u64) -> Past {
        Past {
            operations,
            took: Duration::ZERO,
        }
    }

    /// Writes the history, and turns the clock to its end.
    pub async fn write(&mut self, url: &str, coalition: &Coalition) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut conn = Connection::establish(url).await?;
        let from = db::now(&mut conn).await?;
        let groups = self.operations.div_ceil(GROUP);
        let mut history = History::begin(url).await?;
        let mut people = People::new(coalition, from + SPAN + CAMPAIGNS_END);

        eprintln!("Writing {} operations of history ...", self.operations);
        let mut written = 0;
        for nth in 0..groups {
            let size = GROUP.min(self.operations - written);
            let entries = (0..size).map(|_| people.next()).collect();
            let at = from + SPAN / 1_000_000 * (nth * 1_000_000 / groups) as i32;
            written += history.group(entries, at).await? as u64;
            if written / TOLD > (written - size) / TOLD {
                eprintln!("{written} after {:.0} s ...", began.elapsed().as_secs_f64());
            }
        }
        anyhow::ensure!(written == self.operations, "some of the past was refused");
        history.finish().await?;
        db::turn_clock_forward(&mut conn, SPAN).await?;
        self.took = began.elapsed();
        Ok(())
    }
}

/// What everybody can still convert.
struct People<'a> {
    coalition: &'a Coalition,
    campaigns_end: Timestamp,
    /// By brand, then by member.
    left: Vec<Vec<u8>>,
    random: SmallRng,
}

impl People<'_> {
    fn new(coalition: &Coalition, campaigns_end: Timestamp) -> People<'_> {
        People {
            coalition,
            campaigns_end,
            left: vec![vec![0; coalition.members]; coalition.wallets.len()],
            random: SmallRng::from_rng(&mut rand::rng()),
        }
    }

    fn next(&mut self) -> Entry {
        let coalition = self.coalition;
        let (member, route) = match self.random.random_range(0..100) {
            0 => BUSY,
            _ => (
                self.random.random_range(0..coalition.members),
                self.random.random_range(0..coalition.routes.len()),
            ),
        };
        let brand = coalition.routes[route].from;
        let left = &mut self.left[brand][member];
        if *left > 0 {
            *left -= 1;
            return Entry::new(coalition.order(route, member, false), stamp());
        }
        *left = CONVERSIONS;
        let award = coalition.award(brand, member, GIVEN * i64::from(CONVERSIONS));
        match self.random.random_range(0..100) {
            0 => {
                let ends = self.campaigns_end;
                Entry::new(Campaign { award, ends }, stamp())
            }
            _ => Entry::new(award, stamp()),
        }
    }
}
