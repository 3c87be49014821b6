//! What clients ask over HTTP, on keep-alive connections, each waiting for its answer.

use std::time::{Duration, Instant};

use super::client;
use super::ground::Ground;
use super::measured::Measured;
use super::visitor::{Errand, Visitor};

const CONNECTIONS: usize = 256;

pub async fn measure(ground: &Ground, errand: Errand, time: Duration) -> anyhow::Result<Measured> {
    let tokens = &ground.tokens().await?;
    let work = async |time| {
        let end = Instant::now() + time;
        client::run(CONNECTIONS, |_| async move {
            let mut visitor = Visitor::new(ground, tokens).await?;
            while Instant::now() < end {
                visitor.run(errand).await?;
            }
            Ok(visitor.tally)
        })
    };
    ground.measure(work, time).await
}
