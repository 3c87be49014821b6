//! Somebody who reads the event feed all along, as fast as it comes, through whichever hub.
//!
//! A reader at the end of the feed is the one that would miss something: an operation that came to
//! stand before what was read already.

use std::time::{Duration, Instant};

use super::caller::Caller;
use super::tally::Answer;

/// How long the feed may take to show what is in the journal when nothing is broken any more.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Feed {
    cursor: Option<String>,
    /// The ids of events, as they were read.
    pub seen: Vec<String>,
}

impl Feed {
    /// Reads on until the callers are over.
    pub async fn follow(&mut self, caller: &Caller) {
        while !caller.is_over() {
            self.read(caller).await;
            caller.pause(20).await;
        }
    }

    /// Reads on until an event was read, but not for ever.
    pub async fn follow_to(&mut self, caller: &Caller, event: &str) {
        let since = Instant::now();
        while !self.seen.iter().rev().any(|seen| seen == event) && since.elapsed() < PATIENCE {
            self.read(caller).await;
            caller.pause(20).await;
        }
    }

    async fn read(&mut self, caller: &Caller) {
        let after = self.cursor.as_ref();
        let after = after.map(|cursor| format!("&after={cursor}"));
        let path = format!("/v1/events?limit=200{}", after.unwrap_or_default());
        let answer = caller.ask("operator", &path, None).await;
        let Answer::Done(page) = answer else {
            caller.tally.wrong(format!("{path}: {answer:?}"));
            return;
        };
        let events = page["items"].as_array().into_iter().flatten();
        let ids = events.filter_map(|event| event["id"].as_str());
        self.seen.extend(ids.map(str::to_owned));
        self.cursor = page["next_cursor"].as_str().map(str::to_owned);
    }
}
