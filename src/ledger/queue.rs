//! What waits for a writer, and which wallets the writers are at.
//!
//! A writer takes commands in the order they came, passing over those whose wallets are in a group
//! that another writer is at; they stay first in line. So no two writers of a hub meet at a wallet,
//! and none waits for the other. Of another hub's writers nothing is known here.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::group::Queued;
use crate::points::account::Account;

pub(super) type Group = Vec<Box<dyn Queued>>;

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
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for commands and takes up to `most` of them. None once the queue is closed and empty.
    pub async fn take(&self, most: usize) -> Option<Taken<'_>> {
        loop {
            let (group, is_over) = {
                let mut state = self.state();
                let group = state.take(most);
                (group, state.is_closed && state.waiting.is_empty())
            };
            match group.is_empty() {
                false => return Some(self.hand_over(group)),
                true if is_over => return None,
                true => self.news.notified().await,
            }
        }
    }

    /// Lets the writers end when all is done.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_waiters();
        self.news.notify_one();
    }

    fn hand_over(&self, group: Group) -> Taken<'_> {
        let wallets = group.iter().flat_map(|command| &command.touches().wallets);
        let wallets = wallets.copied().collect();
        Taken {
            group,
            at: At {
                queue: self,
                wallets,
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, most: usize) -> Group {
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
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        for wallet in &self.wallets {
            state.busy.remove(wallet);
        }
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.queue.news.notify_one();
        }
    }
}
