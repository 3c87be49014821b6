//! What waits for a writer, and which wallets the writers are at.
//!
//! A writer takes commands in the order they came, passing over those whose wallets are in a group
//! that another writer is at; they stay first in line. While one writer is at a group another begins
//! only when enough wait. So no two writers of a hub meet at a wallet,
//! and none waits for the other. Of another hub's writers nothing is known here.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::group::Queued;
use crate::points::account::Account;

pub(super) type Group = Vec<Box<dyn Queued>>;

/// While a writer is at a group, another begins only when so many wait: a group costs PostgreSQL about as
/// much before its first conversion as for fifty of them.
const ENOUGH: usize = 64;

/// And no matter how few when that group takes so long.
const LONG: Duration = Duration::from_millis(50);

/// More waiting than this many are turned away.
const LONGEST: usize = 4096;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There may be something to take.
    news: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Queued>>,
    /// The wallets of the groups that are being written.
    busy: HashSet<Account>,
    /// When the groups that are being written were begun.
    writing: Vec<Instant>,
    is_closed: bool,
}

impl Queue {
    /// Puts a command last in line; gives it back when the line is too long.
    pub fn put(&self, command: Box<dyn Queued>) -> Result<(), Box<dyn Queued>> {
        let mut state = self.state();
        if state.waiting.len() >= LONGEST {
            return Err(command);
        }
        state.waiting.push_back(command);
        // The first that waits wakes a writer that then knows until when to wait for more.
        let is_news = state.waiting.len() == 1 || state.has_enough();
        drop(state);
        if is_news {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Waits for commands and takes up to `most` of them. None once the queue is closed and empty.
    pub async fn take(&self, most: usize) -> Option<Taken<'_>> {
        loop {
            let began = Instant::now();
            let (group, left) = {
                let mut state = self.state();
                let group = match state.has_enough() || state.is_closed {
                    true => state.take(most, began),
                    false => Group::new(),
                };
                (group, (!state.waiting.is_empty(), state.is_closed))
            };
            if !group.is_empty() {
                return Some(self.hand_over(group, began));
            }
            match left {
                (false, true) => return None,
                (false, false) => self.news.notified().await,
                // Without news too: a group may have become one that takes long.
                (true, _) => drop(tokio::time::timeout(LONG, self.news.notified()).await),
            }
        }
    }

    /// Lets the writers end when all is done.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_waiters();
        self.news.notify_one();
    }

    fn hand_over(&self, group: Group, began: Instant) -> Taken<'_> {
        let wallets = group.iter().flat_map(|command| &command.touches().wallets);
        let wallets = wallets.copied().collect();
        Taken {
            group,
            at: At {
                queue: self,
                wallets,
                began,
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a writer that has nothing to do begins.
    fn has_enough(&self) -> bool {
        let enough = match self.writing.first() {
            Some(oldest) if oldest.elapsed() < LONG => ENOUGH,
            _ => 1,
        };
        self.waiting.len() >= enough
    }

    fn take(&mut self, most: usize, began: Instant) -> Group {
        let mut group = Group::new();
        let mut passed = VecDeque::new();
        while group.len() < most
            && let Some(command) = self.waiting.pop_front()
        {
            let mut wallets = command.touches().wallets.iter();
            match wallets.any(|wallet| self.busy.contains(wallet)) {
                true => passed.push_back(command),
                false => group.push(command),
            }
        }
        passed.append(&mut self.waiting);
        self.waiting = passed;
        let wallets = group.iter().flat_map(|command| &command.touches().wallets);
        self.busy.extend(wallets.copied());
        if !group.is_empty() {
            self.writing.push(began);
        }
        group
    }
}

/// Commands for one group, and the hold on their wallets.
pub(super) struct Taken<'a> {
    pub group: Group,
    pub at: At<'a>,
}

/// The wallets a writer is at, until this is dropped.
pub(super) struct At<'a> {
    queue: &'a Queue,
    wallets: Vec<Account>,
    began: Instant,
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        for wallet in &self.wallets {
            state.busy.remove(wallet);
        }
        let nth = state.writing.iter().position(|began| *began == self.began);
        nth.map(|nth| state.writing.remove(nth));
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.queue.news.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ledger::command::{Decided, Seen, Stamp, Touches};
    use crate::ledger::group::Outcome;
    use crate::web::once::Claim;

    /// A command at one wallet.
    struct At(Touches, Stamp);

    impl Queued for At {
        fn touches(&self) -> &Touches {
            &self.0
        }
        fn stamp(&self) -> &Stamp {
            &self.1
        }
        fn decide(&mut self, _: &Seen<'_>, _: Timestamp) -> Option<Decided> {
            None
        }
        fn answer(self: Box<Self>, _: Outcome) {}
    }

    fn put(queue: &Queue, wallets: impl IntoIterator<Item = i64>) {
        for wallet in wallets {
            let touches = Touches {
                wallets: vec![Account(wallet)],
                ..Touches::default()
            };
            let claim = Claim {
                key_hash: uuid::Uuid::nil(),
                body_hash: uuid::Uuid::nil(),
            };
            let stamp = Stamp {
                claim,
                principal_id: 0,
                is_confirmed: true,
                request_id: uuid::Uuid::nil(),
                origin: crate::web::Origin::Hub,
                version: None,
                reference: None,
            };
            assert!(queue.put(Box::new(At(touches, stamp))).is_ok());
        }
    }

    /// What a writer gets now, without waiting.
    fn now<'a>(queue: &'a Queue) -> Option<Taken<'a>> {
        use futures_util::FutureExt;
        queue.take(512).now_or_never().flatten()
    }

    #[tokio::test]
    async fn a_second_writer_begins_when_enough_wait() {
        let queue = Queue::default();
        put(&queue, [1]);
        let first = now(&queue).expect("one is enough for the first");

        put(&queue, 2..65);
        assert!(now(&queue).is_none(), "63 wait for the first writer");
        put(&queue, [65]);
        let second = now(&queue).expect("64 do not");
        assert_eq!((first.group.len(), second.group.len()), (1, 64));
    }

    #[tokio::test]
    async fn a_few_wait_a_little_while_for_a_slow_group() {
        let queue = Queue::default();
        put(&queue, [1]);
        let _slow = now(&queue).expect("the first group");
        put(&queue, [2, 3]);

        assert!(now(&queue).is_none(), "not at once");
        let second = queue.take(512).await.expect("a second group");
        assert_eq!(second.group.len(), 2);
        put(&queue, [4]);
        assert!(now(&queue).is_some(), "the slow group still runs");
    }

    #[tokio::test]
    async fn no_two_writers_are_at_a_wallet() {
        let queue = Queue::default();
        put(&queue, [1]);
        let first = now(&queue).expect("the first group");
        put(&queue, [1; 64]);
        put(&queue, [2]);
        let second = now(&queue).expect("the one at another wallet");
        assert_eq!(second.group.len(), 1);

        drop((first, second));
        assert_eq!(now(&queue).expect("the rest").group.len(), 64);
    }
}
