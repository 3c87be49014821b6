//! The client over HTTP has threads of its own, so that its processor time is told apart from the
//! hub's.

use std::thread;
use std::time::Instant;

use anyhow::anyhow;
use futures_util::future::try_join_all;
use nix::sys::resource::UsageWho;
use tokio::task::block_in_place;

use super::measured::{Run, Tally};
use super::meter::cpu_us;

const THREADS: usize = 2;

/// What all callers come to, and the processor time of the client's threads.
pub struct Came<T> {
    pub each: Vec<T>,
    pub cpu_us: f64,
}

/// Runs many callers at once, numbered from 0.
pub fn call_all<T: Send, F: Future<Output = anyhow::Result<T>>>(
    callers: usize,
    call: impl Fn(usize) -> F + Sync,
) -> anyhow::Result<Came<T>> {
    let call = &call;
    let came = block_in_place(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|nth| scope.spawn(move || on_thread((nth..callers).step_by(THREADS), call)))
                .collect();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended
                .map(|ended| ended.map_err(|_| anyhow!("a thread of the client panicked"))?)
                .collect::<anyhow::Result<Vec<_>>>()
        })
    })?;
    let mut all = Came {
        each: Vec::new(),
        cpu_us: 0.0,
    };
    for part in came {
        all.each.extend(part.each);
        all.cpu_us += part.cpu_us;
    }
    Ok(all)
}

/// The same for callers that only tally.
pub fn run<F: Future<Output = anyhow::Result<Tally>>>(
    callers: usize,
    call: impl Fn(usize) -> F + Sync,
) -> anyhow::Result<Run> {
    let began = Instant::now();
    let came = call_all(callers, call)?;
    Ok(Run::of(came.each, began.elapsed(), came.cpu_us))
}

fn on_thread<T, F: Future<Output = anyhow::Result<T>>>(
    callers: impl Iterator<Item = usize>,
    call: impl Fn(usize) -> F,
) -> anyhow::Result<Came<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let each = runtime.block_on(try_join_all(callers.map(call)))?;
    Ok(Came {
        each,
        cpu_us: cpu_us(UsageWho::RUSAGE_THREAD)?,
    })
}
